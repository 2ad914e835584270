//! What replay, demo and run print: the same summary, the same report.

use super::table::{folded, number, table, words};
use super::{Outcome, in_the_way};
use crate::domain::pnl::Method;
use crate::domain::wallet::AssetBalance;
use crate::domain::{DenyReason, Instrument};
use crate::market::IncompleteBars;
use crate::monitor::host::HostFacts;
use crate::pipeline::StageHistogram;
use crate::report::latency::{
    self, InstrumentPoint, IntervalSample, LatencyReport, RatePoint, ReportError, RunFacts, StageLatency,
    TopologyRow,
};
pub use crate::report::units::count as grouped;
use crate::run::summary::{BookTotals, StrategyResult, amount};
use crate::run::{AuditSummary, Config, StoreSummary, Summary};
use crate::strategy::desk::Refusals;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;

/// What is told of sizes that came to nothing.
pub fn sized_at_nothing(count: u64) -> String {
    format!(
        "{} sizes that a strategy asked for came to nothing, so that nothing was ordered: less than a lot, no share of \
         the capital, or no capital left",
        grouped(count)
    )
}

/// What is told of trades that are in no bar or missing, and of the bars that lack them.
pub fn trades_astray(books: &BookTotals, incomplete: IncompleteBars) -> Vec<String> {
    let then = match incomplete {
        IncompleteBars::Withhold => "not handed out",
        IncompleteBars::Give => "handed out all the same",
    };
    let told = [
        (books.late_trades, "trades came after their time bar had closed, and are in no bar: see bar_grace_ms".to_owned()),
        (
            books.ahead_trades,
            "trades were dated more than a minute after this host's time, and are in no bar: is its clock set?".to_owned(),
        ),
        (books.missing_trades, "trades are missing by their ids".to_owned()),
        (books.repeated_trades, "trades came again, by their ids: they are in no bar and fill no order".to_owned()),
        (
            books.incomplete_bars,
            format!("bars lack trades, or may (the first, and those where data was lost), and were {then}"),
        ),
    ];
    let told = told.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(count, what)| format!("{} {what}", grouped(count))).collect()
}

/// What is told of a backtest whose strategies did not get what they may have waited for: nothing came of it, which is not
/// that there was no signal.
pub fn starved(s: &Summary) -> Vec<(&'static str, String)> {
    let (computed, warming_up) = s.indicators;
    let is_traded = |of: &Instrument| s.strategies.iter().any(|result| result.instrument.id == of.id);
    let without = s.books.iter().filter(|(of, book)| book.bars == 0 && is_traded(of));
    let without: Vec<String> = without.map(|(of, _)| of.name()).collect();
    let mut notes = Vec::new();
    // A strategy that trades without indicators needs no bar.
    if !without.is_empty() && (computed > 0 || s.execution.intents == 0) {
        let note = "not one closed; a strategy that waits for bars or indicators did nothing there";
        notes.push(("  bars", format!("{}: {note}", without.join(", "))));
    }
    if warming_up > 0 {
        let note = "an earlier --from, or --warm-up, gives them more bars";
        notes.push(("  indicators", format!("{warming_up} of {computed} still warming up; {note}")));
    }
    notes
}

/// What is told beside a run's summary: what was measured in further runs, one a point, and what was proven of it.
#[derive(Default)]
pub struct Beside {
    /// By offered rate.
    pub rates: Vec<RatePoint>,
    /// By number of instruments.
    pub instruments: Vec<InstrumentPoint>,
    /// What a demo proves of itself.
    pub proof: Option<Value>,
}

impl Beside {
    /// A summary's JSON with what there is.
    pub fn added_to(&self, mut summary: Value) -> Value {
        if !self.rates.is_empty() {
            summary["rates"] = json!(self.rates);
        }
        if !self.instruments.is_empty() {
            summary["instruments"] = json!(self.instruments);
        }
        if let Some(proof) = &self.proof {
            summary["proof"] = proof.clone();
        }
        summary
    }
}

