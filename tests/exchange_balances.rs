//! The exchange loses no money and makes none, locks what it must, and keeps to limits and to self-trade prevention.

#[path = "support/exchange.rs"]
mod exchange;

use algo_trader::domain::{Level, Price, Qty, Side};
use algo_trader::venue::local::exchange::{
    AccountId, AssetId, Balance, CancelReplace, Event, Exchange, ExecutionReport, ExecutionType, OcoLeg,
    OcoRequest, OrderRequest, OrderType, Refusal, StpMode, SymbolId, SymbolStatus,
};
use exchange::{Operation, operation, rules};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SYMBOL: SymbolId = SymbolId(0);
const ACCOUNTS: u32 = 3;

/// The first two accounts are of one group.
fn related(one: AccountId, other: AccountId) -> bool {
    one == other || (one.0 < 2 && other.0 < 2)
}

/// An exchange, and what its accounts must have by its reports alone.
struct Books {
    exchange: Exchange,
    totals: BTreeMap<(AccountId, AssetId), i128>,
    deposited: BTreeMap<AssetId, i128>,
    decimals: [u32; 2],
}

impl Books {
    fn new(price_decimals: u8, qty_decimals: u8, base: i128, quote: i128) -> Self {
        let exchange =
            Exchange::new(vec![rules(price_decimals, qty_decimals)]).expect("the symbol can be listed");
        let decimals = [u32::from(qty_decimals), u32::from(price_decimals + qty_decimals)];
        let mut books = Self { exchange, totals: BTreeMap::new(), deposited: BTreeMap::new(), decimals };
        for group in [Some(7), Some(7), None] {
            let account = books.exchange.open_account(group);
            for (at, amount) in [base, quote].into_iter().enumerate() {
                let (asset, scale) = books.asset(at);
                assert!(books.exchange.deposit(0, account, asset, amount * scale, &mut Vec::new()));
                books.totals.insert((account, asset), amount * scale);
                *books.deposited.entry(asset).or_default() += amount * scale;
            }
        }
        books
    }

    /// Base or quote, and its units in a unit of quantity or notional.
    fn asset(&self, at: usize) -> (AssetId, i128) {
        let (asset, _, decimals) = self.exchange.assets().nth(at).expect("two assets");
        (asset, 10i128.pow(u32::from(decimals) - self.decimals[at]))
    }

    fn balances(&self) -> Vec<Balance> {
        let of = |at: u32| self.exchange.balance(AccountId(at / 2), self.asset(at as usize % 2).0);
        (0..ACCOUNTS * 2).map(of).collect()
    }

    fn depth(&self) -> Vec<Level> {
        [Side::Buy, Side::Sell].iter().flat_map(|side| self.exchange.depth(SYMBOL, *side)).collect()
    }

    fn pay(&mut self, report: &ExecutionReport, price: Price, qty: Qty) {
        let ((base, base_scale), (quote, quote_scale)) = (self.asset(0), self.asset(1));
        let sign = if report.order.side == Side::Buy { 1 } else { -1 };
        let account = report.order.account;
        *self.totals.entry((account, base)).or_default() += sign * i128::from(qty.0) * base_scale;
        *self.totals.entry((account, quote)).or_default() -= sign * price.times(qty).0 * quote_scale;
    }

