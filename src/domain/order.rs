//! Orders and the states they go through.

use super::ids::{InstrumentId, OrderId, StrategyId};
use super::number::{Price, Qty};
use std::fmt;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Side {
    /// Bid; adds to the position.
    Buy = 0,
    /// Ask; takes from the position.
    Sell = 1,
}

impl Side {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// `qty` with the sign it has in a position.
    #[inline]
    #[must_use]
    pub fn signed(self, qty: Qty) -> Qty {
        match self {
            Side::Buy => qty,
            Side::Sell => -qty,
        }
    }

    /// Whether price `a` is better than, or as good as, `b` for an order of this side that wants to trade.
    #[inline]
    #[must_use]
    pub fn at_least_as_aggressive(self, a: Price, b: Price) -> bool {
        match self {
            Side::Buy => a >= b,
            Side::Sell => a <= b,
        }
    }

    /// The side with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Side::Buy),
            1 => Some(Side::Sell),
            _ => None,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        })
    }
}

/// How the venue is asked to price an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum OrderKind {
    /// At once, at whatever price.
    Market = 0,
    /// At the limit or better.
    Limit = 1,
    /// At the limit, resting, or not at all (post-only; Binance's `LIMIT_MAKER`).
    PostOnly = 2,
    /// A market order once the price got as bad as the stop (`STOP_LOSS`).
    Stop = 3,
    /// A limit order once the price got as bad as the stop (`STOP_LOSS_LIMIT`).
    StopLimit = 4,
    /// A market order once the price got as good as the stop (`TAKE_PROFIT`).
    TakeProfit = 5,
    /// A limit order once the price got as good as the stop (`TAKE_PROFIT_LIMIT`).
    TakeProfitLimit = 6,
}

impl OrderKind {
    /// The kind with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(OrderKind::Market),
            1 => Some(OrderKind::Limit),
            2 => Some(OrderKind::PostOnly),
            3 => Some(OrderKind::Stop),
            4 => Some(OrderKind::StopLimit),
            5 => Some(OrderKind::TakeProfit),
            6 => Some(OrderKind::TakeProfitLimit),
            _ => None,
        }
    }

    /// Whether it has a limit price.
    #[inline]
    #[must_use]
    pub const fn has_limit(self) -> bool {
        !matches!(self, OrderKind::Market | OrderKind::Stop | OrderKind::TakeProfit)
    }

    /// Whether it waits for a price before it is an order.
    #[inline]
    #[must_use]
    pub const fn is_conditional(self) -> bool {
        self as u8 >= OrderKind::Stop as u8
    }

    /// Whether an order of this kind and side is triggered by a price that rises: a buy stop and a sell take-profit.
    #[inline]
    #[must_use]
    pub const fn triggers_above(self, side: Side) -> bool {
        matches!(side, Side::Buy) == self.is_stop()
    }

    /// Whether a price that gets worse triggers it.
    #[inline]
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(self, OrderKind::Stop | OrderKind::StopLimit)
    }

    /// What it becomes once triggered; every other kind is what it is.
    #[inline]
    #[must_use]
    pub const fn triggered(self) -> OrderKind {
        match self {
            OrderKind::Stop | OrderKind::TakeProfit => OrderKind::Market,
            OrderKind::StopLimit | OrderKind::TakeProfitLimit => OrderKind::Limit,
            plain => plain,
        }
    }

    /// The name used in output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            OrderKind::Market => "market",
            OrderKind::Limit => "limit",
            OrderKind::PostOnly => "post-only",
            OrderKind::Stop => "stop",
            OrderKind::StopLimit => "stop-limit",
            OrderKind::TakeProfit => "take-profit",
            OrderKind::TakeProfitLimit => "take-profit-limit",
        }
    }
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc = 0,
    /// What trades at once; the rest is cancelled.
    Ioc = 1,
    /// All at once, or nothing.
    Fok = 2,
}

