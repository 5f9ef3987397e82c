//! Repair: the producer relays exactly the documents that differ anew, as they stand in MongoDB; where one is absent
//! there, a `delete` takes away what the index holds of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bson::{Bson, doc};
use futures_util::TryStreamExt;
use shared::resync::ResyncRequest;
use shared::{DocumentType, Identity};

use super::difference::Difference;
use super::progress::Progress;
use super::settling::{Differences, settle};
use super::sides::Sides;
use crate::command_error::CommandError;
use crate::requests::{self, answered, answers, requester};

/// Least time that the producer is given to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// A repair that MongoDB holds: the producer will make it.
pub(super) struct Repair {
    requests: Vec<ResyncRequest>,
}

impl Repair {
    /// Has these documents relayed anew.
    pub(super) async fn request(sides: &Sides, differences: &Differences) -> Result<Self, CommandError> {
        for (identity, (difference, revision)) in differences {
            if let (Difference::Ahead, Some(revision)) = (difference, revision) {
                let take_back = || sides.store.take_back(identity, *revision);
                sides.patience.ask("take revision back", take_back).await?;
            }
        }
        let mut keys: BTreeMap<DocumentType, Vec<Identity>> = BTreeMap::new();
        for identity in differences.keys() {
            keys.entry(identity.document_type).or_default().push(identity.clone());
        }
        let (source, by) = (sides.documents.source(), requester("verify --repair"));
        let requests: Vec<ResyncRequest> = keys
            .into_iter()
            .flat_map(|(document_type, identities)| {
                let keys = identities.into_iter().map(Into::into);
                ResyncRequest::of_keys(source.name(), document_type, keys, &by)
            })
            .collect();
        requests::request(source, &requests).await?;
        Ok(Self { requests })
    }

    /// Looks at the documents until they agree. Returns those that still differ.
    pub(super) async fn done(
        self,
        sides: &Sides,
        differences: &Differences,
        limit: Duration,
        progress: &Progress,
    ) -> Result<Differences, CommandError> {
        let (left, _) = settle(sides, differences.keys().cloned(), limit.max(BEGIN), progress).await?;
        if !left.is_empty() {
            refusal(sides, &self.requests).await?;
        }
        Ok(left)
    }
}

/// Takes refused requests back and says why they were.
async fn refusal(sides: &Sides, requests: &[ResyncRequest]) -> Result<(), CommandError> {
    let ids: Vec<Bson> = requests.iter().map(|request| request.id.to_string().into()).collect();
    let refused = doc! {"_id": {"$in": ids}, "refused": {"$type": "string"}};
    let collection = requests::waiting(sides.documents.source());
    let found = answered(collection.find(refused.clone()).into_future()).await?;
    let found: Vec<ResyncRequest> = answers(found).try_collect().await?;
    let Some(why) = found.into_iter().find_map(|request| request.refused) else { return Ok(()) };
    answered(collection.delete_many(refused).into_future()).await?;
    Err(CommandError::Refused(format!("the producer does not relay the documents anew: {why}")))
}
