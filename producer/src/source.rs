//! The connection to MongoDB and what is refused of it.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::Client;
use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, ClientOptions, CollectionOptions, ReadConcern, WriteConcern};
use shared::resync::RECORDS;
use shared::settings::{MongoDbSettings, SettingsError};
use tokio::time::timeout;

use crate::error::ProducerError;

/// Longest wait for a server that takes writes.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a single command.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The watched database and the one beside it that holds the relay's records.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    client: Client,
    database: String,
}

impl Source {
    /// Prepares the connection; no server needs to be there yet, only the name service for `mongodb+srv://`.
    pub(crate) async fn new(settings: &MongoDbSettings) -> Result<Self, ProducerError> {
        let uri = settings.uri()?;
        let mut options = answer(ClientOptions::parse(uri.expose()).into_future()).await.map_err(understood)?;
        options.app_name.get_or_insert_with(|| "llm-twin producer".into());
        options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(SELECTION_TIMEOUT);
        let client = Client::with_options(options).map_err(|error| understood(error.into()))?;
        Ok(Self { client, database: settings.mongodb_database.clone() })
    }

    /// Name of the watched database.
    pub(crate) fn name(&self) -> &str {
        &self.database
    }

    /// The watched database.
    pub(crate) fn database(&self) -> mongodb::Database {
        self.client.database(&self.database)
    }

    /// A collection of the relay's own records, read and written by majority.
    pub(crate) fn records<T: Send + Sync>(&self, name: &str) -> mongodb::Collection<T> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(COMMAND_TIMEOUT).build();
        let options =
            CollectionOptions::builder().write_concern(majority).read_concern(ReadConcern::majority()).build();
        self.client.database(RECORDS).collection_with_options(name, options)
    }

    /// About how many documents a collection holds, by its own count.
    pub(crate) async fn count(&self, collection: &str) -> Result<u64, ProducerError> {
        answer(self.database().collection::<Document>(collection).estimated_document_count().into_future()).await
    }

    /// The client, for a session.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Refuses what has no change streams, or another order than a single replica set's.
    pub(crate) async fn require_replica_set(&self) -> Result<(), ProducerError> {
        let hello = answer(self.client.database("admin").run_command(doc! {"hello": 1}).into_future()).await?;
        refusal(&hello).map_or(Ok(()), |problem| Err(SettingsError::new("MONGODB_URI", problem).into()))
    }
}

/// What went wrong with the connection string, in our words: the driver's quote it, passwords and all. A name that was
/// not resolved is no fault of the settings.
fn understood(error: ProducerError) -> ProducerError {
    let ProducerError::MongoDb(error) = error else { return error };
    let problem = match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } | ErrorKind::Io(_) => return error.into(),
        // Names a file that cannot be read, or what is wrong in it.
        ErrorKind::InvalidTlsConfig { message, .. } => message.as_str(),
        _ => {
            "is not understood: mongodb://user:password@host:port/?option=value&…, where special characters of user \
             and password are percent-encoded and each option is one that MongoDB documents"
        }
    };
    SettingsError::new("MONGODB_URI", problem).into()
}

fn refusal(hello: &Document) -> Option<&'static str> {
    if hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid") {
        return Some("leads to mongos; a replica set is needed");
    }
    // A member that is not yet initiated has no setName, but will.
    let member = hello.contains_key("setName") || hello.contains_key("isreplicaset");
    (!member).then_some("leads to a standalone server; change streams need a replica set (mongod --replSet)")
}

/// Waits for the answer to a command, but not for ever.
pub(crate) async fn answer<T>(command: impl Future<Output = mongodb::error::Result<T>>) -> Result<T, ProducerError> {
    let answered = timeout(COMMAND_TIMEOUT, command).await;
    Ok(answered.map_err(|_| ProducerError::MongoDbTimeout(COMMAND_TIMEOUT))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replica_sets_are_accepted() {
        assert_eq!(refusal(&doc! {"setName": "rs1"}), None);
        assert_eq!(refusal(&doc! {"isreplicaset": true}), None);
        assert!(refusal(&doc! {"msg": "isdbgrid"}).unwrap().contains("mongos"));
        assert!(refusal(&doc! {"isWritablePrimary": true}).unwrap().contains("standalone"));
    }
}
