//! A live run that holds two instruments is killed, and then one of them is not listed any more, or stands by: what goes on with
//! it looks after the other, takes no order of that one, and says what is left without protection.

#[path = "support/killed_run.rs"]
mod killed_run;
#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, Instrument, InstrumentId, Side};
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::run::control::{ControlPaths, ControlReply, ControlRequest};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveOptions, ReplayOptions, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use killed_run::{options, run_until_killed, start, until};
use live_orders::{Key, LiveConfig, balance, dollars, spot_instruments, thousandths, venue};
use operator::{asked, run_beside, until_reply};
use order_client::{Trader, account};
use std::path::Path;
use std::time::Duration;

/// In which a journal gets to the disk.
const DELAY: Duration = Duration::from_secs(4);
/// In which whatever is silent is told of, and less than positions without a price are waited for.
const SILENCE_TOLD: Duration = Duration::from_secs(6);

const BOTH: &str = "[[strategy]]\nname = \"guarded\"\nlabel = \"of-btc\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n\
                    [[strategy]]\nname = \"guarded\"\nlabel = \"of-eth\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n";

/// Enters at the bid with a stop that no price reaches. Finding that in force, as after a crash, it has the stop where the price
/// is beyond it already.
struct Guarded {
    instrument: InstrumentId,
    began: bool,
}

impl Strategy for Guarded {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if !top.is_two_sided() || std::mem::replace(&mut self.began, true) {
            return;
        }
        let of = ctx.instrument(self.instrument).clone();
        if let Some(entry) = ctx.protections().first().map(|protection| protection.entry) {
            let armed = ctx.protect(entry).stop_at(dollars(&of, 900_000)).arm();
            return assert!(armed.is_ok(), "{armed:?}");
        }
        let entry = ctx.bracket(self.instrument, Side::Buy, thousandths(&of, 50));
        let sent = entry.at_limit(top.bid.price).stop_at(dollars(&of, 1)).send();
        assert!(sent.is_ok(), "{sent:?}");
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        assert_eq!(denied, None, "{order:?}");
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Guarded { instrument: setup.one_instrument()?, began: false }))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "guarded", doc: "one bracket", params: &[], build }];

/// Another process, which a test starts.
#[test]
fn the_run_that_is_killed() {
    run_until_killed(STRATEGIES);
}

/// Runs until it holds both, and kills it.
fn hold_both(venue: &Running, live: &LiveConfig, dir: &Path) {
    let (alice, bob) = (Trader::new(venue, "alicehmac"), Trader::new(venue, "bobhmac"));
    let run = start(live, dir);
    let entries = until("both entries rest", || {
        let open = alice.done("GET", "/api/v3/openOrders", &[]);
        open.as_array().filter(|open| open.len() == 2).cloned()
    });
    for entry in entries {
        let of = |field: &str| entry[field].as_str().expect("a text").to_owned();
        let (symbol, qty, price) = (of("symbol"), of("origQty"), of("price"));
        let opposite = [
            ("symbol", symbol.as_str()),
            ("side", "SELL"),
            ("type", "LIMIT"),
            ("timeInForce", "IOC"),
            ("quantity", &qty),
            ("price", &price),
        ];
        assert_eq!(bob.done("POST", "/api/v3/order", &opposite)["status"], "FILLED");
    }
    std::thread::sleep(DELAY);
    run.kill();
}

/// The same venue later: with these instruments alone, and alice's account as it was left.
fn later(left: &[(&str, i64)], instruments: Vec<Instrument>) -> Running {
    let amounts: Vec<(&str, String)> = left
        .iter()
        .map(|(asset, units)| (*asset, format!("{}.{:08}", units / 100_000_000, units % 100_000_000)))
        .collect();
    let amounts: Vec<(&str, &str)> =
        amounts.iter().map(|(asset, amount)| (*asset, amount.as_str())).collect();
    let mut options = ServerOptions::generated(11, instruments, 200);
    options.order_limits = (10_000, 1_000_000);
    options.limits.weight = Some(1_000_000);
    options.accounts = vec![account("alice", &amounts), account("bob", &[("USDT", "10000000")])];
    options.meets_market = false;
    Server::start(options).expect("the venue starts")
}

/// Somebody bids, so that what is sold at the market is bought.
fn bid(venue: &Running) {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "1"),
        ("price", "59000"),
    ];
    Trader::new(venue, "bobhmac").done("POST", "/api/v3/order", &order);
}

fn until_the_stop_trades(alice: &Trader<'_>) {
    until("the stop of what is listed trades", || {
        let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
        all.as_array()?.iter().any(|o| o["side"] == "SELL" && o["status"] == "FILLED").then_some(())
    });
}

