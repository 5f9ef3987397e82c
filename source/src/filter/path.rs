//! Where a dotted path leads in a document: into documents, through arrays, to nothing.

use bson::{Array, Bson, Document};

/// Whether some value that the path leads to passes; None stands for a way that ends in nothing.
pub(super) fn any(document: &Document, path: &[String], passes: &dyn Fn(Option<&Bson>) -> bool) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    match document.get(name) {
        Some(value @ Bson::Array(values)) if rest.is_empty() => {
            values.iter().any(|value| passes(Some(value))) || passes(Some(value))
        }
        Some(Bson::Array(values)) => any_in(values, rest, passes),
        Some(value) if rest.is_empty() => passes(Some(value)),
        Some(Bson::Document(inner)) => any(inner, rest, passes),
        Some(_) | None => passes(None),
    }
}

/// Elements that are documents are entered; a number is also a place. Others lead nowhere, not even to nothing.
fn any_in(values: &Array, path: &[String], passes: &dyn Fn(Option<&Bson>) -> bool) -> bool {
    let entered = |value: &Bson| matches!(value, Bson::Document(inner) if any(inner, path, passes));
    values.iter().any(entered) || at_place(values, path, passes)
}

fn at_place(values: &Array, path: &[String], passes: &dyn Fn(Option<&Bson>) -> bool) -> bool {
    let Some((place, rest)) = path.split_first() else { return false };
    let canonical = |at: &usize| at.to_string() == *place;
    let Some(value) = place.parse().ok().filter(canonical).and_then(|at| values.get(at)) else { return false };
    match value {
        value if rest.is_empty() => passes(Some(value)),
        Bson::Document(inner) => any(inner, rest, passes),
        Bson::Array(inner) => any_in(inner, rest, passes),
        _ => false,
    }
}
