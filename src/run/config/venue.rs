//! `[venue]`: how the venue is connected to, for live data.

use super::check::Checks;
use super::raw::{Given, RawEndpoints, RawSpotEndpoints, RawVenue};
use crate::domain::Market;
use crate::net::{Endpoint, TlsSettings};
use crate::venue::binance::streams::{STREAMS, StreamName, snapshot_weight};
use std::time::Duration;

/// The checked section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueConfig {
    /// Streams of every instrument, where its market has them.
    pub streams: Vec<StreamName>,
    /// Connections that carry the same streams, 1 to 4.
    pub redundancy: usize,
    /// Streams on one connection, 1 to 1,024.
    pub streams_per_connection_max: usize,
    /// An attempt that takes longer is given up.
    pub open_timeout: Duration,
    /// A connection over which nothing came for so long, no ping and no answer to one of ours, is closed and opened anew.
    pub silence: Duration,
    /// A book without a diff for so long is compared with the venue's.
    pub stream_silence: Duration,
    /// A connection this old is replaced.
    pub lifetime: Duration,
    /// How long both are open when one connection replaces another.
    pub overlap: Duration,
    /// The first and the longest pause between attempts.
    pub reconnect: (Duration, Duration),
    /// Levels a side of a fetched book.
    pub snapshot_levels: u32,
    /// The largest message taken, bytes.
    pub message_bytes_max: u64,
    /// `SO_BUSY_POLL`, µs; 0: off.
    pub busy_poll_us: u32,
    /// Whose certificates are good.
    pub tls: TlsSettings,
    /// Spot's WebSocket API, to which orders go.
    pub ws_api: Endpoint,
    endpoints: [EndpointConfig; 3],
}

/// Where one market is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Its streams.
    pub stream: Endpoint,
    /// Its REST interface.
    pub rest: Endpoint,
    /// REST weight that may be used in a minute.
    pub weight_per_minute: u32,
}

/// Streams, REST and weight of each market, where nothing else is given.
const PUBLIC: [(&str, &str, u32); 3] = [
    ("wss://stream.binance.com:9443", "https://api.binance.com", 4_800),
    ("wss://fstream.binance.com", "https://fapi.binance.com", 1_920),
    ("wss://dstream.binance.com", "https://dapi.binance.com", 1_920),
];

/// Where spot orders go by WebSocket.
const PUBLIC_WS_API: &str = "wss://ws-api.binance.com/ws-api/v3";

const STREAMS_DEFAULT: [&str; 3] = ["trade", "bookTicker", "depth@100ms"];

impl VenueConfig {
    /// Whether aggregate trades are all the trades that are streamed. Where both are, single ones count and the same
    /// again in an aggregate does not.
    #[must_use]
    pub fn aggregates_alone(&self) -> bool {
        let has = |name: &str| self.streams.iter().any(|stream| stream.name == name);
        has("aggTrade") && !has("trade")
    }

    /// Where `market` is.
    #[must_use]
    pub fn endpoints(&self, market: Market) -> &EndpointConfig {
        &self.endpoints[market as usize]
    }

    /// Sends the connections of `market` elsewhere, as tests do.
    pub fn set_endpoints(&mut self, market: Market, stream: Endpoint, rest: Endpoint) {
        let endpoints = &mut self.endpoints[market as usize];
        (endpoints.stream, endpoints.rest) = (stream, rest);
    }

