//! What the stage sends, slot by slot.

use super::*;
use crate::domain::Market;
use crate::domain::event::TradeUnread;
use crate::domain::instrument::tests::sample;
use crate::pipeline::{Stop, lane};

/// Bars of the usual length, which wait for nobody.
fn settings(incomplete_bars: IncompleteBars) -> MarketSettings {
    MarketSettings { bar: BarSpec::default(), bar_grace_ns: 0, incomplete_bars }
}

#[test]
fn a_crossed_quote_is_not_to_be_traded_on() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let settings = settings(IncompleteBars::Withhold);
    let (to, mut messages) = lane("test", 16, 4, &Stop::new());
    let mut stage = MarketStage::new(&table, &[true], &[], settings, to).expect("no requests");
    let books = BookKeeper::new(table.all(), |_| false);
    for (seq, (bid, ask, valid)) in (1..).zip([(10, 12, true), (13, 12, false), (11, 12, true)]) {
        let (instrument, bid, ask) = (InstrumentId(0), Level::new(bid, 1), Level::new(ask, 1));
        stage.on_slot(seq, &Slot::quote(&Quote { instrument, bid, ask, update_id: seq }), &books);
        let shown = messages.pop().map(|message| message.body);
        assert!(matches!(shown, Some(MarketBody::Top(_, top)) if top == Top { bid, ask, valid }), "{seq}");
    }
}

#[test]
fn after_an_interruption_bars_are_handed_out_once_they_are_known_to_be_whole() {
    const S: u64 = 1_000_000_000;
    let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one instrument");
    // Ids of a second each, and interruptions: in the first nothing is lost, in the second something.
    let story = [1, 2, 3, 0, 4, 5, 0, 9, 10, 11, 12];
    let made = |incomplete_bars, sourcing: Sourcing, aggregate| {
        let settings = settings(incomplete_bars);
        let (to, mut messages) = lane("test", 64, 4, &Stop::new());
        let stage = MarketStage::new(&table, &[true], &[], settings, to).expect("no requests");
        let mut stage = stage.with_sourcing(&table, &[sourcing]);
        let books = BookKeeper::new(table.all(), |_| false);
        for (seq, id) in (1..).zip(story) {
            let (instrument, at) = (InstrumentId(0), Time(seq * S));
            let mut slot = match id {
                0 => Slot::interrupted(instrument),
                id => Slot::trade(&Trade {
                    instrument,
                    price: Price(5),
                    qty: crate::domain::Qty(1),
                    id,
                    venue_time: at,
                    aggressor: Side::Buy,
                    aggregate,
                }),
            };
            slot.stamp(at, 0, 0);
            // Time closes a bar as soon as it is over.
            stage.on_slot(seq, &slot, &books);
        }
        let mut starts = Vec::new();
        while let Some(message) = messages.pop() {
            if let MarketBody::Bar(bar) = message.body {
                starts.push(bar.start.0 / S);
            }
        }
        let counts = stage.book_counts(&books)[0];
        (starts, counts.incomplete_bars, counts.missing_trades)
    };
    let (withhold, give) = (IncompleteBars::Withhold, IncompleteBars::Give);
    // The bar of 8 s is the first after ids that were lost.
    let known = Sourcing { known_from: Some(Time(0)), ..Sourcing::default() };
    assert_eq!(made(withhold, Sourcing::default(), false), (vec![2, 3, 5, 6, 9, 10], 2, 0));
    assert_eq!(made(withhold, known, false), (vec![1, 2, 3, 5, 6, 9, 10], 1, 0));
    assert_eq!(made(give, Sourcing::default(), false), (vec![1, 2, 3, 5, 6, 8, 9, 10], 2, 0));
    let aggregates = Sourcing { aggregates: true, ..Sourcing::default() };
    assert_eq!(made(withhold, aggregates, true), (vec![2, 3, 5, 6, 9, 10], 2, 0));
}

