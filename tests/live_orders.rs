//! Orders through the whole pipeline and back, over TLS: what a run books is what the venue's account says, to the last
//! digit, and its journal replays to the same order stream.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::event::Event;
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{Market, Slot, decimal};
use algo_trader::journal::JournalReader;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveError, LiveOptions, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::venue::local::serve::Running;
use live_orders::{Key, LiveConfig, SCRIPTED, STRATEGIES, config, venue};
use order_client::Trader;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Units of 10^-8.
fn units(value: &Value) -> i64 {
    decimal::parse(value.as_str().expect("a decimal").as_bytes(), 8).expect("at most 8 decimals")
}

fn balance(trader: &Trader<'_>, asset: &str) -> i64 {
    let account = trader.done("GET", "/api/v3/account", &[]);
    let rows = account["balances"].as_array().expect("balances").clone();
    let row = rows.iter().find(|row| row["asset"] == asset).expect("the asset");
    units(&row["free"]) + units(&row["locked"])
}

/// A ladder of bob's orders on both sides of 60,000.
fn ladder(bob: &Trader<'_>) {
    for level in 1..=30 {
        for (side, price) in [("SELL", 60_000 + 10 * level), ("BUY", 60_000 - 10 * level)] {
            let price = price.to_string();
            let order = [
                ("symbol", "BTCUSDT"),
                ("side", side),
                ("type", "LIMIT"),
                ("timeInForce", "GTC"),
                ("quantity", "0.01"),
                ("price", price.as_str()),
            ];
            bob.done("POST", "/api/v3/order", &order);
        }
    }
}

/// Trades with alice's orders at 60,000, a part at a time, until told to stop.
fn nibble(alice: &Trader<'_>, bob: &Trader<'_>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let open = alice.try_rest("GET", "/api/v3/openOrders", &[("symbol", "BTCUSDT")]);
        let open = open.map(|answer| answer.json()).unwrap_or_default();
        for order in open.as_array().into_iter().flatten() {
            if units(&order["price"]) != 60_000 * 100_000_000 {
                continue;
            }
            let side = if order["side"] == "BUY" { "SELL" } else { "BUY" };
            let opposite = [
                ("symbol", "BTCUSDT"),
                ("side", side),
                ("type", "LIMIT"),
                ("timeInForce", "IOC"),
                ("quantity", "0.01"),
                ("price", "60000"),
            ];
            // Two at once: the second meets the cancel that the first brings about.
            bob.try_rest("POST", "/api/v3/order", &opposite);
            bob.try_rest("POST", "/api/v3/order", &opposite);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn options(journal: &Path, interrupt: &Interrupt, threading: Threading) -> LiveOptions {
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.to_owned());
    options.pipeline.wait = Some(Wait::Backoff);
    options.pipeline.threading = Some(threading);
    options.pipeline.strategies = STRATEGIES;
    options
}

struct Ran {
    summary: Summary,
    journal: PathBuf,
    _dir: tempfile::TempDir,
}

/// Runs the scripted strategy until it has nothing left to do.
fn run(venue: &Running, live: &LiveConfig, threading: Threading) -> Ran {
    let (alice, bob) = (Trader::new(venue, "alicehmac"), Trader::new(venue, "bobhmac"));
    ladder(&bob);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let (interrupt, over) = (Interrupt::default(), Arc::new(AtomicBool::new(false)));
    let summary = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options(&journal, &interrupt, threading)));
        scope.spawn(|| nibble(&alice, &bob, &over));
        let end = Instant::now() + Duration::from_secs(60);
        let done = loop {
            let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
            let is_final = |o: &&Value| o["status"] != "NEW" && o["status"] != "PARTIALLY_FILLED";
            // Of the twenty orders, two cannot rest and are refused: the venue keeps nothing of these.
            if all.as_array().expect("orders").iter().filter(is_final).count() == 18 {
                break true;
            }
            if running.is_finished() || Instant::now() > end {
                break false;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        // What the venue said last is on its way.
        std::thread::sleep(Duration::from_millis(200));
        over.store(true, Ordering::Relaxed);
        interrupt.raise();
        let result = running.join().expect("no panic");
        let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
        let told = result.as_ref().map(Summary::to_json).map_err(ToString::to_string);
        assert!(done, "orders are missing: {told:#?}\n{all:#}");
        result.unwrap_or_else(|error| panic!("{error}"))
    });
    Ran { summary, journal, _dir: dir }
}

/// Fills in the journal: trade id and signed quantity.
fn fills(journal: &Path) -> Vec<(u64, i64)> {
    let mut journal = JournalReader::open(journal).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    let fill = |slot: Slot| match slot.event() {
        Event::Report(r) if r.kind == ReportKind::Fill => Some((r.trade_id, r.side.signed(r.qty).0)),
        _ => None,
    };
    slots.filter_map(fill).collect()
}

