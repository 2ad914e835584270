//! Which kinds of order a venue holds itself. What it does not, the order manager holds for it.

use crate::domain::{Market, Order};

/// One row of the table: what a venue holds natively beside market, limit and post-only orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NativeForms {
    /// Stop, stop-limit, take-profit and take-profit-limit orders.
    pub conditional: bool,
    /// Of those, such that trail by hundredths of a per cent.
    pub trailing: bool,
    /// Orders of which a part shows.
    pub iceberg: bool,
}

impl NativeForms {
    /// None: the paper venue, and whatever is held by the order manager by choice.
    pub const NONE: NativeForms = NativeForms { conditional: false, trailing: false, iceberg: false };
    /// A simulated venue of whose market bars alone are known: who sees the path of a bar must hold what it triggers.
    pub const BARS: NativeForms = NativeForms { conditional: true, trailing: false, iceberg: false };
    /// Binance spot.
    pub const BINANCE_SPOT: NativeForms = NativeForms { conditional: true, trailing: true, iceberg: true };

    /// What Binance holds of orders in one of its markets, by the requests that we write. USD-M takes conditional
    /// orders by another request, and has no icebergs.
    #[must_use]
    pub const fn binance(market: Market) -> Self {
        match market {
            Market::Spot => Self::BINANCE_SPOT,
            Market::UsdM | Market::CoinM => Self::NONE,
        }
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
