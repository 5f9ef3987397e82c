//! Provisioning into the user's cache: what it hands over runs, and a second run touches nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use local::{Installation, Progress, QdrantProgram, default_cache, provision};

async fn installation() -> Installation {
    provision(&default_cache(), &Progress::stderr()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Its output, if it succeeded.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn every_program_runs() {
    let installation = installation().await;

    let mut mongod = Command::new(&installation.mongod.program);
    if let Some(libraries) = &installation.mongod.library_path {
        mongod.env("LD_LIBRARY_PATH", libraries);
    }
    assert!(said(mongod.arg("--version")).starts_with("db version v"));

    let erlang = installation.rabbitmq.root.join("usr/lib/erlang/bin/erl");
    assert_eq!(
        said(Command::new(erlang).args(["-noshell", "-eval", "ok = crypto:start(), io:format(\"runs\"), halt()."])),
        "runs"
    );

    let load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
    said(Command::new(&installation.python).args(["-c", load]).arg(&installation.onnxruntime));
    match &installation.qdrant {
        QdrantProgram::Native(program) => said(Command::new(program).arg("--version")),
        QdrantProgram::Edge { python, python_path, program } => said(
            Command::new(python)
                .env("PYTHONPATH", python_path)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .arg(program)
                .arg("--help"),
        ),
    };
}

/// RabbitMQ starts a named Erlang machine once a minute, only to have the port mapper started with it.
#[tokio::test]
async fn a_named_erlang_machine_leaves_no_port_mapper_behind() {
    let root = installation().await.rabbitmq.root;
    let mut erlang = Command::new(root.join("usr/lib/erlang/bin/erl"));
    erlang.args(["-sname", "starter", "-noinput", "-s", "erlang", "halt"]).env("ERL_CRASH_DUMP_SECONDS", "0");
    erlang.output().unwrap();
    let mapper = root.join("usr/lib/erlang");
    let ours = |process: &std::fs::DirEntry| {
        let program = std::fs::read_link(process.path().join("exe"));
        program.is_ok_and(|program| program.starts_with(&mapper) && program.ends_with("epmd"))
    };
    assert!(!std::fs::read_dir("/proc").unwrap().flatten().any(|process| ours(&process)));
}

#[tokio::test]
async fn the_model_has_every_file_that_an_embedder_reads() {
    let folder = installation().await.model;
    for name in ["model.onnx", "tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let tokenizer: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("tokenizer.json")).unwrap()).unwrap();
    assert!(tokenizer["truncation"].is_null() && tokenizer["padding"].is_null());
}

#[tokio::test]
async fn a_second_run_touches_nothing() {
    let first = installation().await;
    let cache = default_cache().canonicalize().unwrap();
    let before = times(&first, &cache);
    let second = installation().await;
    assert_eq!(first, second);
    assert_eq!(before, times(&second, &cache));
}

/// When each file of the parts, and the cache's own, was last written.
fn times(installation: &Installation, cache: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let parts = [
        installation.mongod.program.parent(),
        Some(&*installation.rabbitmq.root),
        Some(&*installation.model),
        installation.onnxruntime.parent(),
    ];
    for part in parts.into_iter().flatten() {
        walk(part, &mut found);
    }
    if let QdrantProgram::Edge { python_path, .. } = &installation.qdrant {
        walk(python_path, &mut found);
    }
    for own in ["lock", "python.json"].map(|name| cache.join(name)) {
        found.insert(own.clone(), own.symlink_metadata().unwrap().modified().unwrap());
    }
    found
}

fn walk(path: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    let metadata = path.symlink_metadata().unwrap();
    found.insert(path.to_owned(), metadata.modified().unwrap());
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), found);
        }
    }
}
