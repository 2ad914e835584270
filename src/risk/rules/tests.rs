//! Each rule at its limit, one unit under it and one over it; and all of them at once against each in turn.

use crate::domain::instrument::tests::sample;
use crate::domain::wallet::Need;
use crate::domain::{
    Binds, DenyReason, Extras, Instrument, InstrumentId, Level, Market, Measure, Notional, Order, OrderId,
    OrderKind, Price, Qty, Side, StrategyId, Subject, Time, TimeInForce,
};
use crate::market::Top;
use crate::risk::exposure::Sum;
use crate::risk::limits::{RiskLimits, SCALES, Scale, ScaleLimits};
use crate::risk::rates::{Counted, Pulse};
use crate::risk::rule::{Case, Judged, RULES, Refusal, RuleList, check_all};
use crate::risk::{Comparison, Heard, WatchedRules};
use crate::venue::binance::filters::{
    CountLimits, Filters, LotSize, Multiplier, NotionalRange, OpenCounts, PercentPrice, PriceFilter,
};

/// The touch, in the sample's units of a hundredth.
const BID: i64 = 5_999_990;
const ASK: i64 = 6_000_010;

/// What a case borrows from.
pub(in crate::risk) struct Sample {
    instrument: Instrument,
    filters: Filters,
    order: Order,
    top: Top,
    pub limits: RiskLimits,
    pub scopes: [Sum; SCALES],
    /// Orders that are open on the symbol, where a filter counts them.
    open: u32,
}

impl Sample {
    pub fn new() -> Self {
        let instrument = sample(Market::Spot, "BTCUSDT");
        let filters = Filters::from(&instrument);
        let order = Order {
            id: OrderId(1),
            strategy: StrategyId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(100),
            price: Price(6_000_000),
            extras: Extras::NONE,
        };
        let top = Top { bid: Level::new(BID, 10), ask: Level::new(ASK, 10), valid: true };
        let scopes = [Sum::default(); SCALES];
        Self { instrument, filters, order, top, limits: RiskLimits::NONE, scopes, open: 0 }
    }

    pub fn case(&self) -> Case<'_> {
        let mut case = Case {
            order: &self.order,
            instrument: &self.instrument,
            tradable: self.instrument.tradable(),
            of_bars: false,
            qty_decimals: self.instrument.qty_decimals,
            notional_decimals: self.instrument.notional_decimals(),
            top: &self.top,
            limits: &self.limits,
            now: NOW,
            position: Qty(0),
            open_buy: Qty(0),
            open_sell: Qty(0),
            open_orders: 0,
            leaving: Qty(0),
            own_opposite: None,
            filters: &self.filters,
            counts: OpenCounts::default(),
            exchange_counts: OpenCounts::default(),
            need: None,
            quote_left: None,
            halted: false,
            paused: false,
            suspended: false,
            killed: None,
            spared: false,
            restricted: false,
            closed: false,
            value: 0,
            scopes: [0, 1, 2, 3, 4].map(|scale| &self.scopes[scale]),
            levels: [0, 1, 2, 3, 4].map(|scale| &self.limits.scales[scale]),
            adds: Sum::default(),
            roomy: false,
            equity: 0,
            mark: Price(0),
            heard: NOW,
            clock_lag_ns: 0,
            recent_sizes: (0, 0),
            same_before: None,
            sent: Counted::default(),
            sent_all: Counted::default(),
            trades_today: 0,
            same_way: 0,
        };
        case.value = case.quote_units(case.reference_price().times(case.order.qty));
        case
    }
}

const NOW: Time = Time(1_000_000_000_000);

fn check(name: &str, case: &Case<'_>) -> Judged {
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap_or_else(|| panic!("no rule {name}"));
    (rule.check)(case)
}

/// One unit under the limit and at it an order passes; one unit over it is denied, and the refusal says by which rule,
/// what the limit is and what the order came to. `judged` says what the rule says of such a value.
fn at_its_limit(reason: DenyReason, limit: i64, judged: impl Fn(i64) -> Judged) {
    for value in [limit - 1, limit] {
        assert_eq!(judged(value), Ok(()), "{reason}: {value} of {limit}");
    }
    assert_eq!(judged(limit + 1), Err(Refusal { reason, limit, value: limit + 1, measure: None }));
}

