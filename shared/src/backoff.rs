//! How long to wait before trying again: the one schedule of the workspace.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Waits that grow from 100 ms to 5 s, with jitter, for ever. Make a new one after a success.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let schedule = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times();
        Self(schedule.build())
    }
}

impl Backoff {
    /// Waits for the next interval.
    pub async fn wait(&mut self) {
        // Never empty: the schedule has no last attempt.
        tokio::time::sleep(self.0.next().unwrap_or(Duration::from_secs(5))).await;
    }
}
