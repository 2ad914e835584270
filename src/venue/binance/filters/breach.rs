//! What breaks a filter, and how it would not: enough for a person to mend the order by.

use super::name::FilterName;
pub use crate::domain::Subject;
use crate::domain::decimal::Scaled;
use std::fmt;
use thiserror::Error;

/// What a filter asks of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Not less than this.
    AtLeast(Scaled),
    /// Not more than this.
    AtMost(Scaled),
    /// A whole number of these.
    MultipleOf(Scaled),
    /// More than nothing; the venue refuses that even where the filter sets no minimum.
    Positive,
    /// A reference price to judge by, where the policy wants one.
    Reference,
}

/// An order that a filter does not let pass.
///
/// Shows as the venue's own words, then what is wrong and what would not be:
/// `Filter failure: LOT_SIZE: quantity 0.0000001 must be at least 0.00001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub struct FilterBreach {
    /// The filter.
    pub filter: FilterName,
    /// What it is about.
    pub subject: Subject,
    /// What the subject is.
    pub found: Scaled,
    /// What it must be.
    pub bound: Bound,
}

impl FilterBreach {
    /// The venue's own text: `Filter failure: LOT_SIZE`.
    #[must_use]
    pub fn venue_text(&self) -> String {
        format!("Filter failure: {}", self.filter)
    }

    /// The venue's error code; see [`FilterName::code`].
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.filter.code()
    }
}

impl fmt::Display for FilterBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filter, subject, found, bound } = self;
        write!(f, "Filter failure: {filter}: {} {found:#} ", subject.label())?;
        match bound {
            Bound::AtLeast(bound) => write!(f, "must be at least {bound:#}"),
            Bound::AtMost(bound) => write!(f, "must be at most {bound:#}"),
            Bound::MultipleOf(bound) => write!(f, "must be a multiple of {bound:#}"),
            Bound::Positive => f.write_str("must be more than zero"),
            Bound::Reference => {
                f.write_str("cannot be judged without a reference, average or last price: wait for one")
            }
        }
    }
}

/// A whole number, to show.
pub(super) const fn whole(value: i128) -> Scaled {
    Scaled { value, decimals: 0 }
}
