//! `local clean`: stop, and remove what the stack has stored.

use std::io;
use std::path::Path;

use super::contained::Contained;
use super::lock::Lock;
use super::{Settings, StackError, stop};
use crate::say::say;

/// Removes data, logs, programs and settings of the stack, and nothing else that lies in its folder. The cache of downloads stays.
pub async fn clean(settings: &Settings) -> Result<(), StackError> {
    let Some(layout) = settings.existing()? else {
        say("nothing to remove");
        return Ok(());
    };
    let _lock = Lock::take(&layout)?;
    if let Some(contained) = Contained::started(settings).await? {
        contained.remove().await?;
    }
    stop::end_all(&layout).await?;
    for path in [layout.data(), layout.logs(), layout.bin(), layout.env_file(), layout.containers_file(), layout.run()]
    {
        remove(&path).map_err(StackError::io(path.display().to_string()))?;
    }
    let _ = std::fs::remove_dir(layout.root()); // Only if it is empty now.
    say(format_args!("removed {}", layout.root().display()));
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
