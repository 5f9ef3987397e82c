//! Which documents of a type are relayed, and without which of their fields: the settings `FILTER` and `EXCLUDE_FIELDS`.
//!
//! Both are applied here and not at the server. What comes to match no longer has to be deleted downstream, and what is
//! left out must not be left out of what the filter judges.

use std::collections::BTreeMap;

use bson::{Bson, Document};
use clap::Args;
use shared::settings::SettingsError;
use shared::{DocumentType, NAMESPACE};
use uuid::Uuid;

use crate::filter::Filter;

/// The settings that decide what is relayed, and so what is in the index.
#[derive(Debug, Clone, Args)]
pub struct SelectionSettings {
    /// Which documents are relayed, as JSON: a MongoDB filter by type, such as {"posts": {"platform": "linkedin"}}
    #[arg(long, env = "FILTER", value_name = "JSON")]
    filter: Option<String>,
    /// Fields that are left out, as type.path, separated by commas, such as posts.image,articles.content.raw
    #[arg(long, env = "EXCLUDE_FIELDS", value_delimiter = ',', value_name = "FIELDS")]
    exclude_fields: Vec<String>,
}

impl SelectionSettings {
    /// The settings, read.
    ///
    /// # Errors
    /// Names the one that is not understood.
    pub fn selections(&self) -> Result<Selections, SettingsError> {
        Selections::parse(self.filter.as_deref(), &self.exclude_fields)
    }
}

/// What is chosen of one type.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    filter: Option<Filter>,
    excluded: Vec<Vec<String>>,
    /// As it was written, to tell it from another.
    text: String,
}

impl Selection {
    /// Whether this document, with all its fields, is relayed.
    pub fn admits(&self, document: &Document) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(document))
    }

    /// Takes the excluded fields out.
    pub fn trim(&self, document: &mut Document) {
        for path in &self.excluded {
            remove(document, path);
        }
    }
}

/// What is chosen, by type; a type that is not there is relayed whole.
#[derive(Debug, Clone, Default)]
pub struct Selections(BTreeMap<DocumentType, Selection>);

impl Selections {
    /// Reads the settings `FILTER` and `EXCLUDE_FIELDS`.
    ///
    /// # Errors
    /// One of them is not understood.
    pub fn parse(filter: Option<&str>, excluded: &[String]) -> Result<Self, SettingsError> {
        let mut selections = Self::default();
        if let Some(text) = filter.map(str::trim).filter(|text| !text.is_empty()) {
            selections.read_filter(text).map_err(|problem| SettingsError::new("FILTER", problem))?;
        }
        for field in excluded.iter().map(|field| field.trim()).filter(|field| !field.is_empty()) {
            selections.read_excluded(field).map_err(|problem| SettingsError::new("EXCLUDE_FIELDS", problem))?;
        }
        Ok(selections)
    }

    /// What is chosen of this type, if not everything.
    pub fn of(&self, document_type: DocumentType) -> Option<&Selection> {
        self.0.get(&document_type)
    }

    /// A short name for what is chosen of each type, so that a change is noticed.
    pub fn fingerprints(&self) -> BTreeMap<String, String> {
        let fingerprint = |selection: &Selection| Uuid::new_v5(&NAMESPACE, selection.text.as_bytes()).to_string();
        self.0.iter().map(|(known, selection)| (known.to_string(), fingerprint(selection))).collect()
    }

    fn read_filter(&mut self, text: &str) -> Result<(), String> {
        let example = r#"{"posts": {"platform": "linkedin"}}"#;
        // As BSON, extended JSON read and the order of fields kept: that matters within a value.
        let filters: BTreeMap<String, Document> =
            serde_json::from_str(text).map_err(|error| format!("is no JSON such as {example}: {error}"))?;
        for (name, filter) in filters {
            let selection = self.0.entry(name.parse()?).or_default();
            selection.text += &format!("filter {filter}\n");
            selection.filter = Some(Filter::parse(&filter).map_err(|error| format!("{name}: {error}"))?);
        }
        Ok(())
    }

