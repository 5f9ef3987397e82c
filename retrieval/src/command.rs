//! The command line.

use std::io::{Read, stdin};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use retrieval::{Day, MOST_HITS, PlatformWeight, Preferences, Query, SearchError};
use shared::DocumentType;
use shared::settings::{EmbeddingSettings, LogSettings, QdrantSettings, SettingsError};

/// Searches what the twin has read and written.
///
/// Exit codes: 0 answered, also with nothing found (why is said on standard error, where a filter alone leaves nothing);
/// 1 failed, also where there is no index yet; 2 a wrong setting or question; 3 Qdrant cannot be reached. RUST_LOG
/// filters log lines (default warn).
#[derive(Debug, Parser)]
#[command(name = "retrieval", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogSettings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the best hits
    Search(SearchArgs),
    /// Print a block for a prompt: numbered citations within a budget of tokens, no passage twice
    Context(ContextArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// Hits in all, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, allow_negative_numbers = true, value_parser = count)]
    pub(crate) limit: usize,
    /// Hits of one document, 1 to 1000
    #[arg(long, value_name = "M", default_value_t = 2, allow_negative_numbers = true, value_parser = count)]
    pub(crate) per_document: usize,
    /// One JSON object a line: score, entry_id, id_kind, type, author_id, link, title, path, text, revision
    #[arg(long)]
    pub(crate) json: bool,
    /// Say of each hit which list found it, at which rank and with which score: by similarity, by words, and by both
    /// before --rerank
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct ContextArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// Longest block, in tokens of the embedding model, 1 to 100000
    #[arg(long, value_name = "BUDGET", default_value_t = 2_000, allow_negative_numbers = true, value_parser = tokens)]
    pub(crate) tokens: usize,
    /// Passages to choose from, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = count)]
    pub(crate) limit: usize,
    /// Passages of one document, 1 to 1000
    #[arg(long, value_name = "M", default_value_t = 4, allow_negative_numbers = true, value_parser = count)]
    pub(crate) per_document: usize,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// What to look for, in words; `-` reads them from standard input. Its first 4,096 characters count
    #[arg(value_name = "Q", allow_hyphen_values = true)]
    text: String,
    /// Only these types, separated by commas: articles, posts, repositories
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<DocumentType>,
    /// Only of this author: id or full name
    #[arg(long)]
    author: Option<String>,
    /// Only from this platform
    #[arg(long)]
    platform: Option<String>,
    /// Only in this language, as the documents name it
    #[arg(long)]
    language: Option<String>,
    /// Only the document with this link
    #[arg(long)]
    link: Option<String>,
    /// Only files whose path begins so
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,
    /// Only text that was written on this day or later, by the clock of MongoDB
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Day>,
    /// Only text that was written before this day
    #[arg(long, value_name = "YYYY-MM-DD")]
    before: Option<Day>,
    /// Only hits of at least this score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,
    /// Multiply the scores of a platform, such as medium=1.5; several, separated by commas
    #[arg(long, value_name = "PLATFORM=WEIGHT", value_delimiter = ',')]
    prefer: Vec<PlatformWeight>,
    /// Prefer what was written lately: text of this moment gains half of its score, text of DAYS ago a quarter, and so on
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true, value_parser = days)]
    fresh: Option<f32>,
    /// Have the cross-encoder of RERANK_MODEL_DIR look at the best 50 again, or as many as fill the answer: their scores
    /// are its, from 0 to 1
    #[arg(long)]
    pub(crate) rerank: bool,
    /// Show so many neighbours before and after each hit, 0 to 10
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = reach)]
    pub(crate) expand: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    pub(crate) qdrant: QdrantSettings,
    #[command(flatten)]
    pub(crate) embedding: EmbeddingSettings,
    /// Folder with a cross-encoder for --rerank: model.onnx, config.json, tokenizer.json, tokenizer_config.json and
    /// special_tokens_map.json
    #[arg(long, env = "RERANK_MODEL_DIR", value_name = "PATH")]
    pub(crate) rerank_model_dir: Option<PathBuf>,
}

/// Bytes of standard input that are read. Blanks before the words do not count, so that it is more than they take.
const LONGEST_INPUT: u64 = 16 << 20;

impl QueryArgs {
    /// The query, refused before anything is connected or loaded for it.
    pub(crate) fn to_query(&self, limit: usize, per_document: usize) -> Result<Query, SearchError> {
        let query = Query {
            text: self.text()?,
            types: self.types.clone(),
            author: self.author.clone(),
            platform: self.platform.clone(),
            language: self.language.clone(),
            link: self.link.clone(),
            path: self.path.clone(),
            since: self.since,
            before: self.before,
            least_score: self.min_score,
            preferences: Preferences { platforms: self.prefer.clone(), fresh_days: self.fresh },
            rerank: self.rerank,
            limit,
            per_document,
        };
        query.check()?;
        Ok(query)
    }

    fn text(&self) -> Result<String, SearchError> {
        if self.text != "-" {
            return Ok(self.text.clone());
        }
        let mut text = Vec::new();
        let read = stdin().lock().take(LONGEST_INPUT).read_to_end(&mut text);
        read.map_err(|error| SettingsError::new("Q", format!("standard input: {error}")))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn reach(text: &str) -> Result<usize, String> {
    between(text, 0, 10)
}

fn days(text: &str) -> Result<f32, String> {
    let days = text.parse().ok().filter(|days: &f32| (0.01..=100_000.0).contains(days));
    days.ok_or_else(|| "must be a number of days from 0.01 to 100000".to_owned())
}

fn count(text: &str) -> Result<usize, String> {
    between(text, 1, MOST_HITS)
}

fn tokens(text: &str) -> Result<usize, String> {
    between(text, 1, 100_000)
}

fn between(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a number from {least} to {most}"))
}
