//! What detectors see.

use crate::domain::{InstrumentId, OrderId, Price, Qty, Side, StrategyId, Time};

/// Something that happened in one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub time: Time,
    /// Of what.
    pub instrument: InstrumentId,
    /// What.
    pub act: Act,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// We sent an order.
    Order {
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Which way.
        side: Side,
        /// The limit; zero at the market.
        price: Price,
        /// How much.
        qty: Qty,
        /// Whether it can only make the position smaller.
        reduces: bool,
    },
    /// One of our orders never came to the market: the venue refused it, or it was not sent.
    Refused {
        /// Which.
        order: OrderId,
    },
    /// One of our orders ended other than by trading wholly.
    Ended {
        /// Which.
        order: OrderId,
    },
    /// We asked for a cancel.
    Cancel {
        /// Of which order.
        order: OrderId,
    },
    /// One of our orders traded.
    Fill {
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Which way.
        side: Side,
        /// At.
        price: Price,
        /// How much.
        qty: Qty,
        /// Whether it had rested.
        maker: bool,
        /// The venue's id.
        trade_id: u64,
    },
    /// A trade in the market, ours among them.
    Trade {
        /// At.
        price: Price,
        /// How much.
        qty: Qty,
        /// Who crossed the spread.
        aggressor: Side,
    },
}

/// A value with the moment it came, those older than a window dropped from the front.
#[derive(Debug, Clone)]
pub(super) struct Recent<T> {
    all: std::collections::VecDeque<(Time, T)>,
    window_ns: u64,
}

impl<T> Recent<T> {
    pub(super) fn new(window_ns: u64) -> Self {
        Self { all: std::collections::VecDeque::new(), window_ns }
    }

    pub(super) fn push(&mut self, time: Time, value: T) {
        self.forget(time);
        self.all.push_back((time, value));
    }

    pub(super) fn forget(&mut self, now: Time) {
        while self.all.front().is_some_and(|(time, _)| now.since(*time) > self.window_ns) {
            self.all.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &(Time, T)> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut (Time, T)> {
        self.all.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

/// How far `to` is from `from`, hundredths of a per cent, upwards.
pub(super) fn bps(from: Price, to: Price) -> f64 {
    if from.0 <= 0 { 0.0 } else { (to.0 - from.0) as f64 * 10_000.0 / from.0 as f64 }
}
