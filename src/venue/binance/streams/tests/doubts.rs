//! What is not believed any more, and what becomes of it: frames that cannot be read, quotes that contradict a book, streams
//! that stay behind.

use super::super::doubt::Loss;
use super::*;
use crate::domain::contradiction::Contradiction;
use crate::domain::event::TradeUnread;
use crate::venue::DecodeError;
use crate::venue::binance::Unread;

/// A book in step at 12, by connection `id`, that was quiet until it was asked for to be compared.
fn quiet_until_compared(rig: &mut Rig, id: ConnectionId) {
    let mut asked = Vec::new();
    for _ in 0..31 {
        rig.trade(id);
        asked.extend(rig.pass(1_000));
    }
    assert_eq!(fetches(&asked), 1, "{asked:?}");
}

#[test]
fn a_quiet_book_is_compared_with_the_venues_and_one_whose_diff_is_on_its_way_is_not_behind() {
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!(rig.diff(id, 1, 10), Verdict::Unsynced);
    assert_eq!(fetches(&rig.pass(1)), 1);
    let instrument = InstrumentId(0);
    let publish = rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
    assert_eq!(publish, SnapshotVerdict::Publish);
    assert_eq!(rig.diff(id, 11, 12), Verdict::Publish);
    quiet_until_compared(&mut rig, id);
    assert_eq!(rig.client.fetched(instrument, 12, None, rig.now, &mut rig.out), SnapshotVerdict::Unwanted);
    assert!(rig.out.is_empty() && rig.pass(3_000).is_empty(), "rightly quiet");
    quiet_until_compared(&mut rig, id);
    assert_eq!(rig.client.fetched(instrument, 40, None, rig.now, &mut rig.out), SnapshotVerdict::Unwanted);
    assert!(rig.out.is_empty() && rig.pass(1_900).is_empty());
    assert_eq!(rig.diff(id, 13, 40), Verdict::Publish, "a little later than the book");
    assert!(rig.pass(1_000).is_empty());
    assert_eq!((rig.client.counts.stale_streams, rig.client.books_synced()), (0, (1, 1)));
}

/// The connections that are asked for at the start, each of them opened.
fn opened(rig: &mut Rig) -> Vec<ConnectionId> {
    let connection = |request: Request| match request {
        Request::Connect { connection, .. } => Some(connection),
        _ => None,
    };
    let lines: Vec<_> = rig.pass(0).into_iter().filter_map(connection).collect();
    lines.iter().for_each(|id| rig.open(*id));
    lines
}

#[test]
fn a_stream_that_stays_behind_costs_its_book_and_only_then_connections_one_at_a_time() {
    let mut rig = Rig::new(StreamSettings { redundancy: 2, ..settings() }, 1);
    let lines = opened(&mut rig);
    let (id, instrument) = (lines[0], InstrumentId(0));
    rig.diff(id, 1, 10);
    assert_eq!(fetches(&rig.pass(1)), 1);
    rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
    let mut at = 10;
    for again in [false, true] {
        // Both connections live, by trades.
        let mut compared = false;
        for _ in 0..80 {
            lines.iter().for_each(|id| assert_eq!(rig.trade(*id), Verdict::Publish));
            for request in rig.pass(500) {
                assert!(matches!(request, Request::Fetch { .. }), "{request:?}");
                compared = true;
                rig.client.fetched(instrument, at + 30, None, rig.now, &mut rig.out);
            }
            if compared {
                break;
            }
        }
        assert!(compared && rig.pass(1_900).is_empty());
        let asked = rig.pass(100);
        assert!(asked.contains(&Request::Interrupted { instrument }), "{asked:?}");
        assert!(!asked.iter().any(|r| matches!(r, Request::Close { .. } | Request::Connect { .. })));
        assert_eq!(rig.client.live_connections(), 2);
        at += 30;
        if again {
            break;
        }
        assert_eq!(fetches(&rig.pass(300)), 1);
        assert_eq!(rig.client.counts.connects, 2, "that book alone");
        assert_eq!(rig.client.fetched(instrument, at, None, rig.now, &mut rig.out), SnapshotVerdict::Publish);
    }
    assert_eq!(rig.client.counts.stale_streams, 2);
    // One after the other, each only once the new one brought something.
    let mut closed = Vec::new();
    for _ in 0..40 {
        for request in rig.pass(500) {
            match request {
                Request::Connect { connection, .. } => {
                    assert_eq!(closed.len(), usize::from(connection.line), "one at a time");
                    rig.open(connection);
                    rig.trade(connection);
                }
                Request::Close { connection, error } => {
                    assert_eq!(error, Some(ConnectionError::Stale));
                    closed.push(connection);
                }
                Request::Fetch { instrument: of, .. } => {
                    rig.client.fetched(of, at, None, rig.now, &mut rig.out);
                }
                Request::Ping { connection } => rig.client.heard(connection, rig.now),
                other => panic!("{other:?}"),
            }
        }
        lines.iter().for_each(|id| assert_eq!(rig.trade(*id), Verdict::Publish));
    }
    assert_eq!((closed, rig.client.counts.interruptions), (lines, 2));
}

