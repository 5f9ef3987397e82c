//! The audit: MongoDB against manifests against chunks, by plain reads of each side.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use bson::{Bson, Document};
use futures_util::TryStreamExt;
use mongodb::Database;
use qdrant_client::Payload;
use qdrant_client::qdrant::{RetrievedPoint, ScrollPointsBuilder, point_id::PointIdOptions};
use serde_json::Value;

/// What a world holds.
#[derive(Debug, Default)]
pub struct Audit {
    /// `type/id_kind/entry_id` of every document in MongoDB, users left out.
    pub documents: BTreeSet<String>,
    /// Live manifests by `type/id_kind/entry_id`.
    pub live: BTreeMap<String, Value>,
    /// Tombstones by `type/id_kind/entry_id`.
    pub tombstones: BTreeMap<String, Value>,
    /// Ids of all chunk points, with their payloads.
    pub chunks: BTreeMap<String, Value>,
}

impl Audit {
    /// Whether the index equals the source: every document has a live manifest and no other has, and the chunks are
    /// exactly those that live manifests list.
    ///
    /// # Errors
    /// The first difference.
    pub fn equal(&self) -> Result<()> {
        let live: BTreeSet<String> = self.live.keys().cloned().collect();
        let missing: Vec<_> = self.documents.difference(&live).collect();
        ensure!(missing.is_empty(), "{} documents without a live manifest: {missing:?}", missing.len());
        let surplus: Vec<_> = live.difference(&self.documents).collect();
        ensure!(surplus.is_empty(), "{} live manifests without a document: {surplus:?}", surplus.len());
        let listed: BTreeSet<&str> = self.live.values().flat_map(listed).collect();
        let held: BTreeSet<&str> = self.chunks.keys().map(String::as_str).collect();
        let lost: Vec<_> = listed.difference(&held).collect();
        ensure!(lost.is_empty(), "{} listed chunks are gone: {lost:?}", lost.len());
        let orphans: Vec<_> = held.difference(&listed).collect();
        ensure!(orphans.is_empty(), "{} orphaned chunks: {orphans:?}", orphans.len());
        Ok(())
    }
}

fn listed(manifest: &Value) -> impl Iterator<Item = &str> {
    manifest["chunk_ids"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Reads all three sides.
///
/// # Errors
/// A server does not answer, or a point is not as the contract says.
pub async fn audit(database: &Database, qdrant: &qdrant_client::Qdrant) -> Result<Audit> {
    let mut audit = Audit { documents: documents(database).await?, ..Audit::default() };
    for (_, manifest) in points(qdrant, "twin_documents").await? {
        let [Some(document_type), Some(id_kind), Some(entry_id)] =
            ["type", "id_kind", "entry_id"].map(|field| manifest[field].as_str())
        else {
            continue; // meta points
        };
        let key = format!("{document_type}/{id_kind}/{entry_id}");
        let kind = if manifest["deleted"].as_bool().context("`deleted` is always there")? {
            &mut audit.tombstones
        } else {
            &mut audit.live
        };
        ensure!(kind.insert(key.clone(), manifest).is_none(), "two manifests of {key}");
    }
    audit.chunks = points(qdrant, "twin_chunks").await?;
    Ok(audit)
}

async fn documents(database: &Database) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for collection in ["articles", "posts", "repositories"] {
        let mut documents = database.collection::<Document>(collection).find(bson::doc! {}).await?;
        while let Some(document) = documents.try_next().await? {
            keys.insert(format!("{collection}/{}", identity(document.get("_id").context("_id")?)?));
        }
    }
    Ok(keys)
}

/// `kind/entry_id` of an `_id`, as the contract writes both.
pub(crate) fn identity(id: &Bson) -> Result<String> {
    Ok(match id {
        Bson::ObjectId(id) => format!("oid/{}", id.to_hex()),
        Bson::String(id) => format!("str/{id}"),
        Bson::Int32(id) => format!("int/{id}"),
        Bson::Int64(id) => format!("int/{id}"),
        Bson::Double(id) => format!("int/{}", *id as i64),
        Bson::Binary(id) => format!("uuid/{}", uuid::Uuid::from_slice(&id.bytes)?),
        other => anyhow::bail!("no identity: {other}"),
    })
}

async fn points(qdrant: &qdrant_client::Qdrant, collection: &str) -> Result<BTreeMap<String, Value>> {
    let (mut points, mut from) = (BTreeMap::new(), None);
    loop {
        let mut scroll = ScrollPointsBuilder::new(collection).limit(512).with_payload(true);
        if let Some(offset) = from {
            scroll = scroll.offset::<qdrant_client::qdrant::PointId>(offset);
        }
        let page = qdrant.scroll(scroll).await?;
        for point in page.result {
            points.insert(id(&point)?, Value::from(Payload::from(point.payload)));
        }
        from = page.next_page_offset;
        if from.is_none() {
            return Ok(points);
        }
    }
}

fn id(point: &RetrievedPoint) -> Result<String> {
    match point.id.as_ref().and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Uuid(id)) => Ok(id.clone()),
        other => anyhow::bail!("an id that is no UUID: {other:?}"),
    }
}
