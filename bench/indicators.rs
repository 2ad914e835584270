//! Nanoseconds an update of each indicator, against recomputing the same value from its inputs every time.
//!
//! Run by `cargo bench --bench indicators`. The recomputation of a windowed indicator goes over its window, that of a
//! recursive one over the last 250 values, which batch libraries are given so that the seed has faded. Each figure is
//! the best of several rounds over the same prices, because on a shared machine the least disturbed is the nearest to
//! what the code costs; read the ratio.

use algo_trader::market::indicator::{Bollinger, Ema, Indicator, Macd, Rsi, Sma};
use std::hint::black_box;
use std::time::Instant;

const PRICES: usize = 200_000;
const ROUNDS: usize = 7;
const HISTORY: usize = 250;

fn walk() -> Vec<f64> {
    let (mut state, mut cents) = (42u64, 27_500i64);
    (0..PRICES)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let step = (state >> 33) as i64 % 201 - 100;
            cents += if (5_000..=50_000).contains(&(cents + step)) { step } else { -step };
            cents as f64 / 100.0
        })
        .collect()
}

/// The best round's nanoseconds for each of `count` steps.
fn best(count: usize, mut round: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / count as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

fn streaming(prices: &[f64], mut indicator: impl Indicator) -> f64 {
    best(prices.len(), || {
        for &price in prices {
            black_box(indicator.update(black_box(price)));
        }
    })
}

fn recomputed<T>(prices: &[f64], window: usize, value: impl Fn(&[f64]) -> T) -> f64 {
    let windows = &prices[..PRICES / 10];
    best(windows.len() - window + 1, || {
        for window in windows.windows(window) {
            black_box(value(black_box(window)));
        }
    })
}

fn mean(window: &[f64]) -> f64 {
    window.iter().sum::<f64>() / window.len() as f64
}

fn ema(values: &[f64], period: usize) -> f64 {
    let k = 2.0 / (period as f64 + 1.0);
    values[period..].iter().fold(mean(&values[..period]), |average, x| average + (x - average) * k)
}

fn rsi(values: &[f64]) -> f64 {
    let (mut gain, mut loss) = (0.0, 0.0);
    for pair in values.windows(2) {
        gain = (gain * 13.0 + (pair[1] - pair[0]).max(0.0)) / 14.0;
        loss = (loss * 13.0 + (pair[0] - pair[1]).max(0.0)) / 14.0;
    }
    100.0 * gain / (gain + loss)
}

fn macd(values: &[f64]) -> [f64; 2] {
    let (mut fast, mut slow, mut signal) = (values[0], values[0], 0.0);
    for x in values {
        fast += (x - fast) * (2.0 / 13.0);
        slow += (x - slow) * (2.0 / 27.0);
        signal += (fast - slow - signal) * 0.2;
    }
    [fast - slow, signal]
}

fn bollinger(window: &[f64]) -> [f64; 3] {
    let mean = mean(window);
    let variance = window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / window.len() as f64;
    [mean + 2.0 * variance.sqrt(), mean, mean - 2.0 * variance.sqrt()]
}

fn main() {
    const OK: &str = "the parameters are in range";
    let prices = walk();
    let rows = [
        ("SMA 20", streaming(&prices, Sma::new(20).expect(OK)), recomputed(&prices, 20, mean)),
        (
            "EMA 20",
            streaming(&prices, Ema::new(20).expect(OK)),
            recomputed(&prices, HISTORY, |values| ema(values, 20)),
        ),
        ("RSI 14", streaming(&prices, Rsi::new(14).expect(OK)), recomputed(&prices, HISTORY, rsi)),
        (
            "MACD 12/26/9",
            streaming(&prices, Macd::new(12, 26, 9).expect(OK)),
            recomputed(&prices, HISTORY, macd),
        ),
        (
            "Bollinger 20/2",
            streaming(&prices, Bollinger::new(20, 2_000).expect(OK)),
            recomputed(&prices, 20, bollinger),
        ),
        ("SMA 200", streaming(&prices, Sma::new(200).expect(OK)), recomputed(&prices, 200, mean)),
        (
            "Bollinger 200/2",
            streaming(&prices, Bollinger::new(200, 2_000).expect(OK)),
            recomputed(&prices, 200, bollinger),
        ),
    ];
    println!("{:<16}{:>14}{:>16}{:>9}", "indicator", "ns an update", "ns recomputed", "ratio");
    for (name, streaming, recomputed) in rows {
        println!("{name:<16}{streaming:>14.1}{recomputed:>16.1}{:>8.1}x", recomputed / streaming);
    }
}
