//! The limits, as configured.

/// Decimals of the quote amounts in [`RiskLimits`].
pub const QUOTE_DECIMALS: u8 = 8;

/// Limits of a run. Amounts are in units of 10^-8 of the quote asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiskLimits {
    /// Largest value of one order.
    pub order_notional_max: i64,
    /// Largest value of a strategy's position in one instrument, open orders included.
    pub position_notional_max: i64,
    /// Largest sum of all positions' absolute values.
    pub gross_notional_max: i64,
    /// Most live orders of a strategy in one instrument.
    pub open_orders_max: u32,
    /// Most new orders of a strategy in one second of the sequencer's time.
    pub orders_per_second_max: u32,
    /// How far a limit price may be beyond the touch, hundredths of a per cent.
    pub price_collar_bps: u32,
}
