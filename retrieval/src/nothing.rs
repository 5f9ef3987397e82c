//! Why a query has no hits, where that can be told: an empty answer to a mistyped filter looks like any other.

use std::fmt;

use qdrant_client::Qdrant;
use qdrant_client::qdrant::{Filter, ScrollPointsBuilder};
use shared::index::Index;

use crate::author::AuthorFilter;
use crate::error::SearchError;
use crate::filter;
use crate::query::Query;

/// What leaves a query without hits, whatever its words.
#[derive(Debug, Clone, PartialEq)]
pub enum Nothing {
    /// There is nothing to find.
    EmptyIndex,
    /// No text passes this filter by itself.
    Filter {
        /// What is filtered by.
        name: &'static str,
        /// As it was given.
        value: String,
    },
    /// No text is of the days that were given.
    Days,
    /// There were hits, all below the least score.
    Score {
        /// Of the best of them.
        best: f32,
    },
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyIndex => f.write_str("the index holds no text yet"),
            Self::Filter { name, value } => write!(f, "no text in the index is of the {name} `{value}`"),
            Self::Days => f.write_str("no text in the index is of these days"),
            Self::Score { best } => write!(f, "the best score is {best:.4}, below the least that is shown"),
        }
    }
}

/// The first of the query's filters that lets no text pass, or that there is no text; `None` where it is the filters
/// together or the words that leave nothing.
pub(crate) async fn why(
    qdrant: &Qdrant,
    index: &Index,
    query: &Query,
    author: Option<&AuthorFilter>,
) -> Result<Option<Nothing>, SearchError> {
    if !holds(qdrant, index, Filter::default()).await? {
        return Ok(Some(Nothing::EmptyIndex));
    }
    for (nothing, alone) in each_filter(query) {
        let author = alone.author.as_ref().and(author);
        if !holds(qdrant, index, filter::of_query(&alone, author)).await? {
            return Ok(Some(nothing));
        }
    }
    Ok(None)
}

/// The query's filters one by one, and what to say where one lets nothing pass.
fn each_filter(query: &Query) -> Vec<(Nothing, Query)> {
    let Query { types, author, platform, language, link, path, since, before, .. } = query.clone();
    let none = || Query::new(&query.text);
    let filter = |name: &'static str, value: &Option<String>, alone: Query| {
        value.clone().map(|value| (Nothing::Filter { name, value }, alone))
    };
    let names = types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let given = Some(names).filter(|names| !names.is_empty());
    let days = (since.is_some() || before.is_some()).then(|| (Nothing::Days, Query { since, before, ..none() }));
    let each = [
        filter("type", &given, Query { types, ..none() }),
        filter("author", &author, Query { author: author.clone(), ..none() }),
        filter("platform", &platform, Query { platform: platform.clone(), ..none() }),
        filter("language", &language, Query { language: language.clone(), ..none() }),
        filter("link", &link, Query { link: link.clone(), ..none() }),
        filter("path", &path, Query { path: path.clone(), ..none() }),
        days,
    ];
    each.into_iter().flatten().collect()
}

async fn holds(qdrant: &Qdrant, index: &Index, filter: Filter) -> Result<bool, SearchError> {
    let one = ScrollPointsBuilder::new(&index.chunks).filter(filter).limit(1).with_payload(false);
    Ok(!qdrant.scroll(one).await?.result.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_stands_by_itself() {
        let query = Query {
            author: Some("ann".into()),
            path: Some("src/".into()),
            since: "2026-11-22".parse().ok(),
            ..Query::new("tea")
        };
        let each = each_filter(&query);
        let said: Vec<String> = each.iter().map(|(nothing, _)| nothing.to_string()).collect();
        let of = |what: &str| format!("no text in the index is of {what}");
        assert_eq!(said, [of("the author `ann`"), of("the path `src/`"), of("these days")]);
        assert_eq!(each[0].1, Query { author: Some("ann".into()), ..Query::new("tea") });
        assert_eq!(each_filter(&Query::new("tea")), []);
    }
}
