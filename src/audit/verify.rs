//! Verifying a trail: each link against the record and the link before it, and the anchors against the links.

use super::chain::{Anchor, LINK_DIGITS, Link, parts};
use super::error::AuditError;
use crate::journal::private_file;
use crate::journal::reader::is_journal;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What is wrong with a trail, at the first record that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// A line is not a record, or not whole.
    #[error("record {record}: the line is damaged, or was cut off")]
    Unreadable {
        /// The first bad record.
        record: u64,
    },
    /// Another record stands here than should.
    #[error("record {record} is missing, or not in its place: record {found} stands there")]
    OutOfPlace {
        /// The first bad record.
        record: u64,
        /// What stands there.
        found: u64,
    },
    /// The record or its hash was changed; or the one before it was, by somebody who reckoned that one's hash anew.
    #[error(
        "record {record} was changed: its hash does not fit (or the record before it was, and its hash with it)"
    )]
    Changed {
        /// The first bad record.
        record: u64,
    },
    /// The chain is whole in itself, and not the one that was anchored.
    #[error(
        "the trail was written anew: record {anchored} is not the one that was anchored (the first that differs is one from {record} on)"
    )]
    Rewritten {
        /// The first that may be another.
        record: u64,
        /// The anchor that says so.
        anchored: u64,
    },
    /// The end was cut off.
    #[error("record {record} is missing: the end of the trail was cut off, record {anchored} was there")]
    Truncated {
        /// The first that is missing.
        record: u64,
        /// The last that is known to have been there.
        anchored: u64,
    },
}

impl Fault {
    /// The first record that is not, or may not be, as it was written.
    #[must_use]
    pub const fn record(&self) -> u64 {
        match *self {
            Self::Unreadable { record }
            | Self::OutOfPlace { record, .. }
            | Self::Changed { record }
            | Self::Rewritten { record, .. }
            | Self::Truncated { record, .. } => record,
        }
    }
}

/// What a whole trail holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// The last record's link.
    pub head: Link,
    /// The last record that an anchor vouches for; what follows it could be cut off unseen.
    pub anchored: Option<u64>,
    /// Runs in it, in their order.
    pub runs: Vec<String>,
    /// The configuration of the last of them.
    pub config_text: String,
    /// Whether the last run came to its end.
    pub ended: bool,
    /// Of the last run, the journal's entries that were taken in.
    pub entry: u64,
    /// Bytes of whole lines.
    pub bytes: u64,
}

/// What a trail's writer has to know of a record to go on after it.
#[derive(Deserialize)]
struct Head {
    entry: u64,
    kind: String,
    run: Option<String>,
    config_text: Option<String>,
}

/// Verifies a trail against its own chain and against `anchors`.
///
/// # Errors
/// What the reader says; inside, the first fault.
pub fn verify(mut trail: impl BufRead, anchors: &[Anchor]) -> io::Result<Result<Verified, Fault>> {
    let mut anchors = anchors.to_vec();
    anchors.sort_by_key(|anchor| anchor.number);
    let mut due = anchors.iter().peekable();
    let mut found = Verified {
        records: 0,
        head: Link::origin(),
        anchored: None,
        runs: Vec::new(),
        config_text: String::new(),
        ended: false,
        entry: 0,
        bytes: 0,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = trail.read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let record = found.records + 1;
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok(Err(Fault::Unreadable { record })) };
        let Some((link, number, text)) = parts(whole) else { return Ok(Err(Fault::Unreadable { record })) };
        if number != record {
            return Ok(Err(Fault::OutOfPlace { record, found: number }));
        }
        let expected = found.head.next(text);
        if link != expected {
            return Ok(Err(Fault::Changed { record }));
        }
        while let Some(anchor) = due.next_if(|anchor| anchor.number == record) {
            if anchor.link != link {
                let after = found.anchored.unwrap_or(0);
                return Ok(Err(Fault::Rewritten { record: after + 1, anchored: record }));
            }
            found.anchored = Some(record);
        }
        (found.records, found.head) = (record, link);
        found.bytes += read as u64;
        let Ok(head) = serde_json::from_slice::<Head>(text) else {
            return Ok(Err(Fault::Unreadable { record }));
        };
        found.entry = head.entry;
        if let Some(run) = head.run.filter(|_| head.kind == "run") {
            found.runs.push(run);
            found.config_text = head.config_text.unwrap_or_default();
        }
        found.ended = head.kind == "end" || found.ended && head.kind != "run";
    }
    Ok(match due.last() {
        Some(missing) => Err(Fault::Truncated { record: found.records + 1, anchored: missing.number }),
        None => Ok(found),
    })
}

