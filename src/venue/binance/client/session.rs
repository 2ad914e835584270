//! Sessions of the WebSocket API: opening, logging on, subscribing, watching, replacing, losing.
//!
//! Owns: which session orders go to. A new session is of use once it is logged on (with a key that can) and has the user
//! stream; a replacement gets that far before the old one goes, so the stream has no gap. When the last session with the
//! stream is lost, everything that it could have told is asked for. Requests that were under way on a session that ended
//! may have arrived.

use super::super::limits::Cost;
use super::super::request::Request;
use super::OrderClient;
use super::flight::{Asked, Way};
use super::line::{Form, Route, Sending};
use super::message::{Output, Outputs, SessionId};
use super::notice::{Notice, SessionEnd};
use super::reply::Reply;
use super::settings::ClientSettings;
use crate::domain::Time;
use crate::net::backoff::Backoff;
use serde_json::Value;
use std::time::Duration;

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Asked for.
    Opening,
    /// Open, and the venue's clock is asked for first.
    Dating,
    /// Logging on.
    LoggingOn,
    /// Subscribing to the user stream.
    Subscribing,
    /// Of use.
    Ready,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    step: Step,
    /// Since when it is wanted, then since when it is open.
    since: Time,
    heard: Time,
    /// When it was asked for the time because it was silent.
    probed: Option<Time>,
    logged_on: bool,
    /// Since when it is of use.
    ready_at: Option<Time>,
    /// When to open the one that replaces it.
    replace_at: Time,
    /// Replaced: closed at this time. What was told on it before the other one subscribed has arrived by then.
    until: Option<Time>,
}

/// See the module.
#[derive(Debug)]
pub struct Sessions {
    all: Vec<Session>,
    last_id: u32,
    backoff: Backoff,
    /// When to open one; `None` where none is to be opened.
    open_at: Option<Time>,
    /// Whether any session brings the user stream without a gap since the last look.
    streaming: bool,
    /// Whether the last one ended before it was of use, and none ever was.
    none_came: bool,
    never_ready: bool,
}

/// Weight of connecting, and of logging on and subscribing.
const SESSION_WEIGHT: u32 = 2;

impl Sessions {
    pub fn new(settings: &ClientSettings) -> Self {
        let (min, max) = settings.backoff;
        Self {
            all: Vec::with_capacity(4),
            last_id: 0,
            backoff: Backoff::new(min, max, settings.seed),
            open_at: None,
            streaming: false,
            none_came: false,
            never_ready: true,
        }
    }

    /// Opens one, if there is none.
    pub fn wanted(&mut self, now: Time) {
        if self.all.is_empty() {
            self.open_at = Some(now);
        }
    }

    pub fn close_all(&mut self, out: &mut Outputs) {
        self.open_at = None;
        self.streaming = false;
        self.all.drain(..).for_each(|session| out.push(Output::CloseSession(session.id)));
    }

    fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.all.iter_mut().find(|session| session.id == id)
    }

    /// Notes that the session said something; whether it is one of ours.
    pub fn heard(&mut self, id: SessionId, now: Time) -> bool {
        let session = self.get_mut(id);
        session.is_some_and(|session| {
            session.heard = session.heard.max(now);
            session.probed = None;
            session.step != Step::Opening
        })
    }

    /// Where orders go: to the newest session that is ready.
    pub fn route(&self) -> Option<Route> {
        let ready = self.all.iter().rfind(|s| s.step == Step::Ready && s.until.is_none());
        let ready = ready.or_else(|| self.all.iter().rfind(|s| s.step == Step::Ready));
        ready.map(|session| Route::Session { id: session.id, logged_on: session.logged_on })
    }

    /// Those that bring the user stream since before this time.
    pub fn streaming_since(&self, time: Time) -> impl Iterator<Item = SessionId> {
        let since = move |session: &&Session| session.ready_at.is_some_and(|ready| ready <= time);
        self.all.iter().filter(since).map(|session| session.id)
    }

    /// Whether it was tried to have one, and none ever was of use.
    pub fn none_came(&self) -> bool {
        self.none_came
    }

    /// Whether the user stream is there.
    pub fn is_streaming(&self) -> bool {
        self.all.iter().any(|session| session.step == Step::Ready)
    }
}

impl OrderClient {
    fn open_session(&mut self, now: Time, out: &mut Outputs) {
        let sessions = &mut self.sessions;
        sessions.open_at = None;
        sessions.last_id += 1;
        let id = SessionId(sessions.last_id);
        sessions.all.push(Session {
            id,
            step: Step::Opening,
            since: now,
            heard: now,
            probed: None,
            logged_on: false,
            ready_at: None,
            replace_at: now.plus(self.settings.session_lifetime),
            until: None,
        });
        out.push(Output::OpenSession(id));
    }

