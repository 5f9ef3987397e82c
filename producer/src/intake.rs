//! The relay's end of the change stream: one event at a time.

use std::collections::VecDeque;

use bson::RawDocumentBuf;
use tokio::sync::mpsc;

use crate::change_stream::{ChangeStream, Read};
use crate::error::ProducerError;
use crate::position::Position;
use crate::raw_change::RawChange;

/// Batches of the server read ahead, each of a bounded number of events.
const READ_AHEAD: usize = 1;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// An event.
    Change(RawChange),
    /// The stream has no more for now, and goes on after this token.
    Idle(RawDocumentBuf),
}

/// Events in order, read by a task of its own that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Intake {
    reads: mpsc::Receiver<Result<Read, ProducerError>>,
    changes: VecDeque<RawChange>,
}

impl Intake {
    /// Begins to read.
    pub(crate) fn open(stream: ChangeStream, position: Position) -> Self {
        let (sender, reads) = mpsc::channel(READ_AHEAD);
        tokio::spawn(stream.read(position, sender));
        Self { reads, changes: VecDeque::new() }
    }

    /// Waits for the next event. Cancel-safe: an event is taken in the same step in which it is returned.
    ///
    /// # Errors
    /// What reopening the stream does not mend.
    pub(crate) async fn next(&mut self) -> Result<Next, ProducerError> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(Next::Change(change));
            }
            match self.reads.recv().await.ok_or(ProducerError::ReaderEnded)?? {
                Read::Changes(changes) => self.changes = changes.into(),
                Read::Idle(token) => return Ok(Next::Idle(token)),
            }
        }
    }
}
