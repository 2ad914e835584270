//! A small venue on loopback, for tests: Binance's spot streams and depth over TLS, with faults on command.
//!
//! Blocking threads, one a connection; a thread makes the market. What it is meant to show is the client's conduct,
//! so it keeps books and sends frames and judges nothing.

#![allow(dead_code, reason = "each user takes a part")]

#[path = "wire_connection.rs"]
mod connection;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One side of a book: price and quantity in units of 10^-8.
pub type Levels = BTreeMap<i64, i64>;

/// A symbol's market.
#[derive(Clone, Default)]
pub struct Book {
    pub bids: Levels,
    pub asks: Levels,
    pub last_id: u64,
    pub trade_id: u64,
}

/// What a certificate is good for.
#[derive(Clone, Copy, PartialEq)]
pub enum Certificate {
    Good,
    WrongName,
    Expired,
}

/// What the server does with new connections.
#[derive(Clone, Copy, PartialEq)]
pub enum Welcome {
    Upgrade,
    /// An answer with this status instead of 101.
    Status(u16),
    /// A TLS alert: protocol version.
    Alert,
    /// The answer to the upgrade comes a byte a second.
    SlowLoris,
    /// Bytes that are no TLS.
    Garbage,
}

/// What is done to the connections that are open.
#[derive(Clone)]
pub enum Fault {
    /// The socket is closed without a word.
    Cut,
    /// Nothing is sent for so long.
    Stall(Duration),
    /// So many frames are left out.
    Drop(usize),
    /// The next frame comes twice.
    Duplicate,
    /// So many depth diffs lack their last byte.
    Cripple(usize),
    /// Depth diffs have no levels any more, as if nothing changed.
    Lie,
    /// The next two frames change places.
    Reorder,
    /// Half a frame, then the socket is closed.
    Truncate,
    /// Text of so many bytes.
    Huge(usize),
    /// A frame that never ends.
    SlowFrame,
    /// `serverShutdown`, and the cut after so long.
    Shutdown(Duration),
    /// A ping.
    Ping,
    /// Pings without end, while nothing is read.
    PingFlood,
    /// A close frame.
    Close,
    /// Bytes that are no frame.
    BadFrame,
}

