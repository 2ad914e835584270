//! What is not to be believed any more, though its connection lives: a book, or a top, of whose frames one cannot be read,
//! a book whose stream is behind the venue, and one that the venue's own best bid and ask contradict.
//!
//! Such a frame is a gap of its own. Of a diff nothing is known but that it was there: the book is out of step until it is
//! fetched anew, after a pause that grows while that does not help, so that one instrument whose numbers the decoder does
//! not take (the venue has changed its precision) does not use up what the others' books need.
//!
//! A stream that said nothing for long is behind only if the diffs that lead to the book that was fetched beside it do not
//! come: one is always on its way. Then that book is fetched anew; only where this repeats is it the connection's fault,
//! and the group's are replaced one at a time, each only once another has taken its place.

use super::client::{Request, StreamClient};
use super::line::ConnectionId;
use super::plan::StreamKind;
use crate::domain::contradiction::{Contradiction, DIFFER_MAX};
use crate::domain::event::TradeUnread;
use crate::domain::{InstrumentId, Market, Time};
use crate::net::Backoff;
use crate::venue::DecodeError;
use crate::venue::binance::Unread;
use std::time::Duration;

/// Between two words on what goes on, of one instrument and kind.
const TELL_EVERY_NS: u64 = 60_000_000_000;
/// The first and the longest pause before a doubted book is fetched; short again after a minute without doubt.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
const CALM_NS: u64 = 60_000_000_000;
/// A stream that is found behind again within so long is not mended by a fetch.
const STALE_AGAIN_NS: u64 = 600_000_000_000;
/// Kinds of streams.
const KINDS: usize = 5;

/// An instrument's frames that could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadFrames {
    /// How many.
    pub frames: u64,
    /// The first of those that came less than a minute apart.
    pub since: Time,
    /// The last.
    pub at: Time,
    /// What it would have told.
    pub kind: StreamKind,
    /// What is wrong with it.
    pub error: DecodeError,
}

/// What the stages are to be told of a frame that cannot be read, before anything that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// What they know of an instrument's book or top no longer holds.
    Market(InstrumentId),
    /// It may be missing in bars.
    Trade(TradeUnread),
}

/// What is told at once, and then now and then.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    at: Option<Time>,
    untold: u64,
}

