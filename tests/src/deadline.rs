//! Waiting for something to become true, within a deadline.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine with two cores; no test waits as long unless it fails.
const DEADLINE: Duration = Duration::from_secs(90);

/// Tries until `attempt` succeeds.
///
/// # Panics
/// At the deadline, with the last failure.
pub async fn eventually<T, E: Display, F: Future<Output = Result<T, E>>>(what: &str, attempt: impl FnMut() -> F) -> T {
    eventually_within(DEADLINE, what, attempt).await
}

/// As [`eventually`], with a deadline of its own.
///
/// # Panics
/// At the deadline, with the last failure.
pub async fn eventually_within<T, E: Display, F: Future<Output = Result<T, E>>>(
    deadline: Duration,
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let since = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) if since.elapsed() > deadline => panic!("not within {deadline:?}: {what}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
