//! What the market stage tells the strategy stage: tops of book, bars and indicator values, with their sequence.

pub use crate::domain::Bar;
pub use crate::domain::ahead::Values;
use crate::domain::{InstrumentId, Level, Price, Qty};
use crate::pipeline::Sequenced;

/// Best bid and ask, and whether they can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Top {
    /// Best bid; quantity zero where there is none.
    pub bid: Level,
    /// Best ask; quantity zero where there is none.
    pub ask: Level,
    /// False until the book is synchronised, from a gap until the next snapshot, and while it is crossed.
    pub valid: bool,
}

impl Top {
    /// Whether both sides are there and can be trusted.
    #[inline]
    #[must_use]
    pub fn is_two_sided(&self) -> bool {
        self.valid && self.bid.qty.0 > 0 && self.ask.qty.0 > 0
    }

    /// Whether somebody bids more than another asks, as nobody does who could trade with him.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.bid.price > self.ask.price && self.bid.qty.0 > 0 && self.ask.qty.0 > 0
    }

    /// What is shown of a market that is known by its bars alone: a price, on both sides.
    #[inline]
    #[must_use]
    pub fn of_path(price: Price) -> Self {
        let level = Level { price, qty: Qty(1) };
        Self { bid: level, ask: level, valid: true }
    }

    /// The middle, rounded down to a price unit.
    #[inline]
    #[must_use]
    pub fn mid(&self) -> Price {
        self.bid.price.middle(self.ask.price)
    }
}

/// One message down the lane.
#[derive(Debug, Clone, Copy)]
pub struct MarketMessage {
    /// The event that caused it.
    pub seq: u64,
    /// What it says.
    pub body: MarketBody,
}

/// What a message says.
///
/// Its tag is a whole word, so that a message is copied in the words it was written in: a copy that begins within one waits
/// until they have left the processor.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub enum MarketBody {
    /// The top of book changed, or whether it can be trusted did.
    Top(InstrumentId, Top),
    /// A market that is known by its bars alone went to this price; strategies are told only of such prices as somebody
    /// who has the bars can have known by then.
    Path {
        /// Of what.
        instrument: InstrumentId,
        /// The price on both sides; its quantities say nothing.
        top: Top,
        /// Whether strategies are told: where a bar opens and where it closes.
        shown: bool,
    },
    /// A bar closed.
    Bar(Bar),
    /// A bar of the past, which nothing is ordered for.
    PastBar(Bar),
    /// An indicator has a new value.
    Value {
        /// Its slot in the run's table of indicators.
        slot: usize,
        /// The values.
        values: Values,
    },
}

impl Sequenced for MarketMessage {
    fn seq(&self) -> u64 {
        self.seq
    }
}
