//! Several series as one: however events are taken, one by one or trades in runs, they are the rows that were written, in
//! the order of their times, and at one moment in the order of the series.

#[path = "support/history.rs"]
mod support;

use algo_trader::domain::{Side, Time};
use algo_trader::history::segment::{GapRule, Num, Row};
use algo_trader::history::{Catalogue, HistoryEvents, Query};
use algo_trader::venue::Decoded;
use std::path::Path;
use support::Rng;
use tempfile::tempdir;

const BEGIN_NS: u64 = 1_723_075_200_000_000_000;

/// A segment of trades, where `quotes` with quotes among them, in the catalogue; its rows' times.
fn write(dir: &Path, symbol: &str, rows: u64, quotes: bool, rng: &mut Rng) -> Vec<u64> {
    let (mut time, mut times) = (BEGIN_NS, Vec::new());
    support::add_segment(dir, symbol, GapRule::None, |writer| {
        for id in 1..=rows {
            // Few moments for many rows, so that series often meet.
            time += rng.below(3);
            let price = Num::new(6_000_000 + rng.below(5_000) as i64, 2);
            let qty = Num::new(1 + rng.below(100_000) as i64, 5);
            let row = if quotes && rng.below(4) == 0 {
                Row::Quote { bid: (price, qty), ask: (price, qty), update_id: id }
            } else {
                let aggressor = if rng.below(2) == 0 { Side::Buy } else { Side::Sell };
                Row::Trade { price, qty, id, venue_time: Time(time), aggressor, aggregate: rng.below(3) == 0 }
            };
            writer.push(Time(time), &row).expect("good rows");
            times.push(time);
        }
        rows
    });
    times
}

type Seen = (Time, Decoded);

fn one_by_one(mut events: HistoryEvents) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(event) = events.next_event().expect("good") {
        seen.push((event.time, event.decoded));
    }
    seen
}

/// Runs of at most some random number of trades, and between them now and then one event by itself, or a look at the time.
fn in_runs(mut events: HistoryEvents, rng: &mut Rng) -> (Vec<Seen>, usize) {
    let (mut seen, mut longest) = (Vec::new(), 0);
    loop {
        let before = seen.len();
        if rng.below(4) > 0 {
            let most = 1 + rng.below(600) as usize;
            let push = |time: Time, trade: &_| seen.push((time, Decoded::Trade(*trade)));
            let taken = events.next_trades(most, push).expect("good");
            assert!(taken <= most && seen.len() == before + taken);
            longest = longest.max(taken);
            if taken > 0 {
                continue;
            }
        }
        let due = if rng.below(2) == 0 { events.peek().expect("good") } else { None };
        let Some(event) = events.next_event().expect("good") else { break };
        assert!(due.is_none_or(|due| due == event.time));
        seen.push((event.time, event.decoded));
    }
    (seen, longest)
}

#[test]
fn trades_taken_in_runs_are_those_taken_one_by_one_whatever_comes_between_them() {
    let rng = &mut Rng(7);
    let dir = tempdir().expect("a directory");
    let written = [
        write(dir.path(), "AAAUSDT", 30_000, false, rng),
        write(dir.path(), "BBBUSDT", 200, true, rng),
        write(dir.path(), "CCCUSDT", 20_000, true, rng),
    ];
    let catalogue = Catalogue::open(dir.path()).expect("there");
    let all = catalogue.series();
    let table = catalogue.instruments(&all).expect("a table");
    let middle = Time(BEGIN_NS + 12_000);
    for (from, until) in
        [(None, None), (Some(Time(BEGIN_NS + 5_000)), Some(middle)), (None, Some(Time(BEGIN_NS + 1)))]
    {
        let query = Query { from, until, ..Query::default() };
        for series in [&all[..], &all[..1], &all[1..]] {
            let open = || HistoryEvents::open(&catalogue, series, &table, &query).expect("opens");
            let expected = one_by_one(open());
            let wanted = |time: &u64| {
                from.is_none_or(|from| *time >= from.0) && until.is_none_or(|until| *time < until.0)
            };
            let of = |name: &str| {
                ["AAA", "BBB", "CCC"].iter().position(|known| name.contains(known)).expect("ours")
            };
            let mut times: Vec<(u64, usize)> = series
                .iter()
                .enumerate()
                .flat_map(|(place, s)| written[of(&s.name.instrument)].iter().map(move |time| (*time, place)))
                .filter(|(time, _)| wanted(time))
                .collect();
            times.sort();
            assert!(times.iter().map(|(time, _)| Time(*time)).eq(expected.iter().map(|(time, _)| *time)));
            for _ in 0..10 {
                let (seen, longest) = in_runs(open(), rng);
                assert!(seen == expected, "{from:?} {until:?}");
                // Alone, a series without quotes comes in runs as long as they may be.
                assert!(series.len() > 1 || until.is_some() || longest > 500, "{longest}");
            }
        }
    }
}
