//! What a run did: gathered from its stages when it is over, printed for people or as JSON.

use super::audit::AuditSummary;
use super::config::{Config, QUOTE_DECIMALS};
use super::feed::{Feed, FeedCounts, FrameProblem};
use super::live::LiveOutcome;
use super::orders::OrdersOutcome;
use super::pipeline::Pipeline;
use super::store::StoreSummary;
use crate::domain::decimal::Scaled;
use crate::domain::event::FEE_DECIMALS;
use crate::domain::pnl::Method;
use crate::domain::wallet::AssetBalance;
use crate::domain::{Instrument, Lots, Notional, Position, Price};
use crate::execution::fills::FillGateway;
use crate::execution::live::HandoverCounts;
use crate::execution::score::Score;
use crate::execution::{ExecutionCounts, ExecutionStage, LiveGateway, PaperGateway};
use crate::journal::JournalStage;
use crate::market::MarketStage;
use crate::market::stage::BookCounts;
use crate::pipeline::latency::Interval;
use crate::pipeline::{StageHistogram, StopReason, Topology};
use crate::report::units::count;
use crate::risk::stage::Denied;
use crate::risk::units::told;
use crate::risk::{RiskStage, Told};
use crate::strategy::StrategyStage;
use crate::strategy::desk::Refusals;
use serde_json::{Map, Value, json};
use std::any::Any;
use std::time::Duration;

/// One strategy's result in one instrument.
#[derive(Debug, Clone)]
pub struct StrategyResult {
    /// The strategy's label.
    pub label: String,
    /// The instrument.
    pub instrument: Instrument,
    /// Its position and profit, by average cost.
    pub position: Position,
    /// Realised by the configured method, before fees, in the notional's units.
    pub realised: Notional,
    /// What closing what is open at the mark would add, by the same method.
    pub unrealised: Notional,
    /// The last middle price, for what is open.
    pub mark: Price,
}

/// The score of a backtest, and the positions of record by strategy and instrument.
pub type Scored = (Score, Vec<Vec<Position>>);

