//! A slow, obvious model of resting and taking orders on recorded depth: maps of price to quantity, one order after the
//! other, nothing remembered that could be looked up.

use algo_trader::domain::event::DepthHead;
use algo_trader::domain::{Level, Order, OrderKind, Side, TimeInForce};
use std::collections::BTreeMap;

/// How much of what was cancelled was before an order.
#[derive(Debug, Clone, Copy)]
pub enum Cancels {
    Behind,
    Power(f64),
    Log,
}

/// Order number, quantity, price, whether it rested.
pub type Filled = (u64, i64, i64, bool);

#[derive(Debug, Clone)]
struct Standing {
    order: Order,
    left: i64,
    ahead: i64,
    level: i64,
    traded: i64,
    /// The last time that the level shrank by more than was traded: when, how much of it is not explained by a trade, and
    /// who was ahead and behind.
    shrank: Option<(u64, i64, i64, i64)>,
}

pub struct Naive {
    cancels: Cancels,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    early: Vec<(DepthHead, Vec<Level>)>,
    valid: bool,
    standing: Vec<Standing>,
    /// What we took: side, price, what the level showed, how much.
    took: Vec<(Side, i64, i64, i64)>,
    pub fills: Vec<Filled>,
}

impl Naive {
    pub fn new(cancels: Cancels) -> Self {
        Self {
            cancels,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            early: Vec::new(),
            valid: false,
            standing: Vec::new(),
            took: Vec::new(),
            fills: Vec::new(),
        }
    }

    fn side(&self, side: Side) -> &BTreeMap<i64, i64> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn shows(&self, side: Side, price: i64) -> i64 {
        self.side(side).get(&price).copied().unwrap_or(0)
    }

    /// Levels of a side, best first.
    fn best_first(&self, side: Side) -> Vec<(i64, i64)> {
        let levels: Vec<_> = self.side(side).iter().map(|(p, q)| (*p, *q)).collect();
        if side == Side::Buy {
            levels.into_iter().rev().take(400).collect()
        } else {
            levels.into_iter().take(400).collect()
        }
    }

    fn there(&self, side: Side, price: i64) -> i64 {
        let shows = self.shows(side, price);
        let took = self.took.iter().filter(|t| t.0 == side && t.1 == price && t.2 == shows);
        shows - took.map(|t| t.3).sum::<i64>()
    }

    fn apply(&mut self, head: &DepthHead, levels: &[Level]) {
        for (n, level) in levels.iter().enumerate() {
            let side = if n < head.bids as usize { &mut self.bids } else { &mut self.asks };
            if level.qty.0 == 0 {
                side.remove(&level.price.0);
            } else {
                side.insert(level.price.0, level.qty.0);
            }
        }
    }

    pub fn snapshot(&mut self, head: &DepthHead, levels: &[Level]) {
        self.bids.clear();
        self.asks.clear();
        self.apply(head, levels);
        for (diff, levels) in std::mem::take(&mut self.early) {
            if diff.last_id > head.last_id {
                self.apply(&diff, &levels);
                self.valid = true;
            }
        }
    }

    pub fn diff(&mut self, head: &DepthHead, levels: &[Level]) {
        if self.bids.is_empty() {
            self.early.push((*head, levels.to_vec()));
            return;
        }
        self.valid = true;
        self.apply(head, levels);
    }

    /// To be called when the book has moved.
    pub fn moved(&mut self, at: u64) {
        let took = std::mem::take(&mut self.took);
        self.took = took.into_iter().filter(|t| self.shows(t.0, t.1) == t.2).collect();
        for index in 0..self.standing.len() {
            let s = self.standing[index].clone();
            let shows = self.shows(s.order.side, s.order.price.0);
            let cancelled = s.level - s.traded - shows;
            let mut ahead = s.ahead;
            if cancelled > 0 {
                let behind = (s.level - s.traded - s.ahead).max(0);
                self.standing[index].shrank = Some((at, cancelled.min(ahead + behind), ahead, behind));
                ahead = self.after(ahead, behind, cancelled);
            }
            let s = &mut self.standing[index];
            (s.ahead, s.level, s.traded) = (ahead.clamp(0, shows), shows, 0);
        }
        for side in [Side::Buy, Side::Sell] {
            self.crossed(side);
        }
    }

    /// Who is still ahead once so much was cancelled, as far as it was there.
    fn after(&self, ahead: i64, behind: i64, cancelled: i64) -> i64 {
        let cancelled = cancelled.min(ahead + behind);
        let share = |f: &dyn Fn(f64) -> f64| {
            let (a, b) = (f(ahead as f64), f(behind as f64));
            let from_behind = ((cancelled as f64 * (b / (a + b))).round() as i64).min(behind);
            ahead - (cancelled - from_behind)
        };
        match self.cancels {
            _ if ahead == 0 || cancelled == 0 => ahead,
            Cancels::Behind => ahead.min(ahead + behind - cancelled),
            Cancels::Power(n) => share(&|x| x.powf(n)),
            Cancels::Log => share(&|x| x.ln_1p()),
        }
    }

