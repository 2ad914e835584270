//! What guards a live run, over loopback: surveillance that stops what it found, losses that outlive a restart, metrics
//! while it runs, and a trail of who came and what they did.

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

use algo_trader::audit::verify_file;
use algo_trader::domain::event::Event;
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{DenyReason, Instrument, InstrumentId, InstrumentTable, StrategyId};
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::net::{TlsSettings, Webhook};
use algo_trader::pipeline::Threading;
use algo_trader::run::audit::{AuditRequest, trail_of};
use algo_trader::run::config::TradingMode;
use algo_trader::run::control::watchdog::{WatchdogOptions, watch};
use algo_trader::run::control::{ControlPaths, ControlReply, ControlRequest, ask};
use algo_trader::run::interrupt::{Interrupt, KillSignal};
use algo_trader::run::watch::Watch;
use algo_trader::run::{AlertRequest, LiveOptions, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::surveillance::{Alert, Detector, Reaction, Seen, Surveillance};
use live_orders::{Key, LiveConfig, config, thousandths, venue};
use operator::{PATIENCE, asked, release, run_beside, until_reply};
use serde_json::Value;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watched::{RESTING, RESTS, Tenth, alerts, on_paper};

/// Buys at the market and sells again, four times, which costs its fees; then holds a little.
struct Loses {
    instrument: InstrumentId,
    of: Instrument,
    trips: u32,
}

impl Strategy for Loses {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        let idle =
            instrument == self.instrument && top.is_two_sided() && ctx.open_orders(instrument).count() == 0;
        if !idle || self.trips == 8 {
            return;
        }
        let qty = thousandths(&self.of, 100);
        let sent = if ctx.position(instrument).qty.0 > 0 {
            ctx.sell(instrument, qty).at_market().send()
        } else {
            ctx.buy(instrument, qty).at_market().send()
        };
        self.trips += u32::from(sent.is_ok());
    }

    fn on_order(&mut self, _ctx: &mut Context<'_>, _order: &OrderState, _denied: Option<DenyReason>) {}
}

/// Panics at its first quote.
struct Fails;

impl Strategy for Fails {
    fn on_quote(&mut self, _ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        panic!("no more of this");
    }
}

fn fails(_setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Fails))
}

fn loses(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    Ok(Box::new(Loses { instrument, of: setup.table.get(instrument).clone(), trips: 0 }))
}

static STRATEGIES: &[StrategySpec] = &[
    RESTING,
    StrategySpec { name: "fails", doc: "a fault", params: &[], build: fails },
    StrategySpec { name: "loses", doc: "trades that cost", params: &[], build: loses },
];

const FAILS: &str = "[[strategy]]\nname = \"fails\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";
const LOSES: &str = "[[strategy]]\nname = \"loses\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

fn who() -> (String, String) {
    ("anna".into(), "a test".into())
}

fn until(paths: &ControlPaths, what: &str, good: impl Fn(&ControlReply) -> bool) -> ControlReply {
    until_reply(paths, &ControlRequest::Metrics, what, good)
}

/// Runs it on paper while `during` looks on.
fn run<T>(
    live: &LiveConfig,
    dir: &Path,
    journal: &str,
    change: impl FnOnce(&mut LiveOptions),
    during: impl FnOnce(&ControlPaths) -> T,
) -> (Summary, T) {
    let change = |options: &mut LiveOptions| {
        options.pipeline.strategies = STRATEGIES;
        change(options);
    };
    run_beside(live, dir, journal, change, during)
}

