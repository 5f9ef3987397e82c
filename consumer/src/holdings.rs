//! The partitions that this instance holds: those whose queue delivers to it and to nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::Revision;
use shared::shutdown::CancellationToken;
use tokio::sync::Notify;

use crate::pulse::Pulse;
use crate::telemetry;

/// What is known of the partitions held. The broker does not say when a standby's turn has come: a partition is held
/// from its first delivery on.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    held: Mutex<BTreeMap<u16, Holding>>,
    taken: Notify,
    pulse: Pulse,
}

#[derive(Debug)]
struct Holding {
    give_back: CancellationToken,
    /// The youngest change that was acknowledged here.
    reached: Revision,
    tidied: Option<Instant>,
}

impl Holdings {
    /// Whether what is held of all of them gets on.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// The partition delivers; it stops when `give_back` is cancelled.
    pub(crate) fn take(&self, partition: u16, give_back: &CancellationToken) {
        let mut held = self.lock();
        if held.contains_key(&partition) {
            return;
        }
        let holding = Holding { give_back: give_back.clone(), reached: Revision::ZERO, tidied: None };
        held.insert(partition, holding);
        telemetry::partitions(held.len());
        self.taken.notify_one();
    }

    /// The partition's channel is closed.
    pub(crate) fn leave(&self, partition: u16) {
        let mut held = self.lock();
        held.remove(&partition);
        telemetry::partitions(held.len());
    }

    /// The partition has acknowledged a change.
    pub(crate) fn reach(&self, partition: u16, revision: Revision) {
        if let Some(holding) = self.lock().get_mut(&partition) {
            holding.reached = holding.reached.max(revision);
        }
    }

    /// All that are held.
    pub(crate) fn held(&self) -> Vec<u16> {
        self.lock().keys().copied().collect()
    }

    /// Has the partition drained and its channel closed.
    pub(crate) fn give_back(&self, partition: u16) {
        if let Some(holding) = self.lock().get(&partition) {
            holding.give_back.cancel();
        }
    }

    /// A partition that was not tidied for so long, or not since it was taken, and what it has reached.
    pub(crate) fn untidied(&self, rest: Duration) -> Option<(u16, Revision)> {
        let due = |holding: &Holding| holding.tidied.is_none_or(|tidied| tidied.elapsed() >= rest);
        self.lock().iter().find(|(_, holding)| due(holding)).map(|(partition, holding)| (*partition, holding.reached))
    }

    /// The janitor has been through the partition.
    pub(crate) fn tidied(&self, partition: u16) {
        if let Some(holding) = self.lock().get_mut(&partition) {
            holding.tidied = Some(Instant::now());
        }
    }

    /// Waits until another partition is taken.
    pub(crate) async fn taken(&self) {
        self.taken.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Holding>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_tidied_when_it_is_taken_and_after_each_rest() {
        let (holdings, hour) = (Holdings::default(), Duration::from_secs(3600));
        assert_eq!(holdings.untidied(Duration::ZERO), None);
        holdings.take(3, &CancellationToken::new());
        holdings.reach(3, Revision::from(7));
        holdings.reach(3, Revision::from(5));
        assert_eq!(holdings.untidied(hour), Some((3, Revision::from(7))));
        holdings.tidied(3);
        assert_eq!(holdings.untidied(hour), None);
        assert!(holdings.untidied(Duration::ZERO).is_some());
        holdings.leave(3);
        holdings.take(3, &CancellationToken::new());
        assert_eq!(holdings.untidied(hour), Some((3, Revision::ZERO)), "taken anew");
    }
}
