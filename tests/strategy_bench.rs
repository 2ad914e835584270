//! The bench that authors of strategies test by: what it tells of a strategy is what the pipeline did.

use algo_trader::domain::event::Command;
use algo_trader::domain::{
    DenyReason, InstrumentId, Kill, OrderKind, OrderStatus, Price, Qty, Scope, Side, Time,
};
use algo_trader::market::book::Book;
use algo_trader::market::{Bar, Top};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::testing::{Bench, Happened};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const BTC: &str = "binance:spot:BTCUSDT";

/// Does one thing at its first call of each kind, by its parameter-free name.
struct Once {
    what: &'static str,
    done: bool,
}

/// Of a coin, on the only instrument.
fn a_hundredth(ctx: &Context<'_>) -> Qty {
    Qty(ctx.instrument(InstrumentId(0)).lot.0 * 1_000)
}

impl Once {
    fn first(&mut self) -> bool {
        !std::mem::replace(&mut self.done, true)
    }
}

impl Strategy for Once {
    fn on_quote(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, top: &Top) {
        if !top.is_two_sided() || self.what == "sees-a-book" || !self.first() {
            return;
        }
        let qty = a_hundredth(ctx);
        let tick = ctx.instrument(instrument).tick.0;
        let away = |bps: i64| Price(top.ask.price.0 / 10_000 * (10_000 + bps) / tick * tick);
        let sent = match self.what {
            "buys" => ctx.buy(instrument, qty).at_market().send().map(drop),
            "rests" => ctx.buy(instrument, qty).at_limit(away(-10)).send().map(drop),
            "brackets" => ctx
                .bracket(instrument, Side::Buy, qty)
                .stop_at(away(-20))
                .take_profit_at(away(20))
                .send()
                .map(drop),
            "waits" => ctx.wake_after(Duration::from_secs(5)).map(drop),
            "is-too-large" => ctx.buy(instrument, Qty(qty.0 * 1_000)).at_market().send().map(drop),
            _ => panic!("a quote too many"),
        };
        sent.expect("it may ask for that");
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, instrument: InstrumentId, book: &Book) {
        if self.what == "sees-a-book" && book.len(Side::Buy) == 2 {
            let _ = ctx.buy(instrument, a_hundredth(ctx)).at_market().send();
        }
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        if bar.close > bar.open {
            let _ = ctx.buy(bar.instrument, Qty(bar.volume.0 / 1_000)).at_market().send();
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        let _ = ctx.buy(InstrumentId(0), a_hundredth(ctx)).at_market().send();
    }
}

macro_rules! strategies {
    ($($name:literal),*) => {
        static SPECS: &[StrategySpec] = &[$({
            fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
                setup.want_book();
                Ok(Box::new(Once { what: $name, done: false }))
            }
            StrategySpec { name: $name, doc: "for tests", params: &[], build }
        }),*];
    };
}
strategies!["buys", "rests", "brackets", "waits", "is-too-large", "sees-a-book", "panics"];

fn bench(strategy: &str) -> (Bench, InstrumentId) {
    bench_of(strategy, "time:60s")
}

fn bench_of(strategy: &str, bar: &str) -> (Bench, InstrumentId) {
    let text = format!(
        "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n[market]\nbar = \"{bar}\"\n\
         [risk]\nunset = \"default\"\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{BTC}\"]\n"
    );
    let bench = Bench::of(&text, SPECS).unwrap_or_else(|error| panic!("{error}"));
    let btc = bench.instrument(BTC);
    (bench, btc)
}

/// Short names of what happened.
fn told(bench: &mut Bench) -> Vec<String> {
    let told = |happened| match happened {
        Happened::Placed(order) => format!("placed {} {:?}", order.order.side, order.order.kind),
        Happened::Changed { order, denied: None } => format!("{:?}", order.status),
        Happened::Changed { denied: Some(why), .. } => format!("denied {why:?}"),
        Happened::Filled(fill) => format!("filled {}", fill.qty.0),
    };
    bench.happened().into_iter().map(told).collect()
}

