//! How fast rows reach a database, beside the bare database.
//!
//! The rows are those of a journal that a generated market and three busy strategies leave, repeated as runs of their
//! own. *Ours* is `Store::write`: batches with their watermark, each in a transaction. The peers write the same rows
//! into the same tables (keys and all) and nothing else: for SQLite prepared inserts, a transaction every 1,000 rows;
//! for PostgreSQL `COPY` of text that was made beforehand, a transaction a batch. Every commit is forced to the disk in
//! all of them. Rounds are interleaved, each into a fresh database, and the medians compared.
//!
//! Then the whole way, from the journal's file to the database, which also decodes the journal and runs the books.

#[path = "../tests/support/postgres.rs"]
mod postgres_server;
#[path = "../tests/support/store.rs"]
mod store_support;
mod support;

use algo_trader::journal::{Entry, Follower, JournalHeader, Next};
use algo_trader::store::row::{Columns, Row};
use algo_trader::store::{Batch, Loader, LoaderSettings, Projection, Store, StoreOptions, Watermark};
use postgres_server::Server;
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use support::Rounds;

const SECONDS: u64 = 60;
const SQLITE_BATCH: usize = 1_000;
const POSTGRES_BATCH: usize = 10_000;

fn main() {
    let rounds = support::number("--rounds", 7);
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = store_support::journal(dir.path(), SECONDS);
    let follower = Follower::open(&journal).expect("a journal").expect("with a header");
    let header = follower.header().clone();
    println!("{}; commits forced to the disk; {rounds} rounds, medians", support::host());
    sqlite(dir.path(), &journal, &header, rounds);
    let Some(server) = Server::start() else { return };
    postgres(&server, &journal, &header, rounds);
}

/// The journal's rows in batches of `rows`, over and over, as one run of ever later events.
fn batches(journal: &Path, header: &JournalHeader, rows: usize, count: usize) -> Vec<Batch> {
    let mut all = Vec::new();
    let (mut offset, mut after) = (0, Watermark::default());
    let mut batch = Batch::default();
    while all.len() < count {
        let mut follower = Follower::open(journal).expect("a journal").expect("with a header");
        let mut projection = Projection::new(header, Watermark::default(), 1).expect("a good header");
        let mut fresh = Batch::default();
        let mut last = 0;
        while let Ok(Next::Entry(entry, ends)) = follower.next_entry() {
            projection.apply(&entry, ends, &mut fresh).expect("a good journal");
            last = fresh.upto.seq;
            if matches!(entry, Entry::Slot(_)) && fresh.rows() >= 50 {
                let rest = fresh.split_unfinished();
                shift(&mut fresh, offset);
                batch.time = fresh.time;
                batch.upto.seq = last + offset;
                batch.unwritten(std::mem::take(&mut fresh));
                fresh.written(rest);
                if batch.rows() >= rows {
                    batch.after = after;
                    after = batch.upto;
                    all.push(std::mem::take(&mut batch));
                    if all.len() == count {
                        break;
                    }
                }
            }
        }
        offset += last + 1;
    }
    all
}

/// Moves rows to later events: other keys, other orders, other bars.
fn shift(batch: &mut Batch, by: u64) {
    batch.orders.iter_mut().for_each(|r| (r.seq, r.order_no) = (r.seq + by, r.order_no + by * 256));
    batch.order_events.iter_mut().for_each(|r| (r.seq, r.order_no) = (r.seq + by, r.order_no + by * 256));
    batch.fills.iter_mut().for_each(|r| (r.seq, r.order_no) = (r.seq + by, r.order_no + by * 256));
    batch.denials.iter_mut().for_each(|r| (r.seq, r.order_no) = (r.seq + by, r.order_no + by * 256));
    batch.positions.iter_mut().for_each(|r| r.seq += by);
    batch
        .bars
        .iter_mut()
        .for_each(|r| (r.seq, r.start_ns.0) = (r.seq + by, r.start_ns.0 + by * 1_000_000_000));
    batch.equity.iter_mut().for_each(|r| r.seq += by);
}

fn rows(batches: &[Batch]) -> f64 {
    batches.iter().map(|b| b.rows()).sum::<usize>() as f64
}

fn told(what: &str, ours: &Rounds, bare: &Rounds, target: f64) {
    let ratio = ours.median() / bare.median();
    let verdict = if ratio >= target { "met" } else { "MISSED" };
    println!(
        "{what:<28} {:>9.0} rows/s  bare {:>9.0} rows/s  ratio {ratio:.2} (target ≥ {target}: {verdict})",
        ours.median(),
        bare.median()
    );
}

fn sqlite(dir: &Path, journal: &Path, header: &JournalHeader, rounds: usize) {
    let all = batches(journal, header, SQLITE_BATCH, 40);
    let (mut ours, mut bare, mut whole) = (Rounds::default(), Rounds::default(), Rounds::default());
    let settings = LoaderSettings { batch_rows: SQLITE_BATCH, equity_seconds: 1 };
    for round in 0..rounds {
        let open = |name: &str| {
            let url = algo_trader::store::StoreUrl::Sqlite(dir.join(format!("{name}-{round}.db")));
            algo_trader::store::open(&url, &StoreOptions::default()).expect("a new file")
        };
        let mut store = open("ours");
        ours.push(write(&mut *store, header, &all));
        drop(store);

        drop(open("bare"));
        let client = rusqlite::Connection::open(dir.join(format!("bare-{round}.db"))).expect("made just now");
        client.pragma_update(None, "synchronous", "FULL").expect("a pragma");
        let begun = Instant::now();
        for batch in &all {
            client.execute_batch("BEGIN IMMEDIATE").expect("ours alone");
            insert(&client, &batch.orders);
            insert(&client, &batch.order_events);
            insert(&client, &batch.fills);
            insert(&client, &batch.denials);
            insert(&client, &batch.positions);
            insert(&client, &batch.bars);
            insert(&client, &batch.equity);
            client.execute_batch("COMMIT").expect("room");
        }
        bare.push(rows(&all) / begun.elapsed().as_secs_f64());

        let mut store = open("whole");
        whole.push(load(&mut *store, journal, settings));
    }
    println!("sqlite: {} rows in batches of {SQLITE_BATCH}", rows(&all));
    told("sqlite, Store::write", &ours, &bare, 0.7);
    println!("sqlite, from the journal's file: {:.0} events/s", whole.median());
}

