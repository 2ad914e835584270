//! The loop: one thread that accepts, reads, feeds and writes, and waits for whatever is due first.
//!
//! Owns: listeners, connections, timers. What a client's message means is in `requests`, what becomes of a frame in
//! `deliver`.

use super::super::api::Api;
use super::super::exchange::{Exchange as Accounts, SymbolRules};
use super::certificate::Authority;
use super::connection::{Connection, Role};
use super::control::{Command, Control};
use super::derived::Made;
use super::exchange::Exchange;
use super::fault::{Fault, Held, Pending};
use super::feed::Feed;
use super::hub::{Forms, Hub};
use super::options::{AtEnd, Limits, Liveness, Pace, ServeError, ServerOptions, Tls};
use super::stats::Stats;
use super::transport::{Broken, Session as Secure, Transport};
use super::{Endpoint, requests};
use crate::domain::{Instrument, Market, Time};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

const WAKER: Token = Token(0);
/// Listeners have the tokens from here on, connections those from `CONNECTIONS` on.
const LISTENERS: usize = 1;
const CONNECTIONS: usize = 16;
const CONNECTIONS_MAX: usize = 4_096;
/// How long the last bytes may take when the server ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

struct Listener {
    role: Role,
    address: SocketAddr,
    socket: TcpListener,
}

/// Why a connection is dropped at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    Gone,
    Tls,
    Slow,
}

impl From<Broken> for Doom {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone => Self::Gone,
            Broken::Tls => Self::Tls,
        }
    }
}

pub(super) struct Server {
    poll: Poll,
    listeners: Vec<Listener>,
    pub(super) connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    pub(super) authority: Authority,
    pub(super) tls: Tls,
    pub(super) tls_config: Option<Arc<ServerConfig>>,
    control: Control,
    pub(super) inbox: Receiver<Command>,
    pub(super) exchange: Exchange,
    pub(super) hub: Hub,
    pub(super) feed: Feed,
    pub(super) api: Api,
    /// Whether somebody trades here, and with the market that is shown.
    pub(super) meets_market: bool,
    /// By how much the clock of orders is wrong, ms.
    pub(super) skew_ms: i64,
    pub(super) faults: Pending,
    /// Faults whose moment is known.
    pub(super) planned: Vec<(Instant, Fault)>,
    pub(super) held: Vec<Held>,
    pub(super) forms: Forms,
    pub(super) made: Made,
    pub(super) stats: Stats,
    /// Connections with frames not written yet, and connections to be dropped.
    pub(super) dirty: Vec<usize>,
    pub(super) doomed: Vec<(usize, Doom)>,
    pub(super) pace: Pace,
    pub(super) batch: usize,
    pub(super) at_end: AtEnd,
    pub(super) wait_for_clients: usize,
    pub(super) end_told: bool,
    spin: bool,
    pub(super) liveness: Liveness,
    pub(super) limits: Limits,
    pub(super) next_sweep: Instant,
    pub(super) stop: bool,
}

/// The wall clock.
pub(super) fn wall() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

pub(super) fn wall_ms() -> u64 {
    wall().0 / 1_000_000
}

fn io_error(what: &str) -> impl FnOnce(io::Error) -> ServeError {
    move |error| ServeError::Io { what: what.to_owned(), error }
}

impl Server {
    /// Everything that can fail: sockets, certificates, the origin's first frames.
    pub fn prepare(options: ServerOptions) -> Result<Self, ServeError> {
        options.check()?;
        let poll = Poll::new().map_err(io_error("cannot wait for sockets"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(io_error("cannot wait for sockets"))?;
        let authority = Authority::new()?;
        let tls_config = authority.config(options.tls)?;
        let mut listeners = Vec::new();
        for (index, &market) in options.markets.iter().enumerate() {
            let mut address = options.listen;
            if address.port() != 0 {
                let port = u16::try_from(usize::from(address.port()) + index);
                let full = || ServeError::Options("there are not enough ports after the one given".into());
                address.set_port(port.map_err(|_| full())?);
            }
            listeners.push(listen(&poll, listeners.len(), Role::Market(market), address)?);
        }
        if let Some(admin) = options.admin {
            listeners.push(listen(&poll, listeners.len(), Role::Admin, admin)?);
        }
        // Once the sockets are ours: another venue that has them goes on with the authority that is in the file.
        if let Some(path) = &options.ca_out {
            authority.write(path)?;
        }
        let settings = options.api_settings();
        let meets_market = options.meets_market && !options.accounts.is_empty();
        let (mut feed, instruments) = Feed::new(options.origin, options.pace, wall())?;
        let listed = listable(&instruments, &mut feed.warnings);
        let api = Api::new(settings, listed, options.accounts, wall())?;
        let mut exchange = Exchange::default();
        instruments.into_iter().for_each(|instrument| exchange.list(instrument));
        for (source, frame) in feed.ahead() {
            exchange.foresee(source.market, source.symbol.as_deref(), frame);
        }
        let (control, inbox) = Control::new(waker);
        let began = Instant::now();
        let mut server = Self {
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            authority,
            tls: options.tls,
            tls_config,
            control,
            inbox,
            exchange,
            hub: Hub::default(),
            feed,
            api,
            meets_market,
            skew_ms: 0,
            faults: Pending::default(),
            planned: options.faults.into_iter().map(|(after, fault)| (began + after, fault)).collect(),
            held: Vec::new(),
            forms: Forms::default(),
            made: Made::default(),
            stats: Stats::default(),
            dirty: Vec::new(),
            doomed: Vec::new(),
            pace: options.pace,
            batch: options.batch,
            at_end: options.at_end,
            wait_for_clients: options.wait_for_clients,
            end_told: false,
            spin: options.spin,
            liveness: options.liveness,
            limits: options.limits,
            next_sweep: Instant::now(),
            stop: false,
        };
        server.show_seeded();
        Ok(server)
    }

    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.feed.warnings)
    }

