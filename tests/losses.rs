//! A loss that is over its limit stops trading at that event, closes what is open where that is configured, and does so
//! alike on any threads and in every replay.

#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::event::{Command, Event, FeeAsset, Quote, Report, Rules};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{
    DenyReason, Extras, InstrumentId, InstrumentTable, Kill, Level, Notional, Order, OrderId, OrderKind,
    PausedBy, Position, Price, Qty, Refused, Scope, Side, Slot, StrategyId, Time, TimeInForce, VenueId,
};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader};
use algo_trader::pipeline::{Answer, LaneReceiver, Stage, Stop, Threading, lane_within_thread};
use algo_trader::risk::limits::LossLimits;
use algo_trader::risk::snapshot::LossTrack;
use algo_trader::risk::watch::{Switched, Unclosed, WatchReceiver, watch};
use algo_trader::risk::{RiskLimits, RiskStage};
use algo_trader::run::{Config, ReplayOptions, Summary, replay_frames, replay_journal};
use algo_trader::strategy::desk::DeskState;
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::threads;

fn config(losses: &str) -> Config {
    let text = include_str!("../config/demo.toml");
    let (before, after) = text.split_once("unset = \"default\"\n").expect("the demo has limits");
    let text = format!("{before}unset = \"default\"\n[risk.losses]\n{losses}\n{after}");
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    Config::from_text_with_instruments(&text, "demo.toml", table).unwrap_or_else(|error| panic!("{error}"))
}

fn run(config: &Config, threading: Threading, journal: Option<PathBuf>) -> Summary {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(30);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(threading);
    options.pipeline.journal = journal;
    replay_frames(config, &mut source, options).expect("a good run")
}

fn denied(summary: &Summary, reason: DenyReason) -> u64 {
    summary.denials.iter().find(|d| d.0 == reason.label()).map_or(0, |d| d.1)
}

/// What a journal has after its first kill: scopes of kills, orders, and those of them that only reduce at the market.
fn after_the_kill(path: &Path) -> (Vec<Scope>, u64, u64) {
    let mut journal = JournalReader::open(path).expect("a journal");
    let (mut scopes, mut orders, mut reducing) = (Vec::new(), 0, 0);
    let mut leaves = Vec::new();
    while let Some(item) = journal.next_entry().expect("it reads") {
        match item {
            Entry::Slot(slot) => {
                if let Event::Command(Command::Kill(kill)) = slot.event() {
                    scopes.push(kill.scope);
                }
            }
            Entry::Record(record) if record.kind == RecordKind::Order && !scopes.is_empty() => {
                orders += 1;
                if record.order.reduce_only && !record.order.kind.has_limit() {
                    reducing += 1;
                    leaves.push(record.order.id);
                }
            }
            Entry::Record(record) if record.kind == RecordKind::Cancel => {
                assert!(!leaves.contains(&record.order.id), "what leaves is taken back: {record:?}");
            }
            _ => {}
        }
    }
    (scopes, orders, reducing)
}

#[test]
fn a_daily_loss_stops_everything_and_closes_what_is_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("daily_max = \"0.9\"\nflatten = true");
    let journal = dir.path().join("run.journal");
    let summary = run(&config, Threading::Inline, Some(journal.clone()));
    assert!(denied(&summary, DenyReason::DailyLoss) > 0, "{:?}", summary.denials);
    assert!(summary.execution.fills > 0 && summary.live_orders == 0, "{:?}", summary.execution);
    assert!(summary.strategies.iter().all(|s| s.position.qty == Qty::ZERO), "{:#?}", summary.strategies);
    let (scopes, orders, reducing) = after_the_kill(&journal);
    assert_eq!(
        (scopes.as_slice(), orders),
        ([Scope::All].as_slice(), reducing),
        "only what reduces went out"
    );
    assert!(reducing > 0, "something was open");
    // A loss of a few dollars, not of many: it stops when it is reached.
    let lost: i128 = summary
        .strategies
        .iter()
        .map(|s| {
            let decimals = u32::from(s.instrument.notional_decimals());
            i128::from(s.position.fees) - s.position.realised.0 * 100_000_000 / 10i128.pow(decimals)
        })
        .sum();
    assert!(lost > 50_000_000 && lost < 50 * 100_000_000, "{lost}");
    for threading in [Threading::Shared, Threading::Dedicated] {
        let other = run(&config, threading, None);
        assert_eq!(other.order_stream_sha256, summary.order_stream_sha256, "{threading:?}");
    }
    let mut reader = JournalReader::open(&journal).expect("a journal");
    let again = replay_journal(&config, &mut reader, ReplayOptions::default()).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
}

