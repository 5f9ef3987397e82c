//! Settings that several programs share: environment first (`.env` read if present), flags override.
//!
//! A wrong or missing setting ends the program with one line that names it and exit code 2.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, ValueEnum};
use lapin::uri::AMQPUri;

/// Exit code for a wrong or missing setting.
pub const EXIT_SETTINGS: i32 = 2;
/// Exit code of a one-shot command for a server that cannot be reached.
pub const EXIT_UNREACHABLE: i32 = 3;

/// A value that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A setting that is missing or wrong: one line naming it.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingsError {
    name: &'static str,
    problem: String,
}

impl SettingsError {
    /// The setting `name` has this problem.
    pub fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into() }
    }
}

/// Where the documents are.
#[derive(Debug, Clone, Args)]
pub struct MongoDbSettings {
    /// Connection string of the replica set [required, also as MONGODB_URI_FILE]
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, value_parser = secret)]
    mongodb_uri: Option<Secret>,
    /// File that holds the connection string
    #[arg(long, value_name = "PATH", hide = true)]
    mongodb_uri_file: Option<PathBuf>,
    /// Database whose collections are watched
    #[arg(long, env = "MONGODB_DATABASE", default_value = "twin", value_parser = database_name)]
    pub mongodb_database: String,
}

impl MongoDbSettings {
    /// The connection string.
    ///
    /// # Errors
    /// Missing, unreadable, or not a connection string.
    pub fn uri(&self) -> Result<Secret, SettingsError> {
        let uri = required("MONGODB_URI", self.mongodb_uri.as_ref(), self.mongodb_uri_file.as_deref())?;
        if uri.0.starts_with("mongodb://") || uri.0.starts_with("mongodb+srv://") {
            return Ok(uri);
        }
        Err(SettingsError::new("MONGODB_URI", "must begin with mongodb:// or mongodb+srv://"))
    }
}

/// Where the changes go.
#[derive(Debug, Clone, Args)]
pub struct RabbitMqSettings {
    /// AMQP URI of the broker [required, also as RABBITMQ_URI_FILE]
    #[arg(long, env = "RABBITMQ_URI", hide_env_values = true, value_parser = secret)]
    rabbitmq_uri: Option<Secret>,
    /// File that holds the AMQP URI
    #[arg(long, value_name = "PATH", hide = true)]
    rabbitmq_uri_file: Option<PathBuf>,
    /// Number of ordered partitions; fixed once documents were relayed
    #[arg(long, env = "PARTITIONS", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub partitions: u16,
}

impl RabbitMqSettings {
    /// The AMQP URI, parsed.
    ///
    /// # Errors
    /// Missing, unreadable, or not an AMQP URI.
    pub fn uri(&self) -> Result<AMQPUri, SettingsError> {
        let uri = required("RABBITMQ_URI", self.rabbitmq_uri.as_ref(), self.rabbitmq_uri_file.as_deref())?;
        // The parser's own words may quote the URI, password and all.
        let problem = "is not understood: amqp://user:password@host:port/vhost or amqps://…, where special characters \
                       of user, password and vhost are percent-encoded";
        uri.0.parse().map_err(|_: String| SettingsError::new("RABBITMQ_URI", problem))
    }
}

/// Where the points are.
#[derive(Debug, Clone, Args)]
pub struct QdrantSettings {
    /// `http://host:port` of Qdrant's gRPC port [required]
    #[arg(long, env = "QDRANT_URL")]
    qdrant_url: Option<String>,
    /// API key [also as QDRANT_API_KEY_FILE]
    #[arg(long, env = "QDRANT_API_KEY", hide_env_values = true, value_parser = secret)]
    qdrant_api_key: Option<Secret>,
    /// File that holds the API key
    #[arg(long, value_name = "PATH", hide = true)]
    qdrant_api_key_file: Option<PathBuf>,
}

impl QdrantSettings {
    /// The URL of the gRPC port.
    ///
    /// # Errors
    /// Missing, or not `http://host:port`.
    pub fn url(&self) -> Result<String, SettingsError> {
        let missing = || SettingsError::new("QDRANT_URL", "is required (http://host:port of the gRPC port)");
        let url = self.qdrant_url.clone().ok_or_else(missing)?;
        let parsed = url::Url::parse(&url).map_err(|error| SettingsError::new("QDRANT_URL", error.to_string()))?;
        let complete = matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && parsed.port().is_some();
        complete
            .then_some(url)
            .ok_or_else(|| SettingsError::new("QDRANT_URL", "must be http://host:port of the gRPC port"))
    }

    /// The API key, if there is one.
    ///
    /// # Errors
    /// The file that should hold it cannot be read.
    pub fn api_key(&self) -> Result<Option<Secret>, SettingsError> {
        optional("QDRANT_API_KEY", self.qdrant_api_key.as_ref(), self.qdrant_api_key_file.as_deref())
    }
}

