//! Order lists and orders that trail, on the local venue over real TLS: what follows waits, works once it may, and ends
//! with what it follows; and what a cancelled order is called afterwards.

use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Running, Server, ServerOptions};
use serde_json::{Value, json};

#[path = "support/order_client.rs"]
mod order_client;
use order_client::{Trader, account, event, request};

const ORDER: &str = "/api/v3/order";
const OTO: &str = "/api/v3/orderList/oto";
const OTOCO: &str = "/api/v3/orderList/otoco";
const SYMBOL: (&str, &str) = ("symbol", "BTCUSDT");

/// A market that has not begun, so that only the accounts trade.
fn quiet() -> Running {
    let mut options = ServerOptions::generated(17, demo_instruments(), 200);
    (options.wait_for_clients, options.meets_market) = (99, false);
    options.accounts = vec![
        account("alice", &[("USDT", "1000000"), ("BTC", "10")]),
        account("bob", &[("USDT", "1000000"), ("BTC", "10")]),
    ];
    Server::start(options).expect("the venue starts")
}

fn limit(trader: &Trader<'_>, side: &str, price: &str, qty: &str) -> Value {
    let params = [
        SYMBOL,
        ("side", side),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", qty),
        ("price", price),
    ];
    trader.done("POST", ORDER, &params)
}

fn locked(trader: &Trader<'_>, asset: &str) -> String {
    let account = trader.done("GET", "/api/v3/account", &[]);
    let rows = account["balances"].as_array().expect("balances");
    let row = rows.iter().find(|row| row["asset"] == asset).expect("the asset");
    row["locked"].as_str().expect("text").to_owned()
}

fn asked(trader: &Trader<'_>, name: &str) -> Value {
    trader.done("GET", ORDER, &[SYMBOL, ("origClientOrderId", name)])
}

fn status(trader: &Trader<'_>, name: &str) -> String {
    asked(trader, name)["status"].as_str().expect("a status").to_owned()
}

/// A buy at 50,000 that a sell at `price` follows.
fn buy_then_sell(price: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        SYMBOL,
        ("listClientOrderId", "list"),
        ("newOrderRespType", "RESULT"),
        ("workingType", "LIMIT"),
        ("workingSide", "BUY"),
        ("workingPrice", "50000"),
        ("workingQuantity", "0.1"),
        ("workingTimeInForce", "GTC"),
        ("workingClientOrderId", "first"),
        ("pendingType", "LIMIT"),
        ("pendingSide", "SELL"),
        ("pendingPrice", price),
        ("pendingQuantity", "0.1"),
        ("pendingTimeInForce", "GTC"),
        ("pendingClientOrderId", "second"),
    ]
}

#[test]
fn what_follows_waits_until_the_first_is_filled_whole() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let mut socket = alice.websocket();
    let subscribe = "userDataStream.subscribe.signature";
    request(&mut socket, "1", subscribe, alice.signed_params(json!({})));
    let placed = alice.rest("POST", OTO, &buy_then_sell("70000"));
    let list = placed.json();
    assert_eq!(placed.header("x-mbx-order-count-1d"), Some("2"), "{}", placed.body);
    assert_eq!((&list["contingencyType"], &list["listOrderStatus"]), (&json!("OTO"), &json!("EXECUTING")));
    let reports = &list["orderReports"];
    assert_eq!(
        (&reports[0]["status"], &reports[1]["status"], &reports[1]["workingTime"]),
        (&json!("NEW"), &json!("PENDING_NEW"), &json!(-1)),
        "{list}"
    );
    let told: Vec<(Value, Value)> = (0..4)
        .map(|_| event(&mut socket)["event"].clone())
        .map(|event| (event["e"].clone(), event["X"].clone()))
        .collect();
    let report = |status: &str| (json!("executionReport"), json!(status));
    let begin = (json!("listStatus"), Value::Null);
    let position = (json!("outboundAccountPosition"), Value::Null);
    assert_eq!(told, [begin, report("NEW"), report("PENDING_NEW"), position]);
    let second = asked(&alice, "second");
    assert_eq!((&second["status"], &second["isWorking"]), (&json!("PENDING_NEW"), &json!(false)));
    assert_eq!(
        (locked(&alice, "USDT"), locked(&alice, "BTC")),
        ("5000.00000000".into(), "0.00000000".into())
    );

    limit(&bob, "SELL", "50000", "0.04");
    assert_eq!(status(&alice, "second"), "PENDING_NEW", "a part is not the whole");
    limit(&bob, "SELL", "50000", "0.06");
    assert_eq!((status(&alice, "first"), status(&alice, "second")), ("FILLED".into(), "NEW".into()));
    assert_eq!(locked(&alice, "BTC"), "0.10000000");
    limit(&bob, "BUY", "70000", "0.1");
    assert_eq!(status(&alice, "second"), "FILLED");
    let list = alice.done("GET", "/api/v3/orderList", &[("origClientOrderId", "list")]);
    assert_eq!(list["listOrderStatus"], "ALL_DONE");
}

