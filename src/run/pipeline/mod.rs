//! Assembling a pipeline: the ring, the lanes, the stages, the threads. Read top to bottom, it is the way of an order.

mod bars;
mod journal;
mod options;
mod parts;
mod seats;

pub use bars::BarsWanted;
pub use journal::journal_header;
pub use options::{PipelineError, PipelineOptions, Simulation, StageWrapper, StrategyWrapper};
use seats::bars_come;
pub(in crate::run) use seats::seat_strategies;

use super::affinity::{available_cores, keep_to, pin};
use super::config::{Config, FillRule, Threading as ThreadingChoice, Wait as WaitChoice};
use super::sequencer::{Sequencer, SequencerParts};
use crate::domain::contradiction::Contradiction;
use crate::domain::pnl::Method;
use crate::domain::{Instrument, InstrumentTable, Position, Time, Wallets};
use crate::execution::fills::{FillGateway, FillSettings};
use crate::execution::paper::ANSWERS_PER_EVENT_MAX;
use crate::execution::score::Score;
use crate::execution::{ExecutionStage, LiveGateway, PaperGateway, PaperSettings};
use crate::journal::JournalStage;
use crate::market::book::BookKeeper;
use crate::market::stage::MarketSettings;
use crate::market::{MarketStage, Sourcing};
use crate::pipeline::group::GroupResult;
use crate::pipeline::topology::{CorePlan, Role, TopologyRequest};
use crate::pipeline::{
    Answer, Group, Idle, LaneReceiver, LaneSender, Progress, Sampler, Stage, StampClock, Stop, Threading,
    Topology, TopologyError, Wait, Waker, build_ring, lane,
};
use crate::risk::stage::KILL_CANCELS_PER_EVENT_MAX;
use crate::risk::{RiskStage, WatchedRules};
use crate::strategy::StrategyStage;
use crate::strategy::desk::Desk;
use crate::strategy::intent::INTENTS_PER_EVENT_MAX;
use crate::strategy::stage::Seat;
use crate::venue::binance::filters::{Filters, OffStep};
use crate::venue::{NativeForms, VenueTerms};
use crossbeam_channel::Receiver;
use journal::journal_writer;
use parts::{BooksOf, Lanes, RiskFurniture};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// A stage of this pipeline: those on one thread share the books.
pub type TradingStage = Box<dyn Stage<BookKeeper>>;

/// Slots of a ring that one thread writes and reads.
const RING_SLOTS_INLINE: usize = 256;
/// Moments that a stage may have asked for before they are looked at: a run of trades is at most half as long.
const WAKES_MAX: usize = 512;
/// Contradictions of books by quotes that wait for the feed; more come again if they last.
const CONTRADICTIONS_WAITING_MAX: usize = 256;

/// A pipeline that is ready to be fed.
pub struct Pipeline {
    /// The feed's side.
    pub sequencer: Sequencer,
    /// What runs where.
    pub topology: Topology,
    /// Ends the run.
    pub stop: Stop,
    /// For stamps.
    pub clock: StampClock,
    /// Which events are stamped stage by stage.
    pub sampler: Sampler,
    /// Indicators computed, each once.
    pub indicators: usize,
    /// By instrument, whether any stage looks at its book.
    pub books: Vec<bool>,
    /// By which the thread that sends orders answers, where there is one.
    pub answers: Option<LaneSender<Answer>>,
    /// By which commands enter, where they were asked for.
    pub commands: Option<LaneSender<Answer>>,
    /// Books that their quotes contradict, in a live run.
    pub contradictions: Option<Receiver<Contradiction>>,
    /// Bars that the venues are to be asked for, in a live run.
    pub bars_wanted: Option<BarsWanted>,
    threads: Vec<JoinHandle<GroupResult<BookKeeper>>>,
}

