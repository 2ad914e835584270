//! Balances are exact: nothing appears or is lost, what is locked is what open orders need, and no wallet that risk
//! guards goes below nothing.

use algo_trader::domain::decimal::{Scaled, parse};
use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::wallet::{AssetBalance, WalletError, WalletFill, Wallets};
use algo_trader::domain::{
    Extras, Instrument, InstrumentId, InstrumentTable, Market, Notional, Order, OrderId, OrderKind, Position,
    Price, Qty, Side, StartingBalance, StrategyId, TimeInForce, ledger,
};
use algo_trader::market::Top;
use algo_trader::pipeline::Threading;
use algo_trader::run::{Config, Summary, replay_frames, replay_journal};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use proptest::prelude::*;
use std::time::Duration;

#[path = "support/pipeline.rs"]
mod support;
use support::threads;

/// Of differing precision: a scale that is wrong for one shows.
fn instruments() -> Vec<Instrument> {
    let make = |market, base: &str, price_decimals, qty_decimals| Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market,
        symbol: format!("{base}USDT"),
        base: base.into(),
        quote: "USDT".into(),
        price_decimals,
        qty_decimals,
        tick: Price(1),
        lot: Qty(1),
        min_qty: Qty(1),
        max_qty: Qty(i64::MAX),
        min_notional: Notional(0),
        maker_fee: FeeRate(20_000),
        taker_fee: FeeRate(75_000),
    };
    vec![
        make(Market::Spot, "BTC", 2, 5),
        make(Market::Spot, "ETH", 8, 3),
        make(Market::UsdM, "BTC", 1, 3),
        make(Market::UsdM, "ETH", 2, 8),
    ]
}

fn starting(market: Market, asset: &str, amount: &str) -> StartingBalance {
    let amount = parse(amount.as_bytes(), 8).expect("an amount");
    StartingBalance { venue: "binance".into(), market, asset: asset.into(), amount }
}

fn start() -> Vec<StartingBalance> {
    vec![
        starting(Market::Spot, "USDT", "5000"),
        starting(Market::Spot, "BTC", "0.05"),
        starting(Market::UsdM, "USDT", "700.00000001"),
    ]
}

/// An order as risk and the venue know it.
struct Live {
    order: Order,
    worst: Price,
    left: i64,
}

/// One thing that happens: which instrument or order, which way, how much of what is possible, at which price.
type Step = (u8, usize, bool, i64, i64);

/// Common decimals in which everything is valued.
const FINE: u32 = 16;

fn fine(value: i128, decimals: u8) -> i128 {
    value * 10i128.pow(FINE - u32::from(decimals))
}

/// An account run by random approvals, fills and ends, beside what it must come to.
struct Account {
    table: InstrumentTable,
    wallets: Wallets,
    live: Vec<Live>,
    positions: Vec<Position>,
    orders: u64,
    denied: u64,
}

impl Account {
    fn new() -> Self {
        let table = InstrumentTable::new(instruments()).expect("four instruments");
        let wallets = Wallets::new(&table, &start()).expect("balances that can be");
        let positions = vec![Position::default(); table.len()];
        Self { table, wallets, live: Vec::new(), positions, orders: 0, denied: 0 }
    }

    fn step(&mut self, (what, which, buy, size, price): Step) {
        match what {
            0..4 => self.place(which % 4, buy, size, price),
            4..9 if !self.live.is_empty() => self.fill(which % self.live.len(), size, price),
            9 if !self.live.is_empty() => {
                let ended = self.live.swap_remove(which % self.live.len());
                self.wallets.close(ended.order.id);
            }
            _ => {}
        }
    }

    fn place(&mut self, instrument: usize, buy: bool, size: i64, price: i64) {
        self.orders += 1;
        let mut order = Order {
            id: OrderId(self.orders),
            strategy: StrategyId(0),
            instrument: InstrumentId(instrument as u16),
            side: if buy { Side::Buy } else { Side::Sell },
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(size),
            price: Price(price),
            extras: Extras::NONE,
        };
        // Now and then as much as can be paid: what is locked must do to the last unit.
        if size % 3 == 0 {
            let mut step = 1 << 23;
            order.qty = Qty(1);
            while step > 0 {
                let more = Order { qty: Qty(order.qty.0 + step), ..order };
                if self.wallets.can_pay(&more, more.price) && more.qty.0 < 1 << 24 {
                    order = more;
                }
                step /= 2;
            }
        }
        if self.wallets.can_pay(&order, order.price) {
            self.wallets.lock(&order, order.price);
            self.live.push(Live { worst: order.price, left: order.qty.0, order });
        } else {
            self.denied += 1;
        }
    }

