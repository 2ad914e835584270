//! exchangeInfo is read exactly, strange things in it are passed over, and what cannot be used is told apart.

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{InstrumentId, Market, Notional, Price, Qty, Side, Time};
use algo_trader::venue::binance::exchange_info::{
    BYTES_MAX, ExchangeInfo, Fees, InfoError, RateKind, SymbolRefusal, SymbolStatus, execution_rules,
};
use algo_trader::venue::binance::filters::{Multiplier, OrderType, Size, Terms};
use algo_trader::venue::local::serve::{Server, ServerOptions};
use algo_trader::venue::local::{demo_instruments, generated_instruments};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "support/stream_client.rs"]
mod stream_client;

const FEES: Fees = Fees { maker: FeeRate(100_000), taker: FeeRate(100_000) };

fn row(symbol: &str) -> Value {
    json!({
        "symbol": symbol, "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8, "quoteAsset": "USDT",
        "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "NEW_KIND"],
        "icebergAllowed": true, "isSpotTradingAllowed": true, "someNewFlag": {"deep": [1, 2]},
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000", "new": 1},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
            {"filterType": "T_PLUS_SELL", "endTime": 1},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": true, "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": [], "permissionSets": [["A"], ["B", "C"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER", "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER"],
    })
}

fn document(symbols: &[Value]) -> Value {
    json!({
        "timezone": "UTC", "serverTime": 1_700_000_000_123u64,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "NEW_KIND", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        ],
        "symbols": symbols, "sors": [],
        "exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}],
    })
}

fn read(document: &Value) -> Result<ExchangeInfo, InfoError> {
    ExchangeInfo::read(document.to_string().as_bytes(), FEES)
}

#[test]
fn everything_of_a_symbol_is_read_exactly() {
    let info = read(&document(&[row("BTCUSDT")])).expect("good");
    assert!(info.unusable.is_empty());
    assert_eq!(info.unknown_filters, ["T_PLUS_SELL"]);
    assert_eq!(info.server_time, Time(1_700_000_000_123_000_000));
    let limits: Vec<_> = info.rate_limits.iter().map(|l| (l.kind, l.window_s, l.limit)).collect();
    assert_eq!(limits, [(RateKind::RequestWeight, 60, 6_000), (RateKind::Orders, 10, 100)]);
    let symbol = info.symbol("BTCUSDT").expect("listed");
    let i = &symbol.instrument;
    assert_eq!((i.tick, i.lot, i.min_qty), (Price(1_000_000), Qty(1_000), Qty(1_000)));
    assert_eq!((i.max_qty, i.min_notional), (Qty(900_000_000_000), Notional(5 * 10i128.pow(16))));
    let filters = &symbol.filters;
    assert_eq!(
        (filters.counts.algo, filters.counts.orders, filters.exchange.orders),
        (Some(5), None, Some(1_000))
    );
    assert_eq!(
        filters.notional.map(|f| (f.max, f.min_market, f.minutes)),
        Some((Notional(9 * 10i128.pow(22)), true, 5))
    );
    assert!(
        symbol.permissions.allow(&["A", "C"])
            && !symbol.permissions.allow(&["A"])
            && !symbol.permissions.allow(&["B", "C"])
    );
    assert_eq!((symbol.self_trade_default.as_str(), symbol.self_trade_modes.len()), ("EXPIRE_MAKER", 2));
    let takes = |kind| symbol.takes(&Terms::new(Side::Buy, kind, Size::Base(Qty(1)), None));
    assert_eq!(takes(OrderType::Market), Ok(()));
    assert_eq!(takes(OrderType::StopLoss), Err(SymbolRefusal::Type(OrderType::StopLoss)));
}

#[test]
fn a_symbol_that_does_not_trade_takes_no_orders() {
    for (status, expected) in [
        ("HALT", SymbolStatus::Halt),
        ("BREAK", SymbolStatus::Break),
        ("END_OF_DAY", SymbolStatus::EndOfDay),
        ("CANCEL_ONLY", SymbolStatus::CancelOnly),
        ("SOMETHING_NEW", SymbolStatus::Unknown),
    ] {
        let mut row = row("BTCUSDT");
        row["status"] = json!(status);
        let info = read(&document(&[row])).expect("good");
        let refused =
            info.symbols[0].takes(&Terms::new(Side::Buy, OrderType::Market, Size::Base(Qty(1)), None));
        assert_eq!(refused, Err(SymbolRefusal::NotTrading(expected)));
    }
}

