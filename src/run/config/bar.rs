//! What makes a bar: `kind:size`, as `config/default.toml` has it.
//!
//! Owns: that form, and the range of sizes.

use super::check::Checks;
use super::sections::QUOTE_MAX;
use crate::domain::decimal;
use crate::market::BarSpec;
use toml::Spanned;

/// `kind:size`, as `default.toml` has it.
pub(super) fn check(given: &Spanned<String>, checks: &mut Checks<'_>) -> Option<BarSpec> {
    let (kind, size) = given.get_ref().split_once(':').unwrap_or((given.get_ref(), ""));
    let amount = || {
        let amount = decimal::parse(size.as_bytes(), BarSpec::DECIMALS).ok();
        amount.filter(|amount| (1..=QUOTE_MAX).contains(amount))
    };
    let (spec, expected) = match kind {
        "time" => (
            bar_seconds(size).map(|seconds| BarSpec::Time { seconds }),
            "a time bar must have a length from 1s to 1d, or 1w, such as \"time:30s\", \"time:5m\" or \"time:4h\"",
        ),
        "tick" => (
            size.parse().ok().filter(|trades| (1..=100_000_000).contains(trades)).map(BarSpec::Tick),
            "a tick bar must have a number of trades from 1 to 100000000, such as \"tick:1000\"",
        ),
        "volume" => (
            amount().map(BarSpec::Volume),
            "a volume bar must have an amount of the base asset from 0.00000001 to 10000000000, such as \"volume:5\"",
        ),
        "dollar" => (
            amount().map(BarSpec::Dollar),
            "a dollar bar must have an amount of the quote asset from 0.00000001 to 10000000000, such as \
             \"dollar:1000000\"",
        ),
        _ => (
            None,
            "must be a kind and a size: \"time:60s\", \"tick:1000\", \"volume:5\" or \"dollar:1000000\"",
        ),
    };
    if spec.is_none() {
        checks.refuse(&given.span(), expected);
    }
    spec
}

/// `90s`, `5m`, `4h`, `1d` or `1w` in seconds, if a bar may be as long.
fn bar_seconds(size: &str) -> Option<u32> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &size[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    // `parse` takes a sign, which a length has not.
    let count = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()?;
    let seconds = count.checked_mul(unit)?;
    ((1..=86_400).contains(&seconds) || seconds == 604_800).then_some(seconds)
}
