//! Sessions that go down, fall silent or cannot be read; bans, and times in which nothing can be sent.

use super::*;

#[test]
fn a_session_that_goes_down_is_replaced_before_it_is_closed() {
    let mut rig = Rig::started();
    let old = *rig.opened.last().expect("a session");
    rig.frame(&json!({"event": {"e": "serverShutdown", "E": START_MS}}));
    let new = *rig.opened.last().expect("another");
    assert!(new != old && rig.closed.is_empty());
    rig.place(1);
    assert_eq!(rig.texts.last().expect("sent").0, old, "orders go on by the old one");
    rig.input(Input::SessionOpened(new));
    rig.run(100, &Rig::quiet);
    rig.place(2);
    assert_eq!(rig.texts.last().expect("sent").0, new);
    assert!(rig.closed.is_empty());
    rig.run(6_000, &Rig::quiet);
    assert_eq!(rig.closed, [old]);
    assert_eq!(rig.notes(|notice| matches!(notice, Notice::StreamGap)), 0);
}

#[test]
fn a_silent_session_is_asked_and_then_closed_and_another_is_opened() {
    let mut rig = Rig::started();
    let session = *rig.opened.last().expect("a session");
    let opened = rig.opened.len();
    for _ in 0..200 {
        rig.after(100);
    }
    assert_eq!(rig.closed, [session]);
    assert!(rig.opened.len() > opened);
    assert_eq!(rig.notes(|n| matches!(n, Notice::SessionLost { why: SessionEnd::Silent, .. })), 1);
    assert_eq!(rig.notes(|n| matches!(n, Notice::StreamGap)), 1);
}

#[test]
fn a_message_that_cannot_be_read_ends_the_session_and_its_orders_are_asked_for() {
    for bytes in [
        b"{\"id\":1,\"sta".to_vec(),
        b"<html>".to_vec(),
        vec![b'['; 1_000_000],
        vec![b' '; FRAME_BYTES_MAX + 1],
    ] {
        let mut rig = Rig::started();
        rig.place(1);
        let session = *rig.opened.last().expect("a session");
        rig.input(Input::SessionFrame(session, &bytes));
        assert_eq!(rig.notes(|n| matches!(n, Notice::Unreadable { .. })), 1);
        assert_eq!((rig.closed.len(), rig.client.open_orders()), (1, (1, 1)));
    }
}

#[test]
fn a_ban_is_kept_and_cancels_wait_for_its_end() {
    let mut rig = Rig::started();
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.place(2);
    let until = rig.server_ms() + 7_000;
    let request = rig.last("order.place")["id"].clone();
    rig.frame(&json!({"id": request, "status": 418, "error": {"code": -1003, "msg": "Way too much request weight used",
        "data": {"serverTime": until - 7_000, "retryAfter": until}}}));
    assert_eq!(rig.told(), [ReportKind::Accepted, ReportKind::Rejected]);
    rig.forget();
    rig.cancel(1);
    rig.place(3);
    assert_eq!(rig.told(), [ReportKind::Rejected], "an order is refused at once");
    assert_eq!(rig.commands, [], "that the venue wants silence was told with its word");
    assert_eq!(rig.notes(|n| matches!(n, Notice::CancelWaits { .. })), 1);
    while rig.server_ms() < until {
        assert!(rig.texts.is_empty() && rig.calls.is_empty(), "silence");
        rig.after(50);
    }
    rig.after(50);
    assert_eq!(rig.count("order.cancel"), 1);
    assert_eq!(rig.client.refusals(), 1);
    assert_eq!(rig.commands, [Command::Reopen(VenueId(0))]);
    rig.place(4);
    assert_eq!(rig.told(), [], "orders are taken again");
}

