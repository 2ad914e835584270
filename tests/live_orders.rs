//! Orders through the whole pipeline and back, over TLS: what a run books is what the venue's account says, to the last
//! digit, and its journal replays to the same order stream.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::audit::{ExportFormat, Scribe, Scribed, export};
use algo_trader::domain::event::Kind;
use algo_trader::domain::{Instrument, InstrumentId, Market};
use algo_trader::journal::{JournalReader, recover};
use algo_trader::pipeline::Threading;
use algo_trader::run::control::{ControlPaths, ControlRequest, ask};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::pnl::pnl_report;
use algo_trader::run::why::why;
use algo_trader::run::{LiveError, LiveOptions, run_live};
use algo_trader::venue::local::serve::Running;
use live_orders::{
    Key, LISTS, PERSISTENT, Ran, SCRIPTED, STEPS, STEPS_TAKEN, STRATEGIES, Start, assert_booked, commissions,
    config, config_of, final_orders, options, run, run_asked, spot_instruments, take_fees_in_eth, units,
    venue,
};
use order_client::Trader;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

fn every_type_and_side(key: Key, trading: &str, threading: Threading) {
    let venue = venue(|_| {});
    let live = config(&venue, key, trading, SCRIPTED);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let ran = run(&venue, &live, threading, || final_orders(&alice) == STEPS_TAKEN);
    let told = assert_booked(&alice, &live, &ran, &start);
    let s = &ran.summary;
    let sent = s.orders.as_ref().expect("orders were sent");
    assert!(s.strategies[0].position.fills >= 20, "few trades: {told}");
    let refused = (STEPS - STEPS_TAKEN) as u64;
    assert_eq!((s.execution.orders, s.execution.rejected), (STEPS as u64, refused), "{told}");
    assert_eq!(sent.refusals, 0, "{told}");
    let lists = alice.done("GET", "/api/v3/allOrderList", &[]);
    let lists = lists.as_array().expect("lists");
    assert_eq!(lists.len(), LISTS, "each pair was one list at the venue: {lists:?}");
    assert!(lists.iter().all(|list| list["listOrderStatus"] == "ALL_DONE"), "{lists:?}");
    assert_refusals_told(&ran.journal, STEPS - STEPS_TAKEN);

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

/// That the trail, what is exported of it, and `audit why` tell what the venue said of the orders that it refused.
fn assert_refusals_told(journal: &Path, count: usize) {
    let said = "-2010 NEW_ORDER_REJECTED: a post-only order would have traded at once";
    let path = journal.with_extension("audit");
    let mut scribe = Scribe::open(journal, &path, &[]).expect("a journal").expect("with a header");
    while scribe.read().expect("it reads") == Scribed::More {}
    drop(scribe);
    let trail = std::fs::read(&path).expect("a trail");
    let lines = trail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_slice::<Value>(&line[65..]).expect("a record"));
    let rejected: Vec<Value> = records.filter(|record| record["reply"] == "rejected").collect();
    assert_eq!(rejected.len(), count, "{rejected:#?}");
    assert!(rejected.iter().all(|record| record["refusal"] == said), "{rejected:#?}");
    let mut csv = Vec::new();
    export(trail.as_slice(), None, None, ExportFormat::Csv, &mut csv).expect("exported");
    assert_eq!(String::from_utf8_lossy(&csv).matches(&format!("refusal={said}")).count(), count);
    let order = rejected[0]["order"].to_string();
    let told = why(journal, &order, STRATEGIES).unwrap_or_else(|error| panic!("{error}"));
    let afterwards: Vec<&str> = told.afterwards.iter().map(|told| told.text.as_str()).collect();
    assert!(afterwards.contains(&format!("rejected: {said}").as_str()), "{afterwards:?}");
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

#[test]
fn an_instrument_that_the_venue_does_not_list_keeps_no_other_from_trading() {
    let venue = venue(|_| {});
    let mut instruments = spot_instruments();
    let (symbol, base) = ("NOPEUSDT".to_owned(), "NOPE".to_owned());
    let id = InstrumentId(u16::try_from(instruments.len()).expect("few"));
    instruments.push(Instrument { id, symbol, base, ..instruments[1].clone() });
    let live = config_of(&venue, instruments, Key::Ed25519, "reconcile_seconds = 1", SCRIPTED);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let ran = run(&venue, &live, Threading::Shared, || final_orders(&alice) == STEPS_TAKEN);
    assert_booked(&alice, &live, &ran, &start);
}

#[test]
fn a_commission_in_a_third_asset_is_booked_as_the_account_says_and_among_the_fees_at_its_worth() {
    let venue = venue(|_| {});
    take_fees_in_eth(&venue);
    let live = config(&venue, Key::Ed25519, "reconcile_seconds = 1", SCRIPTED);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let ran = run(&venue, &live, Threading::Shared, || final_orders(&alice) == STEPS_TAKEN);
    let told = assert_booked(&alice, &live, &ran, &start);
    let taken = commissions(&ran.journal);
    assert!(taken.len() >= 20, "{told}");
    let position = ran.summary.strategies[0].position;
    assert_eq!((position.fees_in_base.0, position.fees > 0), (0, true), "{told}");
}

/// Runs with commissions in ETH, which stands by and so has no price until it is added.
fn with_a_late_price(adds: bool) -> (Ran, Vec<(i64, i64)>, String) {
    let venue = venue(|_| {});
    take_fees_in_eth(&venue);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pairs = dir.path().join("pairs");
    std::fs::write(&pairs, "").expect("written");
    let trading = format!("pairs_file = {pairs:?}\nstandby = [\"binance:spot:ETHUSDT\"]");
    let live = config(&venue, Key::Ed25519, &trading, SCRIPTED);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let mut added: Option<Instant> = None;
    let ran = run(&venue, &live, Threading::Shared, || {
        if final_orders(&alice) < STEPS_TAKEN {
            return false;
        }
        if adds && added.is_none() {
            std::fs::write(&pairs, "binance:spot:ETHUSDT added\n").expect("written");
        }
        added.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(if adds { 8 } else { 0 })
    });
    let told = assert_booked(&alice, &live, &ran, &start);
    let taken = commissions(&ran.journal);
    (ran, taken, told)
}

#[test]
fn a_commission_before_its_assets_first_price_is_told_as_unpriced_and_counts_once_there_is_one() {
    let (ran, taken, told) = with_a_late_price(false);
    let amounts: i64 = taken.iter().map(|(amount, _)| amount).sum();
    assert!(taken.len() >= 20 && taken.iter().all(|(_, worth)| *worth == 0), "{told}");
    let report = pnl_report(&ran.journal, None).expect("a report");
    assert_eq!(
        (units(&json!(report.lines[0].unpriced["ETH"])), report.lines[0].fees.as_str()),
        (amounts, "0")
    );

    let unpriced = |ran: &Ran| recover(&ran.journal).expect("it reads").1.unpriced.len();
    assert_eq!(unpriced(&ran), taken.len(), "a later run has them to value");

    let (ran, taken, told) = with_a_late_price(true);
    assert_eq!(unpriced(&ran), 0, "{told}");
    let early: Vec<_> = taken.iter().filter(|(amount, worth)| *amount != 0 && *worth == 0).collect();
    let late: Vec<_> = taken.iter().filter(|(amount, _)| *amount == 0).collect();
    assert_eq!(
        (early.len() >= 20, early.len()),
        (true, late.len()),
        "each is valued, once: {taken:?} {told}"
    );
    let worth: i64 = late.iter().map(|(_, worth)| worth).sum();
    assert!(
        worth > early.iter().map(|(amount, _)| amount).sum::<i64>(),
        "an ETH is worth more than a dollar"
    );
    let report = pnl_report(&ran.journal, None).expect("a report");
    assert!(report.lines[0].unpriced.is_empty(), "{report:?}");
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
fn a_pair_is_paused_and_resumed_by_a_file_while_running() {
    let venue = venue(|_| {});
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pairs = dir.path().join("pairs");
    std::fs::write(&pairs, "binance:spot:BTCUSDT paused\n").expect("written");
    let live = config(&venue, Key::Hmac, &format!("pairs_file = {pairs:?}"), PERSISTENT);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let mut orders_while_paused = None;
    let ran = run_asked(&venue, &live, Threading::Inline, |paths| {
        // So many quotes that it would have ordered.
        if orders_while_paused.is_none() && follows(&venue, paths) {
            let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
            orders_while_paused = all.as_array().map(Vec::len);
            std::fs::write(&pairs, "").expect("written");
        }
        final_orders(&alice) >= STEPS_TAKEN
    });
    assert_eq!(orders_while_paused, Some(0), "nothing is sent while it is paused");
    assert_booked(&alice, &live, &ran, &start);
}

#[test]
fn a_pair_that_stood_by_is_followed_and_traded_once_a_file_adds_it() {
    let venue = venue(|_| {});
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pairs = dir.path().join("pairs");
    let trading = format!("pairs_file = {pairs:?}\nstandby = [\"binance:spot:BTCUSDT\"]");
    let live = config(&venue, Key::Hmac, &trading, PERSISTENT);
    let alice = Trader::new(&venue, "alicehmac");
    let start = Start::of(&alice);
    let mut added = None;
    let ran = run_asked(&venue, &live, Threading::Inline, |paths| {
        // The others are followed by now.
        if added.is_none() && follows(&venue, paths) {
            let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
            added = Some((wall_ns(), all.as_array().map(Vec::len)));
            std::fs::write(&pairs, "binance:spot:BTCUSDT added\n").expect("written");
        }
        final_orders(&alice) >= STEPS_TAKEN
    });
    let told = assert_booked(&alice, &live, &ran, &start);
    let (added, orders) = added.expect("it was added");
    assert_eq!(orders, Some(0), "nothing is sent while it stands by");
    let table = &live.config.instruments;
    let first = |name: &str| {
        let id = table.by_name(name).expect("listed").id;
        let mut journal = JournalReader::open(&ran.journal).expect("a journal");
        let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
        let mut of =
            slots.filter(|slot| matches!(slot.kind(), Kind::Trade | Kind::Quote | Kind::DepthSnapshot));
        of.find(|slot| slot.instrument() == id).map(|slot| slot.time().0)
    };
    let (btc, eth) = (first("binance:spot:BTCUSDT"), first("binance:spot:ETHUSDT"));
    assert!(btc.is_some_and(|time| time >= added), "nothing is heard of it before: {told}");
    assert!(eth.is_some_and(|time| time < added), "the others are followed meanwhile: {told}");
}

/// Whether the run has followed the market for a while.
fn follows(venue: &Running, paths: &ControlPaths) -> bool {
    let had = ask(&paths.socket, &ControlRequest::Status).map_or(0, |reply| reply.events);
    had > 600 && venue.stats().frames_sent > 300
}

/// The wall clock, ns.
fn wall_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_nanos() as u64
}

#[test]
fn live_orders_need_a_journal() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", SCRIPTED);
    let error = run_live(&live.config, LiveOptions::default()).expect_err("no journal");
    assert!(error.to_string().contains("need a journal"), "{error}");
    assert!(venue.endpoint(Market::Spot).is_some());
}
