//! The account at the start of a run that goes on where another ended.
//!
//! What the earlier run left, and its orders' trades since, is what the account should have. It is compared before an
//! order is taken: what differs twice, with nothing under way that could explain it, halts its instruments as a difference
//! in a run does, and the ledger keeps what should be there until a person has looked. So that the next run can compare,
//! the ring is told what the account has, and of everything that moves it and is no trade of ours.

use super::OrderClient;
use super::event::trade_row;
use super::ledger::{TradeFact, shown};
use super::look::{Look, TRADES_LIMIT};
use super::looked::Answer;
use super::message::{Output, Outputs};
use super::notice::Notice;
use crate::domain::event::{Account, Command, FeeAsset};
use crate::domain::{InstrumentId, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Trades kept, and told of, that no order of the earlier run explains.
const TRADES_TOLD: usize = 20;

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Assets of which it is known.
    assets: BTreeSet<String>,
    /// The newest trade of each instrument that the run had seen.
    seen: BTreeMap<InstrumentId, u64>,
    /// The same, with what was read since.
    newest: BTreeMap<InstrumentId, u64>,
    /// Trades since, of whatever order.
    trades: Vec<(InstrumentId, TradeFact)>,
}

impl Earlier {
    /// The first trade of the instrument that is not known; none where the run knew no trade.
    pub fn missing_from(&self, instrument: InstrumentId) -> Option<u64> {
        self.newest.get(&instrument).map(|newest| newest + 1)
    }
}

impl OrderClient {
    pub(super) fn earlier_left(
        &mut self,
        account: &[(String, i128)],
        cut: &BTreeMap<String, u32>,
        newest: &BTreeMap<InstrumentId, u64>,
    ) {
        account.iter().for_each(|(asset, amount)| self.ledger.adopt(asset, *amount));
        cut.iter().for_each(|(asset, trades)| self.ledger.was_cut(asset, *trades));
        let assets = account.iter().map(|(asset, _)| asset.clone()).collect();
        self.looks.earlier =
            Some(Earlier { assets, seen: newest.clone(), newest: newest.clone(), trades: Vec::new() });
    }

    /// Trades since the last that the earlier run knew: to be told of, and not booked, as what is of its orders is asked
    /// for order by order.
    pub(super) fn traded_meanwhile(&mut self, id: InstrumentId, value: &Value) -> Answer {
        let rows = value.as_array();
        let (Some(rows), Some(listed)) = (rows, self.instruments.get(id)) else { return Answer::Failed };
        let trades: Option<Vec<TradeFact>> =
            rows.iter().map(|row| trade_row(row, &listed.instrument)).collect();
        let (Some(trades), Some(earlier)) = (trades, &mut self.looks.earlier) else { return Answer::Failed };
        let asked_for_all = earlier.newest.contains_key(&id);
        let newest = trades.iter().map(|trade| trade.trade_id).max().unwrap_or(0);
        let known = earlier.newest.entry(id).or_default();
        *known = newest.max(*known);
        if !asked_for_all {
            return Answer::Done;
        }
        earlier.trades.extend(trades.into_iter().map(|trade| (id, trade)));
        if rows.len() < usize::from(TRADES_LIMIT) { Answer::Done } else { Answer::More }
    }

    /// Whether something of the run trades this asset.
    fn is_traded(&self, asset: &str) -> bool {
        self.instruments.iter().any(|l| l.instrument.base == asset || l.instrument.quote == asset)
    }

