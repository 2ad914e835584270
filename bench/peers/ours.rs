//! Our side of `bench/peers/run`: the program's command line with the strategies that the peers run too, and the data
//! that all of them are given.
//!
//! `peers make DIR --trades N --bars M` writes the data, once as files that `algo-trader import` takes and once, number for
//! number, as NumPy arrays of whole numbers. Anything else is a command of `algo-trader`.

#[path = "market.rs"]
mod market;

use algo_trader::cli::main_with;
use algo_trader::domain::event::Trade;
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{InstrumentId, OrderStatus, Price, Qty, Time};
use algo_trader::market::Top;
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use std::path::Path;
use std::process::ExitCode;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Updates of the two averages; the shorter is compared with the longer from the first trade after so many.
const FAST: f64 = 500.0;
const SLOW: f64 = 2_000.0;

/// Between two rounds of quotes: 100 ms.
const EVERY: u64 = 100_000_000;

/// Long while the fast average of trades is above the slow one, short below.
struct EmaCross {
    btc: InstrumentId,
    fast: f64,
    slow: f64,
    trades: u64,
    above: Option<bool>,
}

impl Strategy for EmaCross {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        let price = trade.price.0 as f64;
        if self.trades == 0 {
            (self.fast, self.slow) = (price, price);
        }
        self.trades += 1;
        self.fast += (price - self.fast) * (2.0 / (FAST + 1.0));
        self.slow += (price - self.slow) * (2.0 / (SLOW + 1.0));
        let above = self.fast > self.slow;
        if self.trades < SLOW as u64
            || self.above == Some(above)
            || ctx.open_orders(self.btc).next().is_some()
        {
            return;
        }
        self.above = Some(above);
        let change = (if above { 1_000 } else { -1_000 }) - ctx.position(self.btc).qty.0;
        let _ = match change {
            0 => return,
            more if more > 0 => ctx.buy(self.btc, Qty(more)).at_market().send(),
            less => ctx.sell(self.btc, Qty(-less)).at_market().send(),
        };
    }
}

/// Quotes both touches with 0.01, anew every 100 ms.
struct Maker {
    btc: InstrumentId,
    next: Time,
}

impl Strategy for Maker {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _: InstrumentId, top: &Top) {
        if !top.is_two_sided() || ctx.now() < self.next {
            return;
        }
        // On a grid of time, as the peer has it, whenever the first quote after its point comes.
        self.next = Time((ctx.now().0 / EVERY + 1) * EVERY);
        loop {
            let live = |o: &&OrderState| o.status != OrderStatus::PendingCancel;
            let Some(id) = ctx.open_orders(self.btc).find(live).map(|o| o.order.id) else { break };
            if ctx.cancel(id).is_err() {
                break;
            }
        }
        let _ = ctx.buy(self.btc, Qty(10)).at_limit(Price(top.bid.price.0)).post_only().send();
        let _ = ctx.sell(self.btc, Qty(10)).at_limit(Price(top.ask.price.0)).post_only().send();
    }
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec {
        name: "peers-ema-cross",
        doc: "long while the fast average of trades is above the slow one",
        params: &[],
        build: |setup| {
            let btc = setup.one_instrument()?;
            Ok(Box::new(EmaCross { btc, fast: 0.0, slow: 0.0, trades: 0, above: None }))
        },
    },
    StrategySpec {
        name: "peers-maker",
        doc: "quotes both touches, anew every 100 ms",
        params: &[],
        build: |setup| Ok(Box::new(Maker { btc: setup.one_instrument()?, next: Time(0) })),
    },
];

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().collect();
    // Cargo says this to every bench.
    args.retain(|arg| arg != "--bench");
    let number = |name: &str, default: u64| {
        let at = args.iter().position(|arg| arg == name);
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    match args.get(1).map(String::as_str) {
        Some("make") => {
            let dir = args.get(2).map_or("peers-data", String::as_str);
            market::make(Path::new(dir), number("--trades", 1_000_000), number("--bars", 100_000))
                .expect("the directory can be written to");
            ExitCode::SUCCESS
        }
        // Run with all other benches, without arguments, it has nobody to be compared with.
        None => {
            println!("see bench/peers/run");
            ExitCode::SUCCESS
        }
        _ => main_with(STRATEGIES),
    }
}