    fn fill(&mut self, which: usize, size: i64, price: i64) {
        let live = &mut self.live[which];
        let Order { id, instrument, side, .. } = live.order;
        // A venue fills at the limit or better.
        let price = match side {
            _ if price % 2 == 0 => live.worst,
            Side::Buy => Price(live.worst.0.min(price)),
            Side::Sell => Price(live.worst.0.max(price)),
        };
        // Whole, a part, or the least there is: each fill's fee is rounded up.
        let qty = Qty(match size % 3 {
            0 => live.left,
            1 => 1 + size % live.left,
            _ => 1,
        });
        live.left -= qty.0;
        let of = self.table.get(instrument);
        let rate = if size % 2 == 0 { of.maker_fee } else { of.taker_fee };
        let fee = ledger::fee(price.times(qty), of.notional_decimals(), rate);
        let position = &mut self.positions[instrument.index()];
        let before = position.realised;
        position.apply(side, qty, price, fee);
        let realised = position.realised.minus(before);
        let fee_asset = algo_trader::domain::event::FeeAsset::Quote;
        self.wallets.fill(&WalletFill { order: id, instrument, side, qty, price, fee, fee_asset, realised });
        if self.live[which].left == 0 {
            self.live.swap_remove(which);
            self.wallets.close(id);
        }
    }

    /// Everything valued at `marks`, by what is held, in units of 10^-16 USDT; a price of each instrument.
    fn worth(&self, of: impl Fn(&AssetBalance) -> i128, marks: &[Price]) -> i128 {
        let value = |asset: &AssetBalance| {
            if asset.asset == "USDT" {
                return fine(of(asset), asset.decimals);
            }
            let base = |i: &&Instrument| i.market == asset.market && i.base == asset.asset;
            let i = self.table.all().iter().find(base).expect("each asset is some instrument's");
            of(asset)
                * i128::from(marks[i.id.index()].0)
                * 10i128.pow(FINE - u32::from(asset.decimals) - u32::from(i.price_decimals))
        };
        self.wallets.assets().iter().map(value).sum()
    }

    /// Profit less fees, and the futures' open profit, which is in no wallet yet; units of 10^-16 USDT.
    fn profit(&self, marks: &[Price]) -> (i128, i128) {
        let (mut net, mut open) = (0, 0);
        for (position, i) in self.positions.iter().zip(self.table.all()) {
            let unrealised = fine(position.unrealised(marks[i.id.index()]).0, i.notional_decimals());
            let realised = fine(position.realised.0, i.notional_decimals());
            net += realised + unrealised - fine(position.fees.into(), 8);
            open += if i.market == Market::UsdM { unrealised } else { 0 };
        }
        (net, open)
    }

