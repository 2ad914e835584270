//! Looking at the venue: its clock, its rules, the key's rights, and whether the account is as it should be.
//!
//! Owns: when to ask what, and what follows from the answers. A look is stages of questions; those of a stage go out
//! together, as the budget lets them, and are asked again until answered.
//!
//! | look | asks | then |
//! | --- | --- | --- |
//! | start | balances, trades and open orders, balances | if nothing moved between, these are the numbers to start from; after an earlier run, to compare with what it left |
//! | gap | open orders, trades since the last that is surely booked, balances | every fill is known |
//! | routine | open orders, balances; of assets that differ, trades | a difference that stays halts the asset's instruments |

use super::super::limits::{Cost, NotNow};
use super::super::request::Request;
use super::OrderClient;
use super::earlier::Earlier;
use super::flight::Asked;
use super::instruments::Listed;
use super::line::{Form, Sending};
use super::message::Outputs;
use super::notice::{InstrumentPause, LocalRefusal, Notice};
use super::reply::Reply;
use crate::domain::{InstrumentId, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Pause before a question that went wrong is asked again, or a look that saw something move is repeated.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
/// The longest pause before `exchangeInfo` is asked for again that went wrong: they double from [`AGAIN`].
const INFO_AGAIN_MAX: Duration = Duration::from_secs(60);
/// Between two readings of `exchangeInfo` for the sake of refusals.
const INFO_PAUSE: Duration = Duration::from_secs(5);
/// Weights.
const OPEN_WEIGHT: u32 = 6;
const OPEN_ALL_WEIGHT: u32 = 80;
const ACCOUNT_WEIGHT: u32 = 20;
const TRADES_WEIGHT: u32 = 20;
pub(super) const INFO_WEIGHT: u32 = 20;
const INFO_PATH: &str = "/api/v3/exchangeInfo";
/// Trades in one answer.
pub(super) const TRADES_LIMIT: u16 = 1_000;
/// The venue has no such symbol.
pub(super) const NO_SUCH_SYMBOL: i32 = -1121;
/// Symbols named in one `exchangeInfo`; of more, everything is asked for.
pub(super) const SYMBOLS_NAMED_MAX: usize = 100;

/// What `exchangeInfo` is asked for. The venue refuses a list whole for one symbol in it that it does not have (−1121), and
/// does not say for which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// Every instrument by name: one that was not listed may be again.
    All,
    /// Those that were listed.
    Listed,
    /// Everything there is, without a name: what is missing is not listed.
    Everything,
}

/// Why a look is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Gap,
    Routine,
}

#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) asked: Asked,
    pub(super) due: Time,
    pub(super) under_way: bool,
}

#[derive(Debug)]
pub(super) struct Look {
    pub(super) kind: Kind,
    /// When it began: answers to what was asked before are not its own.
    pub(super) began: Time,
    pub(super) now: Vec<Question>,
    pub(super) then: VecDeque<Vec<Asked>>,
    /// Balances at the start's beginning, and what had been counted by then.
    pub(super) first: Option<BTreeMap<String, i128>>,
    pub(super) activity: u64,
    /// Fills that it brought.
    pub(super) fills: u64,
    /// The newest trade of each instrument before it, which a clean look proves complete.
    pub(super) newest: Vec<(InstrumentId, u64)>,
}

/// A question that is asked again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Routine {
    pub(super) due: Time,
    pub(super) under_way: bool,
}

impl Routine {
    pub(super) const NEVER: Self = Self { due: Time(u64::MAX), under_way: false };
}

