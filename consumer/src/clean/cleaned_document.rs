//! What cleaning leaves of a document.

use shared::Metadata;
use xxhash_rust::xxh3::Xxh3;

/// A document after cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CleanedDocument {
    /// What it is filtered and shown by.
    pub(crate) metadata: Metadata,
    /// Its texts, in reading order; none of them is empty.
    pub(crate) sections: Vec<Section>,
}

/// One text of a document: the whole article, or a file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Path of a file; joined names of a nested field.
    pub(crate) path: Option<String>,
    /// How to read it.
    pub(crate) format: Format,
    /// The text, with `\n` for line ends.
    pub(crate) text: String,
}

/// How a text is structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Headings, lists and fenced code.
    Markdown,
    /// Paragraphs.
    Plain,
    /// Lines and indentation.
    Code,
}

impl CleanedDocument {
    /// All sections, a blank line between them.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<&str> = self.sections.iter().map(|section| section.text.as_str()).collect();
        texts.join("\n\n")
    }

    /// Hash of metadata and sections: of all in the document that its chunks depend on.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = Xxh3::new();
        let Metadata { author_id, author_full_name, platform, link, title, language } = &self.metadata;
        for field in [author_id, author_full_name, platform, link, title, language] {
            feed(&mut hasher, field.as_deref());
        }
        for Section { path, format, text } in &self.sections {
            feed(&mut hasher, path.as_deref());
            hasher.update(&[*format as u8]);
            feed(&mut hasher, Some(text));
        }
        format!("{:032x}", hasher.digest128())
    }
}

/// With its length, so that no two lists of texts feed the same bytes.
fn feed(hasher: &mut Xxh3, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    hasher.update(&length.to_le_bytes());
    hasher.update(text.unwrap_or_default().as_bytes());
}
