//! What goes wrong inside a pipeline ends the run cleanly, or changes nothing.

#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::{Market, Slot};
use algo_trader::execution::record::RECORD_BYTES;
use algo_trader::journal::format::{TAG_END, TAG_RECORD, TAG_SLOT};
use algo_trader::journal::{JournalSink, JournalWriter, SyncPolicy};
use algo_trader::pipeline::group::Step;
use algo_trader::pipeline::{
    Group, LaneSender, Sampler, Stage, StampClock, Stop, StopReason, Threading, build_ring, lane,
};
use algo_trader::run::orders::OrderLanes;
use algo_trader::run::pipeline::journal_header;
use algo_trader::run::{Config, ReplayError, ReplayOptions, Summary, replay_frames};
use std::any::Any;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Frames, Hook, Hooked, hooked, small_market, threads, within};

const STAGES: [&str; 6] = ["market", "strategy", "risk", "execution", "journal", "gateway"];
const FRAMES: usize = 10_000;

fn config(ring_slots: usize) -> Config {
    let mut config = Config::embedded_default();
    config.pipeline.ring_slots = ring_slots;
    config.pipeline.lane_slots = 1_024;
    config
}

fn run(mut frames: Frames, options: ReplayOptions) -> Result<Summary, ReplayError> {
    replay_frames(&config(1_024), &mut frames, options)
}

fn undisturbed() -> Summary {
    let summary = run(small_market(FRAMES), threads(Threading::Inline)).expect("a good run");
    assert!(summary.execution.orders > 10 && summary.execution.fills > 5, "{:?}", summary.execution);
    summary
}

fn stopped(result: Result<Summary, ReplayError>) -> (StopReason, Summary) {
    match result {
        Err(ReplayError::Stopped { reason, summary }) => (reason, *summary),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("the run went on"),
    }
}

/// A hook that notes the last sequence number seen.
fn noting(seen: &Arc<AtomicU64>) -> Hook {
    let seen = Arc::clone(seen);
    Box::new(move |inner, seq, slot, books| {
        seen.store(seq, SeqCst);
        inner.on_slot(seq, slot, books);
    })
}

#[test]
fn a_stage_that_panics_ends_the_run_by_name_and_nothing_after_it_sees_the_event() {
    const AT: u64 = 777;
    for threading in Threading::ALL {
        for (place, broken) in STAGES.into_iter().enumerate() {
            let seen: Vec<Arc<AtomicU64>> = STAGES.iter().map(|_| Arc::default()).collect();
            let seen_by = seen.clone();
            let result = within(180, move || {
                let mut options = threads(threading);
                options.pipeline.wrap = hooked(move |name| {
                    let at = STAGES.iter().position(|s| *s == name).expect("a known stage");
                    let mut note = noting(&seen_by[at]);
                    let breaks = name == broken;
                    Some(Box::new(move |inner, seq, slot, books| {
                        assert!(!(breaks && seq >= AT), "broken on purpose");
                        note(inner, seq, slot, books);
                    }))
                });
                run(small_market(FRAMES), options)
            });
            let (reason, _) = stopped(result);
            let StopReason::StagePanicked { stage, seq, message, .. } = reason else { panic!("{reason}") };
            assert_eq!((stage, message.as_str()), (broken, "broken on purpose"), "{threading:?}");
            // A stage that is spared levels breaks at the next slot that it gets.
            assert!((AT..AT + 20).contains(&seq), "{seq}");
            for (name, seen) in STAGES.iter().zip(&seen).skip(place) {
                assert!(seen.load(SeqCst) < seq, "{name} acted after {broken} broke ({threading:?})");
            }
        }
    }
}

/// Sends twice as many messages for one event as its lane was made for.
struct Chatty {
    lane: LaneSender<u64>,
}

