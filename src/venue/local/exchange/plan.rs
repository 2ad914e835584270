//! What an incoming order would do to the book: decided before anything is changed.
//!
//! Owns: matching order by order, self-trade prevention, iceberg parts. A market order's cost, whether a FOK order can
//! trade whole, and the trades themselves all come from this one walk. Invariant: makers are met by price, then time; the
//! next part of an iceberg order is met after all that stood at its price.

use super::funds::{AccountId, Funds};
use super::market::Market;
use super::order::{Order, StpMode};
use crate::domain::{Price, Side};
use crate::venue::local::engine::RestingOrder;
use std::collections::VecDeque;

/// One thing that happens to one resting order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Trade {
        maker: u64,
        qty: i64,
    },
    /// The whole resting order expires.
    Expire {
        maker: u64,
    },
    /// Both become smaller; with `transfer`, what would have traded changes hands.
    Shrink {
        maker: u64,
        qty: i64,
        transfer: bool,
    },
}

/// Why matching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing more is wanted.
    Done,
    /// Nothing is left within the limit.
    NoLiquidity,
    /// There is not enough to pay for a lot more.
    Budget,
    /// The incoming order met its own account.
    SelfTrade,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub end: End,
    /// The order of its own that the incoming one met last, and at which price, where that ended it.
    pub own: Option<(u64, Price)>,
    /// What would trade.
    pub traded: i64,
    /// What would be kept from trading.
    pub prevented: i64,
    /// What would still be wanted, at the last price met.
    pub unmet: i64,
    /// The worth of what would be paid for, or received.
    pub worth: i128,
}

struct Walk<'a> {
    taker: &'a Order,
    /// What may still be spent, or received.
    budget: Option<i128>,
    leaves: i64,
    lot: i64,
    plan: Plan,
}

/// What an iceberg order, or any other, shows at a place in the queue, and what it has behind.
struct Shown {
    maker: u64,
    price: i64,
    qty: i64,
    hidden: i64,
}

/// What became of meeting a resting order.
enum Met {
    /// This much of what it shows was traded, or kept from trading.
    Took(i64),
    /// It expired, with all that it has behind.
    Gone,
    /// The incoming order ends here.
    Own,
}

impl Plan {
    /// What `taker` would do now, spending or receiving at most `budget` units of notional.
    pub fn of(market: &Market, funds: &Funds, taker: &Order, budget: Option<i128>) -> Self {
        let end = End::NoLiquidity;
        let plan = Plan { steps: Vec::new(), end, own: None, traded: 0, prevented: 0, unmet: 0, worth: 0 };
        let lot = market.rules.instrument.lot.0.max(1);
        let mut walk = Walk { taker, budget, leaves: taker.remaining().0, lot, plan };
        walk.all(market, funds);
        walk.plan
    }
}