/// Which model makes the vectors.
#[derive(Debug, Clone, Args)]
pub struct EmbeddingSettings {
    /// Embedding model, by its name on the hub
    #[arg(long, env = "EMBEDDING_MODEL", default_value = "all-MiniLM-L6-v2")]
    pub embedding_model: String,
    /// Folder with model.onnx and tokenizer.json; without it the model is fetched from the hub
    #[arg(long, env = "EMBEDDING_MODEL_DIR", value_name = "PATH")]
    pub embedding_model_dir: Option<PathBuf>,
    /// ONNX Runtime's shared library; without it the system's is searched
    #[arg(long, env = "ORT_DYLIB_PATH", value_name = "PATH")]
    pub ort_dylib_path: Option<PathBuf>,
}

/// How a program reports.
#[derive(Debug, Clone, Args)]
pub struct LogSettings {
    /// Format of log lines
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Reads `.env` if there is one, then flags and environment. Ends the program with one line and exit code 2 where
/// they are wrong.
pub fn parse<P: Parser>() -> P {
    if let Err(problem) = read_dotenv() {
        fail(&problem);
    }
    P::try_parse().unwrap_or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.exit()
        }
        _ => fail(&one_line(&error)),
    })
}

/// Ends the program for a wrong setting: one line on stderr, exit code 2.
pub fn fail(problem: &dyn fmt::Display) -> ! {
    eprintln!("error: {problem}");
    std::process::exit(EXIT_SETTINGS)
}

fn read_dotenv() -> Result<(), String> {
    match dotenvy::from_path(".env") {
        // What is quoted may be a secret: its line is told by number.
        Err(dotenvy::Error::LineParse(quoted, _)) => {
            let text = fs::read_to_string(".env").unwrap_or_default();
            let before = text.lines().take_while(|line| !line.contains(&quoted)).count();
            Err(format!(".env: line {} cannot be read (a value with spaces, # or quotes has to be quoted)", before + 1))
        }
        Err(error) if !error.not_found() => Err(format!(".env: {error}")),
        _ => Ok(()),
    }
}

/// clap's message without its usage text, and without a value that may be a secret.
fn one_line(error: &clap::Error) -> String {
    let name = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        Some(ContextValue::Strings(names)) => Some(names.join(", ")),
        _ => None,
    };
    let argument = name(ContextKind::InvalidArg).map(|argument| setting_name(&argument));
    match (error.kind(), argument, std::error::Error::source(error)) {
        (ErrorKind::ValueValidation, Some(argument), Some(source)) => format!("{argument}: {source}"),
        (ErrorKind::InvalidValue, Some(argument), _) => {
            let valid = name(ContextKind::ValidValue).unwrap_or_default();
            format!("{argument}: not one of {valid}")
        }
        (ErrorKind::MissingRequiredArgument, Some(argument), _) => format!("{argument}: is required"),
        (ErrorKind::UnknownArgument, Some(_), _) => {
            format!("unknown argument {} (see --help)", name(ContextKind::InvalidArg).unwrap_or_default())
        }
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

/// `--mongodb-uri <MONGODB_URI>` → `MONGODB_URI (--mongodb-uri)`.
fn setting_name(argument: &str) -> String {
    let flag = argument.split_whitespace().next().unwrap_or(argument);
    match flag.strip_prefix("--") {
        Some(name) => format!("{} ({flag})", name.replace('-', "_").to_uppercase()),
        None => flag.to_owned(),
    }
}

fn required(name: &'static str, value: Option<&Secret>, file: Option<&Path>) -> Result<Secret, SettingsError> {
    optional(name, value, file)?.ok_or_else(|| SettingsError::new(name, "is required"))
}

/// `file` is the flag's: it goes before a value, which may be the environment's. The environment's `*_FILE` goes last.
fn optional(name: &'static str, value: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>, SettingsError> {
    let named = std::env::var_os(format!("{name}_FILE")).filter(|path| !path.is_empty()).map(PathBuf::from);
    match (file, value, named.as_deref()) {
        (Some(path), _, _) | (None, None, Some(path)) => {
            let text = fs::read_to_string(path)
                .map_err(|error| SettingsError::new(name, format!("{}: {error}", path.display())))?;
            Ok(Some(Secret(text.trim_end().to_owned())))
        }
        (None, Some(value), _) => Ok(Some(value.clone())),
        (None, None, None) => Ok(None),
    }
}

fn secret(value: &str) -> Result<Secret, String> {
    if value.is_empty() { Err("is empty".into()) } else { Ok(Secret(value.to_owned())) }
}

/// MongoDB's own rule for database names on Linux, so that a bad one is said at start and not by a server.
fn database_name(name: &str) -> Result<String, String> {
    let forbidden = |c: char| matches!(c, '/' | '\\' | '.' | ' ' | '"' | '$' | '\0');
    if name.is_empty() || name.len() > 63 || name.contains(forbidden) {
        return Err("is not a name that MongoDB allows".into());
    }
    Ok(name.to_owned())
}
