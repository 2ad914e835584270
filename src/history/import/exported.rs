//! What `algo-trader export --format csv` wrote: trades, aggregate trades, quotes, depth and bars, event for event.
//!
//! The file's name says what its rows are of (`binance_spot_BTCUSDT-bars-1m.csv`), its first line which table it is. What is
//! empty is what the source did not say, and is not known afterwards either. Rows of depth that follow each other with the
//! same times and ids are the levels of one event.

use super::fault::{NameFault, RowFault};
use super::input::columns;
use super::number::{Numbers, integer, shown, turnover};
use super::sink::{Sink, Spec};
use super::{Format, ImportOptions, Line, check_bar};
use crate::domain::{Market, Side, Time};
use crate::history::catalogue::{SeriesKind, SeriesName};
use crate::history::export::Table;
use crate::history::segment::{DepthRow, GapRule, Num, Row, RowKind};

const TABLES: [Table; 4] = [Table::Trades, Table::Quotes, Table::Depth, Table::Bars];
/// The venue whose trades are numbered without a gap, and whose bars follow each other without one.
const COUNTED: &str = "binance";

/// A depth event that is not at its end yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    time: Time,
    venue_time: Time,
    kind: RowKind,
    /// First, last, previous.
    ids: [u64; 3],
}

/// See the module.
pub(super) struct Exported {
    options: ImportOptions,
    numbers: Numbers,
    name: SeriesName,
    table: Option<Table>,
    series: usize,
    event: Option<Event>,
    /// The line that it begins in.
    begun: u64,
    /// Its levels, bids first, and how many of them are bids.
    levels: Vec<(Num, Num)>,
    bids: usize,
}

impl Exported {
    /// The table whose text is called `name`.
    pub fn new(name: &str, options: &ImportOptions) -> Result<Self, NameFault> {
        let (instrument, name) = series_of(name.strip_suffix(".csv").unwrap_or(name))?;
        let instrument = match &options.instrument {
            Some(given) => given.clone(),
            None => instrument_of(instrument)?,
        };
        Ok(Self {
            numbers: options.numbers(),
            options: ImportOptions { instrument: Some(instrument), ..options.clone() },
            name,
            table: None,
            series: 0,
            event: None,
            begun: 0,
            levels: Vec::new(),
            bids: 0,
        })
    }

    /// Which table it is, by its first line.
    fn begin(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let is_of = |table: &&Table| {
            let names = table.columns().iter().map(|(name, _)| name.as_bytes());
            names.eq(line.split(|&byte| byte == b','))
        };
        let table = *TABLES.iter().find(is_of).ok_or(NameFault::File(
            "its first line is not that of a table that `algo-trader export --format csv` writes",
        ))?;
        let kind = self.name.kind;
        let fits = match table {
            Table::Trades => matches!(kind, SeriesKind::Trades | SeriesKind::AggTrades),
            Table::Quotes => kind == SeriesKind::Quotes,
            Table::Depth => kind == SeriesKind::Depth,
            Table::Bars => kind == SeriesKind::Bars,
        };
        if !fits {
            return Err(NameFault::File("its first line is that of another table").into());
        }
        let named = self.options.named("", None, "")?;
        let counted = named.name.split(':').next() == Some(COUNTED);
        let rule = match table {
            Table::Trades if counted => GapRule::TradeIds,
            Table::Bars if counted => GapRule::Bars,
            _ => GapRule::None,
        };
        let name = SeriesName { instrument: named.name, ..self.name.clone() };
        let unique = table == Table::Bars;
        self.series = sink.begin(Spec { name, assets: named.assets, rule, unique, part: None })?;
        self.table = Some(table);
        Ok(())
    }

    fn trade(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [time, venue_time, id, price, qty, side, aggregate] =
            columns::<7>(line, "time, venue_time, id, price, qty, side, aggregate")?;
        let row = Row::Trade {
            price: self.numbers.price("price", price)?,
            qty: self.numbers.qty("qty", qty)?,
            id: or_zero(id, |text| integer("id", text))?,
            venue_time: moment("venue_time", venue_time)?,
            aggressor: match side {
                b"buy" => Side::Buy,
                b"sell" => Side::Sell,
                _ => return Err(word("side", side, "buy or sell")),
            },
            aggregate: flag("aggregate", aggregate)?,
        };
        sink.push(self.series, moment("time", time)?, row)
    }

