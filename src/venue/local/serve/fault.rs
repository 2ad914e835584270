//! Faults on command: what can go wrong with a venue, made to happen.
//!
//! Owns: the faults a test or a person can ask for, and those that wait for their moment. Which bytes a fault changes
//! is in the server; here is only when.
//!
//! A fault is asked for by [`Control::inject`](super::Control::inject), by `POST /admin/fault` with its JSON, by
//! [`ServerOptions::faults`](super::ServerOptions::faults) or by `venue serve --fault`. Those that have to do with orders:
//!
//! | JSON | what happens |
//! | --- | --- |
//! | `{"fault":"order","how":"timeout-done"}`, `"timeout-lost"` | 504 and -1007; the order is live, or was never seen |
//! | `{"fault":"order","how":"unavailable-done"}`, `"unavailable-lost"` | 503 and -1000; the same two |
//! | `{"fault":"order","how":"key-refused"}` | 401 and -2015; nothing is done |
//! | `{"fault":"order","how":"cut-done"}`, `"cut-lost"` | the connection is cut between taking in and answering |
//! | `{"fault":"order","how":"truncated"}`, `"not-json"`, `"huge"`, `"unknown-fields"` | done, and answered so |
//! | `{"fault":"order","how":{"slow":{"ms":300}}}` | done, and answered late; its user events are not late |
//! | … `,"on":"queries","nth":3,"count":5}` | not requests that change orders but questions; every third, five times |
//! | `{"fault":"user-events","action":"drop"}`, `"duplicate"`, `"reorder"`, `"delay","ms":200` | also with `nth`, `count` |
//! | `{"fault":"cut-orders"}`, `{"fault":"cut"}`, `{"fault":"cut-one"}` | sockets die: of orders, all, the oldest |
//! | `{"fault":"stall","ms":500}`, `{"fault":"deaf","ms":500}` | nothing is written, nothing is read |
//! | `{"fault":"trickle","ms":500,"bytes_per_s":2000}` | slow writing |
//! | `{"fault":"ban","status":418,"seconds":2}`, 429 | all of spot is refused, with `Retry-After` |
//! | `{"fault":"rest","status":502,"count":3}` | REST calls fail; what they asked for is done |
//! | `{"fault":"skew","ms":-1500}` | the clock is wrong, until it is set to 0 again |
//! | `{"fault":"maintenance","ms":1000}` | 503 and -1008 to all |
//! | `{"fault":"fees-in","asset":"BNB","price":60000000000}` | commissions are taken in BNB at 600 |
//! | `{"fault":"symbol","symbol":"BTCUSDT","status":"HALT"}` | a symbol is halted, or trades again |

use super::super::api::{Aim, Mishap, Told};
use super::options::Tls;
use crate::domain::Market;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What is done to frames of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamAction {
    /// Not sent. The server's own book has it all the same.
    Drop,
    /// Sent twice.
    Duplicate,
    /// Sent after the stream's next frame.
    Reorder,
    /// The stream stands still, then sends all it held, in order.
    Delay,
}

