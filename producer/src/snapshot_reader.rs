//! Reading the rows of one snapshot: a task of its own, which goes on from its last boundary after an interruption.
//!
//! It may be one chunk ahead of what is stored: so much a kill repeats at most.

use std::collections::HashSet;
use std::sync::Arc;

use bson::RawDocumentBuf;
use shared::health::Readiness;
use shared::resync::DocumentKey;
use shared::{Backoff, Identity};
use tokio::sync::{mpsc, watch};

use crate::boundary::Boundary;
use crate::document_id::identify;
use crate::error::ProducerError;
use crate::resync_inbox::refuse;
use crate::snapshot::{Copied, Scope, Snapshot};
use crate::snapshot_rows::{Batches, Rows, refuses_filter};
use source::Source;

/// Most rows in a page.
const PAGE_ROWS: u32 = 1000;
/// Bytes that a page is to have: pages that turn out larger are made smaller. (The server's own limit is 16 MB.)
const PAGE_BYTES: usize = 4 << 20;
/// Pages in a chunk.
pub(crate) const CHUNK: u64 = 8;
/// Keys asked for at once.
const PAGE_KEYS: usize = 100;

/// Rows that belong together, and the progress once all of them are relayed.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) copied: Copied,
    /// Nothing comes after it.
    pub(crate) is_last: bool,
}

/// What is relayed of one document.
#[derive(Debug)]
pub(crate) enum Row {
    /// As it is.
    Present(RawDocumentBuf),
    /// It was asked for by its key and is not there.
    Absent(Identity),
}

/// Reads one snapshot to its end.
pub(crate) struct SnapshotReader {
    source: Source,
    snapshot: Arc<Snapshot>,
    pages: mpsc::Sender<Page>,
    /// Pages that are relayed and stored.
    stored: watch::Receiver<u64>,
    sent: u64,
    copied: Copied,
    page_rows: u32,
    readiness: Readiness,
    is_failing: bool,
}

/// Nobody listens any more: the snapshot is void, or the turn over.
struct Unheard;

enum Interrupted {
    Unheard,
    By(ProducerError),
}

impl From<Unheard> for Interrupted {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

impl From<ProducerError> for Interrupted {
    fn from(error: ProducerError) -> Self {
        Self::By(error)
    }
}

impl SnapshotReader {
    /// Begins where the snapshot stands.
    pub(crate) fn new(
        source: Source,
        snapshot: Arc<Snapshot>,
        pages: mpsc::Sender<Page>,
        stored: watch::Receiver<u64>,
        readiness: Readiness,
    ) -> Self {
        let copied = snapshot.copied.clone();
        Self { source, snapshot, pages, stored, sent: 0, copied, page_rows: PAGE_ROWS, readiness, is_failing: false }
    }

    /// Sends page after page, the last marked as such. Only the end of the collection is the end: whatever else
    /// happens, it goes on from the last boundary.
    pub(crate) async fn read(mut self) {
        self.read_to_the_end().await;
        self.succeeds();
    }

    async fn read_to_the_end(&mut self) {
        let collection = self.snapshot.document_type;
        let mut backoff = Backoff::default();
        loop {
            let sent = self.sent;
            match self.read_on().await {
                Ok(()) | Err(Interrupted::Unheard) => return,
                Err(Interrupted::By(error)) => {
                    let error = match self.refused(&error) {
                        None => error,
                        Some(said) => match self.give_up(&format!("the filter does not run: {said}")).await {
                            Ok(()) | Err(Interrupted::Unheard) => return,
                            Err(Interrupted::By(error)) => error,
                        },
                    };
                    let rows = self.copied.rows;
                    self.is_failing = true;
                    self.readiness.set_down("snapshot", format!("of {collection} interrupted: {error}"));
                    tracing::warn!(%error, %collection, rows, "snapshot interrupted; going on from its last boundary");
                }
            }
            if self.sent > sent {
                backoff = Backoff::default();
            }
            tokio::select! {
                () = backoff.wait() => {}
                () = self.pages.closed() => return,
            }
        }
    }

    /// The reader of another type that fails says so again.
    fn succeeds(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            self.readiness.set_up("snapshot");
        }
    }

    fn refused(&self, error: &ProducerError) -> Option<String> {
        matches!(self.snapshot.scope, Scope::Filter(_)).then(|| refuses_filter(error)).flatten()
    }

    /// Ends it here. Who waits for it is told first, for after the last page it counts as done.
    async fn give_up(&mut self, problem: &str) -> Result<(), Interrupted> {
        refuse(&self.source, &self.snapshot.id.to_string().into(), problem).await?;
        Ok(self.send(Vec::new(), self.copied.clone(), true).await?)
    }

