//! Binance: frames of spot, USD-M and COIN-M streams and depth snapshots in, order requests out.
//!
//! Owns: Binance's formats. Does no I/O. Invariant: a frame has one meaning; the fast path
//! (`scan`) either gives what the reference path (`tape`) gives, or gives nothing.

mod bytes;
pub mod client;
mod cursor;
pub mod encode;
pub mod exchange_info;
pub mod filters;
mod interruption;
pub mod klines;
pub mod limits;
pub mod number;
pub mod request;
mod scan;
pub mod streams;
mod symbols;
mod tape;
mod unread;

pub use bytes::FixedBytes;
pub use interruption::{interruption, is_interruption};
pub use unread::Unread;

use super::{DecodeError, Decoded, LevelBuffer};
use crate::domain::{Instrument, InstrumentTable, Market};
use crate::net::SourceInfo;

/// The largest frame that is decoded: a book of 5,000 levels a side has some 300 kB.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Whether each number between the ids of two of an instrument's trades is that of a trade, or of an `aggregate` one, that the
/// venue's streams bring, so that one which is passed over is missing. Ids go up by one for each symbol; but futures use up
/// those of single trades for fills that are not made on the book too, which are no market data.
#[must_use]
pub fn ids_are_dense(instrument: &Instrument, aggregate: bool) -> bool {
    instrument.venue == "binance" && (aggregate || instrument.market == Market::Spot)
}

/// Turns Binance's frames into the domain's messages. One for each thread that decodes; all its room is reused.
///
/// A combined frame names its stream: `{"stream":"btcusdt@trade","data":{…}}`. A raw one is the `data` alone; with a
/// `lastUpdateId` it is a REST snapshot, whose instrument is the source's unless it names one itself. Raw partial
/// books of spot streams cannot be told from snapshots and are taken for them: combine those streams.
pub struct Decoder {
    table: InstrumentTable,
    symbols: symbols::Symbols,
    parser: tape::Parser,
    fast_hits: u64,
    fallbacks: u64,
}

impl Decoder {
    /// A decoder for the instruments of `table`, which it copies.
    #[must_use]
    pub fn new(table: &InstrumentTable) -> Self {
        Self {
            table: table.clone(),
            symbols: symbols::Symbols::new(table),
            parser: tape::Parser::new(),
            fast_hits: 0,
            fallbacks: 0,
        }
    }

    /// Decodes one frame; levels of depth messages replace what is in `levels`.
    ///
    /// # Errors
    /// [`DecodeError`] where the frame is not JSON, lacks a field of its kind, or has an impossible value; `levels`
    /// then holds nothing of use.
    #[inline]
    pub fn decode(
        &mut self,
        source: &SourceInfo,
        frame: &[u8],
        levels: &mut LevelBuffer,
    ) -> Result<Decoded, DecodeError> {
        levels.levels.clear();
        if frame.len() <= FRAME_BYTES_MAX
            && let Some(decoded) = scan::scan(&self.symbols, source, frame, &mut levels.levels)
        {
            self.fast_hits += 1;
            return Ok(decoded);
        }
        self.fallbacks += 1;
        self.decode_reference(source, frame, levels)
    }

    /// [`decode`](Self::decode) by the reference path alone: slower, and the same.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_reference(
        &mut self,
        source: &SourceInfo,
        frame: &[u8],
        levels: &mut LevelBuffer,
    ) -> Result<Decoded, DecodeError> {
        levels.levels.clear();
        if frame.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge { max: FRAME_BYTES_MAX });
        }
        self.parser.decode(&self.table, source, frame, &mut levels.levels)
    }

    /// Of which stream a frame is that could not be decoded, if it says so.
    #[cold]
    #[must_use]
    pub fn unread(&self, source: &SourceInfo, frame: &[u8]) -> Option<Unread> {
        unread::unread(&self.table, source.market, frame)
    }

    /// Frames the fast path has decoded.
    #[must_use]
    pub const fn fast_hits(&self) -> u64 {
        self.fast_hits
    }

    /// Frames left to the reference path, errors and frames of no use to us among them.
    #[must_use]
    pub const fn fallbacks(&self) -> u64 {
        self.fallbacks
    }
}