impl TimeInForce {
    /// The time in force with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(TimeInForce::Gtc),
            1 => Some(TimeInForce::Ioc),
            2 => Some(TimeInForce::Fok),
            _ => None,
        }
    }
}

/// What only some orders have. All zero for a plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Extras {
    /// The price that triggers a conditional order; zero where it only trails.
    pub stop_price: Price,
    /// How much of the order shows; zero: all of it.
    pub iceberg_qty: Qty,
    /// How far a conditional order trails the best price since it was placed, hundredths of a per cent; zero: it does
    /// not trail.
    pub trailing_bps: u16,
    /// Of two orders that the venue is asked to hold as one list, of which one cancels the other: how many of its
    /// strategy's order numbers away the other one is. Positive for the one that is asked for first; zero: it is in none.
    #[serde(default)]
    pub other_leg: i8,
}

impl Extras {
    /// Nothing of the kind.
    pub const NONE: Extras =
        Extras { stop_price: Price(0), iceberg_qty: Qty(0), trailing_bps: 0, other_leg: 0 };

    /// Only a trigger price.
    #[must_use]
    pub const fn stop(price: Price) -> Self {
        Extras { stop_price: price, ..Extras::NONE }
    }

    /// Whether the order is a plain one.
    #[inline]
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.stop_price.0 == 0 && self.iceberg_qty.0 == 0 && self.trailing_bps == 0 && self.other_leg == 0
    }
}

/// An order as it was asked for; it does not change after it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Order {
    /// Number within the run.
    pub id: OrderId,
    /// Who asked.
    pub strategy: StrategyId,
    /// What.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How priced.
    pub kind: OrderKind,
    /// How long.
    pub tif: TimeInForce,
    /// Only to make a position smaller; risk cuts or denies what would grow it.
    pub reduce_only: bool,
    /// How much; positive.
    pub qty: Qty,
    /// The limit; zero where the kind has none.
    pub price: Price,
    /// What only some orders have.
    pub extras: Extras,
}

impl Order {
    /// How much of its `left` may fill where `held` is held: of one that only reduces, what there is to reduce; of any other,
    /// all of it.
    #[inline]
    #[must_use]
    pub fn fillable(&self, left: i64, held: Qty) -> i64 {
        if self.reduce_only { left.min(self.side.opposite().signed(held).0.max(0)) } else { left }
    }

    /// Whether it only reduces and cannot rest: at the market, or, of an instrument that is known by its bars alone, one
    /// without a limit that the bar's path has triggered already, which the order manager says by its being immediate.
    #[inline]
    #[must_use]
    pub const fn leaves_at_once(&self, of_bars: bool) -> bool {
        let at_once = match self.kind {
            OrderKind::Market => true,
            // Elsewhere its venue holds it until its price comes, however long that is.
            OrderKind::Stop | OrderKind::TakeProfit => of_bars && matches!(self.tif, TimeInForce::Ioc),
            _ => false,
        };
        self.reduce_only && at_once
    }

    /// Whether it only reduces and waits for its price, or is in a list of which one order does: what is held is left by it
    /// when the price comes, and until then it is no trading.
    #[inline]
    #[must_use]
    pub const fn protects(&self) -> bool {
        self.reduce_only && (self.kind.is_conditional() || self.extras.other_leg != 0)
    }

    /// The order that is in one list with this one, if it is in a list.
    #[inline]
    #[must_use]
    pub const fn other_leg(&self) -> Option<OrderId> {
        match self.extras.other_leg {
            0 => None,
            away => Some(self.id.away(away)),
        }
    }
}

// Orders travel through four lanes: each message keeps to two cache lines.
const _: () = assert!(size_of::<Order>() <= 56);

