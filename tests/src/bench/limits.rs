//! What MongoDB and the broker can do with nothing in between: the change stream drained and forgotten, and the same bytes published, both at once and
//! unconnected. No relay can be faster than the slower of the two.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bson::{RawArrayBuf, Timestamp, rawdoc};
use futures_util::StreamExt;
use mongodb::Database;
use mongodb::options::CursorType;

use super::broker::{Broker, Letter, Pace};

const AWAIT: Duration = Duration::from_millis(500);

/// Events a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) drain: f64,
    pub(super) publish: f64,
}

impl Limits {
    /// The slower of the two.
    pub(super) fn slower(&self) -> f64 {
        self.drain.min(self.publish)
    }
}

/// Both at once, each once: the work of a relay without what connects it.
pub(super) async fn limits(
    database: &Database,
    from: Timestamp,
    broker: &Broker,
    letters: &[Letter],
) -> Result<Limits> {
    let (database, count) = (database.clone(), letters.len());
    // On a thread of its own: neither waits for the other's turn.
    let draining = tokio::spawn(async move { drain(&database, from, count).await });
    let publish = publish(broker, letters).await?;
    Ok(Limits { drain: draining.await??.per_second(), publish: publish.per_second() })
}

async fn publish(broker: &Broker, letters: &[Letter]) -> Result<Pace> {
    let mut pace = Pace::new(letters.len());
    broker.publish(letters, |done| pace.reached(done)).await?;
    Ok(pace)
}

/// Reads so many events of a change stream, raw, and looks at none. Its filter is the producer's, as far as it costs the server anything.
pub(super) async fn drain(database: &Database, from: Timestamp, count: usize) -> Result<Pace> {
    let stage = rawdoc! {"fullDocument": "updateLookup", "startAtOperationTime": from};
    let matching = rawdoc! {
        "ns.coll": {"$in": ["users", "articles", "posts", "repositories"]},
        "operationType": {"$in": ["insert", "update", "replace", "delete", "drop", "rename"]},
    };
    let pipeline: RawArrayBuf = [rawdoc! {"$changeStream": stage}, rawdoc! {"$match": matching}].into_iter().collect();
    let aggregate = rawdoc! {"aggregate": 1, "pipeline": pipeline, "cursor": {}, "readConcern": {"level": "majority"}};
    let cursor = database.run_raw_cursor_command(aggregate).cursor_type(CursorType::TailableAwait).max_time(AWAIT);
    let mut batches = cursor.batch().await?;
    let (mut pace, mut done) = (Pace::new(count), 0);
    while done < count {
        let batch = batches.next().await.context("the stream goes on")??;
        let events = batch.doc_slices()?.into_iter().count();
        done += events;
        if events > 0 {
            pace.reached(done);
        }
    }
    ensure!(done == count, "{done} events instead of {count}");
    Ok(pace)
}
