//! Reading a segment: one block at a time, its rows as the domain's messages.

use super::block::{Block, Col, Unit};
use super::pack::PADDING;
use super::row::RowKind;
use super::{Corrupt, END_MAGIC, MAGIC, PLACE_BYTES, Place, SegmentError, TAIL_BYTES, TURNOVER_DECIMALS};
use crate::domain::bars::Columns;
use crate::domain::decimal::POW10;
use crate::domain::event::{BarOrigin, DepthHead, Kline, Quote, Trade};
use crate::domain::{BarColumns, InstrumentId, Level, Notional, Price, Qty, Side, Time, TimedBar};
use crate::venue::Decoded;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug)]
pub struct SegmentReader {
    path: PathBuf,
    file: File,
    places: Vec<Place>,
    /// Index of the block after the one held.
    next_block: usize,
    bytes: Vec<u8>,
    block: Block,
    levels: Vec<Level>,
    at: Places,
    instrument: InstrumentId,
    decimals: (u8, u8),
    turnover: Turnover,
}

/// The next row, and the next of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    row: usize,
    trade: usize,
    quote: usize,
    depth: usize,
    bar: usize,
    level: usize,
}

impl SegmentReader {
    /// Opens the segment; its numbers are given in units of 10^-`decimals` (prices, quantities), its events named
    /// `instrument`.
    ///
    /// # Errors
    /// [`SegmentError`] where it cannot be read or is not whole.
    pub fn open(path: &Path, instrument: InstrumentId, decimals: (u8, u8)) -> Result<Self, SegmentError> {
        let io = |error| SegmentError::Io { path: path.display().to_string(), error };
        let file = File::open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SegmentError::Missing { path: path.display().to_string() },
            _ => io(error),
        })?;
        let places = read_index(&file).map_err(|fault| match fault {
            IndexFault::Io(error) => io(error),
            IndexFault::Corrupt(problem) => {
                SegmentError::Corrupt { path: path.display().to_string(), place: "its index".into(), problem }
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            places,
            next_block: 0,
            bytes: Vec::new(),
            block: Block::new(),
            levels: Vec::new(),
            at: Places::default(),
            instrument,
            decimals,
            turnover: Turnover::to(decimals.0 + decimals.1),
        })
    }

    /// Gives the turnover of bars with all its decimals, [`TURNOVER_DECIMALS`], instead of those of a notional.
    pub fn keep_turnover(&mut self) {
        self.turnover = Turnover::Same;
    }

    /// Goes to the first event at or after `time`; to be called before the first event is taken.
    ///
    /// # Errors
    /// [`SegmentError`].
    pub fn seek(&mut self, time: Time) -> Result<(), SegmentError> {
        self.next_block = self.places.partition_point(|place| place.last < time.0);
        while self.peek()?.is_some_and(|at| at < time) {
            self.take();
        }
        Ok(())
    }

    /// The largest price and the largest quantity of all that is left, in the units asked for, without their signs.
    ///
    /// # Errors
    /// [`SegmentError`] where a block cannot be read or is damaged.
    pub fn largest(&mut self) -> Result<[u64; 2], SegmentError> {
        let mut largest = [0; 2];
        while self.next_block()? {
            for (largest, unit) in largest.iter_mut().zip([Unit::Price, Unit::Qty]) {
                *largest = self.block.largest(unit).max(*largest);
            }
        }
        Ok(largest)
    }

    /// The time of the next event; `None` at the end.
    ///
    /// # Errors
    /// [`SegmentError`] where its block cannot be read or is damaged.
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Time>, SegmentError> {
        if self.at.row >= self.block.rows() && !self.next_block()? {
            return Ok(None);
        }
        Ok(Some(Time(self.block.at(Col::Time, self.at.row) as u64)))
    }

    /// The next event, with the levels of a depth event; to be called after [`peek`](Self::peek) gave its time.
    ///
    /// # Panics
    /// If there is no next event.
    #[inline]
    pub fn take(&mut self) -> (Decoded, &[Level]) {
        let row = self.at.row;
        self.at.row += 1;
        let time = self.block.at(Col::Time, row);
        match self.block.at(Col::Kind, row) {
            0 => (self.trade(time, false), &[]),
            1 => (self.trade(time, true), &[]),
            2 => (self.quote(), &[]),
            6 => (Decoded::Kline(self.bar(time)), &[]),
            kind => self.depth(time, kind),
        }
    }

    /// Hands over the trades that come next before `end`, at most `max` and no more than the block held has, and says how
    /// many there were.
    #[inline]
    pub fn take_trades(&mut self, end: Time, max: usize, mut take: impl FnMut(Time, &Trade)) -> usize {
        let (block, row, at) = (&self.block, self.at.row, self.at.trade);
        // Asked before every event of a feed, most of which are none.
        if block.col(Col::Kind).get(row).is_none_or(|kind| *kind > RowKind::AggTrade as i64) {
            return 0;
        }
        let rows = block.col(Col::Time)[row..].iter().zip(&block.col(Col::Kind)[row..]);
        let prices = block.col(Col::TradePrice)[at..].iter().zip(&block.col(Col::TradeQty)[at..]);
        let others = block.col(Col::TradeId)[at..].iter().zip(&block.col(Col::TradeLag)[at..]);
        let trades = prices.zip(others).zip(&block.col(Col::Sold)[at..]);
        let mut taken = 0;
        for ((&time, &kind), (((&price, &qty), (&id, &lag)), &sold)) in rows.zip(trades).take(max) {
            if kind > RowKind::AggTrade as i64 || time as u64 >= end.0 {
                break;
            }
            let aggregate = kind == RowKind::AggTrade as i64;
            take(Time(time as u64), &trade_of(self.instrument, time, aggregate, [price, qty, id, lag, sold]));
            taken += 1;
        }
        self.at.row += taken;
        self.at.trade += taken;
        taken
    }

    /// How many bars come next before `end`, at most `max` and of the block held.
    pub fn bars_ahead(&self, end: Time, max: usize) -> usize {
        let (block, row) = (&self.block, self.at.row);
        let (times, kinds) = (&block.col(Col::Time)[row..], &block.col(Col::Kind)[row..]);
        let bars = if block.is_of_bars() {
            times.len().min(max)
        } else {
            kinds.iter().take(max).take_while(|kind| **kind == RowKind::Bar as i64).count()
        };
        times[..bars].partition_point(|time| (*time as u64) < end.0)
    }

    /// The first so many of the [bars ahead](Self::bars_ahead).
    ///
    /// # Panics
    /// If there are fewer.
    #[inline]
    pub fn bar_columns(&self, bars: usize) -> BarColumns<'_> {
        let part = |col| &self.block.col(col)[self.at.bar..self.at.bar + bars];
        BarColumns::from(Columns {
            instrument: self.instrument,
            times: &self.block.col(Col::Time)[self.at.row..self.at.row + bars],
            lags: part(Col::OpenLag),
            opens: part(Col::Open),
            highs: part(Col::High),
            lows: part(Col::Low),
            closes: part(Col::Close),
            volumes: part(Col::Volume),
            trades: part(Col::Trades),
        })
    }

    /// One of the bars ahead, whole; the next is 0.
    ///
    /// # Panics
    /// If there is no such.
    #[inline]
    pub fn bar_ahead(&self, bar: usize) -> TimedBar {
        let time = self.block.at(Col::Time, self.at.row + bar);
        TimedBar { time: Time(time as u64), bar: self.bar_at(time, self.at.bar + bar) }
    }

    /// Passes over so many of the bars ahead.
    #[inline]
    pub fn skip_bars(&mut self, bars: usize) {
        self.at.row += bars;
        self.at.bar += bars;
    }

    #[inline]
    fn trade(&mut self, time: i64, aggregate: bool) -> Decoded {
        let (block, at) = (&self.block, self.at.trade);
        self.at.trade += 1;
        let columns = [Col::TradePrice, Col::TradeQty, Col::TradeId, Col::TradeLag, Col::Sold];
        Decoded::Trade(trade_of(self.instrument, time, aggregate, columns.map(|col| block.at(col, at))))
    }

    #[inline]
    fn quote(&mut self) -> Decoded {
        let (block, at) = (&self.block, self.at.quote);
        self.at.quote += 1;
        Decoded::Quote(Quote {
            instrument: self.instrument,
            bid: Level::new(block.at(Col::BidPrice, at), block.at(Col::BidQty, at)),
            ask: Level::new(block.at(Col::AskPrice, at), block.at(Col::AskQty, at)),
            update_id: block.at(Col::UpdateId, at) as u64,
        })
    }

    #[inline]
    fn bar(&mut self, time: i64) -> Kline {
        let bar = self.bar_at(time, self.at.bar);
        self.at.bar += 1;
        bar
    }

    /// The bar at a place among the block's, which is known at `time`.
    #[inline]
    fn bar_at(&self, time: i64, at: usize) -> Kline {
        // Column by column, written out: a map over their names would look each up.
        let of = |col| self.block.at(col, at);
        let prices = [of(Col::Open), of(Col::High), of(Col::Low), of(Col::Close)];
        let lags = [of(Col::OpenLag), of(Col::CloseLag)];
        let turnover = [of(Col::TurnoverHigh), of(Col::TurnoverLow)];
        let others = (of(Col::Volume), of(Col::Trades), of(Col::Closed));
        self.turnover.bar(self.instrument, time, prices, lags, turnover, others)
    }

    #[inline]
    fn depth(&mut self, time: i64, kind: i64) -> (Decoded, &[Level]) {
        let (block, at) = (&self.block, self.at.depth);
        self.at.depth += 1;
        let head = DepthHead {
            instrument: self.instrument,
            first_id: block.at(Col::FirstId, at) as u64,
            last_id: block.at(Col::LastId, at) as u64,
            prev_id: block.at(Col::PrevId, at) as u64,
            venue_time: before(time, block.at(Col::DepthLag, at)),
            bids: block.at(Col::Bids, at) as u32,
            asks: block.at(Col::Asks, at) as u32,
        };
        let from = self.at.level;
        self.at.level += head.levels();
        let decoded = match kind {
            k if k == RowKind::Snapshot as i64 => Decoded::DepthSnapshot(head),
            k if k == RowKind::Partial as i64 => Decoded::DepthPartial(head),
            k if k == RowKind::Interrupted as i64 => Decoded::Interrupted(head.instrument),
            _ => Decoded::DepthDiff(head),
        };
        (decoded, &self.levels[from..self.at.level])
    }

    /// Reads the next block; false at the end.
    #[cold]
    fn next_block(&mut self) -> Result<bool, SegmentError> {
        let Some(place) = self.places.get(self.next_block).copied() else { return Ok(false) };
        self.next_block += 1;
        self.at = Places::default();
        let len = place.len as usize;
        self.bytes.resize(len + PADDING, 0);
        let (packed, padding) = self.bytes.split_at_mut(len);
        padding.fill(0);
        if let Err(error) = self.file.read_exact_at(packed, place.offset) {
            self.block.clear();
            return Err(SegmentError::Io { path: self.path.display().to_string(), error });
        }
        let good = match crc32fast::hash(&self.bytes[..len]) == place.crc {
            true => self.block.decode(&self.bytes),
            false => Err(Corrupt::Checksum),
        };
        let good = good.and_then(|()| {
            if self.block.rows() == place.rows as usize && place.rows > 0 {
                Ok(())
            } else {
                Err(Corrupt::Counts)
            }
        });
        if let Err(problem) = good {
            self.block.clear();
            return Err(SegmentError::Corrupt {
                path: self.path.display().to_string(),
                place: format!("block {} of {}", self.next_block, self.places.len()),
                problem,
            });
        }
        self.scale(Unit::Price, "prices", self.block.price_decimals, self.decimals.0)?;
        self.scale(Unit::Qty, "quantities", self.block.qty_decimals, self.decimals.1)?;
        self.levels.clear();
        self.levels.reserve_exact(self.block.col(Col::LevelPrice).len().next_power_of_two());
        let levels = self.block.col(Col::LevelPrice).iter().zip(self.block.col(Col::LevelQty));
        self.levels.extend(levels.map(|(price, qty)| Level::new(*price, *qty)));
        Ok(true)
    }

    /// Brings numbers to the precision that is asked for.
    fn scale(&mut self, unit: Unit, what: &'static str, found: u8, wanted: u8) -> Result<(), SegmentError> {
        if found == wanted {
            return Ok(());
        }
        let by = wanted.checked_sub(found).and_then(|n| POW10.get(usize::from(n)));
        by.and_then(|by| self.block.multiply(unit, *by)).ok_or_else(|| {
            self.block.clear();
            let path = self.path.display().to_string();
            match found > wanted {
                true => SegmentError::Precision { path, what, found, wanted },
                false => SegmentError::TooLarge { path, what, found, wanted },
            }
        })
    }
}

