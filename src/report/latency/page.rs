//! The page: one HTML file, its style and its few lines of script inside.

use super::model::{LatencyReport, StageLatency};
use super::plot::percentile::View;
use super::plot::{histogram, percentile, rates};
use super::{RatePoint, findings, many};
use crate::report::plot::{STYLE, series_class};
use crate::report::{html::escape, units};

const SCRIPT: &str = include_str!("page.js");
const HOW_TO_READ: &str = include_str!("how_to_read.html");

/// The page. `hgrm_names` are the files beside it, in the order of the stages.
pub(super) fn text(report: &LatencyReport, hgrm_names: &[String]) -> String {
    let stages = &report.stages;
    let sections = [
        section("summary", "Latency by stage", &summary(stages, hgrm_names)),
        section("percentiles", "Percentiles", &percentiles(stages)),
        section("histograms", "How often", &histograms(stages)),
        section("rates", "Latency against rate", &by_rate(report)),
        section("instruments", "Many instruments", &many::section(&report.instruments)),
        section("threads", "Threads and cores", &topology(report)),
        section("host", "Host", &findings::section(&report.host)),
        section("notes", "How it was measured", &notes(&report.notes)),
        section("reading", "How to read this", HOW_TO_READ),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{header}<main>\n{sections}</main>\n\
         <script type=\"application/json\" id=\"curves\">{curves}</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        title = escape(&report.run.title),
        header = header(report),
        sections = sections.concat(),
        curves = curves(stages),
    )
}

/// Nothing for a section without content.
fn section(id: &str, heading: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{content}</section>\n")
}

fn header(report: &LatencyReport) -> String {
    let run = &report.run;
    let facts = [
        ("started", run.started.clone()),
        ("version", run.version.clone()),
        ("processor", report.host.cpu.model.clone().unwrap_or_default()),
        ("kernel", report.host.kernel.clone().unwrap_or_default()),
    ];
    let shown = facts.iter().filter(|(_, value)| !value.is_empty());
    let facts: String =
        shown.map(|(name, value)| format!("<span><b>{name}</b> {}</span>\n", escape(value))).collect();
    let card = |(name, value): &(String, String)| {
        format!("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escape(value), escape(name))
    };
    let cards: String = report.counts.iter().map(card).collect();
    let cards = if cards.is_empty() { cards } else { format!("<div class=\"cards\">\n{cards}</div>\n") };
    let command = if run.command.is_empty() {
        String::new()
    } else {
        format!("<pre class=\"command\">{}</pre>\n", escape(&run.command))
    };
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"facts-line\">\n{facts}</p>\n{command}{cards}</header>\n",
        escape(&run.title)
    )
}

const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

fn summary(stages: &[StageLatency], hgrm_names: &[String]) -> String {
    let heads: String = QUANTILES.iter().map(|(name, _)| format!("<th>{name}</th>")).collect();
    let slowest = stages.iter().map(|stage| stage.histogram.max()).max().unwrap_or(0);
    let fastest =
        stages.iter().filter(|stage| !stage.histogram.is_empty()).map(|stage| stage.histogram.min()).min();
    let bounds = (fastest.unwrap_or(1).max(1) as f64, slowest.max(2) as f64);
    let rows: String = stages
        .iter()
        .zip(hgrm_names)
        .enumerate()
        .map(|(i, (stage, file))| summary_row(i, stage, file, bounds))
        .collect();
    if rows.is_empty() {
        return "<p class=\"quiet\">No stage was measured.</p>\n".to_owned();
    }
    format!(
        "<div class=\"scroll\"><table class=\"summary\"><thead><tr><th class=\"name\">stage</th><th>count</th>{heads}\
         <th>max</th><th class=\"range\">min · p50 · p99 · max</th><th>data</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n\
         <p class=\"quiet\">The <code>.hgrm</code> files hold the whole distributions, in µs, for HdrHistogram's plotter \
         and other tools; <a href=\"latency.json\">latency.json</a> has these figures in ns.</p>\n"
    )
}

