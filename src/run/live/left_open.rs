//! What the end of a run leaves open at the venue, and whether that is as it was to be.

use crate::run::config::OnExit;
use crate::run::orders::OrdersOutcome;

/// Orders that a run left at the venue, told for a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeftOpen {
    /// They were to stay (`on_exit = "keep"`), and the run ended as asked.
    Kept(String),
    /// They are, or may be, open with nobody to look after them. The last heartbeat stays, which a watchdog misses.
    Unguarded(String),
}

impl LeftOpen {
    /// What the sending of orders left, of a run that ended `as_asked` or by a fault.
    pub fn of(sent: &OrdersOutcome, on_exit: OnExit, as_asked: bool) -> Option<Self> {
        const THEN: &str = "a watchdog (ctl watchdog) cancels them, since this run's last heartbeat stays; without one cancel \
                            them at the venue, or go on with --recover and this run's journal";
        if !sent.may_leave_open() {
            return None;
        }
        if sent.died {
            return Some(Self::Unguarded(format!(
                "orders may be left open at the venue, since the thread that sends them died: {THEN}"
            )));
        }
        let told = format!("{} at the venue: {}", Self::counted(sent), sent.left.join(", "));
        Some(match (on_exit, as_asked) {
            (OnExit::Keep, true) => Self::Kept(told),
            (OnExit::Keep, false) => Self::Unguarded(format!(
                "{told}; the run ended by a fault, and nobody looks after them: {THEN}"
            )),
            (OnExit::Cancel, _) => {
                Self::Unguarded(format!("{told}; the venue did not confirm their cancel in time: {THEN}"))
            }
        })
    }
}

impl LeftOpen {
    /// How many are open, and how many of them may be: of one whose answer was lost nobody knows.
    fn counted(sent: &OrdersOutcome) -> String {
        let &OrdersOutcome { open_at_end: all, unknown_at_end: unknown, .. } = sent;
        match all.saturating_sub(unknown) {
            _ if unknown == 0 => format!("{all} orders are left open"),
            0 => format!("{all} orders, of which it is not known what became of them, may be left open"),
            open => format!(
                "{open} orders are left open, and {unknown} more, of which it is not known what became of them, may be,"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_open_is_unguarded_unless_it_was_to_stay_and_the_run_ended_as_asked() {
        let left = |open_at_end: usize, died| OrdersOutcome {
            open_at_end,
            died,
            left: vec!["7 (x)".to_owned(); open_at_end],
            ..OrdersOutcome::default()
        };
        let of = |sent: &OrdersOutcome, on_exit, as_asked| match LeftOpen::of(sent, on_exit, as_asked) {
            None => ("", String::new()),
            Some(LeftOpen::Kept(told)) => ("kept", told),
            Some(LeftOpen::Unguarded(told)) => ("unguarded", told),
        };
        for on_exit in [OnExit::Keep, OnExit::Cancel] {
            for as_asked in [true, false] {
                assert_eq!(of(&left(0, false), on_exit, as_asked).0, "");
                let (died, told) = of(&left(0, true), on_exit, as_asked);
                assert!(died == "unguarded" && told.contains("thread that sends them died"), "{told}");
                let (open, told) = of(&left(2, false), on_exit, as_asked);
                let kept = on_exit == OnExit::Keep && as_asked;
                assert_eq!(open, if kept { "kept" } else { "unguarded" });
                assert!(told.starts_with("2 orders are left open at the venue: 7 (x), 7 (x)"), "{told}");
                assert_eq!(told.contains("heartbeat stays"), !kept, "{told}");
            }
        }
    }

    #[test]
    fn an_order_whose_fate_is_not_known_is_not_told_as_open() {
        let told = |open_at_end: usize, unknown_at_end: usize| {
            let left = vec!["7 (x)".to_owned(); open_at_end];
            let sent = OrdersOutcome { open_at_end, unknown_at_end, left, ..OrdersOutcome::default() };
            match LeftOpen::of(&sent, OnExit::Keep, true) {
                Some(LeftOpen::Kept(told)) => told,
                other => panic!("{other:?}"),
            }
        };
        let unknown = "of which it is not known what became of them, may be";
        assert_eq!(told(1, 1), format!("1 orders, {unknown} left open at the venue: 7 (x)"));
        let both = format!("1 orders are left open, and 1 more, {unknown}, at the venue: 7 (x), 7 (x)");
        assert_eq!(told(2, 1), both);
    }
}
