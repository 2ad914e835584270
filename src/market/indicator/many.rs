//! Many inputs at once: what a loop over an indicator's updates is made of.

use super::{BarValues, Bars, Usable};

/// Inputs taken in one turn of the loop.
pub(super) const BLOCK: usize = 8;

/// The same, where the loop is a part of an update taken on its own.
const FEW: usize = 4;

/// Puts an answer of `N` numbers in each place of `answers`, one after the other, of the bars from the first on; says how
/// many.
///
/// What `answer` captures stays in registers; several to a turn, the loop costs next to nothing.
#[inline(always)]
pub(super) fn each<const N: usize>(
    bars: &impl Bars,
    answers: &mut [f64],
    mut answer: impl FnMut(Usable<BarValues>) -> [f64; N],
) -> usize {
    let (places, _) = answers.as_chunks_mut::<N>();
    let (blocks, rest) = places.as_chunks_mut::<BLOCK>();
    let mut at = 0;
    for block in blocks {
        let bars = bars.several::<BLOCK>(at);
        for n in 0..BLOCK {
            block[n] = answer(bars[n]);
        }
        at += BLOCK;
    }
    for place in rest {
        *place = answer(bars.bar(at));
        at += 1;
    }
    at
}

/// Does something with each place, the close of its bar, and the number beside it.
#[inline(always)]
pub(super) fn zip_closes(
    bars: &impl Bars,
    places: &mut [f64],
    beside: &[f64],
    mut with: impl FnMut(&mut f64, f64, f64),
) {
    let (blocks, rest) = places.as_chunks_mut::<BLOCK>();
    let (beside, beside_rest) = beside.as_chunks::<BLOCK>();
    let mut at = 0;
    for (block, beside) in blocks.iter_mut().zip(beside) {
        let bars = bars.several::<BLOCK>(at);
        for n in 0..BLOCK {
            with(&mut block[n], bars[n].close, beside[n]);
        }
        at += BLOCK;
    }
    for (place, beside) in rest.iter_mut().zip(beside_rest) {
        with(place, bars.bar(at).close, *beside);
        at += 1;
    }
}

/// Does something with each place and the close of its bar, from the last to the first.
#[inline(always)]
pub(super) fn zip_closes_from_the_end(
    bars: &impl Bars,
    places: &mut [f64],
    mut with: impl FnMut(&mut f64, f64),
) {
    let mut at = places.len();
    let (rest, blocks) = places.as_rchunks_mut::<BLOCK>();
    for block in blocks.iter_mut().rev() {
        at -= BLOCK;
        let bars = bars.several::<BLOCK>(at);
        for n in (0..BLOCK).rev() {
            with(&mut block[n], bars[n].close);
        }
    }
    for (n, place) in rest.iter_mut().enumerate().rev() {
        with(place, bars.bar(n).close);
    }
}

/// Does something with each place, from the last to the first.
#[inline(always)]
pub(super) fn from_the_end<P>(places: &mut [P], mut with: impl FnMut(&mut P)) {
    let (rest, blocks) = places.as_rchunks_mut::<FEW>();
    for block in blocks.iter_mut().rev() {
        block.iter_mut().rev().for_each(&mut with);
    }
    rest.iter_mut().rev().for_each(with);
}
