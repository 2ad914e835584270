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
    assert_eq!(rig.client.bars_came(&mut [], None, rig.now), None);
    assert_eq!((asked(&rig.pass(5)), rig.client.counts.bar_fetches), (vec![(1, 5, 10)], 2));
    assert_eq!(fetches(&rig.pass(5)), 0);
    let mut bars = [bar(2), bar(1)];
    assert_eq!(rig.client.bars_came(&mut bars, None, rig.now), None);
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
    assert_eq!(rig.client.bars_came(&mut [], None, rig.now), None);
    rig.client.missed_bar(missed(1, Some(4)), rig.now);
    assert_eq!(asked(&rig.pass(999)), []);
    assert_eq!(asked(&rig.pass(1)), [(0, 7, 10)]);
    let mut bars = [bar(3), bar(2), bar(1)];
    assert_eq!(rig.client.bars_came(&mut bars, None, rig.now), None);
    assert_eq!(bars.map(|bar| bar.origin), [BarOrigin::Past, BarOrigin::Past, BarOrigin::Missed]);
    assert_eq!((rig.client.counts.bars_of_before, rig.client.counts.bars_made_good), (2, 1));
    // Without any that was handed out it reaches back as far as a start does, and never further than an answer can.
    rig.client.missed_bar(missed(1, None), rig.now);
    assert_eq!(asked(&rig.pass(1_000)), [(0, 5, 10)]);
    assert_eq!(rig.client.bars_came(&mut [bar(1)], None, rig.now), None);
    rig.client.missed_bar(MissedBar { after: Some(Time(60 * S)), ..missed(1, None) }, rig.now);
    let far = rig.pass(1_000);
    let Some(Request::FetchBars { asked, path, .. }) = far.first() else { panic!("{far:?}") };
    assert_eq!(asked.until.since(asked.from), 1_000 * 60 * S);
    assert!(path.ends_with("limit=1000"), "{path}");
}

fn questions_for_bars(requests: &[Request]) -> usize {
    requests.iter().filter(|request| matches!(request, Request::FetchBars { .. })).count()
}

/// Lets a millisecond pass at a venue that takes all connections, and answers questions for books after `books_ms` and those for
/// bars after `bars_ms`, if at all: what was asked for, a book by its instrument.
fn venue_answers(
    rig: &mut Rig,
    on_its_way: &mut Option<(Time, Option<InstrumentId>)>,
    (books_ms, bars_ms): (u64, Option<u64>),
) -> Option<Option<InstrumentId>> {
    for request in rig.pass(1) {
        match request {
            Request::Connect { connection, .. } => rig.open(connection),
            Request::FetchBars { .. } => *on_its_way = Some((rig.now, None)),
            Request::Fetch { instrument, .. } => *on_its_way = Some((rig.now, Some(instrument))),
            _ => {}
        }
    }
    let (asked, of) = (*on_its_way)?;
    let ms = rig.now.since(asked) / MS;
    let answered = match of {
        Some(_) => ms == books_ms,
        // As long as there is patience for.
        None => ms == bars_ms.unwrap_or(10_000),
    };
    if answered {
        *on_its_way = None;
        match of {
            Some(of) => {
                rig.client.fetched(of, 10, None, rig.now, &mut rig.out);
            }
            None if bars_ms.is_some() => {
                rig.client.bars_came(&mut [], None, rig.now);
            }
            None => {
                rig.client.bars_failed(&FetchFailure::Transient, rig.now);
            }
        }
    }
    (ms == 0).then_some(of)
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
    let (mut on_its_way, mut questions, mut book) = (None, Vec::new(), None);
    for ms in 0..5_000u64 {
        if ms == 300 {
            rig.diff(id, 1, 10);
        }
        match venue_answers(&mut rig, &mut on_its_way, (50, Some(50))) {
            Some(None) => questions.push(ms),
            Some(Some(InstrumentId(0))) => book = book.or(Some(ms)),
            _ => {}
        }
    }
    assert!(book.is_some_and(|ms| ms < 600), "{book:?}");
    let last = questions.last().copied().unwrap_or(0);
    assert!((20..=45).contains(&questions.len()) && last < 2_000, "{questions:?}");
    assert_eq!(rig.client.counts.bars_given_up, 100, "by then they are late");
}

/// For connections over which nothing comes.
fn never_silent() -> StreamSettings {
    let silence = Duration::from_secs(10_000);
    StreamSettings { silence, stream_silence: silence, ..settings() }
}

