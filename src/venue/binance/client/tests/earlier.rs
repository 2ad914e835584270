//! The account at the start of a run that goes on where another ended.

use super::*;
use crate::domain::event::{Account, FeeAsset};
use std::collections::BTreeMap;

const UNIT: i128 = 1_000_000_000_000_000_000;

/// A client that an earlier run left ten of each, at a venue that has so much.
fn going_on(btc: &'static str, eth: &'static str) -> Rig {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    rig.balances = vec![("BTC", btc), ("ETH", eth), ("BNB", "3.00000000")];
    let account = [("BTC".to_owned(), 10 * UNIT), ("ETH".to_owned(), 10 * UNIT)];
    let newest = BTreeMap::from([(InstrumentId(0), 70)]);
    rig.input(Input::Left { account: &account, cut: &BTreeMap::new(), newest: &newest });
    rig.input(Input::Start);
    rig.settle();
    rig
}

fn account(asset: FeeAsset, amount: i128, is_all: bool) -> Command {
    Command::Account(Account { instrument: InstrumentId(0), asset, amount, is_all, newest: 0 })
}

/// Trades up to this one were seen.
fn seen(newest: u64) -> Command {
    let (instrument, asset) = (InstrumentId(0), FeeAsset::Base);
    Command::Account(Account { instrument, asset, amount: 0, is_all: false, newest })
}

fn told(rig: &Rig) -> Vec<Command> {
    rig.commands.iter().filter(|c| matches!(c, Command::Account(_))).copied().collect()
}

#[test]
fn an_account_that_is_as_it_was_left_is_traded_on_at_once() {
    let mut rig = going_on("10.00000000", "10.00000000");
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    assert!(rig.halted.is_empty());
    // The earlier run has said what there is; of what nothing trades nobody asks.
    assert_eq!(told(&rig), []);
    assert_eq!(rig.count("account.status"), 2, "looked at once");
    assert_eq!(rig.last("myTrades")["params"]["fromId"], 71, "what came since");
    rig.forget();
    rig.place(1);
    assert_eq!((rig.count("order.place"), rig.told()), (1, vec![]));
}

#[test]
fn of_what_was_left_as_much_may_differ_as_the_venue_cut_of_the_trades_since_it_was_compared() {
    for (trades, halts) in [(0, 1), (1, 1), (2, 0)] {
        let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
        rig.balances = vec![("BTC", "9.99999999"), ("ETH", "10.00000000")];
        let account = [("BTC".to_owned(), 10 * UNIT), ("ETH".to_owned(), 10 * UNIT)];
        let (cut, newest) =
            (BTreeMap::from([("BTC".to_owned(), trades)]), BTreeMap::from([(InstrumentId(0), 70)]));
        rig.input(Input::Left { account: &account, cut: &cut, newest: &newest });
        rig.input(Input::Start);
        rig.settle();
        rig.run(2_000, &Rig::quiet);
        assert_eq!(rig.halted.len(), halts, "{trades}: {:?}", rig.notices);
    }
}

#[test]
fn what_went_meanwhile_halts_before_an_order_is_taken_until_a_person_has_looked() {
    let mut rig = going_on("9.50000000", "10.00000000");
    rig.run(2_000, &Rig::quiet);
    assert_eq!(rig.halted, [InstrumentId(0)]);
    let amounts = rig.notices.iter().find_map(|n| match n {
        Notice::Meanwhile { asset, venue, ours, difference } => {
            Some([asset.clone(), format!("{venue:#}"), format!("{ours:#}"), format!("{difference:#}")])
        }
        _ => None,
    });
    assert_eq!(amounts.expect("told"), ["BTC", "9.5", "10", "-0.5"].map(str::to_owned));
    let paused = Command::Pause(InstrumentId(0), PausedBy::Difference);
    let at = |wanted: Command| rig.commands.iter().position(|command| *command == wanted);
    assert!(at(paused).expect("held") < at(Command::Reopen(VenueId(0))).expect("it trades"), "first held");
    // It cannot be spent, nor sold, from now on, whoever is to say that it is right.
    assert_eq!(told(&rig), [account(FeeAsset::Quote, -UNIT / 2, false)]);
    rig.place(1);
    assert_eq!(rig.told(), [ReportKind::Rejected]);
    rig.forget();
    rig.input(Input::LookedAt(InstrumentId(0)));
    rig.run(62_000, &Rig::quiet);
    assert_eq!(rig.client.balance("BTC"), 9_500_000_000_000_000_000);
    assert_eq!(told(&rig), [], "it is told once");
    rig.place(2);
    assert_eq!(rig.told(), []);
}

#[test]
fn what_came_meanwhile_is_the_wallets_once_a_person_has_looked_and_what_is_found_again_is_given_back() {
    let mut rig = going_on("10.50000000", "10.00000000");
    rig.run(2_000, &Rig::quiet);
    assert_eq!((rig.halted.len(), told(&rig)), (1, vec![]), "nobody has said whose it is");
    rig.input(Input::LookedAt(InstrumentId(0)));
    rig.run(62_000, &Rig::quiet);
    assert_eq!(told(&rig), [account(FeeAsset::Quote, UNIT / 2, false)]);
    // Less than there should be, and then as much again, as if the venue had told of a trade late.
    rig.forget();
    rig.balances[0].1 = "9.50000000";
    rig.run(62_000, &Rig::quiet);
    assert_eq!(told(&rig), [account(FeeAsset::Quote, -UNIT, false)]);
    rig.balances[0].1 = "10.50000000";
    rig.run(62_000, &Rig::quiet);
    assert_eq!(told(&rig)[1..], [account(FeeAsset::Quote, UNIT, false)]);
    assert_eq!(rig.client.balance("BTC"), 10_500_000_000_000_000_000);
}

