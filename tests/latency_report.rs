//! What a latency report promises. The page of `synthetic` can be looked at:
//! `LATENCY_REPORT_DIR=page cargo test --test latency_report a_report_is_a_page`.

use algo_trader::monitor::host::HostFacts;
use algo_trader::report::latency::{
    InstrumentPoint, IntervalSample, LatencyReport, RatePoint, ReportError, RunFacts, StageLatency,
    StagePoint, TopologyRow, write,
};
use hdrhistogram::Histogram;
use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that look random and are the same each time (xorshift64*).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A stage as they are: a log-normal body, a second hump now and then, rarely the machine.
fn stage(name: &str, doc: &str, median_ns: f64, spread: f64, count: u64, noise: &mut Noise) -> StageLatency {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("good bounds");
    for _ in 0..count {
        let kind = noise.uniform();
        let shift = if kind < 0.0004 {
            150.0
        } else if kind < 0.02 {
            7.0
        } else {
            1.0
        };
        histogram.saturating_record((median_ns * shift * (spread * noise.normal()).exp()) as u64);
    }
    StageLatency { name: name.into(), doc: doc.into(), histogram }
}

fn synthetic() -> LatencyReport {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let stages = vec![
        stage("decode", "frame in the buffer to event in the ring", 730.0, 0.25, 400_000, &mut noise),
        stage("market", "event in the ring to book and bars updated", 160.0, 0.3, 400_000, &mut noise),
        stage("strategy", "event in the ring to intents sent", 310.0, 0.35, 400_000, &mut noise),
        stage("risk", "intent to approval or denial", 95.0, 0.2, 22_000, &mut noise),
        stage("execution", "approval to order bytes", 420.0, 0.3, 22_000, &mut noise),
        stage("tick-to-order", "frame received to order bytes", 1_900.0, 0.3, 22_000, &mut noise),
    ];
    let rate = |offered: f64, p50: u64, tail: u64| RatePoint {
        frames: 3_000,
        offered_per_s: offered,
        achieved_per_s: offered.min(1_450_000.0),
        p50_ns: p50,
        p99_ns: p50 * 4 * tail,
        p999_ns: p50 * 14 * tail,
        max_ns: p50 * 300 * tail,
    };
    LatencyReport {
        run: RunFacts {
            title: "Replay of a recorded session".into(),
            command: "algo-trader replay captures/ --speed max --threading shared --report latency-reports/".into(),
            started: "2025-03-14T09:26:53Z".into(),
            version: "0.1.0".into(),
        },
        host: HostFacts::gather(),
        topology: vec![
            TopologyRow { thread: "feed".into(), stages: vec!["decode".into()], core: Some(0), wait: "spin".into() },
            TopologyRow {
                thread: "stages".into(),
                stages: ["market", "strategy", "risk", "execution"].map(String::from).into(),
                core: Some(1),
                wait: "spin".into(),
            },
            TopologyRow { thread: "journal".into(), stages: vec!["journal".into()], core: None, wait: "backoff".into() },
        ],
        stages,
        intervals: (0..300)
            .map(|_| {
                let offered = 2_000.0 * (1.1 * noise.normal()).exp();
                let p50_ns = (1_900.0 * (0.12 * noise.normal()).exp() * (1.0 + offered / 4e5)) as u64;
                let p99_ns = (p50_ns as f64 * 4.0 * (0.4 * noise.normal()).exp()) as u64;
                IntervalSample { offered_per_s: offered, p50_ns, p99_ns, count: offered as u64 }
            })
            .collect(),
        rates: vec![
            rate(1e3, 1_800, 1),
            rate(1e4, 1_810, 1),
            rate(1e5, 1_830, 1),
            rate(3e5, 1_900, 1),
            rate(1e6, 2_600, 2),
            rate(1.3e6, 5_200, 5),
            rate(2e6, 900_000, 2),
        ],
        instruments: [1, 10, 100, 300].map(instruments).into(),
        notes: vec![
            "A stamp costs 17 ns; each latency includes one.".into(),
            "Latencies count from the moment an event should have been offered, so a stall is charged to every event that \
             waited for it (no coordinated omission)."
                .into(),
        ],
        counts: [("events", "400,000"), ("orders", "22,000"), ("elapsed", "3.41 s"), ("throughput", "117 k/s"), ("malformed", "0")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

/// A run with so many instruments.
fn instruments(count: u64) -> InstrumentPoint {
    let stage =
        |name: &str, p50_ns| StagePoint { name: name.into(), p50_ns, p99_ns: p50_ns * (4 + count / 50) };
    InstrumentPoint {
        instruments: count,
        strategies: count.min(255),
        frames: 12_000 * count,
        frames_per_s: 300_000.0,
        stages_frames_per_s: Some(1_500_000.0 / (1.0 + count as f64 / 300.0)),
        peak_memory_bytes: 30_000_000 + 900_000 * count,
        market_memory_bytes: 10_000_000 + 400_000 * count,
        book_bytes: 250_000 * count,
        stages: vec![stage("decode", 90), stage("market", 40 + count / 4), stage("total", 400 + count)],
    }
}

fn nothing() -> LatencyReport {
    LatencyReport {
        run: RunFacts::default(),
        host: HostFacts::default(),
        topology: vec![],
        stages: vec![],
        intervals: vec![],
        rates: vec![],
        instruments: vec![],
        notes: vec![],
        counts: vec![],
    }
}

fn written(report: &LatencyReport) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = write(report, directory.path()).expect("a report");
    let html = fs::read_to_string(files.html).expect("readable");
    (directory, html)
}

/// Elements opened and not closed, or closed and not open, would show here.
fn assert_well_formed(html: &str) {
    const VOID: [&str; 3] = ["meta", "input", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).expect("a tag has a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed by <{tag}>");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if !tag.starts_with('/') && (name == "script" || name == "style") {
            let end = rest.find(&format!("</{name}>")).expect("an end");
            rest = &rest[end..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn a_report_is_a_page_figures_and_a_distribution_for_each_stage() {
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let directory =
        std::env::var_os("LATENCY_REPORT_DIR").map_or(temporary.path().join("new/report"), PathBuf::from);
    let report = synthetic();
    let files = write(&report, &directory).expect("a report");
    let html = fs::read_to_string(&files.html).expect("readable");
    assert_well_formed(&html);
    for heading in [
        "Latency by stage",
        "Percentiles",
        "How often",
        "Latency against rate",
        "Many instruments",
        "Threads and cores",
        "Host",
        "How to read",
    ] {
        assert!(html.contains(heading), "{heading}");
    }
    // Three views of the percentiles, a plot a stage, one of rates, four of many instruments.
    assert_eq!(html.matches("class=\"plot").count(), 3 + 6 + 1 + 4);
    assert!(html.contains("Each point is a run of its own"));
    let names: Vec<_> = files.hgrm.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(
        names,
        ["decode.hgrm", "market.hgrm", "strategy.hgrm", "risk.hgrm", "execution.hgrm", "tick-to-order.hgrm"]
    );
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(&files.json).expect("readable")).expect("valid JSON");
    let decode = &report.stages[0].histogram;
    for (key, value) in [
        ("count", decode.len()),
        ("p50", decode.value_at_quantile(0.5)),
        ("p90", decode.value_at_quantile(0.9)),
        ("p99", decode.value_at_quantile(0.99)),
        ("p999", decode.value_at_quantile(0.999)),
        ("max", decode.max()),
    ] {
        assert_eq!(json["stages"]["decode"][key], value, "{key}");
    }
    assert_eq!(json["stages"]["decode"]["mean"], decode.mean());
    assert_eq!(json["rates"].as_array().map(Vec::len), Some(7));
    let many = &json["instruments"][3];
    assert_eq!((&many["instruments"], &many["peak_memory_bytes"]), (&300.into(), &300_000_000.into()));
    assert_eq!(many["stages"][1], serde_json::json!({ "name": "market", "p50_ns": 115, "p99_ns": 1150 }));
    assert_eq!(json["intervals"].as_array().map(Vec::len), Some(300));
    assert_eq!(json["topology"][0]["core"], 0);
    assert!(json["host"]["cpu"]["online"].is_array());
}

#[test]
fn the_page_needs_nothing_else() {
    let (_directory, html) = written(&synthetic());
    for outside in ["http:", "https:", "//", "src=", "@import", "url("] {
        // Comments of the inline script are the one place for two slashes.
        let hits =
            html.lines().filter(|line| !line.trim_start().starts_with("// ") && line.contains(outside));
        assert_eq!(hits.collect::<Vec<_>>(), [""; 0], "{outside}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn without_rates_the_intervals_are_drawn_and_said_to_be_so() {
    let (_directory, html) = written(&LatencyReport { rates: vec![], ..synthetic() });
    assert!(html.contains("each pair of dots is one of 300 intervals of this one run"));
    assert!(!html.contains("Each point is a run of its own"));
}

#[test]
fn everything_from_outside_is_escaped() {
    let evil = "<script>alert('x')</script>\"&";
    let mut report = synthetic();
    report.run =
        RunFacts { title: evil.into(), command: evil.into(), started: evil.into(), version: evil.into() };
    report.host.kernel = Some(evil.into());
    report.host.cpu.model = Some(evil.into());
    report.host.kernel_parameters = vec![evil.into()];
    report.host.clock.source = Some(evil.into());
    report.host.memory.transparent_huge_pages = Some(evil.into());
    report.host.cpu.governors.insert(0, evil.into());
    report.topology[0] =
        TopologyRow { thread: evil.into(), stages: vec![evil.into()], core: None, wait: evil.into() };
    report.stages[0].name = evil.into();
    report.stages[0].doc = evil.into();
    report.instruments[0].stages[0].name = evil.into();
    report.notes = vec![evil.into()];
    report.counts = vec![(evil.into(), evil.into())];
    let (_directory, html) = written(&report);
    assert!(!html.contains("<script>alert"));
    assert_eq!(html.matches("</script>").count(), 2);
    // Once raw: the stage's name in the inline JSON, where only `<` could do harm.
    assert_eq!(html.matches("alert('x')").count(), 1);
    assert!(html.contains("\\u003cscript>alert('x')\\u003c/script>"));
    assert_well_formed(&html);
}

#[test]
fn a_report_of_nothing_is_still_a_page() {
    let (_directory, html) = written(&nothing());
    assert!(html.contains("No stage was measured."));
    assert_well_formed(&html);
}

#[test]
fn stages_and_rates_without_sense_are_still_a_page() {
    let mut report = nothing();
    for (name, values) in [("empty", &[][..]), ("zero", &[0]), ("one", &[1]), ("huge", &[u64::MAX / 4, 1])] {
        let mut histogram = Histogram::new(3).expect("good digits");
        for &value in values {
            histogram.record(value).expect("it resizes");
        }
        report.stages.push(StageLatency { name: name.into(), doc: String::new(), histogram });
    }
    let point = |offered_per_s| RatePoint {
        frames: 3_000,
        offered_per_s,
        achieved_per_s: f64::NAN,
        p50_ns: 0,
        p99_ns: u64::MAX,
        p999_ns: 0,
        max_ns: 0,
    };
    report.rates = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300, 5.0].map(point).into();
    let (_directory, html) = written(&report);
    assert!(!html.contains("NaN") && !html.contains("\"inf"));
    assert_well_formed(&html);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_a_clear_error() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("report");
    fs::write(&file, "x").expect("writable");
    for path in [file.clone(), file.join("below")] {
        let error = write(&nothing(), &path).expect_err("a file is in the way");
        assert!(matches!(&error, ReportError::NotADirectory(at) if *at == path), "{error}");
        assert!(error.to_string().contains("not a directory"));
    }
}

#[test]
fn an_earlier_report_is_kept_as_it_is() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let names = |path: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(path).expect("readable").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let first = write(&synthetic(), directory.path()).expect("a report");
    let before = names(directory.path());
    let contents = || fs::read(&first.json).expect("readable");
    let figures = contents();
    for run in ["run-2", "run-3"] {
        let next = write(&nothing(), directory.path()).expect("a report");
        assert_eq!(next.html, directory.path().join(run).join("index.html"));
        assert_eq!(contents(), figures);
    }
    let mut after = [&before[..], &["run-2".into(), "run-3".into()]].concat();
    after.sort();
    assert_eq!(names(directory.path()), after);
    assert_eq!(before.len(), 2 + 6);
    assert_eq!(names(&directory.path().join("run-2")), ["index.html", "latency.json"]);
}

#[test]
fn what_else_lies_in_a_reports_directory_is_left_and_a_page_of_somebody_elses_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("notes.txt"), "mine").expect("writable");
    let first = write(&nothing(), directory.path()).expect("a report");
    assert_eq!(first.html, directory.path().join("index.html"));
    fs::write(&first.html, "another page").expect("writable");
    let second = write(&nothing(), directory.path()).expect("a report");
    assert_eq!(second.html, directory.path().join("run-2/index.html"));
    assert_eq!(fs::read(&first.html).expect("readable"), b"another page");
}
