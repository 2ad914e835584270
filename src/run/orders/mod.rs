//! Orders for real: what stands between the live gateway's lane and the venue.
//!
//! ```text
//!     live gateway ──lane──▶ this thread: client (writes, signs) ─▶ mask, seal ─▶ sockets of the WebSocket API
//!       (a stage)                 │  ▲                          └─▶ calls ─▶ REST threads
//!                                 │  └───────────── frames, answers ─────────────┘
//!     sequencer ◀──lane── reports ┘
//! ```
//!
//! Owns: sockets, REST threads, the waiting, the key until the client has it. What is sent and when, and what an answer
//! means, is the client's to decide (`venue/binance/client`), which has no socket. Invariant: what the client reports
//! enters the ring, in order, and nothing of it is dropped; an order that cannot be taken ends in a report.

mod gateway;
pub mod keys;
mod outcome;
mod pairs;
mod preflight;
pub mod rest;
mod sessions;

pub use gateway::{KeyState, OrdersControl};
pub use keys::KeysError;
pub use outcome::OrdersOutcome;
pub use preflight::PreflightError;

use crate::domain::order::OrderState;
use crate::domain::{ClientOrderId, Instrument, InstrumentId, InstrumentTable, Market};
use crate::execution::live::{Closing, HandoverReceiver, HandoverSender, handover};
use crate::journal::{JournalHeader, Resumed};
use crate::net::TlsClient;
use crate::net::tls::TlsSetupError;
use crate::net::websocket::ConnectionSettings;
use crate::pipeline::{Answer, LaneSender, StampClock, Topology, Wait};
use crate::run::affinity::{keep_to, pin};
use crate::run::config::{Config, OrderEntry, TradingConfig, Wait as WaitChoice};
use crate::run::interrupt::Interrupt;
use crate::security::{ApiKey, Credentials, KeyError};
use crate::strategy::desk::DeskState;
use crate::venue::VenueTerms;
use crate::venue::binance::client::{ClientSettings, OrderClient, Paused, RestUse};
use crate::venue::binance::exchange_info::RateLimit;
use crossbeam_channel::Sender;
use gateway::{Adopted, Gateway, GatewayParts, Left, WAKE};
use pairs::{PairChange, PairsWatch};
use rest::RestCalls;
use sessions::Sessions;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Orders that may wait for the sending thread.
const HANDOVER_SLOTS: usize = 4_096;

