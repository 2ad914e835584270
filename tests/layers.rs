//! The source keeps its own rules: modules use only what lies to their left, and dangerous things stay in few places.

use std::fs;
use std::path::{Path, PathBuf};

/// Left to right; modules of one group may use each other.
const GROUPS: &[&[&str]] = &[
    &["domain"],
    &["statistics"],
    &["pipeline", "net", "security", "calendar"],
    &["venue"],
    &["market", "strategy", "risk", "execution"],
    &["journal", "store", "history", "audit", "surveillance"],
    &["backtest", "report", "monitor"],
    &["control"],
    &["run"],
    &["testing"],
    &["cli"],
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Path under `src`, top module, and the lines that are not comments, of every file.
fn files() -> Vec<(String, String, Vec<String>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    assert!(paths.len() > 50, "src was found");
    let file = |path: &PathBuf| {
        let name = path.strip_prefix(&src).expect("under src").display().to_string();
        let module = name.split(['/', '.']).next().unwrap_or_default().to_owned();
        let text = fs::read_to_string(path).expect("sources are UTF-8");
        let code = text.lines().map(|l| l.split("//").next().unwrap_or_default().to_owned()).collect();
        (name, module, code)
    };
    paths.iter().map(file).collect()
}

fn group(module: &str) -> Option<usize> {
    GROUPS.iter().position(|group| group.contains(&module))
}

/// The words of `line` that follow `prefix`.
fn after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.split(prefix).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn modules_use_only_what_lies_to_their_left() {
    let mut problems = Vec::new();
    for (name, module, code) in files() {
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(own) = group(&module) else {
            problems.push(format!("{name}: {module} has no place in the order of modules"));
            continue;
        };
        for (number, line) in code.iter().enumerate() {
            for used in after(line, "crate::").filter(|used| !used.is_empty()) {
                if group(used).is_none_or(|used| used > own) {
                    problems.push(format!("{name}:{}: {module} uses {used}", number + 1));
                }
            }
        }
        // A list of modules in one `use` would escape the check above.
        problems.extend(code.iter().filter(|l| l.contains("crate::{")).map(|l| format!("{name}: {l}")));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Files with one of `words` that are in none of `allowed`, modules or paths under `src`.
fn only_in(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, module, code) in files() {
        let tests_from = code.iter().position(|l| l.contains("#[cfg(test)]")).unwrap_or(code.len());
        for (number, line) in code[..tests_from].iter().enumerate() {
            let bad = words.iter().any(|word| line.contains(word));
            let here = |place: &&str| module == **place || name.starts_with(&format!("{place}/"));
            if bad && !allowed.iter().any(here) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn no_source_has_unsafe_code() {
    let found = only_in(&["unsafe ", "unsafe_code"], &[]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn threads_are_started_only_where_pipelines_and_readers_are() {
    let places = ["run", "history", "venue/local/serve"];
    let found = only_in(&["thread::spawn", "thread::Builder", "thread::scope"], &places);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn private_keys_are_in_one_place() {
    // TLS names its provider, `rustls::crypto::ring`; the primitives themselves are for `security` alone.
    let found =
        only_in(&["ring::hmac", "ring::signature", "ring::rand", "base64ct", "expose()"], &["security"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_control_surface_is_asynchronous() {
    // The PostgreSQL client is blocking to us; the crate that gives it TLS has the word in its name.
    let found = only_in(&["tokio::", "axum", "async fn", "async move", ".await;", ".await?"], &["control"]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
