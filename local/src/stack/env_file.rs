//! `.local/env`: what a program needs to reach the stack, as `KEY=value` lines, without quotes.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Settings, StackError, StackKind};
use crate::Installation;
use crate::layout::{Layout, write_secretly};
use crate::server;

/// Where RabbitMQ's management page and API are: no setting of a program, but of whoever looks after the stack.
pub(super) const MANAGEMENT: &str = "RABBITMQ_MANAGEMENT_URL";
const PARTITIONS: &str = "8";
const EMBEDDING_MODEL: &str = "all-MiniLM-L6-v2";

/// The settings of the programs against the native stack.
pub(super) fn variables(settings: &Settings, installation: &Installation) -> Vec<(&'static str, String)> {
    let (mongodb, rabbitmq) =
        (server::mongodb_uri(settings.mongodb_port), server::rabbitmq_uri(settings.rabbitmq_port));
    let mut variables = shared(settings, StackKind::Native, mongodb, rabbitmq);
    variables.push(("EMBEDDING_MODEL_DIR", installation.model.display().to_string()));
    variables.push(("ORT_DYLIB_PATH", installation.onnxruntime.display().to_string()));
    variables
}

/// Those that both stacks have.
pub(super) fn shared(
    settings: &Settings,
    kind: StackKind,
    mongodb: String,
    rabbitmq: String,
) -> Vec<(&'static str, String)> {
    let listen = |port: u16| format!("127.0.0.1:{port}");
    vec![
        ("STACK", kind.to_string()),
        ("MONGODB_URI", mongodb),
        ("MONGODB_DATABASE", "twin".to_owned()),
        ("RABBITMQ_URI", rabbitmq),
        (MANAGEMENT, format!("http://127.0.0.1:{}", settings.rabbitmq_management_port)),
        ("QDRANT_URL", format!("http://127.0.0.1:{}", settings.qdrant_port)),
        ("PARTITIONS", PARTITIONS.to_owned()),
        ("EMBEDDING_MODEL", EMBEDDING_MODEL.to_owned()),
        ("PRODUCER_HTTP_LISTEN", listen(settings.producer_port)),
        ("CONSUMER_HTTP_LISTEN", listen(settings.consumer_port)),
        ("RETRIEVAL_HTTP_LISTEN", listen(settings.retrieval_port)),
    ]
}

pub(super) fn write(layout: &Layout, variables: &[(&'static str, String)]) -> Result<(), StackError> {
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    write_secretly(&layout.env_file(), lines).map_err(StackError::io(layout.env_file().display().to_string()))
}

/// The variables of a stack that has been started.
pub(super) fn read(layout: &Layout) -> Result<BTreeMap<String, String>, StackError> {
    pairs(&layout.env_file())
}

/// The variables in a file that a start has written.
pub(super) fn pairs(file: &Path) -> Result<BTreeMap<String, String>, StackError> {
    let text = std::fs::read_to_string(file).map_err(|_| StackError::NotRunning)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
