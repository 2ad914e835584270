//! A stream connection's own state, and the control messages that change it.
//!
//! Owns: `SUBSCRIBE` and its kin, their replies, the limits on what a client sends, pings and pongs. Does no I/O; time
//! is given.

use super::hub::Form;
use super::options::{Limits, Liveness};
use super::stream_name;
use crate::domain::Market;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Pings that may be unanswered before the oldest are forgotten.
const PINGS_KEPT: usize = 16;

pub(super) struct Session {
    pub form: Form,
    /// Names of the streams, in the order of subscription.
    pub streams: Vec<String>,
    opened: Instant,
    next_ping: Instant,
    /// Pings sent and not answered, oldest first.
    pings: VecDeque<(String, Instant)>,
    /// When the last messages came, as many as a second allows.
    messages: VecDeque<Instant>,
}

/// What a control message wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Control {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    /// Nothing but a reply.
    Nothing,
}

/// Why a connection has lived long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    Pong,
    Lifetime,
}

#[derive(Deserialize)]
enum Method {
    #[serde(rename = "SUBSCRIBE")]
    Subscribe,
    #[serde(rename = "UNSUBSCRIBE")]
    Unsubscribe,
    #[serde(rename = "LIST_SUBSCRIPTIONS")]
    List,
    #[serde(rename = "SET_PROPERTY")]
    SetProperty,
    #[serde(rename = "GET_PROPERTY")]
    GetProperty,
}

#[derive(Deserialize)]
struct Message {
    method: Method,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    id: Value,
}

/// Code and text of an error reply.
type Refusal = (u8, String);

