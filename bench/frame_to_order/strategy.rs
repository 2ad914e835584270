//! A strategy that answers every event with an order, and the average that it and the peer follow.

use algo_trader::domain::event::Trade;
use algo_trader::domain::{InstrumentId, Price, Qty, Time};
use algo_trader::market::Top;
use algo_trader::market::book::Book;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};

/// Quantity of every order, units of 10^-3 of the base asset.
pub const QTY_MILLIS: i64 = 10;

/// An exponential average of the middle price.
#[derive(Debug, Clone, Copy, Default)]
pub struct Average(f64);

impl Average {
    /// Over some 20 values.
    const WEIGHT: f64 = 2.0 / 21.0;

    /// Takes one more middle price in.
    #[inline]
    pub fn add(&mut self, middle: f64) {
        self.0 = if self.0 == 0.0 { middle } else { self.0 + Self::WEIGHT * (middle - self.0) };
    }

    /// Whether there is one yet.
    #[inline]
    pub fn is_known(self) -> bool {
        self.0 > 0.0
    }

    /// 1 % below, on a tick: far from anything that would trade.
    #[inline]
    pub fn bid(self, tick: i64) -> Price {
        Price((self.0 * 0.99) as i64 / tick * tick)
    }
}

/// What a run is given.
pub static SPECS: &[StrategySpec] =
    &[StrategySpec { name: "every-event", doc: "orders at every event", params: &[], build }];

/// One instrument's state.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    average: Average,
    tick: i64,
    qty: Qty,
    ordered_at: Time,
}

struct EveryEvent {
    states: Vec<State>,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    // Depth that leaves the touch alone is an event too.
    setup.want_book();
    let state = |i: &algo_trader::domain::Instrument| State {
        tick: i.tick.0,
        qty: Qty(QTY_MILLIS * 10i64.pow(u32::from(i.qty_decimals).saturating_sub(3))),
        ..State::default()
    };
    Ok(Box::new(EveryEvent { states: setup.table.all().iter().map(state).collect() }))
}

impl EveryEvent {
    #[inline]
    fn order(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId) {
        let state = &mut self.states[instrument.index()];
        // A depth event that moves the touch calls twice: one order an event is enough.
        if !state.average.is_known() || state.ordered_at == ctx.now() || ctx.quote(instrument).is_none() {
            return;
        }
        state.ordered_at = ctx.now();
        let (qty, price) = (state.qty, state.average.bid(state.tick));
        // A refusal is counted by the desk, and told in the end.
        let _ = ctx.buy(instrument, qty).at_limit(price).immediate_or_cancel().send();
    }
}

impl Strategy for EveryEvent {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        if top.is_two_sided() {
            self.states[instrument.index()].average.add(top.mid().0 as f64);
        }
        self.order(ctx, instrument);
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.order(ctx, trade.instrument);
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, _book: &Book) {
        self.order(ctx, instrument);
    }
}
