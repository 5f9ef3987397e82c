//! The index held against MongoDB, for drills with a consumer. Every document bears a `mark` that stands in its text too.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bson::Document;
use futures_util::TryStreamExt;
use local::Qdrant;
use tokio::time::sleep;

use super::site::Site;
use crate::audit::{Audit, audit, identity};

/// Waits until MongoDB, manifests and chunks are equal, and the texts those that stand.
///
/// # Errors
/// The last difference.
pub(super) async fn equal(site: &Site, qdrant: &Qdrant, patience: Duration) -> Result<Audit> {
    let since = Instant::now();
    let store = qdrant_client::Qdrant::from_url(qdrant.uri()).skip_compatibility_check().build()?;
    loop {
        match compare(site, &store).await {
            Ok(audit) => return Ok(audit),
            Err(difference) if since.elapsed() > patience => bail!("not within {patience:?}: {difference:#}"),
            Err(_) => sleep(Duration::from_millis(500)).await,
        }
    }
}

async fn compare(site: &Site, store: &qdrant_client::Qdrant) -> Result<Audit> {
    let audit = audit(&site.database, store).await?;
    audit.equal()?;
    for collection in ["articles", "posts", "repositories"] {
        let mut documents = site.database.collection::<Document>(collection).find(bson::doc! {}).await?;
        while let Some(document) = documents.try_next().await? {
            let key = format!("{collection}/{}", identity(document.get("_id").context("_id")?)?);
            let mark = document.get_str("mark")?;
            // It came after the audit otherwise.
            let manifest = audit.live.get(&key).with_context(|| format!("{key}: no manifest"))?;
            let text = manifest["cleaned_text"].as_str().unwrap_or_default();
            ensure!(text.contains(mark), "{key}: {mark} is not in its manifest's text");
        }
    }
    Ok(audit)
}

/// What an audit that found everything equal saw.
pub(super) fn seen(audit: &Audit) -> String {
    let (live, gone, chunks) = (audit.live.len(), audit.tombstones.len(), audit.chunks.len());
    format!("{live} documents, {gone} tombstones, {chunks} chunks, 0 orphans")
}
