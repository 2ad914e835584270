//! `algo-trader ctl`: shows, stops, releases, pauses and asks a running process, and watches over one.

use super::Outcome;
use super::dashboard::{self, Watched};
use super::logging::start_log;
use super::replay::load;
use crate::run::Config;
use crate::run::config::ControlPlace;
use crate::run::control::watchdog::{WatchdogError, WatchdogOptions, watch};
use crate::run::control::{
    ControlError, ControlPaths, ControlReply, ControlRequest, ScopeNames, TurnedAwayReply, ask,
};
use crate::run::interrupt::Interrupt;
use crate::run::users;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(
    after_help = "What is stopped stays stopped over restarts, until it is released. A kill takes back what is open, and ends \
what is held here until its price comes. What only reduces a position and waits for its price (stops and take-profits, and \
what is in one list with them) stays, at the venue too, and leaves when it comes; where --flatten closes positions, what of \
it is at the venue is taken back as well, and a run that goes on with this one's journal closes what is left, unless it was \
released; where the account is not what that journal leaves, it says so and closes nothing of it before it is resumed. Beside it nothing goes out but market orders that reduce a position. \
A pause of one instrument is milder: its new orders are denied, \
its open ones stay, and cancels and what only reduces a position pass; it, too, stays until it is resumed. Without this command: the signal SIGUSR1 stops everything, and \
so does a file NAME.kill beside the socket, which may name what to stop, one a line. Both reach a run too that still waits to \
begin, as for the end of a ban, and has no socket yet: it comes up stopped.

Of the configuration only [run] name, [control] dir and [journal] path are needed (by the dashboard and the watchdog all of \
it); mistakes elsewhere are told, and keep from nothing. Without it, a file of two lines does, [run] and name = \"NAME\", and \
--dir: NAME is that of the NAME.sock there.

Examples:
  algo-trader ctl --config config/binance-live.toml --dir . status
  algo-trader ctl --config my.toml status --metrics
  algo-trader ctl --config my.toml dashboard              # the same on a screen, every second; k kills, q quits
  algo-trader ctl --config my.toml kill all --operator anna --reason \"prices look wrong\"
  algo-trader ctl --config my.toml kill strategy ma-cross --flatten --operator anna --reason \"losing\"
  algo-trader ctl --config my.toml release all --operator anna --reason \"checked with the venue\"
  algo-trader ctl --config my.toml pause binance:spot:BTCUSDT --operator anna --reason \"news at 14:00\"
  algo-trader ctl --config my.toml resume binance:spot:BTCUSDT --operator anna --reason \"over\" --json
  algo-trader ctl --config my.toml watchdog --after-ms 3000 --key-file watchdog.key"
)]
pub struct Args {
    /// The configuration of the run: its name, and [control] dir
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the socket is; without it, [control] dir, or beside [journal] path
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Stops all, venue NAME, strategy LABEL or instrument NAME, and takes back what is open, but stops and take-profits that
    /// only reduce a position, and limit orders beside such a stop
    Kill {
        /// What: all, venue NAME, strategy LABEL or instrument VENUE:MARKET:SYMBOL
        #[arg(required = true, num_args = 1..=2)]
        scope: Vec<String>,
        /// Close open positions at the market too, and take back the stops and take-profits that are at the venue
        #[arg(long)]
        flatten: bool,
        #[command(flatten)]
        who: Who,
    },
    /// Lets trade again what was stopped, by a person or by a loss
    Release {
        /// What, as of kill; all is everything that is stopped
        #[arg(required = true, num_args = 1..=2)]
        scope: Vec<String>,
        #[command(flatten)]
        who: Who,
    },
    /// Takes no new orders of one instrument; open ones stay, cancels and what only reduces a position pass
    Pause {
        /// Which: VENUE:MARKET:SYMBOL
        #[arg(value_name = "INSTRUMENT")]
        instrument: String,
        #[command(flatten)]
        who: Who,
    },
    /// Lets go of an instrument that an operator paused; who else holds it back (the venue, a difference) still does
    Resume {
        /// Which, as of pause
        #[arg(value_name = "INSTRUMENT")]
        instrument: String,
        #[command(flatten)]
        who: Who,
    },
    /// Tells what is stopped and paused, whether the engine lives, what of its market data is down, out of step or silent, and
    /// whose orders were denied or refused, and why the last of them
    Status {
        /// Print JSON, the risk metrics among it
        #[arg(long)]
        json: bool,
        /// Print the risk metrics too: what is held, what it could lose, how far each limit is
        #[arg(long)]
        metrics: bool,
    },
    /// Shows the process on a screen, every second: what it holds, earns and risks, how near each limit is, what is stopped
    #[command(
        after_help = "Keys: q ends it. k kills, r releases: each asks what (all, a venue, a strategy, an instrument) and why, and does \
nothing until that is confirmed. What is done so is recorded as what `ctl kill` and `ctl release` do, with your name and \
that it came from the dashboard. NO_COLOR=1 takes the colours away. Where it does not write to a terminal it prints the \
view once, and ends.

Examples:
  algo-trader ctl --config my.toml dashboard
  algo-trader ctl --config my.toml dashboard --operator anna
  algo-trader ctl --config my.toml dashboard --once | mail -s risk desk@example.com"
    )]
    Dashboard {
        /// Your name, for what you stop and release; without it, that of your user
        #[arg(long, value_name = "NAME")]
        operator: Option<String>,
        /// Print the view once, and end
        #[arg(long)]
        once: bool,
    },
    /// Cancels everything when the engine's heartbeat stops; a process of its own, with a key of its own
    Watchdog {
        /// Milliseconds that the heartbeat may stand still
        #[arg(long, value_name = "N", default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(1_000..=600_000))]
        after_ms: u64,
        /// The file with the watchdog's key, which must not be the engine's; without it, ALGO_TRADER_WATCHDOG_KEY and
        /// ALGO_TRADER_WATCHDOG_SECRET
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// End after everything was cancelled once
        #[arg(long)]
        once: bool,
    },
}

