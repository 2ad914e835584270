//! What is exposed and what was earned, at every level, kept up to date rather than added up at each order.
//!
//! A cell is one strategy in one instrument: its position at the mark, and its open orders, from approval to their end,
//! each at the price it was approved at for what has not traded yet. In flight or unknown, an open order counts in full.
//! Of a cell the worst is taken: as long as if every buy filled, as short as if every sell did. Sums of cells are kept
//! for the instrument, the strategy, the group, the account and the whole; what changes is taken off as it was put on,
//! so nothing drifts.
//!
//! Marks come with every quote. A mark alone is noted and costs nothing; positions are valued anew before an order is
//! judged and when losses are looked at ([`settle`](Exposure::settle)).

use super::limits::{QUOTE_DECIMALS, SCALES, Scale};
use super::rule::quote_units;
use super::snapshot::RiskSnapshot;
use crate::domain::decimal::POW10;
use crate::domain::event::Report;
use crate::domain::{
    Instrument, InstrumentId, InstrumentTable, Notional, Order, Position, Price, Qty, Side, StrategyId,
    VenueId, kill,
};

/// Exposure of a cell, or a sum of them. Amounts are in units of 10^-8 quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Long, were every buy to fill.
    pub long: i128,
    /// Short, were every sell to fill; positive.
    pub short: i128,
    /// The worse side of each cell.
    pub gross: i128,
    /// Net, were every buy to fill.
    pub up: i128,
    /// Net, were every sell to fill.
    pub down: i128,
    /// Open orders.
    pub orders: u32,
}

/// Values are held within this, so that no sum of them overflows.
const VALUE_MAX: i128 = 1 << 100;

impl Sum {
    /// Stands where an instrument has no group: so far below every limit that none is met.
    pub(super) const NO_GROUP: Self = Self {
        long: -VALUE_MAX,
        short: -VALUE_MAX,
        gross: -VALUE_MAX,
        up: -VALUE_MAX,
        down: VALUE_MAX,
        orders: 0,
    };

    #[inline]
    fn of(position: i128, buys: i128, sells: i128, orders: u32) -> Self {
        let (up, down) = (position + buys, position - sells);
        Self { long: up.max(0), short: (-down).max(0), gross: up.max(-down), up, down, orders }
    }

    #[inline]
    pub(super) fn minus(&self, other: &Sum) -> Sum {
        Sum {
            long: self.long - other.long,
            short: self.short - other.short,
            gross: self.gross - other.gross,
            up: self.up - other.up,
            down: self.down - other.down,
            // Differences are of money alone.
            orders: 0,
        }
    }

    /// Adds a difference of money, and one of open orders.
    #[inline]
    fn shift(&mut self, by: &Sum, orders: i32) {
        self.long += by.long;
        self.short += by.short;
        self.gross += by.gross;
        self.up += by.up;
        self.down += by.down;
        self.orders = self.orders.wrapping_add_signed(orders);
    }
}

/// What one strategy has in one instrument, as every order reads and changes it: a cache line of its own.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Cell {
    /// The position at the mark.
    value: i128,
    /// Open orders, each side.
    buys: i128,
    sells: i128,
    /// The position.
    qty: Qty,
    orders: u32,
}

const _: () = assert!(size_of::<Cell>() == 64);

impl Cell {
    #[inline]
    fn sum(&self) -> Sum {
        Sum::of(self.value, self.buys, self.sells, self.orders)
    }
}

/// The rest of it, which fills alone change.
#[derive(Debug, Clone, Copy, Default)]
struct Earned {
    position: Position,
    /// Profit, realised and not, fees taken off.
    profit: i128,
    /// Realised profit less fees when the position was opened.
    trip_start: i128,
}

