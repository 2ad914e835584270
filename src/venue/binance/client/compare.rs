//! Comparing the venue's balances with what fills imply. A difference that is the same twice, with nothing under way that
//! could explain it, halts the asset's instruments; what the venue's own precision explains is taken over. The same is one
//! that moved by no more than the venue has cut since: where each trade is cut, none would be the same to the last digit.

use super::OrderClient;
use super::ledger::shown;
use super::look::{AGAIN, Kind, Look};
use super::looked::Answer;
use super::message::{Output, Outputs};
use super::notice::{InstrumentPause, Notice};
use super::tracked::Phase;
use crate::domain::{InstrumentId, Time};
use std::collections::BTreeMap;

/// What differed at a look, and what all cuts by then stay below, both by asset.
pub(super) struct Differed {
    of: BTreeMap<String, i128>,
    cuts: BTreeMap<String, i128>,
}

impl Differed {
    /// Whether a difference is the one that was there, now that all cuts stay below `cuts`.
    fn is(&self, asset: &str, difference: i128, cuts: &BTreeMap<String, i128>) -> bool {
        let of = |cuts: &BTreeMap<String, i128>| cuts.get(asset).copied().unwrap_or(0);
        let since = of(cuts) - of(&self.cuts);
        self.of.get(asset).is_some_and(|before| (difference - before).abs() < since.max(1))
    }

    /// Whether all that differs now did, and the other way round.
    pub(super) fn are(&self, differences: &BTreeMap<String, i128>, cuts: &BTreeMap<String, i128>) -> bool {
        self.of.len() == differences.len()
            && differences.iter().all(|(asset, difference)| self.is(asset, *difference, cuts))
    }
}

impl OrderClient {
    /// What differed at the last look.
    pub(super) fn differed(&self) -> Differed {
        Differed { of: self.looks.differences.clone(), cuts: self.looks.cuts.clone() }
    }

    /// Whether something is under way that could explain a difference.
    pub(super) fn in_flight(&self) -> bool {
        self.orders
            .unfinished()
            .any(|(_, order)| order.phase != Phase::Open || order.check || order.lacks_fills())
    }

    /// Takes the venue's number over where no more than its cuts can explain differs, and tells the ring: otherwise they
    /// would add up, and the next run would find them. It is told where nothing differs too, as the next run's comparison
    /// allows for the cuts since.
    fn take_over_cuts(&mut self, venue: &BTreeMap<String, i128>, out: &mut Outputs) {
        for (asset, cuts) in self.ledger.cuts() {
            let held = venue.get(&asset).copied().unwrap_or(0);
            let difference = held - self.ledger.amount(&asset);
            if difference.abs() < cuts {
                self.ledger.adopt(&asset, held);
                self.tell_ring(&asset, difference, false, out);
            }
        }
    }

    pub(super) fn compare(
        &mut self,
        now: Time,
        look: &Look,
        venue: &BTreeMap<String, i128>,
        out: &mut Outputs,
    ) -> Answer {
        self.take_over_cuts(venue, out);
        let ours = self.ledger.amounts();
        let assets = venue.keys().chain(ours.keys());
        let differences: BTreeMap<String, i128> = assets
            .map(|asset| {
                (asset, venue.get(asset).copied().unwrap_or(0) - ours.get(asset).copied().unwrap_or(0))
            })
            .filter(|(_, difference)| *difference != 0)
            .map(|(asset, difference)| (asset.clone(), difference))
            .collect();
        let (busy, before) = (self.in_flight(), self.differed());
        // What is taken over counts from here on.
        self.looks.cuts = self.ledger.cuts().into_iter().collect();
        let (mut stays, mut missing) = (Vec::new(), Vec::new());
        for (asset, difference) in &differences {
            let stayed = !busy && before.is(asset, *difference, &self.looks.cuts);
            let of_run =
                self.instruments.iter().any(|l| [&l.instrument.base, &l.instrument.quote].contains(&asset));
            let halts = stayed && of_run && !self.looks.adopt && !self.looks.looked_at.contains(asset);
            let held = venue.get(asset).copied().unwrap_or(0);
            if stayed && !halts {
                self.ledger.adopt(asset, held);
                let told = self.looks.missing.remove(asset).unwrap_or(0);
                self.tell_moved(asset, *difference - told, out);
                self.looks.looked_at.remove(asset);
            } else if halts {
                missing.push((asset.clone(), (*difference).min(0)));
            }
            let (venue, ours) = (shown(held), shown(held - difference));
            let asset = asset.clone();
            out.notice(if stayed && !of_run {
                Notice::Adopted { asset: asset.clone(), venue, ours }
            } else {
                Notice::Difference { asset: asset.clone(), venue, ours, halts }
            });
            if halts {
                stays.push(asset);
            }
        }
        // It was a trade that was told late, and is booked by now.
        let found = self.looks.missing.keys().filter(|asset| !busy && !differences.contains_key(*asset));
        for asset in found.cloned().collect::<Vec<_>>() {
            self.tell_missing(&asset, 0, out);
        }
        let ids: Vec<InstrumentId> = self
            .instruments
            .iter()
            .filter(|l| stays.contains(&l.instrument.base) || stays.contains(&l.instrument.quote))
            .map(|l| l.instrument.id)
            .collect();
        for id in ids {
            if self.instruments.get(id).is_some_and(|l| !l.is_held_for(InstrumentPause::Difference)) {
                out.push(Output::Halt(id));
                self.instruments.hold(id, InstrumentPause::Difference, out);
            }
        }
        // After that: a run that ends in between would leave no difference to be found, and nothing held for it.
        missing.iter().for_each(|(asset, amount)| self.tell_missing(asset, *amount, out));
        if differences.is_empty() {
            // Everything is in the balances, so every trade until then is booked.
            look.newest.iter().for_each(|(id, newest)| self.ledger.complete_up_to(*id, *newest));
            if !self.looks.differences.is_empty() || look.kind == Kind::Gap {
                out.notice(Notice::Reconciled);
            }
            self.looks.differences = differences;
            self.looks.adopt = false;
            self.looks.looked_at.clear();
            self.looks.differing = 0;
            return Answer::Done;
        }
        self.looks.differences = differences;
        // Soon again, and less soon the longer it differs.
        let pause = AGAIN.saturating_mul(1 << self.looks.differing.min(6));
        self.looks.differing += 1;
        self.looks.next = now.plus(pause.min(self.settings.reconcile_every));
        Answer::Over
    }
}
