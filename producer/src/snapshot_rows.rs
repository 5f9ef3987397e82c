//! The queries of a snapshot: majority reads causally after its T0, in the order of `_id`.
//!
//! `$gt` compares within one BSON type only. `min` with a hint is a place in the index itself and spans all types; it
//! includes the place, which `$ne` takes out again, and excludes MaxKey, which is asked for at the end.

use std::time::Duration;

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc, rawdoc};
use futures_util::StreamExt;
use mongodb::error::ErrorKind;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};
use shared::DocumentType;
use tokio::time::timeout;

use crate::boundary::Boundary;
use crate::error::ProducerError;
use crate::server::answer;
use crate::snapshot::{Scope, Snapshot};
use source::Source;

/// Longest wait for a batch. A filter that matches little reads much for it.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_WITH_FILTER: Duration = Duration::from_secs(1800);
/// Longest trial of a filter, in milliseconds.
const TRIAL: i32 = 5000;
/// MaxTimeMSExpired.
const OUT_OF_TIME: i32 = 50;

/// The rows of one snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    source: Source,
    collection: DocumentType,
    read_concern: RawDocumentBuf,
    filter: Option<RawDocumentBuf>,
}

/// Batches of rows.
pub(crate) struct Batches {
    cursor: RawBatchCursor,
    patience: Duration,
}

impl Rows {
    /// Of this snapshot.
    ///
    /// # Errors
    /// Its filter is no filter.
    pub(crate) fn of(source: Source, snapshot: &Snapshot) -> Result<Self, String> {
        let filter = match &snapshot.scope {
            Scope::Filter(text) => Some(RawDocumentBuf::try_from(&filter(text)?).map_err(|error| error.to_string())?),
            Scope::Whole | Scope::Keys(_) => None,
        };
        // What is read was there at T0 or came later, never before it went.
        let read_concern = rawdoc! {"level": "majority", "afterClusterTime": snapshot.t0};
        Ok(Self { source, collection: snapshot.document_type, read_concern, filter })
    }

    /// Those after this row, or all, in batches of so many rows and 16 MB at most.
    pub(crate) async fn after(&self, boundary: Option<&Boundary>, batch: u32) -> Result<Batches, ProducerError> {
        let mut find = self.find(batch);
        let mut conditions: Vec<RawDocumentBuf> = self.filter.iter().cloned().collect();
        find.append(bson::cstr!("hint"), rawdoc! {"_id": 1});
        find.append(bson::cstr!("sort"), rawdoc! {"_id": 1});
        if let Some(boundary) = boundary {
            find.append(bson::cstr!("min"), boundary.under("_id")?);
            conditions.push(rawdoc! {"_id": boundary.under("$ne")?});
        }
        self.run(find, conditions, batch).await
    }

    /// The one whose `_id` is MaxKey.
    pub(crate) async fn last(&self) -> Result<Batches, ProducerError> {
        let mut conditions = vec![rawdoc! {"_id": bson::RawBson::MaxKey}];
        conditions.extend(self.filter.iter().cloned());
        self.run(self.find(1), conditions, 1).await
    }

    /// Those that have one of these ids.
    pub(crate) async fn named(&self, ids: Vec<Bson>) -> Result<Batches, ProducerError> {
        let batch = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let condition = RawDocumentBuf::try_from(&doc! {"_id": {"$in": ids}})?;
        self.run(self.find(batch), vec![condition], batch).await
    }

    fn find(&self, batch: u32) -> RawDocumentBuf {
        rawdoc! {
            "find": self.collection.as_str(),
            "batchSize": i64::from(batch),
            "readConcern": self.read_concern.clone(),
        }
    }

    async fn run(
        &self,
        mut find: RawDocumentBuf,
        conditions: Vec<RawDocumentBuf>,
        batch: u32,
    ) -> Result<Batches, ProducerError> {
        if !conditions.is_empty() {
            let conditions: bson::RawArrayBuf = conditions.into_iter().collect();
            find.append(bson::cstr!("filter"), rawdoc! {"$and": conditions});
        }
        let patience = if self.filter.is_some() { PATIENCE_WITH_FILTER } else { PATIENCE };
        let database = self.source.database();
        let opened = timeout(patience, database.run_raw_cursor_command(find).batch_size(batch).batch()).await;
        let cursor = opened.map_err(|_| ProducerError::MongoDbTimeout(patience))??;
        Ok(Batches { cursor, patience })
    }
}

