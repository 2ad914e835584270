//! `exchangeInfo` of the spot market: what is listed, by which rules, and how much may be asked for.
//!
//! Owns: the meaning of the reply. Symbols are read one at a time, so that a listing of thousands needs the memory of
//! one; fields and filters that are not known are passed over. A symbol that cannot be traded exactly as it stands is
//! set aside with the reason, and the others are not affected. Nothing of the reply is trusted: its size is bounded,
//! and so is every number in it.

mod document;
mod fields;
pub(super) mod rates;
mod replies;
mod rows;
mod symbol;

pub use rates::{RateKind, RateLimit};
pub use replies::{account_filters, execution_rules};
pub use symbol::{Capabilities, OrderRefusal, OrderTypes, Permissions, Symbol, SymbolRefusal, SymbolStatus};

use super::filters::CountLimits;
use crate::domain::instrument::{FeeRate, SYMBOL_BYTES_MAX};
use crate::domain::{DecimalError, Time};
use thiserror::Error;

/// The largest reply that is read. The whole of Binance, with permission sets, has some 20 MB.
pub const BYTES_MAX: usize = 64 << 20;

/// The most symbols that are read; instruments have 16-bit ids.
pub const SYMBOLS_MAX: usize = 65_000;

/// What the reply does not say of its instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Fee for an order that rested.
    pub maker: FeeRate,
    /// Fee for an order that traded at once.
    pub taker: FeeRate,
}

/// What the venue said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeInfo {
    /// The venue's clock when it answered; zero where it did not say.
    pub server_time: Time,
    /// How much may be asked for.
    pub rate_limits: Vec<RateLimit>,
    /// How many orders may be open on the whole exchange; in every symbol's filters, too.
    pub exchange: CountLimits,
    /// What can be traded, in the venue's order.
    pub symbols: Vec<Symbol>,
    /// What cannot, and why.
    pub unusable: Vec<Unusable>,
    /// Names of filters that we do not know, once each; at most 64 of them.
    pub unknown_filters: Vec<String>,
}

impl ExchangeInfo {
    /// Reads the reply to `GET exchangeInfo` for every symbol in it.
    ///
    /// # Errors
    /// [`InfoError`] where the reply as a whole is of no use.
    pub fn read(body: &[u8], fees: Fees) -> Result<Self, InfoError> {
        Self::read_wanted(body, fees, &|_| true)
    }

    /// Reads it for the symbols that `wanted` names; the others cost no memory.
    ///
    /// # Errors
    /// [`InfoError`] where the reply as a whole is of no use.
    pub fn read_wanted(body: &[u8], fees: Fees, wanted: &dyn Fn(&str) -> bool) -> Result<Self, InfoError> {
        document::read(body, fees, wanted)
    }

    /// The symbol of this name.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|symbol| symbol.instrument.symbol == name)
    }
}

/// A symbol that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("symbol {symbol:?} cannot be traded: {problem}")]
pub struct Unusable {
    /// Its name, cut after 50 characters; empty where it has none.
    pub symbol: String,
    /// What is wrong with it.
    pub problem: SymbolProblem,
}

/// Why a symbol cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolProblem {
    /// A field that must be there is missing or has another type.
    #[error("{0} is missing or has the wrong type")]
    Field(&'static str),
    /// A number that is not one, or does not fit the symbol's precision.
    #[error("{field}: {error}")]
    Number {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// A number below zero.
    #[error("{0} is negative")]
    Negative(&'static str),
    /// A lowest bound above the highest.
    #[error("{0} has a minimum above its maximum")]
    Range(&'static str),
    /// Decimals beyond what a notional of 128 bits holds together.
    #[error("{price} decimals of a price and {qty} of a quantity are more than 18 together")]
    Precision {
        /// Of a price.
        price: u8,
        /// Of a quantity.
        qty: u8,
    },
    /// A name that cannot be looked up.
    #[error("its name must have 1 to {SYMBOL_BYTES_MAX} bytes")]
    Name,
    /// The same filter twice.
    #[error("filter {0} is given twice")]
    FilterTwice(&'static str),
    /// The same symbol twice.
    #[error("it is listed twice")]
    Twice,
}

/// Why a reply is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InfoError {
    /// Larger than any reply there is.
    #[error("the reply has {bytes} bytes, more than the {BYTES_MAX} that are read: ask for single symbols")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It ends in the middle.
    #[error("the reply is cut short after line {line}, column {column}: ask again")]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is not JSON: a page of a proxy, say.
    #[error(
        "the reply is not JSON (line {line}, column {column}); it begins {beginning:?}: is this the venue's address?"
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Its first 60 characters.
        beginning: String,
    },
    /// JSON, and not such a reply.
    #[error("the reply is not exchangeInfo: {0}: is this the venue's address?")]
    Shape(String),
    /// The venue's own refusal.
    #[error("the venue refused: {message} (code {code})")]
    Refused {
        /// Its code.
        code: i64,
        /// Its words, cut after 200 characters.
        message: String,
    },
    /// More symbols than instruments can be numbered.
    #[error("the reply lists more than {SYMBOLS_MAX} symbols: ask for those that are traded")]
    TooManySymbols,
}