#[test]
fn the_loss_of_one_strategy_stops_that_strategy_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(
        "daily_max = \"none\"\ndrawdown_max = \"none\"\nvelocity_max = \"none\"\nstrategy_daily_max = \"0.5\"",
    );
    let journal = dir.path().join("run.journal");
    let summary = run(&config, Threading::Inline, Some(journal.clone()));
    assert!(denied(&summary, DenyReason::StrategyDailyLoss) > 0, "{:?}", summary.denials);
    let (scopes, _, _) = after_the_kill(&journal);
    assert!(!scopes.is_empty() && scopes.iter().all(|s| matches!(s, Scope::Strategy(_))), "{scopes:?}");
    let mut once = scopes.clone();
    once.dedup();
    assert_eq!(once.len(), scopes.len(), "each is told once");
}

#[test]
fn a_limit_that_nobody_wrote_denies_every_order() {
    let text = include_str!("../config/demo.toml").replace("unset = \"default\"\n", "");
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(&text, "demo.toml", table).expect("it can be read");
    let summary = run(&config, Threading::Inline, None);
    assert!(denied(&summary, DenyReason::LimitUnset) > 0, "{:?}", summary.denials);
    assert_eq!(summary.execution.orders, 0);
}

/// What a watcher is told of everything together at some seconds, each after a payment that is no order's, if there is any.
fn told(limits: LossLimits, paid: &[(u64, i64)]) -> Vec<LossTrack> {
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let limits = RiskLimits { losses: limits, ..config("").risk.limits };
    let stop = Stop::new();
    let (_intents, intents_in) = lane_within_thread("intents", 16, &stop);
    let (verdicts_out, _verdicts) = lane_within_thread("verdicts", 128, &stop);
    let (sender, receiver) = watch();
    let risk = RiskStage::new(&table, 1, limits, intents_in, verdicts_out, None, 0);
    let mut risk = risk.with_watch(Some(sender));
    let paid = (1u64..).zip(paid).map(|(seq, &(second, fee))| {
        let report = Report {
            instrument: InstrumentId(0),
            order: OrderId(0),
            strategy: StrategyId(0),
            side: Side::Buy,
            kind: ReportKind::Funding,
            qty: Qty(1),
            price: Price(1),
            fee,
            fee_asset: FeeAsset::Quote,
            trade_id: 0,
            maker: false,
        };
        let mut slot = if fee == 0 { Slot::clock() } else { Slot::report(&report) };
        slot.stamp(Time((1_723_161_255 + second) * 1_000_000_000), 0, 0);
        Stage::<()>::on_slot(&mut risk, seq, &slot, &());
        receiver.snapshot().lock().expect("nobody panicked").whole
    });
    paid.collect()
}

const TEN: i64 = 1_000_000_000;

#[test]
fn what_was_lost_leaves_the_window_though_nothing_happens() {
    let window = LossLimits { velocity_max: i64::MAX - 1, ..LossLimits::NONE };
    assert_eq!(window.velocity_window_ns, 60_000_000_000);
    let told = told(window, &[(0, 0), (1, TEN), (2, 0), (58, 0), (62, 0), (66, 0), (70, 0)]);
    let fell: Vec<_> = told.iter().map(|whole| (whole.profit, whole.fell)).collect();
    let (lost, ten) = (-i128::from(TEN), i128::from(TEN));
    assert_eq!((fell[0], fell[2], fell[3]), ((0, 0), (lost, ten), (lost, ten)));
    // The slice that the window begins in counts whole: four seconds.
    assert_eq!(fell[6], (lost, 0));
}

#[test]
fn who_watches_is_told_the_peak_though_nothing_is_limited() {
    let told = told(LossLimits::NONE, &[(0, 0), (1, -TEN), (2, 0), (3, TEN), (4, 0)]);
    let last = told.last().expect("some");
    assert_eq!((last.profit, last.peak), (0, i128::from(TEN)), "{told:?}");
}

