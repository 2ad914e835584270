//! A database is a projection of the journal: whatever happens to it, or to us, it comes to hold the same rows.
//!
//! The same cases run over SQLite and over a real PostgreSQL server with TLS, which is started from the installed
//! binaries; where there are none these are skipped with a line that says so.

#[path = "support/on_server.rs"]
mod on_server;
#[path = "support/postgres.rs"]
mod postgres_server;
#[path = "support/store.rs"]
mod support;

use algo_trader::domain::{InstrumentTable, Market, Time};
use algo_trader::market::{Bar, BarSpec};
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use algo_trader::run::{Config, StoreRequest, StoreThread, Summary, replay_frames};
use algo_trader::store::{Loader, StoreError, StoreOptions, StoreUrl};
use algo_trader::strategy::{Context, Strategy, StrategySpec};
use algo_trader::venue::local::demo_instruments;
use on_server::OnServer;
use postgres_server::{PASSWORD, Server};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{Database, Faulty, Gate, Sqlite, config, damaged, journal, market, options, settings};

type Content = BTreeMap<&'static str, Vec<Vec<String>>>;

/// What every case is given: a journal, what its run said, and what a database holds of it.
struct Given {
    dir: tempfile::TempDir,
    journal: PathBuf,
    summary: Summary,
    content: Content,
}

fn given() -> Given {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = journal(dir.path(), 12);
    let mut database = Sqlite::new();
    load(&mut database, &journal, 100);
    let content = database.content();
    Given { dir, journal, summary, content }
}

fn load(database: &mut dyn Database, journal: &Path, batch_rows: usize) -> bool {
    let mut loader = Loader::open(journal, settings(batch_rows)).expect("a journal").expect("with a header");
    loader.load(&mut *database.open()).expect("the database is up")
}

fn request(database: &dyn Database, wrap: impl Fn(Faulty) -> Faulty + Send + 'static) -> StoreRequest {
    let (url, options) = (database.url(), database.options());
    let random = Arc::new(Mutex::new(1));
    StoreRequest {
        place: url.to_string(),
        open: Box::new(move || {
            let inner = algo_trader::store::open(&url, &options)?;
            Ok(Box::new(wrap(Faulty { inner, random: Arc::clone(&random), one_in: 0, gate: None })))
        }),
        loader: settings(150),
        flush: Duration::from_millis(20),
        finish: Duration::from_secs(300),
        silence: Duration::from_millis(200),
    }
}

