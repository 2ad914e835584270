//! `[trading]`: whether orders are sent, how, and under which key.
//!
//! Owns: where the key is looked for, never the key. Invariant: nothing secret is in a configuration, since its text is
//! kept in journals.

use super::check::Checks;
use super::choices::choices;
use super::instruments::Instruments;
use super::raw::{Given, RawStrategy, RawTrading};
use super::sections::{Wait, path};
use crate::domain::{InstrumentId, Market};
use crate::venue::binance::request::{RecvWindow, SelfTradeMode};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

choices! {
    /// What becomes of orders.
    TradingMode {
        /// A simulated venue fills them.
        Paper = "paper",
        /// They are sent.
        Live = "live",
    }
}

choices! {
    /// The way that orders take.
    OrderEntry {
        /// The WebSocket API.
        WebSocket = "websocket",
        /// REST.
        Rest = "rest",
    }
}

choices! {
    /// What becomes of open orders at the end of a run.
    OnExit {
        /// They are cancelled.
        Cancel = "cancel",
        /// They stay.
        Keep = "keep",
    }
}

/// The checked section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradingConfig {
    /// Whether orders are sent.
    pub mode: TradingMode,
    /// By which way.
    pub order_entry: OrderEntry,
    /// The variable that holds the API key.
    pub key_env: String,
    /// The variable that holds the secret.
    pub secret_env: String,
    /// A file with both, instead of the variables.
    pub key_file: Option<PathBuf>,
    /// How long a request is good.
    pub recv_window: RecvWindow,
    /// The mode of self-trade prevention that orders name; none leaves it to the venue.
    pub self_trade: Option<SelfTradeMode>,
    /// The longest that the venue works on an order; an order without an answer is not believed lost before. Binance's,
    /// and no key: a test's venue is sooner.
    pub engine_deadline: Duration,
    /// After the venue refused the key, before it is asked whether it takes it again. No key either, for a test's sake.
    pub key_again: Duration,
    /// Whether a key that may withdraw is taken.
    pub allow_withdrawal_keys: bool,
    /// Between two comparisons with the account.
    pub reconcile: Duration,
    /// Between two readings of the venue's rules.
    pub rules_every: Duration,
    /// A file that says which pairs are paused, removed or added, looked at while running.
    pub pairs_file: Option<PathBuf>,
    /// Instruments that stand by: known from the start, followed and traded once that file adds them.
    pub standby: Vec<InstrumentId>,
    /// What becomes of open orders at the end.
    pub on_exit: OnExit,
    /// How long the end waits for the venue.
    pub exit_timeout: Duration,
    /// Threads that make REST calls.
    pub rest_threads: usize,
    /// How the thread that sends orders waits.
    pub wait: Wait,
}

impl TradingConfig {
    pub(super) fn check(raw: &RawTrading, checks: &mut Checks<'_>) -> Self {
        let recv_window = checks.integer(&raw.recv_window_ms, 1..=60_000, 5_000);
        let mut seconds = |given, range, default| Duration::from_secs(checks.integer(given, range, default));
        let reconcile = seconds(&raw.reconcile_seconds, 1..=3_600, 30);
        let exit_timeout = seconds(&raw.exit_seconds, 1..=300, 5);
        let rules_every = seconds(&raw.rules_seconds, 1..=86_400, 600);
        Self {
            mode: checks.choice(&raw.mode, TradingMode::ALL, TradingMode::Paper),
            order_entry: checks.choice(&raw.order_entry, OrderEntry::ALL, OrderEntry::WebSocket),
            key_env: variable(&raw.key_env, "ALGO_TRADER_API_KEY", checks),
            secret_env: variable(&raw.secret_env, "ALGO_TRADER_API_SECRET", checks),
            key_file: path(raw.key_file.as_deref()),
            recv_window: RecvWindow::from_millis(recv_window).unwrap_or(RecvWindow::MAX),
            self_trade: checks.choice(&raw.self_trade_prevention, SelfTradeMode::CHOICES, None),
            engine_deadline: Duration::from_secs(10),
            key_again: Duration::from_secs(60),
            allow_withdrawal_keys: raw.allow_withdrawal_keys.unwrap_or(false),
            reconcile,
            rules_every,
            pairs_file: path(raw.pairs_file.as_ref().map(|given| given.get_ref().as_str())),
            standby: Vec::new(),
            on_exit: checks.choice(&raw.on_exit, OnExit::ALL, OnExit::Cancel),
            exit_timeout,
            rest_threads: checks.integer(&raw.rest_threads, 1..=8, 2),
            wait: checks.choice(&raw.wait, Wait::ALL, Wait::Auto),
        }
    }
}

/// The name of an environment variable. What is no name is not shown: it may be the secret itself.
fn variable(given: &Given<String>, default: &str, checks: &mut Checks<'_>) -> String {
    let Some(given) = given else { return default.to_owned() };
    let name = given.get_ref();
    let good = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
    let first = name.bytes().next().is_some_and(|c| !c.is_ascii_digit());
    if !first || name.len() > 64 || !name.bytes().all(good) {
        let expected = "must be the name of an environment variable, 1 to 64 capital letters, digits or _; the key \
                        itself has no place here, since this text is kept in journals";
        checks.refuse_unseen(&given.span(), expected);
        return default.to_owned();
    }
    name.clone()
}

/// Refuses a pairs file that nobody looks at.
pub(super) fn pairs_file(raw: &RawTrading, trading: &TradingConfig, checks: &mut Checks<'_>) {
    if let Some(given) = raw.pairs_file.as_ref().filter(|given| !given.get_ref().is_empty())
        && trading.mode != TradingMode::Live
    {
        checks.refuse(
            &given.span(),
            "is of no use: pairs are paused and added by it with mode = \"live\" alone",
        );
    }
}

/// Instruments that stand by until the pairs file adds them.
pub(super) fn standby(
    raw: &RawTrading,
    trading: &TradingConfig,
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> Vec<InstrumentId> {
    let (Some(given), Some(table)) = (&raw.standby, &instruments.table) else { return Vec::new() };
    if !given.get_ref().is_empty() && (trading.mode != TradingMode::Live || trading.pairs_file.is_none()) {
        let expected = "is of no use: only [trading] pairs_file adds what stands by, with mode = \"live\"";
        checks.refuse(&given.span(), expected);
    }
    let mut standby = Vec::new();
    for name in given.get_ref() {
        match table.by_name(name.get_ref()) {
            Some(of) if of.market == Market::Spot => standby.push(of.id),
            _ => checks.refuse(&name.span(), "must be the name of a spot instrument of [instruments] files"),
        }
    }
    standby
}

/// Refuses instruments of strategies that live orders cannot be sent for.
pub(super) fn spot_only(
    strategies: &[Spanned<RawStrategy>],
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) {
    let Some(table) = &instruments.table else { return };
    for strategy in strategies {
        for name in strategy.get_ref().instruments.iter().flat_map(|list| list.get_ref()) {
            if let Some(instrument) = table.by_name(name.get_ref())
                && instrument.market != Market::Spot
            {
                let expected = "must be a spot instrument: live orders are sent for spot alone; use \
                                [trading] mode = \"paper\", or take it out of this strategy";
                checks.refuse(&name.span(), expected);
            }
        }
    }
}
