//! The order client of Binance's spot account: a state machine without I/O.
//!
//! Owns: which orders there are and how they stand, the sessions to the WebSocket API, the budget, the venue's clock, and
//! what the account should have. Bytes, answers and the time come in ([`Input`]); requests, reports and notices go out
//! ([`Output`]). It has no socket, no clock and no source of chance. What it promises:
//!
//! - an order is sent once, whatever becomes of its answer; one whose answer is lost is asked for until the venue has
//!   said, and `not found` is believed only when it can no longer arrive;
//! - every trade is booked and reported once, in whatever order answers and events come, and however often;
//! - a report says what surely is: an end is reported when all its trades are;
//! - nothing is sent that the budget does not allow, or while the venue wants silence.
//!
//! | file | what it is |
//! | --- | --- |
//! | `message`, `notice`, `settings` | what goes in and comes out |
//! | `answers`, `codes`, `reply`, `event` | what the venue says |
//! | `trading`, `key` | whether orders are taken at all; whether the key is |
//! | `tracked`, `orders`, `adopt` | orders: one, all, those of an earlier run |
//! | `earlier` | what an earlier run left of the account, and what differs from it at the start |
//! | `entry`, `lists`, `standing`, `trades`, `asking` | sending and cancelling, the venue's word on how they stand, trades, questions |
//! | `line`, `flight`, `clock` | writing requests, those under way, the venue's time |
//! | `session`, `untold` | opening, replacing, watching and losing sessions; those that do not tell what they should |
//! | `ledger`, `look`, `looked`, `compare`, `instruments`, `held`, `rescale`, `changes` | what should be there, whether it is, by which rules, and what changed of them |

mod adopt;
mod answers;
mod asking;
mod changes;
mod clock;
mod codes;
mod compare;
mod earlier;
mod entry;
mod event;
mod flight;
mod held;
mod instruments;
mod key;
mod ledger;
mod line;
mod lists;
mod look;
mod looked;
mod message;
mod notice;
mod orders;
mod reply;
mod rescale;
mod session;
mod settings;
mod standing;
#[cfg(test)]
mod tests;
mod tracked;
mod trades;
mod trading;
mod untold;

pub use changes::RuleChange;
pub use codes::{
    Class, Meaning, Reaction, RefusalKind, TABLE, VenueRefusal, is_of_balance, meaning, refusal_words,
};
pub use message::{HttpCall, HttpFailure, HttpId, HttpReply, Input, Output, Outputs, SessionId};
pub use notice::{InstrumentPause, KeyProblem, LocalRefusal, Notice, Paused, SessionEnd};
pub use reply::FRAME_BYTES_MAX;
pub use settings::{ClientSettings, RestUse};
pub use trading::trading_venue;

use super::limits::Budget;
use crate::domain::{ClientOrderId, InstrumentId, InstrumentTable, Order, Time, VenueId};
use crate::security::Credentials;
use entry::{HandedOut, REMOVED_PACE};
use instruments::Instruments;
use ledger::Ledger;
use line::{Line, Route};
use look::Looks;
use orders::Orders;
use session::Sessions;
use std::collections::HashMap;

/// An order placed elsewhere, by instrument and the venue's number.
type Externals = HashMap<(InstrumentId, u64), bool>;

/// See the module.
#[derive(Debug)]
pub struct OrderClient {
    settings: ClientSettings,
    line: Line,
    instruments: Instruments,
    orders: Orders,
    ledger: Ledger,
    sessions: Sessions,
    looks: Looks,
    held_rules: held::HeldRules,
    /// Instruments that stood by, to be traded once their rules were read.
    admitted: Vec<InstrumentId>,
    /// Orders placed elsewhere, and whether they are open.
    externals: Externals,
    /// Trades whose order is not known.
    unclaimed: Vec<trades::Unclaimed>,
    /// Trades that the user stream should tell of yet.
    untold: untold::Untold,
    /// Keys that may not be used; and whether the key was ever taken.
    key_problem: Option<KeyProblem>,
    key_taken: bool,
    /// When what was removed is looked at again, while anything of it is open.
    removed_again: Option<Time>,
    /// How often a key that had been refused was taken again, and no order since.
    key_relapses: u32,
    /// What was last told of whether orders are taken.
    told: Option<Result<(), Paused>>,
    /// The part of a venue that its instruments are of; none where there are none.
    venue: Option<VenueId>,
    /// Whether the ring was told that nothing can be sent there.
    told_suspended: bool,
    /// Until when no order is tried, since one could not be sent for this reason.
    held: (Time, Paused),
    /// Whether that was so at the last poll.
    told_held: bool,
    /// Until when only orders that reduce are tried, since what is left of the rate limit is kept for them.
    rationed: Time,
    /// Whether the ring was told so.
    told_rationed: bool,
    stopped: bool,
    /// The order that was handed out last, where it is not [booked](Self::settle) yet.
    handed_out: Option<HandedOut>,
    /// The last order that was sent, for [`rehearse`](Self::rehearse).
    rehearsed: Option<(Order, ClientOrderId)>,
}

