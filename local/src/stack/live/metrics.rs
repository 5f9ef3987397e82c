//! What producer and consumer say of themselves in `/metrics`. Their names stand here once; `tests/tests/suite/observe.rs` holds them against what running
//! programs show.

use std::collections::BTreeMap;

use super::exposition::Exposition;

const RELAYED: &str = "twin_producer_events_relayed_total";
const CONFIRMED: &str = "twin_producer_events_confirmed_total";
const IN_FLIGHT: &str = "twin_producer_in_flight";
const LAG: &str = "twin_producer_lag_seconds";
const SNAPSHOT_ROWS: &str = "twin_producer_snapshot_rows_total";
const SNAPSHOT_EXPECTED: &str = "twin_producer_snapshot_rows_estimated";

const APPLIED: &str = "twin_consumer_changes_total";
const EMBEDDED: &str = "twin_consumer_chunks_embedded_total";
const UNACKED: &str = "twin_consumer_deliveries_unacked";
const AGE: &str = "twin_consumer_event_age_seconds";
const DEAD_LETTERS: &str = "twin_consumer_dead_letters_total";

/// Of the producer; None is what it does not show (yet).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProducerMetrics {
    /// Messages read from MongoDB since its start.
    pub(super) relayed: Option<f64>,
    /// Messages that the broker confirmed since its start.
    pub(super) confirmed: Option<f64>,
    /// Messages not yet confirmed.
    pub(super) in_flight: Option<f64>,
    /// From a change to its confirmation.
    pub(super) lag: Quantiles,
    /// By type.
    pub(super) snapshots: BTreeMap<String, SnapshotRows>,
}

/// Of one type since the producer's start.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct SnapshotRows {
    /// Rows that the broker confirmed, of all snapshots together.
    pub(super) relayed: f64,
    /// Rows that the last snapshot is expected to have, where that is known.
    pub(super) expected: Option<f64>,
}

/// Of the consumer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConsumerMetrics {
    /// Changes written, or found to be old, since its start; they are acknowledged next.
    pub(super) applied: Option<f64>,
    /// Texts given to the model since its start.
    pub(super) embedded: Option<f64>,
    /// Deliveries taken and not yet acknowledged.
    pub(super) unacked: Option<f64>,
    /// From a change to its acknowledgement.
    pub(super) age: Quantiles,
    /// Messages that could not be applied since its start, by reason.
    pub(super) dead_letters: BTreeMap<String, f64>,
}

/// Seconds, of the last minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantiles {
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

impl SnapshotRows {
    /// Whether there was nothing to relay.
    pub(super) fn is_empty(&self) -> bool {
        self.relayed == 0.0 && self.expected == Some(0.0)
    }
}

impl From<&Exposition> for ProducerMetrics {
    fn from(shown: &Exposition) -> Self {
        let mut snapshots: BTreeMap<String, SnapshotRows> = BTreeMap::new();
        for (document_type, rows) in shown.by(SNAPSHOT_ROWS, "type") {
            snapshots.entry(document_type.to_owned()).or_default().relayed = rows;
        }
        for (document_type, rows) in shown.by(SNAPSHOT_EXPECTED, "type") {
            snapshots.entry(document_type.to_owned()).or_default().expected = rows.is_finite().then_some(rows);
        }
        Self {
            relayed: shown.value(RELAYED),
            confirmed: shown.value(CONFIRMED),
            in_flight: shown.value(IN_FLIGHT),
            lag: Quantiles::of(shown, LAG),
            snapshots,
        }
    }
}

impl From<&Exposition> for ConsumerMetrics {
    fn from(shown: &Exposition) -> Self {
        Self {
            applied: shown.value(APPLIED),
            embedded: shown.value(EMBEDDED),
            unacked: shown.value(UNACKED),
            age: Quantiles::of(shown, AGE),
            dead_letters: shown.by(DEAD_LETTERS, "reason").map(|(reason, count)| (reason.to_owned(), count)).collect(),
        }
    }
}

impl Quantiles {
    fn of(shown: &Exposition, name: &str) -> Self {
        // The exporter says 0 where nothing came within its minute.
        let quantile = |wanted| {
            shown.by(name, "quantile").find(|(quantile, _)| *quantile == wanted).map(|(_, s)| s).filter(|s| *s > 0.0)
        };
        Self { p50: quantile("0.5"), p99: quantile("0.99") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_minute_has_no_quantiles() {
        let shown = format!("{LAG}{{quantile=\"0.5\"}} 0\n{LAG}{{quantile=\"0.99\"}} 0\n{LAG}_count 9\n");
        let metrics = ProducerMetrics::from(&Exposition::parse(&shown).unwrap());
        assert_eq!(metrics.lag, Quantiles { p50: None, p99: None });
        assert_eq!(metrics.relayed, None, "it is not shown");
    }

    #[test]
    fn a_snapshot_whose_size_is_unknown_is_counted() {
        let shown = format!("{SNAPSHOT_ROWS}{{type=\"posts\"}} 5\n{SNAPSHOT_EXPECTED}{{type=\"posts\"}} NaN\n");
        let metrics = ProducerMetrics::from(&Exposition::parse(&shown).unwrap());
        assert_eq!(metrics.snapshots["posts"], SnapshotRows { relayed: 5.0, expected: None });
    }
}