impl Batches {
    /// The next rows; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<RawDocumentBuf>, ProducerError> {
        loop {
            let next = timeout(self.patience, self.cursor.next()).await;
            let next = next.map_err(|_| ProducerError::MongoDbTimeout(self.patience))?;
            let Some(batch) = next.transpose()? else { return Ok(Vec::new()) };
            let rows = rows(&batch)?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }
}

fn rows(batch: &RawBatch) -> mongodb::error::Result<Vec<RawDocumentBuf>> {
    let rows = batch.doc_slices()?.into_iter();
    let row = |row: Result<RawBsonRef<'_>, _>| Ok(row?.as_document().map(RawDocument::to_owned));
    rows.map(row).filter_map(Result::transpose).collect()
}

/// A filter from its extended JSON.
///
/// # Errors
/// It is none, in one line.
pub(crate) fn filter(text: &str) -> Result<Document, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match Bson::try_from(json).map_err(|error| format!("is not extended JSON: {error}"))? {
        Bson::Document(filter) => Ok(filter),
        _ => Err("must be a JSON object, as MongoDB's find takes it".into()),
    }
}

/// Has the server look at a filter: at the first row that matches, within a few seconds.
///
/// # Errors
/// The server cannot be reached. Inside: what the server says against the filter.
pub(crate) async fn try_filter(
    source: &Source,
    collection: DocumentType,
    filter: &Document,
) -> Result<Result<(), String>, ProducerError> {
    let find = doc! {"find": collection.as_str(), "filter": filter, "hint": {"_id": 1}, "limit": 1,
    "singleBatch": true, "maxTimeMS": TRIAL};
    let database = source.database();
    match answer(database.run_raw_cursor_command(RawDocumentBuf::try_from(&find)?).batch()).await {
        Ok(_) => Ok(Ok(())),
        Err(ProducerError::MongoDb(error)) => fault_of_filter(&error).map_or(Ok(Ok(())), |fault| match fault {
            Fault::OfFilter(said) => Ok(Err(said)),
            Fault::Other => Err(error.into()),
        }),
        Err(error) => Err(error),
    }
}

enum Fault {
    OfFilter(String),
    Other,
}

/// What a server says against a query. None: it ran out of time, which is no fault.
fn fault_of_filter(error: &mongodb::error::Error) -> Option<Fault> {
    let ErrorKind::Command(command) = error.kind.as_ref() else { return Some(Fault::Other) };
    match command.code {
        OUT_OF_TIME => None,
        code if is_of_query(code) => Some(Fault::OfFilter(format!("{} ({code})", command.message))),
        _ => Some(Fault::Other),
    }
}

/// Whether this error would come again: the filter itself does not run.
pub(crate) fn refuses_filter(error: &ProducerError) -> Option<String> {
    let ProducerError::MongoDb(error) = error else { return None };
    match fault_of_filter(error) {
        Some(Fault::OfFilter(said)) => Some(said),
        Some(Fault::Other) | None => None,
    }
}

/// BadValue, FailedToParse, TypeMismatch, Overflow, IndexNotFound, InvalidPipelineOperator, QueryFeatureNotAllowed,
/// ConversionFailure, NoQueryExecutionPlans; and the numbered faults of expressions, which have no name.
fn is_of_query(code: i32) -> bool {
    const FIRST_OF_EXPRESSIONS: i32 = 15_000;
    matches!(code, 2 | 9 | 14 | 15 | 27 | 168 | 224 | 241 | 291) || code >= FIRST_OF_EXPRESSIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_an_object_of_extended_json() {
        let read = filter(r#"{"_id": {"$oid": "660f57b3153bbb219fd901aa"}, "n": {"$gt": 5}}"#).unwrap();
        let id = bson::oid::ObjectId::parse_str("660f57b3153bbb219fd901aa").unwrap();
        assert_eq!(read, doc! {"_id": id, "n": {"$gt": 5}});
        for (wrong, said) in [("{n: 5}", "not JSON"), ("[]", "object"), (r#"{"_id": {"$oid": "7"}}"#, "extended JSON")]
        {
            assert!(filter(wrong).unwrap_err().contains(said), "{wrong}");
        }
    }

    #[test]
    fn a_change_of_primary_is_no_fault_of_the_filter() {
        for code in [91, 189, 10107, 11600, 11602, 13435, 13436] {
            assert!(!is_of_query(code), "{code}");
        }
        assert!(is_of_query(2) && is_of_query(16608));
    }
}
