//! Orders fill on bars as a trader would count it by hand, and a cross of averages earns what numpy says.

#[path = "support/recordings.rs"]
mod recordings;
mod support {
    pub mod backtest;
    pub mod history;
}

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, PlaceError, Price, Qty, Side, Time};
use algo_trader::history::Catalogue;
use algo_trader::history::catalogue::SeriesKind;
use algo_trader::history::import::{ImportKind, ImportOptions, Imported};
use algo_trader::run::Config;
use algo_trader::run::backtest::{Ran, known_to};
use algo_trader::statistics::months::monthly;
use algo_trader::statistics::outcome::buy_and_hold;
use algo_trader::statistics::periods::Sample;
use algo_trader::strategy::StrategySpec;
use support::backtest::{
    BEGIN, Happened, LIMITS, MINUTE, config, fills, minutes, quote, rows, run, some_minutes,
};
use tempfile::tempdir;

const XYZ: &str = "usa:spot:XYZ";
const QTY: Qty = Qty(1_000);
/// The bar after the entry's, in which nothing happens.
const CALM: [i64; 4] = [10_075, 10_090, 10_060, 10_081];

static SCRIPTS: &[StrategySpec] = &[
    script!("market", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).at_market().send().expect("sent");
    }),
    script!("bracket", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        let entry = ctx.bracket(xyz, Side::Buy, QTY).at_market();
        entry.stop_at(Price(9_900)).take_profit_at(Price(10_200)).send().expect("sent");
    }),
    script!("short-bracket", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        let entry = ctx.bracket(xyz, Side::Sell, QTY).at_market();
        entry.stop_at(Price(10_200)).take_profit_at(Price(9_900)).send().expect("sent");
    }),
    script!("limit", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).at_limit(Price(9_950)).send().expect("sent");
    }),
    script!("chase", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).at_limit(Price(10_100)).send().expect("sent");
    }),
    script!("near-chase", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).at_limit(Price(10_060)).send().expect("sent");
    }),
    script!("make-only", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).at_limit(Price(10_060)).post_only().send().expect("sent");
    }),
    script!("breakout", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).stop_at(Price(10_150)).send().expect("sent");
    }),
    script!("stop-limit", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        ctx.buy(xyz, QTY).stop_limit(Price(10_150), Price(10_160)).send().expect("sent");
    }),
    script!("trail", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        let entry = ctx.bracket(xyz, Side::Buy, QTY).at_market();
        entry.trail_by(Price(100)).send().expect("sent");
    }),
    script!("bracket-and-more", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            let entry = ctx.bracket(xyz, Side::Buy, QTY).at_market();
            entry.stop_at(Price(9_900)).take_profit_at(Price(10_200)).send().expect("sent");
        }
        // At the end of the last bar, so that it never fills.
        Happened::Bar(4, _) => {
            ctx.buy(xyz, QTY).at_market().send().expect("sent");
        }
        _ => {}
    }),
    script!("iceberg", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.buy(xyz, Qty(10_000)).at_limit(Price(9_950)).iceberg(QTY).send().expect("sent");
        }
        Happened::Bar(3, _) => {
            ctx.buy(xyz, QTY).at_market().send().expect("sent");
        }
        _ => {}
    }),
    script!("pair", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.buy(xyz, QTY).at_market().send().expect("sent");
        }
        Happened::Bar(2, _) => {
            let target = ctx.sell(xyz, QTY).at_limit(Price(10_200)).send().expect("sent");
            let stop = ctx.sell(xyz, QTY).stop_at(Price(9_900)).send().expect("sent");
            ctx.one_cancels_other(target, stop).expect("linked");
        }
        _ => {}
    }),
    script!("post-only", |ctx, xyz, what| if let Happened::Quote(1, top) = what {
        // At the open of the second bar: what would trade at once is refused.
        if top.ask.price == Price(10_075) {
            ctx.buy(xyz, QTY).at_limit(Price(10_080)).post_only().send().expect("sent");
        }
    }),
    script!("post-only-first", |ctx, xyz, what| {
        if let Happened::Quote(1, top) = what
            && top.ask.price == Price(10_075)
        {
            ctx.buy(xyz, QTY).post_only().at_limit(Price(10_080)).send().expect("sent");
        }
    }),
    script!("unclear", |ctx, xyz, what| if let Happened::Bar(1, _) = what {
        use PlaceError::{BadIceberg, BadTimeInForce, BadTrigger, Contradictory, NotYours};
        let (stop, limit) = (Price(10_150), Price(10_160));
        // Whichever is said first.
        assert_eq!(ctx.buy(xyz, QTY).stop_at(stop).at_limit(limit).send(), Err(Contradictory));
        assert_eq!(ctx.buy(xyz, QTY).at_limit(limit).stop_at(stop).send(), Err(Contradictory));
        assert_eq!(ctx.buy(xyz, QTY).trail_by_bps(50).at_market().send(), Err(Contradictory));
        assert_eq!(ctx.buy(xyz, QTY).at_market().trail_by_bps(50).send(), Err(Contradictory));
        assert_eq!(ctx.buy(xyz, QTY).at_limit(limit).at_limit(stop).send(), Err(Contradictory));
        let both = ctx.buy(xyz, QTY).at_limit(limit).immediate_or_cancel().fill_or_kill();
        assert_eq!(both.send(), Err(Contradictory));
        let entry = ctx.bracket(xyz, Side::Buy, QTY).at_limit(limit).at_breakout(stop);
        assert_eq!(entry.stop_at(Price(9_900)).send(), Err(Contradictory));
        for (side, limit, stop, target) in [
            (Side::Buy, 10_050, 10_200, 10_100),
            (Side::Buy, 10_050, 10_050, 10_200),
            (Side::Buy, 10_050, 10_060, 10_200),
            (Side::Sell, 10_150, 9_900, 10_000),
            (Side::Sell, 10_150, 10_150, 10_000),
        ] {
            let entry = ctx.bracket(xyz, side, QTY).at_limit(Price(limit));
            let entry = entry.stop_at(Price(stop)).take_profit_at(Price(target));
            assert_eq!(entry.send(), Err(Contradictory), "{side:?} at {limit}, {stop} to {target}");
        }
        assert_eq!(ctx.buy(xyz, QTY).at_limit(limit).iceberg(Qty(0)).send(), Err(BadIceberg));
        assert_eq!(ctx.buy(xyz, QTY).stop_at(stop).post_only().send(), Err(BadTrigger));
        assert_eq!(ctx.bracket(xyz, Side::Buy, QTY).at_market().send(), Err(BadTrigger), "no way out");
        let both = ctx.buy(xyz, QTY).post_only().at_limit(Price(9_000)).immediate_or_cancel();
        assert_eq!(both.send(), Err(BadTimeInForce));
        assert_eq!(ctx.buy(InstrumentId(9), QTY).send(), Err(NotYours));
    }),
    script!("two-stops", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.buy(xyz, QTY).at_market().send().expect("sent");
        }
        Happened::Bar(2, _) => {
            // Each on its own: nobody said that they only reduce.
            ctx.sell(xyz, QTY).stop_at(Price(9_950)).send().expect("sent");
            ctx.sell(xyz, Qty(400)).stop_at(Price(9_900)).send().expect("sent");
        }
        _ => {}
    }),
    script!("exit-pair", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.buy(xyz, QTY).at_limit(Price(9_950)).send().expect("sent");
        }
        Happened::Fill(fill) if fill.side == Side::Buy => {
            let target = ctx.sell(xyz, QTY).take_profit_limit(Price(10_100), Price(10_120));
            let target = target.send().expect("sent");
            let stop = ctx.sell(xyz, QTY).stop_at(Price(9_000)).send().expect("sent");
            ctx.one_cancels_other(target, stop).expect("linked");
        }
        _ => {}
    }),
    script!("exit-alone", |ctx, xyz, what| match what {
        Happened::Bar(1, _) => {
            ctx.buy(xyz, QTY).at_limit(Price(9_950)).send().expect("sent");
        }
        Happened::Fill(fill) if fill.side == Side::Buy => {
            let target = ctx.sell(xyz, QTY).take_profit_limit(Price(10_100), Price(10_120));
            target.send().expect("sent");
        }
        _ => {}
    }),
    script!("late-stop", |ctx, xyz, what| if let Happened::Bar(3, bar) = what {
        // A bar that closed is over: a stop within it does not fill in it.
        assert_eq!(bar.low, Price(9_800));
        ctx.sell(xyz, QTY).stop_at(Price(9_900)).send().expect("sent");
    }),
];

