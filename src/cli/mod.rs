//! The command line: one file a command.
//!
//! Owns: arguments, what is printed and the exit status: 0 done, 1 the work failed, 2 bad usage or configuration.
//! Holds no logic that a test could want without a terminal.

/// Writes for whoever reads. One who has stopped reading (`| head`) is no reason to end a run, where the standard macros
/// of these names would panic. All of a text is written at once: line by line, a long JSON is as many calls of the system.
macro_rules! print {
    ($($text:tt)*) => { $crate::cli::printed::put(&std::fmt::format(format_args!($($text)*))) };
}
/// See `print`.
macro_rules! println {
    () => { print!("\n") };
    ($($text:tt)*) => { print!("{}\n", format_args!($($text)*)) };
}
/// See `print`.
macro_rules! eprint {
    ($($text:tt)*) => {{
        // Where messages cannot be written there is nowhere to say so.
        let text = std::fmt::format(format_args!($($text)*));
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }};
}
/// See `print`.
macro_rules! eprintln {
    ($($text:tt)*) => { eprint!("{}\n", format_args!($($text)*)) };
}

mod audit;
mod backtest;
mod capture;
mod ctl;
mod dashboard;
mod demo;
pub mod doctor;
mod export;
mod fetch_history;
mod history;
mod import;
mod in_the_way;
mod list;
mod logging;
mod many;
mod output;
mod pnl;
mod printed;
mod replay;
mod risk;
mod run;
mod status_line;
mod store;
mod sweep;
mod table;
mod tear_sheet;
mod venue;
mod why;

use crate::strategy::{BUILT_IN, StrategySpec};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "algo-trader", version, about, long_about = None, max_term_width = 100)]
#[command(
    after_help = "Start with:\n  algo-trader demo        everything on a generated market, offline\n  algo-trader doctor      is this host tuned for low latency?"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything, offline, on a market that a local venue serves over TLS
    Demo(demo::Args),
    /// Runs recorded frames, or a journal, through the pipeline
    Replay(replay::Args),
    /// Runs strategies over the local history, or over recordings, with a simulated venue
    Backtest(backtest::Args),
    /// Runs a backtest with many sets of parameters, ranks them, and judges them on later data
    Sweep(sweep::Args),
    /// Trades on paper on a venue's live market data
    Run(run::Args),
    /// Shows, stops, releases and asks a running process, and watches over one
    Ctl(ctl::Args),
    /// Takes journals into a database, and tells what one holds
    Store(store::Args),
    /// Verifies audit trails, exports them, tells how an order came about
    Audit(audit::Args),
    /// Writes raw frames into files that `replay` reads, or checks such files
    Capture(capture::Args),
    /// Takes vendors' files and recordings into the local history
    Import(import::Args),
    /// Fetches klines and aggregate trades from a venue into the local history
    FetchHistory(fetch_history::Args),
    /// Tells what the local history has, checks it, removes from it
    History(history::Args),
    /// Writes the local history into CSV or Parquet files
    Export(export::Args),
    /// Tells what a run holds, what it could lose, and how near it is to its limits
    Risk(risk::Args),
    /// Tells what a run earned, by strategy, instrument and day, at average cost or first in, first out
    Pnl(pnl::Args),
    /// Lists what a configuration can name: strategies, indicators, risk rules
    List(list::Args),
    /// Tells how well this host is tuned for low latency, and what to change
    Doctor(DoctorArgs),
    /// A local venue that speaks Binance's protocol, to connect to
    Venue(venue::Args),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  algo-trader doctor\n  algo-trader doctor --json")]
struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a command ended.
pub(crate) enum Outcome {
    Done,
    Failed,
    BadUsage,
}

/// The whole command line with the built-in strategies.
pub fn main() -> ExitCode {
    main_with(&[])
}

/// The whole command line with strategies of your own: call it from the `main` of a crate that has them.
pub fn main_with(strategies: &'static [StrategySpec]) -> ExitCode {
    ExitCode::from(run_with(std::env::args_os(), strategies))
}

/// One command, given as its arguments, the program's name first; says the exit status: 0 done, 1 the work failed,
/// 2 bad usage or configuration. Results go to standard output, messages to standard error, as from the command line.
///
/// A signal handler and a logger that it sets up stay for the life of the process.
pub fn run_with<I, T>(args: I, strategies: &'static [StrategySpec]) -> u8
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not mistakes; where they cannot be printed nobody is there to read.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    if let Some(name) = name_given_twice(strategies) {
        eprintln!(
            "error: two strategies of this program are named {name}: each needs a name of its own in its StrategySpec, \
             and not that of a built-in one ({})",
            BUILT_IN.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
        );
        return 2;
    }
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(args, strategies),
        Command::Replay(args) => replay::run(args, strategies),
        Command::Backtest(args) => backtest::run(args, strategies),
        Command::Sweep(args) => sweep::run(args, strategies),
        Command::Run(args) => run::run(args, strategies),
        Command::Ctl(args) => ctl::run(args),
        Command::Store(args) => store::run(args),
        Command::Audit(args) => audit::run(args, strategies),
        Command::Capture(args) => capture::run(args),
        Command::Import(args) => import::run(args),
        Command::FetchHistory(args) => fetch_history::run(args),
        Command::History(args) => history::run(args),
        Command::Export(args) => export::run(args),
        Command::Risk(args) => risk::run(&args),
        Command::Pnl(args) => pnl::run(&args),
        Command::List(args) => list::run(&args, strategies),
        Command::Venue(args) => venue::run(args),
        Command::Doctor(args) => {
            let mut text = Vec::new();
            // Writing into memory cannot fail.
            let _ = doctor::run(args.json, &mut text);
            print!("{}", String::from_utf8_lossy(&text));
            Outcome::Done
        }
    };
    let unprinted = printed::finish();
    if let Some(error) = &unprinted {
        eprintln!("the result could not be written: {error}");
    }
    match outcome {
        Outcome::Done if unprinted.is_none() => 0,
        Outcome::Done | Outcome::Failed => 1,
        Outcome::BadUsage => 2,
    }
}

/// The first name that a strategy shares with another, or with a built-in one: by its name the other could never be meant.
fn name_given_twice(strategies: &[StrategySpec]) -> Option<&'static str> {
    let built_in = || BUILT_IN.iter().map(|spec| spec.name);
    let mut names = strategies.iter().map(|spec| spec.name).enumerate();
    let taken = |at: usize, name: &str| {
        strategies[..at].iter().map(|spec| spec.name).chain(built_in()).any(|other| other == name)
    };
    names.find(|(at, name)| taken(*at, name)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// What ends each help, with the command that it is of.
    fn ends_of(command: &clap::Command, path: &str, ends: &mut Vec<(String, String)>) {
        let path = format!("{path} {}", command.get_name());
        ends.extend(command.get_after_help().map(|text| (path.clone(), text.to_string())));
        command.get_subcommands().for_each(|sub| ends_of(sub, &path, ends));
    }

    #[test]
    fn paragraphs_of_help_are_wrapped_to_the_terminal_and_nowhere_else() {
        let mut ends = Vec::new();
        ends_of(&Cli::command(), "", &mut ends);
        assert!(ends.len() > 15, "{}", ends.len());
        for (command, text) in ends {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let [line, next] = [pair[0], pair[1]];
                let prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
                // A line break of our own within a paragraph leaves a ragged end at any width but ours.
                assert!(!(prose(line) && prose(next)), "{command}: {line}\n{next}");
            }
        }
    }
}
