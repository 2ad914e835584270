//! The loop of the control thread.

use super::latched::{Latched, LatchedError, Stopped};
use super::names::ScopeNames;
use super::request::{ControlReply, ControlRequest};
use super::vitals::Vitals;
use super::{ControlPaths, PreparedControl};
use crate::domain::event::Command;
use crate::domain::{DenyReason, Kill, Scope, Slot, Time};
use crate::pipeline::{Answer, LaneSender};
use crate::risk::watch::{Switched, WatchReceiver};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use signal_hook::SigId;
use std::fs;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
const SIGNAL: Token = Token(1);
/// Tokens of connections begin here.
const CLIENTS: usize = 2;
/// Connections at once; whoever comes while there are so many is turned away.
const CLIENTS_MAX: usize = 16;
/// The longest wait for a connection or a signal: changes of the kill switch and the file are seen after that.
const WAIT: Duration = Duration::from_millis(5);
/// Between two looks for the file.
const LOOK: Duration = Duration::from_millis(20);
/// Between two beats.
const BEAT: Duration = Duration::from_millis(250);
/// An engine that was not seen for so long has no heartbeat.
const ALIVE: Duration = Duration::from_secs(2);
/// A connection that says nothing is closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request.
const REQUEST_BYTES_MAX: usize = 4_096;
/// The longest name of an operator and the longest reason.
const TEXT_CHARS_MAX: usize = 200;

struct Client {
    stream: UnixStream,
    text: Vec<u8>,
    since: Instant,
}

/// Who asked for a kill of this scope, until risk says that it is done.
struct Asked {
    scope: Scope,
    by: String,
    reason: String,
}

/// See the module.
pub(super) struct Server {
    paths: ControlPaths,
    names: ScopeNames,
    latched: Latched,
    commands: LaneSender<Answer>,
    command_count: u64,
    watch: WatchReceiver,
    vitals: Vitals,
    poll: Poll,
    listener: UnixListener,
    signals: UnixStream,
    signal: SigId,
    clients: Vec<Option<Client>>,
    asked: Vec<Asked>,
    file_seen: bool,
    beats: u64,
}

