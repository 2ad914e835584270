//! Instrument files: what trades on one market of one venue, and by which rules.
//!
//! Invariant: an instrument that gets out of here can be decoded, checked and traded without overflow at its own
//! precision.

use super::check::Checks;
use super::document::Document;
use super::raw::{Given, RawInstrument, RawInstrumentFile, RawInstruments};
use crate::domain::decimal::{DECIMALS_MAX, POW10};
use crate::domain::instrument::{FeeRate, SYMBOL_BYTES_MAX};
use crate::domain::params::{ConfigProblem, nearest};
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Market, Notional, Price, Qty};
use std::io;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// Venues that have a codec.
pub(super) const VENUES: &[(&str, &str)] = &[("binance", "binance")];

const MARKETS: &[(&str, Market)] = &[
    (Market::Spot.label(), Market::Spot),
    (Market::UsdM.label(), Market::UsdM),
    (Market::CoinM.label(), Market::CoinM),
];

/// Fees beyond 5 % are a per cent figure where a fraction belongs.
const FEE_MAX: i64 = POW10[FeeRate::DECIMALS as usize] / 20;

/// A file that was asked for.
pub(super) struct Opened {
    /// As it is called in messages.
    pub name: String,
    /// What it holds.
    pub text: io::Result<String>,
}

/// The instruments of a configuration.
pub(super) struct Instruments {
    /// `None` where a file was refused, so that nobody is told that what it holds is missing.
    pub table: Option<InstrumentTable>,
    pub sources: Sources,
}

impl Instruments {
    /// Instruments that come from elsewhere than files.
    pub fn given(config: &str, table: InstrumentTable) -> Self {
        let given = table.all().iter().map(Instrument::name).collect();
        let sources = Sources { config: config.to_owned(), built_in: true, files: Vec::new(), given };
        Self { table: Some(table), sources }
    }
}

impl Instruments {
    /// The same with those of `more` that are not among them.
    pub fn with(self, more: &[Instrument]) -> Self {
        let Some(table) = self.table.as_ref().filter(|_| !more.is_empty()) else { return self };
        let mut all = table.all().to_vec();
        all.extend(more.iter().filter(|i| table.by_name(&i.name()).is_none()).cloned());
        // One that cannot be beside the others is left out, and then told to be unknown.
        let table = InstrumentTable::new(all).ok().or(self.table);
        Self { table, sources: self.sources }
    }
}

/// Where instruments are from, to say where a missing one belongs.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    config: String,
    built_in: bool,
    files: Vec<(Market, String)>,
    /// Those that do not come from files, by name.
    given: Vec<String>,
}

/// Of many instruments so many are named.
const NAMED_MAX: usize = 5;

impl Sources {
    /// What to do about an instrument that is not configured.
    pub fn missing(&self, market: Market, symbol: &str) -> String {
        if !self.given.is_empty() {
            let (named, more) = self.given.split_at(self.given.len().min(NAMED_MAX));
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            return format!("is not among the instruments that there are here: {}{more}", named.join(", "));
        }
        let config = &self.config;
        let (file, listed) = match self.files.iter().find(|(of, _)| *of == market) {
            Some((_, file)) => (file.clone(), String::new()),
            None => (
                format!("a file with venue = \"binance\" and market = \"{market}\""),
                format!(" and list it under [instruments] files in {config}"),
            ),
        };
        let rerun = if self.built_in { format!(", then use --config {config}") } else { String::new() };
        format!("is not configured: add an [[instrument]] with symbol = {symbol:?} to {file}{listed}{rerun}")
    }
}

