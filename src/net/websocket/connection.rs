//! One connection: connecting, TLS, upgrade, open, over.
//!
//! The owner polls; when the socket is ready it calls [`Connection::drive`], which reads once and decrypts all of it,
//! then takes whole messages until there are none. Every buffer is used again: once warm, nothing here allocates.
//! (rustls hands each record over in a vector of its own: one short-lived allocation a record, not a frame.)

use super::error::ConnectionError;
use super::frames::{Frames, Opcode};
use super::upgrade::Upgrade;
use crate::net::endpoint::Endpoint;
use crate::net::tls::TlsClient;
use mio::net::TcpStream;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// What may differ from connection to connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The largest message taken, bytes.
    pub message_bytes_max: u64,
    /// `SO_BUSY_POLL`, µs: the kernel looks at the network card that long before it says that nothing came. 0: off.
    pub busy_poll_us: u32,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self { message_bytes_max: 16 << 20, busy_poll_us: 0 }
    }
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// TCP and TLS.
    Securing,
    /// The upgrade is asked for.
    Upgrading,
    /// Messages flow.
    Open,
}

/// A message, where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// Text; the decoder finds out whether it is UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// A ping; its pong is on its way.
    Ping,
    /// A pong.
    Pong,
}

/// One read takes at most this much; a TLS record has at most 16 KiB and a little more.
const READ_BYTES: usize = 128 << 10;
/// Room that must be left for the next read: a record must fit.
const RECORD_BYTES_MAX: usize = (16 << 10) + 2_048;

/// See the module.
pub struct Connection {
    socket: TcpStream,
    tls: UnbufferedClientConnection,
    endpoint: Endpoint,
    target: String,
    phase: Phase,
    upgrade: Option<Upgrade>,
    /// Encrypted bytes read and not yet decrypted: `received[begin..end]`.
    received: Vec<u8>,
    begin: usize,
    end: usize,
    frames: Frames,
    /// Plain bytes to be encrypted.
    plain_out: Vec<u8>,
    /// Encrypted bytes to be written.
    out: Vec<u8>,
    masks: TlsClient,
    readable: bool,
    ends: bool,
    peer_closed: bool,
    pongs: u64,
    bytes_read: u64,
}

