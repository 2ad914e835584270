//! Live orders against the local venue: its configuration, and a strategy that does one thing after another.

#![allow(dead_code, reason = "each user takes a part")]

use super::order_client::{ED25519_PRIVATE, Trader, account};
use algo_trader::domain::event::{Event, FeeAsset};
use algo_trader::domain::order::{OrderState, ReportKind};
use algo_trader::domain::{
    DenyReason, Instrument, InstrumentId, InstrumentTable, Market, OrderId, OrderStatus, Price, Qty, Side,
    Slot, decimal,
};
use algo_trader::journal::JournalReader;
use algo_trader::market::Top;
use algo_trader::pipeline::{Threading, Wait};
use algo_trader::run::control::ControlPaths;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::pnl::pnl_report;
use algo_trader::run::{Config, LiveOptions, ReplayOptions, Summary, replay_journal, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The key that a run trades by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Key {
    Hmac,
    Ed25519,
    MayWithdraw,
    ReadsOnly,
    Wrong,
}

/// A venue with two accounts, alice's and bob's, whose market goes on; orders match with each other's.
pub fn venue(more: impl FnOnce(&mut ServerOptions)) -> Running {
    let mut options = ServerOptions::generated(11, spot_instruments(), 200);
    options.order_limits = (10_000, 1_000_000);
    options.limits.weight = Some(1_000_000);
    options.accounts = vec![
        account("alice", &[("USDT", "1000000"), ("BTC", "10"), ("ETH", "50")]),
        account("bob", &[("USDT", "10000000"), ("BTC", "100"), ("ETH", "500")]),
    ];
    // Bob is the whole of alice's market, so that what she gets is known.
    options.meets_market = false;
    more(&mut options);
    Server::start(options).expect("the venue starts")
}

pub fn spot_instruments() -> Vec<Instrument> {
    demo_instruments().into_iter().filter(|i| i.market == Market::Spot).collect()
}

/// A configuration, with the files that it names.
pub struct LiveConfig {
    pub config: Config,
    files: Vec<tempfile::NamedTempFile>,
}

impl LiveConfig {
    /// Files that it names, which go with it.
    pub fn files(&self) -> Vec<&Path> {
        self.files.iter().map(tempfile::NamedTempFile::path).collect()
    }
}

pub fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("ours");
    file
}

/// Trades on `venue` by alice's `key`; `trading` and `strategy` are more lines of these sections.
pub fn config(venue: &Running, key: Key, trading: &str, strategy: &str) -> LiveConfig {
    config_of(venue, spot_instruments(), key, trading, strategy)
}

/// The same with these instruments, of which the venue may not have each.
pub fn config_of(
    venue: &Running,
    instruments: Vec<Instrument>,
    key: Key,
    trading: &str,
    strategy: &str,
) -> LiveConfig {
    let ca = file(venue.ca_pem().expect("TLS"));
    let key = file(&match key {
        Key::Hmac => "alicehmac\nsecretofalicehmac\n".to_owned(),
        Key::Ed25519 => format!("aliceed\n{ED25519_PRIVATE}"),
        Key::MayWithdraw => "alicewithdraws\nsecretofalicewithdraws\n".to_owned(),
        Key::ReadsOnly => "alicereads\nsecretofalicereads\n".to_owned(),
        Key::Wrong => "mallory\nsecretofalicehmac\n".to_owned(),
    });
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let text = format!(
        r#"
[risk]
unset = "default"
price_collar_bps = 10000
order_notional_max = "1000000"
position_notional_max = "1000000"
gross_notional_max = "1000000"
orders_per_second_max = 100000
open_orders_max = 1000
mark_collar_bps = "none"
fat_finger_multiple = "none"
book_age_ms_max = "none"
[risk.losses]
daily_max = "none"
strategy_daily_max = "none"
drawdown_max = "none"
strategy_drawdown_max = "none"
velocity_max = "none"
[trading]
mode = "live"
key_file = {:?}
{trading}
[venue]
open_timeout_ms = 2000
reconnect_min_ms = 20
reconnect_max_ms = 200
ca_file = {:?}
[venue.spot]
weight_per_minute = 1000000
stream = "{}"
rest = "{}"
ws_api = "{}"
{strategy}
"#,
        key.path(),
        ca.path(),
        endpoint.stream_url,
        endpoint.rest_url,
        endpoint.api_url.as_deref().expect("spot has one"),
    );
    let table = InstrumentTable::new(instruments).expect("distinct");
    let config = Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|e| panic!("{e}"));
    LiveConfig { config, files: vec![ca, key] }
}