#[test]
fn a_trade_that_cannot_be_read_is_missing_where_its_kind_counts_and_where_a_journal_does_not_say() {
    const S: u64 = 1_000_000_000;
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let instrument = InstrumentId(0);
    for (aggregates, unread, incomplete) in [
        (false, Some(false), 1),
        (false, Some(true), 0),
        (true, Some(true), 1),
        (true, Some(false), 0),
        (false, None, 1),
        (true, None, 1),
    ] {
        let (to, _messages) = lane("test", 64, 4, &Stop::new());
        let stage = MarketStage::new(&table, &[true], &[], settings(IncompleteBars::Withhold), to);
        let known_from = Some(Time(0));
        let sourcing = Sourcing { aggregates, known_from, ..Sourcing::default() };
        let mut stage = stage.expect("no requests").with_sourcing(&table, &[sourcing]);
        let books = BookKeeper::new(table.all(), |_| false);
        let trade = Trade {
            instrument,
            price: Price(5),
            qty: crate::domain::Qty(1),
            id: 1,
            venue_time: Time(S),
            aggressor: Side::Buy,
            aggregate: aggregates,
        };
        let unread = Slot::trade_unread(&TradeUnread { instrument, aggregate: unread });
        // Silence closes the bar.
        for (at, mut slot) in [(S, Slot::trade(&trade)), (S, unread), (4 * S, Slot::clock())] {
            slot.stamp(Time(at), 0, 0);
            stage.on_slot(at, &slot, &books);
        }
        let counts = stage.book_counts(&books)[0];
        let expected = (1 - incomplete, incomplete);
        assert_eq!((counts.bars, counts.incomplete_bars), expected, "{aggregates} {unread:?}");
    }
}

#[test]
fn bars_that_were_asked_for_fill_what_was_missed_in_order_and_never_twice() {
    const S: u64 = 1_000_000_000;
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let settings = settings(IncompleteBars::Withhold);
    let requests = [IndicatorRequest::new(InstrumentId(0), "sma", &[3]).expect("a request")];
    let (to, mut messages) = lane("test", 64, 8, &Stop::new());
    let (told, missed) = crossbeam_channel::unbounded();
    let stage = MarketStage::new(&table, &[true], &requests, settings, to).expect("good requests");
    let mut stage = stage.with_bar_news(told);
    let books = BookKeeper::new(table.all(), |_| false);
    let mut seq = 0;
    let mut see = |stage: &mut MarketStage, at: u64, slots: &mut [Slot]| {
        seq += 1;
        for slot in slots {
            if slot.kind() != Kind::KlineTail {
                slot.stamp(Time(at * S), 0, 0);
            }
            stage.on_slot(seq, slot, &books);
        }
        let mut seen = Vec::new();
        while let Some(message) = messages.pop() {
            match message.body {
                MarketBody::Bar(bar) => seen.push(('b', bar.start.0 / S, bar.close.0)),
                MarketBody::PastBar(bar) => seen.push(('p', bar.start.0 / S, bar.close.0)),
                MarketBody::Value { values, .. } => seen.push(('v', 0, values[0] as i64)),
                _ => {}
            }
        }
        seen
    };
    let asked = |start: u64, close: i64, origin| {
        Slot::kline(&Kline {
            instrument: InstrumentId(0),
            open: Price(close),
            high: Price(close),
            low: Price(close),
            close: Price(close),
            volume: crate::domain::Qty(1),
            open_time: Time(start * S),
            close_time: Time(start * S + 999_000_000),
            trades: 1,
            quote_volume: crate::domain::Notional(1),
            closed: true,
            origin,
        })
    };
    let trade = |at: u64, id: u64| {
        [Slot::trade(&Trade {
            instrument: InstrumentId(0),
            price: Price(100),
            qty: crate::domain::Qty(1),
            id,
            venue_time: Time(at * S),
            aggressor: Side::Buy,
            aggregate: false,
        })]
    };
    let unit = |close: i64| (close as f64 / 10f64.powi(i32::from(table.all()[0].price_decimals))) as i64;
    // What came of a stream is not asked for, and makes no bar.
    assert_eq!(see(&mut stage, 9, &mut asked(1, 100, BarOrigin::Told)), []);
    assert_eq!(see(&mut stage, 9, &mut asked(1, 100, BarOrigin::Past)), [('p', 1, 100)]);
    assert_eq!(see(&mut stage, 9, &mut asked(2, 100, BarOrigin::Past)), [('p', 2, 100)]);
    assert_eq!(see(&mut stage, 9, &mut asked(2, 100, BarOrigin::Past)), [], "it was there");
    assert_eq!(see(&mut stage, 10, &mut trade(10, 5)), []);
    assert_eq!(see(&mut stage, 10, &mut asked(10, 1, BarOrigin::Missed)), [], "it is under way");
    // The bar of 10 s was under way at the first trade: withheld, asked for, and as good as any then.
    assert_eq!(see(&mut stage, 11, &mut trade(11, 6)), []);
    let of = |start: u64, after: u64| {
        let (start, after) = (Time(start * S), Some(Time(after * S)));
        BarNews::Missed(MissedBar { instrument: InstrumentId(0), start, after })
    };
    assert_eq!(missed.try_iter().collect::<Vec<_>>(), [of(10, 2)]);
    let values = ('v', 0, unit(100));
    assert_eq!(see(&mut stage, 11, &mut asked(10, 100, BarOrigin::Missed)), [values, ('b', 10, 100)]);
    assert_eq!(see(&mut stage, 12, &mut trade(12, 7)), [values, ('b', 11, 100)]);
    // An id is missing: what comes after the next bar was handed out is too late.
    assert_eq!(see(&mut stage, 13, &mut trade(13, 9)), [values, ('b', 12, 100)]);
    assert_eq!(see(&mut stage, 14, &mut trade(14, 10)), []);
    assert_eq!(missed.try_iter().collect::<Vec<_>>(), [of(13, 12)]);
    assert_eq!(see(&mut stage, 15, &mut trade(15, 11)), [values, ('b', 14, 100)]);
    assert_eq!(see(&mut stage, 15, &mut asked(13, 100, BarOrigin::Missed)), [], "too late");
    let counts = stage.book_counts(&books)[0];
    assert_eq!((counts.bars, counts.incomplete_bars), (6, 2));
}

