//! `producer resync`: asks the running producer to relay documents anew.

use clap::Args;
use shared::DocumentType;
use shared::resync::{DocumentKey, REQUESTS, ResyncRequest};
use shared::settings::{MongoDbSettings, SettingsError};

use crate::checkpoint;
use crate::error::ProducerError;
use crate::holder::Holder;
use crate::report::{self, say};
use crate::resync_wait;
use crate::server::answer;
use crate::snapshot_rows;
use source::Source;

/// What is to be relayed anew.
#[derive(Debug, Clone, Args)]
pub struct ResyncSettings {
    #[command(flatten)]
    mongodb: MongoDbSettings,
    /// Collections, separated by commas [default: all that are relayed]
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<DocumentType>,
    /// Only documents that match this filter of MongoDB, as extended JSON: '{"platform": "medium"}'
    #[arg(long, conflicts_with = "keys")]
    filter: Option<String>,
    /// Only these documents of one type: oid:…, str:…, uuid:…, int:…, or bare
    #[arg(long, num_args = 1.., value_name = "KEY", allow_negative_numbers = true)]
    keys: Vec<DocumentKey>,
    /// Wait until it is done, and show how far it is
    #[arg(long)]
    wait: bool,
}

/// Asks for it, and waits for it if that is wanted.
///
/// # Errors
/// A wrong setting, MongoDB cannot be reached, or the producer refuses.
pub async fn resync(settings: &ResyncSettings) -> Result<(), ProducerError> {
    settings.check()?;
    let source = Source::new(&settings.mongodb, "producer").await?;
    let requests = settings.requests(&source).await?;
    answer(source.records::<ResyncRequest>(REQUESTS).insert_many(&requests).into_future()).await?;
    say(format_args!("requested: {}", titles(&requests).join(", ")));
    if report::at_work(&source).await?.is_none() {
        say("no producer is at work; it will be done when one starts");
    }
    if settings.wait {
        resync_wait::until_done(&source, &requests).await?;
    }
    Ok(())
}

impl ResyncSettings {
    fn check(&self) -> Result<(), SettingsError> {
        self.mongodb.uri()?;
        if !self.keys.is_empty() && self.types.len() != 1 {
            return Err(SettingsError::new("--keys", "needs exactly one --type"));
        }
        Ok(())
    }

    async fn requests(&self, source: &Source) -> Result<Vec<ResyncRequest>, ProducerError> {
        let by = format!("producer resync, {}", Holder::this().name());
        let database = source.name();
        let types = self.types(source).await?;
        if let [document_type] = types[..]
            && !self.keys.is_empty()
        {
            return Ok(ResyncRequest::of_keys(database, document_type, self.keys.iter().cloned(), &by));
        }
        let Some(filter) = &self.filter else {
            return Ok(types.into_iter().map(|known| ResyncRequest::of_type(database, known, &by)).collect());
        };
        let wrong = |problem: String| SettingsError::new("--filter", problem);
        let parsed = snapshot_rows::filter(filter).map_err(wrong)?;
        for &document_type in &types {
            snapshot_rows::try_filter(source, document_type, &parsed).await?.map_err(wrong)?;
        }
        let request = |known| ResyncRequest::of_filter(database, known, filter.clone(), &by);
        Ok(types.into_iter().map(request).collect())
    }

    /// Those asked for, if they are relayed at all; all that are relayed, if none was named.
    async fn types(&self, source: &Source) -> Result<Vec<DocumentType>, ProducerError> {
        let relayed = checkpoint::read(source).await?.map(|stored| stored.progress.types).unwrap_or_default();
        let relayed: Vec<_> = if relayed.is_empty() { DocumentType::ALL.into() } else { relayed.into_iter().collect() };
        if self.types.is_empty() {
            return Ok(relayed);
        }
        if let Some(other) = self.types.iter().find(|named| !relayed.contains(named)) {
            let relayed: Vec<_> = relayed.iter().map(|known| known.as_str()).collect();
            let problem =
                format!("{other} is not relayed by this database's producer (its TYPES: {})", relayed.join(","));
            return Err(SettingsError::new("--type", problem).into());
        }
        Ok(relayed.into_iter().filter(|known| self.types.contains(known)).collect())
    }
}

fn titles(requests: &[ResyncRequest]) -> Vec<String> {
    let title = |request: &ResyncRequest| match (&request.keys, &request.filter) {
        (Some(keys), _) => format!("{} of {}", counted(keys.len()), request.document_type),
        (None, Some(_)) => format!("{} by filter", request.document_type),
        (None, None) => format!("all {}", request.document_type),
    };
    requests.iter().map(title).collect()
}

fn counted(keys: usize) -> String {
    if keys == 1 { "1 document".into() } else { format!("{keys} documents") }
}
