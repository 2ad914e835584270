//! Equity beside its benchmark, drawdown, and exposure: three plots over one axis of time.

use super::text::{decimal, percent};
use crate::domain::Time;
use crate::domain::performance::Outcome;
use crate::report::plot::line::line;
use crate::report::plot::time_axis::ticks;
use crate::report::plot::{Area, Axis};
use crate::statistics::outcome::{buy_and_hold, equity};
use crate::statistics::periods::Sample;
use crate::statistics::{Statistics, drawdown};

const EQUITY: Area = Area { width: 1040.0, height: 340.0, left: 92.0, right: 20.0, top: 36.0, bottom: 28.0 };
const BELOW: Area = Area { width: 1040.0, height: 170.0, left: 92.0, right: 20.0, top: 36.0, bottom: 28.0 };

/// Seconds from the beginning: nanoseconds since 1970 are more than an f64 holds.
pub(in crate::report) struct TimeAxis {
    from: Time,
    pub(in crate::report) axis: Axis,
    labels: Vec<(f64, String)>,
}

impl TimeAxis {
    pub(in crate::report) fn new(from: Time, until: Time, span: (f64, f64)) -> Self {
        let seconds = |time: Time| time.since(from) as f64 / 1e9;
        let labels = ticks(from, until, 9).into_iter().map(|(at, label)| (seconds(at), label)).collect();
        Self { from, axis: Axis::linear(0.0, seconds(until), span), labels }
    }

    pub(in crate::report) fn at(&self, time: Time) -> f64 {
        time.since(self.from) as f64 / 1e9
    }

    pub(in crate::report) fn px(&self, time: Time) -> f64 {
        self.axis.px(self.at(time))
    }

    pub(in crate::report) fn grid(&self, area: &Area) -> String {
        area.x_grid(&self.axis, &self.labels)
    }

    pub(in crate::report) fn line(&self, points: &[Sample], y: &Axis) -> String {
        line(points.iter().map(|point| (self.at(point.time), point.value)), &self.axis, y)
    }
}

/// Labels of amounts with as many decimals as their distance asks for.
pub(in crate::report) fn amount_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::MAX, f64::min);
    let decimals = if step >= 1.0 || step == f64::MAX { 0.0 } else { (-step.log10()).ceil().min(12.0) };
    ticks.into_iter().map(|value| (value, decimal(value, decimals as usize))).collect()
}

fn percent_labels(ticks: Vec<f64>) -> Vec<(f64, String)> {
    ticks.into_iter().map(|value| (value, short_percent(value))).collect()
}

