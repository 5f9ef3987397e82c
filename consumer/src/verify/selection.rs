//! Which documents the producer relays, and without which fields: its own settings, put to MongoDB itself.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use clap::Args;
use serde_json::Value;
use shared::DocumentType;
use shared::settings::SettingsError;

/// The producer's settings that decide what is in the index.
#[derive(Debug, Clone, Args)]
pub(super) struct SelectionSettings {
    /// As the producer's: a filter by type, such as {"posts": {"platform": "linkedin"}}
    #[arg(long, env = "FILTER", value_name = "JSON")]
    filter: Option<String>,
    /// As the producer's: fields that are not relayed, each as type.field
    #[arg(long, env = "EXCLUDE_FIELDS", value_delimiter = ',')]
    exclude_fields: Vec<String>,
}

/// What is relayed of each type.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    filters: BTreeMap<DocumentType, Document>,
    excluded: BTreeMap<DocumentType, Document>,
}

impl SelectionSettings {
    /// The settings, read.
    ///
    /// # Errors
    /// Names the one that is not understood.
    pub(super) fn parse(&self) -> Result<Selection, SettingsError> {
        let mut selection = Selection::default();
        if let Some(text) = self.filter.as_deref().filter(|text| !text.trim().is_empty()) {
            let wrong = |problem: String| SettingsError::new("FILTER", problem);
            let filters: BTreeMap<String, Value> =
                serde_json::from_str(text).map_err(|error| wrong(format!("is no JSON by type: {error}")))?;
            for (name, filter) in filters {
                let Ok(Bson::Document(filter)) = Bson::try_from(filter) else {
                    return Err(wrong(format!("{name}: is no filter")));
                };
                selection.filters.insert(name.parse().map_err(wrong)?, filter);
            }
        }
        for field in self.exclude_fields.iter().map(|field| field.trim()).filter(|field| !field.is_empty()) {
            let wrong = |problem: String| SettingsError::new("EXCLUDE_FIELDS", problem);
            let (name, path) = field.split_once('.').ok_or_else(|| wrong(format!("`{field}` is not type.field")))?;
            selection.excluded.entry(name.parse().map_err(wrong)?).or_default().insert(path, 0);
        }
        Ok(selection)
    }
}

impl Selection {
    /// What is relayed of this type, and is `also` so.
    pub(super) fn filter(&self, document_type: DocumentType, also: Document) -> Document {
        match self.filters.get(&document_type) {
            Some(filter) => doc! {"$and": [filter, also]},
            None => also,
        }
    }

    /// All fields but those that are not relayed.
    pub(super) fn projection(&self, document_type: DocumentType) -> Option<Document> {
        self.excluded.get(&document_type).cloned()
    }
}
