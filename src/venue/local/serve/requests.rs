//! What clients ask: upgrades, control messages, REST calls, admin calls.
//!
//! Owns: the way from a request to its answer. Which calls there are is in `rest`.

use super::super::api::Mishap;
use super::super::api::weights::Verdict;
use super::connection::{Late, Role};
use super::fault::Fault;
use super::http::{self, Answer, BadRequest, Request};
use super::hub::{Form, Route};
use super::rest::{self, Call};
use super::server::{Doom, Server, wall_ms};
use super::session::{Control, Session};
use super::stream_name;
use super::websocket::{self, Close, Incoming};
use crate::domain::Market;
use serde_json::json;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Reads everything a connection has sent whole.
pub(super) fn process(server: &mut Server, at: usize, now: Instant) {
    loop {
        let Some(Some(connection)) = server.connections.get_mut(at) else { return };
        if !connection.hears() {
            return;
        }
        let more = if connection.session.is_some() {
            match connection.next_message() {
                Ok(None) => false,
                Ok(Some(incoming)) => {
                    hear(server, at, incoming, now);
                    true
                }
                Err(close) => {
                    server.stats.protocol_errors += 1;
                    close_websocket(server, at, close, now);
                    false
                }
            }
        } else if connection.is_closing() {
            false
        } else {
            match http::next_request(&mut connection.input) {
                Ok(None) => false,
                Ok(Some(request)) => {
                    answer(server, at, &request, now);
                    true
                }
                Err(problem) => {
                    server.stats.protocol_errors += 1;
                    let status = if problem == BadRequest::TooLarge { 413 } else { 400 };
                    let refusal = Answer::error(status, -1000, "this is no HTTP request");
                    refusal.write(connection.out(), false);
                    connection.close_after_flush(now);
                    false
                }
            }
        };
        if !more {
            return;
        }
    }
}

fn close_websocket(server: &mut Server, at: usize, close: Close, now: Instant) {
    if let Some(Some(connection)) = server.connections.get_mut(at) {
        connection.input.clear();
        connection.close_websocket(close, now);
        server.sweep_soon(now);
    }
}

/// A message of a stream connection.
fn hear(server: &mut Server, at: usize, incoming: Incoming, now: Instant) {
    let Some(Some(connection)) = server.connections.get_mut(at) else { return };
    let (Role::Market(market), Some(session)) = (connection.role, &mut connection.session) else { return };
    let limited = incoming != Incoming::Close && connection.api.is_none();
    if limited && !session.count_message(now, &server.limits) {
        server.stats.cut_chatty += 1;
        return close_websocket(server, at, Close::TOO_MANY, now);
    }
    match incoming {
        Incoming::Close => {
            connection.heard_close(now);
            server.sweep_soon(now);
        }
        Incoming::Ping(payload) => websocket::write_pong(connection.out(), &payload),
        Incoming::Pong(payload) => session.pong(&payload),
        Incoming::Message(text) if connection.api.is_some() => server.hear_order(at, &text, now),
        Incoming::Message(text) => {
            let (control, reply) = session.control(market, &text, &server.limits);
            websocket::write_text(connection.out(), reply.as_bytes());
            match control {
                Control::Nothing => {}
                Control::Subscribe(names) => subscribe(server, market, at, &names),
                Control::Unsubscribe(names) => {
                    for name in &names {
                        if server.hub.unsubscribe(market, name, at) {
                            server.exchange.unwant(market, name);
                        }
                    }
                }
            }
        }
    }
}

fn subscribe(server: &mut Server, market: Market, at: usize, names: &[String]) {
    let session = server.connections.get(at).and_then(Option::as_ref).and_then(|c| c.session.as_ref());
    let route = session.map_or(Route::Whole, |session| session.form.route);
    for name in names.iter().filter(|name| route.leads_to(name)) {
        if server.hub.subscribe(market, name, at) {
            server.exchange.want(market, name);
        }
    }
}

