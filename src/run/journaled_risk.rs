//! What risk knew at the end of a journal, found by risk's own state machine: the journal's events and approved orders go
//! into a risk stage without rules, which books them as the run's did, and its snapshot comes out.
//!
//! What an order was judged by is not in a journal: one at the market is held to be worth its quantity at the mark. So
//! while such an order is open its exposure may differ a little from what the run counted; nothing else does.

use super::config::Config;
use crate::domain::event::Kind;
use crate::domain::{InstrumentId, InstrumentTable, Level, OrderId, OrderKind, Price, Qty, Slot, Wallets};
use crate::execution::{Record, RecordKind};
use crate::journal::JournalHeader;
use crate::market::Top;
use crate::pipeline::{LaneReceiver, LaneSender, Stage, Stop, lane};
use crate::risk::snapshot::RiskSnapshot;
use crate::risk::stage::KILL_CANCELS_PER_EVENT_MAX;
use crate::risk::watch::watch;
use crate::risk::{NoRules, RiskStage, Verdict, VerdictBody};
use crate::strategy::desk::DeskState;
use crate::strategy::{Action, Change, Intent, Note};
use std::collections::BTreeSet;
use std::mem;

/// Intents of one event at most; a journal that holds more of them is damaged, and they are passed over.
const PER_EVENT_MAX: usize = 16_384;

/// See the module.
pub(super) struct JournaledRisk {
    risk: RiskStage<NoRules>,
    intents: LaneSender<Intent>,
    verdicts: LaneReceiver<Verdict>,
    seq: u64,
    /// The last event, until what it caused is known: records follow it.
    held: Option<Slot>,
    /// Orders and cancels that it caused, and what risk heeds of the order manager.
    asked: Vec<Action>,
    marks: Vec<Price>,
    quoted: Vec<bool>,
    /// Whose child the next order is.
    parent: Option<OrderId>,
    /// What had a part already.
    in_parts: BTreeSet<OrderId>,
    /// What waited for its price until that came.
    due: BTreeSet<OrderId>,
    /// What waited and only reduces: its children are parts of it, and no exits.
    reducing: BTreeSet<OrderId>,
}

