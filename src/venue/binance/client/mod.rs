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
//! | `codes`, `reply`, `event` | what the venue says |
//! | `tracked`, `orders`, `entry`, `adopt` | orders: one, all, what is asked and answered for them, those of an earlier run |
//! | `line`, `flight`, `clock` | writing requests, those under way, the venue's time |
//! | `session` | opening, replacing, watching and losing sessions |
//! | `ledger`, `look`, `instruments`, `rescale` | what should be there, whether it is, and by which rules |

mod adopt;
mod clock;
mod codes;
mod entry;
mod event;
mod flight;
mod instruments;
mod ledger;
mod line;
mod look;
mod message;
mod notice;
mod orders;
mod reply;
mod rescale;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod tracked;

pub use codes::{Class, Meaning, Reaction, RefusalKind, TABLE, VenueRefusal, meaning};
pub use message::{HttpCall, HttpFailure, HttpId, HttpReply, Input, Output, Outputs, SessionId};
pub use notice::{InstrumentPause, KeyProblem, LocalRefusal, Notice, Paused, SessionEnd};
pub use reply::FRAME_BYTES_MAX;
pub use settings::{ClientSettings, RestUse};

use super::exchange_info::{ExchangeInfo, InfoError};
use super::limits::{Budget, TooMuch};
use crate::domain::{InstrumentTable, Time};
use crate::security::Credentials;
use codes::Reaction as React;
use flight::{Asked, InFlight, Way};
use instruments::Instruments;
use ledger::Ledger;
use line::{Line, Route};
use look::Looks;
use orders::Orders;
use reply::Reply;
use serde_json::Value;
use session::Sessions;
use std::collections::HashMap;

