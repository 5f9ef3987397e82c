//! Alerts, dashboard and `local status`: what they ask for exists, the rules do what they say, and there is a word on what to do.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use bson::{Document, doc};
use local::{Program, Progress, debian_package, default_cache};
use shared::topology::{DEAD_LETTERS, partition_queue};
use tests::{World, binary, eventually, http};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The metrics of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("twin_producer_") || word.starts_with("twin_consumer_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_watched_exists() {
    let readers =
        ["deploy/observe/alerts.yml", "deploy/observe/grafana/llm-twin.json", "local/src/stack/live/metrics.rs"];
    let watched: BTreeSet<String> = readers.iter().flat_map(|reader| named(&text(reader))).collect();
    assert!(watched.len() > 20, "{watched:?}");
    let free_port = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = [free_port(), free_port()];
    let mut world = World::new().await;
    let mut environment = world.environment();
    environment.push(("PRODUCER_HTTP_LISTEN", format!("127.0.0.1:{}", ports[0])));
    environment.push(("CONSUMER_HTTP_LISTEN", format!("127.0.0.1:{}", ports[1])));
    world.producer = Program::new(&binary("producer"), &["run"], environment.clone()).unwrap();
    world.consumer = Program::new(&binary("consumer"), &["run"], environment).unwrap();
    let posts = world.database.collection::<Document>("posts");
    posts.insert_one(doc! {"_id": "before", "content": "a row of the snapshot"}).await.unwrap();
    world.start();
    world.until_found("row", "before", "row").await;
    // What cannot be indexed: a dead letter.
    posts.insert_one(doc! {"_id": "poison", "content": 5}).await.unwrap();
    eventually("every metric is there", || async {
        let shown = named(&(http::get(ports[0], "/metrics").await? + &http::get(ports[1], "/metrics").await?));
        let missing: Vec<_> = watched.difference(&shown).collect();
        ensure!(missing.is_empty(), "{missing:?}");
        Ok(())
    })
    .await;
}

/// `local` stands alone and has their names from nobody.
#[test]
fn the_queues_that_are_shown_are_those_of_the_programs() {
    let shown = text("local/src/stack/live/queues.rs");
    let partitions = partition_queue(7);
    for name in [partitions.trim_end_matches('7'), DEAD_LETTERS] {
        assert!(shown.contains(&format!("{name:?}")), "{name}");
    }
}

/// By Prometheus's own tool, out of Debian's package.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_when_they_should() {
    let prometheus = debian_package(&default_cache(), "prometheus", &Progress::stderr()).await.unwrap();
    for arguments in
        [["check", "config", "deploy/observe/prometheus.yml"], ["test", "rules", "deploy/observe/alerts.test.yml"]]
    {
        let mut promtool = Command::new(prometheus.join("usr/bin/promtool"));
        let output = promtool.args(arguments).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
}

#[test]
fn for_each_alert_there_is_a_word_on_what_to_do() {
    let operations = text("docs/operations.md");
    let rules = text("deploy/observe/alerts.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        assert!(operations.contains(&format!("\n### {alert}\n")), "{alert} is not in docs/operations.md");
    }
    for heading in operations.lines().filter_map(|line| line.strip_prefix("### ")) {
        assert!(rules.contains(&format!("alert: {heading}\n")), "{heading} is no alert");
    }
}
