use super::*;
use crate::domain::{Binds, Subject, VenueId};

#[test]
fn every_kind_reads_back_what_was_written() {
    let instrument = InstrumentId(513);
    let trade = Trade {
        instrument,
        price: Price(-5),
        qty: Qty(i64::MAX),
        id: 9,
        venue_time: Time(7),
        aggressor: Side::Sell,
        aggregate: true,
    };
    assert_eq!(Slot::trade(&trade).event(), Event::Trade(trade));
    let quote = Quote { instrument, bid: Level::new(1, 2), ask: Level::new(3, 4), update_id: u64::MAX };
    assert_eq!(Slot::quote(&quote).event(), Event::Quote(quote));
    let head = DepthHead {
        instrument,
        first_id: 1,
        last_id: 2,
        prev_id: 3,
        venue_time: Time(4),
        bids: 5_000,
        asks: 7,
    };
    assert_eq!(Slot::depth(Kind::DepthSnapshot, &head).event(), Event::DepthSnapshot(head));
    assert_eq!(head.slots(), 1 + 1_669);
    let kline = Kline {
        instrument,
        open: Price(1),
        high: Price(2),
        low: Price(3),
        close: Price(4),
        volume: Qty(5),
        open_time: Time(6),
        close_time: Time(7),
        trades: 8,
        quote_volume: Notional(-9),
        closed: true,
        origin: BarOrigin::Told,
    };
    let [first, tail] = Slot::kline(&kline);
    let Event::Kline(read) = first.event() else { panic!("a kline was written") };
    assert_eq!(read.with_tail(&tail), kline);
    let report = Report {
        instrument,
        order: OrderId(77),
        strategy: StrategyId(3),
        side: Side::Sell,
        kind: ReportKind::Fill,
        qty: Qty(5),
        price: Price(6),
        fee: -7,
        fee_asset: FeeAsset::Base,
        trade_id: 1 << 40,
        maker: true,
    };
    assert_eq!(Slot::report(&report).event(), Event::Report(report));
    let denial = Denial {
        instrument,
        order: OrderId(1),
        strategy: StrategyId(2),
        reason: DenyReason::SelfTrade,
        limit: i64::MAX,
        value: -7,
        measure: None,
    };
    assert_eq!(Slot::denial(&denial).event(), Event::Denial(denial));
    let measured = Measure { subject: Subject::Sold, binds: Binds::MoreThan };
    let denial = Denial { measure: Some(measured), ..denial };
    assert_eq!(Slot::denial(&denial).event(), Event::Denial(denial));
    let commands = [
        Command::Halt,
        Command::Resume,
        Command::Suspend(VenueId(255)),
        Command::Reopen(VenueId(0)),
        Command::Ration(VenueId(255)),
        Command::Unration(VenueId(0)),
    ];
    let paused = PausedBy::ALL.map(|by| Command::Pause(instrument, by));
    let unpaused = PausedBy::ALL.map(|by| Command::Unpause(instrument, by));
    let account = [
        (FeeAsset::Base, i128::MAX, true, 0),
        (FeeAsset::Quote, -1, false, 0),
        (FeeAsset::Base, 0, false, u64::MAX),
    ]
    .map(|(asset, amount, is_all, newest)| Account { instrument, asset, amount, is_all, newest })
    .map(Command::Account);
    for command in commands.into_iter().chain(paused).chain(unpaused).chain(account) {
        assert_eq!(Slot::command(command).event(), Event::Command(command));
    }
    let rules = Rules {
        instrument,
        tick: Price(1),
        lot: Qty(2),
        min_qty: Qty(3),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(5),
    };
    assert_eq!(Slot::rules(&rules).event(), Event::Rules(rules));
    let rules = MarketRules { instrument, min_qty: Qty(0), max_qty: Qty(i64::MAX), lot: Qty(7) };
    assert_eq!(Slot::market_rules(&rules).event(), Event::MarketRules(rules));
    assert_eq!(Slot::interrupted(instrument).event(), Event::Interrupted(instrument));
    for aggregate in [None, Some(false), Some(true)] {
        let unread = TradeUnread { instrument, aggregate };
        assert_eq!(Slot::trade_unread(&unread).event(), Event::TradeUnread(unread));
    }
}

#[test]
fn the_canonical_form_leaves_out_what_was_measured() {
    let mut a = Slot::clock();
    let mut b = Slot::clock();
    a.stamp(Time(5), 111, 3);
    b.stamp(Time(5), 222, 9);
    assert_eq!(a.canonical(), b.canonical());
    assert_eq!(Slot::from_canonical(&a.canonical()).time(), Time(5));
    let levels = [Level::new(1, 2), Level::new(3, 4)];
    let slot = Slot::levels(InstrumentId(1), &levels, true);
    assert_eq!(Slot::from_canonical(&slot.canonical()), slot);
    assert_eq!((slot.level(0), slot.level(1)), (levels[0], levels[1]));
    assert!(slot.is_last() && !slot.is_first());
}
