//! The order of changes that share a clusterTime: those of one transaction.

use std::collections::{BTreeMap, HashMap};

use bson::Timestamp;
use shared::{ChangeEvent, Identity, Revision};

/// Counts the events of each document within one clusterTime.
///
/// The count is right only if every event of the clusterTime passed here, from its first on: the checkpoint never rests
/// between events of one clusterTime, and a stream that is opened anew goes on after the last event that passed.
#[derive(Debug, Default)]
pub(crate) struct ChangeOrder {
    cluster_time: Option<Timestamp>,
    counts: HashMap<Identity, u32>,
    held: BTreeMap<Identity, ChangeEvent>,
}

impl ChangeOrder {
    /// Turns to the clusterTime of the next event. Returns what was held back until the former one was over.
    pub(crate) fn turn_to(&mut self, cluster_time: Timestamp) -> Vec<ChangeEvent> {
        if self.cluster_time == Some(cluster_time) {
            return Vec::new();
        }
        let due = self.finish();
        self.cluster_time = Some(cluster_time);
        due
    }

    /// Ends the current clusterTime: no event of it is to come.
    pub(crate) fn finish(&mut self) -> Vec<ChangeEvent> {
        self.cluster_time = None;
        self.counts.clear();
        std::mem::take(&mut self.held).into_values().collect()
    }

    /// The index of the next event of this document: 1 for the first; at most 255, which then stands for the last.
    pub(crate) fn next_index(&mut self, identity: &Identity) -> u32 {
        let count = self.counts.entry(identity.clone()).or_default();
        *count += 1;
        (*count).min(Revision::MAX_INDEX)
    }

    /// Passes an event with this index on, or holds it back: there are 255 places, and the last one belongs to the
    /// document's last event, whichever that will be.
    pub(crate) fn place(&mut self, identity: &Identity, index: u32, event: ChangeEvent) -> Option<ChangeEvent> {
        if index < Revision::MAX_INDEX {
            return Some(event);
        }
        self.held.insert(identity.clone(), event);
        None
    }
}
