//! Dead letters: what could not be applied, with the reason beside the untouched content.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::timeout;

use crate::topology::DEAD_LETTERS;

/// Longest error text in a header, in bytes: a frame holds 128 KiB of headers.
const MAX_ERROR: usize = 4096;

/// Longest time for a confirm.
const CONFIRM: Duration = Duration::from_secs(60);

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
/// `channel` must be in confirm mode. Content and properties stay as they are; headers are added.
///
/// # Errors
/// [`DeadLetterError`]: then nothing may be acknowledged.
pub async fn send(
    channel: &Channel,
    body: &[u8],
    properties: BasicProperties,
    postmark: &Postmark,
) -> Result<(), DeadLetterError> {
    let headers = stamp(properties.headers().clone().unwrap_or_default(), postmark);
    let properties = properties.with_headers(headers).with_delivery_mode(2);
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