/// Reads all files of `[instruments]`, each by `open`.
pub(super) fn check(
    raw: &RawInstruments,
    built_in: bool,
    open: &dyn Fn(&str) -> Opened,
    checks: &mut Checks<'_>,
) -> Instruments {
    let config = checks.document.file;
    let unread = |problem: &ConfigProblem| problem.file != config || problem.key.starts_with("instruments");
    let given = Vec::new();
    let mut sources = Sources { config: config.to_owned(), built_in, files: Vec::new(), given };
    let mut all: Vec<Instrument> = Vec::new();
    for given in &raw.files {
        let Opened { name, text } = open(given.get_ref());
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                checks.refuse(&given.span(), format!("{name} cannot be read: {error}"));
                continue;
            }
        };
        let Some((market, instruments)) = read(&name, &text, &mut checks.problems) else { continue };
        if let Some(twice) = instruments.iter().find(|i| all.iter().any(|other| other.name() == i.name())) {
            checks.refuse(&given.span(), format!("gives {} again", twice.name()));
        }
        sources.files.push((market, name));
        all.extend(instruments);
    }
    let mut table = None;
    if !checks.problems.iter().any(unread) {
        match InstrumentTable::new(all) {
            Ok(made) => table = Some(made),
            Err(error) => {
                let span = raw.files.first().map(Spanned::span).unwrap_or_default();
                checks.refuse(&span, error.to_string());
            }
        }
    }
    Instruments { table, sources }
}

