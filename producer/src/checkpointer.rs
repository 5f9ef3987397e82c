//! Writes progress down: at most every half second, one write at a time, without holding up the relay.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::future::BoxFuture;
use shared::DocumentType;
use shared::resync::ResyncRequest;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::checkpoint::{CheckpointStore, Progress};
use crate::error::{ProducerError, Verdict};
use crate::position::Position;
use crate::snapshot::{Scope, Snapshot, SnapshotKey};
use crate::telemetry;
use crate::window::Mark;

/// Least time between two writes.
const PACE: Duration = Duration::from_millis(500);
/// The same while snapshots are copied: their readers wait for what is stored.
const PACE_OF_COPYING: Duration = Duration::from_millis(100);

/// Pages of each snapshot.
type Pages = HashMap<SnapshotKey, u64>;

/// Progress and how much of it is stored.
pub(crate) struct Checkpointer {
    store: CheckpointStore,
    progress: Progress,
    /// Resyncs that were asked for, for which no T0 is taken yet.
    asked: Vec<ResyncRequest>,
    dirty: bool,
    /// Since when there is progress that is not stored.
    behind: Option<Instant>,
    writing: Option<BoxFuture<'static, Result<(), ProducerError>>>,
    /// When the last write ended.
    ended: Option<Instant>,
    /// When the last write succeeded.
    written: Instant,
    /// Pages that are part of the progress, of the last write, and of what is stored.
    pages: Pages,
    pages_in_write: Pages,
    pages_stored: Pages,
}

impl Checkpointer {
    /// Goes on from this progress.
    pub(crate) fn new(store: CheckpointStore, progress: Progress) -> Self {
        Self {
            store,
            progress,
            asked: Vec::new(),
            dirty: false,
            behind: None,
            writing: None,
            ended: None,
            written: Instant::now(),
            pages: Pages::new(),
            pages_in_write: Pages::new(),
            pages_stored: Pages::new(),
        }
    }

    /// What is known to be relayed.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes marks over from the window.
    pub(crate) fn advance(&mut self, mark: Mark) {
        match &mark {
            Mark::Copied { key, .. } => *self.pages.entry(*key).or_default() += 1,
            Mark::Finished(key) => drop(self.pages.remove(key)),
            Mark::Reached(_) | Mark::Requested(_) | Mark::Voided(..) => {}
        }
        self.progress.advance(mark);
        self.dirty = true;
        self.behind.get_or_insert_with(Instant::now);
    }

    /// Takes over a request: it becomes a snapshot with the next [`Self::begin_requested`]. False: it is one already.
    pub(crate) fn ask(&mut self, request: ResyncRequest) -> bool {
        let is_new = self.progress.snapshots.iter().all(|snapshot| snapshot.id != request.id);
        self.asked.extend(Some(request).filter(|_| is_new));
        is_new
    }

    /// How many pages of this snapshot are stored, of those relayed under this lease.
    pub(crate) fn pages_stored(&self, key: SnapshotKey) -> u64 {
        self.pages_stored.get(&key).copied().unwrap_or_default()
    }

    /// From here on these are the filters and excluded fields, by type. Returns the types that had others before: what
    /// was relayed of them is no longer what is wanted.
    pub(crate) fn select(&mut self, selections: BTreeMap<String, String>) -> Vec<DocumentType> {
        let former = std::mem::replace(&mut self.progress.selections, selections);
        let chosen = |known: &DocumentType| self.progress.selections.get(known.as_str());
        DocumentType::ALL.into_iter().filter(|known| former.get(known.as_str()) != chosen(known)).collect()
    }

    /// From here on these types are watched. Those in `anew`, and those not watched before, need a snapshot.
    pub(crate) fn watch(&mut self, types: &[DocumentType], anew: &[DocumentType]) {
        let new = types.iter().filter(|known| anew.contains(known) || !self.progress.types.contains(known));
        self.progress.requested.extend(new.copied().collect::<Vec<_>>());
        self.forget_others(types);
    }

    /// The same without snapshots.
    pub(crate) fn watch_from_now_on(&mut self, types: &[DocumentType]) {
        self.forget_others(types);
    }

    fn forget_others(&mut self, types: &[DocumentType]) {
        self.progress.types = types.iter().copied().collect();
        self.progress.requested.retain(|known| types.contains(known));
        self.progress.snapshots.retain(|snapshot| types.contains(&snapshot.document_type));
        self.dirty = true;
    }

