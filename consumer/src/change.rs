//! A change to apply: what is left of a batch once it is decoded and coalesced.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use shared::topology::DELIVERY_LIMIT;
use shared::{ChangeEvent, Identity};

/// The message that an event came in: what its dead letter would be made of.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The body, as received.
    pub body: Arc<Vec<u8>>,
    /// AMQP properties, as received.
    pub properties: BasicProperties,
}

impl Message {
    /// How often it was delivered, this time included: a quorum queue counts those before.
    pub fn attempts(&self) -> u32 {
        attempts(&self.properties)
    }
}

/// As [`Message::attempts`]. The header is not there on a first delivery.
pub(crate) fn attempts(properties: &BasicProperties) -> u32 {
    let headers = properties.headers().as_ref();
    let before = match headers.and_then(|headers| headers.inner().get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongInt(count)) => u32::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongUInt(count)) => *count,
        _ => 0,
    };
    // The queues' own limit: what is higher was not counted by a broker.
    if before > DELIVERY_LIMIT { 1 } else { before + 1 }
}

/// The last event of one document in a batch.
#[derive(Debug, Clone)]
pub struct Change {
    /// Of which document.
    pub identity: Identity,
    /// The event with the highest revision.
    pub event: ChangeEvent,
    /// Whether *any* delivery folded into this change was a redelivery: then an earlier attempt may have left chunks
    /// that no manifest lists.
    pub redelivered: bool,
    /// Where the event came from.
    pub message: Message,
}

impl Change {
    /// When it occurred in the source, where the event says.
    pub(crate) fn occurred(&self) -> Option<SystemTime> {
        bson::DateTime::parse_rfc3339_str(&self.event.occurred_at).ok().map(bson::DateTime::to_system_time)
    }
}

/// Folds the events of each document into the one with the highest revision; of equals, the later delivery. What it was
/// folded of is remembered where it asks for more than the event itself: a redelivery, a repair.
pub fn coalesce(changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
    let mut order = Vec::new();
    let mut latest: HashMap<Identity, Change> = HashMap::new();
    for mut change in changes {
        match latest.get_mut(&change.identity) {
            None => {
                order.push(change.identity.clone());
                latest.insert(change.identity.clone(), change);
            }
            Some(held) => {
                change.redelivered |= held.redelivered;
                change.event.repair |= held.event.repair;
                if change.event.revision >= held.event.revision {
                    *held = change;
                } else {
                    held.redelivered = change.redelivered;
                    held.event.repair = change.event.repair;
                }
            }
        }
    }
    order.iter().filter_map(|identity| latest.remove(identity)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::{DocumentType, IdKind};

    fn change(entry_id: &str, revision: i64, redelivered: bool) -> Change {
        let json = json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "delete", "type": "posts",
            "id_kind": "str", "entry_id": entry_id, "revision": revision, "occurred_at": ""});
        let event = ChangeEvent::from_json(json.to_string().as_bytes()).unwrap();
        let identity = Identity { document_type: DocumentType::Posts, id_kind: IdKind::Str, entry_id: entry_id.into() };
        Change { identity, event, redelivered, message: Message::default() }
    }

    fn folded(changes: Vec<Change>) -> Vec<(String, i64, bool)> {
        let summary = |c: Change| (c.identity.entry_id, c.event.revision.get(), c.redelivered);
        coalesce(changes).into_iter().map(summary).collect()
    }

    #[test]
    fn the_highest_revision_of_each_document_is_left_in_order_of_arrival() {
        let batch = vec![change("a", 1, false), change("b", 9, false), change("a", 3, false), change("a", 2, false)];
        assert_eq!(folded(batch), [("a".into(), 3, false), ("b".into(), 9, false)]);
    }

    /// Execution 21, folded: the newer change would keep the chunks that were to be written again.
    #[test]
    fn a_repair_is_remembered_whichever_event_wins() {
        let (mut repair, update) = (change("a", 256, false), change("a", 257, false));
        repair.event.repair = true;
        for batch in [[repair.clone(), update.clone()], [update, repair]] {
            let left = coalesce(batch);
            assert_eq!((left.len(), left[0].event.revision.get(), left[0].event.repair), (1, 257, true));
        }
    }

    /// Execution 15: a redelivered event folded into a fresh one must still have its leftovers looked for.
    #[test]
    fn a_redelivery_is_remembered_whichever_event_wins() {
        assert_eq!(folded(vec![change("a", 1, true), change("a", 2, false)]), [("a".into(), 2, true)]);
        assert_eq!(folded(vec![change("a", 2, false), change("a", 1, true)]), [("a".into(), 2, true)]);
    }
}
