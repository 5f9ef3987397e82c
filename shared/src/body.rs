//! The bytes of a message: JSON, compressed where that pays, within limits both ways.

use std::borrow::Cow;
use std::io::Read;

use serde_json::{Map, Value};

use crate::change_event::{ChangeEvent, InvalidEvent};

/// AMQP `content_type` of every body.
pub const CONTENT_TYPE: &str = "application/json";
/// AMQP `content_encoding` of a compressed body.
pub const ZSTD: &str = "zstd";
/// Value of `omitted` in an event whose document did not fit.
pub const TOO_LARGE: &str = "too large";
/// Value of `omitted` in an event whose document no JSON parser of ours would take.
pub const TOO_DEEP: &str = "nested too deeply";
/// Value of `omitted` in an event whose document is no BSON to the driver.
pub const UNREADABLE: &str = "unreadable";

/// Bodies over this many bytes are compressed.
const COMPRESS_OVER: usize = 64 << 10;
/// No body exceeds this many bytes: RabbitMQ 4 limits a message to 16 MiB.
pub const MAX_BODY: usize = 15 << 20;
/// No body decompresses to more than this many bytes.
const MAX_DECOMPRESSED: usize = 64 << 20;
/// Levels of a document, its own counted: serde_json parses 127, one of which is the envelope. MongoDB takes more.
const MAX_DEPTH: usize = 126;
/// zstd's own default: beyond it, time grows faster than size shrinks.
const COMPRESSION_LEVEL: i32 = 3;

/// An encoded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The payload of the message.
    pub bytes: Vec<u8>,
    /// AMQP `content_encoding`: [`ZSTD`] or none.
    pub encoding: Option<&'static str>,
}

/// A body that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// As `serde_json`.
    #[error("change event could not be serialised: {0}")]
    Json(#[from] serde_json::Error),
    /// As zstd.
    #[error("change event could not be compressed: {0}")]
    Zstd(#[from] std::io::Error),
}

/// A body that is no change event. Always permanent: the same bytes will fail again.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A `content_encoding` other than zstd.
    #[error("unknown content_encoding `{0}`")]
    UnknownEncoding(String),
    /// Said to be zstd and is not.
    #[error("not zstd: {0}")]
    NotZstd(std::io::Error),
    /// A decompression bomb, or as large without.
    #[error("is or decompresses to more than {MAX_DECOMPRESSED} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("not UTF-8: {0}")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// Not a change event.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
}

/// Encodes an event, so that [`decode`] reads it. A document that would not get through (a body over 15 MiB, over 64 MiB
/// before compression, nested too deeply) stays behind, and `omitted` says why.
///
/// # Errors
/// [`EncodeError`]: not for an event that this crate made.
pub fn encode(event: &ChangeEvent) -> Result<Body, EncodeError> {
    if event.document.as_ref().is_some_and(is_too_deep) {
        return encode_without_document(event, TOO_DEEP);
    }
    match fit(event.to_json()?)? {
        Some(body) => Ok(body),
        None => encode_without_document(event, TOO_LARGE),
    }
}

/// JSON as a body, compressed where that pays; none where a broker or [`decompressed`] would not take it.
///
/// # Errors
/// [`EncodeError::Zstd`].
pub fn fit(json: Vec<u8>) -> Result<Option<Body>, EncodeError> {
    if json.len() > MAX_DECOMPRESSED {
        return Ok(None);
    }
    let body = compress(json)?;
    Ok((body.bytes.len() <= MAX_BODY).then_some(body))
}

fn encode_without_document(event: &ChangeEvent, reason: &str) -> Result<Body, EncodeError> {
    let ChangeEvent { id, operation, subject, revision, occurred_at, repair, .. } = event.clone();
    let omitted = Some(reason.into());
    let event = ChangeEvent { id, operation, subject, revision, occurred_at, document: None, omitted, repair };
    compress(event.to_json()?)
}

fn is_too_deep(document: &Map<String, Value>) -> bool {
    let mut waiting: Vec<(usize, &Value)> = document.values().map(|value| (1, value)).collect();
    while let Some((above, value)) = waiting.pop() {
        let inside: Vec<&Value> = match value {
            Value::Object(fields) => fields.values().collect(),
            Value::Array(values) => values.iter().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
        };
        if above == MAX_DEPTH {
            return true;
        }
        waiting.extend(inside.into_iter().map(|value| (above + 1, value)));
    }
    false
}