    /// Begins from nothing: takes T0 and stores it with the position at T0, **before the first row is read and before
    /// the stream is opened**. Killed right after, the next start goes on from here and not from its own "now".
    pub(crate) async fn begin(&mut self, types: &[DocumentType], rows: bool) -> Result<Position, ProducerError> {
        let t0 = self.store.take_t0().await?;
        let whole = types.iter().filter(|_| rows).map(|&known| Snapshot::new(Uuid::new_v4(), known, t0, Scope::Whole));
        // What was asked for is not forgotten: a repair does more than the rows of the whole type.
        let asked =
            self.progress.snapshots.iter().filter(|former| !former.is_whole() && types.contains(&former.document_type));
        let mut snapshots: Vec<_> = whole.chain(asked.map(|former| former.clone().again(t0))).collect();
        self.store.estimate(&mut snapshots).await?;
        let position = Position::OperationTime(t0);
        let progress = Progress {
            position: Some(position.clone()),
            types: types.iter().copied().collect(),
            selections: self.progress.selections.clone(),
            snapshots,
            ..Progress::default()
        };
        tracing::info!(t0 = t0.time, rows, "beginning at T0");
        self.write_instead(progress).await?;
        Ok(position)
    }

    /// Turns what is requested into snapshots with a T0 of their own, stored before they are returned. Where that fails
    /// they are still requested. Should that write have been stored all the same, no row of it has gone out: the next
    /// write replaces it, and a restart before that reads the snapshot that it finds.
    pub(crate) async fn begin_requested(&mut self) -> Result<Vec<Snapshot>, ProducerError> {
        if self.progress.requested.is_empty() && self.asked.is_empty() {
            return Ok(Vec::new());
        }
        let t0 = self.store.take_t0().await?;
        let mut progress = self.progress.clone();
        let requested = std::mem::take(&mut progress.requested).into_iter();
        let whole = requested.map(|known| Snapshot::new(Uuid::new_v4(), known, t0, Scope::Whole));
        let mut begun: Vec<_> = whole.chain(self.asked.iter().map(|asked| Snapshot::requested(asked, t0))).collect();
        self.store.estimate(&mut begun).await?;
        begun.iter().for_each(|snapshot| progress.begin(snapshot.clone()));
        self.write_instead(progress).await?;
        self.asked.clear();
        Ok(begun)
    }

    /// Writes when a write is due; pending while there is nothing to write. Cancel-safe.
    ///
    /// # Errors
    /// `Fenced`. What passes is tried again.
    pub(crate) async fn step(&mut self) -> Result<(), ProducerError> {
        if self.writing.is_none() {
            if !self.dirty {
                return std::future::pending().await;
            }
            let pace = if self.pages == self.pages_in_write { PACE } else { PACE_OF_COPYING };
            if let Some(ended) = self.ended {
                sleep_until(ended + pace).await;
            }
            self.dirty = false;
            self.pages_in_write.clone_from(&self.pages);
            self.writing = Some(self.store.save(&self.progress));
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        self.ended = Some(Instant::now());
        match written {
            Ok(()) => self.is_stored(),
            Err(error) if error.verdict() == Verdict::Transient => {
                tracing::warn!(%error, "checkpoint not written; trying again");
                self.dirty = true;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes now what is not yet written.
    pub(crate) async fn write(&mut self) -> Result<(), ProducerError> {
        self.write_instead(self.progress.clone()).await
    }

    /// Writes this progress now, which holds from when it is stored. Where that fails, the former is written again.
    async fn write_instead(&mut self, progress: Progress) -> Result<(), ProducerError> {
        // A write under way is left: this one comes after it, and holds all that it held.
        self.writing = None;
        self.dirty = true;
        self.pages_in_write.clone_from(&self.pages);
        self.store.save(&progress).await?;
        self.progress = progress;
        self.dirty = false;
        self.is_stored();
        Ok(())
    }

    fn is_stored(&mut self) {
        self.written = Instant::now();
        self.behind = self.dirty.then(Instant::now);
        self.pages_stored.clone_from(&self.pages_in_write);
    }

    /// How long progress has been waiting to be stored.
    pub(crate) fn unstored(&self) -> Duration {
        self.behind.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Updates the metric.
    pub(crate) fn observe(&self) {
        telemetry::checkpoint_age(self.written.elapsed());
    }
}
