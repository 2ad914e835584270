//! Tardis' CSV files: trades, quotes, incremental_book_L2, book_snapshot_25 (and _5); told apart by their headers.
//!
//! Times are µs. An event's time is `local_timestamp`, when Tardis received it; `timestamp` is the venue's. Rows of one
//! message of the order book share their `local_timestamp`: they become one diff, or one snapshot where `is_snapshot`. A side
//! that is unknown is told by the tick rule.
//!
//! The files have no update ids. So of each series the events of a file are numbered by one, from the time of the first on:
//! what a later file has comes after what an earlier one has, in whatever order they are imported, and between two files
//! numbers are passed over, so that one that does not begin with a snapshot is a gap to a book.

use super::fault::{NameFault, RowFault};
use super::input::columns;
use super::number::{Numbers, integer, shown};
use super::sink::{Sink, Spec};
use super::{Format, ImportOptions, Line};
use crate::domain::event::COUNTED_BY_TIME;
use crate::domain::{Market, Side, Time};
use crate::history::catalogue::{SeriesKind, SeriesName};
use crate::history::segment::{DepthRow, GapRule, Num, Row, RowKind};

const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";
const QUOTES: &str = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount";
const BOOK: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";
const TOP: &str =
    "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount";

const NANOS_PER_US: u64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Trades,
    Quotes,
    Book,
    /// So many levels a side.
    Top(usize),
}

/// A message of the order book that is not at its end yet.
#[derive(Debug, Default)]
struct Message {
    series: usize,
    time: Time,
    venue_time: Time,
    snapshot: bool,
    /// Where it begins in the file.
    line: u64,
    bids: Vec<(Num, Num)>,
    asks: Vec<(Num, Num)>,
}

/// See the module.
pub(super) struct Tardis {
    options: ImportOptions,
    numbers: Numbers,
    kind: Option<Kind>,
    /// The exchange and symbol of the row before, and their series.
    last: (Vec<u8>, usize),
    message: Message,
    /// The number of each series' last depth event; 0 where there is none yet.
    last_ids: Vec<u64>,
    levels: Vec<(Num, Num)>,
}

impl Tardis {
    pub fn new(options: &ImportOptions) -> Self {
        Self {
            options: options.clone(),
            numbers: options.numbers(),
            kind: None,
            last: (Vec::new(), 0),
            message: Message::default(),
            last_ids: Vec::new(),
            levels: Vec::new(),
        }
    }

    fn header(line: &[u8]) -> Result<Kind, RowFault> {
        let text = String::from_utf8_lossy(line);
        match text.trim() {
            TRADES => Ok(Kind::Trades),
            QUOTES => Ok(Kind::Quotes),
            BOOK => Ok(Kind::Book),
            top if top.starts_with(TOP) => Ok(Kind::Top((top.split(',').count() - 4) / 4)),
            _ => Err(NameFault::File(
                "its first line is not the header of Tardis' trades, quotes, incremental_book_L2 or book_snapshot files",
            )
            .into()),
        }
    }