    /// The start's comparison. It is made again until what differs was judged, and orders are taken only then.
    pub(super) fn compare_with_earlier(
        &mut self,
        now: Time,
        look: &Look,
        venue: &BTreeMap<String, i128>,
        out: &mut Outputs,
    ) -> Answer {
        let Some(earlier) = self.looks.earlier.take() else { return Answer::Failed };
        // Of what the run did not know, and of what nothing trades, the venue's number holds.
        let ours = self.ledger.amounts().keys();
        let assets: BTreeSet<String> = venue.keys().chain(ours).cloned().collect();
        let unknown = |asset: &&String| !earlier.assets.contains(*asset) || !self.is_traded(asset);
        let unknown: BTreeSet<String> = assets.iter().filter(unknown).cloned().collect();
        for asset in &unknown {
            self.ledger.adopt(asset, venue.get(asset).copied().unwrap_or(0));
        }
        self.tell_external(out);
        // It is to hold whatever somebody may be trading just now.
        self.looks.adopt = false;
        let (before, busy) = (self.differed(), self.in_flight());
        let answer = self.compare(now, look, venue, out);
        let differences = &self.looks.differences;
        let lacks_some = |asset: &String| !earlier.assets.contains(asset) && self.is_traded(asset);
        let judged = match differences.is_empty() {
            // What an asset has from now on is known once all that is its orders' is booked.
            true => !busy || !unknown.iter().any(lacks_some),
            false => !busy && before.are(differences, &self.looks.cuts),
        };
        if !judged {
            self.looks.earlier = Some(earlier);
            if differences.is_empty() {
                self.looks.next = now.plus(super::look::AGAIN);
            }
            return Answer::Over;
        }
        for (asset, difference) in differences {
            let held = venue.get(asset).copied().unwrap_or(0);
            let (venue, ours, difference) = (shown(held), shown(held - difference), shown(*difference));
            out.notice(Notice::Meanwhile { asset: asset.clone(), venue, ours, difference });
        }
        let theirs = |(id, trade): &&(InstrumentId, TradeFact)| {
            self.orders.find_venue(*id, trade.venue_order).is_none()
        };
        for (instrument, trade) in earlier.trades.iter().filter(theirs).take(TRADES_TOLD) {
            let &TradeFact { trade_id, venue_order, side, qty, price, .. } = trade;
            let instrument = *instrument;
            out.notice(Notice::TradedMeanwhile { instrument, trade_id, venue_order, side, qty, price });
        }
        for (&id, &newest) in &earlier.newest {
            self.ledger.known_up_to(id, newest);
            if newest > earlier.seen.get(&id).copied().unwrap_or(0) {
                tell_seen(id, newest, out);
            }
        }
        self.tell_account(|asset| unknown.contains(asset), out);
        self.looks.started = true;
        self.looks.gap = false;
        if self.looks.differences.is_empty() {
            out.notice(Notice::Reconciled);
        }
        answer
    }

    /// Tells the ring what the account has of these assets.
    pub(super) fn tell_account(&self, which: impl Fn(&str) -> bool, out: &mut Outputs) {
        let assets = self.instruments.iter().flat_map(|l| [&l.instrument.base, &l.instrument.quote]);
        let assets: BTreeSet<&String> = assets.filter(|asset| which(asset)).collect();
        assets.into_iter().for_each(|asset| self.tell_ring(asset, self.ledger.amount(asset), true, out));
    }

    /// Tells the ring that so much of an asset came from elsewhere.
    pub(super) fn tell_moved(&self, asset: &str, amount: i128, out: &mut Outputs) {
        if amount != 0 {
            self.tell_ring(asset, amount, false, out);
        }
    }

    /// Tells the ring which trades were seen by now, so that the next run tells of none of them again.
    pub(super) fn tell_newest(&self, out: &mut Outputs) {
        for id in self.instruments.iter().map(|listed| listed.instrument.id) {
            tell_seen(id, self.ledger.newest(id), out);
        }
    }

    /// Tells the ring that so much of an asset is not there, though no one has looked why yet, and takes back what was told
    /// of it before: what is held can be left with what there is alone, whoever it is that has to say that it is right.
    pub(super) fn tell_missing(&mut self, asset: &str, amount: i128, out: &mut Outputs) {
        let before = if amount == 0 {
            self.looks.missing.remove(asset)
        } else {
            self.looks.missing.insert(asset.to_owned(), amount)
        };
        self.tell_moved(asset, amount - before.unwrap_or(0), out);
    }

    pub(super) fn tell_ring(&self, asset: &str, amount: i128, is_all: bool, out: &mut Outputs) {
        let found = self.instruments.iter().find_map(|l| {
            let of = &l.instrument;
            let which = if of.base == asset { FeeAsset::Base } else { FeeAsset::Quote };
            (of.base == asset || of.quote == asset).then_some((of.id, which))
        });
        if let Some((instrument, asset)) = found {
            out.push(Output::Command(Command::Account(Account {
                instrument,
                asset,
                amount,
                is_all,
                newest: 0,
            })));
        }
    }
}

/// Tells the ring that trades of the instrument up to this one were seen.
pub(super) fn tell_seen(instrument: InstrumentId, newest: u64, out: &mut Outputs) {
    if newest > 0 {
        let account = Account { instrument, asset: FeeAsset::Base, amount: 0, is_all: false, newest };
        out.push(Output::Command(Command::Account(account)));
    }
}
