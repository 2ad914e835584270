//! The filters straight from the documentation: decimal text, exact fractions, a row of JSON at a time.

use algo_trader::domain::decimal::Scaled;
use algo_trader::domain::instrument::FeeRate;
use algo_trader::venue::binance::exchange_info::{ExchangeInfo, Fees, Symbol};
use algo_trader::venue::binance::filters::{FilterName, OpenCounts, OrderType};
use serde_json::{Value, json};

/// A fraction whose denominator is a power of ten.
#[derive(Clone, Copy, Debug)]
pub struct Fraction(pub i128, pub i128);

impl Fraction {
    /// Of decimal text.
    pub fn of(text: &str) -> Self {
        let digits: String = text.chars().filter(|c| *c != '.').collect();
        let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        Self(digits.parse().expect("digits"), 10i128.pow(decimals as u32))
    }
    fn field(row: &Value, name: &str) -> Self {
        Self::of(row[name].as_str().expect("decimal text"))
    }
    fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 * other.1)
    }
    fn less(self, other: Self) -> bool {
        self.0 * other.1 < other.0 * self.1
    }
    fn is_zero(self) -> bool {
        self.0 == 0
    }
    fn is_multiple_of(self, step: Self) -> bool {
        (self.0 * step.1) % (step.0 * self.1) == 0
    }
}

/// An order and what surrounds it, all in decimal text, as it travels.
#[derive(Debug, Clone)]
pub struct TextOrder {
    pub buy: bool,
    pub kind: OrderType,
    pub qty: String,
    pub price: String,
    pub stop: String,
    pub iceberg: Option<String>,
    pub delta: Option<u32>,
    pub average: Option<String>,
    pub last: Option<String>,
    pub open: OpenCounts,
    pub held: String,
}

pub fn text(value: i64, decimals: u8) -> String {
    Scaled { value: value.into(), decimals }.to_string()
}

/// The filters that the order breaks, straight from the rows and the documentation's formulas.
pub fn naive(rows: &[Value], order: &TextOrder) -> Vec<&'static str> {
    let (price, qty, stop) =
        (Fraction::of(&order.price), Fraction::of(&order.qty), Fraction::of(&order.stop));
    let name = order.kind.name();
    let limit = name.contains("LIMIT");
    let algo = name.starts_with("STOP_LOSS") || name.starts_with("TAKE_PROFIT");
    let market = order.kind == OrderType::Market;
    let reference = |row: &Value| {
        let text = if row["avgPriceMins"] == 0 { &order.last } else { &order.average };
        text.as_deref().map(Fraction::of)
    };
    let off_step = |value: Fraction, step: Fraction| !step.is_zero() && !value.is_multiple_of(step);
    let off_lot = |row: &Value, qty: Fraction| {
        let (min, max) = (Fraction::field(row, "minQty"), Fraction::field(row, "maxQty"));
        qty.0 <= 0
            || qty.less(min)
            || (!max.is_zero() && max.less(qty))
            || off_step(qty, Fraction::field(row, "stepSize"))
    };
    let off_price = |row: &Value, price: Fraction| {
        let (min, max) = (Fraction::field(row, "minPrice"), Fraction::field(row, "maxPrice"));
        price.0 <= 0
            || (!min.is_zero() && price.less(min))
            || (!max.is_zero() && max.less(price))
            || off_step(price, Fraction::field(row, "tickSize"))
    };
    let value =
        |row: &Value| if limit { Some(price.times(qty)) } else { reference(row).map(|r| r.times(qty)) };
    let number = |row: &Value, name: &str| row[name].as_u64().expect("an integer");
    let broken = |row: &Value| match row["filterType"].as_str().expect("a name") {
        "PRICE_FILTER" => (limit && off_price(row, price)) || (algo && off_price(row, stop)),
        "LOT_SIZE" => {
            off_lot(row, qty)
                || order.iceberg.as_deref().is_some_and(|shown| off_lot(row, Fraction::of(shown)))
        }
        "MARKET_LOT_SIZE" => market && off_lot(row, qty),
        "ICEBERG_PARTS" => order.iceberg.as_deref().map(Fraction::of).is_some_and(|shown| {
            // More parts than the limit: what so many parts hold is less than the whole.
            shown.0 > 0 && shown.times(Fraction(number(row, "limit").into(), 1)).less(qty)
        }),
        "PERCENT_PRICE_BY_SIDE" => {
            limit
                && reference(row).is_some_and(|r| {
                    let side = if order.buy { "bid" } else { "ask" };
                    let bound = |end: &str| r.times(Fraction::field(row, &format!("{side}Multiplier{end}")));
                    price.less(bound("Down")) || bound("Up").less(price)
                })
        }
        "PERCENT_PRICE" => {
            limit
                && reference(row).is_some_and(|r| {
                    price.less(r.times(Fraction::field(row, "multiplierDown")))
                        || r.times(Fraction::field(row, "multiplierUp")).less(price)
                })
        }
        "NOTIONAL" => value(row).is_some_and(|value| {
            ((limit || row["applyMinToMarket"] == true) && value.less(Fraction::field(row, "minNotional")))
                || ((limit || row["applyMaxToMarket"] == true)
                    && Fraction::field(row, "maxNotional").less(value))
        }),
        "MIN_NOTIONAL" => {
            (limit || row["applyToMarket"] == true)
                && value(row).is_some_and(|value| value.less(Fraction::field(row, "minNotional")))
        }
        "TRAILING_DELTA" => {
            algo && order.delta.is_some_and(|delta| {
                let above = order.kind.name().starts_with("STOP") == order.buy;
                let word = if above { "Above" } else { "Below" };
                u64::from(delta) < number(row, &format!("minTrailing{word}Delta"))
                    || u64::from(delta) > number(row, &format!("maxTrailing{word}Delta"))
            })
        }
        "MAX_NUM_ORDERS" => u64::from(order.open.orders) + 1 > number(row, "maxNumOrders"),
        "MAX_NUM_ALGO_ORDERS" => algo && u64::from(order.open.algo) + 1 > number(row, "maxNumAlgoOrders"),
        "MAX_NUM_ICEBERG_ORDERS" => {
            order.iceberg.is_some() && u64::from(order.open.iceberg) + 1 > number(row, "maxNumIcebergOrders")
        }
        "MAX_POSITION" => {
            let held = Fraction::of(&order.held);
            order.buy
                && Fraction::field(row, "maxPosition")
                    .less(Fraction(held.0 * qty.1 + qty.0 * held.1, held.1 * qty.1))
        }
        other => panic!("{other} has no twin"),
    };
    let names = rows.iter().filter(|row| broken(row)).map(|row| row["filterType"].as_str().expect("a name"));
    names.map(|name| FilterName::from_name(name).expect("known").name()).collect()
}