/// Where an order stands. The client's view: `Pending*` and `Unknown` exist only here, never on the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum OrderStatus {
    /// Sent, no answer yet.
    PendingNew = 0,
    /// Resting.
    Open = 1,
    /// Resting, partly traded.
    PartiallyFilled = 2,
    /// Asked to be cancelled, no answer yet.
    PendingCancel = 3,
    /// The answer was lost: the venue must be asked, and nothing is sent again until it has said.
    Unknown = 4,
    /// Wholly traded. Final.
    Filled = 5,
    /// Cancelled on request. Final.
    Canceled = 6,
    /// Refused by the venue. Final.
    Rejected = 7,
    /// Ended by its own terms (IOC, FOK, self-trade prevention). Final.
    Expired = 8,
    /// Denied by risk; the venue never saw it. Final.
    Denied = 9,
}

impl OrderStatus {
    /// Whether nothing more can happen to the order.
    #[inline]
    #[must_use]
    pub const fn is_final(self) -> bool {
        (self as u8) >= (OrderStatus::Filled as u8)
    }

    /// The name used in output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            OrderStatus::PendingNew => "pending-new",
            OrderStatus::Open => "open",
            OrderStatus::PartiallyFilled => "partially-filled",
            OrderStatus::PendingCancel => "pending-cancel",
            OrderStatus::Unknown => "unknown",
            OrderStatus::Filled => "filled",
            OrderStatus::Canceled => "canceled",
            OrderStatus::Rejected => "rejected",
            OrderStatus::Expired => "expired",
            OrderStatus::Denied => "denied",
        }
    }
}

/// What a venue, or risk, says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReportKind {
    /// The order is on the book.
    Accepted = 0,
    /// The venue refused it.
    Rejected = 1,
    /// Some, or the last, of it traded.
    Fill = 2,
    /// It was cancelled.
    Canceled = 3,
    /// It ended by its own terms.
    Expired = 4,
    /// A cancel was refused: nothing to cancel.
    CancelRejected = 5,
    /// Of a position and no order: funding was paid for it; the report's fee says how much.
    Funding = 6,
    /// Of a position and no order: it was closed for want of margin.
    Liquidated = 7,
    /// Of a position and no order's course: a commission was taken in a third asset, see
    /// [`Report::paid`](super::event::Report::paid); the report's fee says what that is worth.
    Commission = 8,
}

impl ReportKind {
    /// The kind with this code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(ReportKind::Accepted),
            1 => Some(ReportKind::Rejected),
            2 => Some(ReportKind::Fill),
            3 => Some(ReportKind::Canceled),
            4 => Some(ReportKind::Expired),
            5 => Some(ReportKind::CancelRejected),
            6 => Some(ReportKind::Funding),
            7 => Some(ReportKind::Liquidated),
            8 => Some(ReportKind::Commission),
            _ => None,
        }
    }

    /// Whether it is of a position, and of no order.
    #[inline]
    #[must_use]
    pub const fn is_of_position(self) -> bool {
        matches!(self, ReportKind::Funding | ReportKind::Liquidated | ReportKind::Commission)
    }
}

/// An order with where it stands: the state machine, moved only by [`apply`](Self::apply).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderState {
    /// What was asked.
    pub order: Order,
    /// Where it stands.
    pub status: OrderStatus,
    /// How much has traded.
    pub filled: Qty,
    /// The trades booked last; a fill is booked once.
    pub trades: RecentTrades,
}

/// The trades that were booked last, by their ids: fills come in any order, so the highest id tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct RecentTrades {
    ids: [u64; Self::COUNT],
    booked: u32,
}

impl RecentTrades {
    /// How many are remembered. A venue's client knows every trade and repeats none; this is for repeats in a row.
    pub const COUNT: usize = 8;

    /// None.
    pub const EMPTY: Self = Self { ids: [0; Self::COUNT], booked: 0 };

