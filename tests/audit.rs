//! An audit trail holds every decision of a run once, and no change to it goes unseen.

#[path = "support/store.rs"]
mod support;

use algo_trader::audit::verify::{anchors_of, read_anchors};
use algo_trader::audit::{
    Anchor, AuditError, Body, ExportFormat, Fault, Link, Scribe, Scribed, TrailWriter, export, verify,
    verify_file,
};
use algo_trader::domain::event::{Event, Kind};
use algo_trader::domain::params::{ParamKind, ParamSpec};
use algo_trader::domain::{InstrumentTable, Qty, Time};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader};
use algo_trader::market::Bar;
use algo_trader::net::TlsSettings;
use algo_trader::run::audit::trail_of;
use algo_trader::run::watch::{Reactor, Watch};
use algo_trader::run::why::why;
use algo_trader::run::{AuditRequest, Config, ReplayOptions, replay_frames};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, IndicatorHandle, Setup, Strategy, StrategySpec};
use algo_trader::surveillance::{Act, Alert, Detector, Reaction, Seen, Surveillance};
use algo_trader::venue::local::demo_instruments;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn request(trail: Option<PathBuf>) -> AuditRequest {
    let first = vec![Body::Access {
        who: "tester".into(),
        what: "a run".into(),
        allowed: true,
        detail: "a test".into(),
    }];
    AuditRequest {
        trail,
        anchors: None,
        anchor_every: Duration::from_millis(50),
        webhook: None,
        tls: TlsSettings::default(),
        first,
        watch: None,
        limits: None,
    }
}

/// Numbers that look random and come again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// The lines of a trail, without their ends.
fn lines(trail: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = trail.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(lines.pop().as_deref(), Some(&b""[..]), "the last line has its end");
    lines
}

fn record(line: &[u8]) -> Value {
    serde_json::from_slice(&line[65..]).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes all of a journal into a trail.
fn load(journal: &Path, trail: &Path) -> Result<Scribed, AuditError> {
    let mut scribe = Scribe::open(journal, trail, &[])?.expect("with a header");
    loop {
        match scribe.read()? {
            Scribed::More => {}
            end => return Ok(end),
        }
    }
}

#[test]
fn a_run_leaves_a_trail_of_every_decision_once_with_hashes_that_anybody_can_reckon() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let mut options = support::options(Some(journal.clone()));
    options.audit = Some(request(None));
    let summary = replay_frames(&support::config(), &mut support::market(6), options).expect("a good run");
    let did = summary.audit.expect("it has a trail");
    assert!(did.complete && did.error.is_none() && did.anchors > 0, "{did:?}");
    let trail = trail_of(&journal);
    let anchors = read_anchors(&anchors_of(&trail)).expect("anchors");
    let found = verify_file(&trail, &anchors).expect("as it was written");
    assert_eq!((found.anchored, found.ended, found.runs.len()), (Some(found.records), true, 1));
    assert_eq!(did.head, Some(Anchor { number: found.records, link: found.head }));

    // The chain, by another hand.
    let bytes = std::fs::read(&trail).expect("a file");
    let mut hash = Sha256::digest(b"algo-trader audit trail 1").to_vec();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for (line, n) in lines(&bytes).iter().zip(1u64..) {
        hash = Sha256::digest([&hash[..], &line[65..]].concat()).to_vec();
        assert_eq!(std::str::from_utf8(&line[..64]), Ok(hex(&hash).as_str()));
        let record = record(line);
        assert_eq!(record["n"], n);
        let kind = record["kind"].as_str().expect("a kind");
        let sub = record["decision"].as_str().or(record["reply"].as_str()).unwrap_or_default();
        *kinds.entry(format!("{kind} {sub}").trim().to_owned()).or_default() += 1;
    }

    // What the journal has, counted by another hand.
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    let mut reader = JournalReader::open(&journal).expect("a journal");
    while let Some(entry) = reader.next_entry().expect("it reads") {
        let kind = match entry {
            Entry::Slot(slot) => match (slot.kind(), slot.event()) {
                (Kind::Report, Event::Report(report)) => match format!("{:?}", report.kind).as_str() {
                    "Fill" => "fill".to_owned(),
                    other => format!("reply {}", other.to_lowercase().replace("cancelrej", "cancel-rej")),
                },
                (Kind::Denial, _) => "reply denied".to_owned(),
                (Kind::Command, _) => "command".to_owned(),
                (Kind::Interrupted, _) => "interrupted".to_owned(),
                _ => continue,
            },
            Entry::Record(record) => match record.kind {
                RecordKind::Order => "order approved".to_owned(),
                RecordKind::Denied => "order denied".to_owned(),
                RecordKind::Cancel => "cancel".to_owned(),
                RecordKind::Held => "held".to_owned(),
                _ => "manager".to_owned(),
            },
            Entry::End => "end".to_owned(),
        };
        *expected.entry(kind).or_default() += 1;
    }
    expected.extend([("run".to_owned(), 1), ("access".to_owned(), 1)]);
    assert_eq!(kinds, expected);
    assert!(expected["order approved"] > 20 && expected["order denied"] > 0 && expected["fill"] > 5);

    // The first record has the configuration in force.
    let first = record(&lines(&bytes)[0]);
    assert_eq!(first["config_text"], support::config().text);
    assert_eq!(first["config_sha256"], hex(&Sha256::digest(support::config().text.as_bytes())));
}

