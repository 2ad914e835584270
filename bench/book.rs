//! What keeping a book costs, beside an ordered map a side, in one run: `cargo bench --bench book`.
//!
//! The recorded depth diffs of each instrument, decoded beforehand, are applied on top of the recorded snapshot, and
//! the best bid and ask are read after every diff. Both books are compared after every diff once, untimed; rounds are
//! interleaved, so that the machine's moods fall on both alike; read the ratios.
//!
//! `--json` prints one object; `--rounds N`.

#[path = "../tests/support/frames.rs"]
mod frames;
#[path = "support.rs"]
mod support;

use algo_trader::domain::event::DepthHead;
use algo_trader::domain::{InstrumentId, InstrumentTable, Level, Price, Side};
use algo_trader::market::book::Book;
use algo_trader::run::Config;
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::{Decoded, LevelBuffer};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;
use support::Rounds;

/// Figures to reach, as a ratio to the ordered maps: what must be, and what is hoped for.
const TARGET: f64 = 0.15;
const MOONSHOT: f64 = 0.10;

/// One diff: where its levels are, bids first.
struct Diff {
    from: usize,
    bids_end: usize,
    end: usize,
}

/// The diffs of one instrument, decoded.
struct Tape {
    name: String,
    tick: Price,
    snapshot: Option<u64>,
    start: Vec<(Side, Level)>,
    diffs: Vec<Diff>,
    levels: Vec<Level>,
}

impl Tape {
    fn new(name: String, tick: Price) -> Self {
        Self { name, tick, snapshot: None, start: Vec::new(), diffs: Vec::new(), levels: Vec::new() }
    }

    /// The snapshot begins the tape; diffs that it already holds are left out.
    fn take(&mut self, decoded: &Decoded, levels: &[Level]) {
        match decoded {
            Decoded::DepthSnapshot(head) if self.snapshot.is_none() => {
                let (bids, asks) = levels.split_at(head.bids as usize);
                self.start.extend(bids.iter().map(|l| (Side::Buy, *l)));
                self.start.extend(asks.iter().map(|l| (Side::Sell, *l)));
                self.snapshot = Some(head.last_id);
            }
            Decoded::DepthDiff(head) if self.snapshot.is_some_and(|id| head.last_id > id) => {
                self.diff(head, levels);
            }
            _ => {}
        }
    }

    fn diff(&mut self, head: &DepthHead, levels: &[Level]) {
        let from = self.levels.len();
        self.levels.extend_from_slice(levels);
        self.diffs.push(Diff { from, bids_end: from + head.bids as usize, end: self.levels.len() });
    }
}

/// What both books can do.
trait Keeps {
    fn set(&mut self, side: Side, level: Level);
    fn bests(&self) -> [Option<Level>; 2];
}

impl Keeps for Book {
    #[inline]
    fn set(&mut self, side: Side, level: Level) {
        Book::set(self, side, level);
    }

    #[inline]
    fn bests(&self) -> [Option<Level>; 2] {
        [self.best_bid(), self.best_ask()]
    }
}

/// The peer: an ordered map a side.
#[derive(Default, Clone)]
struct Maps {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Keeps for Maps {
    #[inline]
    fn set(&mut self, side: Side, level: Level) {
        let map = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        if level.qty.0 == 0 {
            map.remove(&level.price.0);
        } else {
            map.insert(level.price.0, level.qty.0);
        }
    }

