//! Bars from trades: by time, or by how much was traded.
//!
//! Owns: which trade is in which bar, by integers only.
//!
//! A *time* bar holds the trades of its interval by the venue's time. It closes when a trade of a later bar comes, or,
//! in a silent market, when the sequencer's time has passed its end by a grace, and the venue's has too: that of the last
//! trade, and what has passed since. So a host's clock that is ahead of the venue's closes none too soon. Bars without
//! trades are not made. A trade of an interval before the open bar's, or of one that has closed, is late: counted, and
//! in no bar. So is one dated more than a minute after the sequencer's time: taken at its word, it would make all that
//! follow it late. An interruption leaves the open bar as it is: what comes of its interval afterwards is in it still.
//!
//! *Tick*, *volume* and *dollar* bars close with the trade that brings their count, base volume or quote value to the
//! bar's size. A trade is never split: the one that fills a bar is in it whole, however far it goes beyond, and the
//! next bar begins at zero with the next trade. So a trade closes at most one bar, and each is in exactly one. They go
//! by the order of arrival; no time closes them and no trade is late.
//!
//! Of connections that bring the same trades one may be ahead when it joins, so that trades come after later ones: the
//! first and the last of a bar are so by their ids.

use super::message::Bar;
use crate::domain::decimal::Scaled;
use crate::domain::event::Trade;
use crate::domain::{Instrument, InstrumentId, Time};
use serde::{Deserialize, Serialize};

const NANOS_PER_S: u64 = 1_000_000_000;
/// 1970-01-01 was a Thursday: weeks begin on Monday, four days later.
const FIRST_MONDAY_NS: u64 = 4 * 86_400 * NANOS_PER_S;
const WEEK_S: u32 = 7 * 86_400;
/// How far the venue's clock may be ahead of the sequencer's.
const AHEAD_NS_MAX: u64 = 60 * NANOS_PER_S;

/// What makes a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarSpec {
    /// So many seconds, 1 to 86,400, from multiples of that since 1970, UTC; or a week (604,800) from Monday.
    Time {
        /// The length.
        seconds: u32,
    },
    /// So many trades.
    Tick(u32),
    /// So much of the base asset (contracts, where an instrument counts those), in units of 10^-8.
    Volume(i64),
    /// So much of the quote asset, price times quantity, in units of 10^-8.
    Dollar(i64),
}

impl Default for BarSpec {
    fn default() -> Self {
        BarSpec::Time { seconds: 1 }
    }
}

impl BarSpec {
    /// Decimals of the amounts.
    pub const DECIMALS: u8 = 8;
}

/// As the configuration has it: `time:60s`, `tick:100`.
impl std::fmt::Display for BarSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let amount = |value: i64| Scaled { value: value.into(), decimals: Self::DECIMALS };
        match self {
            BarSpec::Time { seconds } => write!(f, "time:{seconds}s"),
            BarSpec::Tick(trades) => write!(f, "tick:{trades}"),
            BarSpec::Volume(volume) => write!(f, "volume:{:#}", amount(*volume)),
            BarSpec::Dollar(value) => write!(f, "dollar:{:#}", amount(*value)),
        }
    }
}

/// What is added up, and how much of it fills a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Time { length_ns: u64, offset_ns: u64, grace_ns: u64 },
    Trades(i128),
    Volume(i128),
    Notional(i128),
}

/// Makes one instrument's bars of one kind.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    instrument: InstrumentId,
    rule: Rule,
    bar: Option<Bar>,
    /// Of the open bar: trades, volume or value, in the instrument's units.
    sum: i128,
    /// The ids of its first and its last trade.
    ids: (u64, u64),
    /// When the open bar closes if no trade comes any more.
    closes_at: Time,
    closed_until: Time,
    late: u64,
}

/// `amount` of 10^-8 in units of 10^-`decimals`, rounded up: a sum of whole units reaches one when it reaches the other.
fn target(amount: i64, decimals: u32) -> i128 {
    let (amount, own) = (i128::from(amount.max(1)), u32::from(BarSpec::DECIMALS));
    match decimals.checked_sub(own) {
        Some(finer) => amount.saturating_mul(10i128.saturating_pow(finer)),
        None => {
            let unit = 10i128.pow(own - decimals);
            (amount + unit - 1) / unit
        }
    }
}

