//! `containers`: builds, starts and torments the stack in containers, and tells whether it held.

use anyhow::Result;
use tests::containers::{Site, trial};

#[tokio::main]
async fn main() -> Result<()> {
    match local::stack::containers().await {
        Err(why) => println!("SKIPPED: {why}"),
        Ok(stand_ins) => {
            for stand_in in stand_ins {
                println!("  {stand_in}");
            }
            let passed = trial(&Site::new()?).await?;
            println!("{passed} passed, 0 failed");
        }
    }
    Ok(())
}
