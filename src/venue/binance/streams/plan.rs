//! Which streams there are, and how they are spread over connections.

use crate::domain::{Instrument, InstrumentId, Market};

/// Streams that one connection may carry.
pub const STREAMS_PER_CONNECTION_MAX: usize = 1_024;
/// A longer request line is not sent; the streams are subscribed to by messages then.
const TARGET_BYTES_MAX: usize = 4_096;
/// Streams in one `SUBSCRIBE`.
const STREAMS_PER_MESSAGE: usize = 200;

/// What a stream carries, as far as telling new from old goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// Trades, single or aggregate.
    Trades,
    /// Best bid and ask.
    Quotes,
    /// Depth diffs: a book is kept.
    Diffs,
    /// The best few levels, whole.
    Partial,
    /// The venue's bars.
    Klines,
}

impl StreamKind {
    /// What it carries, in words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "best bid and ask",
            Self::Diffs => "depth",
            Self::Partial => "partial depth",
            Self::Klines => "bars",
        }
    }
}

/// The way to a stream, which USD-M's addresses name since 2026: [Binance's notice][notice]. What is asked for by another way
/// is acknowledged, and never comes.
///
/// [notice]: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Important-WebSocket-Change-Notice
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The only one there is: spot's and COIN-M's.
    Root,
    /// Books, quotes and trades.
    Public,
    /// Aggregate trades and klines.
    Market,
}

impl Route {
    /// Those of a market, the one with its books first.
    const fn of(market: Market) -> &'static [Self] {
        match market {
            Market::UsdM => &[Self::Public, Self::Market],
            Market::Spot | Market::CoinM => &[Self::Root],
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Public => "/public",
            Self::Market => "/market",
        }
    }

    fn leads_to(self, stream: &StreamName) -> bool {
        let market = stream.kind == StreamKind::Klines || stream.name == "aggTrade";
        match self {
            Self::Root => true,
            Self::Public => !market,
            Self::Market => market,
        }
    }
}

/// A stream as configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamName {
    /// What follows the symbol and the `@`.
    pub name: &'static str,
    /// What it carries.
    pub kind: StreamKind,
    /// Markets that have it.
    pub markets: &'static [Market],
}

const ALL: &[Market] = &Market::ALL;
const SPOT: &[Market] = &[Market::Spot];
const FUTURES: &[Market] = &[Market::UsdM, Market::CoinM];

const fn stream(name: &'static str, kind: StreamKind, markets: &'static [Market]) -> StreamName {
    StreamName { name, kind, markets }
}

/// Every stream that can be subscribed to.
pub const STREAMS: &[StreamName] = &[
    stream("trade", StreamKind::Trades, ALL),
    stream("aggTrade", StreamKind::Trades, ALL),
    stream("bookTicker", StreamKind::Quotes, ALL),
    stream("depth", StreamKind::Diffs, ALL),
    stream("depth@100ms", StreamKind::Diffs, ALL),
    stream("depth@500ms", StreamKind::Diffs, FUTURES),
    stream("depth@0ms", StreamKind::Diffs, FUTURES),
    stream("depth5@100ms", StreamKind::Partial, ALL),
    stream("depth10@100ms", StreamKind::Partial, ALL),
    stream("depth20@100ms", StreamKind::Partial, ALL),
    stream("kline_1s", StreamKind::Klines, SPOT),
    stream("kline_1m", StreamKind::Klines, ALL),
    stream("kline_5m", StreamKind::Klines, ALL),
    stream("kline_15m", StreamKind::Klines, ALL),
    stream("kline_1h", StreamKind::Klines, ALL),
    stream("kline_1d", StreamKind::Klines, ALL),
];

/// The streams of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The way to them.
    pub route: Route,
    /// Whose streams.
    pub instruments: Vec<InstrumentId>,
    /// Their names, whole.
    pub streams: Vec<String>,
}

impl Group {
    /// What the upgrade asks for, and the lists of streams that have to be subscribed to once it is open.
    pub fn subscription(&self) -> (String, Vec<Vec<String>>) {
        let route = self.route.path();
        let target = format!("{route}/stream?streams={}", self.streams.join("/"));
        if target.len() <= TARGET_BYTES_MAX {
            return (target, Vec::new());
        }
        let lists = self.streams.chunks(STREAMS_PER_MESSAGE).map(<[String]>::to_vec);
        (format!("{route}/stream"), lists.collect())
    }
}

