//! Requests say what was asked, are signed over what the venue will sign, and differ in form alone.

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{
    ClientOrderId, Extras, Instrument, InstrumentId, Market, Notional, Order, OrderId, OrderKind, Price, Qty,
    Side, StrategyId, TimeInForce,
};
use algo_trader::security::{Algorithm, ApiKey, Credentials, Secret, Signer, Verifier};
use algo_trader::venue::binance::encode::{OrderBytes, encode_cancel, encode_order};
use algo_trader::venue::binance::request::{
    Auth, Name, OrderRef, Params, RecvWindow, Request, RequestError, RestRequest, Timing, WsRequest,
};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const SECRET: &str = "a secret that is none";
const NOW: Timing = Timing { timestamp: 1_723_161_253_000, recv_window: None };

fn instrument(market: Market, symbol: &str, price_decimals: u8, qty_decimals: u8) -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol: symbol.into(),
        base: "A".into(),
        quote: "B".into(),
        price_decimals,
        qty_decimals,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(0),
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    }
}

fn order(kind: OrderKind, tif: TimeInForce, side: Side, qty: i64, price: i64) -> Order {
    Order {
        id: OrderId(37),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side,
        kind,
        tif,
        reduce_only: false,
        qty: Qty(qty),
        price: Price(price),
        extras: Extras::NONE,
    }
}

fn hmac() -> Credentials {
    let secret = Secret::new(SECRET.replace(' ', "-"));
    Credentials {
        api_key: ApiKey::new("anApiKey").expect("an API key"),
        signer: Signer::hmac(&secret).expect("a secret"),
    }
}

fn verifies(payload: &str, signature: &str) -> bool {
    let verifier = Verifier::hmac(&Secret::new(SECRET.replace(' ', "-"))).expect("a secret");
    verifier.verify(payload.as_bytes(), signature.as_bytes()).is_ok()
}

/// Parameters of a request in JSON, as the venue reads them for its own signed text: sorted, numbers as written.
fn params(json: &[u8]) -> (String, BTreeMap<String, String>) {
    let value: Value = serde_json::from_slice(json).expect("JSON");
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let object = value["params"].as_object().expect("parameters");
    let params = object.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    (value["method"].as_str().expect("a method").to_owned(), params)
}

/// The text that a venue expects to be signed.
fn expected(params: &BTreeMap<String, String>) -> String {
    let pairs = params.iter().filter(|(name, _)| *name != "signature");
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Parameters of a query.
fn query(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').expect("a pair");
        let mut bytes = Vec::new();
        let mut rest = value.bytes();
        while let Some(byte) = rest.next() {
            let mut digit = || char::from(rest.next().expect("a digit")).to_digit(16).expect("hex") as u8;
            bytes.push(if byte == b'%' { digit() << 4 | digit() } else { byte });
        }
        (name.to_owned(), String::from_utf8(bytes).expect("UTF-8"))
    };
    text.split('&').map(pair).collect()
}

fn any_order() -> impl Strategy<Value = Order> {
    let kinds = prop::sample::select((0..7).filter_map(OrderKind::from_code).collect::<Vec<_>>());
    let tifs = prop::sample::select(vec![TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok]);
    let sides = prop::sample::select(vec![Side::Buy, Side::Sell]);
    let extras = (0..3i64, 0..3i64, 0..3u16).prop_map(|(stop, iceberg, trail)| Extras {
        stop_price: Price(stop * 6_100_001),
        iceberg_qty: Qty(iceberg * 37),
        trailing_bps: trail * 25,
        other_leg: 0,
    });
    (kinds, tifs, sides, 1..i64::MAX, 1..i64::MAX, extras)
        .prop_map(|(k, t, s, q, p, extras)| Order { extras, ..order(k, t, s, q, p) })
}

fn any_symbol() -> impl Strategy<Value = String> {
    // What an instrument may be called, and what would end a JSON string or a query's value.
    prop_oneof!["[A-Z0-9]{1,15}", "[A-Z\"\\\\%&=+ \n\u{ff11}\u{5e01}]{1,5}"]
}