/// A trail of some records, its lines and the anchor of its end.
fn small_trail(dir: &Path) -> (Vec<Vec<u8>>, Anchor) {
    let (journal, _) = support::journal(dir, 2);
    let trail = dir.join("small");
    load(&journal, &trail).expect("a good journal");
    let mut lines = lines(&std::fs::read(&trail).expect("a file"));
    lines.truncate(80);
    // The first has the whole configuration: a shorter one does, and makes this quicker.
    let mut link = Link::origin();
    let texts: Vec<Vec<u8>> = lines.iter().map(|line| line[65..].to_vec()).collect();
    for (line, text) in lines.iter_mut().zip(&texts) {
        link = link.next(text);
        *line = [link.to_string().as_bytes(), b" ", text].concat();
    }
    let anchor = Anchor { number: lines.len() as u64, link };
    (lines, anchor)
}

/// The number of the first record that differs from what was written.
fn first_bad(good: &[Vec<u8>], bad: &[u8]) -> u64 {
    let mut expected = Vec::new();
    for (line, n) in good.iter().zip(1u64..) {
        expected.extend_from_slice(line);
        expected.push(b'\n');
        if !bad.starts_with(&expected) {
            return n;
        }
    }
    good.len() as u64 + 1
}

/// The record with another time.
fn forged(record: &[u8]) -> Vec<u8> {
    let mut text = record.to_vec();
    let name = b"\"time_ns\":";
    let begin = text.windows(name.len()).position(|w| w == name).expect("a time") + name.len();
    let digits = text[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let last = &mut text[begin + digits - 1];
    *last = b'0' + (*last - b'0' + 1) % 10;
    text
}

#[test]
fn ten_thousand_random_corruptions_are_all_found_and_the_first_bad_record_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let (good, anchor) = small_trail(dir.path());
    let whole = |lines: &[Vec<u8>]| [lines.join(&b'\n'), b"\n".to_vec()].concat();
    let bytes = whole(&good);
    let found = verify(&bytes[..], &[anchor]).expect("memory reads").expect("it is good");
    assert_eq!((found.records, found.anchored), (good.len() as u64, Some(good.len() as u64)));

    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    let mut tried = 0;
    while tried < 10_000 {
        let mut lines = good.clone();
        let (a, b) = (random.below(lines.len()), random.below(lines.len()));
        let mut rechained = false;
        let (what, bad) = match tried % 10 {
            0 | 1 => {
                let mut bad = bytes.clone();
                let at = random.below(bad.len());
                bad[at] ^= 1 << random.below(8);
                ("a bit flipped", bad)
            }
            2 => {
                lines.remove(a);
                ("a record removed", whole(&lines))
            }
            3 => {
                lines.swap(a, b);
                ("two records swapped", whole(&lines))
            }
            4 => {
                lines.insert(a, good[b].clone());
                ("a record doubled", whole(&lines))
            }
            5 => ("the end cut off", bytes[..random.below(bytes.len())].to_vec()),
            6 => {
                lines.truncate(a);
                ("whole records cut off the end", if a == 0 { Vec::new() } else { whole(&lines) })
            }
            7 => {
                let (from, to) = (random.below(bytes.len()), 1 + random.below(200));
                let to = (from + to).min(bytes.len());
                ("a piece cut out", [&bytes[..from], &bytes[to..]].concat())
            }
            8 => {
                // A forger who knows how, and reckons the hash of the record anew.
                let text = forged(&lines[a][65..]);
                let before = match a {
                    0 => Link::origin(),
                    _ => Link::parse(&good[a - 1][..64]).expect("a link"),
                };
                lines[a] = [before.next(&text).to_string().as_bytes(), b" ", &text].concat();
                ("a record forged with its hash", whole(&lines))
            }
            _ => {
                // And of all that follow: only the anchor can tell.
                rechained = true;
                let mut link = Link::origin();
                for (at, line) in lines.iter_mut().enumerate() {
                    let text = if at == a { forged(&line[65..]) } else { line[65..].to_vec() };
                    link = link.next(&text);
                    *line = [link.to_string().as_bytes(), b" ", &text].concat();
                }
                ("all written anew", whole(&lines))
            }
        };
        if bad == bytes {
            // Two records that were swapped may be one.
            continue;
        }
        tried += 1;
        *seen.entry(what).or_default() += 1;
        let fault = verify(&bad[..], &[anchor]).expect("memory reads").expect_err(what);
        let name = match fault {
            Fault::Unreadable { .. } => "unreadable",
            Fault::OutOfPlace { .. } => "out of place",
            Fault::Changed { .. } => "changed",
            Fault::Rewritten { .. } => "rewritten",
            Fault::Truncated { .. } => "truncated",
        };
        *faults.entry(name).or_default() += 1;
        if rechained {
            // Which of them differs only another copy could tell; that it is after the anchor before is what is said.
            assert!(matches!(fault, Fault::Rewritten { record: 1, .. }), "{what}: {fault}");
        } else if what == "a record forged with its hash" {
            // It fits what stands before it; what comes after it does not, or the anchor says so.
            let bad = first_bad(&good, &bad);
            let told = match fault {
                Fault::Changed { record } => record == bad + 1,
                other => bad == anchor.number && matches!(other, Fault::Rewritten { .. }),
            };
            assert!(told, "{what}: {fault}");
        } else {
            // A last line that is not whole may still differ in nothing but its end.
            assert_eq!(fault.record(), first_bad(&good, &bad), "{what}: {fault}");
        }
    }
    println!("corruptions found: {seen:?}");
    println!("as: {faults:?}");
    assert_eq!(seen.values().sum::<u64>(), 10_000);
    assert!(seen.len() == 9 && faults.len() == 5, "every kind was tried and told");
}

