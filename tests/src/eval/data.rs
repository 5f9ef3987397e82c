//! A folder to evaluate on: `articles.jsonl`, `posts.jsonl`, `repositories.jsonl` (those that are there) in the raw
//! document shape, and `queries.jsonl`: `{"query", "relevant": [_id, …], "type"?}`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bson::Bson;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{ChangeEvent, DocumentType, Identity, Operation, Revision, Subject};
use uuid::Uuid;

/// Documents and questions.
pub struct Data {
    /// As they lie in MongoDB.
    pub documents: Vec<(Identity, Map<String, Value>)>,
    /// What is asked.
    pub questions: Vec<Question>,
}

/// A question and what answers it.
#[derive(Debug)]
pub struct Question {
    /// In words.
    pub text: String,
    /// The documents that answer it, at least one.
    pub relevant: Vec<Identity>,
    /// Where only the chunk with this line of the document answers it.
    pub line: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    query: String,
    relevant: Vec<Value>,
    #[serde(rename = "type")]
    document_type: Option<DocumentType>,
}

impl Data {
    /// Reads the folder.
    ///
    /// # Errors
    /// Names the file and line that is not as it should be.
    pub fn read(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "DATA: {} is no folder", folder.display());
        let mut documents = Vec::new();
        for document_type in DocumentType::ALL.into_iter().filter(|known| *known != DocumentType::Users) {
            let path = folder.join(format!("{document_type}.jsonl"));
            if path.exists() {
                lines(&path, |fields: Map<String, Value>| {
                    documents.push(document(document_type, fields)?);
                    Ok(())
                })?;
            }
        }
        ensure!(!documents.is_empty(), "DATA: {} holds no articles.jsonl", folder.display());
        let mut known = HashMap::<String, Vec<Identity>>::new();
        for (identity, _) in &documents {
            known.entry(identity.entry_id.clone()).or_default().push(identity.clone());
        }
        let mut questions = Vec::new();
        lines(&folder.join("queries.jsonl"), |line: Line| {
            questions.push(question(line, &known)?);
            Ok(())
        })?;
        ensure!(questions.len() > 1, "DATA: {} holds no queries", folder.join("queries.jsonl").display());
        Ok(Self { documents, questions })
    }

    /// How many of each type.
    pub fn summary(&self) -> String {
        let count = |wanted: DocumentType| {
            let count = self.documents.iter().filter(|(identity, _)| identity.document_type == wanted).count();
            (count > 0).then(|| format!("{count} {wanted}"))
        };
        let counts: Vec<String> = DocumentType::ALL.into_iter().filter_map(count).collect();
        format!("{}; {} queries", counts.join(", "), self.questions.len())
    }
}

/// The insertion of a document.
pub fn event(identity: &Identity, fields: &Map<String, Value>) -> ChangeEvent {
    ChangeEvent {
        id: Uuid::nil(),
        operation: Operation::Insert,
        subject: Subject::Document(identity.clone()),
        revision: Revision::from(1),
        occurred_at: "2026-01-01T00:00:00.000Z".into(),
        document: Some(fields.clone()),
        omitted: None,
        repair: false,
    }
}

fn document(document_type: DocumentType, mut fields: Map<String, Value>) -> Result<(Identity, Map<String, Value>)> {
    let id = fields.remove("_id").context("`_id` is missing")?;
    Ok((Identity::of(document_type, &Bson::try_from(id)?)?, fields))
}

fn question(line: Line, known: &HashMap<String, Vec<Identity>>) -> Result<Question> {
    let mut relevant = Vec::new();
    for id in line.relevant {
        let entry_id = Identity::of(DocumentType::Articles, &Bson::try_from(id)?)?.entry_id;
        let fits = |identity: &&Identity| line.document_type.is_none_or(|wanted| wanted == identity.document_type);
        let found = known.get(&entry_id).and_then(|named| named.iter().find(fits));
        relevant.push(found.with_context(|| format!("no document has the _id `{entry_id}`"))?.clone());
    }
    if relevant.is_empty() {
        bail!("`relevant` is empty");
    }
    Ok(Question { text: line.query, relevant, line: None })
}

/// Calls `take` for every line of JSON.
fn lines<T: for<'de> Deserialize<'de>>(path: &Path, mut take: impl FnMut(T) -> Result<()>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("DATA: {}", path.display()))?;
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.with_context(|| format!("DATA: {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let taken = serde_json::from_str(&line).map_err(anyhow::Error::from).and_then(&mut take);
        taken.with_context(|| format!("DATA: {} line {number}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(articles: &str, queries: &str) -> Result<Data> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("articles.jsonl"), articles).unwrap();
        std::fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
        Data::read(folder.path())
    }

    const ARTICLE: &str = r#"{"_id": {"$oid": "660f57b3153bbb219fd901aa"}, "content": {"Content": "text"}}"#;

    #[test]
    fn ids_of_every_kind_are_read() {
        let query = r#"{"query": "q", "relevant": [{"$oid": "660f57b3153bbb219fd901aa"}]}"#;
        let data = folder(ARTICLE, &format!("{query}\n{query}\n")).unwrap();
        assert_eq!(data.questions[0].relevant[0], data.documents[0].0);
        assert_eq!(data.summary(), "1 articles; 2 queries");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let missing = folder(ARTICLE, "\n{\"query\": \"q\", \"relevant\": [\"x\"]}").err().unwrap();
        assert!(format!("{missing:#}").ends_with("queries.jsonl line 2: no document has the _id `x`"), "{missing:#}");
        let broken = folder("{", "").err().unwrap();
        assert!(format!("{broken:#}").contains("articles.jsonl line 1"), "{broken:#}");
        assert!(Data::read(Path::new("/nowhere")).is_err());
    }
}
