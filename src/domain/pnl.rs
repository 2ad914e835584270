//! Profit by either of two methods, by the day, with fees in whatever asset they were taken in.
//!
//! A position is closed against its average cost, or against its oldest lots first (FIFO). Both are exact and differ only
//! in when a profit is realised: once a position is flat, or at any moment together with what is open at one price, they
//! are the same to the last digit. Fees are kept in the assets that they were paid in. One in the base asset is worth what
//! its fill's price says; one in a third asset what it was booked with, or, where its asset had no price then, what the
//! first price says: it counts on the day on which it was taken, and until then as unpriced, never as nothing.

use super::asset::AssetCode;
use super::decimal::POW10;
use super::event::{FeeAsset, Report};
use super::ids::OrderId;
use super::instrument::Instrument;
use super::ledger::Position;
use super::lots::Lots;
use super::number::{Notional, Price, Qty};
use super::order::{ReportKind, Side};
use std::collections::BTreeMap;

/// Decimals of amounts of fees.
const FEE_DECIMALS: u8 = 8;

/// What a closing is set against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// The average cost of what is held.
    #[default]
    Average,
    /// The oldest lot first.
    Fifo,
}

/// The profit of one strategy in one instrument.
#[derive(Debug, Clone, Default)]
pub struct Profit {
    method: Method,
    /// By average cost; its quantity and turnover are those of either method.
    average: Position,
    lots: Lots,
    fees: BTreeMap<String, i128>,
    fees_in_base: Notional,
    fees_in_third: i128,
    /// Commissions that were taken before their asset's first price.
    early: Vec<Early>,
    by_day: BTreeMap<i64, Day>,
}

/// A commission in a third asset that had no price when it was taken.
#[derive(Debug, Clone, Copy)]
struct Early {
    day: i64,
    order: OrderId,
    trade_id: u64,
    asset: AssetCode,
    /// Units of 10^-8.
    amount: i64,
    /// Once it is known, units of 10^-8 of the quote asset.
    worth: Option<i64>,
}

/// What one day brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// Realised, before fees, in the notional's units.
    pub realised: Notional,
    /// Fees paid, by asset, units of 10^-8.
    pub fees: BTreeMap<String, i128>,
    /// Those that were taken in the base asset, each at its fill's price, in the notional's units.
    pub fees_in_base: Notional,
    /// Those that were taken in third assets, each at its worth, units of 10^-8 of the quote asset; the unpriced left out.
    pub fees_in_third: i128,
    /// Fills.
    pub fills: u64,
}

impl Method {
    /// Both, with their names in configuration and output.
    pub const LABELS: [(&'static str, Self); 2] = [("average", Self::Average), ("fifo", Self::Fifo)];

    /// Its name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Fifo => "fifo",
        }
    }
}

impl Profit {
    /// The day of all that an earlier run left.
    pub const EARLIER: i64 = i64::MIN;

