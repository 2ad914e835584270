//! What an operator may ask of a running process, one line of JSON each way.

use super::latched::Stopped;
use super::stages::StagesReply;
use super::turned_away::TurnedAwayReply;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who holds back what the pairs file has not added yet.
pub(super) const STANDS_BY: &str = "standby";

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
        /// By what it was asked, where that is not the command line.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        via: Option<Via>,
    },
    /// Trade again.
    Release {
        /// As of a kill; `all` is everything that is stopped.
        scope: String,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
        /// By what it was asked, where that is not the command line.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        via: Option<Via>,
    },
    /// Take no new orders of an instrument; cancels and what only reduces a position pass, and open orders stay.
    Pause {
        /// Which, by name.
        instrument: String,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Let go of what an operator paused; whoever else holds it back still does.
    Resume {
        /// Which, by name.
        instrument: String,
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

/// What an operator has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// `algo-trader ctl dashboard`.
    Dashboard,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Via::Dashboard => f.write_str("dashboard"),
        }
    }
}

impl ControlRequest {
    /// By what it was asked, where that is not the command line.
    #[must_use]
    pub fn via(&self) -> Option<Via> {
        match self {
            Self::Kill { via, .. } | Self::Release { via, .. } => *via,
            Self::Pause { .. } | Self::Resume { .. } | Self::Status | Self::Metrics => None,
        }
    }
}

/// How the feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct FeedReply {
    /// Connections that carry data.
    pub connections_live: u64,
    /// Connections there should be.
    pub connections: u64,
    /// Books in step with the venue.
    pub books_synced: u64,
    /// Books followed.
    pub books: u64,
    /// Frames received.
    pub frames: u64,
    /// Of those, and of books by REST, such that could not be decoded.
    pub decode_errors: u64,
}

/// Something that is wrong with the market data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct MarketDataReply {
    /// `connection-down`, `connection-silent`, `book-out-of-step`, `book-unconfirmed`, `book-contradicted`, by
    /// quotes, `subscription-refused`, `subscription-unanswered`, `trades-missing`, by their ids, `frames-unread`,
    /// of frames that cannot be decoded, or `silent`, of an instrument that nothing is heard of;
    /// `clock-behind`, of a market whose trades come from the future as this host's clock has it.
    pub kind: String,
    /// Which connection, by its market and its number there; absent where it is about an instrument alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The instruments that it is about.
    pub instruments: Vec<String>,
    /// How many more there are.
    pub instruments_left_out: usize,
    /// For how long, ms; none where there never was anything.
    pub for_ms: Option<u64>,
    /// What becomes of orders meanwhile.
    pub means: String,
}

impl MarketDataReply {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let what = match self.kind.as_str() {
            "connection-down" => "is down",
            "connection-silent" | "silent" => "is silent",
            "clock-behind" => "is ahead of this host's clock",
            "trades-missing" => "lacks trades",
            "frames-unread" => "has frames that cannot be read",
            "book-unconfirmed" => "has a book that nothing has confirmed",
            "subscription-refused" => "is refused by the venue's streams",
            "subscription-unanswered" => "was asked for at the venue's streams, which do not answer",
            "book-contradicted" => "has a book that its quotes contradict",
            _ => "has a book out of step",
        };
        let mut names = self.instruments.join(", ");
        if self.instruments_left_out > 0 {
            names += &format!(" and {} more", self.instruments_left_out);
        }
        let of = match &self.connection {
            Some(connection) => format!("connection {connection} ({names})"),
            None => names,
        };
        let length = self.for_ms.map(|ms| format!(" for {:.1} s", ms as f64 / 1_000.0)).unwrap_or_default();
        format!("MARKET DATA {of} {what}{length}: {}", self.means)
    }
}

