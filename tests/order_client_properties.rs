//! Whatever the order in which answers and events come, and however often, an order ends in one state, and each of its
//! trades is reported once.

#[path = "support/client_driver.rs"]
mod client_driver;

use algo_trader::domain::order::{OrderState, OrderStatus, ReportKind};
use algo_trader::domain::{ClientOrderId, OrderId, Qty};
use algo_trader::venue::binance::client::Input;
use client_driver::{Driver, order};
use proptest::prelude::*;
use serde_json::{Value, json};

const LOT: i64 = 10_000;
const WHOLE: i64 = 100_000_000;

/// What truly became of an order: the quantities it traded in, and how it ended.
#[derive(Debug, Clone)]
struct History {
    trades: Vec<i64>,
    end: &'static str,
}

fn histories() -> impl Strategy<Value = History> {
    let parts = proptest::collection::vec(1i64..900, 0..9);
    (parts, 0usize..4).prop_map(|(parts, end)| {
        let trades: Vec<i64> = parts.into_iter().map(|part| part * LOT).collect();
        let end = ["CANCELED", "EXPIRED", "FILLED", "NEW"][end];
        let mut history = History { trades, end };
        if end == "FILLED" {
            let traded: i64 = history.trades.iter().sum();
            history.trades.push(WHOLE - traded);
        }
        history
    })
}

impl History {
    fn traded(&self) -> i64 {
        self.trades.iter().sum()
    }

    fn status(&self) -> &'static str {
        if self.end == "NEW" && !self.trades.is_empty() { "PARTIALLY_FILLED" } else { self.end }
    }

    fn row(&self, id: &ClientOrderId) -> Value {
        json!({"symbol": "ETHBTC", "orderId": 4_293_153, "orderListId": -1, "clientOrderId": id.as_str(),
            "origQty": "1.00000000", "executedQty": decimal(self.traded()), "status": self.status(), "side": "BUY"})
    }

    fn trade_rows(&self) -> Value {
        let row = |(at, qty): (usize, &i64)| {
            json!({"symbol": "ETHBTC", "id": 100 + at, "orderId": 4_293_153, "price": "0.10264400",
            "qty": decimal(*qty), "commission": "0.00000000", "commissionAsset": "ETH", "isBuyer": true, "isMaker": true, "time": 1})
        };
        Value::Array(self.trades.iter().enumerate().map(row).collect())
    }

    /// The venue's events, in its order.
    fn events(&self, id: &ClientOrderId) -> Vec<Value> {
        let mut events = vec![event(id, "NEW", "NEW", 0, None)];
        let mut sum = 0;
        for (at, qty) in self.trades.iter().enumerate() {
            sum += qty;
            let status = if sum == WHOLE { "FILLED" } else { "PARTIALLY_FILLED" };
            events.push(event(id, "TRADE", status, sum, Some((100 + at as u64, *qty))));
        }
        if matches!(self.end, "CANCELED" | "EXPIRED") {
            events.push(event(id, self.end, self.end, sum, None));
        }
        events
    }
}

fn decimal(value: i64) -> String {
    format!("{}.{:08}", value / WHOLE, value % WHOLE)
}

fn event(id: &ClientOrderId, change: &str, status: &str, sum: i64, trade: Option<(u64, i64)>) -> Value {
    let (c, original) = if change == "CANCELED" { ("web_1", id.as_str()) } else { (id.as_str(), "") };
    let (t, l) = trade.map_or((-1, 0), |(t, l)| (t as i64, l));
    json!({"subscriptionId": 0, "event": {"e": "executionReport", "E": 1, "s": "ETHBTC", "c": c, "S": "BUY", "o": "LIMIT",
        "f": "GTC", "q": "1.00000000", "p": "0.10264400", "C": original, "x": change, "X": status, "r": "NONE",
        "i": 4_293_153, "l": decimal(l), "z": decimal(sum), "L": "0.10264400", "n": "0", "N": null, "T": 1, "t": t,
        "I": 5, "w": true, "m": true, "M": false, "O": 1}})
}

/// Something that reaches the client.
#[derive(Debug, Clone)]
enum Arrival {
    Event(usize),
    /// The answer to the placing: an acknowledgement, "unknown", or none.
    Answer,
    /// We ask for a cancel, which is answered with the truth or not.
    Cancel,
    /// Time passes, questions are answered.
    Pause(u16),
}

