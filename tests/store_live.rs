//! What only runs with live orders leave in a database: commissions in a third asset, and orders and positions of a run that
//! another goes on with.
//!
//! The same journals are taken into SQLite and into a real PostgreSQL server, where its binaries are installed.

#[path = "support/on_server.rs"]
mod on_server;
#[path = "support/postgres.rs"]
mod postgres_server;
#[path = "support/store.rs"]
mod support;

use algo_trader::domain::event::{FeeAsset, Report};
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{
    AssetCode, ClientOrderId, Extras, Instrument, InstrumentId, Market, Order, OrderId, OrderKind, Price,
    Qty, Side, Slot, StrategyId, Time, TimeInForce,
};
use algo_trader::execution::{Record, RecordKind};
use algo_trader::journal::{JournalHeader, JournalStrategy, JournalWriter, SyncPolicy};
use algo_trader::run::recover::Earlier;
use algo_trader::run::{StoreRequest, StoreSummary, StoreThread};
use algo_trader::store::Loader;
use algo_trader::venue::local::demo_instruments;
use on_server::OnServer;
use postgres_server::Server;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Database, Sqlite, settings};

const SECOND: u64 = 1_000_000_000;

/// A run's journal, event by event.
struct Written {
    path: PathBuf,
    writer: JournalWriter,
    epoch: u64,
    seq: u64,
}

fn bitcoin() -> Instrument {
    let all = demo_instruments();
    let of = all
        .into_iter()
        .find(|i| i.market == Market::Spot && i.symbol == "BTCUSDT")
        .expect("it is among them");
    Instrument { id: InstrumentId(0), ..of }
}

fn header(started_ns: u64) -> JournalHeader {
    let strategy =
        JournalStrategy { label: "one".into(), name: "one".into(), instruments: vec![InstrumentId(0)] };
    JournalHeader {
        run_name: "live".into(),
        epoch: 7,
        started_ns,
        instruments: vec![bitcoin()],
        strategies: vec![strategy],
        balances: Some(Vec::new()),
        ..JournalHeader::default()
    }
}

impl Written {
    fn new(dir: &Path, name: &str, header: &JournalHeader) -> Self {
        let path = dir.join(name);
        let writer = JournalWriter::create(&path, header, SyncPolicy::Never).expect("a new file");
        Self { path, writer, epoch: header.epoch, seq: 0 }
    }

    fn event(&mut self, mut slot: Slot) {
        self.seq += 1;
        slot.stamp(Time(self.seq * SECOND), 0, 0);
        self.writer.slot(&slot);
    }

    fn record(&mut self, kind: RecordKind, order: Order) {
        let client_id = ClientOrderId::derive(self.epoch, order.id);
        self.writer.record(&Record { seq: self.seq, kind, order, denied: None, client_id });
    }

    /// An order is handed over, and the venue takes it.
    fn placed(&mut self, order: Order) {
        self.event(Slot::clock());
        self.record(RecordKind::Order, order);
        self.event(Slot::report(&told(&order, ReportKind::Accepted)));
    }

    fn killed(self) -> PathBuf {
        self.path
    }

    fn block(&mut self) {
        self.writer.write_block().expect("a good disk");
    }
}

fn order(number: u64) -> Order {
    Order {
        id: OrderId(number),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(10_000),
        price: Price(6_000_000),
        extras: Extras::NONE,
    }
}

fn told(order: &Order, kind: ReportKind) -> Report {
    Report {
        instrument: order.instrument,
        order: order.id,
        strategy: order.strategy,
        side: order.side,
        kind,
        qty: Qty(0),
        price: Price(0),
        fee: 0,
        fee_asset: FeeAsset::Quote,
        trade_id: 0,
        maker: false,
    }
}

fn filled(order: &Order, trade_id: u64, qty: i64, fee: i64) -> Slot {
    let of = told(order, ReportKind::Fill);
    Slot::report(&Report { qty: Qty(qty), price: order.price, fee, trade_id, ..of })
}

