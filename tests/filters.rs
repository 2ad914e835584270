//! Filters are checked as exact fractions would check them, and what is fitted passes, asking for no more than before.

use algo_trader::domain::{Notional, Price, Qty, Side};
use algo_trader::venue::binance::exchange_info::account_filters;
use algo_trader::venue::binance::filters::{
    AccountState, FilterName, FitPolicy, MarketState, OffStep, OpenCounts, OrderType, Size, Terms,
    UnknownReference,
};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "support/filter_twin.rs"]
mod filter_twin;
use filter_twin::{Fraction, TextOrder, naive, rows, symbol, text};

/// Near the bounds more often than not, and on a step as often as off it.
fn near(bounds: &'static [i64], step: i64, most: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => (prop::sample::select(bounds), -2i64..=2).prop_map(move |(bound, by)| bound + by * step),
        2 => (prop::sample::select(bounds), -2i64..=2).prop_map(|(bound, by)| bound + by),
        3 => (0..=most / step).prop_map(move |n| n * step),
        1 => 0..=most,
    ]
}

const PRICES: &[i64] = &[0, 10_000, 5_000_000, 500_000, 600_000, 100_000, 2_500_000, 166_667, 400_000];
const QTYS: &[i64] = &[0, 600, 900_000, 600_000, 1_000_000, 100_000];

fn orders() -> impl Strategy<Value = TextOrder> {
    let known = |bounds| prop::option::weighted(0.8, near(bounds, 5_000, 6_000_000));
    (
        (any::<bool>(), prop::sample::select(&OrderType::ALL[..]), near(QTYS, 200, 1_100_000)),
        (near(PRICES, 5_000, 6_000_000), near(PRICES, 5_000, 6_000_000)),
        (prop::option::weighted(0.3, near(&[600, 60_000, 10_000], 200, 100_000)), prop::option::of(8u32..63)),
        (known(&[500_000]), known(&[500_000])),
        ((0u32..4, 0u32..3, 0u32..2), near(&[300_000, 0], 200, 1_300_000)),
    )
        .prop_map(
            |(
                (buy, kind, qty),
                (price, stop),
                (iceberg, delta),
                (average, last),
                ((orders, algo, iceberg_open), held),
            )| TextOrder {
                buy,
                kind,
                qty: text(qty.max(0), 5),
                price: text(price.max(0), 5),
                stop: text(stop.max(0), 5),
                iceberg: iceberg.filter(|qty| *qty > 0).map(|qty| text(qty, 5)),
                delta,
                average: average.map(|price| text(price.max(1), 5)),
                last: last.map(|price| text(price.max(1), 5)),
                open: OpenCounts { orders, algo, iceberg: iceberg_open, lists: 0 },
                held: text(held.max(0), 5),
            },
        )
}

/// Text to integers by way of the fraction.
fn units(text: &str, decimals: u8) -> i64 {
    let Fraction(value, unit) = Fraction::of(text);
    i64::try_from(value * 10i128.pow(decimals.into()) / unit).expect("small")
}

fn typed(order: &TextOrder) -> (Terms, MarketState, AccountState) {
    let price = |text: &String| Price(units(text, 5));
    let side = if order.buy { Side::Buy } else { Side::Sell };
    let terms = Terms {
        stop_price: Some(price(&order.stop)),
        trailing_delta: order.delta,
        iceberg_qty: order.iceberg.as_ref().map(|text| Qty(units(text, 5))),
        ..Terms::new(side, order.kind, Size::Base(Qty(units(&order.qty, 5))), Some(price(&order.price)))
    };
    let market = MarketState {
        reference: None,
        average: order.average.as_ref().map(price),
        last: order.last.as_ref().map(price),
    };
    let account = AccountState {
        symbol: order.open,
        base_held: units(&order.held, 5).into(),
        ..AccountState::default()
    };
    (terms, market, account)
}

