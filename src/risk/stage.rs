//! The risk stage: judges each intent at the event that asked for it.

use super::approved::Approved;
use super::carried::Carried;
use super::judge::Judge;
pub use super::judge::{Denied, KILL_CANCELS_PER_EVENT_MAX};
use super::limits::RiskLimits;
use super::rule::{EveryRule, NoRules, RuleList};
use super::setup::RiskSetup;
use super::watch::WatchSender;
use super::witness::WatchedRules;
use crate::calendar::Hours;
use crate::domain::event::{Event, Kind};
use crate::domain::{
    DenyReason, InstrumentId, InstrumentTable, Order, OrderId, Passed, Position, Price, Slot, StrategyId,
    Stretch, Wallets,
};
use crate::pipeline::{Answer, LaneReceiver, LaneSender, Lull, Sequenced, Shared, Stage};
use crate::strategy::desk::DeskState;
use crate::strategy::{Intent, Note};
use crate::venue::binance::filters::Filters;

/// What risk says of an intent.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// The event that caused it.
    pub seq: u64,
    /// What its order was decided by: the best bid and ask then, or, of one that waited for a price, that price twice.
    /// Zero where no order is asked for.
    pub decided: [Price; 2],
    /// What it says.
    pub body: VerdictBody,
}

/// What a verdict says.
#[derive(Debug, Clone, Copy)]
pub enum VerdictBody {
    /// Send it.
    Approved(Approved<Order>),
    /// Do not.
    Denied(Order, DenyReason),
    /// Take it back: cancels are always approved.
    Cancel {
        /// Which.
        order: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// Of what.
        instrument: InstrumentId,
    },
    /// Nothing is asked for: the order manager holds this order, which the journal has to know.
    Held(Order),
    /// Nothing is asked for: what else the journal has to know of the order manager.
    Note(Note),
}

impl Sequenced for Verdict {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// See the module; `R` are the rules that it runs.
pub struct RiskStage<R = EveryRule> {
    intents: LaneReceiver<Intent>,
    /// Who judges, apart from where intents come from, so that they are read where they lie.
    judge: Judge<R>,
}

impl RiskStage<EveryRule> {
    /// Most answers that `strategies` strategies cause in an event beside denials: each of the three limits of losses that a
    /// strategy has, and that all have together, once.
    #[must_use]
    pub const fn latches_per_event_max(strategies: usize) -> usize {
        3 * (strategies + 1)
    }

    /// A stage for `strategies` strategies. `answers` carries denials back, `answer_delay_ns` after their cause.
    #[must_use]
    pub fn new(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        intents: LaneReceiver<Intent>,
        verdicts: LaneSender<Verdict>,
        answers: Option<LaneSender<Answer>>,
        answer_delay_ns: u64,
    ) -> Self {
        let judge = Judge::new(table, strategies, limits, verdicts, answers, answer_delay_ns, EveryRule);
        Self { intents, judge }
    }
}

impl RiskStage<NoRules> {
    /// A stage that approves and books everything, to measure the rules against.
    #[must_use]
    pub fn without_rules(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        intents: LaneReceiver<Intent>,
        verdicts: LaneSender<Verdict>,
    ) -> Self {
        let judge = Judge::new(table, strategies, limits, verdicts, None, 0, NoRules);
        Self { intents, judge }
    }
}

impl RiskStage<WatchedRules> {
    /// A stage for a replay that asks why: it judges as any, sends no denials back, and keeps what `rules` compared.
    #[must_use]
    pub fn watching(
        table: &InstrumentTable,
        strategies: usize,
        limits: RiskLimits,
        intents: LaneReceiver<Intent>,
        verdicts: LaneSender<Verdict>,
        rules: WatchedRules,
    ) -> Self {
        let judge = Judge::new(table, strategies, limits, verdicts, None, 0, rules);
        Self { intents, judge }
    }

    /// The rules, with what they compared.
    #[must_use]
    pub fn rules(&self) -> &WatchedRules {
        &self.judge.rules
    }
}

impl<R: RuleList> RiskStage<R> {
    /// The same with groups, restricted instruments and days.
    #[must_use]
    pub fn with_setup(mut self, setup: &RiskSetup) -> Self {
        self.judge.set_up(setup);
        self
    }

    /// The same where instruments and strategies have trading hours.
    #[must_use]
    pub fn with_hours(mut self, hours: Hours) -> Self {
        self.judge.hours = hours;
        self
    }

    /// The same with wallets, whose balances bound what can be ordered.
    #[must_use]
    pub fn with_wallets(mut self, wallets: Wallets) -> Self {
        self.judge.wallets = wallets;
        self
    }

    /// The same with the filters that the venue told, by instrument, in place of what instrument files say.
    #[must_use]
    pub fn with_filters(mut self, filters: Vec<Filters>) -> Self {
        self.judge.filters = filters;
        self
    }