/// What the scripted strategy does next, once the order before is over.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Market(Side, Qty),
    Limit(Side, Qty, Price),
    Ioc(Side, Qty, Price),
    Fok(Side, Qty, Price),
    PostOnly(Side, Qty, Price),
    /// Rests, is cancelled once the venue has it.
    RestThenCancel(Side, Qty, Price),
    /// Rests, is cancelled at its first fill, while more may be coming.
    RestThenCancelAtFill(Side, Qty, Price),
    /// The same, showing a part.
    Iceberg(Side, Qty, Price),
    /// Waits at the venue for a price that does not come, and is cancelled: a stop beyond or a take-profit before it, with
    /// a limit or without.
    Conditional(Side, Qty, Price, Trigger),
    /// Two that cancel each other, a post-only target and a stop, which the venue holds as one list: whether the target
    /// trades, which ends the stop, or is taken back, which ends both.
    List(Side, Qty, [Price; 2], bool),
}

/// Which conditional order.
#[derive(Debug, Clone, Copy)]
pub enum Trigger {
    Stop,
    StopLimit,
    TakeProfit,
    TakeProfitLimit,
}

impl Step {
    /// Whether the venue refuses it for what it is.
    pub fn is_refused(&self) -> bool {
        matches!(self, Step::PostOnly(..))
    }
}

/// A price of the demo's BTCUSDT, in whole dollars.
pub fn dollars(instrument: &Instrument, dollars: i64) -> Price {
    Price(dollars * 10i64.pow(u32::from(instrument.price_decimals)))
}

/// A quantity in thousandths.
pub fn thousandths(instrument: &Instrument, n: i64) -> Qty {
    Qty(n * 10i64.pow(u32::from(instrument.qty_decimals)) / 1_000)
}

/// Every type and side: whole, in part, none; refused, rested, cancelled in flight.
pub fn every_step(of: &Instrument) -> Vec<Step> {
    let (q, p) = (|n| thousandths(of, n), |n| dollars(of, n));
    let mut steps = Vec::new();
    for (side, through, beyond, rest, worse, better) in [
        (Side::Buy, 60_100, 61_000, 59_950, 75_000, 45_000),
        (Side::Sell, 59_900, 59_000, 60_050, 45_000, 75_000),
    ] {
        let touch = if side == Side::Buy { 60_010 } else { 59_990 };
        steps.extend([
            Step::Limit(side, q(25), p(through)),
            Step::Ioc(side, q(7), p(touch)),
            Step::Ioc(side, q(100), p(through)),
            Step::Fok(side, q(9_000), p(beyond)),
            Step::Fok(side, q(15), p(beyond)),
            Step::PostOnly(side, q(10), p(beyond)),
            Step::Market(side, q(12)),
            Step::RestThenCancel(side, q(20), p(rest)),
            Step::RestThenCancelAtFill(side, q(40), p(60_000)),
            Step::RestThenCancelAtFill(side, q(40), p(60_000)),
            Step::Iceberg(side, q(40), p(60_000)),
            Step::Conditional(side, q(10), p(worse), Trigger::Stop),
            Step::Conditional(side, q(10), p(worse), Trigger::StopLimit),
            Step::Conditional(side, q(10), p(better), Trigger::TakeProfit),
            Step::Conditional(side, q(10), p(better), Trigger::TakeProfitLimit),
        ]);
    }
    // Beyond bob's ladder, so that the last trade is between target and stop wherever it was.
    for (side, target, far, stop) in
        [(Side::Sell, 60_500, 75_000, 45_000), (Side::Buy, 59_500, 45_000, 75_000)]
    {
        steps.push(Step::List(side, q(40), [p(target), p(stop)], true));
        steps.push(Step::List(side, q(30), [p(far), p(stop)], false));
    }
    steps
}