#[derive(clap::Args)]
struct Who {
    /// Your name
    #[arg(long)]
    operator: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Print how it stands then as JSON
    #[arg(long)]
    json: bool,
}

/// How long a command is waited for.
const WITHIN: Duration = Duration::from_secs(5);

pub fn run(args: Args) -> Outcome {
    let ControlPlace { run, dir } = match place(&args.config, &args.what) {
        Ok(place) => place,
        Err(outcome) => return outcome,
    };
    let Some(dir) = args.dir.or(dir) else {
        eprintln!(
            "{} has neither [control] dir nor [journal] path: say where the socket is with --dir",
            args.config.display()
        );
        return Outcome::BadUsage;
    };
    let paths = ControlPaths::new(&dir, &run);
    match args.what {
        What::Kill { scope, flatten, who } => {
            let scope = scope.join(" ");
            let request = ControlRequest::Kill {
                scope: scope.clone(),
                flatten,
                operator: who.operator,
                reason: who.reason,
                via: None,
            };
            let is_done = |reply: &ControlReply| reply.stopped.iter().any(|s| covers(&scope, &s.scope));
            let outcome = command(&paths.socket, &request, who.json, is_done);
            if !paths.socket.exists() {
                eprintln!(
                    "a run that still waits to begin, as for the end of a ban, has no socket yet: `touch {}`, or `kill -USR1` \
                     and its process, and it comes up stopped",
                    paths.kill.display()
                );
            }
            outcome
        }
        What::Release { scope, who } => {
            let scope = scope.join(" ");
            let nothing = ask(&paths.socket, &ControlRequest::Status)
                .is_ok_and(|reply| !reply.stopped.iter().any(|s| scope == "all" || covers(&scope, &s.scope)));
            if nothing {
                // It is asked for all the same: whoever stops it this moment is answered.
                eprintln!(
                    "nothing is stopped as {scope:?}: a release is of what was stopped, by its own name, or of all"
                );
            }
            let request = ControlRequest::Release {
                scope: scope.clone(),
                operator: who.operator,
                reason: who.reason,
                via: None,
            };
            let released = command(&paths.socket, &request, who.json, |reply| {
                !reply.stopped.iter().any(|s| scope == "all" || covers(&scope, &s.scope))
            });
            if nothing { Outcome::Failed } else { released }
        }
        What::Pause { instrument, who } => {
            let Who { operator, reason, json } = who;
            let request = ControlRequest::Pause { instrument: instrument.clone(), operator, reason };
            let is_done = |reply: &ControlReply| reply.paused.iter().any(|p| p.scope == instrument.trim());
            command(&paths.socket, &request, json, is_done)
        }
        What::Resume { instrument, who } => {
            let Who { operator, reason, json } = who;
            let request = ControlRequest::Resume { instrument: instrument.clone(), operator, reason };
            let is_done = |reply: &ControlReply| reply.paused.iter().all(|p| p.scope != instrument.trim());
            command(&paths.socket, &request, json, is_done)
        }
        What::Status { json, metrics } => {
            let request = if json || metrics { ControlRequest::Metrics } else { ControlRequest::Status };
            match ask(&paths.socket, &request) {
                Ok(reply) => {
                    show(&reply, json);
                    if metrics && !json {
                        show_metrics(reply.metrics.as_ref());
                    }
                    Outcome::Done
                }
                Err(error) => tell(&error),
            }
        }
        What::Dashboard { operator, once } => {
            let config = match load(Some(&args.config)) {
                Ok(config) => config,
                Err(outcome) => return outcome,
            };
            let (names, socket) = (ScopeNames::new(&config), paths.socket);
            let operator = operator.unwrap_or_else(users::own);
            dashboard::run(&Watched { socket, names, operator }, once)
        }
        What::Watchdog { after_ms, key_file, once } => {
            let config = match load(Some(&args.config)) {
                Ok(config) => config,
                Err(outcome) => return outcome,
            };
            watchdog(&config, &paths, Duration::from_millis(after_ms), key_file, once)
        }
    }
}

