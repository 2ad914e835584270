//! Balances that differ, transfers, and keys.

use super::*;

#[test]
fn a_difference_that_stays_halts_the_instrument_and_a_person_lets_it_go_on() {
    let mut rig = Rig::started();
    rig.balances = vec![("BTC", "9.50000000"), ("ETH", "10.00000000")];
    rig.run(31_000, &Rig::quiet);
    rig.run(2_000, &Rig::quiet);
    assert_eq!(rig.halted, [InstrumentId(0)]);
    // Held first: a run that ended after it was told alone would leave nothing that the next could find, or is held for.
    let at = |wanted: &dyn Fn(&Command) -> bool| rig.commands.iter().position(wanted).expect("it came");
    let held = Command::Pause(InstrumentId(0), PausedBy::Difference);
    let less = |c: &Command| matches!(c, Command::Account(of) if of.amount < 0);
    assert!(at(&|c| *c == held) < at(&less), "{:?}", rig.commands);
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
fn what_the_venues_precision_explains_is_taken_over_and_told_and_no_more_of_it() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    accept(&mut rig, &id);
    // It pays 0.00010264 and 0.10254135, and keeps no more decimals.
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.00100001", Some((71, "0.00100001"))));
    rig.frame(&event(&id, "TRADE", "FILLED", "1.00000000", Some((72, "0.99899999"))));
    rig.balances = vec![("BTC", "9.89735601"), ("ETH", "10.99980000")];
    rig.forget();
    rig.run(31_000, &Rig::quiet);
    let told = |rig: &Rig| {
        let amounts = rig.commands.iter().filter_map(|command| match command {
            Command::Account(of) if of.newest == 0 => Some(of.amount),
            _ => None,
        });
        amounts.collect::<Vec<_>>()
    };
    assert_eq!(rig.client.balance("BTC"), 9_897_356_010_000_000_000, "{:?}", rig.notices);
    assert_eq!(told(&rig), [10_000_000_000], "so that a run that goes on with it knows");
    assert_eq!(rig.notes(|n| matches!(n, Notice::Difference { .. })), 0, "{:?}", rig.notices);
    rig.run(62_000, &Rig::quiet);
    assert_eq!((rig.halted.len(), told(&rig).len()), (0, 1));
    // As little again, which nothing explains.
    rig.balances[0].1 = "9.89735600";
    rig.run(62_000, &Rig::quiet);
    assert_eq!(rig.halted, [InstrumentId(0)]);
}

