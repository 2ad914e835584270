//! What the history lacks of a series: the stretches to ask for.
//!
//! Pure. Trades follow each other by id, so two segments whose ids join have nothing between them; a bar begins where the
//! one before it ended. What a segment itself lacks is not looked for: it is what its source had.

use super::series::{FetchKind, FetchedSeries};
use crate::history::catalogue::{Segment, every_seconds};

/// Rows that are wanted: trades of `from_ms` to before `until_ms`; bars that begin at `from_ms` or later and have ended
/// by `until_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Venue's clock, ms.
    pub from_ms: u64,
    /// Venue's clock, ms.
    pub until_ms: u64,
    /// The first id that is wanted, where it is known.
    pub from_id: Option<u64>,
    /// The first id that is not wanted any more.
    pub until_id: Option<u64>,
}

const NS_PER_MS: u64 = 1_000_000;

/// The stretches between `from_ms` and `until_ms` that none of `segments` has; those are of the series, in any order.
#[must_use]
pub fn missing(series: &FetchedSeries, segments: &[Segment], from_ms: u64, until_ms: u64) -> Vec<Stretch> {
    let mut segments: Vec<&Segment> = segments.iter().collect();
    segments.sort_by_key(|segment| (segment.first, segment.last, segment.first_id));
    let mut stretches = Vec::new();
    let mut at = Stretch { from_ms, until_ms, from_id: None, until_id: None };
    for segment in segments {
        let (first, last) = (segment.first / NS_PER_MS, segment.last / NS_PER_MS);
        // A bar's time is its end: one that ends when the stretch does is of it.
        let (begun, over) = match series.kind {
            FetchKind::AggTrades => (last >= from_ms, first >= until_ms),
            FetchKind::Klines(_) => (last > from_ms, first > until_ms),
        };
        if !begun || over {
            continue;
        }
        let joined = match series.kind {
            FetchKind::AggTrades => {
                first <= at.from_ms || at.from_id.is_some_and(|id| id >= segment.first_id)
            }
            // A bar's time is its end. Months have no length, so that what is before one is asked for.
            FetchKind::Klines(interval) => {
                let length_ms = every_seconds(interval.label).map_or(0, |seconds| seconds * 1_000);
                first.saturating_sub(length_ms) <= at.from_ms
            }
        };
        if !joined {
            stretches.push(match series.kind {
                // Several trades may have the segment's first moment: ids tell where it begins.
                FetchKind::AggTrades => {
                    Stretch { until_ms: first + 1, until_id: Some(segment.first_id), ..at }
                }
                FetchKind::Klines(_) => Stretch { until_ms: first - 1, ..at },
            });
        }
        if last >= at.from_ms {
            at.from_ms = last;
            at.from_id = (series.kind == FetchKind::AggTrades).then(|| segment.last_id + 1);
        }
    }
    if at.from_ms < until_ms {
        stretches.push(at);
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::super::series::Interval;
    use super::*;
    use crate::domain::Market;

    fn series(kind: FetchKind) -> FetchedSeries {
        FetchedSeries {
            market: Market::Spot,
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind,
        }
    }

    fn segment(ms: (u64, u64), ids: (u64, u64)) -> Segment {
        Segment {
            file: String::new(),
            instrument: String::new(),
            base: String::new(),
            quote: String::new(),
            series: String::new(),
            rows: 1,
            first: ms.0 * NS_PER_MS,
            last: ms.1 * NS_PER_MS,
            first_id: ids.0,
            last_id: ids.1,
            gaps: None,
            missing: 0,
            bytes: 0,
            price_decimals: 0,
            qty_decimals: 0,
            part: None,
        }
    }

    const fn stretch(ms: (u64, u64), ids: (Option<u64>, Option<u64>)) -> Stretch {
        Stretch { from_ms: ms.0, until_ms: ms.1, from_id: ids.0, until_id: ids.1 }
    }

    #[test]
    fn trades_are_asked_for_before_between_and_after_what_is_there_unless_ids_join() {
        let trades = series(FetchKind::AggTrades);
        assert_eq!(missing(&trades, &[], 10, 90), [stretch((10, 90), (None, None))]);
        let there = [segment((50, 60), (21, 30)), segment((30, 40), (11, 20)), segment((70, 75), (35, 40))];
        assert_eq!(
            missing(&trades, &there, 10, 90),
            [
                stretch((10, 31), (None, Some(11))),
                stretch((60, 71), (Some(31), Some(35))),
                stretch((75, 90), (Some(41), None))
            ]
        );
        // A segment that is over before the beginning says nothing; one that reaches over the end leaves nothing.
        assert_eq!(missing(&trades, &there[..1], 61, 90), [stretch((61, 90), (None, None))]);
        assert_eq!(missing(&trades, &there[..1], 55, 60), []);
    }

    #[test]
    fn bars_are_asked_for_where_one_does_not_begin_at_the_end_of_another() {
        let minutes = series(FetchKind::Klines(Interval::from_label("1m").expect("a length")));
        const M: u64 = 60_000;
        // Bars that begin at 3 to 5, and at 6 to 7: their times are their ends.
        let there = [segment((4 * M, 6 * M), (0, 0)), segment((7 * M, 8 * M), (0, 0))];
        assert_eq!(
            missing(&minutes, &there, 0, 10 * M),
            [stretch((0, 4 * M - 1), (None, None)), stretch((8 * M, 10 * M), (None, None))]
        );
        assert_eq!(missing(&minutes, &there, 3 * M, 8 * M), []);
        // One that ends where the stretch does is of it.
        assert_eq!(missing(&minutes, &there[1..], 5 * M, 7 * M), [stretch((5 * M, 7 * M - 1), (None, None))]);
        assert_eq!(missing(&minutes, &there[1..], 6 * M, 7 * M), []);
        assert_eq!(missing(&minutes, &there[..1], 6 * M, 7 * M), [stretch((6 * M, 7 * M), (None, None))]);
    }
}
