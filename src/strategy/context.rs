//! The context: everything a strategy may see and do, in words that read as what they mean.

use super::IndicatorHandle;
use super::desk::{Desk, Wanted};
use super::manager::{Protection, Terms, Trail};
use super::stopped::Stopped;
use crate::domain::event::{MarketRules, Rules};
use crate::domain::order::OrderState;
use crate::domain::{
    Extras, Instrument, InstrumentId, InstrumentTable, Order, OrderId, OrderKind, Pauses, PlaceError,
    Position, Price, Qty, Side, Time, TimeInForce,
};
use crate::market::{Top, message::Values};
use crate::venue::NativeForms;
use crate::venue::binance::filters::Filters;
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
    /// Which instruments are held back, and by whom.
    pub paused: Pauses,
    /// What a kill stopped.
    pub stopped: Stopped,
    /// Instruments that are known by their bars alone. What is triggered within one of those leaves at its own price,
    /// by an order that says so: conditional, and immediate or cancel.
    pub bars: Vec<bool>,
    /// What each instrument's venue holds itself; the order manager holds the rest.
    pub forms: Vec<NativeForms>,
    /// By which orders are rounded before anybody sees them; empty: they are not.
    pub rounding: Vec<Filters>,
    /// The largest market order that each instrument's venue takes, where it takes less than of others; empty: it does not.
    pub market_max: Vec<Qty>,
    /// Until then the market is only watched, and no order made; [`NEVER`](Self::NEVER) at what is of before the run.
    pub trades_from: Time,
}

impl View {
    /// No moment at which anything is traded.
    pub const NEVER: Time = Time(u64::MAX);

    /// Nothing seen yet. `indicators` is how many indicator slots the run has.
    #[must_use]
    pub fn new(table: &InstrumentTable, indicators: usize) -> Self {
        Self {
            table: table.clone(),
            tops: vec![Top::default(); table.len()],
            values: vec![None; indicators],
            now: Time(0),
            seq: 0,
            paused: Pauses::new(table),
            stopped: Stopped::new(table),
            bars: vec![false; table.len()],
            forms: vec![NativeForms::NONE; table.len()],
            rounding: Vec::new(),
            market_max: Vec::new(),
            trades_from: Time(0),
        }
    }

    /// Takes changed rules of an instrument over.
    pub fn change(&mut self, rules: &Rules) {
        self.table.change(rules);
        if let Some(filters) = self.rounding.get_mut(rules.instrument.index()) {
            filters.change(rules);
        }
    }

    /// Takes over what an instrument's venue takes at the market.
    pub fn change_market(&mut self, rules: &MarketRules) {
        let index = rules.instrument.index();
        if let Some(filters) = self.rounding.get_mut(index) {
            filters.change_market(rules);
        }
        if let Some(max) = self.market_max.get_mut(index) {
            *max = if rules.max_qty.0 == 0 { Qty(i64::MAX) } else { rules.max_qty };
        }
    }

    /// The largest order of this kind.
    #[must_use]
    pub fn largest(&self, instrument: InstrumentId, kind: OrderKind) -> Qty {
        let of_any = self.table.get(instrument).max_qty;
        let at_market = self.market_max.get(instrument.index()).filter(|_| kind == OrderKind::Market);
        at_market.map_or(of_any, |max| of_any.min(*max))
    }

    /// The top of book, as it is known.
    #[inline]
    #[must_use]
    pub fn top(&self, instrument: InstrumentId) -> Top {
        self.tops.get(instrument.index()).copied().unwrap_or_default()
    }

    /// Whether anybody holds the instrument back.
    #[inline]
    #[must_use]
    pub fn is_paused(&self, instrument: InstrumentId) -> bool {
        self.paused.is_paused(instrument)
    }

    /// Whether this order has to wait: nothing can be sent, or the instrument is paused and it does not reduce.
    #[inline]
    #[must_use]
    pub fn holds_back(&self, order: &Order) -> bool {
        self.paused.is_suspended(order.instrument)
            || (self.paused.is_paused(order.instrument) && !order.reduce_only)
    }

