//! A file's bytes: plain, gzip, or the one file in a zip; its checksum; its lines.
//!
//! Owns: unpacking. Knows no format. Invariant: a file that ends early is an error, never a shorter file.

use super::fault::{ImportError, RowFault};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// No row of any format is nearly as long.
const LINE_BYTES_MAX: usize = 1 << 20;
const CHUNK: usize = 256 << 10;

/// What is known of a file before it is read.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub path: PathBuf,
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl SourceFile {
    /// Reads the file once, and compares it with `<file>.CHECKSUM` where that is beside it.
    pub fn check(path: &Path) -> Result<Self, ImportError> {
        let io = |error| ImportError::Io { path: path.display().to_string(), error };
        let metadata = std::fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(ImportError::file(path, "is a directory: give the files in it"));
        }
        if metadata.len() == 0 {
            return Err(ImportError::file(
                path,
                "is empty: leave it out, or download it again if it should not be",
            ));
        }
        let mut file = File::open(path).map_err(io)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk).map_err(io)? {
                0 => break,
                n => hash.update(&chunk[..n]),
            }
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let source = Self { path: path.to_owned(), bytes: metadata.len(), sha256 };
        source.compare()?;
        Ok(source)
    }

    fn compare(&self) -> Result<(), ImportError> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".CHECKSUM");
        let beside = PathBuf::from(beside);
        let text = match std::fs::read_to_string(&beside) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ImportError::Io { path: beside.display().to_string(), error }),
        };
        let expected = text.split_whitespace().next().unwrap_or_default();
        if expected.len() != 64 || !expected.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ImportError::file(
                &beside,
                "is not a checksum as sha256sum prints it: download it again, or delete it to import without a check",
            ));
        }
        if expected.eq_ignore_ascii_case(&self.sha256) {
            return Ok(());
        }
        let sha256 = &self.sha256;
        Err(ImportError::file(
            &self.path,
            format!("SHA-256 is {sha256}, but the file beside it says {expected}: download both again"),
        ))
    }

    /// Unpacks the file and hands its text to `take`, with the name of the file in it where it is a zip.
    pub fn read<T>(
        &self,
        progress: &Arc<AtomicU64>,
        take: impl FnOnce(&str, Lines<'_>) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let io = |error| ImportError::Io { path: self.path.display().to_string(), error };
        let mut file = File::open(&self.path).map_err(io)?;
        let mut magic = [0; 4];
        let n = file.read(&mut magic).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let own_name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let counted = Counted { file, count: Arc::clone(progress) };
        match &magic[..n] {
            [b'P', b'K', ..] => self.unzip(counted, take),
            [0x1f, 0x8b, ..] => {
                let mut text = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, counted));
                take(own_name.strip_suffix(".gz").unwrap_or(&own_name), Lines::new(&mut text, self))
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                Err(ImportError::file(&self.path, "is packed by zstd: unpack it first (zstd -d)"))
            }
            [b'B', b'Z', b'h', _] => {
                Err(ImportError::file(&self.path, "is packed by bzip2: unpack it first (bzip2 -d)"))
            }
            [0xfd, b'7', b'z', b'X'] => {
                Err(ImportError::file(&self.path, "is packed by xz: unpack it first (xz -d)"))
            }
            [b'7', b'z', 0xbc, 0xaf] => {
                Err(ImportError::file(&self.path, "is a 7z archive: unpack it first (7z x)"))
            }
            _ => {
                let mut text = counted;
                take(&own_name, Lines::new(&mut text, self))
            }
        }
    }

    fn unzip<T>(
        &self,
        file: Counted,
        take: impl FnOnce(&str, Lines<'_>) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let bad = |error: zip::result::ZipError| {
            ImportError::file(
                &self.path,
                format!("cannot be unzipped ({error}): it is cut or damaged; download it again"),
            )
        };
        let mut archive = zip::ZipArchive::new(BufReader::with_capacity(64 << 10, file)).map_err(bad)?;
        if archive.len() != 1 {
            let problem =
                format!("holds {} files where one was expected: unzip it and import each", archive.len());
            return Err(ImportError::file(&self.path, problem));
        }
        if let Some(kind) = foreign(&archive.by_index_raw(0).map_err(bad)?) {
            let problem = format!(
                "is whole as far as can be told, but a zip {kind} is not read here: unzip it \
                                   (7z x) and import the file in it"
            );
            return Err(ImportError::file(&self.path, problem));
        }
        let mut member = archive.by_index(0).map_err(bad)?;
        let name = member.name().map_err(bad)?.rsplit('/').next().unwrap_or_default().to_owned();
        take(&name, Lines::new(&mut member, self))
    }
}

