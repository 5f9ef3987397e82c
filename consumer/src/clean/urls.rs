//! Long addresses in running text. They say where, not what, and cost more tokens than the sentence around them.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// An address up to this long stays as it is.
const LONGEST: usize = 80;
/// What is left of a longer one, before the dots.
const KEPT: usize = 60;

/// Only ASCII belongs to an address here: what follows it in Chinese is text, not path.
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:https?://|data:)[!#-&*-;=?-Z^_a-z~]{72,}").expect("the pattern is valid"));

/// `text` with long addresses cut: first the query, then the end of the path.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    ADDRESS.replace_all(text, |found: &Captures<'_>| shortened(&found[0]))
}

fn shortened(address: &str) -> String {
    let is_data = address.starts_with("data:");
    if address.len() <= LONGEST || (is_data && !address.contains(";base64,")) {
        return address.to_owned();
    }
    let path = &address[..address.find(['?', '#']).unwrap_or(address.len())];
    if path.len() <= LONGEST { path.to_owned() } else { format!("{}...", &path[..KEPT]) }
}
