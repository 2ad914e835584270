//! The client against literal frames: what a session says goes in, what the client sends is looked at.

use super::*;
use crate::domain::event::{Command, Report};
use crate::domain::instrument::tests::sample;
use crate::domain::order::ReportKind;
use crate::domain::{
    ClientOrderId, Instrument, InstrumentId, Market, Order, OrderId, OrderKind, Price, Qty, Side, StrategyId,
    TimeInForce,
};
use crate::security::{ApiKey, Secret, Signer};
use serde_json::json;

/// A client and what it said last.
struct Rig {
    client: OrderClient,
    out: Outputs,
    now: Time,
    reports: Vec<Report>,
    notices: Vec<Notice>,
    /// Texts to sessions, with the session.
    texts: Vec<(SessionId, Value)>,
    calls: Vec<(HttpId, String)>,
    opened: Vec<SessionId>,
    closed: Vec<SessionId>,
    halted: Vec<InstrumentId>,
    commands: Vec<Command>,
    rules: Vec<crate::domain::event::Rules>,
    answered: usize,
    /// What `account` is answered.
    balances: Vec<(&'static str, &'static str)>,
}

const START_MS: u64 = 1_700_000_000_000;

fn ethbtc() -> Instrument {
    let mut instrument = sample(Market::Spot, "ETHBTC");
    (instrument.base, instrument.quote) = ("ETH".to_owned(), "BTC".to_owned());
    (instrument.price_decimals, instrument.qty_decimals) = (8, 8);
    instrument
}

impl Rig {
    fn with(settings: ClientSettings) -> Self {
        let table = InstrumentTable::new(vec![ethbtc()]).expect("one instrument");
        let credentials = Credentials {
            api_key: ApiKey::new("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A")
                .expect("a key"),
            signer: Signer::hmac(&Secret::new("secret")).expect("a secret"),
        };
        let client = OrderClient::new(settings, &table, credentials);
        let balances = vec![("BTC", "10.00000000"), ("ETH", "10.00000000")];
        Self {
            client,
            out: Outputs::new(),
            now: Time::from_millis(START_MS),
            reports: Vec::new(),
            notices: Vec::new(),
            texts: Vec::new(),
            calls: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            halted: Vec::new(),
            commands: Vec::new(),
            rules: Vec::new(),
            answered: 0,
            balances,
        }
    }

    /// One that trades.
    fn started() -> Self {
        let mut rig = Self::with(ClientSettings { check_key: false, ..ClientSettings::default() });
        rig.input(Input::Start);
        rig.settle();
        assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
        rig.forget();
        rig
    }

    fn forget(&mut self) {
        self.reports.clear();
        self.notices.clear();
        self.texts.clear();
        self.calls.clear();
        self.commands.clear();
        self.rules.clear();
        self.answered = 0;
    }

    fn take(&mut self) {
        let list = std::mem::take(&mut self.out.list);
        for output in list {
            match output {
                Output::OpenSession(id) => self.opened.push(id),
                Output::CloseSession(id) => self.closed.push(id),
                Output::SessionText { session, text } => {
                    let value = serde_json::from_slice(self.out.text(&text)).expect("JSON");
                    self.texts.push((session, value));
                }
                Output::Http(call) => {
                    let target = String::from_utf8_lossy(self.out.text(&call.target)).into_owned();
                    self.calls.push((call.id, format!("{} {target}", call.method)));
                }
                Output::Report(report) => self.reports.push(report),
                Output::Halt(id) => self.halted.push(id),
                Output::Notice(notice) => self.notices.push(notice),
                Output::Command(command) => self.commands.push(command),
                Output::Rules(rules) => self.rules.push(rules),
            }
        }
        self.out.clear();
    }

    fn input(&mut self, input: Input<'_>) {
        self.client.handle(self.now, input, &mut self.out);
        self.take();
    }

    fn frame(&mut self, frame: &Value) {
        let session = *self.opened.last().expect("a session");
        let text = frame.to_string();
        self.input(Input::SessionFrame(session, text.as_bytes()));
    }

    fn after(&mut self, ms: u64) {
        self.now = self.now.plus_nanos(ms * 1_000_000);
        self.client.poll(self.now, &mut self.out);
        self.take();
    }