impl Connection {
    /// Begins to connect to `address`, whose certificate must be for `endpoint`'s host, and to upgrade at `target`.
    ///
    /// # Errors
    /// [`ConnectionError`] where not even a beginning can be made.
    pub fn connect(
        endpoint: &Endpoint,
        address: SocketAddr,
        target: &str,
        tls: &TlsClient,
        settings: ConnectionSettings,
    ) -> Result<Self, ConnectionError> {
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|_| ConnectionError::Resolve(format!("{:?} is no name of a server", endpoint.host)))?;
        let socket = TcpStream::connect(address)?;
        // Small messages must not wait for more of them.
        socket.set_nodelay(true)?;
        if settings.busy_poll_us > 0
            && let Err(error) = socket2::SockRef::from(&socket).set_busy_poll(settings.busy_poll_us)
        {
            log::warn!("SO_BUSY_POLL is not allowed here ({error}); connections work without it");
        }
        Ok(Self {
            socket,
            tls: UnbufferedClientConnection::new(tls.config(), name)?,
            endpoint: endpoint.clone(),
            target: target.to_owned(),
            phase: Phase::Securing,
            upgrade: None,
            received: vec![0; READ_BYTES + RECORD_BYTES_MAX],
            begin: 0,
            end: 0,
            frames: Frames::new(settings.message_bytes_max),
            plain_out: Vec::with_capacity(1 << 10),
            out: Vec::with_capacity(4 << 10),
            masks: tls.clone(),
            readable: false,
            ends: false,
            peer_closed: false,
            pongs: 0,
            bytes_read: 0,
        })
    }

    /// What to register with the poll, for reading and writing, edge-triggered.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Pings answered.
    #[must_use]
    pub fn pongs(&self) -> u64 {
        self.pongs
    }

    /// Encrypted bytes read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The poll said that the socket has something; `ends` if it also said that nothing will follow.
    #[inline]
    pub fn set_readable(&mut self, ends: bool) {
        self.readable = true;
        self.ends |= ends;
    }

    /// Whether there may be more to read without the poll saying so again.
    #[inline]
    #[must_use]
    pub fn wants_drive(&self) -> bool {
        self.readable
    }

    /// Whether bytes wait to be written.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.out.is_empty()
    }

    /// [`receive`](Self::receive) and [`digest`](Self::digest) in one. Says whether any bytes came.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over. Messages that came before are still handed out.
    pub fn drive(&mut self) -> Result<bool, ConnectionError> {
        let received = self.receive()?;
        self.digest()?;
        Ok(received > 0)
    }

    /// Decrypts what was received, moves the handshake on and writes what waits. Messages are then taken with
    /// [`next_message`](Self::next_message).
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over. Messages that came before are still handed out.
    #[inline]
    pub fn digest(&mut self) -> Result<(), ConnectionError> {
        self.decrypt()?;
        if self.phase == Phase::Upgrading {
            self.judge_upgrade()?;
        }
        if !self.out.is_empty() {
            self.write()?;
        }
        Ok(())
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    #[inline]
    pub fn next_message(&mut self) -> Result<Option<Incoming<'_>>, ConnectionError> {
        if self.phase != Phase::Open {
            return Ok(None);
        }
        let Some((opcode, place)) = self.frames.advance()? else {
            return if self.peer_closed { Err(self.ended()) } else { Ok(None) };
        };
        match opcode {
            Opcode::Text => Ok(Some(Incoming::Text(self.frames.payload(&place)))),
            Opcode::Binary => Ok(Some(Incoming::Binary(self.frames.payload(&place)))),
            Opcode::Pong => Ok(Some(Incoming::Pong)),
            Opcode::Ping => {
                let pong = Frame::pong(self.frames.payload(&place).to_vec());
                self.queue(pong)?;
                self.pongs += 1;
                self.flush()?;
                Ok(Some(Incoming::Ping))
            }
            Opcode::Close => {
                let code = self
                    .frames
                    .payload(&place)
                    .first_chunk::<2>()
                    .map_or(1005, |code| u16::from_be_bytes(*code));
                // The answer is a courtesy: what became of it changes nothing.
                let _ = self.queue(Frame::close(None)).and_then(|()| self.flush());
                Err(ConnectionError::Closed(code))
            }
        }
    }

    /// Sends a text message, or queues what the socket does not take at once.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    pub fn send_text(&mut self, text: &str) -> Result<(), ConnectionError> {
        self.queue(Frame::message(text.as_bytes().to_vec(), OpCode::Data(Data::Text), true))?;
        self.flush()
    }

    /// Says goodbye, as far as the socket takes it at once. Drop the connection afterwards.
    pub fn close(&mut self) {
        if self.phase == Phase::Open {
            // Whoever closes does not wait for the other side to hear of it.
            let _ = self.queue(Frame::close(None)).and_then(|()| self.flush());
        }
    }

    fn queue(&mut self, mut frame: Frame) -> Result<(), ConnectionError> {
        let mut mask = [0; 4];
        self.masks.random(&mut mask)?;
        frame.header_mut().mask = Some(mask);
        frame
            .format(&mut self.plain_out)
            .map_err(|_| ConnectionError::Protocol("a frame could not be written"))
    }

    fn flush(&mut self) -> Result<(), ConnectionError> {
        self.decrypt()?;
        self.write()
    }

    /// Reads once, if the poll said that there is something. Says how many bytes came.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over. Messages that came before are still handed out.
    #[inline]
    pub fn receive(&mut self) -> Result<usize, ConnectionError> {
        if !self.readable {
            return Ok(0);
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.received.len() - self.end < RECORD_BYTES_MAX {
            self.received.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        let room = &mut self.received[self.end..];
        let asked = room.len();
        match self.socket.read(room) {
            Ok(0) => {
                self.readable = false;
                self.peer_closed = true;
                if self.phase != Phase::Open {
                    return Err(ConnectionError::Ended);
                }
                Ok(0)
            }
            Ok(n) => {
                // Less than asked for: the socket is empty, and the poll will tell of more. It has told of the end
                // already where that came with the last bytes.
                self.readable = n == asked || self.ends;
                self.end += n;
                self.bytes_read += n as u64;
                Ok(n)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                self.readable = false;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs TLS until it wants more bytes.
    fn decrypt(&mut self) -> Result<(), ConnectionError> {
        loop {
            let status = self.tls.process_tls_records(&mut self.received[self.begin..self.end]);
            let mut discard = status.discard;
            let mut wait = false;
            let mut failed = None;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.frames.extend(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    grow_until(&mut self.out, 1 << 10, |room| match data.encode(room) {
                        Ok(written) => Ok(Ok(written)),
                        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                            Err(required_size)
                        }
                        Err(error) => Ok(Err(ConnectionError::Tls(error.to_string()))),
                    })?;
                }
                // What was encoded is in `out`, which keeps its order; nothing waits for it here.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    if self.phase == Phase::Securing {
                        let (request, upgrade) = Upgrade::request(&self.endpoint, &self.target);
                        self.plain_out.extend_from_slice(&request);
                        self.upgrade = Some(upgrade);
                        self.phase = Phase::Upgrading;
                    }
                    if self.plain_out.is_empty() {
                        wait = true;
                    } else {
                        let plain = &self.plain_out;
                        grow_until(&mut self.out, plain.len() + 256, |room| {
                            match traffic.encrypt(plain, room) {
                                Ok(written) => Ok(Ok(written)),
                                Err(EncryptError::InsufficientSize(InsufficientSizeError {
                                    required_size,
                                })) => Err(required_size),
                                Err(error) => Ok(Err(ConnectionError::Tls(error.to_string()))),
                            }
                        })?;
                        self.plain_out.clear();
                    }
                }
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(_) => wait = true,
                Err(error) => failed = Some(error),
            }
            self.begin += discard;
            if let Some(error) = failed {
                self.send_alert();
                return Err(error.into());
            }
            if wait {
                return Ok(());
            }
        }
    }

    /// After a failure TLS has an alert to send, so that the other side's log says why.
    fn send_alert(&mut self) {
        let status = self.tls.process_tls_records(&mut self.received[self.begin..self.end]);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
            let mut room = [0; 256];
            if let Ok(written) = data.encode(&mut room) {
                let _ = self.socket.write(&room[..written]);
            }
        }
    }

    fn judge_upgrade(&mut self) -> Result<(), ConnectionError> {
        let Some(upgrade) = &self.upgrade else { return Ok(()) };
        if let Some(length) = upgrade.answered(self.frames.pending())? {
            self.frames.consume(length);
            self.upgrade = None;
            self.phase = Phase::Open;
        } else if self.peer_closed {
            return Err(ConnectionError::Ended);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), ConnectionError> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(0) => return Err(ConnectionError::Reset),
                Ok(n) => {
                    self.out.drain(..n);
                }
                // Not connected yet, or the other side does not read: the poll says when to go on.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn ended(&self) -> ConnectionError {
        if self.frames.partial() || self.begin < self.end {
            ConnectionError::Truncated
        } else {
            ConnectionError::Ended
        }
    }
}

/// Appends what `write` makes to `out`, giving it more room until it is enough.
fn grow_until(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<Result<usize, ConnectionError>, usize>,
) -> Result<(), ConnectionError> {
    let at = out.len();
    let mut room = room;
    loop {
        out.resize(at + room, 0);
        match write(&mut out[at..]) {
            Ok(Ok(written)) => {
                out.truncate(at + written);
                return Ok(());
            }
            Ok(Err(error)) => {
                out.truncate(at);
                return Err(error);
            }
            Err(required) => room = required.max(room + 1),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection to {}{} ({:?})", self.endpoint, self.target, self.phase)
    }
}
