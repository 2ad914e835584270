//! The events of a history as the slots that the ring will hold: made some hundred at a time, or kept from an earlier run.
//!
//! A slot has its event's time from the start; the sequencer stamps it anew when it is published.

use crate::domain::event::{Kind, LEVELS_PER_SLOT};
use crate::domain::{Slot, Time};
use crate::history::catalogue::{Series, SeriesKind};
use crate::history::events::HistoryEvent;
use crate::history::{HistoryError, HistoryEvents};
use crate::venue::Decoded;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Slots that are made at a time: what stays in the nearest cache.
const SLOTS_AT_ONCE: usize = 256;
/// Of so many events that are kept one is noted with its place.
const EVENTS_PER_MARK: u32 = 1_024;

/// Of which of these series, feeds, bars are left out: those are of whatever length their stream had, and would count beside
/// a series of bars that the instrument has among `all` that are read, on its path or not.
pub(super) fn without_bars(series: &[Series], all: &[Series]) -> Vec<bool> {
    let has_bars = |of: &Series| {
        let instrument = &of.name.instrument;
        all.iter().any(|s| s.name.kind == SeriesKind::Bars && s.name.instrument == *instrument)
    };
    series.iter().map(|s| s.name.kind == SeriesKind::Feed && has_bars(s)).collect()
}

/// Whether an event is a bar that is [left out](without_bars).
#[inline]
pub(super) fn is_left_out(event: &HistoryEvent<'_>, without_bars: &[bool]) -> bool {
    matches!(event.decoded, Decoded::Kline(_)) && without_bars[event.series]
}

/// Adds the slots of an event.
#[inline]
pub(super) fn push_slots(event: &HistoryEvent<'_>, slots: &mut Vec<Slot>) {
    let first = slots.len();
    match &event.decoded {
        Decoded::Trade(trade) => slots.push(Slot::trade(trade)),
        Decoded::Quote(quote) => slots.push(Slot::quote(quote)),
        Decoded::Kline(kline) => slots.extend(Slot::kline(kline)),
        Decoded::DepthDiff(head) => slots.push(Slot::depth(Kind::DepthDiff, head)),
        Decoded::DepthSnapshot(head) => slots.push(Slot::depth(Kind::DepthSnapshot, head)),
        Decoded::DepthPartial(head) => slots.push(Slot::depth(Kind::DepthPartial, head)),
        Decoded::Interrupted(instrument) => slots.push(Slot::interrupted(*instrument)),
        Decoded::Ignored | Decoded::UnknownInstrument => return,
    }
    if !event.levels.is_empty() {
        let instrument = slots[first].instrument();
        let packs = event.levels.chunks(LEVELS_PER_SLOT);
        let last = packs.len();
        slots.extend((1..).zip(packs).map(|(n, pack)| Slot::levels(instrument, pack, n == last)));
    }
    slots[first].stamp(event.time, 0, 0);
}

/// Events that are kept.
#[derive(Debug)]
pub(super) struct KeptSlots {
    slots: Vec<Slot>,
    /// Times and places of some events, in their order.
    marks: Vec<(Time, usize)>,
    unmarked: u32,
    /// The bars of series of bars among them.
    bars: Vec<KeptBar>,
}

/// A bar among kept events: when it opened and ended, and where its slots begin.
#[derive(Debug, Clone, Copy)]
struct KeptBar {
    opened: Time,
    ended: Time,
    place: usize,
}

/// Slots of a bar.
const BAR_SLOTS: usize = 2;

