//! Putting an order to work: trades, prevented trades, and the money of both.

use super::batch::{Batch, Details};
use super::event::{Commission, Prevented, Prevention};
use super::market::AccountTrade;
use super::order::{ExecutionType, ExpiryReason, Order, OrderStatus, OrderType, StpMode};
use super::plan::{End, Plan, Step};
use crate::domain::{Price, Qty, Side, TimeInForce};

impl Batch<'_> {
    /// What an order may spend or receive: the amount of one for an amount; all that is free for a market buy.
    pub fn budget(&self, order: &Order) -> Option<i128> {
        match (order.quote_qty.0, order.is_market(), order.side) {
            (amount @ 1.., _, _) => Some(amount),
            (_, true, Side::Buy) => {
                let leg = self.market.quote;
                Some(self.funds.balance(order.account, leg.asset).free / leg.scale)
            }
            _ => None,
        }
    }

    /// Puts an order that was taken in to work, or lets it wait for its price; unless it is over by now.
    pub fn begin(&mut self, number: u64) {
        let order = *self.market.order(number);
        if !order.status.is_open() {
            return;
        }
        if order.working_ms.is_some() {
            return self.work(number);
        }
        if let Some(delta) = order.trailing_delta {
            self.market.triggers.trail(number, order.side, delta, order.stop_price.0 == 0);
        }
        if order.stop_price.0 > 0 {
            let rising = order.kind.triggers_rising(order.side);
            self.market.triggers.wait(number, order.stop_price.0, rising);
        }
    }

    /// An order whose moment has come, if it is still open: a conditional one by its price, a follower by its list.
    pub fn activate(&mut self, number: u64) {
        if !self.market.is_open(number) {
            return;
        }
        if self.market.order(number).status == OrderStatus::PendingNew {
            return self.release(number);
        }
        self.end_sibling(number, OrderStatus::Expired);
        let now_ms = self.now_ms;
        let order = self.market.order_mut(number);
        (order.working_ms, order.updated_ms) = (Some(now_ms), now_ms);
        self.relock(number);
        self.report(number, ExecutionType::New, Details::default());
        self.work(number);
    }

    /// Matches an order that was taken in; then it rests, or ends.
    pub fn work(&mut self, number: u64) {
        let order = *self.market.order(number);
        let plan = Plan::of(self.market, self.funds, &order, self.budget(&order));
        if order.tif == TimeInForce::Fok && order.kind.is_priced() && plan.traded < order.remaining().0 {
            let reason = Some(ExpiryReason::UnfilledFok);
            return self.end(number, OrderStatus::Expired, reason, Details::default());
        }
        let mut prevented = None;
        for step in &plan.steps {
            match *step {
                Step::Trade { maker, qty } => self.trade(number, maker, qty),
                Step::Expire { maker } => {
                    let own = *self.market.order(maker);
                    // Where both expire, matching ends here, and so with all that is left of the taker now.
                    let both = order.stp == StpMode::ExpireBoth;
                    let left = if both { self.market.order(number).remaining() } else { Qty::ZERO };
                    let of = self.prevention((number, left), (maker, own.remaining()), own.price);
                    prevented = Some(of);
                    self.prevent(maker, of, true);
                }
                Step::Shrink { maker, qty, transfer } => self.shrink(number, maker, qty, transfer),
            }
        }
        let order = *self.market.order(number);
        if !order.status.is_open() {
            return;
        }
        let reason = match plan.end {
            End::SelfTrade => {
                let (maker, price) = plan.own.unwrap_or((number, order.price));
                let of = prevented.filter(|of| of.maker.order == maker);
                let of = of.unwrap_or_else(|| {
                    self.prevention((number, order.remaining()), (maker, Qty::ZERO), price)
                });
                return self.prevent(number, of, true);
            }
            _ if order.is_market() => ExpiryReason::InsufficientLiquidity,
            _ if order.kind != OrderType::LimitMaker && order.tif != TimeInForce::Gtc => {
                ExpiryReason::UnfilledIoc
            }
            // What does not fit its level any more cannot be kept.
            _ if self.market.show(number).is_err() => ExpiryReason::ExchangeCanceled,
            _ => return,
        };
        self.end(number, OrderStatus::Expired, Some(reason), Details::default());
    }

    /// Something has traded at this price: orders that waited for it become due.
    pub(super) fn mark(&mut self, price: Price) {
        self.market.last = Some(price);
        for number in self.market.triggers.trade(price.0) {
            self.market.order_mut(number).trailing_ms = Some(self.now_ms);
        }
    }

    fn trade(&mut self, taker: u64, maker: u64, qty: i64) {
        let qty = Qty(qty);
        let Some(resting) = self.market.engine.order(maker) else { return };
        let price = resting.price;
        let Some(trade_id) = self.market.engine.fill(maker, qty) else { return };
        let crowd = self.market.get(maker).is_none();
        if !crowd {
            self.end_sibling(maker, OrderStatus::Expired);
        }
        self.mark(price);
        self.tell_side(taker, trade_id, price, qty, false);
        if crowd {
            self.pay_crowd(taker, price, qty);
        } else {
            self.tell_side(maker, trade_id, price, qty, true);
        }
    }

    /// Moves the money of one side of a trade; returns the commission.
    pub(super) fn settle(&mut self, number: u64, price: Price, qty: Qty, maker: bool) -> Commission {
        let worth = price.times(qty);
        let now_ms = self.now_ms;
        let order = self.market.order_mut(number);
        order.executed.0 += qty.0;
        order.executed_quote = order.executed_quote.plus(worth);
        order.updated_ms = now_ms;
        let filled = order.remaining() == Qty::ZERO;
        order.status = if filled { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        self.relock(number);
        let order = *self.market.order(number);
        let rules = &self.market.rules.instrument;
        let rate = if maker { rules.maker_fee } else { rules.taker_fee };
        let (asset, received) = self.exchange(&order, price, qty);
        let traded = [self.market.base.asset, self.market.quote.asset];
        let quote = worth.0 * self.market.quote.scale;
        let third = self.funds.take_third(order.account, traded, quote, rate.0);
        let (asset, amount) = third
            .unwrap_or_else(|| (asset, self.funds.take_commission(order.account, asset, received, rate.0)));
        let commission = Commission { amount, asset };
        self.market.trades.push_back(AccountTrade {
            id: self.market.engine.last_trade_id(),
            account: order.account,
            order: number,
            list: order.list,
            price,
            qty,
            quote: worth,
            commission,
            ms: now_ms,
            side: order.side,
            maker,
        });
        if filled {
            self.market.retire(number);
        }
        commission
    }

    /// Takes what an order pays for `qty` and gives what it receives, which is returned with its asset.
    fn exchange(&mut self, order: &Order, price: Price, qty: Qty) -> (super::AssetId, i128) {
        let base = i128::from(qty.0) * self.market.base.scale;
        let quote = price.times(qty).0 * self.market.quote.scale;
        let ((paid, pays), (received, receives)) = match order.side {
            Side::Buy => ((quote, self.market.quote.asset), (base, self.market.base.asset)),
            Side::Sell => ((base, self.market.base.asset), (quote, self.market.quote.asset)),
        };
        self.funds.add(order.account, pays, -paid);
        self.funds.add(order.account, receives, received);
        (receives, received)
    }

    /// Shows the next part of an iceberg order, once the one that was shown is gone; returns whether its level had room.
    pub(super) fn refresh(&mut self, maker: u64) -> bool {
        !self.market.is_open(maker)
            || self.market.engine.order(maker).is_some()
            || self.market.show(maker).is_ok()
    }

    pub(super) fn unkept(&mut self, number: u64) {
        let reason = Some(ExpiryReason::ExchangeCanceled);
        self.end(number, OrderStatus::Expired, reason, Details::default());
    }

    fn shrink(&mut self, taker: u64, maker: u64, qty: i64, transfer: bool) {
        let (qty, price) = (Qty(qty), self.market.order(maker).price);
        self.market.engine.reduce(maker, qty, &mut Vec::new());
        let of = self.prevention((taker, qty), (maker, qty), price);
        for number in [taker, maker] {
            self.prevent(number, of, false);
            if transfer {
                let order = *self.market.order(number);
                self.exchange(&order, price, qty);
            }
        }
        if !self.refresh(maker) {
            self.unkept(maker);
        }
    }

    /// A trade that is prevented: both orders, and by how much each becomes smaller.
    fn prevention(&mut self, taker: (u64, Qty), maker: (u64, Qty), price: Price) -> Prevention {
        self.counters.prevention += 1;
        let side = |(order, qty): (u64, Qty)| {
            let account = self.market.order(order).account;
            Prevented { order, account, qty }
        };
        let (taker, maker) = (side(taker), side(maker));
        let mode = self.market.order(taker.order).stp;
        Prevention { match_id: self.counters.prevention, price, mode, taker, maker }
    }

    /// Keeps an order from that trade; with nothing left, or where it `ends`, it is over.
    fn prevent(&mut self, number: u64, prevention: Prevention, ends: bool) {
        self.end_sibling(number, OrderStatus::Expired);
        let qty = prevention.seen_by(number).0.qty;
        let details = Details { prevention: Some(prevention), ..Details::default() };
        let now_ms = self.now_ms;
        let order = self.market.order_mut(number);
        order.prevented.0 += qty.0;
        order.updated_ms = now_ms;
        if ends || order.remaining() == Qty::ZERO {
            return self.end(number, OrderStatus::ExpiredInMatch, None, details);
        }
        self.relock(number);
        self.report(number, ExecutionType::TradePrevention, details);
    }
}
