//! What risk denies, and what it lets pass, for the sake of live orders: nothing is asked of a venue that cannot be
//! asked, and what protects a position is not held up by the entry that it protects.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::event::{Command, Event};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{DenyReason, InstrumentId, OrderId, PausedBy, Side};
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveOptions, Summary, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::serve::{Fault, Running};
use live_orders::{Key, LiveConfig, balance, config, dollars, thousandths, venue};
use order_client::Trader;
use std::path::Path;
use std::time::{Duration, Instant};

/// Tries at each quote, whatever became of the order before.
struct Stubborn {
    instrument: InstrumentId,
    under_way: Option<OrderId>,
    tries: i64,
}

impl Strategy for Stubborn {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if self.under_way.is_some() {
            return;
        }
        self.tries += 1;
        let of = ctx.instrument(self.instrument).clone();
        let price = dollars(&of, 58_000 + self.tries % 500);
        let order = ctx.buy(self.instrument, thousandths(&of, 10)).at_limit(price);
        self.under_way = order.immediate_or_cancel().send().ok();
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if self.under_way == Some(order.order.id) && order.status.is_final() {
            self.under_way = None;
        }
    }
}

/// Enters at 60,000 with a bracket, and wants to be out as soon as something of it has filled.
struct Frightened {
    instrument: InstrumentId,
    entry: Option<OrderId>,
    armed: bool,
}

impl Strategy for Frightened {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if self.entry.is_none() && top.is_two_sided() {
            let of = ctx.instrument(self.instrument).clone();
            let entry = ctx.bracket(self.instrument, Side::Buy, thousandths(&of, 50));
            self.entry = entry.at_limit(dollars(&of, 60_000)).stop_at(dollars(&of, 1)).send().ok();
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if self.entry == Some(order.order.id) && order.filled.0 > 0 && !self.armed {
            self.armed = true;
            let above = dollars(ctx.instrument(self.instrument), 900_000);
            let armed = ctx.protect(order.order.id).stop_at(above).arm();
            assert!(armed.is_ok(), "{armed:?}");
        }
    }
}

fn build_stubborn(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Stubborn { instrument: setup.one_instrument()?, under_way: None, tries: 0 }))
}

fn build_frightened(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Frightened { instrument: setup.one_instrument()?, entry: None, armed: false }))
}

static STRATEGIES: &[StrategySpec] = &[
    StrategySpec { name: "stubborn", doc: "an order a quote", params: &[], build: build_stubborn },
    StrategySpec { name: "frightened", doc: "in, and out", params: &[], build: build_frightened },
];

fn strategy(name: &str) -> String {
    format!("[[strategy]]\nname = \"{name}\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n")
}

/// Asks for the end of a run where it goes out of scope.
struct EndsAt(Interrupt);

