//! Market data calls and ticker streams of the local venue: what they say is what the trades that were sent say.
//!
//! The twin here keeps every trade frame and computes each answer anew, from the definitions in the venue's
//! documentation.

use algo_trader::domain::Market;
use algo_trader::venue::local::serve::{AtEnd, Endpoint, Origin, Pace, Running, Server, ServerOptions};
use algo_trader::venue::local::{FlowConfig, demo_instruments};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

#[path = "support/stream_client.rs"]
mod stream_client;
use stream_client::{call, connect, get, text};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Decimals of prices and quantities on spot.
const UNIT: i128 = 100_000_000;

/// A trade as its frame has it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Trade {
    id: i64,
    ms: i64,
    price: i128,
    qty: i128,
    buyer_is_maker: bool,
}

fn units(value: &Value) -> i128 {
    let text = value.as_str().expect("a number as text");
    let (whole, decimals) = text.trim_start_matches('-').split_once('.').expect("decimals");
    let digits = format!("{whole}{decimals:0<8}");
    let magnitude: i128 = digits.parse().expect("digits");
    if text.starts_with('-') { -magnitude } else { magnitude }
}

fn shown(units: i128) -> String {
    let (sign, magnitude) = (if units < 0 { "-" } else { "" }, units.abs());
    format!("{sign}{}.{:08}", magnitude / UNIT, magnitude % UNIT)
}

/// A product of price and quantity, cut to eight decimals.
fn shown_quote(quote: i128) -> String {
    shown(quote / UNIT)
}

/// Everything that was sent of one symbol.
#[derive(Default)]
struct Twin {
    trades: Vec<Trade>,
    now_ms: i64,
}

/// What was traded in a stretch of time.
struct Stretch {
    trades: Vec<Trade>,
    open: i128,
    high: i128,
    low: i128,
    close: i128,
    volume: i128,
    quote: i128,
}

impl Twin {
    fn take(&mut self, data: &Value) {
        if let Some(ms) = data["E"].as_i64() {
            self.now_ms = self.now_ms.max(ms);
        }
        if data["e"] == "trade" {
            self.trades.push(Trade {
                id: data["t"].as_i64().expect("an id"),
                ms: data["T"].as_i64().expect("a time"),
                price: units(&data["p"]),
                qty: units(&data["q"]),
                buyer_is_maker: data["m"].as_bool().expect("a flag"),
            });
        }
    }

    fn between(&self, from_ms: i64, to_ms: i64) -> Stretch {
        let trades: Vec<Trade> =
            self.trades.iter().copied().filter(|trade| (from_ms..=to_ms).contains(&trade.ms)).collect();
        let before = self.trades.iter().rev().find(|trade| trade.ms < from_ms).map(|trade| trade.price);
        let standing = before.or(self.trades.first().map(|trade| trade.price)).unwrap_or(0);
        Stretch {
            open: trades.first().map_or(standing, |trade| trade.price),
            high: trades.iter().map(|trade| trade.price).max().unwrap_or(standing),
            low: trades.iter().map(|trade| trade.price).min().unwrap_or(standing),
            close: trades.last().map_or(standing, |trade| trade.price),
            volume: trades.iter().map(|trade| trade.qty).sum(),
            quote: trades.iter().map(|trade| trade.price * trade.qty).sum(),
            trades,
        }
    }