impl Pipeline {
    /// Plans the topology alone, to show it.
    ///
    /// # Errors
    /// [`TopologyError`].
    pub fn plan(config: &Config, options: &PipelineOptions) -> Result<Topology, TopologyError> {
        let p = &config.pipeline;
        let configured_threading = match p.threading {
            ThreadingChoice::Auto => None,
            ThreadingChoice::Inline => Some(Threading::Inline),
            ThreadingChoice::Shared => Some(Threading::Shared),
            ThreadingChoice::Dedicated => Some(Threading::Dedicated),
        };
        let configured_wait = match p.wait {
            WaitChoice::Auto => None,
            WaitChoice::Spin => Some(Wait::Spin),
            WaitChoice::Yield => Some(Wait::Yield),
            WaitChoice::Backoff => Some(Wait::Backoff),
        };
        let c = &p.cores;
        let market = c.market.or(c.stages);
        let by_role = [
            (Role::Feed, c.feed),
            (Role::Market, market),
            (Role::Strategy, c.strategy),
            (Role::Risk, c.risk),
            (Role::Execution, c.execution),
            (Role::Journal, c.journal),
            (Role::Gateway, c.gateway),
        ];
        let by_role = by_role.into_iter().filter_map(|(role, core)| Some((role, core?))).collect();
        let (gateway_io, housekeeping) = (c.gateway_io, c.housekeeping.clone());
        let available = available_cores();
        Topology::plan(&TopologyRequest {
            threading: options.threading.or(configured_threading),
            wait: options.wait.or(configured_wait),
            cores: CorePlan { by_role, gateway_io, housekeeping },
            available,
            journal_to_file: options.journal.is_some()
                || options.journal_writer.is_some()
                || config.journal.path.is_some(),
            oversubscribe: options.oversubscribe || p.oversubscribe,
        })
    }

