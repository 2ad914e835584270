//! Orders of accounts meet the market that is shown: by price and time, at their own prices, and with their money to the
//! last unit.

use algo_trader::domain::{Level, Price, Qty, Side, TimeInForce};
use algo_trader::venue::local::exchange::{
    AccountId, Event, Exchange, OrderRequest, OrderStatus, OrderType, StpMode, SymbolId, SymbolStatus,
};

#[path = "support/exchange.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod support;
use proptest::prelude::*;
use support::{LOT, TICK, rules};

const SYMBOL: SymbolId = SymbolId(0);
const BEGIN: i128 = 1_000_000_000_000;

struct Market {
    exchange: Exchange,
    account: AccountId,
    events: Vec<Event>,
}

fn market() -> Market {
    let mut exchange = Exchange::new(vec![rules(2, 2)]).expect("a symbol");
    let account = exchange.open_account(None);
    for asset in ["BASE", "QUOTE"] {
        let asset = exchange.asset(asset).expect("an asset");
        assert!(exchange.deposit(0, account, asset, BEGIN, &mut Vec::new()));
    }
    Market { exchange, account, events: Vec::new() }
}

fn levels(levels: &[(i64, i64)]) -> Vec<Level> {
    levels.iter().map(|&(ticks, lots)| Level::new(ticks * TICK, lots * LOT)).collect()
}

impl Market {
    fn show(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        self.exchange.show_crowd(1, SYMBOL, &levels(bids), &levels(asks), &mut self.events);
    }

    fn shown(&self, side: Side) -> Vec<(i64, i64)> {
        self.exchange.depth(SYMBOL, side).map(|level| (level.price.0 / TICK, level.qty.0 / LOT)).collect()
    }

    fn limit(&mut self, side: Side, ticks: i64, lots: i64) -> u64 {
        let request = OrderRequest::limit(side, Price(ticks * TICK), Qty(lots * LOT));
        self.exchange.place(2, self.account, SYMBOL, &request, &mut self.events).expect("taken in").number
    }

    fn executed(&self, number: u64) -> (OrderStatus, i64, i128) {
        let order = self.exchange.order(self.account, SYMBOL, number.into()).expect("known");
        (order.status, order.executed.0 / LOT, order.executed_quote.0)
    }

    fn traded(&mut self, maker_side: Side, ticks: i64, lots: i64) {
        let told = (maker_side, Price(ticks * TICK), Qty(lots * LOT));
        self.exchange.crowd_traded(3, SYMBOL, told, &mut self.events);
    }
}

#[test]
fn what_is_shown_is_what_was_said_last() {
    let mut market = market();
    market.show(&[(99, 5), (98, 7)], &[(101, 4)]);
    market.show(&[(99, 3), (97, 1)], &[(101, 9), (102, 2)]);
    assert_eq!(market.shown(Side::Buy), [(99, 3), (97, 1)]);
    assert_eq!(market.shown(Side::Sell), [(101, 9), (102, 2)]);
    // The market may move through itself: what stands in the way is older.
    market.show(&[(103, 1)], &[(104, 1)]);
    assert_eq!((market.shown(Side::Buy), market.shown(Side::Sell)), (vec![(103, 1)], vec![(104, 1)]));
    assert!(market.events.is_empty(), "nobody was told");
}

#[test]
fn a_marketable_order_sweeps_what_is_shown_and_pays_for_it_exactly() {
    let mut market = market();
    market.show(&[(99, 5)], &[(101, 4), (102, 6)]);
    let request = OrderRequest::new(Side::Buy, OrderType::Market, Qty(7 * LOT));
    let order =
        market.exchange.place(2, market.account, SYMBOL, &request, &mut market.events).expect("taken in");
    let worth = i128::from((101 * 4 + 102 * 3) * TICK * LOT);
    assert_eq!((order.status, order.executed_quote.0), (OrderStatus::Filled, worth));
    assert_eq!(market.shown(Side::Sell), [(102, 3)]);
    let quote = market.exchange.asset("QUOTE").expect("an asset");
    let scale = 10i128.pow(u32::from(market.exchange.asset_decimals(quote)) - 4);
    assert_eq!(market.exchange.balance(market.account, quote).free, BEGIN - worth * scale);
    // The next book says anew what is there.
    market.show(&[(99, 5)], &[(101, 4), (102, 6)]);
    assert_eq!(market.shown(Side::Sell), [(101, 4), (102, 6)]);
}