    fn server_ms(&self) -> u64 {
        self.now.0 / 1_000_000
    }

    /// Opens sessions and answers everything but orders, as a venue on which nothing happened would.
    fn settle(&mut self) {
        let mut opened = self.opened.len() - usize::from(self.answered == 0 && !self.opened.is_empty());
        for _ in 0..200 {
            if self.opened.len() > opened {
                let id = self.opened[opened];
                opened += 1;
                self.input(Input::SessionOpened(id));
            }
            for (id, call) in std::mem::take(&mut self.calls) {
                let body = match call.as_str() {
                    call if call.contains("/time") => json!({"serverTime": self.server_ms()}).to_string(),
                    call if call.contains("exchangeInfo") => info("TRADING", "0.00000100").to_string(),
                    other => panic!("{other}"),
                };
                let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
                self.input(Input::HttpReply { id, answer: Ok(reply) });
            }
            while self.answered < self.texts.len() {
                let text = self.texts[self.answered].1.clone();
                self.answered += 1;
                let result = match text["method"].as_str().unwrap_or_default() {
                    "time" | "session.logon" => json!({"serverTime": self.server_ms()}),
                    "account.status" => self.account(),
                    "userDataStream.subscribe.signature" | "userDataStream.subscribe" => {
                        json!({"subscriptionId": 0})
                    }
                    "myTrades" | "openOrders.status" => json!([]),
                    _ => continue,
                };
                self.frame(&json!({"id": text["id"], "status": 200, "result": result, "rateLimits": []}));
            }
            self.after(10);
        }
    }

    fn account(&self) -> Value {
        let row =
            |(asset, free): &(&str, &str)| json!({"asset": asset, "free": free, "locked": "0.00000000"});
        json!({"canTrade": true, "balances": self.balances.iter().map(row).collect::<Vec<_>>()})
    }

    fn place(&mut self, number: u64) -> (Order, ClientOrderId) {
        let order = Order {
            id: OrderId(number),
            strategy: StrategyId(3),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: OrderKind::Limit,
            tif: TimeInForce::Gtc,
            reduce_only: false,
            qty: Qty(100_000_000),
            price: Price(10_264_400),
            extras: crate::domain::order::Extras::default(),
        };
        let id = ClientOrderId::derive(7, order.id);
        self.input(Input::Place { order: &order, client_id: &id });
        (order, id)
    }

    fn cancel(&mut self, number: u64) {
        let id = ClientOrderId::derive(7, OrderId(number));
        self.input(Input::Cancel { order: OrderId(number), client_id: &id });
    }

    /// The last text of this method.
    fn last(&self, method: &str) -> &Value {
        let of = self.texts.iter().rev().find(|(_, text)| text["method"] == method);
        &of.unwrap_or_else(|| panic!("no {method} in {:?}", self.texts)).1
    }

    fn count(&self, method: &str) -> usize {
        self.texts.iter().filter(|(_, text)| text["method"] == method).count()
    }

    fn answer(&mut self, method: &str, result: Value) {
        let id = self.last(method)["id"].clone();
        self.frame(&json!({"id": id, "status": 200, "result": result}));
    }

    fn refuse(&mut self, method: &str, status: u16, code: i32, message: &str) {
        let id = self.last(method)["id"].clone();
        self.frame(&json!({"id": id, "status": status, "error": {"code": code, "msg": message}}));
    }

    /// What was reported since the last time, by kind.
    fn told(&mut self) -> Vec<ReportKind> {
        self.reports.drain(..).map(|report| report.kind).collect()
    }
}

