//! Waiting within a deadline.

use std::time::{Duration, Instant};

/// Longest wait for anything: generous, since other builds share the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