#[test]
fn a_resting_order_waits_behind_what_was_shown_before_it() {
    let mut market = market();
    market.show(&[(99, 5)], &[(103, 5)]);
    let order = market.limit(Side::Buy, 99, 4);
    assert_eq!(market.shown(Side::Buy), [(99, 9)]);
    // The crowd adds three behind it, and takes them back: its place is the same.
    market.show(&[(99, 8)], &[(103, 5)]);
    market.show(&[(99, 5)], &[(103, 5)]);
    market.traded(Side::Buy, 99, 3);
    assert_eq!(market.executed(order).1, 0, "two are before it yet");
    // The book says again what the trade has left of the crowd.
    market.show(&[(99, 2)], &[(103, 5)]);
    market.traded(Side::Buy, 99, 3);
    assert_eq!(market.executed(order), (OrderStatus::PartiallyFilled, 1, i128::from(99 * TICK * LOT)));
    // What comes later stands behind it.
    market.show(&[(99, 6)], &[(103, 5)]);
    market.traded(Side::Buy, 99, 3);
    assert_eq!(market.executed(order).0, OrderStatus::Filled);
    assert_eq!(market.shown(Side::Buy), [(99, 6)]);
}

#[test]
fn a_trade_meets_better_prices_first_at_their_own_price() {
    let mut market = market();
    market.show(&[(99, 5)], &[(103, 5)]);
    let (behind, ahead) = (market.limit(Side::Buy, 99, 4), market.limit(Side::Buy, 100, 4));
    market.traded(Side::Buy, 99, 2);
    assert_eq!(market.executed(ahead), (OrderStatus::PartiallyFilled, 2, i128::from(100 * TICK * 2 * LOT)));
    // A trade below both: what is left of the better one, then a lot of the other, whatever the crowd had there.
    market.traded(Side::Buy, 98, 3);
    assert_eq!((market.executed(ahead).1, market.executed(behind).1), (4, 1));
}

#[test]
fn the_market_does_not_stand_across_an_order() {
    let mut market = market();
    market.show(&[(99, 5)], &[(103, 5)]);
    let order = market.limit(Side::Buy, 101, 4);
    market.show(&[(99, 5)], &[(100, 3), (103, 5)]);
    assert_eq!(market.executed(order), (OrderStatus::PartiallyFilled, 3, i128::from(101 * TICK * 3 * LOT)));
    market.show(&[(99, 5)], &[(100, 3), (103, 5)]);
    assert_eq!(market.executed(order).0, OrderStatus::Filled);
    assert_eq!(market.shown(Side::Sell), [(100, 2), (103, 5)]);
}

#[test]
fn a_trade_of_the_crowd_wakes_stops() {
    let mut market = market();
    market.show(&[(99, 9)], &[(101, 9)]);
    market.traded(Side::Sell, 101, 1);
    let mut request = OrderRequest::new(Side::Sell, OrderType::StopLoss, Qty(2 * LOT));
    request.stop_price = Some(Price(99 * TICK));
    let stop =
        market.exchange.place(2, market.account, SYMBOL, &request, &mut market.events).expect("taken in");
    market.traded(Side::Buy, 100, 1);
    assert_eq!(market.executed(stop.number).0, OrderStatus::New);
    market.traded(Side::Buy, 99, 1);
    assert_eq!(market.executed(stop.number), (OrderStatus::Filled, 2, i128::from(99 * TICK * 2 * LOT)));
}

