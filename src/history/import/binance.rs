//! Binance's public dumps: `BTCUSDT-trades-2024-08-08.zip`, `BTCUSDT-1m-2024-08.zip`.
//!
//! Columns by the venue's repository of public data: spot files have no header and seven (trades) or eight (aggTrades)
//! columns, futures files a header since 2022 and one column less. Times are ms, of spot files µs from 2025 on: a time
//! of 1e15 or more is µs. Trades have the venue's time as theirs, bars their end; quotes the transaction's.

use super::fault::{NameFault, RowFault};
use super::input::{columns, columns_or_one_more};
use super::number::{Numbers, integer, turnover};
use super::sink::{Sink, Spec};
use super::{Format, ImportOptions, Line};
use crate::domain::{Market, Side, Time};
use crate::history::catalogue::{SeriesKind, SeriesName, is_every};
use crate::history::segment::{GapRule, Num, Row};
use std::path::Path;

const TRADES: &str = "id, price, qty, quote qty, time, buyer was maker";
const AGG_TRADES: &str = "id, price, qty, first id, last id, time, buyer was maker";
const KLINES: &str =
    "open time, open, high, low, close, volume, close time, quote volume, trades, two of takers, one more";
const TICKERS: &str = "update id, bid price, bid qty, ask price, ask qty, transaction time, event time";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Trades,
    AggTrades,
    Klines(String),
    BookTicker,
}

/// See the module.
pub(super) struct Dump {
    options: ImportOptions,
    symbol: String,
    kind: Kind,
    market: Option<Market>,
    numbers: Numbers,
    series: Option<usize>,
}

