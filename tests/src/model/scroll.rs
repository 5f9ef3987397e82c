//! Reads that take time: what was there throughout is found, what came or went meanwhile may be.

use super::index::Chunks;

/// A read of many points that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Scroll {
    throughout: Chunks,
    at_times: Chunks,
    /// Only these are asked for.
    among: Chunks,
}

impl Scroll {
    pub(super) fn begin(there: Chunks, among: Chunks) -> Self {
        Self { throughout: there.and(among), at_times: there.and(among), among }
    }

    pub(super) fn came(&mut self, chunk: Chunks) {
        self.at_times = self.at_times.with(chunk.and(self.among));
    }

    pub(super) fn went(&mut self, chunk: Chunks) {
        self.throughout = self.throughout.without(chunk);
    }

    /// What it may return.
    pub(super) fn results(self) -> Vec<Chunks> {
        self.throughout.each_up_to(self.at_times)
    }
}
