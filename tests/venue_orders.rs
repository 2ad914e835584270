//! Orders on the local venue, over real TLS: each operation answers as documented, each mistake has its code, and what
//! happens is told to all that subscribed to it.

use algo_trader::domain::Market;
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use serde_json::{Value, json};
use std::time::Duration;

#[path = "support/order_client.rs"]
mod order_client;
use order_client::stream_client::{call, get};
use order_client::{Trader, account, event, request};

const ORDER: &str = "/api/v3/order";

/// A market that has not begun, so that only the accounts trade; two accounts.
fn quiet() -> Running {
    quiet_with(|_| {})
}

fn quiet_with(more: impl FnOnce(&mut ServerOptions)) -> Running {
    let mut options = ServerOptions::generated(11, demo_instruments(), 200);
    (options.wait_for_clients, options.meets_market) = (99, false);
    options.accounts = vec![
        account("alice", &[("USDT", "1000000"), ("BTC", "10"), ("ETH", "5")]),
        account("bob", &[("USDT", "1000000"), ("BTC", "10")]),
    ];
    more(&mut options);
    Server::start(options).expect("the venue starts")
}

fn limit<'a>(side: &'a str, price: &'a str, qty: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", qty),
        ("price", price),
    ]
}

/// Free and locked of an asset.
fn balance(trader: &Trader<'_>, asset: &str) -> (String, String) {
    let account = trader.done("GET", "/api/v3/account", &[]);
    let rows = account["balances"].as_array().expect("balances");
    let row = rows.iter().find(|row| row["asset"] == asset).expect("the asset");
    (row["free"].as_str().expect("text").into(), row["locked"].as_str().expect("text").into())
}

#[test]
fn an_order_lives_from_placing_to_cancelling_as_the_documents_show() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut params = limit("BUY", "50000.00", "0.5");
    params.extend([("newClientOrderId", "first"), ("newOrderRespType", "RESULT")]);
    let placed = alice.rest("POST", ORDER, &params);
    let order = placed.json();
    let (id, at) =
        (order["orderId"].as_u64().expect("an id"), order["transactTime"].as_u64().expect("a time"));
    let expected = format!(
        r#"{{"symbol":"BTCUSDT","orderId":{id},"orderListId":-1,"clientOrderId":"first","transactTime":{at},"price":"50000.00000000","origQty":"0.50000000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","workingTime":{at},"selfTradePreventionMode":"EXPIRE_MAKER"}}"#
    );
    assert_eq!(placed.body, expected);
    assert_eq!(
        (placed.header("x-mbx-order-count-10s"), placed.header("x-mbx-order-count-1d")),
        (Some("1"), Some("1"))
    );
    assert_eq!(balance(&alice, "USDT"), ("975000.00000000".into(), "25000.00000000".into()));

    let queried = alice.rest("GET", ORDER, &[("symbol", "BTCUSDT"), ("origClientOrderId", "first")]).body;
    let expected = format!(
        r#"{{"symbol":"BTCUSDT","orderId":{id},"orderListId":-1,"clientOrderId":"first","price":"50000.00000000","origQty":"0.50000000","executedQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0.00000000","icebergQty":"0.00000000","time":{at},"updateTime":{at},"isWorking":true,"workingTime":{at},"origQuoteOrderQty":"0.00000000","selfTradePreventionMode":"EXPIRE_MAKER"}}"#
    );
    assert_eq!(queried, expected);
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]).as_array().map(Vec::len), Some(1));

    let id = id.to_string();
    let amend = [("symbol", "BTCUSDT"), ("orderId", id.as_str()), ("newQty", "0.4")];
    let amended = alice.done("PUT", "/api/v3/order/amend/keepPriority", &amend);
    assert_eq!(amended["amendedOrder"]["qty"], "0.40000000");
    assert_eq!(amended["amendedOrder"]["origClientOrderId"], "first");
    let name = amended["amendedOrder"]["clientOrderId"].as_str().expect("an id").to_owned();
    let rows = alice.done("GET", "/api/v3/order/amendments", &[("symbol", "BTCUSDT"), ("orderId", &id)]);
    assert_eq!((&rows[0]["origQty"], &rows[0]["newQty"]), (&json!("0.50000000"), &json!("0.40000000")));

    let cancel = [("symbol", "BTCUSDT"), ("orderId", id.as_str()), ("newClientOrderId", "bye")];
    let canceled = alice.rest("DELETE", ORDER, &cancel);
    let at = canceled.json()["transactTime"].as_u64().expect("a time");
    let expected = format!(
        r#"{{"symbol":"BTCUSDT","origClientOrderId":"{name}","orderId":{id},"orderListId":-1,"clientOrderId":"bye","transactTime":{at},"price":"50000.00000000","origQty":"0.40000000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"CANCELED","timeInForce":"GTC","type":"LIMIT","side":"BUY","selfTradePreventionMode":"EXPIRE_MAKER"}}"#
    );
    assert_eq!(canceled.body, expected);
    assert_eq!(alice.refused("DELETE", ORDER, &cancel), (400, -2011));
    assert_eq!(balance(&alice, "USDT"), ("1000000.00000000".into(), "0.00000000".into()));
}

