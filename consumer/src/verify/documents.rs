//! MongoDB's side: the documents that are relayed, all of them or some, as what the index should say of them.

use std::collections::HashMap;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_util::stream::try_unfold;
use futures_util::{Stream, TryStreamExt};
use mongodb::Cursor;
use shared::{DocumentType, Identity, Revision};
use source::{Selections, Source};

use super::expected::{Expected, Sighting, sighting};
use crate::command_error::CommandError;
use crate::requests::{answered, answers, clock};

/// Documents that are cleaned in one go.
const PAGE: usize = 128;
/// Bytes of these; the one that goes beyond it still belongs to them. One document can have 16 MB.
const PAGE_BYTES: usize = 16 << 20;

/// The documents of one database that the producer relays.
pub(super) struct Documents {
    source: Source,
    selections: Arc<Selections>,
}

impl Documents {
    /// Those of `source` that the producer's settings select.
    pub(super) fn new(source: Source, selections: Selections) -> Self {
        Self { source, selections: Arc::new(selections) }
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
        let pages = pages(answers(cursor), PAGE_BYTES);
        let selections = Arc::clone(&self.selections);
        Ok(pages.map_ok(move |page| sighted(document_type, page, Arc::clone(&selections))).try_buffered(cores))
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
            let mut pages = pin!(pages(answers(documents), PAGE_BYTES));
            while let Some(page) = pages.try_next().await? {
                let sighted = sighted(document_type, page, Arc::clone(&self.selections)).await?;
                found.extend(sighted.into_iter().filter_map(|(identity, expected)| Some((identity?, expected))));
            }
        }
        Ok(found)
    }

    /// A revision that no change which was made before this call exceeds.
    pub(super) async fn clock(&self) -> Result<Revision, CommandError> {
        let time = clock(&self.source).await?;
        let revision = Revision::new(time.time, time.increment, Revision::MAX_INDEX);
        revision.map_err(|error| CommandError::Refused(error.to_string()))
    }

    async fn find(&self, document_type: DocumentType, of: Document) -> Result<Cursor<RawDocumentBuf>, CommandError> {
        let collection = self.source.database().collection::<RawDocumentBuf>(document_type.as_str());
        answered(collection.find(of).batch_size(PAGE as u32).into_future()).await
    }
}

/// The documents in pages of at most [`PAGE`], each closed by the one with which it has so many bytes.
fn pages(
    rows: impl Stream<Item = Result<RawDocumentBuf, CommandError>>,
    bytes: usize,
) -> impl Stream<Item = Result<Vec<RawDocumentBuf>, CommandError>> {
    try_unfold(Box::pin(rows), move |mut rows| async move {
        let (mut page, mut room) = (Vec::new(), bytes);
        while page.len() < PAGE && room > 0 {
            let Some(row) = rows.try_next().await? else { break };
            room = room.saturating_sub(row.as_bytes().len());
            page.push(row);
        }
        Ok((!page.is_empty()).then_some((page, rows)))
    })
}

async fn sighted(
    document_type: DocumentType,
    page: Vec<RawDocumentBuf>,
    selections: Arc<Selections>,
) -> Result<Vec<Sighting>, CommandError> {
    let clean = move || {
        let selection = selections.of(document_type);
        page.iter().filter_map(|document| sighting(document_type, document, selection)).collect()
    };
    Ok(tokio::task::spawn_blocking(clean).await.map_err(std::io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;
    use futures_util::stream::iter;

    #[tokio::test]
    async fn a_page_is_closed_by_its_bytes_and_by_its_documents() {
        let lengths = async |rows: Vec<RawDocumentBuf>, bytes: usize| {
            let pages: Vec<_> = pages(iter(rows.into_iter().map(Ok)), bytes).try_collect().await.unwrap();
            pages.iter().map(Vec::len).collect::<Vec<_>>()
        };
        let row = |text: &str| rawdoc! {"a": text};
        let (small, large) = (row(""), row(&"x".repeat(1_000)));
        assert_eq!(lengths(vec![small.clone(); 2 * PAGE + 1], PAGE_BYTES).await, [PAGE, PAGE, 1]);
        assert_eq!(lengths(vec![small.clone(), large.clone(), small], 1_000).await, [2, 1]);
        assert_eq!(lengths(vec![large; 3], 500).await, [1, 1, 1], "what is too large goes alone");
        assert!(lengths(Vec::new(), 1).await.is_empty());
    }
}
