//! What the decoder says of each shape of frame, and that no frame, however mangled, makes it panic or lets the fast
//! path say what the reference does not.

#[path = "support/frames.rs"]
mod frames;

use algo_trader::domain::event::{BarOrigin, DepthHead, Kline, Quote, Trade};
use algo_trader::domain::{DecimalError, InstrumentId, Level, Market, Notional, Price, Qty, Side, Time};
use algo_trader::venue::binance::{Decoder, FRAME_BYTES_MAX};
use algo_trader::venue::{DecodeError, Decoded, LevelBuffer};
use frames::FAST;
use proptest::prelude::*;

/// Decodes by both paths, which must agree; the answer, its levels, and whether the fast path gave it.
fn decode(market: Market, frame: &[u8]) -> (Result<Decoded, DecodeError>, Vec<Level>, bool) {
    thread_local!(static DECODER: std::cell::RefCell<Decoder> = std::cell::RefCell::new(Decoder::new(&frames::table())));
    let symbol = if market == Market::CoinM { "BTCUSD_PERP" } else { "BTCUSDT" };
    let source = frames::source("test", market, Some(symbol));
    let (mut fast, mut slow) = (LevelBuffer::default(), LevelBuffer::default());
    DECODER.with_borrow_mut(|decoder| {
        let hits = decoder.fast_hits();
        let got = decoder.decode(&source, frame, &mut fast);
        let expected = decoder.decode_reference(&source, frame, &mut slow);
        assert_eq!(got, expected, "{}", String::from_utf8_lossy(frame));
        if got.is_ok() {
            assert_eq!(fast.levels, slow.levels, "{}", String::from_utf8_lossy(frame));
        }
        (got, fast.levels, decoder.fast_hits() > hits)
    })
}

fn spot(frame: &str) -> Result<Decoded, DecodeError> {
    decode(Market::Spot, frame.as_bytes()).0
}

fn usdm(frame: &str) -> Result<Decoded, DecodeError> {
    decode(Market::UsdM, frame.as_bytes()).0
}

#[test]
fn binances_own_shapes_take_the_fast_path() {
    for (market, frame) in FAST {
        let (decoded, _, fast) = decode(*market, frame.as_bytes());
        assert!(decoded.is_ok() && fast, "{decoded:?} {frame}");
    }
}

#[test]
fn trades_say_what_the_frame_says() {
    let expected = Trade {
        instrument: InstrumentId(0),
        price: Price(3_000_001_000_000),
        qty: Qty(50_000_000),
        id: 42,
        venue_time: Time(1_700_000_000_122_000_000),
        aggressor: Side::Sell,
        aggregate: false,
    };
    assert_eq!(spot(FAST[0].1), Ok(Decoded::Trade(expected)));
    assert_eq!(spot(FAST[6].1), Ok(Decoded::Trade(expected)), "raw");
    let reordered = r#" {"data":{"M":true,"m":true,"q":"0.5","p":"30000.01","t":42,"s":"BTCUSDT","T":1700000000122,"e":"trade"},"stream":"btcusdt@trade"} "#;
    assert_eq!(spot(reordered), Ok(Decoded::Trade(expected)));
    let aggregate = Trade {
        instrument: InstrumentId(3),
        price: Price(200_000),
        qty: Qty(1_000),
        id: 9,
        aggregate: true,
        ..expected
    };
    assert_eq!(usdm(FAST[11].1), Ok(Decoded::Trade(aggregate)));
}

#[test]
fn best_bid_and_ask_may_have_an_empty_side() {
    let quote = Quote {
        instrument: InstrumentId(2),
        bid: Level::new(3_000_000, 1_000),
        ask: Level::new(3_000_010, 12_345),
        update_id: 777,
    };
    assert_eq!(usdm(FAST[8].1), Ok(Decoded::Quote(quote)));
    let empty = FAST[8].1.replace("\"30000.10\",\"A\":\"12.345\"", "\"0.00\",\"A\":\"0.000\"");
    assert_eq!(usdm(&empty), Ok(Decoded::Quote(Quote { ask: Level::new(0, 0), ..quote })));
}

