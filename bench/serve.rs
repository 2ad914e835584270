//! Frames a second from the local venue to one client over TLS, beside a bare rustls writer of the same frames.
//!
//! Both write to the same reader: a blocking rustls client that counts frames by their headers and looks at nothing
//! else. The peer writes WebSocket frames made beforehand, so many to a TLS write; the venue reads its origin, keeps
//! its book, trades and bars, frames each message, and serves it. The sockets, the reader and the machine are the same.
//!
//!     cargo bench --bench serve [-- --rounds N --json]

use algo_trader::domain::{Market, Time};
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use algo_trader::venue::local::serve::{AtEnd, Pace, Server, ServerOptions, Tls};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

mod support;
use support::{Rounds, argument, host, number, wants_json};

const PATH: &str = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms/\
                    ethusdt@trade/ethusdt@bookTicker/ethusdt@depth@100ms";

/// Frames held in memory, so that making them is not measured.
#[derive(Clone)]
struct Held {
    sources: Vec<SourceInfo>,
    frames: Arc<Vec<(u16, Vec<u8>)>>,
    next: usize,
}

impl FrameSource for Held {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let Some((source, bytes)) = self.frames.get(self.next) else { return Ok(None) };
        self.next += 1;
        Ok(Some(Frame { received: Time(self.next as u64), source: SourceId(*source), line: 0, bytes }))
    }
}

fn held(count: usize) -> Held {
    let mut config = FlowConfig::new(1, demo_instruments());
    config.duration = Duration::from_secs(1_000_000);
    let mut source = FlowSource::new(&config).expect("the configuration is one of the crate's own");
    let sources = source.sources().to_vec();
    let mut frames = Vec::with_capacity(count);
    while frames.len() < count {
        let frame = source.next_frame().expect("a generator has no errors").expect("it goes on");
        if sources[usize::from(frame.source.0)].market == Market::Spot {
            frames.push((frame.source.0, frame.bytes.to_vec()));
        }
    }
    Held { sources, frames: Arc::new(frames), next: 0 }
}

/// Counts WebSocket frames by their headers.
#[derive(Default)]
struct Counter {
    header: Vec<u8>,
    skip: usize,
    frames: usize,
}

impl Counter {
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            (self.skip, bytes) = (self.skip - skipped, &bytes[skipped..]);
            while !bytes.is_empty() && self.skip == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                let h = &self.header;
                let length = match h.get(1).map(|second| second & 0x7F) {
                    Some(126) if h.len() == 4 => usize::from(u16::from_be_bytes([h[2], h[3]])),
                    Some(127) if h.len() == 10 => {
                        h[2..].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
                    }
                    Some(short) if short < 126 => usize::from(short),
                    _ => continue,
                };
                self.frames += usize::from(h[0] & 0x0F == 1);
                self.skip = length;
                self.header.clear();
            }
        }
    }
}

/// Reads `count` frames after an upgrade; seconds from the first byte of them to the last.
fn read(address: SocketAddr, ca_pem: &str, count: usize) -> f64 {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::new(config), name).expect("a configuration");
    let socket = TcpStream::connect(address).expect("it listens");
    let mut wire = rustls::StreamOwned::new(tls, socket);
    let upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13";
    write!(wire, "GET {PATH} HTTP/1.1\r\n{upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        .expect("sent");
    let (mut room, mut head) = (vec![0; 256 * 1024], Vec::new());
    let mut counter = Counter::default();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let began = Instant::now();
    while counter.frames < count {
        let n = wire.read(&mut room).expect("frames");
        counter.take(&room[..n]);
    }
    began.elapsed().as_secs_f64()
}

/// The bare writer: frames made beforehand, `batch` of them a TLS write.
fn bare(held: &Held, batch: usize) -> f64 {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], private).expect("they fit");
    let mut writes: Vec<Vec<u8>> = Vec::new();
    for frames in held.frames.chunks(batch) {
        let mut write = Vec::new();
        for (_, frame) in frames {
            let length = frame.len();
            match length {
                0..126 => write.extend_from_slice(&[0x81, length as u8]),
                126..65_536 => {
                    write.extend_from_slice(&[0x81, 126]);
                    write.extend_from_slice(&(length as u16).to_be_bytes());
                }
                _ => {
                    write.extend_from_slice(&[0x81, 127]);
                    write.extend_from_slice(&(length as u64).to_be_bytes());
                }
            }
            write.extend_from_slice(frame);
        }
        writes.push(write);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let writer = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a client");
        socket.set_nodelay(true).expect("a socket");
        let tls = ServerConnection::new(Arc::new(config)).expect("a configuration");
        let mut wire = rustls::StreamOwned::new(tls, socket);
        let mut room = [0; 4_096];
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let n = wire.read(&mut room).expect("a request");
            request.extend_from_slice(&room[..n]);
        }
        wire.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").expect("sent");
        for write in &writes {
            wire.write_all(write).expect("sent");
            wire.flush().expect("sent");
        }
        // The reader goes first.
        let _ = wire.read(&mut room);
    });
    // A self-signed certificate is its own authority.
    let took = read(address, &certificate.pem(), held.frames.len());
    writer.join().expect("no panic");
    took
}

fn served(held: &Held, batch: usize) -> f64 {
    let mut options = ServerOptions::recorded(Box::new(held.clone()), demo_instruments());
    options.markets = vec![Market::Spot];
    (options.pace, options.tls, options.at_end) = (Pace::Max, Tls::Good, AtEnd::StayOpen);
    (options.batch, options.wait_for_clients) = (batch, 1);
    let venue = Server::start(options).expect("the venue starts");
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    // Snapshots are not sent.
    let frames = held.frames.iter().filter(|(_, frame)| frame.starts_with(b"{\"stream\"")).count();
    let took = read(endpoint.address, venue.ca_pem().expect("TLS"), frames);
    assert_eq!(venue.stop().expect("no panic").frames_sent, frames as u64);
    took
}

fn main() {
    let rounds = number("--rounds", 5);
    let mut rows = Vec::new();
    for batch in [1, 32] {
        let count = if batch == 1 { 100_000 } else { 1_000_000 };
        let held = held(number("--frames", count));
        let (mut venue, mut peer, mut ratio) = (Rounds::default(), Rounds::default(), Rounds::default());
        for _ in 0..rounds {
            let (a, b) = (
                held.frames.len() as f64 / served(&held, batch),
                held.frames.len() as f64 / bare(&held, batch),
            );
            venue.push(a);
            peer.push(b);
            ratio.push(a / b);
        }
        rows.push((batch, venue.median(), peer.median(), ratio.median()));
    }
    if wants_json() {
        let row = |(batch, venue, peer, ratio): &(usize, f64, f64, f64)| {
            format!(r#"{{"batch":{batch},"venue":{venue:.0},"bare":{peer:.0},"ratio":{ratio:.3}}}"#)
        };
        println!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(","));
        return;
    }
    println!("{}; medians of {rounds} rounds, frames a second to one client over TLS", host());
    for (batch, venue, peer, ratio) in rows {
        println!("batch {batch:>2}: venue {venue:>9.0}, bare rustls writer {peer:>9.0}, ratio {ratio:.2}");
    }
    if argument("--help").is_some() {
        println!("--rounds N  --frames N  --json");
    }
}
