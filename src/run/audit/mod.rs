//! The audit trail's thread: follows the run's journal into a trail, beside the run and never in its way.
//!
//! As the store's, it reads the journal's file as anybody could. Besides, control surfaces tell it who came and what
//! they changed, by [`AuditNotes`]. Now and then it makes the trail survive a loss of power, and then hands the newest
//! hash to places outside the trail: a file of anchors, the log, and a webhook where one is configured.
//!
//! Surveillance looks at what the thread reads, and does not end with the trail: where that cannot be gone on with, the
//! journal is followed for it alone, and a person is told.

mod webhook;
mod worker;

use super::affinity::keep_to;
use super::alerts::Alerts;
use super::config::Config;
use super::users;
use super::watch::Watch;
use crate::audit::verify::{anchors_of, read_anchors};
use crate::audit::{Anchor, AuditError, Body, TrailWriter};
use crate::net::{TlsSettings, Webhook};
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use worker::Worker;

/// A trail that a run is to have.
pub struct AuditRequest {
    /// The trail; none: beside the journal, its name with `.audit` after it.
    pub trail: Option<PathBuf>,
    /// The file of anchors; none: beside the trail.
    pub anchors: Option<PathBuf>,
    /// The longest time between two anchors while there is anything new.
    pub anchor_every: Duration,
    /// Where anchors are sent too.
    pub webhook: Option<Webhook>,
    /// What the webhook's client trusts.
    pub tls: TlsSettings,
    /// Records that the trail begins with: who started the run.
    pub first: Vec<Body>,
    /// What looks for forbidden patterns in the run.
    pub watch: Option<Watch>,
    /// The file with the limits that the run before had, which gets this one's; none: those of the trail's last run count.
    pub limits: Option<PathBuf>,
}

impl AuditRequest {
    /// The trail that `[audit]` asks for, if it asks for one, with what `[surveillance]` looks for.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        let audit = &config.audit;
        audit.enabled.then(|| Self {
            trail: audit.path.clone(),
            anchors: audit.anchors.clone(),
            anchor_every: Duration::from_secs(audit.anchor_seconds.into()),
            webhook: webhook(&audit.webhook_env),
            tls: config.venue.tls.checking(),
            first: Vec::new(),
            watch: Watch::new(config),
            limits: None,
        })
    }

    /// The trail of a run with this journal.
    #[must_use]
    pub fn trail_beside(&self, journal: &Path) -> PathBuf {
        self.trail.clone().unwrap_or_else(|| trail_of(journal))
    }

    /// Its file of anchors.
    fn anchors_beside(&self, trail: &Path) -> PathBuf {
        self.anchors.clone().unwrap_or_else(|| anchors_of(trail))
    }

    /// Whether the trail of a run with this journal can be gone on with as it is now, where surveillance is to do more than
    /// warn: a run that nobody could stop is better not begun.
    pub(super) fn check(&self, journal: &Path) -> Result<(), AuditError> {
        if !self.watch.as_ref().is_some_and(Watch::reacts) {
            return Ok(());
        }
        let trail = self.trail_beside(journal);
        TrailWriter::check(&trail, &known_anchors(&self.anchors_beside(&trail))?)
    }

    /// The same with a record of who started the run, as far as the system says.
    #[must_use]
    pub fn started_by_user(mut self, what: &str) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        self.first.push(Body::Access {
            who: users::own(),
            what: what.to_owned(),
            allowed: true,
            detail: format!("command line, process {} on {}", std::process::id(), host.trim()),
        });
        self
    }
}

/// The webhook's address, which may hold a secret and so is not in the configuration's text.
fn webhook(variable: &str) -> Option<Webhook> {
    Webhook::from_env(variable).unwrap_or_else(|error| {
        log::error!("{variable}: the webhook's address {error}; anchors are not sent");
        None
    })
}

/// The anchors that a file has, if it is there.
fn known_anchors(file: &Path) -> Result<Vec<Anchor>, AuditError> {
    if file.exists() { read_anchors(file) } else { Ok(Vec::new()) }
}

/// The trail of a journal, unless told otherwise.
#[must_use]
pub fn trail_of(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".audit");
    PathBuf::from(name)
}

