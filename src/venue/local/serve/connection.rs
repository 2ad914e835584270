//! One client's connection: what came in, what waits to go out, and whether it is HTTP or a stream by now.
//!
//! Owns: the transport, the queue and its bounds. Knows no market.

use super::super::api::Session as ApiSession;
use super::session::Session;
use super::transport::{Broken, Transport};
use super::websocket::{self, Assembler, Close, Incoming};
use crate::domain::Market;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Input that may wait to be understood, bytes: above the largest message and request there may be.
const INPUT_BYTES_MAX: usize = 2 << 20;
/// How long a connection that is being closed may take to empty its queue and hear the client's goodbye.
const CLOSING: Duration = Duration::from_secs(2);
/// A queue's front is cut off once it is so long, bytes.
const COMPACT_BYTES: usize = 1 << 20;

/// Whom a connection talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Market(Market),
    Admin,
}

/// An answer that is held back.
pub(super) struct Late {
    pub due: Instant,
    pub bytes: Vec<u8>,
    /// The connection ends with it.
    pub last: bool,
}

pub(super) struct Connection {
    pub role: Role,
    pub peer: IpAddr,
    transport: Transport,
    pub input: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// Frames queued since the last write.
    pub batched: usize,
    /// The stream session, once it is a WebSocket.
    pub session: Option<Session>,
    /// What else it is on the WebSocket API.
    pub api: Option<ApiSession>,
    assembler: Assembler,
    /// Nothing more is read; gone when the queue is empty, and at this moment at the latest.
    closing: Option<Instant>,
    /// The queue is emptied before the end, and the client's own goodbye is awaited.
    awaits_close: bool,
    /// Nothing more is heard from it, nor told to it.
    silenced: bool,
    /// An answer that is late on purpose.
    pub late: Option<Late>,
    /// When the socket last took something, or had nothing to take.
    pub progress: Instant,
    /// The socket is full: nothing is tried until it says that it is not.
    pub blocked: bool,
    /// Bytes a trickle still allows; `None`: as many as there are.
    pub allowance: Option<usize>,
}

impl Connection {
    pub fn new(role: Role, peer: IpAddr, transport: Transport, now: Instant) -> Self {
        Self {
            role,
            peer,
            transport,
            input: Vec::new(),
            out: Vec::new(),
            sent: 0,
            batched: 0,
            session: None,
            api: None,
            assembler: Assembler::default(),
            closing: None,
            awaits_close: false,
            silenced: false,
            late: None,
            progress: now,
            blocked: false,
            allowance: None,
        }
    }

    pub fn transport(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// Reads what there is.
    pub fn read(&mut self) -> Result<(), Broken> {
        if self.silenced || (self.closing.is_some() && !self.awaits_close) {
            return Ok(());
        }
        self.transport.read(&mut self.input, INPUT_BYTES_MAX)?;
        // A client that never makes sense is not listened to for ever.
        if self.input.len() >= INPUT_BYTES_MAX { Err(Broken::Gone) } else { Ok(()) }
    }

    /// The next message of a WebSocket client.
    pub fn next_message(&mut self) -> Result<Option<Incoming>, Close> {
        self.assembler.next(&mut self.input)
    }

    /// Where to append what is to be sent.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Bytes that wait.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn flush(&mut self, now: Instant) -> Result<(), Broken> {
        self.batched = 0;
        let end = match self.allowance {
            Some(allowance) => self.out.len().min(self.sent + allowance),
            None => self.out.len(),
        };
        let taken = self.transport.write(&self.out[self.sent..end])?;
        self.sent += taken;
        if let Some(allowance) = &mut self.allowance {
            *allowance -= taken;
        }
        if taken > 0 || self.sent == self.out.len() {
            self.progress = now;
        }
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > COMPACT_BYTES {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        self.blocked = !self.transport.is_flushed() || (self.allowance.is_none() && self.backlog() > 0);
        Ok(())
    }

    /// Ends the connection once its queue is empty.
    pub fn close_after_flush(&mut self, now: Instant) {
        if self.closing.is_none() {
            self.closing = Some(now + CLOSING);
        }
    }

    /// Sends a close frame, and ends the connection when the client answers.
    pub fn close_websocket(&mut self, close: Close, now: Instant) {
        if self.closing.is_none() {
            websocket::write_close(&mut self.out, close);
            self.awaits_close = true;
            self.close_after_flush(now);
        }
    }

    /// Hears and tells nothing more: what was sent before its end is forgotten.
    pub fn silence(&mut self) {
        (self.api, self.silenced) = (None, true);
        self.input.clear();
    }

    /// Whether something can be heard now: it is not silenced, and no answer is held back, since there is one at a time.
    pub fn hears(&self) -> bool {
        !self.silenced && self.late.is_none()
    }

    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// The client has said goodbye.
    pub fn heard_close(&mut self, now: Instant) {
        if self.closing.is_none() {
            websocket::write_close(&mut self.out, Close { code: 1000, reason: "" });
        }
        self.awaits_close = false;
        self.close_after_flush(now);
    }

    /// Whether a connection that is being closed can go.
    pub fn is_finished(&self, now: Instant) -> bool {
        let Some(deadline) = self.closing else { return false };
        let emptied = self.backlog() == 0 && self.transport.is_flushed();
        now >= deadline || (emptied && !self.awaits_close)
    }
}
