//! What a person or a program sees of the dead letters.

use std::collections::BTreeMap;
use std::io::Write;

use lapin::message::Delivery;
use serde_json::{Value, json};

use super::letter::{Letter, content, plain};
use super::mailbox::Mailbox;
use crate::command_error::CommandError;

/// Every letter, and at the end how many there are for each reason.
pub(super) async fn list(mailbox: &mut Mailbox, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let mut reasons = Reasons::default();
    while let Some(delivery) = mailbox.next().await? {
        let letter = Letter::of(&delivery);
        if json {
            writeln!(out, "{}", letter.json(now()))?;
        } else {
            writeln!(out, "{}", letter.line(now()))?;
        }
        reasons.count(&letter);
    }
    if json {
        writeln!(out, "{}", reasons.json())?;
    } else {
        writeln!(out, "{}", reasons.line())?;
    }
    Ok(())
}

/// Headers and content of the letters whose id begins so. False: there is none.
pub(super) async fn show(mailbox: &mut Mailbox, id: &str, out: &mut impl Write) -> Result<bool, CommandError> {
    let mut found = false;
    while let Some(delivery) = mailbox.next().await? {
        if Letter::of(&delivery).id.starts_with(id) {
            found = true;
            write!(out, "{}", whole(&delivery))?;
        }
    }
    Ok(found)
}

fn whole(delivery: &Delivery) -> String {
    let properties = &delivery.properties;
    let mut lines = BTreeMap::new();
    for (name, value) in properties.headers().iter().flat_map(|headers| headers.inner()) {
        lines.insert(name.to_string(), header(value));
    }
    for (name, value) in [
        ("message_id", properties.message_id()),
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
    ] {
        lines.extend(value.as_ref().map(|value| (name.to_owned(), value.to_string())));
    }
    let headers: String = lines.iter().map(|(name, value)| plain(&format!("{name}: {value}")) + "\n").collect();
    format!("{headers}\n{}\n\n", pretty(delivery))
}

fn header(value: &lapin::types::AMQPValue) -> String {
    use lapin::types::AMQPValue;
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => seconds.to_string(),
        other => format!("{other:?}"),
    }
}

/// As JSON where it is JSON, else as the text that it may be.
fn pretty(delivery: &Delivery) -> String {
    let bytes = match content(delivery) {
        Ok(bytes) => bytes,
        Err(error) => return format!("({} bytes: {})", delivery.data.len(), plain(&error)),
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(json) => format!("{json:#}"),
        Err(_) => String::from_utf8_lossy(&bytes).lines().map(plain).collect::<Vec<_>>().join("\n"),
    }
}

/// Letters by reason.
#[derive(Default)]
pub(super) struct Reasons(BTreeMap<String, usize>);

impl Reasons {
    pub(super) fn count(&mut self, letter: &Letter) {
        *self.0.entry(letter.reason.clone()).or_default() += 1;
    }

    pub(super) fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// `3 dead letters: 2 invalid document, 1 crash`.
    pub(super) fn line(&self) -> String {
        let each: Vec<String> = self.0.iter().map(|(reason, letters)| format!("{letters} {reason}")).collect();
        match self.total() {
            0 => "no dead letters".into(),
            1 => plain(&format!("1 dead letter: {}", each.join(", "))),
            total => plain(&format!("{total} dead letters: {}", each.join(", "))),
        }
    }

    fn json(&self) -> Value {
        json!({"letters": self.total(), "reasons": self.0})
    }
}

fn now() -> i64 {
    bson::DateTime::now().timestamp_millis() / 1000
}
