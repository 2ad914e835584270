//! Frames in memory: recorded ones where they are, else generated ones.

use algo_trader::domain::{Market, Time};
use algo_trader::history::{Recording, RecordingOptions};
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Kinds of frames.
pub const KINDS: [&str; 4] = ["trade", "quote", "depth", "snapshot"];

/// Which of [`KINDS`] a frame is, by its stream's name.
pub fn kind_of(frame: &[u8]) -> usize {
    let at = frame.iter().take(40).position(|&b| b == b'@');
    match at.map(|at| &frame[at + 1..]) {
        Some([b't', ..]) => 0,
        Some([b'b', ..]) => 1,
        Some(_) => 2,
        None => 3,
    }
}

/// A source whose frames lie in memory, one after another.
pub struct Loaded {
    /// What they are.
    pub what: &'static str,
    sources: Vec<SourceInfo>,
    frames: Vec<(Time, SourceId, Range<usize>)>,
    bytes: Vec<u8>,
    next: usize,
}

impl Loaded {
    fn new(what: &'static str, sources: Vec<SourceInfo>) -> Self {
        Self { what, sources, frames: Vec::new(), bytes: Vec::new(), next: 0 }
    }

    fn push(&mut self, received: Time, source: SourceId, frame: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        self.frames.push((received, source, from..self.bytes.len()));
    }

    /// Frames there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Begins again.
    pub fn rewind(&mut self) {
        self.next = 0;
    }
}

impl FrameSource for Loaded {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    #[inline]
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let Some((received, source, range)) = self.frames.get(self.next) else { return Ok(None) };
        self.next += 1;
        let (received, source, line) = (*received, *source, self.next as u64);
        Ok(Some(Frame { received, source, line, bytes: &self.bytes[range.clone()] }))
    }
}

/// Every recorded frame, by receive time; `None`, with a word on why, where there are none.
pub fn recorded() -> Option<Loaded> {
    let shared = std::env::var_os("ALGO_TRADER_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let folder = shared.join("binance-20240808");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let required = std::env::var_os("ALGO_TRADER_REQUIRE_SHARED").is_some_and(|v| v == "1");
        assert!(!required, "no recordings in {}", folder.display());
        eprintln!("no recordings in {} (set ALGO_TRADER_SHARED): frames are generated", folder.display());
        return None;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    paths.sort();
    let mut recording = Recording::open(&paths, &RecordingOptions::default())
        .unwrap_or_else(|error| panic!("recordings: {error}"));
    let mut loaded = Loaded::new("recorded frames", recording.sources().to_vec());
    while let Some(frame) = recording.next_frame().unwrap_or_else(|error| panic!("recordings: {error}")) {
        loaded.push(frame.received, frame.source, frame.bytes);
    }
    Some(loaded)
}

/// A wandering market, shaped as recorded ones are: a snapshot, then diffs of 20 levels a side, quotes and trades.
pub fn generated() -> Loaded {
    let source = SourceInfo {
        name: "generated".into(),
        venue: "binance".into(),
        market: Market::UsdM,
        symbol: Some("BTCUSDT".into()),
    };
    let mut loaded = Loaded::new("generated frames (no recordings found)", vec![source]);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut below = move |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    // In ticks of 0.1.
    let price = |ticks: u64| format!("{}.{}0", ticks / 10, ticks % 10);
    let pairs = |levels: Vec<(u64, u64)>| {
        let pair = |(ticks, qty): (u64, u64)| {
            format!("[\"{}\",\"{}.{:03}\"]", price(ticks), qty / 1_000, qty % 1_000)
        };
        levels.into_iter().map(pair).collect::<Vec<_>>().join(",")
    };
    let mut middle = 600_000;
    let start: [Vec<_>; 2] = [
        (1..=1_000).map(|n| (middle - n, 1_000)).collect(),
        (1..=1_000).map(|n| (middle + n, 1_000)).collect(),
    ];
    let [bids, asks] = start.map(pairs);
    let mut at = 1_700_000_000_000_000_000;
    let mut id = 1_000u64;
    let snapshot = format!(
        "{{\"lastUpdateId\":{id},\"E\":1700000000123,\"T\":1700000000122,\"bids\":[{bids}],\"asks\":[{asks}]}}"
    );
    loaded.push(Time(at), SourceId(0), snapshot.as_bytes());
    for n in 0..60_000u64 {
        at += 1_000_000;
        let ms = at / 1_000_000;
        let frame = match n % 6 {
            0 => {
                let (up, steps) = (below(2) == 0, below(3));
                // What the touch has passed is gone, as in a real market: no book is ever crossed.
                let gone: Vec<_> =
                    (0..=steps).map(|s| (if up { middle + s } else { middle - s }, 0)).collect();
                middle = if up { middle + steps } else { middle - steps };
                let mut sides: [Vec<_>; 2] = if up { [Vec::new(), gone] } else { [gone, Vec::new()] };
                for n in 0..20 {
                    let distance = 1 + if n == 0 { 0 } else { below(200) };
                    let qty = if n == 0 { 1_000 } else { below(3) * below(1_000) };
                    sides[0].push((middle - distance, qty));
                    sides[1].push((middle + distance, qty));
                }
                let [bids, asks] = sides.map(pairs);
                let (previous, first) = (id, id + 1);
                id += 5;
                format!(
                    "{{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{ms},\"T\":{ms},\"s\":\"BTCUSDT\",\"U\":{first},\"u\":{id},\"pu\":{previous},\"b\":[{bids}],\"a\":[{asks}]}}}}"
                )
            }
            1 => format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"T\":{ms},\"s\":\"BTCUSDT\",\"t\":{n},\"p\":\"{}\",\"q\":\"0.500\",\"X\":\"MARKET\",\"m\":false}}}}",
                price(middle + 1)
            ),
            _ => format!(
                "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{},\"s\":\"BTCUSDT\",\"b\":\"{}\",\"B\":\"{}.000\",\"a\":\"{}\",\"A\":\"12.345\",\"T\":{ms},\"E\":{ms}}}}}",
                id + n % 6,
                price(middle - 1),
                1 + below(50),
                price(middle + 1)
            ),
        };
        loaded.push(Time(at), SourceId(0), frame.as_bytes());
    }
    loaded
}
