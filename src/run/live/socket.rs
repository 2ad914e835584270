//! The sockets of a live feed: which connection stands behind which token of the poll.

use crate::net::websocket::ConnectionSettings;
use crate::net::websocket::{Connection, ConnectionError};
use crate::net::{Endpoint, SourceInfo, TlsClient};
use crate::venue::binance::streams::ConnectionId;
use mio::{Interest, Poll, Token};
use std::net::SocketAddr;

/// A connection with what the feed knows of it.
pub(super) struct Socket {
    pub id: ConnectionId,
    /// Index of its market among those followed.
    pub market: usize,
    pub connection: Connection,
    /// What its frames are called in messages.
    pub source: SourceInfo,
    pub open: bool,
    pub frames: u64,
}

/// See the module.
pub(super) struct Sockets {
    pub poll: Poll,
    pub all: Vec<Option<Socket>>,
}

impl Sockets {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { poll: Poll::new()?, all: Vec::new() })
    }

    /// Begins a connection.
    #[allow(clippy::too_many_arguments, reason = "each is one fact of the new connection")]
    pub fn connect(
        &mut self,
        id: ConnectionId,
        market: usize,
        source: SourceInfo,
        endpoint: &Endpoint,
        address: SocketAddr,
        target: &str,
        tls: &TlsClient,
        settings: ConnectionSettings,
    ) -> Result<(), ConnectionError> {
        let connection = Connection::connect(endpoint, address, target, tls, settings)?;
        let at = match self.all.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.all.push(None);
                self.all.len() - 1
            }
        };
        let mut socket = Socket { id, market, connection, source, open: false, frames: 0 };
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(socket.connection.socket(), Token(at), both)?;
        self.all[at] = Some(socket);
        Ok(())
    }

    /// The place of a connection of a market.
    pub fn find(&self, market: usize, id: ConnectionId) -> Option<usize> {
        self.all.iter().position(|s| s.as_ref().is_some_and(|s| s.market == market && s.id == id))
    }

    /// Takes a connection away.
    pub fn remove(&mut self, at: usize) -> Option<Socket> {
        let mut socket = self.all.get_mut(at)?.take()?;
        // It is about to be closed, which deregisters it anyway.
        let _ = self.poll.registry().deregister(socket.connection.socket());
        Some(socket)
    }
}