#[test]
fn a_trade_is_told_to_both_accounts_and_in_the_answer() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::ed25519(&venue, "bobed"));
    alice.done("POST", ORDER, &limit("SELL", "60000", "1"));
    let taken = bob.rest(
        "POST",
        ORDER,
        &[("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "MARKET"), ("quantity", "0.25")],
    );
    let order = taken.json();
    assert_eq!((&order["status"], &order["executedQty"]), (&json!("FILLED"), &json!("0.25000000")));
    assert_eq!(order["cummulativeQuoteQty"], "15000.00000000");
    let fill = &order["fills"][0];
    assert_eq!(
        (&fill["price"], &fill["qty"], &fill["commission"], &fill["commissionAsset"]),
        (&json!("60000.00000000"), &json!("0.25000000"), &json!("0.00025000"), &json!("BTC"))
    );
    assert_eq!(balance(&bob, "BTC"), ("10.24975000".into(), "0.00000000".into()));
    assert_eq!(balance(&bob, "USDT"), ("985000.00000000".into(), "0.00000000".into()));
    assert_eq!(balance(&alice, "USDT"), ("1014985.00000000".into(), "0.00000000".into()));
    assert_eq!(balance(&alice, "BTC"), ("9.00000000".into(), "0.75000000".into()));
    let trades = alice.done("GET", "/api/v3/myTrades", &[("symbol", "BTCUSDT")]);
    assert_eq!((&trades[0]["isMaker"], &trades[0]["isBuyer"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&trades[0]["commission"], &trades[0]["commissionAsset"]),
        (&json!("15.00000000"), &json!("USDT"))
    );
    assert_eq!(trades[0]["id"], fill["tradeId"]);
    let from = [("symbol", "BTCUSDT"), ("fromId", "99999999999")];
    assert_eq!(alice.done("GET", "/api/v3/myTrades", &from), json!([]));
    // A maker's first fill gives its place in the order count back.
    let counts = alice.done("GET", "/api/v3/rateLimit/order", &[]);
    assert_eq!((&counts[1]["interval"], &counts[1]["count"]), (&json!("DAY"), &json!(0)));
}

#[test]
fn a_prevented_trade_is_one_match_in_the_answer_and_under_either_order() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let id = |order: &Value| order["orderId"].as_u64().expect("an id");
    let mut matches = Vec::new();
    for (mode, taker, maker) in [
        ("EXPIRE_MAKER", None, Some("0.30000000")),
        ("EXPIRE_TAKER", Some("0.50000000"), None),
        ("EXPIRE_BOTH", Some("0.50000000"), Some("0.30000000")),
        ("DECREMENT", Some("0.30000000"), Some("0.30000000")),
    ] {
        // The taker's mode acts, whatever the maker's is.
        let resting = alice.done("POST", ORDER, &limit("SELL", "60000", "0.3"));
        let mut params = limit("BUY", "60000", "0.5");
        params.push(("selfTradePreventionMode", mode));
        let coming = alice.done("POST", ORDER, &params);
        let mut told = json!({ "makerOrderId": id(&resting), "price": "60000.00000000" });
        if let Some(qty) = taker {
            told["takerPreventedQuantity"] = json!(qty);
        }
        if let Some(qty) = maker {
            told["makerPreventedQuantity"] = json!(qty);
        }
        let answered = coming["preventedMatches"].as_array().expect("it is in the answer");
        told["preventedMatchId"] = answered[0]["preventedMatchId"].clone();
        assert_eq!(*answered, vec![told.clone()], "{mode}");
        for order in [id(&resting), id(&coming)] {
            let asked = [("symbol", "BTCUSDT"), ("orderId", &order.to_string())];
            let rows = alice.done("GET", "/api/v3/myPreventedMatches", &asked);
            let [row] = rows.as_array().expect("rows").as_slice() else { panic!("one match: {rows}") };
            for name in ["preventedMatchId", "takerPreventedQuantity", "makerPreventedQuantity"] {
                assert_eq!(row.get(name), told.get(name), "{mode}: {row}");
            }
            assert_eq!(
                (&row["takerOrderId"], &row["makerOrderId"], &row["selfTradePreventionMode"]),
                (&json!(id(&coming)), &json!(id(&resting)), &json!(mode)),
                "{row}"
            );
        }
        matches.push(told["preventedMatchId"].as_u64().expect("an id"));
        let _ = alice.rest("DELETE", "/api/v3/openOrders", &[("symbol", "BTCUSDT")]);
    }
    assert_eq!(matches, (matches[0]..matches[0] + 4).collect::<Vec<_>>());
}

#[test]
fn every_subscribed_session_of_an_account_sees_the_same_events_in_order() {
    let venue = quiet();
    let (alice, bob) = (Trader::ed25519(&venue, "aliceed"), Trader::new(&venue, "bobhmac"));
    let (mut one, mut two) = (alice.websocket(), alice.websocket());
    // One is logged on, the other signs its subscription alone.
    let (state, _) = request(&mut one, "a", "session.logon", alice.signed_params(json!({})));
    assert_eq!(state["result"]["apiKey"], "aliceed", "{state}");
    let (reply, _) = request(&mut one, "b", "userDataStream.subscribe", json!({}));
    assert_eq!(reply["result"], json!({ "subscriptionId": 0 }));
    let hmac = Trader::new(&venue, "alicehmac");
    let subscribe = "userDataStream.subscribe.signature";
    let (reply, _) = request(&mut two, "c", subscribe, hmac.signed_params(json!({})));
    assert_eq!(reply["result"], json!({ "subscriptionId": 0 }), "{reply}");
    let (reply, _) = request(&mut two, "d", subscribe, hmac.signed_params(json!({})));
    assert_eq!(reply["error"]["code"], -2035);

    let (placed, _) = request(
        &mut one,
        "e",
        "order.place",
        json!({
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "60000",
            "newClientOrderId": "mine", "timestamp": order_client::now_ms(), "newOrderRespType": "ACK",
        }),
    );
    assert_eq!(
        (&placed["status"], &placed["result"]["clientOrderId"]),
        (&json!(200), &json!("mine")),
        "{placed}"
    );
    let limits: Vec<&Value> =
        placed["rateLimits"].as_array().expect("limits").iter().map(|l| &l["rateLimitType"]).collect();
    assert_eq!(limits, ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]);
    bob.done("POST", ORDER, &limit("BUY", "61000", "0.4"));
    let id = placed["result"]["orderId"].as_u64().expect("an id").to_string();
    alice.done("DELETE", ORDER, &[("symbol", "BTCUSDT"), ("orderId", &id), ("newClientOrderId", "c-1")]);

    let expected = [
        ("executionReport", "NEW", "NEW"),
        ("outboundAccountPosition", "", ""),
        ("executionReport", "TRADE", "PARTIALLY_FILLED"),
        ("outboundAccountPosition", "", ""),
        ("executionReport", "CANCELED", "CANCELED"),
        ("outboundAccountPosition", "", ""),
    ];
    for (kind, happened, status) in expected {
        let (first, second) = (event(&mut one), event(&mut two));
        assert_eq!(first, second);
        let event = &first["event"];
        assert_eq!(
            (&event["e"], event["x"].as_str().unwrap_or(""), event["X"].as_str().unwrap_or("")),
            (&json!(kind), happened, status),
            "{event}"
        );
        match happened {
            "NEW" => assert_eq!(
                (&event["w"], &event["c"], &event["C"]),
                (&json!(true), &json!("mine"), &json!(""))
            ),
            "TRADE" => assert_eq!(
                (&event["l"], &event["L"], &event["n"], &event["N"], &event["m"], &event["w"]),
                (
                    &json!("0.40000000"),
                    &json!("60000.00000000"),
                    &json!("24.00000000"),
                    &json!("USDT"),
                    &json!(true),
                    &json!(true)
                )
            ),
            "CANCELED" => assert_eq!((&event["c"], &event["C"]), (&json!("c-1"), &json!("mine"))),
            _ => {}
        }
    }
    // Logging off ends the subscription that came with it, and says so; the other goes on.
    let (state, _) = request(&mut one, "f", "session.logout", json!({}));
    assert_eq!(state["result"]["apiKey"], Value::Null);
    assert_eq!(event(&mut one)["event"]["e"], "eventStreamTerminated");
    let (reply, _) = request(&mut two, "g", "session.subscriptions", json!({}));
    assert_eq!(reply["result"], json!([{ "subscriptionId": 0 }]));
    let (reply, _) = request(&mut two, "h", "userDataStream.unsubscribe", json!({ "subscriptionId": 0 }));
    assert_eq!(reply["result"], json!({}));
    assert_eq!(event(&mut two)["event"]["e"], "eventStreamTerminated");
    let (reply, _) = request(&mut two, "i", "userDataStream.unsubscribe", json!({ "subscriptionId": 0 }));
    assert_eq!(reply["error"]["code"], -2036);
}

