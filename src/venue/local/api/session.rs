//! The WebSocket API: one client's session, its requests and its subscriptions.
//!
//! Owns: envelopes, log-on, user data subscriptions. Knows no socket: a text comes in, a text goes out. Invariant: a
//! session has one subscription of an account at most, and ids of subscriptions never come back in it.

use super::account::write_window;
use super::auth::{Claim, Security, websocket_payloads};
use super::error::Failure;
use super::json::Json;
use super::message::{self, Message};
use super::mishap::Mishap;
use super::params::Params;
use super::table::{self, SIGNED};
use super::venue::{Api, Outcome, Told};
use crate::domain::Time;
use crate::security::Algorithm;
use crate::venue::local::exchange::AccountId;
use std::net::IpAddr;

/// Subscriptions at once, and in a session's life.
const SUBSCRIPTIONS_MAX: usize = 1_000;
const SUBSCRIPTION_IDS: u32 = 65_535;
/// What the methods of a session weigh.
const SESSION_WEIGHT: u32 = 2;

#[derive(Debug, Clone)]
struct LogOn {
    api_key: String,
    account: AccountId,
    since_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Subscription {
    id: u32,
    account: AccountId,
    /// Ends with the log-on that it came from.
    by_log_on: bool,
}

/// One connection to the WebSocket API.
#[derive(Debug, Clone)]
pub struct Session {
    peer: IpAddr,
    connected_ms: u64,
    rate_limits: bool,
    logged_on: Option<LogOn>,
    subscriptions: Vec<Subscription>,
    next_id: u32,
}

/// JSON, or status, code and text of the refusal.
pub type MarketAnswer = Result<Vec<u8>, (u16, i32, String)>;

/// What methods on market data answer.
pub trait MarketData {
    /// Weight and answer of a method; `None` where there is no such method.
    fn answer(&self, method: &str, params: &[(String, String)], now_ms: u64) -> Option<(u32, MarketAnswer)>;
}

/// No market data at all.
#[derive(Debug, Clone, Copy)]
pub struct NoMarketData;

impl MarketData for NoMarketData {
    fn answer(&self, _: &str, _: &[(String, String)], _: u64) -> Option<(u32, MarketAnswer)> {
        None
    }
}

impl Session {
    /// A session that has just begun. Whether its answers have `rateLimits` is in the URL, and can be said in each
    /// request.
    #[must_use]
    pub fn new(peer: IpAddr, now: Time, rate_limits: bool) -> Self {
        Self {
            peer,
            connected_ms: now.0 / 1_000_000,
            rate_limits,
            logged_on: None,
            subscriptions: Vec::new(),
            next_id: 0,
        }
    }

    /// Whether some account's events are wanted.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// The message that tells of an event, if this session wants to know.
    #[must_use]
    pub fn wrap(&self, told: &Told) -> Option<Vec<u8>> {
        let subscription = self.subscriptions.iter().find(|one| one.account == told.account)?;
        Some(wrapped(subscription.id, &told.json))
    }

    fn state(&self, now_ms: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut json = Json(&mut out);
        json.begin();
        match &self.logged_on {
            Some(log_on) => {
                json.text("apiKey", &log_on.api_key);
                json.number("authorizedSince", log_on.since_ms);
            }
            None => {
                json.raw("apiKey", b"null");
                json.raw("authorizedSince", b"null");
            }
        }
        json.number("connectedSince", self.connected_ms);
        json.flag("returnRateLimits", self.rate_limits);
        json.number("serverTime", now_ms);
        json.flag("userDataStream", self.is_subscribed());
        json.end();
        out
    }

