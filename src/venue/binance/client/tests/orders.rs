//! An order from its placing to its end, answers lost and found.

use super::*;

#[test]
fn an_order_goes_out_is_acknowledged_fills_and_is_over() {
    let mut rig = Rig::started();
    let (order, id) = rig.place(1);
    let sent = rig.last("order.place")["params"].clone();
    assert_eq!(sent["newClientOrderId"], id.as_str());
    assert_eq!(
        (sent["newOrderRespType"].as_str(), sent["price"].as_str()),
        (Some("ACK"), Some("0.10264400"))
    );
    assert_eq!(sent["recvWindow"], 5_000);
    let ack = json!({"symbol": "ETHBTC", "orderId": 4_293_153, "orderListId": -1, "clientOrderId": id.as_str(), "transactTime": START_MS});
    rig.answer("order.place", ack);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    assert_eq!(rig.told(), [ReportKind::Accepted]);
    let part = event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((77_517, "0.40000000")));
    rig.frame(&part);
    rig.frame(&part);
    let fill = rig.reports[0];
    assert_eq!(
        (fill.kind, fill.qty, fill.price, fill.trade_id),
        (ReportKind::Fill, Qty(40_000_000), order.price, 77_517)
    );
    // 0.0001 ETH of what was bought.
    assert_eq!((fill.fee, fill.fee_asset), (10_000, crate::domain::event::FeeAsset::Base));
    assert_eq!((fill.strategy, fill.maker), (StrategyId(3), true));
    assert_eq!(rig.told(), [ReportKind::Fill], "a trade is booked once");
    rig.frame(&event(&id, "TRADE", "FILLED", "1.00000000", Some((77_518, "0.60000000"))));
    assert_eq!(rig.told(), [ReportKind::Fill]);
    assert_eq!(rig.client.open_orders(), (0, 0));
    // 10 ETH + 1 − 2 × 0.0001.
    assert_eq!(rig.client.balance("ETH"), 10_999_800_000_000_000_000);
    assert_eq!(rig.client.balance("BTC"), 9_897_356_000_000_000_000);
}

#[test]
fn a_cancel_is_sent_and_its_end_waits_for_the_fills_it_speaks_of() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.cancel(1);
    assert_eq!(rig.last("order.cancel")["params"]["orderId"], 4_293_153);
    let gone = json!({"symbol": "ETHBTC", "origClientOrderId": id.as_str(), "orderId": 4_293_153, "clientOrderId": "x",
        "origQty": "1.00000000", "executedQty": "0.40000000", "status": "CANCELED", "side": "BUY"});
    rig.answer("order.cancel", gone);
    assert_eq!(rig.told(), [ReportKind::Accepted], "a fill is missing");
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((9, "0.40000000"))));
    rig.frame(&event(&id, "CANCELED", "CANCELED", "0.40000000", None));
    assert_eq!(rig.told(), [ReportKind::Fill, ReportKind::Canceled]);
    rig.cancel(1);
    assert!(matches!(rig.notices.last(), Some(Notice::NotSent { why: LocalRefusal::NoSuchOrder, .. })));
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let mut rig = Rig::started();
    for (number, code, text, kind) in [
        (
            1,
            -2010,
            "Account has insufficient balance for requested action.",
            RefusalKind::InsufficientBalance,
        ),
        (2, -1013, "Filter failure: NOTIONAL", RefusalKind::Filter),
        (3, -2010, "Market is closed.", RefusalKind::MarketClosed),
        (4, -1021, "Timestamp for this request is outside of the recvWindow.", RefusalKind::Time),
    ] {
        rig.place(number);
        rig.refuse("order.place", 400, code, text);
        assert_eq!(rig.told(), [ReportKind::Rejected]);
        let refused = rig.notices.iter().rev().find_map(|notice| match notice {
            Notice::Refused { why, .. } => Some(why.kind),
            _ => None,
        });
        assert_eq!(refused, Some(kind), "{text}");
    }
    assert_eq!(
        rig.client.trading(rig.now),
        Err(Paused::Clock),
        "−1021 stops trading until the clock is known"
    );
    rig.place(5);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.settle();
    assert_eq!(rig.client.trading(rig.now), Ok(()));
}

#[test]
fn a_lost_answer_is_asked_for_and_nothing_is_sent_again() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.refuse("order.place", 503, -1007, "Timeout waiting for response from backend server.");
    assert!(rig.notices.iter().any(|notice| matches!(notice, Notice::Unknown { .. })));
    assert_eq!(rig.client.open_orders(), (1, 1));
    assert_eq!(rig.last("order.status")["params"]["origClientOrderId"], id.as_str());
    // Not found is not believed before the order can no longer arrive: 5 s + 10 s, and the clock's error.
    let mut asked = 0;
    for _ in 0..15_450 / 50 {
        if rig.count("order.status") > asked {
            asked = rig.count("order.status");
            rig.refuse("order.status", 400, -2013, "Order does not exist.");
        }
        rig.after(50);
        assert_eq!(rig.told(), []);
    }
    assert!((4..20).contains(&asked), "{asked} questions");
    for _ in 0..200 {
        if rig.count("order.status") > asked {
            asked = rig.count("order.status");
            rig.refuse("order.status", 400, -2013, "Order does not exist.");
        }
        rig.after(50);
    }
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    assert_eq!((rig.count("order.place"), rig.client.open_orders()), (1, (0, 0)));
}