fn summary_row(index: usize, stage: &StageLatency, file: &str, bounds: (f64, f64)) -> String {
    let histogram = &stage.histogram;
    let name = format!(
        "<th scope=\"row\" class=\"name\"><i class=\"key {}\"></i>{}<div class=\"quiet\">{}</div></th>",
        series_class(index),
        escape(&stage.name),
        escape(&stage.doc)
    );
    let link = format!("<td><a href=\"{file}\">hgrm</a></td>");
    if histogram.is_empty() {
        return format!(
            "<tr>{name}<td>0</td><td colspan=\"7\" class=\"quiet name\">nothing recorded</td>{link}</tr>\n"
        );
    }
    let cell = |ns: u64| format!("<td title=\"{} ns\">{}</td>", units::count(ns), units::nanos(ns));
    let cells: String =
        QUANTILES.iter().map(|(_, quantile)| cell(histogram.value_at_quantile(*quantile))).collect();
    format!(
        "<tr>{name}<td>{}</td>{cells}{}<td class=\"range\">{}</td>{link}</tr>\n",
        units::count(histogram.len()),
        cell(histogram.max()),
        range_strip(index, stage, bounds)
    )
}

/// From the least to the largest as a line, median to p99 as a bar, on one logarithmic scale for all stages.
fn range_strip(index: usize, stage: &StageLatency, (low, high): (f64, f64)) -> String {
    let px = |ns: u64| {
        2.0 + 156.0 * ((ns.max(1) as f64 / low).ln() / (high / low).ln().max(f64::EPSILON)).clamp(0.0, 1.0)
    };
    let histogram = &stage.histogram;
    let [min, p50, p99, max] = [
        px(histogram.min()),
        px(histogram.value_at_quantile(0.5)),
        px(histogram.value_at_quantile(0.99)),
        px(histogram.max()),
    ];
    let width = (p99 - p50).max(1.0);
    format!(
        "<svg class=\"strip {}\" viewBox=\"0 0 160 16\" aria-hidden=\"true\">\
         <line x1=\"{min:.1}\" x2=\"{max:.1}\" y1=\"8\" y2=\"8\"/><rect x=\"{p50:.1}\" y=\"4\" width=\"{width:.1}\" height=\"8\" rx=\"1.5\"/>\
         <circle cx=\"{p50:.1}\" cy=\"8\" r=\"4.5\"/><line x1=\"{max:.1}\" x2=\"{max:.1}\" y1=\"4\" y2=\"12\"/></svg>",
        series_class(index)
    )
}

pub(super) fn legend(names: impl Iterator<Item = String>, toggles: bool) -> String {
    let entry = |(i, name): (usize, String)| {
        let toggle = if toggles { format!(" data-toggle=\"{i}\"") } else { String::new() };
        format!(
            "<span class=\"entry\"{toggle}><i class=\"key {}\"></i>{}</span>\n",
            series_class(i),
            escape(&name)
        )
    };
    format!("<div class=\"legend\">\n{}</div>\n", names.enumerate().map(entry).collect::<String>())
}

fn percentiles(stages: &[StageLatency]) -> String {
    let views = [
        ("whole", "Whole", View::Whole),
        ("tail", "Tail, from p99", View::Tail),
        ("linear", "Linear", View::Linear),
    ];
    let drawn: Vec<_> = views
        .into_iter()
        .filter_map(|(id, label, view)| Some((id, label, percentile::plot(stages, view)?)))
        .collect();
    if drawn.is_empty() {
        return String::new();
    }
    // Buttons that need no script: the style shows the plot of the one that is checked.
    let mut switch = String::new();
    let mut plots = String::new();
    for (i, (id, label, svg)) in drawn.iter().enumerate() {
        let checked = if i == 0 { " checked" } else { "" };
        switch.push_str(&format!(
            "<input type=\"radio\" name=\"view\" id=\"view-{id}\"{checked}><label for=\"view-{id}\">{label}</label>\n"
        ));
        plots.push_str(&format!("<div class=\"view view-{id}\">{svg}</div>\n"));
    }
    let legend = legend(stages.iter().map(|stage| stage.name.clone()), true);
    format!("<div class=\"views\">\n{switch}{legend}{plots}<div id=\"readout\" hidden></div></div>\n")
}

