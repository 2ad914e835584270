//! An operator beside a live run: runs it while somebody looks on, and asks it through its control socket.

#![allow(dead_code, reason = "each user takes a part")]

use super::live_orders::{LiveConfig, options};
use algo_trader::pipeline::Threading;
use algo_trader::run::control::{ControlPaths, ControlReply, ControlRequest, ask};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{LiveOptions, Summary, run_live};
use std::path::Path;
use std::time::{Duration, Instant};

/// However slow the machine is.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Runs it into a journal of this name, its options changed by `change`, while `during` looks on.
pub fn run_beside<T>(
    live: &LiveConfig,
    dir: &Path,
    journal: &str,
    change: impl FnOnce(&mut LiveOptions),
    during: impl FnOnce(&ControlPaths) -> T,
) -> (Summary, T) {
    let interrupt = Interrupt::default();
    let path = dir.join(journal);
    let mut options = options(&path, &interrupt, Threading::Inline);
    change(&mut options);
    let paths = ControlPaths::new(dir, &live.config.run.name);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| during(&paths)));
        interrupt.raise();
        let summary = running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"));
        match seen {
            Ok(seen) => (summary, seen),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The process's answer, once it listens.
pub fn asked(paths: &ControlPaths, request: &ControlRequest) -> ControlReply {
    let begun = Instant::now();
    loop {
        match ask(&paths.socket, request) {
            Ok(reply) => return reply,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The first answer that is good.
pub fn until_reply(
    paths: &ControlPaths,
    request: &ControlRequest,
    what: &str,
    good: impl Fn(&ControlReply) -> bool,
) -> ControlReply {
    let begun = Instant::now();
    loop {
        let reply = asked(paths, request);
        if good(&reply) {
            return reply;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {reply:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Anna lets what is stopped of this scope go on.
pub fn release(scope: &str) -> ControlRequest {
    ControlRequest::Release {
        scope: scope.into(),
        operator: "anna".into(),
        reason: "a test".into(),
        via: None,
    }
}
