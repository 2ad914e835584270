//! Figures as a person reads them; a dash for what is not defined.

use crate::domain::Time;
use crate::report::plot::time_axis::utc;

/// What is not defined.
pub(in crate::report) const NOTHING: &str = "–";

/// An amount of money with separators: two decimals, or as many as a small one needs.
pub(in crate::report) fn money(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        size if size >= 1.0 || size == 0.0 => 2,
        size if size >= 0.01 => 4,
        _ => 8,
    };
    decimal(value, decimals)
}

/// A number with separators and so many decimals.
pub(in crate::report) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').map_or((&digits[..], None), |(w, f)| (w, Some(f)));
    // What rounds to nothing has no sign.
    let minus =
        if value < 0.0 && digits.bytes().any(|digit| matches!(digit, b'1'..=b'9')) { "−" } else { "" };
    let mut out = String::from(minus);
    for (n, digit) in whole.char_indices() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A fraction as a percentage: `12.34 %`.
pub(in crate::report) fn percent(fraction: f64) -> String {
    let decimals = if fraction.abs() < 0.0001 && fraction != 0.0 { 4 } else { 2 };
    if fraction.is_finite() {
        format!("{} %", decimal(fraction * 100.0, decimals))
    } else {
        NOTHING.to_owned()
    }
}

/// A figure that may not be defined.
pub(in crate::report) fn or_nothing(value: Option<f64>, shown: fn(f64) -> String) -> String {
    value.map_or_else(|| NOTHING.to_owned(), shown)
}

/// A ratio: two decimals.
pub(in crate::report) fn ratio(value: f64) -> String {
    decimal(value, 2)
}

/// `2024-08-08 12:34:56`, UTC.
pub(in crate::report) fn moment(time: Time) -> String {
    utc(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A span: the two largest units of days, hours, minutes, seconds.
pub(in crate::report) fn span(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.3} s", ns as f64 / 1e9),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        (1..100, ..) => format!("{days} d {hours} h"),
        _ => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_separators_and_small_ones_their_digits() {
        let shown = [0.0, 1234567.891, -1234.5, -0.5, 0.00012, 999.999, -1e-12].map(money);
        assert_eq!(
            shown,
            ["0.00", "1,234,567.89", "−1,234.50", "−0.5000", "0.00012000", "1,000.00", "0.00000000"]
        );
        assert_eq!([f64::NAN, f64::INFINITY].map(money), [NOTHING, NOTHING]);
        assert_eq!(
            [0.1234, -1.0, 0.000_012, f64::NAN].map(percent),
            ["12.34 %", "−100.00 %", "0.0012 %", NOTHING]
        );
    }

    #[test]
    fn spans_have_two_units() {
        let s = 1_000_000_000;
        let shown = [500_000_000, 59 * s, 61 * s, 3_700 * s, 90_000 * s, 86_400 * 400 * s].map(span);
        assert_eq!(shown, ["0.500 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h", "400 d"]);
    }
}
