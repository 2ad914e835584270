//! TLS over a socket that never blocks: encrypted bytes in, plain ones out, and the other way round.
//!
//! Every buffer is used again: once warm, nothing here allocates. (rustls hands each record over in a vector of its
//! own: one short-lived allocation a record, not a frame.)

use super::connection::ConnectionSettings;
use super::error::ConnectionError;
use super::frames::Frames;
use super::stamp::Stamps;
use crate::net::tls::TlsClient;
use mio::net::TcpStream;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

/// One read takes at most this much: some ten frames, so system calls stay rare. With 16 KiB, the first frame of a burst
/// waits for forty to be copied, and every other socket for forty to be handled.
const READ_BYTES: usize = 4 << 10;
/// A TLS record has at most 16 KiB and a little more.
const RECORD_BYTES_MAX: usize = (16 << 10) + 2_048;

/// See the module.
pub(super) struct Secure {
    pub socket: TcpStream,
    tls: UnbufferedClientConnection,
    /// Encrypted bytes read and not yet decrypted: `received[begin..end]`.
    received: Vec<u8>,
    begin: usize,
    end: usize,
    /// Plain bytes to be encrypted.
    pub plain_out: Vec<u8>,
    /// Encrypted bytes to be written.
    out: Vec<u8>,
    readable: bool,
    ends: bool,
    /// Whether a whole record may wait among what was read.
    undecrypted: bool,
    /// Whether the handshake is done.
    pub established: bool,
    /// Whether the other side will send nothing more.
    pub peer_closed: bool,
    pub bytes_read: u64,
    /// The kernel's receive times, where they are wanted and there.
    stamps: Option<Stamps>,
    /// The last read's, ns since 1970.
    pub stamp_ns: Option<u64>,
}

impl Secure {
    pub fn connect(
        address: SocketAddr,
        name: ServerName<'static>,
        tls: &TlsClient,
        settings: ConnectionSettings,
    ) -> Result<Self, ConnectionError> {
        let socket = TcpStream::connect(address)?;
        // Small messages must not wait for more of them.
        socket.set_nodelay(true)?;
        if settings.busy_poll_us > 0
            && let Err(error) = socket2::SockRef::from(&socket).set_busy_poll(settings.busy_poll_us)
        {
            log::warn!("SO_BUSY_POLL is not allowed here ({error}); connections work without it");
        }
        let stamps = if settings.kernel_stamps { Stamps::of(&socket) } else { None };
        Ok(Self {
            socket,
            tls: UnbufferedClientConnection::new(tls.config(), name)?,
            received: vec![0; READ_BYTES + 2 * RECORD_BYTES_MAX],
            begin: 0,
            end: 0,
            plain_out: Vec::with_capacity(1 << 10),
            out: Vec::with_capacity(4 << 10),
            readable: false,
            ends: false,
            undecrypted: false,
            established: false,
            peer_closed: false,
            bytes_read: 0,
            stamps,
            stamp_ns: None,
        })
    }

    #[inline]
    pub fn set_readable(&mut self, ends: bool) {
        self.readable = true;
        self.ends |= ends;
    }

    #[inline]
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    #[inline]
    pub fn wants_write(&self) -> bool {
        !self.out.is_empty()
    }

    /// Encrypted bytes that the socket did not take yet.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Whether a record is there in part.
    pub fn partial(&self) -> bool {
        self.begin < self.end
    }

    /// Reads once, if the poll said that there is something.
    #[inline]
    pub fn receive(&mut self) -> Result<usize, ConnectionError> {
        if !self.readable {
            return Ok(0);
        }
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        } else if self.received.len() - self.end < READ_BYTES {
            self.received.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        let asked = READ_BYTES.min(self.received.len() - self.end);
        let room = &mut self.received[self.end..self.end + asked];
        let read = match &mut self.stamps {
            None => self.socket.read(room),
            Some(stamps) => stamps.read(&self.socket, room).map(|(n, stamp_ns)| {
                self.stamp_ns = stamp_ns;
                n
            }),
        };
        match read {
            Ok(0) => {
                self.readable = false;
                self.peer_closed = true;
                Ok(0)
            }
            Ok(n) => {
                // Less than asked for: the socket is empty, and the poll will tell of more. It has told of the end
                // already where that came with the last bytes.
                self.readable = n == asked || self.ends;
                self.end += n;
                self.undecrypted = true;
                self.bytes_read += n as u64;
                Ok(n)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                self.readable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether [`process_record`](Self::process_record) may find something.
    #[inline]
    pub fn undecrypted(&self) -> bool {
        self.undecrypted
    }

    /// Runs TLS until it wants more bytes: what was decrypted is added to `plain`.
    pub fn process(&mut self, plain: &mut Frames) -> Result<(), ConnectionError> {
        while self.process_record(plain)? {}
        Ok(())
    }

    /// Runs TLS until one record was decrypted, or until it wants more bytes; says whether one was. Of a burst the
    /// first frames are on their way before the last are decrypted.
    pub fn process_record(&mut self, plain: &mut Frames) -> Result<bool, ConnectionError> {
        loop {
            let mut decrypted = false;
            let status = self.tls.process_tls_records(&mut self.received[self.begin..self.end]);
            let mut discard = status.discard;
            let mut wait = false;
            let mut failed = None;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend(record.payload);
                        decrypted = true;
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
                    self.established = true;
                    if self.plain_out.is_empty() {
                        wait = true;
                    } else {
                        let text = &self.plain_out;
                        grow_until(&mut self.out, text.len() + 256, |room| {
                            match traffic.encrypt(text, room) {
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
                self.undecrypted = false;
                return Err(error.into());
            }
            if wait {
                self.undecrypted = false;
                return Ok(false);
            }
            if decrypted {
                return Ok(true);
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

    /// Writes what the socket takes at once.
    pub fn write(&mut self) -> Result<(), ConnectionError> {
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
