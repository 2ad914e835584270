//! The report's figures for scripts. All latencies are in ns.

use super::model::{
    InstrumentPoint, IntervalSample, LatencyReport, RatePoint, RunFacts, StageLatency, TopologyRow,
};
use crate::monitor::host::{Finding, HostFacts, findings};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Document<'a> {
    run: &'a RunFacts,
    /// Names in the order of the pipeline, which an object does not keep.
    stage_order: Vec<&'a str>,
    stages: BTreeMap<&'a str, Stage<'a>>,
    rates: &'a [RatePoint],
    instruments: &'a [InstrumentPoint],
    intervals: &'a [IntervalSample],
    topology: &'a [TopologyRow],
    host: &'a HostFacts,
    findings: Vec<Finding>,
    counts: &'a [(String, String)],
    notes: &'a [String],
}

#[derive(Serialize)]
struct Stage<'a> {
    doc: &'a str,
    count: u64,
    min: u64,
    mean: f64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    p9999: u64,
    max: u64,
}

impl<'a> From<&'a StageLatency> for Stage<'a> {
    fn from(stage: &'a StageLatency) -> Self {
        let histogram = &stage.histogram;
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            doc: &stage.doc,
            count: histogram.len(),
            min: histogram.min(),
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max(),
        }
    }
}

/// The document. Of several stages with one name the last is kept.
pub(super) fn text(report: &LatencyReport) -> Result<String, serde_json::Error> {
    let document = Document {
        run: &report.run,
        stage_order: report.stages.iter().map(|stage| stage.name.as_str()).collect(),
        stages: report.stages.iter().map(|stage| (stage.name.as_str(), Stage::from(stage))).collect(),
        rates: &report.rates,
        instruments: &report.instruments,
        intervals: &report.intervals,
        topology: &report.topology,
        host: &report.host,
        findings: findings(&report.host),
        counts: &report.counts,
        notes: &report.notes,
    };
    serde_json::to_string_pretty(&document)
}
