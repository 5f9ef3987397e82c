//! Reading a raw document's fields: text, null, or in `content` maps of these. Anything else is named, not guessed at.

use serde_json::{Map, Value};

/// Levels of nesting in `content`; MongoDB itself stores 100.
const MAX_DEPTH: usize = 100;
/// Bytes of a path that are kept. It is copied to every chunk.
const MAX_PATH: usize = 1024;
/// Fields in `content`, each of which may have such a path. Twice as many as a document may have chunks.
const MAX_FIELDS: usize = 1 << 17;

/// Keys by which extended JSON writes what JSON has no type for.
const EXTENDED: [&str; 18] = [
    "$oid",
    "$date",
    "$binary",
    "$uuid",
    "$numberInt",
    "$numberLong",
    "$numberDouble",
    "$numberDecimal",
    "$timestamp",
    "$regularExpression",
    "$code",
    "$scope",
    "$symbol",
    "$minKey",
    "$maxKey",
    "$undefined",
    "$dbPointer",
    "$type",
];

/// A document that does not have the shape of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CleanError {
    /// A field holds something else than it may.
    #[error("{field}: expected {expected}, found {found}")]
    Unexpected {
        /// The field, by its joined names.
        field: String,
        /// What may stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// `content` is nested too deeply to mean anything.
    #[error("{field}: nested deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// The field, by its joined names.
        field: String,
    },
    /// `content` has more fields than could be indexed.
    #[error("content: more than {MAX_FIELDS} fields")]
    TooMany,
    /// An id that would have to be cut, and would then be another's.
    #[error("{field}: {bytes} bytes, more than the {limit} that an id may have")]
    TooLong {
        /// The field.
        field: String,
        /// Its size.
        bytes: usize,
        /// The most that it may have.
        limit: usize,
    },
}

impl CleanError {
    pub(super) fn unexpected(field: &str, expected: &'static str, found: &Value) -> Self {
        Self::Unexpected { field: bounded(field, 200).into(), expected, found: kind(found) }
    }
}

/// A field that holds text, or nothing.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, CleanError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(CleanError::unexpected(name, "text or null", other)),
    }
}

/// Every text of `content` with its joined names, in the order of these. A plain string has none, and nulls are left out.
pub(super) fn texts(content: &Value) -> Result<Vec<(String, &str)>, CleanError> {
    let mut texts = Vec::new();
    let mut waiting = vec![(String::new(), 0, content)];
    while let Some((path, depth, value)) = waiting.pop() {
        match value {
            Value::Null => {}
            Value::String(text) => texts.push((path, text.as_str())),
            Value::Object(fields) if !is_extended(fields) => {
                if depth == MAX_DEPTH {
                    return Err(CleanError::TooDeep { field: bounded(&field_name(&path), 200).into() });
                }
                if texts.len() + waiting.len() + fields.len() > MAX_FIELDS {
                    return Err(CleanError::TooMany);
                }
                waiting.extend(fields.iter().map(|(name, value)| (join(&path, name), depth + 1, value)));
            }
            other => return Err(CleanError::unexpected(&field_name(&path), "text, null or a map of these", other)),
        }
    }
    texts.sort_unstable();
    Ok(texts)
}

/// `text` cut to `limit` bytes, at a character.
pub(crate) fn bounded(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn join(path: &str, name: &str) -> String {
    let joined = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    bounded(&joined, MAX_PATH).to_owned()
}

fn field_name(path: &str) -> String {
    if path.is_empty() { "content".to_owned() } else { format!("content/{path}") }
}

fn is_extended(fields: &Map<String, Value>) -> bool {
    !fields.is_empty() && fields.keys().all(|name| EXTENDED.contains(&name.as_str()))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "a boolean".into(),
        Value::Number(_) => "a number".into(),
        Value::String(_) => "text".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(fields) => match fields.keys().next() {
            Some(name) if is_extended(fields) => format!("a BSON value ({name})"),
            _ => "a map".into(),
        },
    }
}
