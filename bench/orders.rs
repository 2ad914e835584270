//! Orders a second through the local venue: in-process, and over TLS on the WebSocket API; and 200 sessions at once.
//!
//! `cargo bench --bench orders`. Prints a line for each; fails where a bound is missed and `CHECK=1`.

use algo_trader::domain::{Market, Time};
use algo_trader::security::{ApiKey, Secret, SignatureText, Signer, Verifier};
use algo_trader::venue::local::api::{AccountOptions, Api, ApiSettings, KeyOptions, NoMarketData, Session};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::exchange::SymbolRules;
use algo_trader::venue::local::serve::{Server, ServerOptions};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[path = "../tests/support/stream_client.rs"]
mod stream_client;
use stream_client::{Client, connect, send, text};

const SECRET: &str = "benchsecret";

fn account() -> AccountOptions {
    let verifier = Verifier::hmac(&Secret::new(SECRET)).expect("a secret");
    AccountOptions {
        name: "bench".into(),
        keys: vec![KeyOptions::new(ApiKey::new("bench").expect("a key"), verifier)],
        balances: vec![("USDT".into(), "1000000000".into()), ("BTC".into(), "100000".into())],
        trade_group: None,
    }
}

/// The n-th request: orders and their cancels in turn, each signed.
fn request(signer: &Signer, n: u64, now_ms: u64) -> String {
    let (name, side, price) =
        (n / 2, if n % 4 < 2 { "BUY" } else { "SELL" }, if n % 4 < 2 { 50_000 } else { 70_000 });
    let mut signature = SignatureText::default();
    let (method, signed, json) = if n.is_multiple_of(2) {
        (
            "order.place",
            format!(
                "apiKey=bench&newClientOrderId=b{name}&newOrderRespType=ACK&price={price}.00&quantity=0.01&side={side}&symbol=BTCUSDT&timeInForce=GTC&timestamp={now_ms}&type=LIMIT"
            ),
            format!(
                r#""apiKey":"bench","newClientOrderId":"b{name}","newOrderRespType":"ACK","price":"{price}.00","quantity":"0.01","side":"{side}","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":{now_ms},"type":"LIMIT""#
            ),
        )
    } else {
        (
            "order.cancel",
            format!("apiKey=bench&origClientOrderId=b{name}&symbol=BTCUSDT&timestamp={now_ms}"),
            format!(
                r#""apiKey":"bench","origClientOrderId":"b{name}","symbol":"BTCUSDT","timestamp":{now_ms}"#
            ),
        )
    };
    signer.sign(signed.as_bytes(), &mut signature).expect("a signature");
    format!(r#"{{"id":{n},"method":"{method}","params":{{{json},"signature":"{}"}}}}"#, signature.as_str())
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn in_process(signer: &Signer) -> f64 {
    let settings =
        ApiSettings { orders_per_10_s: u32::MAX, orders_per_day: u32::MAX, ..ApiSettings::default() };
    let symbols = demo_instruments().into_iter().filter(|of| of.market == Market::Spot).map(SymbolRules::of);
    let now = Time::from_millis(now_ms());
    let mut api = Api::new(settings, symbols.collect(), vec![account()], now).expect("a venue");
    let mut session = Session::new(IpAddr::from(Ipv4Addr::LOCALHOST), now, false);
    let requests: Vec<String> = (0..200_000).map(|n| request(signer, n, now.0 / 1_000_000)).collect();
    let (mut out, began) = (Vec::new(), Instant::now());
    for text in &requests {
        out.clear();
        let _ = api.hear(now, &mut session, text.as_bytes(), &NoMarketData, &mut out);
        assert!(
            out[0].windows(12).any(|part| part == b"\"status\":200"),
            "{}",
            String::from_utf8_lossy(&out[0])
        );
        api.take_told();
    }
    requests.len() as f64 / began.elapsed().as_secs_f64()
}

fn served() -> ServerOptions {
    let mut options = ServerOptions::generated(1, demo_instruments(), 50);
    options.accounts = vec![account()];
    options.order_limits = (u32::MAX, u32::MAX);
    options.limits.weight = Some(u32::MAX);
    options.limits.connections_per_5_min = u32::MAX;
    options
}

fn over_tls(signer: &Signer, count: u64) -> f64 {
    let venue = Server::start(served()).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut client = connect(endpoint, venue.ca_pem(), "/ws-api/v3?returnRateLimits=false");
    let (window, began) = (64, Instant::now());
    for n in 0..count + window {
        if n < count {
            send(&mut client, &request(signer, n, now_ms()));
        }
        if n >= window {
            let answer = text(&mut client).expect("an answer");
            assert!(answer.contains("\"status\":200"), "{answer}");
        }
    }
    count as f64 / began.elapsed().as_secs_f64()
}

fn sessions(signer: &Signer, many: usize) -> (Duration, u64) {
    let venue = Server::start(served()).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut clients: Vec<Client> =
        (0..many).map(|_| connect(endpoint, venue.ca_pem(), "/ws-api/v3?returnRateLimits=false")).collect();
    let began = Instant::now();
    let rounds = 10;
    for round in 0..rounds {
        for (at, client) in clients.iter_mut().enumerate() {
            send(client, &request(signer, (round * many + at) as u64 * 2, now_ms()));
        }
        for client in &mut clients {
            assert!(text(client).expect("an answer").contains("\"status\":"));
        }
    }
    (began.elapsed(), venue.stats().api_requests)
}

fn main() {
    let signer = Signer::hmac(&Secret::new(SECRET)).expect("a secret");
    let inside = in_process(&signer);
    println!("in-process, signed, placed and cancelled in turn: {inside:.0} requests/s");
    let outside = over_tls(&signer, 50_000);
    println!("over TLS, WebSocket API, 64 under way: {outside:.0} requests/s");
    let (took, answered) = sessions(&signer, 200);
    println!("200 sessions, each asks 10 times: {answered} requests in {took:.2?}");
    if std::env::var_os("CHECK").is_some_and(|value| value == "1") {
        assert!(inside >= 50_000.0 && outside >= 5_000.0, "too slow: {inside:.0}, {outside:.0}");
    }
}
