//! Between a frame and the hand-over of what it caused nothing is allocated, once a run is warm.

#![allow(unsafe_code, reason = "a global allocator that counts cannot be written without")]

#[path = "support/client_driver.rs"]
mod client_driver;
#[path = "support/everything.rs"]
mod everything;
#[path = "support/frames.rs"]
mod frames;
#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::{
    ClientOrderId, Extras, Market, Order, OrderId, OrderKind, Price, Qty, Side, StrategyId, Time, TimeInForce,
};
use algo_trader::history::{Capture, CaptureOptions};
use algo_trader::net::websocket::Frames;
use algo_trader::net::{Frame, FrameSource, SourceId};
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::config::DEFAULT_TEXT;
use algo_trader::run::feed::Feed;
use algo_trader::run::{Config, Pipeline, PipelineOptions};
use algo_trader::security::{ApiKey, Credentials, Secret, Signer};
use algo_trader::venue::binance::encode::{OrderBytes, encode_order};
use algo_trader::venue::binance::request::Request::{Cancel, Place};
use algo_trader::venue::binance::request::{Auth, OrderRef, RecvWindow, RestRequest, Timing, WsRequest};
use algo_trader::venue::binance::streams::{Request, STREAMS, StreamClient, StreamSettings};
use algo_trader::venue::local::demo_instruments;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

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
fn a_warm_order_manager_allocates_nothing() {
    let config = everything::config();
    let options = PipelineOptions {
        threading: Some(Threading::Inline),
        wait: Some(Wait::Yield),
        strategies: &everything::EVERYTHING,
        ..PipelineOptions::default()
    };
    let mut pipeline = Pipeline::build(&config, options).expect("a good configuration");
    let mut feed = Feed::new(&config.instruments, pipeline.clock.clone());
    feed.sampler = pipeline.sampler;
    let market = support::small_market(60_000);
    let source = market.sources()[0].clone();
    for (index, (received, bytes)) in market.all.iter().enumerate() {
        let frame = Frame { received: *received, source: SourceId(0), line: index as u64 + 1, bytes };
        let read = pipeline.clock.raw();
        WATCHED.set(index >= WARM_UP);
        let outcome = feed.frame(&source, &frame, read, &mut pipeline.sequencer);
        WATCHED.set(false);
        outcome.expect("nothing stops the run");
        assert_eq!(COUNT.get(), 0, "frame {} allocated", index + 1);
    }
    assert!(pipeline.sequencer.answers_entered() > 1_000);
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

/// A state machine with one open connection that follows the recorded streams.
fn following(config: &Config) -> (StreamClient, algo_trader::venue::binance::streams::ConnectionId) {
    let seconds = Duration::from_secs;
    let settings = StreamSettings {
        streams: STREAMS
            .iter()
            .filter(|s| ["trade", "bookTicker", "depth@0ms"].contains(&s.name))
            .copied()
            .collect(),
        redundancy: 1,
        streams_per_connection_max: 1_024,
        open_timeout: seconds(10),
        silence: seconds(1_000_000),
        stream_silence: seconds(1_000_000),
        lifetime: seconds(1_000_000),
        overlap: seconds(1),
        pause: (seconds(1), seconds(2)),
        snapshot_levels: 1_000,
        weight_per_minute: 1_920,
        seed: 1,
    };
    let mut client = StreamClient::new(Market::UsdM, settings, config.instruments.all());
    let mut out = Vec::new();
    client.poll(Time(1), &mut out);
    let [Request::Connect { connection, .. }] = out[..] else { panic!("{out:?}") };
    client.opened(connection, Time(1), &mut out);
    (client, connection)
}

#[test]
fn frames_are_split_decoded_and_told_from_old_ones_without_allocation() {
    let Some(files) = frames::recorded() else { return };
    let file = files.iter().find(|f| f.source.name.starts_with("usdm-btcusdt")).expect("a recorded file");
    let config = Config::embedded_default();
    let (mut client, connection) = following(&config);
    let mut feed = Feed::new(&config.instruments, algo_trader::pipeline::StampClock::new());
    let (mut splitter, mut wire, mut count) = (Frames::new(16 << 20), Vec::new(), 0u64);
    let all: Vec<_> = file.timed_frames().take(60_000).collect();
    for (batch, frames) in all.chunks(32).enumerate() {
        wire.clear();
        for (_, bytes) in frames {
            wire.extend_from_slice(&[0x81, 127]);
            wire.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            wire.extend_from_slice(bytes);
        }
        let (before, now) = (COUNT.get(), frames[0].0);
        WATCHED.set(batch * 32 >= WARM_UP);
        splitter.extend(&wire);
        while let Ok(Some((_, bytes))) = splitter.next_message() {
            count += 1;
            if let Ok(message) = feed.decode(&file.source, bytes, count) {
                client.admit(connection, &message.decoded, Time(now));
            }
        }
        WATCHED.set(false);
        assert_eq!(COUNT.get(), before, "batch {batch} allocated");
    }
    assert_eq!(count as usize, all.len());
    assert!(client.counts.accepted > 10_000, "{:?}", client.counts);
}

#[test]
fn an_order_is_written_and_signed_without_allocating() {
    let instruments = demo_instruments();
    let spot = instruments.iter().find(|i| i.market == Market::Spot).expect("one of spot");
    let order = Order {
        id: OrderId(37),
        strategy: StrategyId(0),
        instrument: spot.id,
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(1_000),
        price: Price(6_000_000),
        extras: Extras::NONE,
    };
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key").serialize_pem();
    let signers = [Signer::hmac(&Secret::new("secret")), Signer::from_pem(&Secret::new(pem))];
    let (mut ws, mut rest, mut encoded) = (WsRequest::new(), RestRequest::new(), OrderBytes::new());
    let window = RecvWindow::from_millis(5_000);
    for signer in signers {
        let api_key = ApiKey::new("anApiKey").expect("an API key");
        let credentials = Credentials { api_key, signer: signer.expect("a key") };
        for round in 0..100u64 {
            let before = COUNT.get();
            // The first time, `ring` asks the processor what it can do.
            WATCHED.set(round > 0);
            let client_id = ClientOrderId::derive(1_723_161_253, OrderId(round));
            let timing = Timing { timestamp: 1_723_161_253_000 + round, recv_window: window };
            let place = Place { order: &order, instrument: spot, client_id: &client_id, self_trade: None };
            let cancel = Cancel { instrument: spot, order: OrderRef::Client(&client_id) };
            let mut written = 0;
            for request in [&place, &cancel] {
                for auth in [Auth::Session, Auth::Signed(&credentials)] {
                    written += usize::from(ws.write(round, request, timing, auth).is_ok());
                }
                written += usize::from(rest.write(request, timing, &credentials).is_ok());
            }
            encode_order(&order, spot, &client_id, timing.timestamp, &mut encoded);
            written += usize::from(rest.sign_query(encoded.as_bytes(), window, &credentials).is_ok());
            WATCHED.set(false);
            assert_eq!((written, COUNT.get()), (7, before), "round {round}");
        }
    }
}

#[test]
fn an_order_goes_from_the_client_to_its_session_without_allocating() {
    use algo_trader::venue::binance::client::{Input, Output};
    let mut driver = client_driver::Driver::started();
    for number in 1..=150 {
        let (order, client_id) = client_driver::order(number);
        driver.out.clear();
        WATCHED.set(true);
        let before = COUNT.get();
        driver.client.handle(
            driver.now,
            Input::Place { order: &order, client_id: &client_id },
            &mut driver.out,
        );
        WATCHED.set(false);
        assert_eq!(COUNT.get(), before, "order {number} allocated");
        assert!(matches!(driver.out.list[..], [Output::SessionText { .. }]), "{:?}", driver.out.list);
    }
}
