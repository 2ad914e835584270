//! The thread that sends orders: takes them from the pipeline's lane, drives the client, and owns every socket.
//!
//! An order goes from the lane to the socket on this thread alone: dequeued, written and signed by the client, masked,
//! sealed, handed to the kernel. REST is made by helper threads. What comes back enters the ring by a lane of its own;
//! where that is full it waits here, in order, and nothing is dropped.

mod control;
mod ending;
mod outputs;

pub use control::{KeyState, OrdersControl};

use super::outcome::{OrderLatencies, OrdersOutcome};
use super::pairs::PairChange;
use super::rest::{RestCalls, RestDone};
use super::sessions::Sessions;
use crate::domain::order::OrderState;
use crate::domain::{ClientOrderId, InstrumentId, InstrumentTable, Order, OrderId, Qty, Time};
use crate::execution::GatewayMessage;
use crate::execution::live::{Handover, HandoverReceiver};
use crate::net::http::{HttpAnswer, HttpError};
use crate::net::websocket::{ConnectionError, Incoming};
use crate::pipeline::{Answer, Idle, LaneSender, StampClock, Wait};
use crate::run::live::steady_clock;
use crate::venue::binance::client::{HttpFailure, HttpId, HttpReply, Input, OrderClient, Outputs, SessionId};
use crossbeam_channel::Receiver;
use mio::{Events, Token};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The waker's token; sessions have theirs by their numbers, which are smaller.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Empty rounds before a thread that backs off sleeps in the poll.
const EMPTY_ROUNDS: u32 = 64;
/// Of empty rounds, after how many an order's way is rehearsed.
const REHEARSE_ROUNDS: u32 = 16;
/// The longest sleep: deadlines of the client are seen no later than so much after they are due.
const SLEEP_MAX: Duration = Duration::from_millis(5);
/// Orders taken before the sockets are looked at again.
const BURST: usize = 64;
/// Answers that wait for room in the ring's lane before the room for more is taken.
const WAITING: usize = 4_096;

/// What a gateway is made of.
pub(super) struct GatewayParts {
    pub client: OrderClient,
    pub tasks: HandoverReceiver,
    pub answers: LaneSender<Answer>,
    pub sessions: Sessions,
    pub rest: RestCalls,
    pub done: Receiver<RestDone>,
    pub clock: StampClock,
    pub wait: Wait,
    pub crowded: bool,
    pub control: Arc<OrdersControl>,
    pub exit_timeout: Duration,
    /// What an earlier run left, where this one goes on with it.
    pub left: Option<Left>,
    /// How pairs are to be, where a file says it.
    pub pairs: Receiver<PairChange>,
    /// Instruments that are not traded before they are added.
    pub standby: Vec<InstrumentId>,
    /// What instruments are called.
    pub table: InstrumentTable,
}

/// What an earlier run left.
pub(in crate::run::orders) struct Left {
    /// Orders that may be with the venue.
    pub adopted: Vec<Adopted>,
    /// Orders that were over, of which a trade may be told yet.
    pub over: Vec<(OrderState, ClientOrderId)>,
    /// What the account should have of each asset, in units of 10^-18.
    pub account: Vec<(String, i128)>,
    /// See [`Resumed::cut`](crate::journal::Resumed::cut).
    pub cut: BTreeMap<String, u32>,
    /// The newest trade of each instrument that it knew.
    pub newest: BTreeMap<InstrumentId, u64>,
}

/// An order of an earlier run, with its trades that were booked then.
pub(super) struct Adopted {
    pub state: OrderState,
    pub client_id: ClientOrderId,
    pub booked: Vec<u64>,
}

/// Our orders that may be open, so that the end can take them back: ours, and not what a person placed elsewhere.
#[derive(Clone, Copy)]
struct Ours {
    client_id: ClientOrderId,
    left: Qty,
    /// When the end last asked for its cancel.
    asked: Option<Instant>,
}

