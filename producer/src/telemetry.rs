//! The relay's metrics, each named and described once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bson::DateTime;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use shared::DocumentType;

const RELAYED: &str = "twin_producer_events_relayed_total";
const CONFIRMED: &str = "twin_producer_events_confirmed_total";
const RETURNED: &str = "twin_producer_events_returned_total";
const NACKED: &str = "twin_producer_events_nacked_total";
const NULL_LOOKUPS: &str = "twin_producer_null_lookups_total";
const REOPENED: &str = "twin_producer_stream_reopened_total";
const RECONNECTED: &str = "twin_producer_broker_reconnected_total";
const GAPS: &str = "twin_producer_gaps_total";
const IN_FLIGHT: &str = "twin_producer_in_flight";
const LAG: &str = "twin_producer_lag_seconds";
const IN_FLIGHT_BYTES: &str = "twin_producer_in_flight_bytes";
const BLOCKED: &str = "twin_producer_blocked";
const BLOCKED_SECONDS: &str = "twin_producer_blocked_seconds_total";
const TOKEN_AGE: &str = "twin_producer_token_age_seconds";
const OPLOG_WINDOW: &str = "twin_producer_oplog_window_seconds";
const OPLOG_REMAINING: &str = "twin_producer_oplog_remaining_seconds";
const CHECKPOINT_AGE: &str = "twin_producer_checkpoint_age_seconds";
const SNAPSHOT_ROWS: &str = "twin_producer_snapshot_rows_total";
const SNAPSHOT_ESTIMATED: &str = "twin_producer_snapshot_rows_estimated";

/// Describes the metrics; call once the recorder is there.
pub(crate) fn describe() {
    describe_counter!(RELAYED, "Messages read from MongoDB and taken for publishing");
    describe_counter!(CONFIRMED, "Messages that the broker confirmed");
    describe_counter!(RETURNED, "Messages that no queue took: the checkpoint is frozen until one does");
    describe_counter!(NACKED, "Messages that the broker could not store");
    describe_counter!(NULL_LOOKUPS, "Updates whose document was gone when looked up");
    describe_counter!(REOPENED, "Times that the change stream was reopened");
    describe_counter!(RECONNECTED, "Times that the broker's connection was rebuilt");
    describe_counter!(GAPS, "Events that MongoDB could not send at all: everything was relayed anew instead");
    describe_gauge!(IN_FLIGHT, "Messages not yet confirmed without a gap");
    describe_gauge!(IN_FLIGHT_BYTES, "The same in bytes of their bodies");
    describe_histogram!(LAG, "Seconds from a change to its confirmation, by wall clocks: quantiles of the last minute");
    describe_gauge!(BLOCKED, "1 while the broker takes nothing, being short of memory or disk");
    describe_counter!(BLOCKED_SECONDS, "Seconds in which the broker took nothing for that reason");
    describe_gauge!(TOKEN_AGE, "Seconds since the time of the stored position in the stream");
    describe_gauge!(
        OPLOG_WINDOW,
        "Seconds of history that MongoDB keeps; absent where this user may not read local.oplog.rs"
    );
    describe_gauge!(OPLOG_REMAINING, "Seconds of history kept from before the stored position: at 0 changes are lost");
    describe_gauge!(CHECKPOINT_AGE, "Seconds since the checkpoint was written");
    describe_counter!(SNAPSHOT_ROWS, "Rows of snapshots that the broker confirmed");
    describe_gauge!(SNAPSHOT_ESTIMATED, "Rows that the last snapshot of this type is expected to have");
    for name in [RELAYED, CONFIRMED, RETURNED, NACKED, NULL_LOOKUPS, REOPENED, RECONNECTED, GAPS, BLOCKED_SECONDS] {
        counter!(name).absolute(0);
    }
}

pub(crate) fn relayed() {
    counter!(RELAYED).increment(1);
}

pub(crate) fn confirmed() {
    counter!(CONFIRMED).increment(1);
}

pub(crate) fn returned() {
    counter!(RETURNED).increment(1);
}

pub(crate) fn nacked() {
    counter!(NACKED).increment(1);
}

pub(crate) fn null_lookup() {
    counter!(NULL_LOOKUPS).increment(1);
}

pub(crate) fn stream_reopened() {
    counter!(REOPENED).increment(1);
}

pub(crate) fn broker_reconnected() {
    counter!(RECONNECTED).increment(1);
}

pub(crate) fn gap() {
    counter!(GAPS).increment(1);
}

pub(crate) fn in_flight(messages: usize, bytes: usize) {
    gauge!(IN_FLIGHT).set(messages as f64);
    gauge!(IN_FLIGHT_BYTES).set(bytes as f64);
}

pub(crate) fn lag(lag: Duration) {
    histogram!(LAG).record(lag.as_secs_f64());
}

/// Whether the broker takes nothing now, and for how much longer it has been so.
pub(crate) fn blocked(now: bool, longer: Duration) {
    static BLOCKED_MILLIS: AtomicU64 = AtomicU64::new(0);
    let longer = u64::try_from(longer.as_millis()).unwrap_or_default();
    let total = BLOCKED_MILLIS.fetch_add(longer, Ordering::Relaxed) + longer;
    gauge!(BLOCKED).set(if now { 1.0 } else { 0.0 });
    counter!(BLOCKED_SECONDS).absolute(total / 1000);
}

pub(crate) fn token_age(seconds: u32) {
    let token = DateTime::from_millis(i64::from(seconds) * 1000);
    gauge!(TOKEN_AGE).set(DateTime::now().saturating_duration_since(token).as_secs_f64());
}

pub(crate) fn oplog_window(span: Duration) {
    gauge!(OPLOG_WINDOW).set(span.as_secs_f64());
}

pub(crate) fn oplog_remaining(remaining: Duration) {
    gauge!(OPLOG_REMAINING).set(remaining.as_secs_f64());
}

pub(crate) fn checkpoint_age(age: Duration) {
    gauge!(CHECKPOINT_AGE).set(age.as_secs_f64());
}

pub(crate) fn snapshot_rows(document_type: DocumentType, rows: u64) {
    counter!(SNAPSHOT_ROWS, "type" => document_type.as_str()).increment(rows);
}

pub(crate) fn snapshot_estimated(document_type: DocumentType, rows: Option<u64>) {
    gauge!(SNAPSHOT_ESTIMATED, "type" => document_type.as_str()).set(rows.map_or(f64::NAN, |rows| rows as f64));
}