#[test]
fn what_the_first_event_of_a_day_loses_is_that_days_loss() {
    // From 23:54:15; the second event is the first after midnight.
    let told = told(LossLimits::NONE, &[(0, -TEN), (400, TEN), (401, TEN)]);
    let days: Vec<_> = told.iter().map(|whole| (whole.profit, whole.day_start)).collect();
    let ten = i128::from(TEN);
    assert_eq!(days, [(ten, 0), (0, ten), (-ten, ten)]);
}

/// A risk stage without limits on losses that tells a watcher what happens, an event a second.
struct Watched {
    risk: RiskStage,
    heard: WatchReceiver,
    seq: u64,
    /// Its lanes' other ends, so that they stay open.
    _ends: Box<dyn std::any::Any>,
}

impl Watched {
    fn new() -> Self {
        Self::resuming(&[])
    }

    /// The same going on with what an earlier run left.
    fn resuming(desks: &[DeskState]) -> Self {
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let stop = Stop::new();
        let (intents, intents_in) = lane_within_thread("intents", 16, &stop);
        let (verdicts_out, verdicts) = lane_within_thread("verdicts", 128, &stop);
        let (sender, heard) = watch();
        let limits = RiskLimits { losses: LossLimits::NONE, ..config("").risk.limits };
        let risk = RiskStage::new(&table, 1, limits, intents_in, verdicts_out, None, 0);
        let risk = risk.resuming(desks);
        Self { risk: risk.with_watch(Some(sender)), heard, seq: 0, _ends: Box::new((intents, verdicts)) }
    }

    /// What the watcher is told of at this event, and how everything together stands after it.
    fn event(&mut self, mut slot: Slot) -> (Vec<Switched>, LossTrack) {
        self.seq += 1;
        slot.stamp(Time((1_723_161_255 + self.seq) * 1_000_000_000), 0, 0);
        Stage::<()>::on_slot(&mut self.risk, self.seq, &slot, &());
        let told = std::iter::from_fn(|| self.heard.next_change()).map(|(what, _)| what).collect();
        (told, self.heard.snapshot().lock().expect("nobody panicked").whole)
    }
}

#[test]
fn a_trade_of_an_order_that_is_over_is_money_all_the_same() {
    let mut watched = Watched::new();
    let fill = Report {
        instrument: InstrumentId(0),
        order: OrderId(9 << 8),
        strategy: StrategyId(0),
        side: Side::Buy,
        kind: ReportKind::Fill,
        qty: Qty(1),
        price: Price(1),
        fee: TEN,
        fee_asset: FeeAsset::Quote,
        trade_id: 7,
        maker: false,
    };
    // A strategy or an instrument that there is none of is nobody's.
    let strangers =
        [Report { strategy: StrategyId(9), ..fill }, Report { instrument: InstrumentId(999), ..fill }];
    let reports = strangers.into_iter().chain([fill]);
    let profits: Vec<_> = reports.map(|report| watched.event(Slot::report(&report)).1.profit).collect();
    assert_eq!(profits, [0, 0, -i128::from(TEN)]);
}

#[test]
fn a_release_forgives_what_it_lets_go_and_nothing_else() {
    let mut watched = Watched::new();
    let mut event = |slot: Slot| {
        let (told, whole) = watched.event(slot);
        (told, whole.day_start - whole.profit)
    };
    event(Slot::clock());
    event(lose(0));
    let lost = i128::from(TEN);
    let release = |scope| Slot::command(Command::Release(scope));
    let own = Scope::Strategy(StrategyId(0));
    let kill = |scope| Kill { scope, cause: DenyReason::Killed, flatten: false, carried: false };
    for scope in [Scope::All, own] {
        assert_eq!(event(release(scope)), (vec![], lost), "nothing is stopped by {scope:?}");
    }
    event(Slot::command(Command::Kill(kill(own))));
    let (told, still) = event(release(Scope::All));
    assert_eq!(
        (told, still),
        (vec![Switched::Released(Scope::All)], lost),
        "that stopped one strategy alone"
    );
    event(Slot::command(Command::Kill(kill(Scope::All))));
    let (told, still) = event(release(Scope::All));
    assert_eq!((told, still), (vec![Switched::Released(Scope::All)], 0));
}

