//! The local venue takes the signatures of Binance's own examples, by REST and on the WebSocket API, and no others.

#[path = "support/vectors.rs"]
mod vectors;

use algo_trader::domain::{Market, Time};
use algo_trader::security::{ApiKey, Secret, Verifier};
use algo_trader::venue::local::api::{
    AccountOptions, Api, ApiSettings, KeyOptions, NoMarketData, RestRequest, Session,
};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::exchange::SymbolRules;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr};
use vectors::{list, text, vectors};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A venue that knows the examples' key.
fn venue(all: &Value, kind: &str, api_key: &str, now: Time) -> Api {
    let verifier = match kind {
        "hmac" => Verifier::hmac(&Secret::new(text(all, "/hmac/secretKey"))),
        "rsa" => Verifier::from_pem(text(all, "/rsa/publicKeyPem")),
        _ => {
            let body = text(all, "/ed25519/publicKeySpkiB64");
            Verifier::from_pem(&format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"))
        }
    };
    let key = KeyOptions::new(ApiKey::new(api_key).expect("a key"), verifier.expect("a good key"));
    let account =
        AccountOptions { name: "examples".into(), keys: vec![key], balances: Vec::new(), trade_group: None };
    let symbols = demo_instruments().into_iter().filter(|of| of.market == Market::Spot).map(SymbolRules::of);
    Api::new(ApiSettings::default(), symbols.collect(), vec![account], now).expect("a venue")
}

fn pairs(payload: &str) -> impl Iterator<Item = (&str, &str)> {
    payload.split('&').filter_map(|pair| pair.split_once('='))
}

/// The moment of an example: no request is taken long before or after.
fn moment(payload: &str) -> Time {
    let sent = payload.split_once("timestamp=").expect("a time").1;
    let digits: String = sent.chars().take_while(char::is_ascii_digit).collect();
    let sent: u64 = digits.parse().expect("a number");
    // Of late the venue takes microseconds as well.
    Time(sent * if sent >= 100_000_000_000_000 { 1_000 } else { 1_000_000 })
}

const BAD_SIGNATURE: Option<i64> = Some(-1022);

/// The code that a REST call meets. Where an example says what it places it is an order, otherwise a question; one that
/// shows query and body signed together has the body from its quantity on.
fn by_rest(api: &mut Api, api_key: &str, payload: &str, signature: &str) -> Option<i64> {
    let encoded: String = signature
        .chars()
        .map(|one| if one.is_ascii_alphanumeric() { one.to_string() } else { format!("%{:02X}", one as u32) })
        .collect();
    let split = payload.find("GTCquantity").map_or(payload.len(), |at| at + 3);
    let (query, body) = payload.split_at(split);
    let query = format!("{query}&signature={encoded}");
    let orders = payload.contains("side=");
    let request = RestRequest {
        method: if orders { "POST" } else { "GET" },
        path: if orders { "/api/v3/order" } else { "/api/v3/openOrders" },
        query: &query,
        body: body.as_bytes(),
        api_key: Some(api_key),
        peer: PEER,
    };
    let reply = api.rest(moment(payload), &request).expect("an operation");
    serde_json::from_slice::<Value>(&reply.body).expect("JSON")["code"].as_i64()
}

/// The code that a request on the WebSocket API meets.
fn by_websocket(api: &mut Api, method: &str, payload: &str, signature: &str) -> Option<i64> {
    let mut params: Map<String, Value> =
        pairs(payload).map(|(name, value)| (name.to_owned(), json!(value))).collect();
    params.insert("signature".into(), json!(signature));
    let text = json!({ "id": 1, "method": method, "params": params }).to_string();
    let mut session = Session::new(PEER, moment(payload), false);
    let mut answers = Vec::new();
    let _ = api.hear(moment(payload), &mut session, text.as_bytes(), &NoMarketData, &mut answers);
    serde_json::from_slice::<Value>(&answers[0]).expect("JSON")["error"]["code"].as_i64()
}

/// Another signature of the same form.
fn forged(signature: &str) -> String {
    let (first, rest) = signature.split_at(1);
    format!("{}{rest}", if first == "a" { "b" } else { "a" })
}

#[test]
fn examples_are_taken_for_what_they_are_signed_as_and_forgeries_are_not() {
    let Some(all) = vectors() else { return };
    let lists = [
        ("hmac", "/hmac/rest"),
        ("hmac", "/hmac/ws"),
        ("hmac", "/hmac/derived"),
        ("ed25519", "/ed25519/derived"),
        ("rsa", "/rsa/derived"),
    ];
    for (kind, place) in lists {
        let (mut verified, mut unread) = (0, 0);
        for vector in list(&all, place) {
            let (payload, signature) = (text(vector, "/payload"), text(vector, "/signature"));
            let named = pairs(payload).find(|(name, _)| *name == "apiKey").map(|(_, key)| key);
            let key = named.unwrap_or("anykey");
            let mut api = venue(&all, kind, key, moment(payload));
            let method = match vector["method"].as_str() {
                // Which needs an Ed25519 key: such a signature is good for the same subscription.
                Some("session.logon") => "userDataStream.subscribe.signature",
                Some(method) => method,
                None if pairs(payload).count() == 2 => "userDataStream.subscribe.signature",
                None => "order.place",
            };
            let mut code = |signature: &str| match named {
                Some(_) => by_websocket(&mut api, method, payload, signature),
                None => by_rest(&mut api, key, payload, signature),
            };
            let (met, forgery) = (code(signature), code(&forged(signature)));
            assert_ne!(met, BAD_SIGNATURE, "{kind} {method} {payload}");
            // A name that no symbol can have, and a parameter that the call has not, are refused before anything else.
            if matches!(met, Some(-1100 | -1104)) {
                unread += 1;
            } else {
                assert_eq!(forgery, BAD_SIGNATURE, "{kind} {method} {payload}, which met {met:?}");
                verified += 1;
            }
        }
        println!("{place}: {verified} verified, {unread} refused before");
        assert!(verified > unread, "{place}");
    }
}

#[test]
fn only_an_ed25519_key_logs_on() {
    let Some(all) = vectors() else { return };
    for (kind, place) in [("ed25519", "/ed25519/derived"), ("hmac", "/hmac/ws")] {
        let log_on = list(&all, place).iter().find(|vector| pairs(text(vector, "/payload")).count() == 2);
        let vector = log_on.expect("an example");
        let (payload, signature) = (text(vector, "/payload"), text(vector, "/signature"));
        let key = pairs(payload).next().expect("a key").1;
        let mut api = venue(&all, kind, key, moment(payload));
        let code = by_websocket(&mut api, "session.logon", payload, signature);
        assert_eq!(code, (kind == "hmac").then_some(-4056), "{kind}");
        if kind == "ed25519" {
            assert_eq!(by_websocket(&mut api, "session.logon", payload, &forged(signature)), BAD_SIGNATURE);
        }
    }
}