fn compress(json: Vec<u8>) -> Result<Body, EncodeError> {
    if json.len() <= COMPRESS_OVER {
        return Ok(Body { bytes: json, encoding: None });
    }
    let bytes = zstd::bulk::compress(&json, COMPRESSION_LEVEL)?;
    Ok(Body { bytes, encoding: Some(ZSTD) })
}

/// Decodes a body. Where only its document cannot be read, the event comes without it, and `omitted` says why.
///
/// # Errors
/// [`DecodeError`] says what the bytes are not.
pub fn decode(bytes: &[u8], encoding: Option<&str>) -> Result<ChangeEvent, DecodeError> {
    parse(&decompressed(bytes, encoding)?)
}

/// The JSON of a body.
///
/// # Errors
/// [`DecodeError`] says what the bytes are not.
pub fn decompressed<'a>(bytes: &'a [u8], encoding: Option<&str>) -> Result<Cow<'a, [u8]>, DecodeError> {
    match encoding {
        None | Some("" | "identity") if bytes.len() > MAX_DECOMPRESSED => Err(DecodeError::TooLarge),
        None | Some("" | "identity") => Ok(bytes.into()),
        Some(ZSTD) => Ok(decompress(bytes)?.into()),
        Some(other) => Err(DecodeError::UnknownEncoding(other.into())),
    }
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let decoder = zstd::stream::read::Decoder::new(bytes).map_err(DecodeError::NotZstd)?;
    let mut json = Vec::new();
    decoder.take(MAX_DECOMPRESSED as u64 + 1).read_to_end(&mut json).map_err(DecodeError::NotZstd)?;
    if json.len() > MAX_DECOMPRESSED {
        return Err(DecodeError::TooLarge);
    }
    Ok(json)
}

