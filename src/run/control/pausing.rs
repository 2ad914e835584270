//! Instruments that an operator pauses and lets go of while a run goes on.
//!
//! Owns: the list of them, in a file that outlives the process as that of what is stopped does. A pause goes by the ring, so
//! that the journal has it and a replay repeats it; it is on the list once risk has told that it holds.

use super::PreparedControl;
use super::latched::{LatchedError, Stopped};
use super::server::{Server, said};
use crate::audit::Body;
use crate::domain::event::Command;
use crate::domain::{InstrumentId, PausedBy, Time};
use crate::run::alerts::Alert;

/// As the list names what was done.
const CAUSE: &str = "paused";
/// As alerts name a difference with the venue.
const DIFFERENCE: &str = "difference";

impl PreparedControl {
    /// What the last run left paused, as commands for this one. What has no name in it any more is told, and kept.
    #[must_use]
    pub fn pauses(&self) -> Vec<Command> {
        let mut pauses = Vec::new();
        for Stopped { scope, by, reason, since, .. } in &self.paused.stopped {
            let why = format!("{reason}, by {by}, since {since}");
            match self.names.instrument(scope) {
                Ok(of) => {
                    log::warn!(
                        "{scope} stays paused ({why}): `algo-trader ctl resume {scope}` lets it trade"
                    );
                    pauses.push(Command::Pause(of, PausedBy::Operator));
                }
                Err(error) => log::warn!("{scope} was paused ({why}), and pauses NOTHING here: {error}"),
            }
        }
        pauses
    }
}

impl Server {
    pub(super) fn pause_named(&mut self, name: &str, operator: &str, reason: &str) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let of = self.names.instrument(name).map_err(|error| error.to_string())?;
        self.send(Command::Pause(of, PausedBy::Operator))?;
        self.pausing.retain(|(asked, _)| *asked != of);
        let (scope, by, reason) = (self.names.of(of), operator.to_owned(), reason.to_owned());
        self.pausing.push((
            of,
            Stopped {
                scope,
                cause: CAUSE.to_owned(),
                by,
                reason,
                since: String::new(),
                flatten: false,
                flatten_since: None,
            },
        ));
        Ok(())
    }

    /// `recorded` is what the trail is to say of it: what it cannot take is not done.
    pub(super) fn resume_named(
        &mut self,
        name: &str,
        operator: &str,
        reason: &str,
        recorded: Body,
    ) -> Result<(), String> {
        said("operator", operator)?;
        said("reason", reason)?;
        let name = name.trim();
        match self.names.instrument(name) {
            Ok(of) => {
                self.record_first(recorded)?;
                log::warn!("{name} is resumed by {operator}: {reason}");
                self.send(Command::Unpause(of, PausedBy::Operator))?;
                if let Some(orders) = &self.links.orders {
                    orders.looked_at(of);
                }
                Ok(())
            }
            // Of an instrument that this run does not have, what is kept of it can go.
            Err(_) if self.paused.stopped.iter().any(|paused| paused.scope == name) => {
                self.record_first(recorded)?;
                self.paused.remove(name).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Has something recorded that lets trade again: what the trail cannot take is not done.
    pub(super) fn record_first(&self, recorded: Body) -> Result<(), String> {
        if self.note(recorded) {
            return Ok(());
        }
        Err("the audit trail cannot record it; end the run, see what its log says of the trail, and start it again: what is \
             stopped or paused stays so"
            .to_owned())
    }

    /// Risk holds an instrument back.
    pub(super) fn note_pause(&mut self, of: InstrumentId, at: Time) -> Result<(), LatchedError> {
        let scope = self.names.of(of);
        let asked =
            self.pausing.iter().position(|(asked, _)| *asked == of).map(|at| self.pausing.remove(at).1);
        if asked.is_none() && self.paused.stopped.iter().any(|paused| paused.scope == scope) {
            // It was paused by the run before.
            return Ok(());
        }
        let (by, reason) = asked.map_or_else(
            || ("an operator".to_owned(), "in the journal that this run goes on with".to_owned()),
            |asked| (asked.by, asked.reason),
        );
        log::warn!("{scope} is paused by {by}: {reason}; `algo-trader ctl resume {scope}` lets it trade");
        self.paused.add(Stopped {
            scope,
            cause: CAUSE.to_owned(),
            by,
            reason,
            since: at.to_string(),
            flatten: false,
            flatten_since: None,
        })
    }

    /// Risk holds it back for an operator no longer.
    pub(super) fn note_resume(&mut self, of: InstrumentId) -> Result<(), LatchedError> {
        let scope = self.names.of(of);
        log::warn!("{scope} is paused by no operator any more");
        self.paused.remove(&scope)
    }

    /// The account at the venue is not what fills imply: nobody may be looking at the log.
    pub(super) fn note_difference(&mut self, of: InstrumentId, at: Time) {
        if self.differing.contains(&of) {
            return;
        }
        self.differing.push(of);
        let scope = self.names.of(of);
        let why = format!(
            "the venue's balances are not what fills imply; look why, and `algo-trader ctl resume {scope}` takes them over"
        );
        self.links.alerts.raise(Alert::stopped(&scope, DIFFERENCE, "reconciliation", &why, at));
    }

    /// It is held back for that no longer.
    pub(super) fn note_agreement(&mut self, of: InstrumentId, at: Time) {
        let before = self.differing.len();
        self.differing.retain(|differs| *differs != of);
        if self.differing.len() < before {
            self.links.alerts.raise(Alert::released(&self.names.of(of), at));
        }
    }
}
