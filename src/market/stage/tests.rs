//! What the stage sends, slot by slot.

use super::*;
use crate::domain::Market;
use crate::domain::instrument::tests::sample;
use crate::pipeline::{Stop, lane};

#[test]
fn a_crossed_quote_is_not_to_be_traded_on() {
    let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
    let settings = MarketSettings {
        bar: BarSpec::default(),
        bar_grace_ns: 0,
        incomplete_bars: IncompleteBars::Withhold,
    };
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
        let settings = MarketSettings { bar: BarSpec::default(), bar_grace_ns: 0, incomplete_bars };
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
