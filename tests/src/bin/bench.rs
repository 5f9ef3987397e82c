//! `make bench`: the performance table, `target/bench.json` and `target/bench.svg` of the checkout.
//!
//! Settings, by environment: `BENCH=chunk,relay,snapshot,index,update,freshness,query,idle` (which parts; all), `BENCH_SCALE=0.1` (less of everything, to try it
//! out), `INDEX_DATA=folder` (index `articles.jsonl` and `posts.jsonl` from there instead of made-up texts).

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::bench::{self, Bench, Report};

const PARTS: [&str; 8] = ["chunk", "relay", "snapshot", "index", "update", "freshness", "query", "idle"];

#[tokio::main]
async fn main() -> Result<()> {
    let named = setting("BENCH").unwrap_or_else(|| PARTS.join(","));
    let parts = parts(&named)?;
    let scale =
        setting("BENCH_SCALE").map_or(Ok(1.0), |scale| scale.parse().context("BENCH_SCALE: a number such as 0.1"))?;
    let (begun, mut machine) = (Instant::now(), bench::machine());
    let bench = Bench::start(scale, setting("INDEX_DATA").map(PathBuf::from)).await?;
    let (mut report, mut failed) = (Report::default(), Vec::new());
    for part in &parts {
        // One that fails does not take with it what the others found.
        match Box::pin(measure(&bench, part)).await {
            Ok(found) => report.append(found),
            Err(error) => {
                eprintln!("{part}: {error:#}");
                failed.push(*part);
            }
        }
    }
    drop(bench);
    machine.insert("machine_load_after".into(), bench::load().into());
    machine.insert("bench_parts".into(), parts.join(",").into());
    machine.insert("bench_scale".into(), scale.into());
    machine.insert("bench_seconds".into(), begun.elapsed().as_secs().into());
    for (key, value) in &machine {
        println!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    println!("\n{}", report.table());
    write(&report, machine)?;
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

async fn measure(bench: &Bench, part: &str) -> Result<Report> {
    match part {
        "chunk" => bench::chunk(bench),
        "relay" => bench::relay(bench).await,
        "snapshot" => bench::snapshot(bench).await,
        "index" => bench::index(bench).await,
        "update" => bench::update(bench).await,
        "freshness" => bench::freshness(bench).await,
        "query" => bench::query(bench).await,
        _ => bench::idle(bench).await,
    }
}

/// Into the checkout's own folder, wherever cargo builds.
fn write(report: &Report, mut flat: serde_json::Map<String, Value>) -> Result<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
    std::fs::create_dir_all(&target)?;
    flat.extend(report.json());
    std::fs::write(target.join("bench.json"), format!("{:#}\n", Value::Object(flat)))?;
    bench::draw(report, &target.join("bench.svg"))?;
    println!("target/bench.json, target/bench.svg");
    Ok(())
}

fn parts(named: &str) -> Result<Vec<&str>> {
    let parts: Vec<&str> = named.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let unknown = parts.iter().find(|part| !PARTS.contains(part));
    ensure!(unknown.is_none(), "BENCH: `{}` is none of {}", unknown.unwrap_or(&""), PARTS.join(", "));
    Ok(parts)
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
