//! Text that fits where it is shown: tables that become records on a narrow terminal, and lines folded between words.
//!
//! Owns: what is done where the terminal is narrower than a line. A pipe is as wide as it has to be.

use std::fmt::Write;
use std::io::IsTerminal;

/// How wide what goes to standard output may be: a terminal's width; without bound where it is none.
pub fn width() -> usize {
    if !std::io::stdout().is_terminal() {
        return usize::MAX;
    }
    terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| usize::from(width.0).max(20))
}

/// A column: its head, how wide it is at least, and whether it is text (to the left) or a number.
pub struct Column {
    pub head: &'static str,
    pub least: usize,
    pub number: bool,
}

/// A column of text.
pub const fn words(head: &'static str, least: usize) -> Column {
    Column { head, least, number: false }
}

/// A column of numbers.
pub const fn number(head: &'static str, least: usize) -> Column {
    Column { head, least, number: true }
}

/// Rows under heads, a line each; where that is wider than `width`, what was a row is its texts on one line, and its
/// numbers with their heads on those below. A cell without a head ends its row.
pub fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let longest =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| column.least.max(column.head.len()).max(longest(at).unwrap_or(0)))
        .collect();
    let mut out = String::new();
    if widths.iter().sum::<usize>() + widths.len() + longest(columns.len()).unwrap_or(0) > width {
        for row in rows {
            record(&mut out, columns, row, width);
        }
        return out;
    }
    let heads = columns.iter().map(|column| column.head.to_owned()).collect();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = match (columns.get(at), widths.get(at)) {
                (Some(Column { number: true, .. }), Some(width)) => write!(line, "{space}{cell:>width$}"),
                (Some(_), Some(width)) => write!(line, "{space}{cell:<width$}"),
                _ => write!(line, "{space}{cell}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn record(out: &mut String, columns: &[Column], row: &[String], width: usize) {
    let cells = || columns.iter().zip(row);
    let names: Vec<&str> =
        cells().filter(|(column, _)| !column.number).map(|(_, cell)| cell.as_str()).collect();
    out.push_str(&folded(&names.join("  "), width));
    out.push('\n');
    let numbers: Vec<String> = cells()
        .filter(|(column, _)| column.number)
        .map(|(column, cell)| format!("{} {cell}", column.head))
        .collect();
    let rest = row.get(columns.len()).map_or("", String::as_str);
    out.push_str(&folded(format!("  {} {rest}", numbers.join(", ")).trim_end(), width));
    out.push('\n');
}

/// The lines of `text`, those that are wider than `width` broken between words; what follows a break stands two deeper.
/// A word that is wider by itself stays whole.
pub fn folded(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split('\n') {
        if line.chars().count() <= width {
            lines.push(line.to_owned());
            continue;
        }
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let mut now = " ".repeat(indent);
        let mut bare = true;
        for word in line.split_whitespace() {
            if !bare && now.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::replace(&mut now, " ".repeat(indent + 2)));
                bare = true;
            }
            if !bare {
                now.push(' ');
            }
            now.push_str(word);
            bare = false;
        }
        lines.push(now);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] =
        &[words("strategy", 10), words("instrument", 4), number("fills", 7), number("net", 8)];

    fn rows() -> Vec<Vec<String>> {
        [["ma-cross", "binance:spot:BTCUSDT", "12", "-3.25", "USDT"], ["rsi", "ETH", "0", "0.00", "USDT"]]
            .map(|row| row.map(str::to_owned).to_vec())
            .to_vec()
    }

    #[test]
    fn a_wide_table_has_a_line_a_row_and_a_narrow_one_keeps_every_word_within_its_width() {
        let wide = table(COLUMNS, &rows(), usize::MAX);
        assert_eq!(
            wide,
            "strategy   instrument             fills      net\n\
             ma-cross   binance:spot:BTCUSDT      12    -3.25 USDT\n\
             rsi        ETH                        0     0.00 USDT\n"
        );
        assert_eq!(table(COLUMNS, &rows(), 53), wide, "it fits to the last character");
        let narrow = table(COLUMNS, &rows(), 24);
        assert_eq!(
            narrow,
            "ma-cross\n  binance:spot:BTCUSDT\n  fills 12, net -3.25\n    USDT\nrsi  ETH\n  fills 0, net 0.00 USDT\n"
        );
        assert!(narrow.lines().all(|line| line.chars().count() <= 24));
    }

    #[test]
    fn lines_are_folded_between_words() {
        assert_eq!(folded("one two\nthree", 80), "one two\nthree");
        assert_eq!(folded("  denied for one\nx", 10), "  denied\n    for\n    one\nx");
        assert_eq!(folded("a 0123456789abcdef b", 8), "a\n  0123456789abcdef\n  b");
        assert_eq!(folded("", 8), "");
    }
}