impl JournaledRisk {
    /// As the run began; without wallets where the journal's do not fit its instruments.
    pub fn new(header: &JournalHeader, config: &Config, table: &InstrumentTable) -> Self {
        let stop = Stop::new();
        let verdicts_max = PER_EVENT_MAX + KILL_CANCELS_PER_EVENT_MAX;
        let (intents, intents_in) = lane("journal→risk", PER_EVENT_MAX, PER_EVENT_MAX, &stop);
        let (verdicts_out, verdicts) = lane("risk→journal", verdicts_max, verdicts_max, &stop);
        let balances = header.balances.as_deref().unwrap_or(&config.paper.balances);
        let resumed = header.resumed.clone().unwrap_or_default();
        let wallets = Wallets::new(table, balances).unwrap_or_default().resuming(&resumed.wallets);
        let wallets = wallets.aloof(!header.follows_account);
        let whole =
            |desk: &DeskState, id| desk.orders.iter().any(|o| o.order.id == id && o.filled > Qty::ZERO);
        let of_desk = |desk: &'_ DeskState| -> Vec<OrderId> {
            let parents = desk.manager.slicings().iter().map(|s| s.parent);
            parents.filter(|parent| whole(desk, *parent)).collect()
        };
        let in_parts = resumed.desks.iter().flat_map(of_desk);
        let due = resumed.desks.iter().flat_map(|desk| desk.manager.triggered().iter().copied());
        let orders = resumed.desks.iter().flat_map(|desk| desk.orders.iter().map(|state| &state.order));
        let reducing = orders.filter(|order| order.reduce_only).map(|order| order.id);
        let (strategies, limits) = (config.strategies.len(), config.risk.limits);
        let risk = RiskStage::without_rules(table, strategies, limits, intents_in, verdicts_out)
            .with_setup(&config.risk.setup)
            .with_wallets(wallets)
            .resuming(&resumed.desks)
            .carrying(header.carried.as_ref())
            .with_waiting_bared(!header.protects_what_waits);
        Self {
            risk,
            intents,
            verdicts,
            seq: 0,
            held: None,
            asked: Vec::new(),
            marks: vec![Price(0); table.len()],
            quoted: vec![false; table.len()],
            parent: None,
            in_parts: in_parts.collect(),
            due: due.collect(),
            reducing: reducing.collect(),
        }
    }

    /// Takes the next event in.
    pub fn slot(&mut self, slot: &Slot) {
        self.step();
        self.held = Some(*slot);
    }

    /// Takes in what the last event caused.
    pub fn record(&mut self, record: &Record) {
        if record.kind == RecordKind::Due {
            self.due.insert(record.order.id);
        } else if record.kind == RecordKind::Held && record.order.reduce_only {
            self.reducing.insert(record.order.id);
        }
        let of_risk = matches!(
            record.kind,
            RecordKind::Order
                | RecordKind::Cancel
                | RecordKind::ChildOf
                | RecordKind::Linked
                | RecordKind::Released
        );
        if of_risk && self.asked.len() < PER_EVENT_MAX {
            self.asked.push(record.action());
        }
    }

    /// What risk knows now that the journal ends.
    pub fn ends(mut self) -> RiskSnapshot {
        self.step();
        let (sender, receiver) = watch();
        // Whoever begins to watch is told at once.
        drop(self.risk.with_watch(Some(sender)));
        let snapshot = receiver.snapshot();
        snapshot.lock().map(|snapshot| snapshot.clone()).unwrap_or_default()
    }

    /// The last event happens, with all that it caused.
    fn step(&mut self) {
        let Some(slot) = self.held.take() else { return };
        self.seq += 1;
        self.take_mark(&slot);
        let (cancels, others): (Vec<Action>, Vec<Action>) = mem::take(&mut self.asked)
            .into_iter()
            .partition(|action| matches!(action, Action::Cancel { .. }));
        for action in others {
            self.ask(action);
        }
        Stage::<()>::on_slot(&mut self.risk, self.seq, &slot, &());
        // Cancels that follow from a kill are made, and counted, again; the others are counted with the next event.
        let mut swept: Vec<OrderId> = Vec::new();
        while let Some(verdict) = self.verdicts.pop() {
            if let VerdictBody::Cancel { order, .. } = verdict.body {
                swept.push(order);
            }
        }
        for action in cancels {
            match &action {
                Action::Cancel { order, .. } if swept.contains(order) => {}
                _ => self.ask(action),
            }
        }
    }

    fn ask(&mut self, action: Action) {
        let instrument = match &action {
            Action::New(order) | Action::Hold(order) => order.instrument,
            Action::Cancel { instrument, .. } => *instrument,
            Action::Note(note) => note.instrument,
        };
        let triggered = self.is_triggered(&action);
        let goes_on = self.goes_on(&action);
        self.intents.push(Intent {
            goes_on,
            triggered,
            ..Intent::new(self.seq, action, self.top(instrument))
        });
    }

    /// Whether an action is of an order, or of a part of one, that only reduces and is a limit order since its price came.
    fn is_triggered(&self, action: &Action) -> bool {
        let Action::New(order) = action else { return false };
        let was_due = |id: OrderId| self.due.contains(&id);
        let exits = order.reduce_only && order.kind == OrderKind::Limit;
        exits && (was_due(order.id) || self.parent.is_some_and(was_due))
    }

    /// Whether an action goes on with an order of before: a part of what had one already. Exits, which are children too, have
    /// no limit and only reduce; of parts those of an exit alone do both.
    fn goes_on(&mut self, action: &Action) -> bool {
        match action {
            Action::Note(Note { change: Change::ChildOf(parent), .. }) => {
                self.parent = Some(*parent);
                false
            }
            Action::New(order) => match self.parent.take() {
                Some(parent)
                    if order.kind.has_limit() || !order.reduce_only || self.reducing.contains(&parent) =>
                {
                    !self.in_parts.insert(parent)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// The mark as both sides of the book; none where it is not known.
    fn top(&self, instrument: InstrumentId) -> Top {
        let mark = self.marks.get(instrument.index()).map_or(0, |mark| mark.0);
        let level = Level::new(mark, i64::from(mark != 0));
        Top { bid: level, ask: level, valid: mark != 0 }
    }

    /// Marks as risk makes them: the middle of the quote, and where there is none the last trade.
    fn take_mark(&mut self, slot: &Slot) {
        if !matches!(slot.kind(), Kind::Quote | Kind::Trade) {
            return;
        }
        let at = slot.instrument().index();
        let (Some(mark), Some(quoted)) = (self.marks.get_mut(at), self.quoted.get_mut(at)) else { return };
        if let Some(quote) = slot.as_quote() {
            *quoted = true;
            if quote.bid.qty.0 > 0 && quote.ask.qty.0 > 0 {
                *mark = quote.bid.price.middle(quote.ask.price);
            }
        } else if let Some(trade) = slot.as_trade()
            && !*quoted
        {
            *mark = trade.price;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Command;
    use crate::domain::{ClientOrderId, DenyReason, Kill, Order, OrderStatus, Scope, Side, StrategyId, Time};
    use crate::execution::record::{nothing_of, of_note};
    use crate::journal::{Entry, JournalReader};
    use crate::pipeline::{Threading, Wait};
    use crate::run::{PipelineOptions, ReplayOptions, replay_frames};
    use crate::venue::local::{FlowConfig, FlowSource, demo_instruments};
    use std::time::Duration;

    /// Three strategies that trade and cancel often, wallets among what is watched, and a loss that stops one of them.
    const BUSY: &str = r#"
[paper]
fill = "touch"
[paper.balances]
"binance:spot" = { USDT = "100000", BTC = "1", ETH = "20" }
[risk]
unset = "default"
quote_free_min = "10"
[risk.losses]
strategy_daily_max = "2"
[[strategy]]
name = "ma-cross"
instruments = ["binance:usdm:BTCUSDT"]
[strategy.params]
fast = 2
slow = 3
qty = "0.010"
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:spot:ETHUSDT"]
[strategy.params]
levels = 2
threshold = 0.05
qty = "0.100"
hold_ms = 60
[[strategy]]
name = "imbalance-maker"
label = "second"
instruments = ["binance:spot:BTCUSDT"]
[strategy.params]
levels = 3
threshold = 0.10
qty = "0.010"
hold_ms = 90
"#;

    /// The last snapshot that risk published while it ran, and the one that the journal makes up to the same event.
    fn both(dir: &std::path::Path) -> (RiskSnapshot, RiskSnapshot) {
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let config = Config::from_text_with_instruments(BUSY, "busy.toml", table.clone()).expect("good");
        let path = dir.join("run.journal");
        let (sender, receiver) = watch();
        let pipeline = PipelineOptions {
            threading: Some(Threading::Inline),
            wait: Some(Wait::Yield),
            journal: Some(path.clone()),
            watch: Some(sender),
            ..PipelineOptions::default()
        };
        let mut flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(1_000);
        flow.duration = Duration::from_secs(12);
        let mut market = FlowSource::new(&flow).expect("a good market");
        let options = ReplayOptions { pipeline, ..ReplayOptions::default() };
        let summary = replay_frames(&config, &mut market, options).expect("a good run");
        assert!(summary.execution.fills > 50 && summary.execution.cancels > 5, "{:?}", summary.execution);
        let live = receiver.snapshot().lock().expect("nobody panicked").clone();

        let mut reader = JournalReader::open(&path).expect("a journal");
        let mut again = JournaledRisk::new(reader.header(), &config, &table);
        let (sender, receiver) = watch();
        again.risk = again.risk.with_watch(Some(sender));
        while let Some(entry) = reader.next_entry().expect("a whole journal") {
            match &entry {
                Entry::Slot(slot) => again.slot(slot),
                Entry::Record(record) => again.record(record),
                Entry::End => {}
            }
        }
        again.step();
        let journaled = receiver.snapshot().lock().expect("nobody panicked").clone();
        (live, journaled)
    }

    /// What the journal of a run has of one event: the event, and what it caused.
    fn take(again: &mut JournaledRisk, time: u64, mut slot: Slot, caused: &[(RecordKind, Order)]) {
        slot.stamp(Time(time), 0, 0);
        again.slot(&slot);
        for &(kind, order) in caused {
            let client_id = ClientOrderId::derive(0, order.id);
            again.record(&Record { seq: time, kind, order, denied: None, client_id });
        }
    }

    #[test]
    fn a_target_beside_a_stop_that_waits_is_not_taken_back_by_a_kill() {
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let config = Config::from_text_with_instruments(BUSY, "busy.toml", table.clone()).expect("good");
        let target = Order {
            kind: OrderKind::Limit,
            side: Side::Sell,
            reduce_only: true,
            qty: Qty(10),
            price: Price(100),
            ..nothing_of(OrderId(256), StrategyId(0), InstrumentId(0))
        };
        let stop = Order { id: OrderId(512), kind: OrderKind::Stop, ..target };
        let note = |order, change| {
            of_note(&Note { order, strategy: StrategyId(0), instrument: InstrumentId(0), change })
        };
        let (linked, over) = (Change::Linked(stop.id), Change::Released(OrderStatus::Canceled));
        let sent = [(RecordKind::Order, target), (RecordKind::Held, stop)];
        let link = [sent[0], sent[1], note(target.id, linked)];
        for (sent, then, cancels) in
            [(&sent[..], None, 1), (&link[..], None, 0), (&link[..], Some(note(stop.id, over)), 1)]
        {
            let mut again = JournaledRisk::new(&JournalHeader::default(), &config, &table);
            let kill = Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: false, carried: false };
            take(&mut again, 1, Slot::clock(), sent);
            take(&mut again, 2, Slot::command(Command::Kill(kill)), then.as_slice());
            take(&mut again, 50_000_000, Slot::clock(), &[]);
            let left = again.ends();
            assert_eq!(left.sent_all.cancels.day, cancels, "{}, {then:?}", sent.len());
        }
    }

    #[test]
    fn what_goes_on_with_an_order_is_known_from_an_exit() {
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let config = Config::from_text_with_instruments(BUSY, "busy.toml", table.clone()).expect("good");
        let order = |id, reduce_only, kind| Order {
            reduce_only,
            kind,
            ..nothing_of(OrderId(id), StrategyId(0), InstrumentId(0))
        };
        for (parent, part, is_part) in [
            (order(1, false, OrderKind::Limit), order(2, false, OrderKind::Limit), true),
            (order(1, true, OrderKind::Stop), order(2, true, OrderKind::Market), true),
            (order(1, false, OrderKind::Stop), order(2, false, OrderKind::Market), true),
            (order(1, false, OrderKind::Stop), order(2, true, OrderKind::Market), false),
        ] {
            let mut again = JournaledRisk::new(&JournalHeader::default(), &config, &table);
            take(&mut again, 1, Slot::clock(), &[(RecordKind::Held, parent)]);
            let (strategy, instrument, change) = (StrategyId(0), InstrumentId(0), Change::ChildOf(parent.id));
            let child = Action::Note(Note { order: parent.id, strategy, instrument, change });
            let mut goes_on = || [&child, &Action::New(part)].map(|action| again.goes_on(action));
            assert_eq!((goes_on(), goes_on()), ([false; 2], [false, is_part]), "{parent:?} {part:?}");
        }
    }

    #[test]
    fn a_journal_says_what_risk_knew() {
        let dir = tempfile::tempdir().expect("a directory");
        let (live, journaled) = both(dir.path());
        assert_eq!(journaled.time, live.time);
        assert!(live.sent_all.orders.day > 40 && live.sent_all.cancels.day > 5, "{:?}", live.sent_all);
        assert_eq!((journaled.sent_all, &journaled.sent), (live.sent_all, &live.sent));
        assert_eq!(journaled.trades_today, live.trades_today);
        assert_eq!((&journaled.cell_orders, &journaled.same_way), (&live.cell_orders, &live.same_way));
        assert_eq!((&journaled.silent_ns, journaled.clock_lag_ns), (&live.silent_ns, live.clock_lag_ns));
        assert_eq!(journaled.marks, live.marks);
        assert_eq!((&journaled.values, &journaled.cells), (&live.values, &live.cells));
        assert_eq!(journaled.whole, live.whole);
        // What was denied is not judged again, and nobody asks a journal's reckoning for it.
        let journaled = RiskSnapshot { turned_away: live.turned_away.clone(), ..journaled };
        assert_eq!(journaled, live, "everything else");
        assert!(live.quote_free.iter().flatten().count() >= 2, "{:?}", live.quote_free);
    }
}
