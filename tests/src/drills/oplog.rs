//! A MongoDB whose history is short, and what makes it forget.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, Timestamp, doc};
use local::{MongoDb, MongoDbOptions};
use mongodb::Client;
use tokio::time::sleep;

use super::drill::Order;

/// The least that mongod accepts without complaint.
const MEGABYTES: u32 = 16;
const PIECE: usize = 64 << 10;
/// What is written between two looks at what is still remembered: little, so that not much more is forgotten than has to be.
const STEP: usize = 1 << 20;

/// A MongoDB that remembers 16 MB of changes.
///
/// # Errors
/// It does not start.
pub(super) async fn forgetful(order: &Order) -> Result<MongoDb> {
    let options = MongoDbOptions { oplog_megabytes: MEGABYTES, ..MongoDbOptions::default() };
    Ok(MongoDb::start(&order.installation, options).await?)
}

/// The oldest and the newest that is remembered.
///
/// # Errors
/// As MongoDB.
pub(super) async fn window(client: &Client) -> Result<(Timestamp, Timestamp)> {
    let oplog = client.database("local").collection::<Document>("oplog.rs");
    let mut ends = Vec::new();
    for natural in [1, -1] {
        let entry =
            oplog.find_one(doc! {}).sort(doc! { "$natural": natural }).await?.context("an oplog has entries")?;
        ends.push(entry.get_timestamp("ts")?);
    }
    Ok((ends[0], ends[1]))
}

/// Changes in a database that nobody watches, so many bytes over so long, or as fast as they go.
///
/// # Errors
/// As MongoDB.
pub(super) async fn noise(client: &Client, bytes: usize, lasting: Duration) -> Result<()> {
    let others = client.database("others").collection::<Document>("noise");
    let (since, pieces) = (Instant::now(), bytes.div_ceil(PIECE));
    for piece in 1..=pieces {
        others.insert_one(doc! { "text": "x".repeat(PIECE) }).await?;
        let due = lasting.mul_f64(piece as f64 / pieces as f64);
        sleep(due.saturating_sub(since.elapsed())).await;
    }
    Ok(())
}

/// Makes it forget everything up to a moment. The oplog is cut behind a write that follows a flush.
///
/// # Errors
/// It remembers too long.
pub(super) async fn forget(client: &Client, upto: Timestamp) -> Result<()> {
    let since = Instant::now();
    while window(client).await?.0 <= upto {
        ensure!(since.elapsed() < Duration::from_secs(120), "the oplog is not cut");
        noise(client, STEP, Duration::ZERO).await?;
        client.database("admin").run_command(doc! { "fsync": 1 }).await?;
        noise(client, PIECE, Duration::ZERO).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