/// What keeps a file in a zip from being unpacked here, where that is not that it is damaged.
fn foreign<R: Read>(member: &zip::read::ZipFile<'_, R>) -> Option<String> {
    use zip::CompressionMethod as Method;
    if member.encrypted() {
        return Some("that is encrypted".into());
    }
    let by = match member.compression() {
        Method::Stored | Method::Deflated => return None,
        Method::DEFLATE64 => "Deflate64",
        Method::BZIP2 => "bzip2",
        Method::LZMA => "LZMA",
        Method::ZSTD => "zstd",
        Method::XZ => "xz",
        Method::PPMD => "PPMd",
        // With the method's number.
        other => return Some(format!("packed by a rare method ({other})")),
    };
    Some(format!("packed by {by}"))
}

/// A file that says how far it was read.
struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(out)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// What spreadsheets begin a text with, to say that it is UTF-8: no part of what it says.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The lines of a text, without their ends and without the byte order mark that it may begin with.
pub(super) struct Lines<'a> {
    text: &'a mut dyn Read,
    path: &'a Path,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Whether its beginning was read, and a mark there passed over.
    begun: bool,
    number: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a mut dyn Read, source: &'a SourceFile) -> Self {
        let buffer = vec![0; CHUNK];
        Self { text, path: &source.path, buffer, start: 0, end: 0, at_end: false, begun: false, number: 0 }
    }

    /// The next line and its number, from 1; `None` at the end. Empty lines are passed over.
    #[inline]
    pub fn next_line(&mut self) -> Result<Option<(u64, &[u8])>, ImportError> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
                let line = self.start..self.start + at;
                self.start += at + 1;
                self.number += 1;
                if trimmed(&self.buffer[line.clone()]).is_empty() {
                    continue;
                }
                return Ok(Some((self.number, trimmed(&self.buffer[line]))));
            }
            if self.at_end {
                let line = self.start..self.end;
                self.start = self.end;
                self.number += 1;
                let line = trimmed(&self.buffer[line]);
                return Ok((!line.is_empty()).then_some((self.number, line)));
            }
            self.fill()?;
        }
    }

    #[cold]
    fn fill(&mut self) -> Result<(), ImportError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end > LINE_BYTES_MAX {
            let problem =
                format!("has a line of more than {LINE_BYTES_MAX} bytes: it is no text of this kind");
            return Err(ImportError::file(self.path, format!("line {}: {problem}", self.number + 1)));
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.text.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.at_end = true,
            Ok(n) => self.end += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let problem = format!(
                    "cannot be unpacked beyond line {} ({error}): it is cut or damaged; download it again",
                    self.number
                );
                return Err(ImportError::file(self.path, problem));
            }
        }
        if !self.begun {
            let mark = BYTE_ORDER_MARK.as_bytes();
            let read = &self.buffer[..self.end];
            if read.len() < mark.len() && mark.starts_with(read) && !self.at_end {
                // So little came at once that it cannot be told yet.
                return self.fill();
            }
            self.begun = true;
            self.start = if read.starts_with(mark) { mark.len() } else { 0 };
        }
        Ok(())
    }
}

