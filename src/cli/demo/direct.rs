//! The demo without a network: the generator's frames go straight into the pipeline.

use super::super::logging::start_log;
use super::super::output::{Beside, prepare_report};
use super::super::replay::{progress, show, show_topology};
use super::super::{Outcome, in_the_way, many};
use super::proof::Proof;
use super::{Args, DemoFiles, configuration, source};
use crate::domain::Instrument;
use crate::run::audit::trail_of;
use crate::run::config::TradingMode;
use crate::run::{Pace, Pipeline, ReplayOptions, replay_frames};
use crate::strategy::StrategySpec;

pub(super) fn run(
    mut args: Args,
    instruments: Vec<Instrument>,
    strategies: &'static [StrategySpec],
) -> Outcome {
    let mut source = match source(&args, instruments.clone()) {
        Ok(source) => source,
        Err(outcome) => return outcome,
    };
    let mut config = match configuration(&args, instruments) {
        Ok(config) => config,
        Err(outcome) => return outcome,
    };
    start_log(&config, "demo");
    if let Err(outcome) = args.common.prepare_places() {
        return outcome;
    }
    if config.trading.mode == TradingMode::Live {
        eprintln!(
            "{} sends orders (mode = \"live\"), and without a network there is nobody to send them to: they are filled on \
             paper",
            config.file
        );
    }
    let mut own = match DemoFiles::new(args.common.journal.as_ref()) {
        Ok(own) => own,
        Err(outcome) => return outcome,
    };
    own.hold_control(&mut config);
    args.common.journal = Some(own.journal.clone());
    let pipeline = args.common.pipeline_options(strategies);
    if args.common.show_topology {
        return show_topology(&config, &pipeline, args.common.json);
    }
    if !args.common.json {
        println!(
            "a generated market of {} pairs for {} s (seed {}), {} strategies, nothing leaves this machine",
            config.instruments.len(),
            args.seconds,
            args.seed,
            config.strategies.len()
        );
        if let Ok(topology) = Pipeline::plan(&config, &pipeline) {
            print!("{topology}");
        }
    }
    let store = match args.common.store_request(&config) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let files = args.common.report.clone().unwrap_or_else(|| config.report.dir.join("demo"));
    // With --json alone there is no report, but a trail there is.
    let prepared = match args.common.json {
        false => prepare_report(Some(&files)),
        true => in_the_way::directory(&files, "the demo's results (--report DIR)"),
    };
    if let Err(outcome) = prepared {
        return outcome;
    }
    let mut audit = args.common.audit_request(&config, "demo");
    if let Some(audit) = audit.as_mut().filter(|audit| own.journal_goes() && audit.trail.is_none()) {
        audit.trail = Some(files.join("demo.audit"));
    }
    let pace = args.speed.unwrap_or(Pace::Times(1.0));
    let interrupt = own.interrupt.clone();
    let options = ReplayOptions {
        pace,
        interrupt: interrupt.clone(),
        progress: progress(),
        store,
        audit,
        pipeline,
        ..ReplayOptions::default()
    };
    let result = replay_frames(&config, &mut source, options);
    if result.as_ref().is_ok_and(|s| s.store.as_ref().is_some_and(|store| !store.caught_up)) {
        // What the database lacks is in the journal alone.
        own.keep();
    }
    let audited = result.as_ref().ok().and_then(|summary| summary.audit.clone());
    own.keep_for_the_trail(audited.as_ref());
    let trail = audited.as_ref().map_or_else(|| trail_of(&own.journal), |audit| audit.trail.clone());
    let proof = result
        .as_ref()
        .ok()
        .map(|s| Proof::of(&s.order_stream_sha256, (&own.journal, &trail), &config, strategies));
    if args.common.report.is_none() && !args.common.json {
        args.common.report = Some(files);
    }
    let (points, failed) = many::points(&args, &interrupt);
    let proof_json = proof.as_ref().map(Proof::to_json);
    let beside = Beside { instruments: points, proof: proof_json, ..Beside::default() };
    let paced = pace != Pace::Max;
    let outcome = show(result, &config, &args.common, beside, "Demo on a generated market", paced);
    own.tell_what_the_trail_lacks(audited.as_ref());
    if let Some(problem) = failed {
        eprintln!("{problem}");
        return Outcome::Failed;
    }
    let (Outcome::Done, Some(proof)) = (&outcome, proof) else { return outcome };
    let next = [
        "algo-trader demo                       the same over TLS, with a database".to_owned(),
        "algo-trader replay RECORDING.gz        recorded markets".to_owned(),
        "algo-trader list strategies            what can be configured".to_owned(),
        "algo-trader doctor                     how well this host is tuned".to_owned(),
    ];
    if !args.common.json {
        proof.tell(&next);
    }
    proof.outcome()
}
