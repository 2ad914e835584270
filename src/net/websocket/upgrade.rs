//! The upgrade from HTTP to WebSocket: the request, and the judgement of its answer.

use super::error::ConnectionError;
use crate::net::endpoint::Endpoint;
use tungstenite::handshake::{client::generate_key, derive_accept_key};

/// An answer's head is smaller than this, or no head at all.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// A request under way.
#[derive(Debug)]
pub(super) struct Upgrade {
    accept: String,
}

impl Upgrade {
    /// The request for `target` (path and query), and what its answer must hold.
    pub fn request(endpoint: &Endpoint, target: &str) -> (Vec<u8>, Self) {
        let key = generate_key();
        let request = format!(
            "GET {}{target} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nUser-Agent: algo-trader/{}\r\n\r\n",
            endpoint.base,
            endpoint.authority(),
            env!("CARGO_PKG_VERSION"),
        );
        (request.into_bytes(), Self { accept: derive_accept_key(key.as_bytes()) })
    }

    /// Judges what came so far; gives the length of the head once it is whole and good.
    pub fn answered(&self, bytes: &[u8]) -> Result<Option<usize>, ConnectionError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(bytes).map_err(|_| ConnectionError::Upgrade("the answer is no HTTP"))?;
        let httparse::Status::Complete(length) = status else {
            if bytes.len() > HEAD_BYTES_MAX {
                return Err(ConnectionError::Upgrade("the answer's head has no end"));
            }
            return Ok(None);
        };
        let code = response.code.unwrap_or(0);
        let value = |name: &str| {
            let header = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            header.and_then(|h| std::str::from_utf8(h.value).ok()).unwrap_or_default()
        };
        if code != 101 {
            let retry_after_s = value("retry-after").trim().parse().ok();
            return Err(ConnectionError::HttpStatus { status: code, retry_after_s });
        }
        if !value("upgrade").eq_ignore_ascii_case("websocket") {
            return Err(ConnectionError::Upgrade("the answer does not upgrade to WebSocket"));
        }
        if value("sec-websocket-accept") != self.accept {
            return Err(ConnectionError::Upgrade("the answer is not to our key"));
        }
        if !value("sec-websocket-extensions").is_empty() {
            return Err(ConnectionError::Upgrade("the answer has an extension nobody asked for"));
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_answer_opens() {
        let endpoint = Endpoint::parse("wss://localhost:9443/base", "wss").expect("good");
        let (request, upgrade) = Upgrade::request(&endpoint, "/ws?x=1");
        let request = String::from_utf8(request).expect("ASCII");
        assert!(request.starts_with("GET /base/ws?x=1 HTTP/1.1\r\nHost: localhost:9443\r\n"), "{request}");
        let accept = &upgrade.accept;
        let good = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nupgrade: WebSocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        let judged = |text: &str| upgrade.answered(text.as_bytes());
        assert_eq!(judged(&format!("{good}rest")), Ok(Some(good.len())));
        assert_eq!(judged(&good[..good.len() - 1]), Ok(None));
        let status = |status, retry_after_s| Err(ConnectionError::HttpStatus { status, retry_after_s });
        assert_eq!(judged("HTTP/1.1 200 OK\r\n\r\n"), status(200, None));
        assert_eq!(judged("HTTP/1.1 429 Slow\r\nretry-after: 7\r\n\r\n"), status(429, Some(7)));
        assert_eq!(judged("SSH-2.0\r\n\r\n"), Err(ConnectionError::Upgrade("the answer is no HTTP")));
        let other = good.replace(accept.as_str(), "AAAA");
        assert_eq!(judged(&other), Err(ConnectionError::Upgrade("the answer is not to our key")));
        let endless = format!("HTTP/1.1 101 X\r\nA: {}", "a".repeat(20_000));
        assert_eq!(judged(&endless), Err(ConnectionError::Upgrade("the answer's head has no end")));
    }
}