/// So much BNB was taken for a trade, in units of 10^-8, that is worth `fee` in those of the quote asset.
fn paid(order: &Order, trade_id: u64, amount: i64, fee: i64) -> Slot {
    let bnb = AssetCode::of("BNB").expect("short");
    let of = Report::commission(order.instrument, order.id, order.strategy, trade_id, bnb, amount);
    Slot::report(&Report { fee, ..of })
}

fn load(db: &mut dyn Database, journal: &Path) {
    let mut loader = Loader::open(journal, settings(2)).expect("a journal").expect("with a header");
    loader.load(&mut *db.open()).expect("the database is up");
}

/// A decimal with eight places, in units of the last of them.
fn units(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').expect(text);
    assert_eq!(part.len(), 8, "{text}");
    format!("{whole}{part}").parse().expect(text)
}

fn on_both(case: fn(&Path, &mut dyn Database)) {
    let dir = tempfile::tempdir().expect("a directory");
    case(dir.path(), &mut Sqlite::new());
    let Some(mut server) = Server::start() else { return };
    let database = OnServer { server: &mut server, name: "live".into() };
    database.make();
    let dir = tempfile::tempdir().expect("a directory");
    case(dir.path(), &mut { database });
}

#[test]
fn a_commission_in_a_third_asset_is_told_with_its_amount_and_its_worth_and_the_fees_add_up() {
    on_both(|dir, db| {
        let mut run = Written::new(dir, "run.journal", &header(1));
        let bought = order(1);
        run.placed(bought);
        run.event(filled(&bought, 11, 2_000, 0));
        run.event(paid(&bought, 11, 1_500, 123));
        run.event(filled(&bought, 12, 3_000, 500));
        // The asset had no price yet: it is valued behind its first.
        run.event(filled(&bought, 13, 5_000, 0));
        run.event(paid(&bought, 13, 2_500, 0));
        run.event(paid(&bought, 13, 0, 77));
        run.writer.finish().expect("a good disk");
        load(db, &run.path);

        let told = "SELECT CAST(order_no AS TEXT), CAST(trade_id AS TEXT), asset, \
                    COALESCE(CAST(amount AS TEXT), '-'), COALESCE(CAST(fee AS TEXT), '-') FROM commissions ORDER BY seq";
        assert_eq!(
            db.query(told),
            [
                ["1", "11", "BNB", "0.00001500", "0.00000123"],
                ["1", "13", "BNB", "0.00002500", "-"],
                ["1", "13", "BNB", "-", "0.00000077"],
            ]
        );
        let listed = "SELECT CAST(trade_id AS TEXT), CAST(fee AS TEXT), COALESCE(CAST(commission AS TEXT), '-'), \
                      COALESCE(commission_asset, '-'), COALESCE(CAST(commission_fee AS TEXT), '-') FROM fill_list \
                      ORDER BY seq";
        assert_eq!(
            db.query(listed),
            [
                ["11", "0.00000000", "0.00001500", "BNB", "0.00000123"],
                ["12", "0.00000500", "-", "-", "-"],
                ["13", "0.00000000", "0.00002500", "BNB", "0.00000077"],
            ]
        );
        let mut sum = |sql: &str| -> i64 { db.query(sql).iter().map(|row| units(&row[0])).sum() };
        let fees = sum("SELECT CAST(fee AS TEXT) FROM fills")
            + sum("SELECT CAST(fee AS TEXT) FROM commissions WHERE fee IS NOT NULL");
        assert_eq!((fees, sum("SELECT CAST(fees AS TEXT) FROM position_now")), (700, 700));
    });
}

/// A run that goes on with the one whose journal this is, and so with its orders and positions.
fn goes_on_with(journal: &Path, started_ns: u64) -> JournalHeader {
    let earlier = Earlier::read(journal, "live").expect("it reads");
    let lineage = Some(earlier.lineage());
    JournalHeader { lineage, resumed: Some(earlier.recovered.resume()), ..header(started_ns) }
}