impl OrderClient {
    /// A client of the table's spot instruments. It does nothing until [`Input::Start`].
    #[must_use]
    pub fn new(settings: ClientSettings, table: &InstrumentTable, credentials: Credentials) -> Self {
        let budget = Budget::new(settings.budget, &settings.limits);
        let clock = clock::VenueClock::new(settings.clock_error_max, settings.clock_every.saturating_mul(10));
        let line = Line::new(credentials, budget, clock, settings.recv_window, settings.request_timeout);
        Self {
            line,
            instruments: Instruments::new(table),
            orders: Orders::new(settings.orders_max, settings.remember),
            ledger: Ledger::default(),
            sessions: Sessions::new(&settings),
            looks: Looks::default(),
            held_rules: held::HeldRules::default(),
            admitted: Vec::new(),
            externals: Externals::new(),
            unclaimed: Vec::new(),
            untold: untold::Untold::new(),
            key_problem: None,
            key_taken: false,
            key_relapses: 0,
            removed_again: None,
            told: None,
            venue: trading_venue(table),
            told_suspended: false,
            held: (Time(0), Paused::Limits),
            told_held: false,
            rationed: Time(0),
            told_rationed: false,
            stopped: true,
            handed_out: None,
            rehearsed: None,
            settings,
        }
    }

    /// The API key, for the header `X-MBX-APIKEY`.
    #[must_use]
    pub fn api_key(&self) -> &crate::security::ApiKey {
        &self.line.credentials.api_key
    }

