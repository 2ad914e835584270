//! Frames for tests and benchmarks: the recordings where they are, and samples of every shape.

#![allow(dead_code, reason = "each user takes a part")]

#[path = "recordings.rs"]
mod recordings;

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, Notional, Price, Qty};
use algo_trader::net::SourceInfo;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::Read;

/// The lines of one recorded file.
pub struct Recorded {
    /// Whose frames.
    pub source: SourceInfo,
    text: Vec<u8>,
}

impl Recorded {
    /// Line numbers, from 1, and frames.
    pub fn frames(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let lines = self.text.split(|&b| b == b'\n').filter(|line| !line.is_empty()).enumerate();
        lines.map(|(n, line)| {
            let space = line.iter().position(|&b| b == b' ').expect("a recorded line begins with a time");
            (n + 1, &line[space + 1..])
        })
    }

    /// Receive times, ns, and frames.
    pub fn timed_frames(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let lines = self.text.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| {
            let time = std::str::from_utf8(&line[..19]).ok().and_then(|t| t.parse().ok());
            (time.expect("a recorded line begins with 19 digits"), &line[20..])
        })
    }
}

/// The recorded files, or `None`, with a word on why, where there are none.
pub fn recorded() -> Option<Vec<Recorded>> {
    let folder = recordings::folder("binance-20240808")?;
    let entries = fs::read_dir(&folder).expect("folder is readable");
    let mut paths: Vec<_> = entries.map(|e| e.expect("folder is readable").path()).collect();
    paths.sort();
    Some(
        paths
            .iter()
            .map(|path| {
                let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
                let mut parts = name.split('-');
                let market =
                    parts.next().and_then(Market::from_label).expect("file names begin with the market");
                let symbol = parts.next().expect("then comes the symbol").to_uppercase();
                let mut text = Vec::new();
                let file = File::open(path).expect("recordings are readable");
                MultiGzDecoder::new(file).read_to_end(&mut text).expect("recordings are gzip");
                Recorded { source: source(&name, market, Some(&symbol)), text }
            })
            .collect(),
    )
}

/// A source of Binance frames.
pub fn source(name: &str, market: Market, symbol: Option<&str>) -> SourceInfo {
    SourceInfo { name: name.into(), venue: "binance".into(), market, symbol: symbol.map(Into::into) }
}

/// The recorded instruments, at their printed precision.
pub fn table() -> InstrumentTable {
    let instruments = [
        (Market::Spot, "BTCUSDT", 8, 8),
        (Market::Spot, "ETHUSDT", 8, 8),
        (Market::UsdM, "BTCUSDT", 2, 3),
        (Market::UsdM, "ETHUSDT", 2, 3),
        (Market::CoinM, "BTCUSD_PERP", 1, 0),
    ];
    let instruments = instruments.map(|(market, symbol, price_decimals, qty_decimals)| Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol: symbol.into(),
        base: symbol[..3].into(),
        quote: symbol[3..].into(),
        price_decimals,
        qty_decimals,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(0),
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    });
    InstrumentTable::new(instruments.to_vec()).expect("distinct instruments")
}

/// One frame of each shape that the fast path knows.
pub const FAST: &[(Market, &str)] = &[
    (
        Market::Spot,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000123,"s":"BTCUSDT","t":42,"p":"30000.01000000","q":"0.50000000","T":1700000000122,"m":true,"M":true}}"#,
    ),
    (
        Market::Spot,
        r#"{"stream":"btcusdt@bookTicker","data":{"u":777,"s":"BTCUSDT","b":"30000.00000000","B":"1.00000000","a":"30000.01000000","A":"12.34567890"}}"#,
    ),
    (
        Market::Spot,
        r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":100,"u":105,"b":[["29999.99000000","0.00000000"],["29999.00000000","3.20000000"]],"a":[["30000.02000000","1.00000000"]]}}"#,
    ),
    (
        Market::Spot,
        r#"{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1700000000123,"s":"ETHUSDT","a":9,"p":"2000.00000000","q":"1.00000000","f":40,"l":42,"T":1700000000122,"m":false,"M":true}}"#,
    ),
    (
        Market::Spot,
        r#"{"stream":"ethusdt@depth5@100ms","data":{"lastUpdateId":160,"bids":[["2000.00000000","1.00000000"]],"asks":[["2000.01000000","2.00000000"]]}}"#,
    ),
    (
        Market::Spot,
        r#"{"lastUpdateId":160,"bids":[["30000.00000000","1.00000000"]],"asks":[["30000.01000000","2.00000000"]]}"#,
    ),
    (
        Market::Spot,
        r#"{"e":"trade","E":1700000000123,"s":"BTCUSDT","t":42,"p":"30000.01000000","q":"0.50000000","T":1700000000122,"m":true,"M":true}"#,
    ),
    (
        Market::UsdM,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000123,"T":1700000000122,"s":"BTCUSDT","t":42,"p":"30000.10","q":"0.500","X":"MARKET","m":false}}"#,
    ),
    (
        Market::UsdM,
        r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":777,"s":"BTCUSDT","b":"30000.00","B":"1.000","a":"30000.10","A":"12.345","T":1700000000122,"E":1700000000123}}"#,
    ),
    (
        Market::UsdM,
        r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1700000000123,"T":1700000000122,"s":"BTCUSDT","U":100,"u":105,"pu":99,"b":[["1000.00","606.675"],["29999.90","0.000"]],"a":[]}}"#,
    ),
    (
        Market::UsdM,
        r#"{"stream":"btcusdt@depth20@100ms","data":{"e":"depthUpdate","E":1700000000123,"T":1700000000122,"s":"BTCUSDT","U":100,"u":105,"pu":99,"b":[["29999.90","1.000"]],"a":[["30000.10","2.000"]]}}"#,
    ),
    (
        Market::UsdM,
        r#"{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1700000000123,"a":9,"s":"ETHUSDT","p":"2000.00","q":"1.000","f":40,"l":42,"T":1700000000122,"m":true}}"#,
    ),
    (
        Market::UsdM,
        r#"{"lastUpdateId":160,"E":1700000000123,"T":1700000000122,"bids":[["30000.00","1.000"]],"asks":[["30000.10","2.000"]]}"#,
    ),
    (
        Market::CoinM,
        r#"{"stream":"btcusd_perp@trade","data":{"e":"trade","E":1700000000123,"T":1700000000122,"s":"BTCUSD_PERP","t":42,"p":"30000.1","q":"5","X":"MARKET","m":true}}"#,
    ),
    (
        Market::CoinM,
        r#"{"stream":"btcusd_perp@bookTicker","data":{"u":777,"e":"bookTicker","s":"BTCUSD_PERP","ps":"BTCUSD","b":"30000.0","B":"100","a":"30000.1","A":"12","T":1700000000122,"E":1700000000123}}"#,
    ),
    (
        Market::CoinM,
        r#"{"stream":"btcusd_perp@depth@0ms","data":{"e":"depthUpdate","E":1700000000123,"T":1700000000122,"s":"BTCUSD_PERP","ps":"BTCUSD","U":100,"u":105,"pu":99,"b":[["29999.9","0"]],"a":[["30000.1","7"],["30001.0","1000"]]}}"#,
    ),
    (
        Market::CoinM,
        r#"{"lastUpdateId":160,"E":1700000000123,"T":1700000000122,"symbol":"BTCUSD_PERP","pair":"BTCUSD","bids":[["30000.0","1"]],"asks":[["30000.1","2"]]}"#,
    ),
];
