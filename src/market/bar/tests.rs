//! Which trades are in which bar, and which bars are handed out.

use super::*;
use crate::domain::bars::WEEK_S;
use crate::domain::instrument::FeeRate;
use crate::domain::{Market, Notional, Price, Qty, Side};

const S: u64 = NANOS_PER_S;

fn instrument(price_decimals: u8, qty_decimals: u8) -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        price_decimals,
        qty_decimals,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(0),
        maker_fee: FeeRate(0),
        taker_fee: FeeRate(0),
    }
}

fn bars(spec: BarSpec) -> BarBuilder {
    BarBuilder::new(&instrument(2, 3), spec, S / 10)
}

fn trade(at: u64, price: i64, qty: i64) -> Trade {
    Trade {
        instrument: InstrumentId(0),
        price: Price(price),
        qty: Qty(qty),
        id: 0,
        venue_time: Time(at),
        aggressor: Side::Buy,
        aggregate: false,
    }
}

/// A trade that is there the moment it is made, by clocks that agree.
fn take(bars: &mut BarBuilder, trade: Trade) -> Option<Bar> {
    bars.on_trade(&trade, trade.venue_time)
}

#[test]
fn silence_is_measured_from_the_last_trade_where_the_hosts_clock_is_ahead() {
    // The host's clock is ahead by an hour, right, or behind by 50 s; a trade takes 3 s to come.
    for host in [3_600 * S, 0, 0u64.wrapping_sub(50 * S)] {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        let (base, local) = (7_200 * S, |at: u64| Time(at.wrapping_add(host).wrapping_add(3 * S)));
        for at in [110, 150, 199] {
            let at = base + at * S;
            assert_eq!(bars.on_time(local(at)), None);
            assert_eq!(bars.on_trade(&trade(at, 5, 1), local(at)), None);
        }
        // By the host's clock too it is over.
        let end = local(base + 200 * S + S / 10).max(Time(base + 200 * S + S / 10));
        assert_eq!((bars.closes_at(), bars.on_time(Time(end.0 - 1))), (Some(end), None));
        assert_eq!((bars.on_time(end).map(|bar| bar.trades), bars.late()), (Some(3), 0));
    }
}

#[test]
fn a_bar_holds_its_trades_and_closes_on_the_next_ones_trade() {
    let mut bars = bars(BarSpec::Time { seconds: 100 });
    assert_eq!(take(&mut bars, trade(110 * S, 5, 1)), None);
    assert_eq!(take(&mut bars, trade(150 * S, 9, 2)), None);
    assert_eq!(take(&mut bars, trade(200 * S - 1, 3, 3)), None);
    let bar = take(&mut bars, trade(200 * S, 4, 1)).expect("the bar of 100 to 200 closes");
    assert_eq!((bar.start, bar.open.0, bar.high.0, bar.low.0, bar.close.0), (Time(100 * S), 5, 9, 3, 3));
    assert_eq!((bar.volume.0, bar.trades), (6, 3));
}

#[test]
fn silence_closes_a_bar_after_its_grace_and_a_late_trade_is_counted() {
    let mut bars = bars(BarSpec::Time { seconds: 100 });
    take(&mut bars, trade(110 * S, 5, 1));
    assert_eq!(bars.on_time(Time(200 * S + S / 10 - 1)), None);
    // Within the grace a late trade is still in its bar.
    assert_eq!(bars.on_trade(&trade(190 * S, 6, 1), Time(200 * S + S / 20)), None);
    assert_eq!(bars.on_time(Time(210 * S + S / 10)), None, "the venue is late, and not silent");
    let bar = bars.on_time(Time(210 * S + 3 * S / 20)).expect("it closes");
    assert_eq!((bar.trades, bar.close.0), (2, 6));
    assert_eq!(take(&mut bars, trade(190 * S, 5, 1)), None);
    assert_eq!(bars.late(), 1);
    assert_eq!(bars.closes_at(), None);
}

