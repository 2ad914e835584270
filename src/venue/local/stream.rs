//! The generated market as a source of frames.
//!
//! Owns: one lane for each instrument (engine, flow, what is due when), and the merging of lanes by time. Invariants:
//! receive times rise strictly; each instrument has one sequence of update ids, without a gap in its diffs, and at an
//! id that a diff ends at, a `bookTicker` with that id shows the same best levels.

use super::bar::Bar;
use super::config::{FlowConfig, FlowError};
use super::encode::{DiffIds, Encoder};
use super::engine::{MatchEvent, MatchingEngine};
use super::flow::OrderFlow;
use super::rng::Rng;
use crate::domain::{Level, Market, Side, Time};
use crate::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const NANOS_PER_MS: u64 = 1_000_000;
const NANOS_PER_S: u64 = 1_000_000_000;
/// How often spot diffs come.
const SPOT_DIFF_NS: u64 = 100 * NANOS_PER_MS;
/// Diffs sent before the snapshot is taken, and between its taking and its arrival.
const SNAPSHOT_AFTER_DIFFS: u64 = 2;
const SNAPSHOT_DIFFS_LATE: u64 = 2;
/// From venue to receiver: at least this, ns, and an exponential part.
pub(super) const LATENCY_MIN_NS: u64 = 1_500_000;
const LATENCY_JITTER_NS: u64 = 200_000;

/// Frames ready to be handed out, in one reused buffer.
#[derive(Debug, Default)]
struct Ready {
    bytes: Vec<u8>,
    frames: Vec<ReadyFrame>,
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct ReadyFrame {
    end: usize,
    received: Time,
    source: SourceId,
    line: u64,
}

/// Stamps frames as a receiver would: never two at once, the later ones queueing behind a late one.
#[derive(Debug)]
struct Receiver {
    rng: Rng,
    last: Time,
}

impl Receiver {
    fn stamp(&mut self, sent: Time) -> Time {
        let latency = LATENCY_MIN_NS + self.rng.exponential(LATENCY_JITTER_NS);
        let soonest = self.last.plus_nanos(400 + self.rng.below(900));
        self.last = soonest.max(sent.plus_nanos(latency));
        self.last
    }
}

/// Where a lane is with its one snapshot.
#[derive(Debug)]
enum Snapshot {
    Wanted,
    /// Taken when this many diffs had been sent, and on its way.
    Taken(u64, Vec<u8>),
    Sent,
}

/// One instrument's market.
#[derive(Debug)]
struct Lane {
    source: SourceId,
    encoder: Encoder,
    engine: MatchingEngine,
    flow: OrderFlow,
    /// Spot sends diffs at fixed times, futures after operations that came together.
    next_diff: Option<u64>,
    next_step: u64,
    next_second: Option<u64>,
    shown: [Option<Level>; 2],
    diff_id: u64,
    diffs: u64,
    snapshot: Snapshot,
    second: Option<Bar>,
    minute: Option<Bar>,
    lines: u64,
}

/// Buffers the lanes share.
#[derive(Debug)]
struct Shared {
    ready: Ready,
    receiver: Receiver,
    events: Vec<MatchEvent>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// A seeded market as [`FrameSource`]: Binance combined-stream frames of every instrument, merged by receive time.
///
/// Allocates while its buffers grow and when each instrument's snapshot is taken, and not otherwise.
#[derive(Debug)]
pub struct FlowSource {
    sources: Vec<SourceInfo>,
    lanes: Vec<Lane>,
    /// When each lane is next due, ns.
    due: BinaryHeap<Reverse<(u64, u16)>>,
    end: u64,
    shared: Shared,
}

impl FlowSource {
    /// The stream of `config`. Source `n` is instrument `n`.
    ///
    /// # Errors
    /// [`FlowError`] where the configuration cannot be generated.
    pub fn new(config: &FlowConfig) -> Result<Self, FlowError> {
        let count = config.instruments.len();
        let Some(last) = count.checked_sub(1).and_then(|last| u16::try_from(last).ok()) else {
            return Err(FlowError::InstrumentCount(count));
        };
        let end = config.end()?;
        let mut events = Vec::new();
        let lanes =
            (0..=last).map(|index| Lane::new(config, index, &mut events)).collect::<Result<Vec<_>, _>>()?;
        let info = |of: &super::FlowInstrument| SourceInfo {
            name: format!("flow:{}", of.instrument.symbol),
            venue: of.instrument.venue.clone(),
            market: of.instrument.market,
            symbol: Some(of.instrument.symbol.to_ascii_uppercase()),
        };
        Ok(Self {
            sources: config.instruments.iter().map(info).collect(),
            due: lanes.iter().map(|lane| Reverse((lane.due(), lane.source.0))).collect(),
            lanes,
            end: end.0,
            shared: Shared {
                ready: Ready::default(),
                receiver: Receiver { rng: Rng::new(config.seed, u64::MAX), last: config.start },
                events,
                bids: Vec::new(),
                asks: Vec::new(),
            },
        })
    }