    /// Nothing yet.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, ..Self::default() }
    }

    /// What an earlier run left in an instrument: the position, and its lots, without which it is one. All that was
    /// realised and paid by then is of the day [`EARLIER`](Self::EARLIER), fees in third assets among those in the quote
    /// asset at their worth.
    #[must_use]
    pub fn carrying(method: Method, position: &Position, lots: Option<&Lots>, of: &Instrument) -> Self {
        let lots = lots.filter(|lots| lots.qty() == position.qty);
        let lots = lots.cloned().unwrap_or_else(|| Lots::carried(position));
        let fees_in_base = position.fees_in_base;
        let mut profit = Self { method, average: *position, lots, fees_in_base, ..Self::default() };
        let realised = profit.realised();
        let day = Day { realised, fees_in_base, fills: position.fills, ..Day::default() };
        profit.by_day.insert(Self::EARLIER, day);
        profit.pay(Self::EARLIER, position.fees.into(), &of.quote);
        profit
    }

    /// Books a fill on a day, which is any number that tells days apart. `qty` is positive; `fee` in units of 10^-8 of
    /// `fee_asset`, negative for a rebate.
    pub fn book(&mut self, on: i64, side: Side, qty: Qty, price: Price, fee: i64, fee_asset: &str) {
        let before = self.realised();
        // The fee is kept by its asset alone.
        self.average.apply(side, qty, price, 0);
        self.lots.book(side, qty, price);
        let gained = self.realised().minus(before);
        let day = self.by_day.entry(on).or_default();
        day.realised = day.realised.plus(gained);
        day.fills += 1;
        self.pay(on, fee.into(), fee_asset);
    }

    /// Books what the venue said of an order's trade or of the position itself, on a day. A fee in the base asset leaves
    /// less of it, and costs its worth at the fill's own price: what is held is then what the account has.
    pub fn book_report(&mut self, day: i64, report: &Report, of: &Instrument) {
        let &Report { side, qty, price, fee, .. } = report;
        match (report.kind, report.fee_asset) {
            (ReportKind::Funding, _) => self.pay(day, fee.into(), &of.quote),
            (ReportKind::Commission, _) => self.commission(day, report),
            (ReportKind::Fill | ReportKind::Liquidated, FeeAsset::Quote) => {
                self.book(day, side, qty, price, fee, &of.quote);
            }
            (ReportKind::Fill | ReportKind::Liquidated, FeeAsset::Base) => {
                self.book(day, side, qty, price, 0, &of.base);
                let way = if fee < 0 { Side::Buy } else { Side::Sell };
                self.book(day, way, Qty(fee).abs(), price, 0, &of.base);
                let worth = price.times(Qty(fee));
                self.fees_in_base = self.fees_in_base.plus(worth);
                let on = self.by_day.entry(day).or_default();
                on.fees_in_base = on.fees_in_base.plus(worth);
                // It is no trade.
                on.fills -= 1;
                let decimals = of.qty_decimals.min(FEE_DECIMALS);
                let unit = i128::from(POW10[usize::from(FEE_DECIMALS - decimals)]);
                self.pay(day, i128::from(fee).saturating_mul(unit), &of.base);
            }
            _ => {}
        }
    }

    /// Books a commission in a third asset: with its worth, before that is known, or, with no amount, the worth of one
    /// that was booked before.
    fn commission(&mut self, day: i64, report: &Report) {
        let Some((asset, amount)) = report.paid() else { return };
        let &Report { order, trade_id, fee: worth, .. } = report;
        if amount != 0 {
            self.pay(day, amount.into(), &asset.to_string());
            match worth {
                0 => self.early.push(Early { day, order, trade_id, asset, amount, worth: None }),
                worth => self.worth(day, worth),
            }
            return;
        }
        let is_it =
            |early: &&mut Early| (early.order, early.trade_id, early.asset) == (order, trade_id, asset);
        match self.early.iter_mut().find(is_it) {
            // It was valued by the same price a moment ago.
            Some(Early { worth: Some(_), .. }) => {}
            Some(early) => {
                early.worth = Some(worth);
                let day = early.day;
                self.worth(day, worth);
            }
            // It was taken in an earlier run.
            None => self.worth(day, worth),
        }
    }

    fn worth(&mut self, on: i64, worth: i64) {
        self.fees_in_third = self.fees_in_third.saturating_add(worth.into());
        let day = self.by_day.entry(on).or_default();
        day.fees_in_third = day.fees_in_third.saturating_add(worth.into());
    }

    /// Values what is unpriced, where `worth_of` says what an amount of an asset is worth in the quote asset, both in
    /// units of 10^-8.
    pub fn value(&mut self, worth_of: impl Fn(AssetCode, i64) -> Option<i64>) {
        for index in 0..self.early.len() {
            let early = &mut self.early[index];
            if early.worth.is_none()
                && let Some(worth) = worth_of(early.asset, early.amount)
            {
                early.worth = Some(worth);
                let day = early.day;
                self.worth(day, worth);
            }
        }
    }

    /// Commissions in third assets whose worth is not known, and which are in no sum: by asset, units of 10^-8.
    #[must_use]
    pub fn unpriced(&self) -> BTreeMap<String, i128> {
        let mut unpriced = BTreeMap::new();
        for early in self.early.iter().filter(|early| early.worth.is_none()) {
            *unpriced.entry(early.asset.to_string()).or_default() += i128::from(early.amount);
        }
        unpriced
    }

    fn pay(&mut self, day: i64, fee: i128, asset: &str) {
        let day = self.by_day.entry(day).or_default();
        if fee != 0 {
            for fees in [&mut self.fees, &mut day.fees] {
                *fees.entry(asset.to_owned()).or_default() += fee;
            }
        }
    }

    /// Fees that were taken in third assets, each at its worth, units of 10^-8 of the quote asset; the unpriced left out.
    #[must_use]
    pub fn fees_in_third(&self) -> i128 {
        self.fees_in_third
    }

    /// Fees that were taken in the base asset, each at its fill's price, in the notional's units.
    #[must_use]
    pub fn fees_in_base(&self) -> Notional {
        self.fees_in_base
    }

    /// Signed quantity held.
    #[must_use]
    pub fn qty(&self) -> Qty {
        self.average.qty
    }

    /// Realised, before fees, in the notional's units.
    #[must_use]
    pub fn realised(&self) -> Notional {
        match self.method {
            Method::Average => self.average.realised,
            Method::Fifo => self.lots.realised(),
        }
    }

    /// What closing everything at `price` would add, before fees.
    #[must_use]
    pub fn unrealised(&self, price: Price) -> Notional {
        match self.method {
            Method::Average => self.average.unrealised(price),
            Method::Fifo => self.lots.unrealised(price),
        }
    }

    /// Fees paid, by asset, units of 10^-8.
    #[must_use]
    pub fn fees(&self) -> &BTreeMap<String, i128> {
        &self.fees
    }

    /// All fees in one asset, units of 10^-8, by prices of one unit of each asset in it, units of 10^-8; none where
    /// `price_of` has no price of an asset that fees were paid in. Rounded up, against us.
    pub fn fees_in(&self, price_of: impl Fn(&str) -> Option<i64>) -> Option<i128> {
        const ONE: i128 = 100_000_000;
        self.fees.iter().try_fold(0i128, |sum, (asset, amount)| {
            let product = amount.saturating_mul(i128::from(price_of(asset)?));
            let up = product.div_euclid(ONE) + i128::from(product.rem_euclid(ONE) != 0);
            Some(sum.saturating_add(up))
        })
    }

    /// The days on which something was filled.
    #[must_use]
    pub fn days(&self) -> &BTreeMap<i64, Day> {
        &self.by_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lot_is_closed_first() {
        let mut fifo = Profit::new(Method::Fifo);
        let mut average = Profit::new(Method::Average);
        for profit in [&mut fifo, &mut average] {
            profit.book(1, Side::Buy, Qty(10), Price(100), 3, "USDT");
            profit.book(1, Side::Buy, Qty(10), Price(200), 5, "BNB");
            profit.book(2, Side::Sell, Qty(10), Price(300), -1, "USDT");
        }
        assert_eq!((fifo.realised(), average.realised()), (Notional(2_000), Notional(1_500)));
        assert_eq!(
            (fifo.unrealised(Price(300)), average.unrealised(Price(300))),
            (Notional(1_000), Notional(1_500))
        );
        assert_eq!(fifo.days()[&1].realised, Notional(0));
        assert_eq!((fifo.days()[&2].realised, fifo.days()[&2].fills), (Notional(2_000), 1));
        // 2 of USDT at one, 5 of BNB at 600.1 and a bit.
        let price = |asset: &str| match asset {
            "USDT" => Some(100_000_000),
            "BNB" => Some(60_010_000_001),
            _ => None,
        };
        assert_eq!(fifo.fees_in(price), Some(2 + 3_001));
        assert_eq!(fifo.fees_in(|asset| (asset == "USDT").then_some(1)), None, "an unknown price is no zero");
    }

    /// A commission of a trade of BTCUSDT, in BNB.
    fn commission(trade_id: u64, amount: i64, worth: i64) -> Report {
        let bnb = AssetCode::of("BNB").expect("short");
        let of = (crate::domain::InstrumentId(0), OrderId(7), crate::domain::StrategyId(0));
        Report { fee: worth, ..Report::commission(of.0, of.1, of.2, trade_id, bnb, amount) }
    }

    #[test]
    fn a_commission_before_its_assets_first_price_is_unpriced_until_it_comes_and_counts_on_its_own_day() {
        let of = crate::domain::instrument::tests::sample(crate::domain::Market::Spot, "BTCUSDT");
        let mut profit = Profit::new(Method::Average);
        profit.book_report(1, &commission(1, 20, 0), &of);
        profit.book_report(1, &commission(2, 30, 0), &of);
        assert_eq!((profit.fees_in_third(), profit.unpriced()["BNB"]), (0, 50));
        profit.value(|_, _| None);
        // The run tells what the first came to, on the day after.
        profit.book_report(2, &commission(1, 0, 9_000), &of);
        assert_eq!((profit.fees_in_third(), profit.unpriced()["BNB"]), (9_000, 30));
        profit.value(|asset, amount| (asset.to_string() == "BNB").then_some(amount * 500));
        // And of the other, which was valued already.
        profit.book_report(2, &commission(2, 0, 15_000), &of);
        profit.book_report(2, &commission(3, 1, 600), &of);
        assert_eq!((profit.fees_in_third(), profit.unpriced().len()), (24_600, 0));
        assert_eq!((profit.fees()["BNB"], profit.days()[&1].fees["BNB"]), (51, 50));
        assert_eq!((profit.days()[&1].fees_in_third, profit.days()[&2].fees_in_third), (24_000, 600));
        assert_eq!(profit.days()[&1].fills, 0, "a commission is no fill");
        // What an earlier run left unpriced.
        profit.book_report(2, &commission(77, 0, 5), &of);
        assert_eq!(profit.fees_in_third(), 24_605);
    }

    proptest::proptest! {
        #[test]
        fn both_methods_come_to_the_same_and_days_add_up(
            fills in proptest::collection::vec((proptest::bool::ANY, 1i64..1_000, 1i64..10_000), 1..60),
            mark in 1i64..10_000,
        ) {
            let (mut fifo, mut average) = (Profit::new(Method::Fifo), Profit::new(Method::Average));
            let (mut cash, mut qty) = (0i128, 0i64);
            for (n, (buy, size, price)) in fills.into_iter().enumerate() {
                let side = if buy { Side::Buy } else { Side::Sell };
                for profit in [&mut fifo, &mut average] {
                    profit.book(n as i64 / 7, side, Qty(size), Price(price), 1, "USDT");
                }
                cash -= i128::from(price) * i128::from(side.signed(Qty(size)).0);
                qty += side.signed(Qty(size)).0;
                for profit in [&fifo, &average] {
                    proptest::prop_assert_eq!(profit.qty().0, qty);
                    let whole = profit.realised().plus(profit.unrealised(Price(mark)));
                    proptest::prop_assert_eq!(whole.0, cash + i128::from(mark) * i128::from(qty));
                    let days: i128 = profit.days().values().map(|day| day.realised.0).sum();
                    proptest::prop_assert_eq!(days, profit.realised().0);
                }
                proptest::prop_assert_eq!(fifo.lots.qty().0, qty);
                proptest::prop_assert!(qty != 0 || fifo.realised() == average.realised());
            }
        }
    }
}