/// The same with a trail, and with somebody who reacts to the tenth order.
fn with_trail<T>(
    live: &LiveConfig,
    dir: &Path,
    reaction: Reaction,
    alerts: Option<AlertRequest>,
    during: impl FnOnce(&ControlPaths) -> T,
) -> (Summary, Vec<Value>) {
    let detectors: Vec<(Box<dyn Detector>, Reaction)> = vec![(Box::new(Tenth(0)), reaction)];
    let watch = Watch::with(Surveillance::new(detectors, 1), &live.config);
    let audit = AuditRequest::new(&live.config).expect("a trail is kept unless told otherwise");
    let audit = AuditRequest { watch: Some(watch), ..audit };
    let (summary, _) = run(
        live,
        dir,
        "run.journal",
        |options| (options.audit, options.alerts) = (Some(audit), alerts),
        during,
    );
    let trail = trail_of(&dir.join("run.journal"));
    verify_file(&trail, &[]).expect("the trail is as it was written");
    let text = std::fs::read_to_string(trail).expect("a trail");
    let records = text.lines().map(|line| serde_json::from_str(&line[65..]).expect("a record"));
    (summary, records.collect())
}

fn kinds<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["kind"] == kind).collect()
}

fn denied(summary: &Summary, reason: DenyReason) -> u64 {
    summary.denials.iter().find(|d| d.0 == reason.label()).map_or(0, |d| d.1)
}

#[test]
fn surveillance_halts_everything_until_a_named_operator_releases_it_and_the_trail_says_who_did_what() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let told = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &told);
    let (summary, records) =
        with_trail(&live, dir.path(), Reaction::Halt, Some(alerts(port, ca.path())), |paths| {
            let halted = until(paths, "it is halted", |reply| !reply.stopped.is_empty());
            let stopped = &halted.stopped[0];
            assert_eq!((stopped.scope.as_str(), stopped.cause.as_str()), ("all", "surveillance"));
            assert_eq!(
                (stopped.by.as_str(), stopped.reason.as_str()),
                ("surveillance", "tenth-order: so many")
            );
            let open = |reply: &ControlReply| reply.metrics.as_ref().and_then(|m| m["open_orders"].as_u64());
            let events = until(paths, "nothing is open", |reply| open(reply) == Some(0)).events;
            // Its quotes go on, and it tries to order at each.
            until(paths, "the market goes on", |reply| reply.events > events + 60);
            // Somebody who talks nonsense, and somebody who asks for what is not there.
            let mut nonsense = UnixStream::connect(&paths.socket).expect("it listens");
            nonsense.write_all(b"{\"do\":\"everything\"}\n").expect("it reads");
            let mut reply = String::new();
            std::io::Read::read_to_string(&mut nonsense, &mut reply).expect("it answers");
            assert!(reply.contains("not a request"), "{reply}");
            assert!(ask(&paths.socket, &release("strategy nobody")).is_err());
            asked(paths, &release("all"));
            until(paths, "it is released", |reply| reply.stopped.is_empty());
            until(paths, "it trades again", |reply| open(reply) == Some(10));
        });
    assert!(denied(&summary, DenyReason::Surveillance) > 0, "{:?}", summary.denials);
    let alerts = kinds(&records, "alert");
    assert_eq!((alerts.len(), &alerts[0]["reaction"]), (1, &Value::from("halt")), "{alerts:?}");
    let told = told.lock().expect("no panic").clone();
    let told: Vec<_> = told.iter().filter(|(_, body)| body["kind"] == "surveillance").collect();
    assert_eq!((told.len(), &told[0].1["time"]), (1, &alerts[0]["time"]), "as the trail has it: {told:?}");
    let commands: Vec<_> =
        kinds(&records, "command").iter().map(|c| (c["command"].clone(), c["scope"].clone())).collect();
    let pair = |command: &str, scope: &str| (Value::from(command), Value::from(scope));
    assert_eq!(commands, [pair("kill", "all"), pair("release", "all")]);
    assert_eq!(kinds(&records, "command")[0]["cause"], "surveillance");
    let accesses: Vec<_> = kinds(&records, "access")
        .iter()
        .map(|a| {
            let text = |key: &str| a[key].as_str().expect("text").to_owned();
            (text("who"), text("what"), a["allowed"] == true, text("detail"))
        })
        .collect();
    let came = |who: &str, what: &str, allowed: bool, detail: &str| {
        let fits = accesses.iter().filter(|a| {
            (a.1.as_str(), a.2) == (what, allowed) && a.0.starts_with(who) && a.3.contains(detail)
        });
        assert_eq!(fits.count(), 1, "{who} {what} {allowed} {detail}: {accesses:#?}");
    };
    came("surveillance", "kill all", true, "reason: tenth-order: so many");
    let me = algo_trader::run::users::own();
    came(&me, "something that is no request", false, "refused: not a request");
    came("anna", "release strategy nobody", false, "refused: there is no strategy");
    came("anna", "release all", true, "reason: a test");
    came(&me, "metrics", true, &format!("process {}", std::process::id()));
}

