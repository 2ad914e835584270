//! Text into HTML, and files written whole or not at all: what every report needs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// `text` with everything that means something to HTML, in text or in an attribute, made harmless.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in a document at all.
            c if c.is_control() && !c.is_whitespace() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Writes `content` to `path` under another name first, so that a crash leaves no file or the whole one. What is there
/// already is never written over.
///
/// # Errors
/// What the file system says, [`io::ErrorKind::AlreadyExists`] among it; the other name is then gone again.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = path.file_name().unwrap_or_default().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(partial);
    let written = write_synced(&partial, content).and_then(|()| match fs::hard_link(&partial, path) {
        // A file system without links, on which a rename would replace what is there.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => match path.exists() {
            true => Err(io::ErrorKind::AlreadyExists.into()),
            false => fs::rename(&partial, path),
        },
        linked => linked,
    });
    // The first error is the one to tell.
    let _ = fs::remove_file(&partial);
    written
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_made_harmless() {
        assert_eq!(
            escape("<b a=\"1\" b='2'>&\u{0}\n"),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\u{fffd}\n"
        );
    }

    #[test]
    fn a_file_is_written_once_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("x.txt");
        write_whole(&path, b"one").expect("writable");
        let error = write_whole(&path, b"two").expect_err("a file is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("readable"), b"one");
        let blocked = directory.path().join("blocked");
        fs::create_dir(&blocked).expect("writable");
        write_whole(&blocked, b"x").expect_err("a directory is in the way");
        // The one that is full whatever is written to it, under the name that the file has until it is whole.
        let full = directory.path().join("full");
        let partial = directory.path().join(format!("full.{}.partial", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", &partial).expect("writable");
        let error = write_whole(&full, b"cut").expect_err("there is no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!full.exists() && !full.is_symlink(), "half a file would be taken for a whole one");
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .expect("readable")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["blocked", "x.txt"]);
    }
}
