//! `.local/env`: what a program needs to reach the stack, as `KEY=value` lines, without quotes.

use std::collections::BTreeMap;

use super::{Settings, StackError};
use crate::Installation;
use crate::layout::{Layout, write_atomically};
use crate::server;

const PARTITIONS: &str = "8";
const EMBEDDING_MODEL: &str = "all-MiniLM-L6-v2";

/// The settings of the programs against this stack.
pub(super) fn variables(settings: &Settings, installation: &Installation) -> Vec<(&'static str, String)> {
    let listen = |port: u16| format!("127.0.0.1:{port}");
    vec![
        ("MONGODB_URI", server::mongodb_uri(settings.mongodb_port)),
        ("MONGODB_DATABASE", "twin".to_owned()),
        ("RABBITMQ_URI", server::rabbitmq_uri(settings.rabbitmq_port)),
        ("QDRANT_URL", format!("http://127.0.0.1:{}", settings.qdrant_port)),
        ("PARTITIONS", PARTITIONS.to_owned()),
        ("EMBEDDING_MODEL", EMBEDDING_MODEL.to_owned()),
        ("EMBEDDING_MODEL_DIR", installation.model.display().to_string()),
        ("ORT_DYLIB_PATH", installation.onnxruntime.display().to_string()),
        ("PRODUCER_HTTP_LISTEN", listen(settings.producer_port)),
        ("CONSUMER_HTTP_LISTEN", listen(settings.consumer_port)),
        ("RETRIEVAL_HTTP_LISTEN", listen(settings.retrieval_port)),
    ]
}

pub(super) fn write(layout: &Layout, variables: &[(&'static str, String)]) -> Result<(), StackError> {
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    write_atomically(&layout.env_file(), lines).map_err(StackError::io(layout.env_file().display().to_string()))
}

/// The variables of a stack that has been started.
pub(super) fn read(layout: &Layout) -> Result<BTreeMap<String, String>, StackError> {
    let text = std::fs::read_to_string(layout.env_file()).map_err(|_| StackError::NotRunning)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