/// See the module.
#[derive(Debug)]
pub struct Looks {
    clock: Routine,
    info: Routine,
    pub(super) rights: Routine,
    pub(super) rights_known: bool,
    /// The venue has no such question.
    pub(super) rights_unknowable: bool,
    /// Whether a key that was refused is taken again.
    pub(super) key: Routine,
    /// The rights are asked for once more, for the sake of such a key.
    pub(super) key_rights: bool,
    /// Whether requests could be dated at the last poll: before, nothing signed is asked.
    dated: bool,
    info_known: bool,
    naming: Naming,
    /// How often in a row it went wrong.
    info_failures: u32,
    /// When it was last read.
    info_at: Time,
    /// The venue refused something for its rules since.
    info_doubted: bool,
    pub(super) started: bool,
    pub(super) look: Option<Look>,
    /// When the next routine look is due.
    pub(super) next: Time,
    /// The stream had a gap that was not looked at.
    pub(super) gap: bool,
    /// A difference that stays is to be taken over: it comes from trading elsewhere.
    pub(super) adopt: bool,
    /// The same of these assets alone: a person has looked at what they halted.
    pub(super) looked_at: BTreeSet<String>,
    /// What differed at the last look: venue less ours.
    pub(super) differences: BTreeMap<String, i128>,
    /// What all that the venue had cut by then stays below, by asset.
    pub(super) cuts: BTreeMap<String, i128>,
    /// What the ring was told to be missing of an asset, below zero, while nobody has looked at what differs.
    pub(super) missing: BTreeMap<String, i128>,
    /// Looks in a row that found a difference.
    pub(super) differing: u32,
    /// Instruments whose trades were never looked at.
    pub(super) unlearnt: Vec<InstrumentId>,
    /// What an earlier run left, until the account was compared with it.
    pub(super) earlier: Option<Earlier>,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            clock: Routine::NEVER,
            info: Routine::NEVER,
            rights: Routine::NEVER,
            rights_known: false,
            rights_unknowable: false,
            key: Routine::NEVER,
            key_rights: false,
            dated: false,
            info_known: false,
            naming: Naming::All,
            info_failures: 0,
            info_at: Time(0),
            info_doubted: false,
            started: false,
            look: None,
            next: Time(u64::MAX),
            gap: false,
            adopt: false,
            looked_at: BTreeSet::new(),
            differences: BTreeMap::new(),
            cuts: BTreeMap::new(),
            missing: BTreeMap::new(),
            differing: 0,
            unlearnt: Vec::new(),
            earlier: None,
        }
    }
}

impl Looks {
    pub fn start(&mut self, now: Time, check_key: bool) {
        let due = Routine { due: now, under_way: false };
        (self.clock, self.info) = (due, due);
        self.rights_known = !check_key;
        self.rights = if check_key { due } else { Routine::NEVER };
    }

    /// Whether everything was looked at once.
    pub fn is_started(&self) -> bool {
        self.started && self.info_known && self.rights_known
    }

    pub fn read_info(&mut self, now: Time) {
        self.info.due = self.info.due.min(now);
    }

    /// The venue refused something for its rules, so they may have changed: reads them, but not without end.
    pub fn doubt_info(&mut self, now: Time) {
        self.info_doubted = true;
        self.read_info(now.max(self.info_at.plus(INFO_PAUSE)));
    }

    /// Asks for the newest trade of an instrument that was added; false where the look at the start does that.
    pub fn learn_trades_of(&mut self, instrument: InstrumentId) -> bool {
        if self.started {
            self.unlearnt.push(instrument);
            self.next = Time(0);
        }
        self.started
    }

    /// It was read; whether that was for the sake of a refusal.
    pub fn info_read(&mut self, now: Time, every: Duration) -> bool {
        self.info_known = true;
        (self.naming, self.info_failures) = (Naming::All, 0);
        self.info_at = now;
        self.info = Routine { due: now.plus(every), under_way: false };
        std::mem::take(&mut self.info_doubted)
    }

    pub fn info_failed(&mut self, now: Time) {
        let pause = AGAIN.saturating_mul(1 << self.info_failures.min(16)).min(INFO_AGAIN_MAX);
        self.info_failures = self.info_failures.saturating_add(1);
        self.info = Routine { due: now.plus(pause), under_way: false };
    }

    /// The venue does not have one of the symbols that it was asked for by name. Whether there is another way to ask, which
    /// is gone at once.
    fn name_fewer(&mut self, now: Time, any_gone: bool) -> bool {
        self.naming = match self.naming {
            Naming::All if any_gone => Naming::Listed,
            Naming::All | Naming::Listed => Naming::Everything,
            Naming::Everything => return false,
        };
        self.info = Routine { due: now, under_way: false };
        true
    }

