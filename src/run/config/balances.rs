//! `[paper.balances]`: what each wallet of the simulated venue holds at first.

use super::check::Checks;
use super::instruments::Instruments;
use super::sections::QUOTE_MAX;
use crate::domain::wallet::{START_DECIMALS, StartingBalance, Wallets};
use crate::domain::{Instrument, Market};
use std::collections::BTreeMap;
use toml::Spanned;

/// A wallet's assets as they were written.
type RawWallet = Spanned<BTreeMap<String, Spanned<String>>>;

/// Checks names, amounts, and that something can be traded with each.
pub(super) fn check(
    raw: &BTreeMap<String, RawWallet>,
    instruments: &Instruments,
    checks: &mut Checks<'_>,
) -> Vec<StartingBalance> {
    let mut balances = Vec::new();
    for (name, assets) in raw {
        let Some((venue, market)) = wallet(name, instruments) else {
            let known = wallets(instruments);
            let known = if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) };
            checks
                .refuse(&assets.span(), format!("must be of a wallet that instruments are traded in{known}"));
            continue;
        };
        for (asset, given) in assets.get_ref() {
            let Some(amount) = checks.decimal(given, START_DECIMALS, 0..=QUOTE_MAX) else { continue };
            let balance = StartingBalance { venue: venue.clone(), market, asset: asset.clone(), amount };
            let table = instruments.table.as_ref();
            match table.map(|table| Wallets::new(table, std::slice::from_ref(&balance))) {
                Some(Err(problem)) => checks.refuse(&given.span(), format!("is of no use: {problem}")),
                _ => balances.push(balance),
            }
        }
    }
    balances
}

/// `binance:spot` and the like.
fn wallet(name: &str, instruments: &Instruments) -> Option<(String, Market)> {
    let (venue, market) = name.split_once(':')?;
    let market = Market::from_label(market)?;
    // Without a table something else is wrong, and told.
    let known = instruments.table.is_none() || wallets(instruments).iter().any(|known| known == name);
    known.then(|| (venue.to_owned(), market))
}

fn wallets(instruments: &Instruments) -> Vec<String> {
    let traded = instruments.table.iter().flat_map(|table| table.all()).filter(|i| i.tradable());
    let mut names: Vec<_> = traded.map(|i: &Instrument| format!("{}:{}", i.venue, i.market)).collect();
    names.sort();
    names.dedup();
    names
}
