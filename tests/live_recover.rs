//! A live run is killed while a bracket stands and its order rests; another goes on with it: what traded meanwhile is
//! booked, what is protected is what was filled, and nothing is sent, booked or lost twice.

#[path = "support/killed_run.rs"]
mod killed_run;
#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::event::Event;
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, InstrumentId, OrderId, OrderStatus, Side};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader, Recovery};
use algo_trader::market::Top;
use algo_trader::run::control::{ControlPaths, ControlRequest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::pnl::pnl_report;
use algo_trader::run::recover::Earlier;
use algo_trader::run::{
    Config, LiveError, LiveOptions, RecoverError, ReplayOptions, replay_journal, run_live,
};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use killed_run::{options, run_until_killed, start, until};
use live_orders::{Key, balance, dollars, fills, thousandths, units, venue};
use operator::{asked, release, run_beside, until_reply};
use order_client::Trader;
use std::path::Path;
use std::time::Duration;

/// Enters with a bracket that no price ends; finding one in force, as after a crash, it takes the entry back two seconds
/// later and leaves.
struct Bracketed {
    instrument: InstrumentId,
    began: bool,
    standing: Option<OrderId>,
}

impl Strategy for Bracketed {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if self.began || !top.is_two_sided() {
            return;
        }
        self.began = true;
        if let Some(protection) = ctx.protections().first() {
            self.standing = Some(protection.entry);
            let _ = ctx.wake_after(Duration::from_secs(2));
            return;
        }
        let of = ctx.instrument(self.instrument).clone();
        let entry = ctx.bracket(self.instrument, Side::Buy, thousandths(&of, 50));
        let sent = entry.at_limit(dollars(&of, 60_000)).stop_at(dollars(&of, 1)).send();
        assert!(sent.is_ok(), "{sent:?}");
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        // While it rests, nothing is sold below it: it would be to ourselves.
        let taken_back = self.standing.map(|entry| ctx.cancel(entry));
        assert_eq!(taken_back, Some(Ok(())));
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        assert_eq!(denied, None, "{order:?}");
        if self.standing == Some(order.order.id) && order.status == OrderStatus::Canceled {
            self.standing = None;
            let above = dollars(ctx.instrument(self.instrument), 900_000);
            let armed = ctx.protect(order.order.id).stop_at(above).arm();
            assert!(armed.is_ok(), "{armed:?}");
        }
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Bracketed { instrument: setup.one_instrument()?, began: false, standing: None }))
}

/// Holds a hundredth, and buys it again whenever it has nothing.
struct Holds(InstrumentId);

impl Strategy for Holds {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        let of = ctx.instrument(self.0).clone();
        // What a commission leaves of it is nothing.
        let nothing = ctx.position(instrument).qty < thousandths(&of, 1);
        if top.is_two_sided() && nothing && ctx.open_orders(instrument).count() == 0 {
            let _ = ctx.buy(self.0, thousandths(&of, 10)).at_limit(dollars(&of, 60_000)).send();
        }
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
}

fn build_holds(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Holds(setup.one_instrument()?)))
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec { name: "bracketed", doc: "one bracket", params: &[], build },
    StrategySpec { name: "holds", doc: "a position", params: &[], build: build_holds },
];

const HOLDS: &str = "[[strategy]]\nname = \"holds\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

const BRACKETED: &str = "[accounting]\nmethod = \"fifo\"\n[[strategy]]\nname = \"bracketed\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Another process, which a test starts.
#[test]
fn the_run_that_is_killed() {
    run_until_killed(STRATEGIES);
}

fn sell(bob: &Trader<'_>, thousandths: u32) {
    let qty = format!("0.{thousandths:03}");
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "LIMIT"),
        ("timeInForce", "IOC"),
        ("quantity", qty.as_str()),
        ("price", "60000"),
    ];
    let answer = bob.done("POST", "/api/v3/order", &order);
    assert_eq!(answer["status"], "FILLED", "{answer}");
}

/// Somebody bids, so that what is sold at the market is bought.
fn bid(bob: &Trader<'_>) {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "1"),
        ("price", "59000"),
    ];
    bob.done("POST", "/api/v3/order", &order);
}