fn stages(latencies: &[StageHistogram]) -> Vec<StageLatency> {
    let stage = |s: &StageHistogram| StageLatency {
        name: s.name.to_owned(),
        doc: s.doc.to_owned(),
        histogram: s.histogram.clone(),
    };
    latencies.iter().filter(|s| !s.histogram.is_empty()).map(stage).collect()
}

/// The summary for a person, so wide at most.
pub fn text(summary: &Summary, config: &Config, width: usize) -> String {
    let mut t = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut t, summary, config, width);
    folded(&t, width)
}

fn write_text(t: &mut String, s: &Summary, config: &Config, width: usize) -> std::fmt::Result {
    if let Some(f) = &s.feed {
        writeln!(
            t,
            "{} frames and {} snapshots with {} level updates in {:.2} s: {} a second",
            grouped(f.frames),
            grouped(f.snapshots),
            grouped(f.levels),
            s.elapsed.as_secs_f64(),
            grouped(s.events_per_s() as u64)
        )?;
        let odd = [
            ("decode errors", f.decode_errors),
            ("malformed lines", s.malformed_lines),
            ("captured files cut amid a block, read to the last whole one", s.torn_files),
            ("frames of unused kinds", f.ignored),
            ("interruptions of instruments while it was captured", f.interruptions),
            ("frames of unknown instruments", f.unknown_instruments),
            ("receive times going back", f.clock_backwards),
        ];
        for (what, count) in odd.iter().filter(|o| o.1 > 0) {
            writeln!(t, "  {}: {}", what, grouped(*count))?;
        }
        for problem in &s.problems {
            writeln!(t, "    {}:{}: {}", problem.source, problem.line, problem.error)?;
        }
        if let Some((source, line)) = &s.unknown {
            writeln!(
                t,
                "    first at {source}:{line}; add the instrument to a file listed in [instruments] of {}",
                config.file
            )?;
        }
    }
    if let Some(events) = s.journal_events {
        writeln!(
            t,
            "{} events of the journal in {:.2} s: {} a second",
            grouped(events),
            s.elapsed.as_secs_f64(),
            grouped(s.events_per_s() as u64)
        )?;
    }
    if let Some(live) = &s.live {
        t.push_str(&live.text());
    }
    if let Some(sent) = &s.orders {
        t.push_str(&sent.text());
    }
    let books = s.book_totals();
    writeln!(
        t,
        "books: {} gaps, {} crossed, best bid and ask equal to the quotes at {} of {} shared update ids",
        books.gaps,
        books.crossed,
        grouped(books.bbo_equal),
        grouped(books.bbo_checked)
    )?;
    for line in s.blind_books() {
        writeln!(t, "  {line}")?;
    }
    for line in trades_astray(&books, config.market.incomplete_bars) {
        writeln!(t, "  {line}")?;
    }
    let e = &s.execution;
    writeln!(
        t,
        "orders: {} intents, {} denied, {} orders, {} cancels, {} fills, {} rejected, {} live at the end",
        grouped(e.intents),
        grouped(e.denials),
        grouped(e.orders),
        grouped(e.cancels),
        grouped(e.fills),
        grouped(e.rejected),
        s.live_orders
    )?;
    for line in s.unmet_orders() {
        writeln!(t, "  {line}")?;
    }
    for (reason, count, told) in &s.denials {
        let told = told.as_ref().map(|told| match *reason == DenyReason::SelfTrade.label() {
            true => format!("; the last would have met our own order at {} {}", told.limit, told.unit),
            false => format!("; the last: {told}"),
        });
        let told = told.unwrap_or_default();
        writeln!(t, "  denied {reason}: {}{told}", grouped(*count))?;
    }
    for refused in refusals(&s.refused) {
        writeln!(t, "  refused before risk {refused}")?;
    }
    if s.sized_at_nothing > 0 {
        writeln!(t, "  {}", sized_at_nothing(s.sized_at_nothing))?;
    }
    writeln!(t, "indicators: {} computed, {} still warming up", s.indicators.0, s.indicators.1)?;
    if let Some(store) = &s.store {
        writeln!(t, "{}", store_line(store))?;
    }
    if let Some(audit) = &s.audit {
        writeln!(t, "{}", audit_line(audit))?;
    }
    for why in &s.not_written {
        writeln!(t, "{}", not_written_line(why))?;
    }
    writeln!(t, "order stream sha256 {}", s.order_stream_sha256)?;
    writeln!(t)?;
    if s.resumed {
        writeln!(
            t,
            "fills, positions and profit with what the run before left, which this one went on with:"
        )?;
    }
    let heads = [
        words("strategy", 18),
        words("instrument", 24),
        number("fills", 7),
        number("position", 12),
        number("realised", 14),
        number("unrealised", 14),
        number("fees", 12),
        number("net", 14),
    ];
    let row = |r: &StrategyResult| {
        let fills = r.position.fills.to_string();
        let [label, name, quote] =
            [&r.label, &r.instrument.name(), &r.instrument.quote].map(ToString::to_string);
        vec![label, name, fills, r.qty(), r.realised(), r.unrealised(), r.fees(), r.net(), quote]
    };
    t.push_str(&table(&heads, &s.strategies.iter().map(row).collect::<Vec<_>>(), width));
    if s.accounting == Method::Fifo {
        writeln!(t, "realised by the oldest lots first (fifo)")?;
    }
    if !s.balances.is_empty() {
        let heads = [
            words("wallet", 18),
            words("asset", 8),
            number("start", 20),
            number("total", 24),
            number("free", 24),
            number("locked", 20),
        ];
        let row = |b: &AssetBalance| {
            let [start, total, free, locked] = [b.start, b.total, b.free(), b.locked].map(|v| amount(b, v));
            vec![format!("{}:{}", b.venue, b.market), b.asset.to_string(), start, total, free, locked]
        };
        t.push('\n');
        t.push_str(&table(&heads, &s.balances.iter().map(row).collect::<Vec<_>>(), width));
    }
    writeln!(t)?;
    t.push_str(&latency::summary_table_within(&stages(&s.latencies), width.min(100)));
    Ok(())
}