#[test]
fn without_an_anchor_a_cut_end_cannot_be_seen_and_with_one_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (good, anchor) = small_trail(dir.path());
    let cut = [good[..good.len() - 1].join(&b'\n'), b"\n".to_vec()].concat();
    let found = verify(&cut[..], &[]).expect("memory reads").expect("whole in itself");
    assert_eq!(found.anchored, None);
    let fault = verify(&cut[..], &[anchor]).expect("memory reads").expect_err("cut");
    assert_eq!(fault, Fault::Truncated { record: anchor.number, anchored: anchor.number });
}

#[test]
fn a_trail_whose_writer_was_killed_anywhere_goes_on_and_has_each_record_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 2);
    let whole_trail = dir.path().join("whole");
    load(&journal, &whole_trail).expect("a good journal");
    // Of a record what does not depend on where in the trail it stands.
    let body = |line: &Vec<u8>| {
        let mut record = record(line);
        record.as_object_mut().expect("an object").remove("n");
        record
    };
    let from_journal = |trail: &Path| -> Vec<Value> {
        let lines = lines(&std::fs::read(trail).expect("a file"));
        lines.iter().map(body).filter(|record| record["kind"] != "resumed").collect()
    };
    let expected = from_journal(&whole_trail);
    assert!(expected.len() > 60, "{}", expected.len());

    let bytes = std::fs::read(&journal).expect("a file");
    let mut random = Random(7);
    for round in 0..8 {
        let (growing, trail) = (dir.path().join(format!("j{round}")), dir.path().join(format!("t{round}")));
        let mut upto = 0;
        let mut ended = false;
        let mut kills = 0;
        while !ended {
            upto = (upto + random.below(bytes.len() / 6)).min(bytes.len());
            std::fs::write(&growing, &bytes[..upto]).expect("a good disk");
            let Some(mut scribe) = Scribe::open(&growing, &trail, &[]).expect("it is good so far") else {
                continue;
            };
            while scribe.read().expect("it reads") == Scribed::More {}
            ended = upto == bytes.len();
            drop(scribe);
            if !ended && random.below(2) == 0 {
                // The line being written was cut.
                let written = std::fs::read(&trail).expect("a file");
                let last =
                    written[..written.len() - 1].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                if last > 0 {
                    let keep = last + random.below(written.len() - last);
                    std::fs::write(&trail, &written[..keep]).expect("a good disk");
                    kills += 1;
                }
            }
        }
        let found = verify_file(&trail, &[]).expect("as it was written");
        assert!(found.ended, "round {round}, {kills} cuts");
        assert_eq!(from_journal(&trail), expected, "round {round}, {kills} cuts");
    }
}

