//! An operator's pause of an instrument, over loopback: new orders are denied, open ones stay and can be taken back, what
//! only reduces passes; it holds over a restart until it is resumed, is in the journal and the trail, and is replayed.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::audit::{ExportFormat, export};
use algo_trader::domain::event::{Command, Event};
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, InstrumentId, OrderStatus, PausedBy, Side};
use algo_trader::journal::{JournalReader, recover};
use algo_trader::market::Top;
use algo_trader::run::audit::{AuditRequest, trail_of};
use algo_trader::run::control::{ControlError, ControlPaths, ControlReply, ControlRequest, ask};
use algo_trader::run::{LiveOptions, ReplayOptions, Summary, replay_journal};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use live_orders::{Key, LiveConfig, config, dollars, ladder, thousandths, venue};
use operator::{PATIENCE, asked, run_beside};
use order_client::Trader;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const ONE: &str = "binance:spot:BTCUSDT";

/// Buys a little at the market, once, and keeps five buys far below; every tenth of a second it takes one of these back,
/// whether or not it may place another, and once it is paused and none is left it sells what it bought.
struct Rests {
    instrument: InstrumentId,
    next: i64,
    bought: bool,
    left: bool,
}

impl Strategy for Rests {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _top: &Top) {
        let of = ctx.instrument(self.instrument).clone();
        if instrument != self.instrument {
            return;
        }
        if !self.bought && ctx.quote(instrument).is_some() {
            self.bought = ctx.buy(instrument, thousandths(&of, 5)).at_market().send().is_ok();
            let _ = ctx.wake_after(Duration::from_millis(100));
        }
        for _ in ctx.open_orders(instrument).count()..5 {
            self.next = (self.next + 1) % 1_000;
            let price = dollars(&of, 58_000 - self.next);
            let _ = ctx.buy(instrument, thousandths(&of, 1)).at_limit(price).send();
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        let resting = |o: &&OrderState| o.order.side == Side::Buy && o.status == OrderStatus::Open;
        let open: Vec<_> = ctx.open_orders(self.instrument).filter(resting).map(|o| o.order.id).collect();
        if let Some(id) = open.first() {
            let _ = ctx.cancel(*id);
        }
        let held = ctx.position_in_lots(self.instrument);
        // Paused it sees no quote; and nothing of ours rests that the market order would meet.
        let alone = ctx.open_orders(self.instrument).next().is_none();
        if alone && ctx.quote(self.instrument).is_none() && held.0 > 0 && !self.left {
            self.left = ctx.sell(self.instrument, held).at_market().reduce_only().send().is_ok();
        }
        let _ = ctx.wake_after(Duration::from_millis(100));
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        assert!(order.order.side == Side::Buy || denied.is_none(), "what reduces passes: {denied:?}");
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Rests { instrument: setup.one_instrument()?, next: 0, bought: false, left: false }))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "rests", doc: "orders that rest", params: &[], build }];

const RESTS: &str = "[[strategy]]\nname = \"rests\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

fn pause(instrument: &str) -> ControlRequest {
    ControlRequest::Pause { instrument: instrument.into(), operator: "anna".into(), reason: "a test".into() }
}

fn resume(instrument: &str) -> ControlRequest {
    ControlRequest::Resume { instrument: instrument.into(), operator: "berta".into(), reason: "over".into() }
}

fn until(what: &str, mut good: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !good() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How it stands: what it says of pauses and of who holds what back is of one moment.
fn status(paths: &ControlPaths) -> ControlReply {
    let reply = asked(paths, &ControlRequest::Status);
    let by_operator = reply.held.iter().filter(|held| held.by.iter().any(|by| by == "operator"));
    let by_operator = by_operator.map(|held| held.instrument.as_str());
    assert!(reply.paused.iter().map(|paused| paused.scope.as_str()).eq(by_operator), "{reply:?}");
    reply
}

fn orders(alice: &Trader<'_>, path: &str) -> Vec<Value> {
    let answer = alice.done("GET", path, &[("symbol", "BTCUSDT")]);
    answer.as_array().expect("orders").clone()
}

/// Runs the strategy while `during` looks on.
fn run(live: &LiveConfig, dir: &Path, journal: &str, during: impl FnOnce(&ControlPaths)) -> Summary {
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.audit = AuditRequest::new(&live.config);
        assert!(options.audit.is_some(), "a trail is kept unless it is turned off");
    };
    run_beside(live, dir, journal, change, during).0
}

fn denied(summary: &Summary) -> u64 {
    summary.denials.iter().find(|d| d.0 == DenyReason::Paused.label()).map_or(0, |d| d.1)
}

/// The operator's pauses and their ends that a journal has, in order.
fn commands(journal: &Path) -> Vec<Command> {
    let mut journal = JournalReader::open(journal).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    let by_operator = |event: Event| match event {
        Event::Command(
            command @ (Command::Pause(_, PausedBy::Operator) | Command::Unpause(_, PausedBy::Operator)),
        ) => Some(command),
        _ => None,
    };
    slots.filter_map(|slot| by_operator(slot.event())).collect()
}

