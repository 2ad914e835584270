//! Import: what files say is what comes back, exactly; a bad file leaves nothing; no file counts twice.

#[path = "support/history.rs"]
mod support;

use algo_trader::domain::event::{BarOrigin, Kline, Quote, Trade};
use algo_trader::domain::{InstrumentId, Level, Market, Notional, Price, Qty, Side, Time};
use algo_trader::history::import::{ImportError, ImportKind, ImportOptions, Imported, RowFault, files};
use algo_trader::history::{Catalogue, CatalogueWriter, HistoryError, Query};
use algo_trader::venue::Decoded;
use std::fs;
use std::path::Path;
use support::{Rng, decimal, import, plain, read, read_with, segment_files, zipped};
use tempfile::tempdir;

/// 2024-08-08T00:00:00Z in ms.
const DAY_MS: u64 = 1_723_075_200_000;

fn options() -> ImportOptions {
    ImportOptions::default()
}

fn added(imported: Result<Imported, ImportError>) -> algo_trader::history::catalogue::Entry {
    match imported {
        Ok(Imported::Added(entry, _)) => entry,
        other => panic!("not imported: {other:?}"),
    }
}

/// A trade: ms, price in 10^-2, qty in 10^-5, id, whether it was sold.
type Traded = (u64, i64, i64, u64, bool);

/// A dump of trades, and what it says.
fn trades(seed: u64, rows: u64, spot: bool) -> (String, Vec<Traded>) {
    let mut rng = Rng(seed);
    let (mut text, mut all, mut ms, mut id) = (String::new(), Vec::new(), DAY_MS, 1_000);
    for _ in 0..rows {
        ms += rng.below(3) * rng.below(200);
        id += 1;
        let bits = rng.below(24);
        let (price, qty, sold) =
            (6_000_000 + rng.below(500_000), 1 + rng.below(1 << bits), rng.below(2) == 0);
        // Spot prints eight decimals, most of them zeros.
        let (price_text, qty_text) = match spot {
            true => (decimal(price * 1_000_000, 8), decimal(qty * 1_000, 8)),
            false => (decimal(price, 2), decimal(qty, 5)),
        };
        let flag = if spot {
            if sold { "True,True" } else { "False,True" }
        } else if sold {
            "true"
        } else {
            "false"
        };
        text.push_str(&format!("{id},{price_text},{qty_text},1.5,{ms},{flag}\n"));
        all.push((ms, price as i64, qty as i64, id, sold));
    }
    (text, all)
}

#[test]
fn trades_of_spot_and_futures_come_back_to_the_last_digit() {
    for (seed, spot) in [(1, true), (2, false), (3, true)] {
        let dir = tempdir().expect("a directory");
        let (mut text, expected) = trades(seed, 40_000, spot);
        if !spot {
            text.insert_str(0, "id,price,qty,quote_qty,time,is_buyer_maker\n");
        }
        let path = zipped(dir.path(), "BTCUSDT-trades-2024-08-08.zip", &text);
        let entry = added(import(&dir.path().join("h"), ImportKind::Binance, &path, &options()));
        assert_eq!((entry.rows, entry.skipped, entry.segments.len()), (40_000, 0, 1));
        let segment = &entry.segments[0];
        assert_eq!((segment.price_decimals, segment.qty_decimals, segment.gaps), (2, 5, Some(0)));
        assert_eq!(segment.instrument, if spot { "binance:spot:BTCUSDT" } else { "binance:usdm:BTCUSDT" });
        let read = read(&dir.path().join("h"));
        assert_eq!(read.len(), expected.len());
        for (read, (ms, price, qty, id, sold)) in read.iter().zip(expected) {
            let trade = Trade {
                instrument: InstrumentId(0),
                price: Price(price),
                qty: Qty(qty),
                id,
                venue_time: Time::from_millis(ms),
                aggressor: if sold { Side::Sell } else { Side::Buy },
                aggregate: false,
            };
            assert_eq!((read.time, read.decoded), (ms * 1_000_000, Decoded::Trade(trade)));
        }
    }
}

