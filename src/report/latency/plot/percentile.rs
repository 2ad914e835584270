//! Percentiles of all stages in one plot; the x axis has a step for each further nine.

use super::axis::nanos_labels;
use super::{Area, Axis, series_class};
use crate::report::html::escape;
use crate::report::latency::model::StageLatency;
use hdrhistogram::Histogram;

/// The axis ends at 99.999 %.
const NINES_MAX: f64 = 5.0;
/// Samples of a curve for each nine.
const SAMPLES_PER_NINE: usize = 50;
/// The tail begins at 99 %.
const TAIL_NINES: f64 = 2.0;

const AREA: Area = Area { width: 1040.0, height: 440.0, left: 78.0, right: 34.0, top: 36.0, bottom: 46.0 };

/// Which part of the curves, on which scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everything, latency logarithmic.
    Whole,
    /// From 99 %, latency logarithmic.
    Tail,
    /// Everything, latency linear.
    Linear,
}

/// A stage's curve: its latency in ns at each 1/50 of a nine, for as long as one recorded value is left.
#[must_use]
pub fn samples(histogram: &Histogram<u64>) -> Vec<u64> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let nines = support(histogram).min(NINES_MAX);
    let last = (nines * SAMPLES_PER_NINE as f64).floor() as usize;
    let quantile = |i: usize| 1.0 - 10_f64.powf(-(i as f64) / SAMPLES_PER_NINE as f64);
    (0..=last).map(|i| histogram.value_at_quantile(quantile(i))).collect()
}

/// How many nines the count of values can tell: 3 for a thousand.
fn support(histogram: &Histogram<u64>) -> f64 {
    (histogram.len() as f64).log10().max(0.0)
}

/// The plot, or nothing where no stage has values in that part.
#[must_use]
pub fn plot(stages: &[StageLatency], view: View) -> Option<String> {
    let nines =
        stages.iter().filter(|stage| !stage.histogram.is_empty()).map(|stage| support(&stage.histogram));
    let high = nines.reduce(f64::max)?.ceil().clamp(1.0, NINES_MAX);
    let low = if view == View::Tail { TAIL_NINES } else { 0.0 };
    if high <= low {
        return None;
    }
    let x = Axis::linear(low, high, AREA.x_span());
    let y = y_axis(stages, view, low);
    let first = (low * SAMPLES_PER_NINE as f64) as usize;
    let curves: String = stages.iter().enumerate().map(|(i, stage)| curve(i, stage, first, &x, &y)).collect();
    let content = format!(
        "{}{}{}<line class=\"cursor\" y1=\"{top}\" y2=\"{bottom}\" visibility=\"hidden\"/>{curves}",
        AREA.x_grid(&x, &x_labels(low, high)),
        AREA.y_grid(&y, &nanos_labels(y.ticks(10))),
        AREA.captions("percentile of values", "latency"),
        top = AREA.top,
        bottom = AREA.height - AREA.bottom,
    );
    let (from_px, to_px) = AREA.x_span();
    let data = format!(
        "class=\"plot percentiles\" data-low=\"{low}\" data-high=\"{high}\" data-from=\"{from_px}\" data-to=\"{to_px}\""
    );
    Some(AREA.svg("Latency by percentile, one line a stage", &data, &content))
}

fn y_axis(stages: &[StageLatency], view: View, low_nines: f64) -> Axis {
    let recorded = || stages.iter().map(|stage| &stage.histogram).filter(|histogram| !histogram.is_empty());
    let highest =
        recorded().map(|histogram| histogram.value_at_quantile(1.0 - 10_f64.powf(-NINES_MAX)) as f64);
    if view == View::Linear {
        return Axis::linear(0.0, highest.fold(1.0, f64::max) * 1.05, AREA.y_span());
    }
    let lowest =
        recorded().map(|histogram| histogram.value_at_quantile(1.0 - 10_f64.powf(-low_nines)).max(1) as f64);
    Axis::logarithmic(lowest.chain(highest), AREA.y_span())
}

fn x_labels(low: f64, high: f64) -> Vec<(f64, String)> {
    let marks = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
    let nines = |percent: f64| -(1.0 - percent / 100.0).log10();
    let labels = marks.into_iter().map(|percent| (nines(percent), format!("{percent} %")));
    labels.filter(|(nines, _)| *nines >= low - 1e-6 && *nines <= high + 1e-6).collect()
}

fn curve(index: usize, stage: &StageLatency, first: usize, x: &Axis, y: &Axis) -> String {
    let values = samples(&stage.histogram);
    let nines = |i: usize| i as f64 / SAMPLES_PER_NINE as f64;
    let mut points: Vec<String> = Vec::with_capacity(values.len() + 1);
    for (i, &value) in values.iter().enumerate().skip(first) {
        points.push(format!("{:.1},{:.1}", x.px(nines(i)), y.px(value.max(1) as f64)));
    }
    if points.is_empty() {
        return String::new();
    }
    let class = series_class(index);
    let mut end = String::new();
    // The curve ends inside the plot: its last value is the largest there was.
    if support(&stage.histogram) < x.high() {
        let (cx, cy) = (x.px(support(&stage.histogram)), y.px(stage.histogram.max() as f64));
        points.push(format!("{cx:.1},{cy:.1}"));
        end = format!("<circle class=\"dot\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3.5\"/>");
    }
    format!(
        "<g class=\"series {class}\" data-series=\"{index}\"><title>{}</title><polyline points=\"{}\"/>{end}</g>",
        escape(&stage.name),
        points.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_where_the_values_do() {
        let mut histogram = Histogram::<u64>::new(3).expect("good digits");
        assert!(samples(&histogram).is_empty());
        for value in 1..=1_000 {
            histogram.record(value).expect("it resizes");
        }
        let curve = samples(&histogram);
        assert_eq!(curve.len(), 3 * SAMPLES_PER_NINE + 1);
        assert_eq!((curve[0], curve[SAMPLES_PER_NINE], curve[2 * SAMPLES_PER_NINE]), (1, 900, 990));
        histogram.record_n(5, 100_000_000).expect("it resizes");
        assert_eq!(samples(&histogram).len(), 5 * SAMPLES_PER_NINE + 1);
    }

    #[test]
    fn there_is_no_tail_of_ten_values() {
        let mut histogram = Histogram::<u64>::new(3).expect("good digits");
        histogram.record_n(7, 10).expect("it resizes");
        let stages = [StageLatency { name: "a".into(), doc: String::new(), histogram }];
        assert!(plot(&stages, View::Whole).is_some() && plot(&stages, View::Tail).is_none());
        assert!(plot(&[], View::Whole).is_none());
    }
}
