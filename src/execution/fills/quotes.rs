//! Fills where trades are recorded, and perhaps the best bid and ask.
//!
//! - An order that can trade at once does so at the recorded quote, as much as it shows less what we took of it; a quote
//!   that changes is a new one. What is left of a market order expires. Where trades alone are recorded, the last one's
//!   price is the market's, for any quantity, made worse by slippage, which a wallet must have too.
//! - A resting order fills at its own price: when a trade goes beyond it (`through`) or happens at it (`touch`), up to
//!   what was traded, and when the opposite quote comes to its price, up to what that shows.
//! - At its price it trades with those who meet it, not with those of its own side. Nobody passes it over, of either side;
//!   but where quotes are recorded it is they that tell what its own side found beyond it: a trade may come after a quote
//!   that is later, and so be older than the order.

use super::teller::Teller;
use crate::domain::event::{Quote, Trade};
use crate::domain::order::ReportKind;
use crate::domain::{Level, Order, OrderId, OrderKind, Price, Side, Slot, TimeInForce};
use crate::market::trade_ids::{Link, TradeIds};

/// Places for resting orders of one instrument.
const RESTING_MAX: usize = 256;

/// See the module.
pub struct QuoteMarket {
    touch: bool,
    /// Whether quotes are recorded; otherwise the last trade is all there is.
    quoted: bool,
    aggregates: bool,
    /// By side: the best level, and how much of it is left to take.
    best: [Level; 2],
    /// By side: the best level as it was last told.
    seen: [Level; 2],
    last: Option<Price>,
    /// Which trades came, so that one that comes again fills nothing.
    ids: TradeIds,
    /// By time of arrival.
    resting: Vec<(Order, i64)>,
}

impl QuoteMarket {
    /// A market without a price yet. `quoted`: there are quotes; `aggregates`: its trades are aggregate ones.
    #[must_use]
    pub fn new(touch: bool, quoted: bool, aggregates: bool) -> Self {
        let (nothing, resting) = ([Level::default(); 2], Vec::with_capacity(RESTING_MAX));
        Self {
            touch,
            quoted,
            aggregates,
            best: nothing,
            seen: nothing,
            last: None,
            ids: TradeIds::new(false),
            resting,
        }
    }

    /// The market's price for an order of `side`, and how much is there.
    fn opposite(&self, side: Side) -> Option<(Price, i64)> {
        if !self.quoted {
            return self.last.map(|price| (price, i64::MAX));
        }
        let level = self.best[side.opposite() as usize];
        (level.price.0 > 0).then_some((level.price, level.qty.0))
    }

