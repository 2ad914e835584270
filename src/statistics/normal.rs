//! The standard normal distribution: its function and the inverse of that.

use std::f64::consts::PI;

/// From here on the tail's continued fraction converges faster than the series about zero.
const TAIL_FROM: f64 = 3.0;
/// Enough for an f64 at [`TAIL_FROM`], where it is slowest.
const TAIL_TERMS: u32 = 120;

/// The density φ(x).
#[must_use]
pub fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// The probability of a value of at most `x`; relatively good to 1e-13 in either tail down to where an f64 ends.
///
/// About zero by ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …), Marsaglia, *Evaluating the Normal Distribution* (2004); in the
/// tails by Laplace's continued fraction φ(x) / (x + 1/(x + 2/(x + 3/(x + …)))).
#[must_use]
pub fn cdf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() < TAIL_FROM {
        let (mut sum, mut term, mut n) = (x, x, 1.0);
        while sum + term != sum {
            n += 2.0;
            term *= x * x / n;
            sum += term;
        }
        return 0.5 + density(x) * sum;
    }
    let distance = x.abs();
    let fraction = (1..=TAIL_TERMS).rev().fold(distance, |below, n| distance + f64::from(n) / below);
    let tail = density(distance) / fraction;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The value that a standard normal variable does not exceed with probability `p`; infinite at 0 and 1, NaN beyond.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        // 1 - p is exact here.
        return -quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    // Newton's steps on ln Φ, which is concave and nearly a parabola in the tail: from the left of the root they cannot
    // overshoot by much, and the bracket catches what little they do.
    let (mut low, mut high) = (-40.0_f64, 0.0_f64);
    let mut x = -(-2.0 * p.ln()).sqrt();
    for _ in 0..200 {
        let below = cdf(x);
        if below > p {
            high = x
        } else {
            low = x
        }
        let step = (below.ln() - p.ln()) * below / density(x);
        let next = x - step;
        let next = if next > low && next < high { next } else { low.midpoint(high) };
        if (next - x).abs() <= 1e-16 * next.abs() {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // scipy.stats.norm.cdf.
        for (x, want) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.959_963_984_540_054, 0.025),
            (2.999, 0.998_645_663_466_272_9),
            (-3.0, 0.001_349_898_031_630_093_3),
            (-8.0, 6.220_960_574_271_74e-16),
            (-37.0, 5.725_571_222_523_926_6e-300),
        ] {
            assert!((cdf(x) / want - 1.0).abs() < 1e-12, "{x}: {} is not {want}", cdf(x));
        }
        assert_eq!((cdf(f64::INFINITY), cdf(-99.0)), (1.0, 0.0));
    }

    #[test]
    fn the_inverse_inverts() {
        for p in [1e-300, 1e-16, 1e-9, 0.001, 0.01, 0.05, 0.2, 0.499, 0.5, 0.7, 0.975, 0.999_999] {
            let x = quantile(p);
            assert!((cdf(x) / p - 1.0).abs() < 1e-12, "{p}: {x}, {}", cdf(x));
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(quantile(-0.1).is_nan() && quantile(f64::NAN).is_nan());
    }
}
