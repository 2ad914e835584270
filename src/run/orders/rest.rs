//! REST calls of the order gateway: threads that may wait for an answer, so that the gateway never does.
//!
//! Each thread has a connection of its own, kept warm by a ping when it has been idle. Calls that matter more (orders,
//! cancels) go before those that can wait (queries), in the order that they came; where there are two threads or more, one
//! of them is kept for them.

use crate::net::http::{HttpAnswer, HttpClient, HttpError, HttpRequest};
use crate::net::{Endpoint, TlsClient};
use crate::security::ApiKey;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never, unbounded};
use std::sync::Arc;
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

/// One call.
#[derive(Debug, Clone)]
pub struct RestCall {
    /// What the answer is known by.
    pub id: u64,
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Path and query, signed where it must be.
    pub path: String,
    /// The body of a `POST` or `PUT`.
    pub body: Vec<u8>,
    /// Whether the API key goes with it.
    pub with_key: bool,
    /// Whether it goes before those that can wait.
    pub urgent: bool,
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
    urgent: Sender<RestCall>,
    patient: Sender<RestCall>,
}

struct Worker {
    client: HttpClient,
    endpoint: Endpoint,
    key: Arc<ApiKey>,
    urgent: Receiver<RestCall>,
    patient: Receiver<RestCall>,
    done: Sender<RestDone>,
    wake: Arc<mio::Waker>,
}

impl RestCalls {
    /// Starts `threads` threads that call `endpoint` and wake `wake` with each answer.
    ///
    /// # Errors
    /// Where the system has no more threads.
    pub fn start(
        threads: usize,
        endpoint: &Endpoint,
        tls: &TlsClient,
        key: &Arc<ApiKey>,
        wake: &Arc<mio::Waker>,
    ) -> std::io::Result<(Self, Receiver<RestDone>)> {
        let (urgent, urgent_in) = bounded(WAITING_MAX);
        let (patient, patient_in) = bounded(WAITING_MAX);
        let (done, done_in) = unbounded();
        for index in 0..threads {
            let worker = Worker {
                client: HttpClient::new(tls, TIMEOUT, BODY_BYTES_MAX),
                endpoint: endpoint.clone(),
                key: Arc::clone(key),
                urgent: urgent_in.clone(),
                patient: if index + 1 < threads || threads == 1 { patient_in.clone() } else { never() },
                done: done.clone(),
                wake: Arc::clone(wake),
            };
            std::thread::Builder::new().name(format!("at-rest-{index}")).spawn(move || worker.run())?;
        }
        Ok((Self { urgent, patient }, done_in))
    }

    /// Asks for a call; false where too many wait already, and nothing will be sent.
    #[must_use]
    pub fn call(&self, call: RestCall) -> bool {
        let lane = if call.urgent { &self.urgent } else { &self.patient };
        lane.try_send(call).is_ok()
    }
}

impl Worker {
    fn run(self) {
        self.warm();
        loop {
            match self.next() {
                Ok(call) => {
                    if !self.make(&call) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.warm(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The next call: an urgent one if there is one.
    fn next(&self) -> Result<RestCall, RecvTimeoutError> {
        if let Ok(call) = self.urgent.try_recv() {
            return Ok(call);
        }
        crossbeam_channel::select_biased! {
            recv(self.urgent) -> call => call.map_err(|_| RecvTimeoutError::Disconnected),
            recv(self.patient) -> call => call.map_err(|_| RecvTimeoutError::Disconnected),
            default(WARM_EVERY) => Err(RecvTimeoutError::Timeout),
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
            let (method, path, body) = (call.method, call.path.as_str(), call.body.as_slice());
            let timeout = Some(left.min(TIMEOUT));
            self.client.request(&self.endpoint, &HttpRequest { method, path, headers, body, timeout })
        };
        let sent = self.done.send(RestDone { id: call.id, answer, took: begun.elapsed() });
        // A waker that cannot wake means an answer that is seen a millisecond later.
        let _ = self.wake.wake();
        sent.is_ok()
    }

    fn warm(&self) {
        let timeout = Some(Duration::from_secs(2));
        let ping = HttpRequest { method: "GET", path: WARM_PATH, timeout, ..HttpRequest::default() };
        // What is wrong with the venue shows where it matters, at a call somebody waits for.
        if let Err(error) = self.client.request(&self.endpoint, &ping) {
            log::debug!("keeping a connection to {} warm: {error}", self.endpoint);
        }
    }
}
