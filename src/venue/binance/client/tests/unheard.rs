//! What the user stream does not tell: while there is none, and while there is one that says nothing.

use super::*;

fn ack(id: &ClientOrderId, venue_id: u64) -> Value {
    json!({"symbol": "ETHBTC", "orderId": venue_id, "orderListId": -1, "clientOrderId": id.as_str(), "transactTime": START_MS})
}

fn stands(id: &ClientOrderId, venue_id: u64, status: &str, executed: &str) -> Value {
    json!({"symbol": "ETHBTC", "orderId": venue_id, "clientOrderId": id.as_str(), "origQty": "1.00000000",
        "executedQty": executed, "status": status, "side": "BUY"})
}

fn trade(rig: &Rig, venue_id: u64, trade_id: u64, ago_ms: u64) -> Value {
    json!({"symbol": "ETHBTC", "id": trade_id, "orderId": venue_id, "price": "0.10264400", "qty": "1.00000000",
        "commission": "0.00000000", "commissionAsset": "ETH", "isBuyer": true, "isMaker": false,
        "time": rig.server_ms() - ago_ms})
}

impl Rig {
    /// The calls of this kind that are not answered.
    fn asked(&self, what: &str) -> usize {
        self.calls.iter().filter(|(_, call)| call.starts_with(what)).count()
    }

    /// Answers the oldest of them.
    fn reply(&mut self, what: &str, body: &Value) {
        let at = self.calls.iter().position(|(_, call)| call.starts_with(what));
        let at = at.unwrap_or_else(|| panic!("no {what} in {:?}", self.calls));
        let (id, body) = (self.calls.remove(at).0, body.to_string());
        let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
        self.input(Input::HttpReply { id, answer: Ok(reply) });
    }
}

#[test]
fn an_order_that_ends_at_once_is_asked_for_until_its_end_is_known() {
    let ioc = Order { tif: TimeInForce::Ioc, ..limit(1) };
    let fok = Order { tif: TimeInForce::Fok, ..limit(1) };
    for order in [market(1), ioc, fok] {
        let mut rig = Rig::started();
        let (_, id) = rig.place_order(order);
        rig.answer("order.place", ack(&id, 5));
        rig.after(490);
        assert_eq!(rig.count("order.status"), 0, "the stream will tell");
        // It says nothing. Not even the venue knows at first.
        for (asked, pause) in [(1, 10), (2, 500), (3, 800), (4, 1_600)] {
            rig.after(pause);
            assert_eq!(rig.count("order.status"), asked, "{order:?}");
            rig.answer("order.status", stands(&id, 5, "NEW", "0.00000000"));
        }
        rig.after(3_200);
        rig.answer("order.status", stands(&id, 5, "FILLED", "1.00000000"));
        assert_eq!(rig.count("myTrades"), 1, "its trades are not waited for any longer");
        let trade = trade(&rig, 5, 9, 6_000);
        rig.answer("myTrades", json!([trade]));
        assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Fill]);
        rig.after(5_000);
        assert_eq!((rig.client.open_orders(), rig.count("order.status")), ((0, 0), 5));
    }
}

#[test]
fn an_order_of_more_trades_than_an_answer_holds_is_asked_for_all_of_them() {
    let mut rig = Rig::started();
    let (_, id) = rig.place_order(market(1));
    rig.answer("order.place", ack(&id, 5));
    rig.after(500);
    rig.answer("order.status", stands(&id, 5, "FILLED", "1.00000000"));
    // 1,600 trades; an answer has the newest thousand, or those from a number on.
    let small = |rig: &Rig, number: u64| {
        let mut row = trade(rig, 5, 9 + number, 6_000);
        row["qty"] = json!("0.00062500");
        row
    };
    let rows = |rig: &Rig, from: u64, to: u64| (from..to).map(|n| small(rig, n)).collect::<Vec<_>>();
    assert_eq!(rig.last("myTrades")["params"]["fromId"], json!(null));
    let newest = rows(&rig, 600, 1_600);
    rig.answer("myTrades", json!(newest));
    rig.after(0);
    assert_eq!((rig.count("myTrades"), &rig.last("myTrades")["params"]["fromId"]), (2, &json!(0)));
    let oldest = rows(&rig, 0, 1_000);
    rig.answer("myTrades", json!(oldest));
    assert_eq!(rig.client.open_orders(), (0, 0), "all are known");
    let told = rig.told();
    assert_eq!(told.iter().filter(|kind| **kind == ReportKind::Fill).count(), 1_600, "each once");
    rig.after(5_000);
    assert_eq!(rig.count("myTrades"), 2);
}

