//! Whose a frame is that cannot be decoded: what it would have changed is missing from then on.
//!
//! Owns: the look for a stream's name where no JSON need be. Invariant: it reads the beginning of a frame alone, and
//! takes nothing of it for more than a name.

use super::streams::StreamKind;
use crate::domain::{InstrumentId, InstrumentTable, Market};

/// A name stands at the beginning: combined frames open with it, and in raw ones only short fields are before it.
const HEAD_BYTES: usize = 512;

/// The stream of a frame that could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// Whose.
    pub instrument: InstrumentId,
    /// What it carries.
    pub kind: StreamKind,
    /// Of trades, whether they are aggregate ones.
    pub aggregate: bool,
}

/// The stream that a frame names, if it is one of an instrument of the table. What is no frame of a stream (an answer to a
/// request, a book by REST) names none.
pub(super) fn unread(table: &InstrumentTable, market: Market, frame: &[u8]) -> Option<Unread> {
    let head = &frame[..frame.len().min(HEAD_BYTES)];
    let (symbol, (kind, aggregate)) = by_stream(head).or_else(|| by_event(head))?;
    Some(Unread { instrument: table.find(market, symbol)?, kind, aggregate })
}

/// What a stream carries, and whether that is aggregate trades.
type Carries = (StreamKind, bool);

const SINGLE: Carries = (StreamKind::Trades, false);
const AGGREGATE: Carries = (StreamKind::Trades, true);

/// By the name of a combined stream.
fn by_stream(head: &[u8]) -> Option<(&[u8], Carries)> {
    let name = text_behind(head, b"stream\":\"")?;
    let at = memchr::memchr(b'@', name)?;
    let carries = match &name[at + 1..] {
        b"bookTicker" => (StreamKind::Quotes, false),
        b"trade" => SINGLE,
        b"aggTrade" => AGGREGATE,
        kind if kind.starts_with(b"kline_") => (StreamKind::Klines, false),
        kind => match kind.strip_prefix(b"depth")?.first() {
            Some(levels) if levels.is_ascii_digit() => (StreamKind::Partial, false),
            _ => (StreamKind::Diffs, false),
        },
    };
    Some((&name[..at], carries))
}

/// By the event and its symbol, where streams are raw or the name is what is broken.
fn by_event(head: &[u8]) -> Option<(&[u8], Carries)> {
    let carries = match text_behind(head, b"\"e\":\"")? {
        b"depthUpdate" => (StreamKind::Diffs, false),
        b"bookTicker" => (StreamKind::Quotes, false),
        b"trade" => SINGLE,
        b"aggTrade" => AGGREGATE,
        b"kline" => (StreamKind::Klines, false),
        _ => return None,
    };
    Some((text_behind(head, b"\"s\":\"")?, carries))
}

fn text_behind<'f>(head: &'f [u8], before: &[u8]) -> Option<&'f [u8]> {
    let rest = &head[memchr::memmem::find(head, before)? + before.len()..];
    Some(&rest[..memchr::memchr(b'"', rest)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;

    #[test]
    fn a_broken_frame_is_of_the_stream_that_it_names_and_what_is_none_is_of_none() {
        let table = InstrumentTable::new(vec![sample(Market::Spot, "BTCUSDT")]).expect("one instrument");
        let of = |frame: &str| {
            let unread = unread(&table, Market::Spot, frame.as_bytes())?;
            Some((unread.kind, unread.aggregate))
        };
        let diffs = (StreamKind::Diffs, false);
        for (frame, carries) in [
            (r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":[["1.23"#, diffs),
            (r#"{"stream":"btcusdt@depth","data":"#, diffs),
            (r#"{"stream":"btcusdt@depth20@100ms","data":"#, (StreamKind::Partial, false)),
            (r#"{"stream":"btcusdt@bookTicker","data":{"u":1"#, (StreamKind::Quotes, false)),
            (r#"{"data":{"e":"aggTrade"},"stream":"btcusdt@aggTrade"}"#, AGGREGATE),
            (r#"{"stream":"btcusdt@trade","data":{"e":"tr"#, SINGLE),
            (r#"{"stream":"btcusdt@kline_1m","data":{"#, (StreamKind::Klines, false)),
            (r#"am":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"1"#, SINGLE),
            (r#"{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1"#, AGGREGATE),
            (r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1"#, diffs),
        ] {
            assert_eq!(of(frame), Some(carries), "{frame}");
        }
        for frame in [
            "",
            "{",
            r#"{"stream":"ethusdt@depth@100ms","data":{"#,
            r#"{"stream":"btcusdt","data":{"#,
            r#"{"stream":"btcusdt@miniTicker","data":{"#,
            r#"{"result":null,"id":1"#,
            r#"{"lastUpdateId":1,"bids":[["#,
        ] {
            assert_eq!(of(frame), None, "{frame}");
        }
    }
}
