//! Orders a second of the matching engine and frames a second of the generated market, on one thread.

use algo_trader::domain::{OrderKind, Price, Qty, Side, TimeInForce};
use algo_trader::net::FrameSource;
use algo_trader::venue::local::rng::Rng;
use algo_trader::venue::local::{
    FlowConfig, FlowSource, MatchingEngine, NewOrder, demo_instruments, generated_instruments,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Limit orders around a price: some rest, some trade, and old ones are cancelled.
fn orders(count: u32) {
    let (mut engine, mut events) = (MatchingEngine::new(Price(1), Qty(1)), Vec::new());
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    let (mut rng, mut accepted) = (Rng::new(1, 1), std::collections::VecDeque::new());
    let began = Instant::now();
    let mut operations = 0u32;
    while operations < count {
        events.clear();
        let (side, offset) = if rng.sign() > 0 { (Side::Buy, -1) } else { (Side::Sell, 1) };
        let price = Price(100_000 + offset * (rng.below(200) as i64 - 20));
        let qty = Qty(1 + rng.below(20) as i64);
        let order = NewOrder { account: 0, side, kind: OrderKind::Limit, tif: TimeInForce::Gtc, price, qty };
        accepted.extend(engine.submit(&order, &mut events));
        operations += 1;
        if accepted.len() > 2_000
            && let Some(oldest) = accepted.pop_front()
            && engine.order(oldest).is_some()
        {
            engine.cancel(oldest, &mut events);
            operations += 1;
        }
        if operations.is_multiple_of(64) {
            engine.drain_changes(&mut bids, &mut asks);
        }
        black_box(&events);
    }
    let per_s = f64::from(operations) / began.elapsed().as_secs_f64();
    println!("engine: {per_s:.0} orders/s ({} rest)", engine.order_count());
}

fn frames(name: &str, mut config: FlowConfig, count: u32) {
    config.duration = Duration::from_secs(1_000_000);
    let mut source = FlowSource::new(&config).expect("the configuration is one of the crate's own");
    let (began, mut bytes) = (Instant::now(), 0usize);
    for _ in 0..count {
        match source.next_frame() {
            Ok(Some(frame)) => bytes += black_box(frame.bytes).len(),
            _ => break,
        }
    }
    let elapsed_s = began.elapsed().as_secs_f64();
    let (per_s, mb_per_s) = (f64::from(count) / elapsed_s, bytes as f64 / elapsed_s / 1e6);
    println!("{name}: {per_s:.0} frames/s, {mb_per_s:.0} MB/s, {} bytes a frame", bytes / count as usize);
}

fn main() {
    orders(10_000_000);
    frames("demo", FlowConfig::new(1, demo_instruments()), 2_000_000);
    frames("300 instruments", FlowConfig::new(1, generated_instruments(300)), 2_000_000);
}
