//! SIGTERM and Ctrl-C as a token that the library takes as an argument.

use tokio::signal::unix::{SignalKind, signal};
pub use tokio_util::sync::{CancellationToken, DropGuard};

/// A token that is cancelled by the first SIGTERM or SIGINT: the program drains. A second one ends it at once.
///
/// # Errors
/// As the operating system: signal handlers could not be installed.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if !first {
                std::process::exit(130);
            }
            tracing::info!("draining; a second signal ends at once");
            token.cancel();
        }
    });
    Ok(shutdown)
}
