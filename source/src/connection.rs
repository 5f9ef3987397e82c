//! The connection to MongoDB.

use std::time::Duration;

use mongodb::error::ErrorKind;
use mongodb::options::{Acknowledgment, ClientOptions, CollectionOptions, DatabaseOptions, ReadConcern, WriteConcern};
use mongodb::{Client, Collection, Database};
use shared::resync::RECORDS;
use shared::settings::{MongoDbSettings, SettingsError};
use tokio::time::timeout;

use crate::error::SourceError;

/// Longest wait for a server that takes requests.
const SELECTION: Duration = Duration::from_secs(5);
/// Longest wait for a name service, and for a majority to hold a record.
const MAJORITY: Duration = Duration::from_secs(10);

/// The watched database and the one beside it that holds the producer's records.
#[derive(Debug, Clone)]
pub struct Source {
    client: Client,
    name: String,
}

impl Source {
    /// Prepares the connection of a program; no server needs to be there yet, only the name service for
    /// `mongodb+srv://`.
    ///
    /// # Errors
    /// The settings are wrong, or the name service is away.
    pub async fn new(settings: &MongoDbSettings, program: &str) -> Result<Self, SourceError> {
        let uri = settings.uri()?;
        let parsing = ClientOptions::parse(uri.expose()).into_future();
        let mut options = answer(MAJORITY, parsing).await.map_err(understood)?;
        options.app_name.get_or_insert_with(|| format!("llm-twin {program}"));
        options.server_selection_timeout.get_or_insert(SELECTION);
        options.connect_timeout.get_or_insert(SELECTION);
        let client = Client::with_options(options).map_err(|error| understood(error.into()))?;
        Ok(Self { client, name: settings.mongodb_database.clone() })
    }

    /// Name of the watched database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The watched database, read by majority.
    pub fn database(&self) -> Database {
        let options = DatabaseOptions::builder().read_concern(ReadConcern::majority()).build();
        self.client.database_with_options(&self.name, options)
    }

    /// A collection of the producer's own records, read and written by majority.
    pub fn records<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(MAJORITY).build();
        let options =
            CollectionOptions::builder().write_concern(majority).read_concern(ReadConcern::majority()).build();
        self.client.database(RECORDS).collection_with_options(name, options)
    }

    /// The client, for a session or another database.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Waits for the answer to a request, but not for ever: a server that is stopped keeps its connections.
///
/// # Errors
/// As MongoDB, or [`SourceError::Silent`].
pub async fn answer<T>(
    limit: Duration,
    request: impl Future<Output = mongodb::error::Result<T>>,
) -> Result<T, SourceError> {
    Ok(timeout(limit, request).await.map_err(|_| SourceError::Silent(limit))??)
}

/// What went wrong with the connection string, in our words: the driver's quote it, passwords and all. A name that was
/// not resolved is no fault of the settings.
fn understood(error: SourceError) -> SourceError {
    let SourceError::MongoDb(error) = error else { return error };
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