impl BarBuilder {
    /// Bars of `instrument`. A time bar waits `grace_ns` nanoseconds after its end for late trades in a silent market.
    #[must_use]
    pub fn new(instrument: &Instrument, spec: BarSpec, grace_ns: u64) -> Self {
        let (price, qty) = (u32::from(instrument.price_decimals), u32::from(instrument.qty_decimals));
        let rule = match spec {
            BarSpec::Time { seconds } => Rule::Time {
                length_ns: u64::from(seconds.max(1)) * NANOS_PER_S,
                offset_ns: if seconds == WEEK_S { FIRST_MONDAY_NS } else { 0 },
                grace_ns,
            },
            BarSpec::Tick(trades) => Rule::Trades(trades.max(1).into()),
            BarSpec::Volume(amount) => Rule::Volume(target(amount, qty)),
            BarSpec::Dollar(amount) => Rule::Notional(target(amount, price + qty)),
        };
        Self {
            instrument: instrument.id,
            rule,
            bar: None,
            sum: 0,
            ids: (0, 0),
            closes_at: Time(0),
            closed_until: Time(0),
            late: 0,
        }
    }

    /// Trades that came after their time bar had closed, or after one of a later bar, or that are dated in the future; they
    /// are in no bar.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// When the open bar closes for want of trades, if one is open and time closes it.
    #[inline]
    #[must_use]
    pub fn closes_at(&self) -> Option<Time> {
        (self.bar.is_some() && matches!(self.rule, Rule::Time { .. })).then_some(self.closes_at)
    }

    /// The bar that time alone closes at `now`.
    #[inline]
    pub fn on_time(&mut self, now: Time) -> Option<Bar> {
        match self.closes_at() {
            Some(at) if now >= at => self.close(),
            _ => None,
        }
    }

    /// The bar that this trade, at `now` by the sequencer, closes, if it does: the one before it by time, the one that it
    /// fills otherwise.
    #[inline]
    pub fn on_trade(&mut self, trade: &Trade, now: Time) -> Option<Bar> {
        let (added, target) = match self.rule {
            Rule::Time { length_ns, offset_ns, grace_ns } => {
                if trade.venue_time.since(now) > AHEAD_NS_MAX {
                    self.late += 1;
                    return None;
                }
                return self.on_timed(trade, now, (length_ns, offset_ns, grace_ns));
            }
            Rule::Trades(target) => (1, target),
            Rule::Volume(target) => (i128::from(trade.qty.0), target),
            Rule::Notional(target) => (trade.price.times(trade.qty).0, target),
        };
        self.add(trade, trade.venue_time);
        self.sum = self.sum.saturating_add(added);
        if self.sum >= target { self.close() } else { None }
    }

    #[inline]
    fn on_timed(
        &mut self,
        trade: &Trade,
        now: Time,
        (length_ns, offset_ns, grace_ns): (u64, u64, u64),
    ) -> Option<Bar> {
        let at = trade.venue_time.0;
        let open = self.bar.as_ref().map_or(self.closed_until, |bar| bar.start);
        let within = at.checked_sub(open.0).is_some_and(|since| since < length_ns) && open.0 >= offset_ns;
        let start = match self.bar {
            // Nearly every trade is in the open bar, and a division takes as long as all the rest.
            Some(_) if within => open,
            // Before the first Monday there is one short week.
            _ => Time(at.checked_sub(offset_ns).map_or(0, |since| at - since % length_ns)),
        };
        if start < open {
            self.late += 1;
            return None;
        }
        let closed = if start > open { self.close() } else { None };
        self.add(trade, start);
        let end = start.plus_nanos(length_ns);
        self.closes_at = end.max(now.plus_nanos(end.since(trade.venue_time))).plus_nanos(grace_ns);
        closed
    }

    /// Takes the trade into the open bar, or into one that begins at `start`.
    #[inline]
    fn add(&mut self, trade: &Trade, start: Time) {
        match &mut self.bar {
            Some(bar) => {
                bar.high = bar.high.max(trade.price);
                bar.low = bar.low.min(trade.price);
                if trade.id >= self.ids.1 {
                    (bar.close, self.ids.1) = (trade.price, trade.id);
                } else if trade.id < self.ids.0 {
                    (bar.open, self.ids.0) = (trade.price, trade.id);
                }
                bar.volume.0 = bar.volume.0.saturating_add(trade.qty.0);
                bar.trades = bar.trades.saturating_add(1);
            }
            None => {
                self.ids = (trade.id, trade.id);
                self.bar = Some(Bar {
                    instrument: self.instrument,
                    start,
                    open: trade.price,
                    high: trade.price,
                    low: trade.price,
                    close: trade.price,
                    volume: trade.qty,
                    trades: 1,
                });
            }
        }
    }

