//! A local venue over the wire: Binance's market streams and market data calls, with TLS, on loopback.
//!
//! Owns: listeners, connections, and one thread that serves them all. The market comes from the generator or from
//! recorded frames; this module never changes what is in a frame, unless a fault is asked for. Layers, outermost
//! first: `transport` (socket, TLS), `http` and `websocket` (framing), `session` and `rest` (the protocol),
//! `exchange` (the market as the frames tell it), `feed` (where frames come from). `server` is the loop that joins them.
//!
//! Invariants: frames of the origin reach each listener unchanged and in order, or the listener is cut; REST answers
//! from the same frames, so a snapshot and the stream agree; nothing a client does can make another one wait.

mod aggregates;
mod all_tickers;
mod bars;
mod book;
mod certificate;
mod commands;
mod connection;
mod control;
mod crowd;
mod deliver;
mod derived;
mod exchange;
mod exchange_info;
mod fault;
mod feed;
mod http;
mod hub;
mod interval;
mod klines;
mod listing;
mod options;
mod orders;
mod requests;
mod rest;
mod scan;
mod selection;
mod server;
mod session;
mod stats;
mod stream_name;
mod ticker_calls;
mod ticker_frames;
mod timers;
mod trade_calls;
mod transport;
mod websocket;
mod window;

pub use book::BookView;
pub use control::Control;
pub use fault::{Fault, StreamAction};
pub use options::{AtEnd, Limits, Liveness, Origin, Pace, ServeError, ServerOptions, Tls};
pub use stats::Stats;

use crate::domain::Market;
use control::Command;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

/// Where a market is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Which market.
    pub market: Market,
    /// The listener's address.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub secure: bool,
    /// `wss://127.0.0.1:PORT`; add `/ws/…` or `/stream?streams=…`.
    pub stream_url: String,
    /// `https://127.0.0.1:PORT`; add `/api/v3/…`, `/fapi/v1/…` or `/dapi/v1/…`.
    pub rest_url: String,
    /// `wss://127.0.0.1:PORT/ws-api/v3`, on spot.
    pub api_url: Option<String>,
}

/// Starts venues.
#[derive(Debug, Clone, Copy)]
pub struct Server;

impl Server {
    /// Begins to listen and to serve, on a thread of its own.
    ///
    /// # Errors
    /// [`ServeError`] where options do not fit, an address is taken, a file cannot be written, or the origin fails.
    pub fn start(options: ServerOptions) -> Result<Running, ServeError> {
        let mut prepared = server::Server::prepare(options)?;
        let warnings = prepared.take_warnings();
        let (endpoints, ca_pem, admin) = (prepared.endpoints(), prepared.ca_pem(), prepared.admin());
        let control = prepared.control();
        let thread = thread::Builder::new()
            .name("venue".into())
            .spawn(move || prepared.run())
            .map_err(|error| ServeError::Io { what: "cannot start the venue's thread".into(), error })?;
        Ok(Running { endpoints, ca_pem, admin, warnings, control, thread: Some(thread) })
    }
}

/// A venue that is being served; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    endpoints: Vec<Endpoint>,
    ca_pem: Option<String>,
    admin: Option<SocketAddr>,
    warnings: Vec<String>,
    control: Control,
    thread: Option<JoinHandle<Stats>>,
}

impl Running {
    /// Where a market is served; `None` where it is not.
    #[must_use]
    pub fn endpoint(&self, market: Market) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.market == market)
    }

    /// Every market's place.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The certificate authority to trust, PEM; `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Where the admin calls are served, if they are.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// What had to be guessed of instruments that nobody described, and in which no orders are taken, with the reason.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// A handle for faults and questions, which may be cloned and moved to other threads.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The best `levels` of each side as the server's own book has them now; `None` without such a book.
    #[must_use]
    pub fn book(&self, market: Market, symbol: &str, levels: usize) -> Option<BookView> {
        self.control.book(market, symbol, levels)
    }

    /// What was done so far; all zero where the server is gone.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.control.stats().unwrap_or_default()
    }

    /// Whether the server's thread still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends it: stream connections are closed with code 1001.
    ///
    /// # Errors
    /// [`ServeError::Died`] where its thread had panicked.
    pub fn stop(mut self) -> Result<Stats, ServeError> {
        self.end().unwrap_or_else(|| Ok(Stats::default()))
    }

    fn end(&mut self) -> Option<Result<Stats, ServeError>> {
        let thread = self.thread.take()?;
        // Refused only where the thread is gone; joining tells why.
        let _ = self.control.send(Command::Stop);
        Some(thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            ServeError::Died(text.unwrap_or_else(|| "no message".into()))
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `stop`.
        let _ = self.end();
    }
}