/// The same where the rule is a number of the case against a number of the limits.
fn counted(
    rule: &str,
    reason: DenyReason,
    limits: impl Fn(&mut RiskLimits, i64),
    set: impl Fn(&mut Case<'_>, i64),
) {
    at_its_limit(reason, 1_000, |value| {
        let mut s = Sample::new();
        limits(&mut s.limits, 1_000);
        let mut case = s.case();
        set(&mut case, value);
        check(rule, &case)
    });
}

#[test]
fn what_an_order_is() {
    let priced = |rule: &'static str, side, limits: fn(&mut RiskLimits)| {
        move |price: i64| {
            let mut s = Sample::new();
            limits(&mut s.limits);
            (s.order.side, s.order.price) = (side, Price(price.abs()));
            let mut case = s.case();
            case.mark = Price(6_000_000);
            check(rule, &case)
        }
    };
    let book = |l: &mut RiskLimits| l.price_collar_bps = 50;
    at_its_limit(DenyReason::BadPrice, ASK + 30_000, priced("price", Side::Buy, book));
    at_its_limit(DenyReason::BadPrice, -(BID - 29_999), priced("price", Side::Sell, book));
    let mark = |l: &mut RiskLimits| l.mark_collar_bps = 100;
    at_its_limit(DenyReason::MarkCollar, 6_060_000, priced("mark-collar", Side::Buy, mark));
    at_its_limit(DenyReason::MarkCollar, -5_940_000, priced("mark-collar", Side::Sell, mark));
    at_its_limit(DenyReason::QuantityTooLarge, 25_000_000, |qty| {
        let mut s = Sample::new();
        (s.instrument.qty_decimals, s.limits.order_qty_max) = (8, 25_000_000);
        s.order.qty = Qty(qty);
        check("order-qty", &s.case())
    });
    let value = |c: &mut Case<'_>, value: i64| c.value = value.into();
    counted("order-size", DenyReason::OrderTooLarge, |l, n| l.order_notional_max = n, value);
    for (qty, passes) in [(99, true), (100, true), (101, false)] {
        let mut s = Sample::new();
        (s.order.qty, s.limits.fat_finger_multiple) = (Qty(qty), 10);
        let mut case = s.case();
        assert_eq!(check("fat-finger", &case), Ok(()), "nothing to compare with");
        case.recent_sizes = (80, 8);
        let refusal = Refusal { reason: DenyReason::FatFinger, limit: 800, value: qty * 8, measure: None };
        assert_eq!(check("fat-finger", &case), if passes { Ok(()) } else { Err(refusal) });
    }
    for (passed, passes) in [(999, false), (1_000, true), (1_001, true)] {
        let mut s = Sample::new();
        s.limits.duplicate_window_ns = 1_000;
        let mut case = s.case();
        case.same_before = Some(Time(NOW.0 - passed));
        let (reason, value) = (DenyReason::Duplicate, passed as i64);
        let refusal = Refusal { reason, limit: 1_000, value, measure: None };
        assert_eq!(check("duplicate", &case), if passes { Ok(()) } else { Err(refusal) });
    }
    for (asked, passes) in [(99, true), (100, true), (101, false)] {
        let mut s = Sample::new();
        (s.order.reduce_only, s.order.side, s.order.qty) = (true, Side::Sell, Qty(asked - 40));
        let mut case = s.case();
        (case.position, case.leaving) = (Qty(100), Qty(40));
        let refusal = Refusal { reason: DenyReason::NotReducing, limit: 100, value: asked, measure: None };
        assert_eq!(check("reduce-only", &case), if passes { Ok(()) } else { Err(refusal) });
    }
}

#[test]
fn what_the_market_and_the_clock_are() {
    counted(
        "stale-book",
        DenyReason::StaleBook,
        |l, n| l.book_age_max_ns = n as u64,
        |c, age| {
            c.heard = Time(NOW.0 - age as u64);
        },
    );
    counted(
        "stale-clock",
        DenyReason::StaleClock,
        |l, n| l.clock_lag_max_ns = n as u64,
        |c, lag| {
            c.clock_lag_ns = lag as u64;
        },
    );
    for (valid, bid, passes) in [(true, 1, true), (true, 0, false), (false, 1, false)] {
        let mut s = Sample::new();
        (s.top.valid, s.top.bid.qty) = (valid, Qty(bid));
        assert_eq!(check("book", &s.case()).is_ok(), passes);
    }
}