impl Stage for Chatty {
    fn name(&self) -> &'static str {
        "chatty"
    }
    fn on_slot(&mut self, seq: u64, _slot: &Slot, _shared: &()) {
        if seq == 3 {
            (0..100).for_each(|n| self.lane.push(n));
        }
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

struct Last(Arc<AtomicU64>);

impl Stage for Last {
    fn name(&self) -> &'static str {
        "last"
    }
    fn on_slot(&mut self, seq: u64, _slot: &Slot, _shared: &()) {
        self.0.store(seq, SeqCst);
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[test]
fn an_event_whose_messages_overflowed_a_lane_is_not_acted_on_even_on_the_same_thread() {
    use disruptor::Producer;
    let (stop, seen) = (Stop::new(), Arc::new(AtomicU64::new(0)));
    let (out, _in) = lane("chatty→last", 50, 50, &stop);
    let mut ring = build_ring(64, 1);
    let stages: Vec<Box<dyn Stage>> = vec![Box::new(Chatty { lane: out }), Box::new(Last(seen.clone()))];
    let poller = ring.pollers.pop().expect("one group");
    let mut group = Group::new(poller, stages, (), StampClock::new(), Sampler::every(), stop.clone(), None);
    for _ in 0..6 {
        ring.producer.publish(|slot| *slot = Slot::clock());
    }
    assert_eq!(group.step(), Step::Finished);
    assert_eq!(stop.reason(), Some(StopReason::LaneOverflow("chatty→last")));
    assert_eq!(seen.load(SeqCst), 2);
}

#[test]
fn a_stage_that_overflows_its_lane_stops_the_run() {
    for threading in Threading::ALL {
        let result = within(180, move || {
            let mut options = threads(threading);
            options.pipeline.wrap = Some(Box::new(|inner| match inner.name() {
                "market" => {
                    let hook: Hook = Box::new(|inner, seq, slot, books| inner.on_slot(seq, slot, books));
                    Box::new(Hooked { inner, hook, boundless: true })
                }
                "strategy" => Box::new(Hooked { inner, hook: Box::new(|_, _, _, _| {}), boundless: false }),
                _ => inner,
            }));
            run(small_market(FRAMES), options)
        });
        assert_eq!(stopped(result).0, StopReason::LaneOverflow("market→strategy"), "{threading:?}");
    }
}

#[test]
fn a_fault_after_an_interruption_is_still_told_as_a_fault() {
    let stop = Stop::new();
    stop.stop(StopReason::Interrupted);
    assert!(!stop.is_failed());
    let fault = StopReason::LaneOverflow("market→strategy");
    stop.stop(fault.clone());
    stop.stop(StopReason::Interrupted);
    assert!(stop.is_failed());
    assert_eq!(stop.reason(), Some(fault));
}

/// Where a test's journal goes.
#[derive(Clone, Default)]
struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
    records: Arc<AtomicU64>,
    stall: Duration,
    room: Option<usize>,
}

impl Sink {
    fn writer(&self) -> JournalWriter {
        let header = journal_header(&config(1_024), 0);
        JournalWriter::to_sink(Box::new(self.clone()), &header, SyncPolicy::EachOrder).expect("a good sink")
    }

    fn record_seqs(&self) -> Vec<u64> {
        let bytes = self.bytes.lock().expect("no panic holds it");
        let (mut at, mut blocks, mut seqs) = (8, 0, Vec::new());
        while at < bytes.len() {
            let length = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
            if blocks > 0 {
                seqs.extend(records(&bytes[at + 8..at + 8 + length]));
            }
            blocks += 1;
            at += 8 + length;
        }
        seqs
    }
}

/// The sequence numbers of the records in a block's payload.
fn records(mut payload: &[u8]) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some((&tag, rest)) = payload.split_first() {
        let length = match tag {
            TAG_SLOT => 64,
            TAG_END => 0,
            _ => RECORD_BYTES,
        };
        if tag == TAG_RECORD {
            seqs.push(u64::from_le_bytes(rest[..8].try_into().expect("8 bytes")));
        }
        payload = &rest[length..];
    }
    seqs
}

