//! Binance's market data frames, written byte for byte as the venue prints them.
//!
//! Owns: the JSON of combined-stream frames and REST snapshots, spot and USD-margined. Facts: Binance's spot and futures
//! stream documentation, and recorded frames. Allocates only while the output grows.

use super::bar::Bar;
use super::engine::Fill;
use crate::domain::decimal;
use crate::domain::{Instrument, Level, Market, Notional, Price, Qty, Side};

/// Decimals Binance prints at most; more are cut.
const PRINTED_DECIMALS_MAX: u8 = 8;

/// Writes one instrument's frames.
#[derive(Debug)]
pub(super) struct Encoder {
    symbol: String,
    stream: String,
    /// What a coin-margined contract is of; printed in its depth only.
    pair: Option<String>,
    futures: bool,
    price_decimals: u8,
    qty_decimals: u8,
}

/// Trades of one incoming order at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AggTrade {
    pub id: u64,
    pub first_id: u64,
    pub last_id: u64,
    pub price: Price,
    pub qty: Qty,
    pub maker_side: Side,
    pub ms: u64,
}

/// The ids of a depth diff.
#[derive(Debug, Clone, Copy)]
pub(super) struct DiffIds {
    pub first: u64,
    pub last: u64,
    /// The diff before's last; printed on futures only.
    pub prev: u64,
}

impl Encoder {
    pub fn new(instrument: &Instrument) -> Self {
        Self {
            symbol: instrument.symbol.to_ascii_uppercase(),
            stream: instrument.symbol.to_ascii_lowercase(),
            pair: (instrument.market == Market::CoinM)
                .then(|| instrument.symbol.split('_').next().unwrap_or_default().to_ascii_uppercase()),
            futures: instrument.market != Market::Spot,
            price_decimals: instrument.price_decimals,
            qty_decimals: instrument.qty_decimals,
        }
    }

