//! Who asks, and whether they may: keys, signatures, times.
//!
//! Owns: what is signed, over the raw bytes that came; the checks of `timestamp` and `recvWindow`. Invariant: nothing
//! of an account is read or changed for a request whose signature is not good.

use super::error::Failure;
use super::keys::{Caller, Key, Keys};
use super::params::Params;
use crate::domain::decimal::parse;
use crate::security::ApiKey;
use std::net::IpAddr;

/// What a request must bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Open,
    /// A signature by a key that reads.
    Read,
    /// A signature by a key that trades.
    Trade,
}

/// Who a request says it is from.
#[derive(Debug, Default)]
pub(super) struct Claim<'a> {
    pub api_key: Option<&'a str>,
    /// What may have been signed: one form, or one of two that clients use.
    pub signed: [Option<Vec<u8>>; 2],
    pub signature: Option<String>,
    /// A session that is logged on answers for its requests that bring no signature.
    pub logged_on: bool,
}

/// 2017-01-01, ms: no request is older.
const EPOCH_MS: u64 = 1_483_228_800_000;
/// Times from here on are microseconds.
const MICROS_FROM: u64 = 100_000_000_000_000;
/// `recvWindow`, µs.
const WINDOW_DEFAULT_US: u64 = 5_000_000;
const WINDOW_MAX_US: u64 = 60_000_000;

impl Claim<'_> {
    /// The key, if all is in order.
    pub fn verify(
        &self,
        keys: &Keys,
        security: Security,
        peer: IpAddr,
        params: &Params,
        now_us: u64,
    ) -> Result<Caller, Failure> {
        let name = self.api_key.ok_or_else(bad_format)?;
        ApiKey::new(name).map_err(|_| bad_format())?;
        let key = keys.get(name).ok_or_else(Failure::rejected_key)?;
        if !self.logged_on {
            self.verify_signature(key)?;
        }
        check_time(params, now_us)?;
        let permissions = key.options.permissions;
        let allowed = match security {
            Security::Open => true,
            Security::Read => permissions.reading,
            Security::Trade => permissions.trading,
        };
        if allowed && key.allows(peer) { Ok(key.caller()) } else { Err(Failure::rejected_key()) }
    }

    fn verify_signature(&self, key: &Key) -> Result<(), Failure> {
        let signature = self.signature.as_deref().ok_or_else(|| Failure::mandatory("signature"))?;
        let good = |text: &Vec<u8>| key.options.verifier.verify(text, signature.as_bytes()).is_ok();
        if self.signed.iter().flatten().any(good) {
            Ok(())
        } else {
            Err(Failure::bad(-1022, "Signature for this request is not valid."))
        }
    }
}

fn bad_format() -> Failure {
    Failure::new(401, -2014, "API-key format invalid.")
}

/// Whether a request is neither of the future nor too old.
pub(super) fn check_time(params: &Params, now_us: u64) -> Result<(), Failure> {
    let malformed = || Failure::mandatory("timestamp");
    let sent: u64 = params.get("timestamp").and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
    let sent_us = if sent >= MICROS_FROM { sent } else { sent.saturating_mul(1_000) };
    if sent_us < EPOCH_MS * 1_000 || sent_us > now_us.saturating_add(10_000_000) {
        return Err(malformed());
    }
    if sent_us >= now_us.saturating_add(1_000_000) {
        let text = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(Failure::bad(-1021, text));
    }
    if now_us.saturating_sub(sent_us) > window_us(params)? {
        return Err(Failure::bad(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}

fn window_us(params: &Params) -> Result<u64, Failure> {
    let Some(text) = params.get("recvWindow") else { return Ok(WINDOW_DEFAULT_US) };
    let illegal = || Failure::illegal("recvWindow", r"^[0-9]{1,5}(\.[0-9]{1,3})?$");
    let window = parse(text.as_bytes(), 3).ok().and_then(|us| u64::try_from(us).ok()).ok_or_else(illegal)?;
    if window > WINDOW_MAX_US {
        return Err(Failure::bad(-1131, "recvWindow must be less than 60000."));
    }
    Ok(window)
}

/// What a REST request signs: its query and body as they came, one after the other, without the signature.
pub(super) fn rest_payload(query: &str, body: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(query.len() + body.len());
    for part in [query, body] {
        let begin = out.len();
        for pair in part.split('&').filter(|pair| !pair.starts_with("signature=")) {
            if out.len() > begin {
                out.push(b'&');
            }
            out.extend_from_slice(pair.as_bytes());
        }
    }
    out
}

/// What a request on the WebSocket API signs: its parameters by name, without the signature; as they are, and as
/// clients do that encode them.
pub(super) fn websocket_payloads(params: &Params) -> [Option<Vec<u8>>; 2] {
    let mut sorted: Vec<(&str, &str)> = params.iter().filter(|(name, _)| *name != "signature").collect();
    sorted.sort_unstable();
    let (mut plain, mut encoded) = (Vec::new(), Vec::new());
    for (name, value) in sorted {
        for out in [&mut plain, &mut encoded] {
            if !out.is_empty() {
                out.push(b'&');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
        }
        plain.extend_from_slice(value.as_bytes());
        encode(value, &mut encoded);
    }
    let other = (plain != encoded).then_some(encoded);
    [Some(plain), other]
}

/// As Python's `urlencode` does.
fn encode(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b' ' => out.push(b'+'),
            b'_' | b'.' | b'-' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timestamp: &str, window: Option<&str>, now_us: u64) -> i32 {
        let mut params = Params::default();
        params.add("timestamp".into(), timestamp.into());
        if let Some(window) = window {
            params.add("recvWindow".into(), window.into());
        }
        check_time(&params, now_us).err().map_or(0, |failure| failure.code)
    }

    #[test]
    fn a_request_is_neither_of_the_future_nor_old() {
        let now = 1_700_000_000_000_000;
        let cases = [
            ("1700000000000", None, 0),
            ("1700000000000000", None, 0),
            ("1700000000999", None, 0),
            ("1700000001000", None, -1021),
            ("1700000010000", None, -1021),
            ("1700000010001", None, -1102),
            ("1699999995000", None, 0),
            ("1699999994999", None, -1021),
            ("1699999993654", Some("6000.346"), -1021),
            ("1699999993654000", Some("6346"), 0),
            ("1699999993654", Some("6345.999"), -1021),
            ("1699999999999.", None, -1102),
            ("1483228799999", None, -1102),
            ("1700000000000", Some("60000"), 0),
            ("1700000000000", Some("60000.001"), -1131),
            ("1700000000000", Some("1.0001"), -1100),
        ];
        for (timestamp, window, code) in cases {
            assert_eq!(at(timestamp, window, now), code, "{timestamp} {window:?}");
        }
    }

    #[test]
    fn the_signature_is_left_out_wherever_it_stands() {
        assert_eq!(rest_payload("a=1&signature=x&b=2", ""), b"a=1&b=2");
        assert_eq!(rest_payload("a=1", "signature=x&b=2"), b"a=1b=2");
        assert_eq!(rest_payload("signature=x", "b=2&c=%2F"), b"b=2&c=%2F");
    }
}
