//! Who judges: the state that risk keeps of orders, positions and limits, and what it makes of an intent.

use super::approved::Approved;
use super::carried::Carried;
use super::exposure::Exposure;
use super::limits::{OwnLimits, RiskLimits, Scale};
use super::live::LiveOrder;
use super::losses::Losses;
use super::rates::Sent;
use super::recent::{Habits, LastOrders};
use super::rule::{Case, Judged, Refusal, RuleList, reference_price};
use super::setup::RiskSetup;
use super::stage::{Verdict, VerdictBody};
use super::switch::Switches;
use super::watch::{Switched, WatchSender};
use crate::calendar::Hours;
use crate::domain::event::{Command, Denial, Report, Rules};
use crate::domain::order::{Applied, ReportKind};
use crate::domain::wallet::WalletFill;
use crate::domain::{
    DenyReason, InstrumentId, InstrumentTable, Kill, Order, OrderId, OrderKind, Pauses, Price, Qty, Scope,
    Side, Slot, StrategyId, Time, Wallets,
};
use crate::market::Top;
use crate::pipeline::{Answer, LaneSender};
use crate::strategy::desk::DeskState;
use crate::strategy::{Action, Change, Intent};
use crate::venue::binance::filters::{Filters, OpenCounts};
use std::marker::PhantomData;

