//! Formats with made-up files: what each layout means, and export, which gives back what was imported.

#[path = "support/history.rs"]
mod support;

use algo_trader::domain::event::{DepthHead, Trade};
use algo_trader::domain::{InstrumentId, Level, Market, Price, Qty, Side, Time};
use algo_trader::history::export::{ExportError, ExportFormat, export_series};
use algo_trader::history::import::{Columns, ImportKind, ImportOptions, Imported};
use algo_trader::history::{Catalogue, Query};
use algo_trader::venue::Decoded;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use support::{Rng, decimal, import, plain, read, read_with, segment_files, zipped};
use tempfile::tempdir;

/// µs of 2024-08-08T00:00:00Z.
const DAY_US: u64 = 1_723_075_200_000_000;

fn options() -> ImportOptions {
    ImportOptions::default()
}

fn added(
    dir: &Path,
    kind: ImportKind,
    path: &Path,
    with: &ImportOptions,
) -> algo_trader::history::catalogue::Entry {
    match import(dir, kind, path, with) {
        Ok(Imported::Added(entry, _)) => entry,
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn refused(dir: &Path, kind: ImportKind, path: &Path, with: &ImportOptions) -> String {
    let error = import(dir, kind, path, with).expect_err("must be refused").to_string();
    assert!(segment_files(dir).is_empty(), "{error}");
    error
}

fn gzipped(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    let mut out = GzEncoder::new(File::create(&path).expect("can be made"), Compression::fast());
    out.write_all(text.as_bytes()).expect("can be written");
    out.finish().expect("can be closed");
    path
}

#[test]
fn messages_of_an_order_book_are_put_together_from_tardis_rows() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let head = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let row = |venue: u64, local: u64, snapshot: bool, side: &str, price: &str, amount: &str| {
        format!(
            "binance-futures,BTCUSDT,{},{},{snapshot},{side},{price},{amount}\n",
            DAY_US + venue,
            DAY_US + local
        )
    };
    let text = [
        head.to_owned(),
        row(1, 5, true, "ask", "100.2", "1.5"),
        row(1, 5, true, "bid", "100.1", "2"),
        row(1, 5, true, "bid", "100", "3"),
        // Two diffs at two moments, then one that removes a level.
        row(6, 8, false, "bid", "100.1", "1e-3"),
        row(7, 9, false, "ask", "100.25", "4"),
        row(7, 9, false, "bid", "100.1", "0"),
        row(11, 12, false, "ask", "100.2", "0"),
    ]
    .concat();
    let path = gzipped(dir.path(), "binance-futures_incremental_book_L2_2024-08-08_BTCUSDT.csv.gz", &text);
    let entry = added(&history, ImportKind::Tardis, &path, &options());
    assert_eq!((entry.rows, entry.segments[0].rows, entry.segments[0].series.as_str()), (7, 4, "depth"));
    assert_eq!(entry.segments[0].instrument, "binance:usdm:BTCUSDT");
    let read = read(&history);
    let head = |id: u64, prev: u64, venue: u64, bids: u32, asks: u32| DepthHead {
        instrument: InstrumentId(0),
        first_id: id,
        last_id: id,
        prev_id: prev,
        venue_time: Time((DAY_US + venue) * 1_000),
        bids,
        asks,
    };
    // Numbered by one from the time of the first on.
    let first = DAY_US + 5;
    let expected = [
        (
            5,
            Decoded::DepthSnapshot(head(first, 0, 1, 2, 1)),
            vec![(10_010, 2_000), (10_000, 3_000), (10_020, 1_500)],
        ),
        (8, Decoded::DepthDiff(head(first + 1, first, 6, 1, 0)), vec![(10_010, 1)]),
        (9, Decoded::DepthDiff(head(first + 2, first + 1, 7, 1, 1)), vec![(10_010, 0), (10_025, 4_000)]),
        (12, Decoded::DepthDiff(head(first + 3, first + 2, 11, 0, 1)), vec![(10_020, 0)]),
    ];
    assert_eq!(read.len(), expected.len());
    for (read, (local, decoded, levels)) in read.iter().zip(expected) {
        let levels: Vec<Level> = levels.iter().map(|(price, qty)| Level::new(*price, *qty)).collect();
        assert_eq!((read.time, read.decoded, &read.levels), ((DAY_US + local) * 1_000, decoded, &levels));
    }
}

#[test]
fn symbols_of_one_tardis_file_are_what_they_are_in_files_of_their_own() {
    let dir = tempdir().expect("a directory");
    let head = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let row = |n: u64, symbol: &str| {
        let side = if n % 4 < 2 { "bid" } else { "ask" };
        let (us, price) = (DAY_US + 7 * n, if side == "bid" { 100 } else { 101 });
        format!("binance-futures,{symbol},{us},{us},{},{side},{price},{}\n", n < 4, 1 + n)
    };
    let rows: Vec<(u64, &str)> =
        (0..200).map(|n| (n, if n % 3 == 0 { "BTCUSDT" } else { "ETHUSDT" })).collect();
    let of = |name: &str, symbols: &[&str]| {
        let rows = rows.iter().filter(|(_, symbol)| symbols.contains(symbol));
        let text: String = rows.map(|(n, symbol)| row(*n, symbol)).collect();
        plain(dir.path(), name, &format!("{head}{text}"))
    };
    let (together, apart) = (dir.path().join("together"), dir.path().join("apart"));
    added(&together, ImportKind::Tardis, &of("both.csv", &["BTCUSDT", "ETHUSDT"]), &options());
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        added(&apart, ImportKind::Tardis, &of(&format!("{symbol}.csv"), &[symbol]), &options());
    }
    let expected = read(&apart);
    assert_eq!(expected.len(), 200);
    assert_eq!(read(&together), expected);
}