/// See the module.
#[derive(Debug, Clone)]
pub struct Summary {
    /// What came in; absent when a journal was replayed.
    pub feed: Option<FeedCounts>,
    /// Events of the journal that was replayed, if one was.
    pub journal_events: Option<u64>,
    /// What the connections went through, where the feed was live.
    pub live: Option<LiveOutcome>,
    /// What the sending of orders went through, where they were sent.
    pub orders: Option<OrdersOutcome>,
    /// What was handed to the sending of orders, where they were sent.
    pub handover: Option<HandoverCounts>,
    /// The first frames that could not be decoded.
    pub problems: Vec<FrameProblem>,
    /// Where the first frame of an unknown instrument was.
    pub unknown: Option<(String, u64)>,
    /// Lines that were not frames.
    pub malformed_lines: u64,
    /// Captured files that end amid a block; read to their last whole one.
    pub torn_files: u64,
    /// The last sequence number.
    pub seq: u64,
    /// Answers that entered.
    pub answers: u64,
    /// Events before which the feed waited for the stages.
    pub drains: u64,
    /// Books, by instrument.
    pub books: Vec<(Instrument, BookCounts)>,
    /// Orders and fills.
    pub execution: ExecutionCounts,
    /// What was not there when orders arrived at a simulated market, so that it rejected them, and how many those were.
    pub unmet: Vec<(Instrument, &'static str, u64)>,
    /// Orders still live at the end.
    pub live_orders: usize,
    /// Denials by reason: how many, and limit and value of the last where its rule has them.
    pub denials: Vec<(&'static str, u64, Option<Told>)>,
    /// Requests that strategies made and that could not become intents.
    pub refused: Refusals,
    /// Sizes that strategies asked for and that came to nothing.
    pub sized_at_nothing: u64,
    /// What their profit was realised by.
    pub accounting: Method,
    /// Whether it goes on where another run ended, so that results, positions and balances are of both.
    pub resumed: bool,
    /// Results, by strategy and instrument.
    pub strategies: Vec<StrategyResult>,
    /// What the wallets hold; empty where no balances are configured.
    pub balances: Vec<AssetBalance>,
    /// Indicators computed, and how many of them never left their warm-up.
    pub indicators: (usize, usize),
    /// SHA-256 of the order stream.
    pub order_stream_sha256: String,
    /// Bytes of requests encoded for the venue.
    pub encoded_bytes: u64,
    /// Bytes of journal written.
    pub journal_bytes: u64,
    /// Latencies, in the order of the way.
    pub latencies: Vec<StageHistogram>,
    /// Latency of the whole way by stretches of the run.
    pub intervals: Vec<Interval>,
    /// What ran where.
    pub topology: Topology,
    /// What a stamp costs here, ns.
    pub stamp_cost_ns: f64,
    /// From the first frame to the last.
    pub elapsed: Duration,
    /// From the start of the feed to the first event published.
    pub first_event_after: Option<Duration>,
    /// What the store's thread did, if the run had one.
    pub store: Option<StoreSummary>,
    /// What the audit trail's thread did, if the run had one.
    pub audit: Option<AuditSummary>,
    /// What a restart would not know of what is stopped, paused or lost, since it could not be written: why, a sentence each.
    pub not_written: Vec<String>,
    /// Why it ended early, if it did.
    pub stopped: Option<StopReason>,
}

impl Summary {
    /// Ends the pipeline and gathers everything.
    #[must_use]
    pub fn collect(
        config: &Config,
        pipeline: Pipeline,
        feed: Option<Feed>,
        malformed_lines: u64,
        elapsed: Duration,
        first_event_after: Option<Duration>,
    ) -> Self {
        Self::collect_scored(config, pipeline, feed, malformed_lines, elapsed, first_event_after).0
    }

    /// The same, and the score of a backtest with the positions of record.
    #[must_use]
    pub fn collect_scored(
        config: &Config,
        pipeline: Pipeline,
        feed: Option<Feed>,
        malformed_lines: u64,
        elapsed: Duration,
        first_event_after: Option<Duration>,
    ) -> (Self, Option<Scored>) {
        let mut score = None;
        let seq = pipeline.sequencer.seq();
        let (answers, drains) = (pipeline.sequencer.answers_entered(), pipeline.sequencer.drains());
        let (topology, clock) = (pipeline.topology.clone(), pipeline.clock.clone());
        let (stop, indicators) = (pipeline.stop.clone(), pipeline.indicators);
        let table = config.instruments.clone();
        let results = pipeline.finish();
        let mut summary = Self {
            feed: feed.as_ref().map(|f| f.counts),
            journal_events: None,
            live: None,
            orders: None,
            handover: None,
            problems: Vec::new(),
            unknown: None,
            malformed_lines,
            torn_files: 0,
            seq,
            answers,
            drains,
            books: Vec::new(),
            execution: ExecutionCounts::default(),
            unmet: Vec::new(),
            live_orders: 0,
            denials: Vec::new(),
            refused: Refusals::default(),
            sized_at_nothing: 0,
            accounting: config.accounting,
            resumed: false,
            strategies: Vec::new(),
            balances: Vec::new(),
            indicators: (indicators, 0),
            order_stream_sha256: String::new(),
            encoded_bytes: 0,
            journal_bytes: 0,
            latencies: Vec::new(),
            intervals: Vec::new(),
            topology,
            stamp_cost_ns: clock.cost_ns(),
            elapsed,
            first_event_after,
            store: None,
            audit: None,
            not_written: Vec::new(),
            stopped: None,
        };
        if let Some(feed) = feed {
            summary.problems = feed.problems;
            summary.unknown = feed.unknown;
            summary.latencies.extend([feed.decode, feed.sequence]);
        }
        let mut labels: Vec<(String, Vec<crate::domain::InstrumentId>)> = Vec::new();
        let mut positions: Vec<Vec<Position>> = Vec::new();
        let mut lots: Option<Vec<Vec<Lots>>> = None;
        for result in results {
            summary.latencies.extend(result.latencies);
            summary.intervals.extend(result.intervals);
            for stage in result.stages {
                let mut any: Box<dyn Any> = stage.into_any();
                if let Some(execution) = any.downcast_mut::<ExecutionStage>() {
                    score = execution.take_score();
                }
                if let Some(market) = any.downcast_ref::<MarketStage>() {
                    let books = market.book_counts(&result.shared).into_iter();
                    summary.books = books.map(|b| (table.get(b.instrument).clone(), b)).collect();
                } else if let Some(strategy) = any.downcast_ref::<StrategyStage>() {
                    let seats = strategy.seats();
                    labels = seats.iter().map(|s| (s.label.clone(), s.instruments.clone())).collect();
                    seats.iter().for_each(|seat| summary.refused.add_all(&seat.desk.refused));
                    summary.sized_at_nothing = seats.iter().map(|s| s.desk.sized_at_nothing).sum();
                    summary.indicators.1 = strategy.indicators_warming_up();
                } else if let Some(risk) = any.downcast_ref::<RiskStage>() {
                    let last = |reason, d: &Denied| {
                        told(reason, (d.limit, d.value, d.measure), table.get(d.instrument))
                    };
                    summary.denials =
                        risk.denials().map(|(r, d)| (r.label(), d.count, last(r, &d))).collect();
                    summary.balances = risk.wallets().assets().to_vec();
                } else if let Some(execution) = any.downcast_ref::<ExecutionStage>() {
                    summary.execution = execution.counts();
                    summary.live_orders = execution.live().len();
                    positions = execution.positions().to_vec();
                    lots = execution.lots().map(<[_]>::to_vec);
                } else if let Some(journal) = any.downcast_ref::<JournalStage>() {
                    summary.order_stream_sha256 = journal.order_stream_sha256();
                    summary.journal_bytes = journal.journal_bytes();
                } else if let Some(gateway) = any.downcast_ref::<PaperGateway>() {
                    summary.encoded_bytes = gateway.encoded_bytes();
                    let unmet = gateway.unmet();
                    summary.unmet = unmet.map(|(of, what, n)| (table.get(of).clone(), what, n)).collect();
                } else if let Some(gateway) = any.downcast_ref::<FillGateway>() {
                    let unmet = gateway.unmet();
                    summary.unmet = unmet.map(|(of, what, n)| (table.get(of).clone(), what, n)).collect();
                } else if let Some(gateway) = any.downcast_ref::<LiveGateway>() {
                    summary.handover = Some(gateway.counts());
                }
            }
        }
        for (strategy, ((label, instruments), positions)) in labels.iter().zip(&positions).enumerate() {
            for id in instruments {
                let mark = summary.books.get(id.index()).map_or(Price(0), |(_, b)| b.top.mid());
                let position = positions[id.index()];
                let (realised, unrealised) = match &lots {
                    Some(lots) => {
                        let lots = &lots[strategy][id.index()];
                        (lots.realised(), lots.unrealised(mark))
                    }
                    None => (position.realised, position.unrealised(mark)),
                };
                summary.strategies.push(StrategyResult {
                    label: label.clone(),
                    instrument: table.get(*id).clone(),
                    position,
                    realised,
                    unrealised,
                    mark,
                });
            }
        }
        summary.stopped = stop.reason();
        (summary, score.map(|score| (score, positions)))
    }

    /// Frames a second, or events of a journal.
    #[must_use]
    pub fn events_per_s(&self) -> f64 {
        let frames = self.feed.map_or(self.journal_events.unwrap_or(0), |f| f.lines);
        frames as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Sums over all books.
    #[must_use]
    pub fn book_totals(&self) -> BookTotals {
        let mut totals = BookTotals::default();
        for (_, b) in &self.books {
            totals.gaps += b.sync.gaps;
            totals.crossed += b.sync.crossed;
            totals.stale += b.sync.stale;
            totals.not_bridging += b.sync.not_bridging;
            totals.snapshots += b.sync.snapshots;
            totals.bbo_checked += b.bbo_checked;
            totals.bbo_equal += b.bbo_equal;
            totals.overflow_grown += b.overflow_grown;
            totals.late_trades += b.late_trades;
            totals.ahead_trades += b.ahead_trades;
            totals.missing_trades += b.missing_trades;
            totals.repeated_trades += b.repeated_trades;
            totals.incomplete_bars += b.incomplete_bars;
            totals.book_bytes_max = totals.book_bytes_max.max(b.book_bytes);
        }
        totals
    }

    /// A sentence for each book that is none in the end: a run that ends so did nothing of what it looks for in it from some
    /// moment on, which is not that there was no signal.
    pub fn blind_books(&self) -> impl Iterator<Item = String> {
        self.books.iter().filter(|(_, book)| book.blind).map(|(of, book)| {
            let sync = &book.sync;
            let why = match sync.snapshots {
                0 => "no snapshot came that its diffs go on from".to_owned(),
                _ if sync.gaps == 0 => "interrupted, and no book came since".to_owned(),
                _ => format!("out of step since the last of {} gaps", count(sync.gaps)),
            };
            format!("{} has no book in the end: {why}; strategies do not see it", of.name())
        })
    }

    /// A sentence for each instrument whose orders were rejected because a simulated market had nothing for them.
    pub fn unmet_orders(&self) -> impl Iterator<Item = String> {
        self.unmet.iter().map(|(of, what, orders)| {
            format!("{} of the orders of {} met {what} when they arrived", count(*orders), of.name())
        })
    }

    /// The summary as JSON. Money is text, so that no digit is lost.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut all = Map::new();
        let mut put = |key: &str, value: Value| {
            all.insert(key.to_owned(), value);
        };
        if let Some(f) = self.feed {
            put("lines", json!(f.lines + self.malformed_lines));
            put("frames", json!(f.frames));
            put("snapshots", json!(f.snapshots));
            put("levels", json!(f.levels));
            put("decode_errors", json!(f.decode_errors));
            put("ignored", json!(f.ignored));
            put("interruptions", json!(f.interruptions));
            put("unknown_instruments", json!(f.unknown_instruments));
            put("malformed_lines", json!(self.malformed_lines));
            put("torn_files", json!(self.torn_files));
            put("clock_backwards", json!(f.clock_backwards));
            put(
                "frames_by_kind",
                json!({ "trade": f.trades, "quote": f.quotes, "depth": f.depths, "kline": f.klines }),
            );
        }
        if !self.problems.is_empty() || self.unknown.is_some() {
            let problem = |p: &FrameProblem| json!({ "source": p.source, "line": p.line, "error": p.error.to_string() });
            put("problems", self.problems.iter().map(problem).collect());
            let unknown =
                self.unknown.as_ref().map(|(source, line)| json!({ "source": source, "line": line }));
            put("first_unknown", json!(unknown));
        }
        if let Some(events) = self.journal_events {
            put("journal_events", json!(events));
        }
        if let Some(live) = &self.live {
            put("live", live.to_json());
        }
        if let Some(sent) = &self.orders {
            put("sent", sent.to_json());
        }
        if let Some(h) = &self.handover {
            let (full, closed) = (h.refused_full, h.refused_closed);
            put("handover", json!({ "handed": h.handed, "refused_full": full, "refused_closed": closed }));
        }
        let books = self.book_totals();
        put("gaps", json!(books.gaps));
        put("crossed", json!(books.crossed));
        put("stale_diffs", json!(books.stale));
        put("snapshots_not_bridging", json!(books.not_bridging));
        put("snapshots_applied", json!(books.snapshots));
        put("bbo_checked", json!(books.bbo_checked));
        put("bbo_equal", json!(books.bbo_equal));
        put("book_bytes_max", json!(books.book_bytes_max));
        put("book_overflow_grown", json!(books.overflow_grown));
        put("late_trades", json!(books.late_trades));
        put("ahead_trades", json!(books.ahead_trades));
        put("missing_trades", json!(books.missing_trades));
        put("repeated_trades", json!(books.repeated_trades));
        put("incomplete_bars", json!(books.incomplete_bars));
        let e = &self.execution;
        put("intents", json!(e.intents));
        put("denials", json!(e.denials));
        put(
            "denials_by_reason",
            self.denials.iter().map(|(r, n, _)| ((*r).to_owned(), json!(n))).collect::<Map<_, _>>().into(),
        );
        let last = |(reason, _, told): &(&str, u64, Option<Told>)| {
            told.as_ref().map(|told| ((*reason).to_owned(), json!(told)))
        };
        put("last_denial_by_reason", self.denials.iter().filter_map(last).collect::<Map<_, _>>().into());
        put("orders", json!(e.orders));
        put("cancels", json!(e.cancels));
        put("fills", json!(e.fills));
        put("rejected", json!(e.rejected));
        put("live_orders", json!(self.live_orders));
        put("overfills", json!(e.overfills));
        put("unknown_reports", json!(e.unknown_reports));
        put("refused_requests", json!(self.refused.total()));
        put("refused_requests_by_reason", refusals_json(&self.refused));
        put("sized_at_nothing", json!(self.sized_at_nothing));
        put("unmet_orders", self.unmet_orders().collect());
        put("order_stream_sha256", json!(self.order_stream_sha256));
        put("indicators", json!({ "computed": self.indicators.0, "warming_up": self.indicators.1 }));
        put("accounting", json!(self.accounting.label()));
        put("resumed", json!(self.resumed));
        put("strategies", self.strategies.iter().map(StrategyResult::to_json).collect());
        put("balances", self.balances.iter().map(balance_json).collect());
        put("books", self.books.iter().map(|(i, b)| book_json(i, b)).collect());
        put("seq", json!(self.seq));
        // A journal holds answers among its other events.
        put("answers", json!(self.journal_events.is_none().then_some(self.answers)));
        put("drains", json!(self.drains));
        put("encoded_bytes", json!(self.encoded_bytes));
        put("journal_bytes", json!(self.journal_bytes));
        put("elapsed_s", json!(self.elapsed.as_secs_f64()));
        put("events_per_s", json!(self.events_per_s()));
        put("first_event_after_s", json!(self.first_event_after.map(|d| d.as_secs_f64())));
        put("peak_memory_bytes", json!(peak_memory_bytes()));
        put("stamp_cost_ns", json!(self.stamp_cost_ns));
        put("threading", json!(self.topology.threading.label()));
        put("store", self.store.as_ref().map_or(Value::Null, StoreSummary::to_json));
        put("audit", self.audit.as_ref().map_or(Value::Null, AuditSummary::to_json));
        put("not_written", json!(self.not_written));
        put("stopped", json!(self.stopped.as_ref().map(ToString::to_string)));
        put("stages", self.stages_json());
        Value::Object(all)
    }

    fn stages_json(&self) -> Value {
        let stage = |s: &StageHistogram| {
            let h = &s.histogram;
            json!({
                "count": h.len(),
                "p50": h.value_at_quantile(0.5),
                "p90": h.value_at_quantile(0.9),
                "p99": h.value_at_quantile(0.99),
                "p999": h.value_at_quantile(0.999),
                "max": h.max(),
            })
        };
        self.latencies.iter().map(|s| (s.name.to_owned(), stage(s))).collect::<Map<_, _>>().into()
    }
}

/// Refused requests by reason.
pub fn refusals_json(refused: &Refusals) -> Value {
    refused
        .by_reason()
        .map(|(reason, count)| (reason.label().to_owned(), json!(count)))
        .collect::<Map<_, _>>()
        .into()
}

/// Sums over all books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BookTotals {
    /// Gaps after synchronisation.
    pub gaps: u64,
    /// Crossed books.
    pub crossed: u64,
    /// Diffs older than their book.
    pub stale: u64,
    /// Snapshots too old to be of use.
    pub not_bridging: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Update ids shared by depth and best-bid-and-ask events.
    pub bbo_checked: u64,
    /// Of those, equal.
    pub bbo_equal: u64,
    /// Times a book had to grow.
    pub overflow_grown: u64,
    /// Trades that came after their bar.
    pub late_trades: u64,
    /// Trades dated too far in the future.
    pub ahead_trades: u64,
    /// Trades that are missing by their ids.
    pub missing_trades: u64,
    /// Trades that came again, by their ids.
    pub repeated_trades: u64,
    /// Bars that lacked, or may have lacked, trades.
    pub incomplete_bars: u64,
    /// Memory of the largest book.
    pub book_bytes_max: usize,
}

impl StrategyResult {
    /// Realised profit before fees by the configured method, as exact decimal text.
    #[must_use]
    pub fn realised(&self) -> String {
        let decimals = self.instrument.notional_decimals();
        format!("{:#}", Scaled { value: self.realised.0, decimals })
    }

