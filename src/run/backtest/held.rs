//! What a recorded feed has, told from its first events: a feed is of whatever streams were asked for.

use crate::domain::{InstrumentTable, Market};
use crate::history::catalogue::Series;
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::net::{Frame, FrameSource, SourceError, SourceInfo};
use crate::venue::binance::Decoder;
use crate::venue::{Decoded, LevelBuffer};
use std::ops::Range;

/// Events that are looked at, at most: where a stream is, it has said something by then.
const LOOKED_AT: usize = 8_192;
/// Bytes of frames that are kept for that, at most.
const BYTES_MAX: usize = 64 << 20;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    pub trades: bool,
    pub aggregates: bool,
    pub quotes: bool,
    pub depth: bool,
}

impl Held {
    fn add(&mut self, decoded: &Decoded) {
        match decoded {
            Decoded::Trade(trade) if trade.aggregate => self.aggregates = true,
            Decoded::Trade(_) => self.trades = true,
            Decoded::Quote(_) => self.quotes = true,
            Decoded::DepthDiff(_) | Decoded::DepthSnapshot(_) | Decoded::DepthPartial(_) => self.depth = true,
            _ => {}
        }
    }

    /// Whether there is nothing more to find; `aggregates`: where there are aggregate trades, they are those that count.
    fn is_settled(self, aggregates: bool) -> bool {
        let counts = if aggregates { self.aggregates } else { self.trades };
        counts && self.quotes && self.depth
    }

    /// Whether nothing was found, so that nothing is known.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// What a feed of the history has in a query's range, looked at until it [is settled](Self::is_settled).
    ///
    /// # Errors
    /// [`HistoryError`] where a file cannot be read.
    pub fn of_series(
        catalogue: &Catalogue,
        series: &Series,
        table: &InstrumentTable,
        query: &Query,
        aggregates: bool,
    ) -> Result<Self, HistoryError> {
        let mut events = HistoryEvents::open(catalogue, std::slice::from_ref(series), table, query)?;
        let mut held = Self::default();
        for _ in 0..LOOKED_AT {
            let Some(event) = events.next_event()?.filter(|_| !held.is_settled(aggregates)) else { break };
            held.add(&event.decoded);
        }
        Ok(held)
    }
}

/// Frames whose first ones were looked at; they come again all the same.
pub(super) struct LookedAt<'a> {
    frames: &'a mut (dyn FrameSource + Send),
    held: [Held; Market::ALL.len()],
    /// The frames that were taken for it, and their bytes.
    taken: std::vec::IntoIter<(Frame<'static>, Range<usize>)>,
    bytes: Vec<u8>,
    /// What came after them.
    failed: Option<SourceError>,
}

impl<'a> LookedAt<'a> {
    /// Looks at as many frames as it takes to know the streams of each of these markets; `aggregates`: where there are
    /// aggregate trades, they are those that count.
    pub fn new(
        frames: &'a mut (dyn FrameSource + Send),
        table: &InstrumentTable,
        markets: impl Fn(Market) -> bool,
        aggregates: bool,
    ) -> Self {
        let mut held = [Held::default(); Market::ALL.len()];
        let (mut decoder, mut levels) = (Decoder::new(table), LevelBuffer::new());
        let (mut taken, mut bytes, mut failed) = (Vec::new(), Vec::new(), None);
        let sources = frames.sources().to_vec();
        let known = |held: &[Held]| {
            Market::ALL
                .iter()
                .all(|market| !markets(*market) || held[*market as usize].is_settled(aggregates))
        };
        while taken.len() < LOOKED_AT && bytes.len() < BYTES_MAX && !known(&held) {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let source = &sources[usize::from(frame.source.0)];
                    if let Ok(decoded) = decoder.decode(source, frame.bytes, &mut levels) {
                        held[source.market as usize].add(&decoded);
                    }
                    let begin = bytes.len();
                    bytes.extend_from_slice(frame.bytes);
                    let Frame { received, source, line, .. } = frame;
                    taken.push((Frame { received, source, line, bytes: &[] }, begin..bytes.len()));
                }
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        Self { frames, held, taken: taken.into_iter(), bytes, failed }
    }

    /// What the frames of a market are of.
    pub fn held(&self, market: Market) -> Held {
        self.held[market as usize]
    }
}

impl FrameSource for LookedAt<'_> {
    fn sources(&self) -> &[SourceInfo] {
        self.frames.sources()
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if let Some((frame, range)) = self.taken.next() {
            return Ok(Some(Frame { bytes: &self.bytes[range], ..frame }));
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.frames.next_frame(),
        }
    }

    fn malformed(&self) -> u64 {
        self.frames.malformed()
    }

    fn torn(&self) -> u64 {
        self.frames.torn()
    }
}
