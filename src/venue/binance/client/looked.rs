//! What follows from the answers to a look's questions.

use super::OrderClient;
use super::earlier::tell_seen;
use super::flight::Asked;
use super::ledger::amount;
use super::look::{AGAIN, Kind, Look, NO_SUCH_SYMBOL, TRADES_LIMIT, question, questions};
use super::message::Outputs;
use super::notice::{InstrumentPause, KeyProblem, Notice};
use super::reply::Reply;
use super::tracked::Phase;
use crate::domain::{InstrumentId, Time};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of a question.
pub(super) enum Answer {
    /// It is answered.
    Done,
    /// It is answered in part: ask on.
    More,
    /// Something moved meanwhile: ask again.
    Later,
    /// It went wrong: ask again.
    Failed,
    /// The look is over.
    Over,
}

impl OrderClient {
    /// An answer to a question of this file.
    pub(super) fn looked(
        &mut self,
        now: Time,
        asked: Asked,
        sent: Time,
        activity: u64,
        reply: Reply,
        out: &mut Outputs,
    ) {
        match asked {
            Asked::Info => self.info_refused(now, &reply, out),
            Asked::HeldInfo => self.held_refused(now, &reply, out),
            Asked::Restrictions => self.rights(now, &reply, out),
            Asked::Key => self.key_checked(now, &reply, out),
            _ => {
                let Some(mut look) = self.looks.look.take() else { return };
                let at = look.now.iter().position(|q| q.under_way && q.asked == asked);
                let Some(at) = at.filter(|_| sent >= look.began) else {
                    self.looks.look = Some(look);
                    return;
                };
                match self.take_answer(now, &mut look, asked, sent, activity, &reply, out) {
                    Answer::Done => {
                        look.now.swap_remove(at);
                    }
                    Answer::More => look.now[at] = question(asked, now),
                    Answer::Later => look.now[at] = question(asked, now.plus(AGAIN)),
                    Answer::Failed => {
                        out.notice(Notice::QueryFailed { what: asked.label(), code: reply.code() });
                        look.now[at] = question(asked, now.plus(self.question_pause()));
                    }
                    Answer::Over => return,
                }
                self.next_stage(now, look, out);
            }
        }
    }

    fn next_stage(&mut self, now: Time, mut look: Look, out: &mut Outputs) {
        while look.now.is_empty() {
            match look.then.pop_front() {
                Some(stage) => {
                    if look.kind == Kind::Gap && look.then.is_empty() {
                        // Orders and trades are known: what is left is to compare.
                        self.looks.gap = false;
                        out.notice(Notice::GapClosed { fills: look.fills });
                    }
                    look.now = questions(stage);
                }
                None => {
                    self.looks.next = now.plus(self.settings.reconcile_every);
                    return;
                }
            }
        }
        self.looks.look = Some(look);
    }

    #[expect(clippy::too_many_arguments, reason = "an answer with all that it is judged by")]
    fn take_answer(
        &mut self,
        now: Time,
        look: &mut Look,
        asked: Asked,
        sent: Time,
        activity: u64,
        reply: &Reply,
        out: &mut Outputs,
    ) -> Answer {
        let Ok(value) = &reply.result else {
            return match asked {
                Asked::OpenOrders(Some(id)) | Asked::Trades(id) if reply.code() == NO_SUCH_SYMBOL => {
                    self.not_listed(now, id, out);
                    Answer::Done
                }
                _ => Answer::Failed,
            };
        };
        match asked {
            Asked::OpenOrders(only) => self.open_orders_are(now, only, sent, value, out),
            Asked::Trades(id) => self.trades_are(now, look, id, value, out),
            _ => self.account_is(now, look, activity, value, out),
        }
    }