#[test]
fn the_first_bar_of_a_run_is_told_unless_one_was_handed_out_before_it() {
    const S: u64 = 1_000_000_000;
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let settings = settings(IncompleteBars::Withhold);
    let instrument = InstrumentId(0);
    let news = |past: &[u64]| {
        let (to, _messages) = lane("test", 64, 8, &Stop::new());
        let (told, heard) = crossbeam_channel::unbounded();
        let stage = MarketStage::new(&table, &[true], &[], settings, to).expect("no requests");
        let mut stage = stage.with_bar_news(told);
        let books = BookKeeper::new(table.all(), |_| false);
        for start in past {
            let bar = Kline {
                instrument,
                open: Price(1),
                high: Price(1),
                low: Price(1),
                close: Price(1),
                volume: crate::domain::Qty(1),
                open_time: Time(start * S),
                close_time: Time(start * S + 999_000_000),
                trades: 1,
                quote_volume: crate::domain::Notional(1),
                closed: true,
                origin: BarOrigin::Past,
            };
            Slot::kline(&bar).iter().for_each(|slot| stage.on_slot(0, slot, &books));
        }
        for at in 10..14 {
            let mut slot = Slot::trade(&Trade {
                instrument,
                price: Price(5),
                qty: crate::domain::Qty(1),
                id: at,
                venue_time: Time(at * S),
                aggressor: Side::Buy,
                aggregate: false,
            });
            slot.stamp(Time(at * S), 0, 0);
            stage.on_slot(at, &slot, &books);
        }
        heard.try_iter().collect::<Vec<_>>()
    };
    let missed = |after| BarNews::Missed(MissedBar { instrument, start: Time(10 * S), after });
    assert_eq!(news(&[]), [missed(None), BarNews::First(instrument)]);
    assert_eq!(news(&[8]), [missed(Some(Time(8 * S)))]);
}