/// Orders of [`every_step`], and how many of these rest or trade: the venue keeps nothing of those that it refuses.
pub const STEPS: usize = 38;
pub const STEPS_TAKEN: usize = 36;
/// How many of them are lists of two.
pub const LISTS: usize = 4;

/// Does its steps one after the other, and nothing after that.
struct Scripted {
    instrument: InstrumentId,
    steps: Vec<Step>,
    next: usize,
    now: Option<(OrderId, Step)>,
    /// The other order of a list.
    other: Option<OrderId>,
    cancelled: bool,
    /// Whether a step that was refused, though the venue takes such, is done again.
    persists: bool,
    pause: Duration,
}

impl Scripted {
    fn go_on(&mut self, ctx: &mut Context<'_>) {
        while self.now.is_none() && self.other.is_none() {
            let Some(&step) = self.steps.get(self.next) else { return };
            self.next += 1;
            self.cancelled = false;
            let (side, qty) = match step {
                Step::Market(side, qty)
                | Step::Limit(side, qty, _)
                | Step::Ioc(side, qty, _)
                | Step::Fok(side, qty, _)
                | Step::PostOnly(side, qty, _)
                | Step::RestThenCancel(side, qty, _)
                | Step::RestThenCancelAtFill(side, qty, _)
                | Step::Iceberg(side, qty, _)
                | Step::Conditional(side, qty, ..)
                | Step::List(side, qty, ..) => (side, qty),
            };
            let order = match side {
                Side::Buy => ctx.buy(self.instrument, qty),
                Side::Sell => ctx.sell(self.instrument, qty),
            };
            let sent = match step {
                Step::Market(..) => order.at_market().send(),
                Step::Limit(_, _, price)
                | Step::RestThenCancel(_, _, price)
                | Step::RestThenCancelAtFill(_, _, price) => order.at_limit(price).send(),
                Step::Ioc(_, _, price) => order.at_limit(price).immediate_or_cancel().send(),
                Step::Fok(_, _, price) => order.at_limit(price).fill_or_kill().send(),
                Step::PostOnly(_, _, price) => order.at_limit(price).post_only().send(),
                Step::Iceberg(_, _, price) => order.at_limit(price).iceberg(Qty(qty.0 / 4)).send(),
                Step::Conditional(_, _, price, Trigger::Stop) => order.stop_at(price).send(),
                Step::Conditional(_, _, price, Trigger::StopLimit) => order.stop_limit(price, price).send(),
                Step::Conditional(_, _, price, Trigger::TakeProfit) => order.take_profit_at(price).send(),
                Step::Conditional(_, _, price, Trigger::TakeProfitLimit) => {
                    order.take_profit_limit(price, price).send()
                }
                Step::List(_, _, [target, stop], _) => {
                    order.at_limit(target).post_only().send().and_then(|target| {
                        let order = match side {
                            Side::Buy => ctx.buy(self.instrument, qty),
                            Side::Sell => ctx.sell(self.instrument, qty),
                        };
                        let stop = order.stop_at(stop).send()?;
                        ctx.one_cancels_other(target, stop)?;
                        self.other = Some(stop);
                        Ok(target)
                    })
                }
            };
            self.now = sent.ok().map(|id| (id, step));
        }
    }
}