#[test]
fn each_mistake_has_its_status_and_code() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let with = |change: &[(&'static str, &'static str)]| {
        let mut params = limit("BUY", "50000", "0.5");
        for (name, value) in change {
            params.retain(|(known, _)| known != name);
            if *value != "-" {
                params.push((name, value));
            }
        }
        params
    };
    let cases: &[(&[(&str, &str)], i64)] = &[
        (&[("symbol", "-")], -1102),
        (&[("symbol", "")], -1102),
        (&[("symbol", "NOSUCH")], -1121),
        (&[("symbol", "btcusdt")], -1100),
        (&[("side", "HOLD")], -1117),
        (&[("type", "SOMETHING")], -1116),
        (&[("timeInForce", "GTX")], -1115),
        (&[("timeInForce", "-")], -1102),
        (&[("price", "-")], -1102),
        (&[("price", "1e5")], -1100),
        (&[("price", "0.123456789")], -1111),
        (&[("price", "50000.001")], -1013),
        (&[("quantity", "0.000001")], -1013),
        (&[("quantity", "0.00001")], -1013),
        (&[("quantity", "0")], -1013),
        (&[("newClientOrderId", "a b")], -1100),
        (&[("newClientOrderId", "")], -1105),
        (&[("stopPrice", "1")], -1106),
        (&[("type", "MARKET"), ("price", "-")], -1114),
        (&[("mystery", "1")], -1104),
        (&[("selfTradePreventionMode", "NONE")], -1013),
        (&[("selfTradePreventionMode", "MAYBE")], -1130),
        (&[("icebergQty", "0.1"), ("timeInForce", "IOC")], -1014),
        (&[("quantity", "100")], -2010),
        (&[("strategyType", "5")], -1134),
        (&[("strategyType", "2147483648")], -1108),
        (&[("recvWindow", "60001")], -1131),
        (&[("recvWindow", "x")], -1100),
        (&[("trailingDelta", "100")], -1106),
        (&[("pegPriceType", "PRIMARY_PEG")], -2010),
    ];
    for (change, code) in cases {
        assert_eq!(alice.refused("POST", ORDER, &with(change)), (400, *code), "{change:?}");
        // What depends on the balance is not tested.
        if *change != [("quantity", "100")] {
            assert_eq!(
                alice.refused("POST", "/api/v3/order/test", &with(change)),
                (400, *code),
                "{change:?}"
            );
        }
    }
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]), json!([]), "nothing was placed");
    let symbol = ("symbol", "BTCUSDT");
    assert_eq!(alice.refused("GET", ORDER, &[symbol, ("orderId", "999999")]), (400, -2013));
    assert_eq!(alice.refused("GET", ORDER, &[symbol]), (400, -1102));
    assert_eq!(alice.refused("DELETE", ORDER, &[symbol, ("orderId", "999999")]), (400, -2011));
    assert_eq!(
        alice.refused("DELETE", ORDER, &[symbol, ("orderId", "9"), ("cancelRestrictions", "X")]),
        (400, -1145)
    );
    assert_eq!(alice.refused("DELETE", "/api/v3/openOrders", &[symbol]), (400, -2011));
    let far = [symbol, ("startTime", "1700000000000"), ("endTime", "1800000000000")];
    assert_eq!(alice.refused("GET", "/api/v3/myTrades", &far), (400, -1127));
    assert_eq!(alice.rest("PATCH", ORDER, &[]).status, 405);
    assert_eq!(alice.rest("POST", "/api/v3/userDataStream", &[]).status, 410);
}