    /// Profit of what is open at the last middle price.
    #[must_use]
    pub fn unrealised(&self) -> String {
        let decimals = self.instrument.notional_decimals();
        format!("{:#}", Scaled { value: self.unrealised.0, decimals })
    }

    /// Fees paid; those taken in the base asset at their fills' prices, those in third assets at their worth.
    #[must_use]
    pub fn fees(&self) -> String {
        let (value, decimals) = self.exact_fees();
        format!("{:#}", Scaled { value, decimals })
    }

    /// Fees at the finer of the two precisions, and its decimals.
    fn exact_fees(&self) -> (i128, u8) {
        let decimals = self.instrument.notional_decimals();
        let fine = decimals.max(FEE_DECIMALS);
        let up = |value: i128, from: u8| value.saturating_mul(10i128.pow(u32::from(fine - from)));
        let fees = up(self.position.fees.into(), FEE_DECIMALS);
        (fees.saturating_add(up(self.position.fees_in_base.0, decimals)), fine)
    }

    /// Realised and unrealised profit less fees, in units of 10^-8 quote, rounded down.
    #[must_use]
    pub fn net(&self) -> String {
        let decimals = self.instrument.notional_decimals();
        let gross = self.realised.plus(self.unrealised);
        let (fees, fine) = self.exact_fees();
        let net = gross.0.saturating_mul(10i128.pow(u32::from(fine - decimals))).saturating_sub(fees);
        format!("{:#}", Scaled { value: net, decimals: fine })
    }

