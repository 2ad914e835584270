//! The budget never lets the venue's count pass a limit, and obeys refusals to the second.

use algo_trader::domain::Time;
use algo_trader::venue::binance::exchange_info::{RateKind, RateLimit};
use algo_trader::venue::binance::limits::{
    Budget, BudgetSettings, Cost, NotNow, Permit, Purpose, Retry, Told, TooMuch,
};
use proptest::prelude::*;
use std::time::Duration;

const MS: u64 = 1_000_000;
/// A moment that begins windows of every length: midnight.
const MIDNIGHT_MS: u64 = 20_000 * 86_400_000;

fn at_ms(ms: u64) -> Time {
    Time((MIDNIGHT_MS + ms) * MS)
}

const fn limit(kind: RateKind, window_s: u64, limit: u64) -> RateLimit {
    RateLimit { kind, window_s, limit, count: None }
}

const WEIGHT: RateLimit = limit(RateKind::RequestWeight, 60, 600);
const ORDERS: RateLimit = limit(RateKind::Orders, 10, 50);
const DAY: RateLimit = limit(RateKind::Orders, 86_400, 900);
const RAW: RateLimit = limit(RateKind::RawRequests, 300, 1_500);

fn exact(cancel_reserve: u64) -> BudgetSettings {
    BudgetSettings { clock_error: Duration::ZERO, use_percent: 100, cancel_reserve, kept_percent: 0 }
}

/// The venue as the documentation has it: a count in each window of its clock.
struct NaiveVenue {
    limits: Vec<RateLimit>,
    counts: Vec<(u64, u64)>,
    over: Vec<String>,
}

impl NaiveVenue {
    fn new(limits: &[RateLimit]) -> Self {
        Self { limits: limits.to_vec(), counts: vec![(0, 0); limits.len()], over: Vec::new() }
    }

    /// Counts a request that arrives now, by the venue's clock, and tells its counts.
    fn arrive(&mut self, cost: Cost, succeeds: bool, now_ms: i64, told: &mut Told) {
        for (limit, (window, count)) in self.limits.iter().zip(&mut self.counts) {
            let number = MIDNIGHT_MS.saturating_add_signed(now_ms) / (limit.window_s * 1_000);
            if *window != number {
                (*window, *count) = (number, 0);
            }
            *count += match limit.kind {
                // Order calls that succeed weigh nothing.
                RateKind::RequestWeight if succeeds && cost.purpose != Purpose::Query => 0,
                RateKind::RequestWeight => u64::from(cost.weight),
                RateKind::Orders if succeeds => u64::from(cost.orders),
                RateKind::Orders => 0,
                RateKind::RawRequests => 1,
            };
            if *count > limit.limit {
                self.over.push(format!("{limit:?}: {count} at {now_ms} ms"));
            }
            match (limit.kind, limit.window_s) {
                (RateKind::RequestWeight, 60) => told.header("X-MBX-USED-WEIGHT-1M", &count.to_string()),
                (RateKind::Orders, 10) if succeeds => {
                    told.header("X-MBX-ORDER-COUNT-10S", &count.to_string())
                }
                (RateKind::Orders, 86_400) if succeeds => {
                    told.header("X-MBX-ORDER-COUNT-1D", &count.to_string());
                }
                _ => {}
            }
        }
    }

