//! `local test-cdc`: a few documents in, found, changed, gone; against the running stack.

mod progress;
mod sample;
mod search;

use std::time::Duration;

use mongodb::bson::doc;
use mongodb::{Client, Database};
use tokio::signal::unix::{SignalKind, signal};

use self::progress::Step;
use self::sample::{Sample, samples};
use self::search::Search;
use super::{Settings, StackError, env_file};

/// A step that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// Ok only if each sample was found after its insert, found with its new text after its update, and not found after its delete. Its own documents
/// are deleted at the end in any case, also on Ctrl-C; no other document is touched.
pub async fn test_cdc(settings: &Settings) -> Result<(), StackError> {
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    let variables = env_file::read(&layout)?;
    let setting = |name: &str| variables.get(name).cloned().ok_or(StackError::NotRunning);
    let client = Box::pin(Client::with_uri_str(setting("MONGODB_URI")?)).await?;
    let database = client.database(&setting("MONGODB_DATABASE")?);
    let search = Search::new(layout.program("retrieval"), variables.clone());

    let mut samples = samples();
    let outcome = tokio::select! {
        outcome = Box::pin(all_steps(&database, &search, &mut samples)) => outcome,
        () = interrupted() => Err(StackError::Interrupted),
    };
    let cleaned = Box::pin(delete(&database, &samples)).await;
    outcome.and(cleaned)
}

async fn all_steps(database: &Database, search: &Search, samples: &mut [Sample]) -> Result<(), StackError> {
    let step = Step::begin("insert");
    for sample in samples.iter() {
        database.collection(sample.collection).insert_one(sample.document()).await?;
    }
    for sample in samples.iter().filter(|sample| sample.is_searchable()) {
        step.until(LIMIT, &format!("{} {} found", sample.collection, sample.id), || search.finds(sample)).await?;
    }

    let before = samples.to_vec();
    samples.iter_mut().for_each(Sample::change);
    let step = Step::begin("update");
    for sample in samples.iter() {
        database
            .collection::<mongodb::bson::Document>(sample.collection)
            .update_one(doc! { "_id": sample.id }, doc! { "$set": sample.fields() })
            .await?;
    }
    for (sample, old) in samples.iter().zip(&before).filter(|(sample, _)| sample.is_searchable()) {
        step.until(LIMIT, &format!("{} {} found with its new text", sample.collection, sample.id), || {
            search.finds(sample)
        })
        .await?;
        step.until(LIMIT, &format!("{} {} not found with its old text", sample.collection, sample.id), || {
            search.lacks_text(old)
        })
        .await?;
    }

    let step = Step::begin("delete");
    Box::pin(delete(database, samples)).await?;
    for sample in samples.iter().filter(|sample| sample.is_searchable()) {
        step.until(LIMIT, &format!("{} {} not found", sample.collection, sample.id), || search.lacks(sample)).await?;
    }
    Ok(())
}

/// By `_id`, so nothing else is ever hit; what is gone already is no fault.
async fn delete(database: &Database, samples: &[Sample]) -> Result<(), StackError> {
    for sample in samples {
        database.collection::<mongodb::bson::Document>(sample.collection).delete_one(doc! { "_id": sample.id }).await?;
    }
    Ok(())
}

async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
