//! Alerts: what a person has to know at once goes to a webhook, from a thread of its own.
//!
//! Whoever raises one puts it into a bounded queue and goes on: a webhook that is slow, or down, holds back nobody and
//! nothing of the run. What it does not take is sent again, after ever longer pauses, for as long as it may still matter;
//! what is given up, and what found no room, is told in the log, which has every alert anyway. At the end there is time for
//! a few: what a person has to see to then goes first, and of the rest the newest.

use super::config::Config;
use super::watch::Reacting;
use crate::domain::Time;
use crate::net::backoff::Backoff;
use crate::net::http::{HttpClient, HttpRequest};
use crate::net::{TlsClient, TlsSettings, Webhook};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Alerts that wait at most; more are lost, and counted.
const QUEUE: usize = 256;
/// Of one request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a run waits for what is still in the queue.
const FINISH: Duration = Duration::from_secs(5);
/// The same where it tells of a fault, or of what is left open: for a request that is under way, and what comes after it.
const FINISH_FAULT: Duration = Duration::from_secs(10);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AlertKind {
    /// Something was stopped: by a person, a limit, a file, a signal, surveillance, or a difference with the venue.
    Stopped,
    /// It trades again.
    Released,
    /// Surveillance found something.
    Surveillance,
    /// A disk that the run writes to fills up.
    Disk,
    /// The run ended, and nobody asked it to.
    Failed,
    /// It could not begin to trade.
    NotStarted,
    /// It cannot begin to trade yet.
    Waiting,
    /// Market data is lost, and has been for a while.
    MarketDataLost,
    /// It is back.
    MarketDataBack,
    /// The audit trail is not gone on with; the reason says whether surveillance looks on without it.
    TrailBroken,
    /// The venue refuses the key: no order is sent.
    KeyRefused,
    /// It takes it again.
    KeyTaken,
    /// A stage hangs, or does not keep up: nothing is traded or taken back meanwhile.
    StagesBehind,
    /// The run ended, and orders are, or may be, open at the venue that nobody looks after.
    LeftOpen,
}

impl AlertKind {
    /// Whether it is of a run that ended, or did not begin, and left something for a person to see to.
    const fn is_of_an_end(self) -> bool {
        matches!(self, Self::Failed | Self::NotStarted | Self::LeftOpen)
    }
}

/// An alert that waits, and since when.
pub(super) struct Raised {
    pub alert: Alert,
    at: Instant,
}

/// An alert, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Alert {
    pub kind: AlertKind,
    /// What it is about, as an operator writes it: `all`, `strategy ma-cross`.
    pub scope: String,
    /// The reason that orders are denied by, or the detector.
    pub cause: String,
    /// Who did it.
    pub by: String,
    pub reason: String,
    /// By the sequencer's clock.
    pub time: String,
}

impl Alert {
    pub fn stopped(scope: &str, cause: &str, by: &str, reason: &str, at: Time) -> Self {
        let text = str::to_owned;
        Self {
            kind: AlertKind::Stopped,
            scope: text(scope),
            cause: text(cause),
            by: text(by),
            reason: text(reason),
            time: at.to_string(),
        }
    }

    pub fn released(scope: &str, at: Time) -> Self {
        Self { kind: AlertKind::Released, ..Self::stopped(scope, "", "", "", at) }
    }