#[test]
fn what_is_held_and_open() {
    // 0.001 BTC at 60,000.00 is 60: the unit of the rule is a quantity here.
    for (side, position, passes) in
        [(Side::Buy, 99, true), (Side::Buy, 100, true), (Side::Buy, 101, false), (Side::Sell, -101, false)]
    {
        let mut s = Sample::new();
        s.limits.position_notional_max = 300 * 6_000_000_000;
        s.order.side = side;
        let mut case = s.case();
        (case.position, case.open_buy, case.open_sell) = (Qty(position), Qty(100), Qty(100));
        let (reason, limit) = (DenyReason::PositionLimit, 300 * 6_000_000_000);
        let refusal = Refusal { reason, limit, value: 301 * 6_000_000_000, measure: None };
        assert_eq!(check("position", &case), if passes { Ok(()) } else { Err(refusal) });
    }
    // Held for more than its limit since the market rose: 301 of 300.
    for (held, side, open, qty, worst) in [
        (301, Side::Sell, 0, 1, None),
        (301, Side::Sell, 100, 100, None),
        (-301, Side::Buy, 0, 1, None),
        (400, Side::Sell, 0, 50, None),
        (301, Side::Buy, 0, 1, Some(302)),
        (-301, Side::Sell, 0, 1, Some(302)),
        // Through nothing to the other side: no smaller position, but another.
        (301, Side::Sell, 0, 601, None),
        (301, Side::Sell, 0, 602, Some(301)),
        (400, Side::Sell, 300, 401, Some(301)),
        (-400, Side::Buy, 300, 401, Some(301)),
    ] {
        let mut s = Sample::new();
        s.limits.position_notional_max = 300 * 6_000_000_000;
        (s.order.side, s.order.qty) = (side, Qty(qty));
        let mut case = s.case();
        (case.position, case.open_buy, case.open_sell) = (Qty(held), Qty(open), Qty(open));
        let (reason, limit) = (DenyReason::PositionLimit, 300 * 6_000_000_000);
        let refusal = |worst: i64| Refusal { reason, limit, value: worst * 6_000_000_000, measure: None };
        let expected = worst.map_or(Ok(()), |worst| Err(refusal(worst)));
        assert_eq!(check("position", &case), expected, "{held}, {side} {qty} beside {open}");
    }
    counted(
        "open-orders",
        DenyReason::OpenOrders,
        |l, n| l.open_orders_max = n as u32,
        |c, n| {
            c.open_orders = n as u32 - 1;
        },
    );
    for (left, passes) in [(999, false), (1_000, true), (1_001, true)] {
        let mut s = Sample::new();
        s.limits.quote_free_min = 1_000;
        let mut case = s.case();
        assert_eq!(check("minimum-balance", &case), Ok(()), "what is not touched is not judged");
        case.quote_left = Some(left.into());
        let reason = DenyReason::MinimumBalance;
        let refusal = Refusal { reason, limit: 1_000, value: left, measure: None };
        assert_eq!(check("minimum-balance", &case), if passes { Ok(()) } else { Err(refusal) });
    }
    for (own, passes) in [(6_000_001, true), (6_000_000, false), (5_999_999, false)] {
        let s = Sample::new();
        let mut case = s.case();
        case.own_opposite = Some(Price(own));
        assert_eq!(check("self-trade", &case).is_ok(), passes);
        if !passes {
            let (reason, value) = (DenyReason::SelfTrade, 6_000_000);
            let refusal = Refusal { reason, limit: own, value, measure: None };
            assert_eq!(check("self-trade", &case), Err(refusal));
        }
    }
}

#[test]
fn what_is_free_pays_for_an_order_and_a_refusal_says_what_it_needs() {
    let reason = DenyReason::InsufficientBalance;
    for (side, subject) in [(Side::Buy, Subject::Cost), (Side::Sell, Subject::Sold)] {
        let measure = Some(Measure { subject, binds: Binds::AtMost });
        for (needed, free, unit, refused) in [
            (999, 1_000, 1, None),
            (1_000, 1_000, 1, None),
            (1_001, 1_000, 1, Some((1_001, 1_000))),
            // An asset of finer units than those that are told: what is not enough is told as less.
            (150, 150, 100, None),
            (151, 150, 100, Some((2, 1))),
            (200, 199, 100, Some((2, 1))),
            (1, 0, 100, Some((1, 0))),
            (1, -1, 100, Some((1, -1))),
        ] {
            let s = Sample::new();
            let mut case = s.case();
            assert_eq!(check("balance", &case), Ok(()), "what has no wallet is not judged");
            case.need = Some(Need { side, needed, free, unit });
            let refusal = refused.map(|(value, limit)| Refusal { reason, limit, value, measure });
            assert_eq!(check("balance", &case), refusal.map_or(Ok(()), Err), "{needed} of {free}");
            let mut watched = WatchedRules::of(case.order.id);
            let heard = watched.check(&case, false);
            assert_eq!(heard, refusal.map_or(Ok(()), Err));
            what_was_heard(watched.heard(), heard);
        }
    }
}