/// Decimal text without the zeros that only show its precision.
fn trimmed(text: &str) -> String {
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn count(database: &mut dyn Database, sql: &str) -> u64 {
    database.query(&format!("SELECT CAST(count(*) AS TEXT) FROM {sql}"))[0][0].parse().expect("a count")
}

fn the_rows_are_what_the_run_says_of_itself(given: &Given, db: &mut dyn Database) {
    assert!(load(db, &given.journal, 1_000), "the run came to its end");
    assert_eq!(db.content(), given.content, "both databases hold the same");
    let did = &given.summary.execution;
    assert!(did.fills > 50 && did.denials > 5 && did.cancels > 5 && did.rejected > 0, "{did:?}");
    assert_eq!(count(db, "orders WHERE denied IS NULL"), did.orders);
    assert_eq!(count(db, "orders WHERE denied IS NOT NULL"), did.denials);
    assert_eq!(count(db, "order_events WHERE event = 'cancel-sent'"), did.cancels);
    assert_eq!(count(db, "order_events WHERE event = 'rejected'"), did.rejected);
    assert_eq!(count(db, "fills"), did.fills);
    let live = "order_now WHERE status IN ('pending-new', 'open', 'partially-filled', 'pending-cancel')";
    assert_eq!(count(db, live), given.summary.live_orders as u64);
    assert_eq!(count(db, "denials WHERE rule IS NOT NULL"), did.denials);
    for (reason, n, last) in &given.summary.denials {
        assert_eq!(count(db, &format!("orders WHERE denied = '{reason}'")), *n, "{reason}");
        let Some(last) = last else { continue };
        let sql = "SELECT CAST(rule_limit AS TEXT), CAST(order_value AS TEXT), unit FROM denial_list WHERE reason = ";
        let rows = db.query(&format!("{sql}'{reason}' ORDER BY seq"));
        let told = rows.last().map(|row| [trimmed(&row[0]), trimmed(&row[1]), row[2].clone()]);
        assert_eq!(told, Some([trimmed(&last.limit), trimmed(&last.value), last.unit.clone()]), "{reason}");
    }
    let held = db.query(
        "SELECT strategy, instrument, CAST(qty AS TEXT), CAST(realised AS TEXT), CAST(unrealised AS TEXT), \
         CAST(fees AS TEXT), CAST(net AS TEXT), CAST(fills AS TEXT) FROM position_now ORDER BY strategy, instrument",
    );
    let held: Vec<Vec<String>> = held.iter().map(|r| r.iter().map(|v| trimmed(v)).collect()).collect();
    let traded = given.summary.strategies.iter().filter(|s| s.position.fills > 0);
    let mut said: Vec<Vec<String>> = traded
        .map(|s| {
            let fills = s.position.fills.to_string();
            vec![
                s.label.clone(),
                s.instrument.name(),
                s.qty(),
                s.realised(),
                s.unrealised(),
                s.fees(),
                s.net(),
                fills,
            ]
        })
        .collect();
    said.sort();
    assert!(said.len() >= 3, "several positions: {said:?}");
    assert_eq!(held, said, "positions, fees and profit to the last digit");
    assert!(count(db, "bars") > 20 && count(db, "equity") > 10);
    assert_eq!(count(db, "fill_list"), did.fills);
    assert_eq!(count(db, "strategy_pnl"), 3, "each in USDT");
}

fn loading_again_or_in_other_batches_changes_nothing(given: &Given, db: &mut dyn Database) {
    for batch_rows in [5, 333, 100_000] {
        assert!(load(db, &given.journal, batch_rows));
        assert_eq!(db.content(), given.content, "batches of {batch_rows}");
        assert!(load(db, &given.journal, 100));
        assert_eq!(db.content(), given.content, "again");
        db.delete();
    }
}

fn a_journal_that_grows_is_taken_in_as_it_grows(given: &Given, db: &mut dyn Database) {
    let bytes = std::fs::read(&given.journal).expect("it is there");
    let growing = given.dir.path().join("growing.journal");
    // Cut anywhere, at first in its header: each load takes what is whole, from where the last one ended.
    for part in [0, 5, 20, 9_999, bytes.len() / 3, bytes.len() / 2 + 1, bytes.len() - 1] {
        std::fs::write(&growing, &bytes[..part]).expect("a good disk");
        if let Some(mut loader) = Loader::open(&growing, settings(64)).expect("a journal that begins") {
            assert!(!loader.load(&mut *db.open()).expect("the database is up"), "no end yet");
        }
    }
    std::fs::write(&growing, &bytes).expect("a good disk");
    assert!(load(db, &growing, 64));
    assert_eq!(db.content(), given.content);
}

fn a_damaged_journal_is_taken_in_up_to_where_it_is(given: &Given, db: &mut dyn Database) {
    let (before, hurt) = damaged(&given.journal);
    assert!(!load(db, &before, 64), "no end yet");
    let whole = db.content();
    for batch_rows in [64, 100_000] {
        db.delete();
        let mut loader =
            Loader::open(&hurt, settings(batch_rows)).expect("a journal").expect("with a header");
        let error = loader.load(&mut *db.open()).expect_err("it is damaged");
        assert!(error.to_string().contains("hurt.journal"), "{error}");
        assert!(loader.counts().rows > 0 && db.content() == whole, "batches of {batch_rows}");
    }
}

fn faults_at_any_moment_lose_and_double_nothing(given: &Given, db: &mut dyn Database) {
    for seed in 1..=3u64 {
        let random = Arc::new(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let asked = request(db, move |faulty| Faulty { one_in: 6, random: Arc::clone(&random), ..faulty });
        let thread = StoreThread::start(asked).expect("a thread");
        thread.follow(&given.journal, &[]);
        let summary = thread.finish();
        assert!(summary.caught_up && summary.retries > 0, "seed {seed}: {summary:?}");
        assert_eq!(db.content(), given.content, "seed {seed}");
        db.delete();
    }
}

fn a_database_that_was_deleted_is_filled_again(given: &Given, db: &mut dyn Database) {
    let mut store = db.open();
    let mut loader = Loader::open(&given.journal, settings(20)).expect("a journal").expect("with a header");
    loader.attach(&mut *store).expect("up");
    for _ in 0..5 {
        loader.read().expect("a good journal");
        loader.write(&mut *store).expect("up");
    }
    assert!(loader.counts().rows >= 60);
    db.delete();
    loader.read().expect("a good journal");
    assert!(loader.write(&mut *store).is_err(), "it is gone, and that is seen");
    let ended = loader.load(&mut *db.open()).expect("a new one");
    assert!(ended);
    assert_eq!(db.content(), given.content);
}

fn two_writers_of_one_run_give_way_to_each_other(given: &Given, db: &mut dyn Database) {
    drop(db.open());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let thread = StoreThread::start(request(db, |faulty| faulty)).expect("a thread");
            thread.follow(&given.journal, &[]);
            thread
        })
        .collect();
    for thread in threads {
        let summary = thread.finish();
        assert!(summary.caught_up, "{summary:?}");
    }
    assert_eq!(db.content(), given.content);
}

