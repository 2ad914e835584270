//! Sums that are kept up to date, held against adding everything up anew.

use super::*;
use crate::domain::event::FeeAsset;
use crate::domain::instrument::tests::sample;
use crate::domain::order::ReportKind;
use crate::domain::{Extras, Market, OrderId, OrderKind, TimeInForce};

#[test]
fn profits_are_rounded_down() {
    for (units, decimals, wanted) in [
        (1, 9, 0),
        (10, 9, 1),
        (11, 9, 1),
        (19, 9, 1),
        (-1, 9, -1),
        (-10, 9, -1),
        (-11, 9, -2),
        (5, 8, 5),
        (5, 7, 50),
    ] {
        assert_eq!(down(Notional(units), decimals), wanted, "{units} with {decimals} decimals");
    }
}

#[test]
fn what_less_than_a_lot_is_left_of_is_closed() {
    let (a, b) = (sample(Market::Spot, "A"), sample(Market::Spot, "B"));
    let instruments = vec![Instrument { lot: Qty(10), ..a }, b];
    let table = InstrumentTable::new(instruments).expect("two instruments");
    let mut exposure = Exposure::new(&table, 1, &[]);
    let mut fill = |instrument: u16, side: Side, qty: i64, price: i64, fee: i64| {
        let filled = exposure.fill(&Report {
            instrument: InstrumentId(instrument),
            order: OrderId(1),
            strategy: StrategyId(0),
            side,
            kind: ReportKind::Fill,
            qty: Qty(qty),
            price: Price(price),
            fee,
            fee_asset: if side == Side::Buy { FeeAsset::Base } else { FeeAsset::Quote },
            trade_id: 1,
            maker: false,
        });
        // In units of 10^-5 quote, as the instruments have them.
        filled.closed.map(|earned| earned / 1_000)
    };
    // 100 at 50 less 1; nine lots are sold at 40, and 9 are left, which are less than a lot.
    assert_eq!(fill(0, Side::Buy, 100, 50, 1), None);
    assert_eq!(fill(0, Side::Sell, 90, 40, 0), Some(-90 * 10 - 50));
    // The next trip is counted from there: what is left of the last is sold with it.
    assert_eq!(fill(0, Side::Buy, 100, 50, 1), None);
    assert_eq!(fill(0, Side::Sell, 60, 60, 0), None, "four lots are left");
    assert!(fill(0, Side::Sell, 40, 60, 0).is_some_and(|earned| earned > 0));
    // Where a lot is 1 there is no such rest.
    assert_eq!(fill(1, Side::Buy, 100, 50, 1), None);
    assert_eq!(fill(1, Side::Sell, 98, 40, 0), None);
    assert_eq!(fill(1, Side::Sell, 1, 40, 0), Some(-99 * 10 - 50));
}

/// A step: strategy, instrument, kind of step, buy, quantity, price.
type Step = (u8, u16, u8, bool, i64, i64);

/// Everything added up anew.
struct Naive {
    positions: [[Position; 3]; 2],
    open: Vec<(Order, i64)>,
    marks: [i64; 3],
}

impl Naive {
    fn sum(&self, counts: impl Fn(usize, usize) -> bool) -> Sum {
        let mut sum = Sum::default();
        for s in 0..2 {
            for i in (0..3).filter(|i| counts(s, *i)) {
                let here = |side| {
                    let of = move |o: &&(Order, i64)| {
                        (o.0.strategy.index(), o.0.instrument.index(), o.0.side) == (s, i, side)
                    };
                    self.open.iter().filter(of)
                };
                let worth = |(o, left): &(Order, i64)| quote_units(o.price.times(Qty(*left)), 5);
                let (buys, sells): (i128, i128) =
                    (here(Side::Buy).map(worth).sum(), here(Side::Sell).map(worth).sum());
                let held = quote_units(Price(self.marks[i]).times(self.positions[s][i].qty), 5);
                let (up, down) = (held + buys, held - sells);
                sum.long += up.max(0);
                sum.short += (-down).max(0);
                sum.gross += up.abs().max(down.abs());
                sum.up += up;
                sum.down += down;
                sum.orders += (here(Side::Buy).count() + here(Side::Sell).count()) as u32;
            }
        }
        sum
    }