#[test]
fn nothing_is_filled_and_no_stop_wakes_while_a_symbol_is_not_traded() {
    for status in [SymbolStatus::Halt, SymbolStatus::Break, SymbolStatus::CancelOnly] {
        let mut market = market();
        market.show(&[(99, 9)], &[(103, 9)]);
        market.traded(Side::Sell, 101, 1);
        let order = market.limit(Side::Buy, 98, 2);
        let mut request = OrderRequest::new(Side::Sell, OrderType::StopLoss, Qty(2 * LOT));
        request.stop_price = Some(Price(97 * TICK));
        let placed = market.exchange.place(2, market.account, SYMBOL, &request, &mut market.events);
        let stop = placed.expect("taken in").number;
        let told = market.events.len();

        assert!(market.exchange.set_status(SYMBOL, status));
        market.traded(Side::Buy, 96, 50);
        market.show(&[(90, 9)], &[(91, 9)]);
        assert_eq!(market.executed(order).0, OrderStatus::New, "{status:?}");
        assert_eq!(market.executed(stop).0, OrderStatus::New, "{status:?}");
        assert_eq!(market.events.len(), told, "{status:?}: nobody is told anything");

        // The price came back meanwhile: no stop goes for one of then.
        assert!(market.exchange.set_status(SYMBOL, SymbolStatus::Trading));
        market.traded(Side::Sell, 100, 1);
        assert_eq!(market.executed(stop).0, OrderStatus::New, "{status:?}");
        market.show(&[(94, 9)], &[(95, 9)]);
        assert_eq!(market.executed(order), (OrderStatus::Filled, 2, i128::from(98 * TICK * 2 * LOT)));
        // Its own order traded at 98; a stop at 97 waits for that.
        assert_eq!(market.executed(stop).0, OrderStatus::New, "{status:?}");
        market.traded(Side::Buy, 94, 1);
        assert_eq!(market.executed(stop).0, OrderStatus::Filled, "{status:?}");
    }
}

/// What rests in the slow market: whose (an account's order, or the crowd's), which way, at, how much; oldest first.
type Resting = (Option<u64>, Side, i64, i64);

/// The same, slowly: one list, looked through for everything.
#[derive(Default)]
struct Naive {
    resting: Vec<Resting>,
    fills: Vec<(u64, i64, i64)>,
}

impl Naive {
    /// The first that a taker of the other side meets among those that are `wanted`.
    fn first(&self, side: Side, wanted: impl Fn(&Resting) -> bool) -> Option<usize> {
        let rank = |at: &usize| if side == Side::Buy { -self.resting[*at].2 } else { self.resting[*at].2 };
        (0..self.resting.len())
            .filter(|at| self.resting[*at].1 == side && wanted(&self.resting[*at]))
            .min_by_key(rank)
    }

    /// Takes up to `most` of one that rests; returns how much.
    fn take(&mut self, at: usize, most: i64) -> i64 {
        let (owner, _, price, qty) = &mut self.resting[at];
        let taken = most.min(*qty);
        *qty -= taken;
        self.fills.extend(owner.map(|number| (number, *price, taken)));
        self.resting.retain(|(.., qty)| *qty > 0);
        taken
    }

    fn place(&mut self, number: u64, side: Side, price: i64, lots: i64, rests: bool) {
        let mut left = lots;
        while left > 0
            && let Some(at) = self
                .first(side.opposite(), |(_, _, at, _)| side.at_least_as_aggressive(Price(price), Price(*at)))
        {
            let at_price = self.resting[at].2;
            let taken = self.take(at, left);
            self.fills.push((number, at_price, taken));
            left -= taken;
        }
        if left > 0 && rests {
            self.resting.push((Some(number), side, price, left));
        }
    }

