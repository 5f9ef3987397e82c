//! Reading the change stream: a task of its own, which opens the stream as often as needed and always knows after
//! which event to go on.
//!
//! It works on the server's raw batches. The driver's own `ChangeStream` reopens without a pause, saves its token
//! before the event is decoded, and is not cancel-safe (RUST-937); none of this is in the way here.

use std::time::Duration;

use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use futures_util::{FutureExt, StreamExt};
use mongodb::options::CursorType;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use shared::health::Readiness;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{ProducerError, StreamFault, is_broken, stream_fault};
use crate::fragments::Fragments;
use crate::mapping::MapError;
use crate::position::Position;
use crate::raw_change::RawChange;
use crate::server::answer;
use crate::stream_query::{Shape, StreamQuery};
use crate::telemetry;
use source::Source;

/// Events in a batch. Without a limit a backlog comes in pieces of 16 MB, of which several are held at a time.
const BATCH: u32 = 1000;
/// How long the server waits for events before it answers with none.
const AWAIT: Duration = Duration::from_millis(500);
/// Without an answer for so long, the stream is said to be down.
const SILENCE: Duration = Duration::from_secs(10);
/// First and longest wait for an answer before the stream is opened anew. It doubles each time: a server that has
/// gigabytes of other collections' history to pass over answers nothing meanwhile, and would begin again from the front.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(1800));
/// So many connections broken in place of an answer mean an event that is too large: mongod before 6.0.27 closes the
/// connection where an event and the batch's token fit into 16 MB each and not together.
const BREAKS: u32 = 3;
/// An idle stream tells its token so often; the checkpoint must not age with nothing to relay.
const IDLE_TOKEN: Duration = Duration::from_secs(10);
/// The stream is opened at most so often, however it fails.
const REOPEN: Duration = Duration::from_secs(1);

/// What the stream brought.
#[derive(Debug)]
pub(crate) enum Read {
    /// Events, in order.
    Changes(Vec<RawChange>),
    /// Nothing for now; the stream goes on after this token.
    Idle(RawDocumentBuf),
}

/// The change stream of one database.
#[derive(Debug, Clone)]
pub(crate) struct ChangeStream {
    source: Source,
    query: StreamQuery,
    readiness: Readiness,
    patience: Duration,
    /// Connections that broke soon, in place of an answer, one after the other.
    breaks: u32,
}

impl ChangeStream {
    /// Of what this query asks for.
    pub(crate) fn new(source: Source, query: StreamQuery, readiness: Readiness) -> Self {
        Self { source, query, readiness, patience: PATIENCE.0, breaks: 0 }
    }

    /// Reads from `position` until the receiver is gone, or until something that reopening does not mend, which is
    /// the last that the receiver gets.
    pub(crate) async fn read(mut self, mut position: Position, reads: mpsc::Sender<Result<Read, ProducerError>>) {
        let mut shape = Shape::Full;
        loop {
            let next_opening = Instant::now() + REOPEN;
            let ended = match shape {
                Shape::Full => self.read_on(&mut position, &reads).await,
                Shape::KeysOnce => self.read_large(&mut position, &reads).await,
            };
            match ended {
                Ok(Ended::Passed) => {
                    shape = Shape::Full;
                    continue;
                }
                Ok(Ended::Unheard) => return,
                Ok(Ended::Exhausted) => tracing::info!("change stream ended by the server; reopening"),
                Err(error) => match self.judge(error, shape) {
                    Ok(next) if next != shape => {
                        shape = next;
                        continue;
                    }
                    Ok(_) => {}
                    Err(last) => {
                        // Whoever no longer listens has ended already.
                        let _ = reads.send(Err(last)).await;
                        return;
                    }
                },
            }
            telemetry::stream_reopened();
            tokio::select! {
                () = sleep_until(next_opening) => {}
                () = reads.closed() => return,
            }
        }
    }

    /// In which shape the stream is opened next, after an error in this one.
    ///
    /// # Errors
    /// Opening it again does not mend this.
    fn judge(&mut self, error: ProducerError, shape: Shape) -> Result<Shape, ProducerError> {
        let fault = match &error {
            _ if self.breaks >= BREAKS => StreamFault::EventTooLarge,
            ProducerError::MongoDb(error) => stream_fault(error),
            _ => StreamFault::Passing,
        };
        match (fault, error) {
            (StreamFault::HistoryLost, ProducerError::MongoDb(error)) => return Err(ProducerError::HistoryLost(error)),
            (StreamFault::EventTooLarge, error) if shape == Shape::Full => {
                tracing::warn!(%error, "an event exceeds 16 MB; fetching its document by key");
                self.breaks = 0;
                return Ok(Shape::KeysOnce);
            }
            (StreamFault::EventTooLarge, _) => return Err(ProducerError::EventTooLarge),
            (StreamFault::StageUnknown, _) if self.query.splits => {
                tracing::warn!("this member of the replica set is older than the last and splits no large events");
                self.query.splits = false;
            }
            (_, error) => {
                if matches!(error, ProducerError::MongoDbTimeout(_)) {
                    self.patience = (self.patience * 2).min(PATIENCE.1);
                }
                tracing::warn!(%error, "change stream lost; reopening");
                self.readiness.set_down("stream", error.to_string());
            }
        }
        Ok(shape)
    }

