//! Requests that are under way.
//!
//! Owns: which answer belongs to which question. A request's number holds its place, so it is found without searching,
//! and a count of how often the place was used, so an answer to an older request is nobody's. Room is taken at the
//! start; when it is used up, nothing more is sent.

use super::super::limits::Permit;
use super::message::SessionId;
use super::orders::OrderKey;
use crate::domain::{InstrumentId, Time};
use std::collections::VecDeque;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Place(OrderKey),
    /// Two orders as one list.
    PlacePair([OrderKey; 2]),
    Cancel(OrderKey),
    /// How an order stands.
    Status(OrderKey),
    /// An order's trades.
    OrderTrades(OrderKey),
    Logon,
    Subscribe,
    Clock,
    Info,
    /// `exchangeInfo` of what the venue holds back alone.
    HeldInfo,
    Restrictions,
    /// Whether a key that was refused is taken again.
    Key,
    OpenOrders(Option<InstrumentId>),
    Account,
    Trades(InstrumentId),
}

impl Asked {
    /// For messages.
    pub const fn label(self) -> &'static str {
        match self {
            Asked::Place(_) => "placing an order",
            Asked::PlacePair(_) => "placing a list of orders",
            Asked::Cancel(_) => "cancelling an order",
            Asked::Status(_) => "an order's status",
            Asked::OrderTrades(_) => "an order's trades",
            Asked::Logon => "logging on",
            Asked::Subscribe => "subscribing",
            Asked::Clock => "the time",
            Asked::Info | Asked::HeldInfo => "exchangeInfo",
            Asked::Restrictions => "the key's rights",
            Asked::Key => "whether the key is taken again",
            Asked::OpenOrders(_) => "open orders",
            Asked::Account => "balances",
            Asked::Trades(_) => "trades",
        }
    }
}

/// How a request went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Session(SessionId),
    Http,
}

/// A request under way.
#[derive(Debug)]
pub struct InFlight {
    pub asked: Asked,
    pub way: Way,
    pub sent: Time,
    /// What was counted when it was sent; see [`Ledger`](super::ledger::Ledger::activity).
    pub activity: u64,
    pub permit: Permit,
}

#[derive(Debug)]
struct Place {
    uses: u64,
    request: Option<InFlight>,
}

/// Places; a power of two.
const PLACES: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub struct Flight {
    places: Vec<Place>,
    free: Vec<usize>,
    /// In the order of sending, which is that of their time limits.
    sent: VecDeque<(Time, u64)>,
}

impl Flight {
    pub fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Place { uses: 0, request: None }).collect(),
            free: (0..PLACES).rev().collect(),
            sent: VecDeque::with_capacity(PLACES * 4),
        }
    }

    /// The number of the next request; `None` where too many are under way.
    pub fn next_id(&self) -> Option<u64> {
        let at = *self.free.last()?;
        // From 1; below 2^53, so that a JSON reader that has floats alone keeps it.
        Some((self.places[at].uses + 1) * PLACES as u64 + at as u64)
    }

    /// Keeps a request that was sent as [`next_id`](Self::next_id).
    pub fn add(&mut self, request: InFlight, deadline: Time) {
        let Some(at) = self.free.pop() else { return };
        let place = &mut self.places[at];
        place.uses += 1;
        place.request = Some(request);
        let id = place.uses * PLACES as u64 + at as u64;
        self.sent.push_back((deadline, id));
    }

    /// The request with this number, which is under way no more.
    pub fn take(&mut self, id: u64) -> Option<InFlight> {
        let at = (id % PLACES as u64) as usize;
        let place = &mut self.places[at];
        if place.uses != id / PLACES as u64 {
            return None;
        }
        let request = place.request.take()?;
        self.free.push(at);
        // Those that were answered leave from the front, in passing.
        while let Some((_, id)) = self.sent.front()
            && !self.is_under_way(*id)
        {
            self.sent.pop_front();
        }
        Some(request)
    }

    fn is_under_way(&self, id: u64) -> bool {
        let place = &self.places[(id % PLACES as u64) as usize];
        place.uses == id / PLACES as u64 && place.request.is_some()
    }

    /// A request whose time is up.
    pub fn take_overdue(&mut self, now: Time) -> Option<InFlight> {
        while let Some((deadline, id)) = self.sent.front().copied() {
            if !self.is_under_way(id) {
                self.sent.pop_front();
            } else if deadline <= now {
                return self.take(id);
            } else {
                return None;
            }
        }
        None
    }

    /// A request that went out this way.
    pub fn take_of(&mut self, way: Way) -> Option<InFlight> {
        let at = self.places.iter().position(|place| place.request.as_ref().is_some_and(|r| r.way == way))?;
        let id = self.places[at].uses * PLACES as u64 + at as u64;
        self.take(id)
    }

    /// When the next request's time is up; perhaps earlier.
    pub fn next_due(&self) -> Time {
        self.sent.front().map_or(Time(u64::MAX), |(deadline, _)| *deadline)
    }
}
