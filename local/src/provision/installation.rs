//! What provisioning hands over: where each program stands and what it needs to run.

use std::path::PathBuf;

/// Where everything is. All of it is complete and was verified; nothing of it is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The database server.
    pub mongod: Mongod,
    /// The broker.
    pub rabbitmq: RabbitMqFiles,
    /// The vector store: a real server or the engine behind its API.
    pub qdrant: QdrantProgram,
    /// A folder with `model.onnx` (all-MiniLM-L6-v2, fp32, hidden state per token), `tokenizer.json` (neither truncating nor padding),
    /// `config.json`, `special_tokens_map.json` and `tokenizer_config.json`.
    pub model: PathBuf,
    /// ONNX Runtime's shared library, for `ort::init_from`.
    pub onnxruntime: PathBuf,
    /// The Python interpreter that the Python parts were made for.
    pub python: PathBuf,
}

/// How to run mongod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mongod {
    /// The program.
    pub program: PathBuf,
    /// `LD_LIBRARY_PATH` for it, where the system lacks a library of its.
    pub library_path: Option<PathBuf>,
}

/// RabbitMQ and Erlang as unpacked from Debian's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitMqFiles {
    /// The root of the packages: `usr/lib/rabbitmq/lib/rabbitmq_server-<version>/sbin` and `usr/lib/erlang/bin` are below it.
    /// Erlang's own scripts already know that they stand here.
    pub root: PathBuf,
}

/// How to run Qdrant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QdrantProgram {
    /// A real server: this program.
    Native(PathBuf),
    /// The engine behind the gRPC API: `python program …` with `PYTHONPATH` set.
    Edge {
        /// The interpreter.
        python: PathBuf,
        /// `PYTHONPATH`: the packages it imports.
        python_path: PathBuf,
        /// What the interpreter runs: a folder with `__main__.py`.
        program: PathBuf,
    },
}