    /// Every bar of the interval that begins where `opening` says, from the first trade to now.
    fn klines(&self, opening: impl Fn(i64) -> i64, next: impl Fn(i64) -> i64) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut at = opening(self.trades[0].ms);
        while at <= self.now_ms {
            let of = self.between(at, next(at) - 1);
            let taken: Vec<&Trade> = of.trades.iter().filter(|trade| !trade.buyer_is_maker).collect();
            rows.push(json!([
                at,
                shown(of.open),
                shown(of.high),
                shown(of.low),
                shown(of.close),
                shown(of.volume),
                next(at) - 1,
                shown_quote(of.quote),
                of.trades.len(),
                shown(taken.iter().map(|trade| trade.qty).sum()),
                shown_quote(taken.iter().map(|trade| trade.price * trade.qty).sum()),
                "0"
            ]));
            at = next(at);
        }
        rows
    }

    /// What rolling tickers have of the time from `open_ms` on.
    fn ticker(&self, open_ms: i64, close_ms: i64) -> Value {
        let of = self.between(open_ms, i64::MAX);
        let change = of.close - of.open;
        let thousandths = (change * 200_000 + change.signum() * of.open) / (2 * of.open);
        let sign = if thousandths < 0 { "-" } else { "" };
        json!({
            "symbol": "BTCUSDT",
            "priceChange": shown(change),
            "priceChangePercent": format!("{sign}{}.{:03}", thousandths.abs() / 1_000, thousandths.abs() % 1_000),
            "weightedAvgPrice": shown(of.quote / of.volume),
            "openPrice": shown(of.open), "highPrice": shown(of.high), "lowPrice": shown(of.low),
            "lastPrice": shown(of.close), "volume": shown(of.volume), "quoteVolume": shown_quote(of.quote),
            "openTime": open_ms, "closeTime": close_ms,
            "firstId": of.trades.first().expect("trades").id, "lastId": of.trades.last().expect("trades").id,
            "count": of.trades.len(),
        })
    }

    /// Trades of one price, side and moment, one after another.
    fn aggregates(&self) -> Vec<Value> {
        let same =
            |a: &Trade, b: &Trade| (a.price, a.ms, a.buyer_is_maker) == (b.price, b.ms, b.buyer_is_maker);
        let groups = self.trades.chunk_by(same).enumerate();
        groups
            .map(|(number, group)| {
                let qty: i128 = group.iter().map(|trade| trade.qty).sum();
                json!({
                    "a": self.trades[0].id + number as i64, "p": shown(group[0].price), "q": shown(qty),
                    "f": group[0].id, "l": group[group.len() - 1].id, "T": group[0].ms,
                    "m": group[0].buyer_is_maker, "M": true,
                })
            })
            .collect()
    }
}

/// A market that has ended, and everything that was sent of it.
struct Ended {
    venue: Running,
    frames: Vec<(String, Value)>,
    twin: Twin,
}

impl Ended {
    /// Eleven minutes of a quiet market, listened to until its end.
    fn new(streams: &str) -> Self {
        let mut flow = FlowConfig::new(11, demo_instruments()).with_events_per_s(2);
        flow.duration = Duration::from_secs(11 * 60 + 7);
        // Two minutes before a day and a month are over.
        flow.start = algo_trader::domain::Time::from_millis(1_738_367_880_000);
        let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: false });
        (options.pace, options.batch, options.wait_for_clients) = (Pace::Max, 32, 1);
        options.at_end = AtEnd::Close;
        // A window so long that none ends between two calls whose weights are compared.
        options.limits.weight_window = Duration::from_secs(100_000);
        let venue = Server::start(options).expect("the venue starts");
        let path = format!("/stream?streams=btcusdt@trade/btcusdt@depth@100ms/ethusdt@trade{streams}");
        let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), &path);
        let (mut frames, mut twin) = (Vec::new(), Twin::default());
        while let Some(frame) = text(&mut client) {
            let frame: Value = serde_json::from_str(&frame).expect("JSON");
            let name = frame["stream"].as_str().expect("a name").to_owned();
            if name.starts_with("btcusdt@trade") || name.starts_with("btcusdt@depth") {
                twin.take(&frame["data"]);
            }
            frames.push((name, frame["data"].clone()));
        }
        assert!(
            (200..=1_000).contains(&twin.trades.len()),
            "all of them can be asked for: {}",
            twin.trades.len()
        );
        Self { venue, frames, twin }
    }

    fn endpoint(&self) -> &Endpoint {
        self.venue.endpoint(Market::Spot).expect("served")
    }

    fn get(&self, call: &str) -> Value {
        let answer = get(self.endpoint(), self.venue.ca_pem(), &format!("/api/v3/{call}"));
        assert_eq!(answer.status, 200, "{call}: {}", answer.body);
        answer.json()
    }

    fn refusal(&self, call: &str) -> (u16, i64) {
        let answer = get(self.endpoint(), self.venue.ca_pem(), &format!("/api/v3/{call}"));
        (answer.status, answer.json()["code"].as_i64().expect("a code"))
    }
}

/// A row without what is not the trades' to say.
fn without_quotes(mut row: Value) -> Value {
    for name in ["prevClosePrice", "lastQty", "bidPrice", "bidQty", "askPrice", "askQty"] {
        row.as_object_mut().expect("an object").remove(name);
    }
    row
}

