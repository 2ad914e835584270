//! What a server has done so far.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counts since the start, and what is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// TLS handshakes that failed, clients that refused the certificate among them.
    pub tls_failures: u64,
    /// Connections that became WebSockets.
    pub upgrades: u64,
    /// WebSocket connections now.
    pub clients: u64,
    /// Streams that are listened to now, summed over connections.
    pub subscriptions: u64,
    /// Frames of the origin, REST snapshots not counted.
    pub frames: u64,
    /// REST snapshots of the origin.
    pub snapshots: u64,
    /// Frames of the origin that are neither of a combined stream nor a snapshot; not sent.
    pub unknown_frames: u64,
    /// Frames of an instrument that could not be read for the server's own book, bars and trades; sent all the same.
    pub unreadable_frames: u64,
    /// Diffs that do not follow the one before.
    pub gaps: u64,
    /// Frames made here: bars, aggregate trades, partial books, slower diffs.
    pub frames_made: u64,
    /// Frames queued to clients, each client counted.
    pub frames_sent: u64,
    /// Their bytes, WebSocket headers included.
    pub bytes_sent: u64,
    /// REST calls, whatever the answer.
    pub rest_calls: u64,
    /// Requests on the WebSocket API, whatever the answer.
    pub api_requests: u64,
    /// User events sent, each subscription counted.
    pub user_events: u64,
    /// REST calls refused: 429.
    pub rest_refused: u64,
    /// REST calls of banned addresses: 418.
    pub rest_banned: u64,
    /// Upgrades refused: too many connections in five minutes.
    pub connections_refused: u64,
    /// Requests and frames that broke the protocol.
    pub protocol_errors: u64,
    /// Clients cut since they read too slowly.
    pub cut_slow: u64,
    /// Clients cut since they answered no ping.
    pub cut_silent: u64,
    /// Clients closed since they sent too many messages.
    pub cut_chatty: u64,
    /// Clients closed at the end of their lifetime.
    pub cut_old: u64,
    /// What faults have done, by name.
    pub faults: BTreeMap<String, u64>,
    /// Whether the feed has begun.
    pub feed_started: bool,
    /// Whether the origin has no more frames.
    pub feed_ended: bool,
    /// Why the origin failed, if it did.
    pub feed_failure: Option<String>,
}

impl Stats {
    pub(super) fn fault(&mut self, name: &str, count: u64) {
        if count > 0 {
            *self.faults.entry(name.to_owned()).or_default() += count;
        }
    }
}
