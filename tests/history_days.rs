//! Tardis' files of several days trade as each does alone, book and top, in whatever order they were imported and from
//! whatever day on; a history in which they would not is refused.

mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::Qty;
use algo_trader::execution::RecordKind;
use algo_trader::history::catalogue::SeriesKind;
use algo_trader::history::import::{ImportKind, ImportOptions, Imported};
use algo_trader::history::segment::{Num, Row};
use algo_trader::run::backtest::{BacktestError, Ran};
use algo_trader::strategy::StrategySpec;
use std::fs;
use std::path::Path;
use support::backtest::{Happened, config, rows, run};
use support::history::{import, plain};
use tempfile::tempdir;

/// µs of 2024-08-08T00:00:00Z.
const BEGIN_US: u64 = 1_723_075_200_000_000;
const DAY_US: u64 = 86_400_000_000;
const SECOND_US: u64 = 1_000_000;

const FUTURE: &str = "binance:usdm:ABCUSDT";
const SPOT: &str = "binance:spot:ABCUSDT";

static SCRIPTS: &[StrategySpec] = &[
    // A day begins with the book that the day before ended with, where it has one: that is not looked at.
    script!("taker", |ctx, abc, what| if let Happened::Quote(_, top) = what
        && top.is_two_sided()
        && ctx.now().0 / 1_000 % DAY_US > 9 * SECOND_US
        && ctx.open_orders(abc).next().is_none()
    {
        let _ = ctx.buy(abc, Qty(1)).at_market().send();
    }),
    script!("joiner", |ctx, abc, what| if let Happened::Quote(_, top) = what
        && top.is_two_sided()
    {
        let _ = ctx.buy(abc, Qty(1)).at_limit(top.bid.price).send();
    }),
    script!("every-bar", |ctx, abc, what| if let Happened::Bar(..) = what {
        let _ = ctx.buy(abc, Qty(1)).at_market().send();
    }),
];

/// The best bid of a day, in tenths, before its moves, which come every ten seconds, and after each.
fn bids(day: u64, moves: u64) -> impl Iterator<Item = (u64, u64)> {
    let begin = BEGIN_US + day * DAY_US;
    (0..=moves).scan(1_000 + 200 * day, move |bid, n| {
        *bid = if n % 3 == 1 { *bid - 2 } else { *bid + 2 };
        Some((begin + n * 10 * SECOND_US + 1_000, *bid))
    })
}

fn tenths(price: u64) -> String {
    format!("{}.{}", price / 10, price % 10)
}

const L2: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

/// An incremental_book_L2 file of a day: a book of two levels a side, which moves.
fn l2(exchange: &str, day: u64, moves: u64) -> String {
    let mut text = String::from(L2);
    let mut before = None;
    for (us, bid) in bids(day, moves) {
        let mut put = |bid: u64, amount: u64| {
            for (side, price) in [("bid", bid), ("bid", bid - 1), ("ask", bid + 1), ("ask", bid + 2)] {
                let (snapshot, price) = (before.is_none(), tenths(price));
                text += &format!("{exchange},ABCUSDT,{us},{us},{snapshot},{side},{price},{amount}\n");
            }
        };
        if let Some(before) = before {
            put(before, 0);
        }
        put(bid, 100);
        before = Some(bid);
    }
    text
}

/// The same as a book_snapshot file.
fn tops(exchange: &str, day: u64, moves: u64) -> String {
    let level = |n: u64| format!(",asks[{n}].price,asks[{n}].amount,bids[{n}].price,bids[{n}].amount");
    let mut text = format!("exchange,symbol,timestamp,local_timestamp{}{}\n", level(0), level(1));
    for (us, bid) in bids(day, moves) {
        let level = |n: u64| format!(",{},100,{},100", tenths(bid + 1 + n), tenths(bid - n));
        text += &format!("{exchange},ABCUSDT,{us},{us}{}{}\n", level(0), level(1));
    }
    text
}

fn add(dir: &Path, kind: ImportKind, name: &str, text: &str, with: &ImportOptions) {
    let path = plain(dir, name, text);
    let imported = import(&dir.join("history"), kind, &path, with);
    assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
}

fn add_days(dir: &Path, texts: &[String]) {
    for (text, n) in texts.iter().zip(1..) {
        add(dir, ImportKind::Tardis, &format!("{n}.csv"), text, &ImportOptions::default());
    }
}

fn ran(dir: &Path, name: &str, strategy: &str, settings: &str) -> Result<Ran, BacktestError> {
    let text = format!("{settings}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{name}\"]");
    let (config, catalogue) = config(dir, &[name], &text);
    run(&config, &catalogue, SCRIPTS)
}

/// (µs, quantity, price) of the fills of the second day, and the gaps in its book.
fn second_day(name: &str, texts: &[String], settings: &str) -> (Vec<(u64, i64, i64)>, u64) {
    let dir = tempdir().expect("a directory");
    add_days(dir.path(), texts);
    let ran = ran(dir.path(), name, "taker", settings).unwrap_or_else(|e| panic!("{e}"));
    let fills = ran.outcome.fills.iter().map(|f| (f.time.0 / 1_000, f.qty.0, f.price.0));
    let of_day = fills.filter(|(us, ..)| *us >= BEGIN_US + DAY_US).collect();
    (of_day, ran.summary.book_totals().gaps)
}

