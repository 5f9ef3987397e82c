//! MongoDB as the commands see it: the watched database, and the producer's records beside it.

use std::time::Duration;

use bson::{Timestamp, doc};
use futures_util::stream::try_unfold;
use futures_util::{Stream, TryFutureExt, TryStreamExt};
use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern};
use mongodb::{Client, Collection, Database};
use shared::resync::{RECORDS, REQUESTS, ResyncRequest};
use shared::settings::{MongoDbSettings, SettingsError};
use tokio::time::timeout;

use crate::command_error::CommandError;

/// Longest wait for a server to take requests.
const SELECTION: Duration = Duration::from_secs(5);
/// Longest wait for the answer to one of them.
const ANSWER: Duration = Duration::from_secs(30);

/// The watched database.
pub(crate) struct Source {
    client: Client,
    name: String,
}

impl Source {
    /// Prepares the connection.
    pub(crate) async fn new(settings: &MongoDbSettings) -> Result<Self, CommandError> {
        let uri = settings.uri()?;
        let mut options = answered(ClientOptions::parse(uri.expose()).into_future()).await.map_err(understood)?;
        options.app_name.get_or_insert_with(|| "llm-twin consumer".into());
        options.server_selection_timeout.get_or_insert(SELECTION);
        options.connect_timeout.get_or_insert(SELECTION);
        options.read_concern = Some(ReadConcern::majority());
        let client = Client::with_options(options).map_err(|error| understood(error.into()))?;
        Ok(Self { client, name: settings.mongodb_database.clone() })
    }

    /// Name of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The database, read by majority.
    pub(crate) fn database(&self) -> Database {
        self.client.database(&self.name)
    }

    /// Asks the producer to relay documents anew. Returns once a majority holds every request.
    pub(crate) async fn request(&self, requests: &[ResyncRequest]) -> Result<(), CommandError> {
        if requests.is_empty() {
            return Ok(());
        }
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(ANSWER).build();
        let collection = self.requests();
        let insert = collection.insert_many(requests).write_concern(majority);
        answered(insert.into_future()).await.map(drop)
    }

    /// MongoDB's own time: no change that was made before this call is later.
    pub(crate) async fn clock(&self) -> Result<Timestamp, CommandError> {
        let admin = self.client.database("admin");
        let hello = answered(admin.run_command(doc! {"hello": 1}).into_future()).await?;
        hello.get_timestamp("operationTime").map_err(|_| {
            SettingsError::new("MONGODB_URI", "leads to no replica set, whose operationTime is needed").into()
        })
    }

    /// Requests that no producer has made its own yet.
    pub(crate) fn requests(&self) -> Collection<ResyncRequest> {
        self.client.database(RECORDS).collection(REQUESTS)
    }
}

/// Waits for the answer to a request, but not for ever.
pub(crate) async fn answered<T>(request: impl Future<Output = mongodb::error::Result<T>>) -> Result<T, CommandError> {
    answered_within(ANSWER, request).await
}

/// What a cursor gives, waiting for each answer, but not for ever.
pub(crate) fn answers<T>(
    rows: impl Stream<Item = mongodb::error::Result<T>> + Unpin,
) -> impl Stream<Item = Result<T, CommandError>> {
    each_within(ANSWER, rows)
}

async fn answered_within<T>(
    limit: Duration,
    request: impl Future<Output = mongodb::error::Result<T>>,
) -> Result<T, CommandError> {
    let silent = |_| CommandError::Silent { server: "MongoDB", seconds: limit.as_secs() };
    timeout(limit, request.err_into()).await.map_err(silent)?
}

fn each_within<T>(
    limit: Duration,
    rows: impl Stream<Item = mongodb::error::Result<T>> + Unpin,
) -> impl Stream<Item = Result<T, CommandError>> {
    try_unfold(rows, move |mut rows| async move {
        Ok(answered_within(limit, rows.try_next()).await?.map(|row| (row, rows)))
    })
}

/// What went wrong with the connection string, in our words: the driver's quote it, passwords and all.
fn understood(error: CommandError) -> CommandError {
    let CommandError::MongoDb(error) = error else { return error };
    let problem = match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } | ErrorKind::Io(_) => return error.into(),
        ErrorKind::InvalidTlsConfig { message, .. } => message.as_str(),
        _ => "is not understood: mongodb://user:password@host:port/?option=value&…",
    };
    SettingsError::new("MONGODB_URI", problem).into()
}

/// Who asks, for those who read the requests.
pub(crate) fn requester(command: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("consumer {command} on {}", if host.trim().is_empty() { "an unknown host" } else { host.trim() })
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