impl Dump {
    /// The dump at `path`, whose text is called `name`.
    pub fn new(path: &Path, name: &str, options: &ImportOptions) -> Result<Self, NameFault> {
        let stem = name.split('.').next().unwrap_or_default();
        let mut parts = stem.split('-');
        let (symbol, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let folder = |name: &str| path.components().any(|part| part.as_os_str() == name);
        if ["indexPriceKlines", "markPriceKlines", "premiumIndexKlines"].into_iter().any(folder) {
            return Err(NameFault::File(
                "bars of an index or of mark prices are not trades' bars; only those are taken",
            ));
        }
        let kind = match kind {
            "trades" => Kind::Trades,
            "aggTrades" => Kind::AggTrades,
            "bookTicker" => Kind::BookTicker,
            every if is_every(every) => Kind::Klines(every.into()),
            _ => {
                return Err(NameFault::File(
                    "Binance calls its dumps SYMBOL-TYPE-DATE.zip, TYPE being trades, aggTrades, bookTicker or a length \
                     such as 1m; give the file its name back",
                ));
            }
        };
        let market = match (folder("um"), folder("cm"), folder("spot")) {
            (true, ..) => Some(Market::UsdM),
            (_, true, _) => Some(Market::CoinM),
            (_, _, true) => Some(Market::Spot),
            _ => None,
        };
        let symbol = symbol.to_owned();
        Ok(Self { options: options.clone(), symbol, kind, market, numbers: options.numbers(), series: None })
    }

    /// The series, named by the first row, whose number of columns tells spot from futures.
    #[cold]
    fn begin(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<usize, RowFault> {
        let found = line.iter().filter(|&&b| b == b',').count() + 1;
        let futures = if self.symbol.contains("USD_") { Market::CoinM } else { Market::UsdM };
        let market = match (&self.kind, found) {
            (Kind::Trades, 7) | (Kind::AggTrades, 8) => Some(Market::Spot),
            (Kind::Trades, 6) | (Kind::AggTrades, 7) | (Kind::BookTicker, _) => Some(futures),
            _ => None,
        };
        let named = self.options.named("binance", self.market.or(market), &self.symbol)?;
        let (kind, rule, every) = match &self.kind {
            Kind::Trades => (SeriesKind::Trades, GapRule::TradeIds, None),
            Kind::AggTrades => (SeriesKind::AggTrades, GapRule::TradeIds, None),
            Kind::Klines(every) => (SeriesKind::Bars, GapRule::Bars, Some(every.clone())),
            Kind::BookTicker => (SeriesKind::Quotes, GapRule::None, None),
        };
        let name = SeriesName { every, ..SeriesName::new(&named.name, kind) };
        let series = sink.begin(Spec { name, assets: named.assets, rule, unique: true, part: None })?;
        self.series = Some(series);
        Ok(series)
    }

    #[inline]
    fn trade(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        // Spot has one column more, whether it was the best match.
        let [id, price, qty, _, time, maker] = columns_or_one_more::<6>(line, TRADES)?;
        self.put(series, [id, price, qty, time, maker], false, sink)
    }

    #[inline]
    fn agg_trade(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [id, price, qty, _, _, time, maker] = columns_or_one_more::<7>(line, AGG_TRADES)?;
        self.put(series, [id, price, qty, time, maker], true, sink)
    }

    #[inline]
    fn put(
        &mut self,
        series: usize,
        row: [&[u8]; 5],
        aggregate: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), RowFault> {
        let [id, price, qty, time, maker] = row;
        let time = moment("time", time)?;
        let row = Row::Trade {
            price: self.numbers.price("price", price)?,
            qty: self.numbers.qty("qty", qty)?,
            id: integer("id", id)?,
            venue_time: time,
            aggressor: if flag("buyer was maker", maker)? { Side::Sell } else { Side::Buy },
            aggregate,
        };
        sink.push(series, time, row)
    }

    fn kline(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let row = columns::<12>(line, KLINES)?;
        let (open_time, close_time) = (moment("open time", row[0])?, moment("close time", row[6])?);
        let mut prices = [Num::default(); 4];
        for ((price, text), column) in prices.iter_mut().zip(&row[1..5]).zip(["open", "high", "low", "close"])
        {
            *price = self.numbers.price(column, text)?;
        }
        super::check_bar(&prices)?;
        if close_time < open_time {
            return Err(RowFault::EndBeforeStart);
        }
        let unit = if row[6].len() >= 16 { 1_000 } else { 1_000_000 };
        let row = Row::Bar {
            prices,
            volume: self.numbers.qty("volume", row[5])?,
            turnover: turnover("quote volume", row[7])?,
            trades: integer("trades", row[8])?,
            open_time,
            close_time,
            closed: true,
        };
        sink.push(series, close_time.plus_nanos(unit), row)
    }

    fn ticker(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [id, bid, bid_qty, ask, ask_qty, time, _] = columns::<7>(line, TICKERS)?;
        let row = Row::Quote {
            bid: (self.numbers.price("bid price", bid)?, self.numbers.qty("bid qty", bid_qty)?),
            ask: (self.numbers.price("ask price", ask)?, self.numbers.qty("ask qty", ask_qty)?),
            update_id: integer("update id", id)?,
        };
        sink.push(series, moment("transaction time", time)?, row)
    }
}

impl Format for Dump {
    #[inline]
    fn line(&mut self, number: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault> {
        // A header names its columns, all of which begin with a letter.
        if number == 1 && line.first().is_some_and(u8::is_ascii_alphabetic) && header(line) {
            return Ok(Line::Header);
        }
        let series = match self.series {
            Some(series) => series,
            None => self.begin(line, sink)?,
        };
        match self.kind {
            Kind::Trades => self.trade(series, line, sink)?,
            Kind::AggTrades => self.agg_trade(series, line, sink)?,
            Kind::Klines(_) => self.kline(series, line, sink)?,
            Kind::BookTicker => self.ticker(series, line, sink)?,
        }
        Ok(Line::Row)
    }

    fn rounded(&self) -> u64 {
        self.numbers.rounded
    }
}

fn header(line: &[u8]) -> bool {
    line.split(|&b| b == b',').all(|name| {
        name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    })
}

/// A time in ms, or in µs from 1e15 on.
#[inline]
fn moment(column: &'static str, text: &[u8]) -> Result<Time, RowFault> {
    let value = integer(column, text)?;
    // Milliseconds from 1973, microseconds until 2540: what is beyond is neither.
    match value {
        100_000_000_000..18_000_000_000_000 => Ok(Time(value * 1_000_000)),
        1_000_000_000_000_000..18_000_000_000_000_000 => Ok(Time(value * 1_000)),
        _ => {
            Err(RowFault::Word {
                column, text: value.to_string(), expected: "a time in ms or µs since 1970"
            })
        }
    }
}

#[inline]
fn flag(column: &'static str, text: &[u8]) -> Result<bool, RowFault> {
    match text {
        b"true" | b"True" | b"TRUE" => Ok(true),
        b"false" | b"False" | b"FALSE" => Ok(false),
        _ => Err(RowFault::Word { column, text: super::number::shown(text), expected: "true or false" }),
    }
}
