//! Which kinds of order a venue holds itself, and what else it told of its instruments before a run. What a venue does not
//! hold, the order manager holds for it.

use super::binance::exchange_info::Symbol;
use super::binance::filters::{Filters, OrderType};
use crate::domain::{Market, Order, OrderKind, TimeInForce};
use serde::{Deserialize, Serialize};

/// What a venue told of its instruments, each by instrument. It is a part of what a run is, as its configuration is: risk
/// and order manager decide by it, so the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueTerms {
    /// Every filter, those beside tick, lot and bounds among them.
    pub filters: Vec<Filters>,
    /// What it holds itself.
    pub forms: Vec<NativeForms>,
}

/// One row of the table: what a venue holds natively beside market, limit and post-only orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NativeForms {
    /// Stop, stop-limit, take-profit and take-profit-limit orders.
    pub conditional: bool,
    /// Of those, such that trail by hundredths of a per cent.
    pub trailing: bool,
    /// Orders of which a part shows.
    pub iceberg: bool,
    /// Two orders of which one cancels the other, in one list; the journals of before have none.
    #[serde(default)]
    pub oco: bool,
}

impl NativeForms {
    /// None: the paper venue, and whatever is held by the order manager by choice.
    pub const NONE: NativeForms =
        NativeForms { conditional: false, trailing: false, iceberg: false, oco: false };
    /// A simulated venue of whose market bars alone are known: who sees the path of a bar must hold what it triggers.
    pub const BARS: NativeForms =
        NativeForms { conditional: true, trailing: false, iceberg: false, oco: false };
    /// Binance spot.
    pub const BINANCE_SPOT: NativeForms =
        NativeForms { conditional: true, trailing: true, iceberg: true, oco: true };

    /// What Binance holds of orders in one of its markets, by the requests that we write. USD-M takes conditional
    /// orders by another request, and has no icebergs.
    #[must_use]
    pub const fn binance(market: Market) -> Self {
        match market {
            Market::Spot => Self::BINANCE_SPOT,
            Market::UsdM | Market::CoinM => Self::NONE,
        }
    }

    /// What Binance holds of orders of a listed spot symbol.
    #[must_use]
    pub fn of_symbol(symbol: &Symbol) -> Self {
        let stops = [
            OrderType::StopLoss,
            OrderType::StopLossLimit,
            OrderType::TakeProfit,
            OrderType::TakeProfitLimit,
        ];
        let all = Self::binance(Market::Spot);
        Self {
            conditional: all.conditional && stops.iter().all(|kind| symbol.order_types.contains(*kind)),
            trailing: all.trailing && symbol.capabilities.trailing,
            iceberg: all.iceberg && symbol.capabilities.iceberg,
            oco: all.oco && symbol.capabilities.oco && symbol.order_types.contains(OrderType::LimitMaker),
        }
    }

    /// Whether the venue takes these two as one list of which one cancels the other, just as they are: a target, post-only or
    /// a take-profit, and a stop, for the same quantity on the same side.
    #[must_use]
    pub fn holds_pair(self, a: &Order, b: &Order) -> bool {
        let is_target = |order: &Order| match order.kind {
            OrderKind::PostOnly | OrderKind::TakeProfit | OrderKind::TakeProfitLimit => true,
            OrderKind::Market | OrderKind::Limit | OrderKind::Stop | OrderKind::StopLimit => false,
        };
        let plain = |order: &Order| {
            order.tif == TimeInForce::Gtc && order.extras.iceberg_qty.0 == 0 && order.extras.other_leg == 0
        };
        let kinds = (is_target(a) && b.kind.is_stop()) || (is_target(b) && a.kind.is_stop());
        let same = a.instrument == b.instrument
            && a.side == b.side
            && a.qty == b.qty
            && a.reduce_only == b.reduce_only
            && a.strategy == b.strategy;
        self.oco && kinds && same && [a, b].into_iter().all(|order| plain(order) && self.holds(order))
    }

    /// Whether the venue takes `order` as it is.
    #[inline]
    #[must_use]
    pub const fn holds(self, order: &Order) -> bool {
        let extras = &order.extras;
        (self.conditional || !order.kind.is_conditional())
            && (self.trailing || extras.trailing_bps == 0)
            && (self.iceberg || extras.iceberg_qty.0 == 0)
    }
}
