//! What a document is filtered and shown by.

use bson::Bson;
use serde_json::{Map, Value};
use shared::{DocumentType, Identity, Metadata};

use super::fields::{self, CleanError, bounded};
use super::prose;

/// Fields of `content` that are metadata, not text.
pub(super) const IN_CONTENT: [&str; 4] = ["Title", "title", "language", "Language"];

/// Bytes of a name or title that are kept: metadata is copied to every chunk.
const MAX_NAME: usize = 512;
/// Bytes of a link; what is longer is no address to visit and is left out.
const MAX_LINK: usize = 8 * 1024;
/// Bytes of an id.
const MAX_ID: usize = 4 * 1024;

/// Where the title came from.
pub(super) enum Title {
    /// There is none, or it is a repository's name.
    Elsewhere,
    /// It is a field of `content`, hence also a part of the text.
    InContent {
        /// As it was.
        whole: String,
        /// Whether the metadata hold only its beginning.
        cut: bool,
    },
}

/// The metadata of a document of this type.
pub(super) fn metadata(
    document_type: DocumentType,
    document: &Map<String, Value>,
) -> Result<(Metadata, Title), CleanError> {
    let (author_id, author_full_name) = match document_type {
        DocumentType::Users => return Ok((Metadata::default(), Title::Elsewhere)),
        DocumentType::Articles | DocumentType::Posts => ("author_id", "author_full_name"),
        DocumentType::Repositories => ("owner_id", "owner_full_name"),
    };
    let mut metadata = Metadata {
        author_id: author(author_id, document)?,
        author_full_name: name(document, author_full_name)?,
        platform: name(document, "platform")?,
        link: link(document)?,
        title: None,
        language: None,
    };
    let mut title = Title::Elsewhere;
    match (document_type, document.get("content")) {
        (DocumentType::Repositories, _) => metadata.title = name(document, "name")?,
        (_, Some(Value::Object(content))) => {
            metadata.language = first(content, ["language", "Language"])?.map(|text| bounded(&text, MAX_NAME).into());
            if let Some(whole) = first(content, ["Title", "title"])? {
                let cut = whole.len() > MAX_NAME;
                metadata.title = Some(bounded(&whole, MAX_NAME).trim_end().into());
                title = Title::InContent { whole, cut };
            }
        }
        _ => {}
    }
    Ok((metadata, title))
}

/// One line of text, or nothing where it is blank.
pub(super) fn name(fields: &Map<String, Value>, field: &str) -> Result<Option<String>, CleanError> {
    Ok(fields::text(fields, field)?.and_then(line).map(|text| bounded(&text, MAX_NAME).trim_end().to_owned()))
}

fn first(content: &Map<String, Value>, names: [&str; 2]) -> Result<Option<String>, CleanError> {
    for field in names {
        if let Some(text) = fields::text(content, field).map_err(in_content)?.and_then(line) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn in_content(error: CleanError) -> CleanError {
    match error {
        CleanError::Unexpected { field, expected, found } => {
            CleanError::Unexpected { field: format!("content/{field}"), expected, found }
        }
        other => other,
    }
}

fn line(text: &str) -> Option<String> {
    let text = prose::line(text);
    (!text.is_empty()).then_some(text)
}

fn link(document: &Map<String, Value>) -> Result<Option<String>, CleanError> {
    let link = fields::text(document, "link")?.map(str::trim);
    Ok(link.filter(|link| !link.is_empty() && link.len() <= MAX_LINK).map(str::to_owned))
}

/// The author's `_id` as text, as `entry_id` would be.
fn author(field: &str, document: &Map<String, Value>) -> Result<Option<String>, CleanError> {
    let Some(value) = document.get(field).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let id = Bson::try_from(value.clone()).ok().and_then(|id| Identity::of(DocumentType::Users, &id).ok());
    let unexpected = || CleanError::unexpected(field, "an ObjectId, a string, a UUID or an integer", value);
    let id = id.ok_or_else(unexpected)?.entry_id;
    checked_id(field, &id)?;
    Ok((!id.is_empty()).then_some(id))
}

/// An id is copied to every chunk, and one that was cut would be another's.
///
/// # Errors
/// [`CleanError::TooLong`].
pub(super) fn checked_id(field: &str, id: &str) -> Result<(), CleanError> {
    let bytes = id.len();
    if bytes > MAX_ID { Err(CleanError::TooLong { field: field.into(), bytes, limit: MAX_ID }) } else { Ok(()) }
}