#[test]
fn what_an_event_leads_to_has_happened_when_it_returns() {
    let (mut bench, btc) = bench("buys");
    bench.quote(btc, "60000.00", "60000.01");
    let placed = "placed buy Market".to_owned();
    assert_eq!(told(&mut bench)[0], placed);
    let position = bench.position(btc);
    assert_eq!(position.qty, bench.qty(btc, "0.01"));
    assert!(bench.open_orders().is_empty(), "{:?}", bench.open_orders());
    assert!(told(&mut bench).is_empty(), "it was asked for already");
    let summary = bench.finish();
    assert_eq!((summary.execution.orders, summary.execution.fills), (1, 1));
}

#[test]
fn an_order_rests_until_the_market_comes_to_it() {
    let (mut bench, btc) = bench("rests");
    bench.quote(btc, "60000.00", "60000.01");
    let open = bench.open_orders();
    let [order] = &open[..] else { panic!("{open:?}") };
    assert_eq!((order.status, order.order.kind), (OrderStatus::Open, OrderKind::Limit));
    bench.trade(btc, "59950.00", "1", Side::Sell);
    assert_eq!(bench.open_orders().len(), 1, "nothing traded at its price");
    bench.trade(btc, "59900.00", "1", Side::Sell);
    assert!(bench.open_orders().is_empty());
    assert_eq!(bench.position(btc).qty, order.order.qty);
}

#[test]
fn what_the_order_manager_holds_is_seen_and_goes_off_at_its_price() {
    let (mut bench, btc) = bench("brackets");
    bench.quote(btc, "60000.00", "60000.01");
    let [held] = bench.protections()[..] else { panic!("{:?}", bench.protections()) };
    assert_eq!(held.covered, bench.qty(btc, "0.01"));
    assert_eq!(held.stop, bench.price(btc, "59880.00"), "20 hundredths of a per cent below the ask");
    bench.quote(btc, "59000.00", "59000.01");
    assert_eq!(bench.position(btc).qty, Qty::ZERO, "the stop went off");
    assert!(bench.protections().is_empty(), "and took the target with it: {:?}", bench.protections());
}

#[test]
fn timers_are_due_while_time_passes() {
    let (mut bench, btc) = bench("waits");
    bench.quote(btc, "60000.00", "60000.01");
    bench.pass(Duration::from_millis(4_900));
    assert_eq!(bench.position(btc).qty, Qty::ZERO);
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.position(btc).qty, bench.qty(btc, "0.01"));
}

#[test]
fn a_denial_says_why() {
    let (mut bench, btc) = bench("is-too-large");
    bench.quote(btc, "60000.00", "60000.01");
    let denied = bench.happened().into_iter().find_map(|happened| match happened {
        Happened::Changed { denied, .. } => denied,
        _ => None,
    });
    assert_eq!(denied, Some(DenyReason::OrderTooLarge));
}

#[test]
fn a_bar_is_what_it_was_said_to_be_and_closes_while_the_quote_is_fresh() {
    let (mut bench, btc) = bench("rests");
    bench.quote(btc, "60000.00", "60000.01");
    let _ = bench.happened();
    bench.bar(btc, ["60000", "60005", "59995", "60000"], "10");
    assert!(told(&mut bench).is_empty(), "it did not rise");
    let before = bench.now();
    bench.bar(btc, ["60000", "60030", "59990", "60020"], "10");
    assert_eq!(told(&mut bench)[0], "placed buy Market");
    assert_eq!(bench.position(btc).qty, bench.qty(btc, "0.01"), "a thousandth of its volume");
    assert!(bench.now().since(before) < 121_000_000_000, "{}", bench.now());
    assert_eq!(Time(bench.now().0 / 60_000_000_000 * 60_000_000_000).0 % 60_000_000_000, 0);
}

