//! Messages of the streams and fetched books: what is new, what is missing, what has to be asked for.

use super::admission::{Bars, Newest, PassedOver, Verdict, Window};
use super::book_watch::{BookWatch, SnapshotVerdict};
use super::client::{Request, StreamClient, nanos};
use super::doubt::Doubts;
use super::line::{ConnectionId, Link};
use super::snapshots::{FetchFailure, path};
use super::subscription::Answer;
use crate::domain::{Instrument, InstrumentId, Time};
use crate::venue::Decoded;
use crate::venue::binance::ids_are_dense;

/// What was seen of one instrument.
pub(super) struct Watched {
    pub symbol: String,
    /// The group of its streams; of two the one with its book.
    pub group: usize,
    /// The other.
    pub beside: Option<usize>,
    trades: Window,
    aggregates: Window,
    /// Of single and of aggregate trades, where ids that are passed over are missing.
    pub(super) passed_over: [Option<PassedOver>; 2],
    quotes: Newest,
    partials: Newest,
    bars: Bars,
    pub book: Option<BookWatch>,
    /// Whether anything of its book was ever published: from then on the stages trust no quote without it.
    pub depth_told: bool,
    /// Whether a top that came as such was published since the stages were last told that there is none.
    pub top_told: bool,
    /// Whether any connection brings all of its data.
    pub carried: bool,
    pub doubts: Doubts,
    /// Asked for to see whether its stream is behind, not because the book is out of step.
    pub checking: bool,
}

impl StreamClient {
    /// A message came: is it new?
    #[inline]
    pub fn admit(&mut self, id: ConnectionId, decoded: &Decoded, now: Time) -> Verdict {
        self.alive(id, now);
        let (instrument, verdict) = match decoded {
            Decoded::Trade(trade) => (trade.instrument, None),
            Decoded::Quote(quote) => (quote.instrument, None),
            Decoded::DepthPartial(head) => (head.instrument, None),
            Decoded::Kline(kline) => (kline.instrument, None),
            Decoded::DepthDiff(head) => (head.instrument, Some(head)),
            _ => return Verdict::Unknown,
        };
        let Some(Some(watched)) = self.watched.get_mut(instrument.index()) else { return Verdict::Unknown };
        let verdict = match (verdict, decoded) {
            (Some(head), _) => {
                let Some(book) = &mut watched.book else { return Verdict::Unknown };
                let (link, live) = self.groups[watched.group].links(&self.lines, id);
                let (verdict, fetch) = book.diff(head, link, live, now);
                watched.depth_told |= verdict == Verdict::Publish;
                if fetch {
                    self.counts.gaps += u64::from(verdict == Verdict::Publish);
                    watched.checking = false;
                    self.queue.want(instrument);
                    self.next_deadline = now;
                }
                verdict
            }
            (None, Decoded::Trade(trade)) => {
                self.least_age.take(trade.venue_time, now);
                let window = if trade.aggregate { &mut watched.aggregates } else { &mut watched.trades };
                let verdict = new(window.admit(trade.id));
                if verdict == Verdict::Publish
                    && let Some(passed_over) = &mut watched.passed_over[usize::from(trade.aggregate)]
                {
                    passed_over.take(trade.id, now);
                }
                verdict
            }
            (None, Decoded::Quote(quote)) => {
                watched.top_told = true;
                watched.quotes.admit(quote.update_id, id.number, now)
            }
            (None, Decoded::DepthPartial(head)) => {
                watched.top_told = true;
                watched.partials.admit(head.last_id, id.number, now)
            }
            (None, Decoded::Kline(kline)) => new(watched.bars.admit(kline)),
            _ => Verdict::Unknown,
        };
        match verdict {
            Verdict::Publish => self.counts.accepted += 1,
            Verdict::Duplicate => self.counts.duplicates += 1,
            Verdict::Early => self.counts.early += 1,
            Verdict::Unsynced => self.counts.unsynced += 1,
            Verdict::Unknown => {}
        }
        verdict
    }

    /// Data came over a connection.
    #[inline]
    pub(super) fn alive(&mut self, id: ConnectionId, now: Time) {
        if let Some(link) = self.hear(id, now) {
            link.delivered = true;
        }
    }

