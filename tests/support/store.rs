//! Journals to take in, databases to take them into, and databases that fail.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::InstrumentTable;
use algo_trader::journal::JournalHeader;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::{Config, PipelineOptions, ReplayOptions, Summary, replay_frames};
use algo_trader::store::row::{
    BarRow, CommissionRow, DenialRow, EquityRow, FillRow, OrderEventRow, OrderRow, PositionRow, Row,
};
use algo_trader::store::{
    Batch, LoaderSettings, RunId, RunStatus, Store, StoreError, StoreOptions, StoreUrl, Watermark,
};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Three strategies that trade often, under limits that they meet.
const BUSY: &str = r#"
[run]
name = "busy"
[market]
bar_grace_ms = 200
[paper]
fill = "touch"
[risk]
unset = "default"
orders_per_second_max = 9
[[strategy]]
name = "ma-cross"
instruments = ["binance:usdm:BTCUSDT"]
[strategy.params]
fast = 2
slow = 3
qty = "0.010"
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:spot:ETHUSDT"]
[strategy.params]
levels = 2
threshold = 0.05
qty = "0.100"
hold_ms = 60
[[strategy]]
name = "imbalance-maker"
label = "second"
instruments = ["binance:spot:BTCUSDT"]
[strategy.params]
levels = 3
threshold = 0.10
qty = "0.010"
hold_ms = 90
"#;

pub fn config() -> Config {
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    Config::from_text_with_instruments(BUSY, "busy.toml", table).expect("a good configuration")
}

pub fn market(seconds: u64) -> FlowSource {
    let mut flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(1_000);
    flow.duration = Duration::from_secs(seconds);
    FlowSource::new(&flow).expect("a good market")
}

pub fn options(journal: Option<PathBuf>) -> ReplayOptions {
    let pipeline = PipelineOptions {
        threading: Some(Threading::Inline),
        wait: Some(Wait::Yield),
        journal,
        ..PipelineOptions::default()
    };
    ReplayOptions { pipeline, ..ReplayOptions::default() }
}

/// A journal of so many seconds, and what its run says of itself.
pub fn journal(dir: &Path, seconds: u64) -> (PathBuf, Summary) {
    let path = dir.join(format!("{seconds}.journal"));
    let summary = replay_frames(&config(), &mut market(seconds), options(Some(path.clone())));
    (path, summary.expect("a good run"))
}

/// Of a journal, what comes before a block in its middle, and all of it with a bit of that block turned over.
pub fn damaged(journal: &Path) -> (PathBuf, PathBuf) {
    let mut bytes = std::fs::read(journal).expect("it is there");
    // Eight bytes of magic; then blocks, each its length, its checksum, and that many bytes.
    let mut at = 8;
    while at < bytes.len() / 2 {
        let length = bytes[at..].first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
        at += 8 + length as usize;
    }
    let [before, hurt] = ["before.journal", "hurt.journal"].map(|name| journal.with_file_name(name));
    std::fs::write(&before, &bytes[..at]).expect("a good disk");
    bytes[at + 8] ^= 1;
    std::fs::write(&hurt, &bytes).expect("a good disk");
    (before, hurt)
}

pub fn settings(batch_rows: usize) -> LoaderSettings {
    LoaderSettings { batch_rows, equity_seconds: 2 }
}

/// A database of either kind.
pub trait Database {
    fn url(&self) -> StoreUrl;
    fn options(&self) -> StoreOptions;
    /// The rows of a query, each value as text.
    fn query(&mut self, sql: &str) -> Vec<Vec<String>>;
    /// Runs statements.
    fn execute(&mut self, sql: &str);
    /// Makes it unreachable.
    fn down(&mut self);
    /// Makes it reachable again.
    fn up(&mut self);
    /// Deletes it with all it holds.
    fn delete(&mut self);

    fn open(&self) -> Box<dyn Store> {
        algo_trader::store::open(&self.url(), &self.options()).expect("the database is up")
    }

