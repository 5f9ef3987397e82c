//! MongoDB's side: the documents that are relayed, all of them or some, as what the index should say of them.

use std::collections::HashMap;
use std::num::NonZero;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::{Stream, TryStreamExt};
use mongodb::Cursor;
use shared::{DocumentType, Identity, Revision};

use super::expected::{Expected, expected, identity_of};
use super::selection::Selection;
use crate::command_error::CommandError;
use crate::source::{Source, answered, answers};

/// Documents that are cleaned in one go.
const PAGE: usize = 128;

/// The documents of one database that the producer relays.
pub(super) struct Documents {
    source: Source,
    selection: Selection,
}

/// A document as the index should know it; no identity where its `_id` makes none.
pub(super) type Sighting = (Option<Identity>, Expected);

impl Documents {
    /// Those of `source` that the producer's settings select.
    pub(super) fn new(source: Source, selection: Selection) -> Self {
        Self { source, selection }
    }

    /// The database.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// About how many there are.
    pub(super) async fn size(&self, document_type: DocumentType) -> Result<u64, CommandError> {
        let collection = self.source.database().collection::<Document>(document_type.as_str());
        answered(collection.estimated_document_count().into_future()).await
    }

    /// Every document of a type, once.
    pub(super) async fn all(
        &self,
        document_type: DocumentType,
    ) -> Result<impl Stream<Item = Result<Vec<Sighting>, CommandError>>, CommandError> {
        let cursor = self.find(document_type, doc! {}).await?;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let pages = answers(cursor).try_chunks(PAGE).map_err(|error| error.1);
        Ok(pages.map_ok(move |page| sighted(document_type, page)).try_buffered(cores))
    }

    /// What the index should say of these documents; those that are not there are not in the answer.
    pub(super) async fn of(&self, identities: &[Identity]) -> Result<HashMap<Identity, Expected>, CommandError> {
        let mut found = HashMap::new();
        for document_type in DocumentType::ALL {
            let ours = identities.iter().filter(|identity| identity.document_type == document_type);
            let ids: Vec<Bson> = ours.filter_map(|identity| identity.id_kind.id(&identity.entry_id)).collect();
            if ids.is_empty() {
                continue;
            }
            let documents = self.find(document_type, doc! {"_id": {"$in": ids}}).await?;
            let documents: Vec<RawDocumentBuf> = answers(documents).try_collect().await?;
            let sighted = sighted(document_type, documents).await?;
            found.extend(sighted.into_iter().filter_map(|(identity, expected)| Some((identity?, expected))));
        }
        Ok(found)
    }

    /// A revision that no change which was made before this call exceeds.
    pub(super) async fn clock(&self) -> Result<Revision, CommandError> {
        let time = self.source.clock().await?;
        let revision = Revision::new(time.time, time.increment, Revision::MAX_INDEX);
        revision.map_err(|error| CommandError::Refused(error.to_string()))
    }

    async fn find(&self, document_type: DocumentType, also: Document) -> Result<Cursor<RawDocumentBuf>, CommandError> {
        let collection = self.source.database().collection::<RawDocumentBuf>(document_type.as_str());
        let mut find = collection.find(self.selection.filter(document_type, also)).batch_size(PAGE as u32);
        if let Some(projection) = self.selection.projection(document_type) {
            find = find.projection(projection);
        }
        answered(find.into_future()).await
    }
}

async fn sighted(document_type: DocumentType, page: Vec<RawDocumentBuf>) -> Result<Vec<Sighting>, CommandError> {
    let clean = move || {
        let sighting = |document: &RawDocumentBuf| match identity_of(document_type, document) {
            Some(identity) => {
                let expected = expected(&identity, document);
                (Some(identity), expected)
            }
            None => (None, Expected::Unindexable),
        };
        page.iter().map(sighting).collect()
    };
    Ok(tokio::task::spawn_blocking(clean).await.map_err(std::io::Error::other)?)
}
