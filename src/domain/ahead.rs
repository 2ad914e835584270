//! What a backtest knows is about to come of an instrument: its bars, and what indicators will be after each of them.
//!
//! Stretches of bars at which nobody acts are found by it. Strategies never see it: they say what they wait for.

use super::bars::{Bar, BarColumns};
use super::{InstrumentId, Price, Time};
use std::sync::Arc;

/// Values of one indicator: as many as it has outputs, the rest zero.
pub type Values = [f64; 3];

/// An indicator's values over a series of bars: none for the first of them, and then some for each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownValues {
    bars: usize,
    /// Bars before the first value.
    warm_up: usize,
    outputs: usize,
    values: Vec<f64>,
}

impl KnownValues {
    /// That there are none after the first `warm_up` bars.
    #[must_use]
    pub fn none_for(warm_up: usize) -> Self {
        Self { bars: warm_up, warm_up, ..Self::default() }
    }

    /// The most bytes that an indicator's values over `bars` bars take, of which it gives `outputs` each.
    #[must_use]
    pub const fn bytes_max(outputs: usize, bars: usize) -> usize {
        bars * outputs * size_of::<f64>()
    }

    /// Adds those after one more bar, and after at most `more` bars that come next: `fill` fills the first of the places of
    /// these, one after the other, and says for how many bars.
    ///
    /// `first` has as many values as there were after the bar before, if there were any.
    pub fn push(&mut self, first: &[f64], more: usize, fill: impl FnOnce(&mut [f64]) -> usize) {
        self.outputs = first.len();
        self.values.reserve_exact((more + 1) * self.outputs);
        self.values.extend_from_slice(first);
        let from = self.values.len();
        self.values.resize(from + more * self.outputs, 0.0);
        let filled = fill(&mut self.values[from..]).min(more);
        self.values.truncate(from + filled * self.outputs);
        self.bars += 1 + filled;
    }

    /// How many values it has after a bar; 0 before the first.
    #[inline]
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Over how many bars they are.
    #[inline]
    #[must_use]
    pub fn bars(&self) -> usize {
        self.bars
    }

    /// The values from one bar on, of each bar as many as it has outputs; none before the first.
    #[inline]
    #[must_use]
    pub fn since(&self, bar: usize) -> Option<(&[f64], usize)> {
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        Some((self.values.get(from..)?, self.outputs))
    }

    /// One of its outputs after the bar with this number, counted from 0; none where it has no value there.
    #[inline]
    #[must_use]
    pub fn output(&self, bar: usize, output: usize) -> Option<f64> {
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        self.values.get(from..from + self.outputs)?.get(output).copied()
    }

    /// The values after the bar with this number, counted from 0; none where there are none.
    #[inline]
    #[must_use]
    pub fn at(&self, bar: usize) -> Option<Values> {
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        let values = self.values.get(from..from + self.outputs)?;
        let mut all: Values = [0.0; 3];
        all.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        Some(all)
    }
}

/// What an indicator of the run will be.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its slot in the run's table of indicators.
    pub slot: u16,
    /// Its values.
    pub values: Arc<KnownValues>,
    /// The number, in them, of the first bar that is to come.
    pub from: usize,
}

/// Bars of one instrument that come next, with nothing else between them, each with its whole path.
///
/// Where every stage is sure that nothing would come of the first of them, those are passed over: nothing is published, and
/// each stage is told what they were. Events are counted as if they had been there, so a run that passes them over and one
/// that does not are the same.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// Of what.
    pub instrument: InstrumentId,
    /// What indicators over it will be; told by the stage that computes them.
    pub columns: Vec<Column>,
    bars: BarColumns<'a>,
}

impl<'a> Stretch<'a> {
    /// These bars of `instrument`; `columns` is emptied, and kept for its room.
    #[must_use]
    pub fn new(instrument: InstrumentId, bars: BarColumns<'a>, mut columns: Vec<Column>) -> Self {
        columns.clear();
        Self { instrument, columns, bars }
    }

    /// The bars, as far as nobody has yet said that he would act.
    #[inline]
    #[must_use]
    pub fn bars(&self) -> &BarColumns<'a> {
        &self.bars
    }

    /// Leaves only the first so many.
    #[inline]
    pub fn cut_to(&mut self, bars: usize) {
        self.bars.truncate(bars);
    }

    /// Leaves only what ends before a moment.
    #[inline]
    pub fn cut_before(&mut self, moment: Time) {
        self.cut_to(self.bars.before(moment));
    }

    /// The last of the bars, and when it was known.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<(Time, Bar)> {
        self.bars.last()
    }

    /// What an indicator will be.
    #[inline]
    #[must_use]
    pub fn column(&self, slot: u16) -> Option<&Column> {
        self.columns.iter().find(|column| column.slot == slot)
    }
}

/// How a stretch ends that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The number of its last slot.
    pub seq: u64,
    /// Where the price was before the last close.
    pub before: Price,
}
