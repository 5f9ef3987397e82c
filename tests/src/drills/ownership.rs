//! Whose a document is, and was: authors who all write the same, and documents that go from one to the other.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use consumer::{Change, QdrantStore, VectorStore};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use shared::{ChunkPayload, DocumentType, IdKind, Identity, Operation, Revision};
use uuid::Uuid;

use super::desk::{change, revision};

/// Files of a document, a chunk each.
pub(super) const FILES: usize = 3;
/// Every so manieth author is no user: known by the documents alone.
const UNKNOWN: usize = 10;

const DOCUMENT: &str = "document ";

/// An author, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Author(pub(super) usize);

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "author {}", self.0)
    }
}

impl Author {
    /// How all links begin.
    pub(super) const SITE: &str = "https://example.org/";

    /// How the links of this author's documents begin.
    pub(super) fn site(self) -> String {
        format!("{}{}/", Self::SITE, self.id())
    }

    fn id(self) -> String {
        format!("a{}", self.0)
    }

    fn name(self) -> String {
        format!("Ann {}", self.0)
    }

    fn is_user(self) -> bool {
        !self.0.is_multiple_of(UNKNOWN)
    }

    /// The insert of the user, if it is one.
    pub(super) fn user(self) -> Option<Change> {
        let identity = Identity { document_type: DocumentType::Users, id_kind: IdKind::Str, entry_id: self.id() };
        let document = json!({ "first_name": "Ann", "last_name": self.0.to_string() });
        self.is_user().then(|| change(&identity, Operation::Insert, revision(0), document))
    }

    /// What somebody might ask for: the id, or the name that `twin_authors` knows.
    pub(super) fn called(self, random: &mut StdRng) -> String {
        if self.is_user() && random.random_bool(0.5) { self.name() } else { self.id() }
    }

    /// Whether the chunk says so itself.
    pub(super) fn wrote(self, chunk: &ChunkPayload) -> bool {
        let link = chunk.metadata.link.as_ref().is_some_and(|link| link.starts_with(&self.site()));
        link && chunk.metadata.author_id == Some(self.id())
    }
}

/// A document that changes hands.
pub(super) struct Owned {
    pub(super) number: usize,
    /// Whose each version is, from before its write on.
    authors: Mutex<Vec<Author>>,
    /// The version whose write was the last to return.
    standing: AtomicUsize,
}

impl Owned {
    /// The document of the author with this number.
    pub(super) fn new(number: usize) -> Self {
        Self { number, authors: Mutex::new(vec![Author(number)]), standing: AtomicUsize::new(0) }
    }

    pub(super) fn identity(&self) -> Identity {
        let entry_id = format!("{DOCUMENT}{}", self.number);
        Identity { document_type: DocumentType::Repositories, id_kind: IdKind::Str, entry_id }
    }

    /// The number of the document with this identity.
    pub(super) fn number_of(identity: &Identity) -> Option<usize> {
        identity.entry_id.strip_prefix(DOCUMENT)?.parse().ok()
    }

    /// The text is everybody's; the name that it bears is that of the next author, whom `twin_authors` knows better.
    pub(super) fn change(&self, operation: Operation, author: Author, version: usize) -> Change {
        let file = |number: usize| (format!("notes/{number}.md"), Value::from(text(number)));
        let files: Map<String, Value> = (0..FILES).map(file).collect();
        let document = json!({
            "name": "notes", "content": files, "link": format!("{}{}", author.site(), self.number),
            "owner_id": author.id(), "owner_full_name": Author(author.0 + 1).name(),
        });
        change(&self.identity(), operation, revision(version), document)
    }

    /// The version that is about to be written.
    pub(super) fn begin(&self, to: Author) -> usize {
        let mut authors = self.authors();
        authors.push(to);
        authors.len() - 1
    }

    /// Its write has returned.
    pub(super) fn stand(&self, version: usize) {
        self.standing.store(version, Ordering::SeqCst);
    }

    pub(super) fn standing(&self) -> usize {
        self.standing.load(Ordering::SeqCst)
    }

    /// Whose it is, or is about to be.
    pub(super) fn owner(&self) -> Author {
        let authors = self.authors();
        authors[authors.len() - 1]
    }

    /// The version of this revision, and whose it is.
    pub(super) fn version_of(&self, of: Revision) -> Option<(usize, Author)> {
        self.authors().iter().copied().enumerate().find(|(version, _)| revision(*version) == of)
    }

    /// Whether it has been this author's since version `before` stood, without a write meanwhile.
    pub(super) fn was(&self, author: Author, before: usize) -> bool {
        let authors = self.authors();
        authors.len() == before + 1 && authors[before] == author
    }

    /// Whether it has come to this author, or gone, since version `before` stood.
    pub(super) fn changed_hands(&self, author: Author, before: usize) -> bool {
        let authors = self.authors();
        authors.len() > before + 1 && authors[before..].contains(&author)
    }

    /// What is wrong with what the index holds of it.
    pub(super) async fn left_behind(&self, store: &QdrantStore, last: Revision) -> Result<Option<String>> {
        let identity = self.identity();
        let mut standings = store.standings(std::slice::from_ref(&identity)).await?;
        let standing = standings.remove(&identity).context("a standing for each document")?;
        let held: BTreeSet<Uuid> = store.chunks_of(&identity).await?.into_iter().map(|(id, _)| id).collect();
        let is_right = standing.revision() == last && held.len() == FILES && held == standing.listed();
        Ok((!is_right).then(|| format!("{} chunks at revision {}, not {last}", held.len(), standing.revision())))
    }

    fn authors(&self) -> MutexGuard<'_, Vec<Author>> {
        self.authors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(file: usize) -> String {
    ["Everybody says that tea is better in the afternoon.", "The mountains are far away today.", "And so to bed."][file]
        .to_owned()
}
