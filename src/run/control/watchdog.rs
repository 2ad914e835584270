//! The watchdog: another process, with a key and a connection of its own, that cancels what is open when the engine's
//! heartbeat stops.
//!
//! It knows the heartbeat's file and nothing else of the engine. A file that is not there is a run that has not begun or
//! has ended in order; of one that cannot be read the last beat counts that could be. One that is there and no longer
//! changes, by this process's own clock, is an engine that hangs, was killed, or ended with orders left open: every open
//! order of the account is cancelled, of whoever it is, again and again until none is left or the engine shows a sign of
//! life.

use super::heartbeat::{Heart, beats_since};
use crate::domain::Market;
use crate::net::backoff::Backoff;
use crate::net::http::{HttpAnswer, HttpClient, HttpError, HttpRequest};
use crate::net::tls::TlsSetupError;
use crate::net::{Endpoint, TlsClient, said};
use crate::run::config::{Config, TradingConfig};
use crate::run::interrupt::Interrupt;
use crate::run::live::wall_clock;
use crate::run::orders::KeysError;
use crate::run::orders::keys::{self, KeyOf};
use crate::security::{ApiKey, Credentials};
use crate::venue::binance::request::{Name, Params, RecvWindow, RequestError, RestRequest, Timing};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The variable that holds the watchdog's API key.
pub const KEY_ENV: &str = "ALGO_TRADER_WATCHDOG_KEY";
/// The variable that holds its secret.
pub const SECRET_ENV: &str = "ALGO_TRADER_WATCHDOG_SECRET";

const TIMEOUT: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: u64 = 16 << 20;
/// Between two looks at the heartbeat.
const LOOK: Duration = Duration::from_millis(50);
/// Between the first two rounds of cancels, and between any two of many.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_AT_MOST: Duration = Duration::from_secs(10);
/// The same where the venue refuses the key before anything is watched: a person mends that, or it passes.
const KEY_AGAIN: Duration = Duration::from_secs(5);
const KEY_AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// The venue's word for a key that it does not take, or not from this address, or not for this: for now, or for good.
const KEY_REFUSED: i64 = -2015;
/// The longest answer shown to a person.
const SHOWN_CHARS: usize = 200;

/// What a watchdog needs.
#[derive(Debug, Clone)]
pub struct WatchdogOptions {
    /// The heartbeat's file.
    pub heartbeat: PathBuf,
    /// How long it may stand still.
    pub after: Duration,
    /// A file with the key; without one, the variables.
    pub key_file: Option<PathBuf>,
    /// End after the first time that everything was cancelled.
    pub once: bool,
    /// Ends it cleanly.
    pub interrupt: Interrupt,
}

/// Why there is no watchdog.
#[derive(Debug, Error)]
pub enum WatchdogError {
    /// No key.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The key is the engine's.
    #[error(
        "the watchdog's key is the engine's own, by {0}: what locks that key out, or spends its limits, would keep the \
         watchdog from cancelling too; make a second key of the account, and give it by --key-file, or by {KEY_ENV} and \
         {SECRET_ENV}"
    )]
    Shared(String),
    /// The venue does not take the key.
    #[error("the watchdog's key is of no use: {0}")]
    Useless(CancelError),
}

/// Why orders were not cancelled this time.
#[derive(Debug, Error)]
pub enum CancelError {
    /// No answer.
    #[error("{what}: {error}")]
    Unanswered {
        /// What was asked for.
        what: &'static str,
        /// What happened.
        #[source]
        error: HttpError,
    },
    /// A refusal, or an answer of no use.
    #[error("{what} was answered with HTTP {status}: {said}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The status.
        status: u16,
        /// The venue's own number for why, where it gave one.
        code: Option<i64>,
        /// What it said.
        said: String,
        /// For how long it is to be asked nothing, where it said so, s.
        retry_after_s: Option<u64>,
    },
    /// An answer that says nothing of what was asked for.
    #[error("{what} was answered with HTTP 200, and not as the venue does: {said}")]
    Unread {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// The request could not be signed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl CancelError {
    /// For how long nothing may be asked: what comes sooner makes a ban longer.
    fn silence(&self) -> Option<Duration> {
        let Self::Refused { status, retry_after_s, .. } = self else { return None };
        let unsaid = match status {
            403 => 300,
            418 => 120,
            429 => 60,
            _ => return None,
        };
        // Three days is the longest ban there is.
        Some(Duration::from_secs(retry_after_s.unwrap_or(unsaid).clamp(1, 3 * 86_400)))
    }
}

