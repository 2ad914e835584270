//! Books kept from the slots of the ring, one an instrument, lent to every stage of a thread.

use super::{BookSync, DepthKind, PendingDiffs};
use crate::domain::event::{Event, Kind, LEVELS_PER_SLOT};
use crate::domain::{Instrument, InstrumentId, Price, Slot};
use crate::pipeline::Shared;

/// See the module.
#[derive(Debug)]
pub struct BookKeeper {
    books: Vec<Option<BookSync>>,
    pending: PendingDiffs,
    /// The depth event under way, and how many of its levels are still to come.
    open: Option<(InstrumentId, usize)>,
    /// Whose book the event that ended last has moved.
    moved: Option<InstrumentId>,
}

impl BookKeeper {
    /// Keeps the books of those instruments that `wanted` accepts.
    #[must_use]
    pub fn new(all: &[Instrument], wanted: impl Fn(&Instrument) -> bool) -> Self {
        let book = |i: &Instrument| wanted(i).then(|| BookSync::new(i.market, i.tick));
        Self { books: all.iter().map(book).collect(), pending: PendingDiffs::new(), open: None, moved: None }
    }

    /// Whether no book is kept at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.books.iter().all(Option::is_none)
    }

    /// The book of an instrument, if it is kept and in step with the venue.
    #[inline]
    #[must_use]
    pub fn valid(&self, instrument: InstrumentId) -> Option<&BookSync> {
        self.books.get(instrument.index())?.as_ref().filter(|sync| sync.valid())
    }

    /// The book of an instrument, in step or not, if it is kept.
    #[inline]
    #[must_use]
    pub fn get(&self, instrument: InstrumentId) -> Option<&BookSync> {
        self.books.get(instrument.index())?.as_ref()
    }

    /// Whose book the present event has moved, once its last slot is there.
    #[inline]
    #[must_use]
    pub fn moved(&self) -> Option<InstrumentId> {
        self.moved
    }

    /// Up to three levels of the depth event under way.
    #[inline]
    fn levels(&mut self, slot: &Slot) -> Option<InstrumentId> {
        let Self { books, pending, open, .. } = self;
        let (instrument, left) = open.as_mut()?;
        let sync = books[instrument.index()].as_mut()?;
        let levels = [slot.level(0), slot.level(1), slot.level(2)];
        let n = (*left).min(LEVELS_PER_SLOT);
        *left -= n;
        sync.levels(&levels[..n], pending);
        if slot.is_last() { self.end() } else { None }
    }

    fn take(&mut self, slot: &Slot) -> Option<InstrumentId> {
        let (head, kind) = match slot.event() {
            Event::DepthDiff(head) => (head, DepthKind::Diff),
            Event::DepthSnapshot(head) => (head, DepthKind::Snapshot),
            Event::DepthPartial(head) => (head, DepthKind::Partial),
            Event::Interrupted(instrument) => {
                if let Some(sync) = self.books[instrument.index()].as_mut() {
                    sync.interrupt(instrument, &mut self.pending);
                }
                return None;
            }
            _ => return None,
        };
        self.open = None;
        let sync = self.books[head.instrument.index()].as_mut()?;
        sync.begin(&head, kind, &mut self.pending);
        self.open = Some((head.instrument, head.levels()));
        if slot.is_last() { self.end() } else { None }
    }

    #[inline]
    fn end(&mut self) -> Option<InstrumentId> {
        let (instrument, _) = self.open.take()?;
        self.books[instrument.index()].as_mut()?.end(&mut self.pending);
        Some(instrument)
    }
}

impl Shared for BookKeeper {
    fn name(&self) -> &'static str {
        "books"
    }

    fn is_used(&self) -> bool {
        !self.is_empty()
    }

    #[inline]
    fn on_slot(&mut self, slot: &Slot) {
        self.moved = match slot.kind() {
            Kind::Levels => self.levels(slot),
            Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial | Kind::Interrupted => self.take(slot),
            _ => None,
        };
    }

    fn middle(&self, instrument: InstrumentId) -> Option<Price> {
        let (bid, ask) = self.valid(instrument)?.book().top()?;
        Some(bid.price.middle(ask.price))
    }
}
