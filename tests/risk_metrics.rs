//! Risk metrics are what their definitions say, computed the slow way, and known cases to known digits.

use algo_trader::risk::metrics::{
    Confidence, Holding, LimitUse, Metrics, Rates, Returns, Snapshot, historical, parametric,
};

#[path = "support/store.rs"]
mod support;

/// Numbers that look random and come again.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-12)
}

fn snapshot<'a>(holdings: &'a [Holding], returns: &'a Returns, limits: &'a [LimitUse]) -> Snapshot<'a> {
    Snapshot {
        holdings,
        returns,
        equity: 90_000.0,
        equity_peak: 120_000.0,
        equity_day_start: 95_000.0,
        rates: Rates::default(),
        limits,
    }
}

fn holdings(exposures: &[f64]) -> Vec<Holding> {
    exposures.iter().map(|&exposure| Holding { name: format!("{exposure}"), exposure }).collect()
}

#[test]
fn everything_is_what_its_definition_says_the_slow_way() {
    let mut random = Random(42);
    for columns in [1usize, 2, 7, 30] {
        // More prices than the window holds, so that the oldest leave it.
        let (window, pushes) = (100, 173);
        let mut returns = Returns::new(columns, window);
        let mut prices = vec![100.0; columns];
        let mut all: Vec<Vec<f64>> = Vec::new();
        returns.push_prices(&prices);
        for _ in 0..pushes {
            let market = random.normal();
            let changes: Vec<f64> =
                (0..columns).map(|i| 0.01 * (market * (i % 3) as f64 + random.normal())).collect();
            prices.iter_mut().zip(&changes).for_each(|(price, change)| *price *= 1.0 + change);
            returns.push_prices(&prices);
            all.push(changes);
        }
        let kept = &all[pushes - window..];
        let exposures: Vec<f64> = (0..columns).map(|_| 10_000.0 * random.normal()).collect();
        let held = holdings(&exposures);
        let m = Metrics::of(&snapshot(&held, &returns, &[]));

        let n = window as f64;
        let mean = |i: usize| kept.iter().map(|row| row[i]).sum::<f64>() / n;
        let cov = |i: usize, j: usize| {
            kept.iter().map(|row| (row[i] - mean(i)) * (row[j] - mean(j))).sum::<f64>() / (n - 1.0)
        };
        let mut variance = 0.0;
        for (i, (volatility, own)) in m.volatilities.iter().zip(&exposures).enumerate() {
            assert!((volatility.expect("known") - cov(i, i).sqrt()).abs() < 1e-12);
            for (j, other) in exposures.iter().enumerate() {
                let expected = cov(i, j) / (cov(i, i) * cov(j, j)).sqrt();
                assert!((m.correlation.get(i, j) - expected).abs() < 1e-9, "{i} {j}");
                variance += own * other * cov(i, j);
            }
        }
        let volatility = m.volatility.expect("known");
        assert!((volatility - variance.sqrt()).abs() < 1e-6 * variance.sqrt().max(1.0));
        let gross: f64 = exposures.iter().map(|e| e.abs()).sum();
        assert!(close(m.gross, gross) && close(m.net, exposures.iter().sum()));
        assert!(close(m.leverage.expect("equity"), gross / 90_000.0));
        assert_eq!((m.drawdown, m.drawdown_percent, m.day_profit), (30_000.0, 25.0, -5_000.0));

        let mut losses: Vec<f64> =
            kept.iter().map(|row| -row.iter().zip(&exposures).map(|(r, e)| r * e).sum::<f64>()).collect();
        losses.sort_by(f64::total_cmp);
        // Of 100 periods, 95 lost no more than the 95th; the mean of it and the five beyond it.
        let at95 = m.losses[0].historical;
        assert!((at95.value_at_risk - losses[94].max(0.0)).abs() < 1e-6);
        assert!((at95.expected_shortfall - losses[94..].iter().sum::<f64>() / 6.0).abs() < 1e-6);
        let at99 = m.losses[1].historical;
        assert!((at99.value_at_risk - losses[98].max(0.0)).abs() < 1e-6);
        assert!(at99.expected_shortfall >= at99.value_at_risk && at99.value_at_risk >= at95.value_at_risk);
        let parts: f64 = exposures.iter().map(|e| (e / gross).powi(2)).sum();
        assert!(
            close(m.herfindahl, parts) && m.largest_part <= 1.0 && m.largest_part >= 1.0 / columns as f64
        );
    }
}

