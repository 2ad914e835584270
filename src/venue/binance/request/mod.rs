//! Requests to Binance's spot REST and WebSocket APIs, signed, into fixed buffers.
//!
//! Owns: what is signed, and in which order. A [`Request`] is written to either transport through [`Params`]:
//!
//! | | REST ([`RestRequest`]) | WebSocket API ([`WsRequest`]) |
//! | --- | --- | --- |
//! | signed text | the query as it is sent, percent-encoded first | all parameters sorted by name, not encoded |
//! | the API key | in a header, not signed | a parameter, signed |
//! | the signature | percent-encoded, last in the query | a JSON string as it is |
//! | after `session.logon` | – | neither key nor signature are needed |
//!
//! Invariants: nothing is allocated (but by RSA's arithmetic); a request is either whole or an error.

mod name;
mod operation;
mod rest;
mod self_trade;
mod websocket;

pub use name::Name;
pub use operation::{Leg, OrderRef, Request};
pub use rest::{RestCall, RestRequest};
pub use self_trade::SelfTradeMode;
pub use websocket::{Auth, WsParams, WsRequest};

use crate::security::{Algorithm, SignError};
use thiserror::Error;

/// Writes parameters in the form of a transport.
pub trait Params {
    /// A text of characters that no transport has to escape: `[A-Za-z0-9._-]`. For names and ids made here.
    fn token(&mut self, name: Name, text: &[u8]);
    /// Any other text.
    fn text(&mut self, name: Name, text: &str);
    /// A whole number.
    fn integer(&mut self, name: Name, value: u64);
    /// A number in units of 10^-`decimals`, sent as text and so exact.
    fn decimal(&mut self, name: Name, value: i64, decimals: u8);
    /// True or false.
    fn flag(&mut self, name: Name, value: bool);
}

/// How long after its timestamp a request may still be accepted: up to 60 s, in microseconds, of which Binance takes
/// milliseconds with three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecvWindow {
    micros: u32,
}

impl RecvWindow {
    /// The longest that Binance takes.
    pub const MAX: Self = Self { micros: 60_000_000 };

    /// A window of this many microseconds; `None` unless it is 1 to 60,000,000.
    #[must_use]
    pub const fn from_micros(micros: u32) -> Option<Self> {
        if micros == 0 || micros > Self::MAX.micros { None } else { Some(Self { micros }) }
    }

    /// A window of this many milliseconds; `None` unless it is 1 to 60,000.
    #[must_use]
    pub const fn from_millis(millis: u32) -> Option<Self> {
        match millis.checked_mul(1_000) {
            Some(micros) => Self::from_micros(micros),
            None => None,
        }
    }

    /// Its length in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.micros as u64 * 1_000
    }

    /// Its value in units of 10^-decimals milliseconds, and the decimals: as few as there can be, since it goes into
    /// JSON as a number, which a venue that reads it would print so when it makes the text to verify.
    #[inline]
    const fn scaled(self) -> (i64, u8) {
        let (mut value, mut decimals) = (self.micros, 3);
        while decimals > 0 && value.is_multiple_of(10) {
            value /= 10;
            decimals -= 1;
        }
        (value as i64, decimals)
    }
}

/// When a request is made, and how long it is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The venue's time: milliseconds since 1970, or microseconds, which it tells apart by their size.
    pub timestamp: u64,
    /// How long it is good; Binance takes 5 s where nothing is said.
    pub recv_window: Option<RecvWindow>,
}

/// Why a request is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    /// An order of another market.
    #[error("orders are sent for spot instruments alone; this one is of another market")]
    NotSpot,
    /// A method that the transport does not have.
    #[error("{method} exists on the WebSocket API alone: send it there")]
    NotRest {
        /// The method's name there.
        method: &'static str,
    },
    /// Logging on needs a signature.
    #[error("session.logon must be signed: give it the credentials")]
    LogonUnsigned,
    /// Sessions are for Ed25519 keys.
    #[error(
        "session.logon takes Ed25519 keys alone, and this is {0}: sign each request, or make an Ed25519 key"
    )]
    LogonNeedsEd25519(Algorithm),
    /// Parameters of the WebSocket API that were not written in the order of their names, or one twice.
    #[error("parameter {} is out of order or given twice", .0.text())]
    Unsorted(Name),
    /// A request larger than its buffer.
    #[error("the request is longer than {bytes_max} bytes: give shorter parameters")]
    TooLong {
        /// The buffer's size.
        bytes_max: usize,
    },
    /// The primitive failed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_positive_and_a_minute_at_most() {
        assert_eq!(RecvWindow::from_micros(0), None);
        assert_eq!(RecvWindow::from_micros(60_000_001), None);
        assert_eq!(RecvWindow::from_millis(60_001), None);
        assert_eq!(RecvWindow::from_millis(u32::MAX), None);
        assert_eq!(RecvWindow::from_millis(60_000), Some(RecvWindow::MAX));
        assert_eq!(RecvWindow::from_micros(6_000_346).map(RecvWindow::scaled), Some((6_000_346, 3)));
        assert_eq!(RecvWindow::from_micros(29_402_710).map(RecvWindow::scaled), Some((2_940_271, 2)));
        assert_eq!(RecvWindow::from_millis(5_000).map(RecvWindow::scaled), Some((5_000, 0)));
    }
}
