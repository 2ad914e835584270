//! The page: one HTML file with its style inside. It needs no script.

use super::text::{money, or_nothing, percent, ratio};
use super::{BacktestReport, curves, distribution, months, prices, tables};
use crate::report::html::escape;
use crate::report::plot::STYLE;
use crate::report::units;
use crate::statistics::months::monthly;
use crate::statistics::outcome::equity;

const OWN_STYLE: &str = include_str!("page.css");
const HOW_TO_READ: &str = include_str!("how_to_read.html");

pub(super) fn text(report: &BacktestReport<'_>) -> String {
    let outcome = report.outcome;
    let sections = [
        section("equity", "Equity", &curves::plots(outcome, &report.statistics)),
        section(
            "figures",
            "Figures",
            &format!("<div class=\"groups\">\n{}</div>\n", tables::figures(report)),
        ),
        section("months", "Monthly returns", &months::table(&monthly(&equity(outcome)))),
        section("distribution", "Distribution of returns", &distribution::plot(outcome, &report.statistics)),
        section("drawdowns", "Deepest drawdowns", &tables::drawdowns(outcome)),
        section("strategies", "Strategies", &tables::shares(report.outcome, &report.strategies, "strategy")),
        section(
            "instruments",
            "Instruments",
            &tables::shares(report.outcome, &report.instruments, "instrument"),
        ),
        section("prices", "Trades on the price", &prices::figures(outcome)),
        section("trades", "Trades", &tables::trades(outcome)),
        section("settings", "What was run", &settings(report)),
        section("reading", "How to read this", HOW_TO_READ),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n\
         </head>\n<body>\n{header}<main>\n{sections}</main>\n</body>\n</html>\n",
        title = escape(&title(report)),
        header = header(report),
        sections = sections.concat(),
    )
}

fn title(report: &BacktestReport<'_>) -> String {
    let name = report.outcome.provenance.name.trim();
    if name.is_empty() { "Backtest".to_owned() } else { format!("Backtest: {name}") }
}

/// Nothing for a section without content.
fn section(id: &str, heading: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{content}</section>\n")
}

fn header(report: &BacktestReport<'_>) -> String {
    let (outcome, s) = (report.outcome, &report.statistics);
    let facts = [
        ("from", super::text::moment(outcome.from)),
        ("until", super::text::moment(outcome.until)),
        ("currency", outcome.currency.clone()),
        ("fills", units::count(outcome.fills.len() as u64)),
    ];
    let facts: String =
        facts.iter().map(|(name, value)| format!("<span><b>{name}</b> {}</span>\n", escape(value))).collect();
    let cards = [
        ("total return", or_nothing(s.total_return, percent)),
        ("end equity", money(s.end_equity)),
        ("CAGR", or_nothing(s.cagr, percent)),
        ("Sharpe ratio", or_nothing(s.sharpe, ratio)),
        ("maximum drawdown", or_nothing(s.max_drawdown.map(|fall| fall.depth), percent)),
        ("closed trades", units::count(s.trades.trades)),
        ("win rate", or_nothing(s.trades.win_rate, percent)),
        ("profit factor", or_nothing(s.trades.profit_factor, ratio)),
        ("fees", money(s.fees)),
    ];
    let card = |(name, value): &(&str, String)| {
        format!("<div class=\"card\"><b>{}</b><span>{name}</span></div>\n", escape(value))
    };
    let cards: String = cards.iter().map(card).collect();
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"facts-line\">\n{facts}</p>\n<div class=\"cards\">\n{cards}</div>\n</header>\n",
        escape(&title(report))
    )
}

fn settings(report: &BacktestReport<'_>) -> String {
    let provenance = &report.outcome.provenance;
    let sources = provenance.sources.iter().map(|source| ("source", source.as_str()));
    let settings = provenance.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let row = |(key, value): (&str, &str)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(key), escape(value))
    };
    let rows: String = sources.chain(settings).map(row).collect();
    format!(
        "<table class=\"facts\"><tbody>\n{rows}</tbody></table>\n<p class=\"quiet\">Beside this page: \
         <a href=\"result.json\">result.json</a>, <a href=\"trades.csv\">trades.csv</a>, \
         <a href=\"equity.csv\">equity.csv</a>, <a href=\"fills.csv\">fills.csv</a>.</p>\n"
    )
}
