//! Over the wire: from a readable socket to an order's bytes, and frames a second, TLS WebSocket on loopback, beside a
//! bare reader: `cargo bench --bench wire`.
//!
//! A local venue serves the same USD-M frames (recorded ones where they are) from another thread, over real TLS. Ours
//! is the live feed of `algo-trader run`, inline and spinning: poll, read, TLS, WebSocket, decode, tell new from old,
//! ring, books, strategy, risk, order states, hash, encoder. The bare reader spins on a non-blocking rustls connection,
//! drains plaintext and splits frames. Both are given each frame's bytes by the same server, in the same run.
//!
//! (a) At an even pace, a frame a write, a strategy that orders at every event. Target: ours ≤ 1.3 × (bare + what the
//! same frames take from memory to order), for the first frame of each read. All frames are judged beside, each counted
//! from when its own read began: of a burst, those that a read brings wait for each other, so from memory they come in the
//! same bursts and wait likewise. How many a read brings is up to the machine, and shown; both readers take at most
//! 4 KiB. (b) At full speed, 32 frames a write, ordinary strategies. Targets: at
//! least 200,000 frames a second, and at least 0.7 × the bare reader.
//!
//! Two cores are needed: server and reader each spin on one. `--rounds N`, `--rate N`, `--json`.

#[path = "wire/bare.rs"]
mod bare;
#[allow(dead_code, reason = "this bench takes a part")]
#[path = "frame_to_order/market.rs"]
mod market;
#[path = "wire/ours.rs"]
mod ours;
#[path = "frame_to_order/strategy.rs"]
mod strategy;
#[path = "support.rs"]
mod support;

use algo_trader::domain::{Market, Time};
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use algo_trader::pipeline::{StageHistogram, StampClock, Threading};
use algo_trader::run::feed::Feed;
use algo_trader::run::{Config, Pipeline, PipelineOptions, Summary};
use algo_trader::venue::local::serve::{Origin, Pace, Running, Server, ServerOptions};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use support::Rounds;

const LATENCY_TARGET: f64 = 1.3;
const RATE_TARGET: f64 = 0.7;
const FRAMES_A_SECOND: f64 = 200_000.0;
/// Frames of one latency pass.
const PACED: usize = 40_000;

/// No limit binds.
const UNBOUND: &str = include_str!("unbound.toml");
const INSTRUMENTS: &str = r#"
[instruments]
files = ["instruments/binance-usdm.toml"]
"#;

const EVERY_EVENT: &str = r#"
[[strategy]]
name = "every-event"
instruments = ["binance:usdm:BTCUSDT", "binance:usdm:ETHUSDT"]
"#;

const ORDINARY: &str = r#"
[[strategy]]
name = "ma-cross"
instruments = ["binance:usdm:BTCUSDT"]
[strategy.params]
qty = "0.010"
[[strategy]]
name = "rsi-reversion"
instruments = ["binance:usdm:ETHUSDT"]
[strategy.params]
qty = "0.100"
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:usdm:BTCUSDT"]
[strategy.params]
qty = "0.010"
"#;

/// The frames in memory, each with its time.
struct Memory {
    sources: Vec<SourceInfo>,
    frames: Arc<Vec<(Time, Vec<u8>)>>,
    next: usize,
}

impl FrameSource for Memory {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let Some((received, bytes)) = self.frames.get(self.next) else { return Ok(None) };
        self.next += 1;
        Ok(Some(Frame { received: *received, source: SourceId(0), line: self.next as u64, bytes }))
    }
}

struct Frames {
    what: &'static str,
    source: SourceInfo,
    /// Whole books first, then stream frames.
    snapshots: Vec<Vec<u8>>,
    stream: Vec<Vec<u8>>,
}

