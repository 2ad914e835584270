//! Moving-average cross: long while the fast average is above the slow one, short (futures) or flat (spot) below.

use super::registry::BuildError;
use super::{Awaited, Condition, Context, IndicatorHandle, Setup, SetupError, Stops, Strategy, StrategySpec};
use crate::domain::event::FEE_DECIMALS;
use crate::domain::order::{OrderState, OrderStatus};
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::wallet::START_DECIMALS;
use crate::domain::{DenyReason, InstrumentId, Market, OrderId, PlaceError, Price, Qty, Side};
use crate::market::{Bar, Top};

/// Its line in the registry.
pub const SPEC: StrategySpec = StrategySpec {
    name: "ma-cross",
    doc: "long while the fast moving average of closes is above the slow one; short below (futures) or flat (spot)",
    params: &[
        ParamSpec {
            name: "fast",
            doc: "bars of the fast average; less than slow",
            kind: ParamKind::Integer { min: 2, max: 10_000, default: 5 },
        },
        ParamSpec {
            name: "slow",
            doc: "bars of the slow average",
            kind: ParamKind::Integer { min: 3, max: 10_000, default: 20 },
        },
        ParamSpec {
            name: "qty",
            doc: "position size, in the base asset; where the strategy has sizing, that decides",
            kind: ParamKind::Decimal { min: "0.00000001", max: "1000000", default: "0.010" },
        },
        ParamSpec {
            name: "capital",
            doc: "in place of qty: all of this much of the quote asset and what it earned, at the price of the next \
                  quote after the cross (of bars: the next open), fees not set aside; 0 for qty, or sizing",
            kind: ParamKind::Decimal { min: "0", max: "10000000000", default: "0" },
        },
        ParamSpec {
            name: "stop_bps",
            doc: "protective stop below (above) the entry, hundredths of a per cent of the middle price, rounded up to \
                  the next unit of the price; 0 for none",
            kind: ParamKind::Integer { min: 0, max: 5_000, default: 50 },
        },
    ],
    build,
};

struct MaCross {
    instrument: InstrumentId,
    fast: IndicatorHandle,
    slow: IndicatorHandle,
    qty: Qty,
    /// All of it is traded, in the notional's units; none: `qty` is.
    capital: Option<i128>,
    /// Which side is to be taken at the next quote.
    pending: Option<bool>,
    stop_bps: i64,
    can_short: bool,
    was_above: Option<bool>,
    /// The order by which a position that the averages are against was to be closed last.
    closing: Option<OrderId>,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    let (fast, slow) = (setup.params.integer("fast"), setup.params.integer("slow"));
    if fast >= slow {
        return Err(SetupError::Parameters("fast must be less than slow").into());
    }
    let definition = setup.table.get(instrument);
    let capital = i128::from(setup.params.decimal("capital", START_DECIMALS)?);
    let capital = rescaled(capital, START_DECIMALS, definition.notional_decimals());
    let qty = match capital {
        0 => setup.qty("qty", instrument)?,
        _ => Qty::ZERO,
    };
    let stop_bps = setup.params.integer("stop_bps");
    // What trades all of its capital asks for no size.
    if capital == 0 {
        setup.size_entries(if stop_bps > 0 { Stops::Given } else { Stops::None });
    }
    Ok(Box::new(MaCross {
        capital: (capital > 0).then_some(capital),
        pending: None,
        instrument,
        qty,
        stop_bps,
        can_short: definition.market != Market::Spot,
        fast: setup.indicator(instrument, "sma", &[fast])?,
        slow: setup.indicator(instrument, "sma", &[slow])?,
        was_above: None,
        closing: None,
    }))
}

/// An amount with `from` decimals in units with `to`, rounded down.
fn rescaled(amount: i128, from: u8, to: u8) -> i128 {
    let power = |decimals: u8| 10i128.saturating_pow(u32::from(decimals));
    if to >= from { amount.saturating_mul(power(to - from)) } else { amount.div_euclid(power(from - to)) }
}

