//! What risk is told at the start besides its limits.

use super::day::DayBoundary;
use super::limits::OwnLimits;

/// See the module. What is by instrument is in the order of the table; what is missing at the end is as if not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RiskSetup {
    /// The group that an instrument belongs to, if it does.
    pub groups: Vec<Option<u16>>,
    /// Whether an instrument is not to be traded.
    pub restricted: Vec<bool>,
    /// Limits of single instruments and strategies.
    pub own_limits: OwnLimits,
    /// When a day begins.
    pub day: DayBoundary,
}