#[test]
fn keys_are_asked_for_what_they_may_do() {
    let venue = quiet();
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let order = limit("BUY", "50000", "0.5");
    let reader = Trader::new(&venue, "alicereads");
    assert_eq!(reader.refused("POST", ORDER, &order), (401, -2015));
    assert_eq!(reader.done("GET", "/api/v3/openOrders", &[]), json!([]));
    assert_eq!(Trader::new(&venue, "nobody").refused("POST", ORDER, &order), (401, -2015));
    let mut forged = Trader::new(&venue, "bobhmac");
    forged.key = "alicehmac".into();
    assert_eq!(forged.refused("POST", ORDER, &order), (400, -1022));
    let alice = Trader::new(&venue, "alicehmac");
    let query = alice.signed(&order);
    let unkeyed = call(endpoint, venue.ca_pem(), "POST", &format!("{ORDER}?{query}"), "", "");
    assert_eq!((unkeyed.status, unkeyed.json()["code"].as_i64()), (401, Some(-2014)));
    // In the query, in the body, in both; and the signature in whatever case and place.
    let (head, tail) = query.split_once("&timeInForce").expect("in the middle");
    let signed = |text: &str| order_client::sign(&alice.signer, text);
    let tail = tail.split("&signature").next().expect("a part");
    let body = format!("timeInForce{tail}");
    let mixed = format!("{body}&signature={}", signed(&format!("{head}{body}")).to_uppercase());
    for (query, body) in
        [(head.to_owned(), mixed), (query.clone(), String::new()), (String::new(), query.clone())]
    {
        let target = format!("{ORDER}?{query}");
        let placed = call(endpoint, venue.ca_pem(), "POST", &target, &alice.headers(), &body);
        assert_eq!(placed.status, 200, "{}", placed.body);
    }
    let restrictions = |key: &str| {
        let told = Trader::new(&venue, key).done("GET", "/sapi/v1/account/apiRestrictions", &[]);
        (told["enableSpotAndMarginTrading"].as_bool(), told["enableWithdrawals"].as_bool())
    };
    assert_eq!(restrictions("alicehmac"), (Some(true), Some(false)));
    assert_eq!(restrictions("alicereads"), (Some(false), Some(false)));
    assert_eq!(restrictions("alicewithdraws"), (Some(true), Some(true)));
    let mut socket = alice.websocket();
    let (reply, _) = request(&mut socket, "1", "session.logon", alice.signed_params(json!({})));
    assert_eq!((&reply["status"], &reply["error"]["code"]), (&json!(400), &json!(-4056)));
    let (reply, _) = request(&mut socket, "2", "userDataStream.subscribe", json!({}));
    assert_eq!(reply["error"]["code"], -1002);
}