    /// What is not there where an order finds no price.
    pub(super) fn unmet_by(&self) -> &'static str {
        if self.quoted { "no best bid and ask" } else { "no trade" }
    }

    pub(super) fn on_quote(&mut self, quote: &Quote, teller: &mut Teller) {
        for (side, level) in [(Side::Buy, quote.bid), (Side::Sell, quote.ask)] {
            if self.seen[side as usize] != level {
                self.seen[side as usize] = level;
                self.best[side as usize] = level;
            }
        }
        if !self.quoted || self.resting.is_empty() {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            let opposite = side.opposite() as usize;
            let level = self.best[opposite];
            if level.price.0 > 0 {
                let left = self.meet(side, level.price, true, level.qty.0, teller);
                self.best[opposite].qty.0 = left;
            }
        }
    }

    pub(super) fn on_trade(&mut self, trade: &Trade, teller: &mut Teller) {
        if trade.aggregate != self.aggregates || self.ids.take(trade.id) == Link::Again {
            return;
        }
        self.last = Some(trade.price);
        if !self.resting.is_empty() {
            let (price, met) = (trade.price, trade.aggressor.opposite());
            let left = self.meet(met, price, self.touch, trade.qty.0, teller);
            if !self.quoted {
                self.meet(trade.aggressor, price, false, left, teller);
            }
        }
    }

    /// The data was interrupted: trades may be numbered anew, and there is no quote until the next.
    pub(super) fn interrupted(&mut self) {
        self.ids.interrupted();
        (self.best, self.seen) = ([Level::default(); 2], [Level::default(); 2]);
    }

    /// Whether no order rests.
    pub(super) fn is_empty(&self) -> bool {
        self.resting.is_empty()
    }

    /// Trades have happened with nobody there.
    pub(super) fn pass_over(&mut self, trades: &[Slot]) {
        let ours =
            trades.iter().filter_map(Slot::as_trade).filter(|trade| trade.aggregate == self.aggregates);
        for trade in ours {
            if self.ids.take(trade.id) != Link::Again {
                self.last = Some(trade.price);
            }
        }
    }

    /// Fills resting orders of `side` with `qty` that came to `price`, best price first, then the oldest; what is left.
    fn meet(&mut self, side: Side, price: Price, touch: bool, mut qty: i64, teller: &mut Teller) -> i64 {
        while qty > 0 && teller.has_room(2) {
            let met = |o: &Order| {
                o.side == side && o.side.at_least_as_aggressive(o.price, price) && (touch || o.price != price)
            };
            let better = |a: Price, b: Price| a != b && side.at_least_as_aggressive(a, b);
            let mut best: Option<usize> = None;
            for (index, (order, _)) in self.resting.iter().enumerate() {
                if met(order) && best.is_none_or(|b| better(order.price, self.resting[b].0.price)) {
                    best = Some(index);
                }
            }
            let Some(index) = best else { break };
            let (order, left) = self.resting[index];
            let able = teller.account.reducible(&order, left);
            let filled = able.min(qty);
            if filled > 0 {
                teller.fill(&order, filled, order.price, true, true);
                qty -= filled;
            }
            if filled == left {
                teller.account.ended(&order, 0);
                self.resting.remove(index);
            } else if able < left && filled == able {
                teller.end(&order, left - filled, ReportKind::Expired);
                self.resting.remove(index);
            } else {
                self.resting[index].1 = left - filled;
            }
        }
        qty
    }

    pub(super) fn arrive(&mut self, order: &Order, teller: &mut Teller) {
        let Some((price, shown)) = self.opposite(order.side) else { return teller.unmet(order) };
        if order.kind.is_conditional() || !order.extras.is_none() || self.resting.len() >= RESTING_MAX {
            return teller.say(order, ReportKind::Rejected);
        }
        let limited = order.kind != OrderKind::Market;
        let crosses = !limited || order.side.at_least_as_aggressive(order.price, price);
        if order.kind == OrderKind::PostOnly && crosses {
            return teller.say(order, ReportKind::Rejected);
        }
        let worst = if self.quoted { price } else { self.worsened(order, order.qty.0, price, teller) };
        if !teller.admits(order, price, worst) {
            return;
        }
        let wanted = teller.account.reducible(order, order.qty.0);
        let qty = if crosses { wanted.min(shown) } else { 0 };
        if order.tif == TimeInForce::Fok && qty < order.qty.0 {
            return teller.end(order, 0, ReportKind::Expired);
        }
        teller.say(order, ReportKind::Accepted);
        if qty > 0 {
            let at = if self.quoted { price } else { self.worsened(order, qty, price, teller) };
            teller.fill(order, qty, at, false, false);
            if self.quoted {
                self.best[order.side.opposite() as usize].qty.0 -= qty;
            }
        }
        let left = order.qty.0 - qty;
        if left == 0 {
            teller.account.ended(order, 0);
        } else if limited && order.tif == TimeInForce::Gtc && wanted == order.qty.0 {
            teller.account.rests(order, left);
            self.resting.push((*order, left));
        } else {
            teller.end(order, 0, ReportKind::Expired);
        }
    }

    fn worsened(&self, order: &Order, qty: i64, price: Price, teller: &Teller) -> Price {
        let at = teller.worsened(order, qty, price, 0);
        match order.side {
            Side::Buy if order.kind.has_limit() => at.min(order.price),
            Side::Sell if order.kind.has_limit() => at.max(order.price),
            _ => at,
        }
    }

    pub(super) fn cancel(&mut self, id: OrderId, teller: &mut Teller) {
        if let Some(index) = self.resting.iter().position(|(order, _)| order.id == id) {
            let (order, left) = self.resting.remove(index);
            teller.end(&order, left, ReportKind::Canceled);
        }
    }

    pub(super) fn cancel_all(&mut self, teller: &mut Teller) {
        for (order, left) in std::mem::take(&mut self.resting) {
            teller.end(&order, left, ReportKind::Canceled);
        }
    }
}
