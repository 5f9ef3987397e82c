//! What MongoDB reports → what is relayed. Pure: the only state is the count within a clusterTime.

use bson::{RawDocument, Timestamp};
use serde_json::{Map, Value, json};
use shared::body;
use shared::{ChangeEvent, DocumentType, Identity, Operation, Revision, RevisionOverflow, Subject};
use uuid::Uuid;

use crate::change_id;
use crate::change_order::ChangeOrder;
use crate::document_id::{FaultyId, IdFault, identify};
use crate::extended_json;
use crate::raw_change::{MalformedChange, RawChange};
use crate::snapshot::Snapshot;
use source::{Selection, Selections};

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
    /// A row that is not among the documents that are relayed: the sweep that follows takes it away downstream.
    Unwanted,
}

/// A change that no consumer could apply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeadLetter {
    pub(crate) id: Uuid,
    pub(crate) fault: IdFault,
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
}

/// The document for the wire, or why it is left out. MongoDB stores what is no BSON to a driver, such as field names
/// that are not UTF-8: one such document must not end the relay.
#[derive(Default)]
struct Content {
    document: Option<Map<String, Value>>,
    omitted: Option<String>,
    /// There is a document, and it is not among those that are relayed.
    unwanted: bool,
}

impl Content {
    fn of(document: Option<&RawDocument>, selection: Option<&Selection>) -> Self {
        let Some(document) = document else { return Self::default() };
        match extended_json::read(document) {
            Ok(document) if selection.is_some_and(|selection| !selection.admits(&document)) => {
                Self { unwanted: true, ..Self::default() }
            }
            Ok(mut document) => {
                selection.into_iter().for_each(|selection| selection.trim(&mut document));
                Self { document: Some(extended_json::document(document)), ..Self::default() }
            }
            Err(error) => {
                tracing::warn!(%error, "a document cannot be read; relayed without it");
                Self { omitted: Some(body::UNREADABLE.to_owned()), ..Self::default() }
            }
        }
    }

    fn is_none(&self) -> bool {
        self.document.is_none() && self.omitted.is_none() && !self.unwanted
    }

    /// What a dead letter tells of a change whose `_id` makes no identity.
    fn into_letter(
        self,
        letter: Uuid,
        faulty: FaultyId,
        operation: Operation,
        document_type: DocumentType,
        occurred_at: &str,
    ) -> Mapped {
        let mut content = json!({"operation": operation, "type": document_type, "_id": faulty.shown,
            "occurred_at": occurred_at, "document": self.document});
        if let Some(omitted) = self.omitted {
            content["omitted"] = omitted.into();
        }
        Mapped::DeadLetter(DeadLetter { id: letter, fault: faulty.fault, content })
    }
}

/// Maps the changes of one database.
#[derive(Debug)]
pub(crate) struct Mapper {
    database: String,
    types: Vec<DocumentType>,
    selections: Selections,
    partitions: u16,
    order: ChangeOrder,
}

impl Mapper {
    /// Of these types, what is selected of them, spread over so many partitions.
    pub(crate) fn new(database: String, types: Vec<DocumentType>, selections: Selections, partitions: u16) -> Self {
        Self { database, types, selections, partitions, order: ChangeOrder::default() }
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
        let document_type = snapshot.document_type;
        let occurred_at = extended_json::rfc3339(snapshot.time());
        let content = Content::of(Some(row), self.selections.of(document_type));
        if content.unwanted {
            return match identify(document_type, row) {
                // No sweep follows that would take it away.
                Ok(identity) if !snapshot.is_whole() => self.absent(snapshot, identity),
                _ => Ok(Mapped::Unwanted),
            };
        }
        let identity = match identify(document_type, row) {
            Ok(identity) => identity,
            Err(faulty) => {
                let letter = match &faulty.fault {
                    IdFault::Unsupported(_) => {
                        change_id::of_unidentified_row(snapshot.id, document_type, faulty.shown.to_string().as_bytes())
                    }
                    // Two of these may look alike.
                    IdFault::Unreadable(_) | IdFault::TooLarge(_) => {
                        change_id::of_unidentified_row(snapshot.id, document_type, row.as_bytes())
                    }
                };
                return Ok(content.into_letter(letter, faulty, Operation::Snapshot, document_type, &occurred_at));
            }
        };
        let event = ChangeEvent {
            id: change_id::of_row(snapshot.id, &identity),
            operation: Operation::Snapshot,
            subject: Subject::Document(identity),
            revision: snapshot.revision()?,
            occurred_at,
            document: content.document,
            omitted: content.omitted,
            repair: snapshot.is_repair(),
        };
        Ok(self.to_partition(event))
    }

    /// A document that was asked for and is not there, or not among those that are relayed.
    pub(crate) fn absent(&self, snapshot: &Snapshot, identity: Identity) -> Result<Mapped, MapError> {
        let event = ChangeEvent {
            id: change_id::of_row(snapshot.id, &identity),
            operation: Operation::Delete,
            subject: Subject::Document(identity),
            revision: snapshot.revision()?,
            occurred_at: extended_json::rfc3339(snapshot.time()),
            document: None,
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
        let token = change.token()?;
        let occurred_at = extended_json::rfc3339(change.occurred_at()?);
        let content = Content::of(change.full_document(), self.selections.of(document_type));
        let identity = match identify(document_type, change.document_key()?) {
            Ok(identity) => identity,
            // Nobody downstream has it under an `_id` that makes no identity.
            Err(_) if content.unwanted => return Ok(Vec::new()),
            Err(faulty) => {
                let letter = change_id::of_change(token);
                return Ok(vec![content.into_letter(letter, faulty, operation, document_type, &occurred_at)]);
            }
        };
        // Counted before anything is left out: a lookup that is null today may find a new document in a replay.
        let index = self.order.next_index(&identity);
        if content.is_none() && operation != Operation::Delete {
            return Ok(vec![Mapped::NullLookup]);
        }
        // What matches no longer is gone for those downstream; for what never did, a delete does no harm.
        let operation = if content.unwanted { Operation::Delete } else { operation };
        let time = change.cluster_time()?;
        let event = ChangeEvent {
            id: change_id::of_change(token),
            operation,
            subject: Subject::Document(identity.clone()),
            revision: Revision::new(time.time, time.increment, index)?,
            occurred_at,
            document: content.document,
            omitted: content.omitted,
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