/// An instrument that takes no new orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct HeldReply {
    /// Its name.
    pub instrument: String,
    /// Who holds it back: `operator`, `pairs file`, `difference` (the venue's numbers and ours differ), `venue`, or
    /// `suspended`, where the venue takes no orders at all, or `rationed`, where it takes such that reduce alone; `standby`
    /// where it stands by until the pairs file adds it.
    pub by: Vec<String>,
    /// What a position in it is worth, in quote, where nothing can protect or close that meanwhile: not even what reduces is
    /// sent.
    pub unprotected: Option<String>,
}

/// How the database stands that the run writes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct StoreReply {
    /// Where it is.
    pub place: String,
    /// Rows written of this run.
    pub rows: u64,
    /// Bytes of the journal that are not there yet.
    pub behind_bytes: u64,
    /// Milliseconds since rows were last written; none where none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_ms_ago: Option<u64>,
    /// For how long it has owed an answer, ms, where that is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered_ms: Option<u64>,
    /// What went wrong last, where that is not overcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StoreReply {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let kib = self.behind_bytes.div_ceil(1 << 10);
        let written = self.written_ms_ago.map_or_else(
            || "nothing was written yet".to_owned(),
            |ms| format!("written {:.1} s ago", ms as f64 / 1_000.0),
        );
        format!(
            "store {}: {} rows, {written}, {kib} KiB of the journal are not there yet",
            self.place, self.rows
        )
    }

    /// What is wrong with it, if something is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let place = &self.place;
        let kept = "the run goes on, and its journal keeps everything";
        if let Some(ms) = self.unanswered_ms {
            return Some(format!("STORE {place} has not answered for {:.1} s: {kept}", ms as f64 / 1_000.0));
        }
        self.error.as_ref().map(|error| format!("STORE {error}: {kept}"))
    }
}

/// A position that a kill was to close, where what would close it is refused, finds nobody to trade with, or is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct UnclosedReply {
    /// Of what.
    pub instrument: String,
    /// What became of the last one, and why; or why none is sent.
    pub why: String,
    /// How often, one after the other; none where none is sent.
    pub times: u64,
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
    /// How the feed stood then.
    #[serde(default)]
    pub feed: FeedReply,
    /// How far the stages are behind what is published; absent where that is less than a second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stages_behind: Option<StagesReply>,
    /// What is wrong with the market data now; nothing where all is well.
    #[serde(default)]
    pub market_data: Vec<MarketDataReply>,
    /// How much more is wrong than is told.
    #[serde(default)]
    pub market_data_left_out: usize,
    /// What is stopped.
    #[serde(default)]
    pub stopped: Vec<Stopped>,
    /// Why a restart would not know what is stopped or paused, where it could not be written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unsaved: Option<String>,
    /// Why a restart would not know what was lost, where it could not be written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub losses_unsaved: Option<String>,
    /// Why the audit trail is not gone on with; absent where it is, and where there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audit_trail_broken: Option<String>,
    /// Whether surveillance looks on without it; absent where the trail is gone on with, and where nothing is looked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub surveillance_watches: Option<bool>,
    /// What an operator paused; each by an instrument's name.
    #[serde(default)]
    pub paused: Vec<Stopped>,
    /// Instruments that take no new orders, and who holds them back.
    #[serde(default)]
    pub held: Vec<HeldReply>,
    /// Positions that a kill was to close and that stay open.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unclosed: Vec<UnclosedReply>,
    /// Orders that did not come to the market, of each strategy that has any.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub turned_away: Vec<TurnedAwayReply>,
    /// The kill file, where it is there: it stops the next start, whatever was released since it was obeyed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kill_file: Option<String>,
    /// Whether the venue takes orders now; absent where none are sent to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub orders_taken: Option<bool>,
    /// Why it takes none; absent where it does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub no_orders: Option<String>,
    /// How the database stands that the run writes to; absent where it writes to none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub store: Option<StoreReply>,
    /// The risk metrics, where they were asked for and there are any yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metrics: Option<serde_json::Value>,
}

