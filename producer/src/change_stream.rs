//! Reading the change stream: a task of its own, which opens the stream as often as needed and always knows after
//! which event to go on.
//!
//! It works on the server's raw batches. The driver's own `ChangeStream` reopens without a pause, saves its token
//! before the event is decoded, and is not cancel-safe (RUST-937); none of this is in the way here.

use std::time::Duration;

use bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, doc, rawdoc};
use futures_util::StreamExt;
use mongodb::options::CursorType;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use shared::DocumentType;
use shared::health::Readiness;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::{ProducerError, StreamFault, stream_fault};
use crate::mapping::MapError;
use crate::position::Position;
use crate::raw_change::RawChange;
use crate::source::{Source, answer};
use crate::telemetry;

/// How long the server waits for events before it answers with none.
const AWAIT: Duration = Duration::from_millis(500);
/// Without an answer for so long, the server is held to be gone.
const SILENCE: Duration = Duration::from_secs(20);
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
    types: Vec<DocumentType>,
    readiness: Readiness,
}

impl ChangeStream {
    /// Of these types.
    pub(crate) fn new(source: Source, types: Vec<DocumentType>, readiness: Readiness) -> Self {
        Self { source, types, readiness }
    }

    /// Reads from `position` until the receiver is gone, or until something that reopening does not mend, which is
    /// the last that the receiver gets.
    pub(crate) async fn read(self, mut position: Position, reads: mpsc::Sender<Result<Read, ProducerError>>) {
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
                Err(ProducerError::MongoDb(error)) if shape == Shape::KeysOnce && is_too_large(&error) => {
                    // Whoever no longer listens has ended already, here and below.
                    let _ = reads.send(Err(ProducerError::EventTooLarge)).await;
                    return;
                }
                Ok(Ended::Unheard) => return,
                Ok(Ended::Exhausted) => tracing::info!("change stream ended by the server; reopening"),
                Err(ProducerError::MongoDb(error)) if stream_fault(&error) == StreamFault::HistoryLost => {
                    let _ = reads.send(Err(ProducerError::HistoryLost(error))).await;
                    return;
                }
                Err(ProducerError::MongoDb(error)) if is_too_large(&error) => {
                    tracing::warn!("an event exceeds 16 MB; fetching its document by key");
                    shape = Shape::KeysOnce;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "change stream lost; reopening");
                    self.readiness.set_down("mongodb", error.to_string());
                }
            }
            telemetry::stream_reopened();
            tokio::select! {
                () = sleep_until(next_opening) => {}
                () = reads.closed() => return,
            }
        }
    }

    /// Opens the stream and passes on what it brings.
    async fn read_on(
        &self,
        position: &mut Position,
        reads: &mpsc::Sender<Result<Read, ProducerError>>,
    ) -> Result<Ended, ProducerError> {
        let mut cursor = answer(self.open(position, Shape::Full)).await?;
        let mut token_due = Instant::now();
        while let Some(batch) = next_batch(&mut cursor).await? {
            self.readiness.set_up("mongodb");
            let changes = changes(&batch)?;
            let read = match (changes.last(), post_batch_token(&batch)) {
                (Some(last), _) => {
                    *position = Position::after(last.token().map_err(MapError::from)?);
                    token_due = Instant::now();
                    Read::Changes(changes)
                }
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
        &self,
        position: &mut Position,
        reads: &mpsc::Sender<Result<Read, ProducerError>>,
    ) -> Result<Ended, ProducerError> {
        let mut cursor = answer(self.open(position, Shape::KeysOnce)).await?;
        while let Some(batch) = next_batch(&mut cursor).await? {
            let Some(change) = changes(&batch)?.into_iter().next() else { continue };
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
        let Some(batch) = next_batch(&mut found).await? else { return Ok(None) };
        let row = batch.doc_slices()?.into_iter().next().transpose()?;
        Ok(row.and_then(RawBsonRef::as_document).map(RawDocument::to_owned))
    }

    async fn open(&self, position: &Position, shape: Shape) -> mongodb::error::Result<RawBatchCursor> {
        let mut stage = match shape {
            Shape::Full => rawdoc! {"fullDocument": "updateLookup"},
            Shape::KeysOnce => rawdoc! {},
        };
        match position {
            // Not `resumeAfter`: that cannot pass an invalidate event.
            Position::Token(token) => stage.append(bson::cstr!("startAfter"), token.clone()),
            Position::OperationTime(time) => stage.append(bson::cstr!("startAtOperationTime"), *time),
        }
        let mut pipeline = vec![rawdoc! {"$changeStream": stage}, RawDocumentBuf::try_from(&self.filter())?];
        if shape == Shape::KeysOnce {
            pipeline.push(rawdoc! {"$project": {"fullDocument": 0, "updateDescription": 0}});
        }
        let pipeline: RawArrayBuf = pipeline.into_iter().collect();
        let aggregate = rawdoc! {
            "aggregate": 1,
            "pipeline": pipeline,
            "cursor": {},
            "readConcern": {"level": "majority"},
        };
        let database = self.source.database();
        let cursor = database.run_raw_cursor_command(aggregate);
        cursor.cursor_type(CursorType::TailableAwait).max_time(AWAIT).batch().await
    }

    /// `ns.coll`, not `ns`: the server can then leave out other collections before it decodes an entry.
    fn filter(&self) -> bson::Document {
        let types: Vec<_> = self.types.iter().map(|known| known.as_str()).collect();
        doc! {"$match": {"$or": [
            {"ns.coll": {"$in": &types}, "operationType": {"$in": ["insert", "update", "replace", "delete", "drop", "rename"]}},
            {"to.coll": {"$in": types}, "operationType": "rename"},
            {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
        ]}}
    }
}

/// How much of each event is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Full,
    /// Keys alone, for one event.
    KeysOnce,
}

enum Ended {
    /// Nobody listens any more.
    Unheard,
    /// The server ended the stream.
    Exhausted,
    /// The one event is passed on.
    Passed,
}

fn is_too_large(error: &mongodb::error::Error) -> bool {
    stream_fault(error) == StreamFault::EventTooLarge
}

async fn next_batch(cursor: &mut RawBatchCursor) -> Result<Option<RawBatch>, ProducerError> {
    let next = timeout(SILENCE, cursor.next()).await.map_err(|_| ProducerError::MongoDbTimeout(SILENCE))?;
    Ok(next.transpose()?)
}

fn changes(batch: &RawBatch) -> mongodb::error::Result<Vec<RawChange>> {
    let events = batch.doc_slices()?.into_iter();
    events.map(|event| Ok(event?.as_document().unwrap_or(RawDocument::from_bytes(&EMPTY)?).to_owned().into())).collect()
}

/// An empty document: an event that is no document is reported as one that lacks its token.
const EMPTY: [u8; 5] = [5, 0, 0, 0, 0];

fn post_batch_token(batch: &RawBatch) -> Option<&RawDocument> {
    batch.as_raw_document().get_document("cursor").ok()?.get_document("postBatchResumeToken").ok()
}
