//! `algo-trader venue serve` as a person or a script meets it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

fn venue(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    command
        .args(["venue", "serve"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A served venue, killed at the end if it still runs.
struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Served {
    fn start(args: &[&str]) -> Self {
        Self::of(&mut venue(args))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Ctrl-C; what it still says, and its exit status.
    fn interrupt(self) -> (String, Option<i32>) {
        self.signal("-INT");
        self.end()
    }

    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        (rest, self.child.wait().expect("it ends").code())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended, or has to.
        let _ = self.child.kill();
    }
}

#[test]
fn it_says_where_it_serves_answers_there_and_ends_with_its_counts() {
    let mut served = Served::start(&["--plain", "--json", "--admin", "0", "--market", "spot"]);
    let said: Value = serde_json::from_str(&served.line()).expect("JSON");
    let rest = said["endpoints"][0]["rest"]
        .as_str()
        .and_then(|url| url.strip_prefix("http://"))
        .expect("an address");
    assert!(said["admin"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    let mut socket = TcpStream::connect(rest).expect("it listens");
    write!(socket, "GET /api/v3/time HTTP/1.1\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("serverTime"), "{answer}");
    let (counts, code) = served.interrupt();
    let counts: Value = serde_json::from_str(&counts).expect("JSON");
    assert_eq!((counts["rest_calls"].as_u64(), code), (Some(1), Some(0)));
}

#[test]
fn a_person_reads_endpoints_and_a_summary() {
    let ca = tempfile::NamedTempFile::new().expect("a file");
    let path = ca.path().to_str().expect("text");
    let mut served = Served::start(&["--ca-out", path, "--wait-for-client"]);
    let lines: Vec<String> = (0..4).map(|_| served.line()).collect();
    assert!(
        lines[0].starts_with("spot   wss://127.0.0.1:") && lines[1].starts_with("usdm   wss://"),
        "{lines:?}"
    );
    assert_eq!(lines[2], "the feed waits for 1 subscribed connection\n");
    assert!(std::fs::read_to_string(ca.path()).expect("written").starts_with("-----BEGIN CERTIFICATE-----"));
    let (summary, code) = served.interrupt();
    assert!(summary.starts_with("0 frames of the market"), "{summary}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_terminal_that_is_closed_ends_it_in_order_and_under_nohup_does_not() {
    let mut served = Served::start(&["--json", "--market", "spot"]);
    served.line();
    // The shell and the system may each say it.
    served.signal("-HUP");
    served.signal("-HUP");
    let (counts, code) = served.end();
    assert!(counts.contains("rest_calls"), "{counts}");
    assert_eq!(code, Some(0));

    let program = env!("CARGO_BIN_EXE_algo-trader");
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP; exec \"$0\" venue serve --json --market spot", program]);
    let mut served = Served::of(ignoring.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    served.line();
    served.signal("-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(served.child.try_wait().expect("ours").is_none(), "it goes on");
    assert_eq!(served.interrupt().1, Some(0));
}

#[test]
fn what_is_to_go_wrong_can_be_given_at_the_start() {
    let fault = r#"0:{"fault":"maintenance","ms":600000}"#;
    let mut served = Served::start(&["--plain", "--json", "--market", "spot", "--fault", fault]);
    let said: Value = serde_json::from_str(&served.line()).expect("JSON");
    let url = said["endpoints"][0]["rest"].as_str().and_then(|url| url.strip_prefix("http://"));
    let mut socket = TcpStream::connect(url.expect("an address")).expect("it listens");
    write!(socket, "GET /api/v3/time HTTP/1.1\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("-1008"), "{answer}");
    let (counts, _) = served.interrupt();
    let counts: Value = serde_json::from_str(&counts).expect("JSON");
    assert_eq!(counts["faults"]["maintenance"].as_u64(), Some(1));
}

#[test]
fn the_authority_is_written_over_an_earlier_venues_and_over_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ca.pem");
    let name = path.to_str().expect("text");
    let mut written = Vec::new();
    for _ in 0..2 {
        let mut served = Served::start(&["--ca-out", name, "--wait-for-client"]);
        served.line();
        written.push(std::fs::read_to_string(&path).expect("written"));
        served.interrupt();
    }
    assert_ne!(written[0], written[1], "each venue has an authority of its own");
    let params = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a name");
    let key = rcgen::KeyPair::generate().expect("a key");
    let other = params.self_signed(&key).expect("a certificate").pem();
    for content in ["precious", &other, &format!("{}{other}", written[1]), &key.serialize_pem()] {
        std::fs::write(&path, content).expect("written");
        // One that serves all the same would go on for ever.
        let mut child = venue(&["--ca-out", name]).stderr(Stdio::piped()).spawn().expect("the program runs");
        let begun = Instant::now();
        while child.try_wait().expect("a child").is_none() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        // It has ended, or it is in the way.
        let _ = child.kill();
        let output = child.wait_with_output().expect("an end");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains(name) && text.contains("is there already") && text.contains("--ca-out"),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), content);
    }
}

#[test]
fn bad_usage_is_refused_with_what_to_do() {
    for (args, status, words) in [
        (&["--listen", "0.0.0.0:0"][..], 2, "--allow-remote"),
        (&["--market", "coinm"], 2, "nothing of the market coinm"),
        (&["--rate", "fast"], 2, "expected max, or order operations"),
        (&["--tls", "plain"], 2, "old-protocol"),
        (&["--recorded", "nowhere/spot-btcusdt-20240808.gz"], 1, "nowhere/spot-btcusdt-20240808.gz"),
        (&["--recorded", "x.gz", "--seed", "4"], 2, "cannot be used with"),
        (&["--ca-out", "."], 2, "a directory; name a file"),
        (&["--fault", "{}"], 2, "no fault: missing field `fault`"),
        (&["--fault", "soon:{\"fault\":\"shutdown\"}"], 2, "expected milliseconds"),
    ] {
        let output = venue(args).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn the_help_names_every_fault_that_there_is() {
    let told = |args: &[&str]| {
        let output = venue(args).output().expect("the program starts");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let unknown = told(&["--fault", r#"{"fault":"nothing"}"#]);
    let (_, known) = unknown.split_once("expected one of").expect("the faults that are known");
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let help = told(&["--help"]);
    let (_, help) = help.split_once("Faults:").expect("a list of faults");
    let named: Vec<&str> = help.split(|c: char| !c.is_ascii_alphabetic() && c != '-').collect();
    let missing: Vec<_> = known.iter().filter(|fault| !named.contains(fault)).collect();
    assert!(known.len() > 20 && missing.is_empty(), "{missing:?} of {known:?}");
}
