//! The local venue is as strict as the real one: weights, messages, pongs, slow readers, bad requests.

use algo_trader::domain::Market;
use algo_trader::venue::local::FlowConfig;
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{
    Limits, Liveness, Origin, Pace, Running, ServeError, Server, ServerOptions, Tls,
};
use std::time::{Duration, Instant};
use tungstenite::Message;

#[path = "support/stream_client.rs"]
mod stream_client;
use stream_client::{connect, get, send, text, text_or_close, wire};

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> ServerOptions {
    ServerOptions::generated(9, demo_instruments(), 500)
}

fn start(options: ServerOptions) -> Running {
    Server::start(options).expect("the venue starts")
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn weight_is_counted_refused_and_at_last_punished() {
    let mut options = options();
    // A window so long that none ends in between.
    options.limits = Limits {
        weight: Some(60),
        weight_window: Duration::from_secs(100_000),
        refusals_before_ban: 2,
        ban: Duration::from_secs(1),
        ..Limits::default()
    };
    let venue = start(options);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let ask = |target: &str| get(endpoint, venue.ca_pem(), target);
    let weights: Vec<_> =
        ["ping", "time", "exchangeInfo", "depth?symbol=BTCUSDT", "depth?symbol=BTCUSDT&limit=500"]
            .iter()
            .map(|call| {
                let answer = ask(&format!("/api/v3/{call}"));
                assert_eq!(answer.status, 200, "{call}: {}", answer.body);
                assert_eq!(answer.header("X-MBX-USED-WEIGHT"), answer.header("X-MBX-USED-WEIGHT-1M"));
                answer.header("X-MBX-USED-WEIGHT-1M").expect("a weight").parse::<u32>().expect("an integer")
            })
            .collect();
    assert_eq!(weights, [1, 2, 22, 27, 52]);
    for _ in 0..2 {
        let refused = ask("/api/v3/exchangeInfo");
        assert_eq!((refused.status, refused.json()["code"].as_i64()), (429, Some(-1003)));
        let retry: u64 = refused.header("Retry-After").expect("it says when").parse().expect("seconds");
        assert!((1..=100_000).contains(&retry));
    }
    let banned = ask("/api/v3/ping");
    assert_eq!((banned.status, banned.header("Retry-After")), (418, Some("1")));
    assert!(banned.body.contains("IP banned until"), "{}", banned.body);
    assert_eq!(
        get(venue.endpoint(Market::UsdM).expect("served"), venue.ca_pem(), "/fapi/v1/ping").status,
        200
    );
    let stats = venue.stats();
    assert_eq!((stats.rest_refused, stats.rest_banned, stats.rest_calls), (2, 1, 9));
}

#[test]
fn rest_answers_have_the_documented_shapes_and_mistakes_the_documented_codes() {
    let venue = start(options());
    let spot = |target: &str| get(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), target);
    let usdm = |target: &str| get(venue.endpoint(Market::UsdM).expect("served"), venue.ca_pem(), target);
    assert_eq!(spot("/api/v3/ping").body, "{}");
    assert!(spot("/api/v3/time").json()["serverTime"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000));
    let info = spot("/api/v3/exchangeInfo?symbols=%5B%22ETHUSDT%22%5D").json();
    assert_eq!(
        (&info["symbols"][0]["symbol"], &info["rateLimits"][0]["limit"]),
        (&"ETHUSDT".into(), &6_000.into())
    );
    assert_eq!(info["symbols"][0]["filters"][0]["tickSize"], "0.01000000");
    let futures = usdm("/fapi/v1/exchangeInfo").json();
    assert_eq!(
        (&futures["symbols"][0]["pricePrecision"], &futures["symbols"][0]["contractType"]),
        (&2.into(), &"PERPETUAL".into())
    );
    let depth = usdm("/fapi/v1/depth?symbol=BTCUSDT&limit=5").json();
    assert!(depth["bids"].as_array().is_some_and(|bids| bids.len() == 5) && depth["T"].is_u64());
    wait_for("some trades", || {
        spot("/api/v3/trades?symbol=BTCUSDT&limit=5").json().as_array().is_some_and(|t| t.len() == 5)
    });
    let trades = spot("/api/v3/trades?symbol=BTCUSDT&limit=2").json();
    assert_eq!(trades[0]["id"].as_u64().map(|id| id + 1), trades[1]["id"].as_u64());
    let klines = spot("/api/v3/klines?symbol=BTCUSDT&interval=1m").json();
    assert_eq!(klines[0].as_array().map(Vec::len), Some(12));
    let ticker = spot("/api/v3/ticker/bookTicker?symbol=BTCUSDT").json();
    assert!(ticker["bidPrice"].as_str().is_some_and(|price| price.ends_with("000000")), "{ticker}");
    assert_eq!(spot("/api/v3/ticker/bookTicker").json().as_array().map(Vec::len), Some(2));
    for (target, status, code) in [
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/depth?symbol=NOSUCH", 400, -1121),
        ("/api/v3/depth?symbol=btcusdt", 400, -1121),
        ("/api/v3/depth?symbol=BTCUSDT&limit=x", 400, -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/api/v3/nothing", 404, -1),
        ("/fapi/v1/ping", 404, -1),
        ("/api/v3/userDataStream", 410, -1),
    ] {
        let answer = spot(target);
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (status, Some(code)), "{target}");
    }
}

