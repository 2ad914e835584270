//! What the venue's error codes mean for an order, in one table.
//!
//! Owns: the classes of BINANCE's codes. Invariant: a code that is not in the table is ambiguous, so that nothing is
//! believed refused on a guess.

use std::fmt;
use thiserror::Error;

/// What a code says of the request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It was not done, and will not be.
    Definitive,
    /// It may have been done: ask.
    Ambiguous,
    /// It was not done, and no other will be either: the key, or its rights.
    Fatal,
}

/// What to do beyond telling who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    None,
    /// Ask how the order stands.
    Query,
    /// Measure the clock anew.
    Resync,
    /// Be silent for as long as it says.
    BackOff,
    /// Stop trading and tell.
    Stop,
    /// Open another session.
    Reconnect,
}

/// A code's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// First and last code.
    pub codes: (i32, i32),
    /// Of the request.
    pub class: Class,
    /// What to do.
    pub reaction: Reaction,
    /// Its name in the venue's documentation.
    pub name: &'static str,
}

const fn row(from: i32, to: i32, class: Class, reaction: Reaction, name: &'static str) -> Meaning {
    Meaning { codes: (from, to), class, reaction, name }
}

use Class::{Ambiguous, Definitive, Fatal};

/// Every code that is known. The first row that holds a code counts.
pub const TABLE: &[Meaning] = &[
    row(-1000, -1000, Ambiguous, Reaction::Query, "UNKNOWN"),
    row(-1001, -1001, Ambiguous, Reaction::Query, "DISCONNECTED"),
    row(-1002, -1002, Fatal, Reaction::Stop, "UNAUTHORIZED"),
    row(-1003, -1003, Definitive, Reaction::BackOff, "TOO_MANY_REQUESTS"),
    row(-1006, -1006, Ambiguous, Reaction::Query, "UNEXPECTED_RESP"),
    row(-1007, -1007, Ambiguous, Reaction::Query, "TIMEOUT"),
    // Said not to be executed; asked all the same.
    row(-1008, -1008, Ambiguous, Reaction::Query, "SERVER_BUSY"),
    row(-1010, -1010, Definitive, Reaction::None, "ERROR_MSG_RECEIVED"),
    row(-1013, -1013, Definitive, Reaction::None, "INVALID_MESSAGE"),
    row(-1014, -1014, Definitive, Reaction::None, "UNKNOWN_ORDER_COMPOSITION"),
    row(-1015, -1015, Definitive, Reaction::BackOff, "TOO_MANY_ORDERS"),
    row(-1016, -1016, Definitive, Reaction::None, "SERVICE_SHUTTING_DOWN"),
    row(-1020, -1020, Definitive, Reaction::None, "UNSUPPORTED_OPERATION"),
    row(-1021, -1021, Definitive, Reaction::Resync, "INVALID_TIMESTAMP"),
    row(-1022, -1022, Fatal, Reaction::Stop, "INVALID_SIGNATURE"),
    row(-1034, -1034, Definitive, Reaction::BackOff, "TOO_MANY_CONNECTIONS"),
    row(-1199, -1100, Definitive, Reaction::None, "a parameter"),
    row(-1225, -1210, Definitive, Reaction::None, "a parameter"),
    row(-2010, -2010, Definitive, Reaction::None, "NEW_ORDER_REJECTED"),
    row(-2011, -2011, Definitive, Reaction::Query, "CANCEL_REJECTED"),
    row(-2013, -2013, Definitive, Reaction::Query, "NO_SUCH_ORDER"),
    row(-2014, -2014, Fatal, Reaction::Stop, "BAD_API_KEY_FMT"),
    row(-2015, -2015, Fatal, Reaction::Stop, "REJECTED_MBX_KEY"),
    row(-2016, -2016, Definitive, Reaction::None, "NO_TRADING_WINDOW"),
    row(-2021, -2021, Ambiguous, Reaction::Query, "CANCEL_REPLACE_PARTIALLY_FAILED"),
    row(-2022, -2022, Definitive, Reaction::None, "CANCEL_REPLACE_FAILED"),
    row(-2026, -2026, Definitive, Reaction::None, "ORDER_ARCHIVED"),
    row(-2036, -2035, Definitive, Reaction::None, "SUBSCRIPTION"),
    row(-2042, -2042, Definitive, Reaction::Reconnect, "MAX_SUBSCRIPTIONS"),
    row(-2038, -2038, Definitive, Reaction::None, "ORDER_AMEND_REJECTED"),
    row(-2039, -2039, Definitive, Reaction::None, "CLIENT_ORDER_ID_INVALID"),
    row(-2043, -2043, Definitive, Reaction::None, "NO_REFERENCE_PRICE"),
];

