//! `local stop`: in order, and nothing left.

use std::time::{Duration, Instant};

use super::contained::Contained;
use super::lock::Lock;
use super::programs::PROGRAMS;
use super::{Settings, StackError};
use crate::layout::Layout;
use crate::say::say;
use crate::supervisor;

/// The supervisor gives its programs 20 s to drain and its servers as long to close.
const GRACE: Duration = Duration::from_secs(60);

/// Ends the supervisor and its services; also those that a killed supervisor left behind.
pub async fn stop(settings: &Settings) -> Result<(), StackError> {
    let Some(layout) = settings.existing()? else {
        say("nothing runs");
        return Ok(());
    };
    let _lock = Lock::take(&layout)?;
    if let Some(contained) = Contained::started(settings).await? {
        contained.stop().await?;
    }
    end_all(&layout).await
}

/// No process and no port of the stack is left when this returns.
pub(super) async fn end_all(layout: &Layout) -> Result<(), StackError> {
    let begun = Instant::now();
    let found = supervisor::running(layout).map_err(StackError::io("looking for the supervisor"))?;
    if let Some(running) = &found {
        say("stopping: programs drain first, then the servers");
        if !running.end(GRACE).await.map_err(StackError::io("ending the supervisor"))? {
            say(format_args!("the supervisor did not end in {} s and was killed", GRACE.as_secs()));
        }
    }
    let mut orphans = supervisor::end_orphans(layout).await.map_err(StackError::io("ending services left behind"))?;
    orphans.extend(
        supervisor::end_strays(layout, &PROGRAMS).await.map_err(StackError::io("ending programs left behind"))?,
    );
    for name in &orphans {
        say(format_args!("  {name} was left behind and has been ended"));
    }
    if found.is_some() || !orphans.is_empty() {
        say(format_args!("stopped after {:.1} s", begun.elapsed().as_secs_f32()));
    }
    Ok(())
}