#[test]
fn a_time_of_sixteen_digits_is_in_microseconds() {
    let dir = tempdir().expect("a directory");
    let text = "7,1.5,2,3.0,1735689600000001,True,True\n9,1.5,2,3.0,1735689600000002,False,True\n";
    let path = plain(dir.path(), "ETHBTC-trades-2025-01-01.csv", text);
    let entry = added(import(&dir.path().join("h"), ImportKind::Binance, &path, &options()));
    assert_eq!(
        (entry.segments[0].first, entry.segments[0].last),
        (1_735_689_600_000_001_000, 1_735_689_600_000_002_000)
    );
    // One id is missing between 7 and 9.
    assert_eq!((entry.segments[0].gaps, entry.segments[0].missing), (Some(1), 1));
    assert_eq!((entry.segments[0].base.as_str(), entry.segments[0].quote.as_str()), ("ETH", "BTC"));
}

#[test]
fn a_bar_that_was_cut_short_leaves_no_bar_out() {
    let dir = tempdir().expect("a directory");
    // The third closes after half its minute, and the next is there in time; of the last two in between one is not.
    let bars = [(0, 60), (1, 60), (2, 30), (3, 60), (5, 60)].map(|(minute, seconds)| {
        let open = DAY_MS + minute * 60_000;
        format!("{open},100.10,101.5,99.99,100.00,12.5,{},1250.12,40,1,2,0\n", open + seconds * 1_000 - 1)
    });
    let path = plain(dir.path(), "BTCUSDT-1m-2024-08-08.csv", &bars.concat());
    let market = ImportOptions { market: Some(Market::Spot), ..options() };
    let entry = added(import(&dir.path().join("h"), ImportKind::Binance, &path, &market));
    assert_eq!((entry.segments[0].gaps, entry.segments[0].missing), (Some(1), 1));
}

#[test]
fn bars_come_back_with_their_ends_as_times_in_ms_and_in_us_files() {
    for (name, unit, header) in
        [("BTCUSDT-1m-2024-08.zip", 1u64, true), ("BTCUSDT-1m-2025-08.zip", 1_000, false)]
    {
        let dir = tempdir().expect("a directory");
        let mut text = String::new();
        if header {
            text.push_str("open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n");
        }
        let minute = 60_000 * unit;
        let start = if unit == 1 { DAY_MS } else { 1_735_689_600_000_000 };
        for i in 0..3u64 {
            // The third minute is missing.
            let open = start + (i + u64::from(i == 2)) * minute;
            let close = open + minute - 1;
            text.push_str(&format!(
                "{open},100.10,101.5,99.99,100.{i}0,12.500,{close},1250.12345678,{},1,2,0\n",
                40 + i
            ));
        }
        let path = zipped(dir.path(), name, &text);
        let market = ImportOptions { market: Some(Market::UsdM), ..options() };
        let entry = added(import(&dir.path().join("h"), ImportKind::Binance, &path, &market));
        let segment = &entry.segments[0];
        assert_eq!((segment.series.as_str(), segment.rows), ("bars-1m", 3));
        assert_eq!((segment.gaps, segment.missing), (Some(1), 1));
        let nanos = 1_000_000 / unit;
        let read = read(&dir.path().join("h"));
        let open_time = Time(start * nanos);
        let bar = Kline {
            instrument: InstrumentId(0),
            open: Price(1_001 * 10),
            high: Price(10_150),
            low: Price(9_999),
            close: Price(10_000),
            volume: Qty(125),
            open_time,
            close_time: Time((start + minute - 1) * nanos),
            trades: 40,
            // 1250.12345678 at the three decimals of a notional.
            quote_volume: Notional(1_250_123),
            closed: true,
            origin: BarOrigin::Told,
        };
        assert_eq!((read[0].time, read[0].decoded), (open_time.0 + 60_000_000_000, Decoded::Kline(bar)));
    }
}

