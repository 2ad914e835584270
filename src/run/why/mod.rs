//! How an order came about, told from its run's journal: what the market did, what the indicators said, which strategy
//! decided by which parameters, and what risk made of it.
//!
//! The journal has what happened and what was decided. What a strategy saw in between, tops of book and indicator
//! values, follows from that: the run is run again up to the event that the order answers.

mod rules;
mod told;
mod words;

pub use told::{Compared, IndicatorValue, RuleResult, SizingFacts, StrategyFacts, Told, Why, WhyError};

use super::config::Config;
use super::pipeline::{Pipeline, PipelineError, PipelineOptions, seat_strategies};
use crate::audit::{Body, Projector};
use crate::domain::decimal::Scaled;
use crate::domain::event::{Denial, Event, Kind};
use crate::domain::{ClientOrderId, InstrumentId, InstrumentTable, OrderId, Time};
use crate::execution::{Record, RecordKind};
use crate::journal::{Entry, JournalError, JournalHeader, JournalReader};
use crate::market::indicator::find;
use crate::market::request::{IndicatorBody, IndicatorRequest};
use crate::pipeline::{StopReason, Threading, Wait};
use crate::risk::{Heard, RiskStage, WatchedRules};
use crate::strategy::{StrategySpec, StrategyStage};
use rules::rules;
use std::collections::VecDeque;
use std::path::Path;
use words::{book, concerning, describe, sizing};

/// Events of the order's instrument that are told of before the one that it answers.
const EVENTS_BEFORE: usize = 5;

/// What the journal itself says of an order.
struct Found {
    seq: u64,
    time: Time,
    record: Record,
    /// What risk said of it, once that was in the ring.
    denial: Option<Denial>,
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
    let order = &found.record.order;
    let (stage, heard) = run_again(journal, &header, &config, strategies, found.seq, order.id)?;
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
        rules: rules(&found.record, &heard, found.denial.as_ref(), instrument),
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
                let (record, denial, afterwards) = (*record, None, Vec::new());
                found = Some(Found { seq, time, record, denial, decision, events, afterwards });
            }
            (_, Some(found)) => {
                if let Entry::Slot(slot) = &entry
                    && slot.kind() == Kind::Denial
                    && let Event::Denial(denial) = slot.event()
                    && denial.order == id
                {
                    found.denial = Some(denial);
                }
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

/// Runs the journal's events again up to `seq`, and hands out the strategies as they then are, and what the rules
/// compared for `order`.
fn run_again(
    journal: &Path,
    header: &JournalHeader,
    config: &Config,
    strategies: &'static [StrategySpec],
    seq: u64,
    order: OrderId,
) -> Result<(Box<StrategyStage>, Heard), WhyError> {
    let mut config = config.clone();
    config.journal.path = None;
    config.market.incomplete_bars = header.incomplete_bars;
    // Those are of the host that it ran on.
    config.pipeline.cores = Default::default();
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
                terms: header.terms.clone(),
                resumed: header.resumed.clone(),
                carried: header.carried.clone(),
                ignores_account: !header.follows_account,
                closing_pace: header.closing_pace(),
                bares_what_waits: !header.protects_what_waits,
                asked: Some(order),
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
        let (mut found, mut heard) = (None, Heard::new());
        for stage in pipeline.finish().into_iter().flat_map(|group| group.stages) {
            match stage.into_any().downcast::<StrategyStage>() {
                Ok(strategies) => found = Some(strategies),
                Err(other) => {
                    if let Some(risk) = other.downcast_ref::<RiskStage<WatchedRules>>() {
                        heard.clone_from(risk.rules().heard());
                    }
                }
            }
        }
        match stop.reason() {
            Some(reason) if reason != StopReason::Interrupted => Err(again(reason.to_string())),
            _ => found.map(|found| (found, heard)).ok_or_else(|| again("its strategies are gone".to_owned())),
        }
    })?
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