#[test]
fn a_trail_holds_many_runs_and_one_writer_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let trail = dir.path().join("all.audit");
    let (first, _) = support::journal(dir.path(), 1);
    let (second, _) = support::journal(dir.path(), 2);
    load(&first, &trail).expect("a good journal");
    let records = verify_file(&trail, &[]).expect("good").records;
    load(&first, &trail).expect("nothing is missing");
    assert_eq!(verify_file(&trail, &[]).expect("good").records, records, "nothing twice");
    load(&second, &trail).expect("a second run");
    let found = verify_file(&trail, &[]).expect("good");
    assert!(found.runs.len() == 2 && found.records > records);
    assert!(matches!(load(&first, &trail), Err(AuditError::Past { .. })));
    let writer = TrailWriter::open(&trail, &[]).expect("nobody else has it");
    assert!(matches!(load(&second, &trail), Err(AuditError::Busy { .. })));
    drop(writer);
    // What does not verify is not gone on with.
    let mut bytes = std::fs::read(&trail).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&trail, &bytes).expect("a good disk");
    assert!(matches!(load(&second, &trail), Err(AuditError::Fault { .. })));
}

/// Splits CSV as RFC 4180 has it.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut value, mut inside) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if inside && chars.peek() == Some(&'"') => {
                chars.next();
                value.push('"');
            }
            '"' => inside = !inside,
            ',' if !inside => row.push(std::mem::take(&mut value)),
            '\n' if !inside => {
                row.push(std::mem::take(&mut value));
                rows.push(std::mem::take(&mut row));
            }
            c => value.push(c),
        }
    }
    rows
}

