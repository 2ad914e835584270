//! The client's orders, found by our id and by the venue's.
//!
//! Owns: who is known, and for how long. Room is taken at the start; nothing is allocated when an order is added.
//! Invariant: a key names one order for ever; that of an order which was forgotten finds nothing.

use super::notice::LocalRefusal;
use super::tracked::{Phase, Tracked};
use crate::domain::{ClientOrderId, InstrumentId, Order, OrderId, Time};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// An order's place, good until it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderKey {
    at: u32,
    generation: u32,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    tracked: Option<Tracked>,
}

/// Why an order is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdded {
    /// Its id is known.
    Duplicate,
    /// There is no room.
    Full,
}

impl From<NotAdded> for LocalRefusal {
    fn from(why: NotAdded) -> Self {
        match why {
            NotAdded::Duplicate => LocalRefusal::DuplicateId,
            NotAdded::Full => LocalRefusal::TooManyOrders,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Orders {
    places: Vec<Place>,
    free: Vec<u32>,
    by_client_id: Keys<ClientOrderId>,
    /// The greatest of them that ever was: what is greater is not among them, which is seen without looking for it.
    greatest: Option<ClientOrderId>,
    by_venue_id: Keys<(InstrumentId, u64)>,
    /// Orders that something has to be done for: asked for, cancelled.
    attention: Vec<OrderKey>,
    /// Those that are over, in the order in which they are to be forgotten.
    over: VecDeque<(Time, OrderKey)>,
    remember: Duration,
}

/// Nobody outside chooses the ids in it, so its hash is a fast one.
type Keys<K> = HashMap<K, OrderKey, foldhash::fast::RandomState>;

/// An empty map with twice the room for `size`, so that entries which come and go never make it grow. Its memory has been
/// used once: else the first order of each page would wait for the kernel to find that page, some microseconds.
fn touched<K: Eq + Hash>(size: usize, keys: impl Iterator<Item = K>) -> Keys<K> {
    let mut map = Keys::with_capacity_and_hasher(2 * size, Default::default());
    map.extend(keys.map(|key| (key, OrderKey { at: 0, generation: 0 })));
    map.clear();
    map
}

impl Orders {
    /// Room for `orders_max`.
    pub fn new(orders_max: usize, remember: Duration) -> Self {
        let count = u32::try_from(orders_max.clamp(1, 1 << 24)).unwrap_or(1 << 24);
        let size = count as usize;
        let numbers = 0..u64::from(count);
        Self {
            places: (0..count).map(|_| Place { generation: 0, tracked: None }).collect(),
            free: (0..count).rev().collect(),
            by_client_id: touched(size, numbers.clone().map(|n| ClientOrderId::derive(0, OrderId(n)))),
            greatest: None,
            by_venue_id: touched(size, numbers.map(|n| (InstrumentId(0), n))),
            attention: Vec::with_capacity(size),
            over: VecDeque::with_capacity(size),
            remember,
        }
    }

    /// The key that [`add`](Self::add) would give an order now. Takes nothing, but for the oldest that is over, where
    /// there is no room else.
    pub fn key_for(&mut self, client_id: &ClientOrderId) -> Result<OrderKey, NotAdded> {
        let is_new = self.greatest.as_ref().is_none_or(|greatest| client_id.as_bytes() > greatest.as_bytes());
        if !is_new && self.by_client_id.contains_key(client_id) {
            return Err(NotAdded::Duplicate);
        }
        // The oldest may be the one whose id comes again: it is looked for before it is forgotten.
        if self.free.is_empty()
            && let Some((_, oldest)) = self.over.pop_front()
        {
            self.forget(oldest);
        }
        let at = *self.free.last().ok_or(NotAdded::Full)?;
        Ok(OrderKey { at, generation: self.places[at as usize].generation })
    }

    /// Takes an order in.
    pub fn add(&mut self, order: &Order, client_id: &ClientOrderId, now: Time) -> Result<OrderKey, NotAdded> {
        let key = self.key_for(client_id)?;
        self.free.pop();
        self.places[key.at as usize].tracked = Some(Tracked::new(*order, *client_id, now));
        self.by_client_id.insert(*client_id, key);
        if self.greatest.as_ref().is_none_or(|greatest| client_id.as_bytes() > greatest.as_bytes()) {
            self.greatest = Some(*client_id);
        }
        Ok(key)
    }

    /// Whether there is a place for one more, looked for where [`add`](Self::add) would look; takes nothing.
    pub fn next_place(&self, client_id: &ClientOrderId) -> bool {
        let place = self.free.last().and_then(|at| self.places.get(*at as usize));
        place.is_some_and(|place| place.tracked.is_none()) | self.by_client_id.contains_key(client_id)
    }

    /// Takes back what [`add`](Self::add) did: the order was not sent.
    pub fn forget(&mut self, key: OrderKey) {
        let Some(place) = self.places.get_mut(key.at as usize) else { return };
        if place.generation != key.generation {
            return;
        }
        let Some(tracked) = place.tracked.take() else { return };
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.at);
        self.by_client_id.remove(&tracked.client_id);
        self.by_venue_id.remove(&(tracked.order.instrument, tracked.venue_id));
    }

    pub fn get(&self, key: OrderKey) -> Option<&Tracked> {
        let place = self.places.get(key.at as usize)?;
        place.tracked.as_ref().filter(|_| place.generation == key.generation)
    }

    pub fn get_mut(&mut self, key: OrderKey) -> Option<&mut Tracked> {
        let place = self.places.get_mut(key.at as usize)?;
        place.tracked.as_mut().filter(|_| place.generation == key.generation)
    }

    pub fn find(&self, client_id: &[u8]) -> Option<OrderKey> {
        self.by_client_id.get(&ClientOrderId::from_bytes(client_id)?).copied()
    }

    /// By the venue's number, under which an order stays when somebody amends it.
    pub fn find_venue(&self, instrument: InstrumentId, venue_id: u64) -> Option<OrderKey> {
        self.by_venue_id.get(&(instrument, venue_id)).copied()
    }

    /// To be called after anything was done to the order: keeps the indexes and lists.
    pub fn touched(&mut self, key: OrderKey, was: Phase, now: Time) {
        let Some(tracked) = self.get(key) else { return };
        let (instrument, venue_id, phase) = (tracked.order.instrument, tracked.venue_id, tracked.phase);
        if venue_id != 0 {
            self.by_venue_id.insert((instrument, venue_id), key);
        }
        if phase == Phase::Done && was != Phase::Done {
            self.over.push_back((now.plus(self.remember), key));
        }
    }

    /// Notes that something has to be done for the order.
    pub fn attend(&mut self, key: OrderKey) {
        if !self.attention.contains(&key) {
            self.attention.push(key);
        }
    }

    /// Orders that something has to be done for.
    pub fn attention(&self) -> &[OrderKey] {
        &self.attention
    }

    /// Takes the order off that list.
    pub fn attended(&mut self, key: OrderKey) {
        self.attention.retain(|other| *other != key);
    }

    /// Forgets what has been over for long.
    pub fn forget_old(&mut self, now: Time) {
        while let Some((due, key)) = self.over.front().copied()
            && due <= now
        {
            self.over.pop_front();
            self.forget(key);
        }
    }

    /// When the next order is to be forgotten.
    pub fn next_due(&self) -> Time {
        self.over.front().map_or(Time(u64::MAX), |(due, _)| *due)
    }

    /// Every order that is known.
    pub fn iter(&self) -> impl Iterator<Item = (OrderKey, &Tracked)> {
        self.places.iter().enumerate().filter_map(|(at, place)| {
            let key = OrderKey { at: at as u32, generation: place.generation };
            Some((key, place.tracked.as_ref()?))
        })
    }

    /// Those that are not over.
    pub fn unfinished(&self) -> impl Iterator<Item = (OrderKey, &Tracked)> {
        self.iter().filter(|(_, tracked)| tracked.phase != Phase::Done)
    }
}