impl Strategy for Scripted {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        if self.next == 0 && top.is_two_sided() {
            self.go_on(ctx);
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, _denied: Option<DenyReason>) {
        if self.other == Some(order.order.id) && order.status.is_final() {
            self.other = None;
            let _ = ctx.wake_after(self.pause);
        }
        let Some((id, step)) = self.now.filter(|(id, _)| *id == order.order.id) else { return };
        let cancel = match step {
            Step::RestThenCancel(..) | Step::Conditional(..) | Step::List(.., false) => {
                order.status == OrderStatus::Open
            }
            Step::RestThenCancelAtFill(..) | Step::Iceberg(..) => order.filled.0 > 0,
            _ => false,
        };
        if cancel && !self.cancelled && !order.status.is_final() {
            self.cancelled = true;
            let _ = ctx.cancel(id);
        }
        if order.status.is_final() {
            self.now = None;
            if self.persists
                && matches!(order.status, OrderStatus::Rejected | OrderStatus::Denied)
                && !step.is_refused()
            {
                self.next -= 1;
            }
            // A moment, so that what comes late of this order comes before the next.
            let _ = ctx.wake_after(self.pause);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        self.go_on(ctx);
    }
}

fn scripted(setup: &Setup<'_>, persists: bool, pause: Duration) -> Result<Box<dyn Strategy>, BuildError> {
    let instrument = setup.one_instrument()?;
    let steps = every_step(setup.table.get(instrument));
    Ok(Box::new(Scripted {
        instrument,
        steps,
        next: 0,
        now: None,
        other: None,
        cancelled: false,
        persists,
        pause,
    }))
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    scripted(setup, false, Duration::from_millis(2))
}

fn build_persistent(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    scripted(setup, true, Duration::from_millis(50))
}

/// The scripted strategy.
pub static STRATEGIES: &[StrategySpec] = &[
    StrategySpec { name: "scripted", doc: "one order after the other", params: &[], build },
    StrategySpec {
        name: "persistent",
        doc: "the same, each until it was taken",
        params: &[],
        build: build_persistent,
    },
];

/// Its section of a configuration.
pub const SCRIPTED: &str = "[[strategy]]\nname = \"scripted\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// That of the persistent one.
pub const PERSISTENT: &str =
    "[[strategy]]\nname = \"persistent\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";

/// Units of 10^-8.
pub fn units(value: &Value) -> i64 {
    decimal::parse(value.as_str().expect("a decimal").as_bytes(), 8).expect("at most 8 decimals")
}

pub fn balance(trader: &Trader<'_>, asset: &str) -> i64 {
    let account = trader.done("GET", "/api/v3/account", &[]);
    let rows = account["balances"].as_array().expect("balances").clone();
    let row = rows.iter().find(|row| row["asset"] == asset).expect("the asset");
    units(&row["free"]) + units(&row["locked"])
}

/// Orders of a whole ladder.
const LADDER: usize = 60;

/// A ladder of bob's orders on both sides of 60,000.
pub fn ladder(bob: &Trader<'_>) {
    for level in 1..=LADDER / 2 {
        for (side, price) in [("SELL", 60_000 + 10 * level), ("BUY", 60_000 - 10 * level)] {
            let price = price.to_string();
            let order = [
                ("symbol", "BTCUSDT"),
                ("side", side),
                ("type", "LIMIT"),
                ("timeInForce", "GTC"),
                ("quantity", "0.01"),
                ("price", price.as_str()),
            ];
            // Where the venue fails, or has enough of them, it is not there.
            bob.try_rest("POST", "/api/v3/order", &order);
        }
    }
}

/// Prices, in dollars, at which bob trades with whatever alice has there.
const NIBBLED: [i64; 3] = [60_000, 60_500, 59_500];

/// Trades with alice's orders at those prices, a part at a time, until told to stop.
fn nibble(alice: &Trader<'_>, bob: &Trader<'_>, over: &AtomicBool) {
    let mut fresh = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if fresh.elapsed() > Duration::from_secs(3) {
            // What was bought up is offered anew, but not without end: with 200 open orders an account may place no more,
            // and those below are of the same one.
            let open = asked(bob, "/api/v3/openOrders", &[("symbol", "BTCUSDT")]);
            if open.is_some_and(|open| open.as_array().is_some_and(|open| open.len() < LADDER)) {
                ladder(bob);
            }
            fresh = Instant::now();
        }
        let open = asked(alice, "/api/v3/openOrders", &[("symbol", "BTCUSDT")]).unwrap_or_default();
        for order in open.as_array().into_iter().flatten() {
            let price = units(&order["price"]) / 100_000_000;
            if !NIBBLED.contains(&price) {
                continue;
            }
            let price = price.to_string();
            let side = if order["side"] == "BUY" { "SELL" } else { "BUY" };
            let opposite = [
                ("symbol", "BTCUSDT"),
                ("side", side),
                ("type", "LIMIT"),
                ("timeInForce", "IOC"),
                ("quantity", "0.01"),
                ("price", price.as_str()),
            ];
            // Two at once: the second meets the cancel that the first brings about.
            bob.try_rest("POST", "/api/v3/order", &opposite);
            bob.try_rest("POST", "/api/v3/order", &opposite);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

pub fn options(journal: &Path, interrupt: &Interrupt, threading: Threading) -> LiveOptions {
    let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
    options.pipeline.journal = Some(journal.to_owned());
    options.pipeline.wait = Some(Wait::Backoff);
    options.pipeline.threading = Some(threading);
    options.pipeline.strategies = STRATEGIES;
    options
}

pub struct Ran {
    pub summary: Summary,
    pub journal: PathBuf,
    _dir: tempfile::TempDir,
}

/// Runs the scripted strategy until `done` says so.
pub fn run(venue: &Running, live: &LiveConfig, threading: Threading, mut done: impl FnMut() -> bool) -> Ran {
    run_asked(venue, live, threading, |_| done())
}

/// The same, where who says so can ask the run how it is.
pub fn run_asked(
    venue: &Running,
    live: &LiveConfig,
    threading: Threading,
    mut done: impl FnMut(&ControlPaths) -> bool,
) -> Ran {
    let (alice, bob) = (Trader::new(venue, "alicehmac"), Trader::new(venue, "bobhmac"));
    ladder(&bob);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("run.journal");
    let (interrupt, over) = (Interrupt::default(), AtomicBool::new(false));
    let paths = ControlPaths::new(dir.path(), &live.config.run.name);
    let summary = std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options(&journal, &interrupt, threading)));
        scope.spawn(|| nibble(&alice, &bob, &over));
        // Not how long it takes, but how long a machine that has no time may take.
        let end = Instant::now() + Duration::from_secs(400);
        let done = loop {
            if done(&paths) {
                break true;
            }
            if running.is_finished() || Instant::now() > end {
                break false;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        // What the venue said last is on its way.
        std::thread::sleep(Duration::from_millis(200));
        over.store(true, Ordering::Relaxed);
        interrupt.raise();
        let result = running.join().expect("no panic");
        let told = result.as_ref().map(Summary::to_json).map_err(ToString::to_string);
        assert!(done, "not in time: {told:#?}");
        result.unwrap_or_else(|error| panic!("{error}"))
    });
    Ran { summary, journal, _dir: dir }
}

/// How many of the account's orders are over; none where the venue does not say.
pub fn final_orders(alice: &Trader<'_>) -> usize {
    let params = [("symbol", "BTCUSDT"), ("limit", "1000")];
    let Some(all) = asked(alice, "/api/v3/allOrders", &params) else { return 0 };
    let is_final = |o: &&Value| o["status"] != "NEW" && o["status"] != "PARTIALLY_FILLED";
    all.as_array().map_or(0, |all| all.iter().filter(is_final).count())
}

/// What the venue answers, where it does, and with JSON.
fn asked(trader: &Trader<'_>, path: &str, params: &[(&str, &str)]) -> Option<Value> {
    let answer = trader.try_rest("GET", path, params).filter(|answer| answer.status == 200)?;
    serde_json::from_str(&answer.body).ok()
}

/// What the account held before.
pub struct Start {
    base: i64,
    quote: i64,
    third: i64,
}

impl Start {
    pub fn of(alice: &Trader<'_>) -> Self {
        Self { base: balance(alice, "BTC"), quote: balance(alice, "USDT"), third: balance(alice, "ETH") }
    }
}

/// That what the run booked is what the account says: every trade once, position and money to the last digit, nothing
/// open that is not known; and that the journal replays to it. Gives the summary's text, for other assertions.
pub fn assert_booked(alice: &Trader<'_>, live: &LiveConfig, ran: &Ran, start: &Start) -> String {
    let s = &ran.summary;
    let sent = s.orders.as_ref().expect("orders were sent");
    let told = format!("{:#}", s.to_json());

    let trades = alice.done("GET", "/api/v3/myTrades", &[("symbol", "BTCUSDT"), ("limit", "1000")]);
    let trades = trades.as_array().expect("trades");
    let mut theirs: Vec<u64> = trades.iter().map(|t| t["id"].as_u64().expect("an id")).collect();
    let booked = fills(&ran.journal);
    let mut ours: Vec<u64> = booked.iter().map(|(id, _)| *id).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs, "every trade is booked, once: {told}");