    pub(super) fn check(raw: &RawVenue, checks: &mut Checks<'_>) -> Self {
        let mut millis = |given: &Given<i64>, range: std::ops::RangeInclusive<u64>, default: u64| {
            Duration::from_millis(checks.integer(given, range, default))
        };
        let open_timeout = millis(&raw.open_timeout_ms, 100..=60_000, 10_000);
        let silence = millis(&raw.silence_ms, 100..=3_600_000, 45_000);
        let stream_silence = millis(&raw.stream_silence_ms, 100..=3_600_000, 60_000);
        let overlap = millis(&raw.overlap_ms, 100..=60_000, 2_000);
        let first = millis(&raw.reconnect_min_ms, 10..=60_000, 200);
        let longest = millis(&raw.reconnect_max_ms, 10..=600_000, 30_000);
        // Of two pauses given, the longest must be the longer; one given alone moves the other.
        let reconnect = match (&raw.reconnect_min_ms, &raw.reconnect_max_ms) {
            (Some(_), Some(given)) => {
                if longest < first {
                    checks.refuse(&given.span(), "must not be shorter than reconnect_min_ms");
                }
                (first, longest)
            }
            (Some(_), None) => (first, longest.max(first)),
            (None, _) => (first.min(longest), longest),
        };
        let [spot, usdm, coinm] = PUBLIC;
        let snapshot_levels = checks.integer(&raw.snapshot_levels, 5..=5_000, 1_000);
        let mut endpoints = |raw: &RawEndpoints, public, market| {
            EndpointConfig::check(raw, public, (market, snapshot_levels), checks)
        };
        let endpoints = [
            endpoints(&raw.spot.market_data(), spot, Market::Spot),
            endpoints(&raw.usdm, usdm, Market::UsdM),
            endpoints(&raw.coinm, coinm, Market::CoinM),
        ];
        Self {
            streams: streams(raw, checks),
            redundancy: checks.integer(&raw.redundancy, 1..=4, 1),
            streams_per_connection_max: checks.integer(&raw.streams_per_connection_max, 1..=1_024, 1_024),
            open_timeout,
            silence,
            stream_silence,
            lifetime: Duration::from_secs(checks.integer(&raw.lifetime_s, 2..=86_400, 82_800)),
            overlap,
            reconnect,
            snapshot_levels,
            message_bytes_max: checks.integer(&raw.message_bytes_max, 65_536..=268_435_456, 16_777_216),
            busy_poll_us: checks.integer(&raw.busy_poll_us, 0..=1_000, 0),
            tls: TlsSettings {
                ca_file: raw.ca_file.as_ref().filter(|path| !path.is_empty()).map(Into::into),
                accept_any_certificate: raw.accept_any_certificate.unwrap_or(false),
            },
            ws_api: endpoint(&raw.spot.ws_api, "wss", PUBLIC_WS_API, checks),
            endpoints,
        }
    }
}

impl RawSpotEndpoints {
    /// What spot has in common with the other markets.
    fn market_data(&self) -> RawEndpoints {
        let Self { stream, rest, weight_per_minute, .. } = self.clone();
        RawEndpoints { stream, rest, weight_per_minute }
    }
}

impl EndpointConfig {
    fn check(
        raw: &RawEndpoints,
        (stream, rest, weight): (&str, &str, u32),
        (market, levels): (Market, u32),
        checks: &mut Checks<'_>,
    ) -> Self {
        let weight_per_minute = checks.integer(&raw.weight_per_minute, 50..=1_000_000, weight);
        // With less no book would ever be fetched.
        let one = snapshot_weight(market, levels);
        if let Some(given) = &raw.weight_per_minute
            && weight_per_minute < one
        {
            let what = format!(
                "must be at least {one}, which one book of snapshot_levels = {levels} costs: raise it, or ask for fewer levels"
            );
            checks.refuse(&given.span(), what);
        }
        Self {
            stream: endpoint(&raw.stream, "wss", stream, checks),
            rest: endpoint(&raw.rest, "https", rest, checks),
            weight_per_minute,
        }
    }
}

fn endpoint(given: &Given<String>, scheme: &'static str, default: &str, checks: &mut Checks<'_>) -> Endpoint {
    let text = given.as_ref().map_or(default, |given| given.get_ref());
    Endpoint::parse(text, scheme).unwrap_or_else(|error| {
        if let Some(given) = given {
            checks.refuse(&given.span(), error.to_string());
        }
        // The report above ends the check; anything well-formed does until then.
        Endpoint { scheme, host: "localhost".into(), port: 443, base: String::new() }
    })
}

fn streams(raw: &RawVenue, checks: &mut Checks<'_>) -> Vec<StreamName> {
    let known: Vec<(&str, StreamName)> = STREAMS.iter().map(|s| (s.name, *s)).collect();
    let Some(given) = &raw.streams else {
        return STREAMS.iter().filter(|s| STREAMS_DEFAULT.contains(&s.name)).copied().collect();
    };
    if given.get_ref().is_empty() {
        checks.refuse(&given.span(), "must name at least one stream");
    }
    let mut streams: Vec<StreamName> = Vec::new();
    for name in given.get_ref() {
        let Some(stream) = checks.choose(name, &known) else { continue };
        if streams.contains(&stream) {
            checks.refuse(&name.span(), "is given twice");
        }
        // Two depth streams of one book would contradict each other's sequence.
        if stream.name.starts_with("depth") && streams.iter().any(|s| s.kind == stream.kind) {
            checks.refuse(&name.span(), "is a second stream of its kind: choose one pace");
        }
        streams.push(stream);
    }
    streams
}
