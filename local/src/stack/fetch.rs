//! `local provision`: what is asked for is in the cache afterwards; nothing is started.

use super::{Settings, StackError};
use crate::say::say;
use crate::{PartName, Progress, provision, provision_parts};

/// Fetches what is missing and verifies it; all of it where no part is named.
pub async fn fetch(settings: &Settings, parts: &[PartName]) -> Result<(), StackError> {
    let cache = settings.cache();
    if parts.is_empty() {
        Box::pin(provision(&cache, &Progress::stderr())).await?;
    } else {
        provision_parts(&cache, parts, &Progress::stderr()).await?;
    }
    say(format_args!("all that is needed is in {}", cache.display()));
    Ok(())
}