    pub fn control(&self) -> Control {
        self.control.clone()
    }

    pub fn ca_pem(&self) -> Option<String> {
        (self.tls != Tls::Plain).then(|| self.authority.pem().to_owned())
    }

    pub fn admin(&self) -> Option<SocketAddr> {
        self.listeners.iter().find(|l| l.role == Role::Admin).map(|l| l.address)
    }

    pub fn endpoints(&self) -> Vec<Endpoint> {
        let secure = self.tls != Tls::Plain;
        let s = if secure { "s" } else { "" };
        let endpoint = |listener: &Listener| {
            let (Role::Market(market), address) = (listener.role, listener.address) else { return None };
            let (stream_url, rest_url) = (format!("ws{s}://{address}"), format!("http{s}://{address}"));
            let api_url = (market == Market::Spot).then(|| format!("{stream_url}/ws-api/v3"));
            Some(Endpoint { market, address, secure, stream_url, rest_url, api_url })
        };
        self.listeners.iter().filter_map(endpoint).collect()
    }

    /// Serves until it is told to stop.
    pub fn run(mut self) -> Stats {
        let mut events = Events::with_capacity(1_024);
        while !self.stop {
            let now = Instant::now();
            let wait = self.wait(now);
            let whole_ms = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(1_000));
            if let Err(error) = self.poll.poll(&mut events, Some(whole_ms))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the venue stops: waiting for sockets failed: {error}");
                break;
            }
            if events.is_empty() && whole_ms.is_zero() && !wait.is_zero() {
                // The system waits in whole milliseconds; a frame that is due earlier is slept for.
                if self.spin {
                    while now.elapsed() < wait {
                        std::hint::spin_loop();
                    }
                } else {
                    std::thread::sleep(wait.saturating_sub(now.elapsed()));
                }
            }
            let now = Instant::now();
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(token) if token < CONNECTIONS => self.accept(token - LISTENERS, now),
                    Token(token) => self.ready(token - CONNECTIONS, now),
                }
            }
            self.obey(now);
            self.sweep(now);
            self.pump(now);
            self.flush_dirty(now);
            self.bury();
        }
        self.say_goodbye();
        self.count_now();
        self.stats
    }

    /// Looks at the timers at this moment, or earlier.
    pub(super) fn sweep_soon(&mut self, at: Instant) {
        self.next_sweep = self.next_sweep.min(at);
    }

    /// How long nothing is due.
    fn wait(&self, now: Instant) -> Duration {
        if self.can_pump_at_max() {
            return Duration::ZERO;
        }
        let mut next = self.next_sweep;
        let mut sooner = |at: Option<Instant>| next = at.map_or(next, |at| next.min(at));
        if self.pace != Pace::Max {
            sooner(self.feed.due());
        }
        sooner(self.faults.stalled_until);
        sooner(self.faults.deaf_until);
        self.planned.iter().for_each(|(at, _)| sooner(Some(*at)));
        sooner(self.faults.trickle.map(|trickle| trickle.next));
        self.held.iter().for_each(|held| sooner(held.until));
        next.saturating_duration_since(now)
    }

    fn accept(&mut self, index: usize, now: Instant) {
        loop {
            let Some(listener) = self.listeners.get(index) else { return };
            let (mut stream, peer) = match listener.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // Out of file descriptors, say. The listener stays; the next connection tries again.
                    log::warn!("a connection could not be accepted: {error}");
                    return;
                }
            };
            self.stats.connections += 1;
            let role = listener.role;
            if self.connections.len() - self.free.len() >= CONNECTIONS_MAX {
                continue;
            }
            // Without it, small frames wait for the acknowledgement of those before.
            let _ = stream.set_nodelay(true);
            let secure = match (role, self.tls, &self.tls_config) {
                (Role::Admin, ..) | (_, Tls::Plain, _) => Secure::Plain,
                (_, _, Some(config)) => match Secure::tls(config.clone()) {
                    Ok(secure) => secure,
                    Err(_) => continue,
                },
                (_, Tls::Tls11, None) => Secure::TLS_1_1,
                (_, _, None) => Secure::OLD_PROTOCOL,
            };
            let at = self.free.pop().unwrap_or(self.connections.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(CONNECTIONS + at), interest).is_err() {
                self.free.push(at);
                continue;
            }
            let connection = Connection::new(role, peer.ip(), Transport::new(stream, secure), now);
            if at == self.connections.len() {
                self.connections.push(Some(connection));
            } else {
                self.connections[at] = Some(connection);
            }
        }
    }

    pub(super) fn ready(&mut self, at: usize, now: Instant) {
        let deaf = self.faults.deaf_until.is_some();
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        connection.blocked = false;
        if deaf && connection.role != Role::Admin {
            return self.flush(at, now);
        }
        if let Err(broken) = connection.read() {
            self.doomed.push((at, broken.into()));
        }
        requests::process(self, at, now);
        self.flush(at, now);
    }

    /// Writes what waits for a connection, unless it is held back.
    pub(super) fn flush(&mut self, at: usize, now: Instant) {
        let stalled = self.faults.stalled_until.is_some();
        let Some(Some(connection)) = self.connections.get_mut(at) else { return };
        if connection.blocked || (stalled && connection.session.is_some()) {
            return;
        }
        if let Err(broken) = connection.flush(now) {
            self.doomed.push((at, broken.into()));
        }
    }

    pub(super) fn flush_dirty(&mut self, now: Instant) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.drain(..).for_each(|at| self.flush(at, now));
        self.dirty = dirty;
    }

    pub(super) fn flush_all(&mut self, now: Instant) {
        (0..self.connections.len()).for_each(|at| self.flush(at, now));
    }

    /// Drops the connections that are doomed.
    pub(super) fn bury(&mut self) {
        while let Some((at, doom)) = self.doomed.pop() {
            let Some(mut connection) = self.connections.get_mut(at).and_then(Option::take) else { continue };
            match doom {
                Doom::Tls => self.stats.tls_failures += 1,
                Doom::Slow => self.stats.cut_slow += 1,
                Doom::Gone => {}
            }
            if let (Role::Market(market), Some(session)) = (connection.role, &connection.session) {
                for name in &session.streams {
                    if self.hub.unsubscribe(market, name, at) {
                        self.exchange.unwant(market, name);
                    }
                }
            }
            // Fails only where it never was registered; closing it has the same effect.
            let _ = self.poll.registry().deregister(&mut connection.transport().stream);
            self.free.push(at);
        }
    }

    fn say_goodbye(&mut self) {
        let began = Instant::now();
        self.faults = Pending::default();
        self.close_all(began);
        while began.elapsed() < LAST_WORDS {
            let now = Instant::now();
            self.flush_all(now);
            self.bury();
            let waiting = self.connections.iter().flatten().any(|connection| connection.backlog() > 0);
            if !waiting {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for connection in self.connections.iter_mut().flatten() {
            connection.transport().close();
        }
    }

    pub(super) fn count_now(&mut self) {
        let sessions = self.connections.iter().flatten().filter_map(|connection| connection.session.as_ref());
        (self.stats.clients, self.stats.subscriptions) =
            sessions.fold((0, 0), |(clients, streams), s| (clients + 1, streams + s.streams.len() as u64));
        let oddities = self.exchange.oddities();
        (self.stats.gaps, self.stats.unreadable_frames) = (oddities.gaps, oddities.unreadable);
        (self.stats.feed_started, self.stats.feed_ended) = (!self.feed.is_waiting(), self.feed.is_ended());
        self.stats.feed_failure.clone_from(&self.feed.failure);
    }
}

/// The rules of the spot symbols that can be traded here; `warnings` has why others cannot.
fn listable(instruments: &[Instrument], warnings: &mut Vec<String>) -> Vec<SymbolRules> {
    let mut listed: Vec<SymbolRules> = Vec::new();
    // Without a quote asset nobody knows what it would be paid with; that was said when its frames were met.
    let known = |of: &&Instrument| of.market == Market::Spot && !of.quote.is_empty();
    for instrument in instruments.iter().filter(known) {
        let rules = SymbolRules::of(instrument.clone());
        let known = |other: &SymbolRules| other.instrument.symbol == instrument.symbol;
        if listed.iter().any(known) {
            continue;
        }
        match Accounts::new(vec![rules.clone()]) {
            Ok(_) => listed.push(rules),
            Err(error) => warnings.push(format!("no orders are taken in {}: {error}", instrument.symbol)),
        }
    }
    listed
}

fn listen(poll: &Poll, index: usize, role: Role, address: SocketAddr) -> Result<Listener, ServeError> {
    let refused = |error| ServeError::Listen { address, error };
    let mut socket = TcpListener::bind(address).map_err(refused)?;
    poll.registry()
        .register(&mut socket, Token(LISTENERS + index), Interest::READABLE)
        .map_err(io_error("cannot wait for connections"))?;
    let address = socket.local_addr().map_err(refused)?;
    Ok(Listener { role, address, socket })
}
