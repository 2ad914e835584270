//! What the feed's thread does some times a second beside its work: it says that it lives, shows how the run is doing, and
//! looks whether orders are still sent, and operators still heard.

use super::LiveStatus;
use crate::pipeline::{Stop, StopReason};
use crate::run::control::{Backlog, ControlDeaths, Vitals};
use crate::run::orders::OrdersLink;
use std::time::Instant;

/// Shows how a live run is doing.
pub type ProgressReport = Box<dyn FnMut(&LiveStatus) + Send>;

/// The progress report of a run, which is a sign of life too. Where the thread that sends orders is gone, the run ends: its
/// strategies would go on as if their orders were under way. So it does where a control thread is: nobody could stop it.
pub(super) fn watching(
    vitals: Vitals,
    orders: Option<OrdersLink>,
    control: Option<ControlDeaths>,
    stop: Stop,
    mut shown: Option<ProgressReport>,
) -> ProgressReport {
    let mut backlog = Backlog::default();
    Box::new(move |status| {
        vitals.beat(status);
        vitals.note_waiting(backlog.look(status.seq, status.handled, Instant::now()));
        if orders.as_ref().is_some_and(OrdersLink::has_died) {
            let message = "the thread that sends them died, which is a defect: please report it; what is open at the venue \
                           may stay open";
            stop.stop(StopReason::StageFailed { stage: "orders", message: message.to_owned() });
        }
        if let Some(lost) = control.as_ref().and_then(ControlDeaths::lost) {
            let message = format!("{lost}; this is a defect: please report it");
            stop.stop(StopReason::StageFailed { stage: "control", message });
        }
        if let Some(shown) = &mut shown {
            shown(status);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::orders::OrdersControl;
    use std::sync::Arc;

    #[test]
    fn a_run_ends_once_the_thread_that_sends_its_orders_has_panicked_and_not_before() {
        for panics in [false, true] {
            let (control, stop) = (Arc::new(OrdersControl::default()), Stop::new());
            let mut report =
                watching(Vitals::default(), Some(OrdersLink::of_a_test(&control)), None, stop.clone(), None);
            report(&LiveStatus::default());
            assert!(!stop.is_raised());
            let held = control.notes_death();
            let ended = std::thread::spawn(move || {
                let _held = held;
                assert!(!panics, "as the test wants it");
            });
            assert_eq!(ended.join().is_err(), panics);
            report(&LiveStatus::default());
            assert_eq!((stop.is_failed(), control.is_over()), (panics, panics));
            let told = stop.reason().map(|reason| reason.to_string()).unwrap_or_default();
            assert_eq!(told.contains("the thread that sends them died"), panics, "{told}");
        }
    }

    #[test]
    fn a_run_ends_by_name_once_a_control_thread_has_panicked_and_not_by_one_that_is_over() {
        for panics in [false, true] {
            let (deaths, stop) = (ControlDeaths::default(), Stop::new());
            let mut report = watching(Vitals::default(), None, Some(deaths.clone()), stop.clone(), None);
            report(&LiveStatus::default());
            assert!(!stop.is_raised());
            let work = move || assert!(!panics, "as the test wants it");
            let thread = deaths.spawn("at-test", "nobody listens", &[], work).expect("a thread");
            assert_eq!(thread.join().is_err(), panics);
            report(&LiveStatus::default());
            assert_eq!(stop.is_failed(), panics);
            let told = stop.reason().map(|reason| reason.to_string()).unwrap_or_default();
            assert_eq!(told.starts_with("the control stage failed: nobody listens"), panics, "{told}");
        }
    }
}
