//! The context: everything a strategy may see and do, in words that read as what they mean.

use super::IndicatorHandle;
use super::desk::Desk;
use crate::domain::order::OrderState;
use crate::domain::{
    Instrument, InstrumentId, InstrumentTable, OrderId, OrderKind, PlaceError, Position, Price, Qty, Side,
    Time, TimeInForce,
};
use crate::market::{Top, message::Values};
use std::time::Duration;

/// What all strategies on a thread see alike.
#[derive(Debug)]
pub struct View {
    /// The instruments.
    pub table: InstrumentTable,
    /// Tops of book, by instrument.
    pub tops: Vec<Top>,
    /// Indicator values, by slot; `None` while one warms up.
    pub values: Vec<Option<Values>>,
    /// The sequencer's time.
    pub now: Time,
    /// The event being handled.
    pub seq: u64,
}

/// A strategy's hands and eyes during one call.
pub struct Context<'a> {
    pub(crate) view: &'a View,
    pub(crate) desk: &'a mut Desk,
}

impl<'a> Context<'a> {
    /// The time of this event, by the sequencer.
    #[must_use]
    pub fn now(&self) -> Time {
        self.view.now
    }

    /// What is known of an instrument: precision, tick, lot, fees.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> &Instrument {
        self.view.table.get(id)
    }

    /// The best bid and ask, if both are there and can be trusted.
    #[must_use]
    pub fn quote(&self, instrument: InstrumentId) -> Option<Top> {
        self.view.tops.get(instrument.index()).copied().filter(Top::is_two_sided)
    }

    /// An indicator's values, or `None` while it warms up.
    #[must_use]
    pub fn indicator(&self, handle: IndicatorHandle) -> Option<Values> {
        self.view.values.get(usize::from(handle.0)).copied().flatten()
    }

    /// This strategy's position.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.desk.positions.get(instrument.index()).copied().unwrap_or_default()
    }

    /// This strategy's live orders of an instrument.
    pub fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = &OrderState> {
        self.desk.orders.iter().filter(move |o| o.order.instrument == instrument)
    }

    /// Begins a buy order: `ctx.buy(btc, qty).at_limit(price).send()`.
    pub fn buy(&mut self, instrument: InstrumentId, qty: Qty) -> OrderRequest<'_, 'a> {
        OrderRequest::new(self, instrument, Side::Buy, qty)
    }

    /// Begins a sell order: `ctx.sell(btc, qty).at_market().send()`.
    pub fn sell(&mut self, instrument: InstrumentId, qty: Qty) -> OrderRequest<'_, 'a> {
        OrderRequest::new(self, instrument, Side::Sell, qty)
    }

    /// Takes an order back.
    ///
    /// # Errors
    /// [`PlaceError`] where there is no such live order, or too much was asked in this event.
    pub fn cancel(&mut self, order: OrderId) -> Result<(), PlaceError> {
        let reference = self
            .desk
            .orders
            .iter()
            .find(|o| o.order.id == order)
            .and_then(|o| self.view.tops.get(o.order.instrument.index()).copied())
            .unwrap_or_default();
        self.desk.cancel(self.view.seq, reference, order)
    }

    /// Begins to protect what an order fills: `ctx.protect(id).stop_at(p).take_profit_at(q).arm()`.
    pub fn protect(&mut self, order: OrderId) -> Protect<'_, 'a> {
        Protect { ctx: self, order, stop: None, take_profit: None }
    }

    /// Asks for [`Strategy::on_timer`](super::Strategy::on_timer) once `delay` has passed; the number says which.
    ///
    /// # Errors
    /// [`PlaceError::TooManyTimers`].
    pub fn wake_after(&mut self, delay: Duration) -> Result<u64, PlaceError> {
        let at = self.view.now.plus(delay);
        self.desk.wake_at(at)
    }
}

/// An order being described.
#[must_use = "an order is placed only by send()"]
pub struct OrderRequest<'c, 'a> {
    ctx: &'c mut Context<'a>,
    instrument: InstrumentId,
    side: Side,
    qty: Qty,
    kind: OrderKind,
    tif: TimeInForce,
    price: Price,
    reduce_only: bool,
}

impl<'c, 'a> OrderRequest<'c, 'a> {
    fn new(ctx: &'c mut Context<'a>, instrument: InstrumentId, side: Side, qty: Qty) -> Self {
        Self {
            ctx,
            instrument,
            side,
            qty,
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            price: Price(0),
            reduce_only: false,
        }
    }

    /// At once, at the market's price (the default).
    pub fn at_market(mut self) -> Self {
        self.kind = OrderKind::Market;
        self
    }

    /// At this price or better, resting until cancelled.
    pub fn at_limit(mut self, price: Price) -> Self {
        self.kind = OrderKind::Limit;
        self.price = price;
        self
    }

    /// Only if it rests: refused where it would trade at once.
    pub fn post_only(mut self) -> Self {
        self.kind = OrderKind::PostOnly;
        self
    }

    /// What trades at once; the rest is cancelled.
    pub fn immediate_or_cancel(mut self) -> Self {
        self.tif = TimeInForce::Ioc;
        self
    }

    /// All at once, or nothing.
    pub fn fill_or_kill(mut self) -> Self {
        self.tif = TimeInForce::Fok;
        self
    }

    /// Only to make the position smaller.
    pub fn reduce_only(mut self) -> Self {
        self.reduce_only = true;
        self
    }

    /// Sends the order to risk; its number is good for [`Context::cancel`] and [`Context::protect`] at once.
    ///
    /// # Errors
    /// [`PlaceError`] where it cannot even be an intent.
    pub fn send(self) -> Result<OrderId, PlaceError> {
        let view = self.ctx.view;
        let reference = view.tops.get(self.instrument.index()).copied().unwrap_or_default();
        self.ctx.desk.place(
            view.seq,
            reference,
            self.instrument,
            self.side,
            self.kind,
            self.tif,
            self.qty,
            self.price,
            self.reduce_only,
        )
    }
}

/// A protection being described.
#[must_use = "a protection is in force only after arm()"]
pub struct Protect<'c, 'a> {
    ctx: &'c mut Context<'a>,
    order: OrderId,
    stop: Option<Price>,
    take_profit: Option<Price>,
}

impl Protect<'_, '_> {
    /// Leave at the market when the touch is at this price or worse.
    pub fn stop_at(mut self, price: Price) -> Self {
        self.stop = Some(price);
        self
    }

    /// Leave at the market when the touch is at this price or better.
    pub fn take_profit_at(mut self, price: Price) -> Self {
        self.take_profit = Some(price);
        self
    }

    /// Puts it in force.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] where there is no such live order.
    pub fn arm(self) -> Result<(), PlaceError> {
        self.ctx.desk.protect(self.order, self.stop, self.take_profit)
    }
}
