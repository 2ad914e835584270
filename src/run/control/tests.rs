//! What a running process answers, over its socket, from what risk publishes.

use super::*;
use crate::pipeline::{Stop, lane};
use crate::risk::snapshot::{LossTrack, RiskSnapshot, SharedSnapshot};
use crate::risk::watch::watch;
use crate::risk::{Counted, Sum};
use std::sync::PoisonError;
use std::time::Instant;

struct Running {
    _dir: tempfile::TempDir,
    config: Config,
    paths: ControlPaths,
    snapshot: SharedSnapshot,
    control: Control,
}

fn start() -> Running {
    let config = Config::embedded_default();
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), "tried");
    let prepared = PreparedControl::open(&config, paths.clone()).expect("it can be controlled");
    let (_, heard) = watch();
    let snapshot = heard.snapshot();
    let links = ControlLinks {
        commands: lane("commands", 8, 1, &Stop::default()).0,
        watch: heard,
        vitals: Vitals::default(),
        notes: None,
        alerts: Alerts::default(),
        reactions: None,
        orders: None,
        epoch: 1,
    };
    let control = prepared.start(&config, links, &[]).expect("threads");
    Running { _dir: dir, config, paths, snapshot, control }
}

impl Running {
    /// Risk tells that the first strategy earned so much this day, in units of 10^-8 quote, and the second nothing.
    fn earn(&self, profit: i128) {
        let (instruments, strategies) = (self.config.instruments.len(), self.config.strategies.len());
        let mut told = RiskSnapshot {
            time: Time(u64::try_from(profit).expect("a profit")),
            marks: vec![crate::domain::Price(100); instruments],
            values: vec![0; instruments],
            cells: vec![0; instruments * strategies],
            by_instrument: vec![Sum::default(); instruments],
            by_strategy: vec![Sum::default(); strategies],
            strategies: vec![LossTrack::default(); strategies],
            sent: vec![Counted::default(); strategies],
            trades_today: vec![0; strategies],
            ..RiskSnapshot::default()
        };
        (told.whole.profit, told.strategies[0].profit) = (profit, profit);
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    fn until(&self, what: &str, good: impl Fn(&ControlReply) -> bool) -> ControlReply {
        let begun = Instant::now();
        loop {
            let reply = ask(&self.paths.socket, &ControlRequest::Metrics).expect("it answers");
            if good(&reply) {
                return reply;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {reply:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_status_is_of_one_event_and_its_sums_agree_to_the_digit() {
    let running = start();
    // More digits than a sum with the capital has room for.
    running.earn(1_234_567);
    let metrics = running.until("metrics", |reply| reply.metrics.is_some()).metrics.expect("there are");
    assert_eq!(metrics["day_profit"], 0.012_345_67);
    for n in 2..200 {
        running.earn(n * 1_234_567);
        let reply = running.until("metrics", |reply| reply.metrics.is_some());
        let metrics = reply.metrics.expect("there are");
        let strategies = metrics["by_strategy"].as_array().expect("a list");
        let day: f64 = strategies.iter().filter_map(|line| line["day_profit"].as_f64()).sum();
        assert_eq!(metrics["day_profit"], day);
        std::thread::sleep(Duration::from_millis(7));
    }
    running.control.finish();
}

#[test]
fn losses_that_cannot_be_written_are_in_the_status_until_they_are() {
    let running = start();
    std::fs::create_dir(&running.paths.losses).expect("a directory in the way");
    running.earn(1);
    let reply = running.until("told", |reply| reply.losses_unsaved.is_some());
    let lines = reply.held_back();
    let told = lines
        .iter()
        .any(|l| l.starts_with("NOT WRITTEN") && l.contains("tried.losses") && l.contains("was lost"));
    assert!(told && reply.unsaved.is_none(), "{lines:?}");
    std::fs::remove_dir(&running.paths.losses).expect("out of the way");
    running.until("written", |reply| reply.losses_unsaved.is_none());
    running.control.finish();
    assert!(running.paths.losses.is_file());
}

#[test]
fn a_run_that_is_refused_leaves_no_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    // Its directory is made, as a journal's is.
    let paths = ControlPaths::new(&dir.path().join("not/yet"), "tried");
    let prepared =
        PreparedControl::open(&Config::embedded_default(), paths.clone()).expect("it can be controlled");
    assert!(paths.socket.exists());
    drop(prepared);
    assert!(!paths.socket.exists());
    let running = start();
    let socket = running.paths.socket.clone();
    assert!(socket.exists());
    running.control.finish();
    assert!(!socket.exists());
}

#[test]
fn losses_are_taken_over_from_beside_an_earlier_journal_and_what_is_here_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |place: &str| ControlPaths::new(&dir.path().join(place), "tried");
    let (earlier, here) = (at("earlier"), at("here"));
    here.take_losses_over(&earlier).expect("nobody knows them");
    assert!(!here.losses.exists());
    std::fs::create_dir(dir.path().join("earlier")).expect("made");
    std::fs::write(&earlier.losses, "lost").expect("written");
    here.take_losses_over(&earlier).expect("copied");
    assert_eq!(std::fs::read_to_string(&here.losses).expect("there"), "lost");
    std::fs::write(&here.losses, "more").expect("written");
    here.take_losses_over(&earlier).expect("nothing to do");
    assert_eq!(std::fs::read_to_string(&here.losses).expect("there"), "more");
}

#[test]
fn what_stays_stopped_has_a_name_or_the_start_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), "tried");
    let open = || PreparedControl::open(&Config::embedded_default(), paths.clone());
    let line = |scope: &str| {
        format!(
            "[{{\"scope\":\"{scope}\",\"cause\":\"killed\",\"by\":\"anna\",\"reason\":\"a test\",\"since\":\"\"}}]"
        )
    };
    for (file, good, gone, slips) in [
        (&paths.latched, "all", "strategy of-last-year", ["alm", "strateg/ x", ""]),
        (&paths.paused, "binance:spot:BTCUSDT", "binance:spot:OLDUSDT", ["binance:spot", "BTCUSDT", ""]),
    ] {
        for slip in slips {
            std::fs::write(file, line(slip)).expect("written");
            let refused = open().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("is the name of nothing that can be stopped"), "{slip:?}: {refused}");
        }
        for (name, count) in [(good, 1), (gone, 0)] {
            std::fs::write(file, line(name)).expect("written");
            let prepared = open().expect("a name");
            assert_eq!(prepared.kills().len() + prepared.pauses().len(), count, "{name}");
        }
        std::fs::remove_file(file).expect("ours");
    }
}