/// A trade from its row's columns: price, quantity, id, lag, and whether the aggressor sold.
#[inline]
fn trade_of(
    instrument: InstrumentId,
    time: i64,
    aggregate: bool,
    [price, qty, id, lag, sold]: [i64; 5],
) -> Trade {
    Trade {
        instrument,
        price: Price(price),
        qty: Qty(qty),
        id: id as u64,
        venue_time: before(time, lag),
        aggressor: if sold == 0 { Side::Buy } else { Side::Sell },
        aggregate,
    }
}

#[inline]
fn before(time: i64, lag: i64) -> Time {
    Time(time.wrapping_sub(lag) as u64)
}

/// How a turnover is brought to the decimals of a notional; what is finer is cut off.
#[derive(Debug, Clone, Copy)]
enum Turnover {
    Same,
    Times(i128),
    Over(i128),
}

impl Turnover {
    fn to(decimals: u8) -> Self {
        let unit = |n: u8| 10i128.pow(u32::from(n));
        match decimals.checked_sub(TURNOVER_DECIMALS) {
            Some(0) => Self::Same,
            Some(more) => Self::Times(unit(more)),
            None => Self::Over(unit(TURNOVER_DECIMALS - decimals)),
        }
    }

    /// A bar of its columns; `others` are volume, number of trades, and whether it is closed.
    #[inline]
    fn bar(
        self,
        instrument: InstrumentId,
        time: i64,
        [open, high, low, close]: [i64; 4],
        [open_lag, close_lag]: [i64; 2],
        [above, below]: [i64; 2],
        (volume, trades, closed): (i64, i64, i64),
    ) -> Kline {
        let turnover = i128::from(above) << 64 | i128::from(below as u64);
        Kline {
            instrument,
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            volume: Qty(volume),
            open_time: before(time, open_lag),
            close_time: before(time, close_lag),
            trades: trades as u64,
            quote_volume: Notional(match self {
                Self::Same => turnover,
                Self::Times(by) => turnover.saturating_mul(by),
                Self::Over(by) => turnover / by,
            }),
            closed: closed != 0,
            origin: BarOrigin::Told,
        }
    }
}

