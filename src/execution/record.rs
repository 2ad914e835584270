//! Records: what was decided, as it is journaled and hashed.

use crate::domain::order::{OrderKind, Side, TimeInForce};
use crate::domain::{
    ClientOrderId, DenyReason, Extras, InstrumentId, Order, OrderId, OrderStatus, Price, Qty, StrategyId,
    Time,
};
use crate::pipeline::Sequenced;
use crate::strategy::manager::Trail;
use crate::strategy::{Action, Change, Note};

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A strategy asked for an order, and risk denied it.
    Denied = 2,
    /// A strategy asked for an order, risk approved it, and it is about to be handed over.
    Order = 3,
    /// A cancel is about to be handed over.
    Cancel = 4,
    /// The order manager holds an order.
    Held = 5,
    /// A held order trails by a distance: its price.
    Trails = 6,
    /// A held order ended: canceled, or expired where the quantity is 1.
    Released = 7,
    /// A held order was triggered.
    Due = 8,
    /// An order's fills are protected: its trigger price and its price are stop and take-profit, its trailing distance
    /// in hundredths of a per cent or its quantity is the trail.
    Protected = 9,
    /// An order's fills are protected no longer.
    Unprotected = 10,
    /// An order and another, whose number is the quantity, cancel each other.
    Linked = 11,
    /// An order is taken back at the time that is the quantity, ns since 1970.
    GoodTill = 12,
    /// The next order is a part of this one, or protects it.
    ChildOf = 13,
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The event that caused it.
    pub seq: u64,
    /// What it says.
    pub kind: RecordKind,
    /// The order (of a cancel, the order to be cancelled).
    pub order: Order,
    /// Why it was denied, if it was.
    pub denied: Option<DenyReason>,
    /// The id the venue will know it by.
    pub client_id: ClientOrderId,
}

impl RecordKind {
    /// The kind with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(RecordKind::Denied),
            3 => Some(RecordKind::Order),
            4 => Some(RecordKind::Cancel),
            5 => Some(RecordKind::Held),
            6 => Some(RecordKind::Trails),
            7 => Some(RecordKind::Released),
            8 => Some(RecordKind::Due),
            9 => Some(RecordKind::Protected),
            10 => Some(RecordKind::Unprotected),
            11 => Some(RecordKind::Linked),
            12 => Some(RecordKind::GoodTill),
            13 => Some(RecordKind::ChildOf),
            _ => None,
        }
    }
}

/// A note of the order manager in the form of a record: what it says is in the fields of an order that are free.
#[must_use]
pub fn of_note(note: &Note) -> (RecordKind, Order) {
    let mut order = nothing_of(note.order, note.strategy, note.instrument);
    let kind = match note.change {
        Change::Trails(trail) => {
            put_trail(trail, &mut order);
            RecordKind::Trails
        }
        Change::Released(status) => {
            order.qty = Qty(i64::from(status == OrderStatus::Expired));
            RecordKind::Released
        }
        Change::Due => RecordKind::Due,
        Change::Protected { stop, take_profit, trail } => {
            (order.extras.stop_price, order.price) = (stop, take_profit);
            put_trail(trail, &mut order);
            RecordKind::Protected
        }
        Change::Unprotected => RecordKind::Unprotected,
        Change::Linked(other) => {
            order.qty = Qty(other.0 as i64);
            RecordKind::Linked
        }
        Change::GoodTill(time) => {
            order.qty = Qty(time.0 as i64);
            RecordKind::GoodTill
        }
        Change::ChildOf(parent) => {
            order.id = parent;
            RecordKind::ChildOf
        }
    };
    (kind, order)
}

/// The number of an order and nothing else of it.
#[must_use]
pub const fn nothing_of(id: OrderId, strategy: StrategyId, instrument: InstrumentId) -> Order {
    Order {
        id,
        strategy,
        instrument,
        side: Side::Buy,
        kind: OrderKind::Market,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(0),
        price: Price(0),
        extras: Extras::NONE,
    }
}

fn put_trail(trail: Trail, order: &mut Order) {
    match trail {
        Trail::None => {}
        Trail::Bps(bps) => order.extras.trailing_bps = bps,
        Trail::Distance(distance) => order.qty = Qty(distance.0),
    }
}

