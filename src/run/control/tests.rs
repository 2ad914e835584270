//! What a running process answers, over its socket, from what risk publishes.

use super::unclosed::UnclosedPositions;
use super::*;
use crate::domain::event::Command;
use crate::domain::{DenyReason, InstrumentId, PausedBy, Pauses, Refused};
use crate::pipeline::{Stop, lane};
use crate::risk::snapshot::{LossTrack, RiskSnapshot, SharedSnapshot};
use crate::risk::watch::{Switched, Unclosed, WatchSender, watch};
use crate::risk::{Counted, Sum};
use crate::run::live::{ConnectionHealth, FollowedHealth, wall_clock};
use crate::run::store::Told;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

struct Running {
    _dir: tempfile::TempDir,
    config: Config,
    paths: ControlPaths,
    snapshot: SharedSnapshot,
    risk: WatchSender,
    vitals: Vitals,
    store: Arc<Mutex<Told>>,
    control: Control,
    _held: HeldName,
}

/// The name whose files these are, and its control.
fn open(config: &Config, paths: &ControlPaths) -> Result<(HeldName, PreparedControl), ControlError> {
    let held = HeldName::take(paths.clone())?;
    let prepared = PreparedControl::open(config, &held)?;
    Ok((held, prepared))
}

fn start() -> Running {
    let config = Config::embedded_default();
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), "tried");
    let (held, prepared) = open(&config, &paths).expect("it can be controlled");
    let (risk, heard) = watch();
    let snapshot = heard.snapshot();
    let vitals = Vitals::default();
    let store = Arc::new(Mutex::new(Told::default()));
    let links = ControlLinks {
        commands: lane("commands", 8, 1, &Stop::default()).0,
        watch: heard,
        vitals: vitals.clone(),
        notes: None,
        alerts: Alerts::default(),
        reactions: None,
        orders: None,
        store: Some(StoreLink::new(Arc::clone(&store), Duration::from_millis(1))),
        epoch: 1,
        kill_signal: crate::run::interrupt::KillSignal::default(),
    };
    let control = prepared.start(&config, links, &[]).expect("threads");
    Running { _dir: dir, config, paths, snapshot, risk, vitals, store, control, _held: held }
}

impl Running {
    /// Risk tells that the first strategy earned so much this day, in units of 10^-8 quote, and the second nothing.
    fn earn(&self, profit: i128) {
        self.tell(profit, false);
    }