fn a_run_with_a_store_is_the_run_without_it(given: &Given, db: &mut dyn Database) {
    let mut with = options(Some(given.dir.path().join(format!("{}.journal", unique()))));
    let journal = with.pipeline.journal.clone().expect("just given");
    with.store = Some(request(db, |faulty| faulty));
    let summary = replay_frames(&config(), &mut market(12), with).expect("a good run");
    assert_eq!(summary.order_stream_sha256, given.summary.order_stream_sha256);
    let did = summary.store.expect("it had one");
    assert!(did.caught_up && did.seq == summary.seq && did.retries == 0, "{did:?}");
    assert_eq!(
        did.rows,
        db.content().iter().filter(|(t, _)| !is_fact(t)).map(|(_, r)| r.len() as u64).sum::<u64>()
    );
    let taken = db.content();
    db.delete();
    load(db, &journal, 1_000);
    assert_eq!(db.content(), taken, "live or afterwards: the same");

    let mut without_journal = options(None);
    without_journal.store = Some(request(db, |faulty| faulty));
    let did = replay_frames(&config(), &mut market(1), without_journal).expect("a good run").store;
    let did = did.expect("it had one");
    assert!(did.caught_up && did.journal.is_none(), "the temporary journal is gone: {did:?}");
}

fn is_fact(table: &str) -> bool {
    ["runs", "instruments", "strategies"].contains(&table)
}

fn a_database_that_blocks_holds_up_nothing(given: &Given, db: &mut dyn Database) {
    let gate = Arc::new(Gate::default());
    let mut with = options(Some(given.dir.path().join(format!("{}.journal", unique()))));
    let journal = with.pipeline.journal.clone().expect("just given");
    let held = Arc::clone(&gate);
    let mut asked = request(db, move |faulty| Faulty { gate: Some(Arc::clone(&held)), ..faulty });
    asked.finish = Duration::from_millis(200);
    with.store = Some(asked);
    let begun = Instant::now();
    let summary = replay_frames(&config(), &mut market(12), with).expect("a good run");
    // The database would not answer for ever.
    assert!(begun.elapsed() < Duration::from_secs(120), "the run waited for its database");
    assert_eq!(summary.order_stream_sha256, given.summary.order_stream_sha256);
    let did = summary.store.expect("it had one");
    assert!(!did.caught_up && did.rows == 0, "{did:?}");
    assert!(did.error.is_some_and(|e| e.contains("does not answer")) && did.journal.is_some());
    gate.open();
    assert!(load(db, &journal, 1_000));
    assert_eq!(count(db, "fills"), given.summary.execution.fills);
}

fn a_database_that_does_not_answer_is_told_and_caught_up(given: &Given, db: &mut dyn Database) {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let asked = request(db, move |faulty| Faulty { gate: Some(Arc::clone(&held)), ..faulty });
    let thread = StoreThread::start(asked).expect("a thread");
    let link = thread.link();
    thread.follow(&given.journal, &[]);
    let begun = Instant::now();
    while thread.summary().silences == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody says so: {:?}", link.reply());
        std::thread::sleep(Duration::from_millis(10));
    }
    let reply = link.reply();
    let there = std::fs::metadata(&given.journal).expect("it is there").len();
    assert!(reply.unanswered_ms.is_some_and(|ms| ms >= 200) && reply.behind_bytes == there, "{reply:?}");
    assert!(reply.problem().is_some_and(|told| told.contains("has not answered for")), "{reply:?}");
    gate.open();
    let summary = thread.finish();
    assert!(summary.caught_up && summary.silences == 1 && summary.retries == 0, "{summary:?}");
    let reply = link.reply();
    assert_eq!((reply.unanswered_ms, reply.behind_bytes, reply.rows), (None, 0, summary.rows), "{reply:?}");
    assert_eq!(db.content(), given.content);
}