/// What `strategy` trades over these bars: (minute, signed quantity, price).
fn traded(strategy: &str, settings: &str, bars: &[[i64; 4]]) -> Vec<(u64, i64, i64)> {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, bars);
    let text = format!("{settings}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    assert_eq!(config.instruments.all()[0].price_decimals, 2, "prices of these tests are in hundredths");
    let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{strategy}: {e}"));
    assert!(ran.summary.denials.is_empty(), "{strategy}: {:?}", ran.summary.denials);
    assert_eq!(ran.outcome.equity.last().map(|p| p.time.0), Some(BEGIN + bars.len() as u64 * MINUTE));
    fills(&ran)
}

/// What a wallet of so much is left with, and how many orders were filled, rejected and expired, of `strategy`.
fn paid(strategy: &str, settings: &str, balance: &str, bars: &[[i64; 4]]) -> (i128, usize) {
    let (left, filled, denied) = charged(strategy, settings, FeeRate(0), balance, bars);
    assert_eq!(denied, 0, "{strategy}");
    (left, filled)
}

/// The same of an instrument with a taker's fee of its own; and how many orders were denied.
fn charged(
    strategy: &str,
    settings: &str,
    taker_fee: FeeRate,
    balance: &str,
    bars: &[[i64; 4]],
) -> (i128, usize, u64) {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, bars);
    let text = format!(
        "{settings}\n[paper.balances.\"usa:spot\"]\nUSD = \"{balance}\"\n[[strategy]]\nname = \"{strategy}\"\n\
         instruments = [\"{XYZ}\"]"
    );
    let (mut config, catalogue) = config(dir.path(), &[XYZ], &text);
    // What risk holds to be the worst is nearer than what slippage makes of it.
    config.risk.limits.price_collar_bps = 0;
    let of = config.instruments.all()[0].clone();
    config.instruments = InstrumentTable::new(vec![Instrument { taker_fee, ..of }]).expect("one");
    let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{strategy}: {e}"));
    let usd = ran.summary.balances.iter().find(|of| of.asset == "USD").expect("a wallet");
    assert_eq!(usd.locked, 0, "{strategy} {balance}");
    let left = usd.total / 10i128.pow(u32::from(usd.decimals) - 2);
    (left, ran.outcome.fills.len(), ran.summary.denials.iter().map(|denial| denial.1).sum())
}

