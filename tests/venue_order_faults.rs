//! What is asked to go wrong with orders goes wrong, and what the venue did all the same can be found out afterwards.

use algo_trader::venue::local::api::{Aim, Mishap};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Fault, Running, Server, ServerOptions, StreamAction};
use serde_json::{Value, json};

#[path = "support/order_client.rs"]
mod order_client;
use order_client::stream_client::{connect, get, send, text};
use order_client::{Trader, account, event, now_ms, request};
use std::time::{Duration, Instant};

const ORDER: &str = "/api/v3/order";

fn options() -> ServerOptions {
    let mut options = ServerOptions::generated(12, demo_instruments(), 200);
    (options.wait_for_clients, options.meets_market) = (99, false);
    options.accounts = vec![account("alice", &[("USDT", "1000000")])];
    options
}

fn quiet() -> Running {
    Server::start(options()).expect("the venue starts")
}

fn once(how: Mishap) -> Fault {
    Fault::Order { how, on: Aim::Orders, nth: 1, count: 1 }
}

fn named(name: &str) -> [(&str, &str); 7] {
    [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.01"),
        ("price", "50000"),
        ("newClientOrderId", name),
    ]
}

#[test]
fn an_order_whose_answer_is_lost_is_live_or_not_as_was_asked() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let cases = [
        (Mishap::TimeoutDone, Some((504, Some(-1007))), true),
        (Mishap::TimeoutLost, Some((504, Some(-1007))), false),
        (Mishap::UnavailableDone, Some((503, Some(-1000))), true),
        (Mishap::UnavailableLost, Some((503, Some(-1000))), false),
        (Mishap::KeyRefused, Some((401, Some(-2015))), false),
        (Mishap::CutDone, None, true),
        (Mishap::CutLost, None, false),
        (Mishap::Truncated, None, true),
    ];
    for (at, (how, told, live)) in cases.into_iter().enumerate() {
        let name = format!("order{at}");
        assert!(venue.control().inject(once(how)));
        let answer = alice.try_rest("POST", ORDER, &named(&name));
        assert_eq!(answer.map(|a| (a.status, a.json()["code"].as_i64())), told, "{how:?}");
        let found = alice.rest("GET", ORDER, &[("symbol", "BTCUSDT"), ("origClientOrderId", &name)]);
        assert_eq!(found.status == 200, live, "{how:?}");
    }
    assert!(venue.control().inject(once(Mishap::NotJson)));
    assert!(alice.rest("POST", ORDER, &named("html")).body.starts_with("<html>"));
    assert!(venue.control().inject(once(Mishap::UnknownFields)));
    assert!(alice.done("POST", ORDER, &named("odd"))["unknownMember"].is_object());
    assert!(venue.control().inject(once(Mishap::Huge)));
    assert!(alice.rest("POST", ORDER, &named("huge")).body.len() > 10_000_000);
    assert!(venue.control().inject(once(Mishap::Slow { ms: 300 })));
    let began = Instant::now();
    alice.done("POST", ORDER, &named("slow"));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_socket_is_cut_between_taking_an_order_and_answering() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut socket = alice.websocket();
    assert!(venue.control().inject(once(Mishap::CutDone)));
    let mut params = json!({});
    for (name, value) in named("cut") {
        params[name] = json!(value);
    }
    let order = json!({ "id": 1, "method": "order.place", "params": alice.signed_params(params) });
    send(&mut socket, &order.to_string());
    assert_eq!(text(&mut socket), None);
    alice.done("GET", ORDER, &[("symbol", "BTCUSDT"), ("origClientOrderId", "cut")]);
}

#[test]
fn bans_maintenance_wrong_clocks_and_closed_symbols_are_told_as_the_venue_does() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let inject = |fault: Fault| assert!(venue.control().inject(fault));
    let public = |target: &str| get(alice.endpoint(), venue.ca_pem(), target);
    inject(Fault::Skew { ms: 20_000 });
    assert_eq!(alice.refused("GET", "/api/v3/openOrders", &[]), (400, -1021));
    let ahead = public("/api/v3/time").json()["serverTime"].as_u64().expect("a time") - now_ms();
    assert!((5_000..=20_000).contains(&ahead), "{ahead} ms ahead");
    inject(Fault::Skew { ms: 0 });
    for (status, halted) in [("HALT", true), ("CANCEL_ONLY", true), ("TRADING", false)] {
        inject(Fault::Symbol { symbol: "BTCUSDT".into(), status: status.into() });
        let answer = alice.rest("POST", ORDER, &named(status));
        assert_eq!(answer.status == 400, halted, "{status}: {}", answer.body);
        let info = public("/api/v3/exchangeInfo?symbol=BTCUSDT").json();
        assert_eq!(info["symbols"][0]["status"], status);
    }
    inject(Fault::Maintenance { ms: 60_000 });
    assert_eq!(alice.refused("GET", "/api/v3/openOrders", &[]), (503, -1008));
    assert_eq!(public("/api/v3/depth?symbol=BTCUSDT").status, 503);
    inject(Fault::Maintenance { ms: 0 });
    for status in [429, 418] {
        inject(Fault::Ban { status, seconds: 60 });
        let until = now_ms() + 60_000;
        for refused in [alice.rest("GET", "/api/v3/openOrders", &[]), public("/api/v3/exchangeInfo")] {
            assert_eq!((refused.status, refused.json()["code"].as_i64()), (status, Some(-1003)));
            let wait: u64 = refused.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
            assert!(now_ms() + wait * 1_000 <= until + 1_500 && wait >= 30, "{wait} s");
        }
        inject(Fault::Ban { status, seconds: 0 });
    }
    assert_eq!(alice.done("GET", "/api/v3/openOrders", &[]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_ban_ends_when_it_said_it_would() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let began = Instant::now();
    assert!(venue.control().inject(Fault::Ban { status: 418, seconds: 1 }));
    while alice.rest("GET", "/api/v3/openOrders", &[]).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "the ban goes on");
    }
    assert!(began.elapsed() > Duration::from_millis(500), "there was none");
}