    /// Books what the events say, and checks each of them.
    fn take(&mut self, events: &[Event]) {
        let mut told = Vec::new();
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Execution(report) => self.execution(report, events, at),
                Event::Position(position) => {
                    assert!(!told.contains(&position.account), "one position an account");
                    told.push(position.account);
                    for (asset, balance) in &position.balances {
                        assert_eq!(*balance, self.exchange.balance(position.account, *asset));
                    }
                }
                _ => assert!(told.is_empty(), "positions come last"),
            }
        }
    }

    fn execution(&mut self, report: &ExecutionReport, events: &[Event], at: usize) {
        let order = &report.order;
        assert!(order.remaining().0 >= 0 && order.executed.0 >= 0 && order.prevented.0 >= 0);
        if let Some(fill) = report.fill {
            assert_eq!(report.kind, ExecutionType::Trade);
            if order.kind.is_priced() {
                assert!(order.side.at_least_as_aggressive(order.price, fill.price), "worse than its limit");
            }
            self.pay(report, fill.price, fill.qty);
            *self.totals.entry((order.account, fill.commission.asset)).or_default() -= fill.commission.amount;
            let received = if order.side == Side::Buy { 0 } else { 1 };
            assert_eq!(fill.commission.asset, self.asset(received).0);
            assert!(fill.commission.amount >= 0);
            if fill.maker {
                let taker = events[..at].iter().rev().find_map(|event| match event {
                    Event::Execution(other) if other.fill.is_some_and(|f| !f.maker) => Some(other),
                    _ => None,
                });
                let taker = taker.expect("a maker's report follows its taker's");
                assert_eq!(taker.fill.map(|f| f.trade_id), Some(fill.trade_id));
                let own = related(taker.order.account, order.account);
                assert!(!own || taker.order.stp == StpMode::None, "a trade with itself");
            }
        }
        if let Some(prevention) = report.prevention {
            let all: Vec<AccountId> = (0..ACCOUNTS).map(AccountId).collect();
            let (own, counter) = prevention.seen_by(order.number);
            assert_eq!((own.order, own.account), (order.number, order.account));
            let counter = all.iter().find_map(|a| self.exchange.order(*a, SYMBOL, counter.order.into()).ok());
            let counter = counter.expect("the other order is known");
            assert!(related(counter.account, order.account));
            let both = [order.stp, counter.stp] == [StpMode::Transfer; 2];
            if both && counter.account != order.account {
                self.pay(report, prevention.price, own.qty);
            }
        }
    }

    fn check(&self) {
        for at in 0..2 {
            let (asset, scale) = self.asset(at);
            let mut sum = self.exchange.commissions(asset);
            for account in (0..ACCOUNTS).map(AccountId) {
                let balance = self.exchange.balance(account, asset);
                assert!(balance.free >= 0 && balance.locked >= 0, "{account:?} {balance:?}");
                sum += balance.free + balance.locked;
                assert_eq!(self.totals[&(account, asset)], balance.free + balance.locked, "{account:?}");
                assert_eq!(self.needed(account, at) * scale, balance.locked, "{account:?}");
            }
            assert_eq!(sum, self.deposited[&asset], "money was made or lost");
        }
        let (bid, ask) =
            (self.exchange.depth(SYMBOL, Side::Buy).next(), self.exchange.depth(SYMBOL, Side::Sell).next());
        assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid.price < ask.price), "the book is crossed");
    }

    /// What the account's open orders need of the base (0) or quote (1) asset; of a list, the larger leg.
    fn needed(&self, account: AccountId, at: usize) -> i128 {
        let side = if at == 0 { Side::Sell } else { Side::Buy };
        let (mut alone, mut lists) = (0, BTreeMap::<u64, i128>::new());
        for order in self.exchange.open_orders(account).filter(|order| order.side == side) {
            match order.list {
                None => alone += order.need().0,
                Some(list) => {
                    let most = lists.entry(list).or_default();
                    *most = (*most).max(order.need().0);
                }
            }
        }
        alone + lists.values().sum::<i128>()
    }
}

