//! Balances that differ, transfers, and keys.

use super::*;

#[test]
fn a_difference_that_stays_halts_the_instrument_and_a_person_lets_it_go_on() {
    let mut rig = Rig::started();
    rig.balances = vec![("BTC", "9.50000000"), ("ETH", "10.00000000")];
    rig.run(31_000, &Rig::quiet);
    rig.run(2_000, &Rig::quiet);
    assert_eq!(rig.halted, [InstrumentId(0)]);
    let told = rig.notices.iter().rev().find_map(|n| match n {
        Notice::Difference { asset, venue, ours, halts: true } => {
            Some((asset.clone(), venue.to_string(), ours.to_string()))
        }
        _ => None,
    });
    let (asset, venue, ours) = told.expect("told");
    assert_eq!(
        (asset.as_str(), venue.as_str(), ours.as_str()),
        ("BTC", "9.500000000000000000", "10.000000000000000000")
    );
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.input(Input::Resume(InstrumentId(0)));
    rig.run(62_000, &Rig::quiet);
    assert_eq!(rig.client.balance("BTC"), 9_500_000_000_000_000_000);
    assert_eq!(rig.halted.len(), 1);
    rig.place(2);
    assert_eq!(rig.told(), []);
}

#[test]
fn a_difference_in_what_nothing_trades_is_told_and_taken_over() {
    let mut rig = Rig::started();
    rig.balances = vec![("BTC", "10.00000000"), ("ETH", "10.00000000"), ("BNB", "3.00000000")];
    rig.run(200_000, &Rig::quiet);
    let about = |rig: &Rig, adopted: bool| {
        let is_one = |n: &&Notice| match n {
            Notice::Adopted { asset, .. } => adopted && asset == "BNB",
            Notice::Difference { asset, halts, .. } => !adopted && asset == "BNB" && !halts,
            _ => false,
        };
        rig.notices.iter().filter(is_one).count()
    };
    assert_eq!((about(&rig, false), about(&rig, true)), (1, 1), "{:?}", rig.notices);
    assert_eq!(rig.notices.last(), Some(&Notice::Reconciled));
    assert_eq!(rig.client.balance("BNB"), 3_000_000_000_000_000_000);
    assert!(rig.halted.is_empty());
}

#[test]
fn a_transfer_moves_what_should_be_there_once() {
    let mut rig = Rig::started();
    let transfer = json!({"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 2, "a": "BTC", "d": "-0.50000000", "T": 1}});
    rig.frame(&transfer);
    rig.frame(&transfer);
    assert_eq!(rig.client.balance("BTC"), 9_500_000_000_000_000_000);
    rig.balances = vec![("BTC", "9.50000000"), ("ETH", "10.00000000")];
    rig.run(65_000, &Rig::quiet);
    assert!(rig.halted.is_empty());
}

#[test]
fn keys_with_wrong_rights_are_refused() {
    for (rights, problem) in [
        (json!({"enableSpotAndMarginTrading": true, "enableWithdrawals": true}), KeyProblem::MayWithdraw),
        (json!({"enableSpotAndMarginTrading": false, "enableWithdrawals": false}), KeyProblem::MayNotTrade),
    ] {
        let mut rig = Rig::with(ClientSettings::default());
        rig.input(Input::Start);
        let time = rig.calls.iter().find(|(_, call)| call.contains("/time")).expect("the time").0;
        let body = json!({"serverTime": START_MS}).to_string();
        rig.input(Input::HttpReply {
            id: time,
            answer: Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() }),
        });
        let asked =
            rig.calls.iter().find(|(_, call)| call.contains("apiRestrictions")).expect("its rights").0;
        let body = rights.to_string();
        rig.input(Input::HttpReply {
            id: asked,
            answer: Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() }),
        });
        assert!(rig.notices.contains(&Notice::Key(problem)), "{:?}", rig.notices);
        assert_eq!(rig.client.trading(rig.now), Err(Paused::Key));
    }
}