#[test]
fn best_bids_and_asks_come_back() {
    let dir = tempdir().expect("a directory");
    let text = format!(
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
         5,100.1,3,100.2,4,{DAY_MS},{DAY_MS}\n8,100.0,0.5,100.15,4,{0},{0}\n",
        DAY_MS + 1
    );
    let path = plain(dir.path(), "BTCUSDT-bookTicker-2023-06-01.csv", &text);
    let entry = added(import(&dir.path().join("h"), ImportKind::Binance, &path, &options()));
    assert_eq!((entry.segments[0].series.as_str(), entry.segments[0].gaps), ("quotes", None));
    let quote = Quote {
        instrument: InstrumentId(0),
        bid: Level::new(10_000, 5),
        ask: Level::new(10_015, 40),
        update_id: 8,
    };
    assert_eq!(read(&dir.path().join("h"))[1].decoded, Decoded::Quote(quote));
}

#[test]
fn the_same_file_twice_adds_nothing_under_any_name_and_is_there_again_after_its_removal() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let (text, _) = trades(9, 500, true);
    let path = zipped(dir.path(), "BTCUSDT-trades-2024-08-08.zip", &text);
    let first = added(import(&history, ImportKind::Binance, &path, &options()));
    let (before, files) =
        (fs::read(history.join("catalogue.jsonl")).expect("there"), segment_files(&history));
    fs::create_dir(dir.path().join("copy")).expect("can be made");
    let copy = dir.path().join("copy/BTCUSDT-trades-2024-08-08.zip");
    fs::copy(&path, &copy).expect("can be copied");
    for again in [&path, &copy] {
        match import(&history, ImportKind::Binance, again, &options()) {
            Ok(Imported::Known(entry)) => assert_eq!(entry, first),
            other => panic!("imported again: {other:?}"),
        }
    }
    assert_eq!(fs::read(history.join("catalogue.jsonl")).expect("there"), before);
    assert_eq!(segment_files(&history), files);

    // The same rows in other bytes are told, and leave nothing.
    let plain = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &text);
    let error = import(&history, ImportKind::Binance, &plain, &options()).expect_err("overlaps");
    assert!(matches!(error, ImportError::History(HistoryError::Overlap(_))), "{error}");
    assert!(error.to_string().contains(&format!("history remove {}", first.id)), "{error}");
    assert_eq!(segment_files(&history), files);

    CatalogueWriter::open(&history).expect("free").remove(&first.id).expect("is there");
    assert!(segment_files(&history).is_empty());
    let second = added(import(&history, ImportKind::Binance, &plain, &options()));
    assert_eq!((second.rows, read(&history).len()), (500, 500));
}

#[test]
fn a_file_is_known_by_what_it_makes_and_not_by_how_it_was_asked_for() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let bars = |name: &str| {
        let row = |n: u64| {
            let (from, to) = (DAY_MS + n * 60_000, DAY_MS + n * 60_000 + 59_999);
            format!("{from},1.5,2.5,1.5,2.5,7,{to},9,3,1,1,0\n")
        };
        plain(dir.path(), name, &(0..5).map(row).collect::<String>())
    };
    let spot = ImportOptions { market: Some(Market::Spot), ..options() };
    let path = bars("BTCUSDT-1m-2024-08.csv");
    let first = added(import(&history, ImportKind::Binance, &path, &spot));
    let known =
        |path: &Path, options: &ImportOptions| match import(&history, ImportKind::Binance, path, options) {
            Ok(Imported::Known(entry)) => entry.id == first.id,
            other => panic!("{other:?}"),
        };
    // Options that change nothing, and a file of another name in another place.
    assert!(known(&path, &spot));
    assert!(known(&path, &ImportOptions { skip_bad: true, ..spot.clone() }));
    let named = ImportOptions { instrument: Some("binance:spot:BTCUSDT".into()), ..spot.clone() };
    assert!(known(&path, &named));
    assert!(known(&bars("BTCUSDT-1m-2024-09.csv"), &spot));
    // Another market, and other assets, are something else, whatever the bytes.
    let usdm = ImportOptions { market: Some(Market::UsdM), ..options() };
    let second = added(import(&history, ImportKind::Binance, &path, &usdm));
    assert!(second.id != first.id && second.segments[0].instrument == "binance:usdm:BTCUSDT");
    let other = ImportOptions { base: Some("BTCU".into()), quote: Some("SDT".into()), ..spot };
    let error =
        import(&history, ImportKind::Binance, &path, &other).expect_err("it is there as something else");
    assert!(error.to_string().contains("is there already"), "{error}");
}

