//! The number of partitions, recorded at the first start: another number would send a document's changes elsewhere.

use bson::{Document, doc};
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use shared::settings::SettingsError;

use crate::error::ProducerError;
use crate::source::{Source, answer};

/// Records the number, or compares it with the recorded one.
///
/// # Errors
/// A settings error where they differ.
pub(crate) async fn agree(source: &Source, partitions: u16) -> Result<(), ProducerError> {
    let settings: Collection<Document> = source.records("settings");
    let own = doc! {"_id": source.name()};
    let first = doc! {"$setOnInsert": {"partitions": i32::from(partitions)}};
    let recorded = settings.find_one_and_update(own, first).upsert(true).return_document(ReturnDocument::After);
    let recorded = answer(recorded.into_future()).await?;
    match recorded.and_then(|settings| settings.get_i32("partitions").ok()) {
        Some(recorded) if recorded != i32::from(partitions) => {
            let problem =
                format!("is {partitions}, but changes of `{}` were relayed with {recorded} before", source.name());
            Err(SettingsError::new("PARTITIONS", problem).into())
        }
        _ => Ok(()),
    }
}