#[test]
fn questions_go_wrong_where_they_are_meant_and_every_nth_time() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let fault = Fault::Order { how: Mishap::UnavailableLost, on: Aim::Queries, nth: 2, count: 2 };
    assert!(venue.control().inject(fault));
    let told: Vec<u16> = (0..6)
        .map(|at| {
            alice.done("POST", ORDER, &named(&format!("fine{at}")));
            alice.rest("GET", "/api/v3/openOrders", &[]).status
        })
        .collect();
    assert_eq!(told, [200, 503, 200, 503, 200, 200]);
    assert_eq!(venue.stats().faults.get("order"), Some(&2));
}

#[test]
fn sockets_of_orders_are_cut_and_streams_are_not() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut orders = alice.websocket();
    let mut stream = connect(alice.endpoint(), venue.ca_pem(), "/ws/btcusdt@trade");
    assert!(venue.control().inject(Fault::CutOrders));
    assert_eq!(text(&mut orders), None);
    send(&mut stream, r#"{"id":7,"method":"LIST_SUBSCRIPTIONS"}"#);
    assert!(text(&mut stream).is_some_and(|reply| reply.contains("btcusdt@trade")));
}

#[test]
fn a_venue_that_reads_slowly_answers_late_and_loses_nothing() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut socket = alice.websocket();
    let began = Instant::now();
    assert!(venue.control().inject(Fault::Deaf { ms: 300 }));
    for id in 0..3 {
        let mut params = json!({});
        for (name, value) in named(&format!("deaf{id}")) {
            params[name] = json!(value);
        }
        let order = json!({ "id": id, "method": "order.place", "params": alice.signed_params(params) });
        send(&mut socket, &order.to_string());
    }
    for id in 0..3 {
        let answer: Value = serde_json::from_str(&text(&mut socket).expect("an answer")).expect("JSON");
        assert_eq!((&answer["id"], &answer["status"]), (&json!(id), &json!(200)), "{answer}");
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn what_was_asked_behind_a_late_answer_is_answered_after_it() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut socket = alice.websocket();
    let slow = Fault::Order { how: Mishap::Slow { ms: 100 }, on: Aim::All, nth: 1, count: 2 };
    assert!(venue.control().inject(slow));
    let began = Instant::now();
    for id in 0..3 {
        let ask =
            json!({ "id": id, "method": "openOrders.status", "params": alice.signed_params(json!({})) });
        send(&mut socket, &ask.to_string());
    }
    for id in 0..3 {
        let answer: Value = serde_json::from_str(&text(&mut socket).expect("an answer")).expect("JSON");
        assert_eq!((&answer["id"], &answer["status"]), (&json!(id), &json!(200)), "{answer}");
    }
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn faults_can_be_planned_and_read_as_json() {
    let faults = [
        r#"{"fault":"order","how":"timeout-done"}"#,
        r#"{"fault":"order","how":{"slow":{"ms":300}},"on":"queries","nth":3,"count":5}"#,
        r#"{"fault":"user-events","action":"delay","ms":200}"#,
        r#"{"fault":"cut-orders"}"#,
        r#"{"fault":"deaf","ms":5}"#,
        r#"{"fault":"ban","status":418,"seconds":2}"#,
        r#"{"fault":"skew","ms":-1500}"#,
        r#"{"fault":"maintenance","ms":1000}"#,
        r#"{"fault":"symbol","symbol":"BTCUSDT","status":"HALT"}"#,
    ];
    for text in faults {
        serde_json::from_str::<Fault>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let mut options = options();
    options.faults = vec![(Duration::ZERO, once(Mishap::UnavailableLost))];
    let venue = Server::start(options).expect("the venue starts");
    let alice = Trader::new(&venue, "alicehmac");
    assert_eq!(alice.refused("POST", ORDER, &named("planned")), (503, -1000));
    alice.done("POST", ORDER, &named("planned"));
}

#[test]
fn user_events_are_dropped_doubled_reordered_and_late() {
    let venue = quiet();
    let alice = Trader::new(&venue, "alicehmac");
    let mut socket = alice.websocket();
    let subscribe = "userDataStream.subscribe.signature";
    let (reply, _) = request(&mut socket, "1", subscribe, alice.signed_params(json!({})));
    assert_eq!(reply["status"], 200, "{reply}");
    let fault = |action| Fault::UserEvents { action, nth: 1, count: 1, ms: 200 };
    let seen = |socket: &mut _, action, name: &str, count: usize| -> Vec<String> {
        assert!(venue.control().inject(fault(action)));
        alice.done("POST", ORDER, &named(name));
        (0..count).map(|_| event(socket)["event"]["e"].as_str().expect("a kind").to_owned()).collect()
    };
    let (report, position) = ("executionReport", "outboundAccountPosition");
    assert_eq!(seen(&mut socket, StreamAction::Drop, "a", 1), [position]);
    assert_eq!(seen(&mut socket, StreamAction::Duplicate, "b", 3), [report, report, position]);
    assert_eq!(seen(&mut socket, StreamAction::Reorder, "c", 2), [position, report]);
    let began = Instant::now();
    assert_eq!(seen(&mut socket, StreamAction::Delay, "d", 2), [report, position]);
    assert!(began.elapsed() >= Duration::from_millis(200));
    for fault in ["user-drop", "user-duplicate", "user-reorder", "user-delay"] {
        assert_eq!(venue.stats().faults.get(fault), Some(&1), "{fault}");
    }
}