    /// Opens the stream and passes on what it brings.
    async fn read_on(
        &mut self,
        position: &mut Position,
        reads: &mpsc::Sender<Result<Read, ProducerError>>,
    ) -> Result<Ended, ProducerError> {
        let mut cursor = self.open(position, Shape::Full).await?;
        let mut fragments = Fragments::default();
        let mut token_due = Instant::now();
        while let Some(batch) = self.next_batch(&mut cursor).await? {
            let sent = batch.doc_slices()?;
            let changes = changes(&batch, &mut fragments)?;
            let read = match (changes.last(), post_batch_token(&batch)) {
                (Some(last), _) => {
                    *position = Position::after(last.token().map_err(MapError::from)?);
                    token_due = Instant::now();
                    Read::Changes(changes)
                }
                // A piece of an event: this batch's token is in the middle of it.
                (None, _) if !sent.is_empty() => continue,
                (None, Some(token)) => {
                    *position = Position::after(token);
                    if Instant::now() < token_due {
                        continue;
                    }
                    token_due = Instant::now() + IDLE_TOKEN;
                    Read::Idle(token.to_owned())
                }
                (None, None) => continue,
            };
            if reads.send(Ok(read)).await.is_err() {
                return Ok(Ended::Unheard);
            }
        }
        Ok(Ended::Exhausted)
    }

    /// Passes on the next event alone, which with its document would exceed what a server can send (16 MB): an
    /// update that sets 9 MB bears them twice. The document is fetched by key, no older than the event.
    async fn read_large(
        &mut self,
        position: &mut Position,
        reads: &mpsc::Sender<Result<Read, ProducerError>>,
    ) -> Result<Ended, ProducerError> {
        let mut cursor = self.open(position, Shape::KeysOnce).await?;
        let mut fragments = Fragments::default();
        while let Some(batch) = self.next_batch(&mut cursor).await? {
            let Some(change) = changes(&batch, &mut fragments)?.into_iter().next() else { continue };
            *position = Position::after(change.token().map_err(MapError::from)?);
            let document = match change.has_document().map_err(MapError::from)? {
                true => self.fetch(&change).await?,
                false => None,
            };
            let heard = reads.send(Ok(Read::Changes(vec![change.with_document(document)]))).await;
            return Ok(if heard.is_ok() { Ended::Passed } else { Ended::Unheard });
        }
        Ok(Ended::Exhausted)
    }

    async fn fetch(&self, change: &RawChange) -> Result<Option<RawDocumentBuf>, ProducerError> {
        let find = rawdoc! {
            "find": change.collection().unwrap_or_default(),
            "filter": change.document_key().map_err(MapError::from)?.to_owned(),
            "limit": 1,
            "singleBatch": true,
            "readConcern": {"level": "majority", "afterClusterTime": change.cluster_time().map_err(MapError::from)?},
        };
        let database = self.source.database();
        let mut found = answer(database.run_raw_cursor_command(find).batch()).await?;
        let Some(batch) = answer(found.next().map(Option::transpose)).await? else { return Ok(None) };
        let row = batch.doc_slices()?.into_iter().next().transpose()?;
        Ok(row.and_then(RawBsonRef::as_document).map(RawDocument::to_owned))
    }

    /// Opens the stream, and passes over the answer to that: it holds no event, and its token only repeats the
    /// position, which may lie within a clusterTime where an idle stream's token never does.
    async fn open(&self, position: &Position, shape: Shape) -> Result<RawBatchCursor, ProducerError> {
        let database = self.source.database();
        let cursor = database.run_raw_cursor_command(self.query.open_at(position, shape));
        let mut cursor =
            answer(cursor.cursor_type(CursorType::TailableAwait).max_time(AWAIT).batch_size(BATCH).batch()).await?;
        answer(cursor.next().map(Option::transpose)).await?;
        Ok(cursor)
    }

    /// Waits for an answer of the server.
    async fn next_batch(&mut self, cursor: &mut RawBatchCursor) -> Result<Option<RawBatch>, ProducerError> {
        let asked = Instant::now();
        let mut next = cursor.next();
        let answered = match timeout(SILENCE, &mut next).await {
            Ok(answered) => answered,
            Err(_) => {
                self.readiness.set_down("stream", format!("no answer from MongoDB for {SILENCE:?}"));
                let patience = timeout(self.patience - SILENCE, next).await;
                patience.map_err(|_| ProducerError::MongoDbTimeout(self.patience))?
            }
        };
        // What cuts a connection that was silent for longer is not the server.
        let soon = asked.elapsed() < SILENCE;
        let batch = answered.transpose().inspect_err(|error| self.breaks += u32::from(soon && is_broken(error)))?;
        (self.patience, self.breaks) = (PATIENCE.0, 0);
        self.readiness.set_up("stream");
        Ok(batch)
    }
}

enum Ended {
    /// Nobody listens any more.
    Unheard,
    /// The server ended the stream.
    Exhausted,
    /// The one event is passed on.
    Passed,
}

fn changes(batch: &RawBatch, fragments: &mut Fragments) -> Result<Vec<RawChange>, ProducerError> {
    let mut changes = Vec::new();
    for sent in batch.doc_slices()? {
        // An event that is no document is reported as one that lacks its token.
        let sent = sent?.as_document().map_or_else(RawDocumentBuf::new, RawDocument::to_owned);
        changes.extend(fragments.join(&sent).map_err(MapError::from)?);
    }
    Ok(changes)
}

fn post_batch_token(batch: &RawBatch) -> Option<&RawDocument> {
    batch.as_raw_document().get_document("cursor").ok()?.get_document("postBatchResumeToken").ok()
}
