//! What a commission in a third asset is worth, by the market that the run sees.
//!
//! The venue says how much it took of which asset, and what that is worth depends on the moment. It is worked out where
//! the report gets its place in the ring, from the last trade or quote before it, and is in the report from then on: so
//! every stage, the journal and a replay have the same number.

use crate::domain::decimal::POW10;
use crate::domain::event::Kind;
use crate::domain::order::ReportKind;
use crate::domain::{AssetCode, Instrument, InstrumentTable, Market, Slot};

/// Last prices of spot instruments.
pub(super) struct FeeRates {
    table: InstrumentTable,
    /// Zero before the first.
    prices: Vec<i64>,
}

impl FeeRates {
    pub fn new(table: &InstrumentTable) -> Self {
        Self { table: table.clone(), prices: vec![0; table.len()] }
    }

    /// Takes a price in.
    #[inline]
    pub fn see(&mut self, slot: &Slot) {
        let (instrument, price) = match slot.kind() {
            Kind::Trade => match slot.as_trade() {
                Some(trade) => (trade.instrument, trade.price.0),
                None => return,
            },
            Kind::Quote => match slot.as_quote() {
                Some(quote) if quote.bid.price.0 > 0 && quote.ask.price.0 > 0 => {
                    let (bid, ask) = (quote.bid.price.0, quote.ask.price.0);
                    (quote.instrument, bid + (ask - bid) / 2)
                }
                _ => return,
            },
            _ => return,
        };
        if let Some(last) = self.prices.get_mut(instrument.index())
            && price > 0
        {
            *last = price;
        }
    }

    /// The same report with its worth, where the slot is one of a commission and a price is known.
    #[cold]
    pub fn valued(&self, slot: &Slot) -> Option<Slot> {
        let mut report = slot.as_report().filter(|report| report.kind == ReportKind::Commission)?;
        let (asset, amount) = report.paid()?;
        let of = self.table.all().get(report.instrument.index())?;
        report.fee = self.worth(asset, amount.into(), &of.quote)?;
        Some(Slot::report(&report))
    }

    /// What `amount` of an asset is worth in another, both in units of 10^-8, rounded up.
    fn worth(&self, asset: AssetCode, amount: i128, quote: &str) -> Option<i64> {
        let spot = self.table.all().iter().filter(|i| i.market == Market::Spot);
        let priced = spot.filter_map(|i| self.prices.get(i.id.index()).filter(|p| **p > 0).map(|p| (i, *p)));
        let is = |name: &str| AssetCode::of(name) == Some(asset);
        let unit = |i: &Instrument| POW10.get(usize::from(i.price_decimals)).map(|unit| i128::from(*unit));
        for (i, price) in priced {
            let price = i128::from(price);
            let (product, divisor) = if is(&i.base) && i.quote == quote {
                (amount.checked_mul(price)?, unit(i)?)
            } else if is(&i.quote) && i.base == quote {
                (amount.checked_mul(unit(i)?)?, price)
            } else {
                continue;
            };
            let up = product.div_euclid(divisor) + i128::from(product.rem_euclid(divisor) != 0);
            return i64::try_from(up).ok();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Report, Trade};
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentId, OrderId, Price, Qty, Side, StrategyId, Time};

    fn rates() -> FeeRates {
        let of = |base: &str, quote: &str| {
            let mut instrument = sample(Market::Spot, &format!("{base}{quote}"));
            (instrument.base, instrument.quote) = (base.to_owned(), quote.to_owned());
            (instrument.price_decimals, instrument.qty_decimals) = (2, 8);
            instrument
        };
        let table = vec![of("BTC", "USDT"), of("BNB", "USDT"), of("BTC", "EUR"), of("EUR", "BNB")];
        FeeRates::new(&InstrumentTable::new(table).expect("distinct"))
    }

    fn trade(instrument: u16, price: i64) -> Slot {
        let (qty, id, venue_time, aggressor) = (Qty(1), 1, Time(0), Side::Buy);
        let (instrument, price) = (InstrumentId(instrument), Price(price));
        Slot::trade(&Trade { instrument, price, qty, id, venue_time, aggressor, aggregate: false })
    }

    fn taken(instrument: u16, asset: &str, amount: i64) -> Slot {
        let asset = AssetCode::of(asset).expect("short");
        let (strategy, order) = (StrategyId(1), OrderId(7));
        Slot::report(&Report::commission(InstrumentId(instrument), order, strategy, 9, asset, amount))
    }

    fn worth(rates: &FeeRates, slot: &Slot) -> Option<i64> {
        rates.valued(slot).and_then(|slot| slot.as_report()).map(|report| report.fee)
    }

    #[test]
    fn a_commission_is_worth_what_the_last_price_says_whichever_way_the_pair_is() {
        let mut rates = rates();
        let bnb = taken(0, "BNB", 1_000);
        assert_eq!(worth(&rates, &bnb), None, "no price yet");
        rates.see(&trade(1, 60_033));
        // 0.00001 BNB at 600.33 USDT: 0.00600330.
        assert_eq!(worth(&rates, &bnb), Some(600_330));
        // A unit of it at 600.33 is 600.33 units.
        assert_eq!(worth(&rates, &taken(0, "BNB", 1)), Some(601), "rounded up");
        // EURBNB at 0.50: a BNB is two euro.
        rates.see(&trade(3, 50));
        assert_eq!(worth(&rates, &taken(2, "BNB", 1_000)), Some(2_000));
        assert_eq!(worth(&rates, &taken(2, "SOL", 1_000)), None);
        assert_eq!(worth(&rates, &trade(1, 1)), None, "no report");
    }

    #[test]
    fn what_was_taken_reads_back_from_its_slot() {
        let report = taken(0, "BNB", 1_234).as_report().expect("a report");
        assert_eq!(report.paid(), AssetCode::of("BNB").map(|asset| (asset, 1_234)));
        assert_eq!((report.order, report.trade_id, report.fee), (OrderId(7), 9, 0));
        assert_eq!(Report { kind: ReportKind::Funding, ..report }.paid(), None);
    }
}
