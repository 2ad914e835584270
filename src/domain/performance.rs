//! What a backtest did, as data: fills, round trips, and points of equity; statistics and reports are made of it.
//!
//! Amounts of money are integers in units of 10^-[`decimals`](Outcome::decimals) of one currency, fine enough that
//! nothing is rounded. Identity, at every point: equity = start + Σ over strategies and instruments of (realised +
//! unrealised profit at the last price − fees − funding paid).
//!
//! A round trip is an episode of one strategy in one instrument: from the fill that opens a position to the one that
//! closes it, however many fills are between. A fill that turns a position around ends one and begins the next, its fee
//! split by quantity. So the profits of all round trips, the open ones at the last price, add up to what the equity
//! gained, funding apart.

use super::ids::{InstrumentId, OrderId, StrategyId};
use super::instrument::Instrument;
use super::number::{Notional, Price, Qty};
use super::order::Side;
use super::time::Time;

/// What was run, for headings and for whoever runs it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// The configuration's `[run] name`.
    pub name: String,
    /// Settings and parameters that bear on the result, in the order in which they are told: (key, value).
    pub settings: Vec<(String, String)>,
    /// The series that were read, `binance:spot:BTCUSDT trades`, or the files.
    pub sources: Vec<String>,
}

/// What everything was worth at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EquityPoint {
    /// When, by the sequencer's time. Points are in order of time, and no two have the same.
    pub time: Time,
    /// Start, profit so far and what is open, at the last prices.
    pub equity: i128,
    /// Value of all long positions at the last prices.
    pub long: i128,
    /// Value of all short positions at the last prices, positive.
    pub short: i128,
}

/// An instrument's last price at a moment: what a benchmark holds, what trades are marked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricePoint {
    /// When; each has an [`EquityPoint`] of the same time.
    pub time: Time,
    /// Of what.
    pub instrument: InstrumentId,
    /// The last trade, or the middle where there are quotes alone, in the instrument's units.
    pub price: Price,
}

/// One fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillRow {
    /// When its report entered.
    pub time: Time,
    /// Whose.
    pub strategy: StrategyId,
    /// What was traded.
    pub instrument: InstrumentId,
    /// Of which order.
    pub order: OrderId,
    /// Which way.
    pub side: Side,
    /// How much; positive.
    pub qty: Qty,
    /// At.
    pub price: Price,
    /// Units of 10^-8 of the currency; negative is a rebate.
    pub fee: i64,
    /// Whether the order rested.
    pub maker: bool,
    /// The best bid and ask when its order was decided; of a market that is known by its bars or trades alone, the last
    /// price twice; of an order that waited for a price, that price twice. None where nobody decided it: a liquidation.
    pub decided: Option<[Price; 2]>,
}

impl FillRow {
    /// Twice what the fill cost more than at the middle of the prices that it was decided by, and twice what it would have
    /// come to there, in the notional's units; a fill at a better price cost less than nothing.
    #[must_use]
    pub fn slippage_doubled(&self) -> Option<(Notional, Notional)> {
        let [bid, ask] = self.decided.filter(|prices| prices.iter().all(|price| price.0 > 0))?;
        let middle = bid.times(self.qty).plus(ask.times(self.qty));
        let traded = self.price.times(self.qty);
        let worse = traded.plus(traded).minus(middle);
        let cost = match self.side {
            Side::Buy => worse,
            Side::Sell => Notional(-worse.0),
        };
        Some((cost, middle))
    }
}

/// From the opening of a position to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrip {
    /// Whose.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// Of the entry: a buy is a long position.
    pub side: Side,
    /// The first fill.
    pub entry_time: Time,
    /// The fill that closed it; `None` where it was open at the end of the run.
    pub exit_time: Option<Time>,
    /// All that was bought of a long position, or sold of a short one.
    pub qty: Qty,
    /// What that was worth, in the notional's units: divided by `qty`, the mean price of entry.
    pub entry_value: Notional,
    /// What was closed.
    pub exit_qty: Qty,
    /// What that was worth: divided by `exit_qty`, the mean price of exit.
    pub exit_value: Notional,
    /// Fees of all its fills, units of 10^-8 of the currency.
    pub fees: i64,
    /// Profit after fees; what is open is taken at the last price.
    pub profit: i128,
    /// Its fills.
    pub fills: u32,
}

/// A payment of funding for a position in a perpetual future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingRow {
    /// When it was booked.
    pub time: Time,
    /// Whose position.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// The position.
    pub qty: Qty,
    /// The price it was valued at.
    pub price: Price,
    /// Paid, units of 10^-8 of the currency; negative was received.
    pub paid: i64,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What was run.
    pub provenance: Provenance,
    /// The asset that all amounts are of: `USDT`, `USD`.
    pub currency: String,
    /// Decimals of all amounts.
    pub decimals: u8,
    /// What everything was worth at first.
    pub start: i128,
    /// The first event.
    pub from: Time,
    /// The last event.
    pub until: Time,
    /// Labels of the strategies, by [`StrategyId`].
    pub strategies: Vec<String>,
    /// Instruments of the run, by [`InstrumentId`].
    pub instruments: Vec<Instrument>,
    /// Worth over time: one point for each interval in which something happened, and one at the end.
    pub equity: Vec<EquityPoint>,
    /// Prices at the same times, of the instruments that strategies have.
    pub prices: Vec<PricePoint>,
    /// Every fill, in the order in which they were booked.
    pub fills: Vec<FillRow>,
    /// Every round trip, in the order in which they began.
    pub trips: Vec<RoundTrip>,
    /// Every payment of funding.
    pub funding: Vec<FundingRow>,
}

impl Outcome {
    /// An amount as a plain number, for statistics.
    #[must_use]
    pub fn number(&self, amount: i128) -> f64 {
        amount as f64 / 10f64.powi(i32::from(self.decimals))
    }

    /// A fee, in units of 10^-8, as an amount.
    #[must_use]
    pub fn fee(&self, fee: i64) -> i128 {
        scale(i128::from(fee), super::event::FEE_DECIMALS, self.decimals)
    }

    /// A notional of an instrument as an amount.
    #[must_use]
    pub fn amount(&self, instrument: InstrumentId, notional: Notional) -> i128 {
        let decimals = self.instruments.get(instrument.index()).map_or(0, Instrument::notional_decimals);
        scale(notional.0, decimals, self.decimals)
    }

    /// Equity at the end.
    #[must_use]
    pub fn end(&self) -> i128 {
        self.equity.last().map_or(self.start, |point| point.equity)
    }
}

/// From units with `from` decimals to units with `to`, of which there are no fewer; saturating.
#[must_use]
pub fn scale(amount: i128, from: u8, to: u8) -> i128 {
    debug_assert!(from <= to);
    amount.saturating_mul(10i128.saturating_pow(u32::from(to.saturating_sub(from))))
}