    fn read_excluded(&mut self, field: &str) -> Result<(), String> {
        let (name, path) = field.split_once('.').ok_or_else(|| format!("`{field}` is not type.field"))?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(format!("`{field}` is not type.field"));
        }
        if path[0] == "_id" {
            return Err("the _id cannot be left out: it is who the document is".into());
        }
        let selection = self.0.entry(name.parse()?).or_default();
        selection.text += &format!("without {}\n", path.join("."));
        selection.excluded.push(path);
        Ok(())
    }
}

/// As `$project` does: through documents and arrays of documents.
fn remove(document: &mut Document, path: &[String]) {
    match path {
        [] => {}
        [name] => drop(document.remove(name)),
        [name, rest @ ..] => document.get_mut(name).into_iter().for_each(|value| remove_within(value, rest)),
    }
}

fn remove_within(value: &mut Bson, path: &[String]) {
    match value {
        Bson::Document(inner) => remove(inner, path),
        Bson::Array(values) => values.iter_mut().for_each(|value| remove_within(value, path)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    fn parse(filter: &str, excluded: &[&str]) -> Result<Selections, SettingsError> {
        let excluded: Vec<_> = excluded.iter().map(|&field| field.to_owned()).collect();
        Selections::parse(Some(filter), &excluded)
    }

    #[test]
    fn a_type_without_a_choice_is_relayed_whole() {
        let selections = parse(r#"{"posts": {"platform": "linkedin"}}"#, &[]).unwrap();
        assert!(selections.of(DocumentType::Users).is_none());
        let posts = selections.of(DocumentType::Posts).unwrap();
        assert!(posts.admits(&doc! {"platform": "linkedin"}) && !posts.admits(&doc! {"platform": "medium"}));
        assert!(parse("", &["", " "]).unwrap().fingerprints().is_empty(), "empty settings choose everything");
    }

    #[test]
    fn excluded_fields_go_wherever_the_path_leads() {
        let selections = parse("", &["posts.image", "posts.content.raw"]).unwrap();
        let posts = selections.of(DocumentType::Posts).unwrap();
        let mut document =
            doc! {"_id": 1, "image": "x", "content": [{"raw": 1, "text": "t"}, [{"raw": 2}], 3], "raw": 4};
        posts.trim(&mut document);
        assert_eq!(document, doc! {"_id": 1, "content": [{"text": "t"}, [{}], 3], "raw": 4});
        let mut other = doc! {"content": "text"};
        posts.trim(&mut other);
        assert_eq!(other, doc! {"content": "text"});
    }

    #[test]
    fn a_change_of_either_setting_is_noticed_by_type() {
        let fingerprint = |filter: &str, excluded: &[&str]| parse(filter, excluded).unwrap().fingerprints();
        let (linkedin, medium) = (r#"{"posts": {"platform": "linkedin"}}"#, r#"{"posts": {"platform": "medium"}}"#);
        let one = fingerprint(linkedin, &["users.a"]);
        assert_eq!(one, fingerprint(&linkedin.replace(' ', ""), &["users.a"]));
        let other = fingerprint(medium, &["users.a"]);
        assert_eq!((one["posts"] == other["posts"], &one["users"]), (false, &other["users"]));
        assert_ne!(one["users"], fingerprint(linkedin, &["users.b"])["users"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_setting() {
        for (filter, excluded, said) in [
            ("{", "", "FILTER: is no JSON"),
            (r#"{"comments": {}}"#, "", "FILTER: unknown type `comments`"),
            (r#"{"posts": {"a": {"$size": 1}}}"#, "", "FILTER: posts: the operator $size"),
            ("", "image", "EXCLUDE_FIELDS: `image` is not type.field"),
            ("", "comments.image", "EXCLUDE_FIELDS: unknown type"),
            ("", "posts._id", "EXCLUDE_FIELDS: the _id"),
            ("", "posts.a..b", "EXCLUDE_FIELDS"),
        ] {
            let error = parse(filter, &[excluded]).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
