//! Profit by either of two methods, by the day, with fees in whatever asset they were taken in.
//!
//! A position is closed against its average cost, or against its oldest lots first (FIFO). Both are exact and differ only
//! in when a profit is realised: once a position is flat, or at any moment together with what is open at one price, they
//! are the same to the last digit. Fees are kept in the assets that they were paid in, and converted when asked for, at
//! a price that the caller vouches for.

use super::decimal::POW10;
use super::event::{FeeAsset, Report};
use super::instrument::Instrument;
use super::ledger::Position;
use super::number::{Notional, Price, Qty};
use super::order::{ReportKind, Side};
use std::collections::{BTreeMap, VecDeque};

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
    /// Signed quantities with their prices, the oldest first; all of one sign.
    lots: VecDeque<(Qty, Price)>,
    fifo: Notional,
    fees: BTreeMap<String, i128>,
    fees_in_base: Notional,
    by_day: BTreeMap<i64, Day>,
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
    /// Nothing yet.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, ..Self::default() }
    }

    /// Books a fill on a day, which is any number that tells days apart. `qty` is positive; `fee` in units of 10^-8 of
    /// `fee_asset`, negative for a rebate.
    pub fn book(&mut self, on: i64, side: Side, qty: Qty, price: Price, fee: i64, fee_asset: &str) {
        let before = self.realised();
        // The fee is kept by its asset alone.
        self.average.apply(side, qty, price, 0);
        self.book_lots(side.signed(qty), price);
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
            // A commission in a third asset counts at the worth that it was booked with.
            (ReportKind::Funding | ReportKind::Commission, _) => self.pay(day, fee.into(), &of.quote),
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

    fn pay(&mut self, day: i64, fee: i128, asset: &str) {
        let day = self.by_day.entry(day).or_default();
        if fee != 0 {
            for fees in [&mut self.fees, &mut day.fees] {
                *fees.entry(asset.to_owned()).or_default() += fee;
            }
        }
    }

    /// Fees that were taken in the base asset, each at its fill's price, in the notional's units.
    #[must_use]
    pub fn fees_in_base(&self) -> Notional {
        self.fees_in_base
    }

    fn book_lots(&mut self, mut left: Qty, price: Price) {
        while left.0 != 0 {
            let Some((lot, cost)) = self.lots.front_mut().filter(|(lot, _)| (lot.0 > 0) != (left.0 > 0))
            else {
                self.lots.push_back((left, price));
                return;
            };
            // What closes has the sign of the lot that it closes.
            let size = lot.0.unsigned_abs().min(left.0.unsigned_abs()) as i64 * lot.0.signum();
            let gained = price.times(Qty(size)).minus(cost.times(Qty(size)));
            self.fifo = self.fifo.plus(gained);
            lot.0 -= size;
            left.0 += size;
            if lot.0 == 0 {
                self.lots.pop_front();
            }
        }
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
            Method::Fifo => self.fifo,
        }
    }

    /// What closing everything at `price` would add, before fees.
    #[must_use]
    pub fn unrealised(&self, price: Price) -> Notional {
        match self.method {
            Method::Average => self.average.unrealised(price),
            Method::Fifo => {
                let gain = |(qty, cost): &(Qty, Price)| price.times(*qty).minus(cost.times(*qty));
                self.lots.iter().map(gain).fold(Notional::ZERO, Notional::plus)
            }
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
                let held: i64 = fifo.lots.iter().map(|(lot, _)| lot.0).sum();
                proptest::prop_assert_eq!(held, qty);
                proptest::prop_assert!(fifo.lots.iter().all(|(lot, _)| lot.0.signum() == qty.signum()));
                proptest::prop_assert!(qty != 0 || fifo.realised() == average.realised());
            }
        }
    }
}
