//! The lease: one producer at a time, with an epoch that fences its predecessors.
//!
//! Time is the server's (`$$NOW`) where holders compete, and this process's monotonic clock, counted from before the
//! request, where the holder judges itself: it gives up no later than the server gives it away.

use std::sync::Arc;
use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::checkpoint;
use crate::error::{ProducerError, is_duplicate_key};
use crate::source::{Source, answer};

/// How long a lease holds without renewal.
const TTL: Duration = Duration::from_secs(3);
/// How often it is renewed, and how often a standby asks for it.
const RENEWAL: Duration = Duration::from_secs(1);
const STANDBY_POLL: Duration = Duration::from_millis(500);
/// A renewal that takes longer is tried anew.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenure {
    Until(Instant),
    Lost,
}

/// A lease that this process holds. It is renewed in the background until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: Arc<Shared>,
    renewal: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    leases: Collection<Document>,
    database: String,
    epoch: i64,
    tenure: watch::Sender<Tenure>,
}

/// Asks for the lease of this database until it is granted. A standby waits here.
pub(crate) async fn acquire(source: &Source, holder: &str) -> Result<Lease, ProducerError> {
    let leases = source.records("leases");
    ensure(&leases, source).await?;
    let mut standing_by = false;
    loop {
        let asked = Instant::now();
        if let Some(epoch) = timeout(TTL, ask(&leases, source.name(), holder))
            .await
            .map_err(|_| ProducerError::MongoDbTimeout(TTL))??
        {
            tracing::info!(epoch, "lease acquired");
            return Ok(Lease::new(leases, source.name(), epoch, asked + TTL));
        }
        if !standing_by {
            tracing::info!("another producer holds the lease; standing by");
            standing_by = true;
        }
        tokio::time::sleep(STANDBY_POLL).await;
    }
}

/// Takes the lease if it is free or has run out. Returns the new epoch.
async fn ask(leases: &Collection<Document>, database: &str, holder: &str) -> Result<Option<i64>, ProducerError> {
    let free = doc! {"_id": database, "$expr": {"$lte": ["$expires_at", "$$NOW"]}};
    let take = doc! {"$set": {
        "epoch": {"$add": ["$epoch", 1_i64]},
        "holder": {"$literal": holder},
        "acquired_at": "$$NOW",
        "expires_at": {"$add": ["$$NOW", TTL.as_millis() as i64]},
    }};
    let taken = leases.find_one_and_update(free, vec![take]).return_document(ReturnDocument::After).await?;
    Ok(taken.and_then(|lease| lease.get_i64("epoch").ok()))
}

/// Makes a lease that has run out, where there is none: an upsert cannot ask for the server's time. Its epoch is no
/// lower than the checkpoint's, should someone have removed the lease alone.
async fn ensure(leases: &Collection<Document>, source: &Source) -> Result<(), ProducerError> {
    let epoch = checkpoint::read(source).await?.map_or(0, |stored| stored.epoch);
    let new = doc! {"$setOnInsert": {"epoch": epoch, "expires_at": DateTime::from_millis(0)}};
    let ensured = leases.update_one(doc! {"_id": source.name()}, new).upsert(true);
    match answer(ensured.into_future()).await {
        // Another producer made it at the same moment.
        Err(ProducerError::MongoDb(error)) if is_duplicate_key(&error) => Ok(()),
        ensured => ensured.map(drop),
    }
}

impl Lease {
    fn new(leases: Collection<Document>, database: &str, epoch: i64, until: Instant) -> Self {
        let tenure = watch::Sender::new(Tenure::Until(until));
        let shared = Arc::new(Shared { leases, database: database.to_owned(), epoch, tenure });
        let renewal = tokio::spawn(keep(Arc::clone(&shared)));
        Self { shared, renewal }
    }

    /// The number that fences: every take-over has a higher one.
    pub(crate) fn epoch(&self) -> i64 {
        self.shared.epoch
    }

    /// Whether the lease holds at this moment. False also after a pause of this process that was longer than the lease.
    pub(crate) fn holds(&self) -> bool {
        matches!(*self.shared.tenure.borrow(), Tenure::Until(end) if Instant::now() < end)
    }

    /// Renews the lease now: due before anything is published on a new connection.
    ///
    /// # Errors
    /// `LeaseLost`: another producer has it.
    pub(crate) async fn renew(&self) -> Result<(), ProducerError> {
        self.shared.renew().await
    }

    /// Waits until another producer has taken the lease.
    pub(crate) async fn lost(&self) {
        let mut tenure = self.shared.tenure.subscribe();
        // The sender lives as long as this lease.
        let _ = tenure.wait_for(|tenure| *tenure == Tenure::Lost).await;
    }

    /// Gives the lease back, so that the next producer need not wait.
    pub(crate) async fn release(self) -> Result<(), ProducerError> {
        self.renewal.abort();
        let own = doc! {"_id": &self.shared.database, "epoch": self.shared.epoch};
        let free = vec![doc! {"$set": {"expires_at": "$$NOW"}}];
        let released = timeout(RENEWAL_TIMEOUT, self.shared.leases.update_one(own, free).into_future()).await;
        released.map_err(|_| ProducerError::MongoDbTimeout(RENEWAL_TIMEOUT))??;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Shared {
    async fn renew(&self) -> Result<(), ProducerError> {
        let asked = Instant::now();
        let own = doc! {"_id": &self.database, "epoch": self.epoch};
        let prolong = vec![doc! {"$set": {"expires_at": {"$add": ["$$NOW", TTL.as_millis() as i64]}}}];
        let renewed = timeout(RENEWAL_TIMEOUT, self.leases.update_one(own, prolong).into_future()).await;
        let renewed = renewed.map_err(|_| ProducerError::MongoDbTimeout(RENEWAL_TIMEOUT))??;
        if renewed.matched_count == 0 {
            self.tenure.send_replace(Tenure::Lost);
            return Err(ProducerError::LeaseLost);
        }
        self.tenure.send_replace(Tenure::Until(asked + TTL));
        Ok(())
    }
}

async fn keep(shared: Arc<Shared>) {
    let mut due = interval(RENEWAL);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        match shared.renew().await {
            Ok(()) => {}
            Err(ProducerError::LeaseLost) => return,
            Err(error) => tracing::warn!(%error, "lease not renewed; trying again"),
        }
    }
}
