//! What a local venue serves, and how strictly.
//!
//! Owns: the options, their defaults (the documented ones of Binance), and what is wrong with a combination.

use super::super::api::{AccountOptions, ApiError, ApiSettings, WeightRules};
use super::super::config::{FlowConfig, FlowError};
use super::fault::Fault;
use crate::domain::{Instrument, Market};
use crate::net::{FrameSource, SourceError};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Where the market comes from.
pub enum Origin {
    /// A generated market: seeded order flow behind the matching engine.
    Generated {
        /// What trades, how fast, for how long.
        flow: FlowConfig,
        /// Whether event times are those of the wall clock: [`FlowConfig::start`] is then the moment the feed starts.
        /// Ids, prices and quantities are the same either way.
        wall_clock: bool,
    },
    /// Frames served again, byte for byte. REST snapshots among them seed the server's books and are not sent.
    Recorded {
        /// The frames, in combined form, in the order of their receive times.
        source: Box<dyn FrameSource>,
        /// What is known of their instruments, for `exchangeInfo`. Precision is taken from the frames where an
        /// instrument is not listed.
        instruments: Vec<Instrument>,
    },
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated { flow, wall_clock } => {
                f.debug_struct("Generated").field("flow", flow).field("wall_clock", wall_clock).finish()
            }
            Self::Recorded { source, .. } => {
                f.debug_struct("Recorded").field("sources", &source.sources()).finish_non_exhaustive()
            }
        }
    }
}

/// How fast frames are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many times the pace of their own times; 1 is real time. Must be positive.
    Times(f64),
    /// As fast as the slowest subscribed client takes them; the market stands still while nobody listens. A client
    /// that takes nothing for [`Limits::slow_patience`] is cut.
    Max,
}

/// What a client meets when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// No TLS at all.
    Plain,
    /// TLS 1.2 or 1.3 with a certificate for `localhost`, `127.0.0.1` and `::1`, signed by the authority that
    /// [`Running::ca_pem`](super::Running::ca_pem) gives.
    Good,
    /// The same, signed by an authority that nobody knows.
    UnknownAuthority,
    /// The right authority, another host's name.
    WrongHost,
    /// The right authority and name, over since 2001.
    Expired,
    /// A server of old: a TLS 1.1 `protocol_version` alert answers every greeting.
    OldProtocol,
    /// A server of old that goes on: a TLS 1.1 `ServerHello` answers every greeting.
    #[serde(rename = "tls-1.1")]
    Tls11,
}

impl Tls {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::Good,
        Self::UnknownAuthority,
        Self::WrongHost,
        Self::Expired,
        Self::OldProtocol,
        Self::Tls11,
    ];

    /// The name used in options and output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::UnknownAuthority => "unknown-authority",
            Self::WrongHost => "wrong-host",
            Self::Expired => "expired",
            Self::OldProtocol => "old-protocol",
            Self::Tls11 => "tls-1.1",
        }
    }

    /// The mode with this label.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.label() == label)
    }
}

/// What happens when the origin has no more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// Stream connections are closed with code 1001.
    Close,
    /// They stay open, and silent but for pings.
    StayOpen,
}

/// Pings and lifetimes of stream connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// Between pings.
    pub ping_every: Duration,
    /// A connection is cut when a ping is unanswered for so long.
    pub pong_within: Duration,
    /// A connection is closed, code 1001, when it is so old.
    pub lifetime: Duration,
}

impl Default for Liveness {
    /// 20 s, 60 s, 24 h.
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(20),
            pong_within: Duration::from_secs(60),
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// What a client may do before it is refused or cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages a client may send in a second on a stream connection, pings and pongs among them; one more closes the
    /// connection with code 1008. Raise it along with a ping interval under a second.
    pub messages_per_s: u32,
    /// Streams a connection may have.
    pub streams: usize,
    /// New stream connections an address may open in five minutes.
    pub connections_per_5_min: u32,
    /// Request weight an address may use in a window; `None` is the market's own (spot 6,000, futures 2,400).
    pub weight: Option<u32>,
    /// The window, aligned to the clock: a minute on the real venue.
    pub weight_window: Duration,
    /// Requests refused with 429 in one window before an address is banned (418).
    pub refusals_before_ban: u32,
    /// How long the first ban lasts; each further one lasts twice as long.
    pub ban: Duration,
    /// Bytes that may wait for a client that reads slower than the market moves; more, and it is cut.
    pub queue_bytes: usize,
    /// At [`Pace::Max`]: how long a client may take nothing before it is cut.
    pub slow_patience: Duration,
}

