//! The state machine against time and happenings made up here: no socket, no clock.

mod bars;
mod cuts;
mod doubts;

use super::*;
use crate::domain::event::{DepthHead, Quote, Trade};
use crate::domain::instrument::tests::sample;
use crate::domain::{Instrument, InstrumentId, InstrumentTable, Level, Market, Price, Qty, Side, Time};
use crate::net::websocket::ConnectionError;
use crate::venue::Decoded;
use std::time::Duration;

const MS: u64 = 1_000_000;
const BEGIN: u64 = 1_700_000_000_000 * MS;

fn instruments(n: usize) -> Vec<Instrument> {
    let all = (0..n).map(|i| sample(Market::Spot, &format!("S{i}USDT"))).collect();
    InstrumentTable::new(all).expect("distinct").all().to_vec()
}

fn settings() -> StreamSettings {
    let named = |name: &str| *STREAMS.iter().find(|s| s.name == name).expect("listed");
    StreamSettings {
        streams: vec![named("trade"), named("depth@100ms")],
        redundancy: 1,
        streams_per_connection_max: 1_024,
        open_timeout: Duration::from_secs(5),
        silence: Duration::from_secs(10),
        stream_silence: Duration::from_secs(30),
        lifetime: Duration::from_secs(82_800),
        overlap: Duration::from_secs(2),
        pause: (Duration::from_millis(200), Duration::from_secs(30)),
        snapshot_levels: 1_000,
        weight_per_minute: 4_800,
        seed: 7,
    }
}

struct Rig {
    client: StreamClient,
    now: Time,
    out: Vec<Request>,
    next_id: u64,
}

impl Rig {
    fn new(settings: StreamSettings, n: usize) -> Self {
        let client = StreamClient::new(Market::Spot, settings, &instruments(n));
        Self { client, now: Time(BEGIN), out: Vec::new(), next_id: 1 }
    }

    /// Lets time pass and gives what was asked for.
    fn pass(&mut self, ms: u64) -> Vec<Request> {
        self.now = self.now.plus_nanos(ms * MS);
        self.client.poll(self.now, &mut self.out);
        std::mem::take(&mut self.out)
    }

    /// Lets time pass until a connection is asked for: which, and how many ms that took.
    fn until_connect(&mut self) -> (ConnectionId, u64) {
        for ms in 1..100_000 {
            if let [Request::Connect { connection, .. }] = self.pass(1)[..] {
                return (connection, ms);
            }
        }
        panic!("no connection is asked for any more");
    }

    fn connect(&mut self, ms: u64) -> ConnectionId {
        let asked = self.pass(ms);
        let id = asked.iter().find_map(|r| match r {
            Request::Connect { connection, .. } => Some(*connection),
            _ => None,
        });
        id.unwrap_or_else(|| panic!("no connection asked for: {asked:?}"))
    }

    fn open(&mut self, id: ConnectionId) {
        self.client.opened(id, self.now, &mut self.out);
    }

    fn trade(&mut self, id: ConnectionId) -> Verdict {
        self.next_id += 1;
        let trade = Trade {
            instrument: InstrumentId(0),
            price: Price(1),
            qty: Qty(1),
            id: self.next_id,
            venue_time: Time(0),
            aggressor: Side::Buy,
            aggregate: false,
        };
        self.client.admit(id, &Decoded::Trade(trade), self.now)
    }

    fn quote(&mut self, id: ConnectionId, update_id: u64) -> Verdict {
        let (bid, ask) = (Level::new(1, 1), Level::new(2, 1));
        let quote = Quote { instrument: InstrumentId(0), bid, ask, update_id };
        self.client.admit(id, &Decoded::Quote(quote), self.now)
    }

    fn diff(&mut self, id: ConnectionId, first_id: u64, last_id: u64) -> Verdict {
        let head = DepthHead {
            instrument: InstrumentId(0),
            first_id,
            last_id,
            prev_id: 0,
            venue_time: Time(0),
            bids: 0,
            asks: 0,
        };
        self.client.admit(id, &Decoded::DepthDiff(head), self.now)
    }
}

fn fetches(asked: &[Request]) -> usize {
    asked.iter().filter(|r| matches!(r, Request::Fetch { .. })).count()
}

