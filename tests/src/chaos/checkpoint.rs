//! The stored checkpoint, as anybody can read it.

use std::time::Duration;

use bson::{Document, doc};
use mongodb::Client;
use tokio::time::timeout;

/// What is stored for this database; none where there is nothing, or no answer in time.
pub(crate) async fn stored(client: &Client, database: &str) -> Option<Document> {
    let checkpoints = client.database("twin_cdc").collection::<Document>("checkpoints");
    let read = timeout(Duration::from_secs(5), checkpoints.find_one(doc! { "_id": database }).into_future());
    read.await.ok()?.ok()?
}

/// The clusterTime up to which a checkpoint speaks, as a revision of index 0. Read from the token itself, whose first
/// field is a timestamp in MongoDB's key format: a type byte (0x82), seconds, increment.
pub(crate) fn cluster_time(checkpoint: &Document) -> Option<i64> {
    let position = checkpoint.get_document("position").ok()?;
    if let Ok(time) = position.get_timestamp("operation_time") {
        return Some(i64::from(time.time) << 31 | i64::from(time.increment) << 8);
    }
    let token = position.get_document("token").ok()?.get_str("_data").ok()?;
    let field = |from: usize| i64::from_str_radix(token.get(from..from + 8)?, 16).ok();
    (token.get(..2)? == "82").then_some(())?;
    Some(field(2)? << 31 | field(10)? << 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::Timestamp;

    #[test]
    fn a_checkpoint_says_its_cluster_time() {
        let token = doc! { "position": { "token": { "_data": "826560A1B200000003" } } };
        assert_eq!(cluster_time(&token), Some(0x6560_A1B2 << 31 | 3 << 8));
        let time = Timestamp { time: 5, increment: 2 };
        assert_eq!(cluster_time(&doc! { "position": { "operation_time": time } }), Some(5 << 31 | 2 << 8));
    }
}