#[test]
fn depth_is_a_diff_a_partial_book_or_a_snapshot() {
    let (diff, levels, _) = decode(Market::CoinM, FAST[15].1.as_bytes());
    let head = DepthHead {
        instrument: InstrumentId(4),
        first_id: 100,
        last_id: 105,
        prev_id: 99,
        venue_time: Time(1_700_000_000_122_000_000),
        bids: 1,
        asks: 2,
    };
    assert_eq!(diff, Ok(Decoded::DepthDiff(head)));
    assert_eq!(levels, [Level::new(299_999, 0), Level::new(300_001, 7), Level::new(300_010, 1000)]);
    let futures_partial = DepthHead { instrument: InstrumentId(2), asks: 1, ..head };
    assert_eq!(usdm(FAST[10].1), Ok(Decoded::DepthPartial(futures_partial)));
    let book = DepthHead {
        instrument: InstrumentId(0),
        first_id: 160,
        last_id: 160,
        prev_id: 0,
        venue_time: Time(0),
        bids: 1,
        asks: 1,
    };
    assert_eq!(spot(FAST[5].1), Ok(Decoded::DepthSnapshot(book)), "the source names the instrument");
    assert_eq!(spot(FAST[4].1), Ok(Decoded::DepthPartial(DepthHead { instrument: InstrumentId(1), ..book })));
    let named = DepthHead { instrument: InstrumentId(4), venue_time: head.venue_time, ..book };
    assert_eq!(decode(Market::CoinM, FAST[16].1.as_bytes()).0, Ok(Decoded::DepthSnapshot(named)));
    let mut nameless = Decoder::new(&frames::table());
    let source = frames::source("test", Market::Spot, None);
    assert_eq!(
        nameless.decode(&source, FAST[5].1.as_bytes(), &mut LevelBuffer::default()),
        Err(DecodeError::Field("symbol"))
    );
}

const KLINE: &str = r#"{"stream":"btcusd_perp@kline_1m","data":{"e":"kline","E":1700000005000,"s":"BTCUSD_PERP","k":{"t":1700000000000,"T":1700000059999,"s":"BTCUSD_PERP","i":"1m","f":1,"L":4,"o":"100.5","c":"101.0","h":"102.5","l":"99.5","v":"40","n":4,"x":true,"q":"39.61234567","V":"9","Q":"9.1","B":"0"}}}"#;

#[test]
fn a_bars_turnover_is_cut_at_the_notionals_decimals() {
    let bar = Kline {
        instrument: InstrumentId(4),
        open: Price(1_005),
        high: Price(1_025),
        low: Price(995),
        close: Price(1_010),
        volume: Qty(40),
        open_time: Time(1_700_000_000_000_000_000),
        close_time: Time(1_700_000_059_999_000_000),
        trades: 4,
        quote_volume: Notional(396),
        closed: true,
        origin: BarOrigin::Told,
    };
    assert_eq!(decode(Market::CoinM, KLINE.as_bytes()).0, Ok(Decoded::Kline(bar)));
}

#[test]
fn what_is_of_no_use_is_passed_over() {
    for frame in [
        r#"{"result":null,"id":1}"#,
        r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}"#,
        r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        r#"[{"e":"24hrMiniTicker","s":"BTCUSDT"}]"#,
        r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#,
        r#"{"e":"serverShutdown","E":1770123456789}"#,
        r#"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"0","q":"0","X":"NA","m":true}"#,
        "7",
        "{}",
    ] {
        assert_eq!(spot(frame), Ok(Decoded::Ignored), "{frame}");
    }
    let unknown = FAST[0].1.replace("BTC", "DOGE").replace("btc", "doge");
    assert_eq!(spot(&unknown), Ok(Decoded::UnknownInstrument));
    assert_eq!(decode(Market::CoinM, FAST[0].1.as_bytes()).0, Ok(Decoded::UnknownInstrument));
}

#[test]
fn impossible_values_are_refused_by_name() {
    let number = |field, error| Err(DecodeError::Number { field, error });
    let trade = |from, to| spot(&FAST[0].1.replace(from, to));
    assert_eq!(trade("30000.01000000", "0.00000000"), Err(DecodeError::Impossible("p")));
    assert_eq!(trade("30000.01000000", "-1.00000000"), Err(DecodeError::Impossible("p")));
    assert_eq!(trade("0.50000000", "-0.50000000"), Err(DecodeError::Impossible("q")));
    assert_eq!(trade("30000.01000000", "12345678901234567890"), number("p", DecimalError::Overflow));
    assert_eq!(trade("30000.01000000", "30000.010000001"), number("p", DecimalError::TooPrecise));
    assert_eq!(trade("30000.01000000", "3e4"), number("p", DecimalError::Invalid));
    assert_eq!(trade("30000.01000000", ""), number("p", DecimalError::Empty));
    assert_eq!(trade("\"p\":\"30000.01000000\"", "\"p\":30000.01"), Err(DecodeError::Field("p")));
    assert_eq!(trade("\"t\":42,", ""), Err(DecodeError::Field("t")));
    assert_eq!(trade("\"t\":42", "\"t\":-42"), Err(DecodeError::Impossible("t")));
    let depth = |from, to| spot(&FAST[2].1.replace(from, to));
    assert_eq!(depth("\"U\":100", "\"U\":106"), Err(DecodeError::Impossible("u")));
    assert_eq!(depth("29999.99000000", "0.00000000"), Err(DecodeError::Impossible("b")));
    assert_eq!(depth("\"1.00000000\"", "\"-1.00000000\""), Err(DecodeError::Impossible("a")));
    assert_eq!(depth("[\"30000.02000000\",", "[\"1\",\"30000.02000000\","), Err(DecodeError::Field("a")));
}

