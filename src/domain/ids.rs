//! Identities: small integers on the hot path, text only at the edges.

use std::fmt;

/// An instrument's index in the run's [`InstrumentTable`](super::InstrumentTable).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct InstrumentId(pub u16);

/// A strategy's index in the run's configuration, from 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct StrategyId(pub u8);

/// The number of an order within its run, from 1; 0 is no order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct OrderId(pub u64);

impl OrderId {
    /// The strategy's number is in the lowest byte, the count of its orders above.
    const COUNT_SHIFT: u32 = 8;

    /// The number of the order that its strategy made so many orders after this one; before it, where negative.
    #[inline]
    #[must_use]
    pub const fn away(self, orders: i8) -> Self {
        Self(self.0.wrapping_add_signed((orders as i64) << Self::COUNT_SHIFT))
    }

    /// How many orders its strategy made from this one to `other`; none where that is another strategy's, or further away
    /// than can be said.
    #[must_use]
    pub fn distance(self, other: OrderId) -> Option<i8> {
        let apart = other.0.wrapping_sub(self.0).cast_signed();
        let same = apart.trailing_zeros() >= Self::COUNT_SHIFT;
        i8::try_from(apart >> Self::COUNT_SHIFT).ok().filter(|_| same)
    }
}

impl InstrumentId {
    /// The index, for tables kept by instrument.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl StrategyId {
    /// The index, for tables kept by strategy.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The id a venue knows an order by: base36 of (run epoch, order number), at most 18 of `[a-z0-9]`.
///
/// Derived, never random, so that a replay makes the same ids, and never reused, since Binance accepts the id of a
/// filled order again. The epoch takes the first 8 characters (36^8 runs), the number the last 10.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientOrderId([u8; 18]);

impl ClientOrderId {
    /// Characters of the epoch part.
    pub const EPOCH_CHARS: usize = 8;

    /// The id of order `order` in the run with epoch `epoch` (milliseconds since 1970 when the run was first started,
    /// where the configuration says no other).
    #[must_use]
    pub fn derive(epoch: u64, order: OrderId) -> Self {
        let mut text = [b'0'; 18];
        base36(epoch, &mut text[..Self::EPOCH_CHARS]);
        base36(order.0, &mut text[Self::EPOCH_CHARS..]);
        Self(text)
    }

    /// The id of another order of the same run; cheaper than deriving it anew.
    #[inline]
    #[must_use]
    pub fn with_order(mut self, order: OrderId) -> Self {
        let number = &mut self.0[Self::EPOCH_CHARS..];
        number.fill(b'0');
        base36(order.0, number);
        self
    }

    /// An id from its characters; `None` unless they are 18 of `[a-z0-9]`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = <[u8; 18]>::try_from(bytes).ok()?;
        text.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).then_some(Self(text))
    }

    /// The characters.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 18] {
        &self.0
    }

    /// The characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

/// Two digits of base 36, for each number of two.
const PAIRS: [[u8; 2]; 36 * 36] = {
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut pairs = [[0; 2]; 36 * 36];
    let mut n = 0;
    while n < pairs.len() {
        pairs[n] = [digits[n / 36], digits[n % 36]];
        n += 1;
    }
    pairs
};

/// Writes `value` into `out`, which is all zeros, an even number of them.
#[inline]
fn base36(mut value: u64, out: &mut [u8]) {
    for pair in out.rchunks_exact_mut(2) {
        if value == 0 {
            // The rest is zeros already.
            return;
        }
        pair.copy_from_slice(&PAIRS[(value % 1_296) as usize]);
        value /= 1_296;
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientOrderId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_are_derived_and_distinct() {
        let a = ClientOrderId::derive(1_723_161_253, OrderId(1));
        assert_eq!(&a.as_str()[8..], "0000000001");
        assert_eq!(u64::from_str_radix(&a.as_str()[..8], 36), Ok(1_723_161_253));
        assert_eq!(a.as_str().len(), 18);
        assert_ne!(a, ClientOrderId::derive(1_723_161_253, OrderId(2)));
        for order in [0, 1, 35, 36, 1_295, 1_296, 88_000_000, 36u64.pow(10) - 1] {
            let id = ClientOrderId::derive(1_723_161_253, OrderId(order));
            assert_eq!(u64::from_str_radix(&id.as_str()[8..], 36), Ok(order));
            assert_eq!(a.with_order(OrderId(order)), id);
        }
        assert_ne!(a, ClientOrderId::derive(1_723_161_254, OrderId(1)));
        assert!(a.as_bytes().iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
}