impl Drop for EndsAt {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Runs while `during` does its work.
fn run_during(live: &LiveConfig, journal: &Path, during: impl FnOnce()) -> Summary {
    let interrupt = Interrupt::default();
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.to_owned());
    options.pipeline.wait = Some(Wait::Backoff);
    options.pipeline.threading = Some(Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        // Ends the run whatever becomes of this test: the scope waits for it.
        let ended = EndsAt(interrupt);
        during();
        drop(ended);
        running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Waits until `found` says so.
fn until(what: &str, mut found: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !found() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn events(journal: &Path) -> Vec<Event> {
    let mut journal = JournalReader::open(journal).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    slots.map(|slot| slot.event()).collect()
}

fn orders(venue: &Running) -> usize {
    let all = Trader::new(venue, "alicehmac").try_rest(
        "GET",
        "/api/v3/allOrders",
        &[("symbol", "BTCUSDT"), ("limit", "1000")],
    );
    all.filter(|answer| answer.status == 200)
        .and_then(|answer| answer.json().as_array().map(Vec::len))
        .unwrap_or(0)
}

/// Places a limit order of this side, time in force, quantity and price.
fn limit_order(of: &Trader<'_>, [side, kind, quantity, price]: [&str; 4]) {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", kind),
        ("quantity", quantity),
        ("price", price),
    ];
    of.done("POST", "/api/v3/order", &order);
}

/// Whether there is, or was, such an order.
fn found(of: &Trader<'_>, side: &str, status: &str) -> bool {
    let all = of.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
    all.as_array().expect("orders").iter().any(|o| o["side"] == side && o["status"] == status)
}

#[test]
fn while_nothing_can_be_sent_orders_are_denied_and_none_reaches_the_client() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", &strategy("stubborn"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let summary = run_during(&live, &journal, || {
        until("orders are sent", || orders(&venue) > 3);
        let ban: Fault = serde_json::from_str(r#"{"fault":"ban","status":418,"seconds":2}"#).expect("one");
        assert!(venue.control().inject(ban));
        std::thread::sleep(Duration::from_millis(2_500));
        let before = orders(&venue);
        until("orders are sent again", || orders(&venue) > before + 3);
    });
    let told = format!("{:#}", summary.to_json());
    let events = events(&journal);
    let denied = events
        .iter()
        .filter(|event| matches!(event, Event::Denial(denial) if denial.reason == DenyReason::Suspended));
    let denied = denied.count();
    let commands: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::Command(Command::Suspend(_)) => Some(true),
            Event::Command(Command::Reopen(_)) => Some(false),
            _ => None,
        })
        .collect();
    let sent = summary.orders.as_ref().expect("orders were sent");
    println!("{denied} denied, {} refused by the client, {commands:?}", sent.count("NotSent"));
    assert!(denied >= 8, "only {denied} were denied: {told}");
    // Those that were approved before the venue's word was in the ring.
    assert!(
        sent.count("NotSent") * 4 <= denied as u64,
        "{} reached the client: {told}",
        sent.count("NotSent")
    );
    assert!(commands.len() >= 4 && !commands[commands.len() - 1], "{commands:?}");
    assert!(commands.chunks(2).all(|pair| pair == [true, false]), "told once each: {commands:?}");
    // An event of the run's own is measured from its entry, not from nothing.
    let total = summary.latencies.iter().find(|l| l.name == "total").expect("measured");
    assert!(u128::from(total.histogram.max()) < summary.elapsed.as_nanos(), "{} ns", total.histogram.max());
}

fn ban(venue: &Running, status: u16, seconds: u64) {
    let ban = format!(r#"{{"fault":"ban","status":{status},"seconds":{seconds}}}"#);
    assert!(venue.control().inject(serde_json::from_str(&ban).expect("a fault")));
}

/// Questions that the venue refused for the silence that it wants.
fn refused(venue: &Running) -> u64 {
    let stats = venue.stats();
    stats.rest_banned + stats.rest_refused
}

#[test]
fn a_start_during_a_ban_waits_for_its_end_asking_once_and_goes_on() {
    for status in [418, 429] {
        let venue = venue(|_| {});
        let live = config(&venue, Key::Hmac, "", &strategy("stubborn"));
        let dir = tempfile::tempdir().expect("a temporary directory");
        ban(&venue, status, 3);
        let begun = Instant::now();
        run_during(&live, &dir.path().join("run.journal"), || {
            until("it asked", || refused(&venue) > 0);
            std::thread::sleep(Duration::from_secs(4).saturating_sub(begun.elapsed()));
            // Before this test looks at orders: whoever asks during a ban is counted.
            assert_eq!(refused(&venue), 1, "{status}");
            until("orders are sent", || orders(&venue) > 3);
        });
    }
}

#[test]
fn a_start_that_waits_for_a_bans_end_ends_when_it_is_asked_to() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", &strategy("stubborn"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    ban(&venue, 418, 600);
    let interrupt = Interrupt::default();
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.clone());
    let ended = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        until("it asked", || refused(&venue) > 0);
        let asked = Instant::now();
        interrupt.raise();
        let ended = running.join().expect("no panic");
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        ended
    });
    let told = ended.expect_err("it was not started").to_string();
    assert!(told.contains("nothing was started"), "{told}");
    assert!(refused(&venue) == 1 && !journal.exists());
}

