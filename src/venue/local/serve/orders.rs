//! The order-taking side on the wire: REST calls on orders and accounts, the WebSocket API, and user events to all that
//! subscribed to them.
//!
//! Owns: the way between connections and the `api`, and the market data methods of the WebSocket API.

use super::super::api::{
    Api, MarketAnswer, MarketData, Mishap, RestReply, RestRequest, Session as ApiSession, Told,
};
use super::connection::Late;
use super::exchange::Exchange;
use super::fault::StreamAction;
use super::http::{Answer, Request};
use super::rest::{self, Call};
use super::server::{Doom, Server, wall};
use super::websocket;
use crate::domain::{Market, Time};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Market data as the WebSocket API asks for it: the REST calls under other names.
struct Methods<'a> {
    exchange: &'a Exchange,
    weight_limit: u32,
}

impl MarketData for Methods<'_> {
    fn answer(&self, method: &str, params: &[(String, String)], now_ms: u64) -> Option<(u32, MarketAnswer)> {
        let route = rest::method(method)?;
        let request = Request { query: params.to_vec(), ..Request::default() };
        let call = Call {
            market: Market::Spot,
            request: &request,
            exchange: self.exchange,
            now_ms,
            weight_limit: self.weight_limit,
            micros: false,
            api: None,
        };
        let answer = route.answer(&call);
        let result = if answer.status == 200 {
            Ok(answer.body)
        } else {
            let error: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let code = error["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(-1000);
            Err((answer.status, code, error["msg"].as_str().unwrap_or_default().to_owned()))
        };
        Some(((route.weight)(&call), result))
    }
}

impl Server {
    /// The venue's time on spot, as orders are held to it.
    pub(super) fn now(&self) -> Time {
        let skewed = i128::from(wall().0) + i128::from(self.skew_ms) * 1_000_000;
        Time(u64::try_from(skewed).unwrap_or_default())
    }

    /// The answer to a call on orders and accounts, and what is to go wrong with it; `None` where it is of something
    /// else.
    pub(super) fn order_call(&mut self, peer: IpAddr, request: &Request) -> Option<(Answer, Option<Mishap>)> {
        // What is open to all is answered beside the other market data.
        if Api::is_open(&request.path) {
            return None;
        }
        let call = RestRequest {
            method: &request.method,
            path: &request.path,
            query: &request.raw_query,
            body: &request.body,
            api_key: request.api_key.as_deref(),
            peer,
        };
        let now = self.now();
        let RestReply { status, headers, body, mishap } = self.api.rest(now, &call)?;
        match status {
            429 => self.stats.rest_refused += 1,
            418 => self.stats.rest_banned += 1,
            _ => {}
        }
        Some((Answer { status, headers, body }, mishap))
    }

    /// Makes a connection a session of the WebSocket API; the refusal where it may not be.
    pub(super) fn admit(&mut self, at: usize, request: &Request) -> Result<ApiSession, Answer> {
        let rate_limits = match request.param("returnRateLimits") {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => {
                return Err(Answer::error(
                    400,
                    -1130,
                    "Data sent for parameter 'returnRateLimits' is not valid.",
                ));
            }
        };
        if request.param("responseFormat").is_some_and(|format| format != "json") {
            return Err(Answer::error(400, -1020, "This operation is not supported: answers are JSON here."));
        }
        let peer = self.connections.get(at).and_then(Option::as_ref).map(|connection| connection.peer);
        let Some(peer) = peer else { return Err(Answer::error(400, -1000, "the connection is gone")) };
        let now = self.now();
        if let Err(refusal) = self.api.charge(peer, 2, now.0 / 1_000_000) {
            let answer = Answer::json(refusal.status, refusal.body());
            return Err(match refusal.retry_after_s(now.0 / 1_000_000) {
                Some(seconds) => answer.with("Retry-After", seconds),
                None => answer,
            });
        }
        Ok(ApiSession::new(peer, now, rate_limits))
    }

    /// A message on the WebSocket API.
    pub(super) fn hear_order(&mut self, at: usize, text: &[u8], now: Instant) {
        let (venue_now, weight_limit) = (self.now(), self.limits.weight_rules(Market::Spot).limit);
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        let Some(session) = &mut connection.api else { return };
        let market = Methods { exchange: &self.exchange, weight_limit };
        let mut answers = Vec::new();
        let mishap = self.api.hear(venue_now, session, text, &market, &mut answers);
        self.stats.api_requests += 1;
        let mut bytes = Vec::new();
        answers.iter().for_each(|answer| websocket::write_text(&mut bytes, answer));
        match mishap {
            Some(Mishap::CutDone | Mishap::CutLost) => {
                connection.silence();
                self.doomed.push((at, Doom::Gone));
            }
            Some(Mishap::Truncated) => {
                connection.out().extend_from_slice(&bytes[..bytes.len() / 2]);
                connection.silence();
                connection.close_after_flush(now);
                self.sweep_soon(now);
            }
            Some(Mishap::Slow { ms }) => {
                let due = now + Duration::from_millis(ms);
                connection.late = Some(Late { due, bytes, last: false });
                self.sweep_soon(due);
            }
            _ => connection.out().extend_from_slice(&bytes),
        }
        self.stats.fault("order", mishap.is_some().into());
        self.dirty.push(at);
        self.spread(now);
    }

    /// Sends what accounts are told to whoever subscribed to it, unless a fault says otherwise.
    pub(super) fn spread(&mut self, now: Instant) {
        if !self.api.has_told() {
            return;
        }
        for told in self.api.take_told() {
            let fault = self.faults.next_user();
            if let Some((StreamAction::Delay, delay)) = fault {
                self.stats.fault("user-delay", 1);
                self.faults.delay_users(now + delay);
                self.sweep_soon(now + delay);
            }
            let Some(told) = self.faults.wait_user(told) else { continue };
            match fault {
                Some((StreamAction::Drop, _)) => self.stats.fault("user-drop", 1),
                Some((StreamAction::Reorder, _)) => {
                    self.stats.fault("user-reorder", 1);
                    self.faults.reorder_user(told);
                }
                Some((StreamAction::Duplicate, _)) => {
                    self.stats.fault("user-duplicate", 1);
                    self.tell(&told);
                    self.tell(&told);
                }
                Some((StreamAction::Delay, _)) | None => {
                    self.tell(&told);
                    for waiting in self.faults.take_reordered() {
                        self.tell(&waiting);
                    }
                }
            }
        }
    }

    /// Sends user events that were late for long enough.
    pub(super) fn release_users(&mut self, now: Instant) {
        for told in self.faults.take_late(now) {
            self.tell(&told);
        }
    }

    fn tell(&mut self, told: &Told) {
        for (at, slot) in self.connections.iter_mut().enumerate() {
            let Some(connection) = slot else { continue };
            let Some(message) = connection.api.as_ref().and_then(|session| session.wrap(told)) else {
                continue;
            };
            if connection.is_closing() {
                continue;
            }
            websocket::write_text(connection.out(), &message);
            self.stats.user_events += 1;
            self.dirty.push(at);
            if connection.backlog() > self.limits.queue_bytes {
                self.doomed.push((at, Doom::Slow));
            }
        }
    }
}
