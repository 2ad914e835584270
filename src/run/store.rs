//! The store's thread: follows the run's journal into a database, beside the run and never in its way.
//!
//! It is told where the journal is and when the run is over; it reads the file, as anybody could, and touches no ring,
//! no lane and no stage. What the database does, be it slow, down, full or gone, is felt by this thread alone: it tries
//! again, ever more rarely, says so once, and catches up from the journal.

pub(crate) mod chain;
mod link;

use super::affinity::keep_to;
use super::config::StoreConfig;
use crate::journal::JournalError;
use crate::pipeline::Topology;
use crate::store::{Loaded, Loader, LoaderSettings, Store, StoreError, StoreOptions, StoreUrl};
use chain::{Chain, Question};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
pub use link::StoreLink;
pub(in crate::run) use link::Told;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Opens the database, again and again if need be.
pub type OpenStore = Box<dyn FnMut() -> Result<Box<dyn Store>, StoreError> + Send>;

/// A store that a run is to have.
pub struct StoreRequest {
    /// What it is called in messages.
    pub place: String,
    /// Opens it.
    pub open: OpenStore,
    /// How the journal is taken in.
    pub loader: LoaderSettings,
    /// The longest that rows wait for their batch to fill.
    pub flush: Duration,
    /// How long the end of a run waits until the database has everything.
    pub finish: Duration,
    /// For how long it may owe an answer before that is told.
    pub silence: Duration,
}

/// See [`StoreRequest::silence`].
const SILENCE: Duration = Duration::from_secs(10);

impl StoreRequest {
    /// The store at `url`, with the rest by `[store]`.
    #[must_use]
    pub fn new(url: StoreUrl, config: &StoreConfig) -> Self {
        let options = StoreOptions { ca_file: config.ca_file.clone(), ..StoreOptions::default() };
        Self {
            place: url.to_string(),
            open: Box::new(move || crate::store::open(&url, &options)),
            loader: config.loader(),
            flush: Duration::from_millis(config.flush_ms.into()),
            finish: Duration::from_secs(config.finish_seconds.into()),
            silence: SILENCE,
        }
    }
}

/// What the store's thread did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreSummary {
    /// The database.
    pub place: String,
    /// Where the journal is that it was fed from; absent if that was a temporary file, which is gone.
    pub journal: Option<PathBuf>,
    /// Rows written.
    pub rows: u64,
    /// Rows written of the runs that this one goes on with, which had not come that far.
    pub earlier_rows: u64,
    /// What came before and is not there to be taken in, so that the database may lack it for good.
    pub lost: Vec<String>,
    /// Batches written.
    pub batches: u64,
    /// Times that the database failed and was tried again.
    pub retries: u64,
    /// Times that it did not answer for [so long](StoreRequest::silence).
    pub silences: u64,
    /// The last event of which every row is there.
    pub seq: u64,
    /// Whether everything is there.
    pub caught_up: bool,
    /// Bytes of the journal that are not there.
    pub behind_bytes: u64,
    /// How long after the run's end it took.
    pub lag: Duration,
    /// What last went wrong, if that was not overcome.
    pub error: Option<String>,
}

impl StoreSummary {
    /// The summary as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "place": self.place,
            "journal": self.journal.as_ref().map(|path| path.display().to_string()),
            "rows": self.rows,
            "earlier_rows": self.earlier_rows,
            "lost": self.lost,
            "batches": self.batches,
            "retries": self.retries,
            "silences": self.silences,
            "seq": self.seq,
            "caught_up": self.caught_up,
            "behind_bytes": self.behind_bytes,
            "lag_s": self.lag.as_secs_f64(),
            "error": self.error,
        })
    }
}

enum Command {
    /// The journal, that of the run which it goes on with, if it does, and the cores that the thread may use.
    Follow(PathBuf, Option<PathBuf>, Vec<usize>),
    Finish(Instant),
}

/// See the module. Dropped, it ends at its next step, whatever is left.
pub struct StoreThread {
    commands: Sender<Command>,
    done: Receiver<()>,
    told: Arc<Mutex<Told>>,
    link: StoreLink,
    finish: Duration,
    /// Gone with this, whoever watches the database ends.
    _watched: Sender<()>,
}

