//! A line: one group of streams over one connection, and the next connection when the present one is to be replaced.

use super::plan::Group;
use super::subscription::Subscription;
use crate::domain::{InstrumentId, Time};
use crate::net::Backoff;
use std::time::Duration;

/// A connection, for as long as the program runs: its line and a number that never comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Index of its line.
    pub line: u16,
    /// Which of all connections.
    pub number: u32,
}

/// One connection as the state machine sees it.
#[derive(Debug)]
pub struct Link {
    pub id: ConnectionId,
    /// Since when it is open; `None` while it opens.
    pub opened_at: Option<Time>,
    /// When an attempt is given up.
    pub deadline: Time,
    /// Subscriptions that are not acknowledged yet.
    pub subscriptions: Vec<Subscription>,
    /// The number of the last that was sent.
    pub asked: u64,
    pub send_at: Time,
    /// When the last whole message came, of whatever kind: the venue's pings, and its answers to ours, show as well as data
    /// that it lives. Bytes that trickle show nothing.
    pub heard_at: Time,
    /// Whether it was pinged since.
    pub pinged: bool,
    /// Whether any data came.
    pub delivered: bool,
    /// When it is to be replaced.
    pub expires_at: Time,
}

impl Link {
    /// Whether its streams flow: it is open, and every subscription was answered; those that were refused may be asked for
    /// still.
    pub fn live(&self) -> bool {
        self.opened_at.is_some() && !self.subscriptions.iter().any(Subscription::is_first)
    }

    /// Whether it has been open for so long.
    pub fn lasted(&self, long: Duration, now: Time) -> bool {
        self.opened_at.is_some_and(|at| now >= at.plus(long))
    }

    /// Whether it brings all of this instrument's data.
    pub fn carries(&self, instrument: InstrumentId) -> bool {
        self.live() && !self.subscriptions.iter().any(|refused| refused.keeps_from(instrument))
    }
}

/// See the module.
#[derive(Debug)]
pub struct Line {
    /// Index of the group whose streams it carries.
    pub group: usize,
    pub current: Option<Link>,
    pub next: Option<Link>,
    /// When to try again while there is no connection.
    pub retry_at: Time,
    pub backoff: Backoff,
    /// A stream that it carries stays behind the venue: its connection is to be replaced, once no other of its group is.
    pub stale: bool,
}

impl Line {
    pub fn new(group: usize, backoff: Backoff) -> Self {
        Self { group, current: None, next: None, retry_at: Time(0), backoff, stale: false }
    }

    /// The link with this id.
    pub fn link(&mut self, id: ConnectionId) -> Option<&mut Link> {
        [self.current.as_mut(), self.next.as_mut()].into_iter().flatten().find(|link| link.id == id)
    }

    /// Its connections.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        [&self.current, &self.next].into_iter().flatten()
    }

    /// Whether its streams flow over any connection.
    pub fn live(&self) -> bool {
        self.links().any(Link::live)
    }

    /// Whether its streams flow, and over one connection that is not being replaced.
    pub fn settled(&self) -> bool {
        self.live() && self.next.is_none()
    }

    /// Takes the link with this id away; what was to replace the present one takes its place.
    pub fn remove(&mut self, id: ConnectionId) -> Option<Link> {
        if self.next.as_ref().is_some_and(|link| link.id == id) {
            return self.next.take();
        }
        if self.current.as_ref().is_some_and(|link| link.id == id) {
            let next = self.next.take();
            self.stale = false;
            return std::mem::replace(&mut self.current, next);
        }
        None
    }
}

/// A group and what was seen of it.
#[derive(Debug)]
pub struct GroupState {
    pub group: Group,
    /// Its lines.
    pub lines: Vec<u16>,
    /// Whether any of them is live.
    pub live: bool,
}

impl GroupState {
    /// The number of a connection among those of its group, and a bit for each of them that carries data.
    #[inline]
    pub fn links(&self, lines: &[Line], id: ConnectionId) -> (u32, u64) {
        let (mut own, mut live) = (0, 0);
        for (place, line) in self.lines.iter().enumerate() {
            let line = &lines[usize::from(*line)];
            for (second, link) in [&line.current, &line.next].into_iter().enumerate() {
                let Some(link) = link else { continue };
                let number = (2 * place + second) as u32;
                if link.id == id {
                    own = number;
                }
                live |= u64::from(link.live()) << number;
            }
        }
        (own, live)
    }
}