/// Files that are refused, with what the message must have.
fn bad_files() -> Vec<(&'static str, String, &'static [&'static str])> {
    let row = |id: u64, price: &str, qty: &str, ms: u64| format!("{id},{price},{qty},1,{ms},True,True\n");
    let good = |id: u64| row(id, "1.5", "2", DAY_MS + id);
    let third = |line: String| format!("{}{}{line}{}", good(1), good(2), good(4));
    let name = "BTCUSDT-trades-2024-08-08.csv";
    vec![
        (
            name,
            third(row(3, "NaN", "2", DAY_MS + 3)),
            &[":3: ", "price", "NaN", "not a number", "--skip-bad"],
        ),
        (name, third(row(3, "1.5", "-2", DAY_MS + 3)), &[":3: ", "qty", "-2", "below zero"]),
        (name, third(row(3, "0", "2", DAY_MS + 3)), &[":3: ", "price", "not above zero"]),
        (name, third(row(2, "1.5", "2", DAY_MS + 3)), &[":3: ", "same id"]),
        (name, third(row(3, "1.5", "2", DAY_MS)), &[":3: ", "before that of the row above", "--sort"]),
        (name, third(row(1, "1.5", "2", DAY_MS + 3)), &[":3: ", "id is below", "--sort"]),
        (name, third(row(3, "1.5", "2", 12)), &[":3: ", "time", "ms or µs"]),
        (name, third("3,1.5,2\n".into()), &[":3: ", "3 columns where 6", "KIND"]),
        (name, third(format!("3,1.5,2,1,{},maybe,True\n", DAY_MS + 3)), &[":3: ", "maybe", "true or false"]),
        (name, third(row(3, "99999999999999999999", "2", DAY_MS + 3)), &[":3: ", "too large"]),
        (
            name,
            third(row(3, "1.0000000000000000001", "2", DAY_MS + 3)),
            &[":3: ", "18 decimals", "--round-price"],
        ),
        (
            name,
            third(row(3, "1.00000000000001", "0.00000001", DAY_MS + 3)),
            &[":3: ", "together more than 18"],
        ),
        (name, String::new(), &["is empty"]),
        (name, "\n\n".into(), &["nothing to import"]),
        (name, "a,b\n".into(), &["nothing to import"]),
        ("trades.csv", good(1), &["SYMBOL-TYPE-DATE.zip"]),
        ("XYZ-trades-2024-08-08.csv", good(1), &[":1: ", "XYZ", "--base and --quote"]),
        ("BTCUSDT-1m-2024-08.csv", format!("{DAY_MS},1,1,1,1,1,{DAY_MS},1,1,1,1,0\n"), &[":1: ", "--market"]),
        ("AVERYLONGSYMBOLUSDT-trades-2024-08-08.csv", good(1), &[":1: ", "symbol of 1 to 15"]),
        (
            "BTCUSDT-1m-2024-08.csv",
            format!("{0},1,1,1,1,1,{1},1,1,1,1,0\n", DAY_MS + 60_000, DAY_MS),
            &[":1: ", "ends before it starts"],
        ),
        (
            "BTCUSDT-1m-2024-08.csv",
            format!("{0},1,0.9,1,1,1,{0},1,1,1,1,0\n", DAY_MS),
            &[":1: ", "high is below"],
        ),
        (
            "BTCUSDT-1h-2024-08.csv",
            format!(
                "{0},1,1,1,1,1,{1},1,1,1,1,0\n{1},1,1,1,1,1,{2},1,1,1,1,0\n",
                DAY_MS,
                DAY_MS + 60_000,
                DAY_MS + 120_000
            ),
            &[":2: ", "begins 60 s after the one before", "3600 s"],
        ),
        (
            "BTCUSDT-1m-2024-08.csv",
            format!("{0},1,1,1,1,1,{1},1,1,1,1,0\n", DAY_MS, DAY_MS + 300_000),
            &[":1: ", "lasts 300 s", "60 s"],
        ),
    ]
}

#[test]
fn each_kind_of_bad_file_is_refused_with_its_line_and_leaves_nothing() {
    for (name, text, said) in bad_files() {
        let dir = tempdir().expect("a directory");
        let history = dir.path().join("h");
        let (good, _) = trades(5, 100, false);
        let other = plain(dir.path(), "ETHUSDT-trades-2024-08-08.csv", &good);
        added(import(&history, ImportKind::Binance, &other, &options()));
        let before = (fs::read(history.join("catalogue.jsonl")).expect("there"), segment_files(&history));
        let path = plain(dir.path(), name, &text);
        let market = if said.contains(&"--market") { None } else { Some(Market::Spot) };
        let with = ImportOptions { market, ..options() };
        let error = import(&history, ImportKind::Binance, &path, &with).expect_err(&text).to_string();
        for word in said {
            assert!(error.contains(word), "{error:?} does not say {word:?}");
        }
        assert!(error.contains(name), "{error:?} names no file");
        let after = (fs::read(history.join("catalogue.jsonl")).expect("there"), segment_files(&history));
        assert_eq!(before, after, "{error}");
        assert_eq!(read(&history).len(), 100);
    }
}

#[test]
fn what_is_no_whole_zip_or_not_what_its_checksum_says_is_refused() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let (text, _) = trades(5, 20_000, true);
    let path = zipped(dir.path(), "BTCUSDT-trades-2024-08-08.zip", &text);
    let whole = fs::read(&path).expect("there");
    let refused = |bytes: &[u8], said: &str| {
        fs::write(&path, bytes).expect("can be written");
        let error = import(&history, ImportKind::Binance, &path, &options()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
        assert!(segment_files(&history).is_empty());
    };
    for cut in [4, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..cut], "cut or damaged");
    }
    // What another packer made is not damaged: its method stands in both of the zip's headers, as does whether it is encrypted.
    let central = memchr::memmem::find(&whole, b"PK\x01\x02").expect("a directory");
    for (method, said) in [(12, "bzip2"), (14, "LZMA"), (9, "Deflate64"), (77, "a rare method (")] {
        let mut other = whole.clone();
        (other[8], other[central + 10]) = (method, method);
        refused(&other, &format!("a zip packed by {said}"));
    }
    let mut encrypted = whole.clone();
    (encrypted[6], encrypted[central + 8]) = (encrypted[6] | 1, encrypted[central + 8] | 1);
    refused(&encrypted, "a zip that is encrypted is not read here: unzip it");
    refused(b"BZh91AY&SY", "packed by bzip2: unpack it first");
    refused(b"\xfd7zXZ\0\0", "packed by xz: unpack it first");
    // Rows that a damaged byte made bad may be left out; the zip's own checksum is wrong all the same.
    let skip = ImportOptions { skip_bad: true, ..options() };
    for at in [whole.len() / 3, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("can be written");
        let error = import(&history, ImportKind::Binance, &path, &skip).expect_err("damaged").to_string();
        assert!(error.contains("cut or damaged"), "{error}");
        assert!(segment_files(&history).is_empty());
    }

    fs::write(&path, &whole).expect("can be written");
    let checksum = dir.path().join("BTCUSDT-trades-2024-08-08.zip.CHECKSUM");
    fs::write(&checksum, format!("{}  BTCUSDT-trades-2024-08-08.zip\n", "0".repeat(64)))
        .expect("can be written");
    refused(&whole, "the file beside it says 000");
    fs::write(&checksum, "<html>").expect("can be written");
    refused(&whole, "not a checksum");
    fs::remove_file(&checksum).expect("there");
    let sha256 = added(import(&history, ImportKind::Binance, &path, &options())).sha256;
    // The right one is taken.
    let other = tempdir().expect("a directory");
    fs::write(&checksum, format!("{sha256}  BTCUSDT-trades-2024-08-08.zip\n")).expect("can be written");
    added(import(&other.path().join("h"), ImportKind::Binance, &path, &options()));
}

