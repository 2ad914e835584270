//! Bars that are asked for: when, how far back, and what becomes of a question that failed.

use super::*;
use crate::domain::event::{BarOrigin, Kline};
use crate::domain::missed::MissedBar;
use crate::venue::DecodeError;

const S: u64 = 1_000 * MS;
/// Beginning of the minute that `BEGIN` is in.
const MINUTE: u64 = BEGIN - BEGIN % (60 * S);

fn asked(requests: &[Request]) -> Vec<(u16, u64, u64)> {
    let bars = |request: &Request| match request {
        Request::FetchBars { instrument, asked, .. } => {
            let minute = |at: Time| (at.0 - (MINUTE - 600 * S)) / (60 * S);
            Some((instrument.0, minute(asked.from), minute(asked.until)))
        }
        _ => None,
    };
    requests.iter().filter_map(bars).collect()
}

/// A bar that begins so many minutes before the present one.
fn bar(minutes_ago: u64) -> Kline {
    let open_time = Time(MINUTE - minutes_ago * 60 * S);
    Kline {
        instrument: InstrumentId(0),
        open: Price(1),
        high: Price(1),
        low: Price(1),
        close: Price(1),
        volume: Qty(1),
        open_time,
        close_time: Time(open_time.0 + 60 * S - MS),
        trades: 1,
        quote_volume: crate::domain::Notional(1),
        closed: true,
        origin: BarOrigin::Past,
    }
}

fn missed(minutes_ago: u64, after: Option<u64>) -> MissedBar {
    let start = |ago| Time(MINUTE - ago * 60 * S);
    MissedBar { instrument: InstrumentId(0), start: start(minutes_ago), after: after.map(start) }
}

/// A client that asks for minutes, five of before the run of each of its instruments.
fn rig(n: usize) -> Rig {
    let mut rig = Rig::new(settings(), n);
    assert_eq!(rig.client.fetch_bars(60, vec![5; n], rig.now), Some(1_000));
    rig
}

#[test]
fn bars_of_before_the_run_come_first_and_none_that_may_be_under_way() {
    let mut rig = rig(2);
    let id = rig.connect(0);
    rig.open(id);
    rig.diff(id, 1, 10);
    // BEGIN is 20 s into its minute: the one before it is over by any clock. One question at a time, and books after them.
    rig.out.clear();
    rig.client.bars_came(&mut [], None, rig.now).expect("nothing was missed");
    assert_eq!((asked(&rig.pass(5)), rig.client.counts.bar_fetches), (vec![(1, 5, 10)], 2));
    assert_eq!(fetches(&rig.pass(5)), 0);
    let mut bars = [bar(2), bar(1)];
    rig.client.bars_came(&mut bars, None, rig.now).expect("nothing was missed");
    assert!(bars.iter().all(|bar| bar.origin == BarOrigin::Past));
    let then = rig.pass(5);
    assert_eq!((asked(&then), fetches(&then), rig.client.counts.bars_of_before), (vec![], 1, 2));
    // Five seconds into a minute the one before it may not be over by the venue's clock.
    let mut rig = super::Rig::new(settings(), 1);
    rig.now = Time(MINUTE + 65 * S);
    rig.client.fetch_bars(60, vec![5], rig.now);
    assert_eq!(asked(&rig.pass(0)), [(0, 5, 10)]);
    assert_eq!(rig.client.fetch_bars(0, vec![5], rig.now), None, "no such bars");
    assert_eq!(asked(&rig.pass(5)), []);
}

#[test]
fn a_bar_that_was_missed_is_asked_for_a_second_later_with_all_since_the_last() {
    let mut rig = rig(1);
    assert_eq!(asked(&rig.pass(0)), [(0, 5, 10)]);
    rig.client.bars_came(&mut [], None, rig.now).expect("nothing was missed");
    rig.client.missed_bar(missed(1, Some(4)), rig.now);
    assert_eq!(asked(&rig.pass(999)), []);
    assert_eq!(asked(&rig.pass(1)), [(0, 7, 10)]);
    let mut bars = [bar(3), bar(2), bar(1)];
    rig.client.bars_came(&mut bars, None, rig.now).expect("it is among them");
    assert_eq!(bars.map(|bar| bar.origin), [BarOrigin::Past, BarOrigin::Past, BarOrigin::Missed]);
    assert_eq!((rig.client.counts.bars_of_before, rig.client.counts.bars_made_good), (2, 1));
    // Without any that was handed out it reaches back as far as a start does, and never further than an answer can.
    rig.client.missed_bar(missed(1, None), rig.now);
    assert_eq!(asked(&rig.pass(1_000)), [(0, 5, 10)]);
    rig.client.bars_came(&mut [bar(1)], None, rig.now).expect("it is there");
    rig.client.missed_bar(MissedBar { after: Some(Time(60 * S)), ..missed(1, None) }, rig.now);
    let far = rig.pass(1_000);
    let Some(Request::FetchBars { asked, path, .. }) = far.first() else { panic!("{far:?}") };
    assert_eq!(asked.until.since(asked.from), 1_000 * 60 * S);
    assert!(path.ends_with("limit=1000"), "{path}");
}