/// Where an instrument belongs, and what it is worth.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The price that its positions are valued at, zero where none is known.
    mark: Price,
    group: Option<u16>,
    account: VenueId,
    /// Of its notionals.
    decimals: u8,
    /// The smallest quantity that can be sold.
    lot: Qty,
    /// Whether the mark is what a position of an earlier run cost, since the market has not said another yet.
    at_cost: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Exposure {
    instruments: usize,
    cells: Vec<Cell>,
    earned: Vec<Earned>,
    places: Vec<Place>,
    /// Strategies with a position, by instrument.
    holders: Vec<Vec<u8>>,
    /// Instruments whose mark moved under a position.
    moved: Vec<InstrumentId>,
    is_moved: Vec<bool>,
    /// How many instruments are marked at cost.
    at_cost: usize,
    by_instrument: Vec<Sum>,
    by_strategy: Vec<Sum>,
    by_group: Vec<Sum>,
    by_account: Vec<Sum>,
    whole: Sum,
    profit_by_strategy: Vec<i128>,
    profit: i128,
    /// How often a position was booked or valued anew.
    changes: u64,
}

/// What a fill did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    /// Realised by it, in the notional's units.
    pub realised: Notional,
    /// What the position that it closed earned in all, fees taken off; units of 10^-8 quote.
    pub closed: Option<i128>,
}

impl Exposure {
    /// Of `strategies` strategies; `groups` says to which group an instrument belongs.
    pub fn new(table: &InstrumentTable, strategies: usize, groups: &[Option<u16>]) -> Self {
        let instruments = table.len();
        let place = |(at, (i, account)): (usize, (&Instrument, VenueId))| Place {
            mark: Price(0),
            group: groups.get(at).copied().flatten(),
            account,
            decimals: i.notional_decimals(),
            lot: i.lot,
            at_cost: false,
        };
        let accounts = kill::venues_of(table);
        let places: Vec<_> = table.all().iter().zip(accounts).enumerate().map(place).collect();
        let group_count =
            places.iter().filter_map(|place| place.group).map(|g| usize::from(g) + 1).max().unwrap_or(0);
        Self {
            instruments,
            cells: vec![Cell::default(); strategies * instruments],
            earned: vec![Earned::default(); strategies * instruments],
            places,
            holders: vec![Vec::with_capacity(strategies); instruments],
            moved: Vec::with_capacity(instruments),
            is_moved: vec![false; instruments],
            at_cost: 0,
            by_instrument: vec![Sum::default(); instruments],
            by_strategy: vec![Sum::default(); strategies],
            by_group: vec![Sum::default(); group_count],
            by_account: vec![Sum::default(); kill::venues(table).len()],
            whole: Sum::default(),
            profit_by_strategy: vec![0; strategies],
            profit: 0,
            changes: 0,
        }
    }

    #[inline]
    fn at(&self, strategy: StrategyId, instrument: InstrumentId) -> usize {
        strategy.index() * self.instruments + instrument.index()
    }

    /// A strategy's position.
    pub fn position(&self, strategy: StrategyId, instrument: InstrumentId) -> &Position {
        &self.earned[self.at(strategy, instrument)].position
    }

    /// How much that is.
    #[inline]
    pub fn held(&self, strategy: StrategyId, instrument: InstrumentId) -> Qty {
        self.cells[self.at(strategy, instrument)].qty
    }

    /// The price that an instrument's positions are valued at.
    #[inline]
    pub fn mark_of(&self, instrument: InstrumentId) -> Price {
        self.places[instrument.index()].mark
    }

    /// Profit of everything, and of each strategy: realised and not, fees taken off, units of 10^-8 quote.
    #[inline]
    pub fn profit(&self) -> i128 {
        self.profit
    }

    /// How often that, or what was earned, could have changed.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    #[inline]
    pub fn profit_of(&self, strategy: StrategyId) -> i128 {
        self.profit_by_strategy[strategy.index()]
    }

