//! Which of the letters are meant.

use clap::Args;
use shared::settings::SettingsError;

use super::letter::Letter;

/// Which letters: by id, by reason, or all of them.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// Letters with this id, or one that begins so; several times for several
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    id: Vec<String>,
    /// Letters with this reason, as `list` says; several times for several
    #[arg(long, value_name = "REASON", conflicts_with = "all")]
    reason: Vec<String>,
    /// Every letter
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// Something has to be meant: all of them only by name.
    ///
    /// # Errors
    /// Nothing is.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let named = self.all || !self.id.is_empty() || !self.reason.is_empty();
        named.then_some(()).ok_or_else(|| SettingsError::new("--id, --reason or --all", "is required"))
    }

    /// Whether this letter is meant: of one of the ids, if any are named, and of one of the reasons.
    pub(super) fn includes(&self, letter: &Letter) -> bool {
        let by_id = self.id.is_empty() || self.id.iter().any(|id| letter.id.starts_with(id.as_str()));
        let by_reason = self.reason.is_empty() || self.reason.contains(&letter.reason);
        self.all || (by_id && by_reason)
    }

    /// Whether it is nobody's mistake if no letter is meant.
    pub(super) fn is_all(&self) -> bool {
        self.all
    }
}
