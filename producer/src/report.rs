//! What a person can see of the relay from outside, and the reset.

use std::fmt::Display;
use std::io::{Write, stdout};
use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use indicatif::{HumanCount, HumanDuration};
use mongodb::Collection;
use shared::Output;
use shared::settings::MongoDbSettings;

use crate::checkpoint::{self, StoredCheckpoint};
use crate::error::ProducerError;
use crate::extended_json;
use crate::oplog::OplogWindow;
use crate::position::Position;
use crate::server::answer;
use crate::snapshot::Snapshot;
use crate::snapshot_report::Pace;
use source::Source;

/// A line for whoever reads along; the work does not end with the reader.
pub fn say(line: impl Display) {
    if let Err(error) = writeln!(Output::of(stdout()), "{line}") {
        tracing::warn!(%error, "not said");
    }
}

/// Checkpoint, lease, snapshot and what is left of the oplog, one line each.
///
/// # Errors
/// MongoDB cannot be reached.
pub async fn status(settings: &MongoDbSettings) -> Result<String, ProducerError> {
    let source = Source::new(settings, "producer").await?;
    let stored = checkpoint::read(&source).await?;
    let lease = lease(&source).await?;
    let oplog = OplogWindow::read(&source).await?;
    let stored = stored.as_ref();
    let (age, holder, snapshot, oplog) =
        (age(stored), holder(lease.as_ref()), snapshot(stored), reserve(oplog, stored));
    Ok(format!("checkpoint: {age}\nlease:      {holder}\nsnapshot:   {snapshot}\noplog:      {oplog}"))
}

/// The checkpoint as JSON.
///
/// # Errors
/// MongoDB cannot be reached.
pub async fn show_checkpoint(settings: &MongoDbSettings) -> Result<String, ProducerError> {
    let source = Source::new(settings, "producer").await?;
    let checkpoints: Collection<Document> = source.records("checkpoints");
    let stored = answer(checkpoints.find_one(doc! {"_id": source.name()}).into_future()).await?;
    Ok(stored.map_or("no checkpoint".into(), |stored| format!("{:#}", extended_json::value(Bson::Document(stored)))))
}

/// Removes the checkpoint, so that the next run relays everything anew. Refused while a producer is at work, unless
/// by `force`: then that producer stops and begins again.
///
/// # Errors
/// MongoDB cannot be reached, or a producer is at work.
pub async fn reset_checkpoint(settings: &MongoDbSettings, force: bool) -> Result<String, ProducerError> {
    let source = Source::new(settings, "producer").await?;
    if !force && let Some(holder) = at_work(&source).await? {
        return Err(ProducerError::AtWork(holder));
    }
    let there_was = checkpoint::reset(&source).await?;
    Ok(if there_was { "checkpoint removed; the next run relays everything anew" } else { "there was no checkpoint" }
        .into())
}

/// The producer at work, if there is one.
pub(crate) async fn at_work(source: &Source) -> Result<Option<String>, ProducerError> {
    let held = lease(source).await?.filter(|lease| lease.left > Duration::ZERO);
    Ok(held.map(|lease| lease.holder))
}

struct LeaseState {
    holder: String,
    epoch: i64,
    left: Duration,
}

async fn lease(source: &Source) -> Result<Option<LeaseState>, ProducerError> {
    let leases: Collection<Document> = source.records("leases");
    let left = doc! {"$project": {"holder": 1, "epoch": 1, "left": {"$subtract": ["$expires_at", "$$NOW"]}}};
    let pipeline = [doc! {"$match": {"_id": source.name()}}, left];
    let mut found = answer(leases.aggregate(pipeline).into_future()).await?;
    if !answer(found.advance()).await? {
        return Ok(None);
    }
    let lease = found.deserialize_current()?;
    Ok(Some(LeaseState {
        holder: lease.get_str("holder").unwrap_or("nobody").to_owned(),
        epoch: lease.get_i64("epoch").unwrap_or_default(),
        left: Duration::from_millis(lease.get_i64("left").unwrap_or_default().max(0).unsigned_abs()),
    }))
}

fn age(stored: Option<&StoredCheckpoint>) -> String {
    let Some(stored) = stored.filter(|stored| stored.progress.position.is_some()) else {
        return "none: the next run begins anew".into();
    };
    let Some(saved_at) = stored.saved_at else { return "of unknown age".into() };
    let age = DateTime::now().saturating_duration_since(saved_at);
    format!("{:.1} s old (epoch {})", age.as_secs_f64(), stored.epoch)
}

fn reserve(oplog: Option<OplogWindow>, stored: Option<&StoredCheckpoint>) -> String {
    let Some(oplog) = oplog else { return "this user may not read local.oplog.rs".into() };
    let span = HumanDuration(oplog.span());
    match stored.and_then(|stored| stored.progress.position.as_ref()).and_then(Position::seconds) {
        Some(seconds) => {
            format!("holds {span}, {} of it from before the checkpoint", HumanDuration(oplog.before(seconds)))
        }
        None => format!("holds {span}"),
    }
}

fn holder(lease: Option<&LeaseState>) -> String {
    match lease {
        Some(lease) if lease.left > Duration::ZERO => {
            format!("held by {} for {:.1} s more (epoch {})", lease.holder, lease.left.as_secs_f64(), lease.epoch)
        }
        Some(lease) => format!("free (last held by {}, epoch {})", lease.holder, lease.epoch),
        None => "free (never held)".into(),
    }
}

fn snapshot(stored: Option<&StoredCheckpoint>) -> String {
    let Some(progress) = stored.map(|stored| &stored.progress) else { return "none yet".into() };
    let running = progress.snapshots.iter().map(under_way);
    let requested = progress.requested.iter().map(|known| format!("{known}: requested"));
    let lines: Vec<_> = running.chain(requested).collect();
    match (lines.is_empty(), progress.snapshot_finished_at) {
        (true, Some(finished)) => format!("done at {}", extended_json::rfc3339(finished)),
        (true, None) => "none yet".into(),
        (false, _) => lines.join("; "),
    }
}

/// By the average since T0: the log of the producer at work knows the rate of the last seconds.
fn under_way(snapshot: &Snapshot) -> String {
    let rows = HumanCount(snapshot.copied.rows);
    let of = snapshot.estimated.map(|rows| format!(" of about {}", HumanCount(rows))).unwrap_or_default();
    let pace =
        Pace::of(snapshot.copied.rows, DateTime::now().saturating_duration_since(snapshot.time()), snapshot.left());
    let left = pace.left.map(|left| format!(", {} left", HumanDuration(left))).unwrap_or_default();
    format!("{}: {rows}{of} documents, {:.0}/s{left}", snapshot.document_type, pace.rate)
}
