//! The site of a run: three nodes of MongoDB, a broker, a store, producers and consumers, and the links between them.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, doc};
use local::{Installation, MongoDb, MongoDbOptions, Private, Program, Qdrant, RabbitMq, ReplicaSet, free_port};
use mongodb::Client;
use tokio::time::{sleep, timeout};

use super::checkpoint;
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
            Fault::Kill(target) => {
                let number = self.number(target, instance).await;
                self.kill(target, number).await?;
                sleep(lasting).await;
                self.restart(target, number, ledger, client).await
            }
            Fault::Pause(target) => {
                let number = self.number(target, instance).await;
                self.victim(target, number).pause()?;
                sleep(lasting).await;
                self.victim(target, number).resume()
            }
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

    /// Which of its kind is hit: of MongoDB's nodes, the primary.
    async fn number(&self, target: Target, instance: usize) -> usize {
        match target {
            Target::Producer => instance % self.producers.len(),
            Target::Consumer => instance % self.consumers.len(),
            Target::MongoDb => self.primary().await,
            Target::RabbitMq | Target::Qdrant => 0,
        }
    }

    fn victim(&mut self, target: Target, number: usize) -> Victim<'_> {
        match target {
            Target::Producer => Victim::Program(&mut self.producers[number]),
            Target::Consumer => Victim::Program(&mut self.consumers[number]),
            Target::MongoDb => Victim::Server(&mut self.mongodb.nodes()[number]),
            Target::RabbitMq => Victim::Server(&mut self.rabbitmq),
            Target::Qdrant => Victim::Server(&mut self.qdrant),
        }
    }

    async fn kill(&mut self, target: Target, number: usize) -> Result<()> {
        match self.victim(target, number) {
            Victim::Server(server) => server.kill9().await?,
            Victim::Program(program) => {
                program.kill9();
                let lines = program.last_lines(400);
                count(&mut self.stages, target, &lines);
            }
        }
        Ok(())
    }

    async fn restart(&mut self, target: Target, number: usize, ledger: &Ledger, client: &Client) -> Result<()> {
        if target == Target::Producer
            && let Some(reached) =
                checkpoint::stored(client, DATABASE).await.as_ref().and_then(checkpoint::cluster_time)
        {
            ledger.note_start(reached).await;
        }
        if target == Target::MongoDb {
            return Ok(self.mongodb.rejoin(number)?);
        }
        match self.victim(target, number) {
            Victim::Program(program) => Ok(program.start()?),
            Victim::Server(server) => Ok(server.restart().await?),
        }
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

/// What a fault hits.
enum Victim<'a> {
    Program(&'a mut Program),
    Server(&'a mut Private),
}

impl Victim<'_> {
    fn pause(self) -> Result<()> {
        match self {
            Self::Program(program) => Ok(program.pause()?),
            Self::Server(server) => Ok(server.pause()?),
        }
    }

    fn resume(self) -> Result<()> {
        match self {
            Self::Program(program) => Ok(program.resume()?),
            Self::Server(server) => Ok(server.resume()?),
        }
    }
}

/// Waits until a primary takes a write, so that a run begins on a quiet site.
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
