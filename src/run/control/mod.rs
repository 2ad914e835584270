//! The operator's hand on a running process: a socket, a signal and a file that throw the kill switch, the list of what
//! is stopped, and the heartbeat that a watchdog reads.
//!
//! ```text
//!     ctl ──socket──▶ ┐                                                   ┌──▶ file of what is stopped
//!     SIGUSR1 ──────▶ ├─ this thread ──lane──▶ sequencer ─▶ ring ─▶ risk ─┤    (by this thread, forced to the disk)
//!     NAME.kill ────▶ ┘        ▲                                          └──▶ cancels, denials
//!                              └── signs of life of feed and stages ─▶ NAME.heartbeat
//! ```
//!
//! Owns: the files `NAME.lock`, `NAME.sock`, `NAME.kill`, `NAME.heartbeat`, `NAME.latched`, `NAME.paused` and `NAME.losses`,
//! NAME being the run's; and where `NAME.limits` is, which the trail's thread writes.
//! Invariant: one process at a time has the name (`held_name`). Nothing but commands goes from here to trading, and they go by
//! the ring, so that the journal has them. Whoever may open the socket may stop and release: it is readable and writable by
//! its owner alone. Who came, what they asked for and what became of it is in the audit trail, where there is one; a release,
//! or a resume, that it cannot take is refused.
//!
//! Surveillance stops by the same way (`reacting`), and an operator pauses an instrument by it (`pausing`). Beside the listening thread another keeps losses over a restart and
//! reckons risk metrics (`keeper`), from what risk publishes.

mod access;
mod asker;
mod data_watch;
mod deaths;
pub(in crate::run) mod file;
mod heartbeat;
mod held_name;
mod keeper;
mod latched;
mod losses;
mod market_data;
mod metrics;
mod names;
mod overview;
mod pausing;
mod reacting;
mod reply;
mod request;
mod server;
mod stages;
mod taking_over;
#[cfg(test)]
mod tests;
mod turned_away;
mod unclosed;
mod vitals;
pub mod watchdog;

pub use asker::{Answered, Asker};
pub(in crate::run) use deaths::ControlDeaths;
pub use held_name::HeldName;
pub use latched::{Latched, LatchedError, Stopped};
pub use names::{NameError, ScopeNames};
pub use request::{ControlReply, ControlRequest, FeedReply, MarketDataReply, StoreReply, UnclosedReply, Via};
pub use stages::StagesReply;
pub use turned_away::{TurnedAwayOrderReply, TurnedAwayReply};
pub(in crate::run) use vitals::Backlog;
pub use vitals::Vitals;

use super::alerts::Alerts;
use super::audit::AuditNotes;
use super::config::Config;
use super::interrupt::KillSignal;
use super::orders::OrdersLink;
use super::store::StoreLink;
use super::watch::Wanted;
use crate::domain::{Kill, Scope, Time};
use crate::pipeline::{Answer, LaneSender};
use crate::risk::Carried;
use crate::risk::watch::WatchReceiver;
use crossbeam_channel::Receiver;
use held_name::{OwnFile, nobody_listens};
use keeper::{Keeper, SharedFound};
use losses::KeptLosses;
use market_data::MarketData;
use metrics::Reckoner;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use server::Server;
use socket2::{Domain, SockAddr, Socket, Type};
use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;

/// Where the files of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPaths {
    /// Locked by the one process that has the name.
    pub lock: PathBuf,
    /// Commands come in here.
    pub socket: PathBuf,
    /// Stops what it names, or everything, when it appears.
    pub kill: PathBuf,
    /// Changes while the engine lives.
    pub heartbeat: PathBuf,
    /// What is stopped.
    pub latched: PathBuf,
    /// What an operator paused.
    pub paused: PathBuf,
    /// What was lost.
    pub losses: PathBuf,
    /// The limits in force, so that the next run of this name knows what was changed.
    pub limits: PathBuf,
}