#[test]
fn where_an_order_stands_is_told_by_the_run_that_went_on_with_its_own_and_what_that_had_not_written_comes_first()
 {
    on_both(|dir, db| {
        let [rests, taken_back, trades] = [1, 2, 3].map(order);
        let mut first = Written::new(dir, "first.journal", &header(1));
        first.placed(rests);
        first.placed(taken_back);
        first.block();
        load(db, &first.path);
        // What its database never had, as it was killed.
        first.event(Slot::clock());
        first.record(RecordKind::Cancel, taken_back);
        first.placed(trades);
        first.event(filled(&trades, 11, 4_000, 0));
        first.event(paid(&trades, 11, 1_500, 0));
        first.block();
        let first = first.killed();

        let mut second = Written::new(dir, "second.journal", &goes_on_with(&first, 2));
        second.event(Slot::report(&told(&taken_back, ReportKind::Canceled)));
        second.event(filled(&trades, 12, 6_000, 0));
        second.event(paid(&trades, 11, 0, 77));
        second.block();
        let second = second.killed();
        let summary = following(db, Some(&first), &second).finish();
        assert!(summary.caught_up && summary.earlier_rows > 0, "{summary:?}");

        // One more, of which a database learns afterwards.
        let mut third = Written::new(dir, "third.journal", &goes_on_with(&second, 3));
        third.event(Slot::report(&told(&rests, ReportKind::Expired)));
        third.block();
        // Another run altogether, of the same numbers, has nothing to do with it.
        let mut other = Written::new(dir, "other.journal", &header(4));
        other.placed(rests);
        other.block();
        load(db, &third.path);
        load(db, &other.path);

        let now = "SELECT CAST(order_no AS TEXT), status, COALESCE(CAST(filled AS TEXT), '-') FROM order_now \
                   ORDER BY run, order_no";
        let rows = db.query(now);
        let told: Vec<[&str; 2]> = rows.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
        let gone_on = [["1", "expired"], ["2", "canceled"], ["3", "filled"]];
        assert_eq!(told, [&gone_on[..], &[["1", "open"]]].concat());
        let held = db.query("SELECT CAST(qty AS TEXT), CAST(fees AS TEXT) FROM position_now");
        assert_eq!(held.len(), 1, "what is held is told once: {held:?}");
        assert_eq!(units(&held[0][1]), 77, "{held:?}");
        let worth = "SELECT COALESCE(CAST(commission_fee AS TEXT), '-') FROM fill_list ORDER BY trade_id";
        assert_eq!(db.query(worth), [["0.00000077"], ["-"]], "by the run that learnt of it");
    });
}