fn any_timing() -> impl Strategy<Value = Timing> {
    (any::<u32>(), prop::option::of(1..60_000_001u32)).prop_map(|(seconds, micros)| Timing {
        timestamp: u64::from(seconds) * 1_000,
        recv_window: micros.and_then(RecvWindow::from_micros),
    })
}

proptest! {
    #[test]
    fn an_order_says_the_same_on_both_apis_and_is_signed_as_the_venue_signs(
        order in any_order(),
        symbol in any_symbol(),
        timing in any_timing(),
        decimals in (0..9u8, 0..9u8),
    ) {
        let instrument = instrument(Market::Spot, &symbol, decimals.0, decimals.1);
        let id = ClientOrderId::derive(1_723_161_253, order.id);
        let request = Request::Place { order: &order, instrument: &instrument, client_id: &id, self_trade: None };
        let credentials = hmac();

        let mut plain = OrderBytes::new();
        encode_order(&order, &instrument, &id, timing.timestamp, &mut plain);
        let plain = std::str::from_utf8(plain.as_bytes()).expect("ASCII");
        let mut rest = RestRequest::new();
        let signed = rest.sign_query(plain.as_bytes(), timing.recv_window, &credentials).expect("fits");
        let (text, signature) = signed.split_once("&signature=").expect("signed");
        prop_assert!(text.starts_with(plain) && verifies(text, signature));
        let mut of_rest = query(text);

        let call = rest.write(&request, timing, &credentials).expect("fits");
        prop_assert_eq!((call.method, call.path), ("POST", "/api/v3/order"));
        let (text, signature) = call.query.split_once("&signature=").expect("signed");
        prop_assert!(verifies(text, signature));
        prop_assert_eq!(&query(text), &of_rest);

        let mut ws = WsRequest::new();
        let json = ws.write(1, &request, timing, Auth::Session).expect("fits");
        let (method, of_session) = params(json);
        prop_assert_eq!(method, "order.place");
        prop_assert_eq!(&of_session, &of_rest);

        let json = ws.write(1, &request, timing, Auth::Signed(&credentials)).expect("fits");
        let (_, mut of_ws) = params(json);
        prop_assert_eq!(String::from_utf8_lossy(ws.signed_text()), expected(&of_ws));
        let signature = of_ws.remove("signature").expect("signed");
        prop_assert!(verifies(&expected(&of_ws), &signature));
        of_rest.insert("apiKey".into(), "anApiKey".into());
        prop_assert_eq!(of_ws, of_rest);
    }
}

#[test]
fn a_list_has_its_target_and_its_stop_on_the_sides_of_the_market_that_they_belong_to() {
    let btc = instrument(Market::Spot, "BTCUSDT", 2, 5);
    let with = |id, kind, side, price, stop| Order {
        id: OrderId(id),
        extras: Extras::stop(Price(stop)),
        ..order(kind, TimeInForce::Gtc, side, 847, price)
    };
    let ids = [2, 3].map(|id| ClientOrderId::derive(1, OrderId(id)));
    let limit_above = "aboveClientOrderId=000000010000000002&abovePrice=23416.10&aboveType=LIMIT_MAKER";
    let stop_below = "belowClientOrderId=000000010000000003&belowStopPrice=21000.00&belowType=STOP_LOSS";
    let stop_above = "aboveClientOrderId=000000010000000002&abovePrice=25100.00&aboveStopPrice=25000.00\
                      &aboveTimeInForce=GTC&aboveType=STOP_LOSS_LIMIT";
    let profit_below = "belowClientOrderId=000000010000000003&belowStopPrice=22000.00&belowType=TAKE_PROFIT";
    let common = "listClientOrderId=000000010000000002&newOrderRespType=ACK&quantity=0.00847";
    for (legs, above, below, side) in [
        (
            [
                with(2, OrderKind::PostOnly, Side::Sell, 2_341_610, 0),
                with(3, OrderKind::Stop, Side::Sell, 0, 2_100_000),
            ],
            limit_above,
            stop_below,
            "SELL",
        ),
        (
            [
                with(2, OrderKind::StopLimit, Side::Buy, 2_510_000, 2_500_000),
                with(3, OrderKind::TakeProfit, Side::Buy, 0, 2_200_000),
            ],
            stop_above,
            profit_below,
            "BUY",
        ),
    ] {
        let legs = [(&legs[0], &ids[0]), (&legs[1], &ids[1])];
        let request = Request::PlacePair { legs, instrument: &btc, self_trade: None };
        let expected = format!("{above}&{below}&{common}&side={side}&symbol=BTCUSDT&timestamp=1723161253000");
        let mut ws = WsRequest::new();
        let timing = Timing { timestamp: 1_723_161_253_000, recv_window: None };
        let (method, params) = params(ws.write(1, &request, timing, Auth::Session).expect("fits"));
        let written: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!((method.as_str(), written.join("&")), ("orderList.place.oco", expected));
        let credentials = hmac();
        ws.write(1, &request, timing, Auth::Signed(&credentials)).expect("in the order of their names");
        let mut rest = RestRequest::new();
        let call = rest.write(&request, timing, &credentials).expect("fits");
        assert_eq!((call.method, call.path), ("POST", "/api/v3/orderList/oco"));
        let of_rest = call.query.split_once("&signature=").map(|(text, _)| query(text));
        assert_eq!(of_rest, Some(params), "both say the same");
    }
}

