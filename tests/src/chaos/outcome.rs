//! What a consumer that follows the contract holds after all that the ledger recorded: decided by revisions alone.

use std::collections::BTreeMap;

use super::entry::Entry;

#[derive(Debug, Clone, Copy)]
struct Standing {
    revision: i64,
    /// None: deleted, or a document that says no version.
    version: Option<i64>,
    live: bool,
}

/// The version of every document that is live in the end, by `type/kind/entry_id`.
///
/// The highest revision wins, whatever comes when. A barrier ends everything of its type that is older, also what comes
/// later: rows of a snapshot bear the revision of their own sweep, and pass it.
pub(crate) fn outcome<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<String, Option<i64>> {
    let (mut standing, mut floors) = (BTreeMap::<&str, Standing>::new(), BTreeMap::<&str, i64>::new());
    for entry in entries {
        match entry {
            Entry::Change(event) | Entry::Row(event) => {
                let collection = event.document.split('/').next().unwrap_or_default();
                let floor = floors.get(collection).map_or(i64::MIN, |barrier| barrier - 1);
                let former = standing.get(event.document.as_str()).map_or(floor, |former| former.revision.max(floor));
                if event.revision > former {
                    let (revision, version, live) = (event.revision, event.version, event.operation != "delete");
                    standing.insert(&event.document, Standing { revision, version, live });
                }
            }
            Entry::Barrier(barrier) => {
                let floor = floors.entry(&barrier.collection).or_insert(i64::MIN);
                *floor = (*floor).max(barrier.revision);
            }
            Entry::Start(_) => {}
        }
    }
    let live = standing.into_iter().filter(|(document, standing)| {
        let collection = document.split('/').next().unwrap_or_default();
        standing.live && floors.get(collection).is_none_or(|barrier| standing.revision >= *barrier)
    });
    live.map(|(document, standing)| (document.to_owned(), standing.version)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Barrier, Relayed};
    use super::*;

    fn event(operation: &str, number: u8, revision: i64, version: i64) -> Entry {
        let (document, version) = (format!("posts/int/{number}"), (operation != "delete").then_some(version));
        let relayed = Relayed { id: String::new(), document, operation: operation.into(), revision, version };
        if operation == "snapshot" { Entry::Row(relayed) } else { Entry::Change(relayed) }
    }

    fn barrier(operation: &str, revision: i64) -> Entry {
        let (id, collection) = (String::new(), "posts".to_owned());
        Entry::Barrier(Barrier { id, operation: operation.into(), collection, revision })
    }

    fn live(entries: &[Entry]) -> Vec<(String, Option<i64>)> {
        outcome(entries).into_iter().collect()
    }

    #[test]
    fn the_highest_revision_wins_whenever_it_comes() {
        let entries = [
            event("update", 1, 9, 3),
            event("snapshot", 1, 5, 2),
            event("delete", 2, 7, 0),
            event("snapshot", 2, 5, 1),
        ];
        assert_eq!(live(&entries), [("posts/int/1".to_owned(), Some(3))]);
    }

    #[test]
    fn a_sweep_ends_what_had_no_row_and_a_drop_all_that_is_older() {
        let entries = [event("insert", 1, 2, 1), event("snapshot", 2, 5, 1), barrier("sweep", 5)];
        assert_eq!(live(&entries), [("posts/int/2".to_owned(), Some(1))]);
        let entries = [barrier("drop", 8), event("snapshot", 2, 5, 1), event("insert", 3, 9, 1)];
        assert_eq!(live(&entries), [("posts/int/3".to_owned(), Some(1))]);
    }
}