    /// [`plan`](Self::plan) of a configuration whose strategies can be built: to show what a run would have, or what it
    /// would refuse.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn plan_checked(config: &Config, options: &PipelineOptions) -> Result<Topology, PipelineError> {
        let topology = Self::plan(config, options)?;
        seat_strategies(config, options.strategies)?;
        Ok(topology)
    }

    /// Builds everything and starts the threads.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn build(config: &Config, mut options: PipelineOptions) -> Result<Self, PipelineError> {
        let topology = Self::plan(config, &options)?;
        let table = &config.instruments;
        let clock = StampClock::new();
        let stop = Stop::new();
        let epoch = match options.resumed {
            Some(_) => options.epoch,
            None => config.run.epoch.unwrap_or(options.epoch),
        };
        let (mut seats, requests) = seat_strategies(config, options.strategies)?;
        if let Some(mut wrap) = options.wrap_strategies.take() {
            let wrapped = |seat: Seat| {
                let strategy = wrap(seat.desk.strategy, &seat.instruments, seat.strategy);
                Seat { strategy, ..seat }
            };
            seats = seats.into_iter().map(wrapped).collect();
        }
        if options.live {
            bars_come(config, &requests)?;
        }
        let resumed = options.resumed.clone().unwrap_or_default();
        for (seat, state) in seats.iter_mut().zip(&resumed.desks) {
            let mut state = state.clone();
            state.positions.resize(table.len(), Position::default());
            // How orders are sized is configured, and not in what was left.
            let sizer = seat.desk.sizer.take();
            seat.desk = Desk::resumed(seat.desk.strategy, state);
            seat.desk.sizer = sizer;
        }
        let strategies = seats.len();
        let mut watched = vec![false; table.len()];
        for instrument in seats.iter().flat_map(|s| &s.instruments) {
            watched[instrument.index()] = true;
        }

        let lane_slots = config.pipeline.lane_slots;
        let intents_max = (INTENTS_PER_EVENT_MAX * strategies).max(1);
        let market_max = MarketStage::messages_per_event_max(&watched, &requests);
        let lanes = Lanes { topology: &topology, lane_slots, stop: &stop };
        use Role::{Execution, Feed, Gateway, Journal, Market, Risk, Strategy};
        let (market_out, market_in) = lanes.lane("market→strategy", [Market, Strategy], market_max);
        let (intents_out, intents_in) = lanes.lane("strategy→risk", [Strategy, Risk], intents_max);
        // What risk says of intents, and the cancels of a kill.
        let verdicts_max = intents_max + KILL_CANCELS_PER_EVENT_MAX;
        let denials_max = intents_max + RiskStage::latches_per_event_max(strategies);
        let (verdicts_out, verdicts_in) = lanes.lane("risk→execution", [Risk, Execution], verdicts_max);
        let (records_out, records_in) = lanes.lane("execution→journal", [Execution, Journal], verdicts_max);
        let (gateway_out, gateway_in) = lanes.lane("execution→gateway", [Execution, Gateway], verdicts_max);
        let (denials_out, denials_in) = lanes.lane("risk→sequencer", [Risk, Feed], denials_max);
        let answering = !options.answers_recorded;

        let settings = MarketSettings {
            bar: config.market.bar,
            bar_grace_ns: u64::from(config.market.bar_grace_ms) * 1_000_000,
            incomplete_bars: config.market.incomplete_bars,
        };
        let mut market = MarketStage::new(table, &watched, &requests, settings, market_out)
            .map_err(|e| PipelineError::Setup { label: "indicators".into(), problem: e.to_string() })?;
        let (mut contradictions, mut bars_wanted) = (None, None);
        if options.live {
            if let Some((wanted, told)) = BarsWanted::new(&config.market, table, &seats, &requests) {
                market = market.with_bar_news(told);
                bars_wanted = Some(wanted);
            }
            let (told, heard) = crossbeam_channel::bounded(CONTRADICTIONS_WAITING_MAX);
            market = market.with_contradictions(told);
            contradictions = Some(heard);
        }
        let on_paper = answering && options.handover.is_none();
        let simulation = options.simulation.take();
        let timed = simulation.is_none();
        // Only paper fills need a market to fill against; in a journal replay every answer is in the journal.
        let filled = |i: &Instrument| on_paper && watched[i.id.index()] && i.tradable();
        let lent = StrategyStage::books_wanted(table, &seats);
        let books_of = match &simulation {
            // The same for each, so that whoever shares a thread with another sees what it would see alone.
            Some(simulation) => {
                let books = simulation.with_market_books(&lent, &requests);
                BooksOf { market: books.clone(), strategy: lent, gateway: books.clone(), execution: books }
            }
            None => BooksOf {
                market: vec![true; table.len()],
                strategy: lent,
                gateway: table.all().iter().map(filled).collect(),
                execution: vec![false; table.len()],
            },
        };
        let VenueTerms { filters, forms } = options.terms.clone().unwrap_or_else(|| VenueTerms {
            filters: table.all().iter().map(Filters::from).collect(),
            forms: vec![NativeForms::NONE; table.len()],
        });
        let rounding = match config.risk.filters {
            OffStep::Round => filters.clone(),
            OffStep::Refuse => Vec::new(),
        };
        let mut answers = vec![denials_in];
        let mut strategy = StrategyStage::new(table, seats, requests.len(), market_in, intents_out)
            .with_market_max(filters.iter().map(Filters::market_max).collect())
            .with_rounding(rounding)
            .with_closing_pace(options.closing_pace);
        if let Some(simulation) = &simulation {
            let of_bars = simulation.of_bars();
            let native = |bars: &bool| if *bars { NativeForms::BARS } else { NativeForms::NONE };
            strategy = strategy.with_forms(of_bars.iter().map(native).collect()).with_bars(of_bars);
            strategy = strategy.with_warm_up(simulation.score.from);
            market = market.with_sourcing(table, &simulation.sourcing);
            let (bars_out, bars_in) = lane("market→sequencer", WAKES_MAX, 1, &stop);
            let (timers_out, timers_in) = lane("strategy→sequencer", WAKES_MAX, 1, &stop);
            answers.extend([bars_in, timers_in]);
            market = market.with_waker(Waker::new(4).by(bars_out));
            strategy = strategy.with_waker(Waker::new(5).by(timers_out));
            if let Some(known) = &simulation.known {
                market = market.with_known(known.as_ref(), &requests);
            }
        } else {
            strategy = strategy.with_forms(forms);
            let known_from = options.by_hand.then_some(Time(0));
            let aggregates = config.venue.aggregates_alone();
            let fed = Sourcing { aggregates, known_from, ..Sourcing::default() };
            market = market.with_sourcing(table, &vec![fed; table.len()]);
        }
        let delay_ns = config.pipeline.answer_delay_us.saturating_mul(1_000);
        // Risk's and the simulated venue's are the same, by what that venue charges.
        let dearest = simulation.as_ref().and_then(|simulation| simulation.fills.tiers.dearest());
        let wallets = || {
            Wallets::new(table, &config.paper.balances)
                .map(|wallets| wallets.charging(dearest))
                .map_err(|e| PipelineError::Setup { label: "balances".into(), problem: e.to_string() })
        };
        let furniture = RiskFurniture {
            config,
            wallets: wallets()?.resuming(&resumed.wallets).aloof(options.ignores_account),
            filters,
            resumed: &resumed,
            carried: options.carried.as_ref(),
            watch: options.watch.take(),
            of_bars: simulation.as_ref().map(Simulation::of_bars),
            bares_what_waits: options.bares_what_waits,
        };
        let limits = config.risk.limits;
        let denials_out = answering.then_some(denials_out);
        let risk: TradingStage = match options.asked.filter(|_| denials_out.is_none()) {
            Some(order) => {
                let rules = WatchedRules::of(order);
                let risk = RiskStage::watching(table, strategies, limits, intents_in, verdicts_out, rules);
                Box::new(furniture.put_into(risk))
            }
            None => Box::new(furniture.put_into(RiskStage::new(
                table,
                strategies,
                limits,
                intents_in,
                verdicts_out,
                denials_out,
                delay_ns,
            ))),
        };
        tell_of_missing_limits(config);
        if answering && simulation.is_none() {
            tell_of_assumed_capital(config);
        }
        let score = simulation.as_ref().map(|s| Score::new(table, strategies, s.score.clone()));
        let execution = ExecutionStage::new(table, strategies, epoch, verdicts_in, records_out, gateway_out)
            .resuming(&resumed.desks)
            .with_score(score);
        let execution = match config.accounting {
            Method::Fifo => execution.with_lots(&resumed.lots),
            Method::Average => execution,
        };
        let journal =
            JournalStage::new(records_in, journal_writer(config, &mut options, epoch)?, stop.clone());
        let mut orders_answers = None;
        let mut commands = None;
        if options.commanded {
            let (commands_out, commands_in) = lane("control→sequencer", lane_slots, 1, &stop);
            answers.push(commands_in);
            commands = Some(commands_out);
        }
        let gateway: TradingStage = if let Some(handover) = options.handover.take() {
            let (refused_out, refused_in) = lanes.lane("gateway→sequencer", [Gateway, Feed], verdicts_max);
            let (reports_out, reports_in) = lane("orders→sequencer", lane_slots, 1, &stop);
            answers.extend([refused_in, reports_in]);
            orders_answers = Some(reports_out);
            Box::new(LiveGateway::new(gateway_in, handover, refused_out, clock.clone()))
        } else if let Some(simulation) = simulation {
            let most = FillGateway::answers_per_event_max(table, strategies, &simulation.fills);
            let (fills_out, fills_in) = lanes.lane("gateway→sequencer", [Gateway, Feed], most);
            answers.push(fills_in);
            let (wallets, fills_out) = (wallets()?, answering.then_some(fills_out));
            let settings = FillSettings { floor_ns: delay_ns, ..simulation.fills };
            Box::new(FillGateway::new(table, strategies, wallets, settings, gateway_in, fills_out))
        } else {
            let fills_max = 2 * ANSWERS_PER_EVENT_MAX;
            let (fills_out, fills_in) = lanes.lane("gateway→sequencer", [Gateway, Feed], fills_max);
            answers.push(fills_in);
            let paper = PaperSettings {
                order_latency_ns: config.paper.order_latency_us.saturating_mul(1_000),
                answer_delay_ns: delay_ns,
                fill_on_touch: config.paper.fill == FillRule::Touch,
                aggregates: config.venue.aggregates_alone(),
            };
            Box::new(PaperGateway::new(table, strategies, paper, gateway_in, answering.then_some(fills_out)))
        };

        let mut stages: Vec<TradingStage> =
            vec![Box::new(market), Box::new(strategy), risk, Box::new(execution), Box::new(journal), gateway];
        if let Some(wrap) = &mut options.wrap {
            stages = stages.into_iter().map(wrap).collect();
        }
        let ring_slots = config.pipeline.ring_slots;
        // What happens in no real time is not worth a stamp.
        let sampler = Sampler::one_in(if timed { config.pipeline.stamp_one_in } else { u32::MAX });
        let (indicators, live, unpinned) = (requests.len(), options.live, options.by_hand);
        let floor_ns = delay_ns;
        let parts =
            Started { timed, unpinned, ring_slots, floor_ns, answers, sampler, indicators, live, books_of };
        let mut pipeline = Self::start(topology, table, stages, parts, clock, stop)?;
        (pipeline.answers, pipeline.commands) = (orders_answers, commands);
        (pipeline.contradictions, pipeline.bars_wanted) = (contradictions, bars_wanted);
        Ok(pipeline)
    }

    fn start(
        topology: Topology,
        table: &InstrumentTable,
        stages: Vec<TradingStage>,
        parts: Started,
        clock: StampClock,
        stop: Stop,
    ) -> Result<Self, PipelineError> {
        let stages_of = |roles: &[Role]| roles.iter().filter(|r| **r != Role::Feed).count();
        let groups = topology.threads.iter().filter(|t| stages_of(&t.roles) > 0).count();
        // Where one thread does all, an event is handled before the next is there: the ring is read where it was
        // just written, and a short one stays in the nearest cache.
        let alone = groups == topology.threads.len() && groups == 1;
        let ring_slots = if alone { parts.ring_slots.min(RING_SLOTS_INLINE) } else { parts.ring_slots };
        let ring = build_ring(ring_slots, groups);
        let progress = Progress::default();
        // Several simulations may run side by side: none takes a core for itself.
        let timed = parts.timed;
        let mut stages = stages.into_iter();
        let mut pollers = ring.pollers.into_iter();
        let mut local = None;
        let mut threads = Vec::new();
        let mut left = groups;
        for plan in &topology.threads {
            let count = stages_of(&plan.roles);
            let Some(poller) = (count > 0).then(|| pollers.next()).flatten() else { continue };
            left -= 1;
            let last = (left == 0).then(|| progress.clone());
            let stages = stages.by_ref().take(count).collect();
            let books = BookKeeper::new(table.all(), |i| parts.books_of.wants(&plan.roles, i.id));
            let group = Group::new(poller, stages, books, clock.clone(), parts.sampler, stop.clone(), last);
            let group = if parts.timed { group } else { group.untimed() };
            if plan.roles.contains(&Role::Feed) {
                local = Some(group);
                continue;
            }
            let (core, idle) = (plan.core, Idle::crowded(plan.wait, topology.crowded));
            let housekeeping = topology.housekeeping.clone();
            let thread = std::thread::Builder::new()
                .name(plan.name.clone())
                .spawn(move || {
                    match core {
                        _ if !timed => {}
                        Some(core) => pin(core),
                        None => keep_to(&housekeeping),
                    }
                    group.run(idle)
                })
                .map_err(PipelineError::Thread)?;
            threads.push(thread);
        }
        let feed = &topology.threads[0];
        feed.core.iter().copied().filter(|_| timed && !parts.unpinned).for_each(pin);
        let sequencer = Sequencer::new(SequencerParts {
            producer: ring.producer,
            ring_slots,
            local,
            progress,
            answers: parts.answers,
            floor_ns: parts.floor_ns,
            clock: clock.clone(),
            idle: Idle::crowded(feed.wait, topology.crowded),
            stop: stop.clone(),
            live: parts.live,
            simulated: !parts.timed,
        });
        let books = table.all().iter().map(|i| parts.books_of.any(i.id)).collect();
        let Started { sampler, indicators, .. } = parts;
        Ok(Self {
            sequencer,
            topology,
            stop,
            clock,
            sampler,
            indicators,
            books,
            answers: None,
            commands: None,
            contradictions: None,
            bars_wanted: None,
            threads,
        })
    }

    /// Ends the ring, waits for the threads, and hands out the stages with their results, in chain order.
    #[must_use]
    pub fn finish(self) -> Vec<GroupResult<BookKeeper>> {
        let mut results = Vec::new();
        let local = self.sequencer.finish();
        results.extend(local.map(Group::finish));
        for thread in self.threads {
            // A panic in a stage is caught in its group; what is left can only be a fault of the runner itself.
            match thread.join() {
                Ok(result) => results.push(result),
                Err(_) => self.stop.stop(crate::pipeline::StopReason::StageFailed {
                    stage: "thread",
                    message: "a stage's thread died; please report this".into(),
                }),
            }
        }
        results
    }
}