/// Rows a second.
fn write(store: &mut dyn Store, header: &JournalHeader, all: &[Batch]) -> f64 {
    let (run, _) = store.begin("bench", header).expect("the database is up");
    let begun = Instant::now();
    for batch in all {
        store.write(run, batch).expect("the database is up");
    }
    rows(all) / begun.elapsed().as_secs_f64()
}

/// Events a second.
fn load(store: &mut dyn Store, journal: &Path, settings: LoaderSettings) -> f64 {
    let mut loader = Loader::open(journal, settings).expect("a journal").expect("with a header");
    let begun = Instant::now();
    loader.load(store).expect("the database is up");
    loader.watermark().seq as f64 / begun.elapsed().as_secs_f64()
}

/// The plainest way: a prepared statement, its values as they come.
fn insert<R: Row>(client: &rusqlite::Connection, rows: &[R]) {
    let marks = vec![", ?"; R::COLUMNS.len()].concat();
    let sql = format!("INSERT INTO {} VALUES (?{marks})", R::TABLE);
    let mut statement = client.prepare_cached(&sql).expect("a good statement");
    let mut values = Values(Vec::new());
    for row in rows {
        values.0.clear();
        values.0.push(1.into());
        row.put(&mut values);
        statement.execute(rusqlite::params_from_iter(values.0.iter())).expect("room");
    }
}

struct Values(Vec<rusqlite::types::Value>);

impl Columns for Values {
    fn int(&mut self, value: i64) {
        self.0.push(value.into());
    }
    fn flag(&mut self, value: bool) {
        self.0.push(value.into());
    }
    fn text(&mut self, value: &str) {
        self.0.push(value.to_owned().into());
    }
    fn decimal(&mut self, text: &str) {
        self.0.push(text.to_owned().into());
    }
    fn null(&mut self) {
        self.0.push(rusqlite::types::Value::Null);
    }
}

fn postgres(server: &Server, journal: &Path, header: &JournalHeader, rounds: usize) {
    let all = batches(journal, header, POSTGRES_BATCH, 12);
    let texts: Vec<_> = all.iter().map(texts).collect();
    let (mut ours, mut bare, mut whole) = (Rounds::default(), Rounds::default(), Rounds::default());
    let settings = LoaderSettings { batch_rows: POSTGRES_BATCH, equity_seconds: 1 };
    for round in 0..rounds {
        let open = |name: &str| {
            let name = format!("{name}_{round}");
            server.sql("postgres", &format!("CREATE DATABASE {name}"));
            let url = server.socket_url(&name).parse().expect("an address");
            algo_trader::store::open(&url, &StoreOptions::default()).expect("the server is up")
        };
        let mut store = open("ours");
        ours.push(write(&mut *store, header, &all));
        drop(store);

        drop(open("bare"));
        let mut client = server.client(&format!("bare_{round}"));
        let begun = Instant::now();
        for tables in &texts {
            let mut transaction = client.transaction().expect("the server is up");
            for (sql, text) in tables {
                let mut writer = transaction.copy_in(sql.as_str()).expect("the server is up");
                writer.write_all(text).expect("the server is up");
                writer.finish().expect("good rows");
            }
            transaction.commit().expect("the server is up");
        }
        bare.push(rows(&all) / begun.elapsed().as_secs_f64());

        let mut store = open("whole");
        whole.push(load(&mut *store, journal, settings));
    }
    println!("postgres: {} rows in batches of {POSTGRES_BATCH}", rows(&all));
    told("postgres, Store::write", &ours, &bare, 0.8);
    println!("postgres, from the journal's file: {:.0} events/s", whole.median());
}

/// A batch as `COPY` statements and their text.
fn texts(batch: &Batch) -> Vec<(String, Vec<u8>)> {
    let all = [
        text(&batch.orders),
        text(&batch.order_events),
        text(&batch.fills),
        text(&batch.denials),
        text(&batch.positions),
        text(&batch.bars),
        text(&batch.equity),
    ];
    all.into_iter().flatten().collect()
}

fn text<R: Row>(rows: &[R]) -> Option<(String, Vec<u8>)> {
    let mut text = Text(Vec::new());
    for row in rows {
        text.0.push(b'1');
        row.put(&mut text);
        text.0.push(b'\n');
    }
    (!rows.is_empty()).then(|| (format!("COPY {} FROM STDIN", R::TABLE), text.0))
}

struct Text(Vec<u8>);

impl Columns for Text {
    fn int(&mut self, value: i64) {
        self.0.extend_from_slice(format!("\t{value}").as_bytes());
    }
    fn flag(&mut self, value: bool) {
        self.0.extend_from_slice(if value { b"\tt" } else { b"\tf" });
    }
    fn text(&mut self, value: &str) {
        self.0.extend_from_slice(format!("\t{value}").as_bytes());
    }
    fn decimal(&mut self, text: &str) {
        self.text(text);
    }
    fn null(&mut self) {
        self.0.extend_from_slice(b"\t\\N");
    }
}
