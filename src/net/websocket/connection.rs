//! One connection: TLS, upgrade, open, over.
//!
//! The owner polls; when the socket is ready it reads once ([`Connection::receive`]), decrypts the first record
//! ([`Connection::digest`]), then takes whole messages until there are none, which decrypts the others one by one.

use super::error::ConnectionError;
use super::frames::{Frames, Opcode};
use super::mask::{Masks, mask};
use super::secure::Secure;
use super::upgrade::Upgrade;
use crate::net::endpoint::Endpoint;
use crate::net::said::said;
use crate::net::tls::TlsClient;
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// While so much waits that the other side does not take, pings get no pong: it is enough to answer the latest (RFC
/// 6455, 5.5.3), and a flood of them must not fill the memory.
const WAITING_BYTES_MAX: usize = 64 << 10;
/// Pings left so, header and all, after which the other side is given up.
const UNANSWERED_BYTES_MAX: usize = 1 << 20;
/// What a ping takes besides its payload.
const PING_HEADER_BYTES: usize = 2;

/// What may differ from connection to connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The largest message taken, bytes.
    pub message_bytes_max: u64,
    /// `SO_BUSY_POLL`, µs: the kernel looks at the network card that long before it says that nothing came. 0: off.
    pub busy_poll_us: u32,
    /// Ask the kernel when bytes came (`SO_TIMESTAMPNS`): exact, for some 200 ns more a read.
    pub kernel_stamps: bool,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self { message_bytes_max: 16 << 20, busy_poll_us: 0, kernel_stamps: false }
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
    /// A ping; its pong is on its way, unless the other side takes nothing.
    Ping,
    /// A pong.
    Pong,
}