#[test]
fn who_watches_is_told_of_pauses_that_a_person_has_to_know_of() {
    let mut watched = Watched::new();
    let of = InstrumentId(1);
    let by = |by: PausedBy| [Command::Pause(of, by), Command::Unpause(of, by)];
    let commands = PausedBy::ALL.map(by).concat();
    let told: Vec<_> =
        commands.into_iter().flat_map(|command| watched.event(Slot::command(command)).0).collect();
    // Not of the venue's own, nor of the file's: those come and go.
    let expected = [Switched::Differs(of), Switched::Agrees(of), Switched::Paused(of), Switched::Resumed(of)];
    assert_eq!(told, expected);
}

/// What an earlier run left that holds five lots, and had each of these orders out to sell all of them.
fn holds_five(orders: &[OrderId]) -> DeskState {
    let sells = |id: &OrderId| {
        OrderState::new(Order {
            id: *id,
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Sell,
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            reduce_only: true,
            qty: Qty(5_000),
            price: Price(0),
            extras: Extras::NONE,
        })
    };
    let mut position = Position::default();
    position.apply(Side::Buy, Qty(5_000), Price(60_000), 0);
    DeskState {
        orders: orders.iter().map(sells).collect(),
        positions: vec![position],
        ..DeskState::default()
    }
}

fn closes(carried: bool) -> Kill {
    Kill { scope: Scope::All, cause: DenyReason::Killed, flatten: true, carried }
}

#[test]
fn who_watches_is_told_of_what_an_earlier_run_was_to_close_and_a_person_has_to_look_at() {
    let (of, other) = (InstrumentId(0), InstrumentId(1));
    let mut watched = Watched::resuming(&[holds_five(&[])]);
    let mut told = |command| watched.event(Slot::command(command)).0;
    let differs = |of| Command::Pause(of, PausedBy::Difference);
    let unlooked = Switched::NotClosed(of, Unclosed::Unlooked);
    let (carried, new) = (closes(true), closes(false));
    assert_eq!(told(Command::Kill(carried)), [Switched::Killed(carried)]);
    assert_eq!(told(differs(other)), [Switched::Differs(other)], "nothing of it is held");
    assert_eq!(told(differs(of)), [Switched::Differs(of), unlooked]);
    // A kill in this run closes it.
    assert_eq!(told(Command::Kill(new)), [Switched::Killed(new), Switched::Decided(of)]);
    assert_eq!(told(Command::Release(Scope::All)), [Switched::Released(Scope::All)]);
    // A difference that an earlier run knew already.
    assert_eq!(told(Command::Kill(carried)), [Switched::Killed(carried), unlooked]);
}

#[test]
fn who_watches_is_told_of_a_close_that_nobody_traded_with() {
    let [untraded, traded] = [OrderId(9 << 8), OrderId(10 << 8)];
    let mut watched = Watched::resuming(&[holds_five(&[untraded, traded])]);
    let report = |order, kind, qty| Report {
        instrument: InstrumentId(0),
        order,
        strategy: StrategyId(0),
        side: Side::Sell,
        kind,
        qty: Qty(qty),
        price: Price(60_000),
        fee: 0,
        fee_asset: FeeAsset::Quote,
        trade_id: 7,
        maker: false,
    };
    watched.event(Slot::command(Command::Kill(closes(false))));
    let reports = [
        report(untraded, ReportKind::Expired, 0),
        // Of which a part was taken.
        report(traded, ReportKind::Fill, 2_000),
        report(traded, ReportKind::Expired, 0),
    ];
    let told = reports.map(|report| watched.event(Slot::report(&report)).0);
    assert_eq!(told, [vec![Switched::NotClosed(InstrumentId(0), Unclosed::Untraded)], vec![], vec![]]);
}