    pub fn trade(&self, out: &mut Vec<u8>, ms: u64, fill: &Fill) {
        self.head(out, "trade");
        text(out, r#"{"e":"trade""#);
        integer(out, r#","E":"#, ms);
        if self.futures {
            integer(out, r#","T":"#, ms);
        }
        self.symbol(out);
        integer(out, r#","t":"#, fill.trade_id);
        self.price(out, r#","p":"#, fill.price);
        self.qty(out, r#","q":"#, fill.qty);
        if self.futures {
            text(out, r#","X":"MARKET""#);
        } else {
            integer(out, r#","T":"#, ms);
        }
        flag(out, r#","m":"#, fill.maker_side == Side::Buy);
        text(out, if self.futures { "}}" } else { r#","M":true}}"# });
    }

    pub fn book_ticker(&self, out: &mut Vec<u8>, ms: u64, update_id: u64, bid: Level, ask: Level) {
        self.head(out, "bookTicker");
        text(out, if self.futures { r#"{"e":"bookTicker","# } else { "{" });
        integer(out, r#""u":"#, update_id);
        self.symbol(out);
        self.price(out, r#","b":"#, bid.price);
        self.qty(out, r#","B":"#, bid.qty);
        self.price(out, r#","a":"#, ask.price);
        self.qty(out, r#","A":"#, ask.qty);
        if self.futures {
            integer(out, r#","T":"#, ms);
            integer(out, r#","E":"#, ms);
        }
        text(out, "}}");
    }

    pub fn agg_trade(&self, out: &mut Vec<u8>, trade: &AggTrade) {
        self.head(out, "aggTrade");
        integer(out, r#"{"e":"aggTrade","E":"#, trade.ms);
        if self.futures {
            integer(out, r#","a":"#, trade.id);
            self.symbol(out);
        } else {
            self.symbol(out);
            integer(out, r#","a":"#, trade.id);
        }
        self.price(out, r#","p":"#, trade.price);
        self.qty(out, r#","q":"#, trade.qty);
        integer(out, r#","f":"#, trade.first_id);
        integer(out, r#","l":"#, trade.last_id);
        integer(out, r#","T":"#, trade.ms);
        flag(out, r#","m":"#, trade.maker_side == Side::Buy);
        text(out, if self.futures { "}}" } else { r#","M":true}}"# });
    }

    /// The fastest diffs there are: `depth@100ms` on spot, `depth@0ms` on futures.
    pub fn depth_diff(&self, out: &mut Vec<u8>, ms: u64, ids: DiffIds, bids: &[Level], asks: &[Level]) {
        let channel = if self.futures { "depth@0ms" } else { "depth@100ms" };
        self.depth(out, channel, ms, ids, bids.iter().copied(), asks.iter().copied());
    }

    /// Diffs, or on futures the best levels, under this channel's name.
    pub fn depth(
        &self,
        out: &mut Vec<u8>,
        channel: &str,
        ms: u64,
        ids: DiffIds,
        bids: impl Iterator<Item = Level>,
        asks: impl Iterator<Item = Level>,
    ) {
        self.head(out, channel);
        text(out, r#"{"e":"depthUpdate""#);
        integer(out, r#","E":"#, ms);
        if self.futures {
            integer(out, r#","T":"#, ms);
        }
        self.symbol(out);
        if let Some(pair) = &self.pair {
            text(out, r#","ps":""#);
            text(out, pair);
            text(out, "\"");
        }
        integer(out, r#","U":"#, ids.first);
        integer(out, r#","u":"#, ids.last);
        if self.futures {
            integer(out, r#","pu":"#, ids.prev);
        }
        text(out, r#","b":"#);
        self.levels(out, bids);
        text(out, r#","a":"#);
        self.levels(out, asks);
        text(out, "}}");
    }

    /// The best levels, as spot streams show them: a snapshot in a combined frame.
    pub fn partial(
        &self,
        out: &mut Vec<u8>,
        channel: &str,
        update_id: u64,
        bids: impl Iterator<Item = Level>,
        asks: impl Iterator<Item = Level>,
    ) {
        self.head(out, channel);
        self.snapshot(out, 0, update_id, bids, asks);
        text(out, "}");
    }

    /// The answer to a REST request for depth: it names no symbol.
    pub fn snapshot(
        &self,
        out: &mut Vec<u8>,
        ms: u64,
        update_id: u64,
        bids: impl Iterator<Item = Level>,
        asks: impl Iterator<Item = Level>,
    ) {
        integer(out, r#"{"lastUpdateId":"#, update_id);
        if self.futures {
            integer(out, r#","E":"#, ms);
            integer(out, r#","T":"#, ms);
        }
        if let Some(pair) = &self.pair {
            text(out, r#","symbol":""#);
            text(out, &self.symbol);
            text(out, r#"","pair":""#);
            text(out, pair);
            text(out, "\"");
        }
        text(out, r#","bids":"#);
        self.levels(out, bids);
        text(out, r#","asks":"#);
        self.levels(out, asks);
        text(out, "}");
    }

    /// `interval` is the bar's length as the venue writes it: `1m`.
    pub fn kline(&self, out: &mut Vec<u8>, ms: u64, channel: &str, interval: &str, bar: &Bar, closed: bool) {
        self.head(out, channel);
        integer(out, r#"{"e":"kline","E":"#, ms);
        self.symbol(out);
        integer(out, r#","k":{"t":"#, bar.open_ms);
        integer(out, r#","T":"#, bar.close_ms());
        self.symbol(out);
        text(out, r#","i":""#);
        text(out, interval);
        if bar.trades == 0 {
            text(out, r#"","f":-1,"L":-1"#);
        } else {
            integer(out, r#"","f":"#, bar.first_id);
            integer(out, r#","L":"#, bar.last_id);
        }
        for (name, price) in
            [(r#","o":"#, bar.open), (r#","c":"#, bar.close), (r#","h":"#, bar.high), (r#","l":"#, bar.low)]
        {
            self.price(out, name, price);
        }
        self.qty(out, r#","v":"#, bar.volume);
        integer(out, r#","n":"#, bar.trades);
        flag(out, r#","x":"#, closed);
        self.notional(out, r#","q":"#, bar.quote);
        self.qty(out, r#","V":"#, bar.taker_buy_volume);
        self.notional(out, r#","Q":"#, bar.taker_buy_quote);
        text(out, r#","B":"0"}}}"#);
    }

    fn head(&self, out: &mut Vec<u8>, channel: &str) {
        text(out, r#"{"stream":""#);
        text(out, &self.stream);
        text(out, "@");
        text(out, channel);
        text(out, r#"","data":"#);
    }

    fn symbol(&self, out: &mut Vec<u8>) {
        text(out, r#","s":""#);
        text(out, &self.symbol);
        text(out, "\"");
    }

    fn price(&self, out: &mut Vec<u8>, name: &str, price: Price) {
        text(out, name);
        number(out, price.0, self.price_decimals);
    }

    fn qty(&self, out: &mut Vec<u8>, name: &str, qty: Qty) {
        text(out, name);
        number(out, qty.0, self.qty_decimals);
    }

    fn notional(&self, out: &mut Vec<u8>, name: &str, notional: Notional) {
        let (value, decimals) = self.printed_notional(notional);
        text(out, name);
        number(out, value, decimals);
    }

    /// A notional as it is printed: its value and its decimals.
    pub fn printed_notional(&self, notional: Notional) -> (i64, u8) {
        let decimals = self.price_decimals + self.qty_decimals;
        let printed = decimals.min(PRINTED_DECIMALS_MAX);
        let cut = notional.0 / 10i128.pow(u32::from(decimals - printed));
        (i64::try_from(cut).unwrap_or(i64::MAX), printed)
    }

    fn levels(&self, out: &mut Vec<u8>, levels: impl Iterator<Item = Level>) {
        out.push(b'[');
        for (index, level) in levels.enumerate() {
            self.price(out, if index == 0 { "[" } else { ",[" }, level.price);
            self.qty(out, ",", level.qty);
            out.push(b']');
        }
        out.push(b']');
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn flag(out: &mut Vec<u8>, name: &str, value: bool) {
    text(out, name);
    text(out, if value { "true" } else { "false" });
}

fn integer(out: &mut Vec<u8>, name: &str, value: u64) {
    text(out, name);
    digits(out, value as i64, 0);
}

fn number(out: &mut Vec<u8>, value: i64, decimals: u8) {
    out.push(b'"');
    digits(out, value, decimals);
    out.push(b'"');
}

fn digits(out: &mut Vec<u8>, value: i64, decimals: u8) {
    let mut room = [0u8; 40];
    let length = decimal::write(value, decimals, &mut room);
    out.extend_from_slice(&room[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::local::demo_instruments;

    const FILL: Fill = Fill {
        trade_id: 7,
        maker: 1,
        maker_account: 0,
        maker_side: Side::Buy,
        maker_leaves: Qty(0),
        taker: 2,
        taker_account: 0,
        price: Price(6_180_020),
        qty: Qty(6),
    };

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("frames are ASCII")
    }

    #[test]
    fn futures_frames_have_the_venues_shape() {
        let encoder = Encoder::new(&demo_instruments()[2]);
        let (bid, ask) = (Level::new(6_180_020, 2_507), Level::new(6_180_030, 0));
        assert_eq!(
            written(|out| encoder.trade(out, 5, &FILL)),
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":5,"T":5,"s":"BTCUSDT","t":7,"p":"61800.20","q":"0.006","X":"MARKET","m":true}}"#
        );
        assert_eq!(
            written(|out| encoder.book_ticker(out, 5, 9, bid, ask)),
            r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":9,"s":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"0.000","T":5,"E":5}}"#
        );
        let ids = DiffIds { first: 8, last: 9, prev: 7 };
        assert_eq!(
            written(|out| encoder.depth_diff(out, 5, ids, &[bid, bid], &[])),
            r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":5,"T":5,"s":"BTCUSDT","U":8,"u":9,"pu":7,"b":[["61800.20","2.507"],["61800.20","2.507"]],"a":[]}}"#
        );
        assert_eq!(
            written(|out| encoder.snapshot(out, 5, 9, [bid].into_iter(), [ask].into_iter())),
            r#"{"lastUpdateId":9,"E":5,"T":5,"bids":[["61800.20","2.507"]],"asks":[["61800.30","0.000"]]}"#
        );
    }

    #[test]
    fn spot_frames_have_the_venues_shape() {
        let encoder = Encoder::new(&demo_instruments()[0]);
        let (bid, ask) =
            (Level::new(6_183_763_000_000, 378_826_000), Level::new(6_183_764_000_000, 154_698_000));
        let fill = Fill { price: bid.price, qty: Qty(2_000_000), ..FILL };
        assert_eq!(
            written(|out| encoder.trade(out, 5, &fill)),
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":5,"s":"BTCUSDT","t":7,"p":"61837.63000000","q":"0.02000000","T":5,"m":true,"M":true}}"#
        );
        assert_eq!(
            written(|out| encoder.book_ticker(out, 5, 9, bid, ask)),
            r#"{"stream":"btcusdt@bookTicker","data":{"u":9,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#
        );
        let ids = DiffIds { first: 8, last: 9, prev: 7 };
        assert_eq!(
            written(|out| encoder.depth_diff(out, 5, ids, &[], &[ask])),
            r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":5,"s":"BTCUSDT","U":8,"u":9,"b":[],"a":[["61837.64000000","1.54698000"]]}}"#
        );
        assert_eq!(
            written(|out| encoder.snapshot(out, 5, 9, [bid].into_iter(), [].into_iter())),
            r#"{"lastUpdateId":9,"bids":[["61837.63000000","3.78826000"]],"asks":[]}"#
        );
        let mut bar = Bar::new(1_000, 12_345, bid.price);
        bar.add(&fill);
        assert_eq!(
            written(|out| encoder.kline(out, 13_000, "kline_1s", "1s", &bar, true)),
            r#"{"stream":"btcusdt@kline_1s","data":{"e":"kline","E":13000,"s":"BTCUSDT","k":{"t":12000,"T":12999,"s":"BTCUSDT","i":"1s","f":7,"L":7,"o":"61837.63000000","c":"61837.63000000","h":"61837.63000000","l":"61837.63000000","v":"0.02000000","n":1,"x":true,"q":"1236.75260000","V":"0.00000000","Q":"0.00000000","B":"0"}}}"#
        );
    }
}
