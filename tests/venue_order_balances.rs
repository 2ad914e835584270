//! Balances over the wire are exact: after any sequence of orders and cancels of every type, what an account has is what
//! it began with and what its trades moved, and what is locked is what its open orders need.

use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::rng::Rng;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[path = "support/order_client.rs"]
mod order_client;
use order_client::stream_client::Client;
use order_client::{Trader, account, request};

const UNIT: i128 = 100_000_000;
const BEGIN: [(&str, &str); 2] = [("USDT", "1000000"), ("BTC", "100")];

/// Text of a decimal, in units of 10^-8; nothing may be cut.
fn units(value: &Value) -> i128 {
    let text = value.as_str().unwrap_or_else(|| panic!("a decimal in quotes, not {value}"));
    let (whole, part) = text.split_once('.').expect("a point");
    assert!(part.len() == 8, "{text} has more than eight decimals");
    whole.parse::<i128>().expect("digits") * UNIT + part.parse::<i128>().expect("digits")
}

fn quiet() -> Running {
    let mut options = ServerOptions::generated(13, demo_instruments(), 200);
    (options.wait_for_clients, options.meets_market) = (99, false);
    options.order_limits = (u32::MAX, u32::MAX);
    options.limits.weight = Some(u32::MAX);
    options.accounts = vec![account("alice", &BEGIN), account("bob", &BEGIN)];
    Server::start(options).expect("the venue starts")
}

struct Player<'a> {
    trader: Trader<'a>,
    socket: Client,
    orders: Vec<u64>,
}

impl Player<'_> {
    fn ask(&mut self, method: &str, params: Value) -> Value {
        let params = self.trader.signed_params(params);
        request(&mut self.socket, "x", method, params).0
    }

    fn act(&mut self, rng: &mut Rng) {
        if rng.chance(300) && !self.orders.is_empty() {
            let at = rng.below(self.orders.len() as u64) as usize;
            let id = self.orders[at];
            let reply = self.ask("order.cancel", json!({ "symbol": "BTCUSDT", "orderId": id }));
            assert!(reply["status"] == 200 || reply["error"]["code"] == -2011, "{reply}");
            return;
        }
        let side = ["BUY", "SELL"][rng.below(2) as usize];
        let price = |rng: &mut Rng| format!("{}.{:02}", 59_990 + rng.below(20), rng.below(100));
        let qty = format!("0.{:05}", 100 + rng.below(40_000));
        let mut order = json!({ "symbol": "BTCUSDT", "side": side, "quantity": qty });
        let kind = rng.below(8);
        match kind {
            0..=2 => {
                order["type"] = json!("LIMIT");
                order["timeInForce"] = json!(["GTC", "IOC", "FOK"][kind as usize]);
                order["price"] = json!(price(rng));
            }
            3 => {
                order["type"] = json!("LIMIT_MAKER");
                order["price"] = json!(price(rng));
            }
            4 => order["type"] = json!("MARKET"),
            5 => {
                order["type"] = json!("LIMIT");
                order["timeInForce"] = json!("GTC");
                order["price"] = json!(price(rng));
                order["icebergQty"] = json!("0.05000");
            }
            6 => {
                order["type"] = json!(["STOP_LOSS", "TAKE_PROFIT"][rng.below(2) as usize]);
                order["stopPrice"] = json!(price(rng));
            }
            _ => {
                order["type"] = json!(["STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"][rng.below(2) as usize]);
                order["timeInForce"] = json!("GTC");
                order["stopPrice"] = json!(price(rng));
                order["price"] = json!(price(rng));
            }
        }
        let reply = self.ask("order.place", order.clone());
        match reply["result"]["orderId"].as_u64() {
            Some(id) => self.orders.push(id),
            None => {
                let code = reply["error"]["code"].as_i64();
                assert!(matches!(code, Some(-2010 | -1013)), "{order}: {reply}");
            }
        }
    }

    /// What there is, what is locked, and what the account paid in commissions, per asset.
    fn check(&mut self) -> BTreeMap<String, i128> {
        let begin: BTreeMap<&str, i128> = BEGIN
            .iter()
            .map(|(asset, amount)| (*asset, amount.parse::<i128>().expect("whole") * UNIT))
            .collect();
        let (mut expected, mut paid) = (begin, BTreeMap::new());
        let mut from = 0;
        loop {
            let page = self.ask("myTrades", json!({ "symbol": "BTCUSDT", "fromId": from, "limit": 1000 }));
            let rows = page["result"].as_array().unwrap_or_else(|| panic!("{page}")).clone();
            for row in &rows {
                let (base, quote) = (units(&row["qty"]), units(&row["quoteQty"]));
                let sign = if row["isBuyer"] == true { 1 } else { -1 };
                *expected.get_mut("BTC").expect("an asset") += sign * base;
                *expected.get_mut("USDT").expect("an asset") -= sign * quote;
                let (asset, fee) =
                    (row["commissionAsset"].as_str().expect("text"), units(&row["commission"]));
                *expected.get_mut(asset).expect("an asset") -= fee;
                *paid.entry(asset.to_owned()).or_insert(0) += fee;
                from = row["id"].as_u64().expect("an id") + 1;
            }
            if rows.len() < 1_000 {
                break;
            }
        }
        let mut need = BTreeMap::from([("BTC", 0), ("USDT", 0)]);
        for order in self.ask("openOrders.status", json!({ "symbol": "BTCUSDT" }))["result"]
            .as_array()
            .expect("orders")
        {
            let left = units(&order["origQty"]) - units(&order["executedQty"]);
            let waits = order["isWorking"] == false && units(&order["price"]) == 0;
            let price = units(&order[if waits { "stopPrice" } else { "price" }]);
            if order["side"] == "SELL" {
                *need.get_mut("BTC").expect("an asset") += left;
            } else {
                *need.get_mut("USDT").expect("an asset") += left * price / UNIT;
            }
        }
        let told = self.ask("account.status", json!({ "omitZeroBalances": false }));
        for row in told["result"]["balances"].as_array().expect("balances") {
            let asset = row["asset"].as_str().expect("text");
            let Some(all) = expected.get(asset) else { continue };
            let (free, locked) = (units(&row["free"]), units(&row["locked"]));
            assert_eq!(free + locked, *all, "{asset} of {}", self.trader.key);
            assert_eq!(locked, need[asset], "locked {asset} of {}", self.trader.key);
        }
        paid
    }
}

#[test]
fn balances_are_exact_after_any_sequence() {
    let venue = quiet();
    for seed in 0..3 {
        let mut players: Vec<Player<'_>> = ["alicehmac", "bobhmac"]
            .into_iter()
            .map(|key| {
                let trader = Trader::new(&venue, key);
                let socket = trader.websocket();
                Player { trader, socket, orders: Vec::new() }
            })
            .collect();
        let mut rng = Rng::new(seed, 7);
        for _ in 0..400 {
            let at = rng.below(2) as usize;
            players[at].act(&mut rng);
        }
        let paid: Vec<_> = players.iter_mut().map(Player::check).collect();
        assert!(paid.iter().any(|paid| paid.values().any(|fee| *fee > 0)), "nothing was traded");
    }
}
