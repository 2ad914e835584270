//! `[[strategy]]`: which strategies run, on what, with which parameters.
//!
//! Knows no strategy: names and parameters are checked by who has the registry, through
//! [`StrategyConfig::unknown_name`], [`StrategyConfig::check`] and [`StrategyConfig::unfit_sizing`], so that refusals keep
//! file and line.

use super::check::Checks;
use super::hours::HoursConfig;
use super::instruments::{Instruments, Sources, VENUES};
use super::raw::RawStrategy;
use crate::domain::params::{
    ConfigProblem, ParamEntry, ParamSpec, ParamTable, ParamValue, Params, not_known,
};
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Market};
use crate::strategy::sizing::{METHODS, SizingSpec};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// A [`StrategyId`](crate::domain::StrategyId) is one byte.
const STRATEGIES_MAX: usize = 255;

/// One strategy of the run; its index in [`Config::strategies`](super::Config::strategies) is its id.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyConfig {
    /// The registry's name, such as `ma-cross`.
    pub name: String,
    /// What it is called in output; unique in the run.
    pub label: String,
    /// What it gets events of and may trade; at least one.
    pub instruments: Vec<InstrumentId>,
    /// Its parameters, unchecked.
    pub params: ParamTable,
    /// How its orders are sized: the method, and its parameters.
    pub sizing: Option<(String, Params)>,
    /// When it may trade; `None`: at any time.
    pub hours: Option<HoursConfig>,
    /// The refusal of its name, made while the place is known.
    name_problem: ConfigProblem,
    /// The same of its sizing, if it has one.
    sizing_problem: Option<ConfigProblem>,
}

impl StrategyConfig {
    /// The refusal of this strategy's name, for a registry that has only `known`.
    #[must_use]
    pub fn unknown_name(&self, known: &[&str]) -> ConfigProblem {
        ConfigProblem { expected: not_known("a strategy", &self.name, known), ..self.name_problem.clone() }
    }

    /// The refusal of this strategy as it is set up: what is wrong with it.
    #[must_use]
    pub fn unfit(&self, why: &str) -> ConfigProblem {
        let expected = match self.label == self.name {
            true => why.to_owned(),
            false => format!("{}: {why}", self.label),
        };
        ConfigProblem { expected, ..self.name_problem.clone() }
    }

    /// The refusal of this strategy's sizing, if it has one: what was `expected` of it.
    #[must_use]
    pub fn unfit_sizing(&self, expected: String) -> Option<ConfigProblem> {
        self.sizing_problem.as_ref().map(|problem| ConfigProblem { expected, ..problem.clone() })
    }

    /// The parameters, checked against what the strategy takes.
    ///
    /// # Errors
    /// Every unknown, mistyped or out-of-range parameter.
    pub fn check(&self, specs: &'static [ParamSpec]) -> Result<Params, Vec<ConfigProblem>> {
        self.params.check(specs, &self.name_problem.file)
    }
}

/// Checks all strategies.
pub(super) fn check(
    raw: &[Spanned<RawStrategy>],
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> Vec<StrategyConfig> {
    let mut strategies: Vec<StrategyConfig> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        if index == STRATEGIES_MAX {
            checks.refuse(&raw.span(), format!("there can be at most {STRATEGIES_MAX} strategies"));
            break;
        }
        let Some(strategy) = one(raw, instruments, checks) else { continue };
        if strategies.iter().any(|other| other.label == strategy.label) {
            let raw = raw.get_ref();
            let span = raw.label.as_ref().or(raw.name.as_ref()).map(Spanned::span).unwrap_or_default();
            checks
                .refuse(&span, "is already the label of a strategy above: give this one a label of its own");
        }
        strategies.push(strategy);
    }
    strategies
}

