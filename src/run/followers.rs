//! What follows a run's journal beside the run: the store's thread and the audit trail's.

use super::alerts::Alerts;
use super::audit::{AuditNotes, AuditRequest, AuditThread};
use super::disk_space::JOURNAL;
use super::store::{RunStore, StoreLink, StoreRequest};
use super::summary::Summary;
use crate::pipeline::Topology;
use std::io;
use std::path::{Path, PathBuf};

/// See the module.
pub(super) struct Followers {
    store: Option<RunStore>,
    audit: Option<AuditThread>,
    /// The journal, where there is one.
    pub journal: Option<PathBuf>,
    /// What the run writes to: what each file is, and where.
    pub files: Vec<(&'static str, PathBuf)>,
}

impl Followers {
    /// Starts what was asked for, of a run that journals to `journal`. A store without a journal has a temporary one;
    /// an audit trail is kept of a journal that stays, or where it was asked for by name. That it breaks is among `alerts`.
    pub fn start(
        store: Option<StoreRequest>,
        audit: Option<AuditRequest>,
        journal: Option<PathBuf>,
        alerts: Alerts,
    ) -> io::Result<Self> {
        let stays = journal.is_some();
        let database =
            store.as_ref().and_then(|request| request.place.strip_prefix("sqlite:")).map(PathBuf::from);
        let store = store.map(|request| RunStore::start(request, journal.clone())).transpose()?;
        let journal = store.as_ref().map(|store| store.journal().to_owned()).or(journal);
        let audit = audit.filter(|request| journal.is_some() && (stays || request.trail.is_some()));
        let trail =
            audit.as_ref().zip(journal.as_ref()).map(|(request, journal)| request.trail_beside(journal));
        let files = [(JOURNAL, journal.clone()), ("audit trail", trail), ("database", database)];
        let files = files.into_iter().filter_map(|(what, path)| Some((what, path?))).collect();
        let audit = audit.map(|request| AuditThread::start(request, alerts)).transpose()?;
        Ok(Self { store, audit, journal, files })
    }

    /// The journal exists: it can be followed, beside the threads of this topology. A store is first given what it lacks of
    /// the run that this one goes on with, whose journal is `earlier`.
    pub fn follow(&self, topology: &Topology, earlier: Option<&Path>) {
        if let Some(store) = &self.store {
            store.follow(topology, earlier);
        }
        if let (Some(audit), Some(journal)) = (&self.audit, &self.journal) {
            audit.follow(journal, &topology.housekeeping);
        }
    }

    /// How the store stands, if there is one.
    pub fn store(&self) -> Option<StoreLink> {
        self.store.as_ref().map(RunStore::link)
    }

    /// By which others have something recorded in the trail, if there is one.
    pub fn notes(&self) -> Option<AuditNotes> {
        self.audit.as_ref().map(AuditThread::notes)
    }

    /// Waits until they have everything, and tells it in the run's summary. The trail first: a store's temporary
    /// journal goes when the store has done with it.
    pub fn finish(self, summary: Option<&mut Summary>) {
        let Some(summary) = summary else { return };
        summary.audit = self.audit.map(AuditThread::finish);
        summary.store = self.store.map(RunStore::finish);
    }
}
