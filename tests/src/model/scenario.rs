//! What comes through the queue, and which faults may happen meanwhile.

use super::index::Content;

/// A message in the partition's queue. Each is about the one document of the model, but for `Elsewhere`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Its revision, 1 to 7.
    pub revision: u8,
    /// What it says.
    pub says: Says,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The document is this.
    Put(Content),
    /// The same, as a row of a keyed resync.
    Repair(Content),
    /// The document is gone.
    Delete,
    /// `drop` or `sweep`: what is older is gone.
    Barrier,
    /// A change of another document, which only shows how far the queue has got.
    Elsewhere,
}

/// How often each fault may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// The consumer is killed and started again.
    pub kills: u8,
    /// The consumer is paused, another takes over, and the first wakes up or dies.
    pub pauses: u8,
    /// The stored record can no longer be read beyond its revision.
    pub damaged_records: u8,
    /// A chunk is lost in the store.
    pub lost_chunks: u8,
}

/// What is explored: every interleaving of these.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The queue.
    pub queue: Vec<Message>,
    /// What the source holds in the end.
    pub source: Option<Content>,
    /// What may go wrong.
    pub faults: Faults,
    /// Most messages that are folded into one batch.
    pub batch: u8,
    /// Whether a reader searches once.
    pub reader: bool,
    /// How many passes the janitor makes.
    pub passes: u8,
    /// How many tombstones it may purge.
    pub purges: u8,
}

impl Scenario {
    /// These messages, after which the source holds `source`; nothing goes wrong, and nobody reads.
    pub fn of(queue: Vec<Message>, source: Option<Content>) -> Self {
        Self { queue, source, faults: Faults::default(), batch: 1, reader: false, passes: 0, purges: 0 }
    }

    /// With these faults.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// With batches of up to so many messages.
    #[must_use]
    pub fn batches_of(self, batch: u8) -> Self {
        Self { batch, ..self }
    }

    /// With a reader.
    #[must_use]
    pub fn read(self) -> Self {
        Self { reader: true, ..self }
    }

    /// With so many passes of the janitor.
    #[must_use]
    pub fn swept(self, passes: u8) -> Self {
        Self { passes, ..self }
    }

    /// With a purge of tombstones.
    #[must_use]
    pub fn purged(self) -> Self {
        Self { purges: 1, ..self }
    }
}

/// The document is `content` as of `revision`.
pub fn put(revision: u8, content: Content) -> Message {
    Message { revision, says: Says::Put(content) }
}

/// The same, by a keyed resync.
pub fn repair(revision: u8, content: Content) -> Message {
    Message { revision, says: Says::Repair(content) }
}

/// The document is gone as of `revision`.
pub fn delete(revision: u8) -> Message {
    Message { revision, says: Says::Delete }
}

/// A `drop` or `sweep` at `revision`.
pub fn barrier(revision: u8) -> Message {
    Message { revision, says: Says::Barrier }
}

/// Another document's change.
pub fn elsewhere(revision: u8) -> Message {
    Message { revision, says: Says::Elsewhere }
}