#[test]
fn bad_rows_are_left_out_where_asked_and_counted() {
    let dir = tempdir().expect("a directory");
    let (text, expected) = trades(11, 1_000, true);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(500, "x,1,2,3,4,5,6");
    lines.insert(10, "1,1");
    lines.insert(700, lines[699]);
    let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &lines.join("\n"));
    let skip = ImportOptions { skip_bad: true, ..options() };
    let imported = import(&dir.path().join("h"), ImportKind::Binance, &path, &skip);
    let Ok(Imported::Added(entry, problems)) = imported else { panic!("{imported:?}") };
    assert_eq!((entry.rows, entry.skipped, entry.segments[0].rows), (1_003, 3, 1_000));
    assert_eq!(problems.len(), 3);
    assert!(problems[0].contains(":11: "), "{problems:?}");
    let ids: Vec<u64> = read(&dir.path().join("h")).iter().map(|r| id_of(&r.decoded)).collect();
    assert_eq!(ids, expected.iter().map(|e| e.3).collect::<Vec<_>>());
}

fn id_of(decoded: &Decoded) -> u64 {
    match decoded {
        Decoded::Trade(trade) => trade.id,
        other => panic!("not a trade: {other:?}"),
    }
}

#[test]
fn a_file_whose_rows_are_interleaved_is_sorted_where_asked() {
    let dir = tempdir().expect("a directory");
    let (text, expected) = trades(12, 5_000, false);
    let lines: Vec<&str> = text.lines().collect();
    let (even, odd): (Vec<_>, Vec<_>) = lines.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let mixed: Vec<&str> = odd.into_iter().chain(even).map(|(_, line)| *line).collect();
    let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &mixed.join("\n"));
    let history = dir.path().join("h");
    let error = import(&history, ImportKind::Binance, &path, &options()).expect_err("unsorted");
    assert!(
        matches!(error, ImportError::Row { fault: RowFault::Refused(_) | RowFault::IdBack, .. }),
        "{error}"
    );
    let sort = ImportOptions { sort: true, ..options() };
    added(import(&history, ImportKind::Binance, &path, &sort));
    let ids: Vec<u64> = read(&history).iter().map(|r| id_of(&r.decoded)).collect();
    assert_eq!(ids, expected.iter().map(|e| e.3).collect::<Vec<_>>());
}