#[test]
fn a_bar_opens_and_closes_with_its_first_and_last_trade_in_whatever_order_they_come() {
    for spec in [BarSpec::Time { seconds: 100 }, BarSpec::Tick(4)] {
        let mut bars = bars(spec);
        let closed: Vec<Bar> = [(12, 5), (14, 9), (11, 4), (13, 7), (15, 8)]
            .into_iter()
            .filter_map(|(id, price)| {
                let at = if id == 15 { 200 * S } else { (100 + id) * S };
                take(&mut bars, Trade { id, ..trade(at, price, 1) })
            })
            .collect();
        let prices = |bar: &Bar| (bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.trades);
        assert_eq!(closed.iter().map(prices).collect::<Vec<_>>(), [(4, 9, 4, 9, 4)]);
    }
}

#[test]
fn a_trade_of_a_bar_that_was_never_made_is_late_too() {
    let mut bars = bars(BarSpec::Time { seconds: 100 });
    take(&mut bars, trade(110 * S, 5, 1));
    assert!(take(&mut bars, trade(310 * S, 7, 1)).is_some());
    // Of 200 to 300, which had no trade: it is not one of 300 to 400.
    assert_eq!(take(&mut bars, trade(299 * S, 1, 1)), None);
    assert_eq!(bars.late(), 1);
    let bar = take(&mut bars, trade(400 * S, 8, 1)).expect("the bar of 300 to 400 closes");
    assert_eq!((bar.trades, bar.low.0), (1, 7));
}

#[test]
fn a_trade_dated_in_the_future_does_not_end_the_bars_that_follow() {
    let mut bars = bars(BarSpec::Time { seconds: 100 });
    take(&mut bars, trade(110 * S, 5, 1));
    assert_eq!(bars.on_trade(&trade(180 * S, 9, 1), Time(120 * S - 1)), None);
    assert_eq!((bars.on_trade(&trade(u64::MAX, 9, 1), Time(120 * S)), bars.ahead()), (None, 2));
    assert_eq!(bars.on_trade(&trade(180 * S, 6, 1), Time(120 * S)), None, "a minute may be");
    assert_eq!((take(&mut bars, trade(200 * S, 7, 1)), bars.incomplete()), (None, 1), "they may be its own");
    let bar = take(&mut bars, trade(300 * S, 8, 1)).expect("it closes");
    assert_eq!((bar.trades, bar.close.0, bars.ahead(), bars.late()), (1, 7, 2, 0));
}

#[test]
fn bars_are_made_where_the_hosts_clock_is_far_behind_or_is_set() {
    for behind in [300 * S, 10 * 86_400 * S] {
        let mut bars = bars(BarSpec::Time { seconds: 100 });
        let (base, mut made) = (20 * 86_400 * S, Vec::new());
        for n in 0..400 {
            let at = base + n * S;
            // Once the venue's first four minutes are over the host's clock is put right.
            let host = if n < 240 { at - behind } else { at };
            assert_eq!(bars.on_time(Time(host)), None, "{n}");
            made.extend(bars.on_trade(&trade(at, 5, 1), Time(host)));
        }
        let made: Vec<_> = made.iter().map(|bar| ((bar.start.0 - base) / S, bar.trades)).collect();
        // What came in the first second was not believed yet, and the first bar may lack it.
        assert_eq!((made, bars.ahead(), bars.late()), (vec![(100, 100), (200, 100)], 1, 0));
        assert_eq!(bars.incomplete(), 1);
    }
}

/// Trades of these ids, one a second from 100 s on; an interruption where the id is zero. Gives the starts of the bars that
/// are handed out, and how many were incomplete.
fn whole(mut bars: BarBuilder, ids: &[u64]) -> (Vec<u64>, u64) {
    let mut made = Vec::new();
    for (at, id) in (100..).zip(ids) {
        match id {
            0 => bars.interrupted(),
            id => made.extend(take(&mut bars, Trade { id: *id, ..trade(at * S, 5, 1) })),
        }
        made.extend(bars.on_time(Time(at * S)));
    }
    (made.iter().map(|bar| bar.start.0 / S).collect(), bars.incomplete())
}

