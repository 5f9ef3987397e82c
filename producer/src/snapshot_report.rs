//! How far the snapshots have come: in the log and in the metrics.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::{Snapshot, SnapshotKey};
use crate::telemetry;
use crate::window::Mark;

/// How often the log tells of a snapshot.
const PACE: Duration = Duration::from_secs(10);

/// Counts the rows that are relayed.
#[derive(Debug)]
pub(crate) struct SnapshotReport {
    counts: HashMap<SnapshotKey, Count>,
    told: Instant,
}

#[derive(Debug)]
struct Count {
    rows: u64,
    /// So many when the log last told of it.
    told: u64,
    since: Instant,
}

/// Documents a second, and how long the rest takes.
#[derive(Debug, PartialEq)]
pub(crate) struct Pace {
    pub(crate) rate: f64,
    pub(crate) left: Option<Duration>,
}

impl Pace {
    /// From so many rows in that time, and what is left of what was estimated.
    pub(crate) fn of(rows: u64, time: Duration, left: Option<u64>) -> Self {
        let rate = rows as f64 / time.as_secs_f64().max(0.001);
        let left = left.filter(|_| rows > 0).map(|left| Duration::from_secs_f64((left as f64 / rate).min(1e9)));
        Self { rate, left }
    }
}

impl SnapshotReport {
    /// Of these snapshots, whose rows so far were counted by another.
    pub(crate) fn new(snapshots: &[Snapshot]) -> Self {
        let mut report = Self { counts: HashMap::new(), told: Instant::now() };
        report.begin(snapshots);
        report
    }

    /// These begin here.
    pub(crate) fn begin(&mut self, snapshots: &[Snapshot]) {
        for snapshot in snapshots {
            telemetry::snapshot_estimated(snapshot.document_type, snapshot.estimated);
            let rows = snapshot.copied.rows;
            let count = Count { rows, told: rows, since: Instant::now() };
            self.counts.insert(snapshot.key(), count);
        }
    }

    /// Takes notice of what is relayed.
    pub(crate) fn observe(&mut self, mark: &Mark) {
        match mark {
            Mark::Copied { key, copied, .. } => {
                if let Some(count) = self.counts.get_mut(key) {
                    telemetry::snapshot_rows(key.1, copied.rows.saturating_sub(count.rows));
                    count.rows = copied.rows;
                }
            }
            Mark::Finished(key) => {
                if let Some(count) = self.counts.remove(key) {
                    let seconds = count.since.elapsed().as_secs_f64();
                    tracing::info!(collection = %key.1, rows = count.rows, seconds, "snapshot relayed");
                }
            }
            Mark::Reached(_) | Mark::Requested(_) | Mark::Voided(..) => {}
        }
    }

    /// A line for each snapshot, when one is due.
    pub(crate) fn tell(&mut self, snapshots: &[Snapshot]) {
        let passed = self.told.elapsed();
        if passed < PACE {
            return;
        }
        self.told = Instant::now();
        self.counts.retain(|key, _| snapshots.iter().any(|snapshot| snapshot.key() == *key));
        for snapshot in snapshots {
            let Some(count) = self.counts.get_mut(&snapshot.key()) else { continue };
            let time = passed.min(count.since.elapsed());
            let pace = Pace::of(count.rows - count.told, time, snapshot.left());
            count.told = count.rows;
            tracing::info!(
                collection = %snapshot.document_type,
                rows = count.rows,
                estimated = snapshot.estimated,
                rows_per_second = pace.rate.round(),
                seconds_left = pace.left.map(|left| left.as_secs()),
                "snapshot under way"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_rate() {
        let pace = Pace::of(1000, Duration::from_secs(10), Some(500));
        assert_eq!(pace, Pace { rate: 100.0, left: Some(Duration::from_secs(5)) });
        assert_eq!(Pace::of(0, Duration::from_secs(10), Some(500)).left, None, "who knows");
        assert_eq!(Pace::of(9, Duration::from_secs(1), None).left, None);
    }
}