#[test]
fn a_wallet_pays_slippage_or_the_order_does_not_trade() {
    let slipped = "[backtest]\nslippage_ticks = 30";
    let bars = [FIRST, CALM, [10_081, 10_300, 10_000, 10_200], CALM];
    // A share at 100.75 and 0.30; at 101.50 and 0.30.
    assert_eq!(paid("market", slipped, "101.05", &bars), (0, 1));
    assert_eq!(paid("market", slipped, "101.04", &bars), (10_104, 0));
    assert_eq!(paid("market", "", "101.04", &bars), (29, 1));
    assert_eq!(paid("breakout", slipped, "101.80", &bars), (0, 1));
    assert_eq!(paid("breakout", slipped, "101.79", &bars), (10_179, 0));
    // A stop that the open is beyond.
    let gap = [FIRST, CALM, [10_400, 10_500, 10_300, 10_450]];
    assert_eq!(paid("breakout", slipped, "104.30", &gap), (0, 1));
    assert_eq!(paid("breakout", slipped, "104.29", &gap), (10_429, 0));
}

#[test]
fn a_wallet_pays_the_fee_that_is_charged_or_the_order_does_not_trade() {
    let bars = [FIRST, CALM, [10_081, 10_300, 9_900, 10_200], CALM];
    let tier =
        |taker: &str| format!("[[backtest.tier]]\nvolume = \"0\"\nmaker = \"0.001\"\ntaker = \"{taker}\"");
    let at_two = |balance: &str| charged("market", &tier("0.02"), FeeRate(0), balance, &bars);
    // A share at 100.75 and 2 %, which is 2.015.
    assert_eq!(at_two("102.765"), (0, 1, 0));
    assert_eq!(at_two("102.76499999"), (10_276, 0, 0), "it was 100.51 when it was sent");
    assert_eq!(at_two("102.52"), (10_252, 0, 1), "and 2.0102 with that");
    // Whichever of its two fees a limit at 99.50 comes to, and of several tiers the dearest.
    let bid = |balance: &str| charged("limit", &tier("0.02"), FeeRate(0), balance, &bars);
    assert_eq!((bid("101.49").1, bid("101.48999999").2), (1, 1));
    let tiers = format!("{}\n{}", tier("0"), tier("0.02").replace("\"0\"", "\"1000\""));
    let of_two = |balance: &str| charged("limit", &tiers, FeeRate(0), balance, &bars);
    assert_eq!((of_two("101.49").1, of_two("101.48999999").2), (1, 1));
    // Tiers are in place of the instrument's own fee, and without one a rebate makes nothing cheaper beforehand.
    let own = |settings: &str, balance: &str| charged("market", settings, FeeRate(2_000_000), balance, &bars);
    assert_eq!(own("", "102.765"), (0, 1, 0));
    assert_eq!(own("", "102.76499999").1, 0);
    let none = tier("0").replace("0.001", "0");
    assert_eq!(own(&none, "100.75"), (0, 1, 0));
    assert_eq!(own(&none, "100.74999999").1, 0);
    let rebate = none.replace("maker = \"0\"", "maker = \"-0.001\"");
    assert_eq!(own(&rebate, "100.75"), (0, 1, 0));
}

const FIRST: [i64; 4] = [10_000, 10_100, 9_990, 10_051];

#[test]
fn a_market_order_fills_at_the_next_bars_open() {
    assert_eq!(traded("market", "", &[FIRST, CALM, CALM]), [(1, 1_000, 10_075)]);
    assert_eq!(traded("market", "", &[FIRST]), [], "there is no next bar");
    let slipped = "[backtest]\nslippage_bps = 10\nslippage_ticks = 3\nimpact_bps = 100";
    // 10.075 up, 3, and 1 of 1,000 shares of the first bar's volume is 0.1 bp: 0.1 up.
    assert_eq!(traded("market", slipped, &[FIRST, CALM]), [(1, 1_000, 10_075 + 11 + 3 + 1)]);
}

#[test]
fn bars_that_orders_fill_by_are_not_read_beside_quotes() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &[FIRST, CALM, CALM]);
    let quotes: Vec<_> =
        (0..12).map(|n| quote(BEGIN + n * 15_000_000_000 + 1, (10_040, 9_000), (10_042, 9_000))).collect();
    rows(dir.path(), XYZ, SeriesKind::Quotes, &quotes);
    let ran = |settings: &str| {
        let text = format!(
            "[backtest]\nfill = \"bars\"\n{settings}\n[[strategy]]\nname = \"market\"\ninstruments = [\"{XYZ}\"]"
        );
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        run(&config, &catalogue, SCRIPTS)
    };
    let error = ran("").expect_err("its market would be in two places");
    assert!(error.is_of_usage() && error.to_string().contains("--series bars-1m"), "{error}");
    let alone = ran("series = [\"bars-1m\"]").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(fills(&alone), [(1, 1_000, 10_075)], "at the next bar's open");
}

#[test]
fn of_stop_and_target_in_one_bar_the_worse_is_first_unless_told_otherwise() {
    let both = [10_081, 10_300, 9_800, 10_000];
    let bars = [FIRST, CALM, both];
    let path = |rule: &str| format!("[backtest]\npath = \"{rule}\"");
    let entry = (1, 1_000, 10_075);
    assert_eq!(traded("bracket", "", &bars), [entry, (2, -1_000, 9_900)]);
    assert_eq!(traded("bracket", &path("favourable"), &bars), [entry, (2, -1_000, 10_200)]);
    assert_eq!(traded("bracket", &path("high-first"), &bars), [entry, (2, -1_000, 10_200)]);
    assert_eq!(traded("bracket", &path("low-first"), &bars), [entry, (2, -1_000, 9_900)]);
    // 281 down, 219 up: the high is nearer.
    assert_eq!(traded("bracket", &path("nearest"), &bars), [entry, (2, -1_000, 10_200)]);
    let entry = (1, -1_000, 10_075);
    assert_eq!(traded("short-bracket", "", &bars), [entry, (2, 1_000, 10_200)]);
    assert_eq!(traded("short-bracket", &path("favourable"), &bars), [entry, (2, 1_000, 9_900)]);
    assert_eq!(traded("pair", "", &bars), [(1, 1_000, 10_075), (2, -1_000, 9_900)]);
    assert_eq!(traded("pair", &path("favourable"), &bars), [(1, 1_000, 10_075), (2, -1_000, 10_200)]);
}

