//! Accounting of one position: quantity, cost, profit and fees, exact to the last digit.
//!
//! Average-cost accounting. A position's cost is kept as (quantity, total cost), never as an average price, so nothing
//! is rounded while a position grows or is closed whole. Closing a part takes `cost × part ÷ quantity` away, rounded
//! toward zero; what the rounding leaves stays in the cost and comes out at the end. Identity, at every moment:
//! realised profit = cost of what is open + fees in the base asset − Σ (price × signed quantity) over all fills.
//!
//! A fee that is taken in the base asset makes what was bought less, so that a position is what the account has. It is
//! valued at its fill's own price, at which the same worth leaves the cost: to the last digit, as if so much had been
//! sold at that price to pay the fee.

use super::event::{FeeAsset, Report};
use super::number::{Notional, Price, Qty};
use super::order::Side;

/// One position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Signed quantity: positive is long.
    pub qty: Qty,
    /// Signed total cost of the open quantity, in the notional's units.
    pub cost: Notional,
    /// Profit of what was closed, before fees, in the notional's units.
    pub realised: Notional,
    /// Fees paid in the quote asset, in units of 10^-8; and in third assets, each at its worth when it was booked.
    pub fees: i64,
    /// Fees that were taken in the base asset, each at its fill's price, in the notional's units.
    pub fees_in_base: Notional,
    /// Fills booked.
    pub fills: u64,
    /// Sum of absolute traded notionals.
    pub turnover: Notional,
}

impl Position {
    /// Books one fill. `qty` is positive; `fee` in units of 10^-8 quote. Sums saturate far beyond any account.
    pub fn apply(&mut self, side: Side, qty: Qty, price: Price, fee: i64) {
        let signed = side.signed(qty);
        let value = price.times(signed);
        self.fees = self.fees.saturating_add(fee);
        self.fills += 1;
        self.turnover = self.turnover.plus(price.times(qty));
        let grows = self.qty.0 == 0 || (self.qty.0 > 0) == (signed.0 > 0);
        if grows {
            self.qty = Qty(self.qty.0.saturating_add(signed.0));
            self.cost = self.cost.plus(value);
            return;
        }
        let held = i128::from(self.qty.0.unsigned_abs());
        let closing = held.min(i128::from(qty.0));
        let released = if closing == held { self.cost.0 } else { mul_div(self.cost.0, closing, held) };
        let closing_signed = if signed.0 > 0 { closing } else { -closing };
        let closing_value = i128::from(price.0).saturating_mul(closing_signed);
        self.realised = Notional(self.realised.0.saturating_sub(released).saturating_sub(closing_value));
        self.cost = Notional(self.cost.0 - released + (value.0 - closing_value));
        self.qty = Qty(self.qty.0.saturating_add(signed.0));
    }

    /// Books a payment that is no fill, such as funding, among the fees; units of 10^-8 quote, below zero received.
    pub fn charge(&mut self, paid: i64) {
        self.fees = self.fees.saturating_add(paid);
    }

    /// Books a report that is of the position and no order.
    pub fn apply_report(&mut self, report: &super::event::Report) {
        match report.kind {
            super::order::ReportKind::Funding | super::order::ReportKind::Commission => {
                self.charge(report.fee)
            }
            super::order::ReportKind::Liquidated => {
                self.apply(report.side, report.qty, report.price, report.fee);
            }
            _ => {}
        }
    }

    /// Books a fill as it was reported.
    #[inline]
    pub fn book(&mut self, fill: &Report) {
        match fill.fee_asset {
            FeeAsset::Quote => self.apply(fill.side, fill.qty, fill.price, fill.fee),
            FeeAsset::Base => {
                self.apply(fill.side, fill.qty, fill.price, 0);
                self.take(Qty(fill.fee), fill.price);
            }
        }
    }

    /// Takes a fee out of the base asset. What is held shrinks by it; a short grows.
    fn take(&mut self, fee: Qty, price: Price) {
        let (fills, turnover) = (self.fills, self.turnover);
        let side = if fee.0 < 0 { Side::Buy } else { Side::Sell };
        self.apply(side, fee.abs(), price, 0);
        // It is no trade.
        (self.fills, self.turnover) = (fills, turnover);
        self.fees_in_base = self.fees_in_base.plus(price.times(fee));
    }

    /// Profit of what is open if it were closed at `price`, before fees. Zero is no price, and while there is none what is
    /// open is worth what it cost.
    #[must_use]
    pub fn unrealised(&self, price: Price) -> Notional {
        if price.0 == 0 {
            return Notional::ZERO;
        }
        price.times(self.qty).minus(self.cost)
    }
}

/// `a × b ÷ c` rounded toward zero, without overflow for any cost that an i64 price and quantity can make.
pub(super) fn mul_div(a: i128, b: i128, c: i128) -> i128 {
    match a.checked_mul(b) {
        Some(product) => product / c,
        None => {
            let (whole, rest) = (a / c, a % c);
            whole.saturating_mul(b).saturating_add(rest.saturating_mul(b) / c)
        }
    }
}