#[test]
fn a_cancel_and_its_replacement_are_told_apart() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    const REPLACE: &str = "/api/v3/order/cancelReplace";
    let place = |price: &str, name: &str| {
        let mut params = limit("BUY", price, "0.5");
        params.push(("newClientOrderId", name));
        alice.done("POST", ORDER, &params);
    };
    let replace = |target: &str, price: &str, mode: &str| {
        let mut params = limit("BUY", price, "0.5");
        params.extend([
            ("cancelReplaceMode", mode),
            ("cancelOrigClientOrderId", target),
            ("newClientOrderId", "new"),
        ]);
        let answer = alice.rest("POST", REPLACE, &params);
        let body = answer.json();
        let data = if answer.status == 200 { &body } else { &body["data"] };
        (
            answer.status,
            body["code"].as_i64(),
            data["cancelResult"].as_str().map(str::to_owned),
            data["newOrderResult"].as_str().map(str::to_owned),
        )
    };
    let told = |cancel: &str, new: &str| (Some(cancel.to_owned()), Some(new.to_owned()));
    place("50000", "a");
    let (status, code, cancel, new) = replace("a", "49000", "STOP_ON_FAILURE");
    assert_eq!((status, code, (cancel, new)), (200, None, told("SUCCESS", "SUCCESS")));
    let (status, code, cancel, new) = replace("gone", "49000", "STOP_ON_FAILURE");
    assert_eq!((status, code, (cancel, new)), (400, Some(-2022), told("FAILURE", "NOT_ATTEMPTED")));
    let (status, code, cancel, new) = replace("gone", "49000", "ALLOW_FAILURE");
    assert_eq!(
        (status, code, (cancel, new)),
        (400, Some(-2022), told("FAILURE", "FAILURE")),
        "the id is in use"
    );
    place("48000", "b");
    let (status, code, cancel, new) = replace("b", "49000", "STOP_ON_FAILURE");
    assert_eq!((status, code, (cancel, new)), (409, Some(-2021), told("SUCCESS", "FAILURE")));
    assert_eq!(
        alice.done("DELETE", "/api/v3/openOrders", &[("symbol", "BTCUSDT")]).as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_pair_of_orders_is_one_list() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    alice.done("POST", ORDER, &limit("SELL", "60000", "0.1"));
    bob.done("POST", ORDER, &limit("BUY", "60000", "0.1"));
    let oco = [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("quantity", "0.5"),
        ("aboveType", "LIMIT_MAKER"),
        ("abovePrice", "65000"),
        ("belowType", "STOP_LOSS_LIMIT"),
        ("belowStopPrice", "55000"),
        ("belowPrice", "54000"),
        ("belowTimeInForce", "GTC"),
        ("listClientOrderId", "pair"),
    ];
    let list = alice.done("POST", "/api/v3/orderList/oco", &oco);
    assert_eq!((&list["contingencyType"], &list["listOrderStatus"]), (&json!("OCO"), &json!("EXECUTING")));
    assert_eq!(
        (&list["orderReports"][1]["stopPrice"], &list["orderReports"][1]["workingTime"]),
        (&json!("55000.00000000"), &json!(-1))
    );
    assert_eq!(balance(&alice, "BTC"), ("9.40000000".into(), "0.50000000".into()), "locked once");
    assert_eq!(alice.done("GET", "/api/v3/openOrderList", &[]).as_array().map(Vec::len), Some(1));
    let asked = alice.done("GET", "/api/v3/orderList", &[("origClientOrderId", "pair")]);
    assert_eq!(asked["orderListId"], list["orderListId"]);
    bob.done("POST", ORDER, &limit("BUY", "65000", "0.5"));
    let asked = alice.done("GET", "/api/v3/orderList", &[("origClientOrderId", "pair")]);
    assert_eq!(asked["listOrderStatus"], "ALL_DONE");
    let wrong = [("aboveType", "STOP_LOSS_LIMIT"), ("belowType", "LIMIT_MAKER")];
    let mut params: Vec<_> =
        oco.iter().copied().filter(|(name, _)| !["aboveType", "belowType"].contains(name)).collect();
    params.extend(wrong);
    assert_eq!(alice.refused("POST", "/api/v3/orderList/oco", &params), (400, -1166));
    let again = alice.done(
        "POST",
        "/api/v3/order/oco",
        &[
            ("symbol", "BTCUSDT"),
            ("side", "SELL"),
            ("quantity", "0.5"),
            ("price", "70000"),
            ("stopPrice", "55000"),
        ],
    );
    let id = again["orderListId"].as_u64().expect("an id").to_string();
    let canceled = alice.done("DELETE", "/api/v3/orderList", &[("symbol", "BTCUSDT"), ("orderListId", &id)]);
    assert_eq!(
        (&canceled["listStatusType"], canceled["orderReports"].as_array().map(Vec::len)),
        (&json!("ALL_DONE"), Some(2))
    );
    assert_eq!(
        alice.refused("DELETE", "/api/v3/orderList", &[("symbol", "BTCUSDT"), ("orderListId", &id)]),
        (400, -2011)
    );
}

