//! A live run is killed, and the account moves while nothing runs, or its journal loses its end: what went on with it tells
//! by how much the account differs from what was left, and trades nothing of it; one that is as it was left is traded on.

#[path = "support/killed_run.rs"]
mod killed_run;
#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::event::{Command as Said, Event};
use algo_trader::domain::{InstrumentId, Qty};
use algo_trader::journal::{JournalReader, recover};
use algo_trader::market::Top;
use algo_trader::run::control::{ControlPaths, ControlRequest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveOptions, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use killed_run::{options, run_until_killed, start, until};
use live_orders::{Key, LiveConfig, balance, dollars, thousandths, venue};
use operator::{asked, run_beside, until_reply};
use order_client::Trader;
use std::path::Path;
use std::time::Duration;

/// In which a journal gets to the disk, and everything is compared.
const DELAY: Duration = Duration::from_secs(4);

/// After a while it sells what it has at the market, or, having nothing, bids for some.
struct Holder {
    instrument: InstrumentId,
    began: bool,
}

impl Strategy for Holder {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if !std::mem::replace(&mut self.began, true) {
            let _ = ctx.wake_after(DELAY);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        let of = ctx.instrument(self.instrument).clone();
        let held = ctx.position_in_lots(self.instrument);
        let _ = match held {
            Qty(0) => ctx.buy(self.instrument, thousandths(&of, 50)).at_limit(dollars(&of, 60_000)).send(),
            held => ctx.sell(self.instrument, held).at_market().send(),
        };
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Holder { instrument: setup.one_instrument()?, began: false }))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "holder", doc: "buys, then sells", params: &[], build }];

const HOLDER: &str = "[[strategy]]\nname = \"holder\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Another process, which a test starts.
#[test]
fn the_run_that_is_killed() {
    run_until_killed(STRATEGIES);
}

fn trade(who: &Trader<'_>, side: &str, qty: &str, tif: &str) -> serde_json::Value {
    const PRICE: &str = "59000";
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", tif),
        ("quantity", qty),
        ("price", PRICE),
    ];
    who.done("POST", "/api/v3/order", &order)
}

fn all_orders(who: &Trader<'_>) -> Vec<serde_json::Value> {
    let all = who.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
    all.as_array().expect("orders").clone()
}

/// Waits until the entry rests, and fills three fifths of it.
fn fill_the_entry(alice: &Trader<'_>, bob: &Trader<'_>) {
    until("the entry rests", || {
        let open = alice.done("GET", "/api/v3/openOrders", &[]);
        (!open.as_array()?.is_empty()).then_some(())
    });
    assert_eq!(trade(bob, "SELL", "0.03", "IOC")["status"], "FILLED");
    // So that its journal has the trade.
    std::thread::sleep(DELAY);
}

/// Goes on with a journal until its strategy has done what it does.
fn go_on(live: &LiveConfig, from: &Path, to: &Path) -> Summary {
    let interrupt = Interrupt::default();
    std::thread::scope(|scope| {
        let running = scope
            .spawn(|| run_live(&live.config, options(STRATEGIES, to, &interrupt, Some(from.to_owned()))));
        std::thread::sleep(DELAY * 3);
        interrupt.raise();
        running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    })
}

/// What the journal leaves is what the account has, to the last digit.
fn leaves_the_account(journal: &Path, alice: &Trader<'_>) {
    let left = recover(journal).expect("a journal").1.resume().account();
    for asset in ["BTC", "USDT"] {
        let (_, amount) = left.iter().find(|(of, _)| of == asset).expect("known");
        assert_eq!(*amount, i128::from(balance(alice, asset)) * 10_000_000_000, "{asset}");
    }
}

#[test]
fn what_a_person_sold_while_nothing_ran_is_told_and_not_sold_again() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    trade(&bob, "BUY", "1", "GTC");
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDER);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (dir.path().join("run.journal"), dir.path().join("second.journal"));
    let run = start(&live, dir.path());
    fill_the_entry(&alice, &bob);
    run.kill();

    alice.done("DELETE", "/api/v3/openOrders", &[("symbol", "BTCUSDT")]);
    assert_eq!(trade(&alice, "SELL", "0.02", "IOC")["status"], "FILLED");
    let (btc, orders) = (balance(&alice, "BTC"), all_orders(&alice).len());
    let summary = go_on(&live, &first, &second);
    let sent = summary.orders.as_ref().expect("orders");
    let told = format!("{:#?}", sent.told);
    assert_eq!((all_orders(&alice).len(), balance(&alice, "BTC")), (orders, btc), "nothing was sold: {told}");
    assert!(sent.halts >= 1, "{told}");
    assert_eq!(sent.count("Meanwhile"), 2, "{told}");
    assert_eq!(sent.count("TradedMeanwhile"), 1, "{told}");
    assert!(told.contains("BTC: the earlier run's journal leaves"), "{told}");
    assert!(told.contains("-0.02 came or went"), "{told}");
}