#[test]
fn what_runs_that_were_killed_one_after_the_other_had_not_written_comes_first_the_oldest_before_the_others() {
    on_both(|dir, db| {
        let [a, b, c] = [1, 2, 3].map(order);
        let mut first = Written::new(dir, "first.journal", &header(1));
        first.placed(a);
        first.block();
        load(db, &first.path);
        // From here on the database is away; each is killed before it is back.
        db.down();
        let away = |db: &mut dyn Database, earlier: Option<&Path>, journal: &Path| {
            let thread = following(db, earlier, journal);
            while thread.summary().retries < 2 {
                assert!(!thread.wait(Duration::from_millis(10)), "it cannot be done");
            }
        };
        first.event(filled(&a, 11, 10_000, 0));
        first.placed(b);
        first.block();
        away(db, None, &first.path);
        let first = first.killed();

        let mut second = goes_on(dir, "second.journal", &first, 2);
        second.event(filled(&b, 12, 4_000, 0));
        second.block();
        away(db, Some(&first), &second.path);
        let second = second.killed();

        let mut third = goes_on(dir, "third.journal", &second, 3);
        third.event(filled(&b, 13, 6_000, 0));
        third.placed(c);
        third.writer.finish().expect("a good disk");
        let thread = following(db, Some(&second), &third.path);
        while thread.summary().retries < 1 {
            assert!(!thread.wait(Duration::from_millis(10)), "it cannot be done");
        }
        db.up();
        let summary = thread.finish();
        assert!(summary.caught_up && summary.lost.is_empty() && summary.behind_bytes == 0, "{summary:?}");
        let trades = "SELECT CAST(trade_id AS TEXT) FROM fills ORDER BY trade_id";
        assert_eq!(db.query(trades), [["11"], ["12"], ["13"]]);
        let listed = "SELECT CAST(nth AS TEXT) FROM runs ORDER BY id";
        assert_eq!(db.query(listed), [["0"], ["1"], ["2"]], "the oldest first");
        let content = db.content();

        // Whatever a database has of them, or lacks, it comes to have the same.
        db.delete();
        let summary = following(db, Some(&second), &third.path).finish();
        assert!(summary.caught_up && summary.lost.is_empty(), "{summary:?}");
        assert_eq!(db.content(), content);

        // One whose journal is gone is told of, as long as the database may lack some of it.
        let told = |summary: &StoreSummary| summary.lost.iter().any(|lost| lost.contains("first.journal"));
        let aside = dir.join("kept.journal");
        std::fs::rename(&first, &aside).expect("it is there");
        let summary = following(db, Some(&second), &third.path).finish();
        assert!(summary.caught_up && summary.earlier_rows == 0, "it has all: {summary:?}");
        db.delete();
        let summary = following(db, Some(&second), &third.path).finish();
        assert!(told(&summary) && !summary.caught_up && summary.behind_bytes == 0, "{summary:?}");
        assert_eq!(db.query(trades), [["12"], ["13"]], "the others are there");
        // Of another run that took its place nothing is taken for it.
        Written::new(dir, "first.journal", &header(9)).block();
        db.delete();
        let summary = following(db, Some(&second), &third.path).finish();
        assert!(told(&summary) && !summary.caught_up, "{summary:?}");
        assert_eq!(db.query(listed), [["1"], ["2"]]);
    });
}

/// A run that goes on with that of `earlier`, and has noted so beside it.
fn goes_on(dir: &Path, name: &str, earlier: &Path, started_ns: u64) -> Written {
    let mut run = Written::new(dir, name, &goes_on_with(earlier, started_ns));
    run.block();
    Earlier::gone_on_with_by(earlier, Some(&run.path)).expect("nobody else does");
    run
}

/// The store's thread of a run that journals there.
fn following(db: &dyn Database, earlier: Option<&Path>, journal: &Path) -> StoreThread {
    let (url, options) = (db.url(), db.options());
    let request = StoreRequest {
        place: "the database".into(),
        open: Box::new(move || algo_trader::store::open(&url, &options)),
        loader: settings(2),
        flush: Duration::from_millis(20),
        finish: Duration::from_secs(60),
        silence: Duration::from_secs(10),
    };
    let thread = StoreThread::start(request).expect("a thread");
    thread.follow_after(earlier, journal, &[]);
    thread
}

#[test]
fn an_earlier_journal_that_does_not_read_keeps_the_next_one_from_nothing_and_is_told_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 2);
    let (_, hurt) = support::damaged(&journal);
    let mut database = Sqlite::new();
    for earlier in [hurt, dir.path().join("none.journal")] {
        let summary = following(&database, Some(&earlier), &journal).finish();
        assert!(!summary.caught_up && summary.behind_bytes == 0, "{summary:?}");
        let ended = database.query("SELECT CAST(ended AS TEXT) FROM runs WHERE seq > 0 AND ended");
        assert_eq!(ended, [["1"]], "all of its own is there");
        let name = earlier.file_name().expect("one").to_string_lossy();
        assert!(matches!(summary.lost.as_slice(), [lost] if lost.contains(&*name)), "{summary:?}");
        database.delete();
    }
}

