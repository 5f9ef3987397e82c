//! Follows the log of a program that says in which stage it is (`RUST_LOG=info,stage=trace,intake=trace`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What the log has told so far.
pub(super) struct Stages {
    log: File,
    rest: String,
    /// The last stage of each partition, and when it was read.
    last: BTreeMap<String, (String, Instant)>,
    /// When the batch at hand was begun, by partition.
    begun: BTreeMap<String, Instant>,
    /// How long batches took, from their first read to the reading back of what was written.
    batches: Vec<Duration>,
    /// Acknowledgements.
    pub(super) acks: u64,
    /// Deliveries that came again, by partition.
    pub(super) redelivered: BTreeMap<String, u64>,
}

impl Stages {
    /// From the log's beginning on.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn of(log: &Path) -> Result<Self> {
        let log = File::open(log).with_context(|| log.display().to_string())?;
        let (last, begun, redelivered) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { log, rest: String::new(), last, begun, batches: Vec::new(), acks: 0, redelivered })
    }

    /// Reads what was logged since.
    ///
    /// # Errors
    /// As the file.
    pub(super) fn follow(&mut self) -> Result<()> {
        self.log.read_to_string(&mut self.rest)?;
        let Some(end) = self.rest.rfind('\n') else { return Ok(()) };
        let rest = self.rest.split_off(end + 1);
        for line in std::mem::replace(&mut self.rest, rest).lines() {
            self.read(line);
        }
        Ok(())
    }

    /// A new process is about to start: it is in no stage, and nothing came again yet.
    pub(super) fn forget(&mut self) {
        self.last.clear();
        self.begun.clear();
        self.redelivered.clear();
        self.acks = 0;
    }

    /// Whether a partition is in this stage.
    pub(super) fn is_at(&self, stage: &str) -> bool {
        self.last.values().any(|(last, _)| last == stage)
    }

    /// The middle one of all batches so far.
    pub(super) fn usual_batch(&self) -> Duration {
        let mut batches = self.batches.clone();
        batches.sort_unstable();
        batches.get(batches.len() / 2).copied().unwrap_or_default()
    }

    fn read(&mut self, line: &str) {
        // `partition{number=3}:`
        let Some((_, rest)) = line.split_once("partition{number=") else { return };
        let Some((partition, rest)) = rest.split_once('}') else { return };
        if let Some((_, count)) = rest.split_once("redelivered=") {
            let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
            *self.redelivered.entry(partition.to_owned()).or_default() += digits.parse::<u64>().unwrap_or(0);
        }
        let Some((_, stage)) = rest.split_once("stage: ") else { return };
        let now = Instant::now();
        match stage {
            "ack" => self.acks += 1,
            "read" => drop(self.begun.entry(partition.to_owned()).or_insert(now)),
            "read back" => self.batches.extend(self.begun.remove(partition).map(|begun| now - begun)),
            _ => {}
        }
        self.last.insert(partition.to_owned(), (stage.to_owned(), now));
    }
}
