//! Drawdowns: how far below its highest the curve was, from when until when.
//!
//! Measured at every point of the curve, not at the ends of periods, so that a fall within a day shows.

use super::periods::Sample;
use super::stamp;
use crate::domain::Time;
use serde::{Deserialize, Serialize};

/// One fall, from a peak until the curve is back at it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// The lowest value / the peak − 1; −0.25 is a quarter lost, −1 and below ruin.
    pub depth: f64,
    /// The lowest value − the peak.
    pub amount: f64,
    /// The last moment at the peak.
    #[serde(with = "stamp")]
    pub peak: Time,
    /// The first moment at the lowest value.
    #[serde(with = "stamp")]
    pub trough: Time,
    /// The first moment at the peak's value again or above; none if it never was.
    #[serde(with = "stamp::option")]
    pub recovered: Option<Time>,
    /// From the peak to the recovery, or to the end of the curve, ns.
    pub duration_ns: u64,
}

impl Drawdown {
    /// From the lowest value to the recovery, ns; none if it never recovered.
    #[must_use]
    pub fn recovery_ns(&self) -> Option<u64> {
        self.recovered.map(|recovered| recovered.since(self.trough))
    }
}

/// All falls, in order of time; none of a curve that never falls, or does not begin above zero.
#[must_use]
pub fn drawdowns(points: &[Sample]) -> Vec<Drawdown> {
    let mut found = Vec::new();
    let Some(mut peak) = points.first().copied().filter(|point| point.value > 0.0) else { return found };
    let mut open: Option<Sample> = None;
    let fall = |peak: Sample, trough: Sample, end: Time, recovered: Option<Time>| Drawdown {
        depth: trough.value / peak.value - 1.0,
        amount: trough.value - peak.value,
        peak: peak.time,
        trough: trough.time,
        recovered,
        duration_ns: end.since(peak.time),
    };
    for point in points {
        if point.value >= peak.value {
            if let Some(trough) = open.take() {
                found.push(fall(peak, trough, point.time, Some(point.time)));
            }
            peak = *point;
        } else if open.is_none_or(|trough| point.value < trough.value) {
            open = Some(*point);
        }
    }
    if let (Some(trough), Some(last)) = (open, points.last()) {
        found.push(fall(peak, trough, last.time, None));
    }
    found
}

/// How far below its highest so far the curve is at each point: 0 at a peak, −0.25 a quarter below.
#[must_use]
pub fn curve(points: &[Sample]) -> Vec<Sample> {
    let mut peak = f64::NEG_INFINITY;
    let below = |point: &Sample| {
        peak = peak.max(point.value);
        Sample::new(point.time, if peak > 0.0 { point.value / peak - 1.0 } else { 0.0 })
    };
    points.iter().map(below).collect()
}

/// The deepest of some falls; of equals the first.
#[must_use]
pub fn deepest(all: &[Drawdown]) -> Option<Drawdown> {
    all.iter().copied().reduce(|a, b| if b.depth < a.depth { b } else { a })
}

/// The longest of some falls; of equals the first.
#[must_use]
pub fn longest(all: &[Drawdown]) -> Option<Drawdown> {
    all.iter().copied().reduce(|a, b| if b.duration_ns > a.duration_ns { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Sample> {
        (0..).zip(values).map(|(time, &value)| Sample::new(Time(time), value)).collect()
    }

    #[test]
    fn each_fall_has_its_peak_trough_and_recovery() {
        let all = drawdowns(&points(&[100.0, 110.0, 110.0, 99.0, 88.0, 95.0, 110.0, 120.0, 114.0, 117.0]));
        let first = Drawdown {
            depth: 88.0 / 110.0 - 1.0,
            amount: -22.0,
            peak: Time(2),
            trough: Time(4),
            recovered: Some(Time(6)),
            duration_ns: 4,
        };
        let second = Drawdown {
            depth: 114.0 / 120.0 - 1.0,
            amount: -6.0,
            peak: Time(7),
            trough: Time(8),
            recovered: None,
            duration_ns: 2,
        };
        assert_eq!(all, [first, second]);
        assert_eq!((first.recovery_ns(), second.recovery_ns()), (Some(2), None));
        assert_eq!((deepest(&all), longest(&all)), (Some(first), Some(first)));
    }

    #[test]
    fn curves_that_cannot_fall_have_none() {
        for values in [&[][..], &[5.0], &[5.0, 5.0, 6.0], &[0.0, -1.0], &[-5.0, -9.0]] {
            assert_eq!(drawdowns(&points(values)), [], "{values:?}");
        }
        assert_eq!((deepest(&[]), longest(&[])), (None, None));
    }

    #[test]
    fn owing_money_is_more_than_all_lost() {
        let all = drawdowns(&points(&[10.0, -5.0]));
        assert_eq!((all[0].depth, all[0].amount), (-1.5, -15.0));
        let curve: Vec<f64> = curve(&points(&[10.0, -5.0, 20.0])).iter().map(|p| p.value).collect();
        assert_eq!(curve, [0.0, -1.5, 0.0]);
    }

    #[test]
    fn moments_come_back_from_json_to_the_nanosecond() {
        let fall = Drawdown {
            depth: -0.1,
            amount: -1.0,
            peak: Time(1_723_075_200_000_000_001),
            trough: Time(1_723_075_200_000_000_002),
            recovered: None,
            duration_ns: 7,
        };
        for fall in [fall, Drawdown { recovered: Some(Time(1_723_075_200_123_456_789)), ..fall }] {
            let text = serde_json::to_string(&fall).expect("it serialises");
            assert_eq!(serde_json::from_str::<Drawdown>(&text).expect("it reads"), fall, "{text}");
        }
    }
}
