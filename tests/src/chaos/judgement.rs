//! What has to be true of the ledger's entries, document by document.

use std::collections::{BTreeMap, HashSet};

use super::document::Key;
use super::entry::{Entry, Relayed};
use super::history::{Act, Written};

/// What the ledger says of a run.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Findings {
    /// Different events.
    pub(crate) events: usize,
    /// Events relayed again.
    pub(crate) repeats: usize,
    /// Most events relayed again after one start of a producer or one lost connection.
    pub(crate) longest_repeat: usize,
    /// What is wrong, a line each.
    pub(crate) faults: Vec<String>,
}

/// Most that a producer relays again: its window (2,000 unconfirmed), and what it confirms in the half second between
/// two writes of the checkpoint, at 10,000 a second.
const MOST_REPEATS: usize = 2000 + 5000;

/// Holds the record against what was written: nothing missing, nothing inverted, repeats only of what was not yet
/// checkpointed, and few in a row. Rows and barriers of snapshots are not held against anything here: see
/// [`outcome`](super::outcome).
pub(crate) fn check(entries: &[Entry], written: &BTreeMap<Key, Vec<Written>>) -> Findings {
    let mut findings = Findings::default();
    let (mut seen, mut firsts) = (HashSet::new(), BTreeMap::<&str, Vec<&Relayed>>::new());
    let (mut checkpoint, mut row) = (i64::MIN, 0);
    for entry in entries {
        let change = match entry {
            Entry::Start(reached) => {
                checkpoint = checkpoint.max(*reached);
                row = 0;
                continue;
            }
            Entry::Row(_) | Entry::Barrier(_) => continue,
            Entry::Change(change) => change,
        };
        if seen.insert(change.id.as_str()) {
            firsts.entry(&change.document).or_default().push(change);
            row = 0;
            continue;
        }
        row += 1;
        findings.repeats += 1;
        findings.longest_repeat = findings.longest_repeat.max(row);
        // Revisions of one clusterTime differ in the low byte only.
        if change.revision >> 8 <= checkpoint >> 8 {
            findings.faults.push(format!(
                "{} {} at {}: relayed again though checkpointed at {checkpoint}",
                change.operation, change.document, change.revision
            ));
        }
    }
    findings.events = seen.len();
    if findings.longest_repeat > MOST_REPEATS {
        findings.faults.push(format!("{} events relayed again in a row", findings.longest_repeat));
    }
    for (key, written) in written {
        let relayed = firsts.remove(key.to_string().as_str()).unwrap_or_default();
        findings.faults.extend(check_document(&relayed, written).into_iter().map(|fault| format!("{key}: {fault}")));
    }
    findings.faults.extend(firsts.keys().map(|document| format!("{document}: relayed and never written")));
    findings
}

fn check_document(relayed: &[&Relayed], written: &[Written]) -> Vec<String> {
    let (mut faults, mut in_order, mut newest) = (Vec::new(), Vec::new(), i64::MIN);
    for event in relayed {
        if event.revision > newest {
            newest = event.revision;
            in_order.push(event);
        } else if !is_belated(event, written) {
            faults.push(format!("inverted: {} came after {newest}", event.revision));
        }
    }
    let mut place = 0;
    for event in in_order {
        match written[place..].iter().position(|write| tells_of(event, write)) {
            Some(skipped) => {
                faults.extend(missing(written, place..place + skipped));
                place += skipped + 1;
            }
            None => faults.push(format!("{} of version {:?}: no such write", event.operation, event.version)),
        }
    }
    faults.extend(missing(written, place..written.len()));
    faults
}

/// The document of an update is looked up when it is relayed, and may be newer.
fn tells_of(event: &Relayed, write: &Written) -> bool {
    event.operation == write.act.name()
        && match write.act {
            Act::Delete => true,
            Act::Update => event.version.is_some_and(|version| version >= write.version),
            Act::Insert | Act::Replace => event.version == Some(write.version),
        }
}

/// An update that found its document gone the first time may find it back in a replay. Its revision is below what has
/// arrived since, so no consumer applies it.
fn is_belated(event: &Relayed, written: &[Written]) -> bool {
    (0..written.len()).any(|place| is_settled(written, place) && tells_of(event, &written[place]))
}

fn is_settled(written: &[Written], place: usize) -> bool {
    written[place].act == Act::Update && written[place..].iter().any(|later| later.act == Act::Delete)
}

/// An update that finds its document gone is not relayed: the delete that follows settles it.
fn missing(written: &[Written], places: std::ops::Range<usize>) -> Option<String> {
    let place = places.into_iter().find(|&place| !is_settled(written, place))?;
    Some(format!("missing: {} of version {}", written[place].act.name(), written[place].version))
}

#[cfg(test)]
mod tests {
    use super::super::document::{Collection, Id};
    use super::*;

    const ACTS: [(Act, i64); 4] = [(Act::Insert, 1), (Act::Update, 2), (Act::Delete, 2), (Act::Insert, 3)];

    fn written() -> BTreeMap<Key, Vec<Written>> {
        let key = Key { collection: Collection::Posts, id: Id::Int(1) };
        BTreeMap::from([(key, ACTS.map(|(act, version)| Written { act, version }).to_vec())])
    }

    fn change(number: i64, operation: &str, version: Option<i64>) -> Entry {
        let (id, document) = (number.to_string(), "posts/int/1".to_owned());
        Entry::Change(Relayed { id, document, operation: operation.into(), revision: number << 8, version })
    }

    fn relayed() -> Vec<Entry> {
        vec![
            change(1, "insert", Some(1)),
            change(2, "update", Some(2)),
            change(3, "delete", None),
            change(4, "insert", Some(3)),
        ]
    }

    fn faults(entries: &[Entry]) -> Vec<String> {
        check(entries, &written()).faults
    }

    #[test]
    fn a_faithful_record_has_no_faults() {
        assert_eq!(faults(&relayed()), [""; 0]);
        let mut repeated = relayed();
        repeated.extend(relayed());
        let findings = check(&repeated, &written());
        assert_eq!((findings.events, findings.repeats, findings.faults.len()), (4, 4, 0));
    }

    #[test]
    fn an_update_whose_document_was_gone_may_be_missing_and_nothing_else() {
        let without = |place: usize| {
            let mut entries = relayed();
            entries.remove(place);
            faults(&entries)
        };
        assert_eq!(without(1), [""; 0]);
        assert_eq!(without(2), ["posts/int/1: missing: delete of version 2"]);
        assert_eq!(without(3), ["posts/int/1: missing: insert of version 3"]);
    }

    #[test]
    fn an_inversion_is_seen() {
        let mut entries = relayed();
        entries.swap(0, 1);
        assert!(faults(&entries)[0].contains("inverted"));
    }

    /// Seed 8 of the first ten.
    #[test]
    fn an_update_that_finds_its_document_back_may_come_late() {
        let mut entries = relayed();
        entries.remove(1);
        entries.push(change(2, "update", Some(3)));
        assert_eq!(faults(&entries), [""; 0]);
        entries.push(change(0, "insert", Some(3)));
        assert!(faults(&entries)[0].contains("inverted"));
    }

    #[test]
    fn a_repeat_of_what_was_checkpointed_is_seen() {
        let mut entries = relayed();
        entries.push(Entry::Start(3 << 8));
        entries.push(change(4, "insert", Some(3)));
        assert_eq!(faults(&entries), [""; 0]);
        entries.push(change(3, "delete", None));
        assert!(faults(&entries)[0].contains("though checkpointed"));
    }
}