    /// Notes a trade; false if it is among the last.
    #[inline]
    fn note(&mut self, id: u64) -> bool {
        let known = (self.booked as usize).min(Self::COUNT);
        if self.ids[..known].contains(&id) {
            return false;
        }
        self.ids[self.booked as usize % Self::COUNT] = id;
        self.booked += 1;
        true
    }
}

/// What a report did to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// State or filled quantity changed.
    Changed,
    /// Nothing new: a repeat, or a late report on a final order.
    Ignored,
    /// A fill beyond the order's quantity: the caller must count it and look.
    Overfill,
}

impl OrderState {
    /// A fresh order, sent and unanswered.
    #[must_use]
    pub const fn new(order: Order) -> Self {
        Self { order, status: OrderStatus::PendingNew, filled: Qty::ZERO, trades: RecentTrades::EMPTY }
    }

    /// What has not traded yet.
    #[inline]
    #[must_use]
    pub fn leaves(&self) -> Qty {
        Qty(self.order.qty.0 - self.filled.0)
    }

    /// Moves the state by one report. `qty` and `trade_id` count for fills only, which come in any order.
    ///
    /// Final states are left only by a fill that came late, which is booked without changing the status.
    pub fn apply(&mut self, kind: ReportKind, qty: Qty, trade_id: u64) -> Applied {
        if kind == ReportKind::Fill {
            let Some(filled) = self.filled.checked_add(qty) else { return Applied::Overfill };
            let mut trades = self.trades;
            if !trades.note(trade_id) {
                return Applied::Ignored;
            }
            if qty.0 <= 0 || filled > self.order.qty {
                return Applied::Overfill;
            }
            self.trades = trades;
            self.filled = filled;
            if filled == self.order.qty {
                self.status = OrderStatus::Filled;
            } else if matches!(
                self.status,
                OrderStatus::PendingNew | OrderStatus::Open | OrderStatus::Unknown
            ) {
                self.status = OrderStatus::PartiallyFilled;
            }
            return Applied::Changed;
        }
        if self.status.is_final() {
            return Applied::Ignored;
        }
        let live = if self.filled == Qty::ZERO { OrderStatus::Open } else { OrderStatus::PartiallyFilled };
        let next = match kind {
            ReportKind::Accepted => match self.status {
                OrderStatus::PendingNew | OrderStatus::Unknown => live,
                other => other,
            },
            ReportKind::CancelRejected => match self.status {
                OrderStatus::PendingCancel => live,
                other => other,
            },
            ReportKind::Rejected => OrderStatus::Rejected,
            ReportKind::Canceled => OrderStatus::Canceled,
            ReportKind::Expired => OrderStatus::Expired,
            ReportKind::Fill | ReportKind::Funding | ReportKind::Liquidated | ReportKind::Commission => {
                self.status
            }
        };
        let changed = next != self.status;
        self.status = next;
        if changed { Applied::Changed } else { Applied::Ignored }
    }

    /// Notes that a cancel was sent.
    pub fn cancel_sent(&mut self) {
        if !self.status.is_final() {
            self.status = OrderStatus::PendingCancel;
        }
    }

