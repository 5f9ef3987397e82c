//! Who a document is: `(type, id_kind, entry_id)`, and what follows from it (partition, manifest id).

use std::fmt;
use std::str::FromStr;

use bson::Bson;
use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// Namespace of every UUIDv5 that this project derives.
pub const NAMESPACE: Uuid = Uuid::from_u128(0x6c6c_6d74_7769_6e00_8c5f_2d9e_41b7_a03c);

/// Number of hash buckets over which documents are spread; partitions are made of whole buckets.
pub const BUCKETS: u16 = 256;

/// A watched collection, which is also the `type` of its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentType {
    /// People; they become author points, never chunks.
    Users,
    /// Long texts: HTML, Markdown or plain.
    Articles,
    /// Short texts.
    Posts,
    /// Code by path.
    Repositories,
}

impl DocumentType {
    /// Every type, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Users, Self::Articles, Self::Posts, Self::Repositories];

    /// The collection's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Articles => "articles",
            Self::Posts => "posts",
            Self::Repositories => "repositories",
        }
    }
}

impl fmt::Display for DocumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DocumentType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| format!("unknown type `{name}` (known: users, articles, posts, repositories)"))
    }
}

/// The BSON kind of a document's `_id`. 5 and "5" can live in one collection, so the text alone names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdKind {
    /// ObjectId, 24 hexadecimal digits.
    Oid,
    /// String, as it is.
    Str,
    /// Binary of subtype 4, 36 characters.
    Uuid,
    /// 32 or 64 bit integer or an integral double, decimal.
    Int,
}

impl IdKind {
    /// The kind's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oid => "oid",
            Self::Str => "str",
            Self::Uuid => "uuid",
            Self::Int => "int",
        }
    }

    /// Whether `entry_id` is the canonical text of an `_id` of this kind.
    pub fn accepts(self, entry_id: &str) -> bool {
        match self {
            Self::Oid => {
                entry_id.len() == 24 && entry_id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            }
            Self::Str => true,
            Self::Uuid => Uuid::try_parse(entry_id).is_ok_and(|id| id.hyphenated().to_string() == entry_id),
            Self::Int => entry_id.parse::<i64>().is_ok_and(|id| id.to_string() == entry_id),
        }
    }

    /// The `_id` of this kind that `entry_id` stands for: what [`Identity::of`] makes the same identity of. None:
    /// the kind does not accept it ([`Self::accepts`]).
    pub fn id(self, entry_id: &str) -> Option<Bson> {
        if !self.accepts(entry_id) {
            return None;
        }
        match self {
            Self::Oid => ObjectId::parse_str(entry_id).ok().map(Bson::ObjectId),
            Self::Str => Some(Bson::String(entry_id.to_owned())),
            Self::Uuid => bson::Uuid::parse_str(entry_id).ok().map(Bson::from),
            // MongoDB holds all numbers of one value to be one `_id`.
            Self::Int => entry_id.parse().ok().map(Bson::Int64),
        }
    }
}

/// A document's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The collection.
    #[serde(rename = "type")]
    pub document_type: DocumentType,
    /// The kind of `_id`.
    pub id_kind: IdKind,
    /// The `_id` as text.
    pub entry_id: String,
}

/// An `_id` of a kind that has no identity here (a document, an array, null, a fractional double …).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an _id of BSON type {bson_type} is not supported (ObjectId, string, UUID and integers are)")]
pub struct UnsupportedId {
    /// The BSON type's name.
    pub bson_type: String,
}

impl Identity {
    /// Identity of the document with this `_id`.
    ///
    /// # Errors
    /// [`UnsupportedId`] for every kind of `_id` that [`IdKind`] does not name.
    pub fn of(document_type: DocumentType, id: &Bson) -> Result<Self, UnsupportedId> {
        let unsupported = || UnsupportedId { bson_type: format!("{:?}", id.element_type()) };
        let (id_kind, entry_id) = match id {
            Bson::ObjectId(oid) => (IdKind::Oid, oid.to_hex()),
            Bson::String(text) => (IdKind::Str, text.clone()),
            Bson::Int32(number) => (IdKind::Int, number.to_string()),
            Bson::Int64(number) => (IdKind::Int, number.to_string()),
            Bson::Double(number) => (IdKind::Int, integral(*number).ok_or_else(unsupported)?.to_string()),
            Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid => {
                let bytes: [u8; 16] = binary.bytes.as_slice().try_into().map_err(|_| unsupported())?;
                (IdKind::Uuid, Uuid::from_bytes(bytes).hyphenated().to_string())
            }
            _ => return Err(unsupported()),
        };
        Ok(Self { document_type, id_kind, entry_id })
    }

