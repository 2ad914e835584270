//! What a signed order costs, beside the bare primitive: `cargo bench --bench sign`.
//!
//! For each kind of key, in one run over the same order: `ring` signing the same text into raw bytes (`primitive`), our
//! signer with hex or base64 (`signer`), and an order written and signed for the WebSocket API and for REST, whose texts
//! are somewhat longer or shorter. Then what is written without a signature: a request of a session that is logged on,
//! the query of an order, and the same request by serde_json. Rounds are short and interleaved; `best` is what it costs
//! while nothing disturbs the machine, and the ratio is of the best ones.
//!
//! `--json` prints one object a row; `--rounds N`. RSA needs the signing vectors' key, and is left out without.

#[path = "../tests/support/vectors.rs"]
mod vectors;

mod support;

use algo_trader::domain::decimal::Scaled;
use algo_trader::domain::{
    ClientOrderId, Extras, Instrument, Market, Order, OrderId, OrderKind, Price, Qty, Side, StrategyId,
    TimeInForce,
};
use algo_trader::security::{Credentials, Secret, SignatureText, Signer};
use algo_trader::venue::binance::encode::{OrderBytes, encode_order};
use algo_trader::venue::binance::request::{Auth, RecvWindow, Request, RestRequest, Timing, WsRequest};
use algo_trader::venue::local::demo_instruments;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, signature};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use std::hint::black_box;
use std::time::Instant;
use support::{Rounds, host, number, wants_json};

const HMAC_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const API_KEY: &str = HMAC_SECRET;

/// One thing that is measured.
struct Row<'a> {
    name: String,
    /// Which row it is compared with.
    beside: usize,
    /// Calls a round: signatures differ by a factor of a thousand.
    calls: u64,
    call: Box<dyn FnMut(u64) + 'a>,
}

/// An order that differs from call to call, as orders do.
struct Orders {
    order: Order,
    instrument: Instrument,
}

impl Orders {
    fn new() -> Self {
        let mut instruments = demo_instruments();
        instruments.retain(|instrument| instrument.market == Market::Spot);
        let instrument = instruments.swap_remove(0);
        let order = Order {
            id: OrderId(37),
            strategy: StrategyId(0),
            instrument: instrument.id,
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(1_200),
            price: Price(6_183_763),
            extras: Extras::NONE,
        };
        Self { order, instrument }
    }

    fn at(&self, call: u64) -> (Order, ClientOrderId, Timing) {
        let price = Price(self.order.price.0 + (call % 1_000) as i64);
        let timing =
            Timing { timestamp: 1_723_161_253_000 + call, recv_window: RecvWindow::from_millis(5_000) };
        (Order { price, ..self.order }, ClientOrderId::derive(1_723_161_253, OrderId(call)), timing)
    }
}

/// The rows of one kind of key; `primitive` signs bytes.
fn signed<'a>(
    rows: &mut Vec<Row<'a>>,
    kind: &str,
    calls: u64,
    orders: &'a Orders,
    credentials: &'a Credentials,
    mut primitive: impl FnMut(&[u8]) + 'a,
) {
    let beside = rows.len();
    let mut row = |name: &str, call: Box<dyn FnMut(u64) + 'a>| {
        rows.push(Row { name: format!("{kind}: {name}"), beside, calls, call });
    };
    let (order, id, timing) = orders.at(0);
    let place =
        Request::Place { order: &order, instrument: &orders.instrument, client_id: &id, self_trade: None };
    let mut ws = WsRequest::new();
    ws.write(1, &place, timing, Auth::Signed(credentials)).expect("it fits");
    let payload = ws.signed_text().to_vec();
    let same = payload.clone();
    row("primitive", Box::new(move |_| primitive(black_box(&payload))));
    let mut text = SignatureText::new();
    row(
        "signer",
        Box::new(move |_| {
            credentials.signer.sign(black_box(&same), &mut text).expect("a good key");
            black_box(&text);
        }),
    );
    row(
        "WebSocket order, written and signed",
        Box::new(move |call| {
            let (order, id, timing) = orders.at(call);
            let place = Request::Place {
                order: &order,
                instrument: &orders.instrument,
                client_id: &id,
                self_trade: None,
            };
            black_box(ws.write(call, &place, timing, Auth::Signed(credentials)).expect("it fits"));
        }),
    );
    let (mut rest, mut query) = (RestRequest::new(), OrderBytes::new());
    row(
        "REST order, written and signed",
        Box::new(move |call| {
            let (order, id, timing) = orders.at(call);
            encode_order(&order, &orders.instrument, &id, timing.timestamp, &mut query);
            black_box(rest.sign_query(query.as_bytes(), timing.recv_window, credentials).expect("it fits"));
        }),
    );
}