/// So many ten-thousandths of a price, rounded up: whatever the price, a distance is never none, and never less than
/// was asked for.
fn bps_up(price: Price, bps: i64) -> i64 {
    // The product needs 128 bits; of less than 10,000 ten-thousandths the quotient fits 64.
    let product = i128::from(price.0) * i128::from(bps);
    i64::try_from(-(-product).div_euclid(10_000)).unwrap_or(i64::MAX)
}

impl MaCross {
    /// How much to hold, long where `up`: by the strategy's sizing, or else the parameter.
    fn size(&self, ctx: &mut Context<'_>, up: bool, top: &Top) -> Qty {
        let entry = if up { top.ask.price } else { top.bid.price };
        // What may not be risked is not: what is held is closed all the same.
        ctx.size_or(self.qty, self.instrument, entry, self.stop(up, top))
    }

    /// Where a fresh entry is left with a loss.
    fn stop(&self, up: bool, top: &Top) -> Option<Price> {
        if self.stop_bps == 0 {
            return None;
        }
        let away = bps_up(top.mid(), self.stop_bps);
        let stop =
            if up { top.bid.price.0.saturating_sub(away) } else { top.ask.price.0.saturating_add(away) };
        Some(Price(stop))
    }

    /// As much as capital and earnings buy at `price`, in whole lots.
    fn all_in(&self, ctx: &Context<'_>, capital: i128, price: Price) -> Qty {
        let (instrument, position) = (ctx.instrument(self.instrument), ctx.position(self.instrument));
        let fees = rescaled(position.fees.into(), FEE_DECIMALS, instrument.notional_decimals());
        let booked = position.realised.minus(position.fees_in_base);
        let worth = capital + booked.plus(position.unrealised(price)).0 - fees;
        let lot = i128::from(instrument.lot.0.max(1));
        let qty = worth.max(0) / i128::from(price.0.max(1)) / lot * lot;
        Qty(i64::try_from(qty).unwrap_or(i64::MAX))
    }

    /// A refusal is counted by the desk; the next cross tries again. The next bar does where nothing could be done yet: while
    /// a run is being warmed up, it begins on the side that the averages then say.
    fn tried(&mut self, gone: Result<bool, PlaceError>) {
        if matches!(gone, Ok(false) | Err(PlaceError::WarmingUp)) {
            self.was_above = None;
        }
    }

    /// Goes long by what `size` gives where `up`, short by it or flat otherwise, in one order. False where that has to wait:
    /// one is still under way, or there is no book to go by.
    fn go(
        &mut self,
        ctx: &mut Context<'_>,
        up: bool,
        size: impl FnOnce(&Self, &mut Context<'_>, &Top) -> Qty,
    ) -> Result<bool, PlaceError> {
        if ctx.open_orders(self.instrument).next().is_some() {
            return Ok(false);
        }
        let Some(top) = ctx.quote(self.instrument) else { return Ok(false) };
        let target = match (up, self.can_short) {
            (true, _) => size(self, ctx, &top),
            (false, true) => -size(self, ctx, &top),
            (false, false) => Qty::ZERO,
        };
        let held = ctx.position_in_lots(self.instrument);
        let change = target.0 - held.0;
        if change == 0 {
            return Ok(true);
        }
        let order = if change > 0 {
            ctx.buy(self.instrument, Qty(change)).at_market()
        } else {
            ctx.sell(self.instrument, Qty(-change)).at_market()
        };
        if (held.0 > 0) != (change > 0) && change.abs() <= held.0.abs() {
            // It says so: what is stopped, closed or at its limit may still be left.
            self.closing = Some(order.reduce_only().send()?);
            return Ok(true);
        }
        let order = order.send()?;
        // What is bought beyond what was short, or sold beyond what was long, is an entry; so is the whole of it from flat.
        if target.0 != 0
            && let Some(stop) = self.stop(up, &top)
        {
            ctx.protect(order).stop_at(stop).arm()?;
        }
        Ok(true)
    }
}

impl Strategy for MaCross {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _bar: &Bar) {
        let (Some(fast), Some(slow)) = (ctx.indicator(self.fast), ctx.indicator(self.slow)) else { return };
        let above = fast[0] > slow[0];
        if self.was_above.replace(above) == Some(above) {
            return;
        }
        if self.capital.is_some() {
            // It is done at the next quote, which does not know any more that the bar was old.
            if ctx.is_of_before() {
                self.was_above = None;
            } else {
                self.pending = Some(above);
            }
            return;
        }
        let gone = self.go(ctx, above, |this, ctx, top| this.size(ctx, above, top));
        self.tried(gone);
    }