    #[inline]
    fn bests(&self) -> [Option<Level>; 2] {
        let level = |(price, qty): (&i64, &i64)| Level::new(*price, *qty);
        [self.bids.last_key_value().map(level), self.asks.first_key_value().map(level)]
    }
}

#[inline]
fn apply(book: &mut impl Keeps, tape: &Tape, diff: &Diff) {
    for level in &tape.levels[diff.from..diff.bids_end] {
        book.set(Side::Buy, *level);
    }
    for level in &tape.levels[diff.bids_end..diff.end] {
        book.set(Side::Sell, *level);
    }
}

/// Applies every diff, reading both bests after each; nanoseconds, and a sum that nothing may be left out of.
fn run(mut book: impl Keeps, tape: &Tape) -> (f64, i64) {
    for (side, level) in &tape.start {
        book.set(*side, *level);
    }
    let begin = Instant::now();
    let mut sum = 0i64;
    for diff in &tape.diffs {
        apply(&mut book, tape, diff);
        for best in book.bests().into_iter().flatten() {
            sum = sum.wrapping_add(best.price.0 ^ best.qty.0);
        }
    }
    let nanos = begin.elapsed().as_nanos() as f64;
    (nanos, black_box(sum))
}

/// Compares after every diff; the bytes of our book in the end.
fn compare(tape: &Tape) -> usize {
    let (mut book, mut maps) = (Book::new(tape.tick), Maps::default());
    for (side, level) in &tape.start {
        book.set(*side, *level);
        maps.set(*side, *level);
    }
    for (n, diff) in tape.diffs.iter().enumerate() {
        apply(&mut book, tape, diff);
        apply(&mut maps, tape, diff);
        assert_eq!(book.bests(), maps.bests(), "{}: the books differ after diff {n}", tape.name);
    }
    assert_eq!(book.len(Side::Buy) + book.len(Side::Sell), maps.bids.len() + maps.asks.len());
    book.memory_bytes()
}

fn recorded(table: &InstrumentTable) -> Option<Vec<Tape>> {
    let files = frames::recorded()?;
    let mut tapes: Vec<_> = table.all().iter().map(|i| Tape::new(i.name(), i.tick)).collect();
    let (mut decoder, mut levels) = (Decoder::new(table), LevelBuffer::new());
    for file in &files {
        for (line, frame) in file.frames() {
            let decoded = decoder
                .decode(&file.source, frame, &mut levels)
                .unwrap_or_else(|error| panic!("{} line {line}: {error}", file.source.name));
            if let Decoded::DepthSnapshot(head) | Decoded::DepthDiff(head) = &decoded {
                tapes[head.instrument.index()].take(&decoded, &levels.levels);
            }
        }
    }
    tapes.retain(|tape| !tape.diffs.is_empty());
    Some(tapes)
}

/// A market that wanders: mostly changes near the touch, a few far away, as recorded ones have.
fn generated() -> Vec<Tape> {
    let mut tape = Tape::new("generated".into(), Price(1));
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below) as i64
    };
    let mut middle = 600_000;
    tape.start = (1..=1_000)
        .flat_map(|n| [(Side::Buy, Level::new(middle - n, 5)), (Side::Sell, Level::new(middle + n, 5))])
        .collect();
    for id in 0..50_000u64 {
        let moved = next(7) - 3;
        let mut levels = Vec::with_capacity(64);
        let mut sides = [Vec::with_capacity(32), Vec::with_capacity(32)];
        // What the touch has passed is gone, as in a real market: no book is ever crossed.
        for n in 0..=moved.abs() {
            let (at, side) =
                if moved > 0 { (middle + n, &mut sides[1]) } else { (middle - n, &mut sides[0]) };
            side.push(Level::new(at, 0));
        }
        middle += moved;
        for (side, sign) in sides.iter_mut().zip([-1, 1]) {
            for _ in 0..12 {
                let far = next(40) == 0;
                let distance = 1 + if far { next(20_000) } else { next(200) };
                side.push(Level::new(middle + sign * distance, next(3) * next(1_000)));
            }
        }
        let [bids, asks] = &sides;
        levels.extend(bids.iter().chain(asks));
        let head = DepthHead {
            instrument: InstrumentId(0),
            first_id: id,
            last_id: id,
            prev_id: id,
            venue_time: algo_trader::domain::Time(0),
            bids: bids.len() as u32,
            asks: asks.len() as u32,
        };
        tape.diff(&head, &levels);
    }
    vec![tape]
}

