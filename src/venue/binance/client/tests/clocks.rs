//! Limits and refusals where the venue's clock and ours are far apart, from the start or all at once.

use super::*;

/// Ahead of ours and behind it, with windows that begin with ours and others.
const APART_MS: [i64; 4] = [-600_000, -603_000, 600_000, 603_000];
/// Of the venue's 100 orders in 10 s 95 are used, 9 of them for what reduces.
const ORDERS: usize = 86;

fn place_and_refuse(rig: &mut Rig, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let before = rig.count("order.place");
        rig.place(number);
        if rig.count("order.place") > before {
            rig.refuse("order.place", 400, -2010, "Account has insufficient balance.");
        }
    }
}

#[test]
fn no_limit_is_passed_and_nothing_held_up_by_a_host_whose_clock_is_off_at_the_start() {
    for apart_ms in APART_MS {
        let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
        rig.skew_ms = apart_ms;
        rig.input(Input::Start);
        rig.settle();
        assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
        for window in 1..=3 {
            rig.forget();
            place_and_refuse(&mut rig, 1_000 * window..=1_000 * window + 199);
            assert_eq!(rig.count("order.place"), ORDERS, "{apart_ms}: window {window}");
            rig.place_reducing(1_000 * window + 500, true);
            assert_eq!(rig.count("order.place"), ORDERS + 1, "{apart_ms}: what is kept for exits is there");
            rig.refuse("order.place", 400, -2010, "Account has insufficient balance.");
            rig.after(10_000);
        }
    }
}

#[test]
fn a_refusal_before_the_venues_clock_is_known_lasts_as_long_as_it_says() {
    for apart_ms in APART_MS {
        let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
        rig.skew_ms = apart_ms;
        rig.input(Input::Start);
        let call = |rig: &mut Rig, of: &str| {
            let at = rig.calls.iter().position(|(_, call)| call.contains(of)).expect("asked");
            rig.calls.remove(at).0
        };
        let (info, time) = (call(&mut rig, "exchangeInfo"), call(&mut rig, "/time"));
        let headers = [("Retry-After", "3")];
        let body = br#"{"code":-1003,"msg":"Too much request weight used."}"#;
        rig.input(Input::HttpReply {
            id: info,
            answer: Ok(HttpReply { status: 429, headers: &headers, body }),
        });
        // The venue's clock comes to be known by what was asked before.
        let body = json!({"serverTime": rig.server_ms()}).to_string();
        let reply = HttpReply { status: 200, headers: &[], body: body.as_bytes() };
        rig.input(Input::HttpReply { id: time, answer: Ok(reply) });
        rig.forget();
        for _ in 0..59 {
            rig.after(50);
            assert!(rig.texts.is_empty() && rig.calls.is_empty(), "{apart_ms}: silence");
        }
        rig.after(50);
        rig.settle_for(3_000, 0);
        assert_eq!(rig.client.trading(rig.now), Ok(()), "{apart_ms}: {:?}", rig.notices);
        assert_eq!(rig.client.refusals(), 1);
    }
}

#[test]
fn a_venues_clock_that_is_set_forgets_no_order_and_holds_none_up() {
    for apart_ms in APART_MS {
        let mut rig = Rig::started();
        place_and_refuse(&mut rig, 1..=ORDERS as u64 - 1);
        rig.skew_ms = apart_ms;
        rig.place(100);
        rig.refuse("order.place", 400, -1021, "Timestamp for this request is outside of the recvWindow.");
        assert_eq!(rig.client.trading(rig.now), Err(Paused::Clock));
        rig.answered =
            rig.texts.iter().position(|(_, text)| text["method"] == "time").unwrap_or(rig.texts.len());
        rig.settle_for(1_000, rig.opened.len());
        assert_eq!(rig.client.trading(rig.now), Ok(()), "{apart_ms}: {:?}", rig.notices);
        place_and_refuse(&mut rig, 200..=210);
        assert_eq!(
            rig.count("order.place"),
            ORDERS,
            "{apart_ms}: the venue may have counted them in this window"
        );
        rig.after(10_000);
        place_and_refuse(&mut rig, 300..=310);
        assert_eq!(rig.count("order.place"), ORDERS + 11, "{apart_ms}: the next one");
    }
}