#[test]
fn tardis_trades_quotes_and_tops_of_book_come_back_and_other_headers_are_refused() {
    let dir = tempdir().expect("a directory");
    let text = format!(
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
         bitmex,XBTUSD,{0},{1},a-b-c,unknown,100.5,7\nbitmex,XBTUSD,{0},{1},d-e-f,unknown,100,8\n\
         bitmex,XBTUSD,{0},{2},77,buy,100,9\n",
        DAY_US,
        DAY_US + 3,
        DAY_US + 4
    );
    let path = plain(dir.path(), "trades.csv", &text);
    let error = refused(&dir.path().join("x"), ImportKind::Tardis, &path, &options());
    assert!(error.contains(":2: ") && error.contains("--market"), "{error}");
    let market = ImportOptions { market: Some(Market::CoinM), ..options() };
    added(&dir.path().join("t"), ImportKind::Tardis, &path, &market);
    let trades = read(&dir.path().join("t"));
    let trade = |price: i64, qty: i64, id: u64, aggressor: Side| Trade {
        instrument: InstrumentId(0),
        price: Price(price),
        qty: Qty(qty),
        id,
        venue_time: Time(DAY_US * 1_000),
        aggressor,
        aggregate: false,
    };
    // Ids that are no numbers are none; a side that is unknown follows the price.
    let expected =
        [trade(1_005, 7, 0, Side::Buy), trade(1_000, 8, 0, Side::Sell), trade(1_000, 9, 77, Side::Buy)];
    assert_eq!(trades.iter().map(|r| r.decoded).collect::<Vec<_>>(), expected.map(Decoded::Trade));

    let text = format!(
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n\
         binance,BTCUSDT,{0},{0},4,100.2,100.1,3\nbinance,BTCUSDT,{0},{0},,,100.1,3\n",
        DAY_US
    );
    let path = plain(dir.path(), "quotes.csv", &text);
    added(&dir.path().join("q"), ImportKind::Tardis, &path, &options());
    let quotes = read(&dir.path().join("q"));
    let Decoded::Quote(quote) = quotes[1].decoded else { panic!("a quote") };
    assert_eq!((quote.bid, quote.ask), (Level::new(1_001, 3), Level::new(0, 0)));

    let top = "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,\
               asks[1].price,asks[1].amount,bids[1].price,bids[1].amount";
    let text = format!("{top}\nbinance,BTCUSDT,{0},{0},11,1,10,2,12,3,,\n", DAY_US);
    let path = plain(dir.path(), "top.csv", &text);
    added(&dir.path().join("s"), ImportKind::Tardis, &path, &options());
    let tops = read(&dir.path().join("s"));
    let Decoded::DepthPartial(head) = tops[0].decoded else { panic!("a partial book") };
    assert_eq!((head.bids, head.asks), (1, 2));
    assert_eq!(tops[0].levels, [Level::new(10, 2), Level::new(11, 1), Level::new(12, 3)]);

    for (text, said) in [
        ("time,price\n1,2\n", "header"),
        (&*format!("{top}\nbinance,BTCUSDT,{DAY_US},{DAY_US},11,1\n"), "columns where 12"),
        (&*format!("{top}\nbinance,BTCUSDT,{DAY_US},17,11,1,10,2,12,3,,\n"), "µs since 1970"),
    ] {
        let path = plain(dir.path(), "bad.csv", text);
        let error = refused(&dir.path().join("b"), ImportKind::Tardis, &path, &options());
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn columns_of_a_plain_csv_are_found_by_name_or_place_and_bars_that_contradict_themselves_are_refused() {
    let dir = tempdir().expect("a directory");
    let with = |given: &str| ImportOptions {
        instrument: Some("usa:spot:XYZ".into()),
        base: Some("XYZ".into()),
        quote: Some("USD".into()),
        columns: Columns {
            every: Some("1d".into()),
            given: if given.is_empty() { Vec::new() } else { Columns::parse(given).expect("good") },
        },
        ..options()
    };
    let bar = |at: &Path| match read(at)[0].decoded {
        Decoded::Kline(bar) => [bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0],
        other => panic!("not a bar: {other:?}"),
    };
    for (number, (text, given)) in [
        ("Date,Open,High,Low,Close,Adj Close,Volume\n2024-08-08,1.5,2,1,1.75,9,100\n", ""),
        ("Date;Open;High;Low;Close;Volume\n2024-08-08;1.5;2;1;1.75;100\n", ""),
        (
            "\"c\",\"o\",\"h\",\"l\",\"t\",\"v\"\n1.75,1.5,2,1,2024-08-08,100\n",
            "time=t,open=o,high=h,low=l,close=c,volume=v",
        ),
        ("1723075200,1.5,2,1,1.75,100\n", "time=1,open=2,high=3,low=4,close=5,volume=6"),
    ]
    .into_iter()
    .enumerate()
    {
        let history = dir.path().join(format!("h{number}"));
        let path = plain(dir.path(), &format!("prices{number}.csv"), text);
        let entry = added(&history, ImportKind::Csv, &path, &with(given));
        assert_eq!((entry.rows, bar(&history)), (1, [150, 200, 100, 175, 100]), "{text}");
        assert_eq!(entry.segments[0].first, (DAY_US + 86_400_000_000) * 1_000);
    }
    for (text, given, said) in [
        ("a,b,c\n1,2,3\n", "", "--columns"),
        ("date,open,high,low,close\n2024-08-08,1,2,1.5,1\n", "", ":2: "),
        ("date,open,high,low,close\n2024-08-08,1,2,1,1\n2024-08-08,1,2,1,1\n", "", "same start"),
        ("date,open,high,low,close\n2024-08-09,1,2,1,1\n2024-08-08,1,2,1,1\n", "", "--sort"),
        ("date,open,high,low,close\n2024-08-09,1,2,1\n", "", "4 columns"),
        ("date,open,high,low,close\n08/09/2024,1,2,1,1\n", "", "2024-08-08 09:30"),
    ] {
        let path = plain(dir.path(), "bad.csv", text);
        let error = refused(&dir.path().join("bad"), ImportKind::Csv, &path, &with(given));
        assert!(error.contains(said), "{error}");
    }
    let path = plain(dir.path(), "bad.csv", "date,open,high,low,close\n");
    for (without, said) in [
        (ImportOptions { instrument: None, ..with("") }, "--instrument"),
        (ImportOptions { columns: Columns::default(), ..with("") }, "--every"),
    ] {
        let error = refused(&dir.path().join("bad"), ImportKind::Csv, &path, &without);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_first_row_that_is_found_by_place_is_a_header_only_where_it_has_no_number() {
    let dir = tempdir().expect("a directory");
    let with = ImportOptions {
        instrument: Some("usa:spot:XYZ".into()),
        base: Some("XYZ".into()),
        quote: Some("USD".into()),
        columns: Columns {
            every: Some("1d".into()),
            given: Columns::parse("time=1,open=2,high=3,low=4,close=5").expect("good"),
        },
        ..options()
    };
    let second = "1723161600,1,2,1,1.5\n";
    for (number, (first, rows)) in [
        ("1723075200,.5,2,.25,1.75\n", 2),
        ("1723075200,+1,+2,1,1.75\n", 2),
        ("2024-08-08T00:00:00Z,1e0,2,1,1.75\n", 2),
        ("t,o,h,l,c\n", 1),
        ("", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let path = plain(dir.path(), &format!("prices{number}.csv"), &format!("{first}{second}"));
        let entry = added(&dir.path().join(format!("h{number}")), ImportKind::Csv, &path, &with);
        assert_eq!((entry.rows, entry.segments[0].rows), (rows, rows), "{first}");
    }
    // A bar whose prices are none is bad, and no header.
    let path = plain(dir.path(), "bad.csv", &format!("1723075200,null,null,null,null\n{second}"));
    let error = refused(&dir.path().join("bad"), ImportKind::Csv, &path, &with);
    assert!(error.contains(":1: open: \"null\" is not a number"), "{error}");
}

#[test]
fn a_message_that_is_refused_takes_no_other_row_with_it_and_is_told_by_its_own_line() {
    let dir = tempdir().expect("a directory");
    let skip = ImportOptions { skip_bad: true, ..options() };
    // The second message is of a time before the first one's, and so is the last.
    let times = [5, 5, 3, 3, 8, 8, 4];
    let sides = ["bid", "ask", "bid", "ask", "bid", "ask", "bid"];
    let tardis =
        |(at, side): (u64, &str)| format!("binance,BTCUSDT,{0},{0},false,{side},10{at},1\n", DAY_US + at);
    let own =
        |(at, side): (u64, &str)| format!("{0},,diff,{at},{at},,{side},10{at}.0,1\n", (DAY_US + at) * 1_000);
    let rows = || times.into_iter().zip(sides);
    let heads = [
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n",
        "time,venue_time,event,first_id,last_id,prev_id,side,price,qty\n",
    ];
    let files = [
        (ImportKind::Tardis, "book.csv", heads[0].to_owned() + &rows().map(tardis).collect::<String>()),
        (
            ImportKind::Exported,
            "binance_spot_BTCUSDT-depth.csv",
            heads[1].to_owned() + &rows().map(own).collect::<String>(),
        ),
    ];
    for (n, (kind, name, text)) in files.into_iter().enumerate() {
        let path = plain(dir.path(), name, &text);
        let error = refused(&dir.path().join("x"), kind, &path, &options());
        assert!(error.contains(&format!("{name}:4: ")), "{error}");
        let history = dir.path().join(format!("h{n}"));
        let imported = import(&history, kind, &path, &skip);
        let Ok(Imported::Added(entry, problems)) = imported else { panic!("{imported:?}") };
        assert_eq!((entry.rows, entry.skipped), (7, 3), "{name}");
        let lines: Vec<bool> =
            problems.iter().zip([4, 8]).map(|(p, line)| p.contains(&format!("{name}:{line}: "))).collect();
        assert_eq!(lines, [true, true], "{problems:?}");
        let read = read(&history);
        let kept: Vec<_> = read.iter().map(|r| (r.time / 1_000 - DAY_US, r.levels.len())).collect();
        assert_eq!(kept, [(5, 2), (8, 2)], "{name}");
    }
}

#[test]
fn sides_that_prices_tell_are_told_in_the_order_of_time() {
    let dir = tempdir().expect("a directory");
    let sort = ImportOptions { sort: true, ..options() };
    let sides = |history: &Path| -> Vec<(i64, Side)> {
        let side = |read: &support::Read| match read.decoded {
            Decoded::Trade(trade) => (trade.price.0, trade.aggressor),
            other => panic!("no trade: {other:?}"),
        };
        read(history).iter().map(side).collect()
    };
    let told = [(1_010, Side::Buy), (1_020, Side::Buy), (1_015, Side::Sell)];
    let text = [(2, "102"), (1, "101"), (3, "101.5")]
        .map(|(at, price)| format!("binance,BTCUSDT,{0},{0},{at},unknown,{price},7\n", DAY_US + at))
        .concat();
    let head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";
    let path = plain(dir.path(), "trades.csv", &format!("{head}{text}"));
    let history = dir.path().join("tardis");
    added(&history, ImportKind::Tardis, &path, &sort);
    assert_eq!(sides(&history), told);
    let (history, place) = (dir.path().join("lean"), dir.path().join("binance/tick/btcusdt"));
    fs::create_dir_all(&place).expect("made");
    let path = plain(&place, "20240808_btcusdt_tick_trade.csv", "2,102,7\n1,101,7\n3,101.5,7\n");
    added(&history, ImportKind::CryptoBars, &path, &sort);
    assert_eq!(sides(&history), told);
}

#[test]
fn two_series_whose_files_would_have_one_name_are_not_exported_into_one_directory() {
    let dir = tempdir().expect("a directory");
    let (history, out) = (dir.path().join("history"), dir.path().join("out"));
    for (n, symbol) in ["XBT/USD", "XBT_USD"].iter().enumerate() {
        let with = ImportOptions {
            instrument: Some(format!("kraken:spot:{symbol}")),
            base: Some("XBT".into()),
            quote: Some("USD".into()),
            columns: Columns { every: Some("1d".into()), given: Vec::new() },
            ..options()
        };
        let text = format!("date,open,high,low,close\n2024-08-08,1,2,1,1.{n}\n");
        added(&history, ImportKind::Csv, &plain(dir.path(), &format!("{n}.csv"), &text), &with);
    }
    let export = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader"));
        command.args(["export", "--format", "csv", "--force", "--dir"]).arg(&history).arg("--out").arg(&out);
        let output = command.args(more).output().expect("runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = export(&[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("kraken:spot:XBT/USD bars-1d and kraken:spot:XBT_USD bars-1d"), "{said}");
    assert!(!out.join("kraken_spot_XBT_USD-bars-1d.csv").exists(), "neither is there in place of both");
    assert_eq!(export(&["--instrument", "kraken:spot:XBT/USD"]).0, Some(0));
}

#[test]
fn names_in_zips_of_stocks_say_what_they_hold_or_are_refused() {
    let dir = tempdir().expect("a directory");
    let with_every =
        ImportOptions { columns: Columns { every: Some("1d".into()), given: Vec::new() }, ..options() };
    let path = zipped(dir.path(), "abc.zip", "20240808 00:00,10000,10000,10000,10000,5\n");
    let error = refused(&dir.path().join("h"), ImportKind::Stocks, &path, &options());
    assert!(error.contains("--every"), "{error}");
    let entry = added(&dir.path().join("h"), ImportKind::Stocks, &path, &with_every);
    assert_eq!(
        (entry.segments[0].instrument.as_str(), entry.segments[0].base.as_str()),
        ("usa:spot:ABC", "ABC")
    );
    // Factors lie beside the bars, and are none.
    let factors = plain(dir.path(), "abc.csv", "20000620,0.9,0.1,101\n20501231,1,1,0\n");
    for options in [&options(), &with_every] {
        let error = refused(&dir.path().join("x"), ImportKind::Stocks, &factors, options);
        assert!(error.contains("look like factors") && error.contains("--adjust"), "{error}");
    }
    let path = zipped(dir.path(), "20240808_abc_tick.zip", "1,10000,5,P,0,0\n");
    let error = refused(&dir.path().join("x"), ImportKind::Stocks, &path, &options());
    assert!(error.contains("_trade or _quote"), "{error}");
    // A tick that cannot be relied on is a bad row.
    let path = zipped(dir.path(), "20240808_abc_trade_tick.zip", "1,10000,5,P,0,0\n2,10000,5,P,0,1\n");
    let error = refused(&dir.path().join("x"), ImportKind::Stocks, &path, &options());
    assert!(error.contains(":2: ") && error.contains("suspicious"), "{error}");
    let skip = ImportOptions { skip_bad: true, ..options() };
    assert_eq!(added(&dir.path().join("y"), ImportKind::Stocks, &path, &skip).segments[0].rows, 1);
}

/// A dump of trades whose every number has its shortest form, and its export, as text.
fn trades_and_their_export(seed: u64) -> (String, String) {
    let mut rng = Rng(seed);
    let mut dump = String::new();
    let mut export = String::from("time,venue_time,id,price,qty,side,aggregate\n");
    let mut ms = DAY_US / 1_000;
    for id in 1..20_000u64 {
        ms += rng.below(1_000);
        let (price, qty, sold) = (1 + rng.below(1 << 40), rng.below(1 << 30), rng.below(2) == 0);
        let (price, qty) = (decimal(price, 7), decimal(qty, 3));
        dump.push_str(&format!("{id},{price},{qty},0,{ms},{sold}\n"));
        let side = if sold { "sell" } else { "buy" };
        export.push_str(&format!("{0}000000,{0}000000,{id},{price},{qty},{side},false\n", ms));
    }
    (dump, export)
}

#[test]
fn what_is_exported_is_what_was_imported_digit_for_digit() {
    for seed in [3, 4] {
        let dir = tempdir().expect("a directory");
        let history = dir.path().join("h");
        let (dump, expected) = trades_and_their_export(seed);
        let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &dump);
        added(&history, ImportKind::Binance, &path, &options());
        let catalogue = Catalogue::open(&history).expect("there");
        let series = catalogue.series().remove(0);
        let out = dir.path().join("out");
        let export = |force| {
            let format = ExportFormat::Csv;
            export_series(&catalogue, &series, &Query::default(), format, &out, force, &mut |_| true)
        };
        let files = export(false).expect("exported");
        assert_eq!((files.len(), files[0].rows), (1, 19_999));
        assert!(fs::read_to_string(&files[0].path).expect("there") == expected, "differs");
        assert!(matches!(export(false), Err(ExportError::Exists(_))));
        export(true).expect("replaced");
        let stopped = export_series(
            &catalogue,
            &series,
            &Query::default(),
            ExportFormat::Csv,
            &dir.path().join("s"),
            false,
            &mut |_| false,
        );
        assert!(stopped.is_ok(), "fewer rows than between two looks");
    }
}

#[test]
fn turnover_is_exported_with_every_digit_of_it() {
    let dir = tempdir().expect("a directory");
    // Of COIN-M it is in the base asset: prices have a decimal here and quantities none, and it has eight.
    let row = |at: u64, volume: &str, turnover: &str| {
        format!("{at},61800.5,61801.0,61790.1,61795.2,{volume},{},{turnover},9,0,0,0\n", at + 59_999)
    };
    let begin = DAY_US / 1_000;
    let text = row(begin, "5321", "8.60612345") + &row(begin + 60_000, "412", "0.66651234");
    let path = plain(dir.path(), "BTCUSD_PERP-1m-2024-08-08.csv", &text);
    let market = ImportOptions { market: Some(Market::CoinM), ..options() };
    added(&dir.path().join("h"), ImportKind::Binance, &path, &market);
    let catalogue = Catalogue::open(&dir.path().join("h")).expect("there");
    let series = catalogue.series().remove(0);
    let out = dir.path().join("out");
    let query = Query::default();
    let files = export_series(&catalogue, &series, &query, ExportFormat::Csv, &out, false, &mut |_| true);
    let text = fs::read_to_string(&files.expect("exported")[0].path).expect("there");
    let turnover: Vec<&str> = text.lines().map(|line| line.split(',').nth(8).expect("a column")).collect();
    assert_eq!(turnover, ["turnover", "8.60612345", "0.66651234"]);
}

#[test]
fn bars_that_were_exported_are_imported_again_as_they_were() {
    let dir = tempdir().expect("a directory");
    let mut rng = Rng(8);
    let mut text = String::new();
    let mut ms = DAY_US / 1_000;
    for _ in 0..5_000 {
        let low = 1 + rng.below(1_000_000);
        let (open, close) = (low + rng.below(500), low + rng.below(500));
        let high = open.max(close) + rng.below(500);
        let price = |units| decimal(units, 3);
        let (end, volume) = (ms + 59_999, decimal(rng.below(1 << 30), 5));
        let (open, high, low, close) = (price(open), price(high), price(low), price(close));
        text.push_str(&format!("{ms},{open},{high},{low},{close},{volume},{end},0,0,0,0,0\n"));
        ms += 60_000;
    }
    let path = plain(dir.path(), "BTCUSDT-1m-2024-08.csv", &text);
    let market = ImportOptions { market: Some(Market::Spot), ..options() };
    let (first, second) = (dir.path().join("1"), dir.path().join("2"));
    added(&first, ImportKind::Binance, &path, &market);
    let catalogue = Catalogue::open(&first).expect("there");
    let series = catalogue.series().remove(0);
    let out = dir.path().join("out");
    let files =
        export_series(&catalogue, &series, &Query::default(), ExportFormat::Csv, &out, false, &mut |_| true);
    let path = files.expect("exported").remove(0).path;
    let csv = ImportOptions {
        instrument: Some("binance:spot:BTCUSDT".into()),
        columns: Columns { every: Some("1m".into()), given: Vec::new() },
        ..options()
    };
    added(&second, ImportKind::Csv, &path, &csv);
    let (one, of_one, _) = read_with(&first, &Query::default());
    let (two, of_two, _) = read_with(&second, &Query::default());
    assert_eq!((one.len(), of_one[0].name.clone()), (5_000, of_two[0].name.clone()));
    assert!(one == two, "differs");
}

/// Exports a history of one series as CSV, and gives the file.
fn exported(history: &Path, out: &Path) -> PathBuf {
    let catalogue = Catalogue::open(history).expect("there");
    let series = catalogue.series().remove(0);
    let (query, format) = (Query::default(), ExportFormat::Csv);
    let files = export_series(&catalogue, &series, &query, format, out, false, &mut |_| true);
    files.expect("exported").remove(0).path
}

#[test]
fn each_kind_that_was_exported_is_imported_again_event_for_event_and_what_is_missing_stays_so() {
    let dir = tempdir().expect("a directory");
    let ms = DAY_US / 1_000;
    let spot = ImportOptions { market: Some(Market::Spot), ..options() };
    let coinm = ImportOptions { market: Some(Market::CoinM), ..options() };
    let usa = ImportOptions { base: Some("SPY".into()), quote: Some("USD".into()), ..options() };
    let plainly = ImportOptions {
        instrument: Some("usa:spot:SPY".into()),
        columns: Columns { every: Some("1d".into()), given: Vec::new() },
        ..usa.clone()
    };
    for place in ["daily", "binance/tick/btcusdt"] {
        fs::create_dir_all(dir.path().join(place)).expect("made");
    }
    let book = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n".to_owned()
        + &[
            (0, true, "bid", "10.5"),
            (0, true, "ask", "10.6"),
            (1, false, "ask", "10.7"),
            (2, false, "bid", "10.4"),
        ]
        .map(|(at, whole, side, price)| {
            format!("binance,BTCUSDT,{0},{0},{whole},{side},{price},1.25\n", DAY_US + at)
        })
        .concat();
    let quotes = format!(
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n\
         binance,BTCUSDT,{DAY_US},{DAY_US},5,10.6,10.5,4\nbinance,BTCUSDT,{DAY_US},{DAY_US},,,10.55,4\n"
    );
    let kinds = [
        (ImportKind::Binance, "BTCUSDT-trades-2024-08-08.csv", trades_and_their_export(9).0, &spot, ""),
        (
            ImportKind::Binance,
            "BTCUSDT-aggTrades-2024-08-08.csv",
            format!("7,10.5,0.25,70,71,{ms},true\n8,10.6,0.5,72,72,{ms},false\n"),
            &spot,
            "",
        ),
        (
            ImportKind::Binance,
            "BTCUSD_PERP-1m-2024-08.csv",
            format!("{ms},61800.5,61801.0,61790.1,61795.2,5321,{},8.60612345,9,0,0,0\n", ms + 59_999)
                + &format!("{},61795.2,61795.2,61795.2,61795.2,0,{},0,0,0,0,0\n", ms + 60_000, ms + 119_999),
            &coinm,
            // Nothing was traded in the second minute: that is known.
            "61795.2,0,0.00000000,0,true\n",
        ),
        (
            ImportKind::Binance,
            "BTCUSD_PERP-bookTicker-2024-08-08.csv",
            format!("5,10.5,3,10.6,4,{ms},{ms}\n9,10.5,2,10.6,4,{ms},{ms}\n"),
            &coinm,
            "",
        ),
        (ImportKind::Tardis, "quotes.csv", quotes, &spot, "000,10.55,4,,,\n"),
        (
            ImportKind::Tardis,
            "book.csv",
            book,
            &spot,
            ",snapshot,1723075200000000,1723075200000000,,bid,10.5,1.25\n",
        ),
        (
            ImportKind::CryptoBars,
            "binance/tick/btcusdt/20240808_btcusdt_tick_trade.csv",
            "5,10.5,1\n5,10.6,2\n86000000,10.55,1\n".into(),
            &spot,
            // It has no ids, and so nobody knows whether any is missing.
            ",,10.60,2,buy,false\n",
        ),
        (
            ImportKind::Stocks,
            "daily/spy.csv",
            "20240807 00:00,100000,110000,90000,100100,500\n20240808 00:00,100100,110000,90000,100100,0\n"
                .into(),
            &usa,
            // The second day had prices, and so trades; how many and of how much nobody said.
            ",10.01,11.00,9.00,10.01,,,,true\n",
        ),
        (
            ImportKind::Csv,
            "prices.csv",
            "date,open,high,low,close\n2024-08-07,1,2,1,2\n2024-08-08,2,2,1.5,2\n".into(),
            &plainly,
            ",2.0,2.0,1.5,2.0,,,,true\n",
        ),
    ];
    for (at, (kind, name, text, with, must_have)) in kinds.into_iter().enumerate() {
        let path = plain(dir.path(), name, &text);
        let [first, second, out, again] =
            ["1", "2", "out", "again"].map(|d| dir.path().join(format!("{at}/{d}")));
        added(&first, kind, &path, with);
        let table = exported(&first, &out);
        let text = fs::read_to_string(&table).expect("there");
        assert!(text.contains(must_have), "{name}: {text}");
        // The file's name says what it is of; of stocks the assets have to be given as before.
        let assets = ImportOptions { base: with.base.clone(), quote: with.quote.clone(), ..options() };
        added(&second, ImportKind::Exported, &table, &assets);
        let (one, of_one, _) = read_with(&first, &Query::default());
        let (two, of_two, _) = read_with(&second, &Query::default());
        assert!(one == two, "{name}: {one:?} and {two:?}");
        assert_eq!((&of_one[0].name, of_one[0].gaps), (&of_two[0].name, of_two[0].gaps), "{name}");
        assert!(!one.is_empty(), "{name}");
        assert_eq!(fs::read_to_string(exported(&second, &again)).expect("there"), text, "{name}");
    }
}

#[test]
fn an_export_that_is_none_or_was_changed_is_refused_by_its_line() {
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let head = "time,venue_time,id,price,qty,side,aggregate\n";
    let row = "1723075200000000000,1723075200000000000,1,2.5,1,buy,false\n";
    for (name, text, said) in [
        ("binance_spot_BTCUSDT-trades.csv", row.to_owned(), "its first line is not that of a table"),
        (
            "binance_spot_BTCUSDT-quotes.csv",
            format!("{head}{row}"),
            "its first line is that of another table",
        ),
        ("trades.csv", format!("{head}{row}"), "give the file its name back"),
        ("binance_spot_BTCUSDT-trades.csv", format!("{head}{row}{}", row.replace("buy", "")), ":3: side"),
        ("binance_spot_BTCUSDT-trades.csv", format!("{head}{}", row.replace("2.5", "")), ":2: price"),
        ("binance_spot_BTCUSDT-feed-trades.csv", format!("{head}{row}"), "import its capture"),
    ] {
        let path = plain(dir.path(), name, &text);
        let error = refused(&history, ImportKind::Exported, &path, &options());
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn parquet_files_have_their_magic_at_both_ends_and_a_footer_of_the_length_they_say() {
    let dir = tempdir().expect("a directory");
    let (dump, _) = trades_and_their_export(5);
    let path = plain(dir.path(), "BTCUSDT-trades-2024-08-08.csv", &dump);
    added(&dir.path().join("h"), ImportKind::Binance, &path, &options());
    let catalogue = Catalogue::open(&dir.path().join("h")).expect("there");
    let series = catalogue.series().remove(0);
    let format = ExportFormat::Parquet;
    let files =
        export_series(&catalogue, &series, &Query::default(), format, dir.path(), false, &mut |_| true);
    let bytes = fs::read(&files.expect("exported")[0].path).expect("there");
    let end = bytes.len();
    assert_eq!((&bytes[..4], &bytes[end - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let footer =
        u32::from_le_bytes([bytes[end - 8], bytes[end - 7], bytes[end - 6], bytes[end - 5]]) as usize;
    let footer = &bytes[end - 8 - footer..end - 8];
    for column in ["time", "venue_time", "id", "price", "qty", "side", "aggregate"] {
        assert!(footer.windows(column.len()).any(|w| w == column.as_bytes()), "{column}");
    }
}

#[test]
fn a_file_that_went_through_a_spreadsheet_is_what_it_was_but_for_a_mark_at_its_beginning() {
    let dir = tempdir().expect("a directory");
    let rows = "1,100.5,2,201,1723075200000,true\n2,100.6,1,100.6,1723075200001,false\n";
    let bars = "time,open,high,low,close,volume\n1723075200000,1,2,1,2,5\n1723075260000,2,2,1,1,5\n";
    let plainly = ImportOptions {
        instrument: Some("usa:spot:XYZ".into()),
        base: Some("XYZ".into()),
        quote: Some("USD".into()),
        columns: Columns { every: Some("1m".into()), given: Vec::new() },
        ..ImportOptions::default()
    };
    let usdm = ImportOptions { market: Some(Market::UsdM), ..options() };
    let cases = [
        (ImportKind::Binance, "BTCUSDT-trades-2024-08-08.csv", rows.to_owned(), &usdm),
        (
            ImportKind::Binance,
            "ETHUSDT-trades-2024-08-08.csv",
            format!("id,price,qty,quote_qty,time,is_buyer_maker\n{rows}"),
            &usdm,
        ),
        (ImportKind::Csv, "XYZ.csv", bars.to_owned(), &plainly),
    ];
    for (kind, name, text, with) in cases {
        let of = |begin: &str, history: &str| {
            let path = plain(dir.path(), name, &format!("{begin}{text}"));
            let entry = added(&dir.path().join(history).join(name), kind, &path, with);
            (entry.rows, entry.skipped, read(&dir.path().join(history).join(name)))
        };
        let expected = of("", "without");
        assert_eq!((expected.0, expected.1), (2, 0), "{name}");
        assert_eq!(of("\u{feff}", "with"), expected, "{name}");
    }
    // Factors of splits and dividends, too.
    let factors = plain(dir.path(), "factors.csv", "\u{feff}20240808,1,0.5,100\n20501231,1,1,0\n");
    let day = zipped(dir.path(), "abc.zip", "\u{feff}20240808 00:00,10000,10000,10000,10000,5\n");
    let every = Columns { every: Some("1d".into()), given: Vec::new() };
    let with = ImportOptions { adjust: Some(factors), columns: every, ..options() };
    let entry = added(&dir.path().join("stocks"), ImportKind::Stocks, &day, &with);
    assert_eq!((entry.rows, entry.skipped), (1, 0));
}
