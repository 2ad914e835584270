//! What moves in a live run's account by another hand: what is held leaves with what there is, and what came in is traded with,
//! in the run itself, in one that goes on with it, and in a replay of its journal.

#[path = "support/killed_run.rs"]
mod killed_run;
#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::{InstrumentId, OrderId, Qty};
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::run::control::{ControlReply, ControlRequest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::serve::{Fault, Running};
use killed_run::{options, run_until_killed, start, until};
use live_orders::{Key, LiveConfig, balance, dollars, thousandths, venue};
use operator::{asked, run_beside, until_reply};
use order_client::{Trader, account};
use std::path::Path;
use std::time::{Duration, Instant};

/// After which it leaves what it bought: meanwhile somebody else sells.
const DELAY: Duration = Duration::from_secs(4);

/// Bids for a twentieth once orders are taken, and after a while has what it got left by a stop that is reached. One that goes on
/// with what it holds bids again and again until the venue has its order.
struct Mover {
    instrument: InstrumentId,
    began: bool,
    entry: Option<OrderId>,
}

impl Mover {
    fn bid(&self, ctx: &mut Context<'_>) -> Option<OrderId> {
        let of = ctx.instrument(self.instrument).clone();
        ctx.buy(self.instrument, thousandths(&of, 50)).at_limit(dollars(&of, 60_000)).send().ok()
    }

    fn leave_below(&self, ctx: &mut Context<'_>, price: i64) {
        let stop = dollars(&ctx.instrument(self.instrument).clone(), price);
        let entry = self.entry.expect("it was sent");
        ctx.protect(entry).stop_at(stop).arm().expect("it can be");
    }
}

impl Strategy for Mover {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if !std::mem::replace(&mut self.began, true) {
            let _ = ctx.wake_after(DELAY);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        if self.entry.is_some() {
            self.leave_below(ctx, 75_000);
        } else if ctx.position_in_lots(self.instrument) == Qty(0) {
            self.entry = self.bid(ctx);
            self.leave_below(ctx, 30_000);
            let _ = ctx.wake_after(DELAY);
        } else {
            let _ = self.bid(ctx);
            let _ = ctx.wake_after(DELAY / 8);
        }
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Mover { instrument: setup.one_instrument()?, began: false, entry: None }))
}

/// Bids for a twentieth until it has something.
struct Holder(InstrumentId);

impl Strategy for Holder {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        let nothing = ctx.position_in_lots(instrument) == Qty(0);
        if top.is_two_sided() && nothing && ctx.open_orders(instrument).count() == 0 {
            let of = ctx.instrument(self.0).clone();
            let _ = ctx.buy(self.0, thousandths(&of, 50)).at_limit(dollars(&of, 60_000)).send();
        }
    }
}

fn build_holder(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Holder(setup.one_instrument()?)))
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec { name: "mover", doc: "buys, then leaves", params: &[], build },
    StrategySpec { name: "holder", doc: "buys", params: &[], build: build_holder },
];

const HOLDER: &str = "[[strategy]]\nname = \"holder\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

const MOVER: &str = "[[strategy]]\nname = \"mover\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Another process, which a test starts.
#[test]
fn the_run_that_is_killed() {
    run_until_killed(STRATEGIES);
}

/// A venue at which alice has 5,000 and nothing else.
fn venue_of_little() -> Running {
    venue(|options| {
        options.accounts[0] = account("alice", &[("USDT", "5000")]);
    })
}

fn trade(who: &Trader<'_>, side: &str, qty: &str, tif: &str) -> serde_json::Value {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", tif),
        ("quantity", qty),
        ("price", "59000"),
    ];
    who.done("POST", "/api/v3/order", &order)
}

fn open_orders(who: &Trader<'_>) -> usize {
    who.done("GET", "/api/v3/openOrders", &[]).as_array().expect("orders").len()
}

/// Waits until the entry rests, fills it, and sells two fifths of it by hand.
fn fill_and_sell_some(alice: &Trader<'_>, bob: &Trader<'_>) {
    until("the entry rests", || (open_orders(alice) == 1).then_some(()));
    assert_eq!(trade(bob, "SELL", "0.05", "IOC")["status"], "FILLED");
    trade(bob, "BUY", "1", "GTC");
    assert_eq!(trade(alice, "SELL", "0.02", "IOC")["status"], "FILLED");
}

/// The wallet is what the account has, in both assets, to the digit.
fn assert_wallet(summary: &Summary, alice: &Trader<'_>) {
    for asset in ["BTC", "USDT"] {
        let of = summary.balances.iter().find(|of| of.asset == asset).expect("it is traded");
        assert_eq!(of.total_at(8), i128::from(balance(alice, asset)), "{asset}: {of:?}");
    }
}

fn assert_replays(live: &LiveConfig, journal: &Path, summary: &Summary) {
    let mut reader = JournalReader::open(journal).expect("a journal");
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let again = replay_journal(&live.config, &mut reader, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
    assert_eq!(again.balances, summary.balances);
}

#[test]
fn what_a_stop_covers_leaves_with_what_somebody_else_has_not_sold() {
    let venue = venue_of_little();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", MOVER);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let interrupt = Interrupt::default();
    let summary = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options(STRATEGIES, &journal, &interrupt, None)));
        fill_and_sell_some(&alice, &bob);
        until("the rest of it has left", || (balance(&alice, "BTC") < 1_000).then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        interrupt.raise();
        running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    });
    let sent = summary.orders.as_ref().expect("orders");
    let told = format!("{:#?}", sent.told);
    assert_eq!(summary.execution.rejected, 0, "the venue was not asked for what is not there: {told}");
    assert_wallet(&summary, &alice);
    assert_replays(&live, &journal, &summary);
}

