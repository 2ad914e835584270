//! How often each latency occurred, one small plot a stage, all on the same x axis.

use super::axis::nanos_labels;
use super::{Area, Axis, series_class};
use crate::report::latency::model::StageLatency;
use crate::report::units;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Bars for each factor of ten.
const BARS_PER_DECADE: f64 = 15.0;
/// Where a bar for a count of 1 starts: half a count, so that a single outlier is seen.
const COUNT_FLOOR: f64 = 0.5;

const AREA: Area = Area { width: 510.0, height: 190.0, left: 56.0, right: 14.0, top: 14.0, bottom: 28.0 };

/// The plots, in the order of the stages; empty for a stage without values.
#[must_use]
pub fn plots(stages: &[StageLatency]) -> Vec<String> {
    let recorded = || stages.iter().map(|stage| &stage.histogram).filter(|histogram| !histogram.is_empty());
    let bounds = recorded().flat_map(|histogram| [histogram.min().max(1) as f64, histogram.max() as f64]);
    let x = Axis::logarithmic(bounds, AREA.x_span());
    stages.iter().enumerate().map(|(i, stage)| plot(i, stage, &x)).collect()
}

/// Counts by bar: bar *i* holds latencies from 10^(i/15) ns up to the next.
fn bars(histogram: &Histogram<u64>) -> BTreeMap<i32, u64> {
    let mut bars = BTreeMap::new();
    for step in histogram.iter_recorded() {
        let ns = histogram.median_equivalent(step.value_iterated_to()).max(1) as f64;
        // A power of ten belongs to the bar that begins with it, whatever the last bit of its logarithm.
        let bar = (ns.log10() * BARS_PER_DECADE + 1e-9).floor() as i32;
        *bars.entry(bar).or_insert(0) += step.count_at_value();
    }
    bars
}

fn plot(index: usize, stage: &StageLatency, x: &Axis) -> String {
    let histogram = &stage.histogram;
    if histogram.is_empty() {
        return String::new();
    }
    let bars = bars(histogram);
    let highest = bars.values().copied().max().unwrap_or(1) as f64;
    let y = Axis::logarithmic([COUNT_FLOOR, highest], AREA.y_span());
    let bottom = AREA.y_span().0;
    let bound = |bar: i32| 10_f64.powf(f64::from(bar) / BARS_PER_DECADE);
    let bar = |(&bar, &count): (&i32, &u64)| {
        let (from, to) = (x.px(bound(bar)), x.px(bound(bar + 1)));
        let top = y.px(count as f64);
        let (width, height) = ((to - from - 0.6).max(0.6), bottom - top);
        let label = format!(
            "{} to {}: {}",
            units::nanos(bound(bar).round() as u64),
            units::nanos(bound(bar + 1).round() as u64),
            units::count(count)
        );
        format!(
            "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{label}</title></rect>"
        )
    };
    let drawn: String = bars.iter().map(bar).collect();
    let marks: String = [("p50", 0.5, "middle"), ("p99", 0.99, "end"), ("p99.9", 0.999, "start")]
        .into_iter()
        .map(|(name, quantile, anchor)| mark(name, histogram.value_at_quantile(quantile), anchor, x))
        .collect();
    let y_ticks = y.ticks(0).into_iter().filter(|tick| *tick >= 1.0);
    let y_labels: Vec<(f64, String)> = every_other_of_many(y_ticks.map(|n| (n, count_label(n))).collect());
    let content = format!(
        "{}{}<g class=\"bars {}\">{drawn}</g>{marks}",
        AREA.x_grid(x, &nanos_labels(x.ticks(7))),
        AREA.y_grid(&y, &y_labels),
        series_class(index),
    );
    AREA.svg(&format!("How often each latency of {} occurred", stage.name), "class=\"plot\"", &content)
}

fn every_other_of_many(labels: Vec<(f64, String)>) -> Vec<(f64, String)> {
    let step = labels.len().div_ceil(5).max(1);
    labels.into_iter().step_by(step).collect()
}

fn count_label(n: f64) -> String {
    match n {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.0} k", n / 1e3),
        n if n < 1e9 => format!("{:.0} M", n / 1e6),
        n => format!("{:.0} G", n / 1e9),
    }
}

/// A percentile as a line. p99 and p99.9 can be close: `anchor` puts their names on either side.
fn mark(name: &str, ns: u64, anchor: &str, x: &Axis) -> String {
    let px = x.px(ns.max(1) as f64);
    let (bottom, top) = AREA.y_span();
    format!(
        "<g class=\"mark\"><title>{name} {}</title><line x1=\"{px:.1}\" x2=\"{px:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
         <text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{name}</text></g>",
        units::nanos(ns),
        top - 3.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_one_bar() {
        let mut histogram = Histogram::<u64>::new(3).expect("good digits");
        for value in [0, 1, 9, 10, 99, 100, 101, 1_000_000, 123_456_789] {
            histogram.record_n(value, 3).expect("it resizes");
        }
        let bars = bars(&histogram);
        assert_eq!(bars.values().sum::<u64>(), 27);
        assert_eq!((bars[&0], bars[&15], bars[&30]), (6, 3, 6));
    }
}
