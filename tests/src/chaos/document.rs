//! Raw documents as the harness writes them: what they are called, what they hold.

use std::collections::BTreeSet;
use std::fmt;

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc, oid::ObjectId};
use rand::{Rng, RngExt};

use super::words::{function, paragraph};

/// Where a document lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Collection {
    /// Markdown in sections.
    Articles,
    /// A short text.
    Posts,
    /// Files of code.
    Repositories,
}

impl Collection {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Articles, Self::Posts, Self::Repositories];

    /// Its name in MongoDB.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Articles => "articles",
            Self::Posts => "posts",
            Self::Repositories => "repositories",
        }
    }

    fn longest(self) -> usize {
        match self {
            Self::Articles => 6,
            Self::Posts => 1,
            Self::Repositories => 4,
        }
    }
}

/// An `_id`, of each kind that the design knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Id {
    /// `oid`
    Oid([u8; 12]),
    /// `str`
    Str(String),
    /// `uuid`
    Uuid([u8; 16]),
    /// `int`
    Int(i64),
}

impl Id {
    /// A new one; `number` keeps it apart from all others of the run.
    fn new(random: &mut impl Rng, number: u64) -> Self {
        match random.random_range(0..4) {
            0 => Self::Oid([&number.to_be_bytes()[..], &[7; 4]].concat().try_into().unwrap_or_default()),
            1 => Self::Str(format!("entry {number}")),
            2 => Self::Uuid([&[9; 8][..], &number.to_be_bytes()].concat().try_into().unwrap_or_default()),
            _ => Self::Int(number as i64),
        }
    }

    /// As MongoDB holds it.
    pub(crate) fn bson(&self) -> Bson {
        match self {
            Self::Oid(bytes) => ObjectId::from_bytes(*bytes).into(),
            Self::Str(text) => text.clone().into(),
            Self::Uuid(bytes) => Binary { subtype: BinarySubtype::Uuid, bytes: bytes.to_vec() }.into(),
            Self::Int(number) => (*number).into(),
        }
    }
}

/// `kind/entry_id`, as the contract writes both.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oid(bytes) => write!(f, "oid/{}", ObjectId::from_bytes(*bytes).to_hex()),
            Self::Str(text) => write!(f, "str/{text}"),
            Self::Uuid(bytes) => write!(f, "uuid/{}", uuid::Uuid::from_bytes(*bytes)),
            Self::Int(number) => write!(f, "int/{number}"),
        }
    }
}

/// A document's name: unique, and never used for another document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Where it lives.
    pub(crate) collection: Collection,
    /// Its `_id`.
    pub(crate) id: Id,
}

impl Key {
    /// A new one.
    pub(crate) fn new(random: &mut impl Rng, collection: Collection, number: u64) -> Self {
        Self { collection, id: Id::new(random, number) }
    }
}

/// `type/kind/entry_id`, as the audit writes it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection.name(), self.id)
    }
}

/// A part of a text that changes as a whole, with a marker of its own.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Occurs in this section and nowhere else.
    pub(crate) marker: String,
    text: String,
}

/// What a document holds at one version.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// A word that stays through all versions and occurs in no other document.
    pub(crate) topic: String,
    /// Counts the document's writes; stands in it as an extra field.
    pub(crate) version: i64,
    /// Whose it is.
    pub(crate) author: u8,
    /// Its text.
    pub(crate) sections: Vec<Section>,
}

impl Content {
    /// The markers of this version.
    pub(crate) fn markers(&self) -> BTreeSet<String> {
        self.sections.iter().map(|section| section.marker.clone()).collect()
    }

    /// The document without its `_id`.
    pub(crate) fn bson(&self, collection: Collection) -> Document {
        let topic = &self.topic;
        let author = format!("author-{}", self.author);
        let sections = self.sections.iter().enumerate();
        match collection {
            Collection::Articles => {
                let texts: Vec<String> =
                    sections.map(|(number, section)| format!("## {topic} {number}\n\n{}", section.text)).collect();
                doc! { "platform": "blog", "link": "https://example.org/a", "author_id": author, "version": self.version,
                "content": { "Title": topic, "Subtitle": Bson::Null, "Content": texts.join("\n\n"), "language": "en" } }
            }
            Collection::Posts => {
                let text: Vec<&str> = self.sections.iter().map(|section| section.text.as_str()).collect();
                doc! { "platform": "network", "author_id": author, "version": self.version,
                "content": { "text": format!("{topic}: {}", text.join("\n\n")) } }
            }
            Collection::Repositories => {
                let file =
                    |(number, section): (usize, &Section)| (format!("src/part{number}.rs"), Bson::from(&section.text));
                let files: Document = sections.map(file).collect();
                doc! { "name": topic, "link": "https://example.org/r", "owner_id": author, "version": self.version, "content": files }
            }
        }
    }
}

/// How many sections a new document has.
pub(crate) fn length(random: &mut impl Rng, collection: Collection) -> usize {
    random.random_range(1..=collection.longest())
}

/// A new section.
pub(crate) fn section(random: &mut impl Rng, collection: Collection, marker: String) -> Section {
    let text = match collection {
        Collection::Articles => {
            let sentences = random.random_range(4..32);
            paragraph(random, &marker, sentences)
        }
        Collection::Posts => {
            let sentences = random.random_range(1..6);
            paragraph(random, &marker, sentences)
        }
        Collection::Repositories => {
            let lines = random.random_range(3..20);
            function(random, &marker, lines)
        }
    };
    Section { marker, text }
}