    /// An order placed before is filled: every count of orders goes down.
    fn fill(&mut self, by: u64) {
        for (limit, (_, count)) in self.limits.iter().zip(&mut self.counts) {
            if limit.kind == RateKind::Orders {
                *count = count.saturating_sub(by);
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Ask {
    /// Milliseconds since the one before.
    after_ms: u64,
    cost: Cost,
    /// On its way there, and back.
    there_ms: u64,
    back_ms: u64,
    succeeds: bool,
    /// The answer never comes; that is noticed later.
    is_lost: bool,
    fills: u64,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let cost = prop_oneof![
        4 => Just(Cost::ORDER),
        1 => Just(Cost { purpose: Purpose::Order, weight: 1, orders: 3 }),
        2 => Just(Cost::EXIT),
        2 => Just(Cost::CANCEL),
        1 => (1u32..80).prop_map(Cost::query),
    ];
    // Long pauses now and then, so that windows end in every state.
    let pause = prop_oneof![20 => 0u64..30, 4 => 0u64..800, 1 => 0u64..70_000];
    let delay = || prop_oneof![6 => 0u64..20, 1 => 0u64..9_000];
    let ask = (pause, cost, delay(), delay(), prop::bool::weighted(0.8), prop::bool::weighted(0.05), 0u64..3);
    let ask = ask.prop_map(|(after_ms, cost, there_ms, back_ms, succeeds, is_lost, fills)| Ask {
        after_ms,
        cost,
        there_ms,
        back_ms,
        succeeds,
        is_lost,
        fills,
    });
    prop::collection::vec(ask, 1..900)
}

/// How far the venue's clock may be ahead of ours, ms: over midnight too, and by little.
fn far() -> impl Strategy<Value = i64> {
    prop_oneof![-10_000_000i64..10_000_000, -12_000i64..12_000, (-70i64..70).prop_map(|n| n * 10_000)]
}

/// What happens when, in our milliseconds.
enum Happening {
    Arrives(Cost, bool),
    Answered(Permit, bool),
}

/// At this ask the venue's clock is set to be so far ahead of ours, and measured with this error; ms.
type Set = (usize, i64, i64);

/// Plays `asks` to a budget, while the venue's clock is `ahead_ms` ahead of ours until it is set; how many were granted.
fn play(asks: &[Ask], budget: &mut Budget, venue: &mut NaiveVenue, mut ahead_ms: i64, sets: &[Set]) -> usize {
    // Early enough for midnight by a clock that is behind.
    let (mut now, mut granted) = (7_000_000u64, 0);
    // Told counts wait between arrival and answer, by number.
    let mut told: Vec<Option<Told>> = Vec::new();
    let mut ahead: Vec<(u64, usize, Happening)> = Vec::new();
    let happen = |until: u64,
                  ahead: &mut Vec<(u64, usize, Happening)>,
                  told: &mut Vec<Option<Told>>,
                  budget: &mut Budget,
                  venue: &mut NaiveVenue,
                  ahead_ms: i64| {
        while let Some(next) =
            (0..ahead.len()).min_by_key(|at| (ahead[*at].0, ahead[*at].1)).filter(|at| ahead[*at].0 <= until)
        {
            let (when, number, happening) = ahead.swap_remove(next);
            match happening {
                Happening::Arrives(cost, succeeds) => {
                    let mut counts = Told::default();
                    venue.arrive(cost, succeeds, when as i64 + ahead_ms, &mut counts);
                    told[number] = Some(counts);
                }
                Happening::Answered(permit, true) => budget.lost(permit, at_ms(when)),
                Happening::Answered(permit, false) => {
                    budget.answered(permit, &told[number].take().expect("it arrived"), at_ms(when));
                }
            }
        }
    };
    for (at, ask) in asks.iter().enumerate() {
        now += ask.after_ms;
        happen(now, &mut ahead, &mut told, budget, venue, ahead_ms);
        for (_, set_ms, error_ms) in sets.iter().filter(|(of, ..)| *of == at) {
            ahead_ms = *set_ms;
            budget.set_clock((set_ms + error_ms) * MS as i64, at_ms(now));
        }
        venue.fill(ask.fills);
        if let Ok(permit) = budget.ask(ask.cost, at_ms(now)) {
            granted += 1;
            let number = told.len();
            told.push(None);
            ahead.push((now + ask.there_ms, number, Happening::Arrives(ask.cost, ask.succeeds)));
            // One past the arrival, so that it is answered after it.
            let back = now + ask.there_ms + ask.back_ms + 1;
            ahead.push((back, number, Happening::Answered(permit, ask.is_lost)));
        }
    }
    happen(u64::MAX, &mut ahead, &mut told, budget, venue, ahead_ms);
    granted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_venues_count_never_passes_a_limit(
        asks in asks(),
        ahead_ms in -400i64..=400,
        reserve in 0u64..100,
    ) {
        let limits = [WEIGHT, ORDERS, DAY, RAW];
        let clock_error = Duration::from_millis(400);
        let settings = BudgetSettings { clock_error, use_percent: 100, cancel_reserve: reserve, kept_percent: (reserve % 21) as u32 };
        let (mut budget, mut venue) = (Budget::new(settings, &limits), NaiveVenue::new(&limits));
        let granted = play(&asks, &mut budget, &mut venue, ahead_ms, &[]);
        prop_assert!(venue.over.is_empty(), "{:?}", venue.over);
        prop_assert!(granted > 0);
    }

    #[test]
    fn nor_where_the_venues_clock_is_learned_late_and_set_again_and_again(
        asks in asks(),
        (ahead_ms, late) in (far(), 0usize..7),
        sets in prop::collection::vec((0usize..300, far()), 0..5),
        errors in prop::collection::vec(-400i64..=400, 6),
    ) {
        // What is asked before has room by any windows; then the clock is known, and where it is set that is known at once.
        let mut at = late;
        let mut all = vec![(late, ahead_ms, errors[0])];
        for ((after, set_ms), error_ms) in sets.into_iter().zip(&errors[1..]) {
            at += after;
            all.push((at, set_ms, *error_ms));
        }
        let limits = [WEIGHT, ORDERS, DAY, RAW];
        let settings = BudgetSettings { clock_error: Duration::from_millis(400), ..exact(50) };
        let (mut budget, mut venue) = (Budget::new(settings, &limits), NaiveVenue::new(&limits));
        play(&asks, &mut budget, &mut venue, ahead_ms, &all);
        prop_assert!(venue.over.is_empty(), "{:?}", venue.over);
    }

    #[test]
    fn a_clock_that_is_set_holds_nothing_up_for_longer_than_a_window(
        spent_ms in 0u64..20_000,
        set_ms in 0u64..20_000,
        ahead_ms in far(),
    ) {
        let mut budget = Budget::new(exact(0), &[ORDERS]);
        let fill = |budget: &mut Budget, ms| {
            let now = at_ms(ms);
            let permits: Vec<Permit> = std::iter::from_fn(|| budget.ask(Cost::ORDER, now).ok()).collect();
            let count = permits.len();
            permits.into_iter().for_each(|permit| budget.lost(permit, now));
            count
        };
        prop_assert_eq!(fill(&mut budget, spent_ms), 50);
        let now = at_ms(spent_ms + set_ms);
        budget.set_clock(ahead_ms * MS as i64, now);
        let until = match budget.clone().may_ask(Cost::ORDER, now) {
            Ok(()) => now,
            Err(NotNow::UsedUp { until, .. }) => until,
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        prop_assert!(until.since(now) <= 10_000 * MS, "{until}");
        prop_assert_eq!(fill(&mut budget, (until.0 / MS) - MIDNIGHT_MS), 50);
    }

    #[test]
    fn when_told_to_ask_again_there_is_room(costs in prop::collection::vec(1u32..200, 1..80)) {
        let mut budget = Budget::new(exact(0), &[WEIGHT]);
        let mut now = at_ms(1_000);
        for weight in costs {
            let permit = match budget.ask(Cost::query(weight), now) {
                Ok(permit) => permit,
                Err(NotNow::UsedUp { until, .. }) => {
                    prop_assert!(until > now && until.since(now) <= 60_000 * MS);
                    prop_assert!(budget.ask(Cost::query(weight), Time(until.0 - 1)).is_err(), "not a moment too late");
                    now = until;
                    budget.ask(Cost::query(weight), now).expect("as it said")
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            };
            budget.lost(permit, now);
        }
    }
}

/// Asks for the same again and again, answered at once with the venue's counts; how many were granted in `ms`.
fn at_full_speed(budget: &mut Budget, venue: &mut NaiveVenue, cost: Cost, ms: u64) -> usize {
    let mut granted = 0;
    for now in 0..ms {
        if let Ok(permit) = budget.ask(cost, at_ms(now)) {
            let mut told = Told::default();
            venue.arrive(cost, true, now as i64, &mut told);
            budget.answered(permit, &told, at_ms(now));
            granted += 1;
        }
    }
    assert!(venue.over.is_empty(), "{:?}", venue.over);
    granted
}

#[test]
fn at_full_speed_the_whole_budget_is_used_and_no_more() {
    let limits = [WEIGHT, ORDERS, DAY, RAW];
    let (mut budget, mut venue) = (Budget::new(exact(0), &limits), NaiveVenue::new(&limits));
    assert_eq!(
        at_full_speed(&mut budget, &mut venue, Cost::ORDER, 30_000),
        150,
        "50 in each of three windows"
    );
    let (mut budget, mut venue) = (Budget::new(exact(0), &limits), NaiveVenue::new(&limits));
    assert_eq!(at_full_speed(&mut budget, &mut venue, Cost::query(20), 120_000), 60, "600 in each of two");
}

#[test]
fn a_reserve_is_left_for_cancels() {
    let mut budget = Budget::new(exact(100), &[WEIGHT]);
    let now = at_ms(0);
    let query = Cost::query(500);
    let permit = budget_ask(&mut budget, query, now);
    let refused = budget.ask(Cost::query(1), now).expect_err("the rest is for cancels");
    assert_eq!(refused, NotNow::UsedUp { kind: RateKind::RequestWeight, window_s: 60, until: at_ms(60_000) });
    let cancels: Vec<Permit> = (0..100).map(|_| budget_ask(&mut budget, Cost::CANCEL, now)).collect();
    assert!(budget.ask(Cost::CANCEL, now).is_err(), "a reserve has an end, too");
    assert_eq!(budget.used(RateKind::RequestWeight, 60, now), Some((600, 600)));
    budget.lost(permit, now);
    cancels.into_iter().for_each(|permit| budget.lost(permit, now));
    assert_eq!(
        budget.ask(Cost::query(501), at_ms(60_000)).expect_err("a whole window has 500"),
        NotNow::Never { kind: RateKind::RequestWeight, window_s: 60 }
    );
}

#[test]
fn orders_that_reduce_have_the_rest_of_the_orders_limits_and_orders_that_of_all_others() {
    let settings = BudgetSettings { kept_percent: 10, ..exact(100) };
    let spend = |budget: &mut Budget, cost: Cost| {
        let granted = std::iter::from_fn(|| budget.ask(cost, at_ms(0)).ok()).count() as u64;
        (granted, budget.ask(cost, at_ms(0)).expect_err("no more"))
    };
    let used_up = |kind, window_s| NotNow::UsedUp { kind, window_s, until: at_ms(window_s * 1_000) };
    let full = used_up(RateKind::Orders, 10);
    let mut budget = Budget::new(settings, &[WEIGHT, ORDERS, RAW]);
    assert_eq!(spend(&mut budget, Cost::ORDER), (45, full));
    assert_eq!(spend(&mut budget, Cost::EXIT), (5, full), "50 with what came before");
    // Of the day's, too.
    let mut budget = Budget::new(settings, &[limit(RateKind::Orders, 86_400, 90)]);
    let full = used_up(RateKind::Orders, 86_400);
    assert_eq!((spend(&mut budget, Cost::ORDER), spend(&mut budget, Cost::EXIT)), ((81, full), (9, full)));
    // Questions leave weight to orders, and both leave it to cancels.
    let mut budget = Budget::new(settings, &[WEIGHT]);
    let full = used_up(RateKind::RequestWeight, 60);
    assert_eq!(spend(&mut budget, Cost::query(1)), (440, full));
    assert_eq!(spend(&mut budget, Cost::ORDER), (60, full));
    assert_eq!(spend(&mut budget, Cost::EXIT), (0, full));
    assert_eq!(spend(&mut budget, Cost::CANCEL), (100, full));
    // A limit that is tiny is not all kept.
    let mut budget = Budget::new(settings, &[limit(RateKind::Orders, 10, 1)]);
    assert_eq!(spend(&mut budget, Cost::ORDER), (1, used_up(RateKind::Orders, 10)));
}

fn budget_ask(budget: &mut Budget, cost: Cost, now: Time) -> Permit {
    budget.ask(cost, now).expect("there is room")
}

#[test]
fn what_is_under_way_at_a_windows_end_counts_in_the_next() {
    let mut budget = Budget::new(exact(0), &[WEIGHT]);
    let late = budget_ask(&mut budget, Cost::query(590), at_ms(59_990));
    assert!(budget.ask(Cost::query(11), at_ms(60_010)).is_err(), "it may arrive only now");
    let mut told = Told::default();
    told.header("x-mbx-used-weight-1m", "590");
    budget.answered(late, &told, at_ms(60_020));
    assert_eq!(
        budget.used(RateKind::RequestWeight, 60, at_ms(60_020)),
        Some((590, 600)),
        "nobody knows which window it was counted in"
    );
    let permit = budget_ask(&mut budget, Cost::query(10), at_ms(60_030));
    budget.lost(permit, at_ms(60_040));
    assert_eq!(budget.used(RateKind::RequestWeight, 60, at_ms(120_000)), Some((0, 600)));
}

#[test]
fn the_count_of_a_window_that_is_over_does_not_hold_back_the_next() {
    let mut budget = Budget::new(exact(0), &[WEIGHT]);
    let late = budget_ask(&mut budget, Cost::query(10), at_ms(59_990));
    let mut told = Told::default();
    told.header("X-MBX-USED-WEIGHT-1M", "590");
    budget.answered(late, &told, at_ms(60_010));
    let window = (RateKind::RequestWeight, 60);
    assert_eq!(
        budget.used(window.0, window.1, at_ms(60_010)),
        Some((10, 600)),
        "it was 590 before, most likely"
    );
    let next = budget_ask(&mut budget, Cost::query(10), at_ms(60_020));
    let mut told = Told::default();
    told.header("X-MBX-USED-WEIGHT-1M", "20");
    budget.answered(next, &told, at_ms(60_030));
    assert_eq!(budget.used(window.0, window.1, at_ms(60_030)), Some((30, 600)), "this one is sure");
}

#[test]
fn the_venues_own_count_is_believed() {
    let mut budget = Budget::new(exact(0), &[WEIGHT]);
    let permit = budget_ask(&mut budget, Cost::query(1), at_ms(0));
    let mut told = Told::default();
    told.header("X-MBX-USED-WEIGHT-1M", "580");
    budget.answered(permit, &told, at_ms(5));
    assert!(
        budget.ask(Cost::query(21), at_ms(6)).is_err(),
        "somebody else at this address used the most of it"
    );
    let permit = budget_ask(&mut budget, Cost::query(20), at_ms(6));
    budget.lost(permit, at_ms(7));
}

#[test]
fn refusals_are_obeyed_to_the_second() {
    let limits = [WEIGHT, ORDERS];
    let too_much = |status, code, retry| TooMuch { status, code, retry };
    let ask_all = |budget: &Budget, now: Time| {
        [Cost::ORDER, Cost::CANCEL, Cost::query(1)].map(|cost| match budget.clone().ask(cost, now) {
            Ok(permit) => {
                drop(permit);
                true
            }
            Err(NotNow::Blocked { .. }) => false,
            Err(other) => panic!("{other}"),
        })
    };
    let ms_before = |ms| Time(at_ms(ms).0 - 1);
    for (refusal, until_ms) in [
        (too_much(429, Some(-1003), Retry::After(7)), 8_000),
        (too_much(418, Some(-1003), Retry::After(120)), 121_000),
        (too_much(418, None, Retry::AtMillis(MIDNIGHT_MS + 300_000)), 300_000),
        (too_much(418, None, Retry::Unsaid), 121_000),
        (too_much(403, None, Retry::Unsaid), 301_000),
        (too_much(418, None, Retry::After(u64::MAX)), 1_000 + 4 * 86_400_000),
    ] {
        let mut budget = Budget::new(exact(0), &limits);
        budget.refused(refusal, at_ms(1_000));
        assert_eq!(ask_all(&budget, ms_before(until_ms)), [false; 3], "{refusal:?}");
        assert_eq!(ask_all(&budget, at_ms(until_ms)), [true; 3], "{refusal:?}");
        assert_eq!((budget.blocked_until(), budget.refusals()), (at_ms(until_ms), 1));
        budget.refused(too_much(429, None, Retry::After(0)), at_ms(1_500));
        assert_eq!(ask_all(&budget, ms_before(until_ms)), [false; 3], "a shorter one ends no longer one");
    }
    let mut budget = Budget::new(exact(0), &limits);
    budget.refused(too_much(429, Some(-1015), Retry::After(9)), at_ms(1_000));
    assert_eq!(ask_all(&budget, ms_before(10_000)), [false, true, true], "orders can still be cancelled");
    assert_eq!(ask_all(&budget, at_ms(10_000)), [true; 3]);
}

#[test]
fn a_refusal_lasts_as_long_as_it_says_whatever_the_venues_clock_is_found_to_be() {
    for ahead_s in [-600, 600] {
        let mut budget = Budget::new(exact(0), &[WEIGHT, ORDERS]);
        let retry = Retry::After(3);
        budget.refused(TooMuch { status: 429, code: Some(-1003), retry }, at_ms(1_000));
        budget.refused(TooMuch { status: 429, code: Some(-1015), retry: Retry::After(5) }, at_ms(1_000));
        budget.set_clock(ahead_s * 1_000 * MS as i64, at_ms(1_500));
        let may = |budget: &Budget, cost, ms| budget.clone().may_ask(cost, at_ms(ms)).is_ok();
        assert_eq!([2_999, 4_000].map(|ms| may(&budget, Cost::CANCEL, ms)), [false, true], "{ahead_s}");
        assert_eq!([5_999, 6_000].map(|ms| may(&budget, Cost::ORDER, ms)), [false, true], "{ahead_s}");
        // One that names a moment of the venue's clock.
        let moment = MIDNIGHT_MS.saturating_add_signed(ahead_s * 1_000) + 9_000;
        budget.refused(TooMuch { status: 418, code: None, retry: Retry::AtMillis(moment) }, at_ms(7_000));
        assert_eq!(budget.blocked_until(), at_ms(9_000), "{ahead_s}");
    }
}

#[test]
fn limits_that_change_keep_what_is_used() {
    let mut budget = Budget::new(exact(0), &[WEIGHT, ORDERS]);
    let permit = budget_ask(&mut budget, Cost::query(300), at_ms(0));
    budget.lost(permit, at_ms(1));
    budget.learn(&[limit(RateKind::RequestWeight, 60, 320), limit(RateKind::Orders, 1, 5)]);
    assert_eq!(budget.used(RateKind::RequestWeight, 60, at_ms(2)), Some((300, 320)));
    assert!(budget.ask(Cost::query(21), at_ms(2)).is_err());
    assert_eq!(budget.used(RateKind::Orders, 10, at_ms(2)), None);
}