#[test]
fn klines_of_every_interval_are_those_of_the_trades() {
    let ended = Ended::new("");
    let fixed =
        |ms: i64, offset: i64| (move |at: i64| (at - offset).div_euclid(ms) * ms + offset, move |at| at + ms);
    for (label, ms) in [
        ("1m", MINUTE),
        ("3m", 3 * MINUTE),
        ("5m", 5 * MINUTE),
        ("15m", 15 * MINUTE),
        ("30m", 30 * MINUTE),
        ("1h", HOUR),
        ("2h", 2 * HOUR),
        ("4h", 4 * HOUR),
        ("6h", 6 * HOUR),
        ("8h", 8 * HOUR),
        ("12h", 12 * HOUR),
        ("1d", DAY),
        ("3d", 3 * DAY),
        ("1s", 1_000),
    ] {
        let (opening, next) = fixed(ms, 0);
        let expected = ended.twin.klines(opening, next);
        let kind = if label == "5m" { "uiKlines" } else { "klines" };
        let found = ended.get(&format!("{kind}?symbol=BTCUSDT&interval={label}&limit=1000"));
        assert_eq!(found, json!(expected), "{label}");
    }
    // 1970-01-05 was a Monday.
    let (opening, next) = fixed(7 * DAY, 4 * DAY);
    assert_eq!(ended.get("klines?symbol=BTCUSDT&interval=1w"), json!(ended.twin.klines(opening, next)));
    let zoned = |ms: i64| Timestamp::from_millisecond(ms).expect("a time").to_zoned(TimeZone::UTC);
    let month = |ms: i64| zoned(ms).first_of_month().expect("a day").start_of_day().expect("a time");
    let opening = |ms| month(ms).timestamp().as_millisecond();
    let next = |ms| (&month(ms) + 1.month()).timestamp().as_millisecond();
    let months = ended.twin.klines(opening, next);
    assert_eq!(months.len(), 2, "the market lives over the end of a month");
    assert_eq!(ended.get("klines?symbol=BTCUSDT&interval=1M"), json!(months));
    // Five hours west of Greenwich days begin at five in the morning.
    let (opening, next) = fixed(DAY, 5 * HOUR);
    let found = ended.get("klines?symbol=BTCUSDT&interval=1d&timeZone=-5:00");
    assert_eq!(found, json!(ended.twin.klines(opening, next)));
}

#[test]
fn a_stretch_of_klines_is_the_oldest_of_it_or_the_newest() {
    let ended = Ended::new("");
    let all = ended.twin.klines(|at| at / MINUTE * MINUTE, |at| at + MINUTE);
    let (start, end) = (all[2][0].clone(), all[7][0].clone());
    let call = |more: &str| ended.get(&format!("klines?symbol=BTCUSDT&interval=1m{more}"));
    assert_eq!(call(&format!("&startTime={start}&limit=3")), json!(all[2..5]));
    assert_eq!(call(&format!("&endTime={end}&limit=3")), json!(all[5..8]));
    assert_eq!(call(&format!("&startTime={start}&endTime={end}&limit=500")), json!(all[2..8]));
    assert_eq!(call("&limit=2"), json!(all[all.len() - 2..]));
    assert_eq!(call(&format!("&startTime={}000&limit=3", start)), json!(all[2..5]), "microseconds");
}

#[test]
fn trades_and_aggregates_are_those_that_were_sent() {
    let ended = Ended::new("/btcusdt@aggTrade");
    let row = |trade: &Trade| {
        json!({
            "id": trade.id, "price": shown(trade.price), "qty": shown(trade.qty),
            "quoteQty": shown_quote(trade.price * trade.qty), "time": trade.ms,
            "isBuyerMaker": trade.buyer_is_maker, "isBestMatch": true,
        })
    };
    let trades: Vec<Value> = ended.twin.trades.iter().map(row).collect();
    assert_eq!(ended.get("trades?symbol=BTCUSDT&limit=1000"), json!(trades));
    let from = ended.twin.trades[17].id;
    let found = ended.get(&format!("historicalTrades?symbol=BTCUSDT&fromId={from}&limit=20"));
    assert_eq!(found, json!(trades[17..37]));

    let aggregates = ended.twin.aggregates();
    assert!(aggregates.len() < trades.len(), "some orders met several others");
    let frames: Vec<Value> = ended
        .frames
        .iter()
        .filter(|(name, _)| name == "btcusdt@aggTrade")
        .map(|(_, data)| data.clone())
        .collect();
    assert_eq!(frames.len(), aggregates.len());
    for (frame, row) in frames.iter().zip(&aggregates) {
        for (name, value) in row.as_object().expect("an object") {
            assert_eq!(&frame[name], value, "{frame}");
        }
    }
    let call = |more: &str| ended.get(&format!("aggTrades?symbol=BTCUSDT&limit=1000{more}"));
    assert_eq!(call(""), json!(aggregates));
    let (first, last) = (&aggregates[30], &aggregates[60]);
    assert_eq!(call(&format!("&fromId={}", first["a"])), json!(aggregates[30..]));
    let within: Vec<&Value> = aggregates
        .iter()
        .filter(|row| (first["T"].as_i64()..=last["T"].as_i64()).contains(&row["T"].as_i64()))
        .collect();
    assert_eq!(call(&format!("&startTime={}&endTime={}", first["T"], last["T"])), json!(within));
}