/// See the module.
pub struct Connection {
    secure: Secure,
    frames: Frames,
    endpoint: Endpoint,
    target: String,
    phase: Phase,
    upgrade: Option<Upgrade>,
    masks: Masks,
    pongs: u64,
    /// Bytes of pings since the last that was answered.
    unanswered: usize,
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
        Ok(Self {
            secure: Secure::connect(address, name, tls, settings)?,
            frames: Frames::new(settings.message_bytes_max),
            endpoint: endpoint.clone(),
            target: target.to_owned(),
            phase: Phase::Securing,
            upgrade: None,
            masks: Masks::new(tls),
            pongs: 0,
            unanswered: 0,
        })
    }

    /// What to register with the poll, for reading and writing, edge-triggered.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.secure.socket
    }

    /// When the kernel received the last bytes that were read, ns since 1970 by the host's clock; `None` where that was
    /// not asked for, or the kernel does not say.
    #[inline]
    #[must_use]
    pub fn stamp_ns(&self) -> Option<u64> {
        self.secure.stamp_ns
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
        self.secure.bytes_read
    }

    /// The poll said that the socket has something; `ends` if it also said that nothing will follow.
    #[inline]
    pub fn set_readable(&mut self, ends: bool) {
        self.secure.set_readable(ends);
    }

    /// Whether there may be more to read without the poll saying so again.
    #[inline]
    #[must_use]
    pub fn wants_drive(&self) -> bool {
        self.secure.is_readable()
    }

    /// Whether bytes wait to be written.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.secure.wants_write()
    }

    /// Reads once, if the poll said that there is something. Says how many bytes came.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over. Messages that came before are still handed out.
    #[inline]
    pub fn receive(&mut self) -> Result<usize, ConnectionError> {
        let received = self.secure.receive()?;
        if self.secure.peer_closed && self.phase == Phase::Securing {
            // An alert may be among the last bytes: it says more than the end does.
            self.secure.process(&mut self.frames)?;
            return Err(ConnectionError::Ended);
        }
        Ok(received)
    }

    /// Decrypts the first record received, moves the handshake on and writes what waits. Messages are then taken with
    /// [`next_message`](Self::next_message).
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over. Messages that came before are still handed out.
    #[inline]
    pub fn digest(&mut self) -> Result<(), ConnectionError> {
        if self.phase == Phase::Open {
            self.secure.process_record(&mut self.frames)?;
        } else {
            self.secure.process(&mut self.frames)?;
        }
        match self.phase {
            Phase::Open => {}
            Phase::Securing if self.secure.established => self.ask_for_upgrade()?,
            Phase::Securing => {}
            Phase::Upgrading => self.judge_upgrade()?,
        }
        if self.secure.wants_write() {
            self.secure.write()?;
        }
        Ok(())
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

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    #[inline]
    pub fn next_message(&mut self) -> Result<Option<Incoming<'_>>, ConnectionError> {
        if self.phase != Phase::Open {
            return Ok(None);
        }
        let (opcode, place) = loop {
            if let Some(message) = self.frames.advance()? {
                break message;
            }
            let more = self.secure.undecrypted() && self.secure.process_record(&mut self.frames)?;
            if !more {
                return if self.secure.peer_closed { Err(self.ended()) } else { Ok(None) };
            }
        };
        match opcode {
            Opcode::Text => Ok(Some(Incoming::Text(self.frames.payload(&place)))),
            Opcode::Binary => Ok(Some(Incoming::Binary(self.frames.payload(&place)))),
            Opcode::Pong => Ok(Some(Incoming::Pong)),
            Opcode::Ping => {
                let payload = self.frames.payload(&place);
                if self.secure.waiting() > WAITING_BYTES_MAX {
                    self.unanswered += PING_HEADER_BYTES + payload.len();
                    let given_up = self.unanswered > UNANSWERED_BYTES_MAX;
                    let error = ConnectionError::Protocol("pings without end, and their pongs are not taken");
                    return if given_up { Err(error) } else { Ok(Some(Incoming::Ping)) };
                }
                self.unanswered = 0;
                let frame = (OpCode::Control(Control::Pong), payload);
                append_frame(frame, &mut self.masks, &mut self.secure.plain_out)?;
                self.seal()?;
                self.flush()?;
                self.pongs += 1;
                Ok(Some(Incoming::Ping))
            }
            Opcode::Close => {
                let error = closed(self.frames.payload(&place));
                // The answer is a courtesy: what became of it changes nothing.
                let _ = self.send(OpCode::Control(Control::Close), &[]);
                Err(error)
            }
        }
    }

    /// Sends a text message, or queues what the socket does not take at once.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    pub fn send_text(&mut self, text: &str) -> Result<(), ConnectionError> {
        self.queue_text(text.as_bytes())?;
        self.seal()?;
        self.flush()
    }

    /// Sends a ping, or queues it: whoever lives answers it.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    pub fn ping(&mut self) -> Result<(), ConnectionError> {
        self.send(OpCode::Control(Control::Ping), &[])
    }

    /// Frames and masks a text message, which must be UTF-8: the first of the three steps of
    /// [`send_text`](Self::send_text), for an owner that measures them or sends several messages in one record.
    ///
    /// # Errors
    /// [`ConnectionError`] where the operating system has no random numbers left.
    #[inline]
    pub fn queue_text(&mut self, text: &[u8]) -> Result<(), ConnectionError> {
        append_frame((OpCode::Data(Data::Text), text), &mut self.masks, &mut self.secure.plain_out)
    }

    /// Encrypts what was queued; the second step.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    #[inline]
    pub fn seal(&mut self) -> Result<(), ConnectionError> {
        self.secure.process(&mut self.frames)
    }

    /// Hands what was encrypted to the socket, as far as it takes it at once; the last step. What is left goes when the
    /// poll says so.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection is over.
    #[inline]
    pub fn flush(&mut self) -> Result<(), ConnectionError> {
        self.secure.write()
    }

    /// Says goodbye, as far as the socket takes it at once. Drop the connection afterwards.
    pub fn close(&mut self) {
        if self.phase == Phase::Open {
            // Whoever closes does not wait for the other side to hear of it.
            let _ = self.send(OpCode::Control(Control::Close), &[]);
        }
    }

    fn send(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), ConnectionError> {
        append_frame((opcode, payload), &mut self.masks, &mut self.secure.plain_out)?;
        self.seal()?;
        self.flush()
    }

    fn ask_for_upgrade(&mut self) -> Result<(), ConnectionError> {
        let (request, upgrade) = Upgrade::request(&self.endpoint, &self.target);
        self.secure.plain_out.extend_from_slice(&request);
        self.upgrade = Some(upgrade);
        self.phase = Phase::Upgrading;
        self.secure.process(&mut self.frames)
    }

    fn judge_upgrade(&mut self) -> Result<(), ConnectionError> {
        let Some(upgrade) = &self.upgrade else { return Ok(()) };
        if let Some(length) = upgrade.answered(self.frames.pending())? {
            self.frames.consume(length);
            self.upgrade = None;
            self.phase = Phase::Open;
        } else if self.secure.peer_closed {
            return Err(ConnectionError::Ended);
        }
        Ok(())
    }

    fn ended(&self) -> ConnectionError {
        let partial = self.frames.partial() || self.secure.partial();
        if partial { ConnectionError::Truncated } else { ConnectionError::Ended }
    }
}

/// What a close frame says: a code and a reason, each if it is given (RFC 6455, 5.5.1).
fn closed(payload: &[u8]) -> ConnectionError {
    let (code, reason) = match payload.split_first_chunk::<2>() {
        Some((code, reason)) => (Some(u16::from_be_bytes(*code)), reason),
        None => (None, &[][..]),
    };
    // The frame has room for no more than 123 bytes.
    ConnectionError::Closed { code, reason: said(reason, 125) }
}

/// Adds a whole frame to `out`, masked in place: nothing is allocated while `out` has room.
#[inline]
fn append_frame(
    (opcode, payload): (OpCode, &[u8]),
    masks: &mut Masks,
    out: &mut Vec<u8>,
) -> Result<(), ConnectionError> {
    let key = masks.next()?;
    let header = FrameHeader { opcode, mask: Some(key), ..FrameHeader::default() };
    let written = header.format(payload.len() as u64, out);
    written.map_err(|_| ConnectionError::Protocol("a frame could not be written"))?;
    let at = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[at..], key);
    Ok(())
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection to {}{} ({:?})", self.endpoint, self.target, self.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_is_told_with_its_code_and_reason_or_without() {
        let told = |payload: &[u8]| closed(payload).to_string();
        assert_eq!(told(b""), "the server closed it, without a code");
        assert_eq!(told(&1001u16.to_be_bytes()), "the server closed it (code 1001)");
        assert_eq!(
            told(b"\x03\xf0Too many\nrequests"),
            "the server closed it (code 1008: Too many requests)"
        );
    }
}