/// What strategies asked for and were refused before it came to risk: each reason, how often, and what it means.
pub fn refusals(refused: &Refusals) -> impl Iterator<Item = String> + '_ {
    refused.by_reason().map(|(reason, count)| {
        let (label, meaning) = (reason.label(), reason.meaning().trim_end_matches('.'));
        format!("{label}: {}; {}", grouped(count), lower(meaning))
    })
}

/// The same beginning in small.
fn lower(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |first| first.to_lowercase().chain(rest).collect())
}

/// What became of a run's store, for a person.
pub fn store_line(store: &StoreSummary) -> String {
    let mut line =
        format!("store {}: {} rows in {} batches", store.place, grouped(store.rows), grouped(store.batches));
    if store.retries > 0 {
        line += &format!(", {} failures tried again", grouped(store.retries));
    }
    if store.caught_up {
        return line + &format!(", complete {:.2} s after the end", store.lag.as_secs_f64());
    }
    for lost in &store.lost {
        line += &format!(
            "; NOT COMPLETE: the database lacks some of what came before, which is lost here: {lost}"
        );
    }
    if store.behind_bytes == 0 && store.error.is_none() && !store.lost.is_empty() {
        return line;
    }
    line += &format!("; NOT COMPLETE: {} bytes of the journal are missing", grouped(store.behind_bytes));
    if let Some(error) = &store.error {
        line += &format!(" ({error})");
    }
    if let Some(journal) = &store.journal {
        line += &format!(
            "; add them by: algo-trader store load --journal {} --store {}",
            journal.display(),
            store.place
        );
    }
    line
}

/// Something that a restart would not know, for a person.
pub fn not_written_line(why: &str) -> String {
    format!("NOT WRITTEN: a restart would not know all that is stopped, paused or lost: {why}")
}

