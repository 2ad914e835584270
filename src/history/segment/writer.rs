//! Writing a segment: rows in, blocks out, the index last.

use super::block::{Block, Col, Unit};
use super::row::{DepthRow, Row, RowKind};
use super::scale::{Fit, Num, fit, fits_at};
use super::{END_MAGIC, LEVELS_MAX, MAGIC, Place};
use crate::domain::decimal::{DECIMALS_MAX, POW10};
use crate::domain::{Side, Time};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why a row is not taken. The row is then as if it had never been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Before the row above it.
    #[error("its time is before that of the row above it")]
    Unsorted,
    /// The number does not fit.
    #[error("a number is too large for 64 bits at the precision of this file")]
    TooLarge,
    /// Prices and quantities have too many decimals.
    #[error(
        "prices with {price} and quantities with {qty} decimals: together more than {DECIMALS_MAX}, so that their \
         product is not exact"
    )]
    Precision {
        /// Decimals of prices.
        price: u8,
        /// Decimals of quantities.
        qty: u8,
    },
    /// More levels than any venue sends.
    #[error("a depth event with more than {LEVELS_MAX} levels")]
    Levels,
}

/// What follows what, so that missing events are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapRule {
    /// Trade ids rise by one.
    TradeIds,
    /// A bar begins where the one before ended.
    Bars,
    /// Diffs name the update ids they follow.
    Diffs,
    /// Nothing can be said: times of trading are not known, or there are no ids.
    None,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentStats {
    /// Events.
    pub rows: u64,
    /// Time of the first one, ns since 1970.
    pub first: u64,
    /// Time of the last one.
    pub last: u64,
    /// First trade id or update id; 0 where there are none.
    pub first_id: u64,
    /// Last trade id or update id.
    pub last_id: u64,
    /// Places where something is missing.
    pub gaps: u64,
    /// Trades or bars that are missing there, where that is known.
    pub missing: u64,
    /// The file's size.
    pub bytes: u64,
    /// Decimals of prices.
    pub price_decimals: u8,
    /// Decimals of quantities.
    pub qty_decimals: u8,
}

/// See the module.
#[derive(Debug)]
pub struct SegmentWriter {
    path: PathBuf,
    out: BufWriter<File>,
    block: Block,
    packed: Vec<u8>,
    places: Vec<Place>,
    rule: GapRule,
    stats: SegmentStats,
    /// The largest price and quantity of all blocks before, in units of the present precision.
    largest: [u64; 2],
    failed: Option<io::Error>,
}

impl SegmentWriter {
    /// A new file at `path`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(path: &Path, rule: GapRule) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(256 << 10, File::create(path)?);
        out.write_all(MAGIC)?;
        Ok(Self {
            path: path.to_owned(),
            out,
            block: Block::new(),
            packed: Vec::new(),
            places: Vec::new(),
            rule,
            stats: SegmentStats { bytes: MAGIC.len() as u64, ..SegmentStats::default() },
            largest: [0; 2],
            failed: None,
        })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written so far.
    #[must_use]
    pub fn stats(&self) -> &SegmentStats {
        &self.stats
    }