#[test]
fn who_watches_is_told_while_an_order_that_may_close_what_a_kill_is_to_close_has_no_answer() {
    let order = OrderId(9 << 8);
    let mut watched = Watched::resuming(&[holds_five(&[order])]);
    let unanswered = Switched::NotClosed(InstrumentId(0), Unclosed::Unanswered);
    assert_eq!(watched.event(Slot::clock()).0, [], "no kill is to close it");
    let kill = Kill { flatten: false, ..closes(true) };
    assert_eq!(watched.event(Slot::command(Command::Kill(kill))).0, [Switched::Killed(kill)]);
    assert_eq!([(); 4].map(|()| watched.event(Slot::clock()).0.len()), [0; 4], "nor that one");
    watched.event(Slot::command(Command::Kill(closes(true))));
    // Each a second after the one before.
    let told = [(); 5].map(|()| watched.event(Slot::clock()).0);
    assert_eq!(told[0], [], "it may have one at once");
    assert!(told[2..].iter().all(|told| *told == [unanswered]), "{told:?}");
    let why = Refused { code: -2013, cause: 12, filter: 0 };
    let state = holds_five(&[order]).orders[0].order;
    let told = watched.event(Slot::report(&Report::refused(&state, ReportKind::Rejected, why))).0;
    assert_eq!(told, [Switched::NotClosed(InstrumentId(0), Unclosed::Refused(why))]);
    assert_eq!([(); 3].map(|()| watched.event(Slot::clock()).0.len()), [0; 3], "it has");
}

#[test]
fn who_watches_is_told_while_nothing_is_sent_for_what_a_kill_is_to_close() {
    let of = InstrumentId(0);
    let mut watched = Watched::resuming(&[holds_five(&[])]);
    let mut over = |seconds, slot: Slot| {
        let mut told = watched.event(slot).0;
        (1..seconds).for_each(|_| told.extend(watched.event(Slot::clock()).0));
        told.retain(|told| matches!(told, Switched::NotClosed(..)));
        told
    };
    let told = |why, times| vec![Switched::NotClosed(of, why); times];
    let (top, venue) = (Level::new(60_000, 1), VenueId(0));
    let rules = |lot, min_notional| Rules {
        instrument: of,
        tick: Price(1),
        lot: Qty(lot),
        min_qty: Qty(lot),
        max_qty: Qty(1_000_000),
        min_notional: Notional(min_notional),
    };
    let quote = Quote { instrument: of, bid: top, ask: top, update_id: 1 };
    assert_eq!(over(1, Slot::rules(&rules(1, 0))), []);
    assert_eq!(over(5, Slot::quote(&quote)), [], "no kill is to close it");
    assert_eq!(over(5, Slot::command(Command::Kill(Kill { flatten: false, ..closes(false) }))), []);
    assert_eq!(over(2, Slot::command(Command::Kill(closes(false)))), [], "it may be on its way");
    // That risk heard a price says nothing of what the strategies have, who wait for both sides of a book.
    assert_eq!(over(3, Slot::clock()), told(Unclosed::NoMarket, 3));
    assert_eq!(over(3, Slot::command(Command::Suspend(venue))), told(Unclosed::Suspended, 3));
    assert_eq!(over(2, Slot::command(Command::Reopen(venue))), told(Unclosed::NoMarket, 2));
    // Less than a lot is told where it is worth an order, and not where it is what a commission left.
    assert_eq!(over(2, Slot::rules(&rules(10_000, 300_000_000))), told(Unclosed::LessThanALot, 2));
    assert_eq!(over(2, Slot::rules(&rules(10_000, 300_000_001))), []);
    assert_eq!(over(3, Slot::command(Command::Suspend(venue))), [], "no order could close it either way");
    assert_eq!(over(2, Slot::rules(&rules(1, 0))), told(Unclosed::Suspended, 2));
    assert_eq!(over(1, Slot::rules(&rules(10_000, 300_000_001))), []);
    assert_eq!(over(2, Slot::command(Command::Reopen(venue))), []);
    assert_eq!(over(2, Slot::rules(&rules(10_000, 0))), []);
    assert_eq!(over(5, Slot::command(Command::Release(Scope::All))), []);
    // What an earlier run was to close has its market and its venue only in a while.
    assert_eq!(over(1, Slot::rules(&rules(1, 0))), []);
    assert_eq!(over(10, Slot::command(Command::Kill(closes(true)))), []);
    assert_eq!(over(2, Slot::clock()), told(Unclosed::NoMarket, 2));
}