#[test]
fn a_difference_halts_though_the_venue_cuts_trades_between_any_two_looks() {
    let mut rig = Rig::started();
    rig.forget();
    let mut orders = 0;
    for _ in 0..200 {
        if rig.notes(|n| matches!(n, Notice::Difference { .. })) as u64 >= orders {
            orders += 1;
            let (_, id) = rig.place(orders);
            accept(&mut rig, &id);
            let trades = [(70 + 2 * orders, "0.00100001"), (71 + 2 * orders, "0.99899999")];
            rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.00100001", Some(trades[0])));
            rig.frame(&event(&id, "TRADE", "FILLED", "1.00000000", Some(trades[1])));
            // Half a coin is gone. Each order pays 0.00010264502644 and 0.10254135497356, of which eight decimals are kept.
            let left = format!("{:.8}", 9.5 - 0.102_643_99 * orders as f64);
            let got = format!("{:.8}", 10.0 + 0.999_8 * orders as f64);
            rig.balances = vec![("BTC", left.leak()), ("ETH", got.leak())];
        }
        rig.run(500, &Rig::quiet);
        if !rig.halted.is_empty() {
            break;
        }
    }
    assert_eq!((rig.halted.as_slice(), orders), (&[InstrumentId(0)][..], 2), "{:?}", rig.notices);
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

const REFUSED: &[u8] = br#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#;

/// Calls whether the key is taken, and the number of the last.
fn checks(rig: &Rig) -> Vec<HttpId> {
    let account = |call: &&(HttpId, String)| call.1.contains("/api/v3/account?");
    rig.calls.iter().filter(account).map(|call| call.0).collect()
}

fn answer_check(rig: &mut Rig, status: u16, body: &[u8]) {
    let id = *checks(rig).last().expect("asked");
    rig.input(Input::HttpReply { id, answer: Ok(HttpReply { status, headers: &[], body }) });
}

fn accept(rig: &mut Rig, id: &ClientOrderId) {
    let ack = json!({"symbol": "ETHBTC", "orderId": 4_293_153, "orderListId": -1, "clientOrderId": id.as_str(), "transactTime": START_MS});
    rig.answer("order.place", ack);
    rig.frame(&event(id, "NEW", "NEW", "0.00000000", None));
}

fn refuse_an_order(rig: &mut Rig, number: u64) {
    rig.place(number);
    rig.refuse("order.place", 401, -2015, "Invalid API-key, IP, or permissions for action.");
    assert_eq!(rig.client.trading(rig.now), Err(Paused::Key));
    rig.calls.clear();
}

#[test]
fn a_key_that_is_refused_is_asked_about_each_minute_and_orders_go_on_once_it_is_taken() {
    let mut rig = Rig::started();
    let venue = rig.client.venue.expect("an instrument");
    refuse_an_order(&mut rig, 1);
    let refused = Notice::Key(KeyProblem::RefusedNow { address: None });
    assert_eq!(rig.notes(|n| *n == refused), 1);
    assert_eq!(rig.commands, [Command::Suspend(venue)]);
    rig.told();
    rig.place(2);
    assert_eq!(rig.told(), [ReportKind::Rejected], "nothing is sent meanwhile");
    rig.run(59_000, &Rig::quiet);
    assert_eq!(checks(&rig).len(), 0, "{:?}", rig.calls);
    rig.run(2_000, &Rig::quiet);
    assert_eq!(checks(&rig).len(), 1, "{:?}", rig.calls);
    answer_check(&mut rig, 401, REFUSED);
    rig.run(59_000, &Rig::quiet);
    assert_eq!((checks(&rig).len(), rig.client.trading(rig.now)), (1, Err(Paused::Key)));
    rig.run(2_000, &Rig::quiet);
    assert_eq!(checks(&rig).len(), 2);
    // No answer says nothing.
    let id = *checks(&rig).last().expect("asked");
    rig.input(Input::HttpReply { id, answer: Err(HttpFailure::Lost) });
    assert_eq!(rig.client.trading(rig.now), Err(Paused::Key));
    rig.run(61_000, &Rig::quiet);
    let account = rig.account().to_string();
    answer_check(&mut rig, 200, account.as_bytes());
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    assert_eq!(rig.notes(|n| *n == Notice::KeyTaken), 1);
    assert_eq!(rig.notes(|n| *n == refused), 1, "told once");
    assert_eq!(rig.commands, [Command::Suspend(venue), Command::Reopen(venue)]);
    // It may read, and not trade: asked about more and more rarely, until an order is taken.
    rig.run(200_000, &Rig::quiet);
    refuse_an_order(&mut rig, 3);
    rig.run(119_000, &Rig::quiet);
    assert_eq!(checks(&rig).len(), 0, "it was taken again in vain");
    rig.run(2_000, &Rig::quiet);
    answer_check(&mut rig, 200, account.as_bytes());
    let (_, id) = rig.place(4);
    accept(&mut rig, &id);
    refuse_an_order(&mut rig, 5);
    rig.run(61_000, &Rig::quiet);
    assert_eq!(checks(&rig).len(), 1, "an order had been taken since");
}

#[test]
fn whatever_else_is_wrong_with_the_key_stays_and_takes_the_place_of_what_may_end() {
    let asked_after = |rig: &mut Rig| {
        rig.calls.clear();
        rig.run(400_000, &Rig::quiet);
        (checks(rig).len(), rig.client.trading(rig.now))
    };
    for (status, code) in [(400, -2014), (400, -1022), (401, -1002), (401, -4242)] {
        let mut rig = Rig::started();
        rig.place(1);
        rig.refuse("order.place", status, code, "No.");
        assert_eq!(asked_after(&mut rig), (0, Err(Paused::Key)), "{code}");
        // After -2015, too.
        let mut rig = Rig::started();
        let (_, id) = rig.place(1);
        accept(&mut rig, &id);
        refuse_an_order(&mut rig, 2);
        rig.cancel(1);
        rig.refuse("order.cancel", status, code, "No.");
        assert_eq!(asked_after(&mut rig), (0, Err(Paused::Key)), "{code}");
        assert_eq!(rig.notes(|n| matches!(n, Notice::Key(_))), 2, "{code}: {:?}", rig.notices);
    }
    // An account that may not trade is no better for its key being taken.
    let mut rig = Rig::started();
    refuse_an_order(&mut rig, 1);
    rig.run(61_000, &Rig::quiet);
    answer_check(&mut rig, 200, br#"{"canTrade":false,"balances":[]}"#);
    assert_eq!(rig.notes(|n| *n == Notice::Key(KeyProblem::AccountMayNotTrade)), 1);
    assert_eq!(asked_after(&mut rig), (0, Err(Paused::Key)));
}

#[test]
fn where_the_keys_rights_are_looked_at_they_are_before_orders_go_on() {
    let mut rig = Rig::started();
    rig.client.settings.check_key = true;
    refuse_an_order(&mut rig, 1);
    let account = rig.account().to_string();
    let rights = |rig: &mut Rig, status: u16, body: &Value| {
        let asked = rig.calls.iter().rev().find(|(_, call)| call.contains("apiRestrictions"));
        let (id, body) = (asked.expect("its rights").0, body.to_string());
        rig.calls.clear();
        let reply = HttpReply { status, headers: &[], body: body.as_bytes() };
        rig.input(Input::HttpReply { id, answer: Ok(reply) });
    };
    let check = |rig: &mut Rig| {
        rig.run(61_000, &Rig::quiet);
        answer_check(rig, 200, account.as_bytes());
        assert_eq!(rig.client.trading(rig.now), Err(Paused::Key), "its rights are not known");
    };
    for (status, body) in [
        (200, json!({"enableSpotAndMarginTrading": false, "enableWithdrawals": false})),
        (401, json!({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})),
    ] {
        check(&mut rig);
        rights(&mut rig, status, &body);
        assert_eq!(rig.client.trading(rig.now), Err(Paused::Key), "{body}");
    }
    check(&mut rig);
    rights(&mut rig, 200, &json!({"enableSpotAndMarginTrading": true, "enableWithdrawals": false}));
    assert_eq!(rig.client.trading(rig.now), Ok(()));
    rig.run(1_000, &Rig::quiet);
    refuse_an_order(&mut rig, 2);
    rig.run(61_000, &Rig::quiet);
    check(&mut rig);
    rights(&mut rig, 200, &json!({"enableSpotAndMarginTrading": true, "enableWithdrawals": true}));
    rig.run(400_000, &Rig::quiet);
    assert_eq!(
        (checks(&rig).len(), rig.client.trading(rig.now)),
        (0, Err(Paused::Key)),
        "it may withdraw now"
    );
}
