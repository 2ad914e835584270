//! Orders of accounts meet the market that the venue shows, generated or recorded, and what it shows stays as it was.

use algo_trader::domain::{Market, Time};
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{AtEnd, BookView, Fault, Pace, Running, Server, ServerOptions};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[path = "support/frames.rs"]
mod frames;
#[path = "support/order_client.rs"]
mod order_client;
use order_client::stream_client::{connect, get, text};
use order_client::{Trader, account};

const ORDER: &str = "/api/v3/order";
const SYMBOL: (&str, &str) = ("symbol", "BTCUSDT");
/// Longer than anything here takes, on the slowest of machines.
const PATIENCE: Duration = Duration::from_secs(60);

fn book(venue: &Running) -> BookView {
    let began = Instant::now();
    loop {
        let book = venue.control().book(Market::Spot, "BTCUSDT", 50);
        if let Some(book) = book.filter(|book| !book.bids.is_empty() && !book.asks.is_empty()) {
            return book;
        }
        assert!(began.elapsed() < PATIENCE, "there is no book");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn market(trader: &Trader<'_>, side: &str, qty: &str) -> Value {
    let order = [SYMBOL, ("side", side), ("type", "MARKET"), ("quantity", qty)];
    trader.done("POST", ORDER, &order)
}

/// Units of the demo's BTCUSDT in one of its quote asset, and in its tick.
const UNITS: i64 = 100_000_000;
const TICK: i64 = 1_000_000;

/// A price of the demo's BTCUSDT, as the venue prints it.
fn printed(price: i64) -> String {
    format!("{}.{:08}", price / UNITS, price % UNITS)
}

#[test]
fn orders_trade_with_the_generated_market() {
    let mut options = ServerOptions::generated(3, demo_instruments(), 2_000);
    options.accounts = vec![account("alice", &[("USDT", "1000000"), ("BTC", "10")])];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    let began = Instant::now();
    let bought = market(&alice, "BUY", "0.002");
    assert_eq!(bought["status"], "FILLED", "{bought}");
    let paid: f64 = bought["fills"][0]["price"].as_str().and_then(|p| p.parse().ok()).expect("a price");
    let best = book(&venue).asks[0].price.0 as f64 / UNITS as f64;
    assert!((paid / best - 1.0).abs() < 0.02, "paid {paid}, shown {best}");
    // Between the best prices: whoever sells next sells to it, at its price.
    let filled = loop {
        let shown = book(&venue);
        let price = printed((shown.asks[0].price.0 - TICK).max(shown.bids[0].price.0));
        let order = [
            SYMBOL,
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.001"),
            ("price", &price),
        ];
        let id = alice.done("POST", ORDER, &order)["orderId"].as_u64().expect("an id").to_string();
        let placed = Instant::now();
        let order = loop {
            let order = alice.done("GET", ORDER, &[SYMBOL, ("orderId", &id)]);
            if order["status"] == "FILLED" || placed.elapsed() > Duration::from_secs(3) {
                break order;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let trades = alice.done("GET", "/api/v3/myTrades", &[SYMBOL, ("orderId", &id)]);
        if trades[0]["isMaker"] == true {
            assert_eq!(trades[0]["price"], json!(price));
            break order;
        }
        // The market had moved on, and away, or it took at once: another try.
        assert!(began.elapsed() < PATIENCE, "nobody sells to it");
        let _ = alice.rest("DELETE", ORDER, &[SYMBOL, ("orderId", &id)]);
    };
    assert_ne!(filled["executedQty"], "0.00000000");
}

#[test]
fn orders_meet_the_book_that_is_shown_before_the_first_frame() {
    let mut options = ServerOptions::generated(3, demo_instruments(), 2_000);
    options.wait_for_clients = 99;
    options.accounts = vec![account("alice", &[("USDT", "1000000"), ("BTC", "10")])];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    let shown = book(&venue);
    let (bid, ask) = (shown.bids[0].price.0, shown.asks[0].price.0);
    let last = get(alice.endpoint(), venue.ca_pem(), "/api/v3/ticker/price?symbol=BTCUSDT").json();
    let middle = printed((bid + ask) / 2 / TICK * TICK);
    assert_eq!(last["price"], json!(middle), "nothing has traded yet");
    let above = printed(ask / 100 * 101 / TICK * TICK);
    let order = |side, kind, more: &[(&'static str, &str)]| {
        let what = [SYMBOL, ("side", side), ("type", kind), ("quantity", "0.001")];
        let params: Vec<(&str, &str)> = what.into_iter().chain(more.iter().copied()).collect();
        alice.rest("POST", ORDER, &params).json()
    };
    let stop = order("SELL", "STOP_LOSS", &[("stopPrice", &above)]);
    assert_eq!(stop["code"], -2010, "the market is below it already: {stop}");
    let make = order("BUY", "LIMIT_MAKER", &[("price", &above)]);
    assert_eq!(make["code"], -2010, "it would take: {make}");
    // As on the venue, from a fifth to five times the last price.
    let (far, near) = (printed(bid / 6 / TICK * TICK), printed(bid / 4 / TICK * TICK));
    let asked = |price: &str| order("BUY", "LIMIT", &[("price", price), ("timeInForce", "GTC")]);
    let (far, near) = (asked(&far), asked(&near));
    assert_eq!((&far["code"], &far["msg"]), (&json!(-1013), &json!("Filter failure: PERCENT_PRICE_BY_SIDE")));
    assert_eq!(near["status"], "NEW", "{near}");
    for bought in
        [order("BUY", "MARKET", &[]), order("BUY", "LIMIT", &[("price", &above), ("timeInForce", "GTC")])]
    {
        assert_eq!(
            (&bought["status"], &bought["fills"][0]["price"]),
            (&json!("FILLED"), &json!(printed(ask))),
            "{bought}"
        );
    }
}

/// A recording of nothing but a snapshot of a symbol that no configuration knows.
fn unknown(symbol: &str, balances: &[(&str, &str)]) -> Running {
    let snapshot = br#"{"lastUpdateId":7,"bids":[["0.09980","500"]],"asks":[["0.10020","700"]]}"#;
    let sources = vec![frames::source("unknown", Market::Spot, Some(symbol))];
    let frames = vec![(1_723_075_200_000_000_000, snapshot.to_vec())].into_iter();
    let source = Recorded { sources, frames, now: (0, Vec::new()) };
    let mut options = ServerOptions::recorded(Box::new(source), Vec::new());
    options.at_end = AtEnd::StayOpen;
    options.accounts = vec![account("alice", balances)];
    Server::start(options).expect("the venue starts")
}

#[test]
fn a_recorded_symbol_that_is_not_configured_trades_what_its_name_tells_or_takes_no_orders() {
    let venue = unknown("DOGEUSDT", &[("USDT", "1000"), ("DOGE", "0")]);
    let alice = Trader::new(&venue, "alicehmac");
    let of = |venue: &Running, symbol: &str| {
        let target = format!("/api/v3/exchangeInfo?symbol={symbol}");
        let endpoint = venue.endpoint(Market::Spot).expect("served");
        get(endpoint, venue.ca_pem(), &target).json()["symbols"][0].clone()
    };
    let listed = of(&venue, "DOGEUSDT");
    assert_eq!((&listed["baseAsset"], &listed["quoteAsset"]), (&json!("DOGE"), &json!("USDT")));
    let order = [("symbol", "DOGEUSDT"), ("side", "BUY"), ("type", "MARKET"), ("quantity", "100")];
    let bought = alice.done("POST", ORDER, &order);
    assert_eq!(
        (&bought["status"], &bought["cummulativeQuoteQty"]),
        (&json!("FILLED"), &json!("10.02000000"))
    );
    let balances = alice.done("GET", "/api/v3/account", &[])["balances"].clone();
    let free = |asset: &str| {
        let row = balances.as_array().expect("rows").iter().find(|row| row["asset"] == asset);
        row.map(|row| row["free"].clone())
    };
    assert_eq!((free("DOGE"), free("USDT")), (Some(json!("100.00000000")), Some(json!("989.98000000"))));
    let said = |venue: &Running, what: &str| {
        let [warning] = venue.warnings() else { panic!("one warning: {:?}", venue.warnings()) };
        assert!(warning.contains(what) && warning.contains("[[instrument]]"), "{warning}");
    };
    said(&venue, "spot DOGEUSDT is not in the configuration: it is taken to trade DOGE for USDT");
    drop(venue);

    let venue = unknown("ABCDEFG", &[]);
    said(&venue, "its name does not tell what it trades: no orders are taken in it");
    let alice = Trader::new(&venue, "alicehmac");
    assert_eq!(of(&venue, "ABCDEFG")["symbol"], "ABCDEFG", "its frames are served");
    let order = [("symbol", "ABCDEFG"), ("side", "BUY"), ("type", "MARKET"), ("quantity", "100")];
    assert_eq!(alice.refused("POST", ORDER, &order), (400, -1121));
}

/// Recorded frames of one source.
struct Recorded {
    sources: Vec<SourceInfo>,
    frames: std::vec::IntoIter<(u64, Vec<u8>)>,
    now: (u64, Vec<u8>),
}

impl FrameSource for Recorded {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let Some(next) = self.frames.next() else { return Ok(None) };
        self.now = next;
        Ok(Some(Frame { received: Time(self.now.0), source: SourceId(0), line: 0, bytes: &self.now.1 }))
    }
}

#[test]
fn orders_trade_with_a_recording_and_its_frames_are_byte_for_byte_the_same() {
    let Some(recorded) = frames::recorded() else { return };
    let wanted = |file: &&frames::Recorded| {
        file.source.market == Market::Spot && file.source.symbol.as_deref() == Some("BTCUSDT")
    };
    let file = recorded.iter().find(wanted).expect("BTCUSDT is recorded");
    let frames: Vec<(u64, Vec<u8>)> =
        file.timed_frames().take(6_000).map(|(at, frame)| (at, frame.to_vec())).collect();
    let sent: Vec<Vec<u8>> =
        frames.iter().map(|(_, frame)| frame.clone()).filter(|f| f.starts_with(b"{\"stream\"")).collect();
    let (sources, frames) = (vec![file.source.clone()], frames.into_iter());
    let source = Recorded { sources, frames, now: (0, Vec::new()) };
    let mut options = ServerOptions::recorded(Box::new(source), Vec::new());
    (options.pace, options.wait_for_clients, options.at_end) = (Pace::Max, 1, AtEnd::StayOpen);
    options.accounts = vec![account("alice", &[("USDT", "10000000"), ("BTC", "100")])];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    let path = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms";
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), path);
    let mut filled = 0;
    for (at, expected) in sent.iter().enumerate() {
        let frame = text(&mut client).expect("a frame");
        assert_eq!(frame.as_bytes(), *expected, "frame {at}");
        if at % 1_000 == 999 {
            let side = if at % 2_000 == 999 { "BUY" } else { "SELL" };
            let order = market(&alice, side, "0.01");
            filled += u32::from(order["status"] == "FILLED");
        }
    }
    assert!(filled > 2, "only {filled} orders met the market");
    let account = alice.done("GET", "/api/v3/account", &[]);
    let trades = alice.done("GET", "/api/v3/myTrades", &[SYMBOL]);
    assert!(trades.as_array().is_some_and(|rows| rows.len() as u32 >= filled), "{trades}");
    assert_eq!(account["balances"].as_array().map(Vec::is_empty), Some(false));
}

#[test]
fn a_symbol_that_trades_again_does_so_at_the_book_that_is_shown_then() {
    let at = 1_723_075_200_000_000_000;
    let snapshot = br#"{"lastUpdateId":7,"bids":[["60000.00","5"]],"asks":[["60000.01","5"]]}"#;
    let trade = br#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723075201000,"s":"BTCUSDT","t":1,"p":"60500.01","q":"0.5","T":1723075201000,"m":false,"M":true}}"#;
    let diff = br#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723075202000,"s":"BTCUSDT","U":8,"u":9,"b":[["60000.00","0"],["60500.00","5"]],"a":[["60000.01","0"],["60500.01","5"]]}}"#;
    let frames = vec![
        (at, snapshot.to_vec()),
        (at + 1_000_000_000, trade.to_vec()),
        (at + 2_000_000_000, diff.to_vec()),
    ];
    let sources = vec![frames::source("made-up", Market::Spot, Some("BTCUSDT"))];
    let source = Recorded { sources, frames: frames.into_iter(), now: (0, Vec::new()) };
    let mut options = ServerOptions::recorded(Box::new(source), demo_instruments());
    (options.pace, options.wait_for_clients, options.at_end) = (Pace::Max, 1, AtEnd::StayOpen);
    options.accounts = vec![account("alice", &[("USDT", "1000000")])];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    assert_eq!(market(&alice, "BUY", "0.1")["fills"][0]["price"], "60000.01000000");
    let order = [SYMBOL, ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC")];
    let resting =
        alice.done("POST", ORDER, &[&order[..], &[("quantity", "0.1"), ("price", "59000.00")][..]].concat());
    let symbol = |status: &str| {
        let fault = Fault::Symbol { symbol: "BTCUSDT".into(), status: status.into() };
        assert!(venue.control().inject(fault));
    };
    symbol("HALT");
    let path = "/stream?streams=btcusdt@trade/btcusdt@depth@100ms";
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), path);
    for expected in [&trade[..], &diff[..]] {
        assert_eq!(text(&mut client).expect("a frame").as_bytes(), expected);
    }
    let id = resting["orderId"].to_string();
    assert_eq!(alice.done("GET", ORDER, &[SYMBOL, ("orderId", &id)])["status"], "NEW");
    symbol("TRADING");
    // No frame comes any more.
    assert_eq!(market(&alice, "BUY", "0.1")["fills"][0]["price"], "60500.01000000");
    let maker = [&order[..2], &[("type", "LIMIT_MAKER"), ("quantity", "0.1"), ("price", "60400.00")][..]];
    assert!(alice.done("POST", ORDER, &maker.concat())["orderId"].is_u64(), "it takes nothing now");
}