    /// Takes in what happened at `now`, by a clock of ours that nobody sets; what is to be done is appended to `out`.
    pub fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outputs) {
        self.settle();
        match input {
            Input::Start => self.start(now, out),
            Input::Stop => self.stop(out),
            Input::Adopt { state, client_id, booked } => {
                return self.adopt(now, state, client_id, booked, out);
            }
            Input::AdoptOver { state, client_id } => return self.adopt_over(now, state, client_id, out),
            Input::Left { account, cut, newest } => return self.earlier_left(account, cut, newest),
            Input::Place { order, client_id } => return self.place(now, order, client_id, out),
            Input::PlacePair { legs } => return self.place_pair(now, legs, out),
            Input::Cancel { order, client_id } => return self.cancel(now, order, client_id, out),
            Input::CancelAll { instrument } => self.cancel_all(now, instrument, out),
            Input::AddInstrument(instrument) => {
                if self.instruments.add(instrument) && self.looks.learn_trades_of(instrument.id) {
                    self.instruments.hold(instrument.id, InstrumentPause::Starting, out);
                }
                self.looks.read_info(now);
            }
            Input::StandBy(id) => self.instruments.hold(id, InstrumentPause::Standby, out),
            Input::Admit(id) => {
                self.admitted.push(id);
                self.looks.read_info(now);
            }
            Input::Pause(id) => self.instruments.hold(id, InstrumentPause::Paused, out),
            Input::Resume(id) => {
                self.take_over(id);
                self.instruments.resume(id, out);
            }
            Input::Unpause(id) => self.instruments.unpause(id, out),
            Input::LookedAt(id) => {
                self.take_over(id);
                self.instruments.looked_at(id, out);
            }
            Input::RemoveInstrument(id) => {
                self.instruments.hold(id, InstrumentPause::Removed, out);
                self.cancel_all(now, Some(id), out);
                self.removed_again = Some(now.plus(REMOVED_PACE));
            }
            Input::SessionOpened(session) => self.session_opened(now, session, out),
            Input::SessionClosed(session) => self.session_closed(now, session, out),
            Input::SessionFrame(session, frame) => self.session_frame(now, session, frame, out),
            Input::HttpReply { id, answer } => self.http_reply(now, id, answer, out),
        }
        self.poll(now, out);
    }

    /// Does what is due by `now`.
    pub fn poll(&mut self, now: Time, out: &mut Outputs) {
        self.settle();
        while let Some(request) = self.line.flight.take_overdue(now) {
            self.lost(now, request, out);
        }
        if !self.stopped {
            self.poll_untold(now, out);
            self.poll_sessions(now, out);
            self.poll_looks(now, out);
        }
        self.poll_removed(now, out);
        self.poll_orders(now, out);
        self.orders.forget_old(now);
        self.tell_trading(now, out);
    }

    /// When [`poll`](Self::poll) has something to do next; earlier at worst.
    #[must_use]
    pub fn next_deadline(&self) -> Time {
        let mut next = self.line.flight.next_due().min(self.orders.next_due()).min(self.orders_due());
        next = self.removed_again.map_or(next, |again| next.min(again));
        if let Some(order) = &self.handed_out {
            next = next.min(order.due(self.line.request_timeout));
        }
        if !self.stopped {
            next = next.min(self.sessions_due()).min(self.untold_due()).min(self.looks_due());
            if matches!(self.told, Some(Ok(()))) {
                next = next.min(self.line.clock.trusted_until().plus_nanos(1));
            }
            if self.told_held {
                next = next.min(self.held.0);
            }
            if self.told_rationed {
                next = next.min(self.rationed);
            }
        }
        next
    }

    /// What the account should have of an asset, free and locked together, in units of 10^-18.
    #[must_use]
    pub fn balance(&self, asset: &str) -> i128 {
        self.ledger.amount(asset)
    }

    /// Orders that are not over, and how many of these are not known to be live.
    #[must_use]
    pub fn open_orders(&self) -> (usize, usize) {
        let unknown = self.orders.unfinished().filter(|(_, order)| order.phase == tracked::Phase::Unknown);
        let handed_out = usize::from(self.handed_out.is_some());
        (self.orders.unfinished().count() + handed_out, unknown.count())
    }

    /// Whether something of an order is under way: its answer, its cancel's, or trades that it is known to have.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let waits = |order: &tracked::Tracked| {
            order.phase != tracked::Phase::Open
                || order.cancel != tracked::CancelState::No
                || order.lacks_fills()
        };
        self.handed_out.is_some() || self.orders.unfinished().any(|(_, order)| waits(order))
    }

    /// Orders placed elsewhere that are open.
    #[must_use]
    pub fn external_orders(&self) -> usize {
        self.externals.values().filter(|open| **open).count()
    }

    /// How often the venue said that we ask too much. Zero in normal work.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.line.budget.refusals()
    }

    fn start(&mut self, now: Time, out: &mut Outputs) {
        self.stopped = false;
        self.looks.start(now, self.settings.check_key);
        self.sessions.wanted(now);
        self.tell_trading(now, out);
    }

    fn take_over(&mut self, id: InstrumentId) {
        let Some(listed) = self.instruments.get(id) else { return };
        if listed.is_held_for(InstrumentPause::Difference) {
            // A person has looked: the venue's numbers count, of what this instrument is of.
            self.looks.adopt_of([&listed.instrument.base, &listed.instrument.quote]);
        }
    }

    fn stop(&mut self, out: &mut Outputs) {
        self.stopped = true;
        self.sessions.close_all(out);
    }

    /// A way to ask something: a session that is ready, or HTTP.
    fn query_route(&self) -> Route {
        self.sessions.route().unwrap_or(Route::Http)
    }

    /// A way to send an order or a cancel.
    fn order_route(&self) -> Result<Route, LocalRefusal> {
        match self.settings.rest {
            RestUse::Always => Ok(Route::Http),
            RestUse::Fallback => Ok(self.query_route()),
            RestUse::Never => self.sessions.route().ok_or(LocalRefusal::NoConnection),
        }
    }
}
