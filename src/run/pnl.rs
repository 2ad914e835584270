//! What a run earned, by strategy, instrument and day, from its journal: of one that ended, or of one that goes on.
//!
//! Every amount is exact. By either method the whole is the same; what differs is when it was realised. Positions are
//! valued at the mid of the newest quote, or, where none came, of the book that depth made, or else at the last trade; where
//! none of these came, what a position is worth is not known, and told as that. A fee in the base asset is converted at its
//! fill's own price, one in a third asset at its asset's price when it was taken, or, where none was known, at the first that
//! came; what has none to the end is told apart, in its asset. Of a run that went on where another ended, what that one left
//! is of the day `earlier`.

use super::config::{Config, ConfigError};
use super::fee_rates::FeeRates;
use crate::domain::decimal::Scaled;
use crate::domain::event::{Event, Kind};
use crate::domain::order::ReportKind;
use crate::domain::pnl::{Method, Profit};
use crate::domain::{Instrument, InstrumentTable, Notional, Position, Price, Slot, Time};
use crate::journal::{Entry, Follower, JournalError, Next, Resumed, Unpriced};
use crate::market::book::BookKeeper;
use crate::pipeline::Shared;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

/// What one strategy earned in one instrument. Amounts are decimals in the quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PnlLine {
    /// Whose.
    pub strategy: String,
    /// In what.
    pub instrument: String,
    /// The asset of the amounts.
    pub quote: String,
    /// What is held, signed.
    pub qty: String,
    /// What it is valued at; none where no price came.
    pub mark: Option<String>,
    /// Earned by what was closed, before fees.
    pub realised: String,
    /// What closing the rest at the mark would add; not known where something is held and no price came.
    pub unrealised: Option<String>,
    /// All fees, those in the base asset at their fills' prices, those in third assets at theirs; the unpriced left out.
    pub fees: String,
    /// Fees as they were taken, by asset.
    pub fees_by_asset: BTreeMap<String, String>,
    /// Of those, what no price was known of, by asset: in no sum.
    pub unpriced: BTreeMap<String, String>,
    /// Realised and not, less fees, where both are known.
    pub net: Option<String>,
    /// Fills.
    pub fills: u64,
    /// By day, the days on which something happened.
    pub days: Vec<PnlDay>,
}

/// What one day brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PnlDay {
    /// The date on which the day began; `earlier` for what an earlier run left.
    pub day: String,
    /// Realised, before fees.
    pub realised: String,
    /// Fees.
    pub fees: String,
    /// Realised less fees.
    pub net: String,
    /// Fills.
    pub fills: u64,
}

/// A sum in one quote asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PnlSum {
    /// Of what: a strategy, a day, or `all`. In JSON its name says which, and of everything there is none.
    pub of: String,
    /// The asset.
    pub quote: String,
    /// Realised and not, less fees, where of all in it both are known; of a day, what was realised, less fees.
    pub net: Option<String>,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PnlReport {
    /// `average` or `fifo`.
    pub method: &'static str,
    /// Up to when the journal was read.
    pub time: String,
    /// Whether the run came to its end there; if not it goes on, or its journal was cut.
    pub ended: bool,
    /// What is wrong with the journal where it could not be read on; what comes after is not in this.
    pub damaged: Option<String>,
    /// By strategy and instrument, of those in which something was filled.
    pub lines: Vec<PnlLine>,
    /// Sums by strategy.
    #[serde(serialize_with = "by_strategy")]
    pub strategies: Vec<PnlSum>,
    /// Sums by day.
    #[serde(serialize_with = "by_day")]
    pub days: Vec<PnlSum>,
    /// Sums of everything.
    #[serde(serialize_with = "of_all")]
    pub whole: Vec<PnlSum>,
}

fn by_strategy<S: Serializer>(sums: &[PnlSum], to: S) -> Result<S::Ok, S::Error> {
    named("strategy", sums, to)
}

fn by_day<S: Serializer>(sums: &[PnlSum], to: S) -> Result<S::Ok, S::Error> {
    named("day", sums, to)
}

