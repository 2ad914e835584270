//! The origin's frames, each when it is due.
//!
//! Owns: the source, the frames looked at ahead of time, the pace. Reads no clock; time is given. Invariant: frames
//! leave in the order of the source, and none before it is due.

use super::super::config::FlowConfig;
use super::super::stream::{FlowSource, LATENCY_MIN_NS};
use super::options::{Origin, Pace, ServeError};
use super::scan;
use crate::domain::instrument::FeeRate;
use crate::domain::pair::assets_of;
use crate::domain::{Instrument, InstrumentId, Market, Notional, Price, Qty, Time};
use crate::net::{FrameSource, SourceInfo};
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Frames looked at before the start, at most, to find each instrument's first snapshot.
const AHEAD_FRAMES_MAX: usize = 1 << 17;
const AHEAD_BYTES_MAX: usize = 256 << 20;

/// A frame of the origin.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub received: u64,
    pub source: usize,
    pub bytes: Vec<u8>,
}

/// Where the feed is.
#[derive(Debug, Clone, Copy)]
enum State {
    Waiting,
    /// Since when, and the origin's time then, ns.
    Running(Instant, u64),
    Ended,
}

pub(super) struct Feed {
    source: Box<dyn FrameSource>,
    pub sources: Vec<SourceInfo>,
    /// To be made anew at the start, so that its times are the wall clock's.
    wall_clock: Option<FlowConfig>,
    /// The venue's time at the start of a generated market.
    flow_start: Option<Time>,
    pace: Pace,
    ahead: VecDeque<Held>,
    next: Option<Held>,
    room: Vec<Vec<u8>>,
    state: State,
    /// What is guessed of instruments that nobody described.
    pub warnings: Vec<String>,
    /// Why the source failed, if it did.
    pub failure: Option<String>,
}

impl Feed {
    /// The feed, and what is known of its instruments.
    pub fn new(origin: Origin, pace: Pace, now: Time) -> Result<(Self, Vec<Instrument>), ServeError> {
        let (source, instruments, wall_clock, flow_start): (Box<dyn FrameSource>, _, _, _) = match origin {
            Origin::Generated { mut flow, wall_clock } => {
                if wall_clock {
                    flow.start = now;
                }
                let instruments = flow.instruments.iter().map(|of| of.instrument.clone()).collect();
                let start = flow.start;
                (Box::new(FlowSource::new(&flow)?), instruments, wall_clock.then_some(flow), Some(start))
            }
            Origin::Recorded { source, instruments } => (source, instruments, None, None),
        };
        let sources = source.sources().to_vec();
        let mut feed = Self {
            source,
            sources,
            wall_clock,
            flow_start,
            pace,
            ahead: VecDeque::new(),
            next: None,
            room: Vec::new(),
            state: State::Waiting,
            warnings: Vec::new(),
            failure: None,
        };
        feed.look_ahead()?;
        let mut instruments: Vec<Instrument> = instruments;
        feed.warnings = feed.infer_missing(&mut instruments);
        Ok((feed, instruments))
    }

    /// Reads until each instrument's first snapshot was met, or enough was read.
    fn look_ahead(&mut self) -> Result<(), ServeError> {
        let key = |source: &SourceInfo| (source.market, source.symbol.clone());
        let mut missing: HashSet<_> = self.sources.iter().map(key).collect();
        let mut bytes = 0;
        while !missing.is_empty() && self.ahead.len() < AHEAD_FRAMES_MAX && bytes < AHEAD_BYTES_MAX {
            let Some(frame) = self.source.next_frame()? else { break };
            if scan::is_snapshot(frame.bytes) {
                missing.remove(&key(&self.sources[usize::from(frame.source.0)]));
            }
            bytes += frame.bytes.len();
            self.ahead.push_back(Held {
                received: frame.received.0,
                source: usize::from(frame.source.0),
                bytes: frame.bytes.to_vec(),
            });
        }
        Ok(())
    }

    /// Frames looked at so far and not sent.
    pub fn ahead(&self) -> impl Iterator<Item = (&SourceInfo, &[u8])> {
        self.ahead.iter().map(|held| (&self.sources[held.source], held.bytes.as_slice()))
    }