/// Every event at least once, in any order, some twice; the answer at any time or never.
fn arrivals(events: usize) -> impl Strategy<Value = Vec<Arrival>> {
    let again = proptest::collection::vec(0..events, 0..4);
    let pauses = proptest::collection::vec(1u16..900, 0..4);
    (again, pauses, any::<bool>(), any::<bool>())
        .prop_map(move |(again, pauses, answer, cancel)| {
            let mut all: Vec<Arrival> = (0..events).chain(again).map(Arrival::Event).collect();
            all.extend(pauses.into_iter().map(Arrival::Pause));
            all.extend(answer.then_some(Arrival::Answer));
            all.extend(cancel.then_some(Arrival::Cancel));
            all
        })
        .prop_shuffle()
}

fn cases() -> impl Strategy<Value = (History, Vec<Arrival>, u8)> {
    histories().prop_flat_map(|history| {
        let count = history.events(&order(1).1).len();
        (Just(history), arrivals(count), 0u8..3)
    })
}

/// Answers every question with the truth.
fn answer_questions(driver: &mut Driver, history: &History, id: &ClientOrderId) {
    for text in std::mem::take(&mut driver.asked) {
        let method = text["method"].as_str().unwrap_or_default().to_owned();
        match method.as_str() {
            "order.place" => driver.asked.push(text),
            "order.cancel" if history.end != "CANCELED" => {
                let error = json!({"code": -2011, "msg": "Unknown order sent."});
                driver.feed(&json!({"id": text["id"], "status": 400, "error": error}));
            }
            _ => driver.answer(&text, &|method| match method {
                "order.status" | "order.cancel" => Some(history.row(id)),
                "myTrades" => Some(history.trade_rows()),
                "openOrders.status" if history.end == "NEW" => Some(json!([history.row(id)])),
                _ => None,
            }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_arrival_ends_in_the_same_state_and_books_each_trade_once((history, arrivals, answer) in cases()) {
        let mut driver = Driver::started();
        let (order, id) = order(1);
        driver.input(Input::Place { order: &order, client_id: &id });
        let events = history.events(&id);
        for arrival in arrivals {
            match arrival {
                Arrival::Event(at) => driver.feed(&events[at]),
                Arrival::Cancel => driver.input(Input::Cancel { order: OrderId(1), client_id: &id }),
                Arrival::Pause(ms) => {
                    driver.after(u64::from(ms));
                    answer_questions(&mut driver, &history, &id);
                }
                Arrival::Answer => {
                    let at = driver.asked.iter().position(|text| text["method"] == "order.place");
                    let Some(at) = at else { continue };
                    let request = driver.asked.swap_remove(at);
                    let ack = json!({"symbol": "ETHBTC", "orderId": 4_293_153, "orderListId": -1, "clientOrderId": id.as_str(), "transactTime": 1});
                    let error = json!({"code": -1007, "msg": "Timeout waiting for response from backend server."});
                    driver.feed(&match answer {
                        0 => json!({"id": request["id"], "status": 200, "result": ack}),
                        1 => json!({"id": request["id"], "status": 200, "result": history.row(&id)}),
                        _ => json!({"id": request["id"], "status": 503, "error": error}),
                    });
                }
            }
        }
        for _ in 0..40 {
            driver.after(250);
            answer_questions(&mut driver, &history, &id);
        }

        let mut state = OrderState::new(order);
        let mut fills = Vec::new();
        for report in &driver.reports {
            prop_assert!(!state.status.is_final(), "{report:?} after the end, {:?}", driver.reports);
            state.apply(report.kind, report.qty, report.trade_id);
            if report.kind == ReportKind::Fill {
                fills.push((report.trade_id, report.qty));
            }
        }
        fills.sort_unstable();
        let trades: Vec<(u64, Qty)> = history.trades.iter().enumerate().map(|(at, qty)| (100 + at as u64, Qty(*qty))).collect();
        prop_assert_eq!(fills, trades);
        let whole = history.traded() == WHOLE;
        let expected = match history.end {
            _ if whole => OrderStatus::Filled,
            "CANCELED" => OrderStatus::Canceled,
            "EXPIRED" => OrderStatus::Expired,
            _ if history.trades.is_empty() => OrderStatus::Open,
            _ => OrderStatus::PartiallyFilled,
        };
        prop_assert_eq!(state.status, expected, "{:?}", driver.reports);
        let open = usize::from(!expected.is_final());
        prop_assert_eq!(driver.client.open_orders(), (open, 0));
        prop_assert_eq!(driver.reports.iter().filter(|report| report.kind == ReportKind::Accepted).count() <= 1, true);
    }
}