/// Causes of what is stopped, as far as it was told by now.
fn stopped(answers: &mut LaneReceiver<Answer>) -> Vec<DenyReason> {
    let mut causes = Vec::new();
    answers.take_all(|answer| {
        if let Event::Command(Command::Kill(kill)) = answer.slot.event() {
            causes.push(kill.cause);
        }
    });
    causes
}

#[test]
fn an_earlier_runs_positions_are_worth_what_the_market_says_and_its_profit_is_not_this_moments() {
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let (held, other) = (InstrumentId(0), InstrumentId(1));
    let mut position = Position::default();
    // Realised long ago: a loss of 20,000. Held since: 10 at 60,000.
    let of = table.get(held);
    let (one, price) =
        (10i64.pow(of.qty_decimals.into()), |dollars: i64| dollars * 10i64.pow(of.price_decimals.into()));
    position.apply(Side::Buy, Qty(one), Price(price(80_000)), 0);
    position.apply(Side::Sell, Qty(one), Price(price(60_000)), 0);
    position.apply(Side::Buy, Qty(10 * one), Price(price(60_000)), 0);
    let desk = DeskState { positions: vec![position; 1], ..DeskState::default() };
    let quote = |of: InstrumentId, dollars: i64| {
        let (bid, ask) = (Level::new(price(dollars), 5), Level::new(price(dollars), 5));
        Slot::quote(&Quote { instrument: of, bid, ask, update_id: 1 })
    };
    let limits =
        LossLimits { velocity_max: 5_000 * 100_000_000, daily_max: 5_000 * 100_000_000, ..LossLimits::NONE };
    // Ten seconds after the market's first word losses are looked at in any case.
    for (silent_s, first, then, expected) in [
        // Before the restart it had fallen to 58,000; that is nobody's loss now, but 57,000 is.
        (1, 58_000, 57_600, None),
        (1, 58_000, 57_400, Some(DenyReason::DailyLoss)),
        (20, 58_000, 58_000, Some(DenyReason::DailyLoss)),
    ] {
        let limits = RiskLimits { losses: limits, ..config("").risk.limits };
        let stop = Stop::new();
        let (_intents, intents_in) = lane_within_thread("intents", 16, &stop);
        let (verdicts_out, _verdicts) = lane_within_thread("verdicts", 128, &stop);
        let (answers_out, mut answers) = lane_within_thread("answers", 128, &stop);
        let risk = RiskStage::new(&table, 1, limits, intents_in, verdicts_out, Some(answers_out), 0);
        let mut risk = risk.resuming(std::slice::from_ref(&desk));
        let mut seq = 0;
        let mut after = |second: u64, mut slot: Slot| {
            seq += 1;
            slot.stamp(Time((1_723_161_255 + second) * 1_000_000_000), 0, 0);
            Stage::<()>::on_slot(&mut risk, seq, &slot, &());
            stopped(&mut answers)
        };
        assert_eq!(after(0, Slot::clock()), [], "a loss of long ago");
        // What filled while nobody was there is told before any market is.
        let filled = Report {
            instrument: held,
            order: OrderId(0),
            strategy: StrategyId(0),
            side: Side::Buy,
            kind: ReportKind::Funding,
            qty: Qty(one),
            price: Price(price(10)),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: 0,
            maker: false,
        };
        assert_eq!(after(15, Slot::report(&filled)), []);
        assert_eq!(after(30, quote(other, 3_000)), [], "the market has not said what it is worth");
        assert_eq!(after(30 + silent_s, quote(other, 3_001)), []);
        let mut causes = after(31 + silent_s, quote(held, first));
        causes.extend(after(32 + silent_s, quote(held, then)));
        assert_eq!(causes.first().copied(), expected, "{silent_s} {first} {then}");
    }
}

/// A loss of ten of a strategy's, whatever is stopped already.
fn lose(strategy: u8) -> Slot {
    Slot::report(&Report {
        instrument: InstrumentId(0),
        order: OrderId(0),
        strategy: StrategyId(strategy),
        side: Side::Buy,
        kind: ReportKind::Funding,
        qty: Qty(1),
        price: Price(1),
        fee: TEN,
        fee_asset: FeeAsset::Quote,
        trade_id: 0,
        maker: false,
    })
}

