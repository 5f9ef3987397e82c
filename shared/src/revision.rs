//! The order of a document's changes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Position of a change in a document's history: `seconds << 31 | increment << 8 | index` of its clusterTime.
///
/// It exceeds 2^53: whoever parses it as a double loses it. Order is decided in our code; Qdrant, whose range
/// filters are doubles, is only ever asked for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(i64);

/// A clusterTime or an index that does not fit a [`Revision`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("clusterTime ({seconds}, {increment}) with index {index} does not fit a revision")]
pub struct RevisionOverflow {
    seconds: u32,
    increment: u32,
    index: u32,
}

impl Revision {
    /// Below every revision that a change can have.
    pub const ZERO: Self = Self(0);
    /// Highest index among events of one document and clusterTime.
    pub const MAX_INDEX: u32 = 255;

    /// The revision of a change. `index` counts from 1; 0 is for rows of a snapshot, `sweep` and `drop`.
    ///
    /// # Errors
    /// [`RevisionOverflow`] where `increment` reaches 2^23 or `index` 256.
    pub fn new(seconds: u32, increment: u32, index: u32) -> Result<Self, RevisionOverflow> {
        if increment >= 1 << 23 || index > Self::MAX_INDEX {
            return Err(RevisionOverflow { seconds, increment, index });
        }
        // 32 + 31 bits: seconds up to 2^32 - 1 stay positive.
        Ok(Self(i64::from(seconds) << 31 | i64::from(increment) << 8 | i64::from(index)))
    }

    /// The number itself, as on the wire and in payloads.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The revision just below.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0 - 1)
    }

    /// Position among the events of one document and clusterTime; 0 for rows of a snapshot, `sweep` and `drop`.
    pub fn index(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// Seconds since the epoch of the clusterTime.
    pub fn seconds(self) -> i64 {
        self.0 >> 31
    }
}

impl From<i64> for Revision {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_sort_by_time_then_increment_then_index() {
        let revision = |s, i, n| Revision::new(s, i, n).unwrap();
        let ascending = [
            revision(1, 0, 0),
            revision(1, 0, 255),
            revision(1, 1, 0),
            revision(1, (1 << 23) - 1, 255),
            revision(2, 0, 0),
            revision(u32::MAX, 0, 1),
        ];
        assert!(ascending.is_sorted());
        assert_eq!(revision(1_795_355_031, 7, 1).seconds(), 1_795_355_031);
        assert_eq!(revision(1_795_355_031, 7, 255).index(), 255);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(Revision::new(1, 1 << 23, 0).is_err());
        assert!(Revision::new(1, 0, 256).is_err());
    }
}
