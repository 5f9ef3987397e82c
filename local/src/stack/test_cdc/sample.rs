//! One document of each type, with words that occur nowhere else.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};

const FIRST_NAME: &str = "Sample";

/// A document of this run: its own id, its own author, and in its text a marker word of its own.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) collection: &'static str,
    pub(super) id: ObjectId,
    pub(super) marker: String,
    author: ObjectId,
}

/// One of each type; the author of all is the sample of `users`.
pub(super) fn samples() -> Vec<Sample> {
    let author = ObjectId::new();
    let sample = |(collection, id)| Sample { collection, id, marker: marker(), author };
    [("users", author), ("articles", ObjectId::new()), ("posts", ObjectId::new()), ("repositories", ObjectId::new())]
        .map(sample)
        .into()
}

impl Sample {
    /// Authors are found by their name, as the author of the other samples.
    pub(super) fn is_author(&self) -> bool {
        self.collection == "users"
    }

    /// The question that has this sample as its answer: the arguments of a search.
    pub(super) fn question(&self) -> Vec<String> {
        if self.is_author() {
            return vec!["sample".to_owned(), "--author".to_owned(), format!("{FIRST_NAME} {}", self.marker)];
        }
        vec![self.marker.clone()]
    }

    /// Another text, with another marker.
    pub(super) fn change(&mut self) {
        self.marker = marker();
    }

    pub(super) fn document(&self) -> Document {
        let mut document = self.fields();
        document.insert("_id", self.id);
        document
    }

    pub(super) fn fields(&self) -> Document {
        let Self { marker, author, .. } = self;
        let name = "Sample Author";
        let text = format!(
            "The word {marker} names a sample that checks the way from a changed document to a search for {marker}."
        );
        match self.collection {
            "users" => doc! { "first_name": FIRST_NAME, "last_name": marker },
            "articles" => doc! {
                "platform": "sample", "link": format!("https://example.org/{marker}"), "author_id": author, "author_full_name": name,
                "content": { "Title": format!("About {marker}"), "Subtitle": null, "Content": text, "language": "en" },
            },
            "posts" => {
                doc! { "platform": "sample", "author_id": author, "author_full_name": name, "content": { "text": text } }
            }
            _ => doc! {
                "platform": "sample", "name": marker, "link": format!("https://example.org/{marker}"), "owner_id": author, "owner_full_name": name,
                "content": { "README.md": format!("# {marker}\n\n{text}\n") },
            },
        }
    }
}

/// Ten letters at random.
fn marker() -> String {
    let letters = uuid::Uuid::new_v4().into_bytes();
    letters.iter().take(10).map(|byte| char::from(b'a' + byte % 26)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_has_an_id_and_a_marker_of_its_own() {
        let samples = samples();
        let distinct =
            |key: fn(&Sample) -> String| samples.iter().map(key).collect::<std::collections::HashSet<_>>().len();
        assert_eq!(distinct(|sample| sample.id.to_hex()), 4);
        assert_eq!(distinct(|sample| sample.marker.clone()), 4);
        for sample in &samples {
            assert!(sample.document().to_string().contains(&sample.marker));
        }
    }
}