    fn subscribe(&mut self, account: AccountId, by_log_on: bool) -> Result<Vec<u8>, Failure> {
        if self.subscriptions.iter().any(|one| one.account == account) {
            return Err(Failure::bad(-2035, "User Data Stream subscription already active."));
        }
        if self.next_id >= SUBSCRIPTION_IDS || self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(Failure::bad(-2042, "Maximum subscription ID reached for this connection."));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.subscriptions.push(Subscription { id, account, by_log_on });
        Ok(format!(r#"{{"subscriptionId":{id}}}"#).into_bytes())
    }

    /// Ends subscriptions, and says so; returns whether there was one.
    fn unsubscribe(
        &mut self,
        ends: impl Fn(&Subscription) -> bool,
        now_ms: u64,
        after: &mut Vec<Vec<u8>>,
    ) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|one| {
            if ends(one) {
                let event = format!(r#"{{"e":"eventStreamTerminated","E":{now_ms}}}"#);
                after.push(wrapped(one.id, event.as_bytes()));
                return false;
            }
            true
        });
        self.subscriptions.len() < before
    }
}

fn wrapped(id: u32, event: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + 40);
    let mut json = Json(&mut out);
    json.begin();
    json.number("subscriptionId", id);
    json.raw("event", event);
    json.end();
    out
}

impl Api {
    /// Hears a text of a client; what is to be sent back is appended to `out`, the answer first. Returns what the
    /// transport is to let go wrong with it.
    pub fn hear(
        &mut self,
        now: Time,
        session: &mut Session,
        text: &[u8],
        market: &dyn MarketData,
        out: &mut Vec<Vec<u8>>,
    ) -> Option<Mishap> {
        let now_ms = now.0 / 1_000_000;
        let message = match message::read(text) {
            Ok(message) => message,
            Err((id, failure)) => {
                let used_weight = self.charge(session.peer, 1, now_ms).ok();
                let answer = Outcome::refused(failure, used_weight);
                out.push(self.envelope(&id, session.rate_limits, &answer, now_ms));
                return None;
            }
        };
        let rate_limits = message.params.flag("returnRateLimits").unwrap_or(session.rate_limits);
        // A session whose key was taken away is told so once, and is a stranger then.
        if let Some(log_on) = &session.logged_on
            && !self.keys.contains_key(log_on.api_key.as_str())
        {
            session.logged_on = None;
            session.unsubscribe(|one| one.by_log_on, now_ms, out);
            let answer = Outcome::refused(Failure::rejected_key(), None);
            out.push(self.envelope("null", false, &answer, now_ms));
            return None;
        }
        let mut after = Vec::new();
        let answer = self.answer(now, session, &message, market, &mut after);
        let mut text = self.envelope(&message.id, rate_limits, &answer, now_ms);
        if let Some(mishap) = answer.mishap {
            mishap.spoil(&mut text);
        }
        out.push(text);
        out.append(&mut after);
        answer.mishap
    }

    fn answer(
        &mut self,
        now: Time,
        session: &mut Session,
        message: &Message,
        market: &dyn MarketData,
        after: &mut Vec<Vec<u8>>,
    ) -> Outcome {
        let now_ms = now.0 / 1_000_000;
        let (name, params) = (message.method.as_str(), &message.params);
        let claim = claim(session, params);
        if let Some(operation) = table::websocket(name) {
            return self.perform(operation, params, &claim, session.peer, now);
        }
        let pairs: Vec<(String, String)> =
            params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let from_market = market.answer(name, &pairs, now_ms);
        let weight = from_market.as_ref().map_or(SESSION_WEIGHT, |(weight, _)| *weight);
        let used_weight = match self.charge(session.peer, weight, now_ms) {
            Ok(used) => Some(used),
            Err(refusal) => return Outcome::refused(refusal, None),
        };
        let result = match from_market {
            Some((_, result)) => result.map_err(|(status, code, text)| Failure::new(status, code, text)),
            None => self.session_method(now, session, name, params, after),
        };
        Outcome { result, used_weight, counts: None, mishap: None }
    }

