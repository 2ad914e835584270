//! What the dashboard shows, as lines: a pure function of a process's answer and of how large the screen is.
//!
//! Invariant: at most as many lines as there are rows, none wider than the screen, and no control character among them,
//! whatever a process, an operator or a venue wrote.

use super::super::ctl::not_known;
use super::super::table::{Column, folded, number, table, words};
use crate::net::said::shown_char;
use crate::run::control::ControlReply;
use serde_json::Value;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// A heading.
    Head,
    /// All is well.
    Good,
    /// Look here.
    Warn,
    /// Something is stopped, or does not answer.
    Bad,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub tone: Tone,
}

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// What there is to show.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The newest answer.
    pub reply: Option<ControlReply>,
    /// Why there is no newer one, and for how many seconds there was none.
    pub problem: Option<(String, u64)>,
    /// What became of the last command.
    pub told: Option<(String, bool)>,
    /// What is asked of the person, or which keys there are; at the bottom, always in sight.
    pub foot: Vec<String>,
}

/// An engine that was not seen for so long hangs, or its market is closed.
const LATE_MS: u64 = 2_000;
/// How much of what is wrong with the market data is told.
const TOLD_OF_DATA: usize = 3;
/// A limit of which no more than this is left, per cent, is near.
const NEAR_PERCENT: f64 = 20.0;

/// The screen's lines.
pub fn lines(shown: &Shown, size: Size) -> Vec<Line> {
    let Size { columns, rows } = size;
    let mut foot: Vec<Line> = Vec::new();
    if let Some((text, good)) = &shown.told {
        foot.push(Line { text: text.clone(), tone: if *good { Tone::Good } else { Tone::Bad } });
    }
    foot.extend(shown.foot.iter().map(|text| Line { text: text.clone(), tone: Tone::Head }));
    let mut foot = fold(foot, columns);
    if foot.len() > rows {
        // What is asked comes last, and is what has to be seen.
        foot.drain(..foot.len() - rows);
    }
    let room = rows - foot.len();
    let mut head = fold(head(shown), columns);
    head.truncate(room);
    let sections = shown.reply.as_ref().map(|reply| sections(reply, columns)).unwrap_or_default();
    let mut all = head;
    let left = room - all.len();
    for (section, rows) in sections.iter().zip(shares(&sections, left)) {
        all.extend(part(section, rows));
    }
    all.extend(foot);
    for line in &mut all {
        line.text = fit(&line.text, columns);
    }
    all
}

/// A heading with what is under it.
struct Section {
    title: String,
    lines: Vec<Line>,
}

/// How few rows of a section say something: its title, its heads, a row, and how many are left out.
const LEAST: usize = 4;

/// How many rows each section gets: first those that come first, the least that says something; then each a fair share of
/// the rest, and what one does not need the others have.
fn shares(sections: &[Section], rows: usize) -> Vec<usize> {
    let wanted: Vec<usize> = sections.iter().map(|s| s.lines.len() + 1).collect();
    let mut left = rows;
    let mut given: Vec<usize> = Vec::new();
    for wanted in &wanted {
        let least = (*wanted).min(LEAST);
        let gets = if least <= left { least } else { 0 };
        left -= gets;
        given.push(gets);
    }
    for _ in 0..left {
        let hungry = (0..given.len()).filter(|at| given[*at] > 0 && given[*at] < wanted[*at]);
        let Some(least) = hungry.min_by_key(|at| given[*at]) else { break };
        given[least] += 1;
    }
    given
}

/// The first lines of a section; the last says how many are left out.
fn part(section: &Section, rows: usize) -> Vec<Line> {
    if rows == 0 {
        return Vec::new();
    }
    let mut lines = vec![Line { text: section.title.clone(), tone: Tone::Head }];
    lines.extend(section.lines.iter().take(rows - 1).cloned());
    let out = section.lines.len().saturating_sub(rows - 1);
    if out > 0
        && let Some(last) = lines.last_mut()
    {
        *last = Line { text: format!("… {} more lines", out + 1), tone: Tone::Plain };
    }
    lines
}

fn fold(lines: Vec<Line>, columns: usize) -> Vec<Line> {
    let parts = |line: Line| {
        let text = folded(&clean(&line.text), columns);
        text.split('\n').map(|text| Line { text: text.to_owned(), tone: line.tone }).collect::<Vec<_>>()
    };
    lines.into_iter().flat_map(parts).collect()
}

