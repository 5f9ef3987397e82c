//! `make eval DATA=folder`: how well the documents of a folder are found, or with `DATA=crates` functions of crates by what
//! their comments say, or with `DATA=manuals` pages of manuals by what their headings say. `target/eval.json`, `target/eval.svg`. With
//! `DATA=pages`: how well the text of web pages is found; with `DATA=functions`: how many functions of a dozen languages stay whole
//! (`SHOWN=Go` shows those that do not).
//!
//! The questions are halved by a hash of their text: choices are made on one half (`TRIED=all` compares them there, `TRIED=chunks,link` those that are named so) and
//! reported on the other. With `RERANK_MODEL_DIR=folder` also what a cross-encoder makes of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use local::{Progress, Step};
use retrieval::CrossEncoder;
use serde_json::json;
use shared::embedding::{Embedder, TokenCounter};
use shared::settings::EmbeddingSettings;
use tests::eval::{self, Data, Library, Lists, MEASURES, Measured, Outcome, Question, Shown, Trial, Words};
use xxhash_rust::xxh3::xxh3_64;

const DEPTH: usize = 10;
/// Tokens of the model.
const TOKENS: usize = 256;

type Row = (String, [Measured; MEASURES.len()]);

/// What a run stands on.
struct Run {
    data: Data,
    /// The questions' vectors.
    vectors: Vec<Vec<f32>>,
    embedder: Embedder,
    model: PathBuf,
    reranker: Option<CrossEncoder>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = setting("DATA").context(
        "DATA: name a folder with articles.jsonl and queries.jsonl, or `crates`, `manuals`, `pages` or `functions`",
    )?;
    if folder == "pages" {
        let table = tests::pages::compare(&local::default_cache(), &target()?.join("pages"))?;
        println!("{table}");
        return Ok(());
    }
    let (progress, cache) = (Progress::stderr(), local::default_cache());
    if folder == "functions" {
        println!("{}", functions(&progress, &cache).await?);
        return Ok(());
    }
    let data = match folder.as_str() {
        "crates" => Data::of_crates()?,
        "manuals" => Data::of_manuals(&cache)?,
        folder => Data::read(Path::new(folder))?,
    };
    let installation = local::provision(&cache, &progress).await?;
    let settings = EmbeddingSettings {
        embedding_model: "all-MiniLM-L6-v2".into(),
        embedding_model_dir: Some(installation.model.clone()),
        ort_dylib_path: Some(installation.onnxruntime.clone()),
    };
    let start = |dir| CrossEncoder::start(Path::new(&dir), settings.ort_dylib_path.as_deref());
    let reranker = setting("RERANK_MODEL_DIR").map(start).transpose()?;
    let embedder = eval::embedder(&settings, &cache.join("eval"))?;
    let step = progress.step("evaluation");
    let texts: Vec<&str> = data.questions.iter().map(|question| question.text.as_str()).collect();
    let vectors = eval::vectors(&embedder, &texts, &step).await?;
    let run = Run { data, vectors, embedder, model: installation.model, reranker };
    let shown = match setting("TRIED") {
        Some(named) => run.trials(&named, &step).await?,
        None => run.report(&step).await?,
    };
    step.done(run.data.summary());
    println!("{shown}");
    Ok(())
}

async fn functions(progress: &Progress, cache: &Path) -> Result<String> {
    let model = local::provision(cache, progress).await?.model;
    let tokens = TokenCounter::from_file(&model.join("tokenizer.json"), TOKENS)?;
    let step = progress.step("functions");
    let table = tests::functions::compare(cache, &tokens, &step, setting("SHOWN").as_deref())?;
    step.done("compared");
    Ok(table)
}

