//! Venues: bytes in, events out; orders in, bytes out. No I/O, no clock, but in the server of the local venue.
//!
//! Owns: each venue's formats and rules. A decoder turns one frame into at most one [`Decoded`] message, wholly
//! checked before anything of it is published.

pub mod binance;
pub mod forms;
pub mod local;

pub use forms::{NativeForms, VenueTerms};

use crate::domain::event::{DepthHead, Kline, Quote, Trade};
use crate::domain::{DecimalError, InstrumentId, Level};
use thiserror::Error;

/// What one frame says, in the domain's terms. Levels of depth messages are in the [`LevelBuffer`] given to the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A trade or an aggregate trade.
    Trade(Trade),
    /// Best bid and ask.
    Quote(Quote),
    /// A depth diff.
    DepthDiff(DepthHead),
    /// A whole book.
    DepthSnapshot(DepthHead),
    /// A partial book.
    DepthPartial(DepthHead),
    /// A bar made by the venue.
    Kline(Kline),
    /// Recorded: what was known of an instrument's market no longer holds, for the connection that carried it was lost.
    Interrupted(InstrumentId),
    /// Well-formed, and of a kind we do not use: counted and passed over.
    Ignored,
    /// Well-formed, of an instrument that the run does not have: counted and passed over.
    UnknownInstrument,
}

/// Reused room for the levels of one depth message: bids, then asks.
#[derive(Debug, Default)]
pub struct LevelBuffer {
    /// The levels, bids first.
    pub levels: Vec<Level>,
}

impl LevelBuffer {
    /// Room for the largest message venues send (5,000 levels a side), so that the hot path never allocates.
    #[must_use]
    pub fn new() -> Self {
        Self { levels: Vec::with_capacity(10_240) }
    }
}

impl DecodeError {
    /// What is to be done about it, for the end of a sentence; nothing where trying again may mend it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Number { error: DecimalError::TooPrecise, .. } => {
                ": the venue's precision has changed; update the instrument's file, and start anew"
            }
            _ => "",
        }
    }
}

/// Why a frame could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Larger than any frame a venue sends.
    #[error("frame is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Not JSON, or cut short, or not UTF-8.
    #[error("not valid JSON")]
    Json,
    /// A field that must be there is missing, or has another type.
    #[error("field {0:?} is missing or has the wrong type")]
    Field(&'static str),
    /// A price or quantity that is not a number of this instrument.
    #[error("field {field:?}: {error}")]
    Number {
        /// Which field.
        field: &'static str,
        /// What is wrong.
        error: DecimalError,
    },
    /// A quantity below zero, or a price not above it.
    #[error("field {0:?} has an impossible value")]
    Impossible(&'static str),
}
