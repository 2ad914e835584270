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
}

/// The stream that a frame names, if it is one of an instrument of the table. What is no frame of a stream (an answer to a
/// request, a book by REST) names none.
pub(super) fn unread(table: &InstrumentTable, market: Market, frame: &[u8]) -> Option<Unread> {
    let head = &frame[..frame.len().min(HEAD_BYTES)];
    let (symbol, kind) = by_stream(head).or_else(|| by_event(head))?;
    Some(Unread { instrument: table.find(market, symbol)?, kind })
}

/// By the name of a combined stream.
fn by_stream(head: &[u8]) -> Option<(&[u8], StreamKind)> {
    let name = text_behind(head, b"stream\":\"")?;
    let at = memchr::memchr(b'@', name)?;
    let kind = match &name[at + 1..] {
        b"bookTicker" => StreamKind::Quotes,
        b"trade" | b"aggTrade" => StreamKind::Trades,
        kind if kind.starts_with(b"kline_") => StreamKind::Klines,
        kind => match kind.strip_prefix(b"depth")?.first() {
            Some(levels) if levels.is_ascii_digit() => StreamKind::Partial,
            _ => StreamKind::Diffs,
        },
    };
    Some((&name[..at], kind))
}

/// By the event and its symbol, where streams are raw or the name is what is broken.
fn by_event(head: &[u8]) -> Option<(&[u8], StreamKind)> {
    let kind = match text_behind(head, b"\"e\":\"")? {
        b"depthUpdate" => StreamKind::Diffs,
        b"bookTicker" => StreamKind::Quotes,
        b"trade" | b"aggTrade" => StreamKind::Trades,
        b"kline" => StreamKind::Klines,
        _ => return None,
    };
    Some((text_behind(head, b"\"s\":\"")?, kind))
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
        let of = |frame: &str| unread(&table, Market::Spot, frame.as_bytes()).map(|unread| unread.kind);
        for (frame, kind) in [
            (r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","b":[["1.23"#, StreamKind::Diffs),
            (r#"{"stream":"btcusdt@depth","data":"#, StreamKind::Diffs),
            (r#"{"stream":"btcusdt@depth20@100ms","data":"#, StreamKind::Partial),
            (r#"{"stream":"btcusdt@bookTicker","data":{"u":1"#, StreamKind::Quotes),
            (r#"{"data":{"e":"aggTrade"},"stream":"btcusdt@aggTrade"}"#, StreamKind::Trades),
            (r#"{"stream":"btcusdt@kline_1m","data":{"#, StreamKind::Klines),
            (r#"am":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","p":"1"#, StreamKind::Trades),
            (r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1"#, StreamKind::Diffs),
        ] {
            assert_eq!(of(frame), Some(kind), "{frame}");
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
