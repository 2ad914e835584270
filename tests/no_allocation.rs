//! Between a frame and the hand-over of what it caused nothing is allocated, once a run is warm.

#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

#[path = "support/frames.rs"]
mod frames;

use algo_trader::domain::{Market, Time};
use algo_trader::history::{Capture, CaptureOptions};
use algo_trader::net::{Frame, SourceId};
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::config::DEFAULT_TEXT;
use algo_trader::run::feed::Feed;
use algo_trader::run::{Config, Pipeline, PipelineOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

impl Counting {
    fn note(&self) {
        if WATCHED.get() {
            COUNT.set(COUNT.get() + 1);
            if COUNT.get() == 1 {
                // Taking the backtrace allocates: not watched meanwhile.
                WATCHED.set(false);
                eprintln!("first allocation:\n{}", std::backtrace::Backtrace::force_capture());
                WATCHED.set(true);
            }
        }
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note();
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from `System` by `alloc` or `realloc` above, with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note();
        // SAFETY: `place` came from `System` with this layout, and the caller vouches for `size`.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Frames of a run that may still allocate: histograms, tables and lanes come to their sizes.
const WARM_UP: usize = 20_000;

#[test]
fn a_warm_pipeline_allocates_nothing_from_frame_to_hand_over() {
    let Some(files) = frames::recorded() else { return };
    let file = files.iter().find(|f| f.source.name.starts_with("usdm-btcusdt")).expect("a recorded file");
    // With balances: what orders lock is kept without allocating, too.
    let text = DEFAULT_TEXT.replace("#\"binance:", "\"binance:");
    let config =
        Config::from_text_with_built_in(&text, "default with balances").expect("a good configuration");
    assert!(!config.paper.balances.is_empty());
    let options = PipelineOptions {
        threading: Some(Threading::Inline),
        wait: Some(Wait::Yield),
        ..PipelineOptions::default()
    };
    let mut pipeline = Pipeline::build(&config, options).expect("a good configuration");
    let mut feed = Feed::new(&config.instruments, pipeline.clock.clone());
    feed.sampler = pipeline.sampler;
    let all: Vec<_> = file.timed_frames().collect();
    let mut before = 0;
    for (index, (received, bytes)) in all.iter().enumerate() {
        let frame = Frame { received: Time(*received), source: SourceId(0), line: index as u64 + 1, bytes };
        let read = pipeline.clock.raw();
        WATCHED.set(index >= WARM_UP);
        let outcome = feed.frame(&file.source, &frame, read, &mut pipeline.sequencer);
        WATCHED.set(false);
        outcome.expect("nothing stops the run");
        assert_eq!(COUNT.get(), before, "frame {} allocated", index + 1);
        before = COUNT.get();
    }
    assert!(all.len() > 4 * WARM_UP && pipeline.sequencer.answers_entered() > 0);
    // That the counter counts.
    WATCHED.set(true);
    drop(std::hint::black_box(Box::new(1)));
    WATCHED.set(false);
    assert_eq!(COUNT.get(), before + 1);
}

#[test]
fn a_capture_takes_frames_without_allocating() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = frames::source("wire", Market::UsdM, None);
    let mut capture = Capture::start(&[source], &CaptureOptions::new(dir.path().into())).expect("starts");
    let frame = [b'x'; 300];
    for n in 0..50_000 {
        WATCHED.set(true);
        let taken = capture.push(SourceId(0), Time(1_723_161_253_000_000_000 + n), &frame);
        WATCHED.set(false);
        assert!(taken, "there is room for twice as many");
    }
    assert_eq!(COUNT.get(), 0);
    assert_eq!(capture.finish().counts.written, 50_000);
}
