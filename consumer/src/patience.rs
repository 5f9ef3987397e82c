//! How long we wait for others: through restarts and short outages with the deliveries held, but not for long once the
//! consumer is to end. What is not acknowledged is delivered again.

use std::future::Future;
use std::time::Duration;

use shared::Backoff;
use shared::shutdown::CancellationToken;
use tokio::time::Instant;

use crate::error::{Fault, StoreError};
use crate::telemetry;

/// After this the deliveries are given back: RabbitMQ itself would take them after 30 minutes.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a single answer is waited for after the consumer was told to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Waits for the store and the broker. Clones share one shutdown.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    shutdown: CancellationToken,
    limit: Duration,
    drain: Duration,
}

impl Patience {
    /// Patience until `shutdown`.
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, limit: PATIENCE, drain: DRAIN }
    }

    /// The same, waiting for so long.
    pub(crate) fn lasting(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Whether the consumer is to end.
    pub(crate) fn is_over(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    /// Tries until the store answers, for ten minutes at most. Permanent faults are returned at once.
    ///
    /// # Errors
    /// The permanent fault, [`StoreError::Away`], or [`StoreError::Interrupted`] on shutdown: a request that succeeds
    /// at once is still made then, one that fails is not repeated.
    pub(crate) async fn ask<T, F>(&self, what: &'static str, mut request: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let since = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let error = match self.unless_overdue(request()).await {
                None => return Err(StoreError::Interrupted),
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(error)) if error.fault() == Fault::Permanent => return Err(error),
                Some(Err(error)) => error,
            };
            if since.elapsed() > self.limit {
                return Err(StoreError::Away { seconds: self.limit.as_secs(), last: Box::new(error) });
            }
            telemetry::retried();
            tracing::warn!(%error, what, "store request failed, trying again");
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(StoreError::Interrupted),
                () = backoff.wait() => {}
            }
        }
    }

    /// What `waiting` gives; `None` where it takes too long for a consumer that is to end.
    pub(crate) async fn unless_overdue<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        let overdue = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(self.drain).await;
        };
        tokio::select! {
            biased;
            answer = waiting => Some(answer),
            () = overdue => None,
        }
    }
}

/// Rounds in which others win the compare-and-set, or a document turns out to be poison: a few come one right after the other.
const BRISK_ROUNDS: u32 = 3;

/// The rounds of something that is tried until it succeeds. Later ones come after a wait: whatever makes them fail is no race.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    begun: u32,
    backoff: Backoff,
}

impl Rounds {
    /// Before each round, the first included.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] on shutdown, where many were in vain.
    pub(crate) async fn next(&mut self, patience: &Patience) -> Result<(), StoreError> {
        self.begun += 1;
        if self.begun <= BRISK_ROUNDS {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = patience.shutdown.cancelled() => Err(StoreError::Interrupted),
            () = self.backoff.wait() => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn rounds_in_vain_come_after_waits_and_end_with_the_consumer() {
        let (shutdown, mut rounds) = (CancellationToken::new(), Rounds::default());
        let patience = Patience::new(shutdown.clone());
        for _ in 0..BRISK_ROUNDS {
            rounds.next(&patience).now_or_never().expect("at once").unwrap();
        }
        assert!(rounds.next(&patience).now_or_never().is_none());
        shutdown.cancel();
        assert!(matches!(rounds.next(&patience).await, Err(StoreError::Interrupted)));
    }

    fn away() -> StoreError {
        qdrant_client::QdrantError::Io(std::io::Error::other("away")).into()
    }

    fn impatient() -> Patience {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        Patience { shutdown, limit: PATIENCE, drain: Duration::from_millis(10) }
    }

    /// A wait that shutdown does not end is one of minutes.
    async fn interrupted(asking: impl Future<Output = Result<(), StoreError>>) -> bool {
        let outcome = tokio::time::timeout(Duration::from_secs(5), asking).await;
        matches!(outcome.expect("it ends"), Err(StoreError::Interrupted))
    }

    #[tokio::test]
    async fn on_shutdown_a_request_is_still_made_and_not_repeated() {
        let patience = impatient();
        assert_eq!(patience.ask("test", async || Ok(7)).await.unwrap(), 7);
        assert!(interrupted(patience.ask("test", async || Err(away()))).await);
    }

    #[tokio::test]
    async fn on_shutdown_an_answer_that_does_not_come_is_not_waited_for() {
        let never = || std::future::pending::<Result<(), StoreError>>();
        assert!(interrupted(impatient().ask("test", never)).await);
    }

    #[tokio::test]
    async fn a_shutdown_ends_the_wait_between_two_attempts() {
        let patience = Patience { shutdown: CancellationToken::new(), ..impatient() };
        let mut attempts = 0;
        let outcome = patience.ask("test", || {
            attempts += 1;
            patience.shutdown.cancel();
            std::future::ready(Err(away()))
        });
        assert!(interrupted(outcome).await);
        assert_eq!(attempts, 1);
    }

    /// The deliveries are given back then; until that they are held, and nothing is at fault.
    #[tokio::test]
    async fn a_store_that_stays_away_is_given_up_after_the_limit() {
        let (patience, since) = (Patience::new(CancellationToken::new()), Instant::now());
        assert_eq!(patience.limit, Duration::from_secs(600));
        let patience = patience.lasting(Duration::from_millis(200));
        let outcome: Result<(), _> = patience.ask("test", async || Err(away())).await;
        assert!(matches!(outcome, Err(StoreError::Away { .. })), "{outcome:?}");
        assert!(since.elapsed() >= Duration::from_millis(200));
    }
}