    /// The venue refuses the key, for this reason.
    pub fn key_refused(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::KeyRefused, ..Self::stopped("all", "key", "the venue", reason, at) }
    }

    /// It takes it again.
    pub fn key_taken(at: Time) -> Self {
        Self { kind: AlertKind::KeyTaken, ..Self::stopped("all", "key", "the venue", "", at) }
    }

    /// Market data is lost.
    pub fn data_lost(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::MarketDataLost, ..Self::stopped("all", "market-data", "", reason, at) }
    }

    /// It is back.
    pub fn data_back(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::MarketDataBack, ..Self::data_lost(reason, at) }
    }

    /// What surveillance found, and what became of it.
    pub fn found(detector: &str, found: &Reacting, reaction: &str, at: Time) -> Self {
        Self {
            kind: AlertKind::Surveillance,
            scope: format!("strategy {}", found.strategy),
            cause: detector.to_owned(),
            by: "surveillance".to_owned(),
            reason: format!("{} on {}; {reaction}", found.why, found.instrument),
            time: at.to_string(),
        }
    }

    /// A disk has little room left.
    pub fn disk(scope: &str, reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::Disk, ..Self::stopped(scope, "space", "", reason, at) }
    }

    /// The audit trail is not gone on with, for this reason, which says what becomes of surveillance.
    pub fn trail_broken(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::TrailBroken, ..Self::stopped("all", "trail", "", reason, at) }
    }

    /// The run is over, by a fault.
    pub fn failed(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::Failed, ..Self::stopped("all", "fault", "", reason, at) }
    }

    /// A stage hangs, or does not keep up.
    pub fn stages_behind(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::StagesBehind, ..Self::stopped("all", "stages", "", reason, at) }
    }

    /// The run is over, and not all of its orders.
    pub fn left_open(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::LeftOpen, ..Self::stopped("all", "end", "", reason, at) }
    }

    /// The run cannot begin.
    pub fn not_started(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::NotStarted, ..Self::failed(reason, at) }
    }

    /// The run begins later.
    pub fn waiting(reason: &str, at: Time) -> Self {
        Self { kind: AlertKind::Waiting, ..Self::stopped("all", "ban", "the venue", reason, at) }
    }

    /// In one sentence.
    fn sentence(&self) -> String {
        let Self { scope, cause, by, reason, .. } = self;
        match self.kind {
            AlertKind::Stopped => format!("{scope} is STOPPED ({cause}) by {by}: {reason}"),
            AlertKind::Released => format!("{scope} trades again"),
            AlertKind::Surveillance => format!("surveillance: {scope}: {reason}"),
            AlertKind::Disk => format!("{scope} fills up: {reason}"),
            AlertKind::NotStarted => format!("the run has NOT BEGUN: {reason}"),
            AlertKind::Waiting => format!("the run WAITS before it begins: {reason}"),
            AlertKind::Failed => format!("the run has ENDED by a fault: {reason}"),
            AlertKind::MarketDataLost | AlertKind::StagesBehind | AlertKind::LeftOpen => reason.clone(),
            AlertKind::MarketDataBack => format!("the market data is back: {reason}"),
            AlertKind::TrailBroken => format!("the AUDIT TRAIL is broken: {reason}"),
            AlertKind::KeyRefused => format!("no order is sent: {reason}"),
            AlertKind::KeyTaken => "the venue takes the key again: orders are sent".to_owned(),
        }
    }
}

/// Where alerts of a run are to go.
#[derive(Debug, Clone)]
pub struct AlertRequest {
    /// Where to.
    pub webhook: Webhook,
    /// What its client trusts.
    pub tls: TlsSettings,
    /// The run's name.
    pub run: String,
    /// The first and the longest pause before an alert is sent again.
    pub pauses: (Duration, Duration),
    /// An alert that was raised so long ago is given up.
    pub give_up_after: Duration,
}

impl AlertRequest {
    /// What `[alerts]` asks for, if the environment has an address.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        let variable = &config.alerts.webhook_env;
        match Webhook::from_env(variable) {
            Ok(webhook) => Some(Self {
                webhook: webhook?,
                tls: config.venue.tls.checking(),
                run: config.run.name.clone(),
                pauses: (Duration::from_secs(1), Duration::from_secs(60)),
                give_up_after: Duration::from_secs(600),
            }),
            Err(error) => {
                log::error!("{variable}: the webhook's address {error}; alerts are in the log alone");
                None
            }
        }
    }
}

/// By which alerts are raised; without a webhook they go nowhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Alerts(Option<(Sender<Raised>, Arc<AtomicU64>)>);

impl Alerts {
    #[cfg(test)]
    pub fn heard_by_a_test() -> (Self, Receiver<Raised>) {
        let (queue, told) = bounded(QUEUE);
        (Self(Some((queue, Arc::default()))), told)
    }

    /// Raises one; never waits.
    pub fn raise(&self, alert: Alert) {
        let Some((queue, lost)) = &self.0 else { return };
        if let Err(TrySendError::Full(raised)) = queue.try_send(Raised { alert, at: Instant::now() }) {
            lost.fetch_add(1, Ordering::Relaxed);
            log::error!("an alert found no room, and is in the log alone: {}", raised.alert.sentence());
        }
    }
}

/// The thread that sends.
pub(super) struct AlertThread {
    alerts: Alerts,
    over: Sender<Instant>,
    thread: JoinHandle<()>,
}