impl Walk<'_> {
    fn all(&mut self, market: &Market, funds: &Funds) {
        let (side, limit, market_order) = (self.taker.side, self.taker.price, self.taker.is_market());
        let within = |at: &RestingOrder| market_order || side.at_least_as_aggressive(limit, at.price);
        let mut behind: VecDeque<Shown> = VecDeque::new();
        let mut price = Price(0);
        let mut resting = market.engine.orders(side.opposite()).take_while(within).peekable();
        loop {
            let more = resting.peek().is_some_and(|at| behind.is_empty() || at.price == price);
            let shown = if more {
                let Some(at) = resting.next() else { break };
                price = at.price;
                // The crowd hides nothing.
                let hidden = market.get(at.order).map_or(0, |order| order.remaining().0 - at.leaves.0);
                Shown { maker: at.order, price: at.price.0, qty: at.leaves.0, hidden }
            } else {
                let Some(shown) = behind.pop_front() else { break };
                shown
            };
            let maker = market.get(shown.maker);
            if self.lots(shown.price) == 0 {
                self.plan.end = if self.leaves == 0 { End::Done } else { End::Budget };
                return;
            }
            let own = maker.filter(|maker| {
                self.taker.stp != StpMode::None && funds.related(maker.account, self.taker.account)
            });
            let met = match own {
                Some(maker) => self.prevent(maker, &shown),
                None => self.trade(&shown),
            };
            match met {
                Met::Own => {
                    self.plan.end = End::SelfTrade;
                    self.plan.own = Some((shown.maker, Price(shown.price)));
                    self.plan.unmet = self.lots(shown.price);
                    return;
                }
                // A better price is not passed over for a worse one, at which a lot more could be had.
                Met::Took(qty) if qty < shown.qty => {
                    self.plan.end = if self.leaves == 0 { End::Done } else { End::Budget };
                    return;
                }
                Met::Took(_) if shown.hidden > 0 => {
                    let qty = shown.hidden.min(maker.map_or(shown.hidden, |maker| maker.iceberg_qty.0));
                    behind.push_back(Shown { qty, hidden: shown.hidden - qty, ..shown });
                }
                Met::Took(_) | Met::Gone => {}
            }
        }
        self.plan.unmet = if price.0 > 0 { self.lots(price.0) } else { self.leaves };
        if self.leaves == 0 || (self.taker.quote_qty.0 > 0 && self.plan.unmet == 0) {
            self.plan.end = End::Done;
        }
    }

    /// How much is wanted at this price, in whole lots.
    fn lots(&self, price: i64) -> i64 {
        let Some(budget) = self.budget else { return self.leaves };
        let affordable = budget / i128::from(price) / i128::from(self.lot) * i128::from(self.lot);
        i64::try_from(affordable).unwrap_or(i64::MAX).min(self.leaves)
    }

    /// Takes what is wanted of what is shown. It comes off the budget where it is `paid` for, and in any case off that of
    /// an order for an amount.
    fn meet(&mut self, shown: &Shown, paid: bool) -> i64 {
        let qty = self.lots(shown.price).min(shown.qty);
        self.leaves -= qty;
        let worth = i128::from(shown.price) * i128::from(qty);
        if paid {
            self.plan.worth += worth;
        }
        if paid || self.taker.quote_qty.0 > 0 {
            self.budget = self.budget.map(|budget| budget - worth);
        }
        qty
    }

    fn trade(&mut self, shown: &Shown) -> Met {
        let qty = self.meet(shown, true);
        self.plan.traded += qty;
        self.plan.steps.push(Step::Trade { maker: shown.maker, qty });
        Met::Took(qty)
    }

    fn prevent(&mut self, maker: &Order, shown: &Shown) -> Met {
        match self.taker.stp {
            StpMode::ExpireTaker => Met::Own,
            StpMode::ExpireMaker | StpMode::ExpireBoth => {
                self.plan.steps.push(Step::Expire { maker: shown.maker });
                if self.taker.stp == StpMode::ExpireMaker { Met::Gone } else { Met::Own }
            }
            StpMode::Decrement | StpMode::Transfer | StpMode::None => {
                let transfer = self.taker.stp == StpMode::Transfer
                    && maker.stp == StpMode::Transfer
                    && maker.account != self.taker.account;
                let qty = self.meet(shown, transfer);
                self.plan.prevented += qty;
                self.plan.steps.push(Step::Shrink { maker: shown.maker, qty, transfer });
                Met::Took(qty)
            }
        }
    }
}

/// Whether an order at this price would trade at once.
pub(super) fn crosses(market: &Market, side: Side, price: Price) -> bool {
    market.engine.best(side.opposite()).is_some_and(|best| side.at_least_as_aggressive(price, best.price))
}

/// Whether the account has this much free of what an order of this side pays with.
pub(super) fn has_free(market: &Market, funds: &Funds, account: AccountId, side: Side, units: i128) -> bool {
    let leg = market.pays(side);
    units.checked_mul(leg.scale).is_some_and(|amount| amount <= funds.balance(account, leg.asset).free)
}