    let position = s.strategies[0].position;
    assert_eq!(booked.iter().map(|(_, qty)| qty).sum::<i64>(), position.qty.0, "{told}");
    let (mut base, mut quote, mut fees) = (0, 0, [0i64; 3]);
    for trade in trades {
        let sign = if trade["isBuyer"] == true { 1 } else { -1 };
        base += sign * units(&trade["qty"]);
        quote -= sign * units(&trade["quoteQty"]);
        let asset = ["BTC", "USDT", "ETH"].iter().position(|asset| trade["commissionAsset"] == **asset);
        fees[asset.expect("one of them")] += units(&trade["commission"]);
    }
    let decimals = u32::from(s.strategies[0].instrument.qty_decimals);
    let (base_now, quote_now, third_now) =
        (balance(alice, "BTC"), balance(alice, "USDT"), balance(alice, "ETH"));
    assert_eq!(base_now - start.base, base - fees[0], "{told}");
    assert_eq!(quote_now - start.quote, quote - fees[1], "{told}");
    assert_eq!(start.third - third_now, fees[2], "{told}");
    // What was taken of a third asset is told, once, and is among the fees at its worth.
    let taken = commissions(&ran.journal);
    assert_eq!(taken.iter().map(|(amount, _)| amount).sum::<i64>(), fees[2], "{told}");
    let worth: i64 = taken.iter().map(|(_, worth)| worth).sum();
    assert_eq!(position.fees, fees[1] + worth, "{told}");
    // Before its first price what an ETH is worth is not known.
    let mut priced = taken.iter().skip_while(|(_, worth)| *worth == 0);
    assert!(priced.all(|(amount, worth)| worth > amount), "an ETH is worth more than a dollar: {taken:?}");
    // Commissions in what was bought included: the position is what the account has more than before.
    assert_eq!(position.qty.0 * 10i64.pow(8 - decimals), base_now - start.base, "{told}");
    for (asset, now) in [("BTC", base_now), ("USDT", quote_now), ("ETH", third_now)] {
        let wallet = s.balances.iter().find(|b| b.asset == asset).expect("a wallet");
        let unit = 10i128.pow(u32::from(wallet.decimals) - 8);
        assert_eq!((wallet.total, wallet.locked), (i128::from(now) * unit, 0), "{asset}: {told}");
    }

