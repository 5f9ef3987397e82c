//! A private mongod: a replica set of one node unless it is made part of a larger one.

use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{ClientOptions, ServerAddress};

use super::{Private, ServerError, private};
use crate::health::Health;
use crate::launch::Launch;
use crate::port::free_port;
use crate::{Installation, Mongod};

pub(crate) const NAME: &str = "mongod";
pub(super) const REPLICA_SET: &str = "rs0";
pub(super) const NOT_YET_INITIALIZED: i32 = 94;
pub(super) const ALREADY_INITIALIZED: i32 = 23;

/// How a private mongod differs from the usual.
#[derive(Debug, Clone)]
pub struct MongoDbOptions {
    /// A free one if None.
    pub port: Option<u16>,
    /// The oplog's size; 16 is enough to lose history quickly.
    pub oplog_megabytes: u32,
    /// Further arguments, such as `["--setParameter", "ttlMonitorEnabled=false"]`.
    pub arguments: Vec<String>,
}

impl Default for MongoDbOptions {
    fn default() -> Self {
        Self { port: None, oplog_megabytes: 512, arguments: Vec::new() }
    }
}

/// A private mongod, a [`Private`] server; its URI names the replica set.
#[derive(Debug)]
pub struct MongoDb(Private);

impl MongoDb {
    /// A replica set of one, writable when this returns.
    pub async fn start(installation: &Installation, options: MongoDbOptions) -> Result<Self, ServerError> {
        let mut mongodb = Self::new(installation, &options)?;
        mongodb.restart().await?;
        Ok(mongodb)
    }

    /// Prepared, not running yet.
    pub(super) fn new(installation: &Installation, options: &MongoDbOptions) -> Result<Self, ServerError> {
        let port = options.port.unwrap_or_else(free_port);
        let folder = private::folder(NAME)?;
        let launch = launch(&installation.mongod, folder.path(), port, options)
            .map_err(|error| ServerError::Launch { name: NAME, error })?;
        let health = Health::MongoDb { uri: uri(port), port };
        Ok(Self(Private::new(NAME, port, uri(port), folder, launch, health)))
    }
}

impl Deref for MongoDb {
    type Target = Private;

    fn deref(&self) -> &Private {
        &self.0
    }
}

impl AsRef<Private> for MongoDb {
    fn as_ref(&self) -> &Private {
        &self.0
    }
}

impl DerefMut for MongoDb {
    fn deref_mut(&mut self) -> &mut Private {
        &mut self.0
    }
}

pub(crate) fn uri(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}")
}

/// For clients to whom the names of the set's nodes mean nothing.
pub(crate) fn direct_uri(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

/// Creates the folder of the data and says how to run mongod on it.
pub(crate) fn launch(mongod: &Mongod, folder: &Path, port: u16, options: &MongoDbOptions) -> io::Result<Launch> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let mut launch = Launch::new(&mongod.program, folder)
        .arg("--replSet")
        .arg(REPLICA_SET)
        .arg("--bind_ip")
        .arg("127.0.0.1")
        .arg("--port")
        .arg(port)
        .arg("--dbpath")
        .arg(data.display())
        .arg("--oplogSize")
        .arg(options.oplog_megabytes)
        .arg("--wiredTigerCacheSizeGB")
        .arg("0.25")
        .arg("--nounixsocket")
        .arg("--setParameter")
        .arg("diagnosticDataCollectionEnabled=false")
        .arg("--setParameter")
        .arg("shutdownTimeoutMillisForSignaledShutdown=1000");
    launch.arguments.extend_from_slice(&options.arguments);
    Ok(match &mongod.library_path {
        Some(path) => launch.env("LD_LIBRARY_PATH", path.display()),
        None => launch,
    })
}

/// Ok only if this node takes writes.
pub(crate) async fn is_writable_primary(port: u16) -> Result<(), String> {
    let answer = command(own(port), doc! { "hello": 1 }).await.map_err(|error| first_line(&error))?;
    match answer.get_bool("isWritablePrimary") {
        Ok(true) => Ok(()),
        _ => Err("not a writable primary yet".to_owned()),
    }
}

/// Makes a node that has never been part of a replica set a set of one; any other node is left as it is.
pub(crate) async fn initiate_if_new(port: u16) -> Result<(), String> {
    let status = command(own(port), doc! { "replSetGetStatus": 1 }).await;
    if status.err().as_ref().and_then(code) != Some(NOT_YET_INITIALIZED) {
        return Ok(());
    }
    initiate(&[port]).await
}

/// Makes the nodes on these ports a replica set, the first one its likely first primary. Failover takes about 2 s instead of the usual 11.
pub(super) async fn initiate(ports: &[u16]) -> Result<(), String> {
    let members = ports.iter().enumerate().map(|(index, port)| {
        let priority = if index == 0 { 2.0 } else { 1.0 };
        Bson::from(doc! { "_id": i32::try_from(index).unwrap_or(i32::MAX), "host": format!("127.0.0.1:{port}"), "priority": priority })
    });
    let settings = doc! { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 500 };
    let config = doc! { "_id": REPLICA_SET, "members": members.collect::<Vec<_>>(), "settings": settings };
    match command(own(ports[0]), doc! { "replSetInitiate": config }).await {
        Err(error) if code(&error) != Some(ALREADY_INITIALIZED) => Err(first_line(&error)),
        _ => Ok(()),
    }
}

/// A node on this machine.
fn own(port: u16) -> ServerAddress {
    ServerAddress::Tcp { host: "127.0.0.1".to_owned(), port: Some(port) }
}

/// Asks one node, whatever its part in a set.
pub(super) async fn command(node: ServerAddress, command: Document) -> Result<Document, Error> {
    let options = ClientOptions::builder()
        .hosts(vec![node])
        .direct_connection(true)
        .connect_timeout(Duration::from_secs(2))
        .server_selection_timeout(Duration::from_secs(2))
        .build();
    let client = Client::with_options(options)?;
    let answer = client.database("admin").run_command(command).await;
    client.shutdown().immediate(true).await;
    answer
}

pub(super) fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(refusal) => Some(refusal.code),
        _ => None,
    }
}

pub(super) fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
