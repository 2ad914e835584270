//! A slow, obviously correct exchange: every order in one vector, changed one step at a time, no balances.
//!
//! It knows nothing of plans, queues or indices: whatever is needed is found by looking at all orders, and whether a
//! fill-or-kill order can trade whole by trying it on a copy.

use algo_trader::domain::{Side, TimeInForce};
use algo_trader::venue::local::exchange::{ExecutionType, OrderStatus, OrderType, StpMode};
use std::collections::VecDeque;

/// What a report comes to: order, kind, status, and of a trade its quantity, price and role.
pub type Line = (u64, ExecutionType, OrderStatus, Option<(i64, i64, bool)>);

#[derive(Debug, Clone)]
pub struct NaiveOrder {
    pub number: u64,
    pub account: u32,
    pub side: Side,
    pub kind: OrderType,
    pub tif: TimeInForce,
    pub stp: StpMode,
    pub price: i64,
    pub stop: i64,
    pub iceberg: i64,
    pub qty: i64,
    pub quote: i128,
    pub executed: i64,
    pub prevented: i64,
    pub status: OrderStatus,
    pub sibling: Option<u64>,
    /// What the book shows of it; it stands there since `arrived`.
    pub shown: i64,
    pub arrived: u64,
    pub waiting: bool,
    /// By how much it trails, and the best price since it does.
    pub delta: Option<u32>,
    pub best: Option<i64>,
    /// The order that must be filled first.
    pub follows: Option<u64>,
}

impl NaiveOrder {
    fn rest(&self) -> i64 {
        self.qty - self.executed - self.prevented
    }

    /// Whether a trade at this price is what it waits for; one that trails takes note of the price.
    fn hears(&mut self, price: i64) -> bool {
        let rising = self.kind.triggers_rising(self.side);
        let reached = self.stop == 0 || if rising { self.stop <= price } else { self.stop >= price };
        let Some(delta) = self.delta else { return reached };
        let Some(best) = self.best else {
            self.best = reached.then_some(price);
            return false;
        };
        let (sells, moved) = (self.side == Side::Sell, i128::from(price - best) * 10_000);
        self.best = Some(if sells { best.max(price) } else { best.min(price) });
        let back = if sells { -moved } else { moved };
        back >= i128::from(best) * i128::from(delta)
    }

    fn part(&self) -> i64 {
        if self.iceberg > 0 { self.iceberg.min(self.rest()) } else { self.rest() }
    }
}

#[derive(Debug, Clone, Default)]
pub struct NaiveExchange {
    pub orders: Vec<NaiveOrder>,
    pub lines: Vec<Line>,
    pub last: Option<i64>,
    pub arrivals: u64,
    pub due: VecDeque<u64>,
    /// Accounts below this are one group.
    pub grouped: u32,
    pub lot: i64,
}

impl NaiveExchange {
    fn at(&mut self, number: u64) -> &mut NaiveOrder {
        self.orders.iter_mut().find(|order| order.number == number).expect("the order is known")
    }

    pub fn get(&self, number: u64) -> Option<&NaiveOrder> {
        self.orders.iter().find(|order| order.number == number)
    }

    fn is_open(&self, number: u64) -> bool {
        self.get(number).is_some_and(|order| order.status.is_open())
    }

    fn tell(&mut self, number: u64, kind: ExecutionType, fill: Option<(i64, i64, bool)>) {
        let status = self.at(number).status;
        self.lines.push((number, kind, status, fill));
    }

    fn related(&self, a: u32, b: u32) -> bool {
        a == b || (a < self.grouped && b < self.grouped)
    }

    /// The best order of the other side that `taker` may meet.
    fn opposite(&self, taker: &NaiveOrder) -> Option<NaiveOrder> {
        let meets = |order: &&NaiveOrder| {
            order.shown > 0
                && order.side != taker.side
                && match (taker.kind.is_priced(), taker.side) {
                    (false, _) => true,
                    (true, Side::Buy) => order.price <= taker.price,
                    (true, Side::Sell) => order.price >= taker.price,
                }
        };
        let key = |order: &&NaiveOrder| {
            (if taker.side == Side::Buy { order.price } else { -order.price }, order.arrived)
        };
        self.orders.iter().filter(meets).min_by_key(key).cloned()
    }

    fn end(&mut self, number: u64, status: OrderStatus, kind: ExecutionType) {
        let order = self.at(number);
        (order.status, order.shown, order.waiting) = (status, 0, false);
        self.tell(number, kind, None);
        self.end_sibling(number, OrderStatus::Expired, ExecutionType::Expired);
        for follower in self.followers(number) {
            self.at(follower).status = OrderStatus::Expired;
            self.tell(follower, ExecutionType::Expired, None);
        }
    }

    /// Those that wait for an order to be filled.
    fn followers(&self, number: u64) -> Vec<u64> {
        let waits =
            |order: &&NaiveOrder| order.follows == Some(number) && order.status == OrderStatus::PendingNew;
        self.orders.iter().filter(waits).map(|order| order.number).collect()
    }

