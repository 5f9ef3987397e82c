//! A line for each thing seen, with the time since the change.

use std::time::{Duration, Instant};

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
        what: &str,
        ask: impl Fn() -> F,
    ) -> Result<(), StackError> {
        loop {
            let answer = ask().await;
            let milliseconds = self.begun.elapsed().as_millis();
            match answer {
                Ok(()) => {
                    println!("✓ {}: {what} ({milliseconds} ms)", self.name);
                    return Ok(());
                }
                Err(why) if self.begun.elapsed() > limit => {
                    return Err(StackError::Cdc(format!(
                        "✗ {}: {what}: not within {} s ({why}); see: make local-logs",
                        self.name,
                        limit.as_secs()
                    )));
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}
