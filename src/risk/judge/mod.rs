//! Who judges: the state that risk keeps of orders, positions and limits, and what it makes of an intent.

mod books;
mod lists;
mod stops;
#[cfg(test)]
mod tests;
mod unsent;

pub use stops::KILL_CANCELS_PER_EVENT_MAX;
use unsent::Unsent;

use crate::calendar::Hours;
use crate::domain::event::{Command, Denial, MarketRules, Rules};
use crate::domain::wallet::HOLDS_MAX;
use crate::domain::{
    DenyReason, Instrument, InstrumentId, InstrumentTable, Measure, Order, OrderKind, PausedBy, Pauses,
    Price, Qty, Scope, Side, Slot, StrategyId, Time, Wallets,
};
use crate::market::Top;
use crate::pipeline::{Answer, LaneSender};
use crate::risk::approved::Approved;
use crate::risk::exposure::{Exposure, Sum};
use crate::risk::limits::{OwnLimits, RiskLimits, Scale};
use crate::risk::live::{LiveOrder, LiveOrders};
use crate::risk::losses::Losses;
use crate::risk::rates::Sent;
use crate::risk::recent::{Habits, LastOrders};
use crate::risk::room;
use crate::risk::rule::{Case, Judged, Nobody, Refusal, RuleList, over, reference_price};
use crate::risk::setup::RiskSetup;
use crate::risk::stage::{Verdict, VerdictBody};
use crate::risk::switch::Switches;
use crate::risk::turned_away::TurnedAway;
use crate::risk::watch::{Switched, Unclosed, WatchSender};
use crate::strategy::{Action, Intent};
use crate::venue::binance::filters::{Filters, OpenCounts};

/// Most orders that can be live at once, over all strategies.
const LIVE_ORDERS_MAX: usize = 16_384;
// What is live has something locked, and nothing else has: there is room for each.
const _: () = assert!(LIVE_ORDERS_MAX <= HOLDS_MAX);

/// See the module; `R` are the rules that it runs.
pub(super) struct Judge<R> {
    pub table: InstrumentTable,
    limits: RiskLimits,
    own_limits: OwnLimits,
    pub verdicts: LaneSender<Verdict>,
    /// Absent when a journal is replayed: its denials are in the journal already.
    pub answers: Option<LaneSender<Answer>>,
    answer_delay_ns: u64,
    answer_count: u64,
    live: LiveOrders,
    exposure: Exposure,
    pub wallets: Wallets,
    sent: Vec<Sent>,
    sent_all: Sent,
    habits: Vec<Habits>,
    last_orders: Vec<LastOrders>,
    trades_today: Vec<u32>,
    losses: Losses,
    switches: Switches,
    halted: bool,
    paused: Pauses,
    /// The first order of a list, whose second comes next: they are judged together.
    first_leg: Option<Intent>,
    facts: Vec<Facts>,
    pub hours: Hours,
    pub filters: Vec<Filters>,
    clock_lag_ns: u64,
    pub now: Time,
    look_at: Time,
    /// Until when losses wait for the market to say what an earlier run's positions are worth; none where they do not.
    prices_by: Option<Time>,
    /// Whether the market said anything: before it does they wait for as long as it takes.
    heard: bool,
    /// Whether a day began while they waited.
    day_awaits: bool,
    /// What was released while they waited.
    released: Vec<Scope>,
    /// How many changes of profit had been when each strategy's losses, and everybody's, were looked at.
    looked_at: Vec<u64>,
    /// Whether an order of a killed scope may be live.
    sweeping: bool,
    sweep_at: Time,
    /// What protects is taken back for an earlier run's kill even while nothing is closed by it: the journal that is replayed
    /// is from before it stayed.
    pub bares_what_waits: bool,
    /// What a kill closes, and nothing is sent for.
    unsent: Unsent,
    /// By reason.
    pub denied: Vec<Denied>,
    /// By strategy.
    turned_away: Vec<TurnedAway>,
    watch: Option<WatchSender>,
    /// Of which instruments was told that they wait to be closed until a person has looked.
    unlooked: Vec<bool>,
    publish_at: Time,
    pub rules: R,
}

/// What every order asks of its instrument, apart from all the rest of it: two hundred fit a few cache lines.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// When something came of its market last, zero where nothing did.
    heard: Time,
    tradable: bool,
    restricted: bool,
    qty_decimals: u8,
    notional_decimals: u8,
    /// Whether it is known by its bars alone.
    of_bars: bool,
    /// Whether quotes come of it: then trades do not say what it is worth.
    quoted: bool,
}

