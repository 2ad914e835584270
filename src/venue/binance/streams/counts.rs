//! What happened on the streams of one market.

/// Counters; each outcome has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamCounts {
    /// Connections that were begun.
    pub connects: u64,
    /// Connections that opened.
    pub opened: u64,
    /// Attempts put off, since the venue allows only so many in five minutes.
    pub connects_held_back: u64,
    /// Connections that failed or were cut.
    pub lost: u64,
    /// Connections replaced before the venue would have cut them.
    pub replaced: u64,
    /// `serverShutdown` announcements.
    pub shutdowns_announced: u64,
    /// Connections closed since nothing came for too long.
    pub silent: u64,
    /// Connections that did not open in time.
    pub open_timeouts: u64,
    /// Streams found to be behind the venue while their connection was alive.
    pub stale_streams: u64,
    /// Subscriptions that the venue refused.
    pub refused_subscriptions: u64,
    /// Frames that were new.
    pub accepted: u64,
    /// Frames that had been there before, or that a fetched book covers.
    pub duplicates: u64,
    /// Diffs that came before those they follow, left to the other connection.
    pub early: u64,
    /// Diffs of books that wait for their turn to be fetched.
    pub unsynced: u64,
    /// Frames that could not be decoded.
    pub unread: u64,
    /// Trades that are missing by their ids, though their connection lived.
    pub trades_missing: u64,
    /// Quotes that differ from the book at their update id.
    pub contradictions: u64,
    /// Books fetched anew since several in a row did.
    pub books_contradicted: u64,
    /// Diffs that do not follow: something is missing.
    pub gaps: u64,
    /// Instruments whose data was interrupted, or for whose book something was kept in vain.
    pub interruptions: u64,
    /// Fetched books that could not be decoded.
    pub books_unread: u64,
    /// Books asked for.
    pub fetches: u64,
    /// Books that came and fit.
    pub snapshots: u64,
    /// Books that were older than the diffs kept.
    pub snapshots_too_old: u64,
    /// Requests that failed on the way, or with a 5xx status.
    pub fetch_failures: u64,
    /// Requests that failed since the server's certificate is not good.
    pub fetches_untrusted: u64,
    /// Requests that the venue refused with a 4xx status.
    pub fetch_refusals: u64,
    /// Books set aside since the venue refused them, or they cannot be read; each is asked for again every five minutes.
    pub books_set_aside: u64,
    /// Requests answered with 429, 418 or 403: too many.
    pub rate_limited: u64,
    /// Questions for bars.
    pub bar_fetches: u64,
    /// Bars that came of before the run, of an interruption that lasted, or too late to be acted on. Those before one that was
    /// handed out meanwhile are counted, and left out.
    pub bars_of_before: u64,
    /// Bars that came in place of one that was not whole.
    pub bars_made_good: u64,
    /// Questions for bars that failed, or whose answer lacks the bar that was not whole.
    pub bar_fetch_failures: u64,
    /// Bars that were not whole, and such of before the run, that did not come in time or are refused.
    pub bars_given_up: u64,
}

impl StreamCounts {
    /// Names and values, for output.
    #[must_use]
    pub fn all(&self) -> [(&'static str, u64); 34] {
        [
            ("connects", self.connects),
            ("opened", self.opened),
            ("connects_held_back", self.connects_held_back),
            ("lost", self.lost),
            ("replaced", self.replaced),
            ("shutdowns_announced", self.shutdowns_announced),
            ("silent", self.silent),
            ("open_timeouts", self.open_timeouts),
            ("stale_streams", self.stale_streams),
            ("refused_subscriptions", self.refused_subscriptions),
            ("accepted", self.accepted),
            ("duplicates", self.duplicates),
            ("early", self.early),
            ("unsynced", self.unsynced),
            ("unread", self.unread),
            ("trades_missing", self.trades_missing),
            ("contradictions", self.contradictions),
            ("books_contradicted", self.books_contradicted),
            ("gaps", self.gaps),
            ("interruptions", self.interruptions),
            ("books_unread", self.books_unread),
            ("fetches", self.fetches),
            ("snapshots", self.snapshots),
            ("snapshots_too_old", self.snapshots_too_old),
            ("fetch_failures", self.fetch_failures),
            ("fetches_untrusted", self.fetches_untrusted),
            ("fetch_refusals", self.fetch_refusals),
            ("books_set_aside", self.books_set_aside),
            ("rate_limited", self.rate_limited),
            ("bar_fetches", self.bar_fetches),
            ("bars_of_before", self.bars_of_before),
            ("bars_made_good", self.bars_made_good),
            ("bar_fetch_failures", self.bar_fetch_failures),
            ("bars_given_up", self.bars_given_up),
        ]
    }
}
