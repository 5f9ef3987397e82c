//! What may stand in a raw document, and what is said of what may not.

use shared::Metadata;

use super::*;

fn error(document_type: DocumentType, document: Value) -> String {
    cleaned(document_type, document).unwrap_err().to_string()
}

#[test]
fn an_article_has_its_metadata_and_its_text() {
    let document = json!({
        "platform": "medium", "link": "https://example.com/a", "author_id": {"$oid": "660f57b3153bbb219fd901aa"}, "author_full_name": "Ada L.",
        "content": {"Title": "𝗧𝗶𝘁𝗹𝗲", "Subtitle": "Under it", "Content": "The text.", "language": "en"}, "unknown": [1, 2],
    });
    let article = cleaned(DocumentType::Articles, document).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        article.metadata,
        Metadata {
            author_id: some("660f57b3153bbb219fd901aa"),
            author_full_name: some("Ada L."),
            platform: some("medium"),
            link: some("https://example.com/a"),
            title: some("Title"),
            language: some("en"),
        }
    );
    assert_eq!(article.text(), "Under it\n\nThe text.");
}

#[test]
fn every_kind_of_author_id_is_text_as_an_entry_id_is() {
    let uuid = "eff74089-0271-4319-8543-745c087f4f61";
    for (id, text) in [
        (json!("Ada"), Some("Ada")),
        (json!({"$oid": "660f57b3153bbb219fd901aa"}), Some("660f57b3153bbb219fd901aa")),
        (json!({"$uuid": uuid}), Some(uuid)),
        (json!({"$binary": {"base64": "7/dAiQJxQxmFQ3RcCH9PYQ==", "subType": "04"}}), Some(uuid)),
        (json!(7), Some("7")),
        (json!(7.0), Some("7")),
        (json!({"$numberLong": "9007199254740993"}), Some("9007199254740993")),
        (json!(9_007_199_254_740_993_i64), Some("9007199254740993")),
        (json!(null), None),
        (json!(""), None),
    ] {
        let document = json!({"author_id": id, "owner_id": id, "content": "x"});
        for document_type in [DocumentType::Articles, DocumentType::Posts, DocumentType::Repositories] {
            let cleaned = cleaned(document_type, document.clone()).unwrap();
            assert_eq!(cleaned.metadata.author_id.as_deref(), text, "{id}");
        }
    }
}

#[test]
fn an_author_id_of_no_supported_kind_is_named() {
    for id in [
        json!(true),
        json!(1.5),
        json!([1]),
        json!({"a": "b"}),
        json!({"$date": "2024-01-01T00:00:00Z"}),
        json!({"$oid": 5}),
    ] {
        let error = error(DocumentType::Posts, json!({"author_id": id}));
        assert!(error.starts_with("author_id: expected an ObjectId, a string, a UUID or an integer, found"), "{error}");
    }
    let long = "x".repeat(5_000);
    assert!(error(DocumentType::Posts, json!({"author_id": long})).contains("5000 bytes"));
}

#[test]
fn content_may_be_a_plain_string_or_null_or_absent_for_every_type() {
    for document_type in [DocumentType::Articles, DocumentType::Posts, DocumentType::Repositories] {
        assert_eq!(cleaned(document_type, json!({"content": "Just text."})).unwrap().text(), "Just text.");
        for empty in [
            json!({"content": null}),
            json!({}),
            json!({"content": ""}),
            json!({"content": " \n\u{200b}"}),
            json!({"content": {}}),
        ] {
            assert_eq!(cleaned(document_type, empty).unwrap().sections, []);
        }
        assert_eq!(cleaned(document_type, json!({"content": {"a": null}})).unwrap().sections, []);
    }
}

