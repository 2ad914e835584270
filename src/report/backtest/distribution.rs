//! How often each return occurred, with the value at risk.

use super::text::percent;
use crate::domain::performance::Outcome;
use crate::report::plot::axis::count_labels;
use crate::report::plot::{Area, Axis};
use crate::statistics::Statistics;
use crate::statistics::outcome::equity;
use crate::statistics::periods::{PeriodKind, Periods, returns};

const AREA: Area = Area { width: 1040.0, height: 260.0, left: 60.0, right: 20.0, top: 24.0, bottom: 46.0 };
const BARS: usize = 60;

/// What one return is of.
pub(super) fn period_name(periods: Periods) -> &'static str {
    match periods.kind {
        PeriodKind::Points => "interval between points",
        PeriodKind::Sessions => "day with a point",
        PeriodKind::Days => "day",
        PeriodKind::Hours => "hour",
        PeriodKind::Minutes => "minute",
        PeriodKind::Seconds => "second",
        PeriodKind::SessionHours => "hour with a point",
        PeriodKind::SessionMinutes => "minute with a point",
    }
}

/// The plot; nothing for less than two returns, or returns that are all the same.
pub(super) fn plot(outcome: &Outcome, statistics: &Statistics) -> String {
    let returns = returns(&statistics.periods.sample(&equity(outcome)));
    let low = returns.iter().copied().fold(f64::MAX, f64::min);
    let high = returns.iter().copied().fold(f64::MIN, f64::max);
    if returns.len() < 2 || low >= high {
        return String::new();
    }
    // Bars begin at zero, so that none is of gains and losses both.
    let width = (high - low) / (BARS - 1) as f64;
    let first = (low / width).floor() as i64;
    let mut counts = vec![0u64; BARS + 1];
    for value in &returns {
        let bar = ((value / width).floor() as i64 - first).clamp(0, BARS as i64) as usize;
        counts[bar] += 1;
    }
    let x = Axis::linear(first as f64 * width, (first + BARS as i64) as f64 * width, AREA.x_span());
    let highest = counts.iter().copied().max().unwrap_or(1) as f64;
    let y = Axis::linear(0.0, highest * 1.05, AREA.y_span());
    let bottom = AREA.y_span().0;
    let bar = |(n, &count): (usize, &u64)| {
        let from = (first + n as i64) as f64 * width;
        let (left, right, top) = (x.px(from), x.px(from + width), y.px(count as f64));
        let class = if from < 0.0 { "s3" } else { "s2" };
        format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} to {}: {count}</title></rect>",
            (right - left - 0.8).max(0.4),
            bottom - top,
            percent(from),
            percent(from + width)
        )
    };
    let bars: String = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(bar).collect();
    let marks = [("VaR 95 %", statistics.value_at_risk_95), ("VaR 99 %", statistics.value_at_risk_99)];
    let mark = |(n, (name, value)): (usize, (&str, Option<f64>))| {
        let Some(value) = value else { return String::new() };
        let (px, top) = (x.px(value), AREA.top);
        let anchor = if n == 0 { "start" } else { "end" };
        format!(
            "<g class=\"mark\"><title>{name}: {}</title><line x1=\"{px:.1}\" x2=\"{px:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{name}</text></g>",
            percent(value),
            top - 6.0
        )
    };
    let marks: String = marks.into_iter().enumerate().map(mark).collect();
    let x_labels: Vec<_> = x.ticks(9).into_iter().map(|value| (value, percent(value))).collect();
    let content = format!(
        "{}{}{}<g class=\"bars\">{bars}</g>{marks}",
        AREA.x_grid(&x, &x_labels),
        AREA.y_grid(&y, &count_labels(y.ticks(5).into_iter().filter(|n| n.fract() == 0.0).collect())),
        AREA.captions(&format!("return of one {}", period_name(statistics.periods)), ""),
    );
    AREA.svg("How often each return occurred", "class=\"plot\"", &content)
}
