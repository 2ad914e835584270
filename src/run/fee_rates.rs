//! What a commission in a third asset is worth, by the market that the run sees.
//!
//! The venue says how much it took of which asset, and what that is worth depends on the moment. It is worked out where
//! the report gets its place in the ring, from the last trade or quote before it, and is in the report from then on: so
//! every stage, the journal and a replay have the same number. Where no price is known yet it enters with no worth, and
//! right behind the first price a second report follows, with the worth and no amount.

use crate::domain::decimal::POW10;
use crate::domain::event::{Kind, Report};
use crate::domain::order::ReportKind;
use crate::domain::{AssetCode, Instrument, InstrumentTable, Market, Qty, Slot};

/// Last prices of spot instruments.
pub(super) struct FeeRates {
    table: InstrumentTable,
    /// Zero before the first.
    prices: Vec<i64>,
    /// Commissions whose asset had no price yet.
    unpriced: Vec<Report>,
}

impl FeeRates {
    pub fn new(table: &InstrumentTable) -> Self {
        Self { table: table.clone(), prices: vec![0; table.len()], unpriced: Vec::new() }
    }

    /// The same, with commissions that an earlier run could not value.
    pub fn owing(mut self, unpriced: impl IntoIterator<Item = Report>) -> Self {
        self.unpriced.extend(unpriced);
        self
    }

    /// Takes a price in. Gives whether it is its instrument's first, and so may be what a commission waits for.
    #[inline]
    pub fn see(&mut self, slot: &Slot) -> bool {
        let (instrument, price) = match slot.kind() {
            Kind::Trade => match slot.as_trade() {
                Some(trade) => (trade.instrument, trade.price.0),
                None => return false,
            },
            Kind::Quote => match slot.as_quote() {
                Some(quote) if quote.bid.price.0 > 0 && quote.ask.price.0 > 0 => {
                    let (bid, ask) = (quote.bid.price.0, quote.ask.price.0);
                    (quote.instrument, bid + (ask - bid) / 2)
                }
                _ => return false,
            },
            _ => return false,
        };
        match self.prices.get_mut(instrument.index()) {
            Some(last) if price > 0 => std::mem::replace(last, price) == 0,
            _ => false,
        }
    }

    /// The same report with its worth, where the slot is one of a commission and a price is known; one whose price is
    /// not is kept until then.
    #[cold]
    pub fn valued(&mut self, slot: &Slot) -> Option<Slot> {
        let mut report = slot.as_report().filter(|report| report.kind == ReportKind::Commission)?;
        match self.worth_of(&report) {
            Some(worth) => {
                report.fee = worth;
                Some(Slot::report(&report))
            }
            None => {
                self.unpriced.push(report);
                None
            }
        }
    }

    /// What commissions that had no price are worth now, each once: a report with the worth and no amount.
    #[cold]
    pub fn late(&mut self) -> Vec<Slot> {
        let mut late = Vec::new();
        for mut report in std::mem::take(&mut self.unpriced) {
            match self.worth_of(&report) {
                Some(worth) => {
                    (report.qty, report.fee) = (Qty::ZERO, worth);
                    late.push(Slot::report(&report));
                }
                None => self.unpriced.push(report),
            }
        }
        late
    }

    fn worth_of(&self, report: &Report) -> Option<i64> {
        let (asset, amount) = report.paid()?;
        let of = self.table.all().get(report.instrument.index())?;
        self.worth(asset, amount, &of.quote)
    }

