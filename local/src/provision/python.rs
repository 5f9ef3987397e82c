//! The Python interpreter: found once, then remembered in the cache, so that a run with nothing to do starts no process.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::command::{Tool, find_program};
use super::error::{At, ProvisionError};

const REMEDY: &str =
    "install Python 3.11 or newer (on Debian: apt-get install python3), or name one in the environment variable PYTHON";
const OLDEST: (u32, u32) = (3, 11);
/// What compiled packages depend on: its version and its machine.
const ASK: &str = "import sys, platform, json; print(json.dumps({'program': sys.executable, 'version': list(sys.version_info[:2]), \
                   'abi': sys.implementation.cache_tag + '-' + platform.machine()}))";

/// An interpreter that will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interpreter {
    /// What was asked for: `PYTHON`, or the first `python3` on PATH.
    asked: PathBuf,
    answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    program: PathBuf,
    version: (u32, u32),
    abi: String,
}

impl Interpreter {
    /// The one that an earlier run found, if the same would be asked for and it is still there.
    pub(super) fn recorded(cache: &Cache) -> Option<Self> {
        let recorded: Self = serde_json::from_slice(&fs::read(record(cache)).ok()?).ok()?;
        let same = recorded.asked == asked()? && recorded.answer.program.exists();
        same.then_some(recorded)
    }

    /// Asks the interpreter about itself and remembers the answer.
    pub(super) async fn find(cache: &Cache) -> Result<Self, ProvisionError> {
        let asked = asked().ok_or_else(|| ProvisionError::MissingTool { tool: named(), remedy: REMEDY.to_owned() })?;
        let said = Tool::new(&asked, REMEDY).args(["-c", ASK]).run().await?.succeeded("Python", cache)?;
        let answer = check(&asked.to_string_lossy(), &said.stdout)?;
        let found = Self { asked, answer };
        let path = record(cache);
        let text = serde_json::to_vec(&found).map_err(std::io::Error::from).at(&path)?;
        let fresh = cache.partial("python.json");
        fs::write(&fresh, text).at(&fresh)?;
        fs::rename(&fresh, &path).at(&path)?;
        Ok(found)
    }

    pub(super) fn program(&self) -> PathBuf {
        self.answer.program.clone()
    }

    /// The same for all interpreters that can use the same compiled packages.
    pub(super) fn abi(&self) -> &str {
        &self.answer.abi
    }

    /// A call of it.
    pub(super) fn tool(&self) -> Tool {
        Tool::new(&self.answer.program, REMEDY)
    }
}

fn check(program: &str, said: &str) -> Result<Answer, ProvisionError> {
    let answer: Result<Answer, _> = serde_json::from_str(said.trim());
    match answer {
        Ok(answer) if answer.version >= OLDEST => Ok(answer),
        Ok(Answer { version: (major, minor), .. }) => {
            Err(ProvisionError::OldPython { program: program.to_owned(), found: format!("{major}.{minor}") })
        }
        Err(_) => {
            Err(ProvisionError::OldPython { program: program.to_owned(), found: "of an unknown kind".to_owned() })
        }
    }
}

fn named() -> String {
    std::env::var("PYTHON").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "python3".to_owned())
}

fn asked() -> Option<PathBuf> {
    find_program(&named())
}

fn record(cache: &Cache) -> PathBuf {
    cache.path("python.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_python_is_refused_with_its_version() {
        let error =
            check("python3", r#"{"program": "/usr/bin/python3", "version": [3, 9], "abi": "cpython-39-x86_64"}"#)
                .unwrap_err();
        assert!(error.to_string().starts_with("python3 is Python 3.9, and 3.11 or newer is needed"));
        assert!(
            check("python3", r#"{"program": "/usr/bin/python3", "version": [3, 11], "abi": "cpython-311-x86_64"}"#)
                .is_ok()
        );
    }
}