#[test]
fn tickers_of_every_window_are_those_of_the_trades() {
    let ended = Ended::new("");
    let (twin, now) = (&ended.twin, ended.twin.now_ms);
    for (size, ms) in [("1m", MINUTE), ("4m", 4 * MINUTE), ("2h", 2 * HOUR), ("7d", 7 * DAY)] {
        let open = (now - ms).div_euclid(MINUTE) * MINUTE;
        let found = ended.get(&format!("ticker?symbol=BTCUSDT&windowSize={size}"));
        assert_eq!(found, twin.ticker(open, now), "{size}");
    }
    let open = (now - DAY).div_euclid(MINUTE) * MINUTE;
    let day = ended.get("ticker/24hr?symbol=BTCUSDT");
    assert_eq!(without_quotes(day.clone()), twin.ticker(open, now));
    let quote = ended.get("ticker/bookTicker?symbol=BTCUSDT");
    for name in ["bidPrice", "bidQty", "askPrice", "askQty"] {
        assert_eq!(day[name], quote[name]);
    }
    let last = twin.trades.last().expect("trades");
    assert_eq!(
        (&day["lastQty"], &day["prevClosePrice"]),
        (&json!(shown(last.qty)), &json!(shown(twin.trades[0].price)))
    );
    assert_eq!(
        ended.get("ticker/price?symbol=BTCUSDT"),
        json!({ "symbol": "BTCUSDT", "price": shown(last.price) })
    );

    let midnight = now.div_euclid(DAY) * DAY;
    let today = ended.get("ticker/tradingDay?symbols=[%22BTCUSDT%22]");
    assert_eq!(today, json!([twin.ticker(midnight, midnight + DAY - 1)]));
    assert!(twin.trades[0].ms < midnight, "some of the trades are not of today");

    let mini = ended.get("ticker/24hr?symbol=BTCUSDT&type=MINI");
    assert_eq!(mini.as_object().expect("an object").len(), 12);
    assert!(mini.as_object().expect("an object").iter().all(|(name, value)| day[name] == *value));

    // Seconds are what the average price is made of.
    let five = twin.between((now - 5 * MINUTE) / 1_000 * 1_000, i64::MAX);
    let average = json!({ "mins": 5, "price": shown(five.quote / five.volume), "closeTime": last.ms });
    assert_eq!(ended.get("avgPrice?symbol=BTCUSDT"), average);
}

