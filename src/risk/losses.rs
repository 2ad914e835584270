//! Losses: the day's, from the peak, in a row, and within a short time.
//!
//! A loss that is over its limit throws the kill switch, of the strategy or of everything; an operator releases it, and
//! from then on losses are counted anew. What is counted is profit, realised and not, fees taken off.

use super::carried::{Carried, CarriedTrack};
use super::day::DayBoundary;
use super::exposure::Exposure;
use super::limits::LossLimits;
use super::snapshot::{LossTrack, RiskSnapshot};
use crate::domain::{DenyReason, Kill, Scope, StrategyId, Time};

/// Slices that the window of the loss velocity is cut into.
const SLICES: usize = 16;

/// What profits are compared with.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    day_start: i128,
    peak: i128,
}

impl Track {
    fn at(profit: i128) -> Self {
        Self { day_start: profit, peak: profit }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Losses {
    limits: LossLimits,
    /// Whether there is any.
    limited: bool,
    day: DayBoundary,
    day_ends: Time,
    whole: Track,
    strategies: Vec<Track>,
    in_a_row: Vec<u32>,
    /// The best profit in each slice of the window, and in all of them; which slice the last is, and when it is over.
    best: [i128; SLICES],
    best_of_all: i128,
    slice: u64,
    slice_ends: Time,
    slice_ns: u64,
    last: i128,
}

impl Losses {
    pub fn new(limits: LossLimits, day: DayBoundary, strategies: usize) -> Self {
        Self {
            limited: LossLimits { velocity_window_ns: 0, flatten: false, ..limits }
                != LossLimits { velocity_window_ns: 0, flatten: false, ..LossLimits::NONE },
            day,
            day_ends: Time(0),
            whole: Track::default(),
            strategies: vec![Track::default(); strategies],
            in_a_row: vec![0; strategies],
            best: [0; SLICES],
            best_of_all: 0,
            slice: 0,
            slice_ends: Time(0),
            last: 0,
            // The slice that the window begins in counts whole, as rates do.
            slice_ns: limits.velocity_window_ns.div_ceil(SLICES as u64 - 1).max(1),
            limits,
        }
    }

    /// Whether a new day begins at `now`.
    #[inline]
    pub fn is_new_day(&self, now: Time) -> bool {
        now >= self.day_ends
    }

    /// Begins the day of `now`.
    pub fn begin_day(&mut self, now: Time, exposure: &Exposure) {
        self.day_ends = self.day.next_after(now);
        self.start_day(exposure);
    }

    /// The day starts with what is earned so far.
    pub fn start_day(&mut self, exposure: &Exposure) {
        self.whole.day_start = exposure.profit();
        for (index, track) in (0..=u8::MAX).zip(&mut self.strategies) {
            track.day_start = exposure.profit_of(StrategyId(index));
        }
    }

    /// Within the window nothing was earned but what is earned so far: an earlier run's profit is not this moment's.
    pub fn start_window(&mut self, exposure: &Exposure) {
        let profit = exposure.profit();
        (self.best, self.best_of_all, self.last) = ([profit; SLICES], profit, profit);
    }

    /// Goes on from what an earlier run left. A day that has ended since begins anew with the first event.
    pub fn carry(&mut self, carried: &Carried, exposure: &Exposure) {
        let track = |track: &CarriedTrack, profit: i128| {
            let from = if carried.from_here { profit } else { 0 };
            Track { day_start: from + i128::from(track.day_start), peak: from + i128::from(track.peak) }
        };
        self.day_ends = Time(carried.day_ends_ns);
        self.whole = track(&carried.whole, exposure.profit());
        for (index, kept) in (0..=u8::MAX).zip(&carried.strategies).take(self.strategies.len()) {
            self.strategies[usize::from(index)] = track(kept, exposure.profit_of(StrategyId(index)));
            self.in_a_row[usize::from(index)] = kept.losses_in_a_row;
        }
    }

    /// Copies what profits are compared with.
    pub fn copy_to(&self, snapshot: &mut RiskSnapshot, exposure: &Exposure) {
        let told = |track: &Track, profit: i128| LossTrack {
            profit,
            day_start: track.day_start,
            peak: track.peak.max(profit),
            ..LossTrack::default()
        };
        let profit = exposure.profit();
        let fell = self.best_of_all.saturating_sub(profit).max(0);
        let fell = if self.limits.velocity_max == i64::MAX { 0 } else { fell };
        snapshot.day_ends = self.day_ends;
        snapshot.whole = LossTrack { fell, ..told(&self.whole, profit) };
        snapshot.strategies.clear();
        let all = (0..=u8::MAX).zip(self.strategies.iter().zip(&self.in_a_row));
        snapshot.strategies.extend(all.map(|(index, (track, in_a_row))| LossTrack {
            losses_in_a_row: *in_a_row,
            ..told(track, exposure.profit_of(StrategyId(index)))
        }));
    }

    /// A strategy closed a position that earned so much.
    pub fn closed(&mut self, strategy: StrategyId, earned: i128) {
        let in_a_row = &mut self.in_a_row[strategy.index()];
        match earned {
            0 => {}
            1.. => *in_a_row = 0,
            _ => *in_a_row = in_a_row.saturating_add(1),
        }
    }

    /// From now on losses in this scope are counted anew.
    pub fn forget(&mut self, scope: Scope, exposure: &Exposure) {
        let whole = matches!(scope, Scope::All);
        if whole {
            self.whole = Track::at(exposure.profit());
            self.start_window(exposure);
        }
        for (index, (track, in_a_row)) in
            (0..=u8::MAX).zip(self.strategies.iter_mut().zip(&mut self.in_a_row))
        {
            if whole || scope == Scope::Strategy(StrategyId(index)) {
                *track = Track::at(exposure.profit_of(StrategyId(index)));
                *in_a_row = 0;
            }
        }
    }

    /// The limit that everything together is over.
    #[inline]
    pub fn of_all(&mut self, now: Time, exposure: &Exposure) -> Option<Kill> {
        let profit = exposure.profit();
        self.whole.peak = self.whole.peak.max(profit);
        let fell = self.fell_within_window(now, profit);
        let limits = &self.limits;
        let over = |loss: i128, limit: i64| loss > i128::from(limit);
        let cause = if over(self.whole.day_start - profit, limits.daily_max) {
            DenyReason::DailyLoss
        } else if over(self.whole.peak - profit, limits.drawdown_max) {
            DenyReason::Drawdown
        } else if over(fell, limits.velocity_max) {
            DenyReason::LossVelocity
        } else {
            return None;
        };
        Some(Kill { scope: Scope::All, cause, flatten: limits.flatten, carried: false })
    }

    /// The limit that a strategy is over.
    #[inline]
    pub fn of_strategy(&mut self, strategy: StrategyId, exposure: &Exposure) -> Option<Kill> {
        let (limits, profit) = (&self.limits, exposure.profit_of(strategy));
        let track = &mut self.strategies[strategy.index()];
        track.peak = track.peak.max(profit);
        let over = |loss: i128, limit: i64| loss > i128::from(limit);
        let cause = if over(track.day_start - profit, limits.strategy_daily_max) {
            DenyReason::StrategyDailyLoss
        } else if over(track.peak - profit, limits.strategy_drawdown_max) {
            DenyReason::StrategyDrawdown
        } else if self.in_a_row[strategy.index()] > limits.consecutive_max {
            DenyReason::ConsecutiveLosses
        } else {
            return None;
        };
        Some(Kill { scope: Scope::Strategy(strategy), cause, flatten: limits.flatten, carried: false })
    }

    /// Whether any loss could be over a limit.
    #[inline]
    pub fn have_limits(&self) -> bool {
        self.limited
    }

    /// Whether no price could make a loss one that is over a limit.
    pub fn are_unlimited(&self) -> bool {
        let limits = &self.limits;
        let all = [
            limits.daily_max,
            limits.drawdown_max,
            limits.velocity_max,
            limits.strategy_daily_max,
            limits.strategy_drawdown_max,
        ];
        all.iter().all(|limit| *limit == i64::MAX)
    }

    /// Whether what was earned a while ago counts, and what it counts passes with time.
    #[inline]
    pub fn have_window(&self) -> bool {
        self.limits.velocity_max != i64::MAX
    }

    /// How many strategies there are.
    pub fn strategies(&self) -> usize {
        self.strategies.len()
    }

    /// How far profit is below its best within the window.
    #[inline]
    fn fell_within_window(&mut self, now: Time, profit: i128) -> i128 {
        if !self.have_window() {
            return 0;
        }
        if now >= self.slice_ends {
            self.roll(now);
        }
        self.last = profit;
        let now_best = &mut self.best[place(self.slice)];
        *now_best = (*now_best).max(profit);
        self.best_of_all = self.best_of_all.max(profit);
        self.best_of_all.saturating_sub(profit)
    }

    /// Begins the slice of `now`. Until this moment profit was what it was when it was looked at last.
    #[inline(never)]
    fn roll(&mut self, now: Time) {
        let slice = now.0 / self.slice_ns;
        let passed = slice.saturating_sub(self.slice).min(SLICES as u64);
        for n in 1..=passed {
            self.best[place(slice - passed + n)] = self.last;
        }
        self.best_of_all = self.best.iter().copied().max().unwrap_or(self.last);
        self.slice = self.slice.max(slice);
        self.slice_ends = Time(self.slice.saturating_add(1).saturating_mul(self.slice_ns));
    }
}

#[inline]
fn place(slice: u64) -> usize {
    (slice % SLICES as u64) as usize
}