#[test]
fn gaps_fill_at_the_open() {
    let entry = (1, 1_000, 10_075);
    let down = [9_701, 9_800, 9_600, 9_750];
    assert_eq!(traded("bracket", "", &[FIRST, CALM, down]), [entry, (2, -1_000, 9_701)]);
    let up = [10_401, 10_500, 10_390, 10_450];
    assert_eq!(traded("bracket", "", &[FIRST, CALM, up]), [entry, (2, -1_000, 10_401)]);
    assert_eq!(traded("limit", "", &[FIRST, CALM, down]), [(2, 1_000, 9_701)], "better than its limit");
    assert_eq!(traded("breakout", "", &[FIRST, CALM, up]), [(2, 1_000, 10_401)], "worse than its stop");
    assert_eq!(traded("stop-limit", "", &[FIRST, CALM, up]), [], "the open is beyond its limit");
}

#[test]
fn what_the_entrys_open_was_beyond_already_fills_there_and_no_nearer_its_trigger() {
    // Bought at 97.00, the low, with a stop at 99.00: the path rises at once, and stays below it.
    let low = [9_700, 9_850, 9_700, 9_800];
    assert_eq!(traded("bracket", "", &[FIRST, low]), [(1, 1_000, 9_700), (1, -1_000, 9_700)]);
    let high = [10_400, 10_400, 10_250, 10_300];
    let entry = (1, -1_000, 10_400);
    assert_eq!(traded("short-bracket", "", &[FIRST, high]), [entry, (1, 1_000, 10_400)]);
    // Sold at 97.00, with a target at 99.00: that is no worse for the path's going up first.
    let under = [9_700, 9_850, 9_650, 9_800];
    let entry = (1, -1_000, 9_700);
    assert_eq!(traded("short-bracket", "", &[FIRST, under]), [entry, (1, 1_000, 9_700)]);
}

#[test]
fn what_a_close_triggers_does_not_fill_at_the_open_that_comes_at_its_moment() {
    // Bought at 98.50, below its stop at 99.00, in a bar that does not move: the close triggers it, and it was there all the
    // time. The next open is far lower, at the same moment or a minute later.
    let (flat, crash) = ([9_850; 4], [8_000, 8_100, 7_900, 8_000]);
    let left = [(1, 1_000, 9_850), (2, -1_000, 9_850)];
    assert_eq!(traded("bracket", "", &[FIRST, flat, crash, crash]), left);
    let dir = tempdir().expect("a directory");
    some_minutes(dir.path(), XYZ, &[(0, FIRST), (1, flat), (3, crash), (4, crash)]);
    let text = format!("[[strategy]]\nname = \"bracket\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    assert_eq!(fills(&run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"))), left);
    // It fell to 10,075, rose to 10,300, so 100 below is 10,200, and passed that on the way to its close.
    let trail = [10_081, 10_300, 10_075, 10_150];
    let (entry, down) = ((1, 1_000, 10_075), "[backtest]\npath = \"low-first\"");
    assert_eq!(traded("trail", down, &[FIRST, CALM, trail, [9_000; 4]]), [entry, (3, -1_000, 10_200)]);
    assert_eq!(traded("trail", down, &[FIRST, CALM, trail, [10_400; 4]]), [entry, (3, -1_000, 10_200)]);
    // One that the close did not come to meets the gap.
    let near = [10_081, 10_300, 10_075, 10_210];
    assert_eq!(traded("trail", down, &[FIRST, CALM, near, [9_000; 4]]), [entry, (3, -1_000, 9_000)]);
}

#[test]
fn a_held_limit_that_a_close_triggers_takes_what_the_next_open_makes_of_it_as_one_that_rests_there_does() {
    // Bought at 99.50 on the way to the low; the close at 101.10 triggers, at 101.00, what is to sell at 101.20.
    let (path, entry) = ("[backtest]\npath = \"high-first\"", [10_081, 10_120, 9_940, 10_110]);
    for (next, sold) in [
        ([10_150, 10_160, 10_140, 10_150], 10_150),
        ([10_105, 10_140, 10_090, 10_100], 10_120),
        ([10_000, 10_140, 9_990, 10_100], 10_120),
    ] {
        for strategy in ["exit-pair", "exit-alone"] {
            let left = traded(strategy, path, &[FIRST, entry, next, next]);
            assert_eq!(left, [(1, 1_000, 9_950), (2, -1_000, sold)], "{strategy} {next:?}");
        }
    }
}

#[test]
fn an_exit_that_takes_longer_than_a_bar_meets_the_market_as_it_is_then() {
    let latency = |latency: &str| format!("[backtest]\norder_latency = \"{latency}\"");
    let fall = [10_000, 10_010, 9_850, 9_860];
    let bars = [FIRST, CALM, CALM, fall, [9_700, 9_710, 9_600, 9_650], [9_550, 9_560, 9_500, 9_510]];
    let exit = |of: &str| traded("bracket", &latency(of), &bars).last().copied();
    // The low of the fourth bar passes the stop, at 20 seconds.
    for short in ["1ms", "10s", "59s"] {
        let minute = if short == "59s" { 4 } else { 3 };
        assert_eq!(exit(short), Some((minute, -1_000, 9_900)), "{short}");
    }
    // 90 seconds later the next bar is at its high.
    assert_eq!(exit("90s"), Some((4, -1_000, 9_710)));
    // Where a bar has just closed it waits for the next, as any market order does.
    let dir = tempdir().expect("a directory");
    let bars = [(0, FIRST), (1, CALM), (2, CALM), (3, fall), (7, [9_550, 9_560, 9_500, 9_510])];
    some_minutes(dir.path(), XYZ, &bars);
    let text = format!("{}\n[[strategy]]\nname = \"bracket\"\ninstruments = [\"{XYZ}\"]", latency("90s"));
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(fills(&ran).last(), Some(&(7, -1_000, 9_550)));
}

