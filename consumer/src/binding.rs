//! `consumer source`: which database an index is of, and giving it to another one.

use std::io::Write;

use clap::Args;
use shared::index::{self, Index};
use shared::settings::QdrantSettings;
use shared::shutdown::CancellationToken;

use crate::command_error::CommandError;
use crate::patience::Patience;
use crate::qdrant_store::QdrantStore;

/// Settings of `consumer source`.
#[derive(Debug, Args)]
pub struct SourceSettings {
    /// Give the index to this database: from now on its events are applied, and those of the former one are not
    database: Option<String>,
    #[command(flatten)]
    qdrant: QdrantSettings,
}

/// Records the source if one is given, and writes to `out` which one the index has.
///
/// # Errors
/// [`CommandError`].
pub async fn source(settings: SourceSettings, out: &mut impl Write) -> Result<bool, CommandError> {
    let qdrant = index::client(&settings.qdrant)?;
    let index = Index::live(&qdrant).await?;
    let partitions = index.meta(&qdrant).await?.partitions;
    let store = QdrantStore::new(qdrant, index, partitions);
    let patience = Patience::new(CancellationToken::new()).lasting(crate::verify::STUMBLE);
    if let Some(database) = settings.database {
        let source = format!("/mongodb/{database}");
        patience.ask("write source", || store.bind_anew(&source)).await?;
    }
    let source = patience.ask("read source", || store.source()).await?;
    writeln!(out, "{}", source.as_deref().unwrap_or("none yet: the first event with a source decides"))?;
    Ok(true)
}