#[test]
fn a_diff_that_cannot_be_read_is_a_gap_and_books_that_do_not_mend_wait_ever_longer() {
    let instrument = InstrumentId(0);
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!((rig.diff(id, 1, 10), fetches(&rig.pass(1))), (Verdict::Unsynced, 1));
    assert_eq!(rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out), SnapshotVerdict::Publish);
    assert_eq!(rig.diff(id, 11, 12), Verdict::Publish);
    let unread = |rig: &mut Rig, kind| {
        let of = Some(Unread { instrument, kind, aggregate: false });
        rig.client.unread(id, of, DecodeError::Json, rig.now)
    };
    assert_eq!(
        unread(&mut rig, StreamKind::Trades),
        Some(Loss::Trade(TradeUnread { instrument, aggregate: Some(false) })),
        "each, and the book holds"
    );
    assert_eq!(rig.client.counts.interruptions, 0);
    assert_eq!(unread(&mut rig, StreamKind::Quotes), None, "the book has the same, and says it");
    assert_eq!(rig.client.books_synced().0, 1);
    assert_eq!(unread(&mut rig, StreamKind::Diffs), Some(Loss::Market(instrument)));
    assert_eq!(unread(&mut rig, StreamKind::Diffs), None, "told once");
    assert_eq!(rig.client.books_synced().0, 0);
    assert_eq!(rig.diff(id, 15, 16), Verdict::Unsynced, "not on a book that is wrong");
    let mut waited = Vec::new();
    for round in 0..9u64 {
        let begun = rig.now;
        while !rig
            .pass(1)
            .iter()
            .any(|r| matches!(r, Request::Fetch { instrument: i, .. } if *i == instrument))
        {
            rig.trade(id);
            assert!(rig.now.since(begun) < 100_000 * MS, "never fetched");
        }
        waited.push(rig.now.since(begun) / MS);
        let at = 100 * (round + 1);
        rig.diff(id, at, at + 1);
        rig.client.fetched(instrument, at, None, rig.now, &mut rig.out);
        assert_eq!(rig.client.books_synced().0, 1, "round {round}");
        assert_eq!(unread(&mut rig, StreamKind::Diffs), Some(Loss::Market(instrument)));
    }
    assert!(waited[0] <= 201 && waited[8] >= 14_000, "{waited:?}");
    let counts = rig.client.counts;
    assert_eq!((counts.unread, counts.interruptions, counts.gaps), (13, 10, 0), "{counts:?}");
    let state = rig.client.followed().next().expect("followed").unread.expect("told");
    assert_eq!((state.frames, state.kind, state.at), (13, StreamKind::Diffs, rig.now));
}

#[test]
fn a_best_bid_and_ask_that_cannot_be_read_is_none_where_there_is_no_book() {
    let instrument = InstrumentId(0);
    let quotes = *STREAMS.iter().find(|s| s.name == "bookTicker").expect("listed");
    let mut rig = Rig::new(StreamSettings { streams: vec![quotes], ..settings() }, 1);
    let id = rig.connect(0);
    rig.open(id);
    let of = Some(Unread { instrument, kind: StreamKind::Quotes, aggregate: false });
    assert_eq!(rig.client.unread(id, of, DecodeError::Json, rig.now), None, "there was none yet");
    assert_eq!(rig.quote(id, 5), Verdict::Publish);
    assert_eq!(rig.client.unread(id, of, DecodeError::Json, rig.now), Some(Loss::Market(instrument)));
    assert_eq!(rig.client.unread(id, of, DecodeError::Json, rig.now), None);
    assert_eq!(rig.client.unread(id, None, DecodeError::Json, rig.now), None, "nobody knows whose");
    assert_eq!(rig.client.counts.unread, 4);
}