#[test]
fn ticker_streams_are_those_of_the_trades_before_them() {
    let names =
        ["btcusdt@ticker", "btcusdt@miniTicker", "btcusdt@ticker_1h", "btcusdt@avgPrice", "!miniTicker@arr"];
    let ended = Ended::new(&names.map(|name| format!("/{name}")).concat());
    let mut twin = Twin::default();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (name, data) in &ended.frames {
        if name.starts_with("btcusdt@trade") || name.starts_with("btcusdt@depth") {
            twin.take(data);
            continue;
        }
        let Some(known) = names.iter().find(|known| *known == name) else { continue };
        *seen.entry(known).or_default() += 1;
        if twin.trades.is_empty() {
            continue;
        }
        let window = |ms: i64| twin.ticker((twin.now_ms - ms).div_euclid(MINUTE) * MINUTE, twin.now_ms);
        let compare = |data: &Value, row: &Value, letters: &[(&str, &str)]| {
            for (letter, name) in letters {
                assert_eq!(data[letter], row[name], "{letter} of {data}");
            }
        };
        let mini = [
            ("c", "lastPrice"),
            ("o", "openPrice"),
            ("h", "highPrice"),
            ("l", "lowPrice"),
            ("v", "volume"),
            ("q", "quoteVolume"),
        ];
        let full = [
            ("p", "priceChange"),
            ("P", "priceChangePercent"),
            ("w", "weightedAvgPrice"),
            ("O", "openTime"),
            ("C", "closeTime"),
            ("F", "firstId"),
            ("L", "lastId"),
            ("n", "count"),
        ];
        match *known {
            "!miniTicker@arr" => {
                let rows = data.as_array().expect("a list");
                assert!(!rows.is_empty());
                if let Some(row) = rows.iter().find(|row| row["s"] == "BTCUSDT" && row["E"] == twin.now_ms) {
                    compare(row, &window(DAY), &mini);
                    *seen.entry("compared").or_default() += 1;
                }
            }
            "btcusdt@miniTicker" => compare(data, &window(DAY), &mini),
            "btcusdt@ticker" => {
                compare(data, &window(DAY), &[&mini[..], &full[..]].concat());
                assert_eq!(data["Q"], json!(shown(twin.trades.last().expect("trades").qty)));
                assert!(units(&data["b"]) < units(&data["a"]));
            }
            "btcusdt@ticker_1h" => compare(data, &window(HOUR), &[&mini[..], &full[..]].concat()),
            _ => {
                let from = (twin.now_ms - 5 * MINUTE).div_euclid(1_000) * 1_000;
                let five = twin.between(from, i64::MAX);
                assert_eq!(data["w"], json!(shown(five.quote / five.volume)));
                assert_eq!(data["T"], json!(twin.trades.last().expect("trades").ms));
            }
        }
    }
    let seconds = |wanted: &dyn Fn(&str) -> bool| -> Vec<i64> {
        let of = ended.frames.iter().filter(|(name, _)| wanted(name));
        let mut seconds: Vec<i64> = of.filter_map(|(_, data)| Some(data["E"].as_i64()? / 1_000)).collect();
        seconds.sort_unstable();
        seconds
    };
    let mut alive = seconds(&|name| name.starts_with("btcusdt@trade") || name.starts_with("btcusdt@depth"));
    alive.dedup();
    for name in &names[..4] {
        assert_eq!(seconds(&|other| other == *name), alive, "once in each second in which anything happened");
    }
    assert!(seen["compared"] > 50, "{seen:?}");
}

#[test]
fn symbols_times_and_mistakes_are_as_documented() {
    let ended = Ended::new("");
    let listed = |call: &str| ended.get(call).as_array().map(Vec::len);
    for path in ["ticker/24hr", "ticker/price", "ticker/bookTicker"] {
        assert_eq!(listed(path), Some(2), "{path}");
        assert_eq!(listed(&format!("{path}?symbols=[%22ETHUSDT%22]")), Some(1), "{path}");
    }
    for (call, refusal) in [
        ("ticker/price?symbol=NOPE", (400, -1121)),
        ("ticker/price?symbols=[%22BTCUSDT%22,%22NOPE%22]", (400, -1121)),
        ("ticker/price?symbols=BTCUSDT", (400, -1100)),
        ("ticker/price?symbol=BTCUSDT&symbols=[%22BTCUSDT%22]", (400, -1128)),
        ("ticker/24hr?symbols=[%22BTCUSDT%22,%22BTCUSDT%22]", (400, -1151)),
        ("ticker", (400, -1102)),
        ("ticker?symbol=BTCUSDT&windowSize=60m", (400, -1100)),
        ("ticker/24hr?symbol=BTCUSDT&type=HALF", (400, -1139)),
        ("klines?symbol=BTCUSDT", (400, -1102)),
        ("klines?symbol=BTCUSDT&interval=1y", (400, -1120)),
        ("klines?symbol=BTCUSDT&interval=1d&timeZone=15", (400, -1100)),
        ("aggTrades?symbol=BTCUSDT&fromId=x", (400, -1100)),
        ("exchangeInfo?symbolStatus=LOST", (400, -1122)),
        ("exchangeInfo?symbol=BTCUSDT&permissions=SPOT", (400, -1128)),
        ("userDataStream", (410, -1)),
        ("nothing", (404, -1)),
    ] {
        assert_eq!(ended.refusal(call), refusal, "{call}");
    }
    let weight = |call: &str| {
        let answer = get(ended.endpoint(), ended.venue.ca_pem(), &format!("/api/v3/{call}"));
        answer.header("x-mbx-used-weight-1m").and_then(|used| used.parse::<u32>().ok()).expect("told")
    };
    let base = weight("ping");
    assert_eq!(weight("ticker/24hr"), base + 80);
    assert_eq!(weight("ticker/tradingDay?symbol=BTCUSDT"), base + 84);
    assert_eq!(weight("exchangeInfo"), base + 104);
}

