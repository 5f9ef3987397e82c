//! A set of manuals to evaluate on: pages of Python's documentation without their headings and of Git's without their names, asked for by
//! what these say.

use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Result;
use bson::Bson;
use regex::Regex;
use serde_json::json;
use shared::{DocumentType, Identity};

use super::data::{Data, Question};
use crate::pages::{Page, Set, pages};

/// Words of a question that says something.
const LEAST_WORDS: usize = 3;

static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<title>.*?</title>|<h1\b[^>]*>(?<says>.*?)</h1>"));
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?s)<div id="header">(?<says>.*?)</div>"#));
static MARK: LazyLock<Regex> = LazyLock::new(|| pattern(r"<[^>]*>|&#?\w+;|¶"));
/// Between a name and what it stands for.
static DASH: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s+[—-]\s+"));

impl Data {
    /// Builds the set: a document for each page, also for those that nothing asks for. The pages are fetched into `cache` at the first time.
    ///
    /// # Errors
    /// The pages are not to be had.
    pub fn of_manuals(cache: &Path) -> Result<Self> {
        let (mut documents, mut questions) = (Vec::new(), Vec::new());
        let mut asked = HashMap::<String, usize>::new();
        for page in pages(cache)? {
            let heading: &Regex = match page.set {
                Set::News => continue,
                Set::Python => &HEADING,
                Set::Git => &NAME,
            };
            let identity = Identity::of(DocumentType::Articles, &Bson::String(page.name.clone()))?;
            if let Some(text) = said(heading, &page) {
                *asked.entry(text.clone()).or_default() += 1;
                questions.push(Question { text, relevant: vec![identity.clone()], line: None });
            }
            let content = json!({ "Content": heading.replace_all(&page.html, "") });
            documents.push((identity, [("content".to_owned(), content)].into_iter().collect()));
        }
        questions.retain(|question: &Question| asked.get(&question.text) == Some(&1));
        Ok(Self { documents, questions })
    }
}

/// What stands behind the dash of a heading.
fn said(heading: &Regex, page: &Page) -> Option<String> {
    let heading = heading.captures_iter(&page.html).find_map(|found| found.name("says"))?;
    let bare = MARK.replace_all(heading.as_str(), " ");
    let words: Vec<&str> = DASH.splitn(&bare, 2).nth(1)?.split_whitespace().collect();
    (words.len() >= LEAST_WORDS).then(|| words.join(" "))
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns here are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(set: Set, html: &str) -> Option<String> {
        let heading: &Regex = if set == Set::Git { &NAME } else { &HEADING };
        said(heading, &Page { set, name: String::new(), html: html.into(), text: "".into() })
    }

    #[test]
    fn what_stands_behind_the_dash_is_asked() {
        let python = r##"<title>a — b</title><h1><a href="#x"><code>tides</code></a> — Tables of <i>high water</i><a>¶</a></h1>"##;
        assert_eq!(asks(Set::Python, python).as_deref(), Some("Tables of high water"));
        let git = "<div id=\"header\"><h1>git-tide(1)</h1><p>git-tide -\n Turn the tide</p></div>";
        assert_eq!(asks(Set::Git, git).as_deref(), Some("Turn the tide"));
        assert_eq!(asks(Set::Python, "<h1>Tides — Glossary</h1>"), None);
        assert_eq!(asks(Set::Python, "<h1>Tables of high water</h1>"), None);
    }
}
