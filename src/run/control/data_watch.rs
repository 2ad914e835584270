//! Market data that is lost for a while is told to a person at once, and again when it is back: what a status says only to
//! who asks.
//!
//! Owns: since when each thing is wrong, and which of them were told. One that comes back for a moment is not over: as long
//! as it had to last, so long it has to be gone.

use super::market_data::UNCONFIRMED;
use super::request::MarketDataReply;
use crate::domain::Time;

/// What is wrong for so long is told; what is gone for so long is over.
const LASTS_NS: u64 = 30_000_000_000;
/// Things of which an alert has the whole sentence.
const TOLD_MAX: usize = 3;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct DataWatch {
    wrong: Vec<Wrong>,
}

#[derive(Debug)]
struct Wrong {
    kind: String,
    /// The connection, or the instrument.
    of: String,
    since: Time,
    seen: Time,
    told: bool,
}

/// What a person is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataNews {
    /// It is lost.
    Lost(String),
    /// All that was told is over.
    Back(String),
}

impl DataWatch {
    /// What is wrong at `now`; gives what that is news of, if it is.
    pub fn look(&mut self, problems: &[MarketDataReply], now: Time) -> Option<DataNews> {
        let mut news: Vec<&MarketDataReply> = Vec::new();
        for problem in problems.iter().filter(|problem| problem.kind != UNCONFIRMED) {
            let of = problem.connection.as_ref().or(problem.instruments.first()).cloned().unwrap_or_default();
            let known = self.wrong.iter().position(|wrong| wrong.kind == problem.kind && wrong.of == of);
            let at = known.unwrap_or_else(|| {
                let kind = problem.kind.clone();
                self.wrong.push(Wrong { kind, of, since: now, seen: now, told: false });
                self.wrong.len() - 1
            });
            let wrong = &mut self.wrong[at];
            wrong.seen = now;
            if !wrong.told && now.since(wrong.since) >= LASTS_NS {
                wrong.told = true;
                news.push(problem);
            }
        }
        let were_told = self.wrong.iter().any(|wrong| wrong.told);
        // What was never told is forgotten as soon as it is over.
        self.wrong.retain(|wrong| wrong.seen == now || wrong.told && now.since(wrong.seen) < LASTS_NS);
        if !news.is_empty() {
            let mut lines: Vec<String> = news.iter().take(TOLD_MAX).map(|problem| problem.line()).collect();
            if news.len() > TOLD_MAX {
                lines.push(format!("{} more: `algo-trader ctl status` tells them", news.len() - TOLD_MAX));
            }
            return Some(DataNews::Lost(lines.join("; ")));
        }
        if were_told && !self.wrong.iter().any(|wrong| wrong.told) {
            return Some(DataNews::Back(format!(
                "for {} s nothing was wrong with it",
                LASTS_NS / 1_000_000_000
            )));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(connection: &str) -> MarketDataReply {
        MarketDataReply {
            kind: "connection-down".to_owned(),
            connection: Some(connection.to_owned()),
            instruments: vec!["binance:spot:BTCUSDT".to_owned()],
            ..MarketDataReply::default()
        }
    }

    #[test]
    fn what_lasts_is_told_once_and_again_when_all_of_it_is_over() {
        let mut watch = DataWatch::default();
        let at = |s: u64| Time((1_000 + s) * 1_000_000_000);
        // Less than half a minute is nothing, however often.
        for s in 0..29 {
            assert_eq!(watch.look(&[down("spot 1")], at(s)), None, "{s}");
        }
        assert_eq!(watch.look(&[], at(29)), None);
        for s in 30..60 {
            assert_eq!(watch.look(&[down("spot 1")], at(s)), None, "{s}");
        }
        let many: Vec<_> = (1..=5).map(|n| down(&format!("spot {n}"))).collect();
        let Some(DataNews::Lost(told)) = watch.look(&many, at(60)) else { panic!("not told") };
        assert!(told.starts_with("MARKET DATA connection spot 1 (binance:spot:BTCUSDT) is down"), "{told}");
        assert!((61..90).all(|s| watch.look(&many, at(s)).is_none()), "told once");
        let Some(DataNews::Lost(told)) = watch.look(&many, at(90)) else { panic!("the others") };
        assert!(
            told.contains("spot 2") && told.ends_with("; 1 more: `algo-trader ctl status` tells them"),
            "{told}"
        );
        // One of them comes back, all for a moment, and then all.
        assert_eq!(watch.look(&many[..4], at(95)), None);
        assert_eq!(watch.look(&[], at(96)), None);
        assert_eq!(watch.look(&many[..1], at(97)), None);
        assert!((98..127).all(|s| watch.look(&[], at(s)).is_none()));
        assert!(matches!(watch.look(&[], at(127)), Some(DataNews::Back(_))));
        assert_eq!(watch.look(&[], at(128)), None);
    }
}
