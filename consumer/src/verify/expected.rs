//! What the index should say of a document, by what MongoDB holds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bson::{Bson, Document, RawDocument};
use serde::{Deserialize, Serialize};
use shared::{DocumentType, Identity, extended_json};
use source::Selection;

use crate::clean::{author, clean};

/// What the consumer would make of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Expected {
    /// A manifest that was derived from this content.
    Document {
        /// As in the manifest.
        source_hash: String,
    },
    /// An author of these names.
    Author {
        /// First, last and full name.
        names: [Option<String>; 3],
    },
    /// A record that says why it is not indexed.
    Unindexable,
}

/// A document as the index should know it; no identity where its `_id` makes none.
pub(super) type Sighting = (Option<Identity>, Expected);

/// What the index should know of a document; nothing where it is not relayed. Long for long documents: not for the
/// runtime's threads.
pub(super) fn sighting(
    document_type: DocumentType,
    raw: &RawDocument,
    selection: Option<&Selection>,
) -> Option<Sighting> {
    let identity = identity_of(document_type, raw);
    let Ok(mut document) = extended_json::read(raw) else { return Some((identity, Expected::Unindexable)) };
    if let Some(selection) = selection {
        if !selection.admits(&document) {
            return None;
        }
        selection.trim(&mut document);
    }
    // Without an identity it is a dead letter of the producer.
    let expected = identity.as_ref().map_or(Expected::Unindexable, |identity| expected(identity, document));
    Some((identity, expected))
}

/// Cleans as the consumer does, on the same form of the document that travels to it.
fn expected(identity: &Identity, document: Document) -> Expected {
    let document = extended_json::document(document);
    let cleaned = || match identity.document_type {
        DocumentType::Users => {
            let name = author(&document).ok()?;
            Some(Expected::Author { names: [name.first_name, name.last_name, name.full_name] })
        }
        DocumentType::Articles | DocumentType::Posts | DocumentType::Repositories => {
            Some(Expected::Document { source_hash: clean(identity, &document).ok()?.hash() })
        }
    };
    // What panics here has panicked there, and is a dead letter.
    catch_unwind(AssertUnwindSafe(cleaned)).ok().flatten().unwrap_or(Expected::Unindexable)
}

fn identity_of(document_type: DocumentType, document: &RawDocument) -> Option<Identity> {
    let id = document.get("_id").ok().flatten()?;
    Identity::of(document_type, &Bson::try_from(id).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;
    use shared::IdKind;

    fn of(document_type: DocumentType, document: &Document) -> Expected {
        expected(&Identity { document_type, id_kind: IdKind::Int, entry_id: "1".into() }, document.clone())
    }

    #[test]
    fn equal_content_is_expected_alike_and_other_content_otherwise() {
        let post = |text: &str| of(DocumentType::Posts, &doc! {"_id": 1, "content": text});
        let unknown = doc! {"_id": 1, "content": "tides", "likes": 5};
        assert_eq!(post("tides"), of(DocumentType::Posts, &unknown), "what is not indexed makes no difference");
        assert_ne!(post("tides"), post("ships"));
        assert!(matches!(post("tides"), Expected::Document { .. }));
    }

    #[test]
    fn what_cannot_be_cleaned_is_expected_to_be_in_error() {
        assert_eq!(of(DocumentType::Posts, &doc! {"_id": 1, "content": 5}), Expected::Unindexable);
        let entry_id = "i".repeat(5_000);
        let long = Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id };
        assert_eq!(expected(&long, doc! {"content": "tides"}), Expected::Unindexable);
    }

    #[test]
    fn a_user_is_expected_by_name() {
        let names = [Some("Ada".into()), None, Some("Ada".into())];
        assert_eq!(of(DocumentType::Users, &doc! {"_id": 1, "first_name": "Ada"}), Expected::Author { names });
    }
}
