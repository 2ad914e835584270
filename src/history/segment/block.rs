//! A block: the columns of its events, to bytes and back.
//!
//! Owns: which columns there are and in which order they lie. Each belongs to a kind of events; a column that runs beside
//! another is packed as the difference to that.

use super::pack::{PADDING, pack, unpack};
use super::row::RowKind;
use super::{BLOCK_LEVELS_MAX, Corrupt, LEVELS_FULL, LEVELS_MAX, ROWS_FULL, ROWS_MAX};

/// Which rows have a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    All,
    Trade,
    Quote,
    Depth,
    Bar,
    /// Levels of depth events, of all one after the other.
    Level,
}

/// What a column's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Plain,
    Price,
    Qty,
}

macro_rules! columns {
    ($($name:ident $group:ident $unit:ident $(- $beside:ident)?;)*) => {
        /// A column. The order is the format's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(super) enum Col { $($name),* }

        /// Each column with its group, its unit, and the column before it that it is packed beside.
        const COLUMNS: &[(Col, Group, Unit, Option<Col>)] =
            &[$((Col::$name, Group::$group, Unit::$unit, columns!(@ $($beside)?))),*];
    };
    (@) => { None };
    (@ $beside:ident) => { Some(Col::$beside) };
}

columns! {
    Time All Plain;
    Kind All Plain;
    TradePrice Trade Price;
    TradeQty Trade Qty;
    TradeId Trade Plain;
    // Times of events are kept as how long before the row's own time they were.
    TradeLag Trade Plain;
    Sold Trade Plain;
    BidPrice Quote Price;
    BidQty Quote Qty;
    AskPrice Quote Price - BidPrice;
    AskQty Quote Qty;
    UpdateId Quote Plain;
    FirstId Depth Plain;
    LastId Depth Plain - FirstId;
    PrevId Depth Plain - FirstId;
    DepthLag Depth Plain;
    Bids Depth Plain;
    Asks Depth Plain;
    Open Bar Price;
    High Bar Price - Open;
    Low Bar Price - Open;
    Close Bar Price - Open;
    Volume Bar Qty;
    TurnoverLow Bar Plain;
    TurnoverHigh Bar Plain;
    Trades Bar Plain;
    OpenLag Bar Plain;
    CloseLag Bar Plain;
    Closed Bar Plain;
    LevelPrice Level Price;
    LevelQty Level Qty;
}

/// Rows, levels and the two precisions.
const HEAD_BYTES: usize = 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Block {
    columns: [Vec<i64>; COLUMNS.len()],
    /// The one value that all of a column is known to be, where it was decoded and stands still.
    still: [Option<i64>; COLUMNS.len()],
    scratch: Vec<i64>,
    /// How many rows, and how many levels, fill it.
    pub(super) full: (usize, usize),
    pub price_decimals: u8,
    pub qty_decimals: u8,
}

impl Block {
    pub fn new() -> Self {
        Self {
            columns: std::array::from_fn(|_| Vec::new()),
            still: [None; COLUMNS.len()],
            scratch: Vec::new(),
            full: (ROWS_FULL, LEVELS_FULL),
            price_decimals: 0,
            qty_decimals: 0,
        }
    }

    /// Adds a value to a column, which was not [decoded](Self::decode).
    #[inline]
    pub fn push(&mut self, col: Col, value: i64) {
        debug_assert!(self.still[col as usize].is_none());
        self.columns[col as usize].push(value);
    }

    #[inline]
    pub fn col(&self, col: Col) -> &[i64] {
        &self.columns[col as usize]
    }

    /// The value at `row`, which the caller knows to be there.
    #[inline]
    pub fn at(&self, col: Col, row: usize) -> i64 {
        self.columns[col as usize][row]
    }

    /// Whether all its events are bars.
    #[inline]
    pub fn is_of_bars(&self) -> bool {
        self.col(Col::Open).len() == self.rows()
    }

    pub fn rows(&self) -> usize {
        self.col(Col::Time).len()
    }

    pub fn is_full(&self) -> bool {
        self.rows() >= self.full.0 || self.col(Col::LevelPrice).len() >= self.full.1
    }