#[test]
fn one_bad_symbol_is_set_aside_with_its_reason() {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut row = row(name);
        change(&mut row);
        row
    };
    let filter = |row: &mut Value, at: usize, field: &str, value: Value| row["filters"][at][field] = value;
    let rows = [
        with("GOOD", &|_| {}),
        with("NOBASE", &|row| drop(row.as_object_mut().expect("an object").remove("baseAsset"))),
        with("FINE", &|row| filter(row, 0, "tickSize", json!("0.000000001"))),
        with("NUMBER", &|row| filter(row, 0, "tickSize", json!(0.01))),
        with("WORDS", &|row| filter(row, 1, "minQty", json!("lots"))),
        with("NEGATIVE", &|row| filter(row, 1, "minQty", json!("-1"))),
        with("RANGE", &|row| filter(row, 1, "minQty", json!("9001"))),
        with("HUGE", &|row| filter(row, 1, "maxQty", json!("99999999999999999999"))),
        with("PRECISE", &|row| row["baseAssetPrecision"] = json!(12)),
        with("TWICE", &|row| row["filters"][3] = row["filters"][0].clone()),
        with("AVERYLONGSYMBOLNAME", &|_| {}),
        with("这是测试币456", &|_| {}),
        json!(7),
        with("GOOD", &|_| {}),
    ];
    let info = read(&document(&rows)).expect("the others can be used");
    let names: Vec<_> = info.symbols.iter().map(|symbol| symbol.instrument.symbol.as_str()).collect();
    assert_eq!(names, ["GOOD", "HUGE"]);
    assert_eq!(info.symbols[1].instrument.max_qty, Qty(i64::MAX), "a bound that no order can reach");
    let told: Vec<_> = info.unusable.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "symbol \"NOBASE\" cannot be traded: baseAsset is missing or has the wrong type",
            "symbol \"FINE\" cannot be traded: tickSize: more decimals than the instrument's precision",
            "symbol \"NUMBER\" cannot be traded: tickSize is missing or has the wrong type",
            "symbol \"WORDS\" cannot be traded: minQty: not a decimal number",
            "symbol \"NEGATIVE\" cannot be traded: minQty is negative",
            "symbol \"RANGE\" cannot be traded: LOT_SIZE has a minimum above its maximum",
            "symbol \"PRECISE\" cannot be traded: 8 decimals of a price and 12 of a quantity are more than 18 together",
            "symbol \"TWICE\" cannot be traded: filter PRICE_FILTER is given twice",
            "symbol \"AVERYLONGSYMBOLNAME\" cannot be traded: its name must have 1 to 15 bytes",
            "symbol \"这是测试币456\" cannot be traded: its name must have 1 to 15 bytes",
            "symbol \"\" cannot be traded: symbol is missing or has the wrong type",
            "symbol \"GOOD\" cannot be traded: it is listed twice",
        ]
    );
    let one = ExchangeInfo::read_wanted(document(&rows).to_string().as_bytes(), FEES, &|name| name == "HUGE");
    let one = one.expect("good");
    assert_eq!((one.symbols.len(), one.unusable.len()), (1, 1), "what is not wanted is not read");
}

#[test]
fn replies_that_are_of_no_use_are_told_apart() {
    let read = |body: &[u8]| ExchangeInfo::read(body, FEES).expect_err("of no use");
    let whole = document(&[row("BTCUSDT")]).to_string();
    assert!(matches!(read(&whole.as_bytes()[..whole.len() - 9]), InfoError::Truncated { line: 1, .. }));
    assert!(matches!(read(b""), InfoError::Truncated { .. }));
    let InfoError::NotJson { beginning, .. } = read(b"<html>Maintenance</html>") else {
        panic!("it is HTML")
    };
    assert_eq!(beginning, "<html>Maintenance</html>");
    assert!(matches!(read(b"\xff\xfe"), InfoError::NotJson { .. }));
    for shape in [&b"[]"[..], b"{}", b"7", br#"{"symbols":{}}"#] {
        assert!(matches!(read(shape), InfoError::Shape(_)), "{}", String::from_utf8_lossy(shape));
    }
    let refused = InfoError::Refused { code: -1121, message: "Invalid symbol.".into() };
    assert_eq!(read(br#"{"code":-1121,"msg":"Invalid symbol."}"#), refused);
    assert_eq!(read(&vec![b' '; BYTES_MAX + 1]), InfoError::TooLarge { bytes: BYTES_MAX + 1 });
    let deep = "[".repeat(100_000);
    let nested = |key: &str| read(format!("{{\"{key}\":{deep}").as_bytes());
    assert!(matches!(nested("symbols"), InfoError::NotJson { .. }), "nesting has a bound");
    assert!(
        matches!(nested("passedOver"), InfoError::Truncated { .. }),
        "and takes no stack where it is not looked at"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut body = document(&[row("BTCUSDT"), row("ETHUSDT")]).to_string().into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        let _ = ExchangeInfo::read(&body, FEES);
        let _ = ExchangeInfo::read(&body[..cut.index(body.len())], FEES);
    }
}

#[test]
fn execution_rules_are_read_where_they_are_given() {
    let body = json!({"symbolRules": [{"symbol": "BTCUSDT", "rules": [
        {"ruleType": "PRICE_RANGE", "bidLimitMultUp": "1.05", "askLimitMultDown": "0.95", "bidLimitMultDown": null},
        {"ruleType": "SOMETHING_NEW"},
    ]}, {"symbol": "ETHUSDT", "rules": []}]});
    let rules = execution_rules(body.to_string().as_bytes()).expect("good");
    assert_eq!(rules.len(), 1);
    let (symbol, range) = &rules[0];
    assert_eq!(
        (symbol.as_str(), range.bid_up, range.bid_down),
        ("BTCUSDT", Some(Multiplier(105_000_000)), None)
    );
    assert!(
        range.allows(Side::Buy, Price(105), Some(Price(100)))
            && !range.allows(Side::Buy, Price(106), Some(Price(100)))
    );
}

#[test]
fn what_the_local_venue_serves_comes_back_as_its_own_instruments() {
    let mut instruments = demo_instruments();
    instruments.extend(generated_instruments(40));
    let options = ServerOptions::generated(9, instruments.clone(), 500);
    let venue = Server::start(options).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let answer = stream_client::get(endpoint, venue.ca_pem(), "/api/v3/exchangeInfo");
    assert_eq!(answer.status, 200);
    let info = ExchangeInfo::read(answer.body.as_bytes(), FEES).expect("good");
    assert_eq!((info.unusable.len(), info.unknown_filters.len(), info.rate_limits.len()), (0, 0, 4));
    let mut read: Vec<_> = info.symbols.into_iter().map(|symbol| symbol.instrument).collect();
    let mut served: Vec<_> = instruments.into_iter().filter(|i| i.market == Market::Spot).collect();
    for instrument in read.iter_mut().chain(&mut served) {
        instrument.id = InstrumentId(0);
    }
    read.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    served.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    assert_eq!(read.len(), 32);
    assert_eq!(read, served);
}
