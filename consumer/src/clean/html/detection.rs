//! Whether a text is HTML. Markdown may hold some, and a text may be about it: only what is HTML as a whole counts.

use std::sync::LazyLock;

use regex::Regex;

/// Tags that end or break a block, in a text that is no page: fewer are an example or a decoration.
const ENOUGH: usize = 3;

static PAGE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\s*(?:<\?xml[^>]*>\s*|<!--[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b"));
static BLOCK_START: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)^\s*<(?:p|div|article|section|main|header|h[1-6]|ul|ol|table|blockquote|figure|pre)(?:\s[^<]*)?>")
});
static BLOCK_END: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)</(?:p|div|article|section|main|h[1-6]|ul|ol|li|table|tr|blockquote|figure|pre)\s*>|<br\s*/?>")
});
static MARKDOWN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^ {0,3}(?:#{1,6} |```|~~~|[*+-] )|\]\("));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns here are valid")
}

/// Whether a text is a whole page, which has more on it than what it is about.
pub(super) fn is_page(text: &str) -> bool {
    PAGE.is_match(text)
}

pub(super) fn looks_like_html(text: &str) -> bool {
    if !text.contains('<') {
        return false;
    }
    if is_page(text) {
        return true;
    }
    let closed = text.trim_end().ends_with('>');
    let ends = BLOCK_END.find_iter(text).take(ENOUGH).count();
    let whole = closed && ends > 0 && BLOCK_START.is_match(text);
    (whole || ends == ENOUGH) && !MARKDOWN.is_match(text)
}