struct Row {
    name: String,
    diffs: usize,
    levels: usize,
    memory: Option<usize>,
    ours: Rounds,
    maps: Rounds,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours.median() / self.maps.median()
    }

    fn json(&self) -> serde_json::Value {
        let each = |nanos: f64| nanos / self.levels as f64;
        serde_json::json!({
            "name": self.name, "diffs": self.diffs, "levels": self.levels, "memory_bytes": self.memory,
            "ours_ns_a_level": {"median": each(self.ours.median()), "min": each(self.ours.min())},
            "maps_ns_a_level": {"median": each(self.maps.median()), "min": each(self.maps.min())},
            "ratio": self.ratio(), "ratio_of_minima": self.ours.min() / self.maps.min(),
        })
    }
}

fn main() {
    let rounds = support::number("--rounds", 9).max(1);
    let config = Config::embedded_default();
    let (what, tapes) = match recorded(&config.instruments) {
        Some(tapes) => ("recorded diffs", tapes),
        None => ("generated diffs (no recordings found)", generated()),
    };
    let mut rows: Vec<Row> = Vec::new();
    for tape in &tapes {
        let memory = Some(compare(tape));
        let (diffs, levels) = (tape.diffs.len(), tape.levels.len());
        let (ours, maps) = (Rounds::default(), Rounds::default());
        rows.push(Row { name: tape.name.clone(), diffs, levels, memory, ours, maps });
    }
    let mut total = Row {
        name: "total".into(),
        diffs: rows.iter().map(|r| r.diffs).sum(),
        levels: rows.iter().map(|r| r.levels).sum(),
        memory: None,
        ours: Rounds::default(),
        maps: Rounds::default(),
    };
    for round in 0..rounds {
        let mut sums = [0.0; 2];
        for (row, tape) in rows.iter_mut().zip(&tapes) {
            let mut nanos = [(0.0, 0); 2];
            for turn in 0..2 {
                let way = (turn + round) % 2;
                nanos[way] =
                    if way == 0 { run(Book::new(tape.tick), tape) } else { run(Maps::default(), tape) };
            }
            assert_eq!(nanos[0].1, nanos[1].1, "{}: the books differ", tape.name);
            row.ours.push(nanos[0].0);
            row.maps.push(nanos[1].0);
            sums[0] += nanos[0].0;
            sums[1] += nanos[1].0;
        }
        total.ours.push(sums[0]);
        total.maps.push(sums[1]);
    }
    rows.push(total);
    if support::wants_json() {
        let all: Vec<_> = rows.iter().map(Row::json).collect();
        let host = support::host();
        println!(
            "{}",
            serde_json::json!({"what": what, "host": host, "rounds": rounds, "target": TARGET,
                "moonshot": MOONSHOT, "rows": all})
        );
        return;
    }
    println!("{what}; {rounds} interleaved rounds; median ns a level (min), and the ratio of medians");
    println!("host: {}\n", support::host());
    println!(
        "{:<26}{:>9}{:>11}{:>10}{:>16}{:>16}{:>8}",
        "instrument", "diffs", "levels", "KiB", "book", "maps", "ratio"
    );
    for row in &rows {
        let cell = |r: &Rounds| {
            format!("{:.1} ({:.1})", r.median() / row.levels as f64, r.min() / row.levels as f64)
        };
        println!(
            "{:<26}{:>9}{:>11}{:>10}{:>16}{:>16}{:>8.3}",
            row.name,
            row.diffs,
            row.levels,
            row.memory.map_or(String::new(), |bytes| (bytes / 1024).to_string()),
            cell(&row.ours),
            cell(&row.maps),
            row.ratio()
        );
    }
    let ratio = rows[rows.len() - 1].ratio();
    println!(
        "\ntotal ratio {ratio:.3}: target {TARGET} {}, moonshot {MOONSHOT} {}",
        support::verdict(ratio, TARGET),
        support::verdict(ratio, MOONSHOT)
    );
}
