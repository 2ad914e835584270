//! The filters' names, as the venue spells them, and the error code that each one's failure comes with.

use std::fmt;

macro_rules! names {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $code:literal;)*) => {
        /// One of the venue's filters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FilterName { $($(#[doc = $doc])* $variant,)* }

        impl FilterName {
            /// Every filter, in the order in which failures are named.
            pub const ALL: &'static [FilterName] = &[$(FilterName::$variant,)*];

            /// The name as the venue spells it: `PRICE_FILTER`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(FilterName::$variant => $name,)* }
            }

            /// The code of the venue's refusal: −1013 before the matching engine, −2010 by it, −2038 of an amendment.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(FilterName::$variant => $code,)* }
            }

            /// The filter with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(FilterName::$variant),)* _ => None }
            }
        }
    };
}

names! {
    /// Lowest and highest price, and the tick.
    PriceFilter = "PRICE_FILTER", -1013;
    /// Smallest and largest quantity, and the step.
    LotSize = "LOT_SIZE", -1013;
    /// Into how many parts an iceberg may be cut.
    IcebergParts = "ICEBERG_PARTS", -1013;
    /// As `LOT_SIZE`, for market orders, beside it.
    MarketLotSize = "MARKET_LOT_SIZE", -1013;
    /// How far a trailing stop may trail.
    TrailingDelta = "TRAILING_DELTA", -1013;
    /// How far a limit price may be from the reference.
    PercentPrice = "PERCENT_PRICE", -1013;
    /// As `PERCENT_PRICE`, with bounds of its own for each side.
    PercentPriceBySide = "PERCENT_PRICE_BY_SIDE", -1013;
    /// Smallest order value.
    MinNotional = "MIN_NOTIONAL", -1013;
    /// Smallest and largest order value.
    Notional = "NOTIONAL", -1013;
    /// The most of an asset that one order of this account may move.
    MaxAsset = "MAX_ASSET", -1013;
    /// The most base asset that buying may come to.
    MaxPosition = "MAX_POSITION", -2010;
    /// Open orders on the symbol.
    MaxNumOrders = "MAX_NUM_ORDERS", -2010;
    /// Open stop and take-profit orders on the symbol.
    MaxNumAlgoOrders = "MAX_NUM_ALGO_ORDERS", -2010;
    /// Open icebergs on the symbol.
    MaxNumIcebergOrders = "MAX_NUM_ICEBERG_ORDERS", -2010;
    /// Open order lists on the symbol.
    MaxNumOrderLists = "MAX_NUM_ORDER_LISTS", -2010;
    /// Open orders on the whole exchange.
    ExchangeMaxNumOrders = "EXCHANGE_MAX_NUM_ORDERS", -2010;
    /// Open stop and take-profit orders on the whole exchange.
    ExchangeMaxNumAlgoOrders = "EXCHANGE_MAX_NUM_ALGO_ORDERS", -2010;
    /// Open icebergs on the whole exchange.
    ExchangeMaxNumIcebergOrders = "EXCHANGE_MAX_NUM_ICEBERG_ORDERS", -2010;
    /// Open order lists on the whole exchange.
    ExchangeMaxNumOrderLists = "EXCHANGE_MAX_NUM_ORDER_LISTS", -2010;
    /// Amendments of one order.
    MaxNumOrderAmends = "MAX_NUM_ORDER_AMENDS", -2038;
}

impl fmt::Display for FilterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