    /// A turn from one side to the other that is denied, or that the venue does not take, leaves a position that the averages
    /// are against: it is closed. Where that is not taken either, or not for all of it, the next bar goes by the averages again.
    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        let of = &order.order;
        let ended = order.status.is_final() && order.status != OrderStatus::Filled;
        if (denied.is_none() && !ended) || of.instrument != self.instrument {
            return;
        }
        if self.closing == Some(of.id) {
            self.was_above = None;
        }
        if of.reduce_only {
            return;
        }
        let held = ctx.position_in_lots(self.instrument);
        let closing = match (of.side, held.0) {
            (Side::Sell, 1..) => ctx.sell(self.instrument, held).at_market().reduce_only().send(),
            (Side::Buy, ..0) => ctx.buy(self.instrument, held.abs()).at_market().reduce_only().send(),
            _ => return,
        };
        self.closing = closing.ok();
    }

    fn heeds_quotes(&self) -> bool {
        self.pending.is_some()
    }

    fn awaits(&self, _instrument: InstrumentId, _held: Qty) -> Awaited {
        match self.was_above {
            Some(true) => Awaited::when(Condition::not_above(self.fast, self.slow)),
            Some(false) => Awaited::when(Condition::above(self.fast, self.slow)),
            None => Awaited::ANY_BAR,
        }
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        let (Some(capital), Some(above)) = (self.capital, self.pending) else { return };
        if !top.is_two_sided() || ctx.open_orders(self.instrument).next().is_some() {
            return;
        }
        self.pending = None;
        let price = if above { top.ask.price } else { top.bid.price };
        let gone = self.go(ctx, above, |this, ctx, _| this.all_in(ctx, capital, price));
        self.tried(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentTable, Level, StrategyId, Time};
    use crate::strategy::context::View;
    use crate::strategy::desk::Desk;

    fn at(bid: i64, ask: i64) -> Top {
        Top { bid: Level::new(bid, 1), ask: Level::new(ask, 1), valid: true }
    }

    fn with(stop_bps: i64) -> MaCross {
        MaCross {
            instrument: InstrumentId(0),
            fast: IndicatorHandle(0),
            slow: IndicatorHandle(1),
            qty: Qty(1),
            capital: None,
            pending: None,
            stop_bps,
            can_short: true,
            was_above: None,
            closing: None,
        }
    }

    /// A bar that nothing is read of: the averages are given.
    fn closed() -> Bar {
        let (instrument, price) = (InstrumentId(0), Price(100));
        let (start, volume) = (Time(0), Qty(1));
        Bar { instrument, start, open: price, high: price, low: price, close: price, volume, trades: 1 }
    }

    #[test]
    fn a_stop_is_as_far_from_a_small_price_as_from_a_large_one() {
        for (bid, ask, bps, below, above) in [
            // 50 hundredths of a per cent of a price of few units, of some, and of many.
            (7, 8, 50, 6, 9),
            (2_345, 2_345, 50, 2_333, 2_357),
            (9_999, 9_999, 100, 9_899, 10_099),
            (9_999, 10_001, 50, 9_949, 10_051),
            (12_000, 12_000, 50, 11_940, 12_060),
            (6_000_010, 6_000_010, 50, 5_970_009, 6_030_011),
            // The largest price there is, by the widest stop.
            (i64::MAX - 1, i64::MAX - 1, 5_000, i64::MAX / 2, i64::MAX),
        ] {
            let cross = with(bps);
            let top = at(bid, ask);
            assert_eq!(cross.stop(true, &top), Some(Price(below)), "{bps} below {bid}");
            assert_eq!(cross.stop(false, &top), Some(Price(above)), "{bps} above {ask}");
        }
        assert_eq!(with(0).stop(true, &at(7, 8)), None);
    }

    #[test]
    fn a_cross_that_nothing_could_be_done_about_is_not_lost() {
        let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one instrument");
        let (mut view, mut desk) = (View::new(&table, 2), Desk::new(StrategyId(0), 1));
        let mut cross = with(0);
        let mut bar = |view: &mut View, desk: &mut Desk, fast: f64, valid: bool| {
            view.values = vec![Some([fast, 0.0, 0.0]), Some([5.0, 0.0, 0.0])];
            view.tops[0] = Top { valid, ..at(100, 101) };
            cross.on_bar(&mut Context { view, desk }, &closed());
            desk.take_intents().filter_map(|i| i.new_order().map(|o| o.side)).collect::<Vec<_>>()
        };
        assert_eq!(bar(&mut view, &mut desk, 6.0, true), [Side::Buy]);
        // It is still under way, or the book cannot be trusted: the averages have turned all the same.
        assert_eq!(bar(&mut view, &mut desk, 4.0, true), []);
        desk.state.orders.clear();
        desk.state.positions[0].qty = Qty(1);
        assert_eq!(bar(&mut view, &mut desk, 4.0, false), []);
        assert_eq!(bar(&mut view, &mut desk, 4.0, true), [Side::Sell]);
        assert_eq!(bar(&mut view, &mut desk, 4.0, true), [], "once");
    }

    #[test]
    fn all_of_the_capital_waits_for_a_bar_of_the_run_itself() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let (mut view, mut desk) = (View::new(&table, 2), Desk::new(StrategyId(0), 1));
        let mut cross = MaCross { capital: Some(1_000_000_000), can_short: false, ..with(0) };
        let top = at(100, 101);
        view.tops[0] = top;
        view.values = vec![Some([6.0, 0.0, 0.0]), Some([5.0, 0.0, 0.0])];
        for (trades_from, orders) in [(View::NEVER, 0), (View::NEVER, 0), (Time(0), 1)] {
            view.trades_from = trades_from;
            cross.on_bar(&mut Context { view: &view, desk: &mut desk }, &closed());
            view.trades_from = Time(0);
            cross.on_quote(&mut Context { view: &view, desk: &mut desk }, InstrumentId(0), &top);
            assert_eq!(desk.take_intents().filter(|intent| intent.new_order().is_some()).count(), orders);
        }
    }

    #[test]
    fn a_close_that_the_venue_does_not_take_is_asked_for_at_the_next_bar() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let (mut view, mut desk) = (View::new(&table, 2), Desk::new(StrategyId(0), 1));
        let mut cross = MaCross { can_short: false, was_above: Some(true), ..with(0) };
        view.tops[0] = at(100, 101);
        view.values = vec![Some([4.0, 0.0, 0.0]), Some([5.0, 0.0, 0.0])];
        desk.state.positions[0].qty = Qty(2);
        for ended in [OrderStatus::Rejected, OrderStatus::Expired, OrderStatus::Filled] {
            cross.on_bar(&mut Context { view: &view, desk: &mut desk }, &closed());
            let asked: Vec<_> = desk.take_intents().filter_map(|i| i.new_order().copied()).collect();
            assert!(
                matches!(asked[..], [order] if order.side == Side::Sell && order.reduce_only),
                "{asked:?}"
            );
            let mut state = desk.state.orders.pop().expect("it is live");
            for status in [OrderStatus::Open, ended] {
                state.status = status;
                cross.on_order(&mut Context { view: &view, desk: &mut desk }, &state, None);
            }
        }
        cross.on_bar(&mut Context { view: &view, desk: &mut desk }, &closed());
        assert_eq!(desk.take_intents().count(), 0, "it was closed");
    }
}
