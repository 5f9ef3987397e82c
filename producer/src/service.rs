//! The producer as a service: settings, health port, then the relay.

use shared::health::{HealthServer, Readiness};
use shared::shutdown::CancellationToken;

use crate::error::ProducerError;
use crate::settings::Settings;
use crate::{supervisor, telemetry};

/// What must work for a producer to be ready. A standby needs no broker.
pub(crate) const PARTS: [&str; 6] = ["checkpoint", "lease", "mongodb", "rabbitmq", "snapshot", "stream"];

/// Relays until `shutdown`, then drains, writes the checkpoint and gives the lease back.
///
/// # Errors
/// What a person must mend; everything else is waited for, and `/readyz` says what it is.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> Result<(), ProducerError> {
    settings.check()?;
    let readiness = Readiness::awaiting(PARTS);
    let health = HealthServer::bind("PRODUCER_HTTP_LISTEN", settings.producer_http_listen, readiness.clone()).await?;
    telemetry::describe();
    let stopped = CancellationToken::new();
    let serving = tokio::spawn(health.run(stopped.clone()));
    let relayed = supervisor::run(settings, readiness, shutdown).await;
    stopped.cancel();
    serving.await.map_err(std::io::Error::other)??;
    relayed
}