#[test]
fn a_start_with_hundreds_of_instruments_has_their_bars_and_their_books_in_time() {
    let mut rig = Rig::new(StreamSettings { streams_per_connection_max: 50, ..never_silent() }, 300);
    rig.client.fetch_bars(60, vec![5; 300], rig.now);
    let (mut on_its_way, mut bars, mut books) = (None, Vec::new(), Vec::new());
    for ms in 0..240_000u64 {
        match venue_answers(&mut rig, &mut on_its_way, (50, Some(50))) {
            Some(None) => bars.push(ms),
            Some(Some(_)) => books.push(ms),
            None => {}
        }
    }
    let within = |of: &[u64], ms| of.iter().filter(|at| **at < ms).count();
    assert_eq!((bars.len(), within(&bars, 30_000)), (300, 300));
    // A minute has room for 96 books without bars.
    assert!(books.len() == 300 && within(&books, 30_000) >= 80, "{books:?}");
}

#[test]
fn books_come_though_bars_never_do() {
    let mut rig = Rig::new(never_silent(), 20);
    rig.client.fetch_bars(60, vec![5; 20], rig.now);
    let (mut on_its_way, mut bars, mut books) = (None, 0, Vec::new());
    for ms in 0..25_000u64 {
        match venue_answers(&mut rig, &mut on_its_way, (1, None)) {
            Some(None) => bars += 1,
            Some(Some(of)) => books.push((of.0, ms)),
            None => {}
        }
    }
    // Behind the one question that was on its way already.
    let in_time: Vec<u16> = books.iter().filter(|(_, ms)| *ms < 10_100).map(|(of, _)| *of).collect();
    assert_eq!(in_time, (0..20).collect::<Vec<_>>(), "{books:?}");
    assert_eq!(bars, 3, "asked for all the same");
}

#[test]
fn where_no_question_is_answered_all_bars_wait_and_a_person_hears_of_it_once() {
    let mut rig = rig(50);
    let (mut asked, mut told) = (0, Vec::new());
    for _ in 0..60_000 {
        if questions_for_bars(&rig.pass(1)) > 0 {
            asked += 1;
            told.extend(rig.client.bars_failed(&FetchFailure::Transient, rig.now));
        }
    }
    assert!((6..=11).contains(&asked), "{asked}");
    assert_eq!(told, ["asked for again"]);
    // None is given up, and none waits for long.
    let mut answered = 0;
    for _ in 0..31_000 {
        if questions_for_bars(&rig.pass(1)) > 0 {
            answered += 1;
            assert_eq!(rig.client.bars_came(&mut [], None, rig.now), None);
        }
    }
    assert_eq!((answered, rig.client.counts.bars_given_up), (50, 0));
    assert_eq!(rig.client.counts.bar_fetch_failures, asked);
}

/// Beginning of the hour that `BEGIN` is in.
const HOUR: u64 = BEGIN - BEGIN % (3_600 * S);

/// A client that asks for bars of an hour of one instrument, a second after one that it saw not whole is over.
fn hour_missed(past: u32) -> Rig {
    let mut rig = Rig::new(settings(), 1);
    rig.now = Time(HOUR);
    rig.client.fetch_bars(3_600, vec![past], rig.now);
    let start = Time(HOUR - 3_600 * S);
    rig.client.missed_bar(MissedBar { instrument: InstrumentId(0), start, after: None }, rig.now);
    rig
}

/// Lets so many seconds pass in which no question is answered: how many there were, and what is told.
fn unanswered(rig: &mut Rig, seconds: u64) -> (u64, Vec<&'static str>) {
    let (mut asked, mut told) = (0, Vec::new());
    for _ in 0..seconds * 10 {
        if questions_for_bars(&rig.pass(100)) > 0 {
            asked += 1;
            told.extend(rig.client.bars_failed(&FetchFailure::Transient, rig.now));
        }
    }
    (asked, told)
}

/// The bar of an hour that was missed comes, if it is asked for within half a minute: what it is.
fn hour_comes(rig: &mut Rig) -> Option<BarOrigin> {
    let start = Time(HOUR - 3_600 * S);
    let mut bars = [Kline { open_time: start, close_time: Time(HOUR - MS), ..bar(0) }];
    (0..310).find(|_| questions_for_bars(&rig.pass(100)) > 0)?;
    assert_eq!(rig.client.bars_came(&mut bars, None, rig.now), None);
    Some(bars[0].origin)
}

#[test]
fn a_bar_that_was_missed_is_asked_for_until_it_comes_however_long_nothing_answers() {
    let mut rig = hour_missed(0);
    let (asked, told) = unanswered(&mut rig, 600);
    assert!((20..=60).contains(&asked), "pauses grow to half a minute: {asked}");
    assert_eq!(told, ["asked for again"]);
    assert_eq!(hour_comes(&mut rig), Some(BarOrigin::Missed), "as good as any");
    let counts = rig.client.counts;
    assert_eq!((counts.bars_made_good, counts.bar_fetch_failures, counts.bars_given_up), (1, asked, 0));
    // One that comes when the next one is over is of the past: nothing is ordered for it.
    let mut rig = hour_missed(0);
    unanswered(&mut rig, 3_600);
    assert_eq!(hour_comes(&mut rig), Some(BarOrigin::Past));
    assert_eq!((rig.client.counts.bars_made_good, rig.client.counts.bars_of_before), (0, 1));
    // Two hours after its end it is given up.
    let mut rig = hour_missed(0);
    let (asked, _) = unanswered(&mut rig, 7_300);
    assert_eq!(rig.client.counts.bars_given_up, 1);
    assert_eq!((unanswered(&mut rig, 600).0, rig.client.counts.bar_fetch_failures), (0, asked));
}