/// Ticks are round: `10.00 %` says no more than `10 %`.
fn short_percent(value: f64) -> String {
    let long = percent(value);
    let (number, unit) = long.split_at(long.find(' ').unwrap_or(long.len()));
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

/// The three plots.
pub(in crate::report) fn plots(outcome: &Outcome, statistics: &Statistics) -> String {
    let points = equity(outcome);
    let x = TimeAxis::new(outcome.from, outcome.until, EQUITY.x_span());
    [
        of_equity(outcome, &points, statistics, &x),
        of_drawdown(&points, statistics, &x),
        of_exposure(outcome, &points, &x),
    ]
    .concat()
}

fn of_equity(outcome: &Outcome, points: &[Sample], statistics: &Statistics, x: &TimeAxis) -> String {
    let start = statistics.start_equity;
    let held: Vec<Sample> =
        buy_and_hold(outcome).iter().map(|point| Sample::new(point.time, point.value * start)).collect();
    let y = Axis::covering(points.iter().chain(&held).map(|point| point.value), EQUITY.y_span());
    let benchmark = if held.is_empty() {
        String::new()
    } else {
        format!("<g class=\"series s9 benchmark\"><polyline points=\"{}\"/></g>", x.line(&held, &y))
    };
    let content = format!(
        "{}{}{}{benchmark}<g class=\"series s0\"><polyline points=\"{}\"/></g>",
        x.grid(&EQUITY),
        EQUITY.y_grid(&y, &amount_labels(y.ticks(7))),
        EQUITY.captions("", &crate::report::html::escape(&format!("equity, {}", outcome.currency))),
        x.line(points, &y)
    );
    let legend = if held.is_empty() { String::new() } else { legend() };
    format!("{legend}{}", EQUITY.svg("Equity over time", "class=\"plot\"", &content))
}

fn legend() -> String {
    "<div class=\"legend\"><span class=\"entry\"><i class=\"key s0\"></i>equity</span>\
     <span class=\"entry\"><i class=\"key s9\"></i>buying and holding the instruments, in equal parts</span></div>\n"
        .to_owned()
}

fn of_drawdown(points: &[Sample], statistics: &Statistics, x: &TimeAxis) -> String {
    let below = drawdown::curve(points);
    let deepest = below.iter().map(|point| point.value).fold(0.0, f64::min);
    // A fall too small to be seen on an axis of its own is one that did not happen.
    let low = deepest.min(-1e-4) * 1.08;
    let y = Axis::linear(low, 0.0, BELOW.y_span());
    let line = x.line(&below, &y);
    let (from, to) = (x.axis.px(0.0), below.last().map_or(0.0, |last| x.px(last.time)));
    let zero = y.px(0.0);
    let mark = statistics.max_drawdown.map_or_else(String::new, |fall| {
        let [peak, trough] = [fall.peak, fall.trough].map(|time| x.px(time));
        let (top, bottom) = (BELOW.top, BELOW.height - BELOW.bottom);
        format!(
            "<rect class=\"fall\" x=\"{peak:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} from {} to {}</title></rect>",
            (trough - peak).max(1.0),
            bottom - top,
            percent(fall.depth),
            super::text::moment(fall.peak),
            super::text::moment(fall.trough)
        )
    });
    let content = format!(
        "{}{}{}{mark}<g class=\"series s3\"><polygon class=\"under\" points=\"{from:.1},{zero:.1} {line} {to:.1},{zero:.1}\"/>\
         <polyline points=\"{line}\"/></g>",
        x.grid(&BELOW),
        BELOW.y_grid(&y, &percent_labels(y.ticks(4))),
        BELOW.captions("", "drawdown"),
    );
    BELOW.svg("Drawdown over time", "class=\"plot\"", &content)
}

/// Long above, short below, as parts of the equity; drawn as the steps that they are.
fn of_exposure(outcome: &Outcome, equity: &[Sample], x: &TimeAxis) -> String {
    let beside = crate::statistics::periods::at_times(equity, outcome.equity.iter().map(|point| point.time));
    let part = |units: i128, worth: &Sample| {
        if worth.value > 0.0 { outcome.number(units) / worth.value } else { 0.0 }
    };
    let mut long = Vec::new();
    let mut short = Vec::new();
    for (point, worth) in outcome.equity.iter().zip(&beside) {
        step(&mut long, Sample::new(point.time, part(point.long, worth)));
        step(&mut short, Sample::new(point.time, -part(point.short, worth)));
    }
    if long.iter().chain(&short).all(|point| point.value == 0.0) {
        return String::new();
    }
    let all = || long.iter().chain(&short).map(|point| point.value);
    let low = all().fold(0.0, f64::min) * 1.08;
    let high = all().fold(0.0, f64::max) * 1.08;
    let y = Axis::linear(low, high, BELOW.y_span());
    let zero = y.px(0.0);
    let area = |points: &[Sample], class: &str| {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
        let (from, to) = (x.px(first.time), x.px(last.time));
        let line = x.line(points, &y);
        format!(
            "<g class=\"series {class}\"><polygon class=\"under\" points=\"{from:.1},{zero:.1} {line} {to:.1},{zero:.1}\"/>\
             <polyline class=\"thin\" points=\"{line}\"/></g>"
        )
    };
    let shorted = if low < 0.0 { area(&short, "s1") } else { String::new() };
    let content = format!(
        "{}{}{}{}{shorted}",
        x.grid(&BELOW),
        BELOW.y_grid(&y, &percent_labels(y.ticks(4))),
        BELOW.captions("", "exposure, of equity; short below zero"),
        area(&long, "s2")
    );
    BELOW.svg("Exposure over time", "class=\"plot\"", &content)
}

/// Adds a value that holds until the next one.
fn step(points: &mut Vec<Sample>, next: Sample) {
    if let Some(last) = points.last().copied()
        && last.value != next.value
    {
        points.push(Sample::new(next.time, last.value));
    }
    points.push(next);
}
