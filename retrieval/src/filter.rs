//! A query's filters as Qdrant's.

use qdrant_client::qdrant::{Condition, Filter};
use shared::index::of_document;

use crate::author::AuthorFilter;
use crate::query::Query;
use crate::store::Scope;

/// The chunks that `query` is about.
pub(crate) fn of_query(query: &Query, author: Option<&AuthorFilter>) -> Filter {
    let types: Vec<String> = query.types.iter().map(ToString::to_string).collect();
    let mut must = Vec::new();
    if !types.is_empty() {
        must.push(Condition::matches("type", types));
    }
    for (field, value) in [("platform", &query.platform), ("language", &query.language)] {
        must.extend(value.clone().map(|value| Condition::matches(field, value)));
    }
    must.extend(author.map(of_author));
    Filter::must(must)
}

/// `filter`, and within the scope.
pub(crate) fn in_scope(mut filter: Filter, scope: &Scope) -> Filter {
    match scope {
        Scope::Everywhere { except } => {
            filter.must_not.extend(except.iter().map(|document| of_document(document).into()));
        }
        Scope::Within(chunks) => filter.must.push(Condition::has_id(chunks.iter().copied())),
    }
    filter
}

fn of_author(author: &AuthorFilter) -> Condition {
    match author {
        AuthorFilter::Ids(ids) => Condition::matches("author_id", ids.clone()),
        AuthorFilter::IdOrName(text) => Filter::should([
            Condition::matches("author_id", text.clone()),
            Condition::matches("author_full_name", text.clone()),
        ])
        .into(),
    }
}
