//! Who else is there, without a management interface: each instance holds an exclusive queue named after its share, and
//! others ask the broker whether it is there.

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Connection, ErrorKind};
use shared::shutdown::CancellationToken;

use crate::holdings::Holdings;
use crate::share::Share;

/// How often an instance looks whether the owners of what it holds for them are back.
const LOOK: Duration = Duration::from_secs(10);

/// Shows this share to others for as long as the connection lasts, and gives back what belongs to those that are there.
/// A broker that is silent does not hold up the end.
pub(crate) async fn keep(connection: &Connection, share: Share, holdings: &Holdings, stop: &CancellationToken) {
    let looking = async {
        let (mut shown, mut warned) = (false, false);
        loop {
            if !shown {
                shown = show(connection, share).await;
                if !shown && !warned {
                    warned = true;
                    tracing::warn!(%share, "another instance has the same share and one of them stands by: \
                        give each its own in CONSUMER_SHARE");
                }
            }
            give_back(connection, share, holdings).await;
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! { () = stop.cancelled() => {}, () = looking => {} }
}

/// Gives back the partitions of those that are there to take them. Nobody is asked for while there is nothing to give.
async fn give_back(connection: &Connection, share: Share, holdings: &Holdings) {
    let foreign: Vec<u16> = holdings.held().into_iter().filter(|partition| !share.owns(*partition)).collect();
    for partition in foreign {
        let owner = share.owner(partition);
        if is_there(connection, owner).await {
            tracing::info!(partition, %owner, "giving the partition back to its owner");
            holdings.give_back(partition);
        }
    }
}

fn queue_of(share: Share) -> String {
    format!("twin.consumers.{share}")
}

/// Whether the queue is ours now.
async fn show(connection: &Connection, share: Share) -> bool {
    let ours = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let outcome = declare(connection, share, ours).await;
    if let Err(error) = &outcome {
        tracing::debug!(%error, "presence not shown");
    }
    outcome.is_ok()
}

/// Whether another connection holds this share's queue: the broker locks it to that one.
async fn is_there(connection: &Connection, share: Share) -> bool {
    let asked = QueueDeclareOptions { passive: true, ..Default::default() };
    match declare(connection, share, asked).await {
        Ok(()) => false,
        Err(error) => is_locked(&error),
    }
}

/// On a channel of its own: the broker closes it with a refusal.
async fn declare(connection: &Connection, share: Share, options: QueueDeclareOptions) -> lapin::Result<()> {
    let scratch = connection.create_channel().await?;
    scratch.queue_declare(queue_of(share).into(), options, FieldTable::default()).await?;
    scratch.close(200, "asked".into()).await
}

fn is_locked(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED)
}
