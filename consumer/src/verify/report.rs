//! What a comparison says, to a person or a program.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};
use shared::{Identity, Revision};

use super::difference::Difference;
use super::settling::Differences;
use super::survey::Survey;

/// Writes differences and, at the end, their number.
pub(super) struct Report<'a, W> {
    /// Where to.
    pub(super) out: &'a mut W,
    /// One object a line.
    pub(super) json: bool,
}

impl<W: Write> Report<'_, W> {
    /// One line for each difference.
    pub(super) fn differences(&mut self, differences: &Differences) -> std::io::Result<()> {
        for (identity, (difference, revision)) in differences {
            if self.json {
                writeln!(self.out, "{}", object(identity, *difference, *revision))?;
            } else {
                writeln!(self.out, "{}", line(identity, *difference, *revision))?;
            }
        }
        Ok(())
    }

    /// The last line: what was compared, what differed, and what differs still.
    pub(super) fn summary(&mut self, survey: &Survey, found: &Differences, left: &Differences) -> std::io::Result<()> {
        let Survey { documents, unidentified, records, failed, chunks, .. } = survey;
        let kinds = kinds(left);
        if self.json {
            let kinds: BTreeMap<&str, u64> = kinds.iter().map(|(kind, count)| (kind.name(), *count)).collect();
            let summary = json!({"documents": documents, "records": records, "chunks": chunks,
                "in_error": failed, "unidentified": unidentified, "found": found.len(),
                "repaired": found.len() - left.len(), "differences": left.len(), "kinds": kinds});
            return writeln!(self.out, "{summary}");
        }
        let named: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {}", kind.name())).collect();
        let verdict = match (left.len(), found.len()) {
            (0, 0) => "equal".to_owned(),
            (0, repaired) => format!("equal after the repair of {repaired}"),
            (still, all) if still == all => format!("{still} differ: {}", named.join(", ")),
            (still, all) => format!("{} of {all} repaired, {still} differ: {}", all - still, named.join(", ")),
        };
        let aside = match (failed, unidentified) {
            (0, 0) => String::new(),
            (failed, 0) => format!("; {failed} in error"),
            (failed, unidentified) => format!("; {failed} in error, {unidentified} with an _id that is not supported"),
        };
        writeln!(self.out, "{documents} documents, {records} records, {chunks} chunks: {verdict}{aside}")
    }
}

fn kinds(differences: &Differences) -> BTreeMap<Difference, u64> {
    let mut kinds = BTreeMap::new();
    for (difference, _) in differences.values() {
        *kinds.entry(*difference).or_default() += 1;
    }
    kinds
}

fn line(identity: &Identity, difference: Difference, revision: Option<Revision>) -> String {
    let revision = revision.map_or("-".into(), |revision| revision.to_string());
    let text = format!("{:<10}  {identity}  revision {revision}", difference.name());
    // An `_id` can hold anything, also what steers a terminal.
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn object(identity: &Identity, difference: Difference, revision: Option<Revision>) -> Value {
    json!({"difference": difference, "type": identity.document_type, "id_kind": identity.id_kind,
        "entry_id": identity.entry_id, "revision": revision})
}
