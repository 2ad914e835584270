//! Exporting a trail, or the part of it between two moments, for other programs.

use super::chain::parts;
use crate::domain::Time;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::{self, BufRead, Write};

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A line of values a record, the first line their names; what a record does not have is empty.
    Csv,
    /// A JSON object a line: the record as it is in the trail, with its `hash`.
    JsonLines,
}

/// The columns of CSV: fields of records, `detail` for those that only a few kinds have. Of a denial `limit` is the limit
/// of its rule, in `unit`s; of a limit that somebody changed, its name.
pub const COLUMNS: [&str; 26] = [
    "n",
    "time",
    "seq",
    "kind",
    "strategy",
    "instrument",
    "order",
    "client_id",
    "decision",
    "reason",
    "rule",
    "limit",
    "value",
    "unit",
    "reply",
    "side",
    "type",
    "tif",
    "reduce_only",
    "qty",
    "price",
    "fee",
    "maker",
    "trade_id",
    "detail",
    "hash",
];

/// Fields that are told by columns, or say where a record stands in the journal.
const ELSEWHERE: [&str; 2] = ["entry", "time_ns"];

/// Writes the records from `from` to before `to` and says how many they are. The trail should have been verified.
///
/// # Errors
/// What the reader or the writer says; [`io::ErrorKind::InvalidData`] where a line is no record.
pub fn export(
    trail: impl BufRead,
    from: Option<Time>,
    to: Option<Time>,
    format: ExportFormat,
    out: &mut impl Write,
) -> io::Result<u64> {
    if format == ExportFormat::Csv {
        writeln!(out, "{}", COLUMNS.join(","))?;
    }
    let mut written = 0;
    for line in trail.split(b'\n') {
        let line = line?;
        let bad =
            || io::Error::new(io::ErrorKind::InvalidData, format!("record {} does not read", written + 1));
        let (link, _, record) = parts(&line).ok_or_else(bad)?;
        let fields: Map<String, Value> = serde_json::from_slice(record).map_err(|_| bad())?;
        let time = Time(fields.get("time_ns").and_then(Value::as_u64).unwrap_or_default());
        if from.is_some_and(|from| time < from) || to.is_some_and(|to| time >= to) {
            continue;
        }
        match format {
            ExportFormat::Csv => csv(&fields, &link.to_string(), out)?,
            ExportFormat::JsonLines => {
                // The record's own bytes, so that whoever reads them can reckon the hash again.
                out.write_all(&record[..record.len() - 1])?;
                writeln!(out, ",\"hash\":\"{link}\"}}")?;
            }
        }
        written += 1;
    }
    Ok(written)
}

fn csv(fields: &Map<String, Value>, hash: &str, out: &mut impl Write) -> io::Result<()> {
    for (at, column) in COLUMNS.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let value = match *column {
            "hash" => Cow::Borrowed(hash),
            "detail" => Cow::Owned(detail(fields)),
            name => fields.get(name).map_or(Cow::Borrowed(""), text),
        };
        out.write_all(quoted(&value).as_bytes())?;
    }
    out.write_all(b"\n")
}

/// Everything that has no column, `name=value` each.
fn detail(fields: &Map<String, Value>) -> String {
    let known = |name: &str| COLUMNS.contains(&name) && name != "detail" || ELSEWHERE.contains(&name);
    let rest = fields.iter().filter(|(name, _)| !known(name));
    rest.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join("; ")
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A value as RFC 4180 has it. One that a spreadsheet would take for a formula gets a quote before it.
fn quoted(value: &str) -> Cow<'_, str> {
    let formula = value.starts_with(['=', '+', '@', '\t', '\r'])
        || value.starts_with('-') && value.parse::<f64>().is_err();
    if !formula && !value.contains([',', '"', '\n', '\r']) {
        return Cow::Borrowed(value);
    }
    let guard = if formula { "'" } else { "" };
    Cow::Owned(format!("\"{guard}{}\"", value.replace('"', "\"\"")))
}
