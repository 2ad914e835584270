//! HTTP/1.1, as much as a venue's clients use: requests in, answers out, apart from any socket.
//!
//! Owns: parsing a request with its query, writing an answer. Knows no route.

use super::super::api::params::decoded;
use std::fmt::Write;
use tungstenite::handshake::derive_accept_key;

const HEAD_BYTES_MAX: usize = 64 * 1024;
const BODY_BYTES_MAX: usize = 1 << 20;
const HEADERS_MAX: usize = 64;

/// A request, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub method: String,
    /// Percent-decoded, without the query.
    pub path: String,
    /// Percent-decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// As it was sent: this is signed.
    pub raw_query: String,
    /// The header `X-MBX-APIKEY`.
    pub api_key: Option<String>,
    pub body: Vec<u8>,
    pub keep_alive: bool,
    /// The key of a WebSocket upgrade.
    pub upgrade: Option<String>,
    /// Times in microseconds were asked for by header.
    pub time_unit: Option<String>,
}

impl Request {
    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why bytes are not a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadRequest {
    Malformed,
    TooLarge,
}

/// Takes the next request from the front of `input`, where it is there whole.
pub(super) fn next_request(input: &mut Vec<u8>) -> Result<Option<Request>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(input) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if input.len() > HEAD_BYTES_MAX => return Err(BadRequest::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadRequest::Malformed),
    };
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let length = match header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= BODY_BYTES_MAX => length,
        Some(Ok(_)) => return Err(BadRequest::TooLarge),
        Some(Err(_)) => return Err(BadRequest::Malformed),
    };
    if header("transfer-encoding").is_some() {
        return Err(BadRequest::Malformed);
    }
    if input.len() < head + length {
        return Ok(None);
    }
    let target = parsed.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let has = |name: &str, value: &str| header(name).is_some_and(|h| h.to_ascii_lowercase().contains(value));
    let websocket = has("upgrade", "websocket") && has("connection", "upgrade");
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: decoded(path),
        raw_query: query.to_owned(),
        api_key: header("x-mbx-apikey").map(str::to_owned),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decoded(key), decoded(value)))
            .collect(),
        keep_alive: !has("connection", "close") && parsed.version == Some(1),
        upgrade: header("sec-websocket-key").filter(|_| websocket).map(str::to_owned),
        time_unit: header("x-mbx-time-unit").map(str::to_owned),
        body: input[head..head + length].to_vec(),
    };
    input.drain(..head + length);
    Ok(Some(request))
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The venue's error body.
    pub fn error(status: u16, code: i32, text: &str) -> Self {
        Self::json(status, serde_json::json!({ "code": code, "msg": text }).to_string())
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn write(&self, out: &mut Vec<u8>, keep_alive: bool) {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: {}\r\n",
            self.status,
            reason(self.status),
            self.body.len()
        );
        for (name, value) in &self.headers {
            // Writing into a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str(if keep_alive {
            "Connection: keep-alive\r\n\r\n"
        } else {
            "Connection: close\r\n\r\n"
        });
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.body);
    }
}

/// Appends the answer that turns a connection into a WebSocket.
pub(super) fn write_upgrade(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(derive_accept_key(key.as_bytes()).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        401 => "Unauthorized",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_once_it_is_whole() {
        let text = b"GET /api/v3/depth?symbol=BTC%55SDT&limit=5 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}GET";
        for cut in 0..text.len() - 3 {
            assert_eq!(next_request(&mut text[..cut].to_vec()), Ok(None), "{cut}");
        }
        let mut input = text.to_vec();
        let request = next_request(&mut input).expect("well-formed").expect("whole");
        assert_eq!((request.path.as_str(), request.param("symbol")), ("/api/v3/depth", Some("BTCUSDT")));
        assert_eq!((request.body.as_slice(), input.as_slice()), (&b"{}"[..], &b"GET"[..]));
        assert!(request.keep_alive && request.upgrade.is_none());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(next_request(&mut b"\x16\x03\x01\r\n\r\n".to_vec()), Err(BadRequest::Malformed));
        let huge = b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n";
        assert_eq!(next_request(&mut huge.to_vec()), Err(BadRequest::TooLarge));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(next_request(&mut chunked.to_vec()), Err(BadRequest::Malformed));
        let endless = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'x'; HEAD_BYTES_MAX]].concat();
        assert_eq!(next_request(&mut endless.clone()), Err(BadRequest::TooLarge));
        assert_eq!(decoded("a%2Fb%zz%"), "a/b%zz%");
    }
}
