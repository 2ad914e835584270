//! Self-trade prevention: what the venue does where an order would trade with one of the same account or trade group.

/// The venue's modes. Of two orders that meet, the one that comes decides. An order that is ended so has the status
/// `EXPIRED_IN_MATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SelfTradeMode {
    /// They trade.
    None,
    /// The order that comes ends.
    ExpireTaker,
    /// The one that rests ends, and the other goes on.
    ExpireMaker,
    /// Both end.
    ExpireBoth,
    /// Both lose what they would have traded; what is nothing then ends.
    Decrement,
    /// The same; and where both orders say so and the accounts differ, the accounts are squared without a trade.
    Transfer,
}

impl SelfTradeMode {
    /// What a configuration may ask for; `default` is the symbol's own (`defaultSelfTradePreventionMode`), which no
    /// order names.
    pub const CHOICES: &'static [(&'static str, Option<Self>)] = &[
        ("default", None),
        ("none", Some(Self::None)),
        ("expire-taker", Some(Self::ExpireTaker)),
        ("expire-maker", Some(Self::ExpireMaker)),
        ("expire-both", Some(Self::ExpireBoth)),
        ("decrement", Some(Self::Decrement)),
        ("transfer", Some(Self::Transfer)),
    ];

    /// The venue's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::ExpireTaker => "EXPIRE_TAKER",
            Self::ExpireMaker => "EXPIRE_MAKER",
            Self::ExpireBoth => "EXPIRE_BOTH",
            Self::Decrement => "DECREMENT",
            Self::Transfer => "TRANSFER",
        }
    }

    /// Whether it is among these, as `allowedSelfTradePreventionModes` has them.
    #[must_use]
    pub fn is_among(self, allowed: &[String]) -> bool {
        allowed.iter().any(|mode| mode == self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_called_as_the_venue_calls_it() {
        for (choice, mode) in SelfTradeMode::CHOICES.iter().filter_map(|(name, mode)| Some((name, (*mode)?)))
        {
            assert_eq!(choice.to_uppercase().replace('-', "_"), mode.name());
            assert!(mode.is_among(&["X".to_owned(), mode.name().to_owned()]) && !mode.is_among(&[]));
        }
    }
}
