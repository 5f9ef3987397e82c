//! Reading a filter: what MongoDB's query language has and this evaluator has not is refused by its name.

use bson::{Bson, Document};

use super::{Comparison, Node, Test};

/// What of a filter is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(String);

type Parsed<T> = Result<T, FilterError>;

const KNOWN: &str = "$eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $type, $regex, $not, $and, $or and $nor are";

fn wrong<T>(problem: impl Into<String>) -> Parsed<T> {
    Err(FilterError(problem.into()))
}

fn unknown<T>(operator: &str) -> Parsed<T> {
    wrong(format!("the operator {operator} is not supported ({KNOWN})"))
}

/// A whole filter, or one within another.
pub(super) fn document(filter: &Document) -> Parsed<Node> {
    let clauses = filter.iter().map(|(name, value)| match name.as_str() {
        "$and" => Ok(Node::All(clauses(name, value)?)),
        "$or" => Ok(Node::Any(clauses(name, value)?)),
        "$nor" => Ok(not(Node::Any(clauses(name, value)?))),
        operator if operator.starts_with('$') => unknown(operator),
        path => field(path, value),
    });
    clauses.collect::<Parsed<_>>().map(Node::All)
}

fn not(node: Node) -> Node {
    Node::Not(Box::new(node))
}

fn clauses(operator: &str, value: &Bson) -> Parsed<Vec<Node>> {
    let Bson::Array(values) = value else { return wrong(format!("{operator} needs an array of filters")) };
    if values.is_empty() {
        return wrong(format!("{operator} needs at least one filter"));
    }
    let clause = |value: &Bson| match value {
        Bson::Document(filter) => document(filter),
        other => wrong(format!("{operator} holds {other}, which is not an object")),
    };
    values.iter().map(clause).collect()
}

fn field(name: &str, value: &Bson) -> Parsed<Node> {
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    if path.iter().any(String::is_empty) {
        return wrong(format!("`{name}` is not a path of field names"));
    }
    condition(&path, value)
}

/// A value that is to be equalled, an expression, or operators.
fn condition(path: &[String], value: &Bson) -> Parsed<Node> {
    match value {
        Bson::RegularExpression(regex) => {
            Ok(leaf(path, expression(&regex.pattern.to_string(), &regex.options.to_string())?))
        }
        Bson::Document(operators) if operators.keys().any(|name| name.starts_with('$')) => all(path, operators),
        value => Ok(leaf(path, Test::Compares(Comparison::Equal, operand("$eq", value)?))),
    }
}

fn leaf(path: &[String], test: Test) -> Node {
    Node::Path(path.to_vec(), test)
}

fn all(path: &[String], operators: &Document) -> Parsed<Node> {
    let conditions = operators.iter().map(|(name, value)| match name.as_str() {
        "$eq" => Ok(compare(path, Comparison::Equal, operand(name, value)?)),
        "$ne" => Ok(not(compare(path, Comparison::Equal, operand(name, value)?))),
        "$gt" => Ok(compare(path, Comparison::Greater, operand(name, value)?)),
        "$gte" => Ok(compare(path, Comparison::GreaterOrEqual, operand(name, value)?)),
        "$lt" => Ok(compare(path, Comparison::Less, operand(name, value)?)),
        "$lte" => Ok(compare(path, Comparison::LessOrEqual, operand(name, value)?)),
        "$in" => within(path, name, value),
        "$nin" => within(path, name, value).map(not),
        "$exists" => exists(path, value),
        "$type" => Ok(leaf(path, Test::Type(types(value)?))),
        "$regex" => match (value, operators.get("$options")) {
            (Bson::String(pattern), None) => Ok(leaf(path, expression(pattern, "")?)),
            (Bson::String(pattern), Some(Bson::String(options))) => Ok(leaf(path, expression(pattern, options)?)),
            _ => wrong("$regex and $options need a text each"),
        },
        "$options" if operators.contains_key("$regex") => Ok(Node::All(Vec::new())),
        "$not" => match value {
            Bson::RegularExpression(_) => condition(path, value).map(not),
            Bson::Document(inner) if !inner.is_empty() => all(path, inner).map(not),
            _ => wrong("$not needs operators or a regular expression"),
        },
        operator => unknown(operator),
    });
    conditions.collect::<Parsed<_>>().map(Node::All)
}