#[test]
fn what_was_changed_of_the_limits_between_two_runs_is_recorded_though_each_has_a_trail_of_its_own() {
    let venue = venue(|_| {});
    let dir = tempfile::tempdir().expect("a directory");
    let told = |journal: &str, more: &str| -> Vec<[String; 3]> {
        let mut live = config(&venue, Key::Hmac, "", &format!("{RESTS}{more}"));
        live.config.trading.mode = TradingMode::Paper;
        let audit = AuditRequest::new(&live.config).expect("a trail is kept unless told otherwise");
        run(
            &live,
            dir.path(),
            journal,
            |options| options.audit = Some(audit),
            |paths| {
                until(paths, "it runs", |reply| reply.events > 20);
            },
        );
        let trail = trail_of(&dir.path().join(journal));
        verify_file(&trail, &[]).expect("the trail is as it was written");
        let text = std::fs::read_to_string(trail).expect("a trail");
        let records: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(&line[65..]).expect("a record")).collect();
        let field = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        kinds(&records, "limit").iter().map(|r| ["limit", "from", "to"].map(|name| field(r, name))).collect()
    };
    let tighter = "[risk.portfolio]\nopen_orders_max = 1700\n";
    assert_eq!(told("first.journal", ""), [] as [[String; 3]; 0], "there was no run before it");
    let changed = |from: &str, to: &str| ["risk.portfolio.open_orders_max", from, to].map(str::to_owned);
    assert_eq!(told("second.journal", tighter), [changed("not written", "1700")]);
    assert_eq!(told("third.journal", tighter), [] as [[String; 3]; 0], "nothing was changed");
    assert_eq!(told("fourth.journal", ""), [changed("1700", "not written")]);
}

#[test]
fn what_is_stopped_and_released_is_told_to_a_webhook_however_often_it_has_to_be_sent() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    // It is down twice, and knows one alert not at all.
    let (port, ca) = webhook::server(|n| [503, 429, 204, 404].get(n).copied().unwrap_or(200), &came);
    let (operator, reason) = who();
    let kill =
        ControlRequest::Kill { scope: "strategy rests".into(), flatten: false, operator, reason, via: None };
    run(
        &live,
        dir.path(),
        "run.journal",
        |options| options.alerts = Some(alerts(port, ca.path())),
        |paths| {
            for _ in 0..2 {
                asked(paths, &kill);
                until(paths, "it is stopped", |reply| !reply.stopped.is_empty());
                asked(paths, &release("all"));
                until(paths, "it is released", |reply| reply.stopped.is_empty());
            }
            // At the end the newest would go first.
            let begun = Instant::now();
            while came.lock().expect("no panic").len() < 6 {
                assert!(begun.elapsed() < PATIENCE, "it is sent until it is taken");
                std::thread::sleep(Duration::from_millis(5));
            }
        },
    );
    let came = came.lock().expect("no panic").clone();
    let told: Vec<(&str, &str)> = came
        .iter()
        .map(|(_, body)| {
            (body["kind"].as_str().unwrap_or_default(), body["text"].as_str().unwrap_or_default())
        })
        .collect();
    let stopped = ("stopped", "desk: strategy rests is STOPPED (killed) by anna: a test");
    let released = ("released", "desk: all trades again");
    assert_eq!(told, [stopped, stopped, stopped, released, stopped, released], "each until it is taken");
    let (line, body) = &came[0];
    assert_eq!(line, "POST /hook/secret/?code=more HTTP/1.1");
    for (field, value) in [
        ("run", "desk"),
        ("scope", "strategy rests"),
        ("cause", "killed"),
        ("by", "anna"),
        ("reason", "a test"),
    ] {
        assert_eq!(body[field], value, "{body}");
    }
    assert!(body["time"].as_str().is_some_and(|time| time.starts_with("20")) && body["lost"] == 0, "{body}");
}