fn info(status: &str, tick: &str) -> Value {
    json!({"timezone": "UTC", "serverTime": START_MS, "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100}],
        "exchangeFilters": [], "symbols": [{
            "symbol": "ETHBTC", "status": status, "baseAsset": "ETH", "baseAssetPrecision": 8, "quoteAsset": "BTC",
            "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": true, "ocoAllowed": true, "isSpotTradingAllowed": true,
            "filters": [{"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "100000.00000000", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "100000.00000000", "stepSize": "0.00010000"}],
            "permissionSets": [["SPOT"]], "defaultSelfTradePreventionMode": "NONE",
            "allowedSelfTradePreventionModes": ["NONE"]}]})
}

/// An `executionReport`: what happened, the status, the cumulative quantity, and the trade (id, quantity).
fn event(
    id: &ClientOrderId,
    change: &str,
    status: &str,
    cumulative: &str,
    trade: Option<(u64, &str)>,
) -> Value {
    let (c, original) = if change == "CANCELED" { ("web_1", id.as_str()) } else { (id.as_str(), "") };
    let (t, l) = trade.map_or((-1, "0.00000000"), |(t, l)| (t as i64, l));
    json!({"subscriptionId": 0, "event": {"e": "executionReport", "E": START_MS, "s": "ETHBTC", "c": c, "S": "BUY",
        "o": "LIMIT", "f": "GTC", "q": "1.00000000", "p": "0.10264400", "P": "0.00000000", "F": "0.00000000", "g": -1,
        "C": original, "x": change, "X": status, "r": "NONE", "i": 4_293_153, "l": l, "z": cumulative, "L": "0.10264400",
        "n": if trade.is_some() { "0.00010000" } else { "0" }, "N": if trade.is_some() { json!("ETH") } else { json!(null) },
        "T": START_MS, "t": t, "I": 8_641_984, "w": true, "m": true, "M": false, "O": START_MS, "Z": "0.0", "Y": "0.0",
        "Q": "0.00000000", "V": "NONE", "someNewField": {"a": [1]}}})
}

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

impl Rig {
    /// Answers the newest request of each method in `answers` that is still open, again and again for `ms`.
    fn run(&mut self, ms: u64, answers: &dyn Fn(&str, &Rig) -> Option<Value>) {
        self.answered = self.answered.min(self.texts.len());
        for _ in 0..ms / 10 {
            while self.answered < self.texts.len() {
                let (session, text) = self.texts[self.answered].clone();
                self.answered += 1;
                let method = text["method"].as_str().unwrap_or_default().to_owned();
                if let Some(result) = answers(&method, self) {
                    let frame = json!({"id": text["id"], "status": 200, "result": result}).to_string();
                    self.input(Input::SessionFrame(session, frame.as_bytes()));
                }
            }
            self.after(10);
        }
    }

    fn quiet(method: &str, rig: &Rig) -> Option<Value> {
        Some(match method {
            "time" | "session.logon" => json!({"serverTime": rig.server_ms()}),
            "account.status" => rig.account(),
            "userDataStream.subscribe.signature" => json!({"subscriptionId": 0}),
            "myTrades" | "openOrders.status" => json!([]),
            _ => return None,
        })
    }

    fn notes(&self, of: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| of(notice)).count()
    }
}

#[test]
fn a_session_that_goes_down_is_replaced_before_it_is_closed() {
    let mut rig = Rig::started();
    let old = *rig.opened.last().expect("a session");
    rig.frame(&json!({"event": {"e": "serverShutdown", "E": START_MS}}));
    let new = *rig.opened.last().expect("another");
    assert!(new != old && rig.closed.is_empty());
    rig.place(1);
    assert_eq!(rig.texts.last().expect("sent").0, old, "orders go on by the old one");
    rig.input(Input::SessionOpened(new));
    rig.run(100, &Rig::quiet);
    rig.place(2);
    assert_eq!(rig.texts.last().expect("sent").0, new);
    assert!(rig.closed.is_empty());
    rig.run(6_000, &Rig::quiet);
    assert_eq!(rig.closed, [old]);
    assert_eq!(rig.notes(|notice| matches!(notice, Notice::StreamGap)), 0);
}

#[test]
fn a_silent_session_is_asked_and_then_closed_and_another_is_opened() {
    let mut rig = Rig::started();
    let session = *rig.opened.last().expect("a session");
    let opened = rig.opened.len();
    for _ in 0..200 {
        rig.after(100);
    }
    assert_eq!(rig.closed, [session]);
    assert!(rig.opened.len() > opened);
    assert_eq!(rig.notes(|n| matches!(n, Notice::SessionLost { why: SessionEnd::Silent, .. })), 1);
    assert_eq!(rig.notes(|n| matches!(n, Notice::StreamGap)), 1);
}

#[test]
fn a_message_that_cannot_be_read_ends_the_session_and_its_orders_are_asked_for() {
    for bytes in [
        b"{\"id\":1,\"sta".to_vec(),
        b"<html>".to_vec(),
        vec![b'['; 1_000_000],
        vec![b' '; FRAME_BYTES_MAX + 1],
    ] {
        let mut rig = Rig::started();
        rig.place(1);
        let session = *rig.opened.last().expect("a session");
        rig.input(Input::SessionFrame(session, &bytes));
        assert_eq!(rig.notes(|n| matches!(n, Notice::Unreadable { .. })), 1);
        assert_eq!((rig.closed.len(), rig.client.open_orders()), (1, (1, 1)));
    }
}

#[test]
fn a_ban_is_kept_and_cancels_wait_for_its_end() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.place(2);
    let until = rig.server_ms() + 7_000;
    let request = rig.last("order.place")["id"].clone();
    rig.frame(&json!({"id": request, "status": 418, "error": {"code": -1003, "msg": "Way too much request weight used",
        "data": {"serverTime": until - 7_000, "retryAfter": until}}}));
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Rejected]);
    rig.forget();
    rig.cancel(1);
    rig.place(3);
    assert_eq!(rig.told(), [ReportKind::Rejected], "an order is refused at once");
    assert_eq!(rig.notes(|n| matches!(n, Notice::CancelWaits { .. })), 1);
    while rig.server_ms() < until {
        assert!(rig.texts.is_empty() && rig.calls.is_empty(), "silence");
        rig.after(50);
    }
    rig.after(50);
    assert_eq!(rig.count("order.cancel"), 1);
    assert_eq!(rig.client.refusals(), 1);
}

