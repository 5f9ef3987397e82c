//! Hits as lines: JSON for programs, numbered for people.

use serde_json::{Value, json};

use crate::hit::{Hit, Place};
use crate::searcher::AuthorNames;

/// Characters of a hit's text that a person is shown.
const EXCERPT: usize = 320;

/// The hit as one JSON object without line breaks, of exactly the contract's fields; `found` is added where it is to be
/// explained, `before` and `after` where it has neighbours. `revision` exceeds 2^53: parse it as an integer.
pub fn json_line(hit: &Hit, explain: bool) -> String {
    let (identity, metadata) = (&hit.chunk.identity, &hit.chunk.metadata);
    let mut line = json!({
        "score": hit.score,
        "entry_id": identity.entry_id,
        "id_kind": identity.id_kind,
        "type": identity.document_type,
        "author_id": metadata.author_id,
        "link": metadata.link,
        "title": metadata.title,
        "path": hit.chunk.path,
        "text": hit.chunk.text,
        "revision": hit.revision,
    });
    if explain {
        let place = |place: Option<Place>| place.map(|Place { rank, score }| json!({"rank": rank, "score": score}));
        line["found"] =
            json!({"dense": place(hit.found.dense), "bm25": place(hit.found.bm25), "position": hit.position});
        if let Some(fused) = place(hit.found.fused) {
            line["found"]["fused"] = fused;
        }
    }
    for (name, neighbours) in [("before", &hit.before), ("after", &hit.after)] {
        if !neighbours.is_empty() {
            line[name] = neighbours.iter().map(|chunk| Value::from(chunk.text.as_str())).collect();
        }
    }
    line.to_string()
}

/// The hits for a person's eyes: numbered, with source and an excerpt.
pub fn readable(hits: &[Hit], names: &AuthorNames, explain: bool) -> String {
    let blocks = hits.iter().enumerate().map(|(at, hit)| block(at + 1, hit, names, explain));
    blocks.collect::<Vec<_>>().join("\n")
}

fn block(number: usize, hit: &Hit, names: &AuthorNames, explain: bool) -> String {
    let mut lines = vec![source(hit, names), hit.chunk.path.as_deref().map(flat).unwrap_or_default()];
    lines.extend(explain.then(|| explanation(hit)));
    lines.extend(hit.before.iter().map(|chunk| excerpt(&chunk.text)));
    lines.push(excerpt(&hit.chunk.text));
    lines.extend(hit.after.iter().map(|chunk| excerpt(&chunk.text)));
    let indented: String = lines.iter().filter(|line| !line.is_empty()).map(|line| format!("    {line}\n")).collect();
    format!("{number:>2}. {} ({:.4})\n{indented}", title(hit), hit.score)
}

fn excerpt(text: &str) -> String {
    let text = flat(text);
    let mut excerpt: String = text.chars().take(EXCERPT).collect();
    if excerpt.len() < text.len() {
        excerpt.push('…');
    }
    excerpt
}

/// `similarity: rank 2, 0.61; words: not among the best`, and after a reranker `; before: rank 3, 0.71`.
fn explanation(hit: &Hit) -> String {
    let say = |list: &str, place: Option<Place>| match place {
        Some(Place { rank, score }) => format!("{list}: rank {rank}, {score:.3}"),
        None => format!("{list}: not among the best"),
    };
    let mut parts = vec![say("similarity", hit.found.dense), say("words", hit.found.bm25)];
    parts.extend(hit.found.fused.map(|fused| say("before", Some(fused))));
    parts.join("; ")
}

/// The document's title, or what else it goes by.
pub(crate) fn title(hit: &Hit) -> String {
    let title = hit.chunk.metadata.title.as_deref().map(flat).filter(|title| !title.is_empty());
    title.unwrap_or_else(|| format!("{} {}", hit.chunk.identity.document_type, flat(&hit.chunk.identity.entry_id)))
}

/// Author, platform and link, as far as they are known.
pub(crate) fn source(hit: &Hit, names: &AuthorNames) -> String {
    let metadata = &hit.chunk.metadata;
    let author = metadata.author_id.as_ref().and_then(|id| names.get(id)).or(metadata.author_full_name.as_ref());
    let parts = [author, metadata.platform.as_ref(), metadata.link.as_ref()];
    let known = parts.into_iter().flatten().map(|part| flat(part)).filter(|part| !part.is_empty());
    known.collect::<Vec<_>>().join(" · ")
}

/// One line, and nothing in it that a terminal would obey.
pub(crate) fn flat(text: &str) -> String {
    let printable = text.replace(char::is_control, " ");
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hit;

    #[test]
    fn a_json_line_is_the_contract() {
        let line = json_line(&hit("a", 1, "two\nlines"), false);
        assert!(!line.contains('\n'));
        let Value::Object(fields) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
        let mut names: Vec<_> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        let contract =
            ["author_id", "entry_id", "id_kind", "link", "path", "revision", "score", "text", "title", "type"];
        assert_eq!(names, contract);
        assert_eq!(fields["revision"], Value::from(3_855_425_992_956_837_889_i64));
        assert_eq!(fields["path"], Value::Null);
    }

    #[test]
    fn a_person_sees_the_current_name_and_no_control_characters() {
        let mut hit = hit("a", 1, "red \u{1b}[31m text");
        hit.chunk.metadata.author_id = Some("u1".into());
        hit.chunk.metadata.author_full_name = Some("Old Name".into());
        let shown = readable(&[hit.clone()], &AuthorNames::from([("u1".into(), "New Name".into())]), false);
        assert!(shown.contains("New Name") && !shown.contains("Old Name"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(readable(&[hit], &AuthorNames::new(), false).contains("Old Name"));
    }
}
