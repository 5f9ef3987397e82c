//! The document of an event: what it takes in memory, which can be ninety times what its JSON takes, and a parser that
//! stops at a limit.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Bytes that a document may take. One of MongoDB's, which has 16 MB at most, takes less, whatever it is made of.
const LIMIT: usize = 640 << 20;
/// What a value takes, about: itself and its share of a list that grows.
const VALUE: usize = 48;
/// What a map takes, about: a node has room for eleven fields, however few there are.
const MAP: usize = 600;

/// A document that takes no more than [`LIMIT`].
pub(crate) struct BoundedDocument(pub(crate) Map<String, Value>);

/// About how many bytes these fields take in memory.
pub fn memory(fields: &Map<String, Value>) -> usize {
    MAP + fields.iter().map(|(name, value)| name.len() + of_one(value)).sum::<usize>()
}

fn of_one(value: &Value) -> usize {
    VALUE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(of_one).sum(),
            Value::Object(fields) => memory(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

impl<'de> Deserialize<'de> for BoundedDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(&mut Room(LIMIT))).map(Self)
    }
}

/// The bytes that are left.
struct Room(usize);

impl Room {
    fn take<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        let too_many = || E::custom(format_args!("takes more than {LIMIT} bytes of memory"));
        self.0 = self.0.checked_sub(bytes).ok_or_else(too_many)?;
        Ok(())
    }
}

/// A map within what is left.
struct Fields<'a>(&'a mut Room);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        self.0.take(MAP)?;
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.0.take(name.len())?;
            fields.insert(name, map.next_value_seed(OneValue(self.0))?);
        }
        Ok(fields)
    }
}

/// A value within what is left.
struct OneValue<'a>(&'a mut Room);

impl<'de> DeserializeSeed<'de> for OneValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.take(VALUE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.0.take(text.len())?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(OneValue(self.0))? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Fields(self.0).visit_map(map).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Map<String, Value>, serde_json::Error> {
        serde_json::from_str(json).map(|BoundedDocument(fields)| fields)
    }

    #[test]
    fn a_document_is_what_serde_json_makes_of_it() {
        let json =
            r#"{"a": [null, true, -7, 18446744073709551615, 1.5, "text \u00e9", [], {}], "b": {"": {"c": 0}}, "b": 1}"#;
        assert_eq!(parsed(json).unwrap(), serde_json::from_str::<Map<String, Value>>(json).unwrap());
        assert!(parsed("[]").unwrap_err().to_string().contains("expected a map"));
    }

    /// The fields, and what is left of `room`.
    fn within(room: usize, json: &str) -> Result<(Map<String, Value>, usize), serde_json::Error> {
        let mut room = Room(room);
        let fields = serde_json::Deserializer::from_str(json).deserialize_map(Fields(&mut room))?;
        Ok((fields, room.0))
    }

    #[test]
    fn the_estimate_is_what_the_parser_counts() {
        let json = r#"{"a": [null, true, {"b": "text"}], "c": {"d": [[], [1]]}}"#;
        let (fields, left) = within(1 << 20, json).unwrap();
        assert_eq!(memory(&fields), (1 << 20) - left);
    }

    /// Eight bytes of JSON, or a thousandth of that on the way, are seven hundred in memory.
    #[test]
    fn maps_without_end_are_refused_before_they_fill_the_memory() {
        let json = |maps: usize| format!("{{\"a\":[{}0]}}", "{\"a\":0},".repeat(maps));
        assert!(within(1 << 20, &json(1_000)).is_ok());
        let error = within(1 << 20, &json(2_000)).unwrap_err();
        assert!(error.to_string().contains("of memory"), "{error}");
    }
}
