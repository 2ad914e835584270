//! The operator's hand, over loopback: a kill takes back what is open, whatever the venue answers, stays over a restart
//! until somebody releases it, and a watchdog does it alone when the engine's heartbeat stops.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;
#[path = "support/watched.rs"]
mod watched;
#[path = "support/webhook.rs"]
mod webhook;

use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, Instrument, InstrumentId, Price, Side};
use algo_trader::market::Top;
use algo_trader::net::Endpoint;
use algo_trader::pipeline::{StopReason, Threading};
use algo_trader::run::control::watchdog::{WatchdogOptions, watch};
use algo_trader::run::control::{ControlError, ControlPaths, ControlReply, ControlRequest, ask};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveError, LiveOptions, Summary, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::serve::Fault;
use live_orders::{Key, LiveConfig, config, dollars, options, thousandths, venue};
use operator::{PATIENCE, asked, release, run_beside, until_reply};
use order_client::Trader;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Orders that rest.
const RESTING: usize = 40;

/// Keeps forty buys far below the market.
struct Rests {
    instrument: InstrumentId,
    of: Instrument,
    next: i64,
}

impl Strategy for Rests {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        if instrument != self.instrument || !top.is_two_sided() {
            return;
        }
        let open = ctx.open_orders(self.instrument).count();
        for _ in open..RESTING.min(open + 10) {
            self.next = (self.next + 1) % 1_000;
            let price: Price = dollars(&self.of, 58_000 - self.next);
            let qty = thousandths(&self.of, 1);
            let _ = ctx.buy(self.instrument, qty).at_limit(price).send();
        }
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    Ok(Box::new(Rests { instrument, of: setup.table.get(instrument).clone(), next: 0 }))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "rests", doc: "orders that rest", params: &[], build }];

const RESTS: &str = "[[strategy]]\nname = \"rests\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

fn open_orders(alice: &Trader<'_>) -> Option<Vec<Value>> {
    let answer = alice
        .try_rest("GET", "/api/v3/openOrders", &[("symbol", "BTCUSDT")])
        .filter(|answer| answer.status == 200)?;
    answer.json().as_array().cloned()
}