    /// The sums that an order of `strategy` in `instrument` would add to, from the narrowest level to the widest.
    #[inline(always)]
    pub fn scopes(&self, strategy: StrategyId, instrument: InstrumentId) -> [&Sum; SCALES] {
        let Place { group, account, .. } = self.places[instrument.index()];
        let mut scopes = [&Sum::NO_GROUP; SCALES];
        scopes[Scale::Instrument as usize] = &self.by_instrument[instrument.index()];
        scopes[Scale::Strategy as usize] = &self.by_strategy[strategy.index()];
        scopes[Scale::Group as usize] = group.map_or(&Sum::NO_GROUP, |g| &self.by_group[usize::from(g)]);
        scopes[Scale::Account as usize] =
            self.by_account.get(usize::from(account.0)).unwrap_or(&Sum::NO_GROUP);
        scopes[Scale::Portfolio as usize] = &self.whole;
        scopes
    }

    /// Something of each cache line of the cell there and of its instrument's sum.
    #[inline]
    pub fn peek(&self, at: usize, instrument: InstrumentId) -> (Qty, [i128; 2]) {
        let sum = &self.by_instrument[instrument.index()];
        (self.cells[at].qty, [sum.long, sum.down])
    }

    /// What an order of that value would add to each of them.
    #[inline]
    pub fn would_add(&self, order: &Order, value: i128) -> Sum {
        let cell = &self.cells[self.at(order.strategy, order.instrument)];
        let (buys, sells) = match order.side {
            Side::Buy => (cell.buys + value, cell.sells),
            Side::Sell => (cell.buys, cell.sells + value),
        };
        Sum::of(cell.value, buys, sells, cell.orders).minus(&cell.sum())
    }

    /// What a quantity is worth at a price, rounded up.
    #[inline]
    pub fn value(&self, instrument: InstrumentId, price: Price, qty: Qty) -> i128 {
        let value = quote_units(price.times(qty), self.places[instrument.index()].decimals);
        value.clamp(-VALUE_MAX, VALUE_MAX)
    }

    /// Books an order of that value, which [adds](Self::would_add) `adds`.
    #[inline]
    pub fn open(&mut self, order: &Order, value: i128, adds: &Sum) {
        let at = self.at(order.strategy, order.instrument);
        let cell = &mut self.cells[at];
        match order.side {
            Side::Buy => cell.buys += value,
            Side::Sell => cell.sells += value,
        }
        let before = cell.orders;
        cell.orders = before.saturating_add(1);
        let orders = cell.orders.wrapping_sub(before).cast_signed();
        self.shift(order.strategy, order.instrument, adds, orders);
    }

    /// The worth of an open order was `before` and is `after`; `count` is what it adds to the number of open orders.
    #[inline]
    pub fn order(&mut self, order: &Order, before: i128, after: i128, count: i32) {
        let at = self.at(order.strategy, order.instrument);
        let cell = &mut self.cells[at];
        let was = cell.sum();
        match order.side {
            Side::Buy => cell.buys += after - before,
            Side::Sell => cell.sells += after - before,
        }
        cell.orders = cell.orders.saturating_add_signed(count);
        let is = cell.sum();
        self.put(order.strategy, order.instrument, &was, &is);
    }

