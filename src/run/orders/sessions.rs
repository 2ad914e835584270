//! Sockets of the WebSocket API: one connection a session, opened, driven and dropped as the client asks.
//!
//! Nothing here waits: names are looked up by a helper thread, and a connection that does not open in time is given up.

use crate::net::websocket::{Connection, ConnectionError, ConnectionSettings, Phase};
use crate::net::{Endpoint, TlsClient};
use crate::run::affinity::keep_to;
use crate::venue::binance::client::SessionId;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::{Interest, Poll, Token};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One session's connection.
pub(super) struct Session {
    pub id: SessionId,
    pub connection: Connection,
    pub open: bool,
    pub begun: Instant,
}

/// A session whose host's addresses are being looked up, with what was found.
type Found = (SessionId, Result<Vec<SocketAddr>, String>);

/// See the module.
pub(super) struct Sessions {
    pub all: Vec<Session>,
    pub poll: Poll,
    endpoint: Endpoint,
    tls: TlsClient,
    settings: ConnectionSettings,
    open_timeout: Duration,
    names: Sender<SessionId>,
    found: Receiver<Found>,
    unresolved: Vec<SessionId>,
    attempts: usize,
}

impl Sessions {
    pub fn new(
        poll: Poll,
        endpoint: &Endpoint,
        tls: &TlsClient,
        settings: ConnectionSettings,
        open_timeout: Duration,
        wake: Arc<mio::Waker>,
        cores: Vec<usize>,
    ) -> std::io::Result<Self> {
        let (names, wanted) = unbounded::<SessionId>();
        let (out, found) = unbounded();
        let (host, port) = (endpoint.host.clone(), endpoint.port);
        std::thread::Builder::new().name("at-resolve".into()).spawn(move || {
            keep_to(&cores);
            for id in wanted {
                let looked = (host.as_str(), port).to_socket_addrs();
                let looked = looked.map(Iterator::collect).map_err(|error| error.to_string());
                if out.send((id, looked)).is_err() {
                    return;
                }
                // A waker that cannot wake means an answer that is seen a millisecond later.
                let _ = wake.wake();
            }
        })?;
        Ok(Self {
            all: Vec::with_capacity(8),
            poll,
            endpoint: endpoint.clone(),
            tls: tls.clone(),
            settings,
            open_timeout,
            names,
            found,
            unresolved: Vec::new(),
            attempts: 0,
        })
    }

    /// Begins to open a session.
    pub fn open(&mut self, id: SessionId) -> Result<(), ConnectionError> {
        if let Ok(address) = self.endpoint.host.parse::<IpAddr>() {
            return self.connect(id, SocketAddr::new(address, self.endpoint.port));
        }
        self.unresolved.push(id);
        self.names.send(id).map_err(|_| ConnectionError::Resolve("the helper thread is gone".into()))
    }

    /// Goes on with sessions whose addresses were found; gives those that cannot be opened.
    pub fn resolved(&mut self) -> Option<(SessionId, ConnectionError)> {
        while let Ok((id, looked)) = self.found.try_recv() {
            // One that was closed meanwhile is no longer waited for.
            let Some(at) = self.unresolved.iter().position(|waiting| *waiting == id) else { continue };
            self.unresolved.swap_remove(at);
            let begun = match looked {
                Err(problem) => Err(ConnectionError::Resolve(problem)),
                Ok(addresses) if addresses.is_empty() => {
                    Err(ConnectionError::Resolve("it has no address".into()))
                }
                // Each attempt takes the next address.
                Ok(addresses) => self.connect(id, addresses[self.attempts % addresses.len()]),
            };
            if let Err(error) = begun {
                return Some((id, error));
            }
        }
        None
    }

    fn connect(&mut self, id: SessionId, address: SocketAddr) -> Result<(), ConnectionError> {
        self.attempts += 1;
        let target = if self.endpoint.base.is_empty() { "/" } else { "" };
        let mut connection = Connection::connect(&self.endpoint, address, target, &self.tls, self.settings)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(connection.socket(), Token(id.0 as usize), both)?;
        self.all.push(Session { id, connection, open: false, begun: Instant::now() });
        Ok(())
    }

    pub fn find(&self, id: SessionId) -> Option<usize> {
        self.all.iter().position(|session| session.id == id)
    }

    /// Drops a session, with a goodbye where there is somebody to say it to.
    pub fn drop(&mut self, id: SessionId) -> bool {
        self.unresolved.retain(|waiting| *waiting != id);
        let Some(at) = self.find(id) else { return false };
        let mut session = self.all.swap_remove(at);
        session.connection.close();
        // It is about to be closed, which deregisters it anyway.
        let _ = self.poll.registry().deregister(session.connection.socket());
        true
    }

    /// A session that took too long to open.
    pub fn overdue(&self, now: Instant) -> Option<SessionId> {
        let late = |s: &&Session| !s.open && now.duration_since(s.begun) >= self.open_timeout;
        self.all.iter().find(late).map(|session| session.id)
    }

    /// Whether any session may still fail to open.
    pub fn opening(&self) -> bool {
        self.all.iter().any(|session| !session.open)
    }
}

impl Session {
    /// Reads once and moves the handshake on; says whether anything came, and whether the session has just opened.
    pub fn drive(&mut self) -> (bool, bool, Option<ConnectionError>) {
        let received = self.connection.receive();
        let came = matches!(received, Ok(n) if n > 0);
        let failed = match self.connection.digest() {
            Err(error) => Some(error),
            Ok(()) => received.err(),
        };
        let opened = !self.open && self.connection.phase() == Phase::Open;
        self.open |= opened;
        (came, opened, failed)
    }
}
