//! What only runs with live orders leave in a database: commissions in a third asset.
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
use algo_trader::store::Loader;
use algo_trader::venue::local::demo_instruments;
use on_server::OnServer;
use postgres_server::Server;
use std::path::{Path, PathBuf};
use support::{Database, Sqlite, settings};

const SECOND: u64 = 1_000_000_000;

/// A run's journal, event by event; dropped, the run was killed.
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