fn every_type_and_side(key: Key, trading: &str, threading: Threading) {
    let venue = venue(|_| {});
    let live = config(&venue, key, trading, SCRIPTED);
    let alice = Trader::new(&venue, "alicehmac");
    let before = (balance(&alice, "BTC"), balance(&alice, "USDT"));
    let ran = run(&venue, &live, threading);
    let s = &ran.summary;
    let sent = s.orders.as_ref().expect("orders were sent");
    let told = format!("{:#}", s.to_json());

    // Every trade of the account is booked, once.
    let trades = alice.done("GET", "/api/v3/myTrades", &[("symbol", "BTCUSDT"), ("limit", "1000")]);
    let trades = trades.as_array().expect("trades");
    let mut theirs: Vec<u64> = trades.iter().map(|t| t["id"].as_u64().expect("an id")).collect();
    let booked = fills(&ran.journal);
    let mut ours: Vec<u64> = booked.iter().map(|(id, _)| *id).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs, "{told}");
    assert!(ours.len() >= 20, "few trades: {}", ours.len());

    // Position and money are the account's, to the last digit.
    let position = s.strategies[0].position;
    assert_eq!(booked.iter().map(|(_, qty)| qty).sum::<i64>(), position.qty.0);
    let (mut base, mut quote, mut fees) = (0, 0, [0i64; 2]);
    for trade in trades {
        let sign = if trade["isBuyer"] == true { 1 } else { -1 };
        base += sign * units(&trade["qty"]);
        quote -= sign * units(&trade["quoteQty"]);
        fees[usize::from(trade["commissionAsset"] == "USDT")] += units(&trade["commission"]);
    }
    let decimals = u32::from(s.strategies[0].instrument.qty_decimals);
    assert_eq!(position.qty.0 * 10i64.pow(8 - decimals), base, "{told}");
    assert_eq!(balance(&alice, "BTC") - before.0, base - fees[0], "{told}");
    assert_eq!(balance(&alice, "USDT") - before.1, quote - fees[1], "{told}");

    // Nothing is open, nothing was refused for its rate, nothing was unknown.
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]), serde_json::json!([]));
    assert_eq!((sent.open_at_end, sent.refusals, s.live_orders), (0, 0, 0), "{told}");
    assert_eq!((s.execution.overfills, s.execution.unknown_reports), (0, 0), "{told}");
    assert_eq!((s.execution.orders, s.execution.rejected), (20, 2), "{told}");
    assert!(sent.count("Difference") == 0 && sent.halts == 0, "{told}");

    // What was run can be run again.
    let mut config = live.config.clone();
    config.journal.path = None;
    let mut journal = JournalReader::open(&ran.journal).expect("a journal");
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let again = replay_journal(&config, &mut journal, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, s.order_stream_sha256);
    assert_eq!(again.strategies[0].position, position);

    let total = s.latencies.iter().find(|l| l.name == "order-total").expect("measured");
    if key == Key::Ed25519 || !trading.contains("rest") {
        assert!(total.histogram.len() >= 20, "{told}");
        for l in s.latencies.iter().filter(|l| l.name.starts_with("order-")) {
            let h = &l.histogram;
            println!(
                "{key:?} {:<13} n {:>3}  p50 {:>9} ns  p99 {:>9} ns  p99.9 {:>9} ns",
                l.name,
                h.len(),
                h.value_at_quantile(0.5),
                h.value_at_quantile(0.99),
                h.value_at_quantile(0.999)
            );
        }
    }
}

#[test]
fn every_order_type_and_side_is_booked_as_the_account_says_on_a_session_that_is_logged_on() {
    every_type_and_side(Key::Ed25519, "", Threading::Inline);
}

#[test]
fn every_order_type_and_side_is_booked_as_the_account_says_with_each_order_signed() {
    every_type_and_side(Key::Hmac, "", Threading::Shared);
}

#[test]
fn every_order_type_and_side_is_booked_as_the_account_says_by_rest() {
    every_type_and_side(Key::Hmac, "order_entry = \"rest\"", Threading::Inline);
}

/// What a run that may not begin says.
fn refused(key: Key, trading: &str) -> String {
    let venue = venue(|_| {});
    let live = config(&venue, key, trading, SCRIPTED);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let error = run_live(&live.config, options(&journal, &Interrupt::default(), Threading::Inline));
    let error = match error.expect_err("it may not begin") {
        error @ (LiveError::Orders(_) | LiveError::Nothing(_)) => error.to_string(),
        other => panic!("{other}"),
    };
    assert!(!journal.exists(), "a journal of a run that never was");
    assert!(!error.contains("secretof"), "{error}");
    let stats = venue.stats();
    assert_eq!(stats.connections, stats.connections.min(8), "no session was opened");
    error
}

#[test]
fn a_key_that_may_withdraw_or_not_trade_or_is_unknown_never_trades() {
    let said = refused(Key::MayWithdraw, "");
    assert!(said.contains("may withdraw"), "{said}");
    let said = refused(Key::ReadsOnly, "");
    assert!(said.contains("may not trade"), "{said}");
    let said = refused(Key::Wrong, "");
    assert!(said.contains("-2015"), "{said}");
}

#[test]
fn live_orders_need_a_journal() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", SCRIPTED);
    let error = run_live(&live.config, LiveOptions::default()).expect_err("no journal");
    assert!(error.to_string().contains("need a journal"), "{error}");
    assert!(venue.endpoint(Market::Spot).is_some());
}
