//! The bare reader: a non-blocking rustls client that drains plaintext and splits WebSocket frames, and no more.

use algo_trader::net::{Endpoint, TlsClient, TlsSettings};
use algo_trader::pipeline::{StageHistogram, StampClock};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a pass gave.
pub struct Bare {
    /// The same, of the first frame of each read.
    pub first: StageHistogram,
    /// Socket readable to frame split.
    pub latency: StageHistogram,
    /// Frames a second, from the first to the last.
    pub per_second: f64,
    pub frames: u64,
}

/// Reads `expected` frames of `streams`, spinning on the socket.
pub fn read(endpoint: &str, ca: &Path, streams: &str, expected: u64, clock: &StampClock) -> Bare {
    let endpoint = Endpoint::parse(endpoint, "wss").expect("the server's own");
    let tls = TlsClient::new(&TlsSettings { ca_file: Some(ca.into()), accept_any_certificate: false });
    let name = ServerName::try_from(endpoint.host.clone()).expect("a name");
    let mut socket = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).expect("it listens");
    socket.set_nodelay(true).expect("TCP");
    let mut connection = ClientConnection::new(tls.expect("a good file").config(), name).expect("a client");
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).expect("a handshake");
    }
    let request = format!(
        "GET /stream?streams={streams} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        endpoint.authority()
    );
    connection.writer().write_all(request.as_bytes()).expect("room");
    connection.complete_io(&mut socket).expect("written");
    socket.set_nonblocking(true).expect("TCP");
    let mut plain = Plain { bytes: vec![0; 1 << 20], begin: 0, end: 0 };
    let mut latency = StageHistogram::new("bare", "socket readable to frame split");
    let mut first_of_read = latency.clone();
    let (mut frames, mut upgraded) = (0u64, false);
    let (mut first, mut last) = (0, 0);
    let quiet = Duration::from_secs(5);
    let mut heard = Instant::now();
    while frames < expected && heard.elapsed() < quiet {
        let before = clock.raw();
        match connection.read_tls(&mut socket) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        }
        heard = Instant::now();
        connection.process_new_packets().expect("TLS");
        plain.fill(&mut connection);
        if !upgraded {
            upgraded = plain.skip_head();
        }
        let mut is_first = true;
        while upgraded && plain.frame() {
            frames += 1;
            last = clock.raw();
            if std::mem::take(&mut is_first) {
                first_of_read.record(clock.nanos(before, last));
            }
            if first == 0 {
                first = before;
            }
            latency.record(clock.nanos(before, last));
        }
    }
    let seconds = clock.nanos(first, last) as f64 / 1e9;
    Bare { first: first_of_read, latency, per_second: frames as f64 / seconds, frames }
}

struct Plain {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Plain {
    fn fill(&mut self, connection: &mut ClientConnection) {
        loop {
            if self.begin == self.end {
                (self.begin, self.end) = (0, 0);
            } else if self.bytes.len() - self.end < 1 << 16 {
                self.bytes.copy_within(self.begin..self.end, 0);
                (self.begin, self.end) = (0, self.end - self.begin);
            }
            match connection.reader().read(&mut self.bytes[self.end..]) {
                Ok(n) if n > 0 => self.end += n,
                _ => return,
            }
        }
    }

    fn skip_head(&mut self) -> bool {
        let head = self.bytes[self.begin..self.end].windows(4).position(|w| w == b"\r\n\r\n");
        self.begin += head.map_or(0, |at| at + 4);
        head.is_some()
    }

    /// Splits one frame off.
    fn frame(&mut self) -> bool {
        let bytes = &self.bytes[self.begin..self.end];
        let (head, length) = match bytes {
            [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            [_, 127, rest @ ..] => match rest.first_chunk::<8>() {
                Some(length) => (10, u64::from_be_bytes(*length) as usize),
                None => return false,
            },
            [_, length, ..] if *length < 126 => (2, usize::from(*length)),
            _ => return false,
        };
        if bytes.len() < head + length {
            return false;
        }
        std::hint::black_box(&bytes[head..head + length]);
        self.begin += head + length;
        true
    }
}
