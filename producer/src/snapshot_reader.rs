//! Reading the rows of one snapshot: a task of its own.

use bson::{RawDocument, RawDocumentBuf, rawdoc};
use futures_util::StreamExt;
use shared::Backoff;
use tokio::sync::mpsc;

use crate::error::ProducerError;
use crate::snapshot::Snapshot;
use crate::source::{Source, answer};

/// Rows in a batch of the server, at most 16 MB.
const BATCH: i32 = 1000;

/// Reads every row and sends them in batches; an empty batch is the end. After an error it begins again: rows sent
/// twice have the same id and revision.
pub(crate) async fn read(source: Source, snapshot: Snapshot, rows: mpsc::Sender<Vec<RawDocumentBuf>>) {
    let mut backoff = Backoff::default();
    loop {
        match read_once(&source, &snapshot, &rows).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, collection = %snapshot.document_type, "snapshot interrupted; beginning again");
            }
        }
        tokio::select! {
            () = backoff.wait() => {}
            () = rows.closed() => return,
        }
    }
}

async fn read_once(
    source: &Source,
    snapshot: &Snapshot,
    rows: &mpsc::Sender<Vec<RawDocumentBuf>>,
) -> Result<(), ProducerError> {
    let find = rawdoc! {
        "find": snapshot.document_type.as_str(),
        "sort": {"_id": 1},
        "batchSize": BATCH,
        // What is read was there at T0 or came later, never before it went.
        "readConcern": {"level": "majority", "afterClusterTime": snapshot.t0},
    };
    let database = source.database();
    let mut cursor = answer(database.run_raw_cursor_command(find).batch()).await?;
    while let Some(batch) = cursor.next().await {
        let batch = batch?;
        let found = batch.doc_slices()?.into_iter();
        let found = found.map(|row| Ok(row?.as_document().map(RawDocument::to_owned)));
        let found: Vec<_> = found.filter_map(Result::transpose).collect::<mongodb::error::Result<_>>()?;
        if !found.is_empty() && rows.send(found).await.is_err() {
            return Ok(());
        }
    }
    // Nobody listens any more: then nobody awaits the end either.
    let _ = rows.send(Vec::new()).await;
    Ok(())
}