/// What is never left out: who answers, what is stopped, what all comes to.
fn head(shown: &Shown) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |tone, text: String| lines.push(Line { text, tone });
    if let Some((problem, seconds)) = &shown.problem {
        say(Tone::Bad, format!("NO ANSWER for {seconds} s: {problem}"));
    }
    let Some(reply) = &shown.reply else {
        if shown.problem.is_none() {
            say(Tone::Plain, "asking…".to_owned());
        }
        return lines;
    };
    let late = reply.seen_ms_ago > LATE_MS;
    let feed = &reply.feed;
    let tone = match () {
        () if late => Tone::Bad,
        () if feed.connections_live < feed.connections || feed.books_synced < feed.books => Tone::Warn,
        () => Tone::Good,
    };
    say(
        tone,
        format!(
            "{} (process {}), engine seen {} ms ago, {} events, {}/{} connections live, {}/{} books in step",
            reply.run,
            reply.pid,
            reply.seen_ms_ago,
            reply.events,
            feed.connections_live,
            feed.connections,
            feed.books_synced,
            feed.books
        ),
    );
    if reply.stopped.is_empty() {
        let tone = if reply.held_back().is_empty() { Tone::Good } else { Tone::Plain };
        say(tone, "nothing is stopped".to_owned());
    }
    for s in &reply.stopped {
        let text = format!("STOPPED {}: {}, by {} ({}) since {}", s.scope, s.cause, s.by, s.reason, s.since);
        say(Tone::Bad, text);
    }
    for p in &reply.paused {
        say(Tone::Warn, format!("PAUSED {}: by {} ({}) since {}", p.scope, p.by, p.reason, p.since));
    }
    for line in reply.held_back() {
        say(Tone::Warn, line);
    }
    match &reply.metrics {
        Some(m) => money(m, &mut say),
        None => say(Tone::Plain, "no risk metrics yet".to_owned()),
    }
    // Last, since it is long: that something is wrong, the first line says too.
    for line in reply.market_data_lines(TOLD_OF_DATA).into_iter().skip(1) {
        say(Tone::Warn, line);
    }
    lines
}