fn trail_of(order: &Order) -> Trail {
    match (order.extras.trailing_bps, order.qty.0) {
        (0, 0) => Trail::None,
        (0, distance) => Trail::Distance(Price(distance)),
        (bps, _) => Trail::Bps(bps),
    }
}

/// Bytes of a record of a plain order.
pub const RECORD_BYTES: usize = 72;
/// Bytes of a record of an order that has more to it; it begins as the plain one does.
pub const LONG_RECORD_BYTES: usize = 96;

impl Record {
    /// What the strategy's desk did that this record is of.
    #[must_use]
    pub fn action(&self) -> Action {
        let order = self.order;
        let Order { id, strategy, instrument, .. } = order;
        let change = match self.kind {
            RecordKind::Denied | RecordKind::Order => return Action::New(order),
            RecordKind::Held => return Action::Hold(order),
            RecordKind::Cancel => return Action::Cancel { order: id, strategy, instrument },
            RecordKind::Trails => Change::Trails(trail_of(&order)),
            RecordKind::Released => Change::Released(match order.qty.0 {
                0 => OrderStatus::Canceled,
                _ => OrderStatus::Expired,
            }),
            RecordKind::Due => Change::Due,
            RecordKind::Protected => Change::Protected {
                stop: order.extras.stop_price,
                take_profit: order.price,
                trail: trail_of(&order),
            },
            RecordKind::Unprotected => Change::Unprotected,
            RecordKind::Linked => Change::Linked(OrderId(order.qty.0 as u64)),
            RecordKind::GoodTill => Change::GoodTill(Time(order.qty.0 as u64)),
            RecordKind::ChildOf => Change::ChildOf(id),
        };
        Action::Note(Note { order: id, strategy, instrument, change })
    }

    /// The record as bytes, the same on every machine; the whole of it where [`is_long`](Self::is_long) is false.
    #[must_use]
    pub fn canonical(&self) -> [u8; RECORD_BYTES] {
        let o = &self.order;
        let mut bytes = [0u8; RECORD_BYTES];
        bytes[0..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8] = self.kind as u8;
        bytes[9] = o.strategy.0;
        bytes[10] = o.side as u8;
        bytes[11] = o.kind as u8;
        bytes[12] = o.tif as u8;
        bytes[13] = u8::from(o.reduce_only);
        bytes[14] = self.denied.map_or(0, |d| d as u8);
        bytes[16..18].copy_from_slice(&o.instrument.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&o.id.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&o.qty.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&o.price.0.to_le_bytes());
        bytes[48..66].copy_from_slice(self.client_id.as_bytes());
        bytes
    }

    /// Whether the plain form does not say everything.
    #[inline]
    #[must_use]
    pub const fn is_long(&self) -> bool {
        !self.order.extras.is_none()
    }

    /// The long form: the plain one, and what only some orders have.
    #[must_use]
    pub fn canonical_long(&self) -> [u8; LONG_RECORD_BYTES] {
        let Extras { stop_price, iceberg_qty, trailing_bps, other_leg } = self.order.extras;
        let mut bytes = [0u8; LONG_RECORD_BYTES];
        bytes[..RECORD_BYTES].copy_from_slice(&self.canonical());
        bytes[72..80].copy_from_slice(&stop_price.0.to_le_bytes());
        bytes[80..88].copy_from_slice(&iceberg_qty.0.to_le_bytes());
        bytes[88..90].copy_from_slice(&trailing_bps.to_le_bytes());
        // Zero in the journals from before there were lists.
        bytes[90] = other_leg.cast_unsigned();
        bytes
    }

    /// A record from its long form; `None` where it holds what no record holds.
    #[must_use]
    pub fn from_canonical_long(bytes: &[u8; LONG_RECORD_BYTES]) -> Option<Self> {
        let (plain, rest) = bytes.split_first_chunk::<RECORD_BYTES>()?;
        let mut record = Self::from_canonical(plain)?;
        let word = |at: usize| rest[at..].first_chunk().map(|eight| i64::from_le_bytes(*eight));
        record.order.extras = Extras {
            stop_price: Price(word(0)?),
            iceberg_qty: Qty(word(8)?),
            trailing_bps: u16::from_le_bytes([rest[16], rest[17]]),
            other_leg: rest[18].cast_signed(),
        };
        Some(record)
    }

