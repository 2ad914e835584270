//! Building desks again from a journal: what a run held when it ended, however it ended.
//!
//! Everything a desk knows follows from the slots (answers, trades, time) and from what it sent, which the journal has
//! as records behind the event that caused them. Both are taken in as facts, so nothing is decided a second time, no
//! strategy runs, and neither another configuration nor another version of a strategy can make it come out otherwise.
//! A journal that was cut reads to its last whole block; what came later was not handed over either.

use super::format::{Entry, JournalError, JournalHeader};
use super::reader::JournalReader;
use crate::domain::event::{Command, Event};
use crate::domain::order::OrderState;
use crate::domain::{OrderId, Slot, StrategyId, Time};
use crate::execution::{Record, RecordKind};
use crate::strategy::desk::{Desk, DeskState};
use crate::strategy::manager::Redo;
use std::path::Path;

/// What a run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Orders, positions and what the order manager held, by strategy.
    pub desks: Vec<DeskState>,
    /// Instruments that were paused.
    pub paused: Vec<bool>,
    /// Whether all trading was halted.
    pub halted: bool,
    /// The last event.
    pub seq: u64,
    /// Its time.
    pub time: Time,
    /// Whether the run came to its end by itself.
    pub finished: bool,
}

impl Recovered {
    /// Orders that were with the venue, or on their way, as far as the journal knows: it has to be asked about them.
    pub fn with_the_venue(&self) -> impl Iterator<Item = &OrderState> {
        self.desks.iter().flat_map(|desk| {
            let own = |o: &&OrderState| {
                let id = o.order.id;
                let manager = &desk.manager;
                !manager.held().iter().any(|h| h.order == id)
                    && !manager.slicings().iter().any(|s| s.parent == id)
            };
            let parts = desk.manager.slicings().iter().filter_map(|s| s.child.as_ref());
            desk.orders.iter().filter(own).chain(parts)
        })
    }
}

/// Takes a journal's entries in, one after the other.
pub struct Recovery {
    desks: Vec<Desk>,
    /// Strategies by instrument: a trade is for those who trade it.
    strategies: Vec<Vec<usize>>,
    redo: Vec<Redo>,
    denied: Vec<OrderId>,
    paused: Vec<bool>,
    halted: bool,
    seq: u64,
    time: Time,
    finished: bool,
}

impl Recovery {
    /// Nothing taken in yet of a run with this header.
    #[must_use]
    pub fn new(header: &JournalHeader) -> Self {
        let instruments = header.instruments.len();
        let mut strategies = vec![Vec::new(); instruments];
        for (index, strategy) in header.strategies.iter().enumerate() {
            for instrument in strategy.instruments.iter().filter(|i| i.index() < instruments) {
                strategies[instrument.index()].push(index);
            }
        }
        let ids = (0..=u8::MAX).zip(&header.strategies);
        Self {
            desks: ids.map(|(id, _)| Desk::new(StrategyId(id), instruments)).collect(),
            redo: header.strategies.iter().map(|_| Redo::default()).collect(),
            strategies,
            denied: Vec::new(),
            paused: vec![false; instruments],
            halted: false,
            seq: 0,
            time: Time(0),
            finished: false,
        }
    }

    /// Takes one entry in.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Slot(slot) => self.slot(slot),
            Entry::Record(record) => self.record(record),
            Entry::End => self.finished = true,
        }
    }

    fn slot(&mut self, slot: &Slot) {
        self.seq += 1;
        if slot.is_first() {
            self.time = slot.time();
        }
        if !slot.is_last() || slot.instrument().index() >= self.paused.len() {
            return;
        }
        match slot.event() {
            Event::Report(report) => {
                if let Some(desk) = self.desks.get_mut(report.strategy.index()) {
                    desk.on_report(&report);
                }
            }
            Event::Denial(denial) => {
                self.denied.retain(|id| *id != denial.order);
                if let Some(desk) = self.desks.get_mut(denial.strategy.index()) {
                    desk.on_denial(&denial, self.time);
                }
            }
            Event::Trade(trade) => {
                for &index in &self.strategies[trade.instrument.index()] {
                    self.desks[index].follow(&trade);
                }
            }
            Event::Command(command) => self.command(command),
            _ => {}
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Halt => self.halted = true,
            Command::Resume => self.halted = false,
            Command::Pause(instrument) => self.paused[instrument.index()] = true,
            Command::Unpause(instrument) => self.paused[instrument.index()] = false,
            // Kept over a restart by a file of its own.
            Command::Kill(_) | Command::Release(_) => {}
        }
    }

    fn record(&mut self, record: &Record) {
        let index = record.order.strategy.index();
        let known = record.order.instrument.index() < self.paused.len();
        let (Some(desk), Some(redo)) = (self.desks.get_mut(index), self.redo.get_mut(index)) else { return };
        if known {
            desk.redo(&record.action(), redo);
        }
        if record.kind == RecordKind::Denied {
            self.denied.push(record.order.id);
        }
    }

    /// The desks as they stand, denied orders whose denial is still under way included.
    pub fn desks(&self) -> impl Iterator<Item = &DeskState> {
        self.desks.iter().map(|desk| &desk.state)
    }

    /// Orders that were denied, and whose denial is still under way.
    #[must_use]
    pub fn denied(&self) -> &[OrderId] {
        &self.denied
    }

    /// What the run left. Denials that were under way never come: their orders are gone.
    #[must_use]
    pub fn finish(mut self) -> Recovered {
        for desk in &mut self.desks {
            desk.end_denied(&self.denied);
        }
        Recovered {
            desks: self.desks.into_iter().map(|desk| desk.state).collect(),
            paused: self.paused,
            halted: self.halted,
            seq: self.seq,
            time: self.time,
            finished: self.finished,
        }
    }
}

/// Builds the desks of a journal's run again.
///
/// # Errors
/// [`JournalError`] where the file is no journal, or a whole block of it does not read.
pub fn recover(path: &Path) -> Result<(JournalHeader, Recovered), JournalError> {
    let mut reader = JournalReader::open(path)?;
    let mut recovery = Recovery::new(reader.header());
    while let Some(entry) = reader.next_entry()? {
        recovery.take(&entry);
    }
    Ok((reader.header().clone(), recovery.finish()))
}
