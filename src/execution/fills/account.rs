//! The account at the simulated venue: positions as the venue has them, balances, margin, and what funding costs.
//!
//! Spot: a wallet must pay for an order, as [`Wallets`] has it. USD-M: with a leverage configured, what all positions
//! and orders need at first, their value at the last price ÷ leverage, must be covered by balance and unrealised profit,
//! or a new order that adds to it is refused; and once these are worth less than the maintenance margin, every position
//! is liquidated at the last price, or where within a bar that came about, for a fee. Positions of strategies are netted
//! for margin, as one account holds them, and funding is paid for each at the venue's times.

use crate::domain::event::{FEE_DECIMALS, FeeAsset};
use crate::domain::instrument::FeeRate;
use crate::domain::performance::scale;
use crate::domain::wallet::WalletFill;
use crate::domain::{
    InstrumentId, InstrumentTable, Market, Notional, Order, Position, Price, Qty, Side, StrategyId, Time,
    Wallets, ledger,
};

/// Margin of USD-M futures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// What the wallet holds at first, units of 10^-8.
    pub balance: i64,
    /// Value of positions ÷ margin needed to open them.
    pub leverage: u32,
    /// Of the value of positions, what must be left; hundredths of a per cent.
    pub maintenance_bps: u32,
    /// Fee of a liquidation.
    pub liquidation_fee: FeeRate,
}

/// A rate of funding that the venue set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingRate {
    /// When it is paid.
    pub time: Time,
    /// In what.
    pub instrument: InstrumentId,
    /// Paid by longs, of the position's value, units of 10^-8; below zero by shorts.
    pub rate: FeeRate,
}

/// What funding costs, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Funding {
    /// Rates as they were, in order of time.
    pub rates: Vec<FundingRate>,
    /// For instruments that none are given of: always this, at multiples of so many ns since 1970.
    pub constant: Option<(FeeRate, u64)>,
    /// How far the rates that were given reach, those before the run too.
    pub given: Vec<RatesGiven>,
}

/// How far the rates reach that are given of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatesGiven {
    /// Of which.
    pub instrument: InstrumentId,
    /// The first.
    pub first: Time,
    /// The last.
    pub last: Time,
    /// How long it is from the first to the next and to the last from the one before, ns; no more than a day.
    pub every_ns: [u64; 2],
}

/// See the module.
pub struct Account {
    decimals: u8,
    /// By instrument: whether it is a USD-M future, and decimals of its notionals.
    facts: Vec<(bool, u8)>,
    /// By strategy and instrument.
    positions: Vec<Vec<Position>>,
    /// Last prices, by instrument; zero before the first. Where nothing trades, middles of quotes and books.
    marks: Vec<Price>,
    traded: Vec<bool>,
    /// What rests, by instrument and side.
    open: Vec<[i64; 2]>,
    wallets: Wallets,
    margin: Option<Margin>,
    funding: Funding,
    /// Instruments that have rates of their own.
    rated: Vec<bool>,
    next_rate: usize,
    next_constant: Time,
    /// Whether last prices matter to anybody.
    marked: bool,
}

