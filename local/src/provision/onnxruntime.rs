//! ONNX Runtime: the shared library out of its Python wheel.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::digest;
use super::error::{At, ProvisionError};
use super::part::{Part, Workshop};
use super::pip;
use super::progress::Step;
use super::requirements::Requirements;

/// In the wheel the version follows.
const LIBRARY: &str = "libonnxruntime.so.";

pub(super) struct OnnxRuntime {
    folder: PathBuf,
    requirements: Requirements,
}

impl OnnxRuntime {
    /// The library is the same in the wheels of all Python versions: its key leaves them out.
    pub(super) fn new(cache: &Cache) -> Result<Self, ProvisionError> {
        let requirements = Requirements::read("requirements/onnxruntime.txt")?;
        let key = digest::key(&[&requirements.text, std::env::consts::ARCH]);
        let folder = cache.path(&format!("onnxruntime-{}-{key}", requirements.version("onnxruntime")));
        Ok(Self { folder, requirements })
    }

    pub(super) fn found(&self) -> Result<PathBuf, ProvisionError> {
        library(&self.folder)
    }
}

impl Part for OnnxRuntime {
    fn title(&self) -> String {
        format!("ONNX Runtime {}", self.requirements.version("onnxruntime"))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        let packages = target.with_extension("packages");
        workshop.pip.install(&self.requirements, pip::COMPLETE, &packages, &workshop.apt, step).await?;
        fs::create_dir_all(target).at(target)?;
        let source = library(&packages.join("onnxruntime/capi"))?;
        let place = target.join(source.file_name().unwrap_or_default());
        fs::rename(&source, &place).at(&source)
    }
}

fn library(folder: &Path) -> Result<PathBuf, ProvisionError> {
    let mut files = fs::read_dir(folder).at(folder)?.flatten();
    let found = files.find(|file| file.file_name().to_string_lossy().starts_with(LIBRARY)).map(|file| file.path());
    found.ok_or_else(|| std::io::Error::other(format!("no {LIBRARY}* in it"))).at(folder)
}