/// Why orders cannot be sent.
#[derive(Debug, Error)]
pub enum OrdersError {
    /// There is no key, or none that is taken.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The venue or the account is not as it must be.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The operating system refused what the sending needs.
    #[error("orders cannot be sent: {0}")]
    System(#[from] std::io::Error),
    /// The key was taken before, and is not any more.
    #[error("the key: {0}")]
    Key(#[from] KeyError),
}

impl OrdersError {
    /// Whether nothing is wrong: the end was asked for while the start waited.
    #[must_use]
    pub const fn was_asked_for(&self) -> bool {
        matches!(self, Self::Preflight(PreflightError::Interrupted { .. }))
    }
}

/// What was checked before anything was started.
pub struct PreparedOrders {
    /// The configuration with the symbols' present rules and the account's balances.
    pub config: Config,
    /// What else the venue told of its instruments.
    pub terms: VenueTerms,
    /// The number that the venue gives the account, where it says one.
    pub account: Option<u64>,
    /// What strategies trade and the venue does not list, or not so that it can be used, and why: it takes no orders until it
    /// is. There is none but where an earlier run is gone on with.
    pub unlisted: Vec<(InstrumentId, String)>,
    limits: Vec<RateLimit>,
    credentials: Credentials,
    tls: TlsClient,
}

/// Both ends of the lane to the sending thread, before it is there.
pub struct OrderLanes {
    poll: mio::Poll,
    waker: Arc<mio::Waker>,
    receiver: HandoverReceiver,
    closing: Closing,
    additions: Option<Sender<Instrument>>,
}

/// How the sending thread runs.
#[derive(Debug, Clone)]
pub struct OrdersThread {
    /// The core it is pinned to, if any.
    pub core: Option<usize>,
    /// How it waits.
    pub wait: Wait,
    /// More threads spin than there are cores.
    pub crowded: bool,
    /// Where it may run if it is not pinned, and its helpers in any case.
    pub housekeeping: Vec<usize>,
}

/// Orders that are being sent.
pub struct RunningOrders {
    control: Arc<OrdersControl>,
    closing: Closing,
    thread: JoinHandle<OrdersOutcome>,
    cancel: bool,
    exit_timeout: Duration,
    link: OrdersLink,
}

impl PreparedOrders {
    /// Checks key, symbols and account. While the venue wants silence (HTTP 418 or 429) it waits, until `interrupt` is raised,
    /// and says so through `waiting`. What is traded has to be listed, but where this goes on with an `earlier` run.
    ///
    /// # Errors
    /// [`OrdersError`], with what to do.
    pub fn check(
        config: &Config,
        earlier: Option<&JournalHeader>,
        interrupt: &Interrupt,
        waiting: &dyn Fn(&str),
    ) -> Result<Self, OrdersError> {
        let tls = TlsClient::new(&config.venue.tls)?;
        let preflight::Found { credentials, config, terms, account, limits, unlisted } =
            preflight::check(config, earlier, &tls, interrupt, waiting)?;
        Ok(Self { config, terms, account, unlisted, limits, credentials, tls })
    }

    /// Starts the sending thread and its helpers, with the orders of an earlier run, if there was one, and its epoch.
    ///
    /// # Errors
    /// [`OrdersError`] where the system has no more threads or sockets.
    pub fn start(
        self,
        lanes: OrderLanes,
        answers: LaneSender<Answer>,
        clock: StampClock,
        thread: OrdersThread,
        resumed: Option<(&Resumed, u64)>,
    ) -> Result<RunningOrders, OrdersError> {
        let Self { config, credentials, tls, limits, .. } = self;
        let mut settings = client_settings(&config.trading, &tls)?;
        if !limits.is_empty() {
            // By the usual limits, what others have used could seem to leave nothing.
            settings.limits = limits;
        }
        let left = resumed.map(|(resumed, epoch)| Left::of(resumed, epoch));
        start_with(&config, settings, credentials, &tls, lanes, answers, clock, thread, left)
    }
}

impl OrderLanes {
    /// A lane with its waker; the stage's end goes into the pipeline.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub fn new() -> std::io::Result<(HandoverSender, Self)> {
        Self::with_slots(HANDOVER_SLOTS)
    }

    /// As [`new`](Self::new), with room for `slots` orders.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub fn with_slots(slots: usize) -> std::io::Result<(HandoverSender, Self)> {
        let poll = mio::Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        let (sender, receiver) = handover(slots, Arc::clone(&waker));
        let closing = sender.closing();
        Ok((sender, Self { poll, waker, receiver, closing, additions: None }))
    }

    /// The same, where the feed is told of instruments that stood by and are to be followed.
    #[must_use]
    pub fn adding(self, additions: Sender<Instrument>) -> Self {
        Self { additions: Some(additions), ..self }
    }
}

impl OrdersThread {
    /// As configured, beside a pipeline of this topology whose feed waits as `feed` does, on a host with `cores` cores.
    #[must_use]
    pub fn plan(config: &Config, topology: &Topology, feed: Wait, cores: usize) -> Self {
        let wait = match config.trading.wait {
            WaitChoice::Auto => feed,
            WaitChoice::Spin => Wait::Spin,
            WaitChoice::Yield => Wait::Yield,
            WaitChoice::Backoff => Wait::Backoff,
        };
        let spinning = topology.threads.iter().filter(|t| t.wait == Wait::Spin).count();
        let crowded = wait == Wait::Spin && spinning >= cores;
        let housekeeping = topology.housekeeping.clone();
        Self { core: config.pipeline.cores.gateway_io, wait, crowded, housekeeping }
    }
}

