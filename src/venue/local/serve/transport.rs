//! A client's socket, with TLS or without: bytes in, bytes out, never waiting.
//!
//! Owns: the TCP stream and the TLS session on it. Knows no protocol above. Invariant: nothing new is encrypted while
//! ciphertext waits for the socket, so what a slow client costs stays in the caller's own, bounded queue.

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// Plaintext encrypted at once, at most.
const CHUNK_BYTES: usize = 64 * 1024;
/// A fatal TLS 1.1 alert: protocol_version (70).
const OLD_PROTOCOL_ALERT: [u8; 7] = [0x15, 0x03, 0x02, 0x00, 0x02, 0x02, 0x46];
/// A TLS 1.1 `ServerHello` (RFC 4346, 7.4.1.3): a random that is all zero, no session, RSA with AES-128-CBC and SHA-1,
/// no compression.
const TLS_1_1_HELLO: [u8; 47] = {
    let mut hello = [0; 47];
    // The record's head, the handshake message's head, the version.
    let head = [0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    hello[45] = 0x2f;
    hello
};

pub(super) enum Session {
    Plain,
    Tls(Box<ServerConnection>),
    /// Answers any greeting with this, and hears no more of it.
    Answers(&'static [u8]),
}

impl Session {
    pub const OLD_PROTOCOL: Self = Self::Answers(&OLD_PROTOCOL_ALERT);
    pub const TLS_1_1: Self = Self::Answers(&TLS_1_1_HELLO);

    pub fn tls(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = ServerConnection::new(config)?;
        connection.set_buffer_limit(None);
        Ok(Self::Tls(Box::new(connection)))
    }
}

/// Why a transport is of no more use.
#[derive(Debug)]
pub(super) enum Broken {
    /// The client closed it, or the network did.
    Gone,
    /// TLS failed: the greeting was none, or the client refused the certificate.
    Tls,
}

pub(super) struct Transport {
    pub stream: TcpStream,
    session: Session,
}

impl Transport {
    pub fn new(stream: TcpStream, session: Session) -> Self {
        Self { stream, session }
    }

    /// Reads all there is into `input`, stopping at `limit` bytes there.
    pub fn read(&mut self, input: &mut Vec<u8>, limit: usize) -> Result<(), Broken> {
        let mut room = [0u8; 16 * 1024];
        while input.len() < limit {
            match &mut self.session {
                Session::Plain => match self.stream.read(&mut room) {
                    Ok(0) => return Err(Broken::Gone),
                    Ok(n) => input.extend_from_slice(&room[..n]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Err(Broken::Gone),
                },
                Session::Answers(answer) => match self.stream.read(&mut room) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Ok(n) if n > 0 => {
                        // The client learns it from the answer; if that is lost, from the end.
                        let _ = self.stream.write(answer);
                        return Err(Broken::Tls);
                    }
                    _ => return Err(Broken::Gone),
                },
                Session::Tls(tls) => {
                    match tls.read_tls(&mut self.stream) {
                        Ok(0) => return Err(if tls.is_handshaking() { Broken::Tls } else { Broken::Gone }),
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.write_tls(),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(_) => return Err(if tls.is_handshaking() { Broken::Tls } else { Broken::Gone }),
                    }
                    let Ok(state) = tls.process_new_packets() else {
                        // The alert says why; losing it changes nothing.
                        let _ = self.write_tls();
                        return Err(Broken::Tls);
                    };
                    let mut left = state.plaintext_bytes_to_read();
                    while left > 0 {
                        match tls.reader().read(&mut room) {
                            Ok(n) if n > 0 => {
                                input.extend_from_slice(&room[..n]);
                                left -= n.min(left);
                            }
                            _ => break,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Offers bytes; returns how many were taken, which is fewer than given once the socket is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut taken = 0;
        loop {
            match &mut self.session {
                Session::Answers(_) => return Ok(bytes.len()),
                Session::Plain => match self.stream.write(&bytes[taken..]) {
                    Ok(n) => taken += n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Err(Broken::Gone),
                },
                Session::Tls(_) => {
                    self.write_tls()?;
                    let Session::Tls(tls) = &mut self.session else { return Ok(taken) };
                    if tls.wants_write() || tls.is_handshaking() || taken == bytes.len() {
                        return Ok(taken);
                    }
                    let chunk = &bytes[taken..bytes.len().min(taken + CHUNK_BYTES)];
                    taken += tls.writer().write(chunk).map_err(|_| Broken::Gone)?;
                    continue;
                }
            }
            if taken == bytes.len() {
                return Ok(taken);
            }
        }
    }

    /// Whether everything taken has reached the socket.
    pub fn is_flushed(&self) -> bool {
        !matches!(&self.session, Session::Tls(tls) if tls.wants_write())
    }

    /// Says goodbye in an orderly way, where there is TLS.
    pub fn close(&mut self) {
        if let Session::Tls(tls) = &mut self.session {
            tls.send_close_notify();
            // What does not fit is lost: the end of the connection says the same.
            let _ = self.write_tls();
        }
        // Only fails where the client has closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn write_tls(&mut self) -> Result<(), Broken> {
        let Session::Tls(tls) = &mut self.session else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Ok(0) => return Err(Broken::Gone),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken::Gone),
            }
        }
        Ok(())
    }
}