impl Default for Limits {
    /// The documented limits, and 16 MiB of queue.
    fn default() -> Self {
        Self {
            messages_per_s: 5,
            streams: 1024,
            connections_per_5_min: 300,
            weight: None,
            weight_window: Duration::from_secs(60),
            refusals_before_ban: 20,
            ban: Duration::from_secs(120),
            queue_bytes: 16 << 20,
            slow_patience: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// What an address may ask of a market.
    pub(super) fn weight_rules(&self, market: Market) -> WeightRules {
        WeightRules {
            limit: self.weight.unwrap_or(if market == Market::Spot { 6_000 } else { 2_400 }),
            window: self.weight_window,
            refusals_before_ban: self.refusals_before_ban,
            ban: self.ban,
            connections_per_5_min: self.connections_per_5_min,
        }
    }
}

/// What to serve.
#[derive(Debug)]
pub struct ServerOptions {
    /// Where the market comes from.
    pub origin: Origin,
    /// How fast.
    pub pace: Pace,
    /// One listener for each; at least one, none twice.
    pub markets: Vec<Market>,
    /// Address of the first listener; the others have the ports after it. Port 0: any free ones.
    pub listen: SocketAddr,
    /// Address of the admin calls (plain HTTP, always loopback), where wanted.
    pub admin: Option<SocketAddr>,
    /// Allow addresses other machines can reach.
    pub allow_remote: bool,
    /// What a client meets when it connects.
    pub tls: Tls,
    /// Write the certificate authority here, PEM.
    pub ca_out: Option<PathBuf>,
    /// Hold the feed until so many connections have subscribed to something.
    pub wait_for_clients: usize,
    /// What happens when the origin has no more frames.
    pub at_end: AtEnd,
    /// Frames written at once, at most: more is more throughput, and later for the first of them. At least 1.
    pub batch: usize,
    /// Wait for due frames by spinning on the clock, for exact pacing at the price of a core.
    pub spin: bool,
    /// Pings and lifetimes.
    pub liveness: Liveness,
    /// Limits.
    pub limits: Limits,
    /// Order counts of an account, in ten seconds and in a day.
    pub order_limits: (u32, u32),
    /// Accounts that trade spot symbols, with their keys and balances.
    pub accounts: Vec<AccountOptions>,
    /// Whether orders of accounts meet the market that is shown, and not only each other.
    pub meets_market: bool,
    /// What goes wrong, so long after the start.
    pub faults: Vec<(Duration, Fault)>,
}

impl ServerOptions {
    /// Every market of `origin`, in real time over TLS, on free ports of 127.0.0.1, with the documented limits.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let mut markets: Vec<Market> = match &origin {
            Origin::Generated { flow, .. } => flow.instruments.iter().map(|i| i.instrument.market).collect(),
            Origin::Recorded { source, .. } => source.sources().iter().map(|s| s.market).collect(),
        };
        markets.sort_unstable();
        markets.dedup();
        Self {
            origin,
            pace: Pace::Times(1.0),
            markets,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin: None,
            allow_remote: false,
            tls: Tls::Good,
            ca_out: None,
            wait_for_clients: 0,
            at_end: AtEnd::StayOpen,
            batch: 1,
            spin: false,
            liveness: Liveness::default(),
            limits: Limits::default(),
            order_limits: (100, 200_000),
            accounts: Vec::new(),
            meets_market: true,
            faults: Vec::new(),
        }
    }

    /// A market of `instruments` made from `seed`, `events_per_s` order operations a second each, without an end, with
    /// the wall clock's times.
    #[must_use]
    pub fn generated(seed: u64, instruments: Vec<Instrument>, events_per_s: u32) -> Self {
        let mut flow = FlowConfig::new(seed, instruments).with_events_per_s(events_per_s);
        flow.duration = ENDLESS;
        Self::new(Origin::Generated { flow, wall_clock: true })
    }

    /// Frames served again. See [`Origin::Recorded`].
    #[must_use]
    pub fn recorded(source: Box<dyn FrameSource>, instruments: Vec<Instrument>) -> Self {
        Self::new(Origin::Recorded { source, instruments })
    }

    pub(super) fn api_settings(&self) -> ApiSettings {
        ApiSettings {
            orders_per_10_s: self.order_limits.0,
            orders_per_day: self.order_limits.1,
            weight: self.limits.weight_rules(Market::Spot),
        }
    }

    pub(super) fn check(&self) -> Result<(), ServeError> {
        let bad = |problem: &str| Err(ServeError::Options(problem.to_owned()));
        let mut markets = self.markets.clone();
        markets.sort_unstable();
        markets.dedup();
        if markets.is_empty() || markets.len() != self.markets.len() {
            return bad("at least one market is needed, and none twice");
        }
        if self.batch == 0 {
            return bad("a batch needs at least one frame");
        }
        if matches!(self.pace, Pace::Times(times) if !(times.is_finite() && times > 0.0)) {
            return bad("the speed must be a positive number");
        }
        if self.liveness.ping_every.is_zero() || self.limits.weight_window.is_zero() {
            return bad("the ping interval and the weight window must be above zero");
        }
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            return Err(ServeError::Remote(self.listen));
        }
        match self.admin {
            // Whoever reaches the admin calls can break connections: they never leave the machine.
            Some(admin) if !admin.ip().is_loopback() => {
                bad("the admin calls are served on loopback addresses only")
            }
            _ => Ok(()),
        }
    }
}

/// A century: longer than anyone waits, and before 64-bit nanoseconds end.
pub(super) const ENDLESS: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Why a venue cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Options that do not fit together.
    #[error("{0}")]
    Options(String),
    /// An address that other machines reach.
    #[error("{0} can be reached from other machines; use 127.0.0.1, or allow it explicitly (--allow-remote)")]
    Remote(SocketAddr),
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Where the authority is to be written is a file that is none of ours.
    #[error(
        "{0}: is there already, and is no certificate that a local venue wrote: name another file with --ca-out, or remove \
         it first"
    )]
    NotOurs(String),
    /// A file could not be written, a thread not started.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The market cannot be generated.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The accounts cannot be opened.
    #[error(transparent)]
    Accounts(#[from] ApiError),
    /// The recording cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Certificates could not be made.
    #[error("cannot make the certificates: {0}")]
    Certificate(String),
    /// The server's thread panicked.
    #[error("the venue's thread stopped: {0}")]
    Died(String),
}
