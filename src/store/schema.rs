//! The tables, as numbered steps that are taken once each, and the few words the databases spell differently.
//!
//! A step that was released is never edited: a change is a new step.

use super::error::StoreError;

/// The words of one database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// A column of row numbers that the database gives.
    id: &'static str,
    /// An exact decimal.
    decimal: &'static str,
    /// Yes or no.
    bool: &'static str,
    /// After a table whose rows are kept in the order of its primary key.
    clustered: &'static str,
    /// Before and after a time in nanoseconds, for a time that people can read.
    at: (&'static str, &'static str),
}

pub(super) const SQLITE: Dialect = Dialect {
    id: "INTEGER PRIMARY KEY",
    decimal: "TEXT",
    bool: "INTEGER",
    clustered: " WITHOUT ROWID",
    at: ("strftime('%Y-%m-%dT%H:%M:%fZ', ", " / 1000000000.0, 'unixepoch')"),
};

pub(super) const POSTGRES: Dialect = Dialect {
    id: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    decimal: "NUMERIC",
    bool: "BOOLEAN",
    clustered: "",
    at: ("to_timestamp(", " / 1000000000.0)"),
};

/// The steps; a schema's version is how many of them were taken.
const STEPS: &[&str] = &[
    include_str!("schema/0001_tables.sql"),
    include_str!("schema/0002_views.sql"),
    include_str!("schema/0003_order_extras.sql"),
    include_str!("schema/0004_denials.sql"),
    include_str!("schema/0005_denial_measures.sql"),
    include_str!("schema/0006_bar_key.sql"),
    include_str!("schema/0007_commissions.sql"),
    include_str!("schema/0008_lineage.sql"),
];

/// The version this program knows.
pub const VERSION: i64 = STEPS.len() as i64;

/// Where the version is kept: the same statement in both databases.
pub(super) const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";

/// The statements that bring a schema of `version` up to date, the new version among them; `None` where it is.
///
/// # Errors
/// [`StoreError::NewerSchema`].
pub(super) fn steps_from(version: i64, dialect: &Dialect, place: &str) -> Result<Option<String>, StoreError> {
    if version > VERSION {
        return Err(StoreError::NewerSchema { place: place.to_owned(), found: version, known: VERSION });
    }
    let taken = usize::try_from(version).unwrap_or(0);
    if taken == STEPS.len() {
        return Ok(None);
    }
    let mut sql: String = STEPS[taken..].iter().map(|step| dialect.spell(step)).collect();
    sql += &format!("\nDELETE FROM schema_version;\nINSERT INTO schema_version VALUES ({VERSION});\n");
    Ok(Some(sql))
}

/// Whether a database whose tables are of `version`, if it has ours, can be read as it is.
///
/// # Errors
/// [`StoreError`] that says what it is instead.
pub(super) fn readable(version: Option<i64>, place: &str) -> Result<(), StoreError> {
    let refused = |problem: String| StoreError::Database { place: place.to_owned(), problem };
    match version {
        Some(VERSION) => Ok(()),
        Some(found) if found > VERSION => {
            Err(StoreError::NewerSchema { place: place.to_owned(), found, known: VERSION })
        }
        Some(found) => Err(refused(format!(
            "its tables are of version {found}, and this program reads {VERSION}: `algo-trader store load` brings them up to it"
        ))),
        None => Err(refused(
            "it has no tables of algo-trader: `algo-trader store load` makes them and puts a run into them"
                .to_owned(),
        )),
    }
}

impl Dialect {
    fn spell(&self, step: &str) -> String {
        // Comments go first: what stands in one is not a statement, whatever it looks like.
        let code: Vec<&str> = step.lines().map(|l| l.split("--").next().unwrap_or("").trim_end()).collect();
        let mut sql = code.join("\n");
        for (word, meaning) in [
            ("{id}", self.id),
            ("{decimal}", self.decimal),
            ("{bool}", self.bool),
            ("{clustered}", self.clustered),
        ] {
            sql = sql.replace(word, meaning);
        }
        let mut spelt = String::with_capacity(sql.len());
        let mut parts = sql.split("{at:");
        spelt += parts.next().unwrap_or("");
        for part in parts {
            let (column, rest) = part.split_once('}').unwrap_or((part, ""));
            spelt += &[self.at.0, column, self.at.1, rest].concat();
        }
        spelt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_earlier_tables_are_each_the_first_of_their_own() {
        let database = rusqlite::Connection::open_in_memory().expect("memory");
        let earlier: String = STEPS[..7].iter().map(|step| SQLITE.spell(step)).collect();
        database.execute_batch(&format!("{VERSION_TABLE}; {earlier}")).expect("the tables of then");
        let row = "INSERT INTO runs (run_key, name, version, epoch, started_ns, config_name, config_text, seq, time_ns, \
                   ended) VALUES ('a1', '', '', 1, 1, '', '', 1, 1, 1)";
        database.execute_batch(row).expect("a row");
        database.execute_batch(&steps_from(7, &SQLITE, "x").expect("older").expect("steps")).expect("taken");
        let told = database.query_row("SELECT first_run, nth FROM runs", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
        });
        assert_eq!(told.expect("a row"), ("a1".to_owned(), 0));
    }

    #[test]
    fn every_word_in_braces_is_spelt_and_a_newer_schema_is_refused() {
        for dialect in [SQLITE, POSTGRES] {
            let sql = steps_from(0, &dialect, "x").expect("older").expect("steps to take");
            assert!(!sql.contains(['{', '}']) && !sql.contains("--"), "{sql}");
            assert!(steps_from(VERSION, &dialect, "x").expect("this one").is_none());
            let said = steps_from(VERSION + 1, &dialect, "x").expect_err("newer").to_string();
            assert!(said.contains("newer version of algo-trader"), "{said}");
        }
    }
}
