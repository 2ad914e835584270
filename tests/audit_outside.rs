//! What an audit trail has besides its run: its newest hash is handed to a webhook, over TLS, and what the webhook does not
//! take is counted; limits that are not those of the run before are told.

#[path = "support/store.rs"]
mod support;
#[path = "support/webhook.rs"]
mod webhook;

use algo_trader::audit::verify::{anchors_of, read_anchors};
use algo_trader::audit::verify_file;
use algo_trader::domain::InstrumentTable;
use algo_trader::net::{TlsSettings, Webhook};
use algo_trader::run::audit::trail_of;
use algo_trader::run::{AuditRequest, AuditSummary, Config, Pace, replay_frames};
use algo_trader::venue::local::demo_instruments;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use webhook::{Came, server};

fn run(journal: &Path, webhook: Option<Webhook>, ca: Option<&Path>) -> AuditSummary {
    run_at(Pace::Max, journal, webhook, ca)
}

/// The same, of two seconds of a market that goes so fast.
fn run_at(pace: Pace, journal: &Path, webhook: Option<Webhook>, ca: Option<&Path>) -> AuditSummary {
    let mut options = support::options(Some(journal.to_owned()));
    options.pace = pace;
    options.audit = Some(AuditRequest {
        trail: None,
        anchors: None,
        anchor_every: Duration::from_millis(20),
        webhook,
        tls: TlsSettings { ca_file: ca.map(Path::to_owned), accept_any_certificate: false },
        first: Vec::new(),
        watch: None,
        limits: None,
    });
    let summary = replay_frames(&support::config(), &mut support::market(2), options).expect("a good run");
    summary.audit.expect("there is a trail")
}

#[test]
fn each_anchor_is_posted_and_the_last_is_the_trails_head() {
    let (dir, came) = (tempfile::tempdir().expect("a directory"), Came::default());
    let (port, ca) = server(|_| 204, &came);
    let address = format!("https://127.0.0.1:{port}/anchors/secret?key=more");
    let endpoint = Webhook::parse(&address).expect("an address");
    let journal = dir.path().join("run.journal");
    let summary = run(&journal, Some(endpoint), Some(ca.path()));
    assert!(summary.complete && summary.error.is_none(), "{summary:?}");
    assert_eq!(summary.webhook_failures, 0, "{summary:?}");
    let mut came = came.lock().expect("no panic").clone();
    // Those that wait at the end follow the newest.
    came.sort_by_key(|(_, body)| body["record"].as_u64());
    assert_eq!(came.len() as u64, summary.anchors);
    let anchors = read_anchors(&anchors_of(&trail_of(&journal))).expect("a file of anchors");
    assert_eq!(anchors.len(), came.len());
    for ((line, body), anchor) in came.iter().zip(&anchors) {
        assert!(line.starts_with("POST /anchors/secret?key=more "), "{line}");
        assert_eq!(
            (body["record"].as_u64(), body["hash"].as_str()),
            (Some(anchor.number), Some(anchor.link.to_string().as_str()))
        );
    }
    // Whoever kept what the webhook was told can tell that the trail is the one that it was told of.
    verify_file(&trail_of(&journal), &anchors).expect("the trail and the anchors agree");
    assert_eq!(anchors.last().copied(), summary.head);
}

#[test]
fn a_webhook_that_refuses_or_cannot_be_trusted_is_counted_and_the_trail_is_whole() {
    let (dir, came) = (tempfile::tempdir().expect("a directory"), Came::default());
    let (port, ca) = server(|_| 500, &came);
    let endpoint = Webhook::parse(&format!("https://127.0.0.1:{port}")).expect("an address");
    let journal = dir.path().join("refused.journal");
    let refused = run(&journal, Some(endpoint.clone()), Some(ca.path()));
    assert!(
        refused.complete && refused.webhook_failures == refused.anchors && refused.anchors > 0,
        "{refused:?}"
    );
    verify_file(&trail_of(&journal), &[]).expect("whole");
    let asked = came.lock().expect("no panic").len();
    assert!(asked > 0);
    // Without its authority it is nobody: nothing is sent to it.
    let stranger = run(&dir.path().join("stranger.journal"), Some(endpoint), None);
    assert!(stranger.complete && stranger.webhook_failures == stranger.anchors, "{stranger:?}");
    assert_eq!(came.lock().expect("no panic").len(), asked);
}

