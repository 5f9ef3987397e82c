use super::*;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use shared::{IdKind, Identity};

use crate::snapshot::Scope;

const TIME: Timestamp = Timestamp { time: 1_795_000_000, increment: 7 };

fn mapper() -> Mapper {
    Mapper::new("twin".into(), DocumentType::ALL.to_vec(), Selections::default(), 8)
}

fn event(operation: &str, collection: &str, id: impl Into<Bson>, document: Option<Document>) -> Document {
    let mut event = doc! {"_id": {"_data": "8265"}, "operationType": operation, "clusterTime": TIME,
    "wallTime": DateTime::from_millis(1_795_000_000_123), "ns": {"db": "twin", "coll": collection},
    "documentKey": {"_id": id.into()}};
    event.extend(document.map(|document| doc! {"fullDocument": document}).unwrap_or_default());
    event
}

fn raw(event: &Document) -> RawChange {
    RawDocumentBuf::try_from(event).unwrap().into()
}

fn map(mapper: &mut Mapper, event: &Document) -> Vec<Mapped> {
    let change = raw(event);
    let mut mapped = mapper.turn_to(change.cluster_time().unwrap());
    mapped.extend(mapper.map(&change).unwrap());
    mapped
}

fn only(mapped: Vec<Mapped>) -> ChangeEvent {
    match <[Mapped; 1]>::try_from(mapped) {
        Ok([Mapped::Event(event, _)]) => event,
        other => panic!("{other:?}"),
    }
}

fn barriers(mapped: &[Mapped]) -> Vec<(Operation, DocumentType, i64, u16)> {
    let barrier = |mapped: &Mapped| match mapped {
        Mapped::Event(event, partition) => {
            Some((event.operation, event.document_type(), event.revision.get(), *partition))
        }
        _ => None,
    };
    mapped.iter().filter_map(barrier).collect()
}

fn revision(index: u32) -> Revision {
    Revision::new(TIME.time, TIME.increment, index).unwrap()
}

#[test]
fn each_operation_on_a_document_is_mapped() {
    for (operation, mapped) in
        [("insert", Operation::Insert), ("update", Operation::Update), ("replace", Operation::Replace)]
    {
        let event = only(map(&mut mapper(), &event(operation, "posts", 5, Some(doc! {"_id": 5, "content": "x"}))));
        assert_eq!((event.operation, event.revision), (mapped, revision(1)));
        assert_eq!(event.identity().map(|id| (id.id_kind, id.entry_id.as_str())), Some((IdKind::Int, "5")));
        assert_eq!(event.occurred_at, "2026-11-18T11:06:40.123Z");
        assert_eq!(Value::Object(event.document.unwrap()), json!({"content": "x"}));
    }
    let deleted = only(map(&mut mapper(), &event("delete", "posts", 5, None)));
    assert_eq!((deleted.operation, deleted.document), (Operation::Delete, None));
}

#[test]
fn without_a_wall_time_the_cluster_time_says_when() {
    let mut event = event("delete", "posts", 5, None);
    event.remove("wallTime");
    assert_eq!(only(map(&mut mapper(), &event)).occurred_at, "2026-11-18T11:06:40.000Z");
}

#[test]
fn the_same_event_has_the_same_id_and_another_has_another() {
    let one = event("delete", "posts", 5, None);
    let mut other = one.clone();
    other.insert("_id", doc! {"_data": "8266"});
    let id = |event| only(map(&mut mapper(), event)).id;
    assert_eq!(id(&one), id(&one));
    assert_ne!(id(&one), id(&other));
}

#[test]
fn an_update_whose_document_is_gone_publishes_nothing() {
    assert_eq!(map(&mut mapper(), &event("update", "posts", 5, None)), [Mapped::NullLookup]);
    let mut null = event("update", "posts", 5, None);
    null.insert("fullDocument", Bson::Null);
    assert_eq!(map(&mut mapper(), &null), [Mapped::NullLookup]);
}

/// Execution 4 of the design: insert, update, delete, insert of one `_id` in one transaction.
#[test]
fn events_of_one_transaction_count_up_per_document() {
    let mut mapper = mapper();
    let document = || Some(doc! {"_id": 5});
    let revisions: Vec<_> = [
        event("insert", "posts", 5, document()),
        event("update", "posts", 5, document()),
        event("insert", "posts", "5", document()),
        event("delete", "posts", 5, None),
        event("insert", "posts", 5, document()),
    ]
    .iter()
    .map(|event| only(map(&mut mapper, event)).revision)
    .collect();
    assert_eq!(revisions, [revision(1), revision(2), revision(1), revision(3), revision(4)]);
    let mut later = event("delete", "posts", 5, None);
    later.insert("clusterTime", Timestamp { increment: 8, ..TIME });
    assert_eq!(only(map(&mut mapper, &later)).revision, Revision::new(TIME.time, 8, 1).unwrap());
}