#[test]
fn a_bar_of_any_length_is_whole_and_its_market_is_fresh_at_its_close() {
    // Weeks begin on Mondays, not where seven days divide the time since 1970.
    for bar in ["time:1s", "time:5m", "time:4h", "time:1w"] {
        let (mut bench, btc) = bench_of("rests", bar);
        bench.quote(btc, "60000.00", "60000.01");
        let _ = bench.happened();
        bench.bar(btc, ["60000", "60030", "59990", "60020"], "10");
        assert_eq!(told(&mut bench)[0], "placed buy Market", "{bar}");
        let all_of_it = bench.qty(btc, "0.01");
        assert_eq!(bench.position(btc).qty, all_of_it, "a thousandth of its volume, of {bar}");
    }
}

#[test]
fn a_book_is_seen_whole_and_traded_against() {
    let (mut bench, btc) = bench("sees-a-book");
    bench.book(btc, &[("60000.00", "1")], &[("60000.01", "1")]);
    assert_eq!(bench.position(btc).qty, Qty::ZERO);
    bench.book(btc, &[("60000.00", "1"), ("59999.99", "2")], &[("60000.01", "1")]);
    assert_eq!(bench.position(btc).qty, bench.qty(btc, "0.01"));
}

#[test]
fn what_is_lost_and_what_an_operator_says_reaches_the_strategy() {
    let (mut bench, btc) = bench("buys");
    bench.lose(btc);
    bench.command(Command::Kill(Kill {
        scope: Scope::All,
        cause: DenyReason::Killed,
        flatten: false,
        carried: false,
    }));
    bench.quote(btc, "60000.00", "60000.01");
    assert_eq!(told(&mut bench)[1], "denied Killed");
    bench.command(Command::Release(Scope::All));
    assert!(told(&mut bench).is_empty());
}

#[test]
fn the_same_events_give_the_same_orders() {
    let run = || {
        let (mut bench, btc) = bench("brackets");
        for n in 0..50 {
            let bid = format!("{}.00", 60_000 + n % 7 * 30);
            let ask = format!("{}.01", 60_000 + n % 7 * 30);
            bench.quote(btc, &bid, &ask);
        }
        bench.finish().order_stream_sha256
    };
    assert_eq!(run(), run());
}

#[test]
fn mistakes_of_a_test_and_panics_of_a_strategy_are_told_as_such() {
    let why = |act: fn(&mut Bench, InstrumentId)| {
        let (mut bench, btc) = bench("panics");
        let panic = catch_unwind(AssertUnwindSafe(|| act(&mut bench, btc))).expect_err("it panics");
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).expect("text")
    };
    assert_eq!(
        why(|bench, btc| bench.quote(btc, "1.000000005", "1.01")),
        "price \"1.000000005\" of binance:spot:BTCUSDT: more decimals than the instrument's precision (its smallest unit is \
         0.00000001)"
    );
    assert_eq!(
        why(|bench, btc| bench.quote(btc, "1.00", "1.01")),
        "the strategy panics panicked at event 2: a quote too many"
    );
    assert_eq!(
        why(|bench, _| {
            let _ = bench.instrument("binance:spot:XYZ");
        }),
        "the configuration has no instrument \"binance:spot:XYZ\""
    );
}

#[test]
fn a_bar_in_which_a_trade_was_lost_is_handed_to_nobody() {
    let bars = |lost: bool| {
        let (mut bench, btc) = bench("rests");
        bench.quote(btc, "60000.00", "60000.01");
        bench.bar(btc, ["60000", "60000", "60000", "60000"], "10");
        if lost {
            bench.lose(btc);
            bench.quote(btc, "60000.00", "60000.01");
        }
        let _ = bench.happened();
        bench.bar(btc, ["60000", "60030", "59990", "60020"], "10");
        told(&mut bench).len()
    };
    assert!(bars(false) > 0);
    assert_eq!(bars(true), 0);
}
