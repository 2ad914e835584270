//! The audit trail's thread: follows the run's journal into a trail, beside the run and never in its way.
//!
//! As the store's, it reads the journal's file as anybody could. Besides, control surfaces tell it who came and what
//! they changed, by [`AuditNotes`]. Now and then it makes the trail survive a loss of power, and then hands the newest
//! hash to places outside the trail: a file of anchors, the log, and a webhook where one is configured.

use super::affinity::keep_to;
use super::config::Config;
use super::control::file::write_whole;
use super::users;
use super::watch::Watch;
use crate::audit::verify::{anchors_of, read_anchors};
use crate::audit::{Anchor, AuditError, Body, Limits, Scribe, Scribed};
use crate::net::http::{HttpClient, HttpRequest};
use crate::net::{TlsClient, TlsSettings, Webhook};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
            tls: config.venue.tls.clone(),
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
        })
    }
}

enum Command {
    Follow(PathBuf, Vec<usize>),
    Note(Box<Body>),
    Finish(Instant),
}

/// By which others have something recorded that does not pass the ring: who came, what limit was changed.
#[derive(Debug, Clone)]
pub struct AuditNotes(Sender<Command>);

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl AuditNotes {
    /// Has it recorded. False where the trail's thread is gone: whoever wanted to do something should not do it then.
    #[must_use]
    pub fn note(&self, body: Body) -> bool {
        self.0.send(Command::Note(Box::new(body))).is_ok()
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
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

impl AuditThread {
    /// Starts the thread; it waits to be told of the journal.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(request: AuditRequest) -> std::io::Result<Self> {
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
                let mut worker = Worker::new(request, journal, early, orders, state);
                if let Err(error) = worker.run() {
                    log::error!(
                        "{error}; the run goes on, its journal has everything, its audit trail has not"
                    );
                    worker.tell(|s| s.error = Some(error.to_string()));
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
        AuditNotes(self.commands.clone())
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
        let over = self.done.recv_timeout(FINISH + WEBHOOK_TIMEOUT + Duration::from_secs(1));
        let mut summary = self.summary();
        if over.is_err() && !summary.complete {
            summary.error.get_or_insert_with(|| "it was not written in time".to_owned());
        }
        summary
    }
}

struct Worker {
    request: AuditRequest,
    journal: PathBuf,
    trail: PathBuf,
    notes: Vec<Body>,
    commands: Receiver<Command>,
    shared: Arc<Mutex<AuditSummary>>,
    anchored: Option<Anchor>,
    anchor_at: Instant,
    deadline: Option<Instant>,
    http: Option<HttpClient>,
}

impl Worker {
    fn new(
        mut request: AuditRequest,
        journal: PathBuf,
        early: Vec<Body>,
        commands: Receiver<Command>,
        shared: Arc<Mutex<AuditSummary>>,
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
            http: None,
        }
    }

    fn tell(&self, change: impl FnOnce(&mut AuditSummary)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn run(&mut self) -> Result<(), AuditError> {
        self.tell(|s| s.trail.clone_from(&self.trail));
        let anchors = self.request.anchors.clone().unwrap_or_else(|| anchors_of(&self.trail));
        let known = if anchors.exists() { read_anchors(&anchors)? } else { Vec::new() };
        let mut scribe = None;
        loop {
            let mut step = Scribed::Pending;
            if scribe.is_none() {
                scribe = self.open(&known)?;
            }
            if let Some(scribe) = &mut scribe {
                for body in self.notes.drain(..) {
                    scribe.note(&body)?;
                }
                let watch = &mut self.request.watch;
                step = scribe.read_with(&mut |entry, records| {
                    if let Some(watch) = watch {
                        watch.take(entry, records);
                    }
                })?;
                self.tell(|s| s.head = scribe.head());
            }
            let over = match step {
                Scribed::More => false,
                Scribed::Ended => self.deadline.is_some(),
                // After the end of the run what the journal lacks will never come.
                Scribed::Pending => self.deadline.is_some(),
            } || self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if let Some(scribe) = &mut scribe
                && (over || Instant::now() >= self.anchor_at)
            {
                self.anchor(scribe, &anchors)?;
            }
            if over {
                self.tell(|s| s.complete = scribe.is_some() && step != Scribed::More);
                return Ok(());
            }
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
        let mut anchors = File::options().append(true).create(true).open(file).map_err(failed)?;
        let line = format!("{head} {}\n", jiff::Timestamp::now());
        anchors.write_all(line.as_bytes()).and_then(|()| anchors.sync_data()).map_err(failed)?;
        log::info!("audit trail {}: {head}", self.trail.display());
        self.anchored = Some(head);
        let sent = self.send(head);
        self.tell(|s| {
            s.anchors += 1;
            s.webhook_failures += u64::from(!sent);
        });
        Ok(())
    }

    /// Sends an anchor to the webhook; true where there is none.
    fn send(&mut self, head: Anchor) -> bool {
        let Some(webhook) = &self.request.webhook else { return true };
        if self.http.is_none() {
            match TlsClient::new(&self.request.tls) {
                Ok(tls) => self.http = Some(HttpClient::new(&tls, WEBHOOK_TIMEOUT, 64 << 10)),
                Err(error) => log::warn!("the audit webhook cannot be reached: {error}"),
            }
        }
        let Some(http) = &self.http else { return false };
        let trail = self.trail.display().to_string();
        let body =
            json!({ "trail": trail, "record": head.number, "hash": head.link.to_string() }).to_string();
        let request = HttpRequest {
            method: "POST",
            path: webhook.target(),
            headers: &[("content-type", "application/json")],
            body: body.as_bytes(),
            ..HttpRequest::default()
        };
        match http.request(webhook.server(), &request) {
            Ok(answer) if answer.status < 300 => true,
            Ok(answer) => {
                log::warn!("the audit webhook at {webhook} answered {}", answer.status);
                false
            }
            Err(error) => {
                log::warn!("the audit webhook at {webhook}: {error}");
                false
            }
        }
    }
}