/// What was protected, and what was held, when the first order of the second run was made.
fn protected_at_the_exit(journal: &Path) -> (i64, i64) {
    let mut reader = JournalReader::open(journal).expect("a journal");
    let mut recovery = Recovery::new(reader.header());
    loop {
        let entry = reader.next_entry().expect("it reads").expect("an exit is in it");
        if matches!(&entry, Entry::Record(record) if record.kind == RecordKind::Order) {
            let desk = recovery.desks().next().expect("one strategy");
            let covered: i64 = desk.manager.protections().iter().map(|p| p.covered.0).sum();
            return (covered, desk.positions.iter().map(|p| p.qty.0).sum());
        }
        recovery.take(&entry);
    }
}

#[test]
fn a_killed_run_is_gone_on_with_its_protection_in_place_and_nothing_doubled() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    bid(&bob);
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", BRACKETED);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (dir.path().join("run.journal"), dir.path().join("second.journal"));
    let (btc, usdt) = (balance(&alice, "BTC"), balance(&alice, "USDT"));

    let run = start(&live, dir.path());
    let entry = until("the bracket's entry rests", || {
        let open = alice.done("GET", "/api/v3/openOrders", &[]);
        open.as_array().and_then(|rows| rows.first()).map(|row| row["clientOrderId"].clone())
    });
    assert!(matches!(Earlier::read(&first, ""), Err(RecoverError::Running(_))), "it goes on itself");
    sell(&bob, 12);
    sell(&bob, 8);
    std::thread::sleep(Duration::from_millis(200));
    run.kill();
    // Nobody listens.
    sell(&bob, 10);

    let interrupt = Interrupt::default();
    let summary = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            run_live(&live.config, options(STRATEGIES, &second, &interrupt, Some(dir.path().to_owned())))
        });
        let exited = until("the exit traded", || {
            if running.is_finished() {
                return Some(false);
            }
            let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
            let all = all.as_array().expect("orders").clone();
            all.iter().any(|o| o["side"] == "SELL" && o["status"] == "FILLED").then_some(true)
        });
        std::thread::sleep(Duration::from_millis(300));
        interrupt.raise();
        let result = running.join().expect("no panic").unwrap_or_else(|error: LiveError| panic!("{error}"));
        assert!(exited, "{:#}", result.to_json());
        result
    });
    let told = format!("{:#}", summary.to_json());

    // Both orders, each once; the entry under the id that it had, and taken back at the end.
    let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
    let all = all.as_array().expect("orders");
    assert_eq!(all.len(), 2, "{all:#?}");
    let entered = all.iter().find(|o| o["side"] == "BUY").expect("the entry");
    assert_eq!((&entered["clientOrderId"], &entered["status"]), (&entry, &"CANCELED".into()), "{all:#?}");
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]), serde_json::json!([]));

    // When it was left, what was protected was what was filled, less the commission: to the last digit.
    let (covered, held) = protected_at_the_exit(&second);
    let bought = units(&entered["executedQty"]);
    assert_eq!((bought, held), (3_000_000, 3_000_000 - 3_000), "{told}");
    assert_eq!(covered, held);
    let left = all.iter().find(|o| o["side"] == "SELL").expect("the exit");
    let lot = summary.strategies[0].instrument.lot.0;
    assert_eq!(units(&left["executedQty"]), held / lot * lot, "whole lots of it are left");

    // Every trade is in one of the journals, once.
    let trades = alice.done("GET", "/api/v3/myTrades", &[("symbol", "BTCUSDT")]);
    let trades = trades.as_array().expect("trades").iter().map(|t| t["id"].as_u64().expect("an id"));
    let mut theirs: Vec<u64> = trades.collect();
    let mut ours: Vec<u64> = [&first, &second].iter().flat_map(|j| fills(j)).map(|(id, _)| id).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs, "{told}");

    // Position and wallets are the account's, and said to be of both runs.
    assert!(summary.resumed && summary.to_json()["resumed"] == true);
    let position = summary.strategies[0].position;
    assert_eq!(position.qty.0, balance(&alice, "BTC") - btc, "{told}");
    for (asset, now) in [("BTC", balance(&alice, "BTC")), ("USDT", balance(&alice, "USDT"))] {
        let wallet = summary.balances.iter().find(|b| b.asset == asset).expect("a wallet");
        let unit = 10i128.pow(u32::from(wallet.decimals) - 8);
        assert_eq!((wallet.total, wallet.locked), (i128::from(now) * unit, 0), "{asset}: {told}");
        assert_eq!(wallet.start, i128::from(if asset == "BTC" { btc } else { usdt }) * unit);
    }
    let sent = summary.orders.as_ref().expect("orders were sent");
    assert_eq!((sent.halts, sent.open_at_end, sent.unknown_at_end), (0, 0, 0), "{told}");
    assert_eq!((summary.execution.overfills, summary.execution.unknown_reports), (0, 0), "{told}");

    // What the second earned goes on from what the first left.
    let (line, result) =
        (pnl_report(&second, None).expect("a report").lines.remove(0), &summary.strategies[0]);
    assert_eq!((line.realised, line.fees), (result.realised(), result.fees()), "{told}");
    assert_eq!((line.qty, line.fills), (result.qty(), position.fills), "{told}");
    // What the first had not written when it was killed came anew.
    let earlier = line.days.iter().find(|day| day.day == "earlier").map_or(0, |day| day.fills);
    assert_eq!(earlier, fills(&first).len() as u64, "{:?} {told}", line.days);
    assert_eq!(line.days.iter().map(|day| day.fills).sum::<u64>(), line.fills, "{:?}", line.days);
    // All was bought at one price.
    assert_eq!((result.realised.0 < 0, result.realised), (true, position.realised), "{told}");

    // Who names the first again, as the same command does, goes on from the second; and not at all without it.
    let again = Earlier::read(&first, "").expect("it reads");
    assert_eq!((&again.path, &again.named), (&second, &Some(first.clone())), "{}", again.told());
    let taken = Earlier::gone_on_with_by(&first, Some(&second)).expect_err("one run goes on with it");
    assert!(taken.to_string().contains("another run went on with it"), "{taken}");
    std::fs::rename(&second, dir.path().join("elsewhere")).expect("ours");
    let lost = Earlier::read(&first, "").err().expect("it is not there").to_string();
    assert!(lost.contains("which is not there") && lost.contains("run.journal.next"), "{lost}");
    std::fs::rename(dir.path().join("elsewhere"), &second).expect("ours");

    // The second journal replays, what was recovered included.
    let mut config = live.config.clone();
    config.journal.path = None;
    let mut journal = JournalReader::open(&second).expect("a journal");
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let again = replay_journal(&config, &mut journal, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
    assert_eq!(again.strategies[0].position, position);
    let slots = std::iter::from_fn({
        let mut reader = JournalReader::open(&second).expect("a journal");
        move || reader.next_slot().expect("it reads")
    });
    let reports = slots.filter(|slot| matches!(slot.event(), Event::Report(_))).count();
    assert!(reports >= 2, "{told}");
}

