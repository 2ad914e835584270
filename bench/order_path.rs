//! From an order taken by the sending thread to its bytes sealed for the socket: `cargo bench --bench order_path`.
//!
//! A client trades on a local venue over TLS. `path`: an order is popped from a lane, placed by the client (tracked,
//! budgeted, written, and signed unless the session is logged on), framed, masked and sealed; then, not timed, it is
//! sent, answered and cancelled. `primitives`: the same request written and signed by the request writer alone, a
//! WebSocket header and mask put on it, and the whole sealed by a plain rustls connection with the same keys exchanged.
//! Both do every order in one run and take turns in going first, since what goes first finds the caches as answers and
//! waiting left them; and before each the client rehearses, as the sending thread does when it has nothing else to do. The
//! ratio is of first to first, as orders come; second to second is shown as warm. Every other pair of turns comes without
//! a rehearsal, and is shown as cold. Beside it, not compared: a whole order by REST over a warm connection, from signing
//! to its answer. (The lane here holds bare orders: only risk can make the approved ones.)
//!
//! `--orders N`; `--json` prints one object a row.

#[path = "../tests/support/order_client.rs"]
mod order_client;
mod support;

use algo_trader::domain::order::Extras;
use algo_trader::domain::{
    ClientOrderId, Instrument, InstrumentId, InstrumentTable, Market, Order, OrderId, OrderKind, Price, Qty,
    Side, StrategyId, Time, TimeInForce,
};
use algo_trader::net::http::{HttpClient, HttpRequest};
use algo_trader::net::websocket::{Connection, ConnectionSettings, Incoming, Phase, mask};
use algo_trader::net::{Endpoint, TlsClient, TlsSettings};
use algo_trader::security::{Credentials, Secret};
use algo_trader::venue::binance::client::{
    ClientSettings, HttpId, HttpReply, Input, OrderClient, Output, Outputs, RestUse, SessionId,
};
use algo_trader::venue::binance::request::{Auth, RecvWindow, Request, RestRequest, Timing, WsRequest};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use order_client::{ED25519_PRIVATE, account};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::hint::black_box;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::{host, number, verdict, wants_json};

const TARGET: f64 = 1.3;

fn now() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64)
}

/// A client with its socket, driven by hand.
struct Desk {
    client: OrderClient,
    out: Outputs,
    http: HttpClient,
    rest: Endpoint,
    api: Endpoint,
    tls: TlsClient,
    key: String,
    session: Option<(SessionId, Connection)>,
    reports: u64,
}

impl Desk {
    /// Does what the client asked for; what goes by WebSocket is sealed, and sent at once.
    fn carry_out(&mut self) {
        loop {
            let mut list = std::mem::take(&mut self.out.list);
            if list.is_empty() {
                break;
            }
            let mut out = std::mem::take(&mut self.out);
            for output in list.drain(..) {
                match output {
                    Output::OpenSession(id) => self.open(id),
                    Output::SessionText { text, .. } => {
                        let Some((_, connection)) = &mut self.session else { continue };
                        connection.queue_text(out.text(&text)).expect("framed");
                        connection.seal().expect("sealed");
                        connection.flush().expect("sent");
                    }
                    Output::Http(call) => {
                        let target = String::from_utf8(out.text(&call.target).to_vec()).expect("ASCII");
                        let key = [("X-MBX-APIKEY", self.key.as_str())];
                        let request = HttpRequest {
                            method: call.method,
                            path: &target,
                            headers: if call.key { &key } else { &[] },
                            ..HttpRequest::default()
                        };
                        let answer = self.http.request(&self.rest, &request).expect("an answer");
                        let headers: Vec<_> =
                            answer.counts.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                        let reply =
                            HttpReply { status: answer.status, headers: &headers, body: &answer.body };
                        let input = Input::HttpReply { id: HttpId(call.id.0), answer: Ok(reply) };
                        self.client.handle(now(), input, &mut self.out);
                    }
                    Output::Report(_) => self.reports += 1,
                    _ => {}
                }
            }
            // The room that was taken once is used again, as the sending thread does.
            if self.out.list.is_empty() {
                out.list = list;
                out.clear();
                self.out = out;
            }
        }
        self.out.clear();
    }

    fn open(&mut self, id: SessionId) {
        let address = SocketAddr::new(self.api.host.parse().expect("an address"), self.api.port);
        let mut connection =
            Connection::connect(&self.api, address, "", &self.tls, ConnectionSettings::default())
                .expect("begun");
        while connection.phase() != Phase::Open {
            connection.set_readable(false);
            connection.drive().expect("it opens");
            std::thread::sleep(Duration::from_micros(200));
        }
        self.session = Some((id, connection));
        self.client.handle(now(), Input::SessionOpened(id), &mut self.out);
    }

