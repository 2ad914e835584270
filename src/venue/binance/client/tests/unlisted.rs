//! Instruments that the venue does not list, or lists no more: they keep nothing else from being traded.

use super::*;

fn nopebtc() -> Instrument {
    Instrument { id: InstrumentId(1), symbol: "NOPEBTC".to_owned(), base: "NOPE".to_owned(), ..ethbtc() }
}

const NAMED: &str = "GET /api/v3/exchangeInfo?symbols=%5B%22ETHBTC%22%2C%22NOPEBTC%22%5D";
const LISTED: &str = "GET /api/v3/exchangeInfo?symbols=%5B%22ETHBTC%22%5D";
const ALONE: &str = "GET /api/v3/exchangeInfo?symbols=%5B%22NOPEBTC%22%5D";
const EVERYTHING: &str = "GET /api/v3/exchangeInfo";

fn two() -> Rig {
    let mut rig =
        Rig::of(ClientSettings { check_key: false, ..ClientSettings::default() }, vec![ethbtc(), nopebtc()]);
    rig.input(Input::Start);
    rig
}

/// Answers everything for so many seconds.
fn live_on(rig: &mut Rig, seconds: u64) {
    let opened = rig.opened.len();
    rig.settle_for(seconds * 1_000, opened);
}

fn reconciled(rig: &Rig) -> usize {
    rig.texts.iter().filter(|(_, text)| text["method"] == "account.status").count()
}

#[test]
fn one_that_the_venue_does_not_list_keeps_no_other_from_trading() {
    let mut rig = two();
    rig.settle();
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    assert_eq!(rig.reads, [NAMED, EVERYTHING]);
    assert!(rig.refused <= 2, "its trades and its open orders, at most: {}", rig.refused);
    let paused = |n: &Notice| matches!(n, Notice::InstrumentPaused { instrument: InstrumentId(1), .. });
    assert!(rig.notes(paused) > 0, "{:?}", rig.notices);
    rig.forget();
    rig.place(1);
    assert_eq!(rig.told(), []);
    rig.refuse("order.place", 400, -2010, "Account has insufficient balance for requested action.");
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.place_order(Order { instrument: InstrumentId(1), ..limit(2) });
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    // Looks end, and nothing is asked of it any more.
    let (asked, reads) = (rig.refused, rig.reads.len());
    for _ in 0..3 {
        live_on(&mut rig, 30);
    }
    assert!(reconciled(&rig) >= 3);
    assert_eq!(rig.refused, asked);
    // But whether it is listed by now: of it alone twice a minute, and of all once in ten.
    assert_eq!(rig.reads[reads..], [ALONE; 3]);
    live_on(&mut rig, 600);
    let of_all = rig.reads[reads..].iter().filter(|read| *read != ALONE);
    assert_eq!(of_all.collect::<Vec<_>>(), [NAMED, LISTED]);
    let reads = rig.reads.len();
    rig.unlisted = "none";
    live_on(&mut rig, 60);
    assert_eq!(rig.reads[reads..], [ALONE], "it is there");
    rig.place_order(Order { instrument: InstrumentId(1), ..limit(3) });
    rig.told();
    live_on(&mut rig, 600);
    assert_eq!(rig.reads[reads + 1..], [NAMED]);
}

#[test]
fn one_that_is_taken_off_the_list_is_held_and_the_others_are_looked_at_on() {
    let mut rig = two();
    rig.unlisted = "none";
    rig.settle();
    assert_eq!(rig.reads, [NAMED]);
    rig.forget();
    rig.unlisted = "NOPEBTC";
    live_on(&mut rig, 60);
    assert!(reconciled(&rig) >= 1, "the look ends");
    let of_all: Vec<_> = rig.reads[1..].iter().filter(|read| *read != ALONE).collect();
    assert_eq!(of_all, [NAMED, LISTED], "the rules are read for the sake of that");
    assert_eq!(rig.client.trading(rig.now), Ok(()));
    rig.place(1);
    assert_eq!(rig.told(), []);
    rig.place_order(Order { instrument: InstrumentId(1), ..limit(2) });
    assert_eq!(rig.told(), [ReportKind::Rejected]);
}

#[test]
fn one_that_is_listed_later_has_its_newest_trade_looked_at_before_it_trades() {
    let mut rig = two();
    rig.settle();
    rig.forget();
    rig.unlisted = "none";
    rig.input(Input::Admit(InstrumentId(1)));
    // Listed by now, with the other.
    let both = |rig: &mut Rig| {
        let call = rig.calls.pop().expect("asked for").0;
        let body = with_nope(info("TRADING", "0.00000100")).to_string();
        let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
        rig.input(Input::HttpReply { id: call, answer: Ok(reply) });
    };
    assert_eq!(rig.calls.iter().map(|(_, call)| call.as_str()).collect::<Vec<_>>(), [NAMED]);
    both(&mut rig);
    let nope = |number| Order { instrument: InstrumentId(1), ..limit(number) };
    rig.place_order(nope(1));
    assert_eq!(rig.told(), [ReportKind::Rejected], "its trades were never looked at");
    live_on(&mut rig, 31);
    let newest =
        rig.texts.iter().find(|(_, t)| t["method"] == "myTrades" && t["params"]["symbol"] == "NOPEBTC");
    let newest = &newest.expect("asked for").1["params"];
    assert_eq!((&newest["limit"], newest.get("fromId")), (&json!(1), None), "not each of its past");
    rig.place_order(nope(2));
    assert_eq!(rig.told(), []);
}

#[test]
fn rules_that_cannot_be_read_are_asked_for_less_and_less() {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    rig.input(Input::Start);
    let mut asked = Vec::new();
    let start = rig.server_ms();
    for _ in 0..30_000 {
        rig.after(10);
        for (id, call) in std::mem::take(&mut rig.calls) {
            let known = call.contains("/time");
            if !known {
                asked.push((rig.server_ms() - start) / 1_000);
            }
            let body = if known {
                json!({"serverTime": rig.server_ms()})
            } else {
                json!({"code": -1000, "msg": "x"})
            };
            let (status, body) = (if known { 200 } else { 500 }, body.to_string());
            let reply = HttpReply { status, headers: &[], body: body.as_bytes() };
            rig.input(Input::HttpReply { id, answer: Ok(reply) });
        }
    }
    assert_eq!(asked, [0, 0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
}