#[test]
fn the_ring_is_told_what_the_account_has_and_what_moves_it_that_is_no_trade_of_ours() {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    rig.input(Input::Start);
    rig.settle();
    let both = [FeeAsset::Quote, FeeAsset::Base].map(|asset| account(asset, 10 * UNIT, true));
    assert_eq!(told(&rig), both);
    rig.forget();
    let transfer = json!({"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 2, "a": "BTC", "d": "-0.50000000", "T": 1}});
    rig.frame(&transfer);
    rig.frame(&transfer);
    assert_eq!(told(&rig), [account(FeeAsset::Quote, -UNIT / 2, false)], "once");
    rig.forget();
    // A trade of ours is in the ring by itself; one made elsewhere is not.
    let (_, id) = rig.place(1);
    rig.frame(&event(&id, "NEW", "NEW", "0.00000000", None));
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.40000000", Some((9, "0.40000000"))));
    assert_eq!(told(&rig), []);
    let mut theirs = event(&id, "TRADE", "FILLED", "1.00000000", Some((10, "1.00000000")));
    (theirs["event"]["c"], theirs["event"]["i"]) = (json!("web_9"), json!(77));
    rig.frame(&theirs);
    let moved = [
        account(FeeAsset::Base, UNIT, false),
        account(FeeAsset::Quote, -102_644_000_000_000_000, false),
        account(FeeAsset::Base, -100_000_000_000_000, false),
        seen(10),
    ];
    assert_eq!(told(&rig), moved);
}

#[test]
fn a_trade_made_elsewhere_while_nothing_ran_is_told_once_whatever_is_started_after() {
    let elsewhere = json!([{"symbol": "ETHBTC", "id": 75, "orderId": 99, "price": "0.10264400", "qty": "1.00000000",
        "commission": "0.00100000", "commissionAsset": "ETH", "time": START_MS, "isBuyer": true, "isMaker": false}]);
    let begun = |newest: u64| {
        let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
        rig.balances = vec![("BTC", "10.00000000"), ("ETH", "10.00000000")];
        rig.trades = if newest < 75 { elsewhere.clone() } else { json!([]) };
        let account = [("BTC".to_owned(), 10 * UNIT), ("ETH".to_owned(), 10 * UNIT)];
        let newest = BTreeMap::from([(InstrumentId(0), newest)]);
        rig.input(Input::Left { account: &account, cut: &BTreeMap::new(), newest: &newest });
        rig.input(Input::Start);
        rig.settle();
        let trades = rig.notices.iter().filter(|n| matches!(n, Notice::TradedMeanwhile { .. })).count();
        (rig.last("myTrades")["params"]["fromId"].clone(), trades, told(&rig))
    };
    assert_eq!(begun(70), (json!(71), 1, vec![seen(75)]));
    // What the ring was told is in the journal, so the next run knows it.
    assert_eq!(begun(75), (json!(76), 0, vec![]));
}

#[test]
fn a_trade_told_late_of_an_order_that_was_over_before_the_run_is_that_orders() {
    let mut rig = Rig::with(ClientSettings { check_key: false, ..ClientSettings::default() });
    let id = ClientOrderId::derive(7, OrderId(5));
    let ended = crate::domain::order::OrderState {
        filled: Qty(30_000_000),
        status: crate::domain::OrderStatus::Canceled,
        ..crate::domain::order::OrderState::new(limit(5))
    };
    let account = [("BTC".to_owned(), 10 * UNIT), ("ETH".to_owned(), 10 * UNIT)];
    let newest = BTreeMap::from([(InstrumentId(0), 70)]);
    rig.input(Input::Left { account: &account, cut: &BTreeMap::new(), newest: &newest });
    rig.input(Input::AdoptOver { state: &ended, client_id: &id });
    rig.input(Input::Start);
    rig.settle();
    assert_eq!(rig.client.trading(rig.now), Ok(()), "{:?}", rig.notices);
    assert!(rig.client.adopted_are_settled() && rig.client.open_orders() == (0, 0), "nothing is asked of it");
    assert_eq!((rig.count("order.status"), rig.told()), (0, vec![]));
    rig.forget();
    let late = event(&id, "TRADE", "PARTIALLY_FILLED", "0.50000000", Some((80, "0.20000000")));
    rig.frame(&late);
    rig.frame(&late);
    // One that the earlier run knew, told again.
    rig.frame(&event(&id, "TRADE", "PARTIALLY_FILLED", "0.30000000", Some((60, "0.30000000"))));
    let fills: Vec<_> = rig.reports.iter().map(|r| (r.kind, r.order, r.qty, r.trade_id)).collect();
    assert_eq!(fills, [(ReportKind::Fill, OrderId(5), Qty(20_000_000), 80)], "once");
    let elsewhere = rig.notices.iter().any(|n| matches!(n, Notice::ExternalFill { .. }));
    assert!(
        !elsewhere && rig.notices.iter().any(|n| matches!(n, Notice::LateFill { .. })),
        "{:?}",
        rig.notices
    );
    assert_eq!(rig.client.balance("ETH"), 10 * UNIT + UNIT / 5 - UNIT / 10_000, "less its commission");
    assert_eq!(told(&rig), [], "it is no move from elsewhere");
}
