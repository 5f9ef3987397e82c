//! How long a request to the store is tried: through restarts and short outages, with the deliveries held.

use std::future::Future;
use std::time::{Duration, Instant};

use shared::Backoff;

use crate::error::{Fault, StoreError};

/// After this the deliveries are given back: RabbitMQ itself would take them after 30 minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Tries until the store answers, for ten minutes at most. Permanent faults are returned at once.
///
/// # Errors
/// The permanent fault, or [`StoreError::Away`].
pub(crate) async fn patiently<T, F>(what: &'static str, mut request: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let since = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.fault() == Fault::Permanent => return Err(error),
            Err(error) => error,
        };
        if since.elapsed() > PATIENCE {
            return Err(StoreError::Away { minutes: PATIENCE.as_secs() / 60, last: Box::new(error) });
        }
        metrics::counter!("twin_consumer_store_retries_total").increment(1);
        tracing::warn!(%error, what, "store request failed, trying again");
        backoff.wait().await;
    }
}
