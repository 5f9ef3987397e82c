//! BSON's order of values, as MongoDB compares them.
//!
//! Source: <https://www.mongodb.com/docs/v6.0/reference/bson-type-comparison-order/>.

use std::cmp::Ordering;

use bson::{Bson, Document};

/// Kinds of values, in their order. Numbers are of one kind; undefined counts as null.
pub(super) fn kind(value: &Bson) -> u8 {
    match value {
        Bson::MinKey => 0,
        Bson::Null | Bson::Undefined => 5,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => 10,
        Bson::String(_) | Bson::Symbol(_) => 15,
        Bson::Document(_) => 20,
        Bson::Array(_) => 25,
        Bson::Binary(_) => 30,
        Bson::ObjectId(_) => 35,
        Bson::Boolean(_) => 40,
        Bson::DateTime(_) => 45,
        Bson::Timestamp(_) => 47,
        Bson::RegularExpression(_) => 50,
        Bson::DbPointer(_) => 55,
        Bson::JavaScriptCode(_) => 60,
        Bson::JavaScriptCodeWithScope(_) => 65,
        Bson::MaxKey => 127,
    }
}

pub(super) fn is_nan(value: &Bson) -> bool {
    match value {
        Bson::Double(number) => number.is_nan(),
        Bson::Decimal128(number) => number.to_string().contains("NaN"),
        _ => false,
    }
}

/// The order of two values of any kinds.
pub(super) fn compare(left: &Bson, right: &Bson) -> Ordering {
    kind(left).cmp(&kind(right)).then_with(|| match (left, right) {
        (Bson::String(left) | Bson::Symbol(left), Bson::String(right) | Bson::Symbol(right)) => left.cmp(right),
        (Bson::Document(left), Bson::Document(right)) => compare_documents(left, right),
        (Bson::Array(left), Bson::Array(right)) => {
            let unequal = left.iter().zip(right).map(|(left, right)| compare(left, right));
            unequal.into_iter().find(|ordering| ordering.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Bson::Binary(left), Bson::Binary(right)) => {
            let key = |binary: &bson::Binary| (binary.bytes.len(), u8::from(binary.subtype));
            key(left).cmp(&key(right)).then_with(|| left.bytes.cmp(&right.bytes))
        }
        (Bson::ObjectId(left), Bson::ObjectId(right)) => left.bytes().cmp(&right.bytes()),
        (Bson::Boolean(left), Bson::Boolean(right)) => left.cmp(right),
        (Bson::DateTime(left), Bson::DateTime(right)) => left.cmp(right),
        (Bson::Timestamp(left), Bson::Timestamp(right)) => {
            (left.time, left.increment).cmp(&(right.time, right.increment))
        }
        (Bson::RegularExpression(left), Bson::RegularExpression(right)) => {
            let key = |regex: &bson::Regex| (regex.pattern.to_string(), regex.options.to_string());
            key(left).cmp(&key(right))
        }
        (left, right) if kind(left) == 10 => compare_numbers(left, right),
        // Null, the ends of the order, and kinds that no filter can name.
        _ => Ordering::Equal,
    })
}

/// Field by field: by the value's kind, the name, the value.
fn compare_documents(left: &Document, right: &Document) -> Ordering {
    let unequal = left.iter().zip(right).map(|((left_name, left), (right_name, right))| {
        kind(left).cmp(&kind(right)).then_with(|| left_name.cmp(right_name)).then_with(|| compare(left, right))
    });
    unequal.into_iter().find(|ordering| ordering.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
}

fn compare_numbers(left: &Bson, right: &Bson) -> Ordering {
    match (is_nan(left), is_nan(right)) {
        (false, false) => match (integer(left), integer(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => Decimal::of(left).cmp(&Decimal::of(right)),
        },
        // Before every other number.
        (left, right) => right.cmp(&left),
    }
}

fn integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

/// A number to its last digit, whatever type it came in: doubles and 64-bit integers do not fit into each other.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// Places before the point; infinity has more than any number.
    magnitude: i64,
    /// Without zeros at either end; none is zero.
    digits: Vec<u8>,
}

impl Decimal {
    fn of(value: &Bson) -> Self {
        match value {
            Bson::Int32(number) => Self::read(&number.to_string()),
            Bson::Int64(number) => Self::read(&number.to_string()),
            // Exactly: the smallest double has so many places.
            Bson::Double(number) => Self::read(&format!("{number:.1074}")),
            Bson::Decimal128(number) => Self::read(&number.to_string()),
            _ => Self::read("0"),
        }
    }

    /// `-12.5E+3`, `inf`, `Infinity`.
    fn read(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        if text.starts_with(['i', 'I']) {
            return Self { negative, magnitude: i64::MAX, digits: vec![1] };
        }
        let (number, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').collect();
        let zeros = all.iter().take_while(|digit| **digit == 0).count();
        let end = all.iter().rposition(|digit| *digit != 0).map_or(zeros, |last| last + 1);
        let digits = all[zeros..end].to_vec();
        let exponent: i64 = exponent.parse().unwrap_or_default();
        let magnitude = if digits.is_empty() { 0 } else { whole.len() as i64 - zeros as i64 + exponent };
        // There is one zero.
        Self { negative: negative && !digits.is_empty(), magnitude, digits }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let ordering = self.magnitude.cmp(&other.magnitude).then_with(|| self.digits.cmp(&other.digits));
            if self.negative { ordering.reverse() } else { ordering }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