#[test]
fn a_difference_that_stays_halts_the_instrument_and_a_person_lets_it_go_on() {
    let mut rig = Rig::started();
    rig.balances = vec![("BTC", "9.50000000"), ("ETH", "10.00000000")];
    rig.run(31_000, &Rig::quiet);
    rig.run(2_000, &Rig::quiet);
    assert_eq!(rig.halted, [InstrumentId(0)]);
    let told = rig.notices.iter().rev().find_map(|n| match n {
        Notice::Difference { asset, venue, ours, halts: true } => {
            Some((asset.clone(), venue.to_string(), ours.to_string()))
        }
        _ => None,
    });
    let (asset, venue, ours) = told.expect("told");
    assert_eq!(
        (asset.as_str(), venue.as_str(), ours.as_str()),
        ("BTC", "9.500000000000000000", "10.000000000000000000")
    );
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.input(Input::Resume(InstrumentId(0)));
    rig.run(62_000, &Rig::quiet);
    assert_eq!(rig.client.balance("BTC"), 9_500_000_000_000_000_000);
    assert_eq!(rig.halted.len(), 1);
    rig.place(2);
    assert_eq!(rig.told(), []);
}

#[test]
fn a_transfer_moves_what_should_be_there_once() {
    let mut rig = Rig::started();
    let transfer = json!({"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 2, "a": "BTC", "d": "-0.50000000", "T": 1}});
    rig.frame(&transfer);
    rig.frame(&transfer);
    assert_eq!(rig.client.balance("BTC"), 9_500_000_000_000_000_000);
    rig.balances = vec![("BTC", "9.50000000"), ("ETH", "10.00000000")];
    rig.run(65_000, &Rig::quiet);
    assert!(rig.halted.is_empty());
}

#[test]
fn keys_with_wrong_rights_are_refused() {
    for (rights, problem) in [
        (json!({"enableSpotAndMarginTrading": true, "enableWithdrawals": true}), KeyProblem::MayWithdraw),
        (json!({"enableSpotAndMarginTrading": false, "enableWithdrawals": false}), KeyProblem::MayNotTrade),
    ] {
        let mut rig = Rig::with(ClientSettings::default());
        rig.input(Input::Start);
        let time = rig.calls.iter().find(|(_, call)| call.contains("/time")).expect("the time").0;
        let body = json!({"serverTime": START_MS}).to_string();
        rig.input(Input::HttpReply {
            id: time,
            answer: Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() }),
        });
        let asked =
            rig.calls.iter().find(|(_, call)| call.contains("apiRestrictions")).expect("its rights").0;
        let body = rights.to_string();
        rig.input(Input::HttpReply {
            id: asked,
            answer: Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() }),
        });
        assert!(rig.notices.contains(&Notice::Key(problem)), "{:?}", rig.notices);
        assert_eq!(rig.client.trading(rig.now), Err(Paused::Key));
    }
}