/// An order placed elsewhere, by instrument and the venue's number.
type Externals = HashMap<(crate::domain::InstrumentId, u64), bool>;

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
    /// Orders placed elsewhere, and whether they are open.
    externals: Externals,
    /// Trades whose order is not known.
    unclaimed: Vec<entry::Unclaimed>,
    /// Keys that may not be used; and whether the key was ever taken.
    key_problem: Option<KeyProblem>,
    key_taken: bool,
    /// What was last told of whether orders are taken.
    told: Option<Result<(), Paused>>,
    stopped: bool,
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
            externals: Externals::new(),
            unclaimed: Vec::new(),
            key_problem: None,
            key_taken: false,
            told: None,
            stopped: true,
            settings,
        }
    }

    /// The API key, for the header `X-MBX-APIKEY`.
    #[must_use]
    pub fn api_key(&self) -> &crate::security::ApiKey {
        &self.line.credentials.api_key
    }

    /// Takes in what happened at `now`, our wall clock's time; what is to be done is appended to `out`.
    pub fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Outputs) {
        match input {
            Input::Start => self.start(now, out),
            Input::Stop => self.stop(out),
            Input::Adopt { state, client_id, booked } => {
                return self.adopt(now, state, client_id, booked, out);
            }
            Input::Place { order, client_id } => return self.place(now, order, client_id, out),
            Input::Cancel { order, client_id } => return self.cancel(now, order, client_id, out),
            Input::CancelAll { instrument } => self.cancel_all(now, instrument, out),
            Input::AddInstrument(instrument) => {
                if self.instruments.add(instrument) && self.looks.learn_trades_of(instrument.id) {
                    self.instruments.pause(instrument.id, Some(InstrumentPause::Starting), out);
                }
                self.looks.read_info(now);
            }
            Input::Pause(id) => self.instruments.pause(id, Some(InstrumentPause::Paused), out),
            Input::Resume(id) => self.resume(id, out),
            Input::RemoveInstrument(id) => {
                self.instruments.pause(id, Some(InstrumentPause::Removed), out);
                self.cancel_all(now, Some(id), out);
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
        while let Some(request) = self.line.flight.take_overdue(now) {
            self.lost(now, request, out);
        }
        if !self.stopped {
            self.poll_sessions(now, out);
            self.poll_looks(now, out);
        }
        self.poll_orders(now, out);
        self.orders.forget_old(now);
        self.tell_trading(now, out);
    }

    /// When [`poll`](Self::poll) has something to do next; earlier at worst.
    #[must_use]
    pub fn next_deadline(&self) -> Time {
        let mut next = self.line.flight.next_due().min(self.orders.next_due()).min(self.orders_due());
        if !self.stopped {
            next = next.min(self.sessions_due()).min(self.looks_due());
            if matches!(self.told, Some(Ok(()))) {
                next = next.min(self.line.clock.trusted_until().plus_nanos(1));
            }
        }
        next
    }

    /// Whether orders are taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn trading(&self, now: Time) -> Result<(), Paused> {
        if self.stopped {
            Err(Paused::Stopped)
        } else if self.key_problem.is_some() {
            Err(Paused::Key)
        } else if !self.looks.is_started() {
            Err(Paused::Starting)
        } else if !self.line.clock.trusted(now) {
            Err(Paused::Clock)
        } else {
            Ok(())
        }
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
        (self.orders.unfinished().count(), unknown.count())
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

    fn resume(&mut self, id: crate::domain::InstrumentId, out: &mut Outputs) {
        match self.instruments.get(id).and_then(|listed| listed.pause) {
            // Its trades are being looked at: it resumes by itself.
            Some(InstrumentPause::Starting) => return,
            // A person has looked: the venue's numbers count.
            Some(InstrumentPause::Difference) => self.looks.adopt(),
            _ => {}
        }
        self.instruments.resume(id, out);
    }

    fn stop(&mut self, out: &mut Outputs) {
        self.stopped = true;
        self.sessions.close_all(out);
    }

    fn tell_trading(&mut self, now: Time, out: &mut Outputs) {
        let trading = self.trading(now);
        if self.told != Some(trading) {
            self.told = Some(trading);
            out.notice(match trading {
                Ok(()) => Notice::Trading,
                Err(why) => Notice::Paused(why),
            });
        }
    }

    fn http_reply(
        &mut self,
        now: Time,
        id: HttpId,
        answer: Result<HttpReply<'_>, HttpFailure>,
        out: &mut Outputs,
    ) {
        let Some(request) = self.line.flight.take(id.0) else {
            // Given up on. What it says of the request comes too late; a ban that it tells of does not.
            if let Ok(reply) = answer {
                self.obey_ban(now, &Reply::http(&reply), out);
            }
            return;
        };
        if request.way != Way::Http {
            return;
        }
        match answer {
            Ok(reply) if request.asked == Asked::Info && reply.status == 200 => {
                self.info(now, request, &reply, out);
            }
            Ok(reply) => self.answered(now, request, Reply::http(&reply), out),
            Err(HttpFailure::NotSent) => self.not_sent(now, request, out),
            Err(HttpFailure::Lost | HttpFailure::TooLarge) => self.lost(now, request, out),
        }
    }

    /// An answer to `request`: counts first, then what it says.
    fn answered(&mut self, now: Time, request: InFlight, reply: Reply, out: &mut Outputs) {
        let InFlight { asked, way, sent, activity, permit } = request;
        let venue_now = self.line.clock.venue_time(now);
        self.line.budget.answered(permit, &reply.told, venue_now);
        self.obey_ban(now, &reply, out);
        if reply.result.is_err() {
            match reply.meaning().reaction {
                React::Resync => {
                    self.line.clock.distrust();
                    self.looks.measure_clock(now);
                    out.notice(Notice::ClockRefused);
                }
                React::Stop if self.line.budget.blocked_until() <= venue_now => self.key_refused(&reply, out),
                _ => {}
            }
        }
        match asked {
            Asked::Place(key) => self.placed(now, key, &reply, out),
            Asked::Cancel(key) => self.canceled(now, key, &reply, out),
            Asked::CancelAll(instrument) => self.canceled_all(now, instrument, sent, &reply, out),
            Asked::Status(key) => self.status(now, key, sent, &reply, out),
            Asked::OrderTrades(key) => self.order_trades(now, key, &reply, out),
            Asked::Logon | Asked::Subscribe | Asked::Clock => {
                self.session_answer(now, asked, way, sent, &reply, out);
            }
            Asked::Info | Asked::Restrictions | Asked::OpenOrders(_) | Asked::Account | Asked::Trades(_) => {
                self.looked(now, asked, sent, activity, reply, out)
            }
        }
    }

    /// No answer will come, and the request may have arrived.
    fn lost(&mut self, now: Time, request: InFlight, out: &mut Outputs) {
        self.answered(now, request, Reply::none(), out);
    }

    /// Not a byte was sent.
    fn not_sent(&mut self, now: Time, request: InFlight, out: &mut Outputs) {
        if let Asked::Place(key) = request.asked {
            let venue_now = self.line.clock.venue_time(now);
            self.line.budget.lost(request.permit, venue_now);
            self.refuse_here(now, key, LocalRefusal::NoConnection, out);
        } else {
            self.lost(now, request, out);
        }
    }

    fn obey_ban(&mut self, now: Time, reply: &Reply, out: &mut Outputs) {
        if let Some(too_much) = reply.too_much() {
            self.too_much(now, too_much, out);
        }
    }

    fn too_much(&mut self, now: Time, too_much: TooMuch, out: &mut Outputs) {
        let before = self.line.budget.blocked_until();
        self.line.budget.refused(too_much, self.line.clock.venue_time(now));
        let blocked = self.line.budget.blocked_until();
        if blocked != before {
            let until = match too_much.retry {
                super::limits::Retry::After(seconds) => {
                    now.plus(std::time::Duration::from_secs(seconds.min(4 * 86_400)))
                }
                _ => self.line.clock.local_time(blocked),
            };
            self.line.silent_until = self.line.silent_until.max(until);
        }
        let until = self.line.clock.local_time(blocked);
        out.notice(Notice::TooMuch { status: too_much.status, until });
    }

    fn key_refused(&mut self, reply: &Reply, out: &mut Outputs) {
        let refusal = reply.refusal();
        // A ban is answered so, too, as seen from outside the documentation; it ends by itself.
        let address = refusal.message.split_once("request ip: ").map(|(_, rest)| rest.trim().to_owned());
        let problem = match refusal.code {
            -2014 => KeyProblem::NotAKey,
            -1022 => KeyProblem::BadSignature,
            -2015 if self.key_taken => KeyProblem::RefusedNow { address },
            -2015 => KeyProblem::Refused { address },
            code => KeyProblem::Unauthorised { code },
        };
        self.stop_for_key(problem, out);
    }

    fn stop_for_key(&mut self, problem: KeyProblem, out: &mut Outputs) {
        if self.key_problem.is_none() {
            out.notice(Notice::Key(problem.clone()));
            self.key_problem = Some(problem);
        }
    }

    fn info(&mut self, now: Time, request: InFlight, reply: &HttpReply<'_>, out: &mut Outputs) {
        let counts = Reply::http(&HttpReply { body: b"{}", ..*reply });
        let venue_now = self.line.clock.venue_time(now);
        self.line.budget.answered(request.permit, &counts.told, venue_now);
        let instruments = &self.instruments;
        let wanted = |symbol: &str| instruments.find(symbol).is_some();
        let read: Result<ExchangeInfo, InfoError> =
            ExchangeInfo::read_wanted(reply.body, self.settings.fees, &wanted);
        match read {
            Ok(info) => {
                self.line.budget.learn(&info.rate_limits);
                self.instruments.learn(info, out);
                self.looks.info_read(now, self.settings.info_every);
            }
            Err(_) => {
                out.notice(Notice::Unreadable { bytes: reply.body.len(), what: "exchangeInfo" });
                self.looks.info_failed(now);
            }
        }
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

    /// One whole text message of a session.
    fn session_frame(&mut self, now: Time, session: SessionId, frame: &[u8], out: &mut Outputs) {
        if !self.sessions.heard(session, now) {
            return;
        }
        let read = (frame.len() <= FRAME_BYTES_MAX).then(|| serde_json::from_slice::<Value>(frame).ok());
        let Some(Some(frame_value)) = read else {
            return self.unreadable(now, session, frame.len(), "no JSON, or too large", out);
        };
        match frame_value.get("id") {
            Some(Value::Null) => {
                // The venue's word on the session as a whole: the key is taken no more.
                let reply = Reply::session(frame_value);
                if reply.result.is_err() && reply.meaning().reaction == React::Stop {
                    self.key_refused(&reply, out);
                }
            }
            Some(id) => {
                let Some(request) = id.as_u64().and_then(|id| self.line.flight.take(id)) else {
                    return self.obey_ban(now, &Reply::session(frame_value), out);
                };
                if request.way == Way::Session(session) {
                    self.answered(now, request, Reply::session(frame_value), out);
                } else {
                    self.lost(now, request, out);
                }
            }
            None => match event::read(&frame_value, &self.instruments) {
                Some(event) => self.user_event(now, session, event, out),
                None => self.unreadable(now, session, frame.len(), "an event lacks a field", out),
            },
        }
    }

    fn unreadable(
        &mut self,
        now: Time,
        session: SessionId,
        bytes: usize,
        what: &'static str,
        out: &mut Outputs,
    ) {
        out.notice(Notice::Unreadable { bytes, what });
        // What it said is not known, so the stream has a gap.
        self.end_session(now, session, SessionEnd::Unreadable, out);
    }
}