fn compare(path: &[String], comparison: Comparison, operand: Bson) -> Node {
    leaf(path, Test::Compares(comparison, operand))
}

fn within(path: &[String], operator: &str, value: &Bson) -> Parsed<Node> {
    let Bson::Array(values) = value else { return wrong(format!("{operator} needs an array")) };
    let (expressions, plain): (Vec<_>, Vec<_>) =
        values.iter().partition(|value| matches!(value, Bson::RegularExpression(_)));
    let plain = plain.into_iter().map(|value| operand(operator, value)).collect::<Parsed<_>>()?;
    let mut any = vec![leaf(path, Test::In(plain))];
    for regex in expressions {
        any.push(condition(path, regex)?);
    }
    Ok(Node::Any(any))
}

fn exists(path: &[String], value: &Bson) -> Parsed<Node> {
    let there = leaf(path, Test::Exists);
    match (value.as_bool(), integer(value)) {
        (Some(true), _) | (_, Some(1)) => Ok(there),
        (Some(false), _) | (_, Some(0)) => Ok(not(there)),
        _ => wrong("$exists needs true or false"),
    }
}

fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or(value.as_i32().map(i64::from))
}

/// A value to compare with.
fn operand(operator: &str, value: &Bson) -> Parsed<Bson> {
    match value {
        Bson::RegularExpression(_)
        | Bson::JavaScriptCode(_)
        | Bson::JavaScriptCodeWithScope(_)
        | Bson::Symbol(_)
        | Bson::Undefined
        | Bson::DbPointer(_)
        | Bson::MinKey
        | Bson::MaxKey => wrong(format!("{operator} cannot be asked of {value}")),
        Bson::Document(document) if document.keys().next().is_some_and(|name| name.starts_with('$')) => {
            let name = document.keys().next().cloned().unwrap_or_default();
            wrong(format!("{name} cannot stand within {operator}"))
        }
        value => Ok(value.clone()),
    }
}

fn expression(pattern: &str, options: &str) -> Parsed<Test> {
    let mut regex = regex::RegexBuilder::new(pattern);
    for option in options.chars() {
        match option {
            'i' => regex.case_insensitive(true),
            'm' => regex.multi_line(true),
            's' => regex.dot_matches_new_line(true),
            'x' => regex.ignore_whitespace(true),
            _ => return wrong(format!("$options: `{option}` is not supported (i, m, s and x are)")),
        };
    }
    let text = |text: &str| text.to_owned().try_into();
    match (regex.build(), text(pattern), text(options)) {
        (Ok(regex), Ok(pattern), Ok(options)) => Ok(Test::Regex(regex, bson::Regex { pattern, options })),
        (Err(error), ..) => wrong(format!("$regex: {}", error.to_string().replace('\n', " "))),
        (_, Err::<_, bson::error::Error>(error), _) | (.., Err(error)) => wrong(format!("$regex: {error}")),
    }
}

const TYPES: [(&str, u8); 19] = [
    ("double", 1),
    ("string", 2),
    ("object", 3),
    ("array", 4),
    ("binData", 5),
    ("undefined", 6),
    ("objectId", 7),
    ("bool", 8),
    ("date", 9),
    ("null", 10),
    ("regex", 11),
    ("dbPointer", 12),
    ("javascript", 13),
    ("symbol", 14),
    ("javascriptWithScope", 15),
    ("int", 16),
    ("timestamp", 17),
    ("long", 18),
    ("decimal", 19),
];
const NUMBERS: [u8; 4] = [1, 16, 18, 19];

fn types(value: &Bson) -> Parsed<Vec<u8>> {
    let values = match value {
        Bson::Array(values) if !values.is_empty() => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let mut types = Vec::new();
    for value in values {
        let code = integer(value).and_then(|code| u8::try_from(code).ok());
        let known = TYPES.iter().find(|(name, known)| Some(*known) == code || value.as_str() == Some(name));
        match known {
            Some((_, code)) => types.push(*code),
            None if value.as_str() == Some("number") => types.extend(NUMBERS),
            None => return wrong(format!("$type: {value} is not a BSON type")),
        }
    }
    Ok(types)
}