pub fn rows(minutes: u32) -> Vec<Value> {
    vec![
        json!({"filterType": "PRICE_FILTER", "minPrice": "0.10000000", "maxPrice": "50.00000000", "tickSize": "0.05000000"}),
        json!({"filterType": "LOT_SIZE", "minQty": "0.00600000", "maxQty": "9.00000000", "stepSize": "0.00200000"}),
        json!({"filterType": "ICEBERG_PARTS", "limit": 10}),
        json!({"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "6.00000000", "stepSize": "0.00300000"}),
        json!({"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 40, "minTrailingBelowDelta": 20, "maxTrailingBelowDelta": 60}),
        json!({"filterType": "PERCENT_PRICE", "multiplierUp": "2.5", "multiplierDown": "0.33333333", "avgPriceMins": minutes}),
        json!({"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "1.2", "bidMultiplierDown": "0.2", "askMultiplierUp": "5", "askMultiplierDown": "0.8", "avgPriceMins": minutes}),
        json!({"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": true, "maxNotional": "90.00000000", "applyMaxToMarket": false, "avgPriceMins": minutes}),
        json!({"filterType": "MIN_NOTIONAL", "minNotional": "6.00000000", "applyToMarket": false, "avgPriceMins": minutes}),
        json!({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 3}),
        json!({"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 2}),
        json!({"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 1}),
        json!({"filterType": "MAX_POSITION", "maxPosition": "12.00000000"}),
    ]
}

pub fn symbol(rows: &[Value], price_decimals: u8, qty_decimals: u8) -> Symbol {
    let body = json!({"symbols": [{
        "symbol": "AAABBB", "status": "TRADING", "baseAsset": "AAA", "quoteAsset": "BBB",
        "baseAssetPrecision": qty_decimals, "quoteAssetPrecision": price_decimals, "filters": rows,
        "orderTypes": OrderType::ALL.map(OrderType::name), "isSpotTradingAllowed": true, "icebergAllowed": true,
        "allowTrailingStop": true, "quoteOrderQtyMarketAllowed": true,
    }]});
    let fees = Fees { maker: FeeRate(0), taker: FeeRate(0) };
    let mut info = ExchangeInfo::read(body.to_string().as_bytes(), fees).expect("good");
    assert!(info.unusable.is_empty(), "{:?}", info.unusable);
    info.symbols.remove(0)
}
