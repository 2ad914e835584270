//! What the audit trail's thread does: writes the trail as the journal grows, and lets surveillance look on where it cannot.

use super::webhook::AnchorPost;
use super::{AuditRequest, AuditSummary, Command, LOOK, known_anchors};
use crate::audit::verify::append_anchors;
use crate::audit::{Anchor, AuditError, Body, Limits, Scribe, Scribed};
use crate::journal::{Entry, Follower, JournalError, Next};
use crate::run::alerts::{Alert, Alerts};
use crate::run::control::file::write_whole;
use crate::run::live::wall_clock;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Entries looked at before others get their turn.
const ENTRIES_AT_ONCE: usize = 50_000;

pub(super) struct Worker {
    request: AuditRequest,
    journal: PathBuf,
    trail: PathBuf,
    notes: Vec<Body>,
    commands: Receiver<Command>,
    shared: Arc<Mutex<AuditSummary>>,
    anchored: Option<Anchor>,
    anchor_at: Instant,
    deadline: Option<Instant>,
    post: Option<AnchorPost>,
    alerts: Alerts,
}

impl Worker {
    pub fn new(
        mut request: AuditRequest,
        journal: PathBuf,
        early: Vec<Body>,
        commands: Receiver<Command>,
        shared: Arc<Mutex<AuditSummary>>,
        alerts: Alerts,
    ) -> Self {
        let trail = request.trail_beside(&journal);
        let mut notes = std::mem::take(&mut request.first);
        notes.extend(early);
        let anchor_at = Instant::now() + request.anchor_every;
        Self {
            request,
            journal,
            trail,
            notes,
            commands,
            shared,
            anchored: None,
            anchor_at,
            deadline: None,
            post: None,
            alerts,
        }
    }