#[test]
fn a_client_that_talks_too_much_is_closed_with_1008() {
    let venue = start(options());
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), "/ws");
    // All at once, so that they come within a second.
    for _ in 0..6 {
        client.write(Message::Pong(Vec::new().into())).expect("there is room");
    }
    client.flush().expect("sent");
    assert_eq!(text_or_close(&mut client), Err(Some(1008)));
    wait_for("its end", || venue.stats().clients == 0);
    assert_eq!(venue.stats().cut_chatty, 1);
}

#[test]
fn a_client_that_answers_pings_lives_and_one_that_does_not_is_cut() {
    let mut options = options();
    options.liveness = Liveness {
        ping_every: Duration::from_millis(50),
        // As much time as a busy machine may need to answer.
        pong_within: Duration::from_secs(4),
        ..Liveness::default()
    };
    // Twenty pongs a second are more than the real venue takes.
    options.limits.messages_per_s = 100;
    let venue = start(options);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let _silent = connect(endpoint, venue.ca_pem(), "/ws");
    let mut lively = connect(endpoint, venue.ca_pem(), "/ws/btcusdt@bookTicker");
    let began = Instant::now();
    while venue.stats().cut_silent == 0 || began.elapsed() < Duration::from_secs(6) {
        assert!(text(&mut lively).is_some());
        assert!(began.elapsed() < PATIENCE);
    }
    let stats = venue.stats();
    assert_eq!((stats.cut_silent, stats.clients), (1, 1));
}

#[test]
fn a_connection_ends_with_its_lifetime() {
    let mut options = options();
    options.liveness.lifetime = Duration::from_millis(200);
    let venue = start(options);
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), "/ws");
    assert_eq!(text_or_close(&mut client), Err(Some(1001)));
}

#[test]
fn a_slow_reader_is_cut_and_others_do_not_notice() {
    let mut flow = FlowConfig::new(1, demo_instruments()).with_events_per_s(20_000);
    flow.duration = Duration::from_secs(40);
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: false });
    (options.pace, options.batch, options.wait_for_clients) = (Pace::Times(20.0), 32, 2);
    options.limits.queue_bytes = 256 * 1024;
    let venue = start(options);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let everything = "/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker/btcusdt@trade/ethusdt@trade/btcusdt@depth@100ms";
    let _slow = connect(endpoint, venue.ca_pem(), everything);
    let mut quick = connect(endpoint, venue.ca_pem(), "/ws/btcusdt@trade");
    let mut last = None;
    while venue.stats().cut_slow == 0 {
        let frame: serde_json::Value =
            serde_json::from_str(&text(&mut quick).expect("a trade")).expect("JSON");
        let id = frame["t"].as_u64().expect("an id");
        assert!(last.is_none_or(|last| id == last + 1), "no trade is missing");
        last = Some(id);
    }
    let stats = venue.stats();
    assert_eq!((stats.cut_slow, stats.clients), (1, 1));
}

#[test]
fn connections_are_limited_and_bad_upgrades_told() {
    let mut options = options();
    options.limits.connections_per_5_min = 2;
    let venue = start(options);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let upgrade = |path: &str| {
        let wire = wire(endpoint, venue.ca_pem()).expect("the connection stands");
        match tungstenite::client(format!("ws://{}{path}", endpoint.address), wire) {
            Ok(_) => 101,
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                answer.status().as_u16()
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(upgrade("/nothing"), 404);
    assert_eq!(upgrade("/stream?streams=btcusdt"), 400);
    assert_eq!(upgrade("/ws/btcusdt@trade?timeUnit=HOUR"), 400);
    assert_eq!([upgrade("/ws/0"), upgrade("/stream"), upgrade("/ws")], [101, 101, 429]);
}

#[test]
fn a_client_that_breaks_the_protocol_is_told_and_cut() {
    let mut options = options();
    options.tls = Tls::Plain;
    let venue = start(options);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    assert!(venue.ca_pem().is_none() && endpoint.stream_url.starts_with("ws://"));
    let mut client = connect(endpoint, None, "/ws");
    send(&mut client, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#);
    assert!(text(&mut client).is_some());
    let raw = client.get_mut();
    raw.write_all(&[0x81, 1, b'x']).expect("an unmasked frame is sent");
    raw.flush().expect("sent");
    assert_eq!(text_or_close(&mut client), Err(Some(1002)));
    assert_eq!(venue.stats().protocol_errors, 1);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut ServerOptions)| {
        let mut options = options();
        change(&mut options);
        Server::start(options).expect_err("refused")
    };
    assert!(matches!(refused(|o| o.listen = ([0, 0, 0, 0], 0).into()), ServeError::Remote(_)));
    assert!(matches!(refused(|o| o.admin = Some(([0, 0, 0, 0], 0).into())), ServeError::Options(_)));
    assert!(matches!(refused(|o| o.markets.clear()), ServeError::Options(_)));
    assert!(matches!(refused(|o| o.pace = Pace::Times(0.0)), ServeError::Options(_)));
    assert!(matches!(refused(|o| o.batch = 0), ServeError::Options(_)));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut options = options();
    options.listen = taken.local_addr().expect("bound");
    options.markets.truncate(1);
    assert!(matches!(Server::start(options), Err(ServeError::Listen { .. })));
}