#[test]
fn what_a_filter_asks_and_what_the_order_has_are_told() {
    use Binds::{AtLeast, AtMost, MoreThan, MultipleOf};
    use DenyReason as R;
    use Subject as S;
    type Change = fn(&mut Sample);
    fn lot(s: &mut Sample) {
        s.filters.lot = Some(LotSize { min: Qty(20), max: Qty(5_000), step: Qty(5) });
    }
    fn price(s: &mut Sample) {
        let (min, max, tick) = (Price(100), Price(9_000_000), Price(10));
        s.filters.price = Some(PriceFilter { min, max, tick });
    }
    fn counts(s: &mut Sample) {
        s.filters.counts = CountLimits { orders: Some(7), algo: Some(2), iceberg: None, lists: None };
    }
    fn percent(s: &mut Sample) {
        let (up, down) = (Multiplier(110_000_000), Multiplier(90_000_000));
        s.filters.percent = Some(PercentPrice { up, down, minutes: 5 });
    }
    // Of a price of 2 decimals and a quantity of 3 the value has 5; a refusal has 8.
    fn value(s: &mut Sample) {
        let (min, max) = (Notional(500_000), Notional(1_000_000_000));
        s.filters.min_notional = None;
        s.filters.notional = Some(NotionalRange { min, min_market: true, max, max_market: true, minutes: 5 });
    }
    let cases: [(Change, Change, Option<Refusal>); 21] = [
        (lot, |s| s.order.qty = Qty(20), None),
        (lot, |s| s.order.qty = Qty(15), of(R::LotSize, S::Quantity, AtLeast, 20, 15)),
        (lot, |s| s.order.qty = Qty(0), of(R::LotSize, S::Quantity, MoreThan, 0, 0)),
        (lot, |s| s.order.qty = Qty(-5), of(R::LotSize, S::Quantity, MoreThan, 0, -5)),
        (lot, |s| s.order.qty = Qty(5_000), None),
        (lot, |s| s.order.qty = Qty(5_005), of(R::LotSize, S::Quantity, AtMost, 5_000, 5_005)),
        (lot, |s| s.order.qty = Qty(101), of(R::LotSize, S::Quantity, MultipleOf, 5, 101)),
        (price, |s| s.order.price = Price(100), None),
        (price, |s| s.order.price = Price(90), of(R::PriceFilter, S::Price, AtLeast, 100, 90)),
        (price, |s| s.order.price = Price(0), of(R::PriceFilter, S::Price, MoreThan, 0, 0)),
        (
            price,
            |s| s.order.price = Price(9_000_010),
            of(R::PriceFilter, S::Price, AtMost, 9_000_000, 9_000_010),
        ),
        (
            price,
            |s| s.order.price = Price(6_000_001),
            of(R::PriceFilter, S::Price, MultipleOf, 10, 6_000_001),
        ),
        (
            price,
            |s| {
                (s.order.kind, s.order.extras.stop_price) = (OrderKind::Stop, Price(6_000_003));
            },
            of(R::PriceFilter, S::StopPrice, MultipleOf, 10, 6_000_003),
        ),
        // 1.1 times the touch of a buy is 6,600,011.
        (percent, |s| s.order.price = Price(6_600_011), None),
        (
            percent,
            |s| s.order.price = Price(6_600_012),
            of(R::PercentPrice, S::Price, AtMost, 6_600_011, 6_600_012),
        ),
        (
            percent,
            |s| s.order.price = Price(5_400_008),
            of(R::PercentPrice, S::Price, AtLeast, 5_400_009, 5_400_008),
        ),
        (value, |s| (s.order.price, s.order.qty) = (Price(5_000), Qty(100)), None),
        (
            value,
            |s| (s.order.price, s.order.qty) = (Price(4_999), Qty(100)),
            of(R::Notional, S::Value, AtLeast, 500_000_000, 499_900_000),
        ),
        (
            value,
            |s| (s.order.price, s.order.qty) = (Price(10_000_001), Qty(100)),
            of(R::Notional, S::Value, AtMost, 1_000_000_000_000, 1_000_000_100_000),
        ),
        (counts, |s| s.open = 6, None),
        (counts, |s| s.open = 7, of(R::MaxNumOrders, S::OpenOrders, AtMost, 7, 8)),
    ];
    fn of(reason: R, subject: S, binds: Binds, limit: i64, value: i64) -> Option<Refusal> {
        Some(Refusal { reason, limit, value, measure: Some(Measure { subject, binds }) })
    }
    for (filter, order, refusal) in cases {
        let mut s = Sample::new();
        let (price_decimals, qty_decimals) = (s.filters.price_decimals, s.filters.qty_decimals);
        s.filters = Filters { price_decimals, qty_decimals, ..Filters::default() };
        filter(&mut s);
        order(&mut s);
        let mut case = s.case();
        case.counts.orders = s.open;
        assert_eq!(check("filters", &case), refusal.map_or(Ok(()), Err), "{:?}", s.order);
        let mut watched = WatchedRules::of(s.order.id);
        let heard = watched.check(&case, false);
        what_was_heard(watched.heard(), heard);
        if let Some(Refusal { reason, limit, value, measure }) = refusal {
            let last = watched.heard().last().and_then(|(_, compared)| compared.last().copied());
            assert_eq!(last, Some(Comparison { reason, limit, value, measure }));
        }
    }
}