/// What a watchdog did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchdogOutcome {
    /// Times that the heartbeat stopped.
    pub fired: u64,
    /// Orders that were cancelled then.
    pub cancelled: u64,
}

/// Watches until it is told to end, once the venue has taken its key.
///
/// # Errors
/// [`WatchdogError`], before anything is watched: a watchdog that could not bite is none.
pub fn watch(config: &Config, options: &WatchdogOptions) -> Result<WatchdogOutcome, WatchdogError> {
    let mut trading = config.trading.clone();
    (trading.key_env, trading.secret_env) = (KEY_ENV.to_owned(), SECRET_ENV.to_owned());
    trading.key_file = options.key_file.clone();
    let credentials = keys::load(&trading, KeyOf::Watchdog)?;
    let theirs = keys::known_api_key(&config.trading);
    if let Some(by) = shared(&config.trading, &trading, &credentials.api_key, theirs.as_ref()) {
        return Err(WatchdogError::Shared(by));
    }
    if theirs.is_none() {
        log::info!("the engine's key is not known here: that the watchdog's is another one is not checked");
    }
    let tls = TlsClient::new(&config.venue.tls)?;
    let mut account = Account {
        http: HttpClient::new(&tls, TIMEOUT, BODY_BYTES_MAX),
        endpoint: config.venue.endpoints(Market::Spot).rest.clone(),
        credentials,
        offset_ns: 0,
    };
    let mut pauses = Backoff::new(AGAIN, AGAIN_AT_MOST, wall_clock().0);
    let mut key_pauses = Backoff::new(KEY_AGAIN, KEY_AGAIN_AT_MOST, wall_clock().0);
    while !options.interrupt.is_raised() {
        let error = match account.open_orders() {
            Ok(open) => {
                log::info!("the watchdog's key is good; {} orders are open", open.len());
                break;
            }
            Err(error) => error,
        };
        // A venue that is not there, or takes no more questions for now, says nothing of the key.
        let pause = match (&error, error.silence()) {
            (_, Some(pause)) => pause,
            (CancelError::Unanswered { .. } | CancelError::Unread { .. }, _) => pauses.next_pause(),
            (CancelError::Refused { status: 500.., .. }, _) => pauses.next_pause(),
            // Its list of addresses, or its rights, may be mended or come back in a minute, and nobody would start this anew.
            (CancelError::Refused { code: Some(KEY_REFUSED), .. }, _) => key_pauses.next_pause(),
            _ => return Err(WatchdogError::Useless(error)),
        };
        log::error!(
            "{error}; NOTHING IS WATCHED until the venue answers and takes the watchdog's key; trying again in {:.1} s",
            pause.as_secs_f64()
        );
        let until = Instant::now() + pause;
        while Instant::now() < until && !options.interrupt.is_raised() {
            std::thread::sleep(LOOK);
        }
    }
    let mut outcome = WatchdogOutcome::default();
    let mut heart = Heart::default();
    // After everything was cancelled the engine has to show a sign of life first.
    let mut fired_at: Option<String> = None;
    let path = &options.heartbeat;
    while !options.interrupt.is_raised() {
        if let Some(problem) = heart.look(path) {
            log::warn!(
                "{}: {problem}; the last heartbeat that could be read counts until one can be again",
                path.display()
            );
        }
        if let Some((beat, since)) = heart.stopped(options.after)
            && fired_at.as_deref() != Some(beat)
        {
            match &heart.problem {
                None => {
                    log::error!("the engine's heartbeat stopped {since:.1?} ago: everything is cancelled")
                }
                Some(problem) => log::error!(
                    "{} cannot be read ({problem}), and the last heartbeat came {since:.1?} ago: everything is cancelled",
                    path.display()
                ),
            }
            outcome.fired += 1;
            let beat = beat.to_owned();
            outcome.cancelled += account.cancel_everything(&options.interrupt, || beats_since(path, &beat));
            fired_at = Some(beat);
            if options.once {
                break;
            }
        }
        std::thread::sleep(LOOK);
    }
    Ok(outcome)
}

