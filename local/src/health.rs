//! When a service is of use: one question each, with one answer or one line why not.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::{http, server};

/// What a service must answer to count as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// A writable primary of a replica set.
    MongoDb { uri: String, port: u16 },
    /// A login over AMQP.
    RabbitMq { uri: String, port: u16 },
    /// An answered health check over gRPC.
    Qdrant { uri: String, port: u16 },
    /// 200 to a GET.
    Http { address: String, path: String },
}

const LIMIT: Duration = Duration::from_secs(5);

impl Health {
    /// Asks once; changes nothing. Err: one line why not.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let asked = tokio::time::timeout(LIMIT, Box::pin(self.ask()));
        asked.await.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
    }

    /// Asks once; a mongod that does not know its replica set yet is told.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let answer = self.check().await;
        if let (Err(_), Self::MongoDb { port, .. }) = (&answer, self) {
            Box::pin(server::initiate_if_new(*port)).await?;
        }
        answer
    }

    /// Asks until it is healthy; gives up at the limit, or as soon as `alive` says that there is no one left to answer.
    pub(crate) async fn wait(&self, limit: Duration, alive: impl Fn() -> bool) -> Result<(), String> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let Err(why) = self.ready().await else {
                return Ok(());
            };
            if !alive() {
                return Err("it has ended".to_owned());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("not ready after {} s: {why}", limit.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(&self) -> Result<(), String> {
        match self {
            Self::MongoDb { port, .. } => {
                listening(*port).await?;
                server::is_writable_primary(*port).await
            }
            Self::RabbitMq { uri, port } => {
                listening(*port).await?;
                server::amqp_login(uri).await
            }
            Self::Qdrant { uri, port } => {
                listening(*port).await?;
                server::grpc_health(uri).await
            }
            Self::Http { address, path } => answers_ok(address, path).await,
        }
    }
}

/// A refused connection is told at once; the clients would try again for seconds.
async fn listening(port: u16) -> Result<(), String> {
    TcpStream::connect(("127.0.0.1", port)).await.map(|_| ()).map_err(|error| format!("port {port}: {error}"))
}

async fn answers_ok(address: &str, path: &str) -> Result<(), String> {
    match http::status("GET", address, path, None).await {
        Ok(200) => Ok(()),
        Ok(code) => Err(format!("GET http://{address}{path} answers {code}")),
        Err(error) => Err(format!("GET http://{address}{path}: {error}")),
    }
}
