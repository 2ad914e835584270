//! What goes into the client and what comes out of it.

use super::notice::Notice;
use crate::domain::event::{Command, MarketRules, Report, Rules};
use crate::domain::order::OrderState;
use crate::domain::{ClientOrderId, Instrument, InstrumentId, Order, OrderId, Time};
use std::collections::BTreeMap;
use std::ops::Range;

/// A WebSocket API session, numbered by the client; a number is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u32);

/// An HTTP request, numbered by the client; a number is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HttpId(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Begin: open a session, look at the account.
    Start,
    /// Open no more sessions and close those that are open; orders stay as they are.
    Stop,
    /// This order was placed by an earlier run, and may be with the venue: ask how it stands. To be said before
    /// [`Start`](Self::Start).
    Adopt {
        /// As it was known last.
        state: &'a OrderState,
        /// The id that the venue knows it by.
        client_id: &'a ClientOrderId,
        /// Its trades that were booked then.
        booked: &'a [u64],
    },
    /// This order was placed by an earlier run, and was over before that ended: a trade of it that is told yet is its own. To
    /// be said before [`Start`](Self::Start), and after what may be with the venue.
    AdoptOver {
        /// As it ended.
        state: &'a OrderState,
        /// The id that the venue knows it by.
        client_id: &'a ClientOrderId,
    },
    /// What the account should have by an earlier run, in units of 10^-18, how many trades the venue cut since that was
    /// compared, and the newest trade of each instrument that it knew. To be said before [`Start`](Self::Start).
    Left {
        /// By asset.
        account: &'a [(String, i128)],
        /// By asset.
        cut: &'a BTreeMap<String, u32>,
        /// By instrument.
        newest: &'a BTreeMap<InstrumentId, u64>,
    },
    /// Place this order, which risk has approved. Its quantity and, unless it is a market order, its price are positive.
    Place {
        /// The order.
        order: &'a Order,
        /// The id that the venue will know it by; never used before.
        client_id: &'a ClientOrderId,
    },
    /// Place these two as one list, of which one cancels the other. Risk has approved both: a target, post-only or a
    /// take-profit, and a stop, on one side, for one quantity.
    PlacePair {
        /// The two, each with the id that the venue will know it by; never used before.
        legs: [(&'a Order, &'a ClientOrderId); 2],
    },
    /// Take this order back; of a list the venue takes both back.
    Cancel {
        /// Which.
        order: OrderId,
        /// The id that the venue knows it by.
        client_id: &'a ClientOrderId,
    },
    /// Take every open order of ours back.
    CancelAll {
        /// Of this instrument; of all where none is named.
        instrument: Option<InstrumentId>,
    },
    /// Trade this instrument too; or know it anew. Its id is what orders name it by.
    AddInstrument(&'a Instrument),
    /// This instrument is not to be traded before it is [admitted](Self::Admit). To be said before [`Start`](Self::Start).
    StandBy(InstrumentId),
    /// Trade an instrument that stood by, as soon as its rules were read anew.
    Admit(InstrumentId),
    /// Take no new orders for this instrument; cancels still go out.
    Pause(InstrumentId),
    /// Take orders for this instrument again, also after a difference halted it.
    Resume(InstrumentId),
    /// A person has looked at the difference that halted this instrument: the venue's numbers count, and it is halted for
    /// them no longer. Who holds it back otherwise still does.
    LookedAt(InstrumentId),
    /// A person pauses it no longer; what else holds it still does.
    Unpause(InstrumentId),
    /// Trade this instrument no more: no new orders, and its open ones are taken back.
    RemoveInstrument(InstrumentId),
    /// The session is open: TLS and upgrade are done.
    SessionOpened(SessionId),
    /// The session is gone, or could not be opened.
    SessionClosed(SessionId),
    /// One whole text message.
    SessionFrame(SessionId, &'a [u8]),
    /// An HTTP request came to its end.
    HttpReply {
        /// Which.
        id: HttpId,
        /// How.
        answer: Result<HttpReply<'a>, HttpFailure>,
    },
}

/// An HTTP answer, whatever its status.
#[derive(Debug, Clone, Copy)]
pub struct HttpReply<'a> {
    /// The status.
    pub status: u16,
    /// Its headers; those of interest begin with `x-mbx-`, or are `retry-after`.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body, whole.
    pub body: &'a [u8],
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpFailure {
    /// Not a byte of the request was sent: no connection.
    NotSent,
    /// It may have arrived: the connection broke, or the time was up.
    Lost,
    /// An answer came that is larger than the transport takes.
    TooLarge,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Connect to the WebSocket API; answered by [`Input::SessionOpened`] or [`Input::SessionClosed`].
    OpenSession(SessionId),
    /// Close it. No [`Input::SessionClosed`] is needed for it, and none does harm.
    CloseSession(SessionId),
    /// Send one text message.
    SessionText {
        /// On.
        session: SessionId,
        /// Where it is in [`Outputs`].
        text: Range<usize>,
    },
    /// Make an HTTP request without a body.
    Http(HttpCall),
    /// Let this enter the ring.
    Report(Report),
    /// Let this enter the ring.
    Command(Command),
    /// A difference that stays: no order of this instrument is taken until [`Input::Resume`].
    Halt(InstrumentId),
    /// An instrument's rules are these from now on; enters the ring.
    Rules(Rules),
    /// The same of what is taken of an instrument at the market.
    MarketRules(MarketRules),
    /// For log and counters.
    Notice(Notice),
}

/// An HTTP request. All parameters are in the query; the body is empty.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// Which.
    pub id: HttpId,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Where `/path?query` is in [`Outputs`].
    pub target: Range<usize>,
    /// Whether the header `X-MBX-APIKEY` goes with it.
    pub key: bool,
    /// What goes first: of two that wait, the one with the lower number.
    pub priority: u8,
    /// When to give up and answer [`HttpFailure::Lost`].
    pub deadline: Time,
}

/// What a call to the client asks for, in order; kept and reused by the caller, so that its room is taken once.
#[derive(Debug, Default)]
pub struct Outputs {
    /// In the order in which to do it.
    pub list: Vec<Output>,
    bytes: Vec<u8>,
}

impl Outputs {
    /// Room for what one call asks for as a rule.
    #[must_use]
    pub fn new() -> Self {
        Self { list: Vec::with_capacity(256), bytes: Vec::with_capacity(64 * 1024) }
    }

    /// Forgets everything; to be called before each call of the client.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }

    /// The text of a request.
    #[must_use]
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    pub(super) fn push(&mut self, output: Output) {
        self.list.push(output);
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.list.push(Output::Notice(notice));
    }

    pub(super) fn report(&mut self, report: Report) {
        self.list.push(Output::Report(report));
    }

    /// Keeps `parts` one after the other; says where.
    pub(super) fn keep(&mut self, parts: &[&[u8]]) -> Range<usize> {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        start..self.bytes.len()
    }
}