#[test]
fn a_time_bar_that_may_lack_trades_is_counted_and_not_handed_out() {
    let ten = |dense| bars(BarSpec::Time { seconds: 10 }).of_trades(None, dense);
    let ids = |all: &[std::ops::RangeInclusive<u64>]| all.iter().cloned().flatten().collect::<Vec<_>>();
    // Bars of 100, 110, 120 s, ...; what was traded before the first trade nobody knows.
    assert_eq!(whole(ten(true), &ids(&[1..=41])), (vec![110, 120, 130], 1));
    assert_eq!(whole(ten(true).of_trades(Some(Time(100 * S)), true), &ids(&[1..=21])), (vec![100, 110], 0));
    assert_eq!(whole(ten(true).of_trades(Some(Time(101 * S)), true), &ids(&[1..=21])), (vec![110], 1));
    // Ids passed over within 120 s, and right at 130 s.
    assert_eq!(whole(ten(true), &ids(&[1..=25, 27..=52])), (vec![110, 130, 140], 2));
    assert_eq!(whole(ten(true), &ids(&[1..=30, 32..=52])), (vec![110, 140], 3));
    assert_eq!(whole(ten(false), &ids(&[1..=25, 27..=52])), (vec![110, 120, 130, 140], 1), "say nothing");
    // Overtaken, and there in the end.
    let mut overtaken = ids(&[1..=41]);
    overtaken.swap(24, 26);
    assert_eq!(whole(ten(true), &overtaken), (vec![110, 120, 130], 1));
    for dense in [true, false] {
        // An interruption in 120 s in which nothing was lost, and one in which something was.
        assert_eq!(whole(ten(dense), &ids(&[1..=24, 0..=0, 25..=40])), (vec![110, 120, 130], 1));
        assert_eq!(whole(ten(dense), &ids(&[1..=24, 0..=0, 26..=41])), (vec![110, 130], 2));
        // One that takes the rest of 120 s and the beginning of 130 s.
        let long = ids(&[1..=24]).into_iter().chain([0; 10]).chain(30..=46).collect::<Vec<_>>();
        assert_eq!(whole(ten(dense), &long), (vec![110, 140], 3));
    }
    let given = |bars: BarBuilder| bars.with_incomplete(IncompleteBars::Give);
    assert_eq!(whole(given(ten(true)), &ids(&[1..=25, 27..=42])), (vec![100, 110, 120, 130], 2));
}

#[test]
fn a_bar_that_silence_closes_while_the_data_is_interrupted_is_incomplete() {
    let mut bars = bars(BarSpec::Time { seconds: 100 });
    bars.on_trade(&Trade { id: 1, ..trade(110 * S, 5, 1) }, Time(110 * S));
    bars.interrupted();
    assert_eq!((bars.on_time(Time(300 * S)), bars.incomplete()), (None, 1));
}

#[test]
fn a_bar_that_may_lack_a_trade_that_could_not_be_read_is_incomplete() {
    let ten = |dense| bars(BarSpec::Time { seconds: 10 }).of_trades(Some(Time(0)), dense);
    // Trades of these seconds and ids; without an id they cannot be read. Bars handed out, and how many were not.
    let made = |mut bars: BarBuilder, story: &[(u64, u64)]| {
        let mut starts = Vec::new();
        for (at, id) in story {
            starts.extend(bars.on_time(Time(at * S)));
            match id {
                0 => bars.unread(),
                id => starts.extend(take(&mut bars, Trade { id: *id, ..trade(at * S, 5, 1) })),
            }
        }
        (starts.iter().map(|bar| bar.start.0 / S).collect::<Vec<_>>(), bars.incomplete())
    };
    for dense in [true, false] {
        let within = [(101, 1), (102, 0), (103, 3), (111, 4), (121, 5)];
        assert_eq!(made(ten(dense), &within), (vec![110], 1), "{dense}");
        let between = [(101, 1), (109, 0), (111, 3), (121, 4), (131, 5)];
        assert_eq!(made(ten(dense), &between), (vec![120], 2), "{dense}: of which nobody knows");
        let came = [(101, 1), (102, 0), (103, 2), (104, 3), (111, 4)];
        assert_eq!(made(ten(dense), &came), (vec![100], 0), "{dense}: over another connection");
        // 2 or 3, which overtook it: silence closes the bar before that is known.
        let either = [(101, 1), (102, 0), (103, 2), (111, 3), (121, 4)];
        assert_eq!(made(ten(dense), &either), (vec![110], 1), "{dense}");
        let again = [(101, 1), (102, 0), (103, 1), (111, 2), (121, 3)];
        assert_eq!(made(ten(dense), &again), (vec![110], 1), "{dense}: of before it");
        let silence = [(101, 1), (102, 0), (115, 3), (121, 4), (131, 5)];
        assert_eq!(made(ten(dense), &silence), (vec![120], 2), "{dense}");
    }
}