    /// The bytes that every hash of this identity is made of: `type\0id_kind\0entry_id`. No two identities
    /// share them, since only the last part can hold a zero byte.
    pub fn key(&self) -> String {
        format!("{}\0{}\0{}", self.document_type, self.id_kind.as_str(), self.entry_id)
    }

    /// The bucket, `0..256`.
    pub fn bucket(&self) -> u16 {
        (xxh3_64(self.key().as_bytes()) % u64::from(BUCKETS)) as u16
    }

    /// The partition among `partitions`; it is the routing key too.
    pub fn partition(&self, partitions: u16) -> u16 {
        self.bucket() % partitions
    }

    /// Point id of this document's manifest (of its author point for a user).
    pub fn manifest_id(&self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, self.key().as_bytes())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.document_type, self.id_kind.as_str(), self.entry_id)
    }
}

/// `number` as an integer where it is one and fits; MongoDB holds 5 and 5.0 to be one `_id`.
fn integral(number: f64) -> Option<i64> {
    // i64::MAX as f64 rounds up to 2^63, which does not fit: hence `<`.
    let fits = number.fract() == 0.0 && number >= i64::MIN as f64 && number < i64::MAX as f64;
    fits.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::Uuid as BsonUuid;

    fn identity(id: impl Into<Bson>) -> Result<Identity, UnsupportedId> {
        Identity::of(DocumentType::Articles, &id.into())
    }

    #[test]
    fn every_kind_of_id_has_its_text() {
        let oid = ObjectId::parse_str("660f57b3153bbb219fd901aa").unwrap();
        let uuid = BsonUuid::parse_str("eff74089-0271-4319-8543-745c087f4f61").unwrap();
        for (id, kind, text) in [
            (Bson::from(oid), IdKind::Oid, "660f57b3153bbb219fd901aa"),
            (Bson::from("a\0b"), IdKind::Str, "a\0b"),
            (Bson::from(uuid), IdKind::Uuid, "eff74089-0271-4319-8543-745c087f4f61"),
            (Bson::from(-7), IdKind::Int, "-7"),
            (Bson::from(7_i64), IdKind::Int, "7"),
        ] {
            let identity = identity(id).unwrap();
            assert_eq!((identity.id_kind, identity.entry_id.as_str()), (kind, text));
            assert!(kind.accepts(text));
        }
    }

    #[test]
    fn an_integral_double_is_an_int_and_any_other_is_unsupported() {
        assert_eq!(identity(5.0).unwrap(), identity(5).unwrap());
        assert_eq!(identity(-0.0).unwrap().entry_id, "0");
        for bad in [5.5, f64::NAN, f64::INFINITY, 9.3e18, -1e300] {
            assert!(identity(bad).is_err(), "{bad}");
        }
        assert!(identity(Bson::Null).is_err());
        assert!(identity(bson::doc! {"a": 1}).is_err());
    }

    #[test]
    fn kinds_share_no_identity() {
        assert_ne!(identity(5).unwrap().manifest_id(), identity("5").unwrap().manifest_id());
    }

    /// The contract's hash, computed with the reference implementation (python-xxhash).
    #[test]
    fn the_bucket_is_xxh3_of_the_key() {
        let identity = identity(ObjectId::parse_str("660f57b3153bbb219fd901aa").unwrap()).unwrap();
        assert_eq!(identity.key(), "articles\0oid\x00660f57b3153bbb219fd901aa");
        assert_eq!(identity.bucket(), BUCKET_OF_SAMPLE);
        assert_eq!(identity.partition(8), BUCKET_OF_SAMPLE % 8);
    }
    const BUCKET_OF_SAMPLE: u16 = 141;
}
