//! Removing letters for good.

use std::io::{IsTerminal, Write, stderr, stdin};

use shared::settings::SettingsError;

use super::letter::Letter;
use super::mailbox::Mailbox;
use super::report::Reasons;
use super::selection::Selection;
use crate::command_error::CommandError;

/// Removes the selected letters, after asking unless `sure`. False: the answer was no.
pub(super) async fn purge(
    mailbox: &mut Mailbox,
    selection: &Selection,
    sure: bool,
    out: &mut impl Write,
) -> Result<bool, CommandError> {
    if !sure && !stdin().is_terminal() {
        return Err(SettingsError::new("--yes", "is required where nobody can be asked").into());
    }
    let (mut reasons, mut meant) = (Reasons::default(), Vec::new());
    while let Some(delivery) = mailbox.next().await? {
        let letter = Letter::of(&delivery);
        if selection.includes(&letter) {
            reasons.count(&letter);
            meant.push(letter.tag);
        }
    }
    if meant.is_empty() && !selection.is_all() {
        return Err(CommandError::Refused("no dead letter is meant by that (see `dead-letters list`)".into()));
    }
    if !meant.is_empty() && !sure && !confirmed(&reasons).await? {
        writeln!(out, "nothing removed")?;
        return Ok(false);
    }
    for letter in &meant {
        mailbox.remove(*letter).await?;
    }
    writeln!(out, "removed: {}", reasons.line())?;
    Ok(true)
}

async fn confirmed(reasons: &Reasons) -> Result<bool, CommandError> {
    write!(stderr(), "Remove for good: {}? [y/N] ", reasons.line())?;
    // The connection has to stay alive while a person thinks.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(std::io::Error::other)??;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
