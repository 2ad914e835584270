//! What decoding costs, beside its peers, in one run: `cargo bench --bench decode`.
//!
//! Five ways to turn the same frames into the same prices: `derive` (simd-json into serde structs that borrow, reused
//! buffers, the kind known beforehand), `tape` (our reference path), `full` (our decoder: fast path first), and two
//! bare positional scans that believe the frame in everything, reading digits one by one (`bare`) or eight at a time
//! (`bare8`). Rounds are interleaved, so that the machine's moods fall on all alike; read the ratios.
//!
//! `--json` prints one object; `--rounds N`; `--count N --only WAY` repeats one way N times, for callgrind and perf.

#[path = "decode/peers.rs"]
mod peers;

#[path = "../tests/support/frames.rs"]
mod frames;

use algo_trader::domain::{InstrumentTable, Market};
use algo_trader::net::SourceInfo;
use algo_trader::venue::LevelBuffer;
use algo_trader::venue::binance::Decoder;
use peers::{Bare, Derive, Sum};
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

const WAYS: [&str; 5] = ["derive", "tape", "full", "bare", "bare8"];
const KINDS: [&str; 4] = ["trade", "bookTicker", "depth", "snapshot"];
const TOTAL: usize = KINDS.len();

/// The frames of one kind, each with its source.
#[derive(Default)]
struct Set<'a> {
    frames: Vec<(&'a SourceInfo, &'a [u8])>,
    bytes: usize,
}

fn kind_of(frame: &[u8]) -> usize {
    let at = frame.iter().take(40).position(|&b| b == b'@');
    match at.map(|at| &frame[at + 1..]) {
        Some([b't', ..]) => 0,
        Some([b'b', ..]) => 1,
        Some(_) => 2,
        None => 3,
    }
}

/// Every way's room, made once.
struct Ways {
    derive: Derive,
    decoder: Decoder,
    bare: Bare,
    levels: LevelBuffer,
}

impl Ways {
    fn new(table: &InstrumentTable) -> Self {
        Self {
            derive: Derive::new(table),
            decoder: Decoder::new(table),
            bare: Bare::new(table),
            levels: LevelBuffer::new(),
        }
    }

    /// Decodes every frame one way; what was read, summed, so that ways can be compared and nothing is left out.
    fn run(&mut self, way: usize, kind: usize, set: &Set) -> Sum {
        let mut sum = Sum::default();
        let levels = &mut self.levels;
        for &(source, frame) in &set.frames {
            let frame = black_box(frame);
            match way {
                0 => sum.read(self.derive.decode(kind, source, frame, levels), levels),
                1 => {
                    let decoded = self.decoder.decode_reference(source, frame, levels);
                    sum.read(decoded.expect("the frame is good"), levels);
                }
                2 => {
                    let decoded = self.decoder.decode(source, frame, levels);
                    sum.read(decoded.expect("the frame is good"), levels);
                }
                3 => sum.read(self.bare.decode::<false>(kind, source, frame, levels), levels),
                _ => sum.read(self.bare.decode::<true>(kind, source, frame, levels), levels),
            }
        }
        black_box(sum)
    }
}

/// Frames as recorded ones are shaped, where there are none: 20 levels a side.
fn generated() -> Vec<(SourceInfo, String)> {
    let mut all = Vec::new();
    for market in Market::ALL {
        let symbol = if market == Market::CoinM { "BTCUSD_PERP" } else { "BTCUSDT" };
        let of_market = frames::FAST.iter().filter(|(m, _)| *m == market);
        for (_, frame) in
            of_market.filter(|(_, f)| ["@trade", "@book", "@depth@"].iter().any(|k| f.contains(k)))
        {
            let mut text = (*frame).to_owned();
            if let (Some(start), Some(end)) = (text.find("\"b\":[["), text.find("],\"a\":")) {
                let levels = vec![text[start + 5..end].to_owned(); 10].join(",");
                text.replace_range(start + 5..end, &levels);
            }
            let source = frames::source("generated", market, Some(symbol));
            all.extend(std::iter::repeat_n((source, text), 2_000));
        }
    }
    all
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn argument(name: &str) -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != name);
    args.next().map(|_| args.next().unwrap_or_default())
}

