//! Moving-average cross: long while the fast average is above the slow one, short (futures) or flat (spot) below.

use super::registry::BuildError;
use super::{Context, IndicatorHandle, Setup, SetupError, Strategy, StrategySpec};
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::{InstrumentId, Market, PlaceError, Price, Qty};
use crate::market::Bar;

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
            doc: "position size, in the base asset",
            kind: ParamKind::Decimal { min: "0.00000001", max: "1000000", default: "0.010" },
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
    Ok(Box::new(MaCross {
        instrument,
        qty: Qty(setup.params.decimal("qty", definition.qty_decimals)?),
        stop_bps: setup.params.integer("stop_bps"),
        can_short: definition.market != Market::Spot,
        fast: setup.indicator(instrument, "sma", &[fast])?,
        slow: setup.indicator(instrument, "sma", &[slow])?,
        was_above: None,
    }))
}

impl MaCross {
    /// Goes to `target` in one order, unless one is still under way.
    fn go_to(&self, ctx: &mut Context<'_>, target: Qty) -> Result<(), PlaceError> {
        if ctx.open_orders(self.instrument).next().is_some() {
            return Ok(());
        }
        let held = ctx.position_in_lots(self.instrument);
        let change = target.0 - held.0;
        if change == 0 {
            return Ok(());
        }
        let Some(top) = ctx.quote(self.instrument) else { return Ok(()) };
        let order = if change > 0 {
            ctx.buy(self.instrument, Qty(change)).at_market().send()?
        } else {
            ctx.sell(self.instrument, Qty(-change)).at_market().send()?
        };
        // Only a fresh entry is protected: what closes a position needs no stop.
        if self.stop_bps > 0 && target.0 != 0 && held.0 == 0 {
            let away = top.mid().0 / 10_000 * self.stop_bps;
            let stop = if target.0 > 0 { top.bid.price.0 - away } else { top.ask.price.0 + away };
            ctx.protect(order).stop_at(Price(stop)).arm()?;
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
        let target = match (above, self.can_short) {
            (true, _) => self.qty,
            (false, true) => -self.qty,
            (false, false) => Qty::ZERO,
        };
        // A refusal is counted by the desk; the next cross tries again.
        let _ = self.go_to(ctx, target);
    }
}
