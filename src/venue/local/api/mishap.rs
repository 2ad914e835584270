//! What goes wrong with signed requests on command, on REST and the WebSocket API alike.
//!
//! Owns: which of the next requests is hit, and what becomes of an answer's bytes. What only a transport can do (cutting
//! the connection, being late, sending half) is told to it. User events of what was done are told all the same.

use super::auth::Security;
use super::error::Failure;
use serde::{Deserialize, Serialize};

/// Something that goes wrong with a request. `Done`: the venue has done what was asked all the same; `Lost`: nothing was
/// done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mishap {
    /// -1007, done.
    TimeoutDone,
    /// -1007, not done.
    TimeoutLost,
    /// 503, done.
    UnavailableDone,
    /// 503, not done.
    UnavailableLost,
    /// 401 and -2015, not done: as if the key's list of addresses, or its rights, had just been edited.
    KeyRefused,
    /// The connection is cut before the answer, done.
    CutDone,
    /// The connection is cut before the answer, not done.
    CutLost,
    /// Half an answer, then the end; done.
    Truncated,
    /// An answer that is no JSON; done.
    NotJson,
    /// An answer of ten million bytes; done.
    Huge,
    /// An answer with members that nobody knows; done.
    UnknownFields,
    /// A late answer; done.
    Slow {
        /// So late, ms.
        ms: u64,
    },
}

const HUGE_BYTES: usize = 10_000_000;

impl Mishap {
    /// Whether nothing is done.
    pub(super) const fn loses(self) -> bool {
        matches!(self, Self::TimeoutLost | Self::UnavailableLost | Self::KeyRefused | Self::CutLost)
    }

    /// What is answered instead of the truth.
    pub(super) fn failure(self) -> Option<Failure> {
        match self {
            Self::TimeoutDone | Self::TimeoutLost | Self::CutLost => {
                let text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
                Some(Failure::new(504, -1007, text))
            }
            Self::UnavailableDone | Self::UnavailableLost => {
                let text = "An unknown error occurred while processing the request.";
                Some(Failure::new(503, -1000, text))
            }
            Self::KeyRefused => Some(Failure::rejected_key()),
            _ => None,
        }
    }

    /// Changes the bytes of an answer, JSON of an object.
    pub(super) fn spoil(self, body: &mut Vec<u8>) {
        match self {
            Self::NotJson => *body = b"<html><body>Bad Gateway</body></html>".to_vec(),
            Self::UnknownFields if body.starts_with(b"{\"") => {
                drop(body.splice(1..1, *br#""unknownMember":{"deeper":[1,null,"x"]},"#));
            }
            Self::Huge if body.starts_with(b"{\"") => {
                let mut padding = br#""padding":""#.to_vec();
                padding.resize(HUGE_BYTES, b'x');
                padding.extend_from_slice(br#"","#);
                drop(body.splice(1..1, padding));
            }
            _ => {}
        }
    }
}

/// Which requests are hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// Those that change orders: place, cancel, replace, amend, lists.
    #[default]
    Orders,
    /// Those that ask for orders, trades and balances.
    Queries,
    /// All that are signed.
    All,
}

impl Aim {
    fn hits(self, security: Security) -> bool {
        match self {
            Self::Orders => security == Security::Trade,
            Self::Queries => security == Security::Read,
            Self::All => security != Security::Open,
        }
    }
}

#[derive(Debug)]
struct Waiting {
    mishap: Mishap,
    aim: Aim,
    nth: u64,
    left: u64,
    seen: u64,
}

/// Mishaps that wait for their requests.
#[derive(Debug, Default)]
pub(super) struct Mishaps(Vec<Waiting>);

impl Mishaps {
    pub fn add(&mut self, mishap: Mishap, aim: Aim, nth: u64, count: u64) {
        if count > 0 {
            self.0.push(Waiting { mishap, aim, nth: nth.max(1), left: count, seen: 0 });
        }
    }

    /// What goes wrong with the request that has just come: of those it is the turn of, the one asked for first.
    pub fn next(&mut self, security: Security) -> Option<Mishap> {
        let mut found = None;
        for waiting in self.0.iter_mut().filter(|waiting| waiting.aim.hits(security)) {
            waiting.seen += 1;
            if found.is_none() && waiting.seen.is_multiple_of(waiting.nth) {
                waiting.left -= 1;
                found = Some(waiting.mishap);
            }
        }
        self.0.retain(|waiting| waiting.left > 0);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_spoilt_as_asked() {
        let spoilt = |mishap: Mishap| {
            let mut body = br#"{"orderId":1}"#.to_vec();
            mishap.spoil(&mut body);
            body
        };
        assert!(serde_json::from_slice::<serde_json::Value>(&spoilt(Mishap::NotJson)).is_err());
        let odd: serde_json::Value = serde_json::from_slice(&spoilt(Mishap::UnknownFields)).expect("JSON");
        assert_eq!((&odd["orderId"], &odd["unknownMember"]["deeper"][0]), (&1.into(), &1.into()));
        let huge = spoilt(Mishap::Huge);
        assert!(huge.len() > HUGE_BYTES && serde_json::from_slice::<serde_json::Value>(&huge).is_ok());
    }

    #[test]
    fn mishaps_come_in_order_and_so_often_as_asked() {
        let mut mishaps = Mishaps::default();
        mishaps.add(Mishap::CutDone, Aim::Orders, 1, 2);
        mishaps.add(Mishap::TimeoutLost, Aim::All, 1, 1);
        mishaps.add(Mishap::NotJson, Aim::Queries, 2, 1);
        let met = [Security::Trade, Security::Open, Security::Trade, Security::Trade, Security::Trade];
        let (cut, lost) = (Some(Mishap::CutDone), Some(Mishap::TimeoutLost));
        assert_eq!(met.map(|security| mishaps.next(security)), [cut, None, cut, lost, None]);
        let asked = [Security::Read; 3].map(|security| mishaps.next(security));
        assert_eq!(asked, [None, Some(Mishap::NotJson), None]);
    }
}