impl From<&Instrument> for Facts {
    fn from(i: &Instrument) -> Self {
        Self {
            heard: Time(0),
            tradable: i.tradable(),
            restricted: false,
            qty_decimals: i.qty_decimals,
            notional_decimals: i.notional_decimals(),
            of_bars: false,
            quoted: false,
        }
    }
}

impl Facts {
    /// How long nothing came, ns; none before anything did, and where nothing is to be heard.
    fn silent_ns(&self, now: Time) -> Option<u64> {
        (self.heard.0 != 0 && !self.of_bars).then(|| now.since(self.heard))
    }
}

/// How often was denied for one reason, and the last of it.
#[derive(Debug, Clone, Copy)]
pub struct Denied {
    /// How often.
    pub count: u64,
    /// The last limit, in the unit of the reason's rule; zero where that has none.
    pub limit: i64,
    /// What that order came to.
    pub value: i64,
    /// What the limit is of and how it binds, where the reason does not say that.
    pub measure: Option<Measure>,
    /// What it was of.
    pub instrument: InstrumentId,
}

impl Denied {
    const NEVER: Self = Self { count: 0, limit: 0, value: 0, measure: None, instrument: InstrumentId(0) };
}

/// What an order was decided by, as [`Verdict::decided`] has it.
#[inline]
fn decided_by(order: &Order, top: &Top) -> [Price; 2] {
    match order.extras.stop_price {
        Price(stop) if order.kind.is_conditional() && stop > 0 => [Price(stop); 2],
        _ => [top.bid.price, top.ask.price],
    }
}

/// Live orders that bear on a new one.
#[derive(Debug, Default)]
struct Open {
    /// Unfilled, of the same strategy and instrument.
    buy: Qty,
    sell: Qty,
    /// How many those are.
    orders: u32,
    /// Best resting price of the other side in this instrument, of any strategy.
    own_opposite: Option<Price>,
    /// Of the same instrument, by kind.
    counts: OpenCounts,
    /// Of the same strategy, instrument and side: what reduces, or trades at once.
    leaving: Qty,
}

