//! What replay and demo print: the same summary, the same report.

use crate::monitor::host::HostFacts;
use crate::pipeline::StageHistogram;
use crate::report::latency::{
    self, IntervalSample, LatencyReport, RatePoint, RunFacts, StageLatency, TopologyRow,
};
use crate::run::{Config, Summary};
use std::fmt::Write;
use std::path::Path;

fn stages(latencies: &[StageHistogram]) -> Vec<StageLatency> {
    let stage = |s: &StageHistogram| StageLatency {
        name: s.name.to_owned(),
        doc: s.doc.to_owned(),
        histogram: s.histogram.clone(),
    };
    latencies.iter().filter(|s| !s.histogram.is_empty()).map(stage).collect()
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The summary for a person.
pub fn text(summary: &Summary, config: &Config) -> String {
    let mut t = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut t, summary, config);
    t
}

fn write_text(t: &mut String, s: &Summary, config: &Config) -> std::fmt::Result {
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
    let books = s.book_totals();
    writeln!(
        t,
        "books: {} gaps, {} crossed, best bid and ask equal to the quotes at {} of {} shared update ids",
        books.gaps,
        books.crossed,
        grouped(books.bbo_equal),
        grouped(books.bbo_checked)
    )?;
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
    for (reason, count) in &s.denials {
        writeln!(t, "  denied {reason}: {}", grouped(*count))?;
    }
    writeln!(t, "indicators: {} computed, {} still warming up", s.indicators.0, s.indicators.1)?;
    writeln!(t, "order stream sha256 {}", s.order_stream_sha256)?;
    writeln!(t)?;
    writeln!(
        t,
        "{:<18} {:<24} {:>7} {:>12} {:>14} {:>14} {:>12} {:>14}",
        "strategy", "instrument", "fills", "position", "realised", "unrealised", "fees", "net"
    )?;
    for r in &s.strategies {
        writeln!(
            t,
            "{:<18} {:<24} {:>7} {:>12} {:>14} {:>14} {:>12} {:>14} {}",
            r.label,
            r.instrument.name(),
            r.position.fills,
            r.qty(),
            r.realised(),
            r.unrealised(),
            r.fees(),
            r.net(),
            r.instrument.quote
        )?;
    }
    writeln!(t)?;
    t.push_str(&latency::summary_table(&stages(&s.latencies)));
    Ok(())
}

/// Writes the latency report.
pub fn report(
    summary: &Summary,
    rates: Vec<RatePoint>,
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
    let omission = if paced {
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
    if let Some(f) = &summary.feed {
        counts.insert(0, ("frames".to_owned(), grouped(f.frames)));
        counts.insert(1, ("level updates".to_owned(), grouped(f.levels)));
    }
    let report = LatencyReport {
        run: RunFacts {
            title: title.to_owned(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
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
        rates,
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
