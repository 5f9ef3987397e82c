//! Which of the two stacks: on this machine itself, or in containers.

use std::fmt;

use super::{Settings, StackError, env_file};
use crate::containers::{Engine, checkout, pinned};
use crate::layout::Layout;
use crate::supervisor;

/// How the servers and programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackKind {
    /// As processes of this machine, under the supervisor.
    Native,
    /// As containers, by Compose.
    Containers,
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Containers => "containers",
        })
    }
}

/// The one that STACK names. Else the native one where it runs, containers where an engine answers and has the images or a registry offers them, and
/// the native one again; why not containers is said in one line where there is an engine.
pub async fn choose(settings: &Settings) -> Result<StackKind, StackError> {
    if let Some(kind) = settings.stack()? {
        return Ok(kind);
    }
    if let Some(layout) = settings.existing()?
        && supervisor::running(&layout).map_err(StackError::io("looking for the supervisor"))?.is_some()
    {
        return Ok(StackKind::Native);
    }
    // Nobody misses containers where no engine answers.
    let Ok(engine) = Engine::find().await else {
        return Ok(StackKind::Native);
    };
    match images(&engine).await {
        Ok(_) => Ok(StackKind::Containers),
        Err(why) => {
            eprintln!("a container engine answers, but {why}: going native (make images-offline makes stand-ins)");
            Ok(StackKind::Native)
        }
    }
}

/// Whether the stack can run in containers here: what the stand-ins among the images say of themselves, or one line why not.
pub async fn containers() -> Result<Vec<String>, String> {
    images(&Engine::find().await?).await
}

/// Ok if the engine has every image that is pinned or can get them; with what its stand-ins say of themselves.
pub(super) async fn images(engine: &Engine) -> Result<Vec<String>, String> {
    let images = pinned(&checkout()).map_err(|error| format!("the pinned images cannot be read: {error}"))?;
    match engine.stand_ins(&images).await {
        Ok(stand_ins) => Ok(stand_ins),
        Err(missing) => match engine.offered(&missing).await {
            Ok(()) => Ok(Vec::new()),
            Err(why) => Err(format!("the image {missing} is not there and cannot be pulled ({why})")),
        },
    }
}

/// The kind that was started last in this folder.
pub(super) fn started(layout: &Layout) -> StackKind {
    match env_file::read(layout) {
        Ok(variables) if variables.get("STACK").is_some_and(|kind| kind == "containers") => StackKind::Containers,
        _ => StackKind::Native,
    }
}
