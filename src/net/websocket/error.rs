//! How a connection fails, in types that can be counted and acted on.

use crate::net::tls::CertificateProblem;
use std::io;
use thiserror::Error;

/// Why a connection is no more, or never was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectionError {
    /// The host's name has no address.
    #[error("the name cannot be resolved: {0}")]
    Resolve(String),
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// Not open within the time allowed.
    #[error("it did not open in time; is the way to that port open?")]
    OpenTimeout,
    /// Nothing came for too long.
    #[error("it fell silent: neither data nor a ping, nor an answer to ours")]
    Silent,
    /// What comes stays behind what the server shows elsewhere.
    #[error("a stream that it carries stays behind the venue; another connection took its place")]
    Stale,
    /// The other side broke it off.
    #[error("the connection was reset")]
    Reset,
    /// The operating system said something else.
    #[error("the network failed: {0:?}")]
    Io(io::ErrorKind),
    /// The server's certificate is not good: never connected to.
    #[error("the server's certificate is refused: {0}")]
    Certificate(CertificateProblem),
    /// The server refused by a TLS alert (an old protocol version, for one).
    #[error("the server refused TLS: {0}")]
    TlsAlert(String),
    /// What came is not TLS, or breaks its rules.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The server answered the upgrade with another status than 101.
    #[error("the server answered with HTTP status {status} where 101 was due{}", meaning(*status))]
    HttpStatus {
        /// Which.
        status: u16,
        /// `Retry-After`, where it gives it.
        retry_after_s: Option<u64>,
    },
    /// The answer to the upgrade is no HTTP, or lacks what it must hold.
    #[error("the upgrade to WebSocket failed: {0}")]
    Upgrade(&'static str),
    /// A message over the limit.
    #[error("a message of {bytes} bytes, over the limit of {max}")]
    FrameTooLarge {
        /// Its size so far, or as announced.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The WebSocket protocol was broken.
    #[error("the WebSocket protocol was broken: {0}")]
    Protocol(&'static str),
    /// It ended inside a frame.
    #[error("it ended in the middle of a frame")]
    Truncated,
    /// It ended without a word.
    #[error("the server ended it without saying so")]
    Ended,
    /// The server closed it properly.
    #[error("the server closed it{}", closed_with(*code, reason))]
    Closed {
        /// Its code, if it gave one.
        code: Option<u16>,
        /// What it said; empty where it said nothing.
        reason: String,
    },
}

/// What a status means that a server answers an upgrade with, for the end of a sentence.
const fn meaning(status: u16) -> &'static str {
    match status {
        403 => ": its firewall refuses this address, for too many requests as a rule",
        404 => ": there is nothing at that path; check the address of the streams",
        418 => ": this address is banned, since it went on after too many requests",
        429 => ": too many requests from this address",
        451 => ": it does not serve the place that this address is of",
        _ => "",
    }
}

fn closed_with(code: Option<u16>, reason: &str) -> String {
    match code {
        None => ", without a code".to_owned(),
        Some(code) if reason.is_empty() => format!(" (code {code})"),
        Some(code) => format!(" (code {code}: {reason})"),
    }
}

impl ConnectionError {
    /// A name for counters.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Refused => "refused",
            Self::OpenTimeout => "open_timeout",
            Self::Silent => "silent",
            Self::Stale => "stale",
            Self::Reset => "reset",
            Self::Io(_) => "io",
            Self::Certificate(CertificateProblem::UnknownIssuer) => "certificate_unknown_issuer",
            Self::Certificate(CertificateProblem::WrongName) => "certificate_wrong_name",
            Self::Certificate(CertificateProblem::Expired) => "certificate_expired",
            Self::Certificate(CertificateProblem::NotYetValid) => "certificate_not_yet_valid",
            Self::Certificate(CertificateProblem::Other(_)) => "certificate_other",
            Self::TlsAlert(_) => "tls_alert",
            Self::Tls(_) => "tls",
            Self::HttpStatus { .. } => "http_status",
            Self::Upgrade(_) => "upgrade",
            Self::FrameTooLarge { .. } => "frame_too_large",
            Self::Protocol(_) => "protocol",
            Self::Truncated => "truncated",
            Self::Ended => "ended",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether trying again changes nothing until a person does something.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::HttpStatus { status: 400..=499, .. })
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            kind => Self::Io(kind),
        }
    }
}

impl From<rustls::Error> for ConnectionError {
    fn from(error: rustls::Error) -> Self {
        match (&error, CertificateProblem::from_error(&error)) {
            (_, Some(problem)) => Self::Certificate(problem),
            (rustls::Error::AlertReceived(alert), _) => Self::TlsAlert(format!("{alert:?}")),
            _ => Self::Tls(error.to_string()),
        }
    }
}
