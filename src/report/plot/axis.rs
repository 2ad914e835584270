//! From values to pixels: a logarithmic or linear axis, and where its labels go.

use crate::report::units;

/// More than any latency in ns or rate; what is above says nothing and would leave no finite power of ten above.
const VALUE_MAX: f64 = 1e20;

/// Maps values to pixels.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Axis {
    logarithmic: bool,
    low: f64,
    high: f64,
    from_px: f64,
    to_px: f64,
}

impl Axis {
    /// From `low` to `high`, each value as far as it is.
    pub(in crate::report) fn linear(low: f64, high: f64, (from_px, to_px): (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { logarithmic: false, low, high, from_px, to_px }
    }

    /// Linear, over all finite `values` and a little beyond; about zero if there are none.
    pub(in crate::report) fn covering(values: impl IntoIterator<Item = f64>, span: (f64, f64)) -> Self {
        let usable = values.into_iter().filter(|value| value.abs() < VALUE_MAX);
        let (low, high) =
            usable.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 0.0) } else { (low, high) };
        // A curve that stands still lies in the middle.
        let beyond = if high > low { (high - low) * 0.06 } else { (high.abs() * 0.01).max(1e-9) };
        Self::linear(low - beyond, high + beyond, span)
    }

    /// Logarithmic, over all positive `values`, widened to the next 1, 2 or 5; 1 to 10 if there are none.
    pub(in crate::report) fn logarithmic(
        values: impl IntoIterator<Item = f64>,
        (from_px, to_px): (f64, f64),
    ) -> Self {
        let usable = values.into_iter().filter(|value| *value > 0.0 && *value < VALUE_MAX);
        let (low, high) =
            usable.fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (1.0, 10.0) } else { (step_below(low), step_above(high)) };
        let high = if high > low { high } else { low * 10.0 };
        Self { logarithmic: true, low, high, from_px, to_px }
    }

    pub(in crate::report) fn high(&self) -> f64 {
        self.high
    }

    /// Where `value` goes; what is off the axis goes to its end.
    pub(in crate::report) fn px(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from_px + share * (self.to_px - self.from_px)
    }

    /// Round values for labels: on a logarithmic axis 1, 2, 5 of each decade, or only the decades of many, at most
    /// about `most`; on a linear one every 1, 2 or 5 of a power of ten.
    pub(in crate::report) fn ticks(&self, most: usize) -> Vec<f64> {
        if !self.logarithmic {
            let step = step_above((self.high - self.low) / most.max(1) as f64);
            let first = (self.low / step).ceil() as i64;
            return (first..).map(|i| i as f64 * step).take_while(|value| *value <= self.high).collect();
        }
        let all = steps(self.low, self.high, &[1.0, 2.0, 5.0]);
        if all.len() <= most { all } else { steps(self.low, self.high, &[1.0]) }
    }
}

fn steps(low: f64, high: f64, of_decade: &[f64]) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let values = decades.flat_map(|decade| of_decade.iter().map(move |step| step * 10_f64.powi(decade)));
    // Powers of ten are not exact; a label on the very edge must not get lost.
    values.filter(|value| *value >= low * 0.999_999 && *value <= high * 1.000_001).collect()
}

/// The largest of 1, 2, 5 × 10^n not above `value`.
fn step_below(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * decade).find(|step| *step <= value).unwrap_or(decade)
}

/// The least of 1, 2, 5, 10 × 10^n not below `value`.
fn step_above(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|step| step * decade).find(|step| *step >= value).unwrap_or(decade * 10.0)
}

/// Labels in time units for ticks in ns.
pub(in crate::report) fn nanos_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    ticks.into_iter().map(|ns| (ns, short(&units::nanos(ns.round() as u64)))).collect()
}

/// Labels for ticks in events per second.
pub(in crate::report) fn rate_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    ticks.into_iter().map(|rate| (rate, short(&units::rate(rate)))).collect()
}

/// Labels for ticks that count things.
pub(in crate::report) fn count_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    ticks.into_iter().map(|n| (n, units::count(n.round() as u64))).collect()
}

/// Labels in memory units for ticks in bytes.
pub(in crate::report) fn byte_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    ticks.into_iter().map(|n| (n, short(&units::bytes(n.round() as u64)))).collect()
}

/// Ticks are round: `1.00 µs` says no more than `1 µs`.
fn short(text: &str) -> String {
    let unit = text.find([' ', '/']).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_is_widened_to_round_values() {
        let axis = Axis::logarithmic([730.0, f64::NAN, 0.0, -3.0, f64::INFINITY, 4_100.0], (0.0, 100.0));
        assert_eq!((axis.low, axis.high), (500.0, 5_000.0));
        assert_eq!((axis.px(500.0), axis.px(5_000.0)), (0.0, 100.0));
        assert_eq!((axis.px(1.0), axis.px(9e9)), (0.0, 100.0));
        assert_eq!(axis.ticks(9), [500.0, 1_000.0, 2_000.0, 5_000.0]);
        assert_eq!(Axis::logarithmic([1.0, 1e6], (0.0, 1.0)).ticks(9).len(), 7);
    }

    #[test]
    fn degenerate_ranges_still_make_an_axis() {
        for axis in [
            Axis::logarithmic([], (0.0, 1.0)),
            Axis::logarithmic([1_000.0], (0.0, 1.0)),
            Axis::logarithmic([f64::MAX], (0.0, 1.0)),
            Axis::linear(0.0, 0.0, (0.0, 1.0)),
        ] {
            assert!(axis.low < axis.high && axis.px(axis.low) == 0.0, "{axis:?}");
            assert!(axis.ticks(9).len() < 400);
        }
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(Axis::linear(0.0, 47.0, (0.0, 1.0)).ticks(5), [0.0, 10.0, 20.0, 30.0, 40.0]);
    }

    #[test]
    fn labels_are_short() {
        let labels: Vec<_> =
            nanos_labels(vec![100.0, 1_000.0, 20_000.0, 2.5e6]).into_iter().map(|l| l.1).collect();
        assert_eq!(labels, ["100 ns", "1 µs", "20 µs", "2.5 ms"]);
        assert_eq!(rate_labels(vec![200.0, 50_000.0])[0].1, "200/s");
    }
}