/// What an answer with this status and this code says of its request. Code 0: it had none, or could not be read.
#[must_use]
pub fn meaning(status: u16, code: i32) -> Meaning {
    let unsaid = |class, reaction| Meaning { codes: (code, code), class, reaction, name: "no code" };
    let found = TABLE.iter().find(|row| row.codes.0 <= code && code <= row.codes.1).copied();
    match (status, found) {
        // Whatever stands beside it: the venue says that it does not know.
        (500.., Some(row)) if row.class == Ambiguous => row,
        (500.., _) => unsaid(Ambiguous, Reaction::Query),
        (418 | 429, Some(row)) if row.reaction == Reaction::BackOff => row,
        (403 | 418 | 429, _) => unsaid(Definitive, Reaction::BackOff),
        (401, Some(row)) if row.class == Fatal => row,
        (401, _) => unsaid(Fatal, Reaction::Stop),
        (_, Some(row)) => row,
        (404 | 410, None) => unsaid(Definitive, Reaction::None),
        (_, None) => unsaid(Ambiguous, Reaction::Query),
    }
}

/// Why the venue refused, as far as a program can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A filter; [`VenueRefusal::message`] names it.
    Filter,
    /// The balance is too small.
    InsufficientBalance,
    /// The symbol does not trade.
    MarketClosed,
    /// A post-only order would have traded.
    WouldTake,
    /// A stop price that is passed already.
    WouldTrigger,
    /// An order with this id is open.
    DuplicateId,
    /// The symbol does not take this type.
    Unsupported,
    /// The account, or the key, may not.
    NotPermitted,
    /// Too many orders or requests.
    TooMuch,
    /// The request's time.
    Time,
    /// No such order is open.
    UnknownOrder,
    /// The venue never had it: its answer was lost, and it was not found for as long as it could have come.
    NeverArrived,
    /// Anything else; the code says more.
    Other,
}

/// The longest message that is kept.
const MESSAGE_BYTES_MAX: usize = 200;

/// The venue's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct VenueRefusal {
    /// Why.
    pub kind: RefusalKind,
    /// HTTP status, or that of the WebSocket reply.
    pub status: u16,
    /// The venue's code; 0 where it gave none.
    pub code: i32,
    /// The venue's words, cut after 200 bytes.
    pub message: String,
}

impl fmt::Display for VenueRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl VenueRefusal {
    /// From what the venue said.
    #[must_use]
    pub fn new(status: u16, code: i32, message: &str) -> Self {
        let end = (0..=message.len().min(MESSAGE_BYTES_MAX)).rev().find(|at| message.is_char_boundary(*at));
        let cut = &message[..end.unwrap_or(0)];
        Self { kind: kind(status, code, message), status, code, message: cut.to_owned() }
    }

    /// The filter that did not let the order pass.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        self.message.strip_prefix(FILTER)
    }
}

const FILTER: &str = "Filter failure: ";

