//! `local images-offline`: stand-ins for the images that docker-compose.yml and Dockerfile pin.

use super::{Settings, StackError};
use crate::containers::{Engine, stand_ins};
use crate::say::say;
use crate::{Progress, debian_package, provision};

/// Makes those that the engine does not have; what is there, it leaves alone.
pub async fn images_offline(settings: &Settings) -> Result<(), StackError> {
    Engine::find_patiently().await.map_err(StackError::NoEngine)?;
    let installation = Box::pin(provision(&settings.cache(), &Progress::stderr())).await?;
    let debootstrap = Box::pin(debian_package(&settings.cache(), "debootstrap", &Progress::stderr())).await?;
    Box::pin(stand_ins(&installation, &debootstrap)).await.map_err(StackError::NoImages)?;
    say("every pinned image is there: STACK=containers make local-start");
    Ok(())
}