#[test]
fn bars_of_before_the_run_are_asked_for_until_it_has_its_first_own() {
    for missed_too in [false, true] {
        let mut rig = if missed_too { hour_missed(5) } else { Rig::new(settings(), 1) };
        if !missed_too {
            rig.now = Time(HOUR);
            rig.client.fetch_bars(3_600, vec![5], rig.now);
        }
        // Three hours in which nothing is traded.
        let (asked, told) = unanswered(&mut rig, 3 * 3_600 + 15);
        assert!(asked > 300 && rig.client.counts.bars_given_up == 0, "{asked}");
        assert_eq!(told, ["asked for again"]);
        let question = |request| match request {
            Request::FetchBars { asked, .. } => Some(asked),
            _ => None,
        };
        let asked = (0..310).find_map(|_| rig.pass(100).into_iter().find_map(question)).expect("a question");
        let hours = |at: Time| (at.0 - (HOUR - 5 * 3_600 * S)) / (3_600 * S);
        assert_eq!((hours(asked.from), hours(asked.until)), (3, 8));
        // One is on its way when the run hands out its first own bar.
        rig.client.first_bar(InstrumentId(0));
        rig.client.bars_failed(&FetchFailure::Transient, rig.now);
        assert_eq!((unanswered(&mut rig, 600).0, rig.client.counts.bars_given_up), (0, 1));
    }
}

#[test]
fn what_is_not_there_yet_is_asked_for_again_and_not_for_ever() {
    let mut rig = rig(1);
    rig.client.fetch_bars(60, vec![0], rig.now);
    rig.client.missed_bar(missed(1, Some(4)), rig.now);
    let (mut questions, mut told) = (Vec::new(), Vec::new());
    for ms in 0..110_000u64 {
        for of in asked(&rig.pass(1)) {
            // What came with the first answer is not asked for again.
            assert_eq!(of, if questions.is_empty() { (0, 7, 10) } else { (0, 9, 10) });
            let mut before = [bar(3), bar(2)];
            let came = if questions.is_empty() { &mut before[..] } else { &mut [] };
            told.extend(rig.client.bars_came(came, None, rig.now));
            questions.push(ms);
        }
    }
    assert!((8..=13).contains(&questions.len()) && questions[0] == 999, "{questions:?}");
    assert!(questions[questions.len() - 1] < 100_000, "three minutes after its beginning it is late");
    assert_eq!(told, ["asked for again"]);
    let counts = rig.client.counts;
    assert_eq!((counts.bar_fetch_failures, counts.bars_given_up), (questions.len() as u64, 1));
    assert_eq!((counts.bars_of_before, counts.bars_made_good), (2, 0));
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
    assert_eq!(rig.client.counts.bars_given_up, 2);
}

#[test]
fn a_ban_holds_bars_back_too_and_a_later_miss_takes_the_place_of_what_was_wanted_before() {
    let mut rig = rig(1);
    assert_eq!(asked(&rig.pass(0)), [(0, 5, 10)]);
    let banned = FetchFailure::RateLimited { status: 429, retry_after_s: Some(7) };
    assert!(rig.client.bars_failed(&banned, rig.now).is_some());
    rig.client.missed_bar(missed(3, Some(4)), rig.now);
    rig.client.missed_bar(missed(1, Some(4)), rig.now);
    assert_eq!(asked(&rig.pass(6_999)), []);
    assert_eq!(asked(&rig.pass(1)), [(0, 7, 10)]);
    let mut bars = [bar(3), bar(1)];
    assert_eq!(rig.client.bars_came(&mut bars, None, rig.now), None);
    assert_eq!(bars.map(|bar| bar.origin), [BarOrigin::Past, BarOrigin::Missed]);
    assert_eq!(asked(&rig.pass(5_000)), []);
    // With nothing handed out yet it reaches back to the first that was missed, be that wanted still or on its way in vain.
    for on_its_way in [false, true] {
        let mut rig = Rig::new(settings(), 1);
        rig.client.fetch_bars(60, vec![0], rig.now);
        rig.client.missed_bar(missed(2, None), rig.now);
        if on_its_way {
            assert_eq!(asked(&rig.pass(1_000)), [(0, 8, 9)]);
        }
        rig.client.missed_bar(missed(1, None), rig.now);
        if on_its_way {
            rig.client.bars_failed(&FetchFailure::Transient, rig.now);
        }
        assert_eq!(asked(&rig.pass(1_000)), [(0, 8, 10)], "{on_its_way}");
    }
}