fn a_database_that_is_down_for_a_while_is_caught_up(given: &Given, db: &mut dyn Database) {
    db.down();
    let thread = StoreThread::start(request(db, |faulty| faulty)).expect("a thread");
    thread.follow(&given.journal, &[]);
    while thread.summary().retries < 3 {
        assert!(!thread.wait(Duration::from_millis(10)), "it cannot be done");
    }
    db.up();
    let summary = thread.finish();
    assert!(summary.caught_up && summary.error.is_none(), "{summary:?}");
    assert_eq!(db.content(), given.content);
}

fn tables_of_a_newer_program_are_refused(_: &Given, db: &mut dyn Database) {
    drop(db.open());
    db.execute("UPDATE schema_version SET version = 1000");
    let refused = algo_trader::store::open(&db.url(), &db.options()).err().expect("refused");
    assert!(!refused.is_transient() && refused.to_string().contains("newer version"), "{refused}");
}

fn a_loader_that_is_killed_goes_on_where_it_was(given: &Given, db: &mut dyn Database) {
    let ca_file = db.options().ca_file.map(|ca| format!("ca_file = \"{}\"\n", ca.display()));
    let config = given.dir.path().join(format!("{}.toml", unique()));
    let text = format!("[store]\nbatch_rows = 2\nequity_seconds = 2\n{}", ca_file.unwrap_or_default());
    std::fs::write(&config, text).expect("a good disk");
    let address = match db.url() {
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        url @ StoreUrl::Postgres(_) => format!("{url}?sslmode=verify-full"),
    };
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        command
            .args(["store", "load", "--journal"])
            .arg(&given.journal)
            .args(["--store", &address, "--config"]);
        command.arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    for wait_ms in [20, 45, 70, 100] {
        let mut child = run().spawn().expect("it runs");
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }
    assert!(run().status().expect("it runs").success());
    assert_eq!(db.content(), given.content);
}

type Case = (&'static str, fn(&Given, &mut dyn Database));

const CASES: &[Case] = &[
    ("the_rows_are_what_the_run_says_of_itself", the_rows_are_what_the_run_says_of_itself),
    ("loading_again_or_in_other_batches_changes_nothing", loading_again_or_in_other_batches_changes_nothing),
    ("a_journal_that_grows_is_taken_in_as_it_grows", a_journal_that_grows_is_taken_in_as_it_grows),
    ("a_damaged_journal_is_taken_in_up_to_where_it_is", a_damaged_journal_is_taken_in_up_to_where_it_is),
    ("faults_at_any_moment_lose_and_double_nothing", faults_at_any_moment_lose_and_double_nothing),
    ("a_database_that_was_deleted_is_filled_again", a_database_that_was_deleted_is_filled_again),
    ("two_writers_of_one_run_give_way_to_each_other", two_writers_of_one_run_give_way_to_each_other),
    ("a_run_with_a_store_is_the_run_without_it", a_run_with_a_store_is_the_run_without_it),
    ("a_database_that_blocks_holds_up_nothing", a_database_that_blocks_holds_up_nothing),
    (
        "a_database_that_does_not_answer_is_told_and_caught_up",
        a_database_that_does_not_answer_is_told_and_caught_up,
    ),
    ("a_database_that_is_down_for_a_while_is_caught_up", a_database_that_is_down_for_a_while_is_caught_up),
    ("tables_of_a_newer_program_are_refused", tables_of_a_newer_program_are_refused),
    ("a_loader_that_is_killed_goes_on_where_it_was", a_loader_that_is_killed_goes_on_where_it_was),
];

fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("unique-{}", NEXT.fetch_add(1, Relaxed))
}