    /// Whether the instrument is known by its bars alone.
    #[inline]
    #[must_use]
    pub fn is_of_bars(&self, instrument: InstrumentId) -> bool {
        self.bars.get(instrument.index()).copied().unwrap_or_default()
    }

    /// What the instrument's venue holds itself.
    #[inline]
    #[must_use]
    pub fn forms(&self, instrument: InstrumentId) -> NativeForms {
        self.forms.get(instrument.index()).copied().unwrap_or_default()
    }

    /// The top of book as strategies see it: not to be trusted while the instrument is paused.
    #[inline]
    #[must_use]
    pub fn shown(&self, instrument: InstrumentId) -> Top {
        let top = self.top(instrument);
        Top { valid: top.valid && !self.is_paused(instrument), ..top }
    }
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

    /// Whether the bar that is handed over is of before the run, which the venue was asked for (`[market] fetch_bars`). It tells
    /// how the market came to be; a signal in it is old, however soon the next quote comes.
    #[must_use]
    pub fn is_of_before(&self) -> bool {
        self.view.trades_from == View::NEVER
    }

    /// What is known of an instrument: precision, tick, lot, fees.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> &Instrument {
        self.view.table.get(id)
    }

    /// The best bid and ask, if both are there, can be trusted, and the instrument is not paused.
    #[must_use]
    pub fn quote(&self, instrument: InstrumentId) -> Option<Top> {
        Some(self.view.shown(instrument)).filter(Top::is_two_sided)
    }

    /// An indicator's values, or `None` while it warms up.
    #[must_use]
    pub fn indicator(&self, handle: IndicatorHandle) -> Option<Values> {
        self.view.values.get(usize::from(handle.0)).copied().flatten()
    }

    /// This strategy's position.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Position {
        self.desk.state.positions.get(instrument.index()).copied().unwrap_or_default()
    }

    /// What of this strategy's position can be left: its whole lots. A fee that was taken from what was bought leaves
    /// less than a lot beside them.
    #[must_use]
    pub fn position_in_lots(&self, instrument: InstrumentId) -> Qty {
        self.view.table.get(instrument).whole_lots(self.position(instrument).qty)
    }

    /// This strategy's live orders of an instrument.
    pub fn open_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = &OrderState> {
        self.desk.state.orders.iter().filter(move |o| o.order.instrument == instrument)
    }

    /// Begins a buy order: `ctx.buy(btc, qty).at_limit(price).send()`.
    pub fn buy(&mut self, instrument: InstrumentId, qty: Qty) -> OrderRequest<'_, 'a> {
        OrderRequest::new(self, instrument, Side::Buy, qty)
    }

    /// Begins a sell order: `ctx.sell(btc, qty).at_market().send()`.
    pub fn sell(&mut self, instrument: InstrumentId, qty: Qty) -> OrderRequest<'_, 'a> {
        OrderRequest::new(self, instrument, Side::Sell, qty)
    }

    /// Takes an order back; of two that the venue holds as one list it takes both.
    ///
    /// # Errors
    /// [`PlaceError`] where there is no such live order, or too much was asked in this event.
    pub fn cancel(&mut self, order: OrderId) -> Result<(), PlaceError> {
        self.desk.cancel(self.view, order)
    }

    /// Has two orders cancel each other: when one trades or is triggered, the other is taken back, and what one has
    /// filled the other fills no more.
    ///
    /// At most one of them may be with the venue, since of two that rest there both can trade before a cancel arrives;
    /// so at least one is a stop, a take-profit or trails, and is held here until it is triggered. Of orders on one side
    /// both are for the same quantity. One that ends without trading leaves the other in force.
    ///
    /// A venue that has such lists holds the pair itself, in force even where this process is not, if both were asked for
    /// in this event, on the same side, for the same quantity, good till cancelled, showing all: the one post-only or a
    /// take-profit, the other a stop. It is then as the venue has it: the first trade of the one, or its trigger, ends the
    /// other whole, and so does taking one back. Who wants what is left of a target that traded in part to keep its stop
    /// asks for the target without `post_only`: such a pair is held here.
    ///
    /// ```
    /// # use algo_trader::domain::{InstrumentId, PlaceError, Price, Qty};
    /// # use algo_trader::strategy::Context;
    /// # fn leave(ctx: &mut Context<'_>, btc: InstrumentId, held: Qty) -> Result<(), PlaceError> {
    /// let target = ctx.sell(btc, held).at_limit(Price(6_300_000)).post_only().send()?;
    /// let stop = ctx.sell(btc, held).stop_at(Price(6_100_000)).send()?;
    /// ctx.one_cancels_other(target, stop)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PlaceError::NotLinkable`], [`PlaceError::UnknownOrder`], [`PlaceError::Stopped`], or too much was asked in this
    /// event.
    pub fn one_cancels_other(&mut self, a: OrderId, b: OrderId) -> Result<(), PlaceError> {
        self.desk.link(self.view, a, b)
    }

    /// Begins an entry with its exits: `ctx.bracket(btc, Side::Buy, qty).at_limit(p).stop_at(s).take_profit_at(t).send()`.
    ///
    /// What has filled of the entry, and is still open, is protected at all times: no more, no less.
    ///
    /// ```
    /// # use algo_trader::domain::{InstrumentId, OrderId, PlaceError, Price, Qty, Side};
    /// # use algo_trader::strategy::Context;
    /// # fn enter(ctx: &mut Context<'_>, btc: InstrumentId, qty: Qty) -> Result<OrderId, PlaceError> {
    /// ctx.bracket(btc, Side::Buy, qty)
    ///     .at_limit(Price(6_183_763))
    ///     .stop_at(Price(6_150_000))
    ///     .take_profit_at(Price(6_250_000))
    ///     .send()
    /// # }
    /// ```
    pub fn bracket(&mut self, instrument: InstrumentId, side: Side, qty: Qty) -> Bracket<'_, 'a> {
        Bracket { entry: OrderRequest::new(self, instrument, side, qty), terms: Terms::default() }
    }

    /// Begins to protect what an order fills, or to change how: `ctx.protect(id).stop_at(p).take_profit_at(q).arm()`.
    pub fn protect(&mut self, order: OrderId) -> Protect<'_, 'a> {
        Protect { ctx: self, order, terms: Terms::default() }
    }

    /// Gives the protection of an order up.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] where there is none.
    pub fn unprotect(&mut self, order: OrderId) -> Result<(), PlaceError> {
        self.desk.unprotect(self.view, order)
    }

    /// The protections in force: what is covered, and where it is left.
    #[must_use]
    pub fn protections(&self) -> &[Protection] {
        self.desk.state.manager.protections()
    }

    /// Asks for [`Strategy::on_timer`](super::Strategy::on_timer) once `delay` has passed, a microsecond at least; the
    /// number says which.
    ///
    /// # Errors
    /// [`PlaceError::TooManyTimers`].
    pub fn wake_after(&mut self, delay: Duration) -> Result<u64, PlaceError> {
        let at = self.view.now.plus(delay.max(WAKE_AFTER_MIN));
        self.desk.wake_at(at)
    }
}

