//! A promise, and whether it was kept.

use std::fmt::Write as _;

/// Faults of one promise that are shown.
const SHOWN: usize = 5;

/// What was promised, what was seen, and what speaks against it.
#[derive(Debug)]
pub(crate) struct Promise {
    /// In a few words.
    pub(crate) what: String,
    /// Figures.
    pub(crate) seen: String,
    /// None: it was kept.
    pub(crate) faults: Vec<String>,
}

impl Promise {
    /// Whether it was kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A table in Markdown, and below it what is wrong.
pub(crate) fn table(promises: &[Promise]) -> String {
    let mut text = String::from("| promise | kept | seen |\n| --- | --- | --- |\n");
    for promise in promises {
        let kept = if promise.is_kept() { "yes" } else { "**no**" };
        let _ = writeln!(text, "| {} | {kept} | {} |", promise.what, promise.seen);
    }
    for Promise { what, faults, .. } in promises.iter().filter(|promise| !promise.is_kept()) {
        let _ = writeln!(text, "\n## Broken: {what} ({} times)\n", faults.len());
        for fault in faults.iter().take(SHOWN) {
            let _ = writeln!(text, "- {fault}");
        }
    }
    text
}
