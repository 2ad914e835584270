//! Columns of integers as few bits: runs of 128 values, each run its smallest value and the bits of what is above it.
//!
//! Owns: that encoding. A column is packed as its values or as the differences of neighbours, whichever is smaller; a run
//! that is one value takes no bits. Invariant: [`unpack`] gives what [`pack`] was given, for every i64, and nothing but
//! an error for bytes that `pack` did not make.

use super::{Corrupt, ROWS_FULL};

/// Values in a run.
const RUN: usize = 128;
/// Zero bytes that must follow a packed column's bytes where it is unpacked: numbers are read eight bytes at a time.
pub(super) const PADDING: usize = 16;

const PLAIN: u8 = 0;
const DELTA: u8 = 1;

/// Appends `values` to `out`.
pub(super) fn pack(values: &[i64], out: &mut Vec<u8>) {
    // Sizes are known before a bit is written, so only what is kept is packed.
    let (mut plain, mut delta, mut previous) = (0, 0, 0i64);
    for run in values.chunks(RUN) {
        plain += Span::of(run).bytes(run.len());
        let deltas = differences(run, previous);
        delta += Span::of(&deltas[..run.len()]).bytes(run.len());
        previous = run[run.len() - 1];
    }
    out.reserve(1 + plain.min(delta));
    if delta >= plain {
        out.push(PLAIN);
        return values.chunks(RUN).for_each(|run| pack_run(run, out));
    }
    out.push(DELTA);
    previous = 0;
    for run in values.chunks(RUN) {
        pack_run(&differences(run, previous)[..run.len()], out);
        previous = run[run.len() - 1];
    }
}

/// Each value's difference to the one before it.
#[inline]
fn differences(run: &[i64], before: i64) -> [i64; RUN] {
    let mut deltas = [0i64; RUN];
    deltas[0] = run[0].wrapping_sub(before);
    for ((delta, value), before) in deltas[1..].iter_mut().zip(&run[1..]).zip(run) {
        *delta = value.wrapping_sub(*before);
    }
    deltas
}

/// The smallest value of a run and the bits of what is above it.
#[derive(Clone, Copy)]
struct Span {
    low: i64,
    width: u32,
}

impl Span {
    #[inline]
    fn of(run: &[i64]) -> Self {
        // Many columns stand still, and that is told sooner than what is smallest.
        let first = run[0];
        if run.iter().fold(0, |differing, value| differing | (value ^ first)) == 0 {
            return Self { low: first, width: 0 };
        }
        let (low, high) = run.iter().fold((i64::MAX, i64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        Self { low, width: 64 - (high.wrapping_sub(low) as u64).leading_zeros() }
    }

    /// How long a run of so many values is, packed.
    fn bytes(self, count: usize) -> usize {
        let low_bits = (64 - zigzag(self.low).leading_zeros()).max(1);
        low_bits.div_ceil(7) as usize + 1 + (count * self.width as usize).div_ceil(8)
    }
}

fn pack_run(run: &[i64], out: &mut Vec<u8>) {
    let Span { low, width } = Span::of(run);
    varint(zigzag(low), out);
    out.push(width as u8);
    if width == 0 {
        return;
    }
    let (mut bits, mut held) = (0u64, 0u32);
    for &value in run {
        let value = value.wrapping_sub(low) as u64;
        bits |= value << held;
        held += width;
        if held >= 64 {
            out.extend_from_slice(&bits.to_le_bytes());
            held -= 64;
            // What of the value did not find room: nothing where it ended with the word.
            bits = if held == 0 { 0 } else { value >> (width - held) };
        }
    }
    let rest = held.div_ceil(8) as usize;
    out.extend_from_slice(&bits.to_le_bytes()[..rest]);
}

/// Replaces `out` with the `count` values that `input` begins with; `input` then begins after them. `still` is the one value
/// that all of `out` is known to be, if it is: columns that stand still are not written anew.
///
/// # Errors
/// [`Corrupt`] where the bytes are not a packed column of that many values; `out` is then of no use.
pub(super) fn unpack(
    input: &mut &[u8],
    count: usize,
    out: &mut Vec<i64>,
    still: &mut Option<i64>,
) -> Result<(), Corrupt> {
    let held = still.take().filter(|_| count <= out.len());
    // What it held is written over, all of it that is another. Room at once for what blocks after this one may have: pages of
    // it that are never written to cost nothing, but what grows bit by bit is copied, into fresh pages, each time.
    if out.capacity() < count {
        out.reserve_exact(count.next_power_of_two().max(ROWS_FULL) - out.len());
    }
    out.resize(count, 0);
    let (&mode, rest) = input.split_first().ok_or(Corrupt::Short)?;
    *input = rest;
    if mode > DELTA {
        return Err(Corrupt::Column);
    }
    let (mut first, mut one) = (None, true);
    for run in out.chunks_mut(RUN) {
        let Packed { low, width, bits } = next_run(input)?;
        let bytes = (run.len() * usize::from(width)).div_ceil(8);
        one &= width == 0 && *first.get_or_insert(low) == low;
        match width {
            0 if held == Some(low) => {}
            0 => run.fill(low),
            _ => unpack_bits(bits.get(..bytes + PADDING).ok_or(Corrupt::Short)?, low, width, run),
        }
        *input = bits.get(bytes..).ok_or(Corrupt::Short)?;
    }
    if mode == PLAIN {
        *still = first.filter(|_| one);
    } else {
        let mut sum = 0i64;
        for value in out.iter_mut() {
            sum = sum.wrapping_add(*value);
            *value = sum;
        }
    }
    Ok(())
}

/// How a run begins, and what follows.
struct Packed<'a> {
    low: i64,
    width: u8,
    bits: &'a [u8],
}

#[inline]
fn next_run<'a>(input: &mut &'a [u8]) -> Result<Packed<'a>, Corrupt> {
    let low = unzigzag(read_varint(input)?);
    match input.split_first() {
        Some((&width, bits)) if width <= 64 => Ok(Packed { low, width, bits }),
        Some(_) => Err(Corrupt::Column),
        None => Err(Corrupt::Short),
    }
}