/// The fee of a fill: `notional × rate`, in units of 10^-8 quote, rounded up (against us; a rebate is rounded down).
///
/// `notional_decimals` is the instrument's; the rate is in units of 10^-8.
#[must_use]
pub fn fee(notional: Notional, notional_decimals: u8, rate: super::instrument::FeeRate) -> i64 {
    // notional × rate has notional_decimals + 8 decimals; 8 are wanted, so notional_decimals are divided away.
    let product = notional.0.saturating_mul(i128::from(rate.0));
    let divisor = 10i128.pow(u32::from(notional_decimals));
    let up = product.div_euclid(divisor) + i128::from(product.rem_euclid(divisor) != 0);
    i64::try_from(up).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::instrument::FeeRate;
    use super::*;

    #[test]
    fn a_round_trip_realises_the_difference() {
        let mut p = Position::default();
        p.apply(Side::Buy, Qty(10), Price(100), 1);
        p.apply(Side::Buy, Qty(10), Price(110), 1);
        assert_eq!((p.qty, p.cost), (Qty(20), Notional(2_100)));
        p.apply(Side::Sell, Qty(5), Price(120), 1);
        assert_eq!((p.qty, p.cost, p.realised), (Qty(15), Notional(1_575), Notional(75)));
        p.apply(Side::Sell, Qty(20), Price(100), 1);
        assert_eq!((p.qty, p.cost, p.realised), (Qty(-5), Notional(-500), Notional(0)));
        assert_eq!(p.unrealised(Price(90)), Notional(50));
        assert_eq!(p.fees, 4);
    }

    #[test]
    fn fees_are_rounded_against_us() {
        // 100.00 USDT at 0.1 % is 0.1 USDT.
        assert_eq!(fee(Notional(10_000), 2, FeeRate(100_000)), 10_000_000);
        // 0.01 at 0.00000001 is 1e-10: up to one unit of 1e-8.
        assert_eq!(fee(Notional(1), 2, FeeRate(1)), 1);
        assert_eq!(fee(Notional(1), 2, FeeRate(-1)), 0);
    }

    fn fill(side: Side, qty: i64, price: i64, fee: i64, fee_asset: FeeAsset) -> Report {
        Report {
            instrument: crate::domain::InstrumentId(0),
            order: crate::domain::OrderId(1),
            strategy: crate::domain::StrategyId(0),
            side,
            kind: crate::domain::order::ReportKind::Fill,
            qty: Qty(qty),
            price: Price(price),
            fee,
            fee_asset,
            trade_id: 1,
            maker: false,
        }
    }

    #[test]
    fn a_fee_in_the_base_asset_leaves_less_and_costs_its_worth() {
        let mut p = Position::default();
        p.book(&fill(Side::Buy, 1_000, 50, 1, FeeAsset::Base));
        assert_eq!((p.qty, p.cost, p.fees_in_base), (Qty(999), Notional(49_950), Notional(50)));
        assert_eq!((p.fees, p.fills, p.turnover, p.realised), (0, 1, Notional(50_000), Notional(0)));
        // A dearer one: the fee is worth more than what it cost.
        p.book(&fill(Side::Buy, 1_000, 70, 2, FeeAsset::Base));
        assert_eq!((p.qty, p.fees_in_base), (Qty(1_997), Notional(190)));
        p.book(&fill(Side::Sell, 1_997, 60, 7, FeeAsset::Quote));
        assert_eq!((p.qty, p.cost, p.fees), (Qty(0), Notional(0), 7));
        // 1,997 × 60 came in, 1,000 × 50 and 1,000 × 70 went.
        assert_eq!(p.realised.minus(p.fees_in_base), Notional(1_997 * 60 - 120_000));
    }

    proptest::proptest! {
        #[test]
        fn fees_in_the_base_asset_are_counted_to_the_last_digit(
            fills in proptest::collection::vec(
                (proptest::bool::ANY, 1i64..1_000_000, 1i64..10_000_000, 0i64..1_000, proptest::bool::ANY), 1..60
            ),
            mark in 1i64..10_000_000,
        ) {
            let mut p = Position::default();
            let (mut cash, mut held) = (0i128, 0i128);
            for (buy, q, price, fee, in_base) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                let (asset, fee) = if in_base { (FeeAsset::Base, fee) } else { (FeeAsset::Quote, 0) };
                p.book(&fill(side, q, price, fee, asset));
                cash -= i128::from(price) * i128::from(side.signed(Qty(q)).0);
                held += i128::from(side.signed(Qty(q)).0) - i128::from(fee);
                proptest::prop_assert_eq!(i128::from(p.qty.0), held);
                let profit = p.realised.0 + p.unrealised(Price(mark)).0 - p.fees_in_base.0;
                proptest::prop_assert_eq!(profit, cash + held * i128::from(mark));
            }
        }

        #[test]
        fn profit_is_cost_less_cash_to_the_last_digit(
            fills in proptest::collection::vec((proptest::bool::ANY, 1i64..1_000_000, 1i64..10_000_000), 1..60)
        ) {
            let mut p = Position::default();
            let mut cash = 0i128;
            let mut qty = 0i64;
            for (buy, q, price) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                p.apply(side, Qty(q), Price(price), 0);
                cash += i128::from(price) * i128::from(side.signed(Qty(q)).0);
                qty += side.signed(Qty(q)).0;
                proptest::prop_assert_eq!(p.qty.0, qty);
                proptest::prop_assert_eq!(p.realised.0, p.cost.0 - cash);
                proptest::prop_assert!(qty != 0 || p.cost.0 == 0);
            }
        }
    }
}