impl Write for Sink {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        std::thread::sleep(self.stall);
        let mut bytes = self.bytes.lock().expect("no panic holds it");
        if self.room.is_some_and(|room| bytes.len() + block.len() > room) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let is_entries = block.len() > 8 && block[8] != b'{';
        bytes.extend_from_slice(block);
        if is_entries {
            self.records.fetch_add(records(&block[8..]).len() as u64, SeqCst);
        }
        Ok(block.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl JournalSink for Sink {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The sequence numbers of all records of an undisturbed run, in order.
fn journaled() -> Vec<u64> {
    let sink = Sink::default();
    let mut options = threads(Threading::Inline);
    options.pipeline.journal_writer = Some(sink.writer());
    let summary = run(small_market(FRAMES), options).expect("a good run");
    let seqs = sink.record_seqs();
    assert!(seqs.len() as u64 >= summary.execution.orders && seqs.is_sorted());
    seqs
}

#[test]
fn every_order_is_in_the_journal_before_it_is_handed_over_however_long_the_disk_takes() {
    let (expected, plain) = (Arc::new(journaled()), undisturbed());
    for threading in Threading::ALL {
        for stall in [Duration::ZERO, Duration::from_millis(2)] {
            let (sink, expected) = (Sink { stall, ..Sink::default() }, Arc::clone(&expected));
            let written = sink.clone();
            let summary = within(180, move || {
                let mut options = threads(threading);
                options.pipeline.journal_writer = Some(sink.writer());
                options.pipeline.wrap = hooked(move |name| {
                    let (expected, records) = (Arc::clone(&expected), Arc::clone(&sink.records));
                    let hook: Hook = Box::new(move |inner, seq, slot, books| {
                        let due = expected.partition_point(|s| *s <= seq) as u64;
                        assert!(!slot.is_last() || records.load(SeqCst) >= due, "ahead of the journal");
                        inner.on_slot(seq, slot, books);
                    });
                    (name == "gateway").then_some(hook)
                });
                run(small_market(FRAMES), options)
            })
            .expect("a good run");
            assert_eq!(summary.order_stream_sha256, plain.order_stream_sha256, "{threading:?} {stall:?}");
            assert_eq!(summary.seq, plain.seq);
            assert_eq!(written.record_seqs().len(), journaled().len());
        }
    }
}

#[test]
fn a_full_disk_stops_the_run_and_no_order_after_it_is_handed_over() {
    let expected = journaled();
    for threading in Threading::ALL {
        let sink = Sink { room: Some(150_000), ..Sink::default() };
        let (written, seen) = (sink.clone(), Arc::<AtomicU64>::default());
        let gateway = seen.clone();
        let result = within(180, move || {
            let mut options = threads(threading);
            options.pipeline.journal_writer = Some(sink.writer());
            options.pipeline.wrap = hooked(move |name| (name == "gateway").then(|| noting(&gateway)));
            run(small_market(FRAMES), options)
        });
        let (reason, _) = stopped(result);
        let StopReason::StageFailed { stage: "journal", message } = &reason else { panic!("{reason}") };
        assert!(message.contains("nothing was handed over"), "{message}");
        let kept = written.record_seqs().len();
        assert!(kept > 0 && kept < expected.len(), "{kept} of {} records", expected.len());
        let first_lost = expected[kept];
        assert!(seen.load(SeqCst) < first_lost, "{threading:?}: handed over and not in the journal");
    }
}

#[test]
fn a_slow_stage_fills_the_ring_and_its_lanes_and_nothing_is_lost() {
    let plain = undisturbed();
    for threading in Threading::ALL {
        for slow in STAGES {
            let summary = within(180, move || {
                let mut options = threads(threading);
                options.pipeline.wrap = hooked(move |name| {
                    let hook: Hook = Box::new(move |inner, seq, slot, books| {
                        if seq % 1_000 == 0 {
                            std::thread::sleep(Duration::from_millis(10));
                        }
                        inner.on_slot(seq, slot, books);
                    });
                    (name == slow).then_some(hook)
                });
                run(small_market(FRAMES), options)
            })
            .expect("a good run");
            let hash = &summary.order_stream_sha256;
            assert_eq!((hash, summary.seq), (&plain.order_stream_sha256, plain.seq), "{slow} {threading:?}");
        }
    }
}

#[test]
fn a_depth_event_larger_than_the_ring_passes_whole() {
    let side = |from: i64, step: i64| {
        let price = |n: i64| from + step * n;
        let level = |n| format!(r#"["{}.{:02}000000","1.00000000"]"#, price(n) / 100, price(n) % 100);
        (0..5_000).map(level).collect::<Vec<_>>().join(",")
    };
    let (bids, asks) = (side(199_999, -1), side(200_001, 1));
    for threading in Threading::ALL {
        let mut frames = Frames::new(Market::Spot, "ETHUSDT");
        frames.push(support::BEGIN, format!(r#"{{"lastUpdateId":100,"bids":[{bids}],"asks":[{asks}]}}"#));
        frames.push(
            support::BEGIN + 1,
            format!(r#"{{"stream":"ethusdt@depth@100ms","data":{{"e":"depthUpdate","E":1723161253000,"s":"ETHUSDT","U":101,"u":102,"b":[{bids}],"a":[{asks}]}}}}"#),
        );
        let summary = within(180, move || run(frames, threads(threading))).expect("a good run");
        let mut books = summary.books.iter();
        let (_, book) = books.find(|(i, _)| i.name() == "binance:spot:ETHUSDT").expect("configured");
        assert_eq!((book.sync.diffs, book.sync.levels, book.sync.gaps), (1, 20_000, 0), "{threading:?}");
        assert!(book.top.valid && summary.seq > 2 * 1_024);
    }
}

/// Slots of the lane to the sending thread: a strategy whose order is under way waits for its answer, so one that got
/// through would be the last.
const ROOM: usize = 0;

#[test]
fn an_order_that_finds_no_room_on_its_way_out_is_rejected_by_a_report_and_none_is_dropped() {
    for threading in [Threading::Inline, Threading::Dedicated] {
        let (sender, _lanes) = OrderLanes::with_slots(ROOM).expect("a poll");
        let mut options = threads(threading);
        options.pipeline.handover = Some(sender);
        let summary = run(small_market(FRAMES), options).expect("a good run");
        let handover = summary.handover.expect("orders were handed over");
        assert_eq!(handover.handed, ROOM as u64);
        assert!(handover.refused_full > 4, "{handover:?}");
        let e = summary.execution;
        assert_eq!(e.orders + e.cancels, handover.handed + handover.refused_full, "{e:?}");
        // What came back are rejections of orders, and of cancels, whose orders are still there.
        assert!(e.rejected > 4 && e.rejected <= handover.refused_full, "{e:?} {handover:?}");
        assert_eq!((e.fills, e.unknown_reports, summary.stopped), (0, 0, None));
    }
}
