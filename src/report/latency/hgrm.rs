//! A histogram as HdrHistogram's percentile text, which its plotter and many tools read. Values are in µs.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// As the reference implementation's default: this many lines for each halving of the distance to 100 %.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
/// Nanoseconds recorded, microseconds written.
const NS_PER_US: f64 = 1_000.0;

/// The text, in the layout of Java's `outputPercentileDistribution(stream, 5, 1000.0)`: the format has no place for
/// a unit, so whoever offers the file must say that it is µs.
#[must_use]
pub fn text(histogram: &Histogram<u64>) -> String {
    let mut out =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    if !histogram.is_empty() {
        write_lines(histogram, &mut out);
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_US, histogram.stdev() / NS_PER_US);
    let max = histogram.max() as f64 / NS_PER_US;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(out, "#[Max     = {max:>12.3}, Total count    = {:>12}]", histogram.len());
    let _ = writeln!(
        out,
        "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        histogram.buckets(),
        sub_buckets(histogram)
    );
    out
}

fn write_lines(histogram: &Histogram<u64>, out: &mut String) {
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / NS_PER_US;
        let quantile = step.quantile_iterated_to();
        let _ = write!(out, "{value:>12.3} {quantile:>14.12} {total:>10}");
        // The last line has no fourth column: it would be infinite.
        if quantile < 1.0 {
            let _ = write!(out, " {:>14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
}

/// Sub-buckets: the power of two that tells `2 × 10^digits` values apart.
fn sub_buckets(histogram: &Histogram<u64>) -> u64 {
    (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parsed {
        lines: Vec<(f64, f64, u64, Option<f64>)>,
        footer: Vec<(String, f64, f64)>,
    }

    /// Reads as the plotter does: lines of three or four numbers, then `#[Name = number, Name = number]`.
    fn parse(text: &str) -> Parsed {
        let mut lines = text.lines();
        let heading: Vec<_> = lines.next().expect("a heading").split_whitespace().collect();
        assert_eq!(heading, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
        assert_eq!(lines.next(), Some(""));
        let mut parsed = Parsed { lines: Vec::new(), footer: Vec::new() };
        for line in lines {
            if let Some(footer) = line.strip_prefix("#[") {
                let (first, second) =
                    footer.strip_suffix(']').expect("a bracket").split_once(", ").expect("two");
                let value =
                    |text: &str| text.split_once('=').expect("=").1.trim().parse::<f64>().expect("a number");
                let name = first.split_once('=').expect("=").0.trim().to_owned();
                parsed.footer.push((name, value(first), value(second)));
            } else {
                let words: Vec<_> = line.split_whitespace().collect();
                let number = |i: usize| words[i].parse::<f64>().expect("a number");
                parsed.lines.push((
                    number(0),
                    number(1),
                    words[2].parse().expect("a count"),
                    words.get(3).map(|word| word.parse().expect("a number")),
                ));
            }
        }
        parsed
    }

    fn example() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("good bounds");
        for i in 1..=10_000_u64 {
            histogram.record(i * 100).expect("in bounds");
        }
        histogram.record(5_000_000).expect("in bounds");
        histogram
    }

    #[test]
    fn the_text_reads_back_as_the_histogram() {
        let histogram = example();
        let parsed = parse(&text(&histogram));
        let mut previous = (0.0, -1.0, 0);
        for &(value, quantile, total, inverse) in &parsed.lines {
            assert!(
                value >= previous.0 && quantile > previous.1 && total >= previous.2,
                "{value} {quantile} {total}"
            );
            // Half a µs of three printed decimals, and one of the histogram's own steps.
            let expected = histogram.value_at_quantile(quantile) as f64 / 1e3;
            assert!(
                (value - expected).abs() <= 0.0005 + expected * 0.001,
                "{value} at {quantile}, not {expected}"
            );
            let below = histogram.count_between(0, (value * 1e3) as u64);
            assert_eq!(total, below, "count up to {value}");
            match inverse {
                Some(inverse) => assert!((inverse - 1.0 / (1.0 - quantile)).abs() < 0.005 + inverse * 1e-6),
                None => assert!((quantile - 1.0).abs() < 1e-12),
            }
            previous = (value, quantile, total);
        }
        let last = parsed.lines.last().expect("lines");
        assert_eq!((last.0, last.2, last.3), (histogram.max() as f64 / 1e3, 10_001, None));
        assert_eq!(parsed.lines.iter().filter(|line| line.3.is_none()).count(), 1);
        let names: Vec<_> = parsed.footer.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(names, ["Mean", "Max", "Buckets"]);
        assert!((parsed.footer[0].1 - histogram.mean() / 1e3).abs() < 0.001);
        assert!((parsed.footer[0].2 - histogram.stdev() / 1e3).abs() < 0.001);
        assert_eq!((parsed.footer[1].1, parsed.footer[1].2), (histogram.max() as f64 / 1e3, 10_001.0));
        assert_eq!(parsed.footer[2].2, 2_048.0);
    }

    /// The layout, step by step, that the Java implementation and its ports print for three values.
    #[test]
    fn three_values_are_written_as_the_reference_writes_them() {
        let mut histogram =
            Histogram::<u64>::new_with_bounds(1, 9_007_199_254_740_991, 3).expect("good bounds");
        for ns in [250, 500, 750] {
            histogram.record(ns).expect("in bounds");
        }
        let expected = "       Value     Percentile TotalCount 1/(1-Percentile)

       0.250 0.000000000000          1           1.00
       0.250 0.100000000000          1           1.11
       0.250 0.200000000000          1           1.25
       0.250 0.300000000000          1           1.43
       0.500 0.400000000000          2           1.67
       0.500 0.500000000000          2           2.00
       0.500 0.550000000000          2           2.22
       0.500 0.600000000000          2           2.50
       0.500 0.650000000000          2           2.86
       0.750 0.700000000000          3           3.33
       0.750 1.000000000000          3
#[Mean    =        0.500, StdDeviation   =        0.204]
#[Max     =        0.750, Total count    =            3]
#[Buckets =           43, SubBuckets     =         2048]
";
        assert_eq!(text(&histogram), expected);
    }

    #[test]
    fn an_empty_histogram_has_no_lines() {
        let parsed = parse(&text(&Histogram::new(3).expect("good digits")));
        assert!(parsed.lines.is_empty());
        assert_eq!(parsed.footer[1].2, 0.0);
    }
}
