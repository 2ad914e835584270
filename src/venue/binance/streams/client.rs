//! The state machine of one market's streams: time and happenings in, requests out.

use super::super::limits::TooMuch;
use super::bars::{BarsAsked, BarsQueue};
use super::book_watch::BookWatch;
use super::clock::LeastAge;
use super::counts::StreamCounts;
use super::doubt::{Told, UnreadFrames};
use super::line::{ConnectionId, GroupState, Line, Link};
use super::messages::Watched;
use super::plan::{StreamKind, StreamName, plan};
use super::snapshots::{FetchFailure, SnapshotQueue};
use super::subscription::Subscription;
use crate::domain::{Instrument, InstrumentId, Market, Time};
use crate::net::Backoff;
use crate::net::websocket::ConnectionError;
use std::collections::VecDeque;
use std::time::Duration;

/// How one market's streams are followed.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSettings {
    /// The streams of every instrument.
    pub streams: Vec<StreamName>,
    /// Connections that carry the same streams, 1 to 4.
    pub redundancy: usize,
    /// Streams on one connection.
    pub streams_per_connection_max: usize,
    /// An attempt that takes longer is given up.
    pub open_timeout: Duration,
    /// A connection over which nothing came for so long, no ping and no answer to one of ours, is closed.
    pub silence: Duration,
    /// A book without a diff for so long is compared with the venue's.
    pub stream_silence: Duration,
    /// A connection this old is replaced.
    pub lifetime: Duration,
    /// How long both connections stay open when one replaces the other.
    pub overlap: Duration,
    /// The first and the longest pause between attempts.
    pub pause: (Duration, Duration),
    /// Levels of a fetched book.
    pub snapshot_levels: u32,
    /// REST weight that may be used in a minute.
    pub weight_per_minute: u32,
    /// For pauses.
    pub seed: u64,
}

impl StreamSettings {
    /// A diff of what the venue's books show already has come by then, if its stream flows: they are sent ten times a second
    /// or, as `@depth`, once.
    pub(super) fn diff_within(&self) -> Duration {
        Duration::from_secs(if self.streams.iter().any(|stream| stream.name == "depth") { 3 } else { 2 })
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Open a connection and upgrade at this path.
    Connect {
        /// Its name from now on.
        connection: ConnectionId,
        /// Path and query.
        target: String,
    },
    /// Close a connection.
    Close {
        /// Which.
        connection: ConnectionId,
        /// What is wrong with it; none where another took its place in good time.
        error: Option<ConnectionError>,
    },
    /// Ask a connection whether it lives.
    Ping {
        /// Which.
        connection: ConnectionId,
    },
    /// Send a text message.
    Send {
        /// Where.
        connection: ConnectionId,
        /// What.
        text: String,
    },
    /// Get a book by REST.
    Fetch {
        /// Whose.
        instrument: InstrumentId,
        /// Path and query.
        path: String,
    },
    /// Get bars by REST.
    FetchBars {
        /// Whose.
        instrument: InstrumentId,
        /// Path and query.
        path: String,
        /// Which.
        asked: BarsAsked,
    },
    /// No connection brings this instrument's data any more, or what was kept for its book is of no use: tell the stages.
    Interrupted {
        /// Whose.
        instrument: InstrumentId,
    },
}

/// How a connection that there should be stands, whichever carries its data just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineState {
    /// Which streams it carries; those that have one group carry the same.
    pub group: usize,
    /// Whether they flow.
    pub live: bool,
    /// When anything was last heard over it; none while they do not flow.
    pub heard_at: Option<Time>,
}