/// The client's settings for this section of the configuration.
fn client_settings(trading: &TradingConfig, tls: &TlsClient) -> Result<ClientSettings, OrdersError> {
    let mut seed = [0; 8];
    tls.random(&mut seed).map_err(TlsSetupError::from)?;
    Ok(ClientSettings {
        recv_window: trading.recv_window,
        engine_deadline: trading.engine_deadline,
        request_timeout: trading.engine_deadline + Duration::from_secs(1),
        backoff: (Duration::from_millis(50), Duration::from_secs(5)),
        rest: match trading.order_entry {
            OrderEntry::WebSocket => RestUse::Fallback,
            OrderEntry::Rest => RestUse::Always,
        },
        self_trade: trading.self_trade,
        allow_withdrawal_keys: trading.allow_withdrawal_keys,
        // Checked before the start, and where it cannot be asked for, taken as configured.
        check_key: !trading.allow_withdrawal_keys,
        key_again: trading.key_again,
        reconcile_every: trading.reconcile,
        info_every: trading.rules_every,
        seed: u64::from_le_bytes(seed),
        ..ClientSettings::default()
    })
}

/// Starts the sending of orders of `config.instruments` with a client of these settings.
///
/// # Errors
/// [`OrdersError`] where the system has no more threads or sockets.
#[allow(clippy::too_many_arguments, reason = "each is one part of what is started")]
pub fn start(
    config: &Config,
    settings: ClientSettings,
    credentials: Credentials,
    tls: &TlsClient,
    lanes: OrderLanes,
    answers: LaneSender<Answer>,
    clock: StampClock,
    thread: OrdersThread,
) -> Result<RunningOrders, OrdersError> {
    start_with(config, settings, credentials, tls, lanes, answers, clock, thread, None)
}

impl Left {
    fn of(resumed: &Resumed, epoch: u64) -> Self {
        let live = resumed.desks.iter().flat_map(DeskState::with_the_venue);
        let adopted = |state: &OrderState| {
            let id = state.order.id;
            let booked = resumed.booked.get(&id).cloned().unwrap_or_default();
            Adopted { state: *state, client_id: ClientOrderId::derive(epoch, id), booked }
        };
        let adopted = live.map(adopted).collect();
        let over = resumed.desks.iter().flat_map(|desk| desk.ended.as_known());
        let over = over.map(|state| (state, ClientOrderId::derive(epoch, state.order.id))).collect();
        let (cut, newest) = (resumed.cut.clone(), resumed.newest.clone());
        Self { adopted, over, account: resumed.account(), cut, newest }
    }
}