#[test]
fn every_operation_has_its_method_path_and_parameters() {
    let btc = instrument(Market::Spot, "BTCUSDT", 2, 5);
    let id = ClientOrderId::derive(1, OrderId(2));
    let limit = order(OrderKind::Limit, TimeInForce::Gtc, Side::Sell, 847, 2_341_610);
    let place = "newClientOrderId=000000010000000002&newOrderRespType=ACK&price=23416.10&quantity=0.00847\
                 &side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1723161253000&type=LIMIT";
    let (client, number) = (OrderRef::Client(&id), OrderRef::Venue(9));
    let (instrument, order, client_id) = (&btc, &limit, &id);
    let rows = [
        (
            Request::Place { order, instrument, client_id, self_trade: None },
            "order.place",
            "POST /api/v3/order",
            place,
        ),
        (Request::Test { order, instrument, client_id }, "order.test", "POST /api/v3/order/test", place),
        (
            Request::Cancel { instrument, order: client },
            "order.cancel",
            "DELETE /api/v3/order",
            "origClientOrderId=000000010000000002&symbol=BTCUSDT&timestamp=1723161253000",
        ),
        (
            Request::Status { instrument, order: number },
            "order.status",
            "GET /api/v3/order",
            "orderId=9&symbol=BTCUSDT&timestamp=1723161253000",
        ),
        (
            Request::CancelAll { instrument },
            "openOrders.cancelAll",
            "DELETE /api/v3/openOrders",
            "symbol=BTCUSDT&timestamp=1723161253000",
        ),
        (
            Request::OpenOrders { instrument: None },
            "openOrders.status",
            "GET /api/v3/openOrders",
            "timestamp=1723161253000",
        ),
        (
            Request::OpenOrders { instrument: Some(instrument) },
            "openOrders.status",
            "GET /api/v3/openOrders",
            "symbol=BTCUSDT&timestamp=1723161253000",
        ),
        (
            Request::Account { omit_zero: true },
            "account.status",
            "GET /api/v3/account",
            "omitZeroBalances=true&timestamp=1723161253000",
        ),
        (
            Request::Account { omit_zero: false },
            "account.status",
            "GET /api/v3/account",
            "timestamp=1723161253000",
        ),
        (
            Request::Trades { instrument, order_id: Some(7), from_id: Some(5), limit: Some(1000) },
            "myTrades",
            "GET /api/v3/myTrades",
            "fromId=5&limit=1000&orderId=7&symbol=BTCUSDT&timestamp=1723161253000",
        ),
        (
            Request::OrderCounts,
            "account.rateLimits.orders",
            "GET /api/v3/rateLimit/order",
            "timestamp=1723161253000",
        ),
    ];
    let (mut ws, mut rest, credentials) = (WsRequest::new(), RestRequest::new(), hmac());
    for (request, method, endpoint, sorted) in rows {
        let (named, said) = params(ws.write(1, &request, NOW, Auth::Session).expect("fits"));
        assert_eq!((&*named, &*expected(&said)), (method, sorted));
        let call = rest.write(&request, NOW, &credentials).expect("fits");
        assert_eq!(format!("{} {}", call.method, call.path), endpoint);
        let (text, _) = call.query.split_once("&signature=").expect("signed");
        assert_eq!(query(text), said);
    }
    let mut plain = OrderBytes::new();
    encode_cancel(&btc, &id, NOW.timestamp, &mut plain);
    let call = rest.write(&Request::Cancel { instrument, order: client }, NOW, &credentials).expect("fits");
    let plain = std::str::from_utf8(plain.as_bytes()).expect("ASCII");
    assert_eq!(query(call.query.split_once("&signature=").expect("signed").0), query(plain));
}

