//! Risk metrics of 200 instruments over a window of 250 periods: how long one computation takes, beside the bare
//! products of its covariance matrix, without which it cannot be done.

use algo_trader::risk::metrics::{Holding, LimitUse, Metrics, Rates, Returns, Snapshot};
use std::hint::black_box;
use std::time::Instant;

const INSTRUMENTS: usize = 200;
const WINDOW: usize = 250;
const ROUNDS: usize = 200;
/// What is promised.
const LIMIT_MS: f64 = 10.0;

fn main() {
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut uniform = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let mut returns = Returns::new(INSTRUMENTS, WINDOW);
    let mut prices = vec![100.0; INSTRUMENTS];
    for _ in 0..=WINDOW {
        prices.iter_mut().for_each(|price| *price *= 1.0 + 0.02 * uniform());
        returns.push_prices(&prices);
    }
    let holdings: Vec<Holding> =
        (0..INSTRUMENTS).map(|n| Holding { name: format!("I{n}"), exposure: 20_000.0 * uniform() }).collect();
    let limits: Vec<LimitUse> = (0..INSTRUMENTS)
        .map(|n| LimitUse { name: format!("L{n}"), used: 50.0 + 50.0 * uniform(), limit: 100.0 })
        .collect();
    let snapshot = Snapshot {
        holdings: &holdings,
        returns: &returns,
        equity: 1e6,
        equity_peak: 1.1e6,
        equity_day_start: 1e6,
        rates: Rates::default(),
        limits: &limits,
    };
    let whole = measure(|| {
        black_box(Metrics::of(black_box(&snapshot)));
    });
    let products = measure(|| {
        black_box(black_box(&returns).covariance());
    });
    println!("risk metrics, {INSTRUMENTS} instruments over {WINDOW} periods, {ROUNDS} rounds");
    println!("  everything            median {:.3} ms, slowest {:.3} ms", whole.0, whole.1);
    println!("  covariance alone      median {:.3} ms, slowest {:.3} ms", products.0, products.1);
    let verdict = if whole.0 < LIMIT_MS { "kept" } else { "MISSED" };
    println!("  promise: under {LIMIT_MS} ms: {verdict}");
}

/// Median and slowest, in ms.
fn measure(mut work: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2], times[ROUNDS - 1])
}