    /// The signed position.
    #[must_use]
    pub fn qty(&self) -> String {
        format!("{:#}", Scaled { value: self.position.qty.0.into(), decimals: self.instrument.qty_decimals })
    }

    fn to_json(&self) -> Value {
        json!({
            "strategy": self.label,
            "instrument": self.instrument.name(),
            "quote": self.instrument.quote,
            "qty": self.qty(),
            "realised": self.realised(),
            "unrealised": self.unrealised(),
            "fees": self.fees(),
            "net": self.net(),
            "fills": self.position.fills,
        })
    }
}

/// An amount of an asset as exact decimal text.
#[must_use]
pub fn amount(asset: &AssetBalance, value: i128) -> String {
    format!("{:#}", Scaled { value, decimals: asset.decimals })
}

fn balance_json(asset: &AssetBalance) -> Value {
    json!({
        "wallet": format!("{}:{}", asset.venue, asset.market),
        "asset": asset.asset,
        "start": amount(asset, asset.start),
        "moved": amount(asset, asset.moved),
        "total": amount(asset, asset.total),
        "free": amount(asset, asset.free()),
        "locked": amount(asset, asset.locked),
    })
}

fn book_json(instrument: &Instrument, b: &BookCounts) -> Value {
    json!({
        "instrument": instrument.name(),
        "diffs": b.sync.diffs,
        "levels": b.sync.levels,
        "gaps": b.sync.gaps,
        "crossed": b.sync.crossed,
        "bbo_checked": b.bbo_checked,
        "bbo_equal": b.bbo_equal,
        "bytes": b.book_bytes,
        "missing_trades": b.missing_trades,
        "repeated_trades": b.repeated_trades,
        "incomplete_bars": b.incomplete_bars,
        "valid": b.top.valid,
    })
}

/// The largest memory this process has held, bytes; 0 where the system does not say.
#[must_use]
pub fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

const _: () = assert!(QUOTE_DECIMALS == FEE_DECIMALS);