    fn close(&mut self) -> Option<Bar> {
        let bar = self.bar.take()?;
        self.sum = 0;
        if let Rule::Time { length_ns, .. } = self.rule {
            self.closed_until = bar.start.plus_nanos(length_ns);
        }
        Some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::FeeRate;
    use crate::domain::{Market, Notional, Price, Qty, Side};

    const S: u64 = NANOS_PER_S;

    fn instrument(price_decimals: u8, qty_decimals: u8) -> Instrument {
        Instrument {
            id: InstrumentId(0),
            venue: "binance".into(),
            market: Market::Spot,
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            price_decimals,
            qty_decimals,
            tick: Price(1),
            lot: Qty(1),
            min_qty: Qty(1),
            max_qty: Qty(i64::MAX),
            min_notional: Notional(0),
            maker_fee: FeeRate(0),
            taker_fee: FeeRate(0),
        }
    }

    fn bars(spec: BarSpec) -> BarBuilder {
        BarBuilder::new(&instrument(2, 3), spec, S / 10)
    }

    fn trade(at: u64, price: i64, qty: i64) -> Trade {
        Trade {
            instrument: InstrumentId(0),
            price: Price(price),
            qty: Qty(qty),
            id: 0,
            venue_time: Time(at),
            aggressor: Side::Buy,
            aggregate: false,
        }
    }

    /// A trade that is there the moment it is made, by clocks that agree.
    fn take(bars: &mut BarBuilder, trade: Trade) -> Option<Bar> {
        bars.on_trade(&trade, trade.venue_time)
    }

    #[test]
    fn silence_is_measured_from_the_last_trade_where_the_hosts_clock_is_ahead() {
        // The host's clock is ahead by an hour, right, or behind by 50 s; a trade takes 3 s to come.
        for host in [3_600 * S, 0, 0u64.wrapping_sub(50 * S)] {
            let mut bars = bars(BarSpec::Time { seconds: 100 });
            let (base, local) = (7_200 * S, |at: u64| Time(at.wrapping_add(host).wrapping_add(3 * S)));
            for at in [110, 150, 199] {
                let at = base + at * S;
                assert_eq!(bars.on_time(local(at)), None);
                assert_eq!(bars.on_trade(&trade(at, 5, 1), local(at)), None);
            }
            // By the host's clock too it is over.
            let end = local(base + 200 * S + S / 10).max(Time(base + 200 * S + S / 10));
            assert_eq!((bars.closes_at(), bars.on_time(Time(end.0 - 1))), (Some(end), None));
            assert_eq!((bars.on_time(end).map(|bar| bar.trades), bars.late()), (Some(3), 0));
        }
    }

    #[test]
    fn a_bar_holds_its_trades_and_closes_on_the_next_ones_trade() {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        assert_eq!(take(&mut bars, trade(110 * S, 5, 1)), None);
        assert_eq!(take(&mut bars, trade(150 * S, 9, 2)), None);
        assert_eq!(take(&mut bars, trade(200 * S - 1, 3, 3)), None);
        let bar = take(&mut bars, trade(200 * S, 4, 1)).expect("the bar of 100 to 200 closes");
        assert_eq!((bar.start, bar.open.0, bar.high.0, bar.low.0, bar.close.0), (Time(100 * S), 5, 9, 3, 3));
        assert_eq!((bar.volume.0, bar.trades), (6, 3));
    }

    #[test]
    fn silence_closes_a_bar_after_its_grace_and_a_late_trade_is_counted() {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        take(&mut bars, trade(110 * S, 5, 1));
        assert_eq!(bars.on_time(Time(200 * S + S / 10 - 1)), None);
        // Within the grace a late trade is still in its bar.
        assert_eq!(bars.on_trade(&trade(190 * S, 6, 1), Time(200 * S + S / 20)), None);
        assert_eq!(bars.on_time(Time(210 * S + S / 10)), None, "the venue is late, and not silent");
        let bar = bars.on_time(Time(210 * S + 3 * S / 20)).expect("it closes");
        assert_eq!((bar.trades, bar.close.0), (2, 6));
        assert_eq!(take(&mut bars, trade(190 * S, 5, 1)), None);
        assert_eq!(bars.late(), 1);
        assert_eq!(bars.closes_at(), None);
    }

    #[test]
    fn a_bar_opens_and_closes_with_its_first_and_last_trade_in_whatever_order_they_come() {
        for spec in [BarSpec::Time { seconds: 100 }, BarSpec::Tick(4)] {
            let mut bars = bars(spec);
            let closed: Vec<Bar> = [(12, 5), (14, 9), (11, 4), (13, 7), (15, 8)]
                .into_iter()
                .filter_map(|(id, price)| {
                    let at = if id == 15 { 200 * S } else { (100 + id) * S };
                    take(&mut bars, Trade { id, ..trade(at, price, 1) })
                })
                .collect();
            let prices = |bar: &Bar| (bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.trades);
            assert_eq!(closed.iter().map(prices).collect::<Vec<_>>(), [(4, 9, 4, 9, 4)]);
        }
    }

    #[test]
    fn a_trade_of_a_bar_that_was_never_made_is_late_too() {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        take(&mut bars, trade(110 * S, 5, 1));
        assert!(take(&mut bars, trade(310 * S, 7, 1)).is_some());
        // Of 200 to 300, which had no trade: it is not one of 300 to 400.
        assert_eq!(take(&mut bars, trade(299 * S, 1, 1)), None);
        assert_eq!(bars.late(), 1);
        let bar = take(&mut bars, trade(400 * S, 8, 1)).expect("the bar of 300 to 400 closes");
        assert_eq!((bar.trades, bar.low.0), (1, 7));
    }

    #[test]
    fn a_trade_dated_in_the_future_does_not_end_the_bars_that_follow() {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        take(&mut bars, trade(110 * S, 5, 1));
        assert_eq!(bars.on_trade(&trade(180 * S, 9, 1), Time(120 * S - 1)), None);
        assert_eq!((bars.on_trade(&trade(u64::MAX, 9, 1), Time(120 * S)), bars.late()), (None, 2));
        assert_eq!(bars.on_trade(&trade(180 * S, 6, 1), Time(120 * S)), None, "a minute may be");
        let bar = take(&mut bars, trade(200 * S, 7, 1)).expect("it closes");
        assert_eq!((bar.trades, bar.high.0, bars.late()), (2, 6, 2));
    }

    #[test]
    fn weeks_begin_on_monday() {
        let mut bars = bars(BarSpec::Time { seconds: WEEK_S });
        // 2024-08-08 was a Thursday; its week began on 2024-08-05.
        take(&mut bars, trade(1_723_075_200 * S, 5, 1));
        let bar = take(&mut bars, trade(1_723_420_800 * S, 6, 1)).expect("2024-08-12 is another week");
        assert_eq!(bar.start, Time(1_722_816_000 * S));
    }

    #[test]
    fn a_trade_is_never_split_and_a_bar_closes_with_the_trade_that_fills_it() {
        // Volume 5 in thousandths; a trade of 12.
        let mut bars = bars(BarSpec::Volume(5 * 100_000_000));
        assert_eq!(take(&mut bars, trade(1, 10, 4_999)), None);
        let bar = take(&mut bars, trade(2, 11, 12_000)).expect("filled, and more");
        assert_eq!((bar.volume.0, bar.trades, bar.start), (16_999, 2, Time(1)));
        assert_eq!(take(&mut bars, trade(3, 12, 4_999)), None, "nothing is carried over");
        assert_eq!(take(&mut bars, trade(4, 12, 1)).map(|bar| bar.volume.0), Some(5_000), "exactly full");
        let large = take(&mut bars, trade(5, 9, 500_000)).expect("one trade, one bar");
        assert_eq!((large.trades, large.volume.0), (1, 500_000));
        assert_eq!((bars.closes_at(), bars.on_time(Time(u64::MAX)), bars.late()), (None, None, 0));
    }

    #[test]
    fn amounts_finer_than_an_instrument_prints_are_reached_by_its_next_unit() {
        // 0.0005 of a base that is printed with three decimals: 0.001 reaches it, nothing below can be traded.
        assert_eq!((target(50_000, 3), target(100_000, 3), target(100_001, 3)), (1, 1, 2));
        assert_eq!((target(100_000_000, 0), target(1, 8), target(1, 16)), (1, 1, 100_000_000));
        assert_eq!(target(i64::MAX, 36), i128::MAX, "never, rather than at once");
    }
}