impl Session {
    pub fn new(form: Form, now: Instant, liveness: &Liveness) -> Self {
        Self {
            form,
            streams: Vec::new(),
            opened: now,
            next_ping: now + liveness.ping_every,
            pings: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    /// When the connection became a stream.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Counts a message of the client; false once it sends too many.
    pub fn count_message(&mut self, now: Instant, limits: &Limits) -> bool {
        self.messages.push_back(now);
        while self.messages.front().is_some_and(|&at| now - at >= Duration::from_secs(1)) {
            self.messages.pop_front();
        }
        self.messages.len() <= limits.messages_per_s as usize
    }

    /// The payload of the ping that is due, if one is.
    pub fn ping(&mut self, now: Instant, wall_ms: u64, liveness: &Liveness) -> Option<String> {
        if now < self.next_ping {
            return None;
        }
        self.next_ping = now + liveness.ping_every;
        let payload = wall_ms.to_string();
        if self.pings.len() == PINGS_KEPT {
            // The oldest keeps the time since when nothing was answered.
            self.pings.remove(1);
        }
        self.pings.push_back((payload.clone(), now));
        Some(payload)
    }

    /// A pong answers the ping with its payload, and those before.
    pub fn pong(&mut self, payload: &[u8]) {
        if let Some(at) = self.pings.iter().rposition(|(ping, _)| ping.as_bytes() == payload) {
            self.pings.drain(..=at);
        }
    }

    pub fn overdue(&self, now: Instant, liveness: &Liveness) -> Option<Overdue> {
        let silent = self.pings.front().is_some_and(|(_, sent)| now - *sent > liveness.pong_within);
        if silent {
            return Some(Overdue::Pong);
        }
        (now - self.opened > liveness.lifetime).then_some(Overdue::Lifetime)
    }

    /// Reads a control message: what it wants, and the reply.
    pub fn control(&mut self, market: Market, text: &[u8], limits: &Limits) -> (Control, String) {
        let (id, outcome) = match serde_json::from_slice::<Message>(text) {
            Ok(message) if !is_id(&message.id) => {
                let text = "Invalid request: request ID must be an unsigned integer";
                (Value::Null, Err((2, text.to_owned())))
            }
            Ok(message) => {
                let id = message.id.clone();
                (id, self.obey(market, message, limits))
            }
            Err(error) if error.is_data() => (Value::Null, Err((2, format!("Invalid request: {error}")))),
            Err(error) => (Value::Null, Err((3, format!("Invalid JSON: {error}")))),
        };
        // In the venue's order, which a map of JSON would not keep.
        match outcome {
            Ok((control, result)) => (control, format!(r#"{{"result":{result},"id":{id}}}"#)),
            Err((code, msg)) => {
                let error = json!({ "code": code, "msg": msg });
                (Control::Nothing, format!(r#"{{"error":{error},"id":{id}}}"#))
            }
        }
    }

    fn obey(
        &mut self,
        market: Market,
        message: Message,
        limits: &Limits,
    ) -> Result<(Control, Value), Refusal> {
        match message.method {
            Method::Subscribe => {
                let mut names = stream_names(market, &message.params)?;
                names.retain(|name| !self.streams.contains(name));
                if self.streams.len() + names.len() > limits.streams {
                    let text = format!("Invalid request: more than {} streams", limits.streams);
                    return Err((2, text));
                }
                self.streams.extend(names.iter().cloned());
                Ok((Control::Subscribe(names), Value::Null))
            }
            Method::Unsubscribe => {
                let mut names = stream_names(market, &message.params)?;
                names.retain(|name| self.streams.contains(name));
                self.streams.retain(|name| !names.contains(name));
                Ok((Control::Unsubscribe(names), Value::Null))
            }
            Method::List => Ok((Control::Nothing, json!(self.streams))),
            Method::GetProperty => {
                property(&message.params, 1)?;
                Ok((Control::Nothing, json!(self.form.combined)))
            }
            Method::SetProperty => {
                property(&message.params, 2)?;
                let value = message.params.get(1).and_then(Value::as_bool);
                let Some(combined) = value else {
                    return Err((1, "Invalid value type: expected Boolean".into()));
                };
                self.form.combined = combined;
                Ok((Control::Nothing, Value::Null))
            }
        }
    }
}

/// A 64-bit integer, up to 36 letters and digits, or null.
fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => {
            text.len() <= 36 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        }
        _ => false,
    }
}

/// Checks that the first of the parameters names the one property there is, and that there are no more than `max`.
fn property(params: &[Value], max: usize) -> Result<(), Refusal> {
    match params.first() {
        _ if params.len() > max => Err((2, "Invalid request: too many parameters".into())),
        Some(Value::String(name)) if name == "combined" => Ok(()),
        Some(Value::String(_)) => Err((0, "Unknown property".into())),
        _ => Err((2, "Invalid request: property name must be a string".into())),
    }
}

/// The names in a list of parameters, each once.
fn stream_names(market: Market, params: &[Value]) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::with_capacity(params.len());
    for param in params {
        let name = param.as_str().filter(|name| stream_name::parse(market, name).is_some());
        let Some(name) = name else { return Err((2, "Invalid request: invalid stream".into())) };
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Form::default(), Instant::now(), &Liveness::default())
    }

    fn reply(session: &mut Session, text: &str) -> String {
        session.control(Market::Spot, text.as_bytes(), &Limits::default()).1
    }

    #[test]
    fn requests_are_answered_as_documented() {
        let mut s = session();
        let subscribe = r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@aggTrade"],"id":1}"#;
        assert_eq!(reply(&mut s, subscribe), r#"{"result":null,"id":1}"#);
        let list = r#"{"method":"LIST_SUBSCRIPTIONS","id":"a-3"}"#;
        assert_eq!(reply(&mut s, list), r#"{"result":["btcusdt@aggTrade"],"id":"a-3"}"#);
        let set = r#"{"method":"SET_PROPERTY","params":["combined",true],"id":4}"#;
        assert_eq!(reply(&mut s, set), r#"{"result":null,"id":4}"#);
        let get = r#"{"method":"GET_PROPERTY","params":["combined"],"id":null}"#;
        assert_eq!(reply(&mut s, get), r#"{"result":true,"id":null}"#);
        let unsubscribe = r#"{"method":"UNSUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@trade"],"id":-5}"#;
        let (control, _) = s.control(Market::Spot, unsubscribe.as_bytes(), &Limits::default());
        assert_eq!(control, Control::Unsubscribe(vec!["btcusdt@aggTrade".into()]));
        assert!(s.streams.is_empty());
    }

    #[test]
    fn mistakes_are_told_with_the_documented_codes() {
        let cases = [
            (r#"{"method":"SUBSCRIBE","params":["btcusdt"],"id":2}"#, 2, "Invalid request: invalid stream"),
            (r#"{"method":"SET_PROPERTY","params":["x",true],"id":1}"#, 0, "Unknown property"),
            (
                r#"{"method":"SET_PROPERTY","params":["combined",1]}"#,
                1,
                "Invalid value type: expected Boolean",
            ),
            (
                r#"{"method":"GET_PROPERTY","params":[1]}"#,
                2,
                "Invalid request: property name must be a string",
            ),
            (
                r#"{"method":"GET_PROPERTY","params":["combined",1]}"#,
                2,
                "Invalid request: too many parameters",
            ),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":1.5}"#, 2, "Invalid request: request ID must be"),
            (r#"{"params":[]}"#, 2, "Invalid request: missing field `method` at line 1"),
            (r#"{"method":"X"}"#, 2, "Invalid request: unknown variant `X`, expected one of `SUBSCRIBE`"),
            ("hello", 3, "Invalid JSON: expected value at line 1 column 1"),
        ];
        for (text, code, start) in cases {
            let reply: Value = serde_json::from_str(&reply(&mut session(), text)).expect("JSON");
            assert_eq!(reply["error"]["code"], code, "{text}");
            assert!(reply["error"]["msg"].as_str().is_some_and(|msg| msg.starts_with(start)), "{reply}");
        }
    }

    #[test]
    fn a_connection_has_as_many_streams_as_the_limit_and_no_more() {
        let mut s = session();
        let many: Vec<String> = (0..1024).map(|n| format!("sim{n}usdt@trade")).collect();
        let subscribe = json!({ "method": "SUBSCRIBE", "params": many, "id": 1 }).to_string();
        assert_eq!(reply(&mut s, &subscribe), r#"{"result":null,"id":1}"#);
        let more = reply(&mut s, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":2}"#);
        assert!(more.contains("1024 streams"), "{more}");
        assert_eq!(s.streams.len(), 1024);
    }

    #[test]
    fn only_the_right_pong_keeps_a_connection() {
        let (mut s, liveness) = (session(), Liveness::default());
        let at = |s: u64| Instant::now() + Duration::from_secs(s);
        assert_eq!(s.ping(at(0), 1, &liveness), None);
        assert_eq!(s.ping(at(21), 7, &liveness).as_deref(), Some("7"));
        s.pong(b"8");
        assert_eq!(s.overdue(at(82), &liveness), Some(Overdue::Pong));
        s.pong(b"7");
        assert_eq!(s.overdue(at(82), &liveness), None);
        assert_eq!(s.overdue(at(25 * 3600), &liveness), Some(Overdue::Lifetime));
    }

    #[test]
    fn the_sixth_message_of_a_second_is_one_too_many() {
        let (mut s, limits, now) = (session(), Limits::default(), Instant::now());
        assert!((0..5).all(|_| s.count_message(now, &limits)));
        assert!(!s.count_message(now + Duration::from_millis(900), &limits));
        assert!(s.count_message(now + Duration::from_millis(2000), &limits));
    }
}
