//! A run whose audit trail cannot be written: surveillance looks on without it, a person is told, and a run that it could not
//! stop does not begin.

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

use algo_trader::audit::verify::anchors_of;
use algo_trader::journal::JournalReader;
use algo_trader::pipeline::Threading;
use algo_trader::run::audit::{AuditRequest, trail_of};
use algo_trader::run::control::{ControlReply, ControlRequest, ask};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::watch::Watch;
use algo_trader::run::{LiveError, LiveOptions, run_live};
use algo_trader::strategy::StrategySpec;
use algo_trader::surveillance::{Detector, Reaction, Surveillance};
use live_orders::LiveConfig;
use operator::{release, run_beside, until_reply};
use std::path::{Path, PathBuf};
use std::time::Duration;
use watched::{RESTING, RESTS, Tenth, alerts, on_paper};

static STRATEGIES: &[StrategySpec] = &[RESTING];

/// A trail there, and a detector with this reaction to the tenth order.
fn audit(
    live: &LiveConfig,
    trail: Option<PathBuf>,
    anchors: Option<PathBuf>,
    reaction: Reaction,
) -> AuditRequest {
    let detectors: Vec<(Box<dyn Detector>, Reaction)> = vec![(Box::new(Tenth(0)), reaction)];
    let watch = Watch::with(Surveillance::new(detectors, 1), &live.config);
    let audit = AuditRequest::new(&live.config).expect("a trail is kept unless told otherwise");
    AuditRequest { watch: Some(watch), trail, anchors, ..audit }
}

#[test]
fn surveillance_halts_though_the_trail_cannot_be_written_and_status_and_webhook_tell_of_it() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    // It opens, and whatever is written to it finds the disk full.
    let full = Some(PathBuf::from("/dev/full"));
    let request = audit(&live, full, Some(dir.path().join("anchors")), Reaction::Halt);
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        options.audit = Some(request);
        options.alerts = Some(alerts(port, ca.path()));
    };
    let (summary, (broken, halted)) = run_beside(&live, dir.path(), "run.journal", change, |paths| {
        let until = |what: &str, good: &dyn Fn(&ControlReply) -> bool| {
            until_reply(paths, &ControlRequest::Status, what, good)
        };
        let broken = until("the trail is broken", &|reply| reply.audit_trail_broken.is_some());
        let halted = until("it is halted", &|reply| !reply.stopped.is_empty());
        // Who let it go on would not be recorded.
        let refused = ask(&paths.socket, &release("all")).expect_err("it is not recorded").to_string();
        assert!(refused.contains("the audit trail cannot record it"), "{refused}");
        (broken, halted)
    });
    assert_eq!((halted.stopped[0].scope.as_str(), halted.stopped[0].by.as_str()), ("all", "surveillance"));
    assert_eq!(broken.surveillance_watches, Some(true));
    let lines = broken.held_back();
    let told =
        |line: &&String| line.starts_with("AUDIT TRAIL BROKEN: /dev/full: ") && line.contains("looks on");
    assert_eq!(lines.iter().filter(told).count(), 1, "{lines:?}");
    let trail = summary.audit.expect("it was asked for");
    assert!(
        !trail.complete && trail.error.is_some() && trail.surveillance_watches == Some(true),
        "{trail:?}"
    );
    let came = came.lock().expect("no panic").clone();
    let kinds: Vec<&str> = came.iter().filter_map(|(_, body)| body["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "trail-broken").count(), 1, "{kinds:?}");
    assert!(kinds.contains(&"surveillance") && kinds.contains(&"stopped"), "{kinds:?}");
    let broken = came.iter().find(|(_, body)| body["kind"] == "trail-broken").expect("told");
    let text = broken.1["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("desk: the AUDIT TRAIL is broken: ") && text.contains("looks on"), "{text}");
}

/// Why a run with this request does not begin, and that it left nothing but what was there.
fn refused(live: &LiveConfig, dir: &Path, request: AuditRequest) -> Result<String, Box<LiveError>> {
    let journal = dir.join("run.journal");
    let mut options = live_orders::options(&journal, &Interrupt::default(), Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    options.audit = Some(request);
    options.duration = Some(Duration::from_millis(300));
    match run_live(&live.config, options) {
        Err(LiveError::Trail(error)) => {
            assert!(!journal.exists(), "nothing was begun");
            let told = LiveError::Trail(error).to_string();
            assert!(told.contains("[surveillance] do no more than warn"), "{told}");
            Ok(told)
        }
        Err(error) => Err(Box::new(error)),
        Ok(_) => {
            assert!(JournalReader::open(&journal).is_ok(), "it ran");
            std::fs::remove_file(&journal).expect("ours");
            Ok(String::new())
        }
    }
}

#[test]
fn a_run_that_surveillance_is_to_stop_does_not_begin_where_its_trail_cannot_be_gone_on_with() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let trail = trail_of(&dir.path().join("run.journal"));
    let with =
        |reaction| refused(&live, dir.path(), audit(&live, None, None, reaction)).expect("no other fault");
    std::fs::write(&trail, "damaged\n").expect("ours");
    for reaction in [Reaction::Throttle, Reaction::Halt] {
        let told = with(reaction);
        assert!(told.contains("run.journal.audit: record 1"), "{told}");
    }
    // What only warns stops nothing anyway.
    assert_eq!(with(Reaction::Warn), "");
    std::fs::remove_file(&trail).expect("ours");
    let anchors = anchors_of(&trail);
    std::fs::write(&anchors, "nonsense\n").expect("ours");
    let told = with(Reaction::Halt);
    assert!(told.contains(".anchors:1: is no anchor") && !trail.exists(), "{told}");
    std::fs::remove_file(&anchors).expect("ours");
    // Somebody else's, at the moment.
    let busy = algo_trader::audit::TrailWriter::open(&trail, &[]).expect("a new one");
    let told = with(Reaction::Halt);
    assert!(told.contains("another process writes this audit trail"), "{told}");
    drop(busy);
    let nowhere = audit(&live, Some("/dev/null/trail".into()), None, Reaction::Halt);
    assert!(refused(&live, dir.path(), nowhere).expect("refused").contains("/dev/null/trail"));
    // A good one, and one that is not there yet.
    assert_eq!(with(Reaction::Halt), "");
    std::fs::remove_file(&trail).expect("a trail was begun");
    std::fs::remove_file(&anchors).expect("and anchored");
    assert_eq!(with(Reaction::Halt), "");
    assert!(trail.exists());
}