fn run(books: &mut Books, at: usize, operation: &Operation, next: &mut u64) -> Result<(), Refusal> {
    let (mut events, ms) = (Vec::new(), at as u64);
    let exchange = &mut books.exchange;
    let before = *next;
    let number = |back: u64| u64::saturating_sub(before, back);
    let done = match operation {
        // Every seventh replaces an order instead.
        Operation::Place { account, request } if at % 7 == 6 => {
            let allow_failure = at.is_multiple_of(2);
            let request = CancelReplace { cancel: number(3).into(), new: *request, allow_failure };
            let done = exchange.cancel_replace(ms, AccountId(*account), SYMBOL, &request, &mut events);
            done.map(|done| {
                if let Some(Ok(order)) = done.placed {
                    *next = order.number + 1;
                }
            })
        }
        Operation::Place { account, request } => exchange
            .place(ms, AccountId(*account), SYMBOL, request, &mut events)
            .map(|order| *next = order.number + 1),
        Operation::Oco { account, request } => exchange
            .place_oco(ms, AccountId(*account), SYMBOL, request, &mut events)
            .map(|(_, legs)| *next = legs[1].number + 1),
        Operation::Oto { account, request } => {
            let done = exchange.place_oto(ms, AccountId(*account), SYMBOL, request, &mut events);
            let last = done.as_ref().ok().and_then(|list| exchange.list(*list)?.orders().last());
            *next = last.map_or(*next, |last| last + 1);
            done.map(drop)
        }
        Operation::Cancel { account, back } => {
            exchange.cancel(ms, AccountId(*account), SYMBOL, &number(*back).into(), &mut events).map(drop)
        }
        Operation::Amend { account, back, qty } => {
            let what = (number(*back).into(), Qty(*qty), None);
            exchange.amend(ms, AccountId(*account), SYMBOL, what, &mut events).map(drop)
        }
    };
    assert!(done.is_ok() || events.is_empty(), "a refused request tells nothing");
    books.take(&events);
    done
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn money_is_conserved_to_the_last_digit_and_locked_as_needed(
        operations in prop::collection::vec(operation(), 1..60),
        (base, quote) in (0i128..120, 0i128..12_000),
        decimals in prop::sample::select(vec![(2u8, 3u8), (8, 8), (0, 0)]),
    ) {
        let mut books = Books::new(decimals.0, decimals.1, base, quote);
        let mut next = 1;
        for (at, operation) in operations.iter().enumerate() {
            let before = (books.balances(), books.depth());
            let done = run(&mut books, at, operation, &mut next);
            if done.is_err() {
                prop_assert_eq!(before, (books.balances(), books.depth()), "a refused request changed something");
            }
            books.check();
        }
    }
}

#[test]
fn refusals_are_the_venues() {
    let mut books = Books::new(2, 3, 100, 10_000);
    let account = AccountId(0);
    let mut place = |request: OrderRequest| {
        let placed = books.exchange.place(1, account, SYMBOL, &request, &mut Vec::new());
        placed.map_or_else(|refusal| refusal.code(), |_| 0)
    };
    let limit = |price, qty| OrderRequest::limit(Side::Buy, Price(price), Qty(qty));
    assert_eq!(place(limit(100, 10)), 0);
    assert_eq!(place(limit(101, 10)), -1013, "off the tick");
    assert_eq!(place(limit(100, 3)), -1013, "off the lot");
    assert_eq!(place(limit(200_000, 2)), -1013, "too dear");
    assert_eq!(place(limit(100, 1_000)), -2010, "no balance");
    assert_eq!(place(OrderRequest { tif: None, ..limit(100, 10) }), -1102);
    assert_eq!(place(OrderRequest { stop_price: Some(Price(100)), ..limit(100, 10) }), -1106);
    let none = 99.into();
    assert_eq!(books.exchange.order(account, SYMBOL, none).map_err(Refusal::code), Err(-2013));
    let first = 1.into();
    assert_eq!(books.exchange.order(AccountId(1), SYMBOL, first).map_err(Refusal::code), Err(-2013));
    assert!(books.exchange.set_status(SYMBOL, SymbolStatus::CancelOnly));
    let mut events = Vec::new();
    let refused = books.exchange.place(2, account, SYMBOL, &limit(100, 10), &mut events);
    assert_eq!(refused.map_err(Refusal::code), Err(-2010));
    assert!(books.exchange.cancel(3, account, SYMBOL, &1.into(), &mut events).is_ok());
    let again = books.exchange.cancel(4, account, SYMBOL, &1.into(), &mut events);
    assert_eq!(again.map_err(Refusal::code), Err(-2011));
}

