//! The names of parameters, in the order in which the WebSocket API signs them.

macro_rules! names {
    ($($variant:ident $text:literal,)*) => {
        /// A parameter's name. Names compare as their texts do, byte by byte.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`.")] $variant,)*
        }

        impl Name {
            /// Every name, sorted.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is written.
            #[inline]
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// `,"name":`, for JSON.
            #[inline]
            pub(super) const fn json(self) -> &'static [u8] {
                match self { $(Self::$variant => concat!(",\"", $text, "\":").as_bytes(),)* }
            }

            /// `&name=`, for a query.
            #[inline]
            pub(super) const fn query(self) -> &'static [u8] {
                match self { $(Self::$variant => concat!("&", $text, "=").as_bytes(),)* }
            }
        }
    };
}

names! {
    AboveClientOrderId "aboveClientOrderId",
    AbovePrice "abovePrice",
    AboveStopPrice "aboveStopPrice",
    AboveTimeInForce "aboveTimeInForce",
    AboveTrailingDelta "aboveTrailingDelta",
    AboveType "aboveType",
    ApiKey "apiKey",
    BelowClientOrderId "belowClientOrderId",
    BelowPrice "belowPrice",
    BelowStopPrice "belowStopPrice",
    BelowTimeInForce "belowTimeInForce",
    BelowTrailingDelta "belowTrailingDelta",
    BelowType "belowType",
    CancelNewClientOrderId "cancelNewClientOrderId",
    CancelOrderId "cancelOrderId",
    CancelOrigClientOrderId "cancelOrigClientOrderId",
    CancelReplaceMode "cancelReplaceMode",
    CancelRestrictions "cancelRestrictions",
    ComputeCommissionRates "computeCommissionRates",
    EndTime "endTime",
    FromId "fromId",
    IcebergQty "icebergQty",
    Limit "limit",
    ListClientOrderId "listClientOrderId",
    NewClientOrderId "newClientOrderId",
    NewOrderRespType "newOrderRespType",
    NewQty "newQty",
    OmitZeroBalances "omitZeroBalances",
    OrderId "orderId",
    OrderListId "orderListId",
    OrderRateLimitExceededMode "orderRateLimitExceededMode",
    OrigClientOrderId "origClientOrderId",
    PegOffsetType "pegOffsetType",
    PegOffsetValue "pegOffsetValue",
    PegPriceType "pegPriceType",
    Price "price",
    Quantity "quantity",
    QuoteOrderQty "quoteOrderQty",
    RecvWindow "recvWindow",
    ReturnRateLimits "returnRateLimits",
    SelfTradePreventionMode "selfTradePreventionMode",
    Side "side",
    StartTime "startTime",
    StopLimitPrice "stopLimitPrice",
    StopLimitTimeInForce "stopLimitTimeInForce",
    StopPrice "stopPrice",
    StrategyId "strategyId",
    StrategyType "strategyType",
    SubscriptionId "subscriptionId",
    Symbol "symbol",
    Symbols "symbols",
    TimeInForce "timeInForce",
    Timestamp "timestamp",
    TrailingDelta "trailingDelta",
    Type "type",
}

impl Name {
    /// The name written so.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.text() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_their_texts() {
        for pair in Name::ALL.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].text() < pair[1].text(), "{pair:?}");
        }
        assert!(Name::ALL.iter().all(|name| Name::find(name.text()) == Some(*name)));
    }
}