impl Account {
    /// An account of `strategies` strategies.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        wallets: Wallets,
        margin: Option<Margin>,
        funding: Funding,
    ) -> Self {
        let facts: Vec<_> =
            table.all().iter().map(|i| (i.market == Market::UsdM, i.notional_decimals())).collect();
        let decimals = facts.iter().map(|fact| fact.1).max().unwrap_or(0).max(FEE_DECIMALS);
        let mut rated = vec![false; table.len()];
        let given = funding.given.iter().map(|given| given.instrument);
        for instrument in funding.rates.iter().map(|rate| rate.instrument).chain(given) {
            rated[instrument.index()] = true;
        }
        let marked = margin.is_some() || !funding.rates.is_empty() || funding.constant.is_some();
        Self {
            decimals,
            positions: vec![vec![Position::default(); table.len()]; strategies],
            marks: vec![Price(0); table.len()],
            traded: vec![false; table.len()],
            open: vec![[0; 2]; table.len()],
            facts,
            wallets,
            margin,
            funding,
            rated,
            next_rate: 0,
            next_constant: Time(0),
            marked,
        }
    }

    /// Notes an instrument's last price.
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) {
        if self.marked {
            self.marks[instrument.index()] = price;
            self.traded[instrument.index()] = true;
        }
    }

    /// Notes the middle of an instrument's best bid and ask, which is a price where it has no trades.
    pub fn mark_middle(&mut self, instrument: InstrumentId, middle: Price) {
        if !self.traded[instrument.index()] {
            self.marks[instrument.index()] = middle;
        }
    }

    /// Whether last prices matter.
    #[inline]
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.marked
    }

    /// A strategy's position, as the venue has it.
    #[must_use]
    pub fn position(&self, strategy: StrategyId, instrument: InstrumentId) -> Qty {
        self.positions[strategy.index()][instrument.index()].qty
    }

    /// How much of a reduce-only order can still reduce; of any other, all of it.
    #[must_use]
    pub fn reducible(&self, order: &Order, left: i64) -> i64 {
        order.fillable(left, self.position(order.strategy, order.instrument))
    }

    /// Whether the account can bear an order that may trade at `price`.
    #[must_use]
    pub fn bears(&self, order: &Order, price: Price) -> bool {
        if !self.wallets.can_pay(order, price) {
            return false;
        }
        let Some(margin) = self.margin.filter(|_| self.facts[order.instrument.index()].0) else {
            return true;
        };
        if order.reduce_only {
            return true;
        }
        let before = self.needed(None, margin);
        let after = self.needed(Some((order, price)), margin);
        after <= before || after <= self.worth(margin)
    }

    /// The same of an order that was taken in before the price was known; the wallet keeps what it now needs.
    pub fn still_bears(&mut self, order: &Order, price: Price) -> bool {
        self.wallets.close(order.id);
        let bears = self.bears(order, price);
        if bears {
            self.wallets.lock(order, price);
        }
        bears
    }

    /// Whether the wallet has what an order that was taken in costs where it trades now: so much at each price. What it
    /// needs may have become more than was kept for it, by slippage, a gap, or a book that is thin.
    pub fn still_pays(&mut self, order: &Order, parts: impl Iterator<Item = (i64, Price)>) -> bool {
        self.wallets.close(order.id);
        let needs =
            parts.filter_map(|(qty, price)| self.wallets.need(&Order { qty: Qty(qty), ..*order }, price));
        let (mut needed, mut free) = (0i128, i128::MAX);
        for need in needs {
            (needed, free) = (needed.saturating_add(need.needed), need.free);
        }
        needed <= free
    }

    /// What rests of an order from now on.
    pub fn rests(&mut self, order: &Order, qty: i64) {
        self.open[order.instrument.index()][order.side as usize] += qty;
    }

    /// Has the wallet keep what an order may need.
    pub fn lock(&mut self, order: &Order, price: Price) {
        self.wallets.lock(order, price);
    }

    /// An order ended with so much that no longer rests.
    pub fn ended(&mut self, order: &Order, rested: i64) {
        self.open[order.instrument.index()][order.side as usize] -= rested;
        self.wallets.close(order.id);
    }

    /// Books a fill.
    pub fn filled(&mut self, order: &Order, qty: Qty, price: Price, fee: i64, rested: bool) {
        let &Order { id, instrument, side, strategy, .. } = order;
        if rested {
            self.open[instrument.index()][side as usize] -= qty.0;
        }
        let position = &mut self.positions[strategy.index()][instrument.index()];
        let before = position.realised;
        position.apply(side, qty, price, fee);
        let realised = position.realised.minus(before);
        let fee_asset = FeeAsset::Quote;
        self.wallets.fill(&WalletFill { order: id, instrument, side, qty, price, fee, fee_asset, realised });
    }

    /// Net position of an instrument.
    fn net(&self, index: usize) -> i128 {
        self.positions.iter().map(|of| i128::from(of[index].qty.0)).sum()
    }

    fn value(&self, index: usize, qty: i128, price: Price) -> i128 {
        scale(qty.abs().saturating_mul(i128::from(price.0)), self.facts[index].1, self.decimals)
    }

    fn futures(&self) -> impl Iterator<Item = usize> + '_ {
        self.facts.iter().enumerate().filter(|(_, fact)| fact.0).map(|(index, _)| index)
    }

    /// Initial margin of all positions and orders, and of one more.
    fn needed(&self, more: Option<(&Order, Price)>, margin: Margin) -> i128 {
        let of = |index: usize| {
            let mut open = self.open[index].map(i128::from);
            let mut price = self.marks[index];
            if let Some((order, at)) = more.filter(|(order, _)| order.instrument.index() == index) {
                open[order.side as usize] += i128::from(order.qty.0);
                price = price.max(at);
            }
            let net = self.net(index);
            let worst = (net + open[Side::Buy as usize]).abs().max((net - open[Side::Sell as usize]).abs());
            self.value(index, worst, price)
        };
        self.futures().map(of).sum::<i128>() / i128::from(margin.leverage.max(1))
    }

    /// Balance and unrealised profit of the futures wallet.
    fn worth(&self, margin: Margin) -> i128 {
        let mut worth = scale(i128::from(margin.balance), FEE_DECIMALS, self.decimals);
        for index in self.futures() {
            for position in self.positions.iter().map(|of| &of[index]) {
                let profit = position.realised.plus(position.unrealised(self.marks[index]));
                worth += scale(profit.0, self.facts[index].1, self.decimals);
                worth -= scale(i128::from(position.fees), FEE_DECIMALS, self.decimals);
            }
        }
        worth
    }

    /// Whether what is left is less than the maintenance margin.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let Some(margin) = self.margin else { return false };
        let held: i128 =
            self.futures().map(|index| self.value(index, self.net(index), self.marks[index])).sum();
        held > 0 && self.worth(margin) < held / 10_000 * i128::from(margin.maintenance_bps)
    }

    /// Where a price has gone straight from `from`, and the margin is gone where it now is, takes it back to where that first
    /// was so; says where that is.
    pub fn go_back_to_loss(&mut self, instrument: InstrumentId, from: Price) -> Price {
        let index = instrument.index();
        let to = self.marks[index];
        let lost_at = |account: &mut Self, price: Price| {
            account.marks[index] = price;
            account.is_lost()
        };
        // A gap, or another instrument's price: it was gone before.
        if lost_at(self, from) {
            return from;
        }
        let (mut before, mut lost) = (from.0, to.0);
        while before.abs_diff(lost) > 1 {
            let middle = before + (lost - before) / 2;
            if lost_at(self, Price(middle)) { lost = middle } else { before = middle }
        }
        self.marks[index] = Price(lost);
        Price(lost)
    }

    /// Closes a position for want of margin: what was held, at which price, and the fee. `None` where none is left.
    pub fn liquidate(&mut self) -> Option<(StrategyId, InstrumentId, Qty, Price, i64)> {
        let margin = self.margin?;
        for strategy in 0..self.positions.len() {
            for index in 0..self.facts.len() {
                let position = &mut self.positions[strategy][index];
                let (held, price) = (position.qty, self.marks[index]);
                if held.0 == 0 || !self.facts[index].0 {
                    continue;
                }
                let value = price.times(held.abs());
                let fee = ledger::fee(value, self.facts[index].1, margin.liquidation_fee);
                let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
                position.apply(side, held.abs(), price, fee);
                let strategy = StrategyId(u8::try_from(strategy).unwrap_or(u8::MAX));
                return Some((strategy, InstrumentId(index as u16), held, price, fee));
            }
        }
        None
    }

    /// When funding is due next; none before the first event, from when on its moments are counted.
    pub fn next_funding(&mut self, now: Time) -> Option<Time> {
        let rate = self.funding.rates.get(self.next_rate).map(|rate| rate.time);
        let constant = self.funding.constant.map(|(_, every)| {
            if self.next_constant.0 == 0 {
                // A run begins between two payments.
                self.next_constant = after(now, every);
            }
            self.next_constant
        });
        [rate, constant].into_iter().flatten().min()
    }

    /// Pays the funding of the moment `at`, which was [due next](Self::next_funding): whose position, in what, how much was
    /// held, at which price, and what was paid.
    pub fn pay_funding(&mut self, at: Time, mut paid: impl FnMut(StrategyId, InstrumentId, Qty, Price, i64)) {
        while let Some(&rate) = self.funding.rates.get(self.next_rate).filter(|rate| rate.time <= at) {
            self.next_rate += 1;
            self.pay(rate.instrument.index(), rate.rate, &mut paid);
        }
        let Some((rate, every)) = self.funding.constant.filter(|_| self.next_constant <= at) else { return };
        self.next_constant = after(at, every);
        for index in 0..self.facts.len() {
            if !self.rated[index] {
                self.pay(index, rate, &mut paid);
            }
        }
    }

    /// Nothing is paid any more.
    pub fn end_funding(&mut self) {
        self.funding = Funding::default();
    }

    fn pay(
        &mut self,
        index: usize,
        rate: FeeRate,
        paid: &mut impl FnMut(StrategyId, InstrumentId, Qty, Price, i64),
    ) {
        if !self.facts[index].0 {
            return;
        }
        let price = self.marks[index];
        for (strategy, of) in (0u8..).zip(&mut self.positions) {
            let held = of[index].qty;
            if held.0 != 0 && price.0 > 0 {
                let cost = ledger::fee(price.times(held), self.facts[index].1, rate);
                of[index].charge(cost);
                let instrument = InstrumentId(index as u16);
                let charge = WalletFill {
                    order: crate::domain::OrderId(0),
                    instrument,
                    side: Side::Buy,
                    qty: Qty::ZERO,
                    price,
                    fee: cost,
                    fee_asset: FeeAsset::Quote,
                    realised: Notional::ZERO,
                };
                self.wallets.fill(&charge);
                paid(StrategyId(strategy), instrument, held, price, cost);
            }
        }
    }
}

/// The first multiple of `every` ns after a moment.
fn after(now: Time, every: u64) -> Time {
    let every = every.max(1);
    Time((now.0 / every + 1).saturating_mul(every))
}