#[inline]
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A row's columns, of which there must be `N`.
#[inline]
pub(super) fn columns<'a, const N: usize>(
    line: &'a [u8],
    what: &'static str,
) -> Result<[&'a [u8]; N], RowFault> {
    let (columns, found) = split(line);
    if found == N { Ok(columns) } else { Err(RowFault::Columns { found, expected: N, what }) }
}

/// A row's columns, of which there must be `N`, or one more that is passed over.
#[inline]
pub(super) fn columns_or_one_more<'a, const N: usize>(
    line: &'a [u8],
    what: &'static str,
) -> Result<[&'a [u8]; N], RowFault> {
    let (columns, found) = split(line);
    if found == N || found == N + 1 {
        Ok(columns)
    } else {
        Err(RowFault::Columns { found, expected: N, what })
    }
}

/// The first `N` columns, and how many there are. Columns are short, so commas are looked for eight bytes at a time.
#[inline]
fn split<const N: usize>(line: &[u8]) -> ([&[u8]; N], usize) {
    const { assert!(N < COLUMNS_MAX) };
    // Where columns end; those beyond are counted and nothing else, in the last place.
    let (mut ends, mut found) = ([0; COLUMNS_MAX], 0);
    let (words, rest) = line.as_chunks::<8>();
    for (word, number) in words.iter().zip(0..) {
        let mut commas = commas(u64::from_le_bytes(*word));
        while commas != 0 {
            ends[found.min(COLUMNS_MAX - 1)] = number * 8 + commas.trailing_zeros() as usize / 8;
            found += 1;
            commas &= commas - 1;
        }
    }
    for (at, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b',') {
        ends[found.min(COLUMNS_MAX - 1)] = words.len() * 8 + at;
        found += 1;
    }
    ends[found.min(COLUMNS_MAX - 1)] = line.len();
    found += 1;
    let mut start = 0;
    let columns = std::array::from_fn(|n| {
        let column = line.get(start..ends[n]).unwrap_or_default();
        start = ends[n] + 1;
        column
    });
    (columns, found)
}

/// More than any format has.
const COLUMNS_MAX: usize = 16;

/// The highest bit of each byte that is a comma.
#[inline]
const fn commas(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ 0x2c2c_2c2c_2c2c_2c2c;
    // Of a byte that is zero neither its highest bit is set, nor is there one below it to carry into that.
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a text byte by byte.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let few = self.0.len().min(1);
            self.0.read(&mut out[..few])
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line_however_the_text_comes() {
        let source = SourceFile { path: PathBuf::from("x.csv"), bytes: 0, sha256: String::new() };
        let lines = |text: &mut dyn Read| {
            let (mut lines, mut all) = (Lines::new(text, &source), Vec::new());
            while let Some((number, line)) = lines.next_line().expect("it reads") {
                all.push((number, String::from_utf8_lossy(line).into_owned()));
            }
            all
        };
        let told = |line: &str, number| (number, line.to_owned());
        for (text, expected) in [
            ("\u{feff}id,price\r\n1,2\n", vec![told("id,price", 1), told("1,2", 2)]),
            ("\u{feff}\n1,2", vec![told("1,2", 2)]),
            ("1\n\u{feff}2\n", vec![told("1", 1), told("\u{feff}2", 2)]),
            ("\u{feff}", vec![]),
            ("", vec![]),
            ("\u{fec0}", vec![told("\u{fec0}", 1)]),
        ] {
            assert_eq!(lines(&mut text.as_bytes()), expected, "{text:?}");
            assert_eq!(lines(&mut Dripping(text.as_bytes())), expected, "{text:?} byte by byte");
        }
    }

    proptest! {
        #[test]
        fn columns_are_what_lies_between_commas(text in "[,\u{2c}\u{2b}-\u{2d}a\u{ac}\u{12c}]{0,150}") {
            let line = text.as_bytes();
            let plain: Vec<&[u8]> = line.split(|&b| b == b',').collect();
            let (columns, found) = split::<7>(line);
            prop_assert_eq!(found, plain.len());
            prop_assert_eq!(&columns[..found.min(7)], &plain[..found.min(7)]);
        }
    }
}
