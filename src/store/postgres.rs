//! PostgreSQL: a server, rows by `COPY`, TLS by rustls.

use super::error::StoreError;
use super::row::{
    BarRow, Batch, Columns, CommissionRow, DenialRow, EquityRow, FillRow, OrderEventRow, OrderRow,
    PositionRow, Row, TABLES, Watermark,
};
use super::url::PostgresUrl;
use super::{RunId, RunStatus, Store, StoreOptions, facts, password, schema};
use crate::journal::JournalHeader;
use postgres::{Client, NoTls, Statement, Transaction};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// See the module.
pub struct PostgresStore {
    place: String,
    client: Client,
    copies: Option<Copies>,
    /// The rows of one table as text, kept for its room.
    text: Vec<u8>,
}

/// The prepared `COPY` of each table.
struct Copies {
    orders: Statement,
    order_events: Statement,
    denials: Statement,
    fills: Statement,
    commissions: Statement,
    positions: Statement,
    bars: Statement,
    equity: Statement,
}

/// A host that acknowledges nothing for so long is gone, and the connection given up. One whose server only hangs
/// acknowledges on: whoever waits says so (`run/store`).
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// While nothing is under way the host is asked whether it is there: first after so long, then so often, so many times.
const PROBE_AFTER: Duration = Duration::from_secs(5);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;
/// Whoever changes the tables holds this lock: two programs may start at once.
const SCHEMA_LOCK: i64 = 0x616c_676f_7472_6164;