/// By what the engine's key is the watchdog's, if it is: by where both are read from, or by the key that is read, `ours`
/// and, where it is known here, `theirs`.
fn shared(
    engine: &TradingConfig,
    watchdog: &TradingConfig,
    ours: &ApiKey,
    theirs: Option<&ApiKey>,
) -> Option<String> {
    match (&engine.key_file, &watchdog.key_file) {
        (Some(a), Some(b))
            if a == b || a.canonicalize().ok().is_some_and(|a| b.canonicalize().ok() == Some(a)) =>
        {
            return Some(format!("the file {}, which is [trading] key_file", b.display()));
        }
        (None, None) if engine.key_env == watchdog.key_env => {
            return Some(format!("the variable {}, which is [trading] key_env", engine.key_env));
        }
        _ => {}
    }
    theirs.filter(|theirs| theirs.as_bytes() == ours.as_bytes()).map(|_| format!("the API key {ours}"))
}

struct Account {
    http: HttpClient,
    endpoint: Endpoint,
    credentials: Credentials,
    /// The venue's clock less ours, ns.
    offset_ns: i64,
}

impl Account {
    /// Cancels until nothing is open, or the engine is `alive` again, whose orders are its own to look after; says how many
    /// orders the venue took the cancel of.
    fn cancel_everything(&mut self, interrupt: &Interrupt, alive: impl Fn() -> bool) -> u64 {
        let mut cancelled = BTreeSet::new();
        // Longer after each round: what the venue refuses, or does not take back, it is not to be asked without end.
        let mut pauses = Backoff::new(AGAIN, AGAIN_AT_MOST, wall_clock().0);
        loop {
            let pause = match self.round(&mut cancelled) {
                Ok(0) => {
                    log::error!("nothing is open any more; {} orders were cancelled", cancelled.len());
                    break;
                }
                Ok(left) => {
                    log::error!("{left} orders were open; looking again");
                    pauses.next_pause()
                }
                Err(error) => {
                    let pause = error.silence().unwrap_or_else(|| pauses.next_pause());
                    log::error!("{error}; trying again in {:.1} s", pause.as_secs_f64());
                    pause
                }
            };
            let until = Instant::now() + pause;
            while Instant::now() < until && !interrupt.is_raised() && !alive() {
                std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
            }
            if alive() {
                log::error!(
                    "the engine's heart beats again: its orders are left to it; {} were cancelled before",
                    cancelled.len()
                );
                break;
            }
            if interrupt.is_raised() {
                break;
            }
        }
        cancelled.len() as u64
    }