    fn tell(&self, change: impl FnOnce(&mut AuditSummary)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Until the run is over. Where the trail breaks before that, surveillance looks on.
    pub fn run(&mut self) {
        self.watch_and_write();
        if let Some(post) = self.post.take() {
            let failures = post.finish();
            self.tell(|s| s.webhook_failures = failures);
        }
    }

    fn watch_and_write(&mut self) {
        let mut scribe = None;
        let Err(error) = self.write(&mut scribe) else { return };
        // A journal that does not read tells it nothing either.
        let looks_on = !matches!(error, AuditError::Journal(_));
        self.broke(&error.to_string(), looks_on);
        self.notes.clear();
        if looks_on && let Err(error) = self.only_watch(scribe.map(Scribe::into_follower)) {
            self.broke(&error.to_string(), false);
        }
    }

    /// The trail is not gone on with: it is told where somebody sees it, with what that means for surveillance.
    pub fn broke(&self, why: &str, looks_on: bool) {
        let watches = self.request.watch.as_ref().map(|_| looks_on);
        self.tell(|s| {
            let first = s.error.get_or_insert_with(|| why.to_owned());
            if first != why {
                *first += &format!("; {why}");
            }
            s.surveillance_watches = watches;
        });
        let surveillance = match watches {
            None => "",
            Some(true) => "; surveillance looks on, and what it finds is in the log alone",
            Some(false) => "; SURVEILLANCE LOOKS NO MORE: nothing throttles or halts by it",
        };
        let told = format!("{why}{surveillance}");
        log::error!(
            "the audit trail is broken: {told}; the run goes on, its journal has everything, and no release or resume is \
             taken"
        );
        self.alerts.raise(Alert::trail_broken(&told, wall_clock()));
    }

    /// Writes the trail until the run is over. Who reads the journal is in `scribe` then, where that was opened.
    fn write(&mut self, scribe: &mut Option<Scribe>) -> Result<(), AuditError> {
        self.tell(|s| s.trail.clone_from(&self.trail));
        let anchors = self.request.anchors_beside(&self.trail);
        let known = known_anchors(&anchors)?;
        if let Some(webhook) = self.request.webhook.take() {
            let trail = self.trail.display().to_string();
            self.post = Some(AnchorPost::start(webhook, self.request.tls.clone(), trail));
        }
        loop {
            let mut step = Scribed::Pending;
            if scribe.is_none() {
                *scribe = self.open(&known)?;
            }
            if let Some(scribe) = scribe.as_mut() {
                for body in self.notes.drain(..) {
                    scribe.note(&body)?;
                }
                let watch = &mut self.request.watch;
                step = scribe.read_with(&mut |entry, records| {
                    if let Some(watch) = watch {
                        watch.take(entry, records);
                    }
                })?;
                let failures = self.post.as_ref().map_or(0, AnchorPost::failures);
                self.tell(|s| (s.head, s.webhook_failures) = (scribe.head(), failures));
            }
            let over = self.is_over(step);
            if let Some(scribe) = scribe.as_mut()
                && (over || Instant::now() >= self.anchor_at)
            {
                self.anchor(scribe, &anchors)?;
            }
            if over {
                self.tell(|s| s.complete = scribe.is_some() && step != Scribed::More);
                return Ok(());
            }
            self.listen(step);
        }
    }

    /// Follows the journal for surveillance alone until the run is over: from where the trail broke, or from its beginning.
    fn only_watch(&mut self, mut follower: Option<Follower>) -> Result<(), JournalError> {
        let mut found = Vec::new();
        while self.request.watch.is_some() {
            if follower.is_none() {
                follower = Follower::open(&self.journal)?;
            }
            let mut step = Scribed::Pending;
            if let (Some(follower), Some(watch)) = (&mut follower, &mut self.request.watch) {
                step = Scribed::More;
                for _ in 0..ENTRIES_AT_ONCE {
                    match follower.next_entry()? {
                        Next::Entry(entry, _) => watch.take(&entry, &mut found),
                        Next::Pending => step = Scribed::Pending,
                        Next::Ended => {
                            watch.take(&Entry::End, &mut found);
                            step = Scribed::Ended;
                        }
                    }
                    // There is nothing to record it in; it was logged.
                    found.clear();
                    if step != Scribed::More {
                        break;
                    }
                }
            }
            if step == Scribed::Ended || self.is_over(step) {
                return Ok(());
            }
            self.listen(step);
        }
        Ok(())
    }

    /// Whether the run is over, and all of it was read that will ever come, or there is no time for the rest.
    fn is_over(&self, step: Scribed) -> bool {
        self.deadline.is_some_and(|deadline| step != Scribed::More || Instant::now() >= deadline)
    }

    /// Hears what others have to say until it is time to read on.
    fn listen(&mut self, step: Scribed) {
        let pause = if step == Scribed::More { Duration::ZERO } else { LOOK };
        match self.commands.recv_timeout(pause) {
            Ok(Command::Note(body)) => self.notes.push(*body),
            Ok(Command::Finish(deadline)) => self.deadline = Some(deadline),
            Ok(Command::Follow(..)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.deadline.get_or_insert_with(Instant::now);
            }
        }
    }

    /// The trail, once the journal has its header. What was changed of the limits is in it, for good, before the file of
    /// limits says what they are now.
    fn open(&self, known: &[Anchor]) -> Result<Option<Scribe>, AuditError> {
        let Some(file) = &self.request.limits else {
            return Scribe::open(&self.journal, &self.trail, known);
        };
        let before = match std::fs::read(file) {
            Ok(text) => serde_json::from_slice::<Limits>(&text).map_err(std::io::Error::from).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let before = before.unwrap_or_else(|error| {
            log::error!(
                "{}: {error}; what was changed of the limits since the run before is not recorded",
                file.display()
            );
            None
        });
        let Some(mut scribe) = Scribe::open_after(&self.journal, &self.trail, known, before.as_ref())? else {
            return Ok(None);
        };
        let now = scribe.limits();
        if before.as_ref() != Some(&now) {
            scribe.sync()?;
            let text = serde_json::to_string_pretty(&now).map_err(std::io::Error::from);
            if let Err(error) = text.and_then(|text| write_whole(file, &(text + "\n"))) {
                log::error!("{}: {error}; a later change of the limits may not be recorded", file.display());
            }
        }
        Ok(Some(scribe))
    }

    /// Hands the newest hash to places outside the trail, once the trail is sure to have its record.
    fn anchor(&mut self, scribe: &mut Scribe, file: &Path) -> Result<(), AuditError> {
        self.anchor_at = Instant::now() + self.request.anchor_every;
        let Some(head) = scribe.head().filter(|head| Some(*head) != self.anchored) else { return Ok(()) };
        scribe.sync()?;
        let failed = |error| AuditError::Io { path: file.display().to_string(), error };
        let mut anchors = append_anchors(file).map_err(failed)?;
        let line = format!("{head} {}\n", jiff::Timestamp::now());
        anchors.write_all(line.as_bytes()).and_then(|()| anchors.sync_data()).map_err(failed)?;
        log::info!("audit trail {}: {head}", self.trail.display());
        self.anchored = Some(head);
        self.tell(|s| s.anchors += 1);
        if let Some(post) = &mut self.post {
            post.post(head);
        }
        Ok(())
    }
}
