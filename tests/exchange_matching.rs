//! The exchange executes what a slow, obviously correct one executes, report by report.

#[path = "support/exchange.rs"]
mod exchange;
#[path = "support/naive_exchange.rs"]
mod naive_exchange;

use algo_trader::domain::{Notional, Price, Qty, Side, TimeInForce};
use algo_trader::venue::local::exchange::{
    AccountId, Event, Exchange, OcoLeg, OcoRequest, OrderRequest, OrderStatus, OrderType, OtoRequest,
    Refusal, StpMode, SymbolId,
};
use exchange::{LOT, Operation, operation, rules};
use naive_exchange::{Line, NaiveExchange, NaiveOrder};
use proptest::prelude::*;

const SYMBOL: SymbolId = SymbolId(0);

/// Three accounts with more than they can need; the first two in one group.
fn rich() -> Exchange {
    let mut exchange = Exchange::new(vec![rules(2, 3)]).expect("the symbol can be listed");
    for group in [Some(7), Some(7), None] {
        let account = exchange.open_account(group);
        let assets: Vec<_> = exchange.assets().map(|(asset, ..)| asset).collect();
        for asset in assets {
            assert!(exchange.deposit(0, account, asset, 1 << 90, &mut Vec::new()));
        }
    }
    exchange
}

