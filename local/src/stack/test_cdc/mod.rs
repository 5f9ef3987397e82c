//! `local test-cdc`: a few documents in, found, changed, gone; against the running stack.

mod progress;
mod sample;
mod search;

use std::time::Duration;

use futures_util::future::try_join_all;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};
use tokio::signal::unix::{SignalKind, signal};

use self::progress::Step;
use self::sample::{Sample, samples};
use self::search::Search;
use super::contained::Contained;
use super::settings::built;
use super::{Settings, StackError, env_file};

/// A step that takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// Ok only if each sample was found after its insert, found only as it is now after its update, and not found after its delete. Its own documents
/// are deleted at the end in any case, also on Ctrl-C; no other document is touched.
pub async fn test_cdc(settings: &Settings) -> Result<(), StackError> {
    if let Some(contained) = Contained::started(settings).await? {
        return contained.test_cdc().await;
    }
    let (variables, program) = match settings.existing()? {
        Some(layout) => (env_file::read(&layout)?, layout.program("retrieval")),
        // In a container: the settings are the environment's, and the programs lie beside this one.
        None => (std::env::vars().collect(), built("retrieval").map_err(StackError::io("retrieval"))?),
    };
    let setting = |name: &str| variables.get(name).cloned().ok_or(StackError::NotRunning);
    let client = Box::pin(Client::with_uri_str(setting("MONGODB_URI")?)).await?;
    let database = client.database(variables.get("MONGODB_DATABASE").map_or("twin", String::as_str));
    let search = Search::new(program, variables.clone());

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
    try_join_all(samples.iter().map(|sample| step.until(LIMIT, sample, "found", || search.finds(sample)))).await?;

    let before = samples.to_vec();
    samples.iter_mut().for_each(Sample::change);
    let step = Step::begin("update");
    for sample in samples.iter() {
        let documents = database.collection::<Document>(sample.collection);
        documents.update_one(doc! { "_id": sample.id }, doc! { "$set": sample.fields() }).await?;
    }
    let new = samples.iter().map(|sample| step.until(LIMIT, sample, "found as it is now", || search.finds(sample)));
    try_join_all(new).await?;
    let old = before.iter().map(|sample| step.until(LIMIT, sample, "not found as it was", || search.misses(sample)));
    try_join_all(old).await?;

    // The author goes first: afterwards nobody could tell by a search whether the name is forgotten.
    for gone in samples.chunk_by(|one, other| one.is_author() == other.is_author()) {
        let step = Step::begin("delete");
        Box::pin(delete(database, gone)).await?;
        try_join_all(gone.iter().map(|sample| step.until(LIMIT, sample, "not found", || search.forgets(sample))))
            .await?;
    }
    Ok(())
}

/// By `_id`, so nothing else is ever hit; what is gone already is no fault.
async fn delete(database: &Database, samples: &[Sample]) -> Result<(), StackError> {
    for sample in samples {
        database.collection::<Document>(sample.collection).delete_one(doc! { "_id": sample.id }).await?;
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