    /// The same, where positions may stand at their cost yet.
    fn tell(&self, profit: i128, awaits_prices: bool) {
        let (instruments, strategies) = (self.config.instruments.len(), self.config.strategies.len());
        let mut told = RiskSnapshot {
            time: Time(u64::try_from(profit).expect("a profit")),
            awaits_prices,
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

    /// Risk comes to this moment.
    fn come_to(&self, now: Time) {
        self.tell(now.0.into(), false);
    }

    /// The lines of the status on market data.
    fn market_data(&self) -> Vec<String> {
        ask(&self.paths.socket, &ControlRequest::Status).expect("it answers").market_data_lines(100)
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
    running.control.finish(true);
}

#[test]
fn how_far_the_store_is_behind_and_that_its_database_does_not_answer_is_in_the_status() {
    let running = start();
    let journal = running.paths.losses.with_file_name("some.journal");
    std::fs::write(&journal, [0; 3_000]).expect("written");
    let tell = |asked, error: Option<&str>| {
        let mut told = running.store.lock().unwrap_or_else(PoisonError::into_inner);
        told.summary.place = "sqlite:runs.db".into();
        told.summary.rows = 7;
        told.summary.error = error.map(str::to_owned);
        (told.journal, told.taken) = (Some(journal.clone()), 1_000);
        (told.asked, told.written) = (asked, Some(Instant::now()));
    };
    let asked = || ask(&running.paths.socket, &ControlRequest::Status).expect("it answers");
    tell(None, None);
    let reply = asked();
    let store = reply.store.clone().expect("it has one");
    assert_eq!((store.rows, store.behind_bytes, store.unanswered_ms), (7, 2_000, None));
    assert!(
        store.line().starts_with("store sqlite:runs.db: 7 rows, written 0.") && reply.held_back().is_empty()
    );
    assert!(store.line().ends_with("2 KiB of the journal are not there yet"), "{}", store.line());
    tell(Some(Instant::now() - Duration::from_secs(25)), None);
    let lines = asked().held_back();
    assert!(
        matches!(&lines[..], [line] if line.starts_with("STORE sqlite:runs.db has not answered for 25.")),
        "{lines:?}"
    );
    tell(None, Some("it refuses"));
    assert!(asked().held_back()[0].starts_with("STORE it refuses: the run goes on"));
    running.control.finish(true);
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
    running.control.finish(true);
    assert!(running.paths.losses.is_file());
}

#[test]
fn what_is_stopped_is_tried_once_more_to_be_written_at_the_end_and_told_where_it_cannot_be() {
    for in_the_way in [false, true] {
        let mut running = start();
        let latched = running.paths.latched.clone();
        std::fs::create_dir(&latched).expect("a directory in the way");
        let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: false, carried: false };
        running.risk.tell(Switched::Killed(kill), Time(1));
        running.until("told", |reply| reply.unsaved.is_some());
        if in_the_way {
            let unsaved = running.control.finish(true);
            assert!(matches!(&unsaved[..], [why] if why.contains("tried.latched")), "{unsaved:?}");
            continue;
        }
        std::fs::remove_dir(&latched).expect("out of the way");
        assert_eq!(running.control.finish(true), [""; 0]);
        assert_eq!(Latched::open(&latched).expect("it reads").stopped.len(), 1);
    }
}

#[test]
fn a_run_that_is_refused_leaves_no_socket() {
    let dir = tempfile::tempdir().expect("a directory");
    // Its directory is made, as a journal's is.
    let paths = ControlPaths::new(&dir.path().join("not/yet"), "tried");
    let (held, prepared) = open(&Config::embedded_default(), &paths).expect("it can be controlled");
    assert!(paths.socket.exists());
    drop((prepared, held));
    assert!(!paths.socket.exists() && !paths.lock.exists());
    let running = start();
    let socket = running.paths.socket.clone();
    assert!(socket.exists());
    running.control.finish(true);
    assert!(!socket.exists());
}

#[test]
fn while_positions_stand_at_their_cost_no_profit_is_told_or_kept() {
    let running = start();
    running.tell(1, true);
    std::thread::sleep(Duration::from_millis(1_500));
    let reply = ask(&running.paths.socket, &ControlRequest::Metrics).expect("it answers");
    assert!(reply.metrics.is_none() && !running.paths.losses.exists(), "{:?}", reply.metrics);
    running.tell(1, false);
    running.until("metrics", |reply| reply.metrics.is_some());
    assert_eq!(running.control.finish(true), [""; 0]);
    assert!(running.paths.losses.is_file());
}

#[test]
fn what_stays_stopped_has_a_name_or_the_start_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), "tried");
    let open = || open(&Config::embedded_default(), &paths);
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
            let (_held, prepared) = open().expect("a name");
            assert_eq!(prepared.kills(None).len() + prepared.pauses().len(), count, "{name}");
        }
        std::fs::remove_file(file).expect("ours");
    }
}

