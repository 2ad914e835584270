//! What the rules said of an order, and what each compared.

use super::told::{Compared, RuleResult};
use crate::domain::event::Denial;
use crate::domain::{DenyReason, Instrument};
use crate::execution::{Record, RecordKind};
use crate::risk::{Heard, RULES, RuleSpec, rule_of, units};

/// The rules in the order of their table, up to the one that denied: the first denial stands. What they compared is
/// `heard` as the order was judged again; the denial is the journal's own.
pub(super) fn rules(
    record: &Record,
    heard: &Heard,
    denial: Option<&Denial>,
    instrument: &Instrument,
) -> Vec<RuleResult> {
    if record.kind == RecordKind::Held {
        return Vec::new();
    }
    let binding = RULES.iter().filter(|rule| !record.order.reduce_only || rule.binds_reducing);
    let compared = |rule: &RuleSpec| -> Vec<Compared> {
        let of_rule = heard.iter().filter(|(name, _)| *name == rule.name).flat_map(|(_, compared)| compared);
        let told = of_rule.filter_map(|c| {
            let told = rule.unit.tell((c.limit, c.value, c.measure), instrument)?;
            Some(Compared { reason: c.reason.label().to_owned(), told })
        });
        told.collect()
    };
    let mut said = Vec::new();
    for rule in binding {
        if let Some(reason) = record.denied.filter(|reason| is_of(*reason, rule)) {
            said.push(denied(rule.name, reason, denial, compared(rule), instrument));
            return said;
        }
        said.push(RuleResult {
            rule: rule.name.to_owned(),
            passed: true,
            detail: rule.doc.to_owned(),
            compared: compared(rule),
        });
    }
    // Denied by what is no rule: no order can be live any more.
    said.extend(record.denied.map(|reason| denied(reason.label(), reason, denial, Vec::new(), instrument)));
    said
}

fn is_of(reason: DenyReason, rule: &RuleSpec) -> bool {
    rule_of(reason).is_some_and(|of| of.name == rule.name)
}

/// The rule that denied, with the one comparison that did not hold.
fn denied(
    rule: &str,
    reason: DenyReason,
    denial: Option<&Denial>,
    mut compared: Vec<Compared>,
    instrument: &Instrument,
) -> RuleResult {
    // A journal that ends before the denial entered the ring leaves what was compared as the order was judged again.
    if let Some(denial) = denial {
        let told = units::told(reason, (denial.limit, denial.value, denial.measure), instrument);
        compared =
            told.map(|told| Compared { reason: reason.label().to_owned(), told }).into_iter().collect();
    }
    compared.retain(|compared| compared.reason == reason.label());
    RuleResult { rule: rule.to_owned(), passed: false, detail: format!("denied: {reason}"), compared }
}
