//! `[risk.rates]` and `[risk.strategy_rates]`: how often something may be sent.

use super::limit::{Limit, Reader};
use crate::risk::limits::{Pace, RateLimits};
use crate::run::config::raw::{Given, RawRates, RawRisk, RawStrategyRates};

/// Limits of one kind of message in a second, a minute and a day.
type Paces = [Limit; 3];

/// Limits by kind: orders, cancels, messages; the last are both of the others together.
type Kinds = [Paces; 3];

/// Where messages stand.
const MESSAGES: usize = 2;

/// Those of all strategies, and of each; its orders a second, `per_second`, are a rule of their own.
///
/// A limit is refused if a wider one would always be met first: of the same kind or of messages, in the same time or a
/// longer one, of the strategy or of all. What a second allows may come to more than a minute does, while one second's
/// is not above the minute's.
pub(super) fn rates(raw: &RawRisk, per_second: Limit, r: &mut Reader<'_, '_>) -> [RateLimits; 2] {
    let all = of_all(&raw.rates, r);
    let own = of_each(&raw.strategy_rates, per_second, r);
    for (scope, kinds) in [&own, &all].into_iter().enumerate() {
        for (kind, paces) in kinds.iter().enumerate() {
            for (time, limit) in paces.iter().enumerate() {
                let scopes = [&own, &all].into_iter().skip(scope);
                let wider = scopes.flat_map(|scope| [kind, MESSAGES].map(|kind| &scope[kind][time..]));
                r.within(limit, wider.flatten().map(|wider| (1, wider)));
            }
        }
    }
    let limits = |[orders, cancels, messages]: &Kinds| RateLimits {
        orders: pace(orders),
        cancels: pace(cancels),
        messages: pace(messages),
    };
    let (all, own) = (limits(&all), limits(&own));
    [all, RateLimits { orders: Pace { second: u32::MAX, ..own.orders }, ..own }]
}

fn pace([second, minute, day]: &Paces) -> Pace {
    Pace { second: second.number(), minute: minute.number(), day: day.number() }
}

fn of_all(raw: &RawRates, r: &mut Reader<'_, '_>) -> Kinds {
    let RawRates {
        orders_per_second_max,
        orders_per_minute_max,
        orders_per_day_max,
        cancels_per_second_max,
        cancels_per_minute_max,
        cancels_per_day_max,
        messages_per_second_max,
        messages_per_minute_max,
        messages_per_day_max,
    } = raw;
    let orders = [orders_per_second_max, orders_per_minute_max, orders_per_day_max];
    let cancels = [cancels_per_second_max, cancels_per_minute_max, cancels_per_day_max];
    let messages = [messages_per_second_max, messages_per_minute_max, messages_per_day_max];
    [
        paces(orders, "rates.orders", r),
        paces(cancels, "rates.cancels", r),
        paces(messages, "rates.messages", r),
    ]
}

fn of_each(raw: &RawStrategyRates, second: Limit, r: &mut Reader<'_, '_>) -> Kinds {
    let [minute, day] =
        minute_and_day(&raw.orders_per_minute_max, &raw.orders_per_day_max, "strategy_rates.orders", r);
    let cancels = [&raw.cancels_per_second_max, &raw.cancels_per_minute_max, &raw.cancels_per_day_max];
    let messages = [&raw.messages_per_second_max, &raw.messages_per_minute_max, &raw.messages_per_day_max];
    [
        [second, minute, day],
        paces(cancels, "strategy_rates.cancels", r),
        paces(messages, "strategy_rates.messages", r),
    ]
}

/// The three limits of one kind of message.
fn paces(given: [&Given<toml::Value>; 3], name: &str, r: &mut Reader<'_, '_>) -> Paces {
    let second = r.count(given[0], &format!("{name}_per_second_max"), 1..=100_000, None);
    let [minute, day] = minute_and_day(given[1], given[2], name, r);
    [second, minute, day]
}

fn minute_and_day(
    minute: &Given<toml::Value>,
    day: &Given<toml::Value>,
    name: &str,
    r: &mut Reader<'_, '_>,
) -> [Limit; 2] {
    [
        r.count(minute, &format!("{name}_per_minute_max"), 1..=6_000_000, None),
        r.count(day, &format!("{name}_per_day_max"), 1..=1_000_000_000, None),
    ]
}
