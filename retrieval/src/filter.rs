//! A query's filters as Qdrant's.

use qdrant_client::qdrant::{Condition, Filter, Range};
use shared::Revision;
use shared::index::of_document;

use crate::author::AuthorFilter;
use crate::day::Day;
use crate::query::Query;
use crate::store::Scope;

/// The chunks that `query` is about.
pub(crate) fn of_query(query: &Query, author: Option<&AuthorFilter>) -> Filter {
    let types: Vec<String> = query.types.iter().map(ToString::to_string).collect();
    let mut must = Vec::new();
    if !types.is_empty() {
        must.push(Condition::matches("type", types));
    }
    for (field, value) in [("platform", &query.platform), ("language", &query.language), ("link", &query.link)] {
        must.extend(value.clone().map(|value| Condition::matches(field, value)));
    }
    if query.path.is_some() {
        must.push(Filter::must_not([Condition::is_empty("path")]).into());
    }
    // By words only; what merely has the same words in its path is dropped when it comes (see `QdrantStore`).
    must.extend(query.path.as_deref().and_then(whole_words).map(|words| Condition::matches_text("path", words)));
    if query.since.is_some() || query.before.is_some() {
        must.push(Condition::range("revision", written_within(query.since, query.before)));
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

/// A path's beginning up to the last whole name in it.
fn whole_words(path: &str) -> Option<String> {
    let end = path.rfind(|c: char| !c.is_alphanumeric())?;
    let words = path[..end].trim_matches(|c: char| !c.is_alphanumeric());
    (!words.is_empty()).then(|| words.to_owned())
}

/// To the second: all that a double can hold of a revision, and more than a day asks for.
fn written_within(since: Option<Day>, before: Option<Day>) -> Range {
    let revision = |day: Day| {
        let seconds = u32::try_from(day.begins().clamp(0, i64::from(u32::MAX))).unwrap_or_default();
        Revision::new(seconds, 0, 0).unwrap_or(Revision::ZERO).get() as f64
    };
    Range { gte: since.map(revision), lt: before.map(revision), ..Range::default() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_narrowed_down_by_its_whole_names() {
        assert_eq!(whole_words("src/search/ve").as_deref(), Some("src/search"));
        assert_eq!(whole_words("src/search/").as_deref(), Some("src/search"));
        assert_eq!(whole_words("src"), None);
        assert_eq!(whole_words("/"), None);
    }

    #[test]
    fn days_become_revisions() {
        let range = written_within("2026-11-22".parse().ok(), None);
        assert_eq!(range.gte, Some((1_795_305_600_i64 << 31) as f64));
        assert_eq!(range.lt, None);
        assert_eq!(written_within(None, "1900-01-01".parse().ok()).lt, Some(0.0));
    }
}
