//! Zips of US equities and of crypto bars in the layout of LEAN: ticks, second and minute bars by day; hour and daily
//! bars in one file.
//!
//! Prices of stocks are in 10^-4 and times of New York; crypto prices are as printed and times are UTC. A bar's event is
//! at its end, and a day's at the next midnight. Bars of quotes become the quote at their end, since an event has no room
//! for the rest. A tick of one side keeps the other side as it was, an empty side being zeros. Trades have no ids and no
//! sides: those are told by the tick rule. Ticks marked suspicious are bad rows.

use super::adjust::{Factor, Factors};
use super::fault::{ImportError, NameFault, RowFault};
use super::input::columns;
use super::number::{Numbers, integer, shown};
use super::sink::{Sink, Spec};
use super::{Format, ImportOptions, Line, check_bar};
use crate::domain::{Market, Side, Time};
use crate::history::catalogue::{SeriesKind, SeriesName, every_seconds};
use crate::history::segment::{GapRule, Num, Row};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::path::Path;

/// The zone that stocks' files have their times in.
const STOCKS_ZONE: &str = "America/New_York";

const TRADE_BAR: &str = "time, open, high, low, close, volume";
const QUOTE_BAR: &str = "time, bid open, high, low, close, size, ask open, high, low, close, size";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    Tick,
    Bar,
    /// Hour and daily files, whose rows have dates.
    Dated,
}

/// See the module.
pub(super) struct Bars {
    options: ImportOptions,
    stocks: bool,
    venue: String,
    symbol: String,
    resolution: Resolution,
    /// Of bars: `1m`.
    every: Option<String>,
    quotes: bool,
    /// Midnight of the file's day, and the day as 20131007; zero where rows have their own.
    midnight: Time,
    day: u32,
    zone: TimeZone,
    factors: Option<Factors>,
    numbers: Numbers,
    series: Option<usize>,
    bid: (Num, Num),
    ask: (Num, Num),
}

impl Bars {
    /// The file at `path`, whose text is called `name`; of stocks, or of crypto.
    pub fn new(path: &Path, name: &str, stocks: bool, options: &ImportOptions) -> Result<Self, ImportError> {
        let told =
            Told::read(path, name, options).map_err(|fault| ImportError::file(path, fault.to_string()))?;
        let zone = if stocks { TimeZone::get(STOCKS_ZONE) } else { Ok(TimeZone::UTC) };
        let zone = zone.map_err(|error| ImportError::file(path, error.to_string()))?;
        let midnight = told.date.and_then(|date| moment(date.at(0, 0, 0, 0), &zone));
        let factors = match &options.adjust {
            Some(from) => Some(Factors::read(from, &told.symbol, path)?),
            None => None,
        };
        Ok(Self {
            options: options.clone(),
            stocks,
            venue: if stocks { "usa".into() } else { told.venue },
            symbol: told.symbol,
            resolution: told.resolution,
            every: told.every,
            quotes: told.quotes,
            midnight: midnight.unwrap_or_default(),
            day: told.date.map_or(0, number_of),
            zone,
            factors,
            numbers: options.numbers(),
            series: None,
            bid: Default::default(),
            ask: Default::default(),
        })
    }

    #[cold]
    fn begin(&mut self, sink: &mut Sink<'_>) -> Result<usize, RowFault> {
        let mut options = self.options.clone();
        if self.stocks {
            // A share is bought and held as a coin is; what it is paid with is known.
            options.base = options.base.or_else(|| Some(self.symbol.to_uppercase()));
            options.quote = options.quote.or_else(|| Some("USD".into()));
        }
        let named = options.named(&self.venue, Some(Market::Spot), &self.symbol)?;
        let kind = match (self.quotes, self.resolution) {
            (true, _) => SeriesKind::Quotes,
            (false, Resolution::Tick) => SeriesKind::Trades,
            (false, _) => SeriesKind::Bars,
        };
        let every = self.every.clone().filter(|_| self.resolution != Resolution::Tick);
        let name = SeriesName { instrument: named.name, kind, every, adjusted: self.factors.is_some() };
        // When stocks trade is not known here, so nobody can say what is missing.
        let rule = if kind == SeriesKind::Bars && !self.stocks { GapRule::Bars } else { GapRule::None };
        let series = sink.begin(Spec {
            name,
            assets: named.assets,
            rule,
            unique: kind == SeriesKind::Bars,
            part: None,
        })?;
        self.series = Some(series);
        Ok(series)
    }

