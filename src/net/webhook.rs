//! A webhook's address, as other people's services hand it out: path and query to the byte, and secret.

use super::endpoint::{Endpoint, EndpointError};
use std::fmt;

/// An https address that something is posted to. What comes after its host may be a secret, so only the host is ever told.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    server: Endpoint,
    target: String,
}

impl Webhook {
    /// Reads an address: `https://host:port/path?query`, the port 443 where none is given.
    ///
    /// # Errors
    /// [`EndpointError`]: without `https`, without a host, with a user or a fragment.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let begin = text.find("://").map_or(0, |at| at + 3);
        let end = text[begin..].find(['/', '?', '#']).map_or(text.len(), |at| begin + at);
        let (server, target) = text.split_at(end);
        let server = Endpoint::parse(server, "https")?;
        // What cannot stand in a request's first line is no address: it would only fail once something has to be told.
        if target.contains('#') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Target);
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { server, target: format!("{slash}{target}") })
    }

    /// The address in an environment variable; none where it is not set or empty.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_env(variable: &str) -> Result<Option<Self>, EndpointError> {
        let text = std::env::var(variable).unwrap_or_default();
        if text.is_empty() { Ok(None) } else { Self::parse(&text).map(Some) }
    }

    /// Where to connect to.
    #[must_use]
    pub const fn server(&self) -> &Endpoint {
        &self.server
    }

    /// Path and query. Secret.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.server.authority())
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_stay_as_they_were_given_and_are_not_shown() {
        for (text, server, target) in [
            ("https://h/services/T0/x", "h", "/services/T0/x"),
            ("https://h:8443/hook/?code=a%3Db&sig=@//c?", "h:8443", "/hook/?code=a%3Db&sig=@//c?"),
            ("https://h?token=1", "h", "/?token=1"),
            ("https://[::1]:8443", "[::1]:8443", "/"),
        ] {
            let webhook = Webhook::parse(text).expect(text);
            assert_eq!((webhook.server().authority().as_str(), webhook.target()), (server, target));
            assert_eq!(format!("{webhook} {webhook:?}"), format!("{server} Webhook({server})"));
        }
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused() {
        let refused = |text| Webhook::parse(text).expect_err(text);
        assert_eq!(refused("http://h/x"), EndpointError::Scheme("https"));
        assert_eq!(refused("h/x"), EndpointError::Scheme("https"));
        assert_eq!(refused("https:///x"), EndpointError::Host);
        assert_eq!(refused("https://h:0/x"), EndpointError::Port);
        assert_eq!(refused("https://user@h/x"), EndpointError::Extra);
        for text in ["https://h/x#y", "https://h/a b", "https://h/\u{e9}", "https://h/x\r\ny: z"] {
            assert_eq!(refused(text), EndpointError::Target);
        }
    }
}