    /// Takes an event. An error of the disk is kept for [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`Refused`].
    #[inline]
    pub fn push(&mut self, time: Time, row: &Row<'_>) -> Result<(), Refused> {
        if time.0 < self.stats.last {
            return Err(Refused::Unsorted);
        }
        let kind = match row {
            Row::Trade { price, qty, id, venue_time, aggressor, aggregate } => {
                let (price, qty) = (self.price(*price)?, self.qty(*qty)?);
                let block = &mut self.block;
                block.push(Col::TradePrice, price);
                block.push(Col::TradeQty, qty);
                block.push(Col::TradeId, *id as i64);
                block.push(Col::TradeLag, lag(time, *venue_time));
                block.push(Col::Sold, i64::from(*aggressor == Side::Sell));
                self.count_id(*id, *id, GapRule::TradeIds);
                if *aggregate { RowKind::AggTrade } else { RowKind::Trade }
            }
            Row::Quote { bid, ask, update_id } => {
                let (bid, ask) = (self.level(bid)?, self.level(ask)?);
                // Either may have made the precision grow, and so begun a block; the first was then scaled to the old one.
                let (bid, ask) = match row {
                    Row::Quote { bid: b, ask: a, .. } if self.block.rows() == 0 => {
                        (self.level(b)?, self.level(a)?)
                    }
                    _ => (bid, ask),
                };
                let block = &mut self.block;
                block.push(Col::BidPrice, bid.0);
                block.push(Col::BidQty, bid.1);
                block.push(Col::AskPrice, ask.0);
                block.push(Col::AskQty, ask.1);
                block.push(Col::UpdateId, *update_id as i64);
                self.count_id(*update_id, *update_id, GapRule::None);
                RowKind::Quote
            }
            Row::Depth(depth) => self.depth(time, depth)?,
            Row::Bar { .. } => self.bar(time, row)?,
        };
        self.block.push(Col::Kind, kind as i64);
        self.block.push(Col::Time, time.0 as i64);
        if self.stats.rows == 0 {
            self.stats.first = time.0;
        }
        self.stats.last = time.0;
        self.stats.rows += 1;
        if self.block.is_full() {
            self.flush();
        }
        Ok(())
    }

    #[cold]
    fn depth(&mut self, time: Time, depth: &DepthRow<'_>) -> Result<RowKind, Refused> {
        if depth.levels.len() > LEVELS_MAX {
            return Err(Refused::Levels);
        }
        // First what may make the precision grow and so begin a block, then what is put into it.
        for level in depth.levels {
            self.level(level)?;
        }
        let before = self.block.col(Col::LevelPrice).len();
        for level in depth.levels {
            match self.level(level) {
                Ok((price, qty)) => {
                    self.block.push(Col::LevelPrice, price);
                    self.block.push(Col::LevelQty, qty);
                }
                Err(refused) => {
                    self.block.truncate_levels(before);
                    return Err(refused);
                }
            }
        }
        let block = &mut self.block;
        block.push(Col::FirstId, depth.first_id as i64);
        block.push(Col::LastId, depth.last_id as i64);
        block.push(Col::PrevId, depth.prev_id as i64);
        block.push(Col::DepthLag, lag(time, depth.venue_time));
        block.push(Col::Bids, depth.bids as i64);
        block.push(Col::Asks, depth.levels.len().saturating_sub(depth.bids) as i64);
        match depth.kind {
            RowKind::Diff => {
                let first = if depth.prev_id > 0 { depth.prev_id.saturating_add(1) } else { depth.first_id };
                self.count_id(first, depth.last_id, GapRule::Diffs);
            }
            // What is missing from a feed is a gap, whether or not its capture knew of it.
            RowKind::Interrupted => {}
            // A snapshot begins a new sequence.
            _ if self.rule == GapRule::Diffs => self.stats.last_id = 0,
            _ => self.count_id(depth.last_id, depth.last_id, GapRule::None),
        }
        Ok(depth.kind)
    }

    fn bar(&mut self, time: Time, row: &Row<'_>) -> Result<RowKind, Refused> {
        let Row::Bar { prices, volume, turnover, trades, open_time, close_time, closed } = row else {
            return Ok(RowKind::Bar);
        };
        let mut units = [0i64; 4];
        let volume = loop {
            let decimals = self.block.price_decimals;
            for (units, price) in units.iter_mut().zip(prices) {
                *units = self.price(*price)?;
            }
            let volume = self.qty(*volume)?;
            // Where one made the precision grow, those before it were scaled to the old one.
            if self.block.price_decimals == decimals {
                break volume;
            }
        };
        if self.rule == GapRule::Bars && self.stats.rows > 0 && open_time.0 > self.stats.last {
            // A bar that was cut short leaves a hole in which no other would have been.
            let missing = (open_time.0 - self.stats.last) / time.since(*open_time).max(1);
            self.stats.gaps += u64::from(missing > 0);
            self.stats.missing += missing;
        }
        let block = &mut self.block;
        for (col, units) in [Col::Open, Col::High, Col::Low, Col::Close].into_iter().zip(units) {
            block.push(col, units);
        }
        block.push(Col::Volume, volume);
        block.push(Col::TurnoverLow, *turnover as i64);
        block.push(Col::TurnoverHigh, (*turnover >> 64) as i64);
        block.push(Col::Trades, *trades as i64);
        block.push(Col::OpenLag, lag(time, *open_time));
        block.push(Col::CloseLag, lag(time, *close_time));
        block.push(Col::Closed, i64::from(*closed));
        Ok(RowKind::Bar)
    }

