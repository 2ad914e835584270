//! A strategy of one's own: `algo-trader` with one strategy more.

mod breakout;

use std::process::ExitCode;

fn main() -> ExitCode {
    algo_trader::cli::main_with(&[breakout::SPEC])
}
