//! Calls of a venue's REST interface that take as long as they take: within its limits, and again where they fail.
//!
//! Owns: the connection, the budget, how far the venue's clock is ahead of ours, and waiting. A call is made when the budget
//! grants it; told to wait (429, 418, 403), nothing is asked until then; what fails on the way, or with a 5xx, is asked
//! again after pauses that double. Whatever is asked here changes nothing at the venue, so asking twice is harmless.

use super::error::FetchError;
use crate::domain::{Market, Time};
use crate::net::http::{HttpAnswer, HttpClient, HttpError};
use crate::net::{Backoff, Endpoint, TlsClient, said};
use crate::run::interrupt::Interrupt;
use crate::venue::binance::exchange_info::{RateKind, RateLimit};
use crate::venue::binance::limits::{Budget, BudgetSettings, Cost, NotNow, Retry, Told, TooMuch};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A thousand rows have some 200 kB; the documents of all symbols of a futures market some megabytes.
const BODY_BYTES_MAX: u64 = 32 << 20;
/// Binance answers within 10 s or not at all.
const TIMEOUT: Duration = Duration::from_secs(11);
/// Between two looks at whether somebody wants an end.
const SLICE: Duration = Duration::from_millis(100);

/// How calls are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSettings {
    /// Per cent of the venue's limit that may be used, by all of this address.
    pub use_percent: u32,
    /// The first and the longest pause after a failure.
    pub pauses: (Duration, Duration),
    /// Failures in a row after which it is given up.
    pub attempts_max: u32,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            use_percent: 80,
            pauses: (Duration::from_millis(500), Duration::from_secs(30)),
            attempts_max: 10,
        }
    }
}

/// What calls have cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCounts {
    /// Calls made.
    pub calls: u64,
    /// Of them, failed and made again.
    pub failures: u64,
    /// Times the venue said to wait.
    pub refusals: u64,
    /// Waited for the budget and the venue, all together.
    pub waited: Duration,
}

/// Why nothing is asked just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// The budget of this window is used.
    Budget,
    /// The venue said so.
    Told,
    /// The last call failed.
    Failed,
}

/// Is told why and how much longer is waited.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Waiting, Duration);

/// See the module.
pub(super) struct Caller {
    client: HttpClient,
    endpoint: Endpoint,
    budget: Budget,
    settings: CallSettings,
    backoff: Backoff,
    interrupt: Interrupt,
    counts: CallCounts,
    /// When it began, by the wall clock and by one that nobody sets.
    begun: (Time, Instant),
    /// The venue's clock less ours, ns.
    ahead_ns: i64,
}

impl Caller {
    pub fn new(
        market: Market,
        endpoint: Endpoint,
        tls: &TlsClient,
        settings: CallSettings,
        interrupt: Interrupt,
    ) -> Self {
        // What is documented, until the venue has said so itself.
        let limit = if market == Market::Spot { 6_000 } else { 2_400 };
        let limits = [RateLimit { kind: RateKind::RequestWeight, window_s: 60, limit, count: None }];
        let of_budget = BudgetSettings {
            use_percent: settings.use_percent,
            cancel_reserve: 0,
            kept_percent: 0,
            ..BudgetSettings::default()
        };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (first, longest) = settings.pauses;
        Self {
            client: HttpClient::new(tls, TIMEOUT, BODY_BYTES_MAX),
            endpoint,
            budget: Budget::new(of_budget, &limits),
            backoff: Backoff::new(first, longest, wall.subsec_nanos().into()),
            settings,
            interrupt,
            counts: CallCounts::default(),
            begun: (Time(0).plus(wall), Instant::now()),
            ahead_ns: 0,
        }
    }

    /// Our time, by which is waited and counted.
    fn now(&self) -> Time {
        let (wall, begun) = self.begun;
        wall.plus(begun.elapsed())
    }

    /// The venue's time.
    pub fn venue_now(&self) -> Time {
        Time(self.now().0.saturating_add_signed(self.ahead_ns))
    }

    /// Takes over the venue's time, as an answer just had it.
    pub fn set_clock(&mut self, venue: Time) {
        let now = self.now();
        self.ahead_ns = i64::try_from(i128::from(venue.0) - i128::from(now.0)).unwrap_or(0);
        self.budget.set_clock(self.ahead_ns, now);
    }

    /// Takes over the limits that the venue gives.
    pub fn learn(&mut self, limits: &[RateLimit]) {
        self.budget.learn(limits);
    }

