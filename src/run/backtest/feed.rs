//! The events of a history as the slots that the ring will hold: made some hundred at a time, or kept from an earlier run.
//!
//! A slot has its event's time from the start; the sequencer stamps it anew when it is published.

use crate::domain::event::{Kind, LEVELS_PER_SLOT};
use crate::domain::{Slot, Time};
use crate::history::events::HistoryEvent;
use crate::history::{HistoryError, HistoryEvents};
use crate::venue::Decoded;
use std::sync::Arc;

/// Slots that are made at a time: what stays in the nearest cache.
const SLOTS_AT_ONCE: usize = 256;
/// Of so many events that are kept one is noted with its place.
const EVENTS_PER_MARK: u32 = 1_024;

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
}

impl KeptSlots {
    pub fn with_capacity(slots: usize) -> Self {
        Self { slots: Vec::with_capacity(slots), marks: Vec::new(), unmarked: 0 }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.marks.capacity() * size_of::<(Time, usize)>()
    }

    pub fn push(&mut self, time: Time, add: impl FnOnce(&mut Vec<Slot>)) {
        if self.unmarked == 0 {
            self.marks.push((time, self.slots.len()));
            self.unmarked = EVENTS_PER_MARK;
        }
        self.unmarked -= 1;
        add(&mut self.slots);
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
}

impl Feed {
    /// Events that are read.
    pub fn read(events: HistoryEvents) -> Self {
        let slots = Slots::Made(Vec::with_capacity(2 * SLOTS_AT_ONCE));
        Self { slots, at: 0, end: 0, events: Some(events) }
    }

    /// Kept events from one moment on until before another.
    pub fn kept(kept: Arc<KeptSlots>, from: Option<Time>, until: Option<Time>) -> Self {
        let at = from.map_or(0, |from| kept.place(from));
        let end = until.map_or(kept.len(), |until| kept.place(until)).max(at);
        Self { slots: Slots::Kept(kept), at, end, events: None }
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
            return Ok(false);
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
                push_slots(&event, slots);
            }
        }
        (self.at, self.end) = (0, slots.len());
        Ok(self.end > 0)
    }
}
