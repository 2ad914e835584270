//! What a run that goes on with an earlier one takes over from beside that one's journal, where its own files lie elsewhere:
//! losses, and what is stopped and paused.
//!
//! Runs that go on with each other may come back to a directory that has older files of theirs. The later word counts: of
//! losses by the time in them. Of what is stopped, both lists together, unless it is sure that the list here is the older
//! word of the same runs: the losses here are of the same epoch as those there, and older, and nobody has written the list
//! since the earlier run began. What was let go of there stays so then; in doubt, what either says is stopped is.

use super::latched::{Latched, LatchedError};
use super::losses::KeptLosses;
use super::{ControlError, ControlPaths, HeldName, read_paused, read_stopped};
use crate::domain::Time;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

impl HeldName {
    /// Takes over what is `earlier`'s, whose run `began` then. Says where nobody knows what it had lost.
    ///
    /// # Errors
    /// [`ControlError::Latched`]: something does not read, and cannot be guessed, or cannot be written.
    pub fn take_over(&self, earlier: &ControlPaths, began: Time) -> Result<(), ControlError> {
        let ours = self.paths();
        if ours == earlier {
            return Ok(());
        }
        let (here, there) = (KeptLosses::read(&ours.losses)?, KeptLosses::read(&earlier.losses)?);
        let followed = here.as_ref().zip(there.as_ref()).is_some_and(|(here, there)| there.follows(here));
        let stopped = (read_stopped(&ours.latched)?, read_stopped(&earlier.latched)?);
        let paused = (read_paused(&ours.paused)?, read_paused(&earlier.paused)?);
        for (path, (mut list, other)) in [(&ours.latched, stopped), (&ours.paused, paused)] {
            list.join(&other, followed && is_written_before(path, began))?;
        }
        // Last: by them it is told what the lists are.
        match (here, there) {
            (None, None) => log::warn!(
                "neither {} nor {} says what the run before had lost: losses are counted from nothing",
                ours.losses.display(),
                earlier.losses.display()
            ),
            (here, Some(there)) if here.as_ref().is_none_or(|here| there.is_later_than(here)) => {
                there.write(&ours.losses)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_written_before(path: &Path, time: Time) -> bool {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time.0);
    fs::metadata(path).and_then(|of| of.modified()).is_ok_and(|written| written < time)
}

impl Latched {
    /// Joins what `other` says, and writes what is new: of what is on both the later word counts, and what is on this one
    /// alone stays, unless it is `older`.
    fn join(&mut self, other: &Self, older: bool) -> Result<(), LatchedError> {
        let mut joined = other.stopped.clone();
        for here in &self.stopped {
            match joined.iter_mut().find(|there| there.scope == here.scope) {
                Some(there) if here.since > there.since => *there = here.clone(),
                Some(_) => {}
                None if older => {
                    log::warn!("{} was let go of since {}, and is so here", here.scope, here.since)
                }
                None => joined.push(here.clone()),
            }
        }
        if joined == self.stopped {
            return Ok(());
        }
        self.stopped = joined;
        self.save()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::control::latched::Stopped;
    use std::os::unix::fs::symlink;

    const BTC: &str = "binance:spot:BTCUSDT";

    /// The directories of one configuration, whose journals have the control files beside them.
    struct Places(tempfile::TempDir);

    impl Places {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn at(&self, place: &str) -> ControlPaths {
            ControlPaths::new(&self.0.path().join(place), "tried")
        }

        /// A run in this directory, which went on with the one beside those files, that began then.
        fn goes_on(&self, place: &str, earlier: &ControlPaths, began: Time) -> Result<(), ControlError> {
            HeldName::take(self.at(place)).expect("it is free").take_over(earlier, began)
        }
    }

    /// What a run of this epoch had lost at this moment.
    fn lost(paths: &ControlPaths, epoch: u64, at: u64) {
        let track = "{\"profit\":0,\"day_start\":0,\"peak\":0,\"losses_in_a_row\":0,\"orders\":0,\"cancels\":0,\"trades\":0}";
        let text = format!("{{\"epoch\":{epoch},\"time_ns\":{at},\"whole\":{track},\"strategies\":{{}}}}");
        fs::create_dir_all(paths.losses.parent().expect("one")).expect("made");
        fs::write(&paths.losses, text).expect("written");
    }

    fn losses(paths: &ControlPaths) -> Option<(u64, u64)> {
        let kept = KeptLosses::read(&paths.losses).expect("it reads")?;
        Some((kept.epoch(), kept.time().0))
    }

    fn stopped(scope: &str, since: u64) -> Stopped {
        Stopped {
            scope: scope.into(),
            cause: "killed".into(),
            by: "anna".into(),
            reason: "a test".into(),
            since: Time(since).to_string(),
            flatten: false,
            flatten_since: None,
        }
    }

    fn kill(paths: &ControlPaths, since: u64) {
        read_stopped(&paths.latched).expect("read").add(stopped("all", since)).expect("written");
        read_paused(&paths.paused).expect("read").add(stopped(BTC, since)).expect("written");
    }

    fn release(paths: &ControlPaths) {
        read_stopped(&paths.latched).expect("read").remove("all").expect("written");
        read_paused(&paths.paused).expect("read").remove("all").expect("written");
    }

    /// What is stopped, and what is paused.
    fn held_back(paths: &ControlPaths) -> [Vec<Stopped>; 2] {
        let lists = [read_stopped(&paths.latched), read_paused(&paths.paused)];
        lists.map(|list| list.expect("read").stopped)
    }

    /// A moment after all that was written.
    fn now() -> Time {
        std::thread::sleep(Duration::from_millis(20));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        Time(u64::try_from(since.as_nanos()).expect("before 2500"))
    }

    #[test]
    fn losses_go_from_directory_to_directory_and_the_later_count() {
        let places = Places::new();
        let [a, b] = ["a", "b"].map(|place| places.at(place));
        places.goes_on("b", &a, now()).expect("nobody knows them");
        assert_eq!(losses(&b), None);
        lost(&a, 7, 100);
        places.goes_on("b", &a, now()).expect("taken over");
        assert_eq!(losses(&b), Some((7, 100)));
        lost(&b, 7, 200);
        places.goes_on("a", &b, now()).expect("taken over");
        assert_eq!(losses(&a), Some((7, 200)), "what was lost there counts, not the day before");
        lost(&a, 9, 300);
        places.goes_on("a", &b, now()).expect("nothing to do");
        assert_eq!(losses(&a), Some((9, 300)), "of a run since");
        fs::write(&b.losses, "").expect("written");
        let refused = places.goes_on("a", &b, now()).expect_err("it cannot be guessed");
        assert!(matches!(refused, ControlError::Latched(LatchedError::Damaged { .. })), "{refused}");
    }

    #[test]
    fn a_disk_that_is_full_leaves_no_losses_that_cannot_be_read() {
        let places = Places::new();
        let [a, b] = ["a", "b"].map(|place| places.at(place));
        lost(&a, 7, 100);
        fs::create_dir(b.losses.parent().expect("one")).expect("made");
        let beside = b.losses.with_extension("losses.new");
        symlink("/dev/full", &beside).expect("made");
        let refused = places.goes_on("b", &a, now()).expect_err("there is no room");
        assert!(refused.may_pass() && refused.to_string().contains("No space left"), "{refused}");
        assert!(!b.losses.exists());
        fs::remove_file(&beside).expect("there");
        places.goes_on("b", &a, now()).expect("there is room again");
        assert_eq!(losses(&b), Some((7, 100)));
    }

    #[test]
    fn what_was_let_go_of_elsewhere_is_so_where_the_run_comes_back_to() {
        let places = Places::new();
        let [a, b] = ["a", "b"].map(|place| places.at(place));
        lost(&a, 7, 100);
        kill(&a, 90);
        let began = now();
        places.goes_on("b", &a, began).expect("taken over");
        let both = [vec![stopped("all", 90)], vec![stopped(BTC, 90)]];
        assert_eq!(held_back(&b), both, "with who did it, and when");
        release(&b);
        lost(&b, 7, 200);
        places.goes_on("a", &b, began).expect("taken over");
        assert_eq!(held_back(&a), [vec![], vec![]]);
        // And there once more: what was stopped since is stopped.
        kill(&a, 290);
        lost(&a, 7, 300);
        places.goes_on("b", &a, now()).expect("taken over");
        assert_eq!(held_back(&b), [vec![stopped("all", 290)], vec![stopped(BTC, 290)]]);
    }

    #[test]
    fn what_may_have_been_stopped_since_stays_so() {
        // A run of another epoch, one since, a list that somebody wrote since, losses that are not there.
        let since: [fn(&ControlPaths); 4] = [
            |here| lost(here, 8, 100),
            |here| lost(here, 7, 300),
            |here| {
                lost(here, 7, 100);
                kill(here, 250);
            },
            |here| drop(fs::remove_file(&here.losses)),
        ];
        for (case, since) in since.iter().enumerate() {
            let places = Places::new();
            let [a, b] = ["a", "b"].map(|place| places.at(place));
            lost(&a, 7, 100);
            kill(&a, 90);
            let began = now();
            places.goes_on("b", &a, began).expect("taken over");
            release(&b);
            lost(&b, 7, 200);
            since(&a);
            places.goes_on("a", &b, began).expect("taken over");
            let at = if case == 2 { 250 } else { 90 };
            assert_eq!(held_back(&a), [vec![stopped("all", at)], vec![stopped(BTC, at)]], "{case}");
        }
    }

    #[test]
    fn a_slip_in_the_list_there_is_told_of_the_list_there() {
        let places = Places::new();
        let [a, b] = ["a", "b"].map(|place| places.at(place));
        fs::create_dir(a.latched.parent().expect("one")).expect("made");
        Latched::open(&a.latched).expect("none").add(stopped("alm", 1)).expect("written");
        let refused = places.goes_on("b", &a, now()).expect_err("no name").to_string();
        assert!(refused.contains("a/tried.latched") && refused.contains("\"alm\""), "{refused}");
        assert!(!b.latched.exists());
    }
}
