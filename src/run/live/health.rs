//! How each connection and each book of the market data stands, as the feed's thread sees it, for who asks.
//!
//! Owns: since when something is down or out of step, to a fifth of a second. The thread copies it out some times a second
//! into room that is there already, and only where nobody reads at that moment: it never waits.

use crate::domain::{InstrumentId, Market, Time};
use crate::venue::binance::streams::{FetchFailure, FollowedState, StreamClient, UnreadFrames};
use std::sync::{Arc, Mutex};

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct ConnectionHealth {
    pub market: Market,
    /// Which of its market's, from 1.
    pub number: usize,
    /// The streams that it carries, by their group in its market.
    pub group: usize,
    /// Since when it carries no data; none while it does.
    pub down_since: Option<Time>,
    /// When anything was last heard over it, where it carries data.
    pub heard_at: Option<Time>,
    /// Whether this or another connection carries its streams.
    pub carried: bool,
}

/// An instrument that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct FollowedHealth {
    pub instrument: InstrumentId,
    pub market: Market,
    /// Its streams, by their group in its market.
    pub group: usize,
    /// Its other streams, where it has two groups.
    pub beside: Option<usize>,
    /// Since when its book is out of step; none where it is in step, or none is kept.
    pub out_of_step_since: Option<Time>,
    /// Whether anything of its book ever came.
    pub depth_told: bool,
    /// Since when any connection carries its streams; none while none does.
    pub carried_since: Option<Time>,
    /// Why its book is set aside, where it is.
    pub aside: Option<FetchFailure>,
    /// Its frames that could not be decoded, if there were any.
    pub unread: Option<UnreadFrames>,
    /// How many quotes contradicted its book, and when the last did.
    pub contradictions: Option<(u64, Time)>,
    /// How many of its trades were missing by their ids, and when the last were.
    pub trades_missing: Option<(u64, Time)>,
    /// Whether the venue refuses to bring its data over a connection that is live.
    pub refused: bool,
    /// Whether it said nothing of it, rather than no.
    pub unanswered: bool,
    /// Whether no diff came on top of its book for a while after that was fetched.
    pub unconfirmed: bool,
}

/// See the module. Nothing before the first copy.
#[derive(Debug, Default)]
pub(in crate::run) struct FeedHealth {
    pub connections: Vec<ConnectionHealth>,
    /// By how much this host's clock is behind each market's, at least, ns.
    pub clocks_behind: Vec<(Market, u64)>,
    /// By instrument.
    pub instruments: Vec<Option<FollowedHealth>>,
}

/// The copy that both sides have.
pub(in crate::run) type SharedHealth = Arc<Mutex<FeedHealth>>;

impl FeedHealth {
    /// Takes over how the clients stand at `now`.
    pub fn update<'c>(&mut self, clients: impl Iterator<Item = &'c StreamClient>, now: Time) {
        for client in clients {
            let market = client.market();
            match self.clocks_behind.iter_mut().find(|(of, _)| *of == market) {
                Some((_, behind)) => *behind = client.clock_behind_ns(),
                None => self.clocks_behind.push((market, client.clock_behind_ns())),
            }
            for (at, line) in client.connections().enumerate() {
                let number = at + 1;
                let known = self.connections.iter().position(|c| (c.market, c.number) == (market, number));
                let since = known.and_then(|at| self.connections[at].down_since).unwrap_or(now);
                let carried = client.carries(line.group);
                let down_since = (!line.live).then_some(since);
                let (group, heard_at) = (line.group, line.heard_at);
                let seen = ConnectionHealth { market, number, group, down_since, heard_at, carried };
                match known {
                    Some(at) => self.connections[at] = seen,
                    None => self.connections.push(seen),
                }
            }
            for state in client.followed() {
                let FollowedState { instrument, group, beside, in_step, depth_told, .. } = state;
                let at = instrument.index();
                if self.instruments.len() <= at {
                    self.instruments.resize(at + 1, None);
                }
                let known = self.instruments[at];
                let since = known.and_then(|known| known.out_of_step_since).unwrap_or(now);
                let out_of_step_since = (in_step == Some(false)).then_some(since);
                let since = known.and_then(|known| known.carried_since).unwrap_or(now);
                let carried_since = client.carries(group).then_some(since);
                let seen = FollowedHealth {
                    instrument,
                    market,
                    group,
                    beside,
                    out_of_step_since,
                    depth_told,
                    carried_since,
                    aside: state.aside,
                    unread: state.unread,
                    contradictions: state.contradictions,
                    trades_missing: state.trades_missing,
                    refused: state.refused,
                    unanswered: state.refused && client.lacks_an_answer(instrument),
                    unconfirmed: state.unconfirmed,
                };
                self.instruments[at] = Some(seen);
            }
        }
    }
}
