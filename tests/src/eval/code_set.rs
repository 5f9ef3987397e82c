//! A set of code to evaluate on: functions of crates without their doc comments, asked for by the first paragraph of these.

use std::collections::HashMap;

use anyhow::{Context, Result};
use bson::Bson;
use serde_json::{Map, Value, json};
use shared::{DocumentType, Identity};

use super::data::{Data, Question};
use crate::crates::crates;

/// Crates whose functions are described, of half a dozen fields.
const CRATES: [&str; 8] = ["axum", "backon", "indicatif", "rand", "tempfile", "tokio-util", "url", "uuid"];
/// Words of a description that says something.
const LEAST_WORDS: usize = 5;
const MOST_WORDS: usize = 60;

/// A description and the first line of what it describes.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    words: String,
    line: String,
}

impl Data {
    /// Builds the set: a document for each file.
    ///
    /// # Errors
    /// The sources are not at hand.
    pub fn of_crates() -> Result<Self> {
        let (mut documents, mut questions) = (Vec::new(), Vec::new());
        let mut asked = HashMap::<String, usize>::new();
        for file in crates(&CRATES)? {
            let id = Bson::String(format!("{}/{}", file.package, file.path));
            let identity = Identity::of(DocumentType::Repositories, &id)?;
            let (text, described) = without_descriptions(&file.text);
            for Described { words, line } in described {
                *asked.entry(words.clone()).or_default() += 1;
                questions.push(Question { text: words, relevant: vec![identity.clone()], line: Some(line) });
            }
            let fields = json!({"name": file.package, "content": {file.path: text}});
            documents.push((identity, object(fields)?));
        }
        // What is said of two functions asks for neither.
        questions.retain(|question: &Question| asked.get(&question.text) == Some(&1));
        Ok(Self { documents, questions })
    }
}

fn object(value: Value) -> Result<Map<String, Value>> {
    if let Value::Object(fields) = value { Some(fields) } else { None }.context("an object")
}

/// The text without the comments that describe functions, and these. A function whose first line another has as well keeps its own.
fn without_descriptions(text: &str) -> (String, Vec<Described>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut kept, mut described) = (Vec::<&str>::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        let comment = lines[at..].iter().take_while(|line| line.trim_start().starts_with("///")).count();
        let attributes = lines[at + comment..].iter().take_while(|line| line.trim_start().starts_with("#[")).count();
        let line = lines.get(at + comment + attributes).map_or("", |line| line.trim());
        let words = description(&lines[at..at + comment]);
        let only = || lines.iter().filter(|other| other.trim() == line).count() == 1;
        let says_something = (LEAST_WORDS..=MOST_WORDS).contains(&words.split_whitespace().count());
        if comment > 0 && says_something && is_function(line) && only() {
            described.push(Described { words, line: line.into() });
            at += comment;
        } else {
            let passed = comment.max(1);
            kept.extend(&lines[at..at + passed]);
            at += passed;
        }
    }
    (kept.join("\n"), described)
}

fn is_function(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    let before = words.iter().take_while(|word| **word != "fn");
    let known = |word: &&str| word.starts_with("pub") || ["const", "async", "unsafe"].contains(word);
    words.contains(&"fn") && before.clone().all(known) && line.ends_with(['{', '(', '>'])
}

/// The first paragraph, without the marks of links and code.
fn description(comment: &[&str]) -> String {
    let bare = comment.iter().map(|line| line.trim_start().trim_start_matches('/').trim());
    let paragraph: Vec<&str> =
        bare.take_while(|line| !line.is_empty() && !line.starts_with(['#', '`', '-', '*'])).collect();
    paragraph.join(" ").replace(['`', '[', ']'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_a_function_is_taken_out() {
        let text = "/// Finds the [`Harbour`] nearest to a ship.\n///\n/// # Panics\n#[inline]\npub fn nearest(ship: &Ship) -> Harbour {\n}\n\n\
            /// A type, which stays as it is here.\nstruct A;\n/// Too short.\nfn a() {\n}\n";
        let (kept, described) = without_descriptions(text);
        let line = "pub fn nearest(ship: &Ship) -> Harbour {".to_owned();
        assert_eq!(described, [Described { words: "Finds the Harbour nearest to a ship.".into(), line }]);
        assert!(
            kept.starts_with("#[inline]\npub fn nearest")
                && kept.contains("/// A type")
                && kept.contains("/// Too short.")
        );
    }

    #[test]
    fn the_set_has_questions_and_each_function_is_in_its_file() {
        let data = Data::of_crates().unwrap();
        assert!(data.questions.len() > 300, "{}", data.questions.len());
        for question in &data.questions {
            let (_, fields) = data.documents.iter().find(|(identity, _)| *identity == question.relevant[0]).unwrap();
            let text = fields["content"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
            assert!(text.contains(question.line.as_deref().unwrap()), "{question:?}");
        }
    }
}