    #[inline]
    fn count_id(&mut self, first: u64, last: u64, rule: GapRule) {
        let before = self.stats.last_id;
        if self.rule == rule && before > 0 && first > before.saturating_add(1) {
            self.stats.gaps += 1;
            // How many diffs there were between two update ids, nobody knows.
            self.stats.missing += if rule == GapRule::TradeIds { first - before - 1 } else { 0 };
        }
        // In a feed, trades and quotes have ids of their own.
        if self.rule == rule || self.rule == GapRule::None {
            if self.stats.first_id == 0 {
                self.stats.first_id = first;
            }
            self.stats.last_id = last;
        }
    }

    #[inline]
    fn level(&mut self, level: &(Num, Num)) -> Result<(i64, i64), Refused> {
        Ok((self.price(level.0)?, self.qty(level.1)?))
    }

    #[inline]
    fn price(&mut self, num: Num) -> Result<i64, Refused> {
        match fit(num, self.block.price_decimals) {
            Fit::Units(units) => Ok(units),
            other => self.grow(other, num, true),
        }
    }

    #[inline]
    fn qty(&mut self, num: Num) -> Result<i64, Refused> {
        match fit(num, self.block.qty_decimals) {
            Fit::Units(units) => Ok(units),
            other => self.grow(other, num, false),
        }
    }

    /// Begins a block whose numbers have as many decimals as `num` needs.
    #[cold]
    fn grow(&mut self, fitting: Fit, num: Num, of_price: bool) -> Result<i64, Refused> {
        let Fit::Grow(decimals) = fitting else { return Err(Refused::TooLarge) };
        let (mut price, mut qty) = (self.block.price_decimals, self.block.qty_decimals);
        *(if of_price { &mut price } else { &mut qty }) = decimals;
        if price + qty > DECIMALS_MAX {
            return Err(Refused::Precision { price, qty });
        }
        self.flush();
        // What was written before is read at the new precision too.
        let before = [self.block.price_decimals, self.block.qty_decimals];
        for ((largest, before), after) in self.largest.iter_mut().zip(before).zip([price, qty]) {
            if !fits_at(*largest, before, after) {
                return Err(Refused::TooLarge);
            }
            *largest *= POW10[usize::from(after - before)] as u64;
        }
        (self.block.price_decimals, self.block.qty_decimals) = (price, qty);
        match fit(num, decimals) {
            Fit::Units(units) => Ok(units),
            _ => Err(Refused::TooLarge),
        }
    }

    fn flush(&mut self) {
        let rows = self.block.rows();
        if rows == 0 || self.failed.is_some() {
            self.block.clear();
            return;
        }
        for (largest, unit) in self.largest.iter_mut().zip([Unit::Price, Unit::Qty]) {
            *largest = self.block.largest(unit).max(*largest);
        }
        self.packed.clear();
        self.block.encode(&mut self.packed);
        let times = self.block.col(Col::Time);
        self.places.push(Place {
            offset: self.stats.bytes,
            len: self.packed.len() as u32,
            crc: crc32fast::hash(&self.packed),
            rows: rows as u32,
            first: times[0] as u64,
            last: times[rows - 1] as u64,
        });
        self.stats.bytes += self.packed.len() as u64;
        self.block.clear();
        if let Err(error) = self.out.write_all(&self.packed) {
            self.failed = Some(error);
        }
    }