    pub fn measure_clock(&mut self, now: Time) {
        self.clock.due = self.clock.due.min(now);
    }

    pub fn clock_measured(&mut self, now: Time, trusted: bool, every: Duration) {
        self.clock = Routine { due: now.plus(if trusted { every } else { AGAIN }), under_way: false };
    }

    pub fn clock_failed(&mut self, now: Time) {
        self.clock = Routine { due: now.plus(AGAIN), under_way: false };
    }

    /// The user stream broke off: what it would have told has to be asked for once it is back.
    pub fn stream_lost(&mut self) {
        self.gap = true;
        // What is being looked at would miss what the stream does not tell meanwhile.
        self.look = None;
    }

    pub fn stream_back(&mut self, now: Time) {
        self.next = now;
    }

    /// Takes the venue's numbers over where they stay different.
    pub fn adopt(&mut self) {
        self.adopt = true;
    }

    /// Takes them over where they stay different in one of these assets.
    pub fn adopt_of(&mut self, assets: [&str; 2]) {
        self.looked_at.extend(assets.map(str::to_owned));
    }
}

impl OrderClient {
    /// Asks what is due.
    pub(super) fn poll_looks(&mut self, now: Time, out: &mut Outputs) {
        if self.looks.clock.due <= now && !self.looks.clock.under_way {
            let sent = self.ask_venue(now, Asked::Clock, Form::Clock, 1, out);
            self.looks.clock = routine(now, sent);
        }
        if self.looks.info.due <= now && !self.looks.info.under_way {
            let target = self.info_target();
            let sent = self.ask_http(now, Asked::Info, Form::Plain(&target), INFO_WEIGHT, out);
            self.looks.info = routine(now, sent);
        }
        self.poll_held(now, out);
        self.looks.dated = self.line.clock.trusted(now);
        if self.looks.dated {
            if self.looks.rights.due <= now && !self.looks.rights.under_way {
                let form = Form::Signed("/sapi/v1/account/apiRestrictions");
                let sent = self.ask_http(now, Asked::Restrictions, form, 1, out);
                self.looks.rights = routine(now, sent);
            }
            if self.looks.key.due <= now && !self.looks.key.under_way {
                // By HTTP, where each request is signed: a session that is logged on says nothing of the key.
                let request = Request::Account { omit_zero: true };
                let form = Form::Request(&request);
                let sent = self.ask_http(now, Asked::Key, form, ACCOUNT_WEIGHT, out);
                self.looks.key = routine(now, sent);
            }
            if self.looks.look.is_none() && self.looks.next <= now && self.sessions.is_streaming() {
                self.begin_look(now, out);
            }
            self.ask_questions(now, out);
        }
    }

    fn info_target(&self) -> String {
        let all = self.looks.naming == Naming::All;
        let named = self.instruments.iter().filter(|listed| all || !listed.is_gone());
        let symbols: Vec<&str> = named.map(|listed| listed.instrument.symbol.as_str()).collect();
        let named = Some(&symbols).filter(|_| self.looks.naming != Naming::Everything);
        named.and_then(|symbols| target_of(symbols)).unwrap_or_else(|| INFO_PATH.to_owned())
    }

    /// `exchangeInfo` was refused, or not answered.
    pub(super) fn info_refused(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        let gone = self.instruments.iter().any(Listed::is_gone);
        if !(reply.code() == NO_SUCH_SYMBOL && self.looks.name_fewer(now, gone)) {
            out.notice(Notice::QueryFailed { what: Asked::Info.label(), code: reply.code() });
            self.looks.info_failed(now);
        }
    }

    /// The venue does not have the symbol that it was asked about, so there is nothing to look at.
    pub(super) fn not_listed(&mut self, now: Time, id: InstrumentId, out: &mut Outputs) {
        self.instruments.not_listed(id, out);
        self.learn_later(id, out);
        self.looks.doubt_info(now);
        self.watch_held(now);
    }

