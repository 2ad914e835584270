//! What a symbol allows.

use super::order::{OrderType, StpMode, named};
use crate::domain::decimal::POW10;
use crate::domain::{Instrument, Notional, Price, Qty};

named! {
    /// Whether a symbol trades.
    SymbolStatus {
        /// Everything is allowed.
        Trading = "TRADING",
        /// The day is over: nothing new.
        EndOfDay = "END_OF_DAY",
        /// Stopped: nothing new.
        Halt = "HALT",
        /// Paused: nothing new.
        Break = "BREAK",
        /// Orders can be cancelled and amended, and nothing else.
        CancelOnly = "CANCEL_ONLY",
    }
}

/// How far a limit may be from the last price, in thousandths of it: 1,200 is a fifth above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentPrice {
    /// The most that a buy may bid.
    pub bid_up: u32,
    /// The least.
    pub bid_down: u32,
    /// The most that a sell may ask.
    pub ask_up: u32,
    /// The least.
    pub ask_down: u32,
}

/// A symbol's rules. A limit of zero is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolRules {
    /// Precision, tick, lot, least and largest quantity, least worth, and the commission rates, which are at least zero
    /// and at most the whole.
    pub instrument: Instrument,
    /// Whether it trades.
    pub status: SymbolStatus,
    /// The least price, and stop price.
    pub min_price: Price,
    /// The largest price, and stop price.
    pub max_price: Price,
    /// How far a limit may be from the last price.
    pub percent_price: Option<PercentPrice>,
    /// The largest quantity of a market order.
    pub market_max_qty: Qty,
    /// The most that a limit order may be worth.
    pub max_notional: Notional,
    /// The least and the most that an order may trail the price by, in ten-thousandths, above and below; no order may
    /// where the most is zero.
    pub trailing_delta: (u32, u32),
    /// Parts of an iceberg order.
    pub iceberg_parts_max: u32,
    /// Open orders of an account.
    pub max_orders: u32,
    /// Open conditional orders of an account.
    pub max_algo_orders: u32,
    /// Open iceberg orders of an account.
    pub max_iceberg_orders: u32,
    /// Open order lists of an account.
    pub max_order_lists: u32,
    /// Amendments of one order.
    pub max_amends: u32,
    /// What an account may hold of the base asset, its open buys included.
    pub max_position: Qty,
    /// The types that it takes.
    pub order_types: Vec<OrderType>,
    /// The self-trade prevention of an order that names none.
    pub stp_default: StpMode,
    /// Those that an order may name.
    pub stp_allowed: Vec<StpMode>,
    /// Orders and lists that are over, and trades, which can still be asked for; older ones are forgotten.
    pub history_max: usize,
}

impl SymbolRules {
    /// The rules of an everyday symbol of the venue: prices up to a million and from a fifth to five times the last, worths
    /// up to nine million, 200 open orders an account, 5 of them conditional, 20 lists, 10 amendments; every order type, and every self-trade prevention but
    /// none.
    #[must_use]
    pub fn of(instrument: Instrument) -> Self {
        let unit = |decimals: u8| POW10.get(usize::from(decimals)).copied().unwrap_or(i64::MAX);
        let notional_unit =
            i128::from(unit(instrument.price_decimals)) * i128::from(unit(instrument.qty_decimals));
        Self {
            status: SymbolStatus::Trading,
            min_price: instrument.tick,
            max_price: Price(unit(instrument.price_decimals).saturating_mul(1_000_000)),
            percent_price: Some(PercentPrice { bid_up: 5_000, bid_down: 200, ask_up: 5_000, ask_down: 200 }),
            market_max_qty: instrument.max_qty,
            max_notional: Notional(notional_unit.saturating_mul(9_000_000)),
            trailing_delta: (10, 2_000),
            iceberg_parts_max: 100,
            max_orders: 200,
            max_algo_orders: 5,
            max_iceberg_orders: 0,
            max_order_lists: 20,
            max_amends: 10,
            max_position: Qty::ZERO,
            order_types: OrderType::ALL.to_vec(),
            stp_default: StpMode::ExpireMaker,
            stp_allowed: StpMode::ALL.iter().copied().filter(|mode| *mode != StpMode::None).collect(),
            history_max: 100_000,
            instrument,
        }
    }
}