    /// Notes that risk denied it, whatever was asked of it since.
    pub fn denied(&mut self) {
        if !self.status.is_final() {
            self.status = OrderStatus::Denied;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(qty: i64) -> OrderState {
        OrderState::new(Order {
            id: OrderId(1),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(qty),
            price: Price(100),
            extras: Extras::NONE,
        })
    }

    #[test]
    fn an_order_fills_in_parts_and_ends_filled() {
        let mut state = order(10);
        assert_eq!(state.apply(ReportKind::Accepted, Qty(0), 0), Applied::Changed);
        assert_eq!(state.status, OrderStatus::Open);
        assert_eq!(state.apply(ReportKind::Fill, Qty(4), 1), Applied::Changed);
        assert_eq!(state.status, OrderStatus::PartiallyFilled);
        assert_eq!(state.apply(ReportKind::Fill, Qty(4), 1), Applied::Ignored, "a trade is booked once");
        assert_eq!(state.apply(ReportKind::Fill, Qty(6), 2), Applied::Changed);
        assert_eq!((state.status, state.leaves()), (OrderStatus::Filled, Qty(0)));
        assert_eq!(state.apply(ReportKind::Canceled, Qty(0), 0), Applied::Ignored);
    }

    #[test]
    fn fills_are_booked_once_in_whatever_order_they_come() {
        let mut state = order(100);
        for id in [7, 3, 5, 9, 3, 7, 4, 9] {
            state.apply(ReportKind::Fill, Qty(10), id);
        }
        assert_eq!((state.filled, state.status), (Qty(50), OrderStatus::PartiallyFilled));
        for id in [20, 19, 18, 17, 16, 16] {
            state.apply(ReportKind::Fill, Qty(10), id);
        }
        assert_eq!((state.filled, state.status), (Qty(100), OrderStatus::Filled));
    }

    #[test]
    fn a_fill_before_the_acknowledgement_counts() {
        let mut state = order(10);
        state.apply(ReportKind::Fill, Qty(4), 7);
        state.apply(ReportKind::Accepted, Qty(0), 0);
        assert_eq!((state.status, state.filled), (OrderStatus::PartiallyFilled, Qty(4)));
    }

    #[test]
    fn a_late_fill_after_a_cancel_is_booked_and_an_overfill_is_not() {
        let mut state = order(10);
        state.cancel_sent();
        assert_eq!(state.status, OrderStatus::PendingCancel);
        state.apply(ReportKind::Canceled, Qty(0), 0);
        assert_eq!(state.apply(ReportKind::Fill, Qty(3), 1), Applied::Changed);
        assert_eq!((state.status, state.filled), (OrderStatus::Canceled, Qty(3)));
        assert_eq!(state.apply(ReportKind::Fill, Qty(8), 2), Applied::Overfill);
        assert_eq!(state.filled, Qty(3));
    }

    #[test]
    fn what_leaves_at_once_only_reduces_and_cannot_rest() {
        let plain = Order { reduce_only: true, kind: OrderKind::Market, ..order(10).order };
        let stop = Order { kind: OrderKind::Stop, tif: TimeInForce::Ioc, ..plain };
        for (order, on_bars, elsewhere) in [
            (plain, true, true),
            (stop, true, false),
            (Order { kind: OrderKind::TakeProfit, ..stop }, true, false),
            (Order { tif: TimeInForce::Gtc, ..stop }, false, false),
            (Order { kind: OrderKind::StopLimit, ..stop }, false, false),
            (Order { kind: OrderKind::Limit, ..stop }, false, false),
        ] {
            assert_eq!((order.leaves_at_once(true), order.leaves_at_once(false)), (on_bars, elsewhere));
            let grows = Order { reduce_only: false, ..order };
            assert!(!grows.leaves_at_once(true), "{grows:?}");
        }
    }

    #[test]
    fn what_protects_only_reduces_and_waits_or_is_listed_with_what_does() {
        let plain = Order { reduce_only: true, kind: OrderKind::Market, ..order(10).order };
        for code in 0..=6 {
            let kind = OrderKind::from_code(code).expect("a kind");
            let alone = Order { kind, ..plain };
            let listed = Order { extras: Extras { other_leg: -1, ..Extras::NONE }, ..alone };
            assert_eq!((alone.protects(), listed.protects()), (kind.is_conditional(), true), "{kind:?}");
            assert!(!Order { reduce_only: false, ..listed }.protects(), "{kind:?}");
        }
    }

    #[test]
    fn a_refused_cancel_leaves_the_order_live() {
        let mut state = order(10);
        state.apply(ReportKind::Accepted, Qty(0), 0);
        state.cancel_sent();
        state.apply(ReportKind::CancelRejected, Qty(0), 0);
        assert_eq!(state.status, OrderStatus::Open);
    }
}