#[test]
fn a_journal_tells_what_its_run_held_when_it_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = support::journal(dir.path(), 12);
    let reports = algo_trader::run::risk_report::risk_report(&journal).expect("a good journal").quotes;
    assert_eq!(reports.len(), 1, "all is quoted in USDT");
    let report = &reports[0];
    let number = |text: String| text.parse::<f64>().expect("a number");
    let (mut net_profit, mut gross) = (0.0, 0.0);
    for result in &summary.strategies {
        net_profit += number(result.net());
        let mark = result.mark.0 as f64 / 10f64.powi(result.instrument.price_decimals.into());
        gross += (number(result.qty()) * mark).abs();
    }
    // No account is known on paper: equity is counted from what [risk] capital is where nobody sets it.
    let equity = 1_000_000.0 + net_profit;
    assert!((report.equity - equity).abs() < 1e-6, "{} {equity}", report.equity);
    assert!((report.metrics.gross - gross).abs() < 1e-6 * gross.max(1.0), "{} {gross}", report.metrics.gross);
    assert!(report.periods > 5 && report.metrics.losses.len() == 2, "{report:?}");
    assert!(report.metrics.drawdown >= 0.0 && report.metrics.rates.orders_per_min > 0.0);
    assert!(report.metrics.limits.iter().any(|limit| limit.name == "gross_notional_max"));
}

#[test]
fn a_damaged_journal_tells_what_comes_before_the_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 12);
    let (before, hurt) = support::damaged(&journal);
    let [before, hurt] = [before, hurt].map(|journal| {
        let mut risk = algo_trader::run::risk_report::risk_report(&journal).expect("it begins well").quotes;
        let mut pnl = algo_trader::run::pnl::pnl_report(&journal, None).expect("it begins well");
        assert!(!risk.is_empty() && risk.iter().all(|report| !report.ended) && !pnl.ended);
        let damaged: Vec<_> = risk.iter_mut().map(|report| report.damaged.take()).collect();
        assert!(damaged.iter().all(|one| *one == pnl.damaged), "{damaged:?}");
        let damaged = pnl.damaged.take();
        let risk = serde_json::to_string(&risk).expect("numbers");
        ((risk, pnl), damaged)
    });
    assert_eq!(hurt.0, before.0);
    assert!(!hurt.0.1.lines.is_empty(), "something was traded");
    assert_eq!(before.1, None, "it is cut, not damaged");
    assert!(hurt.1.is_some_and(|why| why.contains("hurt.journal")), "it says of which file");
    // Before anything was traded there is no report that could say so.
    let mut bytes = std::fs::read(&journal).expect("it is there");
    let header = 16 + bytes[8..].first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length)) as usize;
    bytes[header + 8] ^= 1;
    let early = journal.with_file_name("early.journal");
    std::fs::write(&early, &bytes).expect("a good disk");
    let reports = algo_trader::run::risk_report::risk_report(&early).expect("its header reads");
    assert!(reports.quotes.is_empty() && !reports.ended);
    assert!(reports.damaged.is_some_and(|why| why.contains("early.journal")));
}

#[test]
fn a_journal_tells_how_near_its_run_is_to_each_limit_and_what_moves_together() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, summary) = support::journal(dir.path(), 12);
    let report = &algo_trader::run::risk_report::risk_report(&journal).expect("a good journal").quotes[0];
    let m = &report.metrics;
    // What is limited by default, by what the run says of itself.
    let of = |name: &str| {
        let found = m.limits.iter().find(|limit| limit.name == name);
        found.unwrap_or_else(|| panic!("no {name} among {:?}", m.limits))
    };
    let gross = of("gross_notional_max");
    assert_eq!(gross.limit, 250_000.0);
    // Open orders count as if they had filled: each is worth some hundreds.
    let open = summary.live_orders as f64 * 1_000.0;
    assert!(gross.used >= m.gross - 1e-6 && gross.used <= m.gross + open, "{gross:?} {}", m.gross);
    let drawdown = of("losses.drawdown_max");
    assert!(
        drawdown.limit == 50_000.0 && (drawdown.used - m.drawdown).abs() < 1.0,
        "{drawdown:?} {}",
        m.drawdown
    );
    let kinds: std::collections::BTreeSet<&str> =
        m.limits.iter().map(|limit| limit.name.split(" of ").next().unwrap_or_default()).collect();
    for kind in
        ["position_notional_max", "orders_per_second_max", "book_age_ms_max", "losses.strategy_drawdown_max"]
    {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    assert!(report.limits_unused > 0);
    for limit in &m.limits {
        let left = 100.0 * (limit.limit - limit.used) / limit.limit;
        assert!(limit.used > 0.0 && (limit.left_percent - left).abs() < 1e-9, "{limit:?}");
    }

    let n = report.correlated.len();
    assert!(n >= 2 && report.correlations.len() == n, "{:?}", report.correlated);
    for (i, row) in report.correlations.iter().enumerate() {
        assert_eq!(row.len(), n);
        for (j, value) in row.iter().enumerate() {
            assert_eq!(*value, report.correlations[j][i]);
            assert!(if i == j { *value == 1.0 } else { value.abs() <= 1.0 }, "{i} {j}: {value}");
        }
    }
    let json = serde_json::to_value(report).expect("a value");
    assert_eq!(json["correlations"][0][0], 1.0);
    assert_eq!(json["correlated"].as_array().map(Vec::len), Some(n));
}