    /// The same with what an earlier run left: positions, and orders that were with the venue, which need what they needed.
    #[must_use]
    pub fn resuming(mut self, desks: &[DeskState]) -> Self {
        self.judge.resume(desks);
        self
    }

    /// The same taking back what protects a position for an earlier run's kill even while nothing is closed by it.
    #[must_use]
    pub fn with_waiting_bared(mut self, bared: bool) -> Self {
        self.judge.bares_what_waits = bared;
        self
    }

    /// The same where some instruments are known by their bars alone, by instrument: no feed of theirs can fall silent.
    #[must_use]
    pub fn with_bars(mut self, bars: Vec<bool>) -> Self {
        self.judge.know_by_bars(&bars);
        self
    }

    /// The same with what an earlier run of the name leaves to losses and the day's counts.
    #[must_use]
    pub fn carrying(mut self, carried: Option<&Carried>) -> Self {
        if let Some(carried) = carried {
            self.judge.carry(carried);
        }
        self
    }

    /// The same, telling each change of the kill switch, and what it knows.
    #[must_use]
    pub fn with_watch(mut self, watch: Option<WatchSender>) -> Self {
        self.judge.watched_by(watch);
        self
    }

    /// The wallets as they now are.
    #[must_use]
    pub fn wallets(&self) -> &Wallets {
        &self.judge.wallets
    }

    /// Denials by reason, those that happened, each with the last of them.
    pub fn denials(&self) -> impl Iterator<Item = (DenyReason, Denied)> + '_ {
        DenyReason::ALL.iter().map(|r| (*r, self.judge.denied[*r as usize])).filter(|d| d.1.count > 0)
    }

    /// Profit of everything, realised and not, fees taken off, as losses are counted by; units of 10^-8 quote.
    #[must_use]
    pub fn profit(&self) -> i128 {
        self.judge.profit()
    }

    /// A strategy's position as risk knows it.
    #[must_use]
    pub fn position(&self, strategy: StrategyId, instrument: InstrumentId) -> Position {
        self.judge.position(strategy, instrument)
    }
}

impl<S: Shared, R: RuleList> Stage<S> for RiskStage<R> {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn room(&self) -> u64 {
        let answers = self.judge.answers.as_ref().map_or(u64::MAX, LaneSender::events_room);
        self.judge.verdicts.events_room().min(answers)
    }

    fn ends_events(&self) -> bool {
        false
    }

    fn on_slot(&mut self, seq: u64, slot: &Slot, _shared: &S) {
        let Self { intents, judge } = self;
        if slot.is_first() {
            judge.come_to(slot.time());
            match slot.kind() {
                Kind::Trade | Kind::Quote | Kind::DepthDiff | Kind::DepthSnapshot | Kind::DepthPartial => {
                    judge.on_market(slot);
                }
                Kind::Kline => {
                    if let Some(bar) = slot.as_kline_head() {
                        judge.on_bar(bar.instrument, bar.close);
                    }
                }
                _ => {}
            }
        }
        if !slot.is_last() {
            return;
        }
        match slot.kind() {
            Kind::Trade | Kind::Quote | Kind::Levels | Kind::KlineTail | Kind::Clock => {}
            Kind::Report => {
                if let Some(report) = slot.as_report() {
                    judge.on_report(seq, &report);
                }
            }
            _ => match slot.event() {
                Event::Command(command) => judge.on_command(command),
                Event::Rules(rules) => judge.change(&rules),
                Event::MarketRules(rules) => judge.change_market(&rules),
                _ => {}
            },
        }
        judge.on_time(seq);
        intents.take_up_to(seq, |intent| judge.on_intent(intent));
        judge.sweep_if_due(seq);
    }

    fn is_calm(&self, lull: &Lull) -> bool {
        self.judge.is_calm(lull.instrument)
    }

    fn pass_over(&mut self, _seq: u64, price: Price, lull: &Lull) {
        self.judge.come_to(lull.ends);
        self.judge.on_bar(lull.instrument, price);
    }

    fn is_calm_in_trades(&self, instrument: InstrumentId) -> bool {
        self.judge.is_calm_in_trades(instrument)
    }

    fn is_told(&self) -> bool {
        !self.intents.is_empty()
    }

    fn pass_over_trades(&mut self, seq: u64, trades: &[Slot]) {
        for (before, slot) in (0..trades.len() as u64).rev().zip(trades) {
            self.judge.come_to(slot.time());
            self.judge.on_market(slot);
            self.judge.on_time(seq - before);
        }
    }

    fn pass_over_bars(&mut self, _passed: Passed, stretch: &Stretch<'_>) {
        if let Some((time, last)) = stretch.last() {
            self.judge.come_to(time);
            self.judge.on_bar(stretch.instrument, last.close);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