/// Which run is meant. Of a configuration with mistakes nothing else is needed where a running process is only told or asked
/// something: who has to stop one mends no file first.
fn place(config: &Path, what: &What) -> Result<ControlPlace, Outcome> {
    let error = match Config::load(config) {
        Ok(config) => return Ok(ControlPlace::of(&config)),
        Err(error) => error,
    };
    let needs_all = matches!(what, What::Dashboard { .. } | What::Watchdog { .. });
    match ControlPlace::of_any(config) {
        Ok(place) if !needs_all => {
            eprintln!(
                "{error}\nwarning: no run could begin with this configuration; the one named {} is asked",
                place.run
            );
            Ok(place)
        }
        _ => {
            eprintln!("{error}");
            Err(Outcome::BadUsage)
        }
    }
}

/// Whether what was asked for is, or contains, what is stopped.
fn covers(asked: &str, stopped: &str) -> bool {
    asked == stopped || stopped.strip_prefix(asked).is_some_and(|rest| rest.starts_with(':'))
}

/// Asks, and waits until it is so.
fn command(
    socket: &Path,
    request: &ControlRequest,
    json: bool,
    done: impl Fn(&ControlReply) -> bool,
) -> Outcome {
    if let Err(error) = ask(socket, request) {
        return tell(&error);
    }
    let begun = Instant::now();
    loop {
        match ask(socket, &ControlRequest::Status) {
            Ok(reply) if done(&reply) => {
                show(&reply, json);
                // It is in force, and would not be after a restart: not all of what was asked for.
                return if reply.unsaved.is_some() { Outcome::Failed } else { Outcome::Done };
            }
            Ok(_) if begun.elapsed() < WITHIN => std::thread::sleep(Duration::from_millis(5)),
            Ok(reply) => {
                eprintln!(
                    "the command was taken and is not in force after {WITHIN:?}: the engine was seen {} ms ago; if it \
                     hangs, kill the process",
                    reply.seen_ms_ago
                );
                return Outcome::Failed;
            }
            Err(error) => return tell(&error),
        }
    }
}

fn show(reply: &ControlReply, json: bool) {
    if json {
        println!("{}", serde_json::to_string_pretty(reply).unwrap_or_default());
        return;
    }
    println!(
        "{} (process {}): {} events, seen {} ms ago",
        reply.run, reply.pid, reply.events, reply.seen_ms_ago
    );
    for line in reply.market_data_lines(usize::MAX) {
        println!("{line}");
    }
    if let Some(store) = &reply.store {
        println!("{}", store.line());
    }
    if reply.stopped.is_empty() {
        println!("nothing is stopped");
    }
    for s in &reply.stopped {
        println!("STOPPED {}: {}, by {} ({}) since {}", s.scope, s.cause, s.by, s.reason, s.since);
    }
    for p in &reply.paused {
        println!("PAUSED {}: by {} ({}) since {}", p.scope, p.by, p.reason, p.since);
    }
    for line in reply.held_back() {
        println!("{line}");
    }
    for line in reply.turned_away.iter().flat_map(TurnedAwayReply::lines) {
        println!("{line}");
    }
}