fn answer(server: &mut Server, at: usize, request: &Request, now: Instant) {
    let Some(Some(connection)) = server.connections.get(at) else { return };
    match (connection.role, &request.upgrade) {
        (Role::Admin, _) => {
            let answer = admin(server, request, now);
            write(server, at, &answer, request, now);
        }
        (Role::Market(Market::Spot), Some(key)) if is_api(&request.path) => match server.admit(at, request) {
            Ok(session) => {
                open(server, Market::Spot, at, key, Form::default(), &[], now);
                if let Some(Some(connection)) = server.connections.get_mut(at) {
                    connection.api = Some(session);
                }
            }
            Err(refusal) => write(server, at, &refusal, request, now),
        },
        (Role::Market(market), Some(key)) => match upgrade(server, market, at, request) {
            Ok((form, names)) => open(server, market, at, key, form, &names, now),
            Err(refusal) => write(server, at, &refusal, request, now),
        },
        (Role::Market(market), None) => call(server, market, at, request, now),
    }
}

fn write(server: &mut Server, at: usize, answer: &Answer, request: &Request, now: Instant) {
    let Some(Some(connection)) = server.connections.get_mut(at) else { return };
    answer.write(connection.out(), request.keep_alive);
    if !request.keep_alive {
        connection.close_after_flush(now);
        server.sweep_soon(now);
    }
}

