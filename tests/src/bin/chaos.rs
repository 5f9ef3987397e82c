//! `chaos`: kills, pauses and cuts everything by a random schedule, or runs drills, and tells whether every promise was
//! kept.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use local::{Installation, Progress, default_cache, provision};
use shared::embedding::Embedder;
use shared::settings::EmbeddingSettings;
use tests::chaos::{Faults, Plan, Report, run, table};
use tests::drills::{self, DRILLS, Order};
use tests::programs;

/// Kill, pause and cut everything while documents change, and see whether every promise is kept
#[derive(Parser)]
struct Arguments {
    /// One seed, several (`1,2,3`) or a range (`1..10`, both included)
    #[arg(long, env = "SEED", default_value = "1", value_parser = seeds)]
    seed: Seeds,
    /// Minutes of writes and faults, of each seed
    #[arg(long, env = "MINUTES", default_value_t = 4.0)]
    minutes: f64,
    #[arg(long, env = "FAULTS", default_value = "all", help = faults_help())]
    faults: String,
    /// Writes a second
    #[arg(long, env = "RATE", default_value_t = 12.0)]
    rate: f64,
    /// Drills instead of the random schedule, separated by commas, or `all`
    #[arg(long, env = "DRILL", long_help = drills_help())]
    drill: Option<String>,
    /// Of drills: 1 is the full size, 0.1 a tenth of everything
    #[arg(long, env = "SCALE", default_value_t = 1.0)]
    scale: f64,
    /// Where the reports go
    #[arg(long, env = "CHAOS_REPORTS", default_value = "target/chaos")]
    reports: PathBuf,
}

fn faults_help() -> String {
    format!("Kinds of faults, or beginnings of their names (`kill`), separated by commas: {}", Faults::names())
}

fn drills_help() -> String {
    let list = DRILLS.iter().map(|drill| format!("{}: {}", drill.name, drill.about));
    format!(
        "Drills instead of the random schedule, separated by commas, or `all`\n{}",
        list.collect::<Vec<_>>().join("\n")
    )
}

#[derive(Debug, Clone)]
struct Seeds(Vec<u64>);

fn seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not a seed"));
    match text.split_once("..") {
        Some((first, last)) => Ok(Seeds((number(first)?..=number(last.trim_start_matches('='))?).collect())),
        None => text.split(',').map(number).collect::<Result<_, _>>().map(Seeds),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let faults: Faults = arguments.faults.parse()?;
    let drills = arguments.drill.as_deref().filter(|names| !names.is_empty()).map(drills::named).transpose()?;
    let progress = if std::io::stderr().is_terminal() { Progress::stderr() } else { Progress::quiet() };
    let installation = provision(&default_cache(), &progress).await?;
    std::fs::create_dir_all(&arguments.reports).with_context(|| arguments.reports.display().to_string())?;
    let held = match drills {
        Some(drills) => {
            let say = |line: &str| eprintln!("  {line}");
            let order = Order { seed: arguments.seed.0[0], scale: arguments.scale, installation, say };
            drills::run(&drills, &order, &arguments.reports).await?
        }
        None => schedule(&arguments, &faults, &installation).await?,
    };
    if !held {
        std::process::exit(1);
    }
    Ok(())
}

/// The random schedule, seed by seed. Whether every seed held.
async fn schedule(arguments: &Arguments, faults: &Faults, installation: &Installation) -> Result<bool> {
    let embedder = Embedder::start(
        &EmbeddingSettings {
            embedding_model: "all-MiniLM-L6-v2".into(),
            embedding_model_dir: Some(installation.model.clone()),
            ort_dylib_path: Some(installation.onnxruntime.clone()),
        },
        1,
    )?;
    let mut reports: Vec<Report> = Vec::new();
    for &seed in &arguments.seed.0 {
        let duration = Duration::from_secs_f64(arguments.minutes * 60.0);
        let say = |line: &str| eprintln!("  {line}");
        let plan = Plan { seed, duration, faults: faults.clone(), rate: arguments.rate, programs: programs(), say };
        eprintln!("seed {seed}");
        let report = run(&plan, installation, &embedder).await.with_context(|| format!("seed {seed}"))?;
        let name = format!("seed-{seed}");
        report.draw(&arguments.reports.join(format!("{name}.svg")))?;
        let text = report.markdown(&format!("{name}.svg"));
        std::fs::write(arguments.reports.join(format!("{name}.md")), &text)?;
        if !report.held() {
            let Arguments { minutes, faults, rate, .. } = arguments;
            eprintln!("{text}\nto repeat it: make chaos SEED={seed} MINUTES={minutes} FAULTS={faults} RATE={rate}");
        }
        println!("{}", report.summary());
        reports.push(report);
        std::fs::write(arguments.reports.join("seeds.md"), table(&reports))?;
    }
    let held = reports.iter().filter(|report| report.held()).count();
    println!("{held} of {} seeds held; reports in {}", reports.len(), arguments.reports.display());
    Ok(held == reports.len())
}