    /// The start's look passes over this instrument: its newest trade is asked for once it is listed.
    fn learn_later(&mut self, id: InstrumentId, out: &mut Outputs) {
        if !self.looks.started && !self.looks.unlearnt.contains(&id) {
            self.looks.unlearnt.push(id);
            self.instruments.hold(id, InstrumentPause::Starting, out);
        }
    }

    fn ask_venue(
        &mut self,
        now: Time,
        asked: Asked,
        form: Form<'_>,
        weight: u32,
        out: &mut Outputs,
    ) -> Result<(), Time> {
        let sending = Sending { asked, cost: Cost::query(weight), activity: self.ledger.activity() };
        let route = self.query_route();
        let sent = self.line.send(route, form, sending, now, out);
        sent.map_err(|why| self.later(now, &why))
    }

    pub(super) fn ask_http(
        &mut self,
        now: Time,
        asked: Asked,
        form: Form<'_>,
        weight: u32,
        out: &mut Outputs,
    ) -> Result<(), Time> {
        let sending = Sending { asked, cost: Cost::query(weight), activity: self.ledger.activity() };
        let sent = self.line.send(super::Route::Http, form, sending, now, out);
        sent.map_err(|why| self.later(now, &why))
    }

    fn later(&self, now: Time, why: &LocalRefusal) -> Time {
        match why {
            LocalRefusal::Budget(why @ (NotNow::UsedUp { .. } | NotNow::Blocked { .. })) => {
                why.until(now).max(now.plus_nanos(1_000_000))
            }
            _ => now.plus(AGAIN),
        }
    }

    fn begin_look(&mut self, began: Time, out: &mut Outputs) {
        let kind = match (self.looks.started, self.looks.gap) {
            (false, _) => Kind::Start,
            (true, true) => Kind::Gap,
            (true, false) => Kind::Routine,
        };
        // Those with orders first: their fills matter most.
        let (gone, listed): (Vec<_>, Vec<_>) = self.instruments.iter().partition(|l| l.is_gone());
        let [gone, mut ids] = [gone, listed].map(|of| of.iter().map(|l| l.instrument.id).collect::<Vec<_>>());
        let busy: Vec<InstrumentId> = self.orders.unfinished().map(|(_, o)| o.order.instrument).collect();
        ids.sort_by_key(|id| !busy.contains(id));
        gone.into_iter().for_each(|id| self.learn_later(id, out));
        let open = if !ids.is_empty() && ids.len() as u32 * OPEN_WEIGHT <= OPEN_ALL_WEIGHT {
            ids.iter().map(|id| Asked::OpenOrders(Some(*id))).collect()
        } else {
            vec![Asked::OpenOrders(None)]
        };
        let trades = |ids: &[InstrumentId]| ids.iter().map(|id| Asked::Trades(*id)).collect::<Vec<_>>();
        let stages: Vec<Vec<Asked>> = match kind {
            Kind::Start => {
                vec![vec![Asked::Account], [trades(&ids), open].concat(), vec![Asked::Account]]
            }
            Kind::Gap => vec![[open, trades(&ids)].concat(), vec![Asked::Account]],
            Kind::Routine => {
                let differing = ids.iter().filter(|id| self.differs(**id)).copied();
                let mut wanted: Vec<InstrumentId> = differing.collect();
                wanted.extend(self.looks.unlearnt.iter().filter(|id| ids.contains(id)));
                vec![[open, trades(&wanted)].concat(), vec![Asked::Account]]
            }
        };
        let newest = ids.iter().map(|id| (*id, self.ledger.newest(*id))).collect();
        let mut then: VecDeque<Vec<Asked>> = stages.into();
        let now = questions(then.pop_front().unwrap_or_default());
        let activity = self.ledger.activity();
        self.looks.look = Some(Look { kind, began, now, then, first: None, activity, fills: 0, newest });
    }

    fn differs(&self, id: InstrumentId) -> bool {
        self.instruments.get(id).is_some_and(|listed| {
            let of = &listed.instrument;
            self.looks.differences.contains_key(&of.base) || self.looks.differences.contains_key(&of.quote)
        })
    }