impl ControlReply {
    /// How the market data stands: how much of it is there in one line, then what is wrong with it, a line each, of which at
    /// most `most` are told.
    #[must_use]
    pub fn market_data_lines(&self, most: usize) -> Vec<String> {
        let FeedReply { connections_live, connections, books_synced, books, decode_errors, .. } = self.feed;
        let mut first = format!(
            "market data: {connections_live} of {connections} connections live, {books_synced} of {books} books in step"
        );
        if decode_errors > 0 {
            first += &format!(", {decode_errors} frames could not be read");
        }
        let mut lines = vec![first];
        lines.extend(self.market_data.iter().take(most).map(MarketDataReply::line));
        let left_out = self.market_data.len().saturating_sub(most);
        if left_out > 0 {
            lines.push(format!(
                "MARKET DATA {left_out} more of this kind: `algo-trader ctl status` tells them"
            ));
        }
        if self.market_data_left_out > 0 {
            lines.push(format!(
                "MARKET DATA {} more of this kind, which an answer has no room for",
                self.market_data_left_out
            ));
        }
        lines
    }

    /// Stages that are behind, what takes no new orders though nobody stopped it, what others than an operator hold back, what will stop the next
    /// start, and what is not written, a line each.
    #[must_use]
    pub fn held_back(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.stages_behind.iter().map(StagesReply::line).collect();
        if let Some(why) = &self.unsaved {
            lines.push(format!("NOT WRITTEN: a restart would not know what is stopped and paused: {why}"));
        }
        if let Some(why) = &self.losses_unsaved {
            lines.push(format!("NOT WRITTEN: a restart would not know what was lost: {why}"));
        }
        if let Some(why) = &self.audit_trail_broken {
            let surveillance = match self.surveillance_watches {
                None => "",
                Some(true) => "; surveillance looks on, what it finds is in the log alone",
                Some(false) => "; SURVEILLANCE LOOKS NO MORE, nothing throttles or halts by it",
            };
            lines.push(format!(
                "AUDIT TRAIL BROKEN: {why}{surveillance}; no release or resume is taken until the run is started anew"
            ));
        }
        lines.extend(self.store.as_ref().and_then(StoreReply::problem));
        if let Some(file) = &self.kill_file {
            lines.push(format!(
                "KILL FILE: {file} is there: it stops the next start, too, unless it is removed"
            ));
        }
        if self.orders_taken == Some(false) {
            let why = self.no_orders.as_deref().unwrap_or("the venue takes none now; the log says why");
            lines.push(format!("NO ORDERS: {why}"));
        }
        for UnclosedReply { instrument, why, times } in &self.unclosed {
            if *times == 0 {
                lines.push(format!("NOT CLOSED {instrument}: {why}"));
                continue;
            }
            lines.push(format!(
                "NOT CLOSED {instrument}: {times} times what was to close it came to nothing, the last time because {why}; it is asked for on"
            ));
        }
        for HeldReply { instrument, by, unprotected } in &self.held {
            let why = by.iter().filter_map(|by| match by.as_str() {
                "operator" => None,
                "difference" => Some(
                    "the venue's numbers and ours differ: look, then `algo-trader ctl resume` it".to_owned(),
                ),
                STANDS_BY => Some("it stands by ([trading] standby): the pairs file adds it".to_owned()),
                "suspended" => Some("the venue takes no orders for it".to_owned()),
                "rationed" => {
                    Some("what is left of the rate limit is kept for orders that reduce".to_owned())
                }
                other => Some(format!("by the {other}")),
            });
            let bare = unprotected.as_ref().map(|worth| {
                format!("a position worth {worth} is held in it, and NOTHING PROTECTS OR CLOSES IT meanwhile")
            });
            let why: Vec<String> = why.chain(bare).collect();
            if !why.is_empty() {
                lines.push(format!("HELD BACK {instrument}: {}", why.join("; ")));
            }
        }
        lines
    }
}