#[test]
fn what_is_exported_is_what_the_trail_has_between_two_moments() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 3);
    let trail = dir.path().join("t");
    load(&journal, &trail).expect("a good journal");
    let bytes = std::fs::read(&trail).expect("a file");
    let lines = lines(&bytes);
    let times: Vec<u64> = lines.iter().map(|l| record(l)["time_ns"].as_u64().expect("a time")).collect();
    let (from, to) = (times[times.len() / 3], times[2 * times.len() / 3]);
    let wanted: Vec<usize> = (0..lines.len()).filter(|&at| (from..to).contains(&times[at])).collect();
    assert!(wanted.len() > 10, "{}", wanted.len());

    let mut out = Vec::new();
    let n = export(&bytes[..], Some(Time(from)), Some(Time(to)), ExportFormat::JsonLines, &mut out);
    assert_eq!(n.expect("memory"), wanted.len() as u64);
    let out = String::from_utf8(out).expect("text");
    for (line, &at) in out.lines().zip(&wanted) {
        let (text, hash) = line.rsplit_once(",\"hash\":\"").expect("a hash");
        assert_eq!(format!("{text}}}").as_bytes(), &lines[at][65..], "the record's own bytes");
        assert_eq!(hash.trim_end_matches("\"}").as_bytes(), &lines[at][..64]);
    }
    let mut out = Vec::new();
    let n = export(&bytes[..], None, None, ExportFormat::Csv, &mut out).expect("memory");
    assert_eq!(n, lines.len() as u64);
    let rows = csv(&String::from_utf8(out).expect("text"));
    assert_eq!(rows.len(), lines.len() + 1);
    let column = |name: &str| rows[0].iter().position(|c| c == name).expect("a column");
    for (row, line) in rows[1..].iter().zip(&lines) {
        assert_eq!(row.len(), rows[0].len());
        let record = record(line);
        for name in ["n", "kind", "order", "qty", "price", "strategy"] {
            let expected = match &record[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(row[column(name)], expected);
        }
    }
    assert!(rows[1][column("detail")].contains("config_text="), "what has no column is in the detail");
}

#[test]
fn what_surveillance_finds_is_in_the_trail_with_what_was_done_about_it() {
    /// Finds the third fill of anybody.
    struct Third(u32);
    impl Detector for Third {
        fn name(&self) -> &'static str {
            "third-fill"
        }
        fn take(&mut self, seen: &Seen) -> Option<Alert> {
            let Act::Fill { strategy, .. } = seen.act else { return None };
            self.0 += 1;
            (self.0 == 3).then(|| Alert {
                detector: self.name(),
                time: seen.time,
                strategy,
                instrument: seen.instrument,
                detail: "the third".into(),
            })
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let run = |name: &str, reaction: Reaction, reactor: Option<Reactor>| {
        let journal = dir.path().join(name);
        let detectors: Vec<(Box<dyn Detector>, Reaction)> = vec![(Box::new(Third(0)), reaction)];
        let mut watch = Watch::with(Surveillance::new(detectors, 1), &support::config());
        if let Some(reactor) = reactor {
            watch = watch.reacting_by(reactor);
        }
        let mut options = support::options(Some(journal.clone()));
        options.audit = Some(AuditRequest { watch: Some(watch), ..request(None) });
        replay_frames(&support::config(), &mut support::market(4), options).expect("a good run");
        let trail = trail_of(&journal);
        verify_file(&trail, &[]).expect("as it was written");
        let records: Vec<Value> =
            lines(&std::fs::read(trail).expect("a file")).iter().map(|l| record(l)).collect();
        let at = records.iter().position(|r| r["kind"] == "alert").expect("it was found");
        assert_eq!(records.iter().filter(|r| r["kind"] == "alert").count(), 1);
        // It stands behind the fill that completed it.
        let fills: Vec<&Value> = records[..at].iter().filter(|r| r["kind"] == "fill").collect();
        assert_eq!((fills.len(), &fills[2]["seq"]), (3, &records[at]["seq"]));
        assert_eq!(records[at]["strategy"], fills[2]["strategy"]);
        records[at]["reaction"].as_str().expect("text").to_owned()
    };
    assert_eq!(run("warn", Reaction::Warn, None), "warn");
    let alone = run("alone", Reaction::Halt, None);
    assert!(alone.starts_with("halt not done: nothing in this run takes commands"), "{alone}");
    let told = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&told);
    let reactor: Reactor = Box::new(move |what| {
        to.lock().expect("nobody panics").push((what.reaction, what.why.clone()));
        Ok(())
    });
    assert_eq!(run("halted", Reaction::Halt, Some(reactor)), "halt");
    let told = told.lock().expect("nobody panics").clone();
    assert_eq!(told, [(Reaction::Halt, "third-fill: the third".to_owned())]);
}

