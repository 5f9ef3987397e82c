//! How long to wait before trying again: the one schedule of the workspace.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use crate::shutdown::CancellationToken;

/// No wait is longer: a server that is back is not left waiting for us.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that grow from 100 ms to 5 s, with jitter, for ever. Make a new one after a success.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let schedule = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            // Jitter adds up to as much again.
            .with_max_delay(LONGEST / 2)
            .with_jitter()
            .without_max_times();
        Self(schedule.build())
    }
}

impl Backoff {
    /// Waits for the next interval.
    pub async fn wait(&mut self) {
        sleep(self.interval()).await;
    }

    /// Waits before what began at `begun` and has ended is begun again, or until shutdown. Where it held for longer
    /// than `lasting` it was a success: the wait is short again.
    pub async fn wait_after(&mut self, begun: Instant, lasting: Duration, shutdown: &CancellationToken) {
        if begun.elapsed() > lasting {
            *self = Self::default();
        }
        tokio::select! { () = shutdown.cancelled() => {}, () = self.wait() => {} }
    }

    fn interval(&mut self) -> Duration {
        // Never empty: the schedule has no last attempt.
        self.0.next().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTING: Duration = Duration::from_millis(1);

    /// The interval after a long row of them and something that began at `begun`.
    async fn next_interval(begun: Instant) -> Duration {
        let (mut backoff, shutdown) = (Backoff::default(), CancellationToken::new());
        for _ in 0..10 {
            backoff.interval();
        }
        shutdown.cancel();
        backoff.wait_after(begun, LASTING, &shutdown).await;
        backoff.interval()
    }

    /// The broker's return is noticed within the 10 s that a drill allows.
    #[test]
    fn no_wait_is_longer_than_5_s() {
        let mut backoff = Backoff::default();
        assert!((0..1000).all(|_| backoff.interval() <= LONGEST));
    }

    #[tokio::test]
    async fn the_wait_is_short_again_after_what_lasted() {
        let ahead = Instant::now() + Duration::from_secs(60);
        assert!(next_interval(ahead).await >= LONGEST / 2);
        assert!(next_interval(Instant::now() - 2 * LASTING).await < Duration::from_secs(1));
    }
}