#[test]
fn an_order_that_rests_or_was_told_of_is_not_asked_for_while_there_is_a_stream() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.answer("order.place", ack(&id, 5));
    let (_, id) = rig.place_order(market(2));
    rig.answer("order.place", ack(&id, 4_293_153));
    rig.frame(&event(&id, "TRADE", "FILLED", "1.00000000", Some((9, "1.00000000"))));
    for _ in 0..90 {
        rig.after(100);
    }
    assert_eq!((rig.count("order.status"), rig.asked("GET /api/v3/order?")), (0, 0));
    assert_eq!(rig.client.open_orders(), (1, 0));
}

#[test]
fn without_a_stream_orders_are_asked_for_by_rest_and_their_fills_are_known_soon() {
    let mut rig = Rig::started();
    let (_, resting) = rig.place(1);
    rig.answer("order.place", ack(&resting, 5));
    rig.forget();
    let session = *rig.opened.last().expect("a session");
    rig.input(Input::SessionClosed(session));
    // One that fills at once: known after three round trips.
    let (_, taking) = rig.place_order(market(2));
    rig.reply("POST /api/v3/order?", &ack(&taking, 6));
    rig.reply("GET /api/v3/order?", &stands(&taking, 6, "FILLED", "1.00000000"));
    let traded = json!([trade(&rig, 6, 9, 0)]);
    rig.reply("GET /api/v3/myTrades?", &traded);
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Fill]);
    // One that rests: every two seconds.
    let mut asked = 0;
    for _ in 0..100 {
        rig.after(100);
        if rig.asked("GET /api/v3/order?") > 0 {
            asked += 1;
            rig.reply("GET /api/v3/order?", &stands(&resting, 5, "NEW", "0.00000000"));
        }
    }
    assert!((4..=5).contains(&asked), "{asked}");
    rig.after(2_000);
    rig.reply("GET /api/v3/order?", &stands(&resting, 5, "FILLED", "1.00000000"));
    let traded = json!([trade(&rig, 5, 10, 0)]);
    rig.reply("GET /api/v3/myTrades?", &traded);
    assert_eq!(rig.told(), [ReportKind::Fill]);
    assert_eq!(rig.client.open_orders(), (0, 0));
}

#[test]
fn many_orders_without_a_stream_are_asked_for_within_a_third_of_the_weight() {
    let mut rig = Rig::started();
    let ids: Vec<ClientOrderId> = (1..=90)
        .map(|number| {
            let (_, id) = rig.place(number);
            rig.answer("order.place", ack(&id, number));
            rig.after(150);
            id
        })
        .collect();
    rig.forget();
    let session = *rig.opened.last().expect("a session");
    rig.input(Input::SessionClosed(session));
    let mut asked = vec![0; ids.len()];
    for _ in 0..3_500 {
        rig.after(10);
        for (call, target) in std::mem::take(&mut rig.calls) {
            let Some((_, rest)) = target.split_once("/api/v3/order?") else { continue };
            let number =
                rest.split(['=', '&']).skip_while(|name| *name != "orderId").nth(1).expect("by number");
            let number: usize = number.parse().expect("a number");
            asked[number - 1] += 1;
            let body = stands(&ids[number - 1], number as u64, "NEW", "0.00000000").to_string();
            let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
            rig.input(Input::HttpReply { id: call, answer: Ok(reply) });
        }
    }
    let all: u32 = asked.iter().sum();
    // In 33 s, of 4 each.
    assert!(asked.iter().all(|times| (2..=4).contains(times)) && all * 4 <= 35 * 34, "{all}: {asked:?}");
}