#[test]
fn bars_that_begin_in_one_moment_are_two_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("run.journal");
    let mut config = config();
    // Of each trade: several are of one match, and so of one time.
    config.market.bar = BarSpec::Tick(1);
    replay_frames(&config, &mut market(12), options(Some(path.clone()))).expect("a good run");
    let mut database = Sqlite::new();
    assert!(load(&mut database, &path, 1_000), "the run came to its end");
    let starts = count(&mut database, "(SELECT DISTINCT run, instrument, start_ns FROM bars)");
    let bars = count(&mut database, "bars");
    assert!(bars > 100 && starts < bars, "{starts} of {bars}");
}

/// What a [`Hearer`] was told: where each bar began, its close and its trades.
static HEARD: Mutex<Vec<(u64, i64, u32)>> = Mutex::new(Vec::new());

/// Writes down every bar.
struct Hearer;

impl Strategy for Hearer {
    fn on_bar(&mut self, _: &mut Context<'_>, bar: &Bar) {
        HEARD.lock().expect("nobody panicked").push((bar.start.0, bar.close.0, bar.trades));
    }
}

static HEARER: &[StrategySpec] = &[StrategySpec {
    name: "hearer",
    doc: "writes down every bar",
    params: &[],
    build: |_| Ok(Box::new(Hearer)),
}];

/// An aggregate trade each 300 ms for a minute, each but for the first with a single trade at another price before it.
struct Traded {
    sources: Vec<SourceInfo>,
    singles: bool,
    n: u64,
    bytes: Vec<u8>,
}

impl FrameSource for Traded {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        self.n += if self.singles { 1 } else { 2 };
        let (n, ms) = (self.n, 1_723_161_600_000 + self.n * 150);
        let id = n.div_ceil(2);
        let (kind, ids, price) = match n % 2 {
            0 => ("aggTrade", format!("\"a\":{id},\"f\":{id},\"l\":{id}"), 60_000 + n),
            _ => ("trade", format!("\"t\":{id}"), 50_000),
        };
        self.bytes = format!(
            "{{\"e\":\"{kind}\",\"E\":{ms},\"s\":\"BTCUSDT\",{ids},\"p\":\"{price}.00\",\"q\":\"0.01000\",\"T\":{ms},\
             \"m\":false,\"M\":true}}"
        )
        .into_bytes();
        let (received, source, line) = (Time(ms * 1_000_000), SourceId(0), n);
        Ok((n < 400).then_some(Frame { received, source, line, bytes: &self.bytes }))
    }
}

#[test]
fn bars_of_a_run_on_aggregate_trades_are_those_that_its_strategies_were_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "[market]\nbar = \"time:1s\"\n[venue]\nstreams = [\"aggTrade\"]\n[risk]\nunset = \"default\"\n[[strategy]]\n\
                name = \"hearer\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(text, "heard.toml", table).expect("good");
    let symbol = Some("BTCUSDT".to_owned());
    let source = SourceInfo { name: "made".into(), venue: "binance".into(), market: Market::Spot, symbol };
    for singles in [false, true] {
        let path = dir.path().join(format!("{singles}.journal"));
        let mut frames = Traded { sources: vec![source.clone()], singles, n: 0, bytes: Vec::new() };
        let mut options = options(Some(path.clone()));
        options.pipeline.strategies = HEARER;
        replay_frames(&config, &mut frames, options).expect("a good run");
        let heard = std::mem::take(&mut *HEARD.lock().expect("nobody panicked"));
        let mut database = Sqlite::new();
        assert!(load(&mut database, &path, 1_000), "the run came to its end");
        let sql =
            "SELECT CAST(start_ns AS TEXT), CAST(close AS TEXT), CAST(trades AS TEXT) FROM bars ORDER BY seq";
        let told: Vec<Vec<String>> = heard
            .iter()
            .map(|(start, close, trades)| {
                vec![
                    start.to_string(),
                    format!("{}.{:08}", close / 100_000_000, close % 100_000_000),
                    trades.to_string(),
                ]
            })
            .collect();
        assert!(told.len() > 50 && told.iter().all(|bar| bar[1].as_str() > "60000"), "{told:?}");
        assert_eq!(database.query(sql), told, "beside single trades: {singles}");
    }
}

#[test]
fn sqlite_keeps_every_promise() {
    let given = given();
    for (name, case) in CASES {
        let begun = Instant::now();
        case(&given, &mut Sqlite::new());
        println!("sqlite: {name}: {:.2} s", begun.elapsed().as_secs_f64());
    }
}

