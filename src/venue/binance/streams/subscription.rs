//! Subscriptions by message: each list of streams is asked for, and flows once the venue has said so.
//!
//! Invariant: a list is forgotten only when it was acknowledged. One that is refused, or not answered, is asked for again: in
//! two halves where it has several streams, so that one that the venue does not take keeps no other away, and after a pause
//! that grows where it is a single one. What it is of counts as not carried by its connection meanwhile.

use super::client::{Request, StreamClient};
use super::line::{ConnectionId, Line};
use crate::domain::{InstrumentId, Time};
use crate::net::said;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// So long the venue may take to answer.
const ANSWER_WITHIN_NS: u64 = 10_000_000_000;
/// The first and the longest pause before a single stream is asked for again.
const AGAIN_NS: (u64, u64) = (1_000_000_000, 300_000_000_000);

/// Streams that are to be subscribed to by one message.
#[derive(Debug)]
pub struct Subscription {
    streams: Vec<String>,
    /// How often it was refused, or not answered.
    refusals: u32,
    /// Whether the venue said no when it was last asked, rather than nothing.
    refused: bool,
    /// Whose streams they are; known of one that was refused or not answered.
    instruments: Vec<InstrumentId>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be sent from then on.
    Waits(Time),
    /// Sent under this id, at this time.
    Asked(u64, Time),
}

/// What became of one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Taken,
    Refused,
    Unanswered,
}

impl Subscription {
    pub fn new(streams: Vec<String>) -> Self {
        Self { streams, refusals: 0, refused: false, instruments: Vec::new(), state: State::Waits(Time(0)) }
    }

    /// Whether it is to be sent at `now`.
    pub fn is_due(&self, now: Time) -> bool {
        matches!(self.state, State::Waits(from) if now >= from)
    }

    /// Whether it is sent for the first time, or will be.
    pub const fn is_first(&self) -> bool {
        self.refusals == 0
    }

    /// Whether it was sent so long ago that no answer will come.
    pub fn is_unanswered(&self, now: Time) -> bool {
        matches!(self.state, State::Asked(_, at) if now.since(at) >= ANSWER_WITHIN_NS)
    }

    /// Whether this instrument lacks streams until it is acknowledged.
    pub fn keeps_from(&self, instrument: InstrumentId) -> bool {
        self.instruments.contains(&instrument)
    }

    /// The message, which counts as sent.
    pub fn ask(&mut self, id: u64, now: Time) -> String {
        self.state = State::Asked(id, now);
        let params = self.streams.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(",");
        format!(r#"{{"method":"SUBSCRIBE","params":[{params}],"id":{id}}}"#)
    }

    /// What to ask for instead of one that was `refused`, or not answered.
    fn again(mut self, refused: bool, now: Time) -> Vec<Self> {
        self.refusals += 1;
        self.refused = refused;
        let doubled = AGAIN_NS.0.saturating_mul(1 << self.refusals.saturating_sub(1).min(20));
        let half = self.streams.len() / 2;
        if half == 0 {
            self.state = State::Waits(now.plus_nanos(doubled.min(AGAIN_NS.1)));
            return vec![self];
        }
        let state = State::Waits(now.plus_nanos(AGAIN_NS.0));
        let rest = self.streams.split_off(half);
        [self.streams, rest]
            .into_iter()
            .map(|streams| Self { streams, refusals: 1, refused, instruments: Vec::new(), state })
            .collect()
    }
}

/// What the venue says to a subscription: `{"result":null,"id":1}`, or an error, its members in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    refused: bool,
    /// The number of the message that it is to, where it says so.
    number: Option<u64>,
}

impl Answer {
    /// Reads it; none where a text is something else, such as market data that could not be decoded, which has a `result`
    /// at most further inside, or beside the name of its event or its stream.
    pub fn read(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members {
            #[serde(default, deserialize_with = "present")]
            result: bool,
            #[serde(default, deserialize_with = "present")]
            error: bool,
            #[serde(default, deserialize_with = "present")]
            code: bool,
            #[serde(default, deserialize_with = "present")]
            stream: bool,
            #[serde(default, rename = "e", deserialize_with = "present")]
            event: bool,
            #[serde(default)]
            id: serde_json::Value,
        }
        // A list would do for the members' values.
        if !text.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let of: Members = serde_json::from_slice(text).ok()?;
        let refused = of.error || of.code;
        let is_answer = (of.result || refused) && !of.stream && !of.event;
        is_answer.then(|| Self { refused, number: of.id.as_u64() })
    }
}

/// That a member is there, whatever it says: a result is null.
fn present<'de, D: Deserializer<'de>>(of: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(of).map(|_| true)
}

