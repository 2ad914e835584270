//! `[alerts]`: where a person is told at once what was stopped, and why.

use super::check::Checks;
use super::raw::RawAlerts;

/// The variable that holds the webhook's address where none is named.
const WEBHOOK_ENV: &str = "ALGO_TRADER_ALERT_WEBHOOK";

/// `[alerts]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertConfig {
    /// The environment variable that holds the webhook's address.
    pub webhook_env: String,
}

impl AlertConfig {
    pub(super) fn check(raw: &RawAlerts, checks: &mut Checks<'_>) -> Self {
        let webhook_env = raw.webhook_env.as_ref().and_then(|name| checks.variable(name, "the address"));
        Self { webhook_env: webhook_env.unwrap_or_else(|| WEBHOOK_ENV.to_owned()) }
    }
}
