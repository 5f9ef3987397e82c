//! A store to whose consumer something happens between the writing of chunks and that of their manifest.

use std::sync::{Arc, Mutex};

use consumer::{Change, StoreError, Swap};
use qdrant_client::qdrant::PointId;
use serde_json::Value;
use shared::{Manifest, Record};
use tests::{Call, Watch};
use tokio::sync::Notify;

use super::bench::Bench;

pub(super) enum Disturbance {
    /// It is killed, which is notified.
    Killed(Arc<Notify>),
    /// Another consumer applies this change meanwhile.
    Overtaken(Box<Change>),
    /// As soon as its manifest is written it is damaged: this is in its place.
    Damaged(Value),
    /// Requests that would write a record of this document with chunks in it are refused, each time.
    Refused(&'static str),
}

fn lists_chunks_of(entry_id: &str, swap: &Swap) -> bool {
    let manifest = Manifest::from_payload(swap.payload.clone()).unwrap();
    swap.identity.entry_id == entry_id && !manifest.chunk_ids.is_empty()
}

pub(super) struct Disturbed<'a> {
    pub(super) bench: &'a Bench,
    pub(super) disturbance: Mutex<Option<Disturbance>>,
    pub(super) writes: Mutex<Vec<Write>>,
    /// Where the pages began that were asked for.
    pub(super) places: Mutex<Vec<Option<PointId>>>,
}

/// A request to write, with the number of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Chunks(usize),
    Records(usize),
}

impl Watch for Disturbed<'_> {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match call {
            Call::PutChunks(points) => self.writes.lock().unwrap().push(Write::Chunks(points.len())),
            Call::Recorded(from) => self.places.lock().unwrap().push(from.clone()),
            Call::Swap(swaps) => {
                self.writes.lock().unwrap().push(Write::Records(swaps.len()));
                // Boxed: another consumer's whole work may be in it.
                return Box::pin(self.disturb(swaps, request)).await;
            }
            _ => {}
        }
        request.await
    }
}

impl Disturbed<'_> {
    async fn disturb<T>(
        &self,
        swaps: &[Swap],
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let disturbance = self.disturbance.lock().unwrap().take();
        match disturbance {
            Some(Disturbance::Killed(killed)) => {
                killed.notify_one();
                std::future::pending::<()>().await;
            }
            Some(Disturbance::Overtaken(change)) => Box::pin(self.bench.apply(*change)).await,
            Some(Disturbance::Damaged(payload)) => {
                let written = request.await?;
                self.bench.damage(payload).await;
                return Ok(written);
            }
            Some(Disturbance::Refused(entry_id)) => {
                *self.disturbance.lock().unwrap() = Some(Disturbance::Refused(entry_id));
                if swaps.iter().any(|swap| lists_chunks_of(entry_id, swap)) {
                    return Err(StoreError::Damaged("request"));
                }
            }
            None => {}
        }
        request.await
    }
}