/// The rows without a signature.
fn unsigned<'a>(rows: &mut Vec<Row<'a>>, calls: u64, orders: &'a Orders) {
    let beside = rows.len();
    let mut row = |name: &str, call: Box<dyn FnMut(u64) + 'a>| {
        rows.push(Row { name: format!("unsigned: {name}"), beside, calls, call });
    };
    let mut query = OrderBytes::new();
    row(
        "order as a query",
        Box::new(move |call| {
            let (order, id, timing) = orders.at(call);
            encode_order(&order, &orders.instrument, &id, timing.timestamp, &mut query);
            black_box(query.as_bytes());
        }),
    );
    let mut ws = WsRequest::new();
    row(
        "WebSocket order of a session",
        Box::new(move |call| {
            let (order, id, timing) = orders.at(call);
            let place = Request::Place {
                order: &order,
                instrument: &orders.instrument,
                client_id: &id,
                self_trade: None,
            };
            black_box(ws.write(call, &place, timing, Auth::Session).expect("it fits"));
        }),
    );
    row(
        "the same by serde_json",
        Box::new(move |call| {
            let (order, id, timing) = orders.at(call);
            let instrument = &orders.instrument;
            let decimal = |value: i64, decimals| Scaled { value: value.into(), decimals }.to_string();
            let json = serde_json::json!({"id": call, "method": "order.place", "params": {
                "newClientOrderId": id.as_str(), "newOrderRespType": "ACK",
                "price": decimal(order.price.0, instrument.price_decimals),
                "quantity": decimal(order.qty.0, instrument.qty_decimals),
                "recvWindow": 5_000, "side": "BUY", "symbol": instrument.symbol, "timeInForce": "GTC",
                "timestamp": timing.timestamp, "type": "LIMIT"}});
            black_box(json.to_string());
        }),
    );
}

fn main() {
    let orders = Orders::new();
    let credentials = |signer: Signer| vectors::credentials(API_KEY, signer);
    let of_hmac = credentials(Signer::hmac(&Secret::new(HMAC_SECRET)).expect("a secret"));
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key").serialize_pem();
    let of_ed25519 = credentials(Signer::from_pem(&Secret::new(&*pem)).expect("a key"));
    let all = vectors::vectors();
    let of_rsa = all.as_ref().map(|all| credentials(vectors::signer(all, "rsa")));
    let der = |pem: &str| PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");

    let mut rows = Vec::new();
    unsigned(&mut rows, 1_000, &orders);
    let key = hmac::Key::new(hmac::HMAC_SHA256, HMAC_SECRET.as_bytes());
    signed(&mut rows, "HMAC", 500, &orders, &of_hmac, move |payload| {
        black_box(hmac::sign(&key, payload));
    });
    let key = Ed25519KeyPair::from_pkcs8(der(&pem).secret_pkcs8_der()).expect("a key");
    signed(&mut rows, "Ed25519", 20, &orders, &of_ed25519, move |payload| {
        black_box(key.sign(payload));
    });
    if let (Some(all), Some(of_rsa)) = (&all, &of_rsa) {
        let pem = vectors::text(all, "/rsa/privateKeyPem");
        let key: RsaKeyPair = signature::RsaKeyPair::from_pkcs8(der(pem).secret_pkcs8_der()).expect("a key");
        let (random, mut raw) = (SystemRandom::new(), vec![0; key.public().modulus_len()]);
        signed(&mut rows, "RSA-2048", 2, &orders, of_rsa, move |payload| {
            key.sign(&RSA_PKCS1_SHA256, &random, payload, &mut raw).expect("a signature");
            black_box(&raw);
        });
    }
    measure(&mut rows, number("--rounds", 401));
}

fn measure(rows: &mut [Row<'_>], rounds: usize) {
    let mut times = vec![Rounds::default(); rows.len()];
    for round in 0..=rounds as u64 {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (0..row.calls).for_each(|call| (row.call)(round * row.calls + call));
            // The first round warms caches and predictors.
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / row.calls as f64);
            }
        }
    }
    if !wants_json() {
        println!("{}; nanoseconds, {rounds} rounds", host());
        println!("{:<52}{:>10}{:>10}{:>8}", "", "best", "median", "ratio");
    }
    for (row, time) in rows.iter().zip(&times) {
        let (best, median) = (time.min(), time.median());
        let ratio = best / times[row.beside].min();
        if wants_json() {
            let json =
                serde_json::json!({"row": row.name, "best_ns": best, "median_ns": median, "ratio": ratio});
            println!("{json}");
        } else {
            println!("{:<52}{best:>10.0}{median:>10.0}{ratio:>8.2}", row.name);
        }
    }
}
