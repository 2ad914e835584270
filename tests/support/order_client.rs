//! A client that trades on a served venue: signs as the documents say, over REST and the WebSocket API.

#![allow(dead_code, reason = "each user takes a part")]

#[path = "stream_client.rs"]
pub mod stream_client;

use algo_trader::domain::Market;
use algo_trader::security::{ApiKey, Secret, SignatureText, Signer, Verifier};
use algo_trader::venue::local::api::{AccountOptions, KeyOptions, Permissions};
use algo_trader::venue::local::serve::{Endpoint, Running};
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use stream_client::{Answer, Client, connect, send, text, try_call};

/// The key of the documents' FIX example: PKCS#8 and SPKI.
pub const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u\n-----END PRIVATE KEY-----\n";
pub const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGUIKv9dSpWXBViXp2m6vAIb8QMFJYBgyFEQsFJlqgA0=\n-----END PUBLIC KEY-----\n";

/// An HMAC key of an account, its secret made from its name.
pub fn hmac_key(name: &str) -> KeyOptions {
    let secret = Secret::new(format!("secretof{name}"));
    KeyOptions::new(ApiKey::new(name).expect("a key"), Verifier::hmac(&secret).expect("a secret"))
}

pub fn ed25519_key(name: &str) -> KeyOptions {
    KeyOptions::new(ApiKey::new(name).expect("a key"), Verifier::from_pem(ED25519_PUBLIC).expect("a key"))
}

/// An account with a key of each kind (`<name>hmac`, `<name>ed`), one that only reads and one that may withdraw.
pub fn account(name: &str, balances: &[(&str, &str)]) -> AccountOptions {
    let mut keys = vec![
        hmac_key(&format!("{name}hmac")),
        ed25519_key(&format!("{name}ed")),
        hmac_key(&format!("{name}reads")),
        hmac_key(&format!("{name}withdraws")),
    ];
    keys[2].permissions.trading = false;
    keys[3].permissions = Permissions { withdrawals: true, ..Permissions::default() };
    let balances = balances.iter().map(|(asset, amount)| ((*asset).into(), (*amount).into())).collect();
    AccountOptions { name: name.into(), keys, balances, trade_group: None }
}

/// A time that the venue takes, ms.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub fn sign(signer: &Signer, payload: &str) -> String {
    let mut out = SignatureText::default();
    signer.sign(payload.as_bytes(), &mut out).expect("a signature");
    out.as_str().to_owned()
}

pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// One key in use.
pub struct Trader<'a> {
    pub venue: &'a Running,
    pub key: String,
    pub signer: Signer,
}

impl<'a> Trader<'a> {
    /// By the HMAC key of this name.
    pub fn new(venue: &'a Running, key: &str) -> Self {
        let signer = Signer::hmac(&Secret::new(format!("secretof{key}"))).expect("a secret");
        Self { venue, key: key.into(), signer }
    }

    pub fn ed25519(venue: &'a Running, key: &str) -> Self {
        let signer = Signer::from_pem(&Secret::new(ED25519_PRIVATE)).expect("a key");
        Self { venue, key: key.into(), signer }
    }

    pub fn endpoint(&self) -> &Endpoint {
        self.venue.endpoint(Market::Spot).expect("served")
    }

    /// The query of these parameters, with time and signature.
    pub fn signed(&self, params: &[(&str, &str)]) -> String {
        let mut query: String =
            params.iter().map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
        query.push_str(&format!("timestamp={}", now_ms()));
        let signature = encoded(&sign(&self.signer, &query));
        format!("{query}&signature={signature}")
    }

    pub fn headers(&self) -> String {
        format!("X-MBX-APIKEY: {}\r\n", self.key)
    }

    /// A signed call; parameters of GET and DELETE are in the query, others in the body.
    pub fn try_rest(&self, method: &str, path: &str, params: &[(&str, &str)]) -> Option<Answer> {
        let query = self.signed(params);
        let (target, body) = if matches!(method, "GET" | "DELETE") {
            (format!("{path}?{query}"), String::new())
        } else {
            (path.to_owned(), query)
        };
        try_call(self.endpoint(), self.venue.ca_pem(), method, &target, &self.headers(), &body)
    }

    pub fn rest(&self, method: &str, path: &str, params: &[(&str, &str)]) -> Answer {
        self.try_rest(method, path, params).expect("an answer")
    }

    /// A call that must be done; its JSON.
    pub fn done(&self, method: &str, path: &str, params: &[(&str, &str)]) -> Value {
        let answer = self.rest(method, path, params);
        assert_eq!(answer.status, 200, "{method} {path} {params:?}: {}", answer.body);
        answer.json()
    }

    /// A call that must be refused; status and code.
    pub fn refused(&self, method: &str, path: &str, params: &[(&str, &str)]) -> (u16, i64) {
        let answer = self.rest(method, path, params);
        assert_ne!(answer.status, 200, "{method} {path} {params:?}: {}", answer.body);
        (answer.status, answer.json()["code"].as_i64().expect("a code"))
    }

    /// A connection to the WebSocket API.
    pub fn websocket(&self) -> Client {
        connect(self.endpoint(), self.venue.ca_pem(), "/ws-api/v3")
    }

    /// `params` with key, time and signature.
    pub fn signed_params(&self, params: Value) -> Value {
        let mut params = params;
        params["apiKey"] = json!(self.key);
        params["timestamp"] = json!(now_ms());
        let all: &Map<String, Value> = params.as_object().expect("an object");
        let mut pairs: Vec<String> = all
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            })
            .collect();
        pairs.sort_unstable();
        let signature = sign(&self.signer, &pairs.join("&"));
        params["signature"] = json!(signature);
        params
    }
}

/// Sends a request and reads on until its answer; what came before is returned too.
pub fn request(client: &mut Client, id: &str, method: &str, params: Value) -> (Value, Vec<Value>) {
    send(client, &json!({ "id": id, "method": method, "params": params }).to_string());
    let mut before = Vec::new();
    loop {
        let frame: Value = serde_json::from_str(&text(client).expect("a frame")).expect("JSON");
        if frame["id"] == id {
            return (frame, before);
        }
        before.push(frame);
    }
}

/// The next user event.
pub fn event(client: &mut Client) -> Value {
    let frame: Value = serde_json::from_str(&text(client).expect("a frame")).expect("JSON");
    assert!(frame["event"].is_object(), "no event: {frame}");
    frame
}