#[test]
fn a_run_that_ends_by_a_fault_and_one_that_cannot_go_on_after_it_are_told() {
    let (_venue, live) = on_paper(FAILS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let options = |journal: &str| {
        let mut options = LiveOptions { alerts: Some(alerts(port, ca.path())), ..LiveOptions::default() };
        options.duration = Some(Duration::from_secs(60));
        options.pipeline.strategies = STRATEGIES;
        options.pipeline.threading = Some(Threading::Inline);
        options.pipeline.journal = Some(dir.path().join(journal));
        options
    };
    let ended = run_live(&live.config, options("run.journal")).expect_err("it fails").to_string();
    assert!(ended.contains("no more of this"), "{ended}");
    let mut config = live.config.clone();
    config.trading.mode = TradingMode::Live;
    let gone = dir.path().join("gone.journal");
    let refused = run_live(&config, LiveOptions { recover: Some(gone), ..options("next.journal") })
        .expect_err("no journal");
    // What was asked for wrongly is told to who asked alone.
    config.instruments = InstrumentTable::new(Vec::new()).expect("none clashes");
    run_live(&config, options("none.journal")).expect_err("nothing to follow");
    let came = came.lock().expect("no panic").clone();
    let told: Vec<&str> = came.iter().filter_map(|(_, body)| body["text"].as_str()).collect();
    let expected = [
        format!("desk: the run has ENDED by a fault: {ended}"),
        format!("desk: the run has NOT BEGUN: {refused}"),
    ];
    assert_eq!(told, expected);
    let kinds: Vec<&Value> = came.iter().map(|(_, body)| &body["kind"]).collect();
    assert_eq!(kinds, ["failed", "not-started"]);
}

#[test]
fn a_run_that_cannot_go_on_since_what_is_stopped_cannot_be_read_is_told_once() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let dir = tempfile::tempdir().expect("a directory");
    let up = |paths: &ControlPaths| {
        until(paths, "it trades", |reply| reply.orders_taken == Some(true));
        paths.latched.clone()
    };
    let (_, latched) = run(&live, dir.path(), "run.journal", |_| {}, up);
    std::fs::write(&latched, "[{\"scope\":").expect("written");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let again = dir.path().join("run.2.journal");
    let mut options = live_orders::options(&again, &Interrupt::default(), Threading::Inline);
    options.alerts = Some(alerts(port, ca.path()));
    options.pipeline.strategies = STRATEGIES;
    options.recover = Some(dir.path().join("run.journal"));
    let refused = run_live(&live.config, options).expect_err("it cannot be read").to_string();
    assert!(refused.contains(".latched"), "{refused}");
    let came = came.lock().expect("no panic").clone();
    let [(_, body)] = &came[..] else { panic!("{came:?}") };
    assert_eq!(body["kind"], "not-started");
    assert!(body["text"].as_str().is_some_and(|text| text.contains(&refused)), "{body}");
}