/// A thousandth, in units of 10^-8.
const SOME: i64 = 100_000;

/// Waits until the account has so much more than at first.
fn until_held(alice: &Trader<'_>, what: &str, start: i64, good: impl Fn(i64) -> bool) {
    until(what, || good(balance(alice, "BTC") - start).then_some(()));
}

#[test]
fn what_a_kill_was_to_close_is_closed_by_the_run_that_goes_on_and_once_it_is_released_no_more() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDS);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let paths = ControlPaths::new(dir.path(), &live.config.run.name);
    let start_with = balance(&alice, "BTC");
    let rests = || {
        let open = alice.done("GET", "/api/v3/openOrders", &[]);
        open.as_array().is_some_and(|rows| !rows.is_empty()).then_some(())
    };

    // Nobody buys: what is sold at the market stays. Then the process dies.
    let run = start(&live, dir.path());
    until("it asks for its position", rests);
    sell(&bob, 10);
    until_held(&alice, "it holds", start_with, |more| more > SOME);
    let (operator, reason) = ("anna".to_owned(), "a test".to_owned());
    let kill = ControlRequest::Kill { scope: "all".into(), flatten: true, operator, reason, via: None };
    asked(&paths, &kill);
    until_reply(&paths, &ControlRequest::Status, "it is stopped", |reply| !reply.stopped.is_empty());
    until("it tries to close it", || {
        let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
        all.as_array().expect("orders").iter().any(|o| o["side"] == "SELL").then_some(())
    });
    run.kill();
    assert!(balance(&alice, "BTC") - start_with > SOME, "it is held on");

    // Somebody buys again, and the run that goes on closes it; what is bought after a release stays.
    bid(&bob);
    let gone_on = |next: &str, during: &dyn Fn(&ControlPaths)| {
        let change = |options: &mut LiveOptions| {
            options.pipeline.strategies = STRATEGIES;
            options.recover = Some(dir.path().join("run.journal"));
        };
        run_beside(&live, dir.path(), next, change, during)
    };
    gone_on("second.journal", &|paths| {
        until_held(&alice, "it is closed", start_with, |more| more < SOME);
        let reply = asked(paths, &ControlRequest::Status);
        assert!(reply.stopped.iter().any(|s| s.scope == "all" && s.by == "anna" && s.flatten), "{reply:?}");
        asked(paths, &release("all"));
        until("it asks for its position again", rests);
        sell(&bob, 10);
        until_held(&alice, "it holds again", start_with, |more| more > SOME);
    });
    let held = balance(&alice, "BTC");
    gone_on("third.journal", &|paths| {
        assert!(asked(paths, &ControlRequest::Status).stopped.is_empty());
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(balance(&alice, "BTC"), held, "what was bought after the release is not closed");
    });
}