impl KeptSlots {
    pub fn with_capacity(slots: usize) -> Self {
        Self { slots: Vec::with_capacity(slots), marks: Vec::new(), unmarked: 0, bars: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes that its events take.
    pub fn used(&self) -> usize {
        self.slots.len() * size_of::<Slot>() + self.bars.len() * size_of::<KeptBar>()
    }

    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.marks.capacity() * size_of::<(Time, usize)>()
            + self.bars.capacity() * size_of::<KeptBar>()
    }

    /// Adds an event; `of_bars`: of a series of bars.
    pub fn push(&mut self, event: &HistoryEvent<'_>, of_bars: bool) {
        let place = self.slots.len();
        if self.unmarked == 0 {
            self.marks.push((event.time, place));
            self.unmarked = EVENTS_PER_MARK;
        }
        self.unmarked -= 1;
        if let Decoded::Kline(bar) = &event.decoded
            && of_bars
        {
            self.bars.push(KeptBar { opened: bar.open_time, ended: event.time, place });
        }
        push_slots(event, &mut self.slots);
    }

    /// Where the events of a range are, as [`Query`](crate::history::Query) has it: without bars that were under way when it
    /// begins, and with those that are when it ends.
    fn within(&self, from: Option<Time>, until: Option<Time>) -> VecDeque<Range<usize>> {
        let mut at = from.map_or(0, |from| self.place(from));
        let end = until.map_or(self.len(), |until| self.place(until)).max(at);
        let ended_by = |time: Time| self.bars.partition_point(|bar| bar.ended < time);
        let mut parts = VecDeque::new();
        if let Some(from) = from {
            for bar in &self.bars[ended_by(from)..] {
                if bar.place >= end {
                    break;
                }
                if bar.opened < from {
                    parts.push_back(at..bar.place);
                    at = bar.place + BAR_SLOTS;
                }
            }
        }
        parts.push_back(at..end);
        if let Some(until) = until {
            let within = |bar: &&KeptBar| bar.opened < until && from.is_none_or(|from| bar.opened >= from);
            let under_way = self.bars[ended_by(until)..].iter().filter(within);
            parts.extend(under_way.map(|bar| bar.place..bar.place + BAR_SLOTS));
        }
        parts
    }

    /// Where the first event at or after `time` is.
    fn place(&self, time: Time) -> usize {
        let marks = self.marks.partition_point(|(at, _)| *at < time);
        let from = marks.checked_sub(1).map_or(0, |mark| self.marks[mark].1);
        let later = |slot: &Slot| slot.is_first() && slot.time() >= time;
        self.slots[from..].iter().position(later).map_or(self.slots.len(), |n| from + n)
    }
}

#[derive(Debug)]
enum Slots {
    Made(Vec<Slot>),
    Kept(Arc<KeptSlots>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Feed {
    slots: Slots,
    at: usize,
    end: usize,
    /// What slots are made of.
    events: Option<HistoryEvents>,
    /// Of which series they leave out bars.
    without_bars: Vec<bool>,
    /// What of kept slots comes after these.
    parts: VecDeque<Range<usize>>,
}

impl Feed {
    /// Events that are read, of series of which some are to be [without bars](without_bars).
    pub fn read(events: HistoryEvents, without_bars: Vec<bool>) -> Self {
        let slots = Slots::Made(Vec::with_capacity(2 * SLOTS_AT_ONCE));
        Self { slots, at: 0, end: 0, events: Some(events), without_bars, parts: VecDeque::new() }
    }

    /// Kept events from one moment on until before another.
    pub fn kept(kept: Arc<KeptSlots>, from: Option<Time>, until: Option<Time>) -> Self {
        let parts = kept.within(from, until);
        Self { slots: Slots::Kept(kept), at: 0, end: 0, events: None, without_bars: Vec::new(), parts }
    }

    #[inline]
    fn slots(&self) -> &[Slot] {
        match &self.slots {
            Slots::Made(slots) => slots,
            Slots::Kept(kept) => &kept.slots,
        }
    }

    /// When the next event is due; `None` at the end.
    #[inline]
    pub fn due(&mut self) -> Result<Option<Time>, HistoryError> {
        if self.at == self.end && !self.make_more()? {
            return Ok(None);
        }
        Ok(Some(self.slots()[self.at].time()))
    }

    /// The slots of the event that is [due](Self::due).
    #[inline]
    pub fn take(&mut self) -> &[Slot] {
        let slots = self.slots();
        let from = self.at;
        let more = slots[from..self.end].iter().position(Slot::is_last).map_or(self.end - from, |n| n + 1);
        self.at += more;
        &self.slots()[from..from + more]
    }

    /// What lies ready from the event that is [due](Self::due) on, up to so many slots.
    #[inline]
    pub fn ready(&self, slots_max: usize) -> &[Slot] {
        &self.slots()[self.at..self.end.min(self.at + slots_max)]
    }

    /// Goes on after so many slots of what lay ready.
    #[inline]
    pub fn skip(&mut self, slots: usize) {
        self.at += slots;
    }

    #[cold]
    fn make_more(&mut self) -> Result<bool, HistoryError> {
        let (Slots::Made(slots), Some(events)) = (&mut self.slots, &mut self.events) else {
            let next = std::iter::from_fn(|| self.parts.pop_front()).find(|part| !part.is_empty());
            (self.at, self.end) = next.map_or((self.at, self.end), |part| (part.start, part.end));
            return Ok(self.at < self.end);
        };
        slots.clear();
        while slots.len() < SLOTS_AT_ONCE {
            let trades = events.next_trades(SLOTS_AT_ONCE - slots.len(), |time, trade| {
                let mut slot = Slot::trade(trade);
                slot.stamp(time, 0, 0);
                slots.push(slot);
            })?;
            if trades == 0 {
                let Some(event) = events.next_event()? else { break };
                if !is_left_out(&event, &self.without_bars) {
                    push_slots(&event, slots);
                }
            }
        }
        (self.at, self.end) = (0, slots.len());
        Ok(self.end > 0)
    }
}
