//! What a run looked like over time: rates and memory, twice a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::cpu::memory;

/// Between two samples.
pub(crate) const PACE: Duration = Duration::from_millis(500);

/// One moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Since the run began, in seconds.
    pub(crate) at: f64,
    /// Writes acknowledged so far.
    pub(crate) written: u64,
    /// Events in the ledger so far, repeats included.
    pub(crate) relayed: u64,
    /// Resident memory of the largest producer, in MiB.
    pub(crate) producer: f64,
    /// Resident memory of the largest consumer, in MiB.
    pub(crate) consumer: f64,
    /// Resident memory of the store, in MiB.
    pub(crate) qdrant: f64,
}

/// Samples so far, and the processes to look at: who restarts one says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    samples: Vec<Sample>,
    pids: Pids,
}

/// Process ids of what runs now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pids {
    /// Producers.
    pub(crate) producers: Vec<u32>,
    /// Consumers.
    pub(crate) consumers: Vec<u32>,
    /// The store.
    pub(crate) qdrant: Vec<u32>,
}

impl Samples {
    /// Looks at these from now on.
    pub(crate) fn watch(&self, pids: Pids) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pids = pids;
    }

    /// All so far.
    pub(crate) fn all(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).samples.clone()
    }

    /// Samples until it is dropped. `counts` gives what was written and relayed so far.
    pub(crate) async fn take(self, since: Instant, counts: impl Fn() -> (u64, u64)) {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let (written, relayed) = counts();
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Pids { producers, consumers, qdrant } = &state.pids;
            let sample = Sample {
                at: since.elapsed().as_secs_f64(),
                written,
                relayed,
                producer: largest(producers),
                consumer: largest(consumers),
                qdrant: largest(qdrant),
            };
            state.samples.push(sample);
        }
    }
}

/// None of a process that has ended.
fn largest(pids: &[u32]) -> f64 {
    pids.iter().filter_map(|&pid| memory(pid).ok()).map(|memory| memory.resident_mib()).fold(0.0, f64::max)
}
