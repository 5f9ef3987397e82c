//! kill -9 of the consumer in the midst of every stage, while posts are changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use consumer::PREFETCH;
use local::Qdrant;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, block_in_place};

use super::drill::Order;
use super::indexed::until_equal;
use super::posts::Posts;
use super::site::Site;
use super::stages::Stages;
use super::verdict::Verdict;
use crate::service::Service;

const OPERATIONS: usize = 20_000;
const KILLS: usize = 100;
/// Posts that are there before the first kill.
const FIRST: usize = 1_000;
/// What is aimed at, one after the other, and how the log names it.
const STAGES: [(&str, &str); 6] = [
    ("prepare", "prepare"),
    ("embed", "embed"),
    ("upsert", "write chunks"),
    ("manifest", "write manifests"),
    ("delete", "delete"),
    ("ack", "ack"),
];
/// Hits that each stage needs.
const HITS: usize = 5;
/// Batches that are acknowledged between two kills, so that it makes way …
const BATCHES: u64 = 2;
/// … and times a batch's usual time that lie between them.
const BATCH_TIMES: u32 = 2;
/// When a stage does not come with what there is to do, there is more to do.
const MORE_AFTER: Duration = Duration::from_secs(3);
const MORE: usize = 20;
const STAGE_WITHIN: Duration = Duration::from_secs(120);
/// Some stages last less than a millisecond.
const LOOK: Duration = Duration::from_micros(100);

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?;
    let qdrant = Qdrant::start(&order.installation).await?;
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    let mut target = Target::start(site.consumer(&qdrant, &[("RUST_LOG", "info,stage=trace,intake=trace")])?)?;
    let mut posts = Posts::new(&site.database, order.seed);
    for _ in 0..order.amount(FIRST, 60) {
        posts.insert().await?;
    }
    until_equal(&site, &qdrant, &posts).await.with_context(|| target.consumer.log_tail())?;

    let (kills, operations) = (order.amount(KILLS, STAGES.len()), order.amount(OPERATIONS, 300));
    let writing = Writing::start(posts);
    let mut hits: BTreeMap<&str, usize> = BTreeMap::new();
    let mut again = Again::default();
    for kill in 0..kills {
        writing.allow(operations / kills + usize::from(kill < operations % kills));
        let (name, stage) = STAGES[kill % STAGES.len()];
        block_in_place(|| target.aim(stage, &writing))
            .with_context(|| format!("kill {kill}\n{}", target.consumer.log_tail()))?;
        *hits.entry(name).or_default() += 1;
        again.count(&target.stages.redelivered);
        target.kill_and_restart()?;
        order.say(format!("kill {} of {kills}: in mid-{name}; redelivered so far {}", kill + 1, again.all));
    }
    let (posts, written) = writing.end().await?;
    let equal = until_equal(&site, &qdrant, &posts).await;
    target.stages.follow()?;
    again.count(&target.stages.redelivered);

    verdict.logs = target.consumer.log_tail();
    let faults = equal.err().map(|difference| format!("{difference:#}")).into_iter().collect();
    let seen = format!("{written} operations, {} posts in the end", posts.count());
    verdict.judge("MongoDB = manifests = chunks = what was written, nothing left behind", seen, faults);
    let letters = site.ledger.dead_letters().await?;
    verdict.hold("dead letters 0", letters == 0, letters.to_string());
    let least = order.amount(HITS, 1);
    let seen: Vec<String> = hits.iter().map(|(name, hits)| format!("{name} {hits}")).collect();
    verdict.hold(
        "every stage was hit",
        hits.len() == STAGES.len() && hits.values().all(|hits| *hits >= least),
        seen.join(", "),
    );
    let seen = format!("at most {} of a partition by one kill, {} in all; prefetch {PREFETCH}", again.most, again.all);
    verdict.hold("reprocessed is at most a prefetch for each kill", again.most <= u64::from(PREFETCH), seen);
    target.consumer.stop().await?;
    producer.stop().await
}

/// Deliveries that came again.
#[derive(Default)]
struct Again {
    most: u64,
    all: u64,
}

impl Again {
    fn count(&mut self, since_a_kill: &BTreeMap<String, u64>) {
        self.most = self.most.max(since_a_kill.values().copied().max().unwrap_or_default());
        self.all += since_a_kill.values().sum::<u64>();
    }
}

/// A writer that writes as much as it may.
struct Writing {
    permits: Arc<Semaphore>,
    task: JoinHandle<Result<(Posts, usize)>>,
}

impl Writing {
    fn start(mut posts: Posts) -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let allowed = Arc::clone(&permits);
        let task = tokio::spawn(async move {
            let mut written = 0;
            while let Ok(permit) = allowed.acquire().await {
                permit.forget();
                posts.write().await?;
                written += 1;
            }
            Ok((posts, written))
        });
        Self { permits, task }
    }

    fn allow(&self, writes: usize) {
        self.permits.add_permits(writes);
    }

    /// Ends it once all is written that may be.
    async fn end(self) -> Result<(Posts, usize)> {
        while self.permits.available_permits() > 0 && !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.permits.close();
        self.task.await?
    }
}

/// The consumer, and what its log says.
struct Target {
    consumer: Service,
    stages: Stages,
    since: Instant,
}

impl Target {
    fn start(mut consumer: Service) -> Result<Self> {
        consumer.launch()?;
        let stages = Stages::of(&consumer.log_file())?;
        Ok(Self { consumer, stages, since: Instant::now() })
    }

    /// Waits until it has made way since its start, then until it is in this stage, and stops it there. It blocks its thread:
    /// the runtime's timers are coarser than some stages are long.
    fn aim(&mut self, stage: &str, writing: &Writing) -> Result<()> {
        let (since, mut more) = (Instant::now(), Instant::now() + MORE_AFTER);
        loop {
            ensure!(since.elapsed() < STAGE_WITHIN, "never at `{stage}`");
            let before = self.stages.acks;
            self.stages.follow()?;
            let rested = self.since.elapsed() >= BATCH_TIMES * self.stages.usual_batch();
            let acknowledged = stage == "ack" && self.stages.acks > before;
            if before >= BATCHES && rested && (acknowledged || self.stages.is_at(stage)) {
                self.consumer.pause()?;
                // It may have gone on before the signal came. An acknowledgement is on its way even then.
                std::thread::sleep(LOOK);
                self.stages.follow()?;
                if acknowledged || self.stages.is_at(stage) {
                    return Ok(());
                }
                self.consumer.resume()?;
            }
            if Instant::now() > more {
                writing.allow(MORE);
                more += MORE_AFTER;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn kill_and_restart(&mut self) -> Result<()> {
        self.consumer.kill9();
        self.stages.follow()?;
        self.stages.forget();
        self.consumer.launch()?;
        self.since = Instant::now();
        Ok(())
    }
}
