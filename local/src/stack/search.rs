//! `local search`: retrieval against this stack.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::contained::Contained;
use super::{Settings, StackError, env_file};

/// Becomes `retrieval search` with the stack's settings; returns only if that is impossible.
pub async fn search(settings: &Settings, arguments: &[String]) -> Result<Infallible, StackError> {
    if let Some(contained) = Contained::started(settings).await? {
        return contained.search(arguments);
    }
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    let program = layout.program("retrieval");
    let error = Command::new(&program).arg("search").args(arguments).envs(env_file::read(&layout)?).exec();
    Err(StackError::Io { what: program.display().to_string(), error })
}
