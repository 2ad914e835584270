//! The loop of a live feed: poll, read, decode, publish, and carry out what the state machines ask for.

use super::fetcher::Helpers;
use super::health::SharedHealth;
use super::outcome::{LiveOutcome, MarketOutcome};
use super::sink::Sink;
use super::socket::{Socket, Sockets};
use super::{LiveError, LiveStatus, ProgressReport, wall_clock};
use crate::domain::contradiction::Contradiction;
use crate::domain::missed::BarNews;
use crate::domain::{Instrument, InstrumentTable, Market, Time};
use crate::net::websocket::{ConnectionError, ConnectionSettings, Incoming, Phase};
use crate::net::{SourceId, SourceInfo, TlsClient};
use crate::pipeline::{StageHistogram, StampClock, Wait};
use crate::run::config::{Config, EndpointConfig};
use crate::run::feed::{Feed, Untold};
use crate::run::interrupt::Interrupt;
use crate::run::pipeline::BarsWanted;
use crate::run::sequencer::Stopped;
use crate::venue::binance::limits::{Retry, TooMuch};
use crate::venue::binance::streams::{ConnectionId, Loss, Request, StreamClient, StreamSettings, Verdict};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two calls of the progress report.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// Empty rounds before a thread that backs off waits in the poll.
const EMPTY_ROUNDS: u32 = 64;
/// The longest wait in the poll: what other threads have for us is seen after that.
const POLL_WAIT: Duration = Duration::from_millis(1);

/// Until when a feed runs, and who is told.
pub(super) struct Loop {
    /// End after so long.
    pub duration: Option<Duration>,
    /// Ends it cleanly.
    pub interrupt: Interrupt,
    /// Called some times a second.
    pub progress: Option<ProgressReport>,
    /// Told as often how each connection and book stands.
    pub health: Option<SharedHealth>,
}

/// How a loop ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The duration was over, or a person asked.
    Asked,
    /// A stage failed; the pipeline's stop says why.
    Failed,
    /// A venue that was never reached will not be.
    Hopeless { market: Market, error: ConnectionError },
}

/// What can be refused before anything is started.
pub(super) struct Prepared {
    tls: TlsClient,
    markets: Vec<(StreamClient, EndpointConfig)>,
}

impl Prepared {
    pub fn new(config: &Config) -> Result<Self, LiveError> {
        let tls = TlsClient::new(&config.venue.tls)?;
        let mut seed = [0; 8];
        tls.random(&mut seed).map_err(crate::net::tls::TlsSetupError::from)?;
        let venue = &config.venue;
        let client = |market: Market| {
            let endpoints = venue.endpoints(market).clone();
            let settings = StreamSettings {
                streams: venue.streams.clone(),
                redundancy: venue.redundancy,
                streams_per_connection_max: venue.streams_per_connection_max,
                open_timeout: venue.open_timeout,
                silence: venue.silence,
                stream_silence: venue.stream_silence,
                lifetime: venue.lifetime,
                overlap: venue.overlap,
                pause: venue.reconnect,
                snapshot_levels: venue.snapshot_levels,
                weight_per_minute: endpoints.weight_per_minute,
                seed: u64::from_le_bytes(seed),
            };
            let standby = &config.trading.standby;
            (StreamClient::with_standby(market, settings, config.instruments.all(), standby), endpoints)
        };
        let waits =
            |market| config.trading.standby.iter().any(|id| config.instruments.get(*id).market == market);
        let markets: Vec<_> =
            Market::ALL.into_iter().map(client).filter(|(c, _)| c.lines() > 0 || waits(c.market())).collect();
        if markets.is_empty() {
            return Err(LiveError::Nothing(
                "none of [venue] streams exists in the markets of the instruments",
            ));
        }
        Ok(Self { tls, markets })
    }
}

pub(super) struct Followed {
    pub client: StreamClient,
    pub endpoints: EndpointConfig,
    pub endings: BTreeMap<&'static str, u64>,
    pub pongs: u64,
    pub bytes: u64,
    /// Paths of connections whose host's address is being looked up.
    pub unresolved: Vec<(ConnectionId, String)>,
}

/// See the module.
pub(super) struct LiveFeed {
    pub(super) decoding: Feed,
    pub(super) tls: TlsClient,
    pub(super) settings: ConnectionSettings,
    pub(super) markets: Vec<Followed>,
    pub(super) sockets: Sockets,
    pub(super) helpers: Helpers,
    /// Sources of fetched books, by instrument.
    pub(super) book_sources: Vec<SourceInfo>,
    pub(super) requests: Vec<Request>,
    pub(super) clock: StampClock,
    /// Instruments that stood by and are to be followed from now on.
    pub(super) additions: Option<Receiver<Instrument>>,
    /// Books that their quotes contradict.
    pub(super) contradictions: Option<Receiver<Contradiction>>,
    /// Bars that were withheld.
    bar_news: Option<Receiver<BarNews>>,
    pub(super) instruments: InstrumentTable,
    wait: Wait,
    read_latency: StageHistogram,
    tls_latency: StageHistogram,
    begun: Instant,
    outcome: LiveOutcome,
    hopeless: Option<(Market, ConnectionError)>,
}