    /// Something whole came over a connection that is no data: it lives.
    pub fn heard(&mut self, id: ConnectionId, now: Time) {
        self.hear(id, now);
    }

    #[inline]
    fn hear(&mut self, id: ConnectionId, now: Time) -> Option<&mut Link> {
        let link = self.lines.get_mut(usize::from(id.line))?.link(id)?;
        (link.heard_at, link.pinged) = (now, false);
        Some(link)
    }

    /// A message that is no market data: an answer to a subscription, or the announcement of a planned cut. Says whether it
    /// was one of those.
    pub fn control(&mut self, id: ConnectionId, text: &[u8], now: Time, out: &mut Vec<Request>) -> bool {
        self.heard(id, now);
        if memchr::memmem::find(text, b"\"serverShutdown\"").is_some() {
            self.counts.shutdowns_announced += 1;
            self.shutdown_announced(id, now);
        } else if let Some(answer) = Answer::read(text) {
            self.subscribed(id, answer, text, now, out);
        } else {
            return false;
        }
        true
    }

    /// The venue is about to cut a connection: it is replaced. Where it says so of one after another that has just opened, each
    /// waits as after a cut: what the venue announces without end would spend what may be opened.
    #[cold]
    fn shutdown_announced(&mut self, id: ConnectionId, now: Time) {
        let lasts = self.settings.pause.1;
        let Some(line) = self.lines.get_mut(usize::from(id.line)) else { return };
        let Some(link) = line.link(id) else { return };
        if now >= link.expires_at {
            return;
        }
        log::info!("{} connection {}: the venue is about to cut it; replacing it", self.market, id.number);
        link.expires_at = now;
        if link.lasted(lasts, now) {
            line.backoff.reset();
        } else {
            let again = line.backoff.attempts() > 0;
            let pause = line.backoff.next_pause();
            if again {
                line.retry_at = line.retry_at.max(now.plus(pause));
            }
        }
        self.next_deadline = now;
    }

    /// A book came. Says what to do with it.
    pub fn fetched(
        &mut self,
        instrument: InstrumentId,
        last_id: u64,
        used_weight: Option<u64>,
        now: Time,
        out: &mut Vec<Request>,
    ) -> SnapshotVerdict {
        self.queue.answered(used_weight, now);
        self.next_deadline = now;
        let Some(Some(watched)) = self.watched.get_mut(instrument.index()) else {
            return SnapshotVerdict::Unwanted;
        };
        let Some(book) = &mut watched.book else { return SnapshotVerdict::Unwanted };
        if std::mem::take(&mut watched.checking) && book.synced() {
            let silent = now.since(book.last_at()) >= nanos(self.settings.stream_silence);
            self.queue.came(instrument);
            book.touch(now);
            // The diff of a change that the venue has made already may be on its way.
            let ahead = silent && last_id > book.last_id();
            watched.doubts.expected = ahead.then(|| (last_id, now.plus(self.settings.diff_within())));
            return SnapshotVerdict::Unwanted;
        }
        let verdict = book.snapshot(last_id);
        book.fetched(now);
        match verdict {
            SnapshotVerdict::Publish => {
                watched.depth_told = true;
                self.counts.snapshots += 1;
                if self.queue.came(instrument) {
                    log::info!("{} {}: the venue shows this book again", self.market, watched.symbol);
                }
            }
            SnapshotVerdict::TooOld => {
                self.counts.snapshots_too_old += 1;
                self.queue.want(instrument);
                self.queue.too_old(instrument, now);
                if book.forget_kept() {
                    self.counts.interruptions += 1;
                    out.push(Request::Interrupted { instrument });
                }
            }
            SnapshotVerdict::Unwanted => {}
        }
        verdict
    }