#[test]
fn what_is_left_may_be_worth_too_little_at_a_futures_venue_and_not_at_a_spot_venue() {
    for (market, passes) in [(Market::UsdM, true), (Market::Spot, false)] {
        let mut s = Sample::new();
        s.instrument.market = market;
        (s.order.kind, s.order.reduce_only, s.order.side) = (OrderKind::Market, true, Side::Sell);
        s.filters.min_notional = None;
        let (min, max) = (Notional(i128::from(BID) * 100), Notional(i128::MAX));
        s.filters.notional = Some(NotionalRange { min, min_market: true, max, max_market: true, minutes: 5 });
        assert_eq!(check("filters", &s.case()), Ok(()), "it is worth as much as it has to be");
        s.order.qty = Qty(99);
        let judged = check("filters", &s.case());
        assert_eq!(
            judged.map_err(|refusal| refusal.reason),
            if passes { Ok(()) } else { Err(DenyReason::Notional) }
        );
        s.order.reduce_only = false;
        assert!(check("filters", &s.case()).is_err(), "it does not reduce");
    }
}

#[test]
fn a_value_of_more_decimals_than_are_told_does_not_look_as_if_it_were_kept() {
    for (found, bound, value, limit) in [
        // 10^-9 under, and over, a limit of 5.
        (4_999_999_999, Bound::AtLeast(5), 499_999_999, 500_000_000),
        (5_000_000_001, Bound::AtMost(5), 500_000_001, 500_000_000),
    ] {
        let mut s = Sample::new();
        (s.instrument.price_decimals, s.instrument.qty_decimals) = (6, 3);
        (s.filters.price_decimals, s.filters.qty_decimals) = (6, 3);
        let (mut min, mut max) = (Notional(0), Notional(i128::MAX));
        let binds = match bound {
            Bound::AtLeast(whole) => {
                min = Notional(whole * 1_000_000_000);
                Binds::AtLeast
            }
            Bound::AtMost(whole) => {
                max = Notional(whole * 1_000_000_000);
                Binds::AtMost
            }
        };
        (s.filters.price, s.filters.lot, s.filters.min_notional) = (None, None, None);
        s.filters.notional = Some(NotionalRange { min, min_market: true, max, max_market: true, minutes: 5 });
        (s.order.price, s.order.qty) = (Price(found), Qty(1));
        let measure = Some(Measure { subject: Subject::Value, binds });
        let refusal = Refusal { reason: DenyReason::Notional, limit, value, measure };
        assert_eq!(check("filters", &s.case()), Err(refusal));
    }
    enum Bound {
        AtLeast(i128),
        AtMost(i128),
    }
}

/// The limit of a level.
type SetLimit = fn(&mut ScaleLimits, i64);
/// A sum of a level, and what an order adds to it.
type SetSum = fn(&mut Sum, i128);

