//! The account's key: from environment variables or a file, straight into what signs.
//!
//! No message has a byte of a key in it. A file that others may read is refused: its key must be taken for known.

use crate::run::config::TradingConfig;
use crate::security::{ApiKey, Credentials, KeyError, Secret};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Whose key is read: each has its own, and its own place for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOf {
    /// Who trades.
    Engine,
    /// Who cancels everything once the engine's heart stops.
    Watchdog,
}

impl KeyOf {
    const fn who(self) -> &'static str {
        match self {
            Self::Engine => "live trading",
            Self::Watchdog => "the watchdog",
        }
    }

    /// What names its file.
    const fn file(self) -> &'static str {
        match self {
            Self::Engine => "[trading] key_file",
            Self::Watchdog => "--key-file",
        }
    }
}

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeysError {
    /// A variable is not set.
    #[error(
        "{} needs a key, and the environment has no {variable}: set {key} and {secret}, or give {}",
        .of.who(), .of.file()
    )]
    NoVariable {
        /// Whose key it is.
        of: KeyOf,
        /// The one missed.
        variable: String,
        /// The one for the key.
        key: String,
        /// The one for the secret.
        secret: String,
    },
    /// The file cannot be read.
    #[error("{} {path}: {problem}", .of.file())]
    Unreadable {
        /// Whose key it is.
        of: KeyOf,
        /// Which.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// Others may read the file.
    #[error(
        "{} {path} may be read by others (mode {mode:03o}): take it for known to them, make a new key, and chmod 600 its \
         file",
        .of.file()
    )]
    Exposed {
        /// Whose key it is.
        of: KeyOf,
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What was found is no key.
    #[error("the key in {place} is not taken: {error}")]
    Bad {
        /// Where it was found.
        place: String,
        /// What is wrong.
        error: KeyError,
    },
}

/// Reads the key that `trading` points at; `of` says whose it is.
///
/// # Errors
/// [`KeysError`], with what to do.
pub fn load(trading: &TradingConfig, of: KeyOf) -> Result<Credentials, KeysError> {
    match &trading.key_file {
        Some(path) => from_file(path, of),
        None => from_variables(trading, of, |name| std::env::var(name).ok()),
    }
}

/// The API key that `trading` points at, without its secret; none where this process does not come by it.
#[must_use]
pub fn known_api_key(trading: &TradingConfig) -> Option<ApiKey> {
    api_key_by(trading, |name| std::env::var(name).ok())
}

fn api_key_by(trading: &TradingConfig, read: impl Fn(&str) -> Option<String>) -> Option<ApiKey> {
    let text = match &trading.key_file {
        Some(path) => Secret::new(std::fs::read(path).ok()?),
        None => Secret::new(read(&trading.key_env)?),
    };
    Credentials::api_key_of(&text)
}

fn from_variables(
    trading: &TradingConfig,
    of: KeyOf,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Credentials, KeysError> {
    let (key, secret) = (&trading.key_env, &trading.secret_env);
    let text = |variable: &String| {
        let missing = || KeysError::NoVariable {
            of,
            variable: variable.clone(),
            key: key.clone(),
            secret: secret.clone(),
        };
        read(variable).filter(|text| !text.trim().is_empty()).map(Secret::new).ok_or_else(missing)
    };
    let (api_key, secret_text) = (text(key)?, text(secret)?);
    Credentials::new(&api_key, &secret_text)
        .map_err(|error| KeysError::Bad { place: format!("{key} and {secret}"), error })
}

fn from_file(path: &Path, of: KeyOf) -> Result<Credentials, KeysError> {
    let unreadable =
        |error: std::io::Error| KeysError::Unreadable { of, path: path.into(), problem: error.to_string() };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed { of, path: path.into(), mode });
    }
    let whole = Secret::new(std::fs::read(path).map_err(unreadable)?);
    Credentials::from_text(&whole)
        .map_err(|error| KeysError::Bad { place: path.display().to_string(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::Config;
    use crate::security::Algorithm;
    use std::io::Write;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn trading() -> TradingConfig {
        Config::embedded_default().trading
    }

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("written");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).expect("ours");
        file
    }

    #[test]
    fn a_key_comes_from_variables_and_a_missing_one_is_named() {
        let both = |name: &str| match name {
            "ALGO_TRADER_API_KEY" => Some("abcdefgh".to_owned()),
            "ALGO_TRADER_API_SECRET" => Some(format!("{SECRET}\n")),
            _ => None,
        };
        let credentials = from_variables(&trading(), KeyOf::Engine, both).expect("both are there");
        assert_eq!(credentials.signer.algorithm(), Algorithm::HmacSha256);
        let one = |name: &str| both(name).filter(|_| name.ends_with("KEY"));
        let said = from_variables(&trading(), KeyOf::Engine, one).expect_err("no secret").to_string();
        assert!(
            said.starts_with("live trading needs a key") && said.ends_with("[trading] key_file"),
            "{said}"
        );
        assert!(said.contains("has no ALGO_TRADER_API_SECRET"), "{said}");
        let said = from_variables(&trading(), KeyOf::Watchdog, one).expect_err("no secret").to_string();
        assert!(said.starts_with("the watchdog needs a key"), "{said}");
        assert!(said.ends_with("or give --key-file"), "it heeds no key_file: {said}");
    }

    #[test]
    fn the_api_key_alone_is_read_where_it_can_be() {
        let shown = |key: Option<ApiKey>| key.map(|key| key.as_str().to_owned());
        let mut wanted = trading();
        let set = |name: &str| (name == "ALGO_TRADER_API_KEY").then(|| " abcdefgh\n".to_owned());
        assert_eq!(shown(api_key_by(&wanted, set)).as_deref(), Some("abcdefgh"));
        assert_eq!(shown(api_key_by(&wanted, |_| None)), None);
        let kept = file(&format!("ijklmnop\n{SECRET}\n"), 0o600);
        wanted.key_file = Some(kept.path().into());
        assert_eq!(shown(api_key_by(&wanted, set)).as_deref(), Some("ijklmnop"));
        wanted.key_file = Some("/no/such/file".into());
        assert_eq!(shown(api_key_by(&wanted, set)), None, "not the variable's, which nobody goes by");
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_and_nothing_of_it_is_told() {
        let text = format!("abcdefgh\n{SECRET}\n");
        let mut wanted = trading();
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let exposed = file(&text, mode);
            wanted.key_file = Some(exposed.path().into());
            let said = load(&wanted, KeyOf::Engine).expect_err("exposed").to_string();
            assert!(said.contains(&format!("mode {mode:03o}")), "{said}");
            assert!(!said.contains("abcdefgh") && !said.contains(SECRET), "{said}");
        }
        for mode in [0o600, 0o400] {
            let kept = file(&text, mode);
            wanted.key_file = Some(kept.path().into());
            load(&wanted, KeyOf::Engine).expect("ours alone");
        }
        let short = file("abcdefgh\n\n", 0o600);
        wanted.key_file = Some(short.path().into());
        assert!(matches!(load(&wanted, KeyOf::Engine), Err(KeysError::Bad { error: KeyError::OneLine, .. })));
        let odd = file("abc defgh\nsecret secret\n", 0o600);
        wanted.key_file = Some(odd.path().into());
        let said = load(&wanted, KeyOf::Engine).expect_err("white space").to_string();
        assert!(said.contains("is not taken") && !said.contains("defgh"), "{said}");
    }
}