    fn traded(&mut self, side: Side, price: i64, lots: i64) {
        let better = |at: i64| at != price && side.at_least_as_aggressive(Price(at), Price(price));
        let mut left = lots;
        while left > 0
            && let Some(at) =
                self.first(side, |(owner, _, at, _)| (owner.is_some() && better(*at)) || *at == price)
        {
            left -= self.take(at, left);
        }
    }

    fn show(&mut self, books: [&[(i64, i64)]; 2]) {
        for (side, book) in [Side::Buy, Side::Sell].into_iter().zip(books) {
            for at in (0..self.resting.len()).rev() {
                let (owner, its_side, price, _) = self.resting[at];
                if owner.is_some() || its_side != side {
                    continue;
                }
                let shown = self.crowd_at(side, price);
                let excess = shown - book.iter().find(|level| level.0 == price).map_or(0, |level| level.1);
                let qty = &mut self.resting[at].3;
                *qty -= excess.clamp(0, *qty);
            }
        }
        self.resting.retain(|(.., qty)| *qty > 0);
        let mut more = Vec::new();
        for (side, book) in [Side::Buy, Side::Sell].into_iter().zip(books) {
            let grown = book.iter().map(|(price, lots)| (side, *price, lots - self.crowd_at(side, *price)));
            more.extend(grown.filter(|(_, _, lots)| *lots > 0));
        }
        for (side, price, lots) in more {
            let mut left = lots;
            let crosses = |at: i64| side.at_least_as_aggressive(Price(price), Price(at));
            while left > 0
                && let Some(at) =
                    self.first(side.opposite(), |(owner, _, at, _)| owner.is_some() && crosses(*at))
            {
                left -= self.take(at, left);
            }
            if left > 0 {
                let stale = |row: &Resting| row.0.is_none() && row.1 == side.opposite() && crosses(row.2);
                self.resting.retain(|row| !stale(row));
                self.resting.push((None, side, price, left));
            }
        }
    }

    fn crowd_at(&self, side: Side, price: i64) -> i64 {
        let there = |row: &&Resting| row.0.is_none() && row.1 == side && row.2 == price;
        self.resting.iter().filter(there).map(|row| row.3).sum()
    }

    fn depth(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels = std::collections::BTreeMap::new();
        for (_, _, price, qty) in self.resting.iter().filter(|row| row.1 == side) {
            *levels.entry(*price).or_insert(0) += qty;
        }
        let mut levels: Vec<_> = levels.into_iter().collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }
}

#[derive(Debug, Clone)]
enum Step {
    Show(Vec<(i64, i64)>, Vec<(i64, i64)>),
    Traded(Side, i64, i64),
    Place(usize, Side, i64, i64, bool),
    Cancel(usize),
}

/// Up to five levels from a price on, each a tick or two further.
fn book(side: Side, best: i64, rest: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut at = best;
    let mut level = |(gap, lots): &(i64, i64)| {
        let here = at;
        at += if side == Side::Buy { -gap } else { *gap };
        (here, *lots)
    };
    rest.iter().map(&mut level).collect()
}

