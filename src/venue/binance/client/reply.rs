//! Answers, of a session or by HTTP, in one form.
//!
//! Owns: the envelope. What cannot be read is an answer without a code, which says nothing of whether the request was
//! done; fields that are not known are passed over.

use super::super::limits::{Retry, Told, TooMuch};
use super::codes::{Class, Meaning, VenueRefusal, meaning_of};
use super::message::HttpReply;
use serde_json::Value;

/// The largest message of a session that is read.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// What was asked for, or what the venue said instead.
    pub result: Result<Value, Refused>,
    /// The venue's counts.
    pub told: Told,
    pub retry: Retry,
}

/// What the venue said instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its code; 0 where it gave none, or cannot be read.
    pub code: i32,
    pub message: String,
}

impl Reply {
    /// No answer at all.
    pub fn none() -> Self {
        let result = Err(Refused { code: 0, message: "no answer".to_owned() });
        Self { status: 0, result, told: Told::default(), retry: Retry::Unsaid }
    }

    /// From HTTP.
    pub fn http(reply: &HttpReply<'_>) -> Self {
        let mut told = Told::default();
        let mut retry = Retry::Unsaid;
        for (name, value) in reply.headers {
            told.header(name, value);
            if name.eq_ignore_ascii_case("retry-after")
                && let Ok(seconds) = value.trim().parse()
            {
                retry = Retry::After(seconds);
            }
        }
        let read = serde_json::from_slice::<Value>(reply.body);
        let result = match read {
            Ok(value) if (200..300).contains(&reply.status) && !is_error(&value) => Ok(value),
            Ok(value) => Err(refused(&value)),
            Err(_) => Err(Refused { code: 0, message: format!("no JSON, {} bytes", reply.body.len()) }),
        };
        Self { status: reply.status, result, told, retry }
    }

    /// From a session's message, whose envelope is read.
    pub fn session(mut frame: Value) -> Self {
        let status =
            frame.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let status = status.unwrap_or(0);
        let mut told = Told::default();
        if let Some(rows) = frame.get("rateLimits") {
            told.rate_limits(rows);
        }
        let mut retry = Retry::Unsaid;
        let result = match (frame.get_mut("result").map(Value::take), frame.get("error")) {
            (Some(result), None) if status == 200 => Ok(result),
            (_, Some(error)) => {
                let ms = |name: &str| error.pointer(name).and_then(Value::as_u64);
                retry = match (ms("/data/retryAfter"), ms("/data/serverTime")) {
                    // As long from now as from the answer: that needs no clock.
                    (Some(until), Some(server)) => Retry::After(until.saturating_sub(server).div_ceil(1_000)),
                    (Some(until), None) => Retry::AtMillis(until),
                    _ => Retry::Unsaid,
                };
                Err(refused(error))
            }
            _ => Err(Refused { code: 0, message: "an answer without result and error".to_owned() }),
        };
        Self { status, result, told, retry }
    }

    /// What an answer that is no success means.
    pub fn meaning(&self) -> Meaning {
        let message = self.result.as_ref().err().map_or("", |refused| refused.message.as_str());
        meaning_of(self.status, self.code(), message)
    }

    /// The venue's code; 0 where there is none.
    pub fn code(&self) -> i32 {
        self.result.as_ref().err().map_or(0, |refused| refused.code)
    }

    /// The refusal, for people.
    pub fn refusal(&self) -> VenueRefusal {
        let message = self.result.as_ref().err().map_or("", |refused| refused.message.as_str());
        VenueRefusal::new(self.status, self.code(), message)
    }

    /// What the budget has to know, where the venue said that it was too much.
    pub fn too_much(&self) -> Option<TooMuch> {
        let code = self.code();
        let limited = matches!(self.status, 403 | 418 | 429) || matches!(code, -1003 | -1015 | -1034);
        let status = if matches!(self.status, 403 | 418) { self.status } else { 429 };
        let code = (code != 0).then_some(code);
        (limited && self.result.is_err()).then_some(TooMuch { status, code, retry: self.retry })
    }

    /// Whether the request may have been done all the same.
    pub fn is_ambiguous(&self) -> bool {
        self.result.is_err() && self.meaning().class == Class::Ambiguous
    }
}

fn is_error(value: &Value) -> bool {
    value.get("code").is_some_and(Value::is_i64) && value.get("msg").is_some()
}

fn refused(value: &Value) -> Refused {
    let code = value.get("code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    let message = value.get("msg").and_then(Value::as_str).unwrap_or_default();
    Refused { code: code.unwrap_or(0), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, body: &str) -> Reply {
        Reply::http(&HttpReply { status, headers: &[("Retry-After", "7")], body: body.as_bytes() })
    }

    #[test]
    fn both_ways_give_the_same() {
        let body = r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#;
        let reply = http(400, body);
        let frame = format!(r#"{{"id":"e2a8","status":400,"error":{body},"rateLimits":[]}}"#);
        let session = Reply::session(serde_json::from_str(&frame).expect("JSON"));
        assert_eq!(reply.result, session.result);
        assert_eq!(reply.meaning(), session.meaning());
        assert_eq!(reply.meaning().class, Class::Definitive);
    }

    #[test]
    fn what_cannot_be_read_is_ambiguous() {
        for (status, body) in
            [(200, ""), (200, "{\"orderId\":2"), (200, "<html>"), (502, "<html>"), (400, "oops")]
        {
            assert!(http(status, body).is_ambiguous(), "{status} {body}");
        }
        assert!(Reply::none().is_ambiguous());
        let odd = Reply::session(serde_json::json!({"id": 1, "status": 200}));
        assert!(odd.is_ambiguous());
    }

    #[test]
    fn a_ban_says_until_when() {
        let banned = serde_json::json!({"id": 1, "status": 418, "error": {"code": -1003, "msg": "Way too much",
            "data": {"serverTime": 1_659_142_907_531u64, "retryAfter": 1_659_146_400_000u64}}});
        let too_much = Reply::session(banned).too_much().expect("a ban");
        assert_eq!((too_much.status, too_much.retry), (418, Retry::After(3_493)));
        let limited = http(429, r#"{"code":-1003,"msg":"Too much request weight used"}"#).too_much();
        assert_eq!(limited.expect("a limit").retry, Retry::After(7));
        assert_eq!(http(400, r#"{"code":-1013,"msg":"Filter failure: LOT_SIZE"}"#).too_much(), None);
    }
}