impl AlertThread {
    /// Starts it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(request: AlertRequest) -> std::io::Result<Self> {
        let (queue, waiting) = bounded(QUEUE);
        let (over, ends) = bounded(1);
        let lost = Arc::new(AtomicU64::new(0));
        let alerts = Alerts(Some((queue, Arc::clone(&lost))));
        let worker = Worker { request, waiting, ends, lost, ended: None, http: None };
        let thread = std::thread::Builder::new().name("at-alerts".into()).spawn(move || worker.run())?;
        Ok(Self { alerts, over, thread })
    }

    /// By which alerts are raised.
    pub fn alerts(&self) -> Alerts {
        self.alerts.clone()
    }

    /// Sends what waits, for some seconds at most.
    pub fn finish(self) {
        drop(self.alerts);
        let _ = self.over.send(Instant::now());
        if self.thread.join().is_err() {
            log::error!("the thread at-alerts died; please report this");
        }
    }
}

struct Worker {
    request: AlertRequest,
    waiting: Receiver<Raised>,
    ends: Receiver<Instant>,
    lost: Arc<AtomicU64>,
    /// When the run ended.
    ended: Option<Instant>,
    http: Option<HttpClient>,
}

/// What became of an attempt.
enum Sent {
    Taken,
    /// It may be taken another time.
    NotNow(String),
    /// It will not be, however often it is sent.
    Never(String),
}

