//! `local provision`: all that is needed is in the cache afterwards; nothing is started.

use super::{Settings, StackError};
use crate::say::say;
use crate::{Progress, provision};

/// Fetches what is missing and verifies it.
pub async fn fetch(settings: &Settings) -> Result<(), StackError> {
    Box::pin(provision(&settings.cache(), &Progress::stderr())).await?;
    say(format_args!("all that is needed is in {}", settings.cache().display()));
    Ok(())
}
