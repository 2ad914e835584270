//! Answers and frames: whose they are, what they tell of counts and bans, and who acts on them.

use super::super::exchange_info::{ExchangeInfo, InfoError};
use super::super::limits::Cost;
use super::OrderClient;
use super::codes::Reaction as React;
use super::event;
use super::flight::{Asked, InFlight, Way};
use super::message::{HttpFailure, HttpId, HttpReply, Outputs, SessionId};
use super::notice::{InstrumentPause, LocalRefusal, Notice, SessionEnd};
use super::reply::{FRAME_BYTES_MAX, Reply};
use crate::domain::Time;
use serde_json::Value;

impl OrderClient {
    pub(super) fn http_reply(
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
            Ok(reply) if matches!(request.asked, Asked::Info | Asked::HeldInfo) && reply.status == 200 => {
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
        self.line.budget.answered(permit, &reply.told, now);
        self.obey_ban(now, &reply, out);
        if reply.result.is_err() {
            match reply.meaning().reaction {
                React::Resync => {
                    self.line.clock.distrust();
                    self.looks.measure_clock(now);
                    out.notice(Notice::ClockRefused);
                }
                React::Stop if self.line.budget.blocked_until() <= now => self.key_refused(now, &reply, out),
                _ => {}
            }
        }
        match asked {
            Asked::Place(key) => self.placed(now, key, &reply, out),
            Asked::PlacePair(keys) => self.placed_pair(now, keys, &reply, out),
            Asked::Cancel(key) => self.canceled(now, key, &reply, out),
            Asked::Status(key) => self.status(now, key, sent, &reply, out),
            Asked::OrderTrades(key) => self.order_trades(now, key, &reply, out),
            Asked::Logon | Asked::Subscribe | Asked::Clock => {
                self.session_answer(now, asked, way, sent, &reply, out);
            }
            Asked::Info
            | Asked::HeldInfo
            | Asked::Restrictions
            | Asked::Key
            | Asked::OpenOrders(_)
            | Asked::Account
            | Asked::Trades(_) => self.looked(now, asked, sent, activity, reply, out),
        }
    }

    /// No answer will come, and the request may have arrived.
    pub(super) fn lost(&mut self, now: Time, request: InFlight, out: &mut Outputs) {
        self.answered(now, request, Reply::none(), out);
    }

    /// Not a byte was sent.
    fn not_sent(&mut self, now: Time, request: InFlight, out: &mut Outputs) {
        let keys = match &request.asked {
            Asked::Place(key) => std::slice::from_ref(key),
            Asked::PlacePair(keys) => keys.as_slice(),
            _ => &[],
        };
        if !keys.is_empty() {
            self.line.budget.lost(request.permit, now);
            self.hold_orders(now, Cost::ORDER, &LocalRefusal::NoConnection);
            for key in keys {
                self.refuse_here(now, *key, LocalRefusal::NoConnection, out);
            }
        } else {
            self.lost(now, request, out);
        }
    }

    /// One whole text message of a session.
    pub(super) fn session_frame(&mut self, now: Time, session: SessionId, frame: &[u8], out: &mut Outputs) {
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
                    self.key_refused(now, &reply, out);
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

    fn info(&mut self, now: Time, request: InFlight, reply: &HttpReply<'_>, out: &mut Outputs) {
        let counts = Reply::http(&HttpReply { body: b"{}", ..*reply });
        self.line.budget.answered(request.permit, &counts.told, now);
        let instruments = &self.instruments;
        let wanted = |symbol: &str| instruments.find(symbol).is_some();
        let read: Result<ExchangeInfo, InfoError> =
            ExchangeInfo::read_wanted(reply.body, self.settings.fees, &wanted);
        let of_held = request.asked == Asked::HeldInfo;
        match read {
            Ok(info) if of_held => {
                self.line.budget.learn(&info.rate_limits);
                let asked = self.held_asked();
                self.instruments.learn(info, |id| asked.contains(&id), out);
                self.held_read(now);
            }
            Ok(info) => {
                self.line.budget.learn(&info.rate_limits);
                let changed = self.instruments.learn(info, |_| true, out);
                // Whoever reads the refusal asks whether it was the venue that had changed.
                if self.looks.info_read(now, self.settings.info_every) && !changed {
                    out.notice(Notice::RulesUnchanged);
                }
                for id in std::mem::take(&mut self.admitted) {
                    self.instruments.release(id, InstrumentPause::Standby, out);
                }
                self.watch_held(now);
            }
            Err(_) => {
                out.notice(Notice::Unreadable { bytes: reply.body.len(), what: "exchangeInfo" });
                if of_held { self.held_failed(now) } else { self.looks.info_failed(now) }
            }
        }
    }
}