    fn quote(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [time, bid, bid_qty, ask, ask_qty, id] =
            columns::<6>(line, "time, bid_price, bid_qty, ask_price, ask_qty, update_id")?;
        let row = Row::Quote {
            bid: self.side([bid, bid_qty], ["bid_price", "bid_qty"])?,
            ask: self.side([ask, ask_qty], ["ask_price", "ask_qty"])?,
            update_id: or_zero(id, |text| integer("update_id", text))?,
        };
        sink.push(self.series, moment("time", time)?, row)
    }

    /// A side of a quote; zeros where nobody is on it.
    fn side(&mut self, [price, qty]: [&[u8]; 2], names: [&'static str; 2]) -> Result<(Num, Num), RowFault> {
        // Exports before what is missing was left out had zeros.
        let nobody = |text: &[u8]| text.iter().all(|byte| b"0.".contains(byte));
        if nobody(price) && nobody(qty) {
            return Ok((Num::default(), Num::default()));
        }
        Ok((self.numbers.price(names[0], price)?, self.numbers.qty(names[1], qty)?))
    }

    fn bar(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let what = "time, open_time, close_time, open, high, low, close, volume, turnover, trades, closed";
        let row = columns::<11>(line, what)?;
        let mut prices = [Num::default(); 4];
        for ((price, text), column) in prices.iter_mut().zip(&row[3..7]).zip(["open", "high", "low", "close"])
        {
            *price = self.numbers.price(column, text)?;
        }
        check_bar(&prices)?;
        let numbers = &mut self.numbers;
        let bar = Row::Bar {
            prices,
            volume: or_zero(row[7], |text| numbers.qty("volume", text))?,
            turnover: or_zero(row[8], |text| turnover("turnover", text))?,
            trades: or_zero(row[9], |text| integer("trades", text))?,
            open_time: moment("open_time", row[1])?,
            close_time: moment("close_time", row[2])?,
            closed: flag("closed", row[10])?,
        };
        sink.push(self.series, moment("time", row[0])?, bar)
    }

    fn level(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let what = "time, venue_time, event, first_id, last_id, prev_id, side, price, qty";
        let [time, venue_time, kind, first, last, prev, side, price, qty] = columns::<9>(line, what)?;
        let event = Event {
            time: moment("time", time)?,
            venue_time: or_zero(venue_time, |text| moment("venue_time", text))?,
            kind: match kind {
                b"diff" => RowKind::Diff,
                b"snapshot" => RowKind::Snapshot,
                b"partial" => RowKind::Partial,
                _ => return Err(word("event", kind, "diff, snapshot or partial")),
            },
            ids: [
                integer("first_id", first)?,
                integer("last_id", last)?,
                or_zero(prev, |text| integer("prev_id", text))?,
            ],
        };
        let is_bid = match side {
            b"bid" => true,
            b"ask" => false,
            b"" => {
                self.flush(sink);
                (self.event, self.begun) = (Some(event), sink.line());
                self.flush(sink);
                return Ok(());
            }
            _ => return Err(word("side", side, "bid, ask or nothing")),
        };
        let level = (self.numbers.price("price", price)?, self.numbers.qty("qty", qty)?);
        // Bids come first: one behind an ask is another event's.
        let begins = self.event != Some(event) || (is_bid && self.bids < self.levels.len());
        if begins {
            self.flush(sink);
            (self.event, self.begun) = (Some(event), sink.line());
        }
        self.levels.push(level);
        self.bids += usize::from(is_bid);
        Ok(())
    }

    /// The event so far is whole. If it is refused, its rows are, and not the one that showed its end.
    fn flush(&mut self, sink: &mut Sink<'_>) {
        let (levels, bids) = (std::mem::take(&mut self.levels), std::mem::take(&mut self.bids));
        let Some(Event { time, venue_time, kind, ids: [first_id, last_id, prev_id] }) = self.event.take()
        else {
            return;
        };
        let row = DepthRow { kind, first_id, last_id, prev_id, venue_time, levels: &levels, bids };
        if let Err(fault) = sink.push_depth(self.series, time, &Row::Depth(row)) {
            // One without levels has a row all the same.
            sink.refuse(self.begun, levels.len().max(1) as u64, fault);
        }
        self.levels = levels;
        self.levels.clear();
    }
}

impl Format for Exported {
    fn line(&mut self, _: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault> {
        match self.table {
            None => {
                self.begin(line, sink)?;
                return Ok(Line::Header);
            }
            Some(Table::Trades) => self.trade(line, sink)?,
            Some(Table::Quotes) => self.quote(line, sink)?,
            Some(Table::Depth) => self.level(line, sink)?,
            Some(Table::Bars) => self.bar(line, sink)?,
        }
        Ok(Line::Row)
    }

    fn end(&mut self, sink: &mut Sink<'_>) {
        self.flush(sink);
    }

    fn rounded(&self) -> u64 {
        self.numbers.rounded
    }
}

/// A file's name in two: what names the instrument, and the series, without an instrument.
fn series_of(stem: &str) -> Result<(&str, SeriesName), NameFault> {
    for (at, _) in stem.match_indices('-') {
        let label = &stem[at + 1..];
        if label.starts_with("feed-") {
            return Err(NameFault::File(
                "a feed is exported as several tables, and how their events follow each other is in none of them: import \
                 its capture (`import capture`)",
            ));
        }
        if let Some(name) = SeriesName::parse("", label) {
            return Ok((&stem[..at], name));
        }
    }
    Err(NameFault::File(
        "`algo-trader export` calls its files VENUE_MARKET_SYMBOL-SERIES.csv, such as binance_spot_BTCUSDT-bars-1m.csv; give \
         the file its name back",
    ))
}

/// `binance_coinm_BTCUSD_PERP` as `binance:coinm:BTCUSD_PERP`.
fn instrument_of(text: &str) -> Result<String, NameFault> {
    let markets = [Market::Spot, Market::UsdM, Market::CoinM];
    let split = |market: &Market| text.split_once(&format!("_{market}_")).map(|parts| (parts, *market));
    // A venue's name may have an underscore, too; the market's is the first.
    let found = markets.iter().filter_map(split).min_by_key(|((venue, _), _)| venue.len());
    let Some(((venue, symbol), market)) = found else { return Err(NameFault::Market(text.into())) };
    let is_contract =
        |end: &str| end == "PERP" || (end.len() == 6 && end.bytes().all(|b| b.is_ascii_digit()));
    let is_told = match symbol.split_once('_') {
        None => true,
        Some((_, end)) => market != Market::Spot && is_contract(end),
    };
    if !is_told {
        return Err(NameFault::Option(
            "an underscore in the file's name may stand for a slash in the symbol: --instrument venue:market:SYMBOL says which",
        ));
    }
    Ok(format!("{venue}:{market}:{symbol}"))
}

/// What is not there is kept as a zero.
fn or_zero<T: Default>(text: &[u8], read: impl FnOnce(&[u8]) -> Result<T, RowFault>) -> Result<T, RowFault> {
    if text.is_empty() { Ok(T::default()) } else { read(text) }
}

/// Ns since 1970.
fn moment(column: &'static str, text: &[u8]) -> Result<Time, RowFault> {
    integer(column, text).map(Time)
}

fn flag(column: &'static str, text: &[u8]) -> Result<bool, RowFault> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(word(column, text, "true or false")),
    }
}

fn word(column: &'static str, text: &[u8], expected: &'static str) -> RowFault {
    RowFault::Word { column, text: shown(text), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_was_exported_or_that_they_do_not() {
        for (stem, instrument, label) in [
            ("binance_spot_BTCUSDT-trades", "binance:spot:BTCUSDT", "trades"),
            ("coinbase_spot_BTC-USD-bars-1m", "coinbase:spot:BTC-USD", "bars-1m"),
            ("binance_coinm_BTCUSD_PERP-agg_trades", "binance:coinm:BTCUSD_PERP", "agg_trades"),
            ("binance_usdm_BTCUSDT_240927-quotes", "binance:usdm:BTCUSDT_240927", "quotes"),
            ("my_venue_spot_spot-bars-1d-adjusted", "my_venue:spot:spot", "bars-1d-adjusted"),
        ] {
            let (name, series) = series_of(stem).expect(stem);
            assert_eq!(instrument_of(name).as_deref(), Ok(instrument), "{stem}");
            assert_eq!(series.label(), label, "{stem}");
        }
        let said = |stem: &str| match series_of(stem).and_then(|(name, _)| instrument_of(name)) {
            Ok(name) => name,
            Err(fault) => fault.to_string(),
        };
        assert!(said("binance_spot_BTCUSDT-feed-trades").contains("import its capture"));
        assert!(said("kraken_spot_BTC_USD-trades").contains("may stand for a slash"));
        assert!(said("kraken_usdm_BTC_USD-trades").contains("may stand for a slash"));
        assert!(said("BTCUSDT-trades").contains("--market"));
        assert!(said("BTCUSDT").contains("give the file its name back"));
    }
}
