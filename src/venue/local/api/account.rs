//! Questions about the account and its key.

use super::counts::Window;
use super::error::Failure;
use super::json::Json;
use super::venue::Context;

/// Commissions are in units of 10^-8, the account's in ten-thousandths.
const UNITS_OF_BIP: i64 = 10_000;

pub(super) fn status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let omit = cx.params.flag("omitZeroBalances") == Some(true);
    let rules = cx.api.exchange.symbols().next().map(|rules| &rules.instrument);
    let (maker, taker) = rules.map_or((0, 0), |of| (of.maker_fee.0, of.taker_fee.0));
    let account = cx.caller.account;
    let mut json = Json(cx.out);
    json.begin();
    json.number("makerCommission", maker / UNITS_OF_BIP);
    json.number("takerCommission", taker / UNITS_OF_BIP);
    json.number("buyerCommission", 0);
    json.number("sellerCommission", 0);
    json.begin_in("commissionRates");
    rates(&mut json, maker, taker);
    json.end();
    json.flag("canTrade", true);
    json.flag("canWithdraw", true);
    json.flag("canDeposit", true);
    json.flag("brokered", false);
    json.flag("requireSelfTradePrevention", false);
    json.flag("preventSor", false);
    json.number("updateTime", cx.now_ms);
    json.text("accountType", "SPOT");
    json.list_in("balances");
    for (asset, name, decimals) in cx.api.exchange.assets() {
        let (balance, decimals) = cx.api.exchange.balance(account, asset).printed(decimals);
        if omit && balance.free == 0 && balance.locked == 0 {
            continue;
        }
        json.begin();
        json.text("asset", name);
        json.decimal("free", balance.free, decimals);
        json.decimal("locked", balance.locked, decimals);
        json.end();
    }
    json.end_list();
    json.list_in("permissions");
    json.quoted("SPOT");
    json.end_list();
    json.number("uid", uid(account.0));
    if let Some(group) = cx.api.group(account) {
        json.number("tradeGroupId", group);
    }
    json.end();
    Ok(())
}

/// As long as a real one.
fn uid(account: u32) -> u64 {
    354_937_868 + u64::from(account)
}

fn rates(json: &mut Json<'_>, maker: i64, taker: i64) {
    json.decimal("maker", maker, 8);
    json.decimal("taker", taker, 8);
    json.decimal("buyer", 0, 8);
    json.decimal("seller", 0, 8);
}

pub(super) fn no_discount(json: &mut Json<'_>) {
    json.begin_in("discount");
    json.flag("enabledForAccount", false);
    json.flag("enabledForSymbol", false);
    json.text("discountAsset", "BNB");
    json.decimal("discount", 0, 8);
    json.end();
}

pub(super) fn commission(cx: &mut Context<'_>) -> Result<(), Failure> {
    let symbol = cx.symbol()?;
    let mut out = Vec::new();
    let of = cx.instrument(symbol)?;
    let mut json = Json(&mut out);
    json.begin();
    json.text("symbol", &of.symbol);
    for (name, maker, taker) in [
        ("standardCommission", of.maker_fee.0, of.taker_fee.0),
        ("specialCommission", 0, 0),
        ("taxCommission", 0, 0),
    ] {
        json.begin_in(name);
        rates(&mut json, maker, taker);
        json.end();
    }
    no_discount(&mut json);
    json.end();
    cx.out.extend_from_slice(&out);
    Ok(())
}

pub(super) fn write_window(json: &mut Json<'_>, window: &Window) {
    json.begin();
    json.text("rateLimitType", "ORDERS");
    json.text("interval", window.interval);
    json.number("intervalNum", window.number);
    json.number("limit", window.limit);
    json.number("count", window.count);
    json.end();
}

pub(super) fn order_counts(cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut json = Json(cx.out);
    json.list();
    if let Some(counts) = cx.api.counts.get_mut(&cx.caller.account) {
        counts.at(cx.now_ms).iter().for_each(|window| write_window(&mut json, window));
    }
    json.end_list();
    Ok(())
}

pub(super) fn restrictions(cx: &mut Context<'_>) -> Result<(), Failure> {
    let may = cx.caller.permissions;
    let mut json = Json(cx.out);
    json.begin();
    json.flag("ipRestrict", cx.caller.restricted_to_addresses);
    json.number("createTime", 1_483_228_800_000u64);
    json.flag("enableReading", may.reading);
    json.flag("enableSpotAndMarginTrading", may.trading);
    json.flag("enableWithdrawals", may.withdrawals);
    for never in [
        "enableInternalTransfer",
        "permitsUniversalTransfer",
        "enableVanillaOptions",
        "enableMargin",
        "enableFutures",
        "enableFixApiTrade",
        "enableFixReadOnly",
        "enablePortfolioMarginTrading",
    ] {
        json.flag(never, false);
    }
    json.end();
    Ok(())
}

/// The least that clients want to know of coins.
pub(super) fn coins(cx: &mut Context<'_>) -> Result<(), Failure> {
    let account = cx.caller.account;
    let mut json = Json(cx.out);
    json.list();
    for (asset, name, decimals) in cx.api.exchange.assets() {
        let (balance, decimals) = cx.api.exchange.balance(account, asset).printed(decimals);
        json.begin();
        json.text("coin", name);
        json.flag("depositAllEnable", false);
        json.decimal("free", balance.free, decimals);
        for (zero, units) in [("freeze", 0), ("ipoable", 0), ("ipoing", 0)] {
            json.decimal(zero, units, 8);
        }
        json.flag("isLegalMoney", false);
        json.decimal("locked", balance.locked, decimals);
        json.text("name", name);
        json.list_in("networkList");
        json.end_list();
        json.decimal("storage", 0, 8);
        json.flag("trading", true);
        json.flag("withdrawAllEnable", false);
        json.decimal("withdrawing", 0, 8);
        json.end();
    }
    json.end_list();
    Ok(())
}