#[test]
fn a_loss_over_its_limit_acts_once_though_its_scope_was_stopped_before() {
    use DenyReason::{DailyLoss, Drawdown, Killed, StrategyDailyLoss, Surveillance};
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let own = Scope::Strategy(StrategyId(1));
    let of_all = LossLimits { daily_max: TEN - 1, flatten: true, ..LossLimits::NONE };
    let both = LossLimits { drawdown_max: 2 * TEN - 1, ..of_all };
    let of_one = LossLimits { strategy_daily_max: TEN - 1, flatten: true, ..LossLimits::NONE };
    // What was stopped before, why, the limits, and what two losses of ten come to, the one after the other.
    type Acts = Vec<(Scope, DenyReason)>;
    type Case<'a> = (&'a [(Scope, DenyReason)], LossLimits, Acts, Acts);
    let cases: [Case<'_>; 7] = [
        (&[], of_all, vec![(Scope::All, DailyLoss)], vec![]),
        (&[(Scope::All, Killed)], of_all, vec![(Scope::All, DailyLoss)], vec![]),
        (&[(Scope::All, Killed)], both, vec![(Scope::All, DailyLoss)], vec![]),
        (&[(own, Surveillance)], of_one, vec![(own, StrategyDailyLoss)], vec![]),
        (&[(Scope::All, Killed)], of_one, vec![(own, StrategyDailyLoss)], vec![]),
        // As it is taken over from before a restart: it was told then.
        (&[(Scope::All, DailyLoss)], of_all, vec![], vec![]),
        (&[(Scope::All, Drawdown)], of_all, vec![(Scope::All, DailyLoss)], vec![]),
    ];
    for (before, losses, first, second) in cases {
        let what = format!("{before:?} {losses:?}");
        let limits = RiskLimits { losses, ..config("").risk.limits };
        let stop = Stop::new();
        let (_intents, intents_in) = lane_within_thread("intents", 16, &stop);
        let (verdicts_out, _verdicts) = lane_within_thread("verdicts", 128, &stop);
        let (answers_out, mut answers) = lane_within_thread("answers", 128, &stop);
        let (sender, mut heard) = watch();
        let risk = RiskStage::new(&table, 2, limits, intents_in, verdicts_out, Some(answers_out), 0);
        let mut risk = risk.with_watch(Some(sender));
        let mut seq = 0;
        // What is said in the ring at an event, and what who watches is told.
        let mut event = |mut slot: Slot| {
            seq += 1;
            slot.stamp(Time((1_723_161_255 + seq) * 1_000_000_000), 0, 0);
            Stage::<()>::on_slot(&mut risk, seq, &slot, &());
            let mut said = Vec::new();
            answers.take_all(|answer| match answer.slot.event() {
                Event::Command(Command::Kill(kill)) => said.push(kill),
                other => panic!("{other:?}"),
            });
            let told = std::iter::from_fn(|| heard.next_change()).map(|(told, _)| told);
            // What these fills leave is less than a lot.
            (said, told.filter(|told| !matches!(told, Switched::Closed(_))).collect::<Vec<_>>())
        };
        event(Slot::clock());
        for &(scope, cause) in before {
            let kill = Kill { scope, cause, flatten: false, carried: false };
            assert_eq!(event(Slot::command(Command::Kill(kill))), (vec![], vec![Switched::Killed(kill)]));
        }
        for acts in [first, second] {
            let kills: Vec<_> = acts
                .iter()
                .map(|&(scope, cause)| Kill { scope, cause, flatten: true, carried: false })
                .collect();
            let told = kills.iter().map(|kill| Switched::Killed(*kill)).collect();
            assert_eq!(event(lose(1)), (kills.clone(), told), "{what}");
            for kill in kills {
                // It comes back through the ring, and time goes on.
                assert_eq!(event(Slot::command(Command::Kill(kill))), (vec![], vec![]), "{what}");
            }
            assert_eq!(event(Slot::clock()), (vec![], vec![]), "once: {what}");
        }
        // What is let go is looked at anew, and its loss is forgiven.
        event(Slot::command(Command::Release(Scope::All)));
        assert_eq!(event(Slot::clock()), (vec![], vec![]), "{what}");
    }
}
