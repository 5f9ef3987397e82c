//! Hash-pinned requirement files of the checkout, and other files there that parts are made with.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::ProvisionError;

/// One requirement file: what pip installs from it is wholly fixed by its text.
#[derive(Debug, Clone)]
pub(super) struct Requirements {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Requirements {
    /// By its path below the crate's folder.
    pub(super) fn read(name: &str) -> Result<Self, ProvisionError> {
        Self::at(&in_checkout(name))
    }

    /// Anywhere.
    pub(super) fn at(path: &Path) -> Result<Self, ProvisionError> {
        Ok(Self { text: read(path)?, path: path.to_owned() })
    }

    /// The pinned version of a package.
    pub(super) fn version(&self, package: &str) -> &str {
        let pin = self.text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
        pin.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?")
    }
}

/// A file of this crate's, in the checkout that it was built in.
pub(super) fn in_checkout(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of such a file.
pub(super) fn read(path: &Path) -> Result<String, ProvisionError> {
    fs::read_to_string(path).map_err(|_| ProvisionError::Checkout { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_and_hashed() {
        for name in [
            "requirements/mongodb.txt",
            "requirements/onnxruntime.txt",
            "model/requirements.txt",
            "qdrant/requirements.txt",
        ] {
            let requirements = Requirements::read(name).unwrap();
            let joined = requirements.text.replace("\\\n", " ");
            let said =
                |line: &&str| !line.trim().is_empty() && !line.starts_with('#') && !line.starts_with("--only-binary");
            let packages: Vec<&str> = joined.lines().filter(said).collect();
            assert!(!packages.is_empty());
            for package in packages {
                assert!(package.contains("==") && package.contains("--hash=sha256:"), "{name}: {package}");
            }
        }
    }

    #[test]
    fn a_version_is_read_from_its_pin() {
        assert_eq!(Requirements::read("requirements/onnxruntime.txt").unwrap().version("onnxruntime"), "1.31.1");
    }
}
