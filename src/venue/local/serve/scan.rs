//! Fields of the venue's own frames, found by their key.
//!
//! Owns: just enough reading to keep the server's book, bars and trades. It shares nothing with the decoder of
//! `venue::binance`, so that one can be held against the other.

use memchr::memmem;

/// A frame of a combined stream, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Combined<'a> {
    pub name: &'a [u8],
    pub data: &'a [u8],
}

const PREFIX: &[u8] = br#"{"stream":""#;
const MIDDLE: &[u8] = br#"","data":"#;

/// Takes `{"stream":"…","data":…}` apart.
pub(super) fn combined(frame: &[u8]) -> Option<Combined<'_>> {
    let rest = frame.strip_prefix(PREFIX)?;
    let end = memchr::memchr(b'"', rest)?;
    let data = rest[end..].strip_prefix(MIDDLE)?.strip_suffix(b"}")?;
    Some(Combined { name: &rest[..end], data })
}

/// Whether a frame is a REST depth snapshot.
pub(super) fn is_snapshot(frame: &[u8]) -> bool {
    frame.starts_with(br#"{"lastUpdateId":"#)
}

fn after<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    memmem::find(text, key).map(|at| &text[at + key.len()..])
}

/// The integer after `key`, which includes the colon.
pub(super) fn integer(text: &[u8], key: &[u8]) -> Option<u64> {
    let rest = after(text, key)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The text after `key`, which includes the colon and the opening quote.
pub(super) fn text<'a>(frame: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = after(frame, key)?;
    memchr::memchr(b'"', rest).map(|end| &rest[..end])
}

/// The flag after `key`.
pub(super) fn flag(frame: &[u8], key: &[u8]) -> Option<bool> {
    after(frame, key).map(|rest| rest.starts_with(b"true"))
}

/// Every `["price","quantity"]` of the array after `key`, which includes its opening bracket. `None` where the text is
/// not such an array, or `take` refuses a level.
pub(super) fn levels(
    frame: &[u8],
    key: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Option<()>,
) -> Option<()> {
    let mut rest = after(frame, key)?;
    while let Some(level) = rest.strip_prefix(br#"[""#) {
        let price_end = memchr::memchr(b'"', level)?;
        let (price, level) = (&level[..price_end], level[price_end..].strip_prefix(br#"",""#)?);
        let qty_end = memchr::memchr(b'"', level)?;
        take(price, &level[..qty_end])?;
        rest = level[qty_end..].strip_prefix(br#""]"#)?;
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    rest.starts_with(b"]").then_some(())
}

/// Appends `frame` with its times in microseconds: what stands as 13 digits after `E`, `T`, a ticker's
/// `O` and `C` or, in a kline, `t`.
pub(super) fn with_microseconds(frame: &[u8], out: &mut Vec<u8>) {
    let kline = memmem::find(frame, br#""e":"kline""#).is_some();
    let mut copied = 0;
    for quote in memchr::memchr_iter(b'"', frame) {
        let is_time = match frame.get(quote + 1..quote + 4) {
            Some(b"E\":" | b"T\":" | b"O\":" | b"C\":") => true,
            Some(b"t\":") => kline,
            _ => false,
        };
        let digits = frame[(quote + 4).min(frame.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
        if is_time && digits == 13 {
            out.extend_from_slice(&frame[copied..quote + 17]);
            out.extend_from_slice(b"000");
            copied = quote + 17;
        }
    }
    out.extend_from_slice(&frame[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combined_frame_comes_apart_and_others_do_not() {
        let frame = br#"{"stream":"btcusdt@trade","data":{"e":"trade"}}"#;
        let expected = Combined { name: b"btcusdt@trade", data: br#"{"e":"trade"}"# };
        assert_eq!(combined(frame), Some(expected));
        for other in [&b""[..], b"{}", br#"{"stream":"x"}"#, br#"{"lastUpdateId":1,"bids":[],"asks":[]}"#] {
            assert_eq!(combined(other), None);
        }
    }

    #[test]
    fn levels_are_all_read_or_none_is_believed() {
        let read = |frame: &[u8]| {
            let mut seen = Vec::new();
            let whole = levels(frame, br#""b":["#, |price, qty| {
                seen.push((price.to_vec(), qty.to_vec()));
                Some(())
            });
            whole.map(|()| seen.len())
        };
        assert_eq!(read(br#"{"b":[],"a":[]}"#), Some(0));
        assert_eq!(read(br#"{"b":[["1.0","2"],["1.1","0"]],"a":[]}"#), Some(2));
        assert_eq!(read(br#"{"b":[["1.0","2"],["1.1","0"#), None);
        assert_eq!(read(br#"{"b":[["1.0",2]]}"#), None);
        assert_eq!(read(br#"{"a":[]}"#), None);
    }

    #[test]
    fn times_become_microseconds_and_ids_stay() {
        let mut out = Vec::new();
        with_microseconds(
            br#"{"e":"trade","E":1672515782136,"s":"X","t":1672515782136,"T":1672515782135}"#,
            &mut out,
        );
        let expected = r#"{"e":"trade","E":1672515782136000,"s":"X","t":1672515782136,"T":1672515782135000}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        with_microseconds(br#"{"e":"kline","E":1,"k":{"t":1672515780000,"T":1672515839999}}"#, &mut out);
        let expected = r#"{"e":"kline","E":1,"k":{"t":1672515780000000,"T":1672515839999000}}"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
