//! The loop of the control thread, and what it does: what is asked for, what a signal or a file stops, what risk says it did.

mod clients;
mod unasked;

use super::access::{self, Peer};
use super::data_watch::DataWatch;
use super::heartbeat;
use super::keeper::SharedFound;
use super::latched::{Latched, LatchedError, Stopped};
use super::market_data::{MarketData, TOLD_MAX};
use super::names::ScopeNames;
use super::reacting::Throttles;
use super::request::{ControlReply, ControlRequest, HeldReply, STANDS_BY};
use super::stages::StagesWatch;
use super::turned_away::TurnedAwayReply;
use super::unclosed::UnclosedPositions;
use super::{ControlLinks, ControlPaths, OwnFile, PreparedControl};
use crate::audit::Body;
use crate::domain::decimal::Scaled;
use crate::domain::event::Command;
use crate::domain::{DenyReason, InstrumentId, Kill, PausedBy, Scope, Slot, Time};
use crate::pipeline::Answer;
use crate::risk::watch::Switched;
use crate::run::alerts::Alert;
use crate::run::audit::AuditNotes;
use crate::run::config::QUOTE_DECIMALS;
use crate::run::live::wall_clock;
use crate::run::orders::{KeyState, OrdersLink};
use crate::run::store::StoreLink;
use clients::Client;
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook::SigId;
use std::fs;
use std::io::{self, Read};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
const SIGNAL: Token = Token(1);
/// Tokens of connections begin here.
const CLIENTS: usize = 2;
/// Connections at once; whoever comes while there are so many takes the place of one that has said nothing, or is turned
/// away.
const CLIENTS_MAX: usize = 16;
/// The longest wait for a connection or a signal: changes of the kill switch and the file are seen after that.
const WAIT: Duration = Duration::from_millis(5);
/// Between two looks for the file.
const LOOK: Duration = Duration::from_millis(20);
/// Between two beats.
const BEAT: Duration = Duration::from_millis(250);
/// An engine that was not seen for so long has no heartbeat.
const ALIVE: Duration = Duration::from_secs(2);
/// The longest name of an operator and the longest reason.
const TEXT_CHARS_MAX: usize = 200;

/// Who asked for a kill of this scope, until risk says that it is done.
struct Asked {
    scope: Scope,
    cause: DenyReason,
    by: String,
    reason: String,
}

/// See the module.
pub(super) struct Server {
    paths: ControlPaths,
    pub(super) names: ScopeNames,
    latched: Latched,
    /// What an operator paused, and what they asked for that risk has not told of yet.
    pub(super) paused: Latched,
    pub(super) pausing: Vec<(InstrumentId, Stopped)>,
    /// What a difference with the venue holds back, as far as it was told in this run.
    pub(super) differing: Vec<InstrumentId>,
    unclosed: UnclosedPositions,
    pub(super) links: ControlLinks,
    command_count: u64,
    found: SharedFound,
    market_data: MarketData,
    data_watch: DataWatch,
    stages_watch: StagesWatch,
    pub(super) throttles: Throttles,
    /// Who asks how it stands, and when they did last: whoever goes on asking is recorded once.
    asking: Vec<(Peer, Instant)>,
    poll: Poll,
    /// Before what listens: taken away while the file is this socket's still.
    _socket: OwnFile,
    listener: UnixListener,
    signals: UnixStream,
    signal: SigId,
    clients: Vec<Option<Client>>,
    /// When it was last told that some were turned away, and how many were since.
    turned_away: (Option<Instant>, u64),
    asked: Vec<Asked>,
    /// How the key stood when that was last told.
    key: KeyState,
    /// What the kill file said when it was last obeyed.
    file_done: Option<String>,
    beats: u64,
}

