//! How much history MongoDB keeps, and how much of it is left behind the stored position: where nothing is left, history
//! is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bson::{Document, Timestamp, doc};
use mongodb::Collection;

use crate::error::{ProducerError, is_unauthorized};
use crate::position::Position;
use crate::server::answer;
use crate::telemetry;
use source::Source;

/// How often the oplog is looked at.
const PACE: Duration = Duration::from_secs(30);

/// Seconds since the epoch of the oldest and the newest entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OplogWindow {
    first: u32,
    last: u32,
}

impl OplogWindow {
    /// Looks. None where this user may not: it takes the right to read `local.oplog.rs`.
    ///
    /// # Errors
    /// MongoDB cannot be reached.
    pub(crate) async fn read(source: &Source) -> Result<Option<Self>, ProducerError> {
        let oplog: Collection<Document> = source.client().database("local").collection("oplog.rs");
        match (end(&oplog, 1).await, end(&oplog, -1).await) {
            (Ok(first), Ok(last)) => Ok(first.zip(last).map(|(first, last)| Self { first, last })),
            (Err(ProducerError::MongoDb(error)), _) if is_unauthorized(&error) => Ok(None),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// How much time the oplog spans.
    pub(crate) fn span(self) -> Duration {
        Duration::from_secs(self.last.saturating_sub(self.first).into())
    }

    /// How much of it lies before this time: what may still be cut off before changes are lost.
    pub(crate) fn before(self, seconds: u32) -> Duration {
        Duration::from_secs(seconds.saturating_sub(self.first).into())
    }
}

async fn end(oplog: &Collection<Document>, natural: i32) -> Result<Option<u32>, ProducerError> {
    let found = oplog.find_one(doc! {}).sort(doc! {"$natural": natural}).projection(doc! {"ts": 1});
    let entry = answer(found.into_future()).await?;
    Ok(entry.and_then(|entry| entry.get_timestamp("ts").ok()).map(|Timestamp { time, .. }| time))
}

/// Looks at the oplog now and then, for the metrics. The task ends when this is dropped.
#[derive(Debug)]
pub(crate) struct OplogWatch {
    seen: Arc<Mutex<Option<OplogWindow>>>,
    task: tokio::task::JoinHandle<()>,
}

impl OplogWatch {
    /// Begins to look.
    pub(crate) fn begin(source: Source) -> Self {
        let seen = Arc::new(Mutex::new(None));
        let task = tokio::spawn(watch(source, Arc::clone(&seen)));
        Self { seen, task }
    }

    /// Sets the gauges for a relay that has come so far.
    pub(crate) fn observe(&self, position: Option<&Position>) {
        let Some(seconds) = position.and_then(Position::seconds) else { return };
        telemetry::token_age(seconds);
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = seen {
            telemetry::oplog_remaining(window.before(seconds));
        }
    }
}

impl Drop for OplogWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(source: Source, seen: Arc<Mutex<Option<OplogWindow>>>) {
    let mut due = tokio::time::interval(PACE);
    loop {
        due.tick().await;
        match OplogWindow::read(&source).await {
            Ok(Some(window)) => {
                telemetry::oplog_window(window.span());
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(window);
            }
            Ok(None) => {
                tracing::warn!("this user may not read local.oplog.rs: no metric tells how much history is left");
                return;
            }
            // The relay itself says what is wrong with MongoDB.
            Err(error) => tracing::debug!(%error, "oplog not looked at"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_from_the_oldest_entry() {
        let window = OplogWindow { first: 100, last: 160 };
        assert_eq!((window.span(), window.before(130)), (Duration::from_secs(60), Duration::from_secs(30)));
        assert_eq!(window.before(90), Duration::ZERO, "nothing is left: history is lost");
    }
}