fn lines(events: &[Event]) -> Vec<Line> {
    let line = |event: &Event| match event {
        Event::Execution(report) => {
            let fill = report.fill.map(|fill| (fill.qty.0, fill.price.0, fill.maker));
            Some((report.order.number, report.kind, report.order.status, fill))
        }
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

fn naive(account: u32, number: u64, request: &OrderRequest) -> NaiveOrder {
    NaiveOrder {
        number,
        account,
        side: request.side,
        kind: request.kind,
        tif: request.tif.unwrap_or(TimeInForce::Gtc),
        stp: request.stp.unwrap_or(StpMode::ExpireMaker),
        price: request.price.map_or(0, |price| price.0),
        stop: request.stop_price.map_or(0, |price| price.0),
        iceberg: request.iceberg_qty.map_or(0, |qty| qty.0),
        qty: request.qty.map_or(1_000_000, |qty| qty.0),
        quote: request.quote_qty.map_or(0, |quote| quote.0),
        executed: 0,
        prevented: 0,
        status: OrderStatus::New,
        sibling: None,
        shown: 0,
        arrived: 0,
        waiting: request.kind.is_conditional(),
        delta: request.trailing_delta,
        best: None,
        follows: None,
    }
}

/// An order and those that follow it.
fn naive_followed(account: u32, numbers: &[u64], oto: &OtoRequest) -> Vec<NaiveOrder> {
    let requests = [Some(oto.working), Some(oto.pending), oto.below];
    let mut orders: Vec<NaiveOrder> = requests
        .iter()
        .flatten()
        .zip(numbers)
        .map(|(request, number)| naive(account, *number, request))
        .collect();
    for at in 1..orders.len() {
        (orders[at].follows, orders[at].waiting) = (Some(numbers[0]), false);
        orders[at].status = OrderStatus::PendingNew;
        orders[at].sibling = oto.below.map(|_| numbers[3 - at]);
    }
    orders
}

/// The two orders of a list; its kinds are always those that go together.
fn naive_legs(account: u32, numbers: [u64; 2], oco: &OcoRequest) -> Vec<NaiveOrder> {
    let leg = |at: usize| {
        let leg = if at == 0 { oco.above } else { oco.below };
        let mut request = OrderRequest::new(oco.side, leg.kind, oco.qty);
        (request.price, request.stop_price, request.tif) = (leg.price, leg.stop_price, leg.tif);
        request.stp = oco.stp;
        NaiveOrder { sibling: Some(numbers[1 - at]), ..naive(account, numbers[at], &request) }
    };
    vec![leg(0), leg(1)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn it_executes_what_the_naive_exchange_executes_in_the_same_order(
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let mut exchange = rich();
        let mut twin = NaiveExchange { grouped: 2, lot: LOT, ..NaiveExchange::default() };
        let mut next = 1;
        for (at, operation) in operations.into_iter().enumerate() {
            let (mut events, ms) = (Vec::new(), at as u64);
            twin.lines.clear();
            let code = |refusal: Refusal| refusal.code();
            let (given, expected) = match &operation {
                Operation::Place { account, request } => {
                    let given = exchange.place(ms, AccountId(*account), SYMBOL, request, &mut events);
                    // Numbers of refused orders are passed over: the twin is told which one this got.
                    let number = given.as_ref().map_or(u64::MAX, |order| order.number);
                    next = given.as_ref().map_or(next, |order| order.number + 1);
                    (given.map_or_else(code, |_| 0), twin.place(vec![naive(*account, number, request)]))
                }
                Operation::Oco { account, request } => {
                    let given = exchange.place_oco(ms, AccountId(*account), SYMBOL, request, &mut events);
                    let numbers = given.as_ref().map_or([u64::MAX - 1, u64::MAX], |(_, legs)| legs.map(|leg| leg.number));
                    next = given.as_ref().map_or(next, |(_, legs)| legs[1].number + 1);
                    let last = twin.last.is_some_and(|last| {
                        let at = |leg: &OcoLeg| {
                            leg.stop_price.filter(|_| leg.kind != OrderType::LimitMaker).or(leg.price)
                        };
                        at(&request.above) <= Some(Price(last)) || at(&request.below) >= Some(Price(last))
                    });
                    let expected = if last { -2010 } else { twin.place(naive_legs(*account, numbers, request)) };
                    (given.map_or_else(code, |_| 0), expected)
                }
                Operation::Oto { account, request } => {
                    let given = exchange.place_oto(ms, AccountId(*account), SYMBOL, request, &mut events);
                    let numbers: Vec<u64> = match &given {
                        Ok(list) => exchange.list(*list).expect("the list is kept").orders().collect(),
                        Err(_) => (u64::MAX - 2..=u64::MAX).collect(),
                    };
                    next = given.as_ref().map_or(next, |_| numbers[numbers.len() - 1] + 1);
                    (given.map_or_else(code, |_| 0), twin.place(naive_followed(*account, &numbers, request)))
                }
                Operation::Cancel { account, back } => {
                    let number = u64::saturating_sub(next, *back);
                    let given = exchange.cancel(ms, AccountId(*account), SYMBOL, &number.into(), &mut events);
                    (given.map_or_else(code, |_| 0), twin.cancel(*account, number))
                }
                Operation::Amend { account, back, qty } => {
                    let number = u64::saturating_sub(next, *back);
                    let what = (number.into(), Qty(*qty), None);
                    let given = exchange.amend(ms, AccountId(*account), SYMBOL, what, &mut events);
                    (given.map_or_else(code, |_| 0), twin.amend(*account, number, *qty))
                }
            };
            prop_assert_eq!(given, expected, "{:?}", operation);
            prop_assert_eq!(lines(&events), twin.lines.clone(), "{:?}", operation);
            prop_assert_eq!(exchange.last_price(SYMBOL).map(|price| price.0), twin.last);
        }
    }
}

#[test]
fn an_order_for_an_amount_does_not_pass_a_better_price_over_for_a_worse() {
    let mut exchange = rich();
    let mut events = Vec::new();
    for (price, qty) in [(75, 2), (130, 20)] {
        let bid = OrderRequest::limit(Side::Buy, Price(price), Qty(qty));
        exchange.place(1, AccountId(0), SYMBOL, &bid, &mut events).expect("an account with plenty");
    }
    let mut sell = OrderRequest::new(Side::Sell, OrderType::Market, Qty(0));
    (sell.qty, sell.quote_qty) = (None, Some(Notional(930)));
    let sold = exchange.place(2, AccountId(2), SYMBOL, &sell, &mut events).expect("there are bids");
    // 150 are left: less than a lot at 130, and a lot at 75 would not be fair to the bid at 130.
    assert_eq!(
        (sold.executed, sold.executed_quote, sold.status),
        (Qty(6), Notional(780), OrderStatus::Filled)
    );
}