    /// A book did not come. Says whether that is news, or lasts.
    pub fn fetch_failed(
        &mut self,
        instrument: InstrumentId,
        failure: &FetchFailure,
        now: Time,
        out: &mut Vec<Request>,
    ) -> bool {
        match failure {
            FetchFailure::Transient => self.counts.fetch_failures += 1,
            FetchFailure::Untrusted => self.counts.fetches_untrusted += 1,
            FetchFailure::RateLimited { .. } => self.counts.rate_limited += 1,
            FetchFailure::Refused(_) => self.counts.fetch_refusals += 1,
            FetchFailure::Unreadable(_) => self.counts.books_unread += 1,
        }
        let news = self.queue.failed(instrument, failure, now);
        let lasts = failure.lasts();
        self.counts.books_set_aside += u64::from(lasts && news);
        let Some(Some(watched)) = self.watched.get_mut(instrument.index()) else { return news };
        watched.checking = false;
        let Some(book) = &mut watched.book else { return news };
        // A book whose stream is silent, and that the venue does not show as one of this instrument, is no book to trade on.
        let doubted = lasts && book.doubted();
        if book.fetch_failed() {
            self.queue.want(instrument);
        }
        if book.forget_kept() || doubted {
            self.counts.interruptions += 1;
            out.push(Request::Interrupted { instrument });
        }
        news
    }

    pub(super) fn poll_books(&mut self, now: Time, out: &mut Vec<Request>) {
        let silence = nanos(self.settings.stream_silence);
        self.poll_expected(now, out);
        for (index, watched) in self.watched.iter_mut().enumerate() {
            let Some(watched) = watched else { continue };
            for passed_over in watched.passed_over.iter_mut().flatten() {
                let missing = passed_over.missing(now);
                if missing > 0 {
                    self.counts.trades_missing += missing;
                    watched.doubts.trades_missing(self.market, &watched.symbol, missing, now);
                }
            }
            let Some(book) = &mut watched.book else { continue };
            let silent = book.synced() && !watched.checking && now.since(book.last_at()) >= silence;
            watched.checking |= silent;
            if silent || book.waited_enough(now) {
                self.queue.want(InstrumentId(index as u16));
            }
        }
        if let Some(instrument) = self.queue.next(now)
            && let Some(Some(watched)) = self.watched.get_mut(instrument.index())
        {
            if let Some(book) = &mut watched.book {
                book.fetching();
            }
            self.counts.fetches += 1;
            self.bars.book_asked();
            let path = path(self.market, &watched.symbol, self.settings.snapshot_levels);
            out.push(Request::Fetch { instrument, path });
        }
    }
}

impl Watched {
    pub fn new(of: &Instrument, group: usize, book: Option<BookWatch>, seed: u64) -> Self {
        let passed_over = |aggregate| ids_are_dense(of, aggregate).then(PassedOver::default);
        Self {
            symbol: of.symbol.clone(),
            passed_over: [passed_over(false), passed_over(true)],
            group,
            beside: None,
            trades: Window::default(),
            aggregates: Window::default(),
            quotes: Newest::default(),
            partials: Newest::default(),
            bars: Bars::default(),
            book,
            depth_told: false,
            top_told: false,
            carried: false,
            doubts: Doubts::new(seed),
            checking: false,
        }
    }

    /// A connection that brought its data is gone.
    pub fn left(&mut self, id: ConnectionId) {
        self.quotes.left(id.number);
        self.partials.left(id.number);
    }

    /// The same of aggregate trades and klines, which may come another way than its book.
    pub fn forget_beside(&mut self) {
        (self.aggregates, self.bars) = (Window::default(), Bars::default());
        self.passed_over[1] = self.passed_over[1].map(|_| PassedOver::default());
    }

    /// After an interruption nothing that was seen says anything of what comes.
    pub fn forget(&mut self) {
        self.trades = Window::default();
        self.passed_over[0] = self.passed_over[0].map(|_| PassedOver::default());
        if self.beside.is_none() {
            self.forget_beside();
        }
        (self.quotes, self.partials) = (Newest::default(), Newest::default());
        (self.checking, self.top_told) = (false, false);
        self.doubts.expected = None;
        if let Some(book) = &mut self.book {
            book.lost();
        }
    }
}

#[inline]
fn new(yes: bool) -> Verdict {
    if yes { Verdict::Publish } else { Verdict::Duplicate }
}
