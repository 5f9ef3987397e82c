//! Log lines: on stderr, filtered by `RUST_LOG` (default `info`), as text or JSON.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, SettingsError};

/// Starts logging; call once, first thing.
///
/// # Errors
/// `RUST_LOG` is not a filter.
pub fn init(format: LogFormat) -> Result<(), SettingsError> {
    init_at("info", format)
}

/// [`init`] with another filter where `RUST_LOG` is not set: a command whose answer is on the terminal only warns.
///
/// # Errors
/// As [`init`].
pub fn init_at(default: &str, format: LogFormat) -> Result<(), SettingsError> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| default.into());
    // The broker's client reports each lost connection as an error of its own; ours says what we do about it.
    let filter = EnvFilter::builder()
        .parse(format!("lapin=off,{wanted}"))
        .map_err(|error| SettingsError::new("RUST_LOG", error.to_string()))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
