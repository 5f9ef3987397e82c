//! Writing what plans hold: together where that works, document by document where the store or the model refuses it, so
//! that a poison document is alone with its fault.

use qdrant_client::qdrant::PointStruct;

use super::Synchronizer;
use crate::error::{Fault, PartitionError, StoreError, embed_fault};
use crate::plan::{NewChunk, Plan};
use crate::prepare::Unindexable;
use crate::store::{Swap, VectorStore};
use crate::telemetry::{self, stage};

/// New chunks that end a round, and the most that are embedded and written at once; about ten seconds of a core.
pub(super) const ROUND_CHUNKS: usize = 512;

/// What is written of a plan, in this order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// Its new chunks, embedded first.
    Chunks,
    /// The compare-and-set of its record.
    Records,
}

impl<S: VectorStore> Synchronizer<S> {
    /// Writes a part of all plans at once; where that is refused for good, document by document, so that a poison
    /// document is alone with its fault.
    pub(super) async fn isolate<W>(
        &self,
        part: Part,
        planned: Vec<(W, Plan)>,
    ) -> Result<Vec<((W, Plan), Option<Unindexable>)>, PartitionError> {
        let together: Vec<&Plan> = planned.iter().map(|(_, plan)| plan).collect();
        if self.write_part(part, &together).await?.is_none() {
            return Ok(planned.into_iter().map(|pair| (pair, None)).collect());
        }
        let mut results = Vec::with_capacity(planned.len());
        for (work, plan) in planned {
            let refusal = self.write_part(part, &[&plan]).await?;
            results.push(((work, plan), refusal));
        }
        Ok(results)
    }

    async fn write_part(&self, part: Part, plans: &[&Plan]) -> Result<Option<Unindexable>, PartitionError> {
        match part {
            Part::Chunks => self.write_chunks(plans).await,
            Part::Records => self.write_records(plans).await,
        }
    }

    async fn write_chunks(&self, plans: &[&Plan]) -> Result<Option<Unindexable>, PartitionError> {
        let chunks: Vec<&NewChunk> = plans.iter().flat_map(|plan| &plan.new_chunks).collect();
        telemetry::batch_chunks(chunks.len());
        for (number, some) in chunks.chunks(ROUND_CHUNKS).enumerate() {
            // What is written already is found by the next attempt, which embeds none of it again.
            if number > 0 && self.patience.is_over() {
                return Err(StoreError::Interrupted.into());
            }
            let points = match self.embed(some, plans.len() == 1).await? {
                Ok(points) => points,
                Err(fault) => return Ok(Some(fault)),
            };
            let _writing = stage("write chunks");
            let put = self.patience.ask("write chunks", || self.store.put_chunks(points.clone())).await;
            if let Some(fault) = unless_refused(put)? {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    /// A document that is tried alone is at fault if the model fails on it twice and works in between. Of several, any
    /// may be: they are tried alone next.
    async fn embed(
        &self,
        chunks: &[&NewChunk],
        alone: bool,
    ) -> Result<Result<Vec<PointStruct>, Unindexable>, PartitionError> {
        let _embedding = stage("embed");
        let ids = self.vectors.to_be_read(chunks);
        let held = self.patience.ask("read vectors", || self.store.dense_vectors(&ids)).await?;
        let mut failures = 0;
        loop {
            let error = match self.vectors.points(chunks, &held).await {
                Ok(points) => return Ok(Ok(points)),
                Err(error) => error,
            };
            failures += 1;
            if alone && embed_fault(&error, &self.vectors.probe().await) == Fault::Transient {
                return Err(error.into());
            }
            if !alone || failures == 2 {
                return Ok(Err(refused("embed", &error)));
            }
        }
    }

    async fn write_records(&self, plans: &[&Plan]) -> Result<Option<Unindexable>, PartitionError> {
        let _writing = stage("write manifests");
        let swaps: Vec<Swap> = plans.iter().map(|plan| plan.swap.clone()).collect();
        unless_refused(self.patience.ask("write records", || self.store.swap(&swaps)).await)
    }
}

fn refused(stage: &'static str, error: &dyn std::error::Error) -> Unindexable {
    Unindexable { reason: "refused", stage, error: error.to_string() }
}

fn unless_refused(outcome: Result<(), StoreError>) -> Result<Option<Unindexable>, PartitionError> {
    match outcome {
        Ok(()) => Ok(None),
        Err(error) if error.fault() == Fault::Permanent => Ok(Some(refused("write", &error))),
        Err(error) => Err(error.into()),
    }
}
