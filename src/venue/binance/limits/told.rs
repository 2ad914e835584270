//! What the venue says it has counted, in an answer's headers or in a WebSocket reply's `rateLimits`.

use super::super::exchange_info::rates::seconds;
use super::{RateKind, RateLimit};
use serde_json::Value;

/// Counts beyond so many in one answer are not looked at.
const COUNTS_MAX: usize = 16;

/// The counts of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    counts: Vec<(RateKind, u64, u64)>,
}

impl Told {
    /// The one count of an answer that was read elsewhere.
    #[must_use]
    pub fn one(kind: RateKind, window_s: u64, count: u64) -> Self {
        Self { counts: vec![(kind, window_s, count)] }
    }

    /// Takes note of a header, if it is a count: `X-MBX-USED-WEIGHT-1M: 42`, `X-MBX-ORDER-COUNT-10S: 3`.
    pub fn header(&mut self, name: &str, value: &str) {
        let prefixes =
            [(RateKind::RequestWeight, "x-mbx-used-weight-"), (RateKind::Orders, "x-mbx-order-count-")];
        let found = prefixes.into_iter().find_map(|(kind, prefix)| {
            let (head, interval) = (name.get(..prefix.len())?, name.get(prefix.len()..)?);
            head.eq_ignore_ascii_case(prefix).then_some((kind, interval))
        });
        let Some((kind, interval)) = found else { return };
        let Some((number, letter)) =
            interval.len().checked_sub(1).and_then(|at| interval.split_at_checked(at))
        else {
            return;
        };
        let unit = letter.bytes().next().and_then(seconds);
        let window_s =
            number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
        if let (Some(window_s), Ok(count)) = (window_s, value.trim().parse()) {
            self.push(kind, window_s, count);
        }
    }

    /// Takes note of the `rateLimits` of a WebSocket reply.
    pub fn rate_limits(&mut self, rows: &Value) {
        for limit in rows.as_array().into_iter().flatten().filter_map(RateLimit::read) {
            if let Some(count) = limit.count {
                self.push(limit.kind, limit.window_s, count);
            }
        }
    }

    fn push(&mut self, kind: RateKind, window_s: u64, count: u64) {
        if self.counts.len() < COUNTS_MAX {
            self.counts.push((kind, window_s, count));
        }
    }

    /// The count of this window, if the answer had one.
    #[must_use]
    pub fn count(&self, kind: RateKind, window_s: u64) -> Option<u64> {
        let found = self.counts.iter().find(|(of, window, _)| *of == kind && *window == window_s);
        found.map(|(_, _, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_reply_rows_say_the_same() {
        let mut told = Told::default();
        for (name, value) in [
            ("X-MBX-USED-WEIGHT", "9"),
            ("x-mbx-used-weight-1m", "42"),
            ("X-MBX-ORDER-COUNT-10S", " 3 "),
            ("X-MBX-ORDER-COUNT-1D", "x"),
            ("X-MBX-ORDER-COUNT-", "1"),
            ("X-MBX-ORDER-COUNT-1é", "1"),
            ("X-MBX-ORDER-COUNT-99999999999999999999D", "1"),
            ("Retry-After", "5"),
        ] {
            told.header(name, value);
        }
        let mut rows = Told::default();
        rows.rate_limits(&serde_json::json!([
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 42},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100, "count": 3},
            {"rateLimitType": "ORDERS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 100, "count": 3},
            "nonsense",
        ]));
        assert_eq!(told, rows);
        assert_eq!(told.count(RateKind::RequestWeight, 60), Some(42));
        assert_eq!(told.count(RateKind::Orders, 86_400), None);
    }
}
