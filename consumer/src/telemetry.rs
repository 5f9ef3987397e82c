//! The consumer's metrics, each named and described once. Quantiles are of the last minute.

use std::time::{Duration, Instant};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const APPLIED: &str = "twin_consumer_changes_total";
const EMBEDDED: &str = "twin_consumer_chunks_embedded_total";
const REUSED: &str = "twin_consumer_chunks_reused_total";
const DELETED: &str = "twin_consumer_chunks_deleted_total";
const REMEMBERED: &str = "twin_consumer_cache_hits_total";
const RETRIED: &str = "twin_consumer_store_retries_total";
const TIDIED: &str = "twin_consumer_janitor_documents_total";
const ORPHANS: &str = "twin_consumer_orphans_deleted_total";
const PURGED: &str = "twin_consumer_tombstones_purged_total";
const DEAD_LETTERS: &str = "twin_consumer_dead_letters_total";
const AGE: &str = "twin_consumer_event_age_seconds";
const BATCH_DELIVERIES: &str = "twin_consumer_batch_documents";
const BATCH_CHUNKS: &str = "twin_consumer_batch_chunks";
const STAGE: &str = "twin_consumer_stage_seconds";
const PARTITIONS: &str = "twin_consumer_partitions_held";
const UNACKED: &str = "twin_consumer_deliveries_unacked";

/// Describes the metrics; call once the recorder is there.
pub(crate) fn describe() {
    describe_counter!(APPLIED, "Changes whose record is written, or that were found to be old");
    describe_counter!(EMBEDDED, "Texts that the model was given");
    describe_counter!(REUSED, "Chunks of changed documents that stayed as they were");
    describe_counter!(DELETED, "Stale chunks deleted");
    describe_counter!(
        REMEMBERED,
        "Chunks whose vector was known: from the cache, or from the points that they take the place of"
    );
    describe_counter!(RETRIED, "Requests to the store that failed and were repeated");
    describe_counter!(TIDIED, "Documents that the janitor looked at");
    describe_counter!(ORPHANS, "Chunks that no record listed, deleted by the janitor");
    describe_counter!(PURGED, "Tombstones that were old enough to go");
    describe_counter!(DEAD_LETTERS, "Messages that could not be applied, by reason");
    describe_histogram!(AGE, "Seconds from a change in MongoDB to its acknowledgement, by wall clocks");
    describe_histogram!(BATCH_DELIVERIES, "Deliveries in a batch");
    describe_histogram!(BATCH_CHUNKS, "New chunks of a batch");
    describe_histogram!(STAGE, "Seconds that a batch, or a part of it, was in a stage");
    describe_gauge!(PARTITIONS, "Partitions that have delivered to this instance since it subscribed to them");
    describe_gauge!(UNACKED, "Deliveries taken and not yet acknowledged");
    for name in [APPLIED, EMBEDDED, REUSED, DELETED, REMEMBERED, RETRIED, TIDIED, ORPHANS, PURGED] {
        counter!(name).absolute(0);
    }
    for name in [PARTITIONS, UNACKED] {
        gauge!(name).set(0.0);
    }
}

pub(crate) fn applied(changes: usize) {
    counter!(APPLIED).increment(changes as u64);
}

pub(crate) fn embedded(texts: usize) {
    counter!(EMBEDDED).increment(texts as u64);
}

pub(crate) fn remembered(chunks: usize) {
    counter!(REMEMBERED).increment(chunks as u64);
}

pub(crate) fn reused(chunks: usize) {
    counter!(REUSED).increment(chunks as u64);
}

pub(crate) fn deleted(chunks: usize) {
    counter!(DELETED).increment(chunks as u64);
}

pub(crate) fn retried() {
    counter!(RETRIED).increment(1);
}

pub(crate) fn tidied(documents: usize, orphans: usize) {
    counter!(TIDIED).increment(documents as u64);
    counter!(ORPHANS).increment(orphans as u64);
}

pub(crate) fn purged(tombstones: usize) {
    counter!(PURGED).increment(tombstones as u64);
}

pub(crate) fn dead_letter(reason: &'static str) {
    counter!(DEAD_LETTERS, "reason" => reason).increment(1);
}

pub(crate) fn age(age: Duration) {
    histogram!(AGE).record(age);
}

pub(crate) fn batch(deliveries: u64) {
    histogram!(BATCH_DELIVERIES).record(deliveries as f64);
}

pub(crate) fn batch_chunks(chunks: usize) {
    histogram!(BATCH_CHUNKS).record(chunks as f64);
}

pub(crate) fn partitions(held: usize) {
    gauge!(PARTITIONS).set(held as f64);
}

pub(crate) fn unacked(deliveries: u64) {
    gauge!(UNACKED).set(deliveries as f64);
}

/// A stage that lasts until this is dropped. Which one begins is also told to the log: faults are aimed by it.
pub(crate) struct Stage {
    name: &'static str,
    since: Instant,
}

pub(crate) fn stage(name: &'static str) -> Stage {
    tracing::trace!(target: "stage", "{name}");
    timed(name)
}

/// The same for a part of a stage, which is told to nobody.
pub(crate) fn timed(name: &'static str) -> Stage {
    Stage { name, since: Instant::now() }
}

impl Drop for Stage {
    fn drop(&mut self) {
        histogram!(STAGE, "stage" => self.name).record(self.since.elapsed());
    }
}
