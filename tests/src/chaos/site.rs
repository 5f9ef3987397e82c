//! The site of a run: three nodes of MongoDB, a broker, a store, producers and consumers, and the links between them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, doc};
use local::{Installation, MongoDb, MongoDbOptions, Program, Qdrant, RabbitMq, ReplicaSet, free_port};
use mongodb::Client;
use tokio::time::{sleep, timeout};

use super::fault::{Fault, Planned, Target, Wire};
use super::ledger::Ledger;
use super::proxy::{Link, Weather};
use super::stage::{Stages, count};

/// The watched database.
pub(crate) const DATABASE: &str = "twin";
/// Fewer than usual, so that each has much to do.
pub(crate) const PARTITIONS: u16 = 4;
const NODES: usize = 3;

/// Everything that runs.
pub(crate) struct Site {
    /// Named by its links.
    pub(crate) mongodb: ReplicaSet,
    /// The broker.
    pub(crate) rabbitmq: RabbitMq,
    /// The store.
    pub(crate) qdrant: Qdrant,
    /// One or two.
    pub(crate) producers: Vec<Program>,
    /// One or two.
    pub(crate) consumers: Vec<Program>,
    /// What each kill hit.
    pub(crate) stages: Stages,
    nodes: Vec<Link>,
    publishing: Link,
    consuming: Link,
    storing: Link,
}

