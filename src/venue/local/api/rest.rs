//! REST calls, apart from HTTP's own framing.
//!
//! Owns: which parameters of query and body count, and the headers of an answer.

use super::auth::{Claim, rest_payload};
use super::error::Failure;
use super::mishap::Mishap;
use super::params::{Params, decoded, pairs};
use super::table;
use super::venue::{Api, Outcome};
use crate::domain::Time;
use std::net::IpAddr;

/// A call as it came.
#[derive(Debug, Clone, Copy)]
pub struct RestRequest<'a> {
    /// `GET`, `POST`, `PUT`, `DELETE`.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// The query, still encoded; empty where there is none.
    pub query: &'a str,
    /// The body: a form, or empty.
    pub body: &'a [u8],
    /// The header `X-MBX-APIKEY`.
    pub api_key: Option<&'a str>,
    /// Who asks.
    pub peer: IpAddr,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestReply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside those of every answer.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
    /// What the transport is to let go wrong with it.
    pub mishap: Option<Mishap>,
}

impl Api {
    /// Answers a call on orders and accounts; `None` where the path is of something else.
    pub fn rest(&mut self, now: Time, request: &RestRequest<'_>) -> Option<RestReply> {
        let operation = match table::rest(request.method, request.path)? {
            Ok(operation) => operation,
            Err(()) => {
                let refusal = Failure::new(405, -1, "this path has other methods");
                return Some(reply(Outcome::refused(refusal, None), 0));
            }
        };
        let now_ms = now.0 / 1_000_000;
        let body = std::str::from_utf8(request.body).unwrap_or_default();
        // A body that is no form (ping with JSON) has nothing to read.
        let form = if request.method == "GET" || body.starts_with('{') { "" } else { body };
        let params = match collect(request.query, form) {
            Ok(params) => params,
            Err(refusal) => {
                let used_weight = self.charge(request.peer, 1, now_ms).ok();
                return Some(reply(Outcome::refused(refusal, used_weight), now_ms));
            }
        };
        let claim = Claim {
            api_key: request.api_key,
            signed: [Some(rest_payload(request.query, form)), None],
            signature: params.get("signature").map(str::to_owned),
            logged_on: false,
        };
        let outcome = self.perform(operation, &params, &claim, request.peer, now);
        Some(reply(outcome, now_ms))
    }
}

/// Query and body together; a name in both is the query's.
fn collect(query: &str, form: &str) -> Result<Params, Failure> {
    let mut params = Params::default();
    for (name, value) in pairs(query) {
        if !params.add(decoded(name), decoded(value)) {
            return Err(Failure::bad(-1101, "Too many parameters sent for this endpoint."));
        }
    }
    let mut in_form = Params::default();
    for (name, value) in pairs(form) {
        if !in_form.add(decoded(name), decoded(value)) {
            return Err(Failure::bad(-1101, "Too many parameters sent for this endpoint."));
        }
        // The query's value stands where both have one.
        params.add(decoded(name), decoded(value));
    }
    Ok(params)
}

fn reply(outcome: Outcome, now_ms: u64) -> RestReply {
    let mut headers = Vec::with_capacity(4);
    if let Some(used) = outcome.used_weight {
        headers.push(("X-MBX-USED-WEIGHT", used.to_string()));
        headers.push(("X-MBX-USED-WEIGHT-1M", used.to_string()));
    }
    let (status, mut body) = match outcome.result {
        Ok(body) => {
            for window in outcome.counts.iter().flatten() {
                headers.push((window.header, window.count.to_string()));
            }
            (200, body)
        }
        Err(failure) => {
            if let Some(seconds) = failure.retry_after_s(now_ms) {
                headers.push(("Retry-After", seconds.to_string()));
            }
            (failure.status, failure.body())
        }
    };
    if let Some(mishap) = outcome.mishap {
        mishap.spoil(&mut body);
    }
    RestReply { status, headers, body, mishap: outcome.mishap }
}
