//! Writing requests and keeping count of them.
//!
//! Owns: credentials, the budget, the clock's offset and what is under way. A request is written, then counted, then
//! handed out: nothing is counted that is not sent. Allocates nothing for a request of a session that is logged on.

use super::super::limits::{Budget, Cost, Purpose};
use super::super::request::{Auth, RecvWindow, Request, RestRequest, Timing, WsRequest};
use super::clock::VenueClock;
use super::flight::{Asked, Flight, InFlight, Way};
use super::message::{HttpCall, HttpId, Output, Outputs, SessionId};
use super::notice::LocalRefusal;
use crate::domain::Time;
use crate::security::{Algorithm, Credentials};
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Line {
    pub credentials: Credentials,
    pub budget: Budget,
    pub clock: VenueClock,
    pub flight: Flight,
    pub recv_window: RecvWindow,
    pub request_timeout: Duration,
    ws: WsRequest,
    rest: RestRequest,
}

/// What is asked, in the form in which it is written.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// A request of the account, signed or of a session that is logged on.
    Request(&'a Request<'a>),
    /// The time.
    Clock,
    /// The user stream, of a session that is logged on.
    Subscribe,
    /// The user stream, signed.
    SubscribeSigned,
    /// A signed `GET` without parameters of its own.
    Signed(&'static str),
    /// An unsigned `GET`, path and query.
    Plain(&'a str),
}

/// A place to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A session, which is logged on or not.
    Session {
        /// Which.
        id: SessionId,
        /// Whether its requests go unsigned.
        logged_on: bool,
    },
    /// By HTTP.
    Http,
}

/// A request, what it costs, and what the client had counted by then.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    pub asked: Asked,
    pub cost: Cost,
    pub activity: u64,
}

impl Line {
    pub fn new(
        credentials: Credentials,
        budget: Budget,
        clock: VenueClock,
        recv_window: RecvWindow,
        request_timeout: Duration,
    ) -> Self {
        let (ws, rest) = (WsRequest::new(), RestRequest::new());
        Self { credentials, budget, clock, flight: Flight::new(), recv_window, request_timeout, ws, rest }
    }

    /// Whether sessions are logged on.
    pub fn logs_on(&self) -> bool {
        self.credentials.signer.algorithm() == Algorithm::Ed25519
    }

    fn timing(&self, now: Time) -> Timing {
        let timestamp = self.clock.venue_time(now).0 / 1_000_000;
        Timing { timestamp, recv_window: Some(self.recv_window) }
    }

    /// Takes in what the venue's clock said, for the budget too. Returns whether it is another than could be thought before.
    pub fn measured(&mut self, sent: Time, now: Time, server_ms: u64) -> bool {
        let news = self.clock.measured(sent, now, server_ms);
        self.budget.set_clock(self.clock.offset_ns(), now);
        news
    }

    /// Writes a request for a session as [`send`](Self::send) does, and goes no further: nothing is counted or handed out.
    pub fn rehearse(&mut self, route: Route, form: Form<'_>, cost: Cost, now: Time, out: &mut Outputs) {
        let (Route::Session { logged_on, .. }, Some(id)) = (route, self.flight.next_id()) else { return };
        if self.budget.may_ask(cost, now).is_err() {
            return;
        }
        let (timing, mut plain) = (self.timing(now), Plain::new());
        if let Ok(text) = text_of(&mut self.ws, &mut plain, &self.credentials, id, form, timing, logged_on) {
            out.keep(&[text]);
        }
    }

    /// Writes a request and hands it out.
    pub fn send(
        &mut self,
        route: Route,
        form: Form<'_>,
        sending: Sending,
        now: Time,
        out: &mut Outputs,
    ) -> Result<(), LocalRefusal> {
        let sent = self.hand_out(route, form, sending, now, out)?;
        self.flight.add(sent, now.plus(self.request_timeout));
        Ok(())
    }

    /// Writes a request and hands it out; who calls this adds it to those under way before anything else is sent.
    pub fn hand_out(
        &mut self,
        route: Route,
        form: Form<'_>,
        sending: Sending,
        now: Time,
        out: &mut Outputs,
    ) -> Result<InFlight, LocalRefusal> {
        let Sending { asked, cost, activity } = sending;
        let full = LocalRefusal::TooManyOrders;
        let id = self.flight.next_id().ok_or(full)?;
        let timing = self.timing(now);
        let (way, output, permit) = match route {
            Route::Session { id: session, logged_on } => {
                let mut plain = Plain::new();
                let bytes =
                    text_of(&mut self.ws, &mut plain, &self.credentials, id, form, timing, logged_on)?;
                let permit = self.budget.ask(cost, now)?;
                let text = out.keep(&[bytes]);
                (Way::Session(session), Output::SessionText { session, text }, permit)
            }
            Route::Http => {
                let (method, path, query, key) = match form {
                    Form::Request(request) => {
                        let call = self.rest.write(request, timing, &self.credentials)?;
                        (call.method, call.path, call.query, true)
                    }
                    Form::Signed(path) => {
                        ("GET", path, self.rest.write_with(timing, &self.credentials, |_| Ok(()))?, true)
                    }
                    Form::Clock => ("GET", "/api/v3/time", "", false),
                    Form::Plain(target) => ("GET", target, "", false),
                    Form::Subscribe | Form::SubscribeSigned => return Err(LocalRefusal::NoConnection),
                };
                let permit = self.budget.ask(cost, now)?;
                let mark: &[u8] = if query.is_empty() { b"" } else { b"?" };
                let target = out.keep(&[path.as_bytes(), mark, query.as_bytes()]);
                let priority = match cost.purpose {
                    Purpose::Cancel => 0,
                    Purpose::Order | Purpose::Reduce => 1,
                    Purpose::Query => 2,
                };
                let deadline = now.plus(self.request_timeout);
                let call = HttpCall { id: HttpId(id), method, target, key, priority, deadline };
                (Way::Http, Output::Http(call), permit)
            }
        };
        out.push(output);
        Ok(InFlight { asked, way, sent: now, activity, permit })
    }
}

/// Room for a request without parameters.
type Plain = super::super::bytes::FixedBytes<96>;

/// Writes a request of a session. One piece of code for those that are sent and those that are rehearsed.
#[inline(never)]
fn text_of<'b>(
    ws: &'b mut WsRequest,
    plain: &'b mut Plain,
    credentials: &Credentials,
    id: u64,
    form: Form<'_>,
    timing: Timing,
    logged_on: bool,
) -> Result<&'b [u8], LocalRefusal> {
    let signed = Auth::Signed(credentials);
    let auth = if logged_on { Auth::Session } else { signed };
    Ok(match form {
        Form::Request(request @ Request::Logon) => ws.write(id, request, timing, signed)?,
        Form::Request(request) => ws.write(id, request, timing, auth)?,
        Form::SubscribeSigned => {
            let method = "userDataStream.subscribe.signature";
            ws.write_with(id, method, timing, signed, |_| Ok(()))?
        }
        Form::Clock => bare(plain, id, b"time"),
        Form::Subscribe => bare(plain, id, b"userDataStream.subscribe"),
        Form::Signed(_) | Form::Plain(_) => return Err(LocalRefusal::NoConnection),
    })
}

/// A request without parameters.
fn bare<'b>(bytes: &'b mut Plain, id: u64, method: &[u8]) -> &'b [u8] {
    bytes.text(b"{\"id\":");
    bytes.integer(id);
    bytes.text(b",\"method\":\"");
    bytes.text(method);
    bytes.text(b"\"}");
    bytes.as_bytes()
}