#[test]
fn a_status_says_what_of_the_market_data_is_down_out_of_step_or_silent_how_long_and_what_that_means() {
    const S: u64 = 1_000_000_000;
    let running = start();
    let names: Vec<String> = running.config.instruments.all().iter().map(|i| i.name()).collect();
    assert!(names.len() >= 4, "{names:?}");
    assert_eq!(
        running.market_data(),
        ["market data: 0 of 0 connections live, 0 of 0 books in step"],
        "before the feed"
    );
    let now = wall_clock();
    let ago = |seconds: u64| Time(now.0 - seconds * S);
    let market = crate::domain::Market::Spot;
    let connection = |number, group, down_since: Option<Time>, carried| ConnectionHealth {
        market,
        number,
        group,
        down_since,
        heard_at: down_since.is_none().then(|| ago(0)),
        carried,
    };
    let followed = |id: u16, group, out_of_step_since, carried: bool| {
        let instrument = crate::domain::InstrumentId(id);
        let carried_since = carried.then(|| ago(200));
        let depth_told = id != 3;
        Some(FollowedHealth {
            instrument,
            market,
            group,
            beside: None,
            out_of_step_since,
            depth_told,
            carried_since,
            aside: None,
            unread: None,
            contradictions: None,
            trades_missing: None,
            refused: false,
            unanswered: false,
            unconfirmed: false,
        })
    };
    {
        let health = running.vitals.health();
        let mut health = health.lock().expect("no panic");
        // The third of the connections brings what the second would, and nothing what the first would.
        let silent = ConnectionHealth { heard_at: Some(ago(30)), ..connection(4, 2, None, true) };
        health.connections = vec![
            connection(1, 0, Some(ago(100)), false),
            connection(2, 1, Some(ago(7)), true),
            connection(3, 1, None, true),
            silent,
        ];
        health.instruments = vec![
            followed(0, 0, Some(ago(100)), false),
            followed(1, 1, Some(ago(30)), true),
            followed(2, 1, None, true),
            followed(3, 2, Some(ago(20)), true),
        ];
    }
    let instruments = running.config.instruments.len();
    *running.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = RiskSnapshot {
        time: ago(5),
        silent_ns: (0..instruments as u64).map(|at| Some(at * 45 * S)).collect(),
        ..RiskSnapshot::default()
    };
    let told = running.market_data();
    let starts = [
        format!("MARKET DATA connection spot 1 ({}) is down for 100.", names[0]),
        format!("MARKET DATA connection spot 2 ({}, {}) is down for 7.", names[1], names[2]),
        format!("MARKET DATA connection spot 4 ({}) is silent for 30.", names[3]),
        format!("MARKET DATA {} has a book out of step for 30.", names[1]),
        format!("MARKET DATA {} is silent for 95.", names[2]),
        format!("MARKET DATA {} has a book out of step for 20.", names[3]),
    ];
    let means = [
        "nothing else brings this data: every order in these instruments is denied (book-invalid)",
        "no order is denied",
        "closed and opened anew",
        "every order in it is denied (book-invalid)",
        "new orders in it are denied (stale-book: book_age_ms_max is 60000)",
        "by its quotes alone",
    ];
    assert_eq!(told.len(), 1 + starts.len(), "{told:#?}");
    for ((line, start), means) in told[1..].iter().zip(&starts).zip(means) {
        assert!(line.starts_with(start) && line.contains(means), "{start:?}, {means:?}: {line}");
    }
    running.control.finish(true);
}

#[test]
fn of_more_that_is_wrong_than_an_answer_has_room_for_it_is_told_how_much_is_left_out() {
    let running = start();
    let connection = |number| ConnectionHealth {
        market: crate::domain::Market::Spot,
        number,
        group: 0,
        down_since: Some(Time(1)),
        heard_at: None,
        carried: true,
    };
    running.vitals.health().lock().expect("no panic").connections = (1..=130).map(connection).collect();
    let reply = ask(&running.paths.socket, &ControlRequest::Status).expect("it answers");
    assert_eq!((reply.market_data.len(), reply.market_data_left_out), (100, 30));
    let lines = reply.market_data_lines(usize::MAX);
    assert!(lines.last().is_some_and(|line| line.contains("30 more of this kind")), "{lines:?}");
    running.control.finish(true);
}

