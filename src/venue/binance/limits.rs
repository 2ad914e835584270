//! One budget for everything that is asked of the venue, so that it never has to say no.
//!
//! Owns: how much of each of the venue's limits is used, and until when nothing may be sent. A state machine: time is
//! passed in, by a clock of ours that nobody sets, and how far the venue's is [ahead](Budget::set_clock) of it. All that
//! is kept is by ours, so that no pause depends on what the venue's is thought to be. The venue counts in windows aligned
//! to its clock; what it has counted itself (headers, `rateLimits` of WebSocket replies) is believed over what we have
//! sent, since others may share the address.
//!
//! Invariant: if the venue's clock is known within [`BudgetSettings::clock_error`], and nobody else uses the
//! budget, then whatever is granted can arrive at any time, in any order, and the venue's count never passes a limit.
//! It holds because of two rules: a request that is under way counts in every window that it may arrive in; near a
//! window's edge both windows must have room. An answer's count is believed only of a window that it is surely of, or
//! the count of a window that is over would hold everything back for the whole of the next.

mod told;
mod window;

pub use told::Told;

use super::exchange_info::{RateKind, RateLimit};
use crate::domain::Time;
use std::time::Duration;
use thiserror::Error;
use window::Window;

/// Longest ban that is believed: the venue's longest is three days.
const BLOCK_MAX: Duration = Duration::from_secs(4 * 86_400);
/// Pause after a refusal for too much that does not say until when.
const PAUSE_429: Duration = Duration::from_secs(60);
/// Pause after a ban that does not say until when; the venue's shortest ban.
const PAUSE_418: Duration = Duration::from_secs(120);
/// Pause after the venue's firewall refused; what it blocks for as a rule.
const PAUSE_403: Duration = Duration::from_secs(300);
/// `−1015`: too many orders; cancels still work.
const TOO_MANY_ORDERS: i32 = -1015;

/// How a budget is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetSettings {
    /// How far the venue's clock may be from where it is thought to be; of it at most a quarter of the shortest window is
    /// made use of.
    pub clock_error: Duration,
    /// Per cent of each limit that is used, 1 to 100: others may share the address or the account.
    pub use_percent: u32,
    /// Request weight that only cancels may use, in each window; and as many requests.
    pub cancel_reserve: u64,
    /// Per cent, 0 to 50, of what is used of each limit that is kept for what matters more: of orders for those that only
    /// reduce a position, of request weight and requests for orders, which questions leave alone.
    pub kept_percent: u32,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            clock_error: Duration::from_millis(500),
            use_percent: 95,
            cancel_reserve: 200,
            kept_percent: 10,
        }
    }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It takes an order away: may use the reserve, and is not kept by too many orders.
    Cancel,
    /// It places orders that only reduce a position: may use what is kept of the orders' limits.
    Reduce,
    /// It places orders.
    Order,
    /// It asks something.
    Query,
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// What for.
    pub purpose: Purpose,
    /// Its request weight as listed, even where a success costs nothing.
    pub weight: u32,
    /// Orders that it places.
    pub orders: u32,
}

impl Cost {
    /// Of placing one order.
    pub const ORDER: Cost = Cost { purpose: Purpose::Order, weight: 1, orders: 1 };
    /// Of placing two orders as one list.
    pub const PAIR: Cost = Cost { purpose: Purpose::Order, weight: 1, orders: 2 };
    /// Of placing one order that only reduces a position.
    pub const EXIT: Cost = Cost { purpose: Purpose::Reduce, ..Self::ORDER };
    /// Of placing two such orders as one list.
    pub const PAIR_OF_EXITS: Cost = Cost { purpose: Purpose::Reduce, ..Self::PAIR };
    /// Of cancelling.
    pub const CANCEL: Cost = Cost { purpose: Purpose::Cancel, weight: 1, orders: 0 };

    /// Of a question.
    #[must_use]
    pub const fn query(weight: u32) -> Self {
        Cost { purpose: Purpose::Query, weight, orders: 0 }
    }

    fn of(&self, kind: RateKind) -> u64 {
        match kind {
            RateKind::RequestWeight => self.weight.into(),
            RateKind::Orders => self.orders.into(),
            RateKind::RawRequests => 1,
        }
    }
}

/// Leave to send one request, to be given back with its [`answer`](Budget::answered), or as [`lost`](Budget::lost).
#[derive(Debug)]
#[must_use = "what is not given back counts as under way for ever"]
pub struct Permit {
    cost: Cost,
    sent: Time,
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// The budget of a window is used up.
    #[error("{} of {window_s} s is used up; wait until {until}", .kind.name())]
    UsedUp {
        /// Of what.
        kind: RateKind,
        /// Which window.
        window_s: u64,
        /// When to ask again.
        until: Time,
    },
    /// The venue told us to wait.
    #[error("the venue said to wait until {until}")]
    Blocked {
        /// When to ask again.
        until: Time,
    },
    /// It costs more than a whole window has.
    #[error("it costs more than all of {} in {window_s} s: ask for less at once", .kind.name())]
    Never {
        /// Of what.
        kind: RateKind,
        /// Which window.
        window_s: u64,
    },
}

