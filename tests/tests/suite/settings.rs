//! A wrong or missing setting: one line that names it, exit code 2. A server that a one-shot command does not reach:
//! exit code 3.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use shared::embedding::ModelInfo;
use shared::index::{Index, IndexMeta};
use tests::{World, binary, embedder, embedding_environment, eventually};

/// Any free port: the usual ones may be a running stack's.
const LISTEN: [(&str, &str); 2] = [("PRODUCER_HTTP_LISTEN", "127.0.0.1:0"), ("CONSUMER_HTTP_LISTEN", "127.0.0.1:0")];

fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    run_in(tempfile::tempdir().unwrap().path(), program, arguments, environment)
}

fn run_in(folder: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary(program));
    command.args(arguments).env_clear().envs(LISTEN).envs(environment.iter().copied()).current_dir(folder);
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
    for (setting, wrong) in [("CONSUMER_SHARE", "3/2"), ("CONSUMER_SHARE", "half"), ("TOMBSTONE_DAYS", "0")] {
        assert_names(&run("consumer", &["run"], &[RABBITMQ, QDRANT, (setting, wrong)]), 2, setting);
    }
    assert_names(&run("retrieval", &["search", "x"], &[]), 2, "QDRANT_URL");
}

#[test]
fn a_port_in_use_is_said_after_what_else_is_wrong() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let in_use = |setting| format!("{setting}: cannot listen on {address}: in use; choose another");
    let producer = ("PRODUCER_HTTP_LISTEN", address.as_str());
    let consumer = ("CONSUMER_HTTP_LISTEN", address.as_str());
    assert_names(&run("producer", &["run"], &[MONGODB, RABBITMQ, producer]), 2, &in_use("PRODUCER_HTTP_LISTEN"));
    assert_names(&run("consumer", &["run"], &[QDRANT, RABBITMQ, consumer]), 2, &in_use("CONSUMER_HTTP_LISTEN"));
    assert_names(&run("producer", &["run"], &[MONGODB, producer]), 2, "RABBITMQ_URI");
    assert_names(&run("producer", &["run"], &[RABBITMQ, producer]), 2, "MONGODB_URI");
    assert_names(&run("consumer", &["run"], &[RABBITMQ, consumer]), 2, "QDRANT_URL");
}

#[test]
fn the_local_stack_names_a_wrong_setting_too() {
    let folder = tempfile::tempdir().unwrap();
    let local = |environment| run_in(folder.path(), "local", &["start"], &[environment]);
    for (setting, wrong) in [("STACK", "foo"), ("LOCAL_QDRANT_PORT", "abc")] {
        assert_names(&local((setting, wrong)), 2, &format!("error: {setting}: "));
    }
}

/// Never a mixed index: one that was made for another model, or another number of partitions, is not written to.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_made_for_something_else_is_named_at_start() {
    let world = World::new().await;
    let real = embedder().await.info();
    let environment = world.environment();
    let mut environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.push(("RUST_LOG", "error"));
    let other = ModelInfo { fingerprint: "of another model".into(), ..real.clone() };
    Index::ensure(&world.qdrant.client(), &IndexMeta::new(&other, 3)).await.unwrap();
    assert_names(&run("consumer", &["run"], &environment), 2, "EMBEDDING_MODEL");
    let smaller = IndexMeta::new(&ModelInfo { dimension: 5, ..real.clone() }, 3);
    let named = Index::ensure(&world.qdrant.client(), &smaller).await.unwrap_err().to_string();
    assert!(named.starts_with("EMBEDDING_MODEL") && named.contains("5 dimensions"), "{named}");
    let partitions = [environment.as_slice(), &[("PARTITIONS", "4")]].concat();
    assert_names(&run("consumer", &["run"], &partitions), 2, "PARTITIONS");
}

#[test]
fn a_secret_is_never_shown() {
    for uri in [
        "http://user:hunter2@host",
        "mongodb://user:hunter2?x@host",
        "mongodb://user:hun/ter2@host/?hunter2",
        "hunter2",
    ] {
        assert_hidden(&run("producer", &["run"], &[RABBITMQ, ("MONGODB_URI", uri)]), "MONGODB_URI");
    }
    for uri in
        ["amqp:guest:hunter2@host", "amqp://guest:hunter2@host:port", "hunter2://host", "amqp://host?heartbeat=hunter2"]
    {
        assert_hidden(&run("producer", &["run"], &[MONGODB, ("RABBITMQ_URI", uri)]), "RABBITMQ_URI");
        assert_hidden(&run("consumer", &["run"], &[QDRANT, ("RABBITMQ_URI", uri)]), "RABBITMQ_URI");
    }
    assert_hidden(&run("retrieval", &["search", "x"], &[QDRANT, ("QDRANT_API_KEY", "hunter2\n")]), "QDRANT_API_KEY");
    for url in ["http://user:hunter2@host:6334", "http://host:6334/?key=hunter2", "hunter2"] {
        assert_hidden(&run("retrieval", &["search", "x"], &[("QDRANT_URL", url)]), "QDRANT_URL");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "TYPES=posts\nRABBITMQ_URI=amqp://guest:hunter2 x@host\n").unwrap();
    assert_hidden(&run_in(folder.path(), "producer", &["run"], &[MONGODB]), ".env: line 2");
}