/// A timer that sets the next one for now would never let time go on.
const WAKE_AFTER_MIN: Duration = Duration::from_micros(1);

/// An order being described.
///
/// ```
/// # use algo_trader::domain::{InstrumentId, PlaceError, Price, Qty};
/// # use algo_trader::strategy::Context;
/// # use std::time::Duration;
/// # fn some(ctx: &mut Context<'_>, btc: InstrumentId, qty: Qty) -> Result<(), PlaceError> {
/// ctx.buy(btc, qty).stop_at(Price(6_200_000)).send()?;
/// ctx.buy(btc, qty).stop_limit(Price(6_200_000), Price(6_201_000)).send()?;
/// ctx.sell(btc, qty).take_profit_at(Price(6_300_000)).send()?;
/// ctx.sell(btc, qty).trail_by_bps(50).reduce_only().send()?;
/// ctx.sell(btc, qty).at_limit(Price(6_250_000)).iceberg(Qty(10)).send()?;
/// let end_of_hour = ctx.now().plus(Duration::from_secs(3_600));
/// ctx.buy(btc, qty).at_limit(Price(6_100_000)).good_till(end_of_hour).send()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an order is placed only by send()"]
pub struct OrderRequest<'c, 'a> {
    ctx: &'c mut Context<'a>,
    wanted: Wanted,
    trail: Trail,
    good_till: Option<Time>,
    post_only: bool,
    /// Whether it was said at which price it is to trade: what was meant by a second way is not known.
    priced: bool,
    contradicts: bool,
    /// Whether a part of it is to show.
    iceberg: bool,
}