    /// Reads what came, and lets the client act on it.
    fn read(&mut self) {
        if let Some((id, connection)) = &mut self.session {
            connection.set_readable(false);
            connection.drive().expect("alive");
            while let Some(message) = connection.next_message().expect("alive") {
                if let Incoming::Text(bytes) = message {
                    self.client.handle(now(), Input::SessionFrame(*id, bytes), &mut self.out);
                }
            }
        }
        self.client.poll(now(), &mut self.out);
        self.carry_out();
    }

    /// What the sending thread does while there is nothing to do.
    fn idle(&mut self) {
        self.client.rehearse(now(), &mut self.out);
        assert!(self.out.list.is_empty(), "a rehearsal asks for nothing");
        self.out.clear();
    }

    fn until(&mut self, what: &str, mut good: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !good(self) {
            self.read();
            assert!(Instant::now() < end, "{what}: not in time");
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn venue() -> Running {
    let spot = demo_instruments().into_iter().filter(|i| i.market == Market::Spot).collect();
    let mut options = ServerOptions::generated(11, spot, 100);
    options.wait_for_clients = 99;
    options.order_limits = (1_000_000, 100_000_000);
    options.limits.weight = Some(100_000_000);
    options.accounts = vec![account("alice", &[("USDT", "100000000"), ("BTC", "1000")])];
    Server::start(options).expect("the venue starts")
}

fn credentials(ed25519: bool) -> Credentials {
    let text = if ed25519 {
        format!("aliceed\n{ED25519_PRIVATE}")
    } else {
        "alicehmac\nsecretofalicehmac\n".to_owned()
    };
    Credentials::from_text(&Secret::new(text)).expect("a key")
}

/// A plain rustls connection to the venue, to seal with.
fn plain(endpoint: &Endpoint, tls: &TlsClient) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(endpoint.host.clone()).expect("a name");
    let socket = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).expect("connected");
    let mut stream =
        StreamOwned::new(ClientConnection::new(tls.config(), name).expect("a connection"), socket);
    stream.flush().expect("a handshake");
    stream
}

/// What an order cannot do without: its request written, signed where no session is logged on, masked and sealed.
struct Primitives {
    writer: WsRequest,
    signed_by: Option<Credentials>,
    bare: StreamOwned<ClientConnection, TcpStream>,
    framed: Vec<u8>,
    sealed: Vec<u8>,
}

impl Primitives {
    /// What it took, in nanoseconds.
    fn seal(&mut self, n: u64, order: &Order, instrument: &Instrument, client_id: &ClientOrderId) -> u64 {
        self.framed.clear();
        self.sealed.clear();
        let begun = Instant::now();
        let timing = Timing { timestamp: now().0 / 1_000_000, recv_window: RecvWindow::from_millis(5_000) };
        let place = Request::Place { order, instrument, client_id, self_trade: None };
        let auth = self.signed_by.as_ref().map_or(Auth::Session, Auth::Signed);
        let text = self.writer.write(n, &place, timing, auth).expect("it fits");
        let key = (n as u32).to_le_bytes();
        self.framed.extend_from_slice(&[0x81, 0x80 | 126]);
        self.framed.extend_from_slice(&(text.len() as u16).to_be_bytes());
        self.framed.extend_from_slice(&key);
        self.framed.extend_from_slice(text);
        mask(&mut self.framed[8..], key);
        self.bare.conn.writer().write_all(&self.framed).expect("taken");
        self.bare.conn.write_tls(&mut self.sealed).expect("sealed");
        let took = begun.elapsed().as_nanos() as u64;
        black_box(&self.sealed);
        took
    }
}

struct Row {
    name: &'static str,
    /// Of the orders that they had first, as orders come, and of those that the other had just done.
    path_ns: [Vec<u64>; 2],
    primitives_ns: [Vec<u64>; 2],
    /// Path and primitives that went first without a rehearsal.
    cold_ns: [Vec<u64>; 2],
    rest_ns: Vec<u64>,
    /// Of the path: the client's part, and framing and sealing.
    parts_ns: [Vec<u64>; 2],
}

fn quantile(values: &mut [u64], q: f64) -> u64 {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * q) as usize]
}

