//! Monthly returns as a heat map: a row a year, a column a month, and the year's own.

use super::text::decimal;
use crate::statistics::months::{MonthReturn, yearly};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The table; nothing for no month.
pub(super) fn table(months: &[MonthReturn]) -> String {
    if months.is_empty() {
        return String::new();
    }
    let strongest = months.iter().map(|month| month.value.abs()).fold(0.0, f64::max);
    let cell = |value: f64| {
        let class = if value < 0.0 { "down" } else { "up" };
        // The square root, so that small months are told from none.
        let heat = if strongest > 0.0 { (value.abs() / strongest).sqrt() * 60.0 } else { 0.0 };
        format!(
            "<td class=\"heat {class}\" style=\"--heat:{heat:.0}%\">{}</td>",
            decimal(value * 100.0, if value.abs() < 0.001 && value != 0.0 { 3 } else { 1 })
        )
    };
    let row = |(year, whole): &(i16, f64)| {
        let cells: String = (1..=12)
            .map(|month| {
                let found = months.iter().find(|of| of.year == *year && of.month == month);
                found.map_or_else(|| "<td></td>".to_owned(), |of| cell(of.value))
            })
            .collect();
        format!(
            "<tr><th scope=\"row\" class=\"name\">{year}</th>{cells}<td class=\"year\">{}</td></tr>\n",
            decimal(whole * 100.0, 1)
        )
    };
    let rows: String = yearly(months).iter().map(row).collect();
    let heads: String = MONTHS.iter().map(|month| format!("<th>{month}</th>")).collect();
    format!(
        "<p class=\"quiet\">In per cent, by calendar months in UTC; the first and the last may be parts of months.</p>\n\
         <div class=\"scroll\"><table class=\"months\"><thead><tr><th class=\"name\"></th>{heads}<th>year</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}
