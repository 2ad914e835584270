//! Where a PostgreSQL password comes from: `PGPASSWORD`, or a password file as PostgreSQL's own programs read it.
//!
//! A password is never in an address, a configuration or a message.

use super::url::PostgresUrl;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The password for this server, if there is one; a file that others may read is passed over, with a warning.
pub(super) fn find(url: &PostgresUrl) -> Option<String> {
    if let Ok(password) = std::env::var("PGPASSWORD")
        && !password.is_empty()
    {
        return Some(password);
    }
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let path = named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")))?;
    in_file(&path, url)
}

fn in_file(path: &Path, url: &PostgresUrl) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o077 != 0 {
        log::warn!("{} is readable by others and therefore not used: chmod 600", path.display());
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let host = if url.host.starts_with('/') { "localhost" } else { &url.host };
    let port = url.port.to_string();
    text.lines().find_map(|line| password(line, [host, &port, &url.database, &url.user]))
}

/// The password of `line` if its four fields are these; `*` is any, and a backslash takes what follows as it is.
fn password(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' if fields.len() < 5 => fields.push(String::new()),
            _ => {
                let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
                fields.last_mut()?.push(c);
            }
        }
    }
    let password = (fields.len() == 5).then(|| fields.pop()).flatten()?;
    let fits = fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
    fits.then_some(password)
}

#[cfg(test)]
mod tests {
    use super::super::StoreUrl;
    use super::*;

    #[test]
    fn a_line_fits_its_server_alone() {
        let wanted = ["db", "5432", "trades", "at"];
        assert_eq!(password("db:5432:trades:at:s3cret", wanted).as_deref(), Some("s3cret"));
        assert_eq!(password(r"*:*:*:at:a\:b\\c", wanted).as_deref(), Some(r"a:b\c"));
        assert_eq!(password("db:5433:trades:at:x", wanted), None);
        assert_eq!(password("#db:5432:trades:at:x", wanted), None);
        assert_eq!(password("db:5432:trades", wanted), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("pgpass");
        std::fs::write(&path, "# ours\nh:5432:x:at:good\n").expect("a good disk");
        let Ok(StoreUrl::Postgres(url)) = "postgres://at@h/x".parse() else { panic!("an address") };
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
        set(0o644).expect("our file");
        assert_eq!(in_file(&path, &url), None);
        set(0o600).expect("our file");
        assert_eq!(in_file(&path, &url).as_deref(), Some("good"));
    }
}
