//! Which snapshots are being read, one a type at most, all types at once; and which come after them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bson::Timestamp;
use shared::DocumentType;
use shared::health::Readiness;
use tokio::sync::{mpsc, watch};

use crate::error::ProducerError;
use crate::snapshot::{Copied, Snapshot, SnapshotKey};
use crate::snapshot_reader::{Page, Row, SnapshotReader};
use source::Source;

/// Pages of a type read ahead.
const READ_AHEAD: usize = 1;

/// Snapshots that are due. Each has its T0 and is stored before it comes here.
#[derive(Debug)]
pub(crate) struct SnapshotQueue {
    source: Source,
    readiness: Readiness,
    waiting: VecDeque<Snapshot>,
    reading: Vec<Reading>,
    /// The reader that is asked first, so that none is left behind.
    turn: usize,
}

/// What comes next of a snapshot.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A row.
    Row(Arc<Snapshot>, Row),
    /// All rows up to here were taken; nothing follows the last page.
    Page { key: SnapshotKey, copied: Copied, is_last: bool },
}

#[derive(Debug)]
struct Reading {
    snapshot: Arc<Snapshot>,
    pages: mpsc::Receiver<Page>,
    stored: watch::Sender<u64>,
    rows: VecDeque<Row>,
    /// How the page that is being taken ends.
    end: Option<(Copied, bool)>,
    is_read: bool,
}

impl SnapshotQueue {
    /// Of these snapshots.
    pub(crate) fn new(source: Source, waiting: Vec<Snapshot>, readiness: Readiness) -> Self {
        Self { source, readiness, waiting: waiting.into(), reading: Vec::new(), turn: 0 }
    }

    /// One more. One of a whole type takes the place of an older such: its rows are the same, and younger.
    pub(crate) fn push(&mut self, snapshot: Snapshot) {
        if snapshot.is_whole() {
            let is_former = |former: &Snapshot| former.is_whole() && former.document_type == snapshot.document_type;
            self.forget(is_former);
        }
        self.waiting.push_back(snapshot);
    }

    /// The collection was dropped then: no row of an older snapshot goes out from here on.
    pub(crate) fn void(&mut self, document_type: DocumentType, dropped_at: Timestamp) {
        if self.forget(|snapshot| snapshot.document_type == document_type && snapshot.t0 < dropped_at) {
            tracing::info!(collection = %document_type, "snapshot void: the collection was dropped");
        }
    }

    fn forget(&mut self, is_void: impl Fn(&Snapshot) -> bool) -> bool {
        let before = self.waiting.len() + self.reading.len();
        self.waiting.retain(|snapshot| !is_void(snapshot));
        self.reading.retain(|reading| !is_void(&reading.snapshot));
        self.waiting.len() + self.reading.len() < before
    }

    /// How many there are that do not comprise a whole type.
    pub(crate) fn partial(&self) -> usize {
        let reading = self.reading.iter().map(|reading| &*reading.snapshot);
        reading.chain(&self.waiting).filter(|snapshot| !snapshot.is_whole()).count()
    }

    /// Waits for a row of any type, beginning what can be begun; pending while there is none to read. Cancel-safe.
    ///
    /// # Errors
    /// A reader is gone without having said that it read every row: then there must be no sweep.
    pub(crate) async fn next(&mut self) -> Result<Taken, ProducerError> {
        self.begin();
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Taken, ProducerError>> {
        let readers = self.reading.len();
        for at in (self.turn..self.turn + readers).map(|at| at % readers) {
            if let Poll::Ready(taken) = self.reading[at].poll_next(context) {
                self.turn = at + 1;
                return Poll::Ready(taken);
            }
        }
        Poll::Pending
    }

    /// Begins the oldest of each type of which none is being read. One after the other: a repair's row that came
    /// after the row of a younger snapshot would lose against it.
    fn begin(&mut self) {
        let mut at = 0;
        while let Some(snapshot) = self.waiting.get(at) {
            let document_type = snapshot.document_type;
            if self.reading.iter().any(|reading| reading.snapshot.document_type == document_type) {
                at += 1;
            } else if let Some(snapshot) = self.waiting.remove(at) {
                self.reading.push(Reading::begin(self.source.clone(), snapshot, self.readiness.clone()));
            }
        }
    }

    /// So many pages of these snapshots are stored: their readers may go on.
    pub(crate) fn stored(&self, pages: impl Fn(SnapshotKey) -> u64) {
        for reading in &self.reading {
            let stored = pages(reading.snapshot.key());
            reading.stored.send_if_modified(|known| std::mem::replace(known, stored) != stored);
        }
    }

    /// All pages are confirmed: on to the next. None: it is void by now.
    pub(crate) fn finish(&mut self, key: SnapshotKey) -> Option<Arc<Snapshot>> {
        let at = self.reading.iter().position(|reading| reading.snapshot.key() == key && reading.is_read)?;
        Some(self.reading.swap_remove(at).snapshot)
    }
}

impl Reading {
    fn begin(source: Source, snapshot: Snapshot, readiness: Readiness) -> Self {
        tracing::info!(
            collection = %snapshot.document_type,
            snapshot = %snapshot.id,
            rows = snapshot.copied.rows,
            "{}", if snapshot.copied.rows == 0 { "snapshot begins" } else { "snapshot goes on" }
        );
        let (sender, pages) = mpsc::channel(READ_AHEAD);
        let (stored, pages_stored) = watch::channel(0);
        let snapshot = Arc::new(snapshot);
        let reader = SnapshotReader::new(source, Arc::clone(&snapshot), sender, pages_stored, readiness);
        tokio::spawn(reader.read());
        Self { snapshot, pages, stored, rows: VecDeque::new(), end: None, is_read: false }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Taken, ProducerError>> {
        loop {
            if let Some(row) = self.rows.pop_front() {
                return Poll::Ready(Ok(Taken::Row(Arc::clone(&self.snapshot), row)));
            }
            if let Some((copied, is_last)) = self.end.take() {
                self.is_read = is_last;
                return Poll::Ready(Ok(Taken::Page { key: self.snapshot.key(), copied, is_last }));
            }
            if self.is_read {
                return Poll::Pending;
            }
            let Some(page) = ready!(self.pages.poll_recv(context)) else {
                return Poll::Ready(Err(ProducerError::ReaderEnded));
            };
            self.rows = page.rows.into();
            self.end = Some((page.copied, page.is_last));
        }
    }
}