    /// Adds instruments that have frames and are not listed, at the precision of their first price and quantity; returns
    /// what of each is guessed.
    fn infer_missing(&self, instruments: &mut Vec<Instrument>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (info, frame) in self.ahead() {
            let Some(symbol) = &info.symbol else { continue };
            if instruments.iter().any(|of| of.market == info.market && of.symbol.eq_ignore_ascii_case(symbol))
            {
                continue;
            }
            let Some(of) = inferred(info.market, symbol, frame) else { continue };
            let (market, symbol) = (of.market, &of.symbol);
            let guessed = "its tick and lot are taken to be the last digits of its first price and quantity, its fees \
                           and its least value none; to have its own, write an [[instrument]] for it into a file of \
                           the configuration's [instruments]";
            warnings.push(if of.quote.is_empty() {
                format!(
                    "{market} {symbol} is not in the configuration, and its name does not tell what it trades: no \
                     orders are taken in it; {guessed}, with base and quote"
                )
            } else {
                format!(
                    "{market} {symbol} is not in the configuration: it is taken to trade {} for {}, {guessed}",
                    of.base, of.quote
                )
            });
            instruments.push(of);
        }
        warnings
    }

    /// Lets the frames go; the first is due now.
    pub fn start(&mut self, now: Instant, wall: Time) {
        if let Some(mut flow) = self.wall_clock.take() {
            flow.start = wall;
            if let Ok(source) = FlowSource::new(&flow) {
                self.source = Box::new(source);
                self.flow_start = Some(wall);
                self.ahead.clear();
                self.next = None;
            }
        }
        self.state = State::Running(now, 0);
        self.fill();
        if let Some(next) = &self.next {
            let first = self.flow_start.map_or(next.received, |start| start.0);
            self.state = State::Running(now, first);
        }
    }

    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// When the next frame is due; `None` before the start and after the end.
    pub fn due(&self) -> Option<Instant> {
        let (State::Running(began, first), Some(next)) = (self.state, &self.next) else { return None };
        match self.pace {
            Pace::Max => Some(began),
            Pace::Times(times) => {
                // A generated frame is stamped as received after a way; here the way is a real one.
                let lag = if self.flow_start.is_some() { LATENCY_MIN_NS } else { 0 };
                let ns = next.received.saturating_sub(lag).saturating_sub(first) as f64 / times;
                // Beyond what an instant holds is never.
                began.checked_add(Duration::from_nanos(ns as u64))
            }
        }
    }

    /// The next frame, due or not.
    pub fn take(&mut self) -> Option<Held> {
        let held = self.next.take();
        self.fill();
        held
    }

    /// Returns a frame's room.
    pub fn recycle(&mut self, held: Held) {
        if self.room.len() < 4 {
            self.room.push(held.bytes);
        }
    }

    fn fill(&mut self) {
        if let Some(held) = self.ahead.pop_front() {
            self.next = Some(held);
            return;
        }
        match self.source.next_frame() {
            Ok(Some(frame)) => {
                let mut bytes = self.room.pop().unwrap_or_default();
                bytes.clear();
                bytes.extend_from_slice(frame.bytes);
                let source = usize::from(frame.source.0);
                self.next = Some(Held { received: frame.received.0, source, bytes });
            }
            Ok(None) => self.state = State::Ended,
            Err(error) => {
                log::error!("the feed ends here: {error}");
                self.failure = Some(error.to_string());
                self.state = State::Ended;
            }
        }
    }
}

/// What a frame tells of an instrument that nobody described; without a quote asset where its name does not tell which.
fn inferred(market: Market, symbol: &str, frame: &[u8]) -> Option<Instrument> {
    let mut decimals = None;
    let printed = |text: &[u8]| memchr::memchr(b'.', text).map_or(0, |at| text.len() - at - 1);
    for key in [&br#""bids":["#[..], br#""b":["#, br#""asks":["#, br#""a":["#] {
        // Only the first level is wanted, so the scan is ended there.
        let _ = scan::levels(frame, key, |price, qty| {
            decimals = decimals.or(Some((printed(price), printed(qty))));
            None
        });
    }
    // More would not fit the numbers, and no venue prints them.
    let fits = |&(price, qty): &(usize, usize)| price.max(qty) <= 18 && price + qty <= 18;
    let (price_decimals, qty_decimals) = decimals.filter(fits).map(|(p, q)| (p as u8, q as u8))?;
    let symbol = symbol.to_uppercase();
    let (base, quote) = assets_of(market, &symbol).unwrap_or_else(|| (symbol.clone(), String::new()));
    Some(Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol,
        base,
        quote,
        price_decimals,
        qty_decimals,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(1 << 56),
        min_notional: Notional(0),
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    })
}
