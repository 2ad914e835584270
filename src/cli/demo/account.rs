//! The demo's account at its own venue, for orders that are sent: opened for the demo, gone with it.

use super::super::Outcome;
use crate::domain::Instrument;
use crate::net::Endpoint;
use crate::run::Config;
use crate::venue::local::api::{AccountOptions, DemoKey, demo_account};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An account, and the file that its key is in; the file goes with this.
pub(super) struct DemoAccount {
    file: PathBuf,
    /// To be opened by the venue.
    pub options: Option<AccountOptions>,
}

impl DemoAccount {
    /// Makes the account and writes its key into a file in `dir` that its owner alone may read.
    pub fn new(instruments: &[Instrument], dir: &Path) -> Result<Self, Outcome> {
        let (options, DemoKey { api_key, secret }) = demo_account(instruments);
        let account = Self { file: dir.join("account.key"), options: Some(options) };
        let written = std::fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&account.file)
            .and_then(|mut file| writeln!(file, "{api_key}\n{secret}"));
        match written {
            Ok(()) => Ok(account),
            Err(error) => {
                eprintln!("the demo's key cannot be kept in {}: {error}", account.file.display());
                Err(Outcome::Failed)
            }
        }
    }

    /// Has orders sent to the venue's WebSocket API at `url` under the account's key.
    pub fn trade(&self, config: &mut Config, url: Option<&str>) {
        config.trading.key_file = Some(self.file.clone());
        if let Some(Ok(ws_api)) = url.map(|url| Endpoint::parse(url, "wss")) {
            config.venue.ws_api = ws_api;
        }
    }
}

impl Drop for DemoAccount {
    fn drop(&mut self) {
        // The venue that knew the key is gone.
        let _ = std::fs::remove_file(&self.file);
    }
}