    if let Some(line) = pnl_report(&ran.journal, None).expect("a report").lines.first() {
        let paid = |asset: &str| line.fees_by_asset.get(asset).map_or(0, |paid| exact(paid));
        assert_eq!(["BTC", "USDT", "ETH"].map(paid), fees.map(at_8), "{line:?} {told}");
        assert_eq!(
            (&line.fees, &line.realised),
            (&s.strategies[0].fees(), &s.strategies[0].realised()),
            "{told}"
        );
        // What all came to, less what is held, is the money that the account has more, but for what went in a third asset.
        let [mark, net] = [&line.mark, &line.net].map(|known| exact(known.as_ref().expect("quotes came")));
        let held = i128::from(position.qty.0) * mark / 10i128.pow(decimals);
        assert_eq!(net - held + at_8(worth), at_8(quote_now - start.quote), "{line:?} {told}");
        assert_eq!(line.days.iter().map(|day| exact(&day.fees)).sum::<i128>(), exact(&line.fees), "{line:?}");
    } else {
        assert_eq!(trades.len(), 0, "{told}");
    }

    let open = alice.done("GET", "/api/v3/openOrders", &[]);
    assert_eq!(open, serde_json::json!([]), "an order is live that is not known: {told}");
    assert_eq!((sent.open_at_end, sent.unknown_at_end, s.live_orders), (0, 0, 0), "{told}");
    assert_eq!((s.execution.overfills, s.execution.unknown_reports), (0, 0), "{told}");
    assert_eq!(sent.halts, 0, "{told}");
    // An order that was sent twice would be there twice: the venue takes the id of an order that is over again.
    let all = alice.done("GET", "/api/v3/allOrders", &[("symbol", "BTCUSDT"), ("limit", "1000")]);
    let mut ids: Vec<_> =
        all.as_array().expect("orders").iter().map(|o| o["clientOrderId"].to_string()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an order was sent twice: {told}");
    assert!(count as u64 <= s.execution.orders, "{told}");

    let mut config = live.config.clone();
    config.journal.path = None;
    let mut journal = JournalReader::open(&ran.journal).expect("a journal");
    let mut replay = ReplayOptions::default();
    replay.pipeline.strategies = STRATEGIES;
    let again = replay_journal(&config, &mut journal, replay).expect("it replays");
    assert_eq!(again.order_stream_sha256, s.order_stream_sha256, "the journal replays to it");
    assert_eq!(again.strategies[0].position, position);
    told
}

/// A decimal in units of 10^-18.
fn exact(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |digits: &str| digits.parse::<i128>().expect("digits");
    sign * (number(whole) * 10i128.pow(18) + number(&format!("{part:0<18}")))
}

/// An amount in units of 10^-8, in units of 10^-18.
fn at_8(amount: i64) -> i128 {
    i128::from(amount) * 10i128.pow(10)
}

/// Commissions in a third asset in the journal: how much, and its worth, in units of 10^-8.
pub fn commissions(journal: &Path) -> Vec<(i64, i64)> {
    let mut journal = JournalReader::open(journal).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    let taken = |slot: Slot| match slot.event() {
        Event::Report(report) => report.paid().map(|(_, amount)| (amount, report.fee)),
        _ => None,
    };
    slots.filter_map(taken).collect()
}

/// Has the venue take commissions in ETH, which a trade of BTCUSDT neither buys nor pays with.
pub fn take_fees_in_eth(venue: &Running) {
    let fault = serde_json::from_str(r#"{"fault":"fees-in","asset":"ETH","price":300000000000}"#);
    assert!(venue.control().inject(fault.expect("it reads")), "the venue is gone");
}

/// Fills in the journal: trade id, and signed quantity less what was taken of it.
pub fn fills(journal: &Path) -> Vec<(u64, i64)> {
    let mut journal = JournalReader::open(journal).expect("a journal");
    let slots = std::iter::from_fn(|| journal.next_slot().expect("it reads"));
    let fill = |slot: Slot| match slot.event() {
        Event::Report(r) if r.kind == ReportKind::Fill => {
            let taken = if r.fee_asset == FeeAsset::Base { r.fee } else { 0 };
            Some((r.trade_id, r.side.signed(r.qty).0 - taken))
        }
        _ => None,
    };
    slots.filter_map(fill).collect()
}