fn histograms(stages: &[StageLatency]) -> String {
    let figure = |(stage, svg): (&StageLatency, String)| {
        if svg.is_empty() {
            return String::new();
        }
        let count = units::count(stage.histogram.len());
        format!(
            "<figure><figcaption>{} <small>{count} values</small></figcaption>{svg}</figure>\n",
            escape(&stage.name)
        )
    };
    let figures: String = stages.iter().zip(histogram::plots(stages)).map(figure).collect();
    if figures.is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"quiet\">Both axes are logarithmic, and the x axis is the same for all: 15 bars for each factor of \
         ten. A bar that reaches the first line is a single value.</p>\n<div class=\"grid-of-plots\">\n{figures}</div>\n"
    )
}

fn by_rate(report: &LatencyReport) -> String {
    if let Some(svg) = rates::from_rates(&report.rates) {
        let hollow = if report.rates.iter().all(RatePoint::kept_up) {
            ""
        } else {
            " Hollow points: less than 98 % of what was offered got through, so the queue grew and the latency says only for how long."
        };
        let legend = legend(rates::RATE_SERIES.iter().map(ToString::to_string), false);
        return format!(
            "<p class=\"quiet\">Each point is a run of its own at a fixed offered rate.{hollow}</p>\n{legend}{svg}{}",
            rate_table(&report.rates)
        );
    }
    let Some(svg) = rates::from_intervals(&report.intervals) else { return String::new() };
    let legend = legend(rates::INTERVAL_SERIES.iter().map(ToString::to_string), false);
    format!(
        "<p class=\"quiet\">No series of fixed rates was run: each pair of dots is one of {} intervals of this one run, \
         at the rate it happened to have. Quiet intervals hold few values, so their p99 is little more than their \
         largest.</p>\n{legend}{svg}",
        report.intervals.len()
    )
}

fn rate_table(rates: &[RatePoint]) -> String {
    let row = |point: &RatePoint| {
        let class = if point.kept_up() { "" } else { " class=\"behind\"" };
        let figures = [point.p50_ns, point.p99_ns, point.p999_ns, point.max_ns];
        let cells: String = figures.iter().map(|&ns| format!("<td>{}</td>", units::nanos(ns))).collect();
        let (offered, achieved) = (units::rate(point.offered_per_s), units::rate(point.achieved_per_s));
        let frames = units::count(point.frames);
        format!("<tr{class}><td>{offered}</td><td>{achieved}</td>{cells}<td>{frames}</td></tr>\n")
    };
    let rows: String = rates.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>offered</th><th>achieved</th><th>p50</th><th>p99</th><th>p99.9</th>\
         <th>max</th><th>frames</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn topology(report: &LatencyReport) -> String {
    let rows: String = report
        .topology
        .iter()
        .map(|row| {
            let core = row.core.map_or_else(|| "not pinned".to_owned(), |core| core.to_string());
            let isolated = row.core.is_some_and(|core| report.host.cpu.isolated.contains(&core));
            let isolated = if isolated { " <small>isolated</small>" } else { "" };
            let stages: Vec<String> = row.stages.iter().map(|stage| format!("<span class=\"chip\">{}</span>", escape(stage))).collect();
            format!(
                "<tr><th scope=\"row\" class=\"name\">{}</th><td class=\"name\">{}</td><td>{core}{isolated}</td><td class=\"name\">{}</td></tr>\n",
                escape(&row.thread),
                stages.join(" → "),
                escape(&row.wait)
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<div class=\"scroll\"><table><thead><tr><th class=\"name\">thread</th><th class=\"name\">stages</th><th>core</th>\
         <th class=\"name\">waits by</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn notes(notes: &[String]) -> String {
    let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    if items.is_empty() { items } else { format!("<ul>\n{items}</ul>\n") }
}

/// The curves for the read-out under the pointer: JSON in which no `<` can end the element it stands in.
fn curves(stages: &[StageLatency]) -> String {
    let curve = |(i, stage): (usize, &StageLatency)| {
        serde_json::json!({
            "name": stage.name,
            "class": series_class(i),
            "values": percentile::samples(&stage.histogram),
        })
    };
    let all: Vec<serde_json::Value> = stages.iter().enumerate().map(curve).collect();
    serde_json::Value::from(all).to_string().replace('<', "\\u003c")
}
