//! The texts that pages are held against, without the marks of the language that they are written in.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use regex::{Captures, Regex};

use super::sources::{Page, Set};

/// Files that include one another.
const MAX_INCLUDES: usize = 5;

/// What of a page's source no reader sees, and what stands for it.
type Marks = Vec<(Regex, &'static str)>;

static RESTRUCTURED: LazyLock<Marks> = LazyLock::new(|| {
    marks(&[
        // Whole directives and comments that show nothing, with what is indented under them.
        (
            r"(?m)^\.\. (?:index|_|sectionauthor|moduleauthor|module|test(?:setup|cleanup)|doctest|highlight|currentmodule|toctree|only|raw|include|literalinclude|image|figure|contents|\|).*(?:\n[ \t]+.*)*",
            "",
        ),
        (r"(?m)^( *)\.\. [\w:-]+::", "$1"),
        (r":[\w:+-]+:`", "`"),
        (
            r"(?m)^ +:(?:noindex|language|lineno|caption|name|linenos|emphasize-lines|module|platform|synopsis|deprecated|class).*",
            "",
        ),
        (r"(`[^`<]*?)\s*<[^`>]*>`", "$1`"),
        (r"`[~!](?:[\w.]*\.)?", "`"),
    ])
});
static ASCIIDOC: LazyLock<Marks> = LazyLock::new(|| {
    marks(&[
        (r"(?m)^(?:ifdef|ifndef|endif|ifeval)::.*$|^:[\w!-]+:.*$|^//.*$|^\[[\w= ,\x22'-]*\]$", ""),
        (r"(?:https?|link|mailto):[^\s\[]*\[", "["),
        (r"<<[^,>]*,([^>]*)>>", "$1"),
    ])
});
static INCLUDE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^include::([^\[]+)\[[^\]]*\]$"));

/// The text that the page's own should be.
pub(super) fn expected(page: &Page) -> Result<String> {
    let text = match page.set {
        Set::Git => with_included(&page.text, MAX_INCLUDES)?,
        Set::News | Set::Python => read(&page.text)?,
    };
    let marks: &[_] = match page.set {
        Set::News => &[],
        Set::Python => &RESTRUCTURED,
        Set::Git => &ASCIIDOC,
    };
    Ok(marks.iter().fold(text, |text, (mark, instead)| mark.replace_all(&text, *instead).into_owned()))
}

fn with_included(path: &Path, depth: usize) -> Result<String> {
    let text = read(path)?;
    let included = |found: &Captures<'_>| {
        let other = path.with_file_name(&found[1]);
        // What Debian did not pack is in the page alone.
        if depth == 0 || !other.exists() { String::new() } else { with_included(&other, depth - 1).unwrap_or_default() }
    };
    Ok(INCLUDE.replace_all(&text, included).into_owned())
}

fn read(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path).with_context(|| path.display().to_string())?).into_owned())
}

fn marks(patterns: &[(&str, &'static str)]) -> Marks {
    patterns.iter().map(|(mark, instead)| (pattern(mark), *instead)).collect()
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns here are valid")
}