#[test]
fn an_old_connection_is_closed_only_after_the_new_one_delivered_and_both_were_open_for_a_while() {
    let mut rig = Rig::new(settings(), 1);
    let old = rig.connect(0);
    rig.open(old);
    for _ in 0..8_280 {
        rig.trade(old);
        let asked = rig.pass(10_000 - 1);
        assert!(asked.iter().all(|r| matches!(r, Request::Fetch { .. } | Request::Ping { .. })), "{asked:?}");
    }
    rig.trade(old);
    let new = rig.connect(9_000);
    rig.open(new);
    rig.trade(old);
    assert!(rig.pass(3_000).is_empty(), "the new one has said nothing yet");
    rig.trade(new);
    assert_eq!(rig.pass(1), [Request::Close { connection: old, error: None }]);
    assert_eq!((rig.client.counts.replaced, rig.client.counts.interruptions), (1, 0));
}

#[test]
fn nobody_waits_for_a_connection_that_was_replaced() {
    let mut rig = Rig::new(settings(), 1);
    let old = rig.connect(0);
    rig.open(old);
    assert_eq!([5, 6].map(|id| rig.quote(old, id)), [Verdict::Publish; 2]);
    rig.client.control(
        old,
        br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#,
        rig.now,
        &mut rig.out,
    );
    let new = rig.connect(1);
    rig.open(new);
    rig.trade(new);
    let asked = rig.pass(2_000);
    assert!(asked.contains(&Request::Close { connection: old, error: None }), "{asked:?}");
    assert_eq!(rig.quote(new, 9), Verdict::Publish, "what came between is not on its way any more");
}

#[test]
fn an_announced_cut_is_forestalled_and_survived() {
    let mut rig = Rig::new(settings(), 2);
    let old = rig.connect(0);
    rig.open(old);
    rig.trade(old);
    rig.client.control(
        old,
        br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#,
        rig.now,
        &mut rig.out,
    );
    let new = rig.connect(1);
    rig.open(new);
    assert_eq!((rig.client.live_connections(), rig.client.lines()), (1, 1), "two that are one");
    // The venue was quicker than the overlap.
    rig.client.closed(old, rig.now, &mut rig.out);
    assert!(rig.out.is_empty(), "no interruption: the new one is live");
    assert_eq!(rig.client.live_connections(), 1);
}

#[test]
fn the_loss_of_the_last_connection_interrupts_its_instruments_and_pauses_grow() {
    let mut rig = Rig::new(settings(), 2);
    let id = rig.connect(0);
    rig.open(id);
    rig.client.closed(id, rig.now, &mut rig.out);
    let interrupted = [0, 1].map(|n| Request::Interrupted { instrument: InstrumentId(n) });
    assert_eq!(std::mem::take(&mut rig.out), interrupted);
    let mut waited = Vec::new();
    for _ in 0..8 {
        let (id, ms) = rig.until_connect();
        waited.push(ms);
        rig.client.closed(id, rig.now, &mut rig.out);
    }
    assert!(waited[0] <= 201 && waited[6] >= 6_000 && waited.iter().all(|ms| *ms <= 30_001), "{waited:?}");
}

#[test]
fn a_connection_that_is_dropped_at_once_is_no_success_and_one_that_lasted_is() {
    let mut rig = Rig::new(settings(), 1);
    let mut waited = Vec::new();
    for lasts_ms in [0, 50, 0, 1_000, 0, 0, 29_999, 30_000, 0] {
        let (id, ms) = rig.until_connect();
        waited.push(ms);
        rig.open(id);
        rig.now = rig.now.plus_nanos(lasts_ms * MS);
        rig.client.closed(id, rig.now, &mut rig.out);
        rig.out.clear();
    }
    // Each pause is half chance: from half of what it may be to all of it.
    assert!(waited[1] <= 201 && waited[4] >= 800 && waited[7] >= 6_400 && waited[8] <= 201, "{waited:?}");
}

#[test]
fn the_venues_limit_of_attempts_is_kept_whatever_happens() {
    let mut rig = Rig::new(
        StreamSettings { pause: (Duration::from_millis(10), Duration::from_millis(20)), ..settings() },
        1,
    );
    let mut attempts = Vec::new();
    for _ in 0..60_000 {
        for request in rig.pass(10) {
            if let Request::Connect { connection, .. } = request {
                attempts.push(rig.now.0);
                rig.client.closed(connection, rig.now, &mut rig.out);
            }
        }
    }
    let within = |from: u64| attempts.iter().filter(|at| (from..from + 300_000 * MS).contains(*at)).count();
    assert!(attempts.len() >= 500 && attempts.iter().all(|at| within(*at) <= 300), "{}", attempts.len());
    assert!(rig.client.counts.connects_held_back > 0);
}

