//! Rules and statuses that change.

use super::*;

/// Answers so the next time that the rules are read.
fn read(rig: &mut Rig, body: &Value) {
    for _ in 0..70 {
        rig.run(10_000, &Rig::quiet);
        if let Some((id, _)) = rig.calls.iter().find(|(_, call)| call.contains("exchangeInfo")).cloned() {
            let body = body.to_string();
            let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
            rig.calls.clear();
            rig.input(Input::HttpReply { id, answer: Ok(reply) });
            return;
        }
    }
    panic!("exchangeInfo is not read again");
}

#[test]
fn what_is_taken_at_the_market_is_followed_too() {
    let mut rig = Rig::started();
    rig.forget();
    let with_market = |max: &str| {
        let mut info = info("TRADING", "0.00000100");
        let filter = json!({"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": max, "stepSize": "0.00000000"});
        info["symbols"][0]["filters"].as_array_mut().expect("a list").push(filter);
        info
    };
    let told = |rig: &mut Rig| rig.market_rules.drain(..).map(|rules| rules.max_qty.0).collect::<Vec<_>>();
    read(&mut rig, &with_market("0.50000000"));
    assert_eq!(told(&mut rig), [50_000_000]);
    rig.place_order(market(1));
    assert_eq!(rig.told(), [ReportKind::Rejected], "that much is not taken at once");
    rig.place_order(Order { qty: Qty(50_000_000), ..market(2) });
    assert_eq!(rig.told(), []);
    read(&mut rig, &with_market("0.50000000"));
    assert!(told(&mut rig).is_empty(), "nothing has changed");
    read(&mut rig, &info("TRADING", "0.00000100"));
    assert_eq!((told(&mut rig), rig.rules.len()), (vec![0], 0), "there is no such bound any more");
}

#[test]
fn a_tick_that_changes_and_a_symbol_that_stops_are_followed() {
    let mut rig = Rig::started();
    rig.forget();
    read(&mut rig, &info("TRADING", "0.00001000"));
    let changed: Vec<String> = rig
        .notices
        .iter()
        .filter(|n| matches!(n, Notice::RulesChanged { .. }))
        .map(ToString::to_string)
        .collect();
    let told = "the rules of instrument 0 changed: PRICE_FILTER tickSize 0.000001 to 0.00001; PRICE_FILTER minPrice 0.000001 to 0.00001";
    assert_eq!(changed, [told]);
    assert_eq!(rig.notes(|n| matches!(n, Notice::RulesUnchanged)), 0, "no order was refused");
    let ticks: Vec<Price> = rig.rules.iter().map(|rules| rules.tick).collect();
    assert_eq!((ticks, &rig.commands[..]), (vec![Price(1_000)], &[][..]), "told once, and that alone");
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected], "0.102644 is off the new tick");
    let named = |n: &Notice| matches!(n, Notice::NotSent { why: LocalRefusal::Rule(rule), .. } if rule.to_string().contains("PRICE_FILTER"));
    assert_eq!(rig.notes(named), 1, "{:?}", rig.notices);
    read(&mut rig, &info("HALT", "0.00000100"));
    assert_eq!(rig.notes(|n| matches!(n, Notice::StatusChanged { .. })), 1);
    assert_eq!(rig.commands, [Command::Pause(InstrumentId(0), PausedBy::Venue)]);
    read(&mut rig, &info("BREAK", "0.00000100"));
    assert_eq!(rig.commands.len(), 1, "it takes no orders still");
    rig.place(2);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    read(&mut rig, &info("TRADING", "0.00000100"));
    rig.place(3);
    assert_eq!(rig.told(), []);
    assert_eq!(rig.commands[1..], [Command::Unpause(InstrumentId(0), PausedBy::Venue)]);
    // What a person paused stays so, whatever the venue says; and a person is obeyed whatever was told before.
    rig.input(Input::Pause(InstrumentId(0)));
    read(&mut rig, &info("HALT", "0.00000100"));
    read(&mut rig, &info("TRADING", "0.00000100"));
    let pause = |by| Command::Pause(InstrumentId(0), by);
    let unpause = |by| Command::Unpause(InstrumentId(0), by);
    let told = [pause(PausedBy::File), pause(PausedBy::Venue), unpause(PausedBy::Venue)];
    assert_eq!(rig.commands[2..], told, "each by whose word it is");
    rig.place(4);
    assert_eq!(rig.told(), [ReportKind::Rejected], "the file holds it still");
    rig.input(Input::Resume(InstrumentId(0)));
    rig.input(Input::Resume(InstrumentId(0)));
    let told = [unpause(PausedBy::Difference), unpause(PausedBy::File)];
    assert_eq!(rig.commands[5..], [told, told].concat());
    rig.place(5);
    assert_eq!(rig.told(), []);
}