fn measure(name: &'static str, ed25519: bool, venue: &Running, tls: &TlsClient, orders: u64) -> Row {
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let rest = Endpoint::parse(&endpoint.rest_url, "https").expect("an endpoint");
    let api = Endpoint::parse(endpoint.api_url.as_deref().expect("spot"), "wss").expect("an endpoint");
    let spot: Vec<Instrument> = demo_instruments().into_iter().filter(|i| i.market == Market::Spot).collect();
    let http = HttpClient::new(tls, Duration::from_secs(10), 64 << 20);
    let info = http.get(&rest, "/api/v3/exchangeInfo").expect("an answer");
    let fees = algo_trader::venue::binance::exchange_info::Fees {
        maker: spot[0].maker_fee,
        taker: spot[0].taker_fee,
    };
    let info =
        algo_trader::venue::binance::exchange_info::ExchangeInfo::read(&info.body, fees).expect("read");
    let mut listed = info.symbol("BTCUSDT").expect("listed").instrument.clone();
    listed.venue = "binance".into();
    let table = InstrumentTable::new(vec![listed]).expect("one");
    let instrument = table.all()[0].clone();
    let (signing, own, rest_key) = (credentials(ed25519), credentials(ed25519), credentials(ed25519));
    let settings = ClientSettings { rest: RestUse::Never, ..ClientSettings::default() };
    let mut desk = Desk {
        key: signing.api_key.as_str().to_owned(),
        client: OrderClient::new(settings, &table, signing),
        out: Outputs::new(),
        http,
        rest,
        api: api.clone(),
        tls: tls.clone(),
        session: None,
        reports: 0,
    };
    desk.client.handle(now(), Input::Start, &mut desk.out);
    desk.carry_out();
    desk.until("trading", |d| d.client.trading(now()).is_ok() && d.session.is_some());
    desk.until("quiet", |d| d.client.next_deadline() > now());

    let (mut lane_in, mut lane_out) = rtrb::RingBuffer::<(Order, ClientOrderId)>::new(16);
    let mut row = Row {
        name,
        path_ns: Default::default(),
        primitives_ns: Default::default(),
        cold_ns: Default::default(),
        rest_ns: Vec::new(),
        parts_ns: Default::default(),
    };
    let mut primitives = Primitives {
        writer: WsRequest::new(),
        signed_by: (!ed25519).then_some(own),
        bare: plain(&api, tls),
        framed: Vec::with_capacity(4_096),
        sealed: Vec::with_capacity(8_192),
    };
    let scale = 10i64.pow(u32::from(instrument.price_decimals));
    let epoch = now().0 / 1_000_000_000;
    for n in 1..=orders {
        let order = Order {
            id: OrderId(n),
            instrument: instrument.id,
            qty: Qty(10i64.pow(u32::from(instrument.qty_decimals)) / 1_000),
            price: Price((50_000 + (n % 100) as i64) * scale),
            ..order_of_nothing()
        };
        let client_id = ClientOrderId::derive(epoch, order.id);
        let reports = desk.reports;
        let rehearsed = n % 4 < 2;
        if rehearsed {
            desk.idle();
        }
        // What goes first finds the caches as answers and waiting left them, so each goes first as often.
        for (turn, path) in [n % 2 == 0, n % 2 == 1].into_iter().enumerate() {
            if !path {
                let took = primitives.seal(n, &order, &instrument, &client_id);
                match (rehearsed, turn) {
                    (true, _) => row.primitives_ns[turn].push(took),
                    (false, 0) => row.cold_ns[1].push(took),
                    (false, _) => {}
                }
                continue;
            }
            lane_in.push((order, client_id)).expect("room");
            let begun = Instant::now();
            let (order, client_id) = lane_out.pop().expect("an order");
            let input = Input::Place { order: &order, client_id: &client_id };
            desk.client.handle(now(), input, &mut desk.out);
            let written = begun.elapsed().as_nanos() as u64;
            let mut sent = 0;
            for output in &desk.out.list {
                if let (Output::SessionText { text, .. }, Some((_, connection))) = (output, &mut desk.session)
                {
                    connection.queue_text(desk.out.text(text)).expect("framed");
                    connection.seal().expect("sealed");
                    sent += 1;
                }
            }
            let sealed = begun.elapsed().as_nanos() as u64;
            match (rehearsed, turn) {
                (true, _) => row.path_ns[turn].push(sealed),
                (false, 0) => row.cold_ns[0].push(sealed),
                (false, _) => {}
            }
            if rehearsed && turn == 0 {
                row.parts_ns[0].push(written);
                row.parts_ns[1].push(sealed - written);
            }
            assert_eq!(sent, 1, "one order, one message: {:?}", desk.out.list);
        }
        desk.session.as_mut().expect("open").1.flush().expect("sent");
        desk.out.clear();

        desk.until("accepted", |d| d.reports > reports);
        let reports = desk.reports;
        desk.client.handle(now(), Input::Cancel { order: order.id, client_id: &client_id }, &mut desk.out);
        desk.carry_out();
        desk.until("cancelled", |d| d.reports > reports);
    }

    // Beside it: by REST; these stay open, and an account may have 200.
    let mut rest_writer = RestRequest::new();
    for n in 1..=(orders / 10).clamp(20, 60) {
        let order = Order {
            id: OrderId(1_000_000 + n),
            instrument: instrument.id,
            qty: Qty(10i64.pow(u32::from(instrument.qty_decimals)) / 1_000),
            price: Price(40_000 * scale),
            ..order_of_nothing()
        };
        let client_id = ClientOrderId::derive(epoch, order.id);
        let begun = Instant::now();
        let timing = Timing { timestamp: now().0 / 1_000_000, recv_window: RecvWindow::from_millis(5_000) };
        let place = Request::Place {
            order: &order,
            instrument: &instrument,
            client_id: &client_id,
            self_trade: None,
        };
        let call = rest_writer.write(&place, timing, &rest_key).expect("it fits");
        let target = format!("{}?{}", call.path, call.query);
        let key = [("X-MBX-APIKEY", desk.key.as_str())];
        let request =
            HttpRequest { method: call.method, path: &target, headers: &key, ..HttpRequest::default() };
        let answer = desk.http.request(&desk.rest, &request).expect("an answer");
        row.rest_ns.push(begun.elapsed().as_nanos() as u64);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    row
}

fn order_of_nothing() -> Order {
    Order {
        id: OrderId(0),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(0),
        price: Price(0),
        extras: Extras::default(),
    }
}

fn main() {
    let orders = number("--orders", 3_000) as u64;
    let venue = venue();
    let mut ca = tempfile::NamedTempFile::new().expect("a temporary file");
    ca.write_all(venue.ca_pem().expect("TLS").as_bytes()).expect("written");
    let settings = TlsSettings { ca_file: Some(ca.path().into()), accept_any_certificate: false };
    let tls = TlsClient::new(&settings).expect("TLS");
    if !wants_json() {
        println!("{}; {orders} orders each, ns", host());
        println!(
            "| session | path p50 | p99 | p99.9 | of it the client | framing, sealing | primitives p50 | ratio p50 (at most {TARGET}) | warm: path | primitives | ratio | cold: path | primitives | ratio | by REST, to the answer, p50 |"
        );
        println!(
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        );
    }
    for (name, ed25519) in [("Ed25519, logged on", true), ("HMAC, each signed", false)] {
        let mut row = measure(name, ed25519, &venue, &tls, orders);
        let path = [0.5, 0.99, 0.999].map(|q| quantile(&mut row.path_ns[0], q));
        let primitives = quantile(&mut row.primitives_ns[0], 0.5);
        let warm = [quantile(&mut row.path_ns[1], 0.5), quantile(&mut row.primitives_ns[1], 0.5)];
        let rest = quantile(&mut row.rest_ns, 0.5);
        let cold = [0, 1].map(|which| quantile(&mut row.cold_ns[which], 0.5));
        let cold_ratio = cold[0] as f64 / cold[1] as f64;
        let [client, seal] = [0, 1].map(|part| quantile(&mut row.parts_ns[part], 0.5));
        let (ratio, warm_ratio) = (path[0] as f64 / primitives as f64, warm[0] as f64 / warm[1] as f64);
        if wants_json() {
            let row = serde_json::json!({
                "session": row.name, "path_p50_ns": path[0], "path_p99_ns": path[1], "path_p999_ns": path[2],
                "primitives_p50_ns": primitives, "ratio_p50": ratio, "warm_path_p50_ns": warm[0],
                "client_p50_ns": client, "seal_p50_ns": seal, "warm_primitives_p50_ns": warm[1], "warm_ratio_p50": warm_ratio,
                "cold_path_p50_ns": cold[0], "cold_primitives_p50_ns": cold[1], "cold_ratio_p50": cold_ratio, "rest_p50_ns": rest,
            });
            println!("{row}");
        } else {
            println!(
                "| {} | {} | {} | {} | {client} | {seal} | {primitives} | {ratio:.2} {} | {} | {} | {warm_ratio:.2} | {} | {} | {cold_ratio:.2} | {rest} |",
                row.name,
                path[0],
                path[1],
                path[2],
                verdict(ratio, TARGET),
                warm[0],
                warm[1],
                cold[0],
                cold[1],
            );
        }
    }
}
