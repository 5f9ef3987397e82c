//! Authors, by name and by id, as `twin_authors` has them.

use std::collections::{BTreeSet, HashMap};

use qdrant_client::qdrant::{Condition, Filter, ScrollPointsBuilder};
use qdrant_client::{Qdrant, QdrantError};
use shared::index::AUTHORS;
use shared::{Author, Record};
use tonic::Code;

/// Users read at once. More of one name than this could not be told apart by it anyway.
const MOST_AUTHORS: u32 = 1_000;

/// Whose documents are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthorFilter {
    /// Known users.
    Ids(Vec<String>),
    /// `twin_authors` knows neither a name nor an id like this: the documents may.
    IdOrName(String),
}

/// Whom `given`, an id or a full name, means. A name that users have means those users, and never a document that
/// merely bears the name: its `author_id` is somebody else's.
pub(crate) async fn resolve(qdrant: &Qdrant, given: &str) -> Result<AuthorFilter, QdrantError> {
    let either = [Condition::matches("full_name", given.to_owned()), Condition::matches("entry_id", given.to_owned())];
    let authors = read(qdrant, Filter::should(either)).await?;
    Ok(whom(given, &authors))
}

/// Full names by author id, of those that are known.
pub(crate) async fn names(qdrant: &Qdrant, ids: BTreeSet<String>) -> Result<HashMap<String, String>, QdrantError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let authors = read(qdrant, Filter::must([Condition::matches("entry_id", ids)])).await?;
    Ok(authors.into_iter().filter_map(|author| Some((author.identity.entry_id, author.full_name?))).collect())
}

fn whom(given: &str, authors: &[Author]) -> AuthorFilter {
    let named: BTreeSet<&String> = authors
        .iter()
        .filter(|author| author.full_name.as_deref() == Some(given))
        .map(|author| &author.identity.entry_id)
        .collect();
    if !named.is_empty() {
        return AuthorFilter::Ids(named.into_iter().cloned().collect());
    }
    if authors.iter().any(|author| author.identity.entry_id == given) {
        return AuthorFilter::Ids(vec![given.to_owned()]);
    }
    AuthorFilter::IdOrName(given.to_owned())
}

/// Live authors only; none where no user was ever relayed.
async fn read(qdrant: &Qdrant, filter: Filter) -> Result<Vec<Author>, QdrantError> {
    let filter = Filter { must_not: vec![Condition::matches("deleted", true)], ..Filter::must([filter.into()]) };
    let wanted = ScrollPointsBuilder::new(AUTHORS).filter(filter).limit(MOST_AUTHORS).with_payload(true);
    let points = match qdrant.scroll(wanted).await {
        Ok(found) => found.result,
        Err(QdrantError::ResponseError { status }) if status.code() == Code::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(points.into_iter().filter_map(|point| Author::from_payload(point.payload).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{DocumentType, IdKind, Identity, Revision};

    fn author(id: &str, name: &str) -> Author {
        let identity = Identity { document_type: DocumentType::Users, id_kind: IdKind::Str, entry_id: id.into() };
        Author {
            identity,
            revision: Revision::from(1),
            deleted: false,
            error: None,
            first_name: None,
            last_name: None,
            full_name: Some(name.into()),
        }
    }

    #[test]
    fn a_known_name_means_every_user_of_that_name() {
        let authors = [author("1", "Ann Lee"), author("2", "Ann Lee")];
        assert_eq!(whom("Ann Lee", &authors), AuthorFilter::Ids(vec!["1".into(), "2".into()]));
    }

    #[test]
    fn a_known_id_is_no_name() {
        assert_eq!(whom("1", &[author("1", "Ann Lee")]), AuthorFilter::Ids(vec!["1".into()]));
    }

    #[test]
    fn what_no_user_has_may_be_either() {
        assert_eq!(whom("Bob", &[]), AuthorFilter::IdOrName("Bob".into()));
    }
}
