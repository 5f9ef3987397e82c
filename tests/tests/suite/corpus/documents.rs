//! Documents that are odd or wrong.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc, oid::ObjectId};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// How a document has to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Indexed,
    /// A dead letter whose error says this.
    Dead(&'static str),
    /// Either, as long as it is one of them.
    Any,
}

/// Documents of each collection, made by hand.
pub(super) fn by_hand() -> Vec<(&'static str, Document, End)> {
    let binary = Bson::from(Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 159, 146, 150] });
    let uuid = Bson::from(Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] });
    let nested = |levels| (0..levels).fold(Bson::from("depth"), |inner, _| Bson::from(doc! { "a": inner }));
    let mut documents: Vec<(&'static str, Document, End)> = Vec::new();
    let mut posts = |end, document| documents.push(("posts", document, end));
    for content in [
        Bson::from(5),
        Bson::from(5.5),
        Bson::from(true),
        Bson::from(vec!["text"]),
        Bson::from(DateTime::now()),
        Bson::from(ObjectId::new()),
        binary.clone(),
        Bson::MinKey,
        Bson::Timestamp(bson::Timestamp { time: 1, increment: 1 }),
        Bson::JavaScriptCode("while (true) {}".into()),
        Bson::from(doc! { "text": 5 }),
        Bson::from(doc! { "text": "fine", "more": [1, 2] }),
        Bson::from(doc! { "deep": { "deeper": { "deepest": false } } }),
        Bson::from(doc! { "text": binary }),
    ] {
        posts(End::Dead("content"), doc! { "content": content });
    }
    for (field, value) in [
        ("platform", Bson::from(7)),
        ("link", Bson::from(vec!["https://example.org"])),
        ("author_full_name", Bson::from(doc! { "first": "A" })),
        ("author_id", Bson::from(true)),
        ("author_id", Bson::from(1.5)),
        ("author_id", Bson::from(vec![1])),
        ("author_id", Bson::from("i".repeat(5_000))),
    ] {
        posts(End::Dead(field), doc! { field: value, "content": "a fine text" });
    }
    for id in [Bson::from(7), Bson::from(7_i64), Bson::from(7.0), uuid, ObjectId::new().into(), Bson::Null, "".into()] {
        posts(End::Indexed, doc! { "author_id": id, "content": "a fine text" });
    }
    for content in [
        Bson::Null,
        Bson::from(""),
        Bson::from(" \t\r\n\u{a0}\u{3000}"),
        Bson::from("\u{200b}\u{200c}\u{200d}\u{feff}"),
        Bson::from("\u{0}\u{1}\u{7f}\u{9f}\u{1b}[31m"),
        Bson::from("\u{202e}desrever\u{202c} \u{2066}isolated\u{2069}"),
        Bson::from("\u{fffe}\u{ffff}\u{10ffff}\u{e000}"),
        Bson::from(format!("z{}", "\u{301}\u{316}\u{353}".repeat(500))),
        Bson::from("👨\u{200d}👩\u{200d}👧\u{200d}👦".repeat(200)),
        Bson::from("\u{fdfa}".repeat(300)),
        Bson::from("x".repeat(20_000)),
        Bson::from("\n".repeat(50_000)),
        Bson::from("9".repeat(5_000)),
        Bson::from("語".repeat(2_000)),
        nested(60),
        Bson::from(doc! {}),
        Bson::from(doc! { "": "a field without a name" }),
        Bson::from(doc! { "a.b": "dots", "$c": "dollars" }),
        Bson::from((0..300).map(|n| (format!("field {n}"), Bson::from("t"))).collect::<Document>()),
    ] {
        posts(End::Indexed, doc! { "content": content });
    }
    let mut articles = |end, content: Document| documents.push(("articles", doc! { "content": content }, end));
    articles(End::Dead("Title"), doc! { "Title": 5, "Content": "text" });
    articles(End::Dead("language"), doc! { "language": ["en"], "Content": "text" });
    articles(End::Indexed, doc! { "Title": "T".repeat(20_000), "Content": "text" });
    for text in [
        "# ".repeat(500),
        "> ".repeat(500),
        "* ".repeat(500),
        "[".repeat(2_000),
        "![](".repeat(500),
        "`".repeat(2_001),
        "```\nnever closed".to_owned(),
        "|".repeat(1_500),
        "<".repeat(1_500),
        "<div>".repeat(3_000),
        "</p>".repeat(1_500),
        "<html><script>".to_owned() + &"x".repeat(9_000),
        "<!--".repeat(500),
        "<a href=\"".to_owned() + &"y".repeat(9_000),
        "&amp;".repeat(1_000),
        "<html>".to_owned() + &"&NotEqualTilde;".repeat(2_000),
        "<html>".to_owned() + &"<blockquote><ul><li>".repeat(1_000) + "text",
        many_attributes(2_000),
        many_attributes(50_000),
        "<!DOCTYPE html [<!ENTITY a \"&b;&b;\"><!ENTITY b \"&a;&a;\">]><p>&a;&b;</p>".to_owned(),
        "&#x110000;&#xd800;&nosuch;&#0;".repeat(50),
        format!("![](data:image/png;base64,{})", "A".repeat(50_000)),
        format!("https://example.org/{}", "a/".repeat(5_000)),
        "---\ntitle: [\n---\ntext".to_owned(),
        "a\u{2028}b\u{2029}c\rd".to_owned(),
    ] {
        articles(End::Indexed, doc! { "Content": text });
    }
    let mut repositories = |end, document| documents.push(("repositories", document, end));
    repositories(End::Dead("name"), doc! { "name": 5, "content": { "a.md": "text" } });
    repositories(End::Dead("owner_id"), doc! { "owner_id": [], "content": { "a.md": "text" } });
    repositories(End::Dead("a.rs"), doc! { "content": { "src": { "a.rs": 5 } } });
    for files in [
        doc! { "../../etc/passwd": "root", "/": "slash", "": "nameless", "a//b": "double", "C:\\x.md": "text" },
        doc! { "p/".repeat(3_000) + "a.md": "a long path" },
        doc! { "min.js": "var a=1;".repeat(2_000), "b.bin": "\u{0}\u{1}\u{fffd}".repeat(100) },
        doc! { "deep.rs": "fn f() {".repeat(400), "brackets.py": "(".repeat(1_500) },
        (0..300).map(|n| (format!("empty/{n}.rs"), Bson::from(""))).collect::<Document>(),
        doc! { "secret.env": format!("AWS_SECRET_ACCESS_KEY={}", "A".repeat(40)) },
    ] {
        repositories(End::Indexed, doc! { "name": "r", "content": files });
    }
    documents.push(("users", doc! { "first_name": 5 }, End::Dead("first_name")));
    documents
}

