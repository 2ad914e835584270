//! The order client against a whole venue in the same process, under every fault that a network and a venue have: at the
//! end of each story the venue's account is what the client says, every trade was reported once, no order was sent twice,
//! and no order is open that we do not know.
//!
//! `ALGO_TRADER_CASES` sets how many stories are told, `ALGO_TRADER_SEED` the first, `ALGO_TRADER_TRACE` prints every
//! message.

#[path = "support/client_world.rs"]
mod client_world;

use algo_trader::domain::order::OrderStatus;
use algo_trader::venue::binance::client::Notice;
use algo_trader::venue::local::api::ApiSettings;
use client_world::{Chance, Faults, World};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const SECOND: u64 = 1_000_000_000;

/// How the stories of one test differ.
type Story = fn(&mut Chance) -> Faults;

fn cases(default: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("ALGO_TRADER_SEED").unwrap_or(1);
    first..first + number("ALGO_TRADER_CASES").unwrap_or(default)
}

#[derive(Debug, Default)]
struct Sums {
    orders: u64,
    fills: u64,
    unknown: u64,
    gaps: u64,
    external: u64,
    bans: u64,
}

/// Tells one story and judges its end.
fn tell(seed: u64, story: Story) -> Sums {
    let faults = story(&mut Chance::new(seed ^ 0xABCD));
    let mut world = World::new(seed, faults);
    world.run(world.now.plus_nanos(25 * SECOND));
    // Then all is well for long enough that nothing can be under way.
    world.faults = Faults::default();
    world.stop_acting = true;
    world.run(world.now.plus_nanos(75 * SECOND));
    judge(&world)
}

fn judge(world: &World) -> Sums {
    for asset in ["BTC", "USDT"] {
        assert_eq!(world.client.balance(asset), world.venue_balance(asset), "{asset} differs");
    }
    assert_eq!(world.halted, [], "halted for a difference that was none");
    assert_eq!(world.client.trading(world.now), Ok(()), "trading goes on");
    judge_orders(world)
}

fn judge_orders(world: &World) -> Sums {
    // Every trade once, and none that was not.
    let mut reported: BTreeMap<(String, u64), u32> = BTreeMap::new();
    for fill in &world.fills {
        *reported.entry((world.id_of(fill.order), fill.trade_id)).or_default() += 1;
    }
    let ids: HashSet<String> = world.states.keys().map(|order| world.id_of(*order)).collect();
    let trades: BTreeSet<(String, u64)> =
        world.venue_trades().into_iter().filter(|(id, _)| ids.contains(id)).collect();
    assert_eq!(reported.keys().cloned().collect::<BTreeSet<_>>(), trades, "trades reported and made");
    assert!(reported.values().all(|times| *times == 1), "a trade was reported twice");
    // No order twice.
    assert!(world.sent.values().all(|times| *times == 1), "an order was sent twice: {:?}", world.sent);
    // What is open is known, and the other way.
    let open: HashSet<String> = world
        .states
        .iter()
        .filter(|(_, state)| !state.status.is_final())
        .map(|(order, _)| world.id_of(*order))
        .collect();
    assert_eq!(open, world.venue_open(), "open by the client, and at the venue");
    assert_eq!(world.client.open_orders(), (open.len(), 0), "and none is unknown");
    for (order, state) in &world.states {
        let made: i64 = world.fills.iter().filter(|fill| fill.order == *order).map(|fill| fill.qty.0).sum();
        assert_eq!(state.filled.0, made);
        assert_eq!(state.status == OrderStatus::Filled, made == state.order.qty.0, "{state:?}");
    }
    assert_eq!(world.broken_silence, 0, "requests while the venue wanted silence");
    let count = |of: fn(&Notice) -> bool| world.notices.iter().filter(|notice| of(notice)).count() as u64;
    Sums {
        orders: world.sent.len() as u64,
        fills: world.fills.len() as u64,
        unknown: count(|notice| matches!(notice, Notice::Unknown { .. })),
        gaps: count(|notice| matches!(notice, Notice::StreamGap)),
        external: count(|notice| matches!(notice, Notice::ExternalFill { .. })),
        bans: count(|notice| matches!(notice, Notice::TooMuch { .. })),
    }
}

/// Tells stories with these faults; returns what they came to.
fn stories(name: &str, default: u64, story: Story) -> Sums {
    let mut sums = Sums::default();
    for seed in cases(default) {
        let told = catch_unwind(AssertUnwindSafe(|| tell(seed, story)));
        let Ok(told) = told else {
            panic!(
                "{name}: seed {seed}; ALGO_TRADER_SEED={seed} ALGO_TRADER_CASES=1 ALGO_TRADER_TRACE=1 shows it"
            )
        };
        sums.orders += told.orders;
        sums.fills += told.fills;
        sums.unknown += told.unknown;
        sums.gaps += told.gaps;
        sums.external += told.external;
        sums.bans += told.bans;
    }
    println!("{name}: {sums:?}");
    sums
}

#[test]
fn without_faults_everything_agrees_and_nothing_is_unknown() {
    let sums = stories("calm", 40, |_| Faults::default());
    assert!(sums.orders > 1_000 && sums.fills > 500, "{sums:?}");
    assert_eq!((sums.unknown, sums.gaps, sums.bans), (0, 0, 0));
}

