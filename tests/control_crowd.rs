//! The control socket beside people who ask too much of it: whoever says nothing keeps nobody else out, and what an
//! operator is called or says moves no cursor where it is shown.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/operator.rs"]
mod operator;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::run::control::{ControlRequest, ask};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Setup, Strategy, StrategySpec};
use live_orders::{Key, config, venue};
use operator::{asked, run_beside};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

struct Idle;

impl Strategy for Idle {}

fn build(_: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Idle))
}

static STRATEGIES: &[StrategySpec] = &[StrategySpec { name: "idle", doc: "nothing", params: &[], build }];

#[test]
fn who_says_nothing_keeps_nobody_out_and_names_move_no_cursor() {
    let venue = venue(|_| {});
    let section = "[[strategy]]\nname = \"idle\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";
    let live = config(&venue, Key::Hmac, "", section);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let change = |options: &mut algo_trader::run::LiveOptions| options.pipeline.strategies = STRATEGIES;
    run_beside(&live, dir.path(), "run.journal", change, |paths| {
        asked(paths, &ControlRequest::Status);
        let connect = || UnixStream::connect(&paths.socket).expect("it listens");
        // Longer than an idle one is kept, and each asks at once.
        let (begun, mut idle, mut longest) = (Instant::now(), Vec::new(), Duration::ZERO);
        while begun.elapsed() < Duration::from_secs(2) {
            idle.extend((0..16).map(|_| connect()));
            let before = Instant::now();
            let reply = ask(&paths.socket, &ControlRequest::Status);
            assert!(reply.is_ok(), "{reply:?}");
            longest = longest.max(before.elapsed());
            // As many as the system has files for.
            if idle.len() > 200 {
                idle.clear();
            }
        }
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        for (operator, reason) in
            [("an\u{1b}[2Jna", "why"), ("anna", "ring\u{7}"), ("anna\n", "why"), ("anna", "\u{9b}2J")]
        {
            let request = ControlRequest::Pause {
                instrument: "binance:spot:BTCUSDT".into(),
                operator: operator.into(),
                reason: reason.into(),
            };
            let error = ask(&paths.socket, &request).expect_err("refused").to_string();
            assert!(error.contains("none a control character"), "{error}");
        }
    });
}