    pub(super) fn session_opened(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        let Some(session) = self.sessions.get_mut(id) else {
            // Given up meanwhile.
            out.push(Output::CloseSession(id));
            return;
        };
        (session.since, session.heard) = (now, now);
        session.replace_at = now.plus(self.settings.session_lifetime);
        session.step = Step::Dating;
        if self.line.clock.trusted(now) {
            self.log_on(now, id, out);
        } else {
            self.ask_session(now, id, Asked::Clock, out);
        }
    }

    /// The next step of a session whose requests can be dated.
    fn log_on(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        let logs_on = self.line.logs_on();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let asked = if logs_on && !session.logged_on { Asked::Logon } else { Asked::Subscribe };
        session.step = if asked == Asked::Logon { Step::LoggingOn } else { Step::Subscribing };
        self.ask_session(now, id, asked, out);
    }

    fn ask_session(&mut self, now: Time, id: SessionId, asked: Asked, out: &mut Outputs) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let logged_on = session.logged_on;
        let (form, weight) = match asked {
            Asked::Logon => (Form::Request(&Request::Logon), SESSION_WEIGHT),
            Asked::Subscribe if logged_on => (Form::Subscribe, SESSION_WEIGHT),
            Asked::Subscribe => (Form::SubscribeSigned, SESSION_WEIGHT),
            _ => (Form::Clock, 1),
        };
        let route = Route::Session { id, logged_on };
        let sending = Sending { asked, cost: Cost::query(weight), activity: 0 };
        if self.line.send(route, form, sending, now, out).is_ok() {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.step == Step::Ready {
            // The venue wants silence: that the session is silent says nothing.
            (session.probed, session.heard) = (None, now);
        } else {
            self.end_session(now, id, SessionEnd::Closed, out);
        }
    }

    pub(super) fn session_closed(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        let why = match self.sessions.get_mut(id) {
            Some(session) if session.step == Step::Opening => SessionEnd::NotOpened,
            Some(_) => SessionEnd::Closed,
            None => return,
        };
        self.drop_session(now, id, why, out);
    }

    /// Closes a session from our side.
    pub(super) fn end_session(&mut self, now: Time, id: SessionId, why: SessionEnd, out: &mut Outputs) {
        if self.sessions.get_mut(id).is_some() {
            out.push(Output::CloseSession(id));
            self.drop_session(now, id, why, out);
        }
    }

    fn drop_session(&mut self, now: Time, id: SessionId, why: SessionEnd, out: &mut Outputs) {
        let session = self.sessions.get_mut(id);
        let replaced = session.as_ref().is_some_and(|session| session.until.is_some());
        // One that is taken and dropped at once is no success: each brings a look at everything, which has its weight.
        let lasted = session.and_then(|session| session.ready_at).map(|at| now.since(at));
        if lasted.is_some_and(|lasted| Duration::from_nanos(lasted) >= self.settings.backoff.1) {
            self.sessions.backoff.reset();
        }
        self.sessions.none_came = self.sessions.never_ready;
        self.sessions.all.retain(|session| session.id != id);
        if !(replaced && self.sessions.is_streaming()) {
            let pause = self.sessions.backoff.next_pause();
            match self.sessions.all.last_mut() {
                // It was to replace this one.
                Some(left) => left.replace_at = left.replace_at.max(now.plus(pause)),
                None if self.stopped => {}
                None => self.sessions.open_at = Some(now.plus(pause)),
            }
            out.notice(Notice::SessionLost { session: id, why, pause });
        }
        if self.sessions.streaming && !self.sessions.is_streaming() {
            self.sessions.streaming = false;
            self.looks.stream_lost();
            out.notice(Notice::StreamGap);
            self.ask_for_open(now, out);
        }
        while let Some(request) = self.line.flight.take_of(Way::Session(id)) {
            self.lost(now, request, out);
        }
    }