impl PostgresStore {
    /// Connects, and brings the tables up to date. The password comes from `PGPASSWORD` or the password file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(url: &PostgresUrl, options: &StoreOptions) -> Result<Self, StoreError> {
        let place = url.to_string();
        let told = |error: postgres::Error| fault(&place, &error);
        let mut config = url.config.clone();
        config.application_name("algo-trader").tcp_user_timeout(SILENCE_MAX);
        config.keepalives(true).keepalives_idle(PROBE_AFTER);
        config.keepalives_interval(PROBE_EVERY).keepalives_retries(PROBES);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(SILENCE_MAX);
        }
        if let Some(password) = password::find(url) {
            config.password(password);
        }
        let client = if url.verifies() {
            config.connect(tls(url, options, &place)?)
        } else {
            if url.is_remote() {
                log::warn!("{place}: sslmode=disable: rows and password travel in the clear");
            }
            config.connect(NoTls)
        };
        let mut store =
            Self { client: client.map_err(told)?, place: place.clone(), copies: None, text: Vec::new() };
        store.client.batch_execute("SET statement_timeout = '60s'").map_err(told)?;
        if options.read_only {
            store.look()?
        } else {
            store.migrate()?
        }
        Ok(store)
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let place = &self.place;
        let told = |error: postgres::Error| fault(place, &error);
        let ours = self.client.query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]);
        let version = match ours.map_err(told)?.get::<_, bool>(0) {
            true => self.client.query_opt("SELECT version FROM schema_version", &[]).map_err(told)?,
            false => None,
        };
        schema::readable(version.map(|row| row.get(0)), place)
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        let place = &self.place;
        let told = |error: postgres::Error| fault(place, &error);
        let mut transaction = self.client.transaction().map_err(told)?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).map_err(told)?;
        let there = transaction
            .query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[])
            .map_err(told)?
            .get::<_, bool>(0);
        if !there {
            transaction.batch_execute(schema::VERSION_TABLE).map_err(told)?;
        }
        let version = transaction.query_opt("SELECT version FROM schema_version", &[]).map_err(told)?;
        let version = version.map_or(0, |row| row.get(0));
        if let Some(sql) = schema::steps_from(version, &schema::POSTGRES, place)? {
            transaction.batch_execute(&sql).map_err(told)?;
        }
        transaction.commit().map_err(told)
    }

    fn begin_run(
        &mut self,
        key: &str,
        header: &JournalHeader,
    ) -> Result<(RunId, Watermark), postgres::Error> {
        let (first, nth) = facts::lineage(key, header);
        let mut transaction = self.client.transaction()?;
        let inserted = transaction.query_opt(
            "INSERT INTO runs (run_key, name, version, epoch, started_ns, config_name, config_text, first_run, nth, seq, time_ns, \
             ended) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, false) ON CONFLICT (run_key) DO NOTHING RETURNING id",
            &[
                &key,
                &header.run_name,
                &header.version,
                &(header.epoch as i64),
                &(header.started_ns as i64),
                &header.config_name,
                &header.config_text,
                &first,
                &nth,
            ],
        )?;
        let Some(inserted) = inserted else {
            let row = transaction.query_one(RUN_OF, &[&key])?;
            return Ok((RunId(row.get(0)), watermark(&row)));
        };
        let run: i64 = inserted.get(0);
        let mut text = Line::new(run);
        for i in &header.instruments {
            text.begin();
            text.int(i.id.0.into());
            text.text(&i.name());
            text.text(&i.base);
            text.text(&i.quote);
            text.int(i.price_decimals.into());
            text.int(i.qty_decimals.into());
            text.decimal(&facts::price(i.tick, i).to_string());
            text.decimal(&facts::qty(i.lot, i).to_string());
            text.decimal(&facts::rate(i.maker_fee).to_string());
            text.decimal(&facts::rate(i.taker_fee).to_string());
            text.end();
        }
        send(transaction.copy_in("COPY instruments FROM STDIN")?, &text.out)?;
        let mut text = Line::new(run);
        for (id, strategy) in header.strategies.iter().enumerate() {
            text.begin();
            text.int(id as i64);
            text.text(&strategy.label);
            text.text(&strategy.name);
            text.end();
        }
        send(transaction.copy_in("COPY strategies FROM STDIN")?, &text.out)?;
        transaction.commit()?;
        Ok((RunId(run), Watermark::default()))
    }

    /// False where the run is not where the batch begins.
    fn write_batch(&mut self, run: RunId, batch: &Batch) -> Result<bool, postgres::Error> {
        if self.copies.is_none() {
            self.copies = Some(Copies::prepare(&mut self.client)?);
        }
        let Some(copies) = &self.copies else { return Ok(false) };
        let text = &mut self.text;
        let mut transaction = self.client.transaction()?;
        let moved = transaction.execute(
            "UPDATE runs SET seq = $1, time_ns = $2, ended = $3 WHERE id = $4 AND seq = $5 AND ended = $6",
            &[
                &(batch.upto.seq as i64),
                &(batch.time.0 as i64),
                &batch.upto.ended,
                &run.0,
                &(batch.after.seq as i64),
                &batch.after.ended,
            ],
        )?;
        if moved != 1 {
            return Ok(false);
        }
        copy(&mut transaction, &copies.orders, run, &batch.orders, text)?;
        copy(&mut transaction, &copies.order_events, run, &batch.order_events, text)?;
        copy(&mut transaction, &copies.denials, run, &batch.denials, text)?;
        copy(&mut transaction, &copies.fills, run, &batch.fills, text)?;
        copy(&mut transaction, &copies.commissions, run, &batch.commissions, text)?;
        copy(&mut transaction, &copies.positions, run, &batch.positions, text)?;
        copy(&mut transaction, &copies.bars, run, &batch.bars, text)?;
        copy(&mut transaction, &copies.equity, run, &batch.equity, text)?;
        transaction.commit()?;
        Ok(true)
    }

    fn all_runs(&mut self) -> Result<Vec<RunStatus>, postgres::Error> {
        // One moment for all counts.
        let level = postgres::IsolationLevel::RepeatableRead;
        let mut transaction =
            self.client.build_transaction().isolation_level(level).read_only(true).start()?;
        let sql = "SELECT id, run_key, name, started_ns, seq, ended, time_ns FROM runs ORDER BY id";
        let mut all = Vec::new();
        for row in transaction.query(sql, &[])? {
            let id: i64 = row.get(0);
            let mut status = RunStatus {
                key: row.get(1),
                name: row.get(2),
                started_ns: row.get::<_, i64>(3) as u64,
                watermark: Watermark { seq: row.get::<_, i64>(4) as u64, ended: row.get(5) },
                time_ns: row.get::<_, i64>(6) as u64,
                rows: Vec::new(),
            };
            for table in TABLES {
                let sql = format!("SELECT count(*) FROM {table} WHERE run = $1");
                status.rows.push((table, transaction.query_one(&sql, &[&id])?.get::<_, i64>(0) as u64));
            }
            all.push(status);
        }
        Ok(all)
    }
}

impl Store for PostgresStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn find(&mut self, key: &str) -> Result<Option<Watermark>, StoreError> {
        let found = self.client.query_opt(RUN_OF, &[&key]).map_err(|e| fault(&self.place, &e))?;
        Ok(found.as_ref().map(watermark))
    }

    fn find_nth(&mut self, first: &str, nth: u32) -> Result<Option<Watermark>, StoreError> {
        let found = self.client.query_opt(NTH, &[&first, &i64::from(nth)]);
        Ok(found.map_err(|e| fault(&self.place, &e))?.as_ref().map(watermark))
    }

    fn begin(&mut self, key: &str, header: &JournalHeader) -> Result<(RunId, Watermark), StoreError> {
        self.begin_run(key, header).map_err(|e| fault(&self.place, &e))
    }

    fn write(&mut self, run: RunId, batch: &Batch) -> Result<(), StoreError> {
        match self.write_batch(run, batch) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Moved { place: self.place.clone() }),
            Err(error) => Err(fault(&self.place, &error)),
        }
    }

    fn runs(&mut self) -> Result<Vec<RunStatus>, StoreError> {
        self.all_runs().map_err(|e| fault(&self.place, &e))
    }
}

const RUN_OF: &str = "SELECT id, seq, ended FROM runs WHERE run_key = $1";
const NTH: &str =
    "SELECT id, seq, ended FROM runs WHERE first_run = $1 AND nth = $2 ORDER BY ended DESC, seq DESC LIMIT 1";