impl Frames {
    fn load() -> Self {
        let mut loaded = market::recorded().unwrap_or_else(market::generated);
        let sources = loaded.sources().to_vec();
        let what = loaded.what;
        let (mut snapshots, mut stream) = (Vec::new(), Vec::new());
        while let Some(frame) = loaded.next_frame().expect("frames in memory") {
            // One book: REST snapshots name no symbol, so each source has its own.
            let source = &sources[usize::from(frame.source.0)];
            if source.market == Market::UsdM && source.symbol.as_deref() == Some("BTCUSDT") {
                let to = if market::kind_of(frame.bytes) == 3 { &mut snapshots } else { &mut stream };
                to.push(frame.bytes.to_vec());
            }
        }
        let source =
            sources.into_iter().find(|s| s.market == Market::UsdM && s.symbol.as_deref() == Some("BTCUSDT"));
        Self { what, source: source.expect("one is BTCUSDT"), snapshots, stream }
    }

    /// The snapshot at once, then `count` frames, `gap_ns` apart.
    fn source(&self, count: usize, gap_ns: u64) -> Memory {
        let begin = 1_723_161_253_000_000_000;
        let at = |n: usize| Time(begin + n as u64 * gap_ns);
        let snapshots = self.snapshots.iter().map(|f| (Time(begin), f.clone()));
        let stream = self.stream.iter().take(count).enumerate().map(|(n, f)| (at(n), f.clone()));
        let frames = Arc::new(snapshots.chain(stream).collect());
        Memory { sources: vec![self.source.clone()], frames, next: 0 }
    }

