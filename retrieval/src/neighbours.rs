//! What stands before and after a hit in its document.

use std::collections::HashMap;

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{GetPointsBuilder, PointId};
use shared::index::{Index, uuid_of};
use shared::{ChunkPayload, Record};
use uuid::Uuid;

use crate::error::SearchError;
use crate::hit::Hit;
use crate::qdrant_store::listings;
use crate::store::Listing;

/// Adds each hit's neighbours: one read of the manifests, one of the chunks.
pub(crate) async fn expand(qdrant: &Qdrant, index: &Index, hits: &mut [Hit], reach: usize) -> Result<(), SearchError> {
    let documents: Vec<Uuid> = hits.iter().map(|hit| hit.chunk.identity.manifest_id()).collect();
    let listings = listings(qdrant, index, &documents).await?;
    let around: Vec<[Vec<Uuid>; 2]> = hits.iter().map(|hit| around(hit, &listings, reach)).collect();
    let wanted: Vec<PointId> = around.iter().flatten().flatten().map(|id| PointId::from(*id)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let points = qdrant.get_points(GetPointsBuilder::new(&index.chunks, wanted).with_payload(true)).await?.result;
    let chunks: HashMap<Uuid, ChunkPayload> = points
        .into_iter()
        .filter_map(|point| Some((uuid_of(point.id.as_ref()?)?, ChunkPayload::from_payload(point.payload).ok()?)))
        .collect();
    for (hit, [before, after]) in hits.iter_mut().zip(around) {
        // Up to the first that is missing: what is shown is continuous.
        let read = |id: &Uuid| chunks.get(id).cloned();
        hit.before = before.iter().rev().map_while(read).collect();
        hit.before.reverse();
        hit.after = after.iter().map_while(read).collect();
    }
    Ok(())
}

/// Ids before and after the hit, in the document's order. None where the document is of another revision by now.
fn around(hit: &Hit, listings: &HashMap<Uuid, Listing>, reach: usize) -> [Vec<Uuid>; 2] {
    let listing = listings.get(&hit.chunk.identity.manifest_id());
    let same = listing.filter(|listing| {
        listing.revision == hit.revision && listing.chunk_ids.get(hit.position) == Some(&hit.chunk_id)
    });
    let Some(Listing { chunk_ids, .. }) = same else { return [Vec::new(), Vec::new()] };
    let (from, to) = (hit.position.saturating_sub(reach), (hit.position + 1 + reach).min(chunk_ids.len()));
    [chunk_ids[from..hit.position].to_vec(), chunk_ids[hit.position + 1..to].to_vec()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{chunk_id, hit};

    const NOBODY: [Vec<Uuid>; 2] = [Vec::new(), Vec::new()];

    #[test]
    fn neighbours_are_of_the_hits_own_revision() {
        let found = hit("a", 1, "text");
        let chunk_ids: Vec<Uuid> = (0..4).map(|at| chunk_id("a", at)).collect();
        let listing = Listing { revision: found.revision, deleted: false, chunk_ids: chunk_ids.clone() };
        let document = found.chunk.identity.manifest_id();
        let of = |listing: Listing, reach| around(&found, &HashMap::from([(document, listing)]), reach);
        assert_eq!(of(listing.clone(), 1), [vec![chunk_ids[0]], vec![chunk_ids[2]]]);
        assert_eq!(of(listing.clone(), 9), [vec![chunk_ids[0]], vec![chunk_ids[2], chunk_ids[3]]]);
        let newer = Listing { revision: (found.revision.get() + 1).into(), ..listing };
        assert_eq!(of(newer, 1), NOBODY);
        assert_eq!(around(&found, &HashMap::new(), 1), NOBODY);
    }
}
