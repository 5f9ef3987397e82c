//! Each private server: it starts, answers, keeps its data over a crash, and is gone with its owner.

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use local::{MongoDb, MongoDbOptions, Private, Qdrant, RabbitMq};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, Distance, PointStruct, UpsertPointsBuilder, VectorParamsBuilder,
};
use support::{eventually, installation, is_alive, is_free, processes_of};

const SOON: Duration = Duration::from_secs(20);

/// Drops a server and sees that nothing of it is left.
fn gone_after_drop<S: AsRef<Private>>(server: S) {
    let private = server.as_ref();
    let (pid, port, folder) = (private.pid().unwrap(), private.port(), private.folder().to_owned());
    drop(server);
    assert!(!is_alive(pid));
    assert!(is_free(port));
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn mongodb_keeps_its_data_over_a_crash_and_is_gone_after_drop() {
    let mut mongodb = MongoDb::start(&installation().await, MongoDbOptions::default()).await.unwrap();
    let client = Client::with_uri_str(mongodb.uri()).await.unwrap();
    let notes = client.database("twin").collection::<Document>("notes");
    notes.insert_one(doc! { "_id": 1 }).await.unwrap();
    let (before, port) = (mongodb.pid(), mongodb.port());

    mongodb.kill9().await.unwrap();
    assert_eq!(mongodb.pid(), None);
    mongodb.restart().await.unwrap();

    assert_ne!(mongodb.pid(), before);
    assert_eq!(mongodb.port(), port);
    assert_eq!(notes.count_documents(doc! {}).await.unwrap(), 1);
    notes.insert_one(doc! { "_id": 2 }).await.unwrap();
    mongodb.stop().await.unwrap();
    assert!(is_free(port));
    mongodb.restart().await.unwrap();
    assert_eq!(notes.count_documents(doc! {}).await.unwrap(), 2);
    gone_after_drop(mongodb);
}

#[tokio::test]
async fn a_paused_server_answers_only_after_it_is_resumed() {
    let mongodb = MongoDb::start(&installation().await, MongoDbOptions::default()).await.unwrap();
    let client = Client::with_uri_str(mongodb.uri()).await.unwrap();
    let database = client.database("twin");
    database.run_command(doc! { "ping": 1 }).await.unwrap();

    mongodb.pause().unwrap();
    eventually(SOON, "the process is stopped", async || {
        std::fs::read_to_string(format!("/proc/{}/stat", mongodb.pid().unwrap())).unwrap().contains(") T ")
    })
    .await;
    let mut ping = tokio::spawn(async move { database.run_command(doc! { "ping": 1 }).await });
    assert!(
        tokio::time::timeout(Duration::from_millis(300), &mut ping).await.is_err(),
        "a stopped process answers nothing"
    );
    mongodb.resume().unwrap();
    ping.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_replica_set_of_three_elects_another_primary_after_a_crash() {
    let mut set = MongoDb::start_replica_set(&installation().await, 3, MongoDbOptions::default()).await.unwrap();
    let client = Client::with_uri_str(set.uri()).await.unwrap();
    let notes = client.database("twin").collection::<Document>("notes");
    let majority = mongodb::options::WriteConcern::majority();
    notes.insert_one(doc! { "_id": 1 }).write_concern(majority.clone()).await.unwrap();

    let first = set.primary().await.unwrap();
    set.nodes()[first].kill9().await.unwrap();
    let second = set.primary().await.unwrap();
    assert_ne!(first, second);
    notes.insert_one(doc! { "_id": 2 }).write_concern(majority).await.unwrap();
    set.rejoin(first).unwrap();
    assert_eq!(notes.count_documents(doc! {}).await.unwrap(), 2);
}

#[tokio::test]
async fn rabbitmq_keeps_confirmed_messages_over_a_crash_and_is_gone_after_drop() {
    let mut rabbitmq = RabbitMq::start(&installation().await).await.unwrap();
    let uri = rabbitmq.create_vhost("one-test").await.unwrap();
    declare(&channel(&uri).await).await;
    // RabbitMQ 3.10 writes a new quorum queue's registration seconds later: killed before, the queue has no leader for ever. A restart in order is after it.
    rabbitmq.stop().await.unwrap();
    rabbitmq.restart().await.unwrap();
    let channel = channel(&uri).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let confirm = channel
        .basic_publish("".into(), "notes".into(), BasicPublishOptions::default(), b"kept", persistent)
        .await
        .unwrap();
    assert!(confirm.await.unwrap().is_ack());

    rabbitmq.kill9().await.unwrap();
    rabbitmq.restart().await.unwrap();

    let channel = self::channel(&uri).await;
    eventually(SOON, "the message is there again", async || declare(&channel).await == 1).await;
    rabbitmq.delete_vhost("one-test").await.unwrap();
    gone_after_drop(rabbitmq);
}

async fn channel(uri: &str) -> Channel {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

/// Declares a quorum queue; the number of its messages.
async fn declare(channel: &Channel) -> u32 {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("notes".into(), options, arguments).await.unwrap().message_count()
}

#[tokio::test]
async fn qdrant_keeps_its_points_over_a_crash_and_is_gone_after_drop() {
    let mut qdrant = Qdrant::start(&installation().await).await.unwrap();
    let client = qdrant_client::Qdrant::from_url(qdrant.uri()).build().unwrap();
    client
        .create_collection(
            CreateCollectionBuilder::new("notes").vectors_config(VectorParamsBuilder::new(2, Distance::Cosine)),
        )
        .await
        .unwrap();
    let point = PointStruct::new(1, vec![0.6, 0.8], qdrant_client::Payload::new());
    client.upsert_points(UpsertPointsBuilder::new("notes", vec![point]).wait(true)).await.unwrap();

    qdrant.kill9().await.unwrap();
    qdrant.restart().await.unwrap();

    let counted = client.count(CountPointsBuilder::new("notes").exact(true)).await.unwrap();
    assert_eq!(counted.result.unwrap().count, 1);
    gone_after_drop(qdrant);
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_with_its_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = MongoDbOptions { port: Some(taken.local_addr().unwrap().port()), ..MongoDbOptions::default() };
    let refusal = MongoDb::start(&installation().await, options).await.unwrap_err().to_string();
    assert!(refusal.contains("mongod did not become ready") && refusal.contains("ddress already in use"), "{refusal}");
}

#[tokio::test]
async fn servers_do_not_outlive_a_killed_owner() {
    installation().await; // here, so that the owner below need not
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let owned: Vec<(u32, PathBuf)> = lines.filter_map(|line| owned(&line)).take(3).collect();
    assert_eq!(owned.len(), 3);
    assert!(owned.iter().all(|(pid, folder)| is_alive(*pid) && folder.exists()));

    owner.kill().unwrap();
    owner.wait().unwrap();

    eventually(SOON, "processes and folders are gone", async || {
        owned.iter().all(|(pid, folder)| !is_alive(*pid) && !folder.exists() && processes_of(folder).is_empty())
    })
    .await;
}

/// `owned <pid> <folder>`, wherever it stands in the line.
fn owned(line: &str) -> Option<(u32, PathBuf)> {
    let (_, rest) = line.split_once("owned ")?;
    let (pid, folder) = rest.split_once(' ')?;
    Some((pid.parse().ok()?, folder.into()))
}

/// The owner that is killed: run by the test above as a process of its own.
#[tokio::test]
#[ignore = "run by servers_do_not_outlive_a_killed_owner"]
async fn owner() {
    let installation = installation().await;
    let mongodb = MongoDb::start(&installation, MongoDbOptions::default()).await.unwrap();
    let rabbitmq = RabbitMq::start(&installation).await.unwrap();
    let qdrant = Qdrant::start(&installation).await.unwrap();
    for private in [mongodb.as_ref(), rabbitmq.as_ref(), qdrant.as_ref()] {
        println!("owned {} {}", private.pid().unwrap(), private.folder().display());
    }
    std::future::pending::<()>().await;
}