/// A target and a stop, one cancels the other.
fn pair() -> OcoRequest {
    OcoRequest {
        side: Side::Sell,
        qty: Qty(100),
        above: OcoLeg { price: Some(Price(500)), ..OcoLeg::new(OrderType::LimitMaker) },
        below: OcoLeg { stop_price: Some(Price(100)), ..OcoLeg::new(OrderType::StopLoss) },
        client_id: None,
        stp: None,
    }
}

#[test]
fn lists_that_are_over_are_forgotten_behind_one_that_stays_open() {
    let mut few = rules(2, 3);
    few.history_max = 4;
    let mut exchange = Exchange::new(vec![few]).expect("the symbol can be listed");
    let account = exchange.open_account(None);
    let base = exchange.asset("BASE").expect("listed");
    assert!(exchange.deposit(0, account, base, 1 << 60, &mut Vec::new()));
    let pair = pair();
    let (open, _) = exchange.place_oco(0, account, SYMBOL, &pair, &mut Vec::new()).expect("placed");
    let mut last = open;
    for ms in 1..20 {
        let (id, orders) = exchange.place_oco(ms, account, SYMBOL, &pair, &mut Vec::new()).expect("placed");
        exchange.cancel(ms, account, SYMBOL, &orders[0].number.into(), &mut Vec::new()).expect("cancelled");
        last = id;
    }
    let kept: Vec<u64> = exchange.lists(account).map(|(id, _)| id).collect();
    // The request that ended the last one had forgotten before what was too old.
    assert_eq!(kept, [&[open][..], &(last - 4..=last).collect::<Vec<_>>()].concat());
}

#[test]
fn a_leg_is_amended_after_the_other_was_forgotten() {
    let mut few = rules(2, 3);
    few.history_max = 4;
    let mut exchange = Exchange::new(vec![few]).expect("the symbol can be listed");
    let (seller, buyer) = (exchange.open_account(None), exchange.open_account(None));
    for (account, asset) in [(seller, "BASE"), (buyer, "QUOTE")] {
        let asset = exchange.asset(asset).expect("listed");
        assert!(exchange.deposit(0, account, asset, 1 << 60, &mut Vec::new()));
    }
    let pair = pair();
    let (list, [above, below]) =
        exchange.place_oco(0, seller, SYMBOL, &pair, &mut Vec::new()).expect("placed");
    // A part of the one ends the other, and the one goes on.
    let buy = |price, qty| OrderRequest::limit(Side::Buy, Price(price), Qty(qty));
    exchange.place(1, buyer, SYMBOL, &buy(500, 30), &mut Vec::new()).expect("placed");
    for ms in 2..20 {
        let order = exchange.place(ms, buyer, SYMBOL, &buy(300, 10), &mut Vec::new()).expect("placed");
        exchange.cancel(ms, buyer, SYMBOL, &order.number.into(), &mut Vec::new()).expect("cancelled");
    }
    let gone = exchange.order(seller, SYMBOL, below.number.into());
    assert_eq!(gone.map_err(Refusal::code), Err(-2013), "it is over and forgotten");
    let mut events = Vec::new();
    let amended = exchange
        .amend(20, seller, SYMBOL, (above.number.into(), Qty(80), None), &mut events)
        .expect("it is still open");
    assert_eq!((amended.qty, amended.executed, amended.need().0), (Qty(80), Qty(30), 50));
    // Of three decimals, in units of eight.
    assert_eq!(amended.locked(), 50 * 100_000);
    let told: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Execution(report) => Some(report.order.number),
            _ => None,
        })
        .collect();
    assert_eq!((told, exchange.list(list).map(|list| list.done)), (vec![above.number], Some(false)));
}