    pub const fn counts(&self) -> CallCounts {
        self.counts
    }

    pub fn is_stopped(&self) -> bool {
        self.interrupt.is_raised()
    }

    /// Gets `path` until there is an answer that `read` can read.
    pub fn get<T, E: std::fmt::Display>(
        &mut self,
        path: &str,
        weight: u32,
        read: impl Fn(&[u8]) -> Result<T, E>,
        watch: Watch<'_>,
    ) -> Result<T, FetchError> {
        self.backoff.reset();
        loop {
            let problem = match self.once(path, weight, watch)? {
                Ok(answer) => match self.judge(path, &answer)? {
                    Some(problem) => problem,
                    None => match read(&answer.body) {
                        Ok(value) => return Ok(value),
                        Err(error) => error.to_string(),
                    },
                },
                Err(HttpError::Certificate(problem)) => {
                    return Err(FetchError::Certificate { endpoint: self.endpoint.to_string(), problem });
                }
                Err(error) => error.to_string(),
            };
            if problem.is_empty() {
                // Told to wait: that is no failure, and the budget keeps the time.
                continue;
            }
            self.counts.failures += 1;
            log::info!("{path}: {problem}");
            let pause = self.backoff.next_pause();
            let attempts = self.backoff.attempts();
            if attempts >= self.settings.attempts_max {
                return Err(FetchError::GaveUp { path: path.into(), attempts, last: problem });
            }
            self.wait(self.now().plus(pause), Waiting::Failed, watch)?;
        }
    }

    /// Waits for leave, and makes the call once.
    fn once(
        &mut self,
        path: &str,
        weight: u32,
        watch: Watch<'_>,
    ) -> Result<Result<HttpAnswer, HttpError>, FetchError> {
        let permit = loop {
            match self.budget.ask(Cost::query(weight), self.now()) {
                Ok(permit) => break permit,
                Err(NotNow::Never { .. }) => return Err(FetchError::Budget),
                Err(NotNow::UsedUp { until, .. }) => self.wait(until, Waiting::Budget, watch)?,
                Err(NotNow::Blocked { until }) => self.wait(until, Waiting::Told, watch)?,
            }
        };
        if self.is_stopped() {
            self.budget.lost(permit, self.now());
            return Err(FetchError::Stopped);
        }
        self.counts.calls += 1;
        let answer = self.client.get(&self.endpoint, path);
        let now = self.now();
        match &answer {
            Ok(answer) => {
                let mut told = Told::default();
                answer.counts.iter().for_each(|(name, value)| told.header(name, value));
                self.budget.answered(permit, &told, now);
            }
            Err(_) => self.budget.lost(permit, now),
        }
        Ok(answer)
    }

    /// What an answer means: `None` where it is good, a problem where it may be good the next time (an empty one where
    /// there is a time to wait for), an error where it never will be.
    fn judge(&mut self, path: &str, answer: &HttpAnswer) -> Result<Option<String>, FetchError> {
        let text = || said(&answer.body, 200);
        match answer.status {
            200 => Ok(None),
            status @ (403 | 418 | 429) => {
                self.counts.refusals += 1;
                // At once is not what a venue that refuses can mean.
                let retry =
                    answer.retry_after_s.map_or(Retry::Unsaid, |seconds| Retry::After(seconds.max(1)));
                self.budget.refused(TooMuch { status, code: None, retry }, self.now());
                log::warn!("{path}: HTTP {status}, waiting until {}", self.budget.blocked_until());
                Ok(Some(String::new()))
            }
            408 | 500..=599 => Ok(Some(format!("HTTP {}: {}", answer.status, text()))),
            status => {
                let text = text();
                let remedy = match status {
                    _ if text.contains("-1121") => {
                        "; the market has no such symbol, or it needs --market usdm"
                    }
                    _ if text.contains("-1120") => "; this market has no bars of that length",
                    404 => "; is --rest the venue's REST address?",
                    _ => "",
                };
                Err(FetchError::Refused { path: path.into(), status, text, remedy })
            }
        }
    }

    fn wait(&mut self, until: Time, why: Waiting, watch: Watch<'_>) -> Result<(), FetchError> {
        loop {
            if self.is_stopped() {
                return Err(FetchError::Stopped);
            }
            let left = Duration::from_nanos(until.since(self.now()));
            if left.is_zero() {
                return Ok(());
            }
            watch(why, left);
            let slice = left.min(SLICE);
            std::thread::sleep(slice);
            self.counts.waited += slice;
        }
    }
}