#[test]
fn a_directory_stands_for_what_can_be_imported_in_it_and_below() {
    let dir = tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("spot/old")).expect("directories");
    let wanted = ["a.csv", "b.csv.gz", "spot/BTCUSDT-1m.zip", "spot/old/c.csv"];
    let beside = ["spot/BTCUSDT-1m.zip.CHECKSUM", "manifest.jsonl"];
    let other = ["spot/README.md", "notes"];
    for name in wanted.iter().chain(&beside).chain(&other) {
        std::fs::write(at(name), "").expect("a file");
    }
    // A way back to where it began, and one to what is no longer there.
    std::os::unix::fs::symlink(dir.path(), at("spot/up")).expect("a link");
    std::os::unix::fs::symlink(at("gone.csv"), at("spot/z.csv")).expect("a link");
    let mut found = files(&[dir.path().to_owned()]).expect("files");
    assert_eq!(found.files.pop(), Some(at("spot/z.csv")));
    let error =
        import(&at("h"), ImportKind::Binance, &at("spot/z.csv"), &options()).expect_err("leads nowhere");
    assert!(error.to_string().contains("spot/z.csv: No such file"), "{error}");
    assert_eq!(found.files, wanted.map(at));
    found.passed_over.sort();
    assert_eq!(found.passed_over, [at("notes"), at("spot/README.md"), at("spot/up")]);
    // By its own name anything is taken.
    assert_eq!(files(&[at("notes")]).expect("a file").files, [at("notes")]);
    std::fs::create_dir(at("empty")).expect("a directory");
    let error = files(&[at("empty")]).expect_err("nothing in it").to_string();
    assert!(error.contains("empty") && error.contains(".csv, .zip or .gz"), "{error}");
}