#[test]
fn what_is_not_text_is_named_with_its_place() {
    for (content, message) in [
        (json!(5), "content: expected text, null or a map of these, found a number"),
        (json!([]), "content: expected text, null or a map of these, found an array"),
        (json!({"text": true}), "content/text: expected text, null or a map of these, found a boolean"),
        (json!({"a": {"b": [1]}}), "content/a/b: expected text, null or a map of these, found an array"),
        (
            json!({"at": {"$date": "2024-01-01T00:00:00Z"}}),
            "content/at: expected text, null or a map of these, found a BSON value ($date)",
        ),
    ] {
        for document_type in [DocumentType::Articles, DocumentType::Posts, DocumentType::Repositories] {
            assert_eq!(error(document_type, json!({"content": content})), message);
        }
    }
    assert_eq!(error(DocumentType::Posts, json!({"platform": 5})), "platform: expected text or null, found a number");
    assert_eq!(error(DocumentType::Articles, json!({"link": ["x"]})), "link: expected text or null, found an array");
    assert_eq!(
        error(DocumentType::Articles, json!({"content": {"Title": 1}})),
        "content/Title: expected text or null, found a number"
    );
    assert_eq!(error(DocumentType::Repositories, json!({"name": {}})), "name: expected text or null, found a map");
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_crash() {
    let deep = (0..1_000).fold(json!("x"), |inner, _| json!({"a": inner}));
    let error = error(DocumentType::Posts, json!({"content": deep}));
    assert!(error.contains("nested deeper than 100 levels") && error.len() < 300, "{error}");
}

/// Each would have a path of a kilobyte.
#[test]
fn fields_without_end_are_an_error_and_not_a_heap_of_paths() {
    let fields = |number: usize| -> Map<String, Value> { (0..number).map(|n| (n.to_string(), Value::Null)).collect() };
    assert!(cleaned(DocumentType::Posts, json!({ "content": fields(70_000) })).is_ok());
    let both = json!({ "content": { "a": fields(70_000), "b": fields(70_000) } });
    assert!(cleaned(DocumentType::Posts, both.clone()).is_ok(), "nothing is left of a null");
    let texts: Map<String, Value> = fields(140_000).into_iter().map(|(name, _)| (name, json!("text"))).collect();
    assert!(error(DocumentType::Repositories, json!({ "content": { "a": texts } })).contains("fields"));
}

#[test]
fn a_post_is_one_text_and_nested_fields_stand_alone() {
    let post =
        json!({"content": {"text": "First.", "Content": "Second.", "quote": {"of": "Third."}}, "image": "x.png"});
    let post = cleaned(DocumentType::Posts, post).unwrap();
    let sections: Vec<_> =
        post.sections.iter().map(|section| (section.path.as_deref(), section.text.as_str())).collect();
    assert_eq!(sections, [(None, "Second.\n\nFirst."), (Some("quote/of"), "Third.")]);
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let one = article(json!({"b": "2", "a": "1", "Content": "0", "n": {"y": "4", "x": "3"}}));
    let other = article(json!({"n": {"x": "3", "y": "4"}, "Content": "0", "a": "1", "b": "2"}));
    assert_eq!(one, other);
    assert_eq!(one.hash(), other.hash());
}

#[test]
fn the_hash_changes_with_every_part_of_the_document() {
    let base = json!({"platform": "p", "link": "l", "author_id": "a", "author_full_name": "n", "content": {"Title": "t", "Content": "c", "language": "en"}});
    let hash = |document: &Value| cleaned(DocumentType::Articles, document.clone()).unwrap().hash();
    assert_eq!(hash(&base).len(), 32);
    assert_eq!(hash(&base), hash(&base));
    let mut hashes = vec![hash(&base)];
    for field in [
        "/platform",
        "/link",
        "/author_id",
        "/author_full_name",
        "/content/Title",
        "/content/Content",
        "/content/language",
    ] {
        let mut changed = base.clone();
        *changed.pointer_mut(field).unwrap() = json!("other");
        hashes.push(hash(&changed));
        *changed.pointer_mut(field).unwrap() = json!(null);
        hashes.push(hash(&changed));
    }
    let all = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), all);
}

#[test]
fn a_title_alone_is_a_text() {
    let article = article(json!({"Title": "Only this", "Content": null}));
    assert_eq!((article.metadata.title.as_deref(), article.text().as_str()), (Some("Only this"), "Only this"));
}

#[test]
fn a_title_of_any_length_keeps_the_metadata_small_and_loses_nothing() {
    let title = "слово ".repeat(10_000);
    let article = article(json!({"Title": title, "Content": "Text."}));
    assert!(article.metadata.title.unwrap().len() <= 512);
    assert_eq!(article.sections[0].text, title.trim());
    assert_eq!(article.sections[1].text, "Text.");
}

#[test]
fn a_user_has_the_names_that_there_are() {
    let names = |document: Value| author(document.as_object().unwrap());
    let name = names(json!({"first_name": " Ada ", "last_name": "Lovelace", "age": 36})).unwrap();
    assert_eq!(name.full_name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(
        names(json!({"first_name": null, "last_name": "Lovelace"})).unwrap().full_name.as_deref(),
        Some("Lovelace")
    );
    assert_eq!(names(json!({})).unwrap(), AuthorName::default());
    assert_eq!(
        names(json!({"first_name": 5})).unwrap_err().to_string(),
        "first_name: expected text or null, found a number"
    );
}

#[test]
fn a_user_has_no_sections() {
    assert_eq!(cleaned(DocumentType::Users, json!({"first_name": "Ada", "content": 5})).unwrap().sections, []);
}