#[test]
fn a_list_ends_with_either_of_its_orders() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    for (end, other) in [("first", "second"), ("second", "first")] {
        alice.done("POST", OTO, &buy_then_sell("70000"));
        let canceled = alice.done("DELETE", ORDER, &[SYMBOL, ("origClientOrderId", end)]);
        assert_eq!(canceled["orderReports"].as_array().map(Vec::len), Some(2), "{canceled}");
        assert_eq!((status(&alice, end), status(&alice, other)), ("CANCELED".into(), "CANCELED".into()));
        assert_eq!(locked(&alice, "USDT"), "0.00000000");
    }
    // One that ends by itself: nothing follows.
    let mut params = buy_then_sell("70000");
    params.retain(|(name, _)| *name != "workingTimeInForce");
    params.push(("workingTimeInForce", "IOC"));
    alice.done("POST", OTO, &params);
    let second = asked(&alice, "second");
    assert_eq!(
        (&second["status"], &second["expiryReason"]),
        (&json!("EXPIRED"), &json!("OTO_PHASE_ONE_EXPIRED"))
    );
}

#[test]
fn each_order_of_a_cancelled_list_is_told_by_its_own_name_and_that_of_its_cancel() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut socket = alice.websocket();
    request(&mut socket, "1", "userDataStream.subscribe.signature", alice.signed_params(json!({})));
    let pair = [
        SYMBOL,
        ("side", "SELL"),
        ("quantity", "0.5"),
        ("aboveType", "LIMIT_MAKER"),
        ("abovePrice", "65000"),
        ("aboveClientOrderId", "profit"),
        ("belowType", "STOP_LOSS"),
        ("belowStopPrice", "55000"),
        ("belowClientOrderId", "loss"),
    ];
    alice.done("POST", "/api/v3/orderList/oco", &pair);
    let cancel = [SYMBOL, ("origClientOrderId", "profit"), ("newClientOrderId", "enough")];
    let canceled = alice.done("DELETE", ORDER, &cancel);
    let answered: Vec<(&Value, &Value)> = canceled["orderReports"]
        .as_array()
        .expect("reports")
        .iter()
        .map(|report| (&report["origClientOrderId"], &report["clientOrderId"]))
        .collect();
    let told: Vec<(Value, Value)> = std::iter::repeat_with(|| event(&mut socket)["event"].clone())
        .filter(|event| event["x"] == "CANCELED")
        .map(|event| (event["C"].clone(), event["c"].clone()))
        .take(2)
        .collect();
    assert_eq!((&told[0].0, &told[1].0), (&json!("loss"), &json!("profit")));
    assert_eq!(told[1].1, "enough");
    assert!(told[0].1.as_str().is_some_and(|id| !id.is_empty() && id != "loss"), "{told:?}");
    assert_eq!(answered, [(&told[1].0, &told[1].1), (&told[0].0, &told[0].1)], "the answer says the same");
}

#[test]
fn a_list_is_told_of_an_order_that_has_another_name() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    alice.done("POST", OTO, &buy_then_sell("70000"));
    let mut socket = alice.websocket();
    request(&mut socket, "1", "userDataStream.subscribe.signature", alice.signed_params(json!({})));
    let amend = |qty: &'static str, name: &'static str| {
        let params = [SYMBOL, ("origClientOrderId", "first"), ("newQty", qty), ("newClientOrderId", name)];
        alice.done("PUT", "/api/v3/order/amend/keepPriority", &params);
    };
    // One that keeps its name, then one that does not.
    amend("0.09", "first");
    amend("0.08", "renamed");
    let (mut told, mut positions) = (Vec::new(), 0);
    while positions < 2 {
        let event = event(&mut socket)["event"].clone();
        positions += u32::from(event["e"] == "outboundAccountPosition");
        told.push(event);
    }
    let kinds: Vec<(&str, &str)> = told
        .iter()
        .map(|event| (event["e"].as_str().expect("a kind"), event["C"].as_str().unwrap_or("")))
        .collect();
    let (report, position) = (("executionReport", "first"), ("outboundAccountPosition", ""));
    assert_eq!(kinds, [report, position, report, ("listStatus", "list"), position]);
    let list = &told[3];
    assert_eq!((&list["l"], &list["L"]), (&json!("UPDATED"), &json!("EXECUTING")), "{list}");
    assert_eq!((&list["O"][0]["c"], &list["O"][1]["c"]), (&json!("renamed"), &json!("second")));
}

