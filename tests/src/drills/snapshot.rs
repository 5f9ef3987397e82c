//! A long first copy under writes, undisturbed and with kills: it goes on where it stood, and no row beats a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::drill::Order;
use super::judge::relayed;
use super::load::{Load, Wrote};
use super::shelf::{Shelf, fill};
use super::site::{Site, within};
use super::verdict::Verdict;
use crate::service::Service;

const DOCUMENTS: usize = 200_000;
const KILLS: usize = 10;
/// Writes a second to documents that come and go, and to those that are being copied.
const RATE: f64 = 150.0;
const SHELF_RATE: f64 = 150.0;
const SHELVES: usize = 5;
/// Rows that the producer reads ahead of what it has stored, of each type.
const CHUNK: usize = 8000;
/// Types with documents: each has a worker.
const WORKERS: usize = 3;
const MOST_LONGER: Duration = Duration::from_secs(3);
const COPIED_WITHIN: Duration = Duration::from_secs(1200);

/// One copy.
struct Copy {
    lasted: Duration,
    rows: usize,
    again: usize,
}

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let (documents, kills) = (order.amount(DOCUMENTS, 3000), order.amount(KILLS, 2));
    verdict.part("undisturbed");
    let undisturbed = copy(order, documents, 0, verdict).await?;
    order.say(format!("undisturbed: {} rows in {:.1?}", undisturbed.rows, undisturbed.lasted));
    let seen = format!("{} rows, {} again, {:.1?}", undisturbed.rows, undisturbed.again, undisturbed.lasted);
    verdict.hold("no row is published twice", undisturbed.again == 0, seen);
    verdict.part("with kills");
    let killed = copy(order, documents, kills, verdict).await?;
    order.say(format!("{kills} kills: {} rows in {:.1?}", killed.rows, killed.lasted));
    let most = CHUNK * WORKERS * kills;
    let seen = format!(
        "{} of {} rows again, {kills} kills (a chunk is {CHUNK} rows, {WORKERS} workers)",
        killed.again, killed.rows
    );
    verdict.hold("a kill repeats one chunk a worker at most", killed.again <= most, seen);
    let longer = killed.lasted.saturating_sub(undisturbed.lasted);
    let seen = format!(
        "{:.1?} with {kills} kills, {:.1?} without: {:.1} s a kill",
        killed.lasted,
        undisturbed.lasted,
        longer.as_secs_f64() / kills as f64
    );
    verdict.hold("a kill costs 3 s at most", longer <= order.allowance(MOST_LONGER) * kills as u32, seen);
    Ok(())
}

/// Copies everything on a site of its own, killing so often in between, and judges what was relayed.
async fn copy(order: &Order, documents: usize, kills: usize, verdict: &mut Verdict) -> Result<Copy> {
    let site = Site::new(order).await?.without_consumer();
    let shelves = fill(&site, order, documents, SHELVES).await?;
    order.say(format!("{documents} documents are there"));
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    let begun = Instant::now();
    // What is written from T0 on is relayed as a change.
    within(COPIED_WITHIN, "T0 is stored", || async { site.reached().await.is_some() })
        .await
        .with_context(|| producer.log_tail())?;
    let load = Load::start(&site, order, RATE).await?;
    let ended = Arc::new(AtomicBool::new(false));
    let mut scribbling = JoinSet::new();
    for shelf in shelves {
        scribbling.spawn(shelf.scribble(Duration::from_secs_f64(SHELVES as f64 / SHELF_RATE), Arc::clone(&ended)));
    }
    for kill in 1..=kills {
        let share = documents * kill / (kills + 1);
        until(&producer, "so many rows are published", || site.ledger.rows().1 >= share).await?;
        producer.kill9();
        site.restart(&mut producer).await?;
        order.say(format!("kill {kill} of {kills} at {share} rows"));
    }
    until(&producer, "everything is swept", || site.has_swept()).await?;
    let lasted = begun.elapsed();
    ended.store(true, Ordering::Relaxed);
    let mut wrote = load.end().await?;
    while let Some(shelf) = scribbling.join_next().await {
        add(&mut wrote, shelf??);
    }
    relayed(&site, &wrote, verdict).await?;
    verdict.logs = producer.log_tail();
    let (rows, firsts) = site.ledger.rows();
    Ok(Copy { lasted, rows: firsts, again: rows - firsts })
}

async fn until(producer: &Service, what: &str, holds: impl Fn() -> bool) -> Result<()> {
    within(COPIED_WITHIN, what, || async { holds() }).await.with_context(|| producer.log_tail())
}

fn add(wrote: &mut Wrote, shelf: Shelf) {
    wrote.count += shelf.written.values().map(|written| written.len() as u64).sum::<u64>();
    wrote.written.extend(shelf.written);
    wrote.live.extend(shelf.live.into_iter().collect::<BTreeMap<_, _>>());
}
