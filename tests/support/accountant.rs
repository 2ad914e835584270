//! An accountant who trusts nobody: from the events that went in and the verdicts that came out it adds everything up
//! anew, in other units than risk does, and says which limit an approved order is over.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::event::Report;
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{
    InstrumentId, InstrumentTable, Kill, Order, OrderId, OrderKind, Scope, Side, StrategyId, Time,
};
use algo_trader::market::Top;
use algo_trader::risk::RiskLimits;
use algo_trader::risk::limits::{OwnLimits, ScaleLimits};
use std::collections::VecDeque;

/// Everything is counted in 10^-16 of the quote asset; limits are in 10^-8.
const DECIMALS: u32 = 16;
const LIMIT: i128 = 100_000_000;
/// What risk may round, a unit of its own for each position and open order.
const TOLERANCE: i128 = 1_000 * LIMIT;

const SECOND: u64 = 1_000_000_000;

pub struct Live {
    pub order: Order,
    pub price: i64,
    pub filled: i64,
    trades: Vec<u64>,
}

#[derive(Clone, Default)]
struct Cell {
    qty: i128,
    /// Paid for what was bought less got for what was sold, 10^-16.
    cash: i128,
    fees: i128,
    /// Profit when the position was opened; what it was worth then is nothing.
    opened_at: i128,
    sizes: Vec<i64>,
    way: Option<(Side, u32, Time)>,
}

#[derive(Clone, Copy, Default)]
struct Track {
    day_start: i128,
    peak: i128,
    in_a_row: u32,
}

pub struct Accountant {
    table: InstrumentTable,
    limits: RiskLimits,
    groups: Vec<Option<u16>>,
    strategies: usize,
    cells: Vec<Cell>,
    pub live: Vec<Live>,
    marks: Vec<i64>,
    quoted: Vec<bool>,
    heard: Vec<Time>,
    lag: u64,
    pub now: Time,
    day: u64,
    tracks: Vec<Track>,
    whole: Track,
    profits: VecDeque<(Time, i128)>,
    stopped: Vec<Scope>,
    /// Of those, what is closed too.
    closing: Vec<Scope>,
    orders: Vec<VecDeque<(Time, Order)>>,
    cancels: Vec<VecDeque<Time>>,
    orders_today: Vec<u32>,
    cancels_today: Vec<u32>,
    trades_today: Vec<u32>,
    pub approved: u64,
    pub latched: u64,
    /// Limits of single instruments and strategies, which are in place of their level's; and how many orders were
    /// approved over that, by such a one.
    pub own: OwnLimits,
    pub approved_by_own: u64,
    pub violations: Vec<String>,
}