/// Unpacks values of some width, each above a smallest value.
type Unpack = fn(&[u8], i64, &mut [i64]);

macro_rules! unpackers {
    ($($width:literal)*) => { [$(unpack_known::<$width>,)*] };
}

/// By width, as far as a value lies within eight bytes, wherever among them it begins. Each width has code of its own: told
/// how wide values are, the compiler knows where each of them lies.
static UNPACKERS: [Unpack; 57] = unpackers!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42
    43 44 45 46 47 48 49 50 51 52 53 54 55 56
);

/// Unpacks values of `width` bits, at most 64, each above `low`.
#[inline]
fn unpack_bits(padded: &[u8], low: i64, width: u8, run: &mut [i64]) {
    let width = usize::from(width);
    match UNPACKERS.get(width) {
        Some(unpack) => unpack(padded, low, run),
        None => {
            for (i, value) in run.iter_mut().enumerate() {
                let bit = i * width;
                let word = padded[bit / 8..].first_chunk().map_or(0, |word| u128::from_le_bytes(*word));
                let above = (word >> (bit % 8)) as u64 & (u64::MAX >> (64 - width));
                *value = low.wrapping_add(above as i64);
            }
        }
    }
}

/// Unpacks values of `WIDTH` bits, at most 56.
fn unpack_known<const WIDTH: usize>(padded: &[u8], low: i64, run: &mut [i64]) {
    let value = |bytes: &[u8], i: usize| {
        let bit = i * WIDTH;
        let word = bytes[bit / 8..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        low.wrapping_add((word >> (bit % 8) & ((1 << WIDTH) - 1)) as i64)
    };
    // Eight values take as many bytes as one has bits, so of each eight the first begins with a byte.
    let (eights, rest) = run.as_chunks_mut::<8>();
    for (n, eight) in eights.iter_mut().enumerate() {
        let bytes = &padded[n * WIDTH..][..WIDTH + 8];
        *eight = std::array::from_fn(|i| value(bytes, i));
    }
    let bytes = &padded[eights.len() * WIDTH..];
    rest.iter_mut().enumerate().for_each(|(i, of)| *of = value(bytes, i));
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(input: &mut &[u8]) -> Result<u64, Corrupt> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = input.split_first().ok_or(Corrupt::Short)?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Corrupt::Column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[i64]) -> usize {
        let mut bytes = Vec::new();
        pack(values, &mut bytes);
        let packed = bytes.len();
        bytes.resize(packed + PADDING, 0);
        let (mut input, mut back) = (&bytes[..], vec![7]);
        unpack(&mut input, values.len(), &mut back, &mut None).expect("just packed");
        assert_eq!(back, values);
        assert_eq!(input.len(), PADDING, "all of it was taken, and no more");
        packed
    }

    /// The format as it is described: both ways written out bit by bit, and the shorter kept.
    fn naive(values: &[i64]) -> Vec<u8> {
        let way = |mode: u8, values: &[i64]| {
            let mut out = vec![mode];
            for run in values.chunks(RUN) {
                let (low, high) = (*run.iter().min().expect("some"), *run.iter().max().expect("some"));
                let width = 64 - (high.wrapping_sub(low) as u64).leading_zeros();
                varint(zigzag(low), &mut out);
                out.push(width as u8);
                let bit = |at: usize| run[at / width as usize].wrapping_sub(low) >> (at % width as usize) & 1;
                let bits: Vec<i64> = (0..run.len() * width as usize).map(bit).collect();
                out.extend(
                    bits.chunks(8).map(|b| b.iter().rev().fold(0, |byte, bit| byte << 1 | *bit as u8)),
                );
            }
            out
        };
        let before = std::iter::once(&0).chain(values);
        let deltas: Vec<i64> = values.iter().zip(before).map(|(v, before)| v.wrapping_sub(*before)).collect();
        let (plain, delta) = (way(PLAIN, values), way(DELTA, &deltas));
        if delta.len() < plain.len() { delta } else { plain }
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_format(values in proptest::collection::vec(any::<i64>(), 0..400), shift in 0u32..64) {
            let mut sum = 0i64;
            let sums = values.iter().map(|v| { sum = sum.wrapping_add(v >> shift); sum }).collect::<Vec<_>>();
            let shifted = values.iter().map(|v| v >> shift).collect::<Vec<_>>();
            for values in [shifted, sums] {
                let mut bytes = Vec::new();
                pack(&values, &mut bytes);
                prop_assert_eq!(bytes, naive(&values));
            }
        }

        #[test]
        fn every_column_comes_back(values in proptest::collection::vec(any::<i64>(), 0..700), shift in 0u32..64) {
            round_trip(&values.iter().map(|v| v >> shift).collect::<Vec<_>>());
            let mut sum = 0i64;
            round_trip(&values.iter().map(|v| { sum = sum.wrapping_add(v >> shift); sum }).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0usize..400) {
            let mut out = Vec::new();
            let _ = unpack(&mut &bytes[..], count, &mut out, &mut None);
            prop_assert!(out.len() <= count);
        }
    }

    #[test]
    fn a_column_comes_back_whatever_stood_where_it_is_put() {
        let still = |value: i64, count: usize| vec![value; count];
        let sums = |step: i64, count: i64| (0..count).map(|n| n * step).collect::<Vec<_>>();
        let mixed = |first: i64, then: i64| [still(first, RUN), still(then, RUN)].concat();
        let columns = [
            still(5, 300),
            still(5, 300),
            still(5, 40),
            still(5, 301),
            still(6, 300),
            mixed(6, 7),
            mixed(7, 7),
            mixed(7, 9),
            still(7, 2 * RUN),
            sums(7, 300),
            still(7, 300),
            mixed(7, -1),
            sums(1, 200),
            still(0, 200),
            still(0, 20),
            vec![],
            still(0, 20),
        ];
        let (mut held, mut known, mut kept) = (Vec::new(), None, 0);
        for column in &columns {
            let mut bytes = Vec::new();
            pack(column, &mut bytes);
            bytes.resize(bytes.len() + PADDING, 0);
            unpack(&mut &bytes[..], column.len(), &mut held, &mut known).expect("just packed");
            assert_eq!(&held, column);
            if let Some(value) = known {
                assert!(column.iter().all(|v| *v == value));
                kept += 1;
            }
        }
        assert_eq!(
            kept,
            columns.iter().filter(|c| c.first().is_some_and(|f| c.iter().all(|v| v == f))).count()
        );
    }

    #[test]
    fn the_extremes_come_back_and_what_is_regular_takes_next_to_nothing() {
        round_trip(&[i64::MIN, i64::MAX, 0, -1, i64::MAX, i64::MIN]);
        round_trip(&[]);
        assert!(round_trip(&[5; 65_536]) <= 2 * 512 + 1);
        let minutes: Vec<i64> = (0..65_536).map(|i| 1_700_000_000_000_000_000 + i * 60_000_000_000).collect();
        assert!(round_trip(&minutes) < 8 * 512 + 1_300);
    }
}
