//! What the venue's error codes mean for an order, in one table.
//!
//! Owns: the classes of BINANCE's codes. Invariant: a code that is not in the table is ambiguous, so that nothing is
//! believed refused on a guess.

use super::super::filters::FilterName;
use super::notice::{LocalRefusal, Paused};
use crate::domain::Refused;
use crate::net::said;
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

/// What a request is refused with whose time is more than ten seconds ahead of the venue's: not −1021, but a parameter that
/// is malformed. It is that of the clock all the same, as every request has a time stamp.
const TIMESTAMP: (i32, &str) = (-1102, "'timestamp'");

/// The same as [`meaning`], where the words say more than the code.
#[must_use]
pub fn meaning_of(status: u16, code: i32, message: &str) -> Meaning {
    meaning(status, if is_of_time(code, message) { -1021 } else { code })
}

fn is_of_time(code: i32, message: &str) -> bool {
    code == -1021 || (code == TIMESTAMP.0 && message.contains(TIMESTAMP.1))
}

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $variant:ident = $number:literal, $words:literal;)*) => {
        /// Why the venue refused, as far as a program can tell.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusalKind { $($(#[doc = $doc])* $variant = $number,)* }

        impl RefusalKind {
            /// In words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(RefusalKind::$variant => $words,)* }
            }

            /// By its number in an event. Journals hold them: none is ever given to another.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(RefusalKind::$variant),)* _ => None }
            }
        }
    };
}

causes! {
    /// A filter; [`VenueRefusal::message`] names it.
    Filter = 1, "a filter does not let it pass";
    /// The balance is too small.
    InsufficientBalance = 2, "the balance is too small";
    /// The symbol does not trade.
    MarketClosed = 3, "the market is closed";
    /// A post-only order would have traded.
    WouldTake = 4, "a post-only order would have traded at once";
    /// A stop price that is passed already.
    WouldTrigger = 5, "its stop price is passed already";
    /// An order with this id is open.
    DuplicateId = 6, "an order with this id is open already";
    /// The symbol does not take this type.
    Unsupported = 7, "the symbol does not take such orders";
    /// The account, or the key, may not.
    NotPermitted = 8, "the account, or the key, may not";
    /// Too many orders or requests.
    TooMuch = 9, "too many orders or requests";
    /// The request's time.
    Time = 10, "the request's time is not the venue's";
    /// No such order is open.
    UnknownOrder = 11, "no such order is open";
    /// The venue never had it: its answer was lost, and it was not found for as long as it could have come.
    NeverArrived = 12, "it never came to the venue";
    /// Anything else; the code says more.
    Other = 13, "for a reason of its own";
}

/// Why an order was not sent at all, by the numbers in events; as of [`RefusalKind`] none is ever given to another.
const NOT_SENT: &[(u8, &str)] = &[
    (101, "the account is being looked at"),
    (102, "the venue's clock is not known well enough"),
    (103, "the key is refused"),
    (104, "the venue wants silence, or the rate limit is used up"),
    (105, "there is no connection to send orders by"),
    (106, "sending is stopped"),
    (107, "the instrument is not one of the client's"),
    (108, "the instrument is held back"),
    (109, "the symbol or its filters do not take it"),
    (110, "the symbol is listed with other decimals"),
    (111, "the rate limit has no room"),
    (112, "the request could not be written"),
    (113, "there are more orders at once than orders_max"),
    (114, "an order with this id was placed already"),
    (115, "no such order is open"),
    (116, "what is left of the rate limit is kept for orders that reduce"),
];

impl LocalRefusal {
    /// As an event has it.
    #[must_use]
    pub fn refused(&self) -> Refused {
        use super::super::exchange_info::OrderRefusal;
        let cause = match self {
            Self::NotTrading(Paused::Starting | Paused::NoSession) => 101,
            Self::NotTrading(Paused::Clock) => 102,
            Self::NotTrading(Paused::Key) => 103,
            Self::NotTrading(Paused::Limits) => 104,
            Self::NotTrading(Paused::NoConnection) | Self::NoConnection => 105,
            Self::NotTrading(Paused::Stopped) => 106,
            Self::UnknownInstrument => 107,
            Self::Instrument(_) => 108,
            Self::Rule(_) => 109,
            Self::Precision => 110,
            Self::Budget(_) => 111,
            Self::Request(_) => 112,
            Self::TooManyOrders => 113,
            Self::DuplicateId => 114,
            Self::NoSuchOrder => 115,
            Self::Rationed => 116,
        };
        let filter = match self {
            Self::Rule(OrderRefusal::Filter(breach)) => filter_number(Some(breach.filter)),
            _ => 0,
        };
        Refused { code: 0, cause, filter }
    }
}

fn filter_number(filter: Option<FilterName>) -> u8 {
    let at = filter.and_then(|filter| FilterName::ALL.iter().position(|known| *known == filter));
    at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
}