#[test]
fn a_question_for_an_order_that_is_not_in_doubt_does_not_repeat_its_cancel() {
    let mut rig = Rig::started();
    let (_, id) = rig.place_order(Order { tif: TimeInForce::Ioc, ..limit(1) });
    rig.answer("order.place", ack(&id, 5));
    rig.after(500);
    rig.cancel(1);
    rig.answer("order.status", stands(&id, 5, "NEW", "0.00000000"));
    rig.after(400);
    assert_eq!(rig.count("order.cancel"), 1, "its answer is under way");
}

/// A market order's fill that was learned by asking, half a second after it was made.
fn learned_by_asking(rig: &mut Rig, number: u64) -> ClientOrderId {
    let (_, id) = rig.place_order(market(number));
    rig.answer("order.place", ack(&id, 4_293_153));
    rig.after(500);
    rig.answer("order.status", stands(&id, 4_293_153, "FILLED", "1.00000000"));
    let trade = trade(rig, 4_293_153, 9, 500);
    rig.answer("myTrades", json!([trade]));
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Fill]);
    id
}

fn untold(rig: &Rig) -> usize {
    rig.notes(|n| matches!(n, Notice::SessionLost { why: SessionEnd::Untold(9), .. }))
}

#[test]
fn a_stream_that_does_not_tell_of_a_trade_is_replaced_and_everything_is_asked_for() {
    let mut rig = Rig::started();
    rig.after(2_000);
    let session = *rig.opened.last().expect("a session");
    learned_by_asking(&mut rig, 1);
    rig.after(1_990);
    assert!(rig.closed.is_empty(), "it may come yet");
    rig.after(10);
    assert_eq!((rig.closed.as_slice(), untold(&rig)), (&[session][..], 1));
    assert_eq!(rig.notes(|n| matches!(n, Notice::StreamGap)), 1);
    rig.after(1_000);
    assert_ne!(rig.opened.last(), Some(&session), "another is opened");
}

#[test]
fn a_stream_that_is_late_or_was_not_there_yet_is_believed() {
    let mut rig = Rig::started();
    rig.after(2_000);
    let id = learned_by_asking(&mut rig, 1);
    rig.after(1_900);
    rig.frame(&event(&id, "TRADE", "FILLED", "1.00000000", Some((9, "1.00000000"))));
    rig.after(3_000);
    assert_eq!((rig.told(), rig.closed.len(), untold(&rig)), (vec![], 0, 0), "late");
    // Made before the session brought the stream.
    let mut rig = Rig::started();
    let (_, id) = rig.place_order(market(1));
    rig.answer("order.place", ack(&id, 5));
    rig.after(500);
    rig.answer("order.status", stands(&id, 5, "FILLED", "1.00000000"));
    let trade = trade(&rig, 5, 9, 60_000);
    rig.answer("myTrades", json!([trade]));
    rig.after(5_000);
    assert_eq!((rig.told().len(), rig.closed.len(), untold(&rig)), (2, 0, 0));
}

#[test]
fn a_venue_that_is_late_for_long_costs_one_session_and_not_one_a_trade() {
    let mut rig = Rig::started();
    rig.after(2_000);
    learned_by_asking(&mut rig, 1);
    rig.balances = vec![("BTC", "9.89735600"), ("ETH", "11.00000000")];
    rig.after(2_000);
    assert_eq!((rig.closed.len(), untold(&rig)), (1, 1));
    rig.forget();
    rig.settle_for(4_000, rig.opened.len());
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    rig.told();
    let (_, id) = rig.place_order(market(2));
    rig.answer("order.place", ack(&id, 7));
    rig.after(500);
    rig.answer("order.status", stands(&id, 7, "FILLED", "1.00000000"));
    let trade = trade(&rig, 7, 10, 500);
    rig.answer("myTrades", json!([trade]));
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Fill]);
    rig.after(3_000);
    let mut late = event(&id, "TRADE", "FILLED", "1.00000000", Some((10, "1.00000000")));
    late["event"]["i"] = json!(7);
    rig.frame(&late);
    rig.after(4_000);
    assert_eq!((rig.told(), rig.closed.len()), (vec![], 1), "it came late, as the other would have");
}