#[test]
fn an_end_waits_for_a_slow_webhook_no_longer_than_it_must_and_sends_the_newest_anchor_first() {
    let (dir, came) = (tempfile::tempdir().expect("a directory"), Came::default());
    // The first answer comes when nobody waits for it any more.
    let slow = |request| {
        if request == 0 {
            std::thread::sleep(Duration::from_millis(5_500));
        }
        204
    };
    let (port, ca) = server(slow, &came);
    let endpoint = Webhook::parse(&format!("https://127.0.0.1:{port}")).expect("an address");
    let journal = dir.path().join("run.journal");
    // Long enough for some anchors.
    let summary = run_at(Pace::Times(4.0), &journal, Some(endpoint), Some(ca.path()));
    assert!(summary.complete && summary.anchors > 2, "{summary:?}");
    let head = summary.head.expect("it has records");
    let came = came.lock().expect("no panic").clone();
    assert_eq!(came[1].1["record"].as_u64(), Some(head.number), "{came:?}");
    assert_eq!(summary.webhook_failures, 1, "the first, and no other");
    assert_eq!(came.len() as u64, summary.anchors);
    // Nobody answers at all: the run ends all the same, and all of them count.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let endpoint = Webhook::parse(&format!("https://127.0.0.1:{port}")).expect("an address");
    let begun = std::time::Instant::now();
    let summary = run(&dir.path().join("silent.journal"), Some(endpoint), Some(ca.path()));
    assert!(summary.complete && summary.webhook_failures == summary.anchors, "{summary:?}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn limits_that_are_not_those_of_the_run_before_are_in_the_trail_of_both() {
    let dir = tempfile::tempdir().expect("a directory");
    let trail = dir.path().join("all.audit");
    let run = |name: &str, config: &Config| {
        let mut options = support::options(Some(dir.path().join(name)));
        options.audit = Some(AuditRequest {
            trail: Some(trail.clone()),
            anchors: None,
            anchor_every: Duration::from_secs(60),
            webhook: None,
            tls: TlsSettings::default(),
            first: Vec::new(),
            watch: None,
            limits: None,
        });
        replay_frames(config, &mut support::market(1), options).expect("a good run");
        verify_file(&trail, &[]).expect("whole");
        let text = std::fs::read_to_string(&trail).expect("a trail");
        let records = text.lines().map(|line| serde_json::from_str::<Value>(&line[65..]).expect("a record"));
        records.filter(|record| record["kind"] == "limit").collect::<Vec<Value>>()
    };
    let first = support::config();
    assert_eq!(run("first.journal", &first), [] as [Value; 0], "there was none before it");
    assert_eq!(run("second.journal", &first), [] as [Value; 0], "nothing was changed");
    let text = format!("{}\n[risk.portfolio]\nopen_orders_max = 700\n", first.text);
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let changed = Config::from_text_with_instruments(&text, "tighter.toml", table).expect("good");
    let told = run("third.journal", &changed);
    assert_eq!(told.len(), 1, "{told:?}");
    let of = |key: &str| told[0][key].as_str().unwrap_or_default().to_owned();
    assert_eq!((of("limit").as_str(), of("to").as_str()), ("risk.portfolio.open_orders_max", "700"));
    assert_eq!((of("from").as_str(), of("who").as_str()), ("not written", "configuration tighter.toml"));
}

#[test]
fn anchors_that_are_named_are_held_against_the_trail_without_a_last_newline_too_and_none_is_no_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let head = run(&journal, None, None).head.expect("it has records");
    let (trail, named) = (trail_of(&journal), dir.path().join("elsewhere"));
    let verify = |text: &str| {
        std::fs::write(&named, text).expect("written");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        command.args(["audit", "verify"]).arg(&trail).arg("--anchors").arg(&named);
        let out = command.output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout) + &text(&out.stderr))
    };
    let (status, told) = verify(&head.to_string());
    assert!(status == Some(0) && told.contains("anchored to the last"), "{told}");
    let another = "0".repeat(64);
    let (status, told) = verify(&format!("{}:{another}", head.number));
    assert!(status == Some(1) && told.contains("was written anew"), "{told}");
    for none in ["", "\n", &head.to_string()[..10]] {
        let (status, told) = verify(none);
        assert!(status == Some(1) && told.contains("elsewhere: holds no anchor"), "{none:?}: {told}");
    }
}

#[test]
fn a_webhooks_certificate_is_checked_whatever_is_dared_with_the_venue() {
    let text = "[venue]\naccept_any_certificate = true\nca_file = \"ca.pem\"";
    let config = Config::from_text_with_built_in(text, "my.toml").expect("a good one");
    assert!(config.venue.tls.accept_any_certificate);
    let request = AuditRequest::new(&config).expect("a trail is kept unless told otherwise");
    assert_eq!((request.tls.accept_any_certificate, request.tls.ca_file), (false, config.venue.tls.ca_file));
}
