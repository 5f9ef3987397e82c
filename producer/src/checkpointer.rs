//! Writes progress down: at most every half second, one write at a time, without holding up the relay.

use std::time::Duration;

use futures_util::future::BoxFuture;
use shared::DocumentType;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::checkpoint::{CheckpointStore, Progress};
use crate::error::{ProducerError, Verdict};
use crate::position::Position;
use crate::snapshot::Snapshot;
use crate::telemetry;
use crate::window::Mark;

/// Least time between two writes.
const PACE: Duration = Duration::from_millis(500);

/// Progress and how much of it is stored.
pub(crate) struct Checkpointer {
    store: CheckpointStore,
    progress: Progress,
    dirty: bool,
    writing: Option<BoxFuture<'static, Result<(), ProducerError>>>,
    next: Instant,
    written: Instant,
}

impl Checkpointer {
    /// Goes on from this progress.
    pub(crate) fn new(store: CheckpointStore, progress: Progress) -> Self {
        let now = Instant::now();
        Self { store, progress, dirty: false, writing: None, next: now, written: now }
    }

    /// What is known to be relayed.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes marks over from the window.
    pub(crate) fn advance(&mut self, mark: Mark) {
        self.progress.advance(mark);
        self.dirty = true;
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
        let id = Uuid::new_v4();
        let snapshots = types.iter().map(|&document_type| Snapshot { id, document_type, t0 });
        let position = Position::OperationTime(t0);
        let progress = Progress {
            position: Some(position.clone()),
            types: types.iter().copied().collect(),
            snapshots: if rows { snapshots.collect() } else { Vec::new() },
            ..Progress::default()
        };
        tracing::info!(t0 = t0.time, rows, "beginning at T0");
        self.write_instead(progress).await?;
        Ok(position)
    }

    /// Turns the requests into snapshots with a T0 of their own, stored before they are returned. Where that fails
    /// they are still requested. Should that write have been stored all the same, no row of it has gone out: the next
    /// write replaces it, and a restart before that reads the snapshot that it finds.
    pub(crate) async fn begin_requested(&mut self) -> Result<Vec<Snapshot>, ProducerError> {
        if self.progress.requested.is_empty() {
            return Ok(Vec::new());
        }
        let t0 = self.store.take_t0().await?;
        let id = Uuid::new_v4();
        let mut progress = self.progress.clone();
        let requested = std::mem::take(&mut progress.requested);
        let begun: Vec<_> = requested.into_iter().map(|document_type| Snapshot { id, document_type, t0 }).collect();
        progress.snapshots.retain(|former| begun.iter().all(|new| new.document_type != former.document_type));
        progress.snapshots.extend(begun.iter().cloned());
        self.write_instead(progress).await?;
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
            sleep_until(self.next).await;
            self.dirty = false;
            self.writing = Some(self.store.save(&self.progress));
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        self.next = Instant::now() + PACE;
        match written {
            Ok(()) => self.written = Instant::now(),
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
        self.store.save(&progress).await?;
        self.progress = progress;
        self.dirty = false;
        self.written = Instant::now();
        Ok(())
    }

    /// Updates the metric.
    pub(crate) fn observe(&self) {
        telemetry::checkpoint_age(self.written.elapsed());
    }
}