fn watermark(row: &postgres::Row) -> Watermark {
    Watermark { seq: row.get::<_, i64>(1) as u64, ended: row.get(2) }
}

impl Copies {
    fn prepare(client: &mut Client) -> Result<Self, postgres::Error> {
        Ok(Self {
            orders: client.prepare(&copy_sql::<OrderRow>())?,
            order_events: client.prepare(&copy_sql::<OrderEventRow>())?,
            denials: client.prepare(&copy_sql::<DenialRow>())?,
            fills: client.prepare(&copy_sql::<FillRow>())?,
            commissions: client.prepare(&copy_sql::<CommissionRow>())?,
            positions: client.prepare(&copy_sql::<PositionRow>())?,
            bars: client.prepare(&copy_sql::<BarRow>())?,
            equity: client.prepare(&copy_sql::<EquityRow>())?,
        })
    }
}

fn copy_sql<R: Row>() -> String {
    format!("COPY {} (run, {}) FROM STDIN", R::TABLE, R::COLUMNS.join(", "))
}

fn copy<R: Row>(
    transaction: &mut Transaction<'_>,
    statement: &Statement,
    run: RunId,
    rows: &[R],
    room: &mut Vec<u8>,
) -> Result<(), postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut line = Line::new(run.0);
    line.out = std::mem::take(room);
    line.out.clear();
    for row in rows {
        line.begin();
        row.put(&mut line);
        line.end();
    }
    let sent = send(transaction.copy_in(statement)?, &line.out);
    *room = line.out;
    sent
}

fn send(mut writer: postgres::CopyInWriter<'_>, text: &[u8]) -> Result<(), postgres::Error> {
    // A write that fails is told, with its reason, by the end of the copy.
    let _ = writer.write_all(text);
    writer.finish().map(|_| ())
}

/// Lines of `COPY`'s text format.
struct Line {
    out: Vec<u8>,
    run: Vec<u8>,
}

impl Line {
    fn new(run: i64) -> Self {
        Self { out: Vec::new(), run: run.to_string().into_bytes() }
    }

    #[inline]
    fn begin(&mut self) {
        self.out.extend_from_slice(&self.run);
    }

    #[inline]
    fn end(&mut self) {
        self.out.push(b'\n');
    }
}

impl Columns for Line {
    #[inline]
    fn int(&mut self, value: i64) {
        self.out.push(b'\t');
        let mut digits = [0u8; 24];
        let length = crate::domain::decimal::write(value, 0, &mut digits);
        self.out.extend_from_slice(&digits[..length]);
    }
    #[inline]
    fn flag(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"\tt" } else { b"\tf" });
    }
    #[inline]
    fn text(&mut self, value: &str) {
        self.out.push(b'\t');
        for byte in value.bytes() {
            match byte {
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                _ => self.out.push(byte),
            }
        }
    }
    #[inline]
    fn decimal(&mut self, text: &str) {
        self.out.push(b'\t');
        self.out.extend_from_slice(text.as_bytes());
    }
    #[inline]
    fn null(&mut self) {
        self.out.extend_from_slice(b"\t\\N");
    }
}

/// TLS that takes a server only if its certificate is vouched for and is of the host that was named.
fn tls(url: &PostgresUrl, options: &StoreOptions, place: &str) -> Result<MakeRustlsConnect, StoreError> {
    let bad = |problem: String| StoreError::Database { place: place.to_owned(), problem };
    let mut roots = rustls::RootCertStore::empty();
    match url.root.as_ref().or(options.ca_file.as_ref()) {
        Some(path) => {
            for certificate in certificates(path).map_err(&bad)? {
                roots.add(certificate).map_err(|e| bad(format!("{}: {e}", path.display())))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told =
        |e: rustls::pki_types::pem::Error| format!("{}: no certificates to trust: {e}", path.display());
    let all =
        CertificateDer::pem_file_iter(path).map_err(told)?.collect::<Result<Vec<_>, _>>().map_err(told)?;
    if all.is_empty() { Err(format!("{}: holds no certificate", path.display())) } else { Ok(all) }
}

/// What went wrong, with every cause: the library's own message is often only "db error".
fn fault(place: &str, error: &postgres::Error) -> StoreError {
    let problem = match error.as_db_error() {
        Some(said) => format!("{} (SQLSTATE {})", said.message(), said.code().code()),
        None => {
            let mut problem = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                let text = error.to_string();
                if !problem.contains(&text) {
                    problem += &format!(": {text}");
                }
                cause = error.source();
            }
            problem
        }
    };
    let hint = if problem.contains("UnknownIssuer") {
        ": nothing known vouches for its certificate; name the CA's file in [store] ca_file or sslrootcert="
    } else if problem.contains("password missing") || problem.contains("28P01") {
        ": give the password in PGPASSWORD or ~/.pgpass"
    } else {
        ""
    };
    StoreError::Database { place: place.to_owned(), problem: format!("{problem}{hint}") }
}
