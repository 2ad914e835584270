//! Orders a second through the local venue: in one process, and over TLS on the WebSocket API; and many sessions at once.
//!
//! Every request is an order, signed by HMAC, read as JSON, checked, matched, settled and answered with an ACK: of two,
//! one account's rests and the other's takes it whole, so each second order is a trade of two sides. In one process the
//! requests are signed beforehand, since that is the client's work; over TLS the client signs, on the same machine.
//!
//!     cargo bench --bench orders [-- --orders N --sessions N]

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
mod support;
use stream_client::{Client, connect, send, text};
use support::{host, number};

const SECRET: &str = "benchsecret";
/// Orders a second that are wanted: in one process, and over TLS.
const WANTED: (f64, f64) = (50_000.0, 5_000.0);
/// Requests under way on one connection.
const UNDER_WAY: usize = 64;

fn accounts() -> Vec<AccountOptions> {
    let account = |name: &str| {
        let verifier = Verifier::hmac(&Secret::new(SECRET)).expect("a secret");
        AccountOptions {
            name: name.into(),
            keys: vec![KeyOptions::new(ApiKey::new(name).expect("a key"), verifier)],
            balances: vec![("USDT".into(), "9000000000".into()), ("BTC".into(), "9000000".into())],
            trade_group: None,
        }
    };
    vec![account("rests"), account("takes")]
}

/// The n-th order: a sell of one account, or the buy of the other that takes it.
fn order(signer: &Signer, n: usize, now_ms: u64) -> String {
    let (key, side) = if n.is_multiple_of(2) { ("rests", "SELL") } else { ("takes", "BUY") };
    let fields = [
        ("apiKey", key),
        ("newClientOrderId", format!("b{n}").as_str()),
        ("newOrderRespType", "ACK"),
        ("price", "60000.00"),
        ("quantity", "0.01"),
        ("side", side),
        ("symbol", "BTCUSDT"),
        ("timeInForce", "GTC"),
        ("timestamp", now_ms.to_string().as_str()),
        ("type", "LIMIT"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let payload: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut signature = SignatureText::default();
    signer.sign(payload.join("&").as_bytes(), &mut signature).expect("a signature");
    let params: Vec<String> = fields.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
    let (params, signature) = (params.join(","), signature.as_str());
    format!(r#"{{"id":{n},"method":"order.place","params":{{{params},"signature":"{signature}"}}}}"#)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn assert_taken(answer: &str) {
    assert!(answer.contains("\"status\":200"), "{answer}");
}

fn in_process(signer: &Signer, orders: usize) -> f64 {
    let settings =
        ApiSettings { orders_per_10_s: u32::MAX, orders_per_day: u32::MAX, ..ApiSettings::default() };
    let symbols = demo_instruments().into_iter().filter(|of| of.market == Market::Spot).map(SymbolRules::of);
    let now = Time(now_ms() * 1_000_000);
    let mut api = Api::new(settings, symbols.collect(), accounts(), now).expect("a venue");
    let mut session = Session::new(IpAddr::from(Ipv4Addr::LOCALHOST), now, false);
    let requests: Vec<String> = (0..orders).map(|n| order(signer, n, now.0 / 1_000_000)).collect();
    let (mut out, mut events, began) = (Vec::new(), 0, Instant::now());
    for request in &requests {
        out.clear();
        let _ = api.hear(now, &mut session, request.as_bytes(), &NoMarketData, &mut out);
        assert_taken(std::str::from_utf8(&out[0]).expect("text"));
        events += api.take_told().len();
    }
    let rate = orders as f64 / began.elapsed().as_secs_f64();
    assert!(events >= orders * 3, "every order is told of, and its trade, and the balances");
    rate
}

fn served() -> ServerOptions {
    let mut options = ServerOptions::generated(1, demo_instruments(), 50);
    // The market waits, so that the orders meet each other.
    options.wait_for_clients = usize::MAX;
    options.accounts = accounts();
    options.order_limits = (u32::MAX, u32::MAX);
    options.limits.weight = Some(u32::MAX);
    options.limits.connections_per_5_min = u32::MAX;
    options
}

fn over_tls(signer: &Signer, orders: usize) -> f64 {
    let venue = Server::start(served()).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut client = connect(endpoint, venue.ca_pem(), "/ws-api/v3?returnRateLimits=false");
    let began = Instant::now();
    for n in 0..orders + UNDER_WAY {
        if n < orders {
            send(&mut client, &order(signer, n, now_ms()));
        }
        if n >= UNDER_WAY {
            assert_taken(&text(&mut client).expect("an answer"));
        }
    }
    orders as f64 / began.elapsed().as_secs_f64()
}

/// Sessions that all order at once, again and again: orders a second, and the longest round.
fn at_once(signer: &Signer, sessions: usize, rounds: usize) -> (f64, Duration) {
    let venue = Server::start(served()).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut clients: Vec<Client> = (0..sessions)
        .map(|_| connect(endpoint, venue.ca_pem(), "/ws-api/v3?returnRateLimits=false"))
        .collect();
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    for round in 0..rounds {
        let began = Instant::now();
        for (at, client) in clients.iter_mut().enumerate() {
            send(client, &order(signer, round * sessions + at, now_ms()));
        }
        clients.iter_mut().for_each(|client| assert_taken(&text(client).expect("an answer")));
        longest = longest.max(began.elapsed());
    }
    let rate = (rounds * sessions) as f64 / began.elapsed().as_secs_f64();
    assert!(venue.stats().clients >= sessions as u64, "every session stands");
    (rate, longest)
}

fn main() {
    let (orders, sessions) = (number("--orders", 200_000).max(2), number("--sessions", 200).max(2));
    let signer = Signer::hmac(&Secret::new(SECRET)).expect("a secret");
    let verdict = |value: f64, wanted: f64| if value >= wanted { "met" } else { "MISSED" };
    println!("{}", host());
    let inside = in_process(&signer, orders);
    println!("in one process: {inside:.0} orders/s ({}: {:.0})", verdict(inside, WANTED.0), WANTED.0);
    let outside = over_tls(&signer, orders / 4);
    println!(
        "over TLS, {UNDER_WAY} under way: {outside:.0} orders/s ({}: {:.0})",
        verdict(outside, WANTED.1),
        WANTED.1
    );
    let (rate, longest) = at_once(&signer, sessions, (orders / 4 / sessions).max(1));
    println!("{sessions} sessions at once: {rate:.0} orders/s, the longest round {longest:.1?}");
}