impl Worker {
    fn run(mut self) {
        let mut left = Vec::new();
        while self.ended.is_none() {
            match self.waiting.recv_timeout(Duration::from_millis(100)) {
                Ok(raised) if self.ends_before(Instant::now()) => left.push(raised),
                Ok(raised) => left.extend(self.deliver(raised)),
                Err(RecvTimeoutError::Timeout) => _ = self.ends_before(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        loop {
            left.extend(self.waiting.try_iter());
            let order = |(_, raised): &(usize, &Raised)| (raised.alert.kind.is_of_an_end(), raised.at);
            let Some((next, _)) = left.iter().enumerate().max_by_key(order) else { return };
            let raised = left.swap_remove(next);
            self.deliver(raised);
        }
    }

    /// Sends it until it is taken, or given up, or the run ends meanwhile, which gives it back.
    fn deliver(&mut self, raised: Raised) -> Option<Raised> {
        let (min, max) = self.request.pauses;
        let mut pauses = Backoff::new(min, max, u64::from(std::process::id()));
        let by = self.give_up_at(&raised);
        loop {
            if Instant::now() >= by {
                self.gave_up(&raised.alert, "there was no time left");
                return None;
            }
            let why = match self.send(&raised.alert, by) {
                Sent::Taken => return None,
                Sent::NotNow(why) => why,
                Sent::Never(why) => {
                    self.gave_up(&raised.alert, &why);
                    return None;
                }
            };
            let again = Instant::now() + pauses.next_pause();
            if again >= by {
                self.gave_up(&raised.alert, &why);
                return None;
            }
            log::warn!("the alert webhook at {}: {why}; it is tried again", self.request.webhook);
            if self.ended.is_some() {
                std::thread::sleep(again.saturating_duration_since(Instant::now()));
            } else if self.ends_before(again) {
                return Some(raised);
            }
        }
    }

    fn give_up_at(&self, raised: &Raised) -> Instant {
        let finish = if raised.alert.kind.is_of_an_end() { FINISH_FAULT } else { FINISH };
        let give_up = raised.at + self.request.give_up_after;
        self.ended.map_or(give_up, |ended| give_up.min(ended + finish))
    }

    /// Waits for the end of a run that has not ended; whether it came.
    fn ends_before(&mut self, until: Instant) -> bool {
        self.ended = match self.ends.recv_deadline(until) {
            Ok(ended) => Some(ended),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Instant::now()),
        };
        self.ended.is_some()
    }

    fn gave_up(&self, alert: &Alert, why: &str) {
        log::error!(
            "the alert webhook at {} did not take an alert, which is in the log alone: {why}: {}",
            self.request.webhook,
            alert.sentence()
        );
    }

    fn send(&mut self, alert: &Alert, by: Instant) -> Sent {
        if self.http.is_none() {
            match TlsClient::new(&self.request.tls) {
                Ok(tls) => self.http = Some(HttpClient::new(&tls, TIMEOUT, 0)),
                Err(error) => return Sent::Never(error.to_string()),
            }
        }
        let Some(http) = &self.http else { return Sent::Never(String::new()) };
        let lost = self.lost.load(Ordering::Relaxed);
        let mut body = serde_json::json!({
            "run": self.request.run,
            "process": std::process::id(),
            "lost": lost,
            "text": format!("{}: {}", self.request.run, alert.sentence()),
        });
        if let (Some(body), Ok(serde_json::Value::Object(fields))) =
            (body.as_object_mut(), serde_json::to_value(alert))
        {
            body.extend(fields);
        }
        let body = body.to_string();
        let left = by.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let request = HttpRequest {
            method: "POST",
            path: self.request.webhook.target(),
            headers: &[("content-type", "application/json")],
            body: body.as_bytes(),
            timeout: Some(left.min(TIMEOUT)),
        };
        match http.status(self.request.webhook.server(), &request) {
            Ok(..300) => {
                self.lost.fetch_sub(lost, Ordering::Relaxed);
                Sent::Taken
            }
            Ok(status @ (408 | 425 | 429 | 500..)) => Sent::NotNow(format!("it answered {status}")),
            Ok(status) => Sent::Never(format!("it answered {status}")),
            Err(error) => Sent::NotNow(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::webhook_of_tests::{self as webhook, Came};
    use std::path::Path;

    fn sending(port: u16, ca: &Path, give_up_after: Duration) -> (AlertThread, Alerts) {
        let request = AlertRequest {
            webhook: Webhook::parse(&format!("https://127.0.0.1:{port}/hook")).expect("an address"),
            tls: TlsSettings { ca_file: Some(ca.to_owned()), accept_any_certificate: false },
            run: "desk".into(),
            pauses: (Duration::from_millis(20), Duration::from_millis(100)),
            give_up_after,
        };
        let thread = AlertThread::start(request).expect("a thread");
        let alerts = thread.alerts();
        (thread, alerts)
    }

    fn stopped(reason: &str) -> Alert {
        Alert::stopped("all", "killed", "anna", reason, Time(0))
    }

    /// The reasons, in the order in which they came.
    fn reasons(came: &Came) -> Vec<String> {
        let came = came.lock().expect("no panic");
        came.iter().map(|(_, body)| body["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn at_the_end_a_fault_and_what_is_left_open_go_before_what_waits_at_a_slow_webhook() {
        let came = Came::default();
        let slow = |_| {
            std::thread::sleep(Duration::from_millis(1_500));
            200
        };
        let (port, ca) = webhook::server(slow, &came);
        let (thread, alerts) = sending(port, ca.path(), Duration::from_secs(60));
        (0..10).for_each(|n| alerts.raise(stopped(&n.to_string())));
        // The first of them is under way.
        std::thread::sleep(Duration::from_millis(300));
        alerts.raise(Alert::left_open("left", Time(0)));
        alerts.raise(Alert::failed("failed", Time(0)));
        drop(alerts);
        let begun = Instant::now();
        thread.finish();
        assert!(begun.elapsed() < FINISH_FAULT + Duration::from_secs(2), "{:?}", begun.elapsed());
        let reasons = reasons(&came);
        assert_eq!(reasons[..3], ["0", "failed", "left"], "{reasons:?}");
        assert!(reasons.get(3).is_none_or(|next| next == "9"), "of the others the newest: {reasons:?}");
    }

    #[test]
    fn an_alert_is_given_up_by_when_it_was_raised_and_holds_up_none_after_it() {
        let came = Came::default();
        let (port, ca) = webhook::server(|_| 503, &came);
        let (thread, alerts) = sending(port, ca.path(), Duration::from_secs(2));
        (0..4).for_each(|n| alerts.raise(stopped(&n.to_string())));
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(1_500));
        alerts.raise(stopped("later"));
        while !reasons(&came).iter().any(|reason| reason == "later") {
            std::thread::sleep(Duration::from_millis(10));
            assert!(begun.elapsed() < Duration::from_secs(20), "it is never sent");
        }
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
        drop(alerts);
        thread.finish();
    }

    #[test]
    fn an_answer_is_taken_by_its_status_however_long_it_is_and_though_it_never_ends() {
        let head = "HTTP/1.1 200 so\r\ncontent-length: 1048576\r\n\r\n";
        for answer in [format!("{head}{}", "x".repeat(1 << 20)), format!("{head}ok")] {
            let came = Came::default();
            let (port, ca) = webhook::answering(move |_| answer.clone(), &came);
            let (thread, alerts) = sending(port, ca.path(), Duration::from_secs(60));
            let begun = Instant::now();
            alerts.raise(stopped("once"));
            drop(alerts);
            thread.finish();
            assert_eq!(reasons(&came), ["once"]);
            assert!(begun.elapsed() < TIMEOUT / 2, "{:?}", begun.elapsed());
        }
    }
}
