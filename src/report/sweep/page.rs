//! The page of a sweep.

use super::{Candidate, SweepReport, WalkForwardReport, WindowReport, heat};
use crate::domain::Time;
use crate::report::backtest::curves::{TimeAxis, amount_labels};
use crate::report::backtest::text::{NOTHING, decimal, moment, money, or_nothing, percent, ratio};
use crate::report::html::escape;
use crate::report::plot::{Area, Axis, STYLE};
use crate::report::units;
use crate::statistics::{Sample, Statistics};

const OWN_STYLE: &str = include_str!("page.css");
const HOW_TO_READ: &str = include_str!("how_to_read.html");
/// More rows than this make a page slow; all are in `sweep.json`.
const ROWS_MAX: usize = 500;
const CURVE: Area = Area { width: 1040.0, height: 280.0, left: 92.0, right: 20.0, top: 36.0, bottom: 28.0 };

pub(super) fn text(report: &SweepReport) -> String {
    let walk = report.walk_forward.as_ref();
    let sections = [
        section("heat", "Over the parameters", &heat::maps(report)),
        section("walk", "Walk-forward", &walk.map_or_else(String::new, |walk| walk_forward(report, walk))),
        section("ranking", "Ranking", &ranking(report)),
        section("failed", "Failed", &failed(report)),
        section("settings", "What was run", &settings(report)),
        section("reading", "How to read this", HOW_TO_READ),
    ];
    let title = if report.name.is_empty() { "Sweep".to_owned() } else { format!("Sweep: {}", report.name) };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n\
         </head>\n<body>\n<header>\n<h1>{title}</h1>\n{cards}{warning}</header>\n<main>\n{sections}</main>\n</body>\n</html>\n",
        title = escape(&title),
        cards = cards(report),
        warning = report
            .warning()
            .map_or_else(String::new, |w| format!("<p class=\"warning\">{}</p>\n", escape(&sentence(&w)))),
        sections = sections.concat(),
    )
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn section(id: &str, heading: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{content}</section>\n")
}