/// Why a process cannot be controlled.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The list of what is stopped is of no use.
    #[error(transparent)]
    Latched(#[from] LatchedError),
    /// The socket cannot be made.
    #[error("{path}: {error}; [control] dir says where it goes, and a path has at most some 100 bytes")]
    Socket {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Another process has it.
    #[error("{}", taken(path, *process))]
    Taken {
        /// What it was found by: the lock, or the socket.
        path: PathBuf,
        /// Which, where that is known.
        process: Option<i32>,
    },
    /// What one process at a time has cannot be had.
    #[error(
        "{path}: {error}; the process that has this [run] name locks this file: make it, and the directory that it is in, \
         readable and writable, or remove it if no run of this name goes on, of whatever user"
    )]
    Lock {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Whether another process has it cannot be told.
    #[error(
        "{path}: {error}; whether a run of this name listens there cannot be told, as where it is another user's: give this \
         one another [run] name or [control] dir, or remove the socket if none goes on"
    )]
    Unknown {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// No such process, or no answer.
    #[error("{path}: {error}; is it running, with this [run] name and [control] dir?")]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Somebody listens there and says nothing.
    #[error("{}", silent(path, *process))]
    Silent {
        /// The socket.
        path: PathBuf,
        /// The process that listens, where the kernel tells it.
        process: Option<i32>,
    },
    /// It will not do it.
    #[error("refused: {0}")]
    Refused(String),
}

impl ControlError {
    /// Whether it is of the moment, as a disk that is full, and not of what was asked for.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Latched(LatchedError::Io { .. }) | Self::Lock { .. })
    }
}

impl ControlPaths {
    /// The files of the run `name` in `dir`.
    #[must_use]
    pub fn new(dir: &Path, name: &str) -> Self {
        let file = |ending: &str| dir.join(format!("{name}.{ending}"));
        Self {
            lock: file("lock"),
            socket: file("sock"),
            kill: file("kill"),
            heartbeat: file("heartbeat"),
            latched: file("latched"),
            paused: file("paused"),
            losses: file("losses"),
            limits: file("limits"),
        }
    }

    /// As configured: in `[control] dir`, or beside the journal; none where there is neither.
    #[must_use]
    pub fn of(config: &Config, journal: Option<&Path>) -> Option<Self> {
        let beside = || journal.map(|path| path.parent().unwrap_or(Path::new("")).to_owned());
        let dir = config.control.dir.clone().or_else(beside)?;
        Some(Self::new(&dir, &config.run.name))
    }
}

/// What was read and made before anything trades.
#[derive(Debug)]
pub struct PreparedControl {
    paths: ControlPaths,
    names: ScopeNames,
    latched: Latched,
    paused: Latched,
    losses: Option<KeptLosses>,
    /// Before what listens: taken away while the file is this socket's still.
    socket: OwnFile,
    listener: UnixListener,
}

/// What the control threads are joined to.
pub(in crate::run) struct ControlLinks {
    /// By which commands enter the ring.
    pub commands: LaneSender<Answer>,
    /// What risk tells.
    pub watch: WatchReceiver,
    /// The engine's signs of life.
    pub vitals: Vitals,
    /// By which is recorded who came; none where there is no audit trail.
    pub notes: Option<AuditNotes>,
    /// By which a person is told at once.
    pub alerts: Alerts,
    /// What surveillance asks for.
    pub reactions: Option<Receiver<Wanted>>,
    /// The sending of orders, where they are sent.
    pub orders: Option<OrdersLink>,
    /// The database that the run writes to, if there is one.
    pub store: Option<StoreLink>,
    /// The run's epoch.
    pub epoch: u64,
    /// By which everything may have been stopped before there was anybody to hear of it.
    pub kill_signal: KillSignal,
}

/// The threads that listen and keep.
#[derive(Debug)]
pub struct Control {
    over: Arc<AtomicBool>,
    deaths: ControlDeaths,
    heartbeat: PathBuf,
    /// Nothing is left open that was not to be; said before it is over.
    in_order: Arc<AtomicBool>,
    found: SharedFound,
    threads: [JoinHandle<()>; 2],
}