    /// One round; says how many orders were open when it began.
    fn round(&mut self, cancelled: &mut BTreeSet<u64>) -> Result<usize, CancelError> {
        let open = self.open_orders()?;
        let symbols: BTreeSet<&String> = open.iter().map(|(symbol, _)| symbol).collect();
        let mut failed = None;
        for symbol in symbols {
            let path = "/api/v3/openOrders";
            match self.signed("the cancel of all orders", "DELETE", path, Some(symbol.as_str())) {
                Ok(_) => cancelled.extend(open.iter().filter(|(of, _)| of == symbol).map(|(_, id)| *id)),
                // Who asks on where it is asked to be silent is banned for longer.
                Err(error) if error.silence().is_some() => return Err(error),
                // One symbol that fails keeps no other from being cancelled.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(open.len()), Err)
    }

    /// Symbol and number of every open order.
    fn open_orders(&mut self) -> Result<Vec<(String, u64)>, CancelError> {
        const WHAT: &str = "the open orders";
        self.learn_the_time()?;
        let rows = self.signed(WHAT, "GET", "/api/v3/openOrders", None)?;
        read_open(&rows).ok_or_else(|| CancelError::Unread {
            what: WHAT,
            said: said(rows.to_string().as_bytes(), SHOWN_CHARS),
        })
    }

    fn learn_the_time(&mut self) -> Result<(), CancelError> {
        const WHAT: &str = "the time";
        let sent = wall_clock();
        let answer = self.answered(WHAT, self.http.get(&self.endpoint, "/api/v3/time"))?;
        let ours = sent.0.saturating_add(wall_clock().since(sent) / 2);
        if let Some(theirs) = answer["serverTime"].as_u64() {
            self.offset_ns = i64::try_from(i128::from(theirs) * 1_000_000 - i128::from(ours)).unwrap_or(0);
        }
        Ok(())
    }

    fn signed(
        &self,
        what: &'static str,
        method: &str,
        path: &str,
        symbol: Option<&str>,
    ) -> Result<Value, CancelError> {
        let now = wall_clock().0.saturating_add_signed(self.offset_ns);
        let timing = Timing { timestamp: now / 1_000_000, recv_window: RecvWindow::from_millis(5_000) };
        let mut written = RestRequest::new();
        let query = written.write_with(timing, &self.credentials, |params| {
            if let Some(symbol) = symbol {
                params.text(Name::Symbol, symbol);
            }
            Ok(())
        })?;
        let key = [("X-MBX-APIKEY", self.credentials.api_key.as_str())];
        let path = format!("{path}?{query}");
        let request = HttpRequest { method, path: &path, headers: &key, ..HttpRequest::default() };
        self.answered(what, self.http.request(&self.endpoint, &request))
    }

    fn answered(
        &self,
        what: &'static str,
        answer: Result<HttpAnswer, HttpError>,
    ) -> Result<Value, CancelError> {
        let answer = answer.map_err(|error| CancelError::Unanswered { what, error })?;
        let read = serde_json::from_slice(&answer.body);
        match (answer.status, read) {
            (200, Ok(value)) => Ok(value),
            (200, Err(_)) => Err(CancelError::Unread { what, said: said(&answer.body, SHOWN_CHARS) }),
            (status, read) => {
                let code = read.ok().and_then(|body: Value| body["code"].as_i64());
                let (said, retry_after_s) = (said(&answer.body, SHOWN_CHARS), answer.retry_after_s);
                Err(CancelError::Refused { what, status, code, said, retry_after_s })
            }
        }
    }
}

/// Symbol and number of each order of an answer; none where one of them does not read: an answer that is not understood must
/// not pass for one that says that nothing is open.
fn read_open(rows: &Value) -> Option<Vec<(String, u64)>> {
    let of = |row: &Value| Some((row["symbol"].as_str()?.to_owned(), row["orderId"].as_u64()?));
    rows.as_array()?.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ApiKey {
        ApiKey::new(text).expect("a good key")
    }

    /// The engine's section and the watchdog's, by their files; none: their variables.
    fn sections(engine: Option<&str>, watchdog: Option<&str>) -> (TradingConfig, TradingConfig) {
        let mut engine_of = Config::embedded_default().trading;
        engine_of.key_file = engine.map(PathBuf::from);
        let mut watchdog_of = engine_of.clone();
        (watchdog_of.key_env, watchdog_of.secret_env) = (KEY_ENV.to_owned(), SECRET_ENV.to_owned());
        watchdog_of.key_file = watchdog.map(PathBuf::from);
        (engine_of, watchdog_of)
    }

    #[test]
    fn systemd_starts_engine_and_watchdog_again_however_often_they_end() {
        for unit in ["algo-trader-watchdog.service", "algo-trader.service"] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(unit);
            let unit = std::fs::read_to_string(path).expect("it is there");
            let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            let pause: u64 = value("RestartSec").and_then(|s| s.parse().ok()).expect("seconds");
            // Its own limit is five starts within ten seconds.
            let (head, service) = unit.split_once("[Service]").expect("a section");
            let unlimited = head.contains("\nStartLimitIntervalSec=0\n") && !service.contains("StartLimit");
            assert!(unlimited || pause * 4 > 10, "{unit}");
        }
    }

    #[test]
    fn what_the_venue_says_of_too_many_questions_is_kept() {
        let refused = |status, retry_after_s| {
            let said = String::new();
            let code = None;
            CancelError::Refused { what: "the time", status, code, said, retry_after_s }.silence()
        };
        let seconds = |s| Some(Duration::from_secs(s));
        assert_eq!(refused(429, Some(7)), seconds(7));
        assert_eq!((refused(429, None), refused(418, None)), (seconds(60), seconds(120)));
        assert_eq!((refused(403, None), refused(418, Some(0))), (seconds(300), seconds(1)));
        assert_eq!((refused(400, Some(9)), refused(503, None)), (None, None));
    }

    #[test]
    fn an_answer_that_is_no_list_of_orders_does_not_say_that_nothing_is_open() {
        let of = |text: &str| read_open(&serde_json::from_str(text).expect("JSON"));
        assert_eq!(of("[]"), Some(vec![]));
        let good = r#"{"symbol": "A", "orderId": 7, "more": 1}"#;
        assert_eq!(of(&format!("[{good}]")), Some(vec![("A".to_owned(), 7)]));
        for bad in ["{}", "null", "{\"msg\": \"soon\"}", r#"[{"symbol": "A", "orderId": "8"}]"#, "[{}]"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(
            of(&format!("[{good}, {{\"symbol\": \"B\"}}]")),
            None,
            "one that does not read may be open"
        );
        let unread = CancelError::Unread { what: "the open orders", said: "{}".to_owned() };
        assert_eq!(unread.silence(), None, "it is asked again soon");
    }

    #[test]
    fn the_engines_key_is_known_by_its_place_and_by_itself_and_told_without_being_shown() {
        let (whole, other) = ("abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba");
        let found = |engine, watchdog, theirs: Option<&str>| {
            let (engine, watchdog) = sections(engine, watchdog);
            shared(&engine, &watchdog, &key(whole), theirs.map(key).as_ref())
        };
        assert_eq!(found(None, None, None), None);
        assert_eq!(found(None, None, Some(other)), None);
        assert_eq!(found(Some("/a/key"), Some("/a/other"), None), None);
        assert_eq!(found(Some("/a/key"), None, Some(other)), None);
        let by_file = found(Some("/a/key"), Some("/a/key"), None).expect("one file");
        assert_eq!(by_file, "the file /a/key, which is [trading] key_file");
        for (engine, watchdog) in [(None, None), (Some("/a/key"), Some("/a/other")), (None, Some("/a/other"))]
        {
            let by_key = found(engine, watchdog, Some(whole)).expect("one key");
            assert!(by_key.starts_with("the API key abcd") && !by_key.contains("efgh"), "{by_key}");
        }
        let (mut engine, watchdog) = sections(None, None);
        engine.key_env = KEY_ENV.to_owned();
        let by_name = shared(&engine, &watchdog, &key(whole), None).expect("one variable");
        assert!(by_name.contains(KEY_ENV), "{by_name}");
    }

    #[test]
    fn one_file_by_two_paths_is_one_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, link) = (dir.path().join("engine.key"), dir.path().join("watchdog.key"));
        std::fs::write(&file, "x").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        let (engine, watchdog) = sections(file.to_str(), link.to_str());
        assert!(shared(&engine, &watchdog, &key("abcdefgh"), None).is_some());
    }
}
