//! What a person can choose about the relay.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};
use shared::DocumentType;
use shared::settings::{MongoDbSettings, RabbitMqSettings, SettingsError};
use source::SelectionSettings;

/// Settings of `producer run`.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where the documents are.
    #[command(flatten)]
    pub mongodb: MongoDbSettings,
    /// Where the changes go.
    #[command(flatten)]
    pub rabbitmq: RabbitMqSettings,
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "PRODUCER_HTTP_LISTEN", default_value = "127.0.0.1:9101")]
    pub producer_http_listen: SocketAddr,
    /// Whether to relay what was there before the first start
    #[arg(long, env = "SNAPSHOT", value_enum, default_value_t = SnapshotPolicy::Initial)]
    pub snapshot: SnapshotPolicy,
    /// What to do when MongoDB no longer holds the changes since the checkpoint
    #[arg(long, env = "ON_HISTORY_LOST", value_enum, default_value_t = HistoryLostPolicy::Resync)]
    pub on_history_lost: HistoryLostPolicy,
    /// Collections to relay, separated by commas
    #[arg(long, env = "TYPES", value_delimiter = ',', default_value = "users,articles,posts,repositories")]
    pub types: Vec<DocumentType>,
    /// What of them.
    #[command(flatten)]
    pub selection: SelectionSettings,
    /// Most messages published and not yet confirmed, 1 to 100000
    #[arg(long, env = "PRODUCER_WINDOW_EVENTS", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub producer_window_events: u32,
    /// Most MiB of message bodies published and not yet confirmed, 1 to 4096
    #[arg(long, env = "PRODUCER_WINDOW_MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub producer_window_mib: u32,
    /// Print a line for each change and for its confirmation
    #[arg(long)]
    pub show_changes: bool,
}

impl Settings {
    /// Finds what is wrong without asking a server.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        self.mongodb.uri()?;
        self.rabbitmq.uri()?;
        self.selection.selections()?;
        Ok(())
    }
}

/// Whether to relay what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SnapshotPolicy {
    /// Before the first start, after a reset, and for a type watched for the first time.
    Initial,
    /// Never: only changes from the first start on.
    Never,
    /// At each start.
    Always,
}

/// What to do about lost history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HistoryLostPolicy {
    /// Relay everything anew, ended by a sweep of what is gone.
    Resync,
    /// Stop with an error.
    Fail,
}