    /// The streams that occur.
    fn streams(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for frame in self.stream.iter().take(10_000) {
            let text = String::from_utf8_lossy(&frame[..frame.len().min(80)]);
            let name = text.split('"').nth(3).unwrap_or_default().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

struct Bench {
    frames: Frames,
    clock: StampClock,
    ca: tempfile::NamedTempFile,
}

impl Bench {
    fn serve(&mut self, source: Memory, pace: Pace, batch: usize) -> Running {
        let config = config("", "", &[]);
        let instruments = config.instruments.all().to_vec();
        let mut options = ServerOptions::new(Origin::Recorded { source: Box::new(source), instruments });
        options.pace = pace;
        options.batch = batch;
        options.spin = matches!(pace, Pace::Times(_));
        options.wait_for_clients = 1;
        let running = Server::start(options).unwrap_or_else(|error| panic!("{error}"));
        self.ca = tempfile::NamedTempFile::new().expect("a temporary file");
        self.ca.write_all(running.ca_pem().expect("TLS").as_bytes()).expect("written");
        running
    }

    fn venue(&self, running: &Running) -> String {
        let at = running.endpoint(Market::UsdM).expect("served");
        format!(
            "[venue.usdm]\nstream = \"{}\"\nrest = \"{}\"\n",
            at.stream_url.replace("localhost", "127.0.0.1"),
            at.rest_url.replace("localhost", "127.0.0.1")
        )
    }

    fn ours(&mut self, source: Memory, pace: Pace, batch: usize, strategies: &str) -> ours::Ours {
        let expected = source.frames.len() as u64;
        let running = self.serve(source, pace, batch);
        let section = format!("[venue]\nca_file = {:?}\n", self.ca.path());
        let config =
            config(&format!("{section}{}", self.venue(&running)), strategies, &self.frames.streams());
        ours::run(&config, expected, &self.clock)
    }

    fn bare(&mut self, source: Memory, pace: Pace, batch: usize) -> bare::Bare {
        let expected = (source.frames.len() - self.frames.snapshots.len()) as u64;
        let running = self.serve(source, pace, batch);
        let at = running.endpoint(Market::UsdM).expect("served").stream_url.clone();
        let streams = self.frames.streams().join("/");
        bare::read(&at, self.ca.path(), &streams, expected, &self.clock)
    }

    /// Frame in memory to order handed over, the same pipeline without a wire: each frame by itself, and each from when
    /// the first of its burst was there, in bursts of these sizes over and over.
    fn order_in_memory(&self, count: usize, bursts: &[u32]) -> [StageHistogram; 2] {
        let config = config("", EVERY_EVENT, &[]);
        let options = PipelineOptions {
            threading: Some(Threading::Inline),
            strategies: strategy::SPECS,
            ..PipelineOptions::default()
        };
        let mut pipeline = Pipeline::build(&config, options).unwrap_or_else(|error| panic!("{error}"));
        let mut feed = Feed::new(&config.instruments, pipeline.clock.clone());
        let mut source = self.frames.source(count, 50_000);
        let mut latency = StageHistogram::new("memory", "frame in memory to order handed over");
        let mut waiting = latency.clone();
        let mut bursts = bursts.iter().copied().cycle();
        let (mut left, mut burst_began) = (0, 0);
        let info = self.frames.source.clone();
        while let Some(frame) = source.next_frame().expect("frames in memory") {
            pipeline.sequencer.advance(frame.received).expect("no stage fails");
            let read = self.clock.raw();
            if left == 0 {
                (left, burst_began) = (bursts.next().unwrap_or(1), read);
            }
            feed.frame(&info, &frame, read, &mut pipeline.sequencer).expect("no stage fails");
            if market::kind_of(frame.bytes) != 3 {
                let done = self.clock.raw();
                latency.record(self.clock.nanos(read, done));
                waiting.record(self.clock.nanos(burst_began, done));
                left -= 1;
            }
        }
        let _ = Summary::collect(&config, pipeline, Some(feed), 0, Duration::from_secs(1), None);
        [latency, waiting]
    }
}

fn config(venue: &str, strategies: &str, streams: &[String]) -> Config {
    let names: Vec<_> =
        streams.iter().filter_map(|s| s.split_once('@')).map(|(_, name)| format!("{name:?}")).collect();
    let streams =
        if names.is_empty() { String::new() } else { format!("streams = [{}]\n", names.join(", ")) };
    let venue = venue.replacen("[venue]\n", &format!("[venue]\n{streams}"), 1);
    Config::from_text_with_built_in(&format!("{UNBOUND}{INSTRUMENTS}{venue}{strategies}"), "wire")
        .unwrap_or_else(|error| panic!("the benchmark's configuration: {error}"))
}

fn p50(histogram: &StageHistogram) -> f64 {
    histogram.histogram.value_at_quantile(0.5) as f64
}

fn main() {
    let rounds = support::number("--rounds", 5).max(1);
    let rate = support::number("--rate", 10_000).max(1);
    let host = support::host();
    let frames = Frames::load();
    let ca = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut bench = Bench { frames, clock: StampClock::new(), ca };
    let gap = 1_000_000_000 / rate as u64;
    let paced = PACED.min(bench.frames.stream.len());
    let all = bench.frames.stream.len();
    let [mut bare, mut memory, mut wire] = [Rounds::default(), Rounds::default(), Rounds::default()];
    let [mut bare_all, mut memory_all, mut wire_all] =
        [Rounds::default(), Rounds::default(), Rounds::default()];
    let [mut bare_reads, mut wire_reads] = [Rounds::default(), Rounds::default()];
    let [mut ours_rate, mut bare_rate] = [Rounds::default(), Rounds::default()];
    let mut table = String::new();
    for _ in 0..rounds {
        let source = bench.frames.source(paced, gap);
        let read = bench.bare(source, Pace::Times(1.0), 1);
        bare.push(p50(&read.first));
        bare_all.push(p50(&read.latency));
        bare_reads.push(read.latency.histogram.len() as f64 / read.first.histogram.len() as f64);
        let source = bench.frames.source(paced, gap);
        let ours = bench.ours(source, Pace::Times(1.0), 1, EVERY_EVENT);
        wire.push(p50(&ours.first));
        wire_all.push(p50(&ours.latency));
        let [alone, waiting] = bench.order_in_memory(paced, &ours.reads);
        memory.push(p50(&alone));
        memory_all.push(p50(&waiting));
        wire_reads.push(ours.latency.histogram.len() as f64 / ours.first.histogram.len() as f64);
        if table.is_empty() {
            for stage in ours.summary.latencies.iter().filter(|s| !s.histogram.is_empty()) {
                let at = |q: f64| stage.histogram.value_at_quantile(q);
                table += &format!("{:<18}{:>10}{:>10}{:>10}\n", stage.name, at(0.5), at(0.99), at(0.999));
            }
        }
        let source = bench.frames.source(all, 1_000);
        let bare = bench.bare(source, Pace::Max, 32);
        assert!(bare.frames as usize == all, "the bare reader got {} of {all}", bare.frames);
        bare_rate.push(bare.per_second);
        let source = bench.frames.source(all, 1_000);
        let ours = bench.ours(source, Pace::Max, 32, ORDINARY);
        let got = ours.summary.feed.map_or(0, |f| f.frames);
        assert!(got as usize == all, "the live feed got {got} of {all}");
        ours_rate.push(ours.per_second);
    }
    let latency = wire.median() / (bare.median() + memory.median());
    let latency_all = wire_all.median() / (bare_all.median() + memory_all.median());
    let rate_ratio = ours_rate.median() / bare_rate.median();
    if support::wants_json() {
        println!(
            "{}",
            serde_json::json!({"what": bench.frames.what, "host": host, "rounds": rounds,
                "bare_all_p50_ns": bare_all.median(), "memory_all_p50_ns": memory_all.median(),
                "wire_all_p50_ns": wire_all.median(), "latency_all_ratio": latency_all,
                "bare_p50_ns": bare.median(), "memory_p50_ns": memory.median(), "wire_p50_ns": wire.median(),
                "latency_ratio": latency, "latency_target": LATENCY_TARGET,
                "bare_per_s": bare_rate.median(), "ours_per_s": ours_rate.median(),
                "rate_ratio": rate_ratio, "rate_target": RATE_TARGET})
        );
        return;
    }
    println!("frames a read: bare {:.2}, ours {:.2}", bare_reads.median(), wire_reads.median());
    println!("{}, USD-M BTCUSDT: {all} frames; {rounds} rounds; medians (min)", bench.frames.what);
    println!("host: {host}\n");
    let line = |name: &str, r: &Rounds| println!("{name:<52}{:>12.0} ({:.0})", r.median(), r.min());
    line("bare: socket readable to frame, p50 ns", &bare);
    line("ours from memory: frame to order, p50 ns", &memory);
    line("ours: socket readable to order handed over, p50 ns", &wire);
    println!(
        "ratio to the sum of the first two {latency:.3}: target {LATENCY_TARGET} {}",
        support::verdict(latency, LATENCY_TARGET)
    );
    line("all frames, bare", &bare_all);
    line("all frames, from memory in the same bursts", &memory_all);
    line("all frames, ours", &wire_all);
    println!(
        "ratio to the sum {latency_all:.3}: target {LATENCY_TARGET} {}\n",
        support::verdict(latency_all, LATENCY_TARGET)
    );
    line("bare, 32 frames a write: frames a second", &bare_rate);
    line("ours, 32 frames a write: frames a second", &ours_rate);
    let verdict = support::verdict(-rate_ratio, -RATE_TARGET);
    println!("ratio {rate_ratio:.3}: target {RATE_TARGET} {verdict}");
    let verdict = support::verdict(-ours_rate.median(), -FRAMES_A_SECOND);
    println!("at least {FRAMES_A_SECOND:.0} a second: {verdict}");
    println!(
        "\nstages of ours at {rate} frames a second, ns\n{:<18}{:>10}{:>10}{:>10}\n{table}",
        "", "p50", "p99", "p99.9"
    );
}