impl<'c, 'a> OrderRequest<'c, 'a> {
    fn new(ctx: &'c mut Context<'a>, instrument: InstrumentId, side: Side, qty: Qty) -> Self {
        let wanted = Wanted {
            instrument,
            side,
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            qty,
            price: Price(0),
            reduce_only: false,
            extras: Extras::NONE,
        };
        Self {
            ctx,
            wanted,
            trail: Trail::None,
            good_till: None,
            post_only: false,
            priced: false,
            contradicts: false,
            iceberg: false,
        }
    }

    fn kind(mut self, kind: OrderKind, stop: Price, limit: Price) -> Self {
        self.contradicts |= self.priced;
        self.priced = true;
        (self.wanted.kind, self.wanted.price, self.wanted.extras.stop_price) = (kind, limit, stop);
        self
    }

    /// At once, at the market's price (the default).
    pub fn at_market(self) -> Self {
        self.kind(OrderKind::Market, Price(0), Price(0))
    }

    /// At this price or better, resting until cancelled.
    pub fn at_limit(self, price: Price) -> Self {
        self.kind(OrderKind::Limit, Price(0), price)
    }

    /// At the market once a trade was as bad as `stop`: at or above it for a buy, at or below it for a sell.
    ///
    /// Where the last trade was that already, one that is held here, and any in a simulation, goes out with the next trade;
    /// a venue that holds stops itself may refuse it, as Binance does (−2010, it would trigger immediately).
    pub fn stop_at(self, stop: Price) -> Self {
        self.kind(OrderKind::Stop, stop, Price(0))
    }

    /// At `limit` or better once a trade was as bad as `stop`.
    pub fn stop_limit(self, stop: Price, limit: Price) -> Self {
        self.kind(OrderKind::StopLimit, stop, limit)
    }

    /// At the market once a trade was as good as `price`: at or below it for a buy, at or above it for a sell.
    pub fn take_profit_at(self, price: Price) -> Self {
        self.kind(OrderKind::TakeProfit, price, Price(0))
    }

    /// At `limit` or better once a trade was as good as `price`.
    pub fn take_profit_limit(self, price: Price, limit: Price) -> Self {
        self.kind(OrderKind::TakeProfitLimit, price, limit)
    }

    /// A stop that stays this many hundredths of a per cent behind the best trade from now on, at the market.
    pub fn trail_by_bps(mut self, bps: u16) -> Self {
        self = self.kind(OrderKind::Stop, Price(0), Price(0));
        self.wanted.extras.trailing_bps = bps;
        self
    }

    /// A stop that stays this far behind the best trade from now on, at the market. Always held by the order manager:
    /// venues trail by a part of the price.
    pub fn trail_by(mut self, distance: Price) -> Self {
        self = self.kind(OrderKind::Stop, Price(0), Price(0));
        self.trail = Trail::Distance(distance);
        self
    }

    /// Shows `shown` of it at a time.
    pub fn iceberg(mut self, shown: Qty) -> Self {
        self.wanted.extras.iceberg_qty = shown;
        self.iceberg = true;
        self
    }

