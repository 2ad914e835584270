//! Which columns each kind of event has, and a row's values.

use crate::domain::event::{DepthHead, Kline};
use crate::domain::{Level, Side};
use crate::history::events::HistoryEvent;
use crate::history::segment::TURNOVER_DECIMALS;
use crate::venue::Decoded;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Ns since 1970, UTC.
    Time,
    /// A whole number.
    Integer,
    /// A price, with the instrument's decimals.
    Price,
    /// A quantity, with the instrument's decimals.
    Qty,
    /// What bars traded in money, with the decimals that it is kept with: those of COIN-M are of the base asset, and have more
    /// than price and quantity together.
    Notional,
    /// A word.
    Text,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnKind,
    /// Decimals of its numbers.
    pub decimals: u8,
    /// Whether a row may have nothing in it: what the source did not say is no number.
    pub optional: bool,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A time, a whole number, or a number in units of its column's decimals.
    Number(i64),
    /// A notional.
    Wide(i128),
    /// A word.
    Text(&'static str),
    /// What the source did not say.
    Missing,
}

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Trades.
    Trades,
    /// Best bids and asks.
    Quotes,
    /// Levels of depth events.
    Depth,
    /// Bars.
    Bars,
}

use ColumnKind::{Integer, Notional, Price, Qty, Text, Time};

const TRADES: &[(&str, ColumnKind)] = &[
    ("time", Time),
    ("venue_time", Time),
    ("id", Integer),
    ("price", Price),
    ("qty", Qty),
    ("side", Text),
    ("aggregate", Text),
];
const QUOTES: &[(&str, ColumnKind)] = &[
    ("time", Time),
    ("bid_price", Price),
    ("bid_qty", Qty),
    ("ask_price", Price),
    ("ask_qty", Qty),
    ("update_id", Integer),
];
const DEPTH: &[(&str, ColumnKind)] = &[
    ("time", Time),
    ("venue_time", Time),
    ("event", Text),
    ("first_id", Integer),
    ("last_id", Integer),
    ("prev_id", Integer),
    ("side", Text),
    ("price", Price),
    ("qty", Qty),
];
const BARS: &[(&str, ColumnKind)] = &[
    ("time", Time),
    ("open_time", Time),
    ("close_time", Time),
    ("open", Price),
    ("high", Price),
    ("low", Price),
    ("close", Price),
    ("volume", Qty),
    ("turnover", Notional),
    ("trades", Integer),
    ("closed", Text),
];

impl Table {
    /// The table that an event belongs to.
    #[must_use]
    pub fn of(decoded: &Decoded) -> Option<Self> {
        match decoded {
            Decoded::Trade(_) => Some(Self::Trades),
            Decoded::Quote(_) => Some(Self::Quotes),
            Decoded::DepthDiff(_) | Decoded::DepthSnapshot(_) | Decoded::DepthPartial(_) => Some(Self::Depth),
            Decoded::Kline(_) => Some(Self::Bars),
            Decoded::Interrupted(_) | Decoded::Ignored | Decoded::UnknownInstrument => None,
        }
    }

