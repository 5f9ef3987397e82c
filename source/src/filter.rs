//! A filter as MongoDB's `find` takes one, applied here: to what the stream brings and to the rows of a snapshot alike.
//!
//! The stream cannot be filtered at the server: a document that no longer matches has to be deleted downstream, and its
//! event would never come. The answers are those of MongoDB 6.0 (a property test compares them), but for regular
//! expressions, which are Rust's: they know no look-around and no back-references.

mod order;
mod parse;
mod path;

use std::cmp::Ordering;

use bson::{Bson, Document};

pub use parse::FilterError;

/// A filter: which documents of a collection are relayed.
#[derive(Debug, Clone)]
pub struct Filter(Node);

impl Filter {
    /// Reads a filter in MongoDB's query language.
    ///
    /// # Errors
    /// [`FilterError`] names the operator or value that is not understood.
    pub fn parse(filter: &Document) -> Result<Self, FilterError> {
        parse::document(filter).map(Self)
    }

    /// Whether MongoDB's `find` would find this document.
    pub fn matches(&self, document: &Document) -> bool {
        self.0.holds(document)
    }
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// Some value that the path leads to passes the test.
    Path(Vec<String>, Test),
}

impl Node {
    fn holds(&self, document: &Document) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(document)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(document)),
            Self::Not(node) => !node.holds(document),
            Self::Path(path, test) => path::any(document, path, &|value| test.passes(value)),
        }
    }
}

/// What is asked of one value, or of its absence.
#[derive(Debug, Clone)]
enum Test {
    /// The value stands so to this one: `$eq`, `$gt`, `$gte`, `$lt`, `$lte`.
    Compares(Comparison, Bson),
    /// It equals one of these.
    In(Vec<Bson>),
    /// There is one.
    Exists,
    /// It is of one of these BSON types.
    Type(Vec<u8>),
    /// It is a text in which this is found, or the expression itself.
    Regex(regex::Regex, bson::Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Test {
    fn passes(&self, value: Option<&Bson>) -> bool {
        match self {
            Self::Compares(comparison, operand) => comparison.holds(value, operand),
            Self::In(operands) => operands.iter().any(|operand| Comparison::Equal.holds(value, operand)),
            Self::Exists => value.is_some(),
            Self::Type(types) => value.is_some_and(|value| types.contains(&(value.element_type() as u8))),
            Self::Regex(regex, itself) => match value {
                Some(Bson::String(text) | Bson::Symbol(text)) => regex.is_match(text),
                Some(Bson::RegularExpression(value)) => value == itself,
                _ => false,
            },
        }
    }
}

impl Comparison {
    /// Values of different kinds do not compare; what is missing is null, and numbers are of one kind.
    fn holds(self, value: Option<&Bson>, operand: &Bson) -> bool {
        let value = value.unwrap_or(&Bson::Null);
        if order::kind(value) != order::kind(operand) {
            return false;
        }
        // Not a number is equal to itself, and neither more nor less than anything.
        if order::is_nan(value) != order::is_nan(operand) {
            return false;
        }
        let ordering = order::compare(value, operand);
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests;