fn kind(status: u16, code: i32, message: &str) -> RefusalKind {
    if matches!(status, 403 | 418 | 429) {
        return RefusalKind::TooMuch;
    }
    match code {
        -1003 | -1015 | -1034 => return RefusalKind::TooMuch,
        -1021 => return RefusalKind::Time,
        -1002 | -1022 | -2014 | -2015 => return RefusalKind::NotPermitted,
        -2013 => return RefusalKind::UnknownOrder,
        _ => {}
    }
    // Texts are matched by what cannot well be said otherwise, since the venue may reword them.
    let rules: &[(&str, RefusalKind)] = &[
        ("Filter failure", RefusalKind::Filter),
        ("insufficient balance", RefusalKind::InsufficientBalance),
        ("Market is closed", RefusalKind::MarketClosed),
        ("immediately match and take", RefusalKind::WouldTake),
        ("trigger immediately", RefusalKind::WouldTrigger),
        ("Duplicate order", RefusalKind::DuplicateId),
        ("Unknown order", RefusalKind::UnknownOrder),
        ("not support", RefusalKind::Unsupported),
        ("disabled on this account", RefusalKind::NotPermitted),
        ("may not place or cancel", RefusalKind::NotPermitted),
        ("not permitted", RefusalKind::NotPermitted),
        ("restricted for this account", RefusalKind::NotPermitted),
        ("trading is not enabled", RefusalKind::NotPermitted),
    ];
    let found = rules.iter().find(|(text, _)| message.contains(text));
    found.map_or(RefusalKind::Other, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_documentation_has_its_class() {
        for (status, code, class) in [
            (400, -1013, Class::Definitive),
            (400, -1111, Class::Definitive),
            (400, -1130, Class::Definitive),
            (400, -2010, Class::Definitive),
            (429, -1015, Class::Definitive),
            (400, -1021, Class::Definitive),
            (400, -1022, Class::Fatal),
            (401, -2015, Class::Fatal),
            (400, -2014, Class::Fatal),
            (503, -1007, Class::Ambiguous),
            (500, -1000, Class::Ambiguous),
            (500, -1001, Class::Ambiguous),
            (200, -1006, Class::Ambiguous),
            (503, 0, Class::Ambiguous),
            // A gateway's error does not make a refusal of the code beside it.
            (502, -2010, Class::Ambiguous),
            (400, -9999, Class::Ambiguous),
            (400, 0, Class::Ambiguous),
            (403, 0, Class::Definitive),
            (418, -1003, Class::Definitive),
        ] {
            assert_eq!(meaning(status, code).class, class, "{status} {code}");
        }
        assert_eq!(meaning(400, -1021).reaction, Reaction::Resync);
        assert_eq!(meaning(429, 0).reaction, Reaction::BackOff);
    }

    #[test]
    fn the_rows_are_ranges_and_no_code_stands_in_two() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(row.codes.0 <= row.codes.1, "{row:?}");
            for other in &TABLE[at + 1..] {
                let apart = row.codes.1 < other.codes.0 || other.codes.1 < row.codes.0;
                assert!(apart, "{row:?} {other:?}");
            }
        }
    }

    #[test]
    fn refusals_are_told_apart_and_a_filter_is_named() {
        let lot = VenueRefusal::new(400, -1013, "Filter failure: LOT_SIZE");
        assert_eq!((lot.kind, lot.filter()), (RefusalKind::Filter, Some("LOT_SIZE")));
        for (code, text, kind) in [
            (
                -2010,
                "Account has insufficient balance for requested action.",
                RefusalKind::InsufficientBalance,
            ),
            (-2010, "Market is closed.", RefusalKind::MarketClosed),
            (-2010, "Duplicate order sent.", RefusalKind::DuplicateId),
            (-2010, "Order would immediately match and take.", RefusalKind::WouldTake),
            (-2010, "This symbol is not permitted for this account.", RefusalKind::NotPermitted),
            (-2015, "Invalid API-key, IP, or permissions for action.", RefusalKind::NotPermitted),
            (-2011, "Unknown order sent.", RefusalKind::UnknownOrder),
            (-1013, "Stop loss orders are not supported for this symbol.", RefusalKind::Unsupported),
        ] {
            assert_eq!(VenueRefusal::new(400, code, text).kind, kind, "{text}");
        }
        assert!(VenueRefusal::new(400, -1, &"é".repeat(300)).message.len() <= MESSAGE_BYTES_MAX);
    }
}