    /// Start and end of a bar, and its factors.
    fn span(&self, text: &[u8]) -> Result<(Time, Time, Option<Factor>), RowFault> {
        let bad = |expected| RowFault::Word { column: "time", text: shown(text), expected };
        let seconds = self.every.as_deref().and_then(every_seconds).unwrap_or(86_400);
        let factor = |day| self.factors.as_ref().map(|factors| factors.of(day));
        if self.resolution == Resolution::Dated {
            let start = dated(text).ok_or_else(|| bad("a moment such as 20131007 09:00"))?;
            let at =
                |moment_of: DateTime| moment(moment_of, &self.zone).ok_or_else(|| bad("a moment since 1970"));
            let begun = at(start)?;
            let end = if seconds == 86_400 {
                at(start.date().tomorrow().map_err(|_| bad("a day before the year 9999"))?.at(0, 0, 0, 0))?
            } else {
                begun.plus_nanos(seconds * 1_000_000_000)
            };
            return Ok((begun, end, factor(number_of(start.date()))));
        }
        let start = self.midnight.plus_nanos(self.millis(text)? * 1_000_000);
        Ok((start, start.plus_nanos(seconds * 1_000_000_000), factor(self.day)))
    }

    fn millis(&self, text: &[u8]) -> Result<u64, RowFault> {
        let millis = integer("time", text)?;
        if millis < 90_000_000 {
            return Ok(millis);
        }
        Err(RowFault::Word { column: "time", text: shown(text), expected: "a time of day in ms" })
    }

    fn price(&mut self, column: &'static str, text: &[u8], factor: Option<Factor>) -> Result<Num, RowFault> {
        let mut price = self.numbers.price(column, text)?;
        if self.stocks {
            price.decimals += 4;
        }
        factor.map_or(Ok(price), |factor| factor.price(price))
    }

    fn size(&mut self, column: &'static str, text: &[u8], factor: Option<Factor>) -> Result<Num, RowFault> {
        let size = self.numbers.qty(column, text)?;
        factor.map_or(Ok(size), |factor| factor.size(size))
    }

    /// A side of a quote; zeros or nothing where there is none.
    fn side(
        &mut self,
        price: &[u8],
        size: &[u8],
        factor: Option<Factor>,
    ) -> Result<Option<(Num, Num)>, RowFault> {
        if matches!(price, b"" | b"0") {
            return Ok(None);
        }
        Ok(Some((self.price("price", price, factor)?, self.size("size", size, factor)?)))
    }

    fn trade_bar(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let row = columns::<6>(line, TRADE_BAR)?;
        let (open_time, end, factor) = self.span(row[0])?;
        let mut prices = [Num::default(); 4];
        for ((price, text), column) in prices.iter_mut().zip(&row[1..5]).zip(["open", "high", "low", "close"])
        {
            *price = self.price(column, text, factor)?;
        }
        check_bar(&prices)?;
        let row = Row::Bar {
            prices,
            volume: self.size("volume", row[5], factor)?,
            turnover: 0,
            trades: 0,
            open_time,
            close_time: Time(end.0 - 1_000_000),
            closed: true,
        };
        sink.push(series, end, row)
    }

    fn quote_bar(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let row = columns::<11>(line, QUOTE_BAR)?;
        let (_, end, factor) = self.span(row[0])?;
        let bid = self.side(row[4], row[5], factor)?.unwrap_or_default();
        let ask = self.side(row[9], row[10], factor)?.unwrap_or_default();
        sink.push(series, end, Row::Quote { bid, ask, update_id: 0 })
    }

    fn trade(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let (time, price, size) = if self.stocks {
            let [time, price, size, _, _, suspicious] =
                columns::<6>(line, "time, price, size, exchange, condition, suspicious")?;
            not_suspicious(suspicious)?;
            (time, price, size)
        } else {
            let [time, price, size] = columns::<3>(line, "time, price, size")?;
            (time, price, size)
        };
        let time = self.midnight.plus_nanos(self.millis(time)? * 1_000_000);
        let factor = self.factors.as_ref().map(|factors| factors.of(self.day));
        let (price, qty) = (self.price("price", price, factor)?, self.size("size", size, factor)?);
        // Without an id: numbers of our own would tell of trades that are missing between two of them.
        let id = 0;
        let row = Row::Trade { price, qty, id, venue_time: time, aggressor: Side::Buy, aggregate: false };
        sink.push_without_side(series, time, row)
    }

    fn quote(&mut self, series: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let (time, sides) = if self.stocks {
            let row =
                columns::<8>(line, "time, bid, bid size, ask, ask size, exchange, condition, suspicious")?;
            not_suspicious(row[7])?;
            (row[0], [row[1], row[2], row[3], row[4]])
        } else {
            let row = columns::<5>(line, "time, bid, bid size, ask, ask size")?;
            (row[0], [row[1], row[2], row[3], row[4]])
        };
        let time = self.midnight.plus_nanos(self.millis(time)? * 1_000_000);
        let factor = self.factors.as_ref().map(|factors| factors.of(self.day));
        let bid = self.side(sides[0], sides[1], factor)?;
        let ask = self.side(sides[2], sides[3], factor)?;
        self.bid = bid.unwrap_or(self.bid);
        self.ask = ask.unwrap_or(self.ask);
        sink.push(series, time, Row::Quote { bid: self.bid, ask: self.ask, update_id: 0 })
    }
}