/// Room for this many of them before more is taken.
const OURS: usize = 16_384;
/// Nothing yet, in memory that was used once: the kernel finds no page for it while an order waits.
fn ours() -> HashMap<OrderId, Ours> {
    let nothing = Ours { client_id: ClientOrderId::derive(0, OrderId(0)), left: Qty(0), asked: None };
    let mut ours = HashMap::with_capacity(2 * OURS);
    ours.extend((0..OURS as u64).map(|n| (OrderId(n), nothing)));
    ours.clear();
    ours
}

/// Stamps of the order at hand, for what it makes the client send.
#[derive(Clone, Copy)]
struct OrderStamps {
    caused: u64,
    written: u64,
}

/// See the module.
pub(super) struct Gateway {
    parts: GatewayParts,
    out: Outputs,
    waiting: VecDeque<Answer>,
    answer_count: u64,
    /// Sessions that failed while something was carried out.
    failed: Vec<SessionId>,
    /// Calls that nobody will send, since too many wait.
    unsent: Vec<HttpId>,
    /// When a session that was open was lost, until orders have one again and all is known and compared.
    lost_at: Option<Instant>,
    /// Whether what was missed since then is known.
    caught_up: bool,
    finishing: Option<Instant>,
    /// How orders of an earlier run stand is not known yet.
    unsettled: bool,
    ours: HashMap<OrderId, Ours>,
    /// The order at hand: it is ours once it is on its way, unless it was refused here.
    fresh: Option<(OrderId, Ours)>,
    /// The first order of a list, whose second was handed over with it.
    first_leg: Option<(Order, ClientOrderId)>,
    latencies: OrderLatencies,
    outcome: OrdersOutcome,
}

impl Gateway {
    pub fn new(parts: GatewayParts) -> Self {
        Self {
            parts,
            out: Outputs::new(),
            waiting: VecDeque::with_capacity(WAITING),
            answer_count: 0,
            failed: Vec::with_capacity(8),
            unsent: Vec::new(),
            lost_at: None,
            caught_up: false,
            finishing: None,
            unsettled: true,
            ours: ours(),
            fresh: None,
            first_leg: None,
            latencies: OrderLatencies::new(),
            outcome: OrdersOutcome::default(),
        }
    }