#[test]
fn a_start_that_waits_for_the_end_of_a_ban_is_told() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let ban = r#"{"fault":"ban","status":418,"seconds":2}"#;
    assert!(venue.control().inject(serde_json::from_str(ban).expect("a fault")));
    run(
        &live,
        dir.path(),
        "run.journal",
        |options| options.alerts = Some(alerts(port, ca.path())),
        |paths| until(paths, "it trades", |reply| reply.orders_taken == Some(true)),
    );
    let came = came.lock().expect("no panic").clone();
    let [(_, body)] = &came[..] else { panic!("{came:?}") };
    let text = body["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("desk: the run WAITS before it begins: https://127.0.0.1:"), "{text}");
    assert!(text.contains("takes no requests from here (HTTP 418") && body["kind"] == "waiting", "{body}");
}

#[test]
fn a_signal_that_comes_while_the_start_waits_for_the_end_of_a_ban_lets_it_come_up_stopped() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let dir = tempfile::tempdir().expect("a directory");
    let ban = r#"{"fault":"ban","status":418,"seconds":2}"#;
    assert!(venue.control().inject(serde_json::from_str(ban).expect("a fault")));
    let signal = KillSignal::default();
    let (_, kept) = run(
        &live,
        dir.path(),
        "run.journal",
        |options| options.kill_signal = signal.clone(),
        |paths| {
            let begun = Instant::now();
            while venue.stats().rest_banned == 0 {
                assert!(begun.elapsed() < PATIENCE, "it never asked");
                std::thread::sleep(Duration::from_millis(5));
            }
            assert!(!paths.socket.exists(), "it waits");
            // Another start of its name is refused, though there is no socket yet.
            let second = dir.path().join("second.journal");
            let second = live_orders::options(&second, &Interrupt::default(), Threading::Inline);
            let refused = run_live(&live.config, second).expect_err("it has the name").to_string();
            assert!(refused.contains("another process of this name is running"), "{refused}");
            signal.raise();
            until(paths, "it is up", |reply| reply.orders_taken == Some(true) && reply.events > 300);
            let reply = until(paths, "it is stopped", |reply| !reply.stopped.is_empty());
            assert_eq!((reply.stopped[0].scope.as_str(), reply.stopped[0].by.as_str()), ("all", "SIGUSR1"));
            std::fs::read_to_string(&paths.latched).expect("it stays so")
        },
    );
    assert!(kept.contains("SIGUSR1"), "{kept}");
    let mut journal = JournalReader::open(&dir.path().join("run.journal")).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    let acked = slots
        .filter(|slot| matches!(slot.event(), Event::Report(report) if report.kind == ReportKind::Accepted));
    assert_eq!(acked.count(), 0, "nothing was sent");
}