impl Run {
    /// Each list by itself and both, on the half that nothing was chosen by.
    async fn report(&self, step: &Step) -> Result<String> {
        let chosen = Trial::chosen();
        let library = self.library(&chosen, step).await?;
        let words = library.words(&chosen.weighting);
        let unlinked = library.words(&eval::Weighting { link: 0.0, ..chosen.weighting });
        let mut rows: Vec<Row> = Vec::new();
        let reranked = self.reranker.as_ref().map(|by| ("hybrid + rerank", &words, Lists::Reranked(by)));
        let ways = [
            Some(("dense", &words, Lists::Dense)),
            Some(("BM25", &words, Lists::Bm25)),
            Some(("hybrid", &words, Lists::Hybrid)),
            reranked,
            Some(("hybrid, links not searched", &unlinked, Lists::Hybrid)),
        ];
        for (name, words, lists) in ways.into_iter().flatten() {
            step.doing(name);
            rows.push((name.into(), eval::measure(&self.outcomes(&library, words, lists, &chosen, false).await?)));
        }
        let all = self.outcomes(&library, &words, Lists::Hybrid, &chosen, true).await?;
        rows.push(("hybrid, on the half it was chosen by".into(), eval::measure(&all)));
        let title = format!("{}; {} chunks", self.data.summary(), library.len());
        write(&title, &rows)?;
        let mut shown = format!("{title}\n\n{}\n", eval::table("reported half", &rows));
        if self.reranker.is_none() {
            shown += "no hybrid + rerank: RERANK_MODEL_DIR names no cross-encoder\n";
        }
        Ok(shown + "target/eval.json, target/eval.svg")
    }

    /// Hybrid search by every choice, on the half to choose by.
    async fn trials(&self, named: &str, step: &Step) -> Result<String> {
        let is_named = |trial: &Trial| named == "all" || named.split(',').any(|part| trial.name.contains(part));
        let (mut rows, mut built, mut weighed) = (Vec::<Row>::new(), None, None);
        for trial in eval::trials().into_iter().filter(is_named) {
            let shape = (trial.tokens, trial.heading);
            let library = match built.take() {
                Some((same, library)) if same == shape => library,
                _ => {
                    weighed = None;
                    self.library(&trial, step).await?
                }
            };
            let words = match weighed.take() {
                Some((same, words)) if same == trial.weighting => words,
                _ => library.words(&trial.weighting),
            };
            let outcomes = self.outcomes(&library, &words, Lists::Hybrid, &trial, true).await?;
            let measured = eval::measure(&outcomes);
            // A long comparison that is interrupted has shown what it found.
            step.doing(&format!("{}: {} {:.3}", trial.name, MEASURES[4], measured[4].mean));
            rows.push((trial.name, measured));
            (built, weighed) = (Some((shape, library)), Some((trial.weighting, words)));
        }
        Ok(eval::table("chosen by this half", &rows))
    }

    async fn library(&self, trial: &Trial, step: &Step) -> Result<Library> {
        let tokens = match trial.tokens {
            Some(tokens) => TokenCounter::from_file(&self.model.join("tokenizer.json"), tokens)?,
            None => self.embedder.tokens().clone(),
        };
        Library::build(&self.data, &self.embedder, &tokens, trial.heading, step).await
    }

    async fn outcomes(
        &self,
        library: &Library,
        words: &Words,
        lists: Lists<'_>,
        trial: &Trial,
        choosing: bool,
    ) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for (question, vector) in self.data.questions.iter().zip(&self.vectors) {
            if is_to_choose_by(question) == choosing {
                let asked = (question.text.as_str(), vector.as_slice());
                let per_document = if question.line.is_some() { DEPTH } else { 1 };
                let found = library.search(words, asked, lists, &trial.ranking, (DEPTH, per_document)).await?;
                let wanted: Vec<bool> = found.iter().map(|shown| is_wanted(question, shown)).collect();
                outcomes.push(eval::outcome(&wanted, question.relevant.len()));
            }
        }
        Ok(outcomes)
    }
}

fn is_wanted(question: &Question, shown: &Shown<'_>) -> bool {
    let line = question.line.as_ref().is_none_or(|line| shown.text.contains(line.as_str()));
    line && question.relevant.contains(shown.identity)
}

fn is_to_choose_by(question: &Question) -> bool {
    xxh3_64(question.text.as_bytes()) & 1 == 0
}

/// The checkout's own folder, wherever cargo builds.
fn target() -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
    std::fs::create_dir_all(&target)?;
    Ok(target)
}

fn write(title: &str, rows: &[Row]) -> Result<()> {
    let target = target()?;
    let row = |(name, measured): &Row| {
        let of = |(measure, at): (&&str, &Measured)| {
            (measure.to_string(), json!({"mean": at.mean, "low": at.low, "high": at.high}))
        };
        (name.clone(), serde_json::Value::Object(MEASURES.iter().zip(measured).map(of).collect()))
    };
    let json: serde_json::Map<_, _> = rows.iter().map(row).collect();
    std::fs::write(target.join("eval.json"), format!("{:#}\n", serde_json::Value::Object(json)))?;
    eval::draw(title, &rows[..rows.len() - 1], &target.join("eval.svg"))
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
