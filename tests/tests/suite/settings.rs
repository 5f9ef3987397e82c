//! A wrong or missing setting: one line that names it, exit code 2. A server that a one-shot command does not reach:
//! exit code 3.

use std::process::{Command, Output};

use tests::{World, binary, embedding_environment, eventually};

/// Any free port: the usual ones may be a running stack's.
const LISTEN: [(&str, &str); 2] = [("PRODUCER_HTTP_LISTEN", "127.0.0.1:0"), ("CONSUMER_HTTP_LISTEN", "127.0.0.1:0")];

fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary(program));
    command.args(arguments).env_clear().envs(LISTEN).envs(environment.iter().copied()).current_dir(folder.path());
    command.output().unwrap()
}

fn assert_names(output: &Output, code: i32, setting: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(error.lines().count(), 1, "one line: {error}");
    assert!(error.contains(setting), "{error} names {setting}");
}

const MONGODB: (&str, &str) = ("MONGODB_URI", "mongodb://127.0.0.1:1/?directConnection=true");
const RABBITMQ: (&str, &str) = ("RABBITMQ_URI", "amqp://127.0.0.1:1");
const QDRANT: (&str, &str) = ("QDRANT_URL", "http://127.0.0.1:1");

#[test]
fn a_missing_or_wrong_setting_is_named_in_one_line() {
    let producer = |more: &[(&str, &str)]| run("producer", &["run"], &[&[MONGODB, RABBITMQ], more].concat());
    assert_names(&run("producer", &["run"], &[RABBITMQ]), 2, "MONGODB_URI");
    assert_names(&run("producer", &["run"], &[MONGODB]), 2, "RABBITMQ_URI");
    assert_names(&producer(&[("MONGODB_URI", "http://secret@host")]), 2, "MONGODB_URI");
    assert_names(&producer(&[("RABBITMQ_URI", "nonsense")]), 2, "RABBITMQ_URI");
    assert_names(&producer(&[("PARTITIONS", "0")]), 2, "PARTITIONS");
    assert_names(&producer(&[("PARTITIONS", "many")]), 2, "PARTITIONS");
    assert_names(&producer(&[("MONGODB_DATABASE", "a b")]), 2, "MONGODB_DATABASE");
    assert_names(&producer(&[("LOG_FORMAT", "xml")]), 2, "LOG_FORMAT");
    assert_names(&producer(&[("PRODUCER_HTTP_LISTEN", "here")]), 2, "PRODUCER_HTTP_LISTEN");
    assert_names(&producer(&[("MONGODB_URI", ""), ("MONGODB_URI_FILE", "/nowhere")]), 2, "MONGODB_URI");
    assert_names(&run("consumer", &["run"], &[RABBITMQ]), 2, "QDRANT_URL");
    assert_names(&run("consumer", &["run"], &[RABBITMQ, ("QDRANT_URL", "localhost")]), 2, "QDRANT_URL");
    assert_names(&run("consumer", &["run"], &[RABBITMQ, QDRANT, ("EMBEDDING_MODEL_DIR", "/nowhere")]), 2, "");
    assert_names(&run("retrieval", &["search", "x"], &[]), 2, "QDRANT_URL");
}

#[test]
fn a_secret_is_never_shown() {
    let output = run("producer", &["run"], &[RABBITMQ, ("MONGODB_URI", "http://user:hunter2@host")]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_shot_command_that_reaches_no_server_exits_3() {
    let model = embedding_environment().await;
    let model: Vec<(&str, &str)> = model.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_names(&run("retrieval", &["search", "x"], &[&[QDRANT], model.as_slice()].concat()), 3, "QDRANT_URL");
    assert_names(&run("producer", &["status"], &[MONGODB]), 3, "MongoDB");
    let hub = [QDRANT, model[1], ("HF_ENDPOINT", "http://127.0.0.1:1")];
    assert_names(&run("retrieval", &["search", "x"], &hub), 3, "EMBEDDING_MODEL");
}

/// PARTITIONS is recorded with the first start; another number would break the order of documents.
#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_is_refused_by_producer_and_consumer() {
    let mut world = World::started().await;
    world.database.collection("posts").insert_one(bson::doc! { "_id": "a", "content": "wallaby" }).await.unwrap();
    world.until_found("wallaby", "a", "wallaby").await;
    world.stop().await;
    for (program, name) in [("producer", "PRODUCER_HTTP_LISTEN"), ("consumer", "CONSUMER_HTTP_LISTEN")] {
        let output = eventually("the program ends", || async {
            let mut environment = world.environment();
            environment.retain(|(setting, _)| *setting != "PARTITIONS");
            environment.extend([
                ("PARTITIONS", "5".to_owned()),
                (name, "127.0.0.1:0".to_owned()),
                ("RUST_LOG", "off".into()),
            ]);
            let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
            Ok::<_, anyhow::Error>(run(program, &["run"], &environment))
        })
        .await;
        assert_names(&output, 2, "PARTITIONS");
    }
}