    fn profit(&self, s: usize) -> i128 {
        let of = |i: usize| {
            let p = &self.positions[s][i];
            let whole = p.realised.0 + Price(self.marks[i]).times(p.qty).0 - p.cost.0;
            whole * 1_000 - i128::from(p.fees)
        };
        (0..3).map(of).sum()
    }
}

proptest::proptest! {
    #[test]
    fn kept_up_to_date_it_is_what_adding_up_gives(
        steps in proptest::collection::vec(
            (0u8..2, 0u16..3, 0u8..4, proptest::bool::ANY, 1i64..50, 1i64..1_000_000), 1..80)
    ) {
        let instruments =
            vec![sample(Market::Spot, "A"), sample(Market::Spot, "B"), sample(Market::UsdM, "C")];
        let table = InstrumentTable::new(instruments).expect("three instruments");
        let mut exposure = Exposure::new(&table, 2, &[Some(0), None, Some(0)]);
        let mut naive = Naive { positions: Default::default(), open: Vec::new(), marks: [0; 3] };
        for (n, step) in steps.into_iter().enumerate() {
            let (s, i, kind, buy, qty, price): Step = step;
            let (strategy, instrument) = (StrategyId(s), InstrumentId(i));
            let side = if buy { Side::Buy } else { Side::Sell };
            let order = Order {
                id: OrderId(n as u64),
                strategy,
                instrument,
                side,
                kind: OrderKind::Limit,
                tif: TimeInForce::Gtc,
                reduce_only: false,
                qty: Qty(qty),
                price: Price(price),
                extras: Extras::NONE,
            };
            match kind {
                0 => {
                    naive.marks[usize::from(i)] = price;
                    exposure.mark(instrument, Price(price));
                }
                1 => {
                    let value = exposure.value(instrument, order.price, order.qty);
                    exposure.settle();
                    let adds = exposure.would_add(&order, value);
                    let before = *exposure.scopes(strategy, instrument)[Scale::Portfolio as usize];
                    exposure.open(&order, value, &adds);
                    naive.open.push((order, qty));
                    let after = *exposure.scopes(strategy, instrument)[Scale::Portfolio as usize];
                    proptest::prop_assert_eq!(after.minus(&before), adds);
                }
                _ => {
                    // A part of the oldest order fills, or it ends.
                    if naive.open.is_empty() { continue; }
                    let (order, left) = naive.open[0];
                    let part = if kind == 2 { qty.min(left) } else { 0 };
                    let remains = if kind == 2 { left - part } else { 0 };
                    let value = |q| exposure.value(order.instrument, order.price, Qty(q));
                    let (before, after) = (value(left), value(remains));
                    let gone = if remains == 0 { -1 } else { 0 };
                    exposure.order(&order, before, after, gone);
                    if part > 0 {
                        let (o, p) = (order, Price(price));
                        exposure.fill(&Report {
                            instrument: o.instrument,
                            order: o.id,
                            strategy: o.strategy,
                            side: o.side,
                            kind: ReportKind::Fill,
                            qty: Qty(part),
                            price: p,
                            fee: 7,
                            fee_asset: FeeAsset::Quote,
                            trade_id: n as u64,
                            maker: false,
                        });
                        naive.positions[o.strategy.index()][o.instrument.index()]
                            .apply(o.side, Qty(part), p, 7);
                        let mark = &mut naive.marks[o.instrument.index()];
                        if *mark == 0 { *mark = price; }
                    }
                    naive.open[0].1 = remains;
                    naive.open.retain(|o| o.1 > 0);
                }
            }
            exposure.settle();
            let grouped = [true, false, true];
            for s in 0..2 {
                for i in 0..3 {
                    let got = exposure.scopes(StrategyId(s as u8), InstrumentId(i as u16));
                    let account = |at: usize| (at < 2) == (i < 2);
                    let wanted = [
                        naive.sum(|_, at| at == i),
                        naive.sum(|of, _| of == s),
                        if grouped[i] { naive.sum(|_, at| grouped[at]) } else { Sum::NO_GROUP },
                        naive.sum(|_, at| account(at)),
                        naive.sum(|_, _| true),
                    ];
                    proptest::prop_assert_eq!(got.map(|sum| *sum), wanted);
                }
                proptest::prop_assert_eq!(exposure.profit_of(StrategyId(s as u8)), naive.profit(s));
            }
            proptest::prop_assert_eq!(exposure.profit(), naive.profit(0) + naive.profit(1));
        }
    }
}