    /// Runs until the end is asked for and reached.
    pub fn run(mut self) -> OrdersOutcome {
        let mut events = Events::with_capacity(64);
        let mut idle = Idle::crowded(self.parts.wait, self.parts.crowded);
        let mut empty_rounds = 0u32;
        self.adopt();
        for id in std::mem::take(&mut self.parts.standby) {
            self.ask(steady_clock(), Input::StandBy(id));
        }
        self.ask(steady_clock(), Input::Start);
        loop {
            let sleeps = self.parts.wait == Wait::Backoff && empty_rounds > EMPTY_ROUNDS;
            let timeout = if sleeps && self.parts.tasks.about_to_sleep() {
                self.sleep(steady_clock())
            } else {
                Duration::ZERO
            };
            if let Err(error) = self.parts.sessions.poll.poll(&mut events, Some(timeout))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                // Without a poll no answer would ever be seen: better to look at every socket each time.
                log::error!("waiting for sockets: {error}");
                std::thread::sleep(Duration::from_millis(1));
            }
            if sleeps {
                self.parts.tasks.awake();
            }
            let mut worked = self.orders();
            worked |= self.sockets(&events);
            worked |= self.replies();
            worked |= self.pairs();
            worked |= self.due();
            worked |= self.give();
            if self.unsettled && self.parts.client.adopted_are_settled() {
                self.unsettled = false;
                self.parts.control.settled.store(true, Ordering::Release);
            }
            if self.is_over() {
                break;
            }
            if worked {
                empty_rounds = 0;
                idle.reset();
            } else {
                if empty_rounds.is_multiple_of(REHEARSE_ROUNDS) {
                    self.rehearse();
                }
                empty_rounds = empty_rounds.saturating_add(1);
                // A thread that backs off sleeps in the poll.
                if self.parts.wait != Wait::Backoff {
                    idle.idle();
                }
            }
        }
        self.end()
    }

    /// Takes in what an earlier run left with the venue.
    fn adopt(&mut self) {
        let Some(Left { adopted, over, account, cut, newest }) = self.parts.left.take() else { return };
        self.ask(steady_clock(), Input::Left { account: &account, cut: &cut, newest: &newest });
        for Adopted { state, client_id, booked } in adopted {
            let ours = Ours { client_id, left: state.leaves(), asked: None };
            self.ours.insert(state.order.id, ours);
            let input = Input::Adopt { state: &state, client_id: &client_id, booked: &booked };
            self.ask(steady_clock(), input);
        }
        for (state, client_id) in over {
            self.ask(steady_clock(), Input::AdoptOver { state: &state, client_id: &client_id });
        }
    }

    /// How long nothing is due.
    fn sleep(&self, now: Time) -> Duration {
        let due = self.parts.client.next_deadline();
        Duration::from_nanos(due.0.saturating_sub(now.0)).min(SLEEP_MAX)
    }

    /// Takes orders and cancels from the lane.
    #[inline]
    fn orders(&mut self) -> bool {
        let mut count = 0;
        while count < BURST
            && let Some(task) = self.parts.tasks.pop()
        {
            count += 1;
            self.order(&task);
        }
        count > 0
    }

    #[inline]
    fn order(&mut self, task: &Handover) {
        let clock = &self.parts.clock;
        let taken = clock.raw();
        let now = steady_clock();
        let first_leg;
        let input = match &task.message {
            GatewayMessage::New { order, client_id, .. } => {
                let order = order.get();
                let ours = Ours { client_id: *client_id, left: order.qty, asked: None };
                match order.extras.other_leg {
                    0 => {
                        self.fresh = Some((order.id, ours));
                        Input::Place { order, client_id }
                    }
                    1.. => {
                        self.ours.insert(order.id, ours);
                        self.first_leg = Some((*order, *client_id));
                        self.outcome.orders += 1;
                        return;
                    }
                    ..0 => {
                        self.ours.insert(order.id, ours);
                        first_leg = self.first_leg.take();
                        match &first_leg {
                            Some((first, first_id)) => {
                                Input::PlacePair { legs: [(first, first_id), (order, client_id)] }
                            }
                            // The stage hands over both or neither.
                            None => Input::Place { order, client_id },
                        }
                    }
                }
            }
            GatewayMessage::Cancel { order, client_id, .. } => Input::Cancel { order: *order, client_id },
        };
        self.parts.client.handle(now, input, &mut self.out);
        let written = clock.raw();
        self.latencies.queue.record(clock.nanos(task.handed, taken));
        self.latencies.write.record(clock.nanos(taken, written));
        self.outcome.orders += 1;
        self.carry_out(now, Some(OrderStamps { caused: task.caused, written }));
        // It is on its way: what else is to be kept of it could wait.
        self.parts.client.settle();
    }

    /// Keeps the way of an order in the processor's caches while there is none.
    fn rehearse(&mut self) {
        self.parts.client.rehearse(steady_clock(), &mut self.out);
        debug_assert!(self.out.list.is_empty(), "a rehearsal asks for nothing");
        self.out.clear();
    }

    fn ask(&mut self, now: Time, input: Input<'_>) {
        self.parts.client.handle(now, input, &mut self.out);
        self.carry_out(now, None);
    }

    /// Drives the sockets that have something.
    fn sockets(&mut self, events: &Events) -> bool {
        for event in events {
            if event.token() != WAKE
                && let Some(session) =
                    self.parts.sessions.all.iter_mut().find(|s| s.id.0 as usize == event.token().0)
            {
                session.connection.set_readable(event.is_read_closed() || event.is_error());
            }
        }
        let mut worked = !events.is_empty();
        let mut at = 0;
        while at < self.parts.sessions.all.len() {
            let session = &self.parts.sessions.all[at];
            let (id, connection) = (session.id, &session.connection);
            if connection.wants_drive() || (!events.is_empty() && connection.wants_write()) {
                worked |= self.session(id);
            }
            // One that failed is no longer there, and another has taken its place.
            if self.parts.sessions.all.get(at).is_some_and(|s| s.id == id) {
                at += 1;
            }
        }
        let now = steady_clock();
        while let Some((id, error)) = self.parts.sessions.resolved() {
            self.lose(id, &error, now);
        }
        if self.parts.sessions.opening()
            && let Some(id) = self.parts.sessions.overdue(Instant::now())
        {
            self.lose(id, &ConnectionError::OpenTimeout, now);
        }
        worked
    }

    /// Reads one session and hands the client what came.
    fn session(&mut self, id: SessionId) -> bool {
        let Some(at) = self.parts.sessions.find(id) else { return false };
        let now = steady_clock();
        let (came, opened, mut failed) = self.parts.sessions.all[at].drive();
        if opened {
            self.outcome.sessions_opened += 1;
            self.ask(now, Input::SessionOpened(id));
        }
        loop {
            let Some(at) = self.parts.sessions.find(id) else { return true };
            match self.parts.sessions.all[at].connection.next_message() {
                Ok(Some(Incoming::Text(bytes) | Incoming::Binary(bytes))) => {
                    self.outcome.frames += 1;
                    self.parts.client.handle(now, Input::SessionFrame(id, bytes), &mut self.out);
                    self.carry_out(now, None);
                }
                Ok(Some(Incoming::Ping | Incoming::Pong)) => {}
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = failed {
            self.lose(id, &error, now);
        }
        came || opened
    }

    /// A session is over, or never was.
    #[cold]
    fn lose(&mut self, id: SessionId, error: &ConnectionError, now: Time) {
        log::warn!("order session {}: {error}", id.0);
        *self.outcome.endings.entry(error.label()).or_default() += 1;
        if self.parts.sessions.find(id).is_some_and(|at| self.parts.sessions.all[at].open) {
            self.lost_at.get_or_insert_with(Instant::now);
        }
        self.parts.sessions.drop(id);
        self.ask(now, Input::SessionClosed(id));
    }

    /// Hands the client the answers of REST calls.
    fn replies(&mut self) -> bool {
        let mut worked = false;
        while let Ok(done) = self.parts.done.try_recv() {
            worked = true;
            self.latencies.rest.record(u64::try_from(done.took.as_nanos()).unwrap_or(u64::MAX));
            self.reply(done.id, &done.answer);
        }
        worked
    }

    /// Pauses, removes and resumes pairs as a person asks.
    fn pairs(&mut self) -> bool {
        let mut worked = false;
        while let Ok(change) = self.parts.pairs.try_recv() {
            worked = true;
            let input = match change {
                PairChange::Pause(id) => Input::Pause(id),
                PairChange::Remove(id) => Input::RemoveInstrument(id),
                PairChange::Resume(id) => Input::Resume(id),
                PairChange::Unpause(id) => Input::Unpause(id),
                PairChange::LookedAt(id) => Input::LookedAt(id),
                PairChange::Add(id) => {
                    self.parts.control.note_added(id);
                    Input::Admit(id)
                }
            };
            self.ask(steady_clock(), input);
        }
        worked
    }

    fn reply(&mut self, id: u64, answer: &Result<HttpAnswer, HttpError>) {
        let now = steady_clock();
        let retry;
        let mut headers: Vec<(&str, &str)> = Vec::new();
        let answer = match answer {
            Ok(answer) => {
                headers.extend(answer.counts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
                if let Some(seconds) = answer.retry_after_s {
                    retry = seconds.to_string();
                    headers.push(("retry-after", &retry));
                }
                Ok(HttpReply { status: answer.status, headers: &headers, body: &answer.body })
            }
            Err(error) => {
                self.outcome.rest_failed += 1;
                log::debug!("a REST call failed: {error}");
                Err(match error {
                    HttpError::TooLarge(_) => HttpFailure::TooLarge,
                    error if error.is_unsent() => HttpFailure::NotSent,
                    _ => HttpFailure::Lost,
                })
            }
        };
        self.ask(now, Input::HttpReply { id: HttpId(id), answer });
    }

    /// Lets the client do what is due.
    fn due(&mut self) -> bool {
        let now = steady_clock();
        if now < self.parts.client.next_deadline() {
            return false;
        }
        self.parts.client.poll(now, &mut self.out);
        self.carry_out(now, None);
        true
    }
}