/// How an instrument that is followed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowedState {
    /// Which.
    pub instrument: InstrumentId,
    /// Its streams, as of [`LineState::group`]: those with its book, where it has two groups.
    pub group: usize,
    /// Its other streams, where there is a second way to those.
    pub beside: Option<usize>,
    /// Whether its book is in step with the venue; none where none is kept.
    pub in_step: Option<bool>,
    /// Whether anything of its book ever came: from then on its quotes are trusted only while that is in step.
    pub depth_told: bool,
    /// Why its book is set aside, where it is.
    pub aside: Option<FetchFailure>,
    /// Its frames that could not be decoded, if there were any.
    pub unread: Option<UnreadFrames>,
    /// How many quotes contradicted its book, and when the last did.
    pub contradictions: Option<(u64, Time)>,
    /// How many of its trades were missing by their ids while its connections lived, and when the last were.
    pub trades_missing: Option<(u64, Time)>,
    /// Whether a connection is live that should bring its data, and the venue refuses to.
    pub refused: bool,
    /// Whether its book was fetched, and no diff came on top of it for a while: it is quiet, or its stream does not flow.
    pub unconfirmed: bool,
}

/// Messages to the venue are this far apart: at most four a second, which leaves one for a pong.
const SEND_EVERY_NS: u64 = 250_000_000;
/// Attempts in five minutes; the venue allows 300.
const CONNECTS_MAX: usize = 280;
const CONNECTS_WITHIN_NS: u64 = 300_000_000_000;

/// See the module.
pub struct StreamClient {
    pub(super) market: Market,
    pub(super) settings: StreamSettings,
    pub(super) groups: Vec<GroupState>,
    pub(super) lines: Vec<Line>,
    pub(super) watched: Vec<Option<Watched>>,
    pub(super) queue: SnapshotQueue,
    pub(super) bars: BarsQueue,
    connects: VecDeque<Time>,
    connections: u32,
    pub(super) next_deadline: Time,
    held_back: bool,
    /// The present, to a few ms.
    polled: Time,
    /// The venue wants no attempts before.
    closed_until: Time,
    /// Frames that could not be decoded, and do not say whose they are.
    pub(super) unnamed: Told,
    pub(super) least_age: LeastAge,
    /// What happened.
    pub counts: StreamCounts,
}

impl StreamClient {
    /// A client for those of `instruments` that are of `market`; nothing is connected yet.
    #[must_use]
    pub fn new(market: Market, settings: StreamSettings, instruments: &[Instrument]) -> Self {
        Self::with_standby(market, settings, instruments, &[])
    }

    /// The same, where some instruments are not followed before they are [added](Self::add).
    #[must_use]
    pub fn with_standby(
        market: Market,
        settings: StreamSettings,
        instruments: &[Instrument],
        standby: &[InstrumentId],
    ) -> Self {
        let queue = SnapshotQueue::new(
            market,
            settings.snapshot_levels,
            settings.weight_per_minute,
            settings.seed ^ 0x5EED,
        );
        let mut client = Self {
            market,
            settings,
            groups: Vec::new(),
            lines: Vec::new(),
            watched: instruments.iter().map(|_| None).collect(),
            queue,
            bars: BarsQueue::default(),
            connects: VecDeque::with_capacity(CONNECTS_MAX),
            connections: 0,
            next_deadline: Time(0),
            held_back: false,
            polled: Time(0),
            closed_until: Time(0),
            unnamed: Told::default(),
            least_age: LeastAge::default(),
            counts: StreamCounts::default(),
        };
        let followed = |i: &&Instrument| i.market == market && !standby.contains(&i.id);
        let followed: Vec<_> = instruments.iter().filter(followed).cloned().collect();
        client.follow(&followed);
        client
    }

