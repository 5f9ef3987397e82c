//! Messages that are odd or wrong.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// A message, and how it has to end.
#[derive(Debug)]
pub(super) struct Odd {
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    pub(super) end: End,
}

/// How a message has to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// Its document is indexed.
    Applied,
    /// A dead letter of this reason and stage, whose error says this.
    Dead(&'static str, &'static str, &'static str),
    /// Whichever is true of its body.
    Any,
}

const UNDECODABLE: fn(&'static str) -> End = |says| End::Dead("undecodable", "decode", says);
const OMITTED: fn(&'static str) -> End = |says| End::Dead("omitted", "decode", says);

/// An event that is as it should be.
pub(super) fn event(entry_id: &str) -> Value {
    json!({"id": "0b0e2b5c-5a3e-5f5e-9d5c-1f0e7a3c2b1d", "operation": "update", "type": "posts", "id_kind": "str",
        "entry_id": entry_id, "revision": 3_855_425_992_956_837_889_i64, "occurred_at": "2026-11-22T04:43:51.510Z",
        "document": {"content": {"text": "a fine text"}, "author_id": "A"}})
}

pub(super) fn plain(body: impl Into<Vec<u8>>, end: End) -> Odd {
    Odd { body: body.into(), properties: BasicProperties::default(), end }
}

fn encoded(body: impl Into<Vec<u8>>, encoding: &str, end: End) -> Odd {
    Odd { properties: BasicProperties::default().with_content_encoding(encoding.into()), ..plain(body, end) }
}

pub(super) fn by_hand() -> Vec<Odd> {
    [fields(), bodies(), headers()].into_iter().flatten().collect()
}

/// One field is wrong or missing, each in an event of its own.
fn fields() -> Vec<Odd> {
    let changed = [
        ("id", json!("no uuid"), UNDECODABLE("UUID")),
        ("id", json!(null), UNDECODABLE("null")),
        ("operation", json!("upsert"), UNDECODABLE("upsert")),
        ("operation", json!(7), UNDECODABLE("not a change event")),
        ("operation", json!("delete"), UNDECODABLE("must not bear a document")),
        ("operation", json!("sweep"), UNDECODABLE("`sweep` must not bear")),
        ("type", json!("comments"), UNDECODABLE("comments")),
        ("id_kind", json!("decimal"), UNDECODABLE("decimal")),
        ("id_kind", json!("oid"), UNDECODABLE("entry_id")),
        ("id_kind", json!("uuid"), UNDECODABLE("entry_id")),
        ("id_kind", json!("int"), UNDECODABLE("entry_id")),
        ("entry_id", json!(5), UNDECODABLE("invalid type")),
        ("revision", json!("1"), UNDECODABLE("invalid type")),
        ("revision", json!(1.5), UNDECODABLE("invalid type")),
        ("revision", json!(0), UNDECODABLE("not positive")),
        ("revision", json!(-1), UNDECODABLE("not positive")),
        ("revision", json!(u64::MAX), UNDECODABLE("invalid value")),
        ("revision", json!(i64::MAX), End::Applied),
        ("occurred_at", json!(5), UNDECODABLE("invalid type")),
        ("occurred_at", json!("+999999-13-45T99:99:99Z"), End::Applied),
        ("repair", json!("yes"), UNDECODABLE("boolean")),
        ("document", json!("text"), OMITTED("invalid type")),
        ("document", json!(null), OMITTED("needs a document")),
        ("document", json!([]), OMITTED("invalid type")),
        ("document", json!({}), End::Applied),
        ("document", json!({"content": 7}), End::Dead("invalid document", "clean", "content")),
        ("omitted", json!("too large"), OMITTED("at once")),
        ("unknown", json!({"a": [1]}), End::Applied),
    ];
    let changed = changed.into_iter().enumerate().map(|(number, (field, value, end))| {
        let mut event = event(&format!("{field} {number}"));
        event[field] = value;
        plain(event.to_string(), end)
    });
    let missing = ["id", "operation", "type", "id_kind", "entry_id", "revision", "occurred_at"].map(|field| {
        let mut event = event(&format!("no {field}"));
        event.as_object_mut().unwrap().remove(field);
        plain(event.to_string(), UNDECODABLE(field))
    });
    let mut without_document = event("no document");
    without_document.as_object_mut().unwrap().remove("document");
    changed.chain(missing).chain([plain(without_document.to_string(), OMITTED("needs a document"))]).collect()
}

/// Bodies that are no event at all, or not as they say.
fn bodies() -> Vec<Odd> {
    let whole = |entry_id: &str| event(entry_id).to_string();
    let packed = |entry_id: &str| zstd::bulk::compress(whole(entry_id).as_bytes(), 3).unwrap();
    let half = packed("half");
    let deep = format!("{{\"text\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let mut bad_text = whole("not utf-8");
    bad_text = bad_text.replacen("a fine text", "\u{1a}", 1);
    let bad_text: Vec<u8> = bad_text.bytes().map(|byte| if byte == 0x1a { 0xff } else { byte }).collect();
    vec![
        plain("", UNDECODABLE("EOF")),
        plain("hello", UNDECODABLE("not a change event")),
        plain("null", UNDECODABLE("not a change event")),
        plain("[]", UNDECODABLE("not a change event")),
        plain("{}", UNDECODABLE("missing field")),
        plain([0xef, 0xbb, 0xbf], UNDECODABLE("not a change event")),
        plain(vec![0; 1_000], UNDECODABLE("not a change event")),
        plain("[".repeat(100_000), UNDECODABLE("not a change event")),
        plain(format!("{} trailing", whole("a")), UNDECODABLE("trailing")),
        plain(format!("[{}]", whole("b")), UNDECODABLE("not a change event")),
        plain(format!("{0}{0}", whole("c")), UNDECODABLE("trailing")),
        plain(whole("d").replacen('{', "{\"type\":\"posts\",", 1), UNDECODABLE("duplicate")),
        plain(whole("e").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), UNDECODABLE("not")),
        plain(packed("f"), UNDECODABLE("not UTF-8")),
        plain(whole("g").replacen("a fine text", "\\ud800", 1), OMITTED("hex escape")),
        plain(whole("h").replacen("\"a fine text\"", "1e999", 1), OMITTED("out of range")),
        plain(whole("i").replacen("{\"text\":\"a fine text\"}", &deep, 1), OMITTED("recursion")),
        plain(bad_text, OMITTED("not UTF-8")),
        plain(whole("null \\u0000 \u{7f}\u{9b} byte\\n"), End::Applied),
        encoded(whole("j"), "zstd", UNDECODABLE("not zstd")),
        encoded(whole("k"), "gzip", UNDECODABLE("gzip")),
        encoded(packed("l"), "ZSTD", UNDECODABLE("ZSTD")),
        encoded(&half[..half.len() / 2], "zstd", UNDECODABLE("not zstd")),
        encoded([half.as_slice(), b"more"].concat(), "zstd", UNDECODABLE("not zstd")),
        encoded(packed("compressed"), "zstd", End::Applied),
        encoded(whole("identity"), "identity", End::Applied),
        encoded(zstd::bulk::compress(&vec![b' '; 65 << 20], 3).unwrap(), "zstd", UNDECODABLE("more than")),
        encoded([], "zstd", UNDECODABLE("not")),
    ]
}

/// Good events in odd envelopes: what an envelope says changes nothing, nor does it end the consumer.
fn headers() -> Vec<Odd> {
    let text = |bytes: &[u8]| AMQPValue::LongString(bytes.into());
    let nested = (0..50).fold(AMQPValue::Void, |inner, _| AMQPValue::FieldArray(vec![inner].into()));
    let counts = [
        AMQPValue::LongLongInt(-1),
        AMQPValue::LongLongInt(i64::MAX),
        AMQPValue::LongLongInt(999_999),
        AMQPValue::LongUInt(u32::MAX),
        AMQPValue::Double(1.5),
        text(b"many"),
    ];
    let sources = [AMQPValue::ByteArray(vec![0xff].into()), AMQPValue::Boolean(true), nested.clone()];
    let others = [text(&[0xff; 1_000]), nested, AMQPValue::Timestamp(u64::MAX), text(&[b'x'; 100_000])];
    let named = counts.into_iter().map(|value| ("x-delivery-count", value));
    let named = named.chain(sources.into_iter().map(|value| ("cloudEvents:source", value)));
    let named = named.chain(others.into_iter().map(|value| ("odd", value)));
    let named =
        named.chain([("x-twin-reason", text(b"forged")), ("CC", AMQPValue::FieldArray(vec![text(b"1")].into()))]);
    let with = |number: usize, name: &str, value: AMQPValue| {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), value);
        let properties = BasicProperties::default().with_headers(headers);
        Odd { properties, ..plain(event(&format!("header {number}")).to_string(), End::Applied) }
    };
    let mut odd: Vec<Odd> = named.enumerate().map(|(number, (name, value))| with(number, name, value)).collect();
    let foreign = with(odd.len(), "cloudEvents:source", text(b"/mongodb/\xff\xfe/posts"));
    odd.push(Odd { end: End::Dead("foreign source", "decode", "comes from"), ..foreign });
    let mut poison = with(odd.len(), "odd", text(&[0xff; 100_000]));
    poison.body = b"poison in a full envelope".to_vec();
    odd.push(Odd { end: UNDECODABLE("not a change event"), ..poison });
    let full = BasicProperties::default()
        .with_content_type("\u{0}".into())
        .with_message_id("i".repeat(255).into())
        .with_correlation_id("c".repeat(255).into())
        .with_reply_to("nowhere".into())
        .with_expiration("3600000".into())
        .with_timestamp(u64::MAX)
        .with_priority(255)
        .with_delivery_mode(1);
    odd.push(Odd { properties: full, ..plain(event("full").to_string(), End::Applied) });
    odd
}

/// A good message with some of its bytes changed, left out or doubled.
pub(super) fn by_chance(random: &mut StdRng, number: usize) -> Odd {
    let mut bytes = event(&format!("chance {number}")).to_string().into_bytes();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.random()),
            _ => bytes.truncate(at.max(1)),
        }
    }
    plain(bytes, End::Any)
}
