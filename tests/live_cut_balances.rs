//! A pair whose amounts are finer than the venue keeps of a balance: what it cuts of each trade halts nothing, adds up to
//! nothing, and a run that goes on finds the account as it was left.

#[path = "support/live_orders.rs"]
mod live_orders;
#[path = "support/order_client.rs"]
mod order_client;

use algo_trader::domain::{Instrument, InstrumentId, Market, Price, Qty};
use algo_trader::journal::recover;
use algo_trader::market::Top;
use algo_trader::pipeline::Threading;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{Summary, run_live};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Server, ServerOptions};
use live_orders::{Key, LiveConfig, balance, config_of, options};
use order_client::{Trader, account};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// How long each run trades, and how often it begins a trade.
const RUN: Duration = Duration::from_secs(6);
const PACE: Duration = Duration::from_millis(100);

/// Buys at the market and sells what it has, of another quantity each time.
struct Churner {
    instrument: InstrumentId,
    began: bool,
    trades: i64,
}

impl Strategy for Churner {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if !std::mem::replace(&mut self.began, true) {
            let _ = ctx.wake_after(PACE);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        self.trades += 1;
        let lot = ctx.instrument(self.instrument).lot;
        let _ = match ctx.position_in_lots(self.instrument) {
            // Some more than 5 USDT are worth.
            Qty(0) => ctx.buy(self.instrument, Qty(lot.0 * (31 + self.trades % 7))).at_market().send(),
            held => ctx.sell(self.instrument, held).at_market().send(),
        };
        let _ = ctx.wake_after(PACE);
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Churner { instrument: setup.one_instrument()?, began: false, trades: 0 }))
}

static STRATEGIES: &[StrategySpec] =
    &[StrategySpec { name: "churner", doc: "buys and sells", params: &[], build }];

const CHURNER: &str = "[[strategy]]\nname = \"churner\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n";

/// ETHUSDT with a tick of 0.00001 and a lot of 0.0001, so that what is traded for is a multiple of 10^-9.
fn fine() -> Vec<Instrument> {
    let is_it = |i: &Instrument| i.market == Market::Spot && i.symbol == "ETHUSDT";
    let of = demo_instruments().into_iter().find(is_it).expect("it is among them");
    vec![Instrument { id: InstrumentId(0), tick: Price(1_000), lot: Qty(10_000), min_qty: Qty(10_000), ..of }]
}

fn ran(live: &LiveConfig, earlier: Option<&Path>, journal: &Path) -> Summary {
    let interrupt = Interrupt::default();
    let mut options = options(journal, &interrupt, Threading::Inline);
    options.pipeline.strategies = STRATEGIES;
    options.recover = earlier.map(Path::to_owned);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_live(&live.config, options));
        std::thread::sleep(RUN);
        interrupt.raise();
        running.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"))
    })
}

#[test]
fn what_a_venue_cuts_of_each_trade_halts_nothing_and_the_next_run_finds_the_account_as_it_was_left() {
    let mut served = ServerOptions::generated(11, fine(), 200);
    served.order_limits = (10_000, 1_000_000);
    served.limits.weight = Some(1_000_000);
    served.accounts = vec![account("alice", &[("USDT", "1000000"), ("ETH", "50")])];
    let venue = Server::start(served).expect("the venue starts");
    let live = config_of(&venue, fine(), Key::Ed25519, "reconcile_seconds = 1", CHURNER);
    let alice = Trader::new(&venue, "alicehmac");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journals = ["first", "second", "third"].map(|name| dir.path().join(format!("{name}.journal")));
    let (mut earlier, mut fills) = (None, 0);
    for journal in &journals {
        let summary = ran(&live, earlier, journal);
        let sent = summary.orders.as_ref().expect("orders");
        let told = format!("{:#?}", sent.told);
        let of_this = summary.strategies[0].position.fills - fills;
        fills += of_this;
        assert!(of_this >= 20, "few trades: {told}");
        assert_eq!((sent.halts, sent.count("Difference"), sent.count("Meanwhile")), (0, 0, 0), "{told}");
        // What the journal leaves differs from what the account has by the cuts since the last comparison at most.
        let left = recover(journal).expect("a journal").1.resume();
        for (asset, amount) in left.account() {
            let differs = amount - i128::from(balance(&alice, &asset)) * 10_000_000_000;
            let cuts = left.cut.get(&asset).copied().unwrap_or(0);
            assert!(differs.abs() <= i128::from(cuts) * 10_000_000_000, "{asset}: {differs}, {cuts} cuts");
            assert!(u64::from(cuts) * 2 < of_this, "{asset}: {cuts} cuts of {of_this} trades");
        }
        assert_eq!(left.account().len(), 2);
        earlier = Some(journal.as_path());
    }
    let trades = alice.done("GET", "/api/v3/myTrades", &[("symbol", "ETHUSDT")]);
    let is_cut = |trade: &Value| {
        let worth = trade["quoteQty"].as_str().and_then(|text| text.split_once('.'));
        worth.is_some_and(|(_, part)| part.len() > 8)
    };
    assert!(trades.as_array().expect("trades").iter().any(is_cut), "none was cut: {trades}");
}
