//! Sources of crates that this program is built from, as cargo has unpacked them: real code on any machine that built it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A source file of a crate.
pub(crate) struct SourceFile {
    /// The crate's name.
    pub(crate) package: String,
    /// Its path in there.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The files of the newest versions at hand of these crates, by their paths.
///
/// # Errors
/// Names the crate that is not there.
pub(crate) fn crates(names: &[&str]) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for name in names {
        let package = crate_folder(name)?;
        add(name, &package, &package.join("src"), &mut files)?;
    }
    Ok(files)
}

/// Where the newest version at hand of a crate is unpacked.
///
/// # Errors
/// Names the crate that is not there.
pub(crate) fn crate_folder(name: &str) -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"))).context("CARGO_HOME is not set")?;
    let mut packages = Vec::new();
    for registry in entries(&home.join("registry/src"))? {
        packages.extend(entries(&registry)?);
    }
    let of_name = packages.into_iter().rfind(|package| is_version_of(package, name));
    of_name.with_context(|| format!("no source of the crate {name} in {}", home.display()))
}

fn is_version_of(package: &Path, name: &str) -> bool {
    let folder = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn add(name: &str, package: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            add(name, package, &path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let inside = path.strip_prefix(package)?.display().to_string();
            files.push(SourceFile { package: name.into(), path: inside, text });
        }
    }
    Ok(())
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = folder.read_dir().with_context(|| folder.display().to_string())?;
    let mut paths = found.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort_unstable();
    Ok(paths)
}
