//! The published JSON Schema and the code agree on what a change event is.

use serde_json::{Map, Value, json};
use shared::{ChangeEvent, DocumentType, IdKind, Identity, Operation, Revision, Subject, body};
use uuid::Uuid;

const SCHEMA: &str = include_str!("../change-event.schema.json");

fn schema() -> jsonschema::Validator {
    jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

fn event(operation: Operation, id_kind: IdKind, entry_id: &str) -> ChangeEvent {
    let document_type = DocumentType::Posts;
    let has_document = !matches!(operation, Operation::Delete | Operation::Drop | Operation::Sweep);
    ChangeEvent {
        id: Uuid::from_u128(7),
        operation,
        subject: if operation.is_barrier() {
            Subject::Collection(document_type)
        } else {
            Subject::Document(Identity { document_type, id_kind, entry_id: entry_id.into() })
        },
        revision: Revision::new(1_795_322_631, 7, 1).unwrap(),
        occurred_at: "2026-11-22T04:43:51.510Z".into(),
        document: has_document.then(Map::new),
        omitted: None,
        repair: false,
    }
}

fn wire(event: &ChangeEvent) -> Value {
    serde_json::from_slice(&event.to_json().unwrap()).unwrap()
}

const OPERATIONS: [Operation; 7] = [
    Operation::Insert,
    Operation::Update,
    Operation::Replace,
    Operation::Delete,
    Operation::Snapshot,
    Operation::Drop,
    Operation::Sweep,
];

#[test]
fn every_event_that_we_send_is_valid() {
    let schema = schema();
    for operation in OPERATIONS {
        for (kind, id) in [
            (IdKind::Oid, "660f57b3153bbb219fd901aa"),
            (IdKind::Str, "any\u{0} text"),
            (IdKind::Uuid, "eff74089-0271-4319-8543-745c087f4f61"),
            (IdKind::Int, "-9223372036854775808"),
        ] {
            let event = wire(&event(operation, kind, id));
            assert!(schema.is_valid(&event), "{event}: {:?}", schema.validate(&event));
        }
    }
    for reason in [body::TOO_LARGE, body::TOO_DEEP, body::UNREADABLE] {
        let row = event(Operation::Insert, IdKind::Str, "x");
        assert!(schema.is_valid(&wire(&ChangeEvent { document: None, omitted: Some(reason.into()), ..row })));
    }
    let repair = ChangeEvent { repair: true, ..event(Operation::Snapshot, IdKind::Str, "x") };
    assert!(schema.is_valid(&wire(&repair)));
}

#[test]
fn what_the_schema_refuses_the_code_refuses_too() {
    let schema = schema();
    let refused = |event: &Value, what: &str| {
        assert!(!schema.is_valid(event), "schema accepts {what}: {event}");
        assert!(ChangeEvent::from_json(event.to_string().as_bytes()).is_err(), "code accepts {what}: {event}");
    };
    let valid = wire(&event(Operation::Insert, IdKind::Int, "5"));
    for field in ["id", "operation", "type", "id_kind", "entry_id", "revision", "occurred_at", "document"] {
        let mut event = valid.clone();
        event.as_object_mut().unwrap().remove(field);
        refused(&event, &format!("an event without {field}"));
    }
    for (field, value) in [
        ("id", json!("7")),
        ("operation", json!("upsert")),
        ("type", json!("comments")),
        ("id_kind", json!("date")),
        ("id_kind", json!("oid")),
        ("id_kind", json!("uuid")),
        ("entry_id", json!("five")),
        ("entry_id", json!(5)),
        ("revision", json!("5")),
        ("revision", json!(0)),
        ("revision", json!(1.5)),
        ("document", json!([])),
        ("omitted", json!("too large")),
    ] {
        let mut event = valid.clone();
        event[field] = value.clone();
        refused(&event, &format!("{field} = {value}"));
    }
    for operation in ["delete", "drop", "sweep"] {
        let mut event = valid.clone();
        event["operation"] = json!(operation);
        refused(&event, &format!("a {operation} with a document"));
    }
}
