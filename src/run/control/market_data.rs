//! What is wrong with the market data, for who asks how a run stands: what is down, out of step or silent, for how long, and
//! what becomes of orders meanwhile.
//!
//! What is told of orders is what the rules `book` and `stale-book` do: without a book that can be trusted nothing is let
//! through, not even what reduces, as there is no price to judge it by; a market that is silent takes no new orders, and what
//! reduces passes.

use super::request::MarketDataReply;
use crate::domain::contradiction::DIFFER_MAX;
use crate::domain::{Market, Time};
use crate::risk::snapshot::RiskSnapshot;
use crate::run::config::Config;
use crate::run::live::{ConnectionHealth, FeedHealth, FollowedHealth, SharedHealth};
use crate::venue::binance::streams::{FetchFailure, StreamKind};
use std::sync::PoisonError;
use std::time::Duration;

/// The most that is told at once: an answer has to fit the socket.
pub(super) const TOLD_MAX: usize = 100;
/// The kind of what may be nothing but a quiet market.
pub(super) const UNCONFIRMED: &str = "book-unconfirmed";
/// The most instruments that are named of a connection.
const NAMED_MAX: usize = 20;
/// So long after its streams flow something was heard of a market, and risk has told so; else nothing comes of it.
const HEARD_WITHIN_NS: u64 = 5_000_000_000;
/// Where no limit says how old a market may be, one that is silent for longer is told all the same.
const SILENT_UNLIMITED: Duration = Duration::from_secs(60);
/// A clock that is less behind is not told: the venue's may be as wrong.
const BEHIND_TOLD_NS: u64 = 1_000_000_000;
/// Frames that cannot be read, and quotes that contradict a book, are told for so long after the last of them.
const DOUBT_TOLD_NS: u64 = 60_000_000_000;

/// See the module.
pub(super) struct MarketData {
    health: SharedHealth,
    /// By instrument.
    names: Vec<String>,
    /// `book_age_ms_max`, ns; none where it is not limited.
    age_max_ns: Option<u64>,
    /// After so long a connection over which nothing comes is closed.
    silence: Duration,
}

impl MarketData {
    pub fn new(config: &Config, health: SharedHealth) -> Self {
        let age = config.risk.limits.book_age_max_ns;
        Self {
            health,
            names: config.instruments.all().iter().map(|i| i.name()).collect(),
            age_max_ns: (age != u64::MAX).then_some(age),
            silence: config.venue.silence,
        }
    }

    /// What is wrong at `now`: connections first, then what is wrong with instruments whose streams are carried.
    pub fn problems(&self, risk: &RiskSnapshot, now: Time) -> Vec<MarketDataReply> {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = self.of_connections(&health, now);
        told.extend(self.of_clocks(&health));
        self.of_instruments(&health, risk, now, &mut told);
        told
    }

    fn of_connections(&self, health: &FeedHealth, now: Time) -> Vec<MarketDataReply> {
        let mut told = Vec::new();
        let beside = |of: &ConnectionHealth| {
            let mut instruments = health.instruments.iter().flatten();
            instruments.any(|i| i.market == of.market && i.beside == Some(of.group))
        };
        for of in &health.connections {
            let (kind, for_ns, means) = match (of.down_since, of.heard_at) {
                (Some(since), _) if of.carried => (
                    "connection-down",
                    now.since(since),
                    "another connection brings the same data, so nothing is missed and no order is denied for it".into(),
                ),
                (Some(since), _) if beside(of) => (
                    "connection-down",
                    now.since(since),
                    "aggregate trades and klines of these instruments do not come until it is back; books, quotes and \
                     single trades do, and orders go by them"
                        .into(),
                ),
                (Some(since), _) => (
                    "connection-down",
                    now.since(since),
                    "nothing else brings this data: every order in these instruments is denied (book-invalid), such that \
                     reduce too, until it is back and their books are fetched anew"
                        .into(),
                ),
                (None, Some(heard_at)) if u128::from(now.since(heard_at)) * 2 >= self.silence.as_nanos() => (
                    "connection-silent",
                    now.since(heard_at),
                    format!(
                        "orders go by what was heard last; after {:.1} s of silence it is closed and opened anew",
                        self.silence.as_secs_f64()
                    ),
                ),
                _ => continue,
            };
            let carried = health.instruments.iter().flatten();
            let carried = carried
                .filter(|i| i.market == of.market && (i.group == of.group || i.beside == Some(of.group)));
            let mut instruments: Vec<String> =
                carried.filter_map(|i| self.names.get(i.instrument.index())).cloned().collect();
            let instruments_left_out = instruments.len().saturating_sub(NAMED_MAX);
            instruments.truncate(NAMED_MAX);
            told.push(MarketDataReply {
                kind: kind.to_owned(),
                connection: Some(format!("{} {}", of.market, of.number)),
                instruments,
                instruments_left_out,
                for_ms: Some(for_ns / 1_000_000),
                means,
            });
        }
        told
    }

