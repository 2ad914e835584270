//! Mean reversion: buys what RSI calls oversold below the lower Bollinger band, leaves at the middle band; the mirror
//! image for what may be sold short.

use super::registry::BuildError;
use super::{
    Awaited, Condition, Context, IndicatorHandle, Measured, Setup, SetupError, Stops, Strategy, StrategySpec,
};
use crate::domain::decimal::POW10;
use crate::domain::params::{ParamKind, ParamSpec};
use crate::domain::{InstrumentId, Market, PlaceError, Qty, Side};
use crate::market::{Bar, Top};

/// Its line in the registry.
pub const SPEC: StrategySpec = StrategySpec {
    name: "rsi-reversion",
    doc: "buys below the lower Bollinger band while RSI says oversold, leaves at the middle band; mirrored for shorts",
    params: &[
        ParamSpec {
            name: "rsi_period",
            doc: "bars of RSI",
            kind: ParamKind::Integer { min: 2, max: 10_000, default: 14 },
        },
        ParamSpec {
            name: "oversold",
            doc: "RSI below which to buy; less than overbought",
            kind: ParamKind::Float { min: 0.0, max: 100.0, default: 30.0 },
        },
        ParamSpec {
            name: "overbought",
            doc: "RSI above which to sell short (futures)",
            kind: ParamKind::Float { min: 0.0, max: 100.0, default: 70.0 },
        },
        ParamSpec {
            name: "bb_period",
            doc: "bars of the Bollinger bands",
            kind: ParamKind::Integer { min: 2, max: 10_000, default: 20 },
        },
        ParamSpec {
            name: "bb_deviations",
            doc: "standard deviations from the middle band to the others; in thousandths at the finest",
            kind: ParamKind::Float { min: 0.1, max: 10.0, default: 2.0 },
        },
        ParamSpec {
            name: "qty",
            doc: "position size, in the base asset; where the strategy has sizing, that decides",
            kind: ParamKind::Decimal { min: "0.00000001", max: "1000000", default: "0.100" },
        },
    ],
    build,
};

struct RsiReversion {
    instrument: InstrumentId,
    rsi: IndicatorHandle,
    bands: IndicatorHandle,
    oversold: f64,
    overbought: f64,
    qty: Qty,
    price_unit: f64,
    can_short: bool,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    let (oversold, overbought) = (setup.params.float("oversold"), setup.params.float("overbought"));
    if oversold >= overbought {
        return Err(SetupError::Parameters("oversold must be less than overbought").into());
    }
    setup.size_entries(Stops::None);
    let deviations = (setup.params.float("bb_deviations") * 1_000.0).round() as i64;
    let definition = setup.table.get(instrument);
    Ok(Box::new(RsiReversion {
        instrument,
        oversold,
        overbought,
        qty: setup.qty("qty", instrument)?,
        price_unit: 1.0 / POW10[usize::from(definition.price_decimals)] as f64,
        can_short: definition.market != Market::Spot,
        rsi: setup.indicator(instrument, "rsi", &[setup.params.integer("rsi_period")])?,
        bands: setup.indicator(instrument, "bollinger", &[setup.params.integer("bb_period"), deviations])?,
    }))
}

impl RsiReversion {
    fn decide(
        &self,
        ctx: &mut Context<'_>,
        top: &Top,
        close: f64,
        rsi: f64,
        bands: [f64; 3],
    ) -> Result<(), PlaceError> {
        let [upper, middle, lower] = bands;
        let held = ctx.position_in_lots(self.instrument).0;
        if held > 0 && close >= middle {
            ctx.sell(self.instrument, Qty(held)).at_market().reduce_only().send()?;
        } else if held < 0 && close <= middle {
            ctx.buy(self.instrument, Qty(-held)).at_market().reduce_only().send()?;
        } else if held == 0 && rsi < self.oversold && close < lower {
            self.enter(ctx, Side::Buy, top)?;
        } else if held == 0 && self.can_short && rsi > self.overbought && close > upper {
            self.enter(ctx, Side::Sell, top)?;
        }
        Ok(())
    }

    /// Takes a position, by the strategy's sizing or else the parameter, unless that allows nothing.
    fn enter(&self, ctx: &mut Context<'_>, side: Side, top: &Top) -> Result<(), PlaceError> {
        let entry = if side == Side::Buy { top.ask.price } else { top.bid.price };
        let qty = ctx.size_or(self.qty, self.instrument, entry, None);
        if qty == Qty::ZERO {
            return Ok(());
        }
        let order = match side {
            Side::Buy => ctx.buy(self.instrument, qty),
            Side::Sell => ctx.sell(self.instrument, qty),
        };
        order.at_market().send().map(drop)
    }
}

impl Strategy for RsiReversion {
    fn heeds_quotes(&self) -> bool {
        false
    }

    fn awaits(&self, _instrument: InstrumentId, held: Qty) -> Awaited {
        // What is held in less than a lot counts as nothing held, so entries are waited for in any case.
        let middle = Measured::Output(self.bands, 1);
        let entries = Awaited::when(Condition::above(self.oversold, self.rsi))
            .or(Condition::above(self.rsi, self.overbought));
        match held.0 {
            0 => entries,
            held if held > 0 => entries.or(Condition::not_above(middle, Measured::Close)),
            _ => entries.or(Condition::not_above(Measured::Close, middle)),
        }
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let (Some(rsi), Some(bands)) = (ctx.indicator(self.rsi), ctx.indicator(self.bands)) else { return };
        let Some(top) = ctx.quote(self.instrument) else { return };
        if ctx.open_orders(self.instrument).next().is_some() {
            return;
        }
        let close = bar.close.0 as f64 * self.price_unit;
        // A refusal is counted by the desk; the next bar decides anew.
        let _ = self.decide(ctx, &top, close, rsi[0], bands);
    }
}