/// Verifies the trail in a file.
///
/// # Errors
/// [`AuditError::Fault`] with the first bad record, or what keeps the file from being read.
pub fn verify_file(path: &Path, anchors: &[Anchor]) -> Result<Verified, AuditError> {
    let file = File::open(path).map_err(AuditError::unopened(path))?;
    let found = verify(BufReader::with_capacity(1 << 20, file), anchors).map_err(AuditError::io(path))?;
    found.map_err(|fault| {
        let path_told = path.display().to_string();
        match what_it_is(path).filter(|_| anchors.is_empty() && fault == Fault::Unreadable { record: 1 }) {
            Some(is) => AuditError::NoTrail { path: path_told, is },
            None => AuditError::Fault { path: path_told, fault },
        }
    })
}

/// How much of a file is looked at for a record.
const LOOKED_AT_BYTES: u64 = 1 << 20;

/// What a file is of which not one line is a record, nor begins as one; `None` where it may have been a trail.
fn what_it_is(path: &Path) -> Option<&'static str> {
    if is_journal(path) {
        return Some("it is a journal; the trail lies beside it, with .audit after its name");
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(LOOKED_AT_BYTES).read_to_end(&mut text).ok()?;
    let is_hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    let is_record = |line: &[u8]| line.get(LINK_DIGITS) == Some(&b' ') && is_hex(&line[..LINK_DIGITS]);
    let is_cut = text.len() <= LINK_DIGITS && is_hex(&text);
    let is_trail = is_cut || text.split(|byte| *byte == b'\n').any(is_record);
    (!is_trail)
        .then_some("no line of it is a record; a trail is named as its journal, with .audit after that")
}

/// Where the anchors of a trail are, unless told otherwise: beside it.
#[must_use]
pub fn anchors_of(trail: &Path) -> PathBuf {
    let mut name = trail.as_os_str().to_owned();
    name.push(".anchors");
    PathBuf::from(name)
}

/// Reads a file of anchors. A last line without an end counts where it is whole but for that, as one that a person copied;
/// else it was being written when its writer died, and is left out.
///
/// # Errors
/// [`AuditError::BadAnchor`] at the first line that is none.
pub fn read_anchors(path: &Path) -> Result<Vec<Anchor>, AuditError> {
    let text = std::fs::read(path).map_err(AuditError::unopened(path))?;
    let text = String::from_utf8_lossy(&text);
    let (whole, last) = text.rsplit_once('\n').unwrap_or(("", &text));
    let lines = whole.split('\n').enumerate().filter(|(_, line)| !line.is_empty());
    let bad = |line: usize| AuditError::BadAnchor { path: path.display().to_string(), line: line + 1 };
    let read = lines.map(|(at, line)| Anchor::parse(line).ok_or_else(|| bad(at)));
    read.chain(Anchor::parse(last).map(Ok)).collect()
}

/// Opens a file of anchors to add to it, after whole lines alone: what [`read_anchors`] takes of a last line without an end
/// is given one, and what it leaves out is cut off.
///
/// # Errors
/// What the operating system says.
pub fn append_anchors(path: &Path) -> io::Result<File> {
    let mut file = private_file().read(true).append(true).create(true).open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        match Anchor::parse(&String::from_utf8_lossy(&text[whole..])) {
            Some(_) => file.write_all(b"\n")?,
            None => file.set_len(whole as u64)?,
        }
    }
    Ok(file)
}

/// Whether the bytes that follow the last whole line can be the beginning of a record.
pub(super) fn is_unfinished(rest: &[u8]) -> bool {
    rest.len() <= LINK_DIGITS && rest.iter().all(u8::is_ascii_hexdigit)
        || rest.len() > LINK_DIGITS && rest[LINK_DIGITS] == b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_an_end_counts_where_it_is_whole_and_what_is_added_follows_whole_lines() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.anchors");
        let anchor = |number| Anchor { number, link: Link::origin().next(b"{}") };
        let [one, two, three] = [1, 2, 3].map(anchor);
        let cut = two.to_string()[..20].to_owned();
        for (text, expected) in [
            (String::new(), vec![]),
            (format!("{one} 2026-01-01T00:00:00Z\n"), vec![one]),
            (format!("{one}"), vec![one]),
            (format!("{one}\n{two} 2026-01-0"), vec![one, two]),
            (format!("{one}\n{cut}"), vec![one]),
            (cut.clone(), vec![]),
        ] {
            std::fs::write(&path, &text).expect("ours");
            assert_eq!(read_anchors(&path).expect("anchors"), expected, "{text:?}");
            let mut file = append_anchors(&path).expect("it opens");
            file.write_all(format!("{three}\n").as_bytes()).expect("written");
            let all: Vec<Anchor> = expected.into_iter().chain([three]).collect();
            assert_eq!(read_anchors(&path).expect("anchors"), all, "{text:?} and one more");
        }
        std::fs::write(&path, format!("{cut}\n{one}")).expect("ours");
        assert!(matches!(read_anchors(&path), Err(AuditError::BadAnchor { line: 1, .. })));
    }
}