impl<R: RuleList> Judge<R> {
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        verdicts: LaneSender<Verdict>,
        answers: Option<LaneSender<Answer>>,
        answer_delay_ns: u64,
        rules: R,
    ) -> Self {
        let instruments = table.len();
        let mut judge = Self {
            table: table.clone(),
            limits,
            own_limits: OwnLimits::default(),
            verdicts,
            answers,
            answer_delay_ns,
            answer_count: 0,
            live: LiveOrders::new(instruments, LIVE_ORDERS_MAX),
            exposure: Exposure::new(table, strategies, &[]),
            wallets: Wallets::default(),
            sent: vec![Sent::NOTHING; strategies],
            sent_all: Sent::NOTHING,
            habits: vec![Habits::NONE; strategies * instruments],
            last_orders: Vec::new(),
            trades_today: vec![0; strategies],
            losses: Losses::new(limits.losses, crate::risk::DayBoundary::default(), strategies),
            switches: Switches::new(table, strategies),
            halted: false,
            paused: Pauses::new(table),
            first_leg: None,
            facts: table.all().iter().map(Facts::from).collect(),
            hours: Hours::none(),
            filters: table.all().iter().map(Filters::from).collect(),
            clock_lag_ns: 0,
            now: Time(0),
            look_at: Time(0),
            prices_by: None,
            heard: false,
            day_awaits: false,
            released: Vec::new(),
            looked_at: vec![Self::NEVER_LOOKED; strategies],
            sweeping: false,
            sweep_at: Time(0),
            bares_what_waits: false,
            unsent: Unsent::new(strategies, instruments),
            denied: vec![Denied::NEVER; 256],
            turned_away: vec![TurnedAway::default(); strategies],
            watch: None,
            unlooked: vec![false; instruments],
            rules,
            publish_at: Time(0),
        };
        let window = limits.duplicate_window_ns;
        judge.last_orders.extend((0..strategies).map(|_| LastOrders::new(window)));
        judge
    }

    /// Takes over which instruments are known by their bars alone.
    pub fn know_by_bars(&mut self, of_bars: &[bool]) {
        for (facts, of_bars) in self.facts.iter_mut().zip(of_bars) {
            facts.of_bars = *of_bars;
        }
    }

    /// Takes over what limits alone do not say.
    pub fn set_up(&mut self, setup: &RiskSetup) {
        let strategies = self.sent.len();
        self.exposure = Exposure::new(&self.table, strategies, &setup.groups);
        self.losses = Losses::new(self.limits.losses, setup.day.clone(), strategies);
        self.own_limits.clone_from(&setup.own_limits);
        for (facts, restricted) in self.facts.iter_mut().zip(&setup.restricted) {
            facts.restricted = *restricted;
        }
    }

    #[inline]
    fn judge(&mut self, order: &Order, intent: &Intent, value: i128, adds: Sum) -> Judged {
        self.judge_beside(order, intent, (value, adds), None)
    }

    /// Judges an order that is worth and adds so much, beside one that is approved with it, if it is. What that could trade
    /// is not counted: where there is one, only one of the two can.
    fn judge_beside(
        &mut self,
        order: &Order,
        intent: &Intent,
        (value, adds): (i128, Sum),
        beside: Option<&Order>,
    ) -> Judged {
        let index = order.instrument.index();
        let facts = self.facts[index];
        let mut open = self.open(order);
        let more = u32::from(beside.is_some());
        open.orders = open.orders.saturating_add(more);
        open.counts.orders += more;
        open.counts.algo += u32::from(beside.is_some_and(|beside| beside.kind.is_conditional()));
        let exchange_orders = self.live.len() as u32 + more;
        let strategy = order.strategy.index();
        let worst = Case::worst_price(order, &intent.reference, &self.limits);
        let need = self.wallets.need(order, worst);
        let watched = self.limits.quote_free_min != i64::MIN && order.side == Side::Buy;
        let quote_left = if watched { need.map(|need| need.left()) } else { None };
        let habits = &self.habits[strategy * self.table.len() + index];
        let limits = &self.limits;
        let scopes = self.exposure.scopes(order.strategy, order.instrument);
        let levels = [
            self.own_limits.of_instrument(order.instrument, limits),
            self.own_limits.of_strategy(order.strategy, limits),
            &limits.scales[Scale::Group as usize],
            &limits.scales[Scale::Account as usize],
            &limits.scales[Scale::Portfolio as usize],
        ];
        let equity = i128::from(limits.capital) + self.exposure.profit();
        let killed = self.switches.stops(order.strategy, order.instrument);
        let case = Case {
            order,
            instrument: self.table.get(order.instrument),
            tradable: facts.tradable,
            of_bars: facts.of_bars,
            qty_decimals: facts.qty_decimals,
            notional_decimals: facts.notional_decimals,
            top: &intent.reference,
            limits,
            now: self.now,
            position: self.exposure.held(order.strategy, order.instrument),
            open_buy: open.buy,
            open_sell: open.sell,
            open_orders: open.orders,
            leaving: open.leaving,
            own_opposite: open.own_opposite,
            filters: &self.filters[index],
            counts: open.counts,
            exchange_counts: OpenCounts { orders: exchange_orders, ..OpenCounts::default() },
            need,
            quote_left,
            halted: self.halted,
            paused: self.paused.is_paused(order.instrument),
            suspended: self.paused.is_suspended(order.instrument),
            killed,
            spared: killed.is_some() && self.is_spared(order, intent.triggered),
            restricted: facts.restricted,
            closed: !self.hours.is_open(order.strategy, order.instrument, self.now),
            value,
            scopes,
            levels,
            adds,
            roomy: room::is_roomy(&scopes, &levels, &adds, equity, limits),
            equity,
            mark: self.exposure.mark_of(order.instrument),
            // Between two bars nothing is to be heard, so silence says nothing.
            heard: if facts.of_bars { self.now } else { facts.heard },
            clock_lag_ns: self.clock_lag_ns,
            recent_sizes: habits.sizes(),
            same_before: if !intent.goes_on && habits.may_repeat(self.now, limits.duplicate_window_ns) {
                self.last_orders[strategy].same(order, self.now, limits.duplicate_window_ns)
            } else {
                None
            },
            sent: self.sent[strategy].counted(self.now).and_orders(more),
            sent_all: self.sent_all.counted(self.now).and_orders(more),
            trades_today: self.trades_today[strategy],
            same_way: if intent.goes_on {
                0
            } else {
                habits.same_way(order.side, self.now, limits.same_way_window_ns)
            },
        };
        self.rules.check(&case, order.reduce_only)?;
        over(&mut Nobody, i128::from(exchange_orders) + 1, LIVE_ORDERS_MAX as i128, DenyReason::OpenOrders)
    }

    /// What is live already, as far as it bears on `order`.
    #[inline]
    fn open(&self, order: &Order) -> Open {
        let mut open = Open::default();
        for live in self.live.of(order.instrument) {
            let o = &live.state.order;
            open.counts.orders += 1;
            open.counts.algo += u32::from(o.kind.is_conditional());
            open.counts.iceberg += u32::from(o.extras.iceberg_qty.0 != 0);
            if o.strategy == order.strategy {
                open.orders = open.orders.saturating_add(1);
            }
            if o.strategy == order.strategy && live.counted_by.is_none() {
                let side = match o.side {
                    Side::Buy => &mut open.buy,
                    Side::Sell => &mut open.sell,
                };
                *side = Qty(side.0.saturating_add(live.state.leaves().0));
                if o.side == order.side && (o.reduce_only || o.kind == OrderKind::Market) {
                    open.leaving = Qty(open.leaving.0.saturating_add(live.state.leaves().0));
                }
            }
            // One that waited for its price and has traded was triggered, and what is left of it rests. Whether one that has
            // not traded was, no venue says.
            let rests = matches!(o.kind, OrderKind::Limit | OrderKind::PostOnly)
                || (o.kind.has_limit() && live.state.filled > Qty::ZERO);
            if o.side != order.side && rests {
                open.own_opposite = Some(match (open.own_opposite, order.side) {
                    (None, _) => o.price,
                    (Some(best), Side::Buy) => best.min(o.price),
                    (Some(best), Side::Sell) => best.max(o.price),
                });
            }
        }
        open
    }

    #[inline]
    pub fn on_intent(&mut self, intent: &Intent) {
        let mut decided = [Price(0); 2];
        let body = match &intent.action {
            &Action::Cancel { order, strategy, instrument } => {
                self.count_cancel(strategy);
                VerdictBody::Cancel { order, strategy, instrument }
            }
            Action::Hold(order) => VerdictBody::Held(*order),
            Action::Note(note) => {
                self.on_note(note);
                VerdictBody::Note(*note)
            }
            Action::New(order) if order.extras.other_leg != 0 => return self.on_leg(order, intent),
            Action::New(order) => {
                decided = decided_by(order, &intent.reference);
                self.on_order(order, intent)
            }
        };
        self.verdicts.push(Verdict { seq: intent.seq, decided, body });
    }

    /// Reads what is kept of the order's strategy and instrument, all at once, before any of it is needed: there is too much of
    /// it for the nearest cache, and one wait is shorter than one after the other.
    #[inline]
    fn reach_for(&self, order: &Order) {
        let at = order.strategy.index() * self.table.len() + order.instrument.index();
        std::hint::black_box((self.exposure.peek(at, order.instrument), self.habits[at].peek()));
    }

    #[inline]
    fn on_order(&mut self, order: &Order, intent: &Intent) -> VerdictBody {
        self.reach_for(order);
        if intent.reference.is_two_sided() {
            self.exposure.mark(order.instrument, intent.reference.mid());
        }
        self.look(intent.seq, Some(order.strategy));
        let price = reference_price(order, &intent.reference);
        let value = self.exposure.value(order.instrument, price, order.qty);
        let adds = self.exposure.would_add(order, value);
        match self.judge(order, intent, value, adds) {
            Ok(()) => {
                self.approve(order, price, value, &adds, intent);
                VerdictBody::Approved(Approved::new(*order))
            }
            Err(refusal) => {
                self.deny(intent.seq, order, &refusal);
                VerdictBody::Denied(*order, refusal.reason)
            }
        }
    }

    #[inline]
    fn approve(&mut self, order: &Order, price: Price, value: i128, adds: &Sum, intent: &Intent) {
        let strategy = order.strategy.index();
        self.sent[strategy].order(self.now);
        self.sent_all.order(self.now);
        self.habits[strategy * self.table.len() + order.instrument.index()].ordered(order.qty, self.now);
        if !intent.goes_on {
            self.last_orders[strategy].ordered(order, self.now, self.limits.duplicate_window_ns);
        }
        self.wallets.lock(order, Case::worst_price(order, &intent.reference, &self.limits));
        self.exposure.open(order, value, adds);
        let &Intent { goes_on, triggered, .. } = intent;
        self.live.push(LiveOrder { goes_on, triggered, ..LiveOrder::new(*order, price, value) });
        // One that passes although its scope is stopped is swept away if it should rest.
        if self.switches.any() {
            self.sweeping = true;
            self.note_closing(order);
        }
    }

    fn count_cancel(&mut self, strategy: StrategyId) {
        if let Some(sent) = self.sent.get_mut(strategy.index()) {
            sent.cancel(self.now);
        }
        self.sent_all.cancel(self.now);
    }

    /// Takes changed rules of an instrument over.
    pub fn change(&mut self, rules: &Rules) {
        self.table.change(rules);
        if let Some(filters) = self.filters.get_mut(rules.instrument.index()) {
            filters.change(rules);
        }
        self.exposure.change_lot(rules.instrument, rules.lot);
    }

    /// Takes over what an instrument's venue takes at the market.
    pub fn change_market(&mut self, rules: &MarketRules) {
        if let Some(filters) = self.filters.get_mut(rules.instrument.index()) {
            filters.change_market(rules);
        }
    }

    pub fn on_command(&mut self, command: Command) {
        match command {
            Command::Halt | Command::Resume => self.halted = command == Command::Halt,
            Command::Kill(kill) => {
                self.kill(&kill);
            }
            Command::Release(scope) => self.release(scope),
            Command::Account(account) => self.wallets.account(&account),
            _ => {
                self.paused.take(command);
                match command {
                    Command::Pause(of, PausedBy::Operator) => self.tell(Switched::Paused(of)),
                    Command::Unpause(of, PausedBy::Operator) => self.tell(Switched::Resumed(of)),
                    Command::Pause(of, PausedBy::Difference) => {
                        self.tell(Switched::Differs(of));
                        self.tell_unlooked(of);
                    }
                    Command::Unpause(of, PausedBy::Difference) => {
                        self.tell(Switched::Agrees(of));
                        self.tell_unlooked(of);
                        self.sweep_what_waited();
                    }
                    Command::Reopen(_) => self.sweep_what_waited(),
                    _ => {}
                }
            }
        }
    }

    /// Something of an instrument's market came in. Slots of every kind but [`Kind::Levels`](crate::domain::event::Kind).
    #[inline]
    pub fn on_market(&mut self, slot: &Slot) {
        let instrument = slot.instrument();
        let Some(facts) = self.facts.get_mut(instrument.index()) else { return };
        facts.heard = self.now;
        self.heard = true;
        if let Some(theirs) = slot.venue_time() {
            self.clock_lag_ns = self.now.0.abs_diff(theirs.0);
        }
        if let Some(quote) = slot.as_quote() {
            facts.quoted = true;
            if quote.bid.qty.0 > 0 && quote.ask.qty.0 > 0 {
                self.exposure.mark(instrument, quote.bid.price.middle(quote.ask.price));
            }
        } else if let Some(trade) = slot.as_trade()
            && !facts.quoted
        {
            self.exposure.mark(instrument, trade.price);
        }
    }

    /// A bar of an instrument, or its price, has come to this: what it is worth, where nothing else says so.
    #[inline]
    pub fn on_bar(&mut self, instrument: InstrumentId, price: Price) {
        if self.facts.get(instrument.index()).is_some_and(|facts| facts.of_bars) {
            self.exposure.mark(instrument, price);
        }
    }

    fn deny(&mut self, seq: u64, order: &Order, refusal: &Refusal) {
        let &Refusal { reason, limit, value, measure } = refusal;
        self.tell_unclosed(order, || Unclosed::Denied(reason));
        let Order { id: order, strategy, instrument, .. } = *order;
        let denied = &mut self.denied[reason as usize];
        denied.count += 1;
        (denied.limit, denied.value, denied.measure, denied.instrument) = (limit, value, measure, instrument);
        if let Some(of) = self.turned_away.get_mut(strategy.index()) {
            of.deny(reason, instrument, self.now);
        }
        self.answer(seq, || {
            Slot::denial(&Denial { instrument, order, strategy, reason, limit, value, measure })
        });
    }

    /// Says something in the ring, caused by the event `seq`; nothing where a journal says it already.
    fn answer(&mut self, seq: u64, slot: impl FnOnce() -> Slot) {
        let Some(answers) = &mut self.answers else { return };
        self.answer_count += 1;
        answers.push(Answer {
            due: self.now.plus_nanos(self.answer_delay_ns),
            cause_seq: seq,
            origin: 0,
            number: self.answer_count,
            slot: slot(),
        });
    }

    /// Profit of everything, as losses are counted by; units of 10^-8 quote.
    pub fn profit(&self) -> i128 {
        self.exposure.profit()
    }

    /// A strategy's position and the worst of its exposure, for tests and reports.
    pub fn position(&self, strategy: StrategyId, instrument: InstrumentId) -> crate::domain::Position {
        *self.exposure.position(strategy, instrument)
    }
}