#[test]
fn a_market_that_no_limit_says_the_age_of_is_told_as_silent_all_the_same() {
    const S: u64 = 1_000_000_000;
    let mut config = Config::embedded_default();
    config.risk.limits.book_age_max_ns = u64::MAX;
    let health = crate::run::live::SharedHealth::default();
    let of = FollowedHealth {
        instrument: crate::domain::InstrumentId(0),
        market: crate::domain::Market::Spot,
        group: 0,
        beside: None,
        out_of_step_since: None,
        depth_told: true,
        carried_since: Some(Time(0)),
        aside: None,
        unread: None,
        contradictions: None,
        trades_missing: None,
        refused: false,
        unanswered: false,
        unconfirmed: false,
    };
    health.lock().expect("no panic").instruments = vec![Some(of)];
    let watched = MarketData::new(&config, health);
    let risk = |silent| RiskSnapshot { time: Time(S), silent_ns: vec![silent], ..RiskSnapshot::default() };
    let told = |silent| watched.problems(&risk(silent), Time(S));
    assert_eq!((told(Some(60 * S)), told(None)), (vec![], vec![]), "risk may not have told of it yet");
    let risk =
        |silent| RiskSnapshot { time: Time(5 * S), silent_ns: vec![silent], ..RiskSnapshot::default() };
    let told = |silent| watched.problems(&risk(silent), Time(5 * S));
    let never = told(None);
    assert!(
        never.len() == 1 && never[0].line().contains("is silent: nothing was heard of it yet"),
        "{never:?}"
    );
    let told = told(Some(61 * S));
    assert!(told.len() == 1 && told[0].line().contains("is silent for 61.0 s: no limit says"), "{told:?}");
}

#[test]
fn frames_and_books_that_cannot_be_read_are_told_with_the_reason_and_what_to_do() {
    use crate::domain::DecimalError;
    use crate::venue::DecodeError;
    use crate::venue::binance::streams::{FetchFailure, StreamKind, UnreadFrames};
    const S: u64 = 1_000_000_000;
    let config = Config::embedded_default();
    let health = crate::run::live::SharedHealth::default();
    let error = DecodeError::Number { field: "bids", error: DecimalError::TooPrecise };
    let unread =
        UnreadFrames { frames: 595, since: Time(40 * S), at: Time(99 * S), kind: StreamKind::Diffs, error };
    let of = FollowedHealth {
        instrument: crate::domain::InstrumentId(0),
        market: crate::domain::Market::Spot,
        group: 0,
        beside: None,
        out_of_step_since: Some(Time(40 * S)),
        depth_told: true,
        carried_since: Some(Time(0)),
        aside: Some(FetchFailure::Unreadable(error)),
        unread: Some(unread),
        contradictions: Some((4, Time(90 * S))),
        trades_missing: None,
        refused: false,
        unanswered: false,
        unconfirmed: false,
    };
    health.lock().expect("no panic").instruments = vec![Some(of)];
    let watched = MarketData::new(&config, health);
    let risk = RiskSnapshot { time: Time(100 * S), silent_ns: vec![Some(0)], ..RiskSnapshot::default() };
    let told = |at: u64| -> Vec<String> {
        watched.problems(&risk, Time(at)).iter().map(MarketDataReply::line).collect()
    };
    let name = config.instruments.all()[0].name();
    let mut lines = told(100 * S);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let contradicted = lines.remove(1);
    let start =
        format!("MARKET DATA {name} has a book that its quotes contradict: 4 of its best bids and asks");
    assert!(contradicted.starts_with(&start), "{contradicted}");
    let precision = "field \"bids\": more decimals than the instrument's precision: the venue's precision has changed; \
                     update the instrument's file";
    for (line, start) in lines.iter().zip([
        format!("MARKET DATA {name} has frames that cannot be read for 60.0 s: 595 in all, the last 1.0 s ago, of its depth"),
        format!("MARKET DATA {name} has a book out of step for 60.0 s"),
    ]) {
        assert!(line.starts_with(&start) && line.contains(precision), "{start:?}: {line}");
    }
    assert_eq!(told(160 * S).len(), 1, "a minute without one");
    let reply = ControlReply {
        feed: FeedReply { decode_errors: 595, ..FeedReply::default() },
        ..ControlReply::default()
    };
    assert!(reply.market_data_lines(1)[0].ends_with(", 595 frames could not be read"));
}