    fn session_method(
        &mut self,
        now: Time,
        session: &mut Session,
        name: &str,
        params: &Params,
        after: &mut Vec<Vec<u8>>,
    ) -> Result<Vec<u8>, Failure> {
        let now_ms = now.0 / 1_000_000;
        match name {
            "session.logon" => self.log_on(now, session, params),
            "session.status" => Ok(session.state(now_ms)),
            "session.logout" => {
                session.logged_on = None;
                session.unsubscribe(|one| one.by_log_on, now_ms, after);
                Ok(session.state(now_ms))
            }
            "session.subscriptions" => {
                let ids =
                    session.subscriptions.iter().map(|one| format!(r#"{{"subscriptionId":{}}}"#, one.id));
                Ok(format!("[{}]", ids.collect::<Vec<_>>().join(",")).into_bytes())
            }
            "userDataStream.subscribe" => {
                let account = session.logged_on.as_ref().map(|log_on| log_on.account);
                let stranger = || Failure::bad(-1002, "You are not authorized to execute this request.");
                session.subscribe(account.ok_or_else(stranger)?, true)
            }
            "userDataStream.subscribe.signature" => {
                params.check(&[SIGNED])?;
                let claim =
                    Claim { logged_on: false, api_key: params.get("apiKey"), ..claim(session, params) };
                let caller = claim.verify(&self.keys, Security::Read, session.peer, params, now.0 / 1_000)?;
                session.subscribe(caller.account, false)
            }
            "userDataStream.unsubscribe" => {
                let id = params.long("subscriptionId");
                let ended =
                    session.unsubscribe(|one| id.is_none_or(|id| u64::from(one.id) == id), now_ms, after);
                if ended || id.is_none() {
                    Ok(b"{}".to_vec())
                } else {
                    Err(Failure::bad(-2036, "User Data Stream subscription not active."))
                }
            }
            "userDataStream.start" | "userDataStream.ping" | "userDataStream.stop" => {
                Err(Failure::new(410, -1016, "This service is no longer available."))
            }
            _ => Err(Failure::bad(-1020, "This operation is not supported.")),
        }
    }

    /// Only an Ed25519 key may log on, as the venue's documents have it. Code and text for the others are in none of
    /// them: they are what its clients were seen to get, and so not to be relied on.
    fn log_on(&mut self, now: Time, session: &mut Session, params: &Params) -> Result<Vec<u8>, Failure> {
        params.check(&[SIGNED])?;
        let api_key = params.get("apiKey").ok_or_else(|| Failure::mandatory("apiKey"))?;
        if let Some(key) = self.keys.get(api_key)
            && key.options.verifier.algorithm() != Algorithm::Ed25519
        {
            let name = match key.options.verifier.algorithm() {
                Algorithm::HmacSha256 => "HMAC_SHA256",
                _ => "RSA",
            };
            return Err(Failure::bad(-4056, format!("{name} API key is not supported.")));
        }
        let claim = Claim { logged_on: false, api_key: Some(api_key), ..claim(session, params) };
        let caller = claim.verify(&self.keys, Security::Open, session.peer, params, now.0 / 1_000)?;
        let now_ms = now.0 / 1_000_000;
        let log_on = LogOn { api_key: api_key.to_owned(), account: caller.account, since_ms: now_ms };
        session.logged_on = Some(log_on);
        Ok(session.state(now_ms))
    }

    fn envelope(&self, id: &str, rate_limits: bool, answer: &Outcome, now_ms: u64) -> Vec<u8> {
        let body = answer.result.as_ref().map_or(0, Vec::len);
        let mut out = Vec::with_capacity(body + 512);
        let mut json = Json(&mut out);
        json.begin();
        json.raw("id", id.as_bytes());
        match &answer.result {
            Ok(result) => {
                json.number("status", 200);
                json.raw("result", result);
            }
            Err(failure) => {
                json.number("status", failure.status);
                json.begin_in("error");
                json.number("code", failure.code);
                json.text("msg", &failure.msg);
                if let Some(data) = &failure.data {
                    json.raw("data", data);
                } else if let Some(at) = failure.retry_at_ms {
                    json.begin_in("data");
                    json.number("serverTime", now_ms);
                    json.number("retryAfter", at);
                    json.end();
                }
                json.end();
            }
        }
        if rate_limits {
            self.rate_limits(&mut json, answer);
        }
        json.end();
        out
    }

    fn rate_limits(&self, json: &mut Json<'_>, answer: &Outcome) {
        json.list_in("rateLimits");
        for window in answer.counts.iter().flatten() {
            write_window(json, window);
        }
        if let Some(used) = answer.used_weight {
            json.begin();
            json.text("rateLimitType", "REQUEST_WEIGHT");
            json.text("interval", "MINUTE");
            json.number("intervalNum", 1);
            json.number("limit", self.settings.weight.limit);
            json.number("count", used);
            json.end();
        }
        json.end_list();
    }
}

/// Who a request is from: by its own key and signature, or by the session's log-on.
fn claim<'a>(session: &'a Session, params: &'a Params) -> Claim<'a> {
    let logged_on = session.logged_on.as_ref().filter(|_| params.get("signature").is_none());
    let own = params.get("apiKey");
    match logged_on {
        Some(log_on) if own.is_none_or(|own| own == log_on.api_key) => {
            Claim { api_key: Some(&log_on.api_key), logged_on: true, ..Claim::default() }
        }
        _ => Claim {
            api_key: own,
            signed: websocket_payloads(params),
            signature: params.get("signature").map(str::to_owned),
            logged_on: false,
        },
    }
}