#[test]
fn what_is_left_of_the_rate_limit_is_kept_for_orders_that_reduce() {
    let mut rig = Rig::started();
    let (ration, unration) = (Command::Ration(VenueId(0)), Command::Unration(VenueId(0)));
    let refuse = |rig: &mut Rig| rig.refuse("order.place", 400, -2010, "Account has insufficient balance.");
    // 95 of the venue's 100 are used, 9 of them for what reduces.
    for number in 1..=86 {
        rig.place(number);
        refuse(&mut rig);
    }
    assert_eq!((rig.count("order.place"), rig.commands.as_slice()), (86, [].as_slice()));
    rig.place(87);
    rig.place(88);
    assert_eq!((rig.count("order.place"), rig.commands.as_slice()), (86, [ration].as_slice()), "told once");
    assert_eq!(rig.notes(|n| matches!(n, Notice::Rationed { .. })), 1);
    assert_eq!(rig.client.trading(rig.now), Ok(()));
    rig.told();
    for number in 101..=109 {
        rig.place_reducing(number, true);
        refuse(&mut rig);
    }
    assert_eq!((rig.count("order.place"), rig.commands.as_slice()), (95, [ration].as_slice()), "these went");
    rig.place_reducing(110, true);
    assert_eq!((rig.count("order.place"), rig.commands.len()), (95, 2), "the end of it");
    assert_eq!(rig.commands[1], Command::Suspend(VenueId(0)));
    rig.after(10_100);
    assert_eq!(rig.commands[2..], [unration, Command::Reopen(VenueId(0))], "the next window");
    rig.place(111);
    assert_eq!(rig.count("order.place"), 96);
}

#[test]
fn while_nothing_can_be_sent_the_ring_is_told_once_and_told_again_when_it_can() {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    rig.input(Input::Start);
    for number in 1..=100 {
        rig.place(number);
    }
    assert_eq!(rig.commands, [Command::Suspend(VenueId(0))], "before the account was looked at");
    rig.settle();
    rig.commands.retain(|command| !matches!(command, Command::Account(_)));
    assert_eq!(rig.commands[1..], [Command::Reopen(VenueId(0))]);
    // No session, and REST without a connection.
    let session = *rig.opened.last().expect("a session");
    rig.forget();
    rig.input(Input::SessionClosed(session));
    assert_eq!(rig.commands, [], "orders go by REST");
    rig.place(101);
    let unsent = rig.calls.iter().find(|(_, call)| call.starts_with("POST /api/v3/order?")).expect("tried").0;
    rig.input(Input::HttpReply { id: unsent, answer: Err(HttpFailure::NotSent) });
    rig.calls.retain(|(id, _)| *id != unsent);
    assert_eq!(rig.commands, [Command::Suspend(VenueId(0))]);
    assert_eq!(rig.client.trading(rig.now), Err(Paused::NoConnection));
    rig.settle();
    assert_eq!(rig.commands[1..], [Command::Reopen(VenueId(0))], "with the next session");
    rig.place(102);
    assert_eq!(rig.count("order.place"), 1);
}

#[test]
fn a_start_without_a_session_says_what_it_waits_for_also_where_orders_go_by_rest() {
    let settings = ClientSettings { check_key: false, rest: RestUse::Always, ..ClientSettings::default() };
    let mut rig = Rig::with(settings);
    rig.input(Input::Start);
    assert_eq!(rig.client.trading(rig.now), Err(Paused::Starting));
    let opening = *rig.opened.last().expect("asked for");
    rig.input(Input::SessionClosed(opening));
    assert_eq!(rig.client.trading(rig.now), Err(Paused::NoSession));
    let told = rig.notices.iter().map(ToString::to_string).find(|told| told.contains("ws_api"));
    assert!(told.is_some_and(|told| told.contains("no session of the WebSocket API")), "{:?}", rig.notices);
    // It is tried again, and orders are taken once there is one.
    rig.after(1_000);
    rig.answered = 0;
    let before = rig.opened.len();
    assert!(before > 1, "{:?}", rig.opened);
    rig.settle_for(2_000, before - 1);
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    let session = *rig.opened.last().expect("there is one");
    rig.input(Input::SessionClosed(session));
    assert_eq!(rig.client.trading(rig.now), Ok(()), "by REST, once the account is known");
}
