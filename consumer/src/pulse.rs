//! Whether what this instance holds gets on.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry;

/// Longest time without any acknowledgement while deliveries are held: the largest documents take minutes to embed.
const STALLED: Duration = Duration::from_secs(600);

/// What is held of the broker, and when the last of it was acknowledged.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Beat>);

#[derive(Debug)]
struct Beat {
    unacked: u64,
    /// The last acknowledgement, or the first delivery after there was none.
    since: Instant,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Beat { unacked: 0, since: Instant::now() }))
    }
}

impl Pulse {
    /// Deliveries were taken.
    pub(crate) fn took(&self, deliveries: u64) {
        self.beat(|beat| {
            if beat.unacked == 0 {
                beat.since = Instant::now();
            }
            beat.unacked += deliveries;
        });
    }

    /// Deliveries were acknowledged, or went back to the broker.
    pub(crate) fn let_go(&self, deliveries: u64) {
        self.beat(|beat| {
            beat.unacked = beat.unacked.saturating_sub(deliveries);
            beat.since = Instant::now();
        });
    }

    /// What is wrong, where nothing gets on.
    pub(crate) fn stalled(&self) -> Option<String> {
        self.still_for(STALLED)
    }

    fn still_for(&self, limit: Duration) -> Option<String> {
        let beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (unacked, seconds) = (beat.unacked, beat.since.elapsed().as_secs());
        let still = unacked > 0 && beat.since.elapsed() >= limit;
        still.then(|| format!("{unacked} deliveries held and none acknowledged for {seconds} s"))
    }

    fn beat(&self, change: impl FnOnce(&mut Beat)) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut beat);
        telemetry::unacked(beat.unacked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stalls_only_while_deliveries_are_held_and_none_is_acknowledged() {
        let (pulse, long, no_time) = (Pulse::default(), Duration::from_secs(60), Duration::ZERO);
        assert_eq!(pulse.still_for(no_time), None, "nothing is held");
        pulse.took(3);
        assert_eq!(pulse.still_for(long), None);
        assert!(pulse.still_for(no_time).unwrap().contains("3 deliveries"));
        pulse.let_go(2);
        assert!(pulse.still_for(no_time).is_some());
        pulse.let_go(1);
        assert_eq!(pulse.still_for(no_time), None);
    }
}
