//! The scribe: follows a journal and writes the trail of its run.

use super::chain::Anchor;
use super::error::AuditError;
use super::limits::{Changed, Limits};
use super::projector::Projector;
use super::record::Body;
use super::writer::TrailWriter;
use crate::journal::{Entry, Follower, Next};
use std::path::Path;

/// How far a scribe came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scribed {
    /// There is more to take in.
    More,
    /// There is no more for now.
    Pending,
    /// The run came to its end, and all of it is in the trail.
    Ended,
}

/// Entries taken in before others get their turn.
const ENTRIES_AT_ONCE: usize = 50_000;

/// See the module.
pub struct Scribe {
    follower: Follower,
    projector: Projector,
    writer: TrailWriter,
    /// Entries that the trail has already.
    known: u64,
    ended: bool,
    /// Records that the trail had when it was opened.
    records_before: u64,
}

impl Scribe {
    /// Begins, or goes on with, the trail of a journal; `None` while the journal's header is not there yet. A trail may
    /// hold many runs, one after the other.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(journal: &Path, trail: &Path, anchors: &[Anchor]) -> Result<Option<Self>, AuditError> {
        Self::open_after(journal, trail, anchors, None)
    }

    /// The same of a run before which these limits were in force; without them, those of the trail's last run were.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open_after(
        journal: &Path,
        trail: &Path,
        anchors: &[Anchor],
        before: Option<&Limits>,
    ) -> Result<Option<Self>, AuditError> {
        let Some(follower) = Follower::open(journal)? else { return Ok(None) };
        let (mut writer, found, cut_bytes) = TrailWriter::open(trail, anchors)?;
        let key = follower.run_key();
        let projector = Projector::new(follower.header());
        let last = found.runs.last().is_some_and(|run| run == key);
        if !last && found.runs.iter().any(|run| run == key) {
            return Err(AuditError::Past { path: trail.display().to_string() });
        }
        let known = if last { found.entry } else { 0 };
        let ended = last && found.ended;
        if !last && !found.ended && found.records > 0 {
            log::warn!(
                "{}: its last run has no end there: what its journal has beyond it can be added to another trail alone \
                 (algo-trader audit load --trail)",
                trail.display()
            );
        }
        if !last {
            let header = follower.header();
            writer.append(projector.at(), &Projector::beginning(header, key))?;
            let earlier = (!found.runs.is_empty()).then(|| Limits::of(&found.config_text));
            let before = before.cloned().or(earlier);
            let now = Limits::of(&header.config_text);
            let changes = before.map(|before| now.changed_from(&before)).unwrap_or_default();
            for Changed { limit, from, to } in changes {
                let who = format!("configuration {}", header.config_name);
                let why = "the configuration of this run, against the run before it".to_owned();
                writer.append(projector.at(), &Body::Limit { who, limit, from, to, why })?;
            }
        } else if !ended {
            let at = super::Stamp { entry: known, ..projector.at() };
            writer.append(at, &Body::Resumed { cut_bytes })?;
        }
        Ok(Some(Self { follower, projector, writer, known, ended, records_before: found.records }))
    }

    /// Takes in what the journal has, and writes what there is to record.
    ///
    /// # Errors
    /// [`AuditError`]; nothing may be added after one.
    pub fn read(&mut self) -> Result<Scribed, AuditError> {
        self.read_with(&mut |_, _| {})
    }

    /// The same, with each entry shown to `watch`, which may add records of its own: those of entries that the trail has
    /// already are in it too, and are left out.
    ///
    /// # Errors
    /// [`AuditError`]; nothing may be added after one.
    pub fn read_with(
        &mut self,
        watch: &mut dyn FnMut(&Entry, &mut Vec<Body>),
    ) -> Result<Scribed, AuditError> {
        let mut more = Vec::new();
        for _ in 0..ENTRIES_AT_ONCE {
            if self.ended {
                return Ok(Scribed::Ended);
            }
            let (entry, ended) = match self.follower.next_entry()? {
                Next::Entry(entry, _) => (entry, false),
                Next::Pending => {
                    self.writer.flush()?;
                    return Ok(Scribed::Pending);
                }
                Next::Ended => (Entry::End, true),
            };
            watch(&entry, &mut more);
            let body = self.projector.take(&entry);
            if let Some(body) = body
                && self.projector.at().entry > self.known
            {
                self.writer.append(self.projector.at(), &body)?;
            }
            for body in more.drain(..) {
                if self.projector.at().entry > self.known {
                    self.writer.append(self.projector.at(), &body)?;
                }
            }
            self.writer.spill()?;
            if ended {
                self.ended = true;
                self.writer.sync()?;
            }
        }
        Ok(Scribed::More)
    }

    /// Records what did not come by the journal.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn note(&mut self, body: &Body) -> Result<(), AuditError> {
        let mut at = self.projector.at();
        // One that is resumed has not read up to where the trail is; its records keep counting from there.
        at.entry = at.entry.max(self.known);
        self.writer.append(at, body)?;
        self.writer.flush()
    }

    /// The limits that the run's configuration sets.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits::of(&self.follower.header().config_text)
    }

    /// The newest record.
    #[must_use]
    pub fn head(&self) -> Option<Anchor> {
        self.writer.head()
    }

    /// How many records the trail had when it was opened, without what was cut off its end.
    #[must_use]
    pub const fn records_before(&self) -> u64 {
        self.records_before
    }

    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn sync(&mut self) -> Result<(), AuditError> {
        self.writer.sync()
    }

    /// Who reads the journal, to read on from here; the trail is let go of.
    #[must_use]
    pub fn into_follower(self) -> Follower {
        self.follower
    }

    /// Bytes of the journal that are not in the trail.
    #[must_use]
    pub fn behind_bytes(&self) -> u64 {
        self.follower.behind()
    }
}