#[test]
fn times_are_in_microseconds_where_the_header_says_so() {
    let ended = Ended::new("");
    let with = |target: &str, unit: &str| {
        let header = format!("X-MBX-TIME-UNIT: {unit}\r\n");
        call(ended.endpoint(), ended.venue.ca_pem(), "GET", &format!("/api/v3/{target}"), &header, "")
    };
    let micros = |target: &str| with(target, "MICROSECOND").json();
    let of = "symbol=BTCUSDT&limit=3";
    for (call, names) in [
        ("trades", &["time"][..]),
        ("historicalTrades", &["time"]),
        ("aggTrades", &["T"]),
        ("ticker/24hr", &["openTime", "closeTime"]),
        ("ticker", &["openTime", "closeTime"]),
        ("avgPrice", &["closeTime"]),
    ] {
        let call = format!("{call}?{of}");
        let (found, expected) = (micros(&call), ended.get(&call));
        for name in names {
            let (found, expected) = match found.as_array() {
                Some(rows) => (&rows[0][*name], &expected[0][*name]),
                None => (&found[*name], &expected[*name]),
            };
            assert_eq!(found.as_u64(), expected.as_u64().map(|ms| ms * 1_000), "{name} of {call}");
        }
    }
    let bars = format!("klines?{of}&interval=1m");
    let (found, expected) = (micros(&bars), ended.get(&bars));
    assert_eq!(found[0][0].as_u64(), expected[0][0].as_u64().map(|ms| ms * 1_000));
    assert_eq!(
        found[0][6].as_u64(),
        expected[0][6].as_u64().map(|ms| ms * 1_000 + 999),
        "a bar's last moment"
    );
    for call in ["time", "exchangeInfo"] {
        let (found, now) = (micros(call)["serverTime"].as_u64(), ended.get(call)["serverTime"].as_u64());
        assert!(
            found.zip(now).is_some_and(|(us, ms)| us / 1_000 <= ms && us / 1_000 + 60_000 > ms),
            "{call}"
        );
    }
    let refused = with("time", "DAYS");
    assert_eq!((refused.status, refused.json()["code"].as_i64()), (400, Some(-1194)));
}

#[test]
fn exchange_info_shows_every_filter_and_what_was_asked_for() {
    let ended = Ended::new("");
    let info = ended.get("exchangeInfo?symbol=BTCUSDT");
    let row = &info["symbols"][0];
    let filters: Vec<&str> =
        row["filters"].as_array().expect("filters").iter().filter_map(|f| f["filterType"].as_str()).collect();
    let expected = [
        "PRICE_FILTER",
        "LOT_SIZE",
        "ICEBERG_PARTS",
        "MARKET_LOT_SIZE",
        "TRAILING_DELTA",
        "PERCENT_PRICE_BY_SIDE",
        "NOTIONAL",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ORDER_LISTS",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ORDER_AMENDS",
    ];
    assert_eq!(filters, expected);
    assert_eq!(row["filters"][0]["tickSize"], "0.01000000");
    assert_eq!(row["permissionSets"], json!([["SPOT"]]));
    let without = ended.get("exchangeInfo?showPermissionSets=false");
    assert_eq!(without["symbols"][1]["permissionSets"], json!([]));
    for (call, count) in [
        ("", 2),
        ("?symbolStatus=TRADING", 2),
        ("?symbolStatus=HALT", 0),
        ("?permissions=MARGIN", 0),
        ("?permissions=[%22MARGIN%22,%22SPOT%22]", 2),
        ("?symbols=[%22ETHUSDT%22,%22BTCUSDT%22]", 2),
    ] {
        let info = ended.get(&format!("exchangeInfo{call}"));
        assert_eq!(info["symbols"].as_array().map(Vec::len), Some(count), "{call}");
    }
}
