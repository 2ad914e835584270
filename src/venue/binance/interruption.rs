//! The one frame that no venue sends: a capture's word that an instrument's data was interrupted.
//!
//! It has the form of a stream of its own, so that whoever reads recordings passes over it as over any stream that they do
//! not know. The decoder makes [`Decoded::Interrupted`](crate::venue::Decoded) of it, in what was recorded alone: from a
//! socket it is taken for nothing.

use crate::domain::Time;

/// The stream's name, and the kind of its event.
pub(super) const KIND: &str = "interrupted";

/// The frame for the instrument `symbol`, of a moment of our own clock.
#[must_use]
pub fn interruption(symbol: &str, at: Time) -> String {
    let (stream, ms) = (symbol.to_ascii_lowercase(), at.0 / 1_000_000);
    format!(r#"{{"stream":"{stream}@{KIND}","data":{{"e":"{KIND}","E":{ms},"s":"{symbol}"}}}}"#)
}

/// Whether a frame is one that [`interruption`] made.
#[must_use]
pub fn is_interruption(frame: &[u8]) -> bool {
    const INNER: &[u8] = br#"@interrupted","data":{"e":"interrupted","E":"#;
    let Some(rest) = frame.strip_prefix(br#"{"stream":""#) else { return false };
    let symbol = rest.iter().take_while(|byte| !matches!(byte, b'@' | b'"')).count();
    rest[symbol..].starts_with(INNER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_known_again_and_nothing_else_is() {
        let frame = interruption("BTCUSD_PERP", Time(1_723_161_255_343_000_001));
        assert_eq!(
            frame,
            r#"{"stream":"btcusd_perp@interrupted","data":{"e":"interrupted","E":1723161255343,"s":"BTCUSD_PERP"}}"#
        );
        assert!(is_interruption(frame.as_bytes()));
        for other in ["", "{}", r#"{"stream":""#, r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1}}"#]
        {
            assert!(!is_interruption(other.as_bytes()), "{other}");
        }
    }
}
