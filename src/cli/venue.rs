//! `algo-trader venue serve`: a local venue over the wire, for whatever trades on Binance's protocol.

use super::replay::load;
use super::{Outcome, in_the_way};
use crate::domain::Market;
use crate::history::{Recording, RecordingOptions};
use crate::run::interrupt::Interrupt;
use crate::venue::local::api::{AccountOptions, DemoKey, demo_account, read_accounts};
use crate::venue::local::serve::{
    AtEnd, Fault, Origin, Pace, Running, ServeError, Server, ServerOptions, Stats, Tls,
};
use crate::venue::local::{demo_instruments, generated_instruments};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Serves a generated or recorded market as Binance would, on this machine only
    Serve(Box<ServeArgs>),
}

#[derive(clap::Args)]
#[command(after_help = "Examples:
  algo-trader venue serve --ca-out venue-ca.pem
  algo-trader venue serve --instruments 300 --rate 50 --market spot
  algo-trader venue serve --recorded recordings/*.gz --speed max --batch 32 --wait-for-client
  algo-trader venue serve --listen 127.0.0.1:9443 --admin 9500
  algo-trader venue serve --demo-account --ca-out venue-ca.pem
  algo-trader venue serve --account accounts.toml
  curl --cacert venue-ca.pem 'https://127.0.0.1:9443/api/v3/depth?symbol=BTCUSDT&limit=5'
  curl -X POST localhost:9500/admin/fault -d '{\"fault\":\"stall\",\"ms\":3000}'

Streams are at /ws/<stream> and /stream?streams=<a>/<b> of each endpoint it prints; of USD-M's below /public \
(books, quotes, trades; also where neither is named) or /market (the others). \
Spot takes orders of its accounts: REST at /api/v3/…, the WebSocket API at /ws-api/v3, user \
events by userDataStream.subscribe and userDataStream.subscribe.signature.

A file of accounts:
  [[account]]
  name = \"alice\"
  balances = { USDT = \"100000\", BTC = \"2.5\" }
  [[account.key]]
  api_key = \"alicekey\"
  secret = \"alicesecret\"     # HMAC; or public_key = PEM of Ed25519 or RSA
  # reading, trading = true, withdrawals = false, addresses = []

Faults: cut, cut-one, cut-orders, stall, deaf, stream (drop, duplicate, reorder, delay), truncate, \
huge, trickle, no-upgrade, rest, shutdown, expire, tls, order (timeout-done, timeout-lost, \
unavailable-done, unavailable-lost, key-refused, cut-done, cut-lost, truncated, not-json, huge, unknown-fields, \
slow), user-events (as stream), ban, skew, maintenance, symbol, fees-in. Such as
  --fault '{\"fault\":\"order\",\"how\":\"timeout-done\",\"nth\":5,\"count\":3}'
  --fault '2000:{\"fault\":\"user-events\",\"action\":\"drop\"}'")]
struct ServeArgs {
    /// Markets to serve: spot, usdm, coinm; all that the origin has where not given
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_market)]
    market: Vec<Market>,
    /// The generated market's seed: the same seed has the same ids, prices and quantities
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Generate this many pairs instead of the demo's three
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    instruments: Option<u16>,
    /// Order operations a second of each generated pair; max is as fast as clients take the frames
    #[arg(long, value_name = "N|max", default_value = "200", value_parser = parse_rate)]
    rate: Rate,
    /// Serve these recordings again instead, byte for byte
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with_all = ["seed", "instruments", "rate"])]
    recorded: Vec<PathBuf>,
    /// How fast recordings are served: max, or so many times the recorded pace
    #[arg(long, default_value = "1", value_parser = parse_speed)]
    speed: Pace,
    /// Configuration whose instruments exchangeInfo shows with a recording, the built-in one where not given; of others
    /// in the recording, assets and rules are guessed
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the first market; the next ones have the ports after it. Port 0: any free ones
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Let other machines in: needed to listen on an address that is not loopback
    #[arg(long)]
    allow_remote: bool,
    /// Write the certificate authority to trust here (PEM), over what an earlier venue wrote and over nothing else
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// Serve without TLS
    #[arg(long, conflicts_with_all = ["tls", "ca_out"])]
    plain: bool,
    /// What clients meet: good, unknown-authority, wrong-host, expired, old-protocol, tls-1.1
    #[arg(long, value_name = "MODE", default_value = "good", value_parser = parse_tls)]
    tls: Tls,
    /// Serve the admin calls (faults, counts, books) on this port of 127.0.0.1; 0: any free one
    #[arg(long, value_name = "PORT")]
    admin: Option<u16>,
    /// Let something go wrong: a fault's JSON, after so many ms where given; may be given more than once
    #[arg(long, value_name = "[MS:]JSON", value_parser = parse_fault)]
    fault: Vec<(Duration, Fault)>,
    /// Open the accounts of this file (TOML: name, balances, keys); may be given more than once
    #[arg(long, value_name = "FILE")]
    account: Vec<PathBuf>,
    /// Open an account to try orders with, and print its key
    #[arg(long)]
    demo_account: bool,
    /// Match orders of accounts with each other alone, and not with the market that is shown
    #[arg(long)]
    accounts_only: bool,
    /// Frames written at once, at most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    batch: u16,
    /// Hold the feed until this many connections have subscribed (1 where no number is given)
    #[arg(long, value_name = "N", num_args = 0..=1, default_value_t = 0, default_missing_value = "1")]
    wait_for_client: usize,
    /// Close stream connections (code 1001) at the end of a recording, instead of leaving them open
    #[arg(long)]
    close_at_end: bool,
    /// Spin for exact pacing; takes a core
    #[arg(long)]
    spin: bool,
    /// Print JSON: the endpoints when it begins, the counts when it ends
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rate {
    PerSecond(u32),
    Max,
}

/// Order operations a second behind `--rate max`: bursts are close together, and the market's own time flies.
const RATE_AT_MAX: u32 = 1_000;

fn parse_market(text: &str) -> Result<Market, String> {
    Market::from_label(text).ok_or_else(|| "expected spot, usdm or coinm".into())
}

fn parse_tls(text: &str) -> Result<Tls, String> {
    let found = Tls::from_label(text).filter(|mode| *mode != Tls::Plain);
    found.ok_or_else(|| {
        "expected good, unknown-authority, wrong-host, expired, old-protocol or tls-1.1".into()
    })
}

fn parse_fault(text: &str) -> Result<(Duration, Fault), String> {
    let (ms, json) = text.split_once(':').filter(|(ms, _)| !ms.contains('{')).unwrap_or(("0", text));
    let ms = ms.parse().map_err(|_| "expected milliseconds, a colon and a fault's JSON")?;
    let fault = serde_json::from_str(json).map_err(|error| format!("no fault: {error}"))?;
    Ok((Duration::from_millis(ms), fault))
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    match text.parse() {
        _ if text == "max" => Ok(Rate::Max),
        Ok(rate @ 1..=1_000_000) => Ok(Rate::PerSecond(rate)),
        _ => Err("expected max, or order operations a second from 1 to 1000000".into()),
    }
}

fn parse_speed(text: &str) -> Result<Pace, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Pace::Max),
        Ok(times) if (0.001..=1e6).contains(&times) => Ok(Pace::Times(times)),
        _ => Err("expected max, or a factor from 0.001 to 1000000 such as 1 or 10".into()),
    }
}

pub fn run(args: Args) -> Outcome {
    let Command::Serve(args) = args.command;
    let json = args.json;
    let interrupt = Interrupt::install().unwrap_or_default();
    let options = match options(*args) {
        Ok(options) => options,
        Err(outcome) => return outcome,
    };
    let (options, demo) = options;
    let (tls, waits, has_accounts) = (options.tls, options.wait_for_clients, !options.accounts.is_empty());
    let venue = match Server::start(options) {
        Ok(venue) => venue,
        Err(error) => {
            eprintln!("{error}");
            let usage = matches!(
                error,
                ServeError::Options(_)
                    | ServeError::NotOurs(_)
                    | ServeError::Remote(_)
                    | ServeError::Flow(_)
                    | ServeError::Accounts(_)
            );
            return if usage { Outcome::BadUsage } else { Outcome::Failed };
        }
    };
    venue.warnings().iter().for_each(|warning| eprintln!("{warning}"));
    show_endpoints(&venue, tls, waits, (has_accounts, demo.as_ref()), json);
    while venue.is_alive() && !interrupt.is_raised() {
        std::thread::sleep(Duration::from_millis(100));
    }
    match venue.stop() {
        Ok(stats) => {
            show_stats(&stats, json);
            if stats.feed_failure.is_some() { Outcome::Failed } else { Outcome::Done }
        }
        Err(error) => {
            eprintln!("{error}");
            Outcome::Failed
        }
    }
}

/// What to serve, and the key of the account to try out.
fn options(args: ServeArgs) -> Result<(ServerOptions, Option<DemoKey>), Outcome> {
    let listed;
    let mut options = if args.recorded.is_empty() {
        let instruments = match args.instruments {
            Some(count) => generated_instruments(usize::from(count)),
            None => demo_instruments(),
        };
        listed = instruments.clone();
        let rate = if let Rate::PerSecond(rate) = args.rate { rate } else { RATE_AT_MAX };
        let mut options = ServerOptions::generated(args.seed, instruments, rate);
        if args.rate == Rate::Max {
            options.pace = Pace::Max;
        }
        options
    } else {
        let config = load(args.config.as_deref())?;
        let recording = Recording::open(&args.recorded, &RecordingOptions::default()).map_err(|error| {
            eprintln!("{error}");
            Outcome::Failed
        })?;
        listed = config.instruments.all().to_vec();
        let mut options = ServerOptions::new(Origin::Recorded {
            source: Box::new(recording),
            instruments: config.instruments.all().to_vec(),
        });
        options.pace = args.speed;
        options
    };
    if !args.market.is_empty() {
        if let Some(missing) = args.market.iter().find(|market| !options.markets.contains(market)) {
            eprintln!("there is nothing of the market {missing} to serve");
            return Err(Outcome::BadUsage);
        }
        options.markets = args.market;
    }
    options.listen = args.listen;
    options.allow_remote = args.allow_remote;
    if let Some(path) = &args.ca_out {
        in_the_way::directory_of(path, "the authority")?;
        in_the_way::file(path)?;
    }
    options.ca_out = args.ca_out;
    options.tls = if args.plain { Tls::Plain } else { args.tls };
    options.admin = args.admin.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    options.batch = usize::from(args.batch);
    options.wait_for_clients = args.wait_for_client;
    options.at_end = if args.close_at_end { AtEnd::Close } else { AtEnd::StayOpen };
    options.spin = args.spin;
    options.faults = args.fault;
    options.meets_market = !args.accounts_only;
    for path in &args.account {
        options.accounts.extend(accounts(path)?);
    }
    let mut demo = None;
    if args.demo_account {
        if !options.markets.contains(&Market::Spot) {
            eprintln!("--demo-account: orders are taken for spot alone, and no spot market is served here");
            return Err(Outcome::BadUsage);
        }
        let (account, key) = demo_account(&listed);
        options.accounts.push(account);
        demo = Some(key);
    }
    Ok((options, demo))
}

fn accounts(path: &Path) -> Result<Vec<AccountOptions>, Outcome> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        eprintln!("cannot read {}: {error}", path.display());
        Outcome::BadUsage
    })?;
    read_accounts(&text).map_err(|error| {
        eprintln!("{}: {error}", path.display());
        Outcome::BadUsage
    })
}

fn show_endpoints(
    venue: &Running,
    tls: Tls,
    waits: usize,
    (has_accounts, demo): (bool, Option<&DemoKey>),
    as_json: bool,
) {
    if as_json {
        let endpoints: Vec<_> = venue
            .endpoints()
            .iter()
            .map(|e| {
                json!({ "market": e.market.label(), "stream": e.stream_url, "rest": e.rest_url, "api": e.api_url })
            })
            .collect();
        let admin = venue.admin().map(|address| format!("http://{address}"));
        let demo = demo.map(|key| json!({ "api_key": key.api_key, "secret": key.secret }));
        println!("{}", json!({ "endpoints": endpoints, "admin": admin, "tls": tls.label(), "demo": demo }));
        return;
    }
    for endpoint in venue.endpoints() {
        println!("{:<6} {}  {}", endpoint.market.label(), endpoint.stream_url, endpoint.rest_url);
    }
    if has_accounts {
        for api in venue.endpoints().iter().filter_map(|endpoint| endpoint.api_url.as_ref()) {
            println!("orders {api}");
        }
    }
    if let Some(key) = demo {
        println!("demo   API key {}\n       secret  {}", key.api_key, key.secret);
    }
    if let Some(admin) = venue.admin() {
        println!("admin  http://{admin}");
    }
    if tls == Tls::Plain {
        println!("without TLS");
    } else if tls != Tls::Good {
        println!("with a TLS that clients must refuse: {}", tls.label());
    }
    if waits > 0 {
        println!("the feed waits for {waits} subscribed connection{}", if waits == 1 { "" } else { "s" });
    }
    println!("Ctrl-C ends it");
}

fn show_stats(stats: &Stats, as_json: bool) {
    if as_json {
        println!("{}", json!(stats));
        return;
    }
    println!(
        "{} frames of the market, {} made here; {} sent ({} MB) on {} stream connections; {} REST calls",
        stats.frames,
        stats.frames_made,
        stats.frames_sent,
        stats.bytes_sent / 1_000_000,
        stats.upgrades,
        stats.rest_calls
    );
    let counts = [
        ("TLS handshakes failed", stats.tls_failures),
        ("clients cut: too slow", stats.cut_slow),
        ("clients cut: no pong", stats.cut_silent),
        ("clients closed: too many messages", stats.cut_chatty),
        ("clients closed: too old", stats.cut_old),
        ("requests that broke the protocol", stats.protocol_errors),
        ("REST calls refused (429)", stats.rest_refused),
        ("REST calls of the banned (418)", stats.rest_banned),
        ("connections refused", stats.connections_refused),
        ("frames not understood", stats.unknown_frames + stats.unreadable_frames),
        ("gaps in diffs", stats.gaps),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        println!("{name}: {count}");
    }
    for (name, count) in &stats.faults {
        println!("fault {name}: {count}");
    }
    if let Some(failure) = &stats.feed_failure {
        println!("the feed failed: {failure}");
    }
}
