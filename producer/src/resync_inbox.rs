//! Requests for a resync, from `twin_cdc.resyncs`: a task of its own looks for them and removes them once they are
//! stored as snapshots. Taken twice, they do no harm.

use std::collections::HashSet;
use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;
use shared::DocumentType;
use shared::resync::{MAX_KEYS, REQUESTS, ResyncRequest};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::error::ProducerError;
use crate::server::answer;
use crate::snapshot_rows::{filter, try_filter};
use source::Source;

/// How often it is looked.
const PACE: Duration = Duration::from_secs(1);
/// Requests taken at once; their keys become part of the checkpoint.
const AT_ONCE: i64 = 2;
/// How long the reason of a refusal is kept.
const KEPT_MILLIS: i64 = 24 * 3600 * 1000;

/// The relay's end: requests come, and the ids of those that it stored go.
#[derive(Debug)]
pub(crate) struct ResyncInbox {
    requests: mpsc::Receiver<ResyncRequest>,
    stored: mpsc::UnboundedSender<Uuid>,
}

impl ResyncInbox {
    /// Looks for requests for these types until dropped.
    pub(crate) fn open(source: Source, types: Vec<DocumentType>) -> Self {
        let (sender, requests) = mpsc::channel(1);
        let (stored, removed) = mpsc::unbounded_channel();
        let requested = source.records(REQUESTS);
        let poll =
            Poll { source, types, requested, sender, removed, passed_on: HashSet::new(), stored: HashSet::new() };
        tokio::spawn(poll.run());
        Self { requests, stored }
    }

    /// Waits for a request. Cancel-safe.
    ///
    /// # Errors
    /// The task is gone.
    pub(crate) async fn next(&mut self) -> Result<ResyncRequest, ProducerError> {
        self.requests.recv().await.ok_or(ProducerError::ReaderEnded)
    }

    /// This request is stored as a snapshot; it may go.
    pub(crate) fn remove(&self, request: Uuid) {
        // Without its task nothing more is taken either, and the turn ends.
        let _ = self.stored.send(request);
    }
}

struct Poll {
    source: Source,
    types: Vec<DocumentType>,
    requested: Collection<Document>,
    sender: mpsc::Sender<ResyncRequest>,
    removed: mpsc::UnboundedReceiver<Uuid>,
    /// Requests that the relay has.
    passed_on: HashSet<Uuid>,
    /// Those of them that are to be removed.
    stored: HashSet<Uuid>,
}

impl Poll {
    async fn run(mut self) {
        let mut due = interval(PACE);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = due.tick() => {}
                Some(stored) = self.removed.recv() => { self.stored.insert(stored); }
                () = self.sender.closed() => return,
            }
            let looked = self.look().await;
            if let Err(error) = &looked
                && !failing
            {
                tracing::warn!(%error, "cannot look for requested resyncs; trying again");
            }
            failing = looked.is_err();
        }
    }

    async fn look(&mut self) -> Result<(), ProducerError> {
        self.remove_stored().await?;
        let open = doc! {"database": self.source.name(), "refused": {"$exists": false}};
        let mut found =
            answer(self.requested.find(open).sort(doc! {"requested_at": 1}).limit(AT_ONCE).into_future()).await?;
        let mut requests = Vec::new();
        while answer(found.advance()).await? {
            requests.push(found.deserialize_current()?);
        }
        for stored in requests {
            match self.examine(&stored).await? {
                Ok(request) if self.passed_on.contains(&request.id) => {}
                Ok(request) => {
                    self.passed_on.insert(request.id);
                    if self.sender.send(request).await.is_err() {
                        return Ok(());
                    }
                }
                Err(problem) => self.refuse(&stored, &problem).await?,
            }
        }
        Ok(())
    }

    async fn remove_stored(&mut self) -> Result<(), ProducerError> {
        while let Ok(stored) = self.removed.try_recv() {
            self.stored.insert(stored);
        }
        if self.stored.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = self.stored.iter().map(Uuid::to_string).collect();
        answer(self.requested.delete_many(doc! {"_id": {"$in": ids}}).into_future()).await?;
        for removed in std::mem::take(&mut self.stored) {
            self.passed_on.remove(&removed);
        }
        Ok(())
    }

    /// The request, or why it cannot be done. Anyone may have written it.
    async fn examine(&self, stored: &Document) -> Result<Result<ResyncRequest, String>, ProducerError> {
        let request: ResyncRequest = match bson::deserialize_from_document(stored.clone()) {
            Ok(request) => request,
            Err(error) => return Ok(Err(format!("it is no request: {error}"))),
        };
        if !self.types.contains(&request.document_type) {
            return Ok(Err(format!("{} is not among the producer's TYPES", request.document_type)));
        }
        if request.is_too_large() {
            return Ok(Err(format!("more than {MAX_KEYS} keys, or more than a megabyte of them")));
        }
        if request.keys.as_ref().is_some_and(|keys| keys.iter().any(|key| key.id().is_none())) {
            return Ok(Err("a key is none of its kind".into()));
        }
        match request.filter.as_deref().map(filter) {
            None => Ok(Ok(request)),
            Some(Err(problem)) => Ok(Err(format!("the filter {problem}"))),
            Some(Ok(filter)) => {
                let tried = try_filter(&self.source, request.document_type, &filter).await?;
                Ok(tried.map(|()| request).map_err(|said| format!("the filter does not run: {said}")))
            }
        }
    }

    async fn refuse(&self, stored: &Document, problem: &str) -> Result<(), ProducerError> {
        refuse(&self.source, stored.get("_id").unwrap_or(&Bson::Null), problem).await
    }
}

/// Leaves the request with the reason, for whoever waits for it; what nobody waited for goes after a day.
///
/// # Errors
/// As MongoDB.
pub(crate) async fn refuse(source: &Source, request: &Bson, problem: &str) -> Result<(), ProducerError> {
    tracing::error!(%request, problem, "a requested resync is refused");
    let (requested, now) = (source.records::<Document>(REQUESTS), DateTime::now());
    let refused = doc! {"$set": {"database": source.name(), "refused": problem, "refused_at": now}};
    answer(requested.update_one(doc! {"_id": request}, refused).upsert(true).into_future()).await?;
    let old = doc! {"database": source.name(), "refused_at": {"$lt": now.saturating_add_millis(-KEPT_MILLIS)}};
    answer(requested.delete_many(old).into_future()).await?;
    Ok(())
}
