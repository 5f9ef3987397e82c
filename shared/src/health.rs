//! `/livez`, `/readyz` and `/metrics` of a service.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::settings::SettingsError;
use crate::shutdown::CancellationToken;

/// What a service needs to be ready, part by part. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<String, Result<(), String>>>>);

impl Readiness {
    /// A state in which these parts are still awaited.
    pub fn awaiting<const N: usize>(parts: [&str; N]) -> Self {
        let readiness = Self::default();
        for part in parts {
            readiness.set_down(part, "starting");
        }
        readiness
    }

    /// This part works.
    pub fn set_up(&self, part: impl Into<String>) {
        self.set(part.into(), Ok(()));
    }

    /// This part does not work, and why.
    pub fn set_down(&self, part: impl Into<String>, reason: impl Into<String>) {
        self.set(part.into(), Err(reason.into()));
    }

    fn set(&self, part: String, state: Result<(), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part, state);
    }

    /// Whether every part works, with a line for each.
    pub fn report(&self) -> (bool, String) {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(part, state): (&String, &Result<(), String>)| match state {
            Ok(()) => format!("{part}: ok\n"),
            Err(reason) => format!("{part}: {reason}\n"),
        };
        (parts.values().all(Result::is_ok), parts.iter().map(line).collect())
    }
}

/// Longest wait, at the end, for requests that were begun: a half-sent one would be waited for as long as its sender likes.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often what was recorded is folded into the quantiles.
const UPKEEP: Duration = Duration::from_secs(5);

/// The HTTP endpoints of a service.
pub struct HealthServer {
    listener: TcpListener,
    router: Router,
    metrics: PrometheusHandle,
}

/// Endpoints that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address is in use or not ours.
    #[error(transparent)]
    Listen(SettingsError),
    /// Metrics were set up twice in one process.
    #[error(transparent)]
    Metrics(#[from] BuildError),
}

impl HealthServer {
    /// Opens the port that `setting` names, so that a used one is said before anything else begins, and installs the
    /// metrics recorder.
    ///
    /// # Errors
    /// [`HealthError`].
    pub async fn bind(setting: &'static str, address: SocketAddr, readiness: Readiness) -> Result<Self, HealthError> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let problem = match error.kind() {
                ErrorKind::AddrInUse => "in use; choose another".to_owned(),
                _ => error.to_string(),
            };
            HealthError::Listen(SettingsError::new(setting, format!("cannot listen on {address}: {problem}")))
        })?;
        let metrics = PrometheusBuilder::new().install_recorder()?;
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz).with_state(readiness))
            .route("/metrics", get(render).with_state(metrics.clone()));
        Ok(Self { listener, router, metrics })
    }

    /// Serves until `shutdown`, and then for two seconds at most what was begun.
    ///
    /// # Errors
    /// As the operating system.
    pub async fn run(self, shutdown: CancellationToken) -> std::io::Result<()> {
        let metrics = self.metrics;
        // Samples are kept one by one until this: nobody may be asking for them.
        let upkeep = tokio::spawn(async move {
            let mut due = tokio::time::interval(UPKEEP);
            loop {
                due.tick().await;
                metrics.run_upkeep();
            }
        });
        let stopped = shutdown.clone().cancelled_owned();
        let serving = axum::serve(self.listener, self.router).with_graceful_shutdown(stopped);
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        let served = tokio::select! {
            served = serving.into_future() => served,
            () = overdue => Ok(()),
        };
        upkeep.abort();
        served
    }
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, String) {
    let (ready, report) = readiness.report();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, report)
}

async fn render(State(metrics): State<PrometheusHandle>) -> String {
    metrics.run_upkeep();
    metrics.render()
}