    async fn read_on(&mut self) -> Result<(), Interrupted> {
        let snapshot = Arc::clone(&self.snapshot);
        let rows = match Rows::of(self.source.clone(), &snapshot) {
            Ok(rows) => rows,
            Err(problem) => {
                // Looked at before it was taken.
                return self.give_up(&format!("the filter {problem}")).await;
            }
        };
        match &snapshot.scope {
            Scope::Whole | Scope::Filter(_) => self.read_in_order(&rows).await?,
            Scope::Keys(keys) => self.read_named(&rows, keys).await?,
        }
        Ok(self.send(Vec::new(), self.copied.clone(), true).await?)
    }

    async fn read_in_order(&mut self, rows: &Rows) -> Result<(), Interrupted> {
        while !self.copied.after.as_ref().is_some_and(Boundary::is_last) {
            let resumed = self.copied.after.clone();
            let mut batches = rows.after(resumed.as_ref(), self.page_rows).await?;
            if self.pass_on(&mut batches).await? == Passed::TooLarge {
                continue;
            }
            if resumed.is_some() && !self.copied.after.as_ref().is_some_and(Boundary::is_last) {
                self.pass_on(&mut rows.last().await?).await?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Sends a page a batch.
    async fn pass_on(&mut self, batches: &mut Batches) -> Result<Passed, Interrupted> {
        // Rows since the last boundary: it may be followed by ids too large for one.
        let mut beyond = 0;
        loop {
            self.may_read().await?;
            let batch = batches.next().await?;
            if batch.is_empty() {
                self.copied.rows += beyond;
                return Ok(Passed::All);
            }
            let bytes: usize = batch.iter().map(|row| row.as_bytes().len()).sum();
            let length = batch.len();
            let boundary = batch.iter().enumerate().rev().find_map(|(at, row)| Some((at + 1, Boundary::of(row)?)));
            match boundary {
                Some((upto, boundary)) => {
                    self.copied = Copied { after: Some(boundary), rows: self.copied.rows + beyond + upto as u64 };
                    beyond = (length - upto) as u64;
                }
                None => beyond += length as u64,
            }
            let rows = batch.into_iter().map(Row::Present).collect();
            self.send(rows, self.copied.clone(), false).await?;
            if bytes > 2 * PAGE_BYTES && self.page_rows > 1 && beyond == 0 {
                self.page_rows = u32::try_from(length * PAGE_BYTES / bytes).unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS);
                return Ok(Passed::TooLarge);
            }
        }
    }

    async fn read_named(&mut self, rows: &Rows, keys: &[DocumentKey]) -> Result<(), Interrupted> {
        let document_type = self.snapshot.document_type;
        let done = usize::try_from(self.copied.rows).unwrap_or(usize::MAX).min(keys.len());
        for portion in keys[done..].chunks(PAGE_KEYS) {
            let mut absent: HashSet<Identity> = portion.iter().map(|key| key.of_type(document_type)).collect();
            let mut found = rows.named(portion.iter().filter_map(DocumentKey::id).collect()).await?;
            loop {
                self.may_read().await?;
                let batch = found.next().await?;
                if batch.is_empty() {
                    break;
                }
                for identity in batch.iter().filter_map(|row| identify(document_type, row).ok()) {
                    absent.remove(&identity);
                }
                let rows = batch.into_iter().map(Row::Present).collect();
                self.send(rows, self.copied.clone(), false).await?;
            }
            self.copied.rows += portion.len() as u64;
            let rows = absent.into_iter().map(Row::Absent).collect();
            self.send(rows, self.copied.clone(), false).await?;
        }
        Ok(())
    }

    /// Waits until no more than a chunk is ahead of what is stored, and until the last page has been taken: a page is
    /// not read before there is a place for it.
    async fn may_read(&mut self) -> Result<(), Unheard> {
        let sent = self.sent;
        self.stored.wait_for(|stored| sent - stored < CHUNK).await.map_err(|_| Unheard)?;
        self.pages.reserve().await.map(drop).map_err(|_| Unheard)
    }

    async fn send(&mut self, rows: Vec<Row>, copied: Copied, is_last: bool) -> Result<(), Unheard> {
        self.sent += 1;
        self.succeeds();
        self.pages.send(Page { rows, copied, is_last }).await.map_err(|_| Unheard)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// There are no more.
    All,
    /// More are to be read, in smaller pages.
    TooLarge,
}