#[test]
fn what_cannot_be_gone_on_with_is_refused() {
    let venue = venue(|_| {});
    let live = live_orders::config(&venue, Key::Hmac, "", BRACKETED);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    // One that begins all the same ends at once.
    let over = Interrupt::default();
    over.raise();
    let refused = |config: &Config, place: &Path| {
        let next = dir.path().join("next.journal");
        let options = options(STRATEGIES, &next, &over, Some(place.to_owned()));
        run_live(config, options).expect_err("it may not begin").to_string()
    };
    assert!(refused(&live.config, dir.path()).contains("no journal is there"));

    let interrupt = Interrupt::default();
    interrupt.raise();
    run_live(&live.config, options(STRATEGIES, &journal, &interrupt, None))
        .unwrap_or_else(|error| panic!("{error}"));
    let mut paper = live.config.clone();
    paper.trading.mode = algo_trader::run::config::TradingMode::Paper;
    assert!(refused(&paper, &journal).contains("--recover is for live orders"));
    let mut other = live.config.clone();
    other.strategies[0].label = "another".into();
    let said = refused(&other, &journal);
    assert!(said.contains("strategy 1 was bracketed") && said.contains("is another"), "{said}");
    // Of another account nothing is gone on with; another key of the same is as good.
    let bobs = live_orders::file("bobhmac\nsecretofbobhmac\n");
    let mut other = live.config.clone();
    other.trading.key_file = Some(bobs.path().to_owned());
    let said = refused(&other, &journal);
    assert!(said.contains("traded for the account 354937") && said.contains("the key here is of"), "{said}");
    let mut other = live.config.clone();
    other.run.name = "another".into();
    let said = refused(&other, dir.path());
    assert!(said.contains("no journal of a run named \"another\""), "{said}");
    assert!(!dir.path().join("next.journal").exists(), "a journal of a run that never was");
    let replaced = live_orders::config(&venue, Key::Ed25519, "", BRACKETED);
    let interrupt = Interrupt::default();
    interrupt.raise();
    let second = dir.path().join("second.journal");
    run_live(&replaced.config, options(STRATEGIES, &second, &interrupt, Some(journal.clone())))
        .unwrap_or_else(|error| panic!("{error}"));
    let accounts =
        [&journal, &second].map(|path| JournalReader::open(path).expect("it reads").header().account);
    assert!(accounts[0].is_some() && accounts[0] == accounts[1], "{accounts:?}");
}
