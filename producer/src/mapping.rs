//! What MongoDB reports → what is relayed. Pure: the only state is the count within a clusterTime.

use bson::{Bson, RawDocument, Timestamp};
use serde_json::{Value, json};
use shared::{ChangeEvent, DocumentType, Identity, Operation, Revision, RevisionOverflow, Subject, UnsupportedId};
use uuid::Uuid;

use crate::change_id;
use crate::change_order::ChangeOrder;
use crate::extended_json;
use crate::raw_change::{MalformedChange, RawChange};
use crate::snapshot::Snapshot;

/// One consequence of a change. They are to be taken in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mapped {
    /// Goes to a partition.
    Event(ChangeEvent, u16),
    /// Goes to the dead letters.
    DeadLetter(DeadLetter),
    /// The collection was dropped at this clusterTime: an older snapshot of it in progress is void.
    Voided(DocumentType, Timestamp),
    /// The collection holds documents that no event will report: a snapshot of it is due.
    Requested(DocumentType),
    /// An update whose document was gone when looked up; the delete, drop or rename that follows settles it.
    NullLookup,
}

/// A change that no consumer could apply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeadLetter {
    pub(crate) id: Uuid,
    pub(crate) error: UnsupportedId,
    pub(crate) content: Value,
}

/// A change that cannot be mapped; the relay stops rather than skip it.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A field is missing.
    #[error(transparent)]
    Malformed(#[from] MalformedChange),
    /// The clusterTime does not fit.
    #[error(transparent)]
    Overflow(#[from] RevisionOverflow),
    /// The document is no BSON.
    #[error("MongoDB sent an unreadable document: {0}")]
    Unreadable(#[from] bson::error::Error),
}

/// Maps the changes of one database.
#[derive(Debug)]
pub(crate) struct Mapper {
    database: String,
    types: Vec<DocumentType>,
    partitions: u16,
    order: ChangeOrder,
}

impl Mapper {
    /// Of these types, spread over so many partitions.
    pub(crate) fn new(database: String, types: Vec<DocumentType>, partitions: u16) -> Self {
        Self { database, types, partitions, order: ChangeOrder::default() }
    }

    /// What is due before an event of this clusterTime.
    pub(crate) fn turn_to(&mut self, cluster_time: Timestamp) -> Vec<Mapped> {
        let due = self.order.turn_to(cluster_time);
        self.routed(due)
    }

    /// What is due when the stream has nothing more for now: no transaction is open then.
    pub(crate) fn finish(&mut self) -> Vec<Mapped> {
        let due = self.order.finish();
        self.routed(due)
    }

    /// The consequences of a change. [`Self::turn_to`] its clusterTime first.
    pub(crate) fn map(&mut self, change: &RawChange) -> Result<Vec<Mapped>, MapError> {
        let watched = change.collection().and_then(|name| self.watched(name));
        match (change.operation()?, watched) {
            ("insert", Some(at)) => self.document_change(change, Operation::Insert, at),
            ("update", Some(at)) => self.document_change(change, Operation::Update, at),
            ("replace", Some(at)) => self.document_change(change, Operation::Replace, at),
            ("delete", Some(at)) => self.document_change(change, Operation::Delete, at),
            ("drop", Some(at)) => self.dropped(change, at),
            ("rename", from) => self.renamed(change, from),
            ("dropDatabase", _) => self.database_dropped(change),
            // `invalidate` follows a dropDatabase; `create`, `modify` … change no document.
            _ => Ok(Vec::new()),
        }
    }

    /// A row of a snapshot.
    pub(crate) fn row(&self, snapshot: &Snapshot, row: &RawDocument) -> Result<Mapped, MapError> {
        let id = row.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok()).unwrap_or(Bson::Null);
        let occurred_at = extended_json::rfc3339(snapshot.time());
        let document = extended_json::document(row)?;
        let identity = match Identity::of(snapshot.document_type, &id) {
            Ok(identity) => identity,
            Err(error) => {
                let id = extended_json::value(id);
                let letter = change_id::of_unidentified_row(snapshot.id, snapshot.document_type, &id.to_string());
                let content = json!({"operation": "snapshot", "type": snapshot.document_type, "_id": id,
                    "occurred_at": occurred_at, "document": document});
                return Ok(Mapped::DeadLetter(DeadLetter { id: letter, error, content }));
            }
        };
        let event = ChangeEvent {
            id: change_id::of_row(snapshot.id, &identity),
            operation: Operation::Snapshot,
            subject: Subject::Document(identity),
            revision: snapshot.revision()?,
            occurred_at,
            document: Some(document),
            omitted: None,
            repair: false,
        };
        Ok(self.to_partition(event))
    }

    /// The end of a snapshot, for every partition. Only once every row is confirmed.
    pub(crate) fn sweep(&self, snapshot: &Snapshot) -> Result<Vec<Mapped>, MapError> {
        let (at, revision) = (snapshot.document_type, snapshot.revision()?);
        let occurred_at = extended_json::rfc3339(snapshot.time());
        let id = |partition| change_id::of_sweep(snapshot.id, at, partition);
        Ok(self.barrier(Operation::Sweep, at, revision, &occurred_at, id))
    }

    fn watched(&self, collection: &str) -> Option<DocumentType> {
        self.types.iter().copied().find(|known| known.as_str() == collection)
    }

    fn document_change(
        &mut self,
        change: &RawChange,
        operation: Operation,
        document_type: DocumentType,
    ) -> Result<Vec<Mapped>, MapError> {
        let (token, id) = (change.token()?, change.document_id()?);
        let occurred_at = extended_json::rfc3339(change.occurred_at()?);
        let document = change.full_document().map(extended_json::document).transpose()?;
        let identity = match Identity::of(document_type, &id) {
            Ok(identity) => identity,
            Err(error) => {
                let content = json!({"operation": operation, "type": document_type,
                    "_id": extended_json::value(id), "occurred_at": occurred_at, "document": document});
                let letter = DeadLetter { id: change_id::of_change(token), error, content };
                return Ok(vec![Mapped::DeadLetter(letter)]);
            }
        };
        // Counted before anything is left out: a lookup that is null today may find a new document in a replay.
        let index = self.order.next_index(&identity);
        if document.is_none() && operation != Operation::Delete {
            return Ok(vec![Mapped::NullLookup]);
        }
        let time = change.cluster_time()?;
        let event = ChangeEvent {
            id: change_id::of_change(token),
            operation,
            subject: Subject::Document(identity.clone()),
            revision: Revision::new(time.time, time.increment, index)?,
            occurred_at,
            document,
            omitted: None,
            repair: false,
        };
        let placed = self.order.place(&identity, index, event);
        Ok(self.routed(placed.into_iter().collect()))
    }

    fn renamed(&self, change: &RawChange, from: Option<DocumentType>) -> Result<Vec<Mapped>, MapError> {
        let here = change.renamed_to().filter(|(database, _)| *database == self.database);
        let into = here.and_then(|(_, collection)| self.watched(collection));
        let mut mapped = match from {
            Some(from) => self.dropped(change, from)?,
            None => Vec::new(),
        };
        if let Some(into) = into {
            // What stood there is replaced without a drop, what comes is brought without an insert.
            mapped.extend(self.dropped(change, into)?);
            mapped.push(Mapped::Requested(into));
        }
        Ok(mapped)
    }

    fn database_dropped(&self, change: &RawChange) -> Result<Vec<Mapped>, MapError> {
        let drops = self.types.iter().map(|&document_type| self.dropped(change, document_type));
        Ok(drops.collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn dropped(&self, change: &RawChange, document_type: DocumentType) -> Result<Vec<Mapped>, MapError> {
        let (token, time) = (change.token()?, change.cluster_time()?);
        let revision = Revision::new(time.time, time.increment, 0)?;
        let occurred_at = extended_json::rfc3339(change.occurred_at()?);
        let id = |partition| change_id::of_drop(token, document_type, partition);
        let mut mapped = vec![Mapped::Voided(document_type, time)];
        mapped.extend(self.barrier(Operation::Drop, document_type, revision, &occurred_at, id));
        Ok(mapped)
    }

    fn barrier(
        &self,
        operation: Operation,
        document_type: DocumentType,
        revision: Revision,
        occurred_at: &str,
        id: impl Fn(u16) -> Uuid,
    ) -> Vec<Mapped> {
        let event = |partition| ChangeEvent {
            id: id(partition),
            operation,
            subject: Subject::Collection(document_type),
            revision,
            occurred_at: occurred_at.to_owned(),
            document: None,
            omitted: None,
            repair: false,
        };
        (0..self.partitions).map(|partition| Mapped::Event(event(partition), partition)).collect()
    }

    fn routed(&self, events: Vec<ChangeEvent>) -> Vec<Mapped> {
        events.into_iter().map(|event| self.to_partition(event)).collect()
    }

    fn to_partition(&self, event: ChangeEvent) -> Mapped {
        // Barriers are made for a partition each; only documents come here.
        let partition = event.identity().map_or(0, |identity| identity.partition(self.partitions));
        Mapped::Event(event, partition)
    }
}

#[cfg(test)]
mod tests;
