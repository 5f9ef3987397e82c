//! Whose changes an index holds: those of one database. A producer that was pointed at another one by mistake would
//! otherwise empty the index by the sweep of its snapshot.

use std::sync::{Mutex, PoisonError};

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use shared::dead_letter::Postmark;

use crate::change::Message;
use crate::error::StoreError;
use crate::patience::Patience;
use crate::store::VectorStore;

/// Header that says what an event comes from: `/mongodb/<database>/<type>`. Publishers of other make may leave it out.
const HEADER: &str = "cloudEvents:source";

/// The source of an index as far as it was seen: recorded in the index at the first event that bears one, remembered
/// here, so that no event costs a read of its own.
#[derive(Debug, Default)]
pub(crate) struct Origin(Mutex<Option<String>>);

impl Origin {
    /// Why this message is not for the index, if it is not. What differs from what is remembered is compared with the
    /// index itself: it may have been given to another source meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn refuses(
        &self,
        message: &Message,
        store: &impl VectorStore,
        patience: &Patience,
    ) -> Result<Option<Postmark>, StoreError> {
        let Some(source) = source_of(&message.properties) else { return Ok(None) };
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(source.as_str()) {
            return Ok(None);
        }
        let bound = patience.ask("bind source", || store.bind(&source)).await?;
        let refusal = (bound != source).then(|| foreign(message, &source, &bound));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bound);
        Ok(refusal)
    }
}

fn foreign(message: &Message, source: &str, bound: &str) -> Postmark {
    Postmark {
        reason: "foreign source",
        stage: "decode",
        error: format!("comes from {source}; the index holds {bound}"),
        attempts: message.attempts(),
        partition: None,
    }
}

/// The database that a message comes from, as `/mongodb/<database>`.
pub(crate) fn source_of(properties: &BasicProperties) -> Option<String> {
    let headers = properties.headers().as_ref()?;
    let source = match headers.inner().get(HEADER)? {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        _ => return None,
    };
    Some(source.rsplit_once('/').map_or(source.as_str(), |(database, _)| database).to_owned())
}
