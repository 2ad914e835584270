//! Self-trade prevention: which mode an order names, and how an order ends that it met.

use super::super::super::request::SelfTradeMode;
use super::*;

fn mode_of(rig: &Rig) -> Option<&str> {
    rig.last("order.place")["params"].get("selfTradePreventionMode")?.as_str()
}

#[test]
fn an_order_names_the_configured_mode_and_none_by_default_but_what_only_reduces_is_not_held_up() {
    for (configured, named) in [
        (None, None),
        (Some(SelfTradeMode::ExpireTaker), Some("EXPIRE_TAKER")),
        (Some(SelfTradeMode::Decrement), Some("DECREMENT")),
    ] {
        let mut rig =
            Rig::started_with(ClientSettings { self_trade: configured, ..ClientSettings::default() });
        rig.place(1);
        assert_eq!(mode_of(&rig), named);
        rig.place_reducing(2, true);
        assert_eq!(mode_of(&rig), Some("EXPIRE_MAKER"), "{configured:?}");
    }
}

/// The event of a prevented trade, by the venue's fields.
fn prevented(id: &ClientOrderId, status: &str, executed: &str, prevented: &str) -> Value {
    let mut event = event(id, "TRADE_PREVENTION", status, executed, None);
    let fields = json!({"v": 3, "A": prevented, "B": prevented, "u": -1, "U": 77, "pl": prevented, "pL": "0.10264400"});
    event["event"].as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
    event
}

#[test]
fn an_order_that_is_ended_by_prevention_has_expired_with_what_it_traded_before() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.frame(&prevented(&id, "EXPIRED_IN_MATCH", "0.00000000", "1.00000000"));
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Expired]);
    assert_eq!(rig.client.open_orders(), (0, 0));

    let (_, id) = rig.place(2);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.frame(&prevented(&id, "EXPIRED_IN_MATCH", "0.40000000", "0.60000000"));
    assert_eq!(rig.told(), [ReportKind::Accepted], "a trade that it spoke of is missing");
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((9, "0.40000000"))));
    assert_eq!(rig.told(), [ReportKind::Fill, ReportKind::Expired]);
    assert_eq!(rig.client.open_orders(), (0, 0));
}

#[test]
fn an_order_that_lost_a_part_to_prevention_stays_open_and_expires_once_the_rest_is_filled() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.frame(&prevented(&id, "NEW", "0.00000000", "0.30000000"));
    assert_eq!((rig.told(), rig.client.open_orders().0), (vec![ReportKind::Accepted], 1));
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((9, "0.40000000"))));
    assert_eq!(rig.told(), [ReportKind::Fill]);
    rig.frame(&event(&id, "TRADE", "FILLED", "0.70000000", Some((10, "0.30000000"))));
    assert_eq!(rig.told(), [ReportKind::Fill, ReportKind::Expired], "what was prevented never comes");
    assert_eq!(rig.client.open_orders(), (0, 0));
}