#[test]
fn postgres_keeps_every_promise() {
    let Some(mut server) = Server::start() else { return };
    let given = given();
    for (number, (name, case)) in CASES.iter().enumerate() {
        let begun = Instant::now();
        let mut database = OnServer { server: &mut server, name: format!("case_{number}") };
        database.make();
        case(&given, &mut database);
        println!("postgres: {name}: {:.2} s", begun.elapsed().as_secs_f64());
    }
    a_server_that_stands_still_is_told_and_caught_up(&given, &mut server);
    a_server_is_taken_for_what_its_certificate_says(&server);
    a_password_comes_from_the_environment(&given, &server);
}

fn a_server_is_taken_for_what_its_certificate_says(server: &Server) {
    let open = |address: String, ca_file: Option<PathBuf>| {
        let url = address.parse().expect("an address");
        algo_trader::store::open(&url, &StoreOptions { ca_file, ..StoreOptions::default() }).err()
    };
    let ca_file = Some(server.ca_file());
    assert!(open(server.url("postgres"), ca_file.clone()).is_none());
    assert!(open(server.socket_url("postgres"), None).is_none(), "a socket needs no certificate");
    let unknown = open(server.url("postgres"), None).expect("nobody vouches for it").to_string();
    assert!(unknown.contains("UnknownIssuer") && unknown.contains("ca_file"), "{unknown}");
    let address = server.url("postgres").replace("localhost", "127.0.0.1");
    let other = open(address, ca_file).expect("it is not called so").to_string();
    assert!(other.contains("NotValidForName") || other.contains("not valid for name"), "{other}");
}

/// Its host takes and acknowledges what is sent, so that no connection fails.
fn a_server_that_stands_still_is_told_and_caught_up(given: &Given, server: &mut Server) {
    let mut db = OnServer { server, name: "still".into() };
    db.make();
    let growing = given.dir.path().join("still.journal");
    let bytes = std::fs::read(&given.journal).expect("it is there");
    std::fs::write(&growing, &bytes[..bytes.len() / 2]).expect("a good disk");
    let thread = StoreThread::start(request(&db, |faulty| faulty)).expect("a thread");
    thread.follow(&growing, &[]);
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {:?}", thread.link().reply());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    until("some rows are there", &|| thread.summary().rows > 0);
    let sql = "SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE application_name = 'algo-trader'";
    let pid = db.query(sql)[0][0].clone();
    let signal = |how: &str| {
        assert!(Command::new("kill").args([how, &pid]).status().expect("it runs").success());
    };
    signal("-STOP");
    std::fs::write(&growing, &bytes).expect("a good disk");
    until("it is told", &|| thread.summary().silences > 0);
    assert!(thread.link().reply().unanswered_ms.is_some());
    signal("-CONT");
    let summary = thread.finish();
    assert!(summary.caught_up && summary.retries == 0, "{summary:?}");
    assert_eq!(db.content(), given.content);
}

fn a_password_comes_from_the_environment(given: &Given, server: &Server) {
    server.sql("postgres", "CREATE DATABASE secret");
    let run = |password: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        let root = server.ca_file();
        let address = server.url("secret").replace("at@", "careful@");
        command.args(["store", "load", "--journal"]).arg(&given.journal).arg("--store");
        command.arg(format!("{address}&sslrootcert={}", root.display()));
        command.env_remove("PGPASSWORD").env("PGPASSFILE", "/dev/null");
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        let output = command.output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = run(None);
    assert!(code == Some(1) && said.contains("PGPASSWORD"), "{code:?} {said}");
    let (code, said) = run(Some("wrong"));
    assert!(code == Some(1) && said.contains("authentication failed") && !said.contains("wrong"), "{said}");
    let (code, said) = run(Some(PASSWORD));
    assert!(code == Some(0) && !said.contains(PASSWORD), "{said}");
}