impl NotNow {
    /// When to ask again; one that never may be sent, after a whole window, when other limits may be known.
    #[must_use]
    pub fn until(&self, now: Time) -> Time {
        match self {
            Self::UsedUp { until, .. } | Self::Blocked { until } => *until,
            Self::Never { .. } => now.plus(Duration::from_secs(60)),
        }
    }
}

/// Until when the venue wants to be left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// `Retry-After`: so many seconds from the answer.
    After(u64),
    /// `retryAfter` of a WebSocket reply: milliseconds since 1970.
    AtMillis(u64),
    /// It did not say.
    Unsaid,
}

/// The venue's answer that we ask too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch {
    /// 429, 418 or 403.
    pub status: u16,
    /// The venue's error code, where it gave one: −1003 or −1015.
    pub code: Option<i32>,
    /// Until when.
    pub retry: Retry,
}

impl TooMuch {
    /// Until when nothing is to be sent, by the venue's clock, where that is at `now`.
    #[must_use]
    pub fn until(&self, now: Time) -> Time {
        let pause = match self.status {
            403 => PAUSE_403,
            418 => PAUSE_418,
            _ => PAUSE_429,
        };
        let until = match self.retry {
            Retry::After(seconds) => now.plus(Duration::from_secs(seconds)),
            Retry::AtMillis(ms) => Time::from_millis(ms),
            Retry::Unsaid => now.plus(pause),
        };
        until.min(now.plus(BLOCK_MAX))
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Budget {
    settings: BudgetSettings,
    windows: Vec<Window>,
    in_flight: [u64; RateKind::ALL.len()],
    /// The venue's clock less ours, ns.
    ahead_ns: i64,
    blocked_until: Time,
    orders_blocked_until: Time,
    refusals: u64,
}

const fn index(kind: RateKind) -> usize {
    kind as usize
}

const fn our_time(venue: Time, ahead_ns: i64) -> Time {
    Time(venue.0.saturating_add_signed(ahead_ns.saturating_neg()))
}

impl Budget {
    /// A budget within `limits`, of which nothing is used yet. The venue's clock is ours until it is
    /// [known](Self::set_clock).
    #[must_use]
    pub fn new(settings: BudgetSettings, limits: &[RateLimit]) -> Self {
        let mut budget = Self {
            settings,
            windows: Vec::new(),
            in_flight: [0; RateKind::ALL.len()],
            ahead_ns: 0,
            blocked_until: Time(0),
            orders_blocked_until: Time(0),
            refusals: 0,
        };
        budget.learn(limits);
        budget
    }

    /// Takes over the limits that the venue gives now. What is used of windows that stay the same is kept.
    pub fn learn(&mut self, limits: &[RateLimit]) {
        let settings = &self.settings;
        let mut windows: Vec<Window> = Vec::with_capacity(limits.len());
        for limit in limits {
            let same = |window: &&Window| window.kind == limit.kind && window.window_s == limit.window_s;
            if windows.iter().any(|window| same(&window)) {
                continue;
            }
            let known = self.windows.iter().find(same).cloned();
            let mut window = known.unwrap_or_else(|| Window::new(limit.kind, limit.window_s));
            window.limit = limit.limit.saturating_mul(settings.use_percent.clamp(1, 100).into()) / 100;
            window.limit = window.limit.max(1);
            let reserved = limit.kind != RateKind::Orders;
            // No more than half: a small limit is not all reserve.
            window.reserve = if reserved { settings.cancel_reserve.min(window.limit / 2) } else { 0 };
            window.kept = window.limit.saturating_mul(settings.kept_percent.min(50).into()) / 100;
            window.kept = window.kept.min((window.limit - window.reserve) / 2);
            windows.push(window);
        }
        let shortest = windows.iter().map(|window| window.window_s).min().unwrap_or(1);
        let most = Duration::from_millis(shortest.saturating_mul(250));
        let error = u64::try_from(settings.clock_error.min(most).as_nanos()).unwrap_or(u64::MAX);
        windows.iter_mut().for_each(|window| window.clock_error = error);
        self.windows = windows;
    }

    /// The venue's clock is `ahead_ns` ahead of ours, as far as is known now. Where it was thought to be elsewhere, what is
    /// used goes to the windows by this one: nothing of it is forgotten, and none of it is kept for longer.
    pub fn set_clock(&mut self, ahead_ns: i64, now: Time) {
        let from = self.venue_time(now);
        self.ahead_ns = ahead_ns;
        let to = self.venue_time(now);
        self.windows.iter_mut().for_each(|window| window.moved(from, to));
    }

    const fn venue_time(&self, ours: Time) -> Time {
        Time(ours.0.saturating_add_signed(self.ahead_ns))
    }

    /// Asks for leave to send a request now.
    ///
    /// # Errors
    /// [`NotNow`], with the time to ask again; what is granted meanwhile to others may move it.
    pub fn ask(&mut self, cost: Cost, now: Time) -> Result<Permit, NotNow> {
        self.may_ask(cost, now)?;
        for kind in RateKind::ALL {
            self.in_flight[index(kind)] += cost.of(kind);
        }
        Ok(Permit { cost, sent: now })
    }

    /// Whether [`ask`](Self::ask) would give leave now.
    ///
    /// # Errors
    /// As there.
    #[inline(never)]
    pub fn may_ask(&mut self, cost: Cost, now: Time) -> Result<(), NotNow> {
        let until = match cost.purpose {
            Purpose::Order | Purpose::Reduce => self.blocked_until.max(self.orders_blocked_until),
            Purpose::Cancel | Purpose::Query => self.blocked_until,
        };
        if now < until {
            return Err(NotNow::Blocked { until });
        }
        let (in_flight, ahead_ns, venue_now) = (self.in_flight, self.ahead_ns, self.venue_time(now));
        let mut refused: Option<NotNow> = None;
        for window in &mut self.windows {
            let (kind, window_s, amount) = (window.kind, window.window_s, cost.of(window.kind));
            if amount == 0 {
                continue;
            }
            let limit = window.open_to(cost.purpose);
            if amount > limit {
                return Err(NotNow::Never { kind, window_s });
            }
            window.advance(venue_now);
            if let Some(until) = window.full_until(venue_now, in_flight[index(kind)] + amount, limit) {
                let until = our_time(until, ahead_ns);
                let longer = match refused {
                    Some(NotNow::UsedUp { until: other, .. }) => until > other,
                    _ => true,
                };
                if longer {
                    refused = Some(NotNow::UsedUp { kind, window_s, until });
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Notes that the request was answered, whatever the answer, and what the venue said it has counted.
    pub fn answered(&mut self, permit: Permit, told: &Told, now: Time) {
        self.landed(&permit);
        let (sent, now) = (self.venue_time(permit.sent), self.venue_time(now));
        for window in &mut self.windows {
            window.advance(now);
            let count = told.count(window.kind, window.window_s);
            window.landed(sent, now, permit.cost.of(window.kind), count);
        }
    }

    /// Notes that no answer will come: the venue may have counted the request, at any time until now. To be called once
    /// it can no longer arrive, which is when the connection is gone or its time limit has passed.
    pub fn lost(&mut self, permit: Permit, now: Time) {
        self.answered(permit, &Told::default(), now);
    }

    fn landed(&mut self, permit: &Permit) {
        for kind in RateKind::ALL {
            let under_way = &mut self.in_flight[index(kind)];
            *under_way = under_way.saturating_sub(permit.cost.of(kind));
        }
    }

    /// Notes that the venue refused because of too much. The request's own answer has to be noted too.
    ///
    /// A refusal for too many orders stops orders alone; every other one stops everything, cancels too, since going on
    /// is what gets an address banned.
    pub fn refused(&mut self, refusal: TooMuch, now: Time) {
        self.refusals += 1;
        let until = our_time(refusal.until(self.venue_time(now)), self.ahead_ns);
        if refusal.code == Some(TOO_MANY_ORDERS) && refusal.status == 429 {
            self.orders_blocked_until = self.orders_blocked_until.max(until);
        } else {
            self.blocked_until = self.blocked_until.max(until);
        }
    }

    /// How much of a window may be used by now, as far as is known, and its limit as it is kept; `None` for a window
    /// that the venue did not name.
    #[must_use]
    pub fn used(&self, kind: RateKind, window_s: u64, now: Time) -> Option<(u64, u64)> {
        let window = self.windows.iter().find(|window| window.kind == kind && window.window_s == window_s)?;
        let mut window = window.clone();
        window.advance(self.venue_time(now));
        Some((window.used_newest(self.in_flight[index(kind)]), window.limit))
    }

    /// Until when by our clock nothing may be sent, by the venue's word; in the past where all is well.
    #[must_use]
    pub const fn blocked_until(&self) -> Time {
        self.blocked_until
    }

    /// How often the venue has refused because of too much. Zero in normal work.
    #[must_use]
    pub const fn refusals(&self) -> u64 {
        self.refusals
    }
}
