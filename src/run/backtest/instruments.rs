//! Instruments that no instrument file has: what the history knows of them.

use crate::domain::Instrument;
use crate::history::Catalogue;
use crate::history::catalogue::Series;
use std::path::{Path, PathBuf};

/// What a configuration says that must be known before it can be checked. What is wrong with it is told by the check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// `[backtest] history`.
    pub history: Option<PathBuf>,
    /// Instruments of the strategies.
    pub instruments: Vec<String>,
    /// `[backtest] series`.
    pub series: Vec<String>,
    /// `[backtest] qty_decimals`.
    pub qty_decimals: u8,
}

/// Reads the file at `path` for what it names.
#[must_use]
pub fn named_in(path: &Path) -> Named {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let Ok(table) = text.parse::<toml::Table>() else { return Named::default() };
    let backtest = table.get("backtest").and_then(toml::Value::as_table);
    let of = |key: &str| backtest.and_then(|section| section.get(key));
    let strategies = table.get("strategy").and_then(toml::Value::as_array).into_iter().flatten();
    let lists = strategies.filter_map(|strategy| strategy.get("instruments")?.as_array());
    Named {
        history: of("history").and_then(toml::Value::as_str).filter(|dir| !dir.is_empty()).map(Into::into),
        instruments: lists.flatten().filter_map(toml::Value::as_str).map(str::to_owned).collect(),
        series: of("series")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
            .map(str::to_owned)
            .collect(),
        qty_decimals: of("qty_decimals").and_then(toml::Value::as_integer).map_or(0, |n| n.clamp(0, 9) as u8),
    }
}

/// Those of `names` that the catalogue has, with at least so many decimals of quantity. How fine their prices are is what
/// the series named in `kinds` say, or all of theirs where none is: what else lies in the history changes no run.
#[must_use]
pub fn known_to(
    catalogue: &Catalogue,
    names: &[String],
    kinds: &[String],
    qty_decimals: u8,
) -> Vec<Instrument> {
    let mut series = catalogue.series();
    series.retain(|s| names.contains(&s.name.instrument));
    let of_kind = |s: &Series| kinds.contains(&s.name.label());
    // One that has none of them is told of by what reads them.
    let has: Vec<String> = series.iter().filter(|s| of_kind(s)).map(|s| s.name.instrument.clone()).collect();
    series.retain(|s| of_kind(s) || !has.contains(&s.name.instrument));
    let mut all = catalogue.instruments(&series).map(|table| table.all().to_vec()).unwrap_or_default();
    for instrument in &mut all {
        let room = 18u8.saturating_sub(instrument.price_decimals);
        instrument.qty_decimals = instrument.qty_decimals.max(qty_decimals.min(room));
    }
    all
}
