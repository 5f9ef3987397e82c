//! The number of partitions, recorded at the first start: another number would send a document's changes elsewhere.

use bson::{Bson, Document, doc};
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use shared::settings::SettingsError;

use crate::error::ProducerError;
use crate::server::answer;
use source::Source;

/// Records the number, or compares it with the recorded one.
///
/// # Errors
/// A settings error where they differ, or where what is recorded is no number.
pub(crate) async fn agree(source: &Source, partitions: u16) -> Result<(), ProducerError> {
    let settings: Collection<Document> = source.records("settings");
    let own = doc! {"_id": source.name()};
    let first = doc! {"$setOnInsert": {"partitions": i32::from(partitions)}};
    let recorded = settings.find_one_and_update(own, first).upsert(true).return_document(ReturnDocument::After);
    let recorded = answer(recorded.into_future()).await?;
    let recorded = recorded.as_ref().and_then(|settings| settings.get("partitions"));
    match disagreement(recorded, partitions, source.name()) {
        Some(problem) => Err(SettingsError::new("PARTITIONS", problem).into()),
        None => Ok(()),
    }
}

/// A person who restored or edited the record may have left a number of another BSON type.
fn disagreement(recorded: Option<&Bson>, partitions: u16, database: &str) -> Option<String> {
    let number = match recorded {
        Some(Bson::Int32(number)) => f64::from(*number),
        // The numbers in question are far below 2^53.
        Some(Bson::Int64(number)) => *number as f64,
        Some(Bson::Double(number)) => *number,
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            return Some(format!("twin_cdc.settings holds {found} for `{database}`, not a number of partitions"));
        }
    };
    (number != f64::from(partitions))
        .then(|| format!("is {partitions}, but changes of `{database}` were relayed with {number} before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(recorded: impl Into<Bson>) -> Option<String> {
        disagreement(Some(&recorded.into()), 8, "twin")
    }

    #[test]
    fn the_same_number_agrees_whatever_its_bson_type() {
        assert_eq!((says(8), says(8_i64), says(8.0)), (None, None, None));
    }

    #[test]
    fn another_number_and_what_is_no_number_are_refused() {
        for other in [Bson::from(4), Bson::from(4_i64), Bson::from(4.0), Bson::from(8.5), Bson::from(f64::NAN)] {
            assert!(says(other.clone()).is_some_and(|problem| problem.contains("is 8, but")), "{other}");
        }
        for wrong in [Bson::from("8"), Bson::Null, Bson::from(true)] {
            assert!(says(wrong.clone()).is_some_and(|problem| problem.contains("not a number")), "{wrong}");
        }
        assert!(disagreement(None, 8, "twin").is_some_and(|problem| problem.contains("nothing")));
    }
}
