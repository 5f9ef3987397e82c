//! Dead letters: what could not be applied, with the reason beside the untouched content.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::timeout;

use crate::topology::DEAD_LETTERS;

/// Longest error text in a header, in bytes: a frame holds 128 KiB of headers.
const MAX_ERROR: usize = 4096;

/// Longest time for a confirm.
const CONFIRM: Duration = Duration::from_secs(60);

/// Most bytes of a message's own headers that its letter bears.
const MAX_FOREIGN: usize = 64 << 10;

/// Why a message became a dead letter; each part is a header `x-twin-…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmark {
    /// One or two words that can be counted by.
    pub reason: &'static str,
    /// The stage that gave up: `map`, `decode`, `clean`, `chunk`, `embed`, `write` …
    pub stage: &'static str,
    /// What went wrong, for a person.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The partition that it was in; none where it never had one.
    pub partition: Option<u16>,
}

/// A dead letter that the broker did not take.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// As the broker answered.
    #[error(transparent)]
    Broker(#[from] lapin::Error),
    /// No answer: the broker is blocked or paused.
    #[error("the broker has not confirmed a dead letter in time")]
    Unconfirmed,
    /// The queue `twin.dead-letters` is missing or refused it.
    #[error("the queue {DEAD_LETTERS} did not take a dead letter")]
    Refused,
}

/// Sends a message to the dead letters and returns once the broker has confirmed it.
/// `channel` must be in confirm mode. The content stays as it is; of the properties, what describes it.
///
/// # Errors
/// [`DeadLetterError`]: then nothing may be acknowledged.
pub async fn send(
    channel: &Channel,
    body: &[u8],
    properties: &BasicProperties,
    postmark: &Postmark,
) -> Result<(), DeadLetterError> {
    let properties = enveloped(properties, postmark);
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let publish = async {
        let queue = DEAD_LETTERS.into();
        channel.basic_publish(ShortString::default(), queue, options, body, properties).await?.await
    };
    match timeout(CONFIRM, publish).await.map_err(|_| DeadLetterError::Unconfirmed)?? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested => {
            Err(DeadLetterError::Refused)
        }
    }
}

/// The letter's properties. What tells the broker what to do stays behind: an expiry would end the letter, and by the
/// headers `CC` and `BCC` RabbitMQ would route it back to where it came from. Headers that leave no room for the
/// postmark in a frame stay behind too.
fn enveloped(original: &BasicProperties, postmark: &Postmark) -> BasicProperties {
    let mut headers = original.headers().clone().unwrap_or_default();
    if headers.inner().values().map(size).sum::<usize>() > MAX_FOREIGN {
        headers = FieldTable::default();
    }
    let mut kept = FieldTable::default();
    for (name, value) in headers.inner().iter().filter(|(name, _)| !matches!(name.as_str(), "CC" | "BCC")) {
        kept.insert(name.clone(), value.clone());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let headers = stamp(kept, postmark);
    let mut properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2).with_timestamp(now);
    if let Some(content_type) = original.content_type() {
        properties = properties.with_content_type(content_type.clone());
    }
    if let Some(encoding) = original.content_encoding() {
        properties = properties.with_content_encoding(encoding.clone());
    }
    if let Some(id) = original.message_id() {
        properties = properties.with_message_id(id.clone());
    }
    properties
}

/// About what a header takes in a frame, in bytes.
fn size(value: &AMQPValue) -> usize {
    const FIXED: usize = 300; // a name of 255 bytes at most, and any number
    match value {
        AMQPValue::LongString(text) => FIXED + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => FIXED + bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => FIXED + values.as_slice().iter().map(size).sum::<usize>(),
        AMQPValue::FieldTable(fields) => FIXED + fields.inner().values().map(size).sum::<usize>(),
        _ => FIXED,
    }
}

/// The headers with the postmark added.
pub fn stamp(mut headers: FieldTable, postmark: &Postmark) -> FieldTable {
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert("x-twin-reason".into(), text(postmark.reason));
    headers.insert("x-twin-stage".into(), text(postmark.stage));
    headers.insert("x-twin-error".into(), text(shortened(&postmark.error)));
    headers.insert("x-twin-attempts".into(), AMQPValue::LongInt(postmark.attempts as i32));
    if let Some(partition) = postmark.partition {
        headers.insert("x-twin-partition".into(), AMQPValue::LongInt(i32::from(partition)));
    }
    headers
}

fn shortened(error: &str) -> &str {
    &error[..error.floor_char_boundary(MAX_ERROR)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(headers: &[(&str, AMQPValue)]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let original = BasicProperties::default()
            .with_headers(table)
            .with_expiration("3000".into())
            .with_content_type("text".into());
        let postmark = Postmark { reason: "r", stage: "s", error: "e".into(), attempts: 1, partition: None };
        enveloped(&original, &postmark)
    }

    fn names(letter: &BasicProperties) -> Vec<String> {
        letter.headers().as_ref().unwrap().inner().keys().map(ToString::to_string).collect()
    }

    #[test]
    fn what_would_end_a_letter_or_send_it_round_stays_behind() {
        let letter = letter(&[("CC", AMQPValue::LongString("twin.changes.7".into())), ("h", AMQPValue::Boolean(true))]);
        assert_eq!((letter.expiration(), letter.content_type().as_ref().unwrap().as_str()), (&None, "text"));
        assert_eq!(names(&letter), ["h", "x-twin-attempts", "x-twin-error", "x-twin-reason", "x-twin-stage"]);
    }

    #[test]
    fn headers_that_fill_a_frame_leave_room_for_the_postmark() {
        let letter = letter(&[("h", AMQPValue::LongString("x".repeat(130_950).into()))]);
        assert_eq!(names(&letter).len(), 4);
    }
}
