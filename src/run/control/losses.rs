//! The day's losses and the peak of equity, in a file that outlives the process: a restart is no pardon.
//!
//! What is kept is profit, what it was when the day began, and its peak, of everything and of each strategy by its label,
//! with the day's counts of messages and trades. A run that goes on from a journal has the profits of the run before it,
//! and compares with the same; any other begins at nothing, and what was lost is taken off what it begins with. Which day
//! it is, is asked of the configuration in force, so a day that begins elsewhere since is another day.

use super::file::write_whole;
use super::latched::LatchedError;
use crate::domain::Time;
use crate::risk::snapshot::{LossTrack, RiskSnapshot};
use crate::risk::{Carried, CarriedTrack, Counted, DayBoundary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// What is kept of one strategy, or of everything. Amounts are in units of 10^-8 quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTrack {
    profit: i64,
    day_start: i64,
    peak: i64,
    losses_in_a_row: u32,
    orders: u32,
    cancels: u32,
    trades: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptLosses {
    /// The run's epoch, which one that goes on from its journal has too.
    epoch: u64,
    /// When it was so.
    time_ns: u64,
    whole: KeptTrack,
    strategies: BTreeMap<String, KeptTrack>,
}

impl KeptLosses {
    /// What a snapshot says of a run with these strategies; none before its first event.
    pub fn of(snapshot: &RiskSnapshot, labels: &[String], epoch: u64) -> Option<Self> {
        if snapshot.time.0 == 0 {
            return None;
        }
        let strategies = labels.iter().enumerate().filter_map(|(at, label)| {
            let sent = snapshot.sent.get(at).copied().unwrap_or_default();
            let trades = snapshot.trades_today.get(at).copied().unwrap_or_default();
            Some((label.clone(), kept(snapshot.strategies.get(at)?, &sent, trades)))
        });
        let trades = snapshot.trades_today.iter().fold(0, |sum: u32, n| sum.saturating_add(*n));
        Some(Self {
            epoch,
            time_ns: snapshot.time.0,
            whole: kept(&snapshot.whole, &snapshot.sent_all, trades),
            strategies: strategies.collect(),
        })
    }

    /// With the strategies that this run does not have, as `before` left them, for a run that has them again: they earn nothing
    /// meanwhile, and a day that has ended since is over for them too.
    pub fn with_absent(mut self, before: &Self, day: &DayBoundary) -> Self {
        let same_day = day.next_after(Time(before.time_ns)) == day.next_after(Time(self.time_ns));
        for (label, track) in &before.strategies {
            let absent = || {
                // Whoever begins again does so with no profit.
                let day_start = if same_day { track.day_start.saturating_sub(track.profit) } else { 0 };
                let counts = if same_day { *track } else { KeptTrack::default() };
                KeptTrack {
                    profit: 0,
                    day_start,
                    peak: track.peak.saturating_sub(track.profit),
                    losses_in_a_row: track.losses_in_a_row,
                    ..counts
                }
            };
            self.strategies.entry(label.clone()).or_insert_with(absent);
        }
        self
    }

    /// Reads the file; none where there is none.
    ///
    /// # Errors
    /// [`LatchedError`]: what was lost cannot be guessed.
    pub fn read(path: &Path) -> Result<Option<Self>, LatchedError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let (path, problem) = (path.to_owned(), "it is no text".to_owned());
                return Err(LatchedError::Damaged { path, problem });
            }
            Err(error) => return Err(LatchedError::Io { path: path.to_owned(), error }),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| LatchedError::Damaged { path: path.to_owned(), problem: error.to_string() })
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`LatchedError`].
    pub fn write(&self, path: &Path) -> Result<(), LatchedError> {
        let written = serde_json::to_string_pretty(self).map_err(io::Error::from);
        written
            .and_then(|text| write_whole(path, &(text + "\n")))
            .map_err(|error| LatchedError::Io { path: path.to_owned(), error })
    }

    /// The epoch of the run that wrote it.
    #[cfg(test)]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it was so.
    #[cfg(test)]
    pub const fn time(&self) -> Time {
        Time(self.time_ns)
    }

    /// Whether it says how it was later.
    pub const fn is_later_than(&self, other: &Self) -> bool {
        self.time_ns > other.time_ns
    }

    /// Whether it is the later word of the same runs, which went on with each other.
    pub const fn follows(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.is_later_than(other)
    }

    /// Whether it says the same, at whatever time.
    pub fn says_what(&self, other: &Self) -> bool {
        (self.epoch, self.whole, &self.strategies) == (other.epoch, other.whole, &other.strategies)
    }

    /// What a run of these strategies that begins `now` goes on from. `goes_on` is the epoch of the run that it goes on
    /// from by its journal, if it does.
    pub fn carried(&self, labels: &[String], day: &DayBoundary, now: Time, goes_on: Option<u64>) -> Carried {
        let day_ends = day.next_after(now);
        let same_day = day.next_after(Time(self.time_ns)) == day_ends;
        let from_here = goes_on != Some(self.epoch);
        let track = |kept: &KeptTrack| {
            let from = if from_here { kept.profit } else { 0 };
            CarriedTrack {
                day_start: kept.day_start.saturating_sub(from),
                peak: kept.peak.saturating_sub(from),
                losses_in_a_row: kept.losses_in_a_row,
                orders: kept.orders,
                cancels: kept.cancels,
                trades: kept.trades,
            }
        };
        let of = |label: &String| self.strategies.get(label).map(track).unwrap_or_default();
        Carried {
            day_ends_ns: if same_day { day_ends.0 } else { 0 },
            from_here,
            whole: track(&self.whole),
            strategies: labels.iter().map(of).collect(),
        }
    }

    /// For a person: what the day had lost, and how far equity was below its peak.
    pub fn told(&self) -> String {
        let whole = |units: i64| units as f64 / 1e8;
        format!(
            "the run before left a profit of {:.2} since its day began, {:.2} below its peak; losses are counted on",
            whole(self.whole.profit.saturating_sub(self.whole.day_start)),
            whole(self.whole.peak.saturating_sub(self.whole.profit)),
        )
    }
}

