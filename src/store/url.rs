//! A database's address: `sqlite:PATH` or `postgres://user@host:port/db`.
//!
//! Invariant: an address holds no password, since it is printed, journaled with the configuration and seen by everyone
//! who lists processes; and a connection that leaves this machine is encrypted and the server verified, unless the
//! address says `sslmode=disable` in so many words.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// See the module.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PostgresUrl>),
}

/// A PostgreSQL server and a database on it.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    /// As it was given.
    text: String,
    /// What the client library is given.
    pub(super) config: postgres::Config,
    /// Whether the connection is encrypted and the server verified.
    pub(super) verify: bool,
    /// Certificates that vouch for the server (`sslrootcert`).
    pub(super) root: Option<PathBuf>,
    /// Host or socket directory, port, database and user, as a password file is asked for them.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Neither of the two.
    #[error("is no database: expected \"sqlite:PATH\" or \"postgres://user@host:port/database\"")]
    Unknown,
    /// No path.
    #[error("names no file: expected \"sqlite:PATH\"")]
    NoPath,
    /// A password where everyone sees it.
    #[error(
        "holds a password, which would be seen in logs, journals and lists of processes: leave it out, and give it in \
         the variable PGPASSWORD or in ~/.pgpass (host:port:database:user:password, mode 0600)"
    )]
    Password,
    /// A part of the address does not read.
    #[error("does not read: {0}")]
    Bad(String),
    /// A kind of protection that protects less than it seems.
    #[error(
        "has sslmode={0}, which is not offered: use sslmode=verify-full (the default for another machine), or \
         sslmode=disable where the network is your own"
    )]
    SslMode(String),
}

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" | ":memory:" => Err(UrlError::NoPath),
                path => Ok(StoreUrl::Sqlite(path.into())),
            };
        }
        for scheme in ["postgres://", "postgresql://"] {
            if let Some(rest) = text.strip_prefix(scheme) {
                return PostgresUrl::parse(rest).map(|url| StoreUrl::Postgres(Box::new(url)));
            }
        }
        Err(UrlError::Unknown)
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialEq for StoreUrl {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (StoreUrl::Sqlite(a), StoreUrl::Sqlite(b)) => a == b,
            (StoreUrl::Postgres(a), StoreUrl::Postgres(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for StoreUrl {}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Postgres(server) => write!(f, "{server}"),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, database, .. } = self;
        write!(f, "postgres://{user}@{host}:{port}/{database}")
    }
}

impl PostgresUrl {
    fn parse(rest: &str) -> Result<Self, UrlError> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or("");
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err(UrlError::Password);
        }
        let (mut mode, mut root, mut kept) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => root = Some(PathBuf::from(value)),
                Some(("password" | "passfile", _)) => return Err(UrlError::Password),
                _ => kept.push(pair),
            }
        }
        let text = format!("postgres://{place}?{}", kept.join("&"));
        let mut config: postgres::Config = text.parse().map_err(|e: postgres::Error| {
            let cause = std::error::Error::source(&e).map(ToString::to_string);
            UrlError::Bad(cause.unwrap_or_else(|| e.to_string()))
        })?;
        let host = match config.get_hosts() {
            [postgres::config::Host::Tcp(name)] => name.clone(),
            [postgres::config::Host::Unix(path)] => path.display().to_string(),
            [] => return Err(UrlError::Bad("it names no host".into())),
            _ => return Err(UrlError::Bad("it names several hosts; one is written to".into())),
        };
        let Some(user) = config.get_user().map(str::to_owned) else {
            return Err(UrlError::Bad("it names no user: postgres://user@host/database".into()));
        };
        let database = config.get_dbname().unwrap_or(&user).to_owned();
        let port = config.get_ports().first().copied().unwrap_or(5432);
        // The name is what a certificate is of; where the bytes go, an address may say.
        if !config.get_hostaddrs().is_empty() {
            return Err(UrlError::Bad("hostaddr is not taken: name the server by its host".into()));
        }
        let here = is_here(&host);
        let verify = match mode {
            None => !here,
            Some("verify-full" | "require") => true,
            Some("disable") => false,
            Some(other) => return Err(UrlError::SslMode(other.to_owned())),
        };
        if verify && host.starts_with('/') {
            return Err(UrlError::Bad("a socket in the file system takes no TLS: leave sslmode out".into()));
        }
        config.ssl_mode(match verify {
            true => postgres::config::SslMode::Require,
            false => postgres::config::SslMode::Disable,
        });
        config.dbname(&database);
        let text = format!("postgres://{rest}");
        Ok(Self { text, config, verify, root, host, port, database, user })
    }

    /// Whether the connection is encrypted and the server verified.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.verify
    }

    /// Whether the server is another machine's.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        !is_here(&self.host)
    }
}

/// Whether a host can only be this machine.
fn is_here(host: &str) -> bool {
    let ip: Option<std::net::IpAddr> = host.parse().ok();
    host.starts_with('/') || host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> PostgresUrl {
        match text.parse() {
            Ok(StoreUrl::Postgres(url)) => *url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn addresses_of_both_databases_are_read_and_shown() {
        for (text, shown) in [
            ("sqlite:runs.db", "sqlite:runs.db"),
            ("sqlite:///var/lib/runs.db", "sqlite:/var/lib/runs.db"),
            ("postgres://at@db.example.com/trades", "postgres://at@db.example.com:5432/trades"),
            ("postgresql://at@127.0.0.1:5433/", "postgres://at@127.0.0.1:5433/at"),
            ("postgres://at@%2Ftmp%2Fsock:5433/x", "postgres://at@/tmp/sock:5433/x"),
        ] {
            assert_eq!(text.parse::<StoreUrl>().map(|u| u.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn another_machine_is_verified_unless_told_otherwise() {
        for (text, verify) in [
            ("postgres://at@db.example.com/x", true),
            ("postgres://at@10.0.0.7/x", true),
            ("postgres://at@10.0.0.7/x?sslmode=disable", false),
            ("postgres://at@localhost/x", false),
            ("postgres://at@[::1]/x", false),
            ("postgres://at@localhost/x?sslmode=verify-full&sslrootcert=ca.pem", true),
        ] {
            assert_eq!(server(text).verifies(), verify, "{text}");
        }
        assert_eq!(server("postgres://at@h/x?sslrootcert=ca.pem").root, Some("ca.pem".into()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, said) in [
            ("mysql://x", "expected \"sqlite:PATH\" or"),
            ("sqlite:", "names no file"),
            ("postgres://at:secret@h/x", "PGPASSWORD"),
            ("postgres://at@h/x?password=secret", "PGPASSWORD"),
            ("postgres://at@h/x?sslmode=prefer", "sslmode=prefer, which is not offered"),
            ("postgres://h/x", "names no user"),
            ("postgres://at@a,b/x", "several hosts"),
            ("postgres://at@localhost/x?hostaddr=10.0.0.7", "hostaddr is not taken"),
            ("postgres://at@h:port/x", "does not read"),
            ("postgres://at@h/x?what=1", "does not read"),
        ] {
            let error = text.parse::<StoreUrl>().expect_err(text).to_string();
            assert!(error.contains(said) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