enum ToConnection {
    Frame(Arc<str>, Arc<str>),
    Fault(Fault),
    /// To be answered once everything before it is written.
    Written(Sender<()>),
}

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done`.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

struct Shared {
    /// TCP connections that were taken.
    accepted: AtomicU64,
    /// Faults that were done, each connection counted.
    faults_done: AtomicU64,
    books: Mutex<BTreeMap<String, Book>>,
    connections: Mutex<Vec<(u64, Sender<ToConnection>, TcpStream)>>,
    welcome: Mutex<Welcome>,
    opened: AtomicU64,
    pongs: AtomicU64,
    messages: AtomicU64,
    depth_requests: AtomicU64,
    refuse_depth: AtomicU64,
    running: AtomicBool,
    moving: AtomicBool,
}

/// See the module.
pub struct Venue {
    pub address: SocketAddr,
    pub ca_file: tempfile::NamedTempFile,
    shared: Arc<Shared>,
}

fn tls(kind: Certificate) -> (ServerConfig, String) {
    let mut ca = CertificateParams::new(Vec::new()).expect("no names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("signed");
    let name = if kind == Certificate::WrongName { "other.example" } else { "127.0.0.1" };
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    if kind == Certificate::Expired {
        leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().expect("a key");
    let leaf = leaf.signed_by(&key, &ca).expect("signed");
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
    (config, ca.pem())
}

impl Venue {
    /// A venue with these symbols, moving every `pace`.
    pub fn start(symbols: &[String], pace: Duration, certificate: Certificate) -> Self {
        let (config, ca) = tls(certificate);
        let mut ca_file = tempfile::NamedTempFile::new().expect("a temporary file");
        ca_file.write_all(ca.as_bytes()).expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let book = |n: usize| {
            let middle = (100 + n as i64) * 100_000_000;
            let side =
                |sign: i64| (1..=50).map(|i| (middle + sign * i * 1_000_000, 100_000_000 * i)).collect();
            Book { bids: side(-1), asks: side(1), last_id: 1_000 + n as u64, trade_id: 10 }
        };
        let books = symbols.iter().enumerate().map(|(n, s)| (s.clone(), book(n))).collect();
        let shared = Arc::new(Shared {
            accepted: AtomicU64::new(0),
            faults_done: AtomicU64::new(0),
            books: Mutex::new(books),
            connections: Mutex::new(Vec::new()),
            welcome: Mutex::new(Welcome::Upgrade),
            opened: AtomicU64::new(0),
            pongs: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            depth_requests: AtomicU64::new(0),
            refuse_depth: AtomicU64::new(0),
            running: AtomicBool::new(true),
            moving: AtomicBool::new(true),
        });
        let config = Arc::new(config);
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if !accepting.running.load(SeqCst) {
                    break;
                }
                let (Ok(socket), shared, config) = (socket, Arc::clone(&accepting), Arc::clone(&config))
                else {
                    continue;
                };
                std::thread::spawn(move || connection::serve(socket, &config, &shared));
            }
        });
        let making = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut random = 0x9E37_79B9_7F4A_7C15u64;
            while making.running.load(SeqCst) {
                std::thread::sleep(pace);
                making.step(&mut random);
            }
        });
        Self { address, ca_file, shared }
    }

    /// What follows `[venue.spot]` in a configuration.
    pub fn endpoints(&self) -> String {
        format!("stream = \"wss://{0}\"\nrest = \"https://{0}\"\n", self.address)
    }

    pub fn welcome(&self, welcome: Welcome) {
        *self.shared.welcome.lock().expect("no panic") = welcome;
    }

    /// Does something to every open connection; returns once it is done.
    pub fn fault(&self, fault: &Fault) {
        self.fault_at_most(usize::MAX, fault);
    }

    /// Does something to the oldest open connection; returns once it is done.
    pub fn fault_one(&self, fault: &Fault) {
        self.fault_at_most(1, fault);
    }

    fn fault_at_most(&self, count: usize, fault: &Fault) {
        let done = self.shared.faults_done.load(SeqCst);
        let mut sent = 0;
        for (_, sender, _) in self.shared.connections.lock().expect("no panic").iter().take(count) {
            sent += u64::from(sender.send(ToConnection::Fault(fault.clone())).is_ok());
        }
        assert!(sent > 0, "no connection is open");
        wait_for("the fault", || self.shared.faults_done.load(SeqCst) >= done + sent);
    }

    /// Stops the market and sends what is left of it, so that books can be compared.
    pub fn freeze(&self) {
        self.shared.moving.store(false, SeqCst);
        // A step that was begun is over.
        drop(self.shared.books.lock().expect("no panic"));
        // What is queued is written: a word to each connection comes behind it.
        let words: Vec<_> = {
            let connections = self.shared.connections.lock().expect("no panic");
            let word = |sender: &Sender<ToConnection>| {
                let (said, heard) = channel();
                let _ = sender.send(ToConnection::Written(said));
                heard
            };
            connections.iter().map(|(_, sender, _)| word(sender)).collect()
        };
        // Where the connection ended meanwhile, the other end of the word is gone.
        let end = Instant::now() + PATIENCE;
        words.iter().for_each(|heard| {
            let left = end.saturating_duration_since(Instant::now());
            assert_ne!(heard.recv_timeout(left), Err(RecvTimeoutError::Timeout), "frames are not written");
        });
    }

    /// The next so many depth requests are answered with 429.
    pub fn refuse_depth(&self, times: u64) {
        self.shared.refuse_depth.store(times, SeqCst);
    }

    pub fn books(&self) -> BTreeMap<String, Book> {
        self.shared.books.lock().expect("no panic").clone()
    }

    pub fn open_connections(&self) -> usize {
        self.shared.connections.lock().expect("no panic").len()
    }

    /// Connections that became WebSockets.
    pub fn opened(&self) -> u64 {
        self.shared.opened.load(SeqCst)
    }

    /// Connections taken, whatever became of them.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(SeqCst)
    }

    pub fn pongs(&self) -> u64 {
        self.shared.pongs.load(SeqCst)
    }

    pub fn depth_requests(&self) -> u64 {
        self.shared.depth_requests.load(SeqCst)
    }

    /// Messages that the client sent.
    pub fn messages(&self) -> u64 {
        self.shared.messages.load(SeqCst)
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.shared.running.store(false, SeqCst);
        for (_, _, socket) in self.shared.connections.lock().expect("no panic").drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
    }
}

fn decimal(value: i64) -> String {
    format!("{}.{:08}", value / 100_000_000, value % 100_000_000)
}

impl Shared {
    /// One change of every market, sent to whoever is subscribed. The lock makes a book and its diff one.
    fn step(&self, random: &mut u64) {
        let mut next = |n: u64| {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            *random % n
        };
        let mut books = self.books.lock().expect("no panic");
        if !self.moving.load(SeqCst) {
            return;
        }
        let connections = self.connections.lock().expect("no panic");
        let send = |stream: String, data: String| {
            let frame: Arc<str> = format!(r#"{{"stream":"{stream}","data":{data}}}"#).into();
            let stream: Arc<str> = stream.into();
            for (_, sender, _) in connections.iter() {
                let _ = sender.send(ToConnection::Frame(Arc::clone(&stream), Arc::clone(&frame)));
            }
        };
        for (symbol, book) in books.iter_mut() {
            let lower = symbol.to_lowercase();
            let first = book.last_id + 1;
            let (mut bids, mut asks) = (String::new(), String::new());
            for _ in 0..=next(3) {
                book.last_id += 1;
                let bid = next(2) == 0;
                let best = if bid { book.bids.last_key_value() } else { book.asks.first_key_value() };
                let best = *best.expect("a book is never empty").0;
                let away = next(40) as i64 * 1_000_000;
                let price = if bid { best - away } else { best + away };
                let qty = if away > 0 && next(4) == 0 { 0 } else { (1 + next(1_000)) as i64 * 100_000 };
                let (side, text) =
                    if bid { (&mut book.bids, &mut bids) } else { (&mut book.asks, &mut asks) };
                if qty == 0 {
                    side.remove(&price);
                } else {
                    side.insert(price, qty);
                }
                let comma = if text.is_empty() { "" } else { "," };
                text.push_str(&format!(r#"{comma}["{}","{}"]"#, decimal(price), decimal(qty)));
            }
            send(
                format!("{lower}@depth@100ms"),
                format!(
                    r#"{{"e":"depthUpdate","E":1700000000123,"s":"{symbol}","U":{first},"u":{},"b":[{bids}],"a":[{asks}]}}"#,
                    book.last_id
                ),
            );
            let (bid, bid_qty) = book.bids.last_key_value().expect("never empty");
            let (ask, ask_qty) = book.asks.first_key_value().expect("never empty");
            let [b, bq, a, aq] = [*bid, *bid_qty, *ask, *ask_qty].map(decimal);
            send(
                format!("{lower}@bookTicker"),
                format!(
                    r#"{{"u":{},"s":"{symbol}","b":"{b}","B":"{bq}","a":"{a}","A":"{aq}"}}"#,
                    book.last_id
                ),
            );
            book.trade_id += 1;
            let (price, sold) = if book.trade_id % 2 == 0 { (a, false) } else { (b, true) };
            send(
                format!("{lower}@trade"),
                format!(
                    r#"{{"e":"trade","E":1700000000123,"s":"{symbol}","t":{},"p":"{price}","q":"5.00000000","T":1700000000122,"m":{sold},"M":true}}"#,
                    book.trade_id
                ),
            );
        }
    }

    fn depth(&self, symbol: &str, limit: usize) -> Option<String> {
        let books = self.books.lock().expect("no panic");
        let book = books.get(symbol)?;
        let level = |(price, qty): (&i64, &i64)| format!(r#"["{}","{}"]"#, decimal(*price), decimal(*qty));
        let bids: Vec<_> = book.bids.iter().rev().take(limit).map(level).collect();
        let asks: Vec<_> = book.asks.iter().take(limit).map(level).collect();
        Some(format!(
            r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#,
            book.last_id,
            bids.join(","),
            asks.join(",")
        ))
    }
}
