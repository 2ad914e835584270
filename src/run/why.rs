//! How an order came about, told from its run's journal: what the market did, what the indicators said, which strategy
//! decided by which parameters, and what risk made of it.
//!
//! The journal has what happened and what was decided. What a strategy saw in between, tops of book and indicator
//! values, follows from that: the run is run again up to the event that the order answers.

use super::config::{Config, ConfigError};
use super::pipeline::{Pipeline, PipelineError, PipelineOptions, seat_strategies};
use crate::audit::{Body, Projector};
use crate::domain::decimal::Scaled;
use crate::domain::event::Event;
use crate::domain::{ClientOrderId, Instrument, InstrumentId, InstrumentTable, OrderId, Qty, Slot, Time};
use crate::execution::{Record, RecordKind};
use crate::journal::{Entry, JournalError, JournalHeader, JournalReader};
use crate::market::Top;
use crate::market::indicator::find;
use crate::market::request::{IndicatorBody, IndicatorRequest};
use crate::pipeline::{StopReason, Threading, Wait};
use crate::strategy::sizing::{AMOUNT_DECIMALS, Sized};
use crate::strategy::{StrategySpec, StrategyStage};
use serde::Serialize;
use std::collections::VecDeque;
use std::path::Path;
use thiserror::Error;

/// Events of the order's instrument that are told of before the one that it answers.
const EVENTS_BEFORE: usize = 5;

/// How an order came about, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// The order's number within its run.
    pub order: u64,
    /// What the venue knows it by.
    pub client_id: String,
    /// The order, and the decision on it, as the audit trail has it.
    pub decision: Body,
    /// The event that it answers.
    pub seq: u64,
    /// Its time.
    pub time: String,
    /// What happened last, the event that the order answers at the end.
    pub events: Vec<Told>,
    /// Best bid and ask as the strategy saw them.
    pub book: String,
    /// Indicator values as the strategy saw them.
    pub indicators: Vec<IndicatorValue>,
    /// The strategy, and its parameters.
    pub strategy: StrategyFacts,
    /// The strategy's position in the instrument then.
    pub position: String,
    /// How it was sized, where the strategy has sizing and asked for a size at this event.
    pub sizing: Option<SizingFacts>,
    /// What the rules said.
    pub rules: Vec<RuleResult>,
    /// What was done with it afterwards.
    pub afterwards: Vec<Told>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The event.
    pub seq: u64,
    /// When.
    pub time: String,
    /// What.
    pub text: String,
}

/// An indicator's values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndicatorValue {
    /// Such as `sma(20) of binance:spot:BTCUSDT`.
    pub name: String,
    /// Empty while it warmed up.
    pub values: Vec<f64>,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrategyFacts {
    /// Its label.
    pub label: String,
    /// Which strategy it is.
    pub name: String,
    /// What it does.
    pub doc: String,
    /// Its parameters, given and by default, `name = value`.
    pub params: Vec<String>,
}

/// How an order was sized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SizingFacts {
    /// By which method, with which settings.
    pub method: String,
    /// The strategy's equity, in the quote asset.
    pub equity: String,
    /// What could be spent or lost, in the quote asset; zero for a fixed quantity.
    pub budget: String,
    /// What one whole of the base asset costs or loses.
    pub unit: String,
    /// The quantity before lots, caps and smallest sizes.
    pub wanted: String,
    /// The quantity that was allowed.
    pub qty: String,
}

/// What a rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleResult {
    /// The rule.
    pub rule: String,
    /// Whether it let the order pass.
    pub passed: bool,
    /// Why not, or what it compares.
    pub detail: String,
}