impl LiveFeed {
    pub fn new(
        config: &Config,
        prepared: Prepared,
        clock: StampClock,
        wait: Wait,
        kernel_stamps: bool,
        cores: &[usize],
    ) -> Result<Self, LiveError> {
        let rests: Vec<_> = prepared.markets.iter().map(|(_, e)| e.rest.clone()).collect();
        let helpers = Helpers::start(&rests, &prepared.tls, cores)?;
        let followed = |(client, endpoints)| Followed {
            client,
            endpoints,
            endings: BTreeMap::new(),
            pongs: 0,
            bytes: 0,
            unresolved: Vec::new(),
        };
        let book_source = |i: &crate::domain::Instrument| SourceInfo {
            name: format!("{} {} book of {}", i.venue, i.market, i.symbol),
            venue: i.venue.clone(),
            market: i.market,
            symbol: Some(i.symbol.clone()),
        };
        Ok(Self {
            decoding: Feed::new(&config.instruments, clock.clone()),
            tls: prepared.tls,
            settings: ConnectionSettings {
                message_bytes_max: config.venue.message_bytes_max,
                busy_poll_us: config.venue.busy_poll_us,
                kernel_stamps,
            },
            markets: prepared.markets.into_iter().map(followed).collect(),
            sockets: Sockets::new()?,
            helpers,
            book_sources: config.instruments.all().iter().map(book_source).collect(),
            requests: Vec::with_capacity(1_024),
            clock,
            additions: None,
            contradictions: None,
            bar_news: None,
            instruments: config.instruments.clone(),
            wait,
            read_latency: StageHistogram::new("socket", "socket readable to bytes read"),
            tls_latency: StageHistogram::new("tls", "bytes read to the first record decrypted"),
            begun: Instant::now(),
            outcome: LiveOutcome::default(),
            hopeless: None,
        })
    }

    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The decoding feed, what happened, and the latencies before decoding.
    pub fn into_parts(mut self) -> (Feed, LiveOutcome, [StageHistogram; 2]) {
        for at in 0..self.sockets.all.len() {
            self.forget(at);
        }
        self.outcome.markets = self.markets.iter().map(Followed::outcome).collect();
        (self.decoding, self.outcome, [self.read_latency, self.tls_latency])
    }