/// Why what could be lost is not known. Silence is no calm.
pub(super) fn not_known(metrics: &Value) -> &'static str {
    match metrics["periods"].as_u64() {
        Some(periods) if periods > 1 => "not known, for a market that something is held in is silent",
        _ => "not known yet",
    }
}

/// The metrics as the process tells them.
fn show_metrics(metrics: Option<&Value>) {
    let Some(m) = metrics else {
        println!("no risk metrics yet");
        return;
    };
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let seconds = number(&m["age_ms"]) / 1_000.0;
    println!(
        "risk of {} instruments, reckoned {seconds:.1} s ago in {} us, amounts in quote",
        m["instruments"], m["took_us"]
    );
    println!(
        "  equity {:.2}, day {:+.2}, drawdown {:.2} ({:.2} %)",
        number(&m["equity"]),
        number(&m["day_profit"]),
        number(&m["drawdown"]),
        number(&m["drawdown_percent"])
    );
    let leverage = m["leverage"].as_f64().map_or_else(|| "-".to_owned(), |leverage| format!("{leverage:.2}"));
    println!("  gross {:.2}, net {:+.2}, leverage {leverage}", number(&m["gross"]), number(&m["net"]));
    for at in m["losses"].as_array().into_iter().flatten() {
        println!(
            "  {:.0} %, over {} s: at risk {:.2} (normal {:.2}), shortfall {:.2} (normal {:.2})",
            number(&at["confidence"]),
            m["period_seconds"],
            number(&at["historical"]["value_at_risk"]),
            number(&at["parametric"]["value_at_risk"]),
            number(&at["historical"]["expected_shortfall"]),
            number(&at["parametric"]["expected_shortfall"])
        );
    }
    if m["losses"].as_array().is_none_or(Vec::is_empty) {
        println!("  at risk over {} s: {}", m["period_seconds"], not_known(m));
    }
    let volatility =
        m["volatility"].as_f64().map_or_else(|| not_known(m).to_owned(), |of| format!("{of:.2}"));
    println!(
        "  volatility {volatility}, largest part {:.0} %, concentration {:.2}, {} orders in the last minute",
        100.0 * number(&m["largest_part"]),
        number(&m["herfindahl"]),
        m["rates"]["orders_per_min"]
    );
    for limit in m["limits"].as_array().into_iter().flatten() {
        // JSON has no infinity: a leverage without equity, or what has to stay of nothing, comes as null.
        println!(
            "  {:>6.1} % left of {}: {:.2} of {:.2}",
            limit["left_percent"].as_f64().unwrap_or(f64::NEG_INFINITY),
            limit["name"].as_str().unwrap_or_default(),
            limit["used"].as_f64().unwrap_or(f64::INFINITY),
            number(&limit["limit"])
        );
    }
    println!("   100.0 % left of {} more limits", m["limits_unused"]);
}

pub(super) fn tell(error: &ControlError) -> Outcome {
    eprintln!("{error}");
    match error {
        ControlError::Refused(_) => Outcome::BadUsage,
        _ => Outcome::Failed,
    }
}

fn watchdog(
    config: &Config,
    paths: &ControlPaths,
    after: Duration,
    key_file: Option<PathBuf>,
    once: bool,
) -> Outcome {
    start_log(config, "ctl watchdog");
    let interrupt = Interrupt::install().unwrap_or_default();
    let options = WatchdogOptions { heartbeat: paths.heartbeat.clone(), after, key_file, once, interrupt };
    println!(
        "watching {}; everything is cancelled when it stands still for {after:?}",
        paths.heartbeat.display()
    );
    match watch(config, &options) {
        Ok(outcome) => {
            println!(
                "the heartbeat stopped {} times; {} orders were cancelled",
                outcome.fired, outcome.cancelled
            );
            Outcome::Done
        }
        Err(error @ (WatchdogError::Keys(_) | WatchdogError::Shared(_) | WatchdogError::Tls(_))) => {
            eprintln!("{error}");
            Outcome::BadUsage
        }
        Err(error) => {
            eprintln!("{error}");
            Outcome::Failed
        }
    }
}