#[test]
fn a_disk_that_is_full_is_told_and_caught_up_when_it_has_room() {
    let given = given();
    let mut database = Sqlite::new();
    drop(database.open());
    let empty: u32 = database.query("PRAGMA page_count")[0][0].parse().expect("a number");
    let options = StoreOptions { pages_max: Some(empty + 4), ..StoreOptions::default() };
    let url = database.url();
    let mut small = algo_trader::store::open(&url, &options).expect("room for the tables");
    let mut loader = Loader::open(&given.journal, settings(20)).expect("a journal").expect("with a header");
    let error = loader.load(&mut *small).expect_err("no room for the rows");
    let StoreError::Database { problem, .. } = &error else { panic!("{error}") };
    assert!(problem.contains("full") && problem.contains("make room on its disk"), "{problem}");
    assert!(error.is_transient() && loader.counts().batches > 0, "some went in");
    drop(small);
    assert!(loader.load(&mut *database.open()).expect("there is room now"));
    assert_eq!(database.content(), given.content);
}

#[test]
fn the_commands_say_what_they_did_and_never_show_a_password() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = journal(dir.path(), 2);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        let output = command.arg("store").args(args).current_dir(dir.path()).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let journal = journal.display().to_string();
    let load = ["load", "--journal", &journal, "--store", "sqlite:new/runs.db", "--json"];
    let (code, out, err) = run(&load);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(said["journals"][0]["seq"], summary.seq);
    assert_eq!(said["journals"][0]["ended"], true);
    let (_, out, _) = run(&load);
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(said["journals"][0]["rows_added"], 0);
    let (code, out, _) = run(&["status", "--store", "sqlite:new/runs.db", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &said["runs"][0]["rows"]["fills"]), (Some(0), &summary.execution.fills.into()));
    let (code, out, _) = run(&["load", "--journal", &journal, "--store", "sqlite:new/runs.db", "--follow"]);
    assert!(code == Some(0) && out.contains("complete"), "{out}");

    // Who only looks leaves a database of something else as it is.
    let foreign = rusqlite::Connection::open(dir.path().join("foreign.db")).expect("a database");
    foreign.execute_batch("CREATE TABLE orders (id INTEGER)").expect("a table");
    for (args, expected, told) in [
        (vec!["status", "--store", "sqlite:foreign.db"], 1, "it has no tables of algo-trader"),
        (
            vec!["load", "--journal", &journal, "--store", "sqlite:foreign.db"],
            1,
            "table orders already exists",
        ),
        (vec!["status", "--store", "sqlite:none.db"], 1, "no such file"),
        (vec!["status"], 2, "give --store"),
        (vec!["status", "--store", "postgres://at:hunter2@h/x"], 2, "PGPASSWORD"),
        (vec!["load", "--journal", "none.journal", "--store", "sqlite:x.db"], 1, "none.journal"),
        (vec!["load", "--journal", "new/runs.db", "--store", "sqlite:x.db"], 1, "is not a journal"),
    ] {
        let (code, out, err) = run(&args);
        assert_eq!(code, Some(expected), "{args:?}: {err}");
        assert!(err.contains(told) && out.is_empty() && !err.contains("hunter2"), "{args:?}: {err}");
    }
}

/// What the directory holds, by name.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn who_only_looks_needs_no_right_to_write_and_leaves_nothing_behind() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = journal(dir.path(), 2);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    mode(dir.path(), 0o755);
    let am_root = std::fs::metadata(dir.path()).expect("it is there").uid() == 0;
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        command.arg("store").current_dir(dir.path());
        command
    };
    let load = program()
        .arg("load")
        .arg("--journal")
        .arg(&journal)
        .args(["--store", "sqlite:a?b/runs%41#.db"])
        .output();
    assert!(load.expect("it runs").status.success());
    let status = |url: &str| {
        let mut command = program();
        // Root may write anywhere.
        if am_root {
            command.uid(65_534).gid(65_534);
        }
        command.args(["status", "--store", url]).output()
    };
    let of = dir.path().join("a?b");
    mode(&of, 0o555);
    // It is the owner's and the group's alone until somebody shares it.
    mode(&of.join("runs%41#.db"), 0o644);
    let Ok(output) = status("sqlite:a?b/runs%41#.db") else {
        println!("SKIPPED: the program cannot be run by another user here");
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success() && text(&output.stdout).contains(": 1 runs"), "{output:?}");
    assert_eq!(names(&of), ["runs%41#.db"]);
    mode(&of, 0o755);
    let output = program().args(["status", "--store", "sqlite:a?b/runs%41#.db"]).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(&of), ["runs%41#.db"], "nor by who may write");

    // What a program that was killed left in its log is seen by who may make the log's index, and missed by nobody.
    let writer = rusqlite::Connection::open(of.join("runs%41#.db")).expect("a database");
    writer.execute_batch("CREATE TABLE more (id INTEGER)").expect("a table");
    let left = dir.path().join("left");
    std::fs::create_dir(&left).expect("made");
    for (from, to) in [("runs%41#.db", "runs.db"), ("runs%41#.db-wal", "runs.db-wal")] {
        std::fs::copy(of.join(from), left.join(to)).expect("copied");
    }
    mode(&left, 0o555);
    let output = status("sqlite:left/runs.db").expect("it ran before");
    let told = text(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("runs.db-wal beside it"), "{output:?}");
    mode(&left, 0o755);
    let output = program().args(["status", "--store", "sqlite:left/runs.db"]).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");

    mode(&of.join("runs%41#.db"), 0o600);
    drop(writer);
    let output = status("sqlite:a?b/runs%41#.db").expect("it ran before");
    if am_root {
        assert!(text(&output.stderr).contains("cannot be read: Permission denied"), "{output:?}");
    }
}