    /// Markets whose trades come from the future, as this host has it.
    fn of_clocks(&self, health: &FeedHealth) -> Vec<MarketDataReply> {
        let behind = health.clocks_behind.iter().filter(|(_, behind)| *behind >= BEHIND_TOLD_NS);
        let told = |(market, behind): &(Market, u64)| {
            let mut instruments = self.names_of(health.instruments.iter().flatten(), *market);
            let instruments_left_out = instruments.len().saturating_sub(NAMED_MAX);
            instruments.truncate(NAMED_MAX);
            MarketDataReply {
                kind: "clock-behind".to_owned(),
                connection: None,
                instruments,
                instruments_left_out,
                for_ms: None,
                means: format!(
                    "its trades are dated at least {:.1} s after they came, so this host's clock is behind: set it (`timedatectl`, \
                     `chronyc tracking`); bars go by the venue's time, but one that silence closes comes as late",
                    *behind as f64 / 1e9
                ),
            }
        };
        behind.map(told).collect()
    }

    fn names_of<'h>(&self, of: impl Iterator<Item = &'h FollowedHealth>, market: Market) -> Vec<String> {
        let names =
            of.filter(|of| of.market == market).filter_map(|of| self.names.get(of.instrument.index()));
        names.cloned().collect()
    }

    fn of_instruments(
        &self,
        health: &FeedHealth,
        risk: &RiskSnapshot,
        now: Time,
        told: &mut Vec<MarketDataReply>,
    ) {
        // What no connection brings is told with its connection.
        for of in health.instruments.iter().flatten() {
            let Some(carried_since) = of.carried_since else { continue };
            let Some(name) = self.names.get(of.instrument.index()) else { continue };
            let heard = risk.silent_ns.get(of.instrument.index()).copied();
            told.extend(refused(of, name).or_else(|| unconfirmed(of, name)));
            told.extend(unread(of, name, now));
            told.extend(contradicted(of, name, now));
            told.extend(missing(of, name, now));
            // As of the snapshot; none is made where nothing happens, not even time.
            let silent_ns = heard.flatten().map(|silent| silent.saturating_add(now.since(risk.time)));
            let (kind, for_ns, means) = match (of.out_of_step_since, silent_ns, self.age_max_ns) {
                (Some(since), _, _) if !of.depth_told => (
                    "book-out-of-step",
                    Some(now.since(since)),
                    "nothing of its book ever came, so orders in it go by its quotes alone, and are denied (book-invalid) \
                     where none come"
                        .into(),
                ),
                (Some(since), _, _) => (
                    "book-out-of-step",
                    Some(now.since(since)),
                    format!(
                        "every order in it is denied (book-invalid), such that reduce too, until its book is fetched anew{}",
                        aside(of)
                    ),
                ),
                (None, Some(silent), Some(max)) if silent > max => (
                    "silent",
                    Some(silent),
                    format!(
                        "new orders in it are denied (stale-book: book_age_ms_max is {}); such that only reduce a position pass",
                        max / 1_000_000
                    ),
                ),
                (None, Some(silent), None) if u128::from(silent) > SILENT_UNLIMITED.as_nanos() => (
                    "silent",
                    Some(silent),
                    "no limit says how old it may be (book_age_ms_max): orders go by what was heard last".into(),
                ),
                (None, None, _) if heard.is_some() && now.since(carried_since) >= HEARD_WITHIN_NS => (
                    "silent",
                    None,
                    "nothing was heard of it yet, and every order in it is denied (book-invalid)".into(),
                ),
                _ => continue,
            };
            told.push(MarketDataReply {
                kind: kind.to_owned(),
                connection: None,
                instruments: vec![name.clone()],
                instruments_left_out: 0,
                for_ms: for_ns.map(|ns| ns / 1_000_000),
                means,
            });
        }
    }
}