#[test]
fn a_tick_that_changes_and_a_symbol_that_stops_are_followed() {
    let mut rig = Rig::started();
    rig.forget();
    let read = |rig: &mut Rig, body: &Value| {
        for _ in 0..70 {
            rig.run(10_000, &Rig::quiet);
            if let Some((id, _)) = rig.calls.iter().find(|(_, call)| call.contains("exchangeInfo")).cloned() {
                let body = body.to_string();
                let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
                rig.calls.clear();
                rig.input(Input::HttpReply { id, answer: Ok(reply) });
                return;
            }
        }
        panic!("exchangeInfo is not read again");
    };
    read(&mut rig, &info("TRADING", "0.00001000"));
    assert_eq!(rig.notes(|n| matches!(n, Notice::RulesChanged(_))), 1);
    let ticks: Vec<Price> = rig.rules.iter().map(|rules| rules.tick).collect();
    assert_eq!((ticks, &rig.commands[..]), (vec![Price(1_000)], &[][..]), "told once, and that alone");
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected], "0.102644 is off the new tick");
    let named = |n: &Notice| matches!(n, Notice::NotSent { why: LocalRefusal::Rule(rule), .. } if rule.to_string().contains("PRICE_FILTER"));
    assert_eq!(rig.notes(named), 1, "{:?}", rig.notices);
    read(&mut rig, &info("HALT", "0.00000100"));
    assert_eq!(rig.notes(|n| matches!(n, Notice::StatusChanged { .. })), 1);
    assert_eq!(rig.commands, [Command::Pause(InstrumentId(0))]);
    read(&mut rig, &info("BREAK", "0.00000100"));
    assert_eq!(rig.commands.len(), 1, "it takes no orders still");
    rig.place(2);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    read(&mut rig, &info("TRADING", "0.00000100"));
    rig.place(3);
    assert_eq!(rig.told(), []);
    assert_eq!(rig.commands[1..], [Command::Unpause(InstrumentId(0))]);
    // What a person paused stays so, whatever the venue says; and a person is obeyed whatever was told before.
    rig.input(Input::Pause(InstrumentId(0)));
    read(&mut rig, &info("HALT", "0.00000100"));
    read(&mut rig, &info("TRADING", "0.00000100"));
    assert_eq!(rig.commands[2..], [Command::Pause(InstrumentId(0))]);
    rig.input(Input::Resume(InstrumentId(0)));
    rig.input(Input::Resume(InstrumentId(0)));
    assert_eq!(rig.commands[3..], [Command::Unpause(InstrumentId(0)); 2]);
}

#[test]
fn after_a_refusal_by_a_filter_the_rules_are_read_anew_but_not_each_time() {
    let mut rig = Rig::started();
    let reads = |rig: &Rig| rig.calls.iter().filter(|(_, call)| call.contains("exchangeInfo")).count();
    rig.after(10_000);
    for number in 1..=3 {
        rig.place(number);
        rig.refuse("order.place", 400, -1013, "Filter failure: LOT_SIZE");
    }
    assert_eq!(reads(&rig), 1, "{:?}", rig.calls);
    let answer = |rig: &mut Rig| {
        let call = rig.calls.iter().rev().find(|(_, call)| call.contains("exchangeInfo"));
        let (id, body) = (call.expect("asked").0, info("TRADING", "0.00000100").to_string());
        let answer = Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() });
        rig.input(Input::HttpReply { id, answer });
    };
    answer(&mut rig);
    rig.place(4);
    rig.refuse("order.place", 400, -1013, "Filter failure: LOT_SIZE");
    assert_eq!(reads(&rig), 1, "it was read a moment ago");
    rig.run(6_000, &Rig::quiet);
    assert_eq!(reads(&rig), 2);
    answer(&mut rig);
    rig.place(5);
    rig.refuse("order.place", 400, -2010, "Account has insufficient balance for requested action.");
    rig.run(20_000, &Rig::quiet);
    assert_eq!(reads(&rig), 2, "that says nothing of rules");
}
