//! A server's address as configuration gives it: `wss://host:port/path`, `https://host`.
//!
//! Only encrypted schemes exist here: nothing of this program crosses a network in the clear.

use std::fmt;
use thiserror::Error;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `wss` or `https`.
    pub scheme: &'static str,
    /// Name or address, without brackets.
    pub host: String,
    /// 1 to 65,535.
    pub port: u16,
    /// What stands before every path: empty, or `/` and more without a slash at its end.
    pub base: String,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It begins with something else.
    #[error("must begin with {0}://: only encrypted connections are made")]
    Scheme(&'static str),
    /// The host is missing or cannot be one.
    #[error("has no host that could be a name or an address")]
    Host,
    /// The port is no port.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    /// It carries a query, a fragment or a user.
    #[error("may have a host, a port and a path, and nothing else")]
    Extra,
    /// A webhook's path or query has what cannot be sent.
    #[error(
        "may have a host, a port, a path and a query of ASCII characters without spaces, and nothing else"
    )]
    Target,
}

impl Endpoint {
    /// Reads `text`, which must begin with `scheme` (`wss` or `https`); the port is 443 where none is given.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(text: &str, scheme: &'static str) -> Result<Self, EndpointError> {
        let rest = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        let rest = rest.ok_or(EndpointError::Scheme(scheme))?;
        if rest.contains(['?', '#', '@']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(EndpointError::Extra);
        }
        let (authority, base) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(six) => {
                let (host, after) = six.split_once(']').ok_or(EndpointError::Host)?;
                let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')) };
                (host, port.map(|port| port.ok_or(EndpointError::Port)).transpose()?)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if rustls::pki_types::ServerName::try_from(host).is_err() {
            return Err(EndpointError::Host);
        }
        let port = match port {
            None => 443,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(EndpointError::Port)?,
        };
        Ok(Self { scheme, host: host.to_owned(), port, base: base.to_owned() })
    }

    /// `host:port`, as an HTTP `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_and_prints() {
        let endpoint = Endpoint::parse("wss://stream.binance.com:9443", "wss").expect("good");
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.base.as_str()),
            ("stream.binance.com", 9443, "")
        );
        assert_eq!(endpoint.to_string(), "wss://stream.binance.com:9443");
        let endpoint = Endpoint::parse("https://[::1]:8443/a/b/", "https").expect("good");
        assert_eq!((endpoint.host.as_str(), endpoint.base.as_str()), ("::1", "/a/b"));
        assert_eq!(endpoint.to_string(), "https://[::1]:8443/a/b");
        assert_eq!(Endpoint::parse("https://127.0.0.1", "https").expect("good").authority(), "127.0.0.1");
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        let refused = |text| Endpoint::parse(text, "wss").expect_err(text);
        assert_eq!(refused("ws://a"), EndpointError::Scheme("wss"));
        assert_eq!(refused("https://a"), EndpointError::Scheme("wss"));
        assert_eq!(refused("wss://"), EndpointError::Host);
        assert_eq!(refused("wss://a b"), EndpointError::Extra);
        assert_eq!(refused("wss://user@a"), EndpointError::Extra);
        assert_eq!(refused("wss://a?x=1"), EndpointError::Extra);
        assert_eq!(refused("wss://a:0"), EndpointError::Port);
        assert_eq!(refused("wss://a:99999"), EndpointError::Port);
        assert_eq!(refused("wss://[::1"), EndpointError::Host);
        assert_eq!(refused("wss://[::1]x"), EndpointError::Port);
    }
}