#[test]
fn a_null_lookup_counts_too() {
    let mut mapper = mapper();
    map(&mut mapper, &event("update", "posts", 5, None));
    assert_eq!(only(map(&mut mapper, &event("delete", "posts", 5, None))).revision, revision(2));
}

#[test]
fn beyond_255_events_only_the_last_is_relayed() {
    let mut mapper = mapper();
    let mut relayed = Vec::new();
    for number in 1..=300 {
        relayed.extend(map(&mut mapper, &event("update", "posts", 5, Some(doc! {"number": number}))));
    }
    assert_eq!(relayed.len(), 254);
    let last = only(mapper.finish());
    assert_eq!((last.revision, last.document.unwrap()["number"].as_i64()), (revision(255), Some(300)));
    assert_eq!(mapper.finish(), []);
}

#[test]
fn a_drop_goes_to_every_partition_with_an_id_each() {
    let mapped = map(&mut mapper(), &event("drop", "posts", Bson::Null, None));
    assert_eq!(mapped[0], Mapped::Voided(DocumentType::Posts, TIME));
    let expected: Vec<_> = (0..8).map(|p| (Operation::Drop, DocumentType::Posts, revision(0).get(), p)).collect();
    assert_eq!(barriers(&mapped), expected);
    let ids: std::collections::HashSet<_> = mapped
        .iter()
        .filter_map(|mapped| if let Mapped::Event(event, _) = mapped { Some(event.id) } else { None })
        .collect();
    assert_eq!(ids.len(), 8);
}

fn rename(from: &str, database: &str, to: &str) -> Vec<Mapped> {
    let mut event = event("rename", from, Bson::Null, None);
    event.insert("to", doc! {"db": database, "coll": to});
    map(&mut mapper(), &event)
}

fn dropped(mapped: &[Mapped]) -> std::collections::BTreeSet<DocumentType> {
    barriers(mapped).into_iter().map(|(_, document_type, ..)| document_type).collect()
}

/// Execution 6 of the design.
#[test]
fn a_rename_into_a_type_drops_it_and_asks_for_a_snapshot() {
    let mapped = rename("stage", "twin", "articles");
    assert_eq!(dropped(&mapped), [DocumentType::Articles].into());
    assert_eq!(mapped.last(), Some(&Mapped::Requested(DocumentType::Articles)));
}

#[test]
fn a_rename_away_is_a_drop_and_one_between_types_is_both() {
    let away = rename("posts", "twin", "archive");
    assert_eq!(dropped(&away), [DocumentType::Posts].into());
    assert!(!away.iter().any(|mapped| matches!(mapped, Mapped::Requested(_))));
    let between = rename("posts", "twin", "articles");
    assert_eq!(dropped(&between), [DocumentType::Posts, DocumentType::Articles].into());
    assert_eq!(dropped(&rename("posts", "elsewhere", "articles")), [DocumentType::Posts].into());
}

#[test]
fn a_dropped_database_drops_every_type() {
    let mapped = map(&mut mapper(), &event("dropDatabase", "", Bson::Null, None));
    assert_eq!(dropped(&mapped), DocumentType::ALL.into());
}

#[test]
fn what_is_not_watched_leads_to_nothing() {
    for (operation, collection) in
        [("insert", "other"), ("drop", "other"), ("invalidate", ""), ("create", "posts"), ("createIndexes", "posts")]
    {
        assert_eq!(map(&mut mapper(), &event(operation, collection, 5, Some(doc! {}))), [], "{operation}");
    }
    let mut users_only = Mapper::new("twin".into(), vec![DocumentType::Users], Selections::default(), 8);
    assert_eq!(map(&mut users_only, &event("insert", "posts", 5, Some(doc! {}))), []);
}

#[test]
fn an_id_that_makes_no_identity_is_a_dead_letter_with_all_its_content() {
    for id in [Bson::Null, 2.5.into(), doc! {"a": 1}.into(), true.into()] {
        let mapped = map(&mut mapper(), &event("insert", "posts", id.clone(), Some(doc! {"_id": id, "content": "x"})));
        let [Mapped::DeadLetter(letter)] = mapped.as_slice() else { panic!("{mapped:?}") };
        assert_eq!(letter.content["document"], json!({"content": "x"}));
    }
}

