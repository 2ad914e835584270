//! Several books kept from the slots of the ring, for a stage that needs depth of its own.

use super::{BookSync, DepthKind, PendingDiffs};
use crate::domain::event::{Event, LEVELS_PER_SLOT};
use crate::domain::{Instrument, InstrumentId, Slot};

/// See the module.
#[derive(Debug)]
pub struct BookKeeper {
    books: Vec<Option<BookSync>>,
    pending: PendingDiffs,
    /// The depth event under way, and how many of its levels are still to come.
    open: Option<(InstrumentId, usize)>,
}

impl BookKeeper {
    /// Keeps the books of those instruments that `wanted` accepts.
    #[must_use]
    pub fn new(all: &[Instrument], wanted: impl Fn(&Instrument) -> bool) -> Self {
        let book = |i: &Instrument| wanted(i).then(|| BookSync::new(i.market, i.tick));
        Self { books: all.iter().map(book).collect(), pending: PendingDiffs::new(), open: None }
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

    /// Takes one slot; says whose book has just moved, once its event has ended.
    #[inline]
    pub fn on_slot(&mut self, slot: &Slot) -> Option<InstrumentId> {
        let (head, kind) = match slot.event() {
            Event::DepthDiff(head) => (head, DepthKind::Diff),
            Event::DepthSnapshot(head) => (head, DepthKind::Snapshot),
            Event::DepthPartial(head) => (head, DepthKind::Partial),
            Event::Levels => {
                let (instrument, left) = self.open?;
                let sync = self.books[instrument.index()].as_mut()?;
                let n = left.min(LEVELS_PER_SLOT);
                for index in 0..n {
                    sync.level(slot.level(index), &mut self.pending);
                }
                self.open = Some((instrument, left - n));
                return if slot.is_last() { self.end() } else { None };
            }
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

    fn end(&mut self) -> Option<InstrumentId> {
        let (instrument, _) = self.open.take()?;
        self.books[instrument.index()].as_mut()?.end(&mut self.pending);
        Some(instrument)
    }
}