    fn check(&self, marks: &[Price]) -> Result<(), TestCaseError> {
        let (net, open) = self.profit(marks);
        prop_assert_eq!(self.worth(|a| a.total, marks) + open, self.worth(|a| a.start, marks) + net);
        for asset in self.wallets.assets() {
            prop_assert_eq!(asset.free() + asset.locked, asset.total);
            prop_assert!(asset.locked >= 0, "{asset:?}");
            if asset.market == Market::Spot {
                prop_assert!(asset.free() >= 0, "{asset:?}");
            } else {
                prop_assert_eq!(asset.locked, 0);
            }
            // What sells have locked is what they have left to sell.
            let sells = self.live.iter().filter(|l| l.order.side == Side::Sell);
            let of = sells.map(|l| (l.left, self.table.get(l.order.instrument)));
            let mine = of.filter(|(_, i)| i.market == asset.market && i.base == asset.asset);
            let locked: i128 = mine
                .map(|(left, i)| i128::from(left) * 10i128.pow(u32::from(asset.decimals - i.qty_decimals)))
                .sum();
            if asset.asset != "USDT" {
                prop_assert_eq!(asset.locked, locked);
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn worth_is_the_start_and_the_profit_and_nothing_guarded_goes_below_nothing(
        steps in proptest::collection::vec((0u8..10, 0usize..64, any::<bool>(), 1i64..40_000, 1i64..4_000_000), 1..120),
        marks in proptest::collection::vec(1i64..10_000_000, 4),
    ) {
        let marks: Vec<_> = marks.into_iter().map(Price).collect();
        let mut account = Account::new();
        for step in steps {
            account.step(step);
            account.check(&marks)?;
        }
        for live in std::mem::take(&mut account.live) {
            account.wallets.close(live.order.id);
        }
        for asset in account.wallets.assets() {
            prop_assert_eq!(asset.locked, 0, "nothing stays locked without an order: {:?}", asset);
        }
    }
}

#[test]
fn a_buy_locks_its_price_and_fee_and_a_cancel_frees_them() {
    let mut account = Account::new();
    let usdt = |account: &Account| {
        let assets = account.wallets.assets();
        assets.iter().find(|a| a.asset == "USDT" && a.market == Market::Spot).expect("there").clone()
    };
    let shown = |value: i128, of: &AssetBalance| format!("{:#}", Scaled { value, decimals: of.decimals });
    // 0.05 BTC at 60,000.00 is 3,000, and at 0.075 % a fee of 2.25.
    account.place(0, true, 5_000, 6_000_000);
    let locked = usdt(&account);
    assert_eq!(
        (shown(locked.locked, &locked), shown(locked.free(), &locked)),
        ("3002.25".into(), "1997.75".into())
    );
    // The rest does not pay for another; a sell needs none of it.
    account.place(0, true, 5_000, 6_000_000);
    account.place(0, false, 5_000, 6_000_000);
    assert_eq!((account.denied, account.live.len()), (1, 2));
    account.wallets.close(OrderId(1));
    assert_eq!((usdt(&account).locked, usdt(&account).free()), (0, usdt(&account).start));
}

#[test]
fn a_fee_that_is_charged_whatever_the_lot_is_not_counted_for_each_lot() {
    let fine = Instrument { qty_decimals: 9, ..instruments()[0].clone() };
    let table = InstrumentTable::new(vec![fine]).expect("one");
    let of_spot = &start()[..2];
    let wallets = |dearest| Wallets::new(&table, of_spot).expect("balances that can be").charging(dearest);
    let order = |qty| Order {
        id: OrderId(1),
        strategy: StrategyId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(qty),
        price: Price(10_000),
        extras: Extras::NONE,
    };
    let needed = |dearest, qty| {
        let need = wallets(dearest).need(&order(qty), Price(10_000)).expect("a spot buy");
        need.rounded().0
    };
    // One at 100.00 and a thousandth, and the rounding of so many fills; a lot by itself costs a whole unit of fee.
    let thousandth = Some(FeeRate(100_000));
    assert_eq!(needed(thousandth, 1_000_000_000), 10_010_000_000 + 1_000);
    assert_eq!(needed(thousandth, 1_000_000), 10_000_000 + 10_000 + 1_000);
    assert_eq!(needed(thousandth, 10), 100 + 10, "ten fills of a unit each");
    assert_eq!(
        needed(Some(FeeRate(-100_000)), 1_000_000_000),
        10_000_000_000,
        "a rebate is nothing to count on"
    );
    assert_eq!(needed(Some(FeeRate(0)), 1_000_000_000), 10_000_000_000);
}

#[test]
fn balances_that_are_of_no_use_are_refused() {
    let table = InstrumentTable::new(instruments()).expect("four instruments");
    let unknown =
        Wallets::new(&table, &[starting(Market::UsdM, "BTC", "1")]).expect_err("futures hold no base");
    assert!(matches!(&unknown, WalletError::UnknownAsset { asset, .. } if asset == "BTC"), "{unknown}");
    let mut fine = instruments();
    fine[0].price_decimals = 18;
    fine[0].qty_decimals = 18;
    let table = InstrumentTable::new(fine).expect("four instruments");
    let error = Wallets::new(&table, &start()).expect_err("36 decimals");
    assert!(error.to_string().contains("36 decimals"), "{error}");
}

/// A run of the demo's strategies with these wallets.
fn demo(balances: &str, journal: Option<std::path::PathBuf>) -> (Config, Summary) {
    let text = include_str!("../config/demo.toml");
    let (before, after) = text.split_once("[paper.balances]").expect("the demo has balances");
    let after = after.split_once("\n\n").expect("they end").1;
    let text = format!("{before}\n{balances}\n{after}");
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(&text, "demo.toml", table).expect("a good configuration");
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(20);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(Threading::Inline);
    options.pipeline.journal = journal;
    let summary = replay_frames(&config, &mut source, options).expect("a good run");
    (config, summary)
}

fn denied(summary: &Summary) -> u64 {
    summary.denials.iter().find(|d| d.0 == "insufficient-balance").map_or(0, |d| d.1)
}

#[test]
fn wallets_that_can_pay_change_no_order_and_poor_ones_deny_what_they_cannot() {
    let (_, without) = demo("", None);
    let rich = "[paper.balances]\n\"binance:spot\" = { USDT = \"1000000\", BTC = \"10\", ETH = \"100\" }\n\
                \"binance:usdm\" = { USDT = \"1000000\" }";
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.journal");
    let (config, with) = demo(rich, Some(path.clone()));
    assert!(without.balances.is_empty() && without.execution.fills > 0);
    assert_eq!(with.order_stream_sha256, without.order_stream_sha256);
    assert_eq!(denied(&with), 0);

    // The wallets say what the ledgers say.
    let mut journal = algo_trader::journal::JournalReader::open(&path).expect("a good journal");
    let again = replay_journal(&config, &mut journal, threads(Threading::Inline)).expect("a good journal");
    assert_eq!(again.balances, with.balances, "a journal replays to the same balances");
    let usdt = with.balances.iter().find(|b| b.asset == "USDT" && b.market == Market::UsdM).expect("there");
    let futures = with.strategies.iter().filter(|r| r.instrument.market == Market::UsdM);
    let expected: i128 = futures
        .map(|r| {
            let realised = fine(r.position.realised.0, r.instrument.notional_decimals());
            realised - fine(r.position.fees.into(), 8)
        })
        .sum();
    assert_eq!(fine(usdt.total - usdt.start, usdt.decimals), expected);
    for r in with.strategies.iter().filter(|r| r.instrument.market == Market::Spot) {
        let base = with.balances.iter().find(|b| b.asset == r.instrument.base).expect("there");
        assert_eq!(
            fine(base.total - base.start, base.decimals),
            fine(r.position.qty.0.into(), r.instrument.qty_decimals)
        );
    }

    let (_, poor) = demo("[paper.balances]\n\"binance:spot\" = { USDT = \"100\" }", None);
    assert!(denied(&poor) > 0);
    assert!(poor.balances.iter().all(|b| b.free() >= 0 && b.locked >= 0), "{:?}", poor.balances);
}

/// Buys a hundredth a second after the first quote and, four seconds later, wants to leave at any price.
struct Keeps {
    instrument: InstrumentId,
    woken: bool,
    entry: Option<OrderId>,
}

impl Strategy for Keeps {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if !std::mem::replace(&mut self.woken, true) {
            let _ = ctx.wake_after(Duration::from_secs(1));
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        if let Some(entry) = self.entry {
            let above = Price(1_000_000 * 100_000_000_000);
            return ctx.protect(entry).stop_at(above).arm().expect("it is protected");
        }
        let bracket = ctx.bracket(self.instrument, Side::Buy, Qty(1_000_000)).at_market();
        self.entry = bracket.stop_at(Price(1_000_000)).send().ok();
        let _ = ctx.wake_after(Duration::from_secs(4));
    }
}

/// Sells, three seconds after the first quote, a part of what the other one bought.
struct Takes {
    instrument: InstrumentId,
    woken: bool,
}

impl Strategy for Takes {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        if !std::mem::replace(&mut self.woken, true) {
            let _ = ctx.wake_after(Duration::from_secs(3));
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        ctx.sell(self.instrument, Qty(350_000)).at_market().send().expect("a sound order");
    }
}

fn keeps(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Keeps { instrument: setup.one_instrument()?, woken: false, entry: None }))
}

fn takes(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Takes { instrument: setup.one_instrument()?, woken: false }))
}

