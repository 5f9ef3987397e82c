//! Quarantine: a message that keeps ending its consumer, and not by a panic, which is caught where it happens, but by an
//! abort or by all the memory.
//!
//! A crash raises the delivery count of everything that was held, so that the count alone would accuse whole batches,
//! and hand-overs raise it too. What was redelivered [`SUSPECT`] times is therefore taken alone, with nothing else
//! of its partition begun and no other suspect of the process, and before it is even decoded its trial is written down. At fault is only what was tried alone [`TRIALS`]
//! times and never settled, at its tenth redelivery at the earliest.

use lapin::BasicProperties;
use shared::dead_letter::Postmark;
use xxhash_rust::xxh3::xxh3_128;

use crate::change::{Message, attempts};
use crate::prepare::Unindexable;

/// Redeliveries from which on a message is taken alone.
const SUSPECT: u32 = 3;
/// Trials alone that a message is given.
const TRIALS: u32 = 7;
/// Trials of it as a dead letter whose record says so; if even that ends the consumer, it is not decoded any more.
const BURIALS: u32 = 3;

/// What is done with a suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is applied as any other.
    Try,
    /// It becomes a dead letter, and its document's record says why.
    Condemn,
    /// It becomes a dead letter unread.
    Discard,
}

impl Verdict {
    /// After so many trials that were begun and not ended in order.
    pub(crate) fn after(trials: u32) -> Self {
        match trials {
            ..TRIALS => Self::Try,
            trials if trials < TRIALS + BURIALS => Self::Condemn,
            _ => Self::Discard,
        }
    }
}

/// Whether a message is to be taken alone.
pub(crate) fn is_suspect(properties: &BasicProperties) -> bool {
    attempts(properties) > SUSPECT
}

/// What a message is told by from one delivery to the next; not every publisher gives it an id.
pub(crate) fn name_of(message: &Message) -> String {
    format!("{:032x}", xxh3_128(&message.body))
}

/// Why a condemned message is not indexed.
pub(crate) fn charge() -> Unindexable {
    let error = format!("taken alone {TRIALS} times and never settled: it ends its consumer");
    Unindexable { reason: "crash", stage: "quarantine", error }
}

/// The same for a message that is no change of a document.
pub(crate) fn postmark(message: &Message) -> Postmark {
    let Unindexable { reason, stage, error } = charge();
    Postmark { reason, stage, error, attempts: message.attempts(), partition: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::{AMQPValue, FieldTable};

    fn redelivered(count: Option<i64>) -> BasicProperties {
        let mut headers = FieldTable::default();
        if let Some(count) = count {
            headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(count));
        }
        BasicProperties::default().with_headers(headers)
    }

    #[test]
    fn what_was_redelivered_three_times_is_taken_alone() {
        let suspects = [None, Some(0), Some(2), Some(3), Some(10)].map(|count| is_suspect(&redelivered(count)));
        assert_eq!(suspects, [false, false, false, true, true]);
    }

    #[test]
    fn at_fault_is_what_was_tried_alone_seven_times() {
        let verdicts = [0, 6, 7, 9, 10].map(Verdict::after);
        let expected = [Verdict::Try, Verdict::Try, Verdict::Condemn, Verdict::Condemn, Verdict::Discard];
        assert_eq!(verdicts, expected);
    }
}
