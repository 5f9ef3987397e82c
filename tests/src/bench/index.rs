//! Index: our consumer against bare embedding of the very same chunks, and against a plain pipeline in Python.

use anyhow::{Context, Result, ensure};
use local::Step;
use qdrant_client::qdrant::CountPointsBuilder;
use shared::index::CHUNKS;

use super::broker::Broker;
use super::corpus::Corpus;
use super::embedding::Bare;
use super::report::Report;
use super::rivals::{self, Indexed};
use super::samples::median;
use super::site::{Bench, ROUNDS};
use crate::cpu::{Meter, Used, memory};

/// Text of each kind: some three seconds of embedding on two free cores, which a busy machine makes twenty.
const BYTES: usize = 100_000;
/// Counts a change once its chunks and its manifest are written.
pub(super) const APPLIED: &str = "twin_consumer_changes_total";

struct Round {
    /// CPU of the consumer, Qdrant and the broker.
    ours: Used<3>,
    /// Bytes that the consumer held at most.
    memory: f64,
    bare: Used<1>,
    python: Indexed,
}

/// One kind of documents, and the texts that the model is given for them.
struct Task {
    corpus: Corpus,
    texts: Vec<String>,
    tokens: f64,
}

/// Measures.
///
/// # Errors
/// A server or a program fails, or not all was indexed.
pub async fn index(bench: &Bench) -> Result<Report> {
    let step = bench.step("index");
    let mut bare = Bare::load(&bench.embedding(), bench.threads)?;
    let mut tasks = Vec::new();
    for corpus in Corpus::all(bench.amount(BYTES), bench.data.as_deref())? {
        let texts = corpus.embedded_texts(bare.tokens());
        let tokens = bare.count(&texts) as f64;
        tasks.push((Task { corpus, texts, tokens }, Vec::new()));
    }
    for number in 1..=ROUNDS {
        for (task, rounds) in &mut tasks {
            let of = format!("round {number} of {ROUNDS}, {} {}", task.corpus.documents.len(), task.corpus.name);
            rounds.push(round(bench, &mut bare, task, &step, &of).await?);
        }
    }
    let mut report = Report::default();
    let cores = overall(&mut report, &tasks);
    for (task, rounds) in &tasks {
        kind(&mut report, task, rounds, bench.threads, cores.fair());
    }
    step.done(format!("{ROUNDS} rounds of {} kinds", tasks.len()));
    Ok(report)
}

async fn round(bench: &Bench, bare: &mut Bare, task: &Task, step: &Step, of: &str) -> Result<Round> {
    step.doing(&format!("{of}: our consumer"));
    let (ours, memory) = ours(bench, task).await?;
    step.doing(&format!("{of}: bare embedding"));
    let bare = bare.embed(&task.texts)?;
    step.doing(&format!("{of}: plain Python"));
    let (site, file) = (bench.site().await?, task.corpus.file()?);
    let python = rivals::index(bench, &site, file.path()).await?;
    ensure!(python.documents == task.corpus.documents.len(), "the rival left documents out");
    bench.clear(site).await?;
    Ok(Round { ours, memory, bare, python })
}

/// From the first publish to the last manifest written.
async fn ours(bench: &Bench, task: &Task) -> Result<(Used<3>, f64)> {
    let site = bench.site().await?;
    let broker = Broker::connect(&site.rabbitmq_uri).await?;
    let letters = task.corpus.letters()?;
    let mut consumer = site.consumer()?;
    consumer.start().await?;
    let pids = [consumer.pid()?, site.qdrant.pid().context("qdrant runs")?, bench.server_pids()?[1]];
    let meter = Meter::start(pids)?;
    broker.publish(&letters, |_| ()).await?;
    consumer.reaches(APPLIED, letters.len() as f64).await?;
    let used = meter.read()?;
    let memory = memory(consumer.pid()?)?.peak as f64;
    consumer.stop().await?;
    let count = CountPointsBuilder::new(CHUNKS).exact(true);
    let held = site.qdrant_client()?.count(count).await?.result.context("a count")?.count;
    ensure!(held == task.texts.len() as u64, "{held} chunks in the index instead of {}", task.texts.len());
    bench.clear(site).await?;
    Ok((used, memory))
}

/// Cores that each side got, the median of all rounds.
#[derive(Clone, Copy)]
struct Cores {
    ours: f64,
    bare: f64,
    python: f64,
}

impl Cores {
    /// Whether the clock tells anything: on a machine with far more work than cores the scheduler is partial, and a consumer has been seen to get three
    /// times the cores of bare embedding, which alone can use all of them.
    fn fair(self) -> bool {
        self.bare >= 0.8 * self.ours
    }
}

