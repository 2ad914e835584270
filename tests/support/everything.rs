//! A strategy that asks in turns for everything the order manager holds, on the small market of `pipeline.rs`.

use algo_trader::domain::{InstrumentId, PlaceError, Price, Qty, Side};
use algo_trader::market::Top;
use algo_trader::run::Config;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use std::time::Duration;

/// The strategy, to be named in a configuration.
pub static EVERYTHING: [StrategySpec; 1] =
    [StrategySpec { name: "everything", doc: "a turn of each kind", params: &[], build }];

struct Everything {
    instrument: InstrumentId,
    quotes: u64,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Everything { instrument: setup.one_instrument()?, quotes: 0 }))
}

/// The built-in configuration with this strategy in place of its own.
pub fn config() -> Config {
    let text = "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[risk]\nunset = \"default\"\nopen_orders_max = 200\n\
                orders_per_second_max = 10000\n[[strategy]]\nname = \"everything\"\n\
                instruments = [\"binance:spot:ETHUSDT\"]\n";
    Config::from_text_with_built_in(text, "everything").expect("a good configuration")
}

impl Everything {
    fn turn(&self, ctx: &mut Context<'_>, top: &Top) -> Result<(), PlaceError> {
        let eth = self.instrument;
        let qty = Qty(10i64.pow(u32::from(ctx.instrument(eth).qty_decimals)) / 10);
        let (bid, ask) = (top.bid.price.0, top.ask.price.0);
        let soon = ctx.now().plus(Duration::from_millis(30));
        match self.quotes / 25 % 8 {
            0 => ctx.bracket(eth, Side::Buy, qty).stop_at(Price(bid)).take_profit_at(Price(bid + 50)).send(),
            1 => ctx.buy(eth, qty).stop_at(Price(ask + 9)).good_till(soon).send(),
            2 => ctx.sell(eth, qty).trail_by_bps(1).send(),
            3 => {
                let target = ctx.sell(eth, qty).at_limit(Price(ask + 5)).send()?;
                let stop = ctx.sell(eth, qty).stop_limit(Price(bid - 9), Price(bid - 30)).send()?;
                return ctx.one_cancels_other(target, stop);
            }
            4 => ctx.buy(eth, Qty(qty.0 * 5)).at_limit(Price(bid)).iceberg(qty).good_till(soon).send(),
            5 => {
                ctx.bracket(eth, Side::Buy, qty).at_limit(Price(ask)).trail_by(Price(7)).enter_by(soon).send()
            }
            6 => ctx.sell(eth, qty).take_profit_at(Price(ask + 9)).good_till(soon).send(),
            _ => {
                let held = ctx.position(eth).qty;
                let order = match held.0 {
                    0 => return Ok(()),
                    long if long > 0 => ctx.sell(eth, held),
                    _ => ctx.buy(eth, -held),
                };
                order.at_market().reduce_only().send()
            }
        }
        .map(|_| ())
    }
}

impl Strategy for Everything {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        self.quotes += 1;
        if top.is_two_sided() && self.quotes.is_multiple_of(25) {
            // A refusal is as good an outcome as any.
            let _ = self.turn(ctx, top);
        }
    }
}