#[test]
fn known_cases_to_known_digits() {
    // A standard normal: the numbers of any table.
    let p95 = parametric(0.0, 1.0, Confidence::P95);
    assert!(
        (p95.value_at_risk - 1.644_854).abs() < 1e-6 && (p95.expected_shortfall - 2.062_713).abs() < 1e-6
    );
    let p99 = parametric(0.0, 1.0, Confidence::P99);
    assert!(
        (p99.value_at_risk - 2.326_348).abs() < 1e-6 && (p99.expected_shortfall - 2.665_214).abs() < 1e-6
    );
    // A mean profit is taken off, and a sure profit is no loss.
    assert!((parametric(0.5, 1.0, Confidence::P95).value_at_risk - 1.144_854).abs() < 1e-6);
    assert_eq!(parametric(10.0, 1.0, Confidence::P99).value_at_risk, 0.0);
    // Losses of 1 to 100.
    let profits: Vec<f64> = (1..=100).map(|loss| -f64::from(loss)).collect();
    let tail = historical(&profits, Confidence::P95);
    assert_eq!((tail.value_at_risk, tail.expected_shortfall), (95.0, 97.5));
    assert_eq!(historical(&profits, Confidence::P99).value_at_risk, 99.0);
    assert_eq!(historical(&[], Confidence::P99).value_at_risk, 0.0);
    assert_eq!(historical(&[5.0], Confidence::P95).value_at_risk, 0.0, "a profit");
}

#[test]
fn history_and_the_normal_distribution_agree_on_normal_returns() {
    let mut random = Random(7);
    let mut returns = Returns::new(3, 20_000);
    for _ in 0..10_000 {
        let moved = [(); 3].map(|()| 100.0 * (1.0 + 0.001 * random.normal()));
        returns.push_prices(&[100.0; 3]);
        returns.push_prices(&moved);
    }
    // Every other period is the way back: both halves have the same spread, so they are normal alike.
    let held = holdings(&[1e6, -5e5, 2e5]);
    let m = Metrics::of(&snapshot(&held, &returns, &[]));
    for losses in &m.losses {
        let (history, normal) = (losses.historical, losses.parametric);
        let off = (history.value_at_risk / normal.value_at_risk - 1.0).abs();
        assert!(off < 0.05, "{losses:?}");
        assert!((history.expected_shortfall / normal.expected_shortfall - 1.0).abs() < 0.05, "{losses:?}");
    }
}

#[test]
fn what_is_held_is_told_by_the_names_that_a_status_has() {
    let told = serde_json::to_value(holdings(&[5.0])).expect("JSON");
    assert_eq!(told[0]["value"], 5.0);
    assert!(
        told[0]["instrument"].is_string() && told[0].as_object().is_some_and(|of| of.len() == 2),
        "{told}"
    );
}

#[test]
fn limits_are_told_by_how_near_they_are() {
    let limit = |name: &str, used: f64, limit: f64| LimitUse { name: name.into(), used, limit };
    let limits = [
        limit("far", 10.0, 100.0),
        limit("over", 120.0, 100.0),
        limit("near", 99.0, 100.0),
        limit("none", 0.0, 0.0),
    ];
    let returns = Returns::new(0, 10);
    let m = Metrics::of(&snapshot(&[], &returns, &limits));
    let told: Vec<_> = m.limits.iter().map(|d| (d.name.as_str(), d.left_percent)).collect();
    assert_eq!(told, [("over", -20.0), ("none", 0.0), ("near", 1.0), ("far", 90.0)]);
    assert!(m.losses.is_empty() && m.gross == 0.0 && m.volatility == Some(0.0));
}

