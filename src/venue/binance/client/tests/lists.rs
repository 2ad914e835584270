//! Two orders as one list, from placing to the end, answers lost and found.

use super::*;
use crate::domain::Extras;

/// An `executionReport` of one of the list's orders.
fn told_of(
    id: &ClientOrderId,
    number: u64,
    change: &str,
    status: &str,
    sum: &str,
    trade: Option<(u64, &str)>,
) -> Value {
    let mut frame = event(id, change, status, sum, trade);
    (frame["event"]["i"], frame["event"]["g"]) = (number.into(), 5.into());
    frame
}

fn place(rig: &mut Rig) -> [ClientOrderId; 2] {
    let leg = |number: u64, kind, price, stop, away| Order {
        id: OrderId(number << 8),
        strategy: StrategyId(3),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind,
        tif: TimeInForce::Gtc,
        reduce_only: false,
        qty: Qty(100_000_000),
        price: Price(price),
        extras: Extras { stop_price: Price(stop), other_leg: away, ..Extras::NONE },
    };
    let legs = [
        leg(1, OrderKind::PostOnly, 10_264_400, 0, 1),
        leg(2, OrderKind::StopLimit, 10_364_400, 10_364_400, -1),
    ];
    let ids = legs.map(|leg| ClientOrderId::derive(7, leg.id));
    rig.input(Input::PlacePair { legs: [(&legs[0], &ids[0]), (&legs[1], &ids[1])] });
    ids
}

fn list(ids: &[ClientOrderId; 2]) -> Value {
    let row = |number: u64, id: &ClientOrderId| json!({"symbol": "ETHBTC", "orderId": number, "orderListId": 5, "clientOrderId": id.as_str()});
    let rows = [row(21, &ids[0]), row(22, &ids[1])];
    json!({"orderListId": 5, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED", "listOrderStatus": "EXECUTING",
        "listClientOrderId": ids[0].as_str(), "symbol": "ETHBTC", "orders": rows, "orderReports": rows})
}

fn ends(rig: &mut Rig) -> Vec<(u64, ReportKind)> {
    rig.reports.drain(..).map(|report| (report.order.0 >> 8, report.kind)).collect()
}

#[test]
fn a_list_is_one_request_and_the_trade_of_one_is_the_end_of_the_other() {
    let mut rig = Rig::started();
    let ids = place(&mut rig);
    assert_eq!((rig.count("orderList.place.oco"), rig.count("order.place")), (1, 0));
    let sent = rig.last("orderList.place.oco")["params"].clone();
    assert_eq!(
        (&sent["belowClientOrderId"], &sent["aboveClientOrderId"]),
        (&json!(ids[0].as_str()), &json!(ids[1].as_str()))
    );
    rig.answer("orderList.place.oco", list(&ids));
    assert_eq!(ends(&mut rig), [(1, ReportKind::Accepted), (2, ReportKind::Accepted)]);
    rig.frame(&json!({"subscriptionId": 0, "event": {"e": "listStatus", "s": "ETHBTC", "g": 5, "c": "OCO", "l": "EXEC_STARTED"}}));
    rig.frame(&told_of(&ids[1], 22, "EXPIRED", "EXPIRED", "0.00000000", None));
    let part = told_of(&ids[0], 21, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((9, "0.40000000")));
    rig.frame(&part);
    rig.frame(&part);
    assert_eq!(ends(&mut rig), [(2, ReportKind::Expired), (1, ReportKind::Fill)], "a trade is booked once");
    rig.frame(&told_of(&ids[0], 21, "TRADE", "FILLED", "1.00000000", Some((10, "0.60000000"))));
    rig.frame(&json!({"subscriptionId": 0, "event": {"e": "listStatus", "s": "ETHBTC", "g": 5, "c": "OCO", "l": "ALL_DONE"}}));
    assert_eq!((ends(&mut rig), rig.client.open_orders()), (vec![(1, ReportKind::Fill)], (0, 0)));
}

