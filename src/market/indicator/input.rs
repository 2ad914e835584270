//! What indicators take in: values, and bars of them, of which it is known that they are numbers.
//!
//! NaN, infinities and what is too large are not prices, and one of them in a running sum would spoil it for good. They
//! are refused where numbers come from outside, once, by [`Usable::new`]; what is made of a market's integers
//! ([`BarUnits`]) cannot be one of them and is not looked at. No indicator has to ask.

use std::ops::Deref;

/// The largest magnitude of an input: squares of it, summed over the longest window, are still finite.
pub const VALUE_MAX: f64 = 1e150;

/// A value or a bar that may enter an indicator's state: no part of it is NaN or beyond [`VALUE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usable<T>(T);

/// What can be told to be usable.
pub trait Input {
    /// Whether no part of it is NaN or beyond [`VALUE_MAX`].
    fn is_usable(&self) -> bool;
}

impl Input for f64 {
    #[inline]
    fn is_usable(&self) -> bool {
        // False for NaN.
        self.abs() <= VALUE_MAX
    }
}

impl<T: Input> Usable<T> {
    /// This, if it is usable.
    #[inline]
    #[must_use]
    pub fn new(input: T) -> Option<Self> {
        input.is_usable().then_some(Self(input))
    }
}

impl<T> Deref for Usable<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl Usable<f64> {
    /// A bar of this value, without extent and volume.
    #[inline]
    #[must_use]
    pub fn flat(self) -> Usable<BarValues> {
        Usable(BarValues::flat(self.0))
    }
}

impl Usable<BarValues> {
    /// The last price.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Usable<f64> {
        Usable(self.0.close)
    }
}

/// A bar, as indicators see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarValues {
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Base volume.
    pub volume: f64,
}

impl BarValues {
    /// A bar of one value, without extent and volume.
    #[inline]
    #[must_use]
    pub const fn flat(value: f64) -> Self {
        Self { high: value, low: value, close: value, volume: 0.0 }
    }

    /// The typical price: the mean of high, low and close.
    #[inline]
    #[must_use]
    pub fn typical(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }
}

impl Input for BarValues {
    #[inline]
    fn is_usable(&self) -> bool {
        [self.high, self.low, self.close, self.volume].iter().all(Input::is_usable)
    }
}

/// Bars in a row, for an indicator to take [many at once](super::Indicator::advance_many).
pub trait Bars {
    /// Bar number `n`; any where there is none.
    fn bar(&self, n: usize) -> Usable<BarValues>;

    /// `N` bars from number `first` on; any where there are not as many. A row that knows better than to look for each on
    /// its own saves most of what that costs.
    #[inline(always)]
    fn several<const N: usize>(&self, first: usize) -> [Usable<BarValues>; N] {
        std::array::from_fn(|n| self.bar(first + n))
    }

    /// Those without the first so many.
    #[inline(always)]
    fn since(&self, first: usize) -> Since<'_, Self>
    where
        Self: Sized,
    {
        Since { row: self, first }
    }
}

/// A row of bars without the first of them.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a, B> {
    row: &'a B,
    first: usize,
}

impl<B: Bars> Bars for Since<'_, B> {
    #[inline(always)]
    fn bar(&self, n: usize) -> Usable<BarValues> {
        self.row.bar(self.first + n)
    }

    #[inline(always)]
    fn several<const N: usize>(&self, first: usize) -> [Usable<BarValues>; N] {
        self.row.several(self.first + first)
    }
}

impl Bars for &[Usable<BarValues>] {
    #[inline(always)]
    fn bar(&self, n: usize) -> Usable<BarValues> {
        self.get(n).copied().unwrap_or(Usable(BarValues::flat(0.0)))
    }

    #[inline(always)]
    fn several<const N: usize>(&self, first: usize) -> [Usable<BarValues>; N] {
        several(self, first, Usable(BarValues::flat(0.0)))
    }
}

/// Bars of a market's integers, a column for each part.
#[derive(Debug, Clone, Copy)]
pub struct BarsOfColumns<'a> {
    /// What one of each is.
    pub units: BarUnits,
    /// Highest prices.
    pub highs: &'a [i64],
    /// Lowest prices.
    pub lows: &'a [i64],
    /// Last prices.
    pub closes: &'a [i64],
    /// Base volumes.
    pub volumes: &'a [i64],
}

impl Bars for BarsOfColumns<'_> {
    #[inline(always)]
    fn bar(&self, n: usize) -> Usable<BarValues> {
        let [bar] = self.several(n);
        bar
    }

    #[inline(always)]
    fn several<const N: usize>(&self, first: usize) -> [Usable<BarValues>; N] {
        let [highs, lows, closes, volumes] = [self.highs, self.lows, self.closes, self.volumes]
            .map(|column| several::<_, N>(column, first, 0));
        std::array::from_fn(|n| self.units.bar(highs[n], lows[n], closes[n], volumes[n]))
    }
}

/// `N` of these from number `first` on, or as many of `none`.
#[inline(always)]
fn several<T: Copy, const N: usize>(all: &[T], first: usize, none: T) -> [T; N] {
    all.get(first..).and_then(<[T]>::first_chunk).copied().unwrap_or([none; N])
}

/// What turns a market's integers into numbers: each is usable, whatever the integer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarUnits {
    price: f64,
    qty: f64,
}

impl BarUnits {
    /// Of prices and quantities with so many decimals, up to 18.
    #[must_use]
    pub fn new(price_decimals: u8, qty_decimals: u8) -> Self {
        // Powers of ten up to the 22nd are exact.
        let unit = |decimals: u8| 1.0 / 10f64.powi(decimals.min(18).into());
        Self { price: unit(price_decimals), qty: unit(qty_decimals) }
    }

    /// A price.
    #[inline(always)]
    #[must_use]
    pub fn price(self, units: i64) -> Usable<f64> {
        Usable(units as f64 * self.price)
    }

    /// A bar.
    #[inline(always)]
    #[must_use]
    pub fn bar(self, high: i64, low: i64, close: i64, volume: i64) -> Usable<BarValues> {
        let [high, low, close] = [high, low, close].map(|price| self.price(price).0);
        Usable(BarValues { high, low, close, volume: volume as f64 * self.qty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_too_large_is_not_usable() {
        for good in [0.0, -0.0, 1.5, -VALUE_MAX, VALUE_MAX, f64::MIN_POSITIVE] {
            assert_eq!(Usable::new(good).map(|value| *value), Some(good));
        }
        for bad in
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, VALUE_MAX.next_up(), -VALUE_MAX.next_up()]
        {
            assert!(Usable::new(bad).is_none(), "{bad}");
            let good = BarValues::flat(7.0);
            assert!(Usable::new(good).is_some());
            let one_is_bad = [
                BarValues { high: bad, ..good },
                BarValues { low: bad, ..good },
                BarValues { close: bad, ..good },
                BarValues { volume: bad, ..good },
            ];
            assert!(one_is_bad.into_iter().all(|bar| Usable::new(bar).is_none()), "{bad}");
        }
    }

    #[test]
    fn any_integer_of_a_market_is_usable() {
        for decimals in [0, 8, 18, u8::MAX] {
            let units = BarUnits::new(decimals, decimals);
            for integer in [i64::MIN, -1, 0, 1, i64::MAX] {
                assert!(units.price(integer).is_usable());
                assert!(units.bar(integer, integer, integer, integer).is_usable());
            }
        }
        assert_eq!(*BarUnits::new(2, 0).price(12_345), 123.45);
    }
}
