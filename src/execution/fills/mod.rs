//! Fill models: what a venue would have done with our orders, told from what is recorded of its market.
//!
//! | known of the market | an order that can trade at once | an order that rests |
//! | --- | --- | --- |
//! | [bars] | at the bar's price now, or at the next bar's open | where the bar's path passes its price |
//! | [trades and quotes](quotes) | at the recorded quote, as much as it shows | what trades beyond its price |
//! | [depth] | level by level, as much as each shows | behind the [queue] that it met |
//!
//! Owns: those rules, and what is common to them: [latencies](latency), [fees by tier](tiers), the venue's own
//! refusals (its filters, post-only, margin), funding and liquidation. Each reads the events of the ring and the books of
//! its thread, and nothing else, so a backtest is the same on any threads. Our orders move no price: what they take is
//! only not there a second time until the market shows something new.

pub mod account;
pub mod bars;
pub mod depth;
pub mod gateway;
pub mod latency;
pub mod queue;
pub mod quotes;
pub mod slippage;
pub mod teller;
pub mod tiers;

pub use account::{Funding, FundingRate, Margin, RatesGiven};
pub use gateway::{FillGateway, FillSettings, MarketModel};
pub use latency::{Latencies, Latency};
pub use queue::Queue;
pub use slippage::Slippage;
pub use tiers::{FeeTier, FeeTiers};