impl StoreThread {
    /// Starts the thread; it waits to be told of the journal.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(request: StoreRequest) -> std::io::Result<Self> {
        let (commands, orders) = unbounded();
        let (done_to, done) = unbounded();
        let (_watched, watched) = bounded(0);
        let summary = StoreSummary { place: request.place.clone(), ..StoreSummary::default() };
        let told = Arc::new(Mutex::new(Told { summary, ..Told::default() }));
        let link = StoreLink::new(Arc::clone(&told), request.silence);
        let finish = request.finish;
        let (state, watching) = (Arc::clone(&told), link.clone());
        std::thread::Builder::new().name("at-store".into()).spawn(move || {
            if let Ok(Command::Follow(path, earlier, cores)) = orders.recv() {
                keep_to(&cores);
                watch(watching, watched);
                Worker::new(request, path, earlier, orders, state).run();
            }
            // Nobody hears it where the run did not wait.
            let _ = done_to.send(());
        })?;
        Ok(Self { commands, done, told, link, finish, _watched })
    }

    /// Tells it of the journal, which must exist, and of the cores it may use from now on; none: as it was started.
    pub fn follow(&self, journal: &Path, cores: &[usize]) {
        self.follow_after(None, journal, cores);
    }

    /// The same, of a run that goes on with the one of the journal `earlier`: what the database lacks of that, and of those
    /// before it, comes first, since whoever was killed wrote no more.
    pub fn follow_after(&self, earlier: Option<&Path>, journal: &Path, cores: &[usize]) {
        let earlier = earlier.map(Path::to_owned);
        // A thread that is gone shows at the end.
        let _ = self.commands.send(Command::Follow(journal.to_owned(), earlier, cores.to_vec()));
    }

    /// What it has done so far.
    #[must_use]
    pub fn summary(&self) -> StoreSummary {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).summary.clone()
    }

    /// How it stands, for whoever asks, though the thread itself hangs.
    #[must_use]
    pub fn link(&self) -> StoreLink {
        self.link.clone()
    }

    /// Waits, at most so long, for the run's journal to come to its end; true if all of it is in the database.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        !matches!(self.done.recv_timeout(at_most), Err(RecvTimeoutError::Timeout))
    }

    /// Waits until it is over, saying what for.
    fn patiently(&self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.done.recv_timeout(left.min(TOLD_EVERY)) {
                Err(RecvTimeoutError::Timeout) if left > TOLD_EVERY => {}
                over => return over,
            }
            let StoreSummary { place, behind_bytes, error, .. } = self.summary();
            let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
            log::info!(
                "waiting for the database {place}{why}: {} MiB of the journal are not there yet; it is given {} s more",
                behind_bytes.div_ceil(1 << 20),
                deadline.saturating_duration_since(Instant::now()).as_secs()
            );
        }
    }

    /// Tells it that the journal grows no more, and waits until the database has everything, as long as `[store]
    /// finish_seconds` allows. A database that hangs is left hanging: the thread is given up.
    #[must_use]
    pub fn finish(self) -> StoreSummary {
        let begun = Instant::now();
        let _ = self.commands.send(Command::Finish(begun + self.finish));
        // A little longer than the thread itself gives it: what it says is better than what we can say.
        let over = self.patiently(begun + self.finish + Duration::from_millis(500));
        let mut summary = self.summary();
        summary.lag = begun.elapsed();
        if over.is_err() && !summary.caught_up {
            let hangs = matches!(over, Err(RecvTimeoutError::Timeout));
            let said =
                if hangs { "it does not answer" } else { "the store's thread died; please report this" };
            summary.error.get_or_insert_with(|| said.to_owned());
        }
        summary
    }
}

/// Watches the database beside the thread that waits for it, which has said where threads of the store may run.
fn watch(link: StoreLink, run: Receiver<()>) {
    let watching = std::thread::Builder::new().name("at-store-watch".into()).spawn(move || link.watch(&run));
    if let Err(error) = watching {
        log::warn!("whether the database answers is not watched: {error}");
    }
}

/// Between two lines of whoever waits for a database.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// The first pause after a failure; each is twice the one before.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest pause between two looks at the journal.
const LOOK_MAX: Duration = Duration::from_millis(50);

struct Worker {
    request: StoreRequest,
    path: PathBuf,
    /// The journal of the run that this one goes on with, until the database was asked what it lacks of it.
    goes_on_with: Option<PathBuf>,
    /// The journals that come before this run's, the oldest last, until the database has all of them.
    earlier: Vec<PathBuf>,
    /// Rows written of those that it has.
    earlier_rows: u64,
    commands: Receiver<Command>,
    told: Arc<Mutex<Told>>,
    loader: Option<Loader>,
    store: Option<Box<dyn Store>>,
    /// The loader knows where the database stands.
    attached: bool,
    /// Failures in a row.
    failures: u32,
    retry_at: Instant,
    written_at: Instant,
    deadline: Option<Instant>,
}

/// What a step came to.
enum Step {
    /// There may be more to do at once.
    Again,
    /// Nothing for now.
    Rest,
    /// It is all done, or can never be.
    Over,
}

