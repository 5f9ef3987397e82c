//! Writers at a rate, that know what they wrote.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::drill::Order;
use super::site::Site;
use crate::chaos::document::{Collection, Key};
use crate::chaos::history::{Act, History, Written};
use crate::chaos::writer::Writer;

/// Writes a second of one writer; each waits for MongoDB's answer before its next.
const RATE_OF_ONE: f64 = 60.0;

/// Several writers, each with documents of its own.
pub(crate) struct Load {
    histories: Vec<History>,
    writing: JoinSet<Result<()>>,
    ended: Arc<AtomicBool>,
    begun: Instant,
}

/// All that was written.
#[derive(Debug, Default)]
pub(crate) struct Wrote {
    /// Acknowledged writes by document, in order.
    pub(crate) written: BTreeMap<Key, Vec<Written>>,
    /// The version of what stands in the end.
    pub(crate) live: BTreeMap<Key, i64>,
    /// How many writes.
    pub(crate) count: u64,
    /// In how long.
    pub(crate) lasted: Duration,
}

impl Wrote {
    /// Writes a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.lasted.as_secs_f64()
    }

    /// A document that the drill itself inserted, with version 1.
    pub(crate) fn insert(&mut self, key: Key) {
        self.written.insert(key.clone(), vec![Written { act: Act::Insert, version: 1 }]);
        self.live.insert(key, 1);
        self.count += 1;
    }
}

impl Load {
    /// Begins to write posts, so many a second.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub(crate) async fn start(site: &Site, order: &Order, rate: f64) -> Result<Self> {
        Self::of(site, order, rate, &[Collection::Posts]).await
    }

    /// The same with documents of these collections.
    ///
    /// # Errors
    /// As [`Load::start`].
    pub(crate) async fn of(site: &Site, order: &Order, rate: f64, collections: &'static [Collection]) -> Result<Self> {
        let writers = (rate / RATE_OF_ONE).ceil().max(1.0);
        let (mut histories, mut writing) = (Vec::new(), JoinSet::new());
        let ended = Arc::new(AtomicBool::new(false));
        for place in 0..writers as u64 {
            let history = History::default();
            let seed = order.seed * 1000 + place;
            let writer = Writer::new(&site.client, site.database.name(), seed, history.clone()).await?;
            histories.push(history);
            let writer = writer.among_others(place).only(collections);
            writing.spawn(write(writer, Duration::from_secs_f64(writers / rate), Arc::clone(&ended)));
        }
        Ok(Self { histories, writing, ended, begun: Instant::now() })
    }

    /// Writes acknowledged so far.
    pub(crate) fn count(&self) -> u64 {
        self.histories.iter().map(|history| history.records().count).sum()
    }

    /// Ends it once every write under way is acknowledged.
    ///
    /// # Errors
    /// A writer failed.
    pub(crate) async fn end(mut self) -> Result<Wrote> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writing.join_next().await {
            ended??;
        }
        let mut wrote = Wrote { lasted: self.begun.elapsed(), ..Wrote::default() };
        for history in &self.histories {
            let records = std::mem::take(&mut *history.records());
            wrote.written.extend(records.written);
            wrote.live.extend(records.live.into_iter().map(|(key, content)| (key, content.version)));
            wrote.count += records.count;
        }
        Ok(wrote)
    }
}

/// One writer. What MongoDB held up for a moment is made up for, so that the rate stands.
async fn write(mut writer: Writer, pace: Duration, ended: Arc<AtomicBool>) -> Result<()> {
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !ended.load(Ordering::Relaxed) {
        ticks.tick().await;
        writer.write().await?;
    }
    Ok(())
}
