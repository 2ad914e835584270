//! The history: rows imported and events read a second, on one core.
//!
//! `cargo bench --bench history [-- MILLIONS]`: so many million rows (default 4; 100 for the memory of a long read).

use algo_trader::domain::{Side, Time};
use algo_trader::history::catalogue::{Entry, Segment, SeriesKind, SeriesName};
use algo_trader::history::import::{ImportKind, ImportOptions, Imported, import_file};
use algo_trader::history::segment::{GapRule, Num, Row, SegmentWriter};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryEvents, Query};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Rows of a file that is imported.
const FILE_ROWS: u64 = 2_000_000;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    }
}

/// Trades that look like a venue's: times in clumps, prices that wander, sizes of all lengths.
struct Market {
    rng: Rng,
    ms: u64,
    price: u64,
    id: u64,
}

impl Market {
    fn next(&mut self) -> (u64, u64, u64, bool) {
        if self.rng.below(3) == 0 {
            self.ms += self.rng.below(60);
        }
        self.price = self.price + self.rng.below(21) - 10;
        self.id += 1;
        let bits = self.rng.below(24);
        (self.ms, self.price, 1 + self.rng.below(1 << bits), self.rng.below(2) == 0)
    }
}

fn market() -> Market {
    Market { rng: Rng(7), ms: 1_723_075_200_000, price: 6_100_000, id: 0 }
}

fn text(kind: &str) -> String {
    let (mut text, mut market) = (String::new(), market());
    for _ in 0..FILE_ROWS {
        let (ms, price, qty, sold) = market.next();
        let (whole, part, id) = (price / 100, price % 100, market.id);
        let side = if sold { "True" } else { "False" };
        let _ = match kind {
            "trades" => writeln!(
                text,
                "{id},{whole}.{part:02}000000,{}.{:05}000,123.45678900,{ms},{side},True",
                qty / 100_000,
                qty % 100_000
            ),
            "aggTrades" => writeln!(
                text,
                "{id},{whole}.{part:02},{}.{:03},{id},{id},{ms},{}",
                qty / 1_000,
                qty % 1_000,
                if sold { "true" } else { "false" }
            ),
            _ => {
                let open = 1_500_000_000_000 + id * 60_000;
                writeln!(
                    text,
                    "{open},{whole}.10,{whole}.99,{whole}.00,{whole}.{part:02},{}.{:03},{},98765.43210,{},1.5,2.5,0",
                    qty / 1_000,
                    qty % 1_000,
                    open + 59_999,
                    qty % 997
                )
            }
        };
    }
    text
}
/// Best of three.
fn best(mut run: impl FnMut() -> u64) -> f64 {
    let once = |run: &mut dyn FnMut() -> u64| {
        let begun = Instant::now();
        let rows = run();
        rows as f64 / begun.elapsed().as_secs_f64() / 1e6
    };
    (0..3).map(|_| once(&mut run)).fold(0.0, f64::max)
}

fn import(dir: &Path, path: &Path) -> (u64, u64) {
    let _ = fs::remove_dir_all(dir);
    let mut history = CatalogueWriter::open(dir).expect("free");
    let market = Some(algo_trader::domain::Market::Spot);
    let options = ImportOptions { market, ..ImportOptions::default() };
    match import_file(&mut history, ImportKind::Binance, path, &options, &mut |_| true) {
        Ok(Imported::Added(entry, _)) => (entry.rows, entry.segments[0].bytes),
        other => panic!("{other:?}"),
    }
}

fn read(dir: &Path) -> u64 {
    let catalogue = Catalogue::open(dir).expect("there");
    let series = catalogue.series();
    let table = catalogue.instruments(&series).expect("a table");
    let mut events = HistoryEvents::open(&catalogue, &series, &table, &Query::default()).expect("opens");
    let (mut count, mut sum) = (0u64, 0u64);
    while let Some(event) = events.next_event().expect("good") {
        count += 1;
        sum = sum.wrapping_add(event.time.0);
        std::hint::black_box(&event);
    }
    assert_ne!(std::hint::black_box(sum), 0);
    count
}

