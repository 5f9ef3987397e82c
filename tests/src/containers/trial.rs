//! What the stack in containers is put through, step by step.

use std::time::Instant;

use anyhow::{Result, ensure};
use bson::doc;

use super::site::{Site, docker};

/// Written at each step, so that there is something on its way when something happens.
const DOCUMENTS: usize = 40;
const SERVICES: [&str; 7] = ["mongo1", "mongo2", "mongo3", "rabbitmq", "qdrant", "producer", "consumer"];

/// Every step, with a line and its seconds for each; the number of steps. The first that fails ends it.
///
/// # Errors
/// What did not hold.
pub async fn trial(site: &Site) -> Result<usize> {
    let mut steps = 0;
    let mut said = Instant::now();
    let mut held = |what: &str| {
        println!("✓ {what}  {:.0} s", said.elapsed().as_secs_f32());
        said = Instant::now();
        steps += 1;
    };

    site.local(&["start"])?;
    held("built, started, healthy");
    site.local(&["start"])?;
    held("started again: nothing to do");
    runs_as_it_should(site)?;
    held("our programs: not root, nothing of the image writable");
    site.local(&["test-cdc"])?;
    held("documents in, found, changed, gone");

    for service in ["producer", "consumer", "qdrant", "rabbitmq", "mongo1"] {
        site.write(DOCUMENTS, &format!("before the kill of {service}")).await?;
        site.crash(service)?;
        site.write(DOCUMENTS, &format!("after the kill of {service}")).await?;
        site.until_well()?;
        site.verified()?;
        held(&format!("kill -9 of {service}: back by itself, nothing lost"));
    }

    for (service, program) in
        [("producer", "producer"), ("consumer", "consumer"), ("qdrant", "consumer"), ("rabbitmq", "producer")]
    {
        site.cut_off(service)?;
        site.write(DOCUMENTS, &format!("without {service}")).await?;
        // Shorter, TCP alone would mend it.
        site.until_not_ready(program)?;
        site.rejoin(service)?;
        site.until_well()?;
        site.verified()?;
        held(&format!("{service} cut off and back: nothing lost"));
    }
    site.cut_off("mongo1")?;
    site.local(&["test-cdc"])?;
    site.rejoin("mongo1")?;
    site.until_well()?;
    held("the primary cut off: another takes over, and it comes back");

    for service in SERVICES {
        site.write(DOCUMENTS, &format!("before the restart of {service}")).await?;
        docker(&["restart", "--time", "40", &site.container(service)?])?;
        site.until_well()?;
    }
    site.verified()?;
    held("rolling restart: nothing lost");

    let before = site.posts().await?.count_documents(doc! {}).await?;
    site.local(&["stop"])?;
    site.local(&["start"])?;
    let after = site.posts().await?.count_documents(doc! {}).await?;
    ensure!(before == after, "{before} posts before, {after} after");
    site.verified()?;
    let found = site.local(&["search", "the kill of rabbitmq"])?;
    ensure!(found.contains("the kill of rabbitmq"), "not found: {found}");
    held("down with volumes kept, up again: all data there");
    Ok(steps)
}

fn runs_as_it_should(site: &Site) -> Result<()> {
    for service in ["producer", "consumer"] {
        let container = site.container(service)?;
        let user = docker(&["exec", &container, "id", "-u"])?;
        ensure!(user != "0", "{service} runs as root");
        ensure!(docker(&["exec", &container, "touch", "/opt/llm-twin/x"]).is_err(), "{service} can write to its image");
    }
    Ok(())
}