#[test]
fn of_two_fields_with_one_name_the_last_counts() {
    let twice = FAST[0].1.replace("\"t\":42", "\"t\":41,\"t\":42");
    assert_eq!(spot(&twice), spot(FAST[0].1));
}

#[test]
fn what_is_not_whole_json_is_refused() {
    for (market, frame) in FAST {
        for len in 0..frame.len() {
            assert_eq!(
                decode(*market, &frame.as_bytes()[..len]).0,
                Err(DecodeError::Json),
                "{len} of {frame}"
            );
        }
        for bad in [0xff, 0xc0, 0x80, 0x00] {
            let mut bytes = frame.as_bytes().to_vec();
            let quote = bytes.iter().rposition(|&b| b == b'"').expect("frames hold strings");
            bytes.insert(quote, bad);
            assert_eq!(decode(*market, &bytes).0, Err(DecodeError::Json), "{bad:#x} in {frame}");
        }
    }
    let too_large = vec![b' '; FRAME_BYTES_MAX + 1];
    assert_eq!(decode(Market::Spot, &too_large).0, Err(DecodeError::TooLarge { max: FRAME_BYTES_MAX }));
    for open in ["[", "{\"a\":"] {
        let bomb = open.repeat(1_000_000);
        assert_eq!(spot(&bomb), Err(DecodeError::Json));
    }
}

/// A change to a frame.
#[derive(Debug, Clone)]
enum Mutation {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, String),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Truncate(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    let telling = prop::sample::select(&b"0123456789\".,:[]{}-+eE\\ \n\0\x7f\xff@sSxX"[..]);
    let piece = prop_oneof![
        "[0-9]{1,20}",
        "[0-9]{0,3}\\.[0-9]{0,9}",
        Just(",".to_owned()),
        Just("\",\"".to_owned()),
        Just("\\u0030".to_owned()),
        Just(",\"p\":\"1\"".to_owned()),
        Just(",\"X\":\"NA\"".to_owned()),
        Just(",\"ps\":\"a\"".to_owned()),
        Just("[\"1\",\"1\"],".to_owned()),
        Just("é".to_owned()),
    ];
    prop_oneof![
        3 => (index(), telling).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        2 => (index(), piece).prop_map(|(at, text)| Mutation::Insert(at, text)),
        1 => (index(), 1usize..12).prop_map(|(at, n)| Mutation::Remove(at, n)),
        1 => (index(), 1usize..40).prop_map(|(at, n)| Mutation::Repeat(at, n)),
        1 => index().prop_map(Mutation::Truncate),
    ]
}

fn apply(mutation: &Mutation, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    match mutation {
        Mutation::Replace(at, byte) => bytes[at.index(len)] = *byte,
        Mutation::Insert(at, text) => {
            let at = at.index(len);
            bytes.splice(at..at, text.bytes());
        }
        Mutation::Remove(at, count) => {
            let at = at.index(len);
            bytes.drain(at..(at + count).min(len));
        }
        Mutation::Repeat(at, count) => {
            let at = at.index(len);
            let piece = bytes[at..(at + count).min(len)].to_vec();
            bytes.splice(at..at, piece);
        }
        Mutation::Truncate(at) => bytes.truncate(at.index(len)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn mangled_frames_never_panic_and_never_split_the_paths(
        (market, frame) in prop::sample::select(FAST),
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let mut bytes = frame.as_bytes().to_vec();
        mutations.iter().for_each(|m| apply(m, &mut bytes));
        let _ = decode(market, &bytes);
    }

    #[test]
    fn mangled_bars_never_panic(mutations in prop::collection::vec(mutation(), 1..4)) {
        let mut bytes = KLINE.as_bytes().to_vec();
        mutations.iter().for_each(|m| apply(m, &mut bytes));
        let _ = decode(Market::CoinM, &bytes);
    }

    #[test]
    fn numbers_of_any_size_are_read_alike(
        (market, frame) in prop::sample::select(FAST),
        number in "-?[0-9]{1,20}(\\.[0-9]{0,10})?",
        which in any::<prop::sample::Index>(),
    ) {
        // Every number of the frame, with or without quotation marks, may be the one that is replaced.
        let bytes = frame.as_bytes();
        let digit = |b: &u8| b.is_ascii_digit() || *b == b'.';
        let starts: Vec<_> = (1..bytes.len()).filter(|&i| digit(&bytes[i]) && !digit(&bytes[i - 1])).collect();
        let start = starts[which.index(starts.len())];
        let end = start + bytes[start..].iter().take_while(|b| digit(b)).count();
        let changed = [&bytes[..start], number.as_bytes(), &bytes[end..]].concat();
        let _ = decode(market, &changed);
    }
}