#[test]
fn what_came_in_while_nothing_ran_is_traded_with_once_a_person_has_looked() {
    let venue = venue_of_little();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pairs = dir.path().join("pairs");
    let trading = format!("reconcile_seconds = 1\npairs_file = {pairs:?}");
    let live = live_orders::config(&venue, Key::Ed25519, &trading, MOVER);
    let (first, second) = (dir.path().join("run.journal"), dir.path().join("second.journal"));
    let run = start(&live, dir.path());
    until("the entry rests", || (open_orders(&alice) == 1).then_some(()));
    assert_eq!(trade(&bob, "SELL", "0.05", "IOC")["status"], "FILLED");
    // So that its journal has the trade.
    std::thread::sleep(Duration::from_millis(2_500));
    run.kill();
    trade(&bob, "BUY", "1", "GTC");
    assert_eq!(trade(&alice, "SELL", "0.02", "IOC")["status"], "FILLED");

    let interrupt = Interrupt::default();
    let summary = std::thread::scope(|scope| {
        let running = scope
            .spawn(|| run_live(&live.config, options(STRATEGIES, &second, &interrupt, Some(first.clone()))));
        std::thread::sleep(DELAY * 2);
        assert_eq!(open_orders(&alice), 0, "nobody has looked");
        std::fs::write(&pairs, "binance:spot:BTCUSDT resumed\n").expect("written");
        // 3,000 and a fee, of which 2,000 were left.
        let bids = std::time::Instant::now();
        while open_orders(&alice) == 0 && bids.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let rests = open_orders(&alice);
        interrupt.raise();
        let summary = running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"));
        let told = format!("{:#?}", summary.orders.as_ref().expect("orders").told);
        assert_eq!(rests, 1, "it has enough: {told} {:?}", summary.balances);
        summary
    });
    assert_wallet(&summary, &alice);
    assert_replays(&live, &second, &summary);
}

#[test]
fn of_what_somebody_elses_order_has_locked_the_rest_leaves_and_a_kill_that_cannot_close_it_is_told() {
    let venue = venue_of_little();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", MOVER);
    let strategies = |options: &mut algo_trader::run::LiveOptions| options.pipeline.strategies = STRATEGIES;
    let (summary, line) = run_beside(&live, dir.path(), "run.journal", strategies, |paths| {
        until("the entry rests", || (open_orders(&alice) == 1).then_some(()));
        assert_eq!(trade(&bob, "SELL", "0.05", "IOC")["status"], "FILLED");
        trade(&bob, "BUY", "1", "GTC");
        let rests = [
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.02"),
            ("price", "70000"),
        ];
        alice.done("POST", "/api/v3/order", &rests);
        // 0.03 less a fee leaves, in halves of what is asked for.
        until("what is free has left", || (balance(&alice, "BTC") < 2_200_000).then_some(()));
        let (operator, reason) = ("anna".into(), "a test".into());
        let kill = ControlRequest::Kill { scope: "all".into(), flatten: true, operator, reason, via: None };
        algo_trader::run::control::ask(&paths.socket, &kill).expect("it answers");
        let told = until_reply(paths, &ControlRequest::Status, "it is not closed", |reply| {
            !reply.unclosed.is_empty() && reply.turned_away.iter().any(|of| of.refused > 0)
        });
        let last = told.turned_away[0].last_refused.as_ref().expect("one was refused");
        assert!(last.why.contains("-2010") && last.instrument == "binance:spot:BTCUSDT", "{last:?}");
        assert_eq!(open_orders(&alice), 1, "it is not ours to take back");
        told.held_back().into_iter().find(|line| line.starts_with("NOT CLOSED")).expect("a line of it")
    });
    assert!(line.contains("binance:spot:BTCUSDT") && line.contains("-2010"), "{line}");
    assert!(balance(&alice, "BTC") >= 2_000_000 && summary.execution.rejected > 0);
}

#[test]
fn what_a_kill_cannot_close_is_asked_for_seldom_while_its_symbol_is_halted_and_at_once_when_it_trades_again()
{
    let venue = venue_of_little();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", HOLDER);
    let strategies = |options: &mut algo_trader::run::LiveOptions| options.pipeline.strategies = STRATEGIES;
    let status = |status: &str| {
        let fault = format!(r#"{{"fault":"symbol","symbol":"BTCUSDT","status":"{status}"}}"#);
        let fault: Fault = serde_json::from_str(&fault).expect("a fault that it knows");
        assert!(venue.control().inject(fault), "the venue is there");
    };
    let (summary, ()) = run_beside(&live, dir.path(), "run.journal", strategies, |paths| {
        until("the entry rests", || (open_orders(&alice) == 1).then_some(()));
        assert_eq!(trade(&bob, "SELL", "0.05", "IOC")["status"], "FILLED");
        trade(&bob, "BUY", "1", "GTC");
        status("HALT");
        let (operator, reason) = ("anna".into(), "a test".into());
        let kill = ControlRequest::Kill { scope: "all".into(), flatten: true, operator, reason, via: None };
        algo_trader::run::control::ask(&paths.socket, &kill).expect("it answers");
        let is_told = |reply: &ControlReply| !reply.unclosed.is_empty();
        until_reply(paths, &ControlRequest::Status, "it is not closed", is_told);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(18) {
            assert!(is_told(&asked(paths, &ControlRequest::Status)), "it is told for as long as it is so");
            std::thread::sleep(Duration::from_millis(100));
        }
        status("TRADING");
        until("it is closed", || (balance(&alice, "BTC") < 100_000).then_some(()));
    });
    let rejected = summary.execution.rejected;
    assert!((5..20).contains(&rejected), "four a second would be more than seventy: {rejected}");
    assert_replays(&live, &dir.path().join("run.journal"), &summary);
}
