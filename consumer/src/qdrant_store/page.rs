//! Pages: how much goes into one request.

use std::collections::HashMap;

use qdrant_client::qdrant::Value;
use qdrant_client::qdrant::value::Kind;

/// Points in one request.
pub(super) const PAGE: usize = 256;
/// Bytes of texts in one request: far below the 32 MiB that Qdrant takes, whatever one record adds.
const REQUEST_BYTES: usize = 8 << 20;
/// What a point's vectors take at most, roughly: a thousand numbers and the terms of a chunk.
pub(super) const VECTOR_BYTES: usize = 8 << 10;

/// Items in pages of at most [`PAGE`] and [`REQUEST_BYTES`], at least one in each.
pub(super) fn pages<T>(items: impl IntoIterator<Item = T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut pages, mut bytes): (Vec<Vec<T>>, usize) = (Vec::new(), 0);
    for item in items {
        let more = size(&item);
        match pages.last_mut() {
            Some(page) if page.len() < PAGE && bytes + more <= REQUEST_BYTES => {
                page.push(item);
                bytes += more;
            }
            _ => {
                pages.push(vec![item]);
                bytes = more;
            }
        }
    }
    pages
}

/// Bytes of the texts in a payload, with a little for everything else.
pub(super) fn text_bytes(payload: &HashMap<String, Value>) -> usize {
    fn size(value: &Value) -> usize {
        match &value.kind {
            Some(Kind::StringValue(text)) => text.len(),
            Some(Kind::ListValue(list)) => list.values.iter().map(size).sum(),
            Some(Kind::StructValue(fields)) => fields.fields.values().map(size).sum(),
            Some(Kind::NullValue(_) | Kind::BoolValue(_) | Kind::IntegerValue(_) | Kind::DoubleValue(_)) | None => 8,
        }
    }
    payload.values().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_bounded_in_points_and_in_bytes() {
        let sizes = |items: Vec<usize>| pages(items, |item| *item).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![1; 2 * PAGE + 1]), [PAGE, PAGE, 1]);
        assert_eq!(sizes(vec![REQUEST_BYTES / 2; 3]), [2, 1]);
        assert_eq!(sizes(vec![REQUEST_BYTES * 3, 1, 1]), [1, 2], "what is too large goes alone");
        assert!(sizes(Vec::new()).is_empty());
    }
}
