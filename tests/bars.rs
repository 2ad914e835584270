//! Bars of every kind equal those of a naive maker, and time bars equal the venue's own.

#[path = "support/frames.rs"]
mod frames;

use algo_trader::domain::event::{Kline, Trade};
use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, Price, Qty, Side, Time};
use algo_trader::market::{Bar, BarBuilder, BarSpec};
use algo_trader::net::FrameSource;
use algo_trader::run::Config;
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use algo_trader::venue::{Decoded, LevelBuffer};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const S: u64 = 1_000_000_000;
const GRACE: u64 = S / 2;

/// Start, open, high, low, close, volume, trades: what of a bar is not its instrument.
type Row = (u64, i64, i64, i64, i64, i64, u32);

fn row(bar: &Bar) -> Row {
    (bar.start.0, bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0, bar.trades)
}

/// The bar of these trades, from their definitions.
fn bar_of(start: u64, trades: &[Trade]) -> Row {
    let prices = trades.iter().map(|t| t.price.0);
    (
        start,
        trades[0].price.0,
        prices.clone().max().expect("has trades"),
        prices.min().expect("has trades"),
        trades[trades.len() - 1].price.0,
        trades.iter().map(|t| t.qty.0).sum(),
        trades.len() as u32,
    )
}

/// Time bars, naively: each trade in the group of its interval, unless one of a later interval came before it.
fn naive_time(trades: &[Trade], seconds: u64) -> (Vec<Row>, u64) {
    let (mut groups, mut late) = (BTreeMap::<u64, Vec<Trade>>::new(), 0);
    for trade in trades {
        let interval = trade.venue_time.0 / (seconds * S);
        if groups.keys().any(|later| *later > interval) {
            late += 1;
        } else {
            groups.entry(interval).or_default().push(*trade);
        }
    }
    // The last is still open.
    groups.pop_last();
    (groups.iter().map(|(n, group)| bar_of(n * seconds * S, group)).collect(), late)
}

/// Bars by amount, naively: a group ends with the trade that makes its sum, in hundred-millionths, enough.
fn naive_amount(trades: &[Trade], amount: impl Fn(&Trade) -> u128, size: u128) -> Vec<Row> {
    let (mut bars, mut group) = (Vec::new(), Vec::new());
    for trade in trades {
        group.push(*trade);
        if group.iter().map(&amount).sum::<u128>() >= size {
            bars.push(bar_of(group[0].venue_time.0, &group));
            group.clear();
        }
    }
    bars
}

fn made(instrument: &Instrument, spec: BarSpec, trades: &[Trade]) -> (Vec<Row>, u64) {
    let mut builder = BarBuilder::new(instrument, spec, GRACE);
    let bars = trades
        .iter()
        .filter_map(|trade| builder.on_trade(trade, trade.venue_time))
        .map(|bar| row(&bar))
        .collect();
    (bars, builder.late())
}