fn kept(track: &LossTrack, sent: &Counted, trades: u32) -> KeptTrack {
    // More than 64 bits of it no run has.
    let fit = |amount: i128| i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX });
    KeptTrack {
        profit: fit(track.profit),
        day_start: fit(track.day_start),
        peak: fit(track.peak),
        losses_in_a_row: track.losses_in_a_row,
        orders: sent.orders.day,
        cancels: sent.cancels.day,
        trades,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn snapshot(hours: u64) -> RiskSnapshot {
        let track = LossTrack { profit: -70, day_start: -20, peak: 30, ..LossTrack::default() };
        RiskSnapshot {
            time: Time(hours * HOUR),
            whole: track,
            strategies: vec![LossTrack { losses_in_a_row: 2, ..track }, LossTrack::default()],
            trades_today: vec![3, 4],
            ..RiskSnapshot::default()
        }
    }

    fn labels() -> Vec<String> {
        vec!["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn what_was_lost_today_is_lost_still_and_what_was_lost_yesterday_only_from_the_peak() {
        let kept = KeptLosses::of(&snapshot(100), &labels(), 7).expect("there were events");
        let utc = DayBoundary::default();
        // Hour 100 is four in the morning of the fifth day.
        let today = kept.carried(&labels(), &utc, Time(119 * HOUR), None);
        assert_eq!(today.day_ends_ns, 120 * HOUR);
        assert_eq!((today.whole.day_start, today.whole.peak), (50, 100), "50 lost today, 100 from the peak");
        assert_eq!((today.strategies[0].day_start, today.strategies[0].losses_in_a_row), (50, 2));
        assert_eq!((today.whole.trades, today.strategies[1].trades), (7, 4));
        let tomorrow = kept.carried(&labels(), &utc, Time(120 * HOUR), None);
        assert_eq!((tomorrow.day_ends_ns, tomorrow.whole.peak), (0, 100));
        // The day of New York began at hour 77 and ends at hour 101.
        let evening = DayBoundary::new("00:00", "Etc/GMT+5").expect("a zone");
        assert_eq!(kept.carried(&labels(), &evening, Time(101 * HOUR - 1), None).day_ends_ns, 101 * HOUR);
        assert_eq!(kept.carried(&labels(), &evening, Time(101 * HOUR), None).day_ends_ns, 0);
    }

    #[test]
    fn a_run_that_goes_on_has_the_profits_of_the_one_before() {
        let kept = KeptLosses::of(&snapshot(100), &labels(), 7).expect("there were events");
        let now = Time(101 * HOUR);
        let on = kept.carried(&labels(), &DayBoundary::default(), now, Some(7));
        assert_eq!((on.from_here, on.whole.day_start, on.whole.peak), (false, -20, 30));
        let other = kept.carried(&labels(), &DayBoundary::default(), now, Some(6));
        assert_eq!((other.from_here, other.whole.day_start, other.whole.peak), (true, 50, 100));
        let others = ["b".to_owned(), "c".to_owned(), "a".to_owned()];
        let moved = kept.carried(&others, &DayBoundary::default(), now, None);
        assert_eq!(moved.strategies[1], CarriedTrack::default(), "a strategy that is new");
        assert_eq!(moved.strategies[2].day_start, 50, "by its name");
    }

    #[test]
    fn a_strategy_that_a_run_does_not_have_keeps_its_day_for_one_that_has_it_again() {
        let utc = DayBoundary::default();
        let both = KeptLosses::of(&snapshot(100), &labels(), 7).expect("there were events");
        let without = |hours| {
            let b = RiskSnapshot { strategies: vec![LossTrack::default()], ..snapshot(hours) };
            KeptLosses::of(&b, &labels()[1..], 8).expect("there were events").with_absent(&both, &utc)
        };
        // Of a run that goes on from the one without it, too: it begins with no profit either way.
        for goes_on in [None, Some(8)] {
            let again = without(101).carried(&labels(), &utc, Time(102 * HOUR), goes_on);
            let a = again.strategies[0];
            assert_eq!((a.day_start, a.peak, a.losses_in_a_row, a.trades), (50, 100, 2, 3), "{goes_on:?}");
        }
        // It ran at noon of the next day for the last time.
        let later = without(132);
        let again = later.carried(&labels(), &utc, Time(133 * HOUR), None);
        assert!(again.day_ends_ns > 0, "the day of the one that ran");
        let a = again.strategies[0];
        assert_eq!((a.day_start, a.peak, a.losses_in_a_row, a.trades), (0, 100, 2, 0));
        let c = KeptLosses::of(&snapshot(133), &["c".to_owned()], 9).expect("there were events");
        assert_eq!(c.with_absent(&later, &utc).strategies["a"], later.strategies["a"], "over several runs");
    }

    #[test]
    fn the_file_reads_as_it_was_written_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.losses");
        assert_eq!(KeptLosses::read(&path).expect("none is there"), None);
        assert_eq!(KeptLosses::of(&RiskSnapshot::default(), &labels(), 7), None, "before the first event");
        let kept = KeptLosses::of(&snapshot(100), &labels(), 7).expect("there were events");
        kept.write(&path).expect("written");
        assert_eq!(KeptLosses::read(&path).expect("read"), Some(kept.clone()));
        let later = KeptLosses::of(&snapshot(101), &labels(), 7).expect("there were events");
        assert!(later != kept && later.says_what(&kept));
        let whole = fs::read_to_string(&path).expect("text");
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            fs::write(&path, &whole[..cut]).expect("written");
            assert!(matches!(KeptLosses::read(&path), Err(LatchedError::Damaged { .. })), "cut at {cut}");
        }
        fs::write(&path, b"{\xff}").expect("written");
        assert!(matches!(KeptLosses::read(&path), Err(LatchedError::Damaged { .. })), "no text");
    }
}
