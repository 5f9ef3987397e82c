//! BSON → relaxed extended JSON, the form in which documents travel: made by the producer, and again by `consumer verify`,
//! which has to come to the same.
//!
//! Source: <https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>.

use bson::{Document, RawDocument, Utf8Lossy};
use serde_json::{Map, Value};

/// The document as the driver's. Bytes in strings that are not UTF-8, which MongoDB stores without a word, become
/// U+FFFD: a document whose text is damaged in one place is still worth finding by the rest.
///
/// # Errors
/// What MongoDB stores and is no BSON to the driver.
pub fn read(raw: &RawDocument) -> Result<Document, bson::error::Error> {
    let Utf8Lossy(document) = Utf8Lossy::<Document>::try_from(raw)?;
    Ok(document)
}

/// The document without its `_id`, as it travels.
pub fn document(mut document: Document) -> Map<String, Value> {
    document.remove("_id");
    document.into_iter().map(|(name, value)| (name, value.into_relaxed_extjson())).collect()
}