#[test]
fn a_limit_that_crosses_the_last_close_takes_at_the_next_open_and_pays_for_it() {
    // The first bar closes at 100.51, and the next opens a minute later, at 100.75: the order is there in between.
    let traded = |strategy: &str, ticks: u32, last: &[[i64; 4]]| {
        let dir = tempdir().expect("a directory");
        let bars: Vec<(u64, [i64; 4])> =
            [(0, FIRST), (2, CALM)].into_iter().chain((3..).zip(last.iter().copied())).collect();
        some_minutes(dir.path(), XYZ, &bars);
        let text = format!(
            "[backtest]\nslippage_ticks = {ticks}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{XYZ}\"]"
        );
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        fills(&run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{strategy}: {e}")))
    };
    assert_eq!(traded("market", 20, &[]), [(2, 1_000, 10_095)]);
    assert_eq!(traded("chase", 20, &[]), [(2, 1_000, 10_095)], "as at the market");
    assert_eq!(traded("chase", 40, &[]), [(2, 1_000, 10_100)], "no further than its limit");
    // The open is beyond the limit: it rests, and makes.
    assert_eq!(traded("near-chase", 20, &[]), []);
    let fall = [10_080, 10_085, 9_800, 9_850];
    assert_eq!(traded("near-chase", 20, &[fall]), [(3, 1_000, 10_060)]);
    assert_eq!(traded("make-only", 20, &[fall]), [], "it would have taken");
}

#[test]
fn resting_orders_fill_where_the_path_passes_them() {
    let touch = "[paper]\nfill = \"touch\"";
    let at = [10_080, 10_090, 9_950, 10_000];
    let through = [10_080, 10_090, 9_949, 10_000];
    assert_eq!(traded("limit", "", &[FIRST, CALM, at]), []);
    assert_eq!(traded("limit", touch, &[FIRST, CALM, at]), [(2, 1_000, 9_950)]);
    assert_eq!(traded("limit", "", &[FIRST, CALM, through]), [(2, 1_000, 9_950)]);
    let rise = [10_080, 10_155, 10_070, 10_100];
    assert_eq!(traded("breakout", "", &[FIRST, CALM, rise]), [(2, 1_000, 10_150)]);
    assert_eq!(traded("stop-limit", "", &[FIRST, CALM, rise]), [(2, 1_000, 10_150)]);
    // A limit that the path only came to is passed where it goes on from there: from the open, or the next bar's.
    let from = [9_950, 9_960, 9_900, 9_940];
    let down = "[backtest]\npath = \"low-first\"";
    assert_eq!(traded("limit", down, &[FIRST, CALM, from]), [(2, 1_000, 9_950)], "from the open");
    assert_eq!(traded("limit", down, &[FIRST, CALM, at, from]), [(3, 1_000, 9_950)], "better late");
    assert_eq!(traded("limit", "", &[FIRST, CALM, [9_950, 9_960, 9_950, 9_955]]), [], "it turned there");
    // It rose to 10,300, so 100 below is 10,200; the fall to 10,150 passes that.
    let trail = [10_081, 10_300, 10_075, 10_150];
    let first_up = "[backtest]\npath = \"high-first\"";
    assert_eq!(traded("trail", first_up, &[FIRST, CALM, trail]), [(1, 1_000, 10_075), (2, -1_000, 10_200)]);
    assert_eq!(traded("post-only", "", &[FIRST, CALM, CALM]), []);
    assert_eq!(traded("post-only-first", "", &[FIRST, CALM, CALM]), [], "in whatever order it is said");
    assert_eq!(traded("unclear", "", &[FIRST, CALM, CALM]), []);
    let fall = [10_080, 10_085, 9_800, 9_850];
    let expected = [(1, 1_000, 10_075), (2, -1_000, 9_950), (2, -400, 9_900)];
    assert_eq!(traded("two-stops", "", &[FIRST, CALM, fall]), expected, "the nearer first");
    assert_eq!(traded("late-stop", "", &[FIRST, CALM, fall, CALM]), [], "10,075 is above the stop again");
}

#[test]
fn an_iceberg_is_one_order_to_rules_on_repeats() {
    let repeats = "duplicate_window_ms = 1000\nsame_way_max = 5\nsame_way_window_ms = 3600000";
    let bars = [FIRST, CALM, [9_990, 9_995, 9_800, 9_850], [9_860, 9_870, 9_850, 9_865]];
    let traded = traded("iceberg", repeats, &bars);
    // Ten parts, one after the other, and an order that is the second to trade this way.
    let qtys: Vec<_> = traded.iter().map(|(minute, qty, _)| (*minute, *qty)).collect();
    assert_eq!(qtys, [[(2, 1_000); 10].as_slice(), &[(3, 1_000)]].concat());
    assert!(traded.iter().all(|(_, _, price)| *price <= 9_950), "{traded:?}");
}

/// A cross of averages over SPY, with parts of a share that small; none where there are no recordings.
fn spy(qty_decimals: u8) -> Option<(Config, Ran)> {
    let folder = recordings::folder("stocks")?;
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("history");
    let options = ImportOptions::default();
    let imported =
        support::history::import(&history, ImportKind::Stocks, &folder.join("daily/spy.zip"), &options);
    assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
    let catalogue = Catalogue::open(&history).expect("a history");
    let more = known_to(&catalogue, &["usa:spot:SPY".into()], &[], qty_decimals);
    let text = format!(
        "{LIMITS}\n[[strategy]]\nname = \"ma-cross\"\ninstruments = [\"usa:spot:SPY\"]\n[strategy.params]\n\
         fast = 20\nslow = 50\ncapital = \"100000\"\nstop_bps = 0"
    );
    let config = Config::from_text_and(&text, "spy.toml", dir.path(), &more).expect("good");
    let ran = run(&config, &catalogue, &[]).expect("runs");
    Some((config, ran))
}

/// The day of New York in which it began.
fn day(time: Time) -> String {
    let stamp = jiff::Timestamp::from_nanosecond(time.0.into()).expect("a time");
    let new_york = jiff::tz::TimeZone::get("America/New_York").expect("bundled");
    stamp.to_zoned(new_york).strftime("%Y%m%d").to_string()
}

#[test]
fn a_cross_over_spy_in_whole_shares_makes_the_trades_that_backtesting_py_makes() {
    let Some((config, ran)) = spy(0) else { return };
    let outcome = &ran.outcome;
    let text = include_str!("expected/backtesting_spy.json");
    let expected: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let unit = 10f64.powi(config.instruments.all()[0].price_decimals.into());
    let shares = 10i64.pow(config.instruments.all()[0].qty_decimals.into());
    let trades = expected["trades"].as_array().expect("trades");
    assert!(trades.len() > 50 && outcome.trips.len() == trades.len(), "{}", outcome.trips.len());
    for (trip, trade) in outcome.trips.iter().zip(trades) {
        let (entered, qty) = (trade[0].as_str().expect("a day"), trade[1].as_i64().expect("shares"));
        assert_eq!((entered, qty * shares), (day(trip.entry_time).as_str(), trip.qty.0), "{trade}");
        assert_eq!(trade[3].as_str().map(str::to_owned), trip.exit_time.map(day));
        let entry = trip.entry_value.0 as f64 / trip.qty.0 as f64 / unit;
        assert!((entry / trade[2].as_f64().expect("a price") - 1.0).abs() < 1e-12, "{trade}: {entry}");
        if let Some(price) = trade[4].as_f64() {
            let exit = trip.exit_value.0 as f64 / trip.exit_qty.0 as f64 / unit;
            assert!((exit / price - 1.0).abs() < 1e-12, "{trade}: {exit}");
        }
    }
    let (equity, wanted) = (outcome.number(outcome.end()), expected["equity"].as_f64().expect("a number"));
    assert!((equity / wanted - 1.0).abs() < 1e-9, "{equity} is not {wanted}");
}

#[test]
fn a_cross_over_spy_earns_what_numpy_says() {
    let Some((config, ran)) = spy(9) else { return };
    let outcome = &ran.outcome;

    let expected: serde_json::Value = serde_json::from_str(include_str!("backtest_spy.json")).expect("JSON");
    let trades = expected["trades"].as_array().expect("trades");
    assert_eq!(outcome.trips.len(), trades.len());
    let unit = 10f64.powi(config.instruments.all()[0].price_decimals.into());
    for (trip, trade) in outcome.trips.iter().zip(trades) {
        assert_eq!(trade[0], day(trip.entry_time));
        let entry = trip.entry_value.0 as f64 / trip.qty.0 as f64 / unit;
        assert!((entry / trade[1].as_f64().expect("a price") - 1.0).abs() < 1e-12, "{trade}: {entry}");
        assert_eq!(trade[2].as_str().map(str::to_owned), trip.exit_time.map(day));
        if let Some(price) = trade[3].as_f64() {
            let exit = trip.exit_value.0 as f64 / trip.exit_qty.0 as f64 / unit;
            assert!((exit / price - 1.0).abs() < 1e-12, "{trade}: {exit}");
        }
    }
    let (equity, wanted) = (outcome.number(outcome.end()), expected["equity"].as_f64().expect("a number"));
    assert!((equity / wanted - 1.0).abs() < 1e-9, "{equity} is not {wanted}");
    let profit: i128 = outcome.trips.iter().map(|trip| trip.profit).sum();
    assert_eq!(outcome.start + profit, outcome.end(), "round trips add up to what was gained");
}

#[test]
fn equity_is_taken_at_closes_not_on_a_guessed_path() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &[FIRST, CALM, [10_081, 10_300, 9_800, 10_000], CALM]);
    let text = format!(
        "[backtest]\nequity_seconds = 1\nbalance = \"1000\"\n[[strategy]]\nname = \"market\"\ninstruments = [\"{XYZ}\"]"
    );
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    let ran = run(&config, &catalogue, SCRIPTS).expect("runs");
    let points =
        ran.outcome.equity.iter().map(|p| ((p.time.0 - BEGIN) / MINUTE, ran.outcome.number(p.equity)));
    // One share bought at 100.75 in the second bar.
    let expected = [(0, 1_000.0), (1, 1_000.0), (2, 1_000.06), (3, 999.25), (4, 1_000.06)];
    assert_eq!(points.collect::<Vec<_>>(), expected);
    let prices: Vec<_> = ran.outcome.prices.iter().map(|p| p.price.0).collect();
    assert_eq!(prices, [10_000, 10_051, 10_081, 10_000, 10_081]);
}

