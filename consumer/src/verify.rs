//! `consumer verify`: MongoDB against the records of the index against its chunks, and repair of what differs.
//!
//! The survey reads each side once and only nominates; what it nominates is looked at on both sides together until it
//! agrees or nothing moves any more. So a pipeline that is merely behind is not called wrong.

mod difference;
mod documents;
mod expected;
mod history;
mod progress;
mod record;
mod repair;
mod report;
mod settling;
mod sides;
mod spill;
mod survey;

use std::io::Write;
use std::time::Duration;

use bson::DateTime;
use clap::Args;
use shared::DocumentType;
use shared::index::{self, Index};
use shared::settings::{MongoDbSettings, QdrantSettings, SettingsError};
use shared::shutdown::CancellationToken;
use source::{SelectionSettings, Source};

use crate::command_error::CommandError;
use crate::patience::Patience;
use crate::qdrant_store::QdrantStore;
use crate::service::fingerprint;
use documents::Documents;
use history::History;
use progress::Progress;
use repair::Repair;
use report::Report;
use settling::Differences;
use sides::Sides;
use survey::Survey;

/// How long a store that stumbles is waited for.
pub(crate) const STUMBLE: Duration = Duration::from_secs(10);

/// Settings of `consumer verify`.
#[derive(Debug, Args)]
pub struct VerifySettings {
    /// Have the producer relay what differs anew, and look whether that helped
    #[arg(long)]
    repair: bool,
    /// Only documents that changed since: 2026-11-22T04:00:00Z, or so long ago: 15m, 12h, 7d; as far as MongoDB's own
    /// history of changes reaches back
    #[arg(long, value_name = "TIME", value_parser = history::time)]
    since: Option<DateTime>,
    /// Only these types; as the producer's, what it does not relay is not missing [default: all]
    #[arg(long = "type", env = "TYPES", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<DocumentType>,
    /// One object a line
    #[arg(long)]
    json: bool,
    /// Seconds without any progress after which what differs is not just on its way
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    wait: u64,
    /// Documents and chunks that are compared at once, about 200 bytes of memory each
    #[arg(long, value_name = "NUMBER", default_value_t = 250_000)]
    at_once: u64,
    #[command(flatten)]
    selection: SelectionSettings,
    #[command(flatten)]
    mongodb: MongoDbSettings,
    #[command(flatten)]
    qdrant: QdrantSettings,
}

/// Compares, repairs if asked to, and writes what it found to `out`. True: source and index are equal.
///
/// # Errors
/// [`CommandError`]: it could not be found out.
pub async fn verify(settings: VerifySettings, out: &mut impl Write) -> Result<bool, CommandError> {
    let sides = sides(&settings).await?;
    let types = if settings.types.is_empty() { DocumentType::ALL.to_vec() } else { settings.types.clone() };
    let (progress, limit) = (Progress::new(), Duration::from_secs(settings.wait));
    let mut survey = match settings.since {
        Some(since) => changed_since(&sides, &types, since, settings.at_once, &progress).await?,
        None => Survey::make(&sides, &types, settings.at_once, &progress).await?,
    };
    let suspects = std::mem::take(&mut survey.suspects);
    let (found, failed) = settling::settle(&sides, suspects, limit, &progress).await?;
    if settings.since.is_some() {
        survey.failed = failed;
    }
    // What was asked for is done first: printing it can fail.
    let repair = match settings.repair && !found.is_empty() {
        true => Some(Repair::request(&sides, &found).await?),
        false => None,
    };
    let mut report = Report { out, json: settings.json };
    let mut left = found.clone();
    if !(found.is_empty() || settings.json) {
        progress.end();
    }
    report.differences(&found)?;
    if let Some(repair) = repair {
        left = repair.done(&sides, &found, limit, &progress).await?;
        if !left.is_empty() {
            still(&mut report, &left)?;
        }
    }
    progress.end();
    report.summary(&survey, &found, &left)?;
    Ok(left.is_empty())
}

fn still<W: Write>(report: &mut Report<'_, W>, left: &Differences) -> Result<(), CommandError> {
    if !report.json {
        writeln!(report.out, "not repaired:")?;
        report.differences(left)?;
    }
    Ok(())
}

async fn sides(settings: &VerifySettings) -> Result<Sides, CommandError> {
    let (source, selections) = (Source::new(&settings.mongodb, "consumer").await?, settings.selection.selections()?);
    let qdrant = index::client(&settings.qdrant)?;
    let index = Index::live(&qdrant).await?;
    let meta = index.meta(&qdrant).await?;
    let store = QdrantStore::new(qdrant, index, meta.partitions);
    let patience = Patience::new(CancellationToken::new()).lasting(STUMBLE);
    let bound = patience.ask("read source", || store.source()).await?;
    let ours = format!("/mongodb/{}", source.name());
    if let Some(bound) = bound.filter(|bound| *bound != ours) {
        let problem = format!("the index holds {bound}, not {ours}");
        return Err(SettingsError::new("MONGODB_DATABASE", problem).into());
    }
    let documents = Documents::new(source, selections);
    Ok(Sides { documents, store, patience, fingerprint: fingerprint(&meta) })
}

/// Nominates what changed since; everything, where a collection was dropped.
async fn changed_since(
    sides: &Sides,
    types: &[DocumentType],
    since: DateTime,
    at_once: u64,
    progress: &Progress,
) -> Result<Survey, CommandError> {
    match history::since(sides.documents.source(), types, since).await? {
        History::Changed(suspects) => Ok(Survey { documents: suspects.len() as u64, suspects, ..Survey::default() }),
        History::Dropped => {
            tracing::warn!("a collection was dropped or renamed since: everything is compared");
            Survey::make(sides, types, at_once, progress).await
        }
    }
}