/// Checks an upgrade: the form of its frames and its first streams.
fn upgrade(
    server: &mut Server,
    market: Market,
    at: usize,
    request: &Request,
) -> Result<(Form, Vec<String>), Answer> {
    let (route, path) = Route::of(market, &request.path);
    let (combined, listed) = match path.split_at_checked(3) {
        Some(("/ws", rest)) if rest.is_empty() || rest.starts_with('/') => (false, rest),
        _ if path == "/stream" || path.starts_with("/stream/") => {
            (true, request.param("streams").unwrap_or_default())
        }
        _ => return Err(Answer::error(404, -1, "streams are at /ws and /stream")),
    };
    if server.faults.no_upgrades > 0 {
        server.faults.no_upgrades -= 1;
        server.stats.fault("no-upgrade", 1);
        return Err(Answer::json(200, "{}"));
    }
    let micros = match request.param("timeUnit") {
        None | Some("MILLISECOND" | "millisecond") => false,
        Some("MICROSECOND" | "microsecond") => true,
        Some(_) => return Err(Answer::error(400, -1194, "Invalid time unit.")),
    };
    let mut names: Vec<String> = Vec::new();
    for name in listed.split('/').filter(|name| !name.is_empty()) {
        let known = stream_name::parse(market, name).is_some();
        if !known && !combined {
            // Clients that subscribe by message put anything here to tell their connections apart.
            continue;
        }
        if !known {
            return Err(Answer::error(400, -1100, &format!("{name:?} is no stream name")));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > server.limits.streams {
        let text = format!("a connection has at most {} streams", server.limits.streams);
        return Err(Answer::error(400, -1101, &text));
    }
    let peer = server.connections.get(at).and_then(Option::as_ref).map(|connection| connection.peer);
    let rules = server.limits.weight_rules(market);
    if peer.is_some_and(|peer| !server.api.weights.connect(market, peer, wall_ms(), &rules)) {
        server.stats.connections_refused += 1;
        return Err(Answer::error(429, -1034, "Too many connections in five minutes."));
    }
    Ok((Form { combined, micros, route }, names))
}

/// Turns a connection into a stream.
fn open(
    server: &mut Server,
    market: Market,
    at: usize,
    key: &str,
    form: Form,
    names: &[String],
    now: Instant,
) {
    let trickles = server.faults.trickle.is_some();
    let Some(Some(connection)) = server.connections.get_mut(at) else { return };
    http::write_upgrade(connection.out(), key);
    let mut session = Session::new(form, now, &server.liveness);
    session.streams = names.to_vec();
    connection.session = Some(session);
    connection.allowance = trickles.then_some(0);
    server.stats.upgrades += 1;
    subscribe(server, market, at, names);
}

/// A REST call of a market.
fn call(server: &mut Server, market: Market, at: usize, request: &Request, now: Instant) {
    server.stats.rest_calls += 1;
    let now_ms = if market == Market::Spot { server.now().0 / 1_000_000 } else { wall_ms() };
    let Some(peer) = server.connections.get(at).and_then(Option::as_ref).map(|c| c.peer) else { return };
    let weight_limit = server.limits.weight_rules(market).limit;
    let of_orders = if market == Market::Spot { server.order_call(peer, request) } else { None };
    let mishap = of_orders.as_ref().and_then(|(_, mishap)| *mishap);
    let mut answer = match of_orders {
        Some((answer, _)) => answer,
        None => market_data(server, market, peer, request, now_ms),
    };
    let mut late = None;
    server.stats.fault("order", mishap.is_some().into());
    match mishap {
        Some(Mishap::CutDone | Mishap::CutLost) => {
            server.spread(now);
            if let Some(Some(connection)) = server.connections.get_mut(at) {
                connection.silence();
            }
            return server.doomed.push((at, Doom::Gone));
        }
        Some(Mishap::Truncated) => {
            server.spread(now);
            return write_half(server, at, &answer, now);
        }
        Some(Mishap::Slow { ms }) => late = Some(now + Duration::from_millis(ms)),
        _ => {}
    }
    if let Some(fault) = server.faults.next_rest() {
        server.stats.fault("rest", 1);
        late = late.or((!fault.delay.is_zero()).then(|| now + fault.delay));
        answer = match fault.status {
            200 => answer,
            418 => banned(now_ms + fault.retry_after_s * 1_000, fault.retry_after_s),
            429 => refused(weight_limit, fault.retry_after_s),
            503 => {
                let text =
                    "Server is currently overloaded with other requests. Please try again in a few minutes.";
                Answer::error(503, -1008, text)
            }
            status => {
                let text = "An unknown error occurred while processing the request.";
                Answer::error(status, -1000, text)
            }
        };
    }
    server.spread(now);
    let Some(due) = late else { return write(server, at, &answer, request, now) };
    if let Some(Some(connection)) = server.connections.get_mut(at) {
        let mut bytes = Vec::new();
        answer.write(&mut bytes, request.keep_alive);
        connection.late = Some(Late { due, bytes, last: !request.keep_alive });
        server.sweep_soon(due);
    }
}

/// Writes half an answer, and ends the connection.
fn write_half(server: &mut Server, at: usize, answer: &Answer, now: Instant) {
    let Some(Some(connection)) = server.connections.get_mut(at) else { return };
    let mut bytes = Vec::new();
    answer.write(&mut bytes, false);
    connection.out().extend_from_slice(&bytes[..bytes.len() - answer.body.len() / 2]);
    connection.silence();
    connection.close_after_flush(now);
    server.sweep_soon(now);
}

fn is_api(path: &str) -> bool {
    path == "/ws-api/v3" || path.starts_with("/ws-api/v3/")
}

/// The answer to a call on market data.
fn market_data(server: &mut Server, market: Market, peer: IpAddr, request: &Request, now_ms: u64) -> Answer {
    let rules = server.limits.weight_rules(market);
    let unit = time_unit(request);
    let micros = unit.as_ref().is_ok_and(|micros| *micros);
    let (exchange, weight_limit) = (&server.exchange, rules.limit);
    let context = Call { market, request, exchange, now_ms, weight_limit, micros, api: None };
    let route = rest::route(market, request);
    let weight = route.as_ref().map_or(1, |route| (route.weight)(&context));
    let after = |until_ms: u64| until_ms.saturating_sub(now_ms).div_ceil(1_000).max(1);
    if market == Market::Spot
        && let Some(refusal) = server.api.closed(now_ms)
    {
        match refusal.status {
            429 => server.stats.rest_refused += 1,
            418 => server.stats.rest_banned += 1,
            _ => {}
        }
        let answer = Answer::json(refusal.status, refusal.body());
        return match refusal.retry_after_s(now_ms) {
            Some(seconds) => answer.with("Retry-After", seconds),
            None => answer,
        };
    }
    match server.api.weights.charge(market, peer, weight, now_ms, &rules) {
        Verdict::Granted { used } => {
            let context = Call { api: Some(&server.api), ..context };
            let answer = match (route, unit) {
                (Ok(route), Ok(_)) => route.answer(&context),
                (Err(refusal), _) | (_, Err(refusal)) => refusal,
            };
            answer.with("X-MBX-USED-WEIGHT", used).with("X-MBX-USED-WEIGHT-1M", used)
        }
        Verdict::Refused { used, until_ms } => {
            server.stats.rest_refused += 1;
            refused(rules.limit, after(until_ms))
                .with("X-MBX-USED-WEIGHT", used)
                .with("X-MBX-USED-WEIGHT-1M", used)
        }
        Verdict::Banned { until_ms } => {
            server.stats.rest_banned += 1;
            banned(until_ms, after(until_ms))
        }
    }
}

/// Whether times are wanted in microseconds.
fn time_unit(request: &Request) -> Result<bool, Answer> {
    match request.time_unit.as_deref() {
        None | Some("MILLISECOND" | "millisecond") => Ok(false),
        Some("MICROSECOND" | "microsecond") => Ok(true),
        Some(_) => Err(Answer::error(400, -1194, "Invalid time unit.")),
    }
}

fn refused(weight_limit: u32, retry_after_s: u64) -> Answer {
    let text = format!(
        "Too much request weight used; current limit is {weight_limit} request weight per 1 MINUTE. \
         Please use WebSocket Streams for live updates to avoid polling the API."
    );
    Answer::error(429, -1003, &text).with("Retry-After", retry_after_s)
}

fn banned(until_ms: u64, retry_after_s: u64) -> Answer {
    let text = format!(
        "Way too much request weight used; IP banned until {until_ms}. \
         Please use WebSocket Streams for live updates to avoid bans."
    );
    Answer::error(418, -1003, &text).with("Retry-After", retry_after_s)
}

/// The admin calls: faults, counts, books, the feed's release.
fn admin(server: &mut Server, request: &Request, now: Instant) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/admin/fault") => match serde_json::from_slice::<Fault>(&request.body) {
            Ok(fault) => {
                log::info!("fault: {fault:?}");
                server.inject(fault, now);
                Answer::json(200, "{}")
            }
            Err(error) => Answer::json(400, json!({ "error": error.to_string() }).to_string()),
        },
        ("POST", "/admin/release") => {
            server.wait_for_clients = 0;
            Answer::json(200, "{}")
        }
        ("GET", "/admin/stats") => {
            server.count_now();
            Answer::json(200, serde_json::to_vec(&server.stats).unwrap_or_default())
        }
        ("GET", "/admin/book") => {
            let market = request.param("market").and_then(Market::from_label);
            let levels = request.param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
            let book = market
                .zip(request.param("symbol"))
                .and_then(|(market, symbol)| server.exchange.book(market, symbol, levels));
            let rows = |levels: &[crate::domain::Level]| {
                levels.iter().map(|level| [level.price.0, level.qty.0]).collect::<Vec<_>>()
            };
            match book {
                Some(book) => {
                    let body = json!({
                        "updateId": book.update_id, "bids": rows(&book.bids), "asks": rows(&book.asks),
                    });
                    Answer::json(200, body.to_string())
                }
                None => Answer::json(404, r#"{"error":"no such book: give market and symbol"}"#),
            }
        }
        _ => Answer::json(
            404,
            r#"{"error":"POST /admin/fault, POST /admin/release, GET /admin/stats, GET /admin/book"}"#,
        ),
    }
}
