//! How one program is run: program, arguments, environment, working folder. The same for a private server of a test and for a service of the stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Nothing is inherited: what is not named here, the program does not see (except `PATH` of the system's folders).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) folder: PathBuf,
}

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Launch {
    /// A program whose home and working folder is `folder`.
    pub(crate) fn new(program: impl Into<PathBuf>, folder: &Path) -> Self {
        let launch = Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            folder: folder.to_owned(),
        };
        launch.env("PATH", SYSTEM_PATH).env("HOME", folder.display()).env("LANG", "C.UTF-8")
    }

    pub(crate) fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Puts a folder before the others of PATH.
    pub(crate) fn path_first(self, folder: &Path) -> Self {
        let path = format!("{}:{}", folder.display(), self.environment.get("PATH").map_or(SYSTEM_PATH, String::as_str));
        self.env("PATH", path)
    }
}