    /// Takes it back at `time`, by the sequencer's clock: it then ends as cancelled, wherever it is.
    pub fn good_till(mut self, time: Time) -> Self {
        self.good_till = Some(time);
        self
    }

    /// Only if it rests: refused where it would trade at once. Of a limit order that stands until cancelled.
    pub fn post_only(mut self) -> Self {
        self.post_only = true;
        self
    }

    /// What trades at once; the rest is cancelled.
    pub fn immediate_or_cancel(self) -> Self {
        self.in_force(TimeInForce::Ioc)
    }

    /// All at once, or nothing.
    pub fn fill_or_kill(self) -> Self {
        self.in_force(TimeInForce::Fok)
    }

    fn in_force(mut self, tif: TimeInForce) -> Self {
        self.contradicts |= self.wanted.tif != TimeInForce::Gtc && self.wanted.tif != tif;
        self.wanted.tif = tif;
        self
    }

    /// Only to make the position smaller.
    ///
    /// Risk denies more than there is to reduce when the order goes out, with all that is on its way out by then. What rests
    /// on paper and in a backtest fills no more than there then is to reduce. Binance's spot market has no such orders: what
    /// rests there, a stop that it holds too, stays for what it was sent for, though the position shrinks otherwise
    /// meanwhile (by a plain sell, a commission in the base asset, a trade that is told late), and its next fill may sell
    /// what the account holds beside this position. It is not made smaller from here: it may trade before a cancel or a
    /// smaller order arrives, so nothing that is sent could promise it, and a stop that is taken back to be placed anew
    /// stops nothing in between. Who leaves by other orders takes it back first, or protects the entry
    /// ([`Context::bracket`], [`Context::protect`]): that is held here, and leaves with what is held when its price comes.
    pub fn reduce_only(mut self) -> Self {
        self.wanted.reduce_only = true;
        self
    }

    /// Sends the order to risk; its number is good for [`Context::cancel`] and [`Context::protect`] at once.
    ///
    /// What the venue does not hold itself is held by the order manager, and goes to risk when it is triggered.
    ///
    /// # Errors
    /// [`PlaceError`] where it cannot even be an intent; [`PlaceError::Stopped`] where it would wait here, does not only
    /// reduce, and a kill stops it.
    pub fn send(mut self) -> Result<OrderId, PlaceError> {
        let (wanted, trail) = self.wanted()?;
        let (view, desk) = (self.ctx.view, &mut *self.ctx.desk);
        let Some(time) = self.good_till else { return desk.place(view, &wanted, trail) };
        desk.want_room(3)?;
        let order = desk.place(view, &wanted, trail)?;
        desk.good_till(view, order, time)?;
        Ok(order)
    }

    /// What it comes to, in whatever order it was described.
    fn wanted(&mut self) -> Result<(Wanted, Trail), PlaceError> {
        if self.contradicts {
            return self.ctx.desk.refuse(PlaceError::Contradictory);
        }
        // What has a trigger comes when that says so, and is none that only rests.
        if self.post_only && self.wanted.kind.is_conditional() {
            return self.ctx.desk.refuse(PlaceError::BadTrigger);
        }
        // Elsewhere nothing that is to show means that all of it is.
        if self.iceberg && self.wanted.extras.iceberg_qty.0 <= 0 {
            return self.ctx.desk.refuse(PlaceError::BadIceberg);
        }
        let mut wanted = self.wanted;
        if self.post_only {
            wanted.kind = OrderKind::PostOnly;
        }
        Ok((wanted, self.trail))
    }
}

/// An entry and its exits being described.
#[must_use = "a bracket is placed only by send()"]
pub struct Bracket<'c, 'a> {
    entry: OrderRequest<'c, 'a>,
    terms: Terms,
}

impl Bracket<'_, '_> {
    /// Enter at the market's price (the default).
    pub fn at_market(mut self) -> Self {
        self.entry = self.entry.at_market();
        self
    }

