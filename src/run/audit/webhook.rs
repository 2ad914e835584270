//! Anchors to a webhook, from a thread of its own: the one that writes the trail is the one that surveillance looks by, and
//! waits for nobody.
//!
//! Whoever has an anchor puts it into a bounded queue and goes on. What the webhook does not take, what finds no room and
//! what is left at the end is counted as not taken. At the end the newest goes first: it vouches for all before it.

use crate::audit::Anchor;
use crate::net::http::{HttpClient, HttpRequest};
use crate::net::{TlsClient, TlsSettings, Webhook};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Anchors that wait at most.
const QUEUE: usize = 256;
/// Of one request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a run waits for what is still to be sent: for a request that is under way, and one more.
pub(super) const FINISH: Duration = Duration::from_secs(10);

/// The end of a run: until when to send, and the newest anchor, where it found no room.
type End = (Instant, Option<Anchor>);

/// See the module.
pub(super) struct AnchorPost {
    queue: Sender<Anchor>,
    ends: Sender<End>,
    done: Receiver<()>,
    taken: Arc<AtomicU64>,
    /// Anchors that there were, and those of them that it is known by now that they were not taken.
    posted: u64,
    failed: Arc<AtomicU64>,
    /// The newest, where it found no room.
    left: Option<Anchor>,
}

impl AnchorPost {
    /// Starts the thread that sends what is anchored of this trail. Where there can be none, nothing is taken.
    pub fn start(webhook: Webhook, tls: TlsSettings, trail: String) -> Self {
        let (queue, waiting) = bounded(QUEUE);
        let (ends, over) = bounded(1);
        let (done_to, done) = bounded(1);
        let (taken, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counts = (Arc::clone(&taken), Arc::clone(&failed));
        let worker =
            Worker { webhook, tls, trail, waiting, over, taken: counts.0, failed: counts.1, http: None };
        let started = std::thread::Builder::new().name("at-anchors".into()).spawn(move || {
            worker.run();
            // Nobody hears it where the run waits no more.
            let _ = done_to.send(());
        });
        if let Err(error) = started {
            log::error!("anchors are not sent to the audit webhook: {error}");
        }
        Self { queue, ends, done, taken, posted: 0, failed, left: None }
    }

    /// Has an anchor sent; never waits.
    pub fn post(&mut self, anchor: Anchor) {
        self.posted += 1;
        self.left = self.queue.try_send(anchor).is_err().then_some(anchor);
        if self.left.is_some() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            log::warn!("the audit webhook takes nothing for long: anchor {anchor} is not sent to it");
        }
    }

    /// Those that were not taken, as far as it is known by now.
    pub fn failures(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Sends what is left, for some seconds at most, and says how many were not taken.
    pub fn finish(self) -> u64 {
        let deadline = Instant::now() + FINISH;
        if self.ends.send((deadline, self.left)).is_ok() {
            // What is being looked up or connected to may take longer than it was given.
            let _ = self.done.recv_deadline(deadline);
        }
        self.posted.saturating_sub(self.taken.load(Ordering::Relaxed))
    }
}

struct Worker {
    webhook: Webhook,
    tls: TlsSettings,
    trail: String,
    waiting: Receiver<Anchor>,
    over: Receiver<End>,
    taken: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    http: Option<HttpClient>,
}

impl Worker {
    fn run(mut self) {
        let end = loop {
            // The end first: from then on the newest goes before those that wait.
            if let Ok(end) = self.over.try_recv() {
                break Some(end);
            }
            match self.waiting.recv_timeout(Duration::from_millis(100)) {
                Ok(anchor) => self.deliver(anchor, TIMEOUT),
                Err(RecvTimeoutError::Timeout) => {}
                // Whoever posted is gone, and does not wait.
                Err(RecvTimeoutError::Disconnected) => break self.over.try_recv().ok(),
            }
        };
        let Some((deadline, left)) = end else { return };
        let mut rest: Vec<Anchor> = self.waiting.try_iter().chain(left).collect();
        let newest = rest.len().min(1);
        rest.rotate_right(newest);
        for anchor in rest {
            let time = deadline.saturating_duration_since(Instant::now()).min(TIMEOUT);
            if time.is_zero() {
                return;
            }
            self.deliver(anchor, time);
        }
    }

    fn deliver(&mut self, anchor: Anchor, within: Duration) {
        let counted = match self.send(anchor, within) {
            Ok(()) => &self.taken,
            Err(why) => {
                log::warn!("the audit webhook at {}: {why}; anchor {anchor}", self.webhook);
                &self.failed
            }
        };
        counted.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends an anchor once; an error says why it was not taken.
    fn send(&mut self, anchor: Anchor, within: Duration) -> Result<(), String> {
        let http = match &self.http {
            Some(http) => http,
            None => {
                let tls = TlsClient::new(&self.tls).map_err(|error| error.to_string())?;
                self.http.insert(HttpClient::new(&tls, TIMEOUT, 0))
            }
        };
        let body = json!({ "trail": self.trail, "record": anchor.number, "hash": anchor.link.to_string() });
        let body = body.to_string();
        let request = HttpRequest {
            method: "POST",
            path: self.webhook.target(),
            headers: &[("content-type", "application/json")],
            body: body.as_bytes(),
            timeout: Some(within),
        };
        match http.status(self.webhook.server(), &request) {
            Ok(..300) => Ok(()),
            Ok(status) => Err(format!("it answered {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Link;
    use crate::run::webhook_of_tests::{self as webhook, Came};

    #[test]
    fn an_anchor_is_taken_by_the_status_of_an_answer_however_long_that_is() {
        let came = Came::default();
        let body = "x".repeat(1 << 20);
        let answer = format!("HTTP/1.1 200 so\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (port, ca) = webhook::answering(move |_| answer.clone(), &came);
        let address = Webhook::parse(&format!("https://127.0.0.1:{port}/hook")).expect("an address");
        let tls = TlsSettings { ca_file: Some(ca.path().to_owned()), accept_any_certificate: false };
        let mut post = AnchorPost::start(address, tls, "a trail".into());
        post.post(Anchor { number: 7, link: Link::origin() });
        assert_eq!(post.finish(), 0, "none was not taken");
        assert_eq!(came.lock().expect("no panic").len(), 1);
    }
}
