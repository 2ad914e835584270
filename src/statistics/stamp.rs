//! Moments in JSON: text such as `2024-08-08T00:00:00.000001Z`, since a JSON number does not hold nanoseconds.

use crate::domain::Time;
use serde::{Deserialize, Deserializer, Serializer, de};

/// As text.
pub(crate) fn shown(time: Time) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
        Ok(stamp) => stamp.to_string(),
        Err(_) => time.0.to_string(),
    }
}

pub(crate) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&shown(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = String::deserialize(from)?;
    let stamp: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
    u64::try_from(stamp.as_nanosecond()).map(Time).map_err(de::Error::custom)
}

/// The same of a moment that may not have come.
pub(super) mod option {
    use super::shown;
    use crate::domain::Time;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&shown(*time)),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Time>, D::Error> {
        #[derive(Deserialize)]
        struct Stamp(#[serde(with = "super")] Time);
        Ok(Option::<Stamp>::deserialize(from)?.map(|stamp| stamp.0))
    }
}