impl Worker {
    fn new(
        request: StoreRequest,
        path: PathBuf,
        goes_on_with: Option<PathBuf>,
        commands: Receiver<Command>,
        told: Arc<Mutex<Told>>,
    ) -> Self {
        let now = Instant::now();
        told.lock().unwrap_or_else(PoisonError::into_inner).journal = Some(path.clone());
        Self {
            request,
            path,
            goes_on_with,
            earlier: Vec::new(),
            earlier_rows: 0,
            commands,
            told,
            loader: None,
            store: None,
            attached: false,
            failures: 0,
            retry_at: now,
            written_at: now,
            deadline: None,
        }
    }

    fn run(&mut self) {
        let look = (self.request.flush / 4).clamp(Duration::from_millis(1), LOOK_MAX);
        loop {
            let pause = match self.step() {
                Ok(Step::Over) => return,
                Ok(Step::Again) => Duration::ZERO,
                Ok(Step::Rest) => look,
                Err(error) => {
                    if !self.failed(&error) {
                        return;
                    }
                    look
                }
            };
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return;
            }
            match self.commands.recv_timeout(pause) {
                Ok(Command::Finish(deadline)) => {
                    // What could not be reached for a while is tried once more at the end.
                    self.deadline = Some(deadline);
                    self.retry_at = Instant::now();
                }
                Ok(Command::Follow(..)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if self.deadline.is_none() {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, StoreError> {
        if Instant::now() < self.retry_at {
            return Ok(Step::Rest);
        }
        if self.goes_on_with.is_some() {
            self.look_back()?;
            return Ok(Step::Again);
        }
        let Some(loader) = &mut self.loader else {
            let path = self.earlier.last().unwrap_or(&self.path);
            self.loader = Loader::open(path, self.request.loader)?;
            return Ok(if self.loader.is_none() { Step::Rest } else { Step::Again });
        };
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(asking(&self.told, || (self.request.open)())?),
        };
        if !self.attached {
            asking(&self.told, || loader.attach(&mut **store))?;
            self.attached = true;
        }
        let loaded = match loader.read() {
            Ok(loaded) => loaded,
            Err(error) => {
                // What comes before the damage is written all the same.
                asking(&self.told, || loader.write(&mut **store))?;
                return Err(error.into());
            }
        };
        // An earlier run's journal grows no more.
        let grows = self.deadline.is_none() && self.earlier.is_empty();
        let due = loaded != Loaded::Pending || !grows || self.written_at.elapsed() >= self.request.flush;
        if due && loader.has_news() {
            asking(&self.told, || loader.write(&mut **store))?;
            self.written_at = Instant::now();
            if self.failures > 0 {
                log::info!("{}: it works again, and is being caught up", self.request.place);
                self.failures = 0;
            }
        }
        // After the end of the run what the journal lacks will never come.
        let over = match loaded {
            Loaded::Ended => true,
            Loaded::Pending => !grows,
            Loaded::Full => false,
        } && !loader.has_news();
        let (counts, seq, behind) = (loader.counts(), loader.watermark().seq, loader.behind_bytes());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let there = length(&self.path);
        if counts.batches > 0 {
            told.written = Some(self.written_at);
        }
        told.taken = if self.earlier.is_empty() { there.saturating_sub(behind) } else { 0 };
        let summary = &mut told.summary;
        if let [later @ .., _] = self.earlier.as_slice() {
            summary.earlier_rows = self.earlier_rows + counts.rows;
            summary.behind_bytes = later.iter().map(|path| length(path)).sum::<u64>() + behind + there;
        } else {
            (summary.rows, summary.batches) = (counts.rows, counts.batches);
            (summary.seq, summary.behind_bytes) = (seq, behind);
            summary.caught_up = over && summary.lost.is_empty();
        }
        if self.failures == 0 || over {
            summary.error = None;
        }
        drop(told);
        if over && let Some(earlier) = self.earlier.pop() {
            self.earlier_rows += counts.rows;
            if counts.rows > 0 {
                log::info!(
                    "{}: {} rows of {}, with which this run goes on, were missing and are there now",
                    self.request.place,
                    counts.rows,
                    earlier.display()
                );
            }
            self.next_journal();
            return Ok(Step::Again);
        }
        Ok(match loaded {
            _ if over => Step::Over,
            Loaded::Full => Step::Again,
            _ => Step::Rest,
        })
    }

    /// Asks the database which of the journals before this run's it lacks some of.
    fn look_back(&mut self) -> Result<(), StoreError> {
        let Some(newest) = &self.goes_on_with else { return Ok(()) };
        let store = match &mut self.store {
            Some(store) => store,
            None => self.store.insert(asking(&self.told, || (self.request.open)())?),
        };
        // It owes an answer while it is asked, and none while journals are read.
        let told = &self.told;
        let ask = |question: Question<'_>| asking(told, || question.to(&mut **store));
        let Chain { journals, lost } = Chain::before(ask, newest)?;
        (self.goes_on_with, self.earlier) = (None, journals);
        lost.into_iter().for_each(|lost| self.lose(lost));
        Ok(())
    }

    /// Notes what can never be taken in from here.
    fn lose(&mut self, lost: String) {
        let place = &self.request.place;
        log::warn!(
            "{place}: what the database lacks of what this run goes on with stays missing: {lost}; where there is a journal of \
             it elsewhere, add it by: algo-trader store load --journal FILE --store {place}"
        );
        self.told.lock().unwrap_or_else(PoisonError::into_inner).summary.lost.push(lost);
    }

    /// An earlier run's journal is done with: the next one is that of the run after it.
    fn next_journal(&mut self) {
        (self.loader, self.attached) = (None, false);
    }

    /// Notes a failure; false where trying again cannot help.
    fn failed(&mut self, error: &StoreError) -> bool {
        if let StoreError::Journal(error) = error
            && self.earlier.pop().is_some()
        {
            self.earlier_rows += self.loader.as_ref().map_or(0, |loader| loader.counts().rows);
            self.lose(error.to_string());
            self.next_journal();
            return true;
        }
        (self.store, self.attached) = (None, false);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.summary.error = Some(error.to_string());
        let before = self.goes_on_with.iter().chain(&self.earlier);
        let all = before.chain([&self.path]).map(|path| length(path)).sum::<u64>();
        told.summary.behind_bytes = match &self.loader {
            Some(loader) => {
                let read = self.earlier.last().unwrap_or(&self.path);
                all.saturating_sub(length(read)) + loader.behind_bytes()
            }
            None => all,
        };
        let missing = matches!(error, StoreError::Journal(JournalError::Io { .. })) && self.loader.is_none();
        if !error.is_transient() && !missing {
            log::error!("{error}; the run goes on without its store");
            return false;
        }
        told.summary.retries += 1;
        drop(told);
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
        self.retry_at = Instant::now() + pause;
        if self.failures == 0 {
            log::warn!(
                "{error}; the run goes on, its journal keeps everything, and the store is tried again"
            );
        } else {
            log::debug!("{error}");
        }
        self.failures = self.failures.saturating_add(1);
        true
    }
}

/// Asks the database, and has it told that it owes an answer.
fn asking<T>(told: &Mutex<Told>, ask: impl FnOnce() -> T) -> T {
    let owes = |since| told.lock().unwrap_or_else(PoisonError::into_inner).asked = since;
    owes(Some(Instant::now()));
    let answer = ask();
    owes(None);
    answer
}

/// Bytes of a file; none of one that is not there.
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// A run's store with the journal it is fed from, which is a temporary one if the run was to have none.
pub(super) struct RunStore {
    thread: StoreThread,
    journal: PathBuf,
    temporary: bool,
}

impl RunStore {
    /// Starts the store of a run that journals to `journal`, or else to a temporary file.
    pub fn start(request: StoreRequest, journal: Option<PathBuf>) -> std::io::Result<Self> {
        let temporary = journal.is_none();
        let journal = journal.unwrap_or_else(|| {
            // Process ids come again (in a container they are always the same), moments do not.
            let moment = jiff::Timestamp::now().as_nanosecond();
            std::env::temp_dir().join(format!("algo-trader-{}-{moment}.journal", std::process::id()))
        });
        Ok(Self { thread: StoreThread::start(request)?, journal, temporary })
    }

    /// How it stands, for whoever asks.
    pub fn link(&self) -> StoreLink {
        self.thread.link()
    }

    /// Where the run has to journal to.
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// The journal exists: it can be followed, beside the threads of this topology, once the database has that of the run
    /// which this one goes on with.
    pub fn follow(&self, topology: &Topology, earlier: Option<&Path>) {
        self.thread.follow_after(earlier, &self.journal, &topology.housekeeping);
    }

    /// Waits for the database; a temporary journal stays if that does not have everything.
    pub fn finish(self) -> StoreSummary {
        let mut summary = self.thread.finish();
        if self.temporary && (summary.caught_up || !self.journal.exists()) {
            // If it cannot be removed it stays among the temporary files, and nothing is lost.
            let _ = std::fs::remove_file(&self.journal);
        } else {
            summary.journal = Some(self.journal);
        }
        summary
    }
}
