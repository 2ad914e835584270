//! Stages that do not keep up with what is published, which is told to who asks, and once to a person who does not.

use serde::{Deserialize, Serialize};

/// Stages that are behind for so long are told at once, ms.
const TOLD_AFTER_MS: u64 = 3_000;

/// How far the stages are behind what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct StagesReply {
    /// Events that wait for the slowest of them.
    pub events: u64,
    /// For how long the oldest of these has waited, ms.
    pub for_ms: u64,
}

impl StagesReply {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "STAGES BEHIND by {} events, the oldest of {:.1} s ago: a strategy, the journal's disk or another stage hangs or \
             is too slow; orders, cancels, kills and releases wait for it",
            self.events,
            self.for_ms as f64 / 1_000.0
        )
    }
}

/// What a person was told of it.
#[derive(Debug, Default)]
pub(super) struct StagesWatch {
    told: bool,
}

/// What a person is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StagesNews {
    /// They are behind.
    Behind(String),
    /// They are no longer.
    CaughtUp,
}

impl StagesWatch {
    /// How they stand now; gives what that is news of, if it is.
    pub fn look(&mut self, behind: Option<&StagesReply>) -> Option<StagesNews> {
        match behind {
            Some(behind) if !self.told && behind.for_ms >= TOLD_AFTER_MS => {
                self.told = true;
                Some(StagesNews::Behind(behind.line()))
            }
            None if self.told => {
                self.told = false;
                Some(StagesNews::CaughtUp)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_once_and_anew_after_they_had_caught_up() {
        let mut watch = StagesWatch::default();
        let mut news =
            |for_ms: Option<u64>| watch.look(for_ms.map(|for_ms| StagesReply { events: 7, for_ms }).as_ref());
        assert_eq!([news(None), news(Some(2_999))], [None, None]);
        assert!(matches!(news(Some(3_000)), Some(StagesNews::Behind(told)) if told.contains("by 7 events")));
        assert_eq!([news(Some(9_000)), news(Some(1_000))], [None, None]);
        assert_eq!([news(None), news(None)], [Some(StagesNews::CaughtUp), None]);
        assert!(matches!(news(Some(4_000)), Some(StagesNews::Behind(_))));
    }
}