#[allow(clippy::too_many_arguments, reason = "each is one part of what is started")]
fn start_with(
    config: &Config,
    settings: ClientSettings,
    credentials: Credentials,
    tls: &TlsClient,
    lanes: OrderLanes,
    answers: LaneSender<Answer>,
    clock: StampClock,
    thread: OrdersThread,
    left: Option<Left>,
) -> Result<RunningOrders, OrdersError> {
    let OrderLanes { poll, waker, receiver, closing, additions } = lanes;
    let key = Arc::new(ApiKey::new(credentials.api_key.as_str())?);
    let (venue, trading) = (&config.venue, &config.trading);
    let endpoint = &venue.endpoints(Market::Spot).rest;
    let (rest, done) =
        RestCalls::start(trading.rest_threads, endpoint, tls, &key, &waker, &thread.housekeeping)?;
    let connection = ConnectionSettings {
        message_bytes_max: venue.message_bytes_max,
        busy_poll_us: venue.busy_poll_us,
        kernel_stamps: false,
    };
    let keep = thread.housekeeping.clone();
    let wakes = Arc::clone(&waker);
    let sessions = Sessions::new(poll, &venue.ws_api, tls, connection, venue.open_timeout, wakes, keep)?;
    let table: InstrumentTable = config.instruments.clone();
    let control = Arc::new(OrdersControl::default());
    control.note_standby(&trading.standby);
    let (changes, pairs) = crossbeam_channel::unbounded();
    let (ws_api, begun) = (venue.ws_api.to_string(), Instant::now());
    let link = OrdersLink {
        control: Arc::clone(&control),
        changes: changes.clone(),
        wake: Arc::clone(&waker),
        ws_api,
        begun,
    };
    if let Some(path) = trading.pairs_file.clone() {
        let (control, keep) = (Arc::clone(&control), thread.housekeeping.clone());
        let (table, wake) = (table.clone(), Arc::clone(&waker));
        PairsWatch { path, table, additions, control, wake, out: changes }.start(keep)?;
    }
    let parts = GatewayParts {
        client: OrderClient::new(settings, &table, credentials),
        tasks: receiver,
        answers,
        sessions,
        rest,
        done,
        clock,
        wait: thread.wait,
        crowded: thread.crowded,
        control: Arc::clone(&control),
        exit_timeout: trading.exit_timeout,
        left,
        pairs,
        standby: trading.standby.clone(),
        table,
    };
    let notes_death = control.notes_death();
    let running = std::thread::Builder::new().name("at-orders".into()).spawn(move || {
        let _notes_death = notes_death;
        match thread.core {
            Some(core) => pin(core),
            None => keep_to(&thread.housekeeping),
        }
        Gateway::new(parts).run()
    })?;
    let cancel = trading.on_exit == crate::run::config::OnExit::Cancel;
    let exit_timeout = trading.exit_timeout;
    Ok(RunningOrders { control, closing, thread: running, cancel, exit_timeout, link })
}

/// What an operator sees of the sending of orders, and may ask of it.
#[derive(Clone)]
pub struct OrdersLink {
    control: Arc<OrdersControl>,
    changes: Sender<PairChange>,
    wake: Arc<mio::Waker>,
    /// Where sessions are opened, and since when.
    ws_api: String,
    begun: Instant,
}

impl OrdersLink {
    /// One of a thread that there is not.
    #[cfg(test)]
    pub(in crate::run) fn of_a_test(control: &Arc<OrdersControl>) -> Self {
        let poll = mio::Poll::new().unwrap_or_else(|error| panic!("{error}"));
        let wake = mio::Waker::new(poll.registry(), WAKE).unwrap_or_else(|error| panic!("{error}"));
        let (changes, ws_api) = (crossbeam_channel::unbounded().0, String::new());
        Self { control: Arc::clone(control), changes, wake: Arc::new(wake), ws_api, begun: Instant::now() }
    }

    /// Why the venue takes no orders now, and what ends it; none where it takes them.
    #[must_use]
    pub fn why_none_are_taken(&self) -> Option<String> {
        let why = self.control.pause()?;
        if why == Paused::NoSession {
            return Some(format!("{why} ({}, for {} s)", self.ws_api, self.begun.elapsed().as_secs()));
        }
        let of_key = self.key().problem().filter(|_| why == Paused::Key);
        Some(of_key.map_or_else(|| why.to_string(), str::to_owned))
    }

    /// How the key stands.
    #[must_use]
    pub fn key(&self) -> KeyState {
        self.control.key()
    }

    /// Whether an instrument stands by until the pairs file adds it.
    #[must_use]
    pub fn stands_by(&self, instrument: InstrumentId) -> bool {
        self.control.stands_by(instrument)
    }

    /// Whether the thread that sends orders ended by a panic.
    #[must_use]
    pub fn has_died(&self) -> bool {
        self.control.has_died()
    }

    /// An operator has looked at what a difference halted.
    pub fn looked_at(&self, instrument: InstrumentId) {
        // A thread that is over takes no orders of it either; one that is not woken sees it a millisecond later.
        let _ = self.changes.send(PairChange::LookedAt(instrument));
        let _ = self.wake.wake();
    }
}

