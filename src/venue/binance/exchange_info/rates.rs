//! Rows of `rateLimits`.

use serde_json::Value;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKind {
    /// Weight of requests, by address.
    RequestWeight,
    /// Orders not yet filled, by account.
    Orders,
    /// Requests, by address.
    RawRequests,
}

impl RateKind {
    /// Every kind.
    pub const ALL: [RateKind; 3] = [RateKind::RequestWeight, RateKind::Orders, RateKind::RawRequests];

    /// The name as the venue spells it: `REQUEST_WEIGHT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RateKind::RequestWeight => "REQUEST_WEIGHT",
            RateKind::Orders => "ORDERS",
            RateKind::RawRequests => "RAW_REQUESTS",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// So much in each window of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Of what.
    pub kind: RateKind,
    /// Length of the window, seconds.
    pub window_s: u64,
    /// How much.
    pub limit: u64,
    /// How much is used already, where the row says (those in WebSocket replies do).
    pub count: Option<u64>,
}

/// Seconds in an interval by its first letter, as in `X-MBX-USED-WEIGHT-1M`.
pub(in crate::venue::binance) fn seconds(letter: u8) -> Option<u64> {
    match letter.to_ascii_uppercase() {
        b'S' => Some(1),
        b'M' => Some(60),
        b'H' => Some(3_600),
        b'D' => Some(86_400),
        _ => None,
    }
}

impl RateLimit {
    /// Reads a row; `None` for a kind or an interval that we do not know, or a row that makes no sense.
    #[must_use]
    pub fn read(row: &Value) -> Option<Self> {
        let kind = RateKind::from_name(row.get("rateLimitType")?.as_str()?)?;
        let interval = row.get("interval")?.as_str()?;
        let unit = match interval {
            "SECOND" | "MINUTE" | "HOUR" | "DAY" => seconds(*interval.as_bytes().first()?)?,
            _ => return None,
        };
        let window_s = row.get("intervalNum")?.as_u64()?.checked_mul(unit)?;
        let limit = row.get("limit")?.as_u64()?;
        // A window over a year is a mistake, and would overflow further on.
        let sane = (1..=366 * 86_400).contains(&window_s) && limit > 0;
        sane.then(|| Self { kind, window_s, limit, count: row.get("count").and_then(Value::as_u64) })
    }
}
