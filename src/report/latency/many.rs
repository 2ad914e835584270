//! The part of the page about many instruments: what each further one costs.

use super::model::InstrumentPoint;
use super::page::legend;
use super::plot::instruments::{MEMORY_SERIES, THROUGHPUT_SERIES, latency, memory, stage_names, throughput};
use crate::report::{html::escape, units};

/// The section's content; nothing without points.
pub(super) fn section(points: &[InstrumentPoint]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let named = |names: &[&str]| legend(names.iter().map(ToString::to_string), false);
    let stages = legend(stage_names(points).into_iter(), false);
    let figures = [
        ("Latency, p50", stages.clone(), latency(points, "p50", |stage| stage.p50_ns)),
        ("Latency, p99", stages, latency(points, "p99", |stage| stage.p99_ns)),
        ("Throughput", named(&THROUGHPUT_SERIES), throughput(points)),
        ("Memory", named(&MEMORY_SERIES), memory(points)),
    ];
    let figure = |(caption, legend, svg): (&str, String, Option<String>)| {
        svg.map(|svg| format!("<figure><figcaption>{caption}</figcaption>{legend}{svg}</figure>\n"))
    };
    let figures: String = figures.into_iter().filter_map(figure).collect();
    format!(
        "<p class=\"quiet\">Each point is a process of its own that makes a market of so many pairs from a seed and \
         trades it, at full speed. Memory is the most it ever held (resident, peak); beside it the same without what a \
         process held that only made the market. Throughput counts the making of the market too; that of the stages \
         alone is one over the mean latency from frame to last stage, where one thread ran them all.</p>\n\
         <div class=\"grid-of-plots\">\n{figures}</div>\n{}{}",
        table(points),
        stage_table(points)
    )
}

fn table(points: &[InstrumentPoint]) -> String {
    let row = |point: &InstrumentPoint| {
        let per_instrument = point.own_memory_bytes() / point.instruments.max(1);
        let cells = [
            units::count(point.strategies),
            units::count(point.frames),
            units::rate(point.frames_per_s),
            point.stages_frames_per_s.map_or_else(|| "–".into(), units::rate),
            units::bytes(point.peak_memory_bytes),
            units::bytes(point.own_memory_bytes()),
            units::bytes(per_instrument),
            units::bytes(point.book_bytes),
        ];
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", units::count(point.instruments))
    };
    let rows: String = points.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>instruments</th><th>strategies</th><th>frames</th><th>whole process</th>\
         <th>stages alone</th><th>peak memory</th><th>less market</th><th>per instrument</th><th>books</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// p50 and p99 of every stage: a row a stage, a column a run.
fn stage_table(points: &[InstrumentPoint]) -> String {
    let heads: String =
        points.iter().map(|point| format!("<th>{}</th>", units::count(point.instruments))).collect();
    let row = |name: String| {
        let cell = |point: &InstrumentPoint| match point.stages.iter().find(|stage| stage.name == name) {
            Some(stage) => {
                format!("<td>{} / {}</td>", units::nanos(stage.p50_ns), units::nanos(stage.p99_ns))
            }
            None => "<td>–</td>".to_owned(),
        };
        let cells: String = points.iter().map(cell).collect();
        format!("<tr><th scope=\"row\" class=\"name\">{}</th>{cells}</tr>\n", escape(&name))
    };
    let rows: String = stage_names(points).into_iter().map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<h3>By stage <small>p50 / p99, a column for each number of instruments</small></h3>\n\
         <div class=\"scroll\"><table><thead><tr><th class=\"name\">stage</th>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}
