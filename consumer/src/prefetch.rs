//! How many deliveries of a partition are held unacknowledged. AMQP bounds them by number alone, and the client holds all
//! of them in memory, each up to 15 MiB: so the number goes by the size of those that came last.

use crate::intake::{Batch, MAX_DOCUMENTS};

/// Deliveries held of a partition at most: the two batches that are applied at once, or what waits for the grace of its
/// stale chunks. Eight partitions of documents that all wait for their grace still make 500 a second, more than a machine
/// embeds.
pub const PREFETCH: u16 = 2 * MAX_DOCUMENTS;
/// Held of large ones, and of what is not known yet: the first of a partition, and whatever may have ended its consumer.
/// An instance that has run out of memory so begins with what it can hold.
const FEW: u16 = 8;
/// Bytes of a body up to which, on average, many are held: 32 MiB of a partition.
const SMALL: usize = 256 << 10;
/// Bytes from which on, on average, few are held.
const LARGE: usize = 4 * SMALL;
/// Deliveries that the average goes by, about: a single large one among many small ones changes nothing.
const MEMORY: usize = 32;

/// The number of deliveries that a partition is subscribed for. The broker is told once for each subscription, so that
/// another number takes another subscription, and returns what was not begun.
#[derive(Debug)]
pub(crate) struct Prefetch {
    many: bool,
    /// Bytes of the last bodies.
    average: usize,
    /// Deliveries to come before many are held.
    trial: usize,
}

impl Default for Prefetch {
    fn default() -> Self {
        Self { many: false, average: 0, trial: usize::from(FEW) }
    }
}

impl Prefetch {
    /// Deliveries to be held.
    pub(crate) fn count(&self) -> u16 {
        if self.many { PREFETCH } else { FEW }
    }

    /// Whether a batch may be taken as it is subscribed for. What may have ended its consumer is to have few beside it:
    /// with many, their memory could be what did.
    pub(crate) fn suits(&mut self, batch: &Batch) -> bool {
        !(matches!(batch, Batch::Suspect(_)) && self.turn(false))
    }

    /// Learns the sizes of bodies, in bytes, and tells whether the number has changed.
    pub(crate) fn learn(&mut self, bodies: impl Iterator<Item = usize>) -> bool {
        for bytes in bodies {
            self.average = (self.average * (MEMORY - 1) + bytes) / MEMORY;
            self.trial = self.trial.saturating_sub(1);
        }
        let limit = if self.many { LARGE } else { SMALL };
        self.turn(self.average <= limit && self.trial == 0)
    }

    fn turn(&mut self, many: bool) -> bool {
        if many == self.many {
            return false;
        }
        if self.many {
            // All that is returned now is settled before so many can be held, and returned, again.
            self.trial = usize::from(PREFETCH);
        }
        self.many = many;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::message::Delivery;
    use std::iter::repeat_n;

    const MIB: usize = 1 << 20;

    fn many() -> Prefetch {
        let mut prefetch = Prefetch::default();
        assert!(prefetch.learn(repeat_n(1_000, 8)));
        prefetch
    }

    #[test]
    fn few_are_held_until_the_first_were_small() {
        let mut prefetch = Prefetch::default();
        assert!(!prefetch.learn(repeat_n(1_000, 7)));
        assert_eq!(prefetch.count(), FEW);
        assert!(prefetch.learn(repeat_n(1_000, 1)));
        assert_eq!(prefetch.count(), PREFETCH);
        assert!(!Prefetch::default().learn(repeat_n(15 * MIB, 200)));
    }

    #[test]
    fn what_may_have_ended_its_consumer_is_taken_with_few_beside_it() {
        let suspect = Batch::Suspect(Box::new(Delivery::mock(1, "".into(), "".into(), true, Vec::new())));
        let mut prefetch = many();
        assert!(!prefetch.suits(&suspect), "subscribed for many");
        assert_eq!(prefetch.count(), FEW);
        assert!(prefetch.suits(&suspect), "subscribed for few");
    }

    #[test]
    fn few_are_held_of_large_ones_and_for_long_after() {
        let mut prefetch = many();
        assert!(!prefetch.learn(repeat_n(15 * MIB, 1)), "one changes nothing");
        assert!(prefetch.learn(repeat_n(15 * MIB, 3)));
        assert_eq!(prefetch.count(), FEW);
        assert!(!prefetch.learn(repeat_n(1_000, usize::from(PREFETCH) - 1)), "what was returned comes first");
        assert!(prefetch.learn(repeat_n(1_000, 1)));
    }
}