enum IndexFault {
    Io(std::io::Error),
    Corrupt(Corrupt),
}

impl From<Corrupt> for IndexFault {
    fn from(problem: Corrupt) -> Self {
        Self::Corrupt(problem)
    }
}

fn read_index(file: &File) -> Result<Vec<Place>, IndexFault> {
    let len = file.metadata().map_err(IndexFault::Io)?.len();
    if len < (MAGIC.len() + TAIL_BYTES) as u64 {
        return Err(Corrupt::Short.into());
    }
    let mut magic = [0u8; 8];
    file.read_exact_at(&mut magic, 0).map_err(IndexFault::Io)?;
    let mut tail = [0u8; TAIL_BYTES];
    let tail_at = len - TAIL_BYTES as u64;
    file.read_exact_at(&mut tail, tail_at).map_err(IndexFault::Io)?;
    if &magic != MAGIC || &tail[8..] != END_MAGIC {
        return Err(Corrupt::Magic.into());
    }
    let word = |at: usize| tail[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
    let index_bytes = word(0) as usize * PLACE_BYTES;
    let index_at = tail_at.checked_sub(index_bytes as u64).ok_or(Corrupt::Counts)?;
    let mut index = vec![0; index_bytes];
    file.read_exact_at(&mut index, index_at).map_err(IndexFault::Io)?;
    if crc32fast::hash(&index) != word(4) {
        return Err(Corrupt::Checksum.into());
    }
    let places: Vec<Place> = index.as_chunks::<PLACE_BYTES>().0.iter().map(Place::read).collect();
    let whole =
        places.iter().all(|p| p.offset.checked_add(u64::from(p.len)).is_some_and(|end| end <= index_at));
    if whole { Ok(places) } else { Err(Corrupt::Short.into()) }
}
