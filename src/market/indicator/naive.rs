//! Indicators by their definitions, over the whole window each time: what the streaming ones are held to where TA-Lib is
//! not at hand.

use super::testing::{assert_close, walk};
use super::{BarValues, Indicator, find};

fn bars(len: usize) -> Vec<BarValues> {
    let closes = walk(len);
    let spread = |n: usize| ((n * 7_919) % 31) as f64 / 10.0;
    let bar = |(n, &close): (usize, &f64)| BarValues {
        high: close + spread(n),
        low: close - spread(n + 5),
        close,
        volume: ((n * 104_729) % 1_000) as f64,
    };
    closes.iter().enumerate().map(bar).collect()
}

/// Holds output `output` of an indicator to a function of all bars so far.
fn hold(name: &str, params: &[(&str, f64)], output: usize, naive: impl Fn(&[BarValues]) -> Option<f64>) {
    let bars = bars(400);
    let spec = find(name).expect("it is registered");
    let mut indicator = spec.key(params).expect("good parameters").build().expect("good parameters");
    for n in 0..bars.len() {
        let got = indicator.update_bar(&bars[n]).map(|values| values.as_slice()[output]);
        assert_close(got, naive(&bars[..=n]), 1e-9);
    }
}

fn last(bars: &[BarValues], n: usize) -> Option<&[BarValues]> {
    bars.get(bars.len().checked_sub(n)?..)
}

fn closes(bars: &[BarValues]) -> Vec<f64> {
    bars.iter().map(|bar| bar.close).collect()
}

fn weighted(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    (1..).zip(values).map(|(w, x)| f64::from(w) * x).sum::<f64>() / (n * (n + 1.0) / 2.0)
}

fn highest(bars: &[BarValues]) -> f64 {
    bars.iter().map(|bar| bar.high).fold(f64::MIN, f64::max)
}

fn lowest(bars: &[BarValues]) -> f64 {
    bars.iter().map(|bar| bar.low).fold(f64::MAX, f64::min)
}

#[test]
fn averages() {
    hold("wma", &[("period", 9.0)], 0, |bars| Some(weighted(&closes(last(bars, 9)?))));
    hold("hma", &[("period", 20.0)], 0, |bars| {
        let at = |back: usize| {
            let until = &bars[..bars.len().checked_sub(back)?];
            Some(2.0 * weighted(&closes(last(until, 10)?)) - weighted(&closes(last(until, 20)?)))
        };
        let raw: Option<Vec<f64>> = (0..4).rev().map(at).collect();
        Some(weighted(&raw?))
    });
    hold("vwap", &[("period", 5.0)], 0, |bars| {
        let window = last(bars, 5)?;
        let volume: f64 = window.iter().map(|bar| bar.volume).sum();
        Some(window.iter().map(|bar| bar.typical() * bar.volume).sum::<f64>() / volume)
    });
}

#[test]
fn distances() {
    hold("momentum", &[("period", 4.0)], 0, |bars| Some(bars.last()?.close - last(bars, 5)?[0].close));
    hold("roc", &[("period", 4.0)], 0, |bars| {
        Some(100.0 * (bars.last()?.close / last(bars, 5)?[0].close - 1.0))
    });
    hold("stddev", &[("period", 12.0)], 0, |bars| {
        let values = closes(last(bars, 12)?);
        let mean = values.iter().sum::<f64>() / 12.0;
        Some((values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 12.0).sqrt())
    });
    hold("linreg", &[("period", 14.0)], 1, |bars| {
        let values = closes(last(bars, 14)?);
        let mean = values.iter().sum::<f64>() / 14.0;
        let (xy, xx) = values.iter().enumerate().fold((0.0, 0.0), |(xy, xx), (x, y)| {
            let x = x as f64 - 6.5;
            (xy + x * (y - mean), xx + x * x)
        });
        Some(xy / xx)
    });
    hold("cci", &[("period", 20.0)], 0, |bars| {
        let prices: Vec<f64> = last(bars, 20)?.iter().map(BarValues::typical).collect();
        let mean = prices.iter().sum::<f64>() / 20.0;
        let deviation = prices.iter().map(|x| (x - mean).abs()).sum::<f64>() / 20.0;
        Some((prices[19] - mean) / (0.015 * deviation))
    });
}

#[test]
fn channels() {
    hold("donchian", &[("period", 20.0)], 0, |bars| Some(highest(last(bars, 20)?)));
    hold("donchian", &[("period", 20.0)], 2, |bars| Some(lowest(last(bars, 20)?)));
    hold("williams", &[("period", 14.0)], 0, |bars| {
        let (high, low) = (highest(last(bars, 14)?), lowest(last(bars, 14)?));
        Some(-100.0 * (high - bars.last()?.close) / (high - low))
    });
    hold("stochastic", &[("period", 14.0), ("k", 3.0), ("d", 1.0)], 0, |bars| {
        let raw = |back: usize| {
            let window = last(&bars[..bars.len().checked_sub(back)?], 14)?;
            let (high, low) = (highest(window), lowest(window));
            Some(100.0 * (window[13].close - low) / (high - low))
        };
        Some((raw(0)? + raw(1)? + raw(2)?) / 3.0)
    });
}

#[test]
fn balances() {
    hold("obv", &[], 0, |bars| {
        let moved = bars.windows(2).map(|pair| {
            let way =
                (pair[1].close - pair[0].close).partial_cmp(&0.0).map_or(0.0, |way| f64::from(way as i8));
            way * pair[1].volume
        });
        Some(bars[0].volume + moved.sum::<f64>())
    });
}
