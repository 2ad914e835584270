//! What a recorded feed has of an instrument, told from its first events: a feed is of whatever streams were asked for.

use crate::domain::{Instrument, InstrumentId, InstrumentTable, Market};
use crate::history::catalogue::Series;
use crate::history::{Catalogue, HistoryError, HistoryEvents, Query};
use crate::net::{Frame, FrameSource, SourceError, SourceInfo};
use crate::venue::binance::Decoder;
use crate::venue::{Decoded, LevelBuffer};
use std::ops::Range;

/// Events of an instrument that are looked at, at most: where a stream is, it has said something by then.
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

    fn add_all(&mut self, other: Self) {
        self.trades |= other.trades;
        self.aggregates |= other.aggregates;
        self.quotes |= other.quotes;
        self.depth |= other.depth;
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

/// Whose market an event is of.
fn instrument_of(decoded: &Decoded) -> Option<InstrumentId> {
    match decoded {
        Decoded::Trade(trade) => Some(trade.instrument),
        Decoded::Quote(quote) => Some(quote.instrument),
        Decoded::DepthDiff(head) | Decoded::DepthSnapshot(head) | Decoded::DepthPartial(head) => {
            Some(head.instrument)
        }
        Decoded::Kline(kline) => Some(kline.instrument),
        Decoded::Interrupted(instrument) => Some(*instrument),
        Decoded::Ignored | Decoded::UnknownInstrument => None,
    }
}

/// Frames whose first ones were looked at; they come again all the same.
pub(super) struct LookedAt<'a> {
    frames: &'a mut (dyn FrameSource + Send),
    /// By instrument.
    held: Vec<Held>,
    /// The frames that were taken for it, and their bytes.
    taken: std::vec::IntoIter<(Frame<'static>, Range<usize>)>,
    bytes: Vec<u8>,
    /// What came after them.
    failed: Option<SourceError>,
}

impl<'a> LookedAt<'a> {
    /// Looks at as many frames as it takes to know the streams of each instrument that is traded; `aggregates`: where there
    /// are aggregate trades, they are those that count.
    pub fn new(
        frames: &'a mut (dyn FrameSource + Send),
        table: &InstrumentTable,
        traded: impl Fn(&Instrument) -> bool,
        aggregates: bool,
    ) -> Self {
        let mut held = vec![Held::default(); table.len()];
        let (mut decoder, mut levels) = (Decoder::new(table), LevelBuffer::new());
        let (mut taken, mut bytes, mut failed) = (Vec::new(), Vec::new(), None);
        let sources = frames.sources().to_vec();
        // How many more events of each are looked at, as of its feed in a history.
        let mut left: Vec<_> = table.all().iter().map(|of| if traded(of) { LOOKED_AT } else { 0 }).collect();
        let mut unknown = left.iter().filter(|left| **left > 0).count();
        while unknown > 0 && bytes.len() < BYTES_MAX {
            match frames.next_frame() {
                Ok(Some(frame)) => {
                    let source = &sources[usize::from(frame.source.0)];
                    if let Ok(decoded) = decoder.decode(source, frame.bytes, &mut levels)
                        && let Some(of) = instrument_of(&decoded).map(InstrumentId::index)
                    {
                        held[of].add(&decoded);
                        if left[of] > 0 {
                            left[of] = if held[of].is_settled(aggregates) { 0 } else { left[of] - 1 };
                            unknown -= usize::from(left[of] == 0);
                        }
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
        // One that said nothing by then is taken to have what others of its market have.
        let mut markets = [Held::default(); Market::ALL.len()];
        for (held, of) in held.iter().zip(table.all()) {
            markets[of.market as usize].add_all(*held);
        }
        for (held, of) in held.iter_mut().zip(table.all()).filter(|(held, _)| held.is_nothing()) {
            *held = markets[of.market as usize];
        }
        Self { frames, held, taken: taken.into_iter(), bytes, failed }
    }

    /// What the frames of an instrument are of.
    pub fn held(&self, instrument: InstrumentId) -> Held {
        self.held[instrument.index()]
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