/// Whether the venue refused for want of balance.
#[must_use]
pub const fn is_of_balance(refused: Refused) -> bool {
    refused.cause == RefusalKind::InsufficientBalance as u8
}

/// A refusal that an event has, in words: `-2010 NEW_ORDER_REJECTED: the balance is too small`.
#[must_use]
pub fn refusal_words(refused: Refused) -> String {
    let Refused { code, cause, filter } = refused;
    let mut told = String::new();
    if code != 0 {
        let name = TABLE.iter().find(|row| row.codes.0 <= code && code <= row.codes.1).map(|row| row.name);
        told = format!("{code} {}", name.unwrap_or("a code that the documentation does not have"));
    }
    let not_sent = NOT_SENT.iter().find(|(number, _)| *number == cause).map(|(_, words)| *words);
    let words = RefusalKind::from_number(cause).map(RefusalKind::words);
    // What the code says alone is not said twice.
    let words = words.filter(|_| cause != RefusalKind::Other as u8 || code == 0);
    if let Some(words) = words.or(not_sent) {
        let before = match (told.is_empty(), not_sent.is_some()) {
            (true, true) => "not sent: ",
            (true, false) => "",
            (false, _) => ": ",
        };
        told += &format!("{before}{words}");
    }
    if let Some(filter) = usize::from(filter).checked_sub(1).and_then(|at| FilterName::ALL.get(at)) {
        told += &format!(", {filter}");
    }
    told
}

/// The longest message that is kept.
const MESSAGE_CHARS_MAX: usize = 200;

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
        let kind = kind(status, code, message);
        Self { kind, status, code, message: said(message.as_bytes(), MESSAGE_CHARS_MAX) }
    }

    /// As an event has it.
    #[must_use]
    pub fn refused(&self) -> Refused {
        let filter = filter_number(self.filter().and_then(|name| FilterName::from_name(name.trim())));
        Refused { code: self.code, cause: self.kind as u8, filter }
    }

    /// Whether it contradicts the symbol's rules as we know them, by which the order was judged before it was sent.
    #[must_use]
    pub fn is_of_rules(&self) -> bool {
        let kinds = [RefusalKind::Filter, RefusalKind::MarketClosed, RefusalKind::Unsupported];
        matches!(self.code, INVALID_MESSAGE | BAD_PRECISION) || kinds.contains(&self.kind)
    }

    /// The filter that did not let the order pass.
    #[must_use]
    pub fn filter(&self) -> Option<&str> {
        self.message.strip_prefix(FILTER)
    }
}

const FILTER: &str = "Filter failure: ";
/// What is refused before the matching engine, by a filter mostly; and a number with more decimals than the symbol has.
const INVALID_MESSAGE: i32 = -1013;
const BAD_PRECISION: i32 = -1111;

fn kind(status: u16, code: i32, message: &str) -> RefusalKind {
    if matches!(status, 403 | 418 | 429) {
        return RefusalKind::TooMuch;
    }
    match code {
        -1003 | -1015 | -1034 => return RefusalKind::TooMuch,
        _ if is_of_time(code, message) => return RefusalKind::Time,
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
        assert!(VenueRefusal::new(400, -1, &"é".repeat(300)).message.chars().count() <= MESSAGE_CHARS_MAX);
        assert_eq!(VenueRefusal::new(400, -1, "a\u{1b}[2J\r\nb\u{9b}").message, "a?[2J  b?");
    }

    #[test]
    fn a_refusal_in_an_event_is_told_with_its_code_and_what_that_means() {
        let told = |code, text| refusal_words(VenueRefusal::new(400, code, text).refused());
        for (code, text, words) in [
            (
                -2010,
                "Account has insufficient balance for requested action.",
                "-2010 NEW_ORDER_REJECTED: the balance is too small",
            ),
            (
                -1013,
                "Filter failure: LOT_SIZE",
                "-1013 INVALID_MESSAGE: a filter does not let it pass, LOT_SIZE",
            ),
            (-1013, "Filter failure: A_NEW_ONE", "-1013 INVALID_MESSAGE: a filter does not let it pass"),
            (-1020, "This operation is not so.", "-1020 UNSUPPORTED_OPERATION"),
            (-4242, "What?", "-4242 a code that the documentation does not have"),
            (0, "", "for a reason of its own"),
        ] {
            assert_eq!(told(code, text), words, "{text}");
        }
        assert_eq!(
            refusal_words(LocalRefusal::NotTrading(Paused::Clock).refused()),
            "not sent: the venue's clock is not known well enough"
        );
        assert_eq!(refusal_words(Refused::default()), "");
        // Every number has its words, and no two things have one number.
        let mut numbers: Vec<u8> = NOT_SENT.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        assert!(
            numbers.len() == NOT_SENT.len() && numbers.iter().all(|n| RefusalKind::from_number(*n).is_none())
        );
    }
}