#[test]
fn a_protection_leaves_although_the_rest_of_its_entry_is_above_it_and_trades_with_nobody_of_ours() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let order = |side: &str, kind: &str, quantity: &str, price: &str| {
        limit_order(&bob, [side, kind, quantity, price]);
    };
    order("BUY", "GTC", "1", "59000");
    let live = config(&venue, Key::Ed25519, "reconcile_seconds = 1", &strategy("frightened"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let before = balance(&alice, "BTC");
    let found = |side: &str, status: &str| found(&alice, side, status);
    let summary = run_during(&live, &journal, || {
        until("the entry rests", || found("BUY", "NEW"));
        order("SELL", "IOC", "0.02", "60000");
        until("the exit trades", || found("SELL", "FILLED"));
        std::thread::sleep(Duration::from_millis(300));
    });
    let told = format!("{:#}", summary.to_json());
    assert!(found("BUY", "EXPIRED_IN_MATCH"), "the rest of the entry ended instead of trading: {told}");
    let exits = alice.done("GET", "/api/v3/myTrades", &[("symbol", "BTCUSDT")]);
    let exits = exits.as_array().expect("trades");
    assert_eq!(exits.iter().filter(|t| t["isBuyer"] == false).count(), 1, "{exits:#?}");
    assert!(
        exits
            .iter()
            .filter(|t| t["isBuyer"] == false)
            .all(|t| t["price"] == "59000.00" || t["price"] == "59000.00000000")
    );
    let position = summary.strategies[0].position;
    let lot = summary.strategies[0].instrument.lot.0;
    assert!(position.qty.0 < lot, "no more than the commission's rest is held: {told}");
    assert_eq!(position.qty.0, balance(&alice, "BTC") - before, "{told}");
    let denied = events(&journal).into_iter().filter(|event| matches!(event, Event::Denial(_))).count();
    assert_eq!((denied, summary.live_orders), (0, 0), "{told}");
    let ended = events(&journal)
        .into_iter()
        .filter(|event| matches!(event, Event::Report(report) if report.kind == ReportKind::Expired));
    assert_eq!(ended.count(), 1, "the entry's end was told");
}

#[test]
fn a_protection_leaves_while_a_file_pauses_its_pair() {
    let venue = venue(|_| {});
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    limit_order(&bob, ["BUY", "GTC", "1", "59000"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pairs = dir.path().join("pairs");
    std::fs::write(&pairs, "").expect("written");
    let live = config(&venue, Key::Ed25519, &format!("pairs_file = {pairs:?}"), &strategy("frightened"));
    let journal = dir.path().join("run.journal");
    let summary = run_during(&live, &journal, || {
        until("the entry rests", || found(&alice, "BUY", "NEW"));
        std::fs::write(&pairs, "binance:spot:BTCUSDT paused\n").expect("written");
        std::thread::sleep(Duration::from_secs(1));
        limit_order(&bob, ["SELL", "IOC", "0.02", "60000"]);
        until("the exit trades", || found(&alice, "SELL", "FILLED"));
    });
    let told = format!("{:#}", summary.to_json());
    let events = events(&journal);
    let paused = |event: &Event| matches!(event, Event::Command(Command::Pause(_, PausedBy::File)));
    let filled = |event: &Event| matches!(event, Event::Report(report) if report.kind == ReportKind::Fill);
    let (paused, filled) = (events.iter().position(paused), events.iter().position(filled));
    assert!(paused.is_some() && paused < filled, "it was paused when the entry filled: {told}");
    let sent = summary.orders.as_ref().expect("orders were sent");
    assert_eq!(sent.count("NotSent"), 0, "{told}");
}