impl Site {
    /// Servers run and programs do not yet.
    ///
    /// # Errors
    /// A server does not start.
    pub(crate) async fn new(installation: &Installation, programs: &Path, instances: usize) -> Result<Self> {
        let (mut ports, mut nodes) = (Vec::new(), Vec::new());
        for _ in 0..NODES {
            let port = free_port();
            let link = Link::to(port).await?;
            ports.push((port, link.port()));
            nodes.push(link);
        }
        let (mongodb, rabbitmq, qdrant) = tokio::try_join!(
            MongoDb::start_replica_set_announced(installation, &ports, MongoDbOptions::default()),
            RabbitMq::start(installation),
            Qdrant::start(installation),
        )?;
        let (publishing, consuming) = (Link::to(rabbitmq.port()).await?, Link::to(rabbitmq.port()).await?);
        let storing = Link::to(qdrant.port()).await?;
        let amqp = |link: &Link| format!("amqp://guest:guest@127.0.0.1:{}/%2f", link.port());
        let common = [
            ("PARTITIONS", PARTITIONS.to_string()),
            ("RUST_LOG", "info,stage=trace".to_owned()),
            ("EMBEDDING_THREADS", "1".to_owned()),
            ("EMBEDDING_MODEL_DIR", installation.model.display().to_string()),
            ("ORT_DYLIB_PATH", installation.onnxruntime.display().to_string()),
            ("PRODUCER_HTTP_LISTEN", "127.0.0.1:0".to_owned()),
            ("CONSUMER_HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        ];
        let producer = [
            ("MONGODB_URI", mongodb.uri()),
            ("MONGODB_DATABASE", DATABASE.to_owned()),
            ("RABBITMQ_URI", amqp(&publishing)),
        ];
        let consumer =
            [("RABBITMQ_URI", amqp(&consuming)), ("QDRANT_URL", format!("http://127.0.0.1:{}", storing.port()))];
        let start = |name: &str, own: &[(&'static str, String)]| {
            let settings = || common.iter().chain(own).cloned();
            (0..instances).map(|_| Program::new(&programs.join(name), &["run"], settings())).collect::<Result<_, _>>()
        };
        let (producers, consumers) = (start("producer", &producer)?, start("consumer", &consumer)?);
        let stages = Stages::new();
        Ok(Self { mongodb, rabbitmq, qdrant, producers, consumers, stages, nodes, publishing, consuming, storing })
    }

    /// A client of MongoDB that notices a lost primary soon, and writes with majority.
    ///
    /// # Errors
    /// As the driver.
    pub(crate) async fn client(&self) -> Result<Client> {
        let patience = "w=majority&heartbeatFrequencyMS=500&connectTimeoutMS=2000&serverSelectionTimeoutMS=5000";
        Ok(Client::with_uri_str(format!("{}&{patience}", self.mongodb.uri())).await?)
    }

    /// Starts all programs.
    ///
    /// # Errors
    /// One cannot be started.
    pub(crate) fn start(&mut self) -> Result<()> {
        for program in self.producers.iter_mut().chain(&mut self.consumers) {
            program.start()?;
        }
        Ok(())
    }

    /// Does what is planned, waits as long as it lasts, and mends it.
    ///
    /// # Errors
    /// A server cannot be restarted.
    pub(crate) async fn suffer(&mut self, planned: Planned, ledger: &Ledger, client: &Client) -> Result<()> {
        let Planned { fault, lasting, instance, .. } = planned;
        match fault {
            Fault::Kill(target) => self.kill(target, instance, lasting, ledger, client).await,
            Fault::Pause(target) => self.pause(target, instance, lasting).await,
            Fault::StepDown => {
                let step_down = doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 1 };
                // The primary may be away already, or end the connection with its office.
                timeout(Duration::from_secs(3), client.database("admin").run_command(step_down)).await.ok();
                sleep(lasting).await;
                Ok(())
            }
            Fault::Slow(wire) | Fault::Reset(wire) | Fault::Blackhole(wire) => {
                let primary = self.primary().await;
                let link = match wire {
                    Wire::MongoDb => &self.nodes[primary],
                    Wire::Publishing => &self.publishing,
                    Wire::Consuming => &self.consuming,
                    Wire::Storing => &self.storing,
                };
                link.turn(fault.weather());
                sleep(lasting).await;
                link.turn(Weather::Fair);
                Ok(())
            }
        }
    }

    async fn kill(
        &mut self,
        target: Target,
        instance: usize,
        lasting: Duration,
        ledger: &Ledger,
        client: &Client,
    ) -> Result<()> {
        match target {
            Target::Producer | Target::Consumer => {
                let programs = if target == Target::Producer { &mut self.producers } else { &mut self.consumers };
                let number = instance % programs.len();
                let program = &mut programs[number];
                program.kill9();
                count(&mut self.stages, target, &program.last_lines(400));
                sleep(lasting).await;
                if target == Target::Producer
                    && let Some(reached) = checkpoint(client).await
                {
                    ledger.note_start(reached).await;
                }
                program.start()?;
            }
            Target::MongoDb => {
                let primary = self.primary().await;
                self.mongodb.nodes()[primary].kill9().await?;
                sleep(lasting).await;
                self.mongodb.rejoin(primary)?;
            }
            Target::RabbitMq => {
                self.rabbitmq.kill9().await?;
                sleep(lasting).await;
                self.rabbitmq.restart().await?;
            }
            Target::Qdrant => {
                self.qdrant.kill9().await?;
                sleep(lasting).await;
                self.qdrant.restart().await?;
            }
        }
        Ok(())
    }

    async fn pause(&mut self, target: Target, instance: usize, lasting: Duration) -> Result<()> {
        match target {
            Target::Producer | Target::Consumer => {
                let programs = if target == Target::Producer { &self.producers } else { &self.consumers };
                let program = &programs[instance % programs.len()];
                program.pause()?;
                sleep(lasting).await;
                program.resume()?;
            }
            Target::MongoDb => {
                let primary = self.primary().await;
                let node = &self.mongodb.nodes()[primary];
                node.pause()?;
                sleep(lasting).await;
                node.resume()?;
            }
            Target::RabbitMq => {
                self.rabbitmq.pause()?;
                sleep(lasting).await;
                self.rabbitmq.resume()?;
            }
            Target::Qdrant => {
                self.qdrant.pause()?;
                sleep(lasting).await;
                self.qdrant.resume()?;
            }
        }
        Ok(())
    }

    /// The node that takes writes; between two primaries, any.
    async fn primary(&self) -> usize {
        let primary = timeout(Duration::from_secs(10), self.mongodb.primary()).await;
        primary.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// The programs' last lines, for a failing run.
    pub(crate) fn logs(&self) -> String {
        let tail = |name: &str, programs: &[Program]| {
            let quiet = |log: String| {
                log.lines().filter(|line| !line.contains("stage: ")).map(|line| format!("{line}\n")).collect::<String>()
            };
            let tails = programs.iter().map(|program| format!("--- {name}\n{}", quiet(program.last_lines(400))));
            tails.collect::<Vec<_>>().join("\n")
        };
        format!("{}\n{}", tail("producer", &self.producers), tail("consumer", &self.consumers))
    }
}

/// The clusterTime up to which the stored checkpoint speaks, as a revision of index 0. Read from the token itself, whose
/// first field is a timestamp in MongoDB's key format: a type byte (0x82), seconds, increment.
async fn checkpoint(client: &Client) -> Option<i64> {
    let checkpoints = client.database("twin_cdc").collection::<Document>("checkpoints");
    let read = timeout(Duration::from_secs(5), checkpoints.find_one(doc! { "_id": DATABASE }).into_future());
    cluster_time(&read.await.ok()?.ok()??)
}

fn cluster_time(checkpoint: &Document) -> Option<i64> {
    let position = checkpoint.get_document("position").ok()?;
    if let Ok(time) = position.get_timestamp("operation_time") {
        return Some(i64::from(time.time) << 31 | i64::from(time.increment) << 8);
    }
    let token = position.get_document("token").ok()?.get_str("_data").ok()?;
    let field = |from: usize| i64::from_str_radix(token.get(from..from + 8)?, 16).ok();
    (token.get(..2)? == "82").then_some(())?;
    Some(field(2)? << 31 | field(10)? << 8)
}

/// The client's `hello` until a primary answers it, so that a run begins on a quiet site.
///
/// # Errors
/// None did in time.
pub(crate) async fn writable(client: &Client) -> Result<()> {
    let probe = client.database("twin_cdc").collection::<Document>("chaos");
    timeout(Duration::from_secs(60), async {
        while probe.insert_one(doc! {}).await.is_err() {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .context("no primary took a write within 60 s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::Timestamp;

    #[test]
    fn a_checkpoint_says_its_cluster_time() {
        let token = doc! { "position": { "token": { "_data": "826560A1B200000003" } } };
        assert_eq!(cluster_time(&token), Some(0x6560_A1B2 << 31 | 3 << 8));
        let time = Timestamp { time: 5, increment: 2 };
        assert_eq!(cluster_time(&doc! { "position": { "operation_time": time } }), Some(5 << 31 | 2 << 8));
    }
}