    /// Everything in it but the numbers it gave to runs, in an order that is the same for both kinds.
    fn content(&mut self) -> BTreeMap<&'static str, Vec<Vec<String>>> {
        let mut all = BTreeMap::new();
        let mut table = |name: &'static str, columns: &[&str]| {
            let shown: Vec<_> =
                columns.iter().map(|c| format!("COALESCE(CAST(t.{c} AS TEXT), '-')")).collect();
            let sql = format!(
                "SELECT r.run_key, {} FROM {name} t JOIN runs r ON r.id = t.{}",
                shown.join(", "),
                if name == "runs" { "id" } else { "run" }
            );
            let mut rows = self.query(&sql);
            let flag = |value: &mut String| match value.as_str() {
                "true" => *value = "1".into(),
                "false" => *value = "0".into(),
                _ => {}
            };
            rows.iter_mut().flatten().for_each(flag);
            rows.sort();
            all.insert(name, rows);
        };
        table("runs", &["name", "started_ns", "seq", "time_ns", "ended"]);
        table("instruments", &["instrument", "name", "quote", "tick", "lot", "maker_fee", "taker_fee"]);
        table("strategies", &["strategy", "label", "name"]);
        table(OrderRow::TABLE, OrderRow::COLUMNS);
        table(OrderEventRow::TABLE, OrderEventRow::COLUMNS);
        table(DenialRow::TABLE, DenialRow::COLUMNS);
        table(FillRow::TABLE, FillRow::COLUMNS);
        table(CommissionRow::TABLE, CommissionRow::COLUMNS);
        table(PositionRow::TABLE, PositionRow::COLUMNS);
        table(BarRow::TABLE, BarRow::COLUMNS);
        table(EquityRow::TABLE, EquityRow::COLUMNS);
        all
    }
}

/// A file, in a directory that can be taken away.
pub struct Sqlite {
    dir: tempfile::TempDir,
}

impl Sqlite {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("place/runs.db")
    }

    fn client(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).expect("it is there")
    }
}

impl Database for Sqlite {
    fn url(&self) -> StoreUrl {
        StoreUrl::Sqlite(self.path())
    }
    fn options(&self) -> StoreOptions {
        StoreOptions::default()
    }
    fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let client = self.client();
        let mut statement = client.prepare(sql).expect(sql);
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns)
                .map(|c| {
                    Ok(match row.get_ref(c)? {
                        rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                        rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
                        other => format!("{other:?}"),
                    })
                })
                .collect()
        });
        rows.expect(sql).map(|row| row.expect(sql)).collect()
    }
    fn execute(&mut self, sql: &str) {
        self.client().execute_batch(sql).expect(sql);
    }
    fn down(&mut self) {
        let place = self.dir.path().join("place");
        let _ = std::fs::rename(&place, self.dir.path().join("away"));
        std::fs::write(&place, "not a directory").expect("our directory");
    }
    fn up(&mut self) {
        let place = self.dir.path().join("place");
        std::fs::remove_file(&place).expect("it is a file");
        let _ = std::fs::rename(self.dir.path().join("away"), &place);
    }
    fn delete(&mut self) {
        std::fs::remove_dir_all(self.dir.path().join("place")).expect("it is there");
    }
}

/// A store that fails at moments chosen by a seed: before it writes, or after it committed, so that the writer cannot
/// know; or that waits for a gate.
pub struct Faulty {
    pub inner: Box<dyn Store>,
    pub random: Arc<Mutex<u64>>,
    /// One call in so many fails; zero: none.
    pub one_in: u64,
    pub gate: Option<Arc<Gate>>,
}

impl Faulty {
    fn draw(&self) -> u64 {
        let mut random = self.random.lock().expect("no panic holds it");
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random >> 11
    }

    fn fails(&self) -> bool {
        self.one_in > 0 && self.draw().is_multiple_of(self.one_in)
    }

    fn fault(&self, what: &str) -> StoreError {
        StoreError::Database { place: self.inner.place().to_owned(), problem: format!("a fault {what}") }
    }
}

impl Store for Faulty {
    fn place(&self) -> &str {
        self.inner.place()
    }
    fn find(&mut self, key: &str) -> Result<Option<Watermark>, StoreError> {
        if self.fails() {
            return Err(self.fault("on looking"));
        }
        self.inner.find(key)
    }
    fn find_nth(&mut self, first: &str, nth: u32) -> Result<Option<Watermark>, StoreError> {
        self.inner.find_nth(first, nth)
    }
    fn begin(&mut self, key: &str, header: &JournalHeader) -> Result<(RunId, Watermark), StoreError> {
        if self.fails() {
            return Err(self.fault("on entering"));
        }
        self.inner.begin(key, header)
    }
    fn write(&mut self, run: RunId, batch: &Batch) -> Result<(), StoreError> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        if self.fails() {
            return Err(self.fault("before the write"));
        }
        self.inner.write(run, batch)?;
        if self.fails() { Err(self.fault("after the commit")) } else { Ok(()) }
    }
    fn runs(&mut self) -> Result<Vec<RunStatus>, StoreError> {
        self.inner.runs()
    }
}

/// Holds whoever comes until it is opened.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn pass(&self) {
        let mut open = self.open.lock().expect("no panic holds it");
        while !*open {
            open = self.opened.wait(open).expect("no panic holds it");
        }
    }
    pub fn open(&self) {
        *self.open.lock().expect("no panic holds it") = true;
        self.opened.notify_all();
    }
}
