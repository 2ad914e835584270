//! What a backtest knows is about to come of an instrument: its bars, and what indicators will be after each of them.
//!
//! Stretches of bars at which nobody acts are found by it. Strategies never see it: they say what they wait for.

use super::bars::{Bar, BarColumns};
use super::{InstrumentId, Price, Time};
use std::sync::Arc;

/// Values of one indicator: as many as it has outputs, the rest zero.
pub type Values = [f64; 3];

/// An indicator's values over a series of bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownValues {
    bars: usize,
    /// Bars before the first value.
    warm_up: usize,
    outputs: usize,
    values: Vec<f64>,
    /// Bars after the first value that have none, in order: those that are no numbers to the indicator.
    missing: Vec<usize>,
}

impl KnownValues {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most bytes that an indicator's values over `bars` bars take, of which it gives `outputs` each.
    #[must_use]
    pub const fn bytes_max(outputs: usize, bars: usize) -> usize {
        bars * outputs * size_of::<f64>()
    }

    /// Adds what it is after one more bar; `more` bars will come after it.
    #[inline]
    pub fn push(&mut self, values: Option<&[f64]>, more: usize) {
        match values {
            Some(values) if values.len() == self.outputs => self.values.extend_from_slice(values),
            _ => self.push_seldom(values, more),
        }
        self.bars += 1;
    }

    /// The first value, and none.
    #[cold]
    fn push_seldom(&mut self, values: Option<&[f64]>, more: usize) {
        match values {
            Some(values) => {
                (self.warm_up, self.outputs) = (self.bars, values.len());
                self.values.reserve_exact((more + 1) * values.len());
                self.values.extend_from_slice(values);
            }
            None if self.outputs > 0 => {
                self.missing.push(self.bars);
                self.values.extend(std::iter::repeat_n(0.0, self.outputs));
            }
            None => {}
        }
    }

    /// Adds what it is after each of some more bars; to be called where it has [one output](Self::outputs).
    #[inline]
    pub fn extend(&mut self, more: impl ExactSizeIterator<Item = Option<f64>>) {
        let (from, bars) = (self.values.len(), more.len());
        self.values.resize(from + bars, 0.0);
        for (bar, (value, given)) in (self.bars..).zip(self.values[from..].iter_mut().zip(more)) {
            match given {
                Some(given) => *value = given,
                None => self.missing.push(bar),
            }
        }
        self.bars += bars;
    }

    /// Adds what it is after at most `bars` more bars: `fill` fills the first of their places and says how many, which is
    /// how many are added. To be called where it has [one output](Self::outputs).
    #[inline]
    pub fn extend_many(&mut self, bars: usize, fill: impl FnOnce(&mut [f64]) -> usize) -> usize {
        let from = self.values.len();
        self.values.resize(from + bars, 0.0);
        let filled = fill(&mut self.values[from..]).min(bars);
        self.values.truncate(from + filled);
        self.bars += filled;
        filled
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

    /// The values from one bar on, of each bar as many as it has outputs; none where a bar may have none.
    #[inline]
    #[must_use]
    pub fn since(&self, bar: usize) -> Option<(&[f64], usize)> {
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        if self.missing.is_empty() { Some((self.values.get(from..)?, self.outputs)) } else { None }
    }

    /// One of its outputs after the bar with this number, counted from 0; none where it has no value there.
    #[inline]
    #[must_use]
    pub fn output(&self, bar: usize, output: usize) -> Option<f64> {
        if !self.missing.is_empty() && self.missing.binary_search(&bar).is_ok() {
            return None;
        }
        let from = bar.checked_sub(self.warm_up)? * self.outputs;
        self.values.get(from..from + self.outputs)?.get(output).copied()
    }

    /// The values after the bar with this number, counted from 0; none where there are none.
    #[inline]
    #[must_use]
    pub fn at(&self, bar: usize) -> Option<Values> {
        if !self.missing.is_empty() && self.missing.binary_search(&bar).is_ok() {
            return None;
        }
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