#[test]
fn months_are_those_of_the_days_that_were_traded_however_seldom_equity_is_taken() {
    let dir = tempdir().expect("a directory");
    // Days of New York, which end at 05:00 UTC of the day after, in summer an hour sooner; each closes at another price.
    let days: Vec<jiff::civil::Date> = jiff::civil::date(2024, 1, 22)
        .series(jiff::ToSpan::days(1))
        .filter(|day| !matches!(day.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday))
        .take_while(|day| day.month() < 5)
        .collect();
    let close = |at: usize| 100 + (at * 37 % 20) as u64;
    let text: String = (0..days.len())
        .map(|at| {
            let (open, close) = (close(at.saturating_sub(1)), close(at));
            let [open, high, low, close] =
                [open, open.max(close), open.min(close), close].map(|p| p * 10_000);
            format!("{} 00:00,{open},{high},{low},{close},500\n", days[at].strftime("%Y%m%d"))
        })
        .collect();
    std::fs::create_dir(dir.path().join("daily")).expect("made");
    let path = support::history::plain(dir.path(), "daily/xyz.csv", &text);
    let history = dir.path().join("history");
    let imported = support::history::import(&history, ImportKind::Stocks, &path, &ImportOptions::default());
    assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
    // One share, bought where the second day opens, at the first one's close; a month ends with the close of its last day.
    let mut expected = Vec::new();
    let mut before = 1_000.0;
    for month in 1..=4 {
        let last = days.iter().rposition(|day| day.month() == month).expect("days of each month");
        let worth = (1_000 + close(last) - close(0)) as f64;
        expected.push((month as u8, worth / before - 1.0));
        before = worth;
    }
    for seconds in [60, 3_600, 14_400, 43_200, 86_400] {
        let text = format!(
            "[backtest]\nequity_seconds = {seconds}\nbalance = \"1000\"\n[[strategy]]\nname = \"market\"\n\
             instruments = [\"{XYZ}\"]"
        );
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let ran = run(&config, &catalogue, SCRIPTS).expect("runs");
        let points: Vec<Sample> =
            ran.outcome.equity.iter().map(|p| Sample::new(p.time, ran.outcome.number(p.equity))).collect();
        let months = monthly(&points);
        assert_eq!(months.len(), expected.len(), "{seconds} s: {months:?}");
        for (month, (number, wanted)) in months.iter().zip(&expected) {
            assert_eq!(month.month, *number, "{seconds} s");
            assert!((month.value - wanted).abs() < 1e-12, "{seconds} s: {months:?} is not {expected:?}");
        }
    }
}