    /// Enter at this price or better.
    pub fn at_limit(mut self, price: Price) -> Self {
        self.entry = self.entry.at_limit(price);
        self
    }

    /// Enter at the market once a trade was as bad as `price`: a breakout.
    pub fn at_breakout(mut self, price: Price) -> Self {
        self.entry = self.entry.stop_at(price);
        self
    }

    /// Give the entry up at `time`; what has filled stays protected.
    pub fn enter_by(mut self, time: Time) -> Self {
        self.entry = self.entry.good_till(time);
        self
    }

    /// Leave at the market when the touch is at this price or worse.
    pub fn stop_at(mut self, price: Price) -> Self {
        self.terms.stop = price;
        self
    }

    /// Leave at the market when the touch is this many hundredths of a per cent worse than the best trade since.
    pub fn trail_by_bps(mut self, bps: u16) -> Self {
        self.terms.trail = Trail::Bps(bps);
        self
    }

    /// Leave at the market when the touch is this much worse than the best trade since.
    pub fn trail_by(mut self, distance: Price) -> Self {
        self.terms.trail = Trail::Distance(distance);
        self
    }

    /// Leave at the market when the touch is at this price or better.
    pub fn take_profit_at(mut self, price: Price) -> Self {
        self.terms.take_profit = price;
        self
    }

    /// Sends the entry, protected from its first fill; its number is the bracket's.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing was sent then.
    pub fn send(mut self) -> Result<OrderId, PlaceError> {
        let (wanted, trail) = self.entry.wanted()?;
        let (view, terms) = (self.entry.ctx.view, self.terms);
        let desk = &mut *self.entry.ctx.desk;
        desk.want_room(4)?;
        if !terms.is_sound() {
            return desk.refuse(PlaceError::BadTrigger);
        }
        // It would fill at its limit or better, which is at the stop or beyond, and so be left at once.
        let limit = wanted.kind.has_limit().then_some(wanted.price);
        if !terms.leave_room(wanted.side, limit) {
            return desk.refuse(PlaceError::Contradictory);
        }
        // An entry that has found its place and no protection would be bare.
        if !desk.has_place_for_protection() {
            return desk.refuse(PlaceError::TooManyOpenOrders);
        }
        let good_till = self.entry.good_till;
        let order = desk.place(view, &wanted, trail)?;
        desk.protect(view, order, terms)?;
        if let Some(time) = good_till {
            desk.good_till(view, order, time)?;
        }
        Ok(order)
    }
}

/// A protection being described.
#[must_use = "a protection is in force only after arm()"]
pub struct Protect<'c, 'a> {
    ctx: &'c mut Context<'a>,
    order: OrderId,
    terms: Terms,
}

impl Protect<'_, '_> {
    /// Leave at the market when the touch is at this price or worse.
    pub fn stop_at(mut self, price: Price) -> Self {
        self.terms.stop = price;
        self
    }

    /// Leave at the market when the touch is this many hundredths of a per cent worse than the best trade since.
    pub fn trail_by_bps(mut self, bps: u16) -> Self {
        self.terms.trail = Trail::Bps(bps);
        self
    }

    /// Leave at the market when the touch is this much worse than the best trade since.
    pub fn trail_by(mut self, distance: Price) -> Self {
        self.terms.trail = Trail::Distance(distance);
        self
    }

    /// Leave at the market when the touch is at this price or better.
    pub fn take_profit_at(mut self, price: Price) -> Self {
        self.terms.take_profit = price;
        self
    }

    /// Puts it in force, in place of what protected the order before.
    ///
    /// # Errors
    /// [`PlaceError::UnknownOrder`] for an order that is neither live nor protected, [`PlaceError::BadTrigger`], and
    /// [`PlaceError::Contradictory`] where the stop would be reached before the target can be.
    pub fn arm(self) -> Result<(), PlaceError> {
        self.ctx.desk.protect(self.ctx.view, self.order, self.terms)
    }
}
