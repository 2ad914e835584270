//! What a live run went through, for the summary.

use crate::domain::Market;
use crate::venue::binance::streams::StreamCounts;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LiveOutcome {
    /// By market, those that were followed.
    pub markets: Vec<MarketOutcome>,
    /// Clock events published in silence.
    pub clock_events: u64,
    /// From the start of the feed to the first event published.
    pub first_event_after: Option<Duration>,
}

/// One market.
#[derive(Debug, Clone)]
pub struct MarketOutcome {
    /// Which.
    pub market: Market,
    /// Connections there should be, and how many carried data at the end.
    pub connections: (usize, usize),
    /// Books followed, and how many were in step at the end.
    pub books: (usize, usize),
    /// Books that the venue refused, at the end.
    pub books_aside: usize,
    /// What happened.
    pub counts: StreamCounts,
    /// How connections ended, by [`label`](crate::net::websocket::ConnectionError::label).
    pub endings: BTreeMap<&'static str, u64>,
    /// Pings answered.
    pub pongs: u64,
    /// Encrypted bytes received.
    pub bytes: u64,
}

impl LiveOutcome {
    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let market = |m: &MarketOutcome| {
            let mut all: Map<String, Value> =
                m.counts.all().iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
            all.insert("connections".into(), json!(m.connections.0));
            all.insert("connections_live".into(), json!(m.connections.1));
            all.insert("books".into(), json!(m.books.0));
            all.insert("books_synced".into(), json!(m.books.1));
            all.insert("books_aside".into(), json!(m.books_aside));
            all.insert("endings".into(), json!(m.endings));
            all.insert("pongs".into(), json!(m.pongs));
            all.insert("bytes".into(), json!(m.bytes));
            (m.market.label().to_owned(), Value::Object(all))
        };
        json!({
            "markets": self.markets.iter().map(market).collect::<Map<_, _>>(),
            "clock_events": self.clock_events,
        })
    }

    /// Whether not one frame came from any market: no venue was ever reached, or it had nothing to say.
    #[must_use]
    pub fn heard_nothing(&self) -> bool {
        self.markets.iter().all(|market| market.counts.accepted == 0)
    }

    /// The same for a person, a few lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut t = String::new();
        for m in &self.markets {
            let c = &m.counts;
            // Writing to a String cannot fail.
            let _ = writeln!(
                t,
                "{}: {} of {} connections live, {} of {} books in step; {} frames new, {} duplicates, {} gaps, {} interruptions, {} books fetched",
                m.market,
                m.connections.1,
                m.connections.0,
                m.books.1,
                m.books.0,
                c.accepted,
                c.duplicates,
                c.gaps,
                c.interruptions,
                c.snapshots
            );
            if c.trades_missing > 0 {
                let _ = writeln!(t, "  trades missing by their ids: {}", c.trades_missing);
            }
            if c.bar_fetches + c.bars_given_up > 0 {
                let (past, good) = (c.bars_of_before, c.bars_made_good);
                let failed = match c.bar_fetch_failures {
                    0 => String::new(),
                    failed => format!("; {failed} of {} questions failed", c.bar_fetches),
                };
                let given_up = match c.bars_given_up {
                    0 => String::new(),
                    given_up => format!("; {given_up} given up"),
                };
                let _ = writeln!(
                    t,
                    "  bars asked for: {past} of the past, {good} in place of such as were not whole{failed}{given_up}"
                );
            }
            if m.books_aside > 0 {
                let _ = writeln!(t, "  books that the venue refuses, set aside: {}", m.books_aside);
            }
            for (label, count) in &m.endings {
                let _ = writeln!(t, "  connections ended, {label}: {count}");
            }
        }
        t
    }
}