    /// Forgets levels beyond `len`: of an event that was refused.
    pub fn truncate_levels(&mut self, len: usize) {
        self.columns[Col::LevelPrice as usize].truncate(len);
        self.columns[Col::LevelQty as usize].truncate(len);
    }

    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
        self.still = [None; COLUMNS.len()];
    }

    pub fn encode(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.rows() as u32).to_le_bytes());
        out.extend_from_slice(&(self.col(Col::LevelPrice).len() as u32).to_le_bytes());
        out.extend_from_slice(&[self.price_decimals, self.qty_decimals]);
        for &(col, _, _, beside) in COLUMNS {
            let column = &self.columns[col as usize];
            match beside {
                _ if column.is_empty() => {}
                None => pack(column, out),
                Some(beside) => {
                    let pairs = column.iter().zip(&self.columns[beside as usize]);
                    self.scratch.clear();
                    self.scratch.extend(pairs.map(|(value, beside)| value.wrapping_sub(*beside)));
                    pack(&self.scratch, out);
                }
            }
        }
    }

    /// Takes the block that `bytes` hold; [`PADDING`] zero bytes must follow it in `bytes`.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        let (head, mut input) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Corrupt::Short)?;
        let word = |at: usize| head[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
        let (rows, levels) = (word(0), word(4));
        if rows > ROWS_MAX || levels > BLOCK_LEVELS_MAX + LEVELS_MAX {
            return Err(Corrupt::Counts);
        }
        (self.price_decimals, self.qty_decimals) = (head[8], head[9]);
        let mut counts = [rows, 0, 0, 0, 0, levels];
        for &(col, group, _, beside) in COLUMNS {
            let count = counts[group as usize];
            if count == 0 {
                self.columns[col as usize].clear();
                self.still[col as usize] = None;
                continue;
            }
            let (before, after) = self.columns.split_at_mut(col as usize);
            let column = &mut after[0];
            let still = &mut self.still[col as usize];
            unpack(&mut input, count, column, still)?;
            if let Some(beside) = beside {
                *still = None;
                let beside = before.get(beside as usize).ok_or(Corrupt::Counts)?;
                column
                    .iter_mut()
                    .zip(beside)
                    .for_each(|(value, beside)| *value = value.wrapping_add(*beside));
            }
            if col == Col::Kind {
                match self.still[col as usize] {
                    Some(kind) => counts[group_of(kind)? as usize] += count,
                    None => count_groups(column, &mut counts)?,
                }
            }
        }
        if input.len() != PADDING {
            return Err(Corrupt::Counts);
        }
        let sides = self.col(Col::Bids).iter().chain(self.col(Col::Asks));
        let all = sides.map(|&n| usize::try_from(n).map_err(|_| Corrupt::Counts));
        let all = all.sum::<Result<usize, Corrupt>>()?;
        if all == levels { Ok(()) } else { Err(Corrupt::Counts) }
    }

    /// The largest of all numbers of a unit, without its sign.
    pub fn largest(&self, unit: Unit) -> u64 {
        let columns = COLUMNS.iter().filter(|(_, _, of, _)| *of == unit);
        let values = columns.flat_map(|(col, ..)| self.col(*col));
        values.map(|value| value.unsigned_abs()).max().unwrap_or(0)
    }

    /// Multiplies all numbers of a unit; `None` where one does not fit, and they are then of no use.
    pub fn multiply(&mut self, unit: Unit, by: i64) -> Option<()> {
        let mut over = false;
        for &(col, _, of, _) in COLUMNS {
            if of == unit {
                self.still[col as usize] = None;
                // Looked at once for all, so that nothing but the next value is waited for.
                for value in &mut self.columns[col as usize] {
                    let (product, overflows) = value.overflowing_mul(by);
                    (*value, over) = (product, over | overflows);
                }
            }
        }
        if over { None } else { Some(()) }
    }
}

fn count_groups(kinds: &[i64], counts: &mut [usize; 6]) -> Result<(), Corrupt> {
    for &kind in kinds {
        counts[group_of(kind)? as usize] += 1;
    }
    Ok(())
}

fn group_of(kind: i64) -> Result<Group, Corrupt> {
    let kind = usize::try_from(kind).ok().and_then(|kind| RowKind::ALL.get(kind)).ok_or(Corrupt::Counts)?;
    Ok(match kind {
        RowKind::Trade | RowKind::AggTrade => Group::Trade,
        RowKind::Quote => Group::Quote,
        RowKind::Diff | RowKind::Snapshot | RowKind::Partial | RowKind::Interrupted => Group::Depth,
        RowKind::Bar => Group::Bar,
    })
}