#[test]
fn a_bar_of_amounts_begins_anew_after_a_loss_and_is_not_handed_out_with_a_trade_missing() {
    let five = |dense| bars(BarSpec::Tick(5)).of_trades(None, dense);
    let ids = |all: &[std::ops::RangeInclusive<u64>]| all.iter().cloned().flatten().collect::<Vec<_>>();
    assert_eq!(whole(five(true), &ids(&[1..=11])), (vec![100, 105], 0), "it begins where the first trade is");
    // Three trades of the second bar, a loss, and five of another.
    assert_eq!(whole(five(true), &ids(&[1..=8, 0..=0, 20..=24])), (vec![100, 109], 1));
    assert_eq!(
        whole(five(true), &ids(&[1..=8, 0..=0, 9..=15])),
        (vec![100, 105, 111], 0),
        "nothing was lost"
    );
    assert_eq!(whole(five(true), &ids(&[1..=7, 9..=16])), (vec![100, 110], 1));
    assert_eq!(whole(five(true), &ids(&[1..=5, 9..=13])), (vec![100, 105], 0), "missing between two bars");
    let given = five(true).with_incomplete(IncompleteBars::Give);
    assert_eq!(whole(given, &ids(&[1..=8, 0..=0, 20..=24])), (vec![100, 105], 1));
}

#[test]
fn a_trade_that_comes_again_is_in_no_bar() {
    let amount = 3 * 100_000;
    let specs =
        [BarSpec::Time { seconds: 3 }, BarSpec::Tick(3), BarSpec::Volume(amount), BarSpec::Dollar(5_000)];
    for spec in specs {
        let made = |ids: &[u64]| {
            let mut bars = bars(spec).of_trades(Some(Time(0)), true);
            let at = |id: u64| Trade { id, ..trade((100 + id) * S, 5, 1) };
            let made: Vec<_> = ids.iter().filter_map(|id| take(&mut bars, at(*id))).collect();
            (made, bars.repeated(), bars.late())
        };
        let ids: Vec<u64> = (1..=20).collect();
        let mut doubled = ids.clone();
        doubled.splice(7..7, [7, 7, 4, 6]);
        assert!(made(&ids).0.len() > 2, "{spec}");
        assert_eq!(made(&doubled), (made(&ids).0, 4, 0), "{spec}");
    }
    // One that comes again is not one that is missing.
    let ten = bars(BarSpec::Time { seconds: 10 }).of_trades(None, true);
    let ids: Vec<u64> = (1..=25).chain([25]).chain(27..=41).collect();
    assert_eq!(whole(ten, &ids), (vec![110, 130], 2));
}