impl Told {
    /// It happened again; gives how often since it was last told, where it is to be told now.
    fn again(&mut self, now: Time) -> Option<u64> {
        self.untold += 1;
        if self.at.is_some_and(|at| now.since(at) < TELL_EVERY_NS) {
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

/// What is in doubt of one instrument.
#[derive(Debug)]
pub(super) struct Doubts {
    unread: Option<UnreadFrames>,
    told: [Told; KINDS],
    pause: Backoff,
    last: Time,
    /// The update id to which diffs are to come, and by when.
    pub expected: Option<(u64, Time)>,
    /// When its stream was last found behind.
    stale_at: Option<Time>,
    /// Quotes that contradicted the book, and when the last did.
    contradictions: Option<(u64, Time)>,
    /// Trades that were missing by their ids, and when the last were.
    missing: Option<(u64, Time)>,
    missing_told: Told,
}

impl Doubts {
    pub fn new(seed: u64) -> Self {
        Self {
            unread: None,
            told: [Told::default(); KINDS],
            pause: Backoff::new(PAUSE.0, PAUSE.1, seed),
            last: Time(0),
            expected: None,
            stale_at: None,
            contradictions: None,
            missing: None,
            missing_told: Told::default(),
        }
    }

    pub const fn unread(&self) -> Option<UnreadFrames> {
        self.unread
    }

    /// How many quotes contradicted the book, and when the last did.
    pub const fn contradictions(&self) -> Option<(u64, Time)> {
        self.contradictions
    }

    /// How many of its trades were missing by their ids, and when the last were.
    pub const fn missing(&self) -> Option<(u64, Time)> {
        self.missing
    }

    /// So many ids of its trades were passed over, and what they belong to did not come.
    #[cold]
    pub fn trades_missing(&mut self, market: Market, symbol: &str, missing: u64, now: Time) {
        let before = self.missing.map_or(0, |(count, _)| count);
        let count = before.saturating_add(missing);
        self.missing = Some((count, now));
        if self.missing_told.again(now).is_some() {
            log::error!(
                "{market} {symbol}: {missing} of its trades did not come, by their ids, though it is connected ({count}                  since the start); bars that lack them are incomplete"
            );
        }
    }

    fn note(&mut self, kind: StreamKind, error: DecodeError, now: Time) {
        let before = self.unread.filter(|before| now.since(before.at) < CALM_NS);
        self.unread = Some(UnreadFrames {
            frames: self.unread.map_or(0, |before| before.frames) + 1,
            since: before.map_or(now, |before| before.since),
            at: now,
            kind,
            error,
        });
    }

    /// When the book, which is doubted now, may be fetched.
    pub fn fetch_at(&mut self, now: Time) -> Time {
        if now.since(self.last) >= CALM_NS {
            self.pause.reset();
        }
        self.last = now;
        now.plus(self.pause.next_pause())
    }
}

impl StreamClient {
    /// Diffs that should be there by now and are not: their books are fetched anew.
    pub(super) fn poll_expected(&mut self, now: Time, out: &mut Vec<Request>) {
        for (index, watched) in self.watched.iter_mut().enumerate() {
            let Some(watched) = watched else { continue };
            let Some((id, by)) = watched.doubts.expected else { continue };
            let Some(book) = &mut watched.book else { continue };
            let came = !book.synced() || book.last_id() >= id;
            if came || now < by {
                watched.doubts.expected = watched.doubts.expected.filter(|_| !came);
                continue;
            }
            watched.doubts.expected = None;
            self.counts.stale_streams += 1;
            let instrument = InstrumentId(index as u16);
            let before = watched.doubts.stale_at.replace(now);
            let again = before.is_some_and(|at| now.since(at) < STALE_AGAIN_NS);
            if book.doubted() {
                self.queue.want(instrument);
                self.queue.hold(instrument, watched.doubts.fetch_at(now));
                self.counts.interruptions += 1;
                out.push(Request::Interrupted { instrument });
            }
            let then =
                if again { "it is fetched anew, and connections are replaced" } else { "it is fetched anew" };
            log::warn!(
                "{} {}: the stream of its book is behind the venue ({} of {id}): {then}",
                self.market,
                watched.symbol,
                book.last_id()
            );
            if again {
                for line in &self.groups[watched.group].lines {
                    self.lines[usize::from(*line)].stale = true;
                }
            }
        }
    }

    /// A quote contradicts the book at its update id. Several in a row are no accident: levels that nobody told of are
    /// missing once the price has left what was fetched, or a diff was not what the venue did. The book is fetched anew.
    #[cold]
    pub fn contradicted(&mut self, told: Contradiction, now: Time, out: &mut Vec<Request>) {
        let Contradiction { instrument, lasting } = told;
        let Some(Some(watched)) = self.watched.get_mut(instrument.index()) else { return };
        self.counts.contradictions += 1;
        let doubts = &mut watched.doubts;
        doubts.contradictions = Some((doubts.contradictions.map_or(0, |(count, _)| count) + 1, now));
        let Some(book) = &mut watched.book else { return };
        // What it was told of may have gone meanwhile.
        if !lasting || !book.doubted() {
            return;
        }
        watched.checking = false;
        self.queue.want(instrument);
        self.queue.hold(instrument, doubts.fetch_at(now));
        self.next_deadline = now;
        self.counts.books_contradicted += 1;
        self.counts.interruptions += 1;
        out.push(Request::Interrupted { instrument });
        log::error!(
            "{} {}: the venue's best bid and ask contradict its book, {DIFFER_MAX} times in a row; it is fetched anew",
            self.market,
            watched.symbol
        );
    }

    /// A frame came that cannot be decoded, of this stream, if it says so. Gives what the stages are to be told.
    #[cold]
    pub fn unread(
        &mut self,
        id: ConnectionId,
        of: Option<Unread>,
        error: DecodeError,
        now: Time,
    ) -> Option<Loss> {
        self.alive(id, now);
        self.counts.unread += 1;
        let Some((Unread { instrument, kind, aggregate }, watched)) =
            of.and_then(|of| Some((of, self.watched.get_mut(of.instrument.index())?.as_mut()?)))
        else {
            if let Some(times) = self.unnamed.again(now) {
                log::error!(
                    "{} connection {}: a frame cannot be read, nor whose it is: {error} ({times} since this was last told)",
                    self.market,
                    id.number
                );
            }
            return None;
        };
        watched.doubts.note(kind, error, now);
        let (interrupted, then) = match (kind, &mut watched.book) {
            (StreamKind::Diffs, Some(book)) => {
                let (fetch, told) = book.unread();
                if fetch {
                    watched.checking = false;
                    self.queue.want(instrument);
                    self.queue.hold(instrument, watched.doubts.fetch_at(now));
                    self.next_deadline = now;
                }
                (told, "its book is not to be traded on until it is fetched anew")
            }
            (StreamKind::Quotes | StreamKind::Partial, _) if !watched.depth_told => (
                std::mem::take(&mut watched.top_told),
                "its best bid and ask are not to be traded on until others come",
            ),
            (StreamKind::Quotes, _) => (false, "its best bid and ask go by its book alone"),
            (StreamKind::Trades, _) => (false, "bars that may lack it are incomplete"),
            _ => (false, "it is missing"),
        };
        if let Some(times) = watched.doubts.told[kind as usize].again(now) {
            log::error!(
                "{} {}: a frame of its {} cannot be read: {error}{}; {then} ({times} since this was last told)",
                self.market,
                watched.symbol,
                kind.label(),
                error.advice()
            );
        }
        self.counts.interruptions += u64::from(interrupted);
        match kind {
            StreamKind::Trades => Some(Loss::Trade(TradeUnread { instrument, aggregate: Some(aggregate) })),
            _ => interrupted.then_some(Loss::Market(instrument)),
        }
    }
}