fn main() {
    let number = |name: &str, default: usize| {
        argument(name)
            .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let rounds = number("--rounds", 9).max(7);
    let count = number("--count", 0);
    let table = frames::table();
    let (recorded, made) = match frames::recorded() {
        Some(recorded) => (recorded, Vec::new()),
        None => (Vec::new(), generated()),
    };
    let what = if recorded.is_empty() { "generated frames (no recordings found)" } else { "recorded frames" };
    let mut sets: [Set; KINDS.len()] = std::array::from_fn(|_| Set::default());
    let from_files = recorded.iter().flat_map(|f| f.frames().map(|(_, frame)| (&f.source, frame)));
    for (source, frame) in from_files.chain(made.iter().map(|(source, text)| (source, text.as_bytes()))) {
        let set = &mut sets[kind_of(frame)];
        set.frames.push((source, frame));
        set.bytes += frame.len();
    }
    let mut ways = Ways::new(&table);
    if count > 0 {
        let only = argument("--only").unwrap_or_else(|| "full".into());
        let way =
            WAYS.iter().position(|w| *w == only).unwrap_or_else(|| panic!("--only takes one of {WAYS:?}"));
        for _ in 0..count {
            for (kind, set) in sets.iter().enumerate() {
                ways.run(way, kind, set);
            }
        }
        return;
    }
    for (kind, set) in sets.iter().enumerate() {
        let expected = ways.run(1, kind, set);
        for (way, name) in WAYS.iter().enumerate() {
            assert_eq!(ways.run(way, kind, set), expected, "{name} reads {} otherwise", KINDS[kind]);
        }
    }
    let times = measure(&mut ways, &sets, rounds);
    if std::env::args().any(|arg| arg == "--json") {
        println!("{}", json(&sets, &times, what, rounds));
    } else {
        print!(
            "{}",
            table_of(&sets, &times, what, rounds, ways.decoder.fast_hits(), ways.decoder.fallbacks())
        );
    }
}

/// Nanoseconds of each round, sorted: by kind (and total), by way.
type Times = [[Vec<f64>; WAYS.len()]; TOTAL + 1];

fn measure(ways: &mut Ways, sets: &[Set], rounds: usize) -> Times {
    let mut times: Times = Default::default();
    for round in 0..rounds {
        let mut total = [0.0; WAYS.len()];
        for (kind, set) in sets.iter().enumerate() {
            for turn in 0..WAYS.len() {
                let way = (turn + round) % WAYS.len();
                let begin = Instant::now();
                ways.run(way, kind, set);
                let nanos = begin.elapsed().as_nanos() as f64;
                times[kind][way].push(nanos);
                total[way] += nanos;
            }
        }
        for (way, nanos) in total.into_iter().enumerate() {
            times[TOTAL][way].push(nanos);
        }
    }
    times.iter_mut().flatten().for_each(|rounds| rounds.sort_by(f64::total_cmp));
    times
}

/// Name, frames and bytes of each row.
fn rows<'a>(sets: &'a [Set]) -> impl Iterator<Item = (&'static str, usize, usize)> + 'a {
    let all = sets.iter().fold((0, 0), |sum, set| (sum.0 + set.frames.len(), sum.1 + set.bytes));
    let kinds = KINDS.iter().zip(sets).map(|(kind, set)| (*kind, set.frames.len(), set.bytes));
    kinds.chain([("total", all.0, all.1)])
}

fn host() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}

fn table_of(sets: &[Set], times: &Times, what: &str, rounds: usize, hits: u64, fallbacks: u64) -> String {
    let mut out = format!(
        "{what}; {rounds} interleaved rounds; median ns a frame (min), and the ratio of medians\nhost: {}\nfast path: {hits} hits, {fallbacks} fallbacks\n\n",
        host()
    );
    let _ = write!(out, "{:<11}{:>8}{:>7}", "kind", "frames", "bytes");
    WAYS.iter().for_each(|way| out.push_str(&format!("{way:>15}")));
    out.push_str("   tape/derive full/derive full/bare full/bare8\n");
    for ((name, frames, bytes), times) in rows(sets).zip(times).filter(|((_, frames, _), _)| *frames > 0) {
        let _ = write!(out, "{name:<11}{frames:>8}{:>7}", bytes / frames);
        for way in times {
            let each = |nanos: f64| nanos / frames as f64;
            let _ = write!(out, "{:>15}", format!("{:.0} ({:.0})", each(median(way)), each(way[0])));
        }
        let ratio = |a: usize, b: usize| median(&times[a]) / median(&times[b]);
        let _ = writeln!(
            out,
            "{:>14.2}{:>12.2}{:>10.2}{:>11.2}",
            ratio(1, 0),
            ratio(2, 0),
            ratio(2, 3),
            ratio(2, 4)
        );
    }
    out
}

fn json(sets: &[Set], times: &Times, what: &str, rounds: usize) -> String {
    let kinds = rows(sets).zip(times).filter(|((_, frames, _), _)| *frames > 0);
    let kinds: serde_json::Map<_, _> = kinds
        .map(|((name, frames, bytes), times)| {
            let ways: serde_json::Map<_, _> = WAYS
                .iter()
                .zip(times)
                .map(|(way, nanos)| {
                    let each = |nanos: f64| nanos / frames as f64;
                    let value =
                        serde_json::json!({"median_ns": each(median(nanos)), "min_ns": each(nanos[0])});
                    ((*way).to_owned(), value)
                })
                .collect();
            (name.to_owned(), serde_json::json!({"frames": frames, "bytes": bytes, "ways": ways}))
        })
        .collect();
    serde_json::json!({"what": what, "host": host(), "rounds": rounds, "kinds": kinds}).to_string()
}