fn base(terms: &Terms) -> i64 {
    match terms.size {
        Size::Base(qty) => qty.0,
        Size::Quote(value) => panic!("{value:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn checks_equal_exact_fractions(order in orders(), minutes in prop::sample::select(&[0u32, 5][..]), kept in any::<u16>()) {
        // Any subset of the filters, so that each is at times the one that decides.
        let rows: Vec<Value> =
            rows(minutes).into_iter().enumerate().filter(|(n, row)| row["filterType"] == "LOT_SIZE" || row["filterType"] == "PRICE_FILTER" || kept & (1 << n) != 0).map(|(_, row)| row).collect();
        let (terms, market, account) = typed(&order);
        let broken = naive(&rows, &order);
        let first = FilterName::ALL.iter().map(|filter| filter.name()).find(|name| broken.contains(name));
        let found = symbol(&rows, 5, 5).filters.check(&terms, &market, &account);
        prop_assert_eq!(found.err().map(|breach| breach.filter.name()), first, "all of {:?}: {:?}", broken, found);
    }

    #[test]
    fn what_is_fitted_passes_and_asks_for_no_more(order in orders(), round_price in any::<bool>(), round_qty in any::<bool>()) {
        let filters = symbol(&rows(5), 5, 5).filters;
        let (terms, market, account) = typed(&order);
        let how = |round| if round { OffStep::Round } else { OffStep::Refuse };
        let policy = FitPolicy { price: how(round_price), quantity: how(round_qty), ..FitPolicy::default() };
        let fits = filters.check(&terms, &market, &account).is_ok();
        match filters.fit(&terms, policy, &market, &account) {
            Ok(fitted) => {
                prop_assert_eq!(filters.check(&fitted, &market, &account), Ok(()));
                prop_assert_eq!(filters.fit(&fitted, policy, &market, &account), Ok(fitted), "once is enough");
                prop_assert!(!fits || fitted == Terms { stop_price: fitted.stop_price, price: fitted.price, ..terms }, "what was good is left alone");
                let (before, after) = (terms.price.expect("given").0, fitted.price.expect("kept").0);
                let (less, more) = if order.buy { (after, before) } else { (before, after) };
                prop_assert!(less <= more && more - less < 5_000, "no worse a price, by less than a tick");
                let cut = base(&terms) - base(&fitted);
                prop_assert!((0..600).contains(&cut), "no more of it, by less than a step");
                if !round_price { prop_assert_eq!(before, after); }
                if !round_qty { prop_assert_eq!(cut, 0); }
            }
            Err(breach) => {
                prop_assert!(!fits, "{breach}");
                prop_assert!(breach.to_string().starts_with(&breach.venue_text()));
            }
        }
    }
}

#[test]
fn a_stop_moves_to_where_the_same_trades_trigger_it() {
    let filters = symbol(&rows(0), 5, 5).filters;
    let fitted = |side, kind| {
        let mut terms = Terms::new(side, kind, Size::Base(Qty(200_000)), Some(Price(500_000)));
        terms.stop_price = Some(Price(502_000));
        let fitted =
            filters.fit(&terms, FitPolicy::default(), &MarketState::default(), &AccountState::default());
        fitted.expect("good").stop_price
    };
    // Trades happen at 500,000 and 505,000: only those at or beyond the stop may trigger.
    assert_eq!(fitted(Side::Sell, OrderType::StopLossLimit), Some(Price(500_000)), "falling to it");
    assert_eq!(fitted(Side::Buy, OrderType::StopLossLimit), Some(Price(505_000)), "rising to it");
    assert_eq!(fitted(Side::Sell, OrderType::TakeProfitLimit), Some(Price(505_000)));
    assert_eq!(fitted(Side::Buy, OrderType::TakeProfitLimit), Some(Price(500_000)));
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_would_not_be() {
    let filters = symbol(&rows(5), 5, 5).filters;
    let market = MarketState { average: Some(Price(500_000)), ..MarketState::default() };
    let said = |qty, price, policy| {
        let terms = Terms::new(Side::Buy, OrderType::Limit, Size::Base(Qty(qty)), Some(Price(price)));
        let refused = filters.fit(&terms, policy, &market, &AccountState::default());
        let breach = refused.expect_err("it is refused");
        (breach.code(), breach.to_string())
    };
    let strict = FitPolicy { price: OffStep::Refuse, quantity: OffStep::Refuse, ..FitPolicy::default() };
    let expect =
        |said: (i32, String), text: &str| assert_eq!(said, (-1013, format!("Filter failure: {text}")));
    expect(said(200_000, 500_001, strict), "PRICE_FILTER: price 5.00001 must be a multiple of 0.05");
    expect(said(200_100, 500_000, strict), "LOT_SIZE: quantity 2.001 must be a multiple of 0.002");
    expect(said(500, 500_000, FitPolicy::default()), "LOT_SIZE: quantity 0.004 must be at least 0.006");
    expect(said(199, 500_000, FitPolicy::default()), "LOT_SIZE: quantity 0 must be more than zero");
    expect(said(200_000, 605_000, strict), "PERCENT_PRICE_BY_SIDE: price 6.05 must be at most 6");
    expect(said(100_000, 499_999, FitPolicy::default()), "MIN_NOTIONAL: order value 4.95 must be at least 6");
}

#[test]
fn without_a_price_to_measure_from_an_order_passes_or_not_as_configured() {
    let filters = symbol(&rows(5), 5, 5).filters;
    let (nothing, account) = (MarketState::default(), AccountState::default());
    let strict = FitPolicy { unknown_reference: UnknownReference::Refuse, ..FitPolicy::default() };
    for (kind, filter) in [(OrderType::Limit, "PERCENT_PRICE"), (OrderType::Market, "NOTIONAL")] {
        let terms = Terms::new(Side::Sell, kind, Size::Base(Qty(200_400)), Some(Price(500_000)));
        assert!(filters.fit(&terms, FitPolicy::default(), &nothing, &account).is_ok());
        let refused = filters.fit(&terms, strict, &nothing, &account).expect_err("nothing is known");
        assert_eq!(refused.filter.name(), filter);
        let known = MarketState { reference: Some(Price(500_000)), ..nothing };
        assert!(filters.fit(&terms, strict, &known, &account).is_ok());
    }
}

#[test]
fn lists_amendments_exchange_counts_and_assets_are_bound_too() {
    let rows = [
        json!({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 4}),
        json!({"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 1}),
        json!({"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 2}),
    ];
    let symbol = symbol(&rows, 2, 3);
    let body = json!({
        "exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 9}],
        "symbolFilters": [],
        "assetFilters": [
            {"filterType": "MAX_ASSET", "asset": "AAA", "limit": "42.0"},
            {"filterType": "MAX_ASSET", "asset": "BBB", "limit": "100.00"},
            {"filterType": "MAX_ASSET", "asset": "CCC", "limit": "1"},
        ],
    });
    let filters = account_filters(body.to_string().as_bytes(), &symbol).expect("good");
    let leg = |qty, price| Terms::new(Side::Sell, OrderType::Limit, Size::Base(Qty(qty)), Some(Price(price)));
    let market = MarketState::default();
    let account = |orders, lists, exchange| AccountState {
        symbol: OpenCounts { orders, lists, ..OpenCounts::default() },
        exchange: OpenCounts { orders: exchange, ..OpenCounts::default() },
        ..AccountState::default()
    };
    let list = |orders, lists, exchange| {
        let refused = filters.check_list(&[leg(1_000, 1_000); 2], &market, &account(orders, lists, exchange));
        refused.err().map(|breach| (breach.filter.name(), breach.code()))
    };
    assert_eq!(list(2, 0, 7), None);
    assert_eq!(list(3, 0, 7), Some(("MAX_NUM_ORDERS", -2010)));
    assert_eq!(list(2, 1, 7), Some(("MAX_NUM_ORDER_LISTS", -2010)));
    assert_eq!(list(2, 0, 8), Some(("EXCHANGE_MAX_NUM_ORDERS", -2010)));
    let amend =
        |amends| filters.check_amend(&leg(1_000, 1_000), &market, amends).err().map(|breach| breach.code());
    assert_eq!((amend(1), amend(2)), (None, Some(-2038)));
    let one = |qty, price| {
        filters.check(&leg(qty, price), &market, &account(0, 0, 0)).err().map(|b| b.filter.name())
    };
    assert_eq!((one(42_000, 1), one(42_001, 1)), (None, Some("MAX_ASSET")));
    assert_eq!((one(1_000, 10_000), one(1_000, 10_001)), (None, Some("MAX_ASSET")));
    let spend = |value| Terms::new(Side::Buy, OrderType::Market, Size::Quote(Notional(value)), None);
    let fitted =
        filters.fit(&spend(9_999_999), FitPolicy::default(), &market, &account(0, 0, 0)).expect("good");
    assert_eq!(fitted.size, Size::Quote(Notional(9_999_000)), "as many decimals as the quote asset has");
}

#[test]
fn each_filter_passes_at_its_bound_and_fails_just_beyond() {
    let all = rows(5);
    let alone = |name: &str| {
        let row = all.iter().find(|row| row["filterType"] == name).expect("there is one");
        symbol(std::slice::from_ref(row), 5, 5).filters
    };
    let order = |buy: bool, kind: OrderType, qty: i64, price: i64| {
        let side = if buy { Side::Buy } else { Side::Sell };
        let mut terms = Terms::new(side, kind, Size::Base(Qty(qty)), Some(Price(price)));
        terms.stop_price = Some(Price(100_000));
        terms
    };
    let limit = |buy, qty, price| order(buy, OrderType::Limit, qty, price);
    let market = |qty| order(true, OrderType::Market, qty, 0);
    let trailing = |buy, kind, delta| Terms { trailing_delta: Some(delta), ..order(buy, kind, 100, 100_000) };
    let iceberg = |qty, shown| Terms { iceberg_qty: Some(Qty(shown)), ..limit(true, qty, 100_000) };
    let average = MarketState { average: Some(Price(500_003)), ..MarketState::default() };
    let check =
        |name: &str, terms: &Terms, account: &AccountState| alone(name).check(terms, &average, account);
    // Passing, and one unit or step beyond.
    let pairs = [
        ("PRICE_FILTER", limit(true, 1, 10_000), limit(true, 1, 5_000)),
        ("PRICE_FILTER", limit(false, 1, 5_000_000), limit(false, 1, 5_005_000)),
        ("PRICE_FILTER", limit(true, 1, 15_000), limit(true, 1, 15_001)),
        ("LOT_SIZE", limit(true, 600, 1), limit(true, 400, 1)),
        ("LOT_SIZE", market(900_000), market(900_200)),
        ("LOT_SIZE", limit(true, 800, 1), limit(true, 801, 1)),
        ("LOT_SIZE", iceberg(800, 600), iceberg(800, 400)),
        ("MARKET_LOT_SIZE", market(600_000), market(600_300)),
        ("MARKET_LOT_SIZE", limit(true, 600_300, 1), market(301)),
        ("ICEBERG_PARTS", iceberg(10_000, 1_000), iceberg(10_001, 1_000)),
        ("TRAILING_DELTA", trailing(true, OrderType::StopLoss, 10), trailing(true, OrderType::StopLoss, 9)),
        ("TRAILING_DELTA", trailing(true, OrderType::StopLoss, 40), trailing(true, OrderType::StopLoss, 41)),
        (
            "TRAILING_DELTA",
            trailing(false, OrderType::StopLoss, 20),
            trailing(false, OrderType::StopLoss, 19),
        ),
        (
            "TRAILING_DELTA",
            trailing(false, OrderType::StopLoss, 60),
            trailing(false, OrderType::StopLoss, 61),
        ),
        (
            "TRAILING_DELTA",
            trailing(false, OrderType::TakeProfit, 40),
            trailing(false, OrderType::TakeProfit, 41),
        ),
        (
            "TRAILING_DELTA",
            trailing(true, OrderType::TakeProfit, 20),
            trailing(true, OrderType::TakeProfit, 19),
        ),
        // Of 5.00003: 2.5 times it is 12.500075, 0.33333333 times it 1.66667665.
        ("PERCENT_PRICE", limit(true, 1, 1_250_007), limit(true, 1, 1_250_008)),
        ("PERCENT_PRICE", limit(false, 1, 166_668), limit(false, 1, 166_667)),
        ("PERCENT_PRICE_BY_SIDE", limit(true, 1, 600_003), limit(true, 1, 600_004)),
        ("PERCENT_PRICE_BY_SIDE", limit(true, 1, 100_001), limit(true, 1, 100_000)),
        // 5 times it is just 25.00015.
        ("PERCENT_PRICE_BY_SIDE", limit(false, 1, 2_500_015), limit(false, 1, 2_500_016)),
        ("PERCENT_PRICE_BY_SIDE", limit(false, 1, 400_003), limit(false, 1, 400_002)),
        ("NOTIONAL", limit(true, 100_000, 500_000), limit(true, 100_000, 499_999)),
        ("NOTIONAL", limit(true, 100_000, 9_000_000), limit(true, 100_000, 9_000_001)),
        ("NOTIONAL", market(100_000), market(99_999)),
        ("MIN_NOTIONAL", limit(true, 100_000, 600_000), limit(true, 100_000, 599_999)),
        ("MIN_NOTIONAL", market(1), limit(true, 1, 1)),
    ];
    for (name, good, bad) in pairs {
        assert_eq!(check(name, &good, &AccountState::default()), Ok(()), "{name}: {good:?}");
        let breach = check(name, &bad, &AccountState::default()).expect_err("it is beyond");
        assert_eq!(breach.filter.name(), name, "{bad:?}");
    }
    let counts = |orders, algo, iceberg| AccountState {
        symbol: OpenCounts { orders, algo, iceberg, lists: 0 },
        ..AccountState::default()
    };
    let held = |base_held, open_buys| AccountState { base_held, open_buys, ..AccountState::default() };
    for (name, terms, room, none) in [
        ("MAX_NUM_ORDERS", limit(true, 1, 1), counts(2, 9, 9), counts(3, 0, 0)),
        ("MAX_NUM_ALGO_ORDERS", order(true, OrderType::TakeProfit, 1, 1), counts(9, 1, 9), counts(0, 2, 0)),
        ("MAX_NUM_ICEBERG_ORDERS", iceberg(20, 10), counts(9, 9, 0), counts(0, 0, 1)),
        ("MAX_POSITION", limit(true, 200_000, 1), held(700_000, 300_000), held(700_000, 300_001)),
    ] {
        assert_eq!(check(name, &terms, &room), Ok(()), "{name}");
        assert_eq!(check(name, &terms, &none).expect_err("it is full").filter.name(), name);
    }
    assert_eq!(
        check("MAX_POSITION", &limit(false, 200_000, 1), &held(9_000_000, 0)),
        Ok(()),
        "selling is free"
    );
}