impl Format for Bars {
    fn line(&mut self, _: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault> {
        let series = match self.series {
            Some(series) => series,
            None => self.begin(sink)?,
        };
        match (self.resolution, self.quotes) {
            (Resolution::Tick, false) => self.trade(series, line, sink)?,
            (Resolution::Tick, true) => self.quote(series, line, sink)?,
            (_, false) => self.trade_bar(series, line, sink)?,
            (_, true) => self.quote_bar(series, line, sink)?,
        }
        Ok(Line::Row)
    }

    fn rounded(&self) -> u64 {
        self.numbers.rounded
    }
}

fn not_suspicious(flag: &[u8]) -> Result<(), RowFault> {
    if flag == b"0" {
        return Ok(());
    }
    Err(RowFault::Word {
        column: "suspicious",
        text: shown(flag),
        expected: "0, so the tick cannot be relied on",
    })
}

/// What names say: of the text in the zip (`20131007_spy_minute_trade.csv`, `spy.csv`), and of the file and its folders.
struct Told {
    venue: String,
    symbol: String,
    resolution: Resolution,
    every: Option<String>,
    quotes: bool,
    date: Option<Date>,
}

impl Told {
    fn read(path: &Path, name: &str, options: &ImportOptions) -> Result<Self, NameFault> {
        let folders: Vec<String> =
            path.iter().rev().skip(1).map(|part| part.to_string_lossy().to_lowercase()).collect();
        let stem = name.split('.').next().unwrap_or_default().to_lowercase();
        let parts: Vec<&str> = stem.split('_').collect();
        if let [date, symbol, rest @ ..] = &parts[..]
            && let Some(date) = day_of(date.as_bytes())
        {
            let has = |word: &str| rest.contains(&word);
            let (resolution, every) = match (has("tick"), has("second"), has("minute")) {
                (true, ..) => (Resolution::Tick, None),
                (_, true, _) => (Resolution::Bar, Some("1s".into())),
                (.., true) => (Resolution::Bar, Some("1m".into())),
                _ => {
                    return Err(NameFault::File(
                        "the file in the zip should be DATE_SYMBOL_tick, _second or _minute",
                    ));
                }
            };
            if has("quote") == has("trade") {
                return Err(NameFault::File("the file in the zip should end in _trade or _quote"));
            }
            // <venue>/<resolution>/<symbol>/<date>_trade.zip
            let venue = folders.get(2).cloned().unwrap_or_default();
            let symbol = (*symbol).to_owned();
            return Ok(Self { venue, symbol, resolution, every, quotes: has("quote"), date: Some(date) });
        }
        let own = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let every = match folders.first().map(String::as_str) {
            Some("hour") => Some("1h".to_owned()),
            Some("daily") => Some("1d".to_owned()),
            _ if Factors::are_in(path) => {
                return Err(NameFault::Option(
                    "these look like factors of splits and dividends, and not like bars: give their folder to --adjust where \
                     the bars are imported",
                ));
            }
            _ => options.columns.every.clone().filter(|every| matches!(every.as_str(), "1h" | "1d")),
        };
        let every = every.ok_or(NameFault::File(
            "hour and daily bars are told apart by their folder, hour or daily: add --every 1h or 1d",
        ))?;
        let venue = folders.get(1).cloned().unwrap_or_default();
        let symbol = parts.first().copied().unwrap_or_default().to_owned();
        let quotes = own.contains("_quote");
        Ok(Self { venue, symbol, resolution: Resolution::Dated, every: Some(every), quotes, date: None })
    }
}

/// `20131007` as a date.
fn day_of(text: &[u8]) -> Option<Date> {
    let text =
        std::str::from_utf8(text).ok().filter(|t| t.len() == 8 && t.bytes().all(|b| b.is_ascii_digit()))?;
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

fn number_of(date: Date) -> u32 {
    date.year().unsigned_abs() as u32 * 10_000
        + date.month().unsigned_abs() as u32 * 100
        + date.day().unsigned_abs() as u32
}

/// `20131007 09:00`.
fn dated(text: &[u8]) -> Option<DateTime> {
    let (day, time) = (text.get(..8)?, text.get(8..)?);
    let [b' ', h @ .., b':', m1, m2] = time else { return None };
    let two = |text: &[u8]| {
        std::str::from_utf8(text).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
    };
    let (hour, minute): (i8, i8) = (two(h)?, two(&[*m1, *m2])?);
    if hour > 23 || minute > 59 {
        return None;
    }
    Some(day_of(day)?.at(hour, minute, 0, 0))
}

/// A civil moment of a zone.
fn moment(at: DateTime, zone: &TimeZone) -> Option<Time> {
    let stamp = zone.to_timestamp(at).ok()?;
    u64::try_from(stamp.as_nanosecond()).ok().map(Time)
}
