//! What instruments did over the last periods: a window of returns, all of the same moments.

use super::correlation::Matrix;
use std::ops::Range;

/// Returns by instrument (column) and period (row), the oldest dropped when the window is full.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    columns: usize,
    window: usize,
    /// A run of `window` values for each instrument.
    values: Vec<f64>,
    /// Rows that are filled, and where the next goes.
    filled: usize,
    next: usize,
    last: Vec<f64>,
    /// Rows there ever were.
    rows: u64,
    /// The row with which each instrument had its first price, and that of its newest one.
    first: Vec<Option<u64>>,
    newest: Vec<u64>,
}

impl Returns {
    /// An empty window of so many periods, at least one.
    #[must_use]
    pub fn new(columns: usize, window: usize) -> Self {
        let window = window.max(1);
        Self {
            columns,
            window,
            values: vec![0.0; columns * window],
            filled: 0,
            next: 0,
            last: vec![f64::NAN; columns],
            rows: 0,
            first: vec![None; columns],
            newest: vec![0; columns],
        }
    }

    /// Takes the prices at the end of a period; the first ones begin the window. A price that is missing (not a positive
    /// number) is taken to be what it was.
    pub fn push_prices(&mut self, prices: &[f64]) {
        let begun = self.last.iter().any(|price| price.is_finite());
        let row = self.rows + u64::from(begun);
        for (column, &price) in prices.iter().enumerate().take(self.columns) {
            let known = price.is_finite() && price > 0.0;
            let last = &mut self.last[column];
            let change = if known && last.is_finite() { price / *last - 1.0 } else { 0.0 };
            if known {
                *last = price;
                self.first[column].get_or_insert(row);
                self.newest[column] = row;
            }
            self.values[column * self.window + self.next] = change;
        }
        self.rows = row;
        if begun {
            self.next = (self.next + 1) % self.window;
            self.filled = (self.filled + 1).min(self.window);
        }
    }

    /// Instruments.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Periods in the window.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.filled
    }

    /// One instrument's returns, in no particular order.
    #[must_use]
    pub fn column(&self, column: usize) -> &[f64] {
        let from = column * self.window;
        self.values.get(from..from + self.filled).unwrap_or_default()
    }

    /// The standard deviation of an instrument's returns, of a sample, over the periods in which it was known; none where
    /// there are fewer than two.
    #[must_use]
    pub fn deviation(&self, column: usize) -> Option<f64> {
        let rows = self.rows_of(&[column]);
        let n = usize::try_from(rows.end.saturating_sub(rows.start)).ok().filter(|n| *n > 1)? as f64;
        let change = |row: u64| self.values[column * self.window + (row % self.window as u64) as usize];
        let mean = rows.clone().map(change).sum::<f64>() / n;
        let squares = rows.map(|row| (change(row) - mean).powi(2)).sum::<f64>();
        Some((squares / (n - 1.0)).sqrt())
    }

    /// The rows of [`Self::known`].
    fn rows_of(&self, columns: &[usize]) -> Range<u64> {
        let oldest = self.rows - self.filled as u64;
        let first = |column: &usize| self.first.get(*column).copied().flatten().unwrap_or(u64::MAX);
        let newest = |column: &usize| self.newest.get(*column).copied().unwrap_or(0);
        columns.iter().map(first).fold(oldest, u64::max)..columns.iter().map(newest).fold(self.rows, u64::min)
    }

    /// The periods in which each of these instruments was known: from when the last of them had its first price, to when
    /// the first of them had its newest. A price that is missing in between comes with the next; of what is before and
    /// after nothing is known, and no change is not what it was.
    #[must_use]
    pub fn known(&self, columns: &[usize]) -> Self {
        let mut known = Self::new(self.columns, self.window);
        for row in self.rows_of(columns) {
            let (at, place) = ((row % self.window as u64) as usize, known.filled);
            for column in 0..self.columns {
                known.values[column * self.window + place] = self.values[column * self.window + at];
            }
            known.filled += 1;
        }
        known.next = known.filled % self.window;
        known
    }

    /// The mean return of each instrument.
    pub fn means(&self) -> impl Iterator<Item = f64> + '_ {
        let n = self.filled.max(1) as f64;
        (0..self.columns).map(move |column| self.column(column).iter().sum::<f64>() / n)
    }

    /// What a portfolio with these exposures would have earned in each period.
    #[must_use]
    pub fn profits(&self, exposures: &[f64]) -> Vec<f64> {
        let mut profits = vec![0.0; self.filled];
        for (column, exposure) in exposures.iter().enumerate().take(self.columns) {
            if *exposure == 0.0 {
                continue;
            }
            for (profit, change) in profits.iter_mut().zip(self.column(column)) {
                *profit += exposure * change;
            }
        }
        profits
    }

    /// Covariances of the instruments, of a sample (divided by one less than the periods).
    #[must_use]
    pub fn covariance(&self) -> Matrix {
        let mut centred = Vec::with_capacity(self.columns * self.filled);
        for (column, mean) in self.means().enumerate() {
            centred.extend(self.column(column).iter().map(|value| value - mean));
        }
        if self.filled < 2 {
            return Matrix::of_products(&vec![0.0; self.columns], 1, 1.0);
        }
        Matrix::of_products(&centred, self.filled, (self.filled - 1) as f64)
    }

    /// Correlations of the instruments, of each pair over the periods in which both were known; zero where those are fewer
    /// than two, and with what does not move.
    #[must_use]
    pub fn correlation(&self) -> Matrix {
        let mut all = self.covariance().correlation();
        let whole = self.rows - self.filled as u64..self.rows;
        let partly: Vec<bool> = (0..self.columns).map(|column| self.rows_of(&[column]) != whole).collect();
        for i in 0..self.columns {
            for j in (i + 1..self.columns).filter(|&j| partly[i] || partly[j]) {
                all.set(i, j, self.correlation_of(i, j));
            }
        }
        all
    }

    fn correlation_of(&self, i: usize, j: usize) -> f64 {
        let rows = self.rows_of(&[i, j]);
        let n = rows.end.saturating_sub(rows.start) as f64;
        if n < 2.0 {
            return 0.0;
        }
        let change =
            |column: usize, row: u64| self.values[column * self.window + (row % self.window as u64) as usize];
        let [mean_i, mean_j] = [i, j].map(|of| rows.clone().map(|row| change(of, row)).sum::<f64>() / n);
        let (mut both, mut of_i, mut of_j) = (0.0, 0.0, 0.0);
        for row in rows {
            let (x, y) = (change(i, row) - mean_i, change(j, row) - mean_j);
            (both, of_i, of_j) = (both + x * y, of_i + x * x, of_j + y * y);
        }
        let apart = (of_i * of_j).sqrt();
        if apart > 0.0 { (both / apart).clamp(-1.0, 1.0) } else { 0.0 }
    }
}
