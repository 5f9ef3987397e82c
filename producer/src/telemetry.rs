//! The relay's metrics, each named and described once.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use shared::DocumentType;

const RELAYED: &str = "twin_producer_events_relayed_total";
const CONFIRMED: &str = "twin_producer_events_confirmed_total";
const RETURNED: &str = "twin_producer_events_returned_total";
const NACKED: &str = "twin_producer_events_nacked_total";
const NULL_LOOKUPS: &str = "twin_producer_null_lookups_total";
const REOPENED: &str = "twin_producer_stream_reopened_total";
const RECONNECTED: &str = "twin_producer_broker_reconnected_total";
const IN_FLIGHT: &str = "twin_producer_in_flight";
const LAG: &str = "twin_producer_lag_seconds";
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
    describe_gauge!(IN_FLIGHT, "Messages not yet confirmed without a gap");
    describe_gauge!(LAG, "Seconds from the last confirmed change to its confirmation, by wall clocks");
    describe_gauge!(CHECKPOINT_AGE, "Seconds since the checkpoint was written");
    describe_counter!(SNAPSHOT_ROWS, "Rows of snapshots that the broker confirmed");
    describe_gauge!(SNAPSHOT_ESTIMATED, "Rows that the last snapshot of this type is expected to have");
    for name in [RELAYED, CONFIRMED, RETURNED, NACKED, NULL_LOOKUPS, REOPENED, RECONNECTED] {
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

pub(crate) fn in_flight(messages: usize) {
    gauge!(IN_FLIGHT).set(messages as f64);
}

pub(crate) fn lag(lag: Duration) {
    gauge!(LAG).set(lag.as_secs_f64());
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