impl RunningOrders {
    /// What an operator sees of it.
    #[must_use]
    pub fn link(&self) -> OrdersLink {
        self.link.clone()
    }

    /// Whether the venue takes orders.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.control.is_open()
    }

    /// Whether orders are taken.
    #[must_use]
    pub fn is_trading(&self) -> bool {
        self.control.is_trading()
    }

    /// Takes no new orders, cancels the open ones where configured, and waits for the venue's answers, which `pump` must
    /// let into the ring: it is called until the end, and says whether it had anything to do.
    pub fn finish(self, mut pump: impl FnMut() -> bool) -> OrdersOutcome {
        self.closing.close();
        self.control.finish(self.cancel);
        let end = std::time::Instant::now() + self.exit_timeout + Duration::from_secs(2);
        while !self.control.is_over() && std::time::Instant::now() < end {
            if !pump() {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        // A panic there is told by the runtime; what it did is lost with it.
        self.thread.join().unwrap_or_else(|_| {
            log::error!("the thread that sends orders died; please report this");
            OrdersOutcome { died: true, ..OrdersOutcome::default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{FeeAsset, Report};
    use crate::domain::instrument::tests::sample;
    use crate::domain::order::ReportKind;
    use crate::domain::{Extras, Order, OrderId, OrderKind, Price, Qty, Side, Slot, StrategyId, TimeInForce};
    use crate::execution::{Record, RecordKind};
    use crate::journal::{Entry, JournalHeader, JournalStrategy, Recovery};

    #[test]
    fn what_a_journal_leaves_has_the_orders_that_are_over_beside_those_that_may_be_with_the_venue() {
        let instruments = vec![sample(Market::Spot, "BTCUSDT")];
        let strategy =
            JournalStrategy { label: "a".into(), name: "a".into(), instruments: vec![InstrumentId(0)] };
        let header = JournalHeader { instruments, strategies: vec![strategy], ..JournalHeader::default() };
        let mut recovery = Recovery::new(&header);
        for number in 1..=3 {
            let order = Order {
                id: OrderId(number),
                strategy: StrategyId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                kind: OrderKind::Limit,
                tif: TimeInForce::Gtc,
                reduce_only: false,
                qty: Qty(100),
                price: Price(10_000),
                extras: Extras::NONE,
            };
            let client_id = ClientOrderId::derive(7, order.id);
            recovery.take(&Entry::Slot(Slot::clock()));
            let record = Record { seq: 1, kind: RecordKind::Order, order, denied: None, client_id };
            recovery.take(&Entry::Record(record));
            let told = |kind, qty, trade_id| Report {
                instrument: order.instrument,
                order: order.id,
                strategy: order.strategy,
                side: order.side,
                kind,
                qty: Qty(qty),
                price: order.price,
                fee: 0,
                fee_asset: FeeAsset::Quote,
                trade_id,
                maker: false,
            };
            // One ends in part, one whole, one rests.
            let reports: &[(ReportKind, i64)] = match number {
                1 => &[(ReportKind::Fill, 40), (ReportKind::Canceled, 0)],
                2 => &[(ReportKind::Fill, 100)],
                _ => &[(ReportKind::Accepted, 0)],
            };
            for &(kind, qty) in reports {
                recovery.take(&Entry::Slot(Slot::report(&told(kind, qty, number))));
            }
        }
        let left = Left::of(&recovery.finish().resume(), 7);
        let rests: Vec<u64> = left.adopted.iter().map(|adopted| adopted.state.order.id.0).collect();
        assert_eq!(rests, [3]);
        let over: Vec<_> = left.over.iter().map(|(state, id)| (state.order.id, state.filled, *id)).collect();
        assert_eq!(over, [(OrderId(1), Qty(40), ClientOrderId::derive(7, OrderId(1)))]);
    }
}