    fn end_sibling(&mut self, number: u64, status: OrderStatus, kind: ExecutionType) {
        let Some(other) = self.at(number).sibling.filter(|other| self.is_open(*other)) else { return };
        let order = self.at(other);
        (order.status, order.shown, order.waiting) = (status, 0, false);
        self.tell(other, kind, None);
    }

    fn prevent(&mut self, number: u64, qty: i64, ends: bool) {
        self.end_sibling(number, OrderStatus::Expired, ExecutionType::Expired);
        let order = self.at(number);
        order.prevented += qty;
        if ends || order.rest() == 0 {
            return self.end(number, OrderStatus::ExpiredInMatch, ExecutionType::TradePrevention);
        }
        self.tell(number, ExecutionType::TradePrevention, None);
    }

    fn show(&mut self, number: u64) {
        self.arrivals += 1;
        let arrived = self.arrivals;
        let order = self.at(number);
        (order.shown, order.arrived) = (order.part(), arrived);
    }

    fn shrink_shown(&mut self, number: u64, qty: i64) {
        let order = self.at(number);
        order.shown -= qty;
        if order.shown == 0 && order.status.is_open() && order.rest() > 0 {
            self.show(number);
        }
    }

    fn trade(&mut self, taker: u64, maker: &NaiveOrder, qty: i64) {
        self.end_sibling(maker.number, OrderStatus::Expired, ExecutionType::Expired);
        self.last = Some(maker.price);
        let mut due = Vec::new();
        for order in self.orders.iter_mut().filter(|order| order.waiting) {
            if order.hears(maker.price) {
                order.waiting = false;
                due.push(order.number);
            }
        }
        due.sort_unstable();
        self.due.extend(due);
        for number in [taker, maker.number] {
            let order = self.at(number);
            order.executed += qty;
            order.status = if order.rest() == 0 { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            self.tell(number, ExecutionType::Trade, Some((qty, maker.price, number != taker)));
            if self.at(number).status == OrderStatus::Filled {
                let first = self.followers(number).first().copied();
                self.due.extend(first);
            }
        }
        self.shrink_shown(maker.number, qty);
    }

    /// Works an order until nothing more happens; returns what it would still want of what it met last.
    fn work(&mut self, number: u64) -> i64 {
        let quote = self.at(number).quote;
        let mut budget = quote;
        let mut met = None;
        loop {
            let taker = self.at(number).clone();
            let Some(maker) = self.opposite(&taker).filter(|_| taker.status.is_open()) else { break };
            let lots = |price: i64| match quote {
                0 => taker.rest(),
                _ => {
                    let lot = i128::from(self.lot);
                    let lots = budget / i128::from(price) / lot * lot;
                    lots.min(taker.rest().into()) as i64
                }
            };
            let want = lots(maker.price);
            if want == 0 {
                met = None;
                break;
            }
            let qty = want.min(maker.shown);
            let own = self.related(taker.account, maker.account);
            met = Some(maker.price);
            match taker.stp {
                StpMode::ExpireTaker if own => {
                    self.prevent(number, taker.rest(), true);
                    return want;
                }
                StpMode::ExpireMaker if own => self.prevent(maker.number, maker.rest(), true),
                StpMode::ExpireBoth if own => {
                    self.prevent(maker.number, maker.rest(), true);
                    self.prevent(number, taker.rest(), true);
                    return want;
                }
                StpMode::Decrement | StpMode::Transfer if own => {
                    self.prevent(number, qty, false);
                    self.prevent(maker.number, qty, false);
                    if self.is_open(maker.number) {
                        self.shrink_shown(maker.number, qty);
                    }
                    budget -= i128::from(qty) * i128::from(maker.price);
                }
                _ => {
                    self.trade(number, &maker, qty);
                    budget -= i128::from(qty) * i128::from(maker.price);
                }
            }
        }
        let order = self.at(number).clone();
        let lot = i128::from(self.lot);
        let unmet = met.map_or(0, |price| match quote {
            0 => order.rest(),
            _ => (budget / i128::from(price) / lot * lot).min(order.rest().into()) as i64,
        });
        if !order.status.is_open() {
            return unmet;
        }
        if order.kind.is_priced() && (order.kind == OrderType::LimitMaker || order.tif == TimeInForce::Gtc) {
            self.show(number);
        } else {
            self.end(number, OrderStatus::Expired, ExecutionType::Expired);
        }
        unmet
    }

    fn start(&mut self, number: u64) {
        let order = self.at(number).clone();
        if order.tif == TimeInForce::Fok && order.kind.is_priced() {
            let mut copy = self.clone();
            copy.at(number).tif = TimeInForce::Ioc;
            copy.work(number);
            if copy.at(number).executed - order.executed < order.rest() {
                return self.end(number, OrderStatus::Expired, ExecutionType::Expired);
            }
        }
        self.work(number);
    }

    fn run_due(&mut self) {
        while let Some(number) = self.due.pop_front() {
            if self.is_open(number) && self.at(number).status == OrderStatus::PendingNew {
                self.release(number);
            } else if self.is_open(number) {
                self.end_sibling(number, OrderStatus::Expired, ExecutionType::Expired);
                self.tell(number, ExecutionType::New, None);
                self.start(number);
            }
        }
    }

    /// Lets the followers go, of which this is the first, if the book allows all of them.
    fn release(&mut self, number: u64) {
        let working = self.at(number).follows.expect("it follows one");
        let all = self.followers(working);
        let refused = all.iter().any(|number| {
            let order = self.get(*number).expect("the order is known");
            self.refusal(order) != 0
        });
        for number in &all {
            let order = self.at(*number);
            order.status = if refused { OrderStatus::Rejected } else { OrderStatus::New };
            order.waiting = !refused && order.kind.is_conditional();
            self.tell(*number, if refused { ExecutionType::Rejected } else { ExecutionType::New }, None);
        }
        for number in all {
            let order = self.at(number);
            if !refused && order.status.is_open() && !order.kind.is_conditional() {
                self.start(number);
            }
        }
    }

    /// What the venue would say of an order against the book as it is; 0 where nothing.
    fn refusal(&self, order: &NaiveOrder) -> i32 {
        let rising = order.kind.triggers_rising(order.side);
        let passed = order.stop > 0
            && self.last.is_some_and(|last| if rising { last >= order.stop } else { last <= order.stop });
        let crosses = order.kind == OrderType::LimitMaker && self.opposite(order).is_some();
        if (order.kind.is_conditional() && passed) || crosses { -2010 } else { 0 }
    }

    /// Places orders of one list, or one order; returns the venue's code, or 0.
    pub fn place(&mut self, mut orders: Vec<NaiveOrder>) -> i32 {
        let checked = orders.iter().filter(|order| order.follows.is_none());
        if let Some(code) = checked.map(|order| self.refusal(order)).find(|code| *code != 0) {
            return code;
        }
        if let [order] = &mut orders[..]
            && order.quote > 0
        {
            let mut copy = self.clone();
            copy.orders.push(order.clone());
            let unmet = copy.work(order.number);
            let tried = copy.at(order.number);
            let ended_in_match = tried.status == OrderStatus::ExpiredInMatch && tried.rest() == 0;
            // An order that prevention ended has all its rest prevented.
            let whole_rest = if ended_in_match
                && tried.qty == order.qty
                && tried.executed + tried.prevented == order.qty
            {
                self.met_before_own(order)
            } else {
                tried.executed + tried.prevented + unmet
            };
            if whole_rest == 0 {
                return -2010;
            }
            order.qty = whole_rest;
        }
        let numbers: Vec<u64> = orders.iter().map(|order| order.number).collect();
        self.orders.extend(orders);
        for number in &numbers {
            self.tell(*number, ExecutionType::New, None);
        }
        for number in &numbers {
            let order = self.at(*number);
            if !order.kind.is_conditional() && order.follows.is_none() {
                self.start(*number);
            }
        }
        self.run_due();
        0
    }

    /// What an order for an amount comes to that ends at an order of its own: what it traded before, and what it wanted.
    fn met_before_own(&self, order: &NaiveOrder) -> i64 {
        let mut copy = self.clone();
        copy.orders.push(order.clone());
        let before = copy.lines.len();
        let want = copy.work(order.number);
        let traded = |line: &Line| if line.0 == order.number { line.3.map_or(0, |fill| fill.0) } else { 0 };
        copy.lines[before..].iter().map(traded).sum::<i64>() + want
    }

    pub fn cancel(&mut self, account: u32, number: u64) -> i32 {
        if !self.is_open(number) || self.at(number).account != account {
            return -2011;
        }
        // Of a list whose first order is not filled, all end; of its pair, later, both.
        let order = self.at(number);
        let pending = order.status == OrderStatus::PendingNew;
        let list = order.follows.filter(|_| pending).unwrap_or(number);
        let others: Vec<u64> = std::iter::once(list).chain(self.followers(list)).collect();
        for other in others.into_iter().filter(|other| *other != number) {
            let order = self.at(other);
            (order.status, order.shown, order.waiting) = (OrderStatus::Canceled, 0, false);
            self.tell(other, ExecutionType::Canceled, None);
        }
        self.end_sibling(number, OrderStatus::Canceled, ExecutionType::Canceled);
        self.end(number, OrderStatus::Canceled, ExecutionType::Canceled);
        0
    }

    pub fn amend(&mut self, account: u32, number: u64, qty: i64) -> i32 {
        if !self.is_open(number) || self.at(number).account != account {
            return -2038;
        }
        let order = self.at(number).clone();
        if qty >= order.qty || qty <= order.executed + order.prevented {
            return -2038;
        }
        let sibling = order.sibling.filter(|other| self.is_open(*other));
        let mut both: Vec<u64> = std::iter::once(number).chain(sibling).collect();
        both.sort_unstable();
        for number in &both {
            let order = self.at(*number);
            order.qty = qty;
            order.shown = order.shown.min(order.rest());
            self.tell(*number, ExecutionType::Replaced, None);
        }
        0
    }
}
