//! Our side of `bench/peers/run`: the program's command line with the strategies that the peers run too, and the data
//! that all of them are given.
//!
//! `peers make DIR --trades N --bars M` writes the data, once as files that `algo-trader import` takes and once, number for
//! number, as NumPy arrays of whole numbers. Anything else is a command of `algo-trader`.

#[path = "market.rs"]
mod market;
#[path = "../strategies.rs"]
mod strategies;

use algo_trader::cli::main_with;
use algo_trader::strategy::StrategySpec;
use std::path::Path;
use std::process::ExitCode;
use strategies::{EmaCross, Maker};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec {
        name: "peers-ema-cross",
        doc: "long while the fast average of trades is above the slow one",
        params: &[],
        build: |setup| Ok(Box::new(EmaCross::new(setup.one_instrument()?))),
    },
    StrategySpec {
        name: "peers-maker",
        doc: "quotes both touches, anew every 100 ms",
        params: &[],
        build: |setup| Ok(Box::new(Maker::new(setup.one_instrument()?))),
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
