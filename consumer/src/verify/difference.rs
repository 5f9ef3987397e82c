//! Where the index is not as it should be: the one comparison. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::Revision;
use uuid::Uuid;

use super::expected::Expected;
use super::record::{Record, Says};

/// What is amiss with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Difference {
    /// A document that has no live record.
    Missing,
    /// A record that was not derived from the document as it stands, or not by the index's model and this pipeline.
    Stale,
    /// A record whose revision lies in the future: every change up to then would be taken for an old one.
    Ahead,
    /// A record that cannot be read.
    Damaged,
    /// A live record, or chunks, of a document that is not there.
    Orphaned,
    /// Chunks that no record lists and no change is writing.
    Surplus,
    /// Chunks that the record lists and that are not there.
    Incomplete,
}

impl Difference {
    /// Whether a change that is on its way looks like this for a while. What a record lists is there before it and goes long after.
    pub(super) fn passes(self) -> bool {
        match self {
            Self::Missing | Self::Stale | Self::Orphaned | Self::Surplus => true,
            Self::Ahead | Self::Damaged | Self::Incomplete => false,
        }
    }

    /// In one word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Ahead => "ahead",
            Self::Damaged => "damaged",
            Self::Orphaned => "orphaned",
            Self::Surplus => "surplus",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What holds for every document of a comparison.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Of the index's model and this pipeline.
    pub(super) fingerprint: String,
    /// No change is later than this.
    pub(super) clock: Revision,
}

/// What is amiss with a record, its chunks left out.
pub(super) fn of_record(expected: Option<&Expected>, record: Option<&Record>, terms: &Terms) -> Option<Difference> {
    let Some(record) = record else { return expected.map(|_| Difference::Missing) };
    let derived = match (expected, &record.says) {
        (_, Says::Damaged) => return Some(Difference::Damaged),
        _ if record.revision.is_some_and(|revision| revision > terms.clock) => return Some(Difference::Ahead),
        (None, Says::Gone) => return None,
        (None, _) => return Some(Difference::Orphaned),
        (Some(_), Says::Gone) => return Some(Difference::Missing),
        // Counted apart.
        (Some(_), Says::Failed) => true,
        (Some(Expected::Document { source_hash }), Says::Derived { source_hash: from, fingerprint }) => {
            from == source_hash && *fingerprint == terms.fingerprint
        }
        (Some(Expected::Author { names }), Says::Author(said)) => names == said,
        (Some(_), Says::Derived { .. } | Says::Author(_)) => false,
    };
    (!derived).then_some(Difference::Stale)
}

/// What is amiss with the chunks that are held under a record.
pub(super) fn of_chunks(record: Option<&Record>, held: &[(Uuid, Revision)]) -> Option<Difference> {
    let Some(record) = record else { return (!held.is_empty()).then_some(Difference::Orphaned) };
    let listed: BTreeSet<Uuid> = record.chunk_ids.iter().copied().collect();
    let ids: BTreeSet<Uuid> = held.iter().map(|(id, _)| *id).collect();
    if !listed.is_subset(&ids) {
        return Some(Difference::Incomplete);
    }
    let surplus = held.iter().any(|(id, revision)| !listed.contains(id) && Some(*revision) <= record.revision);
    surplus.then_some(Difference::Surplus)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100;

    fn record(revision: i64, says: Says) -> Record {
        Record { revision: Some(revision.into()), says, chunk_ids: vec![Uuid::from_u128(1)] }
    }

    fn derived(hash: &str, fingerprint: &str) -> Says {
        Says::Derived { source_hash: hash.into(), fingerprint: fingerprint.into() }
    }

    fn judged(expected: Option<&str>, record: Option<Record>) -> Option<&'static str> {
        let terms = Terms { fingerprint: "f".into(), clock: NOW.into() };
        let expected = expected.map(|hash| Expected::Document { source_hash: hash.into() });
        of_record(expected.as_ref(), record.as_ref(), &terms).map(Difference::name)
    }

    #[test]
    fn every_way_in_which_a_record_can_differ_has_its_name() {
        let live = |revision, hash, fingerprint| Some(record(revision, derived(hash, fingerprint)));
        assert_eq!(judged(Some("h"), live(1, "h", "f")), None);
        assert_eq!(judged(Some("h"), live(1, "former", "f")), Some("stale"));
        assert_eq!(judged(Some("h"), live(1, "h", "former")), Some("stale"));
        assert_eq!(judged(Some("h"), live(NOW + 1, "h", "f")), Some("ahead"));
        assert_eq!(judged(Some("h"), None), Some("missing"));
        assert_eq!(judged(Some("h"), Some(record(1, Says::Gone))), Some("missing"));
        assert_eq!(judged(Some("h"), Some(record(1, Says::Failed))), None);
        assert_eq!(judged(Some("h"), Some(record(1, Says::Damaged))), Some("damaged"));
        assert_eq!(judged(None, live(1, "h", "f")), Some("orphaned"));
        assert_eq!(judged(None, Some(record(1, Says::Failed))), Some("orphaned"));
        assert_eq!(judged(None, Some(record(1, Says::Gone))), None);
        assert_eq!(judged(None, None), None);
    }

    #[test]
    fn chunks_are_those_that_the_record_lists() {
        let (listed, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let judged = |record: Option<&Record>, held: &[(Uuid, i64)]| {
            let held: Vec<_> = held.iter().map(|(id, revision)| (*id, Revision::from(*revision))).collect();
            of_chunks(record, &held).map(Difference::name)
        };
        let record = record(7, derived("h", "f"));
        assert_eq!(judged(Some(&record), &[(listed, 7)]), None);
        assert_eq!(judged(Some(&record), &[]), Some("incomplete"));
        assert_eq!(judged(Some(&record), &[(listed, 7), (other, 7)]), Some("surplus"));
        assert_eq!(judged(Some(&record), &[(listed, 7), (other, 8)]), None, "a newer change is writing it");
        assert_eq!(judged(None, &[(other, 8)]), Some("orphaned"));
        assert_eq!(judged(None, &[]), None);
    }
}