    /// Spreads the streams of these instruments, which are not followed yet, over connections of their own.
    fn follow(&mut self, instruments: &[Instrument]) {
        let (settings, market) = (&self.settings, self.market);
        let (min, max) = settings.pause;
        let diffs =
            settings.streams.iter().any(|s| s.kind == StreamKind::Diffs && s.markets.contains(&market));
        for group in plan(instruments, &settings.streams, settings.streams_per_connection_max) {
            let index = self.groups.len();
            for id in &group.instruments {
                let Some(of) = instruments.iter().find(|i| i.id == *id) else { continue };
                // The first of its groups is the one with its book.
                if let Some(watched) = &mut self.watched[id.index()] {
                    watched.beside = Some(index);
                    continue;
                }
                let book = diffs.then(|| BookWatch::new(market != Market::Spot));
                self.watched[id.index()] =
                    Some(Watched::new(of, index, book, settings.seed ^ u64::from(id.0)));
            }
            let mut of_group = Vec::new();
            for _ in 0..settings.redundancy.clamp(1, 4) {
                let number = self.lines.len();
                let seed = settings.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number as u64 + 1);
                of_group.push(number as u16);
                self.lines.push(Line::new(index, Backoff::new(min, max, seed)));
            }
            self.groups.push(GroupState { group, lines: of_group, live: false });
        }
    }

    /// Follows an instrument that stood by, over connections of its own: those that are open are not touched. False where
    /// it is of another market, or followed already.
    pub fn add(&mut self, instrument: &Instrument, now: Time) -> bool {
        let stands_by = self.watched.get(instrument.id.index()).is_some_and(Option::is_none);
        if instrument.market != self.market || !stands_by {
            return false;
        }
        self.follow(std::slice::from_ref(instrument));
        self.want_past_bars(instrument.id, now);
        self.next_deadline = now;
        true
    }

    /// By how much this host's clock is behind the venue's at least, by the times of its trades, ns.
    #[must_use]
    pub fn clock_behind_ns(&self) -> u64 {
        self.least_age.behind_ns()
    }

    /// Which market.
    #[must_use]
    pub fn market(&self) -> Market {
        self.market
    }

    /// Of the [connections there should be](Self::lines), how many carry data now; while one is replaced by another they are
    /// one.
    #[must_use]
    pub fn live_connections(&self) -> usize {
        self.lines.iter().filter(|line| line.live()).count()
    }

    /// Connections there should be.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How each connection there should be stands.
    pub fn connections(&self) -> impl Iterator<Item = LineState> {
        self.lines.iter().map(|line| {
            let links = [&line.current, &line.next].into_iter().flatten().filter(|link| link.live());
            LineState {
                group: line.group,
                live: line.live(),
                heard_at: links.map(|link| link.heard_at).max(),
            }
        })
    }

    /// Whether any connection carries the streams of this group.
    #[must_use]
    pub fn carries(&self, group: usize) -> bool {
        self.groups.get(group).is_some_and(|state| state.live)
    }

    /// Instruments that are followed.
    pub fn followed(&self) -> impl Iterator<Item = FollowedState> {
        let groups = self.groups.iter().enumerate();
        let ids =
            groups.flat_map(|(group, state)| state.group.instruments.iter().map(move |id| (*id, group)));
        ids.filter_map(|(instrument, group)| {
            let watched = self.watched.get(instrument.index())?.as_ref()?;
            if watched.group != group {
                return None;
            }
            let in_step = watched.book.as_ref().map(|book| book.synced());
            let unconfirmed = watched.book.as_ref().is_some_and(|book| book.unconfirmed(self.polled));
            Some(FollowedState {
                instrument,
                group,
                beside: watched.beside,
                in_step,
                depth_told: watched.depth_told,
                aside: self.queue.aside_for(instrument),
                unread: watched.doubts.unread(),
                contradictions: watched.doubts.contradictions(),
                trades_missing: watched.doubts.missing(),
                refused: self.groups[group].live && !watched.carried,
                unconfirmed,
            })
        })
    }

    /// Books in step with the venue, of how many. One on which no diff came for a while after it was fetched is none.
    #[must_use]
    pub fn books_synced(&self) -> (usize, usize) {
        let books = || self.watched.iter().flatten().filter_map(|w| w.book.as_ref());
        (books().filter(|b| b.synced() && !b.unconfirmed(self.polled)).count(), books().count())
    }

    /// Books that the venue refuses now, or that cannot be read.
    #[must_use]
    pub fn books_aside(&self) -> usize {
        self.queue.aside()
    }

    /// When [`poll`](Self::poll) has something to do next, at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Time {
        self.next_deadline
    }

    /// Time has come to `now`: opens, replaces, gives up and asks for what is due.
    pub fn poll(&mut self, now: Time, out: &mut Vec<Request>) {
        for line in 0..self.lines.len() {
            self.poll_line(line, now, out);
        }
        // One question is on its way at a time: those for bars and for books take turns. Where bars do not come, each of theirs
        // may take as long as there is patience for, and books go first.
        let books_first = self.bars.books_first();
        if !books_first {
            self.poll_bars(now, out);
        }
        self.poll_books(now, out);
        if books_first {
            self.poll_bars(now, out);
        }
        self.polled = now;
        self.next_deadline = now.plus_nanos(5_000_000);
    }

    fn poll_line(&mut self, index: usize, now: Time, out: &mut Vec<Request>) {
        let line = &self.lines[index];
        if line.current.is_none() {
            if now >= line.retry_at {
                let link = self.connect(index, now, out);
                self.lines[index].current = link;
            }
            return;
        }
        for link in [true, false] {
            let line = &mut self.lines[index];
            let Some(link) = (if link { line.current.as_mut() } else { line.next.as_mut() }) else {
                continue;
            };
            let id = link.id;
            if link.opened_at.is_none() {
                if now >= link.deadline {
                    self.counts.open_timeouts += 1;
                    self.give_up(id, ConnectionError::OpenTimeout, now, out);
                }
                continue;
            }
            if now >= link.send_at
                && let Some(subscription) = link.subscriptions.iter_mut().find(|s| s.is_due(now))
            {
                link.asked += 1;
                link.send_at = now.plus_nanos(SEND_EVERY_NS);
                out.push(Request::Send { connection: id, text: subscription.ask(link.asked, now) });
                continue;
            }
            if link.subscriptions.iter().any(|subscription| subscription.is_unanswered(now)) {
                self.poll_unanswered(id, now, out);
                continue;
            }
            let (limit, silent) = (nanos(self.settings.silence), now.since(link.heard_at));
            if silent >= limit / 2 && !link.pinged {
                link.pinged = true;
                out.push(Request::Ping { connection: id });
            }
            // One is closed while another of its group is there to be heard; for twice as long it is of no use to anybody.
            if silent >= limit && (silent / 2 >= limit || self.others(index).all(Line::live)) {
                self.counts.silent += 1;
                // It was a connection that opened: silence is no reason to stay away longer each time.
                self.lines[index].backoff.reset();
                self.give_up(id, ConnectionError::Silent, now, out);
            }
        }
        self.poll_replacement(index, now, out);
    }

    /// Closes a connection since something is wrong with it.
    fn give_up(&mut self, id: ConnectionId, error: ConnectionError, now: Time, out: &mut Vec<Request>) {
        out.push(Request::Close { connection: id, error: Some(error) });
        self.gone(id, now, out);
    }

    /// The other lines of a line's group.
    fn others(&self, index: usize) -> impl Iterator<Item = &Line> {
        let lines = &self.groups[self.lines[index].group].lines;
        let others = lines.iter().map(|line| usize::from(*line)).filter(move |line| *line != index);
        others.map(move |line| &self.lines[line])
    }

    fn poll_replacement(&mut self, index: usize, now: Time, out: &mut Vec<Request>) {
        let overlap = nanos(self.settings.overlap);
        let stale = self.lines[index].stale && self.others(index).all(Line::settled);
        let line = &mut self.lines[index];
        let Some(current) = &line.current else { return };
        match &line.next {
            None if current.opened_at.is_some()
                && now >= line.retry_at
                && (now >= current.expires_at || stale) =>
            {
                let link = self.connect(index, now, out);
                self.lines[index].next = link;
            }
            Some(next)
                if next.live()
                    && next.delivered
                    && next.opened_at.is_some_and(|at| now.since(at) >= overlap) =>
            {
                let (replaced, error) = (current.id, line.stale.then_some(ConnectionError::Stale));
                out.push(Request::Close { connection: replaced, error });
                self.counts.replaced += 1;
                line.current = line.next.take();
                line.stale = false;
                self.left(replaced);
            }
            _ => {}
        }
    }

    fn connect(&mut self, index: usize, now: Time, out: &mut Vec<Request>) -> Option<Link> {
        while self.connects.front().is_some_and(|at| now.since(*at) >= CONNECTS_WITHIN_NS) {
            self.connects.pop_front();
        }
        if now < self.closed_until || self.connects.len() >= CONNECTS_MAX {
            self.counts.connects_held_back += u64::from(!self.held_back);
            self.held_back = true;
            return None;
        }
        self.held_back = false;
        self.connects.push_back(now);
        self.counts.connects += 1;
        self.connections += 1;
        let id = ConnectionId { line: index as u16, number: self.connections };
        let (target, lists) = self.groups[self.lines[index].group].group.subscription();
        out.push(Request::Connect { connection: id, target });
        Some(Link {
            id,
            opened_at: None,
            deadline: now.plus(self.settings.open_timeout),
            subscriptions: lists.into_iter().map(Subscription::new).collect(),
            asked: 0,
            send_at: now,
            heard_at: now,
            pinged: false,
            delivered: false,
            expires_at: Time(u64::MAX),
        })
    }

    /// A connection is open.
    pub fn opened(&mut self, id: ConnectionId, now: Time, out: &mut Vec<Request>) {
        let lifetime = self.settings.lifetime;
        let Some(line) = self.lines.get_mut(usize::from(id.line)) else { return };
        // Lines that opened together must not be replaced together.
        let lines_apart = Duration::from_millis(u64::from(id.line) * 500);
        let Some(link) = line.link(id) else { return };
        link.opened_at = Some(now);
        link.heard_at = now;
        link.expires_at = now.plus(lifetime + lines_apart);
        self.counts.opened += 1;
        self.next_deadline = now;
        self.group_changed(usize::from(id.line), now, out);
    }

    /// The venue said of an attempt that it is one too many (429, 418, or 403 of its firewall): none follows, of this or
    /// another of its markets, until it may.
    pub fn refused(&mut self, refusal: TooMuch, now: Time) {
        self.closed_until = self.closed_until.max(refusal.until(now));
    }

    /// A connection is over, or never came to be.
    pub fn closed(&mut self, id: ConnectionId, now: Time, out: &mut Vec<Request>) {
        let known = self.lines.get_mut(usize::from(id.line)).is_some_and(|line| line.link(id).is_some());
        if known {
            self.counts.lost += 1;
            self.gone(id, now, out);
        }
    }

    pub(super) fn gone(&mut self, id: ConnectionId, now: Time, out: &mut Vec<Request>) {
        let index = usize::from(id.line);
        let line = &mut self.lines[index];
        if let Some(link) = line.remove(id) {
            // One that a server takes and drops at once is no success: tried without end, it would spend what may be opened.
            if link.lasted(self.settings.pause.1, now) {
                line.backoff.reset();
            }
            line.retry_at = now.plus(line.backoff.next_pause());
            self.next_deadline = now;
            self.left(id);
            self.group_changed(index, now, out);
        }
    }

    /// Nobody waits for what a connection would have brought.
    fn left(&mut self, id: ConnectionId) {
        let group = self.lines[usize::from(id.line)].group;
        for instrument in &self.groups[group].group.instruments {
            if let Some(watched) = &mut self.watched[instrument.index()] {
                watched.left(id);
            }
        }
    }

    /// A line came or went, or one of its subscriptions: books are wanted when the first that brings their data comes, and
    /// invalid when the last goes.
    pub(super) fn group_changed(&mut self, line: usize, now: Time, out: &mut Vec<Request>) {
        let group = self.lines[line].group;
        let state = &self.groups[group];
        let live = state.lines.iter().any(|line| self.lines[usize::from(*line)].live());
        self.groups[group].live = live;
        let state = &self.groups[group];
        for id in &state.group.instruments {
            let Some(watched) = &mut self.watched[id.index()] else { continue };
            let lines = state.lines.iter().map(|line| &self.lines[usize::from(*line)]);
            let carried = lines.flat_map(Line::links).any(|link| link.carries(*id));
            if watched.group != group {
                // Its book, quotes and trades come over another connection, and go on.
                if !carried {
                    watched.forget_beside();
                }
                continue;
            }
            if std::mem::replace(&mut watched.carried, carried) == carried {
                continue;
            }
            if carried {
                if let Some(book) = &mut watched.book {
                    book.live(now);
                }
                continue;
            }
            watched.forget();
            self.queue.forget(*id);
            self.counts.interruptions += 1;
            out.push(Request::Interrupted { instrument: *id });
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