#[test]
fn what_came_before_one_that_was_taken_in_alone_comes_too_and_what_a_database_has_is_lost_nowhere() {
    on_both(|dir, db| {
        let [a, b] = [1, 2].map(order);
        let mut first = Written::new(dir, "first.journal", &header(1));
        first.placed(a);
        first.event(filled(&a, 11, 10_000, 0));
        first.placed(b);
        first.block();
        let first = first.killed();
        let mut second = goes_on(dir, "second.journal", &first, 2);
        second.event(filled(&b, 12, 4_000, 0));
        second.writer.finish().expect("a good disk");
        let ended = second.killed();
        let mut third = goes_on(dir, "third.journal", &ended, 3);
        third.event(filled(&b, 13, 6_000, 0));
        third.block();
        let third = third.killed();
        let trades = "SELECT CAST(trade_id AS TEXT) FROM fills ORDER BY trade_id";

        // As a person may take one in, and it alone.
        load(db, &ended);
        let summary = following(db, Some(&ended), &third).finish();
        assert!(summary.caught_up && summary.lost.is_empty() && summary.earlier_rows > 0, "{summary:?}");
        assert_eq!(db.query(trades), [["11"], ["12"], ["13"]]);

        // The second is there, and its journal somewhere else: nothing is lost of it.
        db.delete();
        load(db, &first);
        load(db, &ended);
        let mut fourth = goes_on(dir, "fourth.journal", &third, 4);
        fourth.event(Slot::clock());
        fourth.block();
        let fourth = fourth.killed();
        std::fs::rename(&ended, dir.join("kept.journal")).expect("it is there");
        let summary = following(db, Some(&third), &fourth).finish();
        assert!(summary.caught_up && summary.lost.is_empty(), "{summary:?}");
        assert_eq!(db.query(trades), [["11"], ["12"], ["13"]]);
        db.delete();
        let summary = following(db, Some(&third), &fourth).finish();
        assert!(!summary.caught_up && summary.lost.len() == 1, "{summary:?}");
    });
}

#[test]
fn a_journal_is_loaded_after_those_that_its_run_went_on_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut database = Sqlite::new();
    let [a, b] = [1, 2].map(order);
    let mut first = Written::new(dir.path(), "first.journal", &header(1));
    first.placed(a);
    first.event(filled(&a, 11, 10_000, 0));
    first.placed(b);
    first.block();
    let first = first.killed();
    let mut second = goes_on(dir.path(), "second.journal", &first, 2);
    second.event(filled(&b, 12, 4_000, 0));
    second.block();
    let second = second.killed();
    let loaded = |database: &mut Sqlite, journal: &Path| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"))
            .args(["store", "load", "--json", "--store", &database.url().to_string(), "--journal"])
            .arg(journal)
            .output()
            .expect("the program");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let trades = database.query("SELECT CAST(trade_id AS TEXT) FROM fills ORDER BY trade_id").concat();
        (json["journals"].as_array().map_or(0, Vec::len), trades.join(" "), told)
    };
    let (journals, trades, told) = loaded(&mut database, &second);
    assert_eq!((journals, trades.as_str()), (2, "11 12"), "{told}");
    let (journals, trades, _) = loaded(&mut database, &second);
    assert_eq!((journals, trades.as_str()), (1, "11 12"), "all of the first is there");
    // Where it lies elsewhere that is told.
    std::fs::rename(&first, dir.path().join("kept.journal")).expect("it is there");
    std::fs::remove_file(dir.path().join("first.journal.next")).expect("it is there");
    database.delete();
    let (journals, trades, told) = loaded(&mut database, &second);
    assert_eq!((journals, trades.as_str()), (1, "12"));
    assert!(
        told.contains("lacks what came before") && told.contains("second.journal goes on with"),
        "{told}"
    );
}
