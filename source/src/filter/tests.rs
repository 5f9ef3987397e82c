use super::*;
use bson::doc;
use serde_json::json;

fn matches(filter: &serde_json::Value, document: &Document) -> bool {
    parse(filter).unwrap().matches(document)
}

/// As the setting is read.
fn parse(filter: &serde_json::Value) -> Result<Filter, FilterError> {
    Filter::parse(&serde_json::from_value(filter.clone()).unwrap())
}

fn refusal(filter: &serde_json::Value) -> String {
    parse(filter).unwrap_err().to_string()
}

#[test]
fn equality_finds_values_in_arrays_and_numbers_of_any_type() {
    let document =
        doc! {"platform": "linkedin", "tags": ["a", "b"], "n": 5_i64, "content": [{"raw": "x"}, {"raw": "y"}]};
    for filter in [
        json!({"platform": "linkedin"}),
        json!({"tags": "b"}),
        json!({"tags": ["a", "b"]}),
        json!({"n": 5.0}),
        json!({"n": {"$numberDecimal": "5.0"}}),
        json!({"content.raw": "y"}),
        json!({"content.1.raw": "y"}),
        json!({"missing": null}),
        json!({}),
    ] {
        assert!(matches(&filter, &document), "{filter}");
    }
    for filter in [json!({"platform": "medium"}), json!({"tags": ["b", "a"]}), json!({"n": null}), json!({"n": "5"})] {
        assert!(!matches(&filter, &document), "{filter}");
    }
}

#[test]
fn operators_are_those_of_mongodb() {
    let document = doc! {"n": 7, "text": "Tides and ships", "list": [1, 20]};
    for (filter, expected) in [
        (json!({"n": {"$gt": 6, "$lte": 7}}), true),
        (json!({"n": {"$gt": "6"}}), false),
        (json!({"list": {"$gt": 15, "$lt": 5}}), true),
        (json!({"n": {"$in": [1, 7]}}), true),
        (json!({"n": {"$nin": [1, 7]}}), false),
        (json!({"n": {"$not": {"$gt": 7}}}), true),
        (json!({"text": {"$regex": "^tides", "$options": "i"}}), true),
        (json!({"missing": {"$exists": false}, "n": {"$exists": true}}), true),
        (json!({"$or": [{"n": 1}, {"text": {"$type": "string"}}]}), true),
        (json!({"$nor": [{"n": 7}]}), false),
        (json!({"missing": {"$gte": null}}), true),
        (json!({"missing": {"$ne": null}}), false),
    ] {
        assert_eq!(matches(&filter, &document), expected, "{filter}");
    }
}

#[test]
fn numbers_compare_to_their_last_digit() {
    let large = doc! {"n": i64::MAX};
    assert!(!matches(&json!({"n": {"$eq": {"$numberDouble": "9223372036854775807"}}}), &large));
    assert!(matches(&json!({"n": {"$lt": {"$numberDouble": "9223372036854775808"}}}), &large));
    let tenth = doc! {"n": 0.1};
    assert!(matches(&json!({"n": 0.1}), &tenth) && !matches(&json!({"n": {"$numberDecimal": "0.1"}}), &tenth));
    assert!(matches(&json!({"n": {"$gt": {"$numberDecimal": "-1E+300"}}}), &doc! {"n": -1}));
    assert!(matches(&json!({"n": {"$lt": {"$numberDouble": "Infinity"}}}), &large));
}

#[test]
fn what_is_not_understood_is_named() {
    for (filter, name) in [
        (json!({"$where": "1"}), "$where"),
        (json!({"$expr": {}}), "$expr"),
        (json!({"a": {"$elemMatch": {"b": 1}}}), "$elemMatch"),
        (json!({"a": {"$size": 1}}), "$size"),
        (json!({"a": {"$gt": 1, "b": 2}}), "operator b"),
        (json!({"$or": []}), "$or"),
        (json!({"a": {"$in": 5}}), "$in"),
        (json!({"a": {"$regex": "(?=x)"}}), "$regex"),
        (json!({"a": {"$type": "text"}}), "text"),
        (json!({"a": {"$eq": {"$minKey": 1}}}), "$eq"),
        (json!({"a..b": 1}), "a..b"),
    ] {
        assert!(refusal(&filter).contains(name), "{filter}: {}", refusal(&filter));
    }
}
