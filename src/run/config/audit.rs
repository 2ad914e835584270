//! `[audit]`: the audit trail of runs that have a journal.

use super::check::Checks;
use super::raw::RawAudit;
use super::sections::given_path;
use std::path::PathBuf;

/// The variable that holds the webhook's address where none is named.
const WEBHOOK_ENV: &str = "ALGO_TRADER_AUDIT_WEBHOOK";

/// `[audit]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// Whether there is a trail.
    pub enabled: bool,
    /// The trail; `None`: beside the journal.
    pub path: Option<PathBuf>,
    /// The file of anchors; `None`: beside the trail.
    pub anchors: Option<PathBuf>,
    /// The longest time between two anchors while there is anything new.
    pub anchor_seconds: u32,
    /// The environment variable that holds the webhook's address.
    pub webhook_env: String,
}

impl AuditConfig {
    pub(super) fn check(raw: &RawAudit, checks: &mut Checks<'_>) -> Self {
        let webhook_env = raw.webhook_env.as_ref().and_then(|name| checks.variable(name, "the address"));
        Self {
            enabled: raw.enabled.unwrap_or(true),
            path: given_path(&raw.path),
            anchors: given_path(&raw.anchors),
            anchor_seconds: checks.integer(&raw.anchor_seconds, 1..=86_400, 60),
            webhook_env: webhook_env.unwrap_or_else(|| WEBHOOK_ENV.to_owned()),
        }
    }
}
