//! Settings in reports for scripts: a list, as an object would not keep their order.

use serde::{Serialize, Serializer};

/// A setting that bears on a result.
#[derive(Serialize)]
pub(super) struct Setting<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'a> Setting<'a> {
    /// All of them, in order.
    pub fn all(settings: &'a [(String, String)]) -> Vec<Self> {
        settings.iter().map(|(key, value)| Self { key, value }).collect()
    }
}

/// For a field of pairs.
pub(super) fn serialize<S: Serializer>(settings: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    Setting::all(settings).serialize(to)
}
