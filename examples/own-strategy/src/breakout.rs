//! Breakout: buys when a bar closes above every high of the bars before it, and leaves at a stop or a target.

use algo_trader::domain::params::{ParamKind, ParamSpec};
use algo_trader::domain::{InstrumentId, PlaceError, Price, Qty, Side};
use algo_trader::market::Bar;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Stops, Strategy, StrategySpec};
use std::collections::VecDeque;

/// The strategy as configurations, help and checks know it.
pub const SPEC: StrategySpec = StrategySpec {
    name: "breakout",
    doc: "buys a close above the highest high of the bars before it; leaves at a stop or a target",
    params: &[
        ParamSpec {
            name: "bars",
            doc: "bars whose highest high is to be broken",
            kind: ParamKind::Integer { min: 2, max: 10_000, default: 20 },
        },
        ParamSpec {
            name: "qty",
            doc: "quantity of an order, in the base asset; where the strategy has sizing, that decides",
            kind: ParamKind::Decimal { min: "0.00000001", max: "1000000", default: "0.010" },
        },
        ParamSpec {
            name: "stop_bps",
            doc: "stop below the entry, hundredths of a per cent",
            kind: ParamKind::Integer { min: 1, max: 5_000, default: 5 },
        },
        ParamSpec {
            name: "target_bps",
            doc: "target above the entry, hundredths of a per cent",
            kind: ParamKind::Integer { min: 1, max: 5_000, default: 10 },
        },
    ],
    build,
};

struct Breakout {
    instrument: InstrumentId,
    channel: Channel,
    qty: Qty,
    stop_bps: i64,
    target_bps: i64,
}

/// Makes one from its checked parameters. What is wrong with them is told at the start of a run, never during it.
fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    // Exact: a quantity is a whole number of the instrument's smallest printed unit. Where the configuration has a
    // `sizing`, that decides, and the parameter is not read.
    let qty = setup.qty("qty", instrument)?;
    // A `sizing` in the configuration is refused unless somebody asks for it: below, each entry does, with its stop.
    setup.size_entries(Stops::Given);
    let bars = usize::try_from(setup.params.integer("bars")).unwrap_or(2);
    Ok(Box::new(Breakout {
        instrument,
        qty,
        channel: Channel::new(bars),
        stop_bps: setup.params.integer("stop_bps"),
        target_bps: setup.params.integer("target_bps"),
    }))
}

/// So many ten-thousandths of a price, rounded up: multiplied first, so that a small price loses nothing.
fn bps(price: i64, bps: i64) -> i64 {
    i64::try_from((i128::from(price) * i128::from(bps) + 9_999) / 10_000).unwrap_or(i64::MAX)
}

impl Breakout {
    fn enter(&self, ctx: &mut Context<'_>) -> Result<(), PlaceError> {
        // In whole lots: on spot a fee is taken from what was bought, and what is left of the last lot cannot be sold.
        let flat = ctx.position_in_lots(self.instrument) == Qty::ZERO;
        let waiting = ctx.open_orders(self.instrument).next().is_some();
        // A quote is there only while the book can be trusted: not before its snapshot, not after a gap.
        let Some(top) = ctx.quote(self.instrument) else { return Ok(()) };
        if !flat || waiting {
            return Ok(());
        }
        let entry = top.ask.price.0;
        let stop = Price(entry.saturating_sub(bps(entry, self.stop_bps)));
        let target = Price(entry.saturating_add(bps(entry, self.target_bps)));
        let qty = ctx.size_or(self.qty, self.instrument, top.ask.price, Some(stop));
        if qty == Qty::ZERO {
            return Ok(());
        }
        ctx.bracket(self.instrument, Side::Buy, qty).stop_at(stop).take_profit_at(target).send().map(drop)
    }
}

impl Strategy for Breakout {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        if self.channel.breaks_out(bar.high, bar.close) {
            // A refusal is counted and shown in the summary; the next breakout tries again.
            let _ = self.enter(ctx);
        }
    }
}

/// The highs of the last bars, in room taken once: nothing is allocated while trading.
struct Channel {
    highs: VecDeque<Price>,
    bars: usize,
}

impl Channel {
    fn new(bars: usize) -> Self {
        Self { highs: VecDeque::with_capacity(bars), bars }
    }

    /// Takes the next bar. True if it closed above all of a full channel.
    fn breaks_out(&mut self, high: Price, close: Price) -> bool {
        let full = self.highs.len() == self.bars;
        let above = full && self.highs.iter().all(|&high| close > high);
        if full {
            self.highs.pop_front();
        }
        self.highs.push_back(high);
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use algo_trader::testing::Bench;

    /// The pipeline that trades, with this strategy in it and the market in the test's hands.
    fn bench() -> (Bench, InstrumentId) {
        let config = "[instruments]\nfiles = [\"instruments/binance-usdm.toml\"]\n[market]\nbar = \"time:60s\"\n\
                      [risk]\nunset = \"default\"\n[[strategy]]\nname = \"breakout\"\n\
                      instruments = [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nbars = 3\n";
        let bench = Bench::of(config, &[SPEC]).unwrap_or_else(|error| panic!("{error}"));
        let btc = bench.instrument("binance:usdm:BTCUSDT");
        (bench, btc)
    }

    #[test]
    fn a_breakout_is_bought_with_a_stop_and_a_target_and_left_at_the_target() {
        let (mut bench, btc) = bench();
        bench.quote(btc, "60000.0", "60000.1");
        for _ in 0..3 {
            bench.bar(btc, ["60000", "60010", "59990", "60000"], "1");
        }
        assert!(bench.happened().is_empty(), "nothing broke out");
        bench.bar(btc, ["60000", "60020", "60000", "60015"], "1");
        assert_eq!(bench.position(btc).qty, bench.qty(btc, "0.010"));
        let [held] = bench.protections()[..] else { panic!("{:?}", bench.protections()) };
        assert_eq!(held.covered, bench.qty(btc, "0.010"));
        assert!(held.stop < bench.price(btc, "60000.0") && held.take_profit > bench.price(btc, "60000.1"));
        bench.quote(btc, "60070.0", "60070.1");
        assert_eq!(bench.position(btc).qty, Qty::ZERO);
        assert!(bench.protections().is_empty(), "the target took the stop with it");
    }

    fn signals(bars: usize, highs_and_closes: &[(i64, i64)]) -> Vec<bool> {
        let mut channel = Channel::new(bars);
        highs_and_closes.iter().map(|&(high, close)| channel.breaks_out(Price(high), Price(close))).collect()
    }

    #[test]
    fn only_a_close_above_every_high_of_a_full_channel_breaks_out() {
        // Not full, not full, touches the high, above it.
        let bars = [(10, 9), (12, 12), (13, 12), (14, 14)];
        assert_eq!(signals(2, &bars), [false, false, false, true]);
    }

    #[test]
    fn a_high_is_forgotten_once_it_is_older_than_the_channel() {
        let bars = [(90, 80), (10, 9), (11, 10), (12, 12)];
        assert_eq!(signals(2, &bars), [false, false, false, true]);
    }
}