    fn open_orders_are(
        &mut self,
        now: Time,
        only: Option<InstrumentId>,
        sent: Time,
        value: &Value,
        out: &mut Outputs,
    ) -> Answer {
        let Some(rows) = value.as_array() else { return Answer::Failed };
        let mut listed_ids = Vec::with_capacity(rows.len());
        for row in rows {
            let symbol = row.get("symbol").and_then(Value::as_str).unwrap_or_default();
            let Some(id) = self.instruments.find(symbol).map(|l| l.instrument.id) else { continue };
            if let Some(venue_id) = row.get("orderId").and_then(Value::as_u64) {
                listed_ids.push((id, venue_id));
            }
            self.row(now, id, row, out);
        }
        // Those that we know as open, were so before we asked, and are not listed: ask for each.
        let missing: Vec<_> = self
            .orders
            .unfinished()
            .filter(|(_, o)| o.phase == Phase::Open && o.sent < sent)
            .filter(|(_, o)| only.is_none_or(|only| only == o.order.instrument))
            .filter(|(_, o)| !listed_ids.contains(&(o.order.instrument, o.venue_id)))
            .map(|(key, _)| key)
            .collect();
        missing.into_iter().for_each(|key| self.check(now, key, out));
        let gone = |id: &InstrumentId, venue_id: &u64| {
            only.is_none_or(|only| only == *id) && !listed_ids.contains(&(*id, *venue_id))
        };
        self.externals.retain(|(id, venue_id), _| !gone(id, venue_id));
        Answer::Done
    }

    fn trades_are(
        &mut self,
        now: Time,
        look: &mut Look,
        id: InstrumentId,
        value: &Value,
        out: &mut Outputs,
    ) -> Answer {
        let newest = value.as_array().and_then(|rows| {
            let ids = rows.iter().map(|row| row.get("id").and_then(Value::as_u64));
            ids.collect::<Option<Vec<u64>>>().map(|ids| ids.into_iter().max().unwrap_or(0))
        });
        let unlearnt = self.looks.unlearnt.iter().position(|other| *other == id);
        if look.kind == Kind::Start && self.looks.earlier.is_some() {
            return self.traded_meanwhile(id, value);
        }
        if look.kind == Kind::Start || unlearnt.is_some() {
            let Some(newest) = newest else { return Answer::Failed };
            self.ledger.known_up_to(id, newest);
            if let Some(at) = unlearnt {
                self.looks.unlearnt.swap_remove(at);
                tell_seen(id, newest, out);
                self.instruments.release(id, InstrumentPause::Starting, out);
            }
            return Answer::Done;
        }
        let Some((rows, new, newest)) = self.trade_rows(now, id, value, out) else { return Answer::Failed };
        look.fills += new;
        self.ledger.complete_up_to(id, newest);
        if rows < usize::from(TRADES_LIMIT) { Answer::Done } else { Answer::More }
    }

    fn account_is(
        &mut self,
        now: Time,
        look: &mut Look,
        activity: u64,
        value: &Value,
        out: &mut Outputs,
    ) -> Answer {
        let Some(balances) = balances(value) else { return Answer::Failed };
        if value.get("canTrade").and_then(Value::as_bool) == Some(false) {
            self.stop_for_key(now, KeyProblem::AccountMayNotTrade, out);
        }
        let moved = activity != self.ledger.activity();
        if look.kind == Kind::Start {
            return match look.first.take() {
                None => {
                    look.first = Some(balances);
                    look.activity = activity;
                    Answer::Done
                }
                Some(first) if first == balances && !moved && look.activity == activity => {
                    if self.looks.earlier.is_some() {
                        return self.compare_with_earlier(now, look, &balances, out);
                    }
                    self.ledger.rebase(&balances);
                    self.tell_account(|_| true, out);
                    self.tell_newest(out);
                    self.looks.started = true;
                    self.looks.gap = false;
                    out.notice(Notice::Reconciled);
                    Answer::Done
                }
                // Something moved: begin anew.
                Some(_) => {
                    self.looks.next = now.plus(AGAIN);
                    Answer::Over
                }
            };
        }
        if moved {
            return Answer::Later;
        }
        self.tell_external(out);
        self.compare(now, look, &balances, out)
    }
}

/// Free and locked together, of every asset of which there is something.
fn balances(account: &Value) -> Option<BTreeMap<String, i128>> {
    let rows = account.get("balances")?.as_array()?;
    let read = |row: &Value| {
        let asset = row.get("asset")?.as_str()?.to_owned();
        let free = amount(row.get("free")?.as_str()?)?;
        let locked = amount(row.get("locked")?.as_str()?)?;
        Some((asset, free.checked_add(locked)?))
    };
    let all: Option<BTreeMap<String, i128>> = rows.iter().map(read).collect();
    all.map(|all| all.into_iter().filter(|(_, held)| *held != 0).collect())
}
