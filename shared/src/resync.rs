//! A request to relay documents anew: written by `producer resync`, `consumer verify --repair` and
//! `consumer dead-letters replay`, taken by the running producer. Nothing is written to the watched collections.

use std::fmt;
use std::str::FromStr;

use bson::{Bson, DateTime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{DocumentType, IdKind, Identity};

/// Database of the producer's own records.
pub const RECORDS: &str = "twin_cdc";
/// Collection of the requests, in [`RECORDS`]. Written by majority, removed by the producer once it has made the
/// request its own.
pub const REQUESTS: &str = "resyncs";
/// Most keys in one request; more are for several requests ([`ResyncRequest::of_keys`] splits them).
pub const MAX_KEYS: usize = 10_000;
/// Most bytes of keys in one request: it is stored in the producer's checkpoint, a document of at most 16 MB.
const MAX_KEY_BYTES: usize = 1 << 20;

/// Documents of one type that are to be relayed anew, as it stands in MongoDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncRequest {
    /// Also the snapshot's id, from which its events derive theirs.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// The watched database.
    pub database: String,
    /// The collection.
    #[serde(rename = "type")]
    pub document_type: DocumentType,
    /// Only documents that match this: MongoDB's own filter, as extended JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only these documents: relayed as `repair` rows, and as deletes where they are absent. At most [`MAX_KEYS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<DocumentKey>>,
    /// When, by the clock of who asked.
    pub requested_at: DateTime,
    /// Program and machine, for people.
    pub requested_by: String,
    /// Why the producer will not do it. Whoever waits for the request removes it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl ResyncRequest {
    /// For the whole type: ends in a sweep of what is gone.
    pub fn of_type(database: &str, document_type: DocumentType, requested_by: &str) -> Self {
        Self {
            id: Uuid::new_v4(),
            database: database.to_owned(),
            document_type,
            filter: None,
            keys: None,
            requested_at: DateTime::now(),
            requested_by: requested_by.to_owned(),
            refused: None,
        }
    }

    /// For what matches a filter.
    pub fn of_filter(database: &str, document_type: DocumentType, filter: String, requested_by: &str) -> Self {
        Self { filter: Some(filter), ..Self::of_type(database, document_type, requested_by) }
    }

    /// Whether it names more than a checkpoint can hold. Anyone may have written it.
    pub fn is_too_large(&self) -> bool {
        let keys = self.keys.as_deref().unwrap_or_default();
        let bytes: usize = keys.iter().map(|key| key.entry_id.len()).sum();
        keys.len() > MAX_KEYS || (bytes > MAX_KEY_BYTES && keys.len() > 1)
    }

    /// For these documents: as many requests as it takes.
    pub fn of_keys(
        database: &str,
        document_type: DocumentType,
        keys: impl IntoIterator<Item = DocumentKey>,
        requested_by: &str,
    ) -> Vec<Self> {
        let portions = portions(keys.into_iter().collect());
        let request = |keys| Self { keys: Some(keys), ..Self::of_type(database, document_type, requested_by) };
        portions.into_iter().map(request).collect()
    }
}

/// Each key once, in portions that fit a request.
fn portions(mut keys: Vec<DocumentKey>) -> Vec<Vec<DocumentKey>> {
    keys.sort();
    keys.dedup();
    let mut portions: Vec<Vec<DocumentKey>> = Vec::new();
    let mut bytes = 0;
    for key in keys {
        bytes += key.entry_id.len();
        match portions.last_mut() {
            Some(last) if last.len() < MAX_KEYS && bytes <= MAX_KEY_BYTES => last.push(key),
            _ => {
                bytes = key.entry_id.len();
                portions.push(vec![key]);
            }
        }
    }
    portions
}

/// A document's identity within its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DocumentKey {
    /// The kind of `_id`.
    pub id_kind: IdKind,
    /// The `_id` as text.
    pub entry_id: String,
}

/// A text that names no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key (oid:660f57b3153bbb219fd901aa, uuid:eff74089-0271-4319-8543-745c087f4f61, int:7, str:any text)"
)]
pub struct InvalidKey(String);

impl DocumentKey {
    /// The `_id` that it stands for. None: the text is not the canonical one of its kind.
    pub fn id(&self) -> Option<Bson> {
        self.id_kind.id(&self.entry_id)
    }

    /// The identity of this document of that type.
    pub fn of_type(&self, document_type: DocumentType) -> Identity {
        Identity { document_type, id_kind: self.id_kind, entry_id: self.entry_id.clone() }
    }
}

impl From<Identity> for DocumentKey {
    fn from(identity: Identity) -> Self {
        Self { id_kind: identity.id_kind, entry_id: identity.entry_id }
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id_kind.as_str(), self.entry_id)
    }
}

