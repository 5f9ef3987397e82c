//! A line for each thing seen, with the time since the change.

use std::time::{Duration, Instant};

use super::sample::Sample;
use crate::say::say;
use crate::stack::StackError;

const AGAIN: Duration = Duration::from_millis(100);

/// One kind of change, made at one moment.
#[derive(Debug)]
pub(super) struct Step {
    name: &'static str,
    begun: Instant,
}

impl Step {
    pub(super) fn begin(name: &'static str) -> Self {
        Self { name, begun: Instant::now() }
    }

    /// Asks until the answer is Ok, then prints ✓; an Err at the limit ends all, with its reason.
    pub(super) async fn until<F: Future<Output = Result<(), String>>>(
        &self,
        limit: Duration,
        sample: &Sample,
        what: &str,
        ask: impl Fn() -> F,
    ) -> Result<(), StackError> {
        let what = format!("{}  {:<12}  {}  {what}", self.name, sample.collection, sample.id);
        loop {
            let answer = ask().await;
            match answer {
                Ok(()) => {
                    say(format_args!("✓ {what}  {} ms", self.begun.elapsed().as_millis()));
                    return Ok(());
                }
                Err(why) if self.begun.elapsed() > limit => {
                    let limit = limit.as_secs();
                    return Err(StackError::Cdc(format!(
                        "✗ {what}: not within {limit} s ({why}); see: make local-logs"
                    )));
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}