fn trades() -> impl Strategy<Value = Vec<Trade>> {
    // Gaps of up to two seconds, a trade now and then up to three seconds late.
    let one = (0u64..2_000, 1i64..2_000_000, 1i64..5_000_000, prop::option::weighted(0.1, 0u64..3_000));
    prop::collection::vec(one, 0..200).prop_map(|all| {
        let mut now = 1_723_161_253_000u64;
        all.into_iter()
            .map(|(gap, price, qty, late)| {
                now += gap;
                Trade {
                    instrument: InstrumentId(0),
                    price: Price(price),
                    qty: Qty(qty),
                    id: 0,
                    venue_time: Time::from_millis(now - late.unwrap_or(0)),
                    aggressor: Side::Buy,
                    aggregate: false,
                }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_kind_equals_its_naive_twin(
        trades in trades(),
        seconds in prop::sample::select(vec![1u32, 2, 7, 60, 3_600, 86_400]),
        count in 1u32..20,
        size in 1i64..2_000_000_000_000,
        price_decimals in 0u8..=8,
        qty_decimals in 0u8..=8,
    ) {
        let mut instrument = frames::table().all()[0].clone();
        (instrument.price_decimals, instrument.qty_decimals) = (price_decimals, qty_decimals);
        prop_assert_eq!(made(&instrument, BarSpec::Time { seconds }, &trades), naive_time(&trades, seconds.into()));
        prop_assert_eq!(made(&instrument, BarSpec::Tick(count), &trades).0, naive_amount(&trades, |_| 1, count.into()));
        // Both sides brought to units of 10^-16, in which every amount is whole.
        let unit = 10u128.pow(8 - u32::from(qty_decimals));
        let qty = |t: &Trade| t.qty.0 as u128 * unit;
        prop_assert_eq!(made(&instrument, BarSpec::Volume(size), &trades).0, naive_amount(&trades, qty, size as u128));
        let unit = 10u128.pow(16 - u32::from(price_decimals + qty_decimals));
        let value = |t: &Trade| t.price.0 as u128 * t.qty.0 as u128 * unit;
        let value_size = size as u128 * 10u128.pow(8);
        prop_assert_eq!(made(&instrument, BarSpec::Dollar(size), &trades).0, naive_amount(&trades, value, value_size));
    }
}

/// Trades and closed klines of a generated market, by instrument.
fn flow(
    seconds: u64,
    klines_1s: bool,
    klines_1m: bool,
) -> (InstrumentTable, Vec<Vec<Trade>>, Vec<Vec<Kline>>) {
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let mut config = FlowConfig::new(5, demo_instruments()).with_events_per_s(60);
    config.duration = Duration::from_secs(seconds);
    (config.klines_1s, config.klines_1m) = (klines_1s, klines_1m);
    let mut source = FlowSource::new(&config).expect("a market");
    let infos = source.sources().to_vec();
    let (mut decoder, mut levels) = (Decoder::new(&table), LevelBuffer::new());
    let (mut trades, mut klines) = (vec![Vec::new(); table.len()], vec![Vec::new(); table.len()]);
    while let Some(frame) = source.next_frame().expect("never fails") {
        match decoder
            .decode(&infos[usize::from(frame.source.0)], frame.bytes, &mut levels)
            .expect("good frames")
        {
            Decoded::Trade(trade) => trades[trade.instrument.index()].push(trade),
            Decoded::Kline(kline) if kline.closed => klines[kline.instrument.index()].push(kline),
            _ => {}
        }
    }
    (table, trades, klines)
}

#[test]
fn time_bars_equal_the_venues_klines() {
    for (seconds, klines_1s, length) in [(120, true, 1u32), (300, false, 60)] {
        let (table, trades, klines) = flow(seconds, klines_1s, !klines_1s);
        let (mut compared, mut empty) = (0, 0);
        for instrument in table.all() {
            let (bars, late) =
                made(instrument, BarSpec::Time { seconds: length }, &trades[instrument.id.index()]);
            assert_eq!(late, 0);
            let of_trades = klines[instrument.id.index()].iter().filter(|k| k.trades > 0);
            empty += klines[instrument.id.index()].iter().filter(|k| k.trades == 0).count();
            let wanted: Vec<Row> = of_trades
                .map(|k| (k.open_time.0, k.open.0, k.high.0, k.low.0, k.close.0, k.volume.0, k.trades as u32))
                .collect();
            // The venue's last bar is closed by time, ours by a trade that did not come any more.
            assert!(wanted.len() - bars.len() <= 1, "{} and {}", wanted.len(), bars.len());
            assert_eq!(bars, wanted[..bars.len()]);
            compared += bars.len();
        }
        assert!(
            compared > if klines_1s { 200 } else { 9 },
            "{compared} bars compared, {empty} klines without trades"
        );
    }
}

#[test]
fn a_kline_of_an_interval_without_trades_is_taken_and_makes_no_bar() {
    let table = frames::table();
    let (mut decoder, mut levels) = (Decoder::new(&table), LevelBuffer::new());
    for (market, symbol, pair, price, volume) in [
        (Market::Spot, "BTCUSDT", "", "61837.63000000", "0.00000000"),
        (Market::UsdM, "BTCUSDT", "", "61837.60", "0"),
        (Market::CoinM, "BTCUSD_PERP", "", "61837.6", "0"),
    ] {
        let frame = format!(
            r#"{{"stream":"{}@kline_1m","data":{{"e":"kline","E":1723161255343,"s":"{symbol}"{pair},"k":{{"t":1723161240000,"T":1723161299999,"s":"{symbol}","i":"1m","f":-1,"L":-1,"o":"{price}","c":"{price}","h":"{price}","l":"{price}","v":"{volume}","n":0,"x":true,"q":"{volume}","V":"{volume}","Q":"{volume}","B":"0"}}}}}}"#,
            symbol.to_lowercase()
        );
        let source = frames::source("k", market, Some(symbol));
        let decoded = decoder.decode(&source, frame.as_bytes(), &mut levels);
        let Ok(Decoded::Kline(kline)) = decoded else { panic!("{market}: {decoded:?}") };
        assert_eq!((kline.trades, kline.volume, kline.closed), (0, Qty(0), true));
        assert_eq!((kline.open, kline.close), (kline.high, kline.low));
    }
}

#[test]
fn a_bar_is_chosen_in_the_configuration() {
    let bar = |text: &str| {
        Config::from_text_with_built_in(&format!("[market]\nbar = \"{text}\""), "my.toml")
            .map(|c| c.market.bar)
    };
    for (text, spec) in [
        ("time:1s", BarSpec::Time { seconds: 1 }),
        ("time:90s", BarSpec::Time { seconds: 90 }),
        ("time:4h", BarSpec::Time { seconds: 14_400 }),
        ("time:1d", BarSpec::Time { seconds: 86_400 }),
        ("time:1w", BarSpec::Time { seconds: 604_800 }),
        ("tick:1000", BarSpec::Tick(1_000)),
        ("volume:0.5", BarSpec::Volume(50_000_000)),
        ("dollar:1000000", BarSpec::Dollar(100_000_000_000_000)),
    ] {
        assert_eq!(bar(text).expect("good"), spec, "{text}");
    }
}