/// The bytes of a document in which `~` stands for what is no UTF-8. MongoDB stores it, no driver would write it.
fn damaged(document: &Document) -> RawDocumentBuf {
    let mut bytes = RawDocumentBuf::try_from(document).unwrap().into_bytes();
    bytes.iter_mut().filter(|byte| **byte == b'~').for_each(|byte| *byte = 0xff);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

fn letter(mapped: Mapped) -> DeadLetter {
    let Mapped::DeadLetter(letter) = mapped else { panic!("{mapped:?}") };
    letter
}

fn snapshot() -> Snapshot {
    Snapshot::new(Uuid::from_u128(1), DocumentType::Posts, TIME, Scope::Whole)
}

#[test]
fn a_key_that_was_asked_for_is_a_repair_where_it_is_and_a_delete_where_it_is_not() {
    let keyed = Snapshot { scope: Scope::Keys(vec!["int:5".parse().unwrap()]), ..snapshot() };
    let row = RawDocumentBuf::try_from(&doc! {"_id": 5, "content": "x"}).unwrap();
    let identity = Identity::of(DocumentType::Posts, &5.into()).unwrap();
    let repaired = only(vec![mapper().row(&keyed, &row).unwrap()]);
    let absent = only(vec![mapper().absent(&keyed, identity).unwrap()]);
    assert!(repaired.repair && !only(vec![mapper().row(&snapshot(), &row).unwrap()]).repair);
    assert_eq!((absent.operation, absent.revision), (Operation::Delete, repaired.revision));
    assert_eq!(absent.subject, repaired.subject);
}

#[test]
fn an_id_that_is_no_text_is_a_dead_letter_with_the_true_reason() {
    let documents = [doc! {"_id": "a~", "content": "x"}, doc! {"_id": {"a": "~"}, "content": "x"}];
    for document in documents {
        let id = document.get("_id").cloned().unwrap();
        let deleted = event("delete", "posts", id.clone(), None);
        let inserted = event("insert", "posts", id, Some(document.clone()));
        let mapped = [deleted, inserted].map(|event| mapper().map(&damaged(&event).into()).unwrap().remove(0));
        let row = mapper().row(&snapshot(), &damaged(&document)).unwrap();
        for mapped in mapped.into_iter().chain([row]) {
            let letter = letter(mapped);
            assert_eq!(letter.fault.reason(), "unreadable _id");
            assert!(letter.fault.to_string().to_lowercase().contains("utf-8"), "{}", letter.fault);
            assert!(["delete", "insert", "snapshot"].contains(&letter.content["operation"].as_str().unwrap()));
        }
    }
}

#[test]
fn ids_that_are_no_text_and_look_alike_make_two_dead_letters() {
    let row = |bytes: u8| {
        let mut row = damaged(&doc! {"_id": "~", "content": "x"}).into_bytes();
        row.iter_mut().filter(|byte| **byte == 0xff).for_each(|byte| *byte = bytes);
        letter(mapper().row(&snapshot(), &RawDocumentBuf::from_bytes(row).unwrap()).unwrap())
    };
    assert_eq!(row(0xff).content["_id"], "\u{fffd}");
    assert_eq!(row(0xff).id, row(0xff).id);
    assert_ne!(row(0xff).id, row(0xfe).id);
}

#[test]
fn a_document_that_cannot_be_read_goes_out_without_its_content() {
    for document in [doc! {"_id": 5, "a~": "x"}, doc! {"_id": 5, "content": {"a~": "x"}}] {
        let updated = mapper().map(&damaged(&event("update", "posts", 5, Some(document.clone()))).into()).unwrap();
        let row = mapper().row(&snapshot(), &damaged(&document)).unwrap();
        for event in [only(updated), only(vec![row])] {
            assert_eq!((event.document, event.omitted.as_deref()), (None, Some("unreadable")));
            assert_eq!(event.subject, Subject::Document(Identity::of(DocumentType::Posts, &5.into()).unwrap()));
        }
    }
    let both = damaged(&event("insert", "posts", 2.5, Some(doc! {"_id": 2.5, "a~": "x"})));
    let letter = letter(mapper().map(&both.into()).unwrap().remove(0));
    assert_eq!((letter.fault.reason(), &letter.content["omitted"]), ("unsupported _id", &json!("unreadable")));
}

/// Execution 5 of the design: the token of a long `_id` fits no message id.
#[test]
fn an_id_of_any_length_is_relayed() {
    let mut event = event("delete", "posts", "x".repeat(100_000), None);
    event.insert("_id", doc! {"_data": "82".repeat(100_000)});
    let event = only(map(&mut mapper(), &event));
    assert_eq!(event.id.to_string().len(), 36);
    let message = crate::message::Message::event(&event, 0, "twin").unwrap();
    let headers = format!("{:?}", message.properties);
    assert!(headers.len() < 10_000, "headers must fit a frame");
}

#[test]
fn rows_and_sweep_bear_t0_and_index_0() {
    let snapshot = snapshot();
    let row = RawDocumentBuf::try_from(&doc! {"_id": 5, "content": "x"}).unwrap();
    let event = only(vec![mapper().row(&snapshot, &row).unwrap()]);
    assert_eq!((event.operation, event.revision), (Operation::Snapshot, revision(0)));
    assert_eq!(event, only(vec![mapper().row(&snapshot, &row).unwrap()]), "the same row again is the same event");
    let sweep = mapper().sweep(&snapshot).unwrap();
    let expected: Vec<_> = (0..8).map(|p| (Operation::Sweep, DocumentType::Posts, revision(0).get(), p)).collect();
    assert_eq!(barriers(&sweep), expected);
}

#[test]
fn an_event_that_lacks_a_field_stops_the_relay_with_its_name() {
    for field in ["_id", "operationType", "clusterTime", "documentKey"] {
        let mut event = event("insert", "posts", 5, Some(doc! {}));
        event.remove(field);
        let error = mapper().map(&raw(&event)).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn a_cluster_time_that_does_not_fit_stops_the_relay() {
    let mut event = event("delete", "posts", 5, None);
    event.insert("clusterTime", Timestamp { time: 1, increment: 1 << 23 });
    assert!(matches!(mapper().map(&raw(&event)), Err(MapError::Overflow(_))));
}

#[test]
fn the_wire_is_as_the_contract_says() {
    let id = bson::oid::ObjectId::parse_str("660f57b3153bbb219fd901aa").unwrap();
    let event =
        only(map(&mut mapper(), &event("insert", "articles", id, Some(doc! {"_id": id, "platform": "medium"}))));
    let json: Value = serde_json::from_slice(&event.to_json().unwrap()).unwrap();
    assert_eq!(
        json,
        json!({"id": event.id, "operation": "insert", "type": "articles", "id_kind": "oid",
        "entry_id": "660f57b3153bbb219fd901aa", "revision": revision(1).get(), "occurred_at": "2026-11-18T11:06:40.123Z",
        "document": {"platform": "medium"}})
    );
}

fn selective() -> Mapper {
    let filter = r#"{"posts": {"platform": "linkedin", "_id": {"$gte": 2}}}"#;
    let selections = Selections::parse(Some(filter), &["posts.image".into(), "posts.platform".into()]).unwrap();
    Mapper::new("twin".into(), DocumentType::ALL.to_vec(), selections, 8)
}

#[test]
fn what_matches_no_longer_is_deleted_and_a_row_of_it_goes_nowhere() {
    let wanted = doc! {"_id": 5, "platform": "linkedin", "image": "x", "content": "y"};
    let updated = only(map(&mut selective(), &event("update", "posts", 5, Some(wanted.clone()))));
    assert_eq!(updated.operation, Operation::Update);
    assert_eq!(Value::Object(updated.document.unwrap()), json!({"content": "y"}), "judged whole, relayed trimmed");
    for unwanted in [doc! {"_id": 5, "platform": "medium"}, doc! {"_id": 1, "platform": "linkedin"}] {
        let id = unwanted.get_i32("_id").unwrap();
        for operation in ["insert", "update", "replace"] {
            let deleted = only(map(&mut selective(), &event(operation, "posts", id, Some(unwanted.clone()))));
            assert_eq!((deleted.operation, deleted.document, deleted.omitted), (Operation::Delete, None, None));
            assert_eq!(deleted.revision, revision(1), "it has its place in the document's history");
        }
        let row = RawDocumentBuf::try_from(&unwanted).unwrap();
        assert_eq!(selective().row(&snapshot(), &row).unwrap(), Mapped::Unwanted);
        let letter = doc! {"_id": 2.5, "platform": "medium"};
        assert_eq!(map(&mut selective(), &event("insert", "posts", 2.5, Some(letter))), []);
    }
    assert_eq!(map(&mut selective(), &event("update", "posts", 5, None)), [Mapped::NullLookup]);
    let article = only(map(&mut selective(), &event("insert", "articles", 5, Some(doc! {"_id": 5, "image": "x"}))));
    assert_eq!(Value::Object(article.document.unwrap()), json!({"image": "x"}), "other types are relayed whole");
}
