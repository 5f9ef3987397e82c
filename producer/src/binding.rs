//! Which database relays to a broker's virtual host, recorded with the first connection.
//!
//! Queues and index know types and documents, but no database: a producer that is started with a mistyped
//! `MONGODB_DATABASE` would find nothing to relay, and its sweeps would empty the index of the right one.

use bson::{Document, doc};
use lapin::uri::AMQPUri;
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use shared::settings::SettingsError;

use crate::error::ProducerError;
use crate::server::answer;
use source::Source;

/// Records that this database relays to this virtual host, or compares it with the recorded one: once it is there, and
/// before anything is published.
///
/// # Errors
/// A settings error where another database does.
pub(crate) async fn agree(source: &Source, broker: &AMQPUri) -> Result<(), ProducerError> {
    let settings: Collection<Document> = source.records("settings");
    let name = name(broker);
    let first = doc! {"$setOnInsert": {"database": source.name()}};
    let recorded = settings.find_one_and_update(doc! {"_id": &name}, first).upsert(true);
    let recorded = answer(recorded.return_document(ReturnDocument::After).into_future()).await?;
    let recorded = recorded.as_ref().and_then(|settings| settings.get_str("database").ok()).unwrap_or_default();
    if recorded == source.name() {
        return Ok(());
    }
    let problem = format!(
        "is `{}`, but `{recorded}` relays to this {name}: one index holds one database. Give this one a virtual host \
         (and an index) of its own; or, if it is to take the other's place, remove the record \
         {{_id: \"{name}\"}} from twin_cdc.settings",
        source.name()
    );
    Err(SettingsError::new("MONGODB_DATABASE", problem).into())
}

/// As a record's name: no database can be called so.
fn name(broker: &AMQPUri) -> String {
    let AMQPUri { authority, vhost, .. } = broker;
    format!("broker {}:{}/{vhost}", authority.host.to_lowercase(), authority.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(uri: &str) -> String {
        name(&uri.parse().unwrap())
    }

    #[test]
    fn a_broker_is_known_by_place_and_virtual_host_and_never_by_who_asks() {
        assert_eq!(name_of("amqp://user:secret@Rabbit:5672/%2f"), "broker rabbit:5672//");
        assert_eq!(name_of("amqp://other:word@rabbit:5672/%2f?heartbeat=5"), name_of("amqp://rabbit:5672/%2f"));
        assert_ne!(name_of("amqp://rabbit:5672/a"), name_of("amqp://rabbit:5672/b"));
    }
}
