//! The same figures for a terminal: one line a stage, columns that line up, no wider than asked.

use super::model::StageLatency;
use crate::report::units;

/// Columns of a terminal that nobody made narrower or wider.
const WIDTH_DEFAULT: usize = 100;
const NAME_WIDTH_MIN: usize = 6;

struct Column {
    head: &'static str,
    /// Columns of high numbers go first where there is no room.
    expendable: u8,
    value: fn(&StageLatency) -> String,
}

fn at(stage: &StageLatency, quantile: f64) -> String {
    if stage.histogram.is_empty() {
        return "–".to_owned();
    }
    units::nanos(stage.histogram.value_at_quantile(quantile))
}

const COLUMNS: &[Column] = &[
    Column { head: "count", expendable: 2, value: |stage| units::count(stage.histogram.len()) },
    Column { head: "p50", expendable: 0, value: |stage| at(stage, 0.5) },
    Column { head: "p90", expendable: 4, value: |stage| at(stage, 0.9) },
    Column { head: "p99", expendable: 0, value: |stage| at(stage, 0.99) },
    Column { head: "p99.9", expendable: 1, value: |stage| at(stage, 0.999) },
    Column { head: "p99.99", expendable: 3, value: |stage| at(stage, 0.9999) },
    Column { head: "max", expendable: 0, value: |stage| at(stage, 1.0) },
];

/// The table, at most 100 characters wide, each line ended by a newline.
#[must_use]
pub fn summary_table(stages: &[StageLatency]) -> String {
    summary_table_within(stages, WIDTH_DEFAULT)
}

/// The table, at most `width` characters wide: first p90, p99.99, the count and p99.9 are left out, then names are
/// cut. Below some 40 characters it is as narrow as it can be.
#[must_use]
pub fn summary_table_within(stages: &[StageLatency], width: usize) -> String {
    let longest = stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0).max("stage".len());
    let mut columns: Vec<(&Column, Vec<String>)> =
        COLUMNS.iter().map(|column| (column, stages.iter().map(column.value).collect())).collect();
    while longest + numbers_width(&columns) > width && columns.iter().any(|(column, _)| column.expendable > 0)
    {
        let most = columns.iter().map(|(column, _)| column.expendable).max().unwrap_or(0);
        columns.retain(|(column, _)| column.expendable != most);
    }
    let name_width = longest.min(width.saturating_sub(numbers_width(&columns)).max(NAME_WIDTH_MIN));
    let mut out = pad_right("stage", name_width);
    for (column, values) in &columns {
        out.push_str(&format!("  {:>1$}", column.head, cell_width(column, values)));
    }
    out.push('\n');
    for (row, stage) in stages.iter().enumerate() {
        out.push_str(&pad_right(&stage.name, name_width));
        for (column, values) in &columns {
            out.push_str(&format!("  {:>1$}", values[row], cell_width(column, values)));
        }
        out.push('\n');
    }
    out
}

fn cell_width(column: &Column, values: &[String]) -> usize {
    values.iter().map(|value| value.chars().count()).max().unwrap_or(0).max(column.head.len())
}

fn numbers_width(columns: &[(&Column, Vec<String>)]) -> usize {
    columns.iter().map(|(column, values)| 2 + cell_width(column, values)).sum()
}

/// `text` in exactly `width` characters, cut with an ellipsis; control characters would break the lines.
fn pad_right(text: &str, width: usize) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if text.chars().count() <= width {
        return format!("{:<width$}", text.chars().map(clean).collect::<String>());
    }
    text.chars().map(clean).take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    fn stage(name: &str, values: &[u64]) -> StageLatency {
        let mut histogram = Histogram::new(3).expect("good digits");
        for &value in values {
            histogram.record(value).expect("it resizes");
        }
        StageLatency { name: name.into(), doc: String::new(), histogram }
    }

    #[test]
    fn columns_line_up() {
        let stages = [stage("feed", &[812]), stage("strategy", &[1_200, 45_000_000]), stage("risk", &[])];
        let expected = "\
stage     count      p50      p90      p99    p99.9   p99.99      max
feed          1   812 ns   812 ns   812 ns   812 ns   812 ns   812 ns
strategy      2  1.20 µs  45.0 ms  45.0 ms  45.0 ms  45.0 ms  45.0 ms
risk          0        –        –        –        –        –        –
";
        assert_eq!(summary_table(&stages), expected);
    }

    #[test]
    fn it_is_never_wider_than_asked() {
        let stages = [stage("a stage with quite a long name, and more", &[1_234_567]), stage("é\u{7}", &[1])];
        for width in 36..140 {
            let table = summary_table_within(&stages, width);
            let widths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|&w| w <= width && w == widths[0]), "{width}: {widths:?}\n{table}");
            assert!(table.contains("p50") && table.contains("p99") && table.contains("max"));
        }
        assert!(summary_table_within(&stages, 0).lines().all(|line| line.chars().count() < 40));
    }

    #[test]
    fn no_stages_make_a_heading() {
        assert_eq!(summary_table(&[]).lines().count(), 1);
    }
}
