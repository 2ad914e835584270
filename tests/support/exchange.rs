//! A symbol to trade in tests, and what accounts do with it.

use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{Instrument, InstrumentId, Market, Notional, Price, Qty, Side, TimeInForce};
use algo_trader::venue::local::exchange::{
    OcoLeg, OcoRequest, OrderRequest, OrderType, OtoRequest, StpMode, SymbolRules,
};
use proptest::prelude::*;

pub const TICK: i64 = 5;
pub const LOT: i64 = 2;

/// BASEQUOTE with these decimals, odd steps and commissions, nothing forbidden, nothing counted.
pub fn rules(price_decimals: u8, qty_decimals: u8) -> SymbolRules {
    let mut rules = SymbolRules::of(Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: "BASEQUOTE".into(),
        base: "BASE".into(),
        quote: "QUOTE".into(),
        price_decimals,
        qty_decimals,
        tick: Price(TICK),
        lot: Qty(LOT),
        min_qty: Qty(LOT),
        max_qty: Qty(1_000_000),
        min_notional: Notional(1),
        maker_fee: FeeRate(7_654_321),
        taker_fee: FeeRate(10_123_457),
    });
    rules.max_price = Price(100_000);
    rules.percent_price = None;
    rules.max_algo_orders = 0;
    rules.stp_allowed = StpMode::ALL.to_vec();
    rules
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there are few of them at once")]
pub enum Operation {
    Place {
        account: u32,
        request: OrderRequest,
    },
    Oco {
        account: u32,
        request: OcoRequest,
    },
    Oto {
        account: u32,
        request: OtoRequest,
    },
    /// The n-th order from the last.
    Cancel {
        account: u32,
        back: u64,
    },
    Amend {
        account: u32,
        back: u64,
        qty: i64,
    },
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn price() -> impl Strategy<Value = Price> {
    (15i64..30).prop_map(|ticks| Price(ticks * TICK))
}

fn request() -> impl Strategy<Value = OrderRequest> {
    let kind = prop_oneof![
        8 => Just(OrderType::Limit),
        2 => Just(OrderType::LimitMaker),
        3 => Just(OrderType::Market),
        1 => Just(OrderType::StopLoss),
        1 => Just(OrderType::StopLossLimit),
        1 => Just(OrderType::TakeProfit),
        1 => Just(OrderType::TakeProfitLimit),
    ];
    let tif =
        prop_oneof![6 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    let quote = prop::option::weighted(0.5, (1i128..4_000).prop_map(Notional));
    let iceberg = prop::option::weighted(0.3, 1i64..8);
    let stp = prop::option::of(prop::sample::select(StpMode::ALL));
    // Deltas that a few ticks can reach, some of them just so, and whether there is a stop price as well.
    let delta = prop_oneof![Just(500u32), Just(1_000), Just(2_000), 300u32..2_000];
    let trailing = prop::option::weighted(0.5, (delta, any::<bool>()));
    let what = (side(), kind, tif, price(), price(), 1i64..20);
    (what, quote, iceberg, stp, trailing).prop_map(|(what, quote, iceberg, stp, trailing)| {
        let (side, kind, tif, price, stop, lots) = what;
        let mut request = OrderRequest::new(side, kind, Qty(lots * LOT));
        request.stp = stp;
        if kind.is_priced() {
            request.price = Some(price);
            request.tif = (kind != OrderType::LimitMaker).then_some(tif);
            let shows = iceberg.filter(|_| tif == TimeInForce::Gtc || kind == OrderType::LimitMaker);
            request.iceberg_qty = shows.map(|iceberg| Qty(iceberg.min(lots) * LOT));
        }
        request.stop_price = kind.is_conditional().then_some(stop);
        if let Some((delta, stops)) = trailing.filter(|_| kind.is_conditional()) {
            (request.trailing_delta, request.stop_price) = (Some(delta), stops.then_some(stop));
        }
        if let (OrderType::Market, Some(quote)) = (kind, quote) {
            (request.qty, request.quote_qty) = (None, Some(quote));
        }
        request
    })
}

fn oco() -> impl Strategy<Value = OcoRequest> {
    let kinds = (0usize..3, 0usize..2);
    let stp = prop::option::of(prop::sample::select(StpMode::ALL));
    let prices = (20i64..32, 10i64..22, price(), price());
    (side(), kinds, prices, 1i64..20, stp).prop_map(
        |(side, kinds, (above, below, limit, other), lots, stp)| {
            let profit = [OrderType::LimitMaker, OrderType::TakeProfit, OrderType::TakeProfitLimit][kinds.0];
            let loss = [OrderType::StopLoss, OrderType::StopLossLimit][kinds.1];
            let leg = |kind: OrderType, at: i64, limit: Price| {
                let at = Price(at * TICK);
                let maker = kind == OrderType::LimitMaker;
                OcoLeg {
                    price: kind.is_priced().then_some(if maker { at } else { limit }),
                    stop_price: kind.is_conditional().then_some(at),
                    tif: (kind.is_priced() && !maker).then_some(TimeInForce::Gtc),
                    ..OcoLeg::new(kind)
                }
            };
            let (up, down) = if side == Side::Sell { (profit, loss) } else { (loss, profit) };
            let (above, below) = (above.max(below + 1), below);
            let (above, below) = (leg(up, above, limit), leg(down, below, other));
            OcoRequest { side, qty: Qty(lots * LOT), above, below, client_id: None, stp }
        },
    )
}

/// The orders of a pair, each as one of its own.
pub fn legs(oco: &OcoRequest) -> [OrderRequest; 2] {
    [oco.above, oco.below].map(|leg| OrderRequest {
        price: leg.price,
        stop_price: leg.stop_price,
        tif: leg.tif,
        stp: oco.stp,
        ..OrderRequest::new(oco.side, leg.kind, oco.qty)
    })
}

fn oto() -> impl Strategy<Value = OtoRequest> {
    (request(), request(), prop::option::of(oco())).prop_map(|(mut working, mut pending, pair)| {
        if working.kind != OrderType::LimitMaker {
            let price = working.price.unwrap_or(Price(22 * TICK));
            let limit = OrderRequest::limit(working.side, price, working.qty.unwrap_or(Qty(6 * LOT)));
            let tif = working.tif.or(limit.tif);
            working = OrderRequest { tif, stp: working.stp, ..limit };
        }
        if pending.quote_qty.take().is_some() {
            pending.qty = Some(Qty(4 * LOT));
        }
        let pair = pair.map(|pair| legs(&pair));
        OtoRequest {
            working,
            pending: pair.map_or(pending, |pair| pair[0]),
            below: pair.map(|pair| pair[1]),
            client_id: None,
        }
    })
}

pub fn operation() -> impl Strategy<Value = Operation> {
    let account = 0u32..3;
    prop_oneof![
        12 => (account.clone(), request()).prop_map(|(account, request)| Operation::Place { account, request }),
        1 => (account.clone(), oco()).prop_map(|(account, request)| Operation::Oco { account, request }),
        2 => (account.clone(), oto()).prop_map(|(account, request)| Operation::Oto { account, request }),
        3 => (account.clone(), 0u64..20).prop_map(|(account, back)| Operation::Cancel { account, back }),
        2 => (account, 0u64..20, 1i64..18).prop_map(|(account, back, lots)| Operation::Amend { account, back, qty: lots * LOT }),
    ]
}