/// Indicator values, best bid and ask, and position.
type Saw = (Vec<f64>, String, i64);

/// What the probe below saw when it ordered, by the order's number.
static SEEN: Mutex<BTreeMap<u64, Saw>> = Mutex::new(BTreeMap::new());

struct Probe {
    instrument: algo_trader::domain::InstrumentId,
    fast: IndicatorHandle,
    bands: IndicatorHandle,
    qty: Qty,
    buys: bool,
}

impl Strategy for Probe {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
        let (Some(fast), Some(bands)) = (ctx.indicator(self.fast), ctx.indicator(self.bands)) else { return };
        let Some(top) = ctx.quote(self.instrument) else { return };
        let held = ctx.position(self.instrument).qty.0;
        let qty = self.qty;
        let sent = match self.buys {
            true => ctx.buy(self.instrument, qty).at_market().send(),
            false => ctx.sell(self.instrument, qty).at_market().send(),
        };
        self.buys = !self.buys;
        if let Ok(order) = sent {
            let values = vec![fast[0], bands[0], bands[1], bands[2]];
            let top = format!("{} {}", top.bid.price.0, top.ask.price.0);
            SEEN.lock().expect("nobody panics").insert(order.0, (values, top, held));
        }
    }
}

static PROBE: [StrategySpec; 1] = [StrategySpec {
    name: "probe",
    doc: "buys and sells in turn, and notes what it saw",
    params: &[ParamSpec {
        name: "qty",
        doc: "how much",
        kind: ParamKind::Decimal { min: "0.001", max: "1", default: "0.010" },
    }],
    build: |setup: &mut Setup<'_>| -> Result<Box<dyn Strategy>, BuildError> {
        let instrument = setup.one_instrument()?;
        Ok(Box::new(Probe {
            instrument,
            qty: Qty(setup.params.decimal("qty", setup.table.get(instrument).qty_decimals)?),
            fast: setup.indicator(instrument, "sma", &[3])?,
            bands: setup.indicator(instrument, "bollinger", &[4, 2_000])?,
            buys: true,
        }))
    },
}];

#[test]
fn why_tells_what_the_strategy_saw_who_decided_and_what_became_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("j");
    let text = "[risk]\nunset = \"default\"\norders_per_second_max = 1\n[[strategy]]\nname = \"ma-cross\"\ninstruments = \
                [\"binance:spot:ETHUSDT\"]\n[[strategy]]\nname = \"probe\"\nlabel = \"prober\"\ninstruments = \
                [\"binance:usdm:BTCUSDT\"]\n[strategy.params]\nqty = \"0.020\"\n";
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(text, "probe.toml", table).expect("good");
    let mut options: ReplayOptions = support::options(Some(journal.clone()));
    options.pipeline.strategies = &PROBE;
    replay_frames(&config, &mut support::market(12), options).expect("a good run");
    let seen = SEEN.lock().expect("nobody panics").clone();
    assert!(seen.len() >= 5, "{seen:?}");
    let (mut filled, mut checked) = (0, 0);
    for (order, (values, top, held)) in &seen {
        let told = why(&journal, &order.to_string(), &PROBE).expect("it is there");
        assert_eq!((told.strategy.label.as_str(), told.strategy.name.as_str()), ("prober", "probe"));
        assert_eq!(told.strategy.params, ["qty = \"0.020\""]);
        let mut shown = Vec::new();
        for indicator in &told.indicators {
            assert!(indicator.name.ends_with("of binance:usdm:BTCUSDT"), "{}", indicator.name);
            shown.extend_from_slice(&indicator.values);
        }
        assert_eq!(&shown, values, "what it saw, to the last bit");
        let prices: Vec<i64> = top.split(' ').map(|p| p.parse().expect("a price")).collect();
        for price in prices {
            let text = format!("{}.{:02}", price / 100, price % 100);
            assert!(told.book.contains(&text), "{text} in {}", told.book);
        }
        let qty = told.position.replace(['.', '-'], "").parse::<i64>().expect("a number");
        assert_eq!(qty, held.abs(), "{}", told.position);
        assert_eq!(told.events.last().map(|e| e.seq), Some(told.seq), "the event that it answers");
        filled += usize::from(told.afterwards.iter().any(|e| e.text.starts_with("fill")));
        let again = why(&journal, &told.client_id, &PROBE).expect("by its client id too");
        assert_eq!(again.order, *order);
        let denied = matches!(&told.decision, Body::Order { decision: "denied", .. });
        assert_eq!(told.rules.iter().any(|rule| !rule.passed), denied);
        checked += 1;
        if checked == 12 {
            break;
        }
    }
    assert!(filled > 0, "some of them traded");
    let none = why(&journal, "99999999", &PROBE).expect_err("no such order").to_string();
    assert!(none.contains("no order 99999999"), "{none}");
}

