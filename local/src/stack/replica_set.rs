//! `local replica-set` and `local ready`: what Compose asks for inside containers.

use std::time::Duration;

use super::StackError;
use crate::health::Health;
use crate::say::say;
use crate::server;

const LIMIT: Duration = Duration::from_secs(120);

/// Makes the nodes `host:port` a replica set unless they are one, and waits for its primary.
pub async fn replica_set(nodes: &[String]) -> Result<(), StackError> {
    let primary = Box::pin(server::unite(nodes, LIMIT)).await.map_err(StackError::ReplicaSet)?;
    say(format_args!("{primary} is primary"));
    Ok(())
}

/// Ok if the service whose health port is at `address` answers that it is ready.
pub async fn ready(address: &str) -> Result<(), StackError> {
    let health = Health::Http { address: address.to_owned(), path: "/readyz".to_owned() };
    Box::pin(health.check()).await.map_err(StackError::NotReady)
}
