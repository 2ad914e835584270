//! Stages on threads of their own that hang, over loopback: the heartbeat stands still while they do, status and webhook tell
//! of it, and both are over once they go on; a run that is ended meanwhile says no such thing.

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

use algo_trader::domain::DenyReason;
use algo_trader::domain::event::Trade;
use algo_trader::domain::order::OrderState;
use algo_trader::pipeline::Threading;
use algo_trader::run::LiveOptions;
use algo_trader::run::control::{ControlReply, ControlRequest};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use live_orders::{Key, config, venue};
use operator::{asked, run_beside, until_reply};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether the strategy is to hang at its next trade.
static HANG: AtomicBool = AtomicBool::new(false);
const HANGS: Duration = Duration::from_secs(5);

struct Hangs;

impl Strategy for Hangs {
    fn on_trade(&mut self, _ctx: &mut Context<'_>, _trade: &Trade) {
        if HANG.swap(false, Ordering::AcqRel) {
            std::thread::sleep(HANGS);
        }
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    setup.one_instrument()?;
    Ok(Box::new(Hangs))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "hangs", doc: "hangs for a while", params: &[], build }];

const SECTION: &str = "[[strategy]]\nname = \"hangs\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Waits until the file says something else than now; says how long that took.
fn until_another(heartbeat: &Path) -> Duration {
    let (begun, before) = (Instant::now(), std::fs::read(heartbeat).ok());
    while std::fs::read(heartbeat).ok() == before {
        assert!(begun.elapsed() < operator::PATIENCE, "it beats no more");
        std::thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

#[test]
fn the_heartbeat_stands_still_while_a_strategy_on_another_thread_hangs_and_that_is_told() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", SECTION);
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let interrupt = OnceLock::new();
    let change = |options: &mut LiveOptions| {
        interrupt.get_or_init(|| options.interrupt.clone());
        options.pipeline.strategies = STRATEGIES;
        options.pipeline.threading = Some(Threading::Shared);
        options.alerts = Some(watched::alerts(port, ca.path()));
    };
    let (_, (behind, still, after, kinds)) = run_beside(&live, dir.path(), "run.journal", change, |paths| {
        let until = |what: &str, good: &dyn Fn(&ControlReply) -> bool| {
            until_reply(paths, &ControlRequest::Status, what, good)
        };
        until("it runs", &|reply| reply.events > 500 && reply.stages_behind.is_none());
        until_another(&paths.heartbeat);
        HANG.store(true, Ordering::Release);
        let behind = until("it is told", &|reply| reply.stages_behind.is_some());
        // It beats again once the strategy goes on, and not before.
        let still = until_another(&paths.heartbeat);
        let after = until("it is over", &|reply| reply.stages_behind.is_none());
        let came = came.lock().expect("no panic").clone();
        let kinds: Vec<_> = came.iter().map(|(_, body)| body["kind"].clone()).collect();
        // Once more, and the run is ended while it hangs.
        HANG.store(true, Ordering::Release);
        until("it is told", &|reply| reply.stages_behind.is_some());
        interrupt.get().expect("it runs").raise();
        let ends = Instant::now();
        while ends.elapsed() < Duration::from_secs(1) {
            let told = asked(paths, &ControlRequest::Status).stages_behind;
            assert!(told.is_some_and(|told| told.events > 0), "it hangs on: {told:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        (behind, still, after, kinds)
    });
    let told = behind.stages_behind.expect("it is told");
    assert!(told.events > 10 && (1_000..2_500).contains(&told.for_ms), "{told:?}");
    assert!(behind.held_back().iter().any(|line| line.starts_with("STAGES BEHIND by ")), "{behind:?}");
    // Of five seconds it was told in the first two, and by then no beat came any more.
    assert!(still > Duration::from_secs(2), "{still:?}");
    assert!(after.events > behind.events, "{after:?}");
    assert_eq!(kinds, ["stages-behind"], "once");
}
