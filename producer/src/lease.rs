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
use crate::holder::Holder;
use crate::server::answer;
use source::Source;

/// How long a lease holds without renewal.
const TTL: Duration = Duration::from_secs(3);
/// How often it is renewed, and how often a standby asks for it at least.
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

/// Asks for the lease of this database until it is granted. A standby waits here, until the lease runs out, is given
/// back, or its holder is seen to be gone; `on_standby` is called first.
pub(crate) async fn acquire(source: &Source, holder: &Holder, on_standby: impl Fn()) -> Result<Lease, ProducerError> {
    let leases = source.records("leases");
    ensure(&leases, source).await?;
    let mut standing_by = false;
    loop {
        let asked = Instant::now();
        let asking = Asking { leases: &leases, database: source.name(), holder };
        let left = match timeout(TTL, asking.ask()).await.map_err(|_| ProducerError::MongoDbTimeout(TTL))?? {
            Answer::Granted(epoch) => {
                tracing::info!(epoch, "lease acquired");
                return Ok(Lease::new(leases, source.name(), epoch, asked + TTL));
            }
            Answer::Held(left) => left,
        };
        if !standing_by {
            tracing::info!("another producer holds the lease; standing by");
            on_standby();
            standing_by = true;
        }
        tokio::time::sleep(left.clamp(Duration::from_millis(1), STANDBY_POLL)).await;
    }
}

enum Answer {
    /// Under this epoch.
    Granted(i64),
    /// For so long, unless it is renewed.
    Held(Duration),
}

/// A request for the lease.
struct Asking<'a> {
    leases: &'a Collection<Document>,
    database: &'a str,
    holder: &'a Holder,
}

impl Asking<'_> {
    async fn ask(&self) -> Result<Answer, ProducerError> {
        if let Some(epoch) = self.take(doc! {"$expr": {"$lte": ["$expires_at", "$$NOW"]}}).await? {
            return Ok(Answer::Granted(epoch));
        }
        let Some(lease) = self.look().await? else { return Ok(Answer::Held(Duration::ZERO)) };
        let former = lease.get_document("process").ok().and_then(Holder::from_document);
        if let (Some(former), Ok(epoch)) = (former, lease.get_i64("epoch"))
            && former.is_gone()
        {
            tracing::warn!(holder = former.name(), epoch, "the lease's holder is gone; taking over");
            // Unless someone else was quicker.
            if let Some(epoch) = self.take(doc! {"epoch": epoch}).await? {
                return Ok(Answer::Granted(epoch));
            }
        }
        let left = lease.get_i64("left").unwrap_or_default().max(0).unsigned_abs();
        Ok(Answer::Held(Duration::from_millis(left)))
    }

    /// Takes the lease if this holds of it. Returns the new epoch.
    async fn take(&self, condition: Document) -> Result<Option<i64>, ProducerError> {
        let mut free = doc! {"_id": self.database};
        free.extend(condition);
        let take = doc! {"$set": {
            "epoch": {"$add": ["$epoch", 1_i64]},
            "holder": {"$literal": self.holder.name()},
            "process": {"$literal": self.holder.to_document()},
            "acquired_at": "$$NOW",
            "expires_at": {"$add": ["$$NOW", TTL.as_millis() as i64]},
        }};
        let taken = self.leases.find_one_and_update(free, vec![take]).return_document(ReturnDocument::After).await?;
        Ok(taken.and_then(|lease| lease.get_i64("epoch").ok()))
    }

    async fn look(&self) -> Result<Option<Document>, ProducerError> {
        let left = doc! {"$set": {"left": {"$subtract": ["$expires_at", "$$NOW"]}}};
        let mut found = self.leases.aggregate([doc! {"$match": {"_id": self.database}}, left]).await?;
        Ok(if found.advance().await? { Some(found.deserialize_current()?) } else { None })
    }
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