#[test]
fn a_session_is_logged_on_with_an_ed25519_key_alone() {
    let (mut ws, mut rest) = (WsRequest::new(), RestRequest::new());
    assert_eq!(ws.write(1, &Request::Logon, NOW, Auth::Session), Err(RequestError::LogonUnsigned));
    let refused = ws.write(1, &Request::Logon, NOW, Auth::Signed(&hmac()));
    assert_eq!(refused, Err(RequestError::LogonNeedsEd25519(Algorithm::HmacSha256)));
    let refused = rest.write(&Request::Logon, NOW, &hmac());
    assert_eq!(refused, Err(RequestError::NotRest { method: "session.logon" }));

    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let signer = Signer::from_pem(&Secret::new(pair.serialize_pem())).expect("a key");
    let credentials = Credentials { signer, ..hmac() };
    let (method, said) =
        params(ws.write(1, &Request::Logon, NOW, Auth::Signed(&credentials)).expect("an Ed25519 key"));
    assert_eq!((&*method, &*expected(&said)), ("session.logon", "apiKey=anApiKey&timestamp=1723161253000"));
    let verifier = Verifier::from_pem(&pair.public_key_pem()).expect("a public key");
    assert_eq!(verifier.verify(expected(&said).as_bytes(), said["signature"].as_bytes()), Ok(()));
}

#[test]
fn what_cannot_be_sent_is_an_error_and_never_half_a_request() {
    let (mut ws, mut rest, credentials) = (WsRequest::new(), RestRequest::new(), hmac());
    let futures = instrument(Market::UsdM, "BTCUSDT", 2, 5);
    let id = ClientOrderId::derive(1, OrderId(2));
    let cancel = Request::Cancel { instrument: &futures, order: OrderRef::Client(&id) };
    assert_eq!(ws.write(1, &cancel, NOW, Auth::Session), Err(RequestError::NotSpot));
    assert_eq!(rest.write(&cancel, NOW, &credentials), Err(RequestError::NotSpot));

    let long = instrument(Market::Spot, &"\n".repeat(900), 2, 5);
    let cancel = Request::Cancel { instrument: &long, order: OrderRef::Client(&id) };
    for auth in [Auth::Session, Auth::Signed(&credentials)] {
        let refused = ws.write(1, &cancel, NOW, auth);
        assert!(matches!(refused, Err(RequestError::TooLong { .. })), "{refused:?}");
    }
    assert!(matches!(rest.write(&cancel, NOW, &credentials), Err(RequestError::TooLong { .. })));
    let mut plain = OrderBytes::new();
    encode_cancel(&long, &id, NOW.timestamp, &mut plain);
    let refused = rest.sign_query(plain.as_bytes(), Some(RecvWindow::MAX), &credentials);
    assert!(matches!(refused, Err(RequestError::TooLong { .. })), "{refused:?}");
}

#[test]
fn parameters_out_of_order_or_given_twice_fail_the_request() {
    let mut ws = WsRequest::new();
    let mut written = |names: &[Name]| {
        let request = ws.write_with(1, "order.test", NOW, Auth::Session, |params| {
            names.iter().for_each(|name| params.integer(*name, 1));
            Ok(())
        });
        request.map(|_| ())
    };
    assert_eq!(written(&[Name::Price, Name::Symbol]), Ok(()));
    assert_eq!(written(&[Name::Symbol, Name::Price]), Err(RequestError::Unsorted(Name::Price)));
    assert_eq!(written(&[Name::Symbol, Name::Symbol]), Err(RequestError::Unsorted(Name::Symbol)));
    assert_eq!(written(&[Name::Timestamp]), Err(RequestError::Unsorted(Name::Timestamp)));
}
