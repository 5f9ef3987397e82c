//! The partitions that this instance holds: those whose queue delivers to it and to nobody else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
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
    times_taken: AtomicU64,
    taken: Notify,
    pulse: Pulse,
}

#[derive(Debug)]
struct Holding {
    give_back: CancellationToken,
    /// The youngest change that was acknowledged here.
    reached: Revision,
    /// Which time that a partition was taken this is.
    turn: u64,
    /// When the janitor is to come; at once after it was taken.
    due: Instant,
}

/// A partition that the janitor is to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Untidied {
    /// Which one.
    pub(crate) partition: u16,
    /// The youngest change that it has acknowledged.
    pub(crate) reached: Revision,
    turn: u64,
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
        let (turn, due) = (self.times_taken.fetch_add(1, Ordering::Relaxed), Instant::now());
        let holding = Holding { give_back: give_back.clone(), reached: Revision::ZERO, turn, due };
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

    /// Of the partitions that are to be tidied the one that waits longest.
    pub(crate) fn untidied(&self) -> Option<Untidied> {
        let (held, now) = (self.lock(), Instant::now());
        let longest = held.iter().filter(|(_, holding)| holding.due <= now).min_by_key(|(_, holding)| holding.due);
        longest.map(|(partition, Holding { reached, turn, .. })| Untidied {
            partition: *partition,
            reached: *reached,
            turn: *turn,
        })
    }

    /// The janitor has been through the partition, or failed, and comes again after a rest; at once, where the partition
    /// was lost and taken again meanwhile: others may have left something in it.
    pub(crate) fn tidied(&self, Untidied { partition, turn, .. }: Untidied, rest: Duration) {
        if let Some(holding) = self.lock().get_mut(&partition).filter(|holding| holding.turn == turn) {
            holding.due = Instant::now() + rest;
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

    const HOUR: Duration = Duration::from_secs(3600);

    fn number(holdings: &Holdings) -> Option<u16> {
        holdings.untidied().map(|untidied| untidied.partition)
    }

    #[test]
    fn a_partition_is_tidied_when_it_is_taken_and_after_each_rest() {
        let holdings = Holdings::default();
        assert_eq!(holdings.untidied(), None);
        holdings.take(3, &CancellationToken::new());
        holdings.reach(3, Revision::from(7));
        holdings.reach(3, Revision::from(5));
        let pass = holdings.untidied().unwrap();
        assert_eq!((pass.partition, pass.reached), (3, Revision::from(7)));
        holdings.tidied(pass, HOUR);
        assert_eq!(holdings.untidied(), None);
        holdings.tidied(pass, Duration::ZERO);
        assert_eq!(number(&holdings), Some(3), "after the rest");
        holdings.tidied(pass, HOUR);
        holdings.leave(3);
        holdings.take(3, &CancellationToken::new());
        assert_eq!(holdings.untidied().map(|pass| pass.reached), Some(Revision::ZERO), "taken anew");
    }

    #[test]
    fn a_partition_on_which_the_janitor_fails_keeps_it_from_no_other() {
        let holdings = Holdings::default();
        for partition in [3, 5] {
            holdings.take(partition, &CancellationToken::new());
        }
        let failed = holdings.untidied().unwrap();
        holdings.tidied(failed, Duration::ZERO);
        assert_ne!(number(&holdings), Some(failed.partition), "the other one has waited longer");
    }

    #[test]
    fn a_pass_through_a_partition_that_was_lost_and_taken_again_does_not_count() {
        let holdings = Holdings::default();
        holdings.take(3, &CancellationToken::new());
        let pass = holdings.untidied().unwrap();
        holdings.leave(3);
        holdings.take(3, &CancellationToken::new());
        holdings.tidied(pass, HOUR);
        assert_eq!(number(&holdings), Some(3));
    }
}
