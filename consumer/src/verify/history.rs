//! Which documents changed since a time: what MongoDB's own history of changes says, which is complete as far as it
//! reaches back. Nothing in a document or a record tells when it was changed, if that change was lost.

use std::collections::BTreeSet;
use std::time::Duration;

use bson::{Bson, DateTime, Document, Timestamp, doc};
use serde::Deserialize;
use shared::settings::SettingsError;
use shared::{DocumentType, Identity};
use source::{Source, is_history_lost, time_of};

use crate::command_error::CommandError;
use crate::requests::{answered, clock};

/// How long the server looks for more before it answers that there is nothing.
const LOOK: Duration = Duration::from_millis(200);

/// What happened since.
pub(super) enum History {
    /// These documents changed.
    Changed(BTreeSet<Identity>),
    /// A collection was dropped or renamed: any of its documents may be concerned.
    Dropped,
}

/// A change, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    operation_type: String,
    ns: Option<Namespace>,
    to: Option<Namespace>,
    document_key: Option<Document>,
}

#[derive(Deserialize)]
struct Namespace {
    coll: Option<String>,
}

impl Namespace {
    fn document_type(&self, types: &[DocumentType]) -> Option<DocumentType> {
        types.iter().copied().find(|known| Some(known.as_str()) == self.coll.as_deref())
    }
}

/// What happened to documents of these types from `since` until this call.
///
/// # Errors
/// The history does not reach back so far, or MongoDB left.
pub(super) async fn since(source: &Source, types: &[DocumentType], since: DateTime) -> Result<History, CommandError> {
    let until = clock(source).await?;
    let seconds = u32::try_from(since.timestamp_millis() / 1000).unwrap_or(0);
    let wanted = doc! {"$project": {"operationType": 1, "ns": 1, "to": 1, "documentKey": 1}};
    let database = source.database();
    let watch = database
        .watch()
        .pipeline([wanted])
        .start_at_operation_time(Timestamp { time: seconds, increment: 0 })
        .max_await_time(LOOK);
    let changes = answered(watch.into_future()).await.map_err(|error| too_old(error, since))?;
    let mut changes = changes.with_type::<Document>();
    let mut changed = BTreeSet::new();
    loop {
        // It ends by itself after the look; where it does not, nothing is asked of this stream any more, which could not
        // be gone on with.
        match answered(changes.next_if_any()).await.map_err(|error| too_old(error, since))? {
            Some(change) => match concerns(change, types)? {
                Some(Concern::Document(identity)) => drop(changed.insert(identity)),
                Some(Concern::Collection) => return Ok(History::Dropped),
                None => {}
            },
            None => {
                let token = changes.resume_token();
                let passed = token.and_then(|token| time_of(&bson::serialize_to_raw_document_buf(&token).ok()?));
                match passed {
                    Some(passed) if passed >= until => return Ok(History::Changed(changed)),
                    _ if !changes.is_alive() => {
                        return Err(CommandError::Refused("MongoDB's history of changes ended early".into()));
                    }
                    _ => {}
                }
            }
        }
    }
}

enum Concern {
    Document(Identity),
    Collection,
}

fn concerns(change: Document, types: &[DocumentType]) -> Result<Option<Concern>, CommandError> {
    let unreadable = |error: bson::error::Error| CommandError::Refused(format!("a change cannot be read: {error}"));
    let change: Change = bson::deserialize_from_document(change).map_err(unreadable)?;
    let within =
        |namespace: &Option<Namespace>| namespace.as_ref().and_then(|namespace| namespace.document_type(types));
    Ok(match (change.operation_type.as_str(), within(&change.ns)) {
        ("insert" | "update" | "replace" | "delete", Some(document_type)) => {
            let id = change.document_key.and_then(|mut key| key.remove("_id"));
            let identity = id.and_then(|id: Bson| Identity::of(document_type, &id).ok());
            identity.map(Concern::Document)
        }
        ("drop" | "rename", Some(_)) | ("dropDatabase" | "invalidate", _) => Some(Concern::Collection),
        ("rename", None) => within(&change.to).map(|_| Concern::Collection),
        _ => None,
    })
}

fn too_old(error: CommandError, since: DateTime) -> CommandError {
    match &error {
        CommandError::MongoDb(failed) if is_history_lost(failed) => {
            let problem = format!("MongoDB's history of changes does not reach back to {since}");
            SettingsError::new("--since", problem).into()
        }
        _ => error,
    }
}

/// `2026-11-22T04:00:00Z`, or so long ago: `90s`, `15m`, `12h`, `7d`.
pub(super) fn time(text: &str) -> Result<DateTime, String> {
    let now = DateTime::now();
    if let Ok(time) = DateTime::parse_rfc3339_str(text) {
        // Nothing has changed since a time to come: all would seem equal.
        return if time <= now { Ok(time) } else { Err("is still to come".into()) };
    }
    let ago = text.strip_suffix(['s', 'm', 'h', 'd']).and_then(|number| number.parse::<i64>().ok());
    let unit = match text.chars().last() {
        Some('s') => 1000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        _ => 86_400_000,
    };
    let wrong = || "is no time (2026-11-22T04:00:00Z, or so long ago: 90s, 15m, 12h, 7d)".to_owned();
    let ago = ago.filter(|number| *number >= 0).and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)?;
    Ok(DateTime::from_millis(now.timestamp_millis().saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_so_long_ago() {
        assert_eq!(time("1970-01-01T00:00:01Z").unwrap().timestamp_millis(), 1000);
        for (text, ago) in [("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            let begun = DateTime::now().timestamp_millis();
            let time = time(text).unwrap().timestamp_millis() + ago;
            assert!((begun..=DateTime::now().timestamp_millis()).contains(&time), "{text}");
        }
        assert!(["yesterday", "5", "h", "", "-5d", "2999-01-01T00:00:00Z"].iter().all(|text| time(text).is_err()));
    }
}
