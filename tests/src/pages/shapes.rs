//! Headings, blocks of code, items of lists that are more than a link, and rows of tables: how many of a page's are there in its Markdown.

use std::sync::LazyLock;

use regex::Regex;

use super::sources::Page;

/// Number of kinds.
pub(super) const KINDS: [&str; 4] = ["headings", "code", "items", "rows"];

static REGION: LazyLock<Regex> = LazyLock::new(|| {
    // The part that the page's own generator marks: Sphinx's body up to its sidebar, AsciiDoc's from its header to its footer.
    pattern(r#"(?s)(?:role="main">|<div id="header">)(.*?)(?:<div class="sphinxsidebar"|<div id="footer">)"#)
});
static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<h[1-6]\b[^>]*>(.*?)</h[1-6]>"));
static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<pre\b[^>]*>(.*?)</pre>"));
static ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"<li\b[^>]*>"));
// Where an item ends, or a list within it begins.
static ITEM_END: LazyLock<Regex> = LazyLock::new(|| pattern(r"</?(?:li|ul|ol)\b"));
static LINK: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<a\b[^>]*>.*?</a>"));
static ROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"<tr\b"));
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"<[^>]*>|&#?\w+;"));
static MARKED_ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^[ >]*(?:[*+-]|\d+[.)]) "));
static MARKED_ROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^[ >]*\|"));

/// Of each kind, how many are kept and how many there are. Nothing where the page marks no main part.
pub(super) fn kept(page: &Page, markdown: &str) -> [(usize, usize); KINDS.len()] {
    let Some(region) = REGION.captures(&page.html).map(|found| found.get(1).map_or("", |region| region.as_str()))
    else {
        return Default::default();
    };
    let headings: String = markdown.lines().filter(|line| line.starts_with('#')).map(letters).collect();
    let code: String = fenced(markdown).map(letters).collect();
    let holding = |all: &Regex, found: &str| {
        let all: Vec<String> = all
            .captures_iter(region)
            .map(|one| letters(&TAG.replace_all(&one[1], "")))
            .filter(|one| !one.is_empty())
            .collect();
        (all.iter().filter(|one| found.contains(one.as_str())).count(), all.len())
    };
    let counted = |all: usize, found: &Regex| (found.find_iter(markdown).count().min(all), all);
    [
        holding(&HEADING, &headings),
        holding(&CODE, &code),
        counted(ITEM.split(region).skip(1).filter(|item| says_something(item)).count(), &MARKED_ITEM),
        counted(ROW.find_iter(region).count(), &MARKED_ROW),
    ]
}

/// Whether the item that begins here is more than a link: a table of contents is no text.
fn says_something(item: &str) -> bool {
    let own = ITEM_END.find(item).map_or(item, |end| &item[..end.start()]);
    !letters(&TAG.replace_all(&LINK.replace_all(own, ""), "")).is_empty()
}

/// The lines of fenced code.
fn fenced(markdown: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    markdown.lines().filter(move |line| {
        let bare = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(_)) => {
                fence = mark;
                false
            }
            (Some(open), Some(mark)) if open == mark => {
                fence = None;
                false
            }
            (open, _) => open.is_some(),
        }
    })
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns here are valid")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::sources::Set;
    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_letters_or_its_marks() {
        let html = r#"<div role="main"><h1>Ships &amp; tides</h1><h2>Left out</h2><pre>let <b>x</b> = 1;</pre><ul><li>a<li>b<li><a href="c">c</a></ul>
            <table><tr><td>c</table></div><div class="sphinxsidebar">"#;
        let page = Page { set: Set::Python, name: String::new(), html: html.into(), text: PathBuf::new() };
        let markdown = "# Ships & tides\n\n```\nlet x = 1;\n```\n\n* a\n\n| c";
        assert_eq!(kept(&page, markdown), [(1, 2), (1, 1), (1, 2), (1, 1)]);
    }
}
