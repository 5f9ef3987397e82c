//! What a person sees meanwhile: a bar on a terminal, else nothing.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a comparison is.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Nothing done yet.
    pub(super) fn new() -> Self {
        let target = if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos} of {human_len}, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// About so much is to be read.
    pub(super) fn begin(&self, total: u64) {
        self.0.set_length(total);
        self.0.set_message("comparing");
    }

    /// So much more was read.
    pub(super) fn advance(&self, more: usize) {
        self.0.inc(more as u64);
    }

    /// So many documents are in question.
    pub(super) fn waiting(&self, documents: usize) {
        self.0.set_message(format!("looking again at {documents} documents"));
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