#[test]
fn what_shows_a_traders_orders_is_for_its_owner_and_group_at_most_whatever_the_umask() {
    use algo_trader::domain::Time;
    use algo_trader::history::RecordingWriter;
    use std::os::unix::fs::PermissionsExt;
    const TRADE: &[u8] = br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":1,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#;
    // Of a run: its directories, the journal, the trail, and the database while it is written and after.
    for (umask, file, directory) in [("000", 0o640, 0o750), ("022", 0o640, 0o750), ("077", 0o600, 0o700)] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut writer =
            RecordingWriter::create(&dir.path().join("spot-btcusdt-20240808.gz")).expect("a file");
        writer.write(Time(1_723_161_255_000_000_000), TRADE).expect("written");
        writer.finish().expect("finished");
        let config = format!(
            "[instruments]\nfiles = [\"{}/config/instruments/binance-spot.toml\"]\n[audit]\nanchors = \"run.anchors\"\n\
             [log]\nfile = \"run.log\"\n",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::write(dir.path().join("run.toml"), config).expect("written");
        let run = format!(
            "umask {umask}; exec {} replay --config run.toml spot-btcusdt-20240808.gz --journal a/b/run.journal \
             --store sqlite:kept/runs.db",
            env!("CARGO_BIN_EXE_algo-trader")
        );
        let output = Command::new("sh").args(["-c", &run]).current_dir(dir.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mode = |path: &str| {
            let found = std::fs::metadata(dir.path().join(path)).expect("it was made");
            found.permissions().mode() & 0o777
        };
        let found =
            ["a", "a/b", "kept", "a/b/run.journal", "a/b/run.journal.audit", "kept/runs.db"].map(mode);
        let expected = [directory, directory, directory, file, file, file];
        assert_eq!(found, expected, "umask {umask}: {:?}", found.map(|mode| format!("{mode:o}")));
        // What else names its orders, or when there were some.
        let export = format!(
            "umask {umask}; exec {} audit export a/b/run.journal.audit --out trail.csv",
            env!("CARGO_BIN_EXE_algo-trader")
        );
        let output =
            Command::new("sh").args(["-c", &export]).current_dir(dir.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = ["run.anchors", "run.log", "trail.csv"].map(mode);
        assert_eq!(found, [file; 3], "umask {umask}: {:?}", found.map(|mode| format!("{mode:o}")));
        // One that a link leads to which is not there yet is made as any other.
        std::os::unix::fs::symlink("elsewhere.db", dir.path().join("kept/linked.db")).expect("a link");
        let load = format!(
            "umask {umask}; exec {} store load --journal a/b/run.journal --store sqlite:kept/linked.db",
            env!("CARGO_BIN_EXE_algo-trader")
        );
        let output =
            Command::new("sh").args(["-c", &load]).current_dir(dir.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(mode("kept/elsewhere.db"), file, "umask {umask}");
        // Its log is as the database is, also of a database that was there before.
        let open = rusqlite::Connection::open(dir.path().join("kept/runs.db")).expect("a database");
        open.execute_batch("CREATE TABLE more (id INTEGER)").expect("a table");
        assert_eq!(mode("kept/runs.db-wal"), file, "umask {umask}");
    }
}