impl StreamClient {
    /// The venue answered a subscription, by this text.
    pub(super) fn subscribed(
        &mut self,
        id: ConnectionId,
        answer: Answer,
        text: &[u8],
        now: Time,
        out: &mut Vec<Request>,
    ) {
        let Answer { refused, number } = answer;
        if refused {
            self.counts.refused_subscriptions += 1;
            let text = said(text, 300);
            log::error!("{} connection {}: the venue refused a subscription: {text}", self.market, id.number);
        }
        self.settle(
            id,
            now,
            out,
            |subscription| match (subscription.state, number) {
                (State::Asked(asked, _), Some(number)) => asked == number,
                // An answer without a number is to the oldest.
                (State::Asked(..), None) => refused,
                (State::Waits(_), _) => false,
            },
            if refused { Outcome::Refused } else { Outcome::Taken },
        );
    }

    /// Those that were not answered in time are asked for again.
    pub(super) fn poll_unanswered(&mut self, id: ConnectionId, now: Time, out: &mut Vec<Request>) {
        log::warn!("{} connection {}: a subscription is not answered; asking again", self.market, id.number);
        self.settle(id, now, out, |subscription| subscription.is_unanswered(now), Outcome::Unanswered);
    }

    /// Whether the venue said nothing of the streams that an instrument lacks, rather than that it does not bring them.
    #[must_use]
    pub fn lacks_an_answer(&self, instrument: InstrumentId) -> bool {
        let asked = self.lines.iter().flat_map(Line::links).flat_map(|link| &link.subscriptions);
        let mut lacking = asked.filter(|subscription| subscription.keeps_from(instrument)).peekable();
        lacking.peek().is_some() && lacking.all(|subscription| !subscription.refused)
    }

    /// The first of a connection's subscriptions that is `meant` is over, or is to be asked for again.
    fn settle(
        &mut self,
        id: ConnectionId,
        now: Time,
        out: &mut Vec<Request>,
        meant: impl FnMut(&Subscription) -> bool,
        outcome: Outcome,
    ) {
        let line = usize::from(id.line);
        let Some(link) = self.lines.get_mut(line).and_then(|line| line.link(id)) else { return };
        let Some(at) = link.subscriptions.iter().position(meant) else { return };
        let subscription = link.subscriptions.remove(at);
        if outcome != Outcome::Taken {
            let mut again = subscription.again(outcome == Outcome::Refused, now);
            let group = &self.groups[self.lines[line].group].group;
            for subscription in &mut again {
                let lacks = |id: &InstrumentId| {
                    let symbol =
                        self.watched.get(id.index()).and_then(Option::as_ref).map(|w| w.symbol.as_str());
                    let of = |stream: &String| {
                        stream.split('@').next().zip(symbol).is_some_and(|(of, s)| of.eq_ignore_ascii_case(s))
                    };
                    subscription.streams.iter().any(of)
                };
                subscription.instruments = group.instruments.iter().copied().filter(lacks).collect();
            }
            if let Some(link) = self.lines[line].link(id) {
                link.subscriptions.append(&mut again);
            }
        }
        self.next_deadline = now;
        self.group_changed(line, now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_by_its_members_in_whatever_order_and_is_to_the_message_whose_number_it_has() {
        for (text, refused, number) in [
            (r#"{"result":null,"id":7}"#, false, Some(7)),
            (r#"{"id":7,"result":null}"#, false, Some(7)),
            (r#" { "id" : 7, "result" : [] }"#, false, Some(7)),
            (r#"{"error":{"code":2,"msg":"Invalid request: \"id\":3"},"id":12}"#, true, Some(12)),
            (r#"{"id":12,"error":{"code":2,"id":3}}"#, true, Some(12)),
            (r#"{"code":2,"msg":"bad"}"#, true, None),
            (r#"{"result":null,"id":"x"}"#, false, None),
        ] {
            assert_eq!(Answer::read(text.as_bytes()), Some(Answer { refused, number }), "{text}");
        }
    }

    #[test]
    fn market_data_that_cannot_be_decoded_is_no_answer() {
        for text in [
            r#"{"e":"trade","E":"late","s":"BTCUSDT","result":1}"#,
            r#"{"stream":"btcusdt@trade","data":{"result":null,"id":1},"code":1}"#,
            r#"{"stream":"btcusdt@depth","data":{"e":"depthUpdate","code":1}}"#,
            r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000"}"#,
            r#"{"result":null,"id":7"#,
            r#"[{"result":null,"id":7}]"#,
            "\"result\"",
            "",
        ] {
            assert_eq!(Answer::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_list_is_halved_and_one_alone_waits_longer_each_time() {
        let mut list = Subscription::new((0..5).map(|n| format!("s{n}usdt@trade")).collect());
        assert!(list.ask(1, Time(0)).ends_with(r#""s4usdt@trade"],"id":1}"#));
        let halves = list.again(true, Time(0));
        assert_eq!(halves.iter().map(|half| half.streams.len()).collect::<Vec<_>>(), [2, 3]);
        let mut one = Subscription::new(vec!["s0usdt@trade".to_owned()]);
        let mut waits = Vec::new();
        for _ in 0..12 {
            one = one.again(true, Time(0)).remove(0);
            let State::Waits(until) = one.state else { panic!("{one:?}") };
            waits.push(until.0 / 1_000_000_000);
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[11], 300);
    }
}
