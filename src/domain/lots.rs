//! What is held, lot by lot, and what was realised by closing the oldest first (FIFO), exact to the last digit.
//!
//! A lot's cost is kept whole, never as a price for each unit. That of a fill's lot is price × quantity, so what a part of
//! it cost divides without rest. Identity, at every moment, fees in the base asset being sold at their fill's price:
//! realised profit = cost of what is open − Σ (price × signed quantity) over everything booked.

use super::event::{FeeAsset, Report};
use super::ledger::{Position, mul_div};
use super::number::{Notional, Price, Qty};
use super::order::{ReportKind, Side};
use std::collections::VecDeque;

/// The lots of one position.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Lots {
    /// The oldest first; all of one sign.
    held: VecDeque<Lot>,
    realised: Notional,
}

/// What was taken at once and is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Lot {
    /// Signed.
    qty: Qty,
    /// Signed total, in the notional's units.
    cost: Notional,
}

impl Lots {
    /// A position whose lots are not known: all that is held is one, and what was realised stays.
    #[must_use]
    pub fn carried(position: &Position) -> Self {
        let lot = Lot { qty: position.qty, cost: position.cost };
        let held = (lot.qty.0 != 0).then_some(lot).into_iter().collect();
        Self { held, realised: position.realised }
    }

    /// Books what was traded. `qty` is positive. Sums saturate far beyond any account.
    pub fn book(&mut self, side: Side, qty: Qty, price: Price) {
        let mut left = side.signed(qty);
        while left.0 != 0 {
            let Some(lot) = self.held.front_mut().filter(|lot| (lot.qty.0 > 0) != (left.0 > 0)) else {
                return self.held.push_back(Lot { qty: left, cost: price.times(left) });
            };
            let whole = lot.qty.0.unsigned_abs();
            let part = whole.min(left.0.unsigned_abs());
            // What closes has the sign of the lot that it closes.
            let closed = Qty(part as i64 * lot.qty.0.signum());
            let cost = if part == whole {
                lot.cost
            } else {
                Notional(mul_div(lot.cost.0, part.into(), whole.into()))
            };
            self.realised = self.realised.plus(price.times(closed).minus(cost));
            lot.qty.0 -= closed.0;
            lot.cost = lot.cost.minus(cost);
            left.0 += closed.0;
            if part == whole {
                self.held.pop_front();
            }
        }
    }

    /// Books what the venue said, as [`Position::book`] and [`Position::apply_report`] do.
    pub fn book_report(&mut self, report: &Report) {
        let &Report { side, qty, price, fee, .. } = report;
        match (report.kind, report.fee_asset) {
            (ReportKind::Fill, FeeAsset::Base) => {
                self.book(side, qty, price);
                self.book(if fee < 0 { Side::Buy } else { Side::Sell }, Qty(fee).abs(), price);
            }
            (ReportKind::Fill | ReportKind::Liquidated, _) => self.book(side, qty, price),
            _ => {}
        }
    }

    /// Signed quantity held.
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.held.iter().fold(0, |sum, lot| lot.qty.0.saturating_add(sum)))
    }

    /// Realised, before fees, in the notional's units.
    #[must_use]
    pub fn realised(&self) -> Notional {
        self.realised
    }

    /// What closing everything at `price` would add, before fees, in the notional's units; nothing while there is no price,
    /// which zero says.
    #[must_use]
    pub fn unrealised(&self, price: Price) -> Notional {
        if price.0 == 0 {
            return Notional::ZERO;
        }
        let gain = |lot: &Lot| price.times(lot.qty).minus(lot.cost);
        self.held.iter().map(gain).fold(Notional::ZERO, Notional::plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{bool::ANY, prop_assert, prop_assert_eq};

    /// By average cost, in floating point: how much is held at which price a unit, and what was realised.
    #[derive(Default)]
    struct NaiveAverage {
        held: f64,
        price: f64,
        realised: f64,
    }

    impl NaiveAverage {
        fn book(&mut self, traded: f64, price: f64) {
            let closed = if self.held * traded < 0.0 { traded.abs().min(self.held.abs()) } else { 0.0 };
            self.realised += closed * (price - self.price) * self.held.signum();
            let held = self.held + traded;
            if self.held * traded >= 0.0 && held != 0.0 {
                self.price = (self.held * self.price + traded * price) / held;
            } else if self.held * held < 0.0 {
                self.price = price;
            }
            self.held = held;
        }
    }

    /// One unit after the other, each with its price: nothing is divided, nothing added up.
    #[derive(Default)]
    struct Naive {
        units: VecDeque<(i64, i64)>,
        realised: i128,
    }

    impl Naive {
        fn book(&mut self, sign: i64, qty: i64, price: i64) {
            for _ in 0..qty {
                match self.units.front().copied() {
                    Some((held, cost)) if held != sign => {
                        self.realised += i128::from(held * (price - cost));
                        self.units.pop_front();
                    }
                    _ => self.units.push_back((sign, price)),
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_oldest_unit_is_closed_first(
            fills in proptest::collection::vec((ANY, 1i64..40, 1i64..10_000, 0i64..3, ANY), 1..60),
            mark in 1i64..10_000,
        ) {
            let (mut lots, mut naive, mut position) = (Lots::default(), Naive::default(), Position::default());
            let (mut average, mut parts) = (NaiveAverage::default(), 0.0);
            for (buy, size, price, fee, in_base) in fills {
                let (side, sign) = if buy { (Side::Buy, 1) } else { (Side::Sell, -1) };
                let fee_asset = if in_base { FeeAsset::Base } else { FeeAsset::Quote };
                let report = Report {
                    fee,
                    fee_asset,
                    side,
                    qty: Qty(size),
                    price: Price(price),
                    kind: ReportKind::Fill,
                    instrument: crate::domain::InstrumentId(0),
                    order: crate::domain::OrderId(1),
                    strategy: crate::domain::StrategyId(0),
                    trade_id: 1,
                    maker: false,
                };
                lots.book_report(&report);
                position.book(&report);
                naive.book(sign, size, price);
                average.book((sign * size) as f64, price as f64);
                parts += 2.0;
                if in_base {
                    average.book(-fee as f64, price as f64);
                    naive.book(-1, fee, price);
                }
                let open: i128 = naive.units.iter().map(|(sign, cost)| i128::from(sign * (mark - cost))).sum();
                prop_assert_eq!(lots.qty().0, naive.units.iter().map(|(sign, _)| sign).sum::<i64>());
                prop_assert_eq!((lots.realised().0, lots.unrealised(Price(mark)).0), (naive.realised, open));
                // What is rounded when a part is closed is less than a unit each time.
                prop_assert!((position.realised.0 as f64 - average.realised).abs() < parts, "{position:?}");
                // By average cost the same is held, and it comes to the same in all.
                prop_assert_eq!(lots.qty(), position.qty);
                let whole = position.realised.plus(position.unrealised(Price(mark)));
                prop_assert_eq!(lots.realised().plus(lots.unrealised(Price(mark))), whole);
                prop_assert!(lots.held.iter().all(|lot| lot.qty.0.signum() == position.qty.0.signum()));
                // What is carried without its lots comes to the same in all as well.
                let carried = Lots::carried(&position);
                prop_assert_eq!(carried.realised().plus(carried.unrealised(Price(mark))), whole);
                prop_assert_eq!(carried.qty(), position.qty);
            }
        }
    }
}