#[test]
fn of_a_process_that_does_not_answer_it_is_told_which_it_is_and_what_can_be_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("hangs.sock");
    // The kernel takes the connection, and nobody ever does.
    let _listens = UnixListener::bind(&socket).expect("it listens");
    let error = ask(&socket, &ControlRequest::Status).expect_err("nobody answers");
    let me = i32::try_from(std::process::id()).ok();
    assert!(matches!(&error, ControlError::Silent { process, .. } if *process == me), "{error:?}");
    let told = error.to_string();
    for part in [
        format!("process {} does not answer within 5 s: it is stopped, or hangs", std::process::id()),
        format!("`kill -CONT {}`", std::process::id()),
        "ctl watchdog".to_owned(),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    // One that was stopped is told from one that hangs.
    let mut sleeps = std::process::Command::new("sleep").arg("60").spawn().expect("it starts");
    let process = i32::try_from(sleeps.id()).expect("a number");
    let signal = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal).expect("ours");
    signal(nix::sys::signal::Signal::SIGSTOP);
    let begun = Instant::now();
    while silent(&socket, Some(process)).contains("or hangs") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is never stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    sleeps.kill().expect("ours");
    sleeps.wait().expect("it ended");
}

#[test]
fn what_a_person_stopped_is_the_limits_once_its_losses_are_over_it() {
    let mut running = start();
    let latched = running.paths.latched.clone();
    let mut stopped = |cause, second: u16, shown: usize| {
        let kill = Kill { scope: Scope::All, cause, flatten: false, carried: false };
        running.risk.tell(Switched::Killed(kill), Time(u64::from(second) * 1_000_000_000));
        // Told after it, of something else: what was told before is written down by then.
        let other =
            Kill { scope: Scope::Instrument(InstrumentId(second)), cause, flatten: false, carried: false };
        running.risk.tell(Switched::Killed(other), Time(0));
        let reply = running.until("it is written down", |reply| reply.stopped.len() == shown);
        reply.stopped.into_iter().find(|stopped| stopped.scope == "all").expect("everything is stopped")
    };
    let by_person = stopped(DenyReason::Killed, 0, 2);
    assert_eq!(by_person.cause, "killed");
    let by_limit = stopped(DenyReason::DailyLoss, 1, 3);
    assert_eq!((by_limit.cause.as_str(), by_limit.by.as_str()), ("daily-loss", "limit"));
    assert!(by_limit.reason.contains(&by_person.reason) && by_limit.since != by_person.since, "{by_limit:?}");
    assert!(by_limit.is_by_limit() && !by_person.is_by_limit());
    // It is on disk, and stays what it is whatever else is told.
    let kept = Latched::open(&latched).expect("it reads").stopped;
    assert!(kept.contains(&by_limit), "{kept:?}");
    assert_eq!(stopped(DenyReason::Drawdown, 2, 4), by_limit, "the first limit is its reason");
    assert_eq!(stopped(DenyReason::Killed, 3, 5), by_limit);
    // That it is closed, too, is kept with when that was asked for: the end of a journal may lack this alone.
    let closes = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried: false };
    running.risk.tell(Switched::Killed(closes), Time(9_000_000_000));
    let told =
        running.until("it closes", |reply| reply.stopped.iter().any(|stopped| stopped.flatten)).stopped;
    let flatten_since = Some(Time(9_000_000_000).to_string());
    assert!(told.contains(&Stopped { flatten: true, flatten_since, ..by_limit }), "{told:?}");
}

