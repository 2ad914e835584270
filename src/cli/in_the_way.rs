//! What stands where something is to be written. It is looked for before the work, and is bad usage, since another name
//! mends it; what the file system refuses otherwise, who writes there tells.

use super::Outcome;
use crate::store::StoreUrl;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Refuses `dir` as the directory of `what` where it, or a part of its path, is something else. Makes nothing.
pub fn directory(dir: &Path, what: &str) -> Result<(), Outcome> {
    let Some(place) = other_than_a_directory(dir) else { return Ok(()) };
    eprintln!("{}: not a directory; name another place for {what}, or remove the file", place.display());
    Err(Outcome::BadUsage)
}

/// Refuses `path` as that of a file where it is a directory.
pub fn file(path: &Path) -> Result<(), Outcome> {
    if !path.is_dir() {
        return Ok(());
    }
    eprintln!("{}: a directory; name a file", path.display());
    Err(Outcome::BadUsage)
}

/// The same of the directory that the file `path` is to be in.
pub fn directory_of(path: &Path, what: &str) -> Result<(), Outcome> {
    path.parent().map_or(Ok(()), |dir| directory(dir, what))
}

/// The same of a database that is a file.
pub fn directory_of_store(url: &StoreUrl) -> Result<(), Outcome> {
    match url {
        StoreUrl::Sqlite(path) => directory_of(path, "the database"),
        StoreUrl::Postgres(_) => Ok(()),
    }
}

/// The nearest of `dir` and what it is in that is there, unless that is a directory.
fn other_than_a_directory(dir: &Path) -> Option<PathBuf> {
    for place in dir.ancestors().filter(|place| !place.as_os_str().is_empty()) {
        match std::fs::metadata(place) {
            Ok(at) => return (!at.is_dir()).then(|| place.to_owned()),
            // A link that leads nowhere is in the way as well.
            Err(_) if std::fs::symlink_metadata(place).is_ok() => return Some(place.to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_is_found_wherever_on_the_path_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), b"x").expect("written");
        std::os::unix::fs::symlink(at("nowhere"), at("astray")).expect("linked");
        std::os::unix::fs::symlink(dir.path(), at("here")).expect("linked");
        for (name, found) in [
            ("", None),
            ("new/and/newer", None),
            ("here/new", None),
            ("file", Some("file")),
            ("file/below/it", Some("file")),
            ("astray/new", Some("astray")),
        ] {
            assert_eq!(other_than_a_directory(&at(name)), found.map(at), "{name:?}");
        }
        assert_eq!(other_than_a_directory(Path::new("relative-and-not-there")), None);
    }
}