fn one(
    raw: &Spanned<RawStrategy>,
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> Option<StrategyConfig> {
    let (span, raw) = (raw.span(), raw.get_ref());
    let given = checks.require(&raw.name, &span, "name", "a strategy's name, such as \"ma-cross\"");
    let name = given.and_then(|given| Some((checks.name(given, 40, "._-")?, given.span())));
    let label = raw.label.as_ref().map(|given| checks.name(given, 40, "._-"));
    let wanted = "a list such as [\"binance:usdm:BTCUSDT\"]";
    let listed = checks.require(&raw.instruments, &span, "instruments", wanted);
    let found = listed.map(|list| find_all(list, instruments, checks));
    let params = params(&raw.params, checks);
    let sizing = raw.sizing.as_ref().and_then(|given| sizing(given, checks));
    let hours = raw.hours.as_ref().and_then(|given| HoursConfig::check(given, checks));
    let (name, at) = name?;
    Some(StrategyConfig {
        label: label.unwrap_or_else(|| Some(name.clone()))?,
        name,
        instruments: found?,
        params,
        sizing,
        sizing_problem: raw.sizing.as_ref().map(|given| checks.document.problem(&given.span(), "")),
        hours,
        name_problem: checks.document.problem(&at, ""),
    })
}

fn find_all(
    list: &Spanned<Vec<Spanned<String>>>,
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> Vec<InstrumentId> {
    if list.get_ref().is_empty() {
        checks.refuse(&list.span(), "must name at least one instrument");
    }
    let Some(table) = &instruments.table else { return Vec::new() };
    let mut found = Vec::with_capacity(list.get_ref().len());
    for name in list.get_ref() {
        match find(name.get_ref(), table, &instruments.sources) {
            Ok(id) if found.contains(&id) => checks.refuse(&name.span(), "is already in this list"),
            Ok(id) => found.push(id),
            Err(expected) => checks.refuse(&name.span(), expected),
        }
    }
    found
}

/// The instrument called `name`, or what to do about it.
fn find(name: &str, table: &InstrumentTable, sources: &Sources) -> Result<InstrumentId, String> {
    if let Some(instrument) = table.by_name(name) {
        return Ok(instrument.id);
    }
    let mut names = table.all().iter().map(Instrument::name);
    if let Some(meant) = names.find(|known| known.eq_ignore_ascii_case(name)) {
        return Err(format!("must be written \"{meant}\""));
    }
    let mut parts = name.split(':');
    match (parts.next(), parts.next().and_then(Market::from_label), parts.next(), parts.next()) {
        (Some(venue), Some(market), Some(symbol), None) if VENUES.iter().any(|(name, _)| *name == venue) => {
            Err(sources.missing(market, symbol))
        }
        (Some(venue), Some(_), Some(symbol), None) if !venue.is_empty() && !symbol.is_empty() => {
            Err(format!(
                "is not known: of {venue} only a backtest can have an instrument, once its history is imported; \
             algo-trader history list shows what there is"
            ))
        }
        _ => Err("must be written venue:market:SYMBOL, such as \"binance:usdm:BTCUSDT\"".to_owned()),
    }
}

/// `sizing = { method = "…", … }`: the parameters are those of the method.
fn sizing(
    given: &Spanned<BTreeMap<String, Spanned<toml::Value>>>,
    checks: &mut Checks<'_>,
) -> Option<(String, Params)> {
    let names: Vec<&str> = METHODS.iter().map(|spec| spec.name).collect();
    let mut rest = given.get_ref().clone();
    let Some(method) = rest.remove("method") else {
        let problem =
            checks.document.missing(&given.span(), "method", &format!("one of {}", names.join(", ")));
        checks.problems.push(problem);
        return None;
    };
    let spec = method.get_ref().as_str().and_then(SizingSpec::find);
    let Some(spec) = spec else {
        let name = method.get_ref().as_str().unwrap_or_default();
        checks.refuse(&method.span(), not_known("a way to size orders", name, &names));
        return None;
    };
    let file = checks.document.problem(&given.span(), "").file;
    match params(&rest, checks).check(spec.params, &file) {
        Ok(params) => Some((spec.name.to_owned(), params)),
        Err(problems) => {
            // The same checks as of a strategy's parameters, under another table.
            checks.problems.extend(problems.into_iter().map(|mut problem| {
                problem.key = problem.key.replacen("strategy.params.", "strategy.sizing.", 1);
                problem.expected =
                    problem.expected.replace("a parameter of this strategy", "a parameter of this method");
                problem
            }));
            None
        }
    }
}

fn params(raw: &BTreeMap<String, Spanned<toml::Value>>, checks: &mut Checks<'_>) -> ParamTable {
    let mut entries: Vec<(Range<usize>, ParamEntry)> = Vec::with_capacity(raw.len());
    for (name, value) in raw {
        let place = checks.document.problem(&value.span(), "must be a number, text in quotes, true or false");
        let value_of = match value.get_ref() {
            toml::Value::Integer(number) => ParamValue::Integer(*number),
            toml::Value::Float(number) => ParamValue::Float(*number),
            toml::Value::Boolean(yes) => ParamValue::Bool(*yes),
            toml::Value::String(text) => ParamValue::Text(text.clone()),
            _ => {
                checks.problems.push(place);
                continue;
            }
        };
        let entry =
            ParamEntry { name: name.clone(), value: value_of, line: place.line, column: place.column };
        entries.push((value.span(), entry));
    }
    // serde's map is sorted by name; people look for problems in the order of their file.
    entries.sort_by_key(|(span, _)| span.start);
    ParamTable { entries: entries.into_iter().map(|(_, entry)| entry).collect() }
}