    #[inline]
    fn series(
        &mut self,
        kind: Kind,
        exchange: &[u8],
        symbol: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<usize, RowFault> {
        let (key, series) = &self.last;
        let same = key.len() == exchange.len() + 1 + symbol.len()
            && key.starts_with(exchange)
            && key.ends_with(symbol);
        if same && !key.is_empty() { Ok(*series) } else { self.begin(kind, exchange, symbol, sink) }
    }

    #[cold]
    fn begin(
        &mut self,
        kind: Kind,
        exchange: &[u8],
        symbol: &[u8],
        sink: &mut Sink<'_>,
    ) -> Result<usize, RowFault> {
        let (venue, market) = match exchange {
            b"binance" => ("binance".into(), Some(Market::Spot)),
            b"binance-futures" => ("binance".into(), Some(Market::UsdM)),
            b"binance-delivery" => ("binance".into(), Some(Market::CoinM)),
            other => (shown(other), None),
        };
        let named = self.options.named(&venue, market, &String::from_utf8_lossy(symbol))?;
        let series = match kind {
            Kind::Trades => SeriesKind::Trades,
            Kind::Quotes => SeriesKind::Quotes,
            Kind::Book | Kind::Top(_) => SeriesKind::Depth,
        };
        let name = SeriesName::new(&named.name, series);
        let series = match sink.find(&name) {
            Some(series) => series,
            None => sink.begin(Spec {
                name,
                assets: named.assets,
                rule: GapRule::None,
                unique: false,
                part: None,
            })?,
        };
        self.last = ([exchange, b",", symbol].concat(), series);
        Ok(series)
    }

    fn trade(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [exchange, symbol, venue, local, id, side, price, qty] = columns::<8>(line, TRADES)?;
        let series = self.series(Kind::Trades, exchange, symbol, sink)?;
        let (price, qty) = (self.numbers.price("price", price)?, self.numbers.qty("amount", qty)?);
        let (venue_time, time) = (moment("timestamp", venue)?, moment("local_timestamp", local)?);
        let aggressor = match side {
            b"buy" => Some(Side::Buy),
            b"sell" => Some(Side::Sell),
            b"unknown" | b"" => None,
            _ => {
                return Err(RowFault::Word {
                    column: "side",
                    text: shown(side),
                    expected: "buy, sell or unknown",
                });
            }
        };
        // Some venues' ids are no numbers: of what those would say nothing is known.
        let id = integer("id", id).unwrap_or(0);
        let told = aggressor.is_some();
        let aggressor = aggressor.unwrap_or(Side::Buy);
        let row = Row::Trade { price, qty, id, venue_time, aggressor, aggregate: false };
        if told { sink.push(series, time, row) } else { sink.push_without_side(series, time, row) }
    }

    fn quote(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [exchange, symbol, _, local, ask_qty, ask, bid, bid_qty] = columns::<8>(line, QUOTES)?;
        let series = self.series(Kind::Quotes, exchange, symbol, sink)?;
        let time = moment("local_timestamp", local)?;
        let bid = self.side([bid, bid_qty], ["bid_price", "bid_amount"])?;
        let ask = self.side([ask, ask_qty], ["ask_price", "ask_amount"])?;
        sink.push(series, time, Row::Quote { bid, ask, update_id: 0 })
    }

    /// A side of a quote, which may be empty.
    fn side(&mut self, [price, qty]: [&[u8]; 2], names: [&'static str; 2]) -> Result<(Num, Num), RowFault> {
        if price.is_empty() && qty.is_empty() {
            return Ok((Num::default(), Num::default()));
        }
        Ok((self.numbers.price(names[0], price)?, self.numbers.qty(names[1], qty)?))
    }

    fn level(&mut self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let [exchange, symbol, venue, local, snapshot, side, price, qty] = columns::<8>(line, BOOK)?;
        let series = self.series(Kind::Book, exchange, symbol, sink)?;
        let (venue_time, time) = (moment("timestamp", venue)?, moment("local_timestamp", local)?);
        let level = (self.numbers.price("price", price)?, self.numbers.qty("amount", qty)?);
        let word = |column, text: &[u8], expected| RowFault::Word { column, text: shown(text), expected };
        let snapshot = match snapshot {
            b"true" => true,
            b"false" => false,
            _ => return Err(word("is_snapshot", snapshot, "true or false")),
        };
        let bid = match side {
            b"bid" => true,
            b"ask" => false,
            _ => return Err(word("side", side, "bid or ask")),
        };
        let at = &self.message;
        let begun = !at.bids.is_empty() || !at.asks.is_empty();
        if begun && (at.series, at.time, at.snapshot) != (series, time, snapshot) {
            self.flush(sink);
        }
        let at = &mut self.message;
        if at.bids.is_empty() && at.asks.is_empty() {
            at.line = sink.line();
        }
        (at.series, at.time, at.venue_time, at.snapshot) = (series, time, venue_time, snapshot);
        if bid {
            at.bids.push(level)
        } else {
            at.asks.push(level)
        }
        Ok(())
    }

    /// The message so far is whole. If it is refused, its rows are, and not the one that showed its end.
    fn flush(&mut self, sink: &mut Sink<'_>) {
        let at = &mut self.message;
        if at.bids.is_empty() && at.asks.is_empty() {
            return;
        }
        self.levels.clear();
        self.levels.append(&mut at.bids);
        let bids = self.levels.len();
        self.levels.append(&mut at.asks);
        let kind = if at.snapshot { RowKind::Snapshot } else { RowKind::Diff };
        let (series, time, venue_time, line) = (at.series, at.time, at.venue_time, at.line);
        if let Err(fault) = self.depth(kind, series, (time, venue_time), bids, sink) {
            sink.refuse(line, self.levels.len() as u64, fault);
        }
    }

    /// The levels as an event that follows the one before it.
    fn depth(
        &mut self,
        kind: RowKind,
        series: usize,
        (time, venue_time): (Time, Time),
        bids: usize,
        sink: &mut Sink<'_>,
    ) -> Result<(), RowFault> {
        if self.last_ids.len() <= series {
            self.last_ids.resize(series + 1, 0);
        }
        let last = &mut self.last_ids[series];
        let before = if *last == 0 { time.0 / NANOS_PER_US - 1 } else { *last };
        let id = before + 1;
        *last = id;
        let prev_id = if kind == RowKind::Diff { before } else { 0 };
        let row =
            DepthRow { kind, first_id: id, last_id: id, prev_id, venue_time, levels: &self.levels, bids };
        sink.push_depth(series, time, &Row::Depth(row))
    }

    fn top(&mut self, count: usize, line: &[u8], sink: &mut Sink<'_>) -> Result<(), RowFault> {
        let what = "exchange, symbol, two times, and price and amount of asks and bids in turn";
        let fields: Vec<&[u8]> = line.split(|&b| b == b',').collect();
        if fields.len() != 4 + 4 * count {
            return Err(RowFault::Columns { found: fields.len(), expected: 4 + 4 * count, what });
        }
        let series = self.series(Kind::Top(count), fields[0], fields[1], sink)?;
        let times = (moment("local_timestamp", fields[3])?, moment("timestamp", fields[2])?);
        self.levels.clear();
        let mut bids = 0;
        for (side, names) in [(2, ["bids.price", "bids.amount"]), (0, ["asks.price", "asks.amount"])] {
            for level in fields[4..].chunks_exact(4) {
                // A book with fewer levels leaves the rest empty.
                if !level[side].is_empty() {
                    let level = self.side([level[side], level[side + 1]], names)?;
                    self.levels.push(level);
                }
            }
            if side == 2 {
                bids = self.levels.len();
            }
        }
        self.depth(RowKind::Partial, series, times, bids, sink)
    }
}

impl Format for Tardis {
    fn line(&mut self, _: u64, line: &[u8], sink: &mut Sink<'_>) -> Result<Line, RowFault> {
        let Some(kind) = self.kind else {
            self.kind = Some(Self::header(line)?);
            return Ok(Line::Header);
        };
        match kind {
            Kind::Trades => self.trade(line, sink)?,
            Kind::Quotes => self.quote(line, sink)?,
            Kind::Book => self.level(line, sink)?,
            Kind::Top(count) => self.top(count, line, sink)?,
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

/// µs since 1970, from 1973 until 2540.
fn moment(column: &'static str, text: &[u8]) -> Result<Time, RowFault> {
    match integer(column, text)? {
        value @ COUNTED_BY_TIME..18_000_000_000_000_000 => Ok(Time(value * NANOS_PER_US)),
        value => {
            Err(RowFault::Word { column, text: value.to_string(), expected: "a time in µs since 1970" })
        }
    }
}