/// Most orders that can be live at once, over all strategies.
const LIVE_ORDERS_MAX: usize = 16_384;
/// Cancels that a kill may cause in one event; what is left follows with the next.
pub const KILL_CANCELS_PER_EVENT_MAX: usize = 64;
/// Losses are looked at this often between fills and orders, ns of the sequencer's time.
const LOOK_EVERY_NS: u64 = 10_000_000;
/// Snapshots are published this often, and after each trade, ns of the sequencer's time.
const PUBLISH_EVERY_NS: u64 = 250_000_000;
/// A cancel that was not answered is asked for again after this, ns.
const ASK_AGAIN_NS: u64 = 500_000_000;

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
    live: Vec<LiveOrder>,
    /// How many of these are of each instrument.
    live_in: Vec<u32>,
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
    /// The order that the next new one is a part of, or protects.
    parent: Option<OrderId>,
    restricted: Vec<bool>,
    pub hours: Hours,
    pub filters: Vec<Filters>,
    heard: Vec<Time>,
    /// Instruments that are known by their bars alone.
    pub of_bars: Vec<bool>,
    /// Whether quotes come of an instrument: then trades do not say what it is worth.
    quoted: Vec<bool>,
    clock_lag_ns: u64,
    pub now: Time,
    look_at: Time,
    /// Whether an order of a killed scope may be live.
    sweeping: bool,
    sweep_at: Time,
    pub denied: Vec<u64>,
    watch: Option<WatchSender>,
    publish_at: Time,
    rules: PhantomData<R>,
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
            live: Vec::with_capacity(LIVE_ORDERS_MAX),
            live_in: vec![0; instruments],
            exposure: Exposure::new(table, strategies, &[]),
            wallets: Wallets::default(),
            sent: vec![Sent::NOTHING; strategies],
            sent_all: Sent::NOTHING,
            habits: vec![Habits::NONE; strategies * instruments],
            last_orders: Vec::new(),
            trades_today: vec![0; strategies],
            losses: Losses::new(limits.losses, super::DayBoundary::default(), strategies),
            switches: Switches::new(table, strategies),
            halted: false,
            paused: Pauses::new(table),
            parent: None,
            restricted: vec![false; instruments],
            hours: Hours::none(),
            filters: table.all().iter().map(Filters::from).collect(),
            heard: vec![Time(0); instruments],
            of_bars: vec![false; instruments],
            quoted: vec![false; instruments],
            clock_lag_ns: 0,
            now: Time(0),
            look_at: Time(0),
            sweeping: false,
            sweep_at: Time(0),
            denied: vec![0; 256],
            watch: None,
            rules: PhantomData,
            publish_at: Time(0),
        };
        let window = limits.duplicate_window_ns;
        judge.last_orders.extend((0..strategies).map(|_| LastOrders::new(window)));
        judge
    }

    /// Takes over what limits alone do not say.
    pub fn set_up(&mut self, setup: &RiskSetup) {
        let strategies = self.sent.len();
        self.exposure = Exposure::new(&self.table, strategies, &setup.groups);
        self.losses = Losses::new(self.limits.losses, setup.day.clone(), strategies);
        self.own_limits.clone_from(&setup.own_limits);
        for (restricted, given) in self.restricted.iter_mut().zip(&setup.restricted) {
            *restricted = *given;
        }
    }

    fn judge(&mut self, order: &Order, intent: &Intent, value: i128) -> Judged {
        let instrument = self.table.get(order.instrument);
        let index = order.instrument.index();
        let open = self.open(order);
        let strategy = order.strategy.index();
        let worst = Case::worst_price(order, &intent.reference, &self.limits);
        let payable = self.wallets.can_pay(order, worst);
        let watched = self.limits.quote_free_min != i64::MIN;
        let quote_left = if watched { self.wallets.quote_left(order, worst) } else { None };
        let habits = &self.habits[strategy * self.table.len() + index];
        let limits = &self.limits;
        let case = Case {
            order,
            instrument,
            top: &intent.reference,
            limits,
            now: self.now,
            position: self.exposure.position(order.strategy, order.instrument).qty,
            open_buy: open.buy,
            open_sell: open.sell,
            open_orders: open.orders,
            leaving: open.leaving,
            own_opposite: open.own_opposite,
            filters: &self.filters[index],
            counts: open.counts,
            exchange_counts: OpenCounts { orders: self.live.len() as u32, ..OpenCounts::default() },
            payable,
            quote_left,
            halted: self.halted,
            paused: self.paused.is_paused(order.instrument),
            suspended: self.paused.is_suspended(order.instrument),
            killed: self.switches.stops(order.strategy, order.instrument),
            restricted: self.restricted[index],
            closed: !self.hours.is_open(order.strategy, order.instrument, self.now),
            value,
            scopes: self.exposure.scopes(order.strategy, order.instrument),
            levels: [
                self.own_limits.of_instrument(order.instrument, limits),
                self.own_limits.of_strategy(order.strategy, limits),
                &limits.scales[Scale::Group as usize],
                &limits.scales[Scale::Account as usize],
                &limits.scales[Scale::Portfolio as usize],
            ],
            adds: self.exposure.would_add(order, value),
            equity: i128::from(limits.capital) + self.exposure.profit(),
            mark: self.exposure.mark_of(order.instrument),
            // Between two bars nothing is to be heard, so silence says nothing.
            heard: if self.of_bars[index] { self.now } else { self.heard[index] },
            clock_lag_ns: self.clock_lag_ns,
            recent_sizes: habits.sizes(),
            same_before: self.last_orders[strategy].same(order, self.now, limits.duplicate_window_ns),
            sent: self.sent[strategy].counted(self.now),
            sent_all: self.sent_all.counted(self.now),
            trades_today: self.trades_today[strategy],
            same_way: habits.same_way(order.side, self.now, limits.same_way_window_ns),
        };
        R::check(&case, order.reduce_only)?;
        if self.live.len() >= LIVE_ORDERS_MAX { Err(DenyReason::OpenOrders.into()) } else { Ok(()) }
    }

    /// What is live already, as far as it bears on `order`; one pass, as far back as the instrument's orders go.
    #[inline]
    fn open(&self, order: &Order) -> Open {
        let mut open = Open::default();
        let in_instrument = self.live_in[order.instrument.index()];
        for live in self.live.iter().rev() {
            if open.counts.orders == in_instrument {
                break;
            }
            let o = &live.state.order;
            if o.instrument != order.instrument {
                continue;
            }
            open.counts.orders += 1;
            open.counts.algo += u32::from(o.kind.is_conditional());
            open.counts.iceberg += u32::from(o.extras.iceberg_qty.0 != 0);
            if o.strategy == order.strategy {
                open.orders = open.orders.saturating_add(1);
                let side = match o.side {
                    Side::Buy => &mut open.buy,
                    Side::Sell => &mut open.sell,
                };
                *side = Qty(side.0.saturating_add(live.state.leaves().0));
                if o.side == order.side && (o.reduce_only || o.kind == OrderKind::Market) {
                    open.leaving = Qty(open.leaving.0.saturating_add(live.state.leaves().0));
                }
            }
            // What leaves a position is not held up by the rest of the entry, or of its parts, that it protects.
            let family = self.parent.is_some() && (self.parent == Some(o.id) || self.parent == live.parent);
            let entry = order.reduce_only && family;
            if o.side != order.side && !entry && matches!(o.kind, OrderKind::Limit | OrderKind::PostOnly) {
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
                if let Change::ChildOf(parent) = note.change {
                    self.parent = Some(parent);
                }
                VerdictBody::Note(*note)
            }
            Action::New(order) => {
                decided = decided_by(order, &intent.reference);
                let body = self.on_order(order, intent);
                self.parent = None;
                body
            }
        };
        self.verdicts.push(Verdict { seq: intent.seq, decided, body });
    }

    #[inline]
    fn on_order(&mut self, order: &Order, intent: &Intent) -> VerdictBody {
        if intent.reference.is_two_sided() {
            self.exposure.mark(order.instrument, intent.reference.mid());
        }
        self.look(intent.seq, Some(order.strategy));
        let price = reference_price(order, &intent.reference);
        let value = self.exposure.value(order.instrument, price, order.qty);
        match self.judge(order, intent, value) {
            Ok(()) => {
                self.approve(order, price, value, intent);
                VerdictBody::Approved(Approved::new(*order))
            }
            Err(refusal) => {
                self.deny(intent.seq, order, &refusal);
                VerdictBody::Denied(*order, refusal.reason)
            }
        }
    }

    #[inline]
    fn approve(&mut self, order: &Order, price: Price, value: i128, intent: &Intent) {
        let strategy = order.strategy.index();
        self.sent[strategy].order(self.now);
        self.sent_all.order(self.now);
        self.habits[strategy * self.table.len() + order.instrument.index()].ordered(order.qty);
        self.last_orders[strategy].ordered(order, self.now);
        self.wallets.lock(order, Case::worst_price(order, &intent.reference, &self.limits));
        self.exposure.order(order, 0, value, 1);
        self.live.push(LiveOrder { parent: self.parent, ..LiveOrder::new(*order, price, value) });
        self.live_in[order.instrument.index()] += 1;
        // One that passes although its scope is stopped is swept away if it should rest.
        self.sweeping |= self.switches.any();
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
    }

    pub fn on_command(&mut self, command: Command) {
        match command {
            Command::Halt | Command::Resume => self.halted = command == Command::Halt,
            Command::Kill(kill) => self.kill(&kill),
            Command::Release(scope) => self.release(scope),
            _ => {
                self.paused.take(command);
            }
        }
    }

    fn kill(&mut self, kill: &Kill) {
        if self.switches.kill(kill) {
            self.tell(Switched::Killed(*kill));
        }
        (self.sweeping, self.sweep_at) = (true, self.now);
    }

    fn release(&mut self, scope: Scope) {
        self.exposure.settle();
        // What surveillance stopped lost nothing by it: a throttle that is over is no pardon for the day's losses.
        let watched = scope != Scope::All && self.switches.cause(scope) == Some(DenyReason::Surveillance);
        self.switches.release(scope);
        if !watched {
            self.losses.forget(scope, &self.exposure);
        }
        self.tell(Switched::Released(scope));
    }

    fn tell(&mut self, switched: Switched) {
        let now = self.now;
        if let Some(watch) = &mut self.watch {
            watch.tell(switched, now);
        }
    }

    /// Something of an instrument's market came in. Slots of every kind but [`Kind::Levels`](crate::domain::event::Kind).
    #[inline]
    pub fn on_market(&mut self, slot: &Slot) {
        let instrument = slot.instrument();
        if let Some(heard) = self.heard.get_mut(instrument.index()) {
            *heard = self.now;
        }
        if let Some(theirs) = slot.venue_time() {
            self.clock_lag_ns = self.now.0.abs_diff(theirs.0);
        }
        if let Some(quote) = slot.as_quote() {
            if let Some(quoted) = self.quoted.get_mut(instrument.index()) {
                *quoted = true;
            }
            if quote.bid.qty.0 > 0 && quote.ask.qty.0 > 0 {
                let mid = quote.bid.price.0 + (quote.ask.price.0.saturating_sub(quote.bid.price.0)) / 2;
                self.exposure.mark(instrument, Price(mid));
            }
        } else if let Some(trade) = slot.as_trade()
            && self.quoted.get(instrument.index()) == Some(&false)
        {
            self.exposure.mark(instrument, trade.price);
        }
    }

    /// Whether the passing of time alone changes nothing: no order is to be taken back, and every position is valued. A
    /// day that begins meanwhile is noticed with the next event, before which nothing was earned.
    pub fn is_calm(&self) -> bool {
        !self.sweeping && !self.exposure.is_unsettled()
    }

    /// Looks at losses, if it is time to.
    #[inline]
    pub fn on_time(&mut self, seq: u64) {
        if self.now >= self.look_at {
            self.look_at = self.now.plus_nanos(LOOK_EVERY_NS);
            self.look(seq, None);
            if self.now >= self.publish_at {
                self.publish();
            }
        }
    }

    /// Whoever is to be told has room for what there is to tell.
    pub fn watched_by(&mut self, watch: Option<WatchSender>) {
        self.watch = watch;
        self.publish();
    }

    /// Copies what others may see; nothing where they look just now: the next time is soon enough.
    #[cold]
    fn publish(&mut self) {
        let Some(mut snapshot) = self.watch.as_ref().and_then(WatchSender::snapshot) else { return };
        self.publish_at = self.now.plus_nanos(PUBLISH_EVERY_NS);
        snapshot.time = self.now;
        self.losses.copy_to(&mut snapshot, &self.exposure);
        self.exposure.copy_to(&mut snapshot);
        snapshot.sent.clear();
        snapshot.sent.extend(self.sent.iter_mut().map(|sent| sent.counted(self.now)));
        snapshot.sent_all = self.sent_all.counted(self.now);
        snapshot.trades_today.clone_from(&self.trades_today);
    }

    /// Goes on from what an earlier run left to losses and the day's counts.
    pub fn carry(&mut self, carried: &Carried) {
        self.losses.carry(carried, &self.exposure);
        if carried.day_ends_ns == 0 {
            return;
        }
        self.sent_all.carry(&carried.whole);
        for (at, track) in carried.strategies.iter().enumerate().take(self.sent.len()) {
            self.sent[at].carry(track);
            self.trades_today[at] = track.trades;
        }
    }

    /// Takes back what is open of what is stopped, if something may be.
    #[inline]
    pub fn sweep_if_due(&mut self, seq: u64) {
        if self.sweeping && self.now >= self.sweep_at {
            self.sweep(seq);
        }
    }

    /// Looks at losses: of all, and of one strategy or each.
    #[inline]
    fn look(&mut self, seq: u64, strategy: Option<StrategyId>) {
        if self.losses.new_day(self.now, &mut self.exposure) {
            self.sent.iter_mut().for_each(Sent::new_day);
            self.sent_all.new_day();
            self.trades_today.fill(0);
        }
        if self.exposure.is_unsettled() {
            self.exposure.settle();
        }
        if let Some(kill) = self.losses.of_all(self.now, &self.exposure) {
            self.latch(seq, &kill);
        }
        let all = 0..self.losses.strategies();
        for index in strategy.map_or(all, |s| s.index()..s.index() + 1) {
            let Ok(index) = u8::try_from(index) else { break };
            if let Some(kill) = self.losses.of_strategy(StrategyId(index), &self.exposure) {
                self.latch(seq, &kill);
            }
        }
    }

    /// A loss is over its limit: stops at once, and says so in the ring, where everybody else hears of it.
    #[cold]
    fn latch(&mut self, seq: u64, kill: &Kill) {
        if self.switches.cause(kill.scope).is_some() {
            return;
        }
        self.kill(kill);
        let Some(answers) = &mut self.answers else { return };
        self.answer_count += 1;
        answers.push(Answer {
            due: self.now.plus_nanos(self.answer_delay_ns),
            cause_seq: seq,
            origin: 0,
            number: self.answer_count,
            slot: Slot::command(Command::Kill(*kill)),
        });
    }

    /// Takes back what is open of what is stopped.
    #[cold]
    fn sweep(&mut self, seq: u64) {
        let (mut asked, mut left) = (0, false);
        for at in 0..self.live.len() {
            let live = &mut self.live[at];
            let Order { id, strategy, instrument, .. } = live.state.order;
            if self.switches.stops(strategy, instrument).is_none() {
                continue;
            }
            left = true;
            if live.asked_at.is_some_and(|asked| self.now.since(asked) < ASK_AGAIN_NS) {
                continue;
            }
            if asked == KILL_CANCELS_PER_EVENT_MAX {
                break;
            }
            asked += 1;
            live.asked_at = Some(self.now);
            let body = VerdictBody::Cancel { order: id, strategy, instrument };
            self.verdicts.push(Verdict { seq, decided: [Price(0); 2], body });
            self.count_cancel(strategy);
        }
        self.sweeping = left;
        // Where there was more than an event may cause, the next goes on.
        let pause = if asked == KILL_CANCELS_PER_EVENT_MAX { 0 } else { LOOK_EVERY_NS };
        self.sweep_at = self.now.plus_nanos(pause);
    }

    fn deny(&mut self, seq: u64, order: &Order, refusal: &Refusal) {
        let &Refusal { reason, limit, value } = refusal;
        self.denied[reason as usize] += 1;
        let Some(answers) = &mut self.answers else { return };
        let Order { id: order, strategy, instrument, .. } = *order;
        let denial = Denial { instrument, order, strategy, reason, limit, value };
        self.answer_count += 1;
        answers.push(Answer {
            due: self.now.plus_nanos(self.answer_delay_ns),
            cause_seq: seq,
            origin: 0,
            number: self.answer_count,
            slot: Slot::denial(&denial),
        });
    }

    /// Takes over what an earlier run left: positions, and orders that were with the venue, which need what they needed.
    pub fn resume(&mut self, desks: &[DeskState]) {
        for (strategy, desk) in (0u8..).zip(desks) {
            for (instrument, position) in (0u16..).zip(&desk.positions) {
                self.exposure.take_over(StrategyId(strategy), InstrumentId(instrument), position);
            }
        }
        for state in desks.iter().flat_map(DeskState::with_the_venue) {
            let left = Order { qty: state.leaves(), ..state.order };
            // Without a quote yet: at its own price, or at what the position came to.
            let price = if left.price.0 > 0 { left.price } else { self.exposure.mark_of(left.instrument) };
            self.wallets.lock(&left, price);
            let value = self.exposure.value(left.instrument, price, left.qty);
            self.exposure.order(&left, 0, value, 1);
            self.live.push(LiveOrder { state: *state, ..LiveOrder::new(state.order, price, value) });
            self.live_in[left.instrument.index()] += 1;
        }
    }

    /// What happened to a position without an order.
    #[cold]
    fn on_position(&mut self, seq: u64, report: &Report) {
        let filled = self.exposure.of_position(report);
        if let Some(earned) = filled.closed {
            self.losses.closed(report.strategy, earned);
        }
        let traded = if report.kind == ReportKind::Liquidated { report.qty } else { Qty::ZERO };
        let &Report { order, instrument, side, price, fee, fee_asset, strategy, .. } = report;
        if let Some((asset, amount)) = report.paid() {
            self.wallets.pay(instrument, asset, amount);
            return self.look(seq, Some(strategy));
        }
        let realised = filled.realised;
        self.wallets.fill(&WalletFill {
            order,
            instrument,
            side,
            qty: traded,
            price,
            fee,
            fee_asset,
            realised,
        });
        self.look(seq, Some(strategy));
    }

    pub fn on_report(&mut self, seq: u64, report: &Report) {
        if report.kind.is_of_position() {
            return self.on_position(seq, report);
        }
        // Those of late are heard of most.
        let Some(index) = self.live.iter().rposition(|o| o.state.order.id == report.order) else { return };
        let live = &mut self.live[index];
        let first = live.state.filled == Qty::ZERO;
        let applied = live.state.apply(report.kind, report.qty, report.trade_id);
        if report.kind == ReportKind::CancelRejected {
            // Asked again at the next sweep, if it is to be.
            live.asked_at = None;
        }
        let (order, is_final) = (live.state.order, live.state.status.is_final());
        let (before, leaves) = (live.value, live.state.leaves());
        let after = if is_final { 0 } else { self.exposure.value(order.instrument, live.price, leaves) };
        live.value = after;
        let booked = applied == Applied::Changed && report.kind == ReportKind::Fill;
        if before != after || is_final {
            self.exposure.order(&order, before, after, if is_final { -1 } else { 0 });
        }
        if booked {
            self.on_fill(&order, report, first);
        }
        if is_final {
            self.wallets.close(report.order);
            self.live.remove(index);
            self.live_in[order.instrument.index()] -= 1;
        }
        if booked {
            self.look(seq, Some(order.strategy));
        }
    }

    fn on_fill(&mut self, order: &Order, report: &Report, first: bool) {
        let &Report { order: id, instrument, side, qty, price, fee, fee_asset, .. } = report;
        let strategy = order.strategy;
        let filled = self.exposure.fill(report);
        if let Some(earned) = filled.closed {
            self.losses.closed(strategy, earned);
        }
        self.publish_at = self.now;
        let traded = &mut self.trades_today[strategy.index()];
        *traded = traded.saturating_add(1);
        if first {
            let habits = &mut self.habits[strategy.index() * self.table.len() + instrument.index()];
            habits.traded(side, self.now, self.limits.same_way_window_ns);
        }
        let realised = filled.realised;
        self.wallets.fill(&WalletFill { order: id, instrument, side, qty, price, fee, fee_asset, realised });
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
