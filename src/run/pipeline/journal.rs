//! The journal of a run: where it is written to, and what its header says.

use super::{PipelineError, PipelineOptions};
use crate::journal::{JournalHeader, JournalStrategy, JournalWriter, SyncPolicy};
use crate::run::config::{Config, JournalSync, StrategyConfig};
use std::time::{Duration, SystemTime};

/// How long what a live run heard may be lost with its process, ns of the ring's time: trades that move a trailing stop, answers
/// of the venue.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn journal_writer(
    config: &Config,
    options: &mut PipelineOptions,
    epoch: u64,
) -> Result<Option<JournalWriter>, PipelineError> {
    if let Some(writer) = options.journal_writer.take() {
        return Ok(Some(writer));
    }
    let Some(path) = options.journal.as_ref().or(config.journal.path.as_ref()) else { return Ok(None) };
    let policy = match config.journal.sync {
        JournalSync::Never => SyncPolicy::Never,
        JournalSync::EachOrder => SyncPolicy::EachOrder,
    };
    let mut header = journal_header(config, epoch);
    if options.handover.is_some() {
        header.balances = Some(config.paper.balances.clone());
    }
    header.terms.clone_from(&options.terms);
    header.resumed.clone_from(&options.resumed);
    header.carried.clone_from(&options.carried);
    header.account = options.account;
    header.lineage.clone_from(&options.lineage);
    header.follows_account = !options.ignores_account;
    header.set_closing_pace(options.closing_pace);
    header.protects_what_waits = !options.bares_what_waits;
    let writer = JournalWriter::create(path, &header, policy)?;
    // What is simulated or replayed can be run again.
    Ok(Some(if options.live { writer.with_patience(PATIENCE) } else { writer }))
}

/// What a journal says of a run with this configuration.
#[must_use]
pub fn journal_header(config: &Config, epoch: u64) -> JournalHeader {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    let strategy = |s: &StrategyConfig| JournalStrategy {
        label: s.label.clone(),
        name: s.name.clone(),
        instruments: s.instruments.clone(),
    };
    JournalHeader {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch,
        config_name: config.file.clone(),
        config_text: config.text.clone(),
        instruments: config.instruments.all().to_vec(),
        run_name: config.run.name.clone(),
        started_ns: started.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
        strategies: config.strategies.iter().map(strategy).collect(),
        bar: config.market.bar,
        bar_grace_ns: u64::from(config.market.bar_grace_ms) * 1_000_000,
        incomplete_bars: config.market.incomplete_bars,
        balances: None,
        terms: None,
        resumed: None,
        carried: None,
        account: None,
        lineage: None,
        follows_account: true,
        closes_slower: true,
        closes_refused_slower: true,
        closes_at_once_seldom: true,
        closes_what_changed: true,
        protects_what_waits: true,
        aggregates: config.venue.aggregates_alone(),
    }
}
