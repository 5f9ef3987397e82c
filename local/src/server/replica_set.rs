//! Several private mongods as one replica set: for failover.

use std::time::{Duration, Instant};

use super::ServerError;
use super::mongodb::{MongoDb, MongoDbOptions, NAME, initiate, is_writable_primary};
use crate::Installation;
use crate::port::free_port;

const PRIMARY_WITHIN: Duration = Duration::from_secs(60);

/// A replica set of private mongods that elects a new primary about 2 s after the old one is lost.
#[derive(Debug)]
pub struct ReplicaSet {
    nodes: Vec<MongoDb>,
    /// Where clients and the other nodes reach each node.
    announced: Vec<u16>,
}

impl MongoDb {
    /// A replica set of `nodes` (three, usually), with a writable primary when this returns.
    pub async fn start_replica_set(
        installation: &Installation,
        nodes: usize,
        options: MongoDbOptions,
    ) -> Result<ReplicaSet, ServerError> {
        let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let announced: Vec<(u16, u16)> = ports.into_iter().map(|port| (port, port)).collect();
        Self::start_replica_set_announced(installation, &announced, options).await
    }

    /// As [`MongoDb::start_replica_set`], a node for each `(port, announced port)`: clients and nodes reach it at the
    /// announced port of 127.0.0.1, where something that carries to its own port must listen already.
    pub async fn start_replica_set_announced(
        installation: &Installation,
        ports: &[(u16, u16)],
        options: MongoDbOptions,
    ) -> Result<ReplicaSet, ServerError> {
        let node = |port| Self::new(installation, &MongoDbOptions { port: Some(port), ..options.clone() });
        let nodes = ports.iter().map(|&(port, _)| node(port)).collect::<Result<_, _>>()?;
        let mut set = ReplicaSet { nodes, announced: ports.iter().map(|&(_, announced)| announced).collect() };
        for node in &mut set.nodes {
            node.launch_only()?;
        }
        set.initiate().await?;
        set.primary().await?;
        Ok(set)
    }
}

impl ReplicaSet {
    /// All nodes and the set's name: what a client that follows a failover connects to.
    pub fn uri(&self) -> String {
        let hosts: Vec<String> = self.announced.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))
    }

    /// The nodes, in the order of the URI. Restart a lost one with `restart` (which waits until it is primary) or [`ReplicaSet::rejoin`].
    pub fn nodes(&mut self) -> &mut [MongoDb] {
        &mut self.nodes
    }

    /// Starts a lost node again and does not wait for it.
    pub fn rejoin(&mut self, index: usize) -> Result<(), ServerError> {
        self.nodes[index].launch_only()
    }

    /// The index of the node that takes writes now; waits for an election.
    pub async fn primary(&self) -> Result<usize, ServerError> {
        let deadline = Instant::now() + PRIMARY_WITHIN;
        loop {
            for (index, node) in self.nodes.iter().enumerate() {
                if node.is_running() && Box::pin(is_writable_primary(node.port())).await.is_ok() {
                    return Ok(index);
                }
            }
            if Instant::now() > deadline {
                return Err(self.not_ready("no node became primary".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every node must be up before it can be told of the set.
    async fn initiate(&self) -> Result<(), ServerError> {
        let deadline = Instant::now() + PRIMARY_WITHIN;
        while let Err(why) = Box::pin(initiate(&self.announced)).await {
            if Instant::now() > deadline || !self.nodes.iter().all(|node| node.is_running()) {
                return Err(self.not_ready(why));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn not_ready(&self, why: String) -> ServerError {
        let first = &self.nodes[0];
        ServerError::NotReady { name: NAME, port: first.port(), why, log: first.log_tail() }
    }
}