#[test]
fn after_a_refusal_by_a_filter_the_rules_are_read_anew_but_not_each_time() {
    let mut rig = Rig::started();
    let reads = |rig: &Rig| rig.calls.iter().filter(|(_, call)| call.contains("exchangeInfo")).count();
    rig.after(10_000);
    for number in 1..=3 {
        rig.place(number);
        rig.refuse("order.place", 400, -1013, "Filter failure: LOT_SIZE");
    }
    assert_eq!(reads(&rig), 1, "{:?}", rig.calls);
    let answer = |rig: &mut Rig| {
        let call = rig.calls.iter().rev().find(|(_, call)| call.contains("exchangeInfo"));
        let (id, body) = (call.expect("asked").0, info("TRADING", "0.00000100").to_string());
        let answer = Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() });
        rig.input(Input::HttpReply { id, answer });
    };
    answer(&mut rig);
    rig.place(4);
    rig.refuse("order.place", 400, -1013, "Filter failure: LOT_SIZE");
    assert_eq!(reads(&rig), 1, "it was read a moment ago");
    rig.run(6_000, &Rig::quiet);
    assert_eq!(reads(&rig), 2);
    answer(&mut rig);
    rig.place(5);
    rig.refuse("order.place", 400, -2010, "Account has insufficient balance for requested action.");
    rig.run(20_000, &Rig::quiet);
    assert_eq!(reads(&rig), 2, "that says nothing of rules");
}

#[test]
fn a_refusal_of_a_numbers_decimals_or_before_the_engine_has_the_rules_read_anew_and_told() {
    for (code, message) in [
        (-1111, "Parameter 'price' has too much precision."),
        (-1013, "This symbol does not allow the specified self-trade prevention mode."),
    ] {
        let mut rig = Rig::started();
        let reads = |rig: &Rig| rig.calls.iter().filter(|(_, call)| call.contains("exchangeInfo")).count();
        let answer = |rig: &mut Rig, body: &Value| {
            let call = rig.calls.iter().rev().find(|(_, call)| call.contains("exchangeInfo"));
            let (id, body) = (call.expect("asked").0, body.to_string());
            let answer = Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() });
            rig.input(Input::HttpReply { id, answer });
        };
        rig.after(10_000);
        for number in 1..=3 {
            rig.place(number);
            rig.refuse("order.place", 400, code, message);
        }
        assert_eq!(reads(&rig), 1, "once for all of them: {code}");
        // The tick stayed, and the decimals did not.
        let mut body = info("TRADING", "0.00000100");
        let row = &mut body["symbols"][0];
        (row["quotePrecision"], row["quoteAssetPrecision"]) = (json!(6), json!(6));
        row["filters"][0]["maxPrice"] = json!("100000.000000");
        for field in ["minPrice", "tickSize"] {
            row["filters"][0][field] = json!("0.000001");
        }
        row["allowedSelfTradePreventionModes"] = json!(["EXPIRE_MAKER", "EXPIRE_TAKER"]);
        answer(&mut rig, &body);
        let told: Vec<String> = rig
            .notices
            .iter()
            .filter(|n| matches!(n, Notice::RulesChanged { .. }))
            .map(ToString::to_string)
            .collect();
        let expected =
            "the rules of instrument 0 changed: quoteAssetPrecision 8 to 6; DECREMENT is not taken any more";
        assert_eq!(told, [expected]);
        rig.place(4);
        rig.refuse("order.place", 400, code, message);
        rig.run(4_000, &Rig::quiet);
        assert_eq!(reads(&rig), 1, "it was read a moment ago");
        rig.run(2_000, &Rig::quiet);
        assert_eq!(reads(&rig), 2);
        answer(&mut rig, &body);
        assert_eq!(rig.notes(|n| matches!(n, Notice::RulesUnchanged)), 1, "nothing had changed");
    }
}