    /// Writes the index and forces all of it to the disk.
    ///
    /// # Errors
    /// What the operating system said, now or at an earlier row.
    pub fn finish(mut self) -> io::Result<SegmentStats> {
        self.flush();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut index = Vec::new();
        self.places.iter().for_each(|place| place.write(&mut index));
        let crc = crc32fast::hash(&index);
        index.extend_from_slice(&(self.places.len() as u32).to_le_bytes());
        index.extend_from_slice(&crc.to_le_bytes());
        index.extend_from_slice(END_MAGIC);
        self.out.write_all(&index)?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        self.stats.bytes += index.len() as u64;
        self.stats.price_decimals = self.block.price_decimals;
        self.stats.qty_decimals = self.block.qty_decimals;
        Ok(self.stats)
    }
}

#[inline]
fn lag(time: Time, earlier: Time) -> i64 {
    (time.0 as i64).wrapping_sub(earlier.0 as i64)
}

#[cfg(test)]
mod tests {
    use super::super::{BLOCK_LEVELS_MAX, LEVELS_FULL, ROWS_FULL, ROWS_MAX, SegmentError, SegmentReader};
    use super::*;
    use crate::domain::{InstrumentId, Level};
    use crate::venue::Decoded;
    use tempfile::tempdir;

    type Read = Vec<(Time, Decoded, Vec<Level>)>;

    /// Trades, and now and then a book, in blocks that are full with so many rows or levels.
    fn written(path: &Path, full: (usize, usize)) -> usize {
        let mut writer = SegmentWriter::create(path, GapRule::None).expect("can be made");
        writer.block.full = full;
        let levels: Vec<_> = (1..=100).map(|n| (Num::new(5_000 + n, 1), Num::new(n, 2))).collect();
        for n in 0..60_000u64 {
            let (time, price) = (Time(1_000 * n), Num::new(5_000 + n as i64 % 77, 1));
            let row = match n % 40 {
                7 => Row::Depth(DepthRow {
                    kind: RowKind::Snapshot,
                    first_id: n,
                    last_id: n,
                    prev_id: 0,
                    venue_time: time,
                    levels: &levels[..n as usize % 100],
                    bids: 0,
                }),
                _ => Row::Trade {
                    price,
                    qty: Num::new(1 + n as i64 % 9, 2),
                    id: n,
                    venue_time: time,
                    aggressor: if n % 3 == 0 { Side::Buy } else { Side::Sell },
                    aggregate: false,
                },
            };
            writer.push(time, &row).expect("sound");
        }
        writer.flush();
        let blocks = writer.places.len();
        writer.finish().expect("can be closed");
        blocks
    }

    fn read(path: &Path, from: Time) -> Result<Read, SegmentError> {
        let mut reader = SegmentReader::open(path, InstrumentId(0), (1, 2))?;
        reader.seek(from)?;
        let mut all = Vec::new();
        while let Some(time) = reader.peek()? {
            let (decoded, levels) = reader.take();
            all.push((time, decoded, levels.to_vec()));
        }
        Ok(all)
    }

    #[test]
    fn files_with_the_larger_blocks_of_before_read_as_those_of_now_and_with_larger_ones_not_at_all() {
        let dir = tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let small = written(&path("now"), (ROWS_FULL, LEVELS_FULL));
        let large = written(&path("before"), (ROWS_MAX, BLOCK_LEVELS_MAX));
        // The first is cut short where a price needs a decimal.
        assert_eq!((small, large), (1 + 15, 1 + 4));
        let all = read(&path("now"), Time(0)).expect("whole");
        assert_eq!(all.len(), 60_000);
        assert!(read(&path("before"), Time(0)).expect("whole") == all);
        let from = Time(1_000 * 33_333);
        assert!(read(&path("before"), from).expect("whole") == all[33_333..]);
        written(&path("beyond"), (ROWS_MAX + 1, usize::MAX));
        assert!(matches!(read(&path("beyond"), Time(0)), Err(SegmentError::Corrupt { .. })));
    }
}
