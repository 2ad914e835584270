//! Whatever is asked to go wrong with the local venue goes wrong, just so, and is counted.

use algo_trader::domain::Market;
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Fault, Running, Server, ServerOptions, StreamAction, Tls};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[path = "support/stream_client.rs"]
mod stream_client;
use stream_client::{Client, connect, get, text, text_or_close, wire};

const TICKER: &str = "btcusdt@bookTicker";

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often is tried what a machine that has no time spoils: a client that is behind notices no pause.
const TRIES: u64 = 10;

/// A brisk market with one listener to its quotes.
fn listened() -> (Running, Client) {
    let mut options = ServerOptions::generated(5, demo_instruments(), 2_000);
    options.wait_for_clients = 1;
    let venue = Server::start(options).expect("the venue starts");
    let client =
        connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), &format!("/ws/{TICKER}"));
    (venue, client)
}

/// The update id of the next quote.
fn quote(client: &mut Client) -> u64 {
    let frame = text(client).expect("a frame");
    let frame: Value = serde_json::from_str(&frame).expect("JSON");
    frame["u"].as_u64().unwrap_or_else(|| panic!("no quote: {frame}"))
}

fn on_quotes(action: StreamAction, nth: u64, count: u64, ms: u64) -> Fault {
    Fault::Stream { action, stream: Some(TICKER.into()), nth, count, ms }
}

fn counted(venue: &Running, fault: &str) -> u64 {
    venue.stats().faults.get(fault).copied().unwrap_or_default()
}

/// Quotes until the fault was counted, and some more.
fn quotes_around(venue: &Running, client: &mut Client, fault: Fault, name: &str, count: u64) -> Vec<u64> {
    let mut quotes = vec![quote(client)];
    assert!(venue.control().inject(fault));
    let began = Instant::now();
    while counted(venue, name) < count {
        quotes.push(quote(client));
        assert!(began.elapsed() < PATIENCE, "{name} never happened");
    }
    // All that was queued before the count was read, and what comes after.
    let until = venue.stats().frames_sent + 50;
    while (quotes.len() as u64) < until {
        quotes.push(quote(client));
    }
    quotes
}

#[test]
fn a_frame_is_sent_twice() {
    let (venue, mut client) = listened();
    let quotes =
        quotes_around(&venue, &mut client, on_quotes(StreamAction::Duplicate, 3, 2, 0), "duplicate", 2);
    assert_eq!(quotes.windows(2).filter(|pair| pair[0] == pair[1]).count(), 2);
}

#[test]
fn two_frames_change_places() {
    let (venue, mut client) = listened();
    let quotes = quotes_around(&venue, &mut client, on_quotes(StreamAction::Reorder, 5, 1, 0), "reorder", 1);
    assert_eq!(quotes.windows(2).filter(|pair| pair[0] > pair[1]).count(), 1);
    let mut sorted = quotes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), quotes.len(), "none is missing, none is twice");
}

#[test]
fn frames_are_dropped_and_the_venues_book_has_them() {
    let (venue, client) = listened();
    drop(client);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut client = connect(endpoint, venue.ca_pem(), "/ws/btcusdt@depth@100ms");
    let stream = Some("btcusdt@depth@100ms".to_owned());
    venue.control().inject(Fault::Stream { action: StreamAction::Drop, stream, nth: 2, count: 3, ms: 0 });
    let (mut gaps, mut last, mut after) = (0, None, 0);
    while after < 5 {
        let diff: Value = serde_json::from_str(&text(&mut client).expect("a diff")).expect("JSON");
        gaps += u64::from(last.is_some_and(|last: u64| diff["U"].as_u64() != Some(last + 1)));
        last = diff["u"].as_u64();
        after += u32::from(gaps >= 3);
    }
    assert_eq!((gaps, counted(&venue, "drop")), (3, 3));
    assert_eq!(venue.stats().gaps, 0, "the server's own book has every diff");
}

