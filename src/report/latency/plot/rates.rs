//! Latency against offered rate: lines through one point a run, or a cloud of one point an interval.

use super::Area;
use super::axis::{nanos_labels, rate_labels};
use super::scatter::{Dot, Scatter};
use crate::report::latency::model::{IntervalSample, RatePoint};
use crate::report::units;

const AREA: Area = Area { width: 1040.0, height: 360.0, left: 78.0, right: 34.0, top: 36.0, bottom: 46.0 };

/// Names of the lines, in the order of their colours.
pub const RATE_SERIES: [&str; 4] = ["p50", "p99", "p99.9", "max"];
/// Names of the dots, in the order of their colours.
pub const INTERVAL_SERIES: [&str; 2] = ["p50", "p99"];

fn usable(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}

/// One line a percentile through the measured rates; nothing if no rate is a positive number.
#[must_use]
pub fn from_rates(points: &[RatePoint]) -> Option<String> {
    let mut points: Vec<&RatePoint> = points.iter().filter(|point| usable(point.offered_per_s)).collect();
    points.sort_by(|a, b| a.offered_per_s.total_cmp(&b.offered_per_s));
    let figures: [fn(&RatePoint) -> u64; 4] = [|p| p.p50_ns, |p| p.p99_ns, |p| p.p999_ns, |p| p.max_ns];
    let dot = |name: &str, figure: fn(&RatePoint) -> u64, point: &RatePoint| Dot {
        x: point.offered_per_s,
        y: figure(point) as f64,
        hollow: !point.kept_up(),
        label: format!(
            "{name} {} at {} offered, {} achieved",
            units::nanos(figure(point)),
            units::rate(point.offered_per_s),
            units::rate(point.achieved_per_s)
        ),
    };
    let series = RATE_SERIES.iter().zip(figures);
    let series = series.map(|(name, figure)| points.iter().map(|point| dot(name, figure, point)).collect());
    draw(&series.collect::<Vec<_>>(), true)
}

/// A cloud: two dots for each interval of one run; nothing if no rate is a positive number.
#[must_use]
pub fn from_intervals(samples: &[IntervalSample]) -> Option<String> {
    let figures: [fn(&IntervalSample) -> u64; 2] = [|s| s.p50_ns, |s| s.p99_ns];
    let dot = |name: &str, ns: u64, sample: &IntervalSample| Dot {
        x: sample.offered_per_s,
        y: ns as f64,
        hollow: false,
        label: format!(
            "{name} {} at {}, {} events",
            units::nanos(ns),
            units::rate(sample.offered_per_s),
            units::count(sample.count)
        ),
    };
    let series = INTERVAL_SERIES.iter().zip(figures).map(|(name, figure)| {
        let good = samples.iter().filter(|sample| usable(sample.offered_per_s) && sample.count > 0);
        good.map(|sample| dot(name, figure(sample), sample)).collect()
    });
    draw(&series.collect::<Vec<_>>(), false)
}

fn draw(series: &[Vec<Dot>], joined: bool) -> Option<String> {
    let scatter = Scatter {
        area: &AREA,
        title: "Latency by offered rate",
        captions: ("offered rate", "latency"),
        labels: [rate_labels, nanos_labels],
        joined,
    };
    scatter.draw(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(offered_per_s: f64, achieved_per_s: f64) -> RatePoint {
        RatePoint {
            frames: 3_000,
            offered_per_s,
            achieved_per_s,
            p50_ns: 300,
            p99_ns: 900,
            p999_ns: 5_000,
            max_ns: 90_000,
        }
    }

    #[test]
    fn a_rate_that_was_not_kept_up_with_is_hollow() {
        let svg = from_rates(&[point(1_000.0, 1_000.0), point(1e6, 6e5)]).expect("two points");
        assert_eq!(svg.matches("dot hollow").count(), 4);
        assert_eq!(svg.matches("<circle").count(), 8);
    }

    #[test]
    fn impossible_rates_are_left_out() {
        assert!(from_rates(&[point(f64::NAN, 1.0), point(0.0, 0.0), point(-1.0, 0.0)]).is_none());
        let svg = from_rates(&[point(f64::INFINITY, 1.0), point(10.0, f64::NAN)]).expect("one point");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
