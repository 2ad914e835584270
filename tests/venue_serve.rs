//! The local venue over the wire: what the usual client libraries see of it is what Binance documents.

use algo_trader::domain::{InstrumentTable, Market};
use algo_trader::net::FrameSource;
use algo_trader::venue::LevelBuffer;
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::local::serve::{
    AtEnd, Limits, Liveness, Origin, Pace, Running, Server, ServerOptions,
};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments, generated_instruments};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[path = "support/frames.rs"]
mod frames;
#[path = "support/stream_client.rs"]
mod stream_client;
use stream_client::{connect, get, send, text, text_or_close};

/// A few seconds of the demo market at full speed, held until someone listens.
fn short_flow(seconds: u64) -> FlowConfig {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(300);
    flow.duration = Duration::from_secs(seconds);
    flow
}

fn fast(flow: FlowConfig) -> ServerOptions {
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: false });
    options.pace = Pace::Max;
    options.batch = 32;
    options.wait_for_clients = 1;
    options.at_end = AtEnd::Close;
    options
}

fn start(options: ServerOptions) -> Running {
    Server::start(options).expect("the venue starts")
}

/// Frames of one market that the generator makes, snapshots not among them.
fn generated(flow: &FlowConfig, market: Market) -> Vec<String> {
    let mut source = FlowSource::new(flow).expect("a good configuration");
    let markets: Vec<Market> = source.sources().iter().map(|source| source.market).collect();
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame().expect("a generator has no errors") {
        if markets[usize::from(frame.source.0)] == market && frame.bytes.starts_with(b"{\"stream\"") {
            frames.push(String::from_utf8(frame.bytes.to_vec()).expect("frames are text"));
        }
    }
    frames
}

const SPOT: &str = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms/\
                    ethusdt@trade/ethusdt@bookTicker/ethusdt@depth@100ms";

#[test]
fn a_client_gets_every_frame_of_the_generator_in_order_over_tls() {
    let flow = short_flow(5);
    let expected = generated(&flow, Market::Spot);
    let venue = start(fast(flow));
    let endpoint = venue.endpoint(Market::Spot).expect("spot is served");
    assert!(endpoint.stream_url.starts_with("wss://127.0.0.1:") && venue.endpoint(Market::CoinM).is_none());
    let mut client = connect(endpoint, venue.ca_pem(), SPOT);
    let table = InstrumentTable::new(demo_instruments()).expect("distinct");
    let (mut decoder, mut levels) = (Decoder::new(&table), LevelBuffer::new());
    let source = frames::source("wire", Market::Spot, None);
    for expected in &expected {
        let frame = text(&mut client).expect("a frame");
        assert_eq!(frame, *expected);
        decoder.decode(&source, frame.as_bytes(), &mut levels).expect("a frame the decoder knows");
    }
    assert_eq!(text_or_close(&mut client), Err(Some(1001)), "the end is told");
    assert_eq!(decoder.fallbacks(), 0);
    let stats = venue.stop().expect("no panic");
    assert_eq!(stats.frames_sent, expected.len() as u64);
    assert!(stats.feed_ended && stats.gaps == 0 && stats.unreadable_frames == 0, "{stats:?}");
}
