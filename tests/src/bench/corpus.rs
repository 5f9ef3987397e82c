//! What is indexed: articles, posts and code, made up or from a folder.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use lapin::BasicProperties;
use serde_json::{Map, Value, json};
use shared::body::{self, CONTENT_TYPE};
use shared::embedding::TokenCounter;
use shared::{ChangeEvent, DocumentType, IdKind, Identity, Operation, Revision, Subject};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::broker::Letter;
use super::site::PARTITIONS;
use crate::text::Text;

/// Documents of one kind.
pub(super) struct Corpus {
    pub(super) name: &'static str,
    pub(super) documents: Vec<RawDocument>,
}

/// A document as it lies in MongoDB.
#[derive(Debug, Clone)]
pub(super) struct RawDocument {
    pub(super) identity: Identity,
    pub(super) fields: Map<String, Value>,
}

/// Makes up a document's fields.
type Make = fn(&mut Text) -> Value;

impl Corpus {
    /// All three, each of about so many bytes of text. `data` may hold `articles.jsonl` and `posts.jsonl`; what it does not hold is made up.
    pub(super) fn all(bytes: usize, data: Option<&Path>) -> Result<Vec<Self>> {
        let mut text = Text::new(2);
        let kinds: [(&str, DocumentType, Make); 3] = [
            ("articles", DocumentType::Articles, article),
            ("posts", DocumentType::Posts, post),
            ("code", DocumentType::Repositories, repository),
        ];
        let corpus = |(name, document_type, make): (&'static str, DocumentType, Make)| {
            let file = data.map(|folder| folder.join(format!("{name}.jsonl"))).filter(|file| file.exists());
            let documents = match file {
                Some(file) => evenly(read(document_type, &file)?, bytes),
                None => made_up(document_type, bytes, || make(&mut text))?,
            };
            Ok(Self { name, documents })
        };
        kinds.into_iter().map(corpus).collect()
    }

    /// The messages that tell of these documents, inserted one after the other.
    pub(super) fn letters(&self) -> Result<Vec<Letter>> {
        self.documents.iter().zip(1..).map(|(document, number)| document.letter(revision(number)?)).collect()
    }

    /// The texts that our consumer gives to the model for them.
    pub(super) fn embedded_texts(&self, tokens: &TokenCounter) -> Vec<String> {
        let texts = |document: &RawDocument| {
            let event = document.event(Revision::ZERO);
            consumer::embedded_texts(&document.identity, &event, tokens)
        };
        self.documents.iter().flat_map(texts).collect()
    }

    /// A file of JSON lines `{"id", "text"}` for rivals that know nothing of our documents.
    pub(super) fn file(&self) -> Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        for document in &self.documents {
            let line = json!({"id": document.identity.entry_id, "text": document.text()});
            writeln!(file, "{line}")?;
        }
        file.flush()?;
        Ok(file)
    }
}

impl RawDocument {
    /// Its insertion.
    pub(super) fn event(&self, revision: Revision) -> ChangeEvent {
        ChangeEvent {
            id: Uuid::new_v4(),
            operation: Operation::Insert,
            subject: Subject::Document(self.identity.clone()),
            revision,
            occurred_at: "2026-01-01T00:00:00.000Z".into(),
            document: Some(self.fields.clone()),
            omitted: None,
            repair: false,
        }
    }

    /// The message of its insertion.
    pub(super) fn letter(&self, revision: Revision) -> Result<Letter> {
        let event = self.event(revision);
        let body = body::encode(&event)?;
        let mut properties = BasicProperties::default()
            .with_message_id(event.id.to_string().into())
            .with_content_type(CONTENT_TYPE.into())
            .with_delivery_mode(2);
        if let Some(encoding) = body.encoding {
            properties = properties.with_content_encoding(encoding.into());
        }
        Ok(Letter { partition: self.identity.partition(PARTITIONS), body: body.bytes, properties })
    }

    pub(super) fn text(&self) -> String {
        let mut texts = Vec::new();
        strings(self.fields.get("content").unwrap_or(&Value::Null), &mut texts);
        texts.join("\n\n")
    }
}

/// The revision of the change with this number.
pub(super) fn revision(number: u32) -> Result<Revision> {
    Ok(Revision::new(1_790_000_000, number, 1)?)
}

fn strings<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, texts)),
        _ => {}
    }
}

fn made_up(document_type: DocumentType, bytes: usize, mut make: impl FnMut() -> Value) -> Result<Vec<RawDocument>> {
    let (mut documents, mut size) = (Vec::new(), 0);
    while size < bytes {
        let Value::Object(fields) = make() else { anyhow::bail!("documents are objects") };
        let identity = Identity { document_type, id_kind: IdKind::Int, entry_id: documents.len().to_string() };
        let document = RawDocument { identity, fields };
        size += document.text().len();
        documents.push(document);
    }
    Ok(documents)
}

fn read(document_type: DocumentType, file: &Path) -> Result<Vec<RawDocument>> {
    let lines = BufReader::new(File::open(file)?).lines();
    let document = |line: std::io::Result<String>| {
        let mut fields: Map<String, Value> = serde_json::from_str(&line?)?;
        let id = fields.remove("_id").context("_id")?;
        let entry_id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        Ok(RawDocument { identity: Identity { document_type, id_kind: IdKind::Str, entry_id }, fields })
    };
    lines.map(document).collect()
}

/// So many bytes of them, from all over the file.
fn evenly(documents: Vec<RawDocument>, bytes: usize) -> Vec<RawDocument> {
    let size: usize = documents.iter().map(|document| document.text().len()).sum();
    let step = (size / bytes.max(1)).max(1);
    documents.into_iter().step_by(step).collect()
}

fn article(text: &mut Text) -> Value {
    json!({
        "platform": "medium", "link": format!("https://example.org/{}", text.word()), "author_id": "1", "author_full_name": "Ada Lovelace",
        "content": {"Title": text.words(5), "Subtitle": null, "Content": text.article(4), "language": "en"},
    })
}

fn post(text: &mut Text) -> Value {
    json!({"platform": "linkedin", "author_id": "2", "content": {"Content": format!("{} {}", text.sentence(), text.sentence())}})
}

fn repository(text: &mut Text) -> Value {
    let files: Map<String, Value> =
        (0..4).map(|file| (format!("src/{}_{file}.rs", text.word()), text.code(6).into())).collect();
    json!({"name": text.words(1), "link": "https://example.org/code", "owner_id": "3", "content": files})
}