/// As [`decode`], of the JSON.
///
/// # Errors
/// [`DecodeError`] says what the bytes are not.
pub fn parse(json: &[u8]) -> Result<ChangeEvent, DecodeError> {
    // serde_json reports bad UTF-8 inside a string as a syntax error: say what it is.
    let text = std::str::from_utf8(json).map_err(DecodeError::from);
    let whole = text.and_then(|_| Ok(ChangeEvent::from_json(json)?));
    whole.or_else(|error| ChangeEvent::without_document(json, &error).ok_or(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(text: String) -> ChangeEvent {
        let json = json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "update", "type": "posts",
            "id_kind": "int", "entry_id": "5", "revision": 1, "occurred_at": "", "document": {"content": text}});
        ChangeEvent::from_json(&serde_json::to_vec(&json).unwrap()).unwrap()
    }

    /// Text that zstd cannot shrink below three quarters: hexadecimal noise of a fixed generator.
    fn incompressible(bytes: usize) -> String {
        let mut state = 1_u64;
        let next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{:016x}", state.rotate_left(23))
        };
        std::iter::repeat_with(next).take(bytes / 16).collect()
    }

    #[test]
    fn small_bodies_are_plain_and_large_ones_compressed() {
        let small = encode(&event("short".into())).unwrap();
        assert_eq!(small.encoding, None);
        let long = event("long ".repeat(100_000));
        let body = encode(&long).unwrap();
        assert_eq!(body.encoding, Some(ZSTD));
        assert!(body.bytes.len() < 10_000);
        assert_eq!(decode(&body.bytes, body.encoding).unwrap(), long);
    }

    #[test]
    fn a_document_that_does_not_fit_is_omitted_and_said_so() {
        let body = encode(&event(incompressible(40 << 20))).unwrap();
        let event = decode(&body.bytes, body.encoding).unwrap();
        assert_eq!((event.document, event.omitted.as_deref()), (None, Some(TOO_LARGE)));
    }

    #[test]
    fn a_decompression_bomb_is_refused_without_its_memory() {
        let bomb = zstd::bulk::compress(&vec![b' '; MAX_DECOMPRESSED + 1], 19).unwrap();
        assert!(bomb.len() < 100_000);
        assert!(matches!(decode(&bomb, Some(ZSTD)), Err(DecodeError::TooLarge)));
        assert!(matches!(decode(&vec![b' '; MAX_DECOMPRESSED + 1], None), Err(DecodeError::TooLarge)));
    }

    #[test]
    fn every_kind_of_bad_body_says_what_it_is_not() {
        let reason = |bytes: &[u8], encoding| decode(bytes, encoding).unwrap_err().to_string();
        assert!(reason(b"{}", Some("gzip")).contains("gzip"));
        assert!(reason(b"{}", Some(ZSTD)).contains("not zstd"));
        assert!(reason(b"\"\xff\"", None).contains("not UTF-8"));
        assert!(reason(b"hello", None).contains("not a change event"));
        assert!(reason("[".repeat(100_000).as_bytes(), None).contains("not a change event"));
        let truncated = encode(&event("long ".repeat(100_000))).unwrap().bytes;
        assert!(reason(&truncated[..truncated.len() / 2], Some(ZSTD)).contains("not zstd"));
    }

    fn nested(levels: usize) -> ChangeEvent {
        let mut event = event(String::new());
        let inner = (2..levels).fold(json!({}), |inner, _| json!([inner]));
        event.document = Some(Map::from_iter([("a".to_owned(), inner)]));
        event
    }

    #[test]
    fn whatever_its_depth_an_event_is_decoded_and_only_a_deep_document_is_omitted() {
        for levels in [2, 3, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 2, 200] {
            let event = nested(levels);
            let body = encode(&event).unwrap();
            let decoded = decode(&body.bytes, body.encoding).unwrap();
            if levels <= MAX_DEPTH {
                assert_eq!(decoded, event, "{levels} levels");
            } else {
                assert_eq!((decoded.document, decoded.omitted.as_deref()), (None, Some(TOO_DEEP)), "{levels} levels");
            }
        }
    }

    /// Sixteen megabytes of control characters, six bytes of JSON each.
    #[test]
    fn a_document_over_what_decompresses_is_omitted_however_well_it_compresses() {
        let body = encode(&event("\u{1}".repeat(12 << 20))).unwrap();
        let event = decode(&body.bytes, body.encoding).unwrap();
        assert_eq!((event.document, event.omitted.as_deref()), (None, Some(TOO_LARGE)));
    }

    /// Found by fuzzing: an author's id can be a double of seventeen digits.
    #[test]
    fn a_number_is_decoded_to_its_last_bit() {
        for number in [1.9223372036192234e28, 9_007_199_254_740_991.0, 0.1 + 0.2, f64::MAX, 5e-324] {
            let mut event = event(String::new());
            event.document = Some(Map::from_iter([("number".to_owned(), json!(number))]));
            let body = encode(&event).unwrap();
            assert_eq!(decode(&body.bytes, body.encoding).unwrap(), event, "{number}");
        }
    }

    /// Another producer's message: its document is lost, and not whose it is.
    #[test]
    fn a_document_that_cannot_be_read_leaves_its_event() {
        let whole = |document: &str| {
            format!(
                r#"{{"id":"0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d","operation":"update","type":"posts","id_kind":"int",
                "entry_id":"5","revision":7,"occurred_at":"","document":{document}}}"#
            )
        };
        let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
        for (document, reason) in
            [(deep.as_str(), "recursion limit"), ("7", "invalid type"), ("null", "needs a document")]
        {
            let event = decode(whole(document).as_bytes(), None).unwrap();
            assert_eq!((event.revision.get(), event.identity().unwrap().entry_id.as_str()), (7, "5"));
            let said = event.omitted.unwrap();
            assert!(event.document.is_none() && said.contains(reason), "{said} does not say {reason}");
        }
        let mut bad_text = whole("{\"a\":\"?\"}").into_bytes();
        let at = bad_text.iter().position(|byte| *byte == b'?').unwrap();
        bad_text[at] = 0xff;
        assert!(decode(&bad_text, None).unwrap().omitted.unwrap().contains("not UTF-8"));
        assert!(decode(whole(&deep[..2000]).as_bytes(), None).is_err(), "no end");
        let delete = whole("{}").replace("update", "delete");
        assert!(decode(delete.as_bytes(), None).is_err(), "an operation that has no document");
    }

    #[test]
    fn nesting_is_limited_by_the_parser_not_by_the_stack() {
        let deep = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
        assert!(decode(deep.as_bytes(), None).is_err());
    }
}