fn step() -> impl Strategy<Value = Step> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let levels = || prop::collection::vec((1i64..3, 1i64..9), 0..5);
    prop_oneof![
        3 => (95i64..105, 1i64..4, levels(), levels()).prop_map(|(bid, spread, bids, asks)| {
            Step::Show(book(Side::Buy, bid, &bids), book(Side::Sell, bid + spread, &asks))
        }),
        3 => (side(), 92i64..110, 1i64..9).prop_map(|(side, price, lots)| Step::Traded(side, price, lots)),
        4 => (0usize..2, side(), 92i64..110, 1i64..9, any::<bool>())
            .prop_map(|(who, side, price, lots, rests)| Step::Place(who, side, price, lots, rests)),
        1 => (0usize..6).prop_map(Step::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn accounts_meet_the_crowd_as_slowly_done_and_their_money_is_exact(steps in prop::collection::vec(step(), 1..50)) {
        let mut exchange = Exchange::new(vec![rules(2, 2)]).expect("a symbol");
        let accounts = [exchange.open_account(None), exchange.open_account(None)];
        let assets = ["BASE", "QUOTE"].map(|name| exchange.asset(name).expect("an asset"));
        for account in accounts {
            for asset in assets {
                assert!(exchange.deposit(0, account, asset, BEGIN, &mut Vec::new()));
            }
        }
        let scale = [2u8, 4].map(|decimals| 10i128.pow(u32::from(8 - decimals)));
        let (mut naive, mut orders, mut expected) = (Naive::default(), Vec::new(), [[BEGIN; 2]; 2]);
        for step in steps {
            let mut events = Vec::new();
            naive.fills.clear();
            match &step {
                Step::Show(bids, asks) => {
                    exchange.show_crowd(1, SYMBOL, &levels(bids), &levels(asks), &mut events);
                    naive.show([bids, asks]);
                }
                Step::Traded(side, price, lots) => {
                    exchange.crowd_traded(1, SYMBOL, (*side, Price(price * TICK), Qty(lots * LOT)), &mut events);
                    naive.traded(*side, *price, *lots);
                }
                Step::Place(who, side, price, lots, rests) => {
                    let mut request = OrderRequest::limit(*side, Price(price * TICK), Qty(lots * LOT));
                    request.stp = Some(StpMode::None);
                    if !rests {
                        request.tif = Some(TimeInForce::Ioc);
                    }
                    let order = exchange.place(1, accounts[*who], SYMBOL, &request, &mut events);
                    let number = order.expect("an account with plenty").number;
                    orders.push((accounts[*who], number));
                    naive.place(number, *side, *price, *lots, *rests);
                }
                Step::Cancel(back) => {
                    let Some((account, number)) = orders.iter().rev().nth(*back).copied() else { continue };
                    let done = exchange.cancel(1, account, SYMBOL, &number.into(), &mut events);
                    let before = naive.resting.len();
                    naive.resting.retain(|row| row.0 != Some(number));
                    prop_assert_eq!(done.is_ok(), naive.resting.len() < before);
                }
            }
            let mut fills = Vec::new();
            for event in &events {
                let Event::Execution(report) = event else { continue };
                let Some(fill) = report.fill else { continue };
                fills.push((report.order.number, fill.price.0 / TICK, fill.qty.0 / LOT));
                let who = accounts.iter().position(|account| *account == report.order.account).expect("known");
                let sign = if report.order.side == Side::Buy { 1 } else { -1 };
                expected[who][0] += sign * i128::from(fill.qty.0) * scale[0];
                expected[who][1] -= sign * fill.price.times(fill.qty).0 * scale[1];
                let taken_in = assets.iter().position(|asset| *asset == fill.commission.asset).expect("known");
                expected[who][taken_in] -= fill.commission.amount;
            }
            // Of a trade between accounts, one tells the maker first.
            fills.sort_unstable();
            naive.fills.sort_unstable();
            prop_assert_eq!(&fills, &naive.fills, "{:?}", step);
            for side in [Side::Buy, Side::Sell] {
                let shown: Vec<_> = exchange
                    .depth(SYMBOL, side)
                    .map(|level| (level.price.0 / TICK, level.qty.0 / LOT))
                    .collect();
                prop_assert_eq!(shown, naive.depth(side), "{:?}", step);
            }
            for (who, account) in accounts.iter().enumerate() {
                for (at, asset) in assets.iter().enumerate() {
                    let has = exchange.balance(*account, *asset);
                    prop_assert_eq!(has.free + has.locked, expected[who][at]);
                    let side = if at == 0 { Side::Sell } else { Side::Buy };
                    let open = exchange.open_orders(*account).filter(|order| order.side == side);
                    prop_assert_eq!(has.locked, open.map(|order| order.need().0 * scale[at]).sum::<i128>());
                }
            }
        }
    }
}