fn many_attributes(count: usize) -> String {
    let attributes: String = (0..count).map(|number| format!(" a{number}=\"{number}\"")).collect();
    format!("<html><p{attributes}>text")
}

/// A value of any kind, of little depth.
fn any_value(random: &mut StdRng, depth: u32) -> Bson {
    let text = |random: &mut StdRng| -> String {
        let length = random.random_range(0..40);
        (0..length).map(|_| char::from_u32(random.random_range(0..0x3_0000)).unwrap_or('\u{fffd}')).collect()
    };
    match random.random_range(0..if depth == 0 { 7 } else { 10 }) {
        0 => Bson::Null,
        1 => random.random::<i64>().into(),
        2 => random.random::<bool>().into(),
        3 => f64::from_bits(random.random()).into(),
        4..=6 => text(random).into(),
        7 => (0..random.random_range(0..3)).map(|_| any_value(random, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            // A name that BSON can hold.
            let mut name = || text(random).replace('\0', "");
            let names = [name(), name()];
            names.into_iter().map(|name| (name, any_value(random, depth - 1))).collect::<Document>().into()
        }
    }
}

/// Documents of the right names and any values.
pub(super) fn by_chance(random: &mut StdRng) -> (&'static str, Document, End) {
    let collection = ["articles", "posts", "repositories"].choose(random).copied().unwrap();
    let mut document = doc! { "content": any_value(random, 3) };
    for field in ["platform", "link", "author_id", "owner_id", "name"] {
        if random.random_bool(0.3) {
            document.insert(field, any_value(random, 1));
        }
    }
    (collection, document, End::Any)
}