    /// Its name in files of feeds.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "quotes",
            Self::Depth => "depth",
            Self::Bars => "bars",
        }
    }

    /// Its columns.
    #[must_use]
    pub const fn columns(self) -> &'static [(&'static str, ColumnKind)] {
        match self {
            Self::Trades => TRADES,
            Self::Quotes => QUOTES,
            Self::Depth => DEPTH,
            Self::Bars => BARS,
        }
    }

    /// Its columns in which a row may have nothing.
    const fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Trades => &["id"],
            Self::Quotes => &["bid_price", "bid_qty", "ask_price", "ask_qty", "update_id"],
            Self::Depth => &["venue_time", "prev_id", "price", "qty"],
            Self::Bars => &["volume", "turnover", "trades"],
        }
    }

    /// Its columns, for an instrument of this precision.
    #[must_use]
    pub fn with_decimals(self, price: u8, qty: u8) -> Vec<Column> {
        let decimals = |kind| match kind {
            Price => price,
            Qty => qty,
            Notional => TURNOVER_DECIMALS,
            Time | Integer | Text => 0,
        };
        let column = |&(name, kind): &(&'static str, ColumnKind)| Column {
            name,
            kind,
            decimals: decimals(kind),
            optional: self.optional().contains(&name),
        };
        self.columns().iter().map(column).collect()
    }

    /// Appends the rows that an event makes, value by value.
    pub(super) fn rows(self, event: &HistoryEvent<'_>, out: &mut Vec<Value>) {
        let time = |time: crate::domain::Time| Value::Number(time.0 as i64);
        let id = |id: u64| Value::Number(id as i64);
        match &event.decoded {
            Decoded::Trade(t) => out.extend([
                time(event.time),
                time(t.venue_time),
                known(id(t.id), t.id != 0),
                Value::Number(t.price.0),
                Value::Number(t.qty.0),
                Value::Text(if t.aggressor == Side::Buy { "buy" } else { "sell" }),
                Value::Text(yes(t.aggregate)),
            ]),
            Decoded::Quote(q) => {
                out.push(time(event.time));
                for side in [q.bid, q.ask] {
                    // A side without a price is one on which nobody is.
                    let there = side.price.0 != 0;
                    out.extend([side.price.0, side.qty.0].map(|n| known(Value::Number(n), there)));
                }
                out.push(known(id(q.update_id), q.update_id != 0));
            }
            Decoded::DepthDiff(head) => depth(event, head, "diff", out),
            Decoded::DepthSnapshot(head) => depth(event, head, "snapshot", out),
            Decoded::DepthPartial(head) => depth(event, head, "partial", out),
            Decoded::Kline(k) => {
                let said = Said::of(k);
                out.extend([
                    time(event.time),
                    time(k.open_time),
                    time(k.close_time),
                    Value::Number(k.open.0),
                    Value::Number(k.high.0),
                    Value::Number(k.low.0),
                    Value::Number(k.close.0),
                    known(Value::Number(k.volume.0), said.volume),
                    known(Value::Wide(k.quote_volume.0), said.turnover),
                    known(id(k.trades), said.trades),
                    Value::Text(yes(k.closed)),
                ]);
            }
            Decoded::Interrupted(_) | Decoded::Ignored | Decoded::UnknownInstrument => {}
        }
    }
}

const fn known(value: Value, is_known: bool) -> Value {
    if is_known { value } else { Value::Missing }
}

/// Which of a bar's numbers its source said. Those that it did not are kept as zeros, which a bar in which something was
/// traded does not have.
struct Said {
    volume: bool,
    turnover: bool,
    trades: bool,
}

impl Said {
    fn of(bar: &Kline) -> Self {
        let moved = [bar.high, bar.low, bar.close].iter().any(|price| *price != bar.open);
        let traded = moved || bar.volume.0 != 0 || bar.quote_volume.0 != 0 || bar.trades != 0;
        // A turnover may be too small for its decimals; who counts trades gives it.
        let turnover = bar.quote_volume.0 != 0 || bar.trades != 0;
        Self {
            volume: !traded || bar.volume.0 != 0,
            turnover: !traded || turnover,
            trades: !traded || bar.trades != 0,
        }
    }
}

const fn yes(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

fn depth(event: &HistoryEvent<'_>, head: &DepthHead, kind: &'static str, out: &mut Vec<Value>) {
    let mut row = |side: &'static str, level: Option<&Level>| {
        out.extend([
            Value::Number(event.time.0 as i64),
            known(Value::Number(head.venue_time.0 as i64), head.venue_time.0 != 0),
            Value::Text(kind),
            Value::Number(head.first_id as i64),
            Value::Number(head.last_id as i64),
            known(Value::Number(head.prev_id as i64), head.prev_id != 0),
            Value::Text(side),
            level.map_or(Value::Missing, |level| Value::Number(level.price.0)),
            level.map_or(Value::Missing, |level| Value::Number(level.qty.0)),
        ]);
    };
    for (level, at) in event.levels.iter().zip(0..) {
        row(if at < head.bids { "bid" } else { "ask" }, Some(level));
    }
    if event.levels.is_empty() {
        // Its ids must not be lost: the next event follows it.
        row("", None);
    }
}