impl Server {
    pub fn new(
        prepared: PreparedControl,
        links: ControlLinks,
        found: SharedFound,
        throttle: Duration,
        market_data: MarketData,
    ) -> io::Result<Self> {
        let PreparedControl { paths, names, latched, paused, socket, listener, .. } = prepared;
        let poll = Poll::new()?;
        let mut listener = UnixListener::from_std(listener);
        let (signals, raised) = std::os::unix::net::UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        let mut signals = UnixStream::from_std(signals);
        let signal = signal_hook::low_level::pipe::register(signal_hook::consts::SIGUSR1, raised)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut signals, SIGNAL, Interest::READABLE)?;
        let mut server = Self {
            paths,
            names,
            latched,
            paused,
            pausing: Vec::new(),
            differing: Vec::new(),
            unclosed: UnclosedPositions::default(),
            links,
            command_count: 0,
            found,
            market_data,
            data_watch: DataWatch::default(),
            stages_watch: StagesWatch::default(),
            throttles: Throttles { last: throttle, ..Throttles::default() },
            asking: Vec::new(),
            poll,
            _socket: socket,
            listener,
            signals,
            signal,
            clients: (0..CLIENTS_MAX).map(|_| None).collect(),
            turned_away: (None, 0),
            asked: Vec::new(),
            key: KeyState::Taken,
            file_done: None,
            beats: 0,
        };
        // Only now, so that none is missed: one that comes in between stops twice.
        if server.links.kill_signal.take() {
            server.on_signal();
        }
        Ok(server)
    }

    /// Listens until it is `over`; what a run leaves behind that ended `in_order` has to be known by then.
    pub fn run(&mut self, over: &AtomicBool, in_order: &AtomicBool) {
        let mut events = Events::with_capacity(32);
        let (mut looked, mut beat) = (None::<Instant>, None::<Instant>);
        let due = |last: Option<Instant>, every| last.is_none_or(|at| at.elapsed() >= every);
        while !over.load(Ordering::Acquire) {
            // Interrupted by a signal: what it says is in its stream.
            let _ = self.poll.poll(&mut events, Some(WAIT));
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    SIGNAL => self.on_signal(),
                    Token(n) => self.serve(n - CLIENTS),
                }
            }
            self.send_on();
            self.hear();
            self.watch_key();
            self.react();
            if due(looked, LOOK) {
                looked = Some(Instant::now());
                self.look_for_file();
                self.close_silent();
                // One whose arrival was told while no file could be opened is told of no more.
                self.accept();
            }
            if due(beat, BEAT) {
                beat = Some(Instant::now());
                self.beat();
                self.watch_data();
                self.watch_stages();
                self.latched.save_again();
                self.paused.save_again();
            }
        }
        self.hear();
        self.save_at_end();
        self.unclosed.tell_at_end(&self.names, self.risks_time());
        signal_hook::low_level::unregister(self.signal);
        // A run that ended in order has no heartbeat that a watchdog could miss. Of another the last beat stays: a watchdog sees
        // it stand still, and cancels what nobody looks after any more.
        if in_order.load(Ordering::Acquire) {
            let _ = fs::remove_file(&self.paths.heartbeat);
        }
    }

    /// What could not be written yet is tried once more, and what cannot be is left for who tells of the end.
    fn save_at_end(&mut self) {
        self.latched.save_again();
        self.paused.save_again();
        let unsaved = [&self.latched, &self.paused].into_iter().filter_map(Latched::unsaved);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.unsaved_at_end.extend(unsaved.map(str::to_owned));
    }

    fn answer(&mut self, line: &[u8], peer: Option<Peer>) -> ControlReply {
        let request = serde_json::from_slice::<ControlRequest>(line);
        let done = match &request {
            Err(error) => Err(format!("not a request: {error}")),
            Ok(ControlRequest::Status | ControlRequest::Metrics) => Ok(()),
            Ok(ControlRequest::Kill { scope, flatten, operator, reason, .. }) => {
                self.kill_named(scope, *flatten, operator, reason)
            }
            Ok(asked @ ControlRequest::Release { scope, operator, reason, .. }) => {
                let recorded = access::asked(peer, Some(asked), &Ok(()));
                self.release_named(scope, operator, reason, recorded)
            }
            Ok(ControlRequest::Pause { instrument, operator, reason }) => {
                self.pause_named(instrument, operator, reason)
            }
            Ok(asked @ ControlRequest::Resume { instrument, operator, reason }) => {
                let recorded = access::asked(peer, Some(asked), &Ok(()));
                self.resume_named(instrument, operator, reason, recorded)
            }
        };
        self.note_request(peer, request.as_ref().ok(), &done);
        let asked_metrics = matches!(request, Ok(ControlRequest::Metrics));
        let held = self.held();
        let losses_unsaved = self.found.lock().unwrap_or_else(PoisonError::into_inner).unsaved.clone();
        let vitals = &self.links.vitals;
        let mut market_data = self.data_problems(wall_clock());
        let market_data_left_out = market_data.len().saturating_sub(TOLD_MAX);
        market_data.truncate(TOLD_MAX);
        let orders = self.links.orders.as_ref();
        let broken = self.links.notes.as_ref().and_then(AuditNotes::broken);
        let (audit_trail_broken, surveillance_watches) =
            broken.map_or((None, None), |(why, watches)| (Some(why), watches));
        let no_orders = orders.and_then(OrdersLink::why_none_are_taken);
        ControlReply {
            error: done.err(),
            run: self.paths.socket.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
            pid: std::process::id(),
            events: vitals.events(),
            seen_ms_ago: u64::try_from(vitals.since().as_millis()).unwrap_or(u64::MAX),
            feed: vitals.feed(),
            stages_behind: vitals.stages_behind(),
            market_data,
            market_data_left_out,
            stopped: self.latched.stopped.clone(),
            unsaved: self.latched.unsaved().or(self.paused.unsaved()).map(str::to_owned),
            losses_unsaved,
            audit_trail_broken,
            surveillance_watches,
            paused: self.paused.stopped.clone(),
            held,
            unclosed: self.unclosed.told(&self.names, self.risks_time()),
            turned_away: self.turned_away(),
            kill_file: self.file_done.is_some().then(|| self.paths.kill.display().to_string()),
            orders_taken: orders.map(|_| no_orders.is_none()),
            no_orders,
            store: self.links.store.as_ref().map(StoreLink::reply),
            metrics: asked_metrics.then(|| self.newest_metrics()).flatten(),
        }
    }

    /// Has something recorded; false where the trail's writer is gone. Without a trail there is nothing to record in.
    pub(super) fn note(&self, body: Body) -> bool {
        let noted = self.links.notes.as_ref().is_none_or(|notes| notes.note(body));
        if !noted {
            log::error!(
                "the audit trail takes no records any more: what operators do is in the log and the journal alone"
            );
        }
        noted
    }

    /// Instruments that take no new orders: by an operator and for a difference, as risk told of each change; by others as
    /// risk knew them at its last snapshot, which may be older, and would contradict what is told of pauses.
    fn held(&self) -> Vec<HeldReply> {
        let snapshot = self.links.watch.snapshot();
        let snapshot = snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        let (pauses, values) = (snapshot.pauses.clone(), snapshot.values.clone());
        let lots_held = snapshot.lots_held.clone();
        drop(snapshot);
        let stands_by = |of| self.links.orders.as_ref().is_some_and(|orders| orders.stands_by(of));
        let held = self.names.instruments().iter().zip(0..).filter_map(|(name, id)| {
            let of = InstrumentId(id);
            let paused = self.paused.stopped.iter().any(|paused| paused.scope == *name);
            let told = [(PausedBy::Difference, self.differing.contains(&of)), (PausedBy::Operator, paused)];
            let others = pauses.holders(of).filter(|by| told.iter().all(|(told, _)| told.label() != *by));
            let told = told.iter().filter_map(|(by, holds)| holds.then_some(by.label()));
            let ours = |by| if by == PausedBy::Venue.label() && stands_by(of) { STANDS_BY } else { by };
            let by: Vec<String> = told.chain(others).map(|by| ours(by).to_owned()).collect();
            // While the venue takes no order of it, or nobody is to send one, what reduces is sent neither.
            let leaves_nothing = [PausedBy::Venue.label(), STANDS_BY];
            // What a commission left is no position that anything could close.
            let is_left = lots_held.get(of.index()).is_some_and(|held| *held);
            let value = values.get(of.index()).copied().filter(|value| *value != 0 && is_left);
            let unprotected = value
                .filter(|_| by.iter().any(|by| leaves_nothing.contains(&by.as_str())))
                .map(|value| format!("{:#}", Scaled { value, decimals: QUOTE_DECIMALS }));
            (!by.is_empty()).then(|| HeldReply { instrument: name.clone(), by, unprotected })
        });
        held.collect()
    }

    /// The newest moment that risk is known to have come to.
    fn risks_time(&self) -> Time {
        let snapshot = self.links.watch.snapshot();
        snapshot.lock().unwrap_or_else(PoisonError::into_inner).time
    }

    fn turned_away(&self) -> Vec<TurnedAwayReply> {
        let snapshot = self.links.watch.snapshot();
        let snapshot = snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        TurnedAwayReply::all(&snapshot, &self.names)
    }

    fn newest_metrics(&self) -> Option<serde_json::Value> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, at) = found.told.as_ref()?;
        let mut told = serde_json::to_value(told).ok()?;
        told["age_ms"] = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX).into();
        Some(told)
    }

    /// Whether it is stopped by its own switch.
    pub(super) fn is_stopped(&self, scope: Scope) -> bool {
        self.stopped(scope).is_some()
    }

    /// How it is stopped by its own switch, if it is.
    pub(super) fn stopped(&self, scope: Scope) -> Option<&Stopped> {
        let name = self.names.show(scope);
        self.latched.stopped.iter().find(|stopped| stopped.scope == name)
    }

    fn kill_named(&mut self, scope: &str, flatten: bool, operator: &str, reason: &str) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let scopes = self.names.read(scope).map_err(|error| error.to_string())?;
        for scope in scopes {
            self.kill(scope, DenyReason::Killed, flatten, operator, reason)?;
        }
        Ok(())
    }

    pub(super) fn kill(
        &mut self,
        scope: Scope,
        cause: DenyReason,
        flatten: bool,
        by: &str,
        reason: &str,
    ) -> Result<(), String> {
        self.send(Command::Kill(Kill { scope, cause, flatten, carried: false }))?;
        if self.throttles.forget(scope) && self.is_stopped(scope) {
            // It is stopped already, and from now on by whoever stops it again: no throttle's end releases it.
            self.take_over(scope, by, reason);
            return Ok(());
        }
        self.asked.retain(|asked| (asked.scope, asked.cause) != (scope, cause));
        self.asked.push(Asked { scope, cause, by: by.to_owned(), reason: reason.to_owned() });
        Ok(())
    }

    fn take_over(&mut self, scope: Scope, by: &str, reason: &str) {
        let name = self.names.show(scope);
        let Some(stopped) = self.latched.stopped.iter().find(|stopped| stopped.scope == name) else { return };
        let taken = Stopped { by: by.to_owned(), reason: reason.to_owned(), ..stopped.clone() };
        if let Err(error) = self.latched.add(taken) {
            log::error!("{error}");
        }
    }

    /// `recorded` is what the trail is to say of it: what it cannot take is not done.
    fn release_named(
        &mut self,
        scope: &str,
        operator: &str,
        reason: &str,
        recorded: Body,
    ) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let stopped = |name: &str| self.latched.stopped.iter().any(|s| s.scope == name);
        let scopes = match self.names.read(scope) {
            Ok(scopes) => scopes,
            // Of a strategy or an instrument that this run does not have, what is kept of it can go.
            Err(_) if stopped(scope.trim()) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        self.record_first(recorded)?;
        if scopes.is_empty() {
            return self.latched.remove(scope.trim()).map_err(|error| error.to_string());
        }
        log::warn!("{scope} is released by {operator}: {reason}");
        if self.file_done.is_some() {
            log::warn!("{} is there still: remove it, or it stops the next start", self.paths.kill.display());
        }
        for scope in scopes {
            self.send(Command::Release(scope))?;
        }
        Ok(())
    }

    pub(super) fn send(&mut self, command: Command) -> Result<(), String> {
        if self.links.commands.events_room() == 0 {
            return Err(
                "the engine takes no commands: it hangs, or has too many of them; kill the process, \
                        whose watchdog cancels what is open"
                    .to_owned(),
            );
        }
        self.command_count += 1;
        // Due at once.
        let (due, number, slot) = (Time(0), self.command_count, Slot::command(command));
        self.links.commands.push(Answer { due, cause_seq: 0, origin: 3, number, slot });
        Ok(())
    }

    fn on_signal(&mut self) {
        let mut room = [0; 64];
        while matches!(self.signals.read(&mut room), Ok(n) if n > 0) {}
        let done = self.kill(Scope::All, DenyReason::Killed, false, "SIGUSR1", "a signal");
        if let Err(error) = &done {
            log::error!("SIGUSR1: {error}");
        }
        self.note(access::came("SIGUSR1", "kill all".to_owned(), "a signal", &done));
    }

    /// The file stops what its lines name, or everything; taking it away releases nothing.
    fn look_for_file(&mut self) {
        let mut why = String::new();
        let text = match fs::read_to_string(&self.paths.kill) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.file_done = None;
                return;
            }
            // What is there and cannot be read means no less; nor does what cannot be looked for.
            Err(error) => {
                why = format!(" (it cannot be read: {error})");
                String::new()
            }
        };
        // What it said once is done: whoever released it since meant that. What is written over it is another word.
        if self.file_done.as_ref() == Some(&text) {
            return;
        }
        let mut scopes = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match self.names.read(line) {
                Ok(named) => scopes.extend(named),
                Err(error) => {
                    log::error!("{}: {error}; everything is stopped", self.paths.kill.display());
                    scopes = vec![Scope::All];
                    break;
                }
            }
        }
        if scopes.is_empty() {
            scopes.push(Scope::All);
        }
        let by = format!("{}{why}", self.paths.kill.display());
        self.file_done = Some(text);
        for scope in scopes {
            let done = self.kill(scope, DenyReason::Killed, false, &by, "a file");
            if let Err(error) = &done {
                log::error!("{by}: {error}");
                self.file_done = None;
            }
            let what = format!("kill {}", self.names.show(scope));
            self.note(access::came(&by, what, "a file", &done));
        }
    }

    /// Hears what the kill switch did, and writes it down.
    fn hear(&mut self) {
        while let Some((switched, at)) = self.links.watch.next_change() {
            let kept = match switched {
                Switched::Killed(kill) => {
                    if kill.flatten {
                        // What does not close by it either is told again.
                        self.unclosed.forget();
                    }
                    self.note_kill(&kill, at)
                }
                Switched::Released(scope) => {
                    let name = self.names.show(scope);
                    log::warn!("{name} trades again");
                    self.links.alerts.raise(Alert::released(&name, at));
                    self.throttles.forget(scope);
                    self.unclosed.forget();
                    self.stop_again(scope);
                    self.latched.remove(&name)
                }
                Switched::Paused(of) => self.note_pause(of, at),
                Switched::Resumed(of) => self.note_resume(of),
                Switched::Differs(of) => {
                    self.note_difference(of, at);
                    Ok(())
                }
                Switched::Agrees(of) => {
                    self.unclosed.looked_at(of);
                    self.note_agreement(of, at);
                    Ok(())
                }
                Switched::Decided(of) => {
                    self.unclosed.looked_at(of);
                    Ok(())
                }
                Switched::Closed(of) => {
                    self.unclosed.closed(of);
                    Ok(())
                }
                Switched::NotClosed(of, why) => {
                    self.unclosed.refused(of, why, &self.names, &self.links.alerts, at);
                    Ok(())
                }
            };
            if let Err(error) = kept {
                log::error!("{error}");
            }
        }
    }

    fn note_kill(&mut self, kill: &Kill, at: Time) -> Result<(), LatchedError> {
        let scope = self.names.show(kill.scope);
        let theirs = |asked: &Asked| (asked.scope, asked.cause) == (kill.scope, kill.cause);
        let asked = self.asked.iter().position(theirs).map(|at| self.asked.remove(at));
        let is_limit = kill.cause.is_of_losses();
        let before = self.stopped(kill.scope).cloned();
        let flatten = kill.flatten || before.as_ref().is_some_and(|before| before.flatten);
        if let Some(before) = &before
            && (!is_limit || before.cause == kill.cause.label())
        {
            // It was stopped already, by the run before, say; what is new is at most that it is closed, too.
            return self.closes_too(before, flatten, at);
        }
        let (by, mut reason) = match (asked, kill.cause) {
            (Some(asked), _) => (asked.by, asked.reason),
            // By the journal that the run goes on with: who it was is in that run's own list.
            (None, DenyReason::Killed | DenyReason::Surveillance) => {
                ("the run before".to_owned(), format!("{}, and nobody released it", kill.cause))
            }
            (None, limit) => ("limit".to_owned(), format!("[risk.losses]: {limit}")),
        };
        if let Some(Stopped { by, reason: theirs, since, .. }) = &before {
            reason = format!("{reason}; stopped already by {by}, since {since}: {theirs}");
        }
        if is_limit {
            // What lost too much is released by a person, and not by the end of a throttle.
            self.throttles.forget(kill.scope);
        }
        log::error!(
            "KILLED: {scope} is stopped by {by}: {reason}; `algo-trader ctl release` lets it trade again"
        );
        self.links.alerts.raise(Alert::stopped(&scope, kill.cause.label(), &by, &reason, at));
        if let Some(before) = before.filter(Stopped::is_by_limit) {
            // The first limit stays its reason, as it is risk's.
            return self.closes_too(&before, flatten, at);
        }
        self.latched.add(Stopped {
            scope,
            cause: kill.cause.label().to_owned(),
            by,
            reason,
            since: at.to_string(),
            flatten,
            flatten_since: None,
        })
    }

    /// What is stopped already is closed from now on as well, where it is.
    fn closes_too(&mut self, stopped: &Stopped, flatten: bool, at: Time) -> Result<(), LatchedError> {
        if stopped.flatten == flatten {
            return Ok(());
        }
        self.latched.add(Stopped { flatten, flatten_since: Some(at.to_string()), ..stopped.clone() })
    }

    fn beat(&mut self) {
        let vitals = &self.links.vitals;
        let beats = vitals.beats();
        if beats == self.beats || vitals.since() > ALIVE {
            return;
        }
        self.beats = beats;
        if let Err(error) = heartbeat::write(&self.paths.heartbeat, beats, vitals.events()) {
            log::warn!("{}: {error}", self.paths.heartbeat.display());
        }
    }
}

/// Refuses an empty or endless text, and one that would move a terminal's cursor where it is shown.
pub(super) fn said(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX || text.contains(char::is_control) {
        return Err(format!(
            "needs an {what}: 1 to {TEXT_CHARS_MAX} characters on one line, none a control character"
        )
        .replace("an reason", "a reason"));
    }
    Ok(())
}
