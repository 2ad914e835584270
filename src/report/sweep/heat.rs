//! Heat maps: the objective over two parameters. Of sweeps with more, each cell is the best over the others.

use super::{Candidate, SweepReport};
use crate::report::html::escape;

/// More maps than this say nothing together.
const MAPS_MAX: usize = 6;
/// Larger tables than this no one can read.
const CELLS_MAX: usize = 10_000;

/// One map for each pair of parameters that vary.
pub(super) fn maps(report: &SweepReport) -> String {
    let varying: Vec<usize> = (0..report.axes.len()).filter(|&n| report.axes[n].values.len() > 1).collect();
    let pairs = varying.iter().enumerate().flat_map(|(n, &a)| varying[n + 1..].iter().map(move |&b| (a, b)));
    let readable =
        |(a, b): &(usize, usize)| report.axes[*a].values.len() * report.axes[*b].values.len() <= CELLS_MAX;
    pairs.filter(readable).take(MAPS_MAX).map(|(a, b)| map(report, a, b, varying.len() > 2)).collect()
}

fn map(report: &SweepReport, down: usize, across: usize, others: bool) -> String {
    let (rows, columns) = (&report.axes[down], &report.axes[across]);
    let mut cells: Vec<Option<&Candidate>> = vec![None; rows.values.len() * columns.values.len()];
    // The best come first, and keep their cells.
    for candidate in report.candidates.iter().filter(|candidate| candidate.objective.is_some()) {
        let at = candidate.places[down] * columns.values.len() + candidate.places[across];
        if let Some(cell) = cells.get_mut(at) {
            cell.get_or_insert(candidate);
        }
    }
    let shown = || cells.iter().flatten().filter_map(|candidate| candidate.objective);
    let (low, high) =
        shown().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let best = report.best().map(|best| best.places[down] * columns.values.len() + best.places[across]);
    let cell = |(n, candidate): (usize, &Option<&Candidate>)| {
        let Some((candidate, value)) = candidate.and_then(|c| Some((c, c.objective?))) else {
            return "<td class=\"none\">·</td>".to_owned();
        };
        let share = if high > low { (value - low) / (high - low) } else { 1.0 };
        let class = if best == Some(n) { "cell best" } else { "cell" };
        let deflated =
            candidate.deflated_sharpe.map_or(String::new(), |p| format!(", deflated Sharpe {p:.3}"));
        let title = format!(
            "{}: {value:.4}, {} trades{deflated}",
            candidate.values.join(", "),
            candidate.statistics.trades.trades
        );
        format!(
            "<td class=\"{class}\" style=\"--heat:{:.0}%\" title=\"{}\">{value:.2}</td>",
            share * 85.0,
            escape(&title)
        )
    };
    let heads: String = columns.values.iter().map(|value| format!("<th>{}</th>", escape(value))).collect();
    let body: String = cells
        .chunks(columns.values.len())
        .enumerate()
        .map(|(row, of_row)| {
            let start = row * columns.values.len();
            let drawn: String = of_row.iter().enumerate().map(|(n, c)| cell((start + n, c))).collect();
            format!("<tr><th scope=\"row\">{}</th>{drawn}</tr>\n", escape(&rows.values[row]))
        })
        .collect();
    let over = if others { "; each cell is the best over the other parameters" } else { "" };
    format!(
        "<h3>{} down, {} across <small>{}{over}</small></h3>\n<div class=\"scroll\"><table class=\"heatmap\"><thead><tr><th></th>{heads}\
         </tr></thead>\n<tbody>\n{body}</tbody></table></div>\n",
        escape(&rows.name),
        escape(&columns.name),
        escape(&report.objective)
    )
}