fn assert_hidden(output: &Output, setting: &str) {
    assert_names(output, 2, setting);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{output:?}");
}

#[test]
fn a_flag_goes_before_the_environment_also_where_it_names_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("uri"), MONGODB.1).unwrap();
    let flag = ["status", "--mongodb-uri-file", "uri"];
    let wrong = ("MONGODB_URI", "http://wrong");
    assert_names(&run_in(folder.path(), "producer", &flag, &[wrong]), 3, "MongoDB");
    assert_names(
        &run_in(folder.path(), "producer", &["status"], &[wrong, ("MONGODB_URI_FILE", "uri")]),
        2,
        "MONGODB_URI",
    );
    assert_names(&run_in(folder.path(), "producer", &["status"], &[("MONGODB_URI_FILE", "uri")]), 3, "MongoDB");
    std::fs::write(folder.path().join(".env"), "MONGODB_URI=http://wrong\n").unwrap();
    assert_names(&run_in(folder.path(), "producer", &flag, &[]), 3, "MongoDB");
}

#[test]
fn a_host_that_has_no_address_is_an_absent_server_and_no_wrong_setting() {
    let unknown = ("MONGODB_URI", "mongodb+srv://nowhere.llm-twin.invalid/");
    assert_names(&run("producer", &["status"], &[unknown]), 3, "MongoDB");
}

/// `.env.example` and README name every setting that `--help` does.
#[test]
fn every_setting_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = [".env.example", "README.md"].map(|name| std::fs::read_to_string(root.join(name)).unwrap());
    for (program, command) in [("producer", "run"), ("consumer", "run"), ("retrieval", "search")] {
        let help = String::from_utf8(run(program, &[command, "--help"], &[]).stdout).unwrap();
        // Lines are wrapped.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let settings: Vec<&str> =
            help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next().unwrap()).collect();
        assert!(settings.contains(&"LOG_FORMAT"), "{program} {command} --help: {settings:?}");
        for (document, setting) in
            documents.iter().flat_map(|document| settings.iter().map(move |name| (document, name)))
        {
            assert!(document.contains(setting), "{setting} is not in {}", &document[..40]);
        }
    }
}

/// docs/settings.md is made of what `--help` says: `UPDATE_SETTINGS=1 cargo test … settings_table` writes it anew.
#[test]
fn the_settings_table_is_what_the_programs_say() {
    let mut rows: BTreeMap<String, (Vec<&str>, String)> = BTreeMap::new();
    for (program, command) in [("producer", "run"), ("consumer", "run"), ("retrieval", "search")] {
        let help = String::from_utf8(run(program, &[command, "--help"], &[]).stdout).unwrap();
        for option in help.split("\n      --").skip(1) {
            // Lines are wrapped.
            let option = option.split_whitespace().collect::<Vec<_>>().join(" ");
            let Some((before, after)) = option.split_once(" [env: ") else { continue };
            let variable = after.split(['=', ']']).next().unwrap().to_owned();
            let (flag, rest) = before.split_once(' ').unwrap();
            let rest = rest.split_once("> ").map_or(rest, |(_, rest)| rest).replace(" Possible values: - ", ": ");
            let meaning = rest.replace(" - ", "; ").replace('|', "\\|");
            let default = after.split_once("[default: ").map_or("", |(_, default)| default.split(']').next().unwrap());
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let row =
                rows.entry(variable).or_insert_with(|| (Vec::new(), format!("`--{flag}` | {meaning} | {default}")));
            row.0.push(program);
        }
    }
    let mut table = "# Settings\n\nMade of what `--help` of `producer run`, `consumer run` and `retrieval search` says; compared with it by a test.\n\n\
                     | setting | of | flag | meaning | default |\n| --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (variable, (programs, rest)) in rows {
        table += &format!("| `{variable}` | {} | {} |\n", programs.join(", "), rest.trim_end());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    if std::env::var_os("UPDATE_SETTINGS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), table);
}

#[test]
fn the_format_of_log_lines_may_stand_before_and_after_the_command() {
    for arguments in [["--log-format", "json", "status"], ["status", "--log-format", "json"]] {
        assert_names(&run("producer", &arguments, &[MONGODB]), 3, "MongoDB");
    }
    assert_names(&run("producer", &["status", "--log-format", "xml"], &[MONGODB]), 2, "LOG_FORMAT");
    for arguments in [["--log-format", "json", "run"], ["run", "--log-format", "json"]] {
        assert_names(&run("consumer", &arguments, &[RABBITMQ]), 2, "QDRANT_URL");
    }
    for arguments in [["--log-format", "json", "search", "x"], ["search", "x", "--log-format", "json"]] {
        assert_names(&run("retrieval", &arguments, &[]), 2, "QDRANT_URL");
    }
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
