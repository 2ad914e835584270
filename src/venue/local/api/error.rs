//! What a request is refused with: the venue's status, code and text.
//!
//! Owns: the refusals of the protocol; those of the exchange are in its own `refusal`.

use super::json::Json;
use crate::venue::local::exchange::Refusal;
use std::borrow::Cow;

/// A refusal, as both the REST and the WebSocket API give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As HTTP has it.
    pub status: u16,
    pub code: i32,
    pub msg: Cow<'static, str>,
    /// More of it, as JSON: what became of the two halves of a cancel-replace.
    pub data: Option<Vec<u8>>,
    /// Until when nothing more may be asked, ms since 1970.
    pub retry_at_ms: Option<u64>,
}

impl Failure {
    pub fn new(status: u16, code: i32, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, msg: msg.into(), data: None, retry_at_ms: None }
    }

    pub fn bad(code: i32, msg: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, code, msg)
    }

    pub fn mandatory(name: &str) -> Self {
        let text = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::bad(-1102, text)
    }

    pub fn illegal(name: &str, range: &str) -> Self {
        let text = format!("Illegal characters found in parameter '{name}'; legal range is '{range}'.");
        Self::bad(-1100, text)
    }

    pub fn bad_data(name: &str) -> Self {
        Self::bad(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    pub fn overflowed(name: &str) -> Self {
        Self::bad(-1108, format!("Parameter '{name}' overflowed."))
    }

    pub fn too_precise(name: &str) -> Self {
        Self::bad(-1111, format!("Parameter '{name}' has too much precision."))
    }

    /// A key that is unknown, used from elsewhere, or may not do this.
    pub fn rejected_key() -> Self {
        Self::new(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    /// More request weight than is allowed; until when.
    pub fn too_much_weight(limit: u32, retry_at_ms: u64) -> Self {
        let text = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. \
             Please use WebSocket Streams for live updates to avoid polling the API."
        );
        Self { retry_at_ms: Some(retry_at_ms), ..Self::new(429, -1003, text) }
    }

    /// Banned; until when.
    pub fn banned(until_ms: u64) -> Self {
        let text = format!(
            "Way too much request weight used; IP banned until {until_ms}. \
             Please use WebSocket Streams for live updates to avoid bans."
        );
        Self { retry_at_ms: Some(until_ms), ..Self::new(418, -1003, text) }
    }

    /// The body of an error, `{"code":…,"msg":…}`.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        let mut json = Json(&mut out);
        json.begin();
        json.number("code", self.code);
        json.text("msg", &self.msg);
        if let Some(data) = &self.data {
            json.raw("data", data);
        }
        json.end();
        out
    }

    /// Whole seconds until it may be tried again.
    pub fn retry_after_s(&self, now_ms: u64) -> Option<u64> {
        self.retry_at_ms.map(|at| at.saturating_sub(now_ms).div_ceil(1_000).max(1))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::bad(refusal.code(), refusal.to_string())
    }
}