    /// What `amount` of an asset is worth in another, both in units of 10^-8, rounded up; `None` where no price is known.
    pub fn worth(&self, asset: AssetCode, amount: i64, quote: &str) -> Option<i64> {
        let amount = i128::from(amount);
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
    use crate::domain::event::Trade;
    use crate::domain::instrument::tests::sample;
    use crate::domain::pnl::{Method, Profit};
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

    fn worth(rates: &mut FeeRates, slot: &Slot) -> Option<i64> {
        rates.valued(slot).and_then(|slot| slot.as_report()).map(|report| report.fee)
    }

    #[test]
    fn a_commission_is_worth_what_the_last_price_says_whichever_way_the_pair_is() {
        let mut rates = rates();
        let bnb = taken(0, "BNB", 1_000);
        assert_eq!(worth(&mut rates, &bnb), None, "no price yet");
        rates.see(&trade(1, 60_033));
        // 0.00001 BNB at 600.33 USDT: 0.00600330.
        assert_eq!(worth(&mut rates, &bnb), Some(600_330));
        // A unit of it at 600.33 is 600.33 units.
        assert_eq!(worth(&mut rates, &taken(0, "BNB", 1)), Some(601), "rounded up");
        // EURBNB at 0.50: a BNB is two euro.
        rates.see(&trade(3, 50));
        assert_eq!(worth(&mut rates, &taken(2, "BNB", 1_000)), Some(2_000));
        assert_eq!(worth(&mut rates, &taken(2, "SOL", 1_000)), None);
        assert_eq!(worth(&mut rates, &trade(1, 1)), None, "no report");
    }

    #[test]
    fn a_commission_before_the_first_price_gets_its_worth_with_it_once() {
        let mut rates = rates();
        assert!(rates.see(&trade(0, 5_000_000)) && rates.late().is_empty(), "nothing waits");
        assert_eq!(worth(&mut rates, &taken(0, "BNB", 1_000)), None);
        assert_eq!(worth(&mut rates, &taken(2, "BNB", 1_000)), None);
        assert!(!rates.see(&trade(0, 5_000_001)), "no first price");
        // BNBUSDT: of use to the first alone.
        assert!(rates.see(&trade(1, 60_033)));
        let told = |rates: &mut FeeRates| {
            let late = rates.late().into_iter().filter_map(|slot| slot.as_report());
            late.map(|report| (report.instrument.0, report.paid(), report.fee, report.trade_id))
                .collect::<Vec<_>>()
        };
        let nothing = AssetCode::of("BNB").map(|asset| (asset, 0));
        assert_eq!(told(&mut rates), [(0, nothing, 600_330, 9)]);
        assert!(!rates.see(&trade(1, 60_034)));
        assert!(rates.see(&trade(3, 50)));
        assert_eq!(told(&mut rates), [(2, nothing, 2_000, 9)]);
        assert_eq!(told(&mut rates), []);
        // What an earlier run could not value is no different.
        let left = taken(0, "BNB", 1_000).as_report();
        let mut rates = self::rates().owing(left);
        assert!(rates.see(&trade(1, 60_033)));
        assert_eq!(told(&mut rates), [(0, nothing, 600_330, 9)]);
    }

    proptest::proptest! {
        #[test]
        fn each_is_worth_the_last_price_before_it_or_else_the_first_after_it_and_counts_on_its_own_day(
            steps in proptest::collection::vec((0u8..4, 1i64..1_000_000), 1..40)
        ) {
            let (mut rates, mut profit) = (rates(), Profit::new(Method::Fifo));
            let of = rates.table.all()[0].clone();
            for (n, &(kind, value)) in (0..).zip(&steps) {
                let told = match kind {
                    // BNBUSDT at a price, a commission, and what is of no use to it.
                    0 if rates.see(&trade(1, value)) => rates.late(),
                    1 => {
                        let report = taken(0, "BNB", value).as_report().expect("one");
                        let slot = Slot::report(&Report { trade_id: n as u64, ..report });
                        vec![rates.valued(&slot).unwrap_or(slot)]
                    }
                    2 if rates.see(&trade(0, value)) => rates.late(),
                    _ => Vec::new(),
                };
                told.iter().filter_map(Slot::as_report).for_each(|report| profit.book_report(n, &report, &of));
            }
            let (mut whole, mut unpriced) = (0, 0);
            for (n, (_, amount)) in steps.iter().enumerate().filter(|(_, (kind, _))| *kind == 1) {
                let is_price = |step: &&(u8, i64)| step.0 == 0;
                let before = steps[..n].iter().rev().find(is_price);
                let Some((_, price)) = before.or_else(|| steps[n..].iter().find(is_price)) else {
                    unpriced += i128::from(*amount);
                    continue;
                };
                let worth = (i128::from(*amount) * i128::from(*price) + 99) / 100;
                proptest::prop_assert_eq!(profit.days()[&(n as i64)].fees_in_third, worth);
                whole += worth;
            }
            proptest::prop_assert_eq!(profit.fees_in_third(), whole);
            proptest::prop_assert_eq!(profit.unpriced().values().sum::<i128>(), unpriced);
        }
    }

    #[test]
    fn what_was_taken_reads_back_from_its_slot() {
        let report = taken(0, "BNB", 1_234).as_report().expect("a report");
        assert_eq!(report.paid(), AssetCode::of("BNB").map(|asset| (asset, 1_234)));
        assert_eq!((report.order, report.trade_id, report.fee), (OrderId(7), 9, 0));
        assert_eq!(Report { kind: ReportKind::Funding, ..report }.paid(), None);
    }
}