#[test]
fn trades_that_are_missing_and_a_clock_that_is_behind_are_told_with_what_to_do() {
    const S: u64 = 1_000_000_000;
    let config = Config::embedded_default();
    let market = crate::domain::Market::Spot;
    let health = crate::run::live::SharedHealth::default();
    {
        let mut health = health.lock().expect("no panic");
        let of = |at: u16, trades_missing| FollowedHealth {
            instrument: InstrumentId(at),
            market,
            group: 0,
            beside: None,
            out_of_step_since: None,
            depth_told: true,
            carried_since: Some(Time(0)),
            aside: None,
            unread: None,
            contradictions: None,
            trades_missing,
            refused: false,
            unanswered: false,
            unconfirmed: false,
        };
        health.instruments = vec![Some(of(0, Some((3, Time(98 * S))))), Some(of(1, None))];
        health.clocks_behind = vec![(market, 312 * S), (crate::domain::Market::UsdM, S / 2)];
    }
    let watched = MarketData::new(&config, health);
    let risk = RiskSnapshot { time: Time(100 * S), silent_ns: vec![Some(0); 2], ..RiskSnapshot::default() };
    let told = |at: u64| -> Vec<String> {
        watched.problems(&risk, Time(at * S)).iter().map(MarketDataReply::line).collect()
    };
    let names: Vec<_> = config.instruments.all().iter().map(|i| i.name()).collect();
    let lines = told(100);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let clock = format!(
        "MARKET DATA {}, {} is ahead of this host's clock: its trades are dated at least 312.0 s after they came",
        names[0], names[1]
    );
    assert!(lines[0].starts_with(&clock) && lines[0].contains("timedatectl"), "{}", lines[0]);
    let missing = format!(
        "MARKET DATA {} lacks trades: 3 in all are missing by their ids, the last 2.0 s ago",
        names[0]
    );
    assert!(lines[1].starts_with(&missing), "{}", lines[1]);
    assert_eq!(told(159).len(), 1, "a minute after the last nothing is told of them");
}

