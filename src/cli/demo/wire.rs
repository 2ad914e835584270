//! The demo as it is: a local venue serves the generated market over TLS, and the demo connects to it as to any venue.

use super::super::logging::start_log;
use super::super::output::Beside;
use super::super::replay::{print, show_topology};
use super::super::run::{progress, tell_failure};
use super::super::{Outcome, in_the_way};
use super::account::DemoAccount;
use super::proof::Proof;
use super::{Args, DemoFiles, configuration};
use crate::domain::{Instrument, Market};
use crate::net::Endpoint;
use crate::pipeline::StopReason;
use crate::run::audit::trail_of;
use crate::run::config::TradingMode;
use crate::run::interrupt::KillSignal;
use crate::run::{Config, LiveOptions, Pipeline, StoreRequest, run_live};
use crate::store::StoreUrl;
use crate::strategy::StrategySpec;
use crate::venue::local::api::AccountOptions;
use crate::venue::local::serve::{Running, Server, ServerOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn run(
    mut args: Args,
    instruments: Vec<Instrument>,
    strategies: &'static [StrategySpec],
) -> Outcome {
    match demo(&mut args, instruments, strategies) {
        Ok(outcome) | Err(outcome) => outcome,
    }
}

fn demo(
    args: &mut Args,
    instruments: Vec<Instrument>,
    strategies: &'static [StrategySpec],
) -> Result<Outcome, Outcome> {
    let mut config = configuration(args, instruments.clone())?;
    start_log(&config, "demo");
    args.common.prepare_places()?;
    let mut own = DemoFiles::new(args.common.journal.as_ref())?;
    own.hold_control(&mut config);
    args.common.journal = Some(own.journal.clone());
    let pipeline = args.common.pipeline_options(strategies);
    if args.common.show_topology {
        return Ok(show_topology(&config, &pipeline, args.common.json));
    }
    let files = args.common.report.clone().unwrap_or_else(|| config.report.dir.join("demo"));
    let store = store(args, &config, &files)?;
    let place = store.place.clone();

    let authority = Authority(own.dir.join("venue.pem"));
    // A configuration of one's own says by its mode whether orders are sent.
    let live = config.trading.mode == TradingMode::Live;
    let mut account = if live { Some(DemoAccount::new(&instruments, &own.dir)?) } else { None };
    let opened = account.as_mut().and_then(|account| account.options.take());
    let venue = serve(args, instruments, &authority.0, opened)?;
    connect_to(&mut config, &venue, &authority.0);
    if let Some(account) = &account {
        let spot = venue.endpoint(Market::Spot);
        account.trade(&mut config, spot.and_then(|spot| spot.api_url.as_deref()));
    }
    if !args.common.json {
        println!(
            "a local venue serves {} pairs over TLS for {} s (seed {}), {} strategies {}; nothing leaves this machine",
            config.instruments.len(),
            args.seconds,
            args.seed,
            config.strategies.len(),
            if live { "send it orders" } else { "trade on paper" }
        );
        for endpoint in venue.endpoints() {
            println!("  {:<6} {}", endpoint.market.label(), endpoint.stream_url);
        }
        if let Ok(topology) = Pipeline::plan(&config, &pipeline) {
            print!("{topology}");
        }
    }
    let mut audit = args.common.audit_request(&config, "demo");
    if let Some(audit) = audit.as_mut().filter(|audit| own.journal_goes() && audit.trail.is_none()) {
        audit.trail = Some(files.join("demo.audit"));
    }
    let interrupt = own.interrupt.clone();
    let options = LiveOptions {
        duration: Some(Duration::from_secs(args.seconds)),
        interrupt: interrupt.clone(),
        kill_signal: KillSignal::default(),
        progress: progress(),
        store: Some(store),
        audit,
        recover: None,
        alerts: None,
        pipeline,
    };
    if args.common.report.is_none() && !args.common.json {
        args.common.report = Some(files);
    }
    let title = match live {
        true => "Demo: a generated market and live orders over TLS",
        false => "Demo: a generated market over TLS",
    };
    let result = run_live(&config, options);
    let served = venue.stop();
    let mut summary = match result {
        Ok(summary) => summary,
        Err(error) => return Ok(tell_failure(error, &config, &args.common, title)),
    };
    if let Some(store) = &mut summary.store {
        if !store.caught_up {
            // What the database lacks is in the journal alone.
            own.keep();
        } else if own.journal_goes() {
            store.journal = None;
        }
    }
    own.keep_for_the_trail(summary.audit.as_ref());
    if interrupt.is_raised() {
        eprintln!("interrupted: what follows is what was handled until then");
        summary.stopped.get_or_insert(StopReason::Interrupted);
    }
    let trail = summary.audit.as_ref().map_or_else(|| trail_of(&own.journal), |audit| audit.trail.clone());
    let proof = Proof::of(&summary.order_stream_sha256, (&own.journal, &trail), &config, strategies);
    let beside = Beside { proof: Some(proof.to_json()), ..Beside::default() };
    let outcome = print(&summary, &config, &args.common, beside, title, false);
    own.tell_what_the_trail_lacks(summary.audit.as_ref());
    match served {
        Ok(served) if !args.common.json => println!(
            "the venue sent {} frames over {} connections and answered {} REST calls",
            served.frames_sent, served.connections, served.rest_calls
        ),
        Ok(_) => {}
        Err(error) => {
            eprintln!("{error}");
            return Ok(Outcome::Failed);
        }
    }
    if !matches!(outcome, Outcome::Done) {
        return Ok(outcome);
    }
    let next = [
        format!("algo-trader audit verify {}     the audit trail of the demo's runs", trail.display()),
        format!("algo-trader store status --store {place}     what the database holds"),
        "algo-trader venue serve --help           the venue by itself, faults on command".to_owned(),
        "algo-trader run --config config/binance-paper.toml   live market data, paper fills".to_owned(),
        "algo-trader replay RECORDING.gz          recorded markets at any speed".to_owned(),
        "algo-trader doctor                       how well this host is tuned".to_owned(),
    ];
    if !args.common.json {
        proof.tell(&next);
    }
    Ok(proof.outcome())
}

/// The database that was asked for, or an SQLite file among the demo's other results.
fn store(args: &Args, config: &Config, files: &Path) -> Result<StoreRequest, Outcome> {
    if let Some(store) = args.common.store_request(config)? {
        return Ok(store);
    }
    let refuse = |problem: &dyn std::fmt::Display| {
        eprintln!(
            "the demo's results cannot go to {}: {problem}; name another place: --report DIR",
            files.display()
        );
        Outcome::Failed
    };
    in_the_way::directory(files, "the demo's results (--report DIR)")?;
    std::fs::create_dir_all(files).map_err(|error| refuse(&error))?;
    let url: StoreUrl =
        format!("sqlite:{}", files.join("demo.db").display()).parse().map_err(|error| refuse(&error))?;
    Ok(StoreRequest::new(url, &config.store))
}

/// The file of the venue's certificate authority; it goes with the demo.
struct Authority(PathBuf);

impl Drop for Authority {
    fn drop(&mut self) {
        // It says nothing secret, and nothing trusts it any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn serve(
    args: &Args,
    instruments: Vec<Instrument>,
    authority: &Path,
    account: Option<AccountOptions>,
) -> Result<Running, Outcome> {
    let mut options = ServerOptions::generated(args.seed, instruments, args.events);
    options.ca_out = Some(authority.to_owned());
    options.accounts.extend(account);
    Server::start(options).map_err(|error| {
        eprintln!("the local venue cannot start: {error}");
        Outcome::Failed
    })
}

/// Points the configuration at the venue, whose certificates the given authority signed.
fn connect_to(config: &mut Config, venue: &Running, authority: &Path) {
    for endpoint in venue.endpoints() {
        let stream = Endpoint::parse(&endpoint.stream_url, "wss");
        let rest = Endpoint::parse(&endpoint.rest_url, "https");
        if let (Ok(stream), Ok(rest)) = (stream, rest) {
            config.venue.set_endpoints(endpoint.market, stream, rest);
        }
    }
    config.venue.tls.ca_file = Some(authority.to_owned());
}
