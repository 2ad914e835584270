//! Helpers of the live feed: threads that may wait for a name, a book or bars, so that the feed never does.

use crate::domain::event::Kline;
use crate::domain::{Instrument, InstrumentId};
use crate::net::http::{HttpClient, HttpError};
use crate::net::{Endpoint, TlsClient, said};
use crate::run::affinity::keep_to;
use crate::venue::binance::streams::{BarsAsked, ConnectionId, FetchFailure};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A book of 5,000 levels a side has some 400 kB.
const BODY_BYTES_MAX: u64 = 8 << 20;
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The venue's code for a book without orders.
const NO_ORDERS: &str = "-1112";
/// Requests that wait for a helper; the state machine asks for one book at a time.
const WAITING_MAX: usize = 1_024;

/// What a helper found.
#[derive(Debug)]
pub(super) enum Found {
    /// Addresses of a connection's host, in the resolver's order; none where it has none.
    Addresses { market: usize, connection: ConnectionId, addresses: Vec<SocketAddr>, problem: String },
    /// A book, as the venue sent it.
    Book { market: usize, instrument: InstrumentId, body: Vec<u8>, used_weight: Option<u64> },
    /// Bars, oldest first.
    Bars { market: usize, instrument: InstrumentId, bars: Vec<Kline>, used_weight: Option<u64> },
    /// No book, or no bars.
    Failed { market: usize, wanted: Wanted, failure: FetchFailure, problem: String },
}

/// What is fetched by REST.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A book.
    Book(InstrumentId),
    /// Bars; they are read where they come, since they are many.
    Bars(Box<Instrument>, BarsAsked),
}

/// The helpers' end that the feed holds. Dropping it ends them, each after the request it is at.
pub(super) struct Helpers {
    fetches: Vec<Sender<(Wanted, String)>>,
    names: Sender<(usize, ConnectionId, Endpoint)>,
    found: Receiver<Found>,
}

impl Helpers {
    /// Starts a helper for names, and one for the books and bars of each of `rests`; they keep to `cores`, where there are any.
    pub fn start(rests: &[Endpoint], tls: &TlsClient, cores: &[usize]) -> std::io::Result<Self> {
        let (found_out, found) = unbounded();
        let (names, names_in) = bounded::<(usize, ConnectionId, Endpoint)>(WAITING_MAX);
        let (out, keep) = (found_out.clone(), cores.to_vec());
        std::thread::Builder::new().name("at-resolve".into()).spawn(move || {
            keep_to(&keep);
            for (market, connection, endpoint) in names_in {
                let resolved = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
                let (addresses, problem) = match resolved {
                    Ok(addresses) => (addresses.collect(), "it has no address".to_owned()),
                    Err(error) => (Vec::new(), error.to_string()),
                };
                if out.send(Found::Addresses { market, connection, addresses, problem }).is_err() {
                    break;
                }
            }
        })?;
        let mut fetches = Vec::new();
        for (market, rest) in rests.iter().enumerate() {
            let (sender, wanted) = bounded::<(Wanted, String)>(WAITING_MAX);
            let (out, rest, keep) = (found_out.clone(), rest.clone(), cores.to_vec());
            let client = HttpClient::new(tls, FETCH_TIMEOUT, BODY_BYTES_MAX);
            std::thread::Builder::new().name(format!("at-fetch-{market}")).spawn(move || {
                keep_to(&keep);
                for (wanted, path) in wanted {
                    if out.send(fetch(&client, &rest, market, wanted, &path)).is_err() {
                        break;
                    }
                }
            })?;
            fetches.push(sender);
        }
        Ok(Self { fetches, names, found })
    }

    /// Asks for a book or bars. A helper that is gone shows as a fetch that never ends, which the watchdogs notice.
    pub fn fetch(&self, market: usize, wanted: Wanted, path: String) {
        let _ = self.fetches[market].try_send((wanted, path));
    }

    /// Asks for the addresses of a connection's host; an address needs no asking.
    pub fn resolve(
        &self,
        market: usize,
        connection: ConnectionId,
        endpoint: &Endpoint,
    ) -> Option<Vec<SocketAddr>> {
        if let Ok(address) = endpoint.host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(address, endpoint.port)]);
        }
        let _ = self.names.try_send((market, connection, endpoint.clone()));
        None
    }

    /// What was found since, one at a time.
    #[inline]
    pub fn found(&self) -> Option<Found> {
        self.found.try_recv().ok()
    }
}

fn fetch(client: &HttpClient, rest: &Endpoint, market: usize, wanted: Wanted, path: &str) -> Found {
    let failed =
        |failure, problem: String| Found::Failed { market, wanted: wanted.clone(), failure, problem };
    match client.get(rest, path) {
        Ok(answer) if answer.status == 200 => {
            let (body, used_weight) = (answer.body, answer.used_weight);
            match &wanted {
                Wanted::Book(instrument) => {
                    Found::Book { market, instrument: *instrument, body, used_weight }
                }
                Wanted::Bars(of, asked) => match asked.klines.read(of, &body, asked.from, asked.until) {
                    Ok(bars) => Found::Bars { market, instrument: of.id, bars, used_weight },
                    Err(error) => {
                        failed(FetchFailure::Unreadable(error), format!("they cannot be read: {error}"))
                    }
                },
            }
        }
        Ok(answer) => {
            let text = said(&answer.body, 200);
            let problem = format!("HTTP {}: {text}", answer.status);
            let failure = match answer.status {
                status @ (403 | 418 | 429) => {
                    FetchFailure::RateLimited { status, retry_after_s: answer.retry_after_s }
                }
                // No orders on the book: there may be some later.
                400 if text.contains(NO_ORDERS) => FetchFailure::Transient,
                408 => FetchFailure::Transient,
                status @ 400..=499 => FetchFailure::Refused(status),
                _ => FetchFailure::Transient,
            };
            failed(failure, problem)
        }
        Err(error @ HttpError::Certificate(_)) => failed(FetchFailure::Untrusted, error.to_string()),
        Err(error) => failed(FetchFailure::Transient, error.to_string()),
    }
}