#[test]
fn an_unknown_order_that_is_found_goes_on() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    // The session breaks off between sending and answer.
    let session = *rig.opened.last().expect("a session");
    rig.input(Input::SessionClosed(session));
    assert_eq!(rig.client.open_orders(), (1, 1));
    let asked = rig.calls.iter().find(|(_, call)| call.starts_with("GET /api/v3/order?")).cloned();
    let (call, target) = asked.expect("asked by REST, as there is no session");
    assert!(target.contains(&format!("origClientOrderId={}", id.as_str())), "{target}");
    let body = json!({"symbol": "ETHBTC", "orderId": 4_293_153, "clientOrderId": id.as_str(), "origQty": "1.00000000",
        "executedQty": "0.40000000", "status": "PARTIALLY_FILLED", "side": "BUY"}).to_string();
    let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
    rig.input(Input::HttpReply { id: call, answer: Ok(reply) });
    assert_eq!(rig.told(), [ReportKind::Accepted]);
    assert_eq!(rig.client.open_orders(), (1, 0));
    // Its fills are asked for, as no event tells of them.
    rig.after(600);
    let trades = rig.calls.iter().find(|(_, call)| call.starts_with("GET /api/v3/myTrades?")).cloned();
    let (call, target) = trades.expect("trades are asked for");
    assert!(target.contains("orderId=4293153"), "{target}");
    let body = json!([{"symbol": "ETHBTC", "id": 5, "orderId": 4_293_153, "price": "0.10264400", "qty": "0.40000000",
        "commission": "0.00000000", "commissionAsset": "ETH", "isBuyer": true, "isMaker": true, "time": 1}]).to_string();
    let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
    rig.input(Input::HttpReply { id: call, answer: Ok(reply) });
    assert_eq!(rig.told(), [ReportKind::Fill]);
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((5, "0.40000000"))));
    assert_eq!(rig.told(), []);
}

#[test]
fn a_time_stamp_far_ahead_of_the_venues_clock_has_the_clock_measured_at_once() {
    // What BINANCE says of one that is more than ten seconds ahead: nothing of −1021.
    const SAID: &str = "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.";
    let mut rig = Rig::started();
    rig.place(2);
    rig.refuse("order.place", 400, -1102, SAID);
    assert_eq!(rig.client.trading(rig.now), Err(Paused::Clock));
    let refused = |n: &Notice| matches!(n, Notice::Refused { why, .. } if why.kind == RefusalKind::Time);
    assert_eq!((rig.notes(|n| *n == Notice::ClockRefused), rig.notes(refused)), (1, 1));
    assert!(rig.count("time") > 0 || rig.calls.iter().any(|(_, call)| call.contains("/time")), "at once");
    rig.settle();
    assert_eq!(rig.client.trading(rig.now), Ok(()));
    // Another parameter is none of the clock's.
    rig.forget();
    rig.place(3);
    rig.refuse(
        "order.place",
        400,
        -1102,
        "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
    );
    assert_eq!((rig.client.trading(rig.now), rig.notes(|n| *n == Notice::ClockRefused)), (Ok(()), 0));
}

#[test]
fn a_cancel_refused_for_a_time_stamp_is_dated_anew_and_one_refused_otherwise_is_asked_for_at_a_pace() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.told();
    rig.cancel(1);
    rig.refuse(
        "order.cancel",
        400,
        -1102,
        "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.",
    );
    assert_eq!(rig.told(), [], "it is sent again");
    rig.settle();
    assert_eq!(rig.count("order.cancel"), 2);
    // Whoever asks on at each refusal is heard four times a second.
    rig.refuse("order.cancel", 400, -1100, "Illegal characters found in a parameter.");
    assert_eq!(rig.told(), [ReportKind::CancelRejected]);
    let before = rig.count("order.cancel");
    let mut answered = before;
    for _ in 0..100 {
        rig.cancel(1);
        rig.after(10);
        if rig.count("order.cancel") > answered {
            answered = rig.count("order.cancel");
            rig.refuse("order.cancel", 400, -1100, "Illegal characters found in a parameter.");
        }
    }
    let sent = rig.count("order.cancel") - before;
    assert!((1..=4).contains(&sent), "{sent} in a second");
}
