//! The write protocol: changes to points, so that a reader never sees half a document, nothing newer is overwritten,
//! and nothing is left behind, whoever is killed when. Tried by `tests/tests/suite/executions.rs`.
//!
//! 1. Read what stands. A change that is not newer is not applied.
//! 2. Write its new chunks; no reader believes in them yet.
//! 3. Compare-and-set its manifest from the revision that was read.
//! 4. Read back. An older one stands: begin again. A newer one stands: what we wrote and it does not list is stale.
//!    Ours stands: what the former one listed, and what we wrote and it does not list, is stale.
//! 5. Stale chunks are returned to the caller, who deletes them after the grace and before the acknowledgement.

mod write;

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::time::Duration;

use shared::dead_letter::{DeadLetterError, Postmark};
use shared::shutdown::CancellationToken;
use shared::{ChangeEvent, DocumentType, Identity, Operation};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::change::{Change, Message};
use crate::clean::bounded;
use crate::error::{PartitionError, StoreError};
use crate::origin::Origin;
use crate::patience::{Patience, Rounds};
use crate::plan::{Plan, plan};
use crate::prepare::{Content, Unindexable, prepare};
use crate::store::{Standing, VectorStore};
use crate::telemetry::{self, stage};
use crate::vectors::Vectors;
use write::{Part, ROUND_CHUNKS};

/// Bytes of the reason in a record that says why its document is not indexed.
const MAX_ERROR: usize = 4096;

/// Bytes of a document's name in a line of the log.
const MAX_SHOWN: usize = 300;

/// Where a message goes that cannot be applied.
pub trait DeadLetters: Send + Sync {
    /// Returns once the dead letter is confirmed.
    fn send(&self, message: &Message, postmark: Postmark) -> impl Future<Output = Result<(), DeadLetterError>> + Send;
}

/// Applies changes to one index.
pub struct Synchronizer<S> {
    store: S,
    vectors: Vectors,
    fingerprint: String,
    patience: Patience,
    origin: Origin,
    trial: Mutex<()>,
}

/// A change on its way through the protocol.
struct Work {
    change: Change,
    /// Whether chunks may be there that no record lists: an earlier attempt's, or a damaged record's.
    leftovers: bool,
    /// Known once the change was found to be newer than what stands.
    content: Option<Content>,
    /// Why it must not be tried at all.
    charge: Option<Unindexable>,
    /// Ids written in *any* attempt: a lost compare-and-set must not forget what it wrote.
    written: BTreeSet<Uuid>,
}

impl Work {
    fn identity(&self) -> &Identity {
        &self.change.identity
    }

    /// A repair, which is a row of a resync, is applied at its own revision too: the record may be right and the chunks
    /// damaged. So is any change to a record that is damaged itself.
    fn is_newer_than(&self, standing: &Standing) -> bool {
        let event = &self.change.event;
        // A change of the stream that a repair was folded into is none at its own revision (execution 17).
        let repairs = (event.repair && event.revision.index() == 0) || standing.damaged;
        event.revision > standing.revision() || (repairs && event.revision == standing.revision())
    }
}

impl<S: VectorStore> Synchronizer<S> {
    /// A synchronizer; `fingerprint` tells chunks of this model and pipeline from all others. After `shutdown` it waits
    /// no more for a store that is away.
    pub fn new(store: S, vectors: Vectors, fingerprint: String, shutdown: CancellationToken) -> Self {
        let (patience, origin, trial) = (Patience::new(shutdown), Origin::default(), Mutex::default());
        Self { store, vectors, fingerprint, patience, origin, trial }
    }

    /// The same, giving the store less time than the ten minutes.
    #[must_use]
    pub fn waiting(self, limit: Duration) -> Self {
        Self { patience: self.patience.lasting(limit), ..self }
    }

    /// How long others are waited for.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Applies the changes of one batch, at most one a document. Returns the chunks that are stale from now on.
    ///
    /// # Errors
    /// [`PartitionError`]: nothing of the batch may be acknowledged then; applying it again is safe.
    pub async fn apply(
        &self,
        changes: Vec<Change>,
        dead_letters: &impl DeadLetters,
    ) -> Result<BTreeSet<Uuid>, PartitionError> {
        self.work_off(changes.into_iter().map(Work::from).collect(), dead_letters).await
    }

