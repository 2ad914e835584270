//! Whole pipelines for tests: frames from memory, a small market that makes orders, and stages with a hook.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::{Market, Slot, Time};
use algo_trader::market::book::BookKeeper;
use algo_trader::net::{Frame, FrameSource, SourceError, SourceId, SourceInfo};
use algo_trader::pipeline::{Stage, Threading, Wait};
use algo_trader::run::pipeline::{StageWrapper, TradingStage};
use algo_trader::run::{PipelineOptions, ReplayOptions};
use std::any::Any;
use std::fmt::Write;
use std::sync::mpsc;
use std::time::Duration;

/// Frames of one source, in memory.
#[derive(Clone)]
pub struct Frames {
    sources: [SourceInfo; 1],
    pub all: Vec<(Time, Vec<u8>)>,
    next: usize,
}

impl Frames {
    pub fn new(market: Market, symbol: &str) -> Self {
        let source = SourceInfo {
            name: format!("{market}-{symbol}"),
            venue: "binance".into(),
            market,
            symbol: Some(symbol.into()),
        };
        Self { sources: [source], all: Vec::new(), next: 0 }
    }

    pub fn push(&mut self, ns: u64, text: impl Into<String>) {
        self.all.push((Time(ns), text.into().into_bytes()));
    }
}

impl FrameSource for Frames {
    fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        let Some((received, bytes)) = self.all.get(self.next) else { return Ok(None) };
        self.next += 1;
        Ok(Some(Frame { received: *received, source: SourceId(0), line: self.next as u64, bytes }))
    }
}

/// Receive time of the first frame of [`small_market`].
pub const BEGIN: u64 = 1_723_161_253_000_000_000;

/// A spot book with a lean that swings, and trades that reach to both sides: the imbalance maker of the built-in
/// configuration places, fills and cancels orders on it. Frames come in bursts of 250, a microsecond apart.
pub fn small_market(frames: usize) -> Frames {
    let mut out = Frames::new(Market::Spot, "ETHUSDT");
    let (mut time, mut id, mut random) = (BEGIN, 100u64, 0x9E37_79B9_7F4A_7C15u64);
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    out.push(
        time,
        r#"{"lastUpdateId":100,"bids":[["1999.00000000","5.00000000"]],"asks":[["2001.00000000","5.00000000"]]}"#,
    );
    for n in 0..frames {
        time += if n % 250 == 0 { 20_000_000 } else { 1_000 };
        if n % 7 == 3 {
            let (price, maker) = if next() % 2 == 0 { ("1999.80", true) } else { ("2000.20", false) };
            out.push(
                time,
                format!(
                    r#"{{"stream":"ethusdt@trade","data":{{"e":"trade","E":{ms},"s":"ETHUSDT","t":{n},"p":"{price}000000","q":"3.00000000","T":{ms},"m":{maker},"M":true}}}}"#,
                    ms = time / 1_000_000
                ),
            );
            continue;
        }
        let lean = next() % 2;
        let mut side = |heavy: bool, from: i64, step: i64| {
            let mut text = String::new();
            for level in 0..5 {
                let price = from + step * level;
                let qty = if heavy { 10 + next() % 9 } else { 1 + next() % 3 };
                let comma = if level > 0 { "," } else { "" };
                let _ =
                    write!(text, r#"{comma}["{}.{:02}000000","{qty}.00000000"]"#, price / 100, price % 100);
            }
            text
        };
        let bids = side(lean == 0, 199_999, -1);
        let asks = side(lean == 1, 200_001, 1);
        id += 1;
        out.push(
            time,
            format!(
                r#"{{"stream":"ethusdt@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"s":"ETHUSDT","U":{id},"u":{id},"b":[{bids}],"a":[{asks}]}}}}"#,
                ms = time / 1_000_000
            ),
        );
    }
    out
}

/// Options with these threads, that wait in a way that any host allows.
pub fn threads(threading: Threading) -> ReplayOptions {
    let pipeline =
        PipelineOptions { threading: Some(threading), wait: Some(Wait::Yield), ..PipelineOptions::default() };
    ReplayOptions { pipeline, ..ReplayOptions::default() }
}

/// What a hook does in place of `Stage::on_slot`; it is given the real stage.
pub type Hook = Box<dyn FnMut(&mut dyn Stage<BookKeeper>, u64, &Slot, &BookKeeper) + Send>;

/// A stage whose slots pass through a hook.
pub struct Hooked {
    pub inner: TradingStage,
    pub hook: Hook,
    /// Whether it says that its lanes always have room.
    pub boundless: bool,
}

impl Stage<BookKeeper> for Hooked {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn wants_levels(&self) -> bool {
        self.inner.wants_levels()
    }
    fn on_slot(&mut self, seq: u64, slot: &Slot, books: &BookKeeper) {
        (self.hook)(&mut *self.inner, seq, slot, books);
    }
    fn room(&self) -> u64 {
        if self.boundless { u64::MAX } else { self.inner.room() }
    }
    fn on_event_end(&mut self) -> bool {
        self.inner.on_event_end()
    }
    fn on_finish(&mut self) {
        self.inner.on_finish();
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self.inner.into_any()
    }
}

/// Hooks the stages for which `hook_of` has one.
pub fn hooked(
    mut hook_of: impl FnMut(&'static str) -> Option<Hook> + Send + 'static,
) -> Option<StageWrapper> {
    Some(Box::new(move |inner| match hook_of(inner.name()) {
        Some(hook) => Box::new(Hooked { inner, hook, boundless: false }),
        None => inner,
    }))
}

/// Runs `body` on a thread of its own and fails if it is not over in time: a deadlock is a failure, not a hang.
pub fn within<T: Send + 'static>(seconds: u64, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, over) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = done.send(body());
    });
    match over.recv_timeout(Duration::from_secs(seconds)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not over after {seconds} s: a deadlock"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends well has sent its value"),
        },
    }
}