    /// Runs until the end is asked for or the pipeline fails.
    pub fn run(&mut self, sink: &mut impl Sink, options: &mut Loop) -> Ended {
        let mut events = mio::Events::with_capacity(256);
        let mut empty_rounds = 0u32;
        let mut shown = Instant::now();
        let end = options.duration.map(|duration| self.begun + duration);
        loop {
            let may_wait = self.wait == Wait::Backoff && empty_rounds > EMPTY_ROUNDS;
            let timeout = if may_wait { POLL_WAIT } else { Duration::ZERO };
            if let Err(error) = self.sockets.poll.poll(&mut events, Some(timeout))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                sink.feed_failed(format!("waiting for sockets: {error}"));
                return Ended::Failed;
            }
            let readable = self.clock.raw();
            let now = wall_clock();
            for event in &events {
                if let Some(Some(socket)) = self.sockets.all.get_mut(event.token().0) {
                    socket.connection.set_readable(event.is_read_closed() || event.is_error());
                }
            }
            match self.round(now, readable, !events.is_empty(), sink) {
                Err(Stopped) => return Ended::Failed,
                Ok(true) => empty_rounds = 0,
                Ok(false) => {
                    empty_rounds = empty_rounds.saturating_add(1);
                    match self.wait {
                        Wait::Spin => std::hint::spin_loop(),
                        Wait::Yield => std::thread::yield_now(),
                        Wait::Backoff => {}
                    }
                }
            }
            if let Some((market, error)) = self.hopeless.take() {
                return Ended::Hopeless { market, error };
            }
            if sink.is_stopped() {
                return Ended::Failed;
            }
            if options.interrupt.is_raised() || end.is_some_and(|end| Instant::now() >= end) {
                return Ended::Asked;
            }
            if shown.elapsed() >= PROGRESS_EVERY {
                shown = Instant::now();
                if let Some(mut health) = options.health.as_ref().and_then(|health| health.try_lock().ok()) {
                    health.update(self.markets.iter().map(|followed| &followed.client), now);
                }
                if let Some(progress) = &mut options.progress {
                    progress(&self.status(sink));
                }
            }
        }
    }

    /// One round; says whether there was anything to do.
    fn round(
        &mut self,
        now: Time,
        readable: u64,
        events: bool,
        sink: &mut impl Sink,
    ) -> Result<bool, Stopped> {
        let mut worked = events;
        for at in 0..self.sockets.all.len() {
            worked |= self.drive(at, now, readable, events, sink)?;
        }
        while let Some(found) = self.helpers.found() {
            worked = true;
            self.take(found, now, sink)?;
        }
        while let Some(instrument) = self.additions.as_ref().and_then(|more| more.try_recv().ok()) {
            worked = true;
            self.add(&instrument, now);
        }
        while let Some(told) = self.contradictions.as_ref().and_then(|more| more.try_recv().ok()) {
            for market in 0..self.markets.len() {
                self.markets[market].client.contradicted(told, now, &mut self.requests);
                self.carry_out(market, now, sink)?;
            }
        }
        while let Some(news) = self.bar_news.as_ref().and_then(|more| more.try_recv().ok()) {
            self.markets.iter_mut().for_each(|followed| match news {
                BarNews::Missed(missed) => followed.client.missed_bar(missed, now),
                BarNews::First(instrument) => followed.client.first_bar(instrument),
            });
        }
        for market in 0..self.markets.len() {
            if now >= self.markets[market].client.next_deadline() {
                self.markets[market].client.poll(now, &mut self.requests);
                self.carry_out(market, now, sink)?;
            }
        }
        let round = sink.round(now, readable)?;
        worked |= round.worked;
        self.outcome.clock_events += u64::from(round.ticked);
        Ok(worked)
    }

    /// Asks the venues for bars: of before the run, and those that the stages tell they have missed.
    pub fn fetch_bars(&mut self, wanted: BarsWanted, now: Time) {
        let BarsWanted { seconds, past, news } = wanted;
        for followed in &mut self.markets {
            let bars_max = followed.client.fetch_bars(seconds, past.clone(), now);
            let market = followed.client.market();
            let of_it = self.instruments.all().iter().filter(|of| of.market == market);
            let most =
                of_it.filter_map(|of| past.get(of.id.index())).max().map_or(0, |bars| u64::from(*bars));
            match bars_max {
                None if most > 0 => log::info!(
                    "{market} has no bars of {seconds} s to ask for: they begin with this run's trades"
                ),
                Some(bars_max) if most > bars_max => log::warn!(
                    "of before the start {bars_max} bars of {seconds} s are asked for, not {most}: {market} tells no more at once"
                ),
                _ => {}
            }
        }
        self.bar_news = Some(news);
    }

    /// Follows an instrument that stood by.
    #[cold]
    fn add(&mut self, instrument: &Instrument, now: Time) {
        for followed in &mut self.markets {
            if followed.client.add(instrument, now) {
                log::warn!("{} is followed from now on", instrument.name());
            }
        }
    }

    /// Reads one socket and publishes what is new.
    #[inline]
    fn drive(
        &mut self,
        at: usize,
        now: Time,
        readable: u64,
        events: bool,
        sink: &mut impl Sink,
    ) -> Result<bool, Stopped> {
        let Some(Some(socket)) = self.sockets.all.get_mut(at) else { return Ok(false) };
        if !(socket.connection.wants_drive() || events && socket.connection.wants_write()) {
            return Ok(false);
        }
        let market = socket.market;
        let client = &mut self.markets[market].client;
        let mut outcome = socket.connection.receive();
        if matches!(outcome, Ok(n) if n > 0) {
            let read = self.clock.raw();
            outcome = socket.connection.digest().and(outcome);
            let done = self.clock.raw();
            if socket.open {
                self.read_latency.record(self.clock.nanos(readable, read));
                self.tls_latency.record(self.clock.nanos(read, done));
            }
        } else if outcome.is_ok() {
            outcome = socket.connection.digest().and(outcome);
        }
        if !socket.open && socket.connection.phase() == Phase::Open {
            socket.open = true;
            client.opened(socket.id, now, &mut self.requests);
        }
        let came = socket.connection.stamp_ns().map_or(now, Time);
        let failed = loop {
            let Socket { connection, source, id, frames, .. } = socket;
            match connection.next_message() {
                Ok(Some(Incoming::Text(bytes) | Incoming::Binary(bytes))) => {
                    *frames += 1;
                    match self.decoding.decode(source, bytes, *frames) {
                        Ok(message) => {
                            let verdict = client.admit(*id, &message.decoded, now);
                            // What is early comes again, over another connection.
                            if !matches!(verdict, Verdict::Duplicate | Verdict::Early) {
                                sink.frame(SourceId(market as u16), came, bytes);
                            }
                            if verdict == Verdict::Publish {
                                sink.publish(&mut self.decoding, &message, now, readable)?;
                            }
                        }
                        // Answers to our own requests are no market data; what could not be read may well be.
                        Err(_) if client.control(*id, bytes, now, &mut self.requests) => {}
                        Err(untold) => {
                            sink.frame(SourceId(market as u16), came, bytes);
                            if let Untold::Unread(error) = untold {
                                let of = self.decoding.unread(source, bytes);
                                // At once: what comes behind it is not to be traded on with it missing.
                                let stamp = self.clock.raw();
                                match client.unread(*id, of, error, now) {
                                    Some(Loss::Market(instrument)) => {
                                        sink.interrupted(instrument, now, stamp)?
                                    }
                                    Some(Loss::Trade(unread)) => sink.trade_unread(&unread, now, stamp)?,
                                    None => {}
                                }
                            }
                        }
                    }
                }
                Ok(Some(Incoming::Ping | Incoming::Pong)) => client.heard(*id, now),
                Ok(None) => break outcome.err(),
                Err(error) => break Some(error),
            }
        };
        if self.outcome.first_event_after.is_none() && sink.progress().0 > 0 && self.decoding.counts.lines > 0
        {
            self.outcome.first_event_after = Some(self.begun.elapsed());
        }
        if let Some(error) = failed {
            self.lost(at, error, now);
        }
        self.carry_out(market, now, sink)?;
        Ok(true)
    }

    /// A connection is over: count how, and tell the state machine.
    pub(super) fn lost(&mut self, at: usize, error: ConnectionError, now: Time) {
        let Some((market, id)) = self.forget(at) else { return };
        self.failed(market, id, error, now);
    }

    pub(super) fn failed(&mut self, market: usize, id: ConnectionId, error: ConnectionError, now: Time) {
        self.ended(market, id, &error);
        if let ConnectionError::HttpStatus { status: status @ (403 | 418 | 429), retry_after_s } = error {
            // One address of ours asks for every market.
            let retry = retry_after_s.map_or(Retry::Unsaid, |s| Retry::After(s.max(1)));
            let refusal = TooMuch { status, code: None, retry };
            log::error!("no connection to the venue's streams is tried before {}", refusal.until(now));
            self.markets.iter_mut().for_each(|followed| followed.client.refused(refusal, now));
        }
        let followed = &mut self.markets[market];
        followed.client.closed(id, now, &mut self.requests);
        if matches!(error, ConnectionError::Certificate(_)) && followed.client.counts.opened == 0 {
            self.hopeless.get_or_insert((followed.client.market(), error));
        }
    }

    /// Tells and counts how a connection ended.
    pub(super) fn ended(&mut self, market: usize, id: ConnectionId, error: &ConnectionError) {
        let followed = &mut self.markets[market];
        let (host, port) = (&followed.endpoints.stream.host, followed.endpoints.stream.port);
        log::warn!("{} connection {} to {host}:{port}: {error}", followed.client.market(), id.number);
        *followed.endings.entry(error.label()).or_default() += 1;
    }

    /// Drops a connection and adds up what it counted.
    pub(super) fn forget(&mut self, at: usize) -> Option<(usize, ConnectionId)> {
        let socket = self.sockets.remove(at)?;
        let followed = &mut self.markets[socket.market];
        followed.pongs += socket.connection.pongs();
        followed.bytes += socket.connection.bytes_read();
        Some((socket.market, socket.id))
    }

    /// Where messages come from: a source for the streams of each market followed, then one for each instrument's book.
    pub fn sources(&self) -> Vec<SourceInfo> {
        let streams = |followed: &Followed| SourceInfo {
            name: format!("binance {} streams", followed.client.market()),
            venue: "binance".into(),
            market: followed.client.market(),
            symbol: None,
        };
        self.markets.iter().map(streams).chain(self.book_sources.iter().cloned()).collect()
    }

    fn status(&self, sink: &impl Sink) -> LiveStatus {
        let (seq, time) = sink.progress();
        let mut status =
            LiveStatus { frames: self.decoding.counts.lines, seq, time, ..LiveStatus::default() };
        status.handled = sink.handled();
        status.decode_errors = self.decoding.counts.decode_errors;
        for followed in &self.markets {
            let (synced, books) = followed.client.books_synced();
            status.connections_live += followed.client.live_connections();
            status.connections += followed.client.lines();
            status.books_synced += synced;
            status.books += books;
            status.books_aside += followed.client.books_aside();
        }
        status
    }
}

impl Followed {
    fn outcome(&self) -> MarketOutcome {
        let (synced, books) = self.client.books_synced();
        MarketOutcome {
            market: self.client.market(),
            connections: (self.client.lines(), self.client.live_connections()),
            books: (books, synced),
            books_aside: self.client.books_aside(),
            counts: self.client.counts,
            endings: self.endings.clone(),
            pongs: self.pongs,
            bytes: self.bytes,
        }
    }
}