#[test]
fn messages_to_the_venue_are_at_most_four_a_second() {
    let mut rig = Rig::new(settings(), 500);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!(rig.client.live_connections(), 0, "not before everything is subscribed to");
    let mut sent = Vec::new();
    for _ in 0..3_000 {
        let asked = rig.pass(1);
        sent.extend(asked.iter().filter(|r| matches!(r, Request::Send { .. })).map(|_| rig.now.0));
    }
    assert_eq!((sent.len(), rig.client.live_connections()), (5, 0), "not before the venue says so");
    for number in 1..=5 {
        let answer = format!(r#"{{"result":null,"id":{number}}}"#);
        assert!(rig.client.control(id, answer.as_bytes(), rig.now, &mut rig.out));
        assert_eq!(rig.client.live_connections(), usize::from(number == 5));
    }
    assert!(sent.windows(2).all(|w| w[1] - w[0] >= 250 * MS));
}

fn closed(asked: &[Request]) -> Vec<(ConnectionId, Option<ConnectionError>)> {
    let of = |request: &Request| match request {
        Request::Close { connection, error } => Some((*connection, error.clone())),
        _ => None,
    };
    asked.iter().filter_map(of).collect()
}

#[test]
fn a_connection_that_says_nothing_is_asked_then_closed_and_one_that_does_not_open_is_given_up() {
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    assert!(rig.pass(4_999).is_empty());
    assert_eq!(closed(&rig.pass(1)), [(id, Some(ConnectionError::OpenTimeout))]);
    let id = rig.connect(1_000);
    rig.open(id);
    assert!(!rig.pass(4_999).contains(&Request::Ping { connection: id }));
    assert!(rig.pass(1).contains(&Request::Ping { connection: id }));
    let asked = rig.pass(4_999);
    assert!(closed(&asked).is_empty() && !asked.contains(&Request::Ping { connection: id }), "asked once");
    assert_eq!(closed(&rig.pass(1)), [(id, Some(ConnectionError::Silent))]);
    assert_eq!((rig.client.counts.open_timeouts, rig.client.counts.silent), (1, 1));
}

#[test]
fn pings_and_answers_to_ours_are_life_and_silence_does_not_keep_away_longer_each_time() {
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    for _ in 0..60 {
        assert!(closed(&rig.pass(9_999)).is_empty(), "a quiet market");
        rig.client.heard(id, rig.now);
    }
    rig.client.closed(id, rig.now, &mut rig.out);
    let mut waited = Vec::new();
    for _ in 0..8 {
        let (id, ms) = rig.until_connect();
        waited.push(ms);
        rig.open(id);
        rig.pass(9_999);
        assert_eq!(closed(&rig.pass(1)), [(id, Some(ConnectionError::Silent))]);
    }
    assert!(waited.iter().all(|ms| *ms <= 201), "{waited:?}");
}

#[test]
fn of_two_connections_that_fell_silent_one_is_closed_while_the_other_is_there() {
    let mut rig = Rig::new(StreamSettings { redundancy: 2, ..settings() }, 1);
    let connects = |asked: &[Request]| -> Vec<ConnectionId> {
        let of = |r: &Request| match r {
            Request::Connect { connection, .. } => Some(*connection),
            _ => None,
        };
        asked.iter().filter_map(of).collect()
    };
    let both = connects(&rig.pass(0));
    both.iter().for_each(|id| rig.open(*id));
    rig.pass(9_999);
    assert_eq!(closed(&rig.pass(1)), [(both[0], Some(ConnectionError::Silent))]);
    let asked = rig.pass(1_000);
    assert!(closed(&asked).is_empty());
    let new = connects(&asked);
    rig.open(new[0]);
    assert_eq!(closed(&rig.pass(1)), [(both[1], Some(ConnectionError::Silent))], "the new one is there");
    assert_eq!(rig.client.counts.interruptions, 0);
    // Where the other does not come back, what is silent for twice as long is no data to trade on.
    let asked = rig.pass(19_998);
    assert!(asked.iter().any(|r| matches!(r, Request::Connect { .. })));
    assert_eq!(rig.client.counts.interruptions, 0);
    let asked = rig.pass(2);
    assert!(closed(&asked).contains(&(new[0], Some(ConnectionError::Silent))), "{asked:?}");
    assert!(asked.contains(&Request::Interrupted { instrument: InstrumentId(0) }));
}

#[test]
fn what_was_kept_for_a_book_that_did_not_come_is_forgotten_on_both_sides_of_the_ring() {
    let instrument = InstrumentId(0);
    let interrupted = [Request::Interrupted { instrument }];
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    assert_eq!((rig.diff(id, 1, 10), fetches(&rig.pass(1))), (Verdict::Unsynced, 1));
    // Nothing was published yet, so nothing has to go.
    rig.client.fetch_failed(instrument, &FetchFailure::Transient, rig.now, &mut rig.out);
    assert!(rig.out.is_empty());
    assert_eq!(fetches(&rig.pass(300)), 1);
    assert_eq!(rig.diff(id, 11, 12), Verdict::Publish);
    rig.client.fetch_failed(instrument, &FetchFailure::Transient, rig.now, &mut rig.out);
    assert_eq!(std::mem::take(&mut rig.out), interrupted);
    assert_eq!((rig.diff(id, 13, 14), fetches(&rig.pass(500))), (Verdict::Unsynced, 1));
    assert_eq!(rig.diff(id, 15, 16), Verdict::Publish);
    let too_old = rig.client.fetched(instrument, 12, None, rig.now, &mut rig.out);
    assert_eq!(
        (too_old, std::mem::take(&mut rig.out).as_slice()),
        (SnapshotVerdict::TooOld, &interrupted[..])
    );
    assert_eq!(fetches(&rig.pass(1_000)), 1);
    assert_eq!(rig.diff(id, 17, 18), Verdict::Publish);
    assert_eq!(rig.client.fetched(instrument, 16, None, rig.now, &mut rig.out), SnapshotVerdict::Publish);
    assert!(rig.out.is_empty() && rig.client.counts.interruptions == 2);
}

#[test]
fn a_book_that_the_venue_refuses_is_set_aside_and_the_others_trade_on() {
    let mut rig = Rig::new(settings(), 3);
    let id = rig.connect(0);
    rig.open(id);
    let refused = InstrumentId(1);
    let (mut asked, mut news) = (Vec::new(), 0);
    let begin = rig.now;
    for round in 0..700 {
        if round == 0 {
            // Only the first has a stream that flows; the others are fetched since they say nothing.
            rig.diff(id, 1, 10);
        }
        rig.trade(id);
        for request in rig.pass(1_000) {
            let Request::Fetch { instrument, .. } = request else { panic!("{request:?}") };
            asked.push((instrument, rig.now.since(begin) / (1_000 * MS)));
            if instrument == refused {
                let failure = FetchFailure::Refused(400);
                news += u32::from(rig.client.fetch_failed(instrument, &failure, rig.now, &mut rig.out));
            } else {
                rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
            }
        }
    }
    let at: Vec<_> = asked.iter().filter(|(id, _)| *id == refused).map(|(_, at)| *at).collect();
    assert_eq!(at.len(), 3, "{at:?}");
    assert!(at.windows(2).all(|w| w[1] - w[0] == 300), "{at:?}");
    let c = rig.client.counts;
    assert_eq!((c.fetch_refusals, c.books_set_aside, news, rig.client.books_aside()), (3, 1, 1, 1));
    assert_eq!((rig.client.books_synced(), c.interruptions), ((0, 3), 0), "no diff has confirmed the others");
    let in_step = |state: FollowedState| state.in_step == Some(true) && state.unconfirmed;
    assert_eq!(rig.client.followed().filter(|state| in_step(*state)).count(), 2);
}

#[test]
fn a_book_that_was_in_step_and_is_refused_is_no_book_to_trade_on() {
    let mut rig = Rig::new(settings(), 1);
    let id = rig.connect(0);
    rig.open(id);
    rig.diff(id, 1, 10);
    let instrument = InstrumentId(0);
    assert_eq!(fetches(&rig.pass(1)), 1);
    rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
    let mut asked = 0;
    for _ in 0..31 {
        rig.trade(id);
        asked += fetches(&rig.pass(1_000));
    }
    assert_eq!(asked, 1, "it fell silent");
    assert!(rig.client.fetch_failed(instrument, &FetchFailure::Refused(400), rig.now, &mut rig.out));
    assert_eq!(rig.out, [Request::Interrupted { instrument }]);
    assert_eq!((rig.client.books_synced(), rig.client.counts.interruptions), ((0, 1), 1));
    rig.out.clear();
    for _ in 0..299 {
        rig.trade(id);
        assert_eq!(fetches(&rig.pass(1_000)), 0);
    }
    rig.trade(id);
    assert_eq!(fetches(&rig.pass(1_000)), 1);
    rig.client.fetched(instrument, 30, None, rig.now, &mut rig.out);
    assert_eq!((rig.client.books_synced(), rig.client.books_aside()), ((1, 1), 0), "it is shown again");
}

#[test]
fn one_that_stood_by_is_followed_by_connections_of_its_own_and_the_others_are_not_touched() {
    let all = instruments(2);
    let client = StreamClient::with_standby(Market::Spot, settings(), &all, &[all[1].id]);
    let mut rig = Rig { client, now: Time(BEGIN), out: Vec::new(), next_id: 1 };
    let first = rig.connect(10);
    let targets = |asked: &[Request]| -> Vec<String> {
        let target = |r: &Request| match r {
            Request::Connect { target, .. } => Some(target.clone()),
            _ => None,
        };
        asked.iter().filter_map(target).collect()
    };
    assert_eq!((rig.client.lines(), rig.client.books_synced().1), (1, 1));
    assert!(rig.client.add(&all[1], rig.now) && !rig.client.add(&all[1], rig.now), "once");
    assert!(!rig.client.add(&all[0], rig.now), "it is followed already");
    let asked = rig.pass(10);
    assert_eq!(targets(&asked), ["/stream?streams=s1usdt@trade/s1usdt@depth@100ms"]);
    assert!(!asked.iter().any(|r| matches!(r, Request::Close { .. } | Request::Interrupted { .. })));
    let second = asked.iter().find_map(|r| match r {
        Request::Connect { connection, .. } => Some(*connection),
        _ => None,
    });
    let second = second.expect("connected");
    assert_ne!(first, second);
    let mut out = Vec::new();
    rig.client.opened(second, rig.now, &mut out);
    assert_eq!((rig.client.lines(), rig.client.books_synced().1), (2, 2));
}

#[test]
fn an_attempt_that_is_one_too_many_is_followed_by_none_until_it_may_be() {
    use super::super::limits::{Retry, TooMuch};
    for (status, retry, seconds) in
        [(429, Retry::After(7), 7), (418, Retry::Unsaid, 120), (403, Retry::Unsaid, 300)]
    {
        let mut rig = Rig::new(settings(), 1);
        let id = rig.connect(0);
        rig.client.refused(TooMuch { status, code: None, retry }, rig.now);
        rig.client.closed(id, rig.now, &mut rig.out);
        let begun = rig.now;
        while !rig.pass(10).iter().any(|r| matches!(r, Request::Connect { .. })) {
            assert!(rig.now.since(begun) < 1_000_000 * MS, "never again");
        }
        assert_eq!(rig.now.since(begun) / (1_000 * MS), seconds, "{status}");
    }
}

#[test]
fn of_two_ways_to_an_instrument_the_one_without_its_book_may_go_and_nothing_of_the_book_is_lost() {
    let named = |name: &str| *STREAMS.iter().find(|s| s.name == name).expect("listed");
    let streams = ["aggTrade", "bookTicker", "depth@100ms"].map(named).to_vec();
    let settings = StreamSettings { streams, redundancy: 2, ..settings() };
    let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one");
    let client = StreamClient::new(Market::UsdM, settings, table.all());
    let mut rig = Rig { client, now: Time(BEGIN), out: Vec::new(), next_id: 1 };
    let asked = rig.pass(0);
    let lines: Vec<(ConnectionId, bool)> = asked
        .iter()
        .filter_map(|request| match request {
            Request::Connect { connection, target } => Some((*connection, target.starts_with("/market/"))),
            _ => None,
        })
        .collect();
    assert_eq!(lines.iter().map(|(_, market)| *market).collect::<Vec<_>>(), [false, false, true, true]);
    lines.iter().for_each(|(line, _)| rig.open(*line));
    let [(public, _), (other, _), (market, _), (twin, _)] = lines[..] else { panic!("{lines:?}") };
    let aggregate = |rig: &mut Rig, id, number| {
        let trade = Trade {
            instrument: InstrumentId(0),
            price: Price(1),
            qty: Qty(1),
            id: number,
            venue_time: Time(0),
            aggressor: Side::Buy,
            aggregate: true,
        };
        rig.client.admit(id, &Decoded::Trade(trade), rig.now)
    };
    assert_eq!(
        (aggregate(&mut rig, market, 1), aggregate(&mut rig, twin, 1)),
        (Verdict::Publish, Verdict::Duplicate)
    );
    assert_eq!(rig.quote(public, 7), Verdict::Publish);
    assert_eq!(rig.client.followed().count(), 1, "of one instrument there is one state");
    let gone = |rig: &mut Rig, id| rig.client.closed(id, rig.now, &mut rig.out);
    // Its book's way: all of that is to be had anew, and aggregates are still told once.
    gone(&mut rig, public);
    gone(&mut rig, other);
    assert_eq!(rig.out, [Request::Interrupted { instrument: InstrumentId(0) }]);
    rig.out.clear();
    assert_eq!(
        (aggregate(&mut rig, twin, 1), aggregate(&mut rig, twin, 2)),
        (Verdict::Duplicate, Verdict::Publish)
    );
    // The other way: no word of a book.
    gone(&mut rig, market);
    gone(&mut rig, twin);
    assert_eq!(rig.out, []);
}

#[test]
fn a_refused_subscription_is_asked_for_in_halves_and_keeps_its_own_instruments_alone_from_being_traded() {
    let trade = *STREAMS.iter().find(|s| s.name == "trade").expect("listed");
    let depth = *STREAMS.iter().find(|s| s.name == "depth@100ms").expect("listed");
    let mut rig = Rig::new(
        StreamSettings { streams: vec![trade, depth], silence: Duration::from_secs(3_600), ..settings() },
        150,
    );
    let id = rig.connect(0);
    rig.open(id);
    // Whatever names the seventh is refused.
    let bad = "\"s7usdt@trade\"";
    let (mut sent, mut sizes) = (0, Vec::new());
    for _ in 0..60_000 {
        for request in rig.pass(5) {
            match request {
                Request::Send { text, .. } => {
                    sent += 1;
                    let number = text.rsplit(':').next().expect("an id").trim_end_matches('}').to_owned();
                    let refused = text.contains(bad);
                    let answer = if refused {
                        sizes.push(text.matches('@').count());
                        format!(r#"{{"error":{{"code":2,"msg":"Invalid request"}},"id":{number}}}"#)
                    } else {
                        format!(r#"{{"result":null,"id":{number}}}"#)
                    };
                    assert!(rig.client.control(id, answer.as_bytes(), rig.now, &mut rig.out));
                }
                Request::Fetch { instrument, .. } => {
                    rig.client.fetched(instrument, 10, None, rig.now, &mut rig.out);
                }
                Request::Ping { .. } | Request::Interrupted { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(rig.client.live_connections(), 1);
    let without: Vec<_> =
        rig.client.followed().filter(|state| state.refused).map(|state| state.instrument.0).collect();
    assert_eq!(without, [7]);
    let in_step = rig.client.followed().filter(|state| state.in_step == Some(true)).count();
    assert_eq!(in_step, 149, "the others are fetched");
    assert!(sizes.len() >= 10 && sizes[0] > 200 && sizes.iter().skip(9).all(|size| *size < 3), "{sizes:?}");
    assert!(sent < 60, "{sent}: one alone is asked for ever more rarely");
}

#[test]
fn a_subscription_that_nobody_answers_is_asked_for_again() {
    let mut rig = Rig::new(settings(), 150);
    let id = rig.connect(0);
    rig.open(id);
    let sends = |asked: &[Request]| asked.iter().filter(|r| matches!(r, Request::Send { .. })).count();
    let mut first = 0;
    for _ in 0..900 {
        rig.trade(id);
        first += sends(&rig.pass(10));
    }
    assert_eq!((first, rig.client.live_connections()), (2, 0));
    let mut again = 0;
    for _ in 0..500 {
        rig.trade(id);
        again += sends(&rig.pass(10));
    }
    assert!(again >= 2, "{again}");
    let lacking = |rig: &Rig| {
        let mut without = rig.client.followed().filter(|state| state.refused).peekable();
        without.peek().is_some() && without.all(|state| rig.client.lacks_an_answer(state.instrument))
    };
    assert!(lacking(&rig), "it is not told as a refusal");
    let no = br#"{"id":3,"error":{"code":2,"msg":"Invalid request"}}"#;
    assert!(rig.client.control(id, no, rig.now, &mut rig.out));
    assert!(!lacking(&rig), "what was refused since is");
}