fn value(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// With two decimals, and spaces between thousands.
fn amount(amount: f64) -> String {
    let text = format!("{:.2}", amount.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0.0 && text.contains(|c: char| c.is_ascii_digit() && c != '0') { "-" } else { "" };
    format!("{sign}{grouped}.{part}")
}

fn signed(of: f64) -> String {
    let text = amount(of);
    if of > 0.0 { format!("+{text}") } else { text }
}

fn money(m: &Value, say: &mut impl FnMut(Tone, String)) {
    let leverage = m["leverage"].as_f64().map_or_else(|| "-".to_owned(), |leverage| format!("{leverage:.2}"));
    say(
        Tone::Plain,
        format!(
            "equity {}  day {}  drawdown {} ({:.2} %)",
            amount(value(&m["equity"])),
            signed(value(&m["day_profit"])),
            amount(value(&m["drawdown"])),
            value(&m["drawdown_percent"])
        ),
    );
    say(
        Tone::Plain,
        format!(
            "gross {}  net {}  leverage {leverage}  open orders {}",
            amount(value(&m["gross"])),
            signed(value(&m["net"])),
            m["open_orders"]
        ),
    );
    let losses: Vec<String> = (m["losses"].as_array().into_iter().flatten())
        .map(|at| {
            format!(
                "{:.0} % {} (beyond {})",
                value(&at["confidence"]),
                amount(value(&at["historical"]["value_at_risk"])),
                amount(value(&at["historical"]["expected_shortfall"]))
            )
        })
        .collect();
    let losses = if losses.is_empty() { not_known(m).to_owned() } else { losses.join("  ") };
    say(Tone::Plain, format!("value at risk over {} s: {losses}", m["period_seconds"]));
    let rates = &m["rates"];
    say(
        Tone::Plain,
        format!(
            "orders {:.0} a second, {:.0} a minute  cancels {:.0} a second  reckoned {:.1} s ago",
            value(&rates["orders_per_s"]),
            value(&rates["orders_per_min"]),
            value(&rates["cancels_per_s"]),
            value(&m["age_ms"]) / 1_000.0
        ),
    );
}

fn text(value: &Value) -> String {
    value.as_str().map(clean).unwrap_or_default()
}

const LIMITS: &[Column] = &[number("left %", 6), number("used", 8), number("limit", 8), words("limit", 10)];
const STRATEGIES: &[Column] = &[
    words("strategy", 8),
    number("day", 8),
    number("profit", 8),
    number("exposure", 8),
    number("open", 4),
    number("orders/min", 4),
    number("fills", 5),
    number("denied", 5),
    number("refused", 5),
];
const INSTRUMENTS: &[Column] =
    &[words("instrument", 10), number("held", 10), number("exposure", 10), number("open", 4)];
const POSITIONS: &[Column] = &[words("strategy", 8), words("instrument", 10), number("exposure", 10)];

fn sections(reply: &ControlReply, columns: usize) -> Vec<Section> {
    let Some(m) = &reply.metrics else { return Vec::new() };
    let rows = |name: &str, row: &dyn Fn(&Value) -> Vec<String>| -> Vec<Vec<String>> {
        m[name].as_array().into_iter().flatten().map(row).collect()
    };
    let mut nearest: Vec<&Value> = m["limits"].as_array().into_iter().flatten().collect();
    nearest.sort_by(|a, b| value(&a["left_percent"]).total_cmp(&value(&b["left_percent"])));
    let near = nearest.iter().filter(|limit| value(&limit["left_percent"]) <= NEAR_PERCENT).count();
    let limit = |limit: &&Value| {
        vec![
            format!("{:.1}", value(&limit["left_percent"])),
            amount(value(&limit["used"])),
            amount(value(&limit["limit"])),
            text(&limit["name"]),
        ]
    };
    let limits: Vec<_> = nearest.iter().map(limit).collect();
    let mut all = Vec::new();
    let unused = &m["limits_unused"];
    let title = format!("LIMITS, the nearest first; {unused} more are not used at all");
    all.push(section(title, LIMITS, &limits, columns));
    if let Some(limits) = all.first_mut() {
        warn(limits, near, limits.lines.len() > nearest.len() + 1);
    }
    let strategies = rows("by_strategy", &|s| {
        vec![
            text(&s["strategy"]),
            signed(value(&s["day_profit"])),
            signed(value(&s["profit"])),
            amount(value(&s["gross"])),
            s["open_orders"].to_string(),
            s["orders_per_min"].to_string(),
            s["fills_today"].to_string(),
            s["denied"].to_string(),
            s["refused"].to_string(),
        ]
    });
    all.push(section("STRATEGIES".to_owned(), STRATEGIES, &strategies, columns));
    let instruments = rows("by_instrument", &|i| {
        let (held, gross) = (signed(value(&i["value"])), amount(value(&i["gross"])));
        vec![text(&i["instrument"]), held, gross, i["open_orders"].to_string()]
    });
    let title =
        "INSTRUMENTS, held at the mark; exposure were the worse side of open orders to fill".to_owned();
    all.push(section(title, INSTRUMENTS, &instruments, columns));
    left_out(&mut all, &m["by_instrument_left_out"]);
    let positions = rows("positions", &|p| {
        vec![text(&p["strategy"]), text(&p["instrument"]), amount(value(&p["gross"]))]
    });
    all.push(section("POSITIONS by strategy".to_owned(), POSITIONS, &positions, columns));
    left_out(&mut all, &m["positions_left_out"]);
    all
}

/// Says below the last section how many lines it lacks.
fn left_out(all: &mut [Section], count: &Value) {
    let Some(count) = count.as_u64().filter(|count| *count > 0) else { return };
    if let Some(section) = all.last_mut() {
        section
            .lines
            .push(Line { text: format!("  and {count} more, of smaller exposure"), tone: Tone::Plain });
    }
}

fn section(title: String, columns: &[Column], rows: &[Vec<String>], width: usize) -> Section {
    let text = match rows {
        [] => "  none".to_owned(),
        rows => table(columns, rows, width),
    };
    let line = |text: &str| Line { text: text.to_owned(), tone: Tone::Plain };
    Section { title, lines: text.lines().map(line).collect() }
}

/// Marks the first limits, which are near: a line each below the heads, or, where it is narrow, some lines each.
fn warn(limits: &mut Section, near: usize, narrow: bool) {
    let mut seen = 0;
    for (at, line) in limits.lines.iter_mut().enumerate() {
        let begins = if narrow { !line.text.starts_with(' ') } else { at > 0 };
        seen += usize::from(begins);
        if seen > near {
            break;
        }
        if seen > 0 {
            line.tone = Tone::Warn;
        }
    }
}

/// Without control characters: what others wrote does not move the cursor here.
fn clean(text: &str) -> String {
    text.chars().map(shown_char).collect()
}

/// Columns that a character takes: from Hangul on it may be two.
fn columns(c: char) -> usize {
    if c < '\u{1100}' || ('\u{2000}'..'\u{2e80}').contains(&c) { 1 } else { 2 }
}

/// As much of it as fits; where something is left out the last character says so.
fn fit(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.chars().map(columns).sum::<usize>() <= width {
        return text;
    }
    let (mut short, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += columns(c);
        if used + 1 > width {
            break;
        }
        short.push(c);
    }
    if width > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::control::{FeedReply, MarketDataReply, Stopped};
    use serde_json::json;

    fn reply() -> ControlReply {
        let tail = |n: f64| json!({ "value_at_risk": n, "expected_shortfall": 2.0 * n });
        let limit = |name: &str, left: f64| json!({ "name": name, "used": 100.0 - left, "limit": 100.0, "left_percent": left });
        ControlReply {
            run: "desk".into(),
            pid: 4711,
            events: 123_456,
            seen_ms_ago: 12,
            feed: FeedReply {
                connections_live: 3,
                connections: 3,
                books_synced: 8,
                books: 8,
                frames: 9,
                decode_errors: 0,
            },
            stopped: vec![Stopped {
                scope: "strategy ma-cross".into(),
                cause: "daily-loss".into(),
                by: "limit".into(),
                reason: "[risk.losses]: too much\u{1b}[2J\u{202e}".into(),
                since: "2026-03-01T12:00:00Z".into(),
                flatten: false,
                flatten_since: None,
            }],
            metrics: Some(json!({
                "equity": 1_000_123.456, "day_profit": -250.0, "drawdown": 300.0, "drawdown_percent": 0.03,
                "gross": 2_000.0, "net": -1_500.5, "leverage": 0.02, "open_orders": 7, "period_seconds": 10,
                "losses": [{ "confidence": 95.0, "historical": tail(12.5) }, { "confidence": 99.0, "historical": tail(20.0) }],
                "rates": { "orders_per_s": 3.0, "orders_per_min": 120.0, "cancels_per_s": 2.0 },
                "age_ms": 400, "limits_unused": 31,
                "limits": [limit("far_max", 90.0), limit("losses.daily_max", 4.5), limit("gross_notional_max", 50.0)],
                "by_strategy": [
                    { "strategy": "ma-cross", "day_profit": -260.0, "profit": 10.0, "gross": 1_500.0, "open_orders": 5,
                      "orders_per_min": 100, "fills_today": 40, "denied": 0, "refused": 0 },
                    { "strategy": "rsi", "day_profit": 10.0, "profit": 0.0, "gross": 500.0, "open_orders": 2,
                      "orders_per_min": 20, "fills_today": 4, "denied": 6, "refused": 1 }
                ],
                "by_instrument": [{ "instrument": "binance:spot:BTCUSDT", "value": -1_500.5, "gross": 2_000.0, "open_orders": 7 }],
                "positions": [{ "strategy": "ma-cross", "instrument": "binance:spot:BTCUSDT", "gross": 1_500.0 }],
                "positions_left_out": 7
            })),
            ..ControlReply::default()
        }
    }

    fn shown() -> Shown {
        Shown { reply: Some(reply()), foot: vec!["q quit  k kill  r release".into()], ..Shown::default() }
    }

    fn all(shown: &Shown, columns: usize, rows: usize) -> Vec<String> {
        lines(shown, Size { columns, rows }).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_wide_screen_tells_everything_and_the_nearest_limit_first() {
        let text = all(&shown(), 200, 100).join("\n");
        for told in [
            "desk (process 4711), engine seen 12 ms ago, 123456 events, 3/3 connections live, 8/8 books in step",
            "STOPPED strategy ma-cross: daily-loss, by limit ([risk.losses]: too much?[2J?) since 2026-03-01",
            "equity 1_000_123.46  day -250.00  drawdown 300.00 (0.03 %)",
            "gross 2_000.00  net -1_500.50  leverage 0.02  open orders 7",
            "value at risk over 10 s: 95 % 12.50 (beyond 25.00)  99 % 20.00 (beyond 40.00)",
            "orders 3 a second, 120 a minute  cancels 2 a second  reckoned 0.4 s ago",
            "LIMITS, the nearest first; 31 more are not used at all",
            "and 7 more, of smaller exposure",
        ] {
            assert!(text.contains(told), "{told:?} is missing in\n{text}");
        }
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing in\n{text}"));
        assert!(
            at("losses.daily_max") < at("gross_notional_max") && at("gross_notional_max") < at("far_max")
        );
        assert!(at("STRATEGIES") < at("INSTRUMENTS") && at("INSTRUMENTS") < at("POSITIONS"));
        assert!(text.ends_with("q quit  k kill  r release"));
        let line = |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_default().to_owned();
        assert_eq!(
            line("rsi").split_whitespace().skip(1).collect::<Vec<_>>(),
            ["+10.00", "0.00", "500.00", "2", "20", "4", "6", "1"]
        );
        let near: Vec<_> = lines(&shown(), Size { columns: 200, rows: 100 })
            .into_iter()
            .filter(|line| line.tone == Tone::Warn)
            .map(|line| line.text)
            .collect();
        assert!(near.len() == 1 && near[0].contains("losses.daily_max"), "{near:?}");
    }

    #[test]
    fn what_is_wrong_with_the_market_data_is_told_and_hides_nothing_that_is_stopped() {
        let mut shown = shown();
        let one = |n: usize| MarketDataReply {
            kind: "book-out-of-step".into(),
            instruments: vec![format!("binance:spot:{n}")],
            for_ms: Some(1_500),
            means: "no orders".into(),
            ..MarketDataReply::default()
        };
        if let Some(reply) = &mut shown.reply {
            reply.market_data = (0..5).map(one).collect();
        }
        let lines = all(&shown, 200, 20);
        let told: Vec<&String> = lines.iter().filter(|line| line.starts_with("MARKET DATA")).collect();
        assert_eq!(told.len(), 4, "{lines:#?}");
        assert_eq!(told[0], "MARKET DATA binance:spot:0 has a book out of step for 1.5 s: no orders");
        assert!(told[3].contains("2 more"), "{told:?}");
        assert!(lines.iter().any(|line| line.starts_with("STOPPED")), "{lines:#?}");
    }

    #[test]
    fn nothing_is_wider_or_longer_than_the_screen_or_moves_its_cursor() {
        let mut wide = shown();
        if let Some(reply) = &mut wide.reply {
            reply.run = "漢字".repeat(60);
            reply.stopped[0].by = "Jürgen ".repeat(30);
        }
        wide.told = Some(("x".repeat(300), false));
        wide.problem = Some(("no\r\nsuch \u{7} socket".into(), 3));
        for shown in [shown(), wide, Shown::default()] {
            for columns in [1, 2, 7, 20, 39, 40, 80, 132, 300] {
                for rows in [0, 1, 2, 3, 5, 10, 24, 25, 60] {
                    let lines = all(&shown, columns, rows);
                    assert!(lines.len() <= rows, "{columns} x {rows}: {lines:#?}");
                    for line in &lines {
                        let used = line.chars().map(super::columns).sum::<usize>();
                        assert!(
                            used <= columns && !line.contains(char::is_control),
                            "{columns} x {rows}: {line:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_asked_and_what_is_stopped_stay_in_sight_on_a_short_screen() {
        let lines = all(&shown(), 80, 4);
        assert_eq!(lines.len(), 4);
        assert!(lines[2].starts_with("STOPPED") || lines[1].starts_with("STOPPED"), "{lines:#?}");
        assert_eq!(lines[3], "q quit  k kill  r release");
        // On a common one the nearest limit is there, and how much is not.
        let lines = all(&shown(), 80, 16).join("\n");
        assert!(lines.contains("losses.daily_max") && lines.contains("… 2 more lines"), "{lines}");
    }

    #[test]
    fn who_does_not_answer_is_told_over_what_was_last_known() {
        let mut silent = shown();
        silent.problem = Some(("connection refused".into(), 7));
        let lines = lines(&silent, Size { columns: 100, rows: 30 });
        assert_eq!(
            (lines[0].text.as_str(), lines[0].tone),
            ("NO ANSWER for 7 s: connection refused", Tone::Bad)
        );
        assert!(lines.iter().any(|line| line.text.contains("equity")));
    }

    #[test]
    fn amounts_are_grouped_and_nothing_is_never_negative() {
        let told: Vec<_> = [0.0, -0.001, 12.0, -1_234.5, 1_234_567.891].into_iter().map(amount).collect();
        assert_eq!(told, ["0.00", "0.00", "12.00", "-1_234.50", "1_234_567.89"]);
        assert_eq!((signed(5.0), signed(-5.0), signed(0.0)), ("+5.00".into(), "-5.00".into(), "0.00".into()));
    }
}