    /// A change that must not be tried any more becomes a dead letter, and its document's record says why.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub(crate) async fn condemn(
        &self,
        change: Change,
        charge: Unindexable,
        dead_letters: &impl DeadLetters,
    ) -> Result<BTreeSet<Uuid>, PartitionError> {
        self.work_off(vec![Work { charge: Some(charge), ..Work::from(change) }], dead_letters).await
    }

    async fn work_off(
        &self,
        mut open: Vec<Work>,
        dead_letters: &impl DeadLetters,
    ) -> Result<BTreeSet<Uuid>, PartitionError> {
        let (mut stale, mut rounds) = (BTreeSet::new(), Rounds::default());
        while !open.is_empty() {
            rounds.next(&self.patience).await?;
            let reading = stage("read");
            let standings = self.read(open.iter().map(Work::identity)).await?;
            drop(reading);
            let (newer, settled): (Vec<Work>, Vec<Work>) =
                open.into_iter().partition(|work| work.is_newer_than(&standings[work.identity()]));
            for work in settled {
                stale.extend(self.leftovers(work.identity(), &standings[work.identity()], work.leftovers).await?);
                stale.extend(work.written.difference(&standings[work.identity()].listed()));
            }
            open = self.write_in_rounds(newer, &standings, &mut stale, dead_letters).await?;
        }
        Ok(stale)
    }

    /// Prepares and writes the changes in rounds of not many chunks: the first documents of a long batch are found
    /// before its last ones are embedded, and what is held in memory is bounded. Returns the works that must begin
    /// again.
    async fn write_in_rounds(
        &self,
        works: Vec<Work>,
        standings: &HashMap<Identity, Standing>,
        stale: &mut BTreeSet<Uuid>,
        dead_letters: &impl DeadLetters,
    ) -> Result<Vec<Work>, PartitionError> {
        let (mut open, mut round, mut chunks) = (Vec::new(), Vec::new(), 0);
        for work in works {
            let standing = &standings[work.identity()];
            let (work, plan) = self.prepare(work, standing, dead_letters).await?;
            chunks += plan.new_chunks.len();
            round.push((work, plan));
            if chunks >= ROUND_CHUNKS {
                open.extend(self.write(std::mem::take(&mut round), stale, dead_letters).await?);
                chunks = 0;
                if self.patience.is_over() {
                    return Err(StoreError::Interrupted.into());
                }
            }
        }
        open.extend(self.write(round, stale, dead_letters).await?);
        Ok(open)
    }

    /// Why a message is not for this index, if it is not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn refuses(&self, message: &Message) -> Result<Option<Postmark>, StoreError> {
        self.origin.refuses(message, &self.store, &self.patience).await
    }

    /// Waits until no other partition tries a suspect: they share a process, and what ends it would be counted against
    /// all that are being tried.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] where the consumer is to end before.
    pub(crate) async fn turn(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.patience.unless_overdue(self.trial.lock()).await.ok_or(StoreError::Interrupted)
    }

    /// As [`VectorStore::trials`].
    pub(crate) async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.patience.ask("read trials", || self.store.trials(partition, message)).await
    }

    /// As [`VectorStore::set_trials`].
    pub(crate) async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.patience.ask("write trials", || self.store.set_trials(partition, message, trials)).await
    }

    pub(crate) async fn read(
        &self,
        identities: impl Iterator<Item = &Identity>,
    ) -> Result<HashMap<Identity, Standing>, StoreError> {
        let identities: Vec<Identity> = identities.cloned().collect();
        self.patience.ask("read records", || self.store.standings(&identities)).await
    }

    /// Cleans, chunks and plans. What cannot be indexed is a dead letter *before* its manifest says so: a kill in
    /// between repeats the letter, the other order would lose it.
    async fn prepare(
        &self,
        mut work: Work,
        standing: &Standing,
        dead_letters: &impl DeadLetters,
    ) -> Result<(Work, Plan), PartitionError> {
        let _preparing = stage("prepare");
        let content = match (work.content.take(), work.charge.take()) {
            (Some(content), _) => content,
            (None, Some(charge)) => refuse(&work, charge, dead_letters).await?,
            (None, None) => match self.content_of(&mut work.change).await? {
                Ok(content) => content,
                Err(fault) => refuse(&work, fault, dead_letters).await?,
            },
        };
        work.leftovers |= standing.damaged;
        let plan = plan(&work.change, &content, standing, &self.fingerprint);
        work.content = Some(content);
        let plan = plan.map_err(|_| StoreError::Damaged("record"))?;
        telemetry::reused(plan.kept);
        Ok((work, plan))
    }

    /// The document is moved out of the change and gone when this returns: its content is all that is asked for again.
    async fn content_of(&self, change: &mut Change) -> Result<Result<Content, Unindexable>, PartitionError> {
        let document = change.event.document.take();
        let (identity, event) = (change.identity.clone(), ChangeEvent { document, ..change.event.clone() });
        let tokens = self.vectors.embedder().tokens().clone();
        match tokio::task::spawn_blocking(move || prepare(&identity, &event, &tokens)).await {
            Ok(content) => Ok(content),
            // The same document would end every consumer that takes it.
            Err(error) if error.is_panic() => {
                Ok(Err(Unindexable { reason: "crash", stage: "clean", error: error.to_string() }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Steps 2 to 4. Returns the works that must begin again.
    async fn write(
        &self,
        planned: Vec<(Work, Plan)>,
        stale: &mut BTreeSet<Uuid>,
        dead_letters: &impl DeadLetters,
    ) -> Result<Vec<Work>, PartitionError> {
        let (mut open, mut accepted) = (Vec::new(), planned);
        for part in [Part::Chunks, Part::Records] {
            let mut written = Vec::with_capacity(accepted.len());
            for ((mut work, plan), refusal) in self.isolate(part, accepted).await? {
                work.written.extend(plan.new_chunks.iter().map(|chunk| chunk.id));
                match refusal {
                    None => written.push((work, plan)),
                    Some(fault) => {
                        work.content = Some(refuse(&work, fault, dead_letters).await?);
                        open.push(work);
                    }
                }
            }
            accepted = written;
        }
        let reading = stage("read back");
        let standings = self.read(accepted.iter().map(|(work, _)| work.identity())).await?;
        drop(reading);
        for (work, plan) in accepted {
            let standing = &standings[work.identity()];
            match standing.revision().cmp(&work.change.event.revision) {
                // It lists nothing that can be believed: what we wrote may be what it listed.
                _ if standing.damaged => open.push(work),
                // Whoever wrote it, it stands.
                std::cmp::Ordering::Equal => {
                    let leftovers = self.leftovers(work.identity(), standing, work.leftovers).await?;
                    stale.extend(leftovers);
                    stale.extend(plan.former.union(&work.written).filter(|id| !standing.listed().contains(id)));
                }
                // Nothing is deleted: another consumer may be about to list what we wrote (execution 16). A newer one
                // that stands is met again at the next read, where our ids that it does not list become stale.
                std::cmp::Ordering::Less | std::cmp::Ordering::Greater => open.push(work),
            }
        }
        Ok(open)
    }

    /// Where an earlier attempt, or a record that was damaged, may have left chunks: those that the record does not
    /// list. Scrolled *after* it was read, and only up to its revision: what is newer belongs to a change that is still
    /// being written. A record that is damaged still lists nothing that could be told from them.
    pub(crate) async fn leftovers(
        &self,
        identity: &Identity,
        standing: &Standing,
        suspected: bool,
    ) -> Result<BTreeSet<Uuid>, StoreError> {
        if !suspected || standing.damaged || identity.document_type == DocumentType::Users {
            return Ok(BTreeSet::new());
        }
        let held = self.patience.ask("scroll chunks", || self.store.chunks_of(identity)).await?;
        Ok(standing.unlisted(held))
    }

    /// Deletes stale chunks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, stale: &BTreeSet<Uuid>) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = stale.iter().copied().collect();
        self.patience.ask("delete chunks", || self.store.delete_chunks(&ids)).await?;
        telemetry::deleted(ids.len());
        Ok(())
    }
}

impl From<Change> for Work {
    fn from(change: Change) -> Self {
        // A resync by keys is asked for where something is amiss: what no record lists has to go too. It relays what is
        // there as repairs, and what is not as deletes at T0.
        let event = &change.event;
        let by_key = event.repair || (event.operation == Operation::Delete && event.revision.index() == 0);
        let leftovers = change.redelivered || by_key;
        Self { leftovers, change, content: None, charge: None, written: BTreeSet::new() }
    }
}

/// The change becomes a dead letter. Returns what stands for its document then: no content, and why.
async fn refuse(work: &Work, fault: Unindexable, dead_letters: &impl DeadLetters) -> Result<Content, PartitionError> {
    let partition = None;
    let error = bounded(&format!("{}: {}", fault.stage, fault.error), MAX_ERROR).to_owned();
    if matches!(work.content, Some(Content::Failed(_))) {
        // Not the document's fault then: nothing is smaller than this record.
        let document = bounded(&work.identity().to_string(), MAX_SHOWN).to_owned();
        return Err(PartitionError::RefusesAll { document, error });
    }
    let attempts = work.change.message.attempts();
    let postmark = Postmark { reason: fault.reason, stage: fault.stage, error: fault.error, attempts, partition };
    // Both may hold what somebody else wrote: bounded and, by `Debug`, on one line.
    let document = work.identity().to_string();
    let document = bounded(&document, MAX_SHOWN);
    tracing::warn!(?document, revision = %work.change.event.revision, ?error, "dead letter");
    dead_letters.send(&work.change.message, postmark).await?;
    Ok(Content::Failed(error))
}
