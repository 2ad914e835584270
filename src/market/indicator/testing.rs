//! What the indicators' tests share: a series, a comparison, and the exponential average by its definition.

/// A random walk in cents between 50 and 500, the same every time.
pub(super) fn walk(len: usize) -> Vec<f64> {
    let (mut state, mut cents) = (7u64, 20_000i64);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let step = ((state >> 33) % 201) as i64 - 100;
            cents += if (5_000..=50_000).contains(&(cents + step)) { step } else { -step };
            cents as f64 / 100.0
        })
        .collect()
}

/// Asserts that both are absent, or differ by at most `relative` (by 1e-12 where the value is about 0).
#[track_caller]
pub(super) fn assert_close(got: Option<f64>, want: Option<f64>, relative: f64) {
    match (got, want) {
        (None, None) => {}
        (Some(g), Some(w)) => {
            assert!((g - w).abs() <= (relative * w.abs()).max(1e-12), "{g} is not {w} to {relative}");
        }
        _ => panic!("{got:?} where {want:?} was expected"),
    }
}

/// The exponential average as a sum of weighted inputs, not as a recurrence: (1-k)^m × seed + Σ k (1-k)^i × x.
pub(super) fn ema_by_weights(values: &[f64], period: usize, k: f64) -> Option<f64> {
    let (seed, rest) = values.split_at_checked(period)?;
    let seed = seed.iter().sum::<f64>() / period as f64;
    let weight = |age: usize| (1.0 - k).powi(age as i32);
    let newest_first = rest.iter().rev().enumerate();
    Some(weight(rest.len()) * seed + newest_first.map(|(age, x)| k * weight(age) * x).sum::<f64>())
}