/// What the trail's thread did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSummary {
    /// The trail.
    pub trail: PathBuf,
    /// The newest record.
    pub head: Option<Anchor>,
    /// Anchors written.
    pub anchors: u64,
    /// Anchors that the webhook did not take.
    pub webhook_failures: u64,
    /// Whether the whole run is in the trail.
    pub complete: bool,
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// Where something did, whether surveillance looks on without the trail; none where nothing is looked for.
    pub surveillance_watches: Option<bool>,
}

impl AuditSummary {
    /// The summary as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "trail": self.trail.display().to_string(),
            "records": self.head.map_or(0, |head| head.number),
            "head": self.head.map(|head| head.to_string()),
            "anchors": self.anchors,
            "webhook_failures": self.webhook_failures,
            "complete": self.complete,
            "error": self.error,
            "surveillance_watches": self.surveillance_watches,
        })
    }
}

enum Command {
    Follow(PathBuf, Vec<usize>),
    Note(Box<Body>),
    Finish(Instant),
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

/// By which others have something recorded that does not pass the ring: who came, what limit was changed.
#[derive(Debug, Clone)]
pub struct AuditNotes {
    commands: Sender<Command>,
    shared: Arc<Mutex<AuditSummary>>,
}

impl AuditNotes {
    /// Has it recorded. False where the trail takes no more: whoever wanted to do something should not do it then.
    #[must_use]
    pub fn note(&self, body: Body) -> bool {
        self.broken().is_none() && self.commands.send(Command::Note(Box::new(body))).is_ok()
    }

    /// Why the trail is not gone on with, where it is not, and whether surveillance looks on without it; none where nothing
    /// is looked for.
    pub(super) fn broken(&self) -> Option<(String, Option<bool>)> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Some((shared.error.clone()?, shared.surveillance_watches))
    }
}

/// See the module. Dropped, it ends at its next step.
pub struct AuditThread {
    commands: Sender<Command>,
    done: Receiver<()>,
    shared: Arc<Mutex<AuditSummary>>,
}

/// How long the end of a run waits for its trail.
const FINISH: Duration = Duration::from_secs(30);
/// Between two looks at the journal.
const LOOK: Duration = Duration::from_millis(20);

impl AuditThread {
    /// Starts the thread; it waits to be told of the journal. That the trail breaks is among `alerts`.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn start(request: AuditRequest, alerts: Alerts) -> std::io::Result<Self> {
        let (commands, orders) = unbounded();
        let (done_to, done) = unbounded();
        let shared = Arc::new(Mutex::new(AuditSummary::default()));
        let state = Arc::clone(&shared);
        std::thread::Builder::new().name("at-audit".into()).spawn(move || {
            let mut early = Vec::new();
            let told = loop {
                match orders.recv() {
                    Ok(Command::Note(body)) => early.push(*body),
                    Ok(Command::Follow(journal, cores)) => break Some((journal, cores)),
                    Ok(Command::Finish(_)) | Err(_) => break None,
                }
            };
            if let Some((journal, cores)) = told {
                keep_to(&cores);
                let mut worker = Worker::new(request, journal, early, orders, state, alerts);
                if catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
                    worker.broke("the thread at-audit died; please report this", false);
                }
            }
            // Nobody hears it where the run did not wait.
            let _ = done_to.send(());
        })?;
        Ok(Self { commands, done, shared })
    }

    /// Tells it of the journal, which must exist, and of the cores it may use from now on; none: as it was started.
    pub fn follow(&self, journal: &Path, cores: &[usize]) {
        // A thread that is gone shows at the end.
        let _ = self.commands.send(Command::Follow(journal.to_owned(), cores.to_vec()));
    }

    /// By which others have something recorded.
    #[must_use]
    pub fn notes(&self) -> AuditNotes {
        AuditNotes { commands: self.commands.clone(), shared: Arc::clone(&self.shared) }
    }

    /// What it has done so far.
    #[must_use]
    pub fn summary(&self) -> AuditSummary {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells it that the journal grows no more, and waits until the trail has everything.
    #[must_use]
    pub fn finish(self) -> AuditSummary {
        let _ = self.commands.send(Command::Finish(Instant::now() + FINISH));
        let over = self.done.recv_timeout(FINISH + webhook::FINISH + Duration::from_secs(1));
        let mut summary = self.summary();
        if over.is_err() && !summary.complete {
            summary.error.get_or_insert_with(|| "it was not written in time".to_owned());
        }
        summary
    }
}