#[test]
fn a_book_of_another_precision_is_set_aside_with_its_reason_and_a_torn_one_is_asked_for_again() {
    let instrument = InstrumentId(0);
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!((rig.diff(id, 1, 10), fetches(&rig.pass(1))), (Verdict::Unsynced, 1));
    let torn = FetchFailure::Unreadable(DecodeError::Json);
    assert!(rig.client.fetch_failed(instrument, &torn, rig.now, &mut rig.out));
    assert_eq!((fetches(&rig.pass(300)), rig.client.books_aside()), (1, 0));
    let error = crate::domain::DecimalError::TooPrecise;
    let finer = FetchFailure::Unreadable(DecodeError::Number { field: "bids", error });
    assert!(rig.client.fetch_failed(instrument, &finer, rig.now, &mut rig.out));
    assert_eq!((fetches(&rig.pass(60_000)), rig.client.books_aside()), (0, 1));
    assert_eq!(rig.client.followed().next().and_then(|followed| followed.aside), Some(finer));
    assert_eq!(rig.client.counts.books_unread, 2);
}

#[test]
fn a_book_that_its_quotes_contradict_again_and_again_is_fetched_anew() {
    let instrument = InstrumentId(0);
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!((rig.diff(id, 1, 10), fetches(&rig.pass(1))), (Verdict::Unsynced, 1));
    rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
    assert_eq!(rig.diff(id, 11, 12), Verdict::Publish);
    let contradicted = |rig: &mut Rig, lasting| {
        rig.client.contradicted(Contradiction { instrument, lasting }, rig.now, &mut rig.out);
        std::mem::take(&mut rig.out)
    };
    assert_eq!(contradicted(&mut rig, false), []);
    assert_eq!(rig.client.books_synced().0, 1);
    assert_eq!(contradicted(&mut rig, true), [Request::Interrupted { instrument }]);
    assert_eq!(
        (contradicted(&mut rig, true), rig.client.books_synced().0),
        (vec![], 0),
        "it is doubted already"
    );
    assert_eq!(fetches(&rig.pass(300)), 1);
    assert_eq!(rig.client.fetched(instrument, 20, None, rig.now, &mut rig.out), SnapshotVerdict::Publish);
    let counts = rig.client.counts;
    assert_eq!((counts.contradictions, counts.books_contradicted, counts.interruptions), (3, 1, 1));
    let state = rig.client.followed().next().expect("followed");
    assert_eq!(state.contradictions.map(|(count, _)| count), Some(3));
}

#[test]
fn trades_whose_ids_are_passed_over_are_missing_once_they_can_no_longer_come() {
    let mut rig = Rig::new(StreamSettings { redundancy: 2, ..settings() }, 1);
    let lines = opened(&mut rig);
    let trade = |rig: &mut Rig, line: usize, id: u64| {
        rig.next_id = id - 1;
        rig.trade(lines[line])
    };
    let told = |rig: &Rig| {
        let state = rig.client.followed().next().expect("it is followed");
        (rig.client.counts.trades_missing, state.trades_missing.map(|(count, _)| count))
    };
    // The second connection is ahead of the first, and lacks nothing that this does not bring.
    for (line, id) in [(0, 5), (1, 8), (0, 6), (1, 9), (0, 7), (0, 8)] {
        trade(&mut rig, line, id);
        rig.pass(400);
    }
    rig.pass(5_000);
    assert_eq!(told(&rig), (0, None));
    // Neither brings two of these.
    for line in [0, 1] {
        for id in [10, 12, 14] {
            trade(&mut rig, line, id);
        }
    }
    rig.pass(1_990);
    assert_eq!(told(&rig), (0, None), "they may come yet");
    rig.pass(10);
    assert_eq!(told(&rig), (2, Some(2)));
    rig.pass(5_000);
    assert_eq!(told(&rig), (2, Some(2)), "counted once");
    // What is lost while no connection is there is told as that.
    for id in lines.iter() {
        rig.client.closed(*id, rig.now, &mut rig.out);
    }
    let again = rig.connect(1_000);
    rig.open(again);
    rig.next_id = 99;
    rig.trade(again);
    rig.pass(3_000);
    assert_eq!((told(&rig), rig.client.counts.interruptions), ((2, Some(2)), 1));
    // Futures use up numbers for what is no market data.
    let usdm = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one");
    rig.client = StreamClient::new(Market::UsdM, settings(), usdm.all());
    let id = rig.connect(0);
    rig.open(id);
    for next in [10, 20] {
        rig.next_id = next;
        assert_eq!(rig.trade(id), Verdict::Publish);
    }
    rig.pass(5_000);
    assert_eq!(told(&rig), (0, None));
}