fn three_instruments(dir: &Path) -> Vec<(u64, usize, u64)> {
    let mut expected = Vec::new();
    // In the order of names, which is that of the series.
    for (series, (symbol, seed)) in
        [("BTCUSDT", 21), ("ETHUSDT", 22), ("XRPUSDT", 23)].into_iter().enumerate()
    {
        let (text, rows) = trades(seed, 30_000, true);
        let (first, second) = text.split_at(text[..text.len() / 3].rfind('\n').expect("lines") + 1);
        // The later part first: the order of importing is not the order of time.
        for (part, name) in [(second, "2024-08-09"), (first, "2024-08-08")] {
            let path = zipped(dir, &format!("{symbol}-trades-{name}.zip"), part);
            added(import(&dir.join("h"), ImportKind::Binance, &path, &options()));
        }
        expected.extend(rows.iter().map(|(ms, _, _, id, _)| (ms * 1_000_000, series, *id)));
    }
    expected.sort();
    expected
}

#[test]
fn several_instruments_come_in_one_order_of_time_and_a_range_is_that_part_of_it() {
    let dir = tempdir().expect("a directory");
    let expected = three_instruments(dir.path());
    let history = dir.path().join("h");
    let flat = |reads: Vec<support::Read>| -> Vec<(u64, usize, u64)> {
        reads.iter().map(|r| (r.time, r.series, id_of(&r.decoded))).collect()
    };
    let all = flat(read(&history));
    assert_eq!(all.len(), 90_000);
    assert!(all == expected, "another order");
    let mut rng = Rng(5);
    for _ in 0..20 {
        let mut ends = [0, 1].map(|_| expected[rng.below(90_000) as usize].0 + rng.below(2));
        ends.sort_unstable();
        let [from, until] = ends;
        let query = Query { from: Some(Time(from)), until: Some(Time(until)), ..Query::default() };
        let part: Vec<_> = expected.iter().filter(|e| (from..until).contains(&e.0)).copied().collect();
        assert!(flat(read_with(&history, &query).0) == part, "from {from} until {until}");
    }
    let catalogue = Catalogue::open(&history).expect("there");
    let series = catalogue.series();
    assert_eq!(series.len(), 3);
    assert!(series.iter().all(|s| s.segments.len() == 2 && s.gaps == Some(0) && s.rows == 30_000));
}

#[test]
fn what_the_history_does_not_have_is_told_with_what_it_has() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let missing = Catalogue::open(&history).expect_err("no history").to_string();
    assert!(missing.contains("algo-trader import"), "{missing}");
    let (text, _) = trades(5, 10, true);
    let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &text);
    added(import(&history, ImportKind::Binance, &path, &options()));
    let catalogue = Catalogue::open(&history).expect("there");
    let fails = |query: Query| query.select(&catalogue).expect_err("must fail").to_string();
    let error = fails(Query { instruments: vec!["binance:spot:ETHUSDT".into()], ..Query::default() });
    assert!(error.contains("binance:spot:BTCUSDT"), "{error}");
    let error = fails(Query { series: vec!["bars-1m".into()], ..Query::default() });
    assert!(error.contains("trades"), "{error}");
    let error = fails(Query { from: Some(Time(2)), until: Some(Time(1)), ..Query::default() });
    assert!(error.contains("before it starts"), "{error}");
}

#[test]
fn a_damaged_segment_is_an_error_that_names_it_and_two_writers_do_not_meet() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let (text, _) = trades(5, 30_000, true);
    let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &text);
    added(import(&history, ImportKind::Binance, &path, &options()));
    let holder = CatalogueWriter::open(&history).expect("free");
    let error = CatalogueWriter::open(&history).expect_err("held").to_string();
    assert!(error.contains("another process"), "{error}");
    drop(holder);

    let segment = segment_files(&history).pop().expect("one");
    let whole = fs::read(&segment).expect("there");
    let mut rng = Rng(77);
    for round in 0..60 {
        let mut bytes = whole.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        if round % 3 == 0 {
            bytes.truncate(at)
        } else {
            bytes[at] ^= 1 << rng.below(8)
        }
        fs::write(&segment, &bytes).expect("can be written");
        let error = read_all(&history).expect_err("damaged");
        assert!(error.contains(".seg"), "{error}");
    }
    fs::write(&segment, &whole).expect("can be written");
    assert_eq!(read_all(&history), Ok(30_000));
}