/// Something to go wrong. As JSON: `{"fault":"stream","action":"drop","stream":"btcusdt@depth@100ms"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Every stream connection (of one market, where given) is cut at once, without a word.
    Cut {
        /// Only this one.
        #[serde(default)]
        market: Option<Market>,
    },
    /// Of each market's stream connections (or of one market's) the one open longest is cut at once, without a word.
    CutOne {
        /// Only this one.
        #[serde(default)]
        market: Option<Market>,
    },
    /// Nothing is sent on stream connections, not even pings; the market goes on, and what it sends is queued.
    Stall {
        /// For so long, ms.
        ms: u64,
    },
    /// Frames of one stream, or of all, do not come as they should.
    Stream {
        /// What is done to them.
        action: StreamAction,
        /// Which stream; every stream where not given.
        #[serde(default)]
        stream: Option<String>,
        /// Every so many frames; 1 is each.
        #[serde(default = "one")]
        nth: u64,
        /// So many times.
        #[serde(default = "one")]
        count: u64,
        /// For a delay: how long, ms.
        #[serde(default)]
        ms: u64,
    },
    /// The next frame is cut in half, and its listeners with it.
    Truncate,
    /// A frame of this size, bytes, to every stream connection. What is in it is JSON, and of no use.
    Huge {
        /// 10 MB where not given.
        #[serde(default = "ten_million")]
        bytes: usize,
    },
    /// Bytes trickle on stream connections.
    Trickle {
        /// For so long, ms.
        ms: u64,
        /// So many a second and connection.
        bytes_per_s: u64,
    },
    /// The next upgrades are answered 200 instead of 101.
    NoUpgrade {
        /// So many.
        #[serde(default = "one")]
        count: u64,
    },
    /// The next REST calls are answered with this status, late where asked for. 200 answers as usual, and late.
    Rest {
        /// 200, 418, 429 or 5xx.
        status: u16,
        /// So many.
        #[serde(default = "one")]
        count: u64,
        /// So late, ms.
        #[serde(default)]
        delay_ms: u64,
        /// What `Retry-After` says, s, with 418 and 429.
        #[serde(default)]
        retry_after_s: u64,
    },
    /// `serverShutdown` is sent to every stream connection.
    Shutdown,
    /// Every stream connection reaches the end of its life: closed with code 1001.
    Expire,
    /// Signed requests of spot go wrong.
    Order {
        /// How.
        how: Mishap,
        /// Which.
        #[serde(default)]
        on: Aim,
        /// Every so many of those; 1 is each.
        #[serde(default = "one")]
        nth: u64,
        /// So many times.
        #[serde(default = "one")]
        count: u64,
    },
    /// Every connection of the WebSocket API, and every connection that REST calls keep open, is cut at once, without a
    /// word; streams are left alone.
    CutOrders,
    /// The venue reads slowly: nothing of what clients send is read, whatever it is, nor answered then.
    Deaf {
        /// For so long, ms.
        ms: u64,
    },
    /// Everybody is refused on spot, whatever they call, with a `Retry-After` that is true.
    Ban {
        /// 429 or 418.
        status: u16,
        /// For so long, s.
        seconds: u64,
    },
    /// The clock of spot's calls and orders is wrong from now on: `serverTime`, the times of orders and user events, and
    /// what `timestamp` is held to. Event times of market streams stay right.
    Skew {
        /// By so much, ms; below zero: late; 0: right again.
        ms: i64,
    },
    /// Every call of spot, and every request on its WebSocket API, is answered 503 and -1008.
    Maintenance {
        /// For so long, ms.
        ms: u64,
    },
    /// A spot symbol changes its state.
    Symbol {
        /// Which.
        symbol: String,
        /// `TRADING`, `HALT`, `BREAK`, `CANCEL_ONLY`, `END_OF_DAY`.
        status: String,
    },
    /// Commissions of spot are taken in one asset from now on, as Binance takes them in BNB, from accounts that have
    /// enough of it.
    FeesIn {
        /// Which.
        asset: String,
        /// What one of it is worth in any quote asset, in units of 10^-8.
        price: i64,
    },
    /// User events do not come as they should, to any account. One that is reordered comes after the next one.
    UserEvents {
        /// What is done to them. A delay holds the events after it as well, so that their order stays.
        action: StreamAction,
        /// Every so many; 1 is each.
        #[serde(default = "one")]
        nth: u64,
        /// So many times.
        #[serde(default = "one")]
        count: u64,
        /// For a delay: how long, ms.
        #[serde(default)]
        ms: u64,
    },
    /// New connections meet another TLS.
    Tls {
        /// Which.
        mode: Tls,
    },
}

fn one() -> u64 {
    1
}

fn ten_million() -> usize {
    10_000_000
}

/// A REST call that is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestFault {
    pub status: u16,
    pub delay: Duration,
    pub retry_after_s: u64,
}

struct OnStream {
    action: StreamAction,
    stream: Option<String>,
    nth: u64,
    left: u64,
    seen: u64,
    delay: Duration,
}

/// Faults that wait for their moment.
#[derive(Default)]
pub(super) struct Pending {
    on_streams: Vec<OnStream>,
    on_users: Vec<OnStream>,
    /// User events that wait for the next one.
    reordered_users: Vec<Told>,
    /// User events that wait for a moment, in order.
    delayed_users: Vec<Told>,
    delayed_until: Option<Instant>,
    pub deaf_until: Option<Instant>,
    rest: Vec<(RestFault, u64)>,
    pub no_upgrades: u64,
    pub truncate: u64,
    pub stalled_until: Option<Instant>,
    pub trickle: Option<Trickle>,
}

/// Bytes that may be sent to each connection, growing with time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trickle {
    pub until: Instant,
    pub bytes_per_s: u64,
    pub next: Instant,
}

/// Between portions of a trickle.
pub(super) const TRICKLE_EVERY: Duration = Duration::from_millis(10);

impl Pending {
    pub fn stream(&mut self, action: StreamAction, stream: Option<String>, nth: u64, count: u64, ms: u64) {
        let delay = Duration::from_millis(ms);
        self.on_streams.push(OnStream { action, stream, nth: nth.max(1), left: count, seen: 0, delay });
    }

