//! Gross exposure over all strategies and instruments, kept up to date rather than added up at each order.

use super::rule::quote_units;
use crate::domain::{InstrumentId, InstrumentTable, Notional, Price, Qty};

/// See the module.
#[derive(Debug)]
pub(super) struct Exposure {
    instruments: Vec<Held>,
    gross: i128,
}

/// One instrument's share.
#[derive(Debug, Clone, Copy)]
struct Held {
    notional_decimals: u8,
    /// Sum of the strategies' absolute positions.
    qty: i128,
    mark: Price,
    /// What it adds to the gross, units of 10^-8 quote.
    value: i128,
}

impl Exposure {
    pub(super) fn new(table: &InstrumentTable) -> Self {
        let held = |i: &crate::domain::Instrument| Held {
            notional_decimals: i.notional_decimals(),
            qty: 0,
            mark: Price(0),
            value: 0,
        };
        Self { instruments: table.all().iter().map(held).collect(), gross: 0 }
    }

    /// Sum of all positions' absolute values at their last marks, units of 10^-8 quote, each instrument rounded up.
    #[inline]
    pub(super) fn gross(&self) -> i128 {
        self.gross
    }

    /// The price that an instrument's positions are valued at from now on.
    #[inline]
    pub(super) fn mark(&mut self, instrument: InstrumentId, mark: Price) {
        let held = &mut self.instruments[instrument.index()];
        held.mark = mark;
        if held.qty != 0 {
            self.revalue(instrument);
        }
    }

    /// A strategy's position went from `before` to `after` by a fill at `price`.
    pub(super) fn moved(&mut self, instrument: InstrumentId, before: Qty, after: Qty, price: Price) {
        let held = &mut self.instruments[instrument.index()];
        held.qty += i128::from(after.0.unsigned_abs()) - i128::from(before.0.unsigned_abs());
        held.mark = price;
        self.revalue(instrument);
    }

    fn revalue(&mut self, instrument: InstrumentId) {
        let held = &mut self.instruments[instrument.index()];
        let value = Notional(i128::from(held.mark.0).saturating_mul(held.qty));
        let value = quote_units(value, held.notional_decimals);
        self.gross = self.gross.saturating_add(value - held.value);
        held.value = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;

    proptest::proptest! {
        #[test]
        fn kept_up_to_date_it_is_what_adding_up_gives(
            steps in proptest::collection::vec((0u16..3, 0usize..2, -50i64..50, 1i64..1_000_000), 1..60)
        ) {
            let instruments = ["AAAUSDT", "BBBUSDT", "CCCUSDT"].map(|s| sample(Market::Spot, s)).to_vec();
            let table = InstrumentTable::new(instruments).expect("three instruments");
            let mut exposure = Exposure::new(&table);
            let mut positions = [[0i64; 2]; 3];
            let mut marks = [0i64; 3];
            for (instrument, strategy, qty, price) in steps {
                let at = usize::from(instrument);
                marks[at] = price;
                if qty == 0 {
                    exposure.mark(InstrumentId(instrument), Price(price));
                } else {
                    let before = positions[at][strategy];
                    positions[at][strategy] += qty;
                    exposure.moved(InstrumentId(instrument), Qty(before), Qty(before + qty), Price(price));
                }
                let naive: i128 = (0..3)
                    .map(|i| {
                        let held: i128 = positions[i].iter().map(|q| i128::from(q.abs())).sum();
                        let decimals = table.all()[i].notional_decimals();
                        quote_units(Notional(i128::from(marks[i]) * held), decimals)
                    })
                    .sum();
                proptest::prop_assert_eq!(exposure.gross(), naive);
            }
        }
    }
}