fn of_all<S: Serializer>(sums: &[PnlSum], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(
        sums.iter().map(|sum| BTreeMap::from([("quote", Some(&sum.quote)), ("net", sum.net.as_ref())])),
    )
}

fn named<S: Serializer>(name: &'static str, sums: &[PnlSum], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(sums.iter().map(|sum| {
        let PnlSum { of, quote, net } = sum;
        BTreeMap::from([(name, Some(of)), ("quote", Some(quote)), ("net", net.as_ref())])
    }))
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum PnlError {
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal ends before its header.
    #[error("{0}: ends before its header: nothing was journaled")]
    Empty(String),
    /// What it was made with is of no use to this version.
    #[error("{path}: its configuration is refused by this version:\n{error}")]
    Config {
        /// Which file.
        path: String,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// Its instruments cannot be.
    #[error("{0}: its instruments do not fit together: the file is damaged")]
    Instruments(String),
}

/// Decimals of fees.
const FEE_DECIMALS: u8 = 8;

/// With as few digits as it takes.
fn shown(value: i128, decimals: u8) -> String {
    format!("{:#}", Scaled { value, decimals })
}

/// Reads a journal, one that is damaged up to where it is. `method` stands in place of `[accounting] method`.
///
/// # Errors
/// [`PnlError`], where not even its beginning reads.
pub fn pnl_report(path: &Path, method: Option<Method>) -> Result<PnlReport, PnlError> {
    let name = path.display().to_string();
    let mut follower = Follower::open(path)?.ok_or_else(|| PnlError::Empty(name.clone()))?;
    let header = follower.header().clone();
    let table =
        InstrumentTable::new(header.instruments.clone()).map_err(|_| PnlError::Instruments(name.clone()))?;
    let config = Config::from_text_with_instruments(&header.config_text, &header.config_name, table.clone())
        .map_err(|error| PnlError::Config { path: name.clone(), error })?;
    let method = method.unwrap_or(config.accounting);
    let finest = table.all().iter().map(Instrument::notional_decimals).max();
    let mut books = Books {
        decimals: finest.unwrap_or_default().max(FEE_DECIMALS),
        marks: vec![Mark::default(); table.len()],
        depth: BookKeeper::new(table.all(), |of| {
            config.strategies.iter().any(|strategy| strategy.instruments.contains(&of.id))
        }),
        time: Time(0),
        day_ends: Time(0),
        profits: BTreeMap::new(),
        rates: FeeRates::new(&table),
        table,
        config,
        method,
    };
    if let Some(resumed) = &header.resumed {
        books.go_on(resumed);
    }
    let (ended, damaged) = loop {
        match follower.next_entry() {
            Ok(Next::Entry(Entry::Slot(slot), _)) => books.take(&slot),
            Ok(Next::Entry(..)) => {}
            Ok(end) => break (end == Next::Ended, None),
            Err(error) => break (false, Some(error.to_string())),
        }
    };
    Ok(PnlReport { ended, damaged, ..books.report() })
}

/// What a mark is of; what stands later says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum MarkedBy {
    #[default]
    Trade,
    Book,
    Quote,
}

/// The price that an instrument is valued at.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    price: Option<Price>,
    by: MarkedBy,
}

impl Mark {
    fn set(&mut self, by: MarkedBy, price: Price) {
        if by >= self.by {
            *self = Self { price: Some(price), by };
        }
    }
}

/// Profits as they come.
struct Books {
    table: InstrumentTable,
    config: Config,
    method: Method,
    /// That every amount is added up with: those of the finest notional.
    decimals: u8,
    marks: Vec<Mark>,
    /// The books that depth makes, of what is traded and not quoted.
    depth: BookKeeper,
    time: Time,
    /// When the day ends, which it is known by.
    day_ends: Time,
    /// By strategy and instrument.
    profits: BTreeMap<(u8, u16), Profit>,
    /// What commissions in third assets are worth.
    rates: FeeRates,
}

