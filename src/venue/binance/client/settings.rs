//! How the client behaves.

use super::super::exchange_info::{Fees, RateKind, RateLimit};
use super::super::limits::BudgetSettings;
use super::super::request::{RecvWindow, SelfTradeMode};
use crate::domain::instrument::FeeRate;
use std::time::Duration;

/// When orders go by REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestUse {
    /// While no session is open.
    Fallback,
    /// Always; the session brings the user stream alone.
    Always,
    /// Never: without a session orders are refused.
    Never,
}

/// See the fields; [`Default`] is for Binance itself.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// How long an order is good on its way. Also what `not found` has to wait for.
    pub recv_window: RecvWindow,
    /// The longest that the venue works on an order before it says that it does not know (−1007).
    pub engine_deadline: Duration,
    /// After it, a request without an answer is taken for lost.
    pub request_timeout: Duration,
    /// When orders go by REST.
    pub rest: RestUse,
    /// The mode of self-trade prevention that orders name; none is the symbol's own. It has to be among those that the
    /// symbols allow.
    pub self_trade: Option<SelfTradeMode>,
    /// Whether a key that may withdraw is taken.
    pub allow_withdrawal_keys: bool,
    /// Whether the key's rights are asked for at the start (`/sapi/v1/account/apiRestrictions`).
    pub check_key: bool,
    /// After a key was refused (−2015), before it is asked whether it is taken again; twice as long each time it is, and the
    /// next order is refused for it, up to sixteen times.
    pub key_again: Duration,
    /// Between two looks at balances and open orders.
    pub reconcile_every: Duration,
    /// Between two readings of `exchangeInfo`.
    pub info_every: Duration,
    /// Between two looks at the venue's clock.
    pub clock_every: Duration,
    /// The clock is not trusted where it may be off by more than this, or was not looked at for ten times
    /// [`clock_every`](Self::clock_every). The venue takes what is less than a second ahead of it.
    pub clock_error_max: Duration,
    /// A session is replaced after this, before the venue ends it at 24 hours.
    pub session_lifetime: Duration,
    /// A session that is silent for so long is asked for the time.
    pub silent_after: Duration,
    /// A session that does not answer that within this is closed.
    pub answer_within: Duration,
    /// How long a session that was replaced stays for the answers and events still under way.
    pub drain: Duration,
    /// Shortest and longest pause between attempts to open a session.
    pub backoff: (Duration, Duration),
    /// Makes the pauses: different for each process.
    pub seed: u64,
    /// How long the events of fills that an answer spoke of are waited for, before the venue is asked for the trades.
    pub fills_within: Duration,
    /// How the budget is kept.
    pub budget: BudgetSettings,
    /// The venue's limits until `exchangeInfo` says them.
    pub limits: Vec<RateLimit>,
    /// Most orders that are known at once, those over for less than [`remember`](Self::remember) included.
    pub orders_max: usize,
    /// How long an order that is over is remembered, for what is said of it late.
    pub remember: Duration,
    /// For what `exchangeInfo` does not say of its symbols.
    pub fees: Fees,
}

impl Default for ClientSettings {
    fn default() -> Self {
        let limit = |kind, window_s, limit| RateLimit { kind, window_s, limit, count: None };
        Self {
            recv_window: const { RecvWindow::from_millis(5_000).unwrap() },
            engine_deadline: Duration::from_secs(10),
            request_timeout: Duration::from_secs(11),
            rest: RestUse::Fallback,
            self_trade: None,
            allow_withdrawal_keys: false,
            check_key: true,
            key_again: Duration::from_secs(60),
            reconcile_every: Duration::from_secs(30),
            info_every: Duration::from_secs(600),
            clock_every: Duration::from_secs(20),
            clock_error_max: Duration::from_millis(500),
            session_lifetime: Duration::from_secs(23 * 3_600),
            silent_after: Duration::from_secs(10),
            answer_within: Duration::from_secs(5),
            drain: Duration::from_secs(5),
            backoff: (Duration::from_millis(100), Duration::from_secs(30)),
            seed: 1,
            fills_within: Duration::from_millis(500),
            budget: BudgetSettings::default(),
            limits: vec![
                limit(RateKind::RequestWeight, 60, 6_000),
                limit(RateKind::Orders, 10, 100),
                limit(RateKind::Orders, 86_400, 200_000),
                limit(RateKind::RawRequests, 300, 61_000),
            ],
            orders_max: 32_768,
            remember: Duration::from_secs(900),
            fees: Fees { maker: FeeRate(100_000), taker: FeeRate(100_000) },
        }
    }
}
