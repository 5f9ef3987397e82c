//! A cut of `make chaos`: the same harness, one seed, the faults that need no waiting for an election.

use std::time::Duration;

use tests::chaos::{Plan, run};
use tests::{embedder, installation, programs};

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_producer_and_consumer_break_no_promise() {
    let faults = "kill-producer,kill-consumer,reset-publishing,reset-storing".parse().unwrap();
    let duration = Duration::from_secs(30);
    let plan = Plan { seed: 1, duration, faults, rate: 8.0, programs: programs(), say: |line| println!("{line}") };
    let report = run(&plan, installation().await, embedder().await).await.unwrap();
    assert!(report.held(), "{}", report.markdown("none"));
}