impl Books {
    fn go_on(&mut self, left: &Resumed) {
        for (strategy, desk) in (0..=u8::MAX).zip(&left.desks) {
            for (position, of) in desk.positions.iter().zip(self.table.all()) {
                let lots = left.lots.get(usize::from(strategy)).and_then(|lots| lots.get(of.id.index()));
                if *position != Position::default() {
                    let profit = Profit::carrying(self.method, position, lots, of);
                    self.profits.insert((strategy, of.id.0), profit);
                }
            }
        }
        for report in left.unpriced.iter().map(Unpriced::report) {
            let key = (report.strategy.0, report.instrument.0);
            let of = self.table.all().get(report.instrument.index());
            if let (Some(profit), Some(of)) = (self.profits.get_mut(&key), of) {
                profit.book_report(Profit::EARLIER, &report, of);
            }
        }
    }

    fn take(&mut self, slot: &Slot) {
        if slot.is_first() {
            self.time = slot.time();
        }
        match slot.kind() {
            Kind::Quote | Kind::Trade => {
                self.mark(slot);
                if self.rates.see(slot) {
                    self.value();
                }
            }
            Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial | Kind::Levels | Kind::Interrupted => {
                self.follow(slot);
            }
            Kind::Report => {
                let Event::Report(report) = slot.event() else { return };
                if self.time >= self.day_ends {
                    self.day_ends = self.config.risk.setup.day.next_after(self.time);
                }
                let Some(of) = self.table.all().get(report.instrument.index()) else { return };
                let day = i64::try_from(self.day_ends.0).unwrap_or(i64::MAX);
                let key = (report.strategy.0, report.instrument.0);
                let profit = self.profits.entry(key).or_insert_with(|| Profit::new(self.method));
                profit.book_report(day, &report, of);
                if report.kind == ReportKind::Commission && report.fee == 0 {
                    self.value();
                }
            }
            _ => {}
        }
    }

    fn value(&mut self) {
        for ((_, instrument), profit) in &mut self.profits {
            let Some(of) = self.table.all().get(usize::from(*instrument)) else { continue };
            let worth = |asset, amount| self.rates.worth(asset, amount, &of.quote);
            profit.value(worth);
        }
    }

    fn mark(&mut self, slot: &Slot) {
        let Some(mark) = self.marks.get_mut(slot.instrument().index()) else { return };
        if let Some(quote) = slot.as_quote() {
            mark.by = MarkedBy::Quote;
            if quote.bid.qty.0 > 0 && quote.ask.qty.0 > 0 {
                mark.set(MarkedBy::Quote, quote.bid.price.middle(quote.ask.price));
            }
        } else if let Some(trade) = slot.as_trade() {
            mark.set(MarkedBy::Trade, trade.price);
        }
    }

    /// Depth says where the market is until a quote does.
    fn follow(&mut self, slot: &Slot) {
        let Some(mark) = self.marks.get_mut(slot.instrument().index()) else { return };
        if mark.by == MarkedBy::Quote {
            return;
        }
        self.depth.on_slot(slot);
        if let Some(middle) = self.depth.moved().and_then(|moved| self.depth.middle(moved)) {
            mark.set(MarkedBy::Book, middle);
        }
    }
}

/// Realised, unrealised and fees, in the units of [`Books::decimals`].
#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    realised: i128,
    /// Where it is known.
    unrealised: Option<i128>,
    fees: i128,
}

impl Amounts {
    fn net(&self) -> Option<i128> {
        Some(self.realised + self.unrealised? - self.fees)
    }
}

/// Sums by what they are of and by quote asset, each as long as all that is in it is known.
type Sums = BTreeMap<(String, String), Option<i128>>;

fn add(sums: &mut Sums, of: &str, quote: &str, amount: Option<i128>) {
    let sum = sums.entry((of.to_owned(), quote.to_owned())).or_insert(Some(0));
    *sum = sum.zip(amount).map(|(sum, amount)| sum + amount);
}

