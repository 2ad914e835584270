//! Trading hours: when a market is open, in which zone, on which days it is not, and when it closes early or opens late.
//!
//! A calendar is a file of facts (`config/hours/*.toml`): a time zone, the week's sessions, days by rule ("the third
//! Monday of January") or by date. It is unrolled once, when a run is set up, into moments of UTC, so that asking is a
//! search in a sorted list: no zone, no date and no allocation is met while trading, and a change of the clocks is
//! where it happened.
//!
//! Owns: the files, and what they mean. Reads no clock: every question comes with its moment. Invariant: outside the
//! years that a calendar covers, after the last day of which its free days are known (`known_until`), and on whatever else it
//! does not know, it says closed; what never closes never does.

mod file;
mod hours;
mod rule;
mod zones;

pub use file::CalendarError;
pub use hours::{Calendar, Phase};
pub use zones::Hours;

/// The calendars that are built in, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("always", include_str!("../../config/hours/always.toml")),
    ("us-equity", include_str!("../../config/hours/us-equity.toml")),
    ("fx", include_str!("../../config/hours/fx.toml")),
    ("fx-oanda", include_str!("../../config/hours/fx-oanda.toml")),
    ("fx-oanda-nzd", include_str!("../../config/hours/fx-oanda-nzd.toml")),
    ("fx-fxcm", include_str!("../../config/hours/fx-fxcm.toml")),
    ("cme-index", include_str!("../../config/hours/cme-index.toml")),
    ("cme-fx", include_str!("../../config/hours/cme-fx.toml")),
    ("cme-rates", include_str!("../../config/hours/cme-rates.toml")),
    ("cme-energy-metals", include_str!("../../config/hours/cme-energy-metals.toml")),
    ("cme-grains", include_str!("../../config/hours/cme-grains.toml")),
    ("cme-crypto", include_str!("../../config/hours/cme-crypto.toml")),
    ("cme-livestock", include_str!("../../config/hours/cme-livestock.toml")),
    ("cme-dairy", include_str!("../../config/hours/cme-dairy.toml")),
    ("cme-lumber", include_str!("../../config/hours/cme-lumber.toml")),
];
