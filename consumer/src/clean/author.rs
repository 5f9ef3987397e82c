//! A user's names.

use serde_json::{Map, Value};

use super::fields::CleanError;
use super::metadata::name;

/// What a user is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuthorName {
    /// As in the document.
    pub(crate) first_name: Option<String>,
    /// As in the document.
    pub(crate) last_name: Option<String>,
    /// First and last name, or the one that there is.
    pub(crate) full_name: Option<String>,
}

/// The names of the user `document`.
///
/// # Errors
/// [`CleanError`] where a name is neither text nor null.
pub(crate) fn author(document: &Map<String, Value>) -> Result<AuthorName, CleanError> {
    let first_name = name(document, "first_name")?;
    let last_name = name(document, "last_name")?;
    let names: Vec<&str> = [&first_name, &last_name].into_iter().flatten().map(String::as_str).collect();
    let full_name = (!names.is_empty()).then(|| names.join(" "));
    Ok(AuthorName { first_name, last_name, full_name })
}