#[test]
fn without_a_session_every_fill_and_end_is_learned_by_rest_alone() {
    let mut sums = (0, 0);
    for seed in cases(40) {
        let mut world = World::new(seed, Faults::default());
        world.run(world.now.plus_nanos(8 * SECOND));
        world.lose_sessions();
        let before = world.fills.len();
        world.run(world.now.plus_nanos(20 * SECOND));
        world.stop_acting = true;
        world.run(world.now.plus_nanos(15 * SECOND));
        let told = judge_orders(&world);
        sums = (sums.0 + told.orders, sums.1 + world.fills.len() - before);
    }
    assert!(sums.0 > 1_000 && sums.1 > 500, "{sums:?}");
}

#[test]
fn rehearsals_and_booking_at_once_change_nothing_of_what_is_asked_for() {
    let (mut said, mut orders) = (0, 0);
    for seed in cases(25) {
        let told = [false, true].map(|rehearses| {
            let mut chance = Chance::new(seed);
            let faults = Faults {
                lose_reply: chance.below(30),
                cut: chance.below(30),
                ban: chance.below(10),
                ..Faults::default()
            };
            let mut world = World::new(seed, faults);
            (world.rehearses, world.log) = (rehearses, Some(Vec::new()));
            world.run(world.now.plus_nanos(25 * SECOND));
            orders += world.sent.len();
            world.log.unwrap_or_default()
        });
        let [without, with] = &told;
        let differs = without.iter().zip(with).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(without.len(), with.len(), "seed {seed}");
        said += with.len();
    }
    assert!(said > 5_000 && orders > 1_000, "{said} {orders}");
}

#[test]
fn lost_requests_and_lost_or_unknown_answers_leave_no_doubt() {
    let sums = stories("lost", 150, |chance| Faults {
        lose_request: chance.below(60),
        lose_reply: chance.below(60),
        unknown: chance.below(200),
        broken: chance.below(100),
        lag: 300,
        slow: chance.below(20),
        ..Faults::default()
    });
    assert!(sums.unknown > 300, "{sums:?}");
}

#[test]
fn sessions_that_are_cut_or_go_down_lose_and_double_nothing() {
    let sums = stories("cut", 150, |chance| Faults {
        cut: chance.below(80),
        shutdown: chance.below(20),
        lag: 200,
        ..Faults::default()
    });
    assert!(sums.gaps > 100 && sums.unknown > 50, "{sums:?}");
}

#[test]
fn events_twice_late_or_never_change_nothing() {
    stories("events", 150, |chance| Faults {
        event_twice: chance.below(300),
        event_late: chance.below(300),
        event_lost: chance.below(100),
        ..Faults::default()
    });
}

#[test]
fn bans_are_kept_to_the_second_and_clocks_that_are_set_are_followed() {
    let sums = stories("bans", 100, |chance| Faults {
        ban: chance.below(15),
        clock: chance.below(60),
        ..Faults::default()
    });
    assert!(sums.bans > 20, "{sums:?}");
}

#[test]
fn clocks_that_are_far_apart_or_set_pass_no_limit_and_hold_no_order_up() {
    for seed in cases(12) {
        for skew_ms in [-600_000, 600_000] {
            let limits = ApiSettings { orders_per_10_s: 8, ..ApiSettings::default() };
            let mut world = World::with(seed, Faults::default(), Some(skew_ms), limits);
            for skew_ms in [skew_ms, -skew_ms, skew_ms] {
                let before = world.sent.len();
                world.skew_ms = skew_ms;
                world.run(world.now.plus_nanos(40 * SECOND));
                assert_eq!(world.client.refusals(), 0, "seed {seed}, {skew_ms} ms apart");
                assert!(world.sent.len() >= before + 16, "seed {seed}, {skew_ms} ms apart: few were sent");
            }
            world.stop_acting = true;
            world.run(world.now.plus_nanos(75 * SECOND));
            judge_orders(&world);
        }
    }
}

#[test]
fn what_is_traded_elsewhere_on_the_account_is_adopted() {
    let sums = stories("external", 100, |chance| Faults {
        external: 200,
        cut: chance.below(40),
        event_lost: chance.below(50),
        ..Faults::default()
    });
    assert!(sums.external > 200, "{sums:?}");
}

#[test]
fn all_of_it_at_once() {
    stories("all", 300, |chance| {
        let mut rate = |most: u64| chance.below(most);
        Faults {
            lose_request: rate(40),
            lose_reply: rate(40),
            unknown: rate(100),
            broken: rate(60),
            cut: rate(50),
            event_twice: rate(200),
            event_lost: rate(50),
            event_late: rate(200),
            slow: rate(20),
            ban: rate(8),
            lag: rate(300),
            clock: rate(30),
            shutdown: rate(15),
            external: rate(100),
            ..Faults::default()
        }
    });
}

#[test]
fn lists_of_orders_are_placed_once_end_whole_and_are_known_without_faults_and_under_all() {
    let sums = stories("lists", 60, |_| Faults { lists: 600, ..Faults::default() });
    assert!(sums.orders > 2_000 && sums.fills > 500, "{sums:?}");
    assert_eq!((sums.unknown, sums.gaps, sums.bans), (0, 0, 0));
    let sums = stories("lists and faults", 300, |chance| {
        let mut rate = |most: u64| chance.below(most);
        Faults {
            lose_request: rate(40),
            lose_reply: rate(40),
            unknown: rate(150),
            broken: rate(60),
            cut: rate(50),
            event_twice: rate(200),
            event_lost: rate(50),
            event_late: rate(200),
            slow: rate(20),
            ban: rate(8),
            lag: rate(300),
            clock: rate(30),
            shutdown: rate(15),
            external: rate(100),
            lists: 600,
        }
    });
    assert!(sums.unknown > 500 && sums.gaps > 100, "{sums:?}");
}
