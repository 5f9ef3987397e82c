//! The connection to RabbitMQ, alike for all programs.

use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};

/// Seconds between heartbeats where the URI names none; after twice that a silent connection is given up. The server
/// would have 60.
const HEARTBEAT: u16 = 10;

/// Connects under a name that RabbitMQ shows to people. Without a limit of its own: a broker that is stopped still takes
/// connections.
///
/// # Errors
/// As lapin.
pub async fn connect(uri: &AMQPUri, name: &str) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let mut uri = uri.clone();
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    Connection::connect_uri(uri, properties).await
}
