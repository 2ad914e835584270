//! The tables of the page: figures, strategies, instruments, drawdowns, trades.

use super::BacktestReport;
use super::distribution::period_name;
use super::text::{NOTHING, decimal, moment, money, or_nothing, percent, ratio, span};
use crate::domain::Side;
use crate::domain::decimal::Scaled;
use crate::domain::performance::{Outcome, RoundTrip};
use crate::report::html::escape;
use crate::report::units;
use crate::statistics::outcome::{Share, entry_price, equity, exit_price};
use crate::statistics::{Statistics, drawdown};

/// More rows than this make a page slow; all are in `trades.csv`.
const TRADES_MAX: usize = 1_000;
const DRAWDOWNS_MAX: usize = 10;

/// The figures, in groups.
pub(super) fn figures(report: &BacktestReport<'_>) -> String {
    let s = &report.statistics;
    [
        group("Return", &returns(s)),
        group("Risk", &risk(s)),
        group("Return for risk", &ratios(s)),
        group("Trades", &trades_rows(s)),
        group("Trading", &trading(s)),
    ]
    .concat()
}

type Row = (&'static str, String);

fn group(name: &str, rows: &[Row]) -> String {
    let row = |(name, value): &Row| format!("<tr><th>{name}</th><td>{value}</td></tr>\n");
    let rows: String = rows.iter().map(row).collect();
    format!("<div><h3>{name}</h3><table class=\"figures\"><tbody>\n{rows}</tbody></table></div>\n")
}

fn returns(s: &Statistics) -> Vec<Row> {
    let mut rows = vec![
        ("Start", money(s.start_equity)),
        ("End", money(s.end_equity)),
        ("Total return", or_nothing(s.total_return, percent)),
        ("CAGR", or_nothing(s.cagr, percent)),
        ("Annual return, by periods", or_nothing(s.annual_return, percent)),
        ("Best period", or_nothing(s.best_return, percent)),
        ("Worst period", or_nothing(s.worst_return, percent)),
    ];
    if let Some(benchmark) = &s.benchmark {
        rows.push(("Buy and hold", or_nothing(benchmark.total_return, percent)));
    }
    rows
}

fn risk(s: &Statistics) -> Vec<Row> {
    let fall = s.max_drawdown;
    let recovered = fall.map(|fall| match fall.recovery_ns() {
        Some(ns) => span(ns),
        None => "not recovered".to_owned(),
    });
    vec![
        ("Volatility, a year", or_nothing(s.volatility, percent)),
        ("Maximum drawdown", or_nothing(fall.map(|fall| fall.depth), percent)),
        ("… from", fall.map_or_else(|| NOTHING.to_owned(), |fall| moment(fall.peak))),
        ("… lowest", fall.map_or_else(|| NOTHING.to_owned(), |fall| moment(fall.trough))),
        ("… recovery", recovered.unwrap_or_else(|| NOTHING.to_owned())),
        (
            "Longest drawdown",
            s.longest_drawdown.map_or_else(|| NOTHING.to_owned(), |fall| span(fall.duration_ns)),
        ),
        ("Value at risk 95 %", or_nothing(s.value_at_risk_95, percent)),
        ("Value at risk 99 %", or_nothing(s.value_at_risk_99, percent)),
        ("Expected shortfall 95 %", or_nothing(s.conditional_value_at_risk_95, percent)),
        ("Expected shortfall 99 %", or_nothing(s.conditional_value_at_risk_99, percent)),
        ("Skewness", or_nothing(s.skew, ratio)),
        ("Excess kurtosis", or_nothing(s.excess_kurtosis, ratio)),
    ]
}

fn ratios(s: &Statistics) -> Vec<Row> {
    let mut rows = vec![
        ("Sharpe ratio", or_nothing(s.sharpe, ratio)),
        ("Probabilistic Sharpe", or_nothing(s.probabilistic_sharpe, percent)),
        ("Sortino ratio", or_nothing(s.sortino, ratio)),
        ("Calmar ratio", or_nothing(s.calmar, ratio)),
    ];
    if let Some(benchmark) = &s.benchmark {
        rows.push(("Alpha, a year", or_nothing(benchmark.alpha, percent)));
        rows.push(("Beta", or_nothing(benchmark.beta, ratio)));
        rows.push(("Correlation", or_nothing(benchmark.correlation, ratio)));
    }
    rows
}

fn trades_rows(s: &Statistics) -> Vec<Row> {
    let trades = &s.trades;
    vec![
        ("Closed trades", units::count(trades.trades)),
        ("Win rate", or_nothing(trades.win_rate, percent)),
        ("Profit factor", or_nothing(trades.profit_factor, ratio)),
        ("Expectancy", or_nothing(trades.expectancy, money)),
        ("Mean return of a trade", or_nothing(trades.mean_return, percent)),
        ("System quality number", or_nothing(trades.sqn, ratio)),
        ("Average win", or_nothing(trades.average_win, money)),
        ("Average loss", or_nothing(trades.average_loss, money)),
        ("Payoff", or_nothing(trades.payoff, ratio)),
        ("Largest win", or_nothing(trades.largest_win, money)),
        ("Largest loss", or_nothing(trades.largest_loss, money)),
        ("Longest row of wins", units::count(trades.longest_win_streak)),
        ("Longest row of losses", units::count(trades.longest_loss_streak)),
        ("Mean time held", trades.mean_holding_ns.map_or_else(|| NOTHING.to_owned(), span)),
    ]
}

fn trading(s: &Statistics) -> Vec<Row> {
    let mut rows = vec![
        ("Time in the market", or_nothing(s.time_in_market, percent)),
        ("Mean exposure, of equity", or_nothing(s.mean_exposure, percent)),
        ("Traded", money(s.traded)),
        ("Turnover, a year", or_nothing(s.turnover, ratio)),
        ("Fees", money(s.fees)),
    ];
    if s.slippage.is_some() {
        rows.push(("Slippage, against the price at decision", or_nothing(s.slippage, money)));
        rows.push(("… in basis points", or_nothing(s.slippage_bps, |bps| decimal(bps, 2))));
    }
    if s.funding != 0.0 {
        rows.push(("Funding", money(s.funding)));
    }
    rows.push(("Returns are by", format!("{} ({})", period_name(s.periods), units::count(s.returns))));
    rows.push(("Periods a year", decimal(s.periods.per_year, 0)));
    rows
}

/// One row a strategy, or an instrument.
pub(super) fn shares(outcome: &Outcome, shares: &[Share], heading: &str) -> String {
    if shares.is_empty() {
        return String::new();
    }
    let row = |share: &Share| {
        let closed = &share.closed;
        let maker = if share.fills > 0 { Some(share.maker_fills as f64 / share.fills as f64) } else { None };
        let cells = [
            signed(outcome.number(share.profit)),
            plain(&units::count(closed.trades)),
            plain(&units::count(share.open)),
            plain(&or_nothing(closed.win_rate, percent)),
            plain(&or_nothing(closed.profit_factor, ratio)),
            plain(&or_nothing(closed.expectancy, money)),
            plain(&or_nothing(closed.sqn, ratio)),
            plain(&units::count(share.fills)),
            plain(&or_nothing(maker, percent)),
            plain(&money(outcome.number(share.traded))),
            plain(&money(outcome.number(share.fees))),
        ];
        format!("<tr><th scope=\"row\" class=\"name\">{}</th>{}</tr>\n", escape(&share.name), cells.concat())
    };
    let rows: String = shares.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th class=\"name\">{heading}</th><th>profit</th><th>closed</th><th>open</th>\
         <th>won</th><th>profit factor</th><th>expectancy</th><th>SQN</th><th>fills</th><th>resting</th><th>traded</th>\
         <th>fees</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn plain(text: &str) -> String {
    format!("<td>{text}</td>")
}

fn signed(value: f64) -> String {
    let class = if value < 0.0 { "loss" } else { "gain" };
    format!("<td class=\"{class}\">{}</td>", money(value))
}

/// The deepest falls.
pub(super) fn drawdowns(outcome: &Outcome) -> String {
    let mut falls = drawdown::drawdowns(&equity(outcome));
    if falls.is_empty() {
        return String::new();
    }
    falls.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    let row = |fall: &drawdown::Drawdown| {
        format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            percent(fall.depth),
            money(fall.amount),
            moment(fall.peak),
            moment(fall.trough),
            fall.recovered.map_or_else(|| "not yet".to_owned(), moment),
            span(fall.duration_ns)
        )
    };
    let rows: String = falls.iter().take(DRAWDOWNS_MAX).map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>depth</th><th>amount</th><th>from</th><th>lowest</th><th>recovered</th>\
         <th>lasted</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// The list of trades.
pub(super) fn trades(outcome: &Outcome) -> String {
    if outcome.trips.is_empty() {
        return "<p class=\"quiet\">Nothing was traded.</p>\n".to_owned();
    }
    let rows: String = outcome.trips.iter().take(TRADES_MAX).map(|trip| trade(outcome, trip)).collect();
    let more = if outcome.trips.len() > TRADES_MAX {
        format!(
            "<p class=\"quiet\">The first {} of {}; all are in <a href=\"trades.csv\">trades.csv</a>.</p>\n",
            units::count(TRADES_MAX as u64),
            units::count(outcome.trips.len() as u64)
        )
    } else {
        String::new()
    };
    format!(
        "{more}<div class=\"scroll list\"><table><thead><tr><th class=\"name\">strategy</th><th class=\"name\">instrument</th>\
         <th class=\"name\">side</th><th>quantity</th><th>entry</th><th>price</th><th>exit</th><th>price</th><th>held</th>\
         <th>fees</th><th>profit</th><th>return</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn trade(outcome: &Outcome, trip: &RoundTrip) -> String {
    let strategy = outcome.strategies.get(trip.strategy.index()).map_or(NOTHING, String::as_str);
    let instrument = outcome.instruments.get(trip.instrument.index());
    let (price_decimals, qty_decimals) = instrument.map_or((2, 0), |i| (i.price_decimals, i.qty_decimals));
    let price = |value: Option<f64>| {
        value.map_or_else(|| NOTHING.to_owned(), |v| decimal(v, price_decimals.min(12).into()))
    };
    let cost = outcome.number(outcome.amount(trip.instrument, trip.entry_value));
    let profit = outcome.number(trip.profit);
    let open = || "open".to_owned();
    format!(
        "<tr><td class=\"name\">{}</td><td class=\"name\">{}</td><td class=\"name\">{}</td><td>{:#}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}<td>{}</td></tr>\n",
        escape(strategy),
        escape(&instrument.map(|i| i.name()).unwrap_or_default()),
        if trip.side == Side::Buy { "long" } else { "short" },
        Scaled { value: trip.qty.0.into(), decimals: qty_decimals },
        moment(trip.entry_time),
        price(entry_price(outcome, trip)),
        trip.exit_time.map_or_else(open, moment),
        price(exit_price(outcome, trip)),
        trip.exit_time.map_or_else(open, |exit| span(exit.since(trip.entry_time))),
        money(outcome.number(outcome.fee(trip.fees))),
        signed(profit),
        or_nothing((cost > 0.0).then(|| profit / cost), percent)
    )
}