    /// Lets the lane that is due first act; false at the end.
    fn advance(&mut self) -> bool {
        let Some(mut first) = self.due.peek_mut() else { return false };
        let Reverse((now, index)) = *first;
        if now >= self.end {
            return false;
        }
        let lane = &mut self.lanes[usize::from(index)];
        lane.act(Time(now), &mut self.shared);
        *first = Reverse((lane.due(), index));
        true
    }
}

impl FrameSource for FlowSource {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        while self.shared.ready.next == self.shared.ready.frames.len() {
            self.shared.ready.clear();
            if !self.advance() {
                return Ok(None);
            }
        }
        Ok(Some(self.shared.ready.take()))
    }
}

impl Ready {
    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.next = 0;
    }

    fn take(&mut self) -> Frame<'_> {
        let begin = if self.next == 0 { 0 } else { self.frames[self.next - 1].end };
        let frame = self.frames[self.next];
        self.next += 1;
        let bytes = &self.bytes[begin..frame.end];
        Frame { received: frame.received, source: frame.source, line: frame.line, bytes }
    }
}

impl Lane {
    fn new(config: &FlowConfig, index: u16, events: &mut Vec<MatchEvent>) -> Result<Self, FlowError> {
        let of = &config.instruments[usize::from(index)];
        // Each lane has two streams of the seed: the flow's, and one for what is drawn once.
        let mut rng = Rng::new(config.seed, u64::from(index) * 2 + 1);
        let mut flow = OrderFlow::new(of, config.seed, u64::from(index) * 2, config.start)?;
        // Beyond 32 bits, as real ids are.
        let (trade_id, update_id) =
            (3_000_000_000 + rng.below(4_000_000_000), 50_000_000_000 + rng.below(10_000_000_000));
        let mut engine =
            MatchingEngine::new(of.instrument.tick, of.instrument.lot).continuing_from(trade_id, update_id);
        flow.open(&mut engine, events);
        events.clear();
        engine.drain_changes(&mut Vec::new(), &mut Vec::new());
        let start = config.start.0;
        let spot = of.instrument.market == Market::Spot;
        let bar = |wanted: bool, interval_ms| {
            wanted.then(|| Bar::new(interval_ms, start / NANOS_PER_MS, of.opening))
        };
        let (second, minute) = (bar(config.klines_1s, 1_000), bar(config.klines_1m, 60_000));
        let gap = flow.gap(&engine);
        Ok(Self {
            source: SourceId(index),
            encoder: Encoder::new(&of.instrument),
            next_diff: spot.then(|| start + SPOT_DIFF_NS / 2 + rng.below(SPOT_DIFF_NS)),
            next_step: start + gap.nanos,
            next_second: (second.is_some() || minute.is_some())
                .then(|| (start / NANOS_PER_S + 1) * NANOS_PER_S),
            shown: [None; 2],
            diff_id: engine.update_id(),
            engine,
            flow,
            diffs: 0,
            snapshot: Snapshot::Wanted,
            second,
            minute,
            lines: 0,
        })
    }

    fn due(&self) -> u64 {
        let soonest = self.next_step.min(self.next_diff.unwrap_or(u64::MAX));
        soonest.min(self.next_second.unwrap_or(u64::MAX))
    }