fn overall(report: &mut Report, tasks: &[(Task, Vec<Round>)]) -> Cores {
    report.section(format!("Index: {} kinds of documents, all together", tasks.len()));
    let whole = |of: fn(&Round) -> f64| {
        let each = (0..ROUNDS).map(|number| tasks.iter().map(|(_, rounds)| of(&rounds[number])).sum());
        each.collect::<Vec<f64>>()
    };
    let against = |rival: fn(&Round) -> f64, ours: fn(&Round) -> f64| {
        let pairs: Vec<f64> = whole(rival).iter().zip(whole(ours)).map(|(rival, ours)| rival / ours).collect();
        median(&pairs, |ratio| *ratio)
    };
    let (bare, python) = (
        against(|round| round.bare.seconds, |round| round.ours.seconds),
        against(|round| round.python.seconds, |round| round.ours.seconds),
    );
    let got = |of: fn(&Round) -> (f64, f64)| {
        let each = |(_, rounds): &(Task, Vec<Round>)| {
            rounds.iter().map(of).map(|(cpu, seconds)| cpu / seconds).collect::<Vec<_>>()
        };
        median(&tasks.iter().flat_map(each).collect::<Vec<_>>(), |cores| *cores)
    };
    let cores = Cores {
        ours: got(|round| (round.ours.cpu[0], round.ours.seconds)),
        bare: got(|round| (round.bare.cpu[0], round.bare.seconds)),
        python: got(|round| (round.python.cpu_seconds, round.python.seconds)),
    };
    report.comparison(cores.fair(), "index_vs_embedding", "consumer / bare embedding of its chunks", bare);
    report.comparison(cores.fair(), "index_vs_python", "consumer / plain Python", python);
    report.figure("index_cores", "cores that the consumer got", cores.ours, "cores");
    report.figure("index_embedding_cores", "cores that bare embedding got", cores.bare, "cores");
    report.figure("index_python_cores", "cores that plain Python got", cores.python, "cores");
    // By CPU time, which another's load on the machine touches far less than it does the clock.
    let (bare, python) = (
        against(|round| round.bare.cpu[0], |round| round.ours.cpu[0]),
        against(|round| round.python.cpu_seconds, |round| round.ours.cpu[0]),
    );
    report.ratio("index_vs_embedding_cpu", "the same by CPU time", bare);
    report.ratio("index_vs_python_cpu", "the same by CPU time", python);
    let outside = (1.0 - bare) * 100.0;
    report.figure("index_share_outside_embedding", "share of the consumer's CPU time outside embedding", outside, "%");
    cores
}

fn kind(report: &mut Report, task: &Task, rounds: &[Round], threads: usize, fair: bool) {
    let Task { corpus: Corpus { name, documents }, texts, tokens } = task;
    let (documents, chunks) = (documents.len() as f64, texts.len());
    report
        .section(format!("Index, {name}: {documents} documents, {chunks} chunks, {tokens} tokens, {threads} threads"));
    let of = |of: &dyn Fn(&Round) -> f64| median(rounds, of);
    let key = |what: &str| format!("index_{name}_{what}");
    let mut figure = |what: &str, said: &str, value: f64, unit| report.figure(key(what), said, value, unit);
    figure("documents_per_second", "our consumer", of(&|round| documents / round.ours.seconds), "documents/s");
    figure("tokens_per_second", "our consumer", of(&|round| tokens / round.ours.seconds), "tokens/s");
    figure("embedding_tokens_per_second", "bare embedding", of(&|round| tokens / round.bare.seconds), "tokens/s");
    figure("python_documents_per_second", "plain Python", of(&|round| documents / round.python.seconds), "documents/s");
    figure(
        "tokens_per_cpu_second",
        "our consumer, its own CPU",
        of(&|round| tokens / round.ours.cpu[0]),
        "tokens/CPU s",
    );
    figure(
        "embedding_tokens_per_cpu_second",
        "bare embedding",
        of(&|round| tokens / round.bare.cpu[0]),
        "tokens/CPU s",
    );
    let python = |round: &Round| round.python.tokens as f64 / round.python.cpu_seconds;
    figure("python_tokens_per_cpu_second", "plain Python, tokens that it embedded", of(&python), "tokens/CPU s");
    figure("python_chunks", "chunks that plain Python makes", of(&|round| round.python.chunks as f64), "chunks");
    figure("python_tokens", "tokens that it embeds", of(&|round| round.python.tokens as f64), "tokens");
    figure("cpu_seconds_qdrant", "CPU of Qdrant meanwhile", of(&|round| round.ours.cpu[1]), "CPU s");
    figure("cpu_seconds_broker", "CPU of the broker meanwhile", of(&|round| round.ours.cpu[2]), "CPU s");
    figure("memory", "most memory of our consumer", of(&|round| round.memory / 1e6), "MB");
    figure("python_memory", "most memory of plain Python", of(&|round| round.python.memory_bytes / 1e6), "MB");
    let (bare, python) =
        (of(&|round| round.bare.seconds / round.ours.seconds), of(&|round| round.python.seconds / round.ours.seconds));
    report.comparison(fair, key("vs_embedding"), "consumer / bare embedding", bare);
    report.comparison(fair, key("vs_python"), "consumer / plain Python", python);
}