#[test]
fn one_that_stands_by_trades_once_it_was_admitted_and_its_rules_were_read() {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    let (id, by) = (InstrumentId(0), PausedBy::Venue);
    rig.input(Input::StandBy(id));
    assert_eq!(rig.commands, [Command::Pause(id, by)], "before anything can be asked for");
    rig.input(Input::Start);
    rig.settle();
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.forget();
    rig.after(10);
    rig.input(Input::Resume(id));
    rig.place(2);
    assert_eq!(rig.told(), [ReportKind::Rejected], "to resume it is not to add it");
    rig.forget();
    rig.input(Input::Admit(id));
    assert_eq!(rig.commands, [], "its rules are being read");
    let call = rig.calls.iter().find(|(_, call)| call.contains("exchangeInfo")).expect("asked for").0;
    let body = info("TRADING", "0.00000100").to_string();
    let answer = Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() });
    rig.input(Input::HttpReply { id: call, answer });
    assert_eq!(rig.commands, [Command::Unpause(id, by)]);
    rig.place(3);
    assert_eq!(rig.told(), []);
}

#[test]
fn what_only_reduces_leaves_though_a_person_or_a_difference_paused_the_instrument() {
    let id = InstrumentId(0);
    for what in ["paused", "removed", "differs"] {
        let mut rig = Rig::started();
        match what {
            "paused" => rig.input(Input::Pause(id)),
            "removed" => rig.input(Input::RemoveInstrument(id)),
            _ => rig.client.instruments.hold(id, InstrumentPause::Difference, &mut rig.out),
        }
        rig.take();
        rig.forget();
        rig.place(1);
        assert_eq!((rig.told(), rig.count("order.place")), (vec![ReportKind::Rejected], 0), "{what}");
        rig.place_reducing(2, true);
        assert_eq!((rig.told(), rig.count("order.place")), (vec![], 1), "{what}");
    }
    // What the venue would not take is not asked of it, whatever else holds the instrument.
    for why in [InstrumentPause::Starting, InstrumentPause::NotListed, InstrumentPause::Standby] {
        let mut rig = Rig::started();
        rig.client.instruments.hold(id, InstrumentPause::Paused, &mut rig.out);
        rig.client.instruments.hold(id, why, &mut rig.out);
        rig.take();
        rig.forget();
        rig.place_reducing(1, true);
        assert_eq!((rig.told(), rig.count("order.place")), (vec![ReportKind::Rejected], 0), "{why}");
        let named = LocalRefusal::Instrument(why);
        let of_it = |n: &Notice| matches!(n, Notice::NotSent { why, .. } if *why == named);
        assert_eq!(rig.notes(of_it), 1, "{:?}", rig.notices);
    }
}

