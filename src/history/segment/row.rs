//! One event on its way into a segment, with numbers as its source prints them.

use super::scale::Num;
use crate::domain::{Side, Time};

/// What kind of event a row is. The order is the format's: codes never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RowKind {
    /// A trade.
    Trade = 0,
    /// An aggregate of one taker order's fills at one price.
    AggTrade = 1,
    /// Best bid and ask.
    Quote = 2,
    /// A depth diff.
    Diff = 3,
    /// A whole book.
    Snapshot = 4,
    /// The best few levels, whole.
    Partial = 5,
    /// A bar.
    Bar = 6,
    /// The source was interrupted: a depth event without levels.
    Interrupted = 7,
}

impl RowKind {
    pub(super) const ALL: [RowKind; 8] = [
        RowKind::Trade,
        RowKind::AggTrade,
        RowKind::Quote,
        RowKind::Diff,
        RowKind::Snapshot,
        RowKind::Partial,
        RowKind::Bar,
        RowKind::Interrupted,
    ];
}

/// A depth event.
#[derive(Debug, Clone, Copy)]
pub struct DepthRow<'a> {
    /// [`RowKind::Diff`], [`RowKind::Snapshot`], [`RowKind::Partial`] or [`RowKind::Interrupted`].
    pub kind: RowKind,
    /// First update id covered.
    pub first_id: u64,
    /// Last update id covered.
    pub last_id: u64,
    /// The last id of the diff before; 0 where the source does not say.
    pub prev_id: u64,
    /// By the venue's clock; zero where the source does not say.
    pub venue_time: Time,
    /// Bids, then asks: price and quantity.
    pub levels: &'a [(Num, Num)],
    /// How many of them are bids.
    pub bids: usize,
}

/// An event. Its time, by which events are ordered, is given beside it.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// A trade or an aggregate trade.
    Trade {
        /// At.
        price: Num,
        /// How much.
        qty: Num,
        /// The venue's id.
        id: u64,
        /// By the venue's clock.
        venue_time: Time,
        /// Who crossed the spread.
        aggressor: Side,
        /// Whether it is an aggregate.
        aggregate: bool,
    },
    /// Best bid and ask, price and quantity.
    Quote {
        /// Best bid; zeros where there is none.
        bid: (Num, Num),
        /// Best ask; zeros where there is none.
        ask: (Num, Num),
        /// The book's update id, 0 where the source has none.
        update_id: u64,
    },
    /// A depth event.
    Depth(DepthRow<'a>),
    /// A bar.
    Bar {
        /// Open, high, low, close.
        prices: [Num; 4],
        /// Base volume.
        volume: Num,
        /// Quote volume, in units of 10^-[`TURNOVER_DECIMALS`](super::TURNOVER_DECIMALS).
        turnover: i128,
        /// Trades in it.
        trades: u64,
        /// Its start.
        open_time: Time,
        /// Its end, inclusive.
        close_time: Time,
        /// Whether it is finished.
        closed: bool,
    },
}
