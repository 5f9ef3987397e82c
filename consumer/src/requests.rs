//! Requests to the producer, and answers of MongoDB to the commands.

use std::time::Duration;

use bson::{Timestamp, doc};
use futures_util::stream::try_unfold;
use futures_util::{Stream, TryStreamExt};
use mongodb::Collection;
use shared::resync::{REQUESTS, ResyncRequest};
use shared::settings::SettingsError;
use source::Source;

use crate::command_error::CommandError;

/// Longest wait for an answer: a cursor's can be 16 MB.
const ANSWER: Duration = Duration::from_secs(30);

/// Asks the producer to relay documents anew. Returns once a majority holds every request.
pub(crate) async fn request(source: &Source, requests: &[ResyncRequest]) -> Result<(), CommandError> {
    if requests.is_empty() {
        return Ok(());
    }
    answered(waiting(source).insert_many(requests).into_future()).await.map(drop)
}

/// Requests that no producer has made its own yet.
pub(crate) fn waiting(source: &Source) -> Collection<ResyncRequest> {
    source.records(REQUESTS)
}

/// Who asks, for those who read the requests.
pub(crate) fn requester(command: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("consumer {command} on {}", if host.trim().is_empty() { "an unknown host" } else { host.trim() })
}

/// MongoDB's own time: no change that was made before this call is later.
pub(crate) async fn clock(source: &Source) -> Result<Timestamp, CommandError> {
    let hello = answered(source.client().database("admin").run_command(doc! {"hello": 1}).into_future()).await?;
    hello
        .get_timestamp("operationTime")
        .map_err(|_| SettingsError::new("MONGODB_URI", "leads to no replica set, whose operationTime is needed").into())
}

/// Waits for the answer to a request, but not for ever.
pub(crate) async fn answered<T>(request: impl Future<Output = mongodb::error::Result<T>>) -> Result<T, CommandError> {
    Ok(source::answer(ANSWER, request).await?)
}

/// What a cursor gives, waiting for each answer, but not for ever.
pub(crate) fn answers<T>(
    rows: impl Stream<Item = mongodb::error::Result<T>> + Unpin,
) -> impl Stream<Item = Result<T, CommandError>> {
    each_within(ANSWER, rows)
}

fn each_within<T>(
    limit: Duration,
    rows: impl Stream<Item = mongodb::error::Result<T>> + Unpin,
) -> impl Stream<Item = Result<T, CommandError>> {
    try_unfold(
        rows,
        move |mut rows| async move { Ok(source::answer(limit, rows.try_next()).await?.map(|row| (row, rows))) },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use futures_util::stream::{iter, pending};
    use std::pin::pin;

    /// A server that is stopped keeps its connections.
    #[tokio::test]
    async fn a_cursor_whose_server_falls_silent_is_given_up() {
        let mut rows = pin!(each_within(Duration::from_millis(50), iter([Ok(7)]).chain(pending())));
        assert_eq!(rows.try_next().await.unwrap(), Some(7));
        assert!(matches!(rows.try_next().await, Err(CommandError::Silent { server: "MongoDB", .. })));
    }
}
