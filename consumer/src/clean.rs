//! RawDocument → CleanedDocument: texts fit to be read, searched and embedded, in every language. Pure and
//! deterministic: the same document gives the same sections on every machine.

mod author;
mod cleaned_document;
mod code;
pub(crate) mod emoji;
mod fields;
mod html;
mod invisible;
mod metadata;
mod prose;
mod repository;
mod secrets;
mod urls;

use serde_json::{Map, Value};
use shared::{DocumentType, Identity};

pub(crate) use author::{AuthorName, author};
pub(crate) use cleaned_document::{CleanedDocument, Format, Section};
pub(crate) use fields::{CleanError, bounded};
pub(crate) use prose::Fence;

use metadata::Title;

/// Cleans `document`, which is relaxed extended JSON. A document without any text has no sections, and so have users.
///
/// # Errors
/// [`CleanError`] where a known field holds something else than the contract says, or the id is too long to be copied to
/// every chunk; unknown fields are ignored.
pub(crate) fn clean(identity: &Identity, document: &Map<String, Value>) -> Result<CleanedDocument, CleanError> {
    metadata::checked_id("_id", &identity.entry_id)?;
    let (metadata, title) = metadata::metadata(identity.document_type, document)?;
    let content = document.get("content").unwrap_or(&Value::Null);
    let mut sections = match identity.document_type {
        DocumentType::Users => Vec::new(),
        DocumentType::Articles => written(content, Format::Markdown)?,
        DocumentType::Posts => written(content, Format::Plain)?,
        DocumentType::Repositories => repository::sections(content)?,
    };
    // A title stands in the metadata; where it is all there is, or does not fit there, it is text as well.
    if let Title::InContent { whole, cut } = title
        && (sections.is_empty() || cut)
    {
        sections.insert(0, Section { path: None, format: Format::Plain, text: whole });
    }
    Ok(CleanedDocument { metadata, sections })
}

/// The sections of an article or a post: its fields as one text, nested ones each by itself under their joined names.
fn written(content: &Value, format: Format) -> Result<Vec<Section>, CleanError> {
    let mut texts = fields::texts(content)?;
    texts.retain(|(path, _)| !metadata::IN_CONTENT.contains(&path.as_str()));
    texts.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    let (nested, own): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(path, _)| path.contains('/'));
    let own: Vec<String> = own.iter().map(|(_, text)| prose::clean(text)).filter(|text| !text.is_empty()).collect();
    let own = Section { path: None, format, text: own.join("\n\n") };
    let nested = nested.into_iter().map(|(path, text)| Section { path: Some(path), format, text: prose::clean(text) });
    Ok([own].into_iter().chain(nested).filter(|section| !section.text.is_empty()).collect())
}

/// Fields in the order in which they are read; others follow by name.
fn rank(path: &str) -> usize {
    let order = ["Subtitle", "subtitle", "", "Content", "content", "text"];
    order.iter().position(|known| *known == path).unwrap_or(order.len())
}

#[cfg(test)]
mod tests;