#[test]
fn one_odd_id_drops_no_bar_and_a_gap_however_long_does() {
    let ten = || bars(BarSpec::Time { seconds: 10 }).of_trades(None, true);
    let five = || bars(BarSpec::Tick(5)).of_trades(None, true);
    for odd in [1, 9_000_000_000] {
        // Within 120 s, and right at the end of 120 s.
        for at in [24, 29] {
            let ids: Vec<u64> = (1_001..=1_000 + at).chain([odd]).chain(1_001 + at..=1_040).collect();
            assert_eq!(whole(ten(), &ids), (vec![110, 120, 130], 1), "{odd} {at}");
        }
        let ids: Vec<u64> = (1_001..=1_022).chain([odd]).chain(1_023..=1_040).collect();
        assert_eq!(whole(five(), &ids), ((100..140).step_by(5).collect(), 0), "{odd}");
        // It is the first of a bar: whether the one before lacks something was not known when that closed.
        let ids: Vec<u64> = (1_001..=1_030).chain([odd]).chain(1_031..=1_050).collect();
        assert_eq!(whole(ten(), &ids), (vec![110, 130, 140], 2), "{odd}");
    }
    let ids = |first: u64| (1..=first).chain(5_000..=5_022).collect::<Vec<_>>();
    assert_eq!(whole(ten(), &ids(24)), (vec![110, 130], 2));
    assert_eq!(whole(ten(), &ids(30)), (vec![110, 140], 3));
    assert_eq!(whole(five(), &ids(23)).1, 1);
    // The odd one is the last or the first of its bar by when it came.
    let mut bars = bars(BarSpec::Time { seconds: 10 }).of_trades(Some(Time(0)), true);
    let of = |(at, id, price): (u64, u64, i64)| Trade { id, ..trade(at * S, price, 1) };
    let story = [
        (11, 501, 4),
        (12, 9_000_000_000, 7),
        (13, 502, 5),
        (21, 503, 1),
        (22, 1, 2),
        (23, 504, 3),
        (31, 505, 9),
    ];
    let made: Vec<_> = story.into_iter().filter_map(|t| take(&mut bars, of(t))).collect();
    assert_eq!(
        made.iter().map(|bar| (bar.open.0, bar.close.0, bar.trades)).collect::<Vec<_>>(),
        [(4, 5, 3), (1, 3, 3)]
    );
}

#[test]
fn weeks_begin_on_monday() {
    let mut bars = bars(BarSpec::Time { seconds: WEEK_S });
    // 2024-08-08 was a Thursday; its week began on 2024-08-05.
    take(&mut bars, trade(1_723_075_200 * S, 5, 1));
    let bar = take(&mut bars, trade(1_723_420_800 * S, 6, 1)).expect("2024-08-12 is another week");
    assert_eq!(bar.start, Time(1_722_816_000 * S));
}

#[test]
fn a_trade_is_never_split_and_a_bar_closes_with_the_trade_that_fills_it() {
    // Volume 5 in thousandths; a trade of 12.
    let mut bars = bars(BarSpec::Volume(5 * 100_000_000));
    assert_eq!(take(&mut bars, trade(1, 10, 4_999)), None);
    let bar = take(&mut bars, trade(2, 11, 12_000)).expect("filled, and more");
    assert_eq!((bar.volume.0, bar.trades, bar.start), (16_999, 2, Time(1)));
    assert_eq!(take(&mut bars, trade(3, 12, 4_999)), None, "nothing is carried over");
    assert_eq!(take(&mut bars, trade(4, 12, 1)).map(|bar| bar.volume.0), Some(5_000), "exactly full");
    let large = take(&mut bars, trade(5, 9, 500_000)).expect("one trade, one bar");
    assert_eq!((large.trades, large.volume.0), (1, 500_000));
    assert_eq!((bars.closes_at(), bars.on_time(Time(u64::MAX)), bars.late()), (None, None, 0));
}

#[test]
fn amounts_finer_than_an_instrument_prints_are_reached_by_its_next_unit() {
    // 0.0005 of a base that is printed with three decimals: 0.001 reaches it, nothing below can be traded.
    assert_eq!((target(50_000, 3), target(100_000, 3), target(100_001, 3)), (1, 1, 2));
    assert_eq!((target(100_000_000, 0), target(1, 8), target(1, 16)), (1, 1, 100_000_000));
    assert_eq!(target(i64::MAX, 36), i128::MAX, "never, rather than at once");
}