/// `oid:…`, `str:…`, `uuid:…`, `int:…`; or bare: 24 hexadecimal digits are an oid, 36 characters of a UUID a uuid,
/// an integer an int, and everything else a str.
impl FromStr for DocumentKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const KINDS: [IdKind; 4] = [IdKind::Oid, IdKind::Uuid, IdKind::Int, IdKind::Str];
        let prefixed = text.split_once(':');
        let named =
            prefixed.and_then(|(name, rest)| Some((KINDS.into_iter().find(|kind| kind.as_str() == name)?, rest)));
        let canonical = |kind, text: &str| match kind {
            IdKind::Oid | IdKind::Uuid => text.to_ascii_lowercase(),
            IdKind::Str | IdKind::Int => text.to_owned(),
        };
        let key = |kind, text| Self { id_kind: kind, entry_id: canonical(kind, text) };
        if let Some((kind, text)) = named {
            let key = key(kind, text);
            return if kind.accepts(&key.entry_id) { Ok(key) } else { Err(InvalidKey(key.to_string())) };
        }
        let bare = KINDS.into_iter().map(|kind| key(kind, text)).find(|key| key.id_kind.accepts(&key.entry_id));
        bare.ok_or_else(|| InvalidKey(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id_kind: IdKind, entry_id: &str) -> DocumentKey {
        DocumentKey { id_kind, entry_id: entry_id.to_owned() }
    }

    #[test]
    fn a_key_is_read_with_its_kind_or_by_its_looks() {
        let uuid = "eff74089-0271-4319-8543-745c087f4f61";
        for (text, expected) in [
            ("660F57b3153bbb219fd901aa", key(IdKind::Oid, "660f57b3153bbb219fd901aa")),
            (&uuid.to_uppercase(), key(IdKind::Uuid, uuid)),
            ("-7", key(IdKind::Int, "-7")),
            ("007", key(IdKind::Str, "007")),
            ("a:b", key(IdKind::Str, "a:b")),
            ("str:7", key(IdKind::Str, "7")),
            ("str:", key(IdKind::Str, "")),
            ("int:7", key(IdKind::Int, "7")),
        ] {
            assert_eq!(text.parse::<DocumentKey>().as_ref(), Ok(&expected));
        }
        for wrong in ["oid:7", "uuid:7", "int:seven", "int:9223372036854775808"] {
            assert!(wrong.parse::<DocumentKey>().unwrap_err().to_string().contains(wrong));
        }
    }

    #[test]
    fn a_key_leads_back_to_its_id() {
        for text in ["660f57b3153bbb219fd901aa", "eff74089-0271-4319-8543-745c087f4f61", "-7", "any text"] {
            let key: DocumentKey = text.parse().unwrap();
            let identity = Identity::of(DocumentType::Posts, &key.id().unwrap()).unwrap();
            assert_eq!(identity, key.of_type(DocumentType::Posts));
        }
        assert_eq!(key(IdKind::Int, "seven").id(), None);
    }

    #[test]
    fn more_keys_than_fit_become_several_requests() {
        let numbers = (0..MAX_KEYS as i64 + 1).chain([0]).map(|id| key(IdKind::Int, &id.to_string()));
        let requests = ResyncRequest::of_keys("twin", DocumentType::Posts, numbers, "a test");
        let sizes: Vec<_> = requests.iter().map(|request| request.keys.as_ref().unwrap().len()).collect();
        assert_eq!(sizes, [MAX_KEYS, 1], "each key once");
        let long = (0..3).map(|id| key(IdKind::Str, &format!("{id}{}", "x".repeat(MAX_KEY_BYTES / 2))));
        let mut requests = ResyncRequest::of_keys("twin", DocumentType::Posts, long, "a test");
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| !request.is_too_large()));
        let keys = requests.iter().flat_map(|request| request.keys.clone().unwrap()).collect();
        requests[0].keys = Some(keys);
        assert!(requests[0].is_too_large(), "keys of three halves of what fits");
    }

    #[test]
    fn a_request_survives_its_document() {
        let keys = [key(IdKind::Int, "7")];
        let mut requests = ResyncRequest::of_keys("twin", DocumentType::Posts, keys, "a test");
        requests.push(ResyncRequest::of_filter("twin", DocumentType::Users, "{}".into(), "a test"));
        for request in requests {
            let stored = bson::serialize_to_document(&request).unwrap();
            assert_eq!(stored.get_str("_id").unwrap(), request.id.to_string());
            assert_eq!(bson::deserialize_from_document::<ResyncRequest>(stored).unwrap(), request);
        }
    }
}