/// Waits until so many orders are open; says how long that took.
fn until_open(alice: &Trader<'_>, what: &str, wanted: impl Fn(usize) -> bool) -> Duration {
    let begun = Instant::now();
    loop {
        let open = open_orders(alice).map(|orders| orders.len());
        if open.is_some_and(&wanted) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {open:?} orders are open");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn operator(scope: &str, flatten: bool) -> ControlRequest {
    let (operator, reason) = ("anna".into(), "a test".into());
    ControlRequest::Kill { scope: scope.into(), flatten, operator, reason, via: None }
}

fn until_status(paths: &ControlPaths, what: &str, good: impl Fn(&ControlReply) -> bool) -> ControlReply {
    until_reply(paths, &ControlRequest::Status, what, good)
}

/// Runs the strategy while `during` looks on.
fn run<T>(
    live: &LiveConfig,
    dir: &Path,
    journal: &str,
    during: impl FnOnce(&ControlPaths) -> T,
) -> (Summary, T) {
    run_beside(live, dir, journal, |options| options.pipeline.strategies = STRATEGIES, during)
}

fn denied(summary: &Summary, reason: DenyReason) -> u64 {
    summary.denials.iter().find(|d| d.0 == reason.label()).map_or(0, |d| d.1)
}

#[test]
fn a_kill_takes_back_what_is_open_and_stays_over_a_restart_until_it_is_released() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    let (summary, took) = run(&live, dir.path(), "first.journal", |paths| {
        let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        until_open(&alice, "at first", |n| n == RESTING);
        assert_eq!(mode(&paths.socket), 0o600, "for its owner alone");
        let mut took = Vec::new();
        for round in 0..5 {
            let scope =
                ["all", "venue binance", "strategy rests", "instrument binance:spot:BTCUSDT", "all"][round];
            asked(paths, &operator(scope, false));
            took.push(until_open(&alice, "after a kill", |n| n == 0));
            let stopped = until_status(paths, "it is stopped", |reply| !reply.stopped.is_empty()).stopped;
            assert!(stopped.iter().all(|s| s.by == "anna" && s.cause == "killed"), "{stopped:?}");
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(open_orders(&alice).map(|o| o.len()), Some(0), "nothing comes after it");
            let told = until_status(paths, "what it denies is told", |reply| {
                let last = reply.turned_away.first().and_then(|of| of.last_denied.as_ref());
                last.is_some_and(|last| last.why.starts_with("killed"))
            });
            let of = &told.turned_away[0];
            assert_eq!((of.strategy.as_str(), of.refused), ("rests", 0), "{of:?}");
            if round < 4 {
                asked(paths, &release(scope));
                until_status(paths, "it is released", |reply| reply.stopped.is_empty());
                until_open(&alice, "after the release", |n| n == RESTING);
            }
        }
        took
    });
    println!("from the command to no open order: {took:?}");
    assert!(took.iter().all(|t| *t < Duration::from_secs(5)), "{took:?}");
    assert!(denied(&summary, DenyReason::Killed) > 0, "{:?}", summary.denials);
    // The next run of that name is stopped before its first event.
    let (summary, ()) = run(&live, dir.path(), "second.journal", |paths| {
        let reply = until_status(paths, "it stays stopped", |reply| reply.events > 50);
        assert_eq!((reply.stopped[0].scope.as_str(), reply.stopped[0].by.as_str()), ("all", "anna"));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(open_orders(&alice).map(|o| o.len()), Some(0));
        let nobody = ControlRequest::Release {
            scope: "all".into(),
            operator: " ".into(),
            reason: "x".into(),
            via: None,
        };
        let refused = ask(&paths.socket, &nobody);
        assert!(
            matches!(&refused, Err(ControlError::Refused(why)) if why.contains("operator")),
            "{refused:?}"
        );
        let wrong = ask(&paths.socket, &operator("strategy nobody", false));
        assert!(matches!(&wrong, Err(ControlError::Refused(why)) if why.contains("rests")), "{wrong:?}");
        asked(paths, &release("all"));
        until_open(&alice, "after the release", |n| n == RESTING);
    });
    assert!(denied(&summary, DenyReason::Killed) > 0 && summary.execution.orders > 0);
    // Both journals replay to what was.
    for journal in ["first.journal", "second.journal"] {
        let mut reader =
            algo_trader::journal::JournalReader::open(&dir.path().join(journal)).expect("a journal");
        let mut replay = algo_trader::run::ReplayOptions::default();
        replay.pipeline.strategies = STRATEGIES;
        let again = algo_trader::run::replay_journal(&live.config, &mut reader, replay).expect("it replays");
        if journal == "second.journal" {
            assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
        }
        assert_eq!(again.execution.overfills, 0);
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).expect("there").map(|e| e.expect("readable").file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".sock")), "{left:?}");
}

