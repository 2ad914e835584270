//! The order manager, told the obvious way: everything is worked out anew from the whole history at every event.

use algo_trader::domain::{InstrumentId, OrderId, Price, Qty, Side};
use std::collections::BTreeMap;

/// What happened, in order.
#[derive(Debug, Clone, Copy)]
pub enum Fact {
    /// A trade in the market.
    Trade(InstrumentId, Price),
    /// A fill of an order of ours.
    Fill(InstrumentId, OrderId, Side, Qty),
    /// An order began to wait for a price.
    Waits(OrderId, InstrumentId, Trigger),
    /// An entry is protected.
    Protected(OrderId),
    /// That order leaves what this entry filled.
    Leaves { exit: OrderId, entry: OrderId },
}

/// What an order waits for.
#[derive(Debug, Clone, Copy)]
pub struct Trigger {
    pub above: bool,
    pub how: How,
}

#[derive(Debug, Clone, Copy)]
pub enum How {
    At(i64),
    Bps(i64),
    Distance(i64),
}

impl Trigger {
    /// Whether the last of these trades triggers, given all since the order waits.
    fn reached(self, trades: &[i64]) -> bool {
        let Some(&last) = trades.last() else { return false };
        let best = match self.above {
            true => trades.iter().min(),
            false => trades.iter().max(),
        };
        let best = i128::from(*best.expect("there is one"));
        let last = i128::from(last);
        match (self.how, self.above) {
            (How::At(stop), true) => last >= i128::from(stop),
            (How::At(stop), false) => last <= i128::from(stop),
            (How::Distance(d), true) => last >= best + i128::from(d),
            (How::Distance(d), false) => last <= best - i128::from(d),
            (How::Bps(bps), true) => last * 10_000 >= best * i128::from(10_000 + bps),
            (How::Bps(bps), false) => last * 10_000 <= best * i128::from(10_000 - bps),
        }
    }
}

/// Whether an order that waits was ever triggered, by the whole history.
pub fn was_triggered(history: &[Fact], order: OrderId) -> bool {
    let mut waits = None;
    let mut trades = Vec::new();
    for fact in history {
        match *fact {
            Fact::Waits(id, instrument, trigger) if id == order => waits = Some((instrument, trigger)),
            Fact::Trade(of, price) => {
                if let Some((instrument, trigger)) = waits
                    && of == instrument
                {
                    trades.push(price.0);
                    if trigger.reached(&trades) {
                        return true;
                    }
                }
            }
            _ => {}
        }
    }
    false
}

/// What each entry has filled and is still open, by the whole history of fills in one instrument that is only bought
/// to hold: an exit leaves its own entry, any other sale the oldest one first.
pub fn open_by_entry(
    history: &[Fact],
    instrument: InstrumentId,
    protected: &dyn Fn(OrderId) -> bool,
) -> BTreeMap<OrderId, i64> {
    let mut open: BTreeMap<OrderId, i64> = BTreeMap::new();
    let mut exits = BTreeMap::new();
    for fact in history {
        match *fact {
            Fact::Leaves { exit, entry } => {
                exits.insert(exit, entry);
            }
            Fact::Fill(of, id, Side::Buy, qty) if of == instrument && protected(id) => {
                *open.entry(id).or_default() += qty.0
            }
            Fact::Fill(of, id, Side::Sell, qty) if of == instrument => {
                let mut left = qty.0;
                if let Some(own) = exits.get(&id).and_then(|entry| open.get_mut(entry)) {
                    let cut = left.min(*own);
                    *own -= cut;
                    left -= cut;
                }
                for lot in open.values_mut() {
                    let cut = left.min(*lot);
                    *lot -= cut;
                    left -= cut;
                }
            }
            _ => {}
        }
    }
    open.retain(|_, qty| *qty > 0);
    open
}