#[test]
fn a_paused_instrument_takes_no_new_orders_lets_go_of_what_it_has_and_stays_paused_until_it_is_resumed() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    ladder(&bob);
    let dir = tempfile::tempdir().expect("a directory");
    let summary = run(&live, dir.path(), "first.journal", |paths| {
        until("it trades", || orders(&alice, "/api/v3/openOrders").len() == 5);
        let reply = asked(paths, &pause(ONE));
        assert!(reply.stopped.is_empty(), "{reply:?}");
        until("it is paused", || !status(paths).paused.is_empty());
        let told = &status(paths).paused[0];
        assert_eq!((told.scope.as_str(), told.by.as_str(), told.reason.as_str()), (ONE, "anna", "a test"));
        // What rested is taken back one by one, and nothing takes its place.
        let placed = orders(&alice, "/api/v3/allOrders").len();
        until("its orders are taken back", || orders(&alice, "/api/v3/openOrders").is_empty());
        let sells = |orders: &[Value]| orders.iter().filter(|o| o["side"] == "SELL").count();
        until("it sells what it holds", || sells(&orders(&alice, "/api/v3/allOrders")) == 1);
        let all = orders(&alice, "/api/v3/allOrders");
        assert!(all.len() <= placed + 1, "but for what reduces, nothing was placed: {all:#?}");
        for (request, said) in [
            (pause("binance:spot:NONE"), "there is no instrument"),
            (
                ControlRequest::Pause { instrument: ONE.into(), operator: " ".into(), reason: "x".into() },
                "needs an operator",
            ),
            (resume("BTCUSDT"), "there is no instrument"),
        ] {
            let refused = ask(&paths.socket, &request);
            assert!(matches!(&refused, Err(ControlError::Refused(why)) if why.contains(said)), "{refused:?}");
        }
    });
    assert!(denied(&summary) > 0, "{:?}", summary.denials);

    // The next run of that name is paused before its first event.
    let second = run(&live, dir.path(), "second.journal", |paths| {
        let mut events = 0;
        until("it runs", || {
            events = status(paths).events;
            events > 200
        });
        let reply = status(paths);
        assert_eq!((reply.paused[0].scope.as_str(), reply.paused[0].by.as_str()), (ONE, "anna"), "{reply:?}");
        assert!(orders(&alice, "/api/v3/openOrders").is_empty(), "it stays paused");
        asked(paths, &resume(ONE));
        until("it is paused no more", || status(paths).paused.is_empty());
        until("it trades again", || orders(&alice, "/api/v3/openOrders").len() == 5);
        assert_eq!(status(paths).paused, []);
    });
    assert!(denied(&second) > 0 && second.execution.orders >= 5, "{:?}", second.denials);
    let kept = ControlPaths::new(dir.path(), &live.config.run.name).paused;
    assert_eq!(std::fs::read_to_string(kept).expect("kept").trim(), "[]");

    let btc = second.strategies[0].instrument.id;
    let (on, off) = (Command::Pause(btc, PausedBy::Operator), Command::Unpause(btc, PausedBy::Operator));
    for (journal, ran, expected) in
        [("first.journal", &summary, vec![on]), ("second.journal", &second, vec![on, off])]
    {
        let path = dir.path().join(journal);
        assert_eq!(commands(&path), expected, "{journal}");
        let mut reader = JournalReader::open(&path).expect("a journal");
        let mut replay = ReplayOptions::default();
        replay.pipeline.strategies = STRATEGIES;
        let again = replay_journal(&live.config, &mut reader, replay).expect("it replays");
        assert_eq!(again.order_stream_sha256, ran.order_stream_sha256, "{journal}");
        assert_eq!(denied(&again), denied(ran), "{journal}");
    }
    let (_, left) = recover(&dir.path().join("first.journal")).expect("it reads");
    assert_eq!(left.paused, [(btc, PausedBy::Operator)], "who goes on with it stays paused");

    let trail = std::fs::read(trail_of(&dir.path().join("first.journal"))).expect("a trail");
    let mut csv = Vec::new();
    export(trail.as_slice(), None, None, ExportFormat::Csv, &mut csv).expect("exported");
    let csv = String::from_utf8_lossy(&csv);
    for said in ["anna", &format!("pause {ONE}"), "a test", "pause by operator"] {
        assert!(csv.contains(said), "{said}: {csv}");
    }
    let trail = std::fs::read(trail_of(&dir.path().join("second.journal"))).expect("a trail");
    let text = String::from_utf8_lossy(&trail);
    let resumed = text.matches(&format!("resume {ONE}")).count();
    assert_eq!((resumed, text.contains("berta")), (1, true), "recorded once, with who did it");
}