/// Says which limits nobody wrote down: orders are denied for them, and their owner should not have to search for it. Once
/// of a configuration: a sweep makes thousands of pipelines of one.
fn tell_of_missing_limits(config: &Config) {
    static TOLD: Mutex<Option<(String, Vec<String>)>> = Mutex::new(None);
    let missing = &config.risk.missing;
    if missing.is_empty() || config.strategies.is_empty() {
        return;
    }
    let of = (config.file.clone(), missing.clone());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.as_ref() != Some(&of) {
        *told = Some(of);
        log::warn!(
            "every order that does not reduce will be denied, since [risk] in {} leaves {} limits unset: {}; write each, \
             if only as \"none\", or unset = \"default\"",
            config.file,
            missing.len(),
            missing.join(", ")
        );
    }
}

/// Says what equity a sizing counts from that nobody wrote. Once of a configuration: a replay at many rates makes a pipeline for
/// each.
fn tell_of_assumed_capital(config: &Config) {
    static TOLD: Mutex<Option<String>> = Mutex::new(None);
    let Some(assumed) = config.capital_that_is_assumed() else { return };
    let assumed = format!("{}: {assumed}", config.file);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.as_ref() != Some(&assumed) {
        log::warn!("{assumed}");
        *told = Some(assumed);
    }
}

struct Started {
    /// Whether events come in real time: the whole way is timed, and threads are pinned.
    timed: bool,
    /// Whether the feed's thread stays where it is.
    unpinned: bool,
    ring_slots: usize,
    floor_ns: u64,
    sampler: Sampler,
    answers: Vec<LaneReceiver<Answer>>,
    indicators: usize,
    live: bool,
    books_of: BooksOf,
}