/// What became of a run's audit trail, for a person.
pub fn audit_line(audit: &AuditSummary) -> String {
    let records = audit.head.map_or(0, |head| head.number);
    let mut line = format!("audit trail {}: {} records", audit.trail.display(), grouped(records));
    if let Some(head) = &audit.head {
        line += &format!(", last {head}");
    }
    if audit.webhook_failures > 0 {
        line += &format!(", {} anchors not taken by the webhook", grouped(audit.webhook_failures));
    }
    if !audit.complete {
        let why = audit.error.as_deref().unwrap_or("it was not written in time");
        let why = match audit.surveillance_watches {
            None => why.to_owned(),
            Some(true) => format!("{why}; surveillance looked on without it"),
            Some(false) => format!("{why}; SURVEILLANCE LOOKED NO MORE from there on"),
        };
        line +=
            &format!("; NOT COMPLETE: {why}; add what is missing by: algo-trader audit load --journal FILE");
    }
    line
}

/// Makes the directory of a report that was asked for: where it cannot be, that is known before the work and not after it.
pub fn prepare_report(dir: Option<&Path>) -> Result<(), Outcome> {
    let Some(dir) = dir else { return Ok(()) };
    in_the_way::directory(dir, "the report")?;
    latency::prepare(dir).map_err(|error| {
        eprintln!("the report cannot go there: {error}");
        match error {
            // What is in the way of what is to be written is another name's to mend.
            ReportError::NotADirectory(_) => Outcome::BadUsage,
            _ => Outcome::Failed,
        }
    })
}

/// Writes the latency report.
pub fn report(
    summary: &Summary,
    beside: Beside,
    title: &str,
    dir: &Path,
    paced: bool,
) -> Result<latency::Written, latency::ReportError> {
    let topology = summary.topology.threads.iter().map(|thread| TopologyRow {
        thread: thread.name.clone(),
        stages: thread.roles.iter().map(|r| r.label().to_owned()).collect(),
        core: thread.core,
        wait: thread.wait.label().to_owned(),
    });
    let omission = if summary.journal_events.is_some() {
        "Events of a journal are measured from when they were put into the ring again."
    } else if paced {
        "Coordinated omission: a frame that is late is measured from when it was due, not from when it was read."
    } else {
        "At full speed each frame is measured from when it was read: the next one is not due before."
    };
    let mut counts = vec![
        ("events a second".to_owned(), grouped(summary.events_per_s() as u64)),
        ("order stream sha256".to_owned(), summary.order_stream_sha256.clone()),
        ("orders".to_owned(), grouped(summary.execution.orders)),
        ("fills".to_owned(), grouped(summary.execution.fills)),
        ("instruments".to_owned(), summary.books.len().to_string()),
        ("peak memory, MB".to_owned(), (crate::run::summary::peak_memory_bytes() / 1_000_000).to_string()),
    ];
    if let Some(events) = summary.journal_events {
        counts.insert(0, ("events of the journal".to_owned(), grouped(events)));
    }
    if let Some(f) = &summary.feed {
        counts.insert(0, ("frames".to_owned(), grouped(f.frames)));
        counts.insert(1, ("level updates".to_owned(), grouped(f.levels)));
    }
    let report = LatencyReport {
        run: RunFacts {
            title: title.to_owned(),
            command: std::env::args_os()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" "),
            started: jiff::Timestamp::now().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        host: HostFacts::gather(),
        topology: topology.collect(),
        stages: stages(&summary.latencies),
        intervals: summary
            .intervals
            .iter()
            .map(|i| IntervalSample {
                offered_per_s: i.events_per_s,
                p50_ns: i.p50_ns,
                p99_ns: i.p99_ns,
                count: i.count,
            })
            .collect(),
        rates: beside.rates,
        instruments: beside.instruments,
        notes: vec![
            format!(
                "One stamp costs {:.1} ns here; every stage's figure contains one.",
                summary.stamp_cost_ns
            ),
            omission.to_owned(),
        ],
        counts,
    };
    latency::write(&report, dir)
}