#[test]
fn what_is_missing_or_no_number_spoils_nothing() {
    let mut returns = Returns::new(2, 5);
    for prices in [[100.0, f64::NAN], [101.0, 50.0], [0.0, -1.0], [f64::INFINITY, 55.0], [102.0, 55.0]] {
        returns.push_prices(&prices);
    }
    let held = holdings(&[f64::NAN, 1_000.0]);
    let m = Metrics::of(&snapshot(&held, &returns, &[]));
    assert_eq!((returns.rows(), m.gross), (4, 1_000.0));
    assert!(
        m.volatility.is_some_and(f64::is_finite)
            && m.losses.iter().all(|l| l.historical.value_at_risk.is_finite())
    );
    // 101 to 102 over the two periods in which it was missing; 50 to 55 in the one that had it again.
    let first: f64 = returns.column(0).iter().sum();
    assert!((first - (0.01 + 102.0 / 101.0 - 1.0)).abs() < 1e-12, "{first}");
    assert!((returns.column(1).iter().sum::<f64>() - 0.1).abs() < 1e-12);
}

#[test]
fn what_moves_together_is_told_from_when_both_were_heard() {
    let (mut random, mut returns) = (Random(3), Returns::new(3, 100));
    let mut prices = [100.0, 50.0, 20.0];
    let mut rows: Vec<[f64; 3]> = Vec::new();
    for period in 0..150 {
        let common = random.normal();
        let moves = [common, common + 0.5 * random.normal(), 0.3 * common + random.normal()];
        for (price, by) in prices.iter_mut().zip(moves) {
            *price *= 1.0 + 0.01 * by;
        }
        // The last comes late, the first falls silent.
        let heard = [period < 130, true, period >= 70];
        rows.push([0, 1, 2].map(|of| if heard[of] { prices[of] } else { f64::NAN }));
        returns.push_prices(&rows[period]);
    }
    let correlation = Metrics::of(&snapshot(&holdings(&[1.0, 1.0, 1.0]), &returns, &[])).correlation;
    // The window begins with the change into period 50.
    let naive = |i: usize, j: usize, periods: std::ops::Range<usize>| {
        let of = |c: usize| periods.clone().map(move |p| (p, c));
        let change = |(p, c): (usize, usize)| rows[p][c] / rows[p - 1][c] - 1.0;
        let [a, b] = [i, j].map(|c| of(c).map(change).collect::<Vec<f64>>());
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
        let (ma, mb) = (mean(&a), mean(&b));
        let sum = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
            x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
        };
        sum(&a, ma, &b, mb) / (sum(&a, ma, &a, ma) * sum(&b, mb, &b, mb)).sqrt()
    };
    for ((i, j), periods) in [((0, 1), 50..130), ((1, 2), 71..150), ((0, 2), 71..130)] {
        let expected = naive(i, j, periods);
        let found = [correlation.get(i, j), correlation.get(j, i)];
        assert!(found.iter().all(|found| (found - expected).abs() < 1e-9), "{i} {j}: {found:?} {expected}");
    }
}

#[test]
fn a_silent_market_is_no_calm_one() {
    let mut random = Random(9);
    let mut returns = Returns::new(2, 50);
    let (mut price, mut other) = (100.0, 10.0);
    let mut go_on = |returns: &mut Returns, periods: usize, silent: bool| {
        for _ in 0..periods {
            price *= 1.0 + 0.01 * random.normal();
            other *= 1.0 + 0.01 * random.normal();
            returns.push_prices(&[if silent { f64::NAN } else { price }, other]);
        }
    };
    go_on(&mut returns, 60, false);
    let of =
        |returns: &Returns, exposures: &[f64]| Metrics::of(&snapshot(&holdings(exposures), returns, &[]));
    // What is known of it stays, as long as it is in the window.
    go_on(&mut returns, 20, true);
    let m = of(&returns, &[1_000.0, 0.0]);
    assert_eq!(m.periods_known, 30);
    assert!(m.volatility.is_some_and(|v| (5.0..15.0).contains(&v)), "{:?}", m.volatility);
    assert!(m.losses[0].historical.value_at_risk > 5.0, "{:?}", m.losses);
    go_on(&mut returns, 40, true);
    for exposures in [[1_000.0, 0.0], [1_000.0, -5.0]] {
        let m = of(&returns, &exposures);
        assert!(m.losses.is_empty() && m.volatility.is_none() && m.periods_known == 0, "{m:?}");
        assert_eq!((m.volatilities[0], m.volatilities[1].is_some()), (None, true));
        assert_eq!(serde_json::to_value(&m).expect("a value")["volatility"], serde_json::Value::Null);
    }
    // What is not held may be silent.
    let m = of(&returns, &[0.0, 1_000.0]);
    assert!(m.periods_known == 50 && m.volatility.is_some_and(|v| v > 5.0), "{m:?}");
    // A period that is missing between two others comes with the next.
    go_on(&mut returns, 3, false);
    assert_eq!(of(&returns, &[1_000.0, 0.0]).periods_known, 50);
}