#[test]
fn a_file_stops_everything_and_one_venue_error_in_ten_keeps_nothing_open() {
    let venue = venue(|_| {});
    let mut live = config(&venue, Key::Hmac, "order_entry = \"rest\"", RESTS);
    live.config.trading.engine_deadline = Duration::from_millis(400);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    let (_, took) = run(&live, dir.path(), "run.journal", |paths| {
        until_open(&alice, "at first", |n| n == RESTING);
        for _ in 0..30 {
            for (status, count) in [(200, 9), (503, 1)] {
                venue.control().inject(Fault::Rest { status, count, delay_ms: 0, retry_after_s: 0 });
            }
        }
        std::fs::write(&paths.kill, "").expect("written");
        let took = until_open(&alice, "after the file", |n| n == 0);
        let reply = until_status(paths, "it is stopped", |reply| !reply.stopped.is_empty());
        assert!(reply.stopped[0].by.ends_with(".kill"), "{reply:?}");
        // An error says nothing of whether it was done: what became of each order has to be asked for.
        let begun = Instant::now();
        // Reckoned after now, from what risk knows: what is unknown counts as open.
        let metrics = || asked(paths, &ControlRequest::Metrics).metrics.unwrap_or_default();
        let before = metrics()["number"].as_u64().unwrap_or_default();
        loop {
            let now = metrics();
            let (number, open) = (now["number"].as_u64().unwrap_or_default(), now["open_orders"].as_u64());
            if number > before + 1 && open == Some(0) {
                break (took, begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "unknown is still: {open:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    println!(
        "one answer in ten an error: from the file to no open order {:?}, to none unknown {:?}",
        took.0, took.1
    );
    assert!(took.0 < Duration::from_secs(5) && took.0 + took.1 < Duration::from_secs(15), "{took:?}");
}

#[test]
fn what_is_written_over_a_kill_file_is_another_word() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    run(&live, dir.path(), "run.journal", |paths| {
        until_open(&alice, "at first", |n| n == RESTING);
        let stopped = |what: &str, scopes: &[&str]| {
            until_status(paths, what, |reply| {
                reply.stopped.iter().map(|stopped| stopped.scope.as_str()).eq(scopes.iter().copied())
            });
        };
        // As a whole: what is read half written means everything.
        let written = |text: &str| {
            let aside = paths.kill.with_extension("aside");
            std::fs::write(&aside, text).expect("written");
            std::fs::rename(&aside, &paths.kill).expect("moved");
        };
        written("strategy rests\n");
        stopped("the strategy", &["strategy rests"]);
        asked(paths, &release("strategy rests"));
        stopped("released, though the file is there still", &[]);
        let told = asked(paths, &ControlRequest::Status).held_back();
        assert!(told.iter().any(|line| line.contains(".kill is there: it stops the next start")), "{told:?}");
        until_open(&alice, "after the release", |n| n == RESTING);
        written("instrument binance:spot:BTCUSDT\n");
        stopped("what the file says now", &["instrument binance:spot:BTCUSDT"]);
        until_open(&alice, "after the file", |n| n == 0);
    });
}

/// When the venue took each cancel of `wanted` orders that are over, by its clock, ms; those that were over before are in
/// `known`.
fn cancelled_at(alice: &Trader<'_>, known: &mut std::collections::HashSet<u64>, since_ms: u64) -> Vec<u64> {
    let params = [("symbol", "BTCUSDT"), ("limit", "1000")];
    let answer = alice.done("GET", "/api/v3/allOrders", &params);
    let orders = answer.as_array().expect("a list");
    let cancelled = orders.iter().filter(|order| order["status"] == "CANCELED");
    let at = |order: &Value| Some((order["orderId"].as_u64()?, order["updateTime"].as_u64()?));
    cancelled
        .filter_map(at)
        .filter(|(id, at)| known.insert(*id) && *at >= since_ms)
        .map(|(_, at)| at)
        .collect()
}

/// From the command to each cancel's arrival at the venue, over hundreds of kills. The venue's clock counts milliseconds, so
/// each figure is at most one too small; a whole one is added.
#[test]
fn cancels_of_a_kill_are_at_the_venue_within_milliseconds() {
    let long = std::env::var_os("ALGO_TRADER_LONG_TESTS").is_some();
    let kills = if long { 300 } else { 5 };
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    let (_, took) = run(&live, dir.path(), "run.journal", |paths| {
        let (mut took, mut known) = (Vec::new(), std::collections::HashSet::new());
        for _ in 0..kills {
            until_open(&alice, "before a kill", |n| n == RESTING);
            let begun = order_client::now_ms();
            asked(paths, &operator("all", false));
            until_open(&alice, "after a kill", |n| n == 0);
            let at = cancelled_at(&alice, &mut known, begun);
            assert_eq!(at.len(), RESTING, "each is cancelled once");
            took.extend(at.into_iter().map(|at| at + 1 - begun));
            asked(paths, &release("all"));
            until_status(paths, "it is released", |reply| reply.stopped.is_empty());
        }
        took
    });
    let mut took = took;
    took.sort_unstable();
    let at = |part: f64| took[((took.len() as f64 * part) as usize).min(took.len() - 1)];
    println!(
        "from the command to the venue, {} cancels of {kills} kills: p50 {} ms, p99 {} ms, p99.9 {} ms, max {} ms",
        took.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    // The figure itself is for a machine that has nothing else to do.
    assert!(at(0.5) < 1_000, "{took:?}");
}

fn place(alice: &Trader<'_>, side: Side, price: &str) {
    let side = if side == Side::Buy { "BUY" } else { "SELL" };
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.01"),
        ("price", price),
    ];
    alice.done("POST", "/api/v3/order", &order);
}

#[test]
fn the_watchdog_cancels_everything_when_the_heartbeat_stops_and_nothing_before() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let of_the_dog = config(&venue, Key::Ed25519, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    for n in 0..12 {
        place(&alice, Side::Buy, &(58_000 - n).to_string());
        place(&alice, Side::Sell, &(62_000 + n).to_string());
    }
    let dir = tempfile::tempdir().expect("a directory");
    let heartbeat = dir.path().join("x.heartbeat");
    std::fs::write(&heartbeat, "0 0\n").expect("written");
    let interrupt = Interrupt::default();
    let options = WatchdogOptions {
        heartbeat: heartbeat.clone(),
        // Much longer than a beat may be late on a machine that has no time.
        after: Duration::from_secs(5),
        key_file: of_the_dog.config.trading.key_file.clone(),
        once: true,
        interrupt: interrupt.clone(),
    };
    // With the engine's key it could be locked out with the engine: it does not begin.
    let shared = WatchdogOptions { key_file: live.config.trading.key_file.clone(), ..options.clone() };
    let said = watch(&live.config, &shared).expect_err("the engine's key").to_string();
    assert!(said.starts_with("the watchdog's key is the engine's own, by the file "), "{said}");
    let text = std::fs::read(shared.key_file.as_ref().expect("a file")).expect("its text");
    let copy = dir.path().join("copy.key");
    std::fs::write(&copy, text).expect("written");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let shared = WatchdogOptions { key_file: Some(copy), ..options.clone() };
    let said = watch(&live.config, &shared).expect_err("the engine's key").to_string();
    assert!(said.starts_with("the watchdog's key is the engine's own, by the API key "), "{said}");
    assert!(!said.contains("alicehmac"), "{said}");
    assert_eq!(open_orders(&alice).map(|o| o.len()), Some(24));
    let outcome = std::thread::scope(|scope| {
        let dog = scope.spawn(|| watch(&live.config, &options));
        for beat in 1..70 {
            std::fs::write(&heartbeat, format!("{beat} 0\n")).expect("written");
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(!dog.is_finished(), "it bites nobody who lives");
        assert_eq!(open_orders(&alice).map(|o| o.len()), Some(24));
        let took = until_open(&alice, "after the heartbeat stopped", |n| n == 0);
        println!("from the last beat to no open order: {took:?}");
        dog.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    });
    assert_eq!((outcome.fired, outcome.cancelled), (1, 24));
}

#[test]
fn the_watchdog_leaves_to_a_heart_that_beats_again_what_is_its_own() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let of_the_dog = config(&venue, Key::Ed25519, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    place(&alice, Side::Buy, "58000");
    let dir = tempfile::tempdir().expect("a directory");
    let heartbeat = dir.path().join("x.heartbeat");
    std::fs::write(&heartbeat, "0 0\n").expect("written");
    let options = WatchdogOptions {
        heartbeat: heartbeat.clone(),
        after: Duration::from_secs(6),
        key_file: of_the_dog.config.trading.key_file.clone(),
        once: true,
        interrupt: Interrupt::default(),
    };
    let outcome = std::thread::scope(|scope| {
        // A venue that is away when it starts says nothing of its key: it waits.
        venue.control().inject(Fault::Maintenance { ms: 1_000 });
        let dog = scope.spawn(|| watch(&live.config, &options));
        // It has looked once; when the heart stands still, nothing is answered, and then it beats.
        std::thread::sleep(Duration::from_secs(5));
        venue.control().inject(Fault::Maintenance { ms: 8_000 });
        std::thread::sleep(Duration::from_secs(5));
        std::fs::write(&heartbeat, "1 0\n").expect("written");
        dog.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    });
    assert_eq!((outcome.fired, outcome.cancelled), (1, 0));
    until_open(&alice, "when the venue answers again", |n| n == 1);
}

#[test]
fn while_the_venue_takes_no_orders_yet_a_run_can_be_asked_stopped_and_ended() {
    let venue = venue(|_| {});
    let mut live = config(&venue, Key::Hmac, "", RESTS);
    // Nobody is there: the first session never opens.
    live.config.venue.ws_api = Endpoint::parse("wss://127.0.0.1:1/ws-api/v3", "wss").expect("an address");
    let dir = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let (summary, answered) = run(&live, dir.path(), "run.journal", |paths| {
        let reply = asked(paths, &ControlRequest::Status);
        let answered = begun.elapsed();
        assert_eq!(reply.orders_taken, Some(false), "{reply:?}");
        assert!(reply.held_back().iter().any(|line| line.starts_with("NO ORDERS")), "{reply:?}");
        asked(paths, &operator("all", false));
        let reply = until_status(paths, "it is stopped", |reply| !reply.stopped.is_empty());
        assert!(reply.seen_ms_ago < 2_000, "its heart beats: {reply:?}");
        answered
    });
    assert!(answered < Duration::from_secs(8), "it answered before it gave up waiting: {answered:?}");
    assert_eq!(summary.execution.orders, 0);
}

#[test]
fn what_the_end_leaves_open_is_named_and_told_and_a_watchdog_cancels_it() {
    let venue = venue(|_| {});
    let mut live = config(&venue, Key::Hmac, "", RESTS);
    live.config.trading.exit_timeout = Duration::from_secs(4);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    let heartbeat = ControlPaths::new(dir.path(), &live.config.run.name).heartbeat;
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    // The longest that the heartbeat stood still, from its first beat to its last.
    let over = Arc::new(AtomicBool::new(false));
    let (file, is_over) = (heartbeat.clone(), Arc::clone(&over));
    let watched = std::thread::spawn(move || {
        let (mut last, mut at, mut longest) = (None, Instant::now(), Duration::ZERO);
        while !is_over.load(Ordering::Acquire) {
            let now = std::fs::read(&file).ok();
            if now.is_some() && now != last {
                longest = longest.max(if last.is_some() { at.elapsed() } else { Duration::ZERO });
                (last, at) = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        longest.max(at.elapsed())
    });
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.alerts = Some(watched::alerts(port, ca.path()));
    };
    let (summary, ()) = run_beside(&live, dir.path(), "run.journal", change, |paths| {
        until_open(&alice, "at first", |n| n == RESTING);
        let mut long = std::os::unix::net::UnixStream::connect(&paths.socket).expect("it listens");
        let _ = std::io::Write::write_all(&mut long, &[b'x'; 5_000]);
        let mut answer = String::new();
        let _ = std::io::Read::read_to_string(&mut long, &mut answer);
        assert!(answer.contains("longer than"), "{answer}");
        // From here on the venue answers nothing in time.
        venue.control().inject(Fault::Maintenance { ms: 20_000 });
    });
    over.store(true, Ordering::Release);
    let sent = summary.orders.expect("orders were sent");
    assert!(sent.open_at_end > 0, "{sent:?}");
    assert_eq!(sent.left.len(), sent.open_at_end, "{sent:?}");
    assert!(sent.left[0].contains(" ("), "its number, and its name at the venue: {:?}", sent.left);
    let longest = watched.join().expect("it ends with the run");
    assert!(longest < Duration::from_secs(2), "a watchdog would have taken the end for a hang: {longest:?}");
    let came = came.lock().expect("no panic").clone();
    let told: Vec<_> = came.iter().filter(|(_, body)| body["kind"] == "left-open").collect();
    assert_eq!(told.len(), 1, "{came:?}");
    let text = told[0].1["text"].as_str().unwrap_or_default();
    assert!(text.contains(&format!("{} orders are left open at the venue: ", sent.open_at_end)), "{text}");

    // Nobody looks after them: the last heartbeat stays, and a watchdog cancels them once the venue is back.
    assert!(heartbeat.exists());
    let of_the_dog = config(&venue, Key::Ed25519, "", RESTS);
    let options = WatchdogOptions {
        heartbeat: heartbeat.clone(),
        after: Duration::from_secs(1),
        key_file: of_the_dog.config.trading.key_file.clone(),
        once: true,
        interrupt: Interrupt::default(),
    };
    let outcome = watch(&live.config, &options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((outcome.fired, outcome.cancelled > 0), (1, true), "{outcome:?}");
    assert_eq!(open_orders(&alice).map(|orders| orders.len()), Some(0));

    // A run of the same name begins all the same, and one that ends in order takes its heartbeat with it.
    let (summary, ()) = run(&live, dir.path(), "next.journal", |_| {
        until_open(&alice, "of the next", |n| n == RESTING);
    });
    assert_eq!(summary.orders.map(|sent| sent.open_at_end), Some(0));
    assert!(!heartbeat.exists());
}

#[test]
fn a_defect_in_the_feed_ends_the_run_by_name_and_leaves_nothing_open() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let mut options = options(&journal, &Interrupt::default(), Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    let rest = Arc::new(AtomicBool::new(false));
    let they_rest = Arc::clone(&rest);
    // What is called on the feed's own thread stands for a defect there.
    options.progress =
        Some(Box::new(move |_| assert!(!they_rest.load(Ordering::Acquire), "as the test wants it")));
    let ended = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        until_open(&alice, "at first", |n| n == RESTING);
        rest.store(true, Ordering::Release);
        running.join().expect("no panic comes out")
    });
    let Err(LiveError::Stopped { reason, summary }) = ended else { panic!("{ended:?}") };
    assert!(
        matches!(&reason, StopReason::StagePanicked { stage: "feed", message, .. } if message.contains("wants it")),
        "{reason:?}"
    );
    assert_eq!(summary.orders.map(|sent| sent.open_at_end), Some(0), "they are taken back");
    assert_eq!(open_orders(&alice).map(|orders| orders.len()), Some(0));
}