    /// The server goes down soon, or the session is old: another one, and then this one goes.
    pub(super) fn replace_session(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.replace_at = session.replace_at.min(now);
        }
        let newest = self.sessions.all.last().filter(|session| session.id == id);
        if newest.is_some_and(|session| session.until.is_none() && session.replace_at <= now) {
            self.open_session(now, out);
        }
    }

    pub(super) fn session_answer(
        &mut self,
        now: Time,
        asked: Asked,
        way: Way,
        sent: Time,
        reply: &Reply,
        out: &mut Outputs,
    ) {
        let server_ms = reply.result.as_ref().ok().and_then(|v| v.get("serverTime")).and_then(Value::as_u64);
        if let Some(server_ms) = server_ms
            && matches!(asked, Asked::Clock | Asked::Logon)
        {
            let news = self.line.measured(sent, now, server_ms);
            self.looks.clock_measured(now, self.line.clock.trusted(now), self.settings.clock_every);
            if news {
                let (offset_ms, error_ms) = (self.line.clock.offset_ms(), self.line.clock.error_ms(now));
                out.notice(Notice::ClockMeasured { offset_ms, error_ms });
            }
        } else if asked == Asked::Clock {
            self.looks.clock_failed(now);
        }
        let Way::Session(id) = way else { return };
        let Some(session) = self.sessions.get_mut(id) else { return };
        if asked == Asked::Clock && reply.result.is_ok() {
            session.probed = None;
        }
        match (asked, session.step, &reply.result) {
            (Asked::Clock, Step::Dating, Ok(_)) if self.line.clock.trusted(now) => self.log_on(now, id, out),
            (Asked::Clock, Step::Dating, _) => self.ask_session(now, id, Asked::Clock, out),
            (Asked::Logon, _, Ok(_)) => {
                session.logged_on = true;
                self.key_taken = true;
                self.log_on(now, id, out);
            }
            (Asked::Subscribe, Step::Subscribing, Ok(_)) => {
                session.step = Step::Ready;
                self.key_taken = true;
                self.session_ready(now, id, out);
            }
            (Asked::Logon | Asked::Subscribe, _, Err(_)) => {
                self.end_session(now, id, SessionEnd::Refused(reply.code()), out);
            }
            _ => {}
        }
    }

    fn session_ready(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.ready_at = Some(now);
        }
        (self.sessions.none_came, self.sessions.never_ready) = (false, false);
        out.notice(Notice::SessionReady(id));
        let drained = now.plus(self.settings.drain);
        for old in self.sessions.all.iter_mut().filter(|s| s.id != id && s.until.is_none()) {
            old.until = Some(drained);
        }
        if !self.sessions.streaming {
            self.sessions.streaming = true;
            self.looks.stream_back(now);
        }
    }

    pub(super) fn poll_sessions(&mut self, now: Time, out: &mut Outputs) {
        if self.sessions.open_at.is_some_and(|due| due <= now) {
            let blocked = self.line.budget.blocked_until();
            if blocked > now {
                // Connecting costs weight, too.
                self.sessions.open_at = Some(blocked);
            } else {
                self.open_session(now, out);
            }
        }
        let mut at = 0;
        while let Some(session) = self.sessions.all.get(at) {
            let (id, step) = (session.id, session.step);
            let before = self.sessions.all.len();
            if session.until.is_some_and(|due| due <= now) {
                self.end_session(now, id, SessionEnd::Closed, out);
            } else if step == Step::Opening {
                if session.since.plus(self.settings.request_timeout) <= now {
                    self.end_session(now, id, SessionEnd::NotOpened, out);
                }
            } else if let Some(probed) = session.probed {
                if probed.plus(self.settings.answer_within) <= now {
                    self.end_session(now, id, SessionEnd::Silent, out);
                }
            } else if session.heard.plus(self.settings.silent_after) <= now {
                self.probe(now, id, out);
            } else if step == Step::Ready && session.replace_at <= now {
                self.replace_session(now, id, out);
            }
            if self.sessions.all.len() >= before {
                at += 1;
            }
        }
    }

    fn probe(&mut self, now: Time, id: SessionId, out: &mut Outputs) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.probed = Some(now);
        }
        self.ask_session(now, id, Asked::Clock, out);
    }

    /// When something is due for a session.
    pub(super) fn sessions_due(&self) -> Time {
        let never = Time(u64::MAX);
        let settings = &self.settings;
        let due = |session: &Session| match (session.step, session.probed) {
            (Step::Opening, _) => session.since.plus(settings.request_timeout),
            (_, Some(probed)) => probed.plus(settings.answer_within),
            _ => {
                let silent = session.heard.plus(settings.silent_after);
                let newest = self.sessions.all.last().is_some_and(|last| last.id == session.id);
                let ready = session.step == Step::Ready && session.until.is_none();
                let replace = if newest && ready { session.replace_at } else { never };
                silent.min(replace)
            }
        };
        let open = self.sessions.open_at.unwrap_or(never);
        let until = self.sessions.all.iter().filter_map(|session| session.until).min().unwrap_or(never);
        self.sessions.all.iter().map(due).min().unwrap_or(never).min(open).min(until)
    }
}