#[test]
fn every_exposure_at_every_level() {
    use DenyReason as R;
    type Metric = (&'static str, SetLimit, SetSum, i64, [Option<R>; SCALES]);
    let metrics: [Metric; 4] = [
        (
            "scale-long",
            |l, n| l.long_notional_max = n,
            |s, n| s.long = n,
            1,
            [R::InstrumentLong, R::StrategyLong, R::GroupLong, R::AccountLong, R::PortfolioLong].map(Some),
        ),
        (
            "scale-short",
            |l, n| l.short_notional_max = n,
            |s, n| s.short = n,
            1,
            [R::InstrumentShort, R::StrategyShort, R::GroupShort, R::AccountShort, R::PortfolioShort]
                .map(Some),
        ),
        (
            "scale-gross",
            |l, n| l.gross_notional_max = n,
            |s, n| s.gross = n,
            1,
            [R::InstrumentGross, R::StrategyGross, R::GroupGross, R::AccountGross, R::GrossExposure]
                .map(Some),
        ),
        (
            "scale-net",
            |l, n| l.net_notional_max = n,
            |s, n| s.up = n,
            1,
            [R::InstrumentNet, R::StrategyNet, R::GroupNet, R::AccountNet, R::PortfolioNet].map(Some),
        ),
    ];
    for (rule, limit, sum, unit, reasons) in metrics {
        for (scale, reason) in reasons.into_iter().enumerate() {
            let Some(reason) = reason else { continue };
            let judged = |value: i64, adds: i128| {
                let mut s = Sample::new();
                limit(&mut s.limits.scales[scale], 1_000);
                sum(&mut s.scopes[scale], i128::from(value) - adds);
                let mut case = s.case();
                sum(&mut case.adds, adds);
                check(rule, &case)
            };
            at_its_limit(reason, 1_000 * unit, |value| judged(value, 1));
            // The way out stays open: what adds nothing is not denied for what the market did.
            assert_eq!(judged(5_000, 0), Ok(()));
            assert_eq!(judged(5_000, -1), Ok(()));
        }
    }
    let mut s = Sample::new();
    s.limits.scales[Scale::Account as usize].net_notional_max = 1_000;
    s.scopes[Scale::Account as usize].down = -999;
    let mut case = s.case();
    case.adds.down = -1;
    assert_eq!(check("scale-net", &case), Ok(()));
    case.adds.down = -2;
    let reason = R::AccountNet;
    let refusal = Refusal { reason, limit: 1_000, value: 1_001, measure: None };
    assert_eq!(check("scale-net", &case), Err(refusal));
    at_its_limit(R::GrossExposure, 1_000, |value| {
        let mut s = Sample::new();
        s.limits.gross_notional_max = 1_000;
        s.scopes[Scale::Portfolio as usize].gross = i128::from(value) - 1;
        let mut case = s.case();
        case.adds.gross = 1;
        check("gross", &case)
    });
}

#[test]
fn leverage_concentration_and_open_orders_at_every_level() {
    use DenyReason as R;
    let leverage = [
        R::InstrumentLeverage,
        R::StrategyLeverage,
        R::GroupLeverage,
        R::AccountLeverage,
        R::PortfolioLeverage,
    ];
    for (scale, reason) in leverage.into_iter().enumerate() {
        at_its_limit(reason, 250, |value| {
            let mut s = Sample::new();
            s.limits.scales[scale].leverage_max = 250;
            s.scopes[scale].gross = i128::from(value) - 1;
            let mut case = s.case();
            (case.adds.gross, case.equity) = (1, 100);
            check("leverage", &case)
        });
        let mut s = Sample::new();
        s.limits.scales[scale].leverage_max = 250;
        let mut case = s.case();
        (case.adds.gross, case.equity) = (1, -5);
        assert!(check("leverage", &case).is_err(), "without equity nothing is added");
    }
    let share = [R::InstrumentShare, R::StrategyShare, R::GroupShare, R::AccountShare];
    for (scale, reason) in share.into_iter().enumerate() {
        let judged = |part: i64, from: i64| {
            let mut s = Sample::new();
            (s.limits.scales[scale].share_pct_max, s.limits.share_from) = (40, from);
            s.scopes[Scale::Portfolio as usize].gross = 99;
            s.scopes[scale].gross = i128::from(part) - 1;
            let mut case = s.case();
            case.adds.gross = 1;
            check("share", &case)
        };
        at_its_limit(reason, 40, |part| judged(part, 30));
        assert_eq!(judged(90, 90), Ok(()), "little is not judged");
        assert!(judged(91, 90).is_err());
    }
    let orders =
        [R::InstrumentOrders, R::StrategyOrders, R::GroupOrders, R::AccountOrders, R::PortfolioOrders];
    for (scale, reason) in orders.into_iter().enumerate() {
        at_its_limit(reason, 7, |orders| {
            let mut s = Sample::new();
            s.limits.scales[scale].open_orders_max = 7;
            s.scopes[scale].orders = orders as u32 - 1;
            check("scale-open-orders", &s.case())
        });
    }
}

#[test]
fn every_rate() {
    use DenyReason as R;
    let sent = |c: &mut Case<'_>, n: i64| c.sent.orders.second = n as u32 - 1;
    counted("order-rate", R::OrderRate, |l, n| l.orders_per_second_max = n as u32, sent);
    type Pick = fn(&mut Pulse) -> &mut u32;
    let picks: [Pick; 3] = [|p| &mut p.second, |p| &mut p.minute, |p| &mut p.day];
    let all = [
        [R::AllOrdersSecond, R::AllOrdersMinute, R::AllOrdersDay],
        [R::AllCancelsSecond, R::AllCancelsMinute, R::AllCancelsDay],
        [R::AllMessagesSecond, R::AllMessagesMinute, R::AllMessagesDay],
    ];
    let own = [
        [R::OrderRate, R::StrategyOrdersMinute, R::StrategyOrdersDay],
        [R::StrategyCancelsSecond, R::StrategyCancelsMinute, R::StrategyCancelsDay],
        [R::StrategyMessagesSecond, R::StrategyMessagesMinute, R::StrategyMessagesDay],
    ];
    for (whose, reasons) in [own, all].into_iter().enumerate() {
        for (kind, reasons) in reasons.into_iter().enumerate() {
            for (window, reason) in reasons.into_iter().enumerate() {
                at_its_limit(reason, 50, |count| {
                    let mut s = Sample::new();
                    let rates = if whose == 0 { &mut s.limits.strategy_rates } else { &mut s.limits.rates };
                    let pace = [&mut rates.orders, &mut rates.cancels, &mut rates.messages];
                    let [orders, cancels, messages] = pace;
                    let pace = [orders, cancels, messages].into_iter().nth(kind).expect("three");
                    *[&mut pace.second, &mut pace.minute, &mut pace.day][window] = 50;
                    let mut case = s.case();
                    let sent = if whose == 0 { &mut case.sent } else { &mut case.sent_all };
                    // A cancel is not of the order's own: it is there already.
                    let count = count as u32 - u32::from(kind != 1);
                    match kind {
                        0 => *picks[window](&mut sent.orders) = count,
                        1 => *picks[window](&mut sent.cancels) = count,
                        _ => {
                            *picks[window](&mut sent.orders) = count - 20;
                            *picks[window](&mut sent.cancels) = 20;
                        }
                    }
                    check(["order-rates", "cancel-rates", "message-rates"][kind], &case)
                });
            }
        }
    }
    at_its_limit(R::OrderToTrade, 40, |orders| {
        let mut s = Sample::new();
        (s.limits.order_to_trade_max, s.limits.order_to_trade_from) = (20, 10);
        let mut case = s.case();
        (case.sent.orders.day, case.trades_today) = (orders as u32 - 1, 2);
        check("order-to-trade", &case)
    });
    at_its_limit(R::SameWay, 3, |count| {
        let mut s = Sample::new();
        s.limits.same_way_max = 3;
        let mut case = s.case();
        case.same_way = count as u32 - 1;
        check("same-way", &case)
    });
}

#[test]
fn switches_and_lists() {
    let s = Sample::new();
    let of = |rule, change: fn(&mut Case<'_>)| {
        let mut case = s.case();
        change(&mut case);
        check(rule, &case)
    };
    assert_eq!(of("halt", |c| c.halted = true), Err(DenyReason::Halted.into()));
    assert_eq!(of("paused", |c| c.paused = true), Err(DenyReason::Paused.into()));
    assert_eq!(of("suspended", |c| c.suspended = true), Err(DenyReason::Suspended.into()));
    assert_eq!(of("restricted", |c| c.restricted = true), Err(DenyReason::Restricted.into()));
    assert_eq!(of("trading-hours", |c| c.closed = true), Err(DenyReason::TradingHours.into()));
    let killed = |c: &mut Case<'_>| c.killed = Some(DenyReason::Drawdown);
    assert_eq!(
        of("kill", killed),
        Err(DenyReason::Drawdown.into()),
        "it is denied for what threw the switch"
    );
    let mut reducing = Sample::new();
    (reducing.order.reduce_only, reducing.order.kind) = (true, OrderKind::Market);
    let mut case = reducing.case();
    case.killed = Some(DenyReason::Killed);
    assert_eq!(check("kill", &case), Ok(()), "what reduces at the market cannot rest");
    reducing.order.kind = OrderKind::Limit;
    let mut case = reducing.case();
    case.killed = Some(DenyReason::Killed);
    assert!(check("kill", &case).is_err(), "what could rest may not");
    case.spared = true;
    assert_eq!(check("kill", &case), Ok(()), "unless it protects what nothing closes");
    let mut unset = Sample::new();
    unset.limits.unset = true;
    assert_eq!(check_all(&unset.case(), false), Err(DenyReason::LimitUnset.into()));
    let mut inverse = Sample::new();
    inverse.instrument.market = Market::CoinM;
    assert_eq!(check("tradable", &inverse.case()).is_ok(), inverse.instrument.tradable());
}

/// Whatever was heard held, but what the refusal says, which is the last of it. None of these orders is denied by a rule
/// that asks for more than its limit.
fn what_was_heard(heard: &Heard, judged: Judged) {
    let compared = heard.iter().flat_map(|(_, compared)| compared);
    let broken: Vec<Comparison> = compared.filter(|c| c.value > c.limit).copied().collect();
    match judged {
        Err(Refusal { reason, limit, value, measure }) if value > limit => {
            assert_eq!(broken, [Comparison { reason, limit, value, measure }]);
            assert_eq!(heard.last().and_then(|(_, compared)| compared.last()), broken.last());
        }
        _ => assert_eq!(broken, [], "{judged:?}"),
    }
}

#[test]
fn all_at_once_is_each_rule_of_the_table_in_turn() {
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    let mut below = |n: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n) as i64
    };
    let mut seen = std::collections::BTreeMap::new();
    let mut s = Sample::new();
    s.limits.order_notional_max = 1_000_000_000_000;
    s.limits.position_notional_max = 2_000_000_000_000;
    s.limits.gross_notional_max = 3_000_000_000_000;
    (s.limits.open_orders_max, s.limits.orders_per_second_max) = (4, 5);
    (s.limits.price_collar_bps, s.limits.same_way_max) = (500, 9);
    s.limits.scales[Scale::Group as usize].net_notional_max = 1_500_000_000_000;
    for _ in 0..100_000 {
        s.order.side = if below(2) == 0 { Side::Buy } else { Side::Sell };
        s.order.qty = Qty([0, 1, 50, 100, 1_000, i64::MAX][below(6) as usize]);
        s.order.kind = OrderKind::from_code(below(3) as u8).unwrap_or(OrderKind::Limit);
        s.order.reduce_only = below(4) == 0;
        s.order.price = Price(6_000_000 + below(800_000) - 400_000);
        s.top.valid = below(20) > 0;
        s.scopes[Scale::Portfolio as usize].gross = below(3_500_000_000_000).into();
        s.scopes[Scale::Group as usize].up = below(2_000_000_000_000).into();
        let mut case = s.case();
        case.adds = Sum { gross: case.value, up: case.value, ..Sum::default() };
        case.position = Qty(below(2_001) - 1_000);
        (case.open_buy, case.open_sell, case.leaving) = (Qty(below(100)), Qty(below(100)), Qty(below(200)));
        case.open_orders = below(6) as u32;
        case.sent.orders.second = below(7) as u32;
        case.same_way = below(11) as u32;
        case.own_opposite = (below(4) == 0).then(|| Price(6_000_000 + below(100) - 50));
        let free = i128::from(below(20));
        case.need = Some(Need { side: s.order.side, needed: 1, free, unit: 1 });
        case.halted = below(20) == 0;
        case.killed = (below(20) == 0).then_some(DenyReason::Killed);
        case.closed = below(20) == 0;
        for reducing in [false, true] {
            let binding = RULES.iter().filter(|rule| !reducing || rule.binds_reducing);
            let in_turn = binding.map(|rule| (rule.check)(&case)).find(Result::is_err).unwrap_or(Ok(()));
            assert_eq!(check_all(&case, reducing), in_turn, "{case:?}");
            let mut watched = WatchedRules::of(case.order.id);
            assert_eq!(watched.check(&case, reducing), in_turn, "{case:?}");
            what_was_heard(watched.heard(), in_turn);
            let what = in_turn.map_or_else(|refusal| refusal.reason.label(), |()| "passes");
            *seen.entry(what).or_insert(0) += 1;
        }
    }
    assert!(seen.len() > 12 && seen.contains_key("passes"), "{seen:?}");
    assert_eq!(
        RULES.iter().map(|rule| rule.name).collect::<std::collections::BTreeSet<_>>().len(),
        RULES.len()
    );
}
