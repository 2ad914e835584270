//! The rows: what a run leaves in a database, one type a table.
//!
//! A table's columns are the fields of its row, in their order, after `run`; that list is written here once, and both
//! databases, their statements and the tests go by it.

use crate::domain::decimal::{self, Scaled};
use crate::domain::{ClientOrderId, Time};

/// Where the values of a row go, one after the other.
pub trait Columns {
    /// A number, a moment in ns or a count.
    fn int(&mut self, value: i64);
    /// Yes or no.
    fn flag(&mut self, value: bool);
    /// Text.
    fn text(&mut self, value: &str);
    /// An exact decimal, as text.
    fn decimal(&mut self, text: &str);
    /// Nothing.
    fn null(&mut self);
}

/// A value of a row.
trait Value {
    fn put(&self, out: &mut impl Columns);
}

impl Value for u64 {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        // Sequence numbers, counts and nanoseconds: none reaches 2^63 before the year 2262.
        out.int(i64::try_from(*self).unwrap_or(i64::MAX));
    }
}

impl Value for Time {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        self.0.put(out);
    }
}

impl Value for bool {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        out.flag(*self);
    }
}

impl Value for &'static str {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        out.text(self);
    }
}

impl Value for String {
    fn put(&self, out: &mut impl Columns) {
        out.text(self);
    }
}

impl Value for ClientOrderId {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        out.text(self.as_str());
    }
}

impl Value for Scaled {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        let mut room = [0u8; 40];
        if let Ok(small) = i64::try_from(self.value) {
            let length = decimal::write(small, self.decimals, &mut room);
            if let Ok(text) = std::str::from_utf8(&room[..length])
                && length > 0
            {
                return out.decimal(text);
            }
        }
        out.decimal(&self.to_string());
    }
}

impl<T: Value> Value for Option<T> {
    #[inline]
    fn put(&self, out: &mut impl Columns) {
        match self {
            Some(value) => value.put(out),
            None => out.null(),
        }
    }
}

/// A row of one table.
pub trait Row {
    /// The table.
    const TABLE: &'static str;
    /// Its columns after `run`.
    const COLUMNS: &'static [&'static str];

    /// The event it is of.
    fn seq(&self) -> u64;

    /// Hands out the values, in the order of [`COLUMNS`](Self::COLUMNS).
    fn put(&self, out: &mut impl Columns);
}

macro_rules! rows {
    ($($(#[doc = $doc:literal])* $name:ident in $table:literal { $($(#[doc = $field_doc:literal])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $kind,)* }

        impl Row for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];

            #[inline]
            fn seq(&self) -> u64 {
                self.seq
            }

            #[inline]
            fn put(&self, out: &mut impl Columns) {
                $(Value::put(&self.$field, out);)*
            }
        }
    )*};
}

rows! {
    /// An order that a strategy asked for.
    OrderRow in "orders" {
        /// The event it answers.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Its number within the run.
        order_no: u64,
        /// Whose.
        strategy: u64,
        /// Of what.
        instrument: u64,
        /// Which way.
        side: &'static str,
        /// How priced.
        kind: &'static str,
        /// How long.
        tif: &'static str,
        /// Only to make a position smaller.
        reduce_only: bool,
        /// How much.
        qty: Scaled,
        /// The limit, if it has one.
        price: Option<Scaled>,
        /// What the venue knows it by.
        client_id: ClientOrderId,
        /// Why risk denied it, if it did.
        denied: Option<&'static str>,
        /// What triggers it, if something does.
        stop_price: Option<Scaled>,
        /// How much of it shows, if not all.
        iceberg_qty: Option<Scaled>,
        /// How far it trails, hundredths of a per cent, if it does.
        trailing_bps: Option<u64>,
    }
    /// A step of an order that was handed over.
    OrderEventRow in "order_events" {
        /// The event.
        seq: u64,
        /// Its place among the steps of one event.
        nth: u64,
        /// When.
        time_ns: Time,
        /// Which order.
        order_no: u64,
        /// What happened.
        event: &'static str,
        /// Where the order stands after it.
        status: &'static str,
        /// Traded so far.
        filled: Scaled,
    }
    /// A denial.
    DenialRow in "denials" {
        /// The event that told it.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Of which order.
        order_no: u64,
        /// Whose.
        strategy: u64,
        /// Of what.
        instrument: u64,
        /// Why.
        reason: &'static str,
        /// The rule that denied.
        rule: Option<&'static str>,
        /// Its limit, if it compares numbers.
        rule_limit: Option<Scaled>,
        /// What the order came to, if it is a number.
        order_value: Option<Scaled>,
        /// The unit of both.
        unit: Option<String>,
        /// What the limit is of, where the reason does not say that.
        subject: Option<&'static str>,
        /// How it binds.
        binds: Option<&'static str>,
    }
    /// A fill.
    FillRow in "fills" {
        /// The event.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Of which order.
        order_no: u64,
        /// Whose.
        strategy: u64,
        /// Of what.
        instrument: u64,
        /// Which way.
        side: &'static str,
        /// How much.
        qty: Scaled,
        /// At.
        price: Scaled,
        /// Fee in the quote asset; none of what was taken in a third asset, which is a [`CommissionRow`].
        fee: Scaled,
        /// Whether the order had rested.
        maker: bool,
        /// The venue's id.
        trade_id: u64,
    }
    /// What a trade cost in an asset that is neither of its instrument's.
    CommissionRow in "commissions" {
        /// The event.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Of which order.
        order_no: u64,
        /// Of which of its trades.
        trade_id: u64,
        /// Whose.
        strategy: u64,
        /// Of what.
        instrument: u64,
        /// The asset.
        asset: String,
        /// How much of it; absent where the row only tells the worth of one that came before.
        amount: Option<Scaled>,
        /// Its worth in the quote asset, if that is known.
        fee: Option<Scaled>,
    }
    /// A strategy's position in one instrument.
    PositionRow in "positions" {
        /// The event.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Whose.
        strategy: u64,
        /// In what.
        instrument: u64,
        /// How much; negative is short.
        qty: Scaled,
        /// Cost of what is open.
        cost: Scaled,
        /// Profit of what was closed, before fees.
        realised: Scaled,
        /// The middle of the book.
        mark: Scaled,
        /// Profit of what is open at the mark.
        unrealised: Scaled,
        /// Fees paid.
        fees: Scaled,
        /// Realised and unrealised less fees.
        net: Scaled,
        /// Sum of the values traded.
        turnover: Scaled,
        /// Fills booked.
        fills: u64,
    }
    /// A bar.
    BarRow in "bars" {
        /// The event that closed it.
        seq: u64,
        /// Of what.
        instrument: u64,
        /// Its start, by the venue's clock.
        start_ns: Time,
        /// First price.
        open: Scaled,
        /// Highest price.
        high: Scaled,
        /// Lowest price.
        low: Scaled,
        /// Last price.
        close: Scaled,
        /// Base volume.
        volume: Scaled,
        /// Trades in it.
        trades: u64,
    }
    /// A point of a strategy's equity curve.
    EquityRow in "equity" {
        /// The event.
        seq: u64,
        /// When.
        time_ns: Time,
        /// Whose.
        strategy: u64,
        /// The asset it is counted in.
        quote: String,
        /// Profit of what was closed, before fees.
        realised: Scaled,
        /// Profit of what is open.
        unrealised: Scaled,
        /// Fees paid.
        fees: Scaled,
        /// Realised and unrealised less fees.
        net: Scaled,
    }
}