fn cards(report: &SweepReport) -> String {
    let best = report.best();
    let run = report.candidates.len() + report.refused + report.failed.len();
    let cards = [
        ("combinations", units::count(report.combinations)),
        ("run", units::count(run as u64)),
        ("refused", units::count(report.refused as u64)),
        ("best", best.map_or_else(|| NOTHING.to_owned(), |best| best.values.join(", "))),
        (report.objective.as_str(), or_nothing(best.and_then(|best| best.objective), four)),
        ("deflated Sharpe", or_nothing(best.and_then(|best| best.deflated_sharpe), percent)),
    ];
    let card = |(name, value): &(&str, String)| {
        format!("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escape(value), escape(name))
    };
    format!("<div class=\"cards\">\n{}</div>\n", cards.iter().map(card).collect::<String>())
}

fn four(value: f64) -> String {
    decimal(value, 4)
}

fn axis_heads(report: &SweepReport) -> String {
    report.axes.iter().map(|axis| format!("<th>{}</th>", escape(&axis.name))).collect()
}

fn cells(values: &[String]) -> String {
    values.iter().map(|value| format!("<td>{}</td>", escape(value))).collect()
}

fn ranking(report: &SweepReport) -> String {
    if report.candidates.is_empty() {
        return "<p class=\"quiet\">No set of parameters has a result.</p>\n".to_owned();
    }
    let row = |(n, candidate): (usize, &Candidate)| {
        let s = &candidate.statistics;
        let class = if n == 0 { " class=\"best-row\"" } else { "" };
        format!(
            "<tr{class}><td>{}</td>{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            n + 1,
            cells(&candidate.values),
            or_nothing(candidate.objective, four),
            or_nothing(candidate.deflated_sharpe, percent),
            or_nothing(s.total_return, percent),
            or_nothing(s.sharpe, ratio),
            or_nothing(s.max_drawdown.map(|fall| fall.depth), percent),
            units::count(s.trades.trades),
            or_nothing(s.trades.profit_factor, ratio),
            money(s.fees)
        )
    };
    let rows: String = report.candidates.iter().take(ROWS_MAX).enumerate().map(row).collect();
    let more = if report.candidates.len() > ROWS_MAX {
        format!(
            "<p class=\"quiet\">The first {ROWS_MAX} of {}; all are in <a href=\"sweep.json\">sweep.json</a>.</p>\n",
            units::count(report.candidates.len() as u64)
        )
    } else {
        String::new()
    };
    format!(
        "{more}<div class=\"scroll\"><table><thead><tr><th></th>{}<th>{}</th><th>deflated Sharpe</th><th>total return</th>\
         <th>Sharpe</th><th>max drawdown</th><th>trades</th><th>profit factor</th><th>fees</th></tr></thead>\n<tbody>\n{rows}</tbody>\
         </table></div>\n",
        axis_heads(report),
        escape(&report.objective)
    )
}

fn walk_forward(report: &SweepReport, walk: &WalkForwardReport) -> String {
    let s = &walk.out_of_sample;
    let figures = [
        ("return while testing", or_nothing(s.total_return, percent)),
        ("Sharpe ratio while testing", or_nothing(s.sharpe, ratio)),
        ("maximum drawdown while testing", or_nothing(s.max_drawdown.map(|fall| fall.depth), percent)),
        ("efficiency", or_nothing(walk.efficiency, percent)),
    ];
    let facts: String =
        figures.iter().map(|(name, value)| format!("<span><b>{value}</b> {name}</span>\n")).collect();
    let row = |window: &WindowReport| {
        let figure = |of: &Option<Statistics>| or_nothing(of.as_ref().and_then(|s| s.total_return), percent);
        let values = window.values.clone().unwrap_or_else(|| vec![NOTHING.to_owned(); report.axes.len()]);
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td>{}<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            moment(window.train_from),
            moment(window.test_from),
            moment(window.test_until),
            cells(&values),
            or_nothing(window.in_sample_objective, four),
            or_nothing(window.out_of_sample_objective, four),
            figure(&window.in_sample),
            figure(&window.out_of_sample)
        )
    };
    let rows: String = walk.windows.iter().map(row).collect();
    let objective = escape(&report.objective);
    format!(
        "<p class=\"facts-line\">\n{facts}</p>\n{}<div class=\"scroll\"><table><thead><tr><th>trained from</th><th>tested from</th>\
         <th>until</th>{}<th>{objective}, training</th><th>{objective}, testing</th><th>return, training</th>\
         <th>return, testing</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        curve(walk),
        axis_heads(report)
    )
}

fn curve(walk: &WalkForwardReport) -> String {
    let points: Vec<Sample> =
        walk.curve.iter().map(|&(time, value)| Sample::new(Time(time), value)).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let x = TimeAxis::new(first.time, last.time, CURVE.x_span());
    let y = Axis::covering(points.iter().map(|point| point.value), CURVE.y_span());
    let content = format!(
        "{}{}{}<g class=\"series s0\"><polyline points=\"{}\"/></g>",
        x.grid(&CURVE),
        CURVE.y_grid(&y, &amount_labels(y.ticks(6))),
        CURVE.captions("", "what 1 became while testing"),
        x.line(&points, &y)
    );
    CURVE.svg("Equity over the testing stretches", "class=\"plot\"", &content)
}

fn failed(report: &SweepReport) -> String {
    if report.failed.is_empty() {
        return String::new();
    }
    let row = |(values, why): &(Vec<String>, String)| {
        format!("<tr>{}<td class=\"name\">{}</td></tr>\n", cells(values), escape(why))
    };
    let rows: String = report.failed.iter().take(ROWS_MAX).map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr>{}<th class=\"name\">why</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        axis_heads(report)
    )
}

fn settings(report: &SweepReport) -> String {
    let row = |key: &str, value: &str| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(key), escape(value))
    };
    let axes = report.axes.iter().map(|axis| row(&axis.name, &axis.values.join(", ")));
    let settings = report.settings.iter().map(|(key, value)| row(key, value));
    let objective = row("objective", &format!("{}: {}", report.objective, report.objective_doc));
    format!(
        "<table class=\"facts\"><tbody>\n{objective}{}{}</tbody></table>\n<p class=\"quiet\">Beside this page: \
         <a href=\"sweep.json\">sweep.json</a>, with every figure of every run.</p>\n",
        axes.collect::<String>(),
        settings.collect::<String>()
    )
}