#[test]
fn what_a_kill_was_to_close_and_a_person_sold_meanwhile_is_not_sold_again_before_somebody_looked() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDER);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (dir.path().join("run.journal"), dir.path().join("second.journal"));
    let run = start(&live, dir.path());
    fill_the_entry(&alice, &bob);
    let paths = ControlPaths::new(dir.path(), &live.config.run.name);
    let (anna, reason) = (|| "anna".to_owned(), || "a test".to_owned());
    let kill = ControlRequest::Kill {
        scope: "all".into(),
        flatten: true,
        operator: anna(),
        reason: reason(),
        via: None,
    };
    assert_eq!(asked(&paths, &kill).error, None);
    // Nobody bids.
    let reply =
        until_reply(&paths, &ControlRequest::Status, "it is told", |reply| !reply.unclosed.is_empty());
    let told = reply.held_back();
    assert!(told.iter().any(|line| line.starts_with("NOT CLOSED") && line.contains("nobody")), "{told:?}");
    std::thread::sleep(DELAY);
    let asked_for = all_orders(&alice).len();
    assert!((6..=11).contains(&asked_for), "{asked_for}, less and less often");
    run.kill();

    trade(&bob, "BUY", "1", "GTC");
    assert_eq!(trade(&alice, "SELL", "0.02997", "IOC")["status"], "FILLED");
    let (btc, orders) = (balance(&alice, "BTC"), all_orders(&alice).len());
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.recover = Some(first.clone());
    };
    let (summary, ()) = run_beside(&live, dir.path(), "second.journal", change, |paths| {
        until_reply(paths, &ControlRequest::Status, "it is held back", |reply| {
            reply.orders_taken == Some(true) && !reply.held.is_empty()
        });
        std::thread::sleep(DELAY / 2);
        assert_eq!((all_orders(&alice).len(), balance(&alice, "BTC")), (orders, btc), "nothing was sold");
        let told = asked(paths, &ControlRequest::Status).held_back();
        let line = told.iter().find(|line| line.starts_with("NOT CLOSED binance:spot:BTCUSDT"));
        assert!(line.is_some_and(|line| line.contains("ctl resume")), "{told:?}");
        // Who says that it is all right has it closed: the run's own position is there still.
        let instrument = "binance:spot:BTCUSDT".to_owned();
        let resume = ControlRequest::Resume { instrument, operator: anna(), reason: reason() };
        assert_eq!(asked(paths, &resume).error, None);
        until("it is sold", || (balance(&alice, "BTC") < btc).then_some(()));
        until_reply(paths, &ControlRequest::Status, "that is told", |reply| reply.unclosed.is_empty());
    });
    assert_eq!(balance(&alice, "BTC"), btc - 2_997_000);
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let mut journal = JournalReader::open(&second).expect("a journal");
    let again = replay_journal(&live.config, &mut journal, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
}

#[test]
fn what_the_lost_end_of_a_journal_bought_is_told_and_nothing_is_bought_beside_it() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDER);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (lost, second) = (dir.path().join("lost.journal"), dir.path().join("second.journal"));
    let run = start(&live, dir.path());
    // The journal as it was before the order: what a loss of power leaves of it.
    until("the journal says what the account has", || {
        std::fs::copy(dir.path().join("run.journal"), &lost).ok()?;
        let mut reader = JournalReader::open(&lost).ok()?;
        let slots = std::iter::from_fn(|| reader.next_slot().ok().flatten());
        let told = slots.filter(|slot| matches!(slot.event(), Event::Command(Said::Account(_)))).count();
        (told >= 2).then_some(())
    });
    assert!(all_orders(&alice).is_empty(), "it was copied before");
    fill_the_entry(&alice, &bob);
    run.kill();

    let summary = go_on(&live, &lost, &second);
    let sent = summary.orders.as_ref().expect("orders");
    let told = format!("{:#?}", sent.told);
    assert_eq!(all_orders(&alice).len(), 1, "nothing was bought beside it: {told}");
    assert!(sent.halts >= 1 && sent.count("Meanwhile") == 2, "{told}");
    assert!(told.contains("0.02997 came or went"), "{told}");
}

#[test]
fn an_account_that_is_as_it_was_left_is_traded_on() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    trade(&bob, "BUY", "1", "GTC");
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDER);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (dir.path().join("run.journal"), dir.path().join("second.journal"));
    let run = start(&live, dir.path());
    fill_the_entry(&alice, &bob);
    run.kill();
    // Nobody listens; it is the run's own order.
    assert_eq!(trade(&bob, "SELL", "0.02", "IOC")["status"], "FILLED");
    let summary = go_on(&live, &first, &second);
    let sent = summary.orders.as_ref().expect("orders");
    let told = format!("{:#?}", sent.told);
    assert_eq!((sent.halts, sent.count("Meanwhile"), sent.count("TradedMeanwhile")), (0, 0, 0), "{told}");
    let sold = all_orders(&alice).iter().any(|o| o["side"] == "SELL" && o["status"] == "FILLED");
    assert!(sold, "{told}");
    leaves_the_account(&second, &alice);
}
