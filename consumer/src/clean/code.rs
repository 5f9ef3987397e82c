//! Cleaning of code: as it is, without what is invisible and what must not be shown.

use super::{invisible, secrets};

/// Cleaned code. Never normalised: a changed character changes what it does.
pub(super) fn clean(raw: &str) -> String {
    let text = secrets::mask(&invisible::remove(raw));
    let text = text.trim_end();
    // The first line keeps its indentation.
    let first = text.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let start = text[..first].rfind('\n').map_or(0, |end| end + 1);
    text[start..].to_owned()
}
