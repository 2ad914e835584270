//! Which run is meant, and where its control files are: what a configuration says of it, good or not.
//!
//! Whoever has to stop a run at once may have a configuration with a mistake before them, which the run itself, begun with an
//! earlier text, never saw.

use super::check::Checks;
use super::document::Document;
use super::raw::RawConfig;
use super::sections::{ControlConfig, JournalConfig, RunConfig};
use super::{Config, ConfigError};
use std::path::{Path, PathBuf};

/// What leads to a run's control files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlPlace {
    /// `[run] name`.
    pub run: String,
    /// `[control] dir`, or that of `[journal] path`; none where there is neither.
    pub dir: Option<PathBuf>,
}

impl ControlPlace {
    /// Of a good configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::new(&config.run, &config.control, &config.journal)
    }

    /// Of a configuration that may have any mistake but in what this is read from.
    ///
    /// # Errors
    /// Every problem of those keys; a text that is no TOML, or cannot be read, has them nowhere.
    pub fn of_any(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = super::text_of(path, &name)?;
        let document = Document::parse(&name, &text).map_err(ConfigError::new)?;
        let mut checks = Checks { document: &document, problems: Vec::new() };
        let raw: RawConfig = document.read(&mut checks.problems);
        let run = RunConfig::check(&raw.run, &mut checks);
        let journal = JournalConfig::check(&raw.journal, &mut checks);
        let control = ControlConfig::check(&raw.control);
        let mut problems = checks.problems;
        problems.retain(|problem| {
            ["run", "run.name", "control", "control.dir", "journal", "journal.path"]
                .contains(&problem.key.as_str())
        });
        if problems.is_empty() {
            Ok(Self::new(&run, &control, &journal))
        } else {
            Err(ConfigError::new(problems))
        }
    }

    fn new(run: &RunConfig, control: &ControlConfig, journal: &JournalConfig) -> Self {
        let beside = || journal.path.as_ref().map(|path| path.parent().unwrap_or(Path::new("")).to_owned());
        Self { run: run.name.clone(), dir: control.dir.clone().or_else(beside) }
    }
}