    fn act(&mut self, now: Time, shared: &mut Shared) {
        if self.next_second == Some(now.0) {
            self.next_second = Some(now.0 + NANOS_PER_S);
            self.send_klines(now, shared);
        } else if self.next_diff == Some(now.0) {
            self.next_diff = Some(now.0 + SPOT_DIFF_NS);
            self.send_diff(now, shared);
        } else {
            self.step(now, shared);
        }
    }

    /// One order operation and what is sent of it at once.
    fn step(&mut self, now: Time, shared: &mut Shared) {
        shared.events.clear();
        self.flow.step(now, &mut self.engine, &mut shared.events);
        let ms = now.0 / NANOS_PER_MS;
        for at in 0..shared.events.len() {
            let MatchEvent::Trade(fill) = shared.events[at] else { continue };
            self.encoder.trade(&mut shared.ready.bytes, ms, &fill);
            self.send(now, shared);
            for bar in [&mut self.second, &mut self.minute].into_iter().flatten() {
                bar.add(&fill);
            }
        }
        let best = [self.engine.best(Side::Buy), self.engine.best(Side::Sell)];
        if best != self.shown
            && let [Some(bid), Some(ask)] = best
        {
            self.shown = best;
            self.encoder.book_ticker(&mut shared.ready.bytes, ms, self.engine.update_id(), bid, ask);
            self.send(now, shared);
        }
        let gap = self.flow.gap(&self.engine);
        self.next_step = now.0 + gap.nanos;
        if gap.ends_batch && self.next_diff.is_none() {
            self.send_diff(now, shared);
        } else if self.diffs >= SNAPSHOT_AFTER_DIFFS && self.engine.has_changes() {
            // Amid changes not sent yet, so that its id falls inside a diff's range, as a real one's does.
            self.take_snapshot(ms);
        }
    }

    fn send_diff(&mut self, now: Time, shared: &mut Shared) {
        if !self.engine.has_changes() {
            return;
        }
        self.engine.drain_changes(&mut shared.bids, &mut shared.asks);
        let ids = DiffIds { first: self.diff_id + 1, last: self.engine.update_id(), prev: self.diff_id };
        self.diff_id = ids.last;
        self.diffs += 1;
        let ms = now.0 / NANOS_PER_MS;
        self.encoder.depth_diff(&mut shared.ready.bytes, ms, ids, &shared.bids, &shared.asks);
        self.send(now, shared);
        if let Snapshot::Taken(after, bytes) = &self.snapshot
            && self.diffs >= after + SNAPSHOT_DIFFS_LATE
        {
            shared.ready.bytes.extend_from_slice(bytes);
            self.snapshot = Snapshot::Sent;
            self.send(now, shared);
        }
    }

    fn take_snapshot(&mut self, ms: u64) {
        if !matches!(self.snapshot, Snapshot::Wanted) {
            return;
        }
        let mut bytes = Vec::new();
        let (bids, asks) = (self.engine.depth(Side::Buy), self.engine.depth(Side::Sell));
        self.encoder.snapshot(&mut bytes, ms, self.engine.update_id(), bids, asks);
        self.snapshot = Snapshot::Taken(self.diffs, bytes);
    }

    /// At a whole second: the second that ended, and the minute now and then.
    fn send_klines(&mut self, now: Time, shared: &mut Shared) {
        let ms = now.0 / NANOS_PER_MS;
        if let Some(bar) = self.second {
            self.encoder.kline(&mut shared.ready.bytes, ms, "kline_1s", "1s", &bar, true);
            self.send(now, shared);
            self.second = Some(Bar::new(bar.interval_ms, ms, bar.close));
        }
        let Some(bar) = self.minute else { return };
        let closed = ms > bar.close_ms();
        if closed || (ms / 1_000).is_multiple_of(2) {
            self.encoder.kline(&mut shared.ready.bytes, ms, "kline_1m", "1m", &bar, closed);
            self.send(now, shared);
        }
        if closed {
            self.minute = Some(Bar::new(bar.interval_ms, ms, bar.close));
        }
    }

    /// Makes what was written since the last frame a frame.
    fn send(&mut self, now: Time, shared: &mut Shared) {
        self.lines += 1;
        let received = shared.receiver.stamp(now);
        let end = shared.ready.bytes.len();
        shared.ready.frames.push(ReadyFrame { end, received, source: self.source, line: self.lines });
    }
}