#[test]
fn what_it_is_compared_with_holds_every_instrument_from_its_first_price_on() {
    let dir = tempdir().expect("a directory");
    let (abc, late) = ("usa:spot:ABC", "usa:spot:LATE");
    minutes(dir.path(), XYZ, &[[10_000, 10_100, 9_990, 10_050], [10_050, 10_060, 10_000, 10_060]]);
    minutes(dir.path(), abc, &[[20_000, 22_000, 19_000, 22_000], [22_000, 22_000, 20_500, 21_000]]);
    some_minutes(dir.path(), late, &[(1, [5_000, 5_000, 4_000, 4_000])]);
    let all = [XYZ, abc, late];
    let strategy = |name| {
        format!("[[strategy]]\nname = \"market\"\nlabel = \"{name}\"\ninstruments = [\"usa:spot:{name}\"]\n")
    };
    let text = ["XYZ", "ABC", "LATE"].map(strategy).concat();
    let (config, catalogue) =
        config(dir.path(), &all, &format!("[backtest]\nequity_seconds = 60\nbalance = \"100000\"\n{text}"));
    let ran = run(&config, &catalogue, SCRIPTS).expect("runs");
    let held = buy_and_hold(&ran.outcome);
    // Bought in equal parts at the first price of each, the third a minute later; till then its part is money.
    let expected = [(0, [1.0, 1.0, 1.0]), (1, [1.005, 1.1, 1.0]), (2, [1.006, 1.05, 0.8])];
    let worth = |parts: [f64; 3]| parts.iter().sum::<f64>() / 3.0;
    assert_eq!(held.len(), expected.len(), "{held:?}");
    for (point, (minute, parts)) in held.iter().zip(expected) {
        assert_eq!((point.time.0 - BEGIN) / MINUTE, minute);
        assert!((point.value - worth(parts)).abs() < 1e-12, "{held:?}");
    }
}

#[test]
fn slippage_is_what_a_fill_cost_against_the_price_that_decided_it() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &[FIRST, CALM, [10_081, 10_300, 9_800, 10_000]]);
    let text = format!("[[strategy]]\nname = \"bracket\"\ninstruments = [\"{XYZ}\"]");
    let (config, catalogue) = config(dir.path(), &[XYZ], &text);
    let ran = run(&config, &catalogue, SCRIPTS).expect("runs");
    assert_eq!(fills(&ran), [(1, 1_000, 10_075), (2, -1_000, 9_900)]);
    let decided: Vec<_> = ran.outcome.fills.iter().map(|fill| fill.decided).collect();
    // The entry by the close before; the stop by its own price, at which it fills: it costs nothing.
    assert_eq!(decided, [Some([Price(10_051); 2]), Some([Price(9_900); 2])]);
    let all = algo_trader::statistics::outcome::of_outcome(&ran.outcome, &Default::default());
    // One share: 24 cents, of 100.51 and 99.00 that both would have come to.
    let (cost, bps) = (all.slippage.expect("known"), all.slippage_bps.expect("known"));
    assert!((cost - 0.24).abs() < 1e-12 && (bps - 0.24 / 199.51 * 1e4).abs() < 1e-9, "{cost} {bps}");
}

#[test]
fn how_old_a_book_is_is_not_asked_where_there_are_bars_alone() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &[FIRST, CALM, CALM]);
    let text = format!("{LIMITS}\n[[strategy]]\nname = \"market\"\ninstruments = [\"{XYZ}\"]");
    for age in ["book_age_ms_max = 1", ""] {
        let text = text.replace("book_age_ms_max = \"none\"", age);
        let catalogue = Catalogue::open(&dir.path().join("history")).expect("there");
        let more = known_to(&catalogue, &[XYZ.to_owned()], &[], 3);
        let config = Config::from_text_and(&text, "t.toml", dir.path(), &more).expect("good");
        let ran = run(&config, &catalogue, SCRIPTS).expect("runs");
        assert_eq!((fills(&ran), ran.summary.denials), (vec![(1, 1_000, 10_075)], vec![]), "{age:?}");
    }
}