/// Why a book is not asked for all the time, for the end of a sentence.
fn aside(of: &FollowedHealth) -> String {
    match of.aside {
        Some(FetchFailure::Refused(status)) => {
            format!("; the venue refuses it (HTTP {status}), and is asked rarely: is it still traded?")
        }
        Some(FetchFailure::Unreadable(error)) => {
            format!("; it comes, and cannot be read: {error}{}", error.advice())
        }
        _ => String::new(),
    }
}

/// An instrument whose streams the venue refuses, or says nothing of.
fn refused(of: &FollowedHealth, name: &str) -> Option<MarketDataReply> {
    let kind = if of.unanswered { "subscription-unanswered" } else { "subscription-refused" };
    of.refused.then(|| MarketDataReply {
        kind: kind.to_owned(),
        instruments: vec![name.to_owned()],
        means: "it is asked for again; until it is taken every order in it is denied (book-invalid), such that reduce too"
            .to_owned(),
        ..MarketDataReply::default()
    })
}

/// A book that nothing has shown to be in step since it was fetched.
fn unconfirmed(of: &FollowedHealth, name: &str) -> Option<MarketDataReply> {
    of.unconfirmed.then(|| MarketDataReply {
        kind: UNCONFIRMED.to_owned(),
        instruments: vec![name.to_owned()],
        means: "no diff came on top of it: it is quiet, or its stream does not flow, which is found out once it was silent \
                for stream_silence_ms; orders go by the book as it was fetched"
            .to_owned(),
        ..MarketDataReply::default()
    })
}

/// Quotes that contradicted the book of an instrument lately.
fn contradicted(of: &FollowedHealth, name: &str, now: Time) -> Option<MarketDataReply> {
    let (count, at) = of.contradictions.filter(|(_, at)| now.since(*at) < DOUBT_TOLD_NS)?;
    let means = format!(
        "{count} of its best bids and asks differed from its book at the same moment, the last {:.1} s ago; after \
         {DIFFER_MAX} in a row the book is fetched anew, and not traded on meanwhile",
        now.since(at) as f64 / 1e9
    );
    Some(MarketDataReply {
        kind: "book-contradicted".to_owned(),
        instruments: vec![name.to_owned()],
        means,
        ..MarketDataReply::default()
    })
}

/// Trades of an instrument that did not come lately.
fn missing(of: &FollowedHealth, name: &str, now: Time) -> Option<MarketDataReply> {
    let (count, at) = of.trades_missing.filter(|(_, at)| now.since(*at) < DOUBT_TOLD_NS)?;
    let means = format!(
        "{count} in all are missing by their ids, the last {:.1} s ago, though it is connected; bars that lack them are \
         incomplete ([market] incomplete_bars)",
        now.since(at) as f64 / 1e9
    );
    Some(MarketDataReply {
        kind: "trades-missing".to_owned(),
        instruments: vec![name.to_owned()],
        means,
        ..MarketDataReply::default()
    })
}

/// Frames of an instrument that could not be read lately.
fn unread(of: &FollowedHealth, name: &str, now: Time) -> Option<MarketDataReply> {
    let unread = of.unread.filter(|unread| now.since(unread.at) < DOUBT_TOLD_NS)?;
    let then = match unread.kind {
        StreamKind::Diffs => "its book is not traded on until it is fetched anew",
        StreamKind::Quotes | StreamKind::Partial => "where it has a book, orders go by that alone",
        StreamKind::Trades | StreamKind::Klines => "they are missing, in bars too",
    };
    let means = format!(
        "{} in all, the last {:.1} s ago, of its {}: {}{}; {then}",
        unread.frames,
        now.since(unread.at) as f64 / 1e9,
        unread.kind.label(),
        unread.error,
        unread.error.advice(),
    );
    Some(MarketDataReply {
        kind: "frames-unread".to_owned(),
        instruments: vec![name.to_owned()],
        for_ms: Some(now.since(unread.since) / 1_000_000),
        means,
        ..MarketDataReply::default()
    })
}