fn program(args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_algo-trader")).args(args).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn the_commands_verify_export_load_and_tell_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 2);
    let path = journal.display().to_string();
    let (status, out, err) = program(&["audit", "load", "--journal", &path]);
    assert!(status == Some(0) && out.contains("the run's end"), "{out}{err}");
    let trail = trail_of(&journal).display().to_string();
    let (status, out, _) = program(&["audit", "verify", &trail]);
    assert!(status == Some(0) && out.contains("no anchor was given"), "{out}");
    let last = out.lines().find_map(|l| l.trim().strip_prefix("last ")).expect("the last record").to_owned();
    let (status, out, _) = program(&["audit", "verify", &trail, "--anchor", &last, "--json"]);
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert!(status == Some(0) && json["good"] == true && json["anchored"] == json["records"], "{out}");
    let (status, out, _) = program(&["audit", "export", &trail, "--format", "jsonl"]);
    assert!(status == Some(0) && out.lines().count() as u64 == json["records"].as_u64().expect("a count"));
    // A span that nothing can be in is a mistake, not an empty answer.
    for (from, to) in [("2026-03-02", "2026-03-01"), ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z")] {
        let (status, out, err) = program(&["audit", "export", &trail, "--from", from, "--to", to]);
        assert!(
            status == Some(2) && out.is_empty() && err.contains("is not before --to"),
            "{status:?} {out}{err}"
        );
    }
    let (status, out, _) =
        program(&["audit", "export", &trail, "--from", "2001-01-01", "--to", "2001-01-02"]);
    assert!(status == Some(0) && out.lines().count() == 1, "nothing was then, which is an answer: {out}");
    // Nothing that is there is written over: not the trail itself, not its journal.
    for there in [&trail, &path] {
        let before = std::fs::read(there).expect("a file");
        let (status, out, err) = program(&["audit", "export", &trail, "--out", there]);
        assert!(
            status == Some(2) && out.is_empty() && err.contains("is there already"),
            "{status:?} {out}{err}"
        );
        assert_eq!(std::fs::read(there).expect("a file"), before);
    }
    let first =
        lines(&std::fs::read(&trail).expect("a file")).iter().find_map(|line| record(line)["order"].as_u64());
    let first = first.expect("an order").to_string();
    let (status, out, err) = program(&["audit", "why", &first, "--journal", &path]);
    assert!(status == Some(0) && out.contains("who decided"), "{out}{err}");
    // What a full disk, or a kill, left of its last line is written anew.
    let whole = std::fs::read(&trail).expect("a file");
    std::fs::write(&trail, &whole[..whole.len() - 40]).expect("a good disk");
    let (status, out, err) = program(&["audit", "verify", &trail]);
    assert!(status == Some(1), "{out}{err}");
    let (status, out, err) = program(&["audit", "load", "--journal", &path]);
    assert!(status == Some(0) && out.contains("2 records added, up to the run's end"), "{out}{err}");
    let (status, out, err) = program(&["audit", "verify", &trail]);
    assert!(status == Some(0), "{out}{err}");
    std::fs::write(&trail, &whole).expect("a good disk");
    // Its last record goes: the anchor tells, with the record's number.
    let bytes = std::fs::read(&trail).expect("a file");
    let end = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').expect("many lines");
    std::fs::write(&trail, &bytes[..=end]).expect("a good disk");
    let (status, _, err) = program(&["audit", "verify", &trail, "--anchor", &last]);
    let number = last.split(':').next().expect("a number");
    assert!(status == Some(1) && err.contains(&format!("record {number} is missing")), "{err}");
}

