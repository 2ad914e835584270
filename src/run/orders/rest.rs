//! REST calls of the order gateway: threads that may wait for an answer, so that the gateway never does.
//!
//! Each thread has a connection of its own, kept warm by a ping when it has been idle. What matters more goes first, and
//! what matters the same in the order that it came; where there are two threads or more, one of them is kept for what
//! matters most, so that an order never waits for the answer to a question.

use crate::net::http::{HttpAnswer, HttpClient, HttpError, HttpRequest};
use crate::net::{Endpoint, TlsClient};
use crate::run::affinity::keep_to;
use crate::security::ApiKey;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Replies of myTrades or exchangeInfo for all symbols have some megabytes.
const BODY_BYTES_MAX: u64 = 32 << 20;
/// Binance answers within 10 s or not at all.
const TIMEOUT: Duration = Duration::from_secs(11);
/// Calls that wait for a thread.
const WAITING_MAX: usize = 4_096;
/// A connection idle for so long is used once, so that it is there when an order needs it.
const WARM_EVERY: Duration = Duration::from_secs(15);
const WARM_PATH: &str = "/api/v3/ping";
/// The last priority for which a thread is kept.
const URGENT: u8 = 1;

/// One call.
#[derive(Debug, Clone)]
pub struct RestCall {
    /// What the answer is known by.
    pub id: u64,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Path and query, signed where it must be.
    pub target: String,
    /// Whether the API key goes with it.
    pub with_key: bool,
    /// The lower goes first.
    pub priority: u8,
    /// Give up then; an answer after that is of no use.
    pub deadline: Instant,
}

/// What became of one.
#[derive(Debug)]
pub struct RestDone {
    /// Which.
    pub id: u64,
    /// The answer.
    pub answer: Result<HttpAnswer, HttpError>,
    /// From the moment a thread took it to its answer.
    pub took: Duration,
}

/// Where calls go. Dropping it ends the threads, each after the call it is at.
pub struct RestCalls {
    waiting: Arc<Waiting>,
    count: u64,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// By priority, then by arrival.
    calls: BTreeMap<(u8, u64), RestCall>,
    over: bool,
    /// Until then the venue is asked nothing that nobody waits for: it said that it is asked too much.
    silent_until: Option<Instant>,
}

/// What a thread does next.
enum Next {
    Call(RestCall),
    Idle,
    Over,
}

struct Worker {
    client: HttpClient,
    endpoint: Endpoint,
    key: Arc<ApiKey>,
    waiting: Arc<Waiting>,
    /// The last priority it takes.
    priority_max: u8,
    done: Sender<RestDone>,
    wake: Arc<mio::Waker>,
}

impl RestCalls {
    /// Starts `threads` threads on `cores` that call `endpoint` and wake `wake` with each answer.
    ///
    /// # Errors
    /// Where the system has no more threads.
    pub fn start(
        threads: usize,
        endpoint: &Endpoint,
        tls: &TlsClient,
        key: &Arc<ApiKey>,
        wake: &Arc<mio::Waker>,
        cores: &[usize],
    ) -> std::io::Result<(Self, Receiver<RestDone>)> {
        let waiting = Arc::new(Waiting::default());
        let (done, done_in) = unbounded();
        for index in 0..threads {
            let kept = index == 0 && threads > 1;
            let worker = Worker {
                client: HttpClient::new(tls, TIMEOUT, BODY_BYTES_MAX),
                endpoint: endpoint.clone(),
                key: Arc::clone(key),
                waiting: Arc::clone(&waiting),
                priority_max: if kept { URGENT } else { u8::MAX },
                done: done.clone(),
                wake: Arc::clone(wake),
            };
            let cores = cores.to_vec();
            std::thread::Builder::new().name(format!("at-rest-{index}")).spawn(move || {
                keep_to(&cores);
                worker.run();
            })?;
        }
        Ok((Self { waiting, count: 0 }, done_in))
    }

    /// Asks for a call; false where too many wait already, and nothing will be sent.
    #[must_use]
    pub fn call(&mut self, call: RestCall) -> bool {
        self.count += 1;
        let mut queue = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.calls.len() >= WAITING_MAX {
            return false;
        }
        queue.calls.insert((call.priority, self.count), call);
        drop(queue);
        // All of them: the one woken first may be the one that does not take it.
        self.waiting.changed.notify_all();
        true
    }
}

impl Drop for RestCalls {
    fn drop(&mut self) {
        self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.waiting.changed.notify_all();
    }
}

impl Worker {
    fn run(self) {
        self.warm();
        loop {
            match self.next() {
                Next::Call(call) => {
                    if !self.make(&call) {
                        return;
                    }
                }
                Next::Idle => self.warm(),
                Next::Over => return,
            }
        }
    }

    /// The first call of those it takes, waited for.
    fn next(&self) -> Next {
        let until = Instant::now() + WARM_EVERY;
        let mut queue = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.over {
                return Next::Over;
            }
            if let Some(first) = queue.calls.first_entry()
                && first.key().0 <= self.priority_max
            {
                return Next::Call(first.remove());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Idle;
            }
            let waited = self.waiting.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn make(&self, call: &RestCall) -> bool {
        let begun = Instant::now();
        let left = call.deadline.saturating_duration_since(begun);
        let answer = if left.is_zero() {
            Err(HttpError::Unsent("it had waited too long for a connection".into()))
        } else {
            let key = [("X-MBX-APIKEY", self.key.as_str())];
            let headers: &[(&str, &str)] = if call.with_key { &key } else { &[] };
            let (method, path, timeout) = (call.method, call.target.as_str(), Some(left.min(TIMEOUT)));
            let request = HttpRequest { method, path, headers, timeout, ..HttpRequest::default() };
            self.client.request(&self.endpoint, &request)
        };
        self.hear(&answer);
        let sent = self.done.send(RestDone { id: call.id, answer, took: begun.elapsed() });
        // A waker that cannot wake means an answer that is seen a millisecond later.
        let _ = self.wake.wake();
        sent.is_ok()
    }

    /// Notes for how long the venue is to be asked nothing.
    fn hear(&self, answer: &Result<HttpAnswer, HttpError>) {
        if let Ok(HttpAnswer { status: status @ (403 | 418 | 429), retry_after_s, .. }) = answer {
            let unsaid = if *status == 403 { 300 } else { 120 };
            let silence = Duration::from_secs(retry_after_s.unwrap_or(unsaid));
            let mut queue = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.silent_until = queue.silent_until.max(Instant::now().checked_add(silence));
        }
    }

    fn warm(&self) {
        let silent_until = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner).silent_until;
        if silent_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let timeout = Some(Duration::from_secs(2));
        let ping = HttpRequest { method: "GET", path: WARM_PATH, timeout, ..HttpRequest::default() };
        // What is wrong with the venue shows where it matters, at a call somebody waits for.
        let answer = self.client.request(&self.endpoint, &ping);
        self.hear(&answer);
        if let Err(error) = answer {
            log::debug!("keeping a connection to {} warm: {error}", self.endpoint);
        }
    }
}