impl Server {
    pub fn new(
        prepared: PreparedControl,
        commands: LaneSender<Answer>,
        watch: WatchReceiver,
        vitals: Vitals,
    ) -> io::Result<Self> {
        let PreparedControl { paths, names, latched, listener } = prepared;
        let poll = Poll::new()?;
        let mut listener = UnixListener::from_std(listener);
        let (signals, raised) = std::os::unix::net::UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        let mut signals = UnixStream::from_std(signals);
        let signal = signal_hook::low_level::pipe::register(signal_hook::consts::SIGUSR1, raised)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut signals, SIGNAL, Interest::READABLE)?;
        Ok(Self {
            paths,
            names,
            latched,
            commands,
            command_count: 0,
            watch,
            vitals,
            poll,
            listener,
            signals,
            signal,
            clients: (0..CLIENTS_MAX).map(|_| None).collect(),
            asked: Vec::new(),
            file_seen: false,
            beats: 0,
        })
    }

    pub fn run(&mut self, over: &AtomicBool) {
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
            self.hear();
            if due(looked, LOOK) {
                looked = Some(Instant::now());
                self.look_for_file();
                self.close_silent();
            }
            if due(beat, BEAT) {
                beat = Some(Instant::now());
                self.beat();
            }
        }
        self.hear();
        signal_hook::low_level::unregister(self.signal);
        // A run that ended in order has no heartbeat that a watchdog could miss.
        for path in [&self.paths.heartbeat, &self.paths.socket] {
            let _ = fs::remove_file(path);
        }
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let Some(free) = self.clients.iter().position(Option::is_none) else {
                log::warn!("too many ask at once; one is turned away");
                continue;
            };
            let token = Token(CLIENTS + free);
            if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_ok() {
                self.clients[free] = Some(Client { stream, text: Vec::new(), since: Instant::now() });
            }
        }
    }

    /// Reads what a connection says, and answers once it is a line.
    fn serve(&mut self, at: usize) {
        let Some(Some(client)) = self.clients.get_mut(at) else { return };
        let mut room = [0; 1_024];
        let ended = loop {
            match client.stream.read(&mut room) {
                Ok(0) => break true,
                Ok(n) => client.text.extend_from_slice(&room[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
            if client.text.len() > REQUEST_BYTES_MAX {
                break true;
            }
        };
        let line = client.text.iter().position(|byte| *byte == b'\n');
        if let Some(end) = line {
            let text = client.text[..end].to_vec();
            let reply = self.answer(&text);
            let mut line = serde_json::to_vec(&reply).unwrap_or_default();
            line.push(b'\n');
            if let Some(Some(client)) = self.clients.get_mut(at) {
                // A few kilobytes always fit the socket's buffer; whoever has gone does not read them.
                let _ = client.stream.write_all(&line);
            }
        }
        if line.is_some() || ended {
            self.clients[at] = None;
        }
    }

    fn close_silent(&mut self) {
        for client in &mut self.clients {
            if client.as_ref().is_some_and(|c| c.since.elapsed() > PATIENCE) {
                *client = None;
            }
        }
    }

    fn answer(&mut self, line: &[u8]) -> ControlReply {
        let done = match serde_json::from_slice::<ControlRequest>(line) {
            Err(error) => Err(format!("not a request: {error}")),
            Ok(ControlRequest::Status) => Ok(()),
            Ok(ControlRequest::Kill { scope, flatten, operator, reason }) => {
                self.kill_named(&scope, flatten, &operator, &reason)
            }
            Ok(ControlRequest::Release { scope, operator, reason }) => {
                self.release_named(&scope, &operator, &reason)
            }
        };
        ControlReply {
            error: done.err(),
            run: self.paths.socket.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(),
            pid: std::process::id(),
            events: self.vitals.events(),
            seen_ms_ago: u64::try_from(self.vitals.since().as_millis()).unwrap_or(u64::MAX),
            stopped: self.latched.stopped.clone(),
        }
    }

    fn kill_named(&mut self, scope: &str, flatten: bool, operator: &str, reason: &str) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let scopes = self.names.read(scope).map_err(|error| error.to_string())?;
        for scope in scopes {
            self.kill(scope, flatten, operator, reason)?;
        }
        Ok(())
    }

    fn kill(&mut self, scope: Scope, flatten: bool, by: &str, reason: &str) -> Result<(), String> {
        self.send(Command::Kill(Kill { scope, cause: DenyReason::Killed, flatten }))?;
        self.asked.retain(|asked| asked.scope != scope);
        self.asked.push(Asked { scope, by: by.to_owned(), reason: reason.to_owned() });
        Ok(())
    }

    fn release_named(&mut self, scope: &str, operator: &str, reason: &str) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let stopped = |name: &str| self.latched.stopped.iter().any(|s| s.scope == name);
        let scopes = match self.names.read(scope) {
            Ok(scopes) => scopes,
            // Of a strategy or an instrument that this run does not have, what is kept of it can go.
            Err(_) if stopped(scope.trim()) => {
                return self.latched.remove(scope.trim()).map_err(|error| error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        };
        log::warn!("{scope} is released by {operator}: {reason}");
        for scope in scopes {
            self.send(Command::Release(scope))?;
        }
        Ok(())
    }

    fn send(&mut self, command: Command) -> Result<(), String> {
        if self.commands.events_room() == 0 {
            return Err(
                "the engine takes no commands: it hangs, or has too many of them; kill the process, \
                        whose watchdog cancels what is open"
                    .to_owned(),
            );
        }
        self.command_count += 1;
        // Due at once.
        let (due, number, slot) = (Time(0), self.command_count, Slot::command(command));
        self.commands.push(Answer { due, cause_seq: 0, origin: 3, number, slot });
        Ok(())
    }

    fn on_signal(&mut self) {
        let mut room = [0; 64];
        while matches!(self.signals.read(&mut room), Ok(n) if n > 0) {}
        if let Err(error) = self.kill(Scope::All, false, "SIGUSR1", "a signal") {
            log::error!("SIGUSR1: {error}");
        }
    }

    /// The file stops what its lines name, or everything; taking it away releases nothing.
    fn look_for_file(&mut self) {
        let text = match fs::read_to_string(&self.paths.kill) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.file_seen = false;
                return;
            }
            // What is there and cannot be read means no less.
            Err(_) => String::new(),
        };
        if std::mem::replace(&mut self.file_seen, true) {
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
        let by = self.paths.kill.display().to_string();
        for scope in scopes {
            if let Err(error) = self.kill(scope, false, &by, "a file") {
                log::error!("{by}: {error}");
                self.file_seen = false;
            }
        }
    }

    /// Hears what the kill switch did, and writes it down.
    fn hear(&mut self) {
        while let Some((switched, at)) = self.watch.next_change() {
            let kept = match switched {
                Switched::Killed(kill) => self.note_kill(&kill, at),
                Switched::Released(scope) => {
                    let name = self.names.show(scope);
                    log::warn!("{name} trades again");
                    self.latched.remove(&name)
                }
            };
            if let Err(error) = kept {
                log::error!("{error}");
            }
        }
    }

    fn note_kill(&mut self, kill: &Kill, at: Time) -> Result<(), LatchedError> {
        let scope = self.names.show(kill.scope);
        let asked = self.asked.iter().position(|a| a.scope == kill.scope).map(|at| self.asked.remove(at));
        if self.latched.stopped.iter().any(|s| s.scope == scope) {
            // It was stopped by the run before.
            return Ok(());
        }
        let (by, reason) = match asked {
            Some(asked) if kill.cause == DenyReason::Killed => (asked.by, asked.reason),
            _ => ("limit".to_owned(), format!("[risk.losses]: {}", kill.cause)),
        };
        log::error!(
            "KILLED: {scope} is stopped by {by}: {reason}; `algo-trader ctl release` lets it trade again"
        );
        self.latched.add(Stopped {
            scope,
            cause: kill.cause.label().to_owned(),
            by,
            reason,
            since: at.to_string(),
        })
    }

    fn beat(&mut self) {
        let beats = self.vitals.beats();
        if beats == self.beats || self.vitals.since() > ALIVE {
            return;
        }
        self.beats = beats;
        // One write of a short line: a reader sees the old one or the new one, and either will do.
        if let Err(error) = fs::write(&self.paths.heartbeat, format!("{beats} {}\n", self.vitals.events())) {
            log::warn!("{}: {error}", self.paths.heartbeat.display());
        }
    }
}

/// Refuses an empty or endless text.
fn said(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX || text.contains(['\n', '\r']) {
        return Err(format!("needs an {what}: 1 to {TEXT_CHARS_MAX} characters on one line")
            .replace("an reason", "a reason"));
    }
    Ok(())
}
