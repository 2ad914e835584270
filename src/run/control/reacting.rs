//! What surveillance asks for, carried out by the kill switch: to halt is to stop everything, to throttle is to stop one
//! strategy for a while.
//!
//! Both latch like an operator's kill: they are in the ring, the journal, the audit trail and the list of what is stopped. A
//! halt ends when a named operator releases it. A throttle ends by itself, but one that a restart falls into, or that an
//! operator stops as well, waits for an operator too.

use super::access::came;
use super::server::Server;
use crate::domain::event::Command;
use crate::domain::{DenyReason, Scope};
use crate::run::watch::Reacting;
use crate::surveillance::Reaction;
use std::time::{Duration, Instant};

/// By whom it is said to be done.
pub(super) const SURVEILLANCE: &str = "surveillance";

/// Strategies that are throttled, and until when.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    pub last: Duration,
    pub running: Vec<(Scope, Instant)>,
    /// Those that are over, until risk says that they are.
    pub ending: Vec<Scope>,
}

impl Throttles {
    /// What is stopped here is somebody else's to release from now on.
    pub fn forget(&mut self, scope: Scope) -> bool {
        let before = self.running.len();
        self.running.retain(|(throttled, _)| *throttled != scope && scope != Scope::All);
        self.running.len() != before
    }
}

impl Server {
    /// Carries out what surveillance asks for, and ends throttles that are over.
    pub(super) fn react(&mut self) {
        while let Some(wanted) = self.links.reactions.as_ref().and_then(|all| all.try_recv().ok()) {
            let done = self.carry_out(&wanted.what);
            // Whoever asked may have given up waiting.
            let _ = wanted.done.send(done);
        }
        let now = Instant::now();
        while let Some(at) = self.throttles.running.iter().position(|(_, until)| *until <= now) {
            let scope = self.throttles.running[at].0;
            if let Err(problem) = self.send(Command::Release(scope)) {
                log::error!("{} stays throttled: {problem}", self.names.show(scope));
                self.throttles.running[at].1 = now + Duration::from_secs(1);
                continue;
            }
            self.throttles.running.remove(at);
            self.throttles.ending.push(scope);
            let what = format!("release {}", self.names.show(scope));
            log::warn!("{} is throttled no longer", self.names.show(scope));
            self.note(came(SURVEILLANCE, what, "the throttle is over", &Ok(())));
        }
    }

    /// Risk let something go. A throttle's end lets go what only it stopped: where a limit of losses was met while the end
    /// was on its way, that stops it again.
    pub(super) fn stop_again(&mut self, scope: Scope) {
        let before = self.throttles.ending.len();
        self.throttles.ending.retain(|ended| *ended != scope);
        if self.throttles.ending.len() == before {
            return;
        }
        let Some(stopped) = self.stopped(scope).filter(|stopped| stopped.is_by_limit()).cloned() else {
            return;
        };
        // What its limit was to close is closed on.
        let (cause, flatten) = (stopped.why(), stopped.flatten);
        if let Err(problem) = self.kill(scope, cause, flatten, &stopped.by, &stopped.reason) {
            log::error!("{} is stopped no longer: {problem}", stopped.scope);
        }
    }

    fn carry_out(&mut self, what: &Reacting) -> Result<(), String> {
        let name = match what.reaction {
            Reaction::Warn => return Ok(()),
            Reaction::Throttle => format!("strategy {}", what.strategy),
            Reaction::Halt => "all".to_owned(),
        };
        let done = self.stop(&name, what);
        self.note(came(SURVEILLANCE, format!("kill {name}"), &what.why, &done));
        done
    }

    fn stop(&mut self, name: &str, what: &Reacting) -> Result<(), String> {
        for scope in self.names.read(name).map_err(|error| error.to_string())? {
            let until = Instant::now() + self.throttles.last;
            if let Some(running) = self.throttles.running.iter_mut().find(|(known, _)| *known == scope) {
                // Seen again: the while begins anew.
                running.1 = until;
                continue;
            }
            if self.is_stopped(scope) {
                continue;
            }
            self.kill(scope, DenyReason::Surveillance, false, SURVEILLANCE, &what.why)?;
            if what.reaction == Reaction::Throttle {
                self.throttles.running.push((scope, until));
            }
        }
        Ok(())
    }
}
