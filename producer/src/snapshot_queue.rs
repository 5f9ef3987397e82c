//! Which snapshot is being read, and which come after it. One at a time.

use std::collections::VecDeque;

use bson::{RawDocumentBuf, Timestamp};
use shared::DocumentType;
use tokio::sync::mpsc;

use crate::error::ProducerError;
use crate::snapshot::Snapshot;
use crate::snapshot_reader;
use crate::source::Source;

/// Batches of rows read ahead.
const READ_AHEAD: usize = 1;

/// Snapshots that are due, in order. Each has its T0 and is stored before it comes here.
#[derive(Debug)]
pub(crate) struct SnapshotQueue {
    source: Source,
    waiting: VecDeque<Snapshot>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    snapshot: Snapshot,
    batches: mpsc::Receiver<Vec<RawDocumentBuf>>,
    rows: VecDeque<RawDocumentBuf>,
    read: bool,
    count: u64,
}

impl SnapshotQueue {
    /// Of these snapshots.
    pub(crate) fn new(source: Source, waiting: Vec<Snapshot>) -> Self {
        Self { source, waiting: waiting.into(), current: None }
    }

    /// One more.
    pub(crate) fn push(&mut self, snapshot: Snapshot) {
        self.waiting.push_back(snapshot);
    }

    /// The collection was dropped then: no row of an older snapshot goes out from here on.
    pub(crate) fn void(&mut self, document_type: DocumentType, dropped_at: Timestamp) {
        let is_void = |snapshot: &Snapshot| snapshot.document_type == document_type && snapshot.t0 < dropped_at;
        self.waiting.retain(|snapshot| !is_void(snapshot));
        if self.current.as_ref().is_some_and(|current| is_void(&current.snapshot)) {
            tracing::info!(collection = %document_type, "snapshot void: the collection was dropped");
            self.current = None;
        }
    }

    /// Waits for a row, beginning the next snapshot where none is being read; pending while there is none to read.
    /// None: every row of the current one has been taken.
    ///
    /// # Errors
    /// The reader is gone without having said that it read every row: then there must be no sweep.
    pub(crate) async fn next_row(&mut self) -> Result<Option<(Snapshot, RawDocumentBuf)>, ProducerError> {
        let current = match &mut self.current {
            Some(current) => current,
            none => {
                let Some(snapshot) = self.waiting.pop_front() else { return std::future::pending().await };
                none.insert(Current::begin(&self.source, snapshot))
            }
        };
        if current.rows.is_empty() && !current.read {
            current.rows = current.batches.recv().await.ok_or(ProducerError::ReaderEnded)?.into();
            current.read = current.rows.is_empty();
        }
        current.count += u64::from(!current.rows.is_empty());
        Ok(current.rows.pop_front().map(|row| (current.snapshot.clone(), row)))
    }

    /// The snapshot of which every row was taken, if the current one is that far.
    pub(crate) fn read_through(&self) -> Option<&Snapshot> {
        self.current.as_ref().filter(|current| current.read).map(|current| &current.snapshot)
    }

    /// The current snapshot is swept: on to the next.
    pub(crate) fn finish(&mut self) {
        if let Some(current) = self.current.take() {
            tracing::info!(collection = %current.snapshot.document_type, rows = current.count, "snapshot read");
        }
    }
}

impl Current {
    fn begin(source: &Source, snapshot: Snapshot) -> Self {
        tracing::info!(collection = %snapshot.document_type, snapshot = %snapshot.id, "snapshot begins");
        let (sender, batches) = mpsc::channel(READ_AHEAD);
        tokio::spawn(snapshot_reader::read(source.clone(), snapshot.clone(), sender));
        Self { snapshot, batches, rows: VecDeque::new(), read: false, count: 0 }
    }
}