impl Accountant {
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        groups: Vec<Option<u16>>,
    ) -> Self {
        Self {
            limits,
            groups,
            strategies,
            cells: vec![Cell::default(); strategies * table.len()],
            live: Vec::new(),
            marks: vec![0; table.len()],
            quoted: vec![false; table.len()],
            heard: vec![Time(0); table.len()],
            lag: 0,
            now: Time(0),
            day: 0,
            tracks: vec![Track::default(); strategies],
            whole: Track::default(),
            profits: VecDeque::new(),
            stopped: Vec::new(),
            closing: Vec::new(),
            orders: vec![VecDeque::new(); strategies],
            cancels: vec![VecDeque::new(); strategies],
            orders_today: vec![0; strategies],
            cancels_today: vec![0; strategies],
            trades_today: vec![0; strategies],
            approved: 0,
            latched: 0,
            own: OwnLimits::default(),
            approved_by_own: 0,
            violations: Vec::new(),
            table: table.clone(),
        }
    }

    fn unit(&self, instrument: usize) -> i128 {
        let decimals = u32::from(self.table.all()[instrument].notional_decimals());
        10i128.pow(DECIMALS - decimals)
    }

    fn worth(&self, instrument: usize, price: i64, qty: i128) -> i128 {
        i128::from(price) * qty * self.unit(instrument)
    }

    fn profit_of_cell(&self, strategy: usize, instrument: usize) -> i128 {
        let cell = &self.cells[strategy * self.table.len() + instrument];
        self.worth(instrument, self.marks[instrument], cell.qty) - cell.cash - cell.fees
    }

    fn profit_of(&self, strategy: usize) -> i128 {
        (0..self.table.len()).map(|i| self.profit_of_cell(strategy, i)).sum()
    }

    fn profit(&self) -> i128 {
        (0..self.strategies).map(|s| self.profit_of(s)).sum()
    }

    // What happens.

    pub fn quote(&mut self, instrument: InstrumentId, mid: i64) {
        self.marks[instrument.index()] = mid;
        self.quoted[instrument.index()] = true;
        self.heard[instrument.index()] = self.now;
    }

    pub fn trade(&mut self, instrument: InstrumentId, price: i64, venue_time: Time) {
        if !self.quoted[instrument.index()] {
            self.marks[instrument.index()] = price;
        }
        self.heard[instrument.index()] = self.now;
        self.lag = self.now.0.abs_diff(venue_time.0);
    }

    pub fn report(&mut self, report: &Report) {
        let Some(at) = self.live.iter().position(|l| l.order.id == report.order) else { return };
        let live = &mut self.live[at];
        let over = match report.kind {
            ReportKind::Fill => {
                let fits = report.qty.0 > 0
                    && live.filled.checked_add(report.qty.0).is_some_and(|f| f <= live.order.qty.0);
                let last = &live.trades[live.trades.len().saturating_sub(8)..];
                if last.contains(&report.trade_id) || !fits {
                    return;
                }
                live.trades.push(report.trade_id);
                let first = live.filled == 0;
                live.filled += report.qty.0;
                let (order, over) = (live.order, live.filled == live.order.qty.0);
                self.fill(&order, report, first);
                over
            }
            ReportKind::Rejected | ReportKind::Canceled | ReportKind::Expired => true,
            // Funding and liquidations are no orders': none is generated here.
            ReportKind::Accepted
            | ReportKind::CancelRejected
            | ReportKind::Funding
            | ReportKind::Liquidated
            | ReportKind::Commission => false,
        };
        if over {
            self.live.remove(at);
        }
    }

    fn fill(&mut self, order: &Order, report: &Report, first: bool) {
        let (s, i) = (order.strategy.index(), order.instrument.index());
        if self.marks[i] == 0 {
            self.marks[i] = report.price.0;
        }
        let signed = i128::from(order.side.signed(report.qty).0);
        let paid = self.worth(i, report.price.0, signed);
        let n = self.table.len();
        let before = self.cells[s * n + i].qty;
        let cell = &mut self.cells[s * n + i];
        cell.qty += signed;
        cell.fees += i128::from(report.fee) * LIMIT;
        let after = cell.qty;
        cell.cash += paid;
        if before != 0 && before.signum() != after.signum() {
            // What is left beyond nothing was opened at this fill's price: it has earned nothing yet.
            let price = report.price.0;
            let earned =
                self.worth(i, price, after) - self.cells[s * n + i].cash - self.cells[s * n + i].fees;
            let trip = earned - self.cells[s * n + i].opened_at;
            self.cells[s * n + i].opened_at = earned;
            let track = &mut self.tracks[s];
            // Too near to nothing to say on which side risk rounds it, it is counted as a gain: risk may be stricter.
            track.in_a_row = if trip < -TOLERANCE { track.in_a_row + 1 } else { 0 };
        } else if before == 0 {
            let cell = &self.cells[s * n + i];
            let fee = i128::from(report.fee) * LIMIT;
            let earned = -(cell.cash - paid) - (cell.fees - fee);
            self.cells[s * n + i].opened_at = earned;
        }
        self.trades_today[s] += 1;
        if first {
            let (window, now) = (self.limits.same_way_window_ns, self.now);
            let cell = &mut self.cells[s * n + i];
            let count = match cell.way {
                Some((side, count, at)) if side == order.side && now.since(at) <= window => count + 1,
                _ => 1,
            };
            cell.way = Some((order.side, count, now));
        }
    }

    pub fn kill(&mut self, kill: &Kill) {
        if !self.stopped.contains(&kill.scope) {
            self.stopped.push(kill.scope);
        }
        if kill.flatten {
            self.closing.push(kill.scope);
        }
    }

    pub fn release(&mut self, scope: Scope) {
        for scopes in [&mut self.stopped, &mut self.closing] {
            scopes.retain(|s| *s != scope && scope != Scope::All);
        }
        if scope == Scope::All {
            let profit = self.profit();
            self.whole = Track { day_start: profit, peak: profit, in_a_row: 0 };
            self.profits.clear();
            self.profits.push_back((self.now, profit));
        }
        for s in 0..self.strategies {
            if scope == Scope::All || scope == Scope::Strategy(StrategyId(s as u8)) {
                let profit = self.profit_of(s);
                self.tracks[s] = Track { day_start: profit, peak: profit, in_a_row: 0 };
            }
        }
    }

    /// The event is over: what it did to profits is looked at.
    pub fn look(&mut self, strategy: Option<usize>) {
        let day = self.now.0 / (86_400 * SECOND);
        let new_day = day != self.day;
        if new_day {
            self.day = day;
            self.whole.day_start = self.profit();
            for s in 0..self.strategies {
                self.tracks[s].day_start = self.profit_of(s);
            }
            for list in [&mut self.orders_today, &mut self.cancels_today, &mut self.trades_today] {
                list.fill(0);
            }
        }
        let l = self.limits.losses;
        let over = |loss: i128, limit: i64| limit != i64::MAX && loss > i128::from(limit) * LIMIT + TOLERANCE;
        let profit = self.profit();
        self.whole.peak = self.whole.peak.max(profit);
        self.profits.push_back((self.now, profit));
        while self.profits.front().is_some_and(|(at, _)| self.now.since(*at) >= l.velocity_window_ns) {
            self.profits.pop_front();
        }
        let best = self.profits.iter().map(|p| p.1).max().unwrap_or(profit);
        if over(self.whole.day_start - profit, l.daily_max)
            || over(self.whole.peak - profit, l.drawdown_max)
            || over(best - profit, l.velocity_max)
        {
            self.latch(Scope::All);
        }
        let all = 0..self.strategies;
        for s in strategy.map_or(all, |s| s..s + 1) {
            let profit = self.profit_of(s);
            let track = &mut self.tracks[s];
            track.peak = track.peak.max(profit);
            let track = *track;
            if over(track.day_start - profit, l.strategy_daily_max)
                || over(track.peak - profit, l.strategy_drawdown_max)
                || track.in_a_row > l.consecutive_max
            {
                self.latch(Scope::Strategy(StrategyId(s as u8)));
            }
        }
    }

    fn latch(&mut self, scope: Scope) {
        if !self.stopped.contains(&scope) {
            self.stopped.push(scope);
            self.latched += 1;
        }
    }

    fn is_stopped(&self, order: &Order) -> bool {
        self.stopped.iter().any(|scope| is_in(*scope, order))
    }

    /// What leaves at once is how what is stopped is closed, and what waits for its price to leave stays where nothing else
    /// closes.
    fn is_spared(&self, order: &Order) -> bool {
        let waits = !matches!(order.kind, OrderKind::Market | OrderKind::Limit | OrderKind::PostOnly);
        let closes = self.closing.iter().any(|scope| is_in(*scope, order));
        order.reduce_only && (order.kind == OrderKind::Market || (waits && !closes))
    }

    /// Orders that are stopped and still live, and may not be.
    pub fn stopped_and_live(&self) -> impl Iterator<Item = OrderId> + '_ {
        let may_not = |l: &&Live| self.is_stopped(&l.order) && !self.is_spared(&l.order);
        self.live.iter().filter(may_not).map(|l| l.order.id)
    }

    /// Orders that are stopped, live, and wait for their price to leave.
    pub fn spared(&self) -> usize {
        let waits = |l: &&Live| l.order.kind != OrderKind::Market;
        let spared = |l: &&Live| self.is_stopped(&l.order) && self.is_spared(&l.order);
        self.live.iter().filter(waits).filter(spared).count()
    }

    pub fn cancel(&mut self, strategy: StrategyId) {
        self.cancels[strategy.index()].push_back(self.now);
        self.cancels_today[strategy.index()] += 1;
    }

    /// An order is asked for, with the top of book that was seen.
    pub fn asked(&mut self, order: &Order, top: &Top) {
        if top.is_two_sided() {
            self.marks[order.instrument.index()] = top.bid.price.0 + (top.ask.price.0 - top.bid.price.0) / 2;
        }
        self.look(Some(order.strategy.index()));
    }

    /// The order was approved: whatever it is over is a violation.
    pub fn approve(&mut self, order: &Order, top: &Top) {
        self.approved += 1;
        let touch = if order.side == Side::Buy { top.ask.price.0 } else { top.bid.price.0 };
        let price = match order.kind {
            OrderKind::Limit | OrderKind::PostOnly | OrderKind::StopLimit | OrderKind::TakeProfitLimit => {
                order.price.0
            }
            OrderKind::Stop | OrderKind::TakeProfit if order.extras.stop_price.0 != 0 => {
                order.extras.stop_price.0
            }
            _ => touch,
        };
        let live = Live { order: *order, price, filled: 0, trades: Vec::new() };
        if self.is_stopped(order) && !self.is_spared(order) {
            self.wrong(order, "stopped", 0, 0);
        }
        if order.qty.0 <= 0 {
            self.wrong(order, "quantity", order.qty.0.into(), 1);
        }
        if order.reduce_only {
            self.check_reducing(order);
        } else {
            self.check_order(order, &live, touch);
            self.check_rates(order);
            self.check_scales(order, &live);
        }
        let s = order.strategy.index();
        self.orders[s].push_back((self.now, *order));
        self.orders_today[s] += 1;
        let at = s * self.table.len() + order.instrument.index();
        self.cells[at].sizes.push(order.qty.0);
        self.live.push(live);
    }

    fn wrong(&mut self, order: &Order, what: &str, value: i128, limit: i128) {
        if self.violations.len() < 20 {
            self.violations.push(format!("{what}: {value} of {limit} at {} by {order:?}", self.now));
        }
    }

    fn at_most(&mut self, order: &Order, what: &str, value: i128, limit: i128) {
        if value > limit {
            self.wrong(order, what, value, limit);
        }
    }

    fn check_reducing(&mut self, order: &Order) {
        let cell = &self.cells[order.strategy.index() * self.table.len() + order.instrument.index()];
        let open = if order.side == Side::Sell { cell.qty } else { -cell.qty };
        let same = |l: &&Live| {
            let o = &l.order;
            (o.strategy, o.instrument, o.side) == (order.strategy, order.instrument, order.side)
                && (o.reduce_only || o.kind == OrderKind::Market)
        };
        let leaving: i128 = self.live.iter().filter(same).map(|l| i128::from(l.order.qty.0 - l.filled)).sum();
        self.at_most(order, "reducing", i128::from(order.qty.0) + leaving, open);
    }

    fn check_order(&mut self, order: &Order, live: &Live, touch: i64) {
        let l = self.limits;
        let i = order.instrument.index();
        let value = self.worth(i, live.price, order.qty.0.into());
        self.at_most(order, "order value", value, i128::from(l.order_notional_max) * LIMIT);
        if order.kind.has_limit() {
            let from = if order.extras.stop_price.0 != 0 { order.extras.stop_price.0 } else { touch };
            let sign = if order.side == Side::Buy { 1 } else { -1 };
            let beyond = i128::from(order.price.0 - from) * sign * 10_000;
            self.at_most(order, "collar", beyond, i128::from(from) * i128::from(l.price_collar_bps));
        }
        if self.marks[i] > 0 && !order.kind.is_conditional() {
            let sign = if order.side == Side::Buy { 1 } else { -1 };
            let beyond = i128::from(live.price - self.marks[i]) * sign * 10_000;
            self.at_most(
                order,
                "mark collar",
                beyond,
                i128::from(self.marks[i]) * i128::from(l.mark_collar_bps),
            );
        }
        self.at_most(order, "book age", self.now.since(self.heard[i]).into(), l.book_age_max_ns.into());
        self.at_most(order, "clock lag", self.lag.into(), l.clock_lag_max_ns.into());
        let cell = &self.cells[order.strategy.index() * self.table.len() + i];
        if cell.sizes.len() >= 8 {
            let sum: i128 = cell.sizes[cell.sizes.len() - 8..].iter().map(|q| i128::from(*q)).sum();
            let most = sum * i128::from(l.fat_finger_multiple);
            self.at_most(order, "fat finger", i128::from(order.qty.0) * 8, most);
        }
        let same = |o: &(Time, Order)| {
            (o.1.instrument, o.1.side, o.1.qty, o.1.price)
                == (order.instrument, order.side, order.qty, order.price)
        };
        let before = self.orders[order.strategy.index()].iter().rev().find(|o| same(o)).map(|o| o.0);
        if let Some(before) = before.filter(|at| self.now.since(*at) < l.duplicate_window_ns) {
            self.wrong(order, "duplicate", self.now.since(before).into(), l.duplicate_window_ns.into());
        }
        let way = self.cells[order.strategy.index() * self.table.len() + i].way;
        if let Some((side, count, at)) = way
            && side == order.side
            && self.now.since(at) <= l.same_way_window_ns
        {
            self.at_most(order, "same way", i128::from(count) + 1, l.same_way_max.into());
        }
    }

    fn check_rates(&mut self, order: &Order) {
        let now = self.now;
        for list in &mut self.orders {
            while list.front().is_some_and(|(at, _)| now.since(*at) >= 60 * SECOND) {
                list.pop_front();
            }
        }
        for list in &mut self.cancels {
            while list.front().is_some_and(|at| now.since(*at) >= 60 * SECOND) {
                list.pop_front();
            }
        }
        let s = order.strategy.index();
        let orders = |which: &[VecDeque<(Time, Order)>], window: u64| -> i128 {
            which.iter().flatten().filter(|(at, _)| now.since(*at) < window).count() as i128
        };
        let cancels = |which: &[VecDeque<Time>], window: u64| -> i128 {
            which.iter().flatten().filter(|at| now.since(**at) < window).count() as i128
        };
        let sum = |list: &[u32]| list.iter().map(|n| i128::from(*n)).sum::<i128>();
        let mut found = Vec::new();
        for (name, of, rates) in
            [("own", s..s + 1, self.limits.strategy_rates), ("all", 0..self.strategies, self.limits.rates)]
        {
            let windows = [
                (SECOND, rates.orders.second, rates.cancels.second, rates.messages.second),
                (60 * SECOND, rates.orders.minute, rates.cancels.minute, rates.messages.minute),
            ];
            for (window, o, c, m) in windows {
                let (sent, back) =
                    (orders(&self.orders[of.clone()], window), cancels(&self.cancels[of.clone()], window));
                found.push((name, sent + 1, o));
                found.push((name, back, c));
                found.push((name, sent + back + 1, m));
            }
            let (sent, back) = (sum(&self.orders_today[of.clone()]), sum(&self.cancels_today[of]));
            found.push((name, sent + 1, rates.orders.day));
            found.push((name, back, rates.cancels.day));
            found.push((name, sent + back + 1, rates.messages.day));
        }
        found.push(("own", orders(&self.orders[s..s + 1], SECOND) + 1, self.limits.orders_per_second_max));
        let today = self.orders_today[s] + 1;
        if today > self.limits.order_to_trade_from {
            let room = u64::from(self.limits.order_to_trade_max) * u64::from(self.trades_today[s].max(1));
            self.at_most(order, "order to trade", today.into(), room.into());
        }
        for (name, value, limit) in found {
            self.at_most(order, &format!("rate of {name}"), value, limit.into());
        }
    }

    /// Long, short, gross, up, down and open orders of the cells that count.
    fn sums(&self, extra: Option<&Live>, counts: &dyn Fn(usize, usize) -> bool) -> [i128; 6] {
        let n = self.table.len();
        let mut buys = vec![[0i128; 2]; self.strategies * n];
        let mut sums = [0; 6];
        for live in self.live.iter().chain(extra) {
            let o = &live.order;
            let (s, i) = (o.strategy.index(), o.instrument.index());
            if counts(s, i) {
                buys[s * n + i][o.side as usize] += self.worth(i, live.price, (o.qty.0 - live.filled).into());
                sums[5] += 1;
            }
        }
        for s in 0..self.strategies {
            for i in 0..n {
                if !counts(s, i) {
                    continue;
                }
                let held = self.worth(i, self.marks[i], self.cells[s * n + i].qty);
                let (up, down) = (held + buys[s * n + i][0], held - buys[s * n + i][1]);
                sums[0] += up.max(0);
                sums[1] += (-down).max(0);
                sums[2] += up.max(-down);
                sums[3] += up;
                sums[4] += down;
            }
        }
        sums
    }

    fn check_scales(&mut self, order: &Order, live: &Live) {
        let (s, i) = (order.strategy.index(), order.instrument.index());
        let group = self.groups[i];
        let market = self.table.all()[i].market;
        let (groups, table) = (self.groups.clone(), self.table.clone());
        type Counts<'a> = Box<dyn Fn(usize, usize) -> bool + 'a>;
        let scopes: [(&str, Counts<'_>); 5] = [
            ("instrument", Box::new(move |_, at| at == i)),
            ("strategy", Box::new(move |of, _| of == s)),
            ("group", Box::new(move |_, at| group.is_some() && groups[at] == group)),
            ("account", Box::new(move |_, at| table.all()[at].market == market)),
            ("portfolio", Box::new(|_, _| true)),
        ];
        let whole_after = self.sums(Some(live), &|_, _| true)[2];
        let equity = i128::from(self.limits.capital) * LIMIT + self.profit();
        for (scale, (name, counts)) in scopes.iter().enumerate() {
            if *name == "group" && group.is_none() {
                continue;
            }
            let (before, after) = (self.sums(None, counts), self.sums(Some(live), counts));
            let general: ScaleLimits = self.limits.scales[scale];
            let own = match *name {
                "instrument" => self.own.instruments.get(i).copied().flatten(),
                "strategy" => self.own.strategies.get(s).copied().flatten(),
                _ => None,
            };
            let limits = own.unwrap_or(general);
            self.approved_by_own +=
                u64::from(own.is_some() && after[5] > i128::from(general.open_orders_max));
            let gross_limit =
                if *name == "portfolio" { self.limits.gross_notional_max } else { limits.gross_notional_max };
            let net = |sums: &[i128; 6]| if order.side == Side::Buy { sums[3] } else { -sums[4] };
            let judged = [
                ("long", before[0], after[0], limits.long_notional_max),
                ("short", before[1], after[1], limits.short_notional_max),
                ("gross", before[2], after[2], gross_limit),
                ("net", net(&before), net(&after), limits.net_notional_max),
            ];
            for (what, before, after, limit) in judged {
                if after > before {
                    self.at_most(
                        order,
                        &format!("{name} {what}"),
                        after,
                        i128::from(limit) * LIMIT + TOLERANCE,
                    );
                }
            }
            self.at_most(order, &format!("{name} open orders"), after[5], limits.open_orders_max.into());
            if after[2] > before[2] {
                let room = (equity.max(0) / 100).saturating_mul(limits.leverage_max.into());
                let room = room.saturating_add(TOLERANCE);
                self.at_most(order, &format!("{name} leverage"), after[2], room);
                if after[2] > i128::from(self.limits.share_from) * LIMIT + TOLERANCE && scale < 4 {
                    let room = (whole_after / 100).saturating_mul(limits.share_pct_max.into());
                    let room = room.saturating_add(TOLERANCE);
                    self.at_most(order, &format!("{name} share"), after[2], room);
                }
            }
        }
        // A strategy's position in one instrument, at the price of the order.
        let cell = self.cells[s * self.table.len() + i].qty;
        let side = |l: &&Live| {
            (l.order.strategy, l.order.instrument, l.order.side)
                == (order.strategy, order.instrument, order.side)
        };
        let open: i128 = self.live.iter().filter(side).map(|l| i128::from(l.order.qty.0 - l.filled)).sum();
        let sign = if order.side == Side::Buy { 1 } else { -1 };
        let worst = cell + sign * (open + i128::from(order.qty.0));
        // What makes it smaller, and does not turn it, passes.
        if worst.signum() != cell.signum() || worst.abs() >= cell.abs() {
            let value = self.worth(i, live.price, worst.abs());
            self.at_most(order, "position", value, i128::from(self.limits.position_notional_max) * LIMIT);
        }
        let same = |l: &&Live| (l.order.strategy, l.order.instrument) == (order.strategy, order.instrument);
        let count = self.live.iter().filter(same).count() as i128 + 1;
        self.at_most(order, "open orders", count, self.limits.open_orders_max.into());
    }

    /// Quantity, and cash that went in, in the notional's units, of a cell.
    pub fn cell(&self, strategy: usize, instrument: usize) -> (i128, i128, i128) {
        let cell = &self.cells[strategy * self.table.len() + instrument];
        (cell.qty, cell.cash / self.unit(instrument), cell.fees / LIMIT)
    }

    /// Profit of everything rounded down for each position, as risk counts it, units of 10^-8.
    pub fn profit_rounded(&self) -> i128 {
        let mut sum = 0;
        for s in 0..self.strategies {
            for i in 0..self.table.len() {
                sum += self.profit_of_cell(s, i).div_euclid(LIMIT);
            }
        }
        sum
    }
}

fn is_in(scope: Scope, order: &Order) -> bool {
    match scope {
        Scope::All => true,
        Scope::Venue(_) => false,
        Scope::Strategy(strategy) => strategy == order.strategy,
        Scope::Instrument(instrument) => instrument == order.instrument,
    }
}