/// The status once so long has passed that whatever is silent is told of.
fn settled(paths: &ControlPaths) -> ControlReply {
    until_reply(paths, &ControlRequest::Status, "a book comes", |reply| reply.feed.books_synced > 0);
    std::thread::sleep(SILENCE_TOLD);
    asked(paths, &ControlRequest::Status)
}

#[test]
fn what_the_venue_lists_no_more_is_held_back_and_keeps_nobody_from_going_on_with_the_rest() {
    let before = venue(|_| {});
    let live = live_orders::config(&before, Key::Ed25519, "reconcile_seconds = 1", BOTH);
    let dir = tempfile::tempdir().expect("a temporary directory");
    hold_both(&before, &live, dir.path());
    let alice = Trader::new(&before, "alicehmac");
    let left = ["USDT", "BTC", "ETH"].map(|asset| (asset, balance(&alice, asset)));

    // It has the asset, and none of the symbol.
    let renamed = |of: Instrument| {
        let symbol = if of.symbol == "ETHUSDT" { "OLDETHUSDT".to_owned() } else { of.symbol.clone() };
        Instrument { symbol, ..of }
    };
    let venue = later(&left, spot_instruments().into_iter().map(renamed).collect());
    let live = live_orders::config(&venue, Key::Ed25519, "reconcile_seconds = 1", BOTH);
    // A run that has nothing to look after is refused as ever.
    let fresh = dir.path().join("fresh.journal");
    let refused = run_live(&live.config, options(STRATEGIES, &fresh, &Interrupt::default(), None));
    let refused = refused.expect_err("it may not begin").to_string();
    assert!(refused.contains("binance:spot:ETHUSDT is traded by a strategy, and cannot be"), "{refused}");

    bid(&venue);
    let alice = Trader::new(&venue, "alicehmac");
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.recover = Some(dir.path().join("run.journal"));
    };
    let (summary, status) = run_beside(&live, dir.path(), "second.journal", change, |paths| {
        until_the_stop_trades(&alice);
        settled(paths)
    });
    let lines = status.held_back();
    let held = |line: &&String| {
        line.starts_with("HELD BACK binance:spot:ETHUSDT: by the venue; a position worth 13")
    };
    assert_eq!(lines.iter().filter(held).count(), 1, "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("BTCUSDT")), "{lines:?}");
    // The price of what is held back is awaited yet, which says nothing of the other.
    let silent: Vec<_> = status.market_data.iter().filter(|told| told.kind == "silent").collect();
    assert!(silent.iter().all(|told| told.instruments != ["binance:spot:BTCUSDT"]), "{silent:?}");
    let eth = summary.strategies.iter().find(|of| of.instrument.symbol == "ETHUSDT").expect("it is traded");
    assert!(eth.position.qty.0 > 0, "it is held on");

    let (second, mut config) = (dir.path().join("second.journal"), live.config.clone());
    config.journal.path = None;
    let mut journal = JournalReader::open(&second).expect("a journal");
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let again = replay_journal(&config, &mut journal, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
}

#[test]
fn what_stands_by_says_so_itself_and_that_what_is_held_of_it_has_no_protection() {
    let venue = venue(|_| {});
    let live = live_orders::config(&venue, Key::Ed25519, "", BOTH);
    let dir = tempfile::tempdir().expect("a temporary directory");
    hold_both(&venue, &live, dir.path());

    bid(&venue);
    let pairs = dir.path().join("pairs");
    std::fs::write(&pairs, "").expect("written");
    let trading = format!("pairs_file = {pairs:?}\nstandby = [\"binance:spot:ETHUSDT\"]");
    let live = live_orders::config(&venue, Key::Ed25519, &trading, BOTH);
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.recover = Some(dir.path().join("run.journal"));
    };
    let alice = Trader::new(&venue, "alicehmac");
    let (_, status) = run_beside(&live, dir.path(), "second.journal", change, |paths| {
        until_the_stop_trades(&alice);
        let status = settled(paths);
        std::fs::write(&pairs, "binance:spot:ETHUSDT added\n").expect("written");
        until_reply(paths, &ControlRequest::Status, "it is added", |reply| reply.held.is_empty());
        status
    });
    let lines = status.held_back();
    let held = |line: &&String| {
        line.starts_with("HELD BACK binance:spot:ETHUSDT: it stands by ([trading] standby)")
            && line.contains("a position worth 13")
    };
    assert_eq!(lines.iter().filter(held).count(), 1, "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("by the venue")), "{lines:?}");
}