#[test]
fn what_was_loaded_and_exported_is_told_as_json_and_never_among_what_is_exported() {
    let dir = tempfile::tempdir().expect("a directory");
    let (journal, _) = support::journal(dir.path(), 2);
    let path = journal.display().to_string();
    let trail = trail_of(&journal).display().to_string();
    let out = dir.path().join("trail.jsonl").display().to_string();
    let told = |args: &[&str]| -> Value {
        let (status, out, err) = program(&[args, &["--json"]].concat());
        assert_eq!(status, Some(0), "{err}");
        serde_json::from_str(&out).expect("JSON and nothing else")
    };
    let loaded = told(&["audit", "load", "--journal", &path]);
    let verified = told(&["audit", "verify", &trail]);
    assert!(loaded["records"].as_u64() > Some(2) && loaded["records_added"] == loaded["records"], "{loaded}");
    for name in ["trail", "records", "hash", "ended"] {
        assert_eq!(loaded[name], verified[name], "{name}");
    }
    assert_eq!((&loaded["journal"], &loaded["ended"]), (&Value::from(path.as_str()), &Value::from(true)));
    assert_eq!(told(&["audit", "load", "--journal", &path])["records_added"], 0, "it has all");
    let exported = told(&["audit", "export", &trail, "--format", "jsonl", "--out", &out]);
    assert_eq!(
        (&exported["trail"], &exported["out"]),
        (&Value::from(trail.as_str()), &Value::from(out.as_str()))
    );
    assert_eq!(exported["records"], verified["records"]);
    let lines = std::fs::read_to_string(&out).expect("a file").lines().count() as u64;
    assert_eq!(Some(lines), exported["records"].as_u64());
    // Where the export goes to standard output there is no room for it.
    let (status, out, err) = program(&["audit", "export", &trail, "--json"]);
    assert!(status == Some(2) && out.is_empty() && err.contains("--out"), "{status:?} {out}{err}");
    let file = std::fs::File::create(dir.path().join("sent")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    command
        .args(["audit", "export", &trail, "--format", "jsonl", "--out", "/dev/stdout", "--json"])
        .stdout(file);
    let told = serde_json::from_slice::<Value>(&command.output().expect("it starts").stderr).expect("JSON");
    let sent = std::fs::read_to_string(dir.path().join("sent")).expect("a file").lines().count() as u64;
    assert_eq!((&told["records"], Some(sent)), (&exported["records"], Some(lines)));
}

#[test]
fn a_journal_of_a_host_with_other_cores_replays_and_tells_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let mut config = support::config();
    // As if the run had been where there is such a core.
    config.text += "\n[pipeline.cores]\nfeed = 1023\nhousekeeping = [1023]\n";
    let ran = replay_frames(&config, &mut support::market(2), support::options(Some(journal.clone())));
    let ran = ran.expect("a good run");
    let path = journal.display().to_string();
    let (status, out, err) = program(&["replay", &path, "--json"]);
    assert_eq!(status, Some(0), "{err}");
    let again: Value = serde_json::from_str(&out).expect("JSON");
    assert!(ran.execution.orders > 0 && again["order_stream_sha256"] == ran.order_stream_sha256, "{again:#}");
    let (status, out, err) = program(&["replay", &path, "--show-topology"]);
    assert!(status == Some(0) && out.contains("topology:") && !out.contains("1023"), "{out}{err}");
    let mut reader = JournalReader::open(&journal).expect("a journal");
    let order = std::iter::from_fn(|| reader.next_entry().expect("it reads")).find_map(|entry| match entry {
        Entry::Record(record) => Some(record.order.id.0.to_string()),
        _ => None,
    });
    let (status, out, err) = program(&["audit", "why", &order.expect("one order"), "--journal", &path]);
    assert!(status == Some(0) && out.contains("who decided"), "{out}{err}");
}
