//! The pages: of news, with their texts, as PyPI's `newspaper4k` tests by; of documentation, with what it was made from, as Debian packs it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::packages::{self, files};

/// Where pages are from, and how their texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// News in a dozen languages; texts as a reader would copy them.
    News,
    /// Python's documentation; reStructuredText.
    Python,
    /// Git's manual; AsciiDoc.
    Git,
}

impl Set {
    pub(super) const ALL: [Self; 3] = [Self::News, Self::Python, Self::Git];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::News => "news",
            Self::Python => "python",
            Self::Git => "git",
        }
    }
}

/// A page and the file with its text.
pub(crate) struct Page {
    pub(crate) set: Set,
    /// Unique; a file's name as well.
    pub(crate) name: String,
    pub(crate) html: String,
    pub(crate) text: PathBuf,
}

/// All pages, fetched into `cache` at the first time.
///
/// # Errors
/// Names the package that is not to be had.
pub(crate) fn pages(cache: &Path) -> Result<Vec<Page>> {
    let root = packages::kept(cache, "pages", |folder| {
        packages::python_source(folder, "newspaper4k==0.9.6")?;
        packages::debian(folder, &["python3.11-doc", "git-doc"])
    })?;
    let documentation = root.join("usr/share/doc");
    let news = root.join("newspaper4k/tests/data");
    let mut pages = of_set(Set::News, &news.join("html"), &news.join("txt"), "txt")?;
    let python = documentation.join("python3.11/html");
    pages.extend(of_set(Set::Python, &python, &python.join("_sources"), "rst.txt")?);
    let git = documentation.join("git-doc");
    pages.extend(of_set(Set::Git, &git, &git, "txt")?);
    Ok(pages)
}

/// The pages below `html` that have a text of the same name below `texts`.
fn of_set(set: Set, html: &Path, texts: &Path, ending: &str) -> Result<Vec<Page>> {
    let mut pages = Vec::new();
    for path in files(html)?.into_iter().filter(|path| path.extension() == Some(OsStr::new("html"))) {
        let inside = path.strip_prefix(html)?.with_extension("");
        let text = texts.join(format!("{}.{ending}", inside.display()));
        if text.exists() {
            let name = format!("{}_{}", set.name(), inside.display().to_string().replace('/', "_"));
            pages.push(Page { set, name, html: String::from_utf8_lossy(&fs::read(path)?).into_owned(), text });
        }
    }
    Ok(pages)
}