/// The tables that batches go into, in the order in which they are written.
pub const TABLES: [&str; 8] = [
    OrderRow::TABLE,
    OrderEventRow::TABLE,
    DenialRow::TABLE,
    FillRow::TABLE,
    CommissionRow::TABLE,
    PositionRow::TABLE,
    BarRow::TABLE,
    EquityRow::TABLE,
];

/// How far a run has been taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermark {
    /// The last event of which, and of all before it, every row is there.
    pub seq: u64,
    /// Whether the run came to its end and its last rows are there too.
    pub ended: bool,
}

/// Rows of whole events, to be written together with the watermark.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Where the run stands before it.
    pub after: Watermark,
    /// Where it stands with it.
    pub upto: Watermark,
    /// Time of the last event.
    pub time: Time,
    /// Orders asked for.
    pub orders: Vec<OrderRow>,
    /// Steps of orders.
    pub order_events: Vec<OrderEventRow>,
    /// Denials.
    pub denials: Vec<DenialRow>,
    /// Fills.
    pub fills: Vec<FillRow>,
    /// Commissions in third assets.
    pub commissions: Vec<CommissionRow>,
    /// Positions.
    pub positions: Vec<PositionRow>,
    /// Bars.
    pub bars: Vec<BarRow>,
    /// Points of equity curves.
    pub equity: Vec<EquityRow>,
}

impl Batch {
    /// Rows in all.
    #[inline]
    #[must_use]
    pub fn rows(&self) -> usize {
        self.orders.len()
            + self.order_events.len()
            + self.denials.len()
            + self.fills.len()
            + self.commissions.len()
            + self.positions.len()
            + self.bars.len()
            + self.equity.len()
    }

    /// Takes out the rows of events beyond `upto`, which are not yet whole.
    #[must_use]
    pub fn split_unfinished(&mut self) -> Batch {
        let seq = self.upto.seq;
        Batch {
            orders: beyond(&mut self.orders, seq),
            order_events: beyond(&mut self.order_events, seq),
            denials: beyond(&mut self.denials, seq),
            fills: beyond(&mut self.fills, seq),
            commissions: beyond(&mut self.commissions, seq),
            positions: beyond(&mut self.positions, seq),
            bars: beyond(&mut self.bars, seq),
            equity: beyond(&mut self.equity, seq),
            ..Batch::default()
        }
    }

    /// Begins the next batch where this one, now written, ended; with the rows that were taken out of it.
    pub fn written(&mut self, rest: Batch) {
        *self = Batch { after: self.upto, upto: self.upto, time: self.time, ..rest };
    }

    /// Puts back the rows that were taken out of it: it could not be written.
    pub fn unwritten(&mut self, mut rest: Batch) {
        self.orders.append(&mut rest.orders);
        self.order_events.append(&mut rest.order_events);
        self.denials.append(&mut rest.denials);
        self.fills.append(&mut rest.fills);
        self.commissions.append(&mut rest.commissions);
        self.positions.append(&mut rest.positions);
        self.bars.append(&mut rest.bars);
        self.equity.append(&mut rest.equity);
    }
}

/// Takes the rows beyond `seq` off the end: rows are in the order of their events.
fn beyond<R: Row>(rows: &mut Vec<R>, seq: u64) -> Vec<R> {
    let whole = rows.partition_point(|row| row.seq() <= seq);
    rows.split_off(whole)
}