#[test]
fn a_protection_leaves_after_a_loss_limit_as_it_does_without_one() {
    let dir = tempdir().expect("a directory");
    // Bought at 100.75, 1.15 are lost at 99.60.
    let lost = [10_060, 10_070, 9_950, 9_960];
    for (last, left) in [([9_955, 9_960, 9_800, 9_850], 9_900), ([9_955, 10_300, 9_950, 10_250], 10_200)] {
        let history = dir.path().join(left.to_string());
        std::fs::create_dir(&history).expect("a directory");
        minutes(&history, XYZ, &[FIRST, CALM, lost, last]);
        let catalogue = Catalogue::open(&history.join("history")).expect("a history is there");
        for (limit, denied) in [("none", 0), ("1", 1)] {
            let limit = format!("losses.strategy_drawdown_max = \"{limit}\"");
            let limits = LIMITS.replace("losses.strategy_drawdown_max = \"none\"", &limit);
            let text =
                format!("{limits}\n[[strategy]]\nname = \"bracket-and-more\"\ninstruments = [\"{XYZ}\"]");
            let more = known_to(&catalogue, &[XYZ.into()], &[], 3);
            let config = Config::from_text_and(&text, "test.toml", &history, &more);
            let config = config.unwrap_or_else(|e| panic!("{e}"));
            let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(fills(&ran), [(1, 1_000, 10_075), (3, -1_000, left)], "{limit}");
            let stopped = ran.summary.denials.iter().map(|of| (of.0, of.1)).collect::<Vec<_>>();
            let expected: &[_] = if denied == 0 { &[] } else { &[("strategy-drawdown", denied)] };
            assert_eq!(stopped, expected, "{limit}: the limit was met before");
            assert_eq!(ran.summary.execution.cancels, 0, "{limit}: nothing that leaves is taken back");
        }
    }
}

#[test]
fn a_loss_over_its_limit_is_seen_at_the_bar_that_makes_it() {
    let dir = tempdir().expect("a directory");
    let fall = |from: i64| [from, from, from - 500, from - 500];
    // Bought at 100.75; 50 are lost within the third bar after.
    let bars = [FIRST, CALM, fall(10_000), fall(9_500), fall(9_000), fall(8_500)];
    minutes(dir.path(), XYZ, &bars);
    let catalogue = Catalogue::open(&dir.path().join("history")).expect("a history is there");
    let traded = |limit: &str, path: &str| {
        let limits = LIMITS.replace("losses.drawdown_max = \"none\"", limit);
        let text = format!(
            "{limits}\nlosses.flatten = true\n[backtest]\npath = \"{path}\"\n[[strategy]]\n\
             name = \"market\"\ninstruments = [\"{XYZ}\"]"
        );
        let more = known_to(&catalogue, &[XYZ.into()], &[], 3);
        let config =
            Config::from_text_and(&text, "test.toml", dir.path(), &more).unwrap_or_else(|e| panic!("{e}"));
        fills(&run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}")))
    };
    let bought = (1, 1_000, 10_075);
    assert_eq!(traded("losses.drawdown_max = \"none\"", "adverse"), [bought]);
    for path in ["adverse", "high-first"] {
        // From its peak at 100.90 it is 5.90 down at 95.00 and 10.90 at 90.00; the order to leave goes out when the price is
        // there.
        assert_eq!(traded("losses.drawdown_max = \"5.95\"", path), [bought, (3, -1_000, 9_000)], "{path}");
        assert_eq!(traded("losses.drawdown_max = \"5.85\"", path), [bought, (2, -1_000, 9_500)], "{path}");
    }
}

#[test]
fn settings_tell_the_fees_that_are_charged_and_a_note_that_there_are_none() {
    let dir = tempdir().expect("a directory");
    minutes(dir.path(), XYZ, &[[10_000, 10_100, 9_900, 10_050], [10_050, 10_150, 10_000, 10_100]]);
    let ran = |strategy: &str, more: &str| {
        let text = format!("{more}\n[[strategy]]\nname = \"{strategy}\"\ninstruments = [\"{XYZ}\"]");
        let (config, catalogue) = config(dir.path(), &[XYZ], &text);
        let ran = run(&config, &catalogue, SCRIPTS).unwrap_or_else(|e| panic!("{e}"));
        let settings = ran.outcome.provenance.settings.clone();
        let told =
            settings.into_iter().filter(|(key, _)| key.starts_with("fees of") || key.starts_with("tier"));
        (told.collect::<Vec<_>>(), ran.notes, ran.outcome.fills.iter().map(|fill| fill.fee).sum::<i64>())
    };
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let (told, notes, fees) = ran("pair", "");
    assert_eq!((told, fees), (pair(&format!("fees of {XYZ}"), "maker 0, taker 0"), 0));
    let note = "traded without fees, as no instrument file gives any; a [[backtest.tier]] charges some";
    assert_eq!(notes, [format!("{XYZ}: {note}")]);
    let tier = "[[backtest.tier]]\nvolume = \"0\"\nmaker = \"0.001\"\ntaker = \"0.002\"";
    let (told, notes, fees) = ran("pair", tier);
    assert_eq!((told, notes), (pair("tier from 0", "maker 0.001, taker 0.002"), Vec::new()));
    assert!(fees > 0);
    // Where nothing was traded nothing is missing.
    assert_eq!(ran("post-only", "").1, Vec::<String>::new());
}
