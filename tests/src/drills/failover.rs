//! The primary is killed and told to step down, under a load and on idle streams.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use local::{MongoDb, MongoDbOptions, ReplicaSet};
use mongodb::Client;
use tokio::time::{sleep, timeout};

use super::drill::Order;
use super::judge::{percentiles, relayed};
use super::load::Load;
use super::site::{PATIENCE, Site, within};
use super::verdict::Verdict;
use crate::chaos::document::{Collection, Id, Key};
use crate::cpu::Meter;
use crate::service::Service;

const RATE: f64 = 50.0;
const ROUNDS: usize = 4;
const IDLE: Duration = Duration::from_secs(35);
const PUBLISHING_WITHIN: Duration = Duration::from_secs(5);
const MEASURED_IDLE: Duration = Duration::from_secs(30);
const REOPENED: &str = "twin_producer_stream_reopened_total";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Kill,
    StepDown,
}

/// What the rounds saw.
#[derive(Default)]
struct Seen {
    markers: Vec<Key>,
    busy: Vec<Duration>,
    idle: Vec<Duration>,
    reopened: Vec<Reopened>,
}

/// How often the stream was reopened in one round.
#[derive(Clone, Copy)]
struct Reopened {
    times: f64,
    within: Duration,
}

impl fmt::Display for Reopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:.0?}", self.times, self.within)
    }
}

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let mut set = MongoDb::start_replica_set(&order.installation, 3, MongoDbOptions::default()).await?;
    let site = Site::on_mongodb(order, &set.uri()).await?.without_consumer();
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    site.swept(&producer).await?;
    let rounds = order.amount(ROUNDS, 1);
    let mut seen = Seen::default();
    let load = Load::start(&site, order, RATE).await?;
    for round in 0..2 * rounds {
        let after = fail(&mut set, &site, &producer, &mut seen, failure(round), Duration::ZERO).await?;
        order.say(format!("{:?} under load: publishing {after:.2?} after a new primary", failure(round)));
        seen.busy.push(after);
    }
    let mut wrote = load.end().await?;
    for round in 0..2 * rounds {
        let idle = order.lasting(IDLE, Duration::from_secs(3));
        let after = fail(&mut set, &site, &producer, &mut seen, failure(round), idle).await?;
        order.say(format!("{:?} on an idle stream: publishing {after:.2?} after a new primary", failure(round)));
        seen.idle.push(after);
    }
    let meter = Meter::start([producer.pid()?])?;
    sleep(order.lasting(MEASURED_IDLE, Duration::from_secs(8))).await;
    let used = meter.read()?;
    seen.markers.iter().for_each(|marker| wrote.insert(marker.clone()));
    relayed(&site, &wrote, verdict).await?;
    verdict.logs = producer.log_tail();
    for (what, durations) in [("under load", &seen.busy), ("on idle streams", &seen.idle)] {
        let longest = durations.iter().max().copied().unwrap_or_default();
        let what = format!("{what}, publishing within 5 s of a new primary");
        verdict.hold(what, longest <= order.allowance(PUBLISHING_WITHIN), percentiles(durations).1);
    }
    let too_often = |reopened: &&Reopened| reopened.times > reopened.within.as_secs_f64().ceil() + 1.0;
    let faults = seen.reopened.iter().filter(too_often).map(ToString::to_string).collect();
    let most = seen.reopened.iter().copied().max_by(|one, other| one.times.total_cmp(&other.times));
    verdict.judge(
        "the stream is reopened once a second at most",
        most.map_or(String::new(), |most| format!("at most {most}")),
        faults,
    );
    let share = used.cpu[0] / used.seconds * 100.0;
    verdict.hold(
        "idle, it takes less than 1% of a core",
        share < 1.0,
        format!("{share:.2}% over {:.0} s", used.seconds),
    );
    Ok(())
}

fn failure(round: usize) -> Failure {
    if round.is_multiple_of(2) { Failure::Kill } else { Failure::StepDown }
}

/// One failure, after nothing has happened for a while: how long after a new primary took a write that write was published.
async fn fail(
    set: &mut ReplicaSet,
    site: &Site,
    producer: &Service,
    seen: &mut Seen,
    failure: Failure,
    idle: Duration,
) -> Result<Duration> {
    within(PATIENCE, "all nodes are well", || async { all_well(&site.client).await.unwrap_or(false) }).await?;
    sleep(idle).await;
    let (since, reopened) = (Instant::now(), producer.counter(REOPENED).await?);
    let former = set.primary().await?;
    match failure {
        Failure::Kill => set.nodes()[former].kill9().await?,
        Failure::StepDown => {
            let step_down = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 2 };
            // It may end the connection with its office.
            timeout(Duration::from_secs(3), site.client.database("admin").run_command(step_down)).await.ok();
        }
    }
    let marker = Key { collection: Collection::Posts, id: Id::Str(format!("marker {}", seen.markers.len())) };
    let accepted = insert(set, site, &marker).await?;
    let published = site.ledger.change_of(&marker.to_string(), PATIENCE).await.with_context(|| producer.log_tail())?;
    seen.markers.push(marker);
    seen.reopened.push(Reopened { times: producer.counter(REOPENED).await? - reopened, within: since.elapsed() });
    if failure == Failure::Kill {
        set.rejoin(former)?;
    }
    Ok(published.saturating_duration_since(accepted))
}

/// Writes to the new primary by its own port, so that no client of ours has to find it; when it took the write.
async fn insert(set: &mut ReplicaSet, site: &Site, marker: &Key) -> Result<Instant> {
    let since = Instant::now();
    loop {
        let primary = set.primary().await?;
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true&w=1", set.nodes()[primary].port());
        let posts = Client::with_uri_str(uri).await?.database(site.database.name()).collection::<Document>("posts");
        let document = doc! { "_id": marker.id.bson(), "version": 1_i64, "content": "a marker" };
        match posts.insert_one(document).await {
            Ok(_) => return Ok(Instant::now()),
            Err(error) => ensure!(since.elapsed() < PATIENCE, "no primary takes a write: {error}"),
        }
    }
}

/// One primary, the first node (which has the highest priority, so that no election is still to come), and two secondaries.
async fn all_well(client: &Client) -> Result<bool> {
    let status =
        timeout(Duration::from_secs(3), client.database("admin").run_command(doc! { "replSetGetStatus": 1 })).await??;
    let members = status.get_array("members")?.iter().filter_map(bson::Bson::as_document);
    let states: Vec<i32> = members.filter_map(|member| member.get_i32("state").ok()).collect();
    Ok(states == [1, 2, 2])
}