fn imports(dir: &Path) {
    for (kind, what) in [("trades", "spot trades"), ("aggTrades", "futures aggTrades"), ("1m", "klines")] {
        let text = text(kind);
        let csv: PathBuf = dir.join(format!("BTCUSDT-{kind}-2024-08-08.csv"));
        let zip = csv.with_extension("zip");
        fs::write(&csv, &text).expect("can be written");
        zip_named(&zip, &csv, &text);
        let history = dir.join("history");
        let (_, bytes) = import(&history, &csv);
        let from_csv = best(|| import(&history, &csv).0);
        let from_zip = best(|| import(&history, &zip).0);
        let packed = fs::metadata(&zip).map_or(0, |m| m.len());
        let reading = best(|| read(&history));
        println!(
            "{what:<18} import {from_csv:5.2} M rows/s from CSV, {from_zip:5.2} from zip; read {reading:6.1} M events/s; \
             {:.1} bytes a row (zip {:.1}, CSV {:.1})",
            bytes as f64 / FILE_ROWS as f64,
            packed as f64 / FILE_ROWS as f64,
            text.len() as f64 / FILE_ROWS as f64
        );
    }
}

/// The text in the zip has the dump's own name.
fn zip_named(path: &Path, csv: &Path, text: &str) {
    let mut zip = zip::ZipWriter::new(File::create(path).expect("can be made"));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file(csv.file_name().unwrap_or_default().to_string_lossy(), options).expect("can begin");
    zip.write_all(text.as_bytes()).expect("can be written");
    zip.finish().expect("can be closed");
}

fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1_000.0
}

/// `rows` trades of each of so many instruments, read merged.
fn merged(dir: &Path, symbols: &[&str], rows: u64) {
    let history = dir.join("merged");
    for symbol in symbols {
        let mut catalogue = CatalogueWriter::open(&history).expect("free");
        let aside = catalogue.aside();
        let mut writer = SegmentWriter::create(&aside, GapRule::TradeIds).expect("can be made");
        let mut market = market();
        market.rng.0 += u64::from(symbol.as_bytes()[0]);
        for _ in 0..rows {
            let (ms, price, qty, sold) = market.next();
            let time = Time(ms * 1_000_000);
            let (price, qty) = (Num::new(price as i64, 2), Num::new(qty as i64, 5));
            let aggressor = if sold { Side::Sell } else { Side::Buy };
            let row = Row::Trade { price, qty, id: market.id, venue_time: time, aggressor, aggregate: false };
            writer.push(time, &row).expect("good rows");
        }
        let stats = writer.finish().expect("can be closed");
        let name = SeriesName::new(&format!("binance:spot:{symbol}USDT"), SeriesKind::Trades);
        let file = CatalogueWriter::place(&name, Time(stats.first), symbol);
        let segment = Segment::new(file, &name, ((*symbol).into(), "USDT".into()), &stats, true);
        let (id, sha256) = ((*symbol).to_owned(), String::new());
        let (source, taken_as) = ("made up".into(), "bench".into());
        let segments = vec![segment];
        let entry = Entry {
            id,
            source,
            source_bytes: 0,
            sha256,
            taken_as,
            imported: 0,
            rows,
            skipped: 0,
            rounded: 0,
            segments,
        };
        catalogue.add(entry, &[aside]).expect("can be added");
    }
    let begun = Instant::now();
    let count = read(&history);
    let rate = count as f64 / begun.elapsed().as_secs_f64() / 1e6;
    println!(
        "{} instruments merged: {count} events, {rate:.1} M events/s; peak memory of the process {:.0} MB",
        symbols.len(),
        peak_mb()
    );
}

fn main() {
    let millions = std::env::args().skip(1).find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(4);
    let dir = tempfile::tempdir().expect("a directory");
    // First, since the peak of memory is the process's.
    merged(dir.path(), &["A", "B", "C", "D"], millions * 1_000_000 / 4);
    imports(dir.path());
}