#[test]
fn a_symbol_that_does_not_trade_is_looked_at_every_few_seconds_alone_and_leaves_when_it_trades_again() {
    let other =
        Instrument { id: InstrumentId(1), symbol: "NOPEBTC".to_owned(), base: "NOPE".to_owned(), ..ethbtc() };
    let settings = ClientSettings { check_key: false, ..ClientSettings::default() };
    assert_eq!(settings.info_every, std::time::Duration::from_secs(600), "as nobody set it");
    let mut rig = Rig::of(settings, vec![ethbtc(), other]);
    rig.unlisted = "none";
    rig.input(Input::Start);
    rig.settle();
    rig.forget();
    rig.after(10_000);
    let answer = |rig: &mut Rig, body: &Value| {
        let (id, call) =
            rig.calls.iter().find(|(_, call)| call.contains("exchangeInfo")).expect("asked").clone();
        let body = body.to_string();
        rig.calls.clear();
        rig.input(Input::HttpReply {
            id,
            answer: Ok(HttpReply { status: 200, headers: &[], body: body.as_bytes() }),
        });
        call
    };
    // A stop meets the halt, and nothing of the symbol is sent from then on.
    rig.place_reducing(1, true);
    rig.refuse("order.place", 400, -1013, "Market is closed.");
    answer(&mut rig, &with_nope(info("HALT", "0.00000100")));
    rig.place_reducing(2, true);
    assert_eq!((rig.told().len(), rig.count("order.place")), (2, 1), "it is refused here");
    let nope = |number| Order { instrument: InstrumentId(1), ..limit(number) };
    // NOPEBTC came with the same status in that answer, and trades again by the next.
    let begun = rig.now;
    let mut asked = Vec::new();
    for status in ["HALT", "HALT", "TRADING"] {
        while !rig.calls.iter().any(|(_, call)| call.contains("exchangeInfo")) {
            rig.run(100, &Rig::quiet);
        }
        let mut body = with_nope(info(status, "0.00000100"));
        body["symbols"][1]["status"] = json!("TRADING");
        asked.push(answer(&mut rig, &body));
    }
    let named = |symbols: &str| format!("GET /api/v3/exchangeInfo?symbols=%5B%22{symbols}%22%5D");
    let alone = named("ETHBTC");
    assert_eq!(asked, [named("ETHBTC%22%2C%22NOPEBTC"), alone.clone(), alone]);
    let waited_ms = rig.now.since(begun) / 1_000_000;
    assert!((15_000..16_500).contains(&waited_ms), "five seconds each: {waited_ms}");
    rig.place_reducing(3, true);
    rig.place_order(nope(4));
    assert_eq!((rig.told(), rig.count("order.place")), (vec![], 3), "both trade");
    rig.run(60_000, &Rig::quiet);
    assert!(
        !rig.calls.iter().any(|(_, call)| call.contains("exchangeInfo")),
        "nothing is held back any more"
    );
}

#[test]
fn what_is_removed_has_its_own_orders_taken_back_and_nobody_elses() {
    let mut rig = Rig::started();
    let placed = |rig: &mut Rig, number, venue_id: u64| {
        let (_, id) = rig.place(number);
        let mut told = event(&id, "NEW", "NEW", "0.00000000", None);
        told["event"]["i"] = json!(venue_id);
        rig.frame(&told);
    };
    placed(&mut rig, 1, 11);
    placed(&mut rig, 2, 12);
    let mut manual = event(&ClientOrderId::derive(9, OrderId(9)), "NEW", "NEW", "0.00000000", None);
    (manual["event"]["c"], manual["event"]["i"]) = (json!("manual1"), json!(13));
    rig.frame(&manual);
    assert_eq!(rig.client.external_orders(), 1);
    rig.forget();
    rig.input(Input::RemoveInstrument(InstrumentId(0)));
    assert_eq!(rig.count("openOrders.cancelAll"), 0);
    let cancels: Vec<u64> = rig
        .texts
        .iter()
        .filter(|(_, text)| text["method"] == "order.cancel")
        .map(|(_, text)| text["params"]["orderId"].as_u64().expect("by its number"))
        .collect();
    assert_eq!(cancels, [11, 12]);
}

#[test]
fn what_is_removed_is_taken_back_however_often_the_venue_does_not_do_it() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.forget();
    rig.input(Input::RemoveInstrument(InstrumentId(0)));
    let mut refused = 0;
    for _ in 0..12_000 / 50 {
        if rig.count("order.cancel") > refused {
            refused += 1;
            rig.refuse("order.cancel", 400, -1100, "Illegal characters found in a parameter.");
        }
        rig.after(50);
    }
    assert!((10..=13).contains(&refused), "once a second: {refused}");
    rig.frame(&event(&id, "CANCELED", "CANCELED", "0.00000000", None));
    rig.after(3_000);
    let sent = rig.count("order.cancel");
    rig.after(3_000);
    assert_eq!((rig.count("order.cancel"), rig.client.open_orders()), (sent, (0, 0)));
}
