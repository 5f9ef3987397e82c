use super::*;
use serde_json::json;
use shared::IdKind;

mod html;
mod languages;
mod properties;
mod repositories;
mod shapes;
mod texts;

fn identity(document_type: DocumentType) -> Identity {
    Identity { document_type, id_kind: IdKind::Int, entry_id: "1".into() }
}

fn cleaned(document_type: DocumentType, document: Value) -> Result<CleanedDocument, CleanError> {
    let Value::Object(fields) = document else { panic!("a document is a map") };
    clean(&identity(document_type), &fields)
}

fn article(content: Value) -> CleanedDocument {
    cleaned(DocumentType::Articles, json!({ "content": content })).unwrap()
}

fn text_of(raw: &str) -> String {
    article(json!({ "Content": raw })).text()
}
