//! Moving-average cross: long while the fast average is above the slow one, short (futures) or flat (spot) below.

use super::registry::BuildError;
use super::{Context, IndicatorHandle, Setup, SetupError, Stops, Strategy, StrategySpec};
use crate::domain::event::FEE_DECIMALS;
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::wallet::START_DECIMALS;
use crate::domain::{InstrumentId, Market, PlaceError, Price, Qty};
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
            doc: "protective stop below (above) the entry, hundredths of a per cent; 0 for none",
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
        0 => setup.params.decimal("qty", definition.qty_decimals)?,
        _ => 0,
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
        qty: Qty(qty),
        stop_bps,
        can_short: definition.market != Market::Spot,
        fast: setup.indicator(instrument, "sma", &[fast])?,
        slow: setup.indicator(instrument, "sma", &[slow])?,
        was_above: None,
    }))
}

/// An amount with `from` decimals in units with `to`, rounded down.
fn rescaled(amount: i128, from: u8, to: u8) -> i128 {
    let power = |decimals: u8| 10i128.saturating_pow(u32::from(decimals));
    if to >= from { amount.saturating_mul(power(to - from)) } else { amount.div_euclid(power(from - to)) }
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
        let away = top.mid().0 / 10_000 * self.stop_bps;
        let stop = if up { top.bid.price.0 - away } else { top.ask.price.0 + away };
        (self.stop_bps > 0).then_some(Price(stop))
    }

    /// As much as capital and earnings buy at `price`, in whole lots.
    fn all_in(&self, ctx: &Context<'_>, capital: i128, price: Price) -> Qty {
        let (instrument, position) = (ctx.instrument(self.instrument), ctx.position(self.instrument));
        let fees = rescaled(position.fees.into(), FEE_DECIMALS, instrument.notional_decimals());
        let worth = capital + position.realised.0 + position.unrealised(price).0 - fees;
        let lot = i128::from(instrument.lot.0.max(1));
        let qty = worth.max(0) / i128::from(price.0.max(1)) / lot * lot;
        Qty(i64::try_from(qty).unwrap_or(i64::MAX))
    }

    /// Goes long by what `size` gives where `up`, short by it or flat otherwise, in one order, unless one is still under
    /// way.
    fn go(
        &self,
        ctx: &mut Context<'_>,
        up: bool,
        size: impl FnOnce(&Self, &mut Context<'_>, &Top) -> Qty,
    ) -> Result<(), PlaceError> {
        if ctx.open_orders(self.instrument).next().is_some() {
            return Ok(());
        }
        let Some(top) = ctx.quote(self.instrument) else { return Ok(()) };
        let target = match (up, self.can_short) {
            (true, _) => size(self, ctx, &top),
            (false, true) => -size(self, ctx, &top),
            (false, false) => Qty::ZERO,
        };
        let held = ctx.position_in_lots(self.instrument);
        let change = target.0 - held.0;
        if change == 0 {
            return Ok(());
        }
        let order = if change > 0 {
            ctx.buy(self.instrument, Qty(change)).at_market().send()?
        } else {
            ctx.sell(self.instrument, Qty(-change)).at_market().send()?
        };
        // Only a fresh entry is protected: what closes a position needs no stop.
        if target.0 != 0
            && held.0 == 0
            && let Some(stop) = self.stop(up, &top)
        {
            ctx.protect(order).stop_at(stop).arm()?;
        }
        Ok(())
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
            self.pending = Some(above);
            return;
        }
        // A refusal is counted by the desk; the next cross tries again.
        let _ = self.go(ctx, above, |this, ctx, top| this.size(ctx, above, top));
    }

    fn heeds_quotes(&self) -> bool {
        self.pending.is_some()
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        let (Some(capital), Some(above)) = (self.capital, self.pending) else { return };
        if !top.is_two_sided() || ctx.open_orders(self.instrument).next().is_some() {
            return;
        }
        self.pending = None;
        let price = if above { top.ask.price } else { top.bid.price };
        let _ = self.go(ctx, above, |this, ctx, _| this.all_in(ctx, capital, price));
    }
}