static ONE_TAKES_OF_THE_OTHER: &[StrategySpec] = &[
    StrategySpec { name: "keeps", doc: "buys and keeps", params: &[], build: keeps },
    StrategySpec { name: "takes", doc: "sells of it", params: &[], build: takes },
];

#[test]
fn an_exit_larger_than_what_is_left_in_the_wallet_leaves_with_that() {
    let text = "[risk]\nunset = \"default\"\n[paper.balances]\n\"binance:spot\" = { USDT = \"10000\" }\n\
                [[strategy]]\nname = \"keeps\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n\
                [[strategy]]\nname = \"takes\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n";
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(text, "two.toml", table).expect("a good configuration");
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(20);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(Threading::Inline);
    options.pipeline.strategies = ONE_TAKES_OF_THE_OTHER;
    let summary = replay_frames(&config, &mut source, options);
    let summary = summary.unwrap_or_else(|error| panic!("{error}"));
    let held: Vec<i64> = summary.strategies.iter().map(|report| report.position.qty.0).collect();
    assert_eq!(held, [350_000, -350_000], "{:?}", summary.denials);
    assert_eq!(summary.balances.iter().find(|b| b.asset == "BTC").map(|b| b.total), Some(0));
    let denied = denied(&summary);
    assert!((10..20).contains(&denied), "the whole once, and the rest each second: {denied}");
}