#[test]
fn the_answer_shows_what_follows_as_pending_even_where_it_works_by_then() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    limit(&bob, "SELL", "49000", "1");
    let list = alice.done("POST", OTO, &buy_then_sell("70000"));
    assert_eq!(
        (&list["orderReports"][0]["status"], &list["orderReports"][1]["status"]),
        (&json!("FILLED"), &json!("PENDING_NEW"))
    );
    assert_eq!(status(&alice, "second"), "NEW");
}

#[test]
fn what_cannot_follow_is_rejected_when_its_time_has_come() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let mut params = buy_then_sell("70000");
    params.retain(|(name, _)| *name != "pendingQuantity");
    params.push(("pendingQuantity", "50"));
    alice.done("POST", OTO, &params);
    limit(&bob, "SELL", "50000", "0.1");
    assert_eq!((status(&alice, "first"), status(&alice, "second")), ("FILLED".into(), "REJECTED".into()));
    let list = alice.done("GET", "/api/v3/orderList", &[("origClientOrderId", "list")]);
    assert_eq!(list["listOrderStatus"], "ALL_DONE");
}

#[test]
fn a_pair_follows_over_the_websocket_api_and_is_locked_for_once() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let mut socket = alice.websocket();
    let params = json!({
        "symbol": "BTCUSDT", "listClientOrderId": "three", "newOrderRespType": "FULL",
        "workingType": "LIMIT_MAKER", "workingSide": "BUY", "workingPrice": "50000", "workingQuantity": "0.2",
        "pendingSide": "SELL", "pendingQuantity": "0.2",
        "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "60000", "pendingAboveClientOrderId": "profit",
        "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "45000", "pendingBelowClientOrderId": "loss",
    });
    let (reply, _) = request(&mut socket, "1", "orderList.place.otoco", alice.signed_params(params));
    let list = &reply["result"];
    assert_eq!((&reply["status"], &list["contingencyType"]), (&json!(200), &json!("OTO")), "{reply}");
    let reports = list["orderReports"].as_array().expect("reports");
    let statuses: Vec<&Value> = reports.iter().map(|report| &report["status"]).collect();
    assert_eq!(statuses, ["NEW", "PENDING_NEW", "PENDING_NEW"]);
    assert_eq!(reply["rateLimits"][0]["count"], 3);
    limit(&bob, "SELL", "50000", "0.2");
    assert_eq!((status(&alice, "profit"), status(&alice, "loss")), ("NEW".into(), "NEW".into()));
    assert_eq!(locked(&alice, "BTC"), "0.20000000");
    limit(&bob, "BUY", "60000", "0.05");
    let loss = asked(&alice, "loss");
    assert_eq!((&loss["status"], &loss["expiryReason"]), (&json!("EXPIRED"), &json!("OCO_TRIGGER")));
    assert_eq!(
        (status(&alice, "profit"), locked(&alice, "BTC")),
        ("PARTIALLY_FILLED".into(), "0.15000000".into())
    );
    let canceled = alice.done("DELETE", "/api/v3/orderList", &[SYMBOL, ("listClientOrderId", "three")]);
    let ended = canceled["orderReports"].as_array().expect("reports");
    assert_eq!((ended.len(), &ended[0]["origClientOrderId"]), (1, &json!("profit")), "{canceled}");
}

#[test]
fn what_makes_no_list_is_refused() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let with = |change: &[(&'static str, &'static str)]| {
        let mut params = buy_then_sell("70000");
        params.retain(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
        params.extend(change.iter().copied().filter(|(_, value)| *value != "-"));
        alice.refused("POST", OTO, &params)
    };
    assert_eq!(with(&[("workingType", "MARKET")]), (400, -1116));
    assert_eq!(with(&[("workingPrice", "-")]), (400, -1102));
    assert_eq!(with(&[("pendingType", "-")]), (400, -1102));
    assert_eq!(with(&[("pendingPrice", "50000.001")]), (400, -1013));
    assert_eq!(with(&[("pendingClientOrderId", "first")]), (400, -2010));
    assert_eq!(with(&[("workingQuantity", "100")]), (400, -2010));
    let pair = [
        SYMBOL,
        ("workingType", "LIMIT"),
        ("workingSide", "BUY"),
        ("workingPrice", "50000"),
        ("workingQuantity", "0.1"),
        ("workingTimeInForce", "GTC"),
        ("pendingSide", "SELL"),
        ("pendingQuantity", "0.1"),
        ("pendingAboveType", "STOP_LOSS"),
        ("pendingAboveStopPrice", "60000"),
        ("pendingBelowType", "LIMIT_MAKER"),
        ("pendingBelowPrice", "40000"),
    ];
    assert_eq!(alice.refused("POST", OTOCO, &pair), (400, -1166));
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]), json!([]), "nothing was placed");
}

