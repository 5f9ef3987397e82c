//! BSON → relaxed extended JSON. The form in which documents travel is [`shared::extended_json`].
//!
//! Source: <https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>.

use bson::{Bson, DateTime};
use serde_json::Value;
pub(crate) use shared::extended_json::{document, read};

/// RFC 3339 with milliseconds, also where they are zero.
pub(crate) fn rfc3339(time: DateTime) -> String {
    // A year beyond 9999 has no such form; no oplog bears one.
    let text = time.try_to_rfc3339_string().unwrap_or_else(|_| "9999-12-31T23:59:59.999Z".into());
    let whole = text.trim_end_matches('Z');
    let (seconds, fraction) = whole.split_once('.').unwrap_or((whole, ""));
    format!("{seconds}.{fraction:0<3}Z")
}

/// An `_id` of any kind, for people.
pub(crate) fn value(value: Bson) -> Value {
    value.into_relaxed_extjson()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::spec::BinarySubtype;
    use bson::{Binary, Document, doc, rawdoc};
    use serde_json::json;

    fn converted(source: Document) -> Value {
        let raw = bson::RawDocumentBuf::try_from(&source).unwrap();
        Value::Object(document(read(&raw).unwrap()))
    }

    #[test]
    fn the_id_goes_and_everything_else_stays() {
        let date = DateTime::from_millis(1_795_322_631_510);
        let decimal: bson::Decimal128 = "0.1".parse().unwrap();
        let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] };
        let json = converted(doc! {"_id": 1, "text": "x", "nan": f64::NAN, "date": date,
        "decimal": decimal, "binary": binary, "null": null, "long": i64::MAX, "list": [{"_id": 2}]});
        assert_eq!(
            json,
            json!({"text": "x", "nan": {"$numberDouble": "NaN"}, "date": {"$date": "2026-11-22T04:43:51.51Z"},
            "decimal": {"$numberDecimal": "0.1"},
            "binary": {"$binary": {"base64": "AQI=", "subType": "00"}}, "null": null, "long": i64::MAX, "list": [{"_id": 2}]})
        );
    }

    #[test]
    fn the_deepest_document_that_mongodb_stores_is_converted() {
        let deep = (0..200).fold(doc! {"a": 1}, |inner, _| doc! {"a": inner});
        assert_eq!(converted(deep).to_string(), format!("{}1{}", "{\"a\":".repeat(201), "}".repeat(201)));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_not_fatal() {
        let mut bytes = rawdoc! {"text": "abc"}.into_bytes();
        let at = bytes.iter().position(|&byte| byte == b'b').unwrap();
        bytes[at] = 0xff;
        let raw = bson::RawDocumentBuf::from_bytes(bytes).unwrap();
        assert_eq!(Value::Object(document(read(&raw).unwrap())), json!({"text": "a\u{fffd}c"}));
    }

    #[test]
    fn times_bear_three_digits_of_a_second() {
        for (millis, text) in
            [(0, "1970-01-01T00:00:00.000Z"), (10, "1970-01-01T00:00:00.010Z"), (1_500, "1970-01-01T00:00:01.500Z")]
        {
            assert_eq!(rfc3339(DateTime::from_millis(millis)), text);
        }
    }
}