#[test]
fn too_many_orders_are_refused_until_the_window_ends() {
    let mut options = ServerOptions::generated(11, demo_instruments(), 200);
    (options.wait_for_clients, options.meets_market) = (99, false);
    options.order_limits = (1_000, 3);
    options.accounts = vec![account("alice", &[("USDT", "1000000")])];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    for _ in 0..3 {
        alice.done("POST", ORDER, &limit("BUY", "50000", "0.1"));
    }
    let refused = alice.rest("POST", ORDER, &limit("BUY", "50000", "0.1"));
    assert_eq!((refused.status, refused.json()["code"].as_i64()), (429, Some(-1015)));
    assert!(refused.header("retry-after").and_then(|s| s.parse::<u64>().ok()).is_some_and(|s| s <= 86_400));
    assert_eq!(
        alice.done("DELETE", "/api/v3/openOrders", &[("symbol", "BTCUSDT")]).as_array().map(Vec::len),
        Some(3)
    );
    let info = get(alice.endpoint(), venue.ca_pem(), "/api/v3/exchangeInfo").json();
    assert_eq!(info["rateLimits"][2]["limit"], 3);
}

#[test]
fn weight_is_one_budget_and_what_is_done_costs_none() {
    // A window so long that none ends in between.
    let venue = quiet_with(|options| options.limits.weight_window = Duration::from_secs(100_000));
    let alice = Trader::new(&venue, "alicehmac");
    let used = |answer: &order_client::stream_client::Answer| {
        answer.header("x-mbx-used-weight-1m").and_then(|used| used.parse::<u64>().ok()).expect("a weight")
    };
    let before = used(&get(alice.endpoint(), venue.ca_pem(), "/api/v3/ping"));
    let placed = alice.rest("POST", ORDER, &limit("BUY", "50000", "0.1"));
    assert_eq!(used(&placed), before, "an order that is taken costs nothing");
    let refused = alice.rest("POST", ORDER, &limit("BUY", "50000.001", "0.1"));
    assert_eq!(used(&refused), before + 1);
    let mut socket = alice.websocket();
    let (reply, _) = request(&mut socket, "1", "account.status", alice.signed_params(json!({})));
    let last = reply["rateLimits"].as_array().and_then(|limits| limits.last()).expect("a limit");
    assert_eq!(last["count"].as_u64(), Some(before + 1 + 2 + 20), "the connection costs two: {last}");
    let (reply, _) = request(&mut socket, "2", "ping", json!({ "returnRateLimits": false }));
    assert_eq!(reply.to_string(), r#"{"id":"2","result":{},"status":200}"#);
    let (reply, _) = request(&mut socket, "3", "depth", json!({ "symbol": "BTCUSDT", "limit": 5 }));
    assert_eq!(reply["result"]["bids"].as_array().map(Vec::len), Some(5), "{reply}");
    let (reply, _) = request(&mut socket, "4", "no.such", json!({}));
    assert_eq!(reply["error"]["code"], -1020);
}