#[test]
fn taking_one_back_takes_both_back_by_the_answer_alone() {
    let mut rig = Rig::started();
    let ids = place(&mut rig);
    rig.answer("orderList.place.oco", list(&ids));
    ends(&mut rig);
    rig.cancel(1 << 8);
    rig.cancel(2 << 8);
    assert_eq!(rig.count("order.cancel"), 1);
    assert_eq!(rig.last("order.cancel")["params"]["orderId"], 21);
    let row = |number: u64, id: &ClientOrderId| {
        json!({"symbol": "ETHBTC", "origClientOrderId": id.as_str(), "orderId": number,
        "orderListId": 5, "clientOrderId": "x", "origQty": "1.00000000", "executedQty": "0.00000000", "status": "CANCELED", "side": "BUY"})
    };
    let mut gone = list(&ids);
    gone["orderReports"] = json!([row(21, &ids[0]), row(22, &ids[1])]);
    rig.answer("order.cancel", gone);
    assert_eq!(ends(&mut rig), [(1, ReportKind::Canceled), (2, ReportKind::Canceled)]);
    assert_eq!((rig.count("order.status"), rig.client.open_orders()), (0, (0, 0)), "there is nothing to ask");
    rig.run(2_000, &Rig::quiet);
    assert_eq!(rig.count("order.cancel"), 1, "one request takes both back");
}

#[test]
fn a_refused_list_is_both_refused_and_an_unknown_one_is_asked_for_by_both_ids_and_never_resent() {
    let mut rig = Rig::started();
    place(&mut rig);
    rig.refuse(
        "orderList.place.oco",
        400,
        -2010,
        "The relationship of the prices for the orders is not correct.",
    );
    assert_eq!(ends(&mut rig), [(1, ReportKind::Rejected), (2, ReportKind::Rejected)]);

    for live in [true, false] {
        let mut rig = Rig::started();
        let ids = place(&mut rig);
        rig.refuse("orderList.place.oco", 504, -1007, "Timeout waiting for response from backend server.");
        assert_eq!((ends(&mut rig), rig.client.open_orders()), (vec![], (2, 2)));
        rig.run(100, &|method, rig| if method == "order.status" { None } else { Rig::quiet(method, rig) });
        let asked: Vec<Value> = rig
            .texts
            .iter()
            .filter(|(_, text)| text["method"] == "order.status")
            .map(|(_, text)| text.clone())
            .collect();
        let names: Vec<&Value> = asked.iter().map(|text| &text["params"]["origClientOrderId"]).collect();
        assert_eq!(names, [&json!(ids[0].as_str()), &json!(ids[1].as_str())]);
        for (text, number) in asked.iter().zip([21, 22]) {
            let frame = if live {
                let row = json!({"symbol": "ETHBTC", "orderId": number, "orderListId": 5, "clientOrderId": text["params"]["origClientOrderId"],
                    "origQty": "1.00000000", "executedQty": "0.00000000", "status": "NEW", "side": "BUY"});
                json!({"id": text["id"], "status": 200, "result": row})
            } else {
                json!({"id": text["id"], "status": 400, "error": {"code": -2013, "msg": "Order does not exist."}})
            };
            rig.frame(&frame);
        }
        let expected = if live { vec![(1, ReportKind::Accepted), (2, ReportKind::Accepted)] } else { vec![] };
        assert_eq!(ends(&mut rig), expected, "not found is not believed so soon");
        assert_eq!(rig.client.open_orders(), (2, if live { 0 } else { 2 }));
        assert_eq!(rig.count("orderList.place.oco"), 1);
    }
}

#[test]
fn of_an_answer_that_names_one_order_the_other_is_asked_for() {
    let mut rig = Rig::started();
    let ids = place(&mut rig);
    let mut half = list(&ids);
    half["orderReports"] = json!([half["orderReports"][1]]);
    rig.answer("orderList.place.oco", half);
    assert_eq!((ends(&mut rig), rig.client.open_orders()), (vec![(2, ReportKind::Accepted)], (2, 1)));
}

#[test]
fn what_cannot_be_sent_is_both_refused_here_and_leaves_nothing_behind() {
    let mut rig = Rig::started();
    rig.input(Input::Pause(InstrumentId(0)));
    let ids = place(&mut rig);
    assert_eq!(ends(&mut rig), [(1, ReportKind::Rejected), (2, ReportKind::Rejected)]);
    assert_eq!((rig.count("orderList.place.oco"), rig.client.open_orders()), (0, (0, 0)));
    rig.input(Input::Resume(InstrumentId(0)));
    assert_eq!(place(&mut rig), ids);
    assert_eq!(rig.count("orderList.place.oco"), 1, "their ids are free still");
}
