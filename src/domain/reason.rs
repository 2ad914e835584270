//! Why something was not done: typed reasons that travel through the ring as one byte.

use std::fmt;

macro_rules! reasons {
    ($(#[$outer:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $code:literal, $label:literal;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[doc = $doc])* $variant = $code,)* }

        impl $name {
            /// Every reason there is.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The reason with this code, if there is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }

            /// A short name for tables and JSON.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $($name::$variant => concat!($($doc,)*).trim_ascii(),)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.label()) }
        }
    };
}

reasons! {
    /// Why the risk stage denied an order.
    DenyReason {
        /// The book is not synchronised, so no price can be trusted.
        BookInvalid = 1, "book-invalid";
        /// The instrument is data-only here (inverse contracts have no accounting yet).
        DataOnly = 2, "data-only";
        /// Quantity refused; the journals of before had no name of a filter.
        BadQuantity = 3, "bad-quantity";
        /// Limit price outside the collar around the touch.
        BadPrice = 4, "bad-price";
        /// Order value refused; the journals of before had no name of a filter.
        NotionalTooSmall = 5, "notional-too-small";
        /// Order value over the configured limit.
        OrderTooLarge = 6, "order-too-large";
        /// The position that could result is over the configured limit.
        PositionLimit = 7, "position-limit";
        /// Too many orders open already.
        OpenOrders = 8, "open-orders";
        /// Orders come faster than configured.
        OrderRate = 9, "order-rate";
        /// The order would trade with one of our own resting orders.
        SelfTrade = 10, "self-trade";
        /// Trading is halted.
        Halted = 11, "halted";
        /// Gross exposure of all positions would be over the configured limit.
        GrossExposure = 12, "gross-exposure";
        /// Trading less would not reduce the position, although the order says it only reduces.
        NotReducing = 13, "not-reducing";
        /// The wallet has not enough free to pay for it.
        InsufficientBalance = 14, "insufficient-balance";
        /// A limit is not configured: nothing is sent until it is, or is written as "none".
        LimitUnset = 15, "limit-unset";
        /// The kill switch is on for this order.
        Killed = 16, "killed";
        /// The instrument is not to be traded.
        Restricted = 17, "restricted";
        /// Nothing was heard of the instrument's market for longer than configured.
        StaleBook = 18, "stale-book";
        /// The venue's clock and ours are further apart than configured.
        StaleClock = 19, "stale-clock";
        /// Price further from the mark than configured.
        MarkCollar = 20, "mark-collar";
        /// Quantity over the configured limit.
        QuantityTooLarge = 21, "quantity-too-large";
        /// Quantity many times what was ordered of late.
        FatFinger = 22, "fat-finger";
        /// The same side, price and quantity a moment ago.
        Duplicate = 23, "duplicate-order";
        /// Less than the configured balance would be left free.
        MinimumBalance = 24, "minimum-balance";
        /// More orders for each trade than configured.
        OrderToTrade = 25, "order-to-trade";
        /// The strategy traded the same way too often in a row.
        SameWay = 26, "same-way";
        /// The day lost more than configured, over all strategies. Latches.
        DailyLoss = 27, "daily-loss";
        /// The strategy's day lost more than configured. Latches.
        StrategyDailyLoss = 28, "strategy-daily-loss";
        /// Profit fell further from its peak than configured, over all strategies. Latches.
        Drawdown = 29, "drawdown";
        /// The strategy's profit fell further from its peak than configured. Latches.
        StrategyDrawdown = 30, "strategy-drawdown";
        /// The strategy lost too many times in a row. Latches.
        ConsecutiveLosses = 31, "consecutive-losses";
        /// Money was lost faster than configured, over all strategies. Latches.
        LossVelocity = 32, "loss-velocity";
        /// The instrument is paused.
        Paused = 33, "paused";
        /// Nothing can be sent to the instrument's part of the venue now.
        Suspended = 34, "suspended";
        /// Surveillance stopped it until an operator releases it, or, of a strategy that is throttled, for a while.
        Surveillance = 35, "surveillance";
        /// The instrument or the strategy is outside its trading hours, and the order does not only reduce a position.
        TradingHours = 36, "trading-hours";
        /// The venue's filter of this name: price off the tick, or out of the venue's range.
        PriceFilter = 40, "PRICE_FILTER";
        /// The venue's filter of this name: quantity off the step, under the minimum or over the maximum.
        LotSize = 41, "LOT_SIZE";
        /// The venue's filter of this name: an iceberg in too many parts.
        IcebergParts = 42, "ICEBERG_PARTS";
        /// The venue's filter of this name: quantity of a market order out of its range or off its step.
        MarketLotSize = 43, "MARKET_LOT_SIZE";
        /// The venue's filter of this name: a trailing distance out of the venue's range.
        TrailingDelta = 44, "TRAILING_DELTA";
        /// The venue's filter of this name: price too far from the reference.
        PercentPrice = 45, "PERCENT_PRICE";
        /// The venue's filter of this name: price too far from the reference for its side.
        PercentPriceBySide = 46, "PERCENT_PRICE_BY_SIDE";
        /// The venue's filter of this name: order value under the venue's minimum.
        MinNotional = 47, "MIN_NOTIONAL";
        /// The venue's filter of this name: order value out of the venue's range.
        Notional = 48, "NOTIONAL";
        /// The venue's filter of this name: more of an asset than one order may move.
        MaxAsset = 49, "MAX_ASSET";
        /// The venue's filter of this name: more of the base asset than may be held.
        MaxPosition = 50, "MAX_POSITION";
        /// The venue's filter of this name: too many open orders on the symbol.
        MaxNumOrders = 51, "MAX_NUM_ORDERS";
        /// The venue's filter of this name: too many open stop and take-profit orders on the symbol.
        MaxNumAlgoOrders = 52, "MAX_NUM_ALGO_ORDERS";
        /// The venue's filter of this name: too many open icebergs on the symbol.
        MaxNumIcebergOrders = 53, "MAX_NUM_ICEBERG_ORDERS";
        /// The venue's filter of this name: too many open order lists on the symbol.
        MaxNumOrderLists = 54, "MAX_NUM_ORDER_LISTS";
        /// The venue's filter of this name: too many open orders on the exchange.
        ExchangeMaxNumOrders = 55, "EXCHANGE_MAX_NUM_ORDERS";
        /// The venue's filter of this name: too many open stop and take-profit orders on the exchange.
        ExchangeMaxNumAlgoOrders = 56, "EXCHANGE_MAX_NUM_ALGO_ORDERS";
        /// The venue's filter of this name: too many open icebergs on the exchange.
        ExchangeMaxNumIcebergOrders = 57, "EXCHANGE_MAX_NUM_ICEBERG_ORDERS";
        /// The venue's filter of this name: too many open order lists on the exchange.
        ExchangeMaxNumOrderLists = 58, "EXCHANGE_MAX_NUM_ORDER_LISTS";
        /// The venue's filter of this name: amended too often.
        MaxNumOrderAmends = 59, "MAX_NUM_ORDER_AMENDS";
        /// More orders of the strategy in a minute than configured.
        StrategyOrdersMinute = 64, "strategy-orders-a-minute";
        /// More orders of the strategy in a day than configured.
        StrategyOrdersDay = 65, "strategy-orders-a-day";
        /// More cancels of the strategy in a second than configured.
        StrategyCancelsSecond = 66, "strategy-cancels-a-second";
        /// More cancels of the strategy in a minute than configured.
        StrategyCancelsMinute = 67, "strategy-cancels-a-minute";
        /// More cancels of the strategy in a day than configured.
        StrategyCancelsDay = 68, "strategy-cancels-a-day";
        /// More messages of the strategy in a second than configured.
        StrategyMessagesSecond = 69, "strategy-messages-a-second";
        /// More messages of the strategy in a minute than configured.
        StrategyMessagesMinute = 70, "strategy-messages-a-minute";
        /// More messages of the strategy in a day than configured.
        StrategyMessagesDay = 71, "strategy-messages-a-day";
        /// More orders of all strategies together in a second than configured.
        AllOrdersSecond = 72, "all-orders-a-second";
        /// More orders of all strategies together in a minute than configured.
        AllOrdersMinute = 73, "all-orders-a-minute";
        /// More orders of all strategies together in a day than configured.
        AllOrdersDay = 74, "all-orders-a-day";
        /// More cancels of all strategies together in a second than configured.
        AllCancelsSecond = 75, "all-cancels-a-second";
        /// More cancels of all strategies together in a minute than configured.
        AllCancelsMinute = 76, "all-cancels-a-minute";
        /// More cancels of all strategies together in a day than configured.
        AllCancelsDay = 77, "all-cancels-a-day";
        /// More messages of all strategies together in a second than configured.
        AllMessagesSecond = 78, "all-messages-a-second";
        /// More messages of all strategies together in a minute than configured.
        AllMessagesMinute = 79, "all-messages-a-minute";
        /// More messages of all strategies together in a day than configured.
        AllMessagesDay = 80, "all-messages-a-day";
        /// Worst long exposure of one instrument over the configured limit.
        InstrumentLong = 88, "instrument-long";
        /// Worst short exposure of one instrument over the configured limit.
        InstrumentShort = 89, "instrument-short";
        /// Worst gross exposure of one instrument over the configured limit.
        InstrumentGross = 90, "instrument-gross";
        /// Worst net exposure of one instrument over the configured limit.
        InstrumentNet = 91, "instrument-net";
        /// Worst gross exposure of one instrument over the equity over the configured limit.
        InstrumentLeverage = 92, "instrument-leverage";
        /// Share that one instrument has of the gross exposure over the configured limit.
        InstrumentShare = 93, "instrument-share";
        /// Open orders of one instrument over the configured limit.
        InstrumentOrders = 94, "instrument-orders";
        /// Worst long exposure of one strategy over the configured limit.
        StrategyLong = 95, "strategy-long";
        /// Worst short exposure of one strategy over the configured limit.
        StrategyShort = 96, "strategy-short";
        /// Worst gross exposure of one strategy over the configured limit.
        StrategyGross = 97, "strategy-gross";
        /// Worst net exposure of one strategy over the configured limit.
        StrategyNet = 98, "strategy-net";
        /// Worst gross exposure of one strategy over the equity over the configured limit.
        StrategyLeverage = 99, "strategy-leverage";
        /// Share that one strategy has of the gross exposure over the configured limit.
        StrategyShare = 100, "strategy-share";
        /// Open orders of one strategy over the configured limit.
        StrategyOrders = 101, "strategy-orders";
        /// Worst long exposure of one group of instruments over the configured limit.
        GroupLong = 102, "group-long";
        /// Worst short exposure of one group of instruments over the configured limit.
        GroupShort = 103, "group-short";
        /// Worst gross exposure of one group of instruments over the configured limit.
        GroupGross = 104, "group-gross";
        /// Worst net exposure of one group of instruments over the configured limit.
        GroupNet = 105, "group-net";
        /// Worst gross exposure of one group of instruments over the equity over the configured limit.
        GroupLeverage = 106, "group-leverage";
        /// Share that one group of instruments has of the gross exposure over the configured limit.
        GroupShare = 107, "group-share";
        /// Open orders of one group of instruments over the configured limit.
        GroupOrders = 108, "group-orders";
        /// Worst long exposure of one account over the configured limit.
        AccountLong = 109, "account-long";
        /// Worst short exposure of one account over the configured limit.
        AccountShort = 110, "account-short";
        /// Worst gross exposure of one account over the configured limit.
        AccountGross = 111, "account-gross";
        /// Worst net exposure of one account over the configured limit.
        AccountNet = 112, "account-net";
        /// Worst gross exposure of one account over the equity over the configured limit.
        AccountLeverage = 113, "account-leverage";
        /// Share that one account has of the gross exposure over the configured limit.
        AccountShare = 114, "account-share";
        /// Open orders of one account over the configured limit.
        AccountOrders = 115, "account-orders";
        /// Worst long exposure of everything together over the configured limit.
        PortfolioLong = 116, "portfolio-long";
        /// Worst short exposure of everything together over the configured limit.
        PortfolioShort = 117, "portfolio-short";
        /// Worst net exposure of everything together over the configured limit.
        PortfolioNet = 118, "portfolio-net";
        /// Worst gross exposure of everything together over the equity over the configured limit.
        PortfolioLeverage = 119, "portfolio-leverage";
        /// Open orders of everything together over the configured limit.
        PortfolioOrders = 120, "portfolio-orders";
    }
}

impl DenyReason {
    /// Whether it is a limit of losses, which throws the kill switch.
    #[must_use]
    pub const fn is_of_losses(self) -> bool {
        (self as u8) >= (DenyReason::DailyLoss as u8) && (self as u8) <= (DenyReason::LossVelocity as u8)
    }
}

reasons! {
    /// Why a strategy's request was refused before it became an intent.
    PlaceError {
        /// More requests in one event than a strategy may make.
        TooManyIntents = 1, "too-many-intents";
        /// No order of this strategy has that id, or it is final already.
        UnknownOrder = 2, "unknown-order";
        /// Quantity zero, negative, or less than a lot: a quantity is cut to whole lots.
        NoQuantity = 3, "no-quantity";
        /// A limit price is needed and was not given, or is not positive.
        NoPrice = 4, "no-price";
        /// Every place for open orders is taken.
        TooManyOpenOrders = 5, "too-many-open-orders";
        /// Every place for timers is taken.
        TooManyTimers = 6, "too-many-timers";
        /// A conditional order needs one trigger: a positive stop price, or a distance of 1 to 9,999 hundredths of a
        /// per cent or of a positive price to trail by.
        BadTrigger = 7, "bad-trigger";
        /// What shows of an iceberg is positive and less than the whole, which has a limit and stands until cancelled.
        BadIceberg = 8, "bad-iceberg";
        /// Two orders cancel each other only if they are two, of one instrument, of one size where of one side, and
        /// at most one of them is with the venue.
        NotLinkable = 9, "not-linkable";
        /// What there is until a backtest's first moment is only watched, and of a live run's bars those of the past.
        WarmingUp = 10, "warming-up";
        /// The strategy's `instruments` do not have it: it gets no events of it, and nothing of it would be looked after.
        NotYours = 11, "not-yours";
        /// What may only rest cannot also have to trade at once.
        BadTimeInForce = 12, "bad-time-in-force";
        /// What would wait here for its price, and does not only reduce, is stopped by the kill switch: it could go out once
        /// that is released, by which time nobody may mean it any more.
        Stopped = 13, "stopped";
        /// What was asked for contradicts itself: two ways to price an order, two times in force, or a stop that would be
        /// reached before its target or its entry's limit can be.
        Contradictory = 14, "contradictory";
    }
}