#[test]
fn a_close_that_is_refused_on_is_in_the_status_and_one_that_met_open_orders_is_not() {
    let mut running = start();
    let of = InstrumentId(0);
    let name = running.config.instruments.get(of).name();
    let mut refused = |why, times: u32, shown: u16| {
        (0..times).for_each(|_| running.risk.tell(Switched::NotClosed(of, why), Time(0)));
        // Told after it, of something else: what was told before is known by then.
        let (scope, cause) = (Scope::Instrument(InstrumentId(shown)), DenyReason::Killed);
        running.risk.tell(Switched::Killed(Kill { scope, cause, flatten: false, carried: false }), Time(0));
        running.until("it is heard", |reply| reply.stopped.len() == usize::from(shown)).held_back()
    };
    let told = |lines: &[String]| lines.iter().find(|line| line.starts_with("NOT CLOSED")).cloned();
    assert_eq!(told(&refused(Unclosed::Denied(DenyReason::InsufficientBalance), 4, 1)), None);
    let lines = refused(Unclosed::Refused(Refused { code: -2010, cause: 2, filter: 0 }), 1, 2);
    let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
    let words = "-2010 NEW_ORDER_REJECTED: the balance is too small";
    assert!(line.starts_with(&format!("NOT CLOSED {name}: 5 times")) && line.contains(words), "{line}");
    // Half of it, and half of that, is denied in the end for being too little, which is no reason.
    let lines = refused(Unclosed::Denied(DenyReason::MinNotional), 1, 3);
    let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.starts_with(&format!("NOT CLOSED {name}: 6 times")) && line.contains(words), "{line}");
    // That nobody is there to trade with is a reason, too.
    let lines = refused(Unclosed::Untraded, 1, 4);
    let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
    let words = "7 times what was to close it came to nothing, the last time because the venue found nobody";
    assert!(line.contains(words), "{line}");
    running.risk.tell(Switched::Released(Scope::All), Time(0));
    running.until("it is let go of", |reply| reply.unclosed.is_empty());
    // What an earlier run was to close is told at once, and stays until somebody has looked.
    running.risk.tell(Switched::NotClosed(of, Unclosed::Unlooked), Time(0));
    let lines = running.until("it is heard", |reply| !reply.unclosed.is_empty()).held_back();
    let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.contains(&name) && line.contains("ctl resume") && line.contains("ctl release"), "{line}");
    running.risk.tell(Switched::Agrees(of), Time(0));
    running.until("somebody has looked", |reply| reply.unclosed.is_empty());
    // A kill that does not decide of it is not told of it again, and leaves it where it is.
    running.risk.tell(Switched::NotClosed(of, Unclosed::Unlooked), Time(0));
    let before = running.until("it is heard", |reply| !reply.unclosed.is_empty()).stopped.len();
    let (scope, cause) = (Scope::All, DenyReason::Killed);
    running.risk.tell(Switched::Killed(Kill { scope, cause, flatten: true, carried: true }), Time(0));
    let reply = running.until("it is stopped", |reply| reply.stopped.len() > before);
    assert!(!reply.unclosed.is_empty(), "{reply:?}");
    running.risk.tell(Switched::Decided(of), Time(0));
    running.until("it is decided", |reply| reply.unclosed.is_empty());
    // So is what waits for the answer of an order of before, until it has one.
    running.risk.tell(Switched::NotClosed(of, Unclosed::Unanswered), Time(0));
    let lines = running.until("it is heard", |reply| !reply.unclosed.is_empty()).held_back();
    let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.contains(&format!("{name}: an order of before may still close it")), "{line}");
    running.come_to(Time(4_000_000_000));
    running.until("it has its answer", |reply| reply.unclosed.is_empty());
    // And what there is no way to send anything for.
    for (why, words, at) in [
        (Unclosed::Suspended, "no orders are taken for it now", Time(10_000_000_000)),
        (Unclosed::NoMarket, "its price is not known on both sides", Time(20_000_000_000)),
        (Unclosed::LessThanALot, "less than the smallest lot", Time(30_000_000_000)),
    ] {
        running.risk.tell(Switched::NotClosed(of, why), at);
        let lines = running.until("it is heard", |reply| !reply.unclosed.is_empty()).held_back();
        let line = told(&lines).unwrap_or_else(|| panic!("{lines:?}"));
        assert!(line.contains(&format!("{name}: ")) && line.contains(words), "{line}");
        running.come_to(at.plus_nanos(4_000_000_000));
        running.until("it is so no more", |reply| reply.unclosed.is_empty());
    }
}

#[test]
fn what_risk_told_last_of_what_is_not_closed_is_told_on_while_no_event_comes_as_at_the_end_of_a_run() {
    let mut running = start();
    let (of, at) = (InstrumentId(0), Time(10_000_000_000));
    running.risk.tell(Switched::NotClosed(of, Unclosed::Suspended), at);
    running.come_to(at.plus_nanos(500_000_000));
    running.until("it is heard", |reply| !reply.unclosed.is_empty());
    // So long a run may wait for a venue that it cannot reach.
    std::thread::sleep(Duration::from_secs(4));
    let told = ask(&running.paths.socket, &ControlRequest::Status).expect("it answers").unclosed;
    assert!(matches!(&told[..], [told] if told.why.contains("no orders are taken")), "{told:?}");
    running.control.finish(true);
}