    pub fn rest(&mut self, fault: RestFault, count: u64) {
        self.rest.push((fault, count));
    }

    pub fn users(&mut self, action: StreamAction, nth: u64, count: u64, ms: u64) {
        let delay = Duration::from_millis(ms);
        self.on_users.push(OnStream { action, stream: None, nth: nth.max(1), left: count, seen: 0, delay });
    }

    /// What is to be done to the next user event.
    pub fn next_user(&mut self) -> Option<(StreamAction, Duration)> {
        Self::next_of(&mut self.on_users, b"")
    }

    /// What is to be done to the frame that is next on this stream.
    pub fn next_on(&mut self, stream: &[u8]) -> Option<(StreamAction, Duration)> {
        Self::next_of(&mut self.on_streams, stream)
    }

    fn next_of(faults: &mut Vec<OnStream>, stream: &[u8]) -> Option<(StreamAction, Duration)> {
        let mut found = None;
        for fault in faults.iter_mut() {
            if fault.stream.as_ref().is_some_and(|name| name.as_bytes() != stream) {
                continue;
            }
            fault.seen += 1;
            if found.is_none() && fault.left > 0 && fault.seen.is_multiple_of(fault.nth) {
                fault.left -= 1;
                found = Some((fault.action, fault.delay));
            }
        }
        faults.retain(|fault| fault.left > 0);
        found
    }

    /// Holds a user event back until the next was told.
    pub fn reorder_user(&mut self, told: Told) {
        self.reordered_users.push(told);
    }

    /// User events that waited for the next.
    pub fn take_reordered(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.reordered_users)
    }

    /// Lets user events stand still until then.
    pub fn delay_users(&mut self, until: Instant) {
        self.delayed_until = Some(self.delayed_until.map_or(until, |known| known.max(until)));
    }

    /// Takes a user event in that must wait; gives it back where it need not.
    pub fn wait_user(&mut self, told: Told) -> Option<Told> {
        if self.delayed_until.is_none() {
            return Some(told);
        }
        self.delayed_users.push(told);
        None
    }

    /// User events whose time has come.
    pub fn take_late(&mut self, now: Instant) -> Vec<Told> {
        if self.delayed_until.take_if(|until| *until <= now).is_none() {
            return Vec::new();
        }
        std::mem::take(&mut self.delayed_users)
    }

    /// Whether no stream has a fault: the usual case, told cheaply.
    pub fn streams_are_well(&self) -> bool {
        self.on_streams.is_empty() && self.truncate == 0
    }

    pub fn next_rest(&mut self) -> Option<RestFault> {
        let (fault, left) = self.rest.first_mut()?;
        let fault = *fault;
        *left = left.saturating_sub(1);
        self.rest.retain(|(_, left)| *left > 0);
        Some(fault)
    }
}

/// Frames of one stream that are held back.
pub(super) struct Held {
    pub market: Market,
    pub name: Box<[u8]>,
    pub frames: Vec<Vec<u8>>,
    /// When they go; `None`: after the stream's next frame.
    pub until: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_documented_and_refuses_what_it_does_not_know() {
        let fault: Fault = serde_json::from_str(r#"{"fault":"stream","action":"drop","stream":"x@trade"}"#)
            .expect("a fault");
        let stream = Some("x@trade".into());
        assert_eq!(fault, Fault::Stream { action: StreamAction::Drop, stream, nth: 1, count: 1, ms: 0 });
        assert_eq!(
            serde_json::from_str::<Fault>(r#"{"fault":"huge"}"#).expect("a fault"),
            Fault::Huge { bytes: 10_000_000 }
        );
        assert_eq!(
            serde_json::from_str::<Fault>(r#"{"fault":"tls","mode":"wrong-host"}"#).expect("a fault"),
            Fault::Tls { mode: Tls::WrongHost }
        );
        for wrong in
            [r#"{"fault":"melt"}"#, r#"{"fault":"stall"}"#, r#"{"fault":"stall","ms":1,"minutes":2}"#]
        {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_nth_frame_of_the_stream_and_no_other_is_hit() {
        let mut pending = Pending::default();
        pending.stream(StreamAction::Drop, Some("a".into()), 3, 2, 0);
        let hit: Vec<bool> = (0..9).map(|_| pending.next_on(b"a").is_some()).collect();
        assert_eq!(hit, [false, false, true, false, false, true, false, false, false]);
        pending.stream(StreamAction::Drop, Some("a".into()), 1, 1, 0);
        assert!(
            pending.next_on(b"b").is_none() && pending.next_on(b"a").is_some() && pending.streams_are_well()
        );
    }
}