#[test]
fn a_day_behind_another_trades_as_it_does_alone() {
    for (exchange, name) in [("binance-futures", FUTURE), ("binance", SPOT)] {
        for make in [l2, tops] {
            let second = make(exchange, 1, 30);
            let alone = second_day(name, std::slice::from_ref(&second), "");
            assert_eq!((alone.0.len(), alone.1), (30, 0), "{name}: at every move: {alone:?}");
            assert!(alone.0.iter().all(|(.., price)| *price > 1_190), "{alone:?}");
            // The day before has fewer events, or more.
            for moves in [10, 50] {
                let days = [make(exchange, 0, moves), second.clone()];
                assert_eq!(second_day(name, &days, ""), alone, "{name} behind {moves}");
                let from = "[backtest]\nfrom = \"2024-08-09\"";
                assert_eq!(second_day(name, &days, from), alone, "{name} from the second day");
                let [first, second] = days;
                assert_eq!(second_day(name, &[second, first], ""), alone, "{name} imported first");
            }
        }
    }
}

#[test]
fn a_file_that_goes_on_without_a_book_is_a_gap_behind_another() {
    for (exchange, name) in [("binance-futures", FUTURE), ("binance", SPOT)] {
        let whole = l2(exchange, 1, 30);
        let (book, rest): (Vec<&str>, Vec<&str>) =
            whole.lines().skip(1).partition(|line| line.contains(",true,"));
        assert_eq!(book.len(), 4);
        let rest = format!("{L2}{}\n", rest.join("\n"));
        for moves in [0, 10, 50] {
            let days = [l2(exchange, 0, moves), rest.clone()];
            assert_eq!(second_day(name, &days, ""), (vec![], 1), "{name} behind {moves}");
        }
    }
}

#[test]
fn quotes_with_a_venues_ids_are_the_top_beside_depth_that_has_none() {
    let dir = tempdir().expect("a directory");
    add_days(dir.path(), &[l2("binance-futures", 0, 2)]);
    let quote = |second: u64, bid: i64| {
        let (bid, ask) = ((Num::new(bid, 1), Num::new(1, 0)), (Num::new(bid + 300, 1), Num::new(1, 0)));
        let time = (BEGIN_US + second * SECOND_US) * 1_000;
        (time, Row::Quote { bid, ask, update_id: 5_000_000_000 + second })
    };
    rows(dir.path(), FUTURE, SeriesKind::Quotes, &[quote(5, 950), quote(15, 960)]);
    let ran = ran(dir.path(), FUTURE, "joiner", "").unwrap_or_else(|e| panic!("{e}"));
    let orders = ran.decisions.iter().filter(|(_, record)| record.kind == RecordKind::Order);
    let prices: Vec<i64> = orders.map(|(_, record)| record.order.price.0).collect();
    // The book alone until there is a quote: what it says from then on may be older than that.
    assert_eq!(prices, [1_002, 950, 960]);
}

#[test]
fn depth_whose_ids_begin_again_with_a_file_is_refused_where_it_would_be_read() {
    let head = "time,venue_time,event,first_id,last_id,prev_id,side,price,qty\n";
    for [first, then] in [["snapshot", "diff"], ["partial", "partial"]] {
        let dir = tempdir().expect("a directory");
        for day in 0..2 {
            let folder = dir.path().join(format!("day{day}"));
            fs::create_dir_all(&folder).expect("made");
            let ns = (BEGIN_US + day * DAY_US) * 1_000;
            let rows: String = [first, then, then]
                .into_iter()
                .zip(1..)
                .flat_map(|(event, id)| {
                    let at = ns + id * 1_000_000_000;
                    let (prev, bid) = (id - 1, 1_000 + id);
                    [("bid", bid), ("ask", bid + 1)].map(|(side, price)| {
                        format!("{at},{at},{event},{id},{id},{prev},{side},{price}.0,100\n")
                    })
                })
                .collect();
            let path = plain(&folder, "binance_usdm_ABCUSDT-depth.csv", &format!("{head}{rows}"));
            let imported =
                import(&dir.path().join("history"), ImportKind::Exported, &path, &ImportOptions::default());
            assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
        }
        let of = |settings: &str| ran(dir.path(), FUTURE, "taker", settings).map(|ran| ran.events);
        let told = of("").expect_err("must be refused").to_string();
        assert!(told.contains("day1") && told.contains("algo-trader history remove"), "{told}");
        assert!(of("[backtest]\nfrom = \"2024-08-09\"").is_err(), "it begins with the book of before");
        assert_eq!(of("[backtest]\nuntil = \"2024-08-09\"").ok(), Some(3));
    }
}

#[test]
fn trades_without_ids_of_two_days_are_all_told_apart() {
    let dir = tempdir().expect("a directory");
    let with = ImportOptions {
        instrument: Some("bitmex:usdm:XYZUSDT".into()),
        base: Some("XYZ".into()),
        quote: Some("USDT".into()),
        ..ImportOptions::default()
    };
    for day in 0..2 {
        let mut text = String::from("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n");
        for n in 0..100 {
            let us = BEGIN_US + day * DAY_US + n * SECOND_US;
            let id = if n % 2 == 0 { String::new() } else { format!("{day}f{n}a-b") };
            let side = if n % 3 == 0 { "buy" } else { "sell" };
            text += &format!("bitmex,XYZUSDT,{us},{us},{id},{side},{}.5,1\n", 100 + n % 7);
        }
        add(dir.path(), ImportKind::Tardis, &format!("{day}.csv"), &text, &with);
    }
    let ran = ran(dir.path(), "bitmex:usdm:XYZUSDT", "every-bar", "[market]\nbar = \"tick:1\"")
        .unwrap_or_else(|e| panic!("{e}"));
    let totals = ran.summary.book_totals();
    assert_eq!((totals.repeated_trades, totals.incomplete_bars, totals.missing_trades), (0, 0, 0));
    assert_eq!(ran.summary.execution.orders, 200, "at each trade");
}