/// Spreads the streams of `instruments`, all of one market, over connections of at most `max` streams each. All streams of an
/// instrument that have one [way](Route) go over one connection, so that its loss is one thing; the way with its book comes
/// first.
pub fn plan(instruments: &[Instrument], streams: &[StreamName], max: usize) -> Vec<Group> {
    let Some(market) = instruments.first().map(|i| i.market) else { return Vec::new() };
    let along = |route: &Route| {
        let streams = streams.iter().filter(|s| s.markets.contains(&market) && route.leads_to(s));
        along(*route, instruments, &streams.collect::<Vec<_>>(), max)
    };
    Route::of(market).iter().flat_map(along).collect()
}

/// The same along one way.
fn along(route: Route, instruments: &[Instrument], streams: &[&StreamName], max: usize) -> Vec<Group> {
    if streams.is_empty() {
        return Vec::new();
    }
    let per_connection = (max.min(STREAMS_PER_CONNECTION_MAX) / streams.len()).max(1);
    let group = |instruments: &[Instrument]| {
        let names = |i: &Instrument| {
            let symbol = i.symbol.to_lowercase();
            streams.iter().map(|s| format!("{symbol}@{}", s.name)).collect::<Vec<_>>()
        };
        Group {
            route,
            instruments: instruments.iter().map(|i| i.id).collect(),
            streams: instruments.iter().flat_map(names).collect(),
        }
    };
    instruments.chunks(per_connection).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstrumentTable;
    use crate::domain::instrument::tests::sample;

    fn instruments(n: usize) -> Vec<Instrument> {
        let all = (0..n).map(|i| sample(Market::Spot, &format!("S{i}USDT"))).collect();
        InstrumentTable::new(all).expect("distinct").all().to_vec()
    }

    #[test]
    fn every_stream_is_on_one_connection_and_none_carries_too_many() {
        for (n, max) in [(1, 1_024), (3, 2), (300, 1_024), (300, 200), (1_000, 5_000)] {
            let all = instruments(n);
            let groups = plan(&all, &STREAMS[..4], max);
            let names: Vec<_> = groups.iter().flat_map(|g| g.streams.clone()).collect();
            let mut distinct = names.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!((names.len(), distinct.len()), (n * 4, n * 4));
            assert!(groups.iter().all(|g| g.streams.len() <= max.clamp(4, 1_024)));
        }
    }

    #[test]
    fn few_streams_are_asked_for_in_the_address_and_many_by_messages() {
        let few = &plan(&instruments(2), &STREAMS[..1], 100)[0];
        assert_eq!(few.subscription(), ("/stream?streams=s0usdt@trade/s1usdt@trade".to_owned(), vec![]));
        let many = &plan(&instruments(300), &STREAMS[..3], 1_024)[0];
        let (target, messages) = many.subscription();
        assert_eq!((target.as_str(), messages.len()), ("/stream", 5));
        assert_eq!((messages[0].len(), messages[4].len()), (200, 100));
        assert_eq!(messages[0][..2], ["s0usdt@trade", "s0usdt@aggTrade"]);
    }

    #[test]
    fn streams_of_usdm_go_by_the_ways_that_its_addresses_name() {
        let usdm = vec![sample(Market::UsdM, "BTCUSDT"), sample(Market::UsdM, "ETHUSDT")];
        let usdm = InstrumentTable::new(usdm).expect("distinct").all().to_vec();
        let targets = |names: &[&str], max| {
            let of = STREAMS.iter().filter(|s| names.contains(&s.name)).copied().collect::<Vec<_>>();
            plan(&usdm, &of, max).iter().map(|group| group.subscription().0).collect::<Vec<_>>()
        };
        assert_eq!(
            targets(&["aggTrade", "trade", "bookTicker", "depth@100ms", "kline_1m"], 100),
            [
                "/public/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms/ethusdt@trade/\
                 ethusdt@bookTicker/ethusdt@depth@100ms",
                "/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m/ethusdt@aggTrade/ethusdt@kline_1m",
            ]
        );
        assert_eq!(
            targets(&["aggTrade"], 1),
            ["/market/stream?streams=btcusdt@aggTrade", "/market/stream?streams=ethusdt@aggTrade"]
        );
        let coinm = vec![sample(Market::CoinM, "BTCUSD_PERP")];
        let coinm = InstrumentTable::new(coinm).expect("one").all().to_vec();
        let all = plan(&coinm, &STREAMS[..3], 100);
        assert_eq!((all.len(), all[0].route), (1, Route::Root));
    }

    #[test]
    fn a_market_gets_only_streams_that_it_has() {
        let depth0 = STREAMS.iter().find(|s| s.name == "depth@0ms").copied().expect("listed");
        assert!(plan(&instruments(1), &[depth0], 10).is_empty());
    }
}