impl PreparedControl {
    /// Reads what is stopped, and makes the socket, of a run that has its name to itself.
    ///
    /// # Errors
    /// [`ControlError`], with what to do.
    pub fn open(config: &Config, held: &HeldName) -> Result<Self, ControlError> {
        let paths = held.paths().clone();
        let (latched, paused) = (read_stopped(&paths.latched)?, read_paused(&paths.paused)?);
        let losses = KeptLosses::read(&paths.losses)?;
        let path = &paths.socket;
        // Where there are no locks, and from before there were.
        nobody_listens(path)?;
        // What a process left that is no more.
        let _ = std::fs::remove_file(path);
        let made = UnixListener::bind(path).and_then(|listener| {
            let socket = OwnFile::at(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            Ok((socket, listener))
        });
        let (socket, listener) = made.map_err(|error| ControlError::Socket { path: path.clone(), error })?;
        Ok(Self { names: ScopeNames::new(config), latched, paused, losses, socket, listener, paths })
    }

    /// What the run before left to this one's losses. `goes_on` is the epoch of the run that this one goes on from by its
    /// journal, if it does.
    #[must_use]
    pub fn carried(&self, config: &Config, now: Time, goes_on: Option<u64>) -> Option<Carried> {
        let losses = self.losses.as_ref()?;
        log::info!("{}", losses.told());
        Some(losses.carried(&labels(config), &config.risk.setup.day, now, goes_on))
    }

    /// What the last run left stopped, as commands for this one, which goes on with a journal whose last event was at
    /// `goes_on`, if it does. What has no name in it any more is told, and kept.
    #[must_use]
    pub fn kills(&self, goes_on: Option<Time>) -> Vec<Kill> {
        let mut kills = Vec::new();
        for stopped in &self.latched.stopped {
            let Stopped { scope, cause, by, reason, since, .. } = stopped;
            let why = format!("{cause}: {reason}, by {by}, since {since}");
            match self.names.read(scope) {
                Ok(scopes) => {
                    log::error!(
                        "{scope} stays stopped ({why}): `algo-trader ctl release` lets it trade again"
                    );
                    kills.extend(scopes.into_iter().map(|scope: Scope| stopped.kill(scope, goes_on)));
                }
                Err(error) => log::error!("{scope} was stopped ({why}), and stops NOTHING here: {error}"),
            }
        }
        kills
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub(in crate::run) fn start(
        self,
        config: &Config,
        links: ControlLinks,
        housekeeping: &[usize],
    ) -> io::Result<Control> {
        let over = Arc::new(AtomicBool::new(false));
        let found = SharedFound::default();
        let keeper = Keeper {
            snapshot: links.watch.snapshot(),
            labels: labels(config),
            epoch: links.epoch,
            path: self.paths.losses.clone(),
            names: self.names.clone(),
            reckoner: Reckoner::new(config),
            found: Arc::clone(&found),
            before: self.losses.clone(),
            day: config.risk.setup.day.clone(),
            kept: None,
        };
        let throttle = Duration::from_secs(config.surveillance.throttle_seconds.into());
        let market_data = MarketData::new(config, links.vitals.health());
        let heartbeat = self.paths.heartbeat.clone();
        let mut server = Server::new(self, links, Arc::clone(&found), throttle, market_data)?;
        let (deaths, in_order) = (ControlDeaths::default(), Arc::new(AtomicBool::new(false)));
        let (flag, ends_in_order) = (Arc::clone(&over), Arc::clone(&in_order));
        let listening = deaths.spawn("at-control", LISTENING, housekeeping, move || {
            server.run(&flag, &ends_in_order);
        })?;
        let flag = Arc::clone(&over);
        let keeping = deaths.spawn("at-risk-keeper", KEEPING, housekeeping, move || keeper.run(&flag))?;
        Ok(Control { over, deaths, heartbeat, in_order, found, threads: [listening, keeping] })
    }
}

/// What there is no more of where the thread that listens has died.
const LISTENING: &str =
    "the thread that listens to operators died: ctl, kill file and signal stop nothing any more";
/// The same of the other one.
const KEEPING: &str = "the thread that keeps losses died: a restart would not know what was lost";

impl Control {
    /// What the run sees of the threads.
    pub(in crate::run) fn deaths(&self) -> ControlDeaths {
        self.deaths.clone()
    }

    /// Ends the listening; what is stopped, and what was lost, is on the disk then, or it is given why it is not, a sentence each.
    /// Unless the run ended `in_order`, its last heartbeat stays, by which a watchdog knows that there is something to cancel.
    pub fn finish(self, in_order: bool) -> Vec<String> {
        self.in_order.store(in_order, Ordering::Release);
        self.over.store(true, Ordering::Release);
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                log::error!("the thread {name} died; please report this");
            }
        }
        // Who takes it away otherwise may be gone.
        if in_order && self.deaths.lost().is_some() {
            let _ = std::fs::remove_file(&self.heartbeat);
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unsaved = std::mem::take(&mut found.unsaved_at_end);
        unsaved.extend(found.unsaved.take());
        for why in &unsaved {
            log::error!("a restart would not know all that is stopped, paused or lost: {why}");
        }
        unsaved
    }
}

/// The names by which strategies are kept.
fn labels(config: &Config) -> Vec<String> {
    config.strategies.iter().map(|strategy| strategy.label.clone()).collect()
}

/// The list of what is stopped, each by a name that something can have.
fn read_stopped(path: &Path) -> Result<Latched, LatchedError> {
    let list = Latched::open(path)?;
    list.names(|name| !matches!(ScopeNames::default().read(name), Err(NameError::NoScope(_))))?;
    Ok(list)
}

/// The same of what is paused.
fn read_paused(path: &Path) -> Result<Latched, LatchedError> {
    let list = Latched::open(path)?;
    list.names(|name| name.split(':').count() == 3)?;
    Ok(list)
}

/// How long an answer is waited for.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// What is to be said and done where another process has the name.
fn taken(path: &Path, process: Option<i32>) -> String {
    let process = process.map_or_else(String::new, |process| format!(", {process},"));
    format!(
        "{}: another process of this name{process} is running; stop it, or give this one another [run] name",
        path.display()
    )
}

/// What is to be said and done of a process that does not answer.
fn silent(path: &Path, process: Option<i32>) -> String {
    let (path, within) = (path.display(), ANSWERED_WITHIN.as_secs());
    let Some(process) = process else {
        return format!(
            "{path}: the run's process does not answer within {within} s: it is stopped, or hangs"
        );
    };
    // The name in it may have spaces and brackets of its own.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    let (is, then) = match state {
        Some('T' | 't') => ("it is stopped", format!("`kill -CONT {process}` lets it go on")),
        _ => (
            "it is stopped, or hangs",
            format!(
                "`kill -CONT {process}` lets one go on that was stopped; end one that hangs, by `kill {process}`"
            ),
        ),
    };
    format!(
        "{path}: the run's process {process} does not answer within {within} s: {is}, and nothing of it is guarded but by a \
         watchdog, which cancels what is open (ctl watchdog); {then}"
    )
}

/// Connects to a process that listens; one that hangs, and has a whole queue of others to let in first, is waited for so
/// long: `WouldBlock` then.
fn connect(path: &Path, within: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux takes what a write may wait for connecting's, too.
    socket.set_write_timeout(Some(within))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

/// The process that listens, where the kernel tells it: one of another namespace of processes is told as 0.
fn process_behind(stream: &UnixStream) -> Option<i32> {
    getsockopt(stream, PeerCredentials).ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
}

/// Asks a running process.
///
/// # Errors
/// [`ControlError`].
pub fn ask(socket: &Path, request: &ControlRequest) -> Result<ControlReply, ControlError> {
    let listens = Cell::new(None);
    let no_answer = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            ControlError::Silent { path: socket.to_owned(), process: listens.get() }
        }
        _ => ControlError::NoAnswer { path: socket.to_owned(), error },
    };
    let asked = || -> io::Result<ControlReply> {
        let mut stream = connect(socket, ANSWERED_WITHIN)?;
        listens.set(process_behind(&stream));
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        reply::read(&mut stream, ANSWERED_WITHIN)
    };
    let reply = asked().map_err(no_answer)?;
    match reply.error {
        Some(error) => Err(ControlError::Refused(error)),
        None => Ok(reply),
    }
}
