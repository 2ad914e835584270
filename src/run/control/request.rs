//! What an operator may ask of a running process, one line of JSON each way.

use super::latched::Stopped;
use serde::{Deserialize, Serialize};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ControlRequest {
    /// Stop, cancel what is open, and perhaps close positions.
    Kill {
        /// `all`, `venue NAME`, `strategy LABEL` or `instrument NAME`.
        scope: String,
        /// Whether positions are closed at the market.
        #[serde(default)]
        flatten: bool,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Trade again.
    Release {
        /// As of a kill; `all` is everything that is stopped.
        scope: String,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// How it stands.
    Status,
    /// The same, with the risk metrics.
    Metrics,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ControlReply {
    /// Why nothing was done; absent where it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The run's name.
    #[serde(default)]
    pub run: String,
    /// The process.
    #[serde(default)]
    pub pid: u32,
    /// Events published when the engine was seen last.
    #[serde(default)]
    pub events: u64,
    /// Milliseconds since the engine was seen last.
    #[serde(default)]
    pub seen_ms_ago: u64,
    /// What is stopped.
    #[serde(default)]
    pub stopped: Vec<Stopped>,
    /// The risk metrics, where they were asked for and there are any yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metrics: Option<serde_json::Value>,
}