/// The longest wait for a quote among those that come in so long a time; they come in order.
fn longest_wait(client: &mut Client, time: Duration) -> Duration {
    let (mut last, mut longest) = (0, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < time {
        let asked = Instant::now();
        let next = quote(client);
        longest = longest.max(asked.elapsed());
        assert!(next > last, "in order");
        last = next;
    }
    longest
}

#[test]
fn a_delayed_stream_stands_still_and_then_catches_up_in_order() {
    let (venue, mut client) = listened();
    quote(&mut client);
    let mut seen = Vec::new();
    for tries in 1..=TRIES {
        assert!(venue.control().inject(on_quotes(StreamAction::Delay, 1, 1, 400)));
        seen.push(longest_wait(&mut client, Duration::from_millis(1_000)));
        let began = Instant::now();
        while counted(&venue, "delay") < tries {
            assert!(began.elapsed() < PATIENCE, "it never happened");
            quote(&mut client);
        }
        if seen.last().is_some_and(|longest| *longest > Duration::from_millis(250)) {
            return;
        }
    }
    panic!("it never stood still: {seen:?}");
}

#[test]
fn a_stall_silences_every_stream_for_its_time() {
    let (venue, mut client) = listened();
    quote(&mut client);
    let mut seen = Vec::new();
    for tries in 1..=TRIES {
        assert!(venue.control().inject(Fault::Stall { ms: 500 }));
        seen.push(longest_wait(&mut client, Duration::from_millis(1_200)));
        assert_eq!((venue.stats().clients, counted(&venue, "stall")), (1, tries));
        if seen.last().is_some_and(|longest| (350..1_000).contains(&longest.as_millis())) {
            return;
        }
    }
    panic!("it never was silent for half a second: {seen:?}");
}

#[test]
fn sockets_are_cut_without_a_word_and_a_new_connection_goes_on() {
    let (venue, mut client) = listened();
    quote(&mut client);
    venue.control().inject(Fault::Cut { market: Some(Market::UsdM) });
    assert_eq!(venue.stats().clients, 1, "another market's connections stay");
    venue.control().inject(Fault::Cut { market: None });
    let end = loop {
        match text_or_close(&mut client) {
            Ok(_) => {}
            Err(code) => break code,
        }
    };
    assert_eq!((end, counted(&venue, "cut")), (None, 1));
    let mut again =
        connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), &format!("/ws/{TICKER}"));
    quote(&mut again);
}

#[test]
fn of_two_connections_the_older_is_cut_and_the_other_goes_on() {
    let (venue, mut older) = listened();
    quote(&mut older);
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut newer = connect(endpoint, venue.ca_pem(), &format!("/ws/{TICKER}"));
    quote(&mut newer);
    venue.control().inject(Fault::CutOne { market: None });
    let end = std::iter::from_fn(|| Some(text_or_close(&mut older))).find_map(Result::err);
    assert_eq!((end, counted(&venue, "cut-one"), venue.stats().clients), (Some(None), 1, 1));
    quote(&mut newer);
}

#[test]
fn half_a_frame_is_followed_by_the_end() {
    let (venue, mut client) = listened();
    quote(&mut client);
    venue.control().inject(Fault::Truncate);
    let mut whole = 0;
    while text_or_close(&mut client).is_ok() {
        whole += 1;
    }
    assert!(whole < 10_000);
    assert_eq!((counted(&venue, "truncate"), venue.stats().clients), (1, 0));
}

#[test]
fn a_huge_frame_is_huge() {
    let (venue, mut client) = listened();
    venue.control().inject(Fault::Huge { bytes: 10_000_000 });
    let huge = std::iter::from_fn(|| text(&mut client)).find(|frame| frame.len() > 100_000);
    assert_eq!(huge.map(|frame| frame.len()), Some(10_000_000));
    quote(&mut client);
}

#[test]
fn bytes_trickle_and_then_flow_again() {
    let (venue, mut client) = listened();
    quote(&mut client);
    let mut counted = |from_ms: u64, to_ms: u64, began: Instant| {
        let (mut seen, range) = (0, Duration::from_millis(from_ms)..Duration::from_millis(to_ms));
        while began.elapsed() < range.end {
            quote(&mut client);
            seen += usize::from(range.contains(&began.elapsed()));
        }
        seen
    };
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        assert!(venue.control().inject(Fault::Trickle { ms: 900, bytes_per_s: 1_000 }));
        let began = Instant::now();
        // What was on its way comes first. A quote has 120 bytes, so that a few come in half a second.
        let slow = counted(300, 800, began);
        let quick = counted(1_000, 2_000, began);
        seen.push((slow, quick));
        if slow <= 20 && quick > 100 {
            return;
        }
    }
    panic!("they never trickled and then flowed: {seen:?}");
}