    fn ask_questions(&mut self, now: Time, out: &mut Outputs) {
        let Some(mut look) = self.looks.look.take() else { return };
        for question in &mut look.now {
            if question.under_way || question.due > now {
                continue;
            }
            let sent = self.ask_question(now, look.kind, question.asked, out);
            question.under_way = sent.is_ok();
            if let Err(later) = sent {
                question.due = later;
                // What is after it would only be refused, too.
                break;
            }
        }
        self.looks.look = Some(look);
    }

    fn ask_question(&mut self, now: Time, kind: Kind, asked: Asked, out: &mut Outputs) -> Result<(), Time> {
        let sending = |cost| Sending { asked, cost: Cost::query(cost), activity: self.ledger.activity() };
        let route = self.query_route();
        let (request, weight) = match asked {
            Asked::OpenOrders(None) => (Request::OpenOrders { instrument: None }, OPEN_ALL_WEIGHT),
            Asked::OpenOrders(Some(id)) => {
                let Some(listed) = self.instruments.get(id) else { return Ok(()) };
                (Request::OpenOrders { instrument: Some(&listed.instrument) }, OPEN_WEIGHT)
            }
            Asked::Trades(id) => {
                let Some(listed) = self.instruments.get(id) else { return Ok(()) };
                let known = self.ledger.missing_from(id);
                let unlearnt = self.looks.unlearnt.contains(&id);
                let first = kind == Kind::Start || unlearnt;
                // At the start the newest trade says all: what is before it is in the balances.
                // After an earlier run, what came since tells what it does not know.
                let earlier = self.looks.earlier.as_ref().filter(|_| kind == Kind::Start);
                let (from_id, limit) = match earlier.and_then(|earlier| earlier.missing_from(id)) {
                    Some(from) => (Some(from), TRADES_LIMIT),
                    None if first => (None, 1),
                    None => (Some(known), TRADES_LIMIT),
                };
                let instrument = &listed.instrument;
                (Request::Trades { instrument, order_id: None, from_id, limit: Some(limit) }, TRADES_WEIGHT)
            }
            _ => (Request::Account { omit_zero: true }, ACCOUNT_WEIGHT),
        };
        let sending = sending(weight);
        let sent = self.line.send(route, Form::Request(&request), sending, now, out);
        sent.map_err(|why| self.later(now, &why))
    }

    /// When something is due to be asked.
    pub(super) fn looks_due(&self) -> Time {
        let never = Time(u64::MAX);
        let routines = [self.looks.clock, self.looks.info, self.held_rules.routine];
        let routines = routines.iter().filter(|r| !r.under_way).map(|r| r.due).min().unwrap_or(never);
        if !self.looks.dated {
            return routines;
        }
        let signed = [self.looks.rights, self.looks.key];
        let rights = signed.iter().filter(|r| !r.under_way).map(|r| r.due).min().unwrap_or(never);
        let questions = self.looks.look.iter().flat_map(|look| &look.now);
        let questions = questions.filter(|q| !q.under_way).map(|q| q.due).min().unwrap_or(never);
        let idle = self.looks.look.is_none() && self.sessions.is_streaming();
        let next = if idle { self.looks.next } else { never };
        routines.min(rights).min(questions).min(next)
    }
}

pub(super) fn question(asked: Asked, due: Time) -> Question {
    Question { asked, due, under_way: false }
}

pub(super) fn questions(asked: Vec<Asked>) -> Vec<Question> {
    asked.into_iter().map(|asked| question(asked, Time(0))).collect()
}

/// What `exchangeInfo` of these symbols is asked for by; none where they cannot be named, or are too many.
pub(super) fn target_of(symbols: &[&str]) -> Option<String> {
    // A JSON list, percent-encoded; symbols that need more than that are asked for with everything else.
    let plain = |s: &&str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    let named = (1..=SYMBOLS_NAMED_MAX).contains(&symbols.len()) && symbols.iter().all(plain);
    named.then(|| format!("{INFO_PATH}?symbols=%5B%22{}%22%5D", symbols.join("%22%2C%22")))
}

pub(super) fn routine(now: Time, sent: Result<(), Time>) -> Routine {
    match sent {
        Ok(()) => Routine { due: now, under_way: true },
        Err(due) => Routine { due, under_way: false },
    }
}