#[test]
fn a_key_that_the_venue_refuses_is_told_by_status_and_webhook_and_orders_go_on_once_it_is_taken_again() {
    let venue = venue(|_| {});
    let mut live = config(&venue, Key::Hmac, "", RESTS);
    live.config.trading.key_again = Duration::from_secs(3);
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let refused = r#"{"fault":"order","how":"key-refused","count":1}"#;
    assert!(venue.control().inject(serde_json::from_str(refused).expect("a fault")));
    let (summary, (while_refused, after)) = run(
        &live,
        dir.path(),
        "run.journal",
        |options| options.alerts = Some(alerts(port, ca.path())),
        |paths| {
            let refused = |reply: &ControlReply| {
                reply.no_orders.as_ref().is_some_and(|why| why.contains("refuses the key (-2015)"))
            };
            let while_refused = until(paths, "it is refused", refused);
            (while_refused, until(paths, "it is taken", |reply| reply.orders_taken == Some(true)))
        },
    );
    let lines = while_refused.held_back();
    assert!(lines.iter().any(|l| l.starts_with("NO ORDERS: the venue refuses the key (-2015)")), "{lines:?}");
    assert_eq!((while_refused.orders_taken, &after.no_orders), (Some(false), &None));
    let sent = summary.orders.as_ref().expect("orders were sent");
    let counts = ["Key", "KeyTaken", "Refused"].map(|kind| sent.count(kind));
    assert_eq!(counts, [1, 1, 1], "{}", sent.text());
    assert!(summary.execution.orders > 1, "{}", sent.text());
    let came = came.lock().expect("no panic").clone();
    let told: Vec<&str> = came.iter().map(|(_, body)| body["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(told, ["key-refused", "key-taken"]);
    let text = came[0].1["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("desk: no order is sent: the venue refuses the key (-2015)"), "{text}");
}

#[test]
fn a_watchdog_whose_key_is_refused_for_a_while_watches_once_it_is_taken() {
    let venue = venue(|_| {});
    let live = config(&venue, Key::Hmac, "", RESTS);
    let of_the_dog = config(&venue, Key::Ed25519, "", RESTS);
    let dir = tempfile::tempdir().expect("a directory");
    let heartbeat = dir.path().join("x.heartbeat");
    std::fs::write(&heartbeat, "1 0\n").expect("written");
    let refused = r#"{"fault":"order","how":"key-refused","on":"queries","count":1}"#;
    assert!(venue.control().inject(serde_json::from_str(refused).expect("a fault")));
    let options = WatchdogOptions {
        heartbeat,
        after: Duration::from_secs(1),
        key_file: of_the_dog.config.trading.key_file.clone(),
        once: true,
        interrupt: Interrupt::default(),
    };
    let begun = Instant::now();
    let outcome = watch(&live.config, &options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcome.fired, 1);
    assert!(begun.elapsed() > Duration::from_secs(3), "it was refused: {:?}", begun.elapsed());
}

#[test]
fn surveillance_and_losses_are_told_and_a_webhook_that_is_not_there_holds_nothing_back() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let came = webhook::Came::default();
    let (port, ca) = webhook::server(|_| 200, &came);
    let halted = |name: &str, port: u16| {
        let detectors: Vec<(Box<dyn Detector>, Reaction)> = vec![(Box::new(Tenth(0)), Reaction::Halt)];
        let watch = Watch::with(Surveillance::new(detectors, 1), &live.config);
        let audit = AuditRequest::new(&live.config).expect("a trail is kept unless told otherwise");
        let begun = Instant::now();
        let change = |options: &mut LiveOptions| {
            options.audit = Some(AuditRequest { watch: Some(watch), ..audit });
            options.alerts = Some(alerts(port, ca.path()));
        };
        run(&live, dir.path(), name, change, |paths| {
            until(paths, "it is halted", |reply| !reply.stopped.is_empty());
            asked(paths, &release("all"));
            until(paths, "it is released", |reply| reply.stopped.is_empty());
        });
        begun.elapsed()
    };
    halted("run.journal", port);
    let told = came.lock().expect("no panic").clone();
    let found = |kind: &str| told.iter().find(|(_, body)| body["kind"] == kind).map(|(_, body)| body.clone());
    let stopped = found("stopped").expect("a halt");
    assert_eq!((&stopped["cause"], &stopped["by"]), (&"surveillance".into(), &"surveillance".into()));
    let seen = found("surveillance").expect("what was found");
    assert_eq!((&seen["cause"], &seen["scope"]), (&"tenth-order".into(), &"strategy rests".into()), "{seen}");
    assert!(seen["reason"].as_str().is_some_and(|why| why.ends_with("; halt")), "{seen}");
    // Nobody listens there: the halt and the release are as quick, and the end waits some seconds at most.
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let took = halted("nobody.journal", closed);
    assert!(took < PATIENCE, "{took:?}");
}

/// Finds whatever comes once the webhook was asked.
struct Asked(Arc<AtomicBool>);

impl Detector for Asked {
    fn name(&self) -> &'static str {
        "asked"
    }

    fn take(&mut self, seen: &Seen) -> Option<Alert> {
        self.0.load(Ordering::Acquire).then(|| Alert {
            detector: self.name(),
            time: seen.time,
            strategy: StrategyId(0),
            instrument: seen.instrument,
            detail: "it was".into(),
        })
    }
}

#[test]
fn surveillance_halts_while_the_webhook_for_anchors_hangs() {
    let (_venue, live) = on_paper(RESTS, "");
    let dir = tempfile::tempdir().expect("a directory");
    let (was_asked, came) = (Arc::new(AtomicBool::new(false)), webhook::Came::default());
    let (answer, answered) = std::sync::mpsc::channel::<()>();
    let asked_of = Arc::clone(&was_asked);
    let (port, ca) = webhook::server(
        move |_| {
            asked_of.store(true, Ordering::Release);
            // Until everything is halted; then whatever is asked is answered.
            let _ = answered.recv();
            204
        },
        &came,
    );
    let detectors: Vec<(Box<dyn Detector>, Reaction)> = vec![(Box::new(Asked(was_asked)), Reaction::Halt)];
    let audit = AuditRequest::new(&live.config).expect("a trail is kept unless told otherwise");
    let audit = AuditRequest {
        watch: Some(Watch::with(Surveillance::new(detectors, 1), &live.config)),
        anchor_every: Duration::from_millis(10),
        webhook: Webhook::parse(&format!("https://127.0.0.1:{port}")).ok(),
        tls: TlsSettings { ca_file: Some(ca.path().to_owned()), accept_any_certificate: false },
        ..audit
    };
    let (summary, ()) = run(
        &live,
        dir.path(),
        "run.journal",
        |options| options.audit = Some(audit),
        |paths| {
            until(paths, "it is halted", |reply| !reply.stopped.is_empty());
            drop(answer);
        },
    );
    let trail = summary.audit.expect("there is a trail");
    // Had it waited, the halt would have come after the webhook was given up.
    assert_eq!((trail.webhook_failures, trail.anchors > 0, trail.complete), (0, true, true), "{trail:?}");
}

#[test]
fn surveillance_throttles_one_strategy_for_a_while() {
    let (_venue, mut live) = on_paper(&format!("{RESTS}{LOSES}"), "");
    // Long enough to be seen, however rarely it is asked.
    live.config.surveillance.throttle_seconds = 4;
    let dir = tempfile::tempdir().expect("a directory");
    let begun = Instant::now();
    let (summary, records) = with_trail(&live, dir.path(), Reaction::Throttle, None, |paths| {
        let stopped = until(paths, "it is throttled", |reply| !reply.stopped.is_empty()).stopped;
        assert_eq!(stopped.len(), 1, "{stopped:?}");
        assert!(stopped[0].scope.starts_with("strategy ") && stopped[0].by == "surveillance", "{stopped:?}");
        until(paths, "it is throttled no longer", |reply| reply.stopped.is_empty());
        assert!(begun.elapsed() >= Duration::from_secs(4));
    });
    assert!(denied(&summary, DenyReason::Surveillance) > 0, "{:?}", summary.denials);
    let alerts = kinds(&records, "alert");
    assert_eq!(alerts[0]["reaction"], "throttle", "{alerts:?}");
    let name = format!("strategy {}", alerts[0]["strategy"].as_str().expect("a name"));
    let commands: Vec<_> = kinds(&records, "command").iter().map(|c| c["scope"].clone()).collect();
    assert_eq!(commands, [name.as_str(), name.as_str()], "stopped, and released");
    let released = kinds(&records, "access").into_iter().filter(|a| a["what"] == format!("release {name}"));
    assert_eq!(released.map(|a| a["who"].clone()).collect::<Vec<_>>(), ["surveillance"]);
}

/// What a file of losses says was lost since the day began, units of 10^-8.
fn lost(paths: &ControlPaths) -> i64 {
    let text = std::fs::read_to_string(&paths.losses).unwrap_or_default();
    let kept: Value = serde_json::from_str(&text).unwrap_or_default();
    let number = |key: &str| kept["whole"][key].as_i64().unwrap_or_default();
    number("day_start") - number("profit")
}

#[test]
fn what_was_lost_before_a_restart_counts_after_it_and_metrics_tell_how_far_the_limit_is() {
    let (_venue, mut live) = on_paper(LOSES, "");
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), &live.config.run.name);
    let all_trips = |reply: &ControlReply| {
        let orders = reply.metrics.as_ref().map(|m| &m["rates"]["orders_per_min"]);
        orders.and_then(Value::as_f64).is_some_and(|n| n >= 8.0)
    };
    let quiet = |reply: &ControlReply| {
        all_trips(reply) && reply.metrics.as_ref().is_some_and(|m| m["open_orders"] == 0)
    };
    run(
        &live,
        dir.path(),
        "first.journal",
        |_| {},
        |paths| {
            until(paths, "it made its trips", quiet);
        },
    );
    let first = lost(&paths);
    assert!(first > 1_000_000_000, "trips cost: {first}");
    live.config.risk.limits.losses.daily_max = first + first / 2;
    // Somewhere else nothing was lost before, and the same trips are within the limit.
    let elsewhere = tempfile::tempdir().expect("a directory");
    let (fresh, ()) = run(
        &live,
        elsewhere.path(),
        "run.journal",
        |_| {},
        |paths| {
            let reply = until(paths, "it made its trips", quiet);
            let metrics = reply.metrics.expect("there are some");
            let limits = metrics["limits"].as_array().expect("a list");
            let daily = limits.iter().find(|l| l["name"] == "losses.daily_max").expect("it is used");
            let left = daily["left_percent"].as_f64().expect("a number");
            assert!(left > 0.0 && left < 100.0, "{daily}");
            // At least once a second, in a process that runs.
            let number = |reply: &ControlReply| reply.metrics.as_ref().and_then(|m| m["number"].as_u64());
            let reckoned = || {
                let at = number(&asked(paths, &ControlRequest::Metrics)).expect("a number");
                let (begun, wanted) = (Instant::now(), Some(at + 3));
                until(paths, "they are reckoned again", |reply| number(reply) >= wanted);
                begun.elapsed()
            };
            // Three in ten seconds, unless the machine has no time for it three times in a row.
            let (mut took, limit) = (Vec::new(), Duration::from_secs(10));
            while took.len() < 3 && took.last().is_none_or(|took| *took >= limit) {
                took.push(reckoned());
            }
            println!("3 reckonings in {took:?}; {} us each", metrics["took_us"]);
            assert!(took.last().is_some_and(|took| *took < limit), "{took:?}");
        },
    );
    assert_eq!(denied(&fresh, DenyReason::DailyLoss), 0, "{:?}", fresh.denials);
    let (second, ()) = run(
        &live,
        dir.path(),
        "second.journal",
        |_| {},
        |paths| {
            let stopped = until(paths, "the day's limit is met", |reply| !reply.stopped.is_empty()).stopped;
            assert_eq!((stopped[0].scope.as_str(), stopped[0].cause.as_str()), ("all", "daily-loss"));
        },
    );
    assert!(second.execution.orders < 8, "it was stopped before it had lost as much by itself");
    // What the first run left is in the second one's journal: it decides alike when it is replayed.
    let mut reader = JournalReader::open(&dir.path().join("second.journal")).expect("a journal");
    assert!(reader.header().carried.is_some());
    let mut options = ReplayOptions::default();
    options.pipeline.strategies = STRATEGIES;
    let replayed = replay_journal(&live.config, &mut reader, options).expect("it replays");
    assert_eq!(replayed.order_stream_sha256, second.order_stream_sha256);
    // A file that says nothing of use keeps a run from starting.
    std::fs::write(&paths.losses, "{}").expect("written");
    let third = dir.path().join("third.journal");
    let mut options = live_orders::options(&third, &Interrupt::default(), Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    let refused = run_live(&live.config, options).expect_err("it may not start").to_string();
    assert!(refused.contains(".losses") && refused.contains("cannot be guessed"), "{refused}");
}