    /// A record from its plain form; `None` where it holds what no record holds.
    #[must_use]
    pub fn from_canonical(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let word = |at: usize| {
            let mut eight = [0u8; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let denied = match bytes[14] {
            0 => None,
            code => Some(DenyReason::from_code(code)?),
        };
        let order = Order {
            id: OrderId(word(24)),
            strategy: StrategyId(bytes[9]),
            instrument: InstrumentId(u16::from_le_bytes([bytes[16], bytes[17]])),
            side: Side::from_code(bytes[10])?,
            kind: OrderKind::from_code(bytes[11])?,
            tif: TimeInForce::from_code(bytes[12])?,
            reduce_only: bytes[13] != 0,
            qty: Qty(word(32) as i64),
            price: Price(word(40) as i64),
            extras: Extras::NONE,
        };
        let client_id = ClientOrderId::from_bytes(&bytes[48..66])?;
        Some(Self { seq: word(0), kind: RecordKind::from_code(bytes[8])?, order, denied, client_id })
    }
}

impl Sequenced for Record {
    fn seq(&self) -> u64 {
        self.seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_what_was_written_and_nonsense_is_none() {
        let order = Order {
            id: OrderId(u64::MAX),
            strategy: StrategyId(7),
            instrument: InstrumentId(513),
            side: Side::Sell,
            kind: OrderKind::PostOnly,
            tif: TimeInForce::Fok,
            reduce_only: true,
            qty: Qty(i64::MAX),
            price: Price(-1),
            extras: Extras::NONE,
        };
        let client_id = ClientOrderId::derive(1_723_161_253, order.id);
        let kind = RecordKind::Denied;
        let record = Record { seq: 9, kind, order, denied: Some(DenyReason::SelfTrade), client_id };
        let bytes = record.canonical();
        assert_eq!(Record::from_canonical(&bytes), Some(record));
        for (at, bad) in [(8, 0), (8, 14), (10, 2), (11, 7), (12, 3), (14, 255), (48, b'A')] {
            let mut damaged = bytes;
            damaged[at] = bad;
            assert_eq!(Record::from_canonical(&damaged), None, "byte {at} = {bad}");
        }
        for change in [
            Change::Trails(Trail::Distance(Price(7))),
            Change::Released(OrderStatus::Canceled),
            Change::Released(OrderStatus::Expired),
            Change::Due,
            Change::Protected { stop: Price(5), take_profit: Price(0), trail: Trail::Bps(50) },
            Change::Protected { stop: Price(0), take_profit: Price(9), trail: Trail::Distance(Price(3)) },
            Change::Unprotected,
            Change::Linked(OrderId(u64::MAX)),
            Change::GoodTill(Time(1_723_161_253_000_000_000)),
            Change::ChildOf(order.id),
        ] {
            let note =
                Note { order: order.id, strategy: order.strategy, instrument: order.instrument, change };
            let (kind, order) = of_note(&note);
            let written = Record { seq: 9, kind, order, denied: None, client_id };
            let read = match written.is_long() {
                true => Record::from_canonical_long(&written.canonical_long()),
                false => Record::from_canonical(&written.canonical()),
            };
            assert_eq!(read.map(|record| record.action()), Some(Action::Note(note)));
        }
        let mut stop = record;
        stop.order.kind = OrderKind::StopLimit;
        stop.order.extras =
            Extras { stop_price: Price(i64::MAX), iceberg_qty: Qty(-2), trailing_bps: 65_535, other_leg: -3 };
        assert!(stop.is_long() && !record.is_long());
        assert_eq!(Record::from_canonical_long(&stop.canonical_long()), Some(stop));
        let mut leg = record;
        leg.order.extras.other_leg = 1;
        assert!(leg.is_long(), "a leg's other leg is not in the plain form");
        assert_eq!(Record::from_canonical_long(&leg.canonical_long()), Some(leg));
    }
}