#[test]
fn that_one_position_is_less_than_a_lot_is_told_once_though_what_closes_anothers_comes_to_nothing() {
    let (config, (alerts, told)) = (Config::embedded_default(), Alerts::heard_by_a_test());
    let (names, mut unclosed) = (ScopeNames::new(&config), UnclosedPositions::default());
    let small = Unclosed::Denied(DenyReason::MinNotional);
    for minute in 0..10 {
        let at = |second: u64| Time((minute * 60 + second) * 1_000_000_000);
        unclosed.refused(InstrumentId(0), small, &names, &alerts, at(0));
        (1..60).for_each(|second| {
            unclosed.refused(InstrumentId(0), Unclosed::LessThanALot, &names, &alerts, at(second));
        });
    }
    let of = unclosed.told(&names, Time(600_000_000_000));
    assert_eq!(of.iter().map(|of| of.times).collect::<Vec<_>>(), [10, 0], "{of:?}");
    assert_eq!(told.try_iter().count(), 2, "and each once");
}

#[test]
fn what_is_held_back_is_said_to_be_unprotected_where_it_is_more_than_a_commission_left() {
    let running = start();
    let of = InstrumentId(0);
    let held = |lots_held: bool| {
        running.earn(1);
        let mut risk = running.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        (risk.values[0], risk.lots_held) = (700_000_000, vec![lots_held; running.config.instruments.len()]);
        risk.pauses = Pauses::new(&running.config.instruments);
        risk.pauses.take(Command::Pause(of, PausedBy::Venue));
        drop(risk);
        running.until("it is held back", |reply| !reply.held.is_empty()).held.remove(0).unprotected
    };
    assert_eq!((held(true), held(false)), (Some("7".to_owned()), None));
    running.control.finish(true);
}

#[test]
fn what_is_closed_at_last_is_told_as_not_closed_no_more_and_is_no_mistake_at_the_end() {
    let mut running = start();
    let of = InstrumentId(0);
    let of_balance = Unclosed::Refused(Refused { code: -2010, cause: 2, filter: 0 });
    for why in
        [of_balance, Unclosed::Denied(DenyReason::MinNotional), Unclosed::Unanswered, Unclosed::Unlooked]
    {
        (0..5).for_each(|_| running.risk.tell(Switched::NotClosed(of, why), Time(0)));
        // Of another nothing is said.
        (0..5).for_each(|_| running.risk.tell(Switched::NotClosed(InstrumentId(1), of_balance), Time(0)));
        running.until("both are told", |reply| reply.unclosed.len() == 2);
        running.risk.tell(Switched::Closed(of), Time(0));
        let begun = Instant::now();
        let left = running.until("one is closed", |reply| reply.unclosed.len() == 1).unclosed;
        // Which is before time alone takes it off.
        assert!(begun.elapsed() < Duration::from_secs(2), "{why:?}: {:?}", begun.elapsed());
        assert_eq!(left[0].instrument, running.config.instruments.get(InstrumentId(1)).name());
    }
}

#[test]
fn one_that_hangs_with_its_queue_full_is_told_in_time_and_nobody_takes_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let paths = ControlPaths::new(dir.path(), "hangs");
    let address = SockAddr::unix(&paths.socket).expect("a short path");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    listener.bind(&address).expect("the place is free");
    listener.listen(0).expect("it listens");
    let mut queued = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("it can be");
        match socket.connect(&address) {
            Ok(()) => queued.push(socket),
            Err(error) => break assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "the queue is full"),
        }
    }
    let begun = Instant::now();
    std::thread::scope(|threads| {
        let asked = threads.spawn(|| ask(&paths.socket, &ControlRequest::Status));
        let opened = open(&Config::embedded_default(), &paths);
        assert!(matches!(opened, Err(ControlError::Taken { .. })), "it is there");
        let error = asked.join().expect("no panic").expect_err("nobody answers");
        assert!(matches!(error, ControlError::Silent { process: None, .. }), "{error:?}");
        let told = error.to_string();
        assert!(told.contains("does not answer within 5 s: it is stopped, or hangs"), "{told}");
    });
    assert!((ANSWERED_WITHIN..ANSWERED_WITHIN * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}