fn read_all(history: &Path) -> Result<u64, String> {
    let catalogue = Catalogue::open(history).map_err(|e| e.to_string())?;
    let series = catalogue.series();
    let table = catalogue.instruments(&series).map_err(|e| e.to_string())?;
    let open = algo_trader::history::HistoryEvents::open(&catalogue, &series, &table, &Query::default());
    let mut events = open.map_err(|e| e.to_string())?;
    let mut rows = 0;
    while events.next_event().map_err(|e| e.to_string())?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

/// Days of an instrument of one's own, as a CSV that says open, high, low and close all alike.
fn closes(dir: &Path, name: &str, days: &[(&str, &str)]) -> std::path::PathBuf {
    let mut text = String::from("Date,Open,High,Low,Close,Volume\n");
    days.iter()
        .for_each(|(day, close)| text.push_str(&format!("{day},{close},{close},{close},{close},1000\n")));
    plain(dir, name, &text)
}

#[test]
fn files_that_no_precision_holds_together_are_refused_with_what_rounds_them_and_verify_finds_each_whole() {
    const FINE: &str = "0.09872259944677353";
    let of_days = |round_price| ImportOptions {
        instrument: Some("mine:spot:AAPL".into()),
        base: Some("AAPL".into()),
        quote: Some("USD".into()),
        columns: algo_trader::history::import::Columns { every: Some("1d".into()), given: Vec::new() },
        round_price,
        ..options()
    };
    let dir = tempdir().expect("a directory");
    let early = closes(dir.path(), "y1.csv", &[("1990-01-02", FINE)]);
    let late = closes(dir.path(), "y2.csv", &[("2020-01-02", "172.5"), ("2020-01-03", "180")]);
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for (first, second, history) in [(&early, &late, &one), (&late, &early, &other)] {
        let entry = added(import(history, ImportKind::Csv, first, &of_days(None)));
        let error = import(history, ImportKind::Csv, second, &of_days(None))
            .expect_err("never to be read")
            .to_string();
        let start = format!(
            "{}: has prices of mine:spot:AAPL bars-1d with 17 decimals, at which {} does not fit 64 bits, so that neither \
             could be read with the other: ",
            early.display(),
            late.display()
        );
        let first_out = match first == &early {
            true => format!("remove it with `algo-trader history remove {}`, and ", entry.id),
            false => String::new(),
        };
        let remedy = format!("{first_out}import {} with --round-price 16 or less, or keep", early.display());
        assert!(error.starts_with(&format!("{start}{remedy}")), "{error}");
        let catalogue = Catalogue::open(history).expect("there");
        assert_eq!(
            (catalogue.entries().len(), segment_files(history).len()),
            (1, 1),
            "nothing of it was written"
        );
    }
    // What it advises works.
    added(import(&other, ImportKind::Csv, &early, &of_days(Some(16))));
    assert_eq!(read(&other).len(), 3);
    // In one file it is a row that is refused.
    let both = closes(dir.path(), "both.csv", &[("1989-01-02", "172.5"), ("1989-01-03", FINE)]);
    let error =
        import(&dir.path().join("both"), ImportKind::Csv, &both, &of_days(None)).expect_err("the same");
    assert!(error.to_string().contains("both.csv:3: a number is too large for 64 bits"), "{error}");

    // A history that took both before they were compared.
    let (third, text) = (dir.path().join("third"), |of: &Path| {
        fs::read_to_string(of.join("catalogue.jsonl")).expect("there")
    });
    added(import(&third, ImportKind::Csv, &late, &of_days(None)));
    for file in segment_files(&third) {
        let to = one.join(file.strip_prefix(&third).expect("below it"));
        fs::copy(&file, to).expect("copied");
    }
    fs::write(one.join("catalogue.jsonl"), text(&one) + &text(&third)).expect("written");
    let verify = |history: &Path| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        let output = program.args(["history", "verify", "--dir"]).arg(history).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, told) = verify(&one);
    assert_eq!(status, Some(1), "{told}");
    assert!(told.contains("3 events read") && told.contains("--round-price 16 or less"), "{told}");
    assert!(!told.contains("damaged") && !told.contains("configure"), "{told}");
    assert_eq!(verify(&other).0, Some(0));
}