/// Why a journal does not tell.
#[derive(Debug, Error)]
pub enum WhyError {
    /// The journal does not read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal has no such order.
    #[error("{journal}: there is no order {order} in this run")]
    NoOrder {
        /// The journal.
        journal: String,
        /// What was asked for.
        order: String,
    },
    /// The configuration is refused by this version.
    #[error("{journal}: its configuration is refused by this version:\n{error}")]
    Config {
        /// The journal.
        journal: String,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// The run cannot be run again.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The run's instruments do not fit together, or it ended before.
    #[error("{journal}: the run cannot be run again up to event {seq}: {problem}")]
    NotAgain {
        /// The journal.
        journal: String,
        /// The event.
        seq: u64,
        /// Why.
        problem: String,
    },
}

/// What the journal itself says of an order.
struct Found {
    seq: u64,
    time: Time,
    record: Record,
    decision: Body,
    events: Vec<Told>,
    afterwards: Vec<Told>,
}

/// Tells how the order came about whose number or client id is `wanted`.
///
/// # Errors
/// [`WhyError`].
pub fn why(journal: &Path, wanted: &str, strategies: &'static [StrategySpec]) -> Result<Why, WhyError> {
    let name = journal.display().to_string();
    let mut reader = JournalReader::open(journal)?;
    let header = reader.header().clone();
    let again =
        |seq, problem: &str| WhyError::NotAgain { journal: name.clone(), seq, problem: problem.into() };
    let table = InstrumentTable::new(header.instruments.clone()).map_err(|e| again(0, &e.to_string()))?;
    let id = order_id(wanted, &header);
    let found = id.map(|id| search(&mut reader, &header, &table, id)).transpose()?.flatten();
    let Some(found) = found else {
        return Err(WhyError::NoOrder { journal: name, order: wanted.to_owned() });
    };
    let config = Config::from_text_with_instruments(&header.config_text, &header.config_name, table.clone())
        .map_err(|error| WhyError::Config { journal: name.clone(), error })?;
    let stage = run_again(journal, &header, &config, strategies, found.seq)?;
    let order = &found.record.order;
    let instrument = table.get(order.instrument);
    let desk = stage.seats().get(order.strategy.index()).map(|seat| &seat.desk.state);
    let position = desk.and_then(|desk| desk.positions.get(order.instrument.index()));
    let position = position.map_or(0, |position| position.qty.0);
    Ok(Why {
        order: order.id.0,
        client_id: found.record.client_id.to_string(),
        decision: found.decision,
        seq: found.seq,
        time: found.time.to_string(),
        events: found.events,
        book: book(&stage.view().top(order.instrument), instrument),
        indicators: indicators(&config, order.strategy.index(), &stage, strategies)?,
        strategy: facts(&config, order.strategy.index(), strategies),
        position: Scaled { value: position.into(), decimals: instrument.qty_decimals }.to_string(),
        sizing: stage.seats().get(order.strategy.index()).and_then(|seat| seat.desk.sized).and_then(
            |sized| {
                let now = sized.seq == found.seq && sized.instrument == order.instrument;
                now.then(|| sizing(&sized, instrument))
            },
        ),
        rules: rules(&found.record),
        afterwards: found.afterwards,
    })
}

/// The order's number, from that itself or from a client id of this run.
fn order_id(wanted: &str, header: &JournalHeader) -> Option<OrderId> {
    if let Some(id) = ClientOrderId::from_bytes(wanted.as_bytes()) {
        let number = u64::from_str_radix(&wanted[ClientOrderId::EPOCH_CHARS..], 36).ok()?;
        let order = OrderId(number);
        return (ClientOrderId::derive(header.epoch, order) == id).then_some(order);
    }
    wanted.parse().ok().map(OrderId)
}

fn search(
    reader: &mut JournalReader,
    header: &JournalHeader,
    table: &InstrumentTable,
    id: OrderId,
) -> Result<Option<Found>, JournalError> {
    let mut projector = Projector::new(header);
    let mut recent: VecDeque<(InstrumentId, Told)> = VecDeque::new();
    let mut found: Option<Found> = None;
    while let Some(entry) = reader.next_entry()? {
        let body = projector.take(&entry);
        let at = projector.at();
        let told = |text| Told { seq: at.seq, time: at.time.to_string(), text };
        match (&entry, &mut found) {
            (Entry::Slot(slot), None) if slot.is_first() => {
                if let Some(text) = describe(slot, table) {
                    recent.push_back((slot.instrument(), told(text)));
                    let longest = EVENTS_BEFORE * 40 * table.len().max(1);
                    if recent.len() > longest {
                        recent.pop_front();
                    }
                }
            }
            (Entry::Record(record), None) if record.order.id == id && is_order(record.kind) => {
                let instrument = record.order.instrument;
                let mut events: Vec<Told> =
                    recent.iter().rev().take(1).map(|(_, told)| told.clone()).collect();
                let before = recent.iter().rev().skip(1).filter(|(i, _)| *i == instrument);
                events.extend(before.take(EVENTS_BEFORE).map(|(_, told)| told.clone()));
                events.reverse();
                let decision = body.unwrap_or(Body::End {});
                let (seq, time) = (at.seq, at.time);
                found = Some(Found { seq, time, record: *record, decision, events, afterwards: Vec::new() });
            }
            (_, Some(found)) => {
                if let Some(text) = body.as_ref().and_then(|body| concerning(body, id.0)) {
                    found.afterwards.push(told(text));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn is_order(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Order | RecordKind::Denied | RecordKind::Held)
}

/// What a record of the trail says of order `id`.
fn concerning(body: &Body, id: u64) -> Option<String> {
    let of = |order: &crate::audit::record::Whose| order.order == id;
    match body {
        Body::Order { decision, reason, order } if of(&order.whose) => {
            Some(format!("{decision}{}", reason.map(|r| format!(": {r}")).unwrap_or_default()))
        }
        Body::Cancel { order } if of(order) => Some("a cancel is sent".to_owned()),
        Body::Manager { change, order } if of(order) => Some(change.clone()),
        Body::Reply { reply, reason, order } if of(order) => {
            Some(format!("{reply}{}", reason.map(|r| format!(": {r}")).unwrap_or_default()))
        }
        Body::Fill { order, side, qty, price, fee, maker, trade_id } if of(order) => {
            let made = if *maker { "maker" } else { "taker" };
            Some(format!("fill: {side} {qty} at {price}, fee {fee}, {made}, trade {trade_id}"))
        }
        _ => None,
    }
}

/// What a slot says, for a person; nothing of those that only continue an event.
fn describe(slot: &Slot, table: &InstrumentTable) -> Option<String> {
    let instrument = table.all().get(slot.instrument().index());
    let name = instrument.map_or_else(String::new, Instrument::name);
    let price =
        |value: i64| Scaled { value: value.into(), decimals: instrument.map_or(0, |i| i.price_decimals) };
    let qty = |value: i64| Scaled { value: value.into(), decimals: instrument.map_or(0, |i| i.qty_decimals) };
    Some(match slot.event() {
        Event::Clock => "time passed".to_owned(),
        Event::Trade(t) => {
            format!("{name}: trade of {} at {}, by a {}er", qty(t.qty.0), price(t.price.0), t.aggressor)
        }
        Event::Quote(q) => format!(
            "{name}: quote {} x {} / {} x {}",
            qty(q.bid.qty.0),
            price(q.bid.price.0),
            price(q.ask.price.0),
            qty(q.ask.qty.0)
        ),
        Event::DepthDiff(d) => format!("{name}: depth diff of {} bids and {} asks", d.bids, d.asks),
        Event::DepthSnapshot(d) => format!("{name}: whole book of {} bids and {} asks", d.bids, d.asks),
        Event::DepthPartial(d) => format!("{name}: best {} bids and {} asks", d.bids, d.asks),
        Event::Kline(_) => format!("{name}: bar of the venue"),
        Event::Report(r) => format!("{name}: the venue on order {}: {:?}", r.order.0, r.kind),
        Event::Denial(d) => format!("{name}: order {} was denied: {}", d.order.0, d.reason),
        Event::Command(c) => format!("command: {c:?}"),
        Event::Interrupted(_) => format!("{name}: market data interrupted"),
        Event::Rules(_) => format!("{name}: the venue changed its rules"),
        Event::Levels | Event::KlineTail => return None,
    })
}

/// Runs the journal's events again up to `seq`, and hands out the strategies as they then are.
fn run_again(
    journal: &Path,
    header: &JournalHeader,
    config: &Config,
    strategies: &'static [StrategySpec],
    seq: u64,
) -> Result<Box<StrategyStage>, WhyError> {
    let mut config = config.clone();
    config.journal.path = None;
    if let Some(balances) = &header.balances {
        config.paper.balances.clone_from(balances);
    }
    let mut reader = JournalReader::open(journal)?;
    let again = |problem: String| WhyError::NotAgain { journal: journal.display().to_string(), seq, problem };
    super::replay::on_a_thread_of_its_own(|| {
        let mut pipeline = Pipeline::build(
            &config,
            PipelineOptions {
                threading: Some(Threading::Inline),
                wait: Some(Wait::Backoff),
                oversubscribe: true,
                answers_recorded: true,
                epoch: header.epoch,
                strategies,
                ..PipelineOptions::default()
            },
        )?;
        while pipeline.sequencer.seq() < seq {
            let Some(slot) = reader.next_slot()? else { break };
            if pipeline.sequencer.republish(slot).is_err() {
                break;
            }
        }
        if pipeline.sequencer.await_all().is_err() || pipeline.sequencer.seq() < seq {
            return Err(again("it ended before".to_owned()));
        }
        let stop = pipeline.stop.clone();
        let stages = pipeline.finish().into_iter().flat_map(|group| group.stages);
        let found = stages.filter_map(|stage| stage.into_any().downcast().ok()).next();
        match stop.reason() {
            Some(reason) if reason != StopReason::Interrupted => Err(again(reason.to_string())),
            _ => found.ok_or_else(|| again("its strategies are gone".to_owned())),
        }
    })?
}

fn book(top: &Top, instrument: &Instrument) -> String {
    if !top.is_two_sided() {
        return "not known, or not to be trusted".to_owned();
    }
    let price = |value: i64| Scaled { value: value.into(), decimals: instrument.price_decimals };
    let qty = |value: i64| Scaled { value: value.into(), decimals: instrument.qty_decimals };
    let (bid, ask) = (top.bid, top.ask);
    format!(
        "bid {} x {}, ask {} x {}",
        price(bid.price.0),
        qty(bid.qty.0),
        price(ask.price.0),
        qty(ask.qty.0)
    )
}

/// The values of what this strategy asked for.
fn indicators(
    config: &Config,
    strategy: usize,
    stage: &StrategyStage,
    strategies: &'static [StrategySpec],
) -> Result<Vec<IndicatorValue>, PipelineError> {
    let (_, all) = seat_strategies(config, strategies)?;
    let mut alone = config.clone();
    alone.strategies = config.strategies.get(strategy).cloned().into_iter().collect();
    let (_, own) = seat_strategies(&alone, strategies)?;
    let value = |request: &IndicatorRequest| {
        let slot = all.iter().position(|other| other == request)?;
        let values = stage.view().values.get(slot).copied().flatten();
        let (name, outputs) = match &request.body {
            IndicatorBody::Closes(key) => {
                (key.to_string(), find(key.name).map_or(1, |spec| spec.outputs.len()))
            }
            IndicatorBody::Imbalance { levels } => (format!("imbalance({levels})"), 1),
        };
        let of = config.instruments.get(request.instrument).name();
        let values = values.map(|values| values[..outputs.min(values.len())].to_vec()).unwrap_or_default();
        Some(IndicatorValue { name: format!("{name} of {of}"), values })
    };
    Ok(own.iter().filter_map(value).collect())
}

fn sizing(sized: &Sized, instrument: &Instrument) -> SizingFacts {
    let qty = |qty: Qty| Scaled { value: qty.0.into(), decimals: instrument.qty_decimals }.to_string();
    SizingFacts {
        method: format!("{:?}", sized.method),
        equity: Scaled { value: sized.equity, decimals: AMOUNT_DECIMALS }.to_string(),
        budget: Scaled { value: sized.budget.0, decimals: instrument.notional_decimals() }.to_string(),
        unit: Scaled { value: sized.unit.0.into(), decimals: instrument.price_decimals }.to_string(),
        wanted: qty(sized.wanted),
        qty: qty(sized.qty),
    }
}

fn facts(config: &Config, strategy: usize, more: &'static [StrategySpec]) -> StrategyFacts {
    let Some(configured) = config.strategies.get(strategy) else {
        let (label, name, doc) = (format!("#{strategy}"), String::new(), String::new());
        return StrategyFacts { label, name, doc, params: Vec::new() };
    };
    let spec = more.iter().chain(crate::strategy::BUILT_IN).find(|spec| spec.name == configured.name);
    let given = |name: &str| configured.params.entries.iter().rfind(|entry| entry.name == name);
    let params = spec.map_or(&[][..], |spec| spec.params).iter().map(|param| match given(param.name) {
        Some(entry) => format!("{} = {}", param.name, entry.value),
        None => format!("{} = {} (by default)", param.name, param.kind.default_value()),
    });
    StrategyFacts {
        label: configured.label.clone(),
        name: configured.name.clone(),
        doc: spec.map_or("", |spec| spec.doc).to_owned(),
        params: params.collect(),
    }
}

/// What the rules said: they run in the order of their table, and the first denial stands.
fn rules(record: &Record) -> Vec<RuleResult> {
    if let Some(reason) = record.denied {
        let (rule, detail) = (reason.label().to_owned(), "denied".to_owned());
        return vec![RuleResult { rule, passed: false, detail }];
    }
    if record.kind == RecordKind::Held {
        return Vec::new();
    }
    let binding = crate::risk::RULES.iter().filter(|rule| !record.order.reduce_only || rule.binds_reducing);
    let passed = |rule: &crate::risk::RuleSpec| RuleResult {
        rule: rule.name.to_owned(),
        passed: true,
        detail: rule.doc.to_owned(),
    };
    binding.map(passed).collect()
}