    /// Indices of standing orders of a side, best price first, then the oldest.
    fn ranked(&self, side: Side) -> Vec<usize> {
        let mut all: Vec<usize> =
            (0..self.standing.len()).filter(|i| self.standing[*i].order.side == side).collect();
        let sign = if side == Side::Buy { -1 } else { 1 };
        all.sort_by_key(|i| (sign * self.standing[*i].order.price.0, *i));
        all
    }

    fn fill(&mut self, index: usize, qty: i64) {
        let s = &mut self.standing[index];
        s.left -= qty;
        self.fills.push((s.order.id.0, qty, s.order.price.0, true));
    }

    fn sweep_out(&mut self) {
        self.standing.retain(|s| s.left > 0);
    }

    /// The other side came to where our orders stand.
    fn crossed(&mut self, side: Side) {
        for index in self.ranked(side) {
            for (price, _) in self.best_first(side.opposite()) {
                let s = &self.standing[index];
                let ours = s.order.price.0;
                let meets = if side == Side::Buy { price <= ours } else { price >= ours };
                if !meets || s.left == 0 {
                    break;
                }
                let qty = s.left.min(self.there(side.opposite(), price));
                if qty > 0 {
                    let shows = self.shows(side.opposite(), price);
                    self.took.push((side.opposite(), price, shows, qty));
                    self.fill(index, qty);
                }
            }
        }
        self.sweep_out();
    }

    pub fn trade(&mut self, aggressor: Side, price: i64, qty: i64, at: u64) {
        let side = aggressor.opposite();
        for index in self.ranked(side) {
            let s = &self.standing[index];
            let ours = s.order.price.0;
            let beyond = if side == Side::Buy { price < ours } else { price > ours };
            if beyond {
                self.fill(index, self.standing[index].left);
            }
        }
        let mut ours = 0;
        for index in 0..self.standing.len() {
            let s = &mut self.standing[index];
            if s.order.side != side || s.order.price.0 != price || s.left == 0 {
                continue;
            }
            let mut served = 0;
            let mut rest = qty;
            if let Some((when, left, ahead, behind)) = s.shrank
                && at <= when
            {
                // The trade was first, and only what it does not explain was cancelled after it.
                let explained = qty.min(left);
                served = ahead.min(explained);
                rest -= explained;
                let (left, ahead) = (left - explained, ahead - served);
                s.shrank = Some((when, left, ahead, behind));
                if explained > 0 {
                    let (after, shows) = (self.after(ahead, behind, left), self.standing[index].level);
                    self.standing[index].ahead = after.clamp(0, shows);
                }
            }
            let s = &mut self.standing[index];
            s.traded += rest;
            let now = s.ahead.min(rest);
            s.ahead -= now;
            if let Some((_, _, ahead, _)) = &mut s.shrank {
                *ahead = (*ahead - now).max(0);
            }
            let before = served + now;
            let filled = s.left.min(qty - before - ours);
            if filled > 0 {
                ours += filled;
                self.fill(index, filled);
            }
        }
        self.sweep_out();
    }

    pub fn arrive(&mut self, order: &Order) {
        if !self.valid {
            return;
        }
        let (side, limit) = (order.side, order.price.0);
        let meets = |price: i64| match (order.kind, side) {
            (OrderKind::Market, _) => true,
            (_, Side::Buy) => price <= limit,
            (_, Side::Sell) => price >= limit,
        };
        let levels = self.best_first(side.opposite());
        if order.kind == OrderKind::PostOnly && levels.first().is_some_and(|l| meets(l.0)) {
            return;
        }
        let able: i64 = levels.iter().filter(|l| meets(l.0)).map(|l| self.there(side.opposite(), l.0)).sum();
        if order.tif == TimeInForce::Fok && able < order.qty.0 {
            return;
        }
        let mut left = order.qty.0;
        for (price, shows) in levels.into_iter().filter(|l| meets(l.0)) {
            let qty = left.min(self.there(side.opposite(), price));
            if qty > 0 {
                self.took.push((side.opposite(), price, shows, qty));
                self.fills.push((order.id.0, qty, price, false));
                left -= qty;
            }
        }
        if left == 0 {
            return;
        }
        if order.kind == OrderKind::Market || order.tif != TimeInForce::Gtc {
            return;
        }
        let level = self.shows(side, limit);
        self.standing.push(Standing { order: *order, left, ahead: level, level, traded: 0, shrank: None });
    }

    pub fn cancel(&mut self, id: u64) {
        self.standing.retain(|s| s.order.id.0 != id);
    }
}