#[test]
fn an_upgrade_is_answered_200_and_the_next_one_101() {
    let (venue, _client) = listened();
    venue.control().inject(Fault::NoUpgrade { count: 1 });
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let plain = wire(endpoint, venue.ca_pem()).expect("the connection stands");
    let refused = tungstenite::client(format!("ws://{}/ws/{TICKER}", endpoint.address), plain);
    assert!(refused.is_err_and(|error| error.to_string().contains("200")));
    quote(&mut connect(endpoint, venue.ca_pem(), &format!("/ws/{TICKER}")));
}

#[test]
fn rest_calls_fail_as_asked_and_then_work() {
    let (venue, _client) = listened();
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let rest = |status, delay_ms| Fault::Rest { status, count: 1, delay_ms, retry_after_s: 7 };
    let ask = || get(endpoint, venue.ca_pem(), "/api/v3/time");
    for (status, code) in [(500, -1000), (503, -1008), (429, -1003), (418, -1003)] {
        venue.control().inject(rest(status, 0));
        let answer = ask();
        assert_eq!((answer.status, answer.json()["code"].as_i64()), (status, Some(code)));
        assert_eq!(answer.header("Retry-After"), (status < 500).then_some("7"));
    }
    venue.control().inject(rest(200, 300));
    let began = Instant::now();
    assert_eq!(ask().status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((ask().status, counted(&venue, "rest")), (200, 5));
}

#[test]
fn a_shutdown_is_announced_in_the_connections_form_and_an_end_of_life_is_code_1001() {
    let (venue, mut raw) = listened();
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut combined = connect(endpoint, venue.ca_pem(), "/stream?streams=ethusdt@trade");
    venue.control().inject(Fault::Shutdown);
    let announced = |client: &mut Client| {
        std::iter::from_fn(|| text(client)).find(|frame| frame.contains("serverShutdown")).expect("announced")
    };
    assert!(announced(&mut raw).starts_with(r#"{"e":"serverShutdown","E":"#));
    assert!(
        announced(&mut combined).starts_with(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown""#)
    );
    venue.control().inject(Fault::Expire);
    let end = std::iter::from_fn(|| Some(text_or_close(&mut raw))).find_map(Result::err);
    assert_eq!(end, Some(Some(1001)));
}

#[test]
fn a_bad_certificate_is_refused_by_a_client_that_verifies() {
    let (venue, _client) = listened();
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    for (mode, expected) in [
        (Tls::UnknownAuthority, "UnknownIssuer"),
        (Tls::WrongHost, "not valid for name"),
        (Tls::Expired, "expired"),
        (Tls::OldProtocol, "ProtocolVersion"),
        (Tls::Tls11, "incompatible"),
    ] {
        let before = venue.stats().tls_failures;
        venue.control().inject(Fault::Tls { mode });
        let error = wire(endpoint, venue.ca_pem()).err().expect("refused").to_string();
        assert!(error.contains(expected), "{mode:?}: {error}");
        let began = Instant::now();
        while venue.stats().tls_failures == before {
            assert!(began.elapsed() < PATIENCE, "{mode:?} is counted");
        }
    }
    venue.control().inject(Fault::Tls { mode: Tls::Good });
    assert!(wire(endpoint, venue.ca_pem()).is_ok());
}

#[test]
fn faults_books_and_counts_are_served_on_the_admin_port() {
    let mut options = ServerOptions::generated(5, demo_instruments(), 2_000);
    options.admin = Some(([127, 0, 0, 1], 0).into());
    let venue = Server::start(options).expect("the venue starts");
    let admin = venue.admin().expect("served");
    let ask = |method: &str, path: &str, body: &str| {
        let mut socket = TcpStream::connect(admin).expect("it listens");
        let length = body.len();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).map(str::to_owned).expect("a status");
        (status, serde_json::from_str::<Value>(body).expect("JSON"))
    };
    assert_eq!(ask("POST", "/admin/fault", r#"{"fault":"stall","ms":5}"#).0, "200");
    let (status, refusal) = ask("POST", "/admin/fault", r#"{"fault":"melt"}"#);
    assert!(
        status == "400" && refusal["error"].as_str().is_some_and(|e| e.contains("unknown variant `melt`"))
    );
    assert_eq!(ask("GET", "/admin/stats", "").1["faults"]["stall"], 1);
    let (status, book) = ask("GET", "/admin/book?market=usdm&symbol=BTCUSDT&limit=3", "");
    assert!(status == "200" && book["bids"].as_array().is_some_and(|bids| bids.len() == 3), "{book}");
    assert_eq!(ask("GET", "/admin/nothing", "").0, "404");
}
