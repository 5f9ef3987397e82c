//! One run: quiet beginning, faults, quiet end, judgement.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use local::Installation;
use mongodb::Client;
use retrieval::Searcher;
use shared::embedding::Embedder;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::fault::{Faults, Schedule};
use super::history::History;
use super::judgement::check;
use super::ledger::Ledger;
use super::reader::Reader;
use super::report::{Band, Report};
use super::sampler::{Pids, Samples};
use super::site::{DATABASE, PARTITIONS, Site, writable};
use super::verdict::{equal, findable};
use super::writer::Writer;
use crate::audit::Audit;

/// How long the pipeline may take to come to rest.
const REST: Duration = Duration::from_secs(240);

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides on every write and every fault. Odd seeds run two producers and two consumers.
    pub seed: u64,
    /// How long there are writes and faults.
    pub duration: Duration,
    /// Which faults.
    pub faults: Faults,
    /// Writes a second.
    pub rate: f64,
    /// Where the programs are.
    pub programs: PathBuf,
    /// Says what goes on.
    pub say: fn(&str),
}

/// Carries a run out. An error is a run that could not be judged; a broken promise is in the report.
///
/// # Errors
/// A server does not start or restart.
pub async fn run(plan: &Plan, installation: &Installation, embedder: &Embedder) -> Result<Report> {
    let instances = if plan.seed % 2 == 1 { 2 } else { 1 };
    (plan.say)("servers start");
    let mut site = Site::new(installation, &plan.programs, instances).await?;
    let client = site.client().await?;
    writable(&client).await?;
    let ledger = Ledger::open(site.rabbitmq.uri(), PARTITIONS).await?;
    let history = History::default();
    let mut writer = Writer::new(&client, DATABASE, plan.seed, history.clone()).await?;
    writer.preload().await?;
    site.start()?;
    let qdrant = qdrant_client::Qdrant::from_url(site.qdrant.uri()).skip_compatibility_check().build()?;
    let rest = Rest { client: &client, qdrant: &qdrant, history: &history };
    (plan.say)("the first documents are indexed");
    rest.reached().await.with_context(|| format!("before any fault\n{}", site.logs()))?;

    let searcher = Arc::new(Searcher::new(qdrant.clone(), embedder.clone()));
    let begun = Instant::now();
    let samples = Samples::default();
    let counts = {
        let (history, ledger) = (history.clone(), ledger.counter());
        move || (history.records().count, ledger() as u64)
    };
    let sampling = tokio::spawn(samples.clone().take(begun, counts));
    let reader = Reader::start(Arc::clone(&searcher), history.clone());
    let writing = tokio::spawn(write(writer, plan.rate, begun + plan.duration));
    let bands = disturb(plan, &mut site, &ledger, &client, &samples, begun).await?;
    writing.await??;

    (plan.say)("no more writes or faults; coming to rest");
    let ended = Instant::now();
    let audit = rest.reached().await;
    let rested = ended.elapsed();
    let sightings = reader.sightings();
    drop(reader);
    let mut report = Report::new(plan, instances, begun, bands, &samples.all(), &sightings, site.stages.clone());
    match audit {
        Ok(audit) => report.hold_index(&audit, rested),
        Err(difference) => report.fail("index equals source", format!("{difference:#}")),
    }
    match findable(&searcher, &history).await {
        Ok(questions) => report.hold_markers(questions),
        Err(difference) => report.fail("every marker where it belongs", format!("{difference:#}")),
    }
    // The ledger's last entries may still be on their way to it.
    ledger.settle(Duration::from_secs(1)).await;
    {
        let records = history.records();
        report.hold_ledger(check(&ledger.entries(), &records.written), records.count);
    }
    report.hold_dead_letters(ledger.dead_letters().await);
    sampling.abort();
    if !report.held() {
        report.logs = site.logs();
    }
    Ok(report)
}

/// Writes at a rate, and goes on a little where MongoDB held it up: what is missed is not made up for.
async fn write(mut writer: Writer, rate: f64, until: Instant) -> Result<()> {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        ticks.tick().await;
        writer.write().await?;
    }
    Ok(())
}

/// One fault after another until the time is up. What was broken is mended when it returns.
async fn disturb(
    plan: &Plan,
    site: &mut Site,
    ledger: &Ledger,
    client: &Client,
    samples: &Samples,
    begun: Instant,
) -> Result<Vec<Band>> {
    let (mut schedule, mut bands) = (Schedule::new(plan.seed, &plan.faults), Vec::new());
    let left = || plan.duration.saturating_sub(begun.elapsed());
    loop {
        samples.watch(pids(site));
        let planned = match schedule.next() {
            Some(planned) if planned.after < left() => planned,
            Some(_) | None => {
                sleep(left()).await;
                return Ok(bands);
            }
        };
        sleep(planned.after).await;
        (plan.say)(&format!("{:>5.0} s  {}", begun.elapsed().as_secs_f64(), planned.fault.name()));
        let from = begun.elapsed();
        let suffered = site.suffer(planned, ledger, client).await;
        bands.push(Band { fault: planned.fault, from, to: begun.elapsed() });
        suffered.with_context(|| planned.fault.name())?;
    }
}

fn pids(site: &Site) -> Pids {
    let of = |programs: &[local::Program]| programs.iter().filter_map(local::Program::pid).collect();
    let qdrant = site.qdrant.pid().into_iter().collect();
    Pids { producers: of(&site.producers), consumers: of(&site.consumers), qdrant }
}

/// Waits for the pipeline to come to rest with the index equal to the source.
struct Rest<'a> {
    client: &'a Client,
    qdrant: &'a qdrant_client::Qdrant,
    history: &'a History,
}

impl Rest<'_> {
    async fn reached(&self) -> Result<Audit> {
        let since = Instant::now();
        let database = self.client.database(DATABASE);
        loop {
            match equal(&database, self.qdrant, self.history).await {
                Ok(audit) => return Ok(audit),
                Err(difference) if since.elapsed() > REST => bail!("not within {REST:?}: {difference:#}"),
                Err(_) => sleep(Duration::from_millis(500)).await,
            }
        }
    }
}