    /// Notes the price that an instrument's positions are valued at.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, mark: Price) {
        let index = instrument.index();
        if self.at_cost > 0 {
            self.priced(instrument);
        }
        let Some(place) = self.places.get_mut(index) else { return };
        if place.mark == mark {
            return;
        }
        place.mark = mark;
        if !self.holders[index].is_empty() && !self.is_moved[index] {
            self.is_moved[index] = true;
            self.moved.push(instrument);
        }
    }

    /// The market has said what an instrument is worth.
    #[cold]
    fn priced(&mut self, instrument: InstrumentId) {
        if let Some(place) = self.places.get_mut(instrument.index())
            && std::mem::take(&mut place.at_cost)
        {
            self.at_cost -= 1;
        }
    }

    /// Whether the market has said of everything that an earlier run left what it is worth.
    #[inline]
    pub fn is_priced(&self) -> bool {
        self.at_cost == 0
    }

    /// Takes over what can be sold at least.
    pub fn change_lot(&mut self, instrument: InstrumentId, lot: Qty) {
        if let Some(place) = self.places.get_mut(instrument.index()) {
            place.lot = lot;
        }
    }

    /// Whether anybody holds an instrument.
    pub fn is_held(&self, instrument: InstrumentId) -> bool {
        self.holders.get(instrument.index()).is_none_or(|holders| !holders.is_empty())
    }

    /// Whether positions are to be valued anew.
    #[inline]
    pub fn is_unsettled(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Values positions anew whose marks moved.
    #[inline]
    pub fn settle(&mut self) {
        while let Some(instrument) = self.moved.pop() {
            self.is_moved[instrument.index()] = false;
            for index in 0..self.holders[instrument.index()].len() {
                let strategy = StrategyId(self.holders[instrument.index()][index]);
                self.value_cell(strategy, instrument);
            }
        }
    }

    /// Copies what is exposed.
    pub fn copy_to(&self, snapshot: &mut RiskSnapshot) {
        snapshot.marks.clear();
        snapshot.marks.extend(self.places.iter().map(|place| place.mark));
        snapshot.cells.clear();
        snapshot.cells.extend(self.cells.iter().map(|cell| cell.sum().gross));
        snapshot.cell_orders.clear();
        snapshot.cell_orders.extend(self.cells.iter().map(|cell| cell.orders));
        snapshot.values.clear();
        snapshot.values.resize(self.instruments, 0);
        snapshot.lots_held.clear();
        snapshot.lots_held.resize(self.instruments, false);
        for cells in self.cells.chunks(self.instruments.max(1)) {
            for (value, cell) in snapshot.values.iter_mut().zip(cells) {
                *value += cell.value;
            }
            let places = self.places.iter().zip(cells);
            for (held, (place, cell)) in snapshot.lots_held.iter_mut().zip(places) {
                *held |= cell.qty.abs() >= place.lot && cell.qty != Qty::ZERO;
            }
        }
        snapshot.by_instrument.clone_from(&self.by_instrument);
        snapshot.by_strategy.clone_from(&self.by_strategy);
        snapshot.by_group.clone_from(&self.by_group);
        snapshot.by_account.clone_from(&self.by_account);
        snapshot.portfolio = self.whole;
    }

    /// Takes over a position of an earlier run, at its own price until the market says another.
    pub fn take_over(&mut self, strategy: StrategyId, instrument: InstrumentId, position: &Position) {
        let at = self.at(strategy, instrument);
        let decimals = self.places[instrument.index()].decimals;
        self.earned[at].position = *position;
        self.earned[at].trip_start = net(position, decimals);
        if position.qty != Qty::ZERO {
            let price = i64::try_from(position.cost.0 / i128::from(position.qty.0)).unwrap_or(i64::MAX);
            let place = &mut self.places[instrument.index()];
            place.mark = Price(price);
            self.at_cost += usize::from(!std::mem::replace(&mut place.at_cost, true));
            self.holders[instrument.index()].push(strategy.0);
        }
        self.value_cell(strategy, instrument);
    }

    /// Books a fill of a strategy.
    pub fn fill(&mut self, report: &Report) -> Filled {
        self.change(report, |position| position.book(report))
    }

    /// Books what happened to a position without an order.
    pub fn of_position(&mut self, report: &Report) -> Filled {
        self.change(report, |position| position.apply_report(report))
    }

    fn change(&mut self, report: &Report, book: impl FnOnce(&mut Position)) -> Filled {
        let &Report { strategy, instrument, price, .. } = report;
        let at = self.at(strategy, instrument);
        // A commission in a third asset has none.
        if self.places[instrument.index()].mark.0 == 0 && report.paid().is_none() {
            self.places[instrument.index()].mark = price;
        }
        let Place { decimals, lot, .. } = self.places[instrument.index()];
        let cell = &mut self.earned[at];
        let before = cell.position;
        book(&mut cell.position);
        let after = cell.position;
        let realised = after.realised.minus(before.realised);
        let earned = net(&after, decimals);
        // Less than a lot cannot be sold: where a fee is taken from what was bought, it is what a round trip leaves.
        let is_flat = |qty: Qty| qty.0 == 0 || qty.0.unsigned_abs() < lot.0.unsigned_abs();
        let crossed =
            !is_flat(before.qty) && (is_flat(after.qty) || before.qty.0.signum() != after.qty.0.signum());
        let closed = crossed.then(|| earned - cell.trip_start);
        if is_flat(before.qty) {
            cell.trip_start = net(&before, decimals);
        } else if crossed {
            cell.trip_start = earned;
        }
        let holders = &mut self.holders[instrument.index()];
        match (before.qty.0 != 0, after.qty.0 != 0) {
            (false, true) => holders.push(strategy.0),
            (true, false) => holders.retain(|s| *s != strategy.0),
            _ => {}
        }
        // What nobody holds needs no price.
        if self.at_cost > 0 && self.holders[instrument.index()].is_empty() {
            self.priced(instrument);
        }
        self.value_cell(strategy, instrument);
        Filled { realised, closed }
    }

    fn value_cell(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        self.changes += 1;
        let at = self.at(strategy, instrument);
        let Place { mark, decimals, .. } = self.places[instrument.index()];
        let earned = &mut self.earned[at];
        let position = &earned.position;
        let value = quote_units(mark.times(position.qty), decimals);
        let whole = position.realised.plus(position.unrealised(mark)).minus(position.fees_in_base);
        let profit = down(whole, decimals).clamp(-VALUE_MAX, VALUE_MAX) - i128::from(position.fees);
        let gained = profit - earned.profit;
        earned.profit = profit;
        self.profit_by_strategy[strategy.index()] += gained;
        self.profit += gained;
        let cell = &mut self.cells[at];
        let was = cell.sum();
        (cell.value, cell.qty) = (value.clamp(-VALUE_MAX, VALUE_MAX), position.qty);
        let is = cell.sum();
        self.put(strategy, instrument, &was, &is);
    }

    /// Puts a cell's exposure in the place of what it was in every sum.
    #[inline]
    fn put(&mut self, strategy: StrategyId, instrument: InstrumentId, was: &Sum, is: &Sum) {
        let orders = is.orders.wrapping_sub(was.orders).cast_signed();
        self.shift(strategy, instrument, &is.minus(was), orders);
    }

    /// Adds a difference to every sum that a cell is part of.
    #[inline]
    fn shift(&mut self, strategy: StrategyId, instrument: InstrumentId, by: &Sum, orders: i32) {
        self.by_instrument[instrument.index()].shift(by, orders);
        self.by_strategy[strategy.index()].shift(by, orders);
        let Place { group, account, .. } = self.places[instrument.index()];
        if let Some(group) = group {
            self.by_group[usize::from(group)].shift(by, orders);
        }
        if let Some(account) = self.by_account.get_mut(usize::from(account.0)) {
            account.shift(by, orders);
        }
        self.whole.shift(by, orders);
    }
}

/// What a position has realised, fees of every kind taken off; units of 10^-8 quote.
fn net(position: &Position, decimals: u8) -> i128 {
    down(position.realised.minus(position.fees_in_base), decimals) - i128::from(position.fees)
}

/// A profit in units of 10^-8 quote, rounded down: against us.
fn down(notional: Notional, decimals: u8) -> i128 {
    if notional.0 <= 0 || decimals <= QUOTE_DECIMALS {
        return quote_units(notional, decimals);
    }
    let over = decimals - QUOTE_DECIMALS;
    match (i64::try_from(notional.0), POW10.get(usize::from(over))) {
        (Ok(amount), Some(divisor)) => i128::from(amount / divisor),
        _ => notional.0 / 10i128.pow(u32::from(over)),
    }
}

#[cfg(test)]
mod tests;
