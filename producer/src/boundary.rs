//! Where a copy goes on: the `_id` of the last row, byte for byte. It may be of any BSON type, and a string that is
//! not UTF-8, which no driver would write back.

use bson::spec::{BinarySubtype, ElementType};
use bson::{Binary, RawDocument, RawDocumentBuf};
use serde::{Deserialize, Serialize};

/// Largest `_id` that is stored as a boundary, in bytes.
const MAX_STORED: usize = 4096;

/// An `_id` as MongoDB holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Binary", try_from = "Binary")]
pub(crate) struct Boundary {
    /// As in an element of a BSON document: the type's byte …
    kind: u8,
    /// … and what follows the name.
    value: Vec<u8>,
}

impl Boundary {
    /// The `_id` of this row. None: it has none, or one too large to be stored with every checkpoint.
    pub(crate) fn of(row: &RawDocument) -> Option<Self> {
        let mut at = LENGTH;
        for element in row.iter_elements() {
            let element = element.ok()?;
            let value = at + 1 + element.key().as_str().len() + 1;
            let end = value + element.size();
            if element.key().as_str() == "_id" {
                let value = row.as_bytes().get(value..end)?;
                return (value.len() <= MAX_STORED).then(|| Self { kind: row.as_bytes()[at], value: value.to_vec() });
            }
            at = end;
        }
        None
    }

    /// Whether nothing sorts behind it.
    pub(crate) fn is_last(&self) -> bool {
        self.kind == ElementType::MaxKey as u8
    }

    /// A document that holds it under this name.
    pub(crate) fn under(&self, name: &str) -> Result<RawDocumentBuf, bson::error::Error> {
        let length = LENGTH + 1 + name.len() + 1 + self.value.len() + 1;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend((length as u32).to_le_bytes());
        bytes.push(self.kind);
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(&self.value);
        bytes.push(0);
        RawDocumentBuf::from_bytes(bytes)
    }
}

/// Bytes of a document's length, before its first element.
const LENGTH: usize = 4;

impl std::fmt::Debug for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Boundary(type {:#x}, {} bytes)", self.kind, self.value.len())
    }
}

impl From<Boundary> for Binary {
    fn from(boundary: Boundary) -> Self {
        let bytes = [&[boundary.kind], boundary.value.as_slice()].concat();
        Self { subtype: BinarySubtype::Generic, bytes }
    }
}

impl TryFrom<Binary> for Boundary {
    type Error = &'static str;

    fn try_from(binary: Binary) -> Result<Self, Self::Error> {
        let (&kind, value) = binary.bytes.split_first().ok_or("an empty boundary")?;
        Ok(Self { kind, value: value.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Bson, doc, rawdoc};

    #[test]
    fn an_id_of_any_kind_is_copied_byte_for_byte() {
        for id in [
            Bson::from(7),
            Bson::from(2.5),
            Bson::from("text"),
            Bson::Null,
            Bson::MinKey,
            Bson::from(doc! {"a": {"b": [1]}}),
            Bson::from(bson::Uuid::new()),
            Bson::from(bson::oid::ObjectId::new()),
        ] {
            let row = RawDocumentBuf::try_from(&doc! {"first": "x", "_id": id.clone(), "last": 1}).unwrap();
            let boundary = Boundary::of(&row).unwrap();
            let expected = RawDocumentBuf::try_from(&doc! {"$ne": id}).unwrap();
            assert_eq!(boundary.under("$ne").unwrap(), expected);
        }
    }

    #[test]
    fn a_string_that_is_not_utf8_survives_its_storage() {
        let mut bytes = rawdoc! {"_id": "abc", "n": 1}.into_bytes();
        let at = bytes.iter().position(|&byte| byte == b'b').unwrap();
        bytes[at] = 0xff;
        let row = RawDocumentBuf::from_bytes(bytes.clone()).unwrap();
        let boundary = Boundary::of(&row).unwrap();
        let stored = bson::serialize_to_document(&doc! {"after": Binary::from(boundary.clone())}).unwrap();
        let read: Boundary = bson::deserialize_from_bson(stored["after"].clone()).unwrap();
        assert_eq!(read, boundary);
        assert!(read.under("_id").unwrap().as_bytes()[4..].starts_with(&bytes[4..17]));
    }

    #[test]
    fn a_large_id_is_no_boundary() {
        let row = |length| rawdoc! {"_id": "x".repeat(length)};
        assert!(Boundary::of(&row(4000)).is_some());
        assert!(Boundary::of(&row(5000)).is_none());
        assert!(Boundary::of(&rawdoc! {"n": 1}).is_none());
    }

    #[test]
    fn nothing_sorts_behind_max_key() {
        let last = |id: Bson| Boundary::of(&RawDocumentBuf::try_from(&doc! {"_id": id}).unwrap()).unwrap().is_last();
        assert!(last(Bson::MaxKey));
        assert!(!last(Bson::MinKey) && !last(Bson::from(7)));
    }
}
