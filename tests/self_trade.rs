//! Self-trade prevention by the venue: an order meets one that the same account has placed by hand, of which no local
//! rule knows, and ends as the configured mode says, in the venue's books and in ours.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::InstrumentId;
use algo_trader::domain::event::Event;
use algo_trader::domain::order::ReportKind;
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveError, LiveOptions, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use live_orders::{Key, LiveConfig, balance, config, dollars, thousandths, venue};
use order_client::Trader;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Buys 0.02 at 60,000 at once, as far as it can be had.
struct Once {
    instrument: InstrumentId,
    done: bool,
}

impl Strategy for Once {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if !self.done && top.is_two_sided() {
            let of = ctx.instrument(self.instrument).clone();
            let order = ctx.buy(self.instrument, thousandths(&of, 20)).at_limit(dollars(&of, 60_000));
            self.done = order.immediate_or_cancel().send().is_ok();
        }
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Once { instrument: setup.one_instrument()?, done: false }))
}

static STRATEGIES: &[StrategySpec] = &[StrategySpec { name: "once", doc: "one order", params: &[], build }];

const ONCE: &str = "[[strategy]]\nname = \"once\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

fn sell(trader: &Trader<'_>, quantity: &str) {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", quantity),
        ("price", "60000"),
    ];
    trader.done("POST", "/api/v3/order", &order);
}

/// The account's order of a side, as the venue has it.
fn order_of(trader: &Trader<'_>, side: &str) -> Option<Value> {
    let all = trader.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT")]);
    all.as_array().expect("orders").iter().find(|order| order["side"] == side).cloned()
}

fn run_until(
    live: &LiveConfig,
    journal: &Path,
    mut done: impl FnMut() -> bool,
) -> Result<Summary, LiveError> {
    let interrupt = Interrupt::default();
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.to_owned());
    options.pipeline.wait = Some(Wait::Backoff);
    options.pipeline.threading = Some(Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        let end = Instant::now() + Duration::from_secs(60);
        while !done() && !running.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        // What the venue said last is on its way.
        std::thread::sleep(Duration::from_millis(300));
        interrupt.raise();
        running.join().expect("no panic")
    })
}

/// What became of an order under a mode: by the venue its own status, what it traded, in thousandths, and the status of
/// the one that rested; and what the run was told last.
struct Expected {
    choice: &'static str,
    mode: &'static str,
    came: &'static str,
    traded: i64,
    rested: &'static str,
    told: ReportKind,
}

const EXPECTED: [Expected; 5] = [
    // The symbol's own.
    Expected {
        choice: "default",
        mode: "EXPIRE_MAKER",
        came: "FILLED",
        traded: 20,
        rested: "EXPIRED_IN_MATCH",
        told: ReportKind::Fill,
    },
    Expected {
        choice: "expire-maker",
        mode: "EXPIRE_MAKER",
        came: "FILLED",
        traded: 20,
        rested: "EXPIRED_IN_MATCH",
        told: ReportKind::Fill,
    },
    Expected {
        choice: "expire-taker",
        mode: "EXPIRE_TAKER",
        came: "EXPIRED_IN_MATCH",
        traded: 0,
        rested: "NEW",
        told: ReportKind::Expired,
    },
    Expected {
        choice: "expire-both",
        mode: "EXPIRE_BOTH",
        came: "EXPIRED_IN_MATCH",
        traded: 0,
        rested: "EXPIRED_IN_MATCH",
        told: ReportKind::Expired,
    },
    // Ten of its twenty are prevented, the others trade with bob.
    Expected {
        choice: "decrement",
        mode: "DECREMENT",
        came: "FILLED",
        traded: 10,
        rested: "EXPIRED_IN_MATCH",
        told: ReportKind::Expired,
    },
];

#[test]
fn an_order_that_meets_the_accounts_own_ends_as_the_configured_mode_says() {
    for Expected { choice, mode, came, traded, rested, told } in EXPECTED {
        let venue = venue(|_| {});
        let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
        sell(&alice, "0.01");
        sell(&bob, "0.02");
        let before = balance(&alice, "BTC");
        let live = config(&venue, Key::Hmac, &format!("self_trade_prevention = {choice:?}"), ONCE);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("run.journal");
        let is_over = || order_of(&alice, "BUY").is_some_and(|order| order["status"] != "NEW");
        let summary = run_until(&live, &path, is_over).unwrap_or_else(|error| panic!("{error}"));
        let shown = format!("{choice}: {:#}", summary.to_json());

        let (ours, by_hand) =
            (order_of(&alice, "BUY").expect(&shown), order_of(&alice, "SELL").expect(&shown));
        assert_eq!(
            (&ours["status"], &ours["selfTradePreventionMode"]),
            (&came.into(), &mode.into()),
            "{shown}"
        );
        assert_eq!(by_hand["status"], rested, "{shown}");
        assert_eq!(live_orders::units(&ours["executedQty"]), traded * 100_000, "{shown}");

        let position = summary.strategies[0].position;
        let decimals = u32::from(summary.strategies[0].instrument.qty_decimals);
        let held = position.qty.0 * 10i64.pow(8 - decimals);
        assert_eq!((held, held > 0), (balance(&alice, "BTC") - before, traded > 0), "{shown}");
        assert_eq!(summary.live_orders, 0, "{shown}");
        let mut journal = JournalReader::open(&path).expect("a journal");
        let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
        let reports = slots.filter_map(|slot| match slot.event() {
            Event::Report(report) => Some(report),
            _ => None,
        });
        let last = reports.last().expect("it was told of");
        assert_eq!(last.kind, told, "{shown}");

        let mut replayed = live.config.clone();
        replayed.journal.path = None;
        let mut journal = JournalReader::open(&path).expect("a journal");
        let mut options = ReplayOptions::default();
        options.pipeline.strategies = STRATEGIES;
        let again = replay_journal(&replayed, &mut journal, options).expect("it replays");
        assert_eq!(again.order_stream_sha256, summary.order_stream_sha256, "{shown}");
    }
}

#[test]
fn a_mode_that_a_traded_symbol_does_not_allow_is_refused_at_the_start_with_those_that_it_does() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "self_trade_prevention = \"none\"", ONCE);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let Err(error) = run_until(&live, &journal, || false) else { panic!("it began") };
    let said = error.to_string();
    for part in
        ["binance:spot:BTCUSDT", "NONE", "self_trade_prevention", "EXPIRE_MAKER, EXPIRE_TAKER", "default"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!journal.exists(), "a journal of a run that never was");
}