impl Books {
    /// An amount with the decimals of all; what is far beyond any account is held at the limit.
    fn amount(&self, value: i128, decimals: u8) -> i128 {
        let power = u32::from(self.decimals.saturating_sub(decimals));
        value.saturating_mul(10i128.saturating_pow(power))
    }

    fn fees(&self, by_asset: &BTreeMap<String, i128>, third: i128, base: Notional, of: &Instrument) -> i128 {
        let in_quote = by_asset.get(&of.quote).copied().unwrap_or_default();
        self.amount(in_quote + third, FEE_DECIMALS) + self.amount(base.0, of.notional_decimals())
    }

    /// The date of the day that ends then.
    fn day(&self, ends: i64) -> String {
        match u64::try_from(ends) {
            Ok(ends) => self.config.risk.setup.day.date_of(Time(ends)),
            Err(_) => "earlier".to_owned(),
        }
    }

    fn report(&self) -> PnlReport {
        let (mut lines, mut strategies, mut days, mut whole) =
            (Vec::new(), Sums::new(), Sums::new(), Sums::new());
        for (&(strategy, instrument), profit) in &self.profits {
            let Some(of) = self.table.all().get(usize::from(instrument)) else { continue };
            let label = self.config.strategies.get(usize::from(strategy)).map(|s| s.label.clone());
            let label = label.unwrap_or_else(|| format!("#{strategy}"));
            // Of what is not held nothing is to be valued.
            let mark = self.marks[usize::from(instrument)].price;
            let valued = mark.or((profit.qty().0 == 0).then_some(Price(0)));
            let money = of.notional_decimals();
            let amounts = Amounts {
                realised: self.amount(profit.realised().0, money),
                unrealised: valued.map(|mark| self.amount(profit.unrealised(mark).0, money)),
                fees: self.fees(profit.fees(), profit.fees_in_third(), profit.fees_in_base(), of),
            };
            add(&mut strategies, &label, &of.quote, amounts.net());
            add(&mut whole, "all", &of.quote, amounts.net());
            let told = profit.days().iter().map(|(day, on)| {
                let day = self.day(*day);
                let realised = self.amount(on.realised.0, money);
                let fees = self.fees(&on.fees, on.fees_in_third, on.fees_in_base, of);
                add(&mut days, &day, &of.quote, Some(realised - fees));
                PnlDay {
                    day,
                    realised: self.shown(realised),
                    fees: self.shown(fees),
                    net: self.shown(realised - fees),
                    fills: on.fills,
                }
            });
            let told: Vec<PnlDay> = told.collect();
            let by_asset = |(asset, paid): (&String, &i128)| (asset.clone(), shown(*paid, FEE_DECIMALS));
            lines.push(PnlLine {
                strategy: label,
                instrument: of.name(),
                quote: of.quote.clone(),
                qty: shown(profit.qty().0.into(), of.qty_decimals),
                mark: mark.map(|mark| shown(mark.0.into(), of.price_decimals)),
                realised: self.shown(amounts.realised),
                unrealised: amounts.unrealised.map(|amount| self.shown(amount)),
                fees: self.shown(amounts.fees),
                fees_by_asset: profit.fees().iter().map(by_asset).collect(),
                unpriced: profit.unpriced().iter().map(by_asset).collect(),
                net: amounts.net().map(|net| self.shown(net)),
                fills: told.iter().map(|day| day.fills).sum(),
                days: told,
            });
        }
        PnlReport {
            ended: false,
            damaged: None,
            method: self.method.label(),
            time: self.time.to_string(),
            lines,
            strategies: self.sums(strategies),
            days: self.sums(days),
            whole: self.sums(whole),
        }
    }

    fn shown(&self, value: i128) -> String {
        shown(value, self.decimals)
    }

    fn sums(&self, all: Sums) -> Vec<PnlSum> {
        let sum = |((of, quote), net): ((String, String), Option<i128>)| PnlSum {
            of,
            quote,
            net: net.map(|net| self.shown(net)),
        };
        all.into_iter().map(sum).collect()
    }
}