/// The venue of an instrument file. What is wanted of one for another venue, a backtest has elsewhere.
fn known_venue(given: &Spanned<String>, checks: &mut Checks<'_>) -> Option<&'static str> {
    let names: Vec<&str> = VENUES.iter().map(|(name, _)| *name).collect();
    let name = given.get_ref().as_str();
    if names.contains(&name) || nearest(name, &names).is_some() {
        return checks.choose(given, VENUES);
    }
    let expected = format!(
        "must be one of {}; an instrument of another venue needs no file, since a backtest takes it as its imported history \
         knows it: [backtest] qty_decimals says what parts of one can be bought, a [[backtest.tier]] what fees are charged",
        names.join(", ")
    );
    checks.refuse(&given.span(), expected);
    None
}

/// Reads one file; `None` where anything in it is refused, which `problems` then tells.
fn read(file: &str, text: &str, problems: &mut Vec<ConfigProblem>) -> Option<(Market, Vec<Instrument>)> {
    let document = match Document::parse(file, text) {
        Ok(document) => document,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let mut checks = Checks { document: &document, problems: Vec::new() };
    let raw: RawInstrumentFile = document.read(&mut checks.problems);
    let venue = checks
        .require(&raw.venue, &document.span(), "venue", "the venue's name, such as \"binance\"")
        .and_then(|given| known_venue(given, &mut checks));
    let market = checks
        .require(&raw.market, &document.span(), "market", "one of spot, usdm, coinm")
        .and_then(|given| checks.choose(given, MARKETS));
    let mut instruments: Vec<Instrument> = Vec::with_capacity(raw.instrument.len());
    for raw in &raw.instrument {
        // Where the venue or market was refused, no instrument gets out; any will do to check the rest by.
        let (venue, market) = (venue.unwrap_or("binance"), market.unwrap_or(Market::Spot));
        let one = InstrumentCheck { checks: &mut checks, at: raw.span() };
        let Some(instrument) = one.instrument(venue, market, raw.get_ref()) else { continue };
        if instruments.iter().any(|other| other.symbol == instrument.symbol) {
            checks.refuse(&given_span(&raw.get_ref().symbol), "is already given above");
        }
        instruments.push(instrument);
    }
    let good = checks.problems.is_empty();
    problems.append(&mut checks.problems);
    market.filter(|_| good).map(|market| (market, instruments))
}

fn given_span<T>(given: &Given<T>) -> Range<usize> {
    given.as_ref().map(Spanned::span).unwrap_or_default()
}

/// The checks of one `[[instrument]]`, which begins at `at`.
struct InstrumentCheck<'c, 'd> {
    checks: &'c mut Checks<'d>,
    at: Range<usize>,
}

impl InstrumentCheck<'_, '_> {
    fn instrument(mut self, venue: &str, market: Market, raw: &RawInstrument) -> Option<Instrument> {
        let symbol = self.code(&raw.symbol, "symbol");
        let base = self.code(&raw.base, "base");
        let quote = self.code(&raw.quote, "quote");
        let decimals = self.decimals(raw);
        let maker_fee = self.fee(&raw.maker_fee, "maker_fee");
        let taker_fee = self.fee(&raw.taker_fee, "taker_fee");
        self.require_numbers(raw);
        let (price_decimals, qty_decimals) = decimals?;
        let tick = self.number(&raw.tick, price_decimals, 1..=i64::MAX);
        let lot = self.number(&raw.lot, qty_decimals, 1..=i64::MAX);
        let min_qty = self.number(&raw.min_qty, qty_decimals, 1..=i64::MAX);
        let max_qty = self.number(&raw.max_qty, qty_decimals, 1..=i64::MAX);
        let min_notional = self.min_notional(&raw.min_notional, price_decimals + qty_decimals);
        if let (Some(min), Some(max)) = (min_qty, max_qty)
            && min > max
        {
            self.checks.refuse(&given_span(&raw.max_qty), "must not be less than min_qty");
            return None;
        }
        Some(Instrument {
            id: InstrumentId(0),
            venue: venue.to_owned(),
            market,
            symbol: symbol?,
            base: base?,
            quote: quote?,
            price_decimals,
            qty_decimals,
            tick: Price(tick?),
            lot: Qty(lot?),
            min_qty: Qty(min_qty?),
            max_qty: Qty(max_qty?),
            min_notional: min_notional?,
            maker_fee: maker_fee?,
            taker_fee: taker_fee?,
        })
    }

    /// A symbol or an asset: upper case, short enough to look up.
    fn code(&mut self, given: &Given<String>, name: &str) -> Option<String> {
        let given = self.checks.require(given, &self.at, name, "text such as \"BTCUSDT\", \"BTC\"")?;
        let text = given.get_ref();
        let good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !text.is_empty() && text.len() <= SYMBOL_BYTES_MAX && text.bytes().all(good) {
            return Some(text.clone());
        }
        self.checks.refuse(
            &given.span(),
            format!("must be 1 to {SYMBOL_BYTES_MAX} upper-case letters, digits or underscores"),
        );
        None
    }

    /// Price and quantity decimals; their sum is the notional's, which has to fit too.
    fn decimals(&mut self, raw: &RawInstrument) -> Option<(u8, u8)> {
        let mut one = |given: &Given<i64>, name| {
            self.checks.require(given, &self.at, name, "decimals of printed numbers, 0 to 18")?;
            self.checks.integer_if(given, 0..=DECIMALS_MAX)
        };
        let price = one(&raw.price_decimals, "price_decimals");
        let qty = one(&raw.qty_decimals, "qty_decimals");
        let (price, qty) = (price?, qty?);
        if price + qty > DECIMALS_MAX {
            let rest = DECIMALS_MAX - price;
            let expected =
                format!("must be at most {rest} beside price_decimals = {price}: together at most 18");
            self.checks.refuse(&given_span(&raw.qty_decimals), expected);
            return None;
        }
        Some((price, qty))
    }

    fn fee(&mut self, given: &Given<String>, name: &str) -> Option<FeeRate> {
        self.checks.require(given, &self.at, name, "a fraction in quotes: \"0.001\" is 0.1 %")?;
        self.number(given, FeeRate::DECIMALS, -FEE_MAX..=FEE_MAX).map(FeeRate)
    }

    /// Reports missing numbers even where the decimals to read them by are missing too.
    fn require_numbers(&mut self, raw: &RawInstrument) {
        let numbers = [
            (&raw.tick, "tick"),
            (&raw.lot, "lot"),
            (&raw.min_qty, "min_qty"),
            (&raw.max_qty, "max_qty"),
            (&raw.min_notional, "min_notional"),
        ];
        for (given, name) in numbers {
            self.checks.require(given, &self.at, name, "a decimal number in quotes");
        }
    }

    /// Read at 8 decimals or fewer, since at the notional's own (16 on Binance spot) 64 bits end at 922.
    fn min_notional(&mut self, given: &Given<String>, decimals: u8) -> Option<Notional> {
        let read = decimals.min(8);
        let value = self.number(given, read, 0..=i64::MAX)?;
        Some(Notional(i128::from(value) * i128::from(POW10[usize::from(decimals - read)])))
    }

    fn number(&mut self, given: &Given<String>, decimals: u8, range: RangeInclusive<i64>) -> Option<i64> {
        self.checks.decimal(given.as_ref()?, decimals, range)
    }
}