#[test]
fn short_bars_that_many_missed_at_once_do_not_hold_books_up_for_long() {
    let mut rig = Rig::new(settings(), 100);
    rig.client.fetch_bars(1, vec![0; 100], rig.now);
    let id = rig.connect(0);
    rig.open(id);
    for instrument in (0..100).map(InstrumentId) {
        let start = Time(rig.now.0 - S);
        rig.client.missed_bar(MissedBar { instrument, start, after: None }, rig.now);
    }
    let (mut questions, mut books) = (0, Vec::new());
    for ms in 0..5_000u64 {
        if ms == 300 {
            rig.diff(id, 1, 10);
        }
        let requests = rig.pass(1);
        books.extend((fetches(&requests) > 0).then_some(ms));
        questions += requests.iter().filter(|r| matches!(r, Request::FetchBars { .. })).count();
        // Each is answered after 50 ms.
        if ms % 50 == 49 && books.is_empty() {
            let _ = rig.client.bars_came(&mut [], None, rig.now);
        }
    }
    assert!((20..=45).contains(&questions) && books.len() == 1 && books[0] < 2_200, "{questions} {books:?}");
}

#[test]
fn what_is_not_there_yet_is_asked_for_again_and_not_for_ever() {
    let mut rig = rig(1);
    rig.client.fetch_bars(60, vec![0], rig.now);
    rig.client.missed_bar(missed(1, None), rig.now);
    let (mut questions, mut told) = (Vec::new(), Vec::new());
    for ms in 0..100_000u64 {
        for of in asked(&rig.pass(1)) {
            assert_eq!(of, (0, 9, 10));
            questions.push(ms);
            match questions.len() {
                1 => told.extend(rig.client.bars_came(&mut [bar(2)], None, rig.now).err()),
                _ => told.extend(rig.client.bars_failed(&FetchFailure::Transient, rig.now)),
            }
        }
    }
    assert_eq!((questions.len(), questions[0]), (8, 999), "{questions:?}");
    assert_eq!(told, ["the venue does not have it yet", "given up"]);
    // What the venue refuses is not asked for again.
    for failure in [FetchFailure::Refused(400), FetchFailure::Unreadable(DecodeError::Json)] {
        let start = Time(rig.now.0 - 60 * S);
        rig.client.missed_bar(MissedBar { start, ..missed(1, None) }, rig.now);
        assert_eq!(asked(&rig.pass(1_000)).len(), 1);
        let then = rig.client.bars_failed(&failure, rig.now);
        let again = !asked(&rig.pass(600)).is_empty();
        assert_eq!(
            (then, again),
            if failure.lasts() {
                (Some("not asked for again"), false)
            } else {
                (Some("asked for again"), true)
            }
        );
    }
}

#[test]
fn a_ban_holds_bars_back_too_and_a_later_miss_takes_the_place_of_an_earlier_one() {
    let mut rig = rig(1);
    assert_eq!(asked(&rig.pass(0)), [(0, 5, 10)]);
    let banned = FetchFailure::RateLimited { status: 429, retry_after_s: Some(7) };
    assert!(rig.client.bars_failed(&banned, rig.now).is_some());
    rig.client.missed_bar(missed(3, Some(4)), rig.now);
    rig.client.missed_bar(missed(1, Some(4)), rig.now);
    assert_eq!(asked(&rig.pass(6_999)), []);
    assert_eq!(asked(&rig.pass(1)), [(0, 5, 10)]);
    rig.client.bars_came(&mut [], None, rig.now).expect("nothing was missed");
    assert_eq!(asked(&rig.pass(5)), [(0, 7, 10)]);
    rig.client.bars_came(&mut [bar(3), bar(1)], None, rig.now).expect("it is there");
    assert_eq!(asked(&rig.pass(5_000)), []);
}
