//! Numbers for people: three significant digits and the unit that suits.

/// A duration in nanoseconds: `812 ns`, `4.56 µs`, `12.3 ms`, `2.00 s`.
#[must_use]
pub fn nanos(ns: u64) -> String {
    let ns_f = ns as f64;
    // The bounds are where three digits would round up to the next unit.
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", three_digits(ns_f / 1e3)),
        999_500..999_500_000 => format!("{} ms", three_digits(ns_f / 1e6)),
        _ => format!("{} s", three_digits(ns_f / 1e9)),
    }
}

/// A rate per second: `850/s`, `12.0 k/s`, `1.25 M/s`; a dash for what is no number.
#[must_use]
pub fn rate(per_s: f64) -> String {
    match per_s {
        r if !r.is_finite() => "–".to_owned(),
        r if r < 999.5 => format!("{}/s", three_digits(r)),
        r if r < 999_500.0 => format!("{} k/s", three_digits(r / 1e3)),
        r => format!("{} M/s", three_digits(r / 1e6)),
    }
}

/// An amount of memory in decimal units: `512 B`, `4.56 kB`, `77.1 MB`, `1.20 GB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let n_f = n as f64;
    match n {
        0..1_000 => format!("{n} B"),
        1_000..999_500 => format!("{} kB", three_digits(n_f / 1e3)),
        999_500..999_500_000 => format!("{} MB", three_digits(n_f / 1e6)),
        _ => format!("{} GB", three_digits(n_f / 1e9)),
    }
}

/// A count with separators: `1,234,567`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits_and_never_round_to_a_thousand() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (45_600_000, "45.6 ms"),
            (999_500_000, "1.00 s"),
            (u64::MAX, "18446744074 s"),
        ] {
            assert_eq!(nanos(ns), text, "{ns}");
        }
    }

    #[test]
    fn rates_and_counts() {
        assert_eq!(
            [rate(1.0), rate(20_000.0), rate(1_250_000.0), rate(f64::NAN)],
            ["1.00/s", "20.0 k/s", "1.25 M/s", "–"]
        );
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [bytes(0), bytes(77_120_000), bytes(999_499), bytes(999_500), bytes(2_000_000_000)],
            ["0 B", "77.1 MB", "999 kB", "1.00 MB", "2.00 GB"]
        );
    }
}