#[test]
fn an_order_trails_the_best_price_and_sells_once_it_comes_back() {
    let venue = quiet();
    let (alice, bob) = (Trader::new(&venue, "alicehmac"), Trader::new(&venue, "bobhmac"));
    let trailing = |delta: &'static str| {
        vec![
            SYMBOL,
            ("side", "SELL"),
            ("type", "STOP_LOSS"),
            ("quantity", "0.1"),
            ("trailingDelta", delta),
            ("newClientOrderId", "trail"),
            ("newOrderRespType", "RESULT"),
        ]
    };
    for delta in ["9", "2001"] {
        let refused = alice.rest("POST", ORDER, &trailing(delta)).json();
        assert_eq!(
            (&refused["code"], &refused["msg"]),
            (&json!(-1013), &json!("Filter failure: TRAILING_DELTA"))
        );
    }
    let placed = alice.done("POST", ORDER, &trailing("100"));
    assert_eq!((&placed["trailingDelta"], &placed["trailingTime"]), (&json!(100), &json!(-1)));
    let trade = |price: &str| {
        limit(&bob, "BUY", price, "0.01");
        limit(&alice, "SELL", price, "0.01");
    };
    trade("60000");
    assert!(asked(&alice, "trail")["trailingTime"].as_u64().is_some_and(|ms| ms > 0), "it trails by now");
    trade("61000");
    trade("60390.01");
    assert_eq!(status(&alice, "trail"), "NEW", "a hundredth of a percent is missing");
    limit(&bob, "BUY", "60300", "1");
    trade("60390");
    let done = asked(&alice, "trail");
    assert_eq!(
        (&done["status"], &done["cummulativeQuoteQty"]),
        (&json!("FILLED"), &json!("6030.00000000")),
        "{done}"
    );
}

#[test]
fn a_cancelled_order_is_shown_by_its_cancels_name_and_found_by_both() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let id = {
        let params = [
            SYMBOL,
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.1"),
            ("price", "50000"),
            ("newClientOrderId", "mine"),
        ];
        alice.done("POST", ORDER, &params)["orderId"].as_u64().expect("an id").to_string()
    };
    let cancel = [SYMBOL, ("origClientOrderId", "mine"), ("newClientOrderId", "the-cancel")];
    let canceled = alice.done("DELETE", ORDER, &cancel);
    assert_eq!(
        (&canceled["origClientOrderId"], &canceled["clientOrderId"]),
        (&json!("mine"), &json!("the-cancel"))
    );
    let by_id = alice.done("GET", ORDER, &[SYMBOL, ("orderId", &id)]);
    assert_eq!((&by_id["clientOrderId"], &by_id["status"]), (&json!("the-cancel"), &json!("CANCELED")));
    for name in ["mine", "the-cancel"] {
        assert_eq!(asked(&alice, name), by_id, "{name}");
        let both = [SYMBOL, ("orderId", id.as_str()), ("origClientOrderId", name)];
        assert_eq!(alice.done("GET", ORDER, &both), by_id, "{name}");
    }
    let all = alice.done("GET", "/api/v3/allOrders", &[SYMBOL]);
    assert_eq!(all[0]["clientOrderId"], "the-cancel");

    // Its name is free, and a cancel that nobody named leaves the order its own.
    let named = |name: &'static str| {
        let mut params = vec![SYMBOL, ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC")];
        params.extend([("quantity", "0.1"), ("price", "50000"), ("newClientOrderId", name)]);
        alice.done("POST", ORDER, &params)
    };
    named("mine");
    alice.done("DELETE", ORDER, &[SYMBOL, ("origClientOrderId", "mine")]);
    assert_eq!(asked(&alice, "mine")["clientOrderId"], "mine");

    // A cancel by the name of an open order does not hide that.
    named("third");
    named("fourth");
    alice.done("DELETE", ORDER, &[SYMBOL, ("origClientOrderId", "third"), ("newClientOrderId", "fourth")]);
    assert_eq!((status(&alice, "fourth"), status(&alice, "third")), ("NEW".into(), "CANCELED".into()));
}
